/*
 * covered.h - was what came in to one of our servers seen well enough, and for long enough, that what was not seen did not come?
 *
 * Sums of coverage change with each session. So whoever asks for a finding is noted in verdicts.asked_coverage with what he was told, and the finding
 * is judged again when that is no longer so.
 */
#ifndef ANALYZER_COVERED_H
#define ANALYZER_COVERED_H

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>

#include "analyzer/marks.h"

/*
 * Servers give up on a mail after five days at most, so whatever is answered came within the week. Of its hours 80 % must have seen sessions from
 * outside; of these no more than 5 % may have been encrypted or incomplete: who sends so, does it each time.
 */
#define COVERED_HOURS 168
enum { COVERED_HOURS_PERCENT = 80, COVERED_HIDDEN_PERCENT = 5 };

struct covered;

/* Facts of before closed_before_us may be gone: what was not seen then, may have been. */
struct covered *covered_new(sqlite3 *verdicts, int64_t closed_before_us);
void covered_free(struct covered *c);

/* In the week that ends with the hour of at_us. */
bool covered_inbound(struct covered *c, int64_t server_id, int64_t at_us, int64_t recipient_id, int64_t finding_rowid);

/* Sums of hours since this one changed: marks findings that were told something else. */
void covered_review(struct covered *c, int64_t since_us, struct marks *marks);

#endif
