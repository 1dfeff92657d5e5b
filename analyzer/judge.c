/*
 * judge.c - see judge.h. What is known about one mail is gathered once (struct evidence); a rule is a question about it.
 *
 * Grounds keep rules that would err together from proving anything together: a genuine mail that was forwarded fails SPF and comes from a
 * strange network, too, so both count as one ground.
 */
#include "analyzer/judge.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/domain.h"
#include "common/buf.h"
#include "common/xmalloc.h"
#include "schema/db.h"

static const char sql_senders[] = "SELECT count(*) FROM origin_sender WHERE origin_ip = ?";
static const char sql_notify[] = "SELECT 1 FROM recipients WHERE transaction_rowid = ? AND notify IS NOT NULL AND notify NOT LIKE '%never%' LIMIT 1";

struct judge {
	const struct own *own;
	const struct servers *servers;
	struct origins *origins;
	sqlite3_stmt *senders, *notify;
};

struct judge *judge_new(sqlite3 *facts, sqlite3 *verdicts, const struct own *own, const struct servers *servers, struct origins *origins)
{
	struct judge *j = xcalloc(1, sizeof *j);

	*j = (struct judge){ own, servers, origins, db_prepare(verdicts, sql_senders), db_prepare(facts, sql_notify) };
	return j;
}

void judge_free(struct judge *j)
{
	if (!j)
		return;
	sqlite3_finalize(j->senders);
	sqlite3_finalize(j->notify);
	free(j);
}

/* ---- evidence ---- */

struct evidence {
	const struct victim *victim;
	const struct mail_group *group;
	const struct mail *said;
	const struct answer *caused;	/* the attempt whose cause is used; NULL: no cause was seen */
	struct origin origin;
	struct text origin_helo;	/* what the origin called itself; NULL behind upstreams */
	struct ip_addr target;		/* the server that takes the answer; version 0: hidden behind a smarthost */
	bool by_us;			/* the returned authentication results are our own */
	int sender_domains;		/* that the origin used */
	bool notify_asked;
	char detail[2][IP_TEXT_MAX];	/* for the rule's sentence: %1 and %2 */
};

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

static bool is_our_host(const struct judge *j, struct text host)
{
	return host.p && (servers_by_name(j->servers, host) || own_has_host(j->own, host));
}

static bool is_true(sqlite3_stmt *s)
{
	bool row = sqlite3_step(s) == SQLITE_ROW;

	sqlite3_reset(s);
	return row;
}

static int count_senders(struct judge *j, const struct ip_addr *origin)
{
	char text[IP_TEXT_MAX];

	sqlite3_bind_text(j->senders, 1, ip_format(origin, text), -1, SQLITE_STATIC);
	int n = sqlite3_step(j->senders) == SQLITE_ROW ? sqlite3_column_int(j->senders, 0) : 0;
	sqlite3_reset(j->senders);
	return n;
}

static const struct answer *attempt_with_cause(const struct mail_group *g)
{
	if (g->said->cause.rowid)
		return g->said;
	for (size_t i = 0; i < g->count; i++)
		if (g->attempt[i]->cause.rowid)
			return g->attempt[i];
	return NULL;
}

static void gather(struct judge *j, const struct victim *v, const struct mail_group *g, struct evidence *e)
{
	*e = (struct evidence){ .victim = v, .group = g, .said = &g->said->mail, .caused = attempt_with_cause(g) };
	if (e->caused) {
		e->origin = origin_of(j->origins, e->caused->cause.rowid, &e->caused->cause.route);
		if (e->origin.from && strcmp(e->origin.from, "wire") == 0)
			e->origin_helo = e->caused->cause.helo;
		sqlite3_bind_int64(j->notify, 1, e->caused->cause.rowid);
		e->notify_asked = is_true(j->notify);
	} else
		e->origin = origin_of_returned(j->origins, e->said->rowid);
	if (g->edge && !own_is_smarthost(j->own, &g->edge->mail.dest))
		e->target = g->edge->mail.dest;
	e->by_us = is_our_host(j, e->said->authserv) || (!e->said->authserv.p && is_our_host(j, spf_receiver(e->said->received_spf)));
	if (e->origin.address.version)
		e->sender_domains = count_senders(j, &e->origin.address);
}

/* ---- rules ---- */

static bool is_word(struct text t, const char *word)
{
	return t.p && t.len == strlen(word) && text_starts_nocase(t, word);
}

