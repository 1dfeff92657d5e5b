/*
 * main.c - bouncetapd: start order, main loop, signals. Knows nothing of mail.
 *
 * Start order: configuration, capture files, sandbox, store; then frames go through the pipeline into the store until the files end.
 * Nothing else can be opened behind the sandbox. Threads start behind it: Landlock holds for the thread that asked for it and its children.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "common/config.h"
#include "common/timefmt.h"
#include "common/xmalloc.h"
#include "sensor/capture.h"
#include "sensor/decode.h"
#include "sensor/limits.h"
#include "sensor/options.h"
#include "sensor/pace.h"
#include "sensor/pipeline.h"
#include "sensor/sandbox.h"
#include "sensor/source.h"
#include "sensor/store.h"

enum { PROGRESS_US = 200000, TICK_FRAMES = 4096, PACE_LEAST_US = 1000, PACE_MOST_US = 50000, STORE_CACHE_BYTES = 64 * 1024 * 1024 };

static volatile sig_atomic_t stop_signal;

static void on_signal(int number)
{
	stop_signal = number;
}

static void put_transaction(void *arg, const struct fact_transaction *t)
{
	store_put_transaction(arg, t);
}

static void put_session(void *arg, const struct fact_session *s)
{
	store_put_session(arg, s);
}

static void put_capture(void *arg, const struct fact_capture *c)
{
	store_put_capture(arg, c);
}

static void put_tick(void *arg, uint64_t wall_us)
{
	store_tick(arg, wall_us);
}

/* Where facts go: a sink and a feed for each worker. */
struct output {
	struct store *store;		/* NULL before it is open */
	struct pipeline *pipeline;	/* NULL before frames come */
	struct fact_sink *sinks;
	unsigned workers;
};

static void output_begin(struct output *out, unsigned workers)
{
	out->workers = workers;
	out->sinks = xreallocarray(NULL, workers, sizeof *out->sinks);
	for (unsigned i = 0; i < workers; i++)
		out->sinks[i] = (struct fact_sink){ put_transaction, put_session, put_capture, store_feed_new(out->store), put_tick };
}

static void output_end(struct output *out)
{
	for (unsigned i = 0; i < out->workers; i++)
		store_feed_free(out->sinks[i].arg);
	free(out->sinks);
}

static size_t pipeline_memory(const struct config *c)
{
	size_t rest = LIMIT_QUEUE_BYTES + STORE_CACHE_BYTES;

	return c->capture.memory_bytes > 2 * rest ? c->capture.memory_bytes - rest : c->capture.memory_bytes / 2;
}

static struct pipeline *start_pipeline(const struct config *c, const struct fact_sink *sinks)
{
	static const char *const interfaces[] = { "file" };
	struct pipeline_options o = { .ports = c->capture.ports, .port_count = c->capture.port_count, .key_vlan = c->capture.key_vlan,
				      .tunnels = { !c->capture.tunnels.any, c->capture.tunnels.networks.item, c->capture.tunnels.networks.count },
				      .workers = c->capture.workers, .memory_bytes = pipeline_memory(c), .interfaces = interfaces,
				      .interface_count = 1 };

	if (getrandom(&o.hash_key, sizeof o.hash_key, 0) != (ssize_t)sizeof o.hash_key)
		o.hash_key.k[0] = (uint64_t)time_now_us();
	return pipeline_new(&o, sinks);
}

static void show_progress(const struct capture *c, const struct pipeline_totals *t)
{
	uint64_t total = capture_bytes_total(c), read = capture_bytes_read(c);

	fprintf(stderr, "\r%s  %3u%%  %llu sessions, %llu mails\033[K", capture_current_file(c) ? capture_current_file(c) : "",
		total ? (unsigned)(read * 100 / total) : 0, (unsigned long long)t->sessions, (unsigned long long)t->transactions);
}

/* While a pipe is waited for, and now and then. */
static bool keep_reading(void *arg)
{
	const struct output *out = arg;

	if (out->pipeline)
		pipeline_tick(out->pipeline, (uint64_t)time_now_us());
	return !stop_signal && !(out->store && store_gave_up(out->store));
}

