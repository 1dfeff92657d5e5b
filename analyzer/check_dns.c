/*
 * check_dns.c - see check.h: which names are asked, and where the answers go. dnsbl.c asks, listing.c says what answers of lists mean.
 *
 * Two rounds: what can be asked at once, then what follows from it (the text of a listing, addresses of names). Answers of lists are kept in
 * notes.db and used for 15 minutes, as long as the same resolver is asked.
 */
#include "analyzer/check.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/domain.h"
#include "analyzer/mail.h"
#include "common/buf.h"
#include "common/timefmt.h"
#include "common/xmalloc.h"
#include "schema/db.h"

/* All of "check" takes five seconds at most: what is left is for the store. */
#define FIRST_ROUND_US INT64_C(2800000)
#define BOTH_ROUNDS_US INT64_C(4200000)
#define KEPT_US (15 * INT64_C(60000000))	/* RFC 6471 and the lists themselves ask for as much patience */

#define FORGOTTEN_US (400 * INT64_C(86400000000))	/* a year can be compared with the one before */

enum { QUERIES_MAX = 2000, FAMILIES = 2, NOTES_BUSY_MS = 300 };

/* A query and what it is for. */
enum purpose { TEST_LISTED, TEST_NOT_LISTED, RANDOM, ADDRESS, REASON, PTR, HOST, SPF, DMARC, DMARC_ABOVE };

struct question {
	enum purpose purpose;
	unsigned list, family;		/* of tests */
	unsigned address, name;		/* of an address; its host name */
	unsigned domain;
};

struct asking {
	struct check *c;
	struct dnsbl *d;
	struct dns_query *query;
	struct question *what;
	unsigned count, cap, first;	/* queries before first belong to the round before */
	sqlite3 *notes;
};

/* ---- questions ---- */

static struct dns_query *add(struct asking *g, struct question what, enum dns_type type, unsigned lane)
{
	if (g->count == g->cap) {
		g->cap = g->cap ? g->cap * 2 : 64;
		g->query = xreallocarray(g->query, g->cap, sizeof *g->query);
		g->what = xreallocarray(g->what, g->cap, sizeof *g->what);
	}
	g->what[g->count] = what;
	g->query[g->count] = (struct dns_query){ .type = type, .lane = lane };
	return &g->query[g->count++];
}

static void add_name(struct asking *g, struct question what, enum dns_type type, const char *prefix, const char *name)
{
	struct dns_query *q = add(g, what, type, DNS_LANE_OWN);

	/* What is no host name is not asked; nor is one in letters of its own, which would first have to be written in ASCII (RFC 5891). */
	if (!domain_is_name((struct text){ name, (uint32_t)strlen(name) }))
		q->status = DNS_MALFORMED;
	if (snprintf(q->name, sizeof q->name, "%s%s", prefix, name) >= (int)sizeof q->name)
		q->status = DNS_MALFORMED;
}

static void random_label(char out[21])
{
	unsigned char bytes[10];

	RAND_bytes(bytes, sizeof bytes);
	for (unsigned i = 0; i < sizeof bytes; i++)
		snprintf(out + 2 * i, 3, "%c%c", 'a' + (bytes[i] & 15), 'a' + (bytes[i] >> 4));
}

static const struct list *list_of(const struct asking *g, unsigned i)
{
	return &g->c->lists->item[i];
}

static struct check_proof *proof_of(const struct asking *g, unsigned list, unsigned family)
{
	return &g->c->proof[list * FAMILIES + family];
}

static void add_tests(struct asking *g, unsigned list, unsigned family)
{
	const struct list *l = list_of(g, list);
	struct question what = { .list = list, .family = family };
	uint8_t version = family ? 6 : 4;
	char label[21];

	if (l->test_listed.version) {
		what.purpose = TEST_LISTED;
		listing_test_name(&l->test_listed, version, l->zone, add(g, what, DNS_A, list + 1)->name);
	}
	if (l->test_not_listed.version) {
		what.purpose = TEST_NOT_LISTED;
		listing_test_name(&l->test_not_listed, version, l->zone, add(g, what, DNS_A, list + 1)->name);
	}
	what.purpose = RANDOM;
	random_label(label);
	struct dns_query *q = add(g, what, DNS_A, list + 1);
	if (snprintf(q->name, sizeof q->name, "%s.%s", label, l->zone) >= (int)sizeof q->name)
		q->status = DNS_MALFORMED;
	proof_of(g, list, family)->asked = true;
}

