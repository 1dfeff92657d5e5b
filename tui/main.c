/*
 * main.c - bouncetop: options, and the loop: read if the store changed, draw if something did, wait for a key.
 */
#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/timefmt.h"
#include "common/user.h"
#include "common/xmalloc.h"
#include "tui/key.h"
#include "tui/replay.h"
#include "tui/screen.h"
#include "tui/ui.h"

static const char examples[] =
	"The mail servers of ours, live: who answers strangers, why, and what blocklists would make of it. q leaves, ? shows all keys.\n\n"
	"  bouncetop                                        the store of this host\n"
	"  bouncetop --store ./store                        another one\n"
	"  bouncetop -r monday.pcap --own 192.0.2.0/24 --speed 60     a capture, sixty times as fast as it was recorded\n"
	"  bouncetop --once --screen events --format json | jq .kind  without a terminal\n";

enum option_key { OPT_REPLAY = 'r', OPT_STORE = 256, OPT_CONFIG, OPT_OWN, OPT_NOW, OPT_SPEED, OPT_SCREEN, OPT_FINDING, OPT_FILTER, OPT_DELAY, OPT_ASCII, OPT_ONCE,
	OPT_SIZE, OPT_FORMAT, OPT_HELP, OPT_VERSION };

static const struct option_row {
	enum option_key key;
	const char *name, *argument, *help;
} option_table[] = {
	{ OPT_STORE, "store", "DIR", "the store (default /var/lib/bouncetap)" },
	{ OPT_REPLAY, "read", "FILE", "-r FILE: a capture in place of a store, several in their order; the store is temporary" },
	{ OPT_SPEED, "speed", "N", "with -r: at N times the pace at which it was recorded (default: as fast as it goes)" },
	{ OPT_CONFIG, "config", "FILE", "configuration (default /etc/bouncetap/bouncetap.conf and conf.d)" },
	{ OPT_OWN, "own", "CIDR,...", "with -r: own networks, in place of the configured ones" },
	{ OPT_NOW, "now", "TIME", "as of this time, or of the \"last\" packet (default: now; with -r: last)" },
	{ OPT_SCREEN, "screen", "NAME", "begin with servers (default), events, ladder, lists or sensor" },
	{ OPT_FINDING, "finding", "ID", "the finding that the ladder shows (default: the newest)" },
	{ OPT_FILTER, "filter", "WORDS", "the filter of that screen, as F4 takes it: \"kind:bounce verdict:yes\"" },
	{ OPT_DELAY, "delay", "SECONDS", "how often the store is looked at (default 1; 0.2 to 3600)" },
	{ OPT_ASCII, "ascii", NULL, "draw with ASCII alone" },
	{ OPT_ONCE, "once", NULL, "print the screen and exit" },
	{ OPT_SIZE, "size", "WxH", "with --once: columns and rows (default 80x24)" },
	{ OPT_FORMAT, "format", "text|json|csv", "with --once: the screen (default), or all its rows as JSON, one object a line, or CSV" },
	{ OPT_HELP, "help", NULL, "this text" },
	{ OPT_VERSION, "version", NULL, "version" },
};

enum { OPTION_COUNT = sizeof option_table / sizeof *option_table, FILES_MAX = 1000, ERROR_MAX = 512 };

