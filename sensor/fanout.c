/* fanout.c - see fanout.h */
#include "sensor/fanout.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "common/xmalloc.h"
#include "sensor/ring.h"

#define TICK_US 100000	/* who is told the wall clock more often would be woken for nothing */

enum record_type { RECORD_PACKET, RECORD_SECOND, RECORD_MINUTE, RECORD_TICK, RECORD_END };

struct record {
	enum record_type type;
	union {
		struct {
			struct arrival arrival;
			struct flow_lookup lookup;
			struct packet packet;	/* its payload stands behind the record */
		};
		uint64_t time_us;	/* RECORD_SECOND, RECORD_TICK */
		struct minute *minute;	/* RECORD_MINUTE; RECORD_END: the last one, or NULL */
	};
};

struct lane {
	struct worker *worker;
	const struct fact_sink *sink;
	struct ring *ring;
	pthread_t thread;
	pthread_mutex_t lock;		/* guards totals */
	struct worker_totals totals;
};

struct fanout {
	unsigned count, running;	/* lanes, those whose thread runs */
	uint64_t ticked_us;
	struct lane lane[];
};

size_t fanout_memory_bytes(unsigned workers)
{
	return workers > 1 ? workers * (size_t)RING_BYTES : 0;
}

/* ---- a worker's thread ---- */

static void lane_publish(struct lane *l)
{
	pthread_mutex_lock(&l->lock);
	worker_totals(l->worker, &l->totals);
	pthread_mutex_unlock(&l->lock);
}

static void lane_tick(struct lane *l, uint64_t wall_us)
{
	if (l->sink->tick)
		l->sink->tick(l->sink->arg, wall_us);
}

static void lane_end(struct lane *l, struct minute *last)
{
	worker_end_all(l->worker);
	if (last)
		worker_minute(l->worker, last);
}

static void *lane_run(void *arg)
{
	struct lane *l = arg;

	for (;;) {
		struct record *r = ring_next(l->ring);

		switch (r->type) {
		case RECORD_PACKET:
			r->packet.payload = (const uint8_t *)(r + 1);
			worker_packet(l->worker, &r->packet, &r->lookup, &r->arrival);
			break;
		case RECORD_SECOND:
			worker_second(l->worker, r->time_us);
			lane_publish(l);
			break;
		case RECORD_MINUTE:
			worker_minute(l->worker, r->minute);
			break;
		case RECORD_TICK:
			lane_tick(l, r->time_us);
			break;
		case RECORD_END:
			lane_end(l, r->minute);
			return NULL;
		}
	}
}

/* ---- the caller's ---- */

static void lane_init(struct lane *l, const struct worker_options *o, const struct fact_sink *sink)
{
	l->worker = worker_new(o, sink);
	l->sink = sink;
	pthread_mutex_init(&l->lock, NULL);
}

static void lane_fini(struct lane *l)
{
	worker_free(l->worker);
	if (l->ring)
		ring_free(l->ring);
	pthread_mutex_destroy(&l->lock);
}

static void fanout_free(struct fanout *f)
{
	for (unsigned i = 0; i < f->count; i++)
		lane_fini(&f->lane[i]);
	free(f);
}

static struct record *put(struct lane *l, enum record_type type, size_t payload_bytes)
{
	struct record *r = ring_add(l->ring, sizeof *r + payload_bytes);

	r->type = type;
	return r;
}

static void end_threads(struct fanout *f, struct minute *last)
{
	for (unsigned i = 0; i < f->running; i++) {
		put(&f->lane[i], RECORD_END, 0)->minute = last;
		ring_flush(f->lane[i].ring);
	}
	for (unsigned i = 0; i < f->running; i++)
		pthread_join(f->lane[i].thread, NULL);
}

/* 0, or -1 when one could not be made. */
static int start_threads(struct fanout *f)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	for (; f->running < f->count; f->running++) {
		struct lane *l = &f->lane[f->running];

		l->ring = ring_new();
		if (pthread_create(&l->thread, NULL, lane_run, l))
			break;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return f->running == f->count ? 0 : -1;
}

struct fanout *fanout_new(const struct worker_options *o, unsigned workers, const struct fact_sink *sinks)
{
	struct fanout *f = xcalloc(1, sizeof *f + workers * sizeof *f->lane);

	f->count = workers;
	for (unsigned i = 0; i < workers; i++)
		lane_init(&f->lane[i], o, &sinks[i]);
	if (workers == 1 || start_threads(f) == 0)
		return f;
	end_threads(f, NULL);
	fanout_free(f);
	return NULL;
}

void fanout_look(const struct fanout *f, const struct packet *k, struct flow_lookup *out)
{
	worker_look(f->lane[0].worker, k, out);
}

void fanout_fetch(const struct fanout *f, struct flow_lookup *l, enum worker_fetch step)
{
	if (f->count == 1)
		worker_fetch(f->lane[0].worker, l, step);
}

void fanout_packet(struct fanout *f, const struct packet *k, const struct flow_lookup *l, const struct arrival *a)
{
	if (f->count == 1) {
		worker_packet(f->lane[0].worker, k, l, a);
		return;
	}
	uint32_t captured = k->captured_bytes;
	if (captured > RING_RECORD_MAX - sizeof(struct record))
		captured = RING_RECORD_MAX - sizeof(struct record);
	/* the buckets of the tables are told by the lower bits */
	struct record *r = put(&f->lane[(l->hash >> 32) % f->count], RECORD_PACKET, captured);
	r->arrival = *a;
	r->lookup = *l;
	r->packet = *k;
	r->packet.captured_bytes = captured;
	memcpy(r + 1, k->payload, captured);
}

void fanout_second(struct fanout *f, uint64_t now_us)
{
	if (f->count == 1)
		worker_second(f->lane[0].worker, now_us);
	for (unsigned i = 0; i < f->running; i++)
		put(&f->lane[i], RECORD_SECOND, 0)->time_us = now_us;
}

void fanout_minute(struct fanout *f, struct minute *m)
{
	if (f->count == 1)
		worker_minute(f->lane[0].worker, m);
	for (unsigned i = 0; i < f->running; i++)
		put(&f->lane[i], RECORD_MINUTE, 0)->minute = m;
}

void fanout_tick(struct fanout *f, uint64_t wall_us)
{
	if (wall_us >= f->ticked_us && wall_us - f->ticked_us < TICK_US)
		return;
	f->ticked_us = wall_us;
	if (f->count == 1)
		lane_tick(&f->lane[0], wall_us);
	for (unsigned i = 0; i < f->running; i++) {
		put(&f->lane[i], RECORD_TICK, 0)->time_us = wall_us;
		ring_flush(f->lane[i].ring);
	}
}

void fanout_totals(struct fanout *f, struct worker_totals *out)
{
	*out = (struct worker_totals){ 0 };
	for (unsigned i = 0; i < f->count; i++) {
		struct lane *l = &f->lane[i];

		if (!f->running)
			lane_publish(l);
		pthread_mutex_lock(&l->lock);
		out->sessions += l->totals.sessions;
		out->transactions += l->totals.transactions;
		out->evicted += l->totals.evicted;
		out->unseen_bytes += l->totals.unseen_bytes;
		out->left_out += l->totals.left_out;
		out->open += l->totals.open;
		pthread_mutex_unlock(&l->lock);
	}
}

void fanout_finish(struct fanout *f, struct minute *last, struct worker_totals *out)
{
	if (f->count == 1)
		lane_end(&f->lane[0], last);
	end_threads(f, last);
	f->running = 0;
	fanout_totals(f, out);
	fanout_free(f);
}
