/* Unit tests of analyzer/hygiene.c and rollup.c: sums by hour and defects beside the findings, with verdicts made step by step. */
#include "analyzer/hygiene.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/mails.h"

#define VICTIM "anna@victim.invalid"
#define USER "jobs@campus.example"
#define OUTSIDE_MX "203.0.113.25"

static void add_session(struct world *w, const char *src, const char *dest, int port, const char *keywords, const char *tls, int auth, double at)
{
	long long at_us = EPOCH_US + (long long)(at * 1e6);

	run_format(w, "INSERT INTO sessions (batch_seq, run_id, session_id, src_ip, src_port, dest_ip, dest_port, started_us, ended_us, end_reason, outcome,"
		   " banner_code, banner, ehlo_keywords, auth, vrfy_count, tls, client_isn, server_isn, bytes_toserver, bytes_toclient, unseen_bytes, packets,"
		   " transaction_count, complete, notes) VALUES (%d, 1, randomblob(16), %Q, 1, %Q, %d, %lld, %lld, 'fin', 'mail', 220, 'mx ESMTP', %Q, %d, 0,"
		   " %Q, 1, 1, 0, 0, 0, 1, 0, 1, '')", w->batch + 1, src, dest, port, at_us, at_us, keywords, auth, tls);
	run_format(w, "INSERT INTO batch (committed_us, session_rowid, transaction_rowid) VALUES (0, (SELECT max(id) FROM sessions),"
		   " (SELECT coalesce(max(id), 0) FROM transactions))");
	w->batch++;
}

static const char *defect(struct world *w, const char *server, const char *what)
{
	return ask(w, "SELECT cases || ' of ' || of FROM hygiene h JOIN server s ON s.id = h.server_id WHERE s.name = '%s' AND what = '%s'",
		   server, what);
}

static void mail_is_counted_by_hour_and_direction(void **state)
{
	struct world *w = *state;
	struct fake in = spam_to(1, 10, VICTIM, USER, "a@b"), inner = refusal_of(2, 11, VICTIM, USER), out = bounce_to(3, 3700, VICTIM, "a@b");

	add_server_session(w, MX1, "mx1.campus.example");
	add_server_session(w, MX2, "mx2.campus.example");
	add_mail(w, &in);
	analyze(w, false);
	add_mail(w, &inner);
	add_mail(w, &out);
	analyze(w, false);
	static const char by[] = "SELECT group_concat(x, '; ') FROM (SELECT direction || ' ' || ((hour_us - %lld) / 3600000000) || ' ' || transactions || ' ' ||"
		" accepted || ' ' || rejected || ' ' || answering AS x FROM mail_hour m JOIN server s ON s.id = m.server_id WHERE s.name = '%s' ORDER BY 1)";
	long long first_hour = EPOCH_US / 3600000000 * 3600000000;
	assert_answer("inbound 0 1 1 0 0; internal 0 1 0 1 0; outbound 1 1 1 0 1", by, first_hour, MX2);
	assert_answer("internal 0 1 0 1 0", by, first_hour, MX1);
}

static void a_host_that_is_no_server_has_no_hours(void **state)
{
	struct world *w = *state;
	struct fake submitted = { .session = 1, .at = 1, .src = "192.0.2.77", .dest = MX1, .from = USER, .to = { VICTIM }, .message_id = "a@desk" };

	add_server_session(w, MX1, "mx1.campus.example");
	add_mail(w, &submitted);
	analyze(w, false);
	assert_answer("1", "SELECT count(*) FROM mail_hour");
	assert_answer("2", "SELECT count(*) FROM own_mail_hour");
}

/* As the sensor does it: the row goes, the longer one comes. */
static void drop_from(struct world *w, const char *table)
{
	run_format(w, "DELETE FROM %s", table);
}

static void a_longer_sighting_counts_in_place_of_the_one_cut_off(void **state)
{
	static const char sums[] = "SELECT (SELECT sessions || ' ' || incomplete FROM own_coverage WHERE direction = 'inbound') || ', ' ||"
		" (SELECT transactions || ' ' || accepted || ' ' || rejected FROM own_mail_hour) || ', ' || (SELECT cases || ' of ' || of FROM own_hygiene)";
	struct world *w = *state;
	struct fake mail = spam_to(1, 10, VICTIM, USER, "m");

	configure(w, "own", NULL, "upstreams", BOT);
	mail.code = mail.rcpt_code = 550;
	mail.no_data = true;
	add_session_of(w, 1, 10, BOT, MX2, "mx2.campus.example");
	run_sql(w->facts, "UPDATE sessions SET end_reason = 'capture-end', complete = 0");
	add_mail(w, &mail);
	analyze(w, false);
	assert_answer("1 1, 1 0 1, 1 of 1", sums);
	drop_from(w, "sessions");
	add_session_of(w, 1, 10, BOT, MX2, "mx2.campus.example");
	analyze(w, false);
	assert_answer("1 0, 1 0 1, 1 of 1", sums);
	assert_answer("0", "SELECT count(*) FROM provisional");
	assert_answer("1", "SELECT count(*) FROM session_verdict");
}

