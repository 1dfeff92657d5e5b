/*
 * inputs.h - what verdicts depend on beside facts: own networks, rules, lists, public suffixes, the database of networks. When that, or the store of
 * facts, is another one than the verdicts are about, they are thrown away.
 */
#ifndef ANALYZER_INPUTS_H
#define ANALYZER_INPUTS_H

#include <stdbool.h>
#include <stdio.h>
#include <sqlite3.h>

#include "analyzer/listfile.h"
#include "analyzer/own.h"
#include "reader/geo.h"

struct inputs {
	const struct own *own;
	const struct lists *lists;
	const struct geo *geo;	/* NULL without databases */
};

struct inputs_databases {
	const char *store;
	sqlite3 *facts, *verdicts;
};

/*
 * Empties verdicts that do not agree with the inputs and the facts, or all of them for a rebuild, but for the sums of what was pruned; says why to
 * say, unless it is NULL. -1 and an error when facts or verdicts cannot be read or written.
 */
int inputs_agree(const struct inputs *in, const struct inputs_databases *db, bool rebuild, FILE *say, char *error, size_t error_size);

#endif
