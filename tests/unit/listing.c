/* Unit tests of analyzer/listing.c: what DNS answers prove, and what they do not. */
#include "analyzer/listing.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct ip_addr ip(const char *s)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(s, strlen(s), &a), 0);
	return a;
}

/* "127.0.0.2 127.0.0.4", "-" for NXDOMAIN, "?" for silence. */
static struct dns_query answer(const char *text)
{
	struct dns_query q = { .type = DNS_A, .status = DNS_ANSWER };

	if (*text == '-' || *text == '?')
		q.status = *text == '-' ? DNS_NO_NAME : DNS_SILENT;
	for (const char *p = text; q.status == DNS_ANSWER && *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		assert_int_equal(ip_parse(p, n, &q.address[q.count++]), 0);
		p += n;
	}
	return q;
}

static struct ip_prefix codes[] = { { .bits = 31 } }, refused[] = { { .bits = 32 } };
static char zone[] = "bl.example";
static struct list list;

static void make_list(void)
{
	codes[0].addr = ip("127.0.0.2");
	refused[0].addr = ip("127.0.1.255");
	list = (struct list){ .zone = zone, .codes = { codes, 1 }, .refused_codes = { refused, 1 } };
}

/* The four answers in the order test entry, what must not be there, random name, address. */
static const char *judge(const char *listed, const char *not_listed, const char *random, const char *address, const char **why)
{
	struct dns_query q[] = { answer(listed), answer(not_listed), answer(random), answer(address) };
	struct listing_proof p = { *listed ? &q[0] : NULL, *not_listed ? &q[1] : NULL, &q[2] };

	make_list();
	return listing_state_name(listing_judge(&list, &p, &q[3], why));
}

static void addresses_become_names(void **state)
{
	char name[DNS_NAME_MAX + 1], long_zone[DNS_NAME_MAX + 1];
	struct ip_addr v4 = ip("192.0.2.25"), v6 = ip("2001:db8::25"), test = ip("127.0.0.2");

	(void)state;
	assert_true(listing_name(&v4, "bl.example", name));
	assert_string_equal(name, "25.2.0.192.bl.example");
	assert_true(listing_name(&v6, "bl.example", name));
	assert_string_equal(name, "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.example");
	assert_true(listing_test_name(&test, 6, "bl.example", name));
	assert_string_equal(name, "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.bl.example");
	memset(long_zone, 'z', 245);
	long_zone[245] = '\0';
	assert_false(listing_name(&v4, long_zone, name));
}

static void only_what_is_proved_is_said(void **state)
{
	static const struct { const char *listed, *not_listed, *random, *address, *state, *why; } cases[] = {
		{ "127.0.0.2", "-", "-", "127.0.0.2", "listed", "a code that the list declares" },
		{ "127.0.0.2", "-", "-", "127.0.0.3 127.0.0.77", "listed", "declares" },
		{ "127.0.0.2", "-", "-", "-", "not-listed", "the test entry of the list is there" },
		{ "127.0.0.2", "", "-", "-", "not-listed", "is there" },
		/* answers everything */
		{ "127.0.0.2", "127.0.0.2", "127.0.0.2", "127.0.0.2", "unknown", "it lists everything" },
		{ "127.0.0.2", "-", "127.0.0.2", "127.0.0.2", "unknown", "it lists everything" },
		{ "127.0.0.2", "127.0.0.2", "-", "-", "unknown", "it lists everything" },
		/* answers nothing, or only some of it */
		{ "?", "?", "?", "?", "unknown", "no answer in time" },
		{ "?", "-", "-", "-", "unknown", "was not answered" },
		{ "127.0.0.2", "?", "?", "127.0.0.2", "unknown", "was not seen that the list answers \"no\"" },
		{ "127.0.0.2", "?", "-", "127.0.0.2", "listed", "declares" },
		{ "127.0.0.2", "-", "-", "?", "unknown", "no answer in time" },
		/* no test entry */
		{ "-", "-", "-", "-", "unknown", "missing, too" },
		{ "", "", "-", "-", "unknown", "no test entry" },
		{ "-", "-", "-", "127.0.0.2", "listed", "declares" },
		/* refused, parked, rewritten, undeclared */
		{ "127.255.255.254", "127.255.255.254", "127.255.255.254", "127.255.255.254", "unknown", "refuses to answer this resolver" },
		{ "127.0.0.2", "-", "-", "127.255.255.252", "unknown", "refuses" },
		{ "127.0.0.2", "-", "-", "127.0.1.255", "unknown", "refuses" },
		{ "127.0.1.255", "-", "-", "-", "unknown", "refuses" },
		{ "62.0.58.94", "62.0.58.94", "62.0.58.94", "62.0.58.94", "unknown", "outside 127/8" },
		{ "127.0.0.2", "203.0.113.9", "203.0.113.9", "203.0.113.9", "unknown", "rewrites" },
		{ "127.0.0.2", "-", "-", "203.0.113.9", "unknown", "rewrites" },
		{ "127.0.0.2", "-", "-", "127.0.0.2 203.0.113.9", "unknown", "rewrites" },
		{ "127.0.0.2", "-", "-", "127.0.0.1", "unknown", "does not declare" },
		{ "127.0.0.2", "-", "-", "127.0.0.4", "unknown", "does not declare" },
		{ "127.0.0.4", "-", "-", "-", "unknown", "code that its file does not declare" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *why, *got = judge(cases[i].listed, cases[i].not_listed, cases[i].random, cases[i].address, &why);

		if (strcmp(got, cases[i].state) != 0 || !strstr(why, cases[i].why))
			fail_msg("case %zu: %s, %s", i, got, why);
	}
}

static void names_of_states_read_back(void **state)
{
	(void)state;
	for (int s = LISTING_UNKNOWN; s <= LISTING_LISTED; s++)
		assert_int_equal(listing_state_parse(listing_state_name((enum listing_state)s)), s);
	assert_int_equal(listing_state_parse("clean"), LISTING_UNKNOWN);
}

static void public_resolvers_are_known(void **state)
{
	struct ip_addr google = ip("8.8.8.8"), quad9 = ip("2620:fe::fe"), ours = ip("192.0.2.53");

	(void)state;
	assert_string_equal(listing_public_resolver(&google), "Google");
	assert_string_equal(listing_public_resolver(&quad9), "Quad9");
	assert_null(listing_public_resolver(&ours));
	for (size_t i = 0; i < sizeof public_resolvers / sizeof *public_resolvers; i++) {
		struct ip_prefix p;

		assert_int_equal(ip_prefix_parse(public_resolvers[i].prefix, &p), 0);
	}
}

static void an_answer_is_told_as_it_came(void **state)
{
	struct dns_query q = answer("127.0.0.2 127.0.0.4"), none = answer("-"), silence = answer("?");
	struct buf b = { 0 };

	(void)state;
	listing_write_raw(&q, &b);
	buf_add_char(&b, '|');
	listing_write_raw(&none, &b);
	buf_add_char(&b, '|');
	listing_write_raw(&silence, &b);
	assert_string_equal(buf_cstr(&b), "127.0.0.2 127.0.0.4|NXDOMAIN|no answer in time");
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_become_names),
		cmocka_unit_test(only_what_is_proved_is_said),
		cmocka_unit_test(names_of_states_read_back),
		cmocka_unit_test(public_resolvers_are_known),
		cmocka_unit_test(an_answer_is_told_as_it_came),
	};

	return cmocka_run_group_tests_name("listing", tests, NULL, NULL);
}
