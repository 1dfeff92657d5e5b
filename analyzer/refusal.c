/*
 * refusal.c - see refusal.h. Forms of domain.md 3.4; a list of domains (URIBL, DBL) and a receiver's own resolver fault are not about us.
 */
#include "analyzer/refusal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/domain.h"
#include "analyzer/finding.h"
#include "common/xmalloc.h"
#include "schema/db.h"

/* Lower-case text that stands before the list's name. */
static const char *const before_zone[] = { "blocked using ", "listed at ", "listed in ", "listed by ", "listed on ", "blacklisted by ",
	"blacklisted at ", "blacklisted on ", "blocked by ", "rejected by ", "in an rbl on ", "in a black list at ", "blocklisted by ", "lookup site '",
	"rejected due to ", "found in ", "dnsbl:", "listed by the lookup site " };

/* Names of operators in texts that give no zone, or only a page. */
static const struct { const char *text, *zone; } by_name[] = {
	{ "backscatterer", "backscatterer.org" }, { "spamcop.net", "spamcop.net" }, { "spamhaus", "spamhaus.org" },
	{ "barracudacentral.org", "barracudacentral.org" }, { "uceprotect", "uceprotect.net" }, { "abusix", "abusix.zone" },
	{ "spameatingmonkey", "spameatingmonkey.net" }, { "sorbs.net", "sorbs.net" }, { "psbl", "psbl.surriel.com" },
};

static const char *const not_about_us[] = { "query refused", "uribl", "surbl", "dbl.spamhaus", "open resolver" };

/* Words without which a mention of an operator is no refusal for being listed. */
static const char *const listing_words[] = { "block", "list", "rbl", "reject", "backscatter:" };

static bool has_any(struct text t, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text_find_nocase(t, words[i]) >= 0)
			return true;
	return false;
}

static struct text host_at(struct text t, size_t at)
{
	size_t end = at;

	while (end < t.len && (t.p[end] == '-' || t.p[end] == '.' || t.p[end] == '_' || (t.p[end] >= '0' && t.p[end] <= '9')
			       || ((t.p[end] | 32) >= 'a' && (t.p[end] | 32) <= 'z')))
		end++;
	while (end > at && t.p[end - 1] == '.')
		end--;
	return (struct text){ t.p + at, (uint32_t)(end - at) };
}

bool refusal_zone(struct text reply, struct text *zone)
{
	if (!reply.p || has_any(reply, not_about_us, sizeof not_about_us / sizeof *not_about_us))
		return false;
	for (size_t i = 0; i < sizeof before_zone / sizeof *before_zone; i++) {
		ptrdiff_t at = text_find_nocase(reply, before_zone[i]);

		if (at < 0)
			continue;
		*zone = host_at(reply, (size_t)at + strlen(before_zone[i]));
		if (domain_is_name(*zone))
			return true;
	}
	if (!has_any(reply, listing_words, sizeof listing_words / sizeof *listing_words))
		return false;
	for (size_t i = 0; i < sizeof by_name / sizeof *by_name; i++)
		if (text_find_nocase(reply, by_name[i].text) >= 0) {
			*zone = (struct text){ by_name[i].zone, (uint32_t)strlen(by_name[i].zone) };
			return true;
		}
	return false;
}

static const char sql_recipients[] = "SELECT n, code, reply FROM recipients WHERE transaction_rowid = ?1 AND code >= 400";
static const char sql_insert[] =
	"INSERT OR IGNORE INTO refusal (refusal_id, session_id, server_id, address, list, zone, remote_ip, code, reply, at_us)"
	" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

struct refusals {
	const struct own *own;
	struct servers *servers;
	const struct lists *lists;
	sqlite3_stmt *recipients, *insert;
};

struct refusals *refusals_new(sqlite3 *facts, sqlite3 *verdicts, const struct own *own, struct servers *servers, const struct lists *lists)
{
	struct refusals *r = xcalloc(1, sizeof *r);

	*r = (struct refusals){ own, servers, lists, db_prepare(facts, sql_recipients), db_prepare(verdicts, sql_insert) };
	return r;
}

void refusals_free(struct refusals *r)
{
	if (!r)
		return;
	sqlite3_finalize(r->recipients);
	sqlite3_finalize(r->insert);
	free(r);
}

