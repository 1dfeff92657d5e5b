/*
 * wire.h - a transcript as the TCP segments that a tap would see, through worker.h: streams, connections, sessions.
 *
 * Part i of the script is sent at START_US + i ms and acknowledges all bytes of the other side before it. One side may be captured late.
 */
#ifndef TESTS_UNIT_WIRE_H
#define TESTS_UNIT_WIRE_H

#include <stdlib.h>

#include "sensor/worker.h"
#include "tests/unit/play.h"

enum { WIRE_UNKNOWN_GAP = 100, WIRE_SETTLE_S = 40 };

struct wire_segment {
	uint64_t at_us;
	size_t order;		/* among those of the same time */
	struct packet packet;
};

struct wire {
	const struct script *script;
	struct wire_segment *segment;
	size_t count;
	uint32_t next[2];	/* number of the next byte of each side */
	bool present[2];	/* it was captured */
	bool syn[2];		/* its numbers are known to the other */
	enum side late;
	uint64_t delay_us;
};

static inline void wire_send(struct wire *w, enum side from, unsigned flags, const struct buf *bytes, uint64_t t_us)
{
	static const uint8_t address[2][4] = { { 192, 0, 2, 25 }, { 198, 51, 100, 25 } };
	struct wire_segment *g = &w->segment[w->count];
	struct packet *p = &g->packet;
	uint16_t port[2] = { 40000, w->script->port };

	*g = (struct wire_segment){ .at_us = t_us + (from == w->late ? w->delay_us : 0), .order = w->count++ };
	p->src.version = p->dst.version = 4;
	memcpy(p->src.bytes, address[from], 4);
	memcpy(p->dst.bytes, address[!from], 4);
	p->sport = port[from];
	p->dport = port[!from];
	p->seq = w->next[from];
	if (w->syn[!from]) {
		flags |= TCP_ACK;
		p->ack = w->next[!from];
	}
	p->flags = (uint8_t)flags;
	if (bytes) {
		p->payload = (const uint8_t *)bytes->p;
		p->payload_bytes = p->captured_bytes = (uint32_t)bytes->len;
	}
	w->next[from] += p->payload_bytes + (flags & (TCP_SYN | TCP_FIN) ? 1 : 0);
	w->syn[from] = true;
}

static inline void wire_handshake(struct wire *w)
{
	if (w->script->notes & NOTE_MID_STREAM) {
		w->syn[SIDE_CLIENT] = w->present[SIDE_CLIENT];
		w->syn[SIDE_SERVER] = w->present[SIDE_SERVER];
		return;
	}
	for (int side = 0; side < 2; side++)
		if (w->present[side])
			wire_send(w, (enum side)side, TCP_SYN, NULL, START_US - 2000 + 1000 * (unsigned)side);
}

static inline void wire_build(struct wire *w)
{
	const struct script *s = w->script;

	w->segment = xcalloc(s->count + 3, sizeof *w->segment);
	for (size_t i = 0; i < s->count; i++)
		w->present[s->part[i].side] |= s->part[i].bytes.len != 0 || !(s->end_notes & NOTE_ONE_SIDED);
	wire_handshake(w);
	for (size_t i = 0; i < s->count; i++) {
		const struct part *p = &s->part[i];
		uint64_t t_us = START_US + i * 1000;

		if (!w->present[p->side])
			continue;
		if (p->kind == PART_GAP)
			w->next[p->side] += p->lost ? (uint32_t)p->lost : WIRE_UNKNOWN_GAP;
		else
			wire_send(w, p->side, p->kind == PART_CLOSE ? TCP_FIN : TCP_PSH, &p->bytes, t_us);
	}
	if (s->end == END_RST)
		wire_send(w, s->end_by, TCP_RST, NULL, START_US + s->count * 1000);
}

static inline int wire_compare(const void *a, const void *b)
{
	const struct wire_segment *x = a, *y = b;

	if (x->at_us != y->at_us)
		return x->at_us < y->at_us ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* The facts of s when side `late` is captured later by delay_us. */
static inline void play_wire(const struct script *s, enum side late, uint64_t delay_us, const struct fact_sink *sink)
{
	static uint8_t mail_port[65536 / 8];
	struct wire w = { .script = s, .next = { 0xffffffe0, 7000000 }, .late = late, .delay_us = delay_us };
	uint64_t second = 0;

	wire_build(&w);
	qsort(w.segment, w.count, sizeof *w.segment, wire_compare);
	mail_port[s->port / 8] |= (uint8_t)(1 << s->port % 8);
	struct worker *worker = worker_new(&(struct worker_options){ .mail_port = mail_port, .memory_bytes = 64 << 20 }, sink);
	for (size_t i = 0; i < w.count; i++) {
		const struct wire_segment *g = &w.segment[i];

		if (g->at_us / 1000000 > second)
			worker_second(worker, g->at_us);
		second = g->at_us / 1000000;
		struct flow_lookup l;
		worker_look(worker, &g->packet, &l);
		worker_packet(worker, &g->packet, &l, &(struct arrival){ g->at_us, g->at_us, 0 });
	}
	for (unsigned n = 1; n <= WIRE_SETTLE_S; n++)
		worker_second(worker, (second + n) * 1000000);
	worker_end_all(worker);
	worker_free(worker);
	mail_port[s->port / 8] = 0;
	free(w.segment);
}

#endif