struct settings {
	struct config *config;
	struct replay replay;
	const char *files[FILES_MAX];
	const char *store, *filter, *finding;
	enum screen screen;
	enum model_clock clock;
	int64_t now_us;
	int delay_ms;
	bool ascii, once, help, version;
	int width, height;
	enum export_format format;
	bool as_screen;			/* --format text */
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static int fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int fail(int code, const char *format, ...)
{
	va_list ap;

	fputs("bouncetop: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return code;
}

/* ---- options ---- */

static int print_help(void)
{
	puts(examples);
	puts("usage: bouncetop [options]\n");
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		char left[40];

		snprintf(left, sizeof left, "--%s%s%s", option_table[i].name, option_table[i].argument ? " " : "", option_table[i].argument ? option_table[i].argument : "");
		printf("  %-24s %s\n", left, option_table[i].help);
	}
	puts("\nNO_COLOR in the environment: no colours. bouncetop(1), bouncetap(1), bouncetapd(8), bouncetap.conf(5)");
	return EX_OK;
}

static int set_now(struct settings *s, const char *text)
{
	if (strcmp(text, "last") == 0) {
		s->clock = MODEL_CLOCK_PACKETS;
		return EX_OK;
	}
	s->clock = MODEL_CLOCK_FIXED;
	if (time_parse(text, time_now_us(), &s->now_us))
		return fail(EX_USAGE, "--now %s: not a time; \"2026-11-20 14:03\", \"-2h\", \"yesterday\" or \"last\" would be", text);
	return EX_OK;
}

static int set_screen(struct settings *s, const char *name)
{
	s->screen = ui_screen_named(name);
	return s->screen == SCREEN_COUNT ? fail(EX_USAGE, "--screen %s: servers, events, ladder, lists and sensor are the screens", name) : EX_OK;
}

static int set_size(struct settings *s, const char *text)
{
	char behind;

	if (sscanf(text, "%dx%d%c", &s->width, &s->height, &behind) != 2 || s->width < 1 || s->height < 1 || s->width > CANVAS_WIDTH_MAX || s->height > CANVAS_HEIGHT_MAX)
		return fail(EX_USAGE, "--size %s: columns and rows, like 80x24", text);
	return EX_OK;
}

static int set_format(struct settings *s, const char *word)
{
	static const char *const words[] = { [EXPORT_TEXT] = "text", [EXPORT_JSON] = "json", [EXPORT_CSV] = "csv" };

	for (int i = EXPORT_TEXT; i <= EXPORT_CSV; i++) {
		if (strcmp(word, words[i]) == 0) {
			s->format = (enum export_format)i;
			s->as_screen = i == EXPORT_TEXT;
			return EX_OK;
		}
	}
	return fail(EX_USAGE, "--format %s: text, json and csv are the formats", word);
}

static int set_delay(struct settings *s, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (*end || !(seconds >= 0.2 && seconds <= 3600))
		return fail(EX_USAGE, "--delay %s: seconds, 0.2 to 3600", text);
	s->delay_ms = (int)(seconds * 1000);
	return EX_OK;
}

static int set_option(struct settings *s, int key, const char *text)
{
	switch (key) {
	case OPT_STORE: s->store = text; return EX_OK;
	case OPT_REPLAY:
		if (s->replay.file_count == FILES_MAX)
			return fail(EX_USAGE, "at most %d files", FILES_MAX);
		s->files[s->replay.file_count++] = text;
		return EX_OK;
	case OPT_SPEED: s->replay.speed = text; return EX_OK;
	case OPT_CONFIG: s->replay.config = text; return EX_OK;
	case OPT_OWN: s->replay.own = text; return EX_OK;
	case OPT_NOW: return set_now(s, text);
	case OPT_SCREEN: return set_screen(s, text);
	case OPT_FINDING: s->finding = text; return EX_OK;
	case OPT_FILTER: s->filter = text; return EX_OK;
	case OPT_DELAY: return set_delay(s, text);
	case OPT_ASCII: s->ascii = true; return EX_OK;
	case OPT_ONCE: s->once = true; return EX_OK;
	case OPT_SIZE: return set_size(s, text);
	case OPT_FORMAT: return set_format(s, text);
	case OPT_HELP: s->help = true; return EX_OK;
	case OPT_VERSION: s->version = true; return EX_OK;
	default: return fail(EX_USAGE, "\"bouncetop --help\" shows what it takes");
	}
}

static int parse_options(int argc, char **argv, struct settings *s)
{
	struct option table[OPTION_COUNT + 1] = { { 0 } };
	int key, code = EX_OK;

	for (size_t i = 0; i < OPTION_COUNT; i++)
		table[i] = (struct option){ option_table[i].name, option_table[i].argument ? required_argument : no_argument, NULL, (int)option_table[i].key };
	while (code == EX_OK && (key = getopt_long(argc, argv, "r:", table, NULL)) != -1)
		code = set_option(s, key, optarg);
	if (code == EX_OK && optind < argc)
		code = fail(EX_USAGE, "takes no argument, but found \"%s\"; -r %s reads a capture", argv[optind], argv[optind]);
	return code;
}

/* Mistakes that a bouncetapd or an analyzer that nobody sees would make of them. */
static int check_replay(struct settings *s)
{
	const struct config *c = s->config;
	char error[256];

	if (s->store)
		return fail(EX_USAGE, "-r makes a store of its own; --store names one that is there");
	if (s->replay.own && config_set(s->config, "own", NULL, "networks", s->replay.own, "command line", error, sizeof error))
		return fail(EX_USAGE, "--own %s: %s", s->replay.own, error);
	for (int i = 0; i < s->replay.file_count; i++)
		if (strcmp(s->files[i], "-") == 0 || access(s->files[i], R_OK))
			return fail(EX_NOINPUT, "%s: %s", s->files[i], strcmp(s->files[i], "-") == 0 ? "standard input is the keyboard's" : strerror(errno));
	if (!c->own.networks.count && !c->tenant_count && !c->server_count)
		return fail(EX_CONFIG, "which networks are ours? [own] networks of the configuration or --own CIDR,... says so");
	return EX_OK;
}

static int apply_config(struct settings *s)
{
	char error[256];
	int code = config_load(s->config, s->replay.config, stderr);

	s->replay.files = s->files;
	if (code == EX_OK && s->replay.file_count)
		return check_replay(s);
	if (code == EX_OK && s->replay.speed)
		return fail(EX_USAGE, "--speed goes with -r");
	if (code == EX_OK && s->store && config_set(s->config, "store", NULL, "dir", s->store, "command line", error, sizeof error))
		return fail(EX_USAGE, "--store %s: %s", s->store, error);
	return code;
}

/* ---- the loop ---- */

struct session {
	struct model model;
	struct ui ui;
	struct canvas canvas;
	const struct settings *settings;
};

/* The finding of --finding, else the newest. */
static void choose_finding(struct session *s)
{
	const char *id = s->settings->finding;

	if (s->ui.screen != SCREEN_LADDER || s->ui.finding)
		return;
	if (id && finding_resolve(s->model.reader, id, &s->ui.finding) != 1)
		s->ui.finding = 0;
	if (!id) {
		struct finding_page page;

		if (finding_page_read(s->model.reader, &(struct finding_filter){ 0 }, (struct finding_place){ 0 }, 1, &page) == 0 && page.count)
			s->ui.finding = page.row[0].id;
		finding_page_fini(&page);
	}
	s->ui.other_query = s->ui.finding != 0;
}

/* True when the screen may look different. */
static bool refresh(struct session *s)
{
	struct model_query q;
	bool other = s->ui.other_query;

	if (s->ui.paused && !other)
		return false;
	ui_query(&s->ui, &q);
	s->ui.other_query = false;
	bool changed = model_refresh(&s->model, &q, other);
	choose_finding(s);
	if (s->ui.other_query) {
		ui_query(&s->ui, &q);
		s->ui.other_query = false;
		model_refresh(&s->model, &q, true);
	}
	ui_update(&s->ui);
	return changed;
}

static void draw(struct session *s)
{
	int width, height, cursor_x;

	screen_size(&width, &height);
	if (width != s->canvas.width || height != s->canvas.height) {
		canvas_fini(&s->canvas);
		canvas_init(&s->canvas, width, height, s->settings->ascii);
	}
	ui_draw(&s->ui, &s->canvas, &cursor_x);
	if (s->ui.redraw)
		screen_redraw();
	s->ui.redraw = false;
	screen_show(&s->canvas, cursor_x);
}

/* Keys are taken as they come, the store is looked at by the clock: a key held down does not read it more often. */
static void loop(struct session *s)
{
	int64_t next_us = 0;
	bool gone = false;

	while (!stop && !gone && !s->ui.quit) {
		int64_t now_us = time_monotone_us();

		if (now_us >= next_us || s->ui.other_query) {
			refresh(s);
			next_us = now_us + s->settings->delay_ms * INT64_C(1000);
		}
		draw(s);
		int64_t wait_us = next_us - time_monotone_us();
		int key = screen_key(wait_us > 0 ? (int)(wait_us / 1000) + 1 : 0, &gone);
		if (key == KEYS_RESIZE)
			s->ui.redraw = true;
		else if (key != KEYS_NONE)
			ui_key(&s->ui, key);
	}
}

static int print_once(struct session *s)
{
	struct buf out = { 0 };
	int cursor_x;

	reader_be_patient(s->model.reader);
	refresh(s);
	if (!s->model.was_read)
		return fail(reader_state(s->model.reader) == READER_LOCKED ? EX_TEMPFAIL : EX_NOINPUT, "%s", s->model.message);
	if (s->settings->finding && !s->ui.finding)
		return fail(EX_DATAERR, "--finding %s: no finding, or several, begin so", s->settings->finding);
	if (s->settings->as_screen) {
		canvas_init(&s->canvas, s->settings->width, s->settings->height, s->settings->ascii);
		ui_draw(&s->ui, &s->canvas, &cursor_x);
		canvas_text(&s->canvas, &out);
	} else
		ui_export(&s->ui, false, s->settings->format, &out);
	size_t written = fwrite(out.p, 1, out.len, stdout);
	bool failed = written != out.len || fflush(stdout);
	buf_fini(&out);
	if (failed && errno != EPIPE)	/* a reader who has seen enough needs no message */
		fail(EX_IOERR, "standard output: %s", strerror(errno));
	return failed ? EX_IOERR : EX_OK;
}

static int show(struct session *s)
{
	char error[ERROR_MAX];

	if (screen_open(error, sizeof error))
		return fail(EX_UNAVAILABLE, "%s", error);
	loop(s);
	screen_close();
	return EX_OK;
}

static void catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction act = { .sa_handler = on_signal };

	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		sigaction(signals[i], &act, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* What strangers wrote is not read as root, and files that root makes beside a database would be closed to its owner. */
static int watch(const char *store, void *user)
{
	struct session s = { .settings = user };
	char message[ERROR_MAX];
	int code = EX_OK;

	catch_signals();
	if (user_become_owner(store, message, sizeof message))
		return fail(EX_NOINPUT, "%s", message);
	model_open(&s.model, store, s.settings->config, s.settings->clock, s.settings->now_us);
	ui_init(&s.ui, &s.model, s.settings->ascii);
	s.ui.screen = s.settings->screen;
	if (s.settings->filter && ui_set_filter(&s.ui, s.settings->filter))
		code = fail(EX_USAGE, "--filter: %s", s.ui.message);
	if (code == EX_OK)
		code = s.settings->once ? print_once(&s) : show(&s);
	ui_fini(&s.ui);
	canvas_fini(&s.canvas);
	model_close(&s.model);
	return code;
}

/* A locale that cannot tell UTF-8 is drawn for in ASCII; widths are those of UTF-8 in either case. */
static void set_locale(struct settings *s)
{
	if (!setlocale(LC_ALL, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0) {
		s->ascii = true;
		setlocale(LC_CTYPE, "C.UTF-8");
	}
	setlocale(LC_NUMERIC, "C");
}

int main(int argc, char **argv)
{
	struct settings s = { .config = config_new(), .delay_ms = 1000, .width = 80, .height = 24, .as_screen = true };
	int code;

	set_locale(&s);
	code = parse_options(argc, argv, &s);
	if (code == EX_OK && s.help)
		code = print_help();
	else if (code == EX_OK && s.version)
		puts("bouncetop " VERSION);
	else if (code == EX_OK) {
		code = apply_config(&s);
		if (code == EX_OK && s.replay.file_count) {
			if (s.clock == MODEL_CLOCK_WALL)
				s.clock = MODEL_CLOCK_PACKETS;
			code = replay_run(&s.replay, watch, &s);
		} else if (code == EX_OK)
			code = watch(s.config->store.dir, &s);
	}
	config_free(s.config);
	return code;
}
