/*
 * why.c - "bouncetap why ADDRESS --at TIME": a list says that it was hit at that minute; which mail was it?
 *
 * Lists write times in CET. Whether they go on doing so in summer or mean the time on the wall then is not known, so from March to October both
 * are searched.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "analyzer/command.h"
#include "analyzer/domain.h"
#include "analyzer/evidence.h"
#include "analyzer/own.h"
#include "common/escape.h"
#include "common/paragraph.h"
#include "common/timefmt.h"
#include "common/xmalloc.h"
#include "reader/left.h"
#include "reader/sensor.h"
#include "reader/server.h"

#define SECOND_US INT64_C(1000000)
#define NEAR_US (60 * SECOND_US)	/* lists name the minute */
#define WINDOW_US (90 * SECOND_US)	/* before and after --at, unless --window says */

enum { SHOWN_IN_FULL = 5, SHOWN = 25, FROM_MAX = 64, ADDRESS_SHOWN = 70 };
/* What speaks for a mail's having hit a trap, in falling weight. */
enum { MARK_SENDER = 8, MARK_NEAR = 4, MARK_NOT_BIG = 2, MARK_NO_CONTACT = 1 };

struct candidate {
	const struct left_row *left;
	int marks;
	int64_t distance_us;	/* from the time asked for; negative: before it */
};

/* One way to read the time. */
struct reading {
	int64_t at_us;
	const char *zone;	/* NULL: there is only one way */
	int64_t watched_us;
	struct left_list left;
	struct candidate *candidate;	/* with the mark of the sender, or of an answering kind; likeliest first */
	size_t count, likely;		/* likely: with the mark of the sender */
	size_t null_sender;		/* mails with null or postmaster sender, callouts */
};

struct question {
	struct command_context *c;
	struct reader *r;
	struct ip_addr address;
	char address_text[IP_TEXT_MAX];
	struct ip_prefix from[FROM_MAX];
	size_t from_count;
	int64_t window_us;
	struct reading reading[2];
	size_t reading_count;
	struct buf out, line;
};

/* ---- whose address ---- */

static void add_from(struct question *q, const struct ip_prefix *p)
{
	if (q->from_count < FROM_MAX)
		q->from[q->from_count++] = *p;
}

static void add_server(struct question *q, const struct config_server *s)
{
	for (size_t i = 0; i < s->addresses.count; i++)
		add_from(q, &s->addresses.item[i]);
}

static bool is_public_of(const struct config_server *s, const struct ip_addr *a)
{
	return s->public_address.version && ip_equal(&s->public_address, a);
}

static const struct config_server *server_with(const struct config *c, const struct ip_addr *a)
{
	for (size_t i = 0; i < c->server_count; i++)
		for (size_t k = 0; k < c->server[i].addresses.count; k++)
			if (ip_in_prefix(a, &c->server[i].addresses.item[k]))
				return &c->server[i];
	return NULL;
}

/* Known to the verdicts, under whatever configuration they were made. */
static bool is_known(struct question *q)
{
	struct server_query query = { .now_us = time_now_us() };
	struct server_list l;
	bool known = false;

	if (server_list_read(q->r, &query, &l) == 0)
		for (size_t i = 0; i < l.count && !known; i++) {
			known = strcmp(l.row[i].address, q->address_text) == 0;
			for (size_t k = 0; k < l.row[i].address_count && !known; k++)
				known = strcmp(l.row[i].addresses[k], q->address_text) == 0;
		}
	server_list_fini(&l);
	return known;
}

static int find_addresses(struct question *q)
{
	const struct config *c = q->c->config;
	const struct config_server *inside = server_with(c, &q->address);
	struct ip_prefix itself = { q->address, q->address.version == 4 ? 32 : 128 };
	struct own *own = own_new(c);
	bool ours = own_has(own, &q->address);

	own_free(own);
	if (!ip_is_world(&q->address) && !(inside && inside->public_address.version))
		return command_fail(EX_USAGE, "why %s: this address is not seen outside; name its public address (public= of its [server] section tells which it is)",
				    q->address_text);
	for (size_t i = 0; i < c->server_count; i++)
		if (is_public_of(&c->server[i], &q->address))
			add_server(q, &c->server[i]);
	add_from(q, &itself);
	if (q->from_count == 1 && !ours && !inside && !is_known(q))
		return command_fail(EX_USAGE, "why %s: none of our servers has this address; \"bouncetap servers\" lists them, public= of a [server] section names one behind NAT",
				    q->address_text);
	return EX_OK;
}

