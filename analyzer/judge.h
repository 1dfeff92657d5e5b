/*
 * judge.h - was this answer misdirected, and could its server do harm? Named rules, each with a sign, a strength and a sentence.
 *
 * "yes" needs two strong rules for it on different grounds, no strong one against, and that all of it was captured well; doubt is "unknown".
 */
#ifndef ANALYZER_JUDGE_H
#define ANALYZER_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sqlite3.h>

#include "analyzer/victim.h"
#include "analyzer/origin.h"
#include "analyzer/own.h"
#include "analyzer/servers.h"

#define JUDGE_REASONS_MAX 32

struct reason {
	const char *rule, *sign, *strength;
	char *text;
};

struct judgement {
	const char *misdirected;	/* yes, likely, no, unknown */
	const char *exposure;		/* can-backscatter, no, unknown */
	const char *cause_class;	/* user-unknown, mailbox-full, content, policy, other; NULL: not told */
	struct origin origin;
	struct reason reason[JUDGE_REASONS_MAX];
	size_t reason_count;
};

struct judge;

/* geo: NULL without databases. */
struct geo;
struct covered;
struct judge *judge_new(sqlite3 *facts, sqlite3 *verdicts, const struct own *own, const struct servers *servers, struct origins *origins,
			struct shared *shared, const struct geo *geo, struct covered *covered);
void judge_free(struct judge *j);

/* Notes in the group what of the victim's mail was asked for. */
void judge_group(struct judge *j, const struct victim *v, struct mail_group *g, struct judgement *out);
void judgement_fini(struct judgement *out);

/* Changes whenever the table of rules does. */
uint64_t judge_version(void);

/* The i-th rule of the table, in the order in which they are asked; false behind the last. */
struct judge_rule {
	const char *id, *sign, *strength;
};
bool judge_rule(size_t i, struct judge_rule *out);

/* Mail that used the sender so long before or after the original tells of other places. */
#define JUDGE_SENDER_WINDOW_US (INT64_C(24) * 3600 * 1000000)

/* How many unrelated domains one origin must have used as senders, and how many unrelated places one sender; fewer for a client of our own. */
enum { JUDGE_MANY_SENDERS = 3, JUDGE_CLIENT_SENDERS = 2, JUDGE_MANY_ORIGINS = 3 };
/* For how many mails of his nobody saw he must have got bounces. */
enum { JUDGE_MANY_BOUNCES = 5 };

#endif
