/* report_html.c - see report_html.h. Everything that is not a literal here goes through escape_html, our own texts too: names come from a configuration. */
#include "analyzer/report_html.h"

#include <string.h>

#include "analyzer/report_words.h"
#include "common/escape.h"
#include "common/timefmt.h"

static const char style[] =
#include "report_style.css.h"
;

/* Height of the bars of a chart, in its own units, and the room for its words. */
enum { CHART_WIDTH = 960, CHART_HEIGHT = 150, CHART_LEFT = 44, CHART_FOOT = 18, SPARK_HEIGHT = 30, SPARK_STEP = 7 };

struct html {
	const struct report *r;
	struct buf *out;
};

/* ---- pieces ---- */

static void put(struct html *h, const char *markup)
{
	buf_add_str(h->out, markup);
}

static void wire(struct html *h, struct text t, size_t max)
{
	escape_html(h->out, t, max);
}

static void word(struct html *h, const char *s)
{
	escape_html(h->out, words_text(s), 0);
}

static void number(struct html *h, uint64_t n)
{
	char text[WORDS_NUMBER_MAX];

	put(h, words_count(n, text));
}

static void when(struct html *h, int64_t us)
{
	char text[TIME_TEXT_MAX];

	word(h, time_format_local(us, text));
}

static void section(struct html *h, const char *id, const char *title)
{
	buf_printf(h->out, "<h2 id=\"%s\">", id);
	word(h, title);
	put(h, "</h2>\n");
}

static void paragraph_of(struct html *h, const char *s)
{
	put(h, "<p>");
	word(h, s);
	put(h, "</p>\n");
}

static void open_table(struct html *h, const char *class, const char *caption, const char *const *heads, size_t count, size_t numbers_from)
{
	buf_printf(h->out, "<table class=\"%s\"><caption>", class);
	word(h, caption);
	put(h, "</caption><thead><tr>");
	for (size_t i = 0; i < count; i++) {
		buf_printf(h->out, "<th scope=\"col\"%s>", i >= numbers_from ? " class=\"n\"" : "");
		word(h, heads[i]);
		put(h, "</th>");
	}
	put(h, "</tr></thead><tbody>\n");
}

static void close_table(struct html *h)
{
	put(h, "</tbody></table>\n");
}

static void number_cell(struct html *h, const char *label, uint64_t n)
{
	buf_printf(h->out, "<td class=\"n\" data-label=\"%s\">", label);
	number(h, n);
	put(h, "</td>");
}

static void term(struct html *h, const char *name)
{
	buf_printf(h->out, "<dt>%s</dt><dd>", name);
}

static const char *class_of_status(const char *status)
{
	int rank = server_status_rank(status);

	return rank >= 4 ? "bad" : rank >= 2 ? "watch" : "clean";
}

/* ---- head ---- */

static void put_head(struct html *h)
{
	const struct report *r = h->r;
	char from[TIME_TEXT_MAX], period[WORDS_PERIOD_MAX];

	put(h, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"referrer\" content=\"no-referrer\">\n"
	    "<meta name=\"color-scheme\" content=\"light dark\"><title>bouncetap: ");
	word(h, words_state(r->state));
	buf_printf(h->out, ", %.10s", time_format_local(r->options.since_us, from));
	put(h, "</title>\n<style>\n");
	put(h, style);
	buf_printf(h->out, "</style></head>\n<body><a class=\"skip\" href=\"#first\">Do this first</a><main>\n<h1>bouncetap report</h1>\n<p class=\"quiet\">%s</p>\n",
		   words_period(r, period));
	buf_printf(h->out, "<p class=\"verdict %s\"><span class=\"word\">%s</span> ", report_state_name(r->state), words_state(r->state));
	word(h, r->verdict);
	put(h, "</p>\n");
}

/* ---- do this first ---- */

static void put_why(struct html *h, const struct report_matter *m)
{
	term(h, "Why");
	number(h, m->answers);
	put(h, " ");
	word(h, words_kind(m->kind, m->answers));
	if (m->cause) {
		put(h, " (");
		word(h, m->cause);
		put(h, ")");
	}
	if (m->misdirected) {
		put(h, ", ");
		number(h, m->misdirected);
		put(h, " misdirected");
		put(h, !m->likely_only ? "" : m->likely_only == m->misdirected ? " (likely, not proved)" : " (some proved)");
	}
	put(h, ", to ");
	number(h, m->domains);
	buf_printf(h->out, " domain%s, last ", words_plural(m->domains));
	when(h, m->last_us);
	if (m->emitter) {
		put(h, "; they leave by ");
		word(h, m->emitter);
	}
	if (words_stale(m)) {
		put(h, "<br>");
		word(h, words_stale(m));
	}
	if (m->root_code) {
		put(h, "<br>");
		word(h, m->root_server ? m->root_server : "a server");
		buf_printf(h->out, " refused %s: <code>%d ", strcmp(m->where, "inner") == 0 ? "what this one had taken" : "it", m->root_code);
		if (m->root_enhanced.p) {
			wire(h, m->root_enhanced, 12);
			put(h, " ");
		}
		wire(h, m->root_reply, 240);
		put(h, "</code>");
	}
	put(h, "</dd>\n");
}

