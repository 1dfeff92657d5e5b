/* escape.h - strangers' text for a terminal: one function, so that nothing of it can move a cursor or turn the direction of writing. */
#ifndef COMMON_ESCAPE_H
#define COMMON_ESCAPE_H

#include "common/buf.h"
#include "common/text.h"

/*
 * Appends t: control characters (C0, DEL, C1) and bidirectional controls as \xHH or \u{HHHH}, line breaks and tabs as blanks, invalid
 * UTF-8 as U+FFFD. At most max_columns characters, then "..." (0: no limit). NULL appends "-".
 */
void escape_terminal(struct buf *out, struct text t, size_t max_columns);

#endif
