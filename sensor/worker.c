/* worker.c - see worker.h */
#include "sensor/worker.h"

#include "common/xmalloc.h"
#include "sensor/connection.h"
#include "sensor/flow.h"
#include "sensor/limits.h"

enum { EVICT_LOOKS = 64 };

struct worker {
	size_t memory_bytes;
	const struct fact_sink *sink;
	struct fact_sink counting;	/* counts, then hands on */
	struct connection_context context;
	uint64_t now_us;		/* of the last second or packet */
	struct fact_capture minute[LIMIT_INTERFACES];	/* counters since the last minute */
	struct worker_totals totals;
};

static void on_transaction(void *arg, const struct fact_transaction *t)
{
	struct worker *w = arg;

	w->totals.transactions++;
	w->sink->transaction(w->sink->arg, t);
}

static void on_session(void *arg, const struct fact_session *s)
{
	struct worker *w = arg;
	struct fact_capture *minute = &w->minute[s->interface];

	w->totals.sessions++;
	minute->sessions++;
	minute->encrypted_sessions += s->outcome == SESSION_ENCRYPTED || s->tls == TLS_STARTTLS || s->tls == TLS_IMPLICIT;
	minute->one_sided_sessions += (s->notes & NOTE_ONE_SIDED) != 0;
	w->sink->session(w->sink->arg, s);
}

struct worker *worker_new(const struct worker_options *o, const struct fact_sink *sink)
{
	struct worker *w = xcalloc(1, sizeof *w);
	struct flow_table_options flows = { o->hash_key, o->key_vlan };

	w->memory_bytes = o->memory_bytes;
	w->sink = sink;
	w->counting = (struct fact_sink){ .transaction = on_transaction, .session = on_session, .arg = w };
	w->context = (struct connection_context){ .flows = flow_table_new(&flows), .sink = &w->counting, .mail_port = o->mail_port,
						  .dissector = o->dissector, .minute = w->minute };
	unacked_key_make(&o->hash_key, &w->context.unacked_key);
	return w;
}

void worker_free(struct worker *w)
{
	flow_table_free(w->context.flows);
	free(w);
}

static void on_due(void *arg, struct flow *f)
{
	struct worker *w = arg;

	if (!connection_expire(&w->context, f, w->now_us) && !flow_has_timer(f))
		flow_set_timer(w->context.flows, f, connection_deadline(&w->context, f));
}

/* Half of the memory is for flow records, half for what hangs on them: a flood of one cannot take the room of the other. */
static bool is_over(const struct worker *w)
{
	size_t half = w->memory_bytes / 2;

	return flow_memory_bytes(w->context.flows) > half || w->context.memory_bytes > half;
}

/* Drops the idlest flows until there is room; armed times may be stale, so that a few are looked at. */
static void make_room(struct worker *w)
{
	unsigned looks = 0;

	while (is_over(w) && flow_count(w->context.flows)) {
		struct flow *f = flow_idlest(w->context.flows);
		uint16_t slot = f->timer_slot;

		flow_set_timer(w->context.flows, f, connection_deadline(&w->context, f));
		if (f->timer_slot != slot && looks++ < EVICT_LOOKS)
			continue;
		looks = 0;
		if (!f->is_other) {
			w->totals.evicted++;
			w->minute[f->interface].evicted++;
		}
		connection_drop(&w->context, f, END_EVICTED, w->now_us);
	}
}

void worker_look(const struct worker *w, const struct packet *k, struct flow_lookup *out)
{
	flow_look(w->context.flows, k, out);
}

void worker_fetch(const struct worker *w, struct flow_lookup *l, enum worker_fetch step)
{
	if (step == FETCH_INDEX)
		flow_fetch_index(w->context.flows, l);
	else if (step == FETCH_FLOW)
		flow_peek(w->context.flows, l);
	else if (l->likely && l->likely->connection)
		connection_fetch(l->likely->connection, step == FETCH_SESSION);
}

void worker_packet(struct worker *w, const struct packet *k, const struct flow_lookup *l, const struct arrival *a)
{
	struct connection_context *x = &w->context;
	bool begins = k->payload_bytes || (k->flags & (TCP_SYN | TCP_FIN) && !(k->flags & TCP_RST));	/* a FIN may come before its bytes */

	w->now_us = a->now_us;
	if (connection_ignores(k)) {
		x->left_out++;
		return;
	}
	struct flow *f = flow_find(x->flows, l, false);
	if (f && connection_deadline(x, f) <= w->now_us && connection_expire(x, f, w->now_us))
		f = NULL;
	if (!f) {
		if (!begins)
			return;
		make_room(w);
		f = flow_find(x->flows, l, true);
		f->interface = (uint8_t)a->interface;
		w->minute[a->interface].flows++;
	}
	size_t before = x->memory_bytes;
	connection_packet(x, f, l->dir, k, a->time_us, w->now_us);
	if (x->memory_bytes > before)
		make_room(w);
}

void worker_second(struct worker *w, uint64_t now_us)
{
	w->now_us = now_us;
	flow_run_timers(w->context.flows, now_us, on_due, w);
}

void worker_minute(struct worker *w, struct minute *m)
{
	minute_add(m, w->minute, w->sink);
}

void worker_totals(const struct worker *w, struct worker_totals *out)
{
	*out = w->totals;
	out->unseen_bytes = w->context.unseen_bytes;
	out->left_out = w->context.left_out;
	out->open = flow_count(w->context.flows);
}

static void on_end(void *arg, struct flow *f)
{
	struct worker *w = arg;

	connection_finish(f, END_CAPTURE_END, w->now_us);
}

void worker_end_all(struct worker *w)
{
	flow_each(w->context.flows, on_end, w);
	flow_clear(w->context.flows);	/* at once: one by one costs more than all else at the end */
}
