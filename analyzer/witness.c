/*
 * witness.c - see witness.h.
 *
 *   who handed the original to us -> where from -> what else came from there -> who else used the address -> what the recipient's server said
 */
#include "analyzer/witness.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/cause_class.h"
#include "analyzer/domain.h"
#include "analyzer/idn.h"
#include "analyzer/judge.h"
#include "analyzer/rollup.h"
#include "common/xmalloc.h"
#include "reader/geo.h"
#include "schema/db.h"

enum {
	SENDER_MAILS = 128,	/* of the recipient's mails around the original, looked at for other places that used his address */
	PLACES_MAX = 8,		/* told apart; rules ask for three */
};

enum statement { NOTIFY, ORIGINAL, OUTSIDE_RCPT, LINES, BANNER, NOTES, FACTS_COUNT, SENDERS = FACTS_COUNT, STATEMENT_COUNT };

static const char *const sql[STATEMENT_COUNT] = {
	[NOTIFY] = "SELECT 1 FROM recipients WHERE transaction_rowid = ?1 AND notify IS NOT NULL AND notify NOT LIKE '%never%' LIMIT 1",
	[ORIGINAL] = "SELECT t.mail_from, m.list_id IS NOT NULL, t.dest_port IN (465, 587) FROM transactions t LEFT JOIN messages m ON m.transaction_rowid = t.id WHERE t.id = ?1",
	[OUTSIDE_RCPT] = "SELECT address FROM recipients WHERE transaction_rowid = ?1",
	[LINES] = "SELECT from_ip, from_host FROM received WHERE transaction_rowid = ?1 AND part = ?2",
	[BANNER] = "SELECT banner FROM sessions WHERE started_us / 1000000 = ?1 / 1000000 AND session_id = ?2",
	[NOTES] = "SELECT t.notes, m.notes, m.headers_complete FROM transactions t LEFT JOIN messages m ON m.transaction_rowid = t.id WHERE t.id = ?1",
	[SENDERS] = "SELECT count(*) FROM origin_sender WHERE origin_ip = ?1",
};

struct witnesses {
	const struct own *own;
	const struct servers *servers;
	struct origins *origins;
	struct shared *shared;
	const struct geo *geo;
	struct covered *covered;
	sqlite3_stmt *q[STATEMENT_COUNT];
};

/* The recipient's side: his servers, and a name that one of them gave. */
struct targets {
	const struct victim *victim;
	char name[128], ascii[IDN_MAX];
	struct text domain, server_domain;	/* registrable, of the recipient and of that name */
	uint32_t asn[VICTIM_TARGETS_MAX];	/* of his servers; 0: not known */
};

struct witnesses *witnesses_new(sqlite3 *facts, sqlite3 *verdicts, const struct own *own, const struct servers *servers, struct origins *origins,
				struct shared *shared, const struct geo *geo, struct covered *covered)
{
	struct witnesses *x = xcalloc(1, sizeof *x);

	x->own = own;
	x->servers = servers;
	x->origins = origins;
	x->shared = shared;
	x->geo = geo;
	x->covered = covered;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		x->q[i] = db_prepare(i < FACTS_COUNT ? facts : verdicts, sql[i]);
	return x;
}

void witnesses_free(struct witnesses *x)
{
	if (!x)
		return;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(x->q[i]);
	free(x);
}

static sqlite3_stmt *query(struct witnesses *x, enum statement which, int64_t v)
{
	sqlite3_reset(x->q[which]);
	sqlite3_bind_int64(x->q[which], 1, v);
	return x->q[which];
}

static struct text text_of(const char *s)
{
	return *s ? (struct text){ s, (uint32_t)strlen(s) } : (struct text){ 0 };
}

/* ---- the recipient's side ---- */

/* "mx.example.net ESMTP ready": the first word names the server (RFC 5321 4.2). */
static void read_banner(struct witnesses *x, const struct mail *m, struct targets *t)
{
	sqlite3_stmt *s = query(x, BANNER, m->session_started_us);

	sqlite3_bind_blob(s, 2, m->session_id, sizeof m->session_id, SQLITE_STATIC);
	if (sqlite3_step(s) == SQLITE_ROW) {
		struct text banner = column_text(s, 0);
		uint32_t n = 0;

		while (n < banner.len && n < sizeof t->name - 1 && banner.p[n] != ' ' && banner.p[n] != '\n')
			n++;
		if (n && domain_is_name((struct text){ banner.p, n })) {
			memcpy(t->name, banner.p, n);
			t->name[n] = '\0';
		}
	}
	sqlite3_reset(s);
}

