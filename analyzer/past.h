/*
 * past.h - what is known of facts that were pruned: sums by hour, servers, senders of origins. Kept in notes.db (schema/past.sql) by "bouncetap
 * prune", and put back where verdicts are made anew, so that a rebuild says of the past what was said before.
 *
 * Hours before past_before are closed: their sums come from here alone, whatever facts of them are left or come late.
 */
#ifndef ANALYZER_PAST_H
#define ANALYZER_PAST_H

#include <stdint.h>
#include <sqlite3.h>

#include "analyzer/own.h"

/* Start of the hours that are open; INT64_MIN: nothing was ever pruned from this store. store_id: of facts.db. */
int64_t past_before(const char *store, const char *store_id);

/* Outside and inside the transaction that fills empty verdict tables. 0 or -1; nothing to put back is 0, too. */
int past_attach(sqlite3 *verdicts, const char *store, const char *store_id);
int past_restore(sqlite3 *verdicts, const struct own *own);
void past_detach(sqlite3 *verdicts);

/*
 * Into notes, which has verdicts.db attached as verdicts, inside a transaction: what is known of hours before before_us and of findings whose last
 * attempt is before evidence_before_us. 0 or -1.
 */
int past_save(sqlite3 *notes, int64_t before_us, int64_t evidence_before_us);

#endif
