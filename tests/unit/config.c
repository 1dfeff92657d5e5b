/* Unit tests of common/config.c, and of common/ini.c and common/config_type.c through it. */
#include "common/config.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"

struct result {
	struct config *config;
	unsigned errors;
	char *messages;
	size_t size;
};

static struct result read_bytes(const char *text, size_t n)
{
	struct result r = { .config = config_new() };
	FILE *in = fmemopen((void *)(uintptr_t)text, n, "r"), *errors = open_memstream(&r.messages, &r.size);

	r.errors = config_read(r.config, in, "f", errors);
	fclose(in);
	fclose(errors);
	return r;
}

static struct result read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

static void result_free(struct result *r)
{
	config_free(r->config);
	free(r->messages);
}

static void expect_error(const char *text, const char *message)
{
	struct result r = read_text(text);

	assert_string_equal(r.messages, message);
	assert_int_equal(r.errors, 1);
	result_free(&r);
}

static char *dump(const struct config *c)
{
	char *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	config_dump(c, out);
	fclose(out);
	return text;
}

static void assert_prefix(const struct config_prefixes *list, size_t i, const char *text)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(text, &p), 0);
	assert_true(i < list->count);
	assert_true(ip_equal(&list->item[i].addr, &p.addr));
	assert_int_equal(list->item[i].bits, p.bits);
}

static void defaults_are_those_of_the_manual(void **state)
{
	struct config *c = config_new();

	(void)state;
	assert_string_equal(c->capture.sensor, "local");
	assert_int_equal(c->capture.port_count, 5);
	assert_int_equal(c->capture.ports[0], 25);
	assert_int_equal(c->capture.memory_bytes, 512u << 20);
	assert_false(c->capture.any_port);
	assert_int_equal(c->capture.workers, 1);
	assert_int_equal(c->capture.interfaces.count, 0);
	assert_true(c->capture.promiscuous);
	assert_int_equal(c->capture.ring_bytes, 64u << 20);
	assert_int_equal(c->capture.snaplen, 262144);
	assert_null(c->capture.filter);
	assert_string_equal(c->store.dir, "/var/lib/bouncetap");
	assert_int_equal(c->privacy.addresses, PRIVACY_FULL);
	assert_int_equal(c->privacy.subject, SUBJECT_MARKED);
	assert_int_equal(c->own.networks.count, 0);
	config_free(c);
}

static void every_key_reads(void **state)
{
	struct result r = read_text(
		"[own]\n"
		"networks = 192.0.2.0/24, 2001:db8::/32   # ours\n"
		"  198.51.100.7\n"
		"\n"
		"  ; a comment between\n"
		"\t203.0.113.0/28\n"
		"domains: Example.ORG. .sub.example.net\n"
		"upstreams = 10.1.0.0/16\n"
		"smarthosts = 10.2.0.1\n"
		"next-hops = 10.3.0.1\n"
		"trusted-senders = 10.4.0.1 198.51.100.64/29\n"
		"[server mx1]\n"
		"addresses = 10.0.0.1\n"
		"public = 192.0.2.1\n"
		"role = MX\n"
		"owner = Mail team; Berlin\n"
		"[tenant  Law School]\n"
		"domains = law.example.org\n"
		"[capture]\n"
		"sensor = dc-1\nany-port = yes\nkey-vlan = on\ntunnels = 10.9.0.0/16,\n  2001:db8:9::/48\nports = 25,26\nmemory = 1g\nworkers = 4\n"
		"interfaces = eth1,span0\n\tany\npromiscuous = no\nring = 8M\nsnaplen = 1600\nfilter = tcp port 25 and not host 192.0.2.9\n"
		"[store]\ndir = /srv/tap\n"
		"[privacy]\naddresses = hash\nsubject = none\n");
	struct config *c = r.config;

	(void)state;
	assert_string_equal(r.messages, "");
	assert_int_equal(c->own.networks.count, 4);
	assert_prefix(&c->own.networks, 1, "2001:db8::/32");
	assert_prefix(&c->own.networks, 3, "203.0.113.0/28");
	assert_string_equal(c->own.domains.item[0], "example.org");
	assert_string_equal(c->own.domains.item[1], ".sub.example.net");
	assert_prefix(&c->own.upstreams, 0, "10.1.0.0/16");
	assert_prefix(&c->own.smarthosts, 0, "10.2.0.1");
	assert_prefix(&c->own.next_hops, 0, "10.3.0.1");
	assert_prefix(&c->own.trusted_senders, 1, "198.51.100.64/29");
	assert_string_equal(c->server[0].name, "mx1");
	assert_prefix(&c->server[0].addresses, 0, "10.0.0.1");
	assert_int_equal(c->server[0].public_address.bytes[3], 1);
	assert_string_equal(c->server[0].role, "mx");
	assert_string_equal(c->server[0].owner, "Mail team; Berlin");
	assert_string_equal(c->tenant[0].name, "Law School");
	assert_string_equal(c->tenant[0].domains.item[0], "law.example.org");
	assert_string_equal(c->capture.sensor, "dc-1");
	assert_true(c->capture.any_port && c->capture.key_vlan);
	assert_false(c->capture.tunnels.any);
	assert_int_equal(c->capture.tunnels.networks.count, 2);
	assert_prefix(&c->capture.tunnels.networks, 1, "2001:db8:9::/48");
	assert_int_equal(c->capture.port_count, 2);
	assert_int_equal(c->capture.ports[1], 26);
	assert_int_equal(c->capture.memory_bytes, 1u << 30);
	assert_int_equal(c->capture.workers, 4);
	assert_int_equal(c->capture.interfaces.count, 3);
	assert_string_equal(c->capture.interfaces.item[1], "span0");
	assert_false(c->capture.promiscuous);
	assert_int_equal(c->capture.ring_bytes, 8u << 20);
	assert_int_equal(c->capture.snaplen, 1600);
	assert_string_equal(c->capture.filter, "tcp port 25 and not host 192.0.2.9");
	assert_string_equal(c->store.dir, "/srv/tap");
	assert_int_equal(c->privacy.addresses, PRIVACY_HASH);
	assert_int_equal(c->privacy.subject, SUBJECT_NONE);
	result_free(&r);
}

