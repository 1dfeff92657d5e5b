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

#include "common/buf.h"
#include "common/xmalloc.h"
#include "sensor/command.h"
#include "sensor/limits.h"
#include "sensor/reply.h"
#include "sensor/scan.h"
#include "sensor/tls.h"
#include "sensor/transaction.h"

enum client_mode { C_START, C_PROXY_V2, C_COMMAND, C_DATA_WAIT, C_BODY, C_BDAT, C_AUTH, C_LOST, C_TLS, C_OFF };

/* Where in a line of the body we are: decides whether a dot is stuffing or the end. */
enum body_state {
	B_MID, B_CR,		/* inside a line; its last byte was CR */
	B_START, B_START_LF,	/* at the start of a line after CRLF; after LF alone, or after a hole */
	B_DOT, B_DOT_LF,	/* a dot at such a start */
	B_DOT_CR, B_DOT_LF_CR,	/* ".\r" */
};

struct pending {
	enum verb verb;
	uint32_t rcpt;		/* index of RCPT */
	bool last;		/* BDAT LAST */
	struct transaction *tx;	/* NULL: belongs to none */
};

struct smtp {
	const struct fact_sink *sink;
	struct fact_session f;
	struct arena arena;
	struct tls *tls;
	uint64_t now_us;

	struct buf line[2];		/* carry of a split line */
	bool skip_line[2];		/* the line at hand is cut by a hole or over its cap: dropped up to its LF */
	bool over_cap[2];
	uint64_t bytes[2];

	enum client_mode mode;
	enum body_state body;
	uint64_t bdat_left;
	bool bdat_last;
	bool body_hole;			/* bytes of the body at hand are missing */
	bool body_doubt;		/* bytes of the server are missing since the body began */
	bool candidate;			/* a doubtful end of data was seen; what follows is kept in ahead */
	uint64_t candidate_size, candidate_us;
	struct buf ahead;
	struct buf guess;		/* C_LOST: command-like lines that wait for a reply */

	bool server_tls;
	bool await_banner;
	bool helo_accepted;
	bool saw_command, saw_reply, odd_banner;
	bool lmtp;
	bool closed_by_server;		/* 421 */
	bool suspended;			/* a hole after which commands of the current transaction may be missing */
	unsigned absorbed;		/* replies since that hole */
	bool pipelined;
	unsigned in_turn;		/* commands that were sent with nothing pending */
	bool reply_open;		/* inside a multi-line reply */
	struct buf reply_text;
	unsigned reply_lines;
	char reply_enhanced[12];

	struct pending *queue;
	uint32_t queue_head, queue_count, queue_cap;
	struct transaction *current;	/* commands belong to it */
	struct transaction *first, **last;	/* all that are not emitted yet */
};

static void client_bytes(struct smtp *s, const char *p, size_t n);

/* ---- life ---- */

struct smtp *smtp_new(const struct fact_sink *sink, const struct fact_session *start)
{
	struct smtp *s = xcalloc(1, sizeof *s);

	s->sink = sink;
	s->f = *start;
	s->last = &s->first;
	s->now_us = start->started_us;
	arena_init(&s->arena, LIMIT_SESSION_ARENA);
	if (start->notes & NOTE_MID_STREAM)
		s->mode = C_LOST;
	else
		s->await_banner = true;
	return s;
}

struct fact_session *smtp_session(struct smtp *s)
{
	return &s->f;
}

size_t smtp_memory_bytes(const struct smtp *s)
{
	size_t n = sizeof *s + s->arena.used_bytes + s->line[0].cap + s->line[1].cap + s->ahead.cap + s->guess.cap + s->reply_text.cap
		   + s->queue_cap * sizeof *s->queue;

	for (const struct transaction *t = s->first; t; t = t->next)
		n += sizeof *t + t->arena.used_bytes;
	return n;
}

/* A text of the session with a note when it was cut. */
static struct text keep(struct smtp *s, struct text t, size_t max)
{
	bool cut = false;
	struct text copy = arena_copy(&s->arena, t.p, t.len, max, &cut);

	if (cut)
		s->f.notes |= NOTE_TRUNCATED;
	return copy;
}

static void step(struct smtp *s, struct transaction *t, enum side side, const char *word)
{
	if (t) {
		transaction_step(t, side, word, s->now_us);
		return;
	}
	uint64_t offset = s->now_us > s->f.started_us ? s->now_us - s->f.started_us : 0;
	if (fact_step_add(&s->f.steps, &s->arena, side, word, offset))
		s->f.notes |= NOTE_STEPS_TRUNCATED;
}

static void step_reply(struct smtp *s, struct transaction *t, const struct fact_reply *r)
{
	char word[8];

	snprintf(word, sizeof word, "%03u", r->code % 1000u);
	step(s, t, SIDE_SERVER, word);
}

/* ---- queue of commands without a reply ---- */

static struct pending *queue_at(struct smtp *s, uint32_t i)
{
	return &s->queue[(s->queue_head + i) % s->queue_cap];
}

static void transaction_try_emit(struct smtp *s, struct transaction *t);

static void queue_drop_front(struct smtp *s)
{
	struct transaction *t = queue_at(s, 0)->tx;

	s->queue_head = (s->queue_head + 1) % s->queue_cap;
	s->queue_count--;
	if (t) {
		t->waiting--;
		transaction_try_emit(s, t);
	}
}

/* The first n commands have no reply that we could tell. */
static void queue_drop(struct smtp *s, uint32_t n)
{
	while (n--)
		queue_drop_front(s);
}