/* ---- when ---- */

static int find_readings(struct question *q)
{
	const char *text = q->c->at;
	int64_t at;

	if (!text)
		return command_fail(EX_USAGE, "why: when? --at \"2026-11-20 14:03 CET\", as the list writes it");
	if (time_parse(text, command_now(q->c, q->r), &at))
		return command_fail(EX_USAGE, "--at %s: not a time; \"2026-11-20 14:03 CET\", \"2026-11-20T13:03Z\" or \"-2h\" would be", text);
	q->reading[q->reading_count++].at_us = at;
	if (time_may_mean_summer(text, at)) {
		q->reading[0].zone = "UTC+1, winter time";
		q->reading[q->reading_count++] = (struct reading){ .at_us = at - 3600 * SECOND_US, .zone = "UTC+2, summer time" };
	}
	return EX_OK;
}

/* ---- which ---- */

static struct text host_of_banner(struct text banner)
{
	uint32_t n = 0;

	while (n < banner.len && banner.p[n] != ' ')
		n++;
	return (struct text){ banner.p, n };
}

static int64_t distance(const struct left_row *l, int64_t at_us)
{
	return l->started_us > at_us ? l->started_us - at_us : l->ended_us < at_us ? l->ended_us - at_us : 0;
}

static int marks_of(const struct left_row *l, int64_t distance_us)
{
	bool big = domain_is_platform(l->recipient_domain) || domain_is_platform(host_of_banner(l->banner));
	int marks = 0;

	/* Callouts count whatever their sender is: Postfix probes as double-bounce@. What went to who caused it hit no trap. */
	if ((l->null_sender || l->postmaster || l->kind == KIND_CALLOUT) && strcmp(l->misdirected, "no") != 0)
		marks |= MARK_SENDER;
	if (distance_us <= NEAR_US && distance_us >= -NEAR_US)
		marks |= MARK_NEAR;
	if (!big)
		marks |= MARK_NOT_BIG;
	if (!l->had_contact)
		marks |= MARK_NO_CONTACT;
	return marks;
}

static int likeliest_first(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;
	int64_t da = llabs(a->distance_us), db = llabs(b->distance_us);

	if (a->marks != b->marks)
		return b->marks - a->marks;
	if (da != db)
		return da < db ? -1 : 1;
	return (a->left->started_us > b->left->started_us) - (a->left->started_us < b->left->started_us);
}

static int search(struct question *q, struct reading *g)
{
	int64_t from = g->at_us - q->window_us, to = g->at_us + q->window_us;

	if (left_read(q->r, q->from, q->from_count, from, to, &g->left) || sensor_watched(q->r, from, to, command_now(q->c, q->r), &g->watched_us))
		return command_fail(EX_TEMPFAIL, "%s", reader_message(q->r));
	g->candidate = xcalloc(g->left.count + 1, sizeof *g->candidate);
	for (size_t i = 0; i < g->left.count; i++) {
		const struct left_row *l = &g->left.row[i];

		if (!l->null_sender && !l->postmaster && !(l->kind < KIND_COUNT && kind_is_answering(l->kind)))
			continue;
		int64_t d = distance(l, g->at_us);
		g->candidate[g->count] = (struct candidate){ l, marks_of(l, d), d };
		g->likely += (g->candidate[g->count++].marks & MARK_SENDER) != 0;
		g->null_sender += l->null_sender || l->postmaster || l->kind == KIND_CALLOUT;
	}
	qsort(g->candidate, g->count, sizeof *g->candidate, likeliest_first);
	return EX_OK;
}

/* ---- text ---- */

