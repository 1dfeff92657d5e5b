/* clock.c - see clock.h */
#include "sensor/clock.h"

#include "sensor/limits.h"

bool clock_doubts(const struct packet_clock *c, uint64_t time_us)
{
	return c->now_us == 0 || (time_us > c->now_us && time_us - c->now_us > LIMIT_CLOCK_JUMP_US);
}

bool clock_agrees(uint64_t doubtful_us, uint64_t next_us)
{
	return next_us >= doubtful_us || doubtful_us - next_us <= LIMIT_CLOCK_JUMP_US;
}

/*
 * Only steps between packets that belong together count: two taps with clocks of their own, one packet of each in turn, would make the clock go by
 * what is between them.
 */
static void go_on_behind(struct packet_clock *c, uint64_t time_us)
{
	if (time_us > c->behind_us && time_us - c->behind_us <= LIMIT_CLOCK_BEHIND_US)
		c->now_us += (time_us - c->behind_us) / 2;
	else if (time_us <= c->behind_us && c->behind_us - time_us <= LIMIT_CLOCK_BEHIND_US)
		return;
	c->behind_us = time_us;
}

void clock_advance(struct packet_clock *c, uint64_t time_us)
{
	if (time_us > c->now_us)
		c->now_us = time_us;
	else if (c->now_us - time_us > LIMIT_CLOCK_BEHIND_US)
		go_on_behind(c, time_us);
}