/* Cuts at each place in an item and between items, since libinih takes 200 bytes at once. */
static void long_lines_lose_nothing(void **state)
{
	(void)state;
	for (unsigned pad = 0; pad < 220; pad++) {
		struct buf b = { 0 };

		buf_printf(&b, "[own]\nnetworks =%*s", (int)pad, "");
		for (unsigned i = 0; i < 256; i++)
			buf_printf(&b, " 10.20.%u.0/24", i);
		buf_printf(&b, " # end\n[store]\ndir = /%0*d\n", 300 + (int)pad, 7);
		struct result r = read_bytes(b.p, b.len);
		assert_string_equal(r.messages, "");
		assert_int_equal(r.config->own.networks.count, 256);
		for (unsigned i = 0; i < 256; i++)
			assert_int_equal(r.config->own.networks.item[i].addr.bytes[2], i);
		assert_int_equal(strlen(r.config->store.dir), 301 + pad);
		result_free(&r);
		buf_fini(&b);
	}
}

static void a_comment_sign_at_the_cut_is_text(void **state)
{
	(void)state;
	for (unsigned at = 180; at < 210; at++) {
		struct buf b = { 0 };

		buf_add_str(&b, "[store]\ndir = /");
		for (unsigned i = 0; i < at; i++)
			buf_add_char(&b, 'x');
		buf_add_str(&b, ";#[end]");
		struct result r = read_bytes(b.p, b.len);
		assert_string_equal(r.messages, "");
		assert_string_equal(r.config->store.dir + 1 + at, ";#[end]");
		result_free(&r);
		buf_fini(&b);
	}
}

static void an_indented_key_is_a_key(void **state)
{
	struct result r = read_text("[own]\n  networks = 10.0.0.0/8\n  domains = example.org\n    example.net\n  [store]\n  dir = /x\n");

	(void)state;
	assert_string_equal(r.messages, "");
	assert_int_equal(r.config->own.networks.count, 1);
	assert_int_equal(r.config->own.domains.count, 2);
	assert_string_equal(r.config->store.dir, "/x");
	result_free(&r);
}

static void a_byte_order_mark_and_crlf_do_no_harm(void **state)
{
	struct result r = read_text("\xEF\xBB\xBF[store]\r\ndir = /x\r\n");

	(void)state;
	assert_string_equal(r.messages, "");
	assert_string_equal(r.config->store.dir, "/x");
	result_free(&r);
}

