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
#include <unistd.h>

#include "common/config.h"
#include "common/timefmt.h"
#include "sensor/capture.h"
#include "sensor/decode.h"
#include "sensor/limits.h"
#include "sensor/options.h"
#include "sensor/pipeline.h"
#include "sensor/sandbox.h"
#include "sensor/source.h"
#include "sensor/store.h"

enum { PROGRESS_US = 200000, TICK_FRAMES = 4096, STORE_CACHE_BYTES = 64 * 1024 * 1024 };

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

static size_t pipeline_memory(const struct config *c)
{
	size_t rest = LIMIT_QUEUE_BYTES + STORE_CACHE_BYTES;

	return c->capture.memory_bytes > 2 * rest ? c->capture.memory_bytes - rest : c->capture.memory_bytes / 2;
}

static struct pipeline *start_pipeline(const struct config *c, const struct fact_sink *sink)
{
	struct pipeline_options o = { .ports = c->capture.ports, .port_count = c->capture.port_count, .key_vlan = c->capture.key_vlan,
				      .tunnels = { !c->capture.tunnels.any, c->capture.tunnels.networks.item, c->capture.tunnels.networks.count },
				      .memory_bytes = pipeline_memory(c), .interface = "file" };

	if (getrandom(&o.hash_key, sizeof o.hash_key, 0) != (ssize_t)sizeof o.hash_key)
		o.hash_key.k[0] = (uint64_t)time_now_us();
	return pipeline_new(&o, sink);
}

static void show_progress(const struct capture *c, const struct pipeline_totals *t)
{
	uint64_t total = capture_bytes_total(c), read = capture_bytes_read(c);

	fprintf(stderr, "\r%s  %3u%%  %llu sessions, %llu mails\033[K", capture_current_file(c) ? capture_current_file(c) : "",
		total ? (unsigned)(read * 100 / total) : 0, (unsigned long long)t->sessions, (unsigned long long)t->transactions);
}

/* While a pipe is waited for; arg: the store, NULL before it is open. */
static bool keep_reading(void *arg)
{
	struct store *s = *(struct store **)arg;

	if (s)
		store_tick(s, (uint64_t)time_now_us());
	return !stop_signal && !(s && store_gave_up(s));
}

static void run_frames(struct capture *c, struct pipeline *p, struct store *s, bool progress)
{
	struct capture_frame frame;
	struct pipeline_totals totals;
	uint64_t shown_us = 0;

	for (unsigned n = 1; !stop_signal && capture_next(c, &frame) == 1; n++) {
		pipeline_frame(p, frame.linktype, frame.bytes, frame.captured, frame.length, frame.time_us);
		if (n % TICK_FRAMES)
			continue;
		if (!keep_reading(&s))
			break;
		uint64_t wall = (uint64_t)time_now_us();
		if (!progress || wall < shown_us + PROGRESS_US)
			continue;
		shown_us = wall;
		pipeline_totals(p, &totals);
		show_progress(c, &totals);
	}
	if (progress)
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

/* Frames -> facts, until the files end. An exit code; *end is for store_close. */
static int read_frames(struct options *o, struct capture *c, struct store *s, const char **end)
{
	struct fact_sink sink = { put_transaction, put_session, put_capture, s };
	struct pipeline *p = start_pipeline(o->config, &sink);
	struct pipeline_totals totals;
	int rc = 0;

	run_frames(c, p, s, o->progress);
	pipeline_totals(p, &totals);
	pipeline_finish(p, &totals);
	report_totals(&totals);
	if (capture_problem(c)) {
		fprintf(stderr, "%s\n", capture_problem(c));
		*end = "damaged";
		rc = EX_DATAERR;
	}
	if (stop_signal || store_gave_up(s))
		*end = "stopped";
	else if (store_end_source(s, capture_problem(c) != NULL))
		rc = EX_IOERR;
	return rc;
}

/* What a run reads, told before the sandbox keeps us from the files. */
struct source {
	char *fingerprint, *names;
};

/* Everything between the open and the closed store. */
static int read_into_store(struct options *o, struct capture *c, const struct source *source, struct store *s)
{
	const char *end = "done";
	int rc = 0, begun = store_begin_source(s, source->fingerprint, source->names);

	if (begun < 0)
		rc = EX_IOERR;
	else if (begun)
		rc = read_frames(o, c, s, &end);
	else
		fprintf(stderr, "bouncetapd: already in the store, nothing to do: %s\n", source->names);
	return store_close(s, end) ? EX_IOERR : rc;
}

static bool reads_standard_input(const struct options *o)
{
	for (size_t i = 0; i < o->file_count; i++)
		if (o->files[i][0] == '-' && !o->files[i][1])
			return true;
	return false;
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
static int read_capture(struct options *o, struct capture *c, struct store **s)
{
	const char *const *paths = capture_paths(c);
	struct source source = { o->filter ? NULL : source_fingerprint(paths, o->file_count), source_names(paths, o->file_count) };
	struct store_options so = { .dir = o->config->store.dir, .privacy = o->config->privacy.addresses, .subject = o->config->privacy.subject,
				    .sensor = o->config->capture.sensor, .live = false, .once = reads_standard_input(o), .stop = &stop_signal,
				    .version = VERSION };
	char error[1024];
	int rc = enter_sandbox(o->config);

	if (rc)
		goto out;
	*s = store_open(&so, error, sizeof error, &rc);
	if (*s)
		rc = read_into_store(o, c, &source, *s);
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
	struct store *s = NULL;
	int rc = EX_SOFTWARE;

	if (o->file_count == 0) {
		fputs("bouncetapd: nothing to read: name a capture file with -r\n", stderr);
		return EX_USAGE;
	}
	capture_on_wait(keep_reading, &s);
	struct capture *c = capture_open_files(o->files, o->file_count, o->filter, error, sizeof error, &rc);
	if (!c && stop_signal)
		return 0;
	if (!c) {
		fprintf(stderr, "bouncetapd: %s\n", error);
		return rc;
	}
	rc = read_capture(o, c, &s);
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
