/* siphash.h - SipHash-1-3 and -2-4 (Aumasson, Bernstein 2012): keyed hashes for tables whose keys strangers choose. */
#ifndef COMMON_SIPHASH_H
#define COMMON_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t k[2];
};

/* SipHash-1-3: for hash tables. */
uint64_t siphash13(const struct siphash_key *key, const void *p, size_t n);
/* SipHash-2-4 with 128 bits of output, for the keyed hash of addresses. */
void siphash24_128(const struct siphash_key *key, const void *p, size_t n, uint8_t out[16]);

#endif