static bool origin_unrelated(struct evidence *e)
{
	if (!e->origin.address.version || !e->target.version || ip_is_near(&e->origin.address, &e->target) || !e->origin_helo.p)
		return false;
	if (domain_is_related(e->origin_helo, e->victim->domain) || domain_is_platform(e->origin_helo))
		return false;
	ip_format(&e->origin.address, e->detail[0]);
	ip_format(&e->target, e->detail[1]);
	return true;
}

static bool origin_many_senders(struct evidence *e)
{
	ip_format(&e->origin.address, e->detail[0]);
	return e->sender_domains >= JUDGE_MANY_SENDERS && !domain_is_platform(e->origin_helo);
}

static bool origin_is_target(struct evidence *e)
{
	ip_format(&e->target, e->detail[0]);
	return e->target.version && ip_equal(&e->origin.address, &e->target);
}

static bool origin_near_target(struct evidence *e)
{
	ip_format(&e->origin.address, e->detail[0]);
	ip_format(&e->target, e->detail[1]);
	return !ip_equal(&e->origin.address, &e->target) && ip_is_near(&e->origin.address, &e->target);
}

static bool is_negative(struct text result)
{
	return is_word(result, "fail") || is_word(result, "none") || is_word(result, "softfail") || is_word(result, "permerror");
}

/* DMARC fails, or both of its ways do: plain forwarding breaks SPF, but not DKIM. */
static bool auth_fail(struct evidence *e)
{
	return e->by_us && (is_word(e->said->dmarc, "fail") || (is_word(e->said->spf, "fail") && is_negative(e->said->dkim)));
}

static bool spf_fail(struct evidence *e)
{
	return e->by_us && is_word(e->said->spf, "fail") && !auth_fail(e) && !is_word(e->said->dkim, "pass") && !is_word(e->said->dmarc, "pass");
}

static bool spf_pass(struct evidence *e)
{
	return e->by_us && is_word(e->said->spf, "pass");
}

static bool dkim_pass(struct evidence *e)
{
	struct text d = e->said->dkim_domains;

	if (!e->by_us || !is_word(e->said->dkim, "pass"))
		return false;
	for (uint32_t begin = 0, i = 0; i <= d.len; i++)
		if (i == d.len || d.p[i] == ' ') {
			if (domain_is_related((struct text){ d.p + begin, i - begin }, e->victim->domain))
				return true;
			begin = i + 1;
		}
	return false;
}

static bool says_any(const struct evidence *e, const char *const *needles, size_t n)
{
	for (size_t i = 0; i < e->group->count; i++) {
		const struct answer *a = e->group->attempt[i];
		const struct text said[] = { a->reply, a->mail.outcome == MAIL_REJECTED ? a->mail.reply : (struct text){ 0 } };

		for (size_t k = 0; k < 2 * n; k++)
			if (text_find_nocase(said[k / n], needles[k % n]) >= 0)
				return true;
	}
	return false;
}

/* domain.md 3.3. "Backscatter: ..." beside a blocklist's name is about our address, not about this mail. */
static bool victim_says_backscatter(struct evidence *e)
{
	static const char *const about_mail[] = { "unsigned reverse path", "reverse path signature", "backscatter protection", "invalid bounce",
		"did not send", "bounce address tag", "batv", "unsolicited bounce", "misdirected bounce" };
	static const char *const about_host[] = { "backscatterer", "blocked using", "blacklist", "blocklist", "dnsbl" };

	return says_any(e, about_mail, sizeof about_mail / sizeof *about_mail) && !says_any(e, about_host, sizeof about_host / sizeof *about_host);
}

static bool victim_says_unknown(struct evidence *e)
{
	for (size_t i = 0; i < e->group->count; i++) {
		const struct answer *a = e->group->attempt[i];
		const char *class = a->code >= 500 ? judge_cause_class(a->code, a->enhanced, a->reply) : NULL;

		if (class && strcmp(class, "user-unknown") == 0)
			return true;
	}
	return false;
}

static bool spam_marks(struct evidence *e)
{
	return is_word(e->said->spam, "yes");
}

static bool signed_sender(struct evidence *e)
{
	return e->victim->class & (CLASS_BATV | CLASS_SRS | CLASS_VERP);
}

static bool notify_asked(struct evidence *e)
{
	return e->notify_asked;
}

