/*
 * gate.h - is this connection SMTP? The bytes of both sides, as stream.h hands them on -> yes, no, not yet; and what it is instead.
 *
 * The first lines of each turn are looked at, a turn being what one side sends until the other one speaks: a banner, EHLO, a reply, an envelope.
 * It does not matter how the bytes were cut into segments. Joined in the middle, either side may be the client; the first turn then begins
 * anywhere. TLS is not SMTP here: what it carries on a port that is not known for mail cannot be told. nDPI (dissector.h) is asked once, for
 * what this test leaves open.
 *
 *   gate_new -> (gate_push | gate_gap)* -> gate_end -> gate_replay or gate_name -> gate_free
 */
#ifndef SENSOR_GATE_H
#define SENSOR_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sensor/dissector.h"
#include "sensor/stream.h"

/* The first answer other than GATE_OPEN is final. */
enum gate_verdict { GATE_OPEN, GATE_SMTP, GATE_OTHER };

struct gate;

struct gate_options {
	struct dissector *dissector;	/* NULL: it is not asked */
	bool mid_stream;		/* the beginning was not seen */
	uint8_t client;			/* endpoint, 0 or 1; of no meaning with mid_stream */
	uint16_t port[2];		/* of the endpoints */
};

struct gate *gate_new(const struct gate_options *o);
/* Wipes what it held: passwords of other protocols are among it. */
void gate_free(struct gate *g);

/* As the sink of stream.h. The bytes are held for gate_replay and gate_name, LIMIT_GATE_HELD at most: beyond it a connection is none of SMTP. */
enum gate_verdict gate_push(struct gate *g, int dir, const uint8_t *p, size_t n, uint64_t t_us);
enum gate_verdict gate_gap(struct gate *g, int dir, uint64_t n, uint64_t t_us);
/* Nothing more will come. */
enum gate_verdict gate_end(struct gate *g);

/* Bytes of an endpoint that were pushed. */
uint64_t gate_seen_bytes(const struct gate *g, int dir);

/* Which endpoint speaks as a client, after GATE_SMTP. */
int gate_client(const struct gate *g);

/* Calls push and gap of sink with all that was held, as it came. */
void gate_replay(const struct gate *g, const struct stream_sink *sink, void *arg);

/* After GATE_OTHER: has it heard all that it wants to hear for the name? */
bool gate_is_full(const struct gate *g);
/*
 * The name of what is spoken instead of SMTP, by either side: "http", "ssh", "ftp"... or one of dissector.h. A static text; NULL: not known,
 * not sure, or it is TLS and not refused.
 */
const char *gate_name(struct gate *g);

size_t gate_memory_bytes(const struct gate *g);

/* What the first bytes of endpoint dir tell by themselves, with nothing kept. */
enum gate_verdict gate_glance(const struct gate_options *o, int dir, const uint8_t *p, size_t n);

#endif
