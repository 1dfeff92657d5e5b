/* export.h - rows as text, NDJSON or CSV: for --once and for saving. Times in NDJSON and CSV are ISO 8601, UTC. */
#ifndef TUI_EXPORT_H
#define TUI_EXPORT_H

#include "tui/rows.h"

enum export_format { EXPORT_TEXT, EXPORT_JSON, EXPORT_CSV };

/* Appends the rows of these indices. TEXT: a head line, whole texts in columns as wide as they need. JSON: one object a line. CSV: a head line. */
void export_rows(const struct rows *rows, const size_t *index, size_t count, const struct rows_clock *clock, enum export_format format, struct buf *out);

#endif
