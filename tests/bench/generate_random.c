/* generate_random.c - see generate_random.h. The generator of numbers is xoroshiro128+ (Blackman and Vigna, public domain). */
#include "tests/bench/generate_random.h"

#include <math.h>
#include <string.h>

#include "common/xmalloc.h"

/* Far above the last-level cache, as real mail is. */
enum { TEXT_BYTES = 24 << 20, BASE64_BYTES = 322638 * 78, NOISE_BYTES = 16 << 20, NOISE_TAIL = 65536, LINE_MAX_BYTES = 256 };

static const char *const words[] = {
	"the", "invoice", "meeting", "please", "attached", "delivery", "schedule", "of", "and", "report", "quarter", "we", "kindly",
	"confirm", "order", "shipment", "to", "from", "status", "project", "update", "regards", "team", "your", "account", "service",
	"network", "change", "window", "maintenance", "in", "for", "with", "regarding", "offer", "contract", "deadline", "proposal",
	"draft", "review", "is", "was", "will", "be", "customer", "support", "ticket", "number", "price", "list", "thanks", "hello",
	"dear", "colleagues", "budget", "travel", "plan", "agenda", "minutes", "server", "mail", "system", "request", "response",
};
#define WORD_COUNT (sizeof words / sizeof *words)

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static uint64_t rotate_left(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

uint64_t rng_next(struct rng *r)
{
	uint64_t a = r->a, b = r->b ^ r->a, result = r->a + r->b;

	r->a = rotate_left(a, 24) ^ b ^ (b << 16);
	r->b = rotate_left(b, 37);
	return result;
}

void rng_seed(struct rng *r, uint64_t seed)
{
	r->a = seed * 0x9E3779B97F4A7C15u + 1;
	r->b = seed ^ 0xD1B54A32D192ED03u;
	for (int i = 0; i < 20; i++)	/* few bits of a small seed are set: stir */
		rng_next(r);
}

double rng_unit(struct rng *r)
{
	return (double)(rng_next(r) >> 11) * (1.0 / 9007199254740992.0);
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
	return n ? (uint32_t)(((rng_next(r) >> 32) * (uint64_t)n) >> 32) : 0;
}

double rng_normal(struct rng *r)
{
	double u = rng_unit(r) + 1e-12, v = rng_unit(r);	/* Box and Muller; log(0) is not wanted */

	return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

uint32_t rng_log_normal(struct rng *r, double median, double sigma, double least, double most)
{
	double x = median * exp(sigma * rng_normal(r));

	return (uint32_t)(x < least ? least : x > most ? most : x);
}

bool rng_chance(struct rng *r, double p)
{
	return rng_unit(r) < p;
}

const char *rng_word(struct rng *r)
{
	return words[rng_below(r, WORD_COUNT)];
}

static uint32_t put(uint8_t *to, uint32_t at, const char *s)
{
	size_t n = strlen(s);

	memcpy(to + at, s, n);
	return at + (uint32_t)n;
}

/* A line of 40 to 90 bytes; some are empty, quoted, or begin with a (stuffed) dot. */
static uint32_t put_text_line(uint8_t *to, uint32_t at, struct rng *r)
{
	if (rng_chance(r, .08))
		return put(to, at, "\r\n");
	if (rng_chance(r, .002))
		at = put(to, at, "..");
	else if (rng_chance(r, .03))
		at = put(to, at, "> ");
	for (uint32_t end = at + 40 + rng_below(r, 38); at < end;) {
		at = put(to, at, rng_word(r));
		to[at++] = rng_chance(r, .1) ? ',' : ' ';
	}
	to[at - 1] = '.';
	return put(to, at, "\r\n");
}

static uint32_t put_base64_line(uint8_t *to, uint32_t at, struct rng *r)
{
	for (int group = 0; group < 19; group++) {
		uint64_t bits = rng_next(r);

		for (int i = 0; i < 4; i++)
			to[at++] = (uint8_t)base64_digits[bits >> (i * 6) & 63];
	}
	return put(to, at, "\r\n");
}

/* Whole lines, the last of them begins below size. */
static void fill_lines(struct pool *p, uint32_t size, uint32_t shortest, struct rng *r, uint32_t (*put_line)(uint8_t *, uint32_t, struct rng *))
{
	uint32_t n = 0;

	p->bytes = xmalloc(size + LINE_MAX_BYTES);
	p->line_start = xreallocarray(NULL, size / shortest + 1, sizeof *p->line_start);
	while (n < size) {
		p->line_start[p->line_count++] = n;
		n = put_line(p->bytes, n, r);
	}
	p->size = n;
}

static void fill_noise(struct pool *p, struct rng *r)
{
	p->size = NOISE_BYTES;
	p->bytes = xmalloc(NOISE_BYTES + NOISE_TAIL);
	for (uint32_t i = 0; i < NOISE_BYTES + NOISE_TAIL; i += 8) {
		uint64_t bits = rng_next(r);

		memcpy(p->bytes + i, &bits, sizeof bits);
	}
}

void pools_init(struct pools *p, struct rng *r)
{
	*p = (struct pools){ 0 };
	fill_lines(&p->text, TEXT_BYTES, 2, r, put_text_line);
	p->text.size = p->text.line_start[--p->text.line_count];	/* the one that crosses the end is left out */
	fill_lines(&p->base64, BASE64_BYTES, 78, r, put_base64_line);
	fill_noise(&p->noise, r);
}

void pools_fini(struct pools *p)
{
	struct pool *all[] = { &p->text, &p->base64, &p->noise };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		free(all[i]->bytes);
		free(all[i]->line_start);
	}
}

const char *pool_line(const struct pool *p, struct rng *r)
{
	return (const char *)p->bytes + p->line_start[rng_below(r, p->line_count)];
}
