/*
 * address.h - mail addresses as the store keeps them: canonical form, class, inner address, keyed hash; and the redactor of texts.
 *
 * Pure. The privacy mode decides what of an address is shown; hash, class and inner address stay the same in every mode, so
 * correlation and rules work in each.
 */
#ifndef SENSOR_ADDRESS_H
#define SENSOR_ADDRESS_H

#include "common/buf.h"
#include "common/config.h"
#include "common/siphash.h"

enum address_class {	/* bits; column address.class */
	ADDRESS_NULL = 1, ADDRESS_POSTMASTER = 2, ADDRESS_DAEMON = 4, ADDRESS_DOUBLE_BOUNCE = 8, ADDRESS_BATV = 16, ADDRESS_SRS = 32,
	ADDRESS_VERP = 64, ADDRESS_LIST = 128,
	ADDRESS_LIST_ROBOT = 256,	/* list software writes from it when it answers (confirmations, denials, results of commands), never with a post */
	ADDRESS_MADE_UP = 512,		/* invented by a server that verifies senders, to learn whether theirs takes everything (Exim: HOST-TIME-testing) */
};

#define ADDRESS_MAX 1024	/* longer ones are cut before hashing; RFC 5321 4.5.3.1.3 says 256 */

struct address {
	int64_t id;		/* first 63 bits of hash */
	uint8_t hash[16];
	struct text local;	/* borrowed from text: outside <>, as written */
	struct text domain;	/* as written; its lower-case form is address_domain() */
	unsigned class;
	bool has_inner;
	char inner[ADDRESS_MAX + 1];	/* the address that a BATV, SRS or VERP form is about */
};

/* text: an address without <>; empty is the null sender. */
void address_read(const struct siphash_key *key, struct text text, struct address *out);

/* The domain in lower case without a trailing dot into out (ADDRESS_MAX + 1); returns its length. */
size_t address_domain(const struct address *a, char *out);

/* Appends what the privacy mode shows: local@domain, HEX@domain or @domain; <> for the null sender. */
void address_show(struct buf *out, const struct address *a, enum config_privacy privacy);

/* Whether a text may hold an address at all. "%40" and "+40" are at-signs, too: in URLs and in xtext (RFC 3461). */
bool address_has_at_sign(struct text t);

/* Appends text with that form in place of every address in it; unchanged in PRIVACY_FULL. Linear. */
void address_redact(struct buf *out, struct text text, enum config_privacy privacy, const struct siphash_key *key);

#endif
