/*
 * Unit tests of dissector.c: what nDPI is there for, by first turns as they are on the wire; answers do not depend on each other; nothing of a
 * connection stays behind.
 */
#include "sensor/dissector.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define TURN(side, text) { side, (const uint8_t *)(text), sizeof(text) - 1 }
#define C(text) TURN(SIDE_CLIENT, text)
#define S(text) TURN(SIDE_SERVER, text)

static const struct sample {
	const char *name;
	struct dissector_turn turn[DISSECTOR_TURNS];
} samples[] = {
	{ "smtp", { S("220 mx ESMTP\r\n"), C("EHLO a\r\n"), S("250-mx\r\n250 PIPELINING\r\n"), C("MAIL FROM:<a@example.org>\r\n") } },
	{ "rdp", { C("\x03\0\0\x2b\x26\xe0\0\0\0\0\0" "Cookie: mstshash=hello\r\n\x01\0\x08\0\x03\0\0\0") } },
	{ "mysql", { S("\x4a\0\0\0\x0a" "5.7.33\0\x08\0\0\0" "abcdefgh\0\xff\xf7\x08\x02\0\xff\x81\x15\0\0\0\0\0\0\0\0\0\0" "abcdefghijkl\0mysql_native_password\0") } },
	{ "redis", { C("*1\r\n$4\r\nPING\r\n"), S("+PONG\r\n") } },
	{ "vnc", { S("RFB 003.008\n"), C("RFB 003.008\n") } },
	{ "telnet", { S("\xff\xfd\x18\xff\xfd\x20\xff\xfd\x23\xff\xfd\x27"), C("\xff\xfb\x18\xff\xfb\x20"), S("\xff\xfa\x18\x01\xff\xf0"), C("\xff\xfa\x18\0xterm\xff\xf0") } },
	{ "irc", { C("NICK foo\r\nUSER foo 0 * :foo\r\n"), S(":irc.example 001 foo :Welcome\r\n"), C("JOIN #a\r\n"), S(":irc.example 353 foo\r\n") } },
	{ "socks", { C("\x05\x01\0"), S("\x05\0") } },
	{ "ldap", { C("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0"), S("\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\0\x04\0\x04\0") } },
	{ "postgresql", { C("\0\0\0\x08\x04\xd2\x16\x2f"), S("N") } },
	{ "mongodb", { C("\x3a\0\0\0\x01\0\0\0\0\0\0\0\xd4\x07\0\0\0\0\0\0" "admin.$cmd\0\0\0\0\0\xff\xff\xff\xff\x13\0\0\0\x10isMaster\0\x01\0\0\0\0") } },
	{ "memcached", { C("stats\r\n"), S("STAT pid 1\r\nSTAT uptime 1\r\nEND\r\n"), C("version\r\n"), S("VERSION 1.4\r\n") } },
	{ "mssql", { C("\x12\x01\0\x34\0\0\0\0\0\0\x15\0\x06\x01\0\x1b\0\x01\x02\0\x1c\0\x0c\x03\0\x28\0\x04\xff\x08\0\x01\x55\0\0\0MSSQLServer\0\x48\x0f\0\0") } },
	{ "xmpp", { C("<?xml version='1.0'?><stream:stream to='a' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>") } },
	{ "mqtt", { C("\x10\x0e\0\x04MQTT\x04\x02\0\x3c\0\x02" "ab"), S("\x20\x02\0\0") } },
	{ "amqp", { C("AMQP\0\0\x09\x01"), S("\x01\0\0\0\0\0\x05\0\x0a\0\x0a\0\x09") } },
	{ "nntp", { S("200 news.example InterNetNews ready\r\n"), C("MODE READER\r\n"), S("200 ok\r\n"), C("GROUP a\r\n") } },
	{ NULL, { C("asdfghjkl\r\n\r\n"), S("500 what?\r\n") } },
	{ NULL, { C("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"), S("220 mx ESMTP\r\n") } },
	{ NULL, { S("220 mx\r\n"), C("USER a\r\n"), S("331 password\r\n"), C("PASS x\r\n") } },
};
enum { SAMPLES = sizeof samples / sizeof *samples };

static void check(struct dissector *d, const struct sample *s, uint16_t port)
{
	size_t n = 0;

	while (n < DISSECTOR_TURNS && s->turn[n].p)
		n++;
	const char *name = dissector_name(d, s->turn, n, 40000, port);
	if ((name || s->name) && (!name || !s->name || strcmp(name, s->name) != 0))
		fail_msg("%s instead of %s", name ? name : "nothing", s->name ? s->name : "nothing");
}

