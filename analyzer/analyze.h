/*
 * analyze.h - facts.db -> verdicts.db: the driver behind "analyze" and "audit".
 *
 * Reads batches that were not judged yet, writes verdicts and the mark of how far it came in one transaction. One analyzer at a time.
 */
#ifndef ANALYZER_ANALYZE_H
#define ANALYZER_ANALYZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "analyzer/listfile.h"
#include "common/config.h"

struct analysis_options {
	const char *store;
	const struct config *config;
	const struct lists *lists;
	int64_t now_us;		/* for risk; 0: wall clock */
	bool now_is_last;	/* for risk: the latest fact's time, unless now_us is given */
	bool rebuild;
	bool temporary;		/* the store is thrown away afterwards: db_be_temporary */
	FILE *say;		/* news for people: another store, other inputs; NULL: none */
};

struct analysis;

/* NULL and a message: no store, another analyzer at work, a damaged file. *busy: the lock was taken, or another program keeps a file locked. */
struct analysis *analysis_open(const struct analysis_options *o, bool *busy, char *error, size_t error_size);
/* Judges all that is there. 0, or -1 with a message. */
int analysis_run(struct analysis *a, char *error, size_t error_size);
/* Judges what comes, until *stop. 1: somebody put other files in the place of facts.db; close, and open what stands there now. */
int analysis_follow(struct analysis *a, const volatile int *stop, char *error, size_t error_size);
/* Transactions judged since analysis_open. */
long long analysis_count(const struct analysis *a);
void analysis_close(struct analysis *a);

#endif
