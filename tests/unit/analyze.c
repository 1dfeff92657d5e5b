/* Unit tests of analyzer/analyze.c: verdicts are a function of the set of facts, whatever the order and the batches they came in. */
#include "analyzer/analyze.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "analyzer/events.h"
#include "tests/unit/mails.h"

#define VICTIM "anna@victim.invalid"
#define USER "jobs@campus.example"

enum { FACTS = 14, ORDERS = 40 };

/* Facts that change each other's verdicts. */
static void make_facts(struct fake f[FACTS])
{
	f[0] = spam_to(1, 10, VICTIM, USER, "spam@bot");
	f[1] = refusal_of(2, 10.1, VICTIM, USER);
	f[2] = null_probe_to(3, 10.2, VICTIM, "SIZE=2000");
	f[2].code = f[2].rcpt_code = 451;
	f[3] = bounce_to(4, 300, VICTIM, "spam@bot");
	f[3].params = "SIZE=2000";
	f[4] = spam_to(5, 20, "b@two.invalid", USER, "spam2@bot");
	f[5] = spam_to(6, 21, "c@three.invalid", USER, "spam3@bot");
	f[6] = null_probe_to(7, 22, "c@three.invalid", NULL);
	f[7] = bounce_to(8, 400, "friend@elsewhere.invalid", "old@campus");
	f[7].message_id = "passed@on";
	f[7].reporting_mta = "mx.partner.invalid";
	f[8] = bounce_to(9, 399, USER, "old@campus");
	f[8].src = VICTIM_MX;
	f[8].dest = MX2;
	f[8].message_id = "passed@on";
	f[8].reporting_mta = "mx.partner.invalid";
	/* A notice passed on and refused, a forward refused, and one with SRS. */
	f[9] = bounce_to(10, 500, USER, NULL);
	f[9].src = VICTIM_MX;
	f[9].dest = MX2;
	f[10] = null_probe_to(11, 500.1, "bert@bakery.invalid", "SIZE=1300");
	f[11] = spam_to(12, 510, "d@four.invalid", USER, "spam4@bot");
	f[12] = refusal_of(13, 510.1, "d@four.invalid", "bert@bakery.invalid");
	f[12].dest = "203.0.113.25";
	f[12].params = "SIZE=1300";
	f[13] = f[12];
	f[13].session = 14;
	f[13].from = "SRS0=HH=TT=four.invalid=d@campus.example";
	f[13].inner = "d@four.invalid";
}

/* All findings and transactions as events, without what tells how often they were judged. */
static char *events_of(struct world *w)
{
	struct events_options o = { .types = 1u << 1 | 1u << 2 | 1u << 3 };	/* transaction, finding, risk */
	char *text = NULL, error[300];
	size_t size = 0;
	unsigned present;
	sqlite3 *db = db_open_read(w->dir, DB_BUSY_MS, &present, NULL, error, sizeof error);
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(events_write(db, present, &o, out), 0);
	fclose(out);
	sqlite3_close(db);
	for (char *p = text; (p = strstr(p, "\"revision\":")); p++)
		p[11] = '0';
	return text;
}

static char *one_order(struct fake f[FACTS], const int order[FACTS], bool step_by_step)
{
	void *state = NULL;

	assert_int_equal(world_make(&state), 0);
	struct world *w = state;
	for (int i = 0; i < FACTS; i++) {
		add_mail(w, &f[order[i]]);
		if (step_by_step)
			analyze(w, false);
	}
	analyze(w, false);
	char *text = events_of(w);
	world_end(&state);
	return text;
}

static void any_order_of_facts_gives_the_same_verdicts(void **state)
{
	struct fake f[FACTS];
	int order[FACTS];

	(void)state;
	make_facts(f);
	for (int i = 0; i < FACTS; i++)
		order[i] = i;
	char *expected = one_order(f, order, false);
	assert_non_null(strstr(expected, "\"root_cause\":{"));
	srand(7);
	for (int round = 0; round < ORDERS; round++) {
		for (int i = FACTS - 1; i > 0; i--) {
			int k = rand() % (i + 1), swap = order[i];

			order[i] = order[k];
			order[k] = swap;
		}
		char *got = one_order(f, order, round % 2);
		assert_string_equal(got, expected);
		free(got);
	}
	free(expected);
}

static void a_rebuild_gives_the_same_rows(void **state)
{
	struct world *w = *state;
	struct fake f[FACTS];

	make_facts(f);
	for (int i = 0; i < FACTS; i++) {
		add_mail(w, &f[i]);
		analyze(w, false);
	}
	char *before = events_of(w);
	analyze(w, true);
	char *after = events_of(w);
	assert_string_equal(before, after);
	assert_answer("1", "SELECT max(revision) FROM finding");
	free(before);
	free(after);
}

