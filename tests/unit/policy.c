/* Unit tests of analyzer/policy.c and refusal.c: what findings mean for a list. */
#include "analyzer/policy.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "analyzer/refusal.h"
#include "tests/unit/mails.h"

#define VICTIM "anna@victim.invalid"
#define USER "jobs@campus.example"
#define STATUS "SELECT status FROM risk WHERE list = 'backscatterer' AND address = '" MX2 "'"

static void add(struct world *w, struct fake f)
{
	add_mail(w, &f);
}

static void one_likely_bounce_would_list(void **state)
{
	struct world *w = *state;

	add(w, spam_to(1, 10, VICTIM, USER, "m"));
	add(w, bounce_to(2, 11, VICTIM, "m"));
	analyze(w, false);
	assert_answer("would-list", STATUS);
	assert_answer("0", "SELECT margin FROM risk");
	assert_answer("1 1 1", "SELECT mails || ' ' || attempts || ' ' || domains FROM risk");
	assert_answer("2419200", "SELECT (expires_us - last_us) / 1000000 FROM risk");
	assert_answer("counts: 1 bounce; to 1 domain", "SELECT text FROM risk_reason");
}

static void doubt_is_to_be_watched(void **state)
{
	struct world *w = *state;

	add(w, bounce_to(2, 11, VICTIM, "m"));
	analyze(w, false);
	assert_answer("watch", STATUS);
	assert_answer("1", "SELECT margin FROM risk");
}

static void a_sender_the_list_says_nothing_of_is_doubt(void **state)
{
	struct world *w = *state;
	struct fake reply = bounce_to(2, 12, VICTIM, NULL);

	reply.from = USER;
	reply.report_type = reply.content_type = NULL;
	reply.auto_submitted = "auto-replied";
	reply.in_reply_to = "m";
	add(w, spam_to(1, 10, VICTIM, USER, "m"));
	add(w, reply);
	analyze(w, false);
	assert_answer("likely other", "SELECT misdirected || ' ' || sender FROM finding");
	assert_answer("watch", STATUS);
}

static void genuine_bounces_are_clean(void **state)
{
	struct world *w = *state;
	struct fake cause = spam_to(1, 10, VICTIM, USER, "m");

	cause.src = VICTIM_MX;
	add(w, cause);
	add(w, bounce_to(2, 11, VICTIM, "m"));
	analyze(w, false);
	assert_answer("clean", STATUS);
	assert_answer("0", "SELECT mails FROM risk");
}

static void a_window_ends(void **state)
{
	struct world *w = *state;

	add(w, spam_to(1, 10, VICTIM, USER, "m"));
	add(w, bounce_to(2, 11, VICTIM, "m"));
	add(w, spam_to(3, 40 * 86400.0, "b@x.invalid", USER, "n"));
	analyze(w, false);
	assert_answer("clean", STATUS);
}

static void a_blind_server_is_never_clean(void **state)
{
	struct world *w = *state;

	add_server_session(w, MX2, "mx2.campus.example");
	run_sql(w->facts, "UPDATE sessions SET src_ip = '" MX2 "', dest_ip = '198.18.3.3', outcome = 'encrypted', tls = 'starttls'");
	analyze(w, false);
	assert_answer("watch", STATUS);
	assert_answer("1 of 1 outbound sessions could not be read", "SELECT text FROM risk_reason");
}

static void ipv6_is_not_covered(void **state)
{
	struct world *w = *state;
	struct fake bounce = bounce_to(2, 11, VICTIM, "m");

	configure(w, "own", NULL, "networks", "2001:db8:1::/48");
	bounce.src = "2001:db8:1::25";
	bounce.dest = "2001:db8:ffff::1";
	add(w, bounce);
	analyze(w, false);
	assert_answer("not-covered", "SELECT status FROM risk WHERE address = '2001:db8:1::25'");
	assert_answer("", "SELECT margin FROM risk WHERE address = '2001:db8:1::25'");
}

static void a_public_address_is_what_the_list_sees(void **state)
{
	struct world *w = *state;

	configure(w, "server", "backup", "addresses", MX2);
	configure(w, "server", "backup", "public", "203.0.113.80");
	add(w, spam_to(1, 10, VICTIM, USER, "m"));
	add(w, bounce_to(2, 11, VICTIM, "m"));
	analyze(w, false);
	assert_answer("backup 203.0.113.80 would-list", "SELECT name || ' ' || r.address || ' ' || status FROM risk r JOIN server s ON s.id = server_id");
}

static void zones_are_found_in_replies(void **state)
{
	static const struct { const char *reply, *zone; } cases[] = {
		{ "Service unavailable; Client host [1.2.3.4] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/1.2.3.4", "zen.spamhaus.org" },
		{ "<a@b>... Rejected: 1.2.3.4 listed at zen.spamhaus.org", "zen.spamhaus.org" },
		{ "Connecting host [1.2.3.4] is listed by the lookup site 'zen.spamhaus.org.'", "zen.spamhaus.org" },
		{ "host [1.2.3.4]:24 is in an RBL: Blocked - see https://www.spamcop.net/bl.shtml?1.2.3.4", "spamcop.net" },
		{ "Backscatter: Sorry 1.2.3.4 is blacklisted at http://www.backscatterer.org", "backscatterer.org" },
		{ "Host a [1.2.3.4] is blacklisted by ips.backscatterer.org", "ips.backscatterer.org" },
		{ "Service unavailable; Client host [1.2.3.4] blocked using Barracuda Reputation; http://www.barracudacentral.org/q", "barracudacentral.org" },
		{ "User unknown in local recipient table", NULL },
		{ "blocked using multi.uribl.com", NULL },
		{ "zen.spamhaus.org: 127.0.0.1 -> Query Refused", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct text zone = { 0 };
		bool found = refusal_zone((struct text){ cases[i].reply, (uint32_t)strlen(cases[i].reply) }, &zone);

		assert_int_equal(found, cases[i].zone != NULL);
		if (found) {
			assert_int_equal(zone.len, strlen(cases[i].zone));
			assert_memory_equal(zone.p, cases[i].zone, zone.len);
		}
	}
}

static void a_refusal_about_another_address_lists_nobody(void **state)
{
	struct world *w = *state;
	struct fake bounce = bounce_to(2, 11, VICTIM, "m");

	bounce.code = bounce.rcpt_code = 554;
	bounce.rcpt_reply = "Client host [198.18.77.7] blocked using ips.backscatterer.org";
	add(w, bounce);
	analyze(w, false);
	assert_answer("", "SELECT list FROM refusal");
	assert_answer("watch", STATUS);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_likely_bounce_would_list),
		TEST(doubt_is_to_be_watched),
		TEST(a_sender_the_list_says_nothing_of_is_doubt),
		TEST(genuine_bounces_are_clean),
		TEST(a_window_ends),
		TEST(a_blind_server_is_never_clean),
		TEST(ipv6_is_not_covered),
		TEST(a_public_address_is_what_the_list_sees),
		cmocka_unit_test(zones_are_found_in_replies),
		TEST(a_refusal_about_another_address_lists_nobody),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
