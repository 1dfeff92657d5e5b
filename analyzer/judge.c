/*
 * judge.c - see judge.h. What is known about one mail stands in struct evidence; a rule is a question about it.
 *
 * Grounds keep rules that would err together from proving anything together: a genuine mail that was forwarded fails SPF and comes from a
 * strange network, too, so both count as one ground.
 */
#include "analyzer/judge.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/cause_class.h"
#include "analyzer/witness.h"
#include "common/buf.h"
#include "common/xmalloc.h"

struct judge {
	struct witnesses *witnesses;
};

struct judge *judge_new(sqlite3 *facts, sqlite3 *verdicts, const struct own *own, const struct servers *servers, struct origins *origins,
			struct shared *shared, const struct geo *geo, struct covered *covered)
{
	struct judge *j = xcalloc(1, sizeof *j);

	j->witnesses = witnesses_new(facts, verdicts, own, servers, origins, shared, geo, covered);
	return j;
}

void judge_free(struct judge *j)
{
	if (j)
		witnesses_free(j->witnesses);
	free(j);
}

/* ---- rules ---- */

static bool is_word(struct text t, const char *word)
{
	return t.p && t.len == strlen(word) && text_starts_nocase(t, word);
}

static bool is_negative(struct text result)
{
	return is_word(result, "fail") || is_word(result, "none") || is_word(result, "softfail") || is_word(result, "permerror");
}

/* Both ways failed: plain forwarding breaks SPF, but not DKIM. DMARC fails, too, where SPF passes for an envelope that From does not fit. */
static bool auth_fail(const struct evidence *e)
{
	return !e->trusted_sender && !e->of_others && ((is_word(e->dmarc, "fail") && !is_word(e->spf, "pass")) || (is_word(e->spf, "fail") && is_negative(e->dkim)));
}

static bool spf_fail(const struct evidence *e)
{
	return is_word(e->spf, "fail") && !e->trusted_sender && !e->of_others && !auth_fail(e) && !is_word(e->dkim, "pass") && !is_word(e->dmarc, "pass");
}

static bool spf_pass(const struct evidence *e)
{
	return is_word(e->spf, "pass");
}

static bool dkim_pass(const struct evidence *e)
{
	return is_word(e->dkim, "pass") && e->dkim_aligned;
}

/* Who forges a sender has nothing to sign with, and seldom feigns it. */
static bool dkim_signature(const struct evidence *e)
{
	return e->dkim_aligned && !e->dkim.p;
}

/* What shows that the origin may send for this sender, whatever it is called. */
static bool is_entitled(const struct evidence *e)
{
	return spf_pass(e) || dkim_pass(e) || e->correspondent || e->trusted_sender;
}

/*
 * Where a user of ours sits who authenticated says nothing: people write from anywhere, and by other addresses of theirs. Who is told of others'
 * mail asked for it, or is the one who sees after the server.
 */
static bool is_stranger(const struct evidence *e)
{
	return e->origin_unrelated && !e->of_others && e->client != CLIENT_AUTHENTICATED && !is_entitled(e);
}

/* Forwarders and lists hand on what others wrote in their own name; services write for their customers, whom From and Reply-To name. */
static bool origin_unrelated(const struct evidence *e)
{
	return is_stranger(e) && !e->passed_target && !e->from_list && !e->own_envelope;
}

static bool origin_access_line(const struct evidence *e)
{
	bool phished = e->client == CLIENT_AUTHENTICATED && e->sender_domains >= JUDGE_CLIENT_SENDERS;

	return e->access_line && (is_stranger(e) || (phished && e->origin_unrelated && !is_entitled(e)));
}

static bool origin_many_senders(const struct evidence *e)
{
	return origin_unrelated(e) && !e->access_line && e->sender_domains >= JUDGE_MANY_SENDERS;
}

/* A provider's server sends for many domains, a customer's line does not. */
static bool line_many_senders(const struct evidence *e)
{
	return is_stranger(e) && e->access_line && e->sender_domains >= JUDGE_MANY_SENDERS;
}

/* Who writes in another's name to an address of ours may have filled in a form of his; who writes out is a phished account or an infected PC. */
static bool client_many_senders(const struct evidence *e)
{
	return (e->client == CLIENT_AUTHENTICATED || e->client == CLIENT_INSIDE) && e->to_outside && !e->origin_is_target
	    && !e->trusted_sender && !e->of_others && e->sender_domains >= JUDGE_CLIENT_SENDERS;
}

/* A letter that several forwarders hand on was sent by its author, too: then only customers' lines tell. */
static bool sender_many_origins(const struct evidence *e)
{
	return is_stranger(e) && !e->passed_target && !e->from_list
	    && (e->sender_lines >= JUDGE_MANY_ORIGINS || (e->sender_networks >= JUDGE_MANY_ORIGINS && !e->sender_related_too));
}

/* Whoever logged in may have written in other ways than by mail. */
static bool unseen_mail(const struct evidence *e)
{
	return e->unseen_mail && !is_entitled(e) && e->client != CLIENT_AUTHENTICATED && !e->origin_is_target && !e->origin_near_target;
}