static void names_do_not_depend_on_order_or_port(void **state)
{
	struct dissector *d = dissector_new();

	(void)state;
	assert_null(d->module);
	for (int i = 0; i < SAMPLES; i++)
		check(d, &samples[i], 25);
	for (int i = 0; i < SAMPLES; i++)
		for (int k = 0; k < SAMPLES; k++) {
			check(d, &samples[i], 25);
			check(d, &samples[k], 50025);
		}
	dissector_free(d);
}

static bool is_zero(const void *p, size_t n)
{
	const uint8_t *b = p;

	while (n && !*b) {
		b++;
		n--;
	}
	return n == 0;
}

/* A secret in a place of its own, which is not searched. */
enum { SECRET = 24 };
static uint8_t secret[SECRET];

/* Reads what was freed and what lies between objects, too. */
__attribute__((no_sanitize("address"))) static bool holds_secret(const uint8_t *p, size_t n)
{
	for (const uint8_t *end = p + n; p + SECRET <= end; p++) {
		int same = 0;

		while (same < SECRET && p[same] == secret[same])
			same++;
		if (same == SECRET && p != secret)
			return true;
	}
	return false;
}

/* All memory that can be written, but for what the sanitizers reserve. */
static bool is_anywhere(void)
{
	enum { SANE = 256 * 1024 * 1024 };
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], mode[5];
	unsigned long from, to;
	bool found = false;

	assert_non_null(maps);
	while (!found && fgets(line, sizeof line, maps))
		if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) == 3 && mode[0] == 'r' && mode[1] == 'w' && to - from < SANE && !strstr(line, "[stack]"))
			found = holds_secret((const uint8_t *)from, to - from);
	fclose(maps);
	return found;
}

static void credentials_are_gone_after_the_answer(void **state)
{
	static uint8_t auth[64];	/* built and cleared here, so that the program has no other copy */
	const struct dissector_turn turn[] = { S("220 mx ready\r\n"), C("EHLO a\r\n"), S("250-mx\r\n250 AUTH PLAIN LOGIN\r\n"), { SIDE_CLIENT, auth, 12 + SECRET } };
	const struct dissector_turn ldap[] = { { SIDE_CLIENT, auth, 12 + SECRET } };
	struct dissector *d = dissector_new();

	(void)state;
	for (int i = 0; i < SECRET; i++)
		secret[i] = (uint8_t)("QUJDREVGR0hJ"[i % 12] ^ (i & 3));
	memcpy(auth, "AUTH PLAIN ", 11);
	memcpy(auth + 11, secret, SECRET);
	assert_true(is_anywhere());
	dissector_name(d, turn, 4, 40000, 25);
	assert_true(is_zero(d->flow, ndpi_detection_get_sizeof_ndpi_flow_struct()));
	assert_true(is_zero(d->packet, sizeof d->packet));
	dissector_name(d, ldap, 1, 40000, 25);
	explicit_bzero(auth, sizeof auth);
	assert_false(is_anywhere());
	dissector_free(d);
}

static void any_bytes_are_taken(void **state)
{
	struct dissector *d = dissector_new();
	uint8_t *bytes = xmalloc(3 * DISSECTOR_TURN_BYTES);
	uint32_t x = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct dissector_turn turn[DISSECTOR_TURNS + 1];

		for (size_t k = 0; k < DISSECTOR_TURNS + 1; k++) {
			size_t n = (x >> 8) % (i % 100 ? 40 : 3 * DISSECTOR_TURN_BYTES);
			uint8_t *p = bytes + 3 * DISSECTOR_TURN_BYTES - n;	/* reading on is reading too far */

			for (size_t b = 0; b < n; b++) {
				x = x * 1664525 + 1013904223;
				p[b] = (uint8_t)(i % 2 ? x >> 24 : 32 + (x >> 24) % 95);
			}
			turn[k] = (struct dissector_turn){ k & 1 ? SIDE_SERVER : SIDE_CLIENT, p, n };
			x = x * 1664525 + 1013904223;
		}
		dissector_name(d, turn, DISSECTOR_TURNS + 1, 40000, 25);
	}
	dissector_name(d, NULL, 0, 0, 0);
	dissector_free(d);
	free(bytes);
}

static void *ask_in_thread(void *arg)
{
	for (int i = 0; i < 200; i++)
		check(arg, &samples[i % SAMPLES], 25);
	return NULL;
}

static void threads_may_ask_together(void **state)
{
	struct dissector *d = dissector_new();
	pthread_t thread[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, ask_in_thread, d), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	dissector_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_do_not_depend_on_order_or_port),
		cmocka_unit_test(credentials_are_gone_after_the_answer),
		cmocka_unit_test(any_bytes_are_taken),
		cmocka_unit_test(threads_may_ask_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
