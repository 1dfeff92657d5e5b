/*
 * tls.h - the bytes of an encrypted session -> what stays visible: records, ClientHello and ServerHello (RFC 8446 4.1, 5.1).
 *
 * Push parser for both sides. Looks at record headers and at the first handshake record of each side, keeps nothing else.
 */
#ifndef SENSOR_TLS_H
#define SENSOR_TLS_H

#include <stdbool.h>

#include "sensor/fact.h"

struct tls;

/* Texts go to a, times are kept as offsets to started_us. */
struct tls *tls_new(struct arena *a, uint64_t started_us);
void tls_free(struct tls *t);

void tls_push(struct tls *t, enum side from, const uint8_t *p, size_t n, uint64_t t_us);
/* After a gap the record borders of that side are lost: only bytes are counted. */
void tls_gap(struct tls *t, enum side from, uint64_t n);

/* What it holds in bytes, the arena apart. */
size_t tls_memory_bytes(const struct tls *t);

/* Owned by t. */
struct fact_tls_detail *tls_detail(struct tls *t);

/* Whether the byte at p can begin a TLS record: one byte only, so that it does not matter how the bytes were cut. */
bool tls_looks_like(const char *p);

#endif
