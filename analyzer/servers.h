/*
 * servers.h - own servers: which of our addresses serve or send mail, and what they call themselves.
 *
 * Learned from sessions and transactions, kept in verdicts.server, server_address and server_name, in memory while an analysis runs. Names are noted
 * of every own address, since it may turn out to be a server later. All that is kept is a function of the set of what was noted.
 *
 * Who judged a mail asked for servers by address and name. The answers change when another one becomes known: what was asked is recorded, and
 * servers_news tells which answers are others now.
 */
#ifndef ANALYZER_SERVERS_H
#define ANALYZER_SERVERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>

#include "analyzer/idset.h"
#include "analyzer/own.h"

struct server {
	int64_t id;		/* from a hash of the name: the same in every run */
	char *name;		/* [server NAME], else the address; NULL: an own address that is no server so far */
	struct ip_addr address, public_address;
	bool serves;		/* answered as an SMTP server */
	char *software;		/* the last one that its banners showed, or NULL */
	int64_t software_us;	/* when */
	unsigned name_count;
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
/* The server of ours that calls itself so, or NULL. */
struct server *servers_by_name(const struct servers *s, struct text name);

/* It answered as an SMTP server. */
bool servers_serves(const struct servers *s, const struct ip_addr *a);

/* Makes it one. */
struct server *servers_add(struct servers *s, const struct ip_addr *a);
/* It was seen sending from this address, so that lists may have it. */
void servers_note_sender(struct servers *s, const struct ip_addr *a);
void servers_note_serves(struct servers *s, struct server *server);
void servers_note_software(struct server *server, const char *software, int64_t at_us);
/* A name that an own address used, server or not. */
void servers_note_name(struct servers *s, const struct ip_addr *a, struct text name);

/* What servers_find (own addresses in vain) and servers_by_name are asked for from now on goes into asked, as keys; NULL: nowhere. */
void servers_record(struct servers *s, struct idset *asked);
/* Keys to which the answer is another one since the last call; the caller ends it. */
struct idset servers_news(struct servers *s);

/* Writes what changed. */
void servers_flush(struct servers *s);

#endif
