/* notes.c - see notes.h */
#include "analyzer/notes.h"

#include <string.h>
#include <sysexits.h>

#include "common/user.h"

enum { BUSY_MS = 5000 };

static int read_store_id(const char *store, char *id, size_t size)
{
	char error[512];
	unsigned present;
	enum db_refusal why;
	sqlite3 *facts = db_open_read(store, DB_BUSY_MS, &present, &why, error, sizeof error);

	if (!facts)
		return command_refuse_store(why, error);
	db_text(facts, "SELECT store_id FROM meta", id, size);
	sqlite3_close(facts);
	return EX_OK;
}

/* Notes name findings and servers of one store; those of another one are not for this. */
static int check_store(const char *store, sqlite3 *notes, const char *facts_id)
{
	char error[512], notes_id[64] = "";
	int code = EX_OK;

	if (db_text(notes, "SELECT store_id FROM meta", notes_id, sizeof notes_id)) {
		char *sql = sqlite3_mprintf("INSERT INTO meta SELECT %Q WHERE NOT EXISTS (SELECT 1 FROM meta)", facts_id);

		if (db_exec(notes, sql, error, sizeof error))
			code = command_fail(EX_IOERR, "%s/notes.db: %s", store, error);
		sqlite3_free(sql);
	} else if (strcmp(facts_id, notes_id) != 0)
		code = command_fail(EX_DATAERR, "%s/notes.db: of another store than facts.db; move it away", store);
	return code;
}

int notes_open(const struct command_context *c, sqlite3 **out)
{
	char error[512], facts_id[64] = "";

	if (user_become_owner(c->store, error, sizeof error))
		return command_fail(EX_NOINPUT, "%s", error);
	int code = read_store_id(c->store, facts_id, sizeof facts_id);
	if (code != EX_OK)
		return code;
	*out = db_open_write(c->store, DB_NOTES, BUSY_MS, NULL, error, sizeof error);
	if (!*out)
		return command_fail(EX_NOPERM, "%s", error);
	code = check_store(c->store, *out, facts_id);
	if (code != EX_OK) {
		sqlite3_close(*out);
		*out = NULL;
	}
	return code;
}
