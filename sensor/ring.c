/*
 * ring.c - see ring.h. A chunk is one of: spare, open (the writer's), ready, taken (the reader's). Only its moves take the lock.
 */
#include "sensor/ring.h"

#include <assert.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/xmalloc.h"

enum { WAKE_CHUNKS = RING_CHUNKS / 4 };

struct head {
	alignas(max_align_t) size_t size;	/* of the record with its head, a multiple of its alignment */
};

/* A record begins below RING_CHUNK_BYTES; pages behind that are touched by large ones alone. */
struct chunk {
	size_t used;
	alignas(max_align_t) unsigned char bytes[RING_CHUNK_BYTES + sizeof(struct head) + RING_RECORD_MAX];
};

struct ring {
	struct chunk *open, *taken;	/* one thread's each */
	size_t taken_at;

	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t readable, writable;
	struct chunk *ready[RING_CHUNKS], *spare[RING_CHUNKS];
	unsigned ready_first, ready_count, spare_count;
	bool flushed;			/* what is ready is to be read, few as it may be */
	bool reader_sleeps, writer_sleeps;
};

struct ring *ring_new(void)
{
	struct ring *r = xcalloc(1, sizeof *r);

	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->readable, NULL);
	pthread_cond_init(&r->writable, NULL);
	while (r->spare_count < RING_CHUNKS)
		r->spare[r->spare_count++] = xmalloc(sizeof(struct chunk));
	r->open = r->spare[--r->spare_count];
	r->open->used = 0;
	return r;
}

void ring_free(struct ring *r)
{
	for (unsigned i = 0; i < r->spare_count; i++)
		free(r->spare[i]);
	for (unsigned i = 0; i < r->ready_count; i++)
		free(r->ready[(r->ready_first + i) % RING_CHUNKS]);
	free(r->open);
	free(r->taken);
	pthread_cond_destroy(&r->writable);
	pthread_cond_destroy(&r->readable);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static void wake_reader(struct ring *r)
{
	if (r->reader_sleeps && (r->flushed || r->ready_count >= WAKE_CHUNKS))
		pthread_cond_signal(&r->readable);
}

/* The open chunk becomes ready; waits for a spare one. */
static void turn(struct ring *r)
{
	pthread_mutex_lock(&r->lock);
	r->ready[(r->ready_first + r->ready_count++) % RING_CHUNKS] = r->open;
	wake_reader(r);
	while (r->spare_count == 0) {
		r->writer_sleeps = true;
		pthread_cond_wait(&r->writable, &r->lock);
	}
	r->writer_sleeps = false;
	r->open = r->spare[--r->spare_count];
	pthread_mutex_unlock(&r->lock);
	r->open->used = 0;
}

void *ring_add(struct ring *r, size_t n)
{
	size_t size = sizeof(struct head) + (n + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);

	assert(n <= RING_RECORD_MAX);
	if (r->open->used >= RING_CHUNK_BYTES)
		turn(r);
	struct head *h = (struct head *)(void *)(r->open->bytes + r->open->used);
	h->size = size;
	r->open->used += size;
	return h + 1;
}

void ring_flush(struct ring *r)
{
	if (r->open->used)
		turn(r);
	pthread_mutex_lock(&r->lock);
	r->flushed = r->ready_count > 0;
	wake_reader(r);
	pthread_mutex_unlock(&r->lock);
}

/* The chunk that was read becomes spare; waits for a ready one. The spare one used last is used first: it is in the cache. */
static void take(struct ring *r)
{
	pthread_mutex_lock(&r->lock);
	if (r->taken)
		r->spare[r->spare_count++] = r->taken;
	if (r->writer_sleeps && r->spare_count >= WAKE_CHUNKS)
		pthread_cond_signal(&r->writable);
	if (r->ready_count == 0) {
		r->flushed = false;
		r->reader_sleeps = true;
		while (r->ready_count < WAKE_CHUNKS && !r->flushed)
			pthread_cond_wait(&r->readable, &r->lock);
		r->reader_sleeps = false;
	}
	r->taken = r->ready[r->ready_first];
	r->ready_first = (r->ready_first + 1) % RING_CHUNKS;
	r->ready_count--;
	pthread_mutex_unlock(&r->lock);
	r->taken_at = 0;
}

void *ring_next(struct ring *r)
{
	if (!r->taken || r->taken_at >= r->taken->used)
		take(r);
	struct head *h = (struct head *)(void *)(r->taken->bytes + r->taken_at);
	r->taken_at += h->size;
	return h + 1;
}
