/* row.c - see row.h. The order of values is that of the statements at the top. */
#include "sensor/row.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/utf8.h"
#include "schema/marker.h"
#include "sensor/address.h"
#include "sensor/command.h"
#include "sensor/header.h"
#include "sensor/limits.h"
#include "sensor/phrase.h"

#define NAME(column) ", " #column
#define MARK(column) ",?"
static const char *const sql[ROW_STATEMENTS] = {
	[ROW_SESSION] = "INSERT INTO sessions (id" ROW_SESSION_COLUMNS(NAME) ") VALUES (?" ROW_SESSION_COLUMNS(MARK) ") ON CONFLICT DO NOTHING",
	[ROW_TRANSACTION] = "INSERT INTO transactions (id" ROW_TRANSACTION_COLUMNS(NAME) ") VALUES (?" ROW_TRANSACTION_COLUMNS(MARK) ") ON CONFLICT DO NOTHING",
	[ROW_RECIPIENT] = "INSERT INTO recipients (transaction_rowid, n, address, address_id, address_class, address_inner_id, code, enhanced, reply, notify, orcpt) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
	[ROW_MESSAGE] =
		"INSERT INTO messages (transaction_rowid, message_id, message_id_hash, in_reply_to, in_reply_to_hash, reference_ids, from_header, "
		"from_id, from_class, reply_to, reply_to_id, sender, to_header, subject, auto_submitted, precedence, list_id, x_auto_response_suppress, "
		"x_failed_recipients, x_mailer, content_type, markers, phrases, phrases_version, received, headers_complete, notes) "
		"VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[ROW_REPORT] =
		"INSERT INTO reports (transaction_rowid, report_type, in_multipart_report, reporting_mta, received_from_mta, arrival_date, "
		"envelope_id, queue_id, disposition, original_message_id, original_message_id_hash, feedback_type, original_mail_from, "
		"original_mail_from_id, recipient_total) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[ROW_REPORT_RECIPIENT] =
		"INSERT INTO report_recipients (transaction_rowid, n, final_recipient, final_id, original_recipient, original_id, action, status, "
		"diagnostic_type, diagnostic, remote_mta) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
	[ROW_RETURNED] =
		"INSERT INTO returned (transaction_rowid, message_id, message_id_hash, from_header, from_id, to_header, return_path, return_path_id, "
		"subject, received_spf, authserv, authentication_results, spf, dkim, dmarc, dkim_domains, spam, received) "
		"VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[ROW_CAPTURE] = "INSERT OR REPLACE INTO capture (run_id" ROW_CAPTURE_COLUMNS(NAME) ") VALUES (?" ROW_CAPTURE_COLUMNS(MARK) ")",
};

const char *row_sql(enum row_statement s)
{
	return sql[s];
}

/* ---- values ---- */

/* How many values a row has; 0: nobody asks for their places. */
static const uint8_t value_count[ROW_STATEMENTS] = {
	[ROW_SESSION] = SESSION_VALUES, [ROW_TRANSACTION] = TRANSACTION_VALUES, [ROW_CAPTURE] = CAPTURE_VALUES,
};

/* A row being written; its count of values is filled in at the end. */
struct row {
	struct row_encoder *e;
	struct buf *out;
	size_t head;
	uint8_t values;
};

static struct row row_begin(struct row_encoder *e, struct buf *out, enum row_statement s)
{
	struct row r = { e, out, out->len, 0 };

	buf_add_char(out, (char)s);
	buf_add_char(out, 0);
	return r;
}

static void row_end(struct row *r)
{
	uint8_t expected = value_count[(unsigned char)r->out->p[r->head]];

	assert(!expected || r->values == expected);
	r->out->p[r->head + 1] = (char)r->values;
}

static void put(struct row *r, enum row_value type, const void *p, size_t n)
{
	buf_add_char(r->out, (char)type);
	buf_add(r->out, p, n);
	r->values++;
}

static void put_null(struct row *r)
{
	put(r, VALUE_NULL, NULL, 0);
}

/* The writer knows it. */
static void put_later(struct row *r, enum row_value type)
{
	put(r, type, NULL, 0);
}

