/* Unit tests of ring.c: records go through alone, in crowds and slowly, with a thread at each end. */
#include "sensor/ring.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

struct record {
	uint32_t n;		/* bytes behind it; STOP: the last one */
	uint32_t number;
	unsigned char byte[];
};

#define STOP UINT32_MAX

static void put(struct ring *r, uint32_t number, uint32_t n)
{
	struct record *k = ring_add(r, sizeof *k + n);

	k->n = n;
	k->number = number;
	memset(k->byte, (int)(number % 251), n);
}

static void put_stop(struct ring *r)
{
	((struct record *)ring_add(r, sizeof(struct record)))->n = STOP;
	ring_flush(r);
}

static void assert_record(const struct record *k, uint32_t number, uint32_t n)
{
	assert_int_equal(k->number, number);
	assert_int_equal(k->n, n);
	assert_true((uintptr_t)k % alignof(max_align_t) == 0);
	for (uint32_t i = 0; i < n; i++)
		if (k->byte[i] != number % 251)
			fail_msg("byte %u of record %u", i, number);
}

static void records_come_out_as_they_went_in(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 15, 16, 17, 1500, 65535, 262144, RING_RECORD_MAX - sizeof(struct record), 3 };
	enum { COUNT = sizeof sizes / sizeof *sizes };
	struct ring *r = ring_new();

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++)
		put(r, i, sizes[i]);
	ring_flush(r);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_record(ring_next(r), i, sizes[i]);
	ring_free(r);
}

static void flush_without_records_is_nothing(void **state)
{
	struct ring *r = ring_new();

	(void)state;
	ring_flush(r);
	ring_flush(r);
	put(r, 7, 5);
	ring_flush(r);
	ring_flush(r);
	assert_record(ring_next(r), 7, 5);
	ring_free(r);
}

static void what_nobody_read_is_freed(void **state)
{
	struct ring *r = ring_new();

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		put(r, i, RING_CHUNK_BYTES);
	put(r, 5, 1);
	ring_flush(r);
	assert_record(ring_next(r), 0, RING_CHUNK_BYTES);
	put(r, 6, 1);
	ring_free(r);
}

/* ---- a thread at each end ---- */

struct reader {
	struct ring *ring;
	uint32_t pause_every;		/* records; 0: never */
	uint32_t read;
	uint64_t bytes;
	bool in_order;
};

static void pause_us(long us)
{
	struct timespec t = { 0, us * 1000 };

	nanosleep(&t, NULL);
}

static void *read_all(void *arg)
{
	struct reader *d = arg;

	d->in_order = true;
	for (;;) {
		const struct record *k = ring_next(d->ring);

		if (k->n == STOP)
			return NULL;
		d->in_order &= k->number == d->read && (k->n == 0 || (k->byte[0] == d->read % 251 && k->byte[k->n - 1] == d->read % 251));
		d->read++;
		d->bytes += k->n;
		if (d->pause_every && d->read % d->pause_every == 0)
			pause_us(100);
	}
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* pauses in records, 0: none */
static void pass(uint32_t records, uint32_t largest, uint32_t writer_pause, uint32_t reader_pause, uint32_t flush_every)
{
	struct ring *r = ring_new();
	struct reader d = { .ring = r, .pause_every = reader_pause };
	uint32_t seed = records + largest;
	uint64_t bytes = 0;
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, read_all, &d), 0);
	for (uint32_t i = 0; i < records; i++) {
		uint32_t n = next_random(&seed) % (largest + 1);

		put(r, i, n);
		bytes += n;
		if (flush_every && i % flush_every == 0)
			ring_flush(r);
		if (writer_pause && i % writer_pause == 0)
			pause_us(100);
	}
	put_stop(r);
	pthread_join(t, NULL);
	assert_int_equal(d.read, records);
	assert_true(d.in_order && d.bytes == bytes);
	assert_int_equal(r->spare_count + r->ready_count, RING_CHUNKS - 2);	/* one is open, one taken */
	ring_free(r);
}

static void slow_reader_makes_the_writer_wait(void **state)
{
	(void)state;
	pass(3000, 65536, 0, 50, 0);
}

static void slow_writer_makes_the_reader_wait(void **state)
{
	(void)state;
	pass(3000, 65536, 50, 0, 0);
}

static void nothing_is_lost_at_any_pace(void **state)
{
	(void)state;
	pass(200000, 200, 0, 0, 0);
	pass(200000, 200, 0, 0, 7);
	pass(20000, 1500, 97, 101, 13);
	pass(2000, 200, 1, 0, 1);
	pass(500, 262144, 0, 0, 3);
}

static void each_flush_wakes_a_reader_that_sleeps(void **state)
{
	struct ring *r = ring_new();
	struct reader d = { .ring = r };
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, read_all, &d), 0);
	for (uint32_t i = 0; i < 20; i++) {
		put(r, i, 1);
		pause_us(i % 3 * 500);
		put_stop(r);
		pthread_join(t, NULL);
		assert_int_equal(d.read, i + 1);
		assert_int_equal(pthread_create(&t, NULL, read_all, &d), 0);
	}
	put_stop(r);
	pthread_join(t, NULL);
	ring_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_out_as_they_went_in),
		cmocka_unit_test(flush_without_records_is_nothing),
		cmocka_unit_test(what_nobody_read_is_freed),
		cmocka_unit_test(slow_reader_makes_the_writer_wait),
		cmocka_unit_test(slow_writer_makes_the_reader_wait),
		cmocka_unit_test(nothing_is_lost_at_any_pace),
		cmocka_unit_test(each_flush_wakes_a_reader_that_sleeps),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
