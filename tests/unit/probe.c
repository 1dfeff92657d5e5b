/* Unit tests of analyzer/probe.c, and of what analyze makes of a probe. The dialogue itself is in tests/check_selfcheck. */
#include "analyzer/probe.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/mails.h"

#define NAME NAME_BEGIN "0123456789abcdef0123456789abcdef" NAME_END
#define VICTIM "anna@victim.invalid"
#define RULE "SELECT kind || ' ' || kind_rule FROM transaction_verdict"

static void names_of_probes_are_known(void **state)
{
	struct probe p;
	char name[100];

	(void)state;
	probe_make(&p, "campus.example");
	snprintf(name, sizeof name, NAME_BEGIN "%s" NAME_END, p.token);
	assert_true(probe_is_name((struct text){ name, (uint32_t)strlen(name) }));
	assert_non_null(strstr(p.recipient, "@campus.example"));
	assert_true(probe_is_name(TEXT(NAME)));
	assert_false(probe_is_name(TEXT("probe-0123.bouncetap.invalid")));
	assert_false(probe_is_name(TEXT("x" NAME)));
	assert_false(probe_is_name(TEXT(NAME_BEGIN "0123456789abcdef0123456789abcde." NAME_END)));
	assert_false(probe_is_name((struct text){ 0 }));
}

static void only_an_unknown_user_is_proof(void **state)
{
	(void)state;
	assert_true(is_unknown_user(550, "550 5.1.1 <x@y>: Recipient address rejected"));
	assert_true(is_unknown_user(550, "550 No such user here"));
	assert_false(is_unknown_user(554, "554 5.7.1 Relay access denied"));
	assert_false(is_unknown_user(550, "550"));
	assert_false(is_unknown_user(450, "450 4.1.1 User unknown"));
	assert_false(is_unknown_user(550, "550 5.7.1 blocked using bl.example"));
}

static struct fake probe_of(const char *src, const char *dest)
{
	return (struct fake){ .session = 1, .at = 10, .src = src, .dest = dest, .helo = NAME, .from = "", .to = { "no-such-user-1@campus.example" }, .rcpt_code = 550, .code = 550,
		.enhanced = "5.1.1", .rcpt_reply = "User unknown", .no_data = true };
}

static void a_probe_is_nothing(void **state)
{
	struct world *w = *state;
	struct fake f = probe_of(BOT, MX2);

	add_mail(w, &f);
	analyze(w, false);
	assert_answer("call-ahead own-probe", RULE);
	assert_answer("0", "SELECT count(*) FROM own_mail_hour");
	assert_answer("0", "SELECT count(*) FROM finding");
}

static void what_only_looks_like_one_is_judged(void **state)
{
	struct world *w = *state;
	struct fake out = probe_of(MX2, VICTIM_MX);

	out.to[0] = VICTIM;
	add_mail(w, &out);
	analyze(w, false);
	assert_answer("1", "SELECT count(*) FROM transaction_verdict WHERE kind_rule <> 'own-probe'");
	assert_answer("1", "SELECT count(*) FROM own_mail_hour");
}

static void mail_with_such_a_name_is_judged(void **state)
{
	struct world *w = *state;
	struct fake spam = spam_to(1, 10, VICTIM, "jobs@campus.example", "m"), bounce = bounce_to(2, 11, VICTIM, "m");

	spam.helo = NAME;
	add_mail(w, &spam);
	add_mail(w, &bounce);
	analyze(w, false);
	assert_answer("1", "SELECT count(*) FROM finding WHERE cause_rowid IS NOT NULL");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_probes_are_known),
		cmocka_unit_test(only_an_unknown_user_is_proof),
		cmocka_unit_test_setup_teardown(a_probe_is_nothing, world_make, world_end),
		cmocka_unit_test_setup_teardown(what_only_looks_like_one_is_judged, world_make, world_end),
		cmocka_unit_test_setup_teardown(mail_with_such_a_name_is_judged, world_make, world_end),
	};

	return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
