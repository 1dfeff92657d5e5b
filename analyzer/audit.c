/*
 * audit.c - the commands audit and analyze and events: from capture files or a store to verdicts, text and events.
 *
 * Links no capture code: the sensor runs as a program of its own, beside ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "analyzer/analyze.h"
#include "analyzer/command.h"
#include "analyzer/events.h"
#include "analyzer/own.h"
#include "analyzer/report_text.h"
#include "common/buf.h"
#include "common/program.h"
#include "common/user.h"
#include "common/xmalloc.h"
#include "schema/db.h"

extern char **environ;

enum { ERROR_MAX = 512 };

/* ---- own networks ---- */

/*
 * Addresses that both accept mail on port 25 and send it, busiest first. At a tap of ours every session has one of us at an end, so an
 * address whose sessions are all with busier ones is somebody else's.
 */
static const char sql_make_candidates[] =
	"CREATE TEMP TABLE candidate AS SELECT a.ip, (SELECT count(*) FROM sessions WHERE dest_ip = a.ip) AS accepted,"
	" (SELECT count(*) FROM sessions WHERE src_ip = a.ip) AS sent, 0 AS chosen"
	" FROM (SELECT DISTINCT dest_ip AS ip FROM sessions WHERE dest_port = 25 AND banner_code IS NOT NULL"
	" INTERSECT SELECT DISTINCT src_ip FROM sessions WHERE dest_port = 25) a ORDER BY accepted + sent DESC, a.ip LIMIT 50";
static const char sql_candidates[] = "SELECT ip, accepted, sent FROM candidate ORDER BY accepted + sent DESC, ip";
static const char sql_choose[] =
	"UPDATE candidate SET chosen = EXISTS (SELECT 1 FROM sessions s WHERE (s.src_ip = ?1 OR s.dest_ip = ?1)"
	" AND s.src_ip NOT IN (SELECT ip FROM candidate WHERE chosen) AND s.dest_ip NOT IN (SELECT ip FROM candidate WHERE chosen))"
	" WHERE ip = ?1 RETURNING chosen";

static size_t find_candidates(sqlite3 *db, struct buf *comma_list, struct buf *lines)
{
	size_t n = 0;

	if (db_exec(db, sql_make_candidates, NULL, 0))
		return 0;
	sqlite3_stmt *s = db_prepare(db, sql_candidates), *choose = db_prepare(db, sql_choose);
	while (sqlite3_step(s) == SQLITE_ROW) {
		sqlite3_bind_text(choose, 1, (const char *)sqlite3_column_text(s, 0), -1, SQLITE_STATIC);
		bool chosen = sqlite3_step(choose) == SQLITE_ROW && sqlite3_column_int(choose, 0);

		sqlite3_reset(choose);
		if (!chosen)
			continue;
		buf_printf(comma_list, "%s%s", n++ ? "," : "", sqlite3_column_text(s, 0));
		buf_printf(lines, "  %-40s accepted %lld, sent %lld sessions\n", sqlite3_column_text(s, 0), sqlite3_column_int64(s, 1),
			   sqlite3_column_int64(s, 2));
	}
	sqlite3_finalize(s);
	sqlite3_finalize(choose);
	return n;
}

static bool is_own_known(const struct config *config)
{
	struct own *own = own_new(config);
	bool known = own_is_configured(own);

	own_free(own);
	return known;
}

static int guess_own(struct command_context *c, const char *list)
{
	char error[ERROR_MAX];

	fprintf(stderr, "bouncetap: taking these for our own servers: %s\n", list);
	if (config_set(c->config, "own", NULL, "networks", list, "guessed", error, sizeof error))
		return command_fail(EX_SOFTWARE, "%s: %s", list, error);
	return EX_OK;
}

