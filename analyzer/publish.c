/*
 * publish.c - the command publish: what analyze has judged, for other programs, as it comes: metrics for Prometheus, events as NDJSON for a log shipper, entries in
 * systemd's journal. It only reads the store; what it cannot write it says once, and tries again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "analyzer/command.h"
#include "analyzer/events.h"
#include "analyzer/journal.h"
#include "analyzer/metrics.h"
#include "common/kind.h"
#include "common/replace.h"
#include "common/timefmt.h"
#include "common/xmalloc.h"
#include "reader/reader.h"
#include "schema/db.h"

#define SECOND_US INT64_C(1000000)

/* Prometheus asks every 15 to 60 seconds. A matter is told of once an hour; old mail that is judged late is no news; a flood is cut. */
enum { METRICS_EVERY_S = 15, MATTER_EVERY_S = 3600, NEWS_S = 3600, ENTRIES_A_MINUTE = 20, MATTERS_MAX = 1024, METRICS_MODE = 0644, EVENTS_MODE = 0640, ERROR_MAX = 512 };

/* A server and cause that the journal was told of. */
struct matter {
	int64_t server_id, told_us;
	char what[96];		/* kind and cause class */
	unsigned since;		/* findings since then that were not told */
};

struct publisher {
	const struct command_context *c;
	struct reader *reader;
	int64_t metrics_us;	/* when they were written last */
	/* events */
	struct events_options events;
	struct events_follower *follower;
	FILE *out;
	char *position_path, *position;	/* as saved last */
	/* journal */
	int64_t change;		/* verdicts.change told of; -1: not looked yet */
	struct matter matter[MATTERS_MAX];
	size_t matter_count;
	int64_t minute_us;
	int entries;		/* in this minute */
	bool complained;	/* something cannot be written, and that was said */
	bool unread;		/* the store cannot be read, or nobody judged it */
};

static void complain(struct publisher *p, const char *path)
{
	if (!p->complained)
		fprintf(stderr, "bouncetap: %s: %s; trying again\n", path, strerror(errno));
	p->complained = true;
}

/* ---- metrics ---- */

static void publish_metrics(struct publisher *p, int64_t now_us)
{
	struct buf out = { 0 };

	if (!p->c->publish.metrics || now_us - p->metrics_us < METRICS_EVERY_S * SECOND_US)
		return;
	if (metrics_write(p->reader, p->c->config, now_us, &out) == 0) {
		p->metrics_us = now_us;
		if (replace_file(p->c->publish.metrics, out.p, out.len, METRICS_MODE))
			complain(p, p->c->publish.metrics);
		else
			p->complained = false;
	}
	buf_fini(&out);
}

/* ---- events ---- */

/* A line that a crash left half is ended, so that the next one stands alone. */
static FILE *open_output(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, EVENTS_MODE);
	char last = '\n';
	struct stat st;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && st.st_size == 0)
		fchmod(fd, EVENTS_MODE);	/* a service's umask leaves nothing to the group that ships it */
	else if (pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n' && write(fd, "\n", 1) != 1) {
		close(fd);
		return NULL;
	}
	return fdopen(fd, "a");
}

/* logrotate(8) renamed it, or somebody removed it. */
static bool was_moved(FILE *out, const char *path)
{
	struct stat open_file, named;

	return fstat(fileno(out), &open_file) || stat(path, &named) || open_file.st_ino != named.st_ino || open_file.st_dev != named.st_dev;
}

static void load_position(struct publisher *p)
{
	char line[256];
	FILE *in = fopen(p->position_path, "r");

	if (in && fgets(line, sizeof line, in) && !events_follower_resume(p->follower, line))
		fprintf(stderr, "bouncetap: %s is about another store: the events begin anew\n", p->position_path);
	if (in)
		fclose(in);
}

/* After the events are on their way: a crash in between prints some of them twice, and loses none. */
static void save_position(struct publisher *p)
{
	struct buf now = { 0 };

	events_follower_position(p->follower, &now);
	if (!p->position || strcmp(p->position, buf_cstr(&now)) != 0) {
		if (replace_file(p->position_path, now.p, now.len, EVENTS_MODE))
			complain(p, p->position_path);
		free(p->position);
		p->position = xstrdup(buf_cstr(&now));
	}
	buf_fini(&now);
}

static bool has_follower(struct publisher *p)
{
	char error[ERROR_MAX];

	if (p->follower)
		return true;
	p->follower = events_follower_new(p->c->store, &p->events, error, sizeof error);
	if (p->follower)
		load_position(p);
	return p->follower != NULL;
}