static void find_targets(struct witnesses *x, const struct victim *v, const struct mail_group *g, struct targets *t)
{
	*t = (struct targets){ .victim = v };
	t->domain = domain_registrable(idn_ascii(v->domain, t->ascii));
	if (g->edge && !own_is_smarthost(x->own, &g->edge->mail.dest))
		read_banner(x, &g->edge->mail, t);
	t->server_domain = domain_registrable(text_of(t->name));
	for (int i = 0; i < v->target_count; i++)
		t->asn[i] = geo_asn(x->geo, &v->target[i].address);
}

static bool is_target(const struct targets *t, const struct ip_addr *a)
{
	for (int i = 0; i < t->victim->target_count; i++)
		if (ip_equal(&t->victim->target[i].address, a))
			return true;
	return false;
}

static bool is_near_target(const struct targets *t, const struct ip_addr *a)
{
	for (int i = 0; i < t->victim->target_count; i++)
		if (ip_is_near(&t->victim->target[i].address, a))
			return true;
	return false;
}

/* Of a large provider it tells little: reason enough to be silent, none to believe. */
static bool is_in_asn_of_target(const struct witnesses *x, const struct targets *t, const struct ip_addr *a)
{
	uint32_t asn = geo_asn(x->geo, a);

	for (int i = 0; asn && i < t->victim->target_count; i++)
		if (t->asn[i] == asn)
			return true;
	return false;
}

static bool is_same_domain(struct text a, struct text b)
{
	return a.p && a.len && text_equal_nocase(a, b);
}

/* A name that is no host name has nothing to do with anybody. Behind a private address that is not ours stands a balancer of ours, and anybody. */
static bool is_unrelated(const struct witnesses *x, const struct targets *t, const struct ip_addr *a, const struct domain_host *h)
{
	return ip_is_world(a) && t->victim->target_count && h->registrable.p && !is_near_target(t, a) && !is_same_domain(h->registrable, t->domain)
	    && !is_same_domain(h->registrable, t->server_domain) && !is_in_asn_of_target(x, t, a);
}

/* ---- the original ---- */

static const struct answer *attempt_with_cause(const struct mail_group *g)
{
	if (g->said->cause.rowid)
		return g->said;
	for (size_t i = 0; i < g->count; i++)
		if (g->attempt[i]->cause.rowid)
			return g->attempt[i];
	return NULL;
}

/* The recipient's own side wrote this line, and not ours or an upstream that leaves no line: who stands in it is a user or host of his. */
static bool is_written_by_his_side(const struct witnesses *x, const struct evidence *e, const struct targets *t)
{
	struct text writer = text_of(e->origin.writer);

	if (own_has_host(x->own, writer) || (e->caused && domain_is_related(writer, e->caused->cause.helo)))
		return false;
	return domain_is_related(writer, t->domain) || domain_is_related(writer, t->server_domain);
}

/* Inside, a server of ours only handed on what its Received lines tell more of; any other host is where it began. */
static void find_origin(struct witnesses *x, struct evidence *e, const struct targets *t)
{
	const struct sighting *c = e->caused ? &e->caused->cause : NULL;
	bool inside = c && c->route.direction == DIRECTION_INTERNAL;

	if (!inside || servers_serves(x->servers, &c->src))
		e->origin = c ? origin_of(x->origins, c->rowid, &c->route) : origin_of_returned(x->origins, e->said->rowid);
	if (is_written_by_his_side(x, e, t))
		e->origin = (struct origin){ 0 };
	if (inside && !e->origin.address.version && (!servers_serves(x->servers, &c->src) || own_is_trusted_sender(x->own, &c->src))) {
		e->origin.address = c->src;
		e->client = CLIENT_INSIDE;
	} else if (c && c->route.arrives)
		e->client = c->auth == 1 ? CLIENT_AUTHENTICATED : c->auth == 0 ? CLIENT_OUTSIDE : CLIENT_UNKNOWN;
	else if (e->origin.address.version)
		e->client = e->origin.authenticated ? CLIENT_AUTHENTICATED : CLIENT_OUTSIDE;
}

