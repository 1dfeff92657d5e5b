/* report_build.h - what report.c, report_matter.c and report_hide.c, which fill a report together, share. Nobody else includes it. */
#ifndef ANALYZER_REPORT_BUILD_H
#define ANALYZER_REPORT_BUILD_H

#include "analyzer/report.h"

/* In the report's arena; NULL when that is full. */
char *report_printf(struct report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
void *report_array(struct report *r, size_t count, size_t size);	/* zeroed */

/* Among those reported on; NULL. */
struct report_server *report_find_server(struct report *r, int64_t id);

/* matter, todo, victim, root, evidence. 0, or -1 with reader_message. */
int report_read_matters(struct reader *reader, struct report *r);

/* --anonymous: takes away what names people, or hosts that are not ours. */
void report_hide(struct report *r);

#endif
