/* Unit tests of analyzer/events.c, event_json.c and community_id.c: order, keys, values, following. */
#include "analyzer/events.c"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "analyzer/community_id.h"
#include "tests/unit/mails.h"

#define VICTIM "anna@victim.invalid"
#define USER "jobs@campus.example"

static void add(struct world *w, struct fake f)
{
	add_mail(w, &f);
}

/* The stream as text; the caller frees it. */
static char *stream(struct world *w, const char *types, int64_t since_us)
{
	struct events_options o = { .since_us = since_us };
	char *text = NULL, error[300];
	const char *unknown;
	size_t size = 0;
	unsigned present;
	sqlite3 *db = db_open_read(w->dir, DB_BUSY_MS, &present, NULL, error, sizeof error);
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(events_parse_types(types, &o.types, &unknown), 0);
	assert_int_equal(events_write(db, present, &o, out), 0);
	fclose(out);
	sqlite3_close(db);
	return text;
}

static int lines(const char *text)
{
	int n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

static void facts_that_were_not_judged_have_null_kinds(void **state)
{
	struct world *w = *state;

	add(w, spam_to(1, 10, VICTIM, USER, "m"));
	char *text = stream(w, "", 0);
	assert_int_equal(lines(text), 1);
	assert_non_null(strstr(text, "\"kind\":null"));
	assert_non_null(strstr(text, "\"direction\":null"));
	assert_non_null(strstr(text, "\"tier\":\"clear\""));
	free(text);
}

static void a_transaction_prints_its_facts(void **state)
{
	struct world *w = *state;

	add(w, spam_to(1, 10, VICTIM, USER, "m@id"));
	analyze(w, false);
	char *text = stream(w, "transaction", 0);
	assert_non_null(strstr(text, "{\"timestamp\":\"2026-11-22T02:00:10.000000Z\",\"ended\":\"2026-11-22T02:00:10.003000Z\",\"event_type\":\"transaction\","
				     "\"schema\":1,\"sensor\":\"local\",\"transaction_id\":\"00000000000000000000000000000001.1\","));
	assert_non_null(strstr(text, "\"mail_from\":\"anna@victim.invalid\",\"null_sender\":false"));
	assert_non_null(strstr(text, "\"rcpt_to\":[{\"address\":\"jobs@campus.example\",\"code\":250,"));
	assert_non_null(strstr(text, "\"message_id\":\"m@id\""));
	assert_non_null(strstr(text, "\"report\":null"));
	assert_non_null(strstr(text, "\"direction\":\"inbound\",\"kind\":\"ordinary\",\"kind_rule\":\"ordinary\",\"provenance\":null,"
				     "\"origin_ip\":\"" BOT "\",\"origin_from\":\"wire\""));
	free(text);
}

static void the_null_sender_is_written_as_such(void **state)
{
	struct world *w = *state;

	add(w, bounce_to(1, 10, VICTIM, "m"));
	char *text = stream(w, "transaction", 0);
	assert_non_null(strstr(text, "\"mail_from\":\"<>\",\"null_sender\":true"));
	assert_non_null(strstr(text, "\"report\":{\"reporting_mta\":\"mx2.campus.example\",\"recipients\":[{"));
	assert_non_null(strstr(text, "\"returned\":{\"message_id\":\"m\""));
	free(text);
	/* What a text says is no report. */
	assert_int_equal(db_exec(w->facts, "DELETE FROM reports", NULL, 0), 0);
	text = stream(w, "transaction", 0);
	assert_non_null(strstr(text, "\"report\":{\"reporting_mta\":null,\"recipients\":[],\"returned\":{\"message_id\":\"m\""));
	free(text);
}

static void a_finding_prints_its_chain(void **state)
{
	struct world *w = *state;

	add(w, spam_to(1, 10, VICTIM, USER, "m"));
	add(w, refusal_of(2, 10.1, VICTIM, USER));
	add(w, bounce_to(3, 10.2, VICTIM, "m"));
	analyze(w, false);
	char *text = stream(w, "finding", 0);
	assert_int_equal(lines(text), 1);
	assert_non_null(strstr(text, "\"finding_id\":\"00000000000000000000000000000003.1:0\",\"server\":\"" MX2 "\""));
	assert_non_null(strstr(text, "\"cause\":{\"transaction_id\":\"00000000000000000000000000000001.1\",\"origin_ip\":\"" BOT "\",\"mail_from\":\"" VICTIM
				     "\",\"rcpt_to\":[\"" USER "\"],\"message_id\":\"m\",\"delay_ms\":198,\"matched_by\":\"message-id\"}"));
	assert_non_null(strstr(text, "\"root_cause\":{\"transaction_id\":\"00000000000000000000000000000002.1\",\"code\":550,"));
	assert_non_null(strstr(text, "\"originator\":{\"server\":\"" MX2 "\",\"how\":\"reporting-mta\"}"));
	assert_non_null(strstr(text, "\"reasons\":[{\"rule\":\"origin-unrelated\",\"sign\":\"for\",\"strength\":\"medium\",\"text\":\""));
	free(text);
}

static void types_and_since_choose(void **state)
{
	struct world *w = *state;
	const char *unknown;
	unsigned types;

	add(w, spam_to(1, 10, VICTIM, USER, "m"));
	add(w, bounce_to(2, 20, VICTIM, "m"));
	analyze(w, false);
	char *all = stream(w, "", 0), *late = stream(w, "transaction", EPOCH_US + 15000000), *risk = stream(w, "risk,refusal", 0);
	assert_int_equal(lines(all), 2 + 1 + w->lists.count);
	assert_int_equal(lines(late), 1);
	assert_int_equal(lines(risk), w->lists.count);
	assert_int_equal(events_parse_types("finding,nonsense,risk", &types, &unknown), -1);
	assert_memory_equal(unknown, "nonsense", 8);
	free(all);
	free(late);
	free(risk);
}

static void equal_ends_are_ordered_by_id(void **state)
{
	struct world *w = *state;

	add(w, spam_to(3, 10, VICTIM, USER, "c"));
	add(w, spam_to(1, 10, VICTIM, USER, "a"));
	add(w, spam_to(2, 9, VICTIM, USER, "b"));
	char *text = stream(w, "transaction", 0);
	const char *a = strstr(text, "\"message_id\":\"a\""), *b = strstr(text, "\"message_id\":\"b\""), *c = strstr(text, "\"message_id\":\"c\"");
	assert_true(b < a && a < c);
	free(text);
}

/* Writes into a pipe file while events_follow runs in a thread of its own. */
struct following {
	struct world *w;
	FILE *out;
	volatile int stop;
	int result;
};

static void *follow(void *arg)
{
	struct following *f = arg;
	struct events_options o = { .types = 1u << EVENT_TRANSACTION | 1u << EVENT_FINDING };
	char error[300];

	f->result = events_follow(f->w->dir, &o, f->out, &f->stop, error, sizeof error);
	return NULL;
}

static void following_prints_each_once_and_changes_again(void **state)
{
	struct world *w = *state;
	struct following f = { .w = w, .out = tmpfile() };
	pthread_t thread;
	char text[20000] = "";

	add(w, bounce_to(2, 20, VICTIM, "m"));
	analyze(w, false);
	assert_int_equal(pthread_create(&thread, NULL, follow, &f), 0);
	usleep(1200000);
	add(w, spam_to(1, 10, VICTIM, USER, "m"));
	analyze(w, false);
	usleep(2200000);
	f.stop = 1;
	pthread_join(thread, NULL);
	assert_int_equal(f.result, 0);
	rewind(f.out);
	size_t n = fread(text, 1, sizeof text - 1, f.out);
	text[n] = '\0';
	fclose(f.out);
	assert_int_equal(lines(text), 4);	/* bounce, finding; spam, finding again */
	assert_non_null(strstr(text, "\"revision\":1"));
	assert_non_null(strstr(text, "\"revision\":2"));
}

static void community_ids_are_those_of_the_specification(void **state)
{
	struct ip_addr a, b;
	char id[COMMUNITY_ID_MAX];

	(void)state;
	/* Vectors of the specification's baseline: TCP, seed 0. */
	ip_parse("128.232.110.120", 15, &a);
	ip_parse("66.35.250.204", 13, &b);
	assert_string_equal(community_id(&a, 34855, &b, 80, id), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
	assert_string_equal(community_id(&b, 80, &a, 34855, id), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
	assert_string_equal(community_id(&(struct ip_addr){ 0 }, 1, &b, 2, id), "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(facts_that_were_not_judged_have_null_kinds),
		TEST(a_transaction_prints_its_facts),
		TEST(the_null_sender_is_written_as_such),
		TEST(a_finding_prints_its_chain),
		TEST(types_and_since_choose),
		TEST(equal_ends_are_ordered_by_id),
		TEST(following_prints_each_once_and_changes_again),
		cmocka_unit_test(community_ids_are_those_of_the_specification),
	};

	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
