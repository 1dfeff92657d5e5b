/*
 * pipeline.h - frames in, facts out: decode, fragments, flow table, timers, memory ceiling, counters per minute.
 *
 * One instance is one worker; it has no globals, reads no clock and opens nothing. Time is that of the frames; one that is an hour ahead of all
 * others moves no timers until the next frame confirms it.
 *
 *   pipeline_new -> pipeline_frame* -> pipeline_finish (frees it)
 */
#ifndef SENSOR_PIPELINE_H
#define SENSOR_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/siphash.h"
#include "sensor/decode.h"
#include "sensor/fact.h"
#include "sensor/ipfrag.h"

struct pipeline;

struct pipeline_options {
	const unsigned short *ports;	/* mail ports; copied */
	size_t port_count;
	bool key_vlan;
	struct decode_tunnels tunnels;	/* the networks must outlive it */
	size_t memory_bytes;		/* ceiling for fragments, flows, streams and sessions */
	struct siphash_key hash_key;	/* random per start */
	const char *interface;		/* name in the counters; must outlive it */
};

struct pipeline *pipeline_new(const struct pipeline_options *o, const struct fact_sink *sink);

void pipeline_frame(struct pipeline *p, int linktype, const uint8_t *bytes, uint32_t captured, uint32_t length, uint64_t time_us);

/* Frames seen, and what became of them: one counter per decode_result. */
struct pipeline_totals {
	uint64_t frames, bytes, decoded[DECODE_RESULTS];
	uint64_t sessions, transactions, evicted, unseen_bytes;
	struct ipfrag_totals ip;	/* what became of DECODE_FRAGMENT */
	uint64_t first_us, last_us;	/* packet time; 0 when there was no frame */
};
void pipeline_totals(const struct pipeline *p, struct pipeline_totals *out);

/* The capture is over: open connections end by capture-end, the counters of the last minute go out. Last totals in *out. */
void pipeline_finish(struct pipeline *p, struct pipeline_totals *out);

#endif
