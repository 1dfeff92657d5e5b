/* Unit tests of pace.c. */
#include "sensor/pace.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000)
#define START (UINT64_C(1700000040) * SECOND)
#define CLOCK (UINT64_C(5000) * SECOND)

static void frames_are_due_at_a_multiple_of_their_pace(void **state)
{
	static const double speeds[] = { 1, 2, 0.5, 100, 0.01 };

	(void)state;
	for (size_t i = 0; i < sizeof speeds / sizeof *speeds; i++) {
		struct pace p = { .speed = speeds[i] };

		assert_int_equal(pace_wait_us(&p, START, CLOCK), 0);
		for (uint64_t s = 1; s < 100; s++) {
			uint64_t due = (uint64_t)((double)(s * SECOND) / speeds[i]);

			assert_int_equal(pace_wait_us(&p, START + s * SECOND, CLOCK), due);
			assert_int_equal(pace_wait_us(&p, START + s * SECOND, CLOCK + due / 2), due - due / 2);
			assert_int_equal(pace_wait_us(&p, START + s * SECOND, CLOCK + due), 0);
		}
	}
}

static void late_frames_catch_up(void **state)
{
	struct pace p = { .speed = 1 };

	(void)state;
	pace_wait_us(&p, START, CLOCK);
	assert_int_equal(pace_wait_us(&p, START + SECOND, CLOCK + 9 * SECOND), 0);
	assert_int_equal(pace_wait_us(&p, START + 10 * SECOND, CLOCK + 9 * SECOND), SECOND);
}

static void times_that_go_back_do_not_wait(void **state)
{
	struct pace p = { .speed = 1 };

	(void)state;
	pace_wait_us(&p, START, CLOCK);
	assert_int_equal(pace_wait_us(&p, START - 5 * SECOND, CLOCK), 0);
	assert_int_equal(pace_wait_us(&p, START + SECOND, CLOCK), SECOND);
}

static void nobody_waits_for_a_night_or_a_damaged_time(void **state)
{
	static const uint64_t far_us[] = { 3601 * SECOND, 366 * 86400 * SECOND, UINT64_MAX - START };

	(void)state;
	for (size_t i = 0; i < sizeof far_us / sizeof *far_us; i++) {
		struct pace p = { .speed = 0.001 };

		pace_wait_us(&p, START, CLOCK);
		assert_int_equal(pace_wait_us(&p, START + far_us[i], CLOCK), 0);
		assert_int_equal(pace_wait_us(&p, START + 1000, CLOCK), 0);		/* it was damaged */
		assert_int_equal(pace_wait_us(&p, START + 2000, CLOCK), SECOND);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_due_at_a_multiple_of_their_pace),
		cmocka_unit_test(late_frames_catch_up),
		cmocka_unit_test(times_that_go_back_do_not_wait),
		cmocka_unit_test(nobody_waits_for_a_night_or_a_damaged_time),
	};

	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
