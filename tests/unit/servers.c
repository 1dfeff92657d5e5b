/* Unit tests of analyzer/servers.c: what is known about our servers does not depend on the order in which it is learnt. */
#include "analyzer/servers.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/mails.h"

struct scene {
	struct world *w;
	sqlite3 *verdicts;
	struct own *own;
	struct servers *s;
};

static struct ip_addr ip(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(text, strlen(text), &a), 0);
	return a;
}

static void begin(struct scene *x, void **state)
{
	char error[300];

	x->w = *state;
	configure(x->w, "server", "pair", "addresses", "192.0.2.30, 192.0.2.31");
	x->verdicts = db_open_write(x->w->dir, DB_VERDICTS, DB_BUSY_MS, NULL, error, sizeof error);
	assert_non_null(x->verdicts);
	x->own = own_new(x->w->config);
	x->s = servers_new(x->verdicts, x->own);
}

/* What was learnt is read back. */
static void again(struct scene *x)
{
	servers_flush(x->s);
	servers_free(x->s);
	x->s = servers_new(x->verdicts, x->own);
}

static void end(struct scene *x)
{
	servers_free(x->s);
	own_free(x->own);
	sqlite3_close(x->verdicts);
}

static struct text text(const char *s)
{
	return (struct text){ s, (uint32_t)strlen(s) };
}

static bool is_news(struct scene *x, int64_t key)
{
	struct idset news = servers_news(x->s);
	bool found = idset_has(&news, key);

	idset_fini(&news);
	return found;
}

static void a_name_that_was_used_before_its_server_was_known_counts(void **state)
{
	struct scene x;
	struct ip_addr a = ip(MX1);

	begin(&x, state);
	servers_note_name(x.s, &a, text("MX1.campus.example."));
	assert_null(servers_by_name(x.s, text("mx1.campus.example")));
	assert_null(servers_find(x.s, &a));
	assert_false(is_news(&x, key_of_name("mx1.campus.example")));
	again(&x);
	struct server *server = servers_add(x.s, &a);
	assert_ptr_equal(servers_by_name(x.s, text("mx1.campus.example")), server);
	assert_true(is_news(&x, key_of_name("mx1.campus.example")));
	assert_false(is_news(&x, key_of_name("mx1.campus.example")));
	again(&x);
	assert_non_null(servers_find(x.s, &a));
	end(&x);
}

static void the_first_names_of_the_alphabet_are_kept(void **state)
{
	struct scene x;
	struct ip_addr a = ip(MX1);
	char name[64];

	begin(&x, state);
	servers_add(x.s, &a);
	for (int i = 0; i < 3 * NAMES_PER_SERVER; i++) {
		snprintf(name, sizeof name, "host%03d.campus.example", (i * 37) % (3 * NAMES_PER_SERVER));
		servers_note_name(x.s, &a, text(name));
	}
	again(&x);
	assert_non_null(servers_by_name(x.s, text("host000.campus.example")));
	assert_non_null(servers_by_name(x.s, text("host031.campus.example")));
	assert_null(servers_by_name(x.s, text("host032.campus.example")));
	is_news(&x, 1);
	servers_note_name(x.s, &a, text("a.campus.example"));
	assert_true(is_news(&x, key_of_name("host031.campus.example")));
	assert_null(servers_by_name(x.s, text("host031.campus.example")));
	end(&x);
}

static void the_last_software_is_told(void **state)
{
	struct scene x;
	struct ip_addr a = ip(MX1);

	begin(&x, state);
	struct server *server = servers_add(x.s, &a);
	servers_note_software(server, "Postfix", 20);
	servers_note_software(server, "Exim", 10);
	servers_note_software(server, NULL, 30);
	assert_string_equal(server->software, "Postfix");
	servers_note_software(server, "Exim", 20);
	assert_string_equal(server->software, "Exim");
	servers_note_software(server, "Postfix", 20);
	again(&x);
	assert_string_equal(servers_find(x.s, &a)->software, "Exim");
	end(&x);
}

static void what_was_asked_for_in_vain_becomes_news(void **state)
{
	struct scene x;
	struct ip_addr one = ip("192.0.2.30"), two = ip("192.0.2.31"), outside = ip(BOT);
	struct idset asked = { 0 };

	begin(&x, state);
	servers_record(x.s, &asked);
	assert_null(servers_find(x.s, &two));
	assert_null(servers_find(x.s, &outside));
	assert_null(servers_by_name(x.s, text("mx.campus.example")));
	servers_record(x.s, NULL);
	assert_int_equal(asked.count, 2);
	servers_note_sender(x.s, &one);
	assert_ptr_equal(servers_find(x.s, &two), servers_find(x.s, &one));
	struct idset news = servers_news(x.s);
	assert_true(idset_has(&news, servers_id_of(x.own, &two)) && idset_has(&asked, servers_id_of(x.own, &two)));
	idset_fini(&news);
	servers_note_name(x.s, &two, text("mx.campus.example"));
	assert_true(is_news(&x, key_of_name("mx.campus.example")) && idset_has(&asked, key_of_name("mx.campus.example")));
	idset_fini(&asked);
	end(&x);
}

static void each_address_of_a_server_is_kept(void **state)
{
	struct scene x;
	struct ip_addr one = ip("192.0.2.30"), two = ip("192.0.2.31");

	begin(&x, state);
	servers_note_sender(x.s, &two);
	servers_add(x.s, &one);
	again(&x);
	struct world *w = x.w;
	assert_answer("192.0.2.30 0, 192.0.2.31 1", "SELECT group_concat(address || ' ' || sends, ', ') FROM server_address ORDER BY 1");
	assert_answer("pair 192.0.2.30", "SELECT name || ' ' || address FROM server");
	end(&x);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_name_that_was_used_before_its_server_was_known_counts),
		TEST(the_first_names_of_the_alphabet_are_kept),
		TEST(the_last_software_is_told),
		TEST(what_was_asked_for_in_vain_becomes_news),
		TEST(each_address_of_a_server_is_kept),
	};

	return cmocka_run_group_tests_name("servers", tests, NULL, NULL);
}
