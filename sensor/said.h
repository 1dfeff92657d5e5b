/*
 * said.h - what the text of a bounce says of its recipients: address, status and reason of each, for formats without a report part.
 *
 * Takes the lines of the text; message.c finds them and decides whether the text is that of a bounce. An address counts where servers put it:
 * alone on a line or in front of a colon (qmail, Postfix, Exim, Exchange), behind a label of a recipient ("Failed Recipient:"), in a command or
 * reply to one ("550 <address>... User unknown"). The lines under it, up to a blank one, are the reason. What is written in sentences names nobody
 * for sure: said_mentioned() is for texts that surely are those of a bounce.
 */
#ifndef SENSOR_SAID_H
#define SENSOR_SAID_H

#include "sensor/fact.h"

enum { SAID_KEPT = 8 };		/* such texts are about one recipient, nearly always; reports with many are RFC 3464 */

struct said {
	struct text from, to;	/* addresses of the mail itself, which name nobody who failed; borrowed */
	struct fact_report_recipient recipient[SAID_KEPT];	/* final_recipient, status, diagnostic; texts live in the arena */
	uint8_t count;
	bool open;		/* the last line was about the last recipient */
	struct text mentioned;	/* the first address that stands anywhere else */
	uint16_t reason_bytes;	/* room of that one's diagnostic, 0: none yet */
};

/* A whole line without its end. Texts are copied into the arena. */
void said_line(struct said *s, struct arena *a, struct text line, uint32_t *notes);

/* Bytes are missing here: what comes next is of nobody. */
void said_gap(struct said *s);

/* The addresses of X-Failed-Recipients that the text does not name. */
void said_failed(struct said *s, struct arena *a, struct text field, uint32_t *notes);

/* The first address of a sentence is the recipient where the text names none otherwise. */
void said_mentioned(struct said *s);

#endif
