/* pipeline.c - see pipeline.h. This is the reader's side: clock, decode, fragments, what the frames count; connections are the workers'. */
#include "sensor/pipeline.h"

#include <assert.h>
#include <string.h>

#include "common/xmalloc.h"
#include "sensor/clock.h"
#include "sensor/dissector.h"
#include "sensor/fanout.h"
#include "sensor/ipfrag.h"
#include "sensor/limits.h"

/* A frame whose time is in doubt: it waits for the next one, which tells whether the time is true. */
struct doubtful {
	uint8_t *bytes;		/* NULL: none */
	struct capture_frame frame;
};

struct pipeline {
	struct pipeline_options o;
	struct doubtful doubtful;
	struct ipfrag *fragments;
	struct dissector *dissector;
	struct fanout *fanout;
	uint8_t mail_port[65536 / 8];
	struct packet_clock clock;
	struct fact_capture minute[LIMIT_INTERFACES];	/* counters of the minute that is open, by interface */
	uint64_t minute_end_us;		/* 0: none is */
	struct pipeline_totals totals;	/* without those of the workers */
};

/* What fragments and rings leave of the memory, shared among the workers. */
static size_t worker_memory(const struct pipeline_options *o)
{
	size_t rest = o->memory_bytes - o->memory_bytes / LIMIT_FRAGMENT_SHARE, rings = fanout_memory_bytes(o->workers);

	return (rest > 2 * rings ? rest - rings : rest / 2) / o->workers;
}

struct pipeline *pipeline_new(const struct pipeline_options *o, const struct fact_sink *sinks)
{
	struct pipeline *p = xcalloc(1, sizeof *p);
	struct worker_options w = { .hash_key = o->hash_key, .key_vlan = o->key_vlan, .mail_port = p->mail_port, .memory_bytes = worker_memory(o) };

	assert(o->interface_count >= 1 && o->interface_count <= LIMIT_INTERFACES && o->workers >= 1);
	p->o = *o;
	p->dissector = w.dissector = dissector_new();
	for (size_t i = 0; i < o->port_count; i++)
		p->mail_port[o->ports[i] / 8] |= (uint8_t)(1 << o->ports[i] % 8);
	p->fanout = fanout_new(&w, o->workers, sinks);
	if (!p->fanout) {
		dissector_free(p->dissector);
		free(p);
		return NULL;
	}
	p->fragments = ipfrag_new(&o->hash_key, o->memory_bytes / LIMIT_FRAGMENT_SHARE);
	return p;
}

/* The counters of the minute, for the workers to add theirs; drops may have been counted before the first minute was open. */
static struct minute *minute_close(struct pipeline *p)
{
	if (!p->minute_end_us)
		return NULL;
	struct minute *m = minute_new(p->minute_end_us, p->o.interfaces, p->o.interface_count, p->o.workers, p->minute);
	memset(p->minute, 0, p->o.interface_count * sizeof *p->minute);
	return m;
}

/* By times that are not in doubt. */
static void advance(struct pipeline *p, uint64_t time_us)
{
	uint64_t second = p->clock.now_us / 1000000;

	clock_advance(&p->clock, time_us);
	if (p->clock.now_us / 1000000 == second && p->minute_end_us)
		return;
	fanout_second(p->fanout, p->clock.now_us);
	if (p->clock.now_us < p->minute_end_us)
		return;
	struct minute *over = minute_close(p);
	if (over)
		fanout_minute(p->fanout, over);
	p->minute_end_us = p->clock.now_us / MINUTE_US * MINUTE_US + MINUTE_US;
}

static void count_time(struct pipeline *p, uint64_t time_us)
{
	if (p->totals.first_us == 0)
		p->totals.first_us = time_us;
	if (time_us > p->totals.last_us)
		p->totals.last_us = time_us;
}

static bool is_followed(const struct pipeline *p, const struct packet *k)
{
	return p->o.any_port || p->mail_port[k->sport / 8] >> (k->sport % 8) & 1 || p->mail_port[k->dport / 8] >> (k->dport % 8) & 1;
}

/* A frame with what is in it. */
struct taken {
	const struct capture_frame *frame;
	struct packet packet;
	enum decode_result result;
	bool followed;
	struct flow_lookup lookup;
};

static void look(struct pipeline *p, struct taken *t)
{
	t->followed = t->result == DECODE_TCP && is_followed(p, &t->packet);
	if (t->followed)
		fanout_look(p->fanout, &t->packet, &t->lookup);
}

static void take_tcp(struct pipeline *p, const struct taken *t)
{
	if (t->followed)
		fanout_packet(p->fanout, &t->packet, &t->lookup, &(struct arrival){ t->frame->time_us, p->clock.now_us, t->frame->interface });
}

