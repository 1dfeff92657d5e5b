/*
 * lines.h - bytes in pieces -> lines, bounded, without a copy of lines that come whole.
 *
 * Lines end with CRLF or LF; a lone CR is a byte of the line. Only a line that is split over pieces is copied (struct lines
 * owns that copy). A line over the caller's maximum is cut there and its rest dropped.
 */
#ifndef SENSOR_LINES_H
#define SENSOR_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"

/* Zeroed is ready for use. */
struct lines {
	char *carry;		/* the start of the line that is not finished */
	uint32_t kept, cap;
	uint64_t length;	/* of it, with what was not kept */
	char last;		/* its last byte */
	bool open;		/* there is such a line */
	bool resync;		/* after a gap: what comes before the next LF is no line */
};

/*
 * The next line of [*p, end), borrowed until the next call, without its line end; *p moves behind it. False when the piece
 * is used up: the start of an unfinished line is then kept. max must not change while a line is unfinished.
 */
bool lines_next(struct lines *l, const char **p, const char *end, uint32_t max, struct text *line);

/* At the end of all data: the last line when it had no LF. */
bool lines_rest(struct lines *l, uint32_t max, struct text *line);

/* The first byte of the unfinished line, '\0' when there is none. */
char lines_begun(const struct lines *l);

/* Bytes are missing: the unfinished line and everything up to the next LF is dropped. */
void lines_gap(struct lines *l);

void lines_fini(struct lines *l);

#endif