static void put_block(struct html *h, const char *text)
{
	put(h, "<pre>");
	for (const char *begin = text, *s = text; ; s++)
		if (*s == '\n' || !*s) {
			wire(h, (struct text){ begin, (uint32_t)(s - begin) }, 0);
			if (!*s)
				break;
			put(h, "\n");
			begin = s + 1;
		}
	put(h, "</pre>");
}

static void put_queue(struct html *h, const struct report_matter *m)
{
	if (!m->queue)
		return;
	term(h, "Queued");
	if (m->queue_said) {
		buf_printf(h->out, "see %zu.</dd>\n", m->queue_said);
		return;
	}
	put(h, "Answers that wait in the queue go on leaving for days. To see them:");
	put_block(h, m->queue->show);
	if (m->queue->remove) {
		put(h, "and to remove them:");
		put_block(h, m->queue->remove);
	}
	word(h, m->queue->trap);
	put(h, ".</dd>\n");
}

static void put_advice(struct html *h, const struct report_matter *m)
{
	const struct advice *a = m->advice;

	if (!a)
		return;
	term(h, "Do");
	word(h, a->what);
	put(h, ".</dd>\n");
	if (a->setting) {
		term(h, "Set");
		put_block(h, a->setting);
		put(h, "</dd>\n");
		term(h, "In");
		word(h, a->file);
		put(h, "</dd>\n");
	}
	if (a->trap) {
		term(h, "Trap");
		word(h, a->trap);
		put(h, ".</dd>\n");
	}
	if (!a->software && m->log) {
		term(h, "Log");
		put_block(h, m->log);
		put(h, "</dd>\n");
	}
}

static void put_todo(struct html *h)
{
	const struct report *r = h->r;

	section(h, "first", "Do this first");
	if (!r->todo_count)
		paragraph_of(h, words_nothing(r));
	for (size_t i = 0; i < r->todo_count; i++) {
		const struct report_matter *m = r->todo[i];

		buf_printf(h->out, "<article><h3>%zu. ", i + 1);
		word(h, m->server);
		if (m->software || m->responder)
			buf_printf(h->out, " <span class=\"quiet\">(%s%s%s)</span>", m->software ? m->software : "", m->software && m->responder ? ", " : "",
				   m->responder ? m->responder : "");
		if (m->owner) {
			put(h, ", owner ");
			word(h, m->owner);
		}
		put(h, "</h3><dl>\n");
		put_why(h, m);
		put_advice(h, m);
		put_queue(h, m);
		term(h, "Proof");
		buf_printf(h->out, "<a href=\"#evidence-%zu\">Evidence %zu</a>, finding <code>", i + 1, i + 1);
		word(h, m->finding_id);
		put(h, "</code></dd></dl></article>\n");
	}
	if (r->matter_count - r->known_count > r->todo_count)
		buf_printf(h->out, "<p>%zu more: see <a href=\"#causes\">Causes</a>.</p>\n", r->matter_count - r->known_count - r->todo_count);
	if (r->known_count)
		buf_printf(h->out, "<p>%zu known matter%s left out here: see <a href=\"#causes\">Causes</a>.</p>\n", r->known_count,
			   r->known_count == 1 ? " is" : "s are");
}

/* ---- what changed ---- */

static void put_changes(struct html *h)
{
	static const char *const heads[] = { "", "server", "what", "now", "before", "usual" };
	const struct report *r = h->r;

	section(h, "changes", "New, worse, gone");
	if (r->options.whole || (!r->has_before && !r->has_base)) {
		paragraph_of(h, "There is nothing to compare with: no mail of an earlier time was seen.");
		return;
	}
	if (!r->change_count) {
		paragraph_of(h, "Nothing to speak of.");
		return;
	}
	open_table(h, "cards", "Avoidable answers, compared with the stretch of equal length before and the 28 days before", heads, 6, 3);
	for (size_t i = 0; i < r->change_count; i++) {
		const struct report_change *c = &r->change[i];
		const char *class = c->trend <= REPORT_WORSE ? "bad" : c->trend == REPORT_GONE || c->trend == REPORT_BETTER ? "clean" : "watch";

		buf_printf(h->out, "<tr><td><span class=\"word %s\">%s</span></td><th scope=\"row\">", class, words_trend(c->trend));
		word(h, c->server);
		put(h, "</th><td>");
		word(h, c->kind == KIND_COUNT ? "mail of any kind" : words_kind(c->kind, 2));
		put(h, "</td>");
		number_cell(h, "now", c->now);
		if (r->has_before)
			number_cell(h, "before", c->before);
		else
			put(h, "<td class=\"n\" data-label=\"before\">not seen</td>");
		buf_printf(h->out, "<td class=\"n\" data-label=\"usual\">%.1f</td></tr>\n", c->base);
	}
	close_table(h);
}

