/*
 * ring.h - records from one thread to another, in chunks, bounded.
 *
 * Records are made in place and read in place. A chunk goes over when it is full, or at ring_flush; who sleeps is woken for several
 * chunks at once, so that neither thread takes a lock for a record or sleeps for a chunk. When every chunk is full the writer waits.
 */
#ifndef SENSOR_RING_H
#define SENSOR_RING_H

#include <stddef.h>

#define RING_CHUNK_BYTES (128 * 1024)	/* a hundred whole packets, a thousand small ones */
#define RING_CHUNKS 16
#define RING_BYTES (RING_CHUNKS * RING_CHUNK_BYTES)
#define RING_RECORD_MAX (384 * 1024)	/* of one record: the largest snap length and what stands around it */

struct ring;

struct ring *ring_new(void);
void ring_free(struct ring *r);

/* Writer: room for the next record, n <= RING_RECORD_MAX, aligned for anything; to be filled in before the next call. */
void *ring_add(struct ring *r, size_t n);
/* Writer: what was added is to be read now. */
void ring_flush(struct ring *r);

/* Reader: waits for the next record; borrowed until the next call. */
void *ring_next(struct ring *r);

#endif
