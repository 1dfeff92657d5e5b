/*
 * dissector.h - what application protocol is it? Asks nDPI, for connections that are not told by their first words (gate.h).
 *
 * nDPI's own state is never kept from one question to the next: a flow struct is cleared before use and wiped after it, because it holds
 * user names and passwords of the protocols it knows.
 */
#ifndef SENSOR_DISSECTOR_H
#define SENSOR_DISSECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "sensor/fact.h"

#define DISSECTOR_TURNS 4		/* nDPI's median is 3 packets with payload */
#define DISSECTOR_TURN_BYTES 1400	/* of one turn that are shown to nDPI, as one packet */

struct dissector;

/* What one side sent until the other one spoke. Borrowed. */
struct dissector_turn {
	enum side from;
	const uint8_t *p;
	size_t n;
};

/* Costs nothing until the first question, which loads nDPI: 5.5 MB, 10 ms, nothing but memory is asked of the system. */
struct dissector *dissector_new(void);
void dissector_free(struct dissector *d);

/*
 * The protocol of a connection that begins with these turns, of which the first DISSECTOR_TURNS are looked at: "smtp", "rdp", "mysql"...
 * (dissector.c has them all), NULL when it is not known. A static text. The same turns get the same answer whatever was asked before. Several
 * threads may ask at the same time; they wait for each other.
 */
const char *dissector_name(struct dissector *d, const struct dissector_turn *turn, size_t count, uint16_t client_port, uint16_t server_port);

#endif
