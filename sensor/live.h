/*
 * live.h - the loop of live capture: frames into the pipeline, timers by the wall clock while links are idle, drops into the counters, and word to
 * the service manager. Its watchdog is fed here, between frames and nowhere else: a loop that hangs is found out.
 */
#ifndef SENSOR_LIVE_H
#define SENSOR_LIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "sensor/capture_live.h"
#include "sensor/notify.h"
#include "sensor/pipeline.h"

struct live {
	struct capture_live *capture;
	struct pipeline *pipeline;
	struct notify *notify;		/* open: there is no socket to be had once the sandbox is entered */
	const char *const *interfaces;	/* names, as given to the two above */
	size_t interface_count;
	bool (*keep_reading)(void *arg);	/* asked now and then, frames or not; false: end when what was captured is read */
	void *arg;
};

/* Runs until keep_reading says no, or until an interface went away (capture_live_problem). Says on standard error what each interface dropped. */
void live_run(const struct live *l);

#endif
