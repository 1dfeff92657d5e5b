/* Unit tests of address.c: what an address is (class, inner address), what of it is shown, and what the redactor leaves of a text. */
#include "sensor/address.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static const struct siphash_key key = { { 1, 2 } };

static struct address read_address(const char *text)
{
	struct address a;

	address_read(&key, (struct text){ text, (uint32_t)strlen(text) }, &a);
	return a;
}

static void classes_are_told_by_the_local_part(void **state)
{
	static const struct { const char *text; unsigned class; } rows[] = {
		{ "", ADDRESS_NULL }, { " ", ADDRESS_NULL }, { "user@example.org", 0 }, { "@", 0 }, { "user", 0 },
		{ "postmaster@example.org", ADDRESS_POSTMASTER }, { "PostMaster", ADDRESS_POSTMASTER }, { "postmaster2@example.org", 0 },
		{ "MAILER-DAEMON@example.org", ADDRESS_DAEMON }, { "mailer-daemon", ADDRESS_DAEMON }, { "daemon@example.org", 0 },
		{ "double-bounce@example.org", ADDRESS_DOUBLE_BOUNCE },
		{ "owner-list@example.org", ADDRESS_LIST }, { "list-owner@example.org", ADDRESS_LIST }, { "list-request@example.org", ADDRESS_LIST },
		{ "list-bounces@example.org", ADDRESS_LIST }, { "list-confirm@example.org", ADDRESS_LIST }, { "request@example.org", 0 },
		{ "list-bounces+user=example.net@example.org", ADDRESS_LIST | ADDRESS_VERP },
		{ "list+bounces-12-user=example.net@example.org", ADDRESS_LIST | ADDRESS_VERP },
		{ "list+bounces-confsub-0badcafe-user=example.net@example.org", ADDRESS_LIST | ADDRESS_LIST_ROBOT | ADDRESS_VERP },
		{ "List+Bounces-Help@example.org", ADDRESS_LIST | ADDRESS_LIST_ROBOT }, { "+bounces-help@example.org", ADDRESS_LIST },
		{ "list+owner@example.org", ADDRESS_LIST | ADDRESS_LIST_ROBOT },
		{ "list-return-@example.org", ADDRESS_LIST | ADDRESS_LIST_ROBOT }, { "list-return-12-user=example.net@example.org", ADDRESS_VERP },
		{ "list-confirm+0badcafe@example.org", ADDRESS_LIST | ADDRESS_LIST_ROBOT },
		{ "Majordomo@example.org", ADDRESS_LIST | ADDRESS_LIST_ROBOT }, { "owner-majordomo@example.org", ADDRESS_LIST | ADDRESS_LIST_ROBOT },
		{ "sympa-request@example.org", ADDRESS_LIST | ADDRESS_LIST_ROBOT }, { "sympathy@example.org", 0 },
		{ "mx.example.org-1795368601-testing@example.org", ADDRESS_MADE_UP }, { "Mx-1795368601-Testing@example.org", ADDRESS_MADE_UP },
		{ "ab-testing@example.org", 0 }, { "-1795368601-testing@example.org", 0 }, { "1795368601-testing@example.org", 0 }, { "-testing@example.org", 0 },
		{ "prvs=1234abcdef=user@example.org", ADDRESS_BATV },
		{ "SRS0=HHH=TT=example.net=user@forwarder.example", ADDRESS_SRS }, { "SRS0@example.org", 0 },
		{ "bounce-user=example.net@example.org", ADDRESS_VERP }, { "a=b@example.org", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct address a = read_address(rows[i].text);

		if (a.class != rows[i].class)
			fail_msg("\"%s\": class %u, expected %u", rows[i].text, a.class, rows[i].class);
	}
}

static void inner_address_is_found(void **state)
{
	static const struct { const char *text, *inner; } rows[] = {
		{ "prvs=1234abcdef=user@example.org", "user@example.org" },
		{ "PRVS=1234abcdef=us=er@example.org", "us=er@example.org" },
		{ "prvs=user/1234abcdef@example.org", "user@example.org" },
		{ "prvs=x@example.org", NULL },
		{ "SRS0=HHH=TT=example.net=user@forwarder.example", "user@example.net" },
		{ "srs0+HHH=TT=example.net=user@forwarder.example", "user@example.net" },
		{ "SRS0-HHH=TT=example.net=us=er@forwarder.example", "us=er@example.net" },
		{ "SRS0=HHH=TT=example.net@forwarder.example", NULL },
		{ "SRS1=HHH=first.example==HHH=TT=example.net=user@second.example", "user@example.net" },
		{ "SRS1=HHH=first.example@second.example", NULL },
		{ "bounces+user=example.net@list.example", "user@example.net" },
		{ "list-return-123-user=example.net@list.example", "user@example.net" },
		{ "bounces+123-a.user=example.net@list.example", "a.user@example.net" },
		{ "bounces+user=nodot@list.example", NULL },
		{ "user=example.net@list.example", NULL },
		{ "=example.net@list.example", NULL },
		{ "user@example.org", NULL }, { "", NULL }, { "prvs=", NULL }, { "SRS0=", NULL }, { "SRS0====@x", NULL }, { "SRS1===@x", NULL },
		{ "-=.@x", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct address a = read_address(rows[i].text);

		assert_int_equal(a.has_inner, rows[i].inner != NULL);
		if (rows[i].inner)
			assert_string_equal(a.inner, rows[i].inner);
	}
}

static void same_mailbox_has_the_same_hash(void **state)
{
	struct address a = read_address("User@Example.ORG"), b = read_address(" User@example.org. "), other;
	static const char *const others[] = { "user@example.org", "User@example.net", "User", "", "User@Example.ORG@example.org" };

	(void)state;
	assert_memory_equal(a.hash, b.hash, 16);
	assert_int_equal(a.id, b.id);
	assert_true(a.id >= 0);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		other = read_address(others[i]);
		assert_memory_not_equal(a.hash, other.hash, 16);
		assert_int_not_equal(a.id, other.id);
	}
	struct siphash_key another = { { 1, 3 } };
	address_read(&another, TEXT("User@example.org"), &other);
	assert_memory_not_equal(a.hash, other.hash, 16);
}

static void id_is_the_first_63_bits_of_the_hash(void **state)
{
	struct address a = read_address("user@example.org");
	uint64_t v = 0;

	(void)state;
	for (int i = 0; i < 8; i++)
		v = v << 8 | a.hash[i];
	assert_true(a.id == (int64_t)(v >> 1));
}

static void null_sender_is_no_other_address(void **state)
{
	struct address null = read_address(""), at = read_address("@");

	(void)state;
	assert_memory_not_equal(null.hash, at.hash, 16);	/* who sends <@> must not get hold of the row of <> */
}

static void long_addresses_are_cut(void **state)
{
	size_t n = 100000;
	char *text = malloc(n);

	(void)state;
	memset(text, 'x', n);
	text[500] = '@';
	for (size_t length = ADDRESS_MAX - 5; length < ADDRESS_MAX + 5; length++) {
		struct address a;

		address_read(&key, (struct text){ text, (uint32_t)length }, &a);
		assert_true(a.local.len + 1 + a.domain.len <= ADDRESS_MAX);
	}
	struct address a;
	address_read(&key, (struct text){ text, (uint32_t)n }, &a);
	assert_int_equal(a.local.len, 500);
	memcpy(text, "bounces+", 8);
	memcpy(text + 400, "=example.net", 12);
	address_read(&key, (struct text){ text, (uint32_t)n }, &a);
	assert_true(!a.has_inner || strlen(a.inner) <= ADDRESS_MAX);
	free(text);
}

/* ---- what is shown ---- */

static void assert_shown(const char *text, enum config_privacy privacy, const char *expected)
{
	struct address a = read_address(text);
	struct buf b = { 0 };

	address_show(&b, &a, privacy);
	assert_string_equal(buf_cstr(&b), expected);
	buf_fini(&b);
}

static const char *hex_of(const char *text)
{
	static char hex[2][17];
	static int turn;
	struct address a = read_address(text);

	turn = !turn;
	for (int i = 0; i < 8; i++)
		snprintf(hex[turn] + 2 * i, 3, "%02x", a.hash[i]);
	return hex[turn];
}

static void privacy_decides_what_is_shown(void **state)
{
	char expected[64];

	(void)state;
	assert_shown("User@Example.ORG.", PRIVACY_FULL, "User@example.org");
	assert_shown("User@Example.ORG", PRIVACY_DOMAIN, "@example.org");
	snprintf(expected, sizeof expected, "%s@example.org", hex_of("User@example.org"));
	assert_shown("User@Example.ORG", PRIVACY_HASH, expected);
	assert_shown("user", PRIVACY_FULL, "user");
	assert_shown("user", PRIVACY_DOMAIN, "@");
	for (int privacy = PRIVACY_FULL; privacy <= PRIVACY_DOMAIN; privacy++)
		assert_shown("", (enum config_privacy)privacy, "<>");
}

/* ---- the redactor ---- */

/* In domain mode, and that the hash mode takes the same addresses. */
static void assert_redacted(const char *text, const char *expected)
{
	struct buf b = { 0 };
	struct text t = { text, (uint32_t)strlen(text) };

	address_redact(&b, t, PRIVACY_DOMAIN, &key);
	if (strcmp(buf_cstr(&b), expected) != 0)
		fail_msg("\"%s\" became \"%s\", expected \"%s\"", text, buf_cstr(&b), expected);
	buf_clear(&b);
	address_redact(&b, t, PRIVACY_FULL, &key);
	assert_string_equal(buf_cstr(&b), text);
	buf_fini(&b);
}

static void addresses_in_texts_are_replaced(void **state)
{
	static const struct { const char *text, *expected; } rows[] = {
		{ "", "" }, { "no address", "no address" }, { "@", "@" }, { "a@", "a@" }, { " @b", " @b" },
		{ "user@example.org", "@example.org" },
		{ "<user@example.org>: no such user", "<@example.org>: no such user" },
		{ "550 5.1.1 <a.b+c@Example.ORG>... User unknown", "550 5.1.1 <@example.org>... User unknown" },
		{ "rfc822;user@example.org", "rfc822;@example.org" },
		{ "mailto:user@example.org,other@example.net.", "mailto:@example.org,@example.net." },
		{ "from a@b.example to c@d.example", "from @b.example to @d.example" },
		{ "a@b@c.example", "@b@c.example" }, { "a@@c.example", "@c.example" }, { "x @@c.example", "x @c.example" },
		{ "SRS0=H=T=example.net=user@fwd.example", "@fwd.example" },
		{ "user%other@example.org", "@example.org" }, { "!host!user@example.org", "@example.org" },
		{ "user@[192.0.2.1] x", "@[192.0.2.1] x" }, { "user@[IPv6:2001:db8::1]", "@[ipv6:2001:db8::1]" },
		{ "user@my_host.example", "@my_host.example" },
		{ "user@example.org-", "@example.org-" },
		{ "us\xc3\xa9r@ex\xc3\xa4mple.org", "@ex\xc3\xa4mple.org" },
		{ "\"john doe\"@example.org", "@example.org" },
		{ "to \"john doe\"@example.org, \"jane roe\"@example.net", "to @example.org, @example.net" },
		{ "x \"john \\\"the\\\" doe\"@example.org", "x @example.org" },
		{ "x \"john\\\\\"@example.org", "x @example.org" },
		{ "x \"a@b.example\"@example.org", "x @example.org" },
		{ "\"Name\" <user@example.org> \"x\"", "\"Name\" <@example.org> \"x\"" },
		{ "said \"no\nyes\"@example.org", "said \"no\n@example.org" },
		{ "\"\"@example.org", "@example.org" },
		{ "see http://www.openspf.net/Why?s=mfrom;id=john.doe%40x.example;ip=192.0.2.1", "see http://www.openspf.net/Why?s=mfrom;@x.example;ip=192.0.2.1" },
		{ "rfc822;john.doe+40x.example", "rfc822;@x.example" }, { "\"john doe\"%40x.example", "@x.example" },
		{ "list+40x@example.org", "@example.org" }, { "a%40b.example%40c@example.org", "@example.org" },
		{ "a%40b.example@ c", "@b.example@ c" }, { "a%40b.example @c", "@b.example @c" }, { "100%40", "100%40" }, { "%40x", "%40x" },
		{ "a%4", "a%4" }, { "+40 a", "+40 a" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_redacted(rows[i].text, rows[i].expected);
}

/* Whatever stands around it, nothing of the local part is left. */
static void no_local_part_is_left(void **state)
{
	static const char *const locals[] = { "sekret", "sekret.sekret", "\"sekret\"", "\"sekret sekret\"", "\"sekret\\\"sekret\"", "\"sekret@sekret\"",
					      "sekret=sekret.example", "\"sekret>sekret\"" };
	static const char *const domains[] = { "example.org", "[192.0.2.1]", "example.org.", "x" };
	static const char *const around[] = { "%s@%s", "<%s@%s>", " %s@%s ", "\"%s@%s\"", "(%s@%s)", "'%s@%s'", "a@b.example,%s@%s", "x\n%s@%s\ny",
					      "\\%s@%s", "550 <%s@%s>: said: \"no\"", "\"Name\" <%s@%s>", "=%s@%s=", "[%s@%s]", "to=<%s@%s>,", "%s@@%s",
					      "id=%s%40%s&x", "%s+40%s", "%s%40@%s", "%s%40a.example@%s", "%s@a.example%40%s", "%s%40%s@" };
	struct buf b = { 0 };

	(void)state;
	for (size_t l = 0; l < sizeof locals / sizeof *locals; l++)
		for (size_t d = 0; d < sizeof domains / sizeof *domains; d++)
			for (size_t a = 0; a < sizeof around / sizeof *around; a++) {
				char text[200];
				const char *p = strstr(around[a], "%s"), *q = strstr(p + 2, "%s");

				snprintf(text, sizeof text, "%.*s%s%.*s%s%s", (int)(p - around[a]), around[a], locals[l], (int)(q - p - 2), p + 2, domains[d], q + 2);
				for (int privacy = PRIVACY_HASH; privacy <= PRIVACY_DOMAIN; privacy++) {
					buf_clear(&b);
					address_redact(&b, (struct text){ text, (uint32_t)strlen(text) }, (enum config_privacy)privacy, &key);
					if (strstr(buf_cstr(&b), "sekret"))
						fail_msg("\"%s\" became \"%s\"", text, buf_cstr(&b));
				}
			}
	buf_fini(&b);
}

static void hash_in_a_text_is_that_of_the_address(void **state)
{
	struct buf b = { 0 };
	char expected[128];

	(void)state;
	address_redact(&b, TEXT("to <John.Doe@Example.ORG>: \"a b\"@example.net"), PRIVACY_HASH, &key);
	snprintf(expected, sizeof expected, "to <%s@example.org>: %s@example.net", hex_of("John.Doe@example.org"), hex_of("\"a b\"@example.net"));
	assert_string_equal(buf_cstr(&b), expected);
	buf_fini(&b);
}

static double seconds_for(const char *piece, size_t bytes)
{
	struct buf text = { 0 }, out = { 0 };
	struct timespec a, b;

	while (text.len < bytes)
		buf_add_str(&text, piece);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	address_redact(&out, (struct text){ text.p, (uint32_t)text.len }, PRIVACY_DOMAIN, &key);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	buf_fini(&text);
	buf_fini(&out);
	return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

static void redactor_is_linear(void **state)
{
	static const char *const pieces[] = { "@", "\"@", "a", "a@", "\"", "\\\"@", "\\", "\"\\\"@x", "a@b", "\"a\"@b ", "@[", "a@[1", "\\\\\"@b", "=", "x\"@", "%40", "a%40b", "+40+", "a%40b@", "%40\"" };

	(void)state;
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		double small = seconds_for(pieces[i], 100000), large = seconds_for(pieces[i], 1600000);

		if (large > 64 * small + 0.2)
			fail_msg("\"%s\": 100 kB in %.4f s, 1600 kB in %.4f s", pieces[i], small, large);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes_are_told_by_the_local_part),
		cmocka_unit_test(inner_address_is_found),
		cmocka_unit_test(same_mailbox_has_the_same_hash),
		cmocka_unit_test(id_is_the_first_63_bits_of_the_hash),
		cmocka_unit_test(null_sender_is_no_other_address),
		cmocka_unit_test(long_addresses_are_cut),
		cmocka_unit_test(privacy_decides_what_is_shown),
		cmocka_unit_test(addresses_in_texts_are_replaced),
		cmocka_unit_test(no_local_part_is_left),
		cmocka_unit_test(hash_in_a_text_is_that_of_the_address),
		cmocka_unit_test(redactor_is_linear),
	};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
