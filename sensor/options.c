/* options.c - see options.h. One table is for parsing, --help and the manual. */
#include "sensor/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/buf.h"
#include "common/xmalloc.h"

enum {
	OPT_NO_PROMISC = 256, OPT_STORE, OPT_CONFIG, OPT_ANY_PORT, OPT_MEMORY, OPT_WORKERS, OPT_SPEED, OPT_PROGRESS, OPT_TEMPORARY, OPT_PRINT_FILTER, OPT_CHECK_CONFIG,
	OPT_DUMP_CONFIG, OPT_HELP, OPT_VERSION,
};

static const struct option_row {
	int key;
	const char *name, *argument, *help;
} option_table[] = {
	{ 'i', NULL, "IFACE", "listen on a network interface, or on any; several with commas, or repeat" },
	{ 'r', NULL, "FILE", "read a capture file (pcap, pcapng, - for standard input); repeat for several, they are one capture" },
	{ 'B', NULL, "SIZE", "what the kernel may keep of each interface until it is read (default 64M)" },
	{ OPT_NO_PROMISC, "no-promisc", NULL, "do not set the interfaces to promiscuous mode" },
	{ OPT_STORE, "store", "DIR", "where facts go (default /var/lib/bouncetap)" },
	{ OPT_CONFIG, "config", "FILE", "configuration (default /etc/bouncetap/bouncetap.conf and conf.d)" },
	{ OPT_ANY_PORT, "any-port", NULL, "look for SMTP on all ports, not only on those of the configuration" },
	{ OPT_MEMORY, "memory", "SIZE", "ceiling for flows, streams, queue and cache (default 512M)" },
	{ OPT_WORKERS, "workers", "N", "threads that follow connections (default 1)" },
	{ OPT_SPEED, "speed", "N", "with -r: hand frames on at N times the pace at which they were recorded" },
	{ OPT_TEMPORARY, "temporary", NULL, "with -r: the store is thrown away afterwards; faster, but a crash may leave it unreadable" },
	{ OPT_PROGRESS, "progress", NULL, "show how far it is on standard error" },
	{ 'D', NULL, NULL, "list the interfaces, exit" },
	{ OPT_PRINT_FILTER, "print-filter", NULL, "print the filter that interfaces get, exit" },
	{ OPT_CHECK_CONFIG, "check-config", NULL, "read the configuration, say what is wrong, exit" },
	{ OPT_DUMP_CONFIG, "dump-config", NULL, "print the effective values and where each came from, exit" },
	{ OPT_HELP, "help", NULL, "this text" },
	{ OPT_VERSION, "version", NULL, "version" },
};
#define OPTION_COUNT (sizeof option_table / sizeof *option_table)
static const char short_options[] = "i:r:B:D";

static void print_help(void)
{
	fputs("Reads SMTP from network interfaces or from captures of them, and writes what was seen into a store.\n\n"
	      "  bouncetapd -i span0                                listen on a span port\n"
	      "  bouncetapd -i tap0,tap1 --store ./store            on a tap with an interface for each direction\n"
	      "  bouncetapd -r monday.pcap --store ./store          read a capture file\n"
	      "  bouncetapd -r a.pcap -r b.pcap --store ./store     several files of one capture\n"
	      "  zcat day.pcap.gz | bouncetapd -r - --store ./store standard input\n"
	      "  bouncetapd -r day.pcap --store ./store host 192.0.2.25   only what a filter passes\n\n"
	      "usage: bouncetapd -i IFACE[,IFACE...] | -r FILE [-r FILE...] [options] [filter words, pcap-filter(7)]\n\n", stdout);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *o = &option_table[i];
		char left[40];

		if (o->name)
			snprintf(left, sizeof left, "--%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
		else
			snprintf(left, sizeof left, "-%c %s", o->key, o->argument ? o->argument : "");
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

static int set_speed(struct options *o, const char *text)
{
	char *end = NULL;
	double speed = strspn(text, "0123456789.") == strlen(text) ? strtod(text, &end) : 0;

	if (speed < 0.001 || speed > 1e6 || *end) {
		fprintf(stderr, "bouncetapd: --speed %s: not a number from 0.001 to 1000000\n", text);
		return EX_USAGE;
	}
	o->speed = speed;
	return 0;
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
	while ((key = getopt_long(argc, argv, short_options, table, NULL)) != -1)
		if (key == OPT_CONFIG)
			path = optarg;
	optind = 1;
	opterr = 1;
	return config_load(o->config, path, stderr);
}

int options_parse(struct options *o, int argc, char **argv)
{
	struct option table[OPTION_COUNT + 1];
	bool listens = false;
	int key, rc;

	*o = (struct options){ .config = config_new() };
	long_options(table);
	rc = load_config(o, argc, argv, table);
	if (rc)
		return rc;
	while ((key = getopt_long(argc, argv, short_options, table, NULL)) != -1) {
		switch (key) {
		case 'r':
			o->files = xreallocarray(o->files, o->file_count + 1, sizeof *o->files);
			o->files[o->file_count++] = optarg;
			break;
		case 'i':
			listens = true;
			rc = set(o, "capture", "interfaces", optarg, "-i");
			break;
		case 'B':
			rc = set(o, "capture", "ring", optarg, "-B");
			break;
		case OPT_NO_PROMISC:
			rc = set(o, "capture", "promiscuous", "no", "--no-promisc");
			break;
		case 'D':
			o->list_interfaces = true;
			break;
		case OPT_PRINT_FILTER:
			o->print_filter = true;
			break;
		case OPT_STORE:
			rc = set(o, "store", "dir", optarg, "--store");
			break;
		case OPT_ANY_PORT:
			rc = set(o, "capture", "any-port", "yes", "--any-port");
			break;
		case OPT_MEMORY:
			rc = set(o, "capture", "memory", optarg, "--memory");
			break;
		case OPT_WORKERS:
			rc = set(o, "capture", "workers", optarg, "--workers");
			break;
		case OPT_SPEED:
			rc = set_speed(o, optarg);
			break;
		case OPT_CONFIG:
			break;
		case OPT_TEMPORARY:
			o->temporary = true;
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
	if (listens && o->file_count) {
		fputs("bouncetapd: either -i or -r: files and interfaces are runs of their own\n", stderr);
		return EX_USAGE;
	}
	if (o->temporary && !o->file_count) {
		fputs("bouncetapd: --temporary goes with -r: what was heard on interfaces cannot be read again\n", stderr);
		return EX_USAGE;
	}
	o->filter = join_words(argv + optind, argc - optind);
	return 0;
}

void options_free(struct options *o)
{
	config_free(o->config);
	free(o->files);
	free(o->filter);
}
