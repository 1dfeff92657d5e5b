/*
 * command.h - the commands of bouncetap. Each stands in a file of its own, which ends with its name, its line in --help and its options; main.c lists
 * them, and knows only the options that all of them take.
 */
#ifndef ANALYZER_COMMAND_H
#define ANALYZER_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "analyzer/listfile.h"
#include "common/buf.h"
#include "common/config.h"
#include "reader/reader.h"
#include "schema/db.h"

struct command_context {
	struct config *config;		/* with --own, --store and --interface applied */
	const char *config_path;	/* --config, or NULL */
	struct lists lists;
	const char *store;		/* the store's directory; NULL in audit: a temporary one */
	int64_t now_us;			/* --now, or 0 */
	bool now_is_last;		/* --now last */
	bool any_port, guess_own, rebuild, follow;
	const char *events_path;	/* --events: a file, "-" for standard output, or NULL */
	int64_t since_us, until_us;
	unsigned types;
	const char *at;			/* --at as written, or NULL */
	int64_t window_us;		/* --window, or 0 */
	const char *why;		/* --why, or NULL */
	bool take_back;			/* --remove */
	bool dry_run;			/* --dry-run */
	bool json;			/* --format json */
	bool all, plugin, probe, yes;
	int64_t impact_us, fixed_us;	/* or 0 */
	bool impact_in_summer;		/* time_may_mean_summer */
	const char *resolver;		/* --resolver, or NULL */
	struct {			/* report */
		const char *since, *until, *format, *server, *owner, *tenant, *mail_to, *directory;	/* NULL: not given */
		bool anonymous;
	} report;
	struct {			/* publish */
		const char *metrics, *events, *journal;	/* NULL: not given */
	} publish;
	char **files;
	int file_count;
	const volatile int *stop;	/* set by SIGINT and SIGTERM */
};

enum command_value { COMMAND_FLAG, COMMAND_TEXT, COMMAND_TIME };

/* What one command takes beside the options of all. The last one given counts. */
struct command_option {
	const char *name, *argument;	/* argument: NULL when it takes none */
	const char *help;
	enum command_value value;	/* COMMAND_MEMBER: what it sets of the context */
	size_t offset;
	int (*set)(struct command_context *c, const char *text);	/* or by this, an exit code; the configuration has been read by then */
};

#define COMMAND_MEMBER(m) .offset = offsetof(struct command_context, m), \
	.value = _Generic(((struct command_context *)0)->m, bool: COMMAND_FLAG, const char *: COMMAND_TEXT, int64_t: COMMAND_TIME)

/* Those of several commands. */
#define COMMAND_FOLLOW { "follow", NULL, "go on with what comes until interrupted", COMMAND_MEMBER(follow) }
#define COMMAND_SINCE { "since", "TIME", "only what ended then or later: -2h, yesterday, 2026-11-20 14:03", COMMAND_MEMBER(since_us) }
#define COMMAND_TYPE { "type", "TYPE,...", "only these: session transaction finding risk refusal capture", .set = command_set_types }
#define COMMAND_FORMAT { "format", "text|json", "text (default), or one JSON object a line", .set = command_set_format }

struct command {
	const char *name;
	const char *arguments;		/* for --help; "" when it takes none */
	const char *help;
	int (*run)(struct command_context *c);	/* answers an exit code of sysexits.h */
	const struct command_option *options;	/* until one without a name */
};

extern const struct command command_audit, command_analyze, command_report, command_events, command_publish, command_why, command_servers,
	command_explain, command_check, command_ack, command_prune, command_doctor;

/* ---- for options ---- */

int command_set_types(struct command_context *c, const char *text);
int command_set_format(struct command_context *c, const char *text);
/* option: its name, for the message. 0 or EX_USAGE, said. */
int command_parse_time(const char *option, const char *text, int64_t *out);
/* In place of what the configuration says. */
int command_configure(struct command_context *c, const char *section, const char *key, const char *option, const char *text);

/* ---- for commands ---- */

/* "bouncetap: message" on standard error; answers code. */
int command_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says why a store cannot be read. EX_NOINPUT, or EX_TEMPFAIL for a lock. */
int command_refuse_store(enum db_refusal why, const char *error);

/*
 * Opens the store for a command that only looks at verdicts. EX_NOINPUT or EX_TEMPFAIL, said, when it cannot be read or nobody judged it; then
 * nothing is to be closed.
 */
int command_open_reader(const struct command_context *c, struct reader **out);
/* The time that such a command speaks for: --now, else the last packet's when the store was last fed with files, else the present. */
int64_t command_now(const struct command_context *c, struct reader *r);
/* text to standard output; EX_IOERR, said, when that fails. */
int command_print(struct buf *text);

/*
 * Own networks are known, or guessed from the store if that was asked for (and said so). Otherwise EX_CONFIG, with the addresses on
 * standard error that could be ours.
 */
int command_need_own(struct command_context *c, const char *store);

/* Opens, runs and closes an analysis; says what went wrong. */
int command_run_analysis(struct command_context *c, const char *store);

#endif