static void an_earlier_attempt_takes_the_id_over(void **state)
{
	struct world *w = *state;
	struct fake first = null_probe_to(3, 11, VICTIM, NULL), second = bounce_to(4, 600, VICTIM, "spam@bot");

	first.code = first.rcpt_code = 451;
	add_mail(w, &second);
	analyze(w, false);
	assert_answer("00000000000000000000000000000004.1:0 1", "SELECT finding_id || ' ' || revision FROM finding");
	add_mail(w, &first);
	analyze(w, false);
	assert_answer("00000000000000000000000000000003.1:0", "SELECT finding_id FROM finding");
	assert_answer("1", "SELECT count(*) FROM finding_alias");
	assert_answer("00000000000000000000000000000004.1:0", "SELECT a.finding_id FROM finding_alias a JOIN finding f ON f.id = a.finding_rowid");
}

static void later_evidence_makes_a_new_revision(void **state)
{
	struct world *w = *state;
	struct fake cause = spam_to(1, 10, VICTIM, USER, "spam@bot"), bounce = bounce_to(2, 11, VICTIM, "spam@bot");

	add_mail(w, &bounce);
	analyze(w, false);
	assert_answer("unknown", "SELECT misdirected FROM finding");
	add_mail(w, &cause);
	analyze(w, false);
	assert_answer("likely 2", "SELECT misdirected || ' ' || revision FROM finding");
	analyze(w, false);
	assert_answer("2", "SELECT revision FROM finding");
}

static void findings_settle_when_their_window_is_over(void **state)
{
	struct world *w = *state;
	struct fake bounce = bounce_to(1, 11, VICTIM, NULL), later = spam_to(2, 6 * 86400.0, "b@x.invalid", USER, NULL);

	add_mail(w, &bounce);
	analyze(w, false);
	assert_answer("0", "SELECT settled FROM finding");
	add_mail(w, &later);
	analyze(w, false);
	assert_answer("1", "SELECT settled FROM finding");
}

static char said[4000];

static void analyze_and_listen(struct world *w)
{
	FILE *say = fmemopen(memset(said, 0, sizeof said), sizeof said, "w");
	struct analysis_options o = { .store = w->dir, .config = w->config, .lists = &w->lists, .now_is_last = true, .say = say };
	char error[300];
	bool busy;
	struct analysis *a = analysis_open(&o, &busy, error, sizeof error);

	assert_non_null(a);
	assert_int_equal(analysis_run(a, error, sizeof error), 0);
	analysis_close(a);
	fclose(say);
}

static void other_inputs_judge_everything_again(void **state)
{
	struct world *w = *state;
	struct fake bounce = bounce_to(1, 11, VICTIM, NULL);

	add_mail(w, &bounce);
	analyze_and_listen(w);
	assert_string_equal(said, "");
	configure(w, "own", NULL, "domains", "victim.invalid");
	analyze_and_listen(w);
	assert_non_null(strstr(said, "judging everything again"));
	assert_answer("0", "SELECT count(*) FROM finding");
	analyze_and_listen(w);
	assert_string_equal(said, "");
}

static void another_store_starts_anew(void **state)
{
	struct world *w = *state;
	struct fake bounce = bounce_to(1, 11, VICTIM, NULL);

	add_mail(w, &bounce);
	analyze(w, false);
	run_sql(w->facts, "UPDATE meta SET store_id = 'other'; DELETE FROM transactions; DELETE FROM batch");
	analyze_and_listen(w);
	assert_non_null(strstr(said, "another store"));
	assert_answer("0", "SELECT count(*) FROM transaction_verdict");
}

static void tables_of_an_older_version_are_made_anew(void **state)
{
	struct world *w = *state;
	struct fake bounce = bounce_to(1, 11, VICTIM, NULL);
	char error[300];
	unsigned present;

	add_mail(w, &bounce);
	analyze(w, false);
	sqlite3 *verdicts = db_open_write(w->dir, DB_VERDICTS, DB_BUSY_MS, NULL, error, sizeof error);
	run_sql(verdicts, "DROP TABLE risk; CREATE TABLE of_old (x); PRAGMA user_version = 261");
	sqlite3_close(verdicts);
	sqlite3 *reader = db_open_read(w->dir, DB_BUSY_MS, &present, NULL, error, sizeof error);
	assert_non_null(reader);
	assert_int_equal(present, 1u << DB_FACTS);
	sqlite3_close(reader);
	analyze(w, false);
	assert_answer("1", "SELECT count(*) FROM finding");
	assert_answer("0", "SELECT count(*) FROM verdicts.sqlite_master WHERE name = 'of_old'");
	assert_answer("1", "SELECT count(*) > 0 FROM risk");
}

