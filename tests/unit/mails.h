/*
 * mails.h - a small organisation in a temporary store: facts are written from plain structs, analyzed, and asked about.
 *
 * Ours are 192.0.2.0/24 and campus.example: mx1 .25, mx2 .26. All else is outside. Times are seconds after EPOCH_US.
 */
#ifndef TESTS_UNIT_MAILS_H
#define TESTS_UNIT_MAILS_H

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/analyze.h"
#include "analyzer/mail.h"
#include "common/xmalloc.h"
#include "schema/db.h"

#define EPOCH_US INT64_C(1795312800000000)
#define MX1 "192.0.2.25"
#define MX2 "192.0.2.26"
#define BOT "198.18.10.7"
#define VICTIM_MX "198.51.100.25"

/* One transaction; what is left out is as in an accepted mail of one recipient with a message. */
struct fake {
	int session;		/* number; its id is made from it */
	double at;		/* MAIL, seconds */
	const char *src, *dest, *helo;
	const char *from;	/* "" is the null sender */
	const char *to[3];
	int rcpt_code;		/* 250 */
	const char *rcpt_reply;
	const char *params, *notify;
	int mail_code;		/* when MAIL was refused */
	long long size;		/* 1000 */
	const char *inner;	/* address inside the sender's BATV or SRS form */
	const char *proxy;
	int code;		/* of the deciding reply; 250 */
	const char *enhanced, *reply, *outcome, *steps, *queue_id;
	bool no_data;
	int auth;
	const char *message_id, *in_reply_to, *from_header, *auto_submitted, *content_type, *phrases;
	const char *report_type, *action, *final, *reporting_mta, *status;
	const char *returned_id, *returned_queue_id, *returned_from, *authserv, *spf, *dkim, *dmarc, *spam;
	const char *received_ip, *received_host;	/* of an outer Received line */
	const char *list_id;
	const char *notes, *message_notes;	/* "" */
	bool headers_incomplete;
};

struct world {
	char dir[64];
	sqlite3 *facts;
	struct config *config;
	struct lists lists;
	int batch;
};

static inline int64_t fake_hash(const char *s)
{
	uint64_t h = UINT64_C(14695981039346656037);

	if (!s)
		return 0;
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
	return (int64_t)(h >> 1);
}

static inline void configure(struct world *w, const char *section, const char *name, const char *key, const char *text)
{
	char error[200];

	if (config_set(w->config, section, name, key, text, "test", error, sizeof error)) {
		fprintf(stderr, "%s\n", error);
		abort();
	}
}

static inline void run_sql(sqlite3 *db, const char *statement)
{
	char error[300];

	if (db_exec(db, statement, error, sizeof error)) {
		fprintf(stderr, "%s: %s\n", statement, error);
		abort();
	}
}

static inline int world_make(void **state)
{
	static const char *const dirs[] = { "data/lists.d" };
	struct world *w = xcalloc(1, sizeof *w);
	char error[300];

	strcpy(w->dir, "/tmp/bouncetap-test-XXXXXX");
	if (!mkdtemp(w->dir) || !(w->facts = db_open_write(w->dir, DB_FACTS, DB_BUSY_MS, NULL, error, sizeof error)))
		return -1;
	w->config = config_new();
	configure(w, "own", NULL, "networks", "192.0.2.0/24");
	configure(w, "own", NULL, "domains", "campus.example");
	if (lists_load(dirs, 1, &w->lists, stderr))
		return -1;
	run_sql(w->facts, "INSERT INTO meta VALUES ('test', 'full', 0, 1); INSERT INTO sensor_run (id, sensor, version, started_us) VALUES (1, 'local', '0', 0)");
	*state = w;
	return 0;
}

static inline int world_end(void **state)
{
	struct world *w = *state;
	DIR *d = opendir(w->dir);
	struct dirent *e;

	sqlite3_close(w->facts);
	while (d && (e = readdir(d)))
		unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	rmdir(w->dir);
	config_free(w->config);
	lists_fini(&w->lists);
	free(w);
	return 0;
}

