/*
 * smtp_client.c - the bytes of the client -> commands, bodies, TLS (smtp_state.h). The states are drawn in smtp.c.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/xmalloc.h"
#include "sensor/limits.h"
#include "sensor/scan.h"
#include "sensor/smtp_state.h"

/* ---- body ---- */

void client_forget_ahead(struct smtp *s)
{
	if (s->rare)
		buf_clear(&s->rare->ahead);
}

void client_body_begin(struct smtp *s, enum body_state state)
{
	s->mode = C_BODY;
	s->body = state;
	s->body_hole = s->body_doubt = s->body_guessed = s->candidate = s->ahead_over = false;
	client_forget_ahead(s);
}

/* The end of the data: one more reply is due, and commands follow. */
void client_body_end(struct smtp *s)
{
	struct transaction *t = s->current;

	s->mode = C_COMMAND;
	t->data_ended = true;
	t->f.data_end_us = s->now_us;
	smtp_step(s, t, SIDE_CLIENT, VERB_DATA_END);
	queue_push(s, VERB_DATA_END, t)->doubtful = s->body_hole || s->body_doubt || s->candidate;
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
	smtp_rare(s)->candidate_us = s->now_us;
	s->rare->candidate_size = s->current->f.size_bytes;
	client_forget_ahead(s);
	s->ahead_over = false;
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

uint64_t client_dot_bytes(enum body_state b)
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
			transaction_body_wire(s->current, client_dot_bytes(before) + 1);
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

	if (keep_ahead && s->rare->ahead.len + used > LIMIT_LOOKAHEAD)
		s->ahead_over = true;
	if (keep_ahead && !s->ahead_over)
		buf_add(&s->rare->ahead, p, used);
	if (result == DOT_END)
		client_body_end(s);
	return used;
}

size_t client_bdat(struct smtp *s, const char *p, size_t n)
{
	uint64_t *left = &s->rare->bdat_left;
	size_t used = n < *left ? n : (size_t)*left;

	*left -= used;
	if (s->current) {
		transaction_body(s->current, p, used);
		transaction_body_wire(s->current, used);
	}
	if (*left == 0) {
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
	t->f.started_us = t->f.ended_us = s->line_us;
	s->xforward_used = true;
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
	smtp_rare(s)->bdat_left = size;
	s->bdat_last = last;
	s->mode = C_BDAT;
	s->body_hole = s->body_doubt = false;
	if (size == 0)
		client_bdat(s, NULL, 0);
}

static void name_verb(struct smtp *s, enum verb v)
{
	const char *name = command_verb_name(v);

	s->f.helo_verb = (struct text){ name, (uint32_t)strlen(name) };
}

void client_take_helo(struct smtp *s, enum verb v)
{
	const struct smtp_rare *r = s->rare;

	name_verb(s, v);
	if (r && r->helo_waits)
		smtp_keep_last(s, &s->f.helo, &s->helo_room, (struct text){ r->helo_sent.p, r->helo_sent.len }, LIMIT_HELO);
}

/* The first name counts before it is granted, a later one only then. */
static void on_hello(struct smtp *s, enum verb v, struct text argument)
{
	if (argument.len > LIMIT_HELO)
		argument.len = LIMIT_HELO;
	s->lmtp = v == VERB_LHLO;
	if (s->helo_accepted) {
		struct smtp_rare *r = smtp_rare(s);

		buf_clear(&r->helo_sent);
		buf_add_text(&r->helo_sent, argument);
		r->helo_waits = true;
	} else {
		name_verb(s, v);
		smtp_keep_last(s, &s->f.helo, &s->helo_room, argument, LIMIT_HELO);
	}
	queue_push(s, v, s->current);
}

/* Only known names: what stands in place of one, or behind it, may be the secret (RFC 4954 4). */
static const char *auth_mechanism(struct text argument)
{
	static const char *const known[] = { "PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "NTLM", "GSSAPI", "GSS-SPNEGO", "EXTERNAL", "ANONYMOUS",
		"SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512", "XOAUTH", "XOAUTH2", "OAUTHBEARER",
		"OTP", "KERBEROS_V4" };
	uint32_t n = 0;

	while (n < argument.len && argument.p[n] != ' ' && argument.p[n] != '\t')
		n++;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strlen(known[i]) == n && strncasecmp(known[i], argument.p, n) == 0)
			return known[i];
	return "?";
}

