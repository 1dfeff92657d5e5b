/*
 * report_csv.h - the report as one table for spreadsheets (RFC 4180, UTF-8, a header line): a row for each change, server, list, hour or day, domain, cause and defect.
 * What a column means is the same in all rows; it is empty where a row has nothing to say. No cell begins a formula.
 */
#ifndef ANALYZER_REPORT_CSV_H
#define ANALYZER_REPORT_CSV_H

#include "analyzer/report.h"
#include "common/buf.h"

void report_csv(const struct report *r, struct buf *out);

#endif
