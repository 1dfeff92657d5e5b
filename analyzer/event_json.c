/*
 * event_json.c - see event_json.h. Keys are a contract: always all of them, null for what is not known.
 *
 * A cursor over the columns keeps each list of columns and the keys made from it in one order, side by side.
 */
#include "analyzer/event_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/community_id.h"
#include "analyzer/mail.h"
#include "common/ip.h"
#include "common/json.h"
#include "common/timefmt.h"
#include "common/xmalloc.h"
#include "schema/db.h"

enum { EVENT_SCHEMA = 1, HEX_ID_MAX = 33 };

enum statement { SENSOR, SESSION, TRANSACTION, MESSAGE, RECIPIENTS, REPORT, REPORT_RECIPIENTS, RETURNED, CAPTURE, FACTS_COUNT,
	FINDING = FACTS_COUNT, CAUSE, CAUSE_RECIPIENTS, ROOT, REASONS, RISK, RISK_REASONS, REFUSAL, STATEMENT_COUNT };

#define HEX_ID(t) "lower(hex(" t ".session_id))"

static const char sql_session_columns[] =
	"SELECT s.started_us, s.ended_us, s.run_id, " HEX_ID("s") ", s.src_ip, s.src_port, s.dest_ip, s.dest_port, s.end_reason, s.outcome,"
	" s.app_proto, s.banner, s.helo, s.ehlo_keywords, s.vrfy_count, s.auth, s.tls, s.tls_version, s.sni, s.bytes_toserver, s.bytes_toclient,"
	" s.unseen_bytes, s.complete, s.notes, %s FROM sessions s %s WHERE s.id = ?1";
static const char sql_transaction_columns[] =
	"SELECT t.started_us, t.ended_us, t.run_id, " HEX_ID("t") " || '.' || t.ordinal, " HEX_ID("t") ", t.src_ip, t.src_port, t.dest_ip, t.dest_port,"
	" t.helo, t.tls, t.auth, t.mail_from, t.null_sender, t.mail_params, t.ret, t.envid, t.rcpt_count, t.outcome, t.code, t.enhanced,"
	" t.reply, t.queue_id, t.mail_us, t.data_end_us, t.reply_us, t.size_bytes, t.bytes_seen, t.complete, t.notes, %s"
	" FROM transactions t %s WHERE t.id = ?1";

static const char *const sql[STATEMENT_COUNT] = {
	[SENSOR] = "SELECT sensor FROM sensor_run WHERE id = ?1",
	[MESSAGE] = "SELECT message_id, in_reply_to, reference_ids, from_header, reply_to, subject, auto_submitted, list_id, notes"
		" FROM (SELECT 1) LEFT JOIN messages ON transaction_rowid = ?1",
	[RECIPIENTS] = "SELECT address, code, enhanced, reply, notify, orcpt FROM recipients WHERE transaction_rowid = ?1 ORDER BY n",
	[REPORT] = "SELECT reporting_mta FROM reports WHERE transaction_rowid = ?1",
	[REPORT_RECIPIENTS] = "SELECT final_recipient, original_recipient, action, status, diagnostic FROM report_recipients WHERE transaction_rowid = ?1 ORDER BY n",
	[RETURNED] = "SELECT message_id, from_header, (SELECT from_ip FROM received c WHERE c.transaction_rowid = r.transaction_rowid AND c.part = 1"
		" AND c.from_ip IS NOT NULL ORDER BY c.n LIMIT 1), authserv, spf, dkim, dmarc, spam FROM returned r WHERE transaction_rowid = ?1",
	[CAPTURE] = "SELECT start_us, end_us, run_id, interface, packets, bytes, kernel_drops, interface_drops, unseen_bytes, flows, evicted, sessions,"
		" encrypted_sessions, one_sided_sessions FROM capture WHERE run_id = ?1 AND start_us = ?2 ORDER BY interface LIMIT 1 OFFSET ?3",
	[FINDING] = "SELECT f.first_us, f.last_us, f.finding_id, s.name, f.address, f.public_address, f.kind, f.misdirected, f.exposure, f.tier,"
		" f.recipient, f.recipient_domain, f.attempts, f.revision, f.settled, o.name, f.originator_how, f.cause_class, f.cause_rowid,"
		" f.origin_ip, f.cause_delay_ms, f.cause_matched_by, f.root_rowid, f.root_code, f.root_enhanced, f.root_reply"
		" FROM verdicts.finding f JOIN verdicts.server s ON s.id = f.server_id LEFT JOIN verdicts.server o ON o.id = f.originator_server_id"
		" WHERE f.id = ?1",
	[CAUSE] = "SELECT " HEX_ID("t") " || '.' || t.ordinal, t.mail_from, m.message_id, t.rcpt_accepted FROM transactions t"
		" LEFT JOIN messages m ON m.transaction_rowid = t.id WHERE t.id = ?1",
	[CAUSE_RECIPIENTS] = "SELECT address FROM recipients r WHERE r.transaction_rowid = ?1"
		" AND (?2 = 0 OR r.code < 300) ORDER BY r.n",
	[ROOT] = "SELECT " HEX_ID("t") " || '.' || t.ordinal FROM transactions t WHERE t.id = ?1",
	[REASONS] = "SELECT rule, sign, strength, text FROM verdicts.finding_reason WHERE finding_rowid = ?1 ORDER BY n",
	[RISK] = "SELECT (SELECT now_us FROM verdicts.meta), s.name, r.address, r.list, r.status, r.mails, r.attempts, r.domains, r.first_us, r.last_us,"
		" r.expires_us, r.margin, r.server_id FROM verdicts.risk r JOIN verdicts.server s ON s.id = r.server_id WHERE r.rowid = ?1",
	[RISK_REASONS] = "SELECT text FROM verdicts.risk_reason WHERE server_id = ?1 AND address = ?2 AND list = ?3 ORDER BY n",
	[REFUSAL] = "SELECT r.at_us, r.refusal_id, s.name, r.address, r.list, r.zone, r.remote_ip, r.code, r.reply, " HEX_ID("r")
		" FROM verdicts.refusal r JOIN verdicts.server s ON s.id = r.server_id WHERE r.rowid = ?1",
};

