/* command.h - what main.c hands to the subcommands. */
#ifndef ANALYZER_COMMAND_H
#define ANALYZER_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "analyzer/listfile.h"
#include "common/buf.h"
#include "common/config.h"
#include "reader/reader.h"

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
	int64_t window_us;		/* --window */
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

/* Each answers an exit code of sysexits.h. */
int command_audit(struct command_context *c);
int command_analyze(struct command_context *c);
int command_events(struct command_context *c);
int command_doctor(struct command_context *c);
int command_report(struct command_context *c);
int command_publish(struct command_context *c);
int command_servers(struct command_context *c);
int command_explain(struct command_context *c);
int command_why(struct command_context *c);
int command_check(struct command_context *c);
int command_ack(struct command_context *c);
int command_prune(struct command_context *c);

/* "bouncetap: message" on standard error; answers code. */
int command_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Opens the store for a command that only looks at verdicts. EX_NOINPUT, said, when it cannot be read or nobody judged it; then nothing is to
 * be closed.
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
