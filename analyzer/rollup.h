/*
 * rollup.h - sums by own address and hour: mail_hour and coverage of verdicts.db.
 *
 * Kept for every own address, by the id of the server that it would be: whether it is one, may be learnt later. Collected in memory, written
 * by rollups_flush at the end of a slice; sums do not depend on the order of facts.
 */
#ifndef ANALYZER_ROLLUP_H
#define ANALYZER_ROLLUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>

#include "analyzer/mail.h"
#include "analyzer/own.h"
#include "analyzer/provisional.h"

#define ROLLUP_HOUR_US INT64_C(3600000000)

struct rollups;

/* Hours before closed_before_us get nothing any more: their facts may be gone, their sums are from when they were there (past.h). */
struct rollups *rollups_new(sqlite3 *verdicts, const struct own *own, struct provisional *provisional, int64_t closed_before_us);
void rollups_free(struct rollups *r);

/* answering: as classified without other mail, so that later evidence changes no sum. */
void rollups_add_mail(struct rollups *r, const struct mail *m, const struct route *route, bool answering);

struct rollup_session {
	struct ip_addr src, dest;
	const struct route *route;
	int64_t started_us;
	bool encrypted, one_sided, incomplete;
};
void rollups_add_session(struct rollups *r, const struct rollup_session *s);

/* Inside the caller's transaction. Answers the earliest hour whose coverage changed; INT64_MAX: none. */
int64_t rollups_flush(struct rollups *r);

#endif