struct event_json {
	sqlite3_stmt *q[STATEMENT_COUNT];
	char *sensor;		/* of run sensor_run */
	int64_t sensor_run;
};

const char *event_type_name(enum event_type t)
{
	static const char *const names[EVENT_TYPE_COUNT] = { "session", "transaction", "finding", "risk", "refusal", "capture" };

	return names[t];
}

struct event_json *event_json_new(sqlite3 *db, unsigned present)
{
	bool judged = present >> DB_VERDICTS & 1;
	struct event_json *e = xcalloc(1, sizeof *e);
	char *session = sqlite3_mprintf(sql_session_columns, judged ? "v.direction, v.software" : "NULL, NULL",
				  judged ? "LEFT JOIN verdicts.session_verdict v ON v.session_rowid = s.id" : "");
	char *transaction = sqlite3_mprintf(sql_transaction_columns,
				      judged ? "v.direction, v.kind, v.kind_rule, v.provenance, v.origin_ip, v.origin_from, v.tier"
					     : "NULL, NULL, NULL, NULL, NULL, NULL, NULL",
				      judged ? "LEFT JOIN verdicts.transaction_verdict v ON v.transaction_rowid = t.id" : "");
	for (int i = 0; i < STATEMENT_COUNT; i++)
		if (i < FACTS_COUNT || judged)
			e->q[i] = db_prepare(db, i == SESSION ? session : i == TRANSACTION ? transaction : sql[i]);
	sqlite3_free(session);
	sqlite3_free(transaction);
	return e;
}

void event_json_free(struct event_json *e)
{
	if (!e)
		return;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(e->q[i]);
	free(e->sensor);
	free(e);
}

/* ---- helpers ---- */

/* A row being printed: the columns are taken one after the other. */
struct printer {
	struct event_json *e;
	struct json j;
	sqlite3_stmt *s;
	int i;
	struct text notes;	/* of the transaction, until those of its message are known */
};

static sqlite3_stmt *query(struct event_json *e, enum statement which, int64_t rowid)
{
	sqlite3_reset(e->q[which]);
	sqlite3_bind_int64(e->q[which], 1, rowid);
	return e->q[which];
}

static bool is_null(struct printer *p)
{
	return sqlite3_column_type(p->s, p->i) == SQLITE_NULL;
}

static int64_t take_int(struct printer *p)
{
	return sqlite3_column_int64(p->s, p->i++);
}

static struct text take_text(struct printer *p)
{
	return column_text(p->s, p->i++);
}

static void put_text(struct printer *p, const char *key)
{
	json_text(&p->j, key, take_text(p));
}

