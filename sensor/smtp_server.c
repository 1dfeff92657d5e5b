/*
 * smtp_server.c - the bytes of the server -> replies, and what each of them makes of the command it answers (smtp_state.h).
 */
#include <stdio.h>
#include <string.h>

#include "common/xmalloc.h"
#include "sensor/limits.h"
#include "sensor/reply.h"
#include "sensor/smtp_state.h"

/* The reply came while the body was still going on: the end of the data was in a hole, or it was a doubtful one. */
static bool reply_ends_body(struct smtp *s)
{
	struct transaction *t = s->current;

	if (s->mode != C_BODY || !t || s->body_doubt)
		return false;
	if (s->queue_count && queue_at(s, s->queue_count - 1)->verb == VERB_DATA)
		return false;
	if (!s->candidate && !s->body_hole)
		return false;
	bool at_candidate = s->candidate, ahead_over = s->ahead_over;
	struct buf ahead = { 0 };
	uint64_t seen_us = 0;
	if (at_candidate) {
		struct smtp_rare *r = s->rare;
		uint64_t extra = t->f.size_bytes - r->candidate_size;

		ahead = r->ahead;
		r->ahead = (struct buf){ 0 };
		seen_us = r->candidate_us;

		t->f.size_bytes -= extra;
		t->f.bytes_seen -= extra < t->f.bytes_seen ? extra : t->f.bytes_seen;
	}
	if (!at_candidate)
		t->f.size_unknown = true;	/* how much of the hole was body? */
	client_body_end(s);
	t->f.data_end_us = seen_us;
	if (at_candidate && !ahead_over)
		client_bytes_aside(s, &ahead);
	else
		s->mode = C_LOST;
	buf_fini(&ahead);
	return true;
}

/* To which commands alone such a reply can be one; TELLING: to others, too. */
static enum telling told_by(const struct smtp *s, unsigned code)
{
	switch (code) {
	case 354:
		return TELLING_DATA;
	case 221:
		return TELLING_QUIT;
	case 220:
		return TELLING_TLS;
	case 334:
	case 235:
		return TELLING_AUTH;
	default:
		return code == 250 && s->reply_lines > 1 ? TELLING_HELLO : TELLING;
	}
}

/* Can this reply only be one to such a command, whatever else is missing? */
static bool is_telling(struct smtp *s, enum verb v, unsigned code)
{
	enum telling kind = told_by(s, code);

	return kind != TELLING && kind == queue_telling(v);
}

/* Could it be one to such a command? */
static bool fits(struct smtp *s, enum verb v, unsigned code)
{
	if (v == VERB_HOLE)
		return false;
	if (code == 354 || code == 221 || code == 334 || code == 235)
		return is_telling(s, v, code);
	return v != VERB_DATA || code >= 300;
}

/* A late reply to p. False: it would have changed what was made of the bytes since, or more than one may be due. */
static bool can_be_placed(struct smtp *s, const struct pending *p, unsigned code)
{
	switch (p->verb) {
	case VERB_MAIL:	/* 503: it stands inside a mail that began in the hole */
		return fits(s, p->verb, code) && !(p->tx && p->tx->inside) && code != 503;
	case VERB_DATA_END:
	case VERB_BDAT:
		return fits(s, p->verb, code) && !p->doubtful && !s->lmtp && code != 500 && code != 502;
	case VERB_RCPT:
	case VERB_DATA:
	case VERB_RSET:
	case VERB_NOOP:
	case VERB_VRFY:
	case VERB_EXPN:
	case VERB_HELP:
		return fits(s, p->verb, code);
	default:
		return false;
	}
}

static void place(const struct pending *p, const struct fact_reply *r, uint64_t us)
{
	struct transaction *t = p->tx;

	if (!t)
		return;
	if (p->verb == VERB_MAIL)
		transaction_mail_reply(t, r);
	else if (p->verb == VERB_RCPT)
		transaction_rcpt_reply(t, p->rcpt, r);
	else if (p->verb == VERB_DATA_END || (p->verb == VERB_BDAT && p->last))
		transaction_end_reply(t, r, us);
	else if ((p->verb == VERB_DATA || p->verb == VERB_BDAT) && r->code >= 400)
		transaction_data_reply(t, r);
}

