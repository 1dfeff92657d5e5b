/*
 * history.c - facts of days or weeks of mail, put into a store by the sensor's own store code: what analyze has to cope with.
 *
 *   history DIR [transactions=N] [servers=N] [seconds=N] [after=SECONDS] [seed=N]
 *
 * A network of mail servers (192.0.2.0/24, campus.example; transactions=2000000, servers=20, seconds=604800): a quarter of them take mail for anybody and
 * bounce it. Stories follow each other: mail from outside and to it, spam, what is refused inside and bounced, autoreplies, callouts, a newsletter of one
 * Message-ID, bounces to its sender, and a joe-job: one victim of ever more bounces. after: the first one begins so long after the usual time, so
 * that a second run adds to the store. The same seed gives the same facts.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"
#include "sensor/command.h"
#include "sensor/store.h"
#include "tests/bench/generate_random.h"

#define BEGIN_US UINT64_C(1794787200000000)

struct plan {
	unsigned long transactions, servers, seconds, after, seed;
};

struct history {
	struct plan plan;
	struct rng rng;
	struct store_feed *feed;
	uint64_t now_us, sessions;
	unsigned long put;
	unsigned long serial;	/* of mails, for their ids */
};

/* One dialogue of one mail; what is left out is as in an accepted mail of a stranger. */
struct mail {
	const char *src, *dest, *helo, *from, *to;
	uint16_t port, code;		/* 25; of the deciding reply: 250 */
	const char *reply, *params;
	bool no_data, auth;
	const char *id, *from_header, *subject, *answers, *auto_submitted, *received_ip;
	const char *bounced_id, *bounced_to, *mta;	/* of a report */
};

static struct text text(const char *s)
{
	return s ? (struct text){ s, (uint32_t)strlen(s) } : (struct text){ 0 };
}

/* A text that lasts for some more of them. */
__attribute__((format(printf, 1, 2))) static char *line(const char *format, ...)
{
	static char lines[64][96];
	static unsigned at;
	char *out = lines[at++ % 64];
	va_list ap;

	va_start(ap, format);
	vsnprintf(out, sizeof lines[0], format, ap);
	va_end(ap);
	return out;
}

static void read_ip(const char *s, struct ip_addr *out)
{
	if (ip_parse(s, strlen(s), out))
		abort();
}

/* "<a@b>" as the sensor keeps a Message-ID: without the brackets. */
static struct text bare(const char *id)
{
	struct text t = text(id);

	return t.len > 2 ? (struct text){ t.p + 1, t.len - 2 } : t;
}

static void add_verb(struct fact_steps *steps, enum verb verb, uint32_t at_us)
{
	steps->step[steps->count++] = (struct fact_step){ .verb = (uint8_t)verb, .side = SIDE_CLIENT, .offset_us = at_us };
}

static void add_reply(struct fact_steps *steps, uint16_t code, uint32_t at_us)
{
	steps->step[steps->count++] = (struct fact_step){ .code = code, .side = SIDE_SERVER, .offset_us = at_us };
}

static void make_steps(struct fact_transaction *t, const struct mail *m, bool rcpt_refused)
{
	add_verb(&t->steps, VERB_MAIL, 0);
	add_reply(&t->steps, 250, 1000);
	add_verb(&t->steps, VERB_RCPT, 2000);
	add_reply(&t->steps, rcpt_refused ? t->reply.code : 250, 3000);
	if (!m->no_data) {
		add_verb(&t->steps, VERB_DATA, 4000);
		add_reply(&t->steps, 354, 5000);
		add_verb(&t->steps, VERB_DATA_END, 6000);
		add_reply(&t->steps, t->reply.code, 7000);
	} else
		add_verb(&t->steps, VERB_QUIT, 4000);
}