static void on_auth(struct smtp *s, struct text argument)
{
	const char *name = auth_mechanism(argument);

	smtp_rare(s)->f.auth_mechanism = (struct text){ name, (uint32_t)strlen(name) };
	s->auth_refused = false;
	queue_push(s, VERB_AUTH, NULL);
}

/* Clients send their attributes in several commands (Postfix: two), anew for each mail. */
static void add_xforward(struct smtp *s, struct text argument)
{
	struct smtp_rare *r = smtp_rare(s);

	if (s->xforward_used)
		buf_clear(&r->xforward);
	s->xforward_used = false;
	if (r->xforward.len && r->xforward.len < LIMIT_XTEXT)
		buf_add_char(&r->xforward, ' ');
	if (r->xforward.len + argument.len <= LIMIT_XTEXT)
		buf_add_text(&r->xforward, argument);
	else
		s->f.notes |= NOTE_TRUNCATED;
	r->f.xforward = (struct text){ buf_cstr(&r->xforward), r->xforward.len };
}

static void take_xclient(struct smtp *s, struct text argument)
{
	struct smtp_rare *r = smtp_rare(s);

	if (argument.len > LIMIT_XTEXT) {
		argument.len = LIMIT_XTEXT;
		s->f.notes |= NOTE_TRUNCATED;
	}
	buf_clear(&r->xclient);
	buf_add_text(&r->xclient, argument);
	r->f.xclient = (struct text){ buf_cstr(&r->xclient), r->xclient.len };
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
		take_xclient(s, c.argument);
		queue_push(s, c.verb, NULL);
		break;
	case VERB_XFORWARD:
		add_xforward(s, c.argument);
		queue_push(s, c.verb, NULL);
		break;
	case VERB_RSET:
	case VERB_QUIT:
		current_close(s, TX_BY_CLIENT);
		queue_push(s, c.verb, NULL);
		break;
	case VERB_STARTTLS:
	case VERB_XANONYMOUSTLS:
		queue_push(s, c.verb, NULL);	/* the transaction ends when it is granted */
		break;
	case VERB_VRFY:
	case VERB_EXPN:
		s->f.vrfy_count++;
		/* fall through */
	default:
		queue_push(s, c.verb, s->suspended ? NULL : s->current);
	}
}

/* Whether the server has said anything since the i-th command was sent. */
static bool was_heard_since(struct smtp *s, uint32_t i)
{
	return s->heard != queue_at(s, i)->heard;
}

/* The client has gone on: the first commands of the queue have been answered, by replies that were lost, or that a hole took. */
static void caught_up(struct smtp *s, uint32_t answered)
{
	if (answered == s->queue_count && was_heard_since(s, answered - 1))
		server_place(s, answered);
	else
		queue_drop(s, answered);
	if (s->absorbed && s->queue_count)
		queue_hole_front(s);	/* a reply to what is left was perhaps among those absorbed */
	s->skip_reply_line = false;	/* the hole ended with the reply that the client has seen */
}

/* Of lines that came after each other: behind a command that must be waited for the client has waited. */
static void drop_answered_groups(struct smtp *s)
{
	for (uint32_t i = s->queue_count; i-- > 0;)
		if (command_ends_group(queue_at(s, i)->verb)) {
			queue_drop(s, i + 1);
			return;
		}
}

/* Does the client go on although, by what was seen, the reply has not ended? LMTP clients wait for that of each recipient. */
static bool stops_listening(struct smtp *s)
{
	const struct pending *front = s->queue_count ? queue_at(s, 0) : NULL;

	if (s->reply_open && !s->pipelined) {
		s->reply_open = false;
		s->f.notes |= NOTE_ODD_REPLY;
		return true;
	}
	return front && front->tx && front->tx->lmtp_replies;
}