void server_place(struct smtp *s, uint32_t n)
{
	const struct unplaced *u = s->rare ? s->rare->unplaced : NULL;
	uint32_t known = 0;

	/* a server that says more or less than one reply to a command would be misunderstood */
	bool in_a_row = u && !(s->f.notes & (NOTE_UNEXPECTED_REPLY | NOTE_ODD_REPLY));
	while (in_a_row && known < n && known < u->count && can_be_placed(s, queue_at(s, n - 1 - known), u->seen[u->count - 1 - known].reply.code))
		known++;
	if (in_a_row && known < n && known < u->count && queue_at(s, n - 1 - known)->verb == VERB_MAIL && queue_at(s, n - 1 - known)->tx)
		queue_at(s, n - 1 - known)->tx->sender_doubt |= u->seen[u->count - 1 - known].reply.code == 503;
	queue_drop(s, n - known);
	for (uint32_t i = known; i > 0; i--) {
		place(queue_at(s, 0), &u->seen[u->count - i].reply, u->seen[u->count - i].us);
		queue_answered(s);
	}
	unplaced_clear(s);
}

static bool has_hole_behind(struct smtp *s, uint32_t i)
{
	while (++i < s->queue_count)
		if (queue_at(s, i)->verb == VERB_HOLE)
			return true;
	return false;
}

/* Drops what stands before the command that this reply can only belong to. False: there is none. */
static bool skip_to_telling(struct smtp *s, unsigned code)
{
	enum telling kind = told_by(s, code);
	uint32_t i = 0;

	if (kind == TELLING || s->telling[kind] == 0)
		return false;
	while (queue_telling(queue_at(s, i)->verb) != kind)
		i++;
	if (has_hole_behind(s, i))	/* its like may be in there */
		queue_drop(s, i);
	else
		server_place(s, i);
	return true;
}

/* 354 although DATA was not seen: it was in the hole. Its body follows. */
static void hidden_data(struct smtp *s)
{
	struct transaction *t = s->current;

	if (!t || t->f.rcpt_accepted == 0 || s->absorbed || !s->suspended) {
		if (s->current)
			s->suspended = true;
		t = current_or_unseen(s);
	}
	queue_drop(s, s->queue_count);
	unplaced_clear(s);
	s->suspended = false;
	t->data_asked = true;
	t->f.notes |= NOTE_GAP;
	if (s->rare)
		buf_clear(&s->rare->guess);
	smtp_line_done(s, SIDE_CLIENT);
	client_body_begin(s, B_MID);
	transaction_body_gap(t, 0);
	s->body_hole = true;
}

static void reply_to_mail(struct smtp *s, struct transaction *t, const struct fact_reply *r)
{
	struct transaction *outer = t->inside;

	transaction_mail_reply(t, r);
	if (!outer)
		return;
	outer->waiting--;
	if (r->code >= 400 && outer->f.mail_reply.code && outer->f.mail_reply.code < 400)
		nested_undo(s, t);
	else {
		t->inside = NULL;
		transaction_close(outer, TX_BY_CLIENT, t->f.started_us);
	}
	current_emit_if_done(s, outer);
}