static void put_int(struct printer *p, const char *key)
{
	if (is_null(p))
		json_null(&p->j, key);
	else
		json_int(&p->j, key, sqlite3_column_int64(p->s, p->i));
	p->i++;
}

static void put_bool(struct printer *p, const char *key)
{
	if (is_null(p))
		json_null(&p->j, key);
	else
		json_bool(&p->j, key, sqlite3_column_int(p->s, p->i) != 0);
	p->i++;
}

static void put_time_value(struct json *j, const char *key, int64_t us)
{
	char text[TIME_TEXT_MAX];

	json_string(j, key, time_format_utc(us, text));
}

static void put_time(struct printer *p, const char *key)
{
	if (is_null(p))
		json_null(&p->j, key);
	else
		put_time_value(&p->j, key, sqlite3_column_int64(p->s, p->i));
	p->i++;
}

/* Words separated by sep become an array; NULL stays null. */
static void put_words(struct json *j, const char *key, struct text t, char sep)
{
	if (!t.p) {
		json_null(j, key);
		return;
	}
	json_array(j, key);
	for (uint32_t begin = 0, i = 0; i <= t.len; i++)
		if (i == t.len || t.p[i] == sep) {
			if (i > begin)
				json_text(j, NULL, (struct text){ t.p + begin, i - begin });
			begin = i + 1;
		}
	json_array_end(j);
}

static const char *sensor_of(struct event_json *e, int64_t run)
{
	if (e->sensor && run == e->sensor_run)
		return e->sensor;
	sqlite3_stmt *s = query(e, SENSOR, run);
	free(e->sensor);
	e->sensor = sqlite3_step(s) == SQLITE_ROW ? xstrdup((const char *)sqlite3_column_text(s, 0)) : NULL;
	e->sensor_run = run;
	sqlite3_reset(s);
	return e->sensor;
}

/* run 0: verdicts are about all runs of a store; its first one names the sensor. */
static void put_common(struct printer *p, enum event_type type, int64_t begin_us, int64_t end_us, int64_t run)
{
	put_time_value(&p->j, "timestamp", begin_us);
	put_time_value(&p->j, "ended", end_us);
	json_string(&p->j, "event_type", event_type_name(type));
	json_int(&p->j, "schema", EVENT_SCHEMA);
	json_string(&p->j, "sensor", sensor_of(p->e, run ? run : 1));
}

/* ---- session ---- */

static void put_community_id(struct printer *p, struct text src, int src_port, struct text dest, int dest_port)
{
	struct ip_addr a = { 0 }, b = { 0 };
	char id[COMMUNITY_ID_MAX];

	ip_parse(src.p, src.len, &a);
	ip_parse(dest.p, dest.len, &b);
	community_id(&a, (uint16_t)src_port, &b, (uint16_t)dest_port, id);
	json_string(&p->j, "community_id", id[0] ? id : NULL);
}

static void put_ends(struct printer *p)
{
	put_text(p, "src_ip");
	put_int(p, "src_port");
	put_text(p, "dest_ip");
	put_int(p, "dest_port");
}

static void print_session(struct printer *p)
{
	int64_t started = take_int(p), ended = take_int(p);

	put_common(p, EVENT_SESSION, started, ended, take_int(p));
	put_text(p, "session_id");
	put_community_id(p, column_text(p->s, p->i), sqlite3_column_int(p->s, p->i + 1), column_text(p->s, p->i + 2),
			 sqlite3_column_int(p->s, p->i + 3));
	put_ends(p);
	put_time_value(&p->j, "started", started);
	put_text(p, "end_reason");
	put_text(p, "outcome");
	put_text(p, "app_proto");
	put_text(p, "banner");
	put_text(p, "helo");
	put_words(&p->j, "ehlo_keywords", take_text(p), '\n');
	put_int(p, "vrfy_count");
	put_bool(p, "auth");
	put_text(p, "tls");
	put_text(p, "tls_version");
	put_text(p, "sni");
	put_int(p, "bytes_toserver");
	put_int(p, "bytes_toclient");
	put_int(p, "unseen_bytes");
	put_bool(p, "complete");
	put_words(&p->j, "notes", take_text(p), ' ');
	put_text(p, "direction");
	put_text(p, "software");
}

/* ---- transaction ---- */