/* ---- servers ---- */

static void put_spark(struct html *h, const struct report_server *s)
{
	uint64_t most = 0;

	for (int i = 0; i <= REPORT_BASE_DAYS; i++)
		most = s->day[i] > most ? s->day[i] : most;
	if (!most)
		return;
	buf_printf(h->out, "<svg class=\"spark\" viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"avoidable answers by day, the last %d days; "
		   "the table below has the numbers\">", (REPORT_BASE_DAYS + 1) * SPARK_STEP, SPARK_HEIGHT, REPORT_BASE_DAYS + 1);
	for (int i = 0; i <= REPORT_BASE_DAYS; i++) {
		double height = (double)s->day[i] * (SPARK_HEIGHT - 2) / (double)most;

		buf_printf(h->out, "<rect class=\"%s\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%.1f\"/>", s->day[i] ? "f-bad" : "f-plain", i * SPARK_STEP,
			   s->day[i] ? SPARK_HEIGHT - (height < 2 ? 2 : height) : SPARK_HEIGHT - 0.7, SPARK_STEP - 2, s->day[i] ? (height < 2 ? 2 : height) : 0.7);
	}
	put(h, "</svg>");
}

static void put_kinds_of(struct html *h, const struct report_tally *t)
{
	const char *comma = "";

	for (int k = 0; k < KIND_COUNT; k++)
		if (t->kind[k]) {
			put(h, comma);
			number(h, t->kind[k]);
			put(h, " ");
			word(h, words_kind((enum kind)k, t->kind[k]));
			comma = ", ";
		}
}

static void put_server(struct html *h, const struct report_server *s)
{
	const struct report *r = h->r;

	put(h, "<tr><th scope=\"row\">");
	word(h, s->title);
	if (strcmp(s->title, s->row->public_address) != 0) {
		put(h, "<br><span class=\"quiet\">");
		word(h, s->row->public_address);
		put(h, "</span>");
	}
	put(h, "<br><span class=\"quiet\">");
	word(h, s->row->software ? s->row->software : "software not recognised");
	if (s->row->owner) {
		put(h, ", ");
		word(h, s->row->owner);
	}
	put(h, "</span></th><td>");
	if (s->row->worst_status && server_status_rank(s->row->worst_status) > 0) {
		buf_printf(h->out, "<span class=\"word %s\">%s</span> ", class_of_status(s->row->worst_status), s->row->worst_status);
		word(h, report_list_name(r, s->row->worst_list));
		put(h, "<br>");
	}
	put_kinds_of(h, &s->now);
	if (s->known) {
		put(h, "<br>known: ");
		word(h, s->row->acked_why);
	}
	put(h, "</td>");
	number_cell(h, "answers", s->now.answers);
	number_cell(h, "misdirected", s->now.misdirected);
	number_cell(h, "avoidable", s->now.avoidable);
	if (s->before.seen)
		number_cell(h, "before", s->before.avoidable);
	else
		put(h, "<td class=\"n\" data-label=\"before\">not seen</td>");
	buf_printf(h->out, "<td class=\"n\" data-label=\"usual\">%.1f</td>", (double)s->base.avoidable * r->base_scale);
	if (s->row->days_clean >= 0)
		buf_printf(h->out, "<td class=\"n\" data-label=\"days clean\">%d</td>", s->row->days_clean);
	else
		put(h, "<td class=\"n\" data-label=\"days clean\">ever</td>");
	put(h, "<td data-label=\"29 days\">");
	if (r->has_before || r->has_base)
		put_spark(h, s);
	put(h, "</td></tr>\n");
}

