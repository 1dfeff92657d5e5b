/* check.c - the command check: is it over, and would we be listed again tomorrow? See check.h. */
#include "analyzer/check.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "analyzer/command.h"
#include "analyzer/own.h"
#include "common/timefmt.h"
#include "common/user.h"
#include "common/xmalloc.h"
#include "schema/db.h"

enum { ERROR_MAX = 512, ADDRESSES_MAX = 200 };

/* ---- addresses ---- */

static bool is_private(const struct ip_addr *a)
{
	static const char *const prefixes[] = { "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "fc00::/7",
		"fe80::/10", "::1" };
	struct ip_prefix p;

	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
		if (ip_prefix_parse(prefixes[i], &p) == 0 && ip_in_prefix(a, &p))
			return true;
	return false;
}

/* A server's address on the wire stands for its public one. */
static struct ip_addr public_of(const struct own *own, const struct ip_addr *a)
{
	const struct config_server *s = own_server(own, a);

	return s && s->public_address.version ? s->public_address : *a;
}

static int add_argument(struct check *c, const struct own *own, const char *text)
{
	struct ip_addr a;

	if (ip_parse(text, strlen(text), &a))
		return command_fail(EX_USAGE, "%s is not an address; the public address of a mail server is wanted, or --all", text);
	a = public_of(own, &a);
	if (is_private(&a))
		return command_fail(EX_USAGE, "%s is a private address, which no list knows: name its public address, or give it one with public= in its [server] section", text);
	check_add(c, &a);
	return EX_OK;
}

static int add_arguments(struct check *c, const struct command_context *x)
{
	struct own *own = own_new(x->config);
	int code = EX_OK;

	for (int i = 0; i < x->file_count && code == EX_OK; i++)
		code = add_argument(c, own, x->files[i]);
	own_free(own);
	if (code == EX_OK && x->all)
		check_add_all(c);
	if (code == EX_OK && !c->address_count)
		code = x->all ? command_fail(EX_NOINPUT, "%s: no mail server of ours was seen yet", x->store)
			      : command_fail(EX_USAGE, "which address? The public one of a mail server, or --all");
	if (code == EX_OK && c->address_count > ADDRESSES_MAX)
		code = command_fail(EX_USAGE, "%u addresses are more than can be asked about politely; name some of them", c->address_count);
	return code;
}

/* ---- answers ---- */

static int judge_address(struct check *c, struct check_address *a)
{
	struct selfcheck_result *r = xcalloc(c->lists->count + 1, sizeof *r);
	enum listing_state *listing = xcalloc(c->lists->count + 1, sizeof *listing);

	for (size_t i = 0; i < c->lists->count; i++) {
		if (!a->list[i].in.listing_why)
			a->list[i].in.listing_why = "it was not asked in time";
		selfcheck_judge(&a->list[i].in, &a->list[i].result);
		r[i] = a->list[i].result;
		listing[i] = a->list[i].in.listing;
	}
	a->worst = selfcheck_worst(r, listing, (unsigned)c->lists->count);
	a->badness = a->worst < c->lists->count ? selfcheck_badness(&r[a->worst]) : selfcheck_badness(&(struct selfcheck_result){ .answer = SELFCHECK_UNKNOWN });
	free(r);
	free(listing);
	return a->badness;
}

static int compare_addresses(const void *x, const void *y)
{
	const struct check_address *a = x, *b = y;

	return a->badness != b->badness ? b->badness - a->badness : ip_compare(&a->ip, &b->ip);
}

static void judge_all(struct check *c)
{
	for (unsigned i = 0; i < c->address_count; i++)
		judge_address(c, &c->address[i]);
	qsort(c->address, c->address_count, sizeof *c->address, compare_addresses);
}

static int read_times(struct check *c, const struct command_context *x)
{
	c->wall_us = time_now_us();
	c->now_us = x->now_us ? x->now_us : c->wall_us;
	if (x->now_is_last)
		c->now_us = db_int(c->db, "SELECT max(end_us) FROM capture WHERE packets > 0", c->wall_us);
	c->impact_us = x->impact_us;
	c->impact_in_summer = x->impact_in_summer;
	c->fixed_us = x->fixed_us;
	if (c->impact_us > c->now_us)
		return command_fail(EX_USAGE, "--impact is later than now");
	if (c->fixed_us > c->now_us)
		return command_fail(EX_USAGE, "--fixed is later than now");
	return EX_OK;
}

static int agree_to_probe(const struct command_context *x)
{
	int answer;

	if (x->yes)
		return EX_OK;
	if (!isatty(STDIN_FILENO))
		return command_fail(EX_USAGE, "--probe opens connections to your servers: --yes says that it may");
	fprintf(stderr, "Connect to port 25 of each of these servers, and ask for a recipient who cannot exist, without sending a message? [y/N] ");
	answer = getchar();
	return answer == 'y' || answer == 'Y' ? EX_OK : command_fail(EX_USAGE, "not probed, nothing done");
}

