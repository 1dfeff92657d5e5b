/*
 * journal.h - entries with fields for systemd's journal, by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram of "NAME=value" lines, binary form for
 * values with a line break. No library, and nothing is waited for: a journal that is away or full loses an entry, not the program's time.
 */
#ifndef ANALYZER_JOURNAL_H
#define ANALYZER_JOURNAL_H

#include "common/buf.h"
#include "common/text.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
/* Values are cut to this; a datagram has to fit into the socket's buffer. */
#define JOURNAL_VALUE_MAX 1024

/* Appends a field; name: upper-case letters, digits and underscores. Values are valid UTF-8 with control characters shown, as on a terminal. NULL appends nothing. */
void journal_field(struct buf *entry, const char *name, struct text value);
/* 0, or -1 with errno. */
int journal_send(const char *socket_path, const struct buf *entry);

#endif
