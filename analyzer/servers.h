/*
 * servers.h - own servers: which of our addresses serve or send mail, and what they call themselves.
 *
 * Learned from sessions and transactions, kept in verdicts.server and server_name, in memory while an analysis runs.
 */
#ifndef ANALYZER_SERVERS_H
#define ANALYZER_SERVERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>

#include "analyzer/own.h"

struct server {
	int64_t id;		/* from a hash of the name: the same in every run */
	char *name;		/* [server NAME], else the address */
	struct ip_addr address, public_address;
	bool serves;		/* answered as an SMTP server */
	const char *software;	/* a constant of software.c, or NULL */
	char *stored_software;	/* as read back from the store */
	bool dirty;
};

struct servers;

/* Reads what is stored. */
struct servers *servers_new(sqlite3 *verdicts, const struct own *own);
void servers_free(struct servers *s);

/* The id that an own address has as a server, or would have. */
int64_t servers_id_of(const struct own *own, const struct ip_addr *a);

/* NULL when this own address is not known as a server. */
struct server *servers_find(const struct servers *s, const struct ip_addr *a);
/* Makes it one. */
struct server *servers_add(struct servers *s, const struct ip_addr *a);
/* A name it used. True when that was news. */
bool servers_add_name(struct servers *s, struct server *server, struct text name);
/* The server of ours that calls itself so, or NULL. */
struct server *servers_by_name(const struct servers *s, struct text name);
/* Writes what changed. */
void servers_flush(struct servers *s);

#endif
