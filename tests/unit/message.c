/*
 * Unit tests of message.c. A message is a string; every one is fed whole, byte by byte and split at every offset, from buffers of exactly
 * the size of the piece, and all facts must be the same. Holes of three sizes are cut at every offset: what is then told must be part
 * of the truth.
 */
#include "sensor/message.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/buf.h"
#include "tests/unit/texts.h"

struct parsed {
	struct arena arena;
	struct fact_message *fact;
	bool wanted_more;	/* just before the end */
};

static void parsed_fini(struct parsed *p)
{
	arena_fini(&p->arena);
}

/* A piece in a block of its own, overwritten before it is freed. */
static void push(struct message *m, const char *p, size_t n)
{
	char *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	memcpy(copy, p, n);
	message_push(m, copy, n);
	memset(copy, '#', n);
	free(copy);
}

enum { WHOLE = 0 };

/* Pieces of step bytes (WHOLE: one), the first of first bytes, [hole, hole + hole_bytes) missing. */
static struct parsed parse(const char *s, size_t n, bool look, size_t first, size_t step, size_t hole, size_t hole_bytes)
{
	struct parsed p = { .fact = NULL };

	arena_init(&p.arena, 512 * 1024);
	struct message *m = message_new(&p.arena, look);

	for (size_t at = 0; at < n;) {
		size_t k = at == 0 && first ? first : step ? step : n - at;

		if (hole_bytes && at == hole) {
			message_gap(m);
			at += hole_bytes;
			continue;
		}
		if (k > n - at)
			k = n - at;
		if (hole_bytes && at < hole && k > hole - at)
			k = hole - at;
		push(m, s + at, k);
		at += k;
	}
	p.wanted_more = m->state != DONE;
	p.fact = message_end(m, true);
	message_free(m);
	return p;
}

/* All facts as text. */

static void show(struct buf *b, const char *key, struct text t)
{
	if (!t.p)
		return;
	buf_printf(b, "%s: ", key);
	buf_add_text(b, t);
	buf_add_char(b, '\n');
}

static void show_received(struct buf *b, const struct fact_received *r, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char ip[IP_TEXT_MAX];

		buf_printf(b, "received %u %s\n", i, ip_format(&r[i].from_ip, ip));
		show(b, "from_host", r[i].from_host);
		show(b, "by_host", r[i].by_host);
		show(b, "with", r[i].with);
		show(b, "id", r[i].id);
	}
}

static void show_report(struct buf *b, const struct fact_report *r)
{
	buf_printf(b, "report %d %d %u\n", (int)r->type, r->in_multipart_report, r->recipient_total);
	show(b, "reporting_mta", r->reporting_mta);
	show(b, "received_from_mta", r->received_from_mta);
	show(b, "arrival_date", r->arrival_date);
	show(b, "envelope_id", r->envelope_id);
	show(b, "queue_id", r->queue_id);
	show(b, "disposition", r->disposition);
	show(b, "original_message_id", r->original_message_id);
	show(b, "feedback_type", r->feedback_type);
	show(b, "original_mail_from", r->original_mail_from);
	for (unsigned i = 0; i < r->recipient_count; i++) {
		const struct fact_report_recipient *g = &r->recipient[i];

		show(b, "final", g->final_recipient);
		show(b, "original", g->original_recipient);
		show(b, "action", g->action);
		show(b, "status", g->status);
		show(b, "diagnostic_type", g->diagnostic_type);
		show(b, "diagnostic", g->diagnostic);
		show(b, "remote_mta", g->remote_mta);
	}
}

static void show_returned(struct buf *b, const struct fact_returned *r)
{
	buf_add_str(b, "returned\n");
	show(b, "message_id", r->message_id);
	show(b, "from", r->from);
	show(b, "to", r->to);
	show(b, "subject", r->subject);
	show(b, "return_path", r->return_path);
	show(b, "received_spf", r->received_spf);
	show(b, "authserv", r->authserv);
	show(b, "spf", r->spf);
	show(b, "dkim", r->dkim);
	show(b, "dmarc", r->dmarc);
	show(b, "dkim_domains", r->dkim_domains);
	show(b, "spam", r->spam);
	show_received(b, r->received, r->received_count);
}

static char *dump(const struct fact_message *f)
{
	struct buf b = { 0 };

	if (!f)
		return strdup("nothing");
	for (size_t i = 0; i < sizeof outer_fields / sizeof outer_fields[0]; i++)
		show(&b, outer_fields[i].name, *(const struct text *)(const void *)((const char *)f + outer_fields[i].offset));
	show(&b, "content_type", f->content_type);
	buf_printf(&b, "markers %llx notes %x complete %d\n", (unsigned long long)f->markers, f->notes, f->headers_complete);
	show_received(&b, f->received, f->received_count);
	for (unsigned i = 0; i < f->phrase_count; i++)
		buf_printf(&b, "phrase %u\n", f->phrase[i]);
	if (f->report)
		show_report(&b, f->report);
	for (unsigned i = 0; i < f->said_count; i++) {
		show(&b, "said", f->said[i].final_recipient);
		show(&b, "status", f->said[i].status);
		show(&b, "reason", f->said[i].diagnostic);
	}
	if (f->returned)
		show_returned(&b, f->returned);
	char *s = strdup(buf_cstr(&b));
	buf_fini(&b);
	return s;
}