static void end_line(struct question *q, unsigned indent)
{
	paragraph(&q->out, indent, buf_cstr(&q->line));
	buf_clear(&q->line);
}

static void put_distance(struct buf *out, int64_t us)
{
	if (us)
		buf_printf(out, "%.1f s %s", (double)llabs(us) / 1e6, us < 0 ? "before" : "after");
	else
		buf_add_str(out, "just then");
}

static void put_marks(struct question *q, const struct candidate *k)
{
	const struct left_row *l = k->left;

	buf_printf(&q->line, "   %s sender", l->null_sender ? "null" : l->postmaster ? "postmaster" : l->kind == KIND_CALLOUT ? "a callout's" : "ordinary");
	buf_add_str(&q->line, k->marks & MARK_NEAR ? ", within a minute" : ", more than a minute off");
	buf_add_str(&q->line, k->marks & MARK_NOT_BIG ? ", no big provider" : ", a big provider");
	buf_add_str(&q->line, k->marks & MARK_NO_CONTACT ? ", never wrote to us from there" : ", wrote to us from there before");
	buf_printf(&q->line, "; %s > %s, %s", l->src_ip, l->dest_ip, l->outcome);
	if (l->code)
		buf_printf(&q->line, " (%d)", l->code);
	end_line(q, 3);
}

static int put_finding(struct question *q, int64_t finding)
{
	struct finding_page page;
	struct ladder ladder;
	int failed = finding_read(q->r, finding, command_now(q->c, q->r), &page) | ladder_read(q->r, finding, &ladder);

	if (!failed && page.count) {
		buf_printf(&q->out, "   finding %s\n", page.row[0].finding_id);
		evidence_ladder(&q->out, &ladder, 3);
	}
	ladder_fini(&ladder);
	finding_page_fini(&page);
	return failed;
}

static int put_candidate(struct question *q, const struct candidate *k, size_t number, bool in_full)
{
	const struct left_row *l = k->left;
	char time[TIME_TEXT_MAX];

	buf_printf(&q->line, "%zu. ", number);
	put_distance(&q->line, k->distance_us);
	buf_printf(&q->line, ", %s: %s to ", time_format_local(l->started_us, time), l->kind < KIND_COUNT ? kind_name(l->kind) : "mail");
	escape_terminal(&q->line, l->recipient, ADDRESS_SHOWN);
	if (*l->misdirected)
		buf_printf(&q->line, ", %s", evidence_misdirected(l->misdirected));
	else if (strcmp(l->provenance, "forwarded") == 0)
		buf_add_str(&q->line, ", passed on from outside");
	end_line(q, 3);
	put_marks(q, k);
	return in_full && l->finding_rowid ? put_finding(q, l->finding_rowid) : 0;
}

static void put_coverage(struct question *q, const struct reading *g)
{
	if (g->watched_us == 0 && g->left.count)
		buf_add_str(&q->line, "no counters of the capture are there for this time, so what else left, unseen, is not known");
	else if (g->watched_us == 0)
		buf_add_str(&q->line, "not watching then: nothing was captured in this time");
	else if (g->watched_us < 2 * q->window_us)
		buf_printf(&q->line, "watched only %.0f of these %.0f seconds", (double)g->watched_us / 1e6, (double)q->window_us / 5e5);
	if (q->line.len)
		end_line(q, 2);
	if (g->left.unread_sessions) {
		buf_printf(&q->line, "%" PRIu64 " encrypted connection%s left, too: what they carried could not be read", g->left.unread_sessions,
			   g->left.unread_sessions == 1 ? "" : "s");
		end_line(q, 2);
	}
}