static struct pending *queue_push(struct smtp *s, enum verb v, struct transaction *t)
{
	if (s->queue_count == LIMIT_PENDING)
		queue_drop_front(s);
	if (s->queue_count == s->queue_cap) {
		uint32_t cap = s->queue_cap ? s->queue_cap * 2 : 8;
		struct pending *grown = xreallocarray(NULL, cap, sizeof *grown);

		for (uint32_t i = 0; i < s->queue_count; i++)
			grown[i] = *queue_at(s, i);
		free(s->queue);
		s->queue = grown;
		s->queue_head = 0;
		s->queue_cap = cap;
	}
	struct pending *p = queue_at(s, s->queue_count++);
	*p = (struct pending){ .verb = v, .tx = t };
	if (t)
		t->waiting++;
	return p;
}

static bool queue_has_hole(struct smtp *s)
{
	return s->queue_count && queue_at(s, 0)->verb == VERB_HOLE;
}

/* A HOLE in front: replies may be missing for any of those that wait. */
static void queue_hole_front(struct smtp *s)
{
	if (queue_has_hole(s))
		return;
	queue_push(s, VERB_HOLE, NULL);
	for (uint32_t i = s->queue_count - 1; i > 0; i--) {
		struct pending *a = queue_at(s, i), *b = queue_at(s, i - 1), swap = *a;

		*a = *b;
		*b = swap;
	}
}

static void queue_retarget(struct smtp *s, const struct transaction *from, struct transaction *to)
{
	for (uint32_t i = 0; i < s->queue_count; i++) {
		struct pending *p = queue_at(s, i);

		if (p->tx == from) {
			p->tx = to;
			to->waiting++;
		}
	}
}

/* ---- transactions ---- */

static void transaction_unlink(struct smtp *s, struct transaction *t)
{
	for (struct transaction **p = &s->first; *p; p = &(*p)->next) {
		if (*p != t)
			continue;
		*p = t->next;
		if (s->last == &t->next)
			s->last = p;
		return;
	}
}

static void transaction_try_emit(struct smtp *s, struct transaction *t)
{
	if (t->end == TX_OPEN || t->waiting || t == s->current)
		return;
	transaction_unlink(s, t);
	transaction_emit(t, s->sink);
}

/* The current transaction gets no more commands. */
static void current_close(struct smtp *s, enum transaction_end end)
{
	struct transaction *t = s->current;

	if (!t)
		return;
	if (s->suspended) {
		t->doubt = true;
		t->f.notes |= NOTE_GAP;
	}
	s->suspended = false;
	s->current = NULL;
	if (t->inside)
		transaction_close(t->inside, end, s->now_us);	/* emitted once the reply to the inner MAIL is there */
	transaction_close(t, end, s->now_us);
	transaction_try_emit(s, t);
}

static struct transaction *current_begin(struct smtp *s)
{
	struct transaction *t = transaction_new(&s->f, ++s->f.transaction_count, s->lmtp, s->now_us);

	*s->last = t;
	s->last = &t->next;
	s->current = t;
	t->f.notes |= s->f.notes & (NOTE_MID_STREAM | NOTE_ORDINAL_UNCERTAIN);
	if (t->f.auth == TRI_UNKNOWN && !(s->f.notes & (NOTE_MID_STREAM | NOTE_GAP)))
		t->f.auth = TRI_FALSE;
	s->suspended = false;
	return t;
}

/* The transaction for a command other than MAIL; one whose MAIL was lost is begun after a hole. NULL: out of sequence. */
static struct transaction *current_or_unseen(struct smtp *s)
{
	if (s->suspended && s->current)
		current_close(s, TX_LOST);
	if (!s->current && (s->f.notes & (NOTE_GAP | NOTE_MID_STREAM))) {
		struct transaction *t = current_begin(s);

		t->f.notes |= NOTE_GAP | NOTE_ORDINAL_UNCERTAIN;
		s->f.notes |= NOTE_ORDINAL_UNCERTAIN;
	}
	return s->current;
}

/* A nested MAIL was refused: what came after it belongs to the transaction around it. */
static void nested_undo(struct smtp *s, struct transaction *t)
{
	struct transaction *outer = t->inside;

	outer->f.notes |= NOTE_NESTED_MAIL;
	for (uint32_t i = 0; i < t->f.rcpt_kept; i++) {
		struct path p = { t->f.rcpt[i].address, { 0 } };
		uint32_t index = transaction_rcpt(outer, &p);

		for (uint32_t k = 0; k < s->queue_count; k++) {
			struct pending *q = queue_at(s, k);

			if (q->tx == t && q->verb == VERB_RCPT && q->rcpt == i) {
				q->rcpt = index;
				q->tx = outer;
				outer->waiting++;
			}
		}
	}
	queue_retarget(s, t, outer);
	outer->data_asked |= t->data_asked;
	if (s->current == t)
		s->current = outer;
	transaction_unlink(s, t);
	transaction_free(t);
}

/* ---- body ---- */

static void body_begin(struct smtp *s, enum body_state state)
{
	s->mode = C_BODY;
	s->body = state;
	s->body_hole = s->body_doubt = s->candidate = false;
	buf_clear(&s->ahead);
}

/* The end of the data: one more reply is due, and commands follow. */
static void body_end(struct smtp *s)
{
	struct transaction *t = s->current;

	s->mode = C_COMMAND;
	t->data_ended = true;
	t->f.data_end_us = s->now_us;
	step(s, t, SIDE_CLIENT, command_verb_name(VERB_DATA_END));
	queue_push(s, VERB_DATA_END, t);
	s->suspended = false;
	current_close(s, TX_BY_CLIENT);
}

/* "\n.\n" and its like: some servers take it for the end. Their reply tells; until then it is body and what follows is kept. */
static void body_candidate(struct smtp *s)
{
	s->current->f.notes |= NOTE_SMUGGLING_LIKE;
	if (s->candidate)
		return;
	s->candidate = true;
	s->candidate_us = s->now_us;
	s->candidate_size = s->current->f.size_bytes;
	buf_clear(&s->ahead);
}

