/* paragraph.h - text for a terminal of 80 columns. */
#ifndef COMMON_PARAGRAPH_H
#define COMMON_PARAGRAPH_H

#include "common/buf.h"

#define PARAGRAPH_WIDTH 80

/*
 * Appends text, which is already escaped and one line, and a line break; broken at blanks to lines of at most PARAGRAPH_WIDTH bytes, all but the
 * first indented. A word that is longer stands on a line of its own. No blanks at the ends of lines.
 */
void paragraph(struct buf *out, unsigned indent, const char *text);

#endif
