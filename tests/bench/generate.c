/*
 * generate.c - a span-port capture of mail traffic, and the truth about it. For speed and recall of bouncetapd.
 *
 *   generate --sessions N --seed S [--mix NAME=VALUE,...] [--flows] [--notruth] OUT.pcap [TRUTH]
 *
 * TRUTH.tsv has a line for each SMTP transaction, TRUTH.json counts for each own server; TRUTH is OUT.pcap.truth by default. Own
 * networks are 192.0.2.0/24 and 2001:db8:1::/48. Sessions are written as scripts (generate_smtp, generate_other), lie in a heap by
 * the time of their next packet, and are cut into packets one by one (generate_packet).
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "common/xmalloc.h"
#include "tests/bench/generate_other.h"
#include "tests/bench/generate_packet.h"
#include "tests/bench/generate_session.h"
#include "tests/bench/generate_smtp.h"

static const uint64_t start_us = 1795312800000000;	/* 22 November 2026, 02:00 UTC */
enum { RAMP_US = 2000000, PATH_SIZE = 4096 };

static const struct mix_row {
	const char *name, *help;
	size_t offset;
	double value;
} mix_table[] = {
#define ROW(name, field, value, help) { name, help, offsetof(struct mix, field), value }
	ROW("sessions", sessions, 1000, "at most so many, answers not counted"),
	ROW("maxbytes", max_bytes, 0, "about so many bytes; 0: as many as the sessions take"),
	ROW("seed", seed, 1, "the same seed, the same file"),
	ROW("conc", concurrent, 2000, "sessions open at a time"),
	ROW("rate", rate, 0, "new ones a second instead of conc; 0: off"),
	ROW("peers", peers, 20000, "hosts outside"),
	ROW("own", own_servers, 8, "own servers, at most 64"),
	ROW("inb", inbound, .65, "share of inbound sessions"),
	ROW("v6", ipv6, .1, "share with IPv6"),
	ROW("vlan", tagged, .3, "share with a VLAN tag"),
	ROW("odd", odd_port, 0, "share of SMTP on a port that is not 25"),
	ROW("p25", all_port25, 0, "1, with --flows: every flow on port 25"),
	ROW("tls", starttls, 0, "share of STARTTLS"),
	ROW("callout", callout, .03, "share of sender verification"),
	ROW("reject", reject, .04, "share of sessions whose recipients are refused"),
	ROW("grey", greylist, .02, "share of greylisted sessions"),
	ROW("dsn", bounce, .02, "share of inbound mails that are bounced"),
	ROW("vac", vacation, .01, "share that get an autoreply"),
	ROW("multi", more_mails, .25, "chance of one more mail in a session"),
	ROW("rcptrej", recipient_refused, .08, "share of refused recipients among several"),
	ROW("pipe", pipelined, .6, "share of pipelined envelopes"),
	ROW("bdat", bdat, .08, "share of CHUNKING"),
	ROW("median", median_bytes, 15000, "median size of a mail"),
	ROW("sigma", sigma, 1.35, "spread of the sizes, log-normal"),
	ROW("bg", background, 0, "share of bytes that are not SMTP"),
	ROW("bghttp", http, .35, "share of HTTP among that"),
	ROW("bgdns", dns, .15, "share of DNS among that; the rest is TLS"),
	ROW("half", half_open, 0, "--flows: share of lone SYNs"),
	ROW("nodata", no_data, 0, "--flows: share of silent connections"),
	ROW("idle", idle, 0, "--flows: share of connections that go silent"),
	ROW("ooo", reordered, .0025, "share of segments out of order"),
	ROW("rtx", retransmitted, .0025, "share of segments sent twice"),
	ROW("badrst", reset, .02, "share of connections that end with RST"),
#undef ROW
};
#define MIX_COUNT (sizeof mix_table / sizeof *mix_table)

struct options {
	const char *out, *truth;
	bool flows, no_truth;
};

/* ---- command line ---- */

static double *mix_value(struct mix *m, const struct mix_row *row)
{
	return (double *)(void *)((char *)m + row->offset);
}

static int mix_set(struct mix *m, const char *name, const char *value)
{
	for (size_t i = 0; i < MIX_COUNT; i++) {
		char *end;

		if (strcmp(name, mix_table[i].name) != 0)
			continue;
		*mix_value(m, &mix_table[i]) = strtod(value, &end);
		return *end || end == value ? -1 : 0;
	}
	return -1;
}