enum sign { FOR, AGAINST };
enum strength { WEAK, MEDIUM, STRONG };
enum ground { GROUND_PATH, GROUND_CROWD, GROUND_VICTIM, GROUND_CONTENT, GROUND_FORM };

/* %1 and %2 are what the question put into detail. */
static const struct rule {
	const char *id;
	enum sign sign;
	enum strength strength;
	enum ground ground;
	bool (*fits)(struct evidence *e);
	const char *sentence;
} rules[] = {
	{ "auth-fail", FOR, STRONG, GROUND_PATH, auth_fail, "our own check found the sender of the original to be forged" },
	{ "spf-fail", FOR, MEDIUM, GROUND_PATH, spf_fail, "our own SPF check of the original failed" },
	{ "origin-unrelated", FOR, MEDIUM, GROUND_PATH, origin_unrelated,
	  "the original came from %1, which has nothing to do with %2, the server that takes the answer" },
	{ "origin-many-senders", FOR, STRONG, GROUND_CROWD, origin_many_senders, "%1 used senders of three or more unrelated domains" },
	{ "victim-says-backscatter", FOR, STRONG, GROUND_VICTIM, victim_says_backscatter, "the recipient's server says that he never sent the original" },
	{ "victim-says-unknown", FOR, WEAK, GROUND_VICTIM, victim_says_unknown, "the recipient's server does not know this address" },
	{ "spam-marks", FOR, MEDIUM, GROUND_CONTENT, spam_marks, "the original carries a spam mark" },
	{ "origin-is-target", AGAINST, STRONG, GROUND_PATH, origin_is_target, "the original came from %1, the very server that takes the answer" },
	{ "origin-near-target", AGAINST, MEDIUM, GROUND_PATH, origin_near_target,
	  "the original came from %1, in the network of %2, the server that takes the answer" },
	{ "spf-pass", AGAINST, STRONG, GROUND_PATH, spf_pass, "our own SPF check of the original passed" },
	{ "dkim-pass", AGAINST, STRONG, GROUND_FORM, dkim_pass, "the original was signed by the sender's domain (DKIM)" },
	{ "batv-verp-srs", AGAINST, MEDIUM, GROUND_FORM, signed_sender, "the sender's address has the form of one made for this mail (BATV, SRS or VERP)" },
	{ "notify-asked", AGAINST, MEDIUM, GROUND_FORM, notify_asked, "the original asked for a report (NOTIFY)" },
};

static const char *const signs[] = { "for", "against" }, *const strengths[] = { "weak", "medium", "strong" };

bool judge_rule(size_t i, struct judge_rule *out)
{
	if (i >= sizeof rules / sizeof *rules)
		return false;
	*out = (struct judge_rule){ rules[i].id, signs[rules[i].sign], strengths[rules[i].strength] };
	return true;
}

uint64_t judge_version(void)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		for (const char *p = rules[i].id; *p; p++)
			h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
		h = (h ^ rules[i].sign ^ (rules[i].strength << 1) ^ (rules[i].ground << 4)) * UINT64_C(1099511628211);
	}
	return h;
}

static char *fill_sentence(const char *sentence, const struct evidence *e)
{
	struct buf b = { 0 };

	for (const char *p = sentence; *p; p++) {
		if (p[0] == '%' && (p[1] == '1' || p[1] == '2'))
			buf_add_str(&b, e->detail[*++p - '1']);
		else
			buf_add_char(&b, *p);
	}
	char *text = xstrdup(buf_cstr(&b));
	buf_fini(&b);
	return text;
}

/* What the rules that fit add up to: strong 4, medium 2, weak 1. */
struct sum {
	int points[2], strong[2], medium[2];
	unsigned strong_grounds;	/* for; one bit each */
};

static const char *verdict_of(const struct sum *s)
{
	bool two_grounds = s->strong_grounds & (s->strong_grounds - 1);

	if (two_grounds && !s->strong[AGAINST])
		return "yes";
	if (!s->strong[FOR] && !s->medium[FOR] && (s->strong[AGAINST] || s->medium[AGAINST] >= 2))
		return "no";
	if (s->strong[AGAINST] && !s->strong[FOR] && s->points[AGAINST] > s->points[FOR])
		return "no";
	if (!s->strong[AGAINST] && s->points[FOR] - s->points[AGAINST] >= 2)
		return "likely";
	return "unknown";
}