/* With --speed: until the frame is due, but for less than is worth a sleep. False: no more are wanted. */
static bool wait_until_due(struct output *out, struct pace *pace, uint64_t time_us)
{
	for (;;) {
		struct timespec t;

		clock_gettime(CLOCK_MONOTONIC, &t);
		uint64_t wait_us = pace_wait_us(pace, time_us, (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000);
		if (wait_us < PACE_LEAST_US)
			return true;
		if (!keep_reading(out))
			return false;
		t = (struct timespec){ 0, (long)(wait_us < PACE_MOST_US ? wait_us : PACE_MOST_US) * 1000 };
		nanosleep(&t, NULL);
	}
}

/* Those that are there without waiting for more; paced, one when it is due. 0: the end. */
static size_t next_frames(struct capture *c, struct output *out, struct pace *pace, struct capture_frame frames[PIPELINE_FRAMES])
{
	size_t n = 0;

	if (capture_next(c, &frames[0]) != 1)
		return 0;
	if (pace->speed > 0)
		return wait_until_due(out, pace, frames[0].time_us);
	do
		n++;
	while (n < PIPELINE_FRAMES && capture_more(c, &frames[n]));
	return n;
}

static void run_frames(const struct options *o, struct capture *c, struct output *out)
{
	struct pace pace = { .speed = o->speed };
	struct pipeline *p = out->pipeline;
	struct capture_frame frames[PIPELINE_FRAMES];
	struct pipeline_totals totals;
	uint64_t shown_us = 0;
	size_t ticked = 0, n;

	while (!stop_signal && (n = next_frames(c, out, &pace, frames))) {
		pipeline_frames(p, frames, n);
		ticked += n;
		if (ticked < TICK_FRAMES && pace.speed == 0)
			continue;
		ticked = 0;
		if (!keep_reading(out))
			break;
		uint64_t wall = (uint64_t)time_now_us();
		if (!o->progress || wall < shown_us + PROGRESS_US)
			continue;
		shown_us = wall;
		pipeline_totals(p, &totals);
		show_progress(c, &totals);
	}
	if (o->progress)
		fputs("\r\033[K", stderr);
}

static void report_totals(const struct pipeline_totals *t)
{
	fprintf(stderr, "bouncetapd: %llu packets, %llu sessions, %llu mail transactions", (unsigned long long)t->frames,
		(unsigned long long)t->sessions, (unsigned long long)t->transactions);
	if (t->unseen_bytes)
		fprintf(stderr, "; %llu bytes were not captured", (unsigned long long)t->unseen_bytes);
	if (t->evicted)
		fprintf(stderr, "; %llu connections dropped for memory", (unsigned long long)t->evicted);
	uint64_t odd = t->decoded[DECODE_SHORT] + t->decoded[DECODE_BAD];
	if (odd)
		fprintf(stderr, "; %llu damaged packets", (unsigned long long)odd);
	if (t->decoded[DECODE_TUNNEL])
		fprintf(stderr, "; %llu packets in tunnels that [capture] tunnels does not name", (unsigned long long)t->decoded[DECODE_TUNNEL]);
	uint64_t fragments = t->ip.lost + t->ip.odd;
	if (fragments)
		fprintf(stderr, "; %llu of %llu IP fragments could not be put together", (unsigned long long)fragments,
			(unsigned long long)t->ip.fragments);
	fputc('\n', stderr);
}

/* Frames -> facts, until the files end. False: it could not begin. */
static bool make_facts(struct options *o, struct capture *c, struct output *out)
{
	struct pipeline_totals totals;

	output_begin(out, o->config->capture.workers);
	out->pipeline = start_pipeline(o->config, out->sinks);
	bool begun = out->pipeline != NULL;
	if (begun) {
		run_frames(o, c, out);
		pipeline_finish(out->pipeline, &totals);
		report_totals(&totals);
	} else {
		fprintf(stderr, "bouncetapd: no room for %u threads: name fewer --workers\n", out->workers);
	}
	out->pipeline = NULL;
	output_end(out);
	return begun;
}

/* An exit code; *end is for store_close. */
static int read_frames(struct options *o, struct capture *c, struct output *out, const char **end)
{
	int rc = 0;

	if (!make_facts(o, c, out)) {
		*end = "stopped";
		return EX_OSERR;
	}
	if (capture_problem(c)) {
		fprintf(stderr, "%s\n", capture_problem(c));
		*end = "damaged";
		rc = EX_DATAERR;
	}
	if (stop_signal || store_gave_up(out->store))
		*end = "stopped";
	else if (store_end_source(out->store, capture_problem(c) != NULL))
		rc = EX_IOERR;
	return rc;
}

/* What a run reads, told before the sandbox keeps us from the files. */
struct source {
	char *fingerprint, *names;
};

/* Everything between the open and the closed store. */
static int read_into_store(struct options *o, struct capture *c, const struct source *source, struct output *out)
{
	const char *end = "done";
	int rc = 0, begun = store_begin_source(out->store, source->fingerprint, source->names);

	if (begun < 0)
		rc = EX_IOERR;
	else if (begun)
		rc = read_frames(o, c, out, &end);
	else
		fprintf(stderr, "bouncetapd: already in the store, nothing to do: %s\n", source->names);
	return store_close(out->store, end) ? EX_IOERR : rc;
}

/* What the kernel lacks is no news to whoever reads a file as a plain user. */
static int enter_sandbox(const struct config *c)
{
	struct sandbox_options so = { .store_dir = c->store.dir };
	char message[1024];
	int failed = sandbox_enter(&so, message, sizeof message);

	if (*message && (failed || geteuid() == 0))
		fprintf(stderr, "bouncetapd: %s\n", message);
	return failed ? EX_CANTCREAT : 0;
}

/* From the open capture on: what strangers wrote is only looked at inside the sandbox. */
static int read_capture(struct options *o, struct capture *c, struct output *out)
{
	const char *const *paths = capture_paths(c);
	struct source source = { o->filter ? NULL : source_fingerprint(paths, o->file_count), source_names(paths, o->file_count) };
	struct store_options so = { .dir = o->config->store.dir, .privacy = o->config->privacy.addresses, .subject = o->config->privacy.subject,
				    .sensor = o->config->capture.sensor, .live = false, .once = !source.fingerprint, .stop = &stop_signal,
				    .version = VERSION };
	char error[1024];
	int rc = enter_sandbox(o->config);

	if (rc)
		goto out;
	out->store = store_open(&so, error, sizeof error, &rc);
	if (out->store)
		rc = read_into_store(o, c, &source, out);
	else
		fprintf(stderr, "bouncetapd: %s\n", error);
out:
	free(source.fingerprint);
	free(source.names);
	return rc;
}

static int run(struct options *o)
{
	char error[1024];
	struct output out = { 0 };
	int rc = EX_SOFTWARE;

	if (o->file_count == 0) {
		fputs("bouncetapd: nothing to read: name a capture file with -r\n", stderr);
		return EX_USAGE;
	}
	capture_on_wait(keep_reading, &out);
	struct capture *c = capture_open_files(o->files, o->file_count, o->filter, error, sizeof error, &rc);
	if (!c && stop_signal)
		return 0;
	if (!c) {
		fprintf(stderr, "bouncetapd: %s\n", error);
		return rc;
	}
	rc = read_capture(o, c, &out);
	capture_close(c);
	return rc;
}

static void catch_signals(void)
{
	struct sigaction a = { .sa_handler = on_signal };

	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGINT, &a, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	struct options o;
	int rc = options_parse(&o, argc, argv);

	if (rc == 0 && o.dump_config)
		config_dump(o.config, stdout);
	else if (rc == 0 && o.check_config)
		puts("the configuration is fine");
	else if (rc == 0) {
		catch_signals();
		rc = run(&o);
	}
	options_free(&o);
	return rc < 0 ? 0 : rc;
}
