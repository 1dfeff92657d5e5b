/*
 * talk.h - connections written down as talks, the frames that they are, and the facts that a pipeline makes of them as lines of text.
 *
 * Functions are inline, since no test needs all of them.
 */
#ifndef TESTS_UNIT_TALK_H
#define TESTS_UNIT_TALK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/xmalloc.h"
#include "sensor/limits.h"
#include "sensor/pipeline.h"

#define SECOND UINT64_C(1000000)
#define START (UINT64_C(1700000040) * SECOND)	/* a whole minute */

/* ---- frames ---- */

struct frame {
	uint8_t bytes[1600];
	uint32_t n, captured;
	uint64_t t_us;
	uint32_t number;
	int from;		/* 0 client, 1 server */
	bool lost;
};

enum { FRAMES = 4000 };

struct talk {
	struct frame frame[FRAMES];
	uint32_t count;
	uint8_t version;
	struct ip_addr addr[2];
	uint16_t port[2], vlan[2];
	uint32_t isn[2], sent[2];	/* bytes and FIN */
	bool syn_sent[2];
	uint64_t now_us;
	bool any_port;
};

static inline void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static inline struct talk *talk_new(uint8_t version)
{
	struct talk *k = xcalloc(1, sizeof *k);

	k->version = version;
	for (int i = 0; i < 2; i++) {
		k->addr[i].version = version;
		memcpy(k->addr[i].bytes, version == 4 ? "\xc0\0\2\0" : "\x20\1\r\xb8", 4);
		k->addr[i].bytes[version == 4 ? 3 : 15] = (uint8_t)(i ? 25 : 7);
	}
	k->port[0] = 40000;
	k->port[1] = 25;
	k->isn[0] = 0xfffffff0;	/* wraps within the first command */
	k->isn[1] = 7000000;
	k->now_us = START;
	return k;
}

static inline size_t put_ip(struct talk *k, uint8_t *p, int from, size_t tcp_bytes)
{
	size_t address = k->version == 4 ? 4 : 16, header = k->version == 4 ? 20 : 40;

	if (k->version == 4) {
		p[0] = 0x45;
		put16(p + 2, (unsigned)(header + tcp_bytes));
		p[8] = 64;
		p[9] = 6;
	} else {
		p[0] = 0x60;
		put16(p + 4, (unsigned)tcp_bytes);
		p[6] = 6;
		p[7] = 64;
	}
	memcpy(p + header - 2 * address, k->addr[from].bytes, address);
	memcpy(p + header - address, k->addr[!from].bytes, address);
	return header;
}

static inline struct frame *segment(struct talk *k, int from, unsigned flags, uint32_t seq, uint32_t ack, const char *payload)
{
	struct frame *f = &k->frame[k->count];
	size_t n = strlen(payload), at = 12;

	assert_true(k->count < FRAMES && n < 1400);
	*f = (struct frame){ .t_us = k->now_us, .number = k->count, .from = from };
	k->count++;
	if (k->vlan[from]) {
		put16(f->bytes + at, 0x8100);
		put16(f->bytes + at + 2, k->vlan[from]);
		at += 4;
	}
	put16(f->bytes + at, k->version == 4 ? 0x0800 : 0x86dd);
	at += 2;
	at += put_ip(k, f->bytes + at, from, 20 + n);
	put16(f->bytes + at, k->port[from]);
	put16(f->bytes + at + 2, k->port[!from]);
	put32(f->bytes + at + 4, seq);
	put32(f->bytes + at + 8, ack);
	f->bytes[at + 12] = 5 << 4;
	f->bytes[at + 13] = (uint8_t)flags;
	memcpy(f->bytes + at + 20, payload, n);
	f->n = f->captured = (uint32_t)(at + 20 + n);
	k->now_us += 1000;
	return f;
}

static inline int side_of_letter(char c)
{
	return c == 's';
}

/* A segment where that side stands, acknowledging all of the other. */
static inline struct frame *say(struct talk *k, char who, const char *text)
{
	int from = side_of_letter(who);
	struct frame *f = segment(k, from, TCP_ACK | TCP_PSH, k->isn[from] + 1 + k->sent[from], k->isn[!from] + 1 + k->sent[!from], text);

	k->sent[from] += (uint32_t)strlen(text);
	return f;
}

