/*
 * main.c - bouncetapd: start order, main loop, signals. Knows nothing of mail.
 *
 * Start order: configuration, interfaces or capture files, sandbox, store; then frames go through the pipeline into the store until the files end
 * or the run is ended.
 * Nothing else can be opened behind the sandbox. Threads start behind it: Landlock holds for the thread that asked for it and its children.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/config.h"
#include "common/timefmt.h"
#include "common/xmalloc.h"
#include "sensor/capture.h"
#include "sensor/capture_live.h"
#include "sensor/decode.h"
#include "sensor/filter.h"
#include "sensor/limits.h"
#include "sensor/live.h"
#include "sensor/notify.h"
#include "sensor/options.h"
#include "sensor/pipeline.h"
#include "sensor/replay.h"
#include "sensor/sandbox.h"
#include "sensor/source.h"
#include "sensor/store.h"

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

/* One run: frames from files or from interfaces, facts into a sink and a feed for each worker. */
struct run {
	const struct options *o;
	struct capture *files;		/* or: */
	struct capture_live *live;
	struct notify notify;		/* with live */
	const char *const *interfaces;	/* names in the counters */
	size_t interface_count;
	char *fingerprint, *names;	/* of the files, told before the sandbox keeps us from them; NULL: none */
	struct store *store;		/* NULL before it is open */
	struct pipeline *pipeline;	/* NULL before frames come */
	struct fact_sink *sinks;
	unsigned workers;
};

static void begin_output(struct run *r)
{
	r->workers = r->o->config->capture.workers;
	r->sinks = xreallocarray(NULL, r->workers, sizeof *r->sinks);
	for (unsigned i = 0; i < r->workers; i++)
		r->sinks[i] = (struct fact_sink){ put_transaction, put_session, put_capture, store_feed_new(r->store), put_tick };
}

static void end_output(struct run *r)
{
	for (unsigned i = 0; i < r->workers; i++)
		store_feed_free(r->sinks[i].arg);
	free(r->sinks);
}

/* Queue and cache of the store have half of what there is, or as much as they ever get. */
static size_t store_memory(const struct config *c)
{
	size_t half = c->capture.memory_bytes / 2;

	return half < 2 * LIMIT_QUEUE_BYTES ? half : 2 * LIMIT_QUEUE_BYTES;
}

/* The rest, without the batch that each worker fills. */
static size_t pipeline_memory(const struct run *r)
{
	const struct config *c = r->o->config;
	size_t rest = c->capture.memory_bytes - store_memory(c), batches = r->workers * (size_t)LIMIT_BATCH_BYTES;

	return rest > 2 * batches ? rest - batches : rest / 2;
}

static struct pipeline *start_pipeline(const struct run *r)
{
	const struct config *c = r->o->config;
	struct pipeline_options o = { .ports = c->capture.ports, .port_count = c->capture.port_count,
				      .any_port = c->capture.any_port, .key_vlan = c->capture.key_vlan,
				      .tunnels = { !c->capture.tunnels.any, c->capture.tunnels.networks.item, c->capture.tunnels.networks.count },
				      .workers = r->workers, .memory_bytes = pipeline_memory(r), .interfaces = r->interfaces,
				      .interface_count = r->interface_count };

	if (getrandom(&o.hash_key, sizeof o.hash_key, 0) != (ssize_t)sizeof o.hash_key)
		o.hash_key.k[0] = (uint64_t)time_now_us();
	return pipeline_new(&o, r->sinks);
}

/* Now and then, and while a pipe is waited for. */
static bool keep_reading(void *arg)
{
	const struct run *r = arg;

	if (r->pipeline)
		pipeline_tick(r->pipeline, (uint64_t)time_now_us());
	return !stop_signal && !(r->store && store_gave_up(r->store));
}

static void read_files(struct run *r)
{
	struct replay x = { .capture = r->files, .pipeline = r->pipeline, .speed = r->o->speed, .progress = r->o->progress,
			    .keep_reading = keep_reading, .arg = r };

	replay_run(&x);
}