static struct text origin_name(const struct evidence *e)
{
	return e->origin.name[0] ? text_of(e->origin.name) : e->caused ? e->caused->cause.origin_name : (struct text){ 0 };
}

static bool passed_target(struct witnesses *x, const struct evidence *e, const struct targets *t)
{
	sqlite3_stmt *s = query(x, LINES, e->caused ? e->caused->cause.rowid : e->said->rowid);
	bool found = false;

	sqlite3_bind_int(s, 2, e->caused ? 0 : 1);
	while (!found && sqlite3_step(s) == SQLITE_ROW) {
		struct text ip = column_text(s, 0);
		struct ip_addr a;

		found = (ip.p && ip_parse(ip.p, ip.len, &a) == 0 && is_near_target(t, &a)) || domain_is_related(column_text(s, 1), t->victim->domain);
	}
	sqlite3_reset(s);
	return found;
}

static void look_at_way(struct witnesses *x, struct evidence *e, const struct targets *t)
{
	const struct ip_addr *a = &e->origin.address;

	e->trusted_sender = own_is_trusted_sender(x->own, a);
	e->origin_is_target = is_target(t, a);
	e->origin_near_target = !e->origin_is_target && is_near_target(t, a);
	if (e->client != CLIENT_INSIDE) {
		struct domain_host h = domain_host(origin_name(e));

		e->origin_unrelated = is_unrelated(x, t, a, &h);
		e->access_line = h.access_line;
	}
	e->passed_target = e->origin_unrelated && passed_target(x, e, t);
}

static bool has_outside_recipient(struct witnesses *x, int64_t rowid)
{
	sqlite3_stmt *s = query(x, OUTSIDE_RCPT, rowid);
	bool found = false;

	while (!found && sqlite3_step(s) == SQLITE_ROW)
		found = !own_has_domain(x->own, domain_of_address(column_text(s, 0)));
	sqlite3_reset(s);
	return found && own_knows_domains(x->own);
}

/* Named by the envelope or the header of a mail from outside. */
static bool names_victim(const struct victim *v, const struct sighting *s)
{
	if (!s->route.arrives || s->mail_from_id == v->id || s->mail_from_inner_id == v->id)
		return true;
	for (size_t i = victim_mail_until(v, s->mail_us); i-- > 0 && v->mail[i].mail_us == s->mail_us;)
		if (v->mail[i].rowid == s->rowid)
			return true;
	return false;
}

static void look_at_original(struct witnesses *x, struct evidence *e, const struct victim *v)
{
	if (!e->caused)
		return;
	int64_t rowid = e->caused->cause.rowid;
	sqlite3_stmt *s = query(x, NOTIFY, rowid);
	e->notify_asked = sqlite3_step(s) == SQLITE_ROW;
	sqlite3_reset(s);
	s = query(x, ORIGINAL, rowid);
	if (sqlite3_step(s) == SQLITE_ROW) {
		struct text domain = domain_of_address(column_text(s, 0));
		bool is_other = e->caused->cause.mail_from_id != v->id;

		e->own_sender = is_other && own_has_domain(x->own, domain);
		e->of_others = is_other && !names_victim(v, &e->caused->cause) && !domain_is_related(domain, v->domain);
		e->own_envelope = is_other && domain_is_related(origin_name(e), domain);
		e->other_envelope = is_other && !domain_is_related(v->domain, domain);
		e->from_list = sqlite3_column_int(s, 1);
		if (e->client == CLIENT_UNKNOWN && e->caused->cause.route.arrives && sqlite3_column_int(s, 2))
			e->client = CLIENT_AUTHENTICATED;	/* who hands in mail there has logged in (RFC 6409 4.3), though nobody saw it */
	}
	sqlite3_reset(s);
	e->to_outside = has_outside_recipient(x, rowid);
}

/* ---- authentication results in what was returned ---- */

/* "receiver=mx.example.net" or "fail (mx.example.net: domain of ...": RFC 7208 9.1 and older writers. */
static struct text spf_receiver(struct text received_spf)
{
	ptrdiff_t at = text_find_nocase(received_spf, "receiver=");
	uint32_t begin, end;

