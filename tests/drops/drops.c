/*
 * drops.c - plays a capture again and again, each time without one of its packets, or without two, and compares the facts with the full view.
 *
 *   drops [--every N] [--pairs N] [--seed N] FILE...       prints TAP and, in comments, what was counted
 *
 * Whatever is lost: no two mails become one, no reply is made up, a session that says it is complete is as it was, those that lost nothing
 * are as they were, and a packet from the middle of a body costs nothing but bytes of that body.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/xmalloc.h"
#include "sensor/capture.h"
#include "sensor/worker.h"
#include "tests/chance.h"
#include "tests/unit/fits.h"

enum { SHOWN_MAX = 8, SETTLE_S = 40, LATENESS = 1 };
static const uint16_t ports[] = { 25, 465, 587, 2525, 24 };

/* One TCP connection of the capture, client first. */
struct link {
	struct ip_addr client, server;
	uint16_t port;
	bool has_tls;
};

struct frame {
	struct packet packet;
	uint8_t *bytes;
	uint64_t time_us;
	size_t link;
	bool in_body;		/* it holds nothing but bytes of a message, perhaps its end */
	bool lost;
};

/* What one play said; record i is about link of[i]. */
struct said {
	struct view view;
	size_t *of;
	uint64_t (*span)[2];	/* first and last packet of record i */
	const struct drops *drops;
};

struct counts {
	uint64_t plays;
	uint64_t strangers, strangers_same;	/* transactions of connections that lost nothing; identical */
	uint64_t neighbours, neighbours_same;	/* of a connection that lost a packet, but before or behind them; the same but for doubts */
	uint64_t hit, hit_same;			/* transactions that lost a packet; identical (it held no bytes) */
	uint64_t bodies, bodies_kept, merged, invented, false_complete;
};

struct drops {
	struct link *link;
	size_t link_count;
	struct frame *frame;
	size_t frame_count;
	struct said full;
	struct counts counts;
	unsigned shown;
	uint8_t mail_port[65536 / 8];
};

/* ---- the capture ---- */

static bool is_mail_port(const struct drops *d, uint16_t port)
{
	return d->mail_port[port / 8] >> (port % 8) & 1;
}

static size_t link_of(struct drops *d, const struct ip_addr *client, const struct ip_addr *server, uint16_t port)
{
	for (size_t i = 0; i < d->link_count; i++) {
		const struct link *l = &d->link[i];

		if (l->port == port && ip_equal(&l->client, client) && ip_equal(&l->server, server))
			return i;
	}
	d->link = xreallocarray(d->link, d->link_count + 1, sizeof *d->link);
	d->link[d->link_count] = (struct link){ *client, *server, port, false };
	return d->link_count++;
}

static bool starts_with_verb(const struct packet *p)
{
	static const char *const verbs[] = { "EHLO ", "HELO ", "MAIL FROM", "RCPT TO", "DATA\r", "BDAT ", "RSET", "QUIT", "STARTTLS", "NOOP", "AUTH ", "PROXY ", "XFORWARD", "XCLIENT",
		"LHLO ", "VRFY", "\x16\3" };

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (p->payload_bytes >= strlen(verbs[i]) && strncasecmp((const char *)p->payload, verbs[i], strlen(verbs[i])) == 0)
			return true;
	return false;
}

/* Nothing but bytes of a message: no command, neither at its beginning nor behind the end of the data. */
static bool is_in_body(const struct drops *d, const struct frame *f)
{
	const struct packet *p = &f->packet;

	if (!p->payload_bytes || starts_with_verb(p) || is_mail_port(d, p->sport) || d->link[f->link].has_tls)
		return false;
	if (memmem(p->payload, p->payload_bytes, "QUIT\r\n", 6) || memmem(p->payload, p->payload_bytes, "BDAT ", 5))
		return false;
	const uint8_t *end = memmem(p->payload, p->payload_bytes, "\r\n.\r\n", 5);
	return !end || end + 5 == p->payload + p->payload_bytes;
}