/* What could not be written is printed again from the last position. */
static void begin_again(struct publisher *p, const char *path)
{
	complain(p, path);
	fclose(p->out);
	p->out = NULL;
	events_follower_free(p->follower);
	p->follower = NULL;
}

static void publish_events(struct publisher *p)
{
	const char *path = p->c->publish.events;

	if (!path || !has_follower(p))
		return;
	if (p->out && was_moved(p->out, path)) {
		fclose(p->out);
		p->out = NULL;
	}
	if (!p->out && !(p->out = open_output(path))) {
		complain(p, path);
		return;
	}
	if (events_follower_step(p->follower, p->out) || fflush(p->out)) {
		begin_again(p, path);
		return;
	}
	p->complained = false;
	save_position(p);
}

/* ---- journal ---- */

static const char sql_changes[] = "SELECT max(n) FROM verdicts.change";
static const char sql_news[] =
	"SELECT f.server_id, s.name, f.public_address, f.kind, f.misdirected, f.exposure, f.cause_class, f.finding_id, f.recipient_domain, f.last_us, o.name, c.n"
	" FROM (SELECT id, max(n) AS n FROM verdicts.change WHERE what = 'finding' AND n > ?1 GROUP BY id) c JOIN verdicts.finding f ON f.id = c.id"
	" JOIN verdicts.server s ON s.id = f.server_id LEFT JOIN verdicts.server o ON o.id = f.originator_server_id"
	" WHERE f.misdirected IN ('yes', 'likely') AND f.last_us >= ?2 ORDER BY c.n LIMIT 1000";
enum news_column { N_SERVER_ID, N_SERVER, N_ADDRESS, N_KIND, N_MISDIRECTED, N_EXPOSURE, N_CAUSE, N_FINDING, N_DOMAIN, N_LAST, N_ORIGINATOR, N_CHANGE };

/* The oldest gives way when there are too many. */
static struct matter *find_matter(struct publisher *p, int64_t server_id, const char *what)
{
	struct matter *oldest = &p->matter[0];

	for (size_t i = 0; i < p->matter_count; i++) {
		if (p->matter[i].server_id == server_id && strcmp(p->matter[i].what, what) == 0)
			return &p->matter[i];
		if (p->matter[i].told_us < oldest->told_us)
			oldest = &p->matter[i];
	}
	struct matter *m = p->matter_count < MATTERS_MAX ? &p->matter[p->matter_count++] : oldest;
	*m = (struct matter){ .server_id = server_id };
	snprintf(m->what, sizeof m->what, "%s", what);
	return m;
}

static bool may_tell(struct publisher *p, int64_t now_us)
{
	if (now_us - p->minute_us >= 60 * SECOND_US) {
		p->minute_us = now_us;
		p->entries = 0;
	}
	return p->entries < ENTRIES_A_MINUTE;
}

static void tell(struct publisher *p, sqlite3_stmt *s, const struct matter *m)
{
	struct buf entry = { 0 }, message = { 0 };
	struct text cause = column_text(s, N_CAUSE);

	buf_printf(&message, "%s sent a %s %s to %s", sqlite3_column_text(s, N_SERVER), text_equal(column_text(s, N_MISDIRECTED), TEXT("yes")) ? "misdirected" :
		   "probably misdirected", sqlite3_column_text(s, N_KIND), sqlite3_column_text(s, N_DOMAIN));
	if (cause.p)
		buf_printf(&message, " (%.*s)", (int)cause.len, cause.p);
	if (m->since)
		buf_printf(&message, ", and %u like it since the last entry", m->since);
	buf_printf(&message, "; bouncetap explain %s", sqlite3_column_text(s, N_FINDING));
	journal_field(&entry, "MESSAGE", (struct text){ message.p, (uint32_t)message.len });
	journal_field(&entry, "MESSAGE_ID", TEXT("4f1a6f0c7d0e4b53a6f4b9d2f6c0a7e1"));
	journal_field(&entry, "PRIORITY", TEXT("4"));
	journal_field(&entry, "SYSLOG_IDENTIFIER", TEXT("bouncetap"));
	journal_field(&entry, "BOUNCETAP_SERVER", column_text(s, N_SERVER));
	journal_field(&entry, "BOUNCETAP_ADDRESS", column_text(s, N_ADDRESS));
	journal_field(&entry, "BOUNCETAP_ORIGINATOR", column_text(s, N_ORIGINATOR));
	journal_field(&entry, "BOUNCETAP_KIND", column_text(s, N_KIND));
	journal_field(&entry, "BOUNCETAP_MISDIRECTED", column_text(s, N_MISDIRECTED));
	journal_field(&entry, "BOUNCETAP_EXPOSURE", column_text(s, N_EXPOSURE));
	journal_field(&entry, "BOUNCETAP_CAUSE_CLASS", cause);
	journal_field(&entry, "BOUNCETAP_FINDING", column_text(s, N_FINDING));
	journal_field(&entry, "BOUNCETAP_RECIPIENT_DOMAIN", column_text(s, N_DOMAIN));
	if (journal_send(p->c->publish.journal, &entry))
		complain(p, p->c->publish.journal);
	buf_fini(&entry);
	buf_fini(&message);
}

