/*
 * silence.h - why a rule of judge.c said nothing about a finding: what it looks at was not there, else what it found.
 *
 * One entry for each rule, in a table of its own; a test holds both tables together.
 */
#ifndef ANALYZER_SILENCE_H
#define ANALYZER_SILENCE_H

#include "reader/finding.h"

/* A sentence; NULL for a rule that is not known. Borrowed, for ever. */
const char *silence_of(const char *rule, const struct finding_row *f);

#endif