/* The numbers behind the sparklines: a row for each day on which anybody sent anything avoidable. */
static void put_days(struct html *h)
{
	const struct report *r = h->r;

	put(h, "<details><summary>Avoidable answers by day</summary><table><caption>Days with any; the last is the day in which the period ends</caption><thead><tr>"
	    "<th scope=\"col\">days before</th><th scope=\"col\">servers</th></tr></thead><tbody>\n");
	for (int d = REPORT_BASE_DAYS; d >= 0; d--) {
		const char *comma = "";

		for (size_t i = 0; i < r->server_count; i++) {
			if (!r->server[i].day[d])
				continue;
			if (!*comma)
				buf_printf(h->out, "<tr><th scope=\"row\">%d</th><td>", REPORT_BASE_DAYS - d);
			put(h, comma);
			word(h, r->server[i].title);
			put(h, " ");
			number(h, r->server[i].day[d]);
			comma = ", ";
		}
		if (*comma)
			put(h, "</td></tr>\n");
	}
	put(h, "</tbody></table></details>\n");
}

static void put_servers(struct html *h)
{
	static const char *const heads[] = { "server", "state", "answers", "mis&shy;directed", "avoid&shy;able", "before", "usual", "days clean", "29&nbsp;days" };
	const struct report *r = h->r;
	bool any = false, clean = false, days = false;

	section(h, "servers", "Servers");
	if (!r->server_count)
		paragraph_of(h, "None of our addresses served or sent mail in what was seen.");
	for (size_t i = 0; i < r->server_count; i++) {
		if (r->server[i].clean)
			continue;
		if (!any) {
			put(h, "<table class=\"cards\"><caption>Worst first; before and usual are of avoidable answers</caption><thead><tr>");
			for (size_t k = 0; k < sizeof heads / sizeof *heads; k++)
				buf_printf(h->out, "<th scope=\"col\"%s>%s</th>", k >= 2 && k <= 7 ? " class=\"n\"" : "", heads[k]);
			put(h, "</tr></thead><tbody>\n");
		}
		any = true;
		put_server(h, &r->server[i]);
		for (int d = 0; d <= REPORT_BASE_DAYS; d++)
			days |= r->server[i].day[d] > 0;
	}
	if (any)
		close_table(h);
	if (days && (r->has_before || r->has_base))
		put_days(h);
	for (size_t i = 0; i < r->server_count; i++) {
		if (!r->server[i].clean)
			continue;
		put(h, clean ? ", " : "<p>Nothing to hold against: ");
		clean = true;
		word(h, r->server[i].title);
	}
	put(h, clean ? ".</p>\n" : "");
}

/* ---- lists ---- */

static void put_risk(struct html *h, const struct risk_row *k)
{
	const char *title = words_title(h->r, k->server_id, k->server);

	put(h, "<tr><th scope=\"row\">");
	word(h, title);
	if (strcmp(title, k->address) != 0) {
		put(h, "<br><span class=\"quiet\">");
		word(h, k->address);
		put(h, "</span>");
	}
	put(h, "</th><td data-label=\"list\">");
	word(h, report_list_name(h->r, k->list));
	buf_printf(h->out, "</td><td><span class=\"word %s\">%s</span>", class_of_status(k->status), k->status);
	for (size_t i = 0; i < k->reason_count; i++) {
		put(h, "<br>");
		wire(h, k->reason[i], 0);
	}
	if (k->answer_state) {
		put(h, "<br>asked ");
		when(h, k->answer_us);
		put(h, ": ");
		word(h, k->answer_state);
		put(h, " (");
		word(h, k->answer_raw);
		put(h, ")");
	}
	put(h, "</td>");
	if (k->has_margin)
		buf_printf(h->out, "<td class=\"n\" data-label=\"margin\">%lld</td>", (long long)k->margin);
	else
		put(h, "<td class=\"n\" data-label=\"margin\">not told</td>");
	put(h, "<td data-label=\"last\">");
	if (k->last_us)
		when(h, k->last_us);
	else
		put(h, "none that counts");
	put(h, "</td><td data-label=\"a listing would end\">");
	if (k->expires_us)
		when(h, k->expires_us);
	put(h, "</td></tr>\n");
}

static void put_refusals(struct html *h)
{
	const struct report *r = h->r;

	if (!r->refusals.count)
		return;
	put(h, "<h3>Refused as listed</h3><ul class=\"plain\">\n");
	for (size_t i = 0; i < r->refusals.count; i++) {
		const struct refusal_row *f = &r->refusals.row[i];

		put(h, "<li>");
		word(h, f->address);
		put(h, " by ");
		word(h, f->remote_ip);
		put(h, ", ");
		when(h, f->at_us);
		put(h, ", ");
		wire(h, f->zone, 60);
		buf_printf(h->out, ": <code>%d ", f->code);
		wire(h, f->reply, 240);
		put(h, "</code></li>\n");
	}
	put(h, "</ul>\n");
}

