/* returned.h - header fields of the message that came back inside a report -> fact_returned. Takes unfolded fields; message.c finds them. */
#ifndef SENSOR_RETURNED_H
#define SENSOR_RETURNED_H

#include "sensor/fact.h"

/* Texts are copied into the arena, the first field of a name wins. *notes gets NOTE_TRUNCATED when something was cut. */
void returned_field(struct fact_returned *r, struct arena *a, struct text name, struct text value, uint32_t *notes);

/* The end of its headers. */
void returned_end(struct fact_returned *r);

#endif
