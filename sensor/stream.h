/*
 * stream.h - TCP segments of one connection -> the bytes of both sides, in the order in which they must have been sent.
 *
 * Bytes in order are handed on where they lie, without a copy. Others are held under caps: behind a hole, or because they
 * acknowledge bytes of the other side that have not arrived yet (taps deliver a reply before its command). A wait is bounded in bytes and in
 * packet time; then the hole is declared a gap. So do the first bytes of a connection wait for its SYN. Wrong checksums, bytes that were there
 * before, keep-alives: ignored; so are numbers far from where both sides are, unless both go on from there and nowhere else.
 *
 * Where two segments say different things of the same bytes, the first one seen counts, as with most receivers; that they differed is told, also
 * of bytes that were handed on, as long as nobody has acknowledged them.
 */
#ifndef SENSOR_STREAM_H
#define SENSOR_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sensor/unacked.h"

/* dir: 0 or 1, as the caller numbers the endpoints. Bytes are borrowed. */
struct stream_sink {
	void (*push)(void *arg, int dir, const uint8_t *p, size_t n, uint64_t t_us);
	void (*gap)(void *arg, int dir, uint64_t n, uint64_t t_us);	/* n bytes were acknowledged or passed over, but never seen */
	void (*fin)(void *arg, int dir);	/* again, when bytes came behind one that nobody had acknowledged */
	void (*differ)(void *arg);	/* what was handed on may not be what the receiver took; or NULL */
};

struct stream_segment {
	int dir;
	uint32_t seq, ack;
	bool has_ack, syn, fin;
	const uint8_t *payload;
	uint32_t length, captured;	/* bytes on the wire and in the frame */
	uint64_t time_us;
};

struct stream_half {
	struct stream_held *held, *last_held;	/* by sequence number */
	struct unacked unacked;
	uint32_t held_bytes;
	uint32_t next;		/* first byte not handed on */
	uint32_t acked;		/* the other side has these */
	uint32_t start;		/* where it begins, as the other side's SYN/ACK said */
	uint32_t fin_seq;
	bool known : 1, syn : 1, start_known : 1, acked_known : 1, fin_seen : 1, fin_done : 1;
	bool seen : 1;		/* a packet of this side was captured */
	bool absent : 1;	/* none ever was: nobody waits for it */
};

/* Segments far from where both sides are: a new place, once they are all that comes. */
struct stream_stray {
	uint64_t since_us;
	uint32_t at[2];
	bool known[2], seen[2];
};

/* For stream.c alone; laid open so that it can lie inside its connection. */
struct stream {
	uint64_t deadline_us;
	struct stream_half half[2];
	const struct stream_sink *sink;
	void *arg;
	const struct unacked_key *key;
	struct stream_stray *stray;	/* NULL: the last segment was none */
	uint64_t unseen_bytes;
	uint32_t held_memory, left_out;
	bool overlap_differed;
};

/* arg is handed to the sink's functions. What it is given must outlive it. */
void stream_init(struct stream *s, const struct stream_sink *sink, void *arg, const struct unacked_key *key);
void stream_fini(struct stream *s);

/* Time does not run backward here: time_us is packet time, now_us the monotone maximum. */
void stream_push(struct stream *s, const struct stream_segment *g, uint64_t now_us);

/* Waits that are over by now_us end. */
void stream_expire(struct stream *s, uint64_t now_us);

/* When stream_expire has something to do; 0: never. */
uint64_t stream_deadline(const struct stream *s);

/*
 * Could a RST with this number be meant? RFC 5961 3.2: a receiver obeys one that stands exactly at the next byte, and answers others in its
 * window with a challenge ACK. Here bytes before it may be missing from the capture or late, so that any near and ahead could be meant; whether
 * it was shows when that side sends more, or does not: stream_stands_at tells the exact ones.
 */
bool stream_accepts_reset(const struct stream *s, int dir, uint32_t seq);
bool stream_stands_at(const struct stream *s, int dir, uint32_t seq);

/* Could a SYN with this number be the late beginning of what came without one? No more once bytes of that side were handed on. */
bool stream_may_begin(const struct stream *s, int dir, uint32_t seq);

/* The first byte of a side that was not handed on; up to where it is known to have sent. False: unknown. */
bool stream_next(const struct stream *s, int dir, uint32_t *next);
bool stream_end(const struct stream *s, int dir, uint32_t *end);

/* The connection is over: what is held is handed on, holes become gaps. */
void stream_flush(struct stream *s, uint64_t now_us);

/* Both sides have sent FIN and everything before it was handed on. */
bool stream_is_done(const struct stream *s);

/* Bytes that were acknowledged and never seen; whether the receiver may have taken other bytes than those that were handed on. */
uint64_t stream_unseen_bytes(const struct stream *s);
bool stream_overlap_differed(const struct stream *s);
/* The user knows of another reason for that. */
void stream_doubt(struct stream *s);
/* Segments that no receiver takes, for their numbers. */
uint32_t stream_left_out(const struct stream *s);
size_t stream_memory_bytes(const struct stream *s);

#endif
