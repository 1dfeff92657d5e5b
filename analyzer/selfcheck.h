/*
 * selfcheck.h - is it over? From what was seen of an address, what a list answers and what the user knows, one answer for each list. Pure.
 *
 *	NOT READY	mail that the list counts still leaves, or the defect behind it was seen since
 *	UNKNOWN		what was seen proves neither: blind or idle sensor, doubtful mail, a listing that nothing seen explains, a list that cannot be believed
 *	WAIT n days	nothing left since the clock started, but not long enough: queues keep mail for days
 *	READY		nothing left for as long as the list's file asks for, and that time was seen
 *
 * in this order: what is proved against an address goes before what is not known, and what is not known before the calendar.
 */
#ifndef ANALYZER_SELFCHECK_H
#define ANALYZER_SELFCHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/listing.h"

enum selfcheck_answer { SELFCHECK_READY, SELFCHECK_WAIT, SELFCHECK_NOT_READY, SELFCHECK_UNKNOWN, SELFCHECK_NOT_COVERED };

/* What started the clock: the latest of these. */
enum selfcheck_start { SELFCHECK_SINCE_WATCHED, SELFCHECK_SINCE_LAST, SELFCHECK_SINCE_IMPACT, SELFCHECK_SINCE_FIX, SELFCHECK_SINCE_REFUSAL };

/* What was seen of the address, for one list. Times are microseconds UTC, 0: never. */
struct selfcheck_evidence {
	bool is_judged;			/* there are verdicts */
	bool is_known;			/* a server with this public address was seen */
	int64_t watched_us;		/* the first packet that the sensor saw */
	int64_t seen_us;		/* the last one */
	int64_t unjudged_us;		/* for how long facts have been waiting for "analyze"; 0: they are judged */
	int64_t sent_us;		/* the last session in which it sent mail outside */
	int64_t others_sent_us;		/* the last one of any own server: this way out is seen */
	int64_t last_us;		/* last attempt of mail that the list counts, or that shows the defect */
	int64_t doubt_us;		/* last attempt of mail of which neither can be said */
	int64_t defect_us;		/* the defect was seen last: recipients accepted that it or the hop behind it did not know */
	int64_t refused_us;		/* a remote server named the list as the reason to refuse it */
	bool impact_seen;		/* mail that counts, or may, was seen in the minute of the impact */
	unsigned counted;		/* mails that count or show the defect, within the list's window */
	unsigned since_fix;		/* mails after the fix that answer mail from after it */
	unsigned retries;		/* mails after the fix that had begun before it, or answer mail from before */
	unsigned unclear;		/* mails after the fix of which that is not known */
	unsigned doubtful;		/* in doubt, since the clock started */
};

/* How much was seen since the clock started (at most the list's time). */
struct selfcheck_coverage {
	unsigned hours, hours_seen;	/* with packets */
	unsigned sessions, unreadable;	/* in which it sent mail outside; encrypted or one-sided ones */
	unsigned received;		/* sessions in which it was sent mail */
	uint64_t packets, dropped;	/* of the capture */
};

struct selfcheck_input {
	const struct list *list;
	bool ipv6;
	int64_t now_us, impact_us, fixed_us;	/* the last two: told by the user, or 0 */
	struct selfcheck_evidence seen;
	struct selfcheck_coverage coverage;	/* of the time from selfcheck_start on */
	enum listing_state listing;		/* of a list that can be asked */
	const char *listing_why;
};

struct selfcheck_result {
	enum selfcheck_answer answer;
	int64_t start_us;		/* the clock */
	enum selfcheck_start start;
	int64_t clean_us;		/* since then */
	unsigned wait_days;		/* until READY at the earliest, rounded up; also where the answer is not WAIT */
	unsigned coverage_percent;	/* the worst of what the coverage consists of */
	int64_t expires_us;		/* when a listing ends by itself, as far as was seen; 0: nothing seen that lists */
	uint64_t weight;		/* among equal answers: mails that count, then whether one of them is enough */
	char why[320];			/* one sentence */
};

/* The list's clock and ours, and the minute that it rounds to. */
#define SELFCHECK_IMPACT_SLACK_US (5 * INT64_C(60000000))

/* When the clock started, from what can be known before the coverage is. */
int64_t selfcheck_start(const struct selfcheck_input *in, enum selfcheck_start *what);

void selfcheck_judge(const struct selfcheck_input *in, struct selfcheck_result *out);

/* "READY", "WAIT 3 days", "NOT READY", "UNKNOWN", "NOT COVERED" */
enum { SELFCHECK_WORDS_MAX = 32 };
const char *selfcheck_words(const struct selfcheck_result *r, char out[SELFCHECK_WORDS_MAX]);
/* "ready", "wait", "not-ready", "unknown", "not-covered" */
const char *selfcheck_name(enum selfcheck_answer a);
/* "the last mail", "the fix", ... */
const char *selfcheck_start_words(enum selfcheck_start s);

/*
 * The result that speaks for an address: of the lists that say that it is listed, else of all that cover it, the worst (NOT READY, UNKNOWN, the
 * longest WAIT, READY), of equals the weightiest. count when no list covers it.
 */
unsigned selfcheck_worst(const struct selfcheck_result *r, const enum listing_state *listing, unsigned count);
/* The greater, the worse. */
int selfcheck_badness(const struct selfcheck_result *r);

#endif
