/*
 * feeder.c - puts facts into a store and says how many: what a sensor on a busy tap does, without the tap. Each fact is another one, so that what
 * was put is what is stored plus what is lost, or something is wrong.
 *
 *   feeder [live|once|replay] DIR [count=N] [rate=N] [batch=N] [text=N] [fault=PLAN] [name=N] [privacy=hash]
 *
 * count: facts, 0 (default) until SIGTERM. rate: facts a second, 0 (default) as fast as it goes. batch: cut after so many, 0 (default) once a second.
 * text: bytes of text in each. fault: faults.h. name: makes the ids of this run. SIGUSR1 makes the disk read-only, SIGUSR2 takes that back.
 * Last it prints "put N", "closed 0" or "closed -1", and the calls that reached the disk.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/timefmt.h"
#include "common/xmalloc.h"
#include "sensor/store.h"
#include "tests/stress/faults.h"

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	if (number == SIGUSR1 || number == SIGUSR2)
		faults_read_only(number == SIGUSR1);
	else
		stop = number;
}

struct plan {
	struct store_options store;
	unsigned long count, rate, batch, text, name;
	const char *fault;
};

static int read_arguments(struct plan *p, int argc, char **argv)
{
	if (argc < 3)
		return -1;
	p->store = (struct store_options){ .dir = argv[2], .subject = SUBJECT_ALL, .sensor = "feeder", .version = "0", .stop = &stop,
					   .live = strcmp(argv[1], "live") == 0, .once = strcmp(argv[1], "once") == 0 };
	for (int i = 3; i < argc; i++) {
		const char *value = strchr(argv[i], '=');
		static const struct {
			const char *key;
			size_t at;
		} keys[] = { { "count=", offsetof(struct plan, count) }, { "rate=", offsetof(struct plan, rate) }, { "batch=", offsetof(struct plan, batch) },
			     { "text=", offsetof(struct plan, text) }, { "name=", offsetof(struct plan, name) } };

		if (!value)
			return -1;
		if (strncmp(argv[i], "fault=", 6) == 0)
			p->fault = value + 1;
		if (strcmp(argv[i], "privacy=hash") == 0)
			p->store.privacy = PRIVACY_HASH;
		for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
			if (strncmp(argv[i], keys[k].key, strlen(keys[k].key)) == 0)
				memcpy((char *)p + keys[k].at, &(unsigned long){ strtoul(value + 1, NULL, 10) }, sizeof(unsigned long));
	}
	return faults_set(p->fault);
}

struct feeder {
	const struct plan *plan;
	struct store *store;
	struct store_feed *feed;
	struct ip_addr ip;
	char *text;
	unsigned long put;
};

static struct text named(char *out, size_t size, const char *what, const struct feeder *f)
{
	int n = snprintf(out, size, "%s%lu.%lu@example.org", what, f->plan->name, f->put);

	return (struct text){ out, (uint32_t)n };
}

/* In turns a mail, its session, and after ten of these a minute's counters. */
static void put_one(struct feeder *f)
{
	char from[64], to[64], id[64];
	uint64_t start = UINT64_C(1700000000000000) + f->put * 1000;
	unsigned long n = f->put - f->put % 2;
	struct fact_session s = { .src_ip = f->ip, .dest_ip = f->ip, .src_port = 40000, .dest_port = 25, .started_us = UINT64_C(1700000000000000) + n * 1000, .ended_us = start + 900,
				  .end = END_FIN, .outcome = SESSION_MAIL, .tls = TLS_NONE, .auth = TRI_FALSE, .packets = 20, .transaction_count = 1,
				  .bytes_toserver = f->put, .complete = true, .banner = { 220, { 0 }, TEXT("mx.example.net ESMTP") } };
	struct fact_recipient rcpt = { .address = named(to, sizeof to, "rcpt", f), .reply = { 250, TEXT("2.1.5"), TEXT("ok") } };
	struct fact_message m = { .message_id = named(id, sizeof id, "id", f), .subject = TEXT("x"), .headers_complete = true };
	struct fact_transaction t = { .session = &s, .ordinal = 1, .started_us = start, .ended_us = start + 800, .mail_from = named(from, sizeof from, "from", f),
				      .tls = TLS_NONE, .auth = TRI_FALSE, .rcpt = &rcpt, .rcpt_kept = 1, .rcpt_count = 1, .rcpt_accepted = 1,
				      .outcome = OUTCOME_ACCEPTED, .reply = { 250, { 0 }, { f->text, (uint32_t)f->plan->text } }, .message = &m,
				      .has_data = true, .size_bytes = 1000, .bytes_seen = 1000, .complete = true };
	struct fact_capture c = { .interface = TEXT("eth0"), .start_us = UINT64_C(60000000) * f->put, .end_us = UINT64_C(60000000) * (f->put + 1), .packets = 1 };

	memcpy(s.session_id, &f->plan->name, 8);
	memcpy(s.session_id + 8, &n, sizeof n);
	if (f->put % 20 == 10)
		store_put_capture(f->feed, &c);
	else if (f->put % 2)
		store_put_session(f->feed, &s);
	else
		store_put_transaction(f->feed, &t);
	f->put++;
}

static void feed_all(struct feeder *f)
{
	const struct plan *p = f->plan;
	uint64_t begin = (uint64_t)time_now_us(), wall = begin;

	while (!stop && !store_gave_up(f->store) && (!p->count || f->put < p->count)) {
		if (p->rate && f->put >= (wall - begin) * p->rate / 1000000) {
			nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
			wall = (uint64_t)time_now_us();
			if (!p->batch)
				store_tick(f->feed, wall);
			continue;
		}
		put_one(f);
		if (p->batch && f->put % p->batch == 0)
			store_tick(f->feed, f->put / p->batch * 1000000);
	}
}

int main(int argc, char **argv)
{
	struct plan p = { 0 };
	char error[1024];
	int code = 70;

	if (read_arguments(&p, argc, argv)) {
		fputs("usage: see tests/stress/feeder.c\n", stderr);
		return 64;
	}
	for (const int *s = (const int[]){ SIGTERM, SIGUSR1, SIGUSR2, 0 }; *s; s++)
		sigaction(*s, &(struct sigaction){ .sa_handler = on_signal }, NULL);
	struct feeder f = { .plan = &p, .store = store_open(&p.store, error, sizeof error, &code), .text = xcalloc(1, p.text + 1) };
	if (!f.store) {
		fprintf(stderr, "feeder: %s\n", error);
		free(f.text);
		return code;
	}
	memset(f.text, 'x', p.text);
	ip_parse("192.0.2.1", 9, &f.ip);
	enum store_source begun = store_begin_source(f.store, p.store.live || p.store.once ? NULL : "print", "names");
	f.feed = store_feed_new(f.store);
	if (begun == STORE_SOURCE_TO_READ)
		feed_all(&f);
	store_feed_free(f.feed);
	if (begun == STORE_SOURCE_TO_READ && !stop && !store_gave_up(f.store))
		store_end_source(f.store, false);
	int closed = store_close(f.store, stop ? "stopped" : "done");
	printf("put %lu\nclosed %d\n", f.put, closed);
	faults_print();
	free(f.text);
	return closed ? 74 : 0;
}
