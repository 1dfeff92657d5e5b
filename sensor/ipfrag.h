/*
 * ipfrag.h - fragments of IP -> whole datagrams, bounded in memory and packet time.
 *
 * Stands between decode, which hands out fragments, and decode_datagram, which takes what became whole. Any order, duplicates, overlaps: the
 * bytes that came first stay. Fragments cut by the snap length make a datagram whose end was not captured. All memory is set aside at the
 * start (and touched when first used): nothing is allocated for a fragment. When it is full the oldest unfinished datagram makes room.
 */
#ifndef SENSOR_IPFRAG_H
#define SENSOR_IPFRAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/siphash.h"
#include "sensor/decode.h"

struct ipfrag;

struct ipfrag_totals {
	uint64_t fragments;	/* seen */
	uint64_t datagrams;	/* made whole of them */
	uint64_t lost;		/* fragments of datagrams that never became whole */
	uint64_t odd;		/* fragments that contradict what came before, or are too long or empty */
	uint64_t overlaps;	/* fragments that say other bytes than those that came first */
	uint64_t timed_out;	/* unfinished datagrams given up: a hole for too long, or the end of the capture */
	uint64_t evicted;	/* and those that made room */
};

/* memory_bytes: not to be passed, but for room for two of the longest datagrams. */
struct ipfrag *ipfrag_new(const struct siphash_key *key, size_t memory_bytes);
void ipfrag_free(struct ipfrag *f);

/*
 * Takes a packet that is DECODE_FRAGMENT; now_us never goes back. True: its datagram is whole and in *out, for decode_datagram; the payload is
 * borrowed until the next call. A payload of the fragment may be that one (fragments in a tunnel that was itself in fragments).
 */
bool ipfrag_push(struct ipfrag *f, const struct packet *fragment, uint64_t now_us, struct packet *out);

/* Nothing will come any more: what is unfinished is lost. */
void ipfrag_flush(struct ipfrag *f);

void ipfrag_totals(const struct ipfrag *f, struct ipfrag_totals *out);
/* Of datagrams that are there. */
size_t ipfrag_memory_bytes(const struct ipfrag *f);

#endif