static bool victim_says_backscatter(const struct evidence *e)
{
	return e->said_backscatter;
}

static bool victim_says_unknown(const struct evidence *e)
{
	return e->said_unknown;
}

static bool spam_marks(const struct evidence *e)
{
	return e->spam_mark;
}

static bool unsigned_sender(const struct evidence *e)
{
	return e->signs_otherwise;
}

static bool origin_is_target(const struct evidence *e)
{
	return e->origin_is_target;
}

static bool origin_near_target(const struct evidence *e)
{
	return e->origin_near_target;
}

static bool correspondent(const struct evidence *e)
{
	return e->correspondent;
}

static bool trusted_sender(const struct evidence *e)
{
	return e->trusted_sender;
}

static bool own_sender(const struct evidence *e)
{
	return e->own_sender;
}

static bool signed_sender(const struct evidence *e)
{
	return e->signed_sender;
}

static bool notify_asked(const struct evidence *e)
{
	return e->notify_asked;
}

static bool doubtful_capture(const struct evidence *e)
{
	return e->doubt;
}

enum sign { FOR, AGAINST };
enum strength { WEAK, MEDIUM, STRONG };
enum ground { GROUND_PATH, GROUND_CROWD, GROUND_SENDER, GROUND_VICTIM, GROUND_CONTENT, GROUND_FORM, GROUND_CAPTURE };

/* %o in a sentence is the origin of the original, %t the server that takes the answer, %d what is in doubt. */
static const struct rule {
	const char *id;
	enum sign sign;
	enum strength strength;
	enum ground ground;
	bool (*fits)(const struct evidence *e);
	const char *sentence;
} rules[] = {
	{ "auth-fail", FOR, STRONG, GROUND_PATH, auth_fail, "our own check found the sender of the original to be forged" },
	{ "spf-fail", FOR, MEDIUM, GROUND_PATH, spf_fail, "our own SPF check of the original failed" },
	{ "origin-unrelated", FOR, MEDIUM, GROUND_PATH, origin_unrelated,
	  "the original came from %o, which has nothing to do with %t, the server that takes the answer" },
	{ "origin-access-line", FOR, STRONG, GROUND_PATH, origin_access_line, "%o, where the original came from, calls itself the line of some customer" },
	{ "origin-many-senders", FOR, MEDIUM, GROUND_CROWD, origin_many_senders, "%o used senders of three or more unrelated domains" },
	{ "line-many-senders", FOR, STRONG, GROUND_CROWD, line_many_senders, "%o, the line of some customer, used senders of three or more unrelated domains" },
	{ "client-many-senders", FOR, MEDIUM, GROUND_CROWD, client_many_senders, "%o, a client of ours, wrote to the world as senders of several unrelated domains" },
	{ "sender-many-origins", FOR, STRONG, GROUND_SENDER, sender_many_origins, "three or more unrelated networks used this sender within a day" },
	{ "unseen-mail", FOR, MEDIUM, GROUND_SENDER, unseen_mail,
	  "five or more bounces for different mails of his within a week, and no mail of his was seen, though nearly all that came in could be" },
	{ "victim-says-backscatter", FOR, STRONG, GROUND_VICTIM, victim_says_backscatter, "the recipient's server says that he never sent the original" },
	{ "victim-says-unknown", FOR, WEAK, GROUND_VICTIM, victim_says_unknown, "the recipient's server does not know this address" },
	{ "spam-marks", FOR, WEAK, GROUND_CONTENT, spam_marks, "the original carries a spam mark" },
	{ "unsigned-sender", FOR, WEAK, GROUND_FORM, unsigned_sender, "other mail of the recipient is signed in its envelope (BATV), the original is not" },
	{ "origin-is-target", AGAINST, STRONG, GROUND_PATH, origin_is_target, "the original came from %o, the very server that takes his mail" },
	{ "origin-near-target", AGAINST, MEDIUM, GROUND_PATH, origin_near_target, "the original came from %o, in the network of a server that takes his mail" },
	{ "spf-pass", AGAINST, STRONG, GROUND_PATH, spf_pass, "our own SPF check of the original passed" },
	{ "dkim-pass", AGAINST, STRONG, GROUND_FORM, dkim_pass, "the original was signed by the sender's domain (DKIM)" },
	{ "dkim-signature", AGAINST, MEDIUM, GROUND_FORM, dkim_signature, "the original carries a signature of the sender's domain (DKIM), which nobody here checked" },
	{ "correspondent", AGAINST, STRONG, GROUND_SENDER, correspondent, "from the network of %o he answered mail of ours" },
	{ "trusted-sender", AGAINST, STRONG, GROUND_SENDER, trusted_sender, "the configuration trusts %o to write in others' names" },
	{ "own-sender", AGAINST, MEDIUM, GROUND_SENDER, own_sender, "the envelope of the original is one of ours" },
	{ "batv-verp-srs", AGAINST, MEDIUM, GROUND_FORM, signed_sender, "the sender's address has the form of one made for this mail (BATV, SRS or VERP)" },
	{ "notify-asked", AGAINST, WEAK, GROUND_FORM, notify_asked, "the original asked for a report (NOTIFY)" },
	{ "doubtful-capture", AGAINST, WEAK, GROUND_CAPTURE, doubtful_capture, "%d: likely at most" },
};