/* The last command in the queue for whose reply the client has waited; 0: none. It cannot have waited when nothing came since. */
static uint32_t last_waited_for(struct smtp *s)
{
	if (s->group_ends == 0 || (s->heard && s->heard == s->in_step_heard))
		return 0;
	for (uint32_t i = s->queue_count; i-- > 1;) {
		const struct pending *p = queue_at(s, i);

		if (command_ends_group(p->verb) && !(s->heard && p->heard == s->heard))
			return i;
	}
	s->in_step_heard = s->heard;
	return 0;
}

/*
 * Before a command after a hole: has the client waited for the replies to what is in the queue? Then they were lost. It has when the last
 * command in the queue is one that must be waited for, or when this client has never sent ahead and something came from the server since.
 */
static void in_step(struct smtp *s)
{
	if (s->committing) {
		drop_answered_groups(s);
		return;
	}
	if (stops_listening(s))
		queue_doubt(s);
	if (!queue_has_hole(s)) {
		if (s->queue_count)
			s->pipelined = true;
		else
			s->in_turn++;
		return;
	}
	uint32_t waited_for = last_waited_for(s);
	if (waited_for) {
		caught_up(s, waited_for + 1);
		return;
	}
	if (!s->pipelined && s->in_turn > 2 && was_heard_since(s, s->queue_count - 1))
		caught_up(s, s->queue_count);
}