static void add_frame(struct drops *d, const struct capture_frame *c)
{
	const struct decode_tunnels tunnels = { 0 };
	struct frame f = { .time_us = c->time_us };

	if (d->frame_count % 1024 == 0)
		d->frame = xreallocarray(d->frame, d->frame_count + 1024, sizeof *d->frame);
	f.bytes = xmalloc(c->captured ? c->captured : 1);
	memcpy(f.bytes, c->bytes, c->captured);
	if (decode_frame(&tunnels, c->linktype, f.bytes, c->captured, &f.packet) != DECODE_TCP
	    || !(is_mail_port(d, f.packet.sport) || is_mail_port(d, f.packet.dport))) {
		free(f.bytes);
		return;
	}
	bool up = is_mail_port(d, f.packet.dport);
	const struct packet *p = &f.packet;
	f.link = link_of(d, up ? &p->src : &p->dst, up ? &p->dst : &p->src, up ? p->sport : p->dport);
	if (p->payload_bytes > 1 && p->payload[0] == 0x16 && p->payload[1] == 3)
		d->link[f.link].has_tls = true;
	d->frame[d->frame_count++] = f;
}

static bool read_capture(struct drops *d, const char *path)
{
	char error[512];
	int rc;
	struct capture *c = capture_open_files(&path, 1, NULL, error, sizeof error, &rc);
	struct capture_frame frame;

	if (!c) {
		printf("# %s\n", error);
		return false;
	}
	while (capture_next(c, &frame) == 1)
		add_frame(d, &frame);
	capture_close(c);
	for (size_t i = 0; i < d->frame_count; i++)
		d->frame[i].in_body = is_in_body(d, &d->frame[i]);
	return true;
}

/* ---- a play ---- */

static void note_link(struct said *s, const struct fact_session *f, uint64_t from_us, uint64_t to_us)
{
	size_t n = s->view.count;
	size_t i = 0;

	while (i < s->drops->link_count
	       && !(s->drops->link[i].port == f->src_port && ip_equal(&s->drops->link[i].client, &f->src_ip)
		    && ip_equal(&s->drops->link[i].server, &f->dest_ip)))
		i++;
	s->of = xreallocarray(s->of, n, sizeof *s->of);
	s->of[n - 1] = i;	/* link_count: none of the capture's, which fits nothing */
	s->span = xreallocarray(s->span, n, sizeof *s->span);
	s->span[n - 1][0] = from_us;
	s->span[n - 1][1] = to_us;
}

static void on_transaction(void *arg, const struct fact_transaction *t)
{
	struct said *s = arg;

	view_transaction(&s->view, t);
	note_link(s, t->session, t->started_us, t->ended_us);
}

static void on_session(void *arg, const struct fact_session *f)
{
	struct said *s = arg;

	view_session(&s->view, f);
	add_format(&s->view.record[s->view.count - 1], "complete", false, "%s", f->complete ? "yes" : "no");
	note_link(s, f, f->started_us, f->ended_us);
}

static void play(const struct drops *d, struct said *out)
{
	*out = (struct said){ .drops = d };
	struct fact_sink sink = { .transaction = on_transaction, .session = on_session, .arg = out };
	struct worker *w = worker_new(&(struct worker_options){ .mail_port = d->mail_port, .memory_bytes = 64 << 20 }, &sink);
	uint64_t now_us = 0;

	for (size_t i = 0; i < d->frame_count; i++) {
		const struct frame *f = &d->frame[i];
		struct flow_lookup l;

		if (f->lost)
			continue;
		if (f->time_us / 1000000 > now_us / 1000000)
			worker_second(w, f->time_us);
		now_us = f->time_us > now_us ? f->time_us : now_us;
		worker_look(w, &f->packet, &l);
		worker_packet(w, &f->packet, &l, &(struct arrival){ f->time_us, now_us, 0 });
	}
	for (unsigned n = 1; n <= SETTLE_S; n++)
		worker_second(w, now_us + n * 1000000ull);
	worker_end_all(w);
	worker_free(w);
}

