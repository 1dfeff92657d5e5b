/*
 * smtp.c - see smtp.h. Two machines that share a queue of commands without their reply.
 *
 * Client side (RFC 5321 4.1, 2920, 3030, 3207, 4954; PROXY protocol 2.1, 2.2):
 *
 *   START --first byte--> COMMAND <--------------------+---------------------------+
 *     |  PROXY v1/v2: kept      | DATA                 | end of data               | all bytes of the chunk
 *     |  TLS record             v                      |                           |
 *     |                     DATA_WAIT --354, body--> BODY      COMMAND --BDAT n--> BDAT
 *     v                                                      COMMAND --AUTH, 334--> AUTH --line--> COMMAND
 *    TLS <--220 to STARTTLS-- COMMAND
 *   any --hole--> LOST --command-like lines, then a reply--> COMMAND;  LOST --354--> BODY
 *
 * Server side: lines make replies; a reply answers the front of the queue (on_reply). After a hole a HOLE stands in the queue and
 * swallows replies that might answer what was not seen, until something only one command can mean puts both in step again (in_step).
 */
#include "sensor/smtp.h"

#include <stdio.h>
#include <string.h>

#include "common/xmalloc.h"
#include "sensor/limits.h"
#include "sensor/smtp_state.h"

enum { LMTP_PORT = 24 };	/* for "any private mail system", and for LMTP by custom; 25 it must not be (RFC 2033 5) */

struct smtp *smtp_new(const struct fact_sink *sink, const struct fact_session *start)
{
	struct smtp *s = xcalloc(1, sizeof *s);

	s->sink = sink;
	s->f = *start;
	s->last = &s->first;
	s->now_us = start->started_us;
	s->lmtp = start->dest_port == LMTP_PORT;	/* until the client says what it speaks */
	arena_init(&s->arena, LIMIT_SESSION_ARENA);
	s->arena.first_bytes = 168;	/* greeting and steps of most sessions, with its head and that of malloc 192 */
	s->queue = &s->alone;
	s->queue_cap = 1;
	if (start->notes & NOTE_MID_STREAM)
		s->mode = C_LOST;
	else
		s->await_banner = true;
	return s;
}

void smtp_fetch(const struct smtp *s)
{
	for (size_t i = 0; i < sizeof *s; i += 64)
		__builtin_prefetch((const char *)s + i);
}

struct fact_session *smtp_session(struct smtp *s)
{
	return &s->f;
}

static size_t rare_memory_bytes(const struct smtp_rare *r)
{
	return sizeof *r + r->ahead.cap + r->guess.cap + r->helo_sent.cap + r->xclient.cap + r->xforward.cap + (r->tls ? tls_memory_bytes(r->tls) : 0)
	       + (r->unplaced ? sizeof *r->unplaced + r->unplaced->texts.used_bytes : 0);
}

size_t smtp_memory_bytes(const struct smtp *s)
{
	const struct smtp_rare *r = s->rare;
	size_t n = sizeof *s + s->arena.used_bytes + s->line[0].cap + s->line[1].cap + s->reply_text.cap;

	if (s->queue != &s->alone)
		n += s->queue_cap * sizeof *s->queue;
	if (r)
		n += rare_memory_bytes(r);
	for (const struct transaction *t = s->first; t; t = t->next)
		n += transaction_memory_bytes(t);
	return n;
}

/* A text of the session with a note when it was cut. */
struct text smtp_keep(struct smtp *s, struct text t, size_t max)
{
	bool cut = false;
	struct text copy = arena_copy(&s->arena, t.p, t.len, max, &cut);

	if (cut)
		s->f.notes |= NOTE_TRUNCATED;
	return copy;
}

void smtp_keep_last(struct smtp *s, struct text *kept, uint16_t *room, struct text t, size_t max)
{
	enum { LEAST = 16 };

	if (t.len > max) {
		t.len = (uint32_t)max;
		s->f.notes |= NOTE_TRUNCATED;
	}
	char *p = (char *)(uintptr_t)kept->p;	/* in our arena, where it may be written */
	if (!p || t.len > *room) {
		uint16_t wanted = LEAST;

		while (wanted < t.len)
			wanted = (uint16_t)(2 * wanted);
		p = arena_alloc(&s->arena, wanted);
		*room = wanted;
	}
	if (!p) {
		*kept = (struct text){ 0 };
		s->f.notes |= NOTE_TRUNCATED;
		return;
	}
	if (t.len)
		memcpy(p, t.p, t.len);
	*kept = (struct text){ p, t.len };
}

struct smtp_rare *smtp_rare(struct smtp *s)
{
	if (!s->rare) {
		s->rare = xcalloc(1, sizeof *s->rare);
		s->f.rare = &s->rare->f;
	}
	return s->rare;
}

static void add_step(struct smtp *s, struct transaction *t, struct fact_step what)
{
	if (t) {
		transaction_step(t, what, s->now_us);
		return;
	}
	uint64_t offset = s->now_us > s->f.started_us ? s->now_us - s->f.started_us : 0;
	if (fact_step_add(&s->f.steps, &s->arena, what, offset))
		s->f.notes |= NOTE_STEPS_TRUNCATED;
}