/* A rollback journal stays only where the file was being made: verdicts.db is in WAL mode after that. */
static void an_analyzer_that_died_at_its_first_step_leaves_no_obstacle(void **state)
{
	struct world *w = *state;
	struct fake bounce = bounce_to(1, 11, VICTIM, NULL);
	char *path = xasprintf("%s/verdicts.db", w->dir);
	int status;
	pid_t child = fork();

	if (child == 0) {
		sqlite3 *db;

		sqlite3_open(path, &db);
		sqlite3_exec(db, "PRAGMA cache_size = 2; BEGIN; CREATE TABLE half (x); INSERT INTO half SELECT randomblob(3000) FROM"
			     " (VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15), (16))", NULL, NULL, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	char *journal = xasprintf("%s-journal", path);
	assert_int_equal(access(journal, F_OK), 0);
	add_mail(w, &bounce);
	analyze(w, false);
	assert_answer("1", "SELECT count(*) FROM finding");
	free(path);
	free(journal);
}

static void one_analyzer_at_a_time(void **state)
{
	struct world *w = *state;
	struct analysis_options o = { .store = w->dir, .config = w->config, .lists = &w->lists };
	char error[300];
	bool busy;
	struct analysis *a = analysis_open(&o, &busy, error, sizeof error);

	assert_non_null(a);
	assert_null(analysis_open(&o, &busy, error, sizeof error));
	assert_true(busy);
	analysis_close(a);
	a = analysis_open(&o, &busy, error, sizeof error);
	assert_non_null(a);
	analysis_close(a);
}

static void no_store_is_said(void **state)
{
	struct world *w = *state;
	struct analysis_options o = { .store = "/nonexistent/store", .config = w->config, .lists = &w->lists };
	char error[300];
	bool busy;

	assert_null(analysis_open(&o, &busy, error, sizeof error));
	assert_false(busy);
}

static void a_row_that_is_gone_takes_its_finding_along(void **state)
{
	struct world *w = *state;
	struct fake bounce = bounce_to(1, 11, VICTIM, NULL), again = bounce_to(2, 700, VICTIM, NULL);

	again.message_id = "other@mx2";
	add_mail(w, &bounce);
	analyze(w, false);
	run_sql(w->facts, "DELETE FROM transactions");
	add_mail(w, &again);
	analyze(w, false);
	assert_answer("1", "SELECT count(*) FROM finding");
	assert_answer("00000000000000000000000000000002.1:0", "SELECT finding_id FROM finding");
}

static void who_takes_long_to_judge_waits_while_following(void **state)
{
	struct analysis a = { .following = true };

	(void)state;
	note_cost(&a, 7, DEAR_US / 2);
	assert_false(must_wait(&a, 7));
	note_cost(&a, 7, INT64_C(3600000000));
	assert_true(must_wait(&a, 7));
	assert_false(must_wait(&a, 8));
	a.following = false;
	assert_false(must_wait(&a, 7));
	a.following = true;
	note_cost(&a, 7, 10);
	assert_false(must_wait(&a, 7));
	assert_int_equal(a.dear_count, 0);
	for (int i = 1; i <= 2 * DEAR_MAX; i++)
		note_cost(&a, i, DEAR_US);
	assert_int_equal(a.dear_count, DEAR_MAX);
}

/* What a finding says again is not written again: its rows, and what readers follow, stay. */
static void more_mail_for_him_leaves_settled_findings_alone(void **state)
{
	struct world *w = *state;
	struct fake f = bounce_to(2, 11, VICTIM, "spam@bot"), later = bounce_to(4, 2000, VICTIM, "other@bot");

	later.message_id = "bounce.2@mx2.campus.example";
	f.src = later.src = MX2;
	struct fake spam = spam_to(1, 10, VICTIM, USER, "spam@bot"), other = spam_to(3, 1999, VICTIM, USER, "other@bot");
	add_mail(w, &spam);
	add_mail(w, &f);
	analyze(w, false);
	char changes[20];
	snprintf(changes, sizeof changes, "%s", ask(w, "SELECT count(*) FROM change WHERE what = 'finding' AND id = (SELECT min(id) FROM finding)"));
	add_mail(w, &other);
	add_mail(w, &later);
	analyze(w, false);
	assert_answer("2", "SELECT count(*) FROM finding");
	assert_answer(changes, "SELECT count(*) FROM change WHERE what = 'finding' AND id = (SELECT min(id) FROM finding)");
	assert_answer("1", "SELECT revision FROM finding ORDER BY id LIMIT 1");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_of_facts_gives_the_same_verdicts),
		TEST(more_mail_for_him_leaves_settled_findings_alone),
		cmocka_unit_test(who_takes_long_to_judge_waits_while_following),
		TEST(a_rebuild_gives_the_same_rows),
		TEST(an_earlier_attempt_takes_the_id_over),
		TEST(later_evidence_makes_a_new_revision),
		TEST(findings_settle_when_their_window_is_over),
		TEST(other_inputs_judge_everything_again),
		TEST(another_store_starts_anew),
		TEST(tables_of_an_older_version_are_made_anew),
		TEST(an_analyzer_that_died_at_its_first_step_leaves_no_obstacle),
		TEST(one_analyzer_at_a_time),
		TEST(no_store_is_said),
		TEST(a_row_that_is_gone_takes_its_finding_along),
	};

	return cmocka_run_group_tests_name("analyze", tests, NULL, NULL);
}
