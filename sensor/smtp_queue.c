/*
 * smtp_queue.c - the commands that wait for replies, and the transactions they belong to (smtp_state.h).
 *
 * A transaction is handed on when it is closed and none of its commands waits any more.
 */
#include <stdlib.h>

#include "common/xmalloc.h"
#include "sensor/limits.h"
#include "sensor/smtp_state.h"

struct pending *queue_at(struct smtp *s, uint32_t i)
{
	return &s->queue[(s->queue_head + i) & (s->queue_cap - 1)];
}

enum telling queue_telling(enum verb v)
{
	switch (v) {
	case VERB_DATA:
		return TELLING_DATA;
	case VERB_QUIT:
		return TELLING_QUIT;
	case VERB_STARTTLS:
	case VERB_XANONYMOUSTLS:
	case VERB_XCLIENT:
		return TELLING_TLS;
	case VERB_AUTH:
	case VERB_AUTH_LINE:
		return TELLING_AUTH;
	case VERB_EHLO:
	case VERB_LHLO:
		return TELLING_HELLO;
	default:
		return TELLING;
	}
}

static void count_verb(struct smtp *s, enum verb v, int by)
{
	enum telling kind = queue_telling(v);

	if (kind != TELLING)
		s->telling[kind] = (uint16_t)(s->telling[kind] + by);
	if (command_ends_group(v))
		s->group_ends = (uint16_t)(s->group_ends + by);
}

void queue_front_is(struct smtp *s, enum verb v)
{
	struct pending *front = queue_at(s, 0);

	count_verb(s, front->verb, -1);
	count_verb(s, v, 1);
	front->verb = v;
}

void queue_fini(struct smtp *s)
{
	if (s->queue != &s->alone)
		free(s->queue);
	s->queue = &s->alone;
	s->queue_cap = 1;
	s->queue_head = s->queue_count = 0;
}

void queue_answered(struct smtp *s)
{
	struct transaction *t = queue_at(s, 0)->tx;

	count_verb(s, queue_at(s, 0)->verb, -1);
	s->queue_head = (uint16_t)((s->queue_head + 1) & (s->queue_cap - 1));
	if (--s->queue_count == 0)
		queue_fini(s);
	if (t) {
		t->waiting--;
		current_emit_if_done(s, t);
	}
}

/* Whether the MAIL inside another mail was taken will never be known. */
static void nested_unanswered(struct smtp *s, struct transaction *t)
{
	struct transaction *outer = t->inside;

	t->inside = NULL;
	t->sender_doubt = true;
	outer->waiting--;
	outer->reply_lost = true;
	transaction_close(outer, TX_LOST, s->now_us);
	current_emit_if_done(s, outer);
}

void queue_drop(struct smtp *s, uint32_t n)
{
	while (n--) {
		struct pending *p = queue_at(s, 0);

		if (p->tx)
			p->tx->reply_lost = true;
		if (p->verb == VERB_MAIL && p->tx && p->tx->inside)
			nested_unanswered(s, p->tx);
		queue_answered(s);
	}
}

struct pending *queue_push(struct smtp *s, enum verb v, struct transaction *t)
{
	while (s->queue_count && (s->queue_count == LIMIT_PENDING || s->open_transactions > LIMIT_OPEN_TRANSACTIONS)) {
		queue_drop(s, 1);
		s->overflowed++;	/* its reply comes first */
	}
	if (s->queue_count == s->queue_cap) {
		uint32_t cap = s->queue_cap * (s->queue == &s->alone ? 4 : 2);
		struct pending *grown = xreallocarray(NULL, cap, sizeof *grown);

		for (uint32_t i = 0; i < s->queue_count; i++)
			grown[i] = *queue_at(s, i);
		if (s->queue != &s->alone)
			free(s->queue);
		s->queue = grown;
		s->queue_head = 0;
		s->queue_cap = (uint16_t)cap;
	}
	struct pending *p = queue_at(s, s->queue_count++);
	*p = (struct pending){ .verb = v, .heard = s->heard, .tx = t };
	count_verb(s, v, 1);
	if (t)
		t->waiting++;
	return p;
}

void unplaced_clear(struct smtp *s)
{
	if (!s->rare || !s->rare->unplaced)
		return;
	arena_fini(&s->rare->unplaced->texts);
	free(s->rare->unplaced);
	s->rare->unplaced = NULL;
}

