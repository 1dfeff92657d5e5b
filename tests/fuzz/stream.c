/*
 * Fuzzes stream.h: the input is a list of segments of both sides and of waits. First byte: from which sequence numbers it starts, and whether
 * frames tell the truth about the bytes. Where they do, what is handed on is checked byte by byte: bytes and gaps together are the stream of that
 * side, in order. Where they do not, caps and ends of waits still hold.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sensor/limits.h"
#include "sensor/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORD = 8, LONGEST = 4096, UNACKED_BYTES = (LIMIT_UNACKED + 2) * sizeof(struct unacked_segment) };

struct model {
	const struct stream *s;
	bool honest;
	uint32_t start[2];	/* number of the first byte */
	uint64_t at[2];		/* bytes and gaps so far */
	bool ended[2];
	uint64_t gaps;
	uint64_t now_us;
};

/* The byte with that number. */
static uint8_t byte_of(int dir, uint32_t number)
{
	return (uint8_t)((number * 2654435761u >> 24) + (uint32_t)dir);
}

/* A FIN that nobody acknowledged may be taken back, which is told. */
static bool has_ended(const struct model *m, int dir)
{
	return m->ended[dir] && !stream_overlap_differed(m->s);
}

static void on_push(void *arg, int dir, const uint8_t *p, size_t n, uint64_t t_us)
{
	struct model *m = arg;

	assert(n > 0 && !has_ended(m, dir) && t_us <= m->now_us);
	for (size_t i = 0; i < n; i++) {
		uint32_t number = m->start[dir] + (uint32_t)m->at[dir]++;

		assert(!m->honest || p[i] == byte_of(dir, number));
	}
}

static void on_gap(void *arg, int dir, uint64_t n, uint64_t t_us)
{
	struct model *m = arg;

	assert(n > 0 && n <= UINT32_MAX && !has_ended(m, dir) && t_us <= m->now_us);
	m->at[dir] += n;
	m->gaps += n;
}

static void on_fin(void *arg, int dir)
{
	struct model *m = arg;

	assert(!has_ended(m, dir));
	m->ended[dir] = true;
}

static unsigned word(const uint8_t *p)
{
	return p[0] | (unsigned)p[1] << 8;
}

static void push(struct stream *s, struct model *m, const struct stream_segment *told)
{
	struct stream_segment g = *told;
	uint8_t *bytes = malloc(g.captured ? g.captured : 1);	/* of exactly its size */

	assert(bytes);
	for (uint32_t i = 0; i < g.captured; i++)
		bytes[i] = m->honest ? byte_of(g.dir, g.seq + g.syn + i) : (uint8_t)(g.ack + i);
	g.payload = bytes;
	stream_push(s, &g, m->now_us);
	free(bytes);
}

/* dir and flags, how long after the one before, number, acknowledgement, length */
static void play(struct stream *s, struct model *m, const uint8_t *p)
{
	int dir = p[0] & 1;
	uint32_t length = word(p + 6) % LONGEST;
	bool near = !(p[0] & 128);	/* close to where both sides are, or anywhere */
	struct stream_segment g = {
		.dir = dir, .has_ack = p[0] & 2, .fin = (p[0] & 12) == 12, .length = length, .captured = p[0] & 16 ? length / 2 : length,
		.seq = m->start[dir] + (near ? (uint32_t)m->at[dir] + word(p + 2) % 8192 - 2048 : (uint32_t)word(p + 2) << 16),
		.ack = m->start[!dir] + (near ? (uint32_t)m->at[!dir] + word(p + 4) % 8192 - 2048 : (uint32_t)word(p + 4) << 16),
	};

	m->now_us += p[1] < 128 ? (uint64_t)p[1] * 10000 : (uint64_t)(p[1] - 127) * 1000000;
	g.time_us = m->now_us - (p[0] & 32 ? 50000 : 0);
	if (p[0] & 64)
		stream_expire(s, m->now_us);
	push(s, m, &g);
	assert(stream_deadline(s) == 0 || stream_deadline(s) > m->now_us);
	(void)stream_accepts_reset(s, dir, g.seq);
}

static void push_syns(struct stream *s, struct model *m, unsigned which)
{
	for (int dir = 0; dir < 2; dir++) {
		struct stream_segment g = { .dir = dir, .seq = m->start[dir] - 1, .ack = m->start[!dir], .has_ack = dir, .syn = true, .time_us = m->now_us };

		if (which & 1u << dir)
			push(s, m, &g);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct unacked_key key = { { 1, 2, 3 } };
	static const uint32_t starts[] = { 1, 0xfffff000, 0x7ffff000, 0x80000000 };
	struct model m = { .now_us = 100000000 };
	const struct stream_sink sink = { on_push, on_gap, on_fin, NULL };

	if (size < 1)
		return 0;
	struct stream *s = calloc(1, sizeof *s);

	if (!s)
		return 0;
	m.s = s;
	stream_init(s, &sink, &m, &key);
	size_t floor_bytes = stream_memory_bytes(s);
	for (int dir = 0; dir < 2; dir++)
		m.start[dir] = starts[data[0] >> (2 * dir) & 3];
	m.honest = (data[0] & 0x30) == 0x30;	/* both SYNs are seen, so that the model knows where the streams begin */
	push_syns(s, &m, data[0] >> 4);
	for (size_t i = 1; i + RECORD <= size; i += RECORD) {
		play(s, &m, data + i);
		assert(stream_memory_bytes(s) <= floor_bytes + 2 * (LIMIT_HELD_PER_FLOW + 2 * LONGEST + UNACKED_BYTES));
	}
	for (int i = 0; stream_deadline(s) && i < 100000 && !(data[0] & 64); i++) {
		m.now_us = stream_deadline(s);
		stream_expire(s, m.now_us);
	}
	assert(data[0] & 64 || s->held_memory == 0);	/* waits alone reach the end */
	stream_flush(s, m.now_us);
	assert(stream_memory_bytes(s) == floor_bytes);
	assert(!m.honest || stream_unseen_bytes(s) >= m.gaps);
	stream_fini(s);
	free(s);
	return 0;
}
