/* report_html_servers.c - HTML report: each server, with its answers by kind and day. */
#include "analyzer/report_html_part.h"

#include <string.h>

#include "analyzer/report_words.h"

static void put_kinds_of(struct html *h, const struct report_tally *t)
{
	const char *comma = "";

	for (int k = 0; k < KIND_COUNT; k++)
		if (t->kind[k]) {
			html_put(h, comma);
			html_number(h, t->kind[k]);
			html_put(h, " ");
			html_word(h, words_kind((enum kind)k, t->kind[k]));
			comma = ", ";
		}
}

static void put_server(struct html *h, const struct report_server *s)
{
	const struct report *r = h->r;

	html_put(h, "<tr><th scope=\"row\">");
	html_word(h, s->title);
	if (strcmp(s->title, s->row->public_address) != 0) {
		html_put(h, "<br><span class=\"quiet\">");
		html_word(h, s->row->public_address);
		html_put(h, "</span>");
	}
	html_put(h, "<br><span class=\"quiet\">");
	html_word(h, s->row->software ? s->row->software : "software not recognised");
	if (s->row->owner) {
		html_put(h, ", ");
		html_word(h, s->row->owner);
	}
	html_put(h, "</span></th><td>");
	if (s->row->worst_status && server_status_rank(s->row->worst_status) > 0) {
		buf_printf(h->out, "<span class=\"word %s\">%s</span> ", html_class_of_status(s->row->worst_status), s->row->worst_status);
		html_word(h, report_list_name(r, s->row->worst_list));
		html_put(h, "<br>");
	}
	put_kinds_of(h, &s->now);
	if (s->known) {
		html_put(h, "<br>known: ");
		html_word(h, s->row->acked_why);
	}
	html_put(h, "</td>");
	html_number_cell(h, "answers", s->now.answers);
	html_number_cell(h, "misdirected", s->now.misdirected);
	html_number_cell(h, "avoidable", s->now.avoidable);
	if (s->before.seen)
		html_number_cell(h, "before", s->before.avoidable);
	else
		html_put(h, "<td class=\"n\" data-label=\"before\">not seen</td>");
	buf_printf(h->out, "<td class=\"n\" data-label=\"usual\">%.1f</td>", (double)s->base.avoidable * r->base_scale);
	if (s->row->days_clean >= 0)
		buf_printf(h->out, "<td class=\"n\" data-label=\"days clean\">%d</td>", s->row->days_clean);
	else
		html_put(h, "<td class=\"n\" data-label=\"days clean\">ever</td>");
	html_put(h, "<td data-label=\"29 days\">");
	if (r->has_before || r->has_base)
		report_html_spark(h, s);
	html_put(h, "</td></tr>\n");
}

/* The numbers behind the sparklines: a row for each day on which anybody sent anything avoidable. */
static void put_days(struct html *h)
{
	const struct report *r = h->r;

	html_put(h, "<details><summary>Avoidable answers by day</summary><table><caption>Days with any; the last is the day in which the period ends</caption><thead><tr>"
	    "<th scope=\"col\">days before</th><th scope=\"col\">servers</th></tr></thead><tbody>\n");
	for (int d = REPORT_BASE_DAYS; d >= 0; d--) {
		const char *comma = "";

		for (size_t i = 0; i < r->server_count; i++) {
			if (!r->server[i].day[d])
				continue;
			if (!*comma)
				buf_printf(h->out, "<tr><th scope=\"row\">%d</th><td>", REPORT_BASE_DAYS - d);
			html_put(h, comma);
			html_word(h, r->server[i].title);
			html_put(h, " ");
			html_number(h, r->server[i].day[d]);
			comma = ", ";
		}
		if (*comma)
			html_put(h, "</td></tr>\n");
	}
	html_put(h, "</tbody></table></details>\n");
}

void report_html_servers(struct html *h)
{
	static const char *const heads[] = { "server", "state", "answers", "mis&shy;directed", "avoid&shy;able", "before", "usual", "days clean", "29&nbsp;days" };
	const struct report *r = h->r;
	bool any = false, clean = false, days = false;

	html_section(h, "servers", "Servers");
	if (!r->server_count)
		html_paragraph(h, "None of our addresses served or sent mail in what was seen.");
	for (size_t i = 0; i < r->server_count; i++) {
		if (r->server[i].clean)
			continue;
		if (!any) {
			html_put(h, "<table class=\"cards\"><caption>Worst first; before and usual are of avoidable answers</caption><thead><tr>");
			for (size_t k = 0; k < sizeof heads / sizeof *heads; k++)
				buf_printf(h->out, "<th scope=\"col\"%s>%s</th>", k >= 2 && k <= 7 ? " class=\"n\"" : "", heads[k]);
			html_put(h, "</tr></thead><tbody>\n");
		}
		any = true;
		put_server(h, &r->server[i]);
		for (int d = 0; d <= REPORT_BASE_DAYS; d++)
			days |= r->server[i].day[d] > 0;
	}
	if (any)
		html_close_table(h);
	if (days && (r->has_before || r->has_base))
		put_days(h);
	for (size_t i = 0; i < r->server_count; i++) {
		if (!r->server[i].clean)
			continue;
		html_put(h, clean ? ", " : "<p>Nothing to hold against: ");
		clean = true;
		html_word(h, r->server[i].title);
	}
	html_put(h, clean ? ".</p>\n" : "");
}
