/*
 * reader.h - a store as people look at it: opened read-only, noticed when it changes, is replaced, is not there or cannot be read.
 *
 * The modules of reader/ turn rows of facts.db, verdicts.db and notes.db into plain structs for the commands of bouncetap and for bouncetop;
 * they print nothing, escape nothing and never end the program. What goes wrong is a state with a message that says what would help, and
 * reader_refresh tries again.
 *
 *   struct reader *r = reader_open("/var/lib/bouncetap");
 *   for (;;) {
 *           if (reader_refresh(r))          something changed: ask again
 *                   server_list_read(r, ...), finding_page_read(r, ...), ...
 *           show(reader_message(r))         "" when all is well
 *   }
 *
 * Results own their texts (an arena) and are freed by their _fini; they stay valid when the store goes away. Texts are as in the store:
 * whoever shows them escapes them.
 */
#ifndef READER_READER_H
#define READER_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>

#include "common/text.h"

enum reader_state {
	READER_READY,		/* facts can be read; whether they were judged says reader_is_judged */
	READER_ABSENT,		/* no store in this place, or one that nothing was written to yet */
	READER_LOCKED,		/* by another program */
	READER_REFUSED		/* newer, of another program, damaged, no permission */
};

struct reader;

/* Never fails: the state says how it went. dir is copied. */
struct reader *reader_open(const char *dir);

/* From now on rows say where addresses are, as far as databases of countries and networks are found: geo.h. folder: "none" for no such rows. */
struct geo;
void reader_use_geo(struct reader *r, const char *folder);
/* NULL when there are none. */
const struct geo *reader_geo(const struct reader *r);

void reader_close(struct reader *r);

/*
 * True when queries may answer otherwise than after the last call: a commit, an analysis, a note, a store that came, went or was replaced.
 * Costs a few system calls when nothing changed. The first call after reader_open answers true.
 */
bool reader_refresh(struct reader *r);

enum reader_state reader_state(const struct reader *r);
/* One line for people, "" when nothing is to be said. Facts that nobody judged yet and queries that failed have one, too. Until the next call. */
const char *reader_message(const struct reader *r);
/* verdicts.db is there and about this store. Without it every query about verdicts answers nothing. */
bool reader_is_judged(const struct reader *r);
bool reader_has_notes(const struct reader *r);

/* The times that a store speaks of; 0: none. */
struct reader_span {
	int64_t first_us, last_us;	/* of its sessions */
	int64_t judged_us;		/* latest end of a fact that was judged */
	int64_t now_us;			/* for which risk was computed */
	bool is_replay;			/* the latest run of the sensor read files */
};
/* 0, or -1 with a message. */
int reader_span(struct reader *r, struct reader_span *out);

/* ---- for the modules of reader/ ---- */

/*
 * Between these, all statements see one state of the store. A read transaction keeps SQLite from shortening the -wal, so it is given up after
 * READER_TRANSACTION_US: statements then fail, and reader_end answers -1 with a message; what was read before can be kept. They nest.
 */
#define READER_TRANSACTION_US 1000000
/*
 * For a program that prints once and ends: from now on a transaction may last this long, and locks of other programs are waited for as schema/db.h has
 * it; a store that could not be opened is tried again. On a machine that is idle nothing takes a second; on a busy one a report late is better than
 * none, and the -wal that grows meanwhile is short again soon.
 */
#define READER_PATIENT_US (20 * READER_TRANSACTION_US)
void reader_be_patient(struct reader *r);
void reader_begin(struct reader *r);
int reader_end(struct reader *r);

/*
 * A statement with its parameters bound, one letter each: i int64_t, t const char * (NULL: SQL NULL). Answers NULL, with the error kept for
 * reader_end, when the store cannot answer it. To be finalized before reader_end. SQL names what is in verdicts.db and notes.db by schema.
 */
sqlite3_stmt *reader_select(struct reader *r, const char *sql, const char *types, ...);
/* The next row; false at the end, after an error (kept as above), and for s == NULL. */
bool reader_step(struct reader *r, sqlite3_stmt *s);
/* A copy of a column in the arena; NULL text for SQL NULL and when the arena is full. */
struct text reader_text(struct arena *a, sqlite3_stmt *s, int column);
/* The same, NUL-terminated; "" in place of NULL. */
const char *reader_word(struct arena *a, sqlite3_stmt *s, int column);

#endif
