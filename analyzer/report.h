/*
 * report.h - what a postmaster is told: one set of structs, filled from a store by report_build, printed by report_text.c, report_html.c,
 * report_json.c and report_csv.c. The text is the reference; the others say the same in their own form.
 *
 * Words of it:
 *   answers      findings: mail that servers made by themselves and sent to people outside, counted once however often it was tried
 *   misdirected  answers whose verdict is yes or likely: the recipient did not cause them
 *   avoidable    answers that are misdirected or that a server sent after taking an outsider's mail: what a change of its configuration ends
 *
 * Times are microseconds UTC, printed in local time. Equal stores, options and now give equal structs. Texts are as in the store: each printer escapes.
 */
#ifndef ANALYZER_REPORT_H
#define ANALYZER_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/listfile.h"
#include "common/config.h"
#include "common/kind.h"
#include "reader/advice.h"
#include "reader/finding.h"
#include "reader/geo.h"
#include "reader/hygiene.h"
#include "reader/ladder.h"
#include "reader/reader.h"
#include "reader/risk.h"
#include "reader/sensor.h"
#include "reader/server.h"

enum {
	REPORT_TODO_MAX = 5,		/* what one reads before the first coffee */
	REPORT_MATTERS_MAX = 100,
	REPORT_EVIDENCE_MAX = 5,
	REPORT_VICTIMS_MAX = 12,
	REPORT_ROOTS_MAX = 15,
	REPORT_BASE_DAYS = 28,
	REPORT_BARS_MAX = 56,		/* two days of hours, eight weeks of days: what fits into a line */
	REPORT_REFUSALS_MAX = 10,
	REPORT_LANES = LADDER_LANES
};

struct report_options {
	int64_t since_us, until_us;	/* [since, until); both 0: the last calendar day before now in local time */
	int64_t now_us;
	bool whole;			/* all that the store has, nothing to compare with (audit) */
	const char *server, *owner, *tenant;	/* only these; NULL: all */
	bool anonymous;			/* nothing that names people or their servers outside */
	const struct config *config;
	const struct lists *lists;
};

/* Sums over a stretch of time. */
struct report_tally {
	uint64_t answers, attempts, misdirected, avoidable;
	uint64_t kind[KIND_COUNT];	/* avoidable answers of this kind */
	uint64_t in, out;		/* mail from and to outside, of any kind */
	bool seen;			/* any mail passed then */
};

struct report_server {
	const struct server_row *row;	/* name, addresses, software, owner, worst status, days clean, known matter */
	const char *title;		/* its name; of one that the configuration does not name what it calls itself, else its address */
	struct report_tally now, before, base;	/* the period, the stretch of equal length before it, the 28 days before it */
	uint64_t day[REPORT_BASE_DAYS + 1];	/* avoidable answers by local day; the last is the day in which the period ends */
	bool clean;			/* nothing avoidable or misdirected, no status above clean */
	bool known;			/* an ack holds */
};

enum report_trend { REPORT_NEW, REPORT_WORSE, REPORT_GONE, REPORT_BETTER, REPORT_SILENT, REPORT_APPEARED, REPORT_TRENDS };

struct report_change {
	enum report_trend trend;
	const char *server;		/* its title */
	enum kind kind;			/* KIND_COUNT: of the server as a whole */
	uint64_t now, before;
	double base;			/* of an equal stretch, from the 28 days */
};

/* What one change of configuration would end: answers of one kind and cause that one server makes. */
struct report_matter {
	int64_t server_id;		/* where the fix belongs: the originator, else the emitter */
	const char *server, *owner;	/* its title */
	const char *emitter;		/* title of the server that they leave by, when it is another one; NULL: the same */
	enum kind kind;
	const char *cause;		/* cause_class; NULL: not told */
	const char *where;		/* "inner", "outside" (an outside server refused what was forwarded), "client" (a client of ours wrote in others'
					 * names), "here" */
	const char *client;		/* where the originals came from, one address of clients; NULL: not told */
	uint64_t clients;
	uint64_t answers, attempts, misdirected, likely_only, domains;	/* likely_only: of misdirected, those that are not proved */
	uint64_t fresh;			/* of answers, those to mail that was seen to come in the period; 0: they may have waited since before a change */
	int64_t first_us, last_us;
	int64_t finding;		/* finding.id of the best proved one */
	const char *finding_id;
	int root_code;
	struct text root_enhanced, root_reply;	/* of that one */
	const char *root_server;	/* who refused, an address; NULL: not told */
	const char *software, *responder;	/* NULL: not recognised */
	const struct advice *advice;
	const struct advice_queue *queue;	/* NULL: nothing is queued by this kind */
	size_t queue_said;		/* in todo, from 1: where the same queue of this server was spoken of already; 0: nowhere */
	const char *log;		/* NULL: not known */
	const char *known_why;		/* acknowledged; NULL: not */
};