/* The sensor's classes, as far as the tests use them. */
static inline unsigned fake_class(const char *address)
{
	return !*address ? CLASS_NULL : !strncmp(address, "postmaster@", 11) ? CLASS_POSTMASTER : !strncasecmp(address, "mailer-daemon@", 14) ? CLASS_DAEMON
	     : !strncmp(address, "double-bounce@", 14) ? CLASS_DOUBLE_BOUNCE : !strncmp(address, "prvs=", 5) ? CLASS_BATV
	     : !strncmp(address, "SRS0=", 5) ? CLASS_SRS : strstr(address, "+bounces-conf") ? CLASS_LIST | CLASS_LIST_ROBOT | CLASS_VERP
	     : strstr(address, "-testing@") ? CLASS_MADE_UP : strstr(address, "+bounces-") ? CLASS_LIST | CLASS_VERP : 0;
}

static inline void run_format(struct world *w, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	char *statement = sqlite3_vmprintf(format, ap);
	va_end(ap);
	run_sql(w->facts, statement);
	sqlite3_free(statement);
}

static inline void add_message(struct world *w, long long id, const struct fake *f)
{
	run_format(w, "INSERT INTO messages (transaction_rowid, message_id, message_id_hash, in_reply_to, in_reply_to_hash, from_header, from_id,"
		   " from_class, auto_submitted, content_type, phrases, markers, headers_complete, notes)"
		   " VALUES (%lld, %Q, nullif(%lld, 0), '<' || %Q || '>', nullif(%lld, 0), %Q, nullif(%lld, 0), %u, %Q, %Q, %Q, 0, 1, '')", id, f->message_id,
		   (long long)fake_hash(f->message_id), f->in_reply_to, (long long)fake_hash(f->in_reply_to), f->from_header,
		   (long long)fake_hash(f->from_header), f->from_header ? fake_class(f->from_header) : 0,
		   f->auto_submitted, f->content_type, f->phrases);
	if (f->received_ip)
		run_format(w, "UPDATE messages SET received = json_array(json_array(%Q, %Q, NULL, 'ESMTP', NULL)) WHERE transaction_rowid = %lld",
			   f->received_host ? f->received_host : "relay", f->received_ip, id);
	if (f->message_notes || f->headers_incomplete)
		run_format(w, "UPDATE messages SET notes = %Q, headers_complete = %d WHERE transaction_rowid = %lld", f->message_notes ? f->message_notes : "",
			   !f->headers_incomplete, id);
	if (f->list_id)
		run_format(w, "UPDATE messages SET list_id = %Q WHERE transaction_rowid = %lld", f->list_id, id);
	if (f->report_type)
		run_format(w, "INSERT INTO reports (transaction_rowid, report_type, in_multipart_report, reporting_mta, recipient_total)"
			   " VALUES (%lld, %Q, %d, %Q, 1)", id, f->report_type, f->content_type && !strcmp(f->content_type, "multipart/report"), f->reporting_mta);
	if (f->report_type)
		run_format(w, "INSERT INTO report_recipients (transaction_rowid, n, final_recipient, final_id, action, status) VALUES (%lld, 0, %Q, nullif(%lld, 0), %Q, %Q)", id,
			   f->final, (long long)fake_hash(f->final), f->action, f->status);
	if (f->returned_id || f->authserv || f->spam || f->returned_queue_id)
		run_format(w, "INSERT INTO returned (transaction_rowid, message_id, message_id_hash, from_header, authserv, spf, dkim, dmarc, spam)"
			   " VALUES (%lld, %Q, nullif(%lld, 0), %Q, %Q, %Q, %Q, %Q, %Q)", id, f->returned_id, (long long)fake_hash(f->returned_id), f->returned_from,
			   f->authserv, f->spf, f->dkim, f->dmarc, f->spam);
	if (f->returned_queue_id)
		run_format(w, "UPDATE returned SET received = json_array(json_array(NULL, NULL, 'mx', 'ESMTP', %Q)) WHERE transaction_rowid = %lld",
			   f->returned_queue_id, id);
}

