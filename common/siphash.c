/* siphash.c - see siphash.h; checked against the reference vectors of its authors in tests/unit/siphash.c. */
#include "common/siphash.h"

#include <string.h>

struct state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

static inline void rounds(struct state *s, int n)
{
	while (n--) {
		s->v0 += s->v1;
		s->v1 = rotate(s->v1, 13) ^ s->v0;
		s->v0 = rotate(s->v0, 32);
		s->v2 += s->v3;
		s->v3 = rotate(s->v3, 16) ^ s->v2;
		s->v0 += s->v3;
		s->v3 = rotate(s->v3, 21) ^ s->v0;
		s->v2 += s->v1;
		s->v1 = rotate(s->v1, 17) ^ s->v2;
		s->v2 = rotate(s->v2, 32);
	}
}

static inline struct state begin(const struct siphash_key *key)
{
	return (struct state){ key->k[0] ^ 0x736f6d6570736575ull, key->k[1] ^ 0x646f72616e646f6dull,
			       key->k[0] ^ 0x6c7967656e657261ull, key->k[1] ^ 0x7465646279746573ull };
}

static inline void absorb(struct state *s, const uint8_t *p, size_t n, int c)
{
	size_t whole = n & ~(size_t)7;
	uint64_t m;

	for (size_t i = 0; i < whole; i += 8) {
		memcpy(&m, p + i, 8);
		s->v3 ^= m;
		rounds(s, c);
		s->v0 ^= m;
	}
	m = (uint64_t)n << 56;
	for (size_t i = whole; i < n; i++)
		m |= (uint64_t)p[i] << (8 * (i - whole));
	s->v3 ^= m;
	rounds(s, c);
	s->v0 ^= m;
}

uint64_t siphash13(const struct siphash_key *key, const void *p, size_t n)
{
	struct state s = begin(key);

	absorb(&s, p, n, 1);
	s.v2 ^= 0xff;
	rounds(&s, 3);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void siphash24_128(const struct siphash_key *key, const void *p, size_t n, uint8_t out[16])
{
	struct state s = begin(key);
	uint64_t h;

	s.v1 ^= 0xee;
	absorb(&s, p, n, 2);
	s.v2 ^= 0xee;
	rounds(&s, 4);
	h = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
	memcpy(out, &h, 8);
	s.v1 ^= 0xdd;
	rounds(&s, 4);
	h = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
	memcpy(out + 8, &h, 8);
}
