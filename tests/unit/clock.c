/* Unit tests of clock.c. */
#include "sensor/clock.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000)
#define HOUR (3600 * SECOND)
#define START (UINT64_C(1700000040) * SECOND)

static void it_is_the_greatest_time(void **state)
{
	struct packet_clock c = { 0 };
	static const uint64_t ahead_us[] = { 5, 3, 9, 9, 0, 12 };
	uint64_t most = 0;

	(void)state;
	for (size_t i = 0; i < sizeof ahead_us / sizeof *ahead_us; i++) {
		most = ahead_us[i] > most ? ahead_us[i] : most;
		clock_advance(&c, START + ahead_us[i]);
		assert_true(c.now_us == START + most);
	}
}

static void first_time_and_far_ones_are_doubted(void **state)
{
	struct packet_clock c = { 0 };

	(void)state;
	assert_true(clock_doubts(&c, START));
	clock_advance(&c, START);
	assert_false(clock_doubts(&c, START + HOUR));
	assert_true(clock_doubts(&c, START + HOUR + 1));
	assert_false(clock_doubts(&c, START - 100 * HOUR));
	assert_true(clock_agrees(START, START + 1));
	assert_true(clock_agrees(START, START - HOUR));
	assert_false(clock_agrees(START, START - HOUR - 1));
	assert_true(clock_agrees(START, UINT64_MAX));
}

/* By how much the clock moved while packets from from_us on came for that long, ten a second. */
static uint64_t moved(struct packet_clock *c, uint64_t from_us, uint64_t for_us)
{
	uint64_t before = c->now_us;

	for (uint64_t t = 0; t <= for_us; t += SECOND / 10)
		clock_advance(c, from_us + t);
	return c->now_us - before;
}

static void clock_that_was_set_back_goes_on_at_half_pace_until_they_meet(void **state)
{
	struct packet_clock c = { 0 };

	(void)state;
	clock_advance(&c, START);
	assert_true(moved(&c, START - HOUR, 60 * SECOND) == 30 * SECOND);
	assert_true(moved(&c, START - HOUR + 60 * SECOND, 2 * HOUR - 60 * SECOND) <= HOUR + SECOND);
	uint64_t met = START + HOUR;
	assert_true(c.now_us >= met && c.now_us <= met + LIMIT_CLOCK_BEHIND_US);
	moved(&c, met, 60 * SECOND);
	assert_true(c.now_us == met + 60 * SECOND);
}

static void reordered_packets_move_nothing(void **state)
{
	struct packet_clock c = { 0 };

	(void)state;
	clock_advance(&c, START);
	for (unsigned i = 0; i < 1000; i++)
		clock_advance(&c, START - i * 7919 % LIMIT_CLOCK_BEHIND_US);
	assert_true(c.now_us == START);
}

/* Taps whose clocks are that far behind that of the first, one packet of each in turn. */
static void assert_not_driven_ahead(const uint64_t *behind_us, size_t taps, bool first_is_quiet)
{
	struct packet_clock c = { 0 };

	clock_advance(&c, START);
	for (uint64_t t = 0; t < HOUR; t += SECOND / 10) {
		if (!first_is_quiet || t / (60 * SECOND) % 2)
			clock_advance(&c, START + t);
		for (size_t i = 0; i < taps; i++)
			clock_advance(&c, START + t - behind_us[i]);
		assert_true(c.now_us <= START + t + SECOND);
	}
}

static void taps_with_clocks_of_their_own_do_not_drive_it_ahead(void **state)
{
	static const uint64_t near_us[] = { HOUR, HOUR + SECOND / 20 }, far_us[] = { 30 * SECOND, 45 * SECOND, HOUR };

	(void)state;
	for (int quiet = 0; quiet < 2; quiet++) {
		assert_not_driven_ahead(near_us, 1, quiet);
		assert_not_driven_ahead(near_us, 2, quiet);
		assert_not_driven_ahead(far_us, 1, quiet);
		assert_not_driven_ahead(far_us, 2, quiet);
		assert_not_driven_ahead(far_us, 3, quiet);
	}
}

static void damaged_time_in_the_past_moves_nothing(void **state)
{
	struct packet_clock c = { 0 };

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		clock_advance(&c, START + i * SECOND);
		clock_advance(&c, i % 2 ? 1 : START - 100 * HOUR);
		assert_true(c.now_us == START + i * SECOND);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_the_greatest_time),
		cmocka_unit_test(first_time_and_far_ones_are_doubted),
		cmocka_unit_test(clock_that_was_set_back_goes_on_at_half_pace_until_they_meet),
		cmocka_unit_test(reordered_packets_move_nothing),
		cmocka_unit_test(taps_with_clocks_of_their_own_do_not_drive_it_ahead),
		cmocka_unit_test(damaged_time_in_the_past_moves_nothing),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
