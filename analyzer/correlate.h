/*
 * correlate.h - which mail an answer answers, where it was made, and why its original could not be delivered.
 *
 * Works on one victim at a time: all answering mail to one address, together with all mail that has this address as its MAIL FROM. So the
 * result is a function of the facts about that address, whatever order they came in.
 */
#ifndef ANALYZER_CORRELATE_H
#define ANALYZER_CORRELATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>

#include "analyzer/classify.h"
#include "analyzer/mail.h"
#include "analyzer/own.h"
#include "analyzer/servers.h"
#include "analyzer/sighting.h"
#include "common/text.h"

/* How far other answers of a sender may be to tell what one without DATA is: who is away today was so yesterday. */
#define SAME_SENDER_US (INT64_C(24) * 3600 * 1000000)

struct root {
	int64_t rowid;		/* 0: none found */
	int code;
	struct text enhanced, reply;
};

/* One recipient of one answering transaction. */
struct answer {
	struct mail mail;
	struct route route;
	int n;			/* recipients.n */
	int code;		/* reply to this RCPT, or LMTP to the data */
	struct text enhanced, reply, notify;
	enum kind kind, first_kind;	/* first_kind: as classified without other mail */
	bool suspect;		/* a person's mail that may be an answer, classify.h */
	enum kind suspected;
	const char *rule;
	bool passed_on;		/* without DATA, but seen coming in from outside with it */
	struct sighting cause;	/* rowid 0: none found */
	const char *matched_by;
	struct root root;
};

/* Attempts to deliver one mail to the victim: what becomes a finding. */
struct mail_group {
	struct answer **attempt;	/* by time */
	size_t count;
	struct answer *said;		/* the attempt that tells most: the first with a message, else the first */
	struct answer *edge;		/* the first one on its way out of our network; NULL: only inner sightings */
	enum provenance provenance;
	struct server *originator;	/* NULL: not told */
	const char *originator_how;
};

#define VICTIM_TARGETS_MAX 16

struct victim {
	int64_t id;
	struct text address, domain;
	unsigned class;
	struct answer *answer;		/* by MAIL time */
	size_t answer_count;
	struct sighting *mail;		/* with his address as MAIL FROM (or From, Reply-To, for autoreplies), by MAIL time */
	size_t mail_count;
	struct mail_group *group;	/* by their first attempt */
	size_t group_count;
	struct ip_addr target[VICTIM_TARGETS_MAX];	/* outside servers that were given answers to him, the first ones; smarthosts are none */
	int target_count;
	struct arena arena;
};

struct correlate;
struct provenances;

struct correlate *correlate_new(sqlite3 *facts, sqlite3 *verdicts, const struct own *own, struct provenances *provenances, struct shared *shared);
void correlate_free(struct correlate *c);

/* False when there is no answering mail to this address. victim_fini in both cases. */
bool correlate_victim(struct correlate *c, int64_t recipient_id, struct victim *v);
void victim_fini(struct victim *v);
/* How many of the victim's mails began at or before t. */
size_t victim_mail_until(const struct victim *v, int64_t t);

#endif