static void put_recipients(struct printer *p, int64_t rowid)
{
	sqlite3_stmt *s = query(p->e, RECIPIENTS, rowid);

	json_array(&p->j, "rcpt_to");
	while (sqlite3_step(s) == SQLITE_ROW) {
		struct printer r = { .e = p->e, .s = s };

		json_object(&p->j, NULL);
		r.j = p->j;
		put_text(&r, "address");
		put_int(&r, "code");
		put_text(&r, "enhanced");
		put_text(&r, "reply");
		put_text(&r, "notify");
		put_text(&r, "orcpt");
		p->j = r.j;
		json_object_end(&p->j);
	}
	sqlite3_reset(s);
	json_array_end(&p->j);
}

/* Runs one statement and hands its only row to fill. */
static void put_row(struct printer *p, sqlite3_stmt *s, void (*fill)(struct printer *p))
{
	sqlite3_stmt *outer = p->s;
	int at = p->i;

	sqlite3_step(s);
	p->s = s;
	p->i = 0;
	fill(p);
	sqlite3_reset(s);
	p->s = outer;
	p->i = at;
}

/* Doubts about the envelope and about the message, each word once. */
static void put_notes(struct printer *p, struct text envelope, struct text message)
{
	struct buf words = { 0 };

	buf_add_text(&words, envelope);
	for (uint32_t begin = 0, i = 0; message.p && i <= message.len; i++)
		if (i == message.len || message.p[i] == ' ') {
			char word[64];

			snprintf(word, sizeof word, "%.*s", (int)(i - begin), message.p + begin);
			if (text_find_nocase(envelope, word) < 0)
				buf_printf(&words, " %s", word);
			begin = i + 1;
		}
	put_words(&p->j, "notes", (struct text){ buf_cstr(&words), (uint32_t)words.len }, ' ');
	buf_fini(&words);
}

static void fill_message(struct printer *p)
{
	put_text(p, "message_id");
	put_text(p, "in_reply_to");
	put_text(p, "references");
	put_text(p, "from");
	put_text(p, "reply_to");
	put_text(p, "subject");
	put_text(p, "auto_submitted");
	put_text(p, "list_id");
	put_notes(p, p->notes, take_text(p));
}

static void put_report_recipients(struct printer *p, int64_t rowid)
{
	sqlite3_stmt *s = query(p->e, REPORT_RECIPIENTS, rowid);

	json_array(&p->j, "recipients");
	while (sqlite3_step(s) == SQLITE_ROW) {
		json_object(&p->j, NULL);
		json_text(&p->j, "final", column_text(s, 0));
		json_text(&p->j, "original", column_text(s, 1));
		json_text(&p->j, "action", column_text(s, 2));
		json_text(&p->j, "status", column_text(s, 3));
		json_text(&p->j, "diagnostic", column_text(s, 4));
		json_object_end(&p->j);
	}
	sqlite3_reset(s);
	json_array_end(&p->j);
}

static void fill_returned(struct printer *p)
{
	put_text(p, "message_id");
	put_text(p, "from");
	put_text(p, "received_ip");
	put_text(p, "authserv");
	put_text(p, "spf");
	put_text(p, "dkim");
	put_text(p, "dmarc");
	put_text(p, "spam");
}

static void put_report(struct printer *p, int64_t rowid)
{
	sqlite3_stmt *report = query(p->e, REPORT, rowid), *returned = query(p->e, RETURNED, rowid);
	bool has_report = sqlite3_step(report) == SQLITE_ROW, has_returned = sqlite3_step(returned) == SQLITE_ROW;

	if (has_report || has_returned) {
		json_object(&p->j, "report");
		json_text(&p->j, "reporting_mta", has_report ? column_text(report, 0) : (struct text){ 0 });
		put_report_recipients(p, has_report ? rowid : 0);	/* of report parts, not of texts */
		if (has_returned) {
			sqlite3_reset(returned);
			json_object(&p->j, "returned");
			put_row(p, returned, fill_returned);
			json_object_end(&p->j);
		} else
			json_null(&p->j, "returned");
		json_object_end(&p->j);
	} else
		json_null(&p->j, "report");
	sqlite3_reset(report);
	sqlite3_reset(returned);
}

static void put_verdict(struct printer *p)
{
	put_text(p, "direction");
	put_text(p, "kind");
	put_text(p, "kind_rule");
	put_text(p, "provenance");
	put_text(p, "origin_ip");
	put_text(p, "origin_from");
	if (is_null(p))	/* what was read on the wire is clear, judged or not */
		json_string(&p->j, "tier", "clear");
	else
		json_text(&p->j, "tier", column_text(p->s, p->i));
	p->i++;
}

