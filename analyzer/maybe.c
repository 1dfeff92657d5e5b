/* maybe.c - see maybe.h */
#include "analyzer/maybe.h"

#include <stdlib.h>

#include "common/xmalloc.h"

enum { INDEX_BITS = 21 };

struct maybe {
	uint64_t word[(1u << INDEX_BITS) / 64];
};

struct maybe *maybe_new(void)
{
	return xcalloc(1, sizeof(struct maybe));
}

void maybe_free(struct maybe *m)
{
	free(m);
}

/* Both come from one product: ids are hashes already, or counters. */
static uint32_t index_of(int64_t id, int which)
{
	uint64_t h = (uint64_t)id * UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)(h >> (which ? 64 - 2 * INDEX_BITS : 64 - INDEX_BITS)) & ((1u << INDEX_BITS) - 1);
}

void maybe_add(struct maybe *m, int64_t id)
{
	for (int which = 0; which < 2; which++) {
		uint32_t i = index_of(id, which);

		m->word[i / 64] |= UINT64_C(1) << i % 64;
	}
}

void maybe_add_rows(struct maybe *m, sqlite3_stmt *rows)
{
	while (sqlite3_step(rows) == SQLITE_ROW)
		maybe_add(m, sqlite3_column_int64(rows, 0));
	sqlite3_finalize(rows);
}

bool maybe_has(const struct maybe *m, int64_t id)
{
	uint32_t a = index_of(id, 0), b = index_of(id, 1);

	return (m->word[a / 64] >> a % 64 & 1) && (m->word[b / 64] >> b % 64 & 1);
}