static void body_feed(struct smtp *s, const char *p, size_t n)
{
	if (n)
		transaction_body(s->current, p, n);
}

/* The part of a run that is inside a line: up to the start of the next line that begins with a dot. Answers the bytes used. */
static size_t body_run(struct smtp *s, const char *p, size_t n)
{
	const char *lf = NULL;

	if (n >= 2)
		lf = scan_newline_dot(p, n);
	if (!lf && p[n - 1] == '\n')
		lf = p + n - 1;
	if (!lf) {
		s->body = p[n - 1] == '\r' ? B_CR : B_MID;
		body_feed(s, p, n);
		return n;
	}
	size_t used = (size_t)(lf + 1 - p);
	bool crlf = lf > p ? lf[-1] == '\r' : s->body == B_CR;

	s->body = crlf ? B_START : B_START_LF;
	body_feed(s, p, used);
	return used;
}

enum dot_result { DOT_NO_END, DOT_UNDECIDED, DOT_CANDIDATE, DOT_END };

/* One byte behind a dot at the start of a line. */
static enum dot_result body_after_dot(struct smtp *s, char c)
{
	if (c == '\r' && (s->body == B_DOT || s->body == B_DOT_LF)) {
		s->body = s->body == B_DOT ? B_DOT_CR : B_DOT_LF_CR;
		return DOT_UNDECIDED;
	}
	if (c == '\n' && s->body == B_DOT_CR)
		return DOT_END;
	if (c == '\n') {
		body_candidate(s);
		body_feed(s, ".\n", 2);
		s->body = B_START_LF;
		return DOT_CANDIDATE;
	}
	/* stuffing: the dot is dropped (RFC 5321 4.5.2) */
	if (s->body == B_DOT_CR || s->body == B_DOT_LF_CR)
		body_feed(s, "\r", 1);
	body_feed(s, &c, 1);
	s->body = c == '\r' ? B_CR : B_MID;
	return DOT_NO_END;
}

static uint64_t dot_bytes(enum body_state b)
{
	return b == B_DOT_CR || b == B_DOT_LF_CR ? 2 : b == B_DOT || b == B_DOT_LF ? 1 : 0;
}

/* Body bytes up to the end of the data or a doubtful one. Answers the bytes used. */
static size_t body_bytes(struct smtp *s, const char *p, size_t n, enum dot_result *result)
{
	size_t i = 0;

	*result = DOT_NO_END;
	while (i < n) {
		enum body_state before = s->body;

		if (before == B_MID || before == B_CR) {
			size_t used = body_run(s, p + i, n - i);

			transaction_body_wire(s->current, used);
			i += used;
			continue;
		}
		if (before == B_START || before == B_START_LF) {
			bool dot = p[i] == '.';

			s->body = !dot ? B_MID : before == B_START ? B_DOT : B_DOT_LF;
			i += dot;
			continue;
		}
		*result = body_after_dot(s, p[i++]);
		if (*result == DOT_END)
			return i;
		if (*result != DOT_UNDECIDED)	/* the held dot, perhaps a CR, and this byte belong to the body */
			transaction_body_wire(s->current, dot_bytes(before) + 1);
		if (*result == DOT_CANDIDATE)
			return i;
	}
	return i;
}

static size_t client_body(struct smtp *s, const char *p, size_t n)
{
	bool keep_ahead = s->candidate;
	enum dot_result result;
	size_t used = body_bytes(s, p, n, &result);

	if (keep_ahead && s->ahead.len + used <= LIMIT_LOOKAHEAD)
		buf_add(&s->ahead, p, used);
	if (result == DOT_END)
		body_end(s);
	return used;
}

static size_t client_bdat(struct smtp *s, const char *p, size_t n)
{
	size_t used = n < s->bdat_left ? n : (size_t)s->bdat_left;

	s->bdat_left -= used;
	if (s->current) {
		transaction_body(s->current, p, used);
		transaction_body_wire(s->current, used);
	}
	if (s->bdat_left == 0) {
		s->mode = C_COMMAND;
		if (s->bdat_last && s->current) {
			s->current->data_ended = true;
			s->current->f.data_end_us = s->now_us;
			current_close(s, TX_BY_CLIENT);
		}
	}
	return used;
}

/* ---- commands ---- */

static void on_mail(struct smtp *s, struct text argument)
{
	struct transaction *outer = s->current;
	struct path path;

	if (!command_path(argument, "FROM:", &path))
		path = (struct path){ text_trim(argument), TEXT("") };
	if (outer && (s->suspended || outer->f.mail_reply.code >= 400 || outer->inside)) {
		current_close(s, TX_BY_CLIENT);
		outer = NULL;
	}
	struct transaction *t = current_begin(s);
	t->inside = outer;
	if (outer)
		outer->waiting++;	/* until the reply tells whether it goes on */
	transaction_mail(t, &path);
	queue_push(s, VERB_MAIL, t);
}

static void on_rcpt(struct smtp *s, struct text argument)
{
	struct transaction *t = current_or_unseen(s);
	struct path path;

	if (!command_path(argument, "TO:", &path))
		path = (struct path){ text_trim(argument), TEXT("") };
	struct pending *p = queue_push(s, VERB_RCPT, t);
	if (t)
		p->rcpt = transaction_rcpt(t, &path);
}

static void on_data(struct smtp *s, struct text argument)
{
	struct transaction *t = current_or_unseen(s);

	(void)argument;
	queue_push(s, VERB_DATA, t);
	if (!t)
		return;
	t->data_asked = true;
	s->mode = C_DATA_WAIT;
}

