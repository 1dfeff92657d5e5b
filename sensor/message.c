/*
 * message.c - see message.h
 *
 * Lines go to the state; containers (multipart bodies that are open) are looked for in each line that begins with "--". RFC 5322, RFC 2046 5.1.
 *
 *   OUTER --header ends--> body_begin: multipart -> container, SKIP; report part -> REPORT; enclosed message -> RETURNED; text -> TEXT; else SKIP
 *   any   --boundary-----> PART (inner containers end, RFC 2046 5.1.2)      any --closing boundary--> SKIP
 *   PART  --header ends--> body_begin
 *   TEXT  --separator----> RETURNED, back to TEXT when no header field follows
 *   any   --gap----------> SKIP: the next boundary is the next safe line; DONE without a container
 *   SKIP without a container is DONE: no later byte can add a fact.
 *
 * Bodies are opened only when the outer header or the envelope says that the mail is automated. An enclosed message is read as far as its header
 * goes; its own parts are skipped, so a report about a report says nothing about the inner one.
 */
#include "sensor/message.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/xmalloc.h"
#include "schema/marker.h"
#include "sensor/dsn.h"
#include "sensor/header.h"
#include "sensor/limits.h"
#include "sensor/lines.h"
#include "sensor/phrase.h"
#include "sensor/received.h"
#include "sensor/returned.h"
#include "sensor/said.h"
#include "sensor/transfer.h"

enum state { OUTER, PART, SKIP, TEXT_BODY, REPORT_BODY, RETURNED_BODY, DONE };

enum kind { KIND_OTHER, KIND_TEXT, KIND_MULTIPART, KIND_REPORT, KIND_RETURNED };

/* What the header of an entity says about its body. */
struct part {
	enum kind kind;
	enum fact_report_type report_type;
	enum transfer transfer;
	bool report_container;		/* multipart/report */
	bool digest;			/* multipart/digest: its parts are messages of others */
	bool typed;			/* a Content-Type was seen, the first wins */
	struct text boundary;
};

struct container {
	struct text boundary;
	bool report, digest;
};

/* Needed only for mail that is looked into. */
struct closer {
	struct container container[LIMIT_MIME_DEPTH];
	unsigned depth, parts;
	struct lines decoded;
	struct transfer_state transfer;
	struct dsn dsn;
	uint32_t text_left;		/* of LIMIT_PHRASE_BYTES */
	bool in_text;			/* RETURNED_BODY: below a line of a text, else a part of its own */
	uint16_t separator;		/* the id of that line, 0 where the header began without one */
	bool returned_in_text;		/* what is known as returned stood in a text: a part of its own replaces it */
	bool fresh;			/* RETURNED_BODY: no field yet */
	bool blank;			/* RETURNED_BODY: a blank line since the separator */
	struct said said;
	struct phrase_search phrases;
};

struct message {
	struct arena *arena;
	struct fact_message *fact;	/* NULL before the first byte */
	enum state state;
	bool look;
	struct part part;		/* of the entity at hand */
	struct lines lines;
	struct header_field field;
	struct text x_loop;
	struct closer *closer;
};

struct message *message_new(struct arena *a, bool look_closer)
{
	struct message *m = xcalloc(1, sizeof *m);

	m->arena = a;
	m->look = look_closer;
	m->part.kind = KIND_TEXT;
	return m;
}

/* What only bytes to come would need. */
static void release(struct message *m)
{
	if (m->closer)
		lines_fini(&m->closer->decoded);
	free(m->closer);
	m->closer = NULL;
	lines_fini(&m->lines);
	header_field_fini(&m->field);
}

void message_free(struct message *m)
{
	if (!m)
		return;
	release(m);
	free(m);
}

size_t message_memory_bytes(const struct message *m)
{
	size_t n = sizeof *m + m->lines.cap + m->field.cap;

	return m->closer ? n + sizeof *m->closer + m->closer->decoded.cap : n;
}

/* Asked some fifty times a field: the first letter is compared before the rest. */
static inline bool is(struct text name, const char *word, size_t length)
{
	return name.len == length && (name.p[0] | 32) == (word[0] | 32) && strncasecmp(name.p, word, length) == 0;
}