static int put_reading(struct question *q, const struct reading *g)
{
	char utc[TIME_TEXT_MAX], local[TIME_TEXT_MAX];
	int failed = 0;

	time_format_utc(g->at_us, utc);
	utc[10] = ' ';
	buf_printf(&q->line, "%.19s UTC (here %s)", utc, time_format_local(g->at_us, local));
	if (g->zone)
		buf_printf(&q->line, ", read as %s", g->zone);
	buf_printf(&q->line, ", and %.0f s before and after: %zu%s mail%s left, %zu with null or postmaster sender or as callouts", (double)q->window_us / 1e6,
		   g->left.count, g->left.cut ? " and more" : "", g->left.count == 1 ? "" : "s", g->null_sender);
	end_line(q, 2);
	put_coverage(q, g);
	for (size_t i = 0; i < g->count && i < SHOWN && !failed; i++) {
		buf_add_char(&q->out, '\n');
		failed = put_candidate(q, &g->candidate[i], i + 1, i < SHOWN_IN_FULL);
	}
	if (g->count > SHOWN)
		buf_printf(&q->out, "\n%zu more of the kind, less likely; a smaller --window leaves fewer\n", g->count - SHOWN);
	return failed;
}

/* Nothing that was seen can have been it. */
static void put_nothing(struct question *q)
{
	bool watched = false;
	size_t null_sender = 0;
	uint64_t unread = 0;

	for (size_t i = 0; i < q->reading_count; i++) {
		const struct reading *g = &q->reading[i];

		watched |= g->watched_us > 0 || g->left.count;
		null_sender += g->null_sender;
		unread += g->left.unread_sessions;
	}
	buf_printf(&q->line, "%s: %s", q->address_text, !watched ? "not watching then" : null_sender
		   ? "what was seen leaving with null or postmaster sender went to those who caused it"
		   : "nothing with null or postmaster sender and no callout was seen leaving");
	if (unread)
		buf_printf(&q->line, "; %" PRIu64 " encrypted connection%s could not be read", unread, unread == 1 ? "" : "s");
}

/* The answer first. */
static void put_answer(struct question *q)
{
	const struct reading *best = NULL;

	for (size_t i = 0; i < q->reading_count; i++) {
		const struct reading *g = &q->reading[i];

		if (g->likely && (!best || g->candidate[0].marks > best->candidate[0].marks))
			best = g;
	}
	if (best) {
		const struct left_row *l = best->candidate[0].left;

		buf_printf(&q->line, "%s: most likely the %s to ", q->address_text, l->kind < KIND_COUNT ? kind_name(l->kind) : "mail");
		escape_terminal(&q->line, l->recipient, ADDRESS_SHOWN);
		buf_add_str(&q->line, ", ");
		put_distance(&q->line, best->candidate[0].distance_us);
		if (best->zone)
			buf_printf(&q->line, " when the time is %s", best->zone);
	} else
		put_nothing(q);
	end_line(q, 2);
}

static int put_text(struct question *q)
{
	int failed = 0;

	put_answer(q);
	for (size_t i = 0; i < q->reading_count && !failed; i++) {
		buf_add_char(&q->out, '\n');
		failed = put_reading(q, &q->reading[i]);
	}
	return failed;
}

/* ---- JSON ---- */

static int json_candidate(struct question *q, struct json *j, const struct candidate *k, bool in_full)
{
	const struct left_row *l = k->left;
	char time[TIME_TEXT_MAX];
	int failed = 0;

	json_object(j, NULL);
	json_string(j, "transaction_id", l->transaction_id);
	json_string(j, "timestamp", time_format_utc(l->started_us, time));
	json_int(j, "distance_ms", k->distance_us / 1000);
	json_string(j, "src_ip", l->src_ip);
	json_string(j, "dest_ip", l->dest_ip);
	json_string(j, "kind", l->kind < KIND_COUNT ? kind_name(l->kind) : NULL);
	json_text(j, "mail_from", l->mail_from);
	json_text(j, "recipient", l->recipient);
	json_int(j, "rcpt_count", l->recipients);
	json_string(j, "outcome", l->outcome);
	json_bool(j, "null_or_postmaster", l->null_sender || l->postmaster);
	json_bool(j, "within_a_minute", k->marks & MARK_NEAR);
	json_bool(j, "big_provider", !(k->marks & MARK_NOT_BIG));
	json_bool(j, "had_contact", l->had_contact);
	json_bool(j, "likely", k->marks & MARK_SENDER);
	if (l->finding_rowid && in_full) {
		struct finding_page page;
		struct ladder ladder;

		failed = finding_read(q->r, l->finding_rowid, command_now(q->c, q->r), &page) | ladder_read(q->r, l->finding_rowid, &ladder);
		json_object(j, "finding");
		if (page.count)
			evidence_json(j, &page.row[0], &ladder);
		json_object_end(j);
		ladder_fini(&ladder);
		finding_page_fini(&page);
	} else
		json_null(j, "finding");
	json_object_end(j);
	return failed;
}

