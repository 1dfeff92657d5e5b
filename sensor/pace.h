/*
 * pace.h - when a recorded frame is due, if it is to come at a multiple of the pace at which it was recorded.
 *
 * Pure: both clocks are handed in. A hole of more than an hour is not waited for, nor is a damaged time; so captures of several days go on.
 */
#ifndef SENSOR_PACE_H
#define SENSOR_PACE_H

#include <stdint.h>

struct pace {
	double speed;			/* greater than 0; 2: in half the time */
	uint64_t last_us;		/* of the frame asked for last; 0: none was */
	uint64_t from_us, from_clock_us;	/* a frame and when it was handed on: what the others are measured from */
};

/* How long until the frame of time_us is due, in microseconds of the clock (which does not run backward); 0: now. May be asked again and again. */
uint64_t pace_wait_us(struct pace *p, uint64_t time_us, uint64_t clock_us);

#endif
