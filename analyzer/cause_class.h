/*
 * cause_class.h - what a refusal was about, in five words: user-unknown, mailbox-full, content, policy, other.
 *
 * Of what a server said: its reply to RCPT or to the data, or Status and Diagnostic-Code of a report. From the texts of servers that are in use.
 * A text beats an enhanced code that says less.
 */
#ifndef ANALYZER_CAUSE_CLASS_H
#define ANALYZER_CAUSE_CLASS_H

#include "common/text.h"

/* A constant; NULL when nothing was said (code 0, no texts). enhanced: "5.1.1". */
const char *cause_class(int code, struct text enhanced, struct text text);

#endif