/* Writes one transaction as the only one of a batch of its own. Answers its row. */
static inline int64_t add_mail(struct world *w, const struct fake *f)
{
	long long at = EPOCH_US + (long long)(f->at * 1e6);
	int code = f->code ? f->code : 250, rcpt_code = f->rcpt_code ? f->rcpt_code : 250, rcpts = 0;
	char size[24];
	const char *outcome = f->outcome ? f->outcome : code < 300 ? "accepted" : "rejected";

	while (rcpts < 3 && f->to[rcpts])
		rcpts++;
	snprintf(size, sizeof size, "%lld", f->size ? f->size : 1000);
	if (f->no_data)
		strcpy(size, "NULL");
	run_format(w, "INSERT INTO transactions (batch_seq, run_id, session_id, session_started_us, ordinal, src_ip, src_port, dest_ip, dest_port, started_us, ended_us, helo,"
		   " tls, auth, mail_from, mail_from_id, mail_from_class, null_sender, mail_params, rcpt_count, rcpt_accepted, outcome, code, enhanced, reply, queue_id, mail_us,"
		   " reply_us, size_bytes, steps, complete, notes) VALUES (%d, 1, x'%032x', %lld, 1, %Q, 4000, %Q, 25, %lld, %lld, %Q, 'none', %d, %Q, %lld, %u, %d, %Q, %d,"
		   " %d, %Q, nullif(%d, 0), %Q, %Q, %Q, %lld, %lld, %s, %Q, 1, '')", w->batch + 1, f->session, at, f->src, f->dest, at, at + 3000,
		   f->helo ? f->helo : "host.invalid", f->auth, *f->from ? f->from : "<>", (long long)fake_hash(f->from), fake_class(f->from), !*f->from, f->params, rcpts, rcpt_code < 300 ? rcpts : 0, outcome,
		   f->outcome && !strcmp(f->outcome, "aborted") ? 0 : code, f->enhanced, f->reply, f->queue_id, at, at + 2000, size,
		   f->steps ? f->steps : "c QUIT 1");
	int64_t id = sqlite3_last_insert_rowid(w->facts);
	if (f->mail_code || f->inner || f->proxy)
		run_format(w, "UPDATE transactions SET mail_code = nullif(%d, 0), mail_from_inner_id = nullif(%lld, 0), proxy = %Q WHERE id = %lld", f->mail_code,
			   (long long)fake_hash(f->inner), f->proxy, (long long)id);
	if (f->notes)
		run_format(w, "UPDATE transactions SET notes = %Q WHERE id = %lld", f->notes, (long long)id);
	for (int i = 0; i < rcpts; i++)
		run_format(w, "INSERT INTO recipients VALUES (%lld, %d, %Q, %lld, %u, NULL, %d, NULL, %Q, %Q, NULL)", (long long)id, i, f->to[i],
			   (long long)fake_hash(f->to[i]), fake_class(f->to[i]), rcpt_code, f->rcpt_reply, f->notify);
	if (!f->no_data)
		add_message(w, id, f);
	run_format(w, "INSERT INTO batch (committed_us, session_rowid, transaction_rowid) VALUES (0, (SELECT coalesce(max(id), 0) FROM sessions), %lld)",
		   (long long)id);
	w->batch++;
	return id;
}

/* A server of ours that answered: what makes it known as one. */
static inline void add_server_session(struct world *w, const char *address, const char *name)
{
	run_format(w, "INSERT INTO sessions (batch_seq, run_id, session_id, src_ip, src_port, dest_ip, dest_port, started_us, ended_us, end_reason, outcome,"
		   " banner_code, banner, vrfy_count, tls, client_isn, server_isn, bytes_toserver, bytes_toclient, unseen_bytes, packets, transaction_count,"
		   " complete, notes) VALUES (%d, 1, randomblob(16), '198.18.99.9', 1, %Q, 25, %lld, %lld, 'fin', 'mail', 220, '%q ESMTP Postfix', 0, 'none',"
		   " 1, 1, 0, 0, 0, 1, 0, 1, '')", w->batch + 1, address, (long long)EPOCH_US, (long long)EPOCH_US, name);
	run_format(w, "INSERT INTO batch (committed_us, session_rowid, transaction_rowid) VALUES (0, (SELECT max(id) FROM sessions),"
		   " (SELECT coalesce(max(id), 0) FROM transactions))");
	w->batch++;
}

