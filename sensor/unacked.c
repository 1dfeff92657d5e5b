/* unacked.c - see unacked.h */
#include "sensor/unacked.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"
#include "sensor/limits.h"

struct unacked_many {
	uint32_t cap;
	uint32_t gone_end;	/* end of the last one that was not kept */
	bool gone;
	struct unacked_segment segment[];
};

static int32_t ahead(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

void unacked_key_make(const struct siphash_key *secret, struct unacked_key *out)
{
	for (uint32_t i = 0; i < UNACKED_FACTORS; i++)
		out->factor[i] = (int16_t)(uint16_t)siphash13(secret, &i, sizeof i);
}

static int16_t word(const uint8_t *p)
{
	int16_t w;

	memcpy(&w, p, sizeof w);
	return w;
}

/* Written so that compilers make vectors of the inner loop. */
static uint32_t digest(const struct unacked_key *key, const uint8_t *p, uint32_t n)
{
	enum { BLOCK = 2 * UNACKED_FACTORS };
	uint32_t all = 0;

	for (uint32_t at = 0; at < n; at += BLOCK) {
		uint32_t words = (n - at < BLOCK ? n - at : BLOCK) / 2, sum = 0;

		for (uint32_t i = 0; i < words; i++)
			sum += (uint32_t)(word(p + at + 2 * i) * key->factor[i]);
		all = (all + sum) * 0x9e3779b1u;	/* odd: nothing is lost */
	}
	return n % 2 ? all + p[n - 1] * (uint32_t)(key->factor[0] | 1) : all;
}

static const struct unacked_segment *segments(const struct unacked *u)
{
	return (u->many ? u->many->segment : &u->one) + u->begin;
}

static struct unacked_segment *segment_at(struct unacked *u, uint32_t i)
{
	return (u->many ? u->many->segment : &u->one) + u->begin + i;
}

static void grow(struct unacked *u)
{
	enum { LEAST = 8 };
	uint32_t cap = u->many ? 4 * u->many->cap : LEAST;
	struct unacked_many *m = xmalloc(sizeof *m + cap * sizeof *m->segment);

	*m = (struct unacked_many){ .cap = cap };
	memcpy(m->segment, segments(u), u->count * sizeof *m->segment);
	free(u->many);
	u->many = m;
	u->begin = 0;
}

/* As many of the oldest as make it rare. */
static void forget(struct unacked *u)
{
	struct unacked_many *m = u->many;

	u->begin += LIMIT_UNACKED / 8;
	u->count -= LIMIT_UNACKED / 8;
	m->gone = true;
	m->gone_end = m->segment[u->begin - 1].seq + m->segment[u->begin - 1].length;
}

static void make_room(struct unacked *u)
{
	struct unacked_many *m = u->many;

	if (!m || (m->cap < LIMIT_UNACKED && u->count >= m->cap / 2)) {
		grow(u);
		return;
	}
	if (m->cap == LIMIT_UNACKED && u->begin < LIMIT_UNACKED / 8)
		forget(u);
	memmove(m->segment, m->segment + u->begin, u->count * sizeof *m->segment);
	u->begin = 0;
}

void unacked_add(struct unacked *u, const struct unacked_key *key, uint32_t seq, const uint8_t *p, uint32_t n)
{
	struct unacked_segment s = { seq, n, digest(key, p, n), 0, 0 };

	if (u->begin + u->count == (u->many ? u->many->cap : 1))
		make_room(u);
	*segment_at(u, u->count++) = s;
}

bool unacked_trim(struct unacked *u, uint32_t seq)
{
	const struct unacked_segment *s = segments(u);

	while (u->count && ahead(s->seq + s->length, seq) <= 0) {
		s++;
		u->begin++;
		u->count--;
	}
	if (u->many && u->many->gone && ahead(u->many->gone_end, seq) <= 0)
		u->many->gone = false;
	bool doubt = u->count && s->again_end && s->again == 0 && ahead(seq, s->seq) > 0 && seq - s->seq <= s->again_end;
	if (!u->count && !(u->many && u->many->gone))
		unacked_fini(u);
	return doubt;
}

/* The first segment that ends behind seq. */
static uint32_t find(const struct unacked *u, uint32_t seq)
{
	const struct unacked_segment *s = segments(u);
	uint32_t low = 0, high = u->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (ahead(s[middle].seq + s[middle].length, seq) > 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Bytes from..to of it came again. True: by now all of them have. */
static bool note_part(struct unacked_segment *s, uint32_t from, uint32_t to)
{
	if (s->length > LIMIT_WIRE_BYTES)
		return false;
	if (!s->again_end || from < s->again)
		s->again = (uint16_t)from;
	if (to > s->again_end)
		s->again_end = (uint16_t)to;
	return s->again == 0 && s->again_end == s->length;
}

bool unacked_again(struct unacked *u, const struct unacked_key *key, uint32_t seq, const uint8_t *p, uint32_t n)
{
	bool doubt = u->many && u->many->gone && ahead(u->many->gone_end, seq) > 0;

	for (uint32_t i = find(u, seq); i < u->count && !doubt; i++) {
		struct unacked_segment *s = segment_at(u, i);
		int32_t from = ahead(s->seq, seq), rest = (int32_t)n - from;

		if (rest <= 0)
			break;
		if (from >= 0 && (uint32_t)rest >= s->length)
			doubt = digest(key, p + from, s->length) != s->digest;
		else
			doubt = note_part(s, from < 0 ? (uint32_t)-from : 0, (uint32_t)rest < s->length ? (uint32_t)rest : s->length);
	}
	return doubt;
}

bool unacked_is_in_doubt(const struct unacked *u)
{
	const struct unacked_segment *s = segments(u);

	for (uint32_t i = 0; i < u->count; i++)
		if (s[i].again_end)
			return true;
	return false;
}

size_t unacked_memory_bytes(const struct unacked *u)
{
	return u->many ? sizeof *u->many + u->many->cap * sizeof *u->many->segment : 0;
}

void unacked_fini(struct unacked *u)
{
	free(u->many);
	*u = (struct unacked){ 0 };
}
