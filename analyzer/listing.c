/* listing.c - see listing.h. */
#include "analyzer/listing.h"

#include <stdio.h>
#include <string.h>

#include "common/buf.h"

/* ---- names ---- */

static void add_nibbles(const struct ip_addr *a, struct buf *out)
{
	for (int i = 15; i >= 0; i--)
		buf_printf(out, "%x.%x.", (unsigned)(a->bytes[i] & 15), (unsigned)(a->bytes[i] >> 4));
}

bool listing_name(const struct ip_addr *a, const char *zone, char out[DNS_NAME_MAX + 1])
{
	struct buf b = { 0 };

	if (a->version == 4)
		buf_printf(&b, "%u.%u.%u.%u.", a->bytes[3], a->bytes[2], a->bytes[1], a->bytes[0]);
	else
		add_nibbles(a, &b);
	buf_add_str(&b, zone);
	bool fits = b.len <= DNS_NAME_MAX;
	if (fits)
		memcpy(out, buf_cstr(&b), b.len + 1);
	buf_fini(&b);
	return fits;
}

bool listing_test_name(const struct ip_addr *test, uint8_t version, const char *zone, char out[DNS_NAME_MAX + 1])
{
	struct ip_addr mapped = { .version = 6, .bytes = { [10] = 0xff, [11] = 0xff } };

	if (version == 4 || test->version == 6)
		return listing_name(test, zone, out);
	memcpy(mapped.bytes + 12, test->bytes, 4);
	return listing_name(&mapped, zone, out);
}

/* ---- one answer ---- */

static bool is_in_any(const struct ip_addr *a, const struct config_prefixes *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (ip_in_prefix(a, &p->item[i]))
			return true;
	return false;
}

/* 127.255.255.252, .254, .255 of Spamhaus and those who took them over. */
static bool is_query_refused(const struct list *l, const struct ip_addr *a)
{
	return (a->bytes[0] == 127 && a->bytes[1] == 255 && a->bytes[2] == 255) || is_in_any(a, &l->refused_codes);
}

enum listing_answer listing_answer(const struct list *l, const struct dns_query *q)
{
	bool declared = false, refused = false, outside = false;

	if (q->status != DNS_ANSWER)
		return q->status == DNS_NO_NAME ? LISTING_NO_ENTRY : LISTING_SILENCE;
	for (unsigned i = 0; i < q->count; i++) {
		const struct ip_addr *a = &q->address[i];

		outside |= a->bytes[0] != 127;
		refused |= is_query_refused(l, a);
		declared |= is_in_any(a, &l->codes);
	}
	return outside ? LISTING_OUTSIDE : refused ? LISTING_QUERY_REFUSED : declared ? LISTING_ENTRY : LISTING_UNDECLARED;
}

bool listing_is_rewritten(const struct dns_query *random)
{
	return random->status == DNS_ANSWER && random->count > 0 && random->address[0].bytes[0] != 127;
}

void listing_write_raw(const struct dns_query *q, struct buf *out)
{
	char text[IP_TEXT_MAX];

	if (q->status != DNS_ANSWER)
		buf_add_str(out, dns_status_words(q->status));
	else
		for (unsigned i = 0; i < q->count; i++)
			buf_printf(out, "%s%s", i ? " " : "", ip_format(&q->address[i], text));
}

/* ---- what they say together ---- */

static const char *const names[] = { [LISTING_UNKNOWN] = "unknown", [LISTING_NOT_LISTED] = "not-listed", [LISTING_LISTED] = "listed" };

const char *listing_state_name(enum listing_state s)
{
	return names[s];
}

enum listing_state listing_state_parse(const char *name)
{
	for (int s = LISTING_NOT_LISTED; s <= LISTING_LISTED; s++)
		if (strcmp(name, names[s]) == 0)
			return (enum listing_state)s;
	return LISTING_UNKNOWN;
}

/* An answer where there must be none. */
static bool is_contradiction(const struct list *l, const struct dns_query *q)
{
	return q && q->status == DNS_ANSWER && listing_answer(l, q) != LISTING_QUERY_REFUSED;
}

static bool is_refused(const struct list *l, const struct dns_query *q)
{
	return q && listing_answer(l, q) == LISTING_QUERY_REFUSED;
}

static bool is_outside(const struct list *l, const struct dns_query *q)
{
	return q && listing_answer(l, q) == LISTING_OUTSIDE;
}

