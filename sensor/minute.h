/*
 * minute.h - the counters of one minute, gathered from all who count.
 *
 * The reader of frames begins it with what it counted; each worker adds its own when its packets have passed the minute. The last one hands
 * the rows out, so that a row is whole, and nobody takes a lock for a packet.
 */
#ifndef SENSOR_MINUTE_H
#define SENSOR_MINUTE_H

#include <stddef.h>
#include <stdint.h>

#include "sensor/fact.h"

#define MINUTE_US 60000000ull

struct minute;

/* end_us: of a whole minute. counted: by interface, copied. interfaces must outlive it. */
struct minute *minute_new(uint64_t end_us, const char *const *interfaces, size_t interface_count, unsigned workers,
			  const struct fact_capture *counted);

/* What a worker counted, by interface; cleared. The last of them: the rows go to its sink, m is freed. */
void minute_add(struct minute *m, struct fact_capture *counted, const struct fact_sink *sink);

#endif
