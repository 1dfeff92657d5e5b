/* show_servers.c - "bouncetap servers": what each own server is, what it does, how it stands. */
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "analyzer/command.h"
#include "common/escape.h"
#include "common/json.h"
#include "common/paragraph.h"
#include "common/timefmt.h"
#include "reader/hygiene.h"
#include "reader/risk.h"
#include "reader/server.h"

#define DAY_US INT64_C(86400000000)

struct show {
	struct command_context *c;
	struct reader *r;
	int64_t now_us, since_us;
	struct server_list servers;
	struct risk_list risks;
	struct hygiene_list defects;
	struct buf out, line;
};

/* ---- text ---- */

static void end_line(struct show *s, unsigned indent)
{
	paragraph(&s->out, indent, buf_cstr(&s->line));
	buf_clear(&s->line);
}

static void put_string(struct show *s, const char *text)
{
	escape_terminal(&s->line, (struct text){ text, (uint32_t)strlen(text) }, 0);
}

static void put_identity(struct show *s, const struct server_row *row)
{
	put_string(s, row->name);
	for (size_t i = 0; i < row->address_count; i++)
		if (strcmp(row->addresses[i], row->name) != 0)
			buf_printf(&s->line, "%s %s", i ? "," : ":", row->addresses[i]);
	if (row->software)
		buf_printf(&s->line, "; %s", row->software);
	if (row->role)
		buf_printf(&s->line, "; role %s", row->role);
	if (row->owner) {
		buf_add_str(&s->line, "; of ");
		put_string(s, row->owner);
	}
	buf_add_str(&s->line, row->sends_only ? "; only sends" : "");
	end_line(s, 2);
}

static void put_work(struct show *s, const struct server_row *row)
{
	const struct server_counts *n = &row->range;
	const char *comma = ": ";

	buf_printf(&s->line, "  took %" PRIu64 " and sent %" PRIu64 " mail%s from and to outside, %" PRIu64 " answer%s among them", n->mails_in, n->mails_out,
		   n->mails_out == 1 ? "" : "s", n->findings, n->findings == 1 ? "" : "s");
	for (int k = 0; k < KIND_COUNT; k++)
		if (n->kind[k]) {
			buf_printf(&s->line, "%s%" PRIu64 " %s", comma, n->kind[k], kind_name((enum kind)k));
			comma = ", ";
		}
	end_line(s, 4);
	if (n->findings) {
		buf_printf(&s->line, "  misdirected: %" PRIu64 " yes, %" PRIu64 " likely, %" PRIu64 " unknown, %" PRIu64 " no; %" PRIu64 " of a sort that any outsider can cause",
			   n->yes, n->likely, n->unknown, n->no, n->can_backscatter);
		end_line(s, 4);
	}
}

static const char *list_name(const struct show *s, const struct risk_row *risk)
{
	const struct list *l = lists_find(&s->c->lists, risk->list);

	return l ? l->name : risk->list;
}

static bool is_clean(const struct risk_row *risk)
{
	return strcmp(risk->status, "clean") == 0 && !risk->reason_count;
}

/* Of one address, in one line: "clean for A, B, C". */
static void put_clean(struct show *s, const struct risk_row *risk, size_t n)
{
	const char *comma = "";

	buf_printf(&s->line, "  %s: clean for ", risk->address);
	for (size_t i = 0; i < n; i++)
		if (is_clean(&risk[i])) {
			buf_printf(&s->line, "%s%s", comma, list_name(s, &risk[i]));
			comma = ", ";
		}
	end_line(s, 4);
}

/* The lists stand together for each address of a server. */
static void put_lists(struct show *s, const struct risk_row *risk, size_t n)
{
	bool clean = false;

	for (size_t i = 0; i < n; i++) {
		clean |= is_clean(&risk[i]);
		if (is_clean(&risk[i]))
			continue;
		buf_printf(&s->line, "  %s: %s for %s", risk[i].address, risk[i].status, list_name(s, &risk[i]));
		if (risk[i].reason_count) {
			buf_add_str(&s->line, " (");
			escape_terminal(&s->line, risk[i].reason[0], 200);
			buf_add_char(&s->line, ')');
		}
		end_line(s, 4);
	}
	if (clean)
		put_clean(s, risk, n);
}