static void a_mail_cut_off_takes_its_case_and_its_finding_with_it(void **state)
{
	struct world *w = *state;
	struct fake refused = null_probe_to(1, 10, VICTIM, NULL);

	add_mail(w, &refused);
	add_session_of(w, 1, 10, MX2, VICTIM_MX, "mx.victim.invalid");
	run_sql(w->facts, "UPDATE sessions SET end_reason = 'capture-end', complete = 0");
	analyze(w, false);
	assert_answer("1", "SELECT count(*) FROM finding");
	assert_answer("1 0 1 1", "SELECT transactions || ' ' || accepted || ' ' || rejected || ' ' || answering FROM own_mail_hour");
	drop_from(w, "transactions");
	drop_from(w, "recipients");
	drop_from(w, "sessions");
	refused.from = "someone@campus.example";
	refused.code = refused.rcpt_code = 0;
	refused.no_data = false;
	refused.message_id = "letter@campus";
	add_mail(w, &refused);
	analyze(w, false);
	assert_answer("0 0", "SELECT (SELECT count(*) FROM finding) || ' ' || (SELECT count(*) FROM answer)");
	assert_answer("1 1 0 0", "SELECT transactions || ' ' || accepted || ' ' || rejected || ' ' || answering FROM own_mail_hour");
	add_session_of(w, 1, 10, MX2, VICTIM_MX, "mx.victim.invalid");
	analyze(w, false);
	assert_answer("0", "SELECT count(*) FROM provisional");
}

static void findings_are_counted_and_uncounted(void **state)
{
	struct world *w = *state;
	struct fake bounce = bounce_to(2, 11, VICTIM, "spam@bot"), cause = spam_to(1, 10, VICTIM, USER, "spam@bot");
	static const char sum[] = "SELECT group_concat(kind || ' ' || misdirected || ' ' || exposure || ' ' || findings || ' ' || attempts, '; ') FROM finding_hour";

	add_mail(w, &bounce);
	analyze(w, false);
	assert_answer("bounce unknown unknown 1 1", sum);
	add_mail(w, &cause);
	analyze(w, false);
	assert_answer("bounce likely can-backscatter 1 1", sum);
	analyze(w, true);
	assert_answer("bounce likely can-backscatter 1 1", sum);
}

static void a_bounce_for_an_unknown_user_shows_what_was_accepted(void **state)
{
	struct world *w = *state;
	struct fake cause = spam_to(1, 10, VICTIM, USER, "spam@bot"), bounce = bounce_to(3, 12, VICTIM, "spam@bot");

	add_mail(w, &cause);
	add_mail(w, &bounce);
	analyze(w, false);
	assert_string_equal(defect(w, MX2, "accepts-unknown"), "1 of 1");
	assert_answer("00000000000000000000000000000003", "SELECT lower(hex(session_id)) FROM transactions t JOIN hygiene h ON h.evidence_rowid = t.id");
	run_sql(w->facts, "DELETE FROM transactions WHERE null_sender");
	analyze(w, true);
	assert_string_equal(defect(w, MX2, "accepts-unknown"), "-");
}

/* What it hands on inside is not taken a second time. */
static void unknown_users_are_told_of_what_came_in(void **state)
{
	struct world *w = *state;

	add_server_session(w, MX1, "mx1.campus.example");
	for (int i = 0; i < 4; i++) {
		char id[] = "m0";

		id[1] = (char)('0' + i);
		struct fake in = spam_to(2 * i + 1, 10 * i + 5, VICTIM, USER, id), on = in;
		on.session++;
		on.at++;
		on.src = MX2;
		on.dest = MX1;
		add_mail(w, &in);
		add_mail(w, &on);
	}
	struct fake bounce = bounce_to(50, 50, VICTIM, "m2");
	add_mail(w, &bounce);
	analyze(w, false);
	assert_string_equal(defect(w, MX2, "accepts-unknown"), "1 of 4");
}

