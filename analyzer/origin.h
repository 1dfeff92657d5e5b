/*
 * origin.h - where mail that arrived came from: the first hop outside our networks and our upstreams.
 *
 * Told by the connection (own.h), else by a Received line that an upstream wrote, or by the Received lines of a returned message.
 */
#ifndef ANALYZER_ORIGIN_H
#define ANALYZER_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>

#include "analyzer/own.h"

struct origin {
	struct ip_addr address;		/* version 0: not known */
	const char *from;		/* wire, proxy, xclient, xforward, received; NULL with address */
	bool authenticated;		/* a Received line says ESMTPA or ESMTPSA */
	char name[128];			/* that a Received line gives it; empty: told by the connection, or not at all */
	char writer[128];		/* who wrote that line, as he calls himself; empty: no line, or it does not say */
	bool by_upstream;		/* an upstream had it in between, as the lines tell */
};

struct origins;

struct origins *origins_new(sqlite3 *facts, const struct own *own);
void origins_free(struct origins *o);

/* Of a transaction that arrived, or passed between servers of ours. */
struct origin origin_of(struct origins *o, int64_t rowid, const struct route *route);
/* Of the message that an answer returns. */
struct origin origin_of_returned(struct origins *o, int64_t answer_rowid);

#endif
