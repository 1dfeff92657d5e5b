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
	assert_answer("0", "SELECT margin FROM risk WHERE list = 'backscatterer'");
	assert_answer("1 1 1", "SELECT mails || ' ' || attempts || ' ' || domains FROM risk WHERE list = 'backscatterer'");
	assert_answer("2419200", "SELECT (expires_us - last_us) / 1000000 FROM risk WHERE list = 'backscatterer'");
	assert_answer("counts: 1 bounce; to 1 domain", "SELECT text FROM risk_reason WHERE list = 'backscatterer'");
}

static void doubt_is_to_be_watched(void **state)
{
	struct world *w = *state;

	add(w, bounce_to(2, 11, VICTIM, "m"));
	analyze(w, false);
	assert_answer("watch", STATUS);
	assert_answer("1", "SELECT margin FROM risk WHERE list = 'backscatterer'");
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
	assert_answer("0", "SELECT mails FROM risk WHERE list = 'backscatterer'");
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
	assert_answer("1 of 1 outbound sessions could not be read, or not in full", "SELECT text FROM risk_reason WHERE list = 'backscatterer'");
	run_sql(w->facts, "UPDATE sessions SET outcome = 'mail', tls = 'none', complete = 0, notes = 'gap'");
	analyze(w, true);
	assert_answer("watch", STATUS);
	run_sql(w->facts, "UPDATE sessions SET complete = 1, notes = ''");
	analyze(w, true);
	assert_answer("clean", STATUS);
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
	assert_answer("not-covered", "SELECT status FROM risk WHERE list = 'backscatterer' AND address = '2001:db8:1::25'");
	assert_answer("", "SELECT margin FROM risk WHERE list = 'backscatterer' AND address = '2001:db8:1::25'");
}

static void what_leaves_by_a_smarthost_is_listed_there_instead(void **state)
{
	struct world *w = *state;
	struct fake bounce = bounce_to(2, 11, VICTIM, "m");

	configure(w, "own", NULL, "smarthosts", "203.0.113.7");
	add(w, spam_to(1, 10, VICTIM, USER, "m"));
	bounce.dest = "203.0.113.7";
	add(w, bounce);
	analyze(w, false);
	assert_answer("listed-instead", STATUS);
	assert_answer("1", "SELECT mails FROM risk WHERE list = 'backscatterer'");
	assert_answer("leaves by 203.0.113.7, which the list sees instead: 1 bounce; to 1 domain", "SELECT text FROM risk_reason WHERE list = 'backscatterer'");
	add(w, spam_to(3, 20, "b@other.invalid", USER, "n"));
	bounce = bounce_to(4, 21, "b@other.invalid", "n");	/* and one by itself */
	bounce.message_id = "bounce.2@mx2.campus.example";
	add(w, bounce);
	analyze(w, false);
	assert_answer("would-list", STATUS);
}

static void a_public_address_is_what_the_list_sees(void **state)
{
	struct world *w = *state;

	configure(w, "server", "backup", "addresses", MX2);
	configure(w, "server", "backup", "public", "203.0.113.80");
	add(w, spam_to(1, 10, VICTIM, USER, "m"));
	add(w, bounce_to(2, 11, VICTIM, "m"));
	analyze(w, false);
	assert_answer("backup 203.0.113.80 would-list", "SELECT name || ' ' || r.address || ' ' || status FROM risk r JOIN server s ON s.id = server_id WHERE list = 'backscatterer'");
}