	if (at >= 0)
		begin = (uint32_t)at + 9;
	else if ((at = text_find_nocase(received_spf, "(")) >= 0)
		begin = (uint32_t)at + 1;
	else
		return (struct text){ 0 };
	for (end = begin; end < received_spf.len && !strchr(" ;:)", received_spf.p[end]); end++)
		;
	return (struct text){ received_spf.p + begin, end - begin };
}

/* A server of ours, or the upstream that handed us the original. */
static bool is_believed(const struct witnesses *x, const struct evidence *e, struct text host)
{
	if (!host.p)
		return false;
	if (servers_by_name(x->servers, host) || own_has_host(x->own, host))
		return true;
	return e->caused && own_is_upstream(x->own, &e->caused->cause.src) && domain_is_related(host, e->caused->cause.helo);
}

/*
 * A server that looked at the mail behind the one that had taken it from outside, or behind an upstream, checked the address of that one: failing
 * says nothing then.
 */
static bool is_checked_behind(const struct witnesses *x, const struct evidence *e, struct text host)
{
	struct server *checker = servers_by_name(x->servers, host);

	if (!checker && !own_has_host(x->own, host))
		return false;
	if (!e->caused)
		return e->origin.by_upstream;
	const struct sighting *c = &e->caused->cause;
	return own_is_upstream(x->own, &c->src) || (checker && c->route.arrives && servers_find(x->servers, &c->dest) != checker);
}

static bool is_pass(struct text result)
{
	return text_equal_nocase(result, TEXT("pass"));
}

static bool is_aligned(struct text domains, struct text domain)
{
	for (uint32_t begin = 0, i = 0; i <= domains.len; i++)
		if (i == domains.len || domains.p[i] == ' ') {
			if (domain_is_related((struct text){ domains.p + begin, i - begin }, domain))
				return true;
			begin = i + 1;
		}
	return false;
}

static void look_at_results(struct witnesses *x, struct evidence *e)
{
	const struct mail *m = e->said;

	e->spam_mark = text_equal_nocase(m->spam, TEXT("yes"));
	struct text host = m->authserv.p ? m->authserv : spf_receiver(m->received_spf);

	e->dkim_aligned = m->dkim_domains.p && is_aligned(m->dkim_domains, e->recipient_domain);
	if (!is_believed(x, e, host))
		return;
	bool behind = is_checked_behind(x, e, host);
	e->dkim = m->dkim;
	if (!e->other_envelope && (!behind || is_pass(m->spf)))		/* SPF is about the envelope */
		e->spf = m->spf;
	if (domain_is_related(m->returned_from_domain, e->recipient_domain) && (!behind || is_pass(m->dmarc)))	/* else it is about somebody else */
		e->dmarc = m->dmarc;
}

/* ---- other mail ---- */

static int count_senders(struct witnesses *x, const struct ip_addr *origin)
{
	char text[IP_TEXT_MAX];
	sqlite3_stmt *s = x->q[SENDERS];

	if (!origin->version)
		return 0;
	sqlite3_reset(s);
	sqlite3_bind_text(s, 1, ip_format(origin, text), -1, SQLITE_STATIC);
	int n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int(s, 0) : 0;
	sqlite3_reset(s);
	return n;
}

/* Places that mail in his name came from. Lines of customers differ by network, servers by the domain of their name. */
struct places {
	struct ip_addr line[PLACES_MAX];
	struct text name[PLACES_MAX];
	int64_t letter[PLACES_MAX];	/* Message-ID of what came by that name */
	int lines, names;
};

/* One line may get address after address of its provider. */
static void add_line(const struct witnesses *x, struct places *p, const struct ip_addr *a)
{
	uint32_t asn = geo_asn(x->geo, a);

	for (int i = 0; i < p->lines; i++)
		if (ip_is_near(&p->line[i], a) || (asn && geo_asn(x->geo, &p->line[i]) == asn))
			return;
	if (p->lines < PLACES_MAX)
		p->line[p->lines++] = *a;
}

/* One letter by way of several forwarders has one author. */
static void add_name(struct places *p, struct text name, int64_t letter)
{
	for (int i = 0; i < p->names; i++)
		if (text_equal_nocase(p->name[i], name) || (letter && p->letter[i] == letter))
			return;
	if (p->names == PLACES_MAX)
		return;
	p->letter[p->names] = letter;
	p->name[p->names++] = name;
}

