/*
 * listing.h - what DNS answers say about an address on a blocklist: listed, not listed, or neither of the two. Pure; dnsbl.h asks.
 *
 * A list is believed only as far as it proves itself in the same run (RFC 5782, 5): "not listed" needs its test entry to be listed, "listed" needs
 * that it does not list everything, and a code that its file declares. What a resolver that rewrites NXDOMAIN, a parked domain or a list that
 * refuses to answer says proves nothing.
 */
#ifndef ANALYZER_LISTING_H
#define ANALYZER_LISTING_H

#include <stdbool.h>

#include "analyzer/dnsbl.h"
#include "analyzer/listfile.h"

/* The name of an address in a zone: "2.0.0.127.ZONE", nibbles for IPv6. False when that is longer than a name may be. */
bool listing_name(const struct ip_addr *a, const char *zone, char out[DNS_NAME_MAX + 1]);

/* The test entry for addresses of this version: lists of IPv6 have those of IPv4 as ::FFFF:7F00:2. */
bool listing_test_name(const struct ip_addr *test, uint8_t version, const char *zone, char out[DNS_NAME_MAX + 1]);

/* What one answer is. */
enum listing_answer {
	LISTING_ENTRY,		/* codes that the list declares */
	LISTING_NO_ENTRY,	/* NXDOMAIN */
	LISTING_QUERY_REFUSED,	/* 127.255.255.0/24, or what the list declares: it does not answer this resolver */
	LISTING_UNDECLARED,	/* in 127/8, but no code of the list */
	LISTING_OUTSIDE,	/* not in 127/8: a parked domain, or a resolver that rewrites */
	LISTING_SILENCE		/* no usable answer */
};

enum listing_answer listing_answer(const struct list *l, const struct dns_query *q);

enum listing_state { LISTING_UNKNOWN, LISTING_NOT_LISTED, LISTING_LISTED };

const char *listing_state_name(enum listing_state s);
/* The state of that name; LISTING_UNKNOWN for any other. */
enum listing_state listing_state_parse(const char *name);

/* Answers about one list. test_listed and test_not_listed are NULL where its file has no such entry. */
struct listing_proof {
	const struct dns_query *test_listed, *test_not_listed;
	const struct dns_query *random;		/* a name that nobody can have entered */
};

/* Whether the list and the resolver can be believed at all; *why says why not in words, or what is missing all the same, or is "". */
bool listing_proof_holds(const struct list *l, const struct listing_proof *p, const char **why);

/* why: a sentence without its end, never NULL. */
enum listing_state listing_judge(const struct list *l, const struct listing_proof *p, const struct dns_query *address, const char **why);

/* A resolver that NXDOMAIN does not come through: a name that cannot exist has an address outside 127/8. */
bool listing_is_rewritten(const struct dns_query *random);

/* The name of a public resolver service that has this address, or NULL. Lists refuse such, since they cannot tell who asks. */
const char *listing_public_resolver(const struct ip_addr *a);

struct buf;
/* What came: "127.0.0.2", "127.0.0.2 127.0.0.4", "NXDOMAIN", "no answer in time". */
void listing_write_raw(const struct dns_query *q, struct buf *out);

#endif
