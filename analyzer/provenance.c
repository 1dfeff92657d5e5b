/*
 * provenance.c - see provenance.h. Earlier sightings of the same Message-ID tell first, then who the report says made it, then the Received
 * lines of the mail itself.
 */
#include "analyzer/provenance.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/hop.h"
#include "common/xmalloc.h"
#include "schema/db.h"

/* Mail of nobody that came in just before: ?1 and ?2 the time, ?3 the server that took it. */
static const char sql_null_before[] = "SELECT src_ip, proxy, xclient, size_bytes FROM transactions WHERE ended_us BETWEEN ?1 AND ?2"
	" AND null_sender = 1 AND outcome = 'accepted' AND dest_ip = ?3 LIMIT 64";

struct provenances {
	const struct own *own;
	struct servers *servers;
	struct shared *shared;
	sqlite3_stmt *null_before;
};

struct provenances *provenances_new(sqlite3 *facts, const struct own *own, struct servers *servers, struct shared *shared)
{
	struct provenances *p = xcalloc(1, sizeof *p);

	*p = (struct provenances){ own, servers, shared, db_prepare(facts, sql_null_before) };
	return p;
}

void provenances_free(struct provenances *p)
{
	if (!p)
		return;
	sqlite3_finalize(p->null_before);
	free(p);
}

static sqlite3_stmt *query(sqlite3_stmt *s, int64_t v)
{
	sqlite3_reset(s);
	sqlite3_bind_int64(s, 1, v);
	return s;
}

/* What the Received lines of the mail itself say: each hop with an address, but for those of authenticated users (ESMTPA, ESMTPSA). */
struct hops {
	bool any, outside;
	struct server *inner;	/* the hop nearest to the emitter that is another server of ours */
};

static struct hops read_hops(struct provenances *p, const struct mail *m)
{
	struct text lines = m->received;
	struct hops h = { 0 };
	struct hop hop;

	while (hop_next(&lines, &hop)) {
		struct ip_addr from;

		if (!hop.from_ip.p || ip_parse(hop.from_ip.p, hop.from_ip.len, &from) || ip_equal(&from, &m->src))
			continue;
		bool own = own_has(p->own, &from);
		h.any |= own || ip_is_world(&from);
		if (!own && ip_is_world(&from) && !text_ends_nocase(hop.with, "a"))
			h.outside = true;
		struct server *server = own ? servers_find(p->servers, &from) : NULL;
		if (server && !h.inner && server != servers_find(p->servers, &m->src))
			h.inner = server;
	}
	return h;
}

/* Earlier sightings of the same mail: from outside, or from another server of ours (the first of which made it). */
struct earlier {
	bool from_outside;
	struct server *inner;
	int64_t inner_us;
};

static struct earlier look_earlier(struct provenances *p, const struct mail *m)
{
	const struct sightings *list = shared_by_hash(p->shared, m->message_id_hash, 2);
	struct earlier e = { 0 };

	for (size_t i = 0; i < list->count; i++) {
		const struct sighting *s = &list->item[i];

		if (s->rowid == m->rowid || s->outcome != MAIL_ACCEPTED || s->mail_us > m->mail_us + SIGHTING_SLACK_US)
			continue;
		e.from_outside |= s->route.arrives;
		bool before = s->mail_us <= m->mail_us || ip_equal(&s->dest, &m->src);	/* a tap may be late by less than a hop */
		struct server *server = before && s->route.direction == DIRECTION_INTERNAL ? servers_find(p->servers, &s->src) : NULL;
		if (server && server != servers_find(p->servers, &m->src) && (!e.inner || s->mail_us < e.inner_us)) {
			e.inner = server;
			e.inner_us = s->mail_us;
		}
	}
	return e;
}

/*
 * Without DATA it was made here, unless mail of this sender reached us before: then that may be it. It is, when it came from outside, its sender
 * is not ours, and the size is right. SRS is for forwarding alone: what counts then is the sender inside.
 */
static enum provenance provenance_without_data(struct provenances *p, const struct mail *m)
{
	struct sightings list = { 0 };
	bool srs = m->mail_from_class & CLASS_SRS && m->mail_from_inner_id;
	enum provenance found = PROVENANCE_GENERATED;

	if (!m->null_sender && !shared_by_sender(p->shared, srs ? m->mail_from_inner_id : m->mail_from_id, NULL, &list))
		return PROVENANCE_UNKNOWN;
	for (size_t i = 0; i < list.count; i++) {
		const struct sighting *s = &list.item[i];
		bool to_us = s->route.arrives || s->route.direction == DIRECTION_INTERNAL;

		if (!to_us || s->rowid == m->rowid || s->outcome != MAIL_ACCEPTED || s->mail_us > m->mail_us + SIGHTING_SLACK_US
		    || s->mail_us < m->mail_us - SIGHTING_WINDOW_US)
			continue;
		bool foreign = srs || !own_has_domain(p->own, m->mail_from_domain);
		bool sized = srs || (mail_size_param(m) >= 0 && s->size_bytes >= 0 && sighting_grows_to(s->size_bytes, mail_size_param(m)));
		if (s->route.arrives && foreign && sized) {
			found = PROVENANCE_FORWARDED;
			break;
		}
		found = PROVENANCE_UNKNOWN;
	}
	free(list.item);
	return found;
}