static void put_lists(struct html *h)
{
	static const char *const heads[] = { "address", "list", "status", "margin", "last", "a listing would end" };
	const struct report *r = h->r;
	size_t clean = 0;
	bool any = false;

	section(h, "lists", "Lists");
	if (!r->options.lists->count)
		paragraph_of(h, "No description of a blocklist was found (lists.d), so nothing is said about lists.");
	for (size_t i = 0; i < r->risk.count; i++) {
		const struct risk_row *k = &r->risk.row[i];

		if (strcmp(k->status, "clean") == 0 && !k->answer_state) {
			clean++;
			continue;
		}
		if (!any)
			open_table(h, "cards", "Would-list: if one of the recipients is a trap. Margin: mails that are missing to the threshold", heads, 6, 6);
		any = true;
		put_risk(h, k);
	}
	if (any)
		close_table(h);
	if (clean)
		buf_printf(h->out, "<p>%zu of %zu pairs of address and list are clean.</p>\n", clean, r->risk.count);
	put_refusals(h);
}

/* ---- timeline ---- */

static void put_bar(struct html *h, const struct report_bar *b, double x, double width, uint64_t most)
{
	const uint64_t parts[] = { b->misdirected, b->avoidable - b->misdirected, b->answers - b->avoidable };
	static const char *const classes[] = { "f-bad", "f-warn", "f-plain" };
	double y = CHART_HEIGHT;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		double height = (double)parts[i] * (CHART_HEIGHT - 10) / (double)most;

		if (!parts[i])
			continue;
		y -= height;
		buf_printf(h->out, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", classes[i], x, y, width, height);
	}
}

static void put_label(struct html *h, const struct report_bar *b, double x)
{
	char text[TIME_TEXT_MAX];

	time_format_local(b->at_us, text);
	if (h->r->bars_are_days)
		buf_printf(h->out, "<text x=\"%.1f\" y=\"%d\">%.5s</text>", x, CHART_HEIGHT + 14, text + 5);
	else
		buf_printf(h->out, "<text x=\"%.1f\" y=\"%d\">%.5s</text>", x, CHART_HEIGHT + 14, text + 11);
}

static void put_chart(struct html *h, uint64_t most)
{
	const struct report *r = h->r;
	double step = (double)(CHART_WIDTH - CHART_LEFT) / (double)r->bar_count;
	size_t every = (r->bar_count + 7) / 8;
	char text[WORDS_NUMBER_MAX];

	buf_printf(h->out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"answers by %s; the table below has the numbers\">", CHART_WIDTH,
		   CHART_HEIGHT + CHART_FOOT, r->bars_are_days ? "day" : "hour");
	buf_printf(h->out, "<text x=\"0\" y=\"14\">%s</text><text x=\"0\" y=\"%d\">0</text><line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>", words_count(most, text),
		   CHART_HEIGHT, CHART_LEFT, CHART_HEIGHT, CHART_WIDTH, CHART_HEIGHT);
	for (size_t i = 0; i < r->bar_count; i++) {
		double x = CHART_LEFT + (double)i * step;

		put_bar(h, &r->bar[i], x + 1, step > 4 ? step - 2 : step, most);
		if (i % every == 0)
			put_label(h, &r->bar[i], x + 1);
	}
	put(h, "</svg>\n<ul class=\"legend\"><li><svg viewBox=\"0 0 8 8\" aria-hidden=\"true\"><rect class=\"f-bad\" width=\"8\" height=\"8\"/></svg> misdirected (bottom)</li>"
	    "<li><svg viewBox=\"0 0 8 8\" aria-hidden=\"true\"><rect class=\"f-warn\" width=\"8\" height=\"8\"/></svg> otherwise avoidable (middle)</li>"
	    "<li><svg viewBox=\"0 0 8 8\" aria-hidden=\"true\"><rect class=\"f-plain\" width=\"8\" height=\"8\"/></svg> other answers (top)</li></ul>\n");
}

static void put_timeline(struct html *h)
{
	static const char *const heads[] = { "from", "misdirected", "avoidable", "answers", "all mail" };
	const struct report *r = h->r;
	uint64_t most = 0;

	section(h, "timeline", r->bars_are_days ? "Timeline by day" : "Timeline by hour");
	for (size_t i = 0; i < r->bar_count; i++)
		most = r->bar[i].answers > most ? r->bar[i].answers : most;
	if (most)
		put_chart(h, most);
	open_table(h, "", "Hours or days with any mail; none was seen in the others", heads, 5, 1);
	for (size_t i = 0; i < r->bar_count; i++) {
		const struct report_bar *b = &r->bar[i];
		char text[TIME_TEXT_MAX];

		if (!b->seen && !b->answers)
			continue;
		time_format_local(b->at_us, text);
		buf_printf(h->out, "<tr><th scope=\"row\">%.*s</th>", r->bars_are_days ? 10 : 16, text);
		for (int which = 0; which < 4; which++)
			number_cell(h, heads[which + 1], words_bar(b, which));
		put(h, "</tr>\n");
	}
	close_table(h);
}

