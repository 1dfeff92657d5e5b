/* connection.c - see connection.h */
#include "sensor/connection.h"

#include <openssl/sha.h>
#include <string.h>

#include "common/xmalloc.h"
#include "sensor/gate.h"
#include "sensor/limits.h"
#include "sensor/smtp.h"
#include "sensor/stream.h"

enum { F_SYN = 1, F_SEEN = 4, F_CLIENT_KNOWN = 16, F_CLIENT_IS_1 = 32, F_CLOSED = 64, F_BACKWARD = 128 };
/* F_SYN << dir, F_SEEN << dir: per endpoint */

/* A SYN with another number while the connection goes on: forged, until its peer answers it. */
struct other_syn {
	bool set, has_ack;
	uint8_t dir;
	uint32_t seq, ack;
	uint64_t time_us;
};

/* What becomes of bytes. */
enum admission {
	ADMIT_UNSETTLED,	/* there were none */
	ADMIT_HELD,		/* no mail port: they wait for the verdict of the gate */
	ADMIT_NAMED,		/* mail port: they are handed on, and the gate listens */
	ADMIT_ALL,
	ADMIT_NONE,		/* no mail port, and no SMTP */
};

/* What few connections have: the last RST, and another SYN. */
struct connection_rare {
	struct other_syn other_syn;
	uint32_t reset_seq, reset_ack;
	bool reset_has_ack;
	uint8_t reset_dir;
};

struct connection {
	struct connection_context *context;
	struct flow *flow;
	struct gate *gate;	/* while there is doubt */
	struct smtp *smtp;	/* from the first byte that is handed on */
	struct connection_rare *rare;	/* NULL: nothing of it */
	uint64_t closing_us;	/* a RST was seen: the end comes then, since taps may be behind, and the RST forged */
	uint32_t memory;	/* counted in the context; its caps are far below 4 GiB */
	enum admission admission : 8;
	bool reset_pending;	/* bytes of its sender came after it: it counts once they reach its number */
	bool fin_seen, reset;
	uint8_t closer;		/* endpoint that sent the first FIN or RST */
	struct stream stream;
};

static int client_of(const struct flow *f)
{
	return (f->flags & F_CLIENT_IS_1) != 0;
}

static enum side side_of(const struct connection *c, int dir)
{
	return dir == client_of(c->flow) ? SIDE_CLIENT : SIDE_SERVER;
}

static bool is_mail_port(const struct connection_context *x, uint16_t port)
{
	return x->mail_port[port / 8] >> (port % 8) & 1;
}

static void set_client(struct flow *f, int endpoint)
{
	f->flags |= F_CLIENT_KNOWN;
	f->flags &= (uint8_t)~F_CLIENT_IS_1;
	if (endpoint)
		f->flags |= F_CLIENT_IS_1;
}

/* The client is the sender of the SYN, else the side not on a mail port, else the higher port. */
static void settle_client(const struct connection_context *x, struct flow *f)
{
	bool mail0 = is_mail_port(x, flow_port(f, 0)), mail1 = is_mail_port(x, flow_port(f, 1));

	if (!(f->flags & F_CLIENT_KNOWN))
		set_client(f, mail0 != mail1 ? mail0 : flow_port(f, 1) > flow_port(f, 0));
}

/* ---- ids ---- */

