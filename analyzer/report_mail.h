/*
 * report_mail.h - the report as a message that is ready to be handed to a mail server: text and HTML as multipart/alternative. Nothing here sends.
 *
 * It can never backscatter, nor be answered by a machine: Auto-Submitted (RFC 3834), Precedence: bulk and X-Auto-Response-Suppress, and a Return-Path: <> that tells
 * which envelope sender it is to have. Mail servers take that line out and use what their client says: sendmail -t -f '<>'.
 */
#ifndef ANALYZER_REPORT_MAIL_H
#define ANALYZER_REPORT_MAIL_H

#include "analyzer/report.h"
#include "common/buf.h"

/* to: recipients, separated by commas; false when that cannot stand in a header. They also stand in From, so that an answer reaches people. */
bool report_mail_is_address(const char *to);
void report_mail(const struct report *r, const char *to, struct buf *out);

#endif
