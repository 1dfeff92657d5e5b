/*
 * pipeline.h - frames in, facts out: the clock, decode, fragments, then one worker or several (fanout.h, worker.h); counters per interface and
 * minute.
 *
 * It has no globals, reads no wall clock and opens nothing. Time is that of the frames; one that is an hour ahead of all others moves no timers
 * until the next frame confirms it (clock.h). Any number of workers makes the same facts, but for which connections are dropped when memory is short.
 *
 *   pipeline_new -> (pipeline_frame | pipeline_idle | pipeline_drops | pipeline_tick)* -> pipeline_finish (frees it)
 */
#ifndef SENSOR_PIPELINE_H
#define SENSOR_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/siphash.h"
#include "sensor/capture.h"
#include "sensor/decode.h"
#include "sensor/fact.h"
#include "sensor/ipfrag.h"

struct pipeline;

struct pipeline_options {
	const unsigned short *ports;	/* mail ports; copied */
	size_t port_count;
	bool any_port;			/* connections on all other ports are looked at, too */
	bool key_vlan;
	struct decode_tunnels tunnels;	/* the networks must outlive it */
	unsigned workers;		/* 1: all is done in the caller's thread, else each has one of its own */
	size_t memory_bytes;		/* ceiling for fragments, packets on their way to workers, flows, streams and sessions */
	struct siphash_key hash_key;	/* random per start */
	const char *const *interfaces;	/* names in the counters, "file" for captures read with -r; must outlive it */
	size_t interface_count;		/* 1 to LIMIT_INTERFACES */
};

/* sinks: one a worker, called from its thread; they must outlive it. NULL: threads could not be made. */
struct pipeline *pipeline_new(const struct pipeline_options *o, const struct fact_sink *sinks);

/* frame->interface is an index into interfaces. */
/* Frames that are there together, at most PIPELINE_FRAMES; more at once cost less. */
#define PIPELINE_FRAMES 32
void pipeline_frames(struct pipeline *p, const struct capture_frame *frames, size_t count);
void pipeline_frame(struct pipeline *p, const struct capture_frame *frame);

/* No frame came, and packet time is at least now_us (live: wall clock minus what the kernel may hold back): timers run, minutes end. */
void pipeline_idle(struct pipeline *p, uint64_t now_us);

/* What was dropped since the last call, as in struct fact_capture; it counts for the current minute. */
void pipeline_drops(struct pipeline *p, unsigned interface, uint64_t kernel, uint64_t card);

/* The wall clock goes on: sinks are told. Called now and then, frames or not. */
void pipeline_tick(struct pipeline *p, uint64_t wall_us);

/* Frames seen, and what became of them: one counter per decode_result. */
struct pipeline_totals {
	uint64_t frames, bytes, decoded[DECODE_RESULTS];
	uint64_t sessions, transactions, evicted, unseen_bytes;
	uint64_t left_out;		/* segments, as in struct worker_totals */
	uint64_t open;			/* connections that are followed now */
	struct ipfrag_totals ip;	/* what became of DECODE_FRAGMENT */
	uint64_t first_us, last_us;	/* packet time; 0 when there was no frame */
};
/* Up to now; what several workers have done, as of some second before. */
void pipeline_totals(const struct pipeline *p, struct pipeline_totals *out);

/* The capture is over: open connections end by capture-end, the counters of the last minute go out. Last totals in *out. */
void pipeline_finish(struct pipeline *p, struct pipeline_totals *out);

#endif