static void read_interfaces(struct run *r)
{
	struct live l = { .capture = r->live, .pipeline = r->pipeline, .notify = &r->notify, .interfaces = r->interfaces,
			  .interface_count = r->interface_count, .keep_reading = keep_reading, .arg = r };

	live_run(&l);
}

static void report_totals(const struct pipeline_totals *t)
{
	fprintf(stderr, "bouncetapd: %llu packets, %llu sessions, %llu mail transactions", (unsigned long long)t->frames,
		(unsigned long long)t->sessions, (unsigned long long)t->transactions);
	if (t->unseen_bytes)
		fprintf(stderr, "; %llu bytes were not captured", (unsigned long long)t->unseen_bytes);
	if (t->evicted)
		fprintf(stderr, "; %llu connections dropped for memory", (unsigned long long)t->evicted);
	if (t->left_out)
		fprintf(stderr, "; %llu segments that no receiver takes", (unsigned long long)t->left_out);
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

/* Frames -> facts, until there are no more. False: it could not begin. */
static bool make_facts(struct run *r)
{
	struct pipeline_totals totals;

	begin_output(r);
	r->pipeline = start_pipeline(r);
	bool begun = r->pipeline != NULL;
	if (begun) {
		if (r->live)
			read_interfaces(r);
		else
			read_files(r);
		pipeline_finish(r->pipeline, &totals);
		report_totals(&totals);
	} else {
		fprintf(stderr, "bouncetapd: no room for %u threads: name fewer --workers\n", r->workers);
	}
	r->pipeline = NULL;
	end_output(r);
	return begun;
}

/* How files ended, or interfaces: an exit code; *end is for store_close. */
static int end_files(struct run *r, const char **end)
{
	const char *problem = capture_problem(r->files);

	if (problem) {
		fprintf(stderr, "%s\n", problem);
		*end = "damaged";
	}
	if (stop_signal || store_gave_up(r->store))
		*end = "stopped";
	else if (store_end_source(r->store, problem != NULL))
		return EX_IOERR;
	return problem ? EX_DATAERR : 0;
}

static int end_interfaces(struct run *r, const char **end)
{
	const char *problem = capture_live_problem(r->live);

	*end = problem ? "capture-gap" : "stopped";
	if (!problem)
		return store_gave_up(r->store) ? EX_IOERR : 0;
	fprintf(stderr, "bouncetapd: %s: what was seen is in the store, from now on nothing is seen until it is there again\n", problem);
	return EX_UNAVAILABLE;
}

/* Everything between the open and the closed store. */
static int run_into_store(struct run *r)
{
	const char *end = "done";
	int rc = 0;

	switch (store_begin_source(r->store, r->fingerprint, r->names)) {
	case STORE_SOURCE_FAILED:
		rc = EX_IOERR;
		break;
	case STORE_SOURCE_DONE:
		fprintf(stderr, "bouncetapd: already in the store, nothing to do: %s\n", r->names);
		break;
	case STORE_SOURCE_DAMAGED:
		fprintf(stderr, "bouncetapd: already in the store as far as it can be read, nothing to do: %s\n", r->names);
		end = "damaged";
		rc = EX_DATAERR;
		break;
	case STORE_SOURCE_TO_READ:
		if (make_facts(r)) {
			rc = r->live ? end_interfaces(r, &end) : end_files(r, &end);
		} else {
			end = "stopped";
			rc = EX_OSERR;
		}
	}
	return store_close(r->store, end) ? EX_IOERR : rc;
}

/* What the kernel lacks is no news to whoever reads a file as a plain user. */
static int enter_sandbox(const struct config *c, bool live)
{
	struct sandbox_options so = { .store_dir = c->store.dir };
	char message[1024];
	int failed = sandbox_enter(&so, message, sizeof message);

	if (*message && (failed || live || geteuid() == 0))
		fprintf(stderr, "bouncetapd: %s\n", message);
	return failed ? EX_CANTCREAT : 0;
}

static char *join_words(const char *const *words, size_t count)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < count; i++)
		buf_printf(&b, "%s%s", i ? " " : "", words[i]);
	char *text = xstrdup(buf_cstr(&b));
	buf_fini(&b);
	return text;
}