/* The connection of a transaction that add_mail wrote at that time, with what its server called itself. */
static inline void add_session_of(struct world *w, int session, double at, const char *src, const char *dest, const char *name)
{
	long long us = EPOCH_US + (long long)(at * 1e6);

	run_format(w, "INSERT INTO sessions (batch_seq, run_id, session_id, src_ip, src_port, dest_ip, dest_port, started_us, ended_us, end_reason, outcome,"
		   " banner_code, banner, vrfy_count, tls, client_isn, server_isn, bytes_toserver, bytes_toclient, unseen_bytes, packets, transaction_count,"
		   " complete, notes) VALUES (%d, 1, x'%032x', %Q, 4000, %Q, 25, %lld, %lld, 'fin', 'mail', 220, '%q ESMTP Postfix', 0, 'none',"
		   " 1, 1, 0, 0, 0, 1, 1, 1, '')", w->batch + 1, session, src, dest, us, us + 3000, name);
	run_format(w, "INSERT INTO batch (committed_us, session_rowid, transaction_rowid) VALUES (0, (SELECT max(id) FROM sessions),"
		   " (SELECT coalesce(max(id), 0) FROM transactions))");
	w->batch++;
}

static inline void analyze(struct world *w, bool rebuild)
{
	struct analysis_options o = { .store = w->dir, .config = w->config, .lists = &w->lists, .now_is_last = true, .rebuild = rebuild };
	char error[300] = "";
	bool busy;
	struct analysis *a = analysis_open(&o, &busy, error, sizeof error);

	if (!a || analysis_run(a, error, sizeof error)) {
		fprintf(stderr, "%s\n", error);
		abort();
	}
	analysis_close(a);
}

/* The first column of the first row, from facts and verdicts together; "-" when there is none, "" for NULL. */
static inline const char *ask(struct world *w, const char *format, ...)
{
	static char answer[2000];
	char error[300];
	unsigned present;
	sqlite3 *db = db_open_read(w->dir, DB_BUSY_MS, &present, NULL, error, sizeof error);
	sqlite3_stmt *s;
	va_list ap;

	va_start(ap, format);
	char *statement = sqlite3_vmprintf(format, ap);
	va_end(ap);
	strcpy(answer, "-");
	if (sqlite3_prepare_v2(db, statement, -1, &s, NULL) != SQLITE_OK) {
		fprintf(stderr, "%s: %s\n", statement, sqlite3_errmsg(db));
		abort();
	}
	if (sqlite3_step(s) == SQLITE_ROW)
		snprintf(answer, sizeof answer, "%s", sqlite3_column_text(s, 0) ? (const char *)sqlite3_column_text(s, 0) : "");
	sqlite3_finalize(s);
	sqlite3_free(statement);
	sqlite3_close(db);
	return answer;
}

#define assert_answer(expected, ...) assert_string_equal(ask(w, __VA_ARGS__), expected)

/* Stock pieces: spam that mx2 takes, mx1's refusal of it, and the bounce. */
static inline struct fake spam_to(int session, double at, const char *victim, const char *user, const char *message_id)
{
	return (struct fake){ .session = session, .at = at, .src = BOT, .dest = MX2, .helo = "dsl.access.invalid", .from = victim, .to = { user },
		.message_id = message_id, .queue_id = "ABC123", .reply = "Ok: queued as ABC123" };
}

static inline struct fake refusal_of(int session, double at, const char *victim, const char *user)
{
	return (struct fake){ .session = session, .at = at, .src = MX2, .dest = MX1, .helo = "mx2.campus.example", .from = victim, .to = { user },
		.rcpt_code = 550, .rcpt_reply = "User unknown in local recipient table", .code = 550, .enhanced = "5.1.1", .no_data = true,
		.params = "SIZE=1000" };
}

static inline struct fake bounce_to(int session, double at, const char *victim, const char *returned_id)
{
	return (struct fake){ .session = session, .at = at, .src = MX2, .dest = VICTIM_MX, .helo = "mx2.campus.example", .from = "", .to = { victim },
		.message_id = "bounce.1@mx2.campus.example", .from_header = "mailer-daemon@mx2.campus.example", .content_type = "multipart/report",
		.report_type = "delivery-status", .action = "failed", .status = "5.1.1", .reporting_mta = "mx2.campus.example",
		.returned_id = returned_id, .reply = "Ok" };
}

static inline struct fake null_probe_to(int session, double at, const char *victim, const char *params)
{
	return (struct fake){ .session = session, .at = at, .src = MX2, .dest = VICTIM_MX, .helo = "mx2.campus.example", .from = "", .to = { victim },
		.rcpt_code = 550, .code = 550, .enhanced = "5.1.1", .rcpt_reply = "User unknown", .no_data = true, .params = params };
}

#endif
