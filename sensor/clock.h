/*
 * clock.h - packet times -> the clock that timers go by, which never runs backward.
 *
 * It is the greatest time so far, but for two kinds of doubt. The first time, and one that is more than an hour ahead, may be damaged: the next one
 * tells. And a clock that was set back would stand still until packets have caught up: while they are behind it goes on at half their pace, so
 * that waits end, and both meet again. Half, since packets of another tap with a clock of its own must not drive it ahead.
 */
#ifndef SENSOR_CLOCK_H
#define SENSOR_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Zero at the start. */
struct packet_clock {
	uint64_t now_us;		/* 0: no time yet */
	uint64_t behind_us;		/* of packets that are behind: the greatest of late */
};

/* Whether the next time has to agree before this one counts. */
bool clock_doubts(const struct packet_clock *c, uint64_t time_us);

/* Whether a time that came next agrees with one that was in doubt. */
bool clock_agrees(uint64_t doubtful_us, uint64_t next_us);

/* Packet time is at least this. */
void clock_advance(struct packet_clock *c, uint64_t time_us);

#endif
