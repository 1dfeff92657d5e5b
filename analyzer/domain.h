/*
 * domain.h - host and domain names: registrable part, what kind of host a name speaks of. No look-ups.
 *
 * Registrable parts follow the list of public suffixes (publicsuffix.org) that the system has installed, else the one that libpsl was built
 * with. It is read at the first question and kept.
 */
#ifndef ANALYZER_DOMAIN_H
#define ANALYZER_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/text.h"

/* "mail.example.co.uk" -> "example.co.uk"; a public suffix, a name without a dot, or an address literal, is itself. Borrowed from host. */
struct text domain_registrable(struct text host);
/* What stands behind the last at-sign; empty when there is none (the null sender). */
struct text domain_of_address(struct text address);
/* Same registrable part; false when either is unknown. */
bool domain_is_related(struct text a, struct text b);
/* The name belongs to a provider whose servers send for very many unrelated domains. */
bool domain_is_platform(struct text host);
/* Looks like a host name: labels with a dot between them, no address literal. */
bool domain_is_name(struct text host);
/* Providers name the lines of their customers so (dsl, dynamic, pool...), and nobody a mail server. */
bool domain_is_access_line(struct text host);
/* A name that means something only inside somebody's network (.local, .lan and their like). */
bool domain_is_private(struct text host);

/* All of these about one name, asked once. */
struct domain_host {
	struct text registrable;	/* p NULL: no name, or one that says nothing about who stands behind it: a platform's, or a private one */
	bool access_line;
};
struct domain_host domain_host(struct text name);

/* Of the list of public suffixes in use: another list gives another value. */
uint64_t domain_list_hash(void);

#endif