static void take_news(struct publisher *p, sqlite3_stmt *s, int64_t now_us)
{
	char what[96];

	snprintf(what, sizeof what, "%s %s", sqlite3_column_text(s, N_KIND), sqlite3_column_type(s, N_CAUSE) == SQLITE_NULL ? "" : (const char *)sqlite3_column_text(s, N_CAUSE));
	struct matter *m = find_matter(p, sqlite3_column_int64(s, N_SERVER_ID), what);
	if ((m->told_us && now_us - m->told_us < MATTER_EVERY_S * SECOND_US) || !may_tell(p, now_us)) {
		m->since++;
		return;
	}
	tell(p, s, m);
	p->entries++;
	m->told_us = now_us;
	m->since = 0;
}

static void publish_journal(struct publisher *p, int64_t now_us)
{
	if (!p->c->publish.journal)
		return;
	reader_begin(p->reader);
	sqlite3_stmt *s = reader_select(p->reader, sql_changes, "");
	int64_t last = reader_step(p->reader, s) ? sqlite3_column_int64(s, 0) : 0;
	sqlite3_finalize(s);
	if (p->change < 0 || last < p->change)	/* just begun, or a rebuild: what is there is no news to who follows */
		p->change = p->c->follow ? last : 0;
	s = last > p->change ? reader_select(p->reader, sql_news, "ii", p->change, now_us - NEWS_S * SECOND_US) : NULL;
	while (reader_step(p->reader, s))
		take_news(p, s, now_us);
	sqlite3_finalize(s);
	if (reader_end(p->reader) == 0)
		p->change = last;
}

/* ---- the loop ---- */

static void publish_step(struct publisher *p, int64_t now_us)
{
	bool changed = reader_refresh(p->reader);

	if (reader_state(p->reader) != READER_READY || !reader_is_judged(p->reader)) {
		if (changed && *reader_message(p->reader))
			fprintf(stderr, "bouncetap: %s\n", reader_message(p->reader));
		p->unread = true;
		return;
	}
	p->unread = false;
	publish_metrics(p, now_us);
	if (changed)
		publish_journal(p, now_us);
	publish_events(p);
}

static int run_publish(struct command_context *c)
{
	struct publisher *p = xcalloc(1, sizeof *p);

	if (!c->publish.metrics && !c->publish.events && !c->publish.journal) {
		free(p);
		return command_fail(EX_USAGE, "publish: name what: --metrics FILE, --ndjson FILE, --journal SOCKET");
	}
	*p = (struct publisher){ .c = c, .reader = reader_open(c->store), .events = { .types = c->types }, .change = -1 };
	if (c->publish.events)
		p->position_path = xasprintf("%s.position", c->publish.events);
	do
		publish_step(p, c->now_us ? c->now_us : time_now_us());
	while (c->follow && !*c->stop && sleep(1) == 0 && !*c->stop);
	int code = c->follow ? EX_OK : p->unread ? EX_NOINPUT : p->complained ? EX_CANTCREAT : EX_OK;
	if (p->out)
		fclose(p->out);
	events_follower_free(p->follower);
	reader_close(p->reader);
	free(p->position_path);
	free(p->position);
	free(p);
	return code;
}

static const struct command_option options[] = {
	COMMAND_FOLLOW,
	COMMAND_TYPE,
	{ "metrics", "FILE", "numbers for Prometheus' textfile collector; replaced every 15 seconds", COMMAND_MEMBER(publish.metrics) },
	{ "ndjson", "FILE", "the event stream, appended; may be rotated, goes on where it stopped", COMMAND_MEMBER(publish.events) },
	{ "journal", "SOCKET", "new findings of note into systemd's journal (/run/systemd/journal/socket)", COMMAND_MEMBER(publish.journal) },
	{ 0 }
};

const struct command command_publish = { "publish", "", "for other programs, as it comes: metrics, events in a file, entries in the journal", run_publish, options };