static void on_bdat(struct smtp *s, struct text argument)
{
	struct transaction *t = current_or_unseen(s);
	uint64_t size;
	bool last;

	struct pending *p = queue_push(s, VERB_BDAT, t);
	if (!command_bdat(argument, &size, &last))
		return;
	p->last = last;
	if (t) {
		t->data_asked = true;
		if (!t->f.has_data)
			transaction_body(t, NULL, 0);
	}
	s->bdat_left = size;
	s->bdat_last = last;
	s->mode = C_BDAT;
	s->body_hole = s->body_doubt = false;
	if (size == 0)
		client_bdat(s, NULL, 0);
}

static void on_hello(struct smtp *s, enum verb v, struct text argument)
{
	current_close(s, TX_BY_CLIENT);
	s->lmtp = v == VERB_LHLO;
	const char *name = command_verb_name(v);
	s->f.helo_verb = (struct text){ name, (uint32_t)strlen(name) };
	s->f.helo = keep(s, argument, 255);
	queue_push(s, v, NULL);
}

static void on_auth(struct smtp *s, struct text argument)
{
	uint32_t n = 0;

	while (n < argument.len && argument.p[n] != ' ')
		n++;
	/* Only the mechanism: what follows is the secret (RFC 4954 4). */
	s->f.auth_mechanism = keep(s, (struct text){ argument.p, n }, 40);
	queue_push(s, VERB_AUTH, NULL);
}

static void on_session_end(struct smtp *s, enum verb v)
{
	current_close(s, TX_BY_CLIENT);
	queue_push(s, v, NULL);
}

static void on_command(struct smtp *s, struct command c)
{
	switch (c.verb) {
	case VERB_MAIL:
		on_mail(s, c.argument);
		break;
	case VERB_RCPT:
		on_rcpt(s, c.argument);
		break;
	case VERB_DATA:
		on_data(s, c.argument);
		break;
	case VERB_BDAT:
		on_bdat(s, c.argument);
		break;
	case VERB_HELO:
	case VERB_EHLO:
	case VERB_LHLO:
		on_hello(s, c.verb, c.argument);
		break;
	case VERB_AUTH:
		on_auth(s, c.argument);
		break;
	case VERB_XCLIENT:
		s->f.xclient = keep(s, c.argument, 1024);
		queue_push(s, c.verb, NULL);
		break;
	case VERB_XFORWARD:
		s->f.xforward = keep(s, c.argument, 1024);
		queue_push(s, c.verb, NULL);
		break;
	case VERB_RSET:
	case VERB_QUIT:
	case VERB_STARTTLS:
	case VERB_XANONYMOUSTLS:
		on_session_end(s, c.verb);
		break;
	case VERB_VRFY:
	case VERB_EXPN:
		s->f.vrfy_count++;
		/* fall through */
	default:
		queue_push(s, c.verb, NULL);
	}
}

/*
 * Before a command after a hole: has the client waited for the replies to what is in the queue? Then they were lost. It has when the last
 * command in the queue is one that must be waited for, or when this client has never sent ahead.
 */
static void in_step(struct smtp *s)
{
	if (!queue_has_hole(s)) {
		if (s->queue_count)
			s->pipelined = true;
		else
			s->in_turn++;
		return;
	}
	for (uint32_t i = s->queue_count; i-- > 1;) {
		if (!command_ends_group(queue_at(s, i)->verb))
			continue;
		queue_drop(s, i + 1);
		return;
	}
	if (!s->pipelined && s->in_turn > 2)
		queue_drop(s, s->queue_count);
}

/* A command or reply in clear: it is SMTP, and not encrypted so far. */
static void saw_clear_smtp(struct smtp *s, bool *which)
{
	*which = true;
	if (s->f.tls == TLS_UNKNOWN)
		s->f.tls = TLS_NONE;
}

static void client_line(struct smtp *s, struct text line)
{
	struct command c = command_parse(line);

	if (s->mode == C_AUTH || (s->queue_count && queue_at(s, s->queue_count - 1)->verb == VERB_AUTH && queue_has_hole(s)))
		c = (struct command){ VERB_AUTH_LINE, { 0 } };
	s->mode = C_COMMAND;
	if (!s->saw_command && c.verb == VERB_UNKNOWN && text_starts_nocase(line, "PROXY ")) {
		s->f.proxy = keep(s, text_trim(line), 107);
		return;
	}
	if (c.verb != VERB_UNKNOWN)
		saw_clear_smtp(s, &s->saw_command);
	if (c.verb != VERB_QUIT)
		buf_clear(&s->ahead);
	in_step(s);
	/* A command that ends a transaction is its last step; MAIL is the first of the next. */
	struct transaction *before = c.verb == VERB_MAIL ? NULL : s->current;
	if (before)
		step(s, before, SIDE_CLIENT, command_verb_name(c.verb));
	on_command(s, c);
	if (!before)
		step(s, s->current, SIDE_CLIENT, command_verb_name(c.verb));
}

static bool note_bare_lf(struct smtp *s, struct text line, bool crlf)
{
	if (!crlf && line.len)
		s->f.notes |= NOTE_BARE_LF;
	return crlf;
}

/*
 * The next line of side `from` out of p[0..n): *line is without its end, valid until the next call. Answers the bytes used; *whole is false
 * when the line has no end yet or was dropped.
 */
