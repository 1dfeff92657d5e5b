/* check_probe.c - see check.h: which server is probed for whom, and who may not be. probe.c talks. */
#include "analyzer/check.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/own.h"
#include "common/timefmt.h"
#include "common/xmalloc.h"
#include "schema/db.h"

#define REST_US (15 * INT64_C(60000000))

enum { SMTP_PORT = 25 };

/* ---- who ---- */

/* The first own domain with a name of its own. */
static const char *find_domain(const struct config *config)
{
	for (size_t i = 0; i < config->own.domains.count; i++)
		if (*config->own.domains.item[i] != '.')
			return config->own.domains.item[i];
	return NULL;
}

static bool is_host(const struct ip_prefix *p)
{
	return p->bits == (p->addr.version == 4 ? 32 : 128);
}

/* Behind NAT the server is asked at its own address: the public one often leads nowhere from inside. False when it is none of ours. */
static bool find_server(const struct config *config, const struct own *own, const struct ip_addr *ip, struct ip_addr *server)
{
	for (size_t i = 0; i < config->server_count; i++) {
		const struct config_server *s = &config->server[i];

		if (ip_equal(&s->public_address, ip) && s->addresses.count && is_host(&s->addresses.item[0])) {
			*server = s->addresses.item[0].addr;
			return true;
		}
	}
	*server = *ip;
	return own_has(own, ip);
}

/* ---- once in a while ---- */

static bool was_probed(sqlite3 *notes, const char *address, int64_t wall_us)
{
	sqlite3_stmt *s = db_prepare(notes, "SELECT 1 FROM probe WHERE address = ?1 AND at_us > ?2 AND at_us <= ?3");

	sqlite3_bind_text(s, 1, address, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, wall_us - REST_US);
	sqlite3_bind_int64(s, 3, wall_us);
	bool found = sqlite3_step(s) == SQLITE_ROW;
	sqlite3_finalize(s);
	return found;
}

static bool keep_token(sqlite3 *notes, const struct probe *p, const char *address, int64_t wall_us)
{
	sqlite3_stmt *s = db_prepare(notes, "INSERT INTO probe VALUES (?1, ?2, ?3)");

	sqlite3_bind_text(s, 1, p->token, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, address, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 3, wall_us);
	bool kept = sqlite3_step(s) == SQLITE_DONE;
	sqlite3_finalize(s);
	return kept;
}

static void probe_address(const struct check *c, struct check_address *a, const struct ip_addr *server, sqlite3 *notes, int64_t deadline_us)
{
	struct probe p = { .server = *server, .port = SMTP_PORT };

	probe_make(&p, find_domain(c->config));
	if (was_probed(notes, a->text, c->wall_us))
		a->no_probe = "it was probed less than 15 minutes ago";
	else if (time_monotone_us() >= deadline_us)
		a->no_probe = "its turn did not come in time";
	else if (!keep_token(notes, &p, a->text, c->wall_us))
		a->no_probe = "notes.db cannot be written";
	else {
		probe_run(&p, deadline_us);
		a->probe = xmalloc(sizeof p);
		*a->probe = p;
	}
}

/* ---- all of them ---- */

static int probe_all(struct check *c, const struct own *own, sqlite3 *notes, char *error, unsigned error_size)
{
	int64_t deadline_us = time_monotone_us() + PROBE_SECONDS * INT64_C(1000000);
	struct ip_addr server;

	for (unsigned i = 0; i < c->address_count; i++)
		if (!find_server(c->config, own, &c->address[i].ip, &server)) {
			snprintf(error, error_size, "%s is not ours; only own servers are probed", c->address[i].text);
			return -1;
		}
	for (unsigned i = 0; i < c->address_count; i++) {
		find_server(c->config, own, &c->address[i].ip, &server);
		probe_address(c, &c->address[i], &server, notes, deadline_us);
	}
	return 0;
}

int check_probe(struct check *c, const char *store, char *error, unsigned error_size)
{
	int result = -1;

	if (!find_domain(c->config)) {
		snprintf(error, error_size, "[own] domains names no domain to ask for");
		return -1;
	}
	sqlite3 *notes = check_open_notes(c, store);
	struct own *own = own_new(c->config);
	if (notes)
		result = probe_all(c, own, notes, error, error_size);
	else
		snprintf(error, error_size, "%s/notes.db cannot be written, and has to keep what was sent", store);
	own_free(own);
	sqlite3_close(notes);
	return result;
}