/* Forwarding adds a Received line and Delivered-To; on a busy server a wider match would swallow what it makes itself. */
static bool is_one_line_more(int64_t bytes, int64_t size)
{
	return size > bytes + 80 && size < bytes + 700;
}

/* A notice that had just come in from outside, and is now a line longer: it is passed on. */
static bool is_passed_on(struct provenances *p, const struct mail *m)
{
	char dest[IP_TEXT_MAX];
	sqlite3_stmt *s = query(p->null_before, m->mail_us - PROVENANCE_PASS_US);
	bool found = false;

	sqlite3_bind_int64(s, 2, m->mail_us + SIGHTING_SLACK_US);
	sqlite3_bind_text(s, 3, ip_format(&m->src, dest), -1, SQLITE_STATIC);
	while (!found && sqlite3_step(s) == SQLITE_ROW) {
		struct ip_addr from;
		struct text src = column_text(s, 0);

		if (sqlite3_column_type(s, 3) == SQLITE_NULL || !src.p || ip_parse(src.p, src.len, &from))
			continue;
		struct route r = own_route(p->own, &from, &m->src, column_text(s, 1), column_text(s, 2), (struct text){ 0 });
		found = r.arrives && is_one_line_more(sqlite3_column_int64(s, 3), mail_size_param(m));
	}
	sqlite3_reset(s);
	return found;
}

/* Nobody of this address wrote to us, and no message was seen that would say who made it. */
static bool is_unexplained(const struct mail_group *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->attempt[i]->mail.has_message || g->attempt[i]->cause.rowid || !g->attempt[i]->mail.null_sender)
			return false;
	return g->edge && mail_size_param(&g->attempt[0]->mail) >= 0;
}

enum provenance provenance_of_mail(struct provenances *p, const struct mail *m)
{
	struct earlier e = look_earlier(p, m);

	if (!m->has_message)
		return m->has_data ? PROVENANCE_UNKNOWN : provenance_without_data(p, m);
	if (e.from_outside)
		return PROVENANCE_FORWARDED;
	if (e.inner)
		return PROVENANCE_RELAYED_OWN;
	struct hops h = read_hops(p, m);
	return h.outside ? PROVENANCE_FORWARDED : h.inner ? PROVENANCE_RELAYED_OWN : h.any ? PROVENANCE_UNKNOWN : PROVENANCE_GENERATED;
}

/* Our own hand is in the text: a report that names us as its maker, or an answer written by the recipient of its cause. */
static bool is_made_here(struct provenances *p, const struct answer *a, bool by_recipient)
{
	struct text mta = a->mail.reporting_mta;

	if (mta.p && (text_equal_nocase(mta, a->mail.helo) || servers_by_name(p->servers, mta) || own_has_host(p->own, mta)))
		return true;
	return by_recipient && !mta.p;
}

static void set_origin(struct mail_group *g, enum provenance p, struct server *server, const char *how)
{
	g->provenance = p;
	g->originator = server;
	g->originator_how = server ? how : NULL;
}

/* An inner attempt seen before the edge one: without DATA, all that tells that another server made it. */
static struct server *inner_attempt(struct provenances *p, const struct mail_group *g, const struct server *emitter)
{
	for (size_t i = 0; i < g->count; i++) {
		struct server *server = g->attempt[i]->route.leaves ? NULL : servers_find(p->servers, &g->attempt[i]->mail.src);

		if (server && server != emitter)
			return server;
	}
	return NULL;
}

void provenance_of_group(struct provenances *p, struct mail_group *g, bool by_recipient)
{
	const struct answer *a = g->said;
	struct server *emitter = servers_find(p->servers, &(g->edge ? g->edge : a)->mail.src);
	struct server *inner = inner_attempt(p, g, emitter);
	struct server *reporter = a->mail.reporting_mta.p ? servers_by_name(p->servers, a->mail.reporting_mta) : NULL;
	struct earlier e = look_earlier(p, &a->mail);

	if (e.from_outside || a->passed_on || (is_unexplained(g) && is_passed_on(p, &g->attempt[0]->mail)))
		set_origin(g, PROVENANCE_FORWARDED, NULL, NULL);
	else if (inner || e.inner)
		set_origin(g, PROVENANCE_RELAYED_OWN, inner ? inner : e.inner, "wire");
	else if (reporter && reporter != emitter && !text_equal_nocase(a->mail.reporting_mta, a->mail.helo))
		set_origin(g, PROVENANCE_RELAYED_OWN, reporter, "reporting-mta");
	else if (!a->mail.has_message || is_made_here(p, a, by_recipient))
		set_origin(g, PROVENANCE_GENERATED, emitter, reporter ? "reporting-mta" : "wire");
	else {
		struct hops h = read_hops(p, &a->mail);

		if (h.outside)
			set_origin(g, PROVENANCE_FORWARDED, NULL, NULL);
		else if (h.inner)
			set_origin(g, PROVENANCE_RELAYED_OWN, h.inner, "received");
		else
			set_origin(g, PROVENANCE_GENERATED, emitter, "wire");
	}
}
