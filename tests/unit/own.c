/* Unit tests of analyzer/own.c: direction, origin of a connection, tenants. */
#include "analyzer/own.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void set(struct config *c, const char *section, const char *name, const char *key, const char *text)
{
	char error[200];

	assert_int_equal(config_set(c, section, name, key, text, "test", error, sizeof error), 0);
}

static int make(void **state)
{
	struct config *c = config_new();

	set(c, "own", NULL, "networks", "192.0.2.0/24 2001:db8:1::/48");
	set(c, "own", NULL, "upstreams", "203.0.113.0/28");
	set(c, "own", NULL, "next-hops", "198.51.100.7");
	set(c, "own", NULL, "trusted-senders", "198.51.100.64/30");
	set(c, "own", NULL, "domains", "campus.example .lab.example");
	set(c, "server", "edge", "addresses", "198.51.100.80 198.51.100.81");
	set(c, "tenant", "red", "networks", "10.1.0.0/16");
	set(c, "tenant", "blue", "networks", "10.2.0.0/16");
	set(c, "tenant", "blue", "domains", "blue.example");
	*state = c;
	return 0;
}

static int end(void **state)
{
	config_free(*state);
	return 0;
}

static struct ip_addr ip(const char *s)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(s, strlen(s), &a), 0);
	return a;
}

static struct text t(const char *s)
{
	return (struct text){ s, s ? (uint32_t)strlen(s) : 0 };
}

static struct route route(struct config *c, const char *src, const char *dest, const char *proxy, const char *xclient, const char *xforward)
{
	struct own *o = own_new(c);
	struct ip_addr a = ip(src), b = ip(dest);
	struct route r = own_route(o, &a, &b, t(proxy), t(xclient), t(xforward));

	own_free(o);
	return r;
}