void smtp_step(struct smtp *s, struct transaction *t, enum side side, enum verb what)
{
	add_step(s, t, (struct fact_step){ .verb = (uint8_t)what, .side = (uint8_t)side });
}

void smtp_step_reply(struct smtp *s, struct transaction *t, const struct fact_reply *r)
{
	add_step(s, t, (struct fact_step){ .code = r->code, .side = SIDE_SERVER });
}

bool smtp_is_without_auth(const struct smtp *s)
{
	if (s->f.tls != TLS_NONE || (s->f.notes & (NOTE_MID_STREAM | NOTE_ORDINAL_UNCERTAIN)))
		return false;
	return !fact_session_rare(&s->f)->auth_mechanism.p || s->auth_refused;
}

/* A command or reply in clear: it is SMTP, and not encrypted so far. */
void smtp_saw_clear(struct smtp *s, bool *which)
{
	*which = true;
	if (s->f.tls == TLS_UNKNOWN)
		s->f.tls = TLS_NONE;
}

static bool note_bare_lf(struct smtp *s, struct text line, bool crlf)
{
	if (!crlf && line.len)
		s->f.notes |= NOTE_BARE_LF;
	return crlf;
}

/* The reply line that a hole cut has ended: it may have answered a command that waits. */
static void reply_line_skipped(struct smtp *s)
{
	s->skip_reply_line = false;
	queue_hole_front(s);
	s->absorbed++;
}

size_t smtp_next_line(struct smtp *s, enum side from, const char *p, size_t n, size_t cap, struct text *line, bool *whole)
{
	const char *lf = memchr(p, '\n', n);
	size_t used = lf ? (size_t)(lf + 1 - p) : n;
	struct buf *carry = &s->line[from];

	if (from == SIDE_CLIENT && carry->len == 0)
		s->line_us = s->now_us;

	*whole = false;
	if (from == SIDE_SERVER && s->skip_reply_line) {
		if (lf)
			reply_line_skipped(s);
		return used;
	}
	if (carry->len || !lf) {
		size_t room = cap > carry->len ? cap - carry->len : 0;

		if (used > room)
			s->over_cap[from] = true;
		buf_add(carry, p, used < room ? used : room);
		if (!lf)
			return used;
		*line = (struct text){ carry->p, (uint32_t)carry->len };
	} else {
		*line = (struct text){ p, (uint32_t)used };
		if (used > cap) {
			s->over_cap[from] = true;
			line->len = (uint32_t)cap;
		}
	}
	if (s->over_cap[from])
		s->f.notes |= NOTE_TRUNCATED;
	else {
		line->len--;
		bool crlf = line->len && line->p[line->len - 1] == '\r';
		if (note_bare_lf(s, *line, crlf))
			line->len--;
	}
	*whole = true;
	return used;
}

void smtp_line_done(struct smtp *s, enum side from)
{
	buf_clear(&s->line[from]);
	s->over_cap[from] = false;
}

/* ---- what the caller tells ---- */

void smtp_push(struct smtp *s, enum side from, const void *bytes, size_t n, uint64_t t_us)
{
	if (t_us > s->now_us)
		s->now_us = t_us;
	s->bytes[from] = n < UINT32_MAX - s->bytes[from] ? s->bytes[from] + (uint32_t)n : UINT32_MAX;
	if (from == SIDE_CLIENT)
		smtp_client_bytes(s, bytes, n);
	else
		smtp_server_bytes(s, bytes, n);
}

static void client_hole(struct smtp *s, uint64_t n)
{
	switch (s->mode) {
	case C_TLS:
		tls_gap(s->rare->tls, SIDE_CLIENT, n);
		return;
	case C_OFF:
		return;
	case C_BODY:
		transaction_body_gap(s->current, n + client_dot_bytes(s->body));
		s->body = B_MID;
		s->body_hole = true;
		s->candidate = false;
		client_forget_ahead(s);
		if (s->body_doubt)
			break;
		return;
	case C_BDAT:
		if (n && n <= s->rare->bdat_left) {
			s->rare->bdat_left -= n;
			if (s->current)
				transaction_body_gap(s->current, n);
			client_bdat(s, NULL, 0);
			return;
		}
		break;
	default:
		break;
	}
	if (s->current) {
		s->suspended = true;
		s->current->f.notes |= NOTE_GAP;
	}
	s->absorbed = queue_has_hole(s);
	s->f.notes |= NOTE_ORDINAL_UNCERTAIN;
	s->mode = C_LOST;
	smtp_line_done(s, SIDE_CLIENT);
	if (s->rare)
		buf_clear(&s->rare->guess);
	queue_push(s, VERB_HOLE, NULL);
}

