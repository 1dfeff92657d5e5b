/*
 * unacked.h - what one side said and nobody has acknowledged yet: a digest of each of its segments.
 *
 * A receiver may not have taken them: their checksum was wrong, their TTL ended before it, their timestamp was old, and what it sees is not what we
 * see. Then they are sent again, and may say something else. What was acknowledged counts; a later copy of that is nothing to anybody.
 *
 * A digest is a sum of products with secret factors: two texts that were made to have the same one have it in one run of 65,536, and nobody is told.
 * It costs less than a copy, whose place in memory has gone cold by the time of its turn.
 *
 * Senders repeat segments as they were, or several as one; but some cut their bytes anew. A part of a segment cannot be compared: it is in doubt when
 * the receiver acknowledges no more than that part, or when all of the segment came again so. Has it more, it has taken the segment. Segments that no
 * wire carries the host of the capture sends or got as one (TSO, GRO); of these, parts are sent again whenever one is lost, and strangers have no hand
 * in it: no doubt.
 */
#ifndef SENSOR_UNACKED_H
#define SENSOR_UNACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/siphash.h"

enum { UNACKED_FACTORS = 256 };

struct unacked_key {
	int16_t factor[UNACKED_FACTORS];
};

/* For unacked.c alone; all zero to begin with. Most commands and replies are alone. */
struct unacked {
	struct unacked_segment {
		uint32_t seq, length, digest;
		uint16_t again, again_end;	/* from where to where it came again in a way that cannot be compared; end 0: it did not */
	} one;
	uint16_t begin, count;
	struct unacked_many *many;	/* once there were more */
};

void unacked_key_make(const struct siphash_key *secret, struct unacked_key *out);

/* The next n bytes, n > 0, from seq on, behind what is kept. Over LIMIT_UNACKED the oldest segment goes. */
void unacked_add(struct unacked *u, const struct unacked_key *key, uint32_t seq, const uint8_t *p, uint32_t n);

/* Bytes before seq were acknowledged. True: of the last of them nobody knows which were taken. */
bool unacked_trim(struct unacked *u, uint32_t seq);

/* These came again. True: they differ from what is kept, or from what is no longer kept for all we know. */
bool unacked_again(struct unacked *u, const struct unacked_key *key, uint32_t seq, const uint8_t *p, uint32_t n);

/* Nothing more will be acknowledged. True, as above: nobody knows. */
bool unacked_is_in_doubt(const struct unacked *u);

static inline bool unacked_is_empty(const struct unacked *u)
{
	return u->count == 0 && !u->many;
}

/* What it has on the heap. */
size_t unacked_memory_bytes(const struct unacked *u);
void unacked_fini(struct unacked *u);

#endif
