/*
 * report_text.h - the report in 80 columns of plain text: the reference for the other forms. ASCII but for what came from the wire, which is escaped for a
 * terminal. No box drawing, nothing by colour: it is read aloud, mailed and compared.
 */
#ifndef ANALYZER_REPORT_TEXT_H
#define ANALYZER_REPORT_TEXT_H

#include "analyzer/report.h"
#include "common/buf.h"

void report_text(const struct report *r, struct buf *out);

#endif