static void put(struct history *h, const struct mail *m)
{
	struct fact_session s = { .started_us = h->now_us, .ended_us = h->now_us + 30000, .end = END_FIN, .outcome = SESSION_MAIL, .tls = TLS_NONE,
		.src_port = (uint16_t)(20000 + h->sessions % 40000), .dest_port = m->port ? m->port : 25, .auth = m->auth ? TRI_TRUE : TRI_FALSE, .packets = 30,
		.transaction_count = 1, .bytes_toserver = 4000, .bytes_toclient = 500, .complete = true, .helo_verb = TEXT("EHLO"), .helo = text(m->helo),
		.ehlo_keywords = TEXT("PIPELINING\nSIZE 10240000\nSTARTTLS\nENHANCEDSTATUSCODES\n8BITMIME"),
		.banner = { 220, { 0 }, text(line("mx%lu.campus.example ESMTP Postfix", strtoul(m->dest + 8, NULL, 10))) } };
	struct fact_step steps[16];
	uint16_t code = m->code ? m->code : 250;
	bool rcpt_refused = code >= 400 && m->no_data, left = m->no_data && code < 400;
	struct fact_recipient rcpt = { .address = text(m->to), .reply = { rcpt_refused ? code : 250, { 0 }, rcpt_refused ? text(m->reply) : TEXT("Ok") } };
	struct fact_received received = { .from_host = text(m->helo), .by_host = TEXT("mx.campus.example"), .with = TEXT("ESMTP"), .id = text(m->id) };
	struct fact_report_recipient bounced = { .final_recipient = text(m->bounced_to), .action = TEXT("failed"), .status = TEXT("5.1.1"),
		.diagnostic_type = TEXT("smtp"), .diagnostic = TEXT("550 5.1.1 User unknown in local recipient table") };
	struct fact_report report = { .type = REPORT_DELIVERY_STATUS, .in_multipart_report = true, .reporting_mta = text(m->mta), .recipient = &bounced,
		.recipient_count = 1, .recipient_total = 1 };
	struct fact_returned returned = { .seen = true, .message_id = bare(m->bounced_id), .from = text(m->to), .to = text(m->bounced_to),
		.subject = TEXT("an offer"), .return_path = text(m->to) };
	struct fact_message message = { .message_id = bare(m->id), .from = text(m->from_header ? m->from_header : m->from), .to = text(m->to),
		.subject = text(m->subject), .in_reply_to = text(m->answers), .auto_submitted = text(m->auto_submitted),
		.content_type = m->mta ? TEXT("multipart/report") : TEXT("text/plain"), .headers_complete = true, .report = m->mta ? &report : NULL,
		.returned = m->bounced_id ? &returned : NULL };
	struct fact_transaction t = { .session = &s, .ordinal = 1, .started_us = h->now_us + 5000, .ended_us = h->now_us + 20000, .helo = text(m->helo),
		.tls = TLS_NONE, .auth = s.auth, .mail_from = text(m->from), .mail_params = text(m->params ? m->params : "SIZE=4000"),
		.mail_reply = { 250, TEXT("2.1.0"), TEXT("Ok") }, .rcpt = &rcpt, .rcpt_kept = 1, .rcpt_count = 1, .rcpt_accepted = !rcpt_refused,
		.outcome = left ? OUTCOME_ABORTED : code < 400 ? OUTCOME_ACCEPTED : OUTCOME_REJECTED, .reply = { code, { 0 }, text(m->reply) },
		.mail_us = h->now_us + 5000, .data_end_us = h->now_us + 15000, .reply_us = h->now_us + 20000, .steps = { steps, 0, 16 }, .complete = true };

	read_ip(m->src, &s.src_ip);
	read_ip(m->dest, &s.dest_ip);
	s.client_isn = (uint32_t)rng_next(&h->rng) | 1;
	s.server_isn = (uint32_t)rng_next(&h->rng) | 1;
	for (int i = 0; i < SESSION_ID_BYTES; i += 8)
		memcpy(s.session_id + i, &(uint64_t){ rng_next(&h->rng) }, 8);
	if (m->received_ip) {
		read_ip(m->received_ip, &received.from_ip);
		message.received = &received;
		message.received_count = 1;
	}
	if (!m->no_data) {
		t.message = &message;
		t.has_data = true;
		t.size_bytes = t.bytes_seen = 4000;
		t.queue_id = text(line("4F%08lX", h->serial));
	}
	make_steps(&t, m, rcpt_refused);
	store_put_transaction(h->feed, &t);
	store_put_session(h->feed, &s);
	h->sessions++;
	h->put++;
	h->serial++;
	h->now_us += 50000;
}

static unsigned long below(struct history *h, unsigned long n)
{
	return rng_below(&h->rng, (uint32_t)n);
}

/* The network: the first quarter of the servers take everything, the last one keeps the mailboxes. */
static char *server(struct history *h, unsigned long n)
{
	return line("192.0.2.%lu", 10 + n % h->plan.servers);
}

static char *server_name(struct history *h, unsigned long n)
{
	return line("mx%lu.campus.example", 10 + n % h->plan.servers);
}

static char *stranger(struct history *h)
{
	unsigned long net = below(h, 200), host = 1 + below(h, 250);

	return line("198.18.%lu.%lu", net, host);
}