static size_t next_line(struct smtp *s, enum side from, const char *p, size_t n, size_t cap, struct text *line, bool *whole)
{
	const char *lf = memchr(p, '\n', n);
	size_t used = lf ? (size_t)(lf + 1 - p) : n;
	struct buf *carry = &s->line[from];

	*whole = false;
	if (s->skip_line[from]) {
		if (lf)
			s->skip_line[from] = false;
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

static void line_done(struct smtp *s, enum side from)
{
	buf_clear(&s->line[from]);
	s->over_cap[from] = false;
}

static size_t client_command(struct smtp *s, const char *p, size_t n)
{
	struct text line;
	bool whole;
	size_t used = next_line(s, SIDE_CLIENT, p, n, LIMIT_COMMAND_LINE, &line, &whole);

	if (whole) {
		client_line(s, line);
		line_done(s, SIDE_CLIENT);
	}
	return used;
}

/* A command that a client may send when its DATA was refused. */
static bool is_after_data(struct text line)
{
	enum verb v = command_parse(line).verb;

	return v == VERB_RSET || v == VERB_QUIT || v == VERB_MAIL || v == VERB_EHLO || v == VERB_HELO || v == VERB_NOOP;
}

/* What was held of a line is looked at again in the mode of now. */
static void client_carry_again(struct smtp *s)
{
	struct buf copy = s->line[SIDE_CLIENT];

	s->line[SIDE_CLIENT] = (struct buf){ 0 };
	client_bytes(s, copy.p, copy.len);
	buf_fini(&copy);
}

/* The body begins although no 354 was seen: it was lost, or the client did not wait. */
static void body_begin_unanswered(struct smtp *s)
{
	if (queue_has_hole(s))
		queue_drop(s, s->queue_count);
	body_begin(s, B_START);
	client_carry_again(s);
}

/* Bytes behind DATA before its reply: the first line tells whether they are body or the next command. */
static size_t client_data_wait(struct smtp *s, const char *p, size_t n)
{
	struct buf *carry = &s->line[SIDE_CLIENT];
	const char *lf = memchr(p, '\n', n);
	size_t used = lf ? (size_t)(lf + 1 - p) : n;

	if (carry->len + used > LIMIT_COMMAND_LINE) {
		body_begin_unanswered(s);
		return 0;
	}
	buf_add(carry, p, used);
	if (!lf)
		return used;
	struct text line = { carry->p, (uint32_t)carry->len };
	if (!is_after_data(line)) {
		body_begin_unanswered(s);
		return used;
	}
	client_line(s, text_trim(line));
	line_done(s, SIDE_CLIENT);
	return used;
}

/* ---- after a hole ---- */

static bool looks_like_command(struct text line)
{
	struct command c = command_parse(line);

	switch (c.verb) {
	case VERB_UNKNOWN:
		return false;
	case VERB_DATA:
	case VERB_RSET:
	case VERB_QUIT:
	case VERB_STARTTLS:
		return c.argument.len == 0;
	default:
		return true;
	}
}

static void lost_commit(struct smtp *s)
{
	struct buf guess = s->guess;

	if (guess.len == 0)
		return;
	s->guess = (struct buf){ 0 };
	s->mode = C_COMMAND;
	client_bytes(s, guess.p, guess.len);
	buf_fini(&guess);
}

/* Joined inside an encrypted session: how it became that is not known. */
static void mid_stream_tls(struct smtp *s)
{
	s->mode = C_OFF;
	s->server_tls = true;
	s->f.outcome = SESSION_ENCRYPTED;
}

static size_t client_lost(struct smtp *s, const char *p, size_t n)
{
	struct text line;
	bool whole;

	if (s->bytes[SIDE_CLIENT] == n && tls_looks_like((const uint8_t *)p, n) && (s->f.notes & NOTE_MID_STREAM)) {
		mid_stream_tls(s);
		return n;
	}
	size_t used = next_line(s, SIDE_CLIENT, p, n, LIMIT_COMMAND_LINE, &line, &whole);
	if (!whole)
		return used;
	if (!looks_like_command(line) || s->guess.len > LIMIT_COMMAND_LINE)
		buf_clear(&s->guess);
	else {
		buf_add_text(&s->guess, line);
		buf_add_str(&s->guess, "\r\n");
	}
	bool data = command_parse(line).verb == VERB_DATA;
	line_done(s, SIDE_CLIENT);
	/* Without a server side no reply will ever confirm it: a whole envelope in a row is then enough. */
	if (data && s->bytes[SIDE_SERVER] == 0 && s->guess.len && text_starts_nocase((struct text){ s->guess.p, (uint32_t)s->guess.len }, "MAIL"))
		lost_commit(s);
	return used;
}

/* ---- start of the client's bytes: PROXY v2, implicit TLS ---- */

static const char proxy_v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static void proxy_v2_done(struct smtp *s)
{
	const uint8_t *h = (const uint8_t *)s->line[SIDE_CLIENT].p;
	size_t n = s->line[SIDE_CLIENT].len;
	char text[160], src[IP_TEXT_MAX], dst[IP_TEXT_MAX];
	struct ip_addr a = { 0 }, b = { 0 };
	unsigned family = h[13] >> 4, size = family == 1 ? 4 : family == 2 ? 16 : 0;

	if ((h[12] & 15) == 0)
		snprintf(text, sizeof text, "v2 LOCAL");
	else if (size == 0 || n < 16 + 2 * size + 4)
		snprintf(text, sizeof text, "v2 UNSPEC");
	else {
		a.version = b.version = size == 4 ? 4 : 6;
		memcpy(a.bytes, h + 16, size);
		memcpy(b.bytes, h + 16 + size, size);
		const uint8_t *ports = h + 16 + 2 * size;
		snprintf(text, sizeof text, "v2 TCP%d %s %s %u %u", a.version, ip_format(&a, src), ip_format(&b, dst),
			 ports[0] << 8 | ports[1], ports[2] << 8 | ports[3]);
	}
	s->f.proxy = keep(s, (struct text){ text, (uint32_t)strlen(text) }, sizeof text);
	line_done(s, SIDE_CLIENT);
	s->mode = C_COMMAND;
}

static size_t client_proxy_v2(struct smtp *s, const char *p, size_t n)
{
	struct buf *carry = &s->line[SIDE_CLIENT];
	size_t used = 0;

	while (used < n) {
		if (carry->len < 12 && p[used] != proxy_v2_signature[carry->len]) {
			s->mode = C_COMMAND;	/* blank lines, no signature */
			client_carry_again(s);
			return used;
		}
		buf_add_char(carry, p[used++]);
		if (carry->len >= 16 && carry->len >= 16u + ((uint8_t)carry->p[14] << 8 | (uint8_t)carry->p[15])) {
			proxy_v2_done(s);
			return used;
		}
	}
	return used;
}

static void tls_begin(struct smtp *s, enum fact_tls how)
{
	if (!s->tls)
		s->tls = tls_new(&s->arena, s->f.started_us);
	s->f.tls = how;
	s->f.tls_detail = tls_detail(s->tls);
	s->mode = C_TLS;
	s->server_tls = true;
	line_done(s, SIDE_CLIENT);
	s->skip_line[SIDE_CLIENT] = s->skip_line[SIDE_SERVER] = false;
}

static size_t client_start(struct smtp *s, const char *p, size_t n)
{
	if (tls_looks_like((const uint8_t *)p, n))
		tls_begin(s, TLS_IMPLICIT);
	else if (*p == proxy_v2_signature[0])
		s->mode = C_PROXY_V2;
	else
		s->mode = C_COMMAND;
	return 0;
}

/* A few servers answer 220 to STARTTLS and go on in clear (a decrypting proxy in between): clear commands then go on. */
static size_t client_tls(struct smtp *s, const char *p, size_t n)
{
	struct fact_tls_detail *d = tls_detail(s->tls);

	if (d->side[SIDE_CLIENT].bytes == 0 && d->side[SIDE_SERVER].bytes == 0 && !tls_looks_like((const uint8_t *)p, n)) {
		s->mode = C_COMMAND;
		s->server_tls = false;
		s->f.tls = TLS_NONE;
		return 0;
	}
	if (d->side[SIDE_CLIENT].bytes == 0)
		step(s, NULL, SIDE_CLIENT, "TLS");
	tls_push(s->tls, SIDE_CLIENT, (const uint8_t *)p, n, s->now_us);
	return n;
}

static void client_bytes(struct smtp *s, const char *p, size_t n)
{
	while (n) {
		size_t used = n;

		switch (s->mode) {
		case C_START:
			used = client_start(s, p, n);
			break;
		case C_PROXY_V2:
			used = client_proxy_v2(s, p, n);
			break;
		case C_COMMAND:
		case C_AUTH:
			used = client_command(s, p, n);
			break;
		case C_DATA_WAIT:
			used = client_data_wait(s, p, n);
			break;
		case C_BODY:
			used = client_body(s, p, n);
			break;
		case C_BDAT:
			used = client_bdat(s, p, n);
			break;
		case C_LOST:
			used = client_lost(s, p, n);
			break;
		case C_TLS:
			used = client_tls(s, p, n);
			break;
		case C_OFF:
			break;
		}
		p += used;
		n -= used;
	}
}

/* ---- replies ---- */

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
	bool at_candidate = s->candidate;
	struct buf ahead = s->ahead;
	s->ahead = (struct buf){ 0 };
	if (at_candidate) {
		uint64_t extra = t->f.size_bytes - s->candidate_size;

		t->f.size_bytes -= extra;
		t->f.bytes_seen -= extra < t->f.bytes_seen ? extra : t->f.bytes_seen;
	}
	uint64_t seen_us = at_candidate ? s->candidate_us : 0;
	body_end(s);
	t->f.data_end_us = seen_us;
	if (at_candidate)
		client_bytes(s, ahead.p, ahead.len);
	else
		s->mode = C_LOST;
	buf_fini(&ahead);
	return true;
}

/* Which command in the queue a reply can only belong to, whatever is missing before it; 0 (the HOLE itself) when none. */
static uint32_t unique_match(struct smtp *s, unsigned code)
{
	for (uint32_t i = 1; i < s->queue_count; i++) {
		enum verb v = queue_at(s, i)->verb;
		bool hello = v == VERB_EHLO || v == VERB_LHLO;

		if ((code == 354 && v == VERB_DATA) || (code == 221 && v == VERB_QUIT)
		    || (code == 220 && (v == VERB_STARTTLS || v == VERB_XANONYMOUSTLS || v == VERB_XCLIENT))
		    || ((code == 334 || code == 235) && (v == VERB_AUTH || v == VERB_AUTH_LINE))
		    || (code == 250 && hello && s->reply_lines > 1))
			return i;
	}
	return 0;
}

/* 354 although DATA was not seen: it was in the hole. Its body follows. */
static void hidden_data(struct smtp *s)
{
	struct transaction *t = s->current;

	if (!t || t->f.rcpt_accepted == 0 || s->absorbed || !s->suspended) {
		s->f.notes |= NOTE_GAP;
		if (s->current)
			s->suspended = true;
		t = current_or_unseen(s);
	}
	queue_drop(s, s->queue_count);
	s->suspended = false;
	t->data_asked = true;
	t->f.notes |= NOTE_GAP;
	buf_clear(&s->guess);
	line_done(s, SIDE_CLIENT);
	body_begin(s, s->skip_line[SIDE_CLIENT] ? B_MID : B_START_LF);
	s->skip_line[SIDE_CLIENT] = false;
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
	else
		transaction_close(outer, TX_BY_CLIENT, t->f.started_us);
	t = NULL;
	transaction_try_emit(s, outer);
}

static void reply_to_data(struct smtp *s, struct transaction *t, const struct fact_reply *r)
{
	if (r->code >= 300 && r->code < 400) {
		if (s->current != t)
			return;
		if (s->mode == C_DATA_WAIT) {
			body_begin(s, B_START);
			transaction_body(t, NULL, 0);
			client_carry_again(s);
		} else if (s->mode == C_LOST) {	/* the hole came behind DATA: it is in the body */
			body_begin(s, B_MID);
			s->body_hole = true;
			s->suspended = s->skip_line[SIDE_CLIENT] = false;
			transaction_body_gap(t, 0);
		}
		return;
	}
	transaction_data_reply(t, r);
	if (s->current != t)
		return;
	if (s->mode == C_DATA_WAIT) {
		s->mode = C_COMMAND;
		client_carry_again(s);
	} else if (s->mode == C_BODY)
		s->mode = C_LOST;
}

static void reply_to_hello(struct smtp *s, enum verb v, const struct fact_reply *r)
{
	if (r->code >= 400) {
		if (!s->helo_accepted)
			s->f.refusal = fact_reply_copy(&s->arena, r, &s->f.notes);
		return;
	}
	s->helo_accepted = true;
	s->f.refusal = (struct fact_reply){ 0 };
	if (v == VERB_HELO || !r->text.p)
		return;
	const char *lf = memchr(r->text.p, '\n', r->text.len);
	struct text keywords = lf ? (struct text){ lf + 1, r->text.len - (uint32_t)(lf + 1 - r->text.p) } : TEXT("");
	s->f.ehlo_keywords = keep(s, keywords, LIMIT_EHLO_TEXT);
}

static void reply_to_auth(struct smtp *s, const struct fact_reply *r)
{
	if (r->code == 334)
		s->mode = C_AUTH;
	else if (r->code == 235)
		s->f.auth = TRI_TRUE;
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
		break;
	case VERB_BDAT:
		if (t && r->code >= 400)
			transaction_data_reply(t, r);
		break;
	case VERB_HELO:
	case VERB_EHLO:
	case VERB_LHLO:
		reply_to_hello(s, p.verb, r);
		break;
	case VERB_AUTH:
	case VERB_AUTH_LINE:
		reply_to_auth(s, r);
		break;
	case VERB_STARTTLS:
	case VERB_XANONYMOUSTLS:
		if (r->code == 220)
			tls_begin(s, TLS_STARTTLS);
		break;
	case VERB_XCLIENT:
		if (r->code >= 300)
			s->f.xclient = (struct text){ 0 };
		break;
	case VERB_XFORWARD:
		if (r->code >= 300)
			s->f.xforward = (struct text){ 0 };
		break;
	default:
		break;
	}
}