static void look_at_other_places(struct witnesses *x, struct evidence *e, const struct victim *v, const struct targets *t, struct mail_group *g)
{
	int64_t at = e->caused ? e->caused->cause.mail_us : e->said->mail_us;
	struct places p = { .lines = 0 };
	int looked = 0;

	g->asked_from_us = at - JUDGE_SENDER_WINDOW_US;
	g->asked_until_us = at + JUDGE_SENDER_WINDOW_US;
	for (size_t i = victim_mail_until(v, g->asked_from_us); i < v->mail_count && v->mail[i].mail_us <= g->asked_until_us; i++) {
		const struct sighting *s = &v->mail[i];
		const struct ip_addr *a = &s->route.origin;

		if (s->mail_from_id != v->id || !s->route.arrives || s->auth != 0 || !a->version)	/* who may have logged in may sit anywhere */
			continue;
		if (++looked == SENDER_MAILS)
			g->asked_until_us = s->mail_us;
		if (own_is_trusted_sender(x->own, a))
			e->sender_related_too = true;
		else if (!is_unrelated(x, t, a, &s->origin_host))
			e->sender_related_too |= s->origin_host.registrable.p != NULL;
		else if (s->origin_host.access_line)
			add_line(x, &p, a);
		else
			add_name(&p, s->origin_host.registrable, s->message_id_hash);
	}
	if (!e->origin_unrelated || !looked)
		return;
	e->sender_lines = p.lines;
	e->sender_networks = p.lines + p.names;
}

/* An answer to mail of ours, from the network of the origin: whoever sits there reads what we write to him. */
static bool is_correspondent(struct witnesses *x, const struct evidence *e, const struct victim *v)
{
	size_t until = victim_mail_until(v, e->said->mail_us);
	bool found = false;

	if (!e->origin.address.version || e->client == CLIENT_INSIDE)
		return false;
	for (size_t i = until; i-- > 0 && until - i <= SENDER_MAILS && !found;) {
		const struct sighting *s = &v->mail[i];

		if (!s->in_reply_to_hash || !s->route.arrives || s->outcome != MAIL_ACCEPTED || !ip_is_near(&s->route.origin, &e->origin.address))
			continue;
		const struct sightings *list = shared_by_hash(x->shared, s->in_reply_to_hash, 1);
		for (size_t k = 0; k < list->count; k++)
			found |= list->item[k].route.leaves && list->item[k].outcome == MAIL_ACCEPTED && list->item[k].mail_us < s->mail_us;
	}
	return found;
}

/* Bounces for other mail than a[0] to a[n-1], each of which returns its Message-ID. */
static bool is_another_bounce(const struct answer *b, const struct answer *const *a, int n)
{
	bool another = b->told_kind == KIND_BOUNCE && !b->cause.rowid && b->mail.returned_hash;

	for (int i = 0; i < n && another; i++)
		another = a[i]->mail.returned_hash != b->mail.returned_hash;
	return another;
}

/* The returned lines tell of no hop outside, or of one inside that handed it on: it began here, or came by another server of ours. */
static bool came_by_inner_hop(struct witnesses *x, const struct evidence *e)
{
	sqlite3_stmt *s = query(x, LINES, e->said->rowid);
	bool any = false, inner = false;

	sqlite3_bind_int(s, 2, 1);
	while (!inner && sqlite3_step(s) == SQLITE_ROW) {
		struct text ip = column_text(s, 0);
		struct ip_addr a;

		any = true;
		inner = ip.p && ip_parse(ip.p, ip.len, &a) == 0 && own_has(x->own, &a);
	}
	sqlite3_reset(s);
	return inner || (any && !e->origin.address.version);
}

