/*
 * smtp.h - two byte streams -> SMTP sessions and transactions as facts.
 *
 * Push parser: no sockets, files or clock. The caller hands on bytes of the two sides in the order in which they must have been
 * sent (stream.h): bytes of one side come after the bytes that they acknowledge. A command is a wish; the reply makes it a
 * fact. Pipelining is a queue of commands that wait for replies (smtp.c draws the states).
 *
 *   smtp_new -> (smtp_push | smtp_gap)* -> smtp_end (frees it)
 */
#ifndef SENSOR_SMTP_H
#define SENSOR_SMTP_H

#include <stddef.h>
#include <stdint.h>

#include "sensor/fact.h"

struct smtp;

/*
 * start: ids, addresses, ports, started_us, notes (NOTE_MID_STREAM when the beginning was not seen); copied. The sink must live as long.
 * Transactions go to the sink when they end, the session at smtp_end.
 */
/* Has fetched into the cache what most packets touch. */
void smtp_fetch(const struct smtp *s);

struct smtp *smtp_new(const struct fact_sink *sink, const struct fact_session *start);

/* The next n bytes that side `from` sent; borrowed. t_us: packet time of them. */
void smtp_push(struct smtp *s, enum side from, const void *bytes, size_t n, uint64_t t_us);

/* n bytes of that side were never captured (n 0: an unknown number). */
void smtp_gap(struct smtp *s, enum side from, uint64_t n, uint64_t t_us);

/* What was handed on may not be what the other side took: open transactions and the session are noted with NOTE_OVERLAP. */
void smtp_doubt(struct smtp *s);

/* The facts that the layers below count, and app_proto; to be filled in before smtp_end. */
struct fact_session *smtp_session(struct smtp *s);

/* What it holds in bytes, for the memory budget. */
size_t smtp_memory_bytes(const struct smtp *s);

/* The connection is over: open transactions and then the session go to the sink; s is freed. by: who sent the FIN or RST first. */
void smtp_end(struct smtp *s, enum fact_end end, enum side by, uint64_t t_us);

#endif