static void said_fini(struct said *s)
{
	view_fini(&s->view);
	free(s->of);
	free(s->span);
}

/* ---- the comparison ---- */

static void show(struct drops *d, const char *what, const struct record *r)
{
	struct buf b = { 0 };

	if (d->shown++ >= SHOWN_MAX)
		return;
	printf("# %s, without packet", what);
	for (size_t i = 0; i < d->frame_count; i++)
		if (d->frame[i].lost)
			printf(" %zu (port %u)", i + 1, d->link[d->frame[i].link].port);
	record_print(&b, r, true);
	printf(":\n");
	for (char *line = strtok(b.p ? b.p : (char[]){ "" }, "\n"); line; line = strtok(NULL, "\n"))
		printf("#   %s\n", line);
	buf_fini(&b);
}

/* Whether two records say the same, either in these fields only, or in all but these. */
static bool is_like(const struct record *a, const struct record *b, const char *const *keys, bool only)
{
	size_t i = 0, k = 0;

	for (;;) {
		while (i < a->count && is_one_of(a->field[i].key, keys) != only)
			i++;
		while (k < b->count && is_one_of(b->field[k].key, keys) != only)
			k++;
		if (i == a->count || k == b->count)
			return i == a->count && k == b->count;
		if (strcmp(a->field[i].key, b->field[k].key) != 0 || strcmp(a->field[i].value, b->field[k].value) != 0)
			return false;
		i++;
		k++;
	}
}

static const struct record *find_like(const struct said *in, size_t link, const struct record *r, const char *const *keys, bool only)
{
	for (size_t i = 0; i < in->view.count; i++)
		if (in->of[i] == link && in->view.record[i].is_session == r->is_session && is_like(&in->view.record[i], r, keys, only))
			return &in->view.record[i];
	return NULL;
}

static const struct record *find_same(const struct said *in, size_t link, const struct record *r, const char *const *but)
{
	return find_like(in, link, r, but, false);
}

static bool is_accepted(const struct record *r)
{
	const char *outcome = field_value(r, "outcome");

	return outcome && strcmp(outcome, "accepted") == 0;
}

/* Whether all of r is said of one transaction of that link, which has to be accepted if r is. */
static bool fits_one(const struct drops *d, size_t link, const struct record *r, bool accepted)
{
	for (size_t i = 0; i < d->full.view.count; i++) {
		const struct record *full = &d->full.view.record[i];

		if (d->full.of[i] == link && !full->is_session && (!accepted || is_accepted(full)) && !first_misfit(r, full))
			return true;
	}
	return false;
}

static bool says_nothing(const struct record *r)
{
	return strcmp(field_value(r, "outcome"), "unknown") == 0 && !field_value(r, "mail_from") && !field_value(r, "message_id")
	       && !field_value(r, "rcpt");
}

/* Complete as far as anybody can tell: what a side says last, perhaps to one that is gone, need not be acknowledged by anybody. */
static bool is_whole(const struct drops *d, size_t link, const struct record *r)
{
	static const char *const last[] = { "us", "steps.us", "steps", "end", "auth", "tls_client", "tls_server", NULL };
	const struct record *full = find_same(&d->full, link, r, last);
	const char *steps = field_value(r, "steps");

	return full && (!steps || strncmp(field_value(full, "steps"), steps, strlen(steps)) == 0);
}

static void check_touched(struct drops *d, size_t link, const struct record *r)
{
	bool claims = strcmp(field_value(r, "complete"), "yes") == 0;

	if (claims && !is_whole(d, link, r)) {
		d->counts.false_complete++;
		show(d, "a record that says it is complete", r);
	}
	if (r->is_session)
		return;
	if (is_accepted(r) && !fits_one(d, link, r, true)) {
		d->counts.invented++;
		show(d, "an acceptance that was not seen", r);
	} else if (!says_nothing(r) && !fits_one(d, link, r, false)) {
		d->counts.merged++;
		show(d, "a transaction that is none of the full view", r);
	}
}

