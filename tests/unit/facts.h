/*
 * facts.h - facts as lists of "key: value", to be compared with a text written by hand and with each other.
 *
 * A fact is only valid inside the sink function; a view keeps all that was said there, in the order in which it was said. Only what is
 * set becomes a field. Fields that a person cannot know beforehand (times, bits of marker.def and phrases.def) are kept but not shown.
 */
#ifndef TESTS_UNIT_FACTS_H
#define TESTS_UNIT_FACTS_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/xmalloc.h"
#include "sensor/command.h"
#include "sensor/fact.h"

struct field {
	const char *key;	/* a literal */
	char *value;
	bool shown;
};

struct record {
	bool is_session;
	struct field *field;
	size_t count, cap;
};

struct view {
	struct record *record;
	size_t count, cap;
};

static void view_fini(struct view *v)
{
	for (size_t i = 0; i < v->count; i++) {
		for (size_t k = 0; k < v->record[i].count; k++)
			free(v->record[i].field[k].value);
		free(v->record[i].field);
	}
	free(v->record);
	*v = (struct view){ 0 };
}

static struct record *view_add(struct view *v, bool is_session)
{
	if (v->count == v->cap) {
		v->cap = v->cap ? v->cap * 2 : 4;
		v->record = xreallocarray(v->record, v->cap, sizeof *v->record);
	}
	v->record[v->count] = (struct record){ .is_session = is_session };
	return &v->record[v->count++];
}

static void add_field(struct record *r, const char *key, char *value, bool shown)
{
	if (r->count == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 16;
		r->field = xreallocarray(r->field, r->cap, sizeof *r->field);
	}
	r->field[r->count++] = (struct field){ key, value, shown };
}

static void add_buf(struct record *r, const char *key, struct buf *b)
{
	add_field(r, key, xstrdup(buf_cstr(b)), true);
	buf_fini(b);
}

static void add_format(struct record *r, const char *key, bool shown, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
static void add_format(struct record *r, const char *key, bool shown, const char *format, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof line, format, ap);
	va_end(ap);
	add_field(r, key, xstrdup(line), shown);
}

/* LF, control bytes and the backslash as escapes; bytes above 0x7f as they are. */
static void escape(struct buf *b, struct text t)
{
	for (uint32_t i = 0; i < t.len; i++) {
		unsigned char c = (unsigned char)t.p[i];

		if (c == '\n')
			buf_add_str(b, "\\n");
		else if (c < 0x20 || c == 0x7f)
			buf_printf(b, "\\x%02x", c);
		else if (c == '\\')
			buf_add_str(b, "\\\\");
		else
			buf_add_char(b, (char)c);
	}
}

static void add_text(struct record *r, const char *key, struct text t)
{
	struct buf b = { 0 };

	if (!text_is_set(t))
		return;
	if (t.len)
		escape(&b, t);
	else
		buf_add_str(&b, "(empty)");
	add_buf(r, key, &b);
}

static void add_path(struct record *r, const char *key, struct text t)
{
	struct buf b = { 0 };

	if (!text_is_set(t))
		return;
	buf_add_char(&b, '<');
	escape(&b, t);
	buf_add_char(&b, '>');
	add_buf(r, key, &b);
}

/* "550 (5.1.1) text", "-" when not seen. */
static void format_reply(struct buf *b, const struct fact_reply *reply)
{
	if (reply->code)
		buf_printf(b, "%u", (unsigned)reply->code);
	else
		buf_add_char(b, '-');
	if (text_is_set(reply->enhanced)) {
		buf_add_str(b, " (");
		escape(b, reply->enhanced);
		buf_add_char(b, ')');
	}
	if (text_is_set(reply->text) && reply->text.len) {
		buf_add_char(b, ' ');
		escape(b, reply->text);
	}
}

static void add_reply(struct record *r, const char *key, const struct fact_reply *reply)
{
	struct buf b = { 0 };

	if (!reply->code && !text_is_set(reply->text) && !text_is_set(reply->enhanced))
		return;
	format_reply(&b, reply);
	add_buf(r, key, &b);
}

static void add_word_of(struct record *r, const char *key, struct text address, struct text word)
{
	struct buf b = { 0 };

	if (!text_is_set(word))
		return;
	buf_add_char(&b, '<');
	escape(&b, address);
	buf_add_str(&b, "> ");
	escape(&b, word);
	add_buf(r, key, &b);
}

