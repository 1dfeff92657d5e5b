/* report_text.c - see report_text.h. Everything that came from the wire goes through escape_terminal. */
#include "analyzer/report_text.h"

#include <stdarg.h>
#include <string.h>

#include "analyzer/report_words.h"
#include "common/buf.h"
#include "common/escape.h"
#include "common/paragraph.h"
#include "common/timefmt.h"

struct text_printer {
	const struct report *r;
	struct buf *out;
	struct buf line;
};

/* ---- lines ---- */

static void put_line(struct text_printer *p, unsigned indent)
{
	paragraph(p->out, indent, buf_cstr(&p->line));
	buf_clear(&p->line);
}

static void add(struct text_printer *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text_printer *p, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	buf_add_str(&p->line, text);
}

static void say(struct text_printer *p, unsigned indent, const char *text)
{
	buf_printf(&p->line, "%*s%s", (int)indent, "", text);
	put_line(p, indent);
}

static void heading(struct text_printer *p, const char *text)
{
	buf_printf(p->out, "\n%s\n", text);
	for (size_t i = strlen(text); i > 0; i--)
		buf_add_char(p->out, '-');
	buf_add_char(p->out, '\n');
}

static void add_wire(struct text_printer *p, struct text t, size_t max)
{
	escape_terminal(&p->line, t, max);
}

static void add_word(struct text_printer *p, const char *s, size_t max)
{
	escape_terminal(&p->line, words_text(s), max);
}

static void add_time(struct text_printer *p, int64_t us)
{
	char text[TIME_TEXT_MAX];

	buf_add_str(&p->line, time_format_local(us, text));
}

/* "     set:     relay_recipient_maps = ...": a label, then lines of ours or the wire's. */
static void put_field(struct text_printer *p, const char *label, const char *text)
{
	const char *begin = text;

	for (const char *s = text; ; s++)
		if (*s == '\n' || !*s) {
			buf_printf(&p->line, "     %-8s %.*s", begin == text ? label : "", (int)(s - begin), begin);
			put_line(p, 16);
			begin = s + 1;
			if (!*s)
				break;
		}
}

/* ---- head ---- */

static void put_head(struct text_printer *p)
{
	const struct report *r = p->r;
	char period[WORDS_PERIOD_MAX];

	add(p, "bouncetap report, %s", words_period(r, period));
	put_line(p, 0);
	add(p, "%s: ", words_state(r->state));
	add_word(p, r->verdict, 0);
	put_line(p, 0);
}

/* ---- do this first ---- */

static void put_why(struct text_printer *p, const struct report_matter *m)
{
	char client[WORDS_CLIENT_MAX], number[WORDS_NUMBER_MAX];

	buf_printf(&p->line, "     %-8s %s %s", "why:", words_count(m->answers, number), words_kind(m->kind, m->answers));
	if (m->cause)
		add(p, " (%s)", m->cause);
	if (m->misdirected)
		add(p, ", %s misdirected", m->misdirected == m->answers ? "all" : words_count(m->misdirected, number));
	if (m->misdirected && m->likely_only)
		add(p, "%s", m->likely_only == m->misdirected ? " (likely, not proved)" : " (some proved)");
	add(p, ", to %s domain%s", words_count(m->domains, number), words_plural(m->domains));
	if (m->attempts > m->answers)
		add(p, ", %s attempts", words_count(m->attempts, number));
	add(p, ", last ");
	add_time(p, m->last_us);
	if (m->emitter) {
		add(p, "; they leave by ");
		add_word(p, m->emitter, 60);
	}
	put_line(p, 14);
	if (words_stale(m)) {
		buf_printf(&p->line, "     %-8s %s", "", words_stale(m));
		put_line(p, 14);
	}
	if (words_client(m, client)) {
		buf_printf(&p->line, "     %-8s %s", "", client);
		put_line(p, 14);
	}
	if (!m->root_code)
		return;
	buf_printf(&p->line, "     %-8s ", "");
	add(p, "%s refused %s: %d ", m->root_server ? m->root_server : "a server", strcmp(m->where, "inner") == 0 ? "what this one had taken" : "it", m->root_code);
	if (m->root_enhanced.p) {
		add_wire(p, m->root_enhanced, 12);
		add(p, " ");
	}
	add_wire(p, m->root_reply, 200);
	put_line(p, 14);
}

