/* report_command.c - the command report: builds a report once and prints it in the form that was asked for. */
#include <string.h>
#include <sysexits.h>

#include "analyzer/command.h"
#include "analyzer/report.h"
#include "analyzer/report_text.h"
#include "common/timefmt.h"

static const struct form {
	const char *name;
	void (*print)(const struct report *r, struct buf *out);
} forms[] = {
	{ "text", report_text },
};

static const struct form *find_form(const char *name)
{
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
		if (!name || strcmp(forms[i].name, name) == 0)
			return &forms[i];
	return NULL;
}

static int check_options(const struct command_context *c)
{
	bool known = !c->report.tenant;

	if (!find_form(c->report.format))
		return command_fail(EX_USAGE, "--format %s: text is the format", c->report.format);
	for (size_t i = 0; i < c->config->tenant_count; i++)
		known |= c->report.tenant && strcasecmp(c->config->tenant[i].name, c->report.tenant) == 0;
	if (!known)
		return command_fail(EX_USAGE, "--tenant %s: the configuration has no such tenant", c->report.tenant);
	return EX_OK;
}

/* "yesterday" is the day before the time that the report is made for. */
static int set_period(const struct command_context *c, struct report_options *o)
{
	if (c->report.since && time_parse(c->report.since, o->now_us, &o->since_us))
		return command_fail(EX_USAGE, "--since %s: not a time; \"2026-11-20\", \"-7d\" or \"yesterday\" would be", c->report.since);
	if (c->report.until && time_parse(c->report.until, o->now_us, &o->until_us))
		return command_fail(EX_USAGE, "--until %s: not a time; \"2026-11-20\", \"-7d\" or \"yesterday\" would be", c->report.until);
	if (o->since_us && o->since_us >= (o->until_us ? o->until_us : o->now_us))
		return command_fail(EX_USAGE, "the end of the time is not later than its beginning");
	return EX_OK;
}

int command_report(struct command_context *c)
{
	struct buf out = { 0 };
	struct reader *reader;
	struct report r;
	int code = check_options(c);

	if (code == EX_OK)
		code = command_open_reader(c, &reader);
	if (code != EX_OK)
		return code;
	struct report_options o = { .now_us = command_now(c, reader), .server = c->report.server,
		.owner = c->report.owner, .tenant = c->report.tenant, .anonymous = c->report.anonymous, .config = c->config, .lists = &c->lists };
	code = set_period(c, &o);
	if (code != EX_OK) {
		reader_close(reader);
		return code;
	}
	if (report_build(reader, &o, &r))
		code = command_fail(EX_NOINPUT, "%s", reader_message(reader));
	else if (r.server_count == 0 && (o.server || o.owner || o.tenant))
		code = command_fail(EX_USAGE, "no server of ours was seen that --server, --owner and --tenant mean");
	else {
		find_form(c->report.format)->print(&r, &out);
		code = command_print(&out);
	}
	report_fini(&r);
	buf_fini(&out);
	reader_close(reader);
	return code;
}
