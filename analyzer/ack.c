/* ack.c - "bouncetap ack": a server or finding that is known, until when and why. It leaves "do this first" and is shown with its reason. */
#include <string.h>
#include <sysexits.h>

#include "analyzer/notes.h"
#include "common/escape.h"
#include "common/json.h"
#include "common/paragraph.h"
#include "common/timefmt.h"
#include "reader/finding.h"
#include "reader/server.h"

enum { WHY_MAX = 1000 };

static const char sql_list[] = "SELECT subject, until_us, why, at_us, until_us <= ?1 FROM ack ORDER BY subject";


/* The name of the server that has this name or address. */
static bool find_server(struct reader *r, const char *word, char *subject, size_t size)
{
	struct server_query query = { .now_us = time_now_us() };
	struct server_list l;
	bool found = false;

	if (server_list_read(r, &query, &l) == 0)
		for (size_t i = 0; i < l.count && !found; i++) {
			found = strcmp(l.row[i].name, word) == 0 || strcmp(l.row[i].address, word) == 0;
			for (size_t k = 0; k < l.row[i].address_count && !found; k++)
				found = strcmp(l.row[i].addresses[k], word) == 0;
			if (found)
				snprintf(subject, size, "%s", l.row[i].name);
		}
	server_list_fini(&l);
	return found;
}

static int find_subject(struct reader *r, const char *word, char *subject, size_t size)
{
	struct finding_page page;
	int64_t id;

	if (find_server(r, word, subject, size))
		return EX_OK;
	int n = finding_resolve(r, word, &id);
	if (n < 0)
		return command_fail(EX_TEMPFAIL, "%s", reader_message(r));
	if (n != 1)
		return command_fail(EX_USAGE, n ? "ack %s: more than one finding begins so; give more of the id"
				    : "ack %s: neither a server of ours (\"bouncetap servers\") nor the id of a finding", word);
	if (finding_read(r, id, 0, &page) == 0 && page.count)
		snprintf(subject, size, "%s", page.row[0].finding_id);
	else
		n = 0;
	finding_page_fini(&page);
	return n ? EX_OK : command_fail(EX_TEMPFAIL, "ack %s: the finding was judged anew meanwhile; try again", word);
}

/* ---- the list ---- */

static void list_text(sqlite3_stmt *s, struct buf *out)
{
	char time[TIME_TEXT_MAX];
	struct buf line = { 0 };

	escape_terminal(&line, column_text(s, 0), 0);
	if (sqlite3_column_type(s, 1) == SQLITE_NULL)
		buf_add_str(&line, ", until taken back: ");
	else
		buf_printf(&line, ", %s %s: ", sqlite3_column_int(s, 4) ? "over since" : "until", time_format_local(sqlite3_column_int64(s, 1), time));
	escape_terminal(&line, column_text(s, 2), 0);
	paragraph(out, 4, buf_cstr(&line));
	buf_fini(&line);
}

static void list_json(sqlite3_stmt *s, struct buf *out)
{
	char time[TIME_TEXT_MAX];
	struct json j;

	json_begin(&j, out);
	json_object(&j, NULL);
	json_text(&j, "subject", column_text(s, 0));
	json_string(&j, "until", sqlite3_column_type(s, 1) == SQLITE_NULL ? NULL : time_format_utc(sqlite3_column_int64(s, 1), time));
	json_text(&j, "why", column_text(s, 2));
	json_string(&j, "at", time_format_utc(sqlite3_column_int64(s, 3), time));
	json_bool(&j, "over", sqlite3_column_int(s, 4) != 0);
	json_object_end(&j);
	buf_add_char(out, '\n');
}

static int list(struct command_context *c)
{
	char error[512];
	unsigned present;
	enum db_refusal why;
	struct buf out = { 0 };
	sqlite3 *db = db_open_read(c->store, DB_BUSY_MS, &present, &why, error, sizeof error);

	if (!db)
		return command_refuse_store(why, error);
	if (present >> DB_NOTES & 1) {
		sqlite3_stmt *s = db_prepare(db, sql_list);

		sqlite3_bind_int64(s, 1, c->now_us ? c->now_us : time_now_us());
		while (sqlite3_step(s) == SQLITE_ROW)
			(c->json ? list_json : list_text)(s, &out);
		sqlite3_finalize(s);
	}
	sqlite3_close(db);
	if (!out.len && !c->json)
		buf_add_str(&out, "nothing is acknowledged\n");
	int code = command_print(&out);
	buf_fini(&out);
	return code;
}