static void put_advice(struct text_printer *p, const struct report_matter *m)
{
	const struct advice *a = m->advice;
	bool known = a && a->software;

	if (!a)
		return;
	put_field(p, "do:", a->what);
	if (a->setting)
		put_field(p, "set:", a->setting);
	if (a->file)
		put_field(p, "in:", a->file);
	if (a->trap)
		put_field(p, "trap:", a->trap);
	if (!known && m->log)
		put_field(p, "log:", m->log);
	if (!m->queue)
		return;
	if (m->queue_said) {
		add(p, "     %-8s see %zu.", "queued:", m->queue_said);
		put_line(p, 14);
		return;
	}
	put_field(p, "queued:", "answers that wait in the queue go on leaving for days; to see them:");
	put_field(p, "", m->queue->show);
	if (m->queue->remove) {
		put_field(p, "", "and to remove them:");
		put_field(p, "", m->queue->remove);
	}
	put_field(p, "", m->queue->trap);
}

static void put_todo(struct text_printer *p)
{
	const struct report *r = p->r;

	heading(p, "Do this first");
	if (!r->todo_count)
		say(p, 2, words_nothing(r));
	for (size_t i = 0; i < r->todo_count; i++) {
		const struct report_matter *m = r->todo[i];

		if (i)
			buf_add_char(p->out, '\n');
		add(p, "  %zu. ", i + 1);
		add_word(p, m->server, 60);
		if (m->responder || m->software)
			add(p, " (%s%s%s)", m->software ? m->software : "", m->software && m->responder ? ", " : "", m->responder ? m->responder : "");
		if (m->owner) {
			add(p, ", owner ");
			add_word(p, m->owner, 40);
		}
		put_line(p, 5);
		put_why(p, m);
		put_advice(p, m);
		add(p, "     %-8s finding %s (Evidence %zu)", "proof:", m->finding_id, i + 1);
		put_line(p, 14);
	}
	if (r->matter_count - r->known_count > r->todo_count) {
		add(p, "  %zu more: see Causes.", r->matter_count - r->known_count - r->todo_count);
		put_line(p, 2);
	}
	if (r->known_count) {
		add(p, "  %zu known matter%s left out here: see Causes.", r->known_count, r->known_count == 1 ? " is" : "s are");
		put_line(p, 2);
	}
}

/* ---- what changed ---- */

static void put_changes(struct text_printer *p)
{
	const struct report *r = p->r;

	heading(p, "New, worse, gone");
	if (r->options.whole || (!r->has_before && !r->has_base)) {
		say(p, 2, "There is nothing to compare with: no mail of an earlier time was seen.");
		return;
	}
	if (!r->change_count)
		say(p, 2, "Nothing to speak of.");
	for (size_t i = 0; i < r->change_count; i++) {
		const struct report_change *c = &r->change[i];
		char now[WORDS_NUMBER_MAX], before[WORDS_NUMBER_MAX];

		add(p, "  %-8s ", words_trend(c->trend));
		add_word(p, c->server, 40);
		add(p, ": %s", c->kind == KIND_COUNT ? "mail of any kind" : words_kind(c->kind, 2));
		add(p, " %s (before %s, usual %.1f)", words_count(c->now, now), r->has_before ? words_count(c->before, before) : "not seen", c->base);
		put_line(p, 11);
	}
}

/* ---- servers ---- */