static const struct list *list_of(const struct lists *lists, struct text zone)
{
	for (size_t i = 0; i < lists->count; i++)
		for (size_t k = 0; k < lists->item[i].named_as.count; k++) {
			const char *name = lists->item[i].named_as.item[k];
			size_t n = strlen(name);

			if (text_ends_nocase(zone, name) && (zone.len == n || zone.p[zone.len - n - 1] == '.'))
				return &lists->item[i];
		}
	return NULL;
}

/* The first IPv4 or IPv6 address in a text that is not part of a longer word. */
static bool names_other_address(struct text t, const struct ip_addr *own_wire, const struct ip_addr *own_public)
{
	bool other = false;

	for (uint32_t i = 0; t.p && i < t.len;) {
		uint32_t end = i;
		struct ip_addr a;

		while (end < t.len && strchr("0123456789abcdefABCDEF.:", t.p[end]) && t.p[end])
			end++;
		if (end - i >= 7 && ip_parse(t.p + i, end - i - (t.p[end - 1] == '.' || t.p[end - 1] == ':'), &a) == 0) {
			if (ip_equal(&a, own_wire) || ip_equal(&a, own_public))
				return false;
			other = true;
		}
		i = end > i ? end : i + 1;
	}
	return other;
}

static void insert(struct refusals *r, const struct refusal_session *s, int n, int index)
{
	const struct config_server *c = own_server(r->own, &s->src);
	struct server *server;
	struct text zone;
	char id[TRANSACTION_ID_MAX + 24], address[IP_TEXT_MAX], remote[IP_TEXT_MAX], transaction_id[TRANSACTION_ID_MAX];

	if (s->code < 400 || !refusal_zone(s->reply, &zone))
		return;
	struct ip_addr public = c && c->public_address.version ? c->public_address : s->src;
	const struct list *list = names_other_address(s->reply, &s->src, &public) ? NULL : list_of(r->lists, zone);
	server = servers_add(r->servers, &s->src);
	transaction_id_format(s->session_id, n, transaction_id);
	transaction_id[32] = ':';	/* "session_id:n" */
	snprintf(id, sizeof id, "%s:%d", transaction_id, index);
	sqlite3_bind_text(r->insert, 1, id, -1, SQLITE_STATIC);
	sqlite3_bind_blob(r->insert, 2, s->session_id, sizeof s->session_id, SQLITE_STATIC);
	sqlite3_bind_int64(r->insert, 3, server->id);
	sqlite3_bind_text(r->insert, 4, ip_format(&public, address), -1, SQLITE_STATIC);
	sqlite3_bind_text(r->insert, 5, list ? list->id : NULL, -1, SQLITE_STATIC);
	sqlite3_bind_text(r->insert, 6, zone.p, (int)zone.len, SQLITE_STATIC);
	sqlite3_bind_text(r->insert, 7, ip_format(&s->dest, remote), -1, SQLITE_STATIC);
	sqlite3_bind_int(r->insert, 8, s->code);
	sqlite3_bind_text(r->insert, 9, s->reply.p, (int)s->reply.len, SQLITE_STATIC);
	sqlite3_bind_int64(r->insert, 10, s->at_us);
	sqlite3_step(r->insert);
	sqlite3_reset(r->insert);
}

void refusals_of_session(struct refusals *r, const struct refusal_session *s)
{
	insert(r, s, 0, 0);
}

/* The index counts the replies of a transaction: 0 MAIL, then the recipients, then the data. */
void refusals_of_mail(struct refusals *r, const struct mail *m)
{
	struct refusal_session s = { .src = m->src, .dest = m->dest, .at_us = m->ended_us, .code = m->code, .reply = m->reply };

	memcpy(s.session_id, m->session_id, sizeof s.session_id);
	if (m->mail_code >= 400) {
		insert(r, &s, m->ordinal, 0);
		return;
	}
	if (m->rcpt_accepted > 0)
		insert(r, &s, m->ordinal, m->rcpt_count + 1);
	if (m->rcpt_accepted == m->rcpt_count)
		return;
	sqlite3_reset(r->recipients);
	sqlite3_bind_int64(r->recipients, 1, m->rowid);
	while (sqlite3_step(r->recipients) == SQLITE_ROW) {
		s.code = sqlite3_column_int(r->recipients, 1);
		s.reply = column_text(r->recipients, 2);
		insert(r, &s, m->ordinal, sqlite3_column_int(r->recipients, 0) + 1);
	}
	sqlite3_reset(r->recipients);
}
