/* report_command.c - the command report: builds a report once, prints it in the form that was asked for, or keeps it in all forms. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "analyzer/command.h"
#include "analyzer/report.h"
#include "analyzer/report_csv.h"
#include "analyzer/report_html.h"
#include "analyzer/report_json.h"
#include "analyzer/report_mail.h"
#include "analyzer/report_text.h"
#include "common/replace.h"
#include "common/timefmt.h"
#include "common/xmalloc.h"

static const struct form {
	const char *name, *suffix;
	void (*print)(const struct report *r, struct buf *out);
} forms[] = {
	{ "text", "txt", report_text },
	{ "html", "html", report_html },
	{ "json", "json", report_json },
	{ "csv", "csv", report_csv },
};

enum { FORM_COUNT = sizeof forms / sizeof *forms, FILE_MODE = 0640 };

static const struct form *find_form(const char *name)
{
	for (size_t i = 0; i < FORM_COUNT; i++)
		if (!name || strcmp(forms[i].name, name) == 0)
			return &forms[i];
	return NULL;
}

static int check_options(const struct command_context *c)
{
	bool known = !c->report.tenant;

	if (!find_form(c->report.format))
		return command_fail(EX_USAGE, "--format %s: text, html, json and csv are the formats", c->report.format);
	if (c->report.mail_to && (c->report.format || c->report.directory))
		return command_fail(EX_USAGE, "--mail goes without --format and --directory: a message has text and HTML");
	if (c->report.directory && c->report.format)
		return command_fail(EX_USAGE, "--directory goes without --format: all of them are written");
	if (c->report.mail_to && !report_mail_is_address(c->report.mail_to))
		return command_fail(EX_USAGE, "--mail %s: no address of a recipient, as postmaster@example.org would be", c->report.mail_to);
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

/* "report-2026-11-21.html", with a second date when it is about more than a day, and "latest.html". */
static int keep_file(const struct command_context *c, const struct report *r, const struct form *form)
{
	char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
	struct buf out = { 0 };
	int code = EX_OK;

	time_format_local(r->options.since_us, from);
	time_format_local(r->options.until_us - 1, to);
	bool one_day = strncmp(from, to, 10) == 0;
	char *name = xasprintf("report-%.10s%s%.10s.%s", from, one_day ? "" : "_", one_day ? "" : to, form->suffix);
	char *path = xasprintf("%s/%s", c->report.directory, name), *latest = xasprintf("%s/latest.%s", c->report.directory, form->suffix);
	form->print(r, &out);
	if (replace_file(path, out.p, out.len, FILE_MODE))
		code = command_fail(EX_CANTCREAT, "%s: %s", path, strerror(errno));
	else if (replace_link(latest, name))
		code = command_fail(EX_CANTCREAT, "%s: %s", latest, strerror(errno));
	buf_fini(&out);
	free(name);
	free(path);
	free(latest);
	return code;
}

static int put_out(const struct command_context *c, const struct report *r)
{
	struct buf out = { 0 };
	int code = EX_OK;

	if (c->report.directory) {
		for (size_t i = 0; i < FORM_COUNT && code == EX_OK; i++)
			code = keep_file(c, r, &forms[i]);
		return code;
	}
	if (c->report.mail_to)
		report_mail(r, c->report.mail_to, &out);
	else
		find_form(c->report.format)->print(r, &out);
	code = command_print(&out);
	buf_fini(&out);
	return code;
}

static int run_report(struct command_context *c)
{
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
	else
		code = put_out(c, &r);
	report_fini(&r);
	reader_close(reader);
	return code;
}

static const struct command_option options[] = {
	{ "since", "TIME", "the beginning of its time (default: the last calendar day): -7d, 2026-11-20", COMMAND_MEMBER(report.since) },
	{ "until", "TIME", "the end of its time (default: that of the last calendar day, or now with --since)", COMMAND_MEMBER(report.until) },
	{ "server", "NAME", "only this server: its name or address", COMMAND_MEMBER(report.server) },
	{ "owner", "NAME", "only servers of this owner", COMMAND_MEMBER(report.owner) },
	{ "tenant", "NAME", "only servers of this tenant", COMMAND_MEMBER(report.tenant) },
	{ "anonymous", NULL, "nothing that names people, or servers that are not ours", COMMAND_MEMBER(report.anonymous) },
	{ "format", "FORMAT", "text (default), html, json, csv", COMMAND_MEMBER(report.format) },
	{ "mail", "TO,...", "as a message for sendmail -t -f '<>'; nothing is sent", COMMAND_MEMBER(report.mail_to) },
	{ "directory", "DIR", "all formats, as files by date, and latest.html and so on, instead of printing", COMMAND_MEMBER(report.directory) },
	{ 0 }
};

const struct command command_report = { "report", "", "what a postmaster is to know and to do, for a day or any time", run_report, options };
