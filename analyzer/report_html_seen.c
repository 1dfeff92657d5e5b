/* report_html_seen.c - HTML report: what was not seen, defects beside the answers, method. */
#include "analyzer/report_html_part.h"

#include "analyzer/report_words.h"

static void put_item(struct html *h, uint64_t n, const char *what)
{
	if (!n)
		return;
	html_put(h, "<li>");
	html_number(h, n);
	html_put(h, " ");
	html_word(h, what);
	html_put(h, "</li>\n");
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
			html_open_table(h, "cards", "Sessions of our servers, and what of them could not be read", heads, 6, 2);
		any = true;
		html_put(h, "<tr><th scope=\"row\">");
		html_word(h, words_title(r, c->server_id, c->server));
		html_put(h, "</th><td>");
		html_word(h, c->direction);
		html_put(h, "</td>");
		html_number_cell(h, "sessions", c->sessions);
		buf_printf(h->out, "<td class=\"n\" data-label=\"encrypted %%\">%.0f</td>", c->sessions ? 100.0 * (double)c->encrypted / (double)c->sessions : 0);
		html_number_cell(h, "one-sided", c->one_sided);
		html_number_cell(h, "gaps", c->incomplete);
		html_put(h, "</tr>\n");
	}
	if (any)
		html_close_table(h);
}

void report_html_unseen(struct html *h)
{
	const struct report *r = h->r;
	const struct sensor_counters *c = &r->seen;

	html_section(h, "unseen", "What was not seen");
	html_put(h, "<ul class=\"plain\"><li>");
	html_number(h, c->encrypted_sessions);
	html_put(h, " of ");
	html_number(h, c->sessions);
	html_put(h, " sessions were encrypted: what they carried is not in this report</li>\n");
	put_item(h, c->one_sided_sessions, "sessions with one direction only");
	put_item(h, c->unseen_bytes, "bytes acknowledged, but not captured");
	put_item(h, c->kernel_drops, "packets dropped by the kernel");
	put_item(h, c->interface_drops, "frames dropped by network cards, mail or not");
	put_item(h, c->evicted, "connections dropped for want of memory");
	for (size_t i = 0; i < r->sensor.gap_count; i++) {
		html_put(h, "<li>nobody watched from ");
		html_time(h, r->sensor.gap[i].begin_us);
		html_put(h, " to ");
		html_time(h, r->sensor.gap[i].end_us);
		html_put(h, "</li>\n");
	}
	put_item(h, r->sensor.batches_behind, "commits of the sensor are not judged yet (bouncetap analyze)");
	html_put(h, "</ul>\n");
	put_coverage(h);
}

void report_html_hygiene(struct html *h)
{
	static const char *const heads[] = { "server", "what", "do", "cases", "of" };
	const struct report *r = h->r;

	html_section(h, "hygiene", "Hygiene");
	if (!r->hygiene_count) {
		html_paragraph(h, "No other defect was seen.");
		return;
	}
	html_open_table(h, "cards", "Defects beside the answers", heads, 5, 3);
	for (size_t i = 0; i < r->hygiene_count; i++) {
		const struct hygiene_row *row = r->hygiene[i].row;
		const struct advice *a = r->hygiene[i].advice;

		html_put(h, "<tr><th scope=\"row\">");
		html_word(h, words_title(r, row->server_id, row->server));
		html_put(h, "</th><td>");
		html_word(h, hygiene_words(row->what));
		html_put(h, "</td><td data-label=\"do:\">");
		if (a)
			html_word(h, a->what);
		if (a && a->setting) {
			html_put(h, "<br><code>");
			html_word(h, a->setting);
			html_put(h, "</code>");
		}
		html_put(h, "</td>");
		html_number_cell(h, "cases", row->cases);
		html_number_cell(h, "of", row->of);
		html_put(h, "</tr>\n");
	}
	html_close_table(h);
}

void report_html_method(struct html *h)
{
	const struct report *r = h->r;

	html_section(h, "method", "Method");
	html_paragraph(h, words_method());
	html_put(h, "<p class=\"quiet\">bouncetap " VERSION ", store ");
	html_word(h, r->store_id);
	html_put(h, ", judged for ");
	html_time(h, r->span.now_us);
	html_put(h, ", facts until ");
	html_time(h, r->span.judged_us);
	if (r->geo_built_us) {
		html_put(h, ", countries and networks of ");
		html_time(h, r->geo_built_us);
	}
	html_put(h, ".");
	for (size_t i = 0; i < r->options.lists->count; i++) {
		const struct list *l = &r->options.lists->item[i];

		html_put(h, " List ");
		html_word(h, l->id);
		html_put(h, ": ");
		html_word(h, l->name);
		if (l->last_verified) {
			html_put(h, ", description verified ");
			html_word(h, l->last_verified);
		}
		html_put(h, ".");
	}
	html_put(h, "</p>\n");
}