/* Outer header */

static const struct {
	uint8_t length;
	const char *name;
	size_t offset;
	bool id;	/* kept without <> */
} outer_fields[] = {
#define FIELD(name, member, id) { sizeof(name) - 1, name, offsetof(struct fact_message, member), id }
	FIELD("From", from, false),
	FIELD("To", to, false),
	FIELD("Subject", subject, false),
	FIELD("Message-ID", message_id, true),
	FIELD("Reply-To", reply_to, false),
	FIELD("In-Reply-To", in_reply_to, false),
	FIELD("References", references, false),
	FIELD("Sender", sender, false),
	FIELD("Return-Path", return_path, false),
	FIELD("Auto-Submitted", auto_submitted, false),
	FIELD("Precedence", precedence, false),
	FIELD("List-Id", list_id, false),
	FIELD("X-Auto-Response-Suppress", x_auto_response_suppress, false),
	FIELD("X-Failed-Recipients", x_failed_recipients, false),
	FIELD("X-Mailer", x_mailer, false),
#undef FIELD
};

static const struct {
	uint8_t length, bit;
	bool closer;
	const char *field, *value;
} markers[] = {
#define MARKER(bit, name, field, value, closer) { sizeof(field) - 1, bit, closer, field, value },
#include "schema/marker.def"
#undef MARKER
};

static const struct {
	const char *name;
	enum kind kind;
	enum fact_report_type report_type;
} media_types[] = {
	{ "message/delivery-status", KIND_REPORT, REPORT_DELIVERY_STATUS },
	{ "message/global-delivery-status", KIND_REPORT, REPORT_DELIVERY_STATUS },
	{ "message/disposition-notification", KIND_REPORT, REPORT_DISPOSITION_NOTIFICATION },
	{ "message/global-disposition-notification", KIND_REPORT, REPORT_DISPOSITION_NOTIFICATION },
	{ "message/feedback-report", KIND_REPORT, REPORT_FEEDBACK },
	{ "message/rfc822", KIND_RETURNED, REPORT_NONE },
	{ "message/global", KIND_RETURNED, REPORT_NONE },
	{ "message/rfc822-headers", KIND_RETURNED, REPORT_NONE },
	{ "text/rfc822-headers", KIND_RETURNED, REPORT_NONE },
	{ "text/rfc822-header", KIND_RETURNED, REPORT_NONE },		/* seen in feedback reports */
	{ "message/global-headers", KIND_RETURNED, REPORT_NONE },
};

/* X-PSA-Autoresponder, X-Yahoo-Vacation, X-AUTO-REPLY: each product has a field of its own that says so. With more behind it is of something else. */
static bool names_autoresponder(struct text name)
{
	static const char *const words[] = { "autoresponder", "autoresponse", "autorespond", "autoreply", "auto-reply", "vacation" };

	if (name.len < 10 || (name.p[0] | 32) != 'x' || name.p[1] != '-')
		return false;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (text_ends_nocase(name, words[i]))
			return true;
	return false;
}

