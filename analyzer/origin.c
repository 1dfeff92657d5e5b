/* origin.c - see origin.h */
#include "analyzer/origin.h"

#include <stdio.h>
#include <stdlib.h>

#include "analyzer/mail.h"
#include "common/xmalloc.h"
#include "schema/db.h"

static const char sql_lines[] = "SELECT from_ip, with_protocol, from_host FROM received WHERE transaction_rowid = ?1 AND part = ?2 ORDER BY n";

enum { PART_OUTER, PART_RETURNED };

struct origins {
	const struct own *own;
	sqlite3_stmt *lines;
};

struct origins *origins_new(sqlite3 *facts, const struct own *own)
{
	struct origins *o = xcalloc(1, sizeof *o);

	o->own = own;
	o->lines = db_prepare(facts, sql_lines);
	return o;
}

void origins_free(struct origins *o)
{
	if (o)
		sqlite3_finalize(o->lines);
	free(o);
}

static bool is_loopback(const struct ip_addr *a)
{
	static const struct ip_addr v6 = { 6, { [15] = 1 } };

	return (a->version == 4 && a->bytes[0] == 127) || ip_equal(a, &v6);
}

/*
 * From the top, lines were written by hosts ever farther away. The first address that is not ours is the one that handed the mail to us (or
 * to the upstream); what stands below it, a spammer may have written.
 */
static struct origin first_outside(struct origins *o, int64_t rowid, int part)
{
	struct origin found = { 0 };

	sqlite3_reset(o->lines);
	sqlite3_bind_int64(o->lines, 1, rowid);
	sqlite3_bind_int(o->lines, 2, part);
	while (sqlite3_step(o->lines) == SQLITE_ROW) {
		struct text t = column_text(o->lines, 0);
		struct ip_addr a;

		if (!t.p || ip_parse(t.p, t.len, &a) || is_loopback(&a) || own_has(o->own, &a) || own_is_upstream(o->own, &a))
			continue;
		found = (struct origin){ .address = a, .from = "received", .authenticated = text_ends_nocase(column_text(o->lines, 1), "a") };
		struct text name = column_text(o->lines, 2);
		snprintf(found.name, sizeof found.name, "%.*s", (int)name.len, name.p ? name.p : "");
		break;
	}
	sqlite3_reset(o->lines);
	return found;
}

struct origin origin_of(struct origins *o, int64_t rowid, const struct route *route)
{
	if (route->origin_from)
		return (struct origin){ .address = route->origin, .from = route->origin_from };
	return first_outside(o, rowid, PART_OUTER);
}

struct origin origin_of_returned(struct origins *o, int64_t answer_rowid)
{
	return first_outside(o, answer_rowid, PART_RETURNED);
}
