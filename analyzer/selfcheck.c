/* selfcheck.c - see selfcheck.h. Each function that refuses an answer writes the sentence; the order of them is the order of the header. */
#include "analyzer/selfcheck.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/timefmt.h"

#define HOUR_US INT64_C(3600000000)
#define DAY_US (24 * HOUR_US)

/* A sensor that saw nothing for longer than a quiet night says nothing of now. */
#define SILENT_MAX_US (12 * HOUR_US)
/* Zones are rebuilt, copied and cached. */
#define EXPIRY_SLACK_US DAY_US

static int say(struct selfcheck_result *out, enum selfcheck_answer answer, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int say(struct selfcheck_result *out, enum selfcheck_answer answer, const char *format, ...)
{
	va_list ap;

	out->answer = answer;
	va_start(ap, format);
	vsnprintf(out->why, sizeof out->why, format, ap);
	va_end(ap);
	return 1;
}

static const char *plural(unsigned n)
{
	return n == 1 ? "" : "s";
}

/* "3 days", "5 hours", "12 minutes" */
static const char *span(int64_t us, char out[32])
{
	static const struct { int64_t us; const char *word; } units[] = { { DAY_US, "day" }, { HOUR_US, "hour" }, { HOUR_US / 60, "minute" } };
	unsigned i = us >= 2 * DAY_US ? 0 : us >= 2 * HOUR_US ? 1 : 2, n = (unsigned)(us / units[i].us);

	snprintf(out, 32, n ? "%u %s%s" : "less than a minute", n, units[i].word, plural(n));
	return out;
}

/* ---- the clock ---- */

int64_t selfcheck_start(const struct selfcheck_input *in, enum selfcheck_start *what)
{
	const struct { int64_t us; enum selfcheck_start what; } starts[] = {
		{ in->seen.watched_us, SELFCHECK_SINCE_WATCHED }, { in->fixed_us, SELFCHECK_SINCE_FIX }, { in->seen.refused_us, SELFCHECK_SINCE_REFUSAL },
		{ in->impact_us, SELFCHECK_SINCE_IMPACT }, { in->seen.last_us, SELFCHECK_SINCE_LAST },
	};
	int64_t latest_us = 0;

	*what = SELFCHECK_SINCE_WATCHED;
	for (unsigned i = 0; i < sizeof starts / sizeof *starts; i++)
		if (starts[i].us > latest_us) {
			latest_us = starts[i].us;
			*what = starts[i].what;
		}
	return latest_us;
}

const char *selfcheck_start_words(enum selfcheck_start s)
{
	static const char *const words[] = { [SELFCHECK_SINCE_WATCHED] = "the first packet seen", [SELFCHECK_SINCE_LAST] = "the last mail that counts",
		[SELFCHECK_SINCE_IMPACT] = "the list's impact", [SELFCHECK_SINCE_FIX] = "the fix", [SELFCHECK_SINCE_REFUSAL] = "a refusal that names the list" };

	return words[s];
}

static void read_clock(const struct selfcheck_input *in, struct selfcheck_result *out)
{
	int64_t last_us = in->impact_us > in->seen.last_us ? in->impact_us : in->seen.last_us;

	out->start_us = selfcheck_start(in, &out->start);
	out->clean_us = in->now_us > out->start_us ? in->now_us - out->start_us : 0;
	if (in->list->clean_us > out->clean_us)
		out->wait_days = (unsigned)((in->list->clean_us - out->clean_us + DAY_US - 1) / DAY_US);
	out->expires_us = last_us ? last_us + in->list->expiry_us : 0;
}

/* ---- coverage ---- */

static unsigned percent(uint64_t part, uint64_t whole)
{
	return whole ? (unsigned)(part * 100 / whole) : 100;
}

static unsigned worst_coverage(const struct selfcheck_coverage *c)
{
	unsigned hours = percent(c->hours_seen, c->hours), sessions = percent(c->sessions - c->unreadable, c->sessions);
	unsigned packets = percent(c->packets, c->packets + c->dropped), least = hours < sessions ? hours : sessions;

	return packets < least ? packets : least;
}

static int is_blind(const struct selfcheck_input *in, struct selfcheck_result *out)
{
	const struct selfcheck_coverage *c = &in->coverage;
	unsigned least = in->list->coverage_percent, unseen = c->hours - c->hours_seen;

	if (out->coverage_percent >= least)
		return 0;
	if (percent(c->sessions - c->unreadable, c->sessions) < least)
		return say(out, SELFCHECK_UNKNOWN, "%u of %u sessions in which it sent mail were encrypted or seen on one side only, so what left in them is not known",
			   c->unreadable, c->sessions);
	if (percent(c->hours_seen, c->hours) < least)
		return say(out, SELFCHECK_UNKNOWN, "the sensor saw nothing in %u of the %u hours since %s", unseen, c->hours, selfcheck_start_words(out->start));
	return say(out, SELFCHECK_UNKNOWN, "the sensor lost %u %% of the packets", 100 - percent(c->packets, c->packets + c->dropped));
}

/* ---- what is proved against it ---- */

static int still_leaves(const struct selfcheck_input *in, struct selfcheck_result *out)
{
	const struct selfcheck_evidence *e = &in->seen;
	char when[TIME_TEXT_MAX], ago[32];

	if (in->fixed_us && e->since_fix)
		return say(out, SELFCHECK_NOT_READY, "%u mail%s that it counts left since the fix, the last at %s: it does not hold", e->since_fix,
			   plural(e->since_fix), time_format_local(e->last_us, when));
	if (in->fixed_us && e->unclear)
		return say(out, SELFCHECK_NOT_READY, "%u mail%s that it counts left since the fix, the last at %s: new, or still from the queue", e->unclear,
			   plural(e->unclear), time_format_local(e->last_us, when));
	if (in->fixed_us && e->retries)
		return say(out, SELFCHECK_NOT_READY, "%u mail%s from before the fix still leave%s the queue, the last attempt at %s: delete what is queued from the null sender",
			   e->retries, plural(e->retries), e->retries == 1 ? "s" : "", time_format_local(e->last_us, when));
	if (!in->fixed_us && e->last_us && in->now_us - e->last_us < DAY_US)
		return say(out, SELFCHECK_NOT_READY, "%u mail%s that it counts left, the last at %s, %s ago", e->counted, plural(e->counted),
			   time_format_local(e->last_us, when), span(in->now_us - e->last_us, ago));
	if (e->defect_us > out->start_us || (!in->fixed_us && e->defect_us && in->now_us - e->defect_us < DAY_US))
		return say(out, SELFCHECK_NOT_READY, "nothing left since %s, but the cause is still there: it was seen at %s", selfcheck_start_words(out->start),
			   time_format_local(e->defect_us, when));
	return 0;
}

/* ---- what is not known ---- */

static int is_unseen(const struct selfcheck_input *in, struct selfcheck_result *out)
{
	const struct selfcheck_evidence *e = &in->seen;
	char when[TIME_TEXT_MAX], long_ago[32];

	if (!e->watched_us)
		return say(out, SELFCHECK_UNKNOWN, "the store has no packets: nothing was ever seen");
	if (!e->is_judged)
		return say(out, SELFCHECK_UNKNOWN, "nothing of what was seen is judged yet: run \"bouncetap analyze\"");
	if (e->unjudged_us)
		return say(out, SELFCHECK_UNKNOWN, "what was seen in the last %s is not judged yet: run \"bouncetap analyze\"", span(e->unjudged_us, long_ago));
	if (!e->is_known)
		return say(out, SELFCHECK_UNKNOWN, "no mail server with this public address was seen; behind NAT, public= of its [server] section names it");
	if (in->now_us - e->seen_us > SILENT_MAX_US)
		return say(out, SELFCHECK_UNKNOWN, "the sensor has seen nothing since %s; --now last answers as of then, \"bouncetap doctor\" says more", time_format_local(e->seen_us, when));
	if (!e->sent_us && !(in->coverage.received && in->now_us - e->others_sent_us < in->list->clean_us))
		return say(out, SELFCHECK_UNKNOWN, "it was never seen sending mail outside, nor was any other: what leaves may take a way that is not seen here");
	return 0;
}

static int is_doubtful(const struct selfcheck_input *in, struct selfcheck_result *out)
{
	const struct selfcheck_evidence *e = &in->seen;
	char when[TIME_TEXT_MAX];

	if (!e->doubtful)
		return 0;
	return say(out, SELFCHECK_UNKNOWN, "%u mail%s since %s may count, the last at %s: neither can be proved", e->doubtful, plural(e->doubtful),
		   selfcheck_start_words(out->start), time_format_local(e->doubt_us, when));
}

/* The list knows of something that was not seen here. */
static int is_unexplained(const struct selfcheck_input *in, struct selfcheck_result *out)
{
	const struct selfcheck_evidence *e = &in->seen;
	char when[TIME_TEXT_MAX];

	if (in->impact_us > e->watched_us && !e->impact_seen)
		return say(out, SELFCHECK_UNKNOWN, "the list tells of an impact at %s, but no mail that it counts was seen then: not everything that leaves is seen here",
			   time_format_local(in->impact_us, when));
	if (in->listing != LISTING_LISTED)
		return 0;
	if (!out->expires_us)
		return say(out, SELFCHECK_UNKNOWN, "it is listed, and nothing seen here explains it: give the time that the list tells to --impact");
	if (out->expires_us + EXPIRY_SLACK_US < in->now_us)
		return say(out, SELFCHECK_UNKNOWN, "it is still listed, although what was seen here would have left the list at %s: the list saw something later",
			   time_format_local(out->expires_us, when));
	return 0;
}

/* ---- the calendar ---- */

static int is_early(const struct selfcheck_input *in, struct selfcheck_result *out)
{
	char clean[32], needed[32], when[TIME_TEXT_MAX];

	if (!out->wait_days)
		return 0;
	return say(out, SELFCHECK_WAIT, "nothing that counts left for %s, since %s; it takes %s, until %.16s", span(out->clean_us, clean), selfcheck_start_words(out->start),
		   span(in->list->clean_us, needed), time_format_local(out->start_us + in->list->clean_us, when));
}

static int cannot_be_asked(const struct selfcheck_input *in, struct selfcheck_result *out)
{
	char clean[32];

	if (!in->list->zone || in->listing != LISTING_UNKNOWN)
		return 0;
	return say(out, SELFCHECK_UNKNOWN, "nothing that counts left for %s, but whether it is listed could not be learned: %s", span(out->clean_us, clean), in->listing_why);
}

void selfcheck_judge(const struct selfcheck_input *in, struct selfcheck_result *out)
{
	static int (*const objections[])(const struct selfcheck_input *, struct selfcheck_result *) = { still_leaves, is_unseen, is_doubtful, is_unexplained,
		is_blind, is_early, cannot_be_asked };
	char clean[32], when[TIME_TEXT_MAX];

	*out = (struct selfcheck_result){ .coverage_percent = worst_coverage(&in->coverage), .weight = in->seen.counted * 2ull + (in->list->threshold_mails == 1) };
	read_clock(in, out);
	if (in->ipv6 && !in->list->ipv6) {
		say(out, SELFCHECK_NOT_COVERED, "the list has no IPv6 addresses");
		return;
	}
	for (unsigned i = 0; i < sizeof objections / sizeof *objections; i++)
		if (objections[i](in, out))
			return;
	bool ends = in->listing == LISTING_LISTED && out->expires_us > in->now_us;
	say(out, SELFCHECK_READY, "nothing that counts left for %s, and %u %% of that was seen%s%.16s", span(out->clean_us, clean), out->coverage_percent,
	    ends ? "; as far as was seen, the listing ends at " : "", ends ? time_format_local(out->expires_us, when) : "");
}

/* ---- words ---- */

const char *selfcheck_words(const struct selfcheck_result *r, char out[SELFCHECK_WORDS_MAX])
{
	static const char *const words[] = { [SELFCHECK_READY] = "READY", [SELFCHECK_NOT_READY] = "NOT READY", [SELFCHECK_UNKNOWN] = "UNKNOWN",
		[SELFCHECK_NOT_COVERED] = "NOT COVERED" };

	if (r->answer == SELFCHECK_WAIT)
		snprintf(out, SELFCHECK_WORDS_MAX, "WAIT %u day%s", r->wait_days, plural(r->wait_days));
	else
		snprintf(out, SELFCHECK_WORDS_MAX, "%s", words[r->answer]);
	return out;
}

const char *selfcheck_name(enum selfcheck_answer a)
{
	static const char *const name[] = { [SELFCHECK_READY] = "ready", [SELFCHECK_WAIT] = "wait", [SELFCHECK_NOT_READY] = "not-ready",
		[SELFCHECK_UNKNOWN] = "unknown", [SELFCHECK_NOT_COVERED] = "not-covered" };

	return name[a];
}

int selfcheck_badness(const struct selfcheck_result *r)
{
	static const int order[] = { [SELFCHECK_NOT_COVERED] = 0, [SELFCHECK_READY] = 1, [SELFCHECK_WAIT] = 2, [SELFCHECK_UNKNOWN] = 1 << 20,
		[SELFCHECK_NOT_READY] = 1 << 21 };

	return order[r->answer] + (r->answer == SELFCHECK_WAIT ? (int)r->wait_days : 0);
}

static bool is_worse(const struct selfcheck_result *a, const struct selfcheck_result *b)
{
	int x = selfcheck_badness(a), y = selfcheck_badness(b);

	return x != y ? x > y : a->weight > b->weight;
}

static unsigned worst_of(const struct selfcheck_result *r, const enum listing_state *listing, unsigned count, bool only_listed)
{
	unsigned worst = count;

	for (unsigned i = 0; i < count; i++)
		if (r[i].answer != SELFCHECK_NOT_COVERED && (!only_listed || listing[i] == LISTING_LISTED) && (worst == count || is_worse(&r[i], &r[worst])))
			worst = i;
	return worst;
}

unsigned selfcheck_worst(const struct selfcheck_result *r, const enum listing_state *listing, unsigned count)
{
	unsigned worst = worst_of(r, listing, count, true);

	return worst < count ? worst : worst_of(r, listing, count, false);
}