struct report_bar {
	int64_t at_us;
	uint64_t misdirected, avoidable, answers, mails;
	bool seen;			/* any mail passed then */
};

struct report_victim {
	const char *domain;		/* registrable */
	uint64_t answers, misdirected, attempts;
	struct geo_place place;		/* of the server that took the latest; empty where no database tells */
};

struct report_root {
	const char *server;		/* that had taken the mail */
	const char *refused_by;		/* address; NULL: not told */
	int code;
	struct text enhanced, reply;	/* an example */
	const char *cause;
	uint64_t answers;
};

struct report_evidence {
	int number;			/* of the matter, from 1 */
	const struct report_matter *matter;
	struct finding_page page;	/* of one row */
	struct ladder ladder;
};

struct report_hygiene {
	const struct hygiene_row *row;
	const struct advice *advice;	/* NULL: none */
};

enum report_state { REPORT_BAD, REPORT_WATCH, REPORT_CLEAN, REPORT_BLIND };

struct report {
	struct arena arena;
	struct report_options options;	/* with the period filled in */
	int64_t before_us;		/* the stretch compared with begins here; equal to since: none */
	enum report_state state;
	const char *verdict;		/* one line that can be read alone */
	struct report_tally now, before, base;
	bool has_before, has_base;	/* something was seen then */
	double base_scale;		/* an equal stretch of the base: its sums times this */
	struct server_list servers_read;
	struct report_server *server;	/* worst first */
	size_t server_count;
	struct report_change *change;
	size_t change_count;
	struct report_matter *matter;	/* worst first */
	size_t matter_count;
	const struct report_matter *todo[REPORT_TODO_MAX];
	size_t todo_count;
	size_t known_count;		/* matters that somebody acknowledged */
	struct risk_list risk;		/* of the servers above; worst first */
	struct report_bar bar[REPORT_BARS_MAX];
	size_t bar_count;
	bool bars_are_days;
	struct report_victim *victim;
	size_t victim_count;
	uint64_t victim_domains;	/* registrable ones, all */
	int64_t geo_built_us;		/* age of the databases of countries and networks; 0: none, so no such column */
	struct report_root *root;
	size_t root_count;
	struct report_evidence evidence[REPORT_EVIDENCE_MAX];
	size_t evidence_count;
	struct sensor_view sensor;
	struct sensor_counters seen;	/* of all interfaces in the period */
	uint64_t sessions, encrypted, one_sided, incomplete;	/* of own servers, outbound */
	struct refusal_list refusals;
	struct hygiene_list hygiene_read;
	struct report_hygiene *hygiene;	/* with a case in the period */
	size_t hygiene_count;
	struct reader_span span;
	const char *store_id;
	uint64_t kind_now[KIND_COUNT][3];	/* answers, misdirected, avoidable */
	uint64_t kind_attempts[KIND_COUNT];
};

/* 0, or -1 with reader_message of r. To be freed either way. o is copied, what it points to is borrowed. */
int report_build(struct reader *r, const struct report_options *o, struct report *out);
void report_fini(struct report *r);

const char *report_state_name(enum report_state s);	/* bad watch clean blind */
const char *report_trend_name(enum report_trend t);
/* The name of a list for people. */
const char *report_list_name(const struct report *r, const char *id);
/* "WOULD BE LISTED by" for "would-list", and so on. */
const char *report_status_words(const char *status);

#endif