static void add_recipient(struct record *r, const struct fact_recipient *rcpt)
{
	struct buf b = { 0 };

	buf_add_char(&b, '<');
	escape(&b, rcpt->address);
	buf_add_str(&b, "> ");
	format_reply(&b, &rcpt->reply);
	add_buf(r, "rcpt", &b);
	add_word_of(r, "rcpt.notify", rcpt->address, rcpt->notify);
	add_word_of(r, "rcpt.orcpt", rcpt->address, rcpt->orcpt);
}

static void add_notes(struct record *r, const char *key, uint32_t notes)
{
	struct buf b = { 0 };

	for (unsigned i = 0; i < NOTE_COUNT; i++)
		if (notes & 1u << i)
			buf_printf(&b, "%s%s", b.len ? " " : "", fact_note_name(i));
	if (notes >> NOTE_COUNT)
		buf_add_str(&b, " (unknown bits)");
	if (b.len)
		add_buf(r, key, &b);
}

static void add_steps(struct record *r, const struct fact_steps *steps)
{
	struct buf b = { 0 }, times = { 0 };

	for (unsigned i = 0; i < steps->count; i++) {
		const struct fact_step *s = &steps->step[i];

		buf_printf(&b, "%s%c", i ? " " : "", s->side == SIDE_CLIENT ? '>' : '<');
		if (!s->code)
			buf_add_str(&b, command_verb_name((enum verb)s->verb));
		else
			buf_printf(&b, "%03u", s->code);
		buf_printf(&times, " %" PRIu32, s->offset_us);
	}
	if (steps->count) {
		add_buf(r, "steps", &b);
		add_field(r, "steps.us", xstrdup(buf_cstr(&times)), false);
	}
	buf_fini(&times);
}

static void add_received(struct record *r, const char *key, const struct fact_received *received)
{
	const struct { const char *word; struct text t; } part[] = {
		{ "from", received->from_host }, { "by", received->by_host }, { "with", received->with }, { "id", received->id },
	};
	char ip[IP_TEXT_MAX];
	struct buf b = { 0 };

	for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
		if (text_is_set(part[i].t)) {
			buf_printf(&b, "%s%s ", b.len ? " " : "", part[i].word);
			escape(&b, part[i].t);
		}
		if (i == 0 && received->from_ip.version)
			buf_printf(&b, "%s[%s]", b.len ? " " : "", ip_format(&received->from_ip, ip));
	}
	add_buf(r, key, &b);
}

static void add_report_recipient(struct record *r, const struct fact_report_recipient *p)
{
	add_text(r, "report.final_recipient", p->final_recipient);
	add_text(r, "report.original_recipient", p->original_recipient);
	add_text(r, "report.action", p->action);
	add_text(r, "report.status", p->status);
	add_text(r, "report.diagnostic_type", p->diagnostic_type);
	add_text(r, "report.diagnostic", p->diagnostic);
	add_text(r, "report.remote_mta", p->remote_mta);
}

static void add_report(struct record *r, const struct fact_report *p)
{
	add_format(r, "report", true, "%s%s", fact_report_type_name(p->type),
		   p->in_multipart_report ? "" : ", not in multipart/report");
	add_text(r, "report.reporting_mta", p->reporting_mta);
	add_text(r, "report.received_from_mta", p->received_from_mta);
	add_text(r, "report.arrival_date", p->arrival_date);
	add_text(r, "report.envelope_id", p->envelope_id);
	add_text(r, "report.queue_id", p->queue_id);
	add_text(r, "report.disposition", p->disposition);
	add_text(r, "report.original_message_id", p->original_message_id);
	add_text(r, "report.feedback_type", p->feedback_type);
	add_text(r, "report.original_mail_from", p->original_mail_from);
	if (p->recipient_total != p->recipient_count)
		add_format(r, "report.recipient_total", true, "%" PRIu32, p->recipient_total);
	for (unsigned i = 0; i < p->recipient_count; i++)
		add_report_recipient(r, &p->recipient[i]);
}

