/*
 * generate_random.h - the random numbers of the generator and the stock of bytes that messages are cut from.
 *
 * Everything follows from the seed: the same seed gives the same file on every machine and compiler. So that it stays so, no two
 * draws may stand in the arguments of one call, whose order C leaves open.
 */
#ifndef TESTS_BENCH_GENERATE_RANDOM_H
#define TESTS_BENCH_GENERATE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t a, b;
};

void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
/* At least 0, below 1. */
double rng_unit(struct rng *r);
/* 0 to n - 1. */
uint32_t rng_below(struct rng *r, uint32_t n);
double rng_normal(struct rng *r);
/* median * exp(sigma * normal), rounded down, kept from least to most. */
uint32_t rng_log_normal(struct rng *r, double median, double sigma, double least, double most);
bool rng_chance(struct rng *r, double p);
const char *rng_word(struct rng *r);

/* A stock of bytes, most of them in lines. */
struct pool {
	uint8_t *bytes;
	uint32_t size;
	uint32_t *line_start, line_count;	/* offsets of lines; none in random bytes */
};

struct pools {
	struct pool text, base64, noise;
};

void pools_init(struct pools *p, struct rng *r);
void pools_fini(struct pools *p);
/* One line at random; it has no NUL, print it with a precision. */
const char *pool_line(const struct pool *p, struct rng *r);

#endif
