/*
 * metrics.h - a store's numbers in the text form of Prometheus (exposition format 0.0.4), for the textfile collector of its node exporter: answers, statuses, days
 * clean by server, the sensor's counters and ages. No names of people or of servers that are not ours.
 */
#ifndef ANALYZER_METRICS_H
#define ANALYZER_METRICS_H

#include "common/buf.h"
#include "common/config.h"
#include "reader/reader.h"

/* 0, or -1 with reader_message. */
int metrics_write(struct reader *r, const struct config *config, int64_t now_us, struct buf *out);

#endif
