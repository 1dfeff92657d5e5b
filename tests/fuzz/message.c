/*
 * Fuzzes message.c and all below it. Bits of the first byte: 0 look closer, 1 end broken off, 2-4 size of the pieces, 5-7 a hole every so many pieces.
 * Without holes the facts must not depend on the pieces.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sensor/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fact_message *parse(struct arena *a, const uint8_t *data, size_t n, unsigned flags, size_t step, unsigned hole_every)
{
	struct message *m = message_new(a, flags & 1);
	unsigned count = 0;

	for (size_t at = 0; at < n; at += step, count++) {
		size_t k = n - at < step ? n - at : step;
		char *piece = malloc(k);

		assert(piece);
		memcpy(piece, data + at, k);
		if (hole_every && count % hole_every == hole_every - 1)
			message_gap(m);
		else
			message_push(m, piece, k);
		free(piece);
	}
	struct fact_message *f = message_end(m, !(flags & 2));
	message_free(m);
	return f;
}

static void assert_equal(const struct fact_message *a, const struct fact_message *b)
{
	assert(!a == !b);
	if (!a)
		return;
	assert(text_equal(a->from, b->from) && text_equal(a->subject, b->subject) && text_equal(a->message_id, b->message_id));
	assert(a->markers == b->markers && a->notes == b->notes && a->headers_complete == b->headers_complete);
	assert(a->received_count == b->received_count && a->phrase_count == b->phrase_count);
	assert(!a->report == !b->report && !a->returned == !b->returned && a->said_count == b->said_count);
	for (unsigned i = 0; i < a->said_count; i++)
		assert(text_equal(a->said[i].final_recipient, b->said[i].final_recipient) && text_equal(a->said[i].diagnostic, b->said[i].diagnostic));
	if (a->report)
		assert(a->report->recipient_total == b->report->recipient_total);
	if (a->returned)
		assert(text_equal(a->returned->message_id, b->returned->message_id) && a->returned->received_count == b->returned->received_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = { 1, 2, 3, 7, 40, 100, 1460, 20000 };
	struct arena a, b;

	if (size < 1)
		return 0;
	unsigned flags = data[0], hole_every = flags >> 5;
	size_t step = steps[flags >> 2 & 7];

	arena_init(&a, 64 * 1024);
	arena_init(&b, 64 * 1024);
	struct fact_message *f = parse(&a, data + 1, size - 1, flags, step, hole_every);
	if (!hole_every)
		assert_equal(f, parse(&b, data + 1, size - 1, flags, size, 0));
	arena_fini(&a);
	arena_fini(&b);
	return 0;
}
