/*
 * servers.c - see servers.h. Addresses and names are few (hundreds), looked up per mail: two sorted arrays.
 */
#include "analyzer/servers.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/domain.h"
#include "analyzer/mail.h"
#include "common/xmalloc.h"
#include "schema/db.h"

/* A load balancer or a broken EHLO must not fill the store with names; real servers have one to three. */
enum { NAMES_PER_SERVER = 32 };

static const char sql_load[] = "SELECT id, name, address, public_address, sends_only, software FROM server";
static const char sql_load_names[] = "SELECT server_id, name FROM server_name";
static const char sql_save[] =
	"INSERT INTO server (id, name, address, public_address, sends_only, software) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
	" ON CONFLICT (id) DO UPDATE SET address = ?3, public_address = ?4, sends_only = ?5, software = ?6";
static const char sql_save_name[] = "INSERT OR IGNORE INTO server_name (server_id, name) VALUES (?, ?)";

struct address_entry {
	struct ip_addr address;
	struct server *server;
};

struct name_entry {
	char *name;
	struct server *server;
};

struct servers {
	const struct own *own;
	sqlite3_stmt *save, *save_name;
	struct server **server;
	size_t count;
	struct address_entry *by_address;
	size_t address_count;
	struct name_entry *by_name;	/* sorted by name, then server */
	size_t name_count;
};

static int64_t id_of(const char *name)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * UINT64_C(1099511628211);
	return (int64_t)(h >> 12);	/* 52 bits: exact in JSON readers that know only doubles */
}

int64_t servers_id_of(const struct own *own, const struct ip_addr *a)
{
	const struct config_server *c = own_server(own, a);
	char text[IP_TEXT_MAX];

	return id_of(c ? c->name : ip_format(a, text));
}

/* Position of the first entry that is not less than a. */
static size_t address_position(const struct servers *s, const struct ip_addr *a)
{
	size_t lo = 0, hi = s->address_count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (ip_compare(&s->by_address[mid].address, a) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct server *server_by_id(const struct servers *s, int64_t id)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->server[i]->id == id)
			return s->server[i];
	return NULL;
}

/* A configured server has one row for all its addresses; those not seen in this run are known by its name. */
struct server *servers_find(const struct servers *s, const struct ip_addr *a)
{
	size_t i = address_position(s, a);

	if (i < s->address_count && ip_equal(&s->by_address[i].address, a))
		return s->by_address[i].server;
	const struct config_server *c = own_server(s->own, a);
	return c ? server_by_id(s, id_of(c->name)) : NULL;
}

static void index_address(struct servers *s, const struct ip_addr *a, struct server *server)
{
	size_t i = address_position(s, a);

	s->by_address = xreallocarray(s->by_address, s->address_count + 1, sizeof *s->by_address);
	memmove(s->by_address + i + 1, s->by_address + i, (s->address_count - i) * sizeof *s->by_address);
	s->by_address[i] = (struct address_entry){ *a, server };
	s->address_count++;
}

static struct server *append(struct servers *s, const char *name, const struct ip_addr *address)
{
	struct server *server = xcalloc(1, sizeof *server);

	server->name = xstrdup(name);
	server->id = id_of(name);
	server->address = server->public_address = *address;
	s->server = xreallocarray(s->server, s->count + 1, sizeof *s->server);
	s->server[s->count++] = server;
	return server;
}

/* Of several addresses the least one that was seen is shown, in whatever order they come. */
static void take_least_address(struct server *server, const struct ip_addr *a, const struct config_server *c)
{
	if (ip_compare(a, &server->address) >= 0)
		return;
	server->address = *a;
	if (!c->public_address.version)
		server->public_address = *a;
	server->dirty = true;
}

struct server *servers_add(struct servers *s, const struct ip_addr *a)
{
	struct server *server = servers_find(s, a);
	const struct config_server *c = own_server(s->own, a);
	char text[IP_TEXT_MAX];

	if (server && c)
		take_least_address(server, a, c);
	if (server)
		return server;
	const char *name = c ? c->name : ip_format(a, text);
	server = server_by_id(s, id_of(name));
	if (!server) {
		server = append(s, name, a);
		if (c && c->public_address.version)
			server->public_address = c->public_address;
	}
	server->dirty = true;
	index_address(s, a, server);
	return server;
}

static int compare_names(const struct name_entry *e, const char *name, const struct server *server)
{
	int c = strcmp(e->name, name);

	return c ? c : !server ? 1 : e->server->id < server->id ? -1 : e->server->id > server->id;
}

