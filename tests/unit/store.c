/*
 * Unit tests of store.c, row.c and schema/db.c: facts in, SQL out. One mail that has every field there is goes through all of them; stores are
 * directories of their own below TMPDIR.
 */
#include "sensor/store.c"

#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/text.h"
#include "sensor/command.h"

#define START UINT64_C(1700000000000000)

/* ---- a mail that has everything ---- */

struct world {
	const char *plain;		/* what texts are made of: "%s" is the name of the field */
	const char *mailbox;		/* what addresses are made of */
	struct arena arena;
	struct fact_session session;
	struct fact_session_rare rare;
	struct fact_tls_detail tls;
	struct fact_transaction mail;
	struct fact_recipient rcpt[2];
	struct fact_message message;
	struct fact_report report;
	struct fact_report_recipient reported[2];
	struct fact_returned returned;
	struct fact_received received;
	struct fact_step step[2];
};

/* format with the name in the place of its %s */
static struct text fill(struct world *w, const char *format, const char *name)
{
	const char *hole = strstr(format, "%s");
	struct buf b = { 0 };

	buf_add(&b, format, hole ? (size_t)(hole - format) : strlen(format));
	if (hole) {
		buf_add_str(&b, name);
		buf_add_str(&b, hole + 2);
	}
	struct text t = arena_copy(&w->arena, b.p, b.len, b.len, NULL);
	buf_fini(&b);
	return t;
}

static struct text text(struct world *w, const char *name)
{
	return fill(w, w->plain, name);
}

static struct text mailbox(struct world *w, const char *name)
{
	return fill(w, w->mailbox, name);
}

static struct fact_reply reply(struct world *w, uint16_t code, const char *name)
{
	char enhanced[64];

	snprintf(enhanced, sizeof enhanced, "%s-enhanced", name);
	return (struct fact_reply){ code, text(w, enhanced), text(w, name) };
}

static struct ip_addr ip(const char *s)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(s, strlen(s), &a), 0);
	return a;
}

static void fill_session(struct world *w)
{
	struct fact_session *s = &w->session;

	*s = (struct fact_session){
		.src_ip = ip("192.0.2.7"), .dest_ip = ip("2001:db8::25"), .src_port = 40000, .dest_port = 25, .client_isn = 4000000001u,
		.server_isn = 2, .started_us = START, .ended_us = START + 9000000, .end = END_FIN, .outcome = SESSION_MAIL, .app_proto = text(w, "app_proto"),
		.banner = reply(w, 220, "banner"), .helo_verb = text(w, "helo_verb"), .helo = text(w, "helo"),
		.ehlo_keywords = text(w, "ehlo_keywords"), .vrfy_count = 3, .auth = TRI_TRUE,
		.tls = TLS_STARTTLS, .tls_detail = &w->tls, .rare = &w->rare, .bytes_toserver = 5000000000u, .bytes_toclient = 12,
		.unseen_bytes = 13, .packets = 14, .transaction_count = 15, .notes = NOTE_GAP | NOTE_BARE_LF, .complete = true,
		.steps = { w->step, 2, 2 },
	};
	w->rare = (struct fact_session_rare){ .refusal = reply(w, 554, "refusal"), .auth_mechanism = text(w, "auth_mechanism"), .proxy = text(w, "proxy"),
					      .xclient = text(w, "xclient"), .xforward = text(w, "xforward") };
	memset(s->session_id, 0xab, sizeof s->session_id);
	w->tls = (struct fact_tls_detail){ .sni = text(w, "sni"), .alpn = text(w, "alpn"), .hello_version = 0x0304, .chosen_version = 0x0303,
					   .chosen_cipher = 0xc02f, .cipher_count = 16, .extension_count = 17 };
	w->tls.side[0].kept = 1;
	w->tls.side[0].record[0] = (struct fact_tls_record){ 18, 19, 22 };
	w->tls.side[1].histogram[2] = 20;
	w->step[0] = (struct fact_step){ .side = SIDE_SERVER, .code = 220, .offset_us = 5 };
	w->step[1] = (struct fact_step){ .side = SIDE_CLIENT, .verb = VERB_EHLO, .offset_us = 6 };
}

static void fill_received(struct world *w)
{
	w->received = (struct fact_received){ .from_host = text(w, "from_host"), .from_ip = ip("198.51.100.9"), .by_host = text(w, "by_host"),
					     .with = text(w, "with"), .id = text(w, "id") };
}

static void fill_report(struct world *w)
{
	w->report = (struct fact_report){
		.type = REPORT_DELIVERY_STATUS, .in_multipart_report = true, .reporting_mta = text(w, "reporting_mta"),
		.received_from_mta = text(w, "received_from_mta"), .arrival_date = text(w, "arrival_date"), .envelope_id = text(w, "envelope_id"),
		.queue_id = text(w, "report-queue"), .disposition = text(w, "disposition"), .original_message_id = text(w, "original_message_id"),
		.feedback_type = text(w, "feedback_type"), .original_mail_from = mailbox(w, "original_mail_from"), .recipient = w->reported,
		.recipient_count = 2, .recipient_total = 200,
	};
	for (int i = 0; i < 2; i++)
		w->reported[i] = (struct fact_report_recipient){
			.final_recipient = mailbox(w, "final"), .original_recipient = mailbox(w, "original"), .action = text(w, "action"),
			.status = text(w, "status"), .diagnostic_type = text(w, "diagnostic_type"), .diagnostic = text(w, "diagnostic"),
			.remote_mta = text(w, "remote_mta"),
		};
	w->returned = (struct fact_returned){
		.seen = true, .message_id = text(w, "returned-id"), .from = mailbox(w, "returned-from"), .to = mailbox(w, "returned-to"),
		.subject = text(w, "returned-subject"), .return_path = mailbox(w, "return-path"), .received_spf = text(w, "received_spf"),
		.authserv = text(w, "authserv"), .authentication_results = text(w, "authentication_results"), .spf = text(w, "spf"),
		.dkim = text(w, "dkim"), .dmarc = text(w, "dmarc"), .dkim_domains = text(w, "dkim_domains"), .spam = text(w, "spam"),
		.received = &w->received, .received_count = 1,
	};
}

static void fill_mail(struct world *w)
{
	for (int i = 0; i < 2; i++)
		w->rcpt[i] = (struct fact_recipient){ mailbox(w, i ? "rcpt1" : "rcpt0"), reply(w, 250, "rcpt-reply"), text(w, "notify"), text(w, "orcpt") };
	w->message = (struct fact_message){
		.from = mailbox(w, "from"), .reply_to = mailbox(w, "reply-to"), .subject = text(w, "subject"), .message_id = text(w, "message_id"),
		.in_reply_to = text(w, "in_reply_to@"), .references = text(w, "references"), .auto_submitted = text(w, "auto_submitted"),
		.precedence = text(w, "precedence"), .list_id = text(w, "list_id"),
		.x_auto_response_suppress = text(w, "x_auto_response_suppress"), .sender = mailbox(w, "sender"),
		.return_path = mailbox(w, "return_path"), .to = mailbox(w, "to"), .x_mailer = text(w, "x_mailer"),
		.content_type = text(w, "content_type"), .x_failed_recipients = text(w, "x_failed_recipients"),
		.markers = UINT64_C(1) << 62 | 5, .received = &w->received, .received_count = 1, .phrase = { 7, 1001 }, .phrase_count = 2,
		.report = &w->report, .returned = &w->returned, .notes = NOTE_MIME_LIMIT, .headers_complete = true,
	};
	w->mail = (struct fact_transaction){
		.session = &w->session, .ordinal = 2, .started_us = START + 1, .ended_us = START + 8000000, .helo = text(w, "mail-helo"),
		.tls = TLS_NONE, .auth = TRI_FALSE, .proxy = text(w, "proxy"), .xclient = text(w, "xclient"), .xforward = text(w, "xforward"),
		.mail_from = mailbox(w, "mail_from"), .mail_params = text(w, "mail_params"),
		.ret = text(w, "ret"), .envid = text(w, "envid"), .mail_reply = reply(w, 250, "mail_reply"), .rcpt = w->rcpt, .rcpt_kept = 2,
		.rcpt_count = 30, .rcpt_accepted = 29, .outcome = OUTCOME_ACCEPTED, .reply = reply(w, 251, "reply"), .queue_id = text(w, "queue_id"),
		.mail_us = START + 2, .data_end_us = START + 3, .reply_us = START + 4, .size_bytes = 6000000000u, .bytes_seen = 6, .has_data = true,
		.message = &w->message, .steps = { w->step, 2, 2 }, .notes = NOTE_TRUNCATED, .complete = true,
	};
}