static void assert_same(const char *s, size_t n, bool look, size_t first, size_t step, const char *expected)
{
	struct parsed p = parse(s, n, look, first, step, 0, 0);
	char *d = dump(p.fact);

	assert_string_equal(d, expected);
	free(d);
	parsed_fini(&p);
}

static bool is_part_of_truth(struct text seen, struct text truth)
{
	return !seen.p || text_equal(seen, truth);
}

/* Outer header fields and the returned message's are whole or absent whatever is missing. */
static void assert_holes_tell_no_lies(const char *s, size_t n, bool look, const struct fact_message *truth, size_t hole_bytes)
{
	for (size_t at = 1; at + hole_bytes < n; at++) {
		struct parsed p = parse(s, n, look, 0, WHOLE, at, hole_bytes);
		const struct fact_message *f = p.fact;

		assert_non_null(f);
		for (size_t i = 0; i < sizeof outer_fields / sizeof outer_fields[0]; i++) {
			const char *seen = (const char *)f + outer_fields[i].offset, *real = (const char *)truth + outer_fields[i].offset;

			assert_true(is_part_of_truth(*(const struct text *)(const void *)seen, *(const struct text *)(const void *)real));
		}
		assert_true(f->received_count <= truth->received_count);
		if (f->returned && truth->returned) {
			assert_true(is_part_of_truth(f->returned->message_id, truth->returned->message_id));
			assert_true(is_part_of_truth(f->returned->from, truth->returned->from));
		}
		if (f->report && truth->report)
			assert_true(is_part_of_truth(f->report->reporting_mta, truth->report->reporting_mta));
		if (f->said_count && truth->said_count == 1)
			assert_true(is_part_of_truth(f->said[0].final_recipient, truth->said[0].final_recipient));
		parsed_fini(&p);
	}
}

/* The facts, after all ways of feeding them have agreed. The caller ends it with parsed_fini. */
static struct parsed check(const char *s, bool look)
{
	size_t n = strlen(s);
	struct parsed p = parse(s, n, look, 0, WHOLE, 0, 0);
	char *expected = dump(p.fact);

	assert_same(s, n, look, 0, 1, expected);
	for (size_t at = 1; at < n; at++)
		assert_same(s, n, look, at, WHOLE, expected);
	if (p.fact) {
		assert_holes_tell_no_lies(s, n, look, p.fact, 1);
		assert_holes_tell_no_lies(s, n, look, p.fact, 9);
		assert_holes_tell_no_lies(s, n, look, p.fact, 150);
	}
	free(expected);
	return p;
}

static bool has_phrase(const struct fact_message *f, uint16_t id)
{
	for (unsigned i = 0; i < f->phrase_count; i++)
		if (f->phrase[i] == id)
			return true;
	return false;
}

/* Outer header */

static void folds_are_joined_and_blanks_kept(void **state)
{
	(void)state;
	struct parsed p = check("Subject:  one\r\n two \r\n\tthree  \r\nFrom:\r\n a@b.example\r\n\r\nbody\r\n", false);

	assert_text(p.fact->subject, "one two \tthree");
	assert_text(p.fact->from, "a@b.example");
	assert_true(p.fact->headers_complete);
	assert_int_equal(p.fact->notes, 0);
	parsed_fini(&p);
}

static void lines_may_end_with_lf_and_a_lone_cr_is_a_byte(void **state)
{
	(void)state;
	struct parsed p = check("Subject: a\rb\nTo: x\n y\n\nFrom: no\n", false);

	assert_text(p.fact->subject, "a\rb");
	assert_text(p.fact->to, "x y");
	assert_text(p.fact->from, NULL);
	parsed_fini(&p);
}

static void first_field_of_a_name_wins(void **state)
{
	(void)state;
	struct parsed p = check("SUBJECT:\r\nsubject: second\r\nMessage-Id: <1@x>\r\nMessage-ID: <2@x>\r\n\r\n", false);

	assert_text(p.fact->subject, "");
	assert_text(p.fact->message_id, "1@x");
	parsed_fini(&p);
}