enum { RULE_COUNT = sizeof rules / sizeof *rules };

_Static_assert(RULE_COUNT <= JUDGE_REASONS_MAX, "each rule may give a reason");

static const char *const signs[] = { "for", "against" }, *const strengths[] = { "weak", "medium", "strong" };

bool judge_rule(size_t i, struct judge_rule *out)
{
	if (i >= RULE_COUNT)
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
	char ip[IP_TEXT_MAX];
	struct buf b = { 0 };

	for (const char *p = sentence; *p; p++) {
		if (p[0] == '%' && p[1] == 'd')
			buf_add_str(&b, (p++, e->doubt));
		else if (p[0] == '%' && (p[1] == 'o' || p[1] == 't'))
			buf_add_str(&b, ip_format(*++p == 'o' ? &e->origin.address : &e->target, ip));
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
	bool doubt;			/* GROUND_CAPTURE weighs nothing; it forbids proof */
};

static const char *verdict_of(const struct sum *s)
{
	bool two_grounds = s->strong_grounds & (s->strong_grounds - 1);

	if (two_grounds && !s->strong[AGAINST])
		return s->doubt ? "likely" : "yes";
	if (!s->strong[FOR] && !s->medium[FOR] && (s->strong[AGAINST] || s->medium[AGAINST] >= 2))
		return "no";
	if (s->strong[AGAINST] && !s->strong[FOR] && s->points[AGAINST] > s->points[FOR])
		return "no";
	if (!s->strong[AGAINST] && (s->strong[FOR] || s->medium[FOR]) && s->points[FOR] - s->points[AGAINST] >= 2)
		return "likely";
	return "unknown";
}

/* The rules that fit, one bit each. */
static unsigned fitting_rules(const struct evidence *e)
{
	unsigned set = 0;

	for (size_t i = 0; i < RULE_COUNT; i++)
		set |= (unsigned)rules[i].fits(e) << i;
	return set;
}

static struct sum sum_of(unsigned set)
{
	static const int worth[] = { [WEAK] = 1, [MEDIUM] = 2, [STRONG] = 4 };
	struct sum s = { 0 };

	for (size_t i = 0; i < RULE_COUNT; i++) {
		const struct rule *r = &rules[i];

		if (!(set >> i & 1))
			continue;
		if (r->ground == GROUND_CAPTURE) {
			s.doubt = true;
			continue;
		}
		s.points[r->sign] += worth[r->strength];
		s.strong[r->sign] += r->strength == STRONG;
		s.medium[r->sign] += r->strength == MEDIUM;
		if (r->sign == FOR && r->strength == STRONG)
			s.strong_grounds |= 1u << r->ground;
	}
	return s;
}

static void apply_rules(const struct evidence *e, struct judgement *out)
{
	unsigned set = fitting_rules(e);
	struct sum s = sum_of(set);

	for (size_t i = 0; i < RULE_COUNT; i++)
		if (set >> i & 1)
			out->reason[out->reason_count++] =
				(struct reason){ rules[i].id, signs[rules[i].sign], strengths[rules[i].strength], fill_sentence(rules[i].sentence, e) };
	out->misdirected = verdict_of(&s);
}

/* ---- exposure, class of the cause ---- */

/* Servers relay for those whom they trust, or ask less about their recipients: neither shows what they do with strangers. */
static const char *exposure_of(const struct evidence *e)
{
	if (e->trusted_sender && e->client == CLIENT_OUTSIDE)
		return e->to_outside ? "no" : "unknown";
	switch (e->client) {
	case CLIENT_OUTSIDE:
		return "can-backscatter";
	case CLIENT_AUTHENTICATED:
		return "no";
	case CLIENT_INSIDE:
		if (e->to_outside || e->trusted_sender)
			return "no";
		break;	/* a balancer that hides its clients, a form for all the world */
	case CLIENT_UNKNOWN:
		break;
	}
	return "unknown";
}

static const char *class_of(const struct evidence *e, const struct mail_group *g)
{
	const struct root *r = e->caused && e->caused->root.rowid ? &e->caused->root : &g->said->root;

	if (g->said->kind != KIND_BOUNCE && g->said->kind != KIND_DELAY_NOTICE)
		return NULL;
	if (r->rowid)
		return cause_class(r->code, r->enhanced, r->reply);
	return cause_class(0, e->said->status, e->said->diagnostic);
}

void judge_group(struct judge *j, const struct victim *v, struct mail_group *g, struct judgement *out)
{
	struct evidence e;

	*out = (struct judgement){ 0 };
	witness_gather(j->witnesses, v, g, &e);
	apply_rules(&e, out);
	out->origin = e.origin;
	out->exposure = exposure_of(&e);
	out->cause_class = class_of(&e, g);
}

void judgement_fini(struct judgement *out)
{
	for (size_t i = 0; i < out->reason_count; i++)
		free(out->reason[i].text);
	*out = (struct judgement){ 0 };
}