/* Only first attempts and what came before them are looked at: nothing that comes later changes what is said here. */
static bool is_for_unseen_mail(struct witnesses *x, const struct evidence *e, const struct victim *v, const struct mail_group *g)
{
	const struct answer *first = g->attempt[0], *bounce[JUDGE_MANY_BOUNCES];
	int64_t since_us = first->mail.mail_us - COVERED_HOURS * ROLLUP_HOUR_US;
	size_t until = victim_mail_until(v, first->mail.mail_us + SIGHTING_SLACK_US), at = (size_t)(g - v->group);
	int n = 0;

	if (e->caused || !g->edge || (until && v->mail[until - 1].mail_us >= since_us))
		return false;
	for (size_t i = at + 1; i-- > 0 && at - i <= VICTIM_NEAR_MAX && n < JUDGE_MANY_BOUNCES; ) {
		const struct answer *a = v->group[i].attempt[0];

		if (a->mail.mail_us < since_us || (i == at && !is_another_bounce(a, NULL, 0)))
			break;
		if (is_another_bounce(a, bounce, n))
			bounce[n++] = a;
	}
	if (n < JUDGE_MANY_BOUNCES || came_by_inner_hop(x, e))
		return false;
	int64_t server_id = g->originator ? g->originator->id : servers_id_of(x->own, &g->edge->mail.src);
	return covered_inbound(x->covered, server_id, first->mail.mail_us, v->id, victim_finding_id(g));
}

static bool signs_otherwise(const struct evidence *e, const struct victim *v)
{
	if (!e->caused || e->caused->cause.mail_from_id != v->id || v->class & CLASS_BATV)
		return false;
	for (size_t until = victim_mail_until(v, e->said->mail_us), i = until; i-- > 0 && until - i <= SENDER_MAILS;)
		if (v->mail[i].route.arrives && v->mail[i].mail_from_inner_id == v->id && v->mail[i].mail_from_class & CLASS_BATV)
			return true;
	return false;
}

/* ---- what the recipient's server said ---- */

/* Hops of ours and smarthosts know nothing about him. */
static bool is_told_by_his_server(const struct witnesses *x, const struct answer *a)
{
	return a->route.leaves && !own_is_smarthost(x->own, &a->mail.dest);
}

static bool is_letter(char c)
{
	return ((c | 32) >= 'a' && (c | 32) <= 'z') || (unsigned char)c >= 0x80;
}

/* Words for themselves, and none of an address that the reply quotes. */
static bool says_words(struct text t, const char *words)
{
	uint32_t n = (uint32_t)strlen(words), at = 0;
	ptrdiff_t found;

	while ((found = text_find_nocase((struct text){ t.p + at, t.len - at }, words)) >= 0) {
		uint32_t begin = at + (uint32_t)found, end = begin + n, word_end = end;

		while (word_end < t.len && t.p[word_end] != ' ' && t.p[word_end] != '>' && t.p[word_end] != '@')
			word_end++;
		bool quoted = word_end < t.len && t.p[word_end] == '@';
		if (!quoted && (begin == 0 || !is_letter(t.p[begin - 1])) && (end == t.len || !is_letter(t.p[end])))
			return true;
		at = end;
	}
	return false;
}

static bool says_any(const struct answer *a, const char *const *needles, size_t n)
{
	const struct text said[] = { a->reply, a->mail.outcome == MAIL_REJECTED ? a->mail.reply : (struct text){ 0 } };

	for (size_t k = 0; k < 2 * n; k++)
		if (said[k / n].p && says_words(said[k / n], needles[k % n]))
			return true;
	return false;
}

/* Words of configurations of Exim for BATV, of Barracuda and of other gateways. "Backscatter: ..." beside a blocklist's name is about our address, not about this mail. */
static bool says_backscatter(const struct witnesses *x, const struct mail_group *g)
{
	static const char *const about_mail[] = { "unsigned reverse path", "reverse path signature", "backscatter protection", "invalid bounce",
		"we did not send", "user did not send", "did not send this", "did not send that", "did not send the message", "did not send the original",
		"never sent this", "never sent that", "never sends mail", "does not send mail", "sends no mail", "bounce address tag", "batv",
		"unsolicited bounce", "unsolicited bounces", "misdirected bounce", "misdirected bounces" };
	static const char *const about_host[] = { "backscatterer", "blocked using", "blacklist", "blacklisted", "blocklist", "blocklisted", "dnsbl", "rbl" };
	bool mail = false, host = false;

	for (size_t i = 0; i < g->count; i++) {
		if (!is_told_by_his_server(x, g->attempt[i]))
			continue;
		mail |= says_any(g->attempt[i], about_mail, sizeof about_mail / sizeof *about_mail);
		host |= says_any(g->attempt[i], about_host, sizeof about_host / sizeof *about_host);
	}
	return mail && !host;
}