static size_t name_position(const struct servers *s, const char *name, const struct server *server)
{
	size_t lo = 0, hi = s->name_count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (compare_names(&s->by_name[mid], name, server) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool index_name(struct servers *s, struct server *server, const char *name)
{
	size_t i = name_position(s, name, server);

	if (i < s->name_count && compare_names(&s->by_name[i], name, server) == 0)
		return false;
	size_t have = 0;
	for (size_t k = 0; k < s->name_count; k++)
		have += s->by_name[k].server == server;
	if (have >= NAMES_PER_SERVER)
		return false;
	s->by_name = xreallocarray(s->by_name, s->name_count + 1, sizeof *s->by_name);
	memmove(s->by_name + i + 1, s->by_name + i, (s->name_count - i) * sizeof *s->by_name);
	s->by_name[i] = (struct name_entry){ xstrdup(name), server };
	s->name_count++;
	return true;
}

/* Lower case, without the last dot; false when it is no host name. */
static bool host_name(struct text t, char out[256])
{
	if (!t.p || !domain_is_name(t))
		return false;
	if (t.p[t.len - 1] == '.')
		t.len--;
	for (uint32_t i = 0; i < t.len; i++)
		out[i] = (char)tolower((unsigned char)t.p[i]);
	out[t.len] = '\0';
	return true;
}

bool servers_add_name(struct servers *s, struct server *server, struct text name)
{
	char host[256];

	if (!host_name(name, host) || !index_name(s, server, host))
		return false;
	sqlite3_bind_int64(s->save_name, 1, server->id);
	sqlite3_bind_text(s->save_name, 2, host, -1, SQLITE_STATIC);
	sqlite3_step(s->save_name);
	sqlite3_reset(s->save_name);
	return true;
}

struct server *servers_by_name(const struct servers *s, struct text name)
{
	char host[256];

	if (!host_name(name, host))
		return NULL;
	size_t i = name_position(s, host, NULL);
	return i < s->name_count && strcmp(s->by_name[i].name, host) == 0 ? s->by_name[i].server : NULL;
}

static void load(struct servers *s, sqlite3 *db)
{
	sqlite3_stmt *q = db_prepare(db, sql_load);

	while (sqlite3_step(q) == SQLITE_ROW) {
		struct text name = column_text(q, 1), address = column_text(q, 2), public = column_text(q, 3), software = column_text(q, 5);
		struct ip_addr a;

		if (ip_parse(address.p, address.len, &a))
			continue;
		struct server *server = append(s, name.p, &a);
		ip_parse(public.p, public.len, &server->public_address);
		server->serves = !sqlite3_column_int(q, 4);
		if (software.p)
			server->software = server->stored_software = xstrndup(software.p, software.len);
		index_address(s, &a, server);
	}
	sqlite3_finalize(q);
	q = db_prepare(db, sql_load_names);
	while (sqlite3_step(q) == SQLITE_ROW) {
		struct server *server = server_by_id(s, sqlite3_column_int64(q, 0));

		if (server)
			index_name(s, server, column_text(q, 1).p);
	}
	sqlite3_finalize(q);
}

struct servers *servers_new(sqlite3 *verdicts, const struct own *own)
{
	struct servers *s = xcalloc(1, sizeof *s);

	s->own = own;
	load(s, verdicts);
	s->save = db_prepare(verdicts, sql_save);
	s->save_name = db_prepare(verdicts, sql_save_name);
	return s;
}

void servers_flush(struct servers *s)
{
	char address[IP_TEXT_MAX], public[IP_TEXT_MAX];

	for (size_t i = 0; i < s->count; i++) {
		struct server *v = s->server[i];

		if (!v->dirty)
			continue;
		sqlite3_bind_int64(s->save, 1, v->id);
		sqlite3_bind_text(s->save, 2, v->name, -1, SQLITE_STATIC);
		sqlite3_bind_text(s->save, 3, ip_format(&v->address, address), -1, SQLITE_STATIC);
		sqlite3_bind_text(s->save, 4, ip_format(&v->public_address, public), -1, SQLITE_STATIC);
		sqlite3_bind_int(s->save, 5, !v->serves);
		sqlite3_bind_text(s->save, 6, v->software, -1, SQLITE_STATIC);
		sqlite3_step(s->save);
		sqlite3_reset(s->save);
		v->dirty = false;
	}
}

void servers_free(struct servers *s)
{
	if (!s)
		return;
	sqlite3_finalize(s->save);
	sqlite3_finalize(s->save_name);
	for (size_t i = 0; i < s->count; i++) {
		free(s->server[i]->name);
		free(s->server[i]->stored_software);
		free(s->server[i]);
	}
	for (size_t i = 0; i < s->name_count; i++)
		free(s->by_name[i].name);
	free(s->server);
	free(s->by_address);
	free(s->by_name);
	free(s);
}
