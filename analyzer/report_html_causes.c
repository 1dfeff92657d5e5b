/* report_html_causes.c - HTML report: who is hit, causes and root causes, answers by kind. */
#include "analyzer/report_html_part.h"

#include <string.h>

#include "analyzer/report_words.h"
#include "common/escape.h"

void report_html_victims(struct html *h)
{
	static const char *const heads[] = { "domain", "where", "answers", "misdirected", "attempts" }, *const bare[] = { "domain", "answers", "misdirected", "attempts" };
	const struct report *r = h->r;
	bool placed = r->geo_built_us != 0;
	char place[WORDS_PLACE_MAX];

	html_section(h, "who", "Who is hit");
	if (!r->victim_count) {
		html_paragraph(h, "Nobody.");
		return;
	}
	html_open_table(h, "", "Registrable domains of recipients of avoidable answers", placed ? heads : bare, placed ? 5 : 4, placed ? 2 : 1);
	for (size_t i = 0; i < r->victim_count; i++) {
		html_put(h, "<tr><th scope=\"row\">");
		escape_html(h->out, words_text(r->victim[i].domain), 80);
		html_put(h, "</th>");
		if (placed) {
			html_put(h, "<td data-label=\"where\">");
			escape_html(h->out, words_text(words_place(&r->victim[i].place, place)), 0);
			html_put(h, "</td>");
		}
		html_number_cell(h, "answers", r->victim[i].answers);
		html_number_cell(h, "misdirected", r->victim[i].misdirected);
		html_number_cell(h, "attempts", r->victim[i].attempts);
		html_put(h, "</tr>\n");
	}
	html_close_table(h);
	if (r->victim_domains > r->victim_count)
		buf_printf(h->out, "<p>and %llu more domains</p>\n", (unsigned long long)(r->victim_domains - r->victim_count));
}

static void put_matters(struct html *h)
{
	static const char *const heads[] = { "server", "what", "cause", "known", "answers", "misdirected" };
	const struct report *r = h->r;

	html_open_table(h, "cards", "Each ends with one change", heads, 6, 4);
	for (size_t i = 0; i < r->matter_count; i++) {
		const struct report_matter *m = &r->matter[i];

		html_put(h, "<tr><th scope=\"row\">");
		html_word(h, m->server);
		html_put(h, "</th><td>");
		html_word(h, words_kind(m->kind, m->answers));
		html_put(h, "</td><td data-label=\"cause\">");
		html_word(h, m->cause ? m->cause : "not told");
		if (*words_where(m))
			html_put(h, ", ");
		html_put(h, words_where(m));
		html_put(h, "</td><td>");
		if (m->known_why) {
			html_put(h, "known: ");
			html_word(h, m->known_why);
		}
		html_put(h, "</td>");
		html_number_cell(h, "answers", m->answers);
		html_number_cell(h, "misdirected", m->misdirected);
		html_put(h, "</tr>\n");
	}
	html_close_table(h);
}

static void put_roots(struct html *h)
{
	static const char *const heads[] = { "taken by", "refused by", "reply", "answers" };
	const struct report *r = h->r;

	html_put(h, "<h3>Root causes: what was refused after it had been taken</h3>\n");
	html_open_table(h, "cards", "One reply of each sort", heads, 4, 3);
	for (size_t i = 0; i < r->root_count; i++) {
		const struct report_root *o = &r->root[i];

		html_put(h, "<tr><th scope=\"row\">");
		html_word(h, o->server);
		html_put(h, "</th><td data-label=\"refused by\">");
		html_word(h, o->refused_by ? o->refused_by : "not told");
		buf_printf(h->out, "</td><td><code>%d ", o->code);
		if (o->enhanced.p) {
			html_wire(h, o->enhanced, 12);
			html_put(h, " ");
		}
		html_wire(h, o->reply, 200);
		html_put(h, "</code></td>");
		html_number_cell(h, "answers", o->answers);
		html_put(h, "</tr>\n");
	}
	html_close_table(h);
}

void report_html_causes(struct html *h)
{
	html_section(h, "causes", "Causes");
	if (!h->r->matter_count)
		html_paragraph(h, "None: nothing avoidable left.");
	else
		put_matters(h);
	if (h->r->root_count)
		put_roots(h);
}

void report_html_kinds(struct html *h)
{
	static const char *const heads[] = { "kind", "answers", "misdirected", "avoidable", "attempts" };
	const struct report *r = h->r;
	bool any = false;

	for (int k = 0; k < KIND_COUNT; k++) {
		if (!r->kind_now[k][0])
			continue;
		if (!any) {
			html_section(h, "kinds", "Answers to outside, by kind");
			html_open_table(h, "", "Findings, each counted once", heads, 5, 1);
		}
		any = true;
		buf_printf(h->out, "<tr><th scope=\"row\">%s</th>", kind_name((enum kind)k));
		for (int i = 0; i < 3; i++)
			html_number_cell(h, heads[i + 1], r->kind_now[k][i]);
		html_number_cell(h, heads[4], r->kind_attempts[k]);
		html_put(h, "</tr>\n");
	}
	if (any)
		html_close_table(h);
}