/* An answer of the last 15 minutes by the same resolver. */
static bool take_kept(struct asking *g, struct check_list *l, const char *address)
{
	static const char sql[] = "SELECT at_us, state, raw, why, reason FROM list_answer WHERE address = ?1 AND list = ?2 AND resolver = ?3 AND at_us > ?4"
		" ORDER BY at_us DESC LIMIT 1";
	bool found = false;

	if (!g->notes)
		return false;
	sqlite3_stmt *s = db_prepare(g->notes, sql);
	sqlite3_bind_text(s, 1, address, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, l->list->id, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 3, g->c->resolvers, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 4, g->c->wall_us - KEPT_US);
	if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int64(s, 0) <= g->c->wall_us) {
		l->asked_us = sqlite3_column_int64(s, 0);
		l->in.listing = listing_state_parse((const char *)sqlite3_column_text(s, 1));
		l->raw = xstrdup((const char *)sqlite3_column_text(s, 2));
		l->in.listing_why = l->why = xstrdup((const char *)sqlite3_column_text(s, 3));
		struct text reason = column_text(s, 4);
		l->reason = reason.p ? xstrndup(reason.p, reason.len) : NULL;
		found = true;
	}
	sqlite3_finalize(s);
	return found;
}

static void add_list(struct asking *g, unsigned address, unsigned list)
{
	struct check_address *a = &g->c->address[address];
	struct check_list *l = &a->list[list];
	unsigned family = a->ip.version == 6;

	if (!l->list->zone || (family && !l->list->ipv6) || take_kept(g, l, a->text) || g->count >= QUERIES_MAX)
		return;
	if (!proof_of(g, list, family)->asked)
		add_tests(g, list, family);
	struct dns_query *q = add(g, (struct question){ .purpose = ADDRESS, .list = list, .family = family, .address = address }, DNS_A, list + 1);
	if (!listing_name(&a->ip, l->list->zone, q->name))
		q->status = DNS_MALFORMED;
}

static void add_host(struct asking *g, unsigned address, unsigned name)
{
	const struct check_address *a = &g->c->address[address];

	add_name(g, (struct question){ .purpose = HOST, .address = address, .name = name }, a->ip.version == 4 ? DNS_A : DNS_AAAA, "", a->name[name].name);
}

static void add_address(struct asking *g, unsigned address)
{
	const struct check_address *a = &g->c->address[address];
	struct dns_query *q = add(g, (struct question){ .purpose = PTR, .address = address }, DNS_PTR, DNS_LANE_OWN);

	listing_name(&a->ip, a->ip.version == 4 ? "in-addr.arpa" : "ip6.arpa", q->name);
	for (unsigned i = 0; i < a->name_count; i++)
		add_host(g, address, i);
}

static void add_domain(struct asking *g, const char *name)
{
	struct check *c = g->c;
	unsigned n = c->domain_count;
	struct text above = domain_registrable((struct text){ name, (uint32_t)strlen(name) });
	char registrable[DNS_NAME_MAX + 1];

	if (*name == '.' || n == CHECK_DOMAINS_MAX)
		return;
	c->domain[c->domain_count++] = (struct check_domain){ .name = xstrdup(name) };
	add_name(g, (struct question){ .purpose = SPF, .domain = n }, DNS_TXT, "", name);
	add_name(g, (struct question){ .purpose = DMARC, .domain = n }, DNS_TXT, "_dmarc.", name);
	if (!above.p || above.len == strlen(name) || above.len > DNS_NAME_MAX)
		return;
	snprintf(registrable, sizeof registrable, "%.*s", (int)above.len, above.p);
	add_name(g, (struct question){ .purpose = DMARC_ABOVE, .domain = n }, DNS_TXT, "_dmarc.", registrable);
}

static void add_first_round(struct asking *g)
{
	for (unsigned i = 0; i < g->c->address_count; i++) {
		for (unsigned k = 0; k < g->c->lists->count; k++)
			add_list(g, i, k);
		add_address(g, i);
	}
	for (size_t i = 0; i < g->c->config->own.domains.count; i++)
		add_domain(g, g->c->config->own.domains.item[i]);
}

/* ---- answers ---- */

static char *raw_of(const struct dns_query *q)
{
	struct buf b = { 0 };

	listing_write_raw(q, &b);
	char *text = xstrdup(buf_cstr(&b));
	buf_fini(&b);
	return text;
}

static const struct dns_query *find_test(const struct asking *g, enum purpose purpose, unsigned list, unsigned family)
{
	for (unsigned i = 0; i < g->count; i++)
		if (g->what[i].purpose == purpose && g->what[i].list == list && g->what[i].family == family)
			return &g->query[i];
	return NULL;
}

static struct listing_proof gather_proof(const struct asking *g, unsigned list, unsigned family)
{
	return (struct listing_proof){ find_test(g, TEST_LISTED, list, family), find_test(g, TEST_NOT_LISTED, list, family), find_test(g, RANDOM, list, family) };
}