int command_need_own(struct command_context *c, const char *store)
{
	struct buf list = { 0 }, lines = { 0 };
	char error[ERROR_MAX];
	unsigned present;
	enum db_refusal why;
	int code;

	if (is_own_known(c->config))
		return EX_OK;
	sqlite3 *db = db_open_read(store, DB_BUSY_MS, &present, &why, error, sizeof error);
	if (!db)
		return command_refuse_store(why, error);
	size_t n = find_candidates(db, &list, &lines);
	sqlite3_close(db);
	if (c->guess_own && n)
		code = guess_own(c, buf_cstr(&list));
	else {
		code = command_fail(EX_CONFIG, "which networks are ours? [own] networks of the configuration or --own CIDR,... says so");
		if (n)
			fprintf(stderr, "These addresses both accept and send mail here:\n%s", buf_cstr(&lines));
		else
			fputs("No address here both accepts and sends mail, so there is nothing to guess from.\n", stderr);
	}
	buf_fini(&list);
	buf_fini(&lines);
	return code;
}

/* ---- the analysis ---- */

/* Only an audit has no store that is to stay. */
static bool is_temporary(const struct command_context *c)
{
	return !c->store;
}

/* The store that stands in the place of the one that was followed; NULL: the user ended it before there was one. */
static struct analysis *open_again(struct analysis_options *o, const struct command_context *c)
{
	struct analysis *a = NULL;
	char error[ERROR_MAX];
	bool busy;

	fprintf(stderr, "bouncetap: %s: facts.db was removed or replaced: going on with what stands there next\n", o->store);
	o->rebuild = false;
	while (!*c->stop && !(a = analysis_open(o, &busy, error, sizeof error)))
		sleep(1);
	return a;
}

int command_run_analysis(struct command_context *c, const char *store)
{
	struct analysis_options o = { .store = store, .config = c->config, .lists = &c->lists, .now_us = c->now_us, .now_is_last = c->now_is_last,
		.rebuild = c->rebuild, .temporary = is_temporary(c), .say = stderr };
	char error[ERROR_MAX];
	bool busy;
	int result = 0;
	struct analysis *a = analysis_open(&o, &busy, error, sizeof error);

	if (!a)
		return command_fail(busy ? EX_TEMPFAIL : EX_NOINPUT, "%s", error);
	while (a) {
		result = c->follow ? analysis_follow(a, c->stop, error, sizeof error) : analysis_run(a, error, sizeof error);
		analysis_close(a);
		a = result > 0 ? open_again(&o, c) : NULL;
	}
	return result < 0 ? command_fail(EX_IOERR, "%s", error) : EX_OK;
}

/* What strangers wrote is not read as root, and what root writes into a store would be closed to its owner. */
static int become_owner(const char *store)
{
	char message[ERROR_MAX];

	return user_become_owner(store, message, sizeof message) ? command_fail(EX_NOINPUT, "%s", message) : EX_OK;
}

static int run_analyze(struct command_context *c)
{
	int code = become_owner(c->store);

	if (code == EX_OK)
		code = command_need_own(c, c->store);
	return code == EX_OK ? command_run_analysis(c, c->store) : code;
}

static const struct command_option analyze_options[] = {
	{ "rebuild", NULL, "throw all verdicts away and judge everything again", COMMAND_MEMBER(rebuild) },
	COMMAND_FOLLOW,
	{ 0 }
};

const struct command command_analyze = { "analyze", "", "judge what bouncetapd has written to a store", run_analyze, analyze_options };

/* ---- events ---- */

/* A reader who has seen enough ("| head") needs no message. */
static int cannot_write(const char *what)
{
	return errno == EPIPE ? EX_IOERR : command_fail(EX_IOERR, "the %s cannot be written: %s", what, strerror(errno));
}

static int write_events(struct command_context *c, const char *store, FILE *out)
{
	struct events_options o = { c->since_us, c->types };
	char error[ERROR_MAX];
	unsigned present;
	enum db_refusal why;
	sqlite3 *db = db_open_read(store, DB_BUSY_MS, &present, &why, error, sizeof error);

	if (!db)
		return command_refuse_store(why, error);
	int failed = events_write(db, present, &o, out);
	sqlite3_close(db);
	return failed ? cannot_write("events") : EX_OK;
}

static int run_events(struct command_context *c)
{
	struct events_options o = { c->since_us, c->types };
	char error[ERROR_MAX];

	if (!c->follow)
		return write_events(c, c->store, stdout);
	if (events_follow(c->store, &o, stdout, c->stop, error, sizeof error))
		return command_fail(EX_NOINPUT, "%s", error);
	return EX_OK;
}