static void from_lines_and_nameless_fields_are_passed_over(void **state)
{
	(void)state;
	struct parsed p = check("From a@b Thu Jan 1 00:00:00 2026\r\n continued\r\n: nameless\r\n fold\r\nTo: x\r\n\r\n", false);

	assert_text(p.fact->to, "x");
	assert_text(p.fact->from, NULL);
	assert_true(p.fact->headers_complete);
	parsed_fini(&p);
}

static void a_line_that_is_no_field_ends_the_header(void **state)
{
	(void)state;
	struct parsed p = check("To: x\r\nno field\r\nFrom: y\r\n\r\n", false);

	assert_text(p.fact->to, "x");
	assert_text(p.fact->from, NULL);
	parsed_fini(&p);
	p = check("To: x\r\nSender : y\r\nSubject: z\r\n\r\n", false);
	assert_text(p.fact->sender, NULL);
	assert_text(p.fact->subject, NULL);
	parsed_fini(&p);
}

static void a_header_without_body_is_complete_at_the_end(void **state)
{
	(void)state;
	struct parsed p = check("To: x\r\nSubject: last", false);

	assert_text(p.fact->subject, "last");
	assert_true(p.fact->headers_complete);
	parsed_fini(&p);
}

static void nothing_is_said_of_no_bytes(void **state)
{
	(void)state;
	struct parsed p = parse("", 0, false, 0, WHOLE, 0, 0);

	assert_null(p.fact);
	parsed_fini(&p);
}

static void a_broken_off_header_keeps_only_whole_fields(void **state)
{
	(void)state;
	struct arena a;

	arena_init(&a, 100000);
	struct message *m = message_new(&a, false);
	push(m, "From: a@b\r\nSubject: may go o", 27);
	struct fact_message *f = message_end(m, false);

	assert_text(f->from, "a@b");
	assert_text(f->subject, NULL);
	assert_false(f->headers_complete);
	assert_int_equal(f->notes, NOTE_NO_END);
	message_free(m);
	arena_fini(&a);
}

static void long_values_are_cut_and_noted(void **state)
{
	(void)state;
	struct buf b = { 0 };

	buf_add_str(&b, "References:");
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "\r\n <%030d@example.com>", i);
	buf_add_str(&b, "\r\nSubject: s\r\n\r\n");
	struct parsed p = parse(b.p, b.len, false, 0, 7, 0, 0);

	assert_int_equal(p.fact->references.len, LIMIT_HEADER_VALUE);
	assert_text(p.fact->subject, "s");
	assert_int_equal(p.fact->notes, NOTE_TRUNCATED);
	parsed_fini(&p);
	buf_fini(&b);
}

static void a_full_arena_is_noted(void **state)
{
	(void)state;
	struct arena a;

	arena_init(&a, sizeof(struct fact_message) + 64);
	struct message *m = message_new(&a, false);
	static const char s[] = "From: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@example.com\r\nTo: x\r\n\r\n";
	push(m, s, sizeof s - 1);
	struct fact_message *f = message_end(m, true);

	assert_non_null(f);
	assert_text(f->from, NULL);
	assert_true(f->notes & NOTE_TRUNCATED);
	message_free(m);
	arena_fini(&a);
	arena_init(&a, 16);
	m = message_new(&a, false);
	push(m, s, sizeof s - 1);
	assert_null(message_end(m, true));
	message_free(m);
	arena_fini(&a);
}

static void received_lines_are_kept_in_order(void **state)
{
	(void)state;
	struct parsed p = check("Received: from a.example (a [192.0.2.1])\r\n\tby b.example (Postfix) with ESMTP id AB12;\r\n\tThu, 1 Jan 2026 00:00:00 +0000\r\n"
		"Received: from c.example ([192.0.2.2]) by a.example; x\r\nTo: y\r\n\r\n", false);

	assert_int_equal(p.fact->received_count, 2);
	assert_text(p.fact->received[0].id, "AB12");
	assert_text(p.fact->received[1].from_host, "c.example");
	parsed_fini(&p);
}

static void markers_need_their_value(void **state)
{
	(void)state;
	struct parsed p = check("Precedence: bulk\r\nX-List-Administrivia: no\r\nX-AutoReply:\r\nReceived: (qmail 1 invoked for\r\n bounce); x\r\n\r\n", false);

	assert_int_equal(p.fact->markers, MARKER_BIT(PRECEDENCE_BULK) | MARKER_BIT(X_AUTOREPLY) | MARKER_BIT(NAMED_AUTORESPONDER) | MARKER_BIT(INVOKED_FOR_BOUNCE));
	parsed_fini(&p);
}

