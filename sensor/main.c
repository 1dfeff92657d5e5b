/*
 * main.c - bouncetapd: options, start order, main loop, signals. Knows nothing of mail.
 *
 * Start order: configuration, capture files, store; then frames go through the pipeline into the store until the files end.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/config.h"
#include "common/timefmt.h"
#include "common/xmalloc.h"
#include "sensor/capture.h"
#include "sensor/decode.h"
#include "sensor/limits.h"
#include "sensor/pipeline.h"
#include "sensor/source.h"
#include "sensor/store.h"

enum { PROGRESS_US = 200000, TICK_FRAMES = 4096, STORE_CACHE_BYTES = 64 * 1024 * 1024 };

struct options {
	struct config *config;
	const char **files;
	size_t file_count;
	char *filter;
	bool check_config, dump_config, progress;
};

static volatile sig_atomic_t stop_signal;

static void on_signal(int number)
{
	stop_signal = number;
}

/* ---- options: one table for parsing, --help and the manual ---- */

enum { OPT_CONFIG = 256, OPT_STORE, OPT_MEMORY, OPT_CHECK_CONFIG, OPT_DUMP_CONFIG, OPT_PROGRESS, OPT_HELP, OPT_VERSION };

static const struct option_row {
	int key;
	const char *name, *argument, *help;
} option_table[] = {
	{ 'r', NULL, "FILE", "read a capture file (pcap, pcapng, - for standard input); repeat for several, they are one capture" },
	{ OPT_STORE, "store", "DIR", "where facts go (default /var/lib/bouncetap)" },
	{ OPT_CONFIG, "config", "FILE", "configuration (default /etc/bouncetap/bouncetap.conf and conf.d)" },
	{ OPT_MEMORY, "memory", "SIZE", "ceiling for flows, streams, queue and cache (default 512M)" },
	{ OPT_PROGRESS, "progress", NULL, "show how far it is on standard error" },
	{ OPT_CHECK_CONFIG, "check-config", NULL, "read the configuration, say what is wrong, exit" },
	{ OPT_DUMP_CONFIG, "dump-config", NULL, "print the effective values and where each came from, exit" },
	{ OPT_HELP, "help", NULL, "this text" },
	{ OPT_VERSION, "version", NULL, "version" },
};
#define OPTION_COUNT (sizeof option_table / sizeof *option_table)

static void print_help(void)
{
	fputs("Reads SMTP from captures of a network tap and writes what was seen into a store.\n\n"
	      "  bouncetapd -r monday.pcap --store ./store          read a capture file\n"
	      "  bouncetapd -r a.pcap -r b.pcap --store ./store     several files of one capture\n"
	      "  zcat day.pcap.gz | bouncetapd -r - --store ./store standard input\n"
	      "  bouncetapd -r day.pcap --store ./store host 192.0.2.25   only what a filter passes\n\n"
	      "usage: bouncetapd -r FILE [-r FILE...] [options] [filter words, pcap-filter(7)]\n\n", stdout);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *o = &option_table[i];
		char left[40];

		if (o->name)
			snprintf(left, sizeof left, "--%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
		else
			snprintf(left, sizeof left, "-%c %s", o->key, o->argument);
		printf("  %-18s %s\n", left, o->help);
	}
	fputs("\nbouncetap audit FILE runs it and the analysis in one go. bouncetapd(8), bouncetap.conf(5)\n", stdout);
}

/* A configuration value from the command line. */
static int set(struct options *o, const char *section, const char *key, const char *value, const char *option)
{
	char error[256];

	if (config_set(o->config, section, NULL, key, value, "command line", error, sizeof error) == 0)
		return 0;
	fprintf(stderr, "bouncetapd: %s %s: %s\n", option, value, error);
	return EX_USAGE;
}

static char *join_words(char **words, int count)
{
	struct buf b = { 0 };

	if (count == 0)
		return NULL;
	for (int i = 0; i < count; i++)
		buf_printf(&b, "%s%s", i ? " " : "", words[i]);
	char *text = xstrdup(buf_cstr(&b));
	buf_fini(&b);
	return text;
}