static const struct command_option events_options[] = {
	COMMAND_FOLLOW,
	COMMAND_SINCE,
	COMMAND_TYPE,
	{ 0 }
};

const struct command command_events = { "events", "", "print a store as JSON, one event a line", run_events, events_options };

/* ---- audit ---- */

static char **sensor_arguments(const struct command_context *c, const char *sensor, const char *store)
{
	size_t n = 0;
	const char **argv = xcalloc(2 * (size_t)c->file_count + 9, sizeof *argv);
	char **copy;

	argv[n++] = sensor;
	for (int i = 0; i < c->file_count; i++) {
		argv[n++] = "-r";
		argv[n++] = c->files[i];
	}
	argv[n++] = "--store";
	argv[n++] = store;
	if (c->config_path) {
		argv[n++] = "--config";
		argv[n++] = c->config_path;
	}
	if (c->any_port)
		argv[n++] = "--any-port";
	if (is_temporary(c))
		argv[n++] = "--temporary";
	if (isatty(STDERR_FILENO))
		argv[n++] = "--progress";
	copy = xcalloc(n + 1, sizeof *copy);
	for (size_t i = 0; i < n; i++)
		copy[i] = xstrdup(argv[i]);
	free(argv);
	return copy;
}

static void free_arguments(char **argv)
{
	for (size_t i = 0; argv[i]; i++)
		free(argv[i]);
	free(argv);
}

/* The exit code of a process, in *code. */
static int wait_for(const struct command_context *c, pid_t pid, const char *name, int *code)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return command_fail(EX_OSERR, "%s: %s", name, strerror(errno));
		if (*c->stop)
			kill(pid, SIGTERM);
	}
	if (WIFSIGNALED(status))
		return command_fail(EX_SOFTWARE, "%s ended by signal %d", name, WTERMSIG(status));
	*code = WEXITSTATUS(status);
	return EX_OK;
}