static struct world *world_new(const char *plain, const char *mailbox_format)
{
	struct world *w = xcalloc(1, sizeof *w);

	w->plain = plain;
	w->mailbox = mailbox_format;
	arena_init(&w->arena, 16 << 20);
	fill_session(w);
	fill_received(w);
	fill_report(w);
	fill_mail(w);
	return w;
}

static void world_free(struct world *w)
{
	arena_fini(&w->arena);
	free(w);
}

static const struct fact_capture counters = {
	.interface = { "eth0", 4 }, .start_us = START, .end_us = START + 60000000, .packets = 1, .bytes = 2, .kernel_drops = 3,
	.interface_drops = 10, .unseen_bytes = 4, .flows = 5, .evicted = 6, .sessions = 7, .encrypted_sessions = 8, .one_sided_sessions = 9,
};

/* ---- stores ---- */

static char top[256];

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void remove_store(const char *dir)
{
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static int make_top(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(top, sizeof top, "%s/store.XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(top) ? 0 : -1;
}

static int remove_top(void **state)
{
	(void)state;
	remove_store(top);
	return 0;
}

/* The path of a store that is not there yet. */
static const char *new_dir(void)
{
	static char dir[300];
	static unsigned n;

	snprintf(dir, sizeof dir, "%s/%u", top, n++);
	return dir;
}

static struct store_options options(const char *dir)
{
	return (struct store_options){ .dir = dir, .privacy = PRIVACY_FULL, .subject = SUBJECT_ALL, .sensor = "local's", .version = "0" };
}

static struct store *must_open(const struct store_options *o)
{
	char error[512] = "";
	int code = 0;
	struct store *s = store_open(o, error, sizeof error, &code);

	if (!s)
		fail_msg("%s (%d)", error, code);
	return s;
}

static void assert_refused(const struct store_options *o, int expected_code, const char *words)
{
	char error[512] = "";
	int code = 0;

	assert_null(store_open(o, error, sizeof error, &code));
	if (code != expected_code || !strstr(error, words) || !strstr(error, o->dir))
		fail_msg("exit code %d, expected %d: \"%s\", expected \"%s\"", code, expected_code, error, words);
}

static sqlite3 *db_of(const char *dir)
{
	char error[512];
	unsigned present;
	sqlite3 *db = db_open_read(dir, DB_BUSY_MS, &present, NULL, error, sizeof error);

	if (!db)
		fail_msg("%s", error);
	return db;
}

static void assert_value(sqlite3 *db, const char *query, const char *expected)
{
	sqlite3_stmt *q;

	if (sqlite3_prepare_v2(db, query, -1, &q, NULL) != SQLITE_OK)
		fail_msg("%s: %s", query, sqlite3_errmsg(db));
	const char *got = sqlite3_step(q) == SQLITE_ROW ? (const char *)sqlite3_column_text(q, 0) : "(no row)";
	if (!got)
		got = "(NULL)";
	if (strcmp(got, expected) != 0)
		fail_msg("%s: \"%s\", expected \"%s\"", query, got, expected);
	sqlite3_finalize(q);
}

/* One run that puts the mail of a world, its session and counters. */
static void put_world(const struct store_options *o, const struct world *w)
{
	struct store *s = must_open(o);

	assert_int_equal(store_begin_source(s, NULL, NULL), STORE_SOURCE_TO_READ);
	struct store_feed *feed = store_feed_new(s);
	store_put_transaction(feed, &w->mail);
	store_put_session(feed, &w->session);
	store_put_capture(feed, &counters);
	store_feed_free(feed);
	assert_int_equal(store_close(s, "done"), 0);
}

/* ---- every column ---- */

static const struct {
	const char *table, *column, *value;
} columns[] = {
	{ "sessions", "hex(session_id)", "ABABABABABABABABABABABABABABABAB" }, { "sessions", "batch_seq", "1" }, { "sessions", "run_id", "1" },
	{ "sessions", "source_id", "(NULL)" }, { "sessions", "src_ip", "192.0.2.7" }, { "sessions", "src_port", "40000" },
	{ "sessions", "dest_ip", "2001:db8::25" }, { "sessions", "dest_port", "25" }, { "sessions", "started_us", "1700000000000000" },
	{ "sessions", "ended_us", "1700000009000000" }, { "sessions", "end_reason", "fin" }, { "sessions", "outcome", "mail" },
	{ "sessions", "banner_code", "220" }, { "sessions", "banner", "banner" }, { "sessions", "helo_verb", "helo_verb" },
	{ "sessions", "helo", "helo" }, { "sessions", "ehlo_keywords", "ehlo_keywords" }, { "sessions", "refusal_code", "554" },
	{ "sessions", "refusal_enhanced", "refusal-enhanced" }, { "sessions", "refusal", "refusal" }, { "sessions", "vrfy_count", "3" },
	{ "sessions", "auth", "1" }, { "sessions", "auth_mechanism", "auth_mechanism" }, { "sessions", "tls", "starttls" },
	{ "sessions", "tls_version", "TLS 1.2" }, { "sessions", "sni", "sni" },
	{ "sessions", "tls_hello", "offered=0304 chosen=0303 cipher=c02f ciphers=16 extensions=17 alpn=alpn" },
	{ "sessions", "tls_records", "c 22 19 18" },
	{ "sessions", "tls_histogram", "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n0 0 20 0 0 0 0 0 0 0 0 0 0 0 0 0" },
	{ "sessions", "proxy", "proxy" }, { "sessions", "xclient", "xclient" }, { "sessions", "xforward", "xforward" },
	{ "sessions", "client_isn", "4000000001" }, { "sessions", "server_isn", "2" }, { "sessions", "bytes_toserver", "5000000000" },
	{ "sessions", "bytes_toclient", "12" }, { "sessions", "unseen_bytes", "13" }, { "sessions", "packets", "14" },
	{ "sessions", "transaction_count", "15" }, { "sessions", "steps", "s 220 5\nc EHLO 6" }, { "sessions", "complete", "1" },
	{ "sessions", "notes", "gap bare-lf" },
	{ "transactions", "hex(session_id)", "ABABABABABABABABABABABABABABABAB" }, { "transactions", "ordinal", "2" },
	{ "transactions", "batch_seq", "1" }, { "transactions", "run_id", "1" }, { "transactions", "src_ip", "192.0.2.7" },
	{ "transactions", "src_port", "40000" }, { "transactions", "dest_ip", "2001:db8::25" }, { "transactions", "dest_port", "25" },
	{ "transactions", "started_us", "1700000000000001" }, { "transactions", "ended_us", "1700000008000000" },
	{ "transactions", "helo", "mail-helo" }, { "transactions", "tls", "none" }, { "transactions", "auth", "0" },
	{ "transactions", "proxy", "proxy" }, { "transactions", "xclient", "xclient" }, { "transactions", "xforward", "xforward" },
	{ "transactions", "mail_from", "mail_from@example.org" },
	{ "transactions", "null_sender", "0" }, { "transactions", "mail_params", "mail_params" }, { "transactions", "ret", "ret" },
	{ "transactions", "envid", "envid" }, { "transactions", "mail_code", "250" }, { "transactions", "mail_enhanced", "mail_reply-enhanced" },
	{ "transactions", "mail_reply", "mail_reply" }, { "transactions", "rcpt_count", "30" }, { "transactions", "rcpt_accepted", "29" },
	{ "transactions", "outcome", "accepted" }, { "transactions", "code", "251" }, { "transactions", "enhanced", "reply-enhanced" },
	{ "transactions", "reply", "reply" }, { "transactions", "queue_id", "queue_id" }, { "transactions", "mail_us", "1700000000000002" },
	{ "transactions", "data_end_us", "1700000000000003" }, { "transactions", "reply_us", "1700000000000004" },
	{ "transactions", "size_bytes", "6000000000" }, { "transactions", "bytes_seen", "6" }, { "transactions", "steps", "s 220 5\nc EHLO 6" },
	{ "transactions", "complete", "1" }, { "transactions", "notes", "truncated" },
	{ "recipients", "count(*)", "2" }, { "recipients WHERE n = 1", "address", "rcpt1@example.org" },
	{ "recipients", "code", "250" }, { "recipients", "enhanced", "rcpt-reply-enhanced" }, { "recipients", "reply", "rcpt-reply" },
	{ "recipients", "notify", "notify" }, { "recipients", "orcpt", "orcpt" },
	{ "messages", "message_id", "message_id" }, { "messages", "in_reply_to", "in_reply_to@" }, { "messages", "reference_ids", "references" },
	{ "messages", "from_header", "from@example.org" },
	{ "messages", "from_id <> reply_to_id", "1" }, { "messages", "from_class", "0" }, { "messages", "reply_to", "reply-to@example.org" },
	{ "messages", "sender", "sender@example.org" }, { "messages", "to_header", "to@example.org" }, { "messages", "subject", "subject" },
	{ "messages", "auto_submitted", "auto_submitted" }, { "messages", "precedence", "precedence" }, { "messages", "list_id", "list_id" },
	{ "messages", "x_auto_response_suppress", "x_auto_response_suppress" }, { "messages", "x_failed_recipients", "x_failed_recipients" },
	{ "messages", "x_mailer", "x_mailer" }, { "messages", "content_type", "content_type" }, { "messages", "markers", "4611686018427387909" },
	{ "messages", "phrases", "7 1001" }, { "messages", "headers_complete", "1" }, { "messages", "notes", "mime-limit" },
	{ "messages", "phrases_version = (SELECT phrases_version FROM meta)", "1" },
	{ "received WHERE part = 0", "from_host || ' ' || from_ip || ' ' || by_host || ' ' || with_protocol || ' ' || queue_id",
	  "from_host 198.51.100.9 by_host with id" },
	{ "received WHERE part = 1", "from_host || ' ' || from_ip || ' ' || by_host || ' ' || with_protocol || ' ' || queue_id",
	  "from_host 198.51.100.9 by_host with id" },
	{ "reports", "report_type", "delivery-status" }, { "reports", "in_multipart_report", "1" }, { "reports", "reporting_mta", "reporting_mta" },
	{ "reports", "received_from_mta", "received_from_mta" }, { "reports", "arrival_date", "arrival_date" },
	{ "reports", "envelope_id", "envelope_id" }, { "reports", "queue_id", "report-queue" }, { "reports", "disposition", "disposition" },
	{ "reports", "original_message_id", "original_message_id" }, { "reports", "feedback_type", "feedback_type" },
	{ "reports", "original_mail_from", "original_mail_from@example.org" },
	{ "reports", "recipient_total", "200" },
	{ "report_recipients", "count(*)", "2" }, { "report_recipients", "final_recipient", "final@example.org" },
	{ "report_recipients", "original_recipient", "original@example.org" },
	{ "report_recipients", "action", "action" }, { "report_recipients", "status", "status" },
	{ "report_recipients", "diagnostic_type", "diagnostic_type" }, { "report_recipients", "diagnostic", "diagnostic" },
	{ "report_recipients", "remote_mta", "remote_mta" },
	{ "returned", "message_id", "returned-id" }, { "returned", "from_header", "returned-from@example.org" },
	{ "returned", "from_id IS NOT NULL", "1" },
	{ "returned", "to_header", "returned-to@example.org" },
	{ "returned", "return_path", "return-path@example.org" },
	{ "returned", "subject", "returned-subject" }, { "returned", "received_spf", "received_spf" }, { "returned", "authserv", "authserv" },
	{ "returned", "authentication_results", "authentication_results" }, { "returned", "spf", "spf" }, { "returned", "dkim", "dkim" },
	{ "returned", "dmarc", "dmarc" }, { "returned", "dkim_domains", "dkim_domains" }, { "returned", "spam", "spam" },
	{ "capture", "run_id", "1" }, { "capture", "source_id", "(NULL)" }, { "capture", "interface", "eth0" },
	{ "capture", "end_us - start_us", "60000000" },
	{ "capture", "packets || ' ' || bytes || ' ' || kernel_drops || ' ' || interface_drops || ' ' || unseen_bytes || ' ' || flows || ' ' || evicted || ' ' || sessions || ' ' "
	  "|| encrypted_sessions || ' ' || one_sided_sessions", "1 2 3 10 4 5 6 7 8 9" },
	{ "sensor_run", "sensor || ' ' || version || ' ' || end_reason || ' ' || facts_lost || ' ' || (ended_us >= started_us)", "local's 0 done 0 1" },
	{ "batch", "session_rowid || ' ' || transaction_rowid || ' ' || (committed_us > 0)", "1 1 1" },
	{ "meta", "privacy || length(store_id)", "full32" },
};

/* A column that nobody writes would be NULL here. */
static void assert_no_null(sqlite3 *db, const char *table)
{
	char sql_text[128];
	sqlite3_stmt *q;

	snprintf(sql_text, sizeof sql_text, "SELECT * FROM %s", table);
	assert_int_equal(sqlite3_prepare_v2(db, sql_text, -1, &q, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	for (int i = 0; i < sqlite3_column_count(q); i++)
		if (sqlite3_column_type(q, i) == SQLITE_NULL && strcmp(sqlite3_column_name(q, i), "source_id") != 0
		    && !strstr(sqlite3_column_name(q, i), "inner_id"))
			fail_msg("%s.%s is NULL", table, sqlite3_column_name(q, i));
	sqlite3_finalize(q);
}

static void every_field_reaches_its_column(void **state)
{
	static const char *const tables[] = { "sessions", "transactions", "recipients", "messages", "reports", "report_recipients", "returned", "capture" };
	struct store_options o = options(new_dir());
	struct world *w = world_new("%s", "%s@example.org");

	(void)state;
	put_world(&o, w);
	sqlite3 *db = db_of(o.dir);
	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
		char query[512];

		snprintf(query, sizeof query, "SELECT %s FROM %s", columns[i].column, columns[i].table);
		assert_value(db, query, columns[i].value);
	}
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		assert_no_null(db, tables[i]);
	sqlite3_close(db);
	world_free(w);
}

static void what_a_text_says_of_recipients_is_kept_without_a_report(void **state)
{
	struct store_options o = options(new_dir());
	struct world *w = world_new("%s", "%s@example.org");

	(void)state;
	w->message.report = NULL;
	w->message.said = w->reported;
	w->message.said_count = 1;
	put_world(&o, w);
	sqlite3 *db = db_of(o.dir);
	assert_value(db, "SELECT count(*) FROM reports", "0");
	assert_value(db, "SELECT count(*) || ' ' || final_recipient || ' ' || (final_id IS NOT NULL) || ' ' || status FROM report_recipients",
		     "1 final@example.org 1 status");
	sqlite3_close(db);
	world_free(w);
}

static void what_was_not_seen_is_null(void **state)
{
	static const char *const nulls[] = { "banner_code", "banner", "helo_verb", "helo", "ehlo_keywords", "refusal_code", "refusal", "auth",
					     "auth_mechanism", "tls_version", "sni", "tls_records", "proxy", "xclient", "steps" };
	static const char *const mail_nulls[] = { "helo", "auth", "mail_from", "mail_from_id", "mail_from_class", "null_sender", "mail_params", "mail_code", "mail_reply", "code", "reply",
						  "queue_id", "mail_us", "data_end_us", "reply_us", "size_bytes", "bytes_seen", "steps" };
	struct store_options o = options(new_dir());
	struct fact_session session = { .src_ip = ip("192.0.2.7"), .dest_ip = ip("192.0.2.8") };
	struct fact_transaction mail = { .session = &session, .ordinal = 1 };
	char query[128];

	(void)state;
	struct store *s = must_open(&o);
	struct store_feed *feed = store_feed_new(s);
	store_put_transaction(feed, &mail);
	mail.ordinal = 2;
	mail.mail_from = (struct text){ "", 0 };
	store_put_transaction(feed, &mail);
	store_put_session(feed, &session);
	store_feed_free(feed);
	assert_int_equal(store_close(s, "done"), 0);
	sqlite3 *db = db_of(o.dir);
	for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++) {
		snprintf(query, sizeof query, "SELECT %s FROM sessions", nulls[i]);
		assert_value(db, query, "(NULL)");
	}
	for (size_t i = 0; i < sizeof mail_nulls / sizeof *mail_nulls; i++) {
		snprintf(query, sizeof query, "SELECT %s FROM transactions WHERE ordinal = 1", mail_nulls[i]);
		assert_value(db, query, "(NULL)");
	}
	assert_value(db, "SELECT null_sender FROM transactions WHERE ordinal = 2", "1");
	assert_value(db, "SELECT mail_from FROM mails WHERE id = 2", "<>");
	assert_value(db, "SELECT outcome || notes FROM transactions", "unknown");
	assert_value(db, "SELECT count(*) FROM messages", "0");
	sqlite3_close(db);
}

static void same_id_in_answer_and_original_has_the_same_hash(void **state)
{
	struct store_options o = options(new_dir());
	struct world *w = world_new("<%s@id.example>", "%s@example.org");

	(void)state;
	o.privacy = PRIVACY_DOMAIN;
	w->message.message_id = w->returned.message_id = w->report.original_message_id = TEXT("one@id.example");
	w->message.in_reply_to = TEXT("(your mail) <one@id.example> <two@id.example>");
	put_world(&o, w);
	sqlite3 *db = db_of(o.dir);
	assert_value(db, "SELECT message_id_hash = in_reply_to_hash AND message_id_hash = (SELECT message_id_hash FROM returned) "
			 "AND message_id_hash = (SELECT original_message_id_hash FROM reports) FROM messages", "1");
	assert_value(db, "SELECT message_id FROM messages", "@id.example");
	sqlite3_close(db);
	world_free(w);
}

/* ---- privacy ---- */

/* No text value of any table holds the word. */
static void assert_word_is_nowhere(sqlite3 *db, const char *word)
{
	sqlite3_stmt *tables, *q;

	assert_int_equal(sqlite3_prepare_v2(db, "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')", -1, &tables, NULL), SQLITE_OK);
	while (sqlite3_step(tables) == SQLITE_ROW) {
		const char *table = (const char *)sqlite3_column_text(tables, 0);
		char sql_text[128];

		snprintf(sql_text, sizeof sql_text, "SELECT * FROM %s", table);
		assert_int_equal(sqlite3_prepare_v2(db, sql_text, -1, &q, NULL), SQLITE_OK);
		while (sqlite3_step(q) == SQLITE_ROW)
			for (int i = 0; i < sqlite3_column_count(q); i++) {
				const char *p = sqlite3_column_blob(q, i);
				size_t n = (size_t)sqlite3_column_bytes(q, i);

				if (p && memmem(p, n, word, strlen(word)))
					fail_msg("%s.%s holds \"%.*s\"", table, sqlite3_column_name(q, i), (int)n, p);
			}
		sqlite3_finalize(q);
	}
	sqlite3_finalize(tables);
}

static void assert_word_is_in_no_file(const char *dir, const char *word)
{
	static const char *const names[] = { "facts.db", "facts.db-wal" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char path[512], block[65536 + 64];
		size_t kept = 0, n;

		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		FILE *f = fopen(path, "rb");
		assert_non_null(f);
		while ((n = fread(block + kept, 1, 65536, f)) > 0) {
			if (memmem(block, kept + n, word, strlen(word)))
				fail_msg("%s holds \"%s\"", path, word);
			kept = kept + n < 63 ? kept + n : 63;
			memmove(block, block + n, kept);
		}
		fclose(f);
	}
}

static void local_parts_are_nowhere_in_the_privacy_modes(void **state)
{
	static const char *const mailboxes[] = { "sekret@example.org", "sekret.%s@example.org", "\"sekret %s\"@example.org", "prvs=1234abcdef=sekret@example.org",
						 "SRS0=HHH=TT=example.net=sekret@fwd.example", "bounces+sekret=example.net@list.example", "sekret",
						 "sekret@[192.0.2.1]", "se\xffkret-sekret@example.org" };
	static const char *const plains[] = { "%s sekret@example.org", "<sekret@example.org>", "sekret@example.org", "a sekret-%s@example.org b",
					      "x \"sekret %s\"@example.org", "\xff sekret@example.org", "rfc822;sekret@[192.0.2.1]",
					      "=?utf-8?q?sekret=40example.org?=", "=?utf-8?b?c2VrcmV0QGV4YW1wbGUub3Jn?=" };

	(void)state;
	for (int privacy = PRIVACY_HASH; privacy <= PRIVACY_DOMAIN; privacy++)
		for (size_t i = 0; i < sizeof plains / sizeof *plains; i++) {
			struct store_options o = options(new_dir());
			bool encoded = strncmp(plains[i], "=?", 2) == 0;
			struct world *w = world_new(encoded ? "%s" : plains[i], mailboxes[i]);

			o.privacy = (enum config_privacy)privacy;
			if (encoded)
				w->message.subject = w->returned.subject = text(&(struct world){ .plain = plains[i], .arena = w->arena }, "");
			put_world(&o, w);
			sqlite3 *db = db_of(o.dir);
			assert_word_is_nowhere(db, "sekret");
			assert_word_is_nowhere(db, "c2Vrcm");
			sqlite3_close(db);
			assert_word_is_in_no_file(o.dir, "sekret");
			world_free(w);
		}
}

static void classes_and_inner_addresses_survive_privacy(void **state)
{
	(void)state;
	for (int privacy = PRIVACY_FULL; privacy <= PRIVACY_DOMAIN; privacy++) {
		struct store_options o = options(new_dir());
		struct world *w = world_new("%s", "%s@example.org");

		o.privacy = (enum config_privacy)privacy;
		w->mail.mail_from = TEXT("SRS0=HHH=TT=example.org=rcpt0@fwd.example");
		put_world(&o, w);
		sqlite3 *db = db_of(o.dir);
		assert_value(db, "SELECT t.mail_from_class || ' ' || substr(t.mail_from, -12) || ' ' || (t.mail_from_inner_id = r.address_id) "
				 "FROM transactions t JOIN recipients r ON r.transaction_rowid = t.id AND r.n = 0", "32 @fwd.example 1");
		sqlite3_close(db);
		world_free(w);
	}
}

static void addresses_show_as_the_redactor_shows_them(void **state)
{
	(void)state;
	for (int privacy = PRIVACY_FULL; privacy <= PRIVACY_DOMAIN; privacy++) {
		struct store_options o = options(new_dir());
		struct world *w = world_new("said <Who@Example.org>", "Who@Example.org");

		o.privacy = (enum config_privacy)privacy;
		put_world(&o, w);
		sqlite3 *db = db_of(o.dir);
		assert_value(db, "SELECT lower(reply) = lower('said <' || mail_from || '>') FROM transactions", "1");
		sqlite3_close(db);
		world_free(w);
	}
}

static void subject_is_kept_as_configured(void **state)
{
	static const struct {
		enum config_subject subject;
		const char *from;
		uint64_t markers;
		bool report;
		const char *expected;
	} cases[] = {
		{ SUBJECT_ALL, "user@example.org", 0, false, "subject" }, { SUBJECT_NONE, "", 1, true, "(NULL)" },
		{ SUBJECT_MARKED, "user@example.org", 0, false, "(NULL)" }, { SUBJECT_MARKED, "", 0, false, "subject" },
		{ SUBJECT_MARKED, "MAILER-DAEMON@example.org", 0, false, "subject" }, { SUBJECT_MARKED, "user@example.org", 1, false, "subject" },
		{ SUBJECT_MARKED, "user@example.org", UINT64_C(1) << 20, false, "(NULL)" },	/* List-Unsubscribe: ordinary lists have it */
		{ SUBJECT_MARKED, "user@example.org", 0, true, "subject" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct store_options o = options(new_dir());
		struct world *w = world_new("%s", "%s@example.org");

		o.subject = cases[i].subject;
		w->mail.mail_from = (struct text){ cases[i].from, (uint32_t)strlen(cases[i].from) };
		w->message.markers = cases[i].markers;
		w->message.phrase_count = 0;
		w->message.auto_submitted = (struct text){ 0 };
		if (!cases[i].report)
			w->message.report = NULL;
		put_world(&o, w);
		sqlite3 *db = db_of(o.dir);
		assert_value(db, "SELECT subject FROM messages", cases[i].expected);
		if (strcmp(cases[i].expected, "(NULL)") == 0)
			assert_value(db, "SELECT subject FROM returned", "(NULL)");
		sqlite3_close(db);
		world_free(w);
	}
}

/* ---- strangers' bytes ---- */

static void invalid_bytes_become_u_fffd_and_a_note(void **state)
{
	struct store_options o = options(new_dir());
	struct world *w = world_new("%s", "%s@example.org");

	(void)state;
	w->session.banner.text = TEXT("a\xff" "b\xc3");
	w->mail.reply.text = TEXT("\xed\xa0\x80");
	w->message.subject = TEXT("\xf0\x9f\x98\x80 \xf0\x9f");
	put_world(&o, w);
	sqlite3 *db = db_of(o.dir);
	assert_value(db, "SELECT banner FROM sessions", "a\xef\xbf\xbd" "b\xef\xbf\xbd");
	assert_value(db, "SELECT notes FROM sessions", "gap bare-lf invalid-utf8");
	assert_value(db, "SELECT notes FROM transactions", "truncated invalid-utf8");
	assert_value(db, "SELECT subject FROM messages", "\xf0\x9f\x98\x80 \xef\xbf\xbd");
	assert_value(db, "SELECT notes FROM messages", "invalid-utf8 mime-limit");
	sqlite3_close(db);
	world_free(w);
}

static void invalid_bytes_of_recipients_are_noted_on_their_mail(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct store_options o = options(new_dir());
		struct world *w = world_new("%s", "%s@example.org");

		if (i == 0)
			w->rcpt[1].reply.text = TEXT("550 \xff");
		else if (i == 1)
			w->rcpt[1].address = TEXT("us\xe9r@example.org");
		else
			w->mail.mail_from = TEXT("us\xe9r@example.org");
		put_world(&o, w);
		sqlite3 *db = db_of(o.dir);
		assert_value(db, "SELECT notes FROM transactions", "truncated invalid-utf8");
		sqlite3_close(db);
		world_free(w);
	}
}

static void nul_bytes_are_kept(void **state)
{
	struct store_options o = options(new_dir());
	struct world *w = world_new("%s", "%s@example.org");

	(void)state;
	w->session.helo = TEXT("a\0b");
	w->mail.mail_from = TEXT("a\0b@example.org");
	put_world(&o, w);
	sqlite3 *db = db_of(o.dir);
	assert_value(db, "SELECT hex(helo) FROM sessions", "610062");
	assert_value(db, "SELECT hex(mail_from) LIKE '61006240%' FROM transactions", "1");
	sqlite3_close(db);
	world_free(w);
}

static void long_texts_are_cut_between_characters(void **state)
{
	struct store_options o = options(new_dir());
	struct world *w = world_new("%s", "%s@example.org");
	char *big = xmalloc(20001);

	(void)state;
	for (size_t i = 0; i < 20000; i += 2)
		memcpy(big + 1 + i, "\xc3\xa9", 2);
	big[0] = 'x';
	w->session.banner.text = (struct text){ big, 20001 };
	w->mail.reply.text = (struct text){ big + 1, 20000 };
	put_world(&o, w);
	sqlite3 *db = db_of(o.dir);
	assert_value(db, "SELECT length(CAST(banner AS BLOB)) FROM sessions", "8191");
	assert_value(db, "SELECT notes FROM sessions", "gap truncated bare-lf");
	assert_value(db, "SELECT length(CAST(reply AS BLOB)) FROM transactions", "8192");
	assert_value(db, "SELECT instr(banner, char(0xfffd)) FROM sessions", "0");
	sqlite3_close(db);
	free(big);
	world_free(w);
}

static void text_that_looks_like_sql_is_text(void **state)
{
	struct store_options o = options(new_dir());
	struct world *w = world_new("'); DROP TABLE sessions; --%s", "%s'--@example.org");

	(void)state;
	put_world(&o, w);
	sqlite3 *db = db_of(o.dir);
	assert_value(db, "SELECT helo FROM sessions", "'); DROP TABLE sessions; --helo");
	sqlite3_close(db);
	world_free(w);
}

/* ---- the same again ---- */

static void put_from(const struct store_options *o, const struct world *w, const char *fingerprint)
{
	struct store *s = must_open(o);

	assert_int_equal(store_begin_source(s, fingerprint, "names"), STORE_SOURCE_TO_READ);
	struct store_feed *feed = store_feed_new(s);
	store_put_transaction(feed, &w->mail);
	store_put_session(feed, &w->session);
	store_feed_free(feed);
	store_end_source(s, false);
	assert_int_equal(store_close(s, "done"), 0);
}

static void id_from_another_source_is_a_sighting(void **state)
{
	struct store_options o = options(new_dir());
	struct world *w = world_new("%s", "%s@example.org");

	(void)state;
	put_from(&o, w, "first");
	put_from(&o, w, "second");
	sqlite3 *db = db_of(o.dir);
	assert_value(db, "SELECT count(*) || ' ' || min(source_id) FROM sessions", "1 1");
	assert_value(db, "SELECT count(*) || ' ' || min(run_id) FROM transactions", "1 1");
	assert_value(db, "SELECT count(*) FROM recipients", "2");
	assert_value(db, "SELECT count(*) || ' ' || source_id || ' ' || run_id FROM sighting", "1 2 2");
	sqlite3_close(db);
	world_free(w);
}

static void longer_sighting_supersedes_what_the_capture_cut_off(void **state)
{
	static const char *const tables[] = { "recipients", "messages", "reports", "report_recipients", "returned" };
	struct store_options o = options(new_dir());
	struct world *w = world_new("%s", "%s@example.org");
	char query[128];

	(void)state;
	w->mail.ordinal = 1;
	w->session.end = END_CAPTURE_END;
	put_from(&o, w, "first");
	struct store *s = must_open(&o);
	assert_int_equal(store_begin_source(s, "second", "names"), STORE_SOURCE_TO_READ);
	struct store_feed *feed = store_feed_new(s);
	w->mail.message = NULL;			/* the first mail again, as it was */
	w->mail.reply.text = TEXT("not stored: it ends as before");
	store_put_transaction(feed, &w->mail);
	w->mail.ordinal = 2;
	w->mail.ended_us += 500000;
	w->mail.reply.text = TEXT("new");
	store_put_transaction(feed, &w->mail);
	w->session.end = END_FIN;
	w->session.ended_us += 1000000;
	store_put_session(feed, &w->session);
	store_feed_free(feed);
	store_end_source(s, false);
	assert_int_equal(store_close(s, "done"), 0);
	w->mail.ended_us += 500000;		/* a third one: the session is complete, nothing changes any more */
	w->mail.reply.text = TEXT("newer");
	w->session.ended_us += 1000000;
	put_from(&o, w, "third");
	sqlite3 *db = db_of(o.dir);
	assert_value(db, "SELECT count(*) || ' ' || end_reason || ' ' || source_id FROM sessions", "1 fin 2");
	assert_value(db, "SELECT count(*) || ' ' || group_concat(reply) FROM (SELECT reply FROM transactions ORDER BY ordinal)", "2 reply,new");
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		snprintf(query, sizeof query, "SELECT count(*) FROM %s WHERE transaction_rowid NOT IN (SELECT id FROM transactions)", tables[i]);
		assert_value(db, query, "0");
	}
	assert_value(db, "SELECT group_concat(source_id || ':' || run_id) FROM (SELECT * FROM sighting ORDER BY run_id)", "1:1,3:3");
	sqlite3_close(db);
	world_free(w);
}

static void last_mail_of_a_cut_session_is_replaced_with_its_children(void **state)
{
	struct store_options o = options(new_dir());
	struct world *w = world_new("%s", "%s@example.org");

	(void)state;
	w->session.end = END_CAPTURE_END;
	w->mail.outcome = OUTCOME_UNKNOWN;
	w->mail.complete = false;
	put_from(&o, w, "first");
	w->session.end = END_FIN;	/* at the very same time: the clock is coarse */
	w->mail.outcome = OUTCOME_REJECTED;
	w->mail.rcpt_kept = 1;
	w->mail.message = NULL;
	put_from(&o, w, "second");
	sqlite3 *db = db_of(o.dir);
	assert_value(db, "SELECT end_reason FROM sessions", "fin");
	assert_value(db, "SELECT count(*) || outcome FROM transactions", "1rejected");
	assert_value(db, "SELECT count(*) FROM recipients", "1");
	assert_value(db, "SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM reports) + (SELECT count(*) FROM report_recipients) + "
			 "(SELECT count(*) FROM returned)", "0");
	sqlite3_close(db);
	world_free(w);
}

/* An ordinal that was counted after lost commands may belong to another mail. */
static void other_mail_of_the_same_ordinal_takes_nothing_away(void **state)
{
	static const struct {
		bool complete;
		uint32_t notes;
		uint64_t later_us;
		const char *left;
	} rows[] = {
		{ true, 0, 1, "FIRST1" }, { true, NOTE_ORDINAL_UNCERTAIN, 1, "FIRST1" }, { false, NOTE_ORDINAL_UNCERTAIN, 1, "FIRST1" },
		{ false, NOTE_GAP | NOTE_MID_STREAM, 1, "FIRST1" }, { false, NOTE_GAP, 1, "OTHER2" }, { false, NOTE_MID_STREAM, 0, "OTHER2" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct store_options o = options(new_dir());
		struct world *w = world_new("%s", "%s@example.org");

		w->session.end = END_CAPTURE_END;
		w->mail.complete = rows[i].complete;
		w->mail.queue_id = TEXT("FIRST1");
		put_from(&o, w, "first");
		w->session.end = END_FIN;
		w->session.ended_us += 1000000;
		w->mail.started_us += rows[i].later_us;
		w->mail.ended_us += 500000;
		w->mail.notes |= rows[i].notes;
		w->mail.queue_id = TEXT("OTHER2");
		put_from(&o, w, "second");
		sqlite3 *db = db_of(o.dir);
		assert_value(db, "SELECT group_concat(queue_id) FROM transactions", rows[i].left);
		assert_value(db, "SELECT source_id || ' ' || (SELECT group_concat(source_id) FROM sighting) FROM sessions", "2 1");
		sqlite3_close(db);
		world_free(w);
	}
}

/* Two taps have two clocks. */
static void another_clock_does_not_make_another_session(void **state)
{
	static const struct { int64_t off_us; const char *rows; } rows[] = {
		{ 0, "1 1 1" }, { 1500000, "1 1 1" }, { -2999999, "1 1 1" }, { 20000000, "2 2 0" }, { -20000000, "2 2 0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct store_options o = options(new_dir());
		struct world *w = world_new("%s", "%s@example.org");

		w->session.end = END_FIN;
		put_from(&o, w, "first");
		w->session.started_us = (uint64_t)((int64_t)w->session.started_us + rows[i].off_us);
		put_from(&o, w, "second");
		sqlite3 *db = db_of(o.dir);
		assert_value(db, "SELECT (SELECT count(*) FROM sessions) || ' ' || (SELECT count(*) FROM transactions) || ' ' || (SELECT count(*) FROM sighting)",
			     rows[i].rows);
		sqlite3_close(db);
		world_free(w);
	}
}

/* A stranger may nest them as often as an address is long. */
static void inner_address_has_none_itself(void **state)
{
	struct store_options o = options(new_dir());
	struct world *w = world_new("%s", "%s@example.org");
	struct buf nested = { 0 };

	(void)state;
	for (int i = 0; i < 140; i++)
		buf_add_str(&nested, "prvs=1=");
	buf_add_str(&nested, "u@nested.example");
	w->mail.mail_from = (struct text){ nested.p, (uint32_t)nested.len };
	put_world(&o, w);
	sqlite3 *db = db_of(o.dir);
	assert_value(db, "SELECT mail_from_class || ' ' || count(mail_from_inner_id) FROM transactions", "16 1");
	sqlite3_close(db);
	buf_fini(&nested);
	world_free(w);
}

static void shorter_sighting_changes_nothing(void **state)
{
	struct store_options o = options(new_dir());
	struct world *w = world_new("%s", "%s@example.org");

	(void)state;
	w->session.end = END_CAPTURE_END;
	put_from(&o, w, "first");
	w->session.ended_us -= 1000000;
	w->mail.ended_us -= 1000000;
	w->mail.outcome = OUTCOME_UNKNOWN;
	w->session.packets--;
	put_from(&o, w, "second");
	sqlite3 *db = db_of(o.dir);
	assert_value(db, "SELECT packets || ' ' || source_id FROM sessions", "14 1");
	assert_value(db, "SELECT outcome || ' ' || run_id FROM transactions", "accepted 1");
	sqlite3_close(db);
	world_free(w);
}

static void done_source_is_skipped_and_unfinished_one_is_read_again(void **state)
{
	struct store_options o = options(new_dir());
	struct world *w = world_new("%s", "%s@example.org");

	(void)state;
	struct store *s = must_open(&o);
	assert_int_equal(store_begin_source(s, "print", "a.pcap\nb.pcap"), STORE_SOURCE_TO_READ);
	struct store_feed *feed = store_feed_new(s);
	store_put_transaction(feed, &w->mail);
	store_feed_free(feed);
	assert_int_equal(store_close(s, "stopped"), 0);
	s = must_open(&o);
	assert_int_equal(store_begin_source(s, "print", "a.pcap\nb.pcap"), STORE_SOURCE_TO_READ);
	feed = store_feed_new(s);
	store_put_transaction(feed, &w->mail);
	store_put_session(feed, &w->session);
	store_feed_free(feed);
	store_end_source(s, true);
	assert_int_equal(store_close(s, "damaged"), 0);
	s = must_open(&o);
	assert_int_equal(store_begin_source(s, "print", "a.pcap\nb.pcap"), STORE_SOURCE_DAMAGED);
	assert_int_equal(store_close(s, "damaged"), 0);
	s = must_open(&o);
	assert_int_equal(store_begin_source(s, "whole", "d.pcap"), STORE_SOURCE_TO_READ);
	store_end_source(s, false);
	assert_int_equal(store_close(s, "done"), 0);
	s = must_open(&o);
	assert_int_equal(store_begin_source(s, "whole", "d.pcap"), STORE_SOURCE_DONE);
	assert_int_equal(store_close(s, "done"), 0);
	s = must_open(&o);
	assert_int_equal(store_begin_source(s, "another", "c.pcap"), STORE_SOURCE_TO_READ);
	assert_int_equal(store_begin_source(s, NULL, NULL), STORE_SOURCE_TO_READ);	/* standard input */
	assert_int_equal(store_close(s, "done"), 0);
	sqlite3 *db = db_of(o.dir);
	assert_value(db, "SELECT group_concat(state || ' ' || files) FROM source", "damaged a.pcap\nb.pcap,done d.pcap,reading c.pcap");
	assert_value(db, "SELECT count(*) || ' ' || min(run_id) FROM transactions", "1 1");
	assert_value(db, "SELECT count(*) FROM sighting", "0");
	assert_value(db, "SELECT group_concat(coalesce(source_id, 0)) FROM sensor_run", "1,1,1,2,2,3");
	sqlite3_close(db);
	world_free(w);
}

static void counters_of_a_source_are_kept_once(void **state)
{
	struct store_options o = options(new_dir());

	(void)state;
	for (int run = 0; run < 3; run++) {
		struct fact_capture c = counters;
		struct store *s = must_open(&o);

		assert_int_equal(store_begin_source(s, run < 2 ? "print" : "other", "names"), STORE_SOURCE_TO_READ);
		struct store_feed *feed = store_feed_new(s);
		c.packets = 10 + (unsigned)run;
		store_put_capture(feed, &c);
		store_feed_free(feed);
		assert_int_equal(store_close(s, "stopped"), 0);
	}
	sqlite3 *db = db_of(o.dir);
	assert_value(db, "SELECT group_concat(run_id || ':' || packets) FROM capture", "2:11,3:12");
	sqlite3_close(db);
}

/* ---- batches ---- */

static void live_facts_are_committed_once_a_second(void **state)
{
	struct store_options o = options(new_dir());
	struct world *w = world_new("%s", "%s@example.org");

	(void)state;
	o.live = true;
	struct store *s = must_open(&o);
	struct store_feed *feed = store_feed_new(s);
	store_tick(feed, START);
	store_put_transaction(feed, &w->mail);
	store_tick(feed, START + 999999);
	sqlite3 *db = db_of(o.dir);
	assert_value(db, "SELECT count(*) FROM transactions", "0");
	store_tick(feed, START + 1000000);
	claim(s);
	release(s);
	assert_value(db, "SELECT count(*) FROM transactions", "1");
	assert_value(db, "SELECT count(*) FROM batch", "1");
	store_put_session(feed, &w->session);
	store_feed_free(feed);
	assert_int_equal(store_close(s, "done"), 0);
	assert_value(db, "SELECT group_concat(seq || ' ' || session_rowid || ' ' || transaction_rowid) FROM batch", "1 0 1,2 1 1");
	sqlite3_close(db);
	world_free(w);
}

/* Whoever follows the batches by their greatest row ids must miss nothing. */
static void row_ids_of_two_feeds_ascend_with_the_commits(void **state)
{
	struct store_options o = options(new_dir());
	struct world *w = world_new("%s", "%s@example.org");

	(void)state;
	struct store *s = must_open(&o);
	struct store_feed *feed[2] = { store_feed_new(s), store_feed_new(s) };
	for (uint32_t i = 0; i < 6; i++) {
		w->mail.ordinal = i + 1;
		w->session.session_id[0] = (uint8_t)i;
		store_put_transaction(feed[i % 2], &w->mail);
		store_put_session(feed[i % 2], &w->session);
	}
	store_feed_free(feed[1]);	/* what was put second is committed first */
	store_feed_free(feed[0]);
	assert_int_equal(store_close(s, "done"), 0);
	sqlite3 *db = db_of(o.dir);
	assert_value(db, "SELECT group_concat(seq || ' ' || session_rowid || ' ' || transaction_rowid) FROM batch", "1 3 3,2 6 6");
	assert_value(db, "SELECT group_concat(id || ':' || ordinal) FROM (SELECT id, ordinal FROM transactions WHERE batch_seq = 1 ORDER BY id)", "1:2,2:4,3:6");
	assert_value(db, "SELECT count(*) FROM sessions s JOIN transactions t ON t.id = s.id AND t.batch_seq = s.batch_seq", "6");
	assert_value(db, "SELECT group_concat(transaction_rowid) FROM recipients WHERE n = 1", "1,2,3,4,5,6");
	assert_value(db, "SELECT count(*) FROM messages m JOIN reports USING (transaction_rowid) JOIN returned USING (transaction_rowid)", "6");
	sqlite3_close(db);
	world_free(w);
}

static void full_queue_of_a_live_capture_lets_the_oldest_go(void **state)
{
	enum { FACTS = 20000 };
	struct store_options o = options(new_dir());
	struct world *w = world_new("%s", "%s@example.org");
	char *big = xmalloc(LIMIT_COLUMN_TEXT), path[512];
	sqlite3 *locker;

	(void)state;
	memset(big, 'x', LIMIT_COLUMN_TEXT);
	o.live = true;
	struct store *s = must_open(&o);
	snprintf(path, sizeof path, "%s/facts.db", o.dir);
	assert_int_equal(sqlite3_open(path, &locker), SQLITE_OK);
	assert_int_equal(db_exec(locker, "BEGIN IMMEDIATE", NULL, 0), 0);
	w->mail.message = NULL;
	w->mail.reply.text = (struct text){ big, LIMIT_COLUMN_TEXT };
	struct store_feed *feed = store_feed_new(s);
	for (uint32_t i = 0; i < FACTS; i++) {	/* 160 MB */
		w->mail.ordinal = i + 1;
		store_put_transaction(feed, &w->mail);
	}
	assert_true(s->queued_bytes <= LIMIT_QUEUE_BYTES + 2 * LIMIT_BATCH_BYTES);
	assert_true(s->facts_lost > 0);
	db_exec(locker, "ROLLBACK", NULL, 0);
	sqlite3_close(locker);
	store_feed_free(feed);
	assert_int_equal(store_close(s, "done"), -1);
	sqlite3 *db = db_of(o.dir);
	assert_value(db, "SELECT (SELECT count(*) FROM transactions) + (SELECT facts_lost FROM sensor_run)", "20000");
	assert_value(db, "SELECT max(ordinal) FROM transactions", "20000");
	sqlite3_close(db);
	free(big);
	world_free(w);
}

/* ---- opening ---- */

static void second_writer_is_refused(void **state)
{
	struct store_options o = options(new_dir());
	struct store *s = must_open(&o);

	(void)state;
	assert_refused(&o, EX_TEMPFAIL, "another bouncetapd writes to this store");
	assert_int_equal(store_close(s, "done"), 0);
	assert_int_equal(store_close(must_open(&o), "done"), 0);
}

static void store_keeps_its_privacy(void **state)
{
	struct store_options o = options(new_dir());

	(void)state;
	o.privacy = PRIVACY_HASH;
	assert_int_equal(store_close(must_open(&o), "done"), 0);
	o.privacy = PRIVACY_DOMAIN;
	assert_refused(&o, EX_CONFIG, "made with [privacy] addresses = hash, the configuration says domain");
	o.privacy = PRIVACY_HASH;
	assert_int_equal(store_close(must_open(&o), "done"), 0);
}

static void change_file(const char *dir, const char *statement)
{
	char path[512];
	sqlite3 *db;

	snprintf(path, sizeof path, "%s/facts.db", dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(db_exec(db, statement, NULL, 0), 0);
	sqlite3_close(db);
}

static void assert_unreadable(const char *dir, const char *words)
{
	char error[512] = "";
	unsigned present;

	assert_null(db_open_read(dir, DB_BUSY_MS, &present, NULL, error, sizeof error));
	if (!strstr(error, words) || !strstr(error, dir))
		fail_msg("\"%s\", expected \"%s\"", error, words);
}

static void newer_major_version_is_refused_newer_minor_is_not(void **state)
{
	struct store_options o = options(new_dir());
	struct world *w = world_new("%s", "%s@example.org");

	(void)state;
	put_world(&o, w);
	sqlite3 *db = db_of(o.dir);
	assert_value(db, "PRAGMA user_version", "257");
	sqlite3_close(db);
	change_file(o.dir, "PRAGMA user_version = 261; ALTER TABLE sessions ADD COLUMN later TEXT");
	db = db_of(o.dir);
	assert_value(db, "SELECT helo FROM sessions", "helo");
	sqlite3_close(db);
	assert_int_equal(store_close(must_open(&o), "done"), 0);
	db = db_of(o.dir);
	assert_value(db, "PRAGMA user_version", "261");
	sqlite3_close(db);
	change_file(o.dir, "PRAGMA user_version = 512");
	assert_refused(&o, EX_CANTCREAT, "written by a newer bouncetap (schema 2.0");
	assert_unreadable(o.dir, "written by a newer bouncetap (schema 2.0");
	world_free(w);
}

static void file_of_another_program_is_left_alone(void **state)
{
	static const char *const others[] = { "PRAGMA application_id = 77; CREATE TABLE x (y)", "CREATE TABLE x (y)", "PRAGMA user_version = 3; CREATE TABLE x (y)",
					      "PRAGMA application_id = -5; CREATE TABLE x (y)" };

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		struct store_options o = options(new_dir());
		char path[512];

		assert_int_equal(mkdir(o.dir, 0700), 0);
		snprintf(path, sizeof path, "%s/key", o.dir);
		FILE *f = fopen(path, "wb");
		assert_non_null(f);
		assert_int_equal(fwrite("0123456789abcdef", 1, 16, f), 16);
		fclose(f);
		change_file(o.dir, others[i]);
		assert_refused(&o, EX_CANTCREAT, "not a facts.db of bouncetap");
		assert_unreadable(o.dir, "not a facts.db of bouncetap");
		sqlite3 *db;
		snprintf(path, sizeof path, "%s/facts.db", o.dir);
		assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
		assert_value(db, "SELECT count(*) FROM sqlite_master", "1");
		sqlite3_close(db);
	}
}

static unsigned count_files(const char *dir, const char *beginning)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	assert_non_null(d);
	for (const struct dirent *e = readdir(d); e; e = readdir(d))
		n += strncmp(e->d_name, beginning, strlen(beginning)) == 0;
	closedir(d);
	return n;
}

static void damaged_file_is_set_aside(void **state)
{
	struct store_options o = options(new_dir());
	struct world *w = world_new("%s", "%s@example.org");
	char path[512];

	(void)state;
	put_world(&o, w);
	snprintf(path, sizeof path, "%s/facts.db", o.dir);
	FILE *f = fopen(path, "r+b");
	assert_non_null(f);
	for (int i = 0; i < 4096; i++)
		fputc('x', f);
	fclose(f);
	assert_unreadable(o.dir, "not a database");
	put_world(&o, w);
	sqlite3 *db = db_of(o.dir);
	assert_value(db, "SELECT count(*) || ' ' || min(run_id) FROM transactions", "1 1");
	sqlite3_close(db);
	assert_int_equal(count_files(o.dir, "facts.db.corrupt-"), 3);
	world_free(w);
}

static void directory_is_made_but_not_its_parents(void **state)
{
	char dir[512], error[512];
	struct store_options o = options(new_dir());
	struct stat st;
	unsigned present;
	mode_t old = umask(0077);	/* as a unit of systemd has it */

	(void)state;
	assert_unreadable(o.dir, "there is no store here");
	assert_int_equal(store_close(must_open(&o), "done"), 0);
	umask(old);
	assert_int_equal(stat(o.dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	snprintf(dir, sizeof dir, "%s/key", o.dir);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 16);
	snprintf(dir, sizeof dir, "%s/no/such", o.dir);
	struct store_options missing = options(dir);
	assert_refused(&missing, EX_CANTCREAT, "No such file or directory");
	snprintf(dir, sizeof dir, "%s/key", o.dir);
	assert_refused(&missing, EX_CANTCREAT, "Not a directory");
	assert_null(db_open_read(dir, DB_BUSY_MS, &present, NULL, error, sizeof error));
}

static void key_is_made_once(void **state)
{
	struct store_options o = options(new_dir());
	struct world *w = world_new("%s", "%s@example.org");
	char path[512];

	(void)state;
	put_world(&o, w);
	w->session.session_id[0] = 1;
	put_world(&o, w);
	sqlite3 *db = db_of(o.dir);
	assert_value(db, "SELECT count(DISTINCT mail_from_id) || ' ' || count(*) FROM transactions", "1 2");
	sqlite3_close(db);
	snprintf(path, sizeof path, "%s/key", o.dir);
	assert_int_equal(truncate(path, 3), 0);
	assert_refused(&o, EX_DATAERR, "missing or damaged");
	assert_int_equal(unlink(path), 0);
	assert_refused(&o, EX_DATAERR, "missing or damaged");
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_reaches_its_column),
		cmocka_unit_test(what_a_text_says_of_recipients_is_kept_without_a_report),
		cmocka_unit_test(what_was_not_seen_is_null),
		cmocka_unit_test(same_id_in_answer_and_original_has_the_same_hash),
		cmocka_unit_test(local_parts_are_nowhere_in_the_privacy_modes),
		cmocka_unit_test(classes_and_inner_addresses_survive_privacy),
		cmocka_unit_test(addresses_show_as_the_redactor_shows_them),
		cmocka_unit_test(subject_is_kept_as_configured),
		cmocka_unit_test(invalid_bytes_become_u_fffd_and_a_note),
		cmocka_unit_test(invalid_bytes_of_recipients_are_noted_on_their_mail),
		cmocka_unit_test(nul_bytes_are_kept),
		cmocka_unit_test(long_texts_are_cut_between_characters),
		cmocka_unit_test(text_that_looks_like_sql_is_text),
		cmocka_unit_test(id_from_another_source_is_a_sighting),
		cmocka_unit_test(longer_sighting_supersedes_what_the_capture_cut_off),
		cmocka_unit_test(last_mail_of_a_cut_session_is_replaced_with_its_children),
		cmocka_unit_test(other_mail_of_the_same_ordinal_takes_nothing_away),
		cmocka_unit_test(another_clock_does_not_make_another_session),
		cmocka_unit_test(inner_address_has_none_itself),
		cmocka_unit_test(shorter_sighting_changes_nothing),
		cmocka_unit_test(done_source_is_skipped_and_unfinished_one_is_read_again),
		cmocka_unit_test(counters_of_a_source_are_kept_once),
		cmocka_unit_test(live_facts_are_committed_once_a_second),
		cmocka_unit_test(row_ids_of_two_feeds_ascend_with_the_commits),
		cmocka_unit_test(full_queue_of_a_live_capture_lets_the_oldest_go),
		cmocka_unit_test(second_writer_is_refused),
		cmocka_unit_test(store_keeps_its_privacy),
		cmocka_unit_test(newer_major_version_is_refused_newer_minor_is_not),
		cmocka_unit_test(file_of_another_program_is_left_alone),
		cmocka_unit_test(damaged_file_is_set_aside),
		cmocka_unit_test(directory_is_made_but_not_its_parents),
		cmocka_unit_test(key_is_made_once),
	};

	return cmocka_run_group_tests_name("store", tests, make_top, remove_top);
}