static void put_spark(struct text_printer *p, const struct report_server *s)
{
	uint64_t most = 0;

	for (int i = 0; i <= REPORT_BASE_DAYS; i++)
		most = s->day[i] > most ? s->day[i] : most;
	if (!most)
		return;
	add(p, "     last %d days [", REPORT_BASE_DAYS + 1);
	for (int i = 0; i <= REPORT_BASE_DAYS; i++)
		buf_add_char(&p->line, words_level(s->day[i], most));
	add(p, "] 9 = %llu", (unsigned long long)most);
	put_line(p, 5);
}

static void put_kinds_of(struct text_printer *p, const struct report_tally *t)
{
	const char *comma = ": ";
	char number[WORDS_NUMBER_MAX];

	for (int k = 0; k < KIND_COUNT; k++)
		if (t->kind[k]) {
			add(p, "%s%s %s", comma, words_count(t->kind[k], number), words_kind((enum kind)k, t->kind[k]));
			comma = ", ";
		}
}

static void put_server(struct text_printer *p, const struct report_server *s)
{
	const struct report *r = p->r;
	char number[WORDS_NUMBER_MAX];

	add(p, "  ");
	add_word(p, s->title, 60);
	if (strcmp(s->title, s->row->public_address) != 0)
		add(p, " (%s)", s->row->public_address);
	if (s->row->software)
		add(p, ", %s", s->row->software);
	if (s->row->owner) {
		add(p, ", owner ");
		add_word(p, s->row->owner, 40);
	}
	if (s->row->worst_status && server_status_rank(s->row->worst_status) > 0) {
		add(p, ": %s ", report_status_words(s->row->worst_status));
		add_word(p, report_list_name(r, s->row->worst_list), 40);
	}
	put_line(p, 5);
	if (s->known) {
		add(p, "     known: ");
		add_word(p, s->row->acked_why, 200);
		put_line(p, 12);
	}
	add(p, "     %s answer%s", words_count(s->now.answers, number), words_plural(s->now.answers));
	add(p, ", %s misdirected", words_count(s->now.misdirected, number));
	add(p, ", %s avoidable", words_count(s->now.avoidable, number));
	put_kinds_of(p, &s->now);
	put_line(p, 5);
	if (r->has_before || r->has_base) {
		add(p, "     avoidable before: %s", s->before.seen ? words_count(s->before.avoidable, number) : "not seen");
		add(p, ", usually %.1f", (double)s->base.avoidable * r->base_scale);
		put_line(p, 5);
	}
	if (r->has_before || r->has_base)
		put_spark(p, s);
	add(p, "     %s", s->row->days_clean < 0 ? "never an answer to hold against it" : "");
	if (s->row->days_clean >= 0)
		add(p, "clean for %d day%s", s->row->days_clean, s->row->days_clean == 1 ? "" : "s");
	add(p, "; %s mails in", words_count(s->now.in, number));
	add(p, ", %s out", words_count(s->now.out, number));
	if (s->row->sessions_out)
		add(p, "; %.0f %% of its sessions to outside encrypted", 100.0 * (double)s->row->encrypted_out / (double)s->row->sessions_out);
	put_line(p, 5);
}

static void put_servers(struct text_printer *p)
{
	const struct report *r = p->r;
	struct buf clean = { 0 };

	heading(p, "Servers");
	if (!r->server_count)
		say(p, 2, "None of our addresses served or sent mail in what was seen.");
	for (size_t i = 0; i < r->server_count; i++) {
		if (!r->server[i].clean) {
			put_server(p, &r->server[i]);
			continue;
		}
		buf_add_str(&clean, clean.len ? ", " : "");
		escape_terminal(&clean, words_text(r->server[i].title), 60);
	}
	if (clean.len) {
		buf_printf(&p->line, "  Nothing to hold against: %s", buf_cstr(&clean));
		put_line(p, 4);
	}
	buf_fini(&clean);
}

/* ---- lists ---- */