/* The sensor's exit code, in *code; what it has to say goes to our standard error. Standard output is ours alone. */
static int run_sensor(const struct command_context *c, const char *store, int *code)
{
	char path[4096];
	const char *sensor = program_find("bouncetapd", path, sizeof path);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t ignored;
	pid_t pid;

	if (!sensor)
		return command_fail(EX_UNAVAILABLE, "bouncetapd was not found beside this program nor in " PREFIX "/sbin");
	char **argv = sensor_arguments(c, sensor, store);
	sigemptyset(&ignored);
	sigaddset(&ignored, SIGPIPE);	/* our own business (main.c) */
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigdefault(&attributes, &ignored);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	int failed = posix_spawn(&pid, sensor, &actions, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	free_arguments(argv);
	if (failed)
		return command_fail(EX_OSERR, "%s: %s", sensor, strerror(failed));
	return wait_for(c, pid, "bouncetapd", code);
}

static bool has_facts(const char *store)
{
	char error[ERROR_MAX];
	unsigned present;
	sqlite3 *db = db_open_read(store, DB_BUSY_MS, &present, NULL, error, sizeof error);
	bool any = db && db_int(db, "SELECT count(*) FROM batch", 0) > 0;

	sqlite3_close(db);
	return any;
}

/* All that there is: a capture is a stretch of time by itself. */
static int print_report(struct command_context *c, const char *store)
{
	struct reader *reader = reader_open(store);
	reader_use_geo(reader, c->config->report.geoip);
	struct report_options o = { .whole = true, .now_us = c->now_us, .config = c->config, .lists = &c->lists };
	struct buf text = { 0 };
	struct report r;
	int code = EX_OK;

	reader_be_patient(reader);
	if (report_build(reader, &o, &r))
		code = command_fail(EX_NOINPUT, "%s", reader_message(reader));
	else
		report_text(&r, &text);
	if (code == EX_OK && (fwrite(text.p, 1, text.len, stdout) != text.len || fflush(stdout)))
		code = cannot_write("report");
	report_fini(&r);
	buf_fini(&text);
	reader_close(reader);
	return code;
}

/* Events to a file take nothing from the report. out: the file of --events, standard output, or NULL. */
static int print_results(struct command_context *c, const char *store, FILE *out)
{
	int code = EX_OK;

	if (out && out != stdout && ftruncate(fileno(out), 0) && errno != EINVAL)	/* EINVAL: a pipe */
		return cannot_write("events");
	if (out)
		code = write_events(c, store, out);
	return code == EX_OK && out != stdout ? print_report(c, store) : code;
}

/* As whoever runs us; emptied once there is something to write. */
static int open_events(const struct command_context *c, FILE **out)
{
	*out = NULL;
	if (!c->events_path)
		return EX_OK;
	if (strcmp(c->events_path, "-") == 0) {
		*out = stdout;
		return EX_OK;
	}
	int fd = open(c->events_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd >= 0)
		*out = fdopen(fd, "w");
	return *out ? EX_OK : command_fail(EX_CANTCREAT, "%s: %s", c->events_path, strerror(errno));
}

static int close_events(const struct command_context *c, FILE *out)
{
	if (out && out != stdout && fclose(out))
		return command_fail(EX_IOERR, "%s: %s", c->events_path, strerror(errno));
	return EX_OK;
}

/* From facts to results, no longer as root. */
static int judge_store(struct command_context *c, const char *store)
{
	FILE *out;
	int code = open_events(c, &out);

	if (code == EX_OK)
		code = become_owner(store);
	if (code == EX_OK)
		code = command_need_own(c, store);
	if (code == EX_OK)
		code = command_run_analysis(c, store);
	if (code == EX_OK)
		code = print_results(c, store, out);
	int close_code = close_events(c, out);
	return code != EX_OK ? code : close_code;
}

/* A damaged file still gives a verdict on what was read; its code is told in the end. */
static int audit_into(struct command_context *c, const char *store)
{
	int sensor_code = EX_OK;
	int code = run_sensor(c, store, &sensor_code);

	if (code != EX_OK || *c->stop)
		return code != EX_OK ? code : EX_TEMPFAIL;
	if (sensor_code != EX_OK && !has_facts(store))
		return sensor_code;
	code = judge_store(c, store);
	return code == EX_OK ? sensor_code : code;
}

static int check_files(const struct command_context *c)
{
	if (!c->file_count)
		return command_fail(EX_USAGE, "audit: name a capture file (- for standard input)");
	for (int i = 0; i < c->file_count; i++)
		if (strcmp(c->files[i], "-") != 0 && access(c->files[i], R_OK))
			return command_fail(EX_NOINPUT, "%s: %s", c->files[i], strerror(errno));
	return EX_OK;
}

/* Root audits in a process of its own, which leaves root: the temporary directory is for root to remove. */
static int audit_into_temporary(struct command_context *c, const char *store)
{
	int code = EX_OK;

	if (geteuid() != 0)
		return audit_into(c, store);
	pid_t pid = fork();
	if (pid < 0)
		return command_fail(EX_OSERR, "no process for the audit: %s", strerror(errno));
	if (pid == 0)
		exit(audit_into(c, store));
	int failed = wait_for(c, pid, "the audit", &code);
	return failed ? failed : code;
}

static int run_audit(struct command_context *c)
{
	int code = check_files(c);

	if (code != EX_OK)
		return code;
	c->now_is_last = !c->now_us;
	if (c->store)
		return user_make_store(c->store) ? command_fail(EX_CANTCREAT, "%s: %s", c->store, strerror(errno)) : audit_into(c, c->store);
	char *dir = program_make_temporary_store();
	if (!dir)
		return command_fail(EX_CANTCREAT, "no directory for a temporary store: %s", strerror(errno));
	code = audit_into_temporary(c, dir);
	program_remove_store(dir);
	free(dir);
	return code;
}

static const struct command_option audit_options[] = {
	{ "any-port", NULL, "look for SMTP on all ports", COMMAND_MEMBER(any_port) },
	{ "guess-own", NULL, "take addresses that both accept and send mail for ours", COMMAND_MEMBER(guess_own) },
	{ "events", "FILE", "write the event stream to FILE; - prints it in place of the text", COMMAND_MEMBER(events_path) },
	{ 0 }
};

const struct command command_audit = { "audit", "FILE...", "read capture files, judge them, print what was found", run_audit, audit_options };