/* The reply belongs to the front of the queue. */
static void reply_to_front(struct smtp *s, const struct fact_reply *r)
{
	struct pending p = *queue_at(s, 0);

	step_reply(s, p.tx, r);
	if (p.tx && (p.verb == VERB_DATA_END || (p.verb == VERB_BDAT && p.last))) {
		if (transaction_end_reply(p.tx, r, s->now_us))
			queue_drop_front(s);
		return;
	}
	reply_to(s, p, r);
	queue_drop_front(s);
}

static void on_banner(struct smtp *s, const struct fact_reply *r)
{
	s->await_banner = false;
	s->f.banner = fact_reply_copy(&s->arena, r, &s->f.notes);
	step_reply(s, NULL, r);
	if (r->code >= 400) {
		s->f.refusal = s->f.banner;
		s->f.refusal_index = 0;
	}
}

/* 421 at any time (RFC 5321 3.8): the server hangs up. */
static void on_421(struct smtp *s)
{
	s->closed_by_server = true;
	if (s->mode == C_BODY || s->mode == C_BDAT || s->mode == C_DATA_WAIT || s->mode == C_COMMAND)
		s->mode = C_LOST;
	current_close(s, TX_BY_SERVER);
	while (s->queue_count)
		queue_drop_front(s);
}

