/*
 * ladder.h - how one finding came about, as commands and replies between lanes in order of time: cause above effect.
 *
 *   origin             own server            inner hop            outside server
 *      | MAIL FROM:<v@x>   |                      |                       |
 *      |------------------>|                      |                       |
 *
 * Texts are as in the store, unescaped. What the sensor kept of a dialogue is verbs and reply codes with their times (64 a transaction);
 * addresses and reply texts are those of the transaction's row.
 */
#ifndef READER_LADDER_H
#define READER_LADDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader/reader.h"

enum ladder_lane { LADDER_ORIGIN, LADDER_OWN, LADDER_INNER, LADDER_OUTSIDE, LADDER_LANES };
enum ladder_part { LADDER_CAUSE, LADDER_ROOT, LADDER_ANSWER };	/* the mail it answers, the hop that could not deliver, the answer itself */

struct ladder_step {
	int64_t at_us;
	enum ladder_lane from, to;
	bool is_reply;
	bool decides;			/* the reply that decided the transaction */
	int code;			/* of a reply, else 0 */
	struct text text;		/* "MAIL FROM:<a@b> SIZE=1", "550 5.1.1 User unknown", "message, 1234 bytes" */
	size_t hop;			/* index into ladder.hop */
};

/* One transaction of the ladder. */
struct ladder_hop {
	enum ladder_part part;
	int64_t rowid;			/* transactions.id */
	const char *transaction_id;
	enum ladder_lane client, server;
	const char *client_ip, *server_ip;
	int client_port, server_port;
	int64_t started_us, ended_us;
	struct text helo, mail_from, recipient, message_id, subject, reply, notes;
	uint32_t recipients;		/* how many it had; recipient is the one this is about */
	const char *outcome;		/* accepted rejected aborted unknown */
	int code;
	bool complete;
};

struct ladder {
	struct arena arena;
	const char *lane[LADDER_LANES];	/* address there, "" when nobody is; of several inner hops the first */
	struct ladder_step *step;
	size_t step_count;
	struct ladder_hop *hop;		/* in order of time */
	size_t hop_count;
	uint32_t attempts_left_out;	/* between the first and the last LADDER_ATTEMPTS_MAX / 2 */
	bool cause_seen;
};

#define LADDER_ATTEMPTS_MAX 6

/* finding_rowid: finding.id. 0 (also when there is no such finding: then without hops), or -1 with reader_message. To be freed either way. */
int ladder_read(struct reader *r, int64_t finding_rowid, struct ladder *out);
void ladder_fini(struct ladder *l);

#endif