static void put_risk(struct text_printer *p, const struct risk_row *k)
{
	char number[WORDS_NUMBER_MAX];

	add(p, "  ");
	add_word(p, words_title(p->r, k->server_id, k->server), 60);
	if (strcmp(words_title(p->r, k->server_id, k->server), k->address) != 0)
		add(p, " (%s)", k->address);
	add(p, " %s ", report_status_words(k->status));
	add_word(p, report_list_name(p->r, k->list), 60);
	if (strcmp(k->status, "would-list") == 0)
		add(p, ", if one of the recipients is a trap");
	put_line(p, 4);
	for (size_t i = 0; i < k->reason_count; i++) {
		add(p, "    ");
		add_wire(p, k->reason[i], 0);
		put_line(p, 6);
	}
	if (k->has_margin)
		add(p, k->margin > 0 ? "    %s below its threshold; " : "    %s over its threshold; ",
		    words_count((uint64_t)(k->margin > 0 ? k->margin : -k->margin), number));
	else
		add(p, "    ");
	if (k->last_us) {
		add(p, "last one ");
		add_time(p, k->last_us);
	} else
		add(p, "none that counts");
	if (k->expires_us) {
		add(p, "; a listing would end ");
		add_time(p, k->expires_us);
	}
	put_line(p, 6);
	if (k->answer_state) {
		add(p, "    asked ");
		add_time(p, k->answer_us);
		add(p, ": %s (", k->answer_state);
		add_word(p, k->answer_raw, 60);
		add(p, ")");
		put_line(p, 6);
	}
}

static void put_lists(struct text_printer *p)
{
	const struct report *r = p->r;
	size_t clean = 0;

	heading(p, "Lists");
	if (!r->options.lists->count) {
		say(p, 2, "No description of a blocklist was found (lists.d), so nothing is said about lists.");
		return;
	}
	for (size_t i = 0; i < r->risk.count; i++) {
		if (strcmp(r->risk.row[i].status, "clean") == 0 && !r->risk.row[i].answer_state)
			clean++;
		else
			put_risk(p, &r->risk.row[i]);
	}
	if (!r->risk.count)
		say(p, 2, "No address of ours was seen.");
	if (clean) {
		add(p, "  %zu of %zu pairs of address and list are clean.", clean, r->risk.count);
		put_line(p, 2);
	}
	for (size_t i = 0; i < r->refusals.count; i++) {
		const struct refusal_row *f = &r->refusals.row[i];

		add(p, "  refused as listed: %s, by %s, ", f->address, f->remote_ip);
		add_time(p, f->at_us);
		add(p, ", ");
		add_wire(p, f->zone, 60);
		add(p, ": %d ", f->code);
		add_wire(p, f->reply, 200);
		put_line(p, 4);
	}
}

/* ---- timeline ---- */

static void put_row_of_bars(struct text_printer *p, const char *label, int which)
{
	const struct report *r = p->r;
	uint64_t most = 0;
	char number[WORDS_NUMBER_MAX];

	for (size_t i = 0; i < r->bar_count; i++)
		most = words_bar(&r->bar[i], which) > most ? words_bar(&r->bar[i], which) : most;
	buf_printf(&p->line, "  %-11s %7s ", label, words_count(most, number));
	for (size_t i = 0; i < r->bar_count; i++)
		buf_add_char(&p->line, r->bar[i].seen || words_bar(&r->bar[i], which) ? words_level(words_bar(&r->bar[i], which), most) : ' ');
	while (p->line.len && p->line.p[p->line.len - 1] == ' ')
		p->line.len--;
	buf_printf(p->out, "%s\n", buf_cstr(&p->line));
	buf_clear(&p->line);
}

static void put_timeline(struct text_printer *p)
{
	const struct report *r = p->r;
	char text[TIME_TEXT_MAX];

	heading(p, r->bars_are_days ? "Timeline by day" : "Timeline by hour");
	if (!r->span.first_us) {
		say(p, 2, "No mail was seen.");
		return;
	}
	add(p, "  A character for each from %.16s: . for none, 1 to 9 for parts of the most (the number), blank where no mail was seen.",
	    time_format_local(r->bar[0].at_us, text));
	put_line(p, 2);
	put_row_of_bars(p, "misdirected", 0);
	put_row_of_bars(p, "avoidable", 1);
	put_row_of_bars(p, "answers", 2);
	put_row_of_bars(p, "all mail", 3);
}

