/*
 * report_html_part.h - inside the HTML report: its parts in the order in which it has them, and the pieces of markup that they are made of.
 *
 * Markup is literals of ours, through html_put; every text goes through html_word or html_wire (or escape_html with another length), our own too:
 * names come from a configuration.
 */
#ifndef ANALYZER_REPORT_HTML_PART_H
#define ANALYZER_REPORT_HTML_PART_H

#include "analyzer/report.h"
#include "common/buf.h"
#include "common/text.h"

struct html {
	const struct report *r;
	struct buf *out;
};

/* ---- parts ---- */

void report_html_todo(struct html *h);
void report_html_changes(struct html *h);
void report_html_servers(struct html *h);
void report_html_lists(struct html *h);
void report_html_timeline(struct html *h);
void report_html_victims(struct html *h);
void report_html_causes(struct html *h);
void report_html_kinds(struct html *h);
void report_html_evidence(struct html *h);
void report_html_unseen(struct html *h);
void report_html_hygiene(struct html *h);
void report_html_method(struct html *h);

/* The days of a server as a small chart, nothing when it had no answers; inside its entry. */
void report_html_spark(struct html *h, const struct report_server *s);

/* ---- pieces ---- */

/* As it is. */
void html_put(struct html *h, const char *markup);
/* From the wire, escaped and cut to max bytes. */
void html_wire(struct html *h, struct text t, size_t max);
/* Escaped; NULL or empty as words_text() has it. */
void html_word(struct html *h, const char *s);
void html_number(struct html *h, uint64_t n);
/* In local time. */
void html_time(struct html *h, int64_t us);

void html_section(struct html *h, const char *id, const char *title);
void html_paragraph(struct html *h, const char *s);
/* class: "cards" becomes one card a row on a narrow screen. Columns from numbers_from on are numbers. */
void html_open_table(struct html *h, const char *class, const char *caption, const char *const *heads, size_t count, size_t numbers_from);
void html_close_table(struct html *h);
/* label: stands before it on a card. */
void html_number_cell(struct html *h, const char *label, uint64_t n);
/* Opens an entry of a list of terms. */
void html_term(struct html *h, const char *name);

/* "bad", "watch", "clean": the colour of a word, which says the same. */
const char *html_class_of_status(const char *status);

#endif