static void add_returned(struct record *r, const struct fact_returned *p)
{
	add_format(r, "returned", true, "%s", p->seen ? "seen" : "not seen");
	add_text(r, "returned.message_id", p->message_id);
	add_text(r, "returned.from", p->from);
	add_text(r, "returned.to", p->to);
	add_text(r, "returned.subject", p->subject);
	add_text(r, "returned.return_path", p->return_path);
	add_text(r, "returned.received_spf", p->received_spf);
	add_text(r, "returned.authserv", p->authserv);
	add_text(r, "returned.authentication_results", p->authentication_results);
	add_text(r, "returned.spf", p->spf);
	add_text(r, "returned.dkim", p->dkim);
	add_text(r, "returned.dmarc", p->dmarc);
	add_text(r, "returned.dkim_domains", p->dkim_domains);
	add_text(r, "returned.spam", p->spam);
	for (unsigned i = 0; i < p->received_count; i++)
		add_received(r, "returned.received", &p->received[i]);
}

static void add_message(struct record *r, const struct fact_message *m)
{
	add_text(r, "from", m->from);
	add_text(r, "sender", m->sender);
	add_text(r, "reply_to", m->reply_to);
	add_text(r, "to", m->to);
	add_text(r, "subject", m->subject);
	add_text(r, "message_id", m->message_id);
	add_text(r, "in_reply_to", m->in_reply_to);
	add_text(r, "references", m->references);
	add_text(r, "auto_submitted", m->auto_submitted);
	add_text(r, "precedence", m->precedence);
	add_text(r, "list_id", m->list_id);
	add_text(r, "x_auto_response_suppress", m->x_auto_response_suppress);
	add_text(r, "return_path", m->return_path);
	add_text(r, "x_mailer", m->x_mailer);
	add_text(r, "x_failed_recipients", m->x_failed_recipients);
	add_text(r, "content_type", m->content_type);
	for (unsigned i = 0; i < m->received_count; i++)
		add_received(r, "received", &m->received[i]);
	for (uint64_t bit = 0; bit < 64; bit++)
		if (m->markers >> bit & 1)
			add_format(r, "marker", false, "%" PRIu64, bit);
	for (unsigned i = 0; i < m->phrase_count; i++)
		add_format(r, "phrase", false, "%u", m->phrase[i]);
	if (m->report)
		add_report(r, m->report);
	if (m->returned)
		add_returned(r, m->returned);
	add_notes(r, "message_notes", m->notes);
	if (!m->headers_complete)
		add_format(r, "headers_complete", true, "no");
}

static void add_state(struct record *r, enum fact_tls tls, enum fact_tristate auth)
{
	if (tls != TLS_NONE)
		add_format(r, "tls", true, "%s", fact_tls_name(tls));
	if (auth != TRI_FALSE)
		add_format(r, "auth", true, "%s", auth == TRI_TRUE ? "yes" : "unknown");
}

static void add_times(struct record *r, const struct fact_transaction *t)
{
	add_format(r, "us", false, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, t->started_us, t->ended_us, t->mail_us,
		   t->data_end_us, t->reply_us);
}

static void add_data(struct record *r, const struct fact_transaction *t)
{
	if (t->has_data || t->size_bytes)
		add_format(r, "size", true, "%" PRIu64, t->size_bytes);
	if (t->bytes_seen != t->size_bytes)
		add_format(r, "bytes_seen", true, "%" PRIu64, t->bytes_seen);
	if (t->message)
		add_message(r, t->message);
}

static void view_transaction(void *arg, const struct fact_transaction *t)
{
	struct record *r = view_add(arg, false);

	add_format(r, "transaction", true, "%" PRIu32, t->ordinal);
	add_text(r, "helo", t->helo);
	add_state(r, t->tls, t->auth);
	if (t->lmtp)
		add_format(r, "lmtp", true, "yes");
	add_path(r, "mail_from", t->mail_from);
	if (t->mail_params.len)
		add_text(r, "mail_params", t->mail_params);
	add_text(r, "ret", t->ret);
	add_text(r, "envid", t->envid);
	add_reply(r, "mail_reply", &t->mail_reply);
	for (uint32_t i = 0; i < t->rcpt_kept; i++)
		add_recipient(r, &t->rcpt[i]);
	if (t->rcpt_count != t->rcpt_kept)
		add_format(r, "rcpt_count", true, "%" PRIu32, t->rcpt_count);
	if (t->rcpt_accepted)
		add_format(r, "rcpt_accepted", true, "%" PRIu32, t->rcpt_accepted);
	add_format(r, "outcome", true, "%s", fact_outcome_name(t->outcome));
	add_reply(r, "reply", &t->reply);
	add_text(r, "queue_id", t->queue_id);
	add_data(r, t);
	add_times(r, t);
	add_steps(r, &t->steps);
	add_notes(r, "notes", t->notes);
	add_format(r, "complete", true, "%s", t->complete ? "yes" : "no");
}