/* More replies than commands after a doubtful end of data: the server took it for the end, so that what followed were commands. */
static void smuggled(struct smtp *s)
{
	struct buf ahead = s->ahead;
	bool quit_next = s->queue_count == 1 && queue_at(s, 0)->verb == VERB_QUIT;

	if (ahead.len == 0 || s->mode != C_COMMAND || (s->queue_count && !quit_next))
		return;
	s->ahead = (struct buf){ 0 };
	queue_drop(s, s->queue_count);
	client_bytes(s, ahead.p, ahead.len);
	if (quit_next)
		queue_push(s, VERB_QUIT, NULL);
	buf_fini(&ahead);
}

static void on_unasked(struct smtp *s, const struct fact_reply *r)
{
	step_reply(s, s->current, r);
	if (r->code == 354 && (s->mode == C_LOST || s->mode == C_COMMAND) && (s->f.notes & (NOTE_GAP | NOTE_MID_STREAM))) {
		hidden_data(s);
		return;
	}
	if (s->current)
		s->current->f.notes |= NOTE_UNEXPECTED_REPLY;
	s->f.notes |= NOTE_UNEXPECTED_REPLY;
}

static void on_reply(struct smtp *s, const struct fact_reply *r)
{
	saw_clear_smtp(s, &s->saw_reply);
	if (s->mode == C_LOST)
		lost_commit(s);
	if (s->await_banner) {
		on_banner(s, r);
		if (r->code == 421)
			on_421(s);
		return;
	}
	reply_ends_body(s);
	if (queue_has_hole(s)) {
		uint32_t i = unique_match(s, r->code);

		if (i)
			queue_drop(s, i);
		else if (r->code == 354) {
			hidden_data(s);
			return;
		} else if (r->code != 421) {
			s->absorbed++;
			return;
		}
	}
	if (r->code != 221)
		smuggled(s);
	if (s->queue_count && !queue_has_hole(s))
		reply_to_front(s, r);
	else if (r->code != 421)
		on_unasked(s, r);
	if (r->code == 421)
		on_421(s);
}

