/*
 * main.c - bouncetap: the table of subcommands, their options, and what all of them share. What a command does stands in its own file.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "analyzer/command.h"
#include "analyzer/events.h"
#include "common/program.h"
#include "common/timefmt.h"
#include "common/xmalloc.h"

enum { AUDIT = 1, ANALYZE = 2, EVENTS = 4, DOCTOR = 8, SERVERS = 16, EXPLAIN = 32, WHY = 64, CHECK = 128, ACK = 256, PRUNE = 512, ALL = 0xffff };

enum { REPORT = 1 << 10, PUBLISH = 1 << 11 };

static const struct command {
	const char *name, *arguments, *help;
	unsigned bit;
	int (*run)(struct command_context *c);
} commands[] = {
	{ "audit", "FILE...", "read capture files, judge them, print what was found", AUDIT, command_audit },
	{ "analyze", "", "judge what bouncetapd has written to a store", ANALYZE, command_analyze },
	{ "report", "", "what a postmaster is to know and to do, for a day or any time", REPORT, command_report },
	{ "events", "", "print a store as JSON, one event a line", EVENTS, command_events },
	{ "publish", "", "for other programs, as it comes: metrics, events in a file, entries in the journal", PUBLISH, command_publish },
	{ "why", "ADDRESS", "a list says it was hit at --at TIME: which mail was that?", WHY, command_why },
	{ "servers", "", "what each server of ours is and does, and how it stands with the lists", SERVERS, command_servers },
	{ "explain", "FINDING", "one finding: its dialogues, and the rules that judged it", EXPLAIN, command_explain },
	{ "check", "ADDRESS...", "is it over? READY, WAIT, NOT READY or UNKNOWN, per blocklist", CHECK, command_check },
	{ "ack", "[SERVER|FINDING]", "a known matter: out of \"do this first\", still shown; without one, the list of them", ACK, command_ack },
	{ "prune", "", "let old mail go from a store, but for evidence", PRUNE, command_prune },
	{ "doctor", "", "look at interfaces, store, host and configuration, say what to change", DOCTOR, command_doctor },
};

static const char examples[] =
	"Who would be listed for backscatter, and why.\n\n"
	"  bouncetap audit --own 192.0.2.0/24 monday.pcap            what left our servers\n"
	"  bouncetap audit --guess-own monday.pcap                   the same, without a configuration\n"
	"  bouncetap audit --events - monday.pcap | jq .kind         every event as JSON\n"
	"  bouncetap analyze --follow                                judge what the sensor writes, as it comes\n"
	"  bouncetap report                                          yesterday, and what to change first\n"
	"  bouncetap events --type finding --since -2h               findings of the last two hours\n"
	"  bouncetap why 192.0.2.25 --at \"2026-11-20 14:03 CET\"     the list's notice names a minute: which mail?\n"
	"  bouncetap servers --since -7d                             what each server of ours did, and its state\n"
	"  bouncetap explain ae89a168                                how did this finding come about?\n"
	"  bouncetap check 192.0.2.25                                would we be listed again tomorrow?\n"
	"  bouncetap ack mx2 --until 2026-12-24 --why \"moves then\"   known: not in \"do this first\" until then\n"
	"  bouncetap prune --dry-run                                 what would go, by [store] keep\n"
	"  bouncetap doctor                                          is this tap good enough?\n";

/* ---- options: one table for parsing and for --help ---- */

enum option_key { OPT_STORE = 256, OPT_CONFIG, OPT_OWN, OPT_NOW, OPT_EVENTS, OPT_ANY_PORT, OPT_GUESS_OWN, OPT_REBUILD, OPT_FOLLOW, OPT_SINCE, OPT_UNTIL, OPT_WHY,
	OPT_REMOVE, OPT_KEEP, OPT_DRY_RUN, OPT_TYPE, OPT_AT, OPT_WINDOW, OPT_INTERFACE,
	OPT_FORMAT, OPT_ALL, OPT_IMPACT, OPT_FIXED, OPT_RESOLVER, OPT_PLUGIN, OPT_PROBE, OPT_YES, OPT_CHECK_CONFIG, OPT_DUMP_CONFIG, OPT_HELP, OPT_VERSION,
	OPT_REPORT_SINCE, OPT_REPORT_UNTIL, OPT_REPORT_FORMAT, OPT_SERVER, OPT_OWNER, OPT_TENANT, OPT_ANONYMOUS, OPT_MAIL, OPT_DIRECTORY,
	OPT_METRICS, OPT_NDJSON, OPT_JOURNAL };

