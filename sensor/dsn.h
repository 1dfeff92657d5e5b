/*
 * dsn.h - fields of report parts -> fact_report: delivery status (RFC 3464), disposition notification (RFC 8098), feedback report (RFC 5965).
 *
 * Takes unfolded fields and the blank lines between groups; message.c finds them. Lenient: Exim writes Action before Final-Recipient,
 * some servers leave out the blank line between recipients or put one inside a group.
 */
#ifndef SENSOR_DSN_H
#define SENSOR_DSN_H

#include "sensor/fact.h"

struct dsn {
	struct arena *arena;
	struct fact_report *report;
	struct fact_report_recipient *group;	/* the recipient at hand; NULL before the first, or over REPORT_RECIPIENTS_KEPT */
	struct fact_report_recipient overflow;	/* fields of recipients that are not kept */
	uint16_t cap;
	bool blank;				/* a blank line since the last recipient field */
	uint32_t notes;				/* what to add to the message's */
};

/* report lives in the arena, type set; its texts are copied there. */
void dsn_init(struct dsn *d, struct arena *a, struct fact_report *report);
void dsn_field(struct dsn *d, struct text name, struct text value);
void dsn_blank(struct dsn *d);

#endif
