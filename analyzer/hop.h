/*
 * hop.h - Received lines as facts.db keeps them: a JSON array of [from_host, from_ip, by_host, with_protocol, queue_id] (schema/facts.sql). Read here
 * without SQLite's json_each, which takes longer than all the rest of an ordinary mail.
 */
#ifndef ANALYZER_HOP_H
#define ANALYZER_HOP_H

#include <stdbool.h>

#include "common/text.h"

struct hop {
	struct text from_host, from_ip, by_host, with;	/* as in JSON: escapes are left in; p == NULL: null */
};

/* The next line, topmost first; lines is moved behind it. False at the end, or where it is no such array. */
bool hop_next(struct text *lines, struct hop *out);

#endif