static void unknown_words_are_answered_with_the_nearest(void **state)
{
	(void)state;
	expect_error("[onw]\nnetworks = x\n", "f:1: unknown section [onw]; did you mean 'own'?\n");
	expect_error("[own]\n\nnetwroks = 10.0.0.0/8\n", "f:3: unknown key 'netwroks' in [own]; did you mean 'networks'?\n");
	expect_error("[capture]\nPorts = 25\n", "f:2: unknown key 'Ports' in [capture]; did you mean 'ports'?\n");
	expect_error("[capture]\ndir = /x\n", "f:2: unknown key 'dir' in [capture]; it belongs to [store]\n");
	expect_error("[store]\nzzzzzzzzz = /x\n", "f:2: unknown key 'zzzzzzzzz' in [store]; known are dir, keep, keep-evidence, keep-counters, keep-free\n");
	expect_error("[privacy]\naddresses = domains\n", "f:2: addresses: unknown value 'domains'; did you mean 'domain'?\n");
}

static void bad_values_name_their_line(void **state)
{
	(void)state;
	expect_error("[own]\nnetworks = 10.0.0.0/8\n\n  # c\n  10.0.0.1/8\n",
		     "f:5: networks: '10.0.0.1/8' is not an address or a network such as 192.0.2.0/24 or 2001:db8::/32 (no bits set "
		     "behind the length)\n");
	expect_error("[own]\ndomains = example..org\n",
		     "f:2: domains: 'example..org' is not a domain name (internationalized ones in their xn-- form)\n");
	expect_error("[capture]\nports = 25 70000\n", "f:2: ports: '70000' is not a port between 1 and 65535\n");
	expect_error("[capture]\nkey-vlan = maybe\n", "f:2: key-vlan: 'maybe' is neither yes nor no\n");
	expect_error("[capture]\ntunnels = any\n",
		     "f:2: tunnels: 'all', 'none', or addresses and networks such as 192.0.2.0/24 are wanted, not 'any'\n");
	expect_error("[capture]\ntunnels = 10.0.0.0/8\n  all\n", "f:3: tunnels: 'all' stands alone\n");
	expect_error("[capture]\ninterfaces = a-name-of-16-byt\n", "f:2: interfaces: 'a-name-of-16-byt' is not the name of an interface\n");
	expect_error("[capture]\ninterfaces = ../eth1\n", "f:2: interfaces: '../eth1' is not the name of an interface\n");
	expect_error("[capture]\ninterfaces = eth1 eth2,\n\teth1\n", "f:3: interfaces: eth1 is named twice\n");
	expect_error("[capture]\nmemory = 5T\n", "f:2: memory: '5T' is not a size such as 512M; suffixes are K, M and G\n");
	expect_error("[capture]\nworkers = 0\n", "f:2: workers: '0' is not a number from 1 to 64\n");
	expect_error("[capture]\nworkers = 65\n", "f:2: workers: '65' is not a number from 1 to 64\n");
	expect_error("[capture]\nworkers = 2x\n", "f:2: workers: '2x' is not a number from 1 to 64\n");
	expect_error("[capture]\nmemory = -5\n", "f:2: memory: '-5' is not a size such as 512M\n");
	expect_error("[capture]\nmemory = 99999999999G\n", "f:2: memory: '99999999999G' is more than this machine can address\n");
	expect_error("[capture]\nsensor = a b\n",
		     "f:2: sensor: 'a b' is not a name of letters, digits, '.', '_' and '-', at most 64\n");
	expect_error("[store]\ndir =\n", "f:2: dir: no value\n");
	expect_error("[capture]\nports =\n", "f:2: no ports, and any-port is not set: nothing would be looked at\n");
}

static void lines_that_are_neither_key_nor_heading_are_errors(void **state)
{
	(void)state;
	expect_error("dir = /x\n", "f:1: a key before the first [SECTION]\n");
	expect_error("[store]\n\ndir\n", "f:3: expected KEY = VALUE or [SECTION]\n");
	expect_error("[store]\n= /x", "f:2: expected KEY = VALUE or [SECTION]\n");
	expect_error("[store\ndir = /x\n", "f:1: a heading is [SECTION] or [SECTION NAME], and nothing behind it\n");
	expect_error("[store] dir = /x\n", "f:1: a heading is [SECTION] or [SECTION NAME], and nothing behind it\n");
	expect_error("[server 1234567890123456789012345678901234567890123]\naddresses = 10.0.0.1\n",
		     "f:1: a heading has at most 49 bytes between its brackets\n");
	expect_error("[store]\ndir = /x\n  /y\n", "f:3: dir is no list: an indented line cannot go on with it\n");
}

static void a_nul_byte_is_an_error(void **state)
{
	static const char text[] = "[store]\ndir = /x\0y\n";
	struct result r = read_bytes(text, sizeof text - 1);

	(void)state;
	assert_string_equal(r.messages, "f:2: the line holds a NUL byte\n");
	result_free(&r);
}

