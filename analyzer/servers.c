/* servers.c - see servers.h. Addresses and names are few (hundreds to thousands), looked up per mail: sorted arrays. */
#include "analyzer/servers.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/domain.h"
#include "analyzer/mail.h"
#include "common/xmalloc.h"
#include "schema/db.h"

/*
 * A load balancer or a broken EHLO must not fill the store with names; real servers have one to three. The first ones of the alphabet are kept:
 * which they are does not depend on the order in which they came.
 */
enum { NAMES_PER_SERVER = 32 };

static const char sql_load[] = "SELECT id, name, address, public_address, sends_only, software, software_us FROM server";
static const char sql_load_addresses[] = "SELECT server_id, address, sends FROM server_address";
static const char sql_load_names[] = "SELECT server_id, name FROM server_name";
static const char sql_save[] = "INSERT INTO server (id, name, address, public_address, sends_only, software, software_us)"
	" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE SET address = ?3, public_address = ?4, sends_only = ?5, software = ?6,"
	" software_us = ?7";
static const char sql_save_address[] = "INSERT OR REPLACE INTO server_address (server_id, address, public_address, sends) VALUES (?1, ?2, ?3, ?4)";
static const char sql_save_name[] = "INSERT OR IGNORE INTO server_name (server_id, name) VALUES (?1, ?2)";
static const char sql_drop_name[] = "DELETE FROM server_name WHERE server_id = ?1 AND name = ?2";

struct address_entry {
	struct ip_addr address;
	struct server *server;
	bool sends, dirty;
};

struct name_entry {
	char *name;
	struct server *server;
};

struct servers {
	const struct own *own;
	sqlite3_stmt *save, *save_address, *save_name, *drop_name;
	struct server **server;		/* by id; those without a name of their own are no servers so far */
	size_t count;
	struct address_entry *by_address;	/* of servers */
	size_t address_count;
	struct name_entry *by_name;	/* sorted by name, then server */
	size_t name_count;
	struct idset *asked, news;
};

/* FNV-1a: tells names apart, defends against nobody. 52 bits: exact in JSON readers that know only doubles. */
static int64_t hash_of(const char *text, uint64_t h)
{
	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return (int64_t)(h >> 12);
}

static int64_t id_of(const char *name)
{
	return hash_of(name, UINT64_C(14695981039346656037));
}

static int64_t key_of_name(const char *host)
{
	return hash_of(host, UINT64_C(0x6e616d65));
}

int64_t servers_id_of(const struct own *own, const struct ip_addr *a)
{
	const struct config_server *c = own_server(own, a);
	char text[IP_TEXT_MAX];

	return id_of(c ? c->name : ip_format(a, text));
}

/* ---- by id ---- */