/* "X-No-Autoreply", "X-Autoreply: no" and their like ask that there be none, or say that this is none. */
static bool denies(struct text name, struct text value)
{
	static const char *const words[] = { "-no-", "-noauto", "dont", "suppress", "ignore", "disable" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (text_find_nocase(name, words[i]) >= 0)
			return true;
	return text_starts_nocase(value, "no") || text_starts_nocase(value, "false") || text_equal(value, TEXT("0"));
}

static void set_markers(struct message *m, struct text name, struct text value)
{
	if (names_autoresponder(name) && !denies(name, value)) {
		m->fact->markers |= MARKER_BIT(NAMED_AUTORESPONDER);
		m->look = true;
	}
	for (size_t i = 0; i < sizeof markers / sizeof markers[0]; i++) {
		if (!is(name, markers[i].field, markers[i].length))
			continue;
		if (markers[i].value && text_find_nocase(value, markers[i].value) < 0)
			continue;
		m->fact->markers |= UINT64_C(1) << markers[i].bit;
		m->look |= markers[i].closer;
	}
}

static struct text keep_lower(struct message *m, struct text value)
{
	char lower[128];	/* RFC 6838 4.2: type and subtype have at most 127 characters each; real ones far fewer */
	uint32_t n = 0;

	for (; n < value.len && n < sizeof lower; n++)
		lower[n] = value.p[n] >= 'A' && value.p[n] <= 'Z' ? (char)(value.p[n] | 32) : value.p[n];
	return header_keep(m->arena, (struct text){ lower, n }, sizeof lower, &m->fact->notes);
}

/* Content-Type and Content-Transfer-Encoding, of the outer header and of parts. */
static void set_multipart(struct message *m, struct text type, struct text value)
{
	char boundary[LIMIT_BOUNDARY];
	struct text b = header_param(value, "boundary", boundary, sizeof boundary);

	while (b.len && (b.p[b.len - 1] == ' ' || b.p[b.len - 1] == '\t'))
		b.len--;
	if (b.len == 0)
		return;		/* like Python's email: without a boundary it is a text */
	m->part.kind = KIND_MULTIPART;
	m->part.report_container = is(type, "multipart/report", 16);
	m->part.digest = is(type, "multipart/digest", 16);
	m->part.boundary = header_keep(m->arena, b, LIMIT_BOUNDARY, &m->fact->notes);
	if (!m->part.boundary.p)
		m->part.kind = KIND_OTHER;
}

static void set_type(struct message *m, struct text value)
{
	struct text type = header_media_type(value);

	if (m->part.typed)
		return;
	m->part.typed = true;
	if (text_starts_nocase(type, "multipart/")) {
		set_multipart(m, type, value);
		return;
	}
	m->part.kind = text_starts_nocase(type, "text/") || type.len == 0 ? KIND_TEXT : KIND_OTHER;
	for (size_t i = 0; i < sizeof media_types / sizeof media_types[0]; i++)
		if (is(type, media_types[i].name, strlen(media_types[i].name))) {
			m->part.kind = media_types[i].kind;
			m->part.report_type = media_types[i].report_type;
		}
}

static void part_field(struct message *m, struct text name, struct text value)
{
	if (is(name, "Content-Type", 12))
		set_type(m, value);
	else if (is(name, "Content-Transfer-Encoding", 25))
		m->part.transfer = transfer_by_name(value);
}

static void outer_field(struct message *m, struct text name, struct text value)
{
	struct fact_message *f = m->fact;

	set_markers(m, name, value);
	if (is(name, "Received", 8)) {
		received_keep(m->arena, value, &f->received, &f->received_count, &f->notes);
		return;
	}
	for (size_t i = 0; i < sizeof outer_fields / sizeof outer_fields[0]; i++) {
		if (!is(name, outer_fields[i].name, outer_fields[i].length))
			continue;
		struct text *to = (struct text *)(void *)((char *)f + outer_fields[i].offset);

		if (!to->p)
			*to = header_keep(m->arena, outer_fields[i].id ? header_strip_angle(value) : value, LIMIT_HEADER_VALUE, &f->notes);
		return;
	}
	if (is(name, "Content-Type", 12) && !f->content_type.p)
		f->content_type = keep_lower(m, header_media_type(value));
	if (is(name, "X-Loop", 6) && !m->x_loop.p)
		m->x_loop = header_keep(m->arena, value, LIMIT_HEADER_VALUE, &f->notes);
	part_field(m, name, value);
}

/* The field at hand is whole. */
static void field_flush(struct message *m)
{
	struct text name, value;

	if (!m->field.open)
		return;
	m->field.open = false;
	header_split(m->field.text, &name, &value);
	if (m->state == OUTER)
		outer_field(m, name, value);
	else if (m->state == PART)
		part_field(m, name, value);
	else if (m->state == REPORT_BODY)
		dsn_field(&m->closer->dsn, name, value);
	else
		returned_field(m->fact->returned, m->arena, name, value, &m->fact->notes);
}

/* A line from a carry buffer is only good until the next one. */
static void field_begin(struct message *m, struct text line)
{
	header_field_begin(&m->field, line);
	if (line.p == m->lines.carry || (m->closer && line.p == m->closer->decoded.carry))
		header_field_hold(&m->field);
}

/* True when the line was one of a header block, false when it ends it. */
static bool header_push(struct message *m, struct text line, enum header_line kind)
{
	if (kind == HEADER_FOLD) {
		header_field_fold(&m->field, line);
		return true;
	}
	field_flush(m);
	if (kind == HEADER_FIELD)
		field_begin(m, line);
	return kind == HEADER_FIELD || kind == HEADER_SKIP;
}

/* Bodies */

static void skip(struct message *m)
{
	m->state = m->closer && m->closer->depth ? SKIP : DONE;
}

static void container_push(struct message *m)
{
	struct closer *c = m->closer;

	if (c->depth == LIMIT_MIME_DEPTH)
		m->fact->notes |= NOTE_MIME_LIMIT;
	else
		c->container[c->depth++] = (struct container){ m->part.boundary, m->part.report_container, m->part.digest };
}

/* The first report part counts; a second one goes on where the first named no recipient (InterMail puts its text into a part of that type). */
static bool report_begin(struct message *m)
{
	struct fact_report *r = m->fact->report;

	if (r && (r->recipient_total || r->type != m->part.report_type))
		return false;
	if (!r) {
		r = arena_alloc(m->arena, sizeof *r);
		if (!r) {
			m->fact->notes |= NOTE_TRUNCATED;
			return false;
		}
		*r = (struct fact_report){ .type = m->part.report_type };
		r->in_multipart_report = m->closer->depth && m->closer->container[m->closer->depth - 1].report;
		m->fact->report = r;
	}
	dsn_init(&m->closer->dsn, m->arena, r);
	m->state = REPORT_BODY;
	return true;
}

/* The record is made with the first field: what holds no header was no returned message. */
static bool returned_begin(struct message *m, bool in_text, uint16_t separator)
{
	if (m->fact->returned && (in_text || !m->closer->returned_in_text))
		return false;
	m->closer->in_text = in_text;
	m->closer->separator = separator;
	m->closer->fresh = true;
	m->closer->blank = false;
	m->state = RETURNED_BODY;
	return true;
}

static bool text_begin(struct message *m)
{
	if (m->closer->text_left == 0)
		return false;
	m->state = TEXT_BODY;
	return true;
}

static void body_begin(struct message *m)
{
	struct closer *c = m->closer;
	bool opened = false;

	c->transfer = (struct transfer_state){ 0 };
	lines_fini(&c->decoded);
	switch (m->part.kind) {
	case KIND_MULTIPART:
		container_push(m);
		break;
	case KIND_REPORT:
		opened = report_begin(m);
		break;
	case KIND_RETURNED:
		opened = returned_begin(m, false, 0);
		break;
	case KIND_TEXT:
		opened = text_begin(m);
		break;
	case KIND_OTHER:
		break;
	}
	if (!opened)
		skip(m);
}

static void text_end(struct message *m)
{
	phrase_flush(&m->closer->phrases);
	skip(m);
}

static bool is_trace_field(struct text line)
{
	return text_starts_nocase(line, "received:") || text_starts_nocase(line, "return-path:");
}

static void returned_line(struct message *m, struct text line);

static void text_line(struct message *m, struct text line)
{
	struct closer *c = m->closer;
	uint16_t separator = m->fact->returned ? 0 : phrase_separator(line);

	/* Servers say in many languages that the header follows; the lines that a server wrote at its top are the same in all. */
	if (!separator && line.len && (line.p[0] | 32) == 'r' && is_trace_field(line) && returned_begin(m, true, 0)) {
		phrase_flush(&c->phrases);
		returned_line(m, line);
		return;
	}
	if (separator)
		said_gap(&c->said);
	else
		said_line(&c->said, m->arena, line, &m->fact->notes);
	phrase_push(&c->phrases, line);
	phrase_push(&c->phrases, TEXT("\n"));
	c->text_left = line.len < c->text_left ? c->text_left - line.len - 1 : 0;
	if (separator) {
		phrase_flush(&c->phrases);
		returned_begin(m, true, separator);
	} else if (c->text_left == 0) {
		text_end(m);
	}
}

static void report_line(struct message *m, struct text line)
{
	enum header_line kind = header_line_kind(line);

	header_push(m, line, kind);
	if (kind == HEADER_BLANK)
		dsn_blank(&m->closer->dsn);
}

/*
 * Before the first field: blank lines are passed over. Below a separator so are lines with dashes (Exim says there how much it kept), and a block
 * that stands right under it must begin with a trace field: "Original Message" above From and Sent is a quotation by a person's mail program.
 */
static bool returned_starts(struct message *m, struct text line, enum header_line kind)
{
	struct closer *c = m->closer;

	if (kind == HEADER_BLANK) {
		c->blank = true;
		return false;
	}
	if (kind == HEADER_SKIP || (c->in_text && line.p[0] == '-'))
		return false;
	if (kind != HEADER_FIELD || (c->in_text && !c->blank && !is_trace_field(line))) {
		if (c->in_text) {
			m->state = TEXT_BODY;
			text_line(m, line);
		} else {
			skip(m);
		}
		return false;
	}
	if (!m->fact->returned)
		m->fact->returned = arena_alloc(m->arena, sizeof *m->fact->returned);
	if (!m->fact->returned) {
		m->fact->notes |= NOTE_TRUNCATED;
		skip(m);
		return false;
	}
	*m->fact->returned = (struct fact_returned){ .seen = true };
	if (c->separator)
		phrase_list_add(c->phrases.found, c->separator);
	c->returned_in_text = c->in_text;
	c->fresh = false;
	return true;
}

/* Once the report and what came back are known, further parts are footers. */
static void returned_done(struct message *m)
{
	if (!m->fact->returned)
		return;
	returned_end(m->fact->returned);
	if (m->fact->report && !m->closer->in_text)
		m->state = DONE;
	else
		skip(m);
}

static void returned_line(struct message *m, struct text line)
{
	enum header_line kind = header_line_kind(line);

	if (m->closer->fresh && !returned_starts(m, line, kind))
		return;
	if (!header_push(m, line, kind))
		returned_done(m);
}

static void body_line(struct message *m, struct text line)
{
	if (m->state == TEXT_BODY)
		text_line(m, line);
	else if (m->state == REPORT_BODY)
		report_line(m, line);
	else if (m->state == RETURNED_BODY)
		returned_line(m, line);
}

/* A line of a body as it is on the wire. */
static void encoded_line(struct message *m, struct text line)
{
	char decoded[LIMIT_HEADER_LINE + 1];
	struct closer *c = m->closer;

	if (m->part.transfer == TRANSFER_IDENTITY) {
		body_line(m, line);
		return;
	}
	const char *p = decoded, *end = decoded + transfer_line(m->part.transfer, &c->transfer, line, decoded);

	while (lines_next(&c->decoded, &p, end, LIMIT_HEADER_LINE, &line))
		body_line(m, line);
	header_field_hold(&m->field);
}

/* At a hole: the next line had begun, and not with a blank, so the field at hand does not go on. */
static bool field_is_whole(const struct message *m)
{
	char next = lines_begun(&m->lines);
	bool plain = m->state == OUTER || m->state == PART || m->part.transfer == TRANSFER_IDENTITY;

	return plain && next && next != ' ' && next != '\t';
}

/* The body at hand is over, as a whole or (broken) at a hole: what may be cut is then no fact. */
static void body_end(struct message *m, bool broken)
{
	struct text line;

	if (broken && !field_is_whole(m))
		m->field.open = false;
	if (m->closer && !broken && lines_rest(&m->closer->decoded, LIMIT_HEADER_LINE, &line))
		body_line(m, line);
	field_flush(m);
	if (m->closer)
		said_gap(&m->closer->said);
	if (m->state == TEXT_BODY)
		phrase_flush(&m->closer->phrases);
	else if (m->state == REPORT_BODY)
		m->fact->notes |= m->closer->dsn.notes;
	else if (m->state == RETURNED_BODY)
		returned_done(m);
}

/* Boundaries */

static bool is_boundary(struct text line, struct text boundary, bool *closing)
{
	uint32_t n = boundary.len + 2;

	if (line.len < n || memcmp(line.p + 2, boundary.p, boundary.len) != 0)
		return false;
	*closing = line.len >= n + 2 && line.p[n] == '-' && line.p[n + 1] == '-';
	if (*closing)
		n += 2;
	while (n < line.len && (line.p[n] == ' ' || line.p[n] == '\t'))
		n++;
	return n == line.len;
}

static void part_begin(struct message *m, const struct container *in)
{
	m->part = (struct part){ .kind = in->digest ? KIND_OTHER : KIND_TEXT };
	m->state = PART;
	if (++m->closer->parts > LIMIT_MIME_PARTS) {
		m->fact->notes |= NOTE_MIME_LIMIT;
		m->state = DONE;
	}
}

/* A line that begins with "--": is it a boundary of an open container, the innermost first? */
static bool boundary_line(struct message *m, struct text line)
{
	struct closer *c = m->closer;
	unsigned i = c->depth;
	bool closing;

	do {
		if (i-- == 0)
			return false;
	} while (!is_boundary(line, c->container[i].boundary, &closing));
	body_end(m, false);
	if (m->state == DONE)
		return true;
	c->depth = closing ? i : i + 1;
	if (closing)
		skip(m);
	else
		part_begin(m, &c->container[i]);
	return true;
}

/* Outer header: its end */

/* From of a mail daemon. Only a reason to look at the text. */
static bool is_daemon(struct text from)
{
	static const char *const words[] = { "mailer-daemon", "postmaster", "mail delivery", "mail-daemon", "microsoftexchange", "maildaemon",
		"autoreply", "auto-reply", "autoresponder", "content-filter at", "mail administrator", "system administrator", "mailer daemon",
		"mail system", "mailsystem", "mail deliver" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (text_find_nocase(from, words[i]) >= 0)
			return true;
	return false;
}

static bool is_automated(const struct fact_message *f)
{
	return (f->auto_submitted.len && !text_starts_nocase(f->auto_submitted, "no")) || text_equal(f->return_path, TEXT("<>")) ||
		is_daemon(f->from) || f->phrase_count;
}

static bool is_same_address(struct text field, struct text from)
{
	struct text a = header_first_address(field), b = header_first_address(from);

	return a.len && text_equal_nocase(a, b);
}

/* What only two fields together tell. */
static void compare_fields(struct message *m)
{
	struct fact_message *f = m->fact;

	if (is_same_address(m->x_loop, f->from))
		f->markers |= MARKER_BIT(X_LOOP_IS_FROM);
	if (is_same_address(f->return_path, f->from))
		f->markers |= MARKER_BIT(RETURN_PATH_IS_FROM);
}

/* Neither a program of a person nor a list says that it wrote this: perhaps a script that answers, which says so in its first lines. */
static bool is_bare(const struct message *m)
{
	const struct fact_message *f = m->fact;

	return m->part.kind == KIND_TEXT && !f->list_id.p
	    && !(f->markers & (MARKER_BIT(MIME_VERSION) | MARKER_BIT(USER_AGENT) | MARKER_BIT(X_MAILER) | MARKER_BIT(LIST_UNSUBSCRIBE)));
}

static void outer_end(struct message *m, bool complete)
{
	struct fact_message *f = m->fact;
	struct phrase_list found = { f->phrase, &f->phrase_count, PHRASES_KEPT };
	uint32_t text_bytes = LIMIT_PHRASE_BYTES;

	f->headers_complete = complete;
	compare_fields(m);
	phrase_search_subject(f->subject, found);
	m->look |= is_automated(f) || m->part.kind == KIND_REPORT || m->part.report_container;
	if (!m->look && is_bare(m)) {
		m->look = true;
		text_bytes = LIMIT_BARE_PHRASE_BYTES;
	}
	m->state = DONE;
	if (!m->look)
		return;
	m->closer = xcalloc(1, sizeof *m->closer);
	m->closer->text_left = text_bytes;
	m->closer->said = (struct said){ .from = header_first_address(f->from), .to = header_first_address(f->to) };
	phrase_init(&m->closer->phrases, found);
	if (complete || m->part.kind == KIND_MULTIPART)
		body_begin(m);
}

/* A line of the message. */
static void line_push(struct message *m, struct text line)
{
	if (m->closer && line.len > 2 && line.p[0] == '-' && line.p[1] == '-' && boundary_line(m, line))
		return;
	switch (m->state) {
	case OUTER:
	case PART: {
		enum header_line kind = header_line_kind(line);

		if (header_push(m, line, kind))
			break;
		if (m->state == OUTER)
			outer_end(m, true);
		else
			body_begin(m);
		if (kind == HEADER_OTHER)
			line_push(m, line);	/* the body began without a blank line */
		break;
	}
	case TEXT_BODY:
	case REPORT_BODY:
	case RETURNED_BODY:
		encoded_line(m, line);
		break;
	case SKIP:
	case DONE:
		break;
	}
}

static bool start(struct message *m)
{
	if (!m->fact) {
		m->fact = arena_alloc(m->arena, sizeof *m->fact);
		if (!m->fact) {
			m->state = DONE;
			return false;
		}
		*m->fact = (struct fact_message){ 0 };
	}
	return true;
}

/* People and their programs name addresses, too: only the text of a mail about mail is believed. */
static bool is_about_mail(const struct fact_message *f)
{
	bool about = f->x_failed_recipients.p != NULL;

	for (unsigned i = 0; i < f->phrase_count; i++) {
		enum phrase_class c = phrase_class(f->phrase[i]);

		about |= c == PHRASE_BOUNCE || c == PHRASE_NONDELIVERY || c == PHRASE_DELAY || c == PHRASE_STATUS;
	}
	return about;
}

/* What the text said of recipients becomes a fact where no report part says it better. */
static void said_end(struct message *m)
{
	struct fact_message *f = m->fact;
	struct closer *c = m->closer;

	if (!c || f->report || !(is_about_mail(f) || is_daemon(f->from)))
		return;
	if (f->x_failed_recipients.p)
		said_failed(&c->said, m->arena, f->x_failed_recipients, &f->notes);
	if (is_about_mail(f))
		said_mentioned(&c->said);
	struct fact_report_recipient *kept = c->said.count ? arena_alloc(m->arena, c->said.count * sizeof *kept) : NULL;

	if (!kept)
		return;
	memcpy(kept, c->said.recipient, c->said.count * sizeof *kept);
	f->said = kept;
	f->said_count = c->said.count;
}

/* No later byte adds a fact. */
static void done(struct message *m)
{
	said_end(m);
	release(m);
}

void message_push(struct message *m, const char *p, size_t n)
{
	struct text line;

	if (m->state == DONE || n == 0 || !start(m))
		return;
	const char *end = p + n;
	while (m->state != DONE && lines_next(&m->lines, &p, end, LIMIT_HEADER_LINE, &line))
		line_push(m, line);
	if (m->state == DONE)
		done(m);
	else
		header_field_hold(&m->field);
}

void message_gap(struct message *m)
{
	if (m->state == DONE)
		return;
	if (!m->fact) {
		m->state = DONE;	/* what follows may be anything */
		return;
	}
	m->fact->notes |= NOTE_GAP;
	body_end(m, true);
	lines_gap(&m->lines);
	if (m->state == OUTER)
		outer_end(m, false);
	else if (m->state != DONE)
		skip(m);
	if (m->state == DONE)
		done(m);
}

struct fact_message *message_end(struct message *m, bool complete)
{
	struct text line;

	if (!m->fact)
		return NULL;
	if (!complete)
		m->fact->notes |= NOTE_NO_END;
	else if (m->state != DONE && lines_rest(&m->lines, LIMIT_HEADER_LINE, &line))
		line_push(m, line);
	if (m->state != DONE)
		body_end(m, !complete);
	if (m->state == OUTER)
		outer_end(m, complete);
	m->state = DONE;
	done(m);
	return m->fact;
}