static void a_field_named_after_autoreplies_says_that_it_is_one(void **state)
{
	static const struct {
		const char *field;
		bool says;
	} fields[] = {
		{ "X-PSA-Autoresponder: yes", true }, { "X-AUTO-REPLY: 1", true }, { "X-Yahoo-Vacation: 1", true }, { "X-Some-AutoReply:", true },
		{ "X-Auto-Response-Suppress: All", false }, { "X-No-Autoreply: yes", false }, { "X-Suppress-Autoreply: yes", false },
		{ "X-Ours-Autoreply: no", false }, { "X-Vacation-Request: 7", false }, { "X-Autoresponder-Campaign: 7", false }, { "X-Ours-Vacation: 0", false }, { "Autoreply: yes", false }, { "X-Reply: autoreply", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		char text[128];
		int n = snprintf(text, sizeof text, "%s\r\n\r\n", fields[i].field);

		assert_true(n > 0);
		struct parsed p = check(text, false);
		assert_int_equal(!!(p.fact->markers & MARKER_BIT(NAMED_AUTORESPONDER)), fields[i].says);
		parsed_fini(&p);
	}
}

static void markers_have_bits_of_their_own(void **state)
{
	(void)state;
	uint64_t seen = 0;

	for (size_t i = 0; i < sizeof markers / sizeof markers[0]; i++) {
		assert_true(markers[i].bit < 64);
		assert_false(seen & UINT64_C(1) << markers[i].bit);
		seen |= UINT64_C(1) << markers[i].bit;
	}
}

/* What is looked into */

#define BOUNCE_SUBJECT "Subject: Undelivered Mail Returned to Sender\r\n"
#define RETURNED "Return-Path: <v@victim.example>\r\nReceived: from spam.example (spam.example [203.0.113.9])\r\n\tby mx.own.example (Postfix)" \
	" with ESMTP id QQ1\r\n\tfor <nobody@own.example>; Thu, 1 Jan 2026 00:00:00 +0000\r\nAuthentication-Results: mx.own.example; spf=fail smtp.mailfrom=v;" \
	" dkim=none; dmarc=fail\r\nReceived-SPF: Fail (x)\r\nDKIM-Signature: v=1; a=rsa; d=one.example; b=x\r\nDKIM-Signature: d=two.example;\r\nX-Spam-Flag: YES\r\n" \
	"Message-ID: <inner@victim.example>\r\nFrom: V <v@victim.example>\r\nTo: nobody@own.example\r\nSubject: inner\r\n"

static void two_fields_together_tell(void **state)
{
	(void)state;
	struct parsed p = check("Return-Path: <a@x.example>\r\nFrom: Anna <A@x.example>\r\nX-Loop: a@X.example\r\nMIME-Version: 1.0\r\n\r\n", false);

	assert_true(p.fact->markers & MARKER_BIT(X_LOOP_IS_FROM));
	assert_true(p.fact->markers & MARKER_BIT(RETURN_PATH_IS_FROM));
	parsed_fini(&p);
	p = check("Return-Path: <>\r\nFrom: a@x.example\r\nX-Loop: list@x.example\r\n\r\n", false);
	assert_false(p.fact->markers & (MARKER_BIT(X_LOOP_IS_FROM) | MARKER_BIT(RETURN_PATH_IS_FROM)));
	parsed_fini(&p);
}

static void scripts_that_answer_are_looked_into(void **state)
{
	(void)state;
	struct parsed p = check("From: a@x.example\r\n\r\nThis is an automated response.\r\n", false);

	assert_true(has_phrase(p.fact, 80));
	parsed_fini(&p);
	p = check("From: a@x.example\r\nMIME-Version: 1.0\r\n\r\nThis is an automated response.\r\n", false);
	assert_false(has_phrase(p.fact, 80));
	parsed_fini(&p);
}

static void ordinary_mail_is_done_after_its_header(void **state)
{
	(void)state;
	struct parsed p = check("From: a@b\r\nContent-Type: Multipart/Mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: inner\r\n\r\n--b--\r\n", false);

	assert_false(p.wanted_more);
	assert_text(p.fact->content_type, "multipart/mixed");
	assert_null(p.fact->returned);
	parsed_fini(&p);
}

static void enclosed_message_is_a_fact_when_looked_into(void **state)
{
	(void)state;
	struct parsed p = check("From: a@b\r\nContent-Type: multipart/mixed; boundary=\"b c\"\r\n\r\npre\r\n--b c  \r\nContent-Type: MESSAGE/RFC822\r\n\r\nFrom: inner\r\n"
		"Subject: i\r\n\r\n--b c--\r\n", true);

	assert_text(p.fact->from, "a@b");
	assert_text(p.fact->subject, NULL);
	assert_non_null(p.fact->returned);
	assert_text(p.fact->returned->from, "inner");
	parsed_fini(&p);
}

static const char postfix[] = "Return-Path: <>\r\nFrom: MAILER-DAEMON@own.example (Mail Delivery System)\r\n" BOUNCE_SUBJECT "Auto-Submitted: auto-replied\r\n"
	"MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"QQ1.123/own.example\"\r\nMessage-Id: <outer@own.example>\r\n\r\n"
	"This is a MIME-encapsulated message.\r\n\r\n--QQ1.123/own.example\r\nContent-Description: Notification\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
	"This is the mail\r\nsystem at host own.example.\r\n\r\n--QQ1.123/own.example\r\nContent-Type: message/delivery-status\r\n\r\n"
	"Reporting-MTA: dns; own.example\r\nX-Postfix-Queue-ID: QQ2\r\nArrival-Date: Thu, 1 Jan 2026\r\n\r\nFinal-Recipient: rfc822; nobody@own.example\r\n"
	"Original-Recipient: rfc822;nobody@own.example\r\nAction: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; inner.own.example\r\n"
	"Diagnostic-Code: smtp; 550 5.1.1 <nobody@own.example>: Recipient\r\n    unknown\r\n\r\n--QQ1.123/own.example\r\nContent-Type: message/rfc822\r\n\r\n"
	RETURNED "Content-Type: multipart/report; boundary=in\r\n\r\n--in\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; lie\r\n\r\n--in--\r\n"
	"\r\n--QQ1.123/own.example--\r\n";

static void a_report_gives_recipients_and_what_came_back(void **state)
{
	(void)state;
	struct parsed p = check(postfix, false);
	const struct fact_report *r = p.fact->report;
	const struct fact_returned *back = p.fact->returned;

	assert_text(p.fact->message_id, "outer@own.example");
	assert_text(p.fact->return_path, "<>");
	assert_true(has_phrase(p.fact, 1) && has_phrase(p.fact, 30));
	assert_non_null(r);
	assert_int_equal(r->type, REPORT_DELIVERY_STATUS);
	assert_true(r->in_multipart_report);
	assert_text(r->reporting_mta, "own.example");
	assert_text(r->queue_id, "QQ2");
	assert_int_equal(r->recipient_count, 1);
	assert_text(r->recipient[0].final_recipient, "nobody@own.example");
	assert_text(r->recipient[0].diagnostic_type, "smtp");
	assert_text(r->recipient[0].diagnostic, "550 5.1.1 <nobody@own.example>: Recipient    unknown");
	assert_non_null(back);
	assert_text(back->message_id, "inner@victim.example");
	assert_text(back->return_path, "<v@victim.example>");
	assert_text(back->authserv, "mx.own.example");
	assert_text(back->spf, "fail");
	assert_text(back->dkim, "none");
	assert_text(back->dmarc, "fail");
	assert_text(back->dkim_domains, "one.example two.example");
	assert_text(back->spam, "yes");
	assert_int_equal(back->received_count, 1);
	assert_text(back->received[0].id, "QQ1");
	assert_false(p.wanted_more);
	parsed_fini(&p);
}

static void a_report_in_a_mixed_container_is_found(void **state)
{
	(void)state;
	struct parsed p = check("From: Mailer Daemon <MAILER-DAEMON@own.example>\r\nContent-Type: multipart/mixed; boundary=1\r\n\r\n--1\r\n\r\nThis is the MAILER-DAEMON, "
		"please DO NOT REPLY to this email.\r\n--1\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; own.example\r\n\r\n"
		"Final-Recipient: rfc822; x@y\r\nAction: failed\r\n--1\r\nContent-Type: text/rfc822-headers\r\n\r\n" RETURNED "--1--\r\n", false);

	assert_false(p.fact->report->in_multipart_report);
	assert_text(p.fact->report->recipient[0].action, "failed");
	assert_text(p.fact->returned->subject, "inner");
	assert_true(has_phrase(p.fact, 35));
	parsed_fini(&p);
}

static void a_report_may_be_the_whole_body(void **state)
{
	(void)state;
	struct parsed p = check("From: a@b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; y\r\n--no boundary\r\n", false);

	assert_text(p.fact->report->recipient[0].final_recipient, "y");
	parsed_fini(&p);
}

static void other_report_types_are_told_apart(void **state)
{
	(void)state;
	struct parsed p = check("Content-Type: multipart/report; boundary=1\n\n--1\nContent-Type: message/disposition-notification\n\nReporting-UA: ua\n"
		"Original-Message-ID: <o@x>\nFinal-Recipient: rfc822;u@x\nDisposition: automatic-action/MDN-sent-automatically; displayed\n--1--\n", false);

	assert_int_equal(p.fact->report->type, REPORT_DISPOSITION_NOTIFICATION);
	assert_text(p.fact->report->original_message_id, "o@x");
	parsed_fini(&p);
	p = check("Content-Type: multipart/report; boundary=1\n\n--1\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nOriginal-Mail-From: <m@x>\n--1--\n", false);
	assert_int_equal(p.fact->report->type, REPORT_FEEDBACK);
	assert_text(p.fact->report->feedback_type, "abuse");
	assert_text(p.fact->report->original_mail_from, "m@x");
	parsed_fini(&p);
}

static void encoded_parts_are_decoded(void **state)
{
	(void)state;
	struct parsed p = check("Content-Type: multipart/report; boundary=1\r\n\r\n--1\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\nThis is the =\r\nmail system =61t host x=\r\n--1\r\n"
		"Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: base64\r\n\r\n"
		"UmVwb3J0aW5nLU1UQTogZG5zOyB4CgpGaW5hbC1SZWNpcGllbnQ6IHJmYzgyMjsgYUBi\r\nCkFjdGlvbjogZmFpbGVkCg==\r\n\r\n--1\r\nContent-Type: message/rfc822\r\n"
		"Content-Transfer-Encoding: quoted-printable\r\n\r\nMessage-ID: =3Cq@x=3E\r\nSubject: a =\r\nb\r\n\r\n--1--\r\n", false);

	assert_true(has_phrase(p.fact, 30));
	assert_text(p.fact->report->reporting_mta, "x");
	assert_text(p.fact->report->recipient[0].final_recipient, "a@b");
	assert_text(p.fact->report->recipient[0].action, "failed");
	assert_text(p.fact->returned->message_id, "q@x");
	assert_text(p.fact->returned->subject, "a b");
	parsed_fini(&p);
}

static void an_empty_report_part_is_completed_by_the_next(void **state)
{
	(void)state;
	struct parsed p = check("Content-Type: multipart/report; boundary=1\n\n--1\nContent-Type: message/delivery-status;\n\nJust a text.\n--1\n"
		"Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nFinal-Recipient: rfc822; <a@b>\n--1--\n", false);

	assert_int_equal(p.fact->report->recipient_count, 1);
	parsed_fini(&p);
}

static void inner_containers_end_with_the_outer_boundary(void **state)
{
	(void)state;
	struct parsed p = check("Content-Type: multipart/report; boundary=out\n\n--out\nContent-Type: multipart/alternative; boundary=\"in\"\n\n--in\n\ntext\n"
		"--out\nContent-Type: message/delivery-status\n\nFinal-Recipient: rfc822; a\n--in\nFinal-Recipient: rfc822; b\n--out--\n\nFrom: x\n", false);

	assert_int_equal(p.fact->report->recipient_count, 2);	/* "--in" is no boundary any more, and no field */
	parsed_fini(&p);
}

static void boundaries_match_whole_lines_only(void **state)
{
	(void)state;
	struct parsed p = check("Content-Type: multipart/report; boundary=ab\n--ab\nContent-Type: message/rfc822\n\nSubject: s\n--abc\nX: y\n\n--ab-- \t\n--ab\nContent-Type: message/delivery-status\n\n"
		"Final-Recipient: x\n", false);

	assert_text(p.fact->returned->subject, "s");
	assert_null(p.fact->report);	/* behind the closing boundary is the epilogue */
	parsed_fini(&p);
}

static void depth_and_parts_are_limited(void **state)
{
	(void)state;
	struct buf b = { 0 };

	buf_add_str(&b, "Content-Type: multipart/report; boundary=b0\n\n");
	for (int i = 1; i <= LIMIT_MIME_DEPTH; i++)
		buf_printf(&b, "--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n", i - 1, i);
	struct parsed p = parse(b.p, b.len, false, 0, WHOLE, 0, 0);
	assert_int_equal(p.fact->notes, NOTE_MIME_LIMIT);
	parsed_fini(&p);
	buf_clear(&b);
	buf_add_str(&b, "Content-Type: multipart/report; boundary=b\n\n");
	for (int i = 0; i <= LIMIT_MIME_PARTS; i++)
		buf_add_str(&b, "--b\n\nx\n");
	p = parse(b.p, b.len, false, 0, WHOLE, 0, 0);
	assert_int_equal(p.fact->notes, NOTE_MIME_LIMIT);
	assert_false(p.wanted_more);
	parsed_fini(&p);
	buf_fini(&b);
}

/* Bounces without MIME */

static void header_below_a_known_line_is_returned(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"From: MAILER-DAEMON@x\r\nSubject: failure notice\r\n\r\nHi. This is the qmail-send program at x.\r\n\r\n--- Below this line is a copy of the message.\r\n\r\n" RETURNED "\r\nFrom: body\r\n",
		"From: Mail Delivery System <Mailer-Daemon@x>\r\n\r\nThis message was created automatically by mail delivery software.\r\n\r\n"
		"------ This is a copy of the message, including all the headers. ------\r\n------ The body of the message is 9 characters long; only the first\r\n------ 8 or so are included here.\r\n\r\n"
		RETURNED "\r\n",
		"From: MAILER-DAEMON@x\r\n\r\n   ----- Unsent message follows -----\r\n" RETURNED "\r\n",
		"From: MAILER-DAEMON@x\r\n\r\nNicht zugestellt.\r\n\r\n--- Kopie der Nachricht ---\r\n\r\n" RETURNED "\r\n",
		"From: MAILER-DAEMON@x\r\n\r\nNicht zugestellt.\r\n" RETURNED "\r\n",
	};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct parsed p = check(texts[i], false);

		assert_non_null(p.fact->returned);
		assert_text(p.fact->returned->message_id, "inner@victim.example");
		assert_text(p.fact->message_id, NULL);
		parsed_fini(&p);
	}
}

