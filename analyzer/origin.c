/* origin.c - see origin.h */
#include "analyzer/origin.h"

#include <stdio.h>
#include <stdlib.h>

#include "analyzer/hop.h"
#include "analyzer/mail.h"
#include "common/ip.h"
#include "common/xmalloc.h"
#include "schema/db.h"

static const char sql_outer[] = "SELECT received FROM messages WHERE transaction_rowid = ?1";
static const char sql_returned[] = "SELECT received FROM returned WHERE transaction_rowid = ?1";

struct origins {
	const struct own *own;
	sqlite3_stmt *outer, *returned;
};

struct origins *origins_new(sqlite3 *facts, const struct own *own)
{
	struct origins *o = xcalloc(1, sizeof *o);

	o->own = own;
	o->outer = db_prepare(facts, sql_outer);
	o->returned = db_prepare(facts, sql_returned);
	return o;
}

void origins_free(struct origins *o)
{
	if (!o)
		return;
	sqlite3_finalize(o->outer);
	sqlite3_finalize(o->returned);
	free(o);
}

/*
 * From the top, lines were written by hosts ever farther away. The first address that is not ours is the one that handed the mail to us (or
 * to the upstream); what stands below it, a spammer may have written. Private addresses are of the network of who wrote the line: containers,
 * filters.
 */
static struct origin first_outside(struct origins *o, sqlite3_stmt *s, int64_t rowid)
{
	struct origin found = { 0 };
	struct hop hop;
	bool by_upstream = false;

	sqlite3_reset(s);
	sqlite3_bind_int64(s, 1, rowid);
	struct text lines = sqlite3_step(s) == SQLITE_ROW ? column_text(s, 0) : (struct text){ 0 };
	while (hop_next(&lines, &hop)) {
		struct ip_addr a;

		if (!hop.from_ip.p || ip_parse(hop.from_ip.p, hop.from_ip.len, &a))
			continue;
		by_upstream |= own_is_upstream(o->own, &a);
		if (!ip_is_world(&a) || own_has(o->own, &a) || own_is_upstream(o->own, &a))
			continue;
		found = (struct origin){ .address = a, .from = "received", .authenticated = text_ends_nocase(hop.with, "a"), .by_upstream = by_upstream };
		snprintf(found.name, sizeof found.name, "%.*s", (int)hop.from_host.len, hop.from_host.p ? hop.from_host.p : "");
		snprintf(found.writer, sizeof found.writer, "%.*s", (int)hop.by_host.len, hop.by_host.p ? hop.by_host.p : "");
		break;
	}
	sqlite3_reset(s);
	return found;
}

struct origin origin_of(struct origins *o, int64_t rowid, const struct route *route)
{
	if (route->origin_from)
		return (struct origin){ .address = route->origin, .from = route->origin_from };
	return first_outside(o, o->outer, rowid);
}

struct origin origin_of_returned(struct origins *o, int64_t answer_rowid)
{
	return first_outside(o, o->returned, answer_rowid);
}
