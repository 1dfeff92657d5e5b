/* domain.h - host and domain names: registrable part, platforms that many senders share. No look-ups. */
#ifndef ANALYZER_DOMAIN_H
#define ANALYZER_DOMAIN_H

#include <stdbool.h>

#include "common/text.h"

/* "mail.example.co.uk" -> "example.co.uk"; a name without a dot, or an address literal, is itself. Borrowed from host. */
struct text domain_registrable(struct text host);
/* What stands behind the last at-sign; empty when there is none (the null sender). */
struct text domain_of_address(struct text address);
/* Same registrable part; false when either is unknown. */
bool domain_is_related(struct text a, struct text b);
/* The name belongs to a provider whose servers send for very many unrelated domains. */
bool domain_is_platform(struct text host);
/* Looks like a host name: labels with a dot between them, no address literal. */
bool domain_is_name(struct text host);

#endif