/* A backend that was never seen taking mail makes the reports and autoreplies that the edge hands out. */
static void a_backend_that_only_sends_is_where_the_fix_belongs(void **state)
{
	static const char store[] = "192.0.2.40";
	struct world *w = *state;

	for (int i = 0; i < 3; i++) {
		static const char *const victim[] = { "a@victim.invalid", "b@victim.invalid", "c@victim.invalid" };
		char id[] = "reply0@store";

		id[5] = (char)('0' + i);
		struct fake inner = bounce_to(2 * i + 1, 10 * i + 5, victim[i], NULL), outer;
		inner.message_id = id;
		inner.src = store;
		inner.dest = MX2;
		inner.helo = inner.reporting_mta = "store.campus.local";
		if (i) {
			inner.report_type = inner.reporting_mta = NULL;
			inner.content_type = "text/plain";
			inner.from_header = USER;
			inner.phrases = "547";
			inner.auto_submitted = i == 1 ? "auto-replied" : NULL;
		}
		outer = inner;
		outer.session++;
		outer.at++;
		outer.src = MX2;
		outer.dest = VICTIM_MX;
		add_mail(w, &inner);
		add_mail(w, &outer);
	}
	add_server_session(w, MX2, "mx2.campus.example");
	analyze(w, false);
	assert_answer("bounce 192.0.2.40 wire", "SELECT kind || ' ' || name || ' ' || originator_how FROM finding f JOIN server s ON s.id = originator_server_id"
		      " WHERE recipient = 'a@victim.invalid'");
	assert_answer("2", "SELECT count(*) FROM finding WHERE kind = 'autoreply'");
	assert_string_equal(defect(w, store, "autoreply-unmarked"), "1 of 2");
}

static struct fake relayed(int session, double at)
{
	return (struct fake){ .session = session, .at = at, .src = BOT, .dest = MX1, .from = "a@spam.invalid", .to = { VICTIM }, .message_id = "relay@bot" };
}

static void an_open_relay_is_proved_by_what_leaves(void **state)
{
	struct world *w = *state;
	struct fake in = relayed(1, 10), refused = relayed(2, 9), out = relayed(3, 11), user = relayed(4, 12);

	refused.code = refused.rcpt_code = 554;
	refused.no_data = true;
	out.src = MX1;
	out.dest = VICTIM_MX;
	user.auth = 1;
	add_server_session(w, MX1, "mx1.campus.example");
	add_mail(w, &refused);
	add_mail(w, &user);
	analyze(w, false);
	assert_string_equal(defect(w, MX1, "open-relay"), "-");
	add_mail(w, &in);
	analyze(w, false);
	assert_string_equal(defect(w, MX1, "open-relay"), "-");
	add_mail(w, &out);
	analyze(w, false);
	assert_string_equal(defect(w, MX1, "open-relay"), "1 of 2");
	analyze(w, true);
	assert_string_equal(defect(w, MX1, "open-relay"), "1 of 2");
	configure(w, "own", NULL, "trusted-senders", BOT);
	analyze(w, false);
	assert_string_equal(defect(w, MX1, "open-relay"), "-");
}

static void what_leaves_first_proves_it_too(void **state)
{
	struct world *w = *state;
	struct fake in = relayed(1, 10), out = relayed(3, 11);

	in.to[1] = out.to[1] = "another@victim.invalid";	/* one case for all its recipients */
	out.src = MX1;
	out.dest = VICTIM_MX;
	add_server_session(w, MX1, "mx1.campus.example");
	add_mail(w, &out);
	analyze(w, false);
	add_mail(w, &in);
	analyze(w, false);
	assert_string_equal(defect(w, MX1, "open-relay"), "1 of 1");
}

static void mail_for_us_is_no_relaying(void **state)
{
	struct world *w = *state;
	struct fake in = spam_to(1, 10, VICTIM, USER, "a@b"), out = relayed(2, 11);

	in.message_id = out.message_id;
	out.src = MX2;
	out.dest = OUTSIDE_MX;
	add_server_session(w, MX2, "mx2.campus.example");
	add_mail(w, &in);
	add_mail(w, &out);
	analyze(w, false);
	assert_string_equal(defect(w, MX2, "open-relay"), "-");
}

static void a_subdomain_of_ours_is_no_foreign_one(void **state)
{
	struct world *w = *state;
	struct fake in = relayed(1, 10), out = relayed(3, 11);

	in.to[0] = out.to[0] = "jobs@lab.campus.example";
	out.src = MX1;
	out.dest = OUTSIDE_MX;
	add_server_session(w, MX1, "mx1.campus.example");
	add_mail(w, &in);
	add_mail(w, &out);
	analyze(w, false);
	assert_string_equal(defect(w, MX1, "open-relay"), "-");
}

