/*
 * refusal.c - see refusal.h. Forms that receivers' servers are known to write; a list of domains (URIBL, DBL) and a receiver's own resolver fault are not about us.
 */
#include "analyzer/refusal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/domain.h"
#include "analyzer/finding.h"
#include "common/xmalloc.h"
#include "schema/db.h"

/* Text that stands before the list's name. plain: people write it of anything, so that the name or another word must say that it is a list. */
static const struct {
	const char *text;
	bool plain;
} before_zone[] = {
	{ "blocked using ", false }, { "rejected using ", false }, { "blacklisted by ", false }, { "blacklisted at ", false }, { "blacklisted on ", false },
	{ "blacklisted in ", false }, { "blocklisted by ", false }, { "blocklisted at ", false }, { "blocklisted on ", false }, { "black list at ", false },
	{ "blacklist at ", false }, { "block list at ", false }, { "blocklist at ", false }, { "in an rbl on ", false }, { "in rbl ", false },
	{ "lookup site '", false }, { "lookup site \"", false }, { "dnsbl:", false }, { "dnsbl ", false }, { "rbl ", false }, { "blacklist ", false },
	{ "blocklist ", false }, { "listed at ", true }, { "listed in ", true }, { "listed by ", true }, { "listed on ", true }, { "blocked by ", true },
	{ "blocked with ", true }, { "blocked at ", true }, { "rejected by ", true }, { "rejected due to ", true }, { "found in ", true }, { "found on ", true },
};

/* Names of operators, where the text gives no zone or only a page; the private lists of large receivers under their own names. */
static const struct { const char *text, *zone; } by_name[] = {
	{ "backscatterer", "backscatterer.org" }, { "spamcop", "spamcop.net" }, { "spamhaus", "spamhaus.org" }, { "abuseat.org", "abuseat.org" },
	{ "barracudacentral", "barracudacentral.org" }, { "barracuda reputation", "barracudacentral.org" }, { "barracudanetworks.com/reputation", "barracudacentral.org" },
	{ "uceprotect", "uceprotect.net" }, { "abusix", "abusix.zone" }, { "spameatingmonkey", "spameatingmonkey.net" }, { "sorbs.net", "sorbs.net" },
	{ "psbl", "psbl.surriel.com" }, { "csi.cloudmark.com", "csi.cloudmark.com" }, { "cm-csi", "csi.cloudmark.com" },
	{ "ipcheck.proofpoint.com", "ipcheck.proofpoint.com" }, { "proofpoint.com/dnsbl", "ipcheck.proofpoint.com" }, { "mail-abuse.", "mail-abuse.com" },
	{ "trend micro", "mail-abuse.com" }, { "senderscore", "senderscore.org" }, { "mailspike", "mailspike.net" }, { "invaluement", "invaluement.com" },
	{ "blocklist.de", "blocklist.de" }, { "spfbl", "spfbl.net" }, { "manitu.net", "ix.dnsbl.manitu.net" }, { "gbudb", "gbudb.com" },
	{ "hostkarma", "hostkarma.junkemailfilter.com" }, { "attrbl", "att.net" }, { "tosa@rx.t-online.de", "t-online.de" },
	{ "(s3140)", "outlook.com" }, { "(s3150)", "outlook.com" }, { "banned sending ip", "outlook.com" }, { "community.mimecast.com", "mimecast.com" },
};

/* About a domain or a link in the mail, or about the receiver's own resolver, which the list answers no more. */
static const char *const not_about_us[] = { "query refused", "uribl", "surbl", "dbl.spamhaus", "open resolver", "public resolver", "127.255.255.",
	"excessive queries", "rhsbl", "sender address [", "sender address <", "helo command", "url ", "urls ", "not listed", "isn't listed", "unlisted" };

/* About a domain, when it names no address. */
static const char *const about_domain[] = { "domain", "link in", "message body", "message content" };

/* About a recipient who does not exist. */
static const char *const about_recipient[] = { "user unknown", "unknown user", "no such user", "no such recipient", "unknown recipient", "recipient unknown",
	"does not exist", "doesn't exist", "mailbox unavailable", "mailbox not found", "no mailbox", "invalid recipient" };

/* Words without which a mention of an operator is no refusal for being listed. */
static const char *const listing_words[] = { "block", "list", "rbl", "dnsbl", "reject", "backscatter:", "banned", "dnsbl", "reputation", "(bl)", "not allowed" };
static const char *const list_words[] = { "blacklist", "black list", "blocklist", "block list", "dnsbl", "rbl", "blackhole" };
/* First labels of the zones of lists: zen.spamhaus.org, bl.spamcop.net, ips.backscatterer.org, b.barracudacentral.org, dnsbl-1.uceprotect.net. */
static const char *const list_labels[] = { "zen", "sbl", "xbl", "pbl", "css", "bl", "rbl", "dnsbl", "cbl", "ips", "ix", "b", "combined", "truncate", "psbl", "spam",
	"backscatter", "dyna", "black", "drone", "dul" };

enum { REPLY_BYTES = 4096 };	/* of a reply that are looked at */

#define HAS_ANY(t, words) has_any((t), (words), sizeof(words) / sizeof *(words))

static bool has_any(struct text t, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text_find_nocase(t, words[i]) >= 0)
			return true;
	return false;
}