/* "type:size ..." of the records kept of one side. */
static void add_records(struct record *r, const struct fact_tls_detail *d, enum side side)
{
	const char *key = side == SIDE_CLIENT ? "tls_client" : "tls_server";
	struct buf b = { 0 };

	for (unsigned i = 0; i < d->side[side].kept; i++)
		buf_printf(&b, "%s%u:%u", i ? " " : "", d->side[side].record[i].type, d->side[side].record[i].size_bytes);
	buf_printf(&b, " (%" PRIu32 " records, %" PRIu64 " bytes)", d->side[side].records, d->side[side].bytes);
	add_buf(r, key, &b);
}

static void add_tls(struct record *r, const struct fact_tls_detail *d)
{
	if (d->hello_version)
		add_format(r, "tls_hello", true, "%04x, %u ciphers, %u extensions", d->hello_version, d->cipher_count,
			   d->extension_count);
	if (d->chosen_version)
		add_format(r, "tls_chosen", true, "%04x, cipher %04x", d->chosen_version, d->chosen_cipher);
	add_text(r, "sni", d->sni);
	add_text(r, "alpn", d->alpn);
	add_records(r, d, SIDE_CLIENT);
	add_records(r, d, SIDE_SERVER);
}

static void add_helo(struct record *r, const struct fact_session *s)
{
	struct buf b = { 0 };

	if (!text_is_set(s->helo_verb) && !text_is_set(s->helo))
		return;
	escape(&b, s->helo_verb);
	buf_add_char(&b, ' ');
	escape(&b, s->helo);
	add_buf(r, "helo", &b);
}

static void view_session(void *arg, const struct fact_session *s)
{
	struct record *r = view_add(arg, true);

	add_format(r, "session", true, "%s", fact_session_outcome_name(s->outcome));
	add_text(r, "app_proto", s->app_proto);
	add_format(r, "end", true, "%s", fact_end_name(s->end));
	add_reply(r, "banner", &s->banner);
	add_helo(r, s);
	add_text(r, "ehlo_keywords", s->ehlo_keywords);
	add_reply(r, "refusal", &fact_session_rare(s)->refusal);
	if (s->vrfy_count)
		add_format(r, "vrfy", true, "%" PRIu32, s->vrfy_count);
	add_state(r, s->tls, s->auth);
	add_text(r, "auth_mechanism", fact_session_rare(s)->auth_mechanism);
	if (s->tls_detail)
		add_tls(r, s->tls_detail);
	add_text(r, "proxy", fact_session_rare(s)->proxy);
	add_text(r, "xclient", fact_session_rare(s)->xclient);
	add_text(r, "xforward", fact_session_rare(s)->xforward);
	if (s->transaction_count)
		add_format(r, "transactions", true, "%" PRIu32, s->transaction_count);
	add_format(r, "us", false, "%" PRIu64 " %" PRIu64, s->started_us, s->ended_us);
	add_steps(r, &s->steps);
	add_notes(r, "notes", s->notes);
}

/* A sink that fills v, which must be zeroed and outlive it. */
static inline struct fact_sink view_sink(struct view *v)
{
	return (struct fact_sink){ .transaction = view_transaction, .session = view_session, .arg = v };
}

/* How many fields from i on say the same. */
static size_t field_run(const struct record *r, size_t i)
{
	size_t n = 1;

	while (i + n < r->count && strcmp(r->field[i].key, r->field[i + n].key) == 0
	       && strcmp(r->field[i].value, r->field[i + n].value) == 0)
		n++;
	return n;
}

static void record_print(struct buf *out, const struct record *r, bool all)
{
	for (size_t i = 0, run; i < r->count; i += run) {
		const struct field *f = &r->field[i];

		run = field_run(r, i);
		if (!f->shown && !all)
			continue;
		buf_printf(out, "%s: %s", f->key, f->value);
		if (run > 1)
			buf_printf(out, " (%zu times)", run);
		buf_add_char(out, '\n');
	}
}

/* One block a record; all: also the fields that are not shown. */
static inline void view_print(struct buf *out, const struct view *v, bool all)
{
	for (size_t i = 0; i < v->count; i++) {
		if (i)
			buf_add_char(out, '\n');
		record_print(out, &v->record[i], all);
	}
}

#endif