static void reply_to_data(struct smtp *s, struct transaction *t, const struct fact_reply *r)
{
	if (r->code >= 300 && r->code < 400) {
		if (s->current != t) {
			t->reply_lost = true;	/* what was taken for its end was the beginning of the body */
			return;
		}
		if (s->mode == C_DATA_WAIT) {
			client_body_begin(s, B_START);
			transaction_body(t, NULL, 0);
			client_carry_again(s);
		} else if (s->mode == C_LOST) {	/* the hole came behind DATA: it is in the body */
			client_body_begin(s, B_MID);
			s->body_hole = true;
			s->suspended = false;
			transaction_body_gap(t, 0);
		}
		return;
	}
	if (!(r->code == 503 && t->end == TX_BY_CLIENT))	/* it follows from the EHLO that ended the mail */
		transaction_data_reply(t, r);
	if (s->current != t)
		return;
	if (s->mode == C_DATA_WAIT) {
		s->mode = C_COMMAND;
		client_carry_again(s);
	} else if (s->mode == C_BODY)
		s->mode = C_LOST;
}

/* RFC 5321 4.1.4: like RSET, once it is granted. What the client has sent ahead then is no body. */
static void reset_by_hello(struct smtp *s)
{
	bool ahead = s->mode == C_BODY || s->mode == C_BDAT || s->mode == C_DATA_WAIT;

	current_close(s, TX_BY_CLIENT);
	if (!ahead)
		return;
	s->mode = C_LOST;
	client_carry_again(s);
}

/* What stands behind the first line. */
static struct text keywords_of(struct text reply)
{
	const char *lf = reply.len ? memchr(reply.p, '\n', reply.len) : NULL;

	return lf ? (struct text){ lf + 1, reply.len - (uint32_t)(lf + 1 - reply.p) } : TEXT("");
}

/* t: the transaction that was open when the command was sent. */
static void reply_to_hello(struct smtp *s, enum verb v, struct transaction *t, const struct fact_reply *r)
{
	if (r->code >= 400) {
		if (!s->helo_accepted)
			smtp_rare(s)->f.refusal = fact_reply_copy(&s->arena, r, &s->f.notes);
		return;
	}
	if (t && t == s->current)
		reset_by_hello(s);
	s->helo_accepted = true;
	client_take_helo(s, v);
	if (s->rare)
		s->rare->f.refusal = (struct fact_reply){ 0 };
	if (v != VERB_HELO && r->text.p)
		smtp_keep_last(s, &s->f.ehlo_keywords, &s->keywords_room, keywords_of(r->text), LIMIT_EHLO_TEXT);
}

