/*
 * message.h - the bytes of one mail -> the facts about it.
 *
 * A push parser for RFC 5322 headers and RFC 2046 structure: outer headers, report parts (dsn.h), headers of the returned
 * message, phrases of data/phrases.def. Streaming, bounded by limits.h, linear in the bytes. Knows nothing of SMTP:
 * dots are already unstuffed, the end is told. Returned headers never overwrite the outer ones; a gap ends what it cut.
 *
 *   message_new -> (message_push | message_gap)* -> message_end -> message_free
 */
#ifndef SENSOR_MESSAGE_H
#define SENSOR_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "sensor/fact.h"

struct message;

/*
 * a: where kept texts live; it must outlive the facts handed out. look_closer: the envelope says that this may be automated mail
 * (null sender, postmaster, daemon): a text body is then searched for phrases and enclosed headers, too. Without it, the
 * parser decides so itself from headers (From of a daemon, markers, Content-Type, phrases in Subject).
 */
struct message *message_new(struct arena *a, bool look_closer);
void message_free(struct message *m);

/* The next n bytes, borrowed. Lines end with CRLF or LF, and may be split anywhere. */
void message_push(struct message *m, const char *p, size_t n);

/* Bytes are missing here. */
void message_gap(struct message *m);

/* What it holds in bytes, the arena apart. */
size_t message_memory_bytes(const struct message *m);

/* The end: complete is false when the data broke off. The answer lives in the arena; NULL when no header byte was seen. */
struct fact_message *message_end(struct message *m, bool complete);

#endif