static void mail_from_outside(struct history *h)
{
	unsigned long n = below(h, h->plan.servers - 1), who = below(h, 100000), user = below(h, 5000);
	char *from = line("writer%lu@partner.example", who), *to = line("user%lu@campus.example", user), *id = line("<%lu.in@partner.example>", h->serial);
	struct mail m = { .src = line("203.0.113.%lu", 1 + who % 250), .dest = server(h, n), .helo = "out.partner.example", .from = from, .to = to, .id = id,
		.subject = "report", .reply = "2.0.0 Ok: queued" };

	put(h, &m);
	if (rng_chance(&h->rng, 0.4)) {
		m.received_ip = m.src;
		m.src = m.dest;
		m.helo = server_name(h, n);
		m.dest = server(h, h->plan.servers - 1);
		put(h, &m);
	}
	if (rng_chance(&h->rng, 0.05)) {	/* out of office */
		put(h, &(struct mail){ .src = server(h, n), .dest = line("203.0.113.%lu", 1 + who % 250), .helo = server_name(h, n), .from = "", .to = from,
				       .id = line("<%lu.away@campus.example>", h->serial), .from_header = to, .subject = "Out of office", .answers = id,
				       .auto_submitted = "auto-replied", .reply = "2.0.0 Ok" });
	}
}

static void mail_to_outside(struct history *h)
{
	unsigned long n = below(h, h->plan.servers - 1), who = below(h, 5000);
	char *desk = line("192.0.2.%lu", 100 + who % 150);
	struct mail m = { .src = desk, .dest = server(h, n), .helo = line("desk%lu.campus.example", who % 150), .port = 587, .auth = true,
		.from = line("user%lu@campus.example", who), .to = line("writer%lu@partner.example", below(h, 100000)),
		.id = line("<%lu.out@campus.example>", h->serial), .subject = "answer", .reply = "2.0.0 Ok: queued" };

	put(h, &m);
	m.received_ip = desk;
	m.src = m.dest;
	m.dest = line("203.0.113.%lu", 1 + below(h, 250));
	m.helo = server_name(h, n);
	m.port = 25;
	m.auth = false;
	if (rng_chance(&h->rng, 0.03)) {
		m.code = 550;
		m.no_data = true;
		m.reply = "5.1.1 User unknown";
	}
	put(h, &m);
}

/* Taken from a forged sender, refused by the hop behind, bounced to the victim. */
static void backscatter(struct history *h, const char *victim)
{
	unsigned long n = below(h, h->plan.servers / 4 ? h->plan.servers / 4 : 1), user = below(h, 100000);
	char *to = line("nobody%lu@campus.example", user), *id = line("<%lu.spam@bot.invalid>", h->serial);
	struct mail spam = { .src = stranger(h), .dest = server(h, n), .helo = line("host%lu.access.invalid", user % 1000), .from = victim, .to = to, .id = id,
		.subject = "an offer", .reply = "2.0.0 Ok: queued" };
	struct mail refused = { .src = server(h, n), .dest = server(h, h->plan.servers - 1), .helo = server_name(h, n), .from = victim, .to = to, .code = 550,
		.no_data = true, .reply = "5.1.1 User unknown in local recipient table" };
	struct mail bounce = { .src = server(h, n), .dest = line("198.51.100.%lu", 1 + user % 250), .helo = server_name(h, n), .from = "", .to = victim,
		.id = line("<%lu.bounce@campus.example>", h->serial), .from_header = line("MAILER-DAEMON@mx%lu.campus.example", 10 + n),
		.subject = "Undelivered Mail Returned to Sender", .auto_submitted = "auto-replied", .bounced_id = id, .bounced_to = to, .mta = server_name(h, n),
		.reply = "2.0.0 Ok" };

	put(h, &spam);
	put(h, &refused);
	if (rng_chance(&h->rng, 0.3)) {		/* the victim's server refuses it */
		bounce.code = 550;
		bounce.no_data = true;
		bounce.reply = "5.1.1 User unknown";
		bounce.params = "SIZE=6000";
	}
	put(h, &bounce);
}

static void refused_spam(struct history *h)
{
	put(h, &(struct mail){ .src = stranger(h), .dest = server(h, below(h, h->plan.servers - 1)), .helo = "dsl.access.invalid",
			       .from = line("forged%lu@bystander.example", below(h, 100000)), .to = line("nobody%lu@campus.example", below(h, 100000)),
			       .code = 550, .no_data = true, .reply = "5.1.1 User unknown" });
}