/* NAME=VALUE,... ; text is taken apart. */
static int mix_parse(struct mix *m, char *text)
{
	for (char *item = strtok(text, ","); item; item = strtok(NULL, ",")) {
		char *equals = strchr(item, '=');

		if (!equals)
			return -1;
		*equals = '\0';
		if (mix_set(m, item, equals + 1))
			return -1;
	}
	return 0;
}

static int usage(void)
{
	fputs("usage: generate [--NAME VALUE]... [--mix NAME=VALUE,...] [--flows] [--notruth] OUT.pcap [TRUTH]\n\n", stderr);
	for (size_t i = 0; i < MIX_COUNT; i++)
		fprintf(stderr, "  %-9s %-7g %s\n", mix_table[i].name, mix_table[i].value, mix_table[i].help);
	return 64;
}

/* One argument, or two; *i is moved on. */
static int parse_argument(struct options *o, struct mix *m, int *i, char **argv)
{
	const char *name = argv[*i];

	if (strncmp(name, "--", 2) != 0) {
		*(o->out ? &o->truth : &o->out) = name;
		return 0;
	}
	name += 2;
	if (strcmp(name, "flows") == 0 || strcmp(name, "notruth") == 0) {
		*(name[0] == 'f' ? &o->flows : &o->no_truth) = true;
		return 0;
	}
	char *value = argv[++*i];
	if (!value)
		return -1;
	return strcmp(name, "mix") == 0 ? mix_parse(m, value) : mix_set(m, name, value);
}

static int parse_options(struct options *o, struct mix *m, int argc, char **argv)
{
	for (size_t i = 0; i < MIX_COUNT; i++)
		*mix_value(m, &mix_table[i]) = mix_table[i].value;
	for (int i = 1; i < argc; i++)
		if (parse_argument(o, m, &i, argv)) {
			fprintf(stderr, "generate: %s: not understood\n\n", argv[i] ? argv[i] : argv[i - 1]);
			return -1;
		}
	return o->out && m->own_servers >= 1 && m->own_servers <= OWN_SERVERS_MAX ? 0 : -1;
}

/* ---- which session begins when ---- */

struct arrivals {
	struct generator *g;
	struct heap sessions;		/* by their next packet */
	bool flows;
	uint64_t started, next_us, background_bytes;
};

/* An answer that is due before anything else, or when nothing else is left. */
static bool start_follow_up(struct arrivals *a)
{
	struct timed *due = heap_first(&a->g->follow_ups), *now = heap_first(&a->sessions);

	if (!due || (now && due->time_us > now->time_us))
		return false;
	struct follow_up *f = (struct follow_up *)due;
	heap_pop(&a->g->follow_ups);
	heap_push(&a->sessions, &smtp_session(a->g, f->due.time_us, f)->next);
	free(f);
	return true;
}

/* When the next session begins, if that is now. */
static bool next_arrival(struct arrivals *a, uint64_t *time_us)
{
	const struct mix *m = &a->g->mix;
	const struct timed *now = heap_first(&a->sessions);

	if ((double)a->started >= m->sessions || (m->max_bytes > 0 && (double)a->g->planned_bytes >= m->max_bytes))
		return false;
	if (m->rate > 0) {
		if (now && a->next_us > now->time_us)
			return false;
		*time_us = a->next_us;
		a->next_us += (uint64_t)(-log(rng_unit(&a->g->rng) + 1e-12) * 1e6 / m->rate);
		return true;
	}
	if ((double)a->sessions.count >= m->concurrent)
		return false;
	*time_us = now ? now->time_us : start_us;
	if ((double)a->started < m->concurrent)		/* the first ones come one after the other */
		*time_us = start_us + (uint64_t)(rng_unit(&a->g->rng) * RAMP_US);
	return true;
}

static struct session *new_session(struct arrivals *a, uint64_t time_us)
{
	struct generator *g = a->g;
	uint64_t before = g->planned_bytes;

	if (a->flows)
		return flow_session(g, time_us);
	if (g->mix.background <= 0 || (double)a->background_bytes >= g->mix.background * (double)(before + 1))
		return smtp_session(g, time_us, NULL);
	struct session *s = background_session(g, time_us);
	a->background_bytes += g->planned_bytes - before;
	return s;
}

