/*
 * main.c - bouncetap: the list of commands, and what all of them share: options, configuration, files of lists. What a command does, and what it takes
 * beside that, stands in its own file (command.h).
 */
#include <assert.h>
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

static const struct command *const commands[] = {
	&command_audit, &command_analyze, &command_report, &command_events, &command_publish, &command_why, &command_servers, &command_explain,
	&command_check, &command_ack, &command_prune, &command_doctor,
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

/* ---- options of all commands; those of one stand between the two tables ---- */

enum common_key { OPT_STORE, OPT_CONFIG, OPT_OWN, OPT_NOW, OPT_CHECK_CONFIG, OPT_DUMP_CONFIG, OPT_HELP, OPT_VERSION, COMMON_COUNT, FIRST_COUNT = OPT_NOW + 1 };

static const struct command_option common[COMMON_COUNT] = {
	[OPT_STORE] = { "store", "DIR", .help = "the store (default /var/lib/bouncetap; audit: a temporary one)" },
	[OPT_CONFIG] = { "config", "FILE", .help = "configuration (default /etc/bouncetap/bouncetap.conf and conf.d)" },
	[OPT_OWN] = { "own", "CIDR,...", .help = "own networks, in place of the configured ones" },
	[OPT_NOW] = { "now", "TIME", .help = "judge as of this time, or of the \"last\" packet (default: now; audit: last)" },
	[OPT_CHECK_CONFIG] = { "check-config", .help = "read the configuration, say what is wrong, exit" },
	[OPT_DUMP_CONFIG] = { "dump-config", .help = "print the effective values and where each came from, exit" },
	[OPT_HELP] = { "help", .help = "this text" },
	[OPT_VERSION] = { "version", .help = "version" },
};

enum { OPTIONS_MAX = 32, COMMAND_COUNT = sizeof commands / sizeof *commands };

/* What the command line gave: texts ("" for a flag), NULL for what it did not. */
struct settings {
	const char *common[COMMON_COUNT], *own[OPTIONS_MAX];
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

static void print_options(const struct command_option *o, size_t count)
{
	for (; count && o->name; o++, count--) {
		char left[40];

		snprintf(left, sizeof left, "--%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
		printf("  %-18s %s\n", left, o->help);
	}
}

static int print_help(const struct command *c)
{
	puts(examples);
	if (c) {
		printf("usage: bouncetap %s [options]%s%s\n       %s\n\n", c->name, *c->arguments ? " " : "", c->arguments, c->help);
	} else {
		puts("usage: bouncetap COMMAND [options]\n");
		for (size_t i = 0; i < COMMAND_COUNT; i++)
			printf("  %-8s %-16s %s\n", commands[i]->name, commands[i]->arguments, commands[i]->help);
		puts("\nOptions of every command:");
	}
	print_options(common, FIRST_COUNT);
	if (c)
		print_options(c->options, OPTIONS_MAX);
	print_options(common + FIRST_COUNT, COMMON_COUNT - FIRST_COUNT);
	puts("\nbouncetap(1), bouncetapd(8), bouncetap.conf(5)");
	return EX_OK;
}

static struct option option_of(const struct command_option *o, int key)
{
	return (struct option){ o->name, o->argument ? required_argument : no_argument, NULL, key };
}

static int parse_options(const struct command *command, int argc, char **argv, struct settings *set, struct command_context *c)
{
	enum { KEY = 256, OWN_KEY = KEY + COMMON_COUNT };
	struct option table[COMMON_COUNT + OPTIONS_MAX + 1] = { { 0 } };
	size_t n = 0;
	int key;

	for (int i = 0; i < FIRST_COUNT; i++)
		table[n++] = option_of(&common[i], KEY + i);
	for (int i = 0; command->options[i].name; i++) {
		assert(i < OPTIONS_MAX);
		table[n++] = option_of(&command->options[i], OWN_KEY + i);
	}
	for (int i = FIRST_COUNT; i < COMMON_COUNT; i++)
		table[n++] = option_of(&common[i], KEY + i);
	while ((key = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (key < KEY)
			return command_fail(EX_USAGE, "\"bouncetap %s --help\" shows what it takes", command->name);
		*(key < OWN_KEY ? &set->common[key - KEY] : &set->own[key - OWN_KEY]) = optarg ? optarg : "";
	}
	c->config_path = set->common[OPT_CONFIG];
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

int command_configure(struct command_context *c, const char *section, const char *key, const char *option, const char *text)
{
	char error[256];

	if (config_set(c->config, section, NULL, key, text, "command line", error, sizeof error) == 0)
		return EX_OK;
	return command_fail(EX_USAGE, "--%s %s: %s", option, text, error);
}

int command_parse_time(const char *option, const char *text, int64_t *out)
{
	if (time_parse(text, time_now_us(), out))
		return command_fail(EX_USAGE, "--%s %s: not a time; \"2026-11-20 14:03\", \"-2h\" or \"yesterday\" would be", option, text);
	return EX_OK;
}

int command_set_types(struct command_context *c, const char *text)
{
	const char *unknown;

	if (events_parse_types(text, &c->types, &unknown))
		return command_fail(EX_USAGE, "--type %s: session, transaction, finding, risk, refusal, capture are the types", unknown);
	return EX_OK;
}

int command_set_format(struct command_context *c, const char *text)
{
	c->json = strcmp(text, "json") == 0;
	if (!c->json && strcmp(text, "text") != 0)
		return command_fail(EX_USAGE, "--format %s: text and json are the formats", text);
	return EX_OK;
}

static int apply_option(const struct command_option *o, const char *text, struct command_context *c)
{
	void *member = (char *)c + o->offset;

	if (o->set)
		return o->set(c, text);
	switch (o->value) {
	case COMMAND_FLAG: *(bool *)member = true; break;
	case COMMAND_TEXT: *(const char **)member = text; break;
	case COMMAND_TIME: return command_parse_time(o->name, text, member);
	}
	return EX_OK;
}

/* The command line over the configuration over the defaults. */
static int apply_settings(const struct command *command, const struct settings *set, struct command_context *c)
{
	const char *now = set->common[OPT_NOW];
	int code = config_load(c->config, c->config_path, stderr);

	if (code == EX_OK && set->common[OPT_OWN])
		code = command_configure(c, "own", "networks", "own", set->common[OPT_OWN]);
	if (code == EX_OK && set->common[OPT_STORE])
		code = command_configure(c, "store", "dir", "store", set->common[OPT_STORE]);
	c->store = set->common[OPT_STORE] || command != &command_audit ? c->config->store.dir : NULL;
	c->now_is_last = now && strcmp(now, "last") == 0;
	if (code == EX_OK && now && !c->now_is_last)
		code = command_parse_time("now", now, &c->now_us);
	for (size_t i = 0; code == EX_OK && command->options[i].name; i++)
		if (set->own[i])
			code = apply_option(&command->options[i], set->own[i], c);
	if (code == EX_OK)
		code = load_lists(c);
	return code;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	struct command_context c = { .config = config_new(), .stop = &stop };
	struct settings set = { 0 };
	int code = parse_options(command, argc, argv, &set, &c);

	if (code == EX_OK && set.common[OPT_HELP])
		code = print_help(command);
	else if (code == EX_OK && set.common[OPT_VERSION])
		puts("bouncetap " VERSION);
	else if (code == EX_OK) {
		code = apply_settings(command, &set, &c);
		if (code == EX_OK && set.common[OPT_DUMP_CONFIG])
			config_dump(c.config, stdout);
		else if (code == EX_OK && set.common[OPT_CHECK_CONFIG])
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
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
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
		return run_command(&command_analyze, argc, argv);
	if (*word)
		return command_fail(EX_USAGE, "there is no command \"%s\"; \"bouncetap --help\" lists them", word);
	print_help(NULL);
	return EX_USAGE;
}