/* ---- who, why ---- */

static void put_victims(struct text_printer *p)
{
	const struct report *r = p->r;
	char place[WORDS_PLACE_MAX];

	heading(p, "Who is hit");
	if (!r->victim_count) {
		say(p, 2, "Nobody.");
		return;
	}
	int width = r->geo_built_us ? 28 : 44;

	buf_printf(p->out, "  %-*s%s %9s %12s %9s\n", width, "domain", r->geo_built_us ? " where          " : "", "answers", "misdirected", "attempts");
	for (size_t i = 0; i < r->victim_count; i++) {
		const struct report_victim *v = &r->victim[i];
		struct buf name = { 0 };

		escape_terminal(&name, words_text(v->domain), (uint32_t)width);
		buf_printf(p->out, "  %-*s", width, buf_cstr(&name));
		if (r->geo_built_us)
			buf_printf(p->out, " %-15s", words_place(&v->place, place));
		buf_printf(p->out, " %9llu %12llu %9llu\n", (unsigned long long)v->answers, (unsigned long long)v->misdirected, (unsigned long long)v->attempts);
		buf_fini(&name);
	}
	if (r->victim_domains > r->victim_count)
		buf_printf(p->out, "  and %llu more domains\n", (unsigned long long)(r->victim_domains - r->victim_count));
}

static void put_causes(struct text_printer *p)
{
	const struct report *r = p->r;

	heading(p, "Causes");
	if (!r->matter_count)
		say(p, 2, "None: nothing avoidable left.");
	for (size_t i = 0; i < r->matter_count; i++) {
		const struct report_matter *m = &r->matter[i];
		char number[WORDS_NUMBER_MAX];

		add(p, "  %s %s", words_count(m->answers, number), words_kind(m->kind, m->answers));
		add(p, " of ");
		add_word(p, m->server, 60);
		if (m->cause)
			add(p, ", %s", m->cause);
		if (strcmp(m->where, "here") != 0)
			add(p, ", %s", words_where(m));
		add(p, "; %s misdirected", words_count(m->misdirected, number));
		if (m->known_why) {
			add(p, "; known: ");
			add_word(p, m->known_why, 200);
		}
		put_line(p, 4);
	}
	if (r->root_count)
		heading(p, "Root causes: what was refused after it had been taken");
	for (size_t i = 0; i < r->root_count; i++) {
		const struct report_root *o = &r->root[i];
		char number[WORDS_NUMBER_MAX];

		add(p, "  %s taken by ", words_count(o->answers, number));
		add_word(p, o->server, 60);
		add(p, ", refused by %s: %d ", o->refused_by ? o->refused_by : "?", o->code);
		if (o->enhanced.p) {
			add_wire(p, o->enhanced, 12);
			add(p, " ");
		}
		add_wire(p, o->reply, 160);
		put_line(p, 4);
	}
}

/* ---- evidence ---- */

static void put_hop(struct text_printer *p, const struct ladder_hop *h, enum kind kind, int64_t zero_us)
{
	const char *what = h->part == LADDER_CAUSE ? "cause" : h->part == LADDER_ROOT ? "refused" : kind_name(kind);
	char text[TIME_TEXT_MAX];

	if (h->started_us == zero_us)
		add(p, "     %s  ", time_format_local(h->started_us, text) + 11);
	else
		add(p, "     %+8.3f  ", (double)(h->started_us - zero_us) / 1e6);
	add(p, "%-9s %s > %s", what, h->client_ip, h->server_ip);
	put_line(p, 24);
	add(p, "%24sfrom ", "");
	add_wire(p, h->mail_from, 60);
	add(p, " to ");
	add_wire(p, h->recipient, 60);
	if (h->recipients > 1)
		add(p, " and %u more", h->recipients - 1);
	put_line(p, 26);
	if (h->code) {
		add(p, "%24s%d ", "", h->code);
		add_wire(p, h->reply, 220);
		put_line(p, 26);
	} else
		say(p, 24, strcmp(h->outcome, "aborted") == 0 ? "left without sending a message" : "no deciding reply");
}