/* From the open capture on: what strangers wrote is only looked at inside the sandbox. */
static int run_in_sandbox(struct run *r)
{
	const struct config *c = r->o->config;
	char *interfaces = r->live ? join_words(r->interfaces, r->interface_count) : NULL, error[1024];
	struct store_options so = { .dir = c->store.dir, .privacy = c->privacy.addresses, .subject = c->privacy.subject,
				    .sensor = c->capture.sensor, .live = r->live != NULL, .temporary = r->o->temporary, .once = !r->fingerprint, .stop = &stop_signal,
				    .version = VERSION, .memory_bytes = store_memory(c), .interfaces = interfaces,
				    .filter = r->live ? capture_live_filter(r->live) : r->o->filter };
	int rc = enter_sandbox(c, r->live != NULL);

	if (rc == 0) {
		r->store = store_open(&so, error, sizeof error, &rc);
		if (r->store)
			rc = run_into_store(r);
		else
			fprintf(stderr, "bouncetapd: %s\n", error);
	}
	free(interfaces);
	return rc;
}

static int run_files(const struct options *o)
{
	static const char *const file[] = { "file" };
	struct run r = { .o = o, .interfaces = file, .interface_count = 1 };
	char error[1024];
	int rc = EX_SOFTWARE;

	capture_on_wait(keep_reading, &r);
	r.files = capture_open_files(o->files, o->file_count, o->filter, error, sizeof error, &rc);
	if (!r.files && stop_signal)
		return 0;
	if (!r.files) {
		fprintf(stderr, "bouncetapd: %s\n", error);
		return rc;
	}
	r.fingerprint = o->filter ? NULL : source_fingerprint(capture_paths(r.files), o->file_count);
	r.names = source_names(capture_paths(r.files), o->file_count);
	rc = run_in_sandbox(&r);
	free(r.fingerprint);
	free(r.names);
	capture_close(r.files);
	return rc;
}

static const char *filter_of_user(const struct options *o)
{
	return o->filter ? o->filter : o->config->capture.filter;
}

static int run_interfaces(const struct options *o)
{
	const struct config_capture *c = &o->config->capture;
	struct run r = { .o = o, .interfaces = (const char *const *)c->interfaces.item, .interface_count = c->interfaces.count };
	struct capture_live_options lo = { .interfaces = r.interfaces, .interface_count = r.interface_count, .promiscuous = c->promiscuous,
					   .ring_bytes = c->ring_bytes, .snaplen = c->snaplen, .filter = filter_of_user(o), .ports = c->ports,
					   .port_count = c->port_count, .any_port = c->any_port };
	char error[1024];
	int rc = EX_SOFTWARE;

	r.live = capture_live_open(&lo, error, sizeof error, &rc);
	if (!r.live) {
		fprintf(stderr, "bouncetapd: %s\n", error);
		return rc;
	}
	signal(SIGHUP, SIG_IGN);	/* there is nothing to reopen */
	notify_open(&r.notify);
	rc = run_in_sandbox(&r);
	notify_close(&r.notify);
	capture_live_close(r.live);
	return rc;
}

static int run(const struct options *o)
{
	if (o->file_count)
		return run_files(o);
	if (o->config->capture.interfaces.count)
		return run_interfaces(o);
	fputs("bouncetapd: nothing to read: name an interface with -i, or a capture file with -r\n", stderr);
	return EX_USAGE;
}

static void print_filter(const struct options *o)
{
	const struct config_capture *c = &o->config->capture;
	char *own = filter_words(c->ports, c->port_count, c->any_port, FILTER_ETHERNET);

	puts(filter_of_user(o) ? filter_of_user(o) : own);
	free(own);
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
	else if (rc == 0 && o.list_interfaces)
		capture_live_list(stdout);
	else if (rc == 0 && o.print_filter)
		print_filter(&o);
	else if (rc == 0) {
		catch_signals();
		rc = run(&o);
	}
	options_free(&o);
	return rc < 0 ? 0 : rc;
}