static size_t id_position(const struct servers *s, int64_t id)
{
	size_t lo = 0, hi = s->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->server[mid]->id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct server *server_by_id(struct servers *s, int64_t id)
{
	size_t i = id_position(s, id);

	if (i < s->count && s->server[i]->id == id)
		return s->server[i];
	struct server *server = xcalloc(1, sizeof *server);
	server->id = id;
	s->server = xreallocarray(s->server, s->count + 1, sizeof *s->server);
	memmove(s->server + i + 1, s->server + i, (s->count - i) * sizeof *s->server);
	s->server[i] = server;
	s->count++;
	return server;
}

/* ---- by address ---- */

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

static struct address_entry *find_address(const struct servers *s, const struct ip_addr *a)
{
	size_t i = address_position(s, a);

	return i < s->address_count && ip_equal(&s->by_address[i].address, a) ? &s->by_address[i] : NULL;
}

/* A configured server has one row for all its addresses; those not seen so far are known by its name. */
struct server *servers_find(const struct servers *s, const struct ip_addr *a)
{
	const struct address_entry *e = find_address(s, a);

	if (e)
		return e->server;
	const struct config_server *c = own_server(s->own, a);
	if (!c && !s->asked)
		return NULL;
	int64_t id = servers_id_of(s->own, a);
	size_t i = id_position(s, id);
	if (i < s->count && s->server[i]->id == id && s->server[i]->name)
		return s->server[i];
	if (s->asked && own_has(s->own, a))
		idset_add(s->asked, id);
	return NULL;
}

bool servers_serves(const struct servers *s, const struct ip_addr *a)
{
	const struct server *server = servers_find(s, a);

	if (server && !server->serves && s->asked)
		idset_add(s->asked, server->id);
	return server && server->serves;
}

static struct address_entry *index_address(struct servers *s, const struct ip_addr *a, struct server *server)
{
	size_t i = address_position(s, a);

	s->by_address = xreallocarray(s->by_address, s->address_count + 1, sizeof *s->by_address);
	memmove(s->by_address + i + 1, s->by_address + i, (s->address_count - i) * sizeof *s->by_address);
	s->by_address[i] = (struct address_entry){ .address = *a, .server = server };
	s->address_count++;
	return &s->by_address[i];
}

static struct ip_addr public_address(const struct servers *s, const struct ip_addr *a)
{
	const struct config_server *c = own_server(s->own, a);

	return c && c->public_address.version ? c->public_address : *a;
}

/* Of several addresses the least one that was seen is shown, in whatever order they come. */
static void take_least_address(const struct servers *s, struct server *server, const struct ip_addr *a)
{
	if (server->address.version && ip_compare(a, &server->address) >= 0)
		return;
	server->address = *a;
	server->public_address = public_address(s, a);
	server->dirty = true;
}

static void become_server(struct servers *s, struct server *server, const char *name)
{
	server->name = xstrdup(name);
	server->dirty = true;
	idset_add(&s->news, server->id);
	for (size_t i = 0; i < s->name_count && server->name_count; i++)
		if (s->by_name[i].server == server)
			idset_add(&s->news, key_of_name(s->by_name[i].name));
}

static struct address_entry *add_address(struct servers *s, const struct ip_addr *a)
{
	const struct config_server *c = own_server(s->own, a);
	char text[IP_TEXT_MAX];
	struct server *server = server_by_id(s, servers_id_of(s->own, a));

	if (!server->name)
		become_server(s, server, c ? c->name : ip_format(a, text));
	take_least_address(s, server, a);
	struct address_entry *e = index_address(s, a, server);
	e->dirty = true;
	return e;
}

struct server *servers_add(struct servers *s, const struct ip_addr *a)
{
	const struct address_entry *e = find_address(s, a);

	return e ? e->server : add_address(s, a)->server;
}

void servers_note_sender(struct servers *s, const struct ip_addr *a)
{
	struct address_entry *e = find_address(s, a);

	if (!e)
		e = add_address(s, a);
	e->dirty |= !e->sends;
	e->sends = true;
}

void servers_note_serves(struct servers *s, struct server *server)
{
	if (server->serves)
		return;
	server->serves = server->dirty = true;
	idset_add(&s->news, server->id);
}

void servers_note_software(struct server *server, const char *software, int64_t at_us)
{
	if (!software || (server->software && (at_us < server->software_us
					       || (at_us == server->software_us && strcmp(software, server->software) >= 0))))
		return;
	free(server->software);
	server->software = xstrdup(software);
	server->software_us = at_us;
	server->dirty = true;
}

/* ---- by name ---- */

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

static void run_name(sqlite3_stmt *q, int64_t server_id, const char *name)
{
	sqlite3_bind_int64(q, 1, server_id);
	sqlite3_bind_text(q, 2, name, -1, SQLITE_STATIC);
	sqlite3_step(q);
	sqlite3_reset(q);
}

static void tell_name(struct servers *s, const struct server *server, const char *name)
{
	if (server->name)
		idset_add(&s->news, key_of_name(name));
}

/* Makes room for name; false when all that are there come before it. */
static bool drop_last_name(struct servers *s, struct server *server, const char *name)
{
	size_t i = s->name_count;

	while (i > 0 && s->by_name[i - 1].server != server)
		i--;
	if (i == 0 || strcmp(s->by_name[i - 1].name, name) < 0)
		return false;
	tell_name(s, server, s->by_name[i - 1].name);
	run_name(s->drop_name, server->id, s->by_name[i - 1].name);
	free(s->by_name[i - 1].name);
	memmove(s->by_name + i - 1, s->by_name + i, (s->name_count - i) * sizeof *s->by_name);
	s->name_count--;
	server->name_count--;
	return true;
}

static bool index_name(struct servers *s, struct server *server, const char *name)
{
	size_t i = name_position(s, name, server);

	if (i < s->name_count && compare_names(&s->by_name[i], name, server) == 0)
		return false;
	if (server->name_count >= NAMES_PER_SERVER && !drop_last_name(s, server, name))
		return false;
	i = name_position(s, name, server);
	s->by_name = xreallocarray(s->by_name, s->name_count + 1, sizeof *s->by_name);
	memmove(s->by_name + i + 1, s->by_name + i, (s->name_count - i) * sizeof *s->by_name);
	s->by_name[i] = (struct name_entry){ xstrdup(name), server };
	s->name_count++;
	server->name_count++;
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

void servers_note_name(struct servers *s, const struct ip_addr *a, struct text name)
{
	char host[256];

	if (!host_name(name, host))
		return;
	const struct address_entry *e = find_address(s, a);
	struct server *server = e ? e->server : server_by_id(s, servers_id_of(s->own, a));
	if (!index_name(s, server, host))
		return;
	tell_name(s, server, host);
	run_name(s->save_name, server->id, host);
}

struct server *servers_by_name(const struct servers *s, struct text name)
{
	char host[256];

	if (!host_name(name, host))
		return NULL;
	if (s->asked)
		idset_add(s->asked, key_of_name(host));
	for (size_t i = name_position(s, host, NULL); i < s->name_count && strcmp(s->by_name[i].name, host) == 0; i++)
		if (s->by_name[i].server->name)
			return s->by_name[i].server;
	return NULL;
}

/* ---- what was asked ---- */

void servers_record(struct servers *s, struct idset *asked)
{
	s->asked = asked;
}

struct idset servers_news(struct servers *s)
{
	struct idset news = s->news;

	s->news = (struct idset){ 0 };
	return news;
}

/* ---- the store ---- */

static void load_servers(struct servers *s, sqlite3 *db)
{
	sqlite3_stmt *q = db_prepare(db, sql_load);

	while (sqlite3_step(q) == SQLITE_ROW) {
		struct text address = column_text(q, 2), public = column_text(q, 3), software = column_text(q, 5);
		struct server *server = server_by_id(s, sqlite3_column_int64(q, 0));

		server->name = xstrdup(column_text(q, 1).p);
		ip_parse(address.p, address.len, &server->address);
		ip_parse(public.p, public.len, &server->public_address);
		server->serves = !sqlite3_column_int(q, 4);
		server->software = software.p ? xstrndup(software.p, software.len) : NULL;
		server->software_us = sqlite3_column_int64(q, 6);
	}
	sqlite3_finalize(q);
}

static void load(struct servers *s, sqlite3 *db)
{
	struct ip_addr a;

	load_servers(s, db);
	sqlite3_stmt *q = db_prepare(db, sql_load_addresses);
	while (sqlite3_step(q) == SQLITE_ROW) {
		struct text address = column_text(q, 1);

		if (ip_parse(address.p, address.len, &a) == 0)
			index_address(s, &a, server_by_id(s, sqlite3_column_int64(q, 0)))->sends = sqlite3_column_int(q, 2);
	}
	sqlite3_finalize(q);
	q = db_prepare(db, sql_load_names);
	while (sqlite3_step(q) == SQLITE_ROW)
		index_name(s, server_by_id(s, sqlite3_column_int64(q, 0)), column_text(q, 1).p);
	sqlite3_finalize(q);
}

struct servers *servers_new(sqlite3 *verdicts, const struct own *own)
{
	struct servers *s = xcalloc(1, sizeof *s);

	s->own = own;
	s->drop_name = db_prepare(verdicts, sql_drop_name);
	load(s, verdicts);
	s->save = db_prepare(verdicts, sql_save);
	s->save_address = db_prepare(verdicts, sql_save_address);
	s->save_name = db_prepare(verdicts, sql_save_name);
	return s;
}

static void save_server(struct servers *s, struct server *v)
{
	char address[IP_TEXT_MAX], public[IP_TEXT_MAX];

	sqlite3_bind_int64(s->save, 1, v->id);
	sqlite3_bind_text(s->save, 2, v->name, -1, SQLITE_STATIC);
	sqlite3_bind_text(s->save, 3, ip_format(&v->address, address), -1, SQLITE_STATIC);
	sqlite3_bind_text(s->save, 4, ip_format(&v->public_address, public), -1, SQLITE_STATIC);
	sqlite3_bind_int(s->save, 5, !v->serves);
	sqlite3_bind_text(s->save, 6, v->software, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s->save, 7, v->software_us);
	sqlite3_step(s->save);
	sqlite3_reset(s->save);
	v->dirty = false;
}

static void save_address(struct servers *s, struct address_entry *e)
{
	char address[IP_TEXT_MAX], public[IP_TEXT_MAX];
	struct ip_addr p = public_address(s, &e->address);

	sqlite3_bind_int64(s->save_address, 1, e->server->id);
	sqlite3_bind_text(s->save_address, 2, ip_format(&e->address, address), -1, SQLITE_STATIC);
	sqlite3_bind_text(s->save_address, 3, ip_format(&p, public), -1, SQLITE_STATIC);
	sqlite3_bind_int(s->save_address, 4, e->sends);
	sqlite3_step(s->save_address);
	sqlite3_reset(s->save_address);
	e->dirty = false;
}

void servers_flush(struct servers *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->server[i]->name && s->server[i]->dirty)
			save_server(s, s->server[i]);
	for (size_t i = 0; i < s->address_count; i++)
		if (s->by_address[i].dirty)
			save_address(s, &s->by_address[i]);
}

void servers_free(struct servers *s)
{
	if (!s)
		return;
	sqlite3_finalize(s->save);
	sqlite3_finalize(s->save_address);
	sqlite3_finalize(s->save_name);
	sqlite3_finalize(s->drop_name);
	for (size_t i = 0; i < s->count; i++) {
		free(s->server[i]->name);
		free(s->server[i]->software);
		free(s->server[i]);
	}
	for (size_t i = 0; i < s->name_count; i++)
		free(s->by_name[i].name);
	free(s->server);
	free(s->by_address);
	free(s->by_name);
	idset_fini(&s->news);
	free(s);
}
