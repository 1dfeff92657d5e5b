/* events.h - the event stream: all of a store in order of end time, or what comes. */
#ifndef ANALYZER_EVENTS_H
#define ANALYZER_EVENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sqlite3.h>

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

#endif