static void apply_rules(struct evidence *e, struct judgement *out)
{
	static const int worth[] = { 1, 2, 4 };
	struct sum s = { 0 };

	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		const struct rule *r = &rules[i];

		if (!r->fits(e))
			continue;
		out->reason[out->reason_count++] = (struct reason){ r->id, signs[r->sign], strengths[r->strength], fill_sentence(r->sentence, e) };
		s.points[r->sign] += worth[r->strength];
		s.strong[r->sign] += r->strength == STRONG;
		s.medium[r->sign] += r->strength == MEDIUM;
		if (r->sign == FOR && r->strength == STRONG)
			s.strong_grounds |= 1u << r->ground;
	}
	out->misdirected = verdict_of(&s);
}

/* ---- exposure, class of the cause ---- */

static const char *exposure_of(const struct evidence *e)
{
	if (e->caused) {
		const struct sighting *c = &e->caused->cause;

		return c->auth == 1 ? "no" : c->auth == 0 ? "can-backscatter" : "unknown";
	}
	if (!e->origin.address.version)
		return "unknown";
	return e->origin.authenticated ? "no" : "can-backscatter";
}

static const struct {
	const char *class;
	const char *enhanced;	/* without the first digit: ".1.1" */
	const char *text;	/* lower case */
} classes[] = {
	{ "user-unknown", ".1.1", NULL }, { "user-unknown", ".1.6", NULL }, { "user-unknown", ".1.10", NULL }, { "user-unknown", ".1.3", NULL },
	{ "mailbox-full", ".2.2", NULL }, { "content", ".6.", NULL },
	{ "user-unknown", NULL, "user unknown" }, { "user-unknown", NULL, "unknown user" }, { "user-unknown", NULL, "no such user" },
	{ "user-unknown", NULL, "does not exist" }, { "user-unknown", NULL, "doesn't exist" }, { "user-unknown", NULL, "invalid recipient" },
	{ "user-unknown", NULL, "recipient not found" }, { "user-unknown", NULL, "no mailbox here" }, { "user-unknown", NULL, "> unknown" },
	{ "user-unknown", NULL, "unrouteable address" }, { "user-unknown", NULL, "unknown recipient" }, { "user-unknown", NULL, "recipient unknown" },
	{ "mailbox-full", NULL, "mailbox full" }, { "mailbox-full", NULL, "mailbox is full" }, { "mailbox-full", NULL, "quota" },
	{ "content", NULL, "virus" }, { "content", NULL, "spam" }, { "content", NULL, "banned" }, { "content", NULL, "message content" },
	{ "policy", ".7.", NULL }, { "policy", NULL, "relay" }, { "policy", NULL, "blocked" }, { "policy", NULL, "denied" },
};

const char *judge_cause_class(int code, struct text enhanced, struct text text)
{
	if (!code && !enhanced.p && !text.p)
		return NULL;
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		const char *e = classes[i].enhanced;
		size_t n = e ? strlen(e) : 0;

		if (e && enhanced.p && enhanced.len > n && memcmp(enhanced.p + 1, e, n) == 0 && (e[n - 1] == '.' || enhanced.len == n + 1))
			return classes[i].class;
		if (classes[i].text && text_find_nocase(text, classes[i].text) >= 0)
			return classes[i].class;
	}
	return "other";
}

static const char *class_of(const struct evidence *e)
{
	const struct root *r = e->caused && e->caused->root.rowid ? &e->caused->root : &e->group->said->root;

	if (e->group->said->kind != KIND_BOUNCE && e->group->said->kind != KIND_DELAY_NOTICE)
		return NULL;
	if (r->rowid)
		return judge_cause_class(r->code, r->enhanced, r->reply);
	return judge_cause_class(0, e->said->status, e->said->diagnostic);
}

void judge_group(struct judge *j, const struct victim *v, const struct mail_group *g, struct judgement *out)
{
	struct evidence e;

	*out = (struct judgement){ 0 };
	gather(j, v, g, &e);
	apply_rules(&e, out);
	out->origin = e.origin;
	out->exposure = exposure_of(&e);
	out->cause_class = class_of(&e);
}

void judgement_fini(struct judgement *out)
{
	for (size_t i = 0; i < out->reason_count; i++)
		free(out->reason[i].text);
	*out = (struct judgement){ 0 };
}