static void put_int(struct row *r, int64_t v)
{
	put(r, VALUE_INT, &v, sizeof v);
}

static void put_int_or_null(struct row *r, int64_t v, bool known)
{
	if (known)
		put_int(r, v);
	else
		put_null(r);
}

static void put_bytes(struct row *r, enum row_value type, const void *p, size_t n)
{
	uint32_t length = (uint32_t)n;

	put(r, type, &length, sizeof length);
	buf_add(r->out, p, n);
}

static void put_str(struct row *r, const char *s)
{
	put_bytes(r, VALUE_TEXT, s, strlen(s));
}

/* Strangers' bytes as valid UTF-8, cut to a column. */
static void put_clean(struct row *r, struct text t)
{
	if (t.len > LIMIT_COLUMN_TEXT) {
		t.len = LIMIT_COLUMN_TEXT;
		for (int i = 0; i < 3 && (t.p[t.len] & 0xc0) == 0x80; i++)
			t.len--;	/* not within a character */
		r->e->notes |= NOTE_TRUNCATED;
	}
	if (utf8_valid_prefix(t.p, t.len) == t.len) {
		put_bytes(r, VALUE_TEXT, t.p, t.len);
		return;
	}
	buf_clear(&r->e->clean);
	utf8_append_clean(&r->e->clean, t);
	r->e->notes |= NOTE_INVALID_UTF8;
	put_bytes(r, VALUE_TEXT, r->e->clean.p, r->e->clean.len);
}

/* The text without the addresses that the privacy mode hides; in out, or t itself. Any text of a stranger may hold one. */
static struct text redacted(const struct row_encoder *e, struct text t, struct buf *out)
{
	if (e->privacy == PRIVACY_FULL || !t.p || !address_has_at_sign(t))
		return t;
	buf_clear(out);
	address_redact(out, t, e->privacy, &e->key);
	return (struct text){ out->p, (uint32_t)out->len };
}

static void put_text(struct row *r, struct text t)
{
	if (!t.p)
		put_null(r);
	else
		put_clean(r, redacted(r->e, t, &r->e->text));
}

/* An encoded word (RFC 2047) may hide an address from the redactor: such a subject is kept decoded. */
static void put_subject(struct row *r, struct text t)
{
	char decoded[LIMIT_HEADER_VALUE];

	if (t.p && r->e->privacy != PRIVACY_FULL && text_find_nocase(t, "=?") >= 0) {
		struct text plain = header_decode_words(t, decoded, sizeof decoded);

		if (address_has_at_sign(plain))
			t = plain;
	}
	put_text(r, t);
}

/* From, To and their like: in the privacy modes only the first address is left of them. */
static void put_address_header(struct row *r, struct text t)
{
	struct row_encoder *e = r->e;
	struct text first = t.p ? header_first_address(t) : t;
	struct address a;

	if (!t.p || e->privacy == PRIVACY_FULL) {
		put_text(r, t);
		return;
	}
	if (!first.p) {
		put_null(r);
		return;
	}
	address_read(&e->key, first, &a);
	buf_clear(&e->text);
	address_show(&e->text, &a, e->privacy);
	put_clean(r, (struct text){ e->text.p, (uint32_t)e->text.len });
}

static void put_ip(struct row *r, const struct ip_addr *a)
{
	char text[IP_TEXT_MAX];

	if (!a->version)
		put_null(r);
	else
		put_str(r, ip_format(a, text));
}

static void put_reply(struct row *r, const struct fact_reply *reply)
{
	put_int_or_null(r, reply->code, reply->code != 0);
	put_text(r, reply->enhanced);
	put_text(r, reply->text);
}

static void put_tristate(struct row *r, enum fact_tristate t)
{
	put_int_or_null(r, t == TRI_TRUE, t != TRI_UNKNOWN);
}

static void put_time_or_null(struct row *r, uint64_t us)
{
	put_int_or_null(r, (int64_t)us, us != 0);
}