static int put_json(struct question *q)
{
	char time[TIME_TEXT_MAX];
	struct json j;
	int failed = 0;

	json_begin(&j, &q->out);
	json_object(&j, NULL);
	json_string(&j, "address", q->address_text);
	json_int(&j, "window_ms", q->window_us / 1000);
	json_array(&j, "readings");
	for (size_t i = 0; i < q->reading_count; i++) {
		const struct reading *g = &q->reading[i];

		json_object(&j, NULL);
		json_string(&j, "at", time_format_utc(g->at_us, time));
		json_string(&j, "read_as", g->zone);
		json_int(&j, "watched_ms", g->watched_us / 1000);
		json_int(&j, "mails", (int64_t)g->left.count);
		json_int(&j, "unread_sessions", (int64_t)g->left.unread_sessions);
		json_array(&j, "candidates");
		for (size_t k = 0; k < g->count && !failed; k++)
			failed = json_candidate(q, &j, &g->candidate[k], k < SHOWN);
		json_array_end(&j);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	buf_add_char(&q->out, '\n');
	return failed;
}

/* ---- the command ---- */

static int ask(struct question *q)
{
	int code = find_addresses(q);

	if (code == EX_OK)
		code = find_readings(q);
	for (size_t i = 0; i < q->reading_count && code == EX_OK; i++)
		code = search(q, &q->reading[i]);
	if (code != EX_OK)
		return code;
	if ((q->c->json ? put_json : put_text)(q))
		return command_fail(EX_TEMPFAIL, "%s", reader_message(q->r));
	return command_print(&q->out);
}

static int run_why(struct command_context *c)
{
	struct question q = { .c = c, .window_us = c->window_us ? c->window_us : WINDOW_US };

	if (c->file_count != 1 || ip_parse(c->files[0], strlen(c->files[0]), &q.address))
		return command_fail(EX_USAGE, "why: name one address of ours as the world sees it: bouncetap why 192.0.2.25 --at \"2026-11-20 14:03 CET\"");
	ip_format(&q.address, q.address_text);
	int code = command_open_reader(c, &q.r);
	if (code != EX_OK)
		return code;
	code = ask(&q);
	for (size_t i = 0; i < q.reading_count; i++) {
		left_list_fini(&q.reading[i].left);
		free(q.reading[i].candidate);
	}
	buf_fini(&q.out);
	buf_fini(&q.line);
	reader_close(q.r);
	return code;
}

/* "90", "90s", "10m", "1h", at most a day */
static int set_window(struct command_context *c, const char *text)
{
	const int64_t day_us = INT64_C(86400000000);
	bool bare = *text && text[strlen(text) - 1] >= '0' && text[strlen(text) - 1] <= '9';
	char before[32];

	snprintf(before, sizeof before, "-%s%s", text, bare ? "s" : "");
	if (strlen(text) > 20 || time_parse(before, 0, &c->window_us) || c->window_us >= 0 || c->window_us < -day_us)
		return command_fail(EX_USAGE, "--window %s: \"90s\", \"10m\" or \"1h\" would be one; at most 1d", text);
	c->window_us = -c->window_us;
	return EX_OK;
}

static const struct command_option options[] = {
	{ "at", "TIME", "when, as the list writes it; CET in summer is searched as UTC+1 and UTC+2", COMMAND_MEMBER(at) },
	{ "window", "TIME", "so long before and after it: 90s (default), 10m, 1h", .set = set_window },
	COMMAND_FORMAT,
	{ 0 }
};

const struct command command_why = { "why", "ADDRESS", "a list says it was hit at --at TIME: which mail was that?", run_why, options };
