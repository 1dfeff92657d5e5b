/*
 * received.h - the value of one Received field -> who handed it to whom; RFC 5321 4.4 as Postfix, Exim, Sendmail, OpenSMTPD, Courier,
 * qmail, Exchange and Gmail write it.
 */
#ifndef SENSOR_RECEIVED_H
#define SENSOR_RECEIVED_H

#include <stdbool.h>

#include "sensor/fact.h"

/*
 * value: unfolded; the texts of out are borrowed from it. from_ip is what the writer saw: the address in the comment behind "from", never one
 * inside a HELO name unless the writer gives nothing else. False when neither a name nor an address nor an id was found.
 */
bool received_parse(struct text value, struct fact_received *out);

/* The same with the texts kept in a, behind the *count of them that are in *list; *notes tells what was cut. */
void received_keep(struct arena *a, struct text value, struct fact_received **list, uint8_t *count, uint32_t *notes);

#endif
