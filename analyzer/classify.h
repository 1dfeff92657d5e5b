/*
 * classify.h - what kind of mail a transaction is, by envelope, headers and report: rules.def is the table that is walked.
 *
 * A transaction without DATA says little; where only other mail can tell (a refused callout or a refused bounce?), the verdict is
 * marked open and correlate.h closes it.
 */
#ifndef ANALYZER_CLASSIFY_H
#define ANALYZER_CLASSIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/kind.h"
#include "analyzer/mail.h"

struct classification {
	enum kind kind;
	const char *rule;	/* id in rules.def */
	bool open;		/* no message was seen, or a person's that only seems to answer: correlation may know better */
	enum kind suspected;	/* open and ordinary: what it is if it answers somebody's mail; ordinary: what others of its sender are */
};

/* near: the server asked is ours, an upstream's customer side or a next hop, so that asking about recipients is legitimate. */
struct classification classify(const struct mail *m, bool near);

static inline bool classify_is_suspect(const struct classification *c)
{
	return c->open && c->kind == KIND_ORDINARY;
}

/* The signals that were found, as words separated by blanks, for tests and for explaining. */
struct buf;
void classify_signals(const struct mail *m, struct buf *out);

/* Changes whenever the table does: part of the hash of inputs. */
uint64_t classify_version(void);

#endif