static bool starts_with_keyword(struct text line)
{
	static const char *const keywords[] = { "SIZE", "PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "STARTTLS", "DSN", "CHUNKING", "AUTH" };

	for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
		if (text_starts_nocase(line, keywords[i]))
			return true;
	return false;
}

/* The reply to an EHLO that was not captured. It was the last command in its hole, since a client has to wait for this reply. */
static bool is_reply_to_lost_hello(struct smtp *s, const struct fact_reply *r)
{
	bool lost = queue_has_hole(s) ? s->queue_count == 1 : s->queue_count == 0 && s->f.notes & NOTE_MID_STREAM;

	if (!lost || r->code != 250 || s->mode != C_LOST || s->line[SIDE_CLIENT].len)
		return false;
	for (struct text rest = keywords_of(r->text); rest.len; rest = keywords_of(rest))
		if (starts_with_keyword(rest))
			return true;
	return false;
}

static void reply_to_lost_hello(struct smtp *s, const struct fact_reply *r)
{
	queue_drop(s, s->queue_count);
	unplaced_clear(s);
	current_close(s, TX_LOST);
	s->mode = C_COMMAND;
	s->absorbed = 0;
	s->helo_accepted = true;
	s->f.helo_verb = s->f.helo = (struct text){ 0 };
	smtp_keep_last(s, &s->f.ehlo_keywords, &s->keywords_room, keywords_of(r->text), LIMIT_EHLO_TEXT);
}

/*
 * 334, and the client has sent more already: its next line is the answer. Whether that was a command for us, and what the replies from here on
 * are for, cannot be told.
 */
static void challenge_sent_late(struct smtp *s)
{
	struct pending *next = queue_at(s, 0);

	if (next->verb == VERB_UNKNOWN && !next->tx) {
		queue_front_is(s, VERB_AUTH_LINE);
		return;
	}
	s->f.notes |= NOTE_ORDINAL_UNCERTAIN | NOTE_UNEXPECTED_REPLY;
	if (s->mode != C_COMMAND)
		s->mode = C_LOST;
	current_close(s, TX_LOST);
	queue_drop(s, s->queue_count);
	queue_push(s, VERB_HOLE, NULL);
}

static void reply_to_auth(struct smtp *s, const struct fact_reply *r)
{
	if (r->code == 334 && s->queue_count == 1)
		s->mode = C_AUTH;
	else if (r->code == 235)
		s->f.auth = TRI_TRUE;
	else if (r->code >= 400)
		s->auth_refused = true;
}

/* A server without CHUNKING takes the bytes of a chunk for commands; which they were is not kept. */
static void chunk_not_taken(struct smtp *s)
{
	s->f.notes |= NOTE_ORDINAL_UNCERTAIN | NOTE_UNEXPECTED_REPLY;
	if (s->mode != C_BDAT)
		return;
	current_close(s, TX_LOST);
	s->mode = C_LOST;
}

/* 354 to a DATA outside of any transaction: a body follows, and must not be taken for commands. */
static void data_without_mail(struct smtp *s)
{
	struct transaction *t = current_begin(s);

	t->doubt = true;
	t->data_asked = true;
	t->f.notes |= NOTE_UNEXPECTED_REPLY;
	client_body_begin(s, B_START);
	transaction_body(t, NULL, 0);
	client_carry_again(s);
}

static void reply_to(struct smtp *s, struct pending p, const struct fact_reply *r)
{
	struct transaction *t = p.tx;

	switch (p.verb) {
	case VERB_MAIL:
		reply_to_mail(s, t, r);
		break;
	case VERB_RCPT:
		if (t)
			transaction_rcpt_reply(t, p.rcpt, r);
		break;
	case VERB_DATA:
		if (t)
			reply_to_data(s, t, r);
		else if (r->code == 354 && !s->current && s->mode == C_COMMAND)
			data_without_mail(s);
		break;
	case VERB_BDAT:
		if (t && r->code >= 400)
			transaction_data_reply(t, r);
		if (r->code == 500 || r->code == 502)
			chunk_not_taken(s);
		break;
	case VERB_HELO:
	case VERB_EHLO:
	case VERB_LHLO:
		reply_to_hello(s, p.verb, t, r);
		break;
	case VERB_AUTH:
	case VERB_AUTH_LINE:
		reply_to_auth(s, r);
		break;
	case VERB_STARTTLS:
	case VERB_XANONYMOUSTLS:
		if (r->code == 220)
			client_tls_begin(s, TLS_STARTTLS);
		break;
	case VERB_XCLIENT:
		if (r->code >= 300)
			smtp_rare(s)->f.xclient = (struct text){ 0 };
		break;
	case VERB_XFORWARD:
		if (r->code >= 300)
			smtp_rare(s)->f.xforward = (struct text){ 0 };
		break;
	default:
		break;
	}
}

/* The reply belongs to the front of the queue. */
static void reply_to_front(struct smtp *s, const struct fact_reply *r)
{
	struct pending p = *queue_at(s, 0);

	smtp_step_reply(s, p.tx, r);
	if (p.tx && (p.verb == VERB_DATA_END || (p.verb == VERB_BDAT && p.last))) {
		if (p.verb == VERB_BDAT && (r->code == 500 || r->code == 502))
			chunk_not_taken(s);
		if (transaction_end_reply(p.tx, r, s->now_us))
			queue_answered(s);
		return;
	}
	reply_to(s, p, r);
	queue_answered(s);
	if (r->code == 334 && s->queue_count)
		challenge_sent_late(s);
}

/* RFC 5321 4.3.2: 220, 554; 421; and what refuses in other words. */
static bool is_greeting(unsigned code)
{
	return code == 220 || code >= 400;
}

static void on_banner(struct smtp *s, const struct fact_reply *r)
{
	s->await_banner = false;
	s->f.banner = fact_reply_copy(&s->arena, r, &s->f.notes);
	smtp_step_reply(s, NULL, r);
	if (r->code >= 400)
		smtp_rare(s)->f.refusal = s->f.banner;
}

/* 421 at any time (RFC 5321 3.8): the server hangs up, and refuses what is under way. */
static void on_421(struct smtp *s, const struct fact_reply *r, bool was_answer)
{
	s->closed_by_server = true;
	if (s->current) {
		if (!was_answer)
			smtp_step_reply(s, s->current, r);
		if (!s->suspended && !s->current->reply_lost)
			transaction_data_reply(s->current, r);
	} else if (!was_answer)
		smtp_step_reply(s, NULL, r);
	if (s->mode == C_BODY || s->mode == C_BDAT || s->mode == C_DATA_WAIT || s->mode == C_COMMAND)
		s->mode = C_LOST;
	current_close(s, TX_BY_SERVER);
	queue_drop(s, s->queue_count);
}

/* More replies than commands after a doubtful end of data: the server took it for the end, so that what followed were commands. */
static void smuggled(struct smtp *s)
{
	bool quit_next = s->queue_count == 1 && queue_at(s, 0)->verb == VERB_QUIT;

	if (!s->rare || s->rare->ahead.len == 0 || s->ahead_over || s->mode != C_COMMAND || (s->queue_count && !quit_next))
		return;
	struct buf ahead = s->rare->ahead;
	s->rare->ahead = (struct buf){ 0 };
	queue_drop(s, s->queue_count);
	client_bytes_aside(s, &ahead);
	if (quit_next)
		queue_push(s, VERB_QUIT, NULL);
}

/* A server that answers what was taken for a body has not granted one. */
static void no_body(struct smtp *s)
{
	s->current->reply_lost = true;
	current_close(s, TX_LOST);
	s->mode = C_LOST;
	s->f.notes |= NOTE_ORDINAL_UNCERTAIN;
}

static void on_unasked(struct smtp *s, const struct fact_reply *r)
{
	bool commands_lost = s->f.notes & (NOTE_ORDINAL_UNCERTAIN | NOTE_MID_STREAM);
	struct transaction *last = queue_has_hole(s) ? queue_at(s, s->queue_count - 1)->tx : NULL;

	smtp_step_reply(s, s->current ? s->current : last, r);
	if (r->code == 354 && commands_lost && (s->mode == C_LOST || s->mode == C_COMMAND)) {
		hidden_data(s);
		return;
	}
	if (is_reply_to_lost_hello(s, r)) {
		reply_to_lost_hello(s, r);
		return;
	}
	if (queue_has_hole(s)) {	/* it answers what was lost, or what came behind */
		s->absorbed++;
		unplaced_add(s, r);
		return;
	}
	if (s->mode == C_BODY && s->body_guessed)
		no_body(s);
	if (s->current)
		s->current->f.notes |= NOTE_UNEXPECTED_REPLY;
	s->f.notes |= NOTE_UNEXPECTED_REPLY;
	queue_doubt(s);
}

static void on_reply(struct smtp *s, const struct fact_reply *r)
{
	smtp_saw_clear(s, &s->saw_reply);
	if (s->mode == C_LOST)
		client_lost_commit(s);
	if (s->await_banner && !is_greeting(r->code)) {	/* it was lost */
		s->await_banner = false;
		s->f.notes |= NOTE_GAP;
	}
	if (s->await_banner) {
		on_banner(s, r);
		if (r->code == 421)
			on_421(s, r, true);
		return;
	}
	if (!queue_has_hole(s) || s->overflowed)
		unplaced_clear(s);	/* this reply does not go there: what comes after it is not in a row with them */
	if (s->overflowed && r->code != 421) {
		s->overflowed--;
		return;
	}
	reply_ends_body(s);
	if (r->code != 221 && r->code != 421)
		smuggled(s);
	bool fitting = s->queue_count && fits(s, queue_at(s, 0)->verb, r->code);
	if (fitting || skip_to_telling(s, r->code))
		reply_to_front(s, r);
	else if (r->code != 421)
		on_unasked(s, r);
	if (r->code == 421)
		on_421(s, r, fitting);
}

static void keep_enhanced(struct smtp *s, struct text code)
{
	size_t n = code.len < sizeof s->reply_enhanced ? code.len : sizeof s->reply_enhanced - 1;

	memcpy(s->reply_enhanced, code.p, n);
	s->reply_enhanced[n] = '\0';
}

/* A line that is none of a reply. It may stand in place of one. */
static void odd_line(struct smtp *s, struct text line)
{
	if (line.len)
		s->f.notes |= NOTE_ODD_REPLY;
	if (!s->saw_reply && !s->saw_command)
		s->odd_banner = true;
	if (s->reply_open)
		return;
	if (s->mode == C_BODY && (s->body_hole || s->candidate))	/* perhaps the data has ended, and another mail begins */
		no_body(s);
	queue_doubt(s);
}

/* Collects the lines of a reply; the last one makes it whole. */
static void server_line(struct smtp *s, struct text line)
{
	struct reply_line l;

	if (!reply_parse(line, &l)) {
		odd_line(s, line);
		return;
	}
	if (l.odd)
		s->f.notes |= NOTE_ODD_REPLY;
	if (!s->reply_open) {
		buf_clear(&s->reply_text);
		s->reply_lines = 0;
		s->reply_enhanced[0] = '\0';
	}
	if (l.enhanced.p && !s->reply_enhanced[0])
		keep_enhanced(s, l.enhanced);
	s->reply_lines++;
	bool single = !l.more && !s->reply_open;
	if (!single && s->reply_text.len + l.text.len + 1 <= LIMIT_REPLY_TEXT) {
		if (s->reply_lines > 1)
			buf_add_char(&s->reply_text, '\n');
		buf_add_text(&s->reply_text, l.text);
	}
	s->reply_open = l.more;
	if (l.more)
		return;
	struct fact_reply r = { (uint16_t)l.code, { 0 }, single ? l.text
		: (struct text){ s->reply_text.p ? s->reply_text.p : "", (uint32_t)s->reply_text.len } };
	char enhanced[sizeof s->reply_enhanced];
	memcpy(enhanced, s->reply_enhanced, sizeof enhanced);
	if (enhanced[0])
		r.enhanced = (struct text){ enhanced, (uint32_t)strlen(enhanced) };
	on_reply(s, &r);
	if (!single)	/* one or two of a session are long */
		buf_fini(&s->reply_text);
}

static void first_bytes(struct smtp *s, const char *p)
{
	if ((s->f.notes & NOTE_MID_STREAM) && tls_looks_like(p))
		client_mid_stream_tls(s);
	else if (s->f.tls == TLS_IMPLICIT && s->await_banner && !tls_looks_like(p))
		client_tls_refused(s);
}

void smtp_server_bytes(struct smtp *s, const char *p, size_t n)
{
	while (n) {
		struct text line;
		bool whole;

		if (s->bytes[SIDE_SERVER] == n)
			first_bytes(s, p);
		if (s->server_tls) {
			struct tls *tls = s->rare ? s->rare->tls : NULL;

			if (tls) {
				if (tls_detail(tls)->side[SIDE_SERVER].bytes == 0)
					smtp_step(s, NULL, SIDE_SERVER, VERB_TLS);
				tls_push(tls, SIDE_SERVER, (const uint8_t *)p, n, s->now_us);
			}
			return;
		}
		size_t used = smtp_next_line(s, SIDE_SERVER, p, n, LIMIT_REPLY_LINE, &line, &whole);
		s->heard += p[used - 1] == '\n';
		if (whole) {
			server_line(s, line);
			smtp_line_done(s, SIDE_SERVER);
		}
		p += used;
		n -= used;
	}
}