static void take_proofs(struct asking *g)
{
	for (unsigned list = 0; list < g->c->lists->count; list++)
		for (unsigned family = 0; family < FAMILIES; family++) {
			struct check_proof *p = proof_of(g, list, family);
			struct listing_proof proof = gather_proof(g, list, family);

			if (!p->asked)
				continue;
			p->test_listed = proof.test_listed ? raw_of(proof.test_listed) : NULL;
			p->test_not_listed = proof.test_not_listed ? raw_of(proof.test_not_listed) : NULL;
			p->random = raw_of(proof.random);
			p->holds = listing_proof_holds(list_of(g, list), &proof, &p->why);
			g->c->rewrites |= listing_is_rewritten(proof.random);
		}
}

static void take_listing(struct asking *g, const struct question *what, const struct dns_query *q)
{
	struct check_list *l = &g->c->address[what->address].list[what->list];
	struct listing_proof proof = gather_proof(g, what->list, what->family);
	const char *why;

	l->raw = raw_of(q);
	l->asked_us = g->c->wall_us;
	l->in.listing = listing_judge(l->list, &proof, q, &why);
	l->in.listing_why = why;
	if (l->in.listing != LISTING_LISTED)
		return;
	struct question reason = *what;
	reason.purpose = REASON;
	struct dns_query *text = add(g, reason, DNS_TXT, what->list + 1);
	listing_name(&g->c->address[what->address].ip, l->list->zone, text->name);
}

static void take_ptr(struct asking *g, const struct question *what, const struct dns_query *q)
{
	struct check_address *a = &g->c->address[what->address];

	a->ptr_status = q->status;
	for (unsigned i = 0; i < q->count; i++) {
		unsigned k = 0;

		while (k < a->name_count && strcasecmp(a->name[k].name, q->text[i]) != 0)
			k++;
		if (k == CHECK_NAMES_MAX)
			return;
		if (k == a->name_count) {
			a->name[a->name_count++] = (struct check_host_name){ .name = xstrdup(q->text[i]) };
			add_host(g, what->address, k);
		}
		a->name[k].is_ptr = true;
	}
}

static void take_host(struct asking *g, const struct question *what, const struct dns_query *q)
{
	struct check_address *a = &g->c->address[what->address];
	struct check_host_name *n = &a->name[what->name];

	n->status = q->status;
	for (unsigned i = 0; i < q->count; i++)
		n->leads_back |= ip_equal(&q->address[i], &a->ip);
}

static bool exists(const struct dns_query *q)
{
	return q->status == DNS_ANSWER || q->status == DNS_NO_RECORD;
}

/* "v=spf1" ends at a blank or the end (RFC 7208, 4.5), "v=DMARC1" at ';' or blanks before it (RFC 7489, 6.4). */
static bool is_record(const char *text, const char *version)
{
	size_t n = strlen(version);

	return strncasecmp(text, version, n) == 0 && (text[n] == '\0' || text[n] == ' ' || text[n] == ';');
}

/* known: the name is there, or the one above it; that a whole domain of ours does not exist says more of the resolver than of the domain. */
static enum check_record take_record(const struct dns_query *q, const char *version, bool known, char **text)
{
	enum check_record found = known ? CHECK_RECORD_MISSING : CHECK_RECORD_UNKNOWN;

	for (unsigned i = 0; i < q->count; i++) {
		if (!is_record(q->text[i], version))
			continue;
		if (found == CHECK_RECORD_PRESENT)
			return CHECK_RECORD_TWICE;
		found = CHECK_RECORD_PRESENT;
		free(*text);
		*text = xstrdup(q->text[i]);
	}
	return found;
}

static void take_reason(struct asking *g, const struct question *what, const struct dns_query *q)
{
	if (q->count)
		g->c->address[what->address].list[what->list].reason = xstrdup(q->text[0]);
}

static void take_answer(struct asking *g, unsigned i)
{
	struct question what = g->what[i];
	struct dns_query q = g->query[i];	/* copies: more may be added */
	struct check_domain *d = &g->c->domain[what.domain];

	switch (what.purpose) {
	case ADDRESS: take_listing(g, &what, &q); break;
	case PTR: take_ptr(g, &what, &q); break;
	case HOST: take_host(g, &what, &q); break;
	case REASON: take_reason(g, &what, &q); break;
	case SPF: d->spf = take_record(&q, "v=spf1", exists(&q), &d->spf_text); break;
	case DMARC: d->dmarc = take_record(&q, "v=DMARC1", d->spf != CHECK_RECORD_UNKNOWN && (exists(&q) || q.status == DNS_NO_NAME), &d->dmarc_text); break;
	case DMARC_ABOVE:
		if (d->dmarc == CHECK_RECORD_MISSING)
			d->dmarc = take_record(&q, "v=DMARC1", exists(&q) || q.status == DNS_NO_NAME, &d->dmarc_text);
		break;
	case TEST_LISTED:
	case TEST_NOT_LISTED:
	case RANDOM: break;
	}
}

