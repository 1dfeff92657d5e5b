/* Unit tests of unacked.c against the whole of what was said. SEED=N repeats a run. */
#include "sensor/unacked.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/chance.h"

static const struct siphash_key secret = { { 1, 2 } };
static struct unacked_key key;
static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	return (uint32_t)(chance_next(&random_state) % n);
}

static bool differs(struct unacked *u, uint32_t seq, const char *text)
{
	return unacked_again(u, &key, seq, (const uint8_t *)text, (uint32_t)strlen(text));
}

static void add(struct unacked *u, uint32_t seq, const char *text)
{
	unacked_add(u, &key, seq, (const uint8_t *)text, (uint32_t)strlen(text));
}

static void whole_segments_are_compared(void **state)
{
	enum { WRAPS = UINT32_MAX - 1 };
	struct unacked u = { 0 };

	(void)state;
	assert_false(differs(&u, 5, "x"));
	add(&u, WRAPS, "abc");
	add(&u, WRAPS + 3, "de");
	add(&u, 100, "fg");	/* behind a gap */
	assert_false(differs(&u, WRAPS, "abc"));
	assert_false(differs(&u, WRAPS, "abcde"));
	assert_false(differs(&u, WRAPS + 3, "de"));
	assert_false(differs(&u, WRAPS - 2, "XXabcdeXX"));
	assert_true(differs(&u, WRAPS, "Xbc"));
	assert_true(differs(&u, WRAPS, "abcdX"));
	assert_true(differs(&u, WRAPS - 2, "XXabXdeXX"));
	assert_false(differs(&u, WRAPS + 5, "X"));
	assert_false(differs(&u, WRAPS - 1, "X"));
	assert_true(differs(&u, 100, "fX"));
	unacked_trim(&u, 100);
	assert_false(differs(&u, WRAPS, "XXXXX"));
	assert_true(differs(&u, 100, "Xg"));
	unacked_trim(&u, 102);
	assert_true(unacked_is_empty(&u));
}

/* Some senders cut their bytes anew. */
static void part_of_a_segment_is_in_doubt_until_more_of_it_is_acknowledged(void **state)
{
	static const struct { uint32_t seq; const char *text; uint32_t acked; bool told, at_ack, at_end; } again[] = {
		{ 10, "abc", 14, false, false, false }, { 10, "abc", 13, false, true, true }, { 10, "abc", 12, false, true, true },
		{ 10, "abc", 10, false, false, true }, { 11, "bcd", 14, false, false, false }, { 11, "bcd", 12, false, false, true },
		{ 8, "XXab", 14, false, false, false }, { 8, "XXab", 12, false, true, true }, { 8, "XXab", 13, false, false, true },
		{ 13, "dXX", 14, false, false, false }, { 8, "XXabcdXX", 12, false, false, false }, { 8, "XXabXdXX", 14, true, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof again / sizeof *again; i++) {
		struct unacked u = { 0 };

		add(&u, 10, "abcd");
		assert_int_equal(differs(&u, again[i].seq, again[i].text), again[i].told);
		assert_int_equal(unacked_trim(&u, again[i].acked), again[i].at_ack);
		assert_int_equal(unacked_is_in_doubt(&u), again[i].at_end);
		unacked_fini(&u);
	}
}

static void parts_that_make_up_a_segment_are_in_doubt(void **state)
{
	struct unacked u = { 0 };

	(void)state;
	add(&u, 10, "abcd");
	add(&u, 14, "efgh");
	assert_false(differs(&u, 8, "XXab"));
	assert_true(differs(&u, 12, "cd"));
	assert_false(unacked_trim(&u, 18));
	add(&u, 20, "abcd");
	add(&u, 24, "efgh");
	assert_false(differs(&u, 20, "abcdef"));	/* one whole, and a part */
	assert_false(unacked_trim(&u, 24));
	assert_true(unacked_trim(&u, 26));
	unacked_fini(&u);
}

/* One lost piece of a frame that the card was given as a whole. */
static void parts_of_what_no_wire_carries_are_not_in_doubt(void **state)
{
	static const uint8_t bytes[LIMIT_WIRE_BYTES + 1];
	struct unacked u = { 0 };

	(void)state;
	unacked_add(&u, &key, 0, bytes, sizeof bytes);
	assert_false(unacked_again(&u, &key, 0, bytes, 1448));
	assert_false(unacked_again(&u, &key, 1448, bytes, sizeof bytes - 1448));
	assert_false(unacked_again(&u, &key, 0, bytes, sizeof bytes));
	assert_false(unacked_trim(&u, 1448));
	assert_false(unacked_is_in_doubt(&u));
}

/* Too many to be kept: that it cannot be compared is told, until it was acknowledged. */
static void what_is_no_longer_kept_differs(void **state)
{
	enum { MORE = 3 * LIMIT_UNACKED };
	struct unacked u = { 0 };

	(void)state;
	for (uint32_t i = 0; i < MORE; i++) {
		add(&u, 2 * i, "ab");
		assert_true(unacked_memory_bytes(&u) <= sizeof(struct unacked_many) + LIMIT_UNACKED * sizeof(struct unacked_segment));
	}
	assert_true(u.count > LIMIT_UNACKED / 2);
	assert_true(differs(&u, 0, "ab"));
	assert_true(differs(&u, 2 * (MORE - LIMIT_UNACKED - 1), "ab"));
	assert_false(differs(&u, 2 * (MORE - LIMIT_UNACKED / 2), "ab"));
	assert_true(differs(&u, 2 * (MORE - LIMIT_UNACKED / 2), "aX"));
	unacked_trim(&u, 2 * (MORE - LIMIT_UNACKED / 2));
	assert_false(differs(&u, 0, "ab"));
	assert_true(differs(&u, 2 * MORE - 2, "Xb"));
	unacked_trim(&u, 2 * MORE);
	assert_true(unacked_is_empty(&u));
	assert_int_equal(unacked_memory_bytes(&u), 0);
}

/* A window that stays full, as in a long transfer. */
static void full_window_moves_on(void **state)
{
	struct unacked u = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 20 * LIMIT_UNACKED; i++) {
		add(&u, 2 * i, "ab");
		if (i >= LIMIT_UNACKED / 2)
			unacked_trim(&u, 2 * (i - LIMIT_UNACKED / 2));
		assert_false(u.many && u.many->gone);
		assert_false(differs(&u, 2 * i, "ab"));
		assert_true(differs(&u, 2 * i, "ac"));
	}
	unacked_fini(&u);
}

