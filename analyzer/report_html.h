/*
 * report_html.h - the report as one HTML file: no script, nothing loaded, charts as inline SVG each with its table. It passes the Content-Security-Policy
 * "default-src 'none'; style-src 'unsafe-inline'", which it carries itself. Light and dark, narrow and wide, and A4 by its style sheet.
 */
#ifndef ANALYZER_REPORT_HTML_H
#define ANALYZER_REPORT_HTML_H

#include "analyzer/report.h"
#include "common/buf.h"

void report_html(const struct report *r, struct buf *out);

#endif
