/* events.h - the event stream: all of a store in order of end time, or what comes. */
#ifndef ANALYZER_EVENTS_H
#define ANALYZER_EVENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sqlite3.h>

#include "common/buf.h"

struct events_options {
	int64_t since_us;	/* only what ended then or later; 0: all */
	unsigned types;		/* bits (1 << EVENT_...); 0: all */
};

/* "session,finding" into bits; -1 for an unknown word, which *unknown then points to. */
int events_parse_types(const char *text, unsigned *types, const char **unknown);

/* Everything that is there. 0, or -1 when out cannot be written. */
int events_write(sqlite3 *db, unsigned present, const struct events_options *o, FILE *out);

/*
 * Everything, then what the analyzer adds, until *stop: new rows once, findings and risk again when they change. store is opened
 * again when verdicts.db appears.
 */
int events_follow(const char *store, const struct events_options *o, FILE *out, const volatile int *stop, char *error, size_t error_size);

/*
 * The same in steps, for a program that has more to do. NULL and a message when the store cannot be opened yet. out is where each step prints; it may change
 * between steps.
 */
struct events_follower;
struct events_follower *events_follower_new(const char *store, const struct events_options *o, char *error, size_t error_size);
void events_follower_free(struct events_follower *f);
/* Prints what came since the last step. A store that was removed or replaced is followed when another stands in its place. 0, or -1 when out cannot be written. */
int events_follower_step(struct events_follower *f, FILE *out);

/*
 * How far it is, as one line of text, and going on from there after a restart: rows of before are not printed again, the risks are. False, and nothing done, for
 * a position of another store.
 */
void events_follower_position(const struct events_follower *f, struct buf *out);
bool events_follower_resume(struct events_follower *f, const char *position);

#endif