static bool start_session(struct arrivals *a)
{
	uint64_t time_us;

	if (start_follow_up(a))
		return true;
	if (!next_arrival(a, &time_us))
		return false;
	a->started++;
	heap_push(&a->sessions, &new_session(a, time_us)->next);
	return true;
}

static void generate(struct generator *g, struct frame_writer *w, bool flows)
{
	struct arrivals a = { .g = g, .flows = flows, .next_us = start_us };

	for (;;) {
		while (start_session(&a))
			;
		struct session *s = (struct session *)heap_first(&a.sessions);
		if (!s)
			break;
		if (session_step(g, w, s)) {
			heap_settle(&a.sessions);
		} else {
			heap_pop(&a.sessions);
			session_free(s);
		}
	}
	free(a.sessions.items);
	free(g->follow_ups.items);
}

/* ---- truth ---- */

static void print_own_server(FILE *f, const struct generator *g, uint32_t own)
{
	static const char *const directions[] = { "in", "out" };

	fprintf(f, "%s{\"server\":%u,\"v4\":\"192.0.2.%u\",\"v6\":\"2001:db8:1::%x\"", own ? "," : "", own, 10 + own, 10 + own);
	for (int d = 0; d < 2; d++) {
		const struct mail_totals *t = &g->totals.own[own][d];

		fprintf(f, ",\"%s\":{\"messages\":%" PRIu64 ",\"rcpt_ok\":%" PRIu64 ",\"rcpt_rejected\":%" PRIu64 ",\"bytes\":%" PRIu64, directions[d],
			t->messages, t->accepted, t->refused, t->bytes);
		for (int k = 0; k < KIND_COUNT; k++)
			fprintf(f, ",\"%s\":%" PRIu64, mail_kind_names[k], t->kind[k]);
		fputs("}", f);
	}
	fputs("}", f);
}

static void print_totals(FILE *f, const struct generator *g, const struct frame_writer *w)
{
	const struct totals *t = &g->totals;
	const struct { const char *name; uint64_t value; } counts[] = {
		{ "pcap_bytes", w->bytes }, { "packets", w->packets }, { "sessions", g->last_session }, { "smtp_sessions", t->smtp },
		{ "bg_http", t->http }, { "bg_tls", t->tls }, { "bg_dns", t->dns }, { "half_open", t->half_open }, { "idle", t->idle },
		{ "short", t->brief }, { "ooo", t->reordered }, { "rtx", t->retransmitted }, { "bdat", t->bdat },
	};

	fputs("{", f);
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		fprintf(f, "\"%s\":%" PRIu64 ",", counts[i].name, counts[i].value);
	fputs("\"own\":[", f);
	for (uint32_t own = 0; own < (uint32_t)g->mix.own_servers; own++)
		print_own_server(f, g, own);
	fputs("]}\n", f);
}

static FILE *open_truth(const struct options *o, const char *suffix)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s%s%s", o->truth ? o->truth : o->out, o->truth ? "" : ".truth", suffix);
	FILE *f = fopen(path, "w");
	if (!f) {
		perror(path);
		exit(1);
	}
	return f;
}

static void close_written(FILE *f)
{
	int bad = ferror(f);

	if (fclose(f) || bad) {
		perror("generate: truth");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct generator g = { 0 };
	struct frame_writer w = { 0 };
	struct options o = { 0 };

	if (parse_options(&o, &g.mix, argc, argv))
		return usage();
	if (frame_writer_open(&w, o.out)) {
		fprintf(stderr, "generate: %s: %s\n", o.out, strerror(errno));
		return 1;
	}
	if (!o.flows && !o.no_truth) {
		g.truth = open_truth(&o, ".tsv");
		truth_begin(g.truth);
	}
	rng_seed(&g.rng, (uint64_t)g.mix.seed);
	pools_init(&g.pools, &g.rng);
	generate(&g, &w, o.flows);
	if (frame_writer_close(&w)) {
		fprintf(stderr, "generate: %s: %s\n", o.out, strerror(errno));
		return 1;
	}
	if (g.truth)
		close_written(g.truth);
	FILE *totals = open_truth(&o, ".json");
	print_totals(totals, &g, &w);
	close_written(totals);
	pools_fini(&g.pools);
	script_fini(&g.script);
	return 0;
}