static void print_transaction(struct printer *p, int64_t rowid)
{
	int64_t started = take_int(p), ended = take_int(p);

	put_common(p, EVENT_TRANSACTION, started, ended, take_int(p));
	put_text(p, "transaction_id");
	put_text(p, "session_id");
	put_ends(p);
	put_text(p, "helo");
	put_text(p, "tls");
	put_bool(p, "auth");
	put_text(p, "mail_from");
	put_bool(p, "null_sender");
	put_text(p, "mail_params");
	put_text(p, "ret");
	put_text(p, "envid");
	put_recipients(p, rowid);
	put_int(p, "rcpt_count");
	put_text(p, "outcome");
	put_int(p, "code");
	put_text(p, "enhanced");
	put_text(p, "reply");
	put_text(p, "queue_id");
	put_time(p, "mail_time");
	put_time(p, "data_end_time");
	put_time(p, "reply_time");
	put_int(p, "size");
	put_int(p, "bytes_seen");
	put_bool(p, "complete");
	p->notes = take_text(p);
	put_row(p, query(p->e, MESSAGE, rowid), fill_message);
	put_report(p, rowid);
	put_verdict(p);
}

/* ---- finding ---- */

static void put_cause(struct printer *p, int64_t rowid, struct text origin_ip, int64_t delay_ms, struct text matched_by)
{
	sqlite3_stmt *s = rowid ? query(p->e, CAUSE, rowid) : NULL, *r;

	if (!s || sqlite3_step(s) != SQLITE_ROW) {
		json_null(&p->j, "cause");
		return;
	}
	json_object(&p->j, "cause");
	json_text(&p->j, "transaction_id", column_text(s, 0));
	json_text(&p->j, "origin_ip", origin_ip);
	json_text(&p->j, "mail_from", column_text(s, 1));
	json_array(&p->j, "rcpt_to");
	r = query(p->e, CAUSE_RECIPIENTS, rowid);
	sqlite3_bind_int64(r, 2, sqlite3_column_int64(s, 3));
	while (sqlite3_step(r) == SQLITE_ROW)
		json_text(&p->j, NULL, column_text(r, 0));
	sqlite3_reset(r);
	json_array_end(&p->j);
	json_text(&p->j, "message_id", column_text(s, 2));
	json_int(&p->j, "delay_ms", delay_ms);
	json_text(&p->j, "matched_by", matched_by);
	json_object_end(&p->j);
	sqlite3_reset(s);
}

static void put_root(struct printer *p)
{
	int64_t rowid = take_int(p);
	sqlite3_stmt *s = rowid ? query(p->e, ROOT, rowid) : NULL;

	if (!s || sqlite3_step(s) != SQLITE_ROW) {
		json_null(&p->j, "root_cause");
		return;
	}
	json_object(&p->j, "root_cause");
	json_text(&p->j, "transaction_id", column_text(s, 0));
	sqlite3_reset(s);
	put_int(p, "code");
	put_text(p, "enhanced");
	put_text(p, "reply");
	json_object_end(&p->j);
}

static void put_reasons(struct printer *p, int64_t rowid)
{
	sqlite3_stmt *s = query(p->e, REASONS, rowid);

	json_array(&p->j, "reasons");
	while (sqlite3_step(s) == SQLITE_ROW) {
		json_object(&p->j, NULL);
		json_text(&p->j, "rule", column_text(s, 0));
		json_text(&p->j, "sign", column_text(s, 1));
		json_text(&p->j, "strength", column_text(s, 2));
		json_text(&p->j, "text", column_text(s, 3));
		json_object_end(&p->j);
	}
	sqlite3_reset(s);
	json_array_end(&p->j);
}

static void put_originator(struct printer *p)
{
	struct text name = take_text(p), how = take_text(p);

	if (!name.p) {
		json_null(&p->j, "originator");
		return;
	}
	json_object(&p->j, "originator");
	json_text(&p->j, "server", name);
	json_text(&p->j, "how", how);
	json_object_end(&p->j);
}