static void the_text_of_a_bounce_names_recipients(void **state)
{
	(void)state;
	struct parsed p = check("From: MAILER-DAEMON@x.example\r\nSubject: failure notice\r\n\r\n<bob@own.example>:\r\nNo such user (#5.1.1)\r\n\r\n"
		"--- Below this line is a copy of the message.\r\n\r\n" RETURNED "\r\nother@own.example\r\n", false);

	assert_int_equal(p.fact->said_count, 1);
	assert_text(p.fact->said[0].final_recipient, "bob@own.example");
	assert_text(p.fact->said[0].status, "5.1.1");
	parsed_fini(&p);
	p = check("X-Failed-Recipients: a@own.example, b@own.example\r\n\r\nText\r\n", false);
	assert_int_equal(p.fact->said_count, 2);
	parsed_fini(&p);
	p = check("From: Postmaster <postmaster@x.example>\r\n\r\nIn any language:\r\n<bob@own.example>: xyz\r\n", false);
	assert_int_equal(p.fact->said_count, 1);	/* the server's own */
	parsed_fini(&p);
	p = check("Subject: Automatic reply: x\r\n\r\nWrite to\r\nbob@own.example\r\n", false);
	assert_int_equal(p.fact->said_count, 0);	/* nothing about mail that failed */
	parsed_fini(&p);
	p = check("Subject: failure notice\r\nContent-Type: message/delivery-status\r\n\r\nAction: failed\r\n\r\n", false);
	assert_int_equal(p.fact->said_count, 0);	/* a report says it better */
	parsed_fini(&p);
}