/* A datagram that became whole may hold a fragment again, inside a tunnel; decode bounds that. */
static void take_fragment(struct pipeline *p, struct taken *t)
{
	struct packet whole;

	while (t->result == DECODE_FRAGMENT && ipfrag_push(p->fragments, &t->packet, p->clock.now_us, &whole))
		t->result = decode_datagram(&p->o.tunnels, &whole, &t->packet);
	look(p, t);
	take_tcp(p, t);
}

static void decode(struct pipeline *p, const struct capture_frame *frame, struct taken *out)
{
	out->frame = frame;
	out->result = decode_frame(&p->o.tunnels, frame->linktype, frame->bytes, frame->captured, &out->packet);
	look(p, out);
}

static void take_frame(struct pipeline *p, struct taken *t)
{
	const struct capture_frame *frame = t->frame;

	p->totals.frames++;
	p->totals.bytes += frame->length;
	p->minute[frame->interface].packets++;
	p->minute[frame->interface].bytes += frame->length;
	p->totals.decoded[t->result]++;
	if (t->result == DECODE_FRAGMENT)
		take_fragment(p, t);
	else
		take_tcp(p, t);
}

static void doubt(struct pipeline *p, const struct capture_frame *frame)
{
	p->doubtful = (struct doubtful){ xmalloc(frame->captured ? frame->captured : 1), *frame };
	if (frame->captured)
		memcpy(p->doubtful.bytes, frame->bytes, frame->captured);
	p->doubtful.frame.bytes = p->doubtful.bytes;
}

static void end_doubt(struct pipeline *p, bool confirmed)
{
	struct doubtful d = p->doubtful;
	struct taken t;

	if (!d.bytes)
		return;
	p->doubtful.bytes = NULL;
	if (confirmed) {
		count_time(p, d.frame.time_us);
		advance(p, d.frame.time_us);
	}
	decode(p, &d.frame, &t);
	take_frame(p, &t);
	free(d.bytes);
}

/* The time that came next. Of the first two, if they contradict each other, the lesser one is taken. */
static void settle_doubt(struct pipeline *p, uint64_t next_us)
{
	bool agrees = clock_agrees(p->doubtful.frame.time_us, next_us);

	if (p->doubtful.bytes && !agrees && p->clock.now_us == 0)
		advance(p, next_us);
	end_doubt(p, agrees);
}

static void take_in_time(struct pipeline *p, struct taken *t)
{
	const struct capture_frame *frame = t->frame;

	settle_doubt(p, frame->time_us);
	if (clock_doubts(&p->clock, frame->time_us)) {
		doubt(p, frame);
		return;
	}
	count_time(p, frame->time_us);
	advance(p, frame->time_us);
	take_frame(p, t);
}

void pipeline_frames(struct pipeline *p, const struct capture_frame *frames, size_t count)
{
	struct taken taken[PIPELINE_FRAMES];

	assert(count <= PIPELINE_FRAMES);
	for (size_t i = 0; i < count; i++)
		decode(p, &frames[i], &taken[i]);
	for (int step = 0; step < FETCH_STEPS && count > 1; step++)
		for (size_t i = 0; i < count; i++)
			if (taken[i].followed)
				fanout_fetch(p->fanout, &taken[i].lookup, (enum worker_fetch)step);
	for (size_t i = 0; i < count; i++)
		take_in_time(p, &taken[i]);
}

void pipeline_frame(struct pipeline *p, const struct capture_frame *frame)
{
	pipeline_frames(p, frame, 1);
}

void pipeline_idle(struct pipeline *p, uint64_t now_us)
{
	settle_doubt(p, now_us);
	advance(p, now_us);
}

void pipeline_drops(struct pipeline *p, unsigned interface, uint64_t kernel, uint64_t card)
{
	p->minute[interface].kernel_drops += kernel;
	p->minute[interface].interface_drops += card;
}

void pipeline_tick(struct pipeline *p, uint64_t wall_us)
{
	fanout_tick(p->fanout, wall_us);
}

static void collect_totals(const struct pipeline *p, const struct worker_totals *w, struct pipeline_totals *out)
{
	*out = p->totals;
	out->sessions = w->sessions;
	out->transactions = w->transactions;
	out->evicted = w->evicted;
	out->unseen_bytes = w->unseen_bytes;
	out->left_out = w->left_out;
	out->open = w->open;
	ipfrag_totals(p->fragments, &out->ip);
}

void pipeline_totals(const struct pipeline *p, struct pipeline_totals *out)
{
	struct worker_totals w;

	fanout_totals(p->fanout, &w);
	collect_totals(p, &w, out);
}

void pipeline_finish(struct pipeline *p, struct pipeline_totals *out)
{
	struct worker_totals w;

	end_doubt(p, p->clock.now_us == 0);
	fanout_finish(p->fanout, minute_close(p), &w);
	ipfrag_flush(p->fragments);
	collect_totals(p, &w, out);
	ipfrag_free(p->fragments);
	dissector_free(p->dissector);
	free(p);
}
