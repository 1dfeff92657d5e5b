/* inputs.c - see inputs.h */
#include "analyzer/inputs.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/classify.h"
#include "analyzer/domain.h"
#include "analyzer/judge.h"
#include "analyzer/past.h"
#include "common/buf.h"
#include "common/siphash.h"
#include "schema/db.h"

enum { HASH_BYTES = 16 };

/* As hex: tells inputs apart, defends against nobody. */
static void hash_inputs(const struct inputs *in, char out[2 * HASH_BYTES + 1])
{
	static const struct siphash_key key;
	struct buf b = { 0 };
	uint8_t digest[HASH_BYTES];

	own_write(in->own, &b);
	buf_printf(&b, "version %s\n", VERSION);	/* another one may judge otherwise by the same rules */
	buf_printf(&b, "rules %llx %llx suffixes %llx networks %llx\n", (unsigned long long)classify_version(), (unsigned long long)judge_version(),
		   (unsigned long long)domain_list_hash(), (unsigned long long)geo_networks_hash(in->geo));
	for (size_t i = 0; i < in->lists->count; i++) {
		char *text = NULL;
		size_t len = 0;
		FILE *f = open_memstream(&text, &len);

		if (!f)
			abort();
		list_write(&in->lists->item[i], f);
		fclose(f);
		buf_printf(&b, "list %s\n", in->lists->item[i].id);
		buf_add(&b, text, len);
		free(text);
	}
	siphash24_128(&key, b.p, b.len, digest);
	for (unsigned i = 0; i < HASH_BYTES; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
	buf_fini(&b);
}

/* All tables but that of what was pruned. */
static void add_deletes(sqlite3 *verdicts, struct buf *sql)
{
	sqlite3_stmt *s = db_prepare(verdicts, "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'pruned'");

	while (sqlite3_step(s) == SQLITE_ROW)
		buf_printf(sql, "DELETE FROM main.%s;", (const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
}

static int empty_verdicts(const struct inputs *in, const struct inputs_databases *db, const char *store_id, const char *hash, char *error, size_t size)
{
	struct buf b = { 0 };

	buf_add_str(&b, "BEGIN;");	/* IMMEDIATE would lock notes.db, too */
	add_deletes(db->verdicts, &b);
	char *meta = sqlite3_mprintf("INSERT INTO meta VALUES (%Q, 0, 0, %Q, 0, 0);COMMIT", store_id, hash);
	int result = past_attach(db->verdicts, db->store, store_id) || db_exec(db->verdicts, buf_cstr(&b), error, size)
		  || past_restore(db->verdicts, in->own) || db_exec(db->verdicts, meta, error, size) ? -1 : 0;
	if (result) {
		snprintf(error, size, "%s: %s", db->store, sqlite3_errmsg(db->verdicts));
		db_exec(db->verdicts, "ROLLBACK", NULL, 0);
	}
	past_detach(db->verdicts);
	sqlite3_free(meta);
	buf_fini(&b);
	return result;
}

int inputs_agree(const struct inputs *in, const struct inputs_databases *db, bool rebuild, FILE *say, char *error, size_t error_size)
{
	char facts_id[64] = "", verdicts_id[64] = "", hash[2 * HASH_BYTES + 1], old_hash[2 * HASH_BYTES + 1] = "";

	hash_inputs(in, hash);
	if (db_text(db->facts, "SELECT store_id FROM meta", facts_id, sizeof facts_id)) {
		snprintf(error, error_size, "%s/facts.db: has no store_id; bouncetapd has not finished making it", db->store);
		return -1;
	}
	bool fresh = db_text(db->verdicts, "SELECT store_id FROM meta", verdicts_id, sizeof verdicts_id) != 0;
	db_text(db->verdicts, "SELECT inputs FROM meta", old_hash, sizeof old_hash);
	bool other = strcmp(facts_id, verdicts_id) != 0, changed = strcmp(hash, old_hash) != 0;
	if (!fresh && other && say)
		fputs("bouncetap: facts.db is another store than the verdicts were about: starting anew\n", say);
	else if (!fresh && changed && !rebuild && say)
		fputs("bouncetap: own networks, rules, lists or the database of networks changed: judging everything again\n", say);
	return fresh || other || changed || rebuild ? empty_verdicts(in, db, facts_id, hash, error, error_size) : 0;
}