static void sessions_tell_of_tls_and_auth(void **state)
{
	struct world *w = *state;

	add_session(w, BOT, MX1, 25, "SIZE 100\nSTARTTLS", "none", 0, 1);
	add_session(w, BOT, MX2, 25, "SIZE 100\nXSTARTTLS\nAUTH PLAIN", "none", 0, 2);
	add_session(w, BOT, MX2, 25, NULL, "starttls", 0, 3);
	add_session(w, "192.0.2.77", MX2, 587, "AUTH PLAIN\nSTARTTLS", "none", 1, 4);
	add_session(w, MX1, MX2, 25, "PIPELINING", "none", 0, 5);
	add_session(w, BOT, MX2, 25, "SIZE 100", "none", 0, 6);
	run_sql(w->facts, "UPDATE sessions SET notes = 'gap one-sided' WHERE id = (SELECT max(id) FROM sessions)");
	analyze(w, false);
	assert_string_equal(defect(w, MX1, "no-starttls"), "-");
	assert_string_equal(defect(w, MX2, "no-starttls"), "1 of 3");
	assert_string_equal(defect(w, MX2, "auth-clear"), "1 of 2");
	assert_answer("2000000", "SELECT first_us - %lld FROM hygiene WHERE what = 'no-starttls'", EPOCH_US);
}

static void refusing_an_upstream_pushes_bounces(void **state)
{
	struct world *w = *state;
	struct fake pushed = refusal_of(1, 10, VICTIM, USER), asked = refusal_of(2, 11, "", USER), later = refusal_of(3, 12, VICTIM, USER);

	configure(w, "own", NULL, "upstreams", "198.51.100.0/28");
	pushed.src = asked.src = later.src = "198.51.100.3";
	later.code = later.rcpt_code = 451;
	add_server_session(w, MX1, "mx1.campus.example");
	add_mail(w, &pushed);
	add_mail(w, &asked);
	add_mail(w, &later);
	analyze(w, false);
	assert_string_equal(defect(w, MX1, "pushed-bounce"), "1 of 2");
}

static struct fake vacation(int session, double at, const char *to, const char *answers)
{
	return (struct fake){ .session = session, .at = at, .src = MX2, .dest = VICTIM_MX, .helo = "mx2.campus.example", .from = "", .to = { to },
		.message_id = session % 2 ? "vacation.1@mx2" : "vacation.2@mx2", .from_header = USER, .in_reply_to = answers, .auto_submitted = "auto-replied" };
}

static void autoreplies_that_break_the_rules_are_told(void **state)
{
	struct world *w = *state;
	struct fake list = spam_to(1, 10, VICTIM, USER, "list@mail"), first = vacation(3, 12, VICTIM, "list@mail"), second = vacation(4, 3600, VICTIM, "list@mail");
	struct fake next_week = vacation(5, 8 * 86400, VICTIM, NULL);

	next_week.message_id = "vacation.3@mx2";
	int64_t row = add_mail(w, &list);
	run_format(w, "UPDATE messages SET list_id = 'news' WHERE transaction_rowid = %lld", (long long)row);
	add_mail(w, &first);
	analyze(w, false);
	assert_string_equal(defect(w, MX2, "autoreply-repeated"), "-");
	add_mail(w, &second);
	add_mail(w, &next_week);
	analyze(w, false);
	assert_string_equal(defect(w, MX2, "autoreply-repeated"), "1 of 3");
	assert_string_equal(defect(w, MX2, "autoreply-to-list"), "2 of 3");
	assert_string_equal(defect(w, MX2, "autoreply-unmarked"), "-");
	assert_string_equal(defect(w, MX2, "autoreply-to-null"), "-");
}

static void an_autoreply_to_a_null_sender_is_told(void **state)
{
	struct world *w = *state;
	struct fake report = spam_to(1, 10, "", USER, "report@mail"), answer = vacation(3, 12, VICTIM, "report@mail");

	report.from_header = VICTIM;
	answer.auto_submitted = NULL;
	add_mail(w, &report);
	add_mail(w, &answer);
	analyze(w, false);
	assert_string_equal(defect(w, MX2, "autoreply-to-null"), "1 of 1");
	assert_string_equal(defect(w, MX2, "autoreply-unmarked"), "1 of 1");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mail_is_counted_by_hour_and_direction),
		TEST(a_host_that_is_no_server_has_no_hours),
		TEST(a_longer_sighting_counts_in_place_of_the_one_cut_off),
		TEST(a_mail_cut_off_takes_its_case_and_its_finding_with_it),
		TEST(findings_are_counted_and_uncounted),
		TEST(a_bounce_for_an_unknown_user_shows_what_was_accepted),
		TEST(unknown_users_are_told_of_what_came_in),
		TEST(a_backend_that_only_sends_is_where_the_fix_belongs),
		TEST(an_open_relay_is_proved_by_what_leaves),
		TEST(what_leaves_first_proves_it_too),
		TEST(mail_for_us_is_no_relaying),
		TEST(a_subdomain_of_ours_is_no_foreign_one),
		TEST(sessions_tell_of_tls_and_auth),
		TEST(refusing_an_upstream_pushes_bounces),
		TEST(autoreplies_that_break_the_rules_are_told),
		TEST(an_autoreply_to_a_null_sender_is_told),
	};

	return cmocka_run_group_tests_name("hygiene", tests, NULL, NULL);
}