/* ---- who, why ---- */

static void put_victims(struct html *h)
{
	static const char *const heads[] = { "domain", "where", "answers", "misdirected", "attempts" }, *const bare[] = { "domain", "answers", "misdirected", "attempts" };
	const struct report *r = h->r;
	bool placed = r->geo_built_us != 0;
	char place[WORDS_PLACE_MAX];

	section(h, "who", "Who is hit");
	if (!r->victim_count) {
		paragraph_of(h, "Nobody.");
		return;
	}
	open_table(h, "", "Registrable domains of recipients of avoidable answers", placed ? heads : bare, placed ? 5 : 4, placed ? 2 : 1);
	for (size_t i = 0; i < r->victim_count; i++) {
		put(h, "<tr><th scope=\"row\">");
		escape_html(h->out, words_text(r->victim[i].domain), 80);
		put(h, "</th>");
		if (placed) {
			put(h, "<td data-label=\"where\">");
			escape_html(h->out, words_text(words_place(&r->victim[i].place, place)), 0);
			put(h, "</td>");
		}
		number_cell(h, "answers", r->victim[i].answers);
		number_cell(h, "misdirected", r->victim[i].misdirected);
		number_cell(h, "attempts", r->victim[i].attempts);
		put(h, "</tr>\n");
	}
	close_table(h);
	if (r->victim_domains > r->victim_count)
		buf_printf(h->out, "<p>and %llu more domains</p>\n", (unsigned long long)(r->victim_domains - r->victim_count));
}

static void put_matters(struct html *h)
{
	static const char *const heads[] = { "server", "what", "cause", "known", "answers", "misdirected" };
	const struct report *r = h->r;

	open_table(h, "cards", "Each ends with one change", heads, 6, 4);
	for (size_t i = 0; i < r->matter_count; i++) {
		const struct report_matter *m = &r->matter[i];

		put(h, "<tr><th scope=\"row\">");
		word(h, m->server);
		put(h, "</th><td>");
		word(h, words_kind(m->kind, m->answers));
		put(h, "</td><td data-label=\"cause\">");
		word(h, m->cause ? m->cause : "not told");
		put(h, strcmp(m->where, "inner") == 0 ? ", refused behind it" : strcmp(m->where, "outside") == 0 ? ", refused where it was forwarded" : "");
		put(h, "</td><td>");
		if (m->known_why) {
			put(h, "known: ");
			word(h, m->known_why);
		}
		put(h, "</td>");
		number_cell(h, "answers", m->answers);
		number_cell(h, "misdirected", m->misdirected);
		put(h, "</tr>\n");
	}
	close_table(h);
}

static void put_roots(struct html *h)
{
	static const char *const heads[] = { "taken by", "refused by", "reply", "answers" };
	const struct report *r = h->r;

	put(h, "<h3>Root causes: what was refused after it had been taken</h3>\n");
	open_table(h, "cards", "One reply of each sort", heads, 4, 3);
	for (size_t i = 0; i < r->root_count; i++) {
		const struct report_root *o = &r->root[i];

		put(h, "<tr><th scope=\"row\">");
		word(h, o->server);
		put(h, "</th><td data-label=\"refused by\">");
		word(h, o->refused_by ? o->refused_by : "not told");
		buf_printf(h->out, "</td><td><code>%d ", o->code);
		if (o->enhanced.p) {
			wire(h, o->enhanced, 12);
			put(h, " ");
		}
		wire(h, o->reply, 200);
		put(h, "</code></td>");
		number_cell(h, "answers", o->answers);
		put(h, "</tr>\n");
	}
	close_table(h);
}

static void put_causes(struct html *h)
{
	section(h, "causes", "Causes");
	if (!h->r->matter_count)
		paragraph_of(h, "None: nothing avoidable left.");
	else
		put_matters(h);
	if (h->r->root_count)
		put_roots(h);
}

static void put_kinds(struct html *h)
{
	static const char *const heads[] = { "kind", "answers", "misdirected", "avoidable", "attempts" };
	const struct report *r = h->r;
	bool any = false;

	for (int k = 0; k < KIND_COUNT; k++) {
		if (!r->kind_now[k][0])
			continue;
		if (!any) {
			section(h, "kinds", "Answers to outside, by kind");
			open_table(h, "", "Findings, each counted once", heads, 5, 1);
		}
		any = true;
		buf_printf(h->out, "<tr><th scope=\"row\">%s</th>", kind_name((enum kind)k));
		for (int i = 0; i < 3; i++)
			number_cell(h, heads[i + 1], r->kind_now[k][i]);
		number_cell(h, heads[4], r->kind_attempts[k]);
		put(h, "</tr>\n");
	}
	if (any)
		close_table(h);
}