static const struct option_row {
	enum option_key key;
	const char *name, *argument;
	unsigned commands;
	const char *help;
} option_table[] = {
	{ OPT_STORE, "store", "DIR", ALL, "the store (default /var/lib/bouncetap; audit: a temporary one)" },
	{ OPT_CONFIG, "config", "FILE", ALL, "configuration (default /etc/bouncetap/bouncetap.conf and conf.d)" },
	{ OPT_OWN, "own", "CIDR,...", ALL, "own networks, in place of the configured ones" },
	{ OPT_NOW, "now", "TIME", ALL, "judge as of this time, or of the \"last\" packet (default: now; audit: last)" },
	{ OPT_ANY_PORT, "any-port", NULL, AUDIT, "look for SMTP on all ports" },
	{ OPT_GUESS_OWN, "guess-own", NULL, AUDIT, "take addresses that both accept and send mail for ours" },
	{ OPT_EVENTS, "events", "FILE", AUDIT, "write the event stream to FILE; - prints it in place of the text" },
	{ OPT_REBUILD, "rebuild", NULL, ANALYZE, "throw all verdicts away and judge everything again" },
	{ OPT_FOLLOW, "follow", NULL, ANALYZE | EVENTS | PUBLISH, "go on with what comes until interrupted" },
	{ OPT_SINCE, "since", "TIME", EVENTS | SERVERS, "only what ended then or later: -2h, yesterday, 2026-11-20 14:03" },
	{ OPT_UNTIL, "until", "TIME", ACK, "when it is no longer to be taken for known (default: when it is taken back)" },
	{ OPT_WHY, "why", "TEXT", ACK, "the reason, for whoever reads the report" },
	{ OPT_REMOVE, "remove", NULL, ACK, "take it back" },
	{ OPT_KEEP, "keep", "TIME", PRUNE, "so much mail stays, as 30d; in place of [store] keep" },
	{ OPT_DRY_RUN, "dry-run", NULL, PRUNE, "only say what would go" },
	{ OPT_TYPE, "type", "TYPE,...", EVENTS | PUBLISH, "only these: session transaction finding risk refusal capture" },
	{ OPT_AT, "at", "TIME", WHY, "when, as the list writes it; CET in summer is searched as UTC+1 and UTC+2" },
	{ OPT_WINDOW, "window", "TIME", WHY, "so long before and after it: 90s (default), 10m, 1h" },
	{ OPT_INTERFACE, "interface", "IFACE,...", DOCTOR, "the interfaces of the tap, in place of the configured ones" },
	{ OPT_ALL, "all", NULL, CHECK, "all own servers that were seen or have a public= address" },
	{ OPT_IMPACT, "impact", "TIME", CHECK, "when the list's page says that it was hit last" },
	{ OPT_FIXED, "fixed", "TIME", CHECK, "when you mended the server" },
	{ OPT_RESOLVER, "resolver", "ADDR", CHECK, "the DNS resolver to ask, with :PORT if need be (default: the system's)" },
	{ OPT_PROBE, "probe", NULL, CHECK, "also ask the servers themselves for a recipient who cannot exist; own ones only, no message" },
	{ OPT_YES, "yes", NULL, CHECK, "--probe does not ask first" },
	{ OPT_PLUGIN, "plugin", NULL, CHECK, "one line and an exit code for monitoring: 0 READY, 1 WAIT, 2 NOT READY, 3 UNKNOWN" },
	{ OPT_FORMAT, "format", "text|json", DOCTOR | SERVERS | EXPLAIN | WHY | CHECK | ACK, "text (default), or one JSON object a line" },
	{ OPT_REPORT_SINCE, "since", "TIME", REPORT, "the beginning of its time (default: the last calendar day): -7d, 2026-11-20" },
	{ OPT_REPORT_UNTIL, "until", "TIME", REPORT, "the end of its time (default: that of the last calendar day, or now with --since)" },
	{ OPT_SERVER, "server", "NAME", REPORT, "only this server: its name or address" },
	{ OPT_OWNER, "owner", "NAME", REPORT, "only servers of this owner" },
	{ OPT_TENANT, "tenant", "NAME", REPORT, "only servers of this tenant" },
	{ OPT_ANONYMOUS, "anonymous", NULL, REPORT, "nothing that names people, or servers that are not ours" },
	{ OPT_REPORT_FORMAT, "format", "FORMAT", REPORT, "text (default), html, json, csv" },
	{ OPT_MAIL, "mail", "TO,...", REPORT, "as a message for sendmail -t -f '<>'; nothing is sent" },
	{ OPT_DIRECTORY, "directory", "DIR", REPORT, "all formats, as files by date, and latest.html and so on, instead of printing" },
	{ OPT_METRICS, "metrics", "FILE", PUBLISH, "numbers for Prometheus' textfile collector; replaced every 15 seconds" },
	{ OPT_NDJSON, "ndjson", "FILE", PUBLISH, "the event stream, appended; may be rotated, goes on where it stopped" },
	{ OPT_JOURNAL, "journal", "SOCKET", PUBLISH, "new findings of note into systemd's journal (/run/systemd/journal/socket)" },
	{ OPT_CHECK_CONFIG, "check-config", NULL, ALL, "read the configuration, say what is wrong, exit" },
	{ OPT_DUMP_CONFIG, "dump-config", NULL, ALL, "print the effective values and where each came from, exit" },
	{ OPT_HELP, "help", NULL, ALL, "this text" },
	{ OPT_VERSION, "version", NULL, ALL, "version" },
};

