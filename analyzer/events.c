/*
 * events.c - see events.h. Keys of all rows are read and sorted first, 64 bytes each; the rows themselves one by one while printing, so
 * that no read transaction lasts and memory does not grow with what is in them.
 */
#include "analyzer/events.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/event_json.h"
#include "analyzer/mail.h"
#include "common/buf.h"
#include "common/xmalloc.h"
#include "schema/db.h"

enum { ID_MAX = 24 };

struct key {
	int64_t ended_us;
	struct event_row row;
	unsigned char session_id[16];	/* begins the id of most events; zero for risk and capture, which tie by their rows */
	char rest[ID_MAX];		/* ".3:0": what follows it */
};

struct keys {
	struct key *item;
	size_t count, cap;
};

/* Columns: rowid, ended, session id, rest of the id. ?1 since; ?2 and ?3 bound the rowids. */
static const char *const key_sql[EVENT_TYPE_COUNT] = {
	[EVENT_SESSION] = "SELECT id, ended_us, session_id, '' FROM sessions WHERE ended_us >= ?1 AND id > ?2 AND id <= ?3",
	[EVENT_TRANSACTION] = "SELECT id, ended_us, session_id, '.' || ordinal FROM transactions WHERE ended_us >= ?1 AND id > ?2 AND id <= ?3",
	[EVENT_FINDING] = "SELECT id, last_us, unhex_id(finding_id), substr(finding_id, 33) FROM verdicts.finding WHERE last_us >= ?1 AND id > ?2 AND id <= ?3",
	[EVENT_RISK] = "SELECT r.rowid, m.now_us, NULL, printf('%06d', r.rowid) FROM verdicts.risk r, verdicts.meta m WHERE m.now_us >= ?1"
		" AND r.rowid > ?2 AND r.rowid <= ?3",
	[EVENT_REFUSAL] = "SELECT rowid, at_us, session_id, substr(refusal_id, 33) FROM verdicts.refusal WHERE at_us >= ?1 AND rowid > ?2 AND rowid <= ?3",
	[EVENT_CAPTURE] = "SELECT c.run_id, c.end_us, NULL, printf('%d', c.run_id), c.start_us,"
		" (SELECT count(*) FROM capture d WHERE d.run_id = c.run_id AND d.start_us = c.start_us AND d.interface < c.interface)"
		" FROM capture c WHERE c.end_us >= ?1 AND c.start_us > ?2 AND c.start_us <= ?3",
};

static bool needs_verdicts(enum event_type t)
{
	return t == EVENT_FINDING || t == EVENT_RISK || t == EVENT_REFUSAL;
}

int events_parse_types(const char *text, unsigned *types, const char **unknown)
{
	*types = 0;
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, ",");
		int t = 0;

		while (t < EVENT_TYPE_COUNT && !(strlen(event_type_name((enum event_type)t)) == n
						 && memcmp(p, event_type_name((enum event_type)t), n) == 0))
			t++;
		if (t == EVENT_TYPE_COUNT) {
			*unknown = p;
			return -1;
		}
		*types |= 1u << t;
		p += n + (p[n] == ',');
	}
	return 0;
}

/* ---- keys ---- */