static bool says_unknown(const struct witnesses *x, const struct mail_group *g)
{
	for (size_t i = 0; i < g->count; i++) {
		const struct answer *a = g->attempt[i];
		const char *class = a->code >= 500 && is_told_by_his_server(x, a) ? cause_class(a->code, a->enhanced, a->reply) : NULL;

		if (class && strcmp(class, "user-unknown") == 0)
			return true;
	}
	return false;
}

/* ---- how well all of this was captured ---- */

static bool has_note(struct text notes, const char *word)
{
	uint32_t n = (uint32_t)strlen(word);

	for (uint32_t begin = 0, i = 0; i <= notes.len; i++)
		if (i == notes.len || notes.p[i] == ' ') {
			if (i - begin == n && memcmp(notes.p + begin, word, n) == 0)
				return true;
			begin = i + 1;
		}
	return false;
}

static const char *doubt_of_bytes(const struct witnesses *x, struct text notes)
{
	return has_note(notes, "overlap") ? "bytes came twice, and differed, in what it rests on"
	     : has_note(notes, "tunnelled") && !own_names_tunnels(x->own) ? "it was captured in a tunnel that the configuration does not name, into which strangers may send"
	     : NULL;
}

/* What is missing may have spoken against it: a check that passed, a List-Id, a hop. Of the original, the header is enough. */
static const char *doubt_of_message(struct witnesses *x, int64_t rowid, bool is_original)
{
	static const char *const holes[] = { "gap", "truncated", "mime-limit", "no-end" };
	sqlite3_stmt *s = query(x, NOTES, rowid);
	bool doubt = false;

	if (sqlite3_step(s) == SQLITE_ROW) {
		struct text notes = column_text(s, 1);

		if (sqlite3_column_type(s, 1) == SQLITE_NULL)
			doubt = has_note(column_text(s, 0), "gap");
		else if (is_original)
			doubt = !sqlite3_column_int(s, 2) || has_note(notes, "truncated");
		for (size_t i = 0; i < sizeof holes / sizeof *holes && !is_original; i++)
			doubt |= has_note(notes, holes[i]);
	}
	sqlite3_reset(s);
	return !doubt ? NULL : is_original ? "the header of the original was not captured in full" : "the answer was not captured in full";
}

static const char *find_doubt(struct witnesses *x, const struct evidence *e, const struct mail_group *g)
{
	const char *doubt = NULL;

	for (size_t i = 0; i < g->count && !doubt; i++)
		doubt = doubt_of_bytes(x, g->attempt[i]->mail.notes);
	if (!doubt)
		doubt = doubt_of_message(x, e->said->rowid, false);
	if (!doubt && e->caused) {
		sqlite3_stmt *s = query(x, NOTES, e->caused->cause.rowid);

		doubt = sqlite3_step(s) == SQLITE_ROW ? doubt_of_bytes(x, column_text(s, 0)) : NULL;
		sqlite3_reset(s);
	}
	if (!doubt && e->caused)
		doubt = doubt_of_message(x, e->caused->cause.rowid, true);
	return doubt || !e->caused || e->client != CLIENT_UNKNOWN ? doubt : "whether the client had logged in could not be seen";
}

void witness_gather(struct witnesses *x, const struct victim *v, struct mail_group *g, struct evidence *e)
{
	struct targets t;

	*e = (struct evidence){ .said = &g->said->mail, .caused = attempt_with_cause(g), .recipient_domain = v->domain };
	find_targets(x, v, g, &t);
	if (g->edge && !own_is_smarthost(x->own, &g->edge->mail.dest))
		e->target = g->edge->mail.dest;
	find_origin(x, e, &t);
	look_at_way(x, e, &t);
	look_at_original(x, e, v);
	look_at_results(x, e);
	e->sender_domains = count_senders(x, &e->origin.address);
	look_at_other_places(x, e, v, &t, g);
	e->correspondent = is_correspondent(x, e, v);
	e->unseen_mail = is_for_unseen_mail(x, e, v, g);
	e->signed_sender = v->class & (CLASS_BATV | CLASS_SRS | CLASS_VERP);
	e->signs_otherwise = signs_otherwise(e, v);
	e->said_backscatter = says_backscatter(x, g);
	e->said_unknown = says_unknown(x, g);
	e->doubt = find_doubt(x, e, g);
}