static void take_round(struct asking *g)
{
	unsigned end = g->count;

	for (unsigned i = g->first; i < end; i++)
		take_answer(g, i);
	g->first = end;
}

/* ---- keeping ---- */

/* What was answered, whatever it means: who was refused asks no sooner again than who was told. */
static bool is_worth_keeping(const struct check_list *l, int64_t wall_us)
{
	return l->raw && l->asked_us == wall_us && (l->in.listing != LISTING_UNKNOWN || strspn(l->raw, "0123456789. ") == strlen(l->raw));
}

static void keep(struct asking *g)
{
	static const char sql[] = "INSERT INTO list_answer (address, list, at_us, resolver, state, raw, why, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

	if (!g->notes || db_exec(g->notes, "BEGIN IMMEDIATE", NULL, 0))
		return;
	sqlite3_stmt *s = db_prepare(g->notes, sql);
	for (unsigned i = 0; i < g->c->address_count; i++)
		for (unsigned k = 0; k < g->c->lists->count; k++) {
			const struct check_list *l = &g->c->address[i].list[k];

			if (!is_worth_keeping(l, g->c->wall_us))
				continue;
			sqlite3_bind_text(s, 1, g->c->address[i].text, -1, SQLITE_STATIC);
			sqlite3_bind_text(s, 2, l->list->id, -1, SQLITE_STATIC);
			sqlite3_bind_int64(s, 3, l->asked_us);
			sqlite3_bind_text(s, 4, g->c->resolvers, -1, SQLITE_STATIC);
			sqlite3_bind_text(s, 5, listing_state_name(l->in.listing), -1, SQLITE_STATIC);
			sqlite3_bind_text(s, 6, l->raw, -1, SQLITE_STATIC);
			sqlite3_bind_text(s, 7, l->in.listing_why, -1, SQLITE_STATIC);
			sqlite3_bind_text(s, 8, l->reason, -1, SQLITE_STATIC);
			sqlite3_step(s);
			sqlite3_reset(s);
		}
	sqlite3_finalize(s);
	s = db_prepare(g->notes, "DELETE FROM list_answer WHERE at_us < ?1");
	sqlite3_bind_int64(s, 1, g->c->wall_us - FORGOTTEN_US);
	sqlite3_step(s);
	sqlite3_finalize(s);
	db_exec(g->notes, "COMMIT", NULL, 0);
}

sqlite3 *check_open_notes(const struct check *c, const char *store)
{
	char error[512], id[64];
	sqlite3 *db = db_open_write(store, DB_NOTES, NOTES_BUSY_MS, NULL, error, sizeof error);

	if (db && db_text(c->db, "SELECT store_id FROM meta", id, sizeof id) == 0) {
		sqlite3_stmt *s = db_prepare(db, "INSERT INTO meta SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM meta)");

		sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC);
		sqlite3_step(s);
		sqlite3_finalize(s);
	}
	return db;
}

static void name_resolvers(struct check *c, const struct dnsbl *d)
{
	const char *p = dnsbl_resolvers(d);
	struct ip_addr a;

	c->resolvers = xstrdup(p);
	for (size_t n; *p && !c->public_resolver; p += n + (p[n] == ' ')) {
		n = strcspn(p, " ");
		if (ip_parse(p, n, &a) == 0)
			c->public_resolver = listing_public_resolver(&a);
	}
}

static void run_rounds(struct asking *g, int64_t started_us)
{
	add_first_round(g);
	dnsbl_ask(g->d, g->query, g->count, started_us + FIRST_ROUND_US);
	take_proofs(g);
	take_round(g);
	dnsbl_ask(g->d, g->query + g->first, g->count - g->first, started_us + BOTH_ROUNDS_US);
	take_round(g);
}

int check_ask(struct check *c, const char *store, const char *resolver, char *error, unsigned error_size)
{
	struct asking g = { .c = c };
	int64_t started_us = time_monotone_us();

	g.d = dnsbl_new(resolver, error, error_size);
	if (!g.d)
		return -1;
	name_resolvers(c, g.d);
	c->proof = xcalloc(c->lists->count * FAMILIES + 1, sizeof *c->proof);
	g.notes = check_open_notes(c, store);	/* without it everything is asked each time */
	run_rounds(&g, started_us);
	keep(&g);
	for (unsigned i = 0; i < g.count; i++) {
		c->queries += g.query[i].sent_us != 0;
		c->answers += g.query[i].status == DNS_ANSWER;
		c->absent += g.query[i].status == DNS_NO_NAME;
		dns_query_fini(&g.query[i]);
	}
	c->dns_took_us = time_monotone_us() - started_us;
	sqlite3_close(g.notes);
	dnsbl_free(g.d);
	free(g.query);
	free(g.what);
	return 0;
}
