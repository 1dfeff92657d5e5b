/* stream.c - see stream.h. Sequence numbers wrap: they are compared by their signed difference (RFC 9293 3.4). */
#include "sensor/stream.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"
#include "sensor/limits.h"

struct stream_held {
	struct stream_held *next;	/* by sequence number */
	uint32_t seq, length, captured, ack;
	bool has_ack, fin;
	uint64_t time_us, since_us;	/* packet time; when the wait began */
	uint8_t bytes[];	/* captured */
};

static int32_t ahead(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

void stream_init(struct stream *s, const struct stream_sink *sink, void *arg, const struct unacked_key *key)
{
	*s = (struct stream){ .sink = sink, .arg = arg, .key = key };
}

/* What a held segment counts for in bytes: small ones cost their header, and the search for their place among the others. */
static uint32_t held_cost(const struct stream_held *g)
{
	enum { LEAST = 256 };
	uint32_t n = g->length + (uint32_t)sizeof *g;

	return n > LEAST ? n : LEAST;
}

static void held_drop_first(struct stream *s, struct stream_half *h)
{
	struct stream_held *g = h->held;

	h->held = g->next;
	if (!h->held)
		h->last_held = NULL;
	h->held_bytes -= held_cost(g);
	s->held_memory -= (uint32_t)sizeof *g + g->captured;
	free(g);
}

void stream_fini(struct stream *s)
{
	for (int d = 0; d < 2; d++) {
		while (s->half[d].held)
			held_drop_first(s, &s->half[d]);
		unacked_fini(&s->half[d].unacked);
	}
	free(s->stray);
}

uint64_t stream_deadline(const struct stream *s)
{
	return s->deadline_us;
}

uint64_t stream_unseen_bytes(const struct stream *s)
{
	return s->unseen_bytes;
}

uint32_t stream_left_out(const struct stream *s)
{
	return s->left_out;
}

bool stream_overlap_differed(const struct stream *s)
{
	return s->overlap_differed;
}

size_t stream_memory_bytes(const struct stream *s)
{
	return sizeof *s + s->held_memory + (s->stray ? sizeof *s->stray : 0) + unacked_memory_bytes(&s->half[0].unacked) + unacked_memory_bytes(&s->half[1].unacked);
}

bool stream_is_done(const struct stream *s)
{
	return s->half[0].fin_done && s->half[1].fin_done;
}

bool stream_accepts_reset(const struct stream *s, int dir, uint32_t seq)
{
	const struct stream_half *h = &s->half[dir];

	return !h->known || (ahead(seq, h->next) >= -1 && ahead(seq, h->next) < 1 << 20);
}

bool stream_stands_at(const struct stream *s, int dir, uint32_t seq)
{
	const struct stream_half *h = &s->half[dir];

	/* one behind: a keep-alive's number; one ahead: behind the FIN */
	return !h->known || (ahead(seq, h->next) >= -1 && ahead(seq, h->next) <= 1);
}

bool stream_may_begin(const struct stream *s, int dir, uint32_t seq)
{
	const struct stream_half *h = &s->half[dir];

	return !h->known && (!h->held || (ahead(h->held->seq, seq) > 0 && ahead(h->held->seq, seq) < LIMIT_FIRST_FLIGHT));
}

/* Up to where a side is known to have sent. */
static uint32_t top_of(const struct stream_half *h)
{
	return h->acked_known && (h->absent || ahead(h->acked, h->next) > 0) ? h->acked : h->next;
}

bool stream_next(const struct stream *s, int dir, uint32_t *next)
{
	*next = s->half[dir].next;
	return s->half[dir].known;
}

bool stream_end(const struct stream *s, int dir, uint32_t *end)
{
	*end = top_of(&s->half[dir]);
	return s->half[dir].known;
}

void stream_doubt(struct stream *s)
{
	s->overlap_differed = true;
	if (s->sink->differ)
		s->sink->differ(s->arg);
}

static void gap(struct stream *s, int dir, uint32_t n, uint64_t t_us)
{
	struct stream_half *h = &s->half[dir];

	if (h->fin_done)	/* its end is known: who acknowledges more is wrong */
		return;
	h->next += n;
	s->unseen_bytes += n;
	/* A side that is not captured at all has no holes: it is missing as a whole. */
	if (!h->absent)
		s->sink->gap(s->arg, dir, n, t_us);
}

/* The captured part of a segment from h->next on, then what the snap length cut off. */
static void deliver(struct stream *s, int dir, const uint8_t *p, uint32_t seq, uint32_t length, uint32_t captured, uint64_t t_us)
{
	struct stream_half *h = &s->half[dir];
	uint32_t skip = h->next - seq;

	if (h->fin_done || ahead(h->next, seq) < 0 || skip >= length)
		return;
	if (skip < captured) {
		uint32_t n = captured - skip;

		/* Of a side whose receiver is not captured nobody knows what was acknowledged. */
		if (h->acked_known && ahead(h->next + n, h->acked) > 0)
			unacked_add(&h->unacked, s->key, h->next, p + skip, n);
		h->next += n;
		s->sink->push(s->arg, dir, p + skip, n, t_us);
	}
	if (ahead(seq + length, h->next) > 0)
		gap(s, dir, seq + length - h->next, t_us);
}

/* The FIN stands at upto, and everything before it was handed on. */
static void finish(struct stream *s, int dir, uint32_t upto)
{
	struct stream_half *h = &s->half[dir];

	if (h->fin_done || h->next != upto)
		return;
	h->fin_done = true;
	s->sink->fin(s->arg, dir);
}

/* Does a segment with this acknowledgement have to wait for bytes of the other side? */
static bool waits_for(const struct stream_half *other, bool has_ack, uint32_t ack)
{
	if (!other->known)
		return !other->absent;
	if (!has_ack || other->absent || other->fin_done)
		return false;
	return ahead(ack, other->next) > 0;
}

static void note_overlap(struct stream *s, const struct stream_held *old, uint32_t seq, const uint8_t *p, uint32_t n)
{
	bool behind = ahead(seq, old->seq) > 0;
	uint32_t skip_old = behind ? seq - old->seq : 0, skip = behind ? 0 : old->seq - seq;

	if (skip_old >= old->captured || skip >= n)
		return;
	uint32_t common = old->captured - skip_old < n - skip ? old->captured - skip_old : n - skip;
	if (memcmp(old->bytes + skip_old, p + skip, common) != 0)
		stream_doubt(s);
}

/* Puts a segment among the held ones; bytes that are held already stay as they were. */
static void hold(struct stream *s, const struct stream_segment *g, uint64_t now_us)
{
	struct stream_half *h = &s->half[g->dir];
	struct stream_held **at = &h->held;

	if (h->last_held && ahead(g->seq, h->last_held->seq + h->last_held->length) >= 0)
		at = &h->last_held->next;
	while (*at && ahead((*at)->seq, g->seq) <= 0) {
		note_overlap(s, *at, g->seq, g->payload, g->captured);
		if (ahead((*at)->seq + (*at)->captured, g->seq + g->length) >= 0 && ((*at)->fin || !g->fin))
			return;		/* all of it is there */
		at = &(*at)->next;
	}
	for (const struct stream_held *later = *at; later && ahead(later->seq, g->seq + g->captured) < 0; later = later->next)
		note_overlap(s, later, g->seq, g->payload, g->captured);
	struct stream_held *copy = xmalloc(sizeof *copy + g->captured);
	*copy = (struct stream_held){ *at, g->seq, g->length, g->captured, g->ack, g->has_ack, g->fin, g->time_us, now_us };
	if (g->captured)
		memcpy(copy->bytes, g->payload, g->captured);
	*at = copy;
	if (!copy->next)
		h->last_held = copy;
	h->held_bytes += held_cost(copy);
	s->held_memory += (uint32_t)sizeof *copy + g->captured;
}

static uint64_t wait_end(const struct stream_half *h, const struct stream_held *g)
{
	bool hole_acked = h->acked_known && ahead(h->acked, h->next) > 0;

	return g->since_us + (!h->known || ahead(g->seq, h->next) <= 0 || hole_acked ? LIMIT_ACKED_WAIT_US : LIMIT_HOLE_WAIT_US);
}

/* Where a side begins whose SYN was not captured. */
static void assume_start(struct stream *s, int dir)
{
	struct stream_half *h = &s->half[dir], *other = &s->half[!dir];

	if (h->known)
		return;
	h->known = true;
	if (!h->seen)
		h->absent = true;
	if (h->start_known)
		h->next = h->start;
	else if (h->held)
		h->next = h->held->seq;
	else if (other->held && other->held->has_ack)
		h->next = other->held->ack;
	h->acked_known = false;
}

/* The wait for what g needs is over: the bytes of the other side that it acknowledges will not come. */
static void give_up_other(struct stream *s, int dir, const struct stream_held *g)
{
	struct stream_half *other = &s->half[!dir];

	assume_start(s, !dir);
	if (!other->seen)
		other->absent = true;
	if (!g->has_ack || ahead(g->ack, other->next) <= 0)
		return;
	if (g->fin && g->ack == other->next + 1 && !other->held) {
		finish(s, !dir, other->next);	/* a lost FIN, since nobody sends one byte at the end */
		return;
	}
	uint32_t upto = g->ack;
	if (other->fin_seen && ahead(upto, other->fin_seq) > 0)
		upto = other->fin_seq;
	if (other->held && ahead(other->held->seq, upto) < 0)
		upto = other->held->seq;
	if (ahead(upto, other->next) > 0)
		gap(s, !dir, upto - other->next, g->time_us);
}

static bool can_go(const struct stream_half *h, const struct stream_half *other)
{
	const struct stream_held *g = h->held;

	return g && h->known && ahead(g->seq, h->next) <= 0 && !waits_for(other, g->has_ack, g->ack);
}

static void drain_first(struct stream *s, int dir)
{
	struct stream_half *h = &s->half[dir];
	struct stream_held *g = h->held;

	deliver(s, dir, g->bytes, g->seq, g->length, g->captured, g->time_us);
	if (g->fin)
		finish(s, dir, g->seq + g->length);
	held_drop_first(s, h);
}

/* The wait of the first held segment g is over. One step towards handing it on; what waited for that step goes before it. */
static void end_wait(struct stream *s, int dir, const struct stream_held *g)
{
	struct stream_half *h = &s->half[dir], *other = &s->half[!dir];

	if (can_go(other, h)) {
		drain_first(s, !dir);
		return;
	}
	assume_start(s, dir);
	if (ahead(g->seq, h->next) > 0 && !h->fin_done) {
		gap(s, dir, g->seq - h->next, g->time_us);
		return;
	}
	if (waits_for(other, g->has_ack, g->ack)) {
		give_up_other(s, dir, g);
		if (can_go(other, h))
			return;
	}
	drain_first(s, dir);
}

/* Hands on the first held segment of a side when it may go, or ends its wait. False: it has to wait. */
static bool drain_one(struct stream *s, int dir, uint64_t now_us, bool force)
{
	struct stream_half *h = &s->half[dir];
	const struct stream_held *g = h->held;

	if (!g)
		return false;
	if (can_go(h, &s->half[!dir]))
		drain_first(s, dir);
	else if (force || h->held_bytes > LIMIT_HELD_PER_FLOW || now_us >= wait_end(h, g))
		end_wait(s, dir, g);
	else
		return false;
	return true;
}

static void set_deadline(struct stream *s)
{
	s->deadline_us = 0;
	for (int d = 0; d < 2; d++) {
		const struct stream_held *g = s->half[d].held;
		uint64_t end = g ? wait_end(&s->half[d], g) : 0;

		if (end && (!s->deadline_us || end < s->deadline_us))
			s->deadline_us = end;
	}
}

static void drain(struct stream *s, uint64_t now_us, bool force)
{
	bool more = s->half[0].held || s->half[1].held;

	while (more) {
		/* the side whose turn it is longer goes first */
		const struct stream_held *a = s->half[0].held, *b = s->half[1].held;
		int dir = a && b ? a->since_us > b->since_us : !a;

		more = drain_one(s, dir, now_us, false) || drain_one(s, !dir, now_us, false);
		if (!more && force && (s->half[0].held || s->half[1].held))
			more = drain_one(s, dir, now_us, true);
	}
	set_deadline(s);
}

static void learn(struct stream *s, const struct stream_segment *g)
{
	struct stream_half *h = &s->half[g->dir], *other = &s->half[!g->dir];

	h->seen = true;
	if (h->absent) {	/* it shows up after all: what it sent before is a gap */
		h->absent = false;
		if (g->length && ahead(g->seq, h->next) > 0)
			gap(s, g->dir, g->seq - h->next, g->time_us);
	}
	if (g->syn && !h->known) {
		h->known = h->syn = true;
		h->next = g->seq + 1;
	}
	if (g->syn && g->has_ack && !other->known) {
		other->start = g->ack;
		other->start_known = true;
	}
	if (g->has_ack && (!other->acked_known || ahead(g->ack, other->acked) > 0)) {
		other->acked = g->ack;
		other->acked_known = true;
		if (!unacked_is_empty(&other->unacked) && unacked_trim(&other->unacked, g->ack))
			stream_doubt(s);
	}
}

/* ---- numbers far away ---- */

static bool is_near(uint32_t a, uint32_t b)
{
	return ahead(a, b) <= LIMIT_WINDOW_BYTES && ahead(a, b) >= -LIMIT_WINDOW_BYTES;
}

/* Could this side send this number? */
static bool may_send(const struct stream_half *h, uint32_t seq)
{
	if (h->known)
		return ahead(seq, top_of(h)) <= LIMIT_WINDOW_BYTES && ahead(seq, h->next) >= -LIMIT_WINDOW_BYTES;
	if (h->start_known)
		return is_near(seq, h->start);
	return !h->held || is_near(seq, h->held->seq);
}

/* Could the other side have received this? Old acknowledgements do no harm, and taps bring them late. */
static bool may_ack(const struct stream_half *h, uint32_t ack)
{
	if (h->known)
		return ahead(ack, top_of(h)) <= LIMIT_WINDOW_BYTES;
	if (h->start_known)
		return is_near(ack, h->start);
	return !h->held || is_near(ack, h->held->seq);
}

static bool is_plausible(const struct stream *s, const struct stream_segment *g)
{
	return may_send(&s->half[g->dir], g->seq + g->syn) && (!g->has_ack || may_ack(&s->half[!g->dir], g->ack));
}

static void jump(struct stream *s, int dir, uint32_t to, uint64_t t_us)
{
	struct stream_half *h = &s->half[dir];

	if (!h->known || h->fin_done || is_near(to, h->next))
		return;
	gap(s, dir, to - h->next, t_us);
	unacked_fini(&h->unacked);
	h->acked = to;
}

static void forget_stray(struct stream *s)
{
	if (!s->stray)
		return;
	free(s->stray);
	s->stray = NULL;
}

/* A segment that is not plausible. True: by now it is, since both sides have moved; what is between was not captured. */
static bool take_stray(struct stream *s, const struct stream_segment *g, uint64_t now_us)
{
	struct stream_stray *y = s->stray;
	int dir = g->dir;

	if (!y)
		y = s->stray = xcalloc(1, sizeof *y);
	bool goes_on = (!y->known[dir] || is_near(g->seq, y->at[dir])) && (!g->has_ack || !y->known[!dir] || is_near(g->ack, y->at[!dir]));
	if (!y->since_us || !goes_on)
		*y = (struct stream_stray){ .since_us = now_us };
	y->at[dir] = g->seq + g->length;
	y->known[dir] = y->seen[dir] = true;
	if (g->has_ack) {
		y->at[!dir] = g->ack;
		y->known[!dir] = true;
	}
	if (now_us - y->since_us < LIMIT_HOLE_WAIT_US || !(y->seen[!dir] || s->half[!dir].absent))
		return false;
	drain(s, now_us, true);
	jump(s, dir, g->seq, g->time_us);
	if (g->has_ack)
		jump(s, !dir, g->ack, g->time_us);
	return is_plausible(s, g);
}

/* Does it say something else than what was handed on? Of old bytes, those that nobody has acknowledged. */
static void compare(struct stream *s, struct stream_half *h, const struct stream_segment *g)
{
	if (unacked_is_empty(&h->unacked) || ahead(h->next, g->seq) <= 0 || ahead(g->seq + g->captured, h->acked) <= 0)
		return;
	if (unacked_again(&h->unacked, s->key, g->seq, g->payload, g->captured))
		stream_doubt(s);
}

/* Bytes behind a FIN that nobody has acknowledged: it was not meant for the receiver, or not taken by it. */
static void take_back_fin(struct stream *s, struct stream_half *h, uint32_t end)
{
	if (!h->fin_seen || ahead(end, h->fin_seq) <= 0 || (h->acked_known && ahead(h->acked, h->fin_seq) > 0))
		return;
	h->fin_seen = h->fin_done = false;
	stream_doubt(s);
}

void stream_push(struct stream *s, const struct stream_segment *g, uint64_t now_us)
{
	struct stream_half *h = &s->half[g->dir], *other = &s->half[!g->dir];
	struct stream_segment rest = *g;

	if (s->deadline_us && now_us >= s->deadline_us)
		stream_expire(s, now_us);
	if (!is_plausible(s, g) && !take_stray(s, g, now_us)) {
		s->left_out++;
		return;
	}
	forget_stray(s);
	learn(s, g);
	if (rest.syn)
		rest.seq++;
	uint32_t end = rest.seq + rest.length;
	if (rest.length) {
		compare(s, h, &rest);
		take_back_fin(s, h, end);
	}
	if (rest.fin && (h->fin_done || (h->known && ahead(end, h->next) < 0)))
		rest.fin = false;	/* again, or forged: bytes behind it were seen */
	if (rest.fin && !h->fin_seen) {
		h->fin_seen = true;
		h->fin_seq = end;
	}
	bool idle = !h->held && !other->held;
	if (idle && rest.length && h->known && rest.seq == h->next && !waits_for(other, rest.has_ack, rest.ack)) {
		deliver(s, g->dir, rest.payload, rest.seq, rest.length, rest.captured, rest.time_us);
		if (rest.fin)
			finish(s, g->dir, end);
		return;
	}
	bool old = h->fin_done || (h->known && ahead(end, h->next) <= 0);
	if (rest.fin || (rest.length && !old))
		hold(s, &rest, now_us);
	drain(s, now_us, false);
}

void stream_expire(struct stream *s, uint64_t now_us)
{
	drain(s, now_us, false);
}

void stream_flush(struct stream *s, uint64_t now_us)
{
	drain(s, now_us, true);
	forget_stray(s);
	for (int d = 0; d < 2; d++) {
		struct stream_half *h = &s->half[d];

		if (unacked_is_in_doubt(&h->unacked))
			stream_doubt(s);
		unacked_fini(&h->unacked);
		/* Bytes at the very end that only an acknowledgement tells of. */
		if (h->known && h->absent && h->acked_known && ahead(h->acked, h->next) > 0)
			s->unseen_bytes += h->acked - h->next;
		if (!h->known || !h->seen || !h->acked_known || h->fin_done)
			continue;
		if (h->acked == h->next + 1)
			finish(s, d, h->next);	/* a lost FIN, as above */
		else if (ahead(h->acked, h->next) > 0 && ahead(h->acked, h->next) < (1 << 30))
			gap(s, d, h->acked - h->next, now_us);
	}
}
