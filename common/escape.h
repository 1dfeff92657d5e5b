/*
 * escape.h - strangers' text where people and their programs look at it: one function for each place, so that nothing of it can move a cursor,
 * turn the direction of writing, become markup, be calculated or begin another line. JSON is json.h's.
 */
#ifndef COMMON_ESCAPE_H
#define COMMON_ESCAPE_H

#include "common/buf.h"
#include "common/text.h"

/*
 * A terminal or a plain text. Appends t: control characters (C0, DEL, C1) as \xHH, characters that reorder what stands beside them or cannot be
 * seen as \u{HHHH}, line breaks and tabs as blanks, invalid UTF-8 as U+FFFD. At most max_columns characters, then "..." (0: no limit). NULL appends "-".
 */
void escape_terminal(struct buf *out, struct text t, size_t max_columns);

/* The text of an element or of a quoted attribute in HTML and SVG: as for a terminal, and & < > " ' as entities. */
void escape_html(struct buf *out, struct text t, size_t max_columns);

/*
 * One cell of CSV (RFC 4180), always quoted; as for a terminal, and with an apostrophe in front of what a spreadsheet would take for a formula
 * (= + - @ and their full-width forms, also behind quotes and blanks). NULL is an empty cell.
 */
void escape_csv(struct buf *out, struct text t, size_t max_columns);

/* The value of a mail header field: one line of ASCII; other characters as encoded words of RFC 2047, folded. NULL appends nothing. */
void escape_header(struct buf *out, struct text t);

#endif
