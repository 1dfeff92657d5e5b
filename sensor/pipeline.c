/* pipeline.c - see pipeline.h */
#include "sensor/pipeline.h"

#include <string.h>

#include "common/xmalloc.h"
#include "sensor/connection.h"
#include "sensor/flow.h"
#include "sensor/ipfrag.h"
#include "sensor/limits.h"

enum { EVICT_LOOKS = 64 };
#define MINUTE_US 60000000ull

/* A frame whose time is far ahead: it waits for the next one, which tells whether the time is true. */
struct doubtful {
	uint8_t *bytes;		/* NULL: none */
	int linktype;
	uint32_t captured, length;
	uint64_t time_us;
};

struct pipeline {
	struct pipeline_options o;
	struct doubtful doubtful;
	const struct fact_sink *sink;
	struct fact_sink counting;	/* counts, then hands on */
	struct connection_context context;
	struct ipfrag *fragments;
	uint8_t mail_port[65536 / 8];
	uint64_t now_us;		/* monotone maximum of packet time */
	struct fact_capture minute;	/* counters since minute.start_us */
	bool minute_open;
	uint64_t unseen_before;
	struct pipeline_totals totals;
};

static void on_transaction(void *arg, const struct fact_transaction *t)
{
	struct pipeline *p = arg;

	p->totals.transactions++;
	p->sink->transaction(p->sink->arg, t);
}

static void on_session(void *arg, const struct fact_session *s)
{
	struct pipeline *p = arg;

	p->totals.sessions++;
	p->minute.sessions++;
	p->minute.encrypted_sessions += s->outcome == SESSION_ENCRYPTED || s->tls == TLS_STARTTLS || s->tls == TLS_IMPLICIT;
	p->minute.one_sided_sessions += (s->notes & NOTE_ONE_SIDED) != 0;
	p->sink->session(p->sink->arg, s);
}

struct pipeline *pipeline_new(const struct pipeline_options *o, const struct fact_sink *sink)
{
	struct pipeline *p = xcalloc(1, sizeof *p);
	struct flow_table_options flows = { o->hash_key, o->key_vlan };

	p->o = *o;
	p->o.memory_bytes -= o->memory_bytes / LIMIT_FRAGMENT_SHARE;
	p->fragments = ipfrag_new(&o->hash_key, o->memory_bytes / LIMIT_FRAGMENT_SHARE);
	p->sink = sink;
	p->counting = (struct fact_sink){ on_transaction, on_session, NULL, p };
	for (size_t i = 0; i < o->port_count; i++)
		p->mail_port[o->ports[i] / 8] |= (uint8_t)(1 << o->ports[i] % 8);
	p->context = (struct connection_context){ .flows = flow_table_new(&flows), .sink = &p->counting, .mail_port = p->mail_port };
	return p;
}

static void minute_close(struct pipeline *p)
{
	struct fact_capture *m = &p->minute;

	if (!p->minute_open)
		return;
	m->unseen_bytes = p->context.unseen_bytes - p->unseen_before;
	p->unseen_before = p->context.unseen_bytes;
	if (p->sink->capture)
		p->sink->capture(p->sink->arg, m);
	p->minute_open = false;
}

static void minute_open(struct pipeline *p)
{
	uint64_t start = p->now_us / MINUTE_US * MINUTE_US;

	minute_close(p);
	p->minute = (struct fact_capture){ .interface = { p->o.interface, (uint32_t)strlen(p->o.interface) }, .start_us = start,
					   .end_us = start + MINUTE_US };
	p->minute_open = true;
}

static void on_due(void *arg, struct flow *f)
{
	struct pipeline *p = arg;

	if (!connection_expire(&p->context, f, p->now_us) && !flow_has_timer(f))
		flow_set_timer(p->context.flows, f, connection_deadline(f));
}

/* Half of what fragments leave of the memory is for flow records, half for what hangs on them: a flood of one cannot take the room of the other. */
static bool is_over(const struct pipeline *p)
{
	size_t half = p->o.memory_bytes / 2;

	return flow_memory_bytes(p->context.flows) > half || p->context.memory_bytes > half;
}

/* Drops the idlest flows until there is room; armed times may be stale, so that a few are looked at. */
static void make_room(struct pipeline *p)
{
	unsigned looks = 0;

	while (is_over(p) && flow_count(p->context.flows)) {
		struct flow *f = flow_idlest(p->context.flows);
		uint16_t slot = f->timer_slot;

		flow_set_timer(p->context.flows, f, connection_deadline(f));
		if (f->timer_slot != slot && looks++ < EVICT_LOOKS)
			continue;
		looks = 0;
		connection_drop(&p->context, f, END_EVICTED, p->now_us);
		p->totals.evicted++;
		p->minute.evicted++;
	}
}

static bool is_far_ahead(const struct pipeline *p, uint64_t time_us)
{
	return p->now_us && time_us > p->now_us && time_us - p->now_us > LIMIT_CLOCK_JUMP_US;
}

