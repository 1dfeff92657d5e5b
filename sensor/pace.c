/* pace.c - see pace.h */
#include "sensor/pace.h"

#include <stdbool.h>

#include "sensor/limits.h"

static bool is_far(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) > LIMIT_CLOCK_JUMP_US;
}

uint64_t pace_wait_us(struct pace *p, uint64_t time_us, uint64_t clock_us)
{
	if (p->last_us == 0 || is_far(time_us, p->last_us)) {
		p->from_us = time_us;
		p->from_clock_us = clock_us;
	}
	p->last_us = time_us;
	if (time_us <= p->from_us)
		return 0;
	double passed = (double)(clock_us - p->from_clock_us), due = (double)(time_us - p->from_us) / p->speed;
	return due > passed ? (uint64_t)(due - passed) : 0;
}
