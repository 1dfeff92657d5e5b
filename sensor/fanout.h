/*
 * fanout.h - segments to one worker or several: the one runs in the caller's thread, several have a thread and a ring each.
 *
 * All segments of a connection go to one worker, chosen by a symmetric keyed hash of addresses and ports; what the clock does goes to all of
 * them, in order with their segments. So each connection sees what it would see with one worker. A full ring makes the caller wait.
 *
 *   fanout_new -> (fanout_packet | fanout_second | fanout_minute | fanout_tick)* -> fanout_finish (frees it)
 */
#ifndef SENSOR_FANOUT_H
#define SENSOR_FANOUT_H

#include "sensor/worker.h"

struct fanout;

/* What the rings hold beside o->memory_bytes. */
size_t fanout_memory_bytes(unsigned workers);

/*
 * o is each worker's; sinks: one a worker, which must outlive it and is called from that worker's thread. NULL: there are no more threads to be
 * had. Signals go to the threads that were there before.
 */
struct fanout *fanout_new(const struct worker_options *o, unsigned workers, const struct fact_sink *sinks);

/* As worker_look and worker_fetch; with several workers there is nothing to be fetched here. */
void fanout_look(const struct fanout *f, const struct packet *k, struct flow_lookup *out);
void fanout_fetch(const struct fanout *f, struct flow_lookup *l, enum worker_fetch step);

/* The payload may be reused at once. */
void fanout_packet(struct fanout *f, const struct packet *k, const struct flow_lookup *l, const struct arrival *a);

/* As worker_second, worker_minute; the minute is for all of them. */
void fanout_second(struct fanout *f, uint64_t now_us);
void fanout_minute(struct fanout *f, struct minute *m);

/* The wall clock goes on: sinks are told, and no worker has to wait for what was handed on. Called as often as one likes. */
void fanout_tick(struct fanout *f, uint64_t wall_us);

/* Of all workers, as of the last second that they reached. */
void fanout_totals(struct fanout *f, struct worker_totals *out);

/* The capture is over: open connections end, then the last minute, if there is one. All of it is in the sinks afterwards. */
void fanout_finish(struct fanout *f, struct minute *last, struct worker_totals *out);

#endif