/* ---- evidence ---- */

static void put_hop(struct html *h, const struct ladder_hop *hop, enum kind kind, int64_t zero_us)
{
	char text[TIME_TEXT_MAX];

	if (hop->started_us == zero_us)
		buf_printf(h->out, "<tr><td class=\"n\" data-label=\"at\">%s</td><th scope=\"row\">", time_format_local(hop->started_us, text) + 11);
	else
		buf_printf(h->out, "<tr><td class=\"n\" data-label=\"after\">%+.3f s</td><th scope=\"row\">", (double)(hop->started_us - zero_us) / 1e6);
	word(h, hop->part == LADDER_CAUSE ? "cause" : hop->part == LADDER_ROOT ? "refused" : kind_name(kind));
	put(h, "</th><td data-label=\"between\">");
	word(h, hop->client_ip);
	put(h, " &#8594; ");
	word(h, hop->server_ip);
	put(h, "</td><td>from <code>");
	wire(h, hop->mail_from, 80);
	put(h, "</code> to <code>");
	wire(h, hop->recipient, 80);
	put(h, "</code>");
	if (hop->recipients > 1)
		buf_printf(h->out, " and %u more", hop->recipients - 1);
	put(h, "<br>");
	if (hop->code) {
		buf_printf(h->out, "<code>%d ", hop->code);
		wire(h, hop->reply, 240);
		put(h, "</code>");
	} else
		put(h, strcmp(hop->outcome, "aborted") == 0 ? "left without sending a message" : "no deciding reply");
	put(h, "</td></tr>\n");
}

static void put_one_evidence(struct html *h, const struct report_evidence *e, const struct finding_row *f)
{
	static const char *const heads[] = { "time", "what", "between", "envelope and reply" };

	buf_printf(h->out, "<article id=\"evidence-%d\"><h3>%d. %s to ", e->number, e->number, kind_name(f->kind));
	wire(h, f->recipient, 80);
	put(h, ", ");
	word(h, words_misdirected(f->misdirected));
	put(h, "</h3>\n<p class=\"quiet\">");
	if (*f->cause_class) {
		put(h, "cause: ");
		word(h, f->cause_class);
		put(h, "; ");
	}
	buf_printf(h->out, "%u attempt%s; one of %llu such%s</p>\n", f->attempts, words_plural(f->attempts), (unsigned long long)e->matter->answers,
		   e->ladder.cause_seen ? "" : "; the mail that it answers was not seen");
	open_table(h, "cards", "Cause above effect", heads, 4, 4);
	for (size_t k = 0; k < e->ladder.hop_count; k++)
		put_hop(h, &e->ladder.hop[k], f->kind, e->ladder.hop[0].started_us);
	close_table(h);
	if (e->ladder.attempts_left_out)
		buf_printf(h->out, "<p>and %u attempts between the last two</p>\n", e->ladder.attempts_left_out);
	put(h, "<ul class=\"plain\">\n");
	for (size_t i = 0; i < f->reason_count; i++) {
		put(h, "<li>");
		word(h, f->reason[i].sign);
		put(h, " it: ");
		wire(h, f->reason[i].text, 0);
		put(h, " <span class=\"quiet\">(");
		word(h, f->reason[i].strength);
		put(h, ", ");
		word(h, f->reason[i].rule);
		put(h, ")</span></li>\n");
	}
	put(h, "</ul></article>\n");
}

static void put_evidence(struct html *h)
{
	section(h, "evidence", "Evidence");
	if (!h->r->evidence_count)
		paragraph_of(h, "None is needed.");
	for (size_t i = 0; i < h->r->evidence_count; i++)
		if (h->r->evidence[i].page.count)
			put_one_evidence(h, &h->r->evidence[i], h->r->evidence[i].page.row);
}

/* ---- what was not seen ---- */

static void put_item(struct html *h, uint64_t n, const char *what)
{
	if (!n)
		return;
	put(h, "<li>");
	number(h, n);
	put(h, " ");
	word(h, what);
	put(h, "</li>\n");
}