/* Of the mails of that link all but what the body loses is there. */
static bool body_kept(const struct drops *d, const struct said *now, size_t link)
{
	static const char *const envelope[] = { "mail_from", "mail_params", "mail_reply", "rcpt", "rcpt.notify", "rcpt.orcpt", "rcpt_count",
		"rcpt_accepted", "outcome", "reply", "queue_id", NULL };

	for (size_t i = 0; i < d->full.view.count; i++)
		if (d->full.of[i] == link && !d->full.view.record[i].is_session && !find_like(now, link, &d->full.view.record[i], envelope, true))
			return false;
	return true;
}

static bool is_touched(const struct drops *d, size_t link)
{
	for (size_t i = 0; i < d->frame_count; i++)
		if (d->frame[i].lost && d->frame[i].link == link)
			return true;
	return link == d->link_count;
}

/* Transaction i of the full view, in a connection that lost a packet. */
static void count_touched(struct drops *d, const struct said *now, size_t i)
{
	static const char *const nothing[] = { NULL };
	/* a hole in the replies may end inside the line behind it, so that this line is no fact: most often the reply to MAIL */
	static const char *const doubts[] = { "transaction", "lmtp", "notes", "complete", "helo", "auth", "us", "mail_reply", "steps", "steps.us", NULL };
	const struct record *r = &d->full.view.record[i];
	bool hit = false;

	for (size_t k = 0; k < d->frame_count; k++)
		hit |= d->frame[k].lost && d->frame[k].link == d->full.of[i] && d->frame[k].time_us >= d->full.span[i][0]
		       && d->frame[k].time_us <= d->full.span[i][1];
	if (hit) {
		d->counts.hit++;
		d->counts.hit_same += find_same(now, d->full.of[i], r, nothing) != NULL;
		return;
	}
	d->counts.neighbours++;
	if (find_same(now, d->full.of[i], r, doubts))
		d->counts.neighbours_same++;
	else if (getenv("DROPS_SHOW"))
		show(d, "a neighbour is otherwise", r);
}

/* Plays without the packets that are marked as lost. */
static void check_loss(struct drops *d, const size_t *lost, size_t count)
{
	static const char *const nothing[] = { NULL };
	struct said now;
	bool *touched = xcalloc(d->link_count + 1, sizeof *touched);

	play(d, &now);
	for (size_t i = 0; i <= d->link_count; i++)
		touched[i] = is_touched(d, i);
	for (size_t i = 0; i < now.view.count; i++)
		if (touched[now.of[i]])
			check_touched(d, now.of[i], &now.view.record[i]);
	for (size_t i = 0; i < d->full.view.count; i++) {
		const struct record *r = &d->full.view.record[i];

		if (r->is_session)
			continue;
		if (touched[d->full.of[i]]) {
			count_touched(d, &now, i);
		} else {
			d->counts.strangers++;
			d->counts.strangers_same += find_same(&now, d->full.of[i], r, nothing) != NULL;
		}
	}
	if (count == 1 && d->frame[lost[0]].in_body) {
		bool kept = body_kept(d, &now, d->frame[lost[0]].link);

		d->counts.bodies++;
		d->counts.bodies_kept += kept;
		if (!kept)
			for (size_t i = 0; i < now.view.count; i++)
				if (now.of[i] == d->frame[lost[0]].link)
					show(d, "a hole in a body cost more", &now.view.record[i]);
	}
	d->counts.plays++;
	free(touched);
	said_fini(&now);
}

static void lose(struct drops *d, const size_t *lost, size_t count)
{
	for (size_t i = 0; i < count; i++)
		d->frame[lost[i]].lost = true;
	check_loss(d, lost, count);
	for (size_t i = 0; i < count; i++)
		d->frame[lost[i]].lost = false;
}

/* ---- what is lost ---- */

