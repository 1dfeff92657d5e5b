/*
 * witness.h - what is known about one answering mail, gathered once and told as plain values: what the rules of judge.c ask about.
 *
 * Where something was not seen, its field is false, 0 or NULL, and rules about it are silent. Texts are borrowed from the victim.
 */
#ifndef ANALYZER_WITNESS_H
#define ANALYZER_WITNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>

#include "analyzer/covered.h"
#include "analyzer/origin.h"
#include "analyzer/own.h"
#include "analyzer/servers.h"
#include "analyzer/victim.h"

/* Who handed the original to us. */
enum client { CLIENT_UNKNOWN, CLIENT_OUTSIDE, CLIENT_AUTHENTICATED, CLIENT_INSIDE };

struct evidence {
	const struct mail *said;	/* the attempt that tells most */
	const struct answer *caused;	/* the attempt whose cause is used; NULL: no cause was seen */
	struct text recipient_domain;
	enum client client;
	struct origin origin;		/* inside: the client itself, from == NULL */
	struct ip_addr target;		/* that takes the answer; version 0: hidden behind a smarthost */

	/* The way that the original came. */
	bool origin_is_target, origin_near_target;
	bool origin_unrelated;		/* another network, autonomous system as far as one is known, and a name that has nothing to do with the recipient's domain, his server or a platform */
	bool access_line;		/* the name is one of a customer's line */
	bool passed_target;		/* some hop of the original belongs to the recipient's side */
	bool from_list;			/* it has a List-Id */
	bool other_envelope;		/* its MAIL FROM is of another domain than the recipient's */
	bool of_others;			/* neither its envelope nor its header names the recipient, or his domain: he is the postmaster, a moderator, the owner of a list */
	bool own_envelope;		/* its MAIL FROM, another than the recipient, is of the domain that the origin's name is in */

	/* What our own, or an upstream's, check said; NULL when it was somebody else's. */
	struct text spf, dkim, dmarc;	/* dmarc: when From, which it is about, is in the recipient's domain */
	bool dkim_aligned;		/* some signature is of the recipient's domain */
	bool spam_mark;

	/* Others that the origin wrote as, others that wrote as the recipient. */
	int sender_domains;
	bool to_outside;		/* the original had a recipient who is not ours */
	int sender_networks;		/* unrelated places that used his address within a day, this one among them; 0: this one is related */
	int sender_lines;		/* of them access lines; those of one autonomous system are one place */
	bool sender_related_too;	/* and one that is his own, too */

	bool unseen_mail;		/* he got bounces for several mails in a week when no mail in his name was seen, and what came in could be seen */

	/* Who he is. */
	bool correspondent;		/* from this network came an answer to mail of ours */
	bool trusted_sender;		/* the origin is configured as one whose mail is never forged */
	bool own_sender;		/* the original's MAIL FROM is in a domain of ours */
	bool signed_sender;		/* BATV, SRS or VERP */
	bool signs_otherwise;		/* others of his mails carried a BATV signature, the original does not */
	bool notify_asked;

	/* What his server said to the answer. */
	bool said_backscatter, said_unknown;

	const char *doubt;		/* why what was captured of this may be incomplete or not what was taken; NULL: it is not */
};

struct witnesses;

/* geo: NULL without databases. */
struct geo;
struct witnesses *witnesses_new(sqlite3 *facts, sqlite3 *verdicts, const struct own *own, const struct servers *servers, struct origins *origins,
				struct shared *shared, const struct geo *geo, struct covered *covered);
void witnesses_free(struct witnesses *x);

/* Sets the span of the victim's mail in g that was asked for. */
void witness_gather(struct witnesses *x, const struct victim *v, struct mail_group *g, struct evidence *out);

#endif