static int run(struct check *c, const struct command_context *x)
{
	char error[ERROR_MAX];
	enum db_refusal why;
	int code = x->probe ? agree_to_probe(x) : EX_OK;

	if (code != EX_OK)
		return code;
	c->probe = x->probe;
	/* Answers of strangers are parsed: not as root, when the store has another owner. */
	if (user_become_owner(x->store, error, sizeof error))
		return command_fail(EX_NOPERM, "%s", error);
	c->db = db_open_read(x->store, DB_BUSY_MS, &c->present, &why, error, sizeof error);
	if (!c->db)
		return command_refuse_store(why, error);
	code = read_times(c, x);
	if (code == EX_OK)
		code = add_arguments(c, x);
	if (code != EX_OK)
		return code;
	for (unsigned i = 0; i < c->address_count; i++)
		check_read_evidence(c, &c->address[i]);
	if (c->probe && check_probe(c, x->store, error, sizeof error))
		return command_fail(EX_USAGE, "--probe: %s", error);
	if (check_ask(c, x->store, x->resolver, error, sizeof error))
		return command_fail(EX_USAGE, "%s", error);
	judge_all(c);
	if (x->plugin)
		return check_print_plugin(c, stdout);
	if (x->json)
		check_print_json(c, stdout);
	else
		check_print(c, stdout);
	return EX_OK;
}

static int run_check(struct command_context *x)
{
	struct check c = { .config = x->config, .lists = &x->lists };
	int code = run(&c, x);

	check_fini(&c);
	if (!x->plugin || code <= 3)
		return code;
	/* Monitoring programs show standard output, and know no other codes. */
	puts("BOUNCETAP UNKNOWN - it could not be checked; standard error says why");
	return 3;
}

static int set_impact(struct command_context *c, const char *text)
{
	int code = command_parse_time("impact", text, &c->impact_us);

	c->impact_in_summer = code == EX_OK && time_may_mean_summer(text, c->impact_us);
	return code;
}

static const struct command_option options[] = {
	{ "all", NULL, "all own servers that were seen or have a public= address", COMMAND_MEMBER(all) },
	{ "impact", "TIME", "when the list's page says that it was hit last", .set = set_impact },
	{ "fixed", "TIME", "when you mended the server", COMMAND_MEMBER(fixed_us) },
	{ "resolver", "ADDR", "the DNS resolver to ask, with :PORT if need be (default: the system's)", COMMAND_MEMBER(resolver) },
	{ "probe", NULL, "also ask the servers themselves for a recipient who cannot exist; own ones only, no message", COMMAND_MEMBER(probe) },
	{ "yes", NULL, "--probe does not ask first", COMMAND_MEMBER(yes) },
	{ "plugin", NULL, "one line and an exit code for monitoring: 0 READY, 1 WAIT, 2 NOT READY, 3 UNKNOWN", COMMAND_MEMBER(plugin) },
	COMMAND_FORMAT,
	{ 0 }
};

const struct command command_check = { "check", "ADDRESS...", "is it over? READY, WAIT, NOT READY or UNKNOWN, per blocklist", run_check, options };

/* ---- the end ---- */

static void free_address(struct check_address *a, size_t lists)
{
	for (unsigned i = 0; i < a->server_count; i++)
		free(a->server[i]);
	for (unsigned i = 0; i < a->name_count; i++)
		free(a->name[i].name);
	for (unsigned i = 0; i < a->cause_count; i++) {
		free(a->cause[i].kind);
		free(a->cause[i].cause_class);
		free(a->cause[i].software);
		free(a->cause[i].originator);
	}
	for (unsigned i = 0; i < a->defect_count; i++)
		free(a->defect[i].what);
	for (size_t i = 0; i < lists; i++) {
		free(a->list[i].raw);
		free(a->list[i].reason);
		free(a->list[i].why);
	}
	free(a->list);
	free(a->probe);
}

static void free_proof(struct check_proof *p)
{
	free(p->test_listed);
	free(p->test_not_listed);
	free(p->random);
}

void check_fini(struct check *c)
{
	for (unsigned i = 0; i < c->address_count; i++)
		free_address(&c->address[i], c->lists->count);
	free(c->address);
	for (size_t i = 0; c->proof && i < c->lists->count * 2; i++)
		free_proof(&c->proof[i]);
	free(c->proof);
	for (unsigned i = 0; i < c->domain_count; i++) {
		free(c->domain[i].name);
		free(c->domain[i].spf_text);
		free(c->domain[i].dmarc_text);
	}
	free(c->resolvers);
	sqlite3_close(c->db);
}