static struct text host_at(struct text t, size_t at)
{
	static const char *const schemes[] = { "http://www.", "https://www.", "http://", "https://" };

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (text_starts_nocase((struct text){ t.p + at, (uint32_t)(t.len - at) }, schemes[i])) {
			at += strlen(schemes[i]);
			break;
		}
	size_t end = at;

	while (end < t.len && (t.p[end] == '-' || t.p[end] == '.' || t.p[end] == '_' || (t.p[end] >= '0' && t.p[end] <= '9')
			       || ((t.p[end] | 32) >= 'a' && (t.p[end] | 32) <= 'z')))
		end++;
	while (end > at && t.p[end - 1] == '.')
		end--;
	return (struct text){ t.p + at, (uint32_t)(end - at) };
}

static const char *operator_of(struct text t)
{
	for (size_t i = 0; i < sizeof by_name / sizeof *by_name; i++)
		if (text_find_nocase(t, by_name[i].text) >= 0)
			return by_name[i].zone;
	return NULL;
}

/* "zen.spamhaus.org", "dnsbl.example.net": names that lists have. */
static bool looks_like_list(struct text host)
{
	uint32_t n = 0;

	while (n < host.len && host.p[n] != '.' && host.p[n] != '-')
		n++;
	for (size_t i = 0; i < sizeof list_labels / sizeof *list_labels; i++)
		if (text_equal_nocase((struct text){ host.p, n }, (struct text){ list_labels[i], (uint32_t)strlen(list_labels[i]) }))
			return true;
	return operator_of(host) || HAS_ANY(host, list_words);
}

/* An IPv4 or IPv6 address at or behind *i, *i set behind it; 127.0.0.0/8 is what lists answer with and names nobody. False at the end. */
static bool next_address(struct text t, uint32_t *i, struct ip_addr *out)
{
	static const char loopback[] = "127.";

	while (t.p && *i < t.len) {
		uint32_t from = *i, end;

		for (end = from; end < t.len && t.p[end] && strchr("0123456789abcdefABCDEF.:", t.p[end]); end++)
			;
		*i = end > from ? end : from + 1;
		while (end > from && (t.p[end - 1] == '.' || t.p[end - 1] == ':'))
			end--;
		const char *dot = memchr(t.p + from, '.', end - from), *colon = memchr(t.p + from, ':', end - from);

		if (dot && colon && colon > dot)	/* "192.0.2.1:25", not "::ffff:192.0.2.1" */
			end = (uint32_t)(colon - t.p);
		if (end - from >= 7 && strncmp(t.p + from, loopback, 4) != 0 && ip_parse(t.p + from, end - from, out) == 0)
			return true;
	}
	return false;
}

static bool names_address(struct text t)
{
	struct ip_addr a;
	uint32_t i = 0;

	return next_address(t, &i, &a);
}

static bool zone_by_form(struct text t, struct text *zone)
{
	bool list_word = HAS_ANY(t, list_words);

	for (size_t i = 0; i < sizeof before_zone / sizeof *before_zone; i++) {
		ptrdiff_t at = text_find_nocase(t, before_zone[i].text);

		if (at < 0)
			continue;
		*zone = host_at(t, (size_t)at + strlen(before_zone[i].text));
		if (domain_is_name(*zone) && (!before_zone[i].plain || list_word || looks_like_list(*zone)))
			return true;
	}
	return false;
}

static bool find_zone(struct text t, struct text *zone)
{
	if (HAS_ANY(t, not_about_us) || (HAS_ANY(t, about_domain) && !names_address(t)))
		return false;
	if (zone_by_form(t, zone))
		return !HAS_ANY(t, about_recipient) || looks_like_list(*zone);
	const char *name = HAS_ANY(t, listing_words) && !HAS_ANY(t, about_recipient) ? operator_of(t) : NULL;

	if (!name)
		return false;
	*zone = (struct text){ name, (uint32_t)strlen(name) };
	return true;
}

bool refusal_zone(struct text reply, struct text *zone)
{
	char line[REPLY_BYTES];
	struct text flat = { line, reply.len < sizeof line ? reply.len : sizeof line };

	if (!reply.p)
		return false;
	for (uint32_t i = 0; i < flat.len; i++)		/* sentences go on from line to line */
		line[i] = reply.p[i] == '\n' ? ' ' : reply.p[i];
	if (!find_zone(flat, zone))
		return false;
	if (zone->p >= line && zone->p < line + flat.len)
		zone->p = reply.p + (zone->p - line);
	return true;
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

static bool is_reversed(const struct ip_addr *a, const struct ip_addr *b)
{
	struct ip_addr turned = *a;

	for (int i = 0; i < 4; i++)
		turned.bytes[i] = a->bytes[3 - i];
	return a->version == 4 && ip_equal(&turned, b);
}

/* Does the text name addresses, none of them ours? As it is, or turned round as in the name that is looked up. */
static bool names_other_address(struct text t, const struct ip_addr *own_wire, const struct ip_addr *own_public)
{
	bool other = false;
	struct ip_addr a;

	for (uint32_t i = 0; next_address(t, &i, &a); other = true)
		if (ip_equal(&a, own_wire) || ip_equal(&a, own_public) || is_reversed(&a, own_wire) || is_reversed(&a, own_public))
			return false;
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