enum { OPTION_COUNT = sizeof option_table / sizeof *option_table, COMMAND_COUNT = sizeof commands / sizeof *commands };

struct settings {
	const char *store, *own, *now, *since, *until, *keep, *types, *interfaces, *format, *window, *impact, *fixed;
	bool check_config, dump_config, help, version;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

int command_fail(int code, const char *format, ...)
{
	va_list ap;

	fputs("bouncetap: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return code;
}

/* The options that all of these commands take. */
static void print_options(unsigned which)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *o = &option_table[i];
		char left[40];

		if ((o->commands & which) != which)
			continue;
		snprintf(left, sizeof left, "--%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
		printf("  %-18s %s\n", left, o->help);
	}
}

static int print_help(const struct command *c)
{
	puts(examples);
	if (c) {
		printf("usage: bouncetap %s [options]%s%s\n       %s\n\n", c->name, *c->arguments ? " " : "", c->arguments, c->help);
		print_options(c->bit);
	} else {
		puts("usage: bouncetap COMMAND [options]\n");
		for (size_t i = 0; i < COMMAND_COUNT; i++)
			printf("  %-8s %-16s %s\n", commands[i].name, commands[i].arguments, commands[i].help);
		puts("\nOptions of every command:");
		print_options(ALL);
	}
	puts("\nbouncetap(1), bouncetapd(8), bouncetap.conf(5)");
	return EX_OK;
}

static int parse_options(const struct command *command, int argc, char **argv, struct settings *set, struct command_context *c)
{
	struct option table[OPTION_COUNT + 1] = { { 0 } };
	int key;

	for (size_t i = 0, n = 0; i < OPTION_COUNT; i++)
		if (option_table[i].commands & command->bit)
			table[n++] = (struct option){ option_table[i].name, option_table[i].argument ? required_argument : no_argument, NULL,
						      (int)option_table[i].key };
	while ((key = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (key) {
		case OPT_STORE: set->store = optarg; break;
		case OPT_CONFIG: c->config_path = optarg; break;
		case OPT_OWN: set->own = optarg; break;
		case OPT_NOW: set->now = optarg; break;
		case OPT_EVENTS: c->events_path = optarg; break;
		case OPT_ANY_PORT: c->any_port = true; break;
		case OPT_GUESS_OWN: c->guess_own = true; break;
		case OPT_REBUILD: c->rebuild = true; break;
		case OPT_FOLLOW: c->follow = true; break;
		case OPT_SINCE: set->since = optarg; break;
		case OPT_TYPE: set->types = optarg; break;
		case OPT_UNTIL: set->until = optarg; break;
		case OPT_WHY: c->why = optarg; break;
		case OPT_REMOVE: c->take_back = true; break;
		case OPT_KEEP: set->keep = optarg; break;
		case OPT_DRY_RUN: c->dry_run = true; break;
		case OPT_AT: c->at = optarg; break;
		case OPT_WINDOW: set->window = optarg; break;
		case OPT_INTERFACE: set->interfaces = optarg; break;
		case OPT_FORMAT: set->format = optarg; break;
		case OPT_ALL: c->all = true; break;
		case OPT_IMPACT: set->impact = optarg; break;
		case OPT_FIXED: set->fixed = optarg; break;
		case OPT_RESOLVER: c->resolver = optarg; break;
		case OPT_PLUGIN: c->plugin = true; break;
		case OPT_PROBE: c->probe = true; break;
		case OPT_YES: c->yes = true; break;
		case OPT_METRICS: c->publish.metrics = optarg; break;
		case OPT_NDJSON: c->publish.events = optarg; break;
		case OPT_JOURNAL: c->publish.journal = optarg; break;
		case OPT_REPORT_SINCE: c->report.since = optarg; break;
		case OPT_REPORT_UNTIL: c->report.until = optarg; break;
		case OPT_SERVER: c->report.server = optarg; break;
		case OPT_OWNER: c->report.owner = optarg; break;
		case OPT_TENANT: c->report.tenant = optarg; break;
		case OPT_ANONYMOUS: c->report.anonymous = true; break;
		case OPT_REPORT_FORMAT: c->report.format = optarg; break;
		case OPT_MAIL: c->report.mail_to = optarg; break;
		case OPT_DIRECTORY: c->report.directory = optarg; break;
		case OPT_CHECK_CONFIG: set->check_config = true; break;
		case OPT_DUMP_CONFIG: set->dump_config = true; break;
		case OPT_HELP: set->help = true; break;
		case OPT_VERSION: set->version = true; break;
		default: return command_fail(EX_USAGE, "\"bouncetap %s --help\" shows what it takes", command->name);
		}
	}
	c->files = argv + optind;
	c->file_count = argc - optind;
	return EX_OK;
}

/* A program in its build tree brings its lists from there; then what is installed, then what the administrator changed. */
static int load_lists(struct command_context *c)
{
	static const char *const in_tree[] = { "..", "../.." };	/* build/, build/san/ */
	char own[4000], built[4096];
	char *beside = NULL;
	const char *dirs[3];
	size_t n = 0;

	for (size_t i = 0; i < sizeof in_tree / sizeof *in_tree && n == 0 && program_own_dir(own, sizeof own); i++) {
		snprintf(built, sizeof built, "%s/%s/data/lists.d", own, in_tree[i]);
		if (access(built, R_OK) == 0)
			dirs[n++] = built;
	}
	if (n == 0)
		dirs[n++] = PREFIX "/share/bouncetap/lists.d";
	if (c->config_path) {
		const char *slash = strrchr(c->config_path, '/');

		beside = xasprintf("%.*slists.d", slash ? (int)(slash - c->config_path + 1) : 0, c->config_path);
		dirs[n++] = beside;
	} else
		dirs[n++] = SYSCONFDIR "/bouncetap/lists.d";
	int code = lists_load(dirs, n, &c->lists, stderr);
	if (code == EX_OK && c->lists.count == 0)
		fprintf(stderr, "bouncetap: no file of a blocklist in %s nor %s: nothing can be said about lists\n", dirs[0], dirs[n - 1]);
	free(beside);
	return code;
}

static int set_config(struct config *config, const char *section, const char *key, const char *text, const char *option)
{
	char error[256];

	if (config_set(config, section, NULL, key, text, "command line", error, sizeof error) == 0)
		return EX_OK;
	return command_fail(EX_USAGE, "%s %s: %s", option, text, error);
}

static int set_time(const char *text, const char *option, int64_t *out)
{
	if (text && time_parse(text, time_now_us(), out))
		return command_fail(EX_USAGE, "%s %s: not a time; \"2026-11-20 14:03\", \"-2h\" or \"yesterday\" would be", option, text);
	return EX_OK;
}

/* "90", "90s", "10m", "1h", at most a day */
static int set_window(const char *text, int64_t *out)
{
	const int64_t day_us = INT64_C(86400000000);
	bool bare = *text && text[strlen(text) - 1] >= '0' && text[strlen(text) - 1] <= '9';
	char before[32];

	*out = 90 * INT64_C(1000000);
	snprintf(before, sizeof before, "-%s%s", text, bare ? "s" : "");
	if (strlen(text) > 20 || (*text && time_parse(before, 0, out)) || (*text && (*out >= 0 || *out < -day_us)))
		return command_fail(EX_USAGE, "--window %s: \"90s\", \"10m\" or \"1h\" would be one; at most 1d", text);
	*out = *out < 0 ? -*out : *out;
	return EX_OK;
}

static int set_format(const char *text, struct command_context *c)
{
	c->json = strcmp(text, "json") == 0;
	if (!c->json && strcmp(text, "text") != 0)
		return command_fail(EX_USAGE, "--format %s: text and json are the formats", text);
	return EX_OK;
}

/* The command line over the configuration over the defaults. */
static int apply_settings(const struct settings *set, struct command_context *c)
{
	const char *unknown;
	int code = config_load(c->config, c->config_path, stderr);

	if (code == EX_OK && set->own)
		code = set_config(c->config, "own", "networks", set->own, "--own");
	if (code == EX_OK && set->store)
		code = set_config(c->config, "store", "dir", set->store, "--store");
	if (code == EX_OK && set->keep)
		code = set_config(c->config, "store", "keep", set->keep, "--keep");
	if (code == EX_OK && set->interfaces)
		code = set_config(c->config, "capture", "interfaces", set->interfaces, "--interface");
	c->now_is_last = set->now && strcmp(set->now, "last") == 0;
	if (code == EX_OK && !c->now_is_last)
		code = set_time(set->now, "--now", &c->now_us);
	if (code == EX_OK)
		code = set_time(set->since, "--since", &c->since_us);
	if (code == EX_OK)
		code = set_time(set->impact, "--impact", &c->impact_us);
	c->impact_in_summer = set->impact && time_may_mean_summer(set->impact, c->impact_us);
	if (code == EX_OK)
		code = set_time(set->fixed, "--fixed", &c->fixed_us);
	if (code == EX_OK)
		code = set_time(set->until, "--until", &c->until_us);
	if (code == EX_OK && set->types && events_parse_types(set->types, &c->types, &unknown))
		code = command_fail(EX_USAGE, "--type %s: session, transaction, finding, risk, refusal, capture are the types", unknown);
	if (code == EX_OK)
		code = set_window(set->window ? set->window : "", &c->window_us);
	if (code == EX_OK && set->format)
		code = set_format(set->format, c);
	if (code == EX_OK)
		code = load_lists(c);
	return code;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	struct command_context c = { .config = config_new(), .stop = &stop };
	struct settings set = { 0 };
	int code = parse_options(command, argc, argv, &set, &c);

	if (code == EX_OK && set.help)
		code = print_help(command);
	else if (code == EX_OK && set.version)
		puts("bouncetap " VERSION);
	else if (code == EX_OK) {
		code = apply_settings(&set, &c);
		c.store = set.store || command->bit != AUDIT ? c.config->store.dir : NULL;
		if (code == EX_OK && set.dump_config)
			config_dump(c.config, stdout);
		else if (code == EX_OK && set.check_config)
			puts("the configuration is fine");
		else if (code == EX_OK && c.file_count && !*command->arguments)
			code = command_fail(EX_USAGE, "%s takes no argument, but found \"%s\"", command->name, c.files[0]);
		else if (code == EX_OK)
			code = command->run(&c);
	}
	lists_fini(&c.lists);
	config_free(c.config);
	return code;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void catch_signals(void)
{
	struct sigaction act = { .sa_handler = on_signal };

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	signal(SIGPIPE, SIG_IGN);	/* a temporary store is to be removed whoever stops reading */
}

int main(int argc, char **argv)
{
	const struct command *command = argc > 1 ? find_command(argv[1]) : NULL;
	const char *word = argc > 1 ? argv[1] : "";

	catch_signals();
	if (command)
		return run_command(command, argc - 1, argv + 1);
	if (strcmp(word, "--help") == 0 || strcmp(word, "help") == 0 || strcmp(word, "-h") == 0)
		return print_help(NULL);
	if (strcmp(word, "--version") == 0) {
		puts("bouncetap " VERSION);
		return EX_OK;
	}
	/* The configuration can be asked about without a command. */
	if (strncmp(word, "--", 2) == 0)
		return run_command(find_command("analyze"), argc, argv);
	if (*word)
		return command_fail(EX_USAGE, "there is no command \"%s\"; \"bouncetap --help\" lists them", word);
	print_help(NULL);
	return EX_USAGE;
}
