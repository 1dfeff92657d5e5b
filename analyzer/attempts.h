/* attempts.h - which of a victim's answers are attempts to deliver one and the same mail. */
#ifndef ANALYZER_ATTEMPTS_H
#define ANALYZER_ATTEMPTS_H

#include "analyzer/victim.h"

/* Is this dialogue without DATA one that only other mail tells the kind of? */
bool attempts_is_open(const struct answer *a);

/* Takes the answers from v->redo on into groups, and gives attempts without a message the kind of their mail. Touches the groups that change. */
void attempts_group(struct victim *v);

/* Takes the answers from at on out of their groups again; touches the groups that lose some. */
void attempts_ungroup(struct victim *v, size_t at);

#endif
