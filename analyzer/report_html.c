/* report_html.c - see report_html.h: the head with the style sheet (report_style.css), and the parts in their order (report_html_part.h). */
#include "analyzer/report_html.h"

#include "analyzer/report_html_part.h"
#include "analyzer/report_words.h"
#include "common/timefmt.h"

static const char style[] =
#include "report_style.css.h"
;

static void put_head(struct html *h)
{
	const struct report *r = h->r;
	char from[TIME_TEXT_MAX], period[WORDS_PERIOD_MAX];

	html_put(h, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"referrer\" content=\"no-referrer\">\n"
	    "<meta name=\"color-scheme\" content=\"light dark\"><title>bouncetap: ");
	html_word(h, words_state(r->state));
	buf_printf(h->out, ", %.10s", time_format_local(r->options.since_us, from));
	html_put(h, "</title>\n<style>\n");
	html_put(h, style);
	buf_printf(h->out, "</style></head>\n<body><a class=\"skip\" href=\"#first\">Do this first</a><main>\n<h1>bouncetap report</h1>\n<p class=\"quiet\">%s</p>\n",
		   words_period(r, period));
	buf_printf(h->out, "<p class=\"verdict %s\"><span class=\"word\">%s</span> ", report_state_name(r->state), words_state(r->state));
	html_word(h, r->verdict);
	html_put(h, "</p>\n");
}

void report_html(const struct report *r, struct buf *out)
{
	struct html h = { r, out };

	put_head(&h);
	report_html_todo(&h);
	report_html_changes(&h);
	report_html_servers(&h);
	report_html_lists(&h);
	report_html_timeline(&h);
	report_html_victims(&h);
	report_html_causes(&h);
	report_html_kinds(&h);
	report_html_evidence(&h);
	report_html_unseen(&h);
	report_html_hygiene(&h);
	report_html_method(&h);
	html_put(&h, "</main></body></html>\n");
}
