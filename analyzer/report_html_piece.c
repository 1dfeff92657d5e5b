/* report_html_piece.c - see report_html_part.h. */
#include "analyzer/report_html_part.h"

#include "analyzer/report_words.h"
#include "common/escape.h"
#include "common/timefmt.h"

void html_put(struct html *h, const char *markup)
{
	buf_add_str(h->out, markup);
}

void html_wire(struct html *h, struct text t, size_t max)
{
	escape_html(h->out, t, max);
}

void html_word(struct html *h, const char *s)
{
	escape_html(h->out, words_text(s), 0);
}

void html_number(struct html *h, uint64_t n)
{
	char text[WORDS_NUMBER_MAX];

	html_put(h, words_count(n, text));
}

void html_time(struct html *h, int64_t us)
{
	char text[TIME_TEXT_MAX];

	html_word(h, time_format_local(us, text));
}

void html_section(struct html *h, const char *id, const char *title)
{
	buf_printf(h->out, "<h2 id=\"%s\">", id);
	html_word(h, title);
	html_put(h, "</h2>\n");
}

void html_paragraph(struct html *h, const char *s)
{
	html_put(h, "<p>");
	html_word(h, s);
	html_put(h, "</p>\n");
}

void html_open_table(struct html *h, const char *class, const char *caption, const char *const *heads, size_t count, size_t numbers_from)
{
	buf_printf(h->out, "<table class=\"%s\"><caption>", class);
	html_word(h, caption);
	html_put(h, "</caption><thead><tr>");
	for (size_t i = 0; i < count; i++) {
		buf_printf(h->out, "<th scope=\"col\"%s>", i >= numbers_from ? " class=\"n\"" : "");
		html_word(h, heads[i]);
		html_put(h, "</th>");
	}
	html_put(h, "</tr></thead><tbody>\n");
}

void html_close_table(struct html *h)
{
	html_put(h, "</tbody></table>\n");
}

void html_number_cell(struct html *h, const char *label, uint64_t n)
{
	buf_printf(h->out, "<td class=\"n\" data-label=\"%s\">", label);
	html_number(h, n);
	html_put(h, "</td>");
}

void html_term(struct html *h, const char *name)
{
	buf_printf(h->out, "<dt>%s</dt><dd>", name);
}

const char *html_class_of_status(const char *status)
{
	int rank = server_status_rank(status);

	return rank >= 4 ? "bad" : rank >= 2 ? "watch" : "clean";
}
