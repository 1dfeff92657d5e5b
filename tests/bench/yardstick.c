/*
 * yardstick.c - what the figures of tests/bench/run are measured with. Not linked with anything of bouncetap.
 *
 *   yardstick loop FILE               an empty libpcap loop over a capture: the U of the goals
 *   yardstick insert FACTS.db NEW.db  the insert floor: the rows of a finished store once more into a new database with the same
 *                                     tables and indexes, reading not counted; prints rows and CPU microseconds
 *   yardstick measure COMMAND...      runs it with its output thrown away; prints exit status, CPU microseconds (user and system),
 *                                     peak KiB. A small parent: a process inherits the peak of the one that forks it
 */
#include <fcntl.h>
#include <pcap/pcap.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH_ROWS = 5000, TABLES_MAX = 64 };

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "yardstick: %s: %s\n", what, why);
	return 1;
}

/* ---- loop ---- */

static void count_packet(u_char *count, const struct pcap_pkthdr *header, const u_char *bytes)
{
	(void)header;
	(void)bytes;
	++*(uint64_t *)(void *)count;
}

static int loop(char **argv)
{
	char error[PCAP_ERRBUF_SIZE];
	uint64_t count = 0;
	pcap_t *p = pcap_open_offline(argv[0], error);

	if (!p)
		return fail(argv[0], error);
	int status = pcap_loop(p, -1, count_packet, (u_char *)&count) ? fail(argv[0], pcap_geterr(p)) : 0;
	pcap_close(p);
	printf("%llu packets\n", (unsigned long long)count);
	return status;
}

/* ---- insert ---- */

/* One table of the store: how it is read, and how its rows are put into the new one. */
struct table {
	sqlite3_stmt *from, *to;
};

struct copy {
	sqlite3 *from, *to;
	struct table tables[TABLES_MAX];
	int table_count;
	long rows;
};

static long cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000L + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static bool ok(const struct copy *c, int rc)
{
	if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE)
		return true;
	fail("insert", sqlite3_errmsg(c->to ? c->to : c->from));
	return false;
}

static bool open_both(struct copy *c, char **argv)
{
	return ok(c, sqlite3_open_v2(argv[0], &c->from, SQLITE_OPEN_READONLY, NULL))
	       && ok(c, sqlite3_open_v2(argv[1], &c->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL))
	       && ok(c, sqlite3_exec(c->to, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536; "
					    "PRAGMA wal_autocheckpoint = 20000", NULL, NULL, NULL));
}

static bool add_table(struct copy *c, const char *name)
{
	char select[256], insert[512];
	struct table *t = &c->tables[c->table_count++];

	snprintf(select, sizeof select, "SELECT * FROM %s", name);
	if (!ok(c, sqlite3_prepare_v2(c->from, select, -1, &t->from, NULL)))
		return false;
	int n = snprintf(insert, sizeof insert, "INSERT INTO %s VALUES (?", name);
	for (int i = 1; i < sqlite3_column_count(t->from) && n < (int)sizeof insert - 4; i++)
		n += snprintf(insert + n, sizeof insert - (size_t)n, ",?");
	snprintf(insert + n, sizeof insert - (size_t)n, ")");
	return ok(c, sqlite3_prepare_v2(c->to, insert, -1, &t->to, NULL));
}

/* Tables first, then indexes; both are there before the rows. */
static bool copy_schema(struct copy *c)
{
	sqlite3_stmt *q;
	bool good = ok(c, sqlite3_prepare_v2(c->from, "SELECT type, name, sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL "
					     "AND name NOT LIKE 'sqlite_%' ORDER BY type DESC", -1, &q, NULL));

	while (good && sqlite3_step(q) == SQLITE_ROW) {
		const char *type = (const char *)sqlite3_column_text(q, 0), *name = (const char *)sqlite3_column_text(q, 1);

		good = ok(c, sqlite3_exec(c->to, (const char *)sqlite3_column_text(q, 2), NULL, NULL, NULL));
		if (good && type[0] == 't' && c->table_count < TABLES_MAX)
			good = add_table(c, name);
	}
	sqlite3_finalize(q);
	return good;
}

/* Without a copy: the row stays where it is until it is inserted. */
static void bind_column(sqlite3_stmt *to, sqlite3_stmt *from, int i)
{
	int type = sqlite3_column_type(from, i);

	if (type == SQLITE_INTEGER)
		sqlite3_bind_int64(to, i + 1, sqlite3_column_int64(from, i));
	else if (type == SQLITE_TEXT)
		sqlite3_bind_text(to, i + 1, (const char *)sqlite3_column_text(from, i), sqlite3_column_bytes(from, i), SQLITE_STATIC);
	else if (type == SQLITE_BLOB)
		sqlite3_bind_blob(to, i + 1, sqlite3_column_blob(from, i), sqlite3_column_bytes(from, i), SQLITE_STATIC);
	else
		sqlite3_bind_null(to, i + 1);
}

static bool insert_row(struct copy *c, const struct table *t)
{
	bool good = ok(c, sqlite3_step(t->to));
	sqlite3_reset(t->to);
	if (++c->rows % BATCH_ROWS == 0)
		good = good && ok(c, sqlite3_exec(c->to, "COMMIT; BEGIN", NULL, NULL, NULL));
	return good;
}

/* All rows, read and bound only, or inserted; returns what it cost. The last checkpoint is not part of it. */
static long walk(struct copy *c, bool insert, bool *good)
{
	long before = cpu_us();

	*good = ok(c, sqlite3_exec(c->to, "BEGIN", NULL, NULL, NULL));
	for (int i = 0; i < c->table_count; i++) {
		const struct table *t = &c->tables[i];

		while (*good && sqlite3_step(t->from) == SQLITE_ROW) {
			for (int n = 0; n < sqlite3_column_count(t->from); n++)
				bind_column(t->to, t->from, n);
			if (insert)
				*good = insert_row(c, t);
		}
		sqlite3_reset(t->from);
	}
	*good = *good && ok(c, sqlite3_exec(c->to, "COMMIT", NULL, NULL, NULL));
	return cpu_us() - before;
}

static int insert(char **argv)
{
	struct copy c = { 0 };
	bool good = argv[1] && open_both(&c, argv) && copy_schema(&c);
	long reading = 0, both = 0;

	if (good)
		reading = walk(&c, false, &good);
	if (good)
		both = walk(&c, true, &good);
	for (int i = 0; i < c.table_count; i++) {
		sqlite3_finalize(c.tables[i].from);
		sqlite3_finalize(c.tables[i].to);
	}
	sqlite3_close(c.from);
	sqlite3_close(c.to);
	printf("%ld %ld\n", c.rows, both - reading);
	return good ? 0 : 1;
}

/* ---- measure ---- */

static int measure(char **argv)
{
	struct rusage u;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int nowhere = open("/dev/null", O_RDWR);

		dup2(nowhere, STDOUT_FILENO);
		dup2(nowhere, STDERR_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &u) != pid)
		return fail(argv[0], "cannot be run");
	printf("%d %ld %ld\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
	       (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000L + u.ru_utime.tv_usec + u.ru_stime.tv_usec, u.ru_maxrss);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int (*run)(char **argv); } modes[] = {
		{ "loop", loop }, { "insert", insert }, { "measure", measure },
	};

	for (size_t i = 0; argc > 2 && i < sizeof modes / sizeof *modes; i++)
		if (strcmp(argv[1], modes[i].name) == 0)
			return modes[i].run(argv + 2);
	fputs("usage: yardstick loop FILE | insert FACTS.db NEW.db | measure COMMAND...\n", stderr);
	return 64;
}