static unsigned char hex_digit(char c)
{
	return (unsigned char)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* The first 32 hex digits of a finding_id as 16 bytes. */
static void unhex_id(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	const char *hex = (const char *)sqlite3_value_text(argv[0]);
	unsigned char id[16];

	(void)argc;
	if (!hex || strlen(hex) < 32)
		return;
	for (int i = 0; i < 16; i++)
		id[i] = (unsigned char)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
	sqlite3_result_blob(context, id, sizeof id, SQLITE_TRANSIENT);
}

static void add_key(struct keys *k, enum event_type type, sqlite3_stmt *s)
{
	if (k->count == k->cap) {
		k->cap = k->cap ? k->cap * 2 : 1024;
		k->item = xreallocarray(k->item, k->cap, sizeof *k->item);
	}
	struct key *x = &k->item[k->count++];
	*x = (struct key){ .ended_us = sqlite3_column_int64(s, 1), .row = { .type = type, .rowid = sqlite3_column_int64(s, 0) } };
	if (sqlite3_column_bytes(s, 2) == sizeof x->session_id)
		memcpy(x->session_id, sqlite3_column_blob(s, 2), sizeof x->session_id);
	snprintf(x->rest, sizeof x->rest, "%s", (const char *)sqlite3_column_text(s, 3));
	if (type == EVENT_CAPTURE) {
		x->row.start_us = sqlite3_column_int64(s, 4);
		x->row.n = sqlite3_column_int64(s, 5);
	}
}

static void collect(sqlite3 *db, enum event_type type, int64_t since_us, int64_t after, int64_t until, struct keys *k)
{
	sqlite3_stmt *s = db_prepare(db, key_sql[type]);

	sqlite3_bind_int64(s, 1, since_us);
	sqlite3_bind_int64(s, 2, after);
	sqlite3_bind_int64(s, 3, until);
	while (sqlite3_step(s) == SQLITE_ROW)
		add_key(k, type, s);
	sqlite3_finalize(s);
}

static int compare_keys(const void *x, const void *y)
{
	const struct key *a = x, *b = y;

	if (a->ended_us != b->ended_us)
		return a->ended_us < b->ended_us ? -1 : 1;
	int c = memcmp(a->session_id, b->session_id, sizeof a->session_id);
	if (!c)
		c = strcmp(a->rest, b->rest);
	return c ? c : (int)a->row.type - (int)b->row.type;
}

/* ---- printing ---- */

static int print_keys(struct event_json *e, struct keys *k, FILE *out)
{
	struct buf line = { 0 };
	int result = 0;

	if (k->count)
		qsort(k->item, k->count, sizeof *k->item, compare_keys);
	for (size_t i = 0; i < k->count && result == 0; i++) {
		buf_clear(&line);
		if (event_json_print(e, &k->item[i].row, &line) && fwrite(line.p, 1, line.len, out) != line.len)
			result = -1;
	}
	buf_fini(&line);
	free(k->item);
	*k = (struct keys){ 0 };
	return result || fflush(out) ? -1 : 0;
}

static bool is_wanted(const struct events_options *o, unsigned present, enum event_type t)
{
	return (!o->types || o->types >> t & 1) && (!needs_verdicts(t) || present >> DB_VERDICTS & 1);
}

static void add_functions(sqlite3 *db)
{
	sqlite3_create_function(db, "unhex_id", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, unhex_id, NULL, NULL);
}

int events_write(sqlite3 *db, unsigned present, const struct events_options *o, FILE *out)
{
	struct event_json *e = event_json_new(db, present);
	struct keys k = { 0 };

	add_functions(db);
	for (int t = 0; t < EVENT_TYPE_COUNT; t++)
		if (is_wanted(o, present, (enum event_type)t))
			collect(db, (enum event_type)t, o->since_us, INT64_MIN, INT64_MAX, &k);
	int result = print_keys(e, &k, out);
	event_json_free(e);
	return result;
}

/* ---- following ---- */

/* How far each kind of row was printed. */
struct events_follower {
	const char *store;
	const struct events_options *options;
	FILE *out;
	sqlite3 *db;
	struct db_files files;	/* of facts.db, as they were opened */
	char store_id[64];
	unsigned present;
	struct event_json *json;
	int64_t session, transaction, refusal, capture_us, change;
	long long facts, verdicts;	/* data_version at the last look */
	struct buf risk;	/* as printed last, without its times */
};

static int open_store(struct events_follower *f, char *error, size_t size)
{
	event_json_free(f->json);
	sqlite3_close(f->db);
	f->json = NULL;
	f->db = db_open_read(f->store, DB_BUSY_MS, &f->present, NULL, error, size);
	if (!f->db)
		return -1;
	add_functions(f->db);
	f->json = event_json_new(f->db, f->present);
	db_files_look(f->store, DB_FACTS, &f->files);
	return 0;
}

/* Rows of another store are counted from the beginning. */
static void note_store(struct events_follower *f)
{
	char id[sizeof f->store_id] = "";

	db_text(f->db, "SELECT store_id FROM meta", id, sizeof id);
	if (strcmp(id, f->store_id) == 0)
		return;
	memcpy(f->store_id, id, sizeof id);
	f->session = f->transaction = f->refusal = f->change = 0;
	f->capture_us = -1;
	buf_fini(&f->risk);
}

static void collect_wanted(struct events_follower *f, enum event_type t, int64_t after, int64_t until, struct keys *k)
{
	if (is_wanted(f->options, f->present, t))
		collect(f->db, t, f->options->since_us, after, until, k);
}

/* Findings and late kinds by the log of changes; a row that changed twice since is printed once. */
static void collect_changes(struct events_follower *f, struct keys *k)
{
	sqlite3_stmt *s = db_prepare(f->db, "SELECT what, id, max(n) FROM verdicts.change WHERE n > ?1 GROUP BY what, id");
	int64_t last = f->change;

	sqlite3_bind_int64(s, 1, f->change);
	while (sqlite3_step(s) == SQLITE_ROW) {
		struct text what = column_text(s, 0);
		int64_t id = sqlite3_column_int64(s, 1);
		enum event_type t = text_equal(what, TEXT("finding")) ? EVENT_FINDING : EVENT_TRANSACTION;

		/* A transaction that is new to us comes with its batch. */
		if (t == EVENT_FINDING || id <= f->transaction)
			collect_wanted(f, t, id - 1, id, k);
		if (sqlite3_column_int64(s, 2) > last)
			last = sqlite3_column_int64(s, 2);
	}
	sqlite3_finalize(s);
	f->change = last;
}

/* Risk is small and written anew with each run: printed when anything but its times differs. */
static bool risk_changed(struct events_follower *f)
{
	struct buf now = { 0 };
	sqlite3_stmt *s = db_prepare(f->db, "SELECT server_id, address, list, status, mails, attempts, margin FROM verdicts.risk ORDER BY 1, 2, 3");

	while (sqlite3_step(s) == SQLITE_ROW)
		for (int i = 0; i < 7; i++)
			buf_printf(&now, "%s|", sqlite3_column_text(s, i) ? (const char *)sqlite3_column_text(s, i) : "");
	sqlite3_finalize(s);
	bool same = now.len == f->risk.len && (!now.len || memcmp(now.p, f->risk.p, now.len) == 0);
	buf_fini(&f->risk);
	f->risk = now;
	return !same;
}

/* Rows of facts up to the last judged batch, so that each is printed with its kind. */
static int64_t judged_until(struct events_follower *f, const char *column)
{
	char sql[200];

	if (!(f->present >> DB_VERDICTS & 1))
		snprintf(sql, sizeof sql, "SELECT max(%s) FROM batch", column);
	else
		snprintf(sql, sizeof sql, "SELECT %s FROM batch WHERE seq <= (SELECT analyzed_seq FROM verdicts.meta) ORDER BY seq DESC LIMIT 1", column);
	return db_int(f->db, sql, 0);
}

static int print_news(struct events_follower *f)
{
	int64_t session = judged_until(f, "session_rowid"), transaction = judged_until(f, "transaction_rowid");
	struct keys k = { 0 };

	collect_wanted(f, EVENT_SESSION, f->session, session, &k);
	collect_wanted(f, EVENT_TRANSACTION, f->transaction, transaction, &k);
	collect_wanted(f, EVENT_CAPTURE, f->capture_us, INT64_MAX, &k);
	if (f->present >> DB_VERDICTS & 1) {
		collect_changes(f, &k);
		collect_wanted(f, EVENT_REFUSAL, f->refusal, INT64_MAX, &k);
		if (risk_changed(f))
			collect_wanted(f, EVENT_RISK, INT64_MIN, INT64_MAX, &k);
		f->refusal = db_int(f->db, "SELECT max(rowid) FROM verdicts.refusal", 0);
	}
	f->session = session;
	f->transaction = transaction;
	f->capture_us = db_int(f->db, "SELECT max(start_us) FROM capture", -1);
	return print_keys(f->json, &k, f->out);
}

static void look_anew(struct events_follower *f)
{
	note_store(f);
	f->facts = f->verdicts = -1;
}

/* facts.db was removed or replaced: the next one that stands there, when it does. */
static bool has_store(struct events_follower *f)
{
	char error[1024];

	if (f->db && !db_files_moved(f->store, DB_FACTS, &f->files))
		return true;
	if (f->db)
		fprintf(stderr, "bouncetap: %s: facts.db was removed or replaced: going on with what stands there next\n", f->store);
	if (open_store(f, error, sizeof error))
		return false;
	look_anew(f);
	return true;
}

int events_follower_step(struct events_follower *f, FILE *out)
{
	char error[1024];

	if (!has_store(f))
		return 0;
	long long facts = db_int(f->db, "PRAGMA main.data_version", 0), verdicts = db_int(f->db, "PRAGMA verdicts.data_version", 0);
	if (facts == f->facts && verdicts == f->verdicts)
		return 0;
	if (!(f->present >> DB_VERDICTS & 1) && open_store(f, error, sizeof error))
		return 0;
	f->facts = facts;
	f->verdicts = verdicts;
	f->out = out;
	return print_news(f);
}

struct events_follower *events_follower_new(const char *store, const struct events_options *o, char *error, size_t error_size)
{
	struct events_follower *f = xcalloc(1, sizeof *f);

	*f = (struct events_follower){ .store = store, .options = o, .capture_us = -1 };
	if (open_store(f, error, error_size)) {
		events_follower_free(f);
		return NULL;
	}
	look_anew(f);
	return f;
}

void events_follower_free(struct events_follower *f)
{
	if (!f)
		return;
	event_json_free(f->json);
	sqlite3_close(f->db);
	buf_fini(&f->risk);
	free(f);
}

void events_follower_position(const struct events_follower *f, struct buf *out)
{
	buf_printf(out, "%s %lld %lld %lld %lld %lld\n", f->store_id, (long long)f->session, (long long)f->transaction, (long long)f->refusal,
		   (long long)f->capture_us, (long long)f->change);
}

bool events_follower_resume(struct events_follower *f, const char *position)
{
	char id[sizeof f->store_id];
	long long session, transaction, refusal, capture_us, change;

	if (sscanf(position, "%63s %lld %lld %lld %lld %lld", id, &session, &transaction, &refusal, &capture_us, &change) != 6 || strcmp(id, f->store_id) != 0)
		return false;
	f->session = session;
	f->transaction = transaction;
	f->refusal = refusal;
	f->capture_us = capture_us;
	f->change = change;
	return true;
}

int events_follow(const char *store, const struct events_options *o, FILE *out, const volatile int *stop, char *error, size_t error_size)
{
	struct events_follower *f = events_follower_new(store, o, error, error_size);
	int result = f ? 0 : -1;

	while (result == 0 && !*stop) {
		if ((result = events_follower_step(f, out)))
			snprintf(error, error_size, "the output cannot be written");
		else
			sleep(1);
	}
	events_follower_free(f);
	return result;
}