static void quotations_by_people_are_not_returned(void **state)
{
	(void)state;
	struct parsed p = check("From: postmaster@x\r\n\r\nYes, I did.\r\n\r\n----- Original Message -----\r\nFrom: you\r\nSent: today\r\n\r\nDid you?\r\n", false);

	assert_null(p.fact->returned);
	assert_int_equal(p.fact->phrase_count, 0);
	parsed_fini(&p);
	p = check("From: a@x\r\nUser-Agent: Mutt\r\n\r\n--- Below this line is a copy of the message.\r\n\r\n" RETURNED "\r\n", false);
	assert_null(p.fact->returned);	/* nothing says that it is automated */
	parsed_fini(&p);
}

static void an_enclosed_part_replaces_headers_shown_in_the_text(void **state)
{
	(void)state;
	struct parsed p = check("Content-Type: multipart/report; boundary=1\n\n--1\n\nOriginal message headers:\n\nReceived: from a by b; x\nSubject: shown\n\n--1\nContent-Type: message/rfc822\n\n"
		"Subject: enclosed\n\n--1--\n", false);

	assert_text(p.fact->returned->subject, "enclosed");
	assert_int_equal(p.fact->returned->received_count, 0);
	parsed_fini(&p);
}

static void text_is_searched_up_to_its_limit(void **state)
{
	(void)state;
	struct buf b = { 0 };

	buf_add_str(&b, "From: MAILER-DAEMON@x\r\n\r\n");
	while (b.len < LIMIT_PHRASE_BYTES)
		buf_add_str(&b, "Nothing of interest.\r\n");
	buf_add_str(&b, "This is the mail system at host x\r\n");
	while (b.len < 2 * LIMIT_PHRASE_BYTES)
		buf_add_str(&b, "Nothing of interest.\r\n");
	struct parsed p = parse(b.p, b.len, false, 0, 1460, 0, 0);

	assert_true(has_phrase(p.fact, 30));	/* line ends do not count */
	assert_false(p.wanted_more);
	parsed_fini(&p);
	buf_fini(&b);
}