static size_t put_uint(uint8_t *out, uint64_t v, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		out[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
	return bytes;
}

static bool is_tunnelled(const struct flow *f)
{
	return flow_path(f) & TUNNEL_BIT;
}

/*
 * SHA-256 over what any observer of the session sees, so that live and replay, and two sensors, give it the same id: version byte, client and
 * server address, client and server port, both initial sequence numbers (0: not seen), all big-endian; where one is 0, the first packet's time in µs.
 * What came through a tunnel that nobody named has an id of its own: nobody can take the place of the session that it forges.
 */
static void make_session_id(const struct flow *f, uint8_t out[SESSION_ID_BYTES])
{
	enum { ID_VERSION = 1, ID_TUNNEL_VERSION = 2 };
	uint8_t data[1 + 32 + 4 + 8 + 8 + 4], digest[SHA256_DIGEST_LENGTH];
	bool apart = is_tunnelled(f) && flow_path(f) & TUNNEL_UNNAMED_BIT;
	int client = client_of(f), server = !client;
	size_t n = 0, address = flow_version(f) == 4 ? 4 : 16;

	data[n++] = apart ? ID_TUNNEL_VERSION : ID_VERSION;
	for (int side = 0; side < 2; side++) {
		struct ip_addr a = flow_address(f, side ? server : client);

		memcpy(data + n, a.bytes, address);
		n += address;
	}
	n += put_uint(data + n, flow_port(f, client), 2);
	n += put_uint(data + n, flow_port(f, server), 2);
	n += put_uint(data + n, f->isn[client], 4);
	n += put_uint(data + n, f->isn[server], 4);
	if (f->isn[0] == 0 || f->isn[1] == 0)
		n += put_uint(data + n, f->first_us, 8);
	if (apart)
		n += put_uint(data + n, flow_path(f), 4);
	SHA256(data, n, digest);
	memcpy(out, digest, SESSION_ID_BYTES);
}

/* ---- stream -> gate -> smtp ---- */

static bool is_mail_flow(const struct connection_context *x, const struct flow *f)
{
	return is_mail_port(x, flow_port(f, 0)) || is_mail_port(x, flow_port(f, 1));
}

static bool is_from_start(const struct flow *f)
{
	return f->flags & (F_SYN | F_SYN << 1);
}

/* The id goes by SYN and ports; where neither tells, who says what does for the session itself. */
static void smtp_begin(struct connection *c)
{
	struct flow *f = c->flow;
	struct fact_session start = { .started_us = f->first_us };

	settle_client(c->context, f);
	make_session_id(f, start.session_id);
	if (c->gate)
		set_client(f, gate_client(c->gate));
	int client = client_of(f);
	start.src_ip = flow_address(f, client);
	start.dest_ip = flow_address(f, !client);
	start.src_port = flow_port(f, client);
	start.dest_port = flow_port(f, !client);
	start.interface = f->interface;
	start.client_isn = f->isn[client];
	start.server_isn = f->isn[!client];
	if (!is_from_start(f))
		start.notes |= NOTE_MID_STREAM;
	if (is_tunnelled(f))
		start.notes |= NOTE_TUNNELLED;
	c->smtp = smtp_new(c->context->sink, &start);
}

static struct gate_options gate_options(const struct connection_context *x, const struct flow *f)
{
	return (struct gate_options){ .dissector = x->dissector, .mid_stream = !is_from_start(f), .client = (uint8_t)client_of(f),
				      .port = { flow_port(f, 0), flow_port(f, 1) } };
}

static struct gate *gate_of(struct connection *c)
{
	struct gate_options o = gate_options(c->context, c->flow);

	if (!c->gate)
		c->gate = gate_new(&o);
	return c->gate;
}

static void gate_close(struct connection *c, enum admission next)
{
	gate_free(c->gate);
	c->gate = NULL;
	c->admission = next;
}

static void hand_on(void *arg, int dir, const uint8_t *p, size_t n, uint64_t t_us)
{
	struct connection *c = arg;

	smtp_push(c->smtp, side_of(c, dir), p, n, t_us);
}

static void hand_on_gap(void *arg, int dir, uint64_t n, uint64_t t_us)
{
	struct connection *c = arg;

	smtp_gap(c->smtp, side_of(c, dir), n, t_us);
}

static void count_bytes(struct connection *c, int dir, uint64_t n)
{
	struct fact_session *s = smtp_session(c->smtp);

	if (side_of(c, dir) == SIDE_CLIENT)
		s->bytes_toserver += n;
	else
		s->bytes_toclient += n;
}

static void admit(struct connection *c)
{
	static const struct stream_sink sink = { hand_on, hand_on_gap, NULL, NULL };

	smtp_begin(c);
	for (int dir = 0; dir < 2; dir++)
		count_bytes(c, dir, gate_seen_bytes(c->gate, dir));
	gate_replay(c->gate, &sink, c);
	gate_close(c, ADMIT_ALL);
}

/* What is spoken on a mail port instead of SMTP. */
static void name_other(struct connection *c)
{
	const char *name = gate_name(c->gate);

	if (name)
		smtp_session(c->smtp)->app_proto = (struct text){ name, (uint32_t)strlen(name) };
}

static void on_verdict(struct connection *c, enum gate_verdict v)
{
	bool named = c->admission == ADMIT_NAMED;

	if (v == GATE_SMTP && named)
		gate_close(c, ADMIT_ALL);
	else if (v == GATE_SMTP)
		admit(c);
	else if (v == GATE_OTHER && !named)
		gate_close(c, ADMIT_NONE);
	else if (v == GATE_OTHER && gate_is_full(c->gate)) {
		name_other(c);
		gate_close(c, ADMIT_ALL);
	}
}

static void settle_admission(struct connection *c)
{
	if (c->admission != ADMIT_UNSETTLED)
		return;
	c->admission = ADMIT_HELD;
	if (!is_mail_flow(c->context, c->flow))
		return;
	smtp_begin(c);
	c->admission = is_from_start(c->flow) ? ADMIT_NAMED : ADMIT_ALL;
}

/* Most sessions on mail ports say what they are with their first bytes. */
static bool is_plain(const struct connection *c, int dir, const uint8_t *p, size_t n)
{
	struct gate_options o = gate_options(c->context, c->flow);

	return !c->gate && gate_glance(&o, dir, p, n) == GATE_SMTP;
}

static void on_push(void *arg, int dir, const uint8_t *p, size_t n, uint64_t t_us)
{
	struct connection *c = arg;

	settle_admission(c);
	if (c->smtp) {
		count_bytes(c, dir, n);
		hand_on(c, dir, p, n, t_us);
	}
	if (c->admission == ADMIT_NAMED && is_plain(c, dir, p, n))
		c->admission = ADMIT_ALL;
	if (c->admission == ADMIT_HELD || c->admission == ADMIT_NAMED)
		on_verdict(c, gate_push(gate_of(c), dir, p, n, t_us));
}

static void on_gap(void *arg, int dir, uint64_t n, uint64_t t_us)
{
	struct connection *c = arg;

	settle_admission(c);
	if (c->smtp)
		hand_on_gap(c, dir, n, t_us);
	if (c->admission == ADMIT_HELD || c->admission == ADMIT_NAMED)
		on_verdict(c, gate_gap(gate_of(c), dir, n, t_us));
}

/* No more bytes. */
static void gate_finish(struct connection *c)
{
	if (c->gate)
		on_verdict(c, gate_end(c->gate));
	if (!c->gate)
		return;
	if (c->admission == ADMIT_NAMED)
		name_other(c);
	gate_close(c, ADMIT_NONE);
}

static void on_fin(void *arg, int dir)
{
	struct connection *c = arg;

	if (!c->fin_seen && !c->reset)
		c->closer = (uint8_t)dir;
	c->fin_seen = true;
}

static void on_differ(void *arg)
{
	struct connection *c = arg;

	if (c->smtp)
		smtp_doubt(c->smtp);
}

/* ---- life ---- */

static struct connection_rare *rare_of(struct connection *c)
{
	if (!c->rare)
		c->rare = xcalloc(1, sizeof *c->rare);
	return c->rare;
}

static void count_memory(struct connection *c)
{
	size_t now = sizeof *c - sizeof c->stream + stream_memory_bytes(&c->stream) + (c->smtp ? smtp_memory_bytes(c->smtp) : 0)
		     + (c->gate ? gate_memory_bytes(c->gate) : 0) + (c->rare ? sizeof *c->rare : 0);

	c->context->memory_bytes += now - c->memory;
	c->memory = (uint32_t)now;
}

static void push_syns(struct connection *c, uint64_t now_us)
{
	struct flow *f = c->flow;

	for (int dir = 0; dir < 2; dir++) {
		struct stream_segment g = { .dir = dir, .seq = f->isn[dir], .syn = true, .has_ack = f->end_known >> !dir & 1, .ack = f->end[!dir],
					    .time_us = f->first_us };

		if (f->flags & F_SYN << dir)
			stream_push(&c->stream, &g, now_us);
	}
}

static struct connection *connection_new(struct connection_context *x, struct flow *f, uint64_t now_us)
{
	static const struct stream_sink sink = { on_push, on_gap, on_fin, on_differ };
	struct connection *c = xcalloc(1, sizeof *c);

	c->context = x;
	c->flow = f;
	stream_init(&c->stream, &sink, c, &x->unacked_key);
	f->connection = c;
	push_syns(c, now_us);
	return c;
}

void connection_fetch(const struct connection *c, bool session)
{
	if (session && c->smtp)
		smtp_fetch(c->smtp);
	else if (!session)
		for (size_t i = 0; i < sizeof *c; i += 64)
			__builtin_prefetch((const char *)c + i);
}

static uint32_t notes_of(const struct connection *c)
{
	const struct flow *f = c->flow;
	uint32_t notes = 0;

	if (!(f->flags & F_SEEN) != !(f->flags & F_SEEN << 1))
		notes |= NOTE_ONE_SIDED;
	if (stream_overlap_differed(&c->stream))
		notes |= NOTE_OVERLAP;
	if (stream_left_out(&c->stream))
		notes |= NOTE_OUT_OF_WINDOW;
	if (f->flags & F_BACKWARD)
		notes |= NOTE_CLOCK_BACKWARD;
	return notes;
}

/* A RST tells what its sender had received. */
static void take_reset_ack(struct connection *c, uint64_t now_us)
{
	if (!c->reset || !c->rare->reset_has_ack)
		return;
	struct stream_segment g = { .dir = c->rare->reset_dir, .seq = c->rare->reset_seq, .has_ack = true, .ack = c->rare->reset_ack,
				    .time_us = c->flow->last_us };

	stream_push(&c->stream, &g, now_us);
}

/* Its number tells how far its sender had come. */
static void missing_before_reset(struct connection *c)
{
	uint32_t next;

	if (!c->smtp || !c->reset || !stream_next(&c->stream, c->rare->reset_dir, &next))
		return;
	int32_t missing = (int32_t)(c->rare->reset_seq - next);
	if (missing > 1)	/* one: a FIN */
		smtp_gap(c->smtp, side_of(c, c->rare->reset_dir), (uint64_t)missing, c->flow->last_us);
}

/* Hands everything on and out; the flow stays. */
static void connection_end(struct connection *c, enum fact_end end, uint64_t now_us)
{
	struct connection_context *x = c->context;
	struct flow *f = c->flow;

	take_reset_ack(c, now_us);
	stream_flush(&c->stream, now_us);
	gate_finish(c);
	missing_before_reset(c);
	if (end == END_RST && c->fin_seen)
		end = END_FIN;
	f->end_known = 0;
	for (int dir = 0; dir < 2; dir++)
		if (stream_end(&c->stream, dir, &f->end[dir]))
			f->end_known |= dir ? 2 : 1;
	if (c->smtp) {
		struct fact_session *s = smtp_session(c->smtp);

		x->unseen_bytes += stream_unseen_bytes(&c->stream);
		x->minute[f->interface].unseen_bytes += stream_unseen_bytes(&c->stream);
		s->unseen_bytes = stream_unseen_bytes(&c->stream);
		s->packets = f->packets;
		s->notes |= notes_of(c);
		smtp_end(c->smtp, end, side_of(c, c->closer), f->last_us);
	}
	x->left_out += stream_left_out(&c->stream);
	stream_fini(&c->stream);
	x->memory_bytes -= c->memory;
	f->connection = NULL;
	free(c->rare);
	free(c);
}

static void close_flow(struct connection_context *x, struct flow *f, enum fact_end end, uint64_t now_us)
{
	if (f->connection)
		connection_end(f->connection, end, now_us);
	f->flags |= F_CLOSED;	/* late retransmissions find it and are dropped */
	flow_set_timer(x->flows, f, connection_deadline(x, f));
}

/* The record stays, so that what follows is known not to be looked for. */
static void become_other(struct connection_context *x, struct flow *f, uint64_t now_us)
{
	if (f->connection)
		connection_end(f->connection, END_NONE, now_us);
	f->is_other = true;
	flow_set_timer(x->flows, f, connection_deadline(x, f));
}

void connection_finish(struct flow *f, enum fact_end end, uint64_t now_us)
{
	if (f->connection)
		connection_end(f->connection, f->connection->closing_us ? END_RST : end, now_us);
}

void connection_drop(struct connection_context *x, struct flow *f, enum fact_end end, uint64_t now_us)
{
	connection_finish(f, end, now_us);
	flow_remove(x->flows, f);
}

static bool is_answered(const struct flow *f)
{
	return f->flags & F_SEEN && f->flags & F_SEEN << 1;
}

bool connection_ignores(const struct packet *p)
{
	return p->flags & TCP_SYN ? p->flags & (TCP_FIN | TCP_RST) : !(p->flags & (TCP_ACK | TCP_RST));
}

uint64_t connection_deadline(const struct connection_context *x, const struct flow *f)
{
	const struct connection *c = f->connection;

	uint64_t active_us = flow_active_us(x->flows, f);

	if (!c)
		return active_us + (f->flags & F_CLOSED ? LIMIT_LINGER_US : f->is_other ? LIMIT_OTHER_IDLE_US
				    : is_answered(f) ? LIMIT_GREETING_US : LIMIT_HANDSHAKE_US);
	uint64_t at = active_us + LIMIT_IDLE_US, wait = stream_deadline(&c->stream);
	if (wait && wait < at)
		at = wait;
	if (c->closing_us && c->closing_us < at)
		at = c->closing_us;
	return at;
}

/* Bytes came behind a RST: have they reached its number, or gone beyond it? */
static void settle_reset(struct connection *c, uint64_t now_us)
{
	uint32_t next;

	if (!c->reset_pending || c->closing_us || !stream_next(&c->stream, c->rare->reset_dir, &next))
		return;
	if (stream_stands_at(&c->stream, c->rare->reset_dir, c->rare->reset_seq)) {
		c->reset = true;
		c->closing_us = now_us + LIMIT_ACKED_WAIT_US;
	} else if ((int32_t)(next - c->rare->reset_seq) > 0) {
		c->reset_pending = false;
	}
}

bool connection_expire(struct connection_context *x, struct flow *f, uint64_t now_us)
{
	struct connection *c = f->connection;

	while (c && stream_deadline(&c->stream) && stream_deadline(&c->stream) <= now_us)
		stream_expire(&c->stream, now_us);
	if (c)
		settle_reset(c, now_us);
	if (c && c->admission == ADMIT_NONE) {
		become_other(x, f, now_us);
	} else if (c && stream_is_done(&c->stream)) {
		close_flow(x, f, END_FIN, now_us);
	} else if (c && c->closing_us && c->closing_us <= now_us) {
		close_flow(x, f, END_RST, now_us);
	} else if (connection_deadline(x, f) <= now_us) {
		connection_drop(x, f, END_TIMEOUT, now_us);
		return true;
	}
	return false;
}

/* ---- packets ---- */

static void forget(struct flow *f, uint64_t time_us)
{
	f->flags = 0;
	f->isn[0] = f->isn[1] = 0;
	f->end_known = 0;
	f->is_other = false;
	f->first_us = f->last_us = time_us;
	f->packets = 0;
}

/* A SYN on a flow that is closed, or began otherwise: the ports are used again. */
static bool begins_anew(const struct flow *f, int dir, const struct packet *p)
{
	if (f->flags & F_CLOSED)
		return !(f->flags & F_SYN << dir) || f->isn[dir] != p->seq;
	if (f->flags & F_SYN << dir)
		return f->isn[dir] != p->seq;
	/* Joined in the middle, and now a beginning. It is just late when the other side's SYN is known, or nothing was handed on yet. */
	return f->connection && !(f->flags & F_SYN << !dir) && !stream_may_begin(&f->connection->stream, dir, p->seq);
}

static void note_syn(struct flow *f, int dir, uint32_t seq, bool has_ack, uint32_t ack)
{
	f->isn[dir] = seq;
	f->flags |= (uint8_t)(F_SYN << dir);
	if (has_ack && !f->connection) {
		f->end[!dir] = ack;
		f->end_known |= dir ? 1 : 2;
	}
	/* when both sides send a SYN (RFC 9293 3.5), the first one tells */
	if (!(f->flags & F_SYN << !dir) && !(f->connection && f->connection->admission != ADMIT_UNSETTLED))
		set_client(f, has_ack ? !dir : dir);
}

/* Does it go on, so that its endpoints would refuse a SYN? Of a side that is not captured no answer can be expected. */
static bool is_open(const struct flow *f, int dir)
{
	if (f->flags & F_CLOSED || !(f->flags & F_SEEN << !dir))
		return false;
	return f->connection ? !f->connection->closing_us : f->flags & F_SYN && f->flags & F_SYN << 1;
}

/* Is it the other half of the handshake that the remembered SYN began? */
static bool answers(const struct connection *c, int dir, const struct packet *p)
{
	const struct other_syn *o = c->rare ? &c->rare->other_syn : NULL;

	if (!o || !o->set || o->dir == dir)
		return false;
	return ((p->flags & TCP_ACK) && p->ack == o->seq + 1) || (o->has_ack && o->ack == p->seq + 1);
}

/* Who sent the remembered SYN goes on from there. */
static bool goes_on(const struct connection *c, int dir, const struct packet *p)
{
	const struct other_syn *o = c->rare ? &c->rare->other_syn : NULL;
	uint32_t next;

	if (!o || !o->set || o->dir != dir || p->seq != o->seq + 1 || p->flags & (TCP_SYN | TCP_RST))
		return false;
	return !stream_next(&c->stream, dir, &next) || p->seq != next;
}

/* The ports are used again; a remembered SYN is part of the new connection. */
static void start_anew(struct flow *f, bool with_other, uint64_t time_us, uint64_t now_us)
{
	struct other_syn o = { 0 };

	if (f->connection && f->connection->rare && with_other)
		o = f->connection->rare->other_syn;
	if (f->connection)
		connection_end(f->connection, END_PORT_REUSE, now_us);
	forget(f, o.set ? o.time_us : time_us);
	if (o.set) {
		f->packets = 1;
		f->flags |= (uint8_t)(F_SEEN << o.dir);
		note_syn(f, o.dir, o.seq, o.has_ack, o.ack);
	}
}

/* False: it is put aside. */
static bool take_syn(struct connection_context *x, struct flow *f, int dir, const struct packet *p, uint64_t time_us, uint64_t now_us)
{
	if (f->packets && begins_anew(f, dir, p)) {
		bool answer = f->connection && answers(f->connection, dir, p);

		if (!answer && is_open(f, dir)) {
			struct connection *c = f->connection ? f->connection : connection_new(x, f, now_us);

			rare_of(c)->other_syn = (struct other_syn){ true, p->flags & TCP_ACK, (uint8_t)dir, p->seq, p->ack, time_us };
			count_memory(c);
			return false;
		}
		start_anew(f, answer, time_us, now_us);
	}
	if (!(f->flags & F_CLOSED))
		note_syn(f, dir, p->seq, p->flags & TCP_ACK, p->ack);
	return true;
}

/* Bytes on a closed flow that are not those it delivered: its ports are used again, and the SYN was not captured. */
static bool is_new_life(const struct flow *f, int dir, const struct packet *p)
{
	int32_t last = (int32_t)(p->seq + p->payload_bytes - f->end[dir]);

	return p->payload_bytes && f->end_known >> dir & 1 && (last > 0 || last < -LIMIT_WINDOW_BYTES);
}

/*
 * Data in a SYN is nothing to a server that has not agreed to TCP Fast Open (RFC 7413), which none in mail has; what one takes all the same shows
 * as a gap. Urgent data: whether its last byte is part of the stream is up to the receiver's program (RFC 6093 2.2).
 */
static void take_segment(struct connection *c, int dir, const struct packet *p, uint64_t time_us, uint64_t now_us)
{
	bool syn = p->flags & TCP_SYN;
	struct stream_segment g = { .dir = dir, .seq = p->seq, .ack = p->ack, .has_ack = p->flags & TCP_ACK, .syn = syn,
				    .fin = p->flags & TCP_FIN, .payload = p->payload, .length = syn ? 0 : p->payload_bytes,
				    .captured = syn ? 0 : p->captured_bytes, .time_us = time_us };

	stream_push(&c->stream, &g, now_us);
	if (p->flags & TCP_URG && p->payload_bytes)
		stream_doubt(&c->stream);
}

/* Whose RST was true sends nothing more: new bytes behind it come from a tap that is late, or the RST was forged. */
static void doubt_reset(struct connection *c, int dir, const struct packet *p)
{
	uint32_t next;

	if (!c->closing_us || dir != c->rare->reset_dir || !p->payload_bytes || !stream_next(&c->stream, dir, &next))
		return;
	int32_t from = (int32_t)(p->seq - next), to = (int32_t)(p->seq + p->payload_bytes - next);
	if (to <= 0 || from > LIMIT_WINDOW_BYTES)
		return;
	c->closing_us = 0;
	c->reset = false;
	c->reset_pending = true;
}

static void take_reset(struct connection_context *x, struct flow *f, int dir, const struct packet *p, uint64_t now_us)
{
	struct connection *c = f->connection ? f->connection : connection_new(x, f, now_us);

	count_memory(c);
	bool exact = stream_stands_at(&c->stream, dir, p->seq);
	uint64_t at = now_us + (exact ? LIMIT_ACKED_WAIT_US : LIMIT_HOLE_WAIT_US);
	if ((c->closing_us && c->closing_us <= at) || !stream_accepts_reset(&c->stream, dir, p->seq))
		return;
	if (!c->fin_seen)
		c->closer = (uint8_t)dir;
	c->reset = true;
	struct connection_rare *r = rare_of(c);
	r->reset_dir = (uint8_t)dir;
	r->reset_seq = p->seq;
	r->reset_ack = p->ack;
	r->reset_has_ack = p->flags & TCP_ACK;
	c->closing_us = at;
	flow_set_timer(x->flows, f, connection_deadline(x, f));
}

/* grown: its time is longer than before. Short memory takes flows by their time: SYNs before those that were answered, those before sessions. */
static void arm(struct connection_context *x, struct flow *f, bool grown)
{
	struct connection *c = f->connection;
	bool short_wait = c && (stream_deadline(&c->stream) || c->closing_us);

	if (short_wait || grown || !flow_has_timer(f))
		flow_set_timer(x->flows, f, connection_deadline(x, f));
}

/* One more packet of what is not looked for. False: with it something new begins. */
static bool pass_other(struct connection_context *x, struct flow *f, int dir, const struct packet *p, uint64_t time_us, uint64_t now_us)
{
	if (p->flags & TCP_SYN && !(f->flags & F_SYN << dir && f->isn[dir] == p->seq)) {
		forget(f, time_us);
		return false;
	}
	f->packets++;
	if (p->flags & (TCP_FIN | TCP_RST))
		f->flags |= F_CLOSED;
	flow_touch(x->flows, f, now_us);
	return true;
}

/* The first bytes on no mail port: do they tell by themselves that it is not SMTP? Only where they stand at the beginning, or that was not seen. */
static bool begins_as_other(const struct connection_context *x, const struct flow *f, int dir, const struct packet *p)
{
	struct gate_options o = gate_options(x, f);

	if (is_mail_flow(x, f) || (is_from_start(f) && !(f->flags & F_SYN << dir && p->seq == f->isn[dir] + 1)))
		return false;
	return gate_glance(&o, dir, p->payload, p->captured_bytes) == GATE_OTHER;
}

void connection_packet(struct connection_context *x, struct flow *f, int dir, const struct packet *p, uint64_t time_us, uint64_t now_us)
{
	if (f->is_other && pass_other(x, f, dir, p, time_us, now_us))
		return;
	if (f->packets == 0)
		f->first_us = f->last_us = time_us;
	if (p->flags & TCP_SYN && !take_syn(x, f, dir, p, time_us, now_us))
		return;
	if (f->connection && goes_on(f->connection, dir, p))
		start_anew(f, true, time_us, now_us);
	if (f->flags & F_CLOSED) {
		if (!is_new_life(f, dir, p))
			return;
		forget(f, time_us);
	}
	bool was_answered = is_answered(f), had_connection = f->connection;
	f->packets++;
	f->flags |= (uint8_t)(F_SEEN << dir);
	flow_touch(x->flows, f, now_us);
	if (time_us + 1000000 < f->last_us)
		f->flags |= F_BACKWARD;
	if (time_us > f->last_us)
		f->last_us = time_us;
	if (p->flags & TCP_RST) {
		take_reset(x, f, dir, p, now_us);
		return;
	}
	if (!f->connection && p->payload_bytes && begins_as_other(x, f, dir, p)) {
		become_other(x, f, now_us);
		return;
	}
	if (!f->connection && (p->payload_bytes || (p->flags & TCP_FIN && (is_from_start(f) || is_mail_flow(x, f)))))
		connection_new(x, f, now_us);
	if (!f->connection) {
		arm(x, f, is_answered(f) && !was_answered);
		return;
	}
	doubt_reset(f->connection, dir, p);
	take_segment(f->connection, dir, p, time_us, now_us);
	settle_reset(f->connection, now_us);
	if (p->payload_bytes)
		count_memory(f->connection);
	if (f->connection->admission == ADMIT_NONE)
		become_other(x, f, now_us);
	else if (stream_is_done(&f->connection->stream))
		close_flow(x, f, END_FIN, now_us);
	else
		arm(x, f, !had_connection);
}