static void names_stand_once(void **state)
{
	(void)state;
	expect_error("[server a]\naddresses = 10.0.0.1\n[server b]\naddresses = 10.0.0.2\n[server a]\naddresses = 10.0.0.3\n",
		     "f:5: a second [server a]; the first is at f:1\n");
	expect_error("[server a]\naddresses = 10.0.0.1\n[server b]\naddresses = 10.0.0.2 10.0.0.1\n",
		     "f:3: [server b] has 10.0.0.1, which is of [server a]\n");
	expect_error("[store]\ndir = /x\ndir = /y\n", "f:3: dir was set before, at f:2\n");
	expect_error("[server]\naddresses = 10.0.0.1\n", "f:1: [server] needs a name: [server NAME]\n");
	expect_error("[own x]\n", "f:1: [own] takes no name: [own]\n");
	expect_error("[server a]\n", "f:1: [server a] has no addresses\n");
	expect_error("[tenant a]\n", "f:1: [tenant a] has neither networks nor domains\n");
}

static void all_errors_are_counted_and_fifty_printed(void **state)
{
	struct buf b = { 0 };
	unsigned lines = 0;

	(void)state;
	buf_add_str(&b, "[store]\n");
	for (int i = 0; i < 60; i++)
		buf_add_str(&b, "nothing\n");
	struct result r = read_bytes(b.p, b.len);
	for (const char *s = r.messages; *s; s++)
		lines += *s == '\n';
	assert_int_equal(r.errors, 60);
	assert_int_equal(lines, 50);
	result_free(&r);
	buf_fini(&b);
}

static void set_answers_with_a_message_without_place(void **state)
{
	struct config *c = config_new();
	char error[128];

	(void)state;
	assert_int_equal(config_set(c, "own", NULL, "networks", "10.0.0.0/8", "command line", error, sizeof error), 0);
	assert_int_equal(config_set(c, "own", NULL, "networks", "192.168.0.0/16", "command line", error, sizeof error), 0);
	assert_int_equal(c->own.networks.count, 2);
	assert_int_equal(config_set(c, "capture", NULL, "key-vlan", "x", "command line", error, sizeof error), -1);
	assert_string_equal(error, "key-vlan: 'x' is neither yes nor no");
	assert_int_equal(config_set(c, "store", NULL, "dir", "/a #b", "command line", error, sizeof error), -1);
	assert_int_equal(config_set(c, "server", "a]", "role", "mx", "command line", error, sizeof error), -1);
	assert_int_equal(config_set(c, "server", "a", "role", "mx", "command line", error, sizeof error), 0);
	assert_string_equal(c->server[0].role, "mx");
	config_free(c);
}

static void a_list_of_another_file_is_replaced(void **state)
{
	struct config *c = config_new();
	char error[128];

	(void)state;
	assert_int_equal(config_set(c, "own", NULL, "domains", "a.example b.example", "x:1", error, sizeof error), 0);
	assert_int_equal(config_set(c, "own", NULL, "domains", "c.example", "x:2", error, sizeof error), 0);
	assert_int_equal(c->own.domains.count, 3);
	assert_int_equal(config_set(c, "own", NULL, "domains", "d.example", "y:1", error, sizeof error), 0);
	assert_int_equal(c->own.domains.count, 1);
	assert_string_equal(c->own.domains.item[0], "d.example");
	config_free(c);
}

static void a_dump_says_where_values_come_from(void **state)
{
	struct result r = read_text("[own]\nnetworks = 10.0.0.0/8\n  192.0.2.1\n[server a]\naddresses = 10.0.0.1\n");
	char error[128];

	(void)state;
	assert_int_equal(config_set(r.config, "store", NULL, "dir", "/x", "command line", error, sizeof error), 0);
	char *text = dump(r.config);
	assert_non_null(strstr(text, "[own]\nnetworks = 10.0.0.0/8 192.0.2.1  # from f:2\ndomains =  # from default\n"));
	assert_non_null(strstr(text, "memory = 512M  # from default\n"));
	assert_non_null(strstr(text, "dir = /x  # from command line\n"));
	assert_non_null(strstr(text, "[server a]\naddresses = 10.0.0.1  # from f:5\n\n"));
	free(text);
	result_free(&r);
}