static void long_options(struct option out[OPTION_COUNT + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (option_table[i].name)
			out[n++] = (struct option){ option_table[i].name, option_table[i].argument ? required_argument : no_argument, NULL,
						    option_table[i].key };
	out[n] = (struct option){ 0 };
}

/* The configuration file comes first, whatever the order on the command line: options win over it. */
static int load_config(struct options *o, int argc, char **argv, const struct option *table)
{
	const char *path = NULL;
	int key;

	opterr = 0;
	while ((key = getopt_long(argc, argv, "r:", table, NULL)) != -1)
		if (key == OPT_CONFIG)
			path = optarg;
	optind = 1;
	opterr = 1;
	return config_load(o->config, path, stderr);
}

/* 0: go on; -1: done, exit 0; else an exit code. */
static int parse_options(struct options *o, int argc, char **argv)
{
	struct option table[OPTION_COUNT + 1];
	int key, rc;

	long_options(table);
	rc = load_config(o, argc, argv, table);
	if (rc)
		return rc;
	while ((key = getopt_long(argc, argv, "r:", table, NULL)) != -1) {
		switch (key) {
		case 'r':
			o->files = xreallocarray(o->files, o->file_count + 1, sizeof *o->files);
			o->files[o->file_count++] = optarg;
			break;
		case OPT_STORE:
			rc = set(o, "store", "dir", optarg, "--store");
			break;
		case OPT_MEMORY:
			rc = set(o, "capture", "memory", optarg, "--memory");
			break;
		case OPT_CONFIG:
			break;
		case OPT_PROGRESS:
			o->progress = true;
			break;
		case OPT_CHECK_CONFIG:
			o->check_config = true;
			break;
		case OPT_DUMP_CONFIG:
			o->dump_config = true;
			break;
		case OPT_HELP:
			print_help();
			return -1;
		case OPT_VERSION:
			puts("bouncetapd " VERSION);
			return -1;
		default:
			fputs("bouncetapd: --help shows what it takes\n", stderr);
			return EX_USAGE;
		}
		if (rc)
			return rc;
	}
	o->filter = join_words(argv + optind, argc - optind);
	return 0;
}

/* ---- the run ---- */

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

/* Everything between the open capture and the closed store. */
static int read_into_store(struct options *o, struct capture *c, struct store *s)
{
	const char *const *paths = capture_paths(c);
	char *fingerprint = o->filter ? NULL : source_fingerprint(paths, o->file_count), *names = source_names(paths, o->file_count);
	const char *end = "done";
	int rc = 0, begun = store_begin_source(s, fingerprint, names);

	if (begun < 0)
		rc = EX_IOERR;
	else if (begun)
		rc = read_frames(o, c, s, &end);
	else
		fprintf(stderr, "bouncetapd: already in the store, nothing to do: %s\n", names);
	free(fingerprint);
	free(names);
	return store_close(s, end) ? EX_IOERR : rc;
}

static bool reads_standard_input(const struct options *o)
{
	for (size_t i = 0; i < o->file_count; i++)
		if (o->files[i][0] == '-' && !o->files[i][1])
			return true;
	return false;
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
	struct store_options so = { .dir = o->config->store.dir, .privacy = o->config->privacy.addresses, .subject = o->config->privacy.subject,
				    .sensor = o->config->capture.sensor, .live = false, .once = reads_standard_input(o), .stop = &stop_signal,
				    .version = VERSION };
	s = store_open(&so, error, sizeof error, &rc);
	if (s)
		rc = read_into_store(o, c, s);
	else
		fprintf(stderr, "bouncetapd: %s\n", error);
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
	struct options o = { .config = config_new() };
	int rc = parse_options(&o, argc, argv);

	if (rc == 0 && o.dump_config)
		config_dump(o.config, stdout);
	else if (rc == 0 && o.check_config)
		puts("the configuration is fine");
	else if (rc == 0) {
		catch_signals();
		rc = run(&o);
	}
	config_free(o.config);
	free(o.files);
	free(o.filter);
	return rc < 0 ? 0 : rc;
}