static inline void fin(struct talk *k, char who)
{
	int from = side_of_letter(who);

	segment(k, from, TCP_ACK | TCP_FIN, k->isn[from] + 1 + k->sent[from], k->isn[!from] + 1 + k->sent[!from], "");
	k->sent[from]++;
}

static inline void rst(struct talk *k, char who)
{
	int from = side_of_letter(who);

	segment(k, from, TCP_ACK | TCP_RST, k->isn[from] + 1 + k->sent[from], k->isn[!from] + 1 + k->sent[!from], "");
}

static inline void handshake(struct talk *k)
{
	segment(k, 0, TCP_SYN, k->isn[0], 0, "");
	segment(k, 1, TCP_SYN | TCP_ACK, k->isn[1], k->isn[0] + 1, "");
	say(k, 'c', "");
}

static inline void mail(struct talk *k)
{
	say(k, 'c', "MAIL FROM:<a@example.org>\r\n");
	say(k, 's', "250 2.1.0 ok\r\n");
	say(k, 'c', "RCPT TO:<b@example.net>\r\nDATA\r\n");
	say(k, 's', "250 2.1.5 ok\r\n");
	say(k, 's', "354 go on\r\n");
	say(k, 'c', "From: a@example.org\r\nMessage-ID: <1@example.org>\r\n");
	say(k, 'c', "Subject: x\r\n\r\ntext\r\n.\r\n");
	say(k, 's', "250 2.0.0 Ok: queued as 4AB3C12345\r\n");
}

static inline void hello(struct talk *k)
{
	say(k, 's', "220 mx.example.net ESMTP\r\n");
	say(k, 'c', "EHLO client.example.org\r\n");
	say(k, 's', "250-mx.example.net\r\n250 PIPELINING\r\n");
}

static inline void quit(struct talk *k)
{
	say(k, 'c', "QUIT\r\n");
	say(k, 's', "221 2.0.0 bye\r\n");
	fin(k, 'c');
	fin(k, 's');
	say(k, 'c', "");
}

static inline struct talk *whole_talk(uint8_t version)
{
	struct talk *k = talk_new(version);

	handshake(k);
	hello(k);
	mail(k);
	quit(k);
	return k;
}

/* ---- facts ---- */

enum { KEPT = 64 };

struct got {
	struct fact_session session[KEPT];	/* its texts are gone */
	unsigned sessions, transactions, captures;
	struct fact_capture capture[KEPT];
	struct buf log;			/* one line a fact, without times and packet counts */
	struct pipeline_totals totals;
};

static inline void log_text(struct buf *b, const char *name, struct text t)
{
	if (t.p)
		buf_printf(b, " %s=%.*s", name, (int)t.len, t.p);
}

static inline void log_notes(struct buf *b, uint32_t notes)
{
	for (unsigned i = 0; i < NOTE_COUNT; i++)
		if (notes >> i & 1)
			buf_printf(b, " %s", fact_note_name(i));
}

static inline void on_got_transaction(void *arg, const struct fact_transaction *t)
{
	struct got *g = arg;

	g->transactions++;
	buf_printf(&g->log, "mail %u %s code=%u rcpt=%u/%u size=%llu seen=%llu%s", t->ordinal, fact_outcome_name(t->outcome), t->reply.code,
		   t->rcpt_accepted, t->rcpt_count, (unsigned long long)t->size_bytes, (unsigned long long)t->bytes_seen,
		   t->complete ? " complete" : "");
	log_text(&g->log, "from", t->mail_from);
	log_text(&g->log, "queue_id", t->queue_id);
	if (t->message)
		log_text(&g->log, "id", t->message->message_id);
	log_notes(&g->log, t->notes);
	buf_add_char(&g->log, '\n');
}

static inline void on_got_session(void *arg, const struct fact_session *s)
{
	struct got *g = arg;

	buf_printf(&g->log, "session ");
	for (int i = 0; i < SESSION_ID_BYTES; i++)
		buf_printf(&g->log, "%02x", s->session_id[i]);
	buf_printf(&g->log, " %s %s bytes=%llu/%llu unseen=%llu mails=%u%s", fact_end_name(s->end), fact_session_outcome_name(s->outcome),
		   (unsigned long long)s->bytes_toserver, (unsigned long long)s->bytes_toclient, (unsigned long long)s->unseen_bytes,
		   s->transaction_count, s->complete ? " complete" : "");
	log_text(&g->log, "app_proto", s->app_proto);
	log_text(&g->log, "helo", s->helo);
	log_notes(&g->log, s->notes);
	buf_add_char(&g->log, '\n');
	assert_true(g->sessions < KEPT);
	g->session[g->sessions++] = *s;
}

