/* Unit tests of siphash.c: the vectors that its authors publish (github.com/veorq/SipHash, vectors.h) and those of SipHash-1-3 in Rust's library. */
#include "common/siphash.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* 00 01 02 .. 0f, little-endian words */
static const struct siphash_key counting = { { 0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull } };

enum { LONGEST = 64 };

/* 00 01 02 .. in a buffer that ends where the input ends */
static uint8_t *input(size_t n, size_t shift, void **block)
{
	uint8_t *p = malloc(n + shift + 1);

	*block = p;
	for (size_t i = 0; i < n; i++)
		p[shift + i] = (uint8_t)i;
	return p + shift;
}

static void siphash24_128_gives_the_reference_vectors(void **state)
{
	static const uint8_t vectors[][16] = {
		{ 0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93 },
		{ 0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45 },
		{ 0x81, 0x77, 0x22, 0x8d, 0xa4, 0xa4, 0x5d, 0xc7, 0xfc, 0xa3, 0x8b, 0xde, 0xf6, 0x0a, 0xff, 0xe4 },
		{ 0x9c, 0x70, 0xb6, 0x0c, 0x52, 0x67, 0xa9, 0x4e, 0x5f, 0x33, 0xb6, 0xb0, 0x29, 0x85, 0xed, 0x51 },
		{ 0xf8, 0x81, 0x64, 0xc1, 0x2d, 0x9c, 0x8f, 0xaf, 0x7d, 0x0f, 0x6e, 0x7c, 0x7b, 0xcd, 0x55, 0x79 },
		{ 0x13, 0x68, 0x87, 0x59, 0x80, 0x77, 0x6f, 0x88, 0x54, 0x52, 0x7a, 0x07, 0x69, 0x0e, 0x96, 0x27 },
		{ 0x14, 0xee, 0xca, 0x33, 0x8b, 0x20, 0x86, 0x13, 0x48, 0x5e, 0xa0, 0x30, 0x8f, 0xd7, 0xa1, 0x5e },
		{ 0xa1, 0xf1, 0xeb, 0xbe, 0xd8, 0xdb, 0xc1, 0x53, 0xc0, 0xb8, 0x4a, 0xa6, 0x1f, 0xf0, 0x82, 0x39 },
		{ 0x3b, 0x62, 0xa9, 0xba, 0x62, 0x58, 0xf5, 0x61, 0x0f, 0x83, 0xe2, 0x64, 0xf3, 0x14, 0x97, 0xb4 },
	};

	(void)state;
	for (size_t n = 0; n < sizeof vectors / sizeof *vectors; n++) {
		uint8_t out[16];
		void *block;

		siphash24_128(&counting, input(n, 0, &block), n, out);
		assert_memory_equal(out, vectors[n], 16);
		free(block);
	}
}

static void siphash13_gives_the_known_vectors(void **state)
{
	static const uint8_t vectors[][8] = {
		{ 0xdc, 0xc4, 0x0f, 0x05, 0x58, 0x01, 0xac, 0xab }, { 0x93, 0xca, 0x57, 0x7d, 0xf3, 0x9b, 0xf4, 0xc9 },
		{ 0x4d, 0xd4, 0xc7, 0x4d, 0x02, 0x9b, 0xcb, 0x82 }, { 0xfb, 0xf7, 0xdd, 0xe7, 0xb8, 0x0a, 0xf8, 0x8b },
	};
	static const struct siphash_key zero;

	(void)state;
	for (size_t n = 0; n < sizeof vectors / sizeof *vectors; n++) {
		void *block;
		uint64_t hash = siphash13(&counting, input(n, 0, &block), n);

		assert_memory_equal(&hash, vectors[n], 8);
		free(block);
	}
	assert_true(siphash13(&zero, "", 0) == 0xd1fba762150c532cull);
}

static void place_of_the_input_does_not_matter(void **state)
{
	(void)state;
	for (size_t n = 0; n < LONGEST; n++) {
		uint8_t first[16], out[16];
		uint64_t first13 = 0;

		for (size_t shift = 0; shift < 8; shift++) {
			void *block;
			const uint8_t *p = input(n, shift, &block);
			uint64_t hash13 = siphash13(&counting, p, n);

			siphash24_128(&counting, p, n, out);
			if (shift == 0) {
				memcpy(first, out, 16);
				first13 = hash13;
			}
			assert_memory_equal(out, first, 16);
			assert_true(hash13 == first13);
			free(block);
		}
	}
}

static void every_bit_of_key_and_input_counts(void **state)
{
	uint8_t text[40] = { 0 }, out[16], other[16];

	(void)state;
	siphash24_128(&counting, text, sizeof text, out);
	uint64_t hash = siphash13(&counting, text, sizeof text);
	for (size_t bit = 0; bit < 8 * sizeof text; bit++) {
		text[bit / 8] ^= (uint8_t)(1 << bit % 8);
		siphash24_128(&counting, text, sizeof text, other);
		assert_memory_not_equal(out, other, 16);
		assert_true(siphash13(&counting, text, sizeof text) != hash);
		text[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 128; bit++) {
		struct siphash_key key = counting;

		key.k[bit / 64] ^= 1ull << bit % 64;
		siphash24_128(&key, text, sizeof text, other);
		assert_memory_not_equal(out, other, 16);
		assert_true(siphash13(&key, text, sizeof text) != hash);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash24_128_gives_the_reference_vectors),
		cmocka_unit_test(siphash13_gives_the_known_vectors),
		cmocka_unit_test(place_of_the_input_does_not_matter),
		cmocka_unit_test(every_bit_of_key_and_input_counts),
	};

	return cmocka_run_group_tests_name("siphash", tests, NULL, NULL);
}
