/* report_html_lists.c - HTML report: what each blocklist would do, and refusals that name one. */
#include "analyzer/report_html_part.h"

#include <string.h>

#include "analyzer/report_words.h"

static void put_risk(struct html *h, const struct risk_row *k)
{
	const char *title = words_title(h->r, k->server_id, k->server);

	html_put(h, "<tr><th scope=\"row\">");
	html_word(h, title);
	if (strcmp(title, k->address) != 0) {
		html_put(h, "<br><span class=\"quiet\">");
		html_word(h, k->address);
		html_put(h, "</span>");
	}
	html_put(h, "</th><td data-label=\"list\">");
	html_word(h, report_list_name(h->r, k->list));
	buf_printf(h->out, "</td><td><span class=\"word %s\">%s</span>", html_class_of_status(k->status), k->status);
	for (size_t i = 0; i < k->reason_count; i++) {
		html_put(h, "<br>");
		html_wire(h, k->reason[i], 0);
	}
	if (k->answer_state) {
		html_put(h, "<br>asked ");
		html_time(h, k->answer_us);
		html_put(h, ": ");
		html_word(h, k->answer_state);
		html_put(h, " (");
		html_word(h, k->answer_raw);
		html_put(h, ")");
	}
	html_put(h, "</td>");
	if (k->has_margin)
		buf_printf(h->out, "<td class=\"n\" data-label=\"margin\">%lld</td>", (long long)k->margin);
	else
		html_put(h, "<td class=\"n\" data-label=\"margin\">not told</td>");
	html_put(h, "<td data-label=\"last\">");
	if (k->last_us)
		html_time(h, k->last_us);
	else
		html_put(h, "none that counts");
	html_put(h, "</td><td data-label=\"a listing would end\">");
	if (k->expires_us)
		html_time(h, k->expires_us);
	html_put(h, "</td></tr>\n");
}

static void put_refusals(struct html *h)
{
	const struct report *r = h->r;

	if (!r->refusals.count)
		return;
	html_put(h, "<h3>Refused as listed</h3><ul class=\"plain\">\n");
	for (size_t i = 0; i < r->refusals.count; i++) {
		const struct refusal_row *f = &r->refusals.row[i];

		html_put(h, "<li>");
		html_word(h, f->address);
		html_put(h, " by ");
		html_word(h, f->remote_ip);
		html_put(h, ", ");
		html_time(h, f->at_us);
		html_put(h, ", ");
		html_wire(h, f->zone, 60);
		buf_printf(h->out, ": <code>%d ", f->code);
		html_wire(h, f->reply, 240);
		html_put(h, "</code></li>\n");
	}
	html_put(h, "</ul>\n");
}

void report_html_lists(struct html *h)
{
	static const char *const heads[] = { "address", "list", "status", "margin", "last", "a listing would end" };
	const struct report *r = h->r;
	size_t clean = 0;
	bool any = false;

	html_section(h, "lists", "Lists");
	if (!r->options.lists->count)
		html_paragraph(h, "No description of a blocklist was found (lists.d), so nothing is said about lists.");
	for (size_t i = 0; i < r->risk.count; i++) {
		const struct risk_row *k = &r->risk.row[i];

		if (strcmp(k->status, "clean") == 0 && !k->answer_state) {
			clean++;
			continue;
		}
		if (!any)
			html_open_table(h, "cards", "Would-list: if one of the recipients is a trap. Margin: mails that are missing to the threshold", heads, 6, 6);
		any = true;
		put_risk(h, k);
	}
	if (any)
		html_close_table(h);
	if (clean)
		buf_printf(h->out, "<p>%zu of %zu pairs of address and list are clean.</p>\n", clean, r->risk.count);
	put_refusals(h);
}
