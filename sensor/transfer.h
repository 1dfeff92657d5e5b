/* transfer.h - Content-Transfer-Encoding -> bytes, line by line (RFC 2045 6.7, 6.8). Lenient: what is not of the encoding is kept or skipped. */
#ifndef SENSOR_TRANSFER_H
#define SENSOR_TRANSFER_H

#include <stddef.h>
#include <stdint.h>

#include "common/text.h"

enum transfer { TRANSFER_IDENTITY, TRANSFER_BASE64, TRANSFER_QUOTED_PRINTABLE };

/* Between the lines of one base64 body; zeroed is ready for use. */
struct transfer_state {
	uint32_t bits;
	uint8_t count;		/* sextets in bits, 0 to 3 */
};

/* The encoding that the value of a Content-Transfer-Encoding field names; identity for 7bit, 8bit, binary and unknown words. */
enum transfer transfer_by_name(struct text value);

/*
 * Decodes one line (without its line end) into out, which has room for line.len + 1 bytes, and returns how many it wrote. A quoted-printable line
 * that does not end with "=" gets an LF; "=" at its end joins it with the next.
 */
size_t transfer_line(enum transfer t, struct transfer_state *s, struct text line, char *out);

#endif