static void callout(struct history *h)
{
	unsigned long n = below(h, h->plan.servers - 1), who = below(h, 100000);
	char *from = line("asked%lu@bystander.example", who);

	put(h, &(struct mail){ .src = stranger(h), .dest = server(h, n), .helo = "dsl.access.invalid", .from = from,
			       .to = line("user%lu@campus.example", below(h, 5000)), .code = 550, .no_data = true, .reply = "5.1.8 Sender unknown" });
	put(h, &(struct mail){ .src = server(h, n), .dest = line("198.51.100.%lu", 1 + who % 250), .helo = server_name(h, n), .from = "", .to = from,
			       .code = 550, .no_data = true, .params = "", .reply = "5.1.1 User unknown" });
}

/* A mailing of one Message-ID, and bounces to its sender. */
static void newsletter(struct history *h)
{
	unsigned long who = below(h, 100000);

	put(h, &(struct mail){ .src = server(h, 4), .dest = line("203.0.113.%lu", 1 + who % 250), .helo = server_name(h, 4), .from = "news@campus.example",
			       .to = line("writer%lu@partner.example", who), .id = line("<%lu.news@campus.example>", h->serial / 500000), .subject = "News",
			       .reply = "2.0.0 Ok" });
	if (who % 20 == 0)
		put(h, &(struct mail){ .src = line("203.0.113.%lu", 1 + who % 250), .dest = server(h, 4), .helo = "out.partner.example", .from = "",
				       .to = "news@campus.example", .id = line("<%lu.bounce@partner.example>", h->serial), .from_header = "MAILER-DAEMON@partner.example",
				       .subject = "Undelivered Mail", .auto_submitted = "auto-replied", .bounced_id = line("<%lu.news@campus.example>", h->serial / 500000),
				       .bounced_to = line("writer%lu@partner.example", who), .mta = "out.partner.example", .reply = "2.0.0 Ok" });
}

static void tell_story(struct history *h)
{
	unsigned long dice = below(h, 100);

	if (dice < 40)
		mail_from_outside(h);
	else if (dice < 65)
		mail_to_outside(h);
	else if (dice < 80)
		refused_spam(h);
	else if (dice < 83)
		backscatter(h, line("victim%lu@bystander.example", below(h, 20000)));
	else if (dice < 84)
		backscatter(h, "joe@victim.example");
	else if (dice < 88)
		callout(h);
	else
		newsletter(h);
}

static int read_arguments(struct plan *p, int argc, char **argv)
{
	*p = (struct plan){ 2000000, 20, 604800, 0, 1 };
	for (int i = 2; i < argc; i++) {
		static const struct {
			const char *key;
			size_t at;
		} keys[] = { { "transactions=", offsetof(struct plan, transactions) }, { "servers=", offsetof(struct plan, servers) },
			     { "seconds=", offsetof(struct plan, seconds) }, { "after=", offsetof(struct plan, after) }, { "seed=", offsetof(struct plan, seed) } };
		size_t k = 0;

		while (k < sizeof keys / sizeof *keys && strncmp(argv[i], keys[k].key, strlen(keys[k].key)) != 0)
			k++;
		if (k == sizeof keys / sizeof *keys)
			return -1;
		memcpy((char *)p + keys[k].at, &(unsigned long){ strtoul(strchr(argv[i], '=') + 1, NULL, 10) }, sizeof(unsigned long));
	}
	return argc < 2 || p->servers < 6 || p->servers > 80 || !p->transactions || !p->seconds ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct history h = { 0 };
	char error[1024];
	int code = 70;

	if (read_arguments(&h.plan, argc, argv)) {
		fputs("usage: see tests/bench/history.c\n", stderr);
		return 64;
	}
	struct store_options o = { .dir = argv[1], .subject = SUBJECT_ALL, .sensor = "history", .version = "0" };
	struct store *store = store_open(&o, error, sizeof error, &code);
	if (!store) {
		fprintf(stderr, "history: %s\n", error);
		return code;
	}
	rng_seed(&h.rng, h.plan.seed);
	if (store_begin_source(store, line("history %lu", h.plan.after * 1000 + h.plan.seed), "history") != STORE_SOURCE_TO_READ)
		return 70;
	h.feed = store_feed_new(store);
	h.serial = h.plan.after * 1000;
	uint64_t begin_us = BEGIN_US + h.plan.after * 1000000, span_us = h.plan.seconds * UINT64_C(1000000);
	while (h.put < h.plan.transactions) {
		h.now_us = begin_us + span_us / h.plan.transactions * h.put;
		tell_story(&h);
	}
	store_feed_free(h.feed);
	store_end_source(store, false);
	return store_close(store, "done") ? 74 : 0;
}
