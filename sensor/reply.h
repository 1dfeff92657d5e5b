/* reply.h - "550-5.1.1 text" -> code, enhanced code, text. Pure; RFC 5321 4.2, RFC 2034, RFC 3463. */
#ifndef SENSOR_REPLY_H
#define SENSOR_REPLY_H

#include <stdbool.h>

#include "common/text.h"

struct reply_line {
	unsigned code;		/* 0 when the line does not begin with one */
	bool more;		/* "250-": another line follows */
	bool odd;		/* not what RFC 5321 4.2 allows: code outside 200-599, no separator, "4.7.0 text" */
	struct text enhanced;	/* "5.1.1" or NULL */
	struct text text;	/* the rest, borrowed from the line */
};

/* line is without its CRLF. True when it is some form of a reply line. Real servers also send "400", "4.7.0 text" and bare codes. */
bool reply_parse(struct text line, struct reply_line *out);

/* The queue id in the reply to the end of data, borrowed from text; NULL when no known form is there. Forms: Postfix, Exim, Sendmail,
 * OpenSMTPD, Courier, qmail, Exchange, Gmail, Haraka and their like. */
struct text reply_queue_id(struct text text);

#endif