static void put_reasons(struct text_printer *p, const struct finding_row *f)
{
	for (size_t i = 0; i < f->reason_count; i++) {
		add(p, "     %s it: ", f->reason[i].sign);
		add_wire(p, f->reason[i].text, 0);
		add(p, " (%s, %s)", f->reason[i].strength, f->reason[i].rule);
		put_line(p, 9);
	}
}

static void put_evidence(struct text_printer *p)
{
	const struct report *r = p->r;

	heading(p, "Evidence");
	if (!r->evidence_count)
		say(p, 2, "None is needed.");
	for (size_t i = 0; i < r->evidence_count; i++) {
		const struct report_evidence *e = &r->evidence[i];
		const struct finding_row *f = e->page.count ? e->page.row : NULL;

		if (!f)
			continue;
		add(p, "  %d. %s to ", e->number, kind_name(f->kind));
		add_wire(p, f->recipient, 60);
		add(p, ", %s", words_misdirected(f->misdirected));
		if (*f->cause_class)
			add(p, "; cause: %s", f->cause_class);
		if (f->attempts > 1)
			add(p, "; %u attempts", f->attempts);
		if (e->matter->answers > 1)
			add(p, "; one of %llu such", (unsigned long long)e->matter->answers);
		put_line(p, 5);
		if (!e->ladder.cause_seen)
			say(p, 5, "the mail that it answers was not seen");
		for (size_t k = 0; k < e->ladder.hop_count; k++)
			put_hop(p, &e->ladder.hop[k], f->kind, e->ladder.hop[0].started_us);
		if (e->ladder.attempts_left_out) {
			add(p, "     and %u attempts between the last two", e->ladder.attempts_left_out);
			put_line(p, 5);
		}
		put_reasons(p, f);
	}
}

/* ---- numbers ---- */

static void put_kinds(struct text_printer *p)
{
	const struct report *r = p->r;
	bool any = false;

	for (int k = 0; k < KIND_COUNT; k++) {
		if (!r->kind_now[k][0])
			continue;
		if (!any) {
			heading(p, "Answers to outside, by kind");
			buf_printf(p->out, "  %-22s %10s %12s %12s %10s\n", "kind", "answers", "misdirected", "avoidable", "attempts");
		}
		any = true;
		buf_printf(p->out, "  %-22s %10llu %12llu %12llu %10llu\n", kind_name((enum kind)k), (unsigned long long)r->kind_now[k][0],
			(unsigned long long)r->kind_now[k][1], (unsigned long long)r->kind_now[k][2], (unsigned long long)r->kind_attempts[k]);
	}
}

/* ---- what was not seen ---- */

static void put_number(struct text_printer *p, uint64_t n, const char *what)
{
	char number[WORDS_NUMBER_MAX];

	if (!n)
		return;
	add(p, "  %s %s", words_count(n, number), what);
	put_line(p, 4);
}

static void put_coverage(struct text_printer *p)
{
	const struct report *r = p->r;
	bool any = false;

	for (size_t i = 0; i < r->sensor.coverage_count; i++) {
		const struct coverage_row *c = &r->sensor.coverage[i];
		struct buf name = { 0 };

		if (!words_is_reported(r, c->server_id))
			continue;
		if (!any)
			buf_printf(p->out, "  %-30s %-8s %8s %10s %9s %7s\n", "server", "", "sessions", "encrypted", "one-sided", "gaps");
		any = true;
		escape_terminal(&name, words_text(words_title(r, c->server_id, c->server)), 27);
		buf_printf(p->out, "  %-30s %-8s %8llu %8.0f %% %9llu %7llu\n", buf_cstr(&name), c->direction, (unsigned long long)c->sessions,
			c->sessions ? 100.0 * (double)c->encrypted / (double)c->sessions : 0, (unsigned long long)c->one_sided,
			(unsigned long long)c->incomplete);
		buf_fini(&name);
	}
}

