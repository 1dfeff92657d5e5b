/* Unit tests of reader/finding.c: rows, filters, pages, ids. */
#include "reader/finding.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/mails.h"

#define USER "jobs@campus.example"
#define VICTIM "anna@lists.victim.invalid"

static void add(struct world *w, struct fake f)
{
	add_mail(w, &f);
}

static void whole_story(struct world *w)
{
	add(w, spam_to(1, 10, VICTIM, USER, "m"));
	add(w, refusal_of(2, 10.5, VICTIM, USER));
	add(w, bounce_to(3, 11, VICTIM, "m"));
	analyze(w, false);
}

/* So many bounces that answer nothing that was seen. */
static void bounces(struct world *w, int n)
{
	for (int i = 0; i < n; i++) {
		char victim[64];

		snprintf(victim, sizeof victim, "v@victim%d.invalid", i);
		add(w, bounce_to(i + 1, i + 10, victim, NULL));
	}
	analyze(w, false);
}

static struct finding_page page(struct world *w, struct finding_filter f, struct finding_place place, size_t limit)
{
	struct reader *r = reader_open(w->dir);
	struct finding_page p;

	assert_int_equal(finding_page_read(r, &f, place, limit, &p), 0);
	reader_close(r);
	return p;
}

static void a_row_has_its_cause_and_root_cause(void **state)
{
	struct world *w = *state;

	whole_story(w);
	struct finding_page p = page(w, (struct finding_filter){ 0 }, (struct finding_place){ 0 }, 10);
	assert_int_equal(p.count, 1);
	assert_false(p.more);
	const struct finding_row *f = &p.row[0];
	assert_string_equal(f->finding_id, "00000000000000000000000000000003.1:0");
	assert_string_equal(f->server, MX2);
	assert_string_equal(f->dest_ip, VICTIM_MX);
	assert_int_equal(f->kind, KIND_BOUNCE);
	assert_string_equal(f->exposure, "can-backscatter");
	assert_string_equal(f->cause_transaction_id, "00000000000000000000000000000001.1");
	assert_string_equal(f->origin_ip, BOT);
	assert_memory_equal(f->cause_mail_from.p, VICTIM, f->cause_mail_from.len);
	assert_memory_equal(f->cause_recipient.p, USER, f->cause_recipient.len);
	assert_int_equal(f->cause_us, EPOCH_US + 10000000);
	assert_string_equal(f->root_transaction_id, "00000000000000000000000000000002.1");
	assert_int_equal(f->root_code, 550);
	assert_string_equal(f->cause_class, "user-unknown");
	assert_true(f->reason_count >= 1);
	assert_true(f->reason[0].rule[0] != '\0');
	finding_page_fini(&p);
}

static void what_was_not_seen_is_empty(void **state)
{
	struct world *w = *state;

	bounces(w, 1);
	struct finding_page p = page(w, (struct finding_filter){ 0 }, (struct finding_place){ 0 }, 10);
	assert_int_equal(p.row[0].cause_rowid, 0);
	assert_string_equal(p.row[0].cause_transaction_id, "");
	assert_null(p.row[0].cause_mail_from.p);
	assert_string_equal(p.row[0].root_transaction_id, "");
	assert_string_equal(p.row[0].cause_class, "user-unknown");	/* from the report itself */
	finding_page_fini(&p);
}

static void pages_are_newest_first_and_miss_nothing(void **state)
{
	struct world *w = *state;
	struct finding_place place = { 0 };
	int seen = 0;
	int64_t before = INT64_MAX;

	bounces(w, 7);
	for (bool more = true; more;) {
		struct finding_page p = page(w, (struct finding_filter){ 0 }, place, 3);

		for (size_t i = 0; i < p.count; i++, seen++) {
			assert_true(p.row[i].last_us < before);
			before = p.row[i].last_us;
		}
		more = p.more;
		place = p.next;
		finding_page_fini(&p);
	}
	assert_int_equal(seen, 7);
}

static size_t matching(struct world *w, struct finding_filter f)
{
	struct finding_page p = page(w, f, (struct finding_place){ 0 }, 100);
	struct reader *r = reader_open(w->dir);
	size_t n = p.count;
	uint64_t counted;

	assert_int_equal(finding_count(r, &f, 1000, &counted), 0);
	assert_int_equal(counted, n);
	reader_close(r);
	finding_page_fini(&p);
	return n;
}