static void server_hole(struct smtp *s, uint64_t n)
{
	s->await_banner = false;
	if (s->server_tls) {
		if (s->rare && s->rare->tls)
			tls_gap(s->rare->tls, SIDE_SERVER, n);
		return;
	}
	s->reply_open = false;
	smtp_line_done(s, SIDE_SERVER);
	s->skip_reply_line = true;
	for (struct transaction *t = s->first; t; t = t->next)
		t->f.notes |= NOTE_GAP;
	if (s->mode == C_BODY) {
		s->body_doubt = true;
		s->current->reply_lost = true;
		if (s->body_hole) {	/* the end of this mail and the beginning of the next may both be missing */
			current_close(s, TX_LOST);
			s->mode = C_LOST;
		}
	}
	s->absorbed = 1;
	unplaced_clear(s);
	s->overflowed = 0;
	queue_hole_front(s);
	if (s->mode == C_DATA_WAIT)
		client_carry_again(s);
}

void smtp_gap(struct smtp *s, enum side from, uint64_t n, uint64_t t_us)
{
	if (t_us > s->now_us)
		s->now_us = t_us;
	s->f.notes |= NOTE_GAP;
	s->heard += from == SIDE_SERVER;
	if (from == SIDE_CLIENT)
		client_hole(s, n);
	else
		server_hole(s, n);
}

void smtp_doubt(struct smtp *s)
{
	s->f.notes |= NOTE_OVERLAP;
	for (struct transaction *t = s->first; t; t = t->next)
		t->f.notes |= NOTE_OVERLAP;
}

/* ---- the end ---- */

/* A client that begins with TLS proves nothing where the server's answer was not seen, but on the port that is for it (RFC 8314 3.3). */
static bool is_encrypted(const struct smtp *s)
{
	enum { SUBMISSIONS = 465 };
	const struct fact_session *f = &s->f;

	if (f->tls == TLS_IMPLICIT)
		return f->tls_detail->side[SIDE_SERVER].records || f->dest_port == SUBMISSIONS || text_starts_nocase(f->tls_detail->alpn, "smtp");
	return f->outcome == SESSION_ENCRYPTED || f->tls == TLS_STARTTLS;
}

static enum fact_session_outcome session_outcome(const struct smtp *s)
{
	const struct fact_session *f = &s->f;
	bool doubt = f->notes & (NOTE_GAP | NOTE_MID_STREAM | NOTE_ONE_SIDED);

	if (f->transaction_count)
		return SESSION_MAIL;
	if (f->app_proto.p)
		return SESSION_NOT_SMTP;
	if (is_encrypted(s))
		return SESSION_ENCRYPTED;
	if (f->banner.code >= 400)
		return SESSION_REFUSED_BANNER;
	if (fact_session_rare(f)->refusal.code && !doubt)
		return SESSION_REFUSED_HELO;
	if (!s->saw_reply && !s->saw_command)
		return (s->odd_banner || s->bytes[SIDE_CLIENT]) && !doubt ? SESSION_NOT_SMTP : SESSION_UNKNOWN;
	return doubt ? SESSION_UNKNOWN : SESSION_NO_MAIL;
}

static void session_finish(struct smtp *s, enum fact_end end, uint64_t t_us)
{
	struct fact_session *f = &s->f;

	f->end = end;
	if (t_us > f->ended_us)
		f->ended_us = t_us;
	if (f->auth == TRI_UNKNOWN && s->bytes[SIDE_CLIENT] && smtp_is_without_auth(s))
		f->auth = TRI_FALSE;
	if (f->transaction_count || s->helo_accepted)	/* whatever else was said, that is SMTP */
		f->app_proto = (struct text){ 0 };
	f->outcome = session_outcome(s);
	f->complete = (end == END_FIN || end == END_RST) && !(f->notes & (NOTE_GAP | NOTE_MID_STREAM | NOTE_ONE_SIDED | NOTE_ORDINAL_UNCERTAIN | NOTE_OVERLAP));
}

static void rare_free(struct smtp_rare *r)
{
	if (!r)
		return;
	buf_fini(&r->xclient);
	buf_fini(&r->xforward);
	buf_fini(&r->ahead);
	buf_fini(&r->guess);
	buf_fini(&r->helo_sent);
	tls_free(r->tls);
	free(r);
}

void smtp_end(struct smtp *s, enum fact_end end, enum side by, uint64_t t_us)
{
	bool client_left = (end == END_FIN || end == END_RST) && by == SIDE_CLIENT && !s->closed_by_server;
	if (t_us > s->now_us)
		s->now_us = t_us;
	if (s->mode == C_DATA_WAIT && s->line[SIDE_CLIENT].len)
		client_data_guess(s);
	if (s->current)
		current_close(s, client_left ? TX_BY_CLIENT : TX_LOST);
	/* Commands that are still in the queue were never answered; waiting stays as it is, for the verdict on it. */
	while (s->first) {
		struct transaction *t = s->first;

		transaction_close(t, TX_LOST, s->now_us);
		if (s->f.notes & NOTE_ONE_SIDED)
			t->f.notes |= NOTE_ONE_SIDED;
		s->first = t->next;
		transaction_emit(t, s->sink);
	}
	session_finish(s, end, t_us);
	s->sink->session(s->sink->arg, &s->f);
	for (int i = 0; i < 2; i++)
		buf_fini(&s->line[i]);
	buf_fini(&s->reply_text);
	unplaced_clear(s);
	rare_free(s->rare);
	arena_fini(&s->arena);
	queue_fini(s);
	free(s);
}