static void every_bit_counts(void **state)
{
	uint8_t text[1500] = { 0 };
	uint32_t n = 1 + random_below(sizeof text - 1);

	(void)state;
	for (uint32_t i = 0; i < n; i++)
		text[i] = (uint8_t)random_below(256);
	uint32_t before = digest(&key, text, n);
	for (uint32_t i = 0; i < 8 * n; i++) {
		text[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_not_equal(digest(&key, text, n), before);
		text[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(digest(&key, text, n), before);
}

static void it_agrees_with_the_whole(void **state)
{
	enum { STREAM = 400000, LONGEST = 1500 };
	uint8_t *stream = xmalloc(STREAM), *copy = xmalloc(STREAM);
	uint32_t *begins = xreallocarray(NULL, STREAM, sizeof *begins), count = 0, next = 0, first = 0;
	struct unacked u = { 0 };

	(void)state;
	for (uint32_t i = 0; i < STREAM; i++)
		stream[i] = (uint8_t)random_below(256);
	while (next < STREAM - LONGEST) {
		uint32_t n = 1 + random_below(random_below(10) ? LONGEST : 3);

		unacked_add(&u, &key, next, stream + next, n);
		begins[count++] = next;
		next += n;
		if (random_below(4) == 0) {
			first += random_below(count - first);
			unacked_trim(&u, begins[first]);
		}
		uint32_t one = first + random_below(count - first), other = one + random_below(count - one);
		uint32_t from = begins[one], length = (other + 1 < count ? begins[other + 1] : next) - from;
		memcpy(copy, stream + from, length);
		assert_false(unacked_again(&u, &key, from, copy, length));
		copy[random_below(length)] ^= 1;
		assert_true(unacked_again(&u, &key, from, copy, length));
	}
	unacked_fini(&u);
	free(stream);
	free(copy);
	free(begins);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_segments_are_compared),
		cmocka_unit_test(part_of_a_segment_is_in_doubt_until_more_of_it_is_acknowledged),
		cmocka_unit_test(parts_that_make_up_a_segment_are_in_doubt),
		cmocka_unit_test(parts_of_what_no_wire_carries_are_not_in_doubt),
		cmocka_unit_test(what_is_no_longer_kept_differs),
		cmocka_unit_test(full_window_moves_on),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(it_agrees_with_the_whole),
	};

	random_state = chance_seed();
	unacked_key_make(&secret, &key);
	return cmocka_run_group_tests_name("unacked", tests, NULL, NULL);
}
