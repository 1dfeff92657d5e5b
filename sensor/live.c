/* live.c - see live.h */
#include "sensor/live.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/timefmt.h"
#include "sensor/limits.h"

enum { TICK_FRAMES = 4096 };
#define SECOND_US UINT64_C(1000000)
#define STATUS_US (5 * SECOND_US)
#define IDLE_LAG_US (2 * SECOND_US)	/* frames may be held back that long: by the kernel's blocks, by the order of interfaces, by us */

struct loop {
	const struct live *l;
	struct capture_drops drops[LIMIT_INTERFACES];
	uint64_t second_us, status_us;	/* monotone clock of the last of each */
	uint64_t frames, status_frames;	/* handed on; of them before the last status line */
	uint64_t last_us;		/* time of the last frame; 0: the rings are empty */
};

static void count_drops(struct loop *x)
{
	for (unsigned i = 0; i < x->l->interface_count; i++) {
		struct capture_drops d;

		capture_live_drops(x->l->capture, i, &d);
		pipeline_drops(x->l->pipeline, i, d.ring, d.card);
		x->drops[i].ring += d.ring;
		x->drops[i].card += d.card;
	}
}

/* "STATUS=41.2 kpps, 0 drops, 31 open connections, 204 mails, behind by 0 s" */
static void send_status(struct loop *x, uint64_t now_us)
{
	uint64_t frames = x->frames - x->status_frames, took_us = now_us - x->status_us, wall_us = (uint64_t)time_now_us(), drops = 0;
	struct pipeline_totals t;

	for (size_t i = 0; i < x->l->interface_count; i++)
		drops += x->drops[i].ring + x->drops[i].card;
	pipeline_totals(x->l->pipeline, &t);
	notify_send(x->l->notify, "STATUS=%.1f kpps, %" PRIu64 " drops, %" PRIu64 " open connections, %" PRIu64 " mails, behind by %" PRIu64 " s",
		    took_us ? (double)frames * 1000 / (double)took_us : 0, drops, t.open, t.transactions,
		    x->last_us && wall_us > x->last_us ? (wall_us - x->last_us) / SECOND_US : 0);
	x->status_us = now_us;
	x->status_frames = x->frames;
}

static void tick(struct loop *x)
{
	uint64_t now_us = (uint64_t)time_monotone_us();

	if (!x->l->keep_reading(x->l->arg))
		capture_live_stop(x->l->capture);
	notify_feed(x->l->notify, now_us);
	if (now_us - x->second_us >= SECOND_US) {
		x->second_us = now_us;
		count_drops(x);
	}
	if (now_us - x->status_us >= STATUS_US)
		send_status(x, now_us);
}

static void report_drops(const struct loop *x)
{
	for (size_t i = 0; i < x->l->interface_count; i++) {
		const struct capture_drops *d = &x->drops[i];

		fprintf(stderr, "bouncetapd: %s: %" PRIu64 " packets dropped by the kernel", x->l->interfaces[i], d->ring);
		if (d->card)
			fprintf(stderr, ", %" PRIu64 " frames by the network card", d->card);
		fputc('\n', stderr);
	}
}

void live_run(const struct live *l)
{
	struct loop x = { .l = l, .second_us = (uint64_t)time_monotone_us(), .status_us = (uint64_t)time_monotone_us() };
	struct capture_frame frame;
	int r;

	notify_send(l->notify, "READY=1\nSTATUS=listening");
	while ((r = capture_live_next(l->capture, &frame)) >= 0) {
		if (r) {
			pipeline_frame(l->pipeline, &frame);
			x.last_us = frame.time_us;
			if (++x.frames % TICK_FRAMES)
				continue;
		} else {
			x.last_us = 0;
			pipeline_idle(l->pipeline, (uint64_t)time_now_us() - IDLE_LAG_US);
		}
		tick(&x);
	}
	notify_send(l->notify, "STOPPING=1");
	count_drops(&x);
	report_drops(&x);
}
