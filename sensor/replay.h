/* replay.h - the loop of reading capture files: frames into the pipeline, at their recorded pace if that is wanted, and how far it is. */
#ifndef SENSOR_REPLAY_H
#define SENSOR_REPLAY_H

#include <stdbool.h>

#include "sensor/capture.h"
#include "sensor/pipeline.h"

struct replay {
	struct capture *capture;
	struct pipeline *pipeline;
	double speed;			/* times the recorded pace; 0: as fast as it goes */
	bool progress;			/* shown on standard error */
	bool (*keep_reading)(void *arg);	/* asked every few thousand frames, and twenty times a second while a frame is not due */
	void *arg;
};

/* Until the files end, or keep_reading said so. */
void replay_run(const struct replay *r);

#endif