static void put_state(struct show *s, const struct server_row *row)
{
	char time[TIME_TEXT_MAX];
	size_t n;

	for (size_t i = 0; i < s->risks.count; i += n) {
		const struct risk_row *risk = &s->risks.row[i];

		for (n = 1; i + n < s->risks.count && risk[n].server_id == risk->server_id && strcmp(risk[n].address, risk->address) == 0; n++)
			;
		if (risk->server_id == row->id)
			put_lists(s, risk, n);
	}
	if (!row->last_us)
		buf_add_str(&s->line, "  never seen to send a doubtful answer");
	else if (row->days_clean)
		buf_printf(&s->line, "  %d day%s without a doubtful answer", row->days_clean, row->days_clean == 1 ? "" : "s");
	else
		buf_printf(&s->line, "  latest doubtful answer %s", time_format_local(row->last_us, time));
	end_line(s, 4);
}

static void put_rest(struct show *s, const struct server_row *row)
{
	char time[TIME_TEXT_MAX];

	for (size_t i = 0; i < s->defects.count; i++)
		if (s->defects.row[i].server_id == row->id) {
			const struct hygiene_row *h = &s->defects.row[i];

			buf_printf(&s->line, "  %s: %" PRIu64 " of %" PRIu64 " (%s), last %s", hygiene_words(h->what), h->cases, h->of, h->what,
				   time_format_local(h->last_us, time));
			if (*h->evidence)
				buf_printf(&s->line, ": %s", h->evidence);
			end_line(s, 4);
		}
	if (row->encrypted_in + row->encrypted_out) {
		buf_printf(&s->line, "  encrypted, so unread: %" PRIu64 " of %" PRIu64 " sessions out, %" PRIu64 " of %" PRIu64 " in", row->encrypted_out, row->sessions_out,
			   row->encrypted_in, row->sessions_in);
		end_line(s, 4);
	}
	if (row->acked_why) {
		buf_add_str(&s->line, "  acknowledged: ");
		put_string(s, row->acked_why);
		end_line(s, 4);
	}
}

static void put_text(struct show *s)
{
	char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];

	buf_printf(&s->out, "%zu server%s, %s to %s\n", s->servers.count, s->servers.count == 1 ? "" : "s", time_format_local(s->since_us, from),
		   time_format_local(s->now_us, to));
	for (size_t i = 0; i < s->servers.count; i++) {
		buf_add_char(&s->out, '\n');
		put_identity(s, &s->servers.row[i]);
		put_state(s, &s->servers.row[i]);
		put_work(s, &s->servers.row[i]);
		put_rest(s, &s->servers.row[i]);
	}
}

/* ---- JSON ---- */

static void json_counts(struct json *j, const char *key, const struct server_counts *n)
{
	json_object(j, key);
	json_int(j, "mails_in", (int64_t)n->mails_in);
	json_int(j, "mails_out", (int64_t)n->mails_out);
	json_int(j, "findings", (int64_t)n->findings);
	json_int(j, "attempts", (int64_t)n->attempts);
	json_object(j, "kinds");
	for (int k = 0; k < KIND_COUNT; k++)
		if (n->kind[k])
			json_int(j, kind_name((enum kind)k), (int64_t)n->kind[k]);
	json_object_end(j);
	json_object(j, "misdirected");
	json_int(j, "yes", (int64_t)n->yes);
	json_int(j, "likely", (int64_t)n->likely);
	json_int(j, "unknown", (int64_t)n->unknown);
	json_int(j, "no", (int64_t)n->no);
	json_object_end(j);
	json_int(j, "can_backscatter", (int64_t)n->can_backscatter);
	json_object_end(j);
}

static void json_risks(struct show *s, struct json *j, int64_t server)
{
	char time[TIME_TEXT_MAX];

	json_array(j, "lists");
	for (size_t i = 0; i < s->risks.count; i++) {
		const struct risk_row *r = &s->risks.row[i];

		if (r->server_id != server)
			continue;
		json_object(j, NULL);
		json_string(j, "list", r->list);
		json_string(j, "address", r->address);
		json_string(j, "status", r->status);
		json_string(j, "last", r->last_us ? time_format_utc(r->last_us, time) : NULL);
		json_string(j, "expires", r->expires_us ? time_format_utc(r->expires_us, time) : NULL);
		if (r->has_margin)
			json_int(j, "margin", r->margin);
		else
			json_null(j, "margin");
		json_array(j, "reasons");
		for (size_t k = 0; k < r->reason_count; k++)
			json_text(j, NULL, r->reason[k]);
		json_array_end(j);
		json_object_end(j);
	}
	json_array_end(j);
}

