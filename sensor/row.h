/*
 * row.h - facts -> rows of facts.db, as a run of bytes that the store's thread binds and steps. No SQL is executed here.
 *
 * A batch is one buffer of encoded rows. Texts are made valid UTF-8, redacted and cut here; addresses are classed and hashed.
 */
#ifndef SENSOR_ROW_H
#define SENSOR_ROW_H

#include "common/buf.h"
#include "common/config.h"
#include "common/siphash.h"
#include "sensor/fact.h"

/* What a row does; the statements stand in row.c. */
enum row_statement {
	ROW_SESSION, ROW_TRANSACTION, ROW_RECIPIENT, ROW_MESSAGE, ROW_REPORT, ROW_REPORT_RECIPIENT,
	ROW_RETURNED, ROW_CAPTURE,
};
#define ROW_STATEMENTS 8

/*
 * Columns of the rows that store.c looks into, all but the first, in the order of their values: statements and places are made of it. A new
 * column stands where row.c puts its value.
 */
#define ROW_SESSION_COLUMNS(X) \
	X(batch_seq) X(run_id) X(source_id) X(session_id) X(src_ip) X(src_port) X(dest_ip) X(dest_port) X(started_us) \
	X(ended_us) X(end_reason) X(outcome) X(app_proto) X(banner_code) X(banner) X(helo_verb) X(helo) X(ehlo_keywords) X(refusal_code) \
	X(refusal_enhanced) X(refusal) X(vrfy_count) X(auth) X(auth_mechanism) X(tls) X(tls_version) X(sni) X(tls_hello) \
	X(tls_records) X(tls_histogram) X(proxy) X(xclient) X(xforward) X(client_isn) X(server_isn) X(bytes_toserver) \
	X(bytes_toclient) X(unseen_bytes) X(packets) X(transaction_count) X(steps) X(complete) X(notes)
#define ROW_TRANSACTION_COLUMNS(X) \
	X(batch_seq) X(run_id) X(session_id) X(session_started_us) X(ordinal) X(src_ip) X(src_port) X(dest_ip) X(dest_port) \
	X(started_us) X(ended_us) X(helo) X(tls) X(auth) X(proxy) X(xclient) X(xforward) X(mail_from) X(mail_from_id) \
	X(mail_from_class) X(mail_from_inner_id) X(null_sender) X(mail_params) X(ret) X(envid) X(mail_code) X(mail_enhanced) \
	X(mail_reply) X(rcpt_count) X(rcpt_accepted) X(outcome) X(code) X(enhanced) X(reply) X(queue_id) X(mail_us) \
	X(data_end_us) X(reply_us) X(size_bytes) X(bytes_seen) X(steps) X(complete) X(notes)
#define ROW_CAPTURE_COLUMNS(X) \
	X(source_id) X(interface) X(start_us) X(end_us) X(packets) X(bytes) X(kernel_drops) X(interface_drops) X(unseen_bytes) X(flows) \
	X(evicted) X(sessions) X(encrypted_sessions) X(one_sided_sessions)
#define X(name) SESSION_AT_##name,
enum { SESSION_AT_id, ROW_SESSION_COLUMNS(X) SESSION_VALUES };
#undef X
#define X(name) TRANSACTION_AT_##name,
enum { TRANSACTION_AT_id, ROW_TRANSACTION_COLUMNS(X) TRANSACTION_VALUES };
#undef X
#define X(name) CAPTURE_AT_##name,
enum { CAPTURE_AT_run_id, ROW_CAPTURE_COLUMNS(X) CAPTURE_VALUES };
#undef X
#define ROW_VALUES_MAX 64	/* of any row */
_Static_assert((int)SESSION_VALUES <= ROW_VALUES_MAX && (int)TRANSACTION_VALUES <= ROW_VALUES_MAX, "room for the values of a row");

const char *row_sql(enum row_statement s);

/*
 * Some values the writer knows only when it commits: the batch, run and source, and VALUE_ROWID, the id of the session or transaction. A row that
 * hangs on a transaction has the id of the one before it.
 */
enum row_value { VALUE_NULL, VALUE_INT, VALUE_TEXT, VALUE_BLOB, VALUE_BATCH, VALUE_RUN, VALUE_SOURCE, VALUE_ROWID };

struct row_encoder {
	enum config_privacy privacy;
	enum config_subject subject;
	struct siphash_key key;
	struct buf text, clean;			/* scratch */
	uint32_t notes;				/* of the fact at hand */
};

void row_session(struct row_encoder *e, struct buf *out, const struct fact_session *f);
void row_transaction(struct row_encoder *e, struct buf *out, const struct fact_transaction *f);
void row_capture(struct row_encoder *e, struct buf *out, const struct fact_capture *f);

/* Reading it back: a row, then its values. */
struct row_reader {
	const char *p, *end;
};
struct row_head {
	enum row_statement statement;
	unsigned values;
};
struct row_field {
	enum row_value type;
	int64_t integer;
	const char *bytes;	/* borrowed from the batch */
	uint32_t length;
};
bool row_next(struct row_reader *r, struct row_head *h);
void row_next_value(struct row_reader *r, struct row_field *v);

#endif