/* Holes */

static void a_hole_in_the_header_ends_what_is_trusted(void **state)
{
	(void)state;
	static const char s[] = "From: a@b\r\nTo: c@d\r\nSubject: e\r\nMessage-ID: <x@y>\r\n\r\nMessage-ID: <body@y>\r\n";
	size_t at = strlen("From: a@b\r\nTo: c@");
	struct parsed p = parse(s, sizeof s - 1, false, 0, WHOLE, at, 4);

	assert_text(p.fact->from, "a@b");
	assert_text(p.fact->to, NULL);
	assert_text(p.fact->subject, NULL);
	assert_text(p.fact->message_id, NULL);
	assert_false(p.fact->headers_complete);
	assert_int_equal(p.fact->notes, NOTE_GAP);
	assert_false(p.wanted_more);
	parsed_fini(&p);
}

static void a_field_before_a_hole_may_go_on_in_it(void **state)
{
	(void)state;
	static const char s[] = "From: a@b\r\nTo: c@d\r\n e@f\r\n\r\n";
	struct parsed p = parse(s, sizeof s - 1, false, 0, WHOLE, strlen("From: a@b\r\nTo: c@d\r\n"), 3);

	assert_text(p.fact->from, "a@b");
	assert_text(p.fact->to, NULL);
	parsed_fini(&p);
}