static void zones_are_found_in_replies(void **state)
{
	static const struct { const char *reply, *zone; } cases[] = {
		/* servers' own forms */
		{ "Service unavailable; Client host [1.2.3.4] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/1.2.3.4", "zen.spamhaus.org" },
		{ "Service unavailable; client [1.2.3.4] blocked using bl.spamcop.net", "bl.spamcop.net" },
		{ "Service unavailable; Unverified Client host [1.2.3.4] blocked using\nips.backscatterer.org", "ips.backscatterer.org" },
		{ "<a@b>... Rejected: 1.2.3.4 listed at zen.spamhaus.org", "zen.spamhaus.org" },
		{ "Rejected: 1.2.3.4 listed at dnsbl.example.net", "dnsbl.example.net" },
		{ "Mail from 1.2.3.4 rejected, see http://www.spamhaus.org/lookup/", "spamhaus.org" },
		{ "Connecting host [1.2.3.4] is listed by the lookup site 'zen.spamhaus.org.'", "zen.spamhaus.org" },
		{ "The IP address was rejected by the Realtime Block List provider. http://www.spamhaus.org/query/bl?ip=1.2.3.4", "spamhaus.org" },
		{ "host [1.2.3.4]:24 is in an RBL: Blocked - see https://www.spamcop.net/bl.shtml?1.2.3.4", "spamcop.net" },
		{ "\"JunkMail rejected - mx (host) [1.2.3.4]:24706 is in an RBL, see Blocked - see https://www.spamcop.net/bl.shtml?1.2.3.4\"", "spamcop.net" },
		{ "Rejected message because 1.2.3.4 is in a black list at dnsbl-1.uceprotect.net", "dnsbl-1.uceprotect.net" },
		{ "Message rejected: 1.2.3.4 is listed in psbl.surriel.com", "psbl.surriel.com" },
		{ "Backscatter: Sorry 1.2.3.4 is blacklisted at http://www.backscatterer.org", "backscatterer.org" },
		{ "Host mx.example [1.2.3.4] is blacklisted by ips.backscatterer.org", "ips.backscatterer.org" },
		{ "5.7.1 Mail rejected, found in backscatter.spameatingmonkey.net", "backscatter.spameatingmonkey.net" },
		{ "RBL: host mx.example [1.2.3.4] is listed on b.barracudacentral.org", "b.barracudacentral.org" },
		{ "host 1.2.3.4 is listed at combined.mail.abusix.zone (127.0.0.12)", "combined.mail.abusix.zone" },
		{ "1.2.3.4 is listed at zen.spamhaus.org (127.0.0.2)", "zen.spamhaus.org" },
		{ "Your IP 1.2.3.4 was rejected by Abusix blacklist", "abusix.zone" },
		{ "DNSBL:ATTRBL 521< 1.2.3.4 >_is_blocked.For assistance forward this error to abuse_rbl@abuse-att.net", "att.net" },
		{ "[BL21] Connections will not be accepted from 1.2.3.4, because the ip is in Spamhaus's list; see http://postmaster.yahoo.com/550-bl23.html", "spamhaus.org" },
		{ "Service unavailable; Client host [1.2.3.4] blocked using Barracuda Reputation; http://www.barracudanetworks.com/reputation/?r=1&ip=1.2.3.4", "barracudacentral.org" },
		{ "Try Later; see http://www.barracudacentral.org/rbl/removal-request", "barracudacentral.org" },
		{ "Service unavailable, Client host [1.2.3.4] blocked using Spamhaus. To request removal from this list see https://www.spamhaus.org/query/ip/1.2.3.4 (AS16012611)", "spamhaus.org" },
		{ "Access denied, banned sending IP [1.2.3.4]. To request removal from this list please visit https://sender.office.com/ (AS16012609)", "outlook.com" },
		{ "Unfortunately, messages from [1.2.3.4] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140).", "outlook.com" },
		{ "Blocked - see https://ipcheck.proofpoint.com/?ip=1.2.3.4", "ipcheck.proofpoint.com" },
		{ "Service unavailable; Client host [1.2.3.4] blocked using Trend Micro RBL+. Please see http://www.mail-abuse.com/cgi-bin/lookup?1.2.3.4", "mail-abuse.com" },
		{ "cmsmtp 1.2.3.4 blocked using cm-csi-v11, see https://csi.cloudmark.com/en/reset/", "csi.cloudmark.com" },
		{ "IP=1.2.3.4 - A problem occurred. (Ask your postmaster for help or to contact tosa@rx.t-online.de to clarify.) (BL)", "t-online.de" },
		{ "Denied, 1.2.3.4 is listed on the UCEPROTECT blocklist", "uceprotect.net" },
		{ "The host 1.2.3.4 is blocked by bl.blocklist.de", "bl.blocklist.de" },
		/* users who do not exist, other refusals, lists of domains and the receiver's own trouble */
		{ "<nobody@b>: Recipient address rejected: User unknown in local recipient table", NULL },
		{ "Recipient address rejected: Access denied. AS(201806281)", NULL },
		{ "User nobody not listed in public Name & Address Book", NULL },
		{ "<nobody@example.org> user unknown; rejected by mail.example.org", NULL },
		{ "550 Unknown user, blocked by gw.example.org", NULL },
		{ "Message blocked by mail.example.org: too large", NULL },
		{ "rejected by smtp.example.net", NULL },
		{ "Sender address [a@b.example] blocked using dbl.spamhaus.org", NULL },
		{ "Helo command rejected: blocked using zen.spamhaus.org", NULL },
		{ "Message contains a URL listed at multi.uribl.com", NULL },
		{ "The domain shop.example is on the Spamhaus block list", NULL },
		{ "Client host [1.2.3.4] blocked using zen.spamhaus.org; Error: open resolver", NULL },
		{ "blocked using zen.spamhaus.org; 127.255.255.254", NULL },
		{ "127.0.0.1 -> Query Refused. See http://uribl.com/refused.shtml", NULL },
		{ "Greylisted, see http://postgrey.schweikert.ch/help/", NULL },
		{ "This address does not send an unsigned reverse path", NULL },
		{ "Spam message rejected", NULL },
		{ "Please read the list of rules at www.example.org", NULL },
		{ "your host is not listed at list.dnswl.org", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct text zone = { 0 };
		bool found = refusal_zone((struct text){ cases[i].reply, (uint32_t)strlen(cases[i].reply) }, &zone);

		if (found != (cases[i].zone != NULL) || (found && !text_equal(zone, (struct text){ cases[i].zone, (uint32_t)strlen(cases[i].zone) })))
			fail_msg("%s: %.*s", cases[i].reply, found ? (int)zone.len : 4, found ? zone.p : "none");
	}
}

/* What becomes of a refusal that names backscatterer.org and addresses. */
static const char *listed_by(struct world *w, const char *reply)
{
	struct fake bounce = bounce_to(2, 11, VICTIM, "m");

	bounce.code = bounce.rcpt_code = 554;
	bounce.rcpt_reply = reply;
	add(w, bounce);
	analyze(w, false);
	return ask(w, "SELECT list FROM refusal");
}

static void a_refusal_that_names_us_or_nobody_lists_us(void **state)
{
	struct world *w = *state;

	assert_string_equal(listed_by(w, "Backscatter: see http://www.backscatterer.org"), "backscatterer");
	assert_answer("listed", STATUS);
}

static void our_address_counts_with_a_port(void **state)
{
	struct world *w = *state;

	assert_string_equal(listed_by(w, "host [" MX2 "]:24706, asked by 198.18.7.7, is blocked using ips.backscatterer.org"), "backscatterer");
}

static void our_address_counts_turned_round(void **state)
{
	struct world *w = *state;

	assert_string_equal(listed_by(w, "26.2.0.192.ips.backscatterer.org: 127.0.0.2, blocked using ips.backscatterer.org"), "backscatterer");
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
		TEST(what_leaves_by_a_smarthost_is_listed_there_instead),
		TEST(a_public_address_is_what_the_list_sees),
		cmocka_unit_test(zones_are_found_in_replies),
		TEST(a_refusal_that_names_us_or_nobody_lists_us),
		TEST(our_address_counts_with_a_port),
		TEST(our_address_counts_turned_round),
		TEST(a_refusal_about_another_address_lists_nobody),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
