/*
 * take.h - new facts: first verdicts on sessions and transactions, what they teach about our servers, and whose answers must be judged (again).
 *
 *   sessions -> direction, servers, coverage, refusals, hygiene
 *   transactions -> direction, kind, origin, provenance, sums; notes for judging; marks
 *
 * A verdict is a function of the set of facts. So whatever a fact may change about others is looked up here: recipients of answering mail go into
 * verdicts.pending, provenance of mail that was taken before is reviewed at once.
 */
#ifndef ANALYZER_TAKE_H
#define ANALYZER_TAKE_H

#include <stdint.h>
#include <sqlite3.h>

#include "analyzer/covered.h"
#include "analyzer/hygiene.h"
#include "analyzer/origin.h"
#include "analyzer/own.h"
#include "analyzer/provenance.h"
#include "analyzer/refusal.h"
#include "analyzer/rollup.h"
#include "analyzer/servers.h"
#include "analyzer/sighting.h"

struct take_tools {
	sqlite3 *facts, *verdicts;
	const struct own *own;
	struct servers *servers;
	struct origins *origins;
	struct provenances *provenances;
	struct shared *shared;
	struct refusals *refusals;
	struct rollups *rollups;
	struct hygiene *hygiene;
	struct provisional *provisional;
	struct covered *covered;
};

/* Rows after .. until of sessions and transactions. */
struct take_range {
	int64_t session_after, session_until, transaction_after, transaction_until;
	int64_t seen_rowid;	/* transactions up to it could be seen when those up to transaction_after were taken */
};

struct take;

struct take *take_new(const struct take_tools *tools);
void take_free(struct take *t);

/* Inside the caller's transactions on both databases. */
void take_facts(struct take *t, const struct take_range *r);

/* Another server or name of ours became known while judging: marks whom that concerns. */
void take_news(struct take *t);

/* Latest end of a fact that was taken; transactions taken. */
int64_t take_last_us(const struct take *t);
long long take_count(const struct take *t);

#endif
