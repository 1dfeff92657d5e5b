/* chance.h - numbers by chance for tests that can be repeated: splitmix64 from a seed, which SEED=N in the environment gives. */
#ifndef TESTS_CHANCE_H
#define TESTS_CHANCE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

/* One number a call. */
static inline uint64_t chance_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Another one in each run unless the environment has it; printed. */
static inline uint64_t chance_seed(void)
{
	const char *given = getenv("SEED");
	uint64_t v = 1;

	if (given)
		v = strtoull(given, NULL, 10);
	else if (getrandom(&v, sizeof v, 0) != (ssize_t)sizeof v)
		v = (uint64_t)time(NULL);
	v %= 1000000000;
	printf("# SEED=%llu\n", (unsigned long long)v);
	return v;
}

#endif
