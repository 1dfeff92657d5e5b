/*
 * advice.h - what to change, for which software, and the trap beside it. advice.def is the table; nothing in it depends on a store.
 *
 * A matter is a kind of finding ("bounce", "callout", ...) or a defect of the table hygiene ("open-relay", ...). Rows are tried from the top: a row for
 * this software and cause stands above the one that fits all, so there is an answer for every matter that exists.
 * Texts are ours, plain ASCII, without line breaks but in setting, which may have several lines.
 */
#ifndef READER_ADVICE_H
#define READER_ADVICE_H

#include <stdbool.h>
#include <stddef.h>

struct advice {
	const char *matter;
	const char *cause;	/* cause_class; NULL: any */
	const char *where;	/* "inner": an own host behind refused what this server had taken; "outside": a host outside did; "here": itself;
				 * "client": it only passed on what a client of ours wrote in others' names; NULL: any */
	const char *software;	/* as software.h names it; NULL: any */
	const char *what;	/* what to do, one sentence without a full stop */
	const char *setting;	/* as it is to be written; NULL: depends on the product */
	const char *file;	/* or place in a console; NULL with setting */
	const char *trap;	/* what goes wrong beside it; NULL: none known */
};

struct advice_query {
	const char *matter;
	const char *cause;		/* NULL: not told */
	const char *software;		/* of the server that is to be changed; NULL: not known */
	const char *responder;		/* of the program that wrote the message, when it is another one; NULL: not known */
	const char *where;		/* as above; NULL: "here" */
};

/* NULL only for a matter that does not exist. */
const struct advice *advice_find(const struct advice_query *q);

/* What to do with answers that are queued already: they go on leaving for days after the setting is right. */
struct advice_queue {
	const char *software;	/* NULL: any */
	const char *show;	/* lists them */
	const char *remove;	/* removes them; NULL: nobody can but by hand */
	const char *trap;
};

/* Never NULL. */
const struct advice_queue *advice_queue(const char *software);
/* Callouts and mere defects leave nothing in a queue. */
bool advice_has_queue(const char *matter);

/* How to find such mail in the server's own log; NULL: not known for this software. */
const char *advice_log(const char *software);

/* The rows of the table, for tests and manuals. */
const struct advice *advice_rows(size_t *count);

#endif
