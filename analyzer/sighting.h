/* sighting.h - a light look at transactions that may have caused, carried or refused an answer. */
#ifndef ANALYZER_SIGHTING_H
#define ANALYZER_SIGHTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sqlite3.h>

#include "analyzer/domain.h"
#include "analyzer/mail.h"
#include "analyzer/own.h"
#include "common/text.h"

/* Cause and answer may carry the same time, or the answer one that is slightly older: taps deliver a reply late. */
#define SIGHTING_SLACK_US INT64_C(300000)
/* How long a bounce may come after its cause: queue lifetime of stock servers (5 days), and an hour. */
#define SIGHTING_WINDOW_US (INT64_C(121) * 3600 * 1000000)

/* What matters of a transaction that may have caused, carried or refused something. */
struct sighting {
	int64_t rowid;
	uint8_t session_id[16];
	int ordinal;
	struct ip_addr src, dest;
	struct route route;
	int64_t started_us, mail_us, ended_us, reply_us;	/* reply_us 0: not seen */
	enum mail_outcome outcome;
	int auth;
	int64_t mail_from_id, mail_from_inner_id, message_id_hash, in_reply_to_hash;
	unsigned mail_from_class;
	int64_t size_bytes;	/* -1: not known */
	struct text helo, queue_id;
	struct text origin_name;	/* what route.origin called itself; NULL: not told */
	struct domain_host origin_host;	/* what that name says; set for a victim's mail */
	size_t taken_by;	/* an answer was matched to it by envelope alone: the answer's place, from 1; 0: none */
};

struct sightings {
	struct sighting *item;
	size_t count, cap;
};

/* Statements that sightings_collect reads: those with the MAIL FROM ?1 behind row ?2, the row ?1. */
extern const char sighting_sql_by_sender_after[], sighting_sql_by_rowid[];

/* Appends all rows of a bound statement. Texts are copied to the arena, or left out without one. The caller frees item. */
void sightings_collect(sqlite3_stmt *s, const struct own *own, struct arena *a, struct sightings *out);
/* Could a message of so many bytes be announced as that long (SIZE=) by the next hop? It adds its Received line and little else. */
bool sighting_grows_to(int64_t bytes, int64_t size);
/* By MAIL time, then id: the same whatever order the rows have. */
void sightings_sort(struct sightings *list);
int sighting_compare(const struct sighting *a, const struct sighting *b);

/*
 * A Message-ID or sender that more mails share than this tells nothing about one of them, so all of them are left out: which of them were seen
 * first must not matter.
 */
#define SIGHTING_SHARE_HASH 500
#define SIGHTING_SHARE_SENDER 100

/* Mails that share a Message-ID or a sender, from facts.db. Remembers what too many share. */
struct shared;
struct shared *shared_new(sqlite3 *facts, const struct own *own);
void shared_free(struct shared *s);
/* Is this one that tells nothing? */
bool shared_hash_by_too_many(struct shared *s, int64_t message_id_hash);
bool shared_sender_by_too_many(struct shared *s, int64_t sender_id);
/*
 * Mails with this Message-ID, sorted, without texts; an empty list when they are fewer than fewest, or too many share it. 0 is shared by nobody.
 * Belongs to s, until the next call. Lists are kept and added to: a mailing goes to many with one Message-ID.
 */
const struct sightings *shared_by_hash(struct shared *s, int64_t message_id_hash, int fewest);
/* As sightings_collect, sorted; false, and nothing, when too many share it. */
bool shared_by_sender(struct shared *s, int64_t sender_id, struct arena *a, struct sightings *out);

#endif
