/*
 * store.h - facts -> facts.db, in batches. The only writer of facts.
 *
 * Facts are copied into a batch (made valid UTF-8, redacted, addresses hashed) and written by a thread of its own; the queue between is
 * bounded. With -r a full queue waits; live it drops the oldest batch and counts it. A batch is one SQL transaction.
 *
 * A store that is locked, full, removed, replaced or damaged stops nobody (writer.h). What was put is stored or counted: facts_lost of the run, and on
 * standard error once when it begins and once, with the number, when it is over. Live capture and what cannot be read again try until the user
 * wants an end, and then a moment longer; a replay gives up after some seconds, or at once when it stands before another store, and its source stays to
 * be read again. In a sandbox (sandbox.h) files of the store may come and go; another directory cannot be opened: then it gives up, too.
 */
#ifndef SENSOR_STORE_H
#define SENSOR_STORE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "sensor/fact.h"

struct store;
struct store_feed;	/* where one thread puts its facts */

/* Its pointers stay valid until store_close. */
struct store_options {
	const char *dir;		/* made when it is not there (0750) */
	enum config_privacy privacy;	/* of a new store; an old one keeps its own, another wish is an error */
	enum config_subject subject;
	const char *sensor;
	bool live;			/* commits once a second with synchronous=FULL; a replay: NORMAL */
	bool temporary;			/* thrown away afterwards: not brought through a crash */
	bool once;			/* what is read cannot be recognised, so not be read again (a pipe): waits for the store, loses nothing */
	const volatile sig_atomic_t *stop;	/* not 0: the user wants an end, waiting is over; or NULL */
	const char *version;
	size_t memory_bytes;		/* for the queue and SQLite's cache, half each; 0: as much as they ever get */
	const char *interfaces;		/* of this run, separated by blanks; NULL: files */
	const char *filter;		/* words in force; NULL: none */
};

/* NULL and a message that says what would help; *exit_code by sysexits. */
struct store *store_open(const struct store_options *o, char *error, size_t error_size, int *exit_code);

enum store_source {
	STORE_SOURCE_FAILED = -1,	/* the store cannot be written, which was said */
	STORE_SOURCE_DONE,		/* it is in the store: there is nothing to do */
	STORE_SOURCE_TO_READ,
	STORE_SOURCE_DAMAGED		/* it is in the store, as far as it can be read */
};

/* Begins a source (an ordered list of files, identified by sizes and hashes; NULL for stdin and live). files_text is shown to people. */
enum store_source store_begin_source(struct store *s, const char *fingerprint, const char *files_text);
/* The source was read to its end (or to where it is damaged): it will be skipped from now on. -1: the store cannot be written, which was said. */
int store_end_source(struct store *s, bool damaged);

/* A feed is used by one thread at a time; facts of one feed are committed in the order in which they were put. */
struct store_feed *store_feed_new(struct store *s);
/* What it holds goes to the writer; before store_end_source and store_close. */
void store_feed_free(struct store_feed *feed);

void store_put_session(struct store_feed *feed, const struct fact_session *f);
void store_put_transaction(struct store_feed *feed, const struct fact_transaction *f);
void store_put_capture(struct store_feed *feed, const struct fact_capture *f);

/* Packet time goes on: what the feed holds is cut to a batch once a second of wall time. */
void store_tick(struct store_feed *feed, uint64_t wall_us);

/* The store cannot be written, as told above: what is put now is let go and counted, going on is in vain. */
bool store_gave_up(struct store *s);

/*
 * Commits what is queued, checkpoints, closes; the -wal stays, so that the store's group can read. end_reason: done, damaged, stopped, capture-gap.
 * 0, or -1 when facts were lost, which was said.
 */
int store_close(struct store *s, const char *end_reason);

#endif