/* What an answer to a 334 looks like (RFC 4954 4), "*" included. */
static bool is_base64(struct text line)
{
	for (uint32_t i = 0; i < line.len; i++) {
		char c = line.p[i];

		if (!((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '+' || c == '/' || c == '=' || c == '*'))
			return false;
	}
	return true;
}

static void client_line(struct smtp *s, struct text line)
{
	struct command c = command_parse(line);

	if (s->mode == C_AUTH || (s->queue_count && queue_at(s, s->queue_count - 1)->verb == VERB_AUTH && queue_has_hole(s) && is_base64(line)))
		c = (struct command){ VERB_AUTH_LINE, { 0 } };
	s->mode = C_COMMAND;
	if (!s->saw_command && c.verb == VERB_UNKNOWN && text_starts_nocase(line, "PROXY ")) {
		smtp_rare(s)->f.proxy = smtp_keep(s, text_trim(line), 107);
		return;
	}
	if (c.verb != VERB_UNKNOWN)
		smtp_saw_clear(s, &s->saw_command);
	if (c.verb != VERB_QUIT)
		client_forget_ahead(s);
	in_step(s);
	/* A command that ends a transaction is its last step; MAIL is the first of the next. */
	struct transaction *before = c.verb == VERB_MAIL ? NULL : s->current;
	if (before)
		smtp_step(s, before, SIDE_CLIENT, c.verb);
	on_command(s, c);
	if (!before)
		smtp_step(s, s->current, SIDE_CLIENT, c.verb);
}

static size_t client_command(struct smtp *s, const char *p, size_t n)
{
	struct text line;
	bool whole;
	size_t used = smtp_next_line(s, SIDE_CLIENT, p, n, LIMIT_COMMAND_LINE, &line, &whole);

	if (whole) {
		client_line(s, line);
		smtp_line_done(s, SIDE_CLIENT);
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
void client_carry_again(struct smtp *s)
{
	struct buf copy = s->line[SIDE_CLIENT];

	s->line[SIDE_CLIENT] = (struct buf){ 0 };
	smtp_client_bytes(s, copy.p, copy.len);
	buf_fini(&copy);
}

void client_bytes_aside(struct smtp *s, struct buf *bytes)
{
	struct buf held = s->line[SIDE_CLIENT];

	s->line[SIDE_CLIENT] = (struct buf){ 0 };
	smtp_client_bytes(s, bytes->p, bytes->len);
	buf_fini(bytes);
	buf_add(&s->line[SIDE_CLIENT], held.p, held.len);
	buf_fini(&held);
}

/* The body begins although no 354 was seen: it was lost, or the client did not wait. */
static void body_begin_unanswered(struct smtp *s)
{
	if (queue_has_hole(s))
		caught_up(s, s->queue_count);
	client_body_begin(s, B_START);
	s->body_guessed = true;
	client_carry_again(s);
}

void client_data_guess(struct smtp *s)
{
	struct text held = { s->line[SIDE_CLIENT].p, (uint32_t)s->line[SIDE_CLIENT].len };
	const char *lf = memchr(held.p, '\n', held.len);
	struct text line = { held.p, lf ? (uint32_t)(lf - held.p) : held.len };

	if (is_after_data(line)) {
		s->mode = C_COMMAND;
		client_carry_again(s);
	} else
		body_begin_unanswered(s);
}

/*
 * Bytes behind DATA before its reply. They wait for it, since a client may send ahead; where it was lost, or that side of the connection is not
 * captured, the first line tells whether they are body or the next command.
 */
static size_t client_data_wait(struct smtp *s, const char *p, size_t n)
{
	struct buf *carry = &s->line[SIDE_CLIENT];
	bool reply_to_come = !queue_has_hole(s) && s->bytes[SIDE_SERVER];

	buf_add(carry, p, n);
	if (reply_to_come ? carry->len > LIMIT_LOOKAHEAD : carry->len > LIMIT_COMMAND_LINE || memchr(p, '\n', n))
		client_data_guess(s);
	return n;
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

void client_lost_commit(struct smtp *s)
{
	if (!s->rare || s->rare->guess.len == 0)
		return;
	struct buf guess = s->rare->guess;
	s->rare->guess = (struct buf){ 0 };
	s->mode = C_COMMAND;
	/* Of several lines, replies in between may have been lost: what comes next need not answer the first of them. */
	s->committing = memchr(guess.p, '\n', guess.len) != guess.p + guess.len - 1;
	s->heard--;	/* what was heard just now came behind them */
	client_bytes_aside(s, &guess);
	s->heard++;
	if (s->committing)
		queue_hole_front(s);
	s->committing = false;
}

/* Joined inside an encrypted session: how it became that is not known. */
void client_mid_stream_tls(struct smtp *s)
{
	s->mode = C_OFF;
	s->server_tls = true;
	s->f.outcome = SESSION_ENCRYPTED;
}

/* A client began with TLS, and the server greets in clear: it answers a client that it does not understand. */
void client_tls_refused(struct smtp *s)
{
	s->mode = C_OFF;
	s->server_tls = false;
	s->f.tls = TLS_NONE;
	s->f.tls_detail = NULL;
}

static size_t client_lost(struct smtp *s, const char *p, size_t n)
{
	struct text line;
	bool whole;

	if (s->bytes[SIDE_CLIENT] == n && tls_looks_like(p) && (s->f.notes & NOTE_MID_STREAM)) {
		client_mid_stream_tls(s);
		return n;
	}
	size_t used = smtp_next_line(s, SIDE_CLIENT, p, n, LIMIT_COMMAND_LINE, &line, &whole);
	if (!whole)
		return used;
	struct buf *guess = &smtp_rare(s)->guess;
	if (!looks_like_command(line) || guess->len > LIMIT_COMMAND_LINE)
		buf_clear(guess);
	else {
		buf_add_text(guess, line);
		buf_add_str(guess, "\r\n");
	}
	bool data = command_parse(line).verb == VERB_DATA;
	smtp_line_done(s, SIDE_CLIENT);
	/* Without a server side no reply will ever confirm it: a whole envelope in a row is then enough. */
	if (data && s->bytes[SIDE_SERVER] == 0 && guess->len && text_starts_nocase((struct text){ guess->p, guess->len }, "MAIL"))
		client_lost_commit(s);
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
	smtp_rare(s)->f.proxy = smtp_keep(s, (struct text){ text, (uint32_t)strlen(text) }, sizeof text);
	smtp_line_done(s, SIDE_CLIENT);
	s->mode = C_COMMAND;
}

static size_t client_proxy_v2(struct smtp *s, const char *p, size_t n)
{
	struct buf *carry = &s->line[SIDE_CLIENT];
	size_t used = 0;

	while (used < n) {
		if (s->rare && s->rare->proxy_left) {	/* TLVs beyond what is kept */
			s->rare->proxy_left--;
			used++;
			if (s->rare->proxy_left == 0) {
				proxy_v2_done(s);
				return used;
			}
			continue;
		}
		if (carry->len < 12 && p[used] != proxy_v2_signature[carry->len]) {
			s->mode = C_COMMAND;	/* blank lines, no signature */
			client_carry_again(s);
			return used;
		}
		buf_add_char(carry, p[used++]);
		size_t length = carry->len < 16 ? SIZE_MAX : 16u + ((uint8_t)carry->p[14] << 8 | (uint8_t)carry->p[15]);
		if (carry->len >= length) {
			proxy_v2_done(s);
			return used;
		}
		if (carry->len == LIMIT_PROXY_V2)
			smtp_rare(s)->proxy_left = (uint32_t)(length - carry->len);
	}
	return used;
}

void client_tls_begin(struct smtp *s, enum fact_tls how)
{
	struct smtp_rare *r = smtp_rare(s);

	if (!r->tls)
		r->tls = tls_new(&s->arena, s->f.started_us);
	current_close(s, TX_BY_CLIENT);
	s->f.tls = how;
	s->f.tls_detail = tls_detail(r->tls);
	s->mode = C_TLS;
	s->server_tls = true;
	smtp_line_done(s, SIDE_CLIENT);
	s->skip_reply_line = false;
}

static size_t client_start(struct smtp *s, const char *p)
{
	if (tls_looks_like(p) && s->await_banner && s->bytes[SIDE_SERVER] == 0)
		client_tls_begin(s, TLS_IMPLICIT);
	else if (*p == proxy_v2_signature[0])
		s->mode = C_PROXY_V2;
	else
		s->mode = C_COMMAND;
	return 0;
}

/* A few servers answer 220 to STARTTLS and go on in clear (a decrypting proxy in between): clear commands then go on. */
static size_t client_tls(struct smtp *s, const char *p, size_t n)
{
	struct fact_tls_detail *d = tls_detail(s->rare->tls);

	if (d->side[SIDE_CLIENT].bytes == 0 && d->side[SIDE_SERVER].bytes == 0 && !tls_looks_like(p)) {
		s->mode = C_COMMAND;
		s->server_tls = false;
		s->f.tls = TLS_NONE;
		return 0;
	}
	if (d->side[SIDE_CLIENT].bytes == 0)
		smtp_step(s, NULL, SIDE_CLIENT, VERB_TLS);
	tls_push(s->rare->tls, SIDE_CLIENT, (const uint8_t *)p, n, s->now_us);
	return n;
}

/* STARTTLS was granted, but nobody saw it: TLS begins where a command would. */
static bool is_unanswered_tls(struct smtp *s, const char *p)
{
	enum verb last = s->queue_count ? queue_at(s, s->queue_count - 1)->verb : VERB_UNKNOWN;

	return tls_looks_like(p) && s->line[SIDE_CLIENT].len == 0 && (last == VERB_STARTTLS || last == VERB_XANONYMOUSTLS)
	       && (queue_has_hole(s) || s->bytes[SIDE_SERVER] == 0);
}

void smtp_client_bytes(struct smtp *s, const char *p, size_t n)
{
	while (n) {
		size_t used = n;

		switch (s->mode) {
		case C_START:
			used = client_start(s, p);
			break;
		case C_PROXY_V2:
			used = client_proxy_v2(s, p, n);
			break;
		case C_COMMAND:
			if (is_unanswered_tls(s, p)) {
				client_tls_begin(s, TLS_STARTTLS);
				used = 0;
				break;
			}
			/* fall through */
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
