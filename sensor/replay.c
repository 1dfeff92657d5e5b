/* replay.c - see replay.h */
#include "sensor/replay.h"

#include <stdio.h>
#include <time.h>

#include "common/timefmt.h"
#include "sensor/pace.h"

enum { PROGRESS_US = 200000, TICK_FRAMES = 4096, PACE_LEAST_US = 1000, PACE_MOST_US = 50000 };

static void show_progress(const struct capture *c, const struct pipeline_totals *t)
{
	uint64_t total = capture_bytes_total(c), read = capture_bytes_read(c);

	fprintf(stderr, "\r%s  %3u%%  %llu sessions, %llu mails\033[K", capture_current_file(c) ? capture_current_file(c) : "",
		total ? (unsigned)(read * 100 / total) : 0, (unsigned long long)t->sessions, (unsigned long long)t->transactions);
}

/* Paced: until the frame is due, but for less than is worth a sleep. False: no more are wanted. */
static bool wait_until_due(const struct replay *r, struct pace *pace, uint64_t time_us)
{
	for (;;) {
		uint64_t wait_us = pace_wait_us(pace, time_us, (uint64_t)time_monotone_us());

		if (wait_us < PACE_LEAST_US)
			return true;
		if (!r->keep_reading(r->arg))
			return false;
		struct timespec t = { 0, (long)(wait_us < PACE_MOST_US ? wait_us : PACE_MOST_US) * 1000 };
		nanosleep(&t, NULL);
	}
}

/* Those that are there without waiting for more; paced, one when it is due. 0: the end. */
static size_t next_frames(const struct replay *r, struct pace *pace, struct capture_frame frames[PIPELINE_FRAMES])
{
	size_t n = 0;

	if (capture_next(r->capture, &frames[0]) != 1)
		return 0;
	if (pace->speed > 0)
		return wait_until_due(r, pace, frames[0].time_us);
	do
		n++;
	while (n < PIPELINE_FRAMES && capture_more(r->capture, &frames[n]));
	return n;
}

void replay_run(const struct replay *r)
{
	struct pace pace = { .speed = r->speed };
	struct capture_frame frames[PIPELINE_FRAMES];
	struct pipeline_totals totals;
	uint64_t shown_us = 0;
	size_t ticked = 0, n;

	while ((n = next_frames(r, &pace, frames))) {
		pipeline_frames(r->pipeline, frames, n);
		ticked += n;
		if (ticked < TICK_FRAMES && pace.speed == 0)
			continue;
		ticked = 0;
		if (!r->keep_reading(r->arg))
			break;
		uint64_t wall = (uint64_t)time_now_us();
		if (!r->progress || wall < shown_us + PROGRESS_US)
			continue;
		shown_us = wall;
		pipeline_totals(r->pipeline, &totals);
		show_progress(r->capture, &totals);
	}
	if (r->progress)
		fputs("\r\033[K", stderr);
}
