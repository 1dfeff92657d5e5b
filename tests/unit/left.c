/* Unit tests of reader/left.c: what left when, from whom, and who had written before. */
#include "reader/left.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/mails.h"

#define USER "jobs@campus.example"
#define VICTIM "anna@victim.invalid"

static void add(struct world *w, struct fake f)
{
	add_mail(w, &f);
}

static struct left_list left(struct world *w, const char *from, double begin, double end)
{
	struct reader *r = reader_open(w->dir);
	struct ip_prefix p;
	struct left_list l;

	assert_int_equal(ip_prefix_parse(from, &p), 0);
	assert_int_equal(left_read(r, &p, 1, EPOCH_US + (int64_t)(begin * 1e6), EPOCH_US + (int64_t)(end * 1e6), &l), 0);
	reader_close(r);
	return l;
}

static void only_what_left_from_there_and_then(void **state)
{
	struct world *w = *state;
	struct fake ordinary = bounce_to(4, 12, "carl@other.invalid", NULL), elsewhere = bounce_to(5, 12, VICTIM, NULL);

	ordinary.from = USER;
	ordinary.report_type = ordinary.content_type = ordinary.from_header = NULL;
	elsewhere.src = MX1;
	add(w, spam_to(1, 10, VICTIM, USER, "m"));
	add(w, bounce_to(2, 11, VICTIM, "m"));
	add(w, bounce_to(3, 100, "later@victim.invalid", NULL));
	add(w, ordinary);
	add(w, elsewhere);
	analyze(w, false);
	struct left_list l = left(w, MX2, 0, 60);
	assert_int_equal(l.count, 2);
	assert_int_equal(l.row[0].rowid, 2);
	assert_true(l.row[0].null_sender);
	assert_int_equal(l.row[0].kind, KIND_BOUNCE);
	assert_int_equal(l.row[0].finding_rowid, 200);
	assert_string_equal(l.row[0].misdirected, "likely");
	assert_memory_equal(l.row[0].recipient.p, VICTIM, l.row[0].recipient.len);
	assert_memory_equal(l.row[0].recipient_domain.p, "victim.invalid", l.row[0].recipient_domain.len);
	assert_false(l.row[0].had_contact);
	assert_int_equal(l.row[1].kind, KIND_ORDINARY);
	assert_int_equal(l.row[1].finding_rowid, 0);
	left_list_fini(&l);
	l = left(w, "192.0.2.0/24", 0, 60);
	assert_int_equal(l.count, 3);
	left_list_fini(&l);
	l = left(w, MX2, 99, 101);
	assert_int_equal(l.count, 1);
	left_list_fini(&l);
}

static void a_mail_that_takes_long_is_found_by_any_of_its_time(void **state)
{
	struct world *w = *state;

	add(w, bounce_to(1, 10, VICTIM, NULL));
	run_format(w, "UPDATE transactions SET ended_us = started_us + 120000000");
	analyze(w, false);
	struct left_list at_begin = left(w, MX2, 9, 11), within = left(w, MX2, 60, 61), at_end = left(w, MX2, 129, 140), after = left(w, MX2, 131, 140),
		before = left(w, MX2, 0, 9);
	assert_int_equal(at_begin.count, 1);
	assert_int_equal(within.count, 1);
	assert_int_equal(at_end.count, 1);
	assert_int_equal(after.count, 0);
	assert_int_equal(before.count, 0);
	left_list_fini(&at_begin);
	left_list_fini(&within);
	left_list_fini(&at_end);
	left_list_fini(&after);
	left_list_fini(&before);
}

/* A mail that names the address, but comes from elsewhere, is what a forger does. */
static void contact_is_mail_from_the_network_that_takes_it(void **state)
{
	struct world *w = *state;
	struct fake genuine = spam_to(1, 10, "carl@friend.invalid", USER, "n");

	genuine.src = "198.51.100.26";
	add(w, genuine);
	add(w, spam_to(2, 11, VICTIM, USER, "m"));
	add(w, bounce_to(3, 20, "carl@friend.invalid", NULL));
	add(w, bounce_to(4, 21, VICTIM, NULL));
	analyze(w, false);
	struct left_list l = left(w, MX2, 0, 60);
	assert_int_equal(l.count, 2);
	assert_true(l.row[0].had_contact);
	assert_false(l.row[1].had_contact);
	left_list_fini(&l);
}

static void what_was_hidden_is_counted(void **state)
{
	struct world *w = *state;

	add_server_session(w, "198.51.100.9", "mx.victim.invalid");
	run_sql(w->facts, "UPDATE sessions SET src_ip = '" MX2 "', outcome = 'encrypted', tls = 'implicit'");
	analyze(w, false);
	struct left_list then = left(w, MX2, -5, 5), later = left(w, MX2, 60, 70);
	assert_int_equal(then.unread_sessions, 1);
	assert_int_equal(later.unread_sessions, 0);
	left_list_fini(&then);
	left_list_fini(&later);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_what_left_from_there_and_then),
		TEST(a_mail_that_takes_long_is_found_by_any_of_its_time),
		TEST(contact_is_mail_from_the_network_that_takes_it),
		TEST(what_was_hidden_is_counted),
	};

	return cmocka_run_group_tests_name("left", tests, NULL, NULL);
}
