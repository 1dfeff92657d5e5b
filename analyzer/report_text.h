/* report_text.h - what audit prints: who would be listed and why, with the chain of evidence, in 80 columns of plain text. */
#ifndef ANALYZER_REPORT_TEXT_H
#define ANALYZER_REPORT_TEXT_H

#include <stdio.h>
#include <sqlite3.h>

#include "analyzer/listfile.h"

/* db: from db_open_read, with verdicts. */
void report_text(sqlite3 *db, const struct lists *lists, FILE *out);

#endif
