/*
 * report_json.h - the report as one JSON object (RFC 8259), everything that the text says, and all servers and matters. Keys are those of report.h, times ISO 8601
 * in UTC, unknown is null; keys may be added, never renamed ("schema": 1).
 */
#ifndef ANALYZER_REPORT_JSON_H
#define ANALYZER_REPORT_JSON_H

#include "analyzer/report.h"
#include "common/buf.h"

void report_json(const struct report *r, struct buf *out);

#endif