static void put_id_hash(struct row *r, struct text id)
{
	if (!id.p || id.len == 0)
		put_null(r);
	else
		put_int(r, (int64_t)(siphash13(&r->e->key, id.p, id.len) >> 1));
}

static void put_notes(struct row *r, uint32_t notes)
{
	struct buf *b = &r->e->text;

	buf_clear(b);
	for (unsigned i = 0; i < NOTE_COUNT; i++) {
		if (!(notes >> i & 1))
			continue;
		if (b->len)
			buf_add_char(b, ' ');
		buf_add_str(b, fact_note_name(i));
	}
	put_bytes(r, VALUE_TEXT, b->p, b->len);
}

/* A step costs a few bytes and there are a dozen for each mail: no printf. */
static void add_uint(struct buf *b, uint32_t v)
{
	char digits[10];
	size_t n = sizeof digits;

	do {
		digits[--n] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	buf_add(b, digits + n, sizeof digits - n);
}

static void add_code(struct buf *b, unsigned code)
{
	char digits[3] = { (char)('0' + code / 100 % 10), (char)('0' + code / 10 % 10), (char)('0' + code % 10) };

	buf_add(b, digits, sizeof digits);
}

static void put_steps(struct row *r, const struct fact_steps *steps)
{
	struct buf *b = &r->e->text;

	if (steps->count == 0) {
		put_null(r);
		return;
	}
	buf_clear(b);
	for (unsigned i = 0; i < steps->count; i++) {
		const struct fact_step *s = &steps->step[i];

		if (i)
			buf_add_char(b, '\n');
		buf_add_str(b, s->side == SIDE_CLIENT ? "c " : "s ");
		if (s->code)
			add_code(b, s->code);
		else
			buf_add_str(b, command_verb_name((enum verb)s->verb));
		buf_add_char(b, ' ');
		add_uint(b, s->offset_us);
	}
	put_bytes(r, VALUE_TEXT, b->p, b->len);
}

/* ---- addresses ---- */

/* Text and id; what address_read found is left in *a. */
static void put_address(struct row *r, struct text t, struct address *a)
{
	struct buf *b = &r->e->text;

	if (!t.p) {
		put_null(r);
		put_null(r);
		return;
	}
	address_read(&r->e->key, t, a);
	buf_clear(b);
	address_show(b, a, r->e->privacy);
	put_clean(r, (struct text){ b->p, (uint32_t)b->len });
	put_int(r, a->id);
}

/* An address of the envelope: text, id, class, inner_id. Answers its class. */
static unsigned put_envelope_address(struct row *r, struct text t)
{
	struct address a, inner;

	put_address(r, t, &a);
	if (!t.p) {
		put_null(r);
		put_null(r);
		return 0;
	}
	put_int(r, a.class);
	if (a.has_inner) {
		address_read(&r->e->key, (struct text){ a.inner, (uint32_t)strlen(a.inner) }, &inner);
		put_int(r, inner.id);
	} else
		put_null(r);
	return a.class;
}

/* The first address of a header field or report field: text and id. */
static void put_first_address(struct row *r, struct text value)
{
	struct address a;

	put_address(r, value.p ? header_first_address(value) : value, &a);
}

/* Its id alone, where the field is kept as it is. */
static void put_first_address_id(struct row *r, struct text value)
{
	struct text t = value.p ? header_first_address(value) : value;
	struct address a;

	if (!t.p) {
		put_null(r);
		return;
	}
	address_read(&r->e->key, t, &a);
	put_int(r, a.id);
}

/* ---- sessions ---- */

static const char *tls_version_name(uint16_t v)
{
	static const char *const names[] = { "SSL 3.0", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3" };

	return v >= 0x0300 && v <= 0x0304 ? names[v & 7] : NULL;
}

static void tls_records_text(struct buf *b, const struct fact_tls_detail *d)
{
	buf_clear(b);
	for (int side = 0; side < 2; side++)
		for (unsigned i = 0; i < d->side[side].kept; i++)
			buf_printf(b, "%s%c %u %u %u", b->len ? "\n" : "", side == SIDE_CLIENT ? 'c' : 's', d->side[side].record[i].type,
				   d->side[side].record[i].size_bytes, d->side[side].record[i].offset_us);
}

static void tls_histogram_text(struct buf *b, const struct fact_tls_detail *d)
{
	buf_clear(b);
	for (int side = 0; side < 2; side++)
		for (unsigned i = 0; i < TLS_HISTOGRAM_BINS; i++)
			buf_printf(b, "%s%u", i ? " " : side ? "\n" : "", d->side[side].histogram[i]);
}

static void put_tls(struct row *r, const struct fact_session *f)
{
	const struct fact_tls_detail *d = f->tls_detail;
	struct buf *b = &r->e->text;

	put_str(r, fact_tls_name(f->tls));
	if (!d) {
		for (int i = 0; i < 5; i++)
			put_null(r);
		return;
	}
	const char *version = tls_version_name(d->chosen_version ? d->chosen_version : d->hello_version);
	put_text(r, version ? (struct text){ version, (uint32_t)strlen(version) } : (struct text){ 0 });
	put_text(r, d->sni);
	struct text alpn = redacted(r->e, d->alpn, &r->e->clean);
	buf_clear(b);
	buf_printf(b, "offered=%04x chosen=%04x cipher=%04x ciphers=%u extensions=%u alpn=%.*s", d->hello_version, d->chosen_version,
		   d->chosen_cipher, d->cipher_count, d->extension_count, (int)alpn.len, alpn.p ? alpn.p : "");
	put_clean(r, (struct text){ b->p, (uint32_t)b->len });
	tls_records_text(b, d);
	put_bytes(r, VALUE_TEXT, b->p, b->len);
	tls_histogram_text(b, d);
	put_bytes(r, VALUE_TEXT, b->p, b->len);
}

static void put_endpoints(struct row *r, const struct fact_session *f)
{
	put_ip(r, &f->src_ip);
	put_int(r, f->src_port);
	put_ip(r, &f->dest_ip);
	put_int(r, f->dest_port);
}

void row_session(struct row_encoder *e, struct buf *out, const struct fact_session *f)
{
	const struct fact_session_rare *rare = fact_session_rare(f);
	struct row r = row_begin(e, out, ROW_SESSION);

	e->notes = f->notes;
	put_later(&r, VALUE_ROWID);
	put_later(&r, VALUE_BATCH);
	put_later(&r, VALUE_RUN);
	put_later(&r, VALUE_SOURCE);
	put_bytes(&r, VALUE_BLOB, f->session_id, SESSION_ID_BYTES);
	put_endpoints(&r, f);
	put_int(&r, (int64_t)f->started_us);
	put_int(&r, (int64_t)f->ended_us);
	put_str(&r, fact_end_name(f->end));
	put_str(&r, fact_session_outcome_name(f->outcome));
	put_text(&r, f->app_proto);
	put_int_or_null(&r, f->banner.code, f->banner.code != 0);
	put_text(&r, f->banner.text);
	put_text(&r, f->helo_verb);
	put_text(&r, f->helo);
	put_text(&r, f->ehlo_keywords);
	put_reply(&r, &rare->refusal);
	put_int(&r, f->vrfy_count);
	put_tristate(&r, f->auth);
	put_text(&r, rare->auth_mechanism);
	put_tls(&r, f);
	put_text(&r, rare->proxy);
	put_text(&r, rare->xclient);
	put_text(&r, rare->xforward);
	put_int(&r, f->client_isn);
	put_int(&r, f->server_isn);
	put_int(&r, (int64_t)f->bytes_toserver);
	put_int(&r, (int64_t)f->bytes_toclient);
	put_int(&r, (int64_t)f->unseen_bytes);
	put_int(&r, f->packets);
	put_int(&r, f->transaction_count);
	put_steps(&r, &f->steps);
	put_int(&r, f->complete);
	put_notes(&r, e->notes);
	row_end(&r);
}

/* ---- transactions ---- */

static void encode_recipients(struct row_encoder *e, struct buf *out, const struct fact_transaction *f)
{
	for (uint32_t i = 0; i < f->rcpt_kept; i++) {
		const struct fact_recipient *rcpt = &f->rcpt[i];
		struct row r = row_begin(e, out, ROW_RECIPIENT);

		put_later(&r, VALUE_ROWID);
		put_int(&r, i);
		put_envelope_address(&r, rcpt->address);
		put_reply(&r, &rcpt->reply);
		put_text(&r, rcpt->notify);
		put_text(&r, rcpt->orcpt);
		row_end(&r);
	}
}

/* The Received chain as one JSON value: the view received takes it apart. */
static void put_received(struct row *r, const struct fact_received *list, unsigned count)
{
	struct buf *b = &r->e->text;
	struct json j;
	char ip[IP_TEXT_MAX];

	if (count == 0) {
		put_null(r);
		return;
	}
	buf_clear(b);
	json_begin(&j, b);
	json_array(&j, NULL);
	for (unsigned i = 0; i < count; i++) {
		json_array(&j, NULL);
		json_text(&j, NULL, redacted(r->e, list[i].from_host, &r->e->clean));
		json_string(&j, NULL, list[i].from_ip.version ? ip_format(&list[i].from_ip, ip) : NULL);
		json_text(&j, NULL, redacted(r->e, list[i].by_host, &r->e->clean));
		json_text(&j, NULL, redacted(r->e, list[i].with, &r->e->clean));
		json_text(&j, NULL, redacted(r->e, list[i].id, &r->e->clean));
		json_array_end(&j);
	}
	json_array_end(&j);
	put_bytes(r, VALUE_TEXT, b->p, b->len);
}

static void encode_report_recipients(struct row_encoder *e, struct buf *out, const struct fact_report_recipient *recipient, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct fact_report_recipient *rcpt = &recipient[i];
		struct row r = row_begin(e, out, ROW_REPORT_RECIPIENT);
		put_later(&r, VALUE_ROWID);
		put_int(&r, i);
		put_first_address(&r, rcpt->final_recipient);
		put_first_address(&r, rcpt->original_recipient);
		put_text(&r, rcpt->action);
		put_text(&r, rcpt->status);
		put_text(&r, rcpt->diagnostic_type);
		put_text(&r, rcpt->diagnostic);
		put_text(&r, rcpt->remote_mta);
		row_end(&r);
	}
}

static void encode_report(struct row_encoder *e, struct buf *out, const struct fact_report *f)
{
	struct row r = row_begin(e, out, ROW_REPORT);
	struct address a;

	put_later(&r, VALUE_ROWID);
	put_str(&r, fact_report_type_name(f->type));
	put_int(&r, f->in_multipart_report);
	put_text(&r, f->reporting_mta);
	put_text(&r, f->received_from_mta);
	put_text(&r, f->arrival_date);
	put_text(&r, f->envelope_id);
	put_text(&r, f->queue_id);
	put_text(&r, f->disposition);
	put_text(&r, f->original_message_id);
	put_id_hash(&r, f->original_message_id);
	put_text(&r, f->feedback_type);
	put_address(&r, f->original_mail_from, &a);
	put_int(&r, f->recipient_total);
	row_end(&r);
	encode_report_recipients(e, out, f->recipient, f->recipient_count);
}

static void encode_returned(struct row_encoder *e, struct buf *out, const struct fact_returned *f, bool with_subject)
{
	struct row r = row_begin(e, out, ROW_RETURNED);

	put_later(&r, VALUE_ROWID);
	put_text(&r, f->message_id);
	put_id_hash(&r, f->message_id);
	put_address_header(&r, f->from);
	put_first_address_id(&r, f->from);
	put_address_header(&r, f->to);
	put_first_address(&r, f->return_path);
	put_subject(&r, with_subject ? f->subject : (struct text){ 0 });
	put_text(&r, f->received_spf);
	put_text(&r, f->authserv);
	put_text(&r, f->authentication_results);
	put_text(&r, f->spf);
	put_text(&r, f->dkim);
	put_text(&r, f->dmarc);
	put_text(&r, f->dkim_domains);
	put_text(&r, f->spam);
	put_received(&r, f->received, f->received_count);
	row_end(&r);
}

/* bouncetap.conf(5), [privacy] subject = marked: where the sensor saw a null or daemon sender, a marker, a report part or a phrase. */
static bool subject_is_kept(const struct row_encoder *e, const struct fact_message *m, unsigned sender_class)
{
	static const uint64_t automated = 0
#define MARKER(bit, name, field, value, closer) | (UINT64_C(closer) << (bit))
#include "schema/marker.def"
#undef MARKER
		;
	const unsigned senders = ADDRESS_NULL | ADDRESS_POSTMASTER | ADDRESS_DAEMON | ADDRESS_DOUBLE_BOUNCE;

	if (e->subject != SUBJECT_MARKED)
		return e->subject == SUBJECT_ALL;
	return (sender_class & senders) || (m->markers & automated) || m->report || m->phrase_count || m->auto_submitted.p;
}

static void put_phrases(struct row *r, const struct fact_message *m)
{
	struct buf *b = &r->e->text;

	if (m->phrase_count == 0) {
		put_null(r);
		return;
	}
	buf_clear(b);
	for (unsigned i = 0; i < m->phrase_count; i++)
		buf_printf(b, "%s%u", i ? " " : "", m->phrase[i]);
	put_bytes(r, VALUE_TEXT, b->p, b->len);
}

static void encode_message(struct row_encoder *e, struct buf *out, const struct fact_message *m, unsigned sender_class)
{
	struct text author = m->from.p ? header_first_address(m->from) : m->from;
	struct address from = { 0 };

	if (author.p)
		address_read(&e->key, author, &from);
	bool with_subject = subject_is_kept(e, m, sender_class | (from.class & ~(unsigned)ADDRESS_NULL));
	struct text answered = m->in_reply_to.p ? header_first_id(m->in_reply_to) : (struct text){ 0 };
	if (!answered.p && m->references.p)
		answered = header_last_id(m->references);
	struct row r = row_begin(e, out, ROW_MESSAGE);
	e->notes = m->notes;
	put_later(&r, VALUE_ROWID);
	put_text(&r, m->message_id);
	put_id_hash(&r, m->message_id);
	put_text(&r, m->in_reply_to);
	put_id_hash(&r, answered);
	put_text(&r, m->references);
	put_address_header(&r, m->from);
	put_int_or_null(&r, from.id, author.p);
	put_int_or_null(&r, from.class, author.p);
	put_address_header(&r, m->reply_to);
	put_first_address_id(&r, m->reply_to);
	put_address_header(&r, m->sender);
	put_address_header(&r, m->to);
	put_subject(&r, with_subject ? m->subject : (struct text){ 0 });
	put_text(&r, m->auto_submitted);
	put_text(&r, m->precedence);
	put_text(&r, m->list_id);
	put_text(&r, m->x_auto_response_suppress);
	put_text(&r, m->x_failed_recipients);
	put_text(&r, m->x_mailer);
	put_text(&r, m->content_type);
	put_int(&r, (int64_t)m->markers);
	put_phrases(&r, m);
	put_int(&r, phrase_version());
	put_received(&r, m->received, m->received_count);
	put_int(&r, m->headers_complete);
	put_notes(&r, e->notes);
	row_end(&r);
	if (m->report)
		encode_report(e, out, m->report);
	else
		encode_report_recipients(e, out, m->said, m->said_count);
	if (m->returned && m->returned->seen)
		encode_returned(e, out, m->returned, with_subject);
}

static bool is_clean(struct text t)
{
	return utf8_valid_prefix(t.p, t.len) == t.len;
}

/* What becomes U+FFFD in rows that come after that of the transaction. */
static bool addresses_are_clean(const struct fact_transaction *f)
{
	bool clean = is_clean(f->mail_from);

	for (uint32_t i = 0; i < f->rcpt_kept; i++) {
		const struct fact_recipient *r = &f->rcpt[i];

		clean = clean && is_clean(r->address) && is_clean(r->reply.text) && is_clean(r->notify) && is_clean(r->orcpt);
	}
	return clean;
}

void row_transaction(struct row_encoder *e, struct buf *out, const struct fact_transaction *f)
{
	const struct fact_session *s = f->session;
	struct row r = row_begin(e, out, ROW_TRANSACTION);

	e->notes = f->notes | (addresses_are_clean(f) ? 0 : NOTE_INVALID_UTF8);
	put_later(&r, VALUE_ROWID);
	put_later(&r, VALUE_BATCH);
	put_later(&r, VALUE_RUN);
	put_bytes(&r, VALUE_BLOB, s->session_id, SESSION_ID_BYTES);
	put_int(&r, (int64_t)s->started_us);
	put_int(&r, f->ordinal);
	put_endpoints(&r, s);
	put_int(&r, (int64_t)f->started_us);
	put_int(&r, (int64_t)f->ended_us);
	put_text(&r, f->helo);
	put_str(&r, fact_tls_name(f->tls));
	put_tristate(&r, f->auth);
	put_text(&r, f->proxy);
	put_text(&r, f->xclient);
	put_text(&r, f->xforward);
	unsigned sender_class = put_envelope_address(&r, f->mail_from);
	put_int_or_null(&r, f->mail_from.len == 0, f->mail_from.p != NULL);
	put_text(&r, f->mail_params);
	put_text(&r, f->ret);
	put_text(&r, f->envid);
	put_reply(&r, &f->mail_reply);
	put_int(&r, f->rcpt_count);
	put_int(&r, f->rcpt_accepted);
	put_str(&r, fact_outcome_name(f->outcome));
	put_reply(&r, &f->reply);
	put_text(&r, f->queue_id);
	put_time_or_null(&r, f->mail_us);
	put_time_or_null(&r, f->data_end_us);
	put_time_or_null(&r, f->reply_us);
	put_int_or_null(&r, (int64_t)f->size_bytes, f->has_data && !f->size_unknown);
	put_int_or_null(&r, (int64_t)f->bytes_seen, f->has_data);
	put_steps(&r, &f->steps);
	put_int(&r, f->complete);
	put_notes(&r, e->notes);
	row_end(&r);
	encode_recipients(e, out, f);
	if (f->message)
		encode_message(e, out, f->message, sender_class);
}

void row_capture(struct row_encoder *e, struct buf *out, const struct fact_capture *f)
{
	struct row r = row_begin(e, out, ROW_CAPTURE);

	put_later(&r, VALUE_RUN);
	put_later(&r, VALUE_SOURCE);
	put_text(&r, f->interface);
	put_int(&r, (int64_t)f->start_us);
	put_int(&r, (int64_t)f->end_us);
	put_int(&r, (int64_t)f->packets);
	put_int(&r, (int64_t)f->bytes);
	put_int(&r, (int64_t)f->kernel_drops);
	put_int(&r, (int64_t)f->interface_drops);
	put_int(&r, (int64_t)f->unseen_bytes);
	put_int(&r, (int64_t)f->flows);
	put_int(&r, (int64_t)f->evicted);
	put_int(&r, (int64_t)f->sessions);
	put_int(&r, (int64_t)f->encrypted_sessions);
	put_int(&r, (int64_t)f->one_sided_sessions);
	row_end(&r);
}

/* ---- reading back ---- */

static void take(struct row_reader *r, void *out, size_t n)
{
	memcpy(out, r->p, n);
	r->p += n;
}

bool row_next(struct row_reader *r, struct row_head *h)
{
	if (r->p == r->end)
		return false;
	h->statement = (enum row_statement)(unsigned char)r->p[0];
	h->values = (unsigned char)r->p[1];
	r->p += 2;
	return true;
}

void row_next_value(struct row_reader *r, struct row_field *v)
{
	*v = (struct row_field){ .type = (enum row_value)(unsigned char)*r->p++ };
	if (v->type == VALUE_INT)
		take(r, &v->integer, sizeof v->integer);
	if (v->type != VALUE_TEXT && v->type != VALUE_BLOB)
		return;
	take(r, &v->length, sizeof v->length);
	v->bytes = r->p;
	r->p += v->length;
}