/* Collects the lines of a reply; the last one makes it whole. */
static void server_line(struct smtp *s, struct text line)
{
	struct reply_line l;

	if (!reply_parse(line, &l)) {
		if (line.len)
			s->f.notes |= NOTE_ODD_REPLY;
		if (!s->saw_reply && !s->saw_command)
			s->odd_banner = true;
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
		snprintf(s->reply_enhanced, sizeof s->reply_enhanced, "%.*s", (int)l.enhanced.len, l.enhanced.p);
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
}

static void server_bytes(struct smtp *s, const char *p, size_t n)
{
	while (n) {
		struct text line;
		bool whole;

		if ((s->f.notes & NOTE_MID_STREAM) && s->bytes[SIDE_SERVER] == n && tls_looks_like((const uint8_t *)p, n))
			mid_stream_tls(s);
		if (s->server_tls) {
			if (s->tls) {
				if (tls_detail(s->tls)->side[SIDE_SERVER].bytes == 0)
					step(s, NULL, SIDE_SERVER, "TLS");
				tls_push(s->tls, SIDE_SERVER, (const uint8_t *)p, n, s->now_us);
			}
			return;
		}
		size_t used = next_line(s, SIDE_SERVER, p, n, LIMIT_REPLY_LINE, &line, &whole);
		if (whole) {
			server_line(s, line);
			line_done(s, SIDE_SERVER);
		}
		p += used;
		n -= used;
	}
}

/* ---- what the caller tells ---- */

void smtp_push(struct smtp *s, enum side from, const void *bytes, size_t n, uint64_t t_us)
{
	if (t_us > s->now_us)
		s->now_us = t_us;
	s->bytes[from] += n;
	if (from == SIDE_CLIENT)
		client_bytes(s, bytes, n);
	else
		server_bytes(s, bytes, n);
}

static void client_hole(struct smtp *s, uint64_t n)
{
	switch (s->mode) {
	case C_TLS:
		tls_gap(s->tls, SIDE_CLIENT, n);
		return;
	case C_OFF:
		return;
	case C_BODY:
		transaction_body_gap(s->current, n + dot_bytes(s->body));
		s->body = B_MID;
		s->body_hole = true;
		s->candidate = false;
		if (s->body_doubt)
			break;
		return;
	case C_BDAT:
		if (n && n <= s->bdat_left) {
			s->bdat_left -= n;
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
	s->absorbed = 0;
	s->f.notes |= NOTE_ORDINAL_UNCERTAIN;
	s->mode = C_LOST;
	line_done(s, SIDE_CLIENT);
	buf_clear(&s->guess);
	s->skip_line[SIDE_CLIENT] = true;
	queue_push(s, VERB_HOLE, NULL);
}

static void server_hole(struct smtp *s, uint64_t n)
{
	if (s->server_tls) {
		if (s->tls)
			tls_gap(s->tls, SIDE_SERVER, n);
		return;
	}
	s->await_banner = false;
	s->reply_open = false;
	line_done(s, SIDE_SERVER);
	s->skip_line[SIDE_SERVER] = true;
	for (struct transaction *t = s->first; t; t = t->next)
		t->f.notes |= NOTE_GAP;
	if (s->mode == C_BODY) {
		s->body_doubt = true;
		if (s->body_hole) {	/* the end of this mail and the beginning of the next may both be missing */
			current_close(s, TX_LOST);
			s->mode = C_LOST;
		}
	}
	s->absorbed = 0;
	queue_hole_front(s);
}

void smtp_gap(struct smtp *s, enum side from, uint64_t n, uint64_t t_us)
{
	if (t_us > s->now_us)
		s->now_us = t_us;
	s->f.notes |= NOTE_GAP;
	if (from == SIDE_CLIENT)
		client_hole(s, n);
	else
		server_hole(s, n);
}

void smtp_close(struct smtp *s, enum side from, uint64_t t_us)
{
	if (t_us > s->now_us)
		s->now_us = t_us;
	(void)from;
}

/* ---- the end ---- */

static enum fact_session_outcome session_outcome(const struct smtp *s)
{
	const struct fact_session *f = &s->f;
	bool doubt = f->notes & (NOTE_GAP | NOTE_MID_STREAM | NOTE_ONE_SIDED);

	if (f->transaction_count)
		return SESSION_MAIL;
	if (f->outcome == SESSION_ENCRYPTED || f->tls == TLS_STARTTLS || f->tls == TLS_IMPLICIT)
		return SESSION_ENCRYPTED;
	if (f->banner.code >= 400)
		return SESSION_REFUSED_BANNER;
	if (f->refusal.code)
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
	if (f->auth == TRI_UNKNOWN && f->tls == TLS_NONE && s->bytes[SIDE_CLIENT] && s->bytes[SIDE_SERVER] && !(f->notes & NOTE_MID_STREAM))
		f->auth = TRI_FALSE;
	f->outcome = session_outcome(s);
	f->complete = (end == END_FIN || end == END_RST) && !(f->notes & (NOTE_GAP | NOTE_MID_STREAM | NOTE_ONE_SIDED));
}

void smtp_end(struct smtp *s, enum fact_end end, enum side by, uint64_t t_us)
{
	bool client_left = (end == END_FIN || end == END_RST) && by == SIDE_CLIENT && !s->closed_by_server;
	if (t_us > s->now_us)
		s->now_us = t_us;
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
	tls_free(s->tls);
	for (int i = 0; i < 2; i++)
		buf_fini(&s->line[i]);
	buf_fini(&s->ahead);
	buf_fini(&s->guess);
	buf_fini(&s->reply_text);
	arena_fini(&s->arena);
	free(s->queue);
	free(s);
}