static void filters_choose(void **state)
{
	struct world *w = *state;

	whole_story(w);
	add(w, bounce_to(9, 50, "x@other.invalid", NULL));
	analyze(w, false);
#define MATCHING(...) matching(w, (struct finding_filter){ __VA_ARGS__ })
	assert_int_equal(MATCHING(.server_id = 0), 2);
	assert_int_equal(MATCHING(.server_id = 1), 0);
	assert_int_equal(MATCHING(.kinds = 1 << KIND_BOUNCE), 2);
	assert_int_equal(MATCHING(.kinds = 1 << KIND_AUTOREPLY), 0);
	assert_int_equal(MATCHING(.misdirected = FINDING_YES | FINDING_LIKELY), 1);
	assert_int_equal(MATCHING(.misdirected = FINDING_UNKNOWN), 1);
	assert_int_equal(MATCHING(.exposure = "can-backscatter"), 1);
	assert_int_equal(MATCHING(.domain = "lists.victim.invalid"), 1);
	assert_int_equal(MATCHING(.domain = "Victim.invalid"), 1);
	assert_int_equal(MATCHING(.domain = "tim.invalid"), 0);
	assert_int_equal(MATCHING(.text = "USER unknown"), 1);
	assert_int_equal(MATCHING(.text = "anna"), 1);
	assert_int_equal(MATCHING(.text = "198.18.10"), 1);
	assert_int_equal(MATCHING(.text = "%"), 0);
	assert_int_equal(MATCHING(.since_us = EPOCH_US + 40000000), 1);
	assert_int_equal(MATCHING(.until_us = EPOCH_US + 40000000), 1);
}

static int resolve(struct world *w, const char *text, int64_t *id)
{
	struct reader *r = reader_open(w->dir);
	int n = finding_resolve(r, text, id);

	reader_close(r);
	return n;
}

static void ids_are_found_by_their_beginning(void **state)
{
	struct world *w = *state;
	int64_t id = 0;

	bounces(w, 3);
	assert_int_equal(resolve(w, "00000000000000000000000000000002.1:0", &id), 1);
	assert_int_equal(id, 200);
	assert_int_equal(resolve(w, "00000000000000000000000000000003", &id), 1);
	assert_int_equal(id, 300);
	assert_int_equal(resolve(w, "0000000000", &id), 2);
	assert_int_equal(resolve(w, "000", &id), 0);
	assert_int_equal(resolve(w, "ffff", &id), 0);
	assert_int_equal(resolve(w, "", &id), 0);
}

static void an_id_that_a_finding_had_before_still_finds_it(void **state)
{
	struct world *w = *state;
	struct fake late = bounce_to(5, 20, VICTIM, "m"), early = bounce_to(4, 11, VICTIM, "m");
	int64_t id = 0, old = 0;

	add(w, spam_to(1, 10, VICTIM, USER, "m"));
	add(w, late);
	analyze(w, false);
	assert_int_equal(resolve(w, "00000000000000000000000000000005", &old), 1);
	early.code = early.rcpt_code = 450;
	early.outcome = "rejected";
	add(w, early);
	analyze(w, false);
	assert_int_equal(resolve(w, "00000000000000000000000000000005", &id), 1);
	assert_int_not_equal(id, old);
	assert_answer("2", "SELECT attempts FROM finding WHERE id = %lld", (long long)id);
}

static void one_row_by_its_identity(void **state)
{
	struct world *w = *state;
	struct finding_page p;

	bounces(w, 2);
	struct reader *r = reader_open(w->dir);
	assert_int_equal(finding_read(r, 200, 0, &p), 0);
	assert_int_equal(p.count, 1);
	assert_int_equal(p.row[0].id, 200);
	finding_page_fini(&p);
	assert_int_equal(finding_read(r, 201, 0, &p), 0);
	assert_int_equal(p.count, 0);
	finding_page_fini(&p);
	reader_close(r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_row_has_its_cause_and_root_cause),
		TEST(what_was_not_seen_is_empty),
		TEST(pages_are_newest_first_and_miss_nothing),
		TEST(filters_choose),
		TEST(ids_are_found_by_their_beginning),
		TEST(an_id_that_a_finding_had_before_still_finds_it),
		TEST(one_row_by_its_identity),
	};

	return cmocka_run_group_tests_name("finding", tests, NULL, NULL);
}