static void parts_behind_a_hole_begin_at_a_boundary(void **state)
{
	(void)state;
	const char *hole = strstr(postfix, "This is a MIME"), *in_part = strstr(postfix, "Original-Recipient");
	struct parsed p = parse(postfix, sizeof postfix - 1, false, 0, WHOLE, (size_t)(hole - postfix) - 20, 40);

	assert_false(p.fact->headers_complete);
	assert_text(p.fact->message_id, NULL);
	assert_text(p.fact->report->recipient[0].status, "5.1.1");
	assert_text(p.fact->returned->message_id, "inner@victim.example");
	parsed_fini(&p);
	p = parse(postfix, sizeof postfix - 1, false, 0, WHOLE, (size_t)(in_part - postfix), 5);
	assert_true(p.fact->headers_complete);
	assert_text(p.fact->report->reporting_mta, "own.example");
	assert_int_equal(p.fact->report->recipient_count, 0);
	assert_text(p.fact->returned->message_id, "inner@victim.example");
	assert_int_equal(p.fact->notes, NOTE_GAP);
	parsed_fini(&p);
}

static void a_message_that_begins_with_a_hole_says_nothing(void **state)
{
	(void)state;
	struct arena a;

	arena_init(&a, 10000);
	struct message *m = message_new(&a, true);
	message_gap(m);
	push(m, "Subject: x\r\n\r\n", 14);
	assert_true(m->state == DONE);
	assert_null(message_end(m, true));
	message_free(m);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folds_are_joined_and_blanks_kept),
		cmocka_unit_test(lines_may_end_with_lf_and_a_lone_cr_is_a_byte),
		cmocka_unit_test(first_field_of_a_name_wins),
		cmocka_unit_test(from_lines_and_nameless_fields_are_passed_over),
		cmocka_unit_test(a_line_that_is_no_field_ends_the_header),
		cmocka_unit_test(a_header_without_body_is_complete_at_the_end),
		cmocka_unit_test(nothing_is_said_of_no_bytes),
		cmocka_unit_test(a_broken_off_header_keeps_only_whole_fields),
		cmocka_unit_test(long_values_are_cut_and_noted),
		cmocka_unit_test(a_full_arena_is_noted),
		cmocka_unit_test(received_lines_are_kept_in_order),
		cmocka_unit_test(markers_need_their_value),
		cmocka_unit_test(a_field_named_after_autoreplies_says_that_it_is_one),
		cmocka_unit_test(markers_have_bits_of_their_own),
		cmocka_unit_test(two_fields_together_tell),
		cmocka_unit_test(scripts_that_answer_are_looked_into),
		cmocka_unit_test(ordinary_mail_is_done_after_its_header),
		cmocka_unit_test(enclosed_message_is_a_fact_when_looked_into),
		cmocka_unit_test(a_report_gives_recipients_and_what_came_back),
		cmocka_unit_test(a_report_in_a_mixed_container_is_found),
		cmocka_unit_test(a_report_may_be_the_whole_body),
		cmocka_unit_test(other_report_types_are_told_apart),
		cmocka_unit_test(encoded_parts_are_decoded),
		cmocka_unit_test(an_empty_report_part_is_completed_by_the_next),
		cmocka_unit_test(inner_containers_end_with_the_outer_boundary),
		cmocka_unit_test(boundaries_match_whole_lines_only),
		cmocka_unit_test(depth_and_parts_are_limited),
		cmocka_unit_test(header_below_a_known_line_is_returned),
		cmocka_unit_test(the_text_of_a_bounce_names_recipients),
		cmocka_unit_test(quotations_by_people_are_not_returned),
		cmocka_unit_test(an_enclosed_part_replaces_headers_shown_in_the_text),
		cmocka_unit_test(text_is_searched_up_to_its_limit),
		cmocka_unit_test(a_hole_in_the_header_ends_what_is_trusted),
		cmocka_unit_test(a_field_before_a_hole_may_go_on_in_it),
		cmocka_unit_test(parts_behind_a_hole_begin_at_a_boundary),
		cmocka_unit_test(a_message_that_begins_with_a_hole_says_nothing),
	};

	return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
