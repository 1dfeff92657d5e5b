/* Unit tests of analyzer/silence.c: a reason for each rule's silence. */
#include "analyzer/silence.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "analyzer/judge.h"

static const struct finding_row bare = { .kind = KIND_AUTOREPLY, .origin_ip = "" };

static void every_rule_has_a_reason_and_every_reason_a_rule(void **state)
{
	struct judge_rule rule;
	size_t rules = 0;

	(void)state;
	for (; judge_rule(rules, &rule); rules++)
		if (!silence_of(rule.id, &bare))
			fail_msg("silence.c says nothing of the rule %s", rule.id);
	assert_int_equal(rules, sizeof silences / sizeof *silences);
	assert_null(silence_of("no-such-rule", &bare));
}

static void what_was_not_there_goes_before_what_was_found(void **state)
{
	struct finding_row f = bare;

	(void)state;
	assert_string_equal(silence_of("notify-asked", &f), missing[CAUSE]);
	assert_string_equal(silence_of("origin-is-target", &f), missing[ORIGIN]);
	assert_string_equal(silence_of("spf-pass", &f), missing[REPORT]);
	f = (struct finding_row){ .kind = KIND_BOUNCE, .origin_ip = "198.18.10.7", .cause_rowid = 1 };
	assert_non_null(strstr(silence_of("notify-asked", &f), "did not ask"));
	assert_non_null(strstr(silence_of("origin-is-target", &f), "another host"));
	assert_non_null(strstr(silence_of("spf-pass", &f), "no SPF check"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule_has_a_reason_and_every_reason_a_rule),
		cmocka_unit_test(what_was_not_there_goes_before_what_was_found),
	};

	return cmocka_run_group_tests_name("silence", tests, NULL, NULL);
}
