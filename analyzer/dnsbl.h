/*
 * dnsbl.h - questions to a DNS resolver, many at once under one deadline: c-ares shows only in dnsbl.c. What an answer means is listing.h's.
 *
 * Together with probe.c the only code of bouncetap that talks to the network. Answers are parsed strictly: records of the name that was asked, or
 * of what it is an alias of, and nothing beside them.
 */
#ifndef ANALYZER_DNSBL_H
#define ANALYZER_DNSBL_H

#include <stdint.h>

#include "common/ip.h"

enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_TXT = 16, DNS_AAAA = 28 };

enum dns_status {
	DNS_NOT_ASKED,		/* its turn did not come before the deadline */
	DNS_ANSWER,		/* one record at least */
	DNS_NO_NAME,		/* NXDOMAIN */
	DNS_NO_RECORD,		/* the name is there, or was called so, without a record of this type */
	DNS_FAILED,		/* SERVFAIL, REFUSED and their like from every resolver, or none that could be talked to */
	DNS_SILENT,		/* no answer in time */
	DNS_MALFORMED		/* not to be made sense of */
};

enum {
	DNS_RECORDS_MAX = 16,	/* of an answer; the rest is left out. A host with more names or a list with more codes tells nothing new */
	DNS_TEXT_MAX = 1024,	/* bytes of a TXT record or name; cut there */
	DNS_NAME_MAX = 255
};

/* Queries of LANE_OWN are about our own names and go out one behind the other; those of any other lane, one for each list, keep a distance. */
enum { DNS_LANE_OWN = 0 };

struct dns_query {
	char name[DNS_NAME_MAX + 1];	/* without the dot at the end; one that is too long is DNS_MALFORMED */
	enum dns_type type;
	unsigned lane;
	/* What came of it. */
	enum dns_status status;
	struct ip_addr address[DNS_RECORDS_MAX];	/* A, AAAA */
	char *text[DNS_RECORDS_MAX];			/* PTR: a name; TXT: its strings joined. Any bytes but NUL */
	unsigned count;
	int64_t sent_us, took_us;			/* of a clock that nobody sets; 0: not sent */
};

struct dnsbl;

/* resolver: ADDR or ADDR:PORT ([ADDR]:PORT for IPv6), or NULL for those of the system. NULL and a message on failure. */
struct dnsbl *dnsbl_new(const char *resolver, char *error, unsigned error_size);
void dnsbl_free(struct dnsbl *d);

/* The resolvers in use, separated by blanks. Borrowed. */
const char *dnsbl_resolvers(const struct dnsbl *d);

/* Asks all and returns when each has its status, at the latest at deadline_us of time_monotone_us(). */
void dnsbl_ask(struct dnsbl *d, struct dns_query *query, unsigned count, int64_t deadline_us);

void dns_query_fini(struct dns_query *q);

/* "NXDOMAIN", "no answer in time", ... */
const char *dns_status_words(enum dns_status s);

#endif
