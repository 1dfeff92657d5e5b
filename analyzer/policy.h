/* policy.h - what the findings mean for each server and blocklist: clean, watch, would-list, listed, not-covered. */
#ifndef ANALYZER_POLICY_H
#define ANALYZER_POLICY_H

#include <stdint.h>
#include <sqlite3.h>

#include "analyzer/listfile.h"

/* Empties and fills verdicts.risk for the time now_us, inside the caller's transaction. */
void policy_write_risk(sqlite3 *verdicts, const struct lists *lists, int64_t now_us);

/* A server of whose outbound sessions more than this share could not be read is never clean: what counts may be among them. */
#define POLICY_BLIND_SHARE 20

#endif