static void put_unseen(struct text_printer *p)
{
	const struct report *r = p->r;
	const struct sensor_counters *c = &r->seen;
	char number[WORDS_NUMBER_MAX];

	heading(p, "What was not seen");
	add(p, "  %s of ", words_count(c->encrypted_sessions, number));
	add(p, "%s sessions were encrypted: what they carried is not in this report", words_count(c->sessions, number));
	put_line(p, 4);
	put_coverage(p);
	put_number(p, c->one_sided_sessions, "sessions with one direction only");
	put_number(p, c->unseen_bytes, "bytes acknowledged, but not captured");
	put_number(p, c->kernel_drops, "packets dropped by the kernel");
	put_number(p, c->interface_drops, "frames dropped by network cards, mail or not");
	put_number(p, c->evicted, "connections dropped for want of memory");
	for (size_t i = 0; i < r->sensor.gap_count && r->span.first_us; i++) {
		add(p, "  nobody watched from ");
		add_time(p, r->sensor.gap[i].begin_us);
		add(p, " to ");
		add_time(p, r->sensor.gap[i].end_us);
		put_line(p, 4);
	}
	put_number(p, r->sensor.batches_behind, "commits of the sensor are not judged yet (bouncetap analyze)");
}

static bool is_said(const struct report *r, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (r->hygiene[k].advice == r->hygiene[i].advice)
			return true;
	return false;
}

static void put_hygiene(struct text_printer *p)
{
	const struct report *r = p->r;

	heading(p, "Hygiene");
	if (!r->hygiene_count)
		say(p, 2, "No other defect was seen.");
	for (size_t i = 0; i < r->hygiene_count; i++) {
		const struct hygiene_row *h = r->hygiene[i].row;
		const struct advice *a = r->hygiene[i].advice;
		char number[WORDS_NUMBER_MAX], of[WORDS_NUMBER_MAX];

		add(p, "  ");
		add_word(p, words_title(r, h->server_id, h->server), 60);
		add(p, " %s: %s", hygiene_words(h->what), words_count(h->cases, number));
		if (h->of)
			add(p, " of %s", words_count(h->of, of));
		add(p, " (%s), last ", h->what);
		add_time(p, h->last_us);
		put_line(p, 4);
		if (a && !is_said(r, i)) {
			put_field(p, "do:", a->what);
			if (a->setting)
				put_field(p, "set:", a->setting);
		}
	}
}

static void put_method(struct text_printer *p)
{
	const struct report *r = p->r;

	heading(p, "Method");
	say(p, 2, words_method());
	add(p, "  bouncetap " VERSION);
	if (!r->options.whole)	/* that of a temporary store tells nobody anything */
		add(p, ", store %s", r->store_id);
	add(p, ", judged for ");
	add_time(p, r->span.now_us);
	add(p, ", facts until ");
	add_time(p, r->span.judged_us);
	if (r->geo_built_us) {
		add(p, ", countries and networks of ");
		add_time(p, r->geo_built_us);
	}
	put_line(p, 2);
	for (size_t i = 0; i < r->options.lists->count; i++) {
		const struct list *l = &r->options.lists->item[i];

		add(p, "  list %s: %s", l->id, l->name);
		if (l->last_verified)
			add(p, ", description verified %s", l->last_verified);
		put_line(p, 4);
	}
}

void report_text(const struct report *r, struct buf *out)
{
	struct text_printer p = { r, out, { 0 } };

	put_head(&p);
	put_todo(&p);
	put_changes(&p);
	put_servers(&p);
	put_lists(&p);
	put_timeline(&p);
	put_victims(&p);
	put_causes(&p);
	put_kinds(&p);
	put_evidence(&p);
	put_unseen(&p);
	put_hygiene(&p);
	put_method(&p);
	buf_fini(&p.line);
}