static void put_coverage(struct html *h)
{
	static const char *const heads[] = { "server", "direction", "sessions", "encrypted %", "one-sided", "gaps" };
	const struct report *r = h->r;
	bool any = false;

	for (size_t i = 0; i < r->sensor.coverage_count; i++) {
		const struct coverage_row *c = &r->sensor.coverage[i];

		if (!words_is_reported(r, c->server_id))
			continue;
		if (!any)
			open_table(h, "cards", "Sessions of our servers, and what of them could not be read", heads, 6, 2);
		any = true;
		put(h, "<tr><th scope=\"row\">");
		word(h, words_title(r, c->server_id, c->server));
		put(h, "</th><td>");
		word(h, c->direction);
		put(h, "</td>");
		number_cell(h, "sessions", c->sessions);
		buf_printf(h->out, "<td class=\"n\" data-label=\"encrypted %%\">%.0f</td>", c->sessions ? 100.0 * (double)c->encrypted / (double)c->sessions : 0);
		number_cell(h, "one-sided", c->one_sided);
		number_cell(h, "gaps", c->incomplete);
		put(h, "</tr>\n");
	}
	if (any)
		close_table(h);
}

static void put_unseen(struct html *h)
{
	const struct report *r = h->r;
	const struct sensor_counters *c = &r->seen;

	section(h, "unseen", "What was not seen");
	put(h, "<ul class=\"plain\"><li>");
	number(h, c->encrypted_sessions);
	put(h, " of ");
	number(h, c->sessions);
	put(h, " sessions were encrypted: what they carried is not in this report</li>\n");
	put_item(h, c->one_sided_sessions, "sessions with one direction only");
	put_item(h, c->unseen_bytes, "bytes acknowledged, but not captured");
	put_item(h, c->kernel_drops, "packets dropped by the kernel");
	put_item(h, c->interface_drops, "frames dropped by network cards, mail or not");
	put_item(h, c->evicted, "connections dropped for want of memory");
	for (size_t i = 0; i < r->sensor.gap_count; i++) {
		put(h, "<li>nobody watched from ");
		when(h, r->sensor.gap[i].begin_us);
		put(h, " to ");
		when(h, r->sensor.gap[i].end_us);
		put(h, "</li>\n");
	}
	put_item(h, r->sensor.batches_behind, "commits of the sensor are not judged yet (bouncetap analyze)");
	put(h, "</ul>\n");
	put_coverage(h);
}

static void put_hygiene(struct html *h)
{
	static const char *const heads[] = { "server", "what", "do", "cases", "of" };
	const struct report *r = h->r;

	section(h, "hygiene", "Hygiene");
	if (!r->hygiene_count) {
		paragraph_of(h, "No other defect was seen.");
		return;
	}
	open_table(h, "cards", "Defects beside the answers", heads, 5, 3);
	for (size_t i = 0; i < r->hygiene_count; i++) {
		const struct hygiene_row *row = r->hygiene[i].row;
		const struct advice *a = r->hygiene[i].advice;

		put(h, "<tr><th scope=\"row\">");
		word(h, words_title(r, row->server_id, row->server));
		put(h, "</th><td>");
		word(h, hygiene_words(row->what));
		put(h, "</td><td data-label=\"do:\">");
		if (a)
			word(h, a->what);
		if (a && a->setting) {
			put(h, "<br><code>");
			word(h, a->setting);
			put(h, "</code>");
		}
		put(h, "</td>");
		number_cell(h, "cases", row->cases);
		number_cell(h, "of", row->of);
		put(h, "</tr>\n");
	}
	close_table(h);
}

static void put_method(struct html *h)
{
	const struct report *r = h->r;

	section(h, "method", "Method");
	paragraph_of(h, words_method());
	put(h, "<p class=\"quiet\">bouncetap " VERSION ", store ");
	word(h, r->store_id);
	put(h, ", judged for ");
	when(h, r->span.now_us);
	put(h, ", facts until ");
	when(h, r->span.judged_us);
	if (r->geo_built_us) {
		put(h, ", countries and networks of ");
		when(h, r->geo_built_us);
	}
	put(h, ".");
	for (size_t i = 0; i < r->options.lists->count; i++) {
		const struct list *l = &r->options.lists->item[i];

		put(h, " List ");
		word(h, l->id);
		put(h, ": ");
		word(h, l->name);
		if (l->last_verified) {
			put(h, ", description verified ");
			word(h, l->last_verified);
		}
		put(h, ".");
	}
	put(h, "</p>\n");
}

void report_html(const struct report *r, struct buf *out)
{
	struct html h = { r, out };

	put_head(&h);
	put_todo(&h);
	put_changes(&h);
	put_servers(&h);
	put_lists(&h);
	put_timeline(&h);
	put_victims(&h);
	put_causes(&h);
	put_kinds(&h);
	put_evidence(&h);
	put_unseen(&h);
	put_hygiene(&h);
	put_method(&h);
	put(&h, "</main></body></html>\n");
}
