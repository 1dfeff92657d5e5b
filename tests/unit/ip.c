/* Unit tests of common/ip.c. */
#include "common/ip.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct ip_addr addr(const char *s)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(s, strlen(s), &a), 0);
	return a;
}

static void expect_form(const char *text, const char *form)
{
	struct ip_addr a = addr(text);
	char out[IP_TEXT_MAX];

	assert_string_equal(ip_format(&a, out), form);
}

static void addresses_print_in_their_shortest_form(void **state)
{
	struct ip_addr none = { 0 };
	char out[IP_TEXT_MAX];

	(void)state;
	expect_form("192.0.2.1", "192.0.2.1");
	expect_form("2001:0DB8:0:0::1", "2001:db8::1");
	expect_form("::", "::");
	expect_form("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	assert_string_equal(ip_format(&none, out), "");
}

static void mapped_addresses_become_ipv4(void **state)
{
	struct ip_addr a = addr("::ffff:192.0.2.1"), b = addr("192.0.2.1");

	(void)state;
	assert_memory_equal(&a, &b, sizeof a);
	expect_form("::ffff:c000:201", "192.0.2.1");
	expect_form("::192.0.2.1", "::192.0.2.1");
}

static void only_the_given_bytes_are_read(void **state)
{
	struct ip_addr a;

	(void)state;
	assert_int_equal(ip_parse("192.0.2.17", 9, &a), 0);
	assert_int_equal(a.bytes[3], 1);
}

static void other_text_is_no_address(void **state)
{
	static const char *const texts[] = {
		"", "192.0.2", "192.0.2.256", "192.0.2.1 ", " 192.0.2.1", "192.0.2.01", "1.2.3.4.5", "2001:db8", "2001:db8:::1", "fe80::1%eth0",
		"[::1]", "192.0.2.1/32", "mx1", "0001:0002:0003:0004:0005:0006:0007:00008", "11111111111111111111111111111111111111111111111111",
	};
	struct ip_addr a;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (ip_parse(texts[i], strlen(texts[i]), &a) == 0)
			fail_msg("'%s' was taken", texts[i]);
}

static void prefixes_hold_what_is_below_them(void **state)
{
	static const struct { const char *prefix, *address; bool in; } cases[] = {
		{ "192.0.2.0/24", "192.0.2.0", true }, { "192.0.2.0/24", "192.0.2.255", true }, { "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.8/29", "192.0.2.15", true }, { "192.0.2.8/29", "192.0.2.16", false }, { "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false }, { "0.0.0.0/0", "255.255.255.255", true }, { "0.0.0.0/0", "::1", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true }, { "2001:db8::/33", "2001:db8:8000::1", false }, { "::/0", "2001:db8::1", true },
		{ "::/0", "192.0.2.1", false }, { "2001:db8::1", "2001:db8::1", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ip_addr a = addr(cases[i].address);
		struct ip_prefix p;

		assert_int_equal(ip_prefix_parse(cases[i].prefix, &p), 0);
		if (ip_in_prefix(&a, &p) != cases[i].in)
			fail_msg("%s in %s", cases[i].address, cases[i].prefix);
	}
}

static void odd_prefixes_are_refused(void **state)
{
	static const char *const texts[] = {
		"", "/24", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/+8", "192.0.2.0/24x", "192.0.2.1/24", "192.0.2.0/ 24",
		"192.0.2.0/4294967320", "192.0.2.0/18446744073709551640", "2001:db8::/129", "2001:db8::1/64", "::ffff:192.0.2.0/120", "192.0.2.0/24/24",
	};
	struct ip_prefix p;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (ip_prefix_parse(texts[i], &p) == 0)
			fail_msg("'%s' was taken", texts[i]);
}

static void order_is_by_version_then_bytes(void **state)
{
	struct ip_addr a = addr("9.0.0.1"), b = addr("10.0.0.1"), c = addr("::1");

	(void)state;
	assert_true(ip_compare(&a, &b) < 0);
	assert_true(ip_compare(&b, &c) < 0);
	assert_true(ip_compare(&c, &a) > 0);
	assert_true(ip_equal(&a, &a));
	assert_false(ip_equal(&a, &b));
}

static void addresses_of_the_world_are_told_from_inner_ones(void **state)
{
	static const char *const world[] = { "192.0.2.1", "8.8.8.8", "172.32.0.1", "172.15.255.255", "100.128.0.1", "192.167.1.1", "2001:db8::1" };
	static const char *const inner[] = { "127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.1.1", "100.64.0.1", "0.0.0.0",
		"::1", "fe80::1", "fd00::1", "fc00::1" };
	struct ip_addr none = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof world / sizeof *world; i++) {
		struct ip_addr a = addr(world[i]);

		assert_true(ip_is_world(&a));
	}
	for (size_t i = 0; i < sizeof inner / sizeof *inner; i++) {
		struct ip_addr a = addr(inner[i]);

		assert_false(ip_is_world(&a));
	}
	assert_false(ip_is_world(&none));
}

static void near_is_the_same_small_network(void **state)
{
	struct ip_addr a = addr("192.0.2.1"), b = addr("192.0.2.255"), c = addr("192.0.3.1"), d = addr("2001:db8:1::1"), e = addr("2001:db8:1:f::1"),
		f = addr("2001:db8:2::1"), none = { 0 };

	(void)state;
	assert_true(ip_is_near(&a, &b));
	assert_false(ip_is_near(&a, &c));
	assert_true(ip_is_near(&d, &e));
	assert_false(ip_is_near(&d, &f));
	assert_false(ip_is_near(&a, &d));
	assert_false(ip_is_near(&none, &none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_of_the_world_are_told_from_inner_ones),
		cmocka_unit_test(near_is_the_same_small_network),
		cmocka_unit_test(addresses_print_in_their_shortest_form),
		cmocka_unit_test(mapped_addresses_become_ipv4),
		cmocka_unit_test(only_the_given_bytes_are_read),
		cmocka_unit_test(other_text_is_no_address),
		cmocka_unit_test(prefixes_hold_what_is_below_them),
		cmocka_unit_test(odd_prefixes_are_refused),
		cmocka_unit_test(order_is_by_version_then_bytes),
	};

	return cmocka_run_group_tests_name("ip", tests, NULL, NULL);
}
