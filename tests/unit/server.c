/* Unit tests of reader/server.c: what a row says of a server. */
#include "reader/server.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/mails.h"

#define USER "jobs@campus.example"

static void add(struct world *w, struct fake f)
{
	add_mail(w, &f);
}

/* Spam and its bounce, to so many victims from that second on. */
static void backscatter(struct world *w, int first_session, double at, int victims)
{
	for (int i = 0; i < victims; i++) {
		char victim[64], id[32];

		snprintf(victim, sizeof victim, "v%d@victim%d.invalid", first_session + i, first_session + i);
		snprintf(id, sizeof id, "m%d", first_session + i);
		add(w, spam_to(first_session + 2 * i, at + i, victim, USER, id));
		add(w, bounce_to(first_session + 2 * i + 1, at + i + 1, victim, id));
	}
}

static struct server_list list_at(struct world *w, double now, const struct config *config)
{
	struct server_query q = { .now_us = EPOCH_US + (int64_t)(now * 1e6), .since_us = EPOCH_US - DAY_US, .config = config };
	struct reader *r = reader_open(w->dir);
	struct server_list l;

	assert_int_equal(server_list_read(r, &q, &l), 0);
	reader_close(r);
	return l;
}

static void a_store_that_nobody_judged_has_no_servers(void **state)
{
	struct server_list l = list_at(*state, 60, NULL);

	assert_int_equal(l.count, 0);
	server_list_fini(&l);
}

static void counts_stand_by_kind_and_hour(void **state)
{
	struct world *w = *state;

	backscatter(w, 1, 10, 3);
	backscatter(w, 101, 7300, 2);
	analyze(w, false);
	struct server_list l = list_at(w, 7400, NULL);
	assert_true(l.count >= 1);
	const struct server_row *row = &l.row[0];
	assert_string_equal(row->name, MX2);
	assert_string_equal(row->public_address, MX2);
	assert_int_equal(row->hour.kind[KIND_BOUNCE], 2);
	assert_int_equal(row->range.kind[KIND_BOUNCE], 5);
	assert_int_equal(row->range.findings, 5);
	assert_int_equal(row->range.attempts, 5);
	assert_int_equal(row->range.mails_in, 5);
	assert_int_equal(row->hour.mails_out, 2);
	assert_int_equal(row->range.yes + row->range.likely, 5);
	assert_int_equal(row->by_hour[SERVER_HOURS - 1], 2);
	assert_int_equal(row->by_hour[SERVER_HOURS - 3], 3);
	assert_int_equal(row->domains, 5);
	assert_string_equal(row->worst_status, "would-list");
	assert_string_equal(row->worst_list, "backscatterer");
	assert_int_equal(row->days_clean, 0);
	assert_null(row->owner);
	assert_null(row->acked_why);
	server_list_fini(&l);
}

static void days_clean_are_counted_from_the_last_attempt(void **state)
{
	struct world *w = *state;

	backscatter(w, 1, 10, 1);
	analyze(w, false);
	struct server_list l = list_at(w, 11 + 3 * 86400.0 - 1, NULL), m = list_at(w, 12 + 3 * 86400.0, NULL);
	assert_int_equal(l.row[0].days_clean, 2);
	assert_int_equal(m.row[0].days_clean, 3);
	assert_int_equal(m.row[0].hour.findings, 0);
	server_list_fini(&l);
	server_list_fini(&m);
}

static void owner_and_role_come_from_the_configuration(void **state)
{
	struct world *w = *state;

	configure(w, "server", "backup", "addresses", MX2);
	configure(w, "server", "backup", "public", "203.0.113.80");
	configure(w, "server", "backup", "role", "mx");
	configure(w, "server", "backup", "owner", "dept of physics");
	backscatter(w, 1, 10, 1);
	analyze(w, false);
	struct server_list l = list_at(w, 60, w->config);
	assert_string_equal(l.row[0].name, "backup");
	assert_string_equal(l.row[0].owner, "dept of physics");
	assert_string_equal(l.row[0].role, "mx");
	assert_string_equal(l.row[0].public_address, "203.0.113.80");
	assert_int_equal(l.row[0].range.findings, 1);
	server_list_fini(&l);
}

static void an_ack_holds_until_its_time(void **state)
{
	struct world *w = *state;
	char error[300];

	backscatter(w, 1, 10, 1);
	analyze(w, false);
	sqlite3 *notes = db_open_write(w->dir, DB_NOTES, DB_BUSY_MS, NULL, error, sizeof error);
	char *sql = sqlite3_mprintf("INSERT INTO ack (subject, until_us, why, at_us) VALUES ('" MX2 "', %lld, 'moves next week', 1)", (long long)EPOCH_US + 100000000);
	run_sql(notes, sql);
	sqlite3_free(sql);
	struct server_list l = list_at(w, 60, NULL), m = list_at(w, 101, NULL);
	assert_string_equal(l.row[0].acked_why, "moves next week");
	assert_null(m.row[0].acked_why);
	server_list_fini(&l);
	server_list_fini(&m);
	sqlite3_close(notes);
}

static void worst_servers_come_first(void **state)
{
	struct world *w = *state;

	add_server_session(w, MX1, "mx1.campus.example");
	backscatter(w, 1, 10, 1);
	analyze(w, false);
	struct server_list l = list_at(w, 60, NULL);
	assert_int_equal(l.count, 2);
	assert_string_equal(l.row[0].name, MX2);
	assert_string_equal(l.row[1].name, MX1);
	assert_string_equal(l.row[1].worst_status, "clean");
	assert_string_equal(l.row[1].software, "Postfix");
	assert_int_equal(l.row[1].days_clean, -1);
	assert_int_equal(l.row[1].sessions_in, 1);
	server_list_fini(&l);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_store_that_nobody_judged_has_no_servers),
		TEST(counts_stand_by_kind_and_hour),
		TEST(days_clean_are_counted_from_the_last_attempt),
		TEST(owner_and_role_come_from_the_configuration),
		TEST(an_ack_holds_until_its_time),
		TEST(worst_servers_come_first),
	};

	return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