static void json_defects(struct show *s, struct json *j, int64_t server)
{
	char time[TIME_TEXT_MAX];

	json_array(j, "defects");
	for (size_t i = 0; i < s->defects.count; i++) {
		const struct hygiene_row *h = &s->defects.row[i];

		if (h->server_id != server)
			continue;
		json_object(j, NULL);
		json_string(j, "what", h->what);
		json_int(j, "cases", (int64_t)h->cases);
		json_int(j, "of", (int64_t)h->of);
		json_string(j, "first", time_format_utc(h->first_us, time));
		json_string(j, "last", time_format_utc(h->last_us, time));
		json_string(j, "evidence", *h->evidence ? h->evidence : NULL);
		json_object_end(j);
	}
	json_array_end(j);
}

static void put_json(struct show *s)
{
	char time[TIME_TEXT_MAX];
	struct json j;

	for (size_t i = 0; i < s->servers.count; i++) {
		const struct server_row *row = &s->servers.row[i];

		json_begin(&j, &s->out);
		json_object(&j, NULL);
		json_string(&j, "server", row->name);
		json_array(&j, "addresses");
		for (size_t k = 0; k < row->address_count; k++)
			json_string(&j, NULL, row->addresses[k]);
		json_array_end(&j);
		json_string(&j, "software", row->software);
		json_string(&j, "role", row->role);
		json_string(&j, "owner", row->owner);
		json_bool(&j, "sends_only", row->sends_only);
		json_string(&j, "since", time_format_utc(s->since_us, time));
		json_string(&j, "until", time_format_utc(s->now_us, time));
		json_counts(&j, "counts", &row->range);
		json_string(&j, "status", row->worst_status);
		json_string(&j, "latest_doubtful", row->last_us ? time_format_utc(row->last_us, time) : NULL);
		if (row->days_clean < 0)
			json_null(&j, "days_clean");
		else
			json_int(&j, "days_clean", row->days_clean);
		json_int(&j, "sessions_out", (int64_t)row->sessions_out);
		json_int(&j, "encrypted_out", (int64_t)row->encrypted_out);
		json_int(&j, "sessions_in", (int64_t)row->sessions_in);
		json_int(&j, "encrypted_in", (int64_t)row->encrypted_in);
		json_string(&j, "acked", row->acked_why);
		json_risks(s, &j, row->id);
		json_defects(s, &j, row->id);
		json_object_end(&j);
		buf_add_char(&s->out, '\n');
	}
}

static int run_servers(struct command_context *c)
{
	struct show s = { .c = c };
	int code = command_open_reader(c, &s.r);

	if (code != EX_OK)
		return code;
	s.now_us = command_now(c, s.r);
	s.since_us = c->since_us ? c->since_us : s.now_us - DAY_US;
	if (s.since_us > s.now_us) {
		reader_close(s.r);
		return command_fail(EX_USAGE, "servers: --since is after the end of the time; --now tells another end");
	}
	struct server_query query = { .now_us = s.now_us, .since_us = s.since_us, .config = c->config };
	if (server_list_read(s.r, &query, &s.servers) | risk_list_read(s.r, 0, &s.risks) | hygiene_list_read(s.r, 0, &s.defects))
		code = command_fail(EX_TEMPFAIL, "%s", reader_message(s.r));
	else {
		(c->json ? put_json : put_text)(&s);
		code = command_print(&s.out);
	}
	server_list_fini(&s.servers);
	risk_list_fini(&s.risks);
	hygiene_list_fini(&s.defects);
	buf_fini(&s.out);
	buf_fini(&s.line);
	reader_close(s.r);
	return code;
}

static const struct command_option options[] = {
	COMMAND_SINCE,
	COMMAND_FORMAT,
	{ 0 }
};

const struct command command_servers = { "servers", "", "what each server of ours is and does, and how it stands with the lists", run_servers, options };