/* Two packets of one connection, every other time; else any two. */
static void lose_pairs(struct drops *d, uint64_t count, uint64_t seed)
{
	for (uint64_t n = 0; n < count; n++) {
		size_t pair[2] = { chance_next(&seed) % d->frame_count, chance_next(&seed) % d->frame_count };

		while (n % 2 && (d->frame[pair[1]].link != d->frame[pair[0]].link || pair[0] == pair[1]))
			pair[1] = (pair[1] + 1) % d->frame_count;
		lose(d, pair, 2);
	}
}

static unsigned tests;

static void test(bool good, const char *what, const char *path)
{
	printf("%s %u - %s: %s\n", good ? "ok" : "not ok", ++tests, path, what);
}

static void report(const struct drops *d, const char *path, const char *what)
{
	const struct counts *c = &d->counts;

	printf("# %s, %s: %" PRIu64 " plays: merged %" PRIu64 ", invented acceptances %" PRIu64 ", falsely complete %" PRIu64 "\n", path, what, c->plays,
	       c->merged, c->invented, c->false_complete);
	printf("#   transactions: of other connections %" PRIu64 ", identical %" PRIu64 "; beside the loss %" PRIu64 ", the same but for doubts %" PRIu64
	       "; hit %" PRIu64 ", identical %" PRIu64 "; in the body alone %" PRIu64 ", envelope and reply kept %" PRIu64 "\n", c->strangers,
	       c->strangers_same, c->neighbours, c->neighbours_same, c->hit, c->hit_same, c->bodies, c->bodies_kept);
	test(c->plays > 0 && c->merged == 0, "no mails are merged", what);
	test(c->plays > 0 && c->invented == 0, "no acceptance is invented", what);
	test(c->plays > 0 && c->false_complete == 0, "what says it is complete is", what);
	test(c->bodies == c->bodies_kept, "a hole in a body keeps envelope and final reply", what);
	test(c->strangers_same == c->strangers, "connections that lost nothing are as they were", what);
	test(c->neighbours_same * 100 >= c->neighbours * 99, "99 of 100 mails beside the loss are as they were", what);
}

static void drops_fini(struct drops *d)
{
	for (size_t i = 0; i < d->frame_count; i++)
		free(d->frame[i].bytes);
	free(d->frame);
	free(d->link);
	said_fini(&d->full);
}

static void run(const char *path, uint64_t every, uint64_t pairs, uint64_t seed)
{
	struct drops d = { 0 };

	for (size_t i = 0; i < sizeof ports / sizeof *ports; i++)
		d.mail_port[ports[i] / 8] |= (uint8_t)(1 << ports[i] % 8);
	if (!read_capture(&d, path)) {
		test(false, "can be read", path);
		return;
	}
	play(&d, &d.full);
	for (size_t i = seed % every; i < d.frame_count; i += every)
		lose(&d, &i, 1);
	report(&d, path, "one packet lost");
	d.counts = (struct counts){ 0 };
	lose_pairs(&d, pairs, seed);
	report(&d, path, "two packets lost");
	drops_fini(&d);
}

static int usage(void)
{
	fputs("usage: drops [--every N] [--pairs N] [--seed N] FILE...\n", stderr);
	return 64;
}

int main(int argc, char **argv)
{
	uint64_t every = 1, pairs = 1000, seed = 1;
	int files = 0;

	for (int i = 1; i < argc; i++) {
		struct { const char *name; uint64_t *value; } options[] = { { "--every", &every }, { "--pairs", &pairs }, { "--seed", &seed } };
		bool found = false;

		for (size_t k = 0; k < sizeof options / sizeof *options && !found; k++)
			if (strcmp(argv[i], options[k].name) == 0 && argv[i + 1]) {
				*options[k].value = strtoull(argv[++i], NULL, 10);
				found = true;
			}
		if (found)
			continue;
		if (argv[i][0] == '-' || every == 0)
			return usage();
		run(argv[i], every, pairs, seed);
		files++;
	}
	printf("1..%u\n", tests);
	return files ? 0 : usage();
}