static void direction_follows_from_the_addresses(void **state)
{
	static const struct { const char *src, *dest; enum direction direction; bool leaves, arrives; } cases[] = {
		{ "198.18.0.1", "192.0.2.25", DIRECTION_INBOUND, false, true },
		{ "192.0.2.25", "198.18.0.1", DIRECTION_OUTBOUND, true, false },
		{ "192.0.2.25", "192.0.2.26", DIRECTION_INTERNAL, false, false },
		{ "192.0.2.25", "2001:db8:1::25", DIRECTION_INTERNAL, false, false },
		{ "198.51.100.80", "198.18.0.1", DIRECTION_OUTBOUND, true, false },
		{ "198.18.0.1", "198.18.0.2", DIRECTION_FOREIGN, false, false },
		{ "203.0.113.5", "192.0.2.25", DIRECTION_INBOUND, false, true },
		{ "10.1.0.1", "192.0.2.25", DIRECTION_INTERNAL, false, false },
		{ "10.1.0.1", "10.2.0.1", DIRECTION_OUTBOUND, true, true },
		{ "10.1.0.1", "10.1.0.2", DIRECTION_INTERNAL, false, false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct route r = route(*state, cases[i].src, cases[i].dest, NULL, NULL, NULL);

		assert_string_equal(direction_name(r.direction), direction_name(cases[i].direction));
		assert_int_equal(r.leaves, cases[i].leaves);
		assert_int_equal(r.arrives, cases[i].arrives);
	}
}

static void origin_is(struct route r, const char *address, const char *from)
{
	char text[IP_TEXT_MAX];

	assert_string_equal(ip_format(&r.origin, text), address);
	if (from)
		assert_string_equal(r.origin_from, from);
	else
		assert_null(r.origin_from);
}

static void the_origin_is_the_client_unless_it_is_an_upstream(void **state)
{
	origin_is(route(*state, "198.18.0.1", "192.0.2.25", NULL, NULL, NULL), "198.18.0.1", "wire");
	origin_is(route(*state, "203.0.113.5", "192.0.2.25", NULL, NULL, NULL), "", NULL);
}

static void proxy_and_xclient_are_believed_from_our_own_side_only(void **state)
{
	struct route r = route(*state, "192.0.2.9", "192.0.2.25", "PROXY TCP4 198.18.0.7 192.0.2.9 1 25", NULL, NULL);

	assert_int_equal(r.direction, DIRECTION_INBOUND);
	origin_is(r, "198.18.0.7", "proxy");
	origin_is(route(*state, "192.0.2.9", "192.0.2.25", "v2 TCP6 2001:db8:f::1 2001:db8:1::2 1 25", NULL, NULL), "2001:db8:f::1", "proxy");
	origin_is(route(*state, "203.0.113.5", "192.0.2.25", NULL, "NAME=a XADDR=1.1.1.1 ADDR=198.18.0.8", NULL), "198.18.0.8", "xclient");
	origin_is(route(*state, "203.0.113.5", "192.0.2.25", NULL, "ADDR=IPV6:2001:db8:f::2", NULL), "2001:db8:f::2", "xclient");
	origin_is(route(*state, "198.18.0.1", "192.0.2.25", NULL, "ADDR=198.18.0.8", NULL), "198.18.0.1", "wire");
	r = route(*state, "192.0.2.25", "192.0.2.26", NULL, NULL, "ADDR=198.18.0.9");
	assert_int_equal(r.direction, DIRECTION_INTERNAL);
	origin_is(r, "198.18.0.9", "xforward");
}

static void odd_proxy_lines_tell_nothing(void **state)
{
	static const char *const odd[] = { "", "PROXY", "PROXY UNKNOWN", "PROXY TCP4 ", "PROXY TCP4 999.1.1.1 a", "v2 LOCAL" };

	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
		assert_int_equal(route(*state, "192.0.2.9", "192.0.2.25", odd[i], "ADDR=", "NOADDR=1").direction, DIRECTION_INTERNAL);
}

static void domains_match_whole_or_below_a_dot(void **state)
{
	struct own *o = own_new(*state);

	assert_true(own_has_domain(o, t("Campus.Example")));
	assert_false(own_has_domain(o, t("sub.campus.example")));
	assert_true(own_has_domain(o, t("a.lab.example")));
	assert_true(own_has_domain(o, t("blue.example")));
	assert_false(own_has_domain(o, t("notcampus.example")));
	assert_true(own_has_host(o, t("mx1.campus.example")));
	assert_false(own_has_host(o, t("mx1.notcampus.example")));
	own_free(o);
}

/* Every key of who is ours changes the text that inputs are compared by. */
static void who_is_ours_is_written_in_full(void **state)
{
	static const char *const keys[] = { "networks", "domains", "upstreams", "smarthosts", "next-hops", "trusted-senders" };
	struct buf before = { 0 }, after = { 0 };
	struct config *c = config_new();
	struct own *o = own_new(c);

	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		buf_clear(&before);
		buf_clear(&after);
		own_write(o, &before);
		set(c, "own", NULL, keys[i], strcmp(keys[i], "domains") ? "192.0.2.1" : "campus.example");
		own_write(o, &after);
		if (strcmp(buf_cstr(&before), buf_cstr(&after)) == 0)
			fail_msg("%s", keys[i]);
	}
	buf_fini(&before);
	buf_fini(&after);
	own_free(o);
	config_free(c);
}

static void trusted_senders_are_those_configured(void **state)
{
	struct own *o = own_new(*state);
	struct ip_addr in = ip("198.51.100.66"), out = ip("198.51.100.68"), none = { 0 };

	assert_true(own_is_trusted_sender(o, &in));
	assert_false(own_is_trusted_sender(o, &out));
	assert_false(own_is_trusted_sender(o, &none));
	own_free(o);
}

static void nothing_configured_is_told(void **state)
{
	struct config *c = config_new();
	struct own *o = own_new(c), *full = own_new(*state);

	assert_false(own_is_configured(o));
	assert_true(own_is_configured(full));
	own_free(o);
	own_free(full);
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(direction_follows_from_the_addresses),
		cmocka_unit_test(the_origin_is_the_client_unless_it_is_an_upstream),
		cmocka_unit_test(proxy_and_xclient_are_believed_from_our_own_side_only),
		cmocka_unit_test(odd_proxy_lines_tell_nothing),
		cmocka_unit_test(domains_match_whole_or_below_a_dot),
		cmocka_unit_test(who_is_ours_is_written_in_full),
		cmocka_unit_test(trusted_senders_are_those_configured),
		cmocka_unit_test(nothing_configured_is_told),
	};

	return cmocka_run_group_tests_name("own", tests, make, end);
}