/* ---- changes ---- */

static int write_ack(sqlite3 *notes, const char *store, char *sql)
{
	char error[512];
	int rc = db_exec(notes, sql, error, sizeof error);

	sqlite3_free(sql);
	if (rc)
		db_exec(notes, "ROLLBACK", NULL, 0);
	return rc ? command_fail(EX_IOERR, "%s/notes.db: %s", store, error) : EX_OK;
}

static int set(struct command_context *c, sqlite3 *notes, const char *subject)
{
	char *until = c->until_us ? sqlite3_mprintf("%lld", (long long)c->until_us) : sqlite3_mprintf("NULL");
	int code = write_ack(notes, c->store, sqlite3_mprintf("BEGIN IMMEDIATE; DELETE FROM ack WHERE subject = %Q; INSERT INTO ack (subject, until_us, why, at_us)"
			     " VALUES (%Q, %s, %Q, %lld); COMMIT", subject, subject, until, c->why, (long long)time_now_us()));

	sqlite3_free(until);
	return code;
}

static int take_back(struct command_context *c, sqlite3 *notes, const char *subject)
{
	int code = write_ack(notes, c->store, sqlite3_mprintf("DELETE FROM ack WHERE subject = %Q", subject));

	if (code == EX_OK && !sqlite3_changes(notes))
		return command_fail(EX_USAGE, "ack %s: it was not acknowledged; \"bouncetap ack\" lists what is", subject);
	return code;
}

static int check_words(const struct command_context *c)
{
	if (c->file_count > 1)
		return command_fail(EX_USAGE, "ack: name one server or finding");
	if (c->take_back)
		return c->file_count && !c->why && !c->until_us ? EX_OK : command_fail(EX_USAGE, "ack --remove: name the server or finding, and nothing else");
	if (!c->file_count)
		return c->why || c->until_us ? command_fail(EX_USAGE, "ack: which server or finding?") : EX_OK;
	if (!c->why || !*c->why || strlen(c->why) > WHY_MAX)
		return command_fail(EX_USAGE, "ack: --why tells others the reason, in at most %d bytes", WHY_MAX);
	if (c->until_us && c->until_us <= time_now_us())
		return command_fail(EX_USAGE, "ack: --until lies in the past");
	return EX_OK;
}

static int run_ack(struct command_context *c)
{
	char subject[256];
	sqlite3 *notes = NULL;
	struct reader *r;
	int code = check_words(c);

	if (code != EX_OK || !c->file_count)
		return code != EX_OK ? code : list(c);
	code = notes_open(c, &notes);
	if (code != EX_OK)
		return code;
	/* What was acknowledged can be taken back when it is no longer there. */
	snprintf(subject, sizeof subject, "%s", c->files[0]);
	bool written = c->take_back && db_int(notes, "SELECT count(*) FROM ack", 0) > 0;
	if (written) {
		char *sql = sqlite3_mprintf("SELECT count(*) FROM ack WHERE subject = %Q", subject);

		written = db_int(notes, sql, 0) > 0;
		sqlite3_free(sql);
	}
	if (!written && (code = command_open_reader(c, &r)) == EX_OK) {
		code = find_subject(r, c->files[0], subject, sizeof subject);
		reader_close(r);
	}
	if (code == EX_OK)
		code = c->take_back ? take_back(c, notes, subject) : set(c, notes, subject);
	sqlite3_close(notes);
	return code;
}

static const struct command_option options[] = {
	{ "until", "TIME", "when it is no longer to be taken for known (default: when it is taken back)", COMMAND_MEMBER(until_us) },
	{ "why", "TEXT", "the reason, for whoever reads the report", COMMAND_MEMBER(why) },
	{ "remove", NULL, "take it back", COMMAND_MEMBER(take_back) },
	COMMAND_FORMAT,
	{ 0 }
};

const struct command command_ack = { "ack", "[SERVER|FINDING]", "a known matter: out of \"do this first\", still shown; without one, the list of them", run_ack, options };
