/* report_html_evidence.c - HTML report: the dialogues and rules behind what comes first. */
#include "analyzer/report_html_part.h"

#include <string.h>

#include "analyzer/report_words.h"
#include "common/timefmt.h"

static void put_hop(struct html *h, const struct ladder_hop *hop, enum kind kind, int64_t zero_us)
{
	char text[TIME_TEXT_MAX];

	if (hop->started_us == zero_us)
		buf_printf(h->out, "<tr><td class=\"n\" data-label=\"at\">%s</td><th scope=\"row\">", time_format_local(hop->started_us, text) + 11);
	else
		buf_printf(h->out, "<tr><td class=\"n\" data-label=\"after\">%+.3f s</td><th scope=\"row\">", (double)(hop->started_us - zero_us) / 1e6);
	html_word(h, hop->part == LADDER_CAUSE ? "cause" : hop->part == LADDER_ROOT ? "refused" : kind_name(kind));
	html_put(h, "</th><td data-label=\"between\">");
	html_word(h, hop->client_ip);
	html_put(h, " &#8594; ");
	html_word(h, hop->server_ip);
	html_put(h, "</td><td>from <code>");
	html_wire(h, hop->mail_from, 80);
	html_put(h, "</code> to <code>");
	html_wire(h, hop->recipient, 80);
	html_put(h, "</code>");
	if (hop->recipients > 1)
		buf_printf(h->out, " and %u more", hop->recipients - 1);
	html_put(h, "<br>");
	if (hop->code) {
		buf_printf(h->out, "<code>%d ", hop->code);
		html_wire(h, hop->reply, 240);
		html_put(h, "</code>");
	} else
		html_put(h, strcmp(hop->outcome, "aborted") == 0 ? "left without sending a message" : "no deciding reply");
	html_put(h, "</td></tr>\n");
}

static void put_one_evidence(struct html *h, const struct report_evidence *e, const struct finding_row *f)
{
	static const char *const heads[] = { "time", "what", "between", "envelope and reply" };

	buf_printf(h->out, "<article id=\"evidence-%d\"><h3>%d. %s to ", e->number, e->number, kind_name(f->kind));
	html_wire(h, f->recipient, 80);
	html_put(h, ", ");
	html_word(h, words_misdirected(f->misdirected));
	html_put(h, "</h3>\n<p class=\"quiet\">");
	if (*f->cause_class) {
		html_put(h, "cause: ");
		html_word(h, f->cause_class);
		html_put(h, "; ");
	}
	buf_printf(h->out, "%u attempt%s; one of %llu such%s</p>\n", f->attempts, words_plural(f->attempts), (unsigned long long)e->matter->answers,
		   e->ladder.cause_seen ? "" : "; the mail that it answers was not seen");
	html_open_table(h, "cards", "Cause above effect", heads, 4, 4);
	for (size_t k = 0; k < e->ladder.hop_count; k++)
		put_hop(h, &e->ladder.hop[k], f->kind, e->ladder.hop[0].started_us);
	html_close_table(h);
	if (e->ladder.attempts_left_out)
		buf_printf(h->out, "<p>and %u attempts between the last two</p>\n", e->ladder.attempts_left_out);
	html_put(h, "<ul class=\"plain\">\n");
	for (size_t i = 0; i < f->reason_count; i++) {
		html_put(h, "<li>");
		html_word(h, f->reason[i].sign);
		html_put(h, " it: ");
		html_wire(h, f->reason[i].text, 0);
		html_put(h, " <span class=\"quiet\">(");
		html_word(h, f->reason[i].strength);
		html_put(h, ", ");
		html_word(h, f->reason[i].rule);
		html_put(h, ")</span></li>\n");
	}
	html_put(h, "</ul></article>\n");
}

void report_html_evidence(struct html *h)
{
	html_section(h, "evidence", "Evidence");
	if (!h->r->evidence_count)
		html_paragraph(h, "None is needed.");
	for (size_t i = 0; i < h->r->evidence_count; i++)
		if (h->r->evidence[i].page.count)
			put_one_evidence(h, &h->r->evidence[i], h->r->evidence[i].page.row);
}