static inline void on_got_capture(void *arg, const struct fact_capture *c)
{
	struct got *g = arg;

	assert_true(g->captures < KEPT);
	g->capture[g->captures++] = *c;
}

static const unsigned short ports[] = { 25, 465, 587, 2525, 24 };
static const char *const interfaces[] = { "test", "other" };

enum { WORKERS_MAX = 5 };

struct run {
	struct got got, other[WORKERS_MAX - 1];		/* of the first worker, of the others */
	struct fact_sink sink[WORKERS_MAX];
	struct pipeline *p;
};

static inline struct run *run_start(struct pipeline_options o)
{
	struct run *r = xcalloc(1, sizeof *r);

	o.ports = ports;
	o.port_count = sizeof ports / sizeof *ports;
	o.hash_key = (struct siphash_key){ { 1, 2 } };
	o.interfaces = interfaces;
	o.interface_count = 1;
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		r->sink[i] = (struct fact_sink){ on_got_transaction, on_got_session, on_got_capture, i ? &r->other[i - 1] : &r->got, NULL };
	r->p = pipeline_new(&o, r->sink);
	return r;
}

static inline struct run *run_with(unsigned workers, size_t memory_bytes, bool key_vlan)
{
	return run_start((struct pipeline_options){ .workers = workers, .memory_bytes = memory_bytes, .key_vlan = key_vlan });
}

static inline struct run *run_new(size_t memory_bytes, bool key_vlan)
{
	return run_with(1, memory_bytes, key_vlan);
}

static inline struct run *run_any_port(size_t memory_bytes)
{
	return run_start((struct pipeline_options){ .workers = 1, .memory_bytes = memory_bytes, .any_port = true });
}

/* The frame in memory of just its size. */
static inline void feed_from(struct run *r, unsigned interface, const struct frame *f, uint64_t t_us)
{
	uint8_t *copy = xmalloc(f->captured);

	memcpy(copy, f->bytes, f->captured);
	pipeline_frame(r->p, &(struct capture_frame){ t_us, 1, f->captured, f->n, interface, copy });
	free(copy);
}

static inline void feed(struct run *r, const struct frame *f, uint64_t t_us)
{
	feed_from(r, 0, f, t_us);
}

static inline void feed_all(struct run *r, const struct talk *k)
{
	for (uint32_t i = 0; i < k->count; i++)
		if (!k->frame[i].lost)
			feed(r, &k->frame[i], k->frame[i].t_us);
}

static inline void finish(struct run *r)
{
	pipeline_finish(r->p, &r->got.totals);
	r->p = NULL;
	uint64_t sessions = r->got.sessions, transactions = r->got.transactions;
	for (unsigned i = 0; i < WORKERS_MAX - 1; i++) {
		sessions += r->other[i].sessions;
		transactions += r->other[i].transactions;
	}
	assert_int_equal(r->got.totals.sessions, sessions);
	assert_int_equal(r->got.totals.transactions, transactions);
}

static inline void run_free(struct run *r)
{
	if (r->p)
		finish(r);
	buf_fini(&r->got.log);
	for (unsigned i = 0; i < WORKERS_MAX - 1; i++)
		buf_fini(&r->other[i].log);
	free(r);
}

static inline struct run *play(const struct talk *k)
{
	struct run *r = k->any_port ? run_any_port(64 << 20) : run_new(64 << 20, false);

	feed_all(r, k);
	finish(r);
	return r;
}

/* Plays a talk; the facts are to contain these lines and no more sessions than those. */
static inline void assert_talk(struct talk *k, unsigned sessions, unsigned transactions, const char *words)
{
	struct run *r = play(k);

	if (!strstr(buf_cstr(&r->got.log), words))
		fail_msg("no \"%s\" in:\n%s", words, buf_cstr(&r->got.log));
	assert_int_equal(r->got.sessions, sessions);
	assert_int_equal(r->got.transactions, transactions);
	run_free(r);
	free(k);
}

#endif
