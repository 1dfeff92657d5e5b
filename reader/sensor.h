/* sensor.h - what the sensor saw and what it could not see: runs, counters by interface, coverage by server, how far behind anyone is. */
#ifndef READER_SENSOR_H
#define READER_SENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader/reader.h"

struct sensor_counters {
	uint64_t packets, bytes, kernel_drops, interface_drops, unseen_bytes, flows, evicted, sessions, encrypted_sessions, one_sided_sessions;
};

#define SENSOR_MINUTES 60

struct sensor_interface {
	const char *name;
	struct sensor_counters minute;	/* the latest one counted */
	struct sensor_counters total;	/* in the range */
	uint32_t packets_by_minute[SENSOR_MINUTES];	/* [SENSOR_MINUTES - 1] is the minute of now */
	int64_t last_us;		/* end of its latest minute */
};

struct sensor_run_row {
	int64_t id;
	const char *sensor, *version, *end_reason, *interfaces, *filter, *files;	/* "" where the store has none; files: of a replay */
	int64_t started_us, ended_us;	/* ended_us 0: running, or killed */
	uint64_t facts_lost;
};

/* A stretch of time in which nobody watched, within the range. */
struct sensor_gap {
	int64_t begin_us, end_us;
};

struct coverage_row {
	int64_t server_id;
	const char *server, *direction;	/* inbound, outbound, internal */
	uint64_t sessions, encrypted, one_sided, incomplete;
	uint32_t hours;			/* with sessions, in the range */
};

struct sensor_view {
	struct arena arena;
	struct sensor_interface *interface;
	size_t interface_count;
	struct sensor_run_row *run;	/* newest first, at most SENSOR_RUNS_MAX */
	size_t run_count;
	struct coverage_row *coverage;
	size_t coverage_count;
	struct sensor_gap *gap;		/* in order of time, at most SENSOR_GAPS_MAX, the latest ones */
	size_t gap_count;
	int64_t last_commit_us;		/* wall clock of the last batch, 0: none */
	int64_t last_packet_us;		/* end of the latest minute counted */
	uint64_t batches_behind;	/* commits that analyze has not judged */
};

#define SENSOR_RUNS_MAX 50
#define SENSOR_GAPS_MAX 100
/* Gaps are looked for in the last days of a longer range. */
#define SENSOR_GAP_DAYS 31
/* Counters stand for each minute with a packet, live for every one. A silence up to this is one of the wire, a longer one of the sensor. */
#define SENSOR_SILENCE_US (5 * 60 * INT64_C(1000000))

struct sensor_query {
	int64_t now_us, since_us, until_us;	/* until_us 0: now */
};

/* 0, or -1 with reader_message; to be freed either way. */
int sensor_view_read(struct reader *r, const struct sensor_query *query, struct sensor_view *out);
void sensor_view_fini(struct sensor_view *v);

/*
 * How much of from_us..to_us (at most SENSOR_GAP_DAYS) a sensor was watching, in microseconds: 0 is "not watching then". A live run that goes on
 * counts until now. 0, or -1 with reader_message.
 */
int sensor_watched(struct reader *r, int64_t from_us, int64_t to_us, int64_t now_us, int64_t *watched_us);

#endif
