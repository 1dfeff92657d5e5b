/*
 * own.h - who is ours: networks, domains, upstreams, smarthosts, next hops and tenants of the configuration.
 *
 * Facts know no direction; it follows from here and from the two addresses of a session alone, so that a verdict does not depend on the
 * order in which facts come.
 */
#ifndef ANALYZER_OWN_H
#define ANALYZER_OWN_H

#include <stdbool.h>

#include "common/config.h"
#include "common/ip.h"
#include "common/text.h"

enum direction { DIRECTION_INBOUND, DIRECTION_OUTBOUND, DIRECTION_INTERNAL, DIRECTION_FOREIGN };
#define DIRECTION_COUNT 4

const char *direction_name(enum direction d);

struct own;

/* Borrows the configuration until own_free. */
struct own *own_new(const struct config *c);
void own_free(struct own *o);

/* Everything that verdicts depend on, as text: equal for equal configurations. */
struct buf;
void own_write(const struct own *o, struct buf *out);

/* False without any own network or server: nothing can be judged then. */
bool own_is_configured(const struct own *o);

bool own_has(const struct own *o, const struct ip_addr *a);
bool own_is_upstream(const struct own *o, const struct ip_addr *a);
bool own_is_smarthost(const struct own *o, const struct ip_addr *a);
bool own_is_next_hop(const struct own *o, const struct ip_addr *a);
/* Whoever writes there may write in others' names. */
bool own_is_trusted_sender(const struct own *o, const struct ip_addr *a);
/* A configured own or tenant domain, or a subdomain of one written as ".example.net". */
bool own_has_domain(const struct own *o, struct text domain);
/* A host name within an own domain. */
bool own_has_host(const struct own *o, struct text host);
bool own_knows_domains(const struct own *o);
/* The sensor looks into tunnels of configured endpoints only; else a stranger may have sent what came through one. */
bool own_names_tunnels(const struct own *o);
/* The [server NAME] that has this address, or NULL. */
const struct config_server *own_server(const struct own *o, const struct ip_addr *a);

/*
 * What a connection is to us. Mail between two tenants counts as outside for both: it leaves the one and arrives at the other, and is
 * called outbound. leaves and arrives are the questions that judging asks.
 */
struct route {
	enum direction direction;
	bool leaves;		/* from ours to somebody else's server */
	bool arrives;		/* from somebody else to a server of ours */
	struct ip_addr origin;	/* first hop that is not ours nor an upstream's; version 0: not told by the connection */
	const char *origin_from;/* wire, proxy, xclient, xforward; NULL with origin */
};

/* proxy, xclient and xforward are the raw facts; they are believed when src is ours or an upstream. */
/* The value of NAME= (lower case, with the equals sign) in the raw arguments of XCLIENT or XFORWARD; p NULL without it. */
struct text own_attribute(struct text raw, const char *name);

struct route own_route(const struct own *o, const struct ip_addr *src, const struct ip_addr *dest, struct text proxy, struct text xclient,
		       struct text xforward);

#endif
