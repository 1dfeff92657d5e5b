/*
 * notes.h - notes.db for the commands that write it: what people said. Short transactions, so that nobody waits.
 *
 * As root they go on as the owner of the store first, or its owner could not write the file again.
 */
#ifndef ANALYZER_NOTES_H
#define ANALYZER_NOTES_H

#include "analyzer/command.h"
#include "schema/db.h"

/* Opens or makes it. An exit code by sysexits; not EX_OK was said. To be closed by sqlite3_close. Before any other file of the store is opened. */
int notes_open(const struct command_context *c, sqlite3 **out);

#endif