static void print_finding(struct printer *p, int64_t rowid)
{
	int64_t first = take_int(p), last = take_int(p);

	put_common(p, EVENT_FINDING, first, last, 0);
	put_text(p, "finding_id");
	struct text server = column_text(p->s, p->i), address = column_text(p->s, p->i + 1);
	put_text(p, "server");
	put_text(p, "address");
	put_text(p, "public_address");
	put_text(p, "kind");
	put_text(p, "misdirected");
	put_text(p, "exposure");
	put_text(p, "tier");
	put_text(p, "recipient");
	put_text(p, "recipient_domain");
	put_int(p, "attempts");
	put_time_value(&p->j, "first", first);
	put_time_value(&p->j, "last", last);
	put_int(p, "revision");
	put_bool(p, "settled");
	json_object(&p->j, "emitter");
	json_text(&p->j, "server", server);
	json_text(&p->j, "address", address);
	json_object_end(&p->j);
	put_originator(p);
	put_text(p, "cause_class");
	int64_t cause = take_int(p);
	struct text origin_ip = take_text(p);
	int64_t delay_ms = take_int(p);
	put_cause(p, cause, origin_ip, delay_ms, take_text(p));
	put_root(p);
	put_reasons(p, rowid);
}

/* ---- risk, refusal, capture ---- */

static void print_risk(struct printer *p)
{
	int64_t now = take_int(p);
	struct text address = column_text(p->s, 2), list = column_text(p->s, 3);
	sqlite3_stmt *s = query(p->e, RISK_REASONS, sqlite3_column_int64(p->s, 12));

	put_common(p, EVENT_RISK, now, now, 0);
	put_text(p, "server");
	put_text(p, "address");
	put_text(p, "list");
	put_text(p, "status");
	put_int(p, "mails");
	put_int(p, "attempts");
	put_int(p, "domains");
	put_time(p, "first");
	put_time(p, "last");
	put_time(p, "expires");
	put_int(p, "margin");
	json_array(&p->j, "reasons");
	sqlite3_bind_text(s, 2, address.p, (int)address.len, SQLITE_STATIC);
	sqlite3_bind_text(s, 3, list.p, (int)list.len, SQLITE_STATIC);
	while (sqlite3_step(s) == SQLITE_ROW)
		json_text(&p->j, NULL, column_text(s, 0));
	sqlite3_reset(s);
	json_array_end(&p->j);
}

static void print_refusal(struct printer *p)
{
	int64_t at = take_int(p);

	put_common(p, EVENT_REFUSAL, at, at, 0);
	put_text(p, "refusal_id");
	put_text(p, "server");
	put_text(p, "address");
	put_text(p, "list");
	put_text(p, "zone");
	put_text(p, "remote_ip");
	put_int(p, "code");
	put_text(p, "reply");
	put_text(p, "session_id");
}

static void print_capture(struct printer *p)
{
	int64_t start = take_int(p), end = take_int(p), run = take_int(p);

	put_common(p, EVENT_CAPTURE, start, end, run);
	json_int(&p->j, "sensor_run", run);
	put_text(p, "interface");
	put_time_value(&p->j, "start", start);
	put_time_value(&p->j, "end", end);
	put_int(p, "packets");
	put_int(p, "bytes");
	put_int(p, "kernel_drops");
	put_int(p, "interface_drops");
	put_int(p, "unseen_bytes");
	put_int(p, "flows");
	put_int(p, "evicted");
	put_int(p, "sessions");
	put_int(p, "encrypted_sessions");
	put_int(p, "one_sided_sessions");
}

bool event_json_print(struct event_json *e, const struct event_row *row, struct buf *out)
{
	static const enum statement of_type[EVENT_TYPE_COUNT] = { SESSION, TRANSACTION, FINDING, RISK, REFUSAL, CAPTURE };
	struct printer p = { .e = e };

	if (!e->q[of_type[row->type]])
		return false;
	p.s = query(e, of_type[row->type], row->rowid);
	if (row->type == EVENT_CAPTURE) {
		sqlite3_bind_int64(p.s, 2, row->start_us);
		sqlite3_bind_int64(p.s, 3, row->n);
	}
	bool found = sqlite3_step(p.s) == SQLITE_ROW;
	if (found) {
		json_begin(&p.j, out);
		json_object(&p.j, NULL);
		switch (row->type) {
		case EVENT_SESSION: print_session(&p); break;
		case EVENT_TRANSACTION: print_transaction(&p, row->rowid); break;
		case EVENT_FINDING: print_finding(&p, row->rowid); break;
		case EVENT_RISK: print_risk(&p); break;
		case EVENT_REFUSAL: print_refusal(&p); break;
		case EVENT_CAPTURE: print_capture(&p); break;
		case EVENT_TYPE_COUNT: break;
		}
		json_object_end(&p.j);
		buf_add_char(out, '\n');
	}
	sqlite3_reset(p.s);
	return found;
}