bool listing_proof_holds(const struct list *l, const struct listing_proof *p, const char **why)
{
	*why = "";
	if (is_outside(l, p->random) || is_outside(l, p->test_listed) || is_outside(l, p->test_not_listed))
		*why = "addresses outside 127/8 are answered: the resolver rewrites what does not exist, or the zone belongs to somebody else now";
	else if (is_refused(l, p->random) || is_refused(l, p->test_listed) || is_refused(l, p->test_not_listed))
		*why = "the list refuses to answer this resolver";
	else if (is_contradiction(l, p->test_not_listed) || is_contradiction(l, p->random))
		*why = "the list answers what nobody entered: it lists everything";
	else if (p->test_listed && listing_answer(l, p->test_listed) == LISTING_UNDECLARED)
		*why = "the test entry of the list is answered with a code that its file does not declare";
	if (**why)
		return false;
	if (p->test_listed && p->test_listed->status == DNS_NO_NAME)
		*why = "the test entry is missing, so that nothing proves an address not to be listed";
	else if (p->test_listed && p->test_listed->status != DNS_ANSWER)
		*why = "the test entry was not answered, so that nothing proves an address not to be listed";
	return true;
}

static enum listing_state judge_entry(const struct list *l, const struct listing_proof *p, const char **why)
{
	bool proved = (p->test_not_listed && listing_answer(l, p->test_not_listed) == LISTING_NO_ENTRY) || listing_answer(l, p->random) == LISTING_NO_ENTRY;

	*why = proved ? "a code that the list declares" : "it was not seen that the list answers \"no\" to anything";
	return proved ? LISTING_LISTED : LISTING_UNKNOWN;
}

static enum listing_state judge_no_entry(const struct list *l, const struct listing_proof *p, const char **why)
{
	if (!p->test_listed) {
		*why = "no entry, but this list has no test entry that would show that it answers at all";
		return LISTING_UNKNOWN;
	}
	if (listing_answer(l, p->test_listed) == LISTING_ENTRY) {
		*why = "no entry, and the test entry of the list is there";
		return LISTING_NOT_LISTED;
	}
	*why = p->test_listed->status == DNS_NO_NAME ? "no entry, but the test entry of the list is missing, too: it may be empty or gone"
						     : "no entry, but the test entry of the list was not answered";
	return LISTING_UNKNOWN;
}

enum listing_state listing_judge(const struct list *l, const struct listing_proof *p, const struct dns_query *address, const char **why)
{
	if (!listing_proof_holds(l, p, why))
		return LISTING_UNKNOWN;
	switch (listing_answer(l, address)) {
	case LISTING_ENTRY: return judge_entry(l, p, why);
	case LISTING_NO_ENTRY: return judge_no_entry(l, p, why);
	case LISTING_QUERY_REFUSED: *why = "the list refuses to answer this resolver"; break;
	case LISTING_UNDECLARED: *why = "a code that the list's file does not declare"; break;
	case LISTING_OUTSIDE: *why = "an address outside 127/8: the resolver rewrites what does not exist, or the zone belongs to somebody else now"; break;
	case LISTING_SILENCE: *why = dns_status_words(address->status); break;
	}
	return LISTING_UNKNOWN;
}

/* ---- resolvers ---- */

static const struct { const char *prefix, *name; } public_resolvers[] = {
	{ "8.8.8.8", "Google" }, { "8.8.4.4", "Google" }, { "2001:4860:4860::/48", "Google" },
	{ "1.1.1.0/24", "Cloudflare" }, { "1.0.0.0/24", "Cloudflare" }, { "2606:4700:4700::/48", "Cloudflare" },
	{ "9.9.9.0/24", "Quad9" }, { "149.112.112.0/24", "Quad9" }, { "2620:fe::/48", "Quad9" },
	{ "208.67.220.0/22", "OpenDNS" }, { "2620:119:35::/48", "OpenDNS" }, { "2620:119:53::/48", "OpenDNS" },
	{ "94.140.14.0/23", "AdGuard" }, { "2a10:50c0::/32", "AdGuard" },
	{ "64.6.64.0/23", "Verisign" }, { "2620:74:1b::/48", "Verisign" },
	{ "77.88.8.0/24", "Yandex" }, { "185.228.168.0/23", "CleanBrowsing" }, { "76.76.2.0/24", "ControlD" },
};

const char *listing_public_resolver(const struct ip_addr *a)
{
	for (size_t i = 0; i < sizeof public_resolvers / sizeof *public_resolvers; i++) {
		struct ip_prefix p;

		if (ip_prefix_parse(public_resolvers[i].prefix, &p) == 0 && ip_in_prefix(a, &p))
			return public_resolvers[i].name;
	}
	return NULL;
}
