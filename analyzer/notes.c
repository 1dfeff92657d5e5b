/* notes.c - see notes.h */
#include "analyzer/notes.h"

#include <string.h>
#include <sysexits.h>

#include "common/user.h"

enum { BUSY_MS = 5000 };

/* Notes name findings and servers of one store; those of another one are not for this. */
static int check_store(const char *store, sqlite3 *notes)
{
	char error[512], facts_id[64] = "", notes_id[64] = "";
	unsigned present;
	sqlite3 *facts = db_open_read(store, &present, error, sizeof error);
	int code = EX_OK;

	if (!facts)
		return command_fail(EX_NOINPUT, "%s", error);
	db_text(facts, "SELECT store_id FROM meta", facts_id, sizeof facts_id);
	sqlite3_close(facts);
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
	char error[512];

	if (user_become_owner(c->store, error, sizeof error))
		return command_fail(EX_NOINPUT, "%s", error);
	*out = db_open_write(c->store, DB_NOTES, BUSY_MS, NULL, error, sizeof error);
	if (!*out)
		return command_fail(EX_NOPERM, "%s", error);
	int code = check_store(c->store, *out);
	if (code != EX_OK) {
		sqlite3_close(*out);
		*out = NULL;
	}
	return code;
}