static void a_dump_reads_back(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_add_str(&b, "[own]\nnetworks = 2001:db8::/48");
	for (unsigned i = 0; i < 100; i++)
		buf_printf(&b, " 10.%u.0.0/16", i);
	buf_add_str(&b, "\ndomains = example.org .example.net\n[capture]\nmemory = 1537K\nports = 25 2525\nkey-vlan = yes\ntunnels = none\ninterfaces = eth1 eth2\nfilter = tcp\n[privacy]\n"
		    "addresses = domain\nsubject = all\n[server mail 1]\naddresses = 10.0.0.1\npublic = 192.0.2.1\nrole = list\nowner = T\xC3\xBCr; 5\n"
		    "[tenant x]\nnetworks = 10.9.0.0/16\n");
	struct result first = read_bytes(b.p, b.len);
	assert_string_equal(first.messages, "");
	char *text = dump(first.config);
	struct result second = read_text(text);
	assert_string_equal(second.messages, "");
	assert_int_equal(second.config->own.networks.count, 101);
	assert_int_equal(second.config->capture.memory_bytes, 1537 * 1024);
	char *again = dump(second.config);
	/* The same but for the origins, so read a third time: now lines are the same too. */
	struct result third = read_text(again);
	char *last = dump(third.config);
	assert_string_equal(again, last);
	free(text);
	free(again);
	free(last);
	result_free(&first);
	result_free(&second);
	result_free(&third);
	buf_fini(&b);
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", dir, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	free(path);
}

static void remove_file(const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);

	remove(path);
	free(path);
}

static void conf_d_is_read_in_order_after_the_main_file(void **state)
{
	char dir[] = "/tmp/config-test-XXXXXX", *messages;
	size_t n;
	FILE *out = open_memstream(&messages, &n);
	struct ini_errors errors = { .out = out };
	struct config *c = config_new();

	(void)state;
	assert_non_null(mkdtemp(dir));
	char *conf_d = xasprintf("%s/conf.d", dir);
	assert_int_equal(mkdir(conf_d, 0700), 0);
	write_file(dir, "bouncetap.conf", "[own]\nnetworks = 10.0.0.0/8 10.1.0.0/16\n[capture]\nsensor = main\n[store]\ndir = /main\n");
	write_file(conf_d, "20-b.conf", "[capture]\nsensor = b\n");
	write_file(conf_d, "10-a.conf", "[capture]\nsensor = a\n[own]\nnetworks = 192.0.2.0/24\n");
	write_file(conf_d, "30-c.conf~", "[capture]\nsensor = c\n");
	assert_true(read_directory(c, dir, &errors));
	fclose(out);
	assert_string_equal(messages, "");
	assert_string_equal(c->capture.sensor, "b");
	assert_string_equal(c->store.dir, "/main");
	assert_int_equal(c->own.networks.count, 1);
	remove_file(conf_d, "10-a.conf");
	remove_file(conf_d, "20-b.conf");
	remove_file(conf_d, "30-c.conf~");
	remove_file(dir, "conf.d");
	remove_file(dir, "bouncetap.conf");
	rmdir(dir);
	config_free(c);
	free(conf_d);
	free(messages);
}

static void a_given_file_must_exist(void **state)
{
	struct config *c = config_new();
	char *messages;
	size_t n;
	FILE *errors = open_memstream(&messages, &n);

	(void)state;
	assert_int_equal(config_load(c, "/nonexistent/x.conf", errors), EX_NOINPUT);
	fclose(errors);
	assert_string_equal(messages, "/nonexistent/x.conf: cannot be opened: No such file or directory\n");
	free(messages);
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_manual),
		cmocka_unit_test(every_key_reads),
		cmocka_unit_test(long_lines_lose_nothing),
		cmocka_unit_test(a_comment_sign_at_the_cut_is_text),
		cmocka_unit_test(an_indented_key_is_a_key),
		cmocka_unit_test(a_byte_order_mark_and_crlf_do_no_harm),
		cmocka_unit_test(unknown_words_are_answered_with_the_nearest),
		cmocka_unit_test(bad_values_name_their_line),
		cmocka_unit_test(lines_that_are_neither_key_nor_heading_are_errors),
		cmocka_unit_test(a_nul_byte_is_an_error),
		cmocka_unit_test(names_stand_once),
		cmocka_unit_test(all_errors_are_counted_and_fifty_printed),
		cmocka_unit_test(set_answers_with_a_message_without_place),
		cmocka_unit_test(a_list_of_another_file_is_replaced),
		cmocka_unit_test(a_dump_says_where_values_come_from),
		cmocka_unit_test(a_dump_reads_back),
		cmocka_unit_test(conf_d_is_read_in_order_after_the_main_file),
		cmocka_unit_test(a_given_file_must_exist),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
