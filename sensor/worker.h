/*
 * worker.h - TCP segments -> facts: flow table, connections, timers, memory ceiling, counters.
 *
 * A worker is used by one thread and knows no other: all segments of a connection come to one worker (fanout.h). Time is handed in, the same
 * to all workers, so that facts do not depend on how many there are.
 *
 *   worker_new -> (worker_packet | worker_second | worker_minute)* -> worker_end_all -> worker_minute -> worker_free
 */
#ifndef SENSOR_WORKER_H
#define SENSOR_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/siphash.h"
#include "sensor/decode.h"
#include "sensor/dissector.h"
#include "sensor/fact.h"
#include "sensor/flow.h"
#include "sensor/minute.h"

struct worker;

struct worker_options {
	struct siphash_key hash_key;
	bool key_vlan;
	const uint8_t *mail_port;	/* bitmap of 65536; must outlive it */
	struct dissector *dissector;	/* shared with other workers; must outlive it */
	size_t memory_bytes;		/* ceiling for flows, streams and sessions */
};

/* When and where a packet came. */
struct arrival {
	uint64_t time_us;		/* as captured */
	uint64_t now_us;		/* the monotone clock, after this packet */
	unsigned interface;
};

/* The sink must live as long. */
struct worker *worker_new(const struct worker_options *o, const struct fact_sink *sink);

/*
 * Whose segment it is. Between this and worker_packet the worker may have what it will need fetched into the cache, step by step for many
 * segments at once: most of what a segment costs is waiting for memory. Only a hint: the table may change meanwhile.
 */
void worker_look(const struct worker *w, const struct packet *k, struct flow_lookup *out);
enum worker_fetch { FETCH_INDEX, FETCH_FLOW, FETCH_CONNECTION, FETCH_SESSION, FETCH_STEPS };
void worker_fetch(const struct worker *w, struct flow_lookup *l, enum worker_fetch step);

/* A segment of a connection that is followed. */
void worker_packet(struct worker *w, const struct packet *k, const struct flow_lookup *l, const struct arrival *a);

/* The clock has come to another second: timers run. Before the packets of that second. */
void worker_second(struct worker *w, uint64_t now_us);

/* A minute is over, or the capture. */
void worker_minute(struct worker *w, struct minute *m);

struct worker_totals {
	uint64_t sessions, transactions, evicted, unseen_bytes;
	uint64_t left_out;		/* segments that no receiver takes: numbers far away, no ACK, SYN with FIN or RST */
	uint64_t open;			/* connections that are followed now */
};
void worker_totals(const struct worker *w, struct worker_totals *out);

/* The capture is over: open connections end by capture-end. */
void worker_end_all(struct worker *w);

void worker_free(struct worker *w);

#endif