void unplaced_add(struct smtp *s, const struct fact_reply *r)
{
	struct smtp_rare *rare = smtp_rare(s);

	if (rare->unplaced && (rare->unplaced->count == LIMIT_UNPLACED || rare->unplaced->texts.full))
		unplaced_clear(s);	/* what is kept must be in a row */
	if (!rare->unplaced) {
		rare->unplaced = xcalloc(1, sizeof *rare->unplaced);
		arena_init(&rare->unplaced->texts, LIMIT_UNPLACED_BYTES);
	}
	struct unplaced *u = rare->unplaced;
	u->seen[u->count].reply = fact_reply_copy(&u->texts, r, &s->f.notes);
	u->seen[u->count++].us = s->now_us;
}

bool queue_has_hole(struct smtp *s)
{
	return s->queue_count && queue_at(s, 0)->verb == VERB_HOLE;
}

/* A HOLE in front: replies may be missing for any of those that wait. */
void queue_hole_front(struct smtp *s)
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

void queue_doubt(struct smtp *s)
{
	if (s->queue_count == 0 || s->await_banner)
		return;
	queue_hole_front(s);
	s->absorbed++;
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
		s->open_transactions--;
		return;
	}
}

void current_emit_if_done(struct smtp *s, struct transaction *t)
{
	if (t->end == TX_OPEN || t->waiting || t == s->current)
		return;
	transaction_unlink(s, t);
	transaction_emit(t, s->sink);
}

/* The current transaction gets no more commands. */
void current_close(struct smtp *s, enum transaction_end end)
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
	current_emit_if_done(s, t);
}

struct transaction *current_begin(struct smtp *s)
{
	struct transaction *t = transaction_new(&s->f, ++s->f.transaction_count, s->lmtp, s->now_us);

	*s->last = t;
	s->last = &t->next;
	s->open_transactions++;
	s->current = t;
	t->f.notes |= s->f.notes & (NOTE_MID_STREAM | NOTE_ORDINAL_UNCERTAIN | NOTE_TUNNELLED);
	if (t->f.auth == TRI_UNKNOWN && smtp_is_without_auth(s))
		t->f.auth = TRI_FALSE;
	s->suspended = false;
	return t;
}

/* The transaction for a command other than MAIL; one whose MAIL was lost is begun after a hole. NULL: out of sequence. */
struct transaction *current_or_unseen(struct smtp *s)
{
	if (s->suspended && s->current)
		current_close(s, TX_LOST);
	if (!s->current && (s->f.notes & (NOTE_ORDINAL_UNCERTAIN | NOTE_MID_STREAM))) {
		struct transaction *t = current_begin(s);

		t->doubt = true;
		t->f.notes |= NOTE_GAP | NOTE_ORDINAL_UNCERTAIN;
	}
	return s->current;
}

/* A nested MAIL was refused: what came after it belongs to the transaction around it. */
void nested_undo(struct smtp *s, struct transaction *t)
{
	struct transaction *outer = t->inside;

	outer->f.notes |= NOTE_NESTED_MAIL;
	for (uint32_t i = 0; i < t->f.rcpt_kept; i++) {
		uint32_t index = transaction_rcpt_adopt(outer, &t->f.rcpt[i]);

		for (uint32_t k = 0; k < s->queue_count; k++) {
			struct pending *q = queue_at(s, k);

			if (q->tx == t && q->verb == VERB_RCPT && q->rcpt == i) {
				q->rcpt = index;
				q->tx = outer;
				outer->waiting++;
			}
		}
	}
	for (unsigned i = 0; i < t->f.steps.count; i++) {
		const struct fact_step *step = &t->f.steps.step[i];

		transaction_step(outer, *step, t->f.started_us + step->offset_us);
	}
	queue_retarget(s, t, outer);
	outer->f.rcpt_count += t->f.rcpt_count - t->f.rcpt_kept;
	outer->data_asked |= t->data_asked;
	if (t->f.has_data) {	/* the client did not wait: what it sent was not looked at as the outer mail's */
		outer->f.has_data = true;
		outer->data_ended |= t->data_ended;
		outer->f.data_end_us = t->f.data_end_us;
		outer->f.size_bytes = t->f.size_bytes;
		outer->f.bytes_seen = t->f.bytes_seen;
		outer->f.notes |= NOTE_TRUNCATED;
	}
	if (s->current == t)
		s->current = outer;
	transaction_unlink(s, t);
	transaction_free(t);
}
