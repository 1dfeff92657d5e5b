/* left.h - what left from some addresses in a stretch of time: every transaction to the outside, and what is known of each. */
#ifndef READER_LEFT_H
#define READER_LEFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ip.h"
#include "common/kind.h"
#include "reader/reader.h"

struct left_row {
	int64_t rowid;			/* transactions.id */
	const char *transaction_id, *src_ip, *dest_ip;
	int64_t started_us, ended_us;	/* MAIL, end of the transaction */
	enum kind kind;
	const char *provenance;		/* generated, relayed-own, forwarded, unknown; "": not told */
	struct text mail_from;		/* "<>" is the null sender */
	bool null_sender, postmaster;
	const char *outcome;
	int code;
	/* Only of mail that is null_sender, postmaster or of an answering kind: */
	struct text recipient, recipient_domain;	/* the first one that was accepted, else the first */
	uint32_t recipients;
	int64_t finding_rowid;		/* finding.id, 0: no finding */
	const char *misdirected;	/* of it, else "" */
	struct text banner;		/* of the server that took it; NULL: not seen */
	bool had_contact;		/* before it, the recipient's address wrote to us from the network of that server */
};

struct left_list {
	struct arena arena;
	struct left_row *row;		/* in order of time */
	size_t count;
	bool cut;			/* there were more than LEFT_MAX */
	uint64_t unread_sessions;	/* to outside, in this time, hidden by TLS */
};

#define LEFT_MAX 5000
/* A transaction that began in the stretch is found when it ended at most so long after it: RFC 5321 4.5.3.2.6 lets servers take ten minutes
 * for the reply to the data. */
#define LEFT_LONGEST_US (INT64_C(10) * 60 * 1000000)

/*
 * Transactions of any of the client addresses from[0..n) whose time from MAIL to their end touches from_us..to_us. 0, or -1 with reader_message;
 * to be freed either way.
 */
int left_read(struct reader *r, const struct ip_prefix *from, size_t n, int64_t from_us, int64_t to_us, struct left_list *out);
void left_list_fini(struct left_list *l);

#endif