/* The clock goes by times that are not far ahead, and by those that were confirmed. */
static void advance(struct pipeline *p, uint64_t time_us)
{
	if (p->totals.first_us == 0)
		p->totals.first_us = time_us;
	if (time_us > p->totals.last_us)
		p->totals.last_us = time_us;
	if (time_us / 1000000 > p->now_us / 1000000 || !p->minute_open) {
		if (time_us > p->now_us)
			p->now_us = time_us;
		flow_run_timers(p->context.flows, p->now_us, on_due, p);
		if (!p->minute_open || p->now_us >= p->minute.end_us)
			minute_open(p);
	}
	if (time_us > p->now_us)
		p->now_us = time_us;
}

static void take_tcp(struct pipeline *p, const struct packet *k, uint64_t time_us)
{
	struct connection_context *x = &p->context;
	bool begins = ((k->flags & TCP_SYN) && !(k->flags & TCP_RST)) || k->payload_bytes;
	int dir;

	if (!(p->mail_port[k->sport / 8] >> (k->sport % 8) & 1) && !(p->mail_port[k->dport / 8] >> (k->dport % 8) & 1))
		return;
	struct flow *f = flow_find(x->flows, k, false, &dir);
	if (f && connection_deadline(f) <= p->now_us && connection_expire(x, f, p->now_us))
		f = NULL;
	if (!f) {
		if (!begins)
			return;
		make_room(p);
		f = flow_find(x->flows, k, true, &dir);
		p->minute.flows++;
	}
	size_t before = x->memory_bytes;
	connection_packet(x, f, dir, k, time_us, p->now_us);
	if (x->memory_bytes > before)
		make_room(p);
}

/* A datagram that became whole may hold a fragment again, inside a tunnel; decode bounds that. */
static void take_fragment(struct pipeline *p, struct packet *k, uint64_t time_us)
{
	enum decode_result r = DECODE_FRAGMENT;
	struct packet whole;

	while (r == DECODE_FRAGMENT && ipfrag_push(p->fragments, k, p->now_us, &whole))
		r = decode_datagram(&p->o.tunnels, &whole, k);
	if (r == DECODE_TCP)
		take_tcp(p, k, time_us);
}

static void take_frame(struct pipeline *p, int linktype, const uint8_t *bytes, uint32_t captured, uint32_t length, uint64_t time_us)
{
	struct packet k;

	p->totals.frames++;
	p->totals.bytes += length;
	p->minute.packets++;
	p->minute.bytes += length;
	enum decode_result r = decode_frame(&p->o.tunnels, linktype, bytes, captured, &k);
	p->totals.decoded[r]++;
	if (r == DECODE_TCP)
		take_tcp(p, &k, time_us);
	else if (r == DECODE_FRAGMENT)
		take_fragment(p, &k, time_us);
}

static void doubt(struct pipeline *p, int linktype, const uint8_t *bytes, uint32_t captured, uint32_t length, uint64_t time_us)
{
	p->doubtful = (struct doubtful){ xmalloc(captured ? captured : 1), linktype, captured, length, time_us };
	if (captured)
		memcpy(p->doubtful.bytes, bytes, captured);
}

static void end_doubt(struct pipeline *p, bool confirmed)
{
	struct doubtful d = p->doubtful;

	if (!d.bytes)
		return;
	p->doubtful.bytes = NULL;
	if (confirmed)
		advance(p, d.time_us);
	take_frame(p, d.linktype, d.bytes, d.captured, d.length, d.time_us);
	free(d.bytes);
}

void pipeline_frame(struct pipeline *p, int linktype, const uint8_t *bytes, uint32_t captured, uint32_t length, uint64_t time_us)
{
	end_doubt(p, time_us + LIMIT_CLOCK_JUMP_US >= p->doubtful.time_us);
	if (is_far_ahead(p, time_us)) {
		doubt(p, linktype, bytes, captured, length, time_us);
		return;
	}
	advance(p, time_us);
	take_frame(p, linktype, bytes, captured, length, time_us);
}

void pipeline_totals(const struct pipeline *p, struct pipeline_totals *out)
{
	*out = p->totals;
	out->unseen_bytes = p->context.unseen_bytes;
	ipfrag_totals(p->fragments, &out->ip);
}

static void on_end(void *arg, struct flow *f)
{
	struct pipeline *p = arg;

	connection_drop(&p->context, f, END_CAPTURE_END, p->now_us);
}

void pipeline_finish(struct pipeline *p, struct pipeline_totals *out)
{
	end_doubt(p, false);
	flow_each(p->context.flows, on_end, p);
	minute_close(p);
	ipfrag_flush(p->fragments);
	pipeline_totals(p, out);
	ipfrag_free(p->fragments);
	flow_table_free(p->context.flows);
	free(p);
}
