/*
 * correlate.h - which mail an answer answers, where it was made, and why its original could not be delivered.
 *
 * Works on one victim at a time: all answering mail to one address, together with all mail that has this address as its MAIL FROM. So the
 * result is a function of the facts about that address, whatever order they came in.
 */
#ifndef ANALYZER_CORRELATE_H
#define ANALYZER_CORRELATE_H

#include <stdint.h>
#include <sqlite3.h>

#include "analyzer/own.h"
#include "analyzer/sighting.h"
#include "analyzer/victim.h"

/* How far other answers of a sender may be to tell what one without DATA is: who is away today was so yesterday. */
#define SAME_SENDER_US (INT64_C(24) * 3600 * 1000000)

struct correlate;
struct provenances;

struct correlate *correlate_new(sqlite3 *facts, const struct own *own, struct provenances *provenances, struct shared *shared);
void correlate_free(struct correlate *c);

/* Works through the answers from v->redo on; touches each group whose judgement that may change. */
void correlate_victim(struct correlate *c, struct victim *v);

#endif
