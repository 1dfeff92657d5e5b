/* finding.h - writing what was found about one victim: findings, their attempts and reasons, and the kinds that correlation closed. */
#ifndef ANALYZER_FINDING_H
#define ANALYZER_FINDING_H

#include <sqlite3.h>

#include "analyzer/victim.h"
#include "analyzer/judge.h"

struct findings;
struct hygiene;

struct findings *findings_new(sqlite3 *verdicts, const struct own *own, struct servers *servers, struct judge *judge, struct hygiene *hygiene);
void findings_free(struct findings *f);

/*
 * Replaces the findings about the victim's touched groups, which are so no more, and drops those whose answers are in other groups now. What is
 * equal keeps its revision, what changed gets the next one and a row in change. Transactions above fresh_rowid are new in this run: their first kind
 * is no change.
 */
void findings_write(struct findings *f, struct victim *v, int64_t fresh_rowid);
/* The recipient has no answering mail any more. */
void findings_remove(struct findings *f, int64_t recipient_id);

/* transaction_id of the events: 32 hex digits, dot, ordinal. */
#define TRANSACTION_ID_MAX 48
const char *transaction_id_format(const uint8_t session_id[16], int ordinal, char out[TRANSACTION_ID_MAX]);

#endif
