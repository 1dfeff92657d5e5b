/*
 * victim.h - one address that answering mail goes to: all of that mail, and all mail in its name. What correlate.h works on.
 *
 * Of the addresses that were looked at last, what was loaded and worked out can be kept in memory: who gets thousands of answers gets more of them
 * every second. Then only what came since is loaded, and only what that may change is worked through again. The result is the same as from nothing.
 */
#ifndef ANALYZER_VICTIM_H
#define ANALYZER_VICTIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sqlite3.h>

#include "analyzer/classify.h"
#include "analyzer/mail.h"
#include "analyzer/own.h"
#include "analyzer/servers.h"
#include "analyzer/sighting.h"
#include "common/text.h"

/* Candidates looked at for one answer, newest first: keeps joe-jobs linear. */
#define VICTIM_NEAR_MAX 64

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
	struct classification first;	/* without other mail */
	size_t at;		/* its place among the victim's answers */

	/* What other mail tells: correlate.c. */
	enum kind told_kind;
	const char *told_rule;
	bool passed_on;		/* without DATA, but seen coming in from outside with it */
	struct sighting cause;	/* rowid 0: none found */
	const char *matched_by;
	struct root root;

	/* And the other attempts to deliver it: attempts.c. */
	enum kind kind;
	const char *rule;
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
	int64_t asked_from_us, asked_until_us;	/* span of the victim's mail whose members its judgement asked for (witness.h) */
	bool touched;			/* to be judged again */
};

#define VICTIM_TARGETS_MAX 16

/* An outside server that was given answers to him. */
struct target {
	struct ip_addr address;
	size_t at;		/* the first answer that it was given */
};

struct victim {
	int64_t id;
	struct text address, domain;
	unsigned class;
	struct answer **answer;		/* by MAIL time */
	size_t answer_count, answer_cap;
	struct sighting *mail;		/* with his address as MAIL FROM (or From, Reply-To, for autoreplies), by MAIL time */
	size_t mail_count, mail_cap;
	struct mail_group *group;	/* by their first attempt */
	size_t group_count, group_cap;
	struct target target[VICTIM_TARGETS_MAX];	/* the first ones; smarthosts are none */
	int target_count;
	size_t redo;			/* answers from here on are new, or have to be correlated again */
	struct arena arena;

	int64_t answers_seen, mail_seen, authored_seen;	/* greatest rowids that were loaded */
};

/* What has to be looked at again. */
struct victim_task {
	int64_t since_us;	/* facts of this MAIL time and later may be new, or tell something else now; INT64_MAX: none; MARK_ALL: load all anew */
	const int64_t *finding;	/* finding.id of those to be judged again though no new fact is about their mail */
	size_t finding_count;
};

struct victims;

struct victims *victims_new(sqlite3 *facts, sqlite3 *verdicts, const struct own *own);
void victims_free(struct victims *x);
/* From now on the victims that were looked at last are kept, 64 MiB at most. */
void victims_keep(struct victims *x);
/* Forgets them. */
void victims_drop(struct victims *x);

/*
 * The victim with all facts about him. Answers before v->redo and the groups of such are as they were left; groups are touched whose judgement may
 * be another one now. NULL when there is no answering mail to this address. Belongs to the caller until victims_put_back.
 */
struct victim *victims_get(struct victims *x, int64_t recipient_id, const struct victim_task *task);
/* False: it is not kept, being too large. */
bool victims_put_back(struct victims *x, struct victim *v);

/* How many of the victim's mails began at or before t. */
size_t victim_mail_until(const struct victim *v, int64_t t);
/* finding.id of this group. */
int64_t victim_finding_id(const struct mail_group *g);

#endif
