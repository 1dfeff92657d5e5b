/*
 * own.c - see own.h. Prefix lists are short (tens of lines of a configuration), so they are searched from the front.
 */
#include "analyzer/own.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/idn.h"
#include "common/buf.h"
#include "common/xmalloc.h"

struct own {
	const struct config *config;
};

/* Where an address lives. */
enum { ZONE_OUTSIDE, ZONE_SHARED, ZONE_TENANT /* + number of the tenant */ };

const char *direction_name(enum direction d)
{
	static const char *const names[DIRECTION_COUNT] = { "inbound", "outbound", "internal", "foreign" };

	return names[d];
}

struct own *own_new(const struct config *c)
{
	struct own *o = xcalloc(1, sizeof *o);

	o->config = c;
	return o;
}

void own_free(struct own *o)
{
	free(o);
}

static void write_prefixes(struct buf *out, const char *key, const struct config_prefixes *list)
{
	char text[IP_TEXT_MAX];

	buf_printf(out, "%s", key);
	for (size_t i = 0; i < list->count; i++)
		buf_printf(out, " %s/%u", ip_format(&list->item[i].addr, text), list->item[i].bits);
	buf_add_char(out, '\n');
}

static void write_strings(struct buf *out, const char *key, const struct config_strings *list)
{
	buf_printf(out, "%s", key);
	for (size_t i = 0; i < list->count; i++)
		buf_printf(out, " %s", list->item[i]);
	buf_add_char(out, '\n');
}

void own_write(const struct own *o, struct buf *out)
{
	const struct config *c = o->config;
	char text[IP_TEXT_MAX];

	write_prefixes(out, "networks", &c->own.networks);
	write_prefixes(out, "upstreams", &c->own.upstreams);
	write_prefixes(out, "smarthosts", &c->own.smarthosts);
	write_prefixes(out, "next-hops", &c->own.next_hops);
	write_prefixes(out, "trusted-senders", &c->own.trusted_senders);
	write_strings(out, "domains", &c->own.domains);
	buf_printf(out, "tunnels %s\n", own_names_tunnels(o) ? "named" : "any");
	for (size_t i = 0; i < c->server_count; i++) {
		buf_printf(out, "server %s %s", c->server[i].name, ip_format(&c->server[i].public_address, text));
		write_prefixes(out, "", &c->server[i].addresses);
	}
	for (size_t i = 0; i < c->tenant_count; i++) {
		buf_printf(out, "tenant %s", c->tenant[i].name);
		write_prefixes(out, "", &c->tenant[i].networks);
		write_strings(out, "", &c->tenant[i].domains);
	}
}

static bool in_any(const struct config_prefixes *list, const struct ip_addr *a)
{
	for (size_t i = 0; i < list->count; i++)
		if (ip_in_prefix(a, &list->item[i]))
			return true;
	return false;
}

bool own_is_configured(const struct own *o)
{
	const struct config *c = o->config;

	if (c->own.networks.count)
		return true;
	for (size_t i = 0; i < c->server_count; i++)
		if (c->server[i].addresses.count)
			return true;
	for (size_t i = 0; i < c->tenant_count; i++)
		if (c->tenant[i].networks.count)
			return true;
	return false;
}

const struct config_server *own_server(const struct own *o, const struct ip_addr *a)
{
	for (size_t i = 0; i < o->config->server_count; i++)
		if (in_any(&o->config->server[i].addresses, a))
			return &o->config->server[i];
	return NULL;
}

static unsigned zone(const struct own *o, const struct ip_addr *a)
{
	for (size_t i = 0; i < o->config->tenant_count; i++)
		if (in_any(&o->config->tenant[i].networks, a))
			return ZONE_TENANT + (unsigned)i;
	if (in_any(&o->config->own.networks, a) || own_server(o, a))
		return ZONE_SHARED;
	return ZONE_OUTSIDE;
}

bool own_has(const struct own *o, const struct ip_addr *a)
{
	return zone(o, a) != ZONE_OUTSIDE;
}

bool own_is_upstream(const struct own *o, const struct ip_addr *a)
{
	return in_any(&o->config->own.upstreams, a);
}

bool own_is_smarthost(const struct own *o, const struct ip_addr *a)
{
	return in_any(&o->config->own.smarthosts, a);
}

bool own_is_next_hop(const struct own *o, const struct ip_addr *a)
{
	return in_any(&o->config->own.next_hops, a);
}

bool own_is_trusted_sender(const struct own *o, const struct ip_addr *a)
{
	return in_any(&o->config->own.trusted_senders, a);
}

static bool in_domains(const struct config_strings *list, struct text domain)
{
	for (size_t i = 0; i < list->count; i++) {
		const char *d = list->item[i];

		if (d[0] == '.' ? text_ends_nocase(domain, d) : domain.len == strlen(d) && text_starts_nocase(domain, d))
			return true;
	}
	return false;
}

bool own_has_domain(const struct own *o, struct text domain)
{
	char ascii[IDN_MAX];

	domain = idn_ascii(domain, ascii);	/* the configuration has this form */
	if (in_domains(&o->config->own.domains, domain))
		return true;
	for (size_t i = 0; i < o->config->tenant_count; i++)
		if (in_domains(&o->config->tenant[i].domains, domain))
			return true;
	return false;
}

static bool host_in(const struct config_strings *list, struct text host)
{
	for (size_t i = 0; i < list->count; i++) {
		const char *d = list->item[i] + (list->item[i][0] == '.');
		size_t n = strlen(d);

		if (text_ends_nocase(host, d) && (host.len == n || host.p[host.len - n - 1] == '.'))
			return true;
	}
	return false;
}

bool own_has_host(const struct own *o, struct text host)
{
	char ascii[IDN_MAX];

	if (!host.p)
		return false;
	host = idn_ascii(host, ascii);
	if (host_in(&o->config->own.domains, host))
		return true;
	for (size_t i = 0; i < o->config->tenant_count; i++)
		if (host_in(&o->config->tenant[i].domains, host))
			return true;
	return false;
}

bool own_knows_domains(const struct own *o)
{
	if (o->config->own.domains.count)
		return true;
	for (size_t i = 0; i < o->config->tenant_count; i++)
		if (o->config->tenant[i].domains.count)
			return true;
	return false;
}

bool own_names_tunnels(const struct own *o)
{
	return !o->config->capture.tunnels.any && o->config->capture.tunnels.networks.count;
}

/* The n-th word (from 0) of t, separated by blanks; p == NULL when there are fewer. */
static struct text word(struct text t, unsigned n)
{
	for (;; n--) {
		t = text_trim(t);
		const char *blank = t.len ? memchr(t.p, ' ', t.len) : NULL;
		uint32_t len = blank ? (uint32_t)(blank - t.p) : t.len;

		if (len == 0)
			return (struct text){ 0 };
		if (n == 0)
			return (struct text){ t.p, len };
		t.p += len;
		t.len -= len;
	}
}

/* "PROXY TCP4 src dst sport dport" or "v2 TCP4 src dst sport dport": the third word (PROXY protocol 2.1). */
static bool proxy_source(struct text proxy, struct ip_addr *out)
{
	struct text w = proxy.p ? word(proxy, 2) : (struct text){ 0 };

	return w.p && ip_parse(w.p, w.len, out) == 0;
}

struct text own_attribute(struct text raw, const char *name)
{
	ptrdiff_t at = text_find_nocase(raw, name);
	uint32_t skip = (uint32_t)strlen(name), n = 0;

	while (at > 0 && raw.p[at - 1] != ' ' && raw.p[at - 1] != '\n') {	/* a longer name that ends in this one */
		raw.p += (uint32_t)at + skip;
		raw.len -= (uint32_t)at + skip;
		at = text_find_nocase(raw, name);
	}
	if (at < 0)
		return (struct text){ 0 };
	struct text v = { raw.p + at + skip, raw.len - (uint32_t)at - skip };
	while (n < v.len && v.p[n] != ' ' && v.p[n] != '\n')
		n++;
	return (struct text){ v.p, n };
}

/* XCLIENT and XFORWARD: "NAME=... ADDR=192.0.2.1" or "ADDR=IPV6:2001:db8::1". */
static bool attribute_source(struct text raw, struct ip_addr *out)
{
	struct text v = own_attribute(raw, "addr=");

	if (v.p && text_starts_nocase(v, "ipv6:")) {
		v.p += 5;
		v.len -= 5;
	}
	return v.p && ip_parse(v.p, v.len, out) == 0;
}

static bool is_ours_or_upstream(const struct own *o, const struct ip_addr *a)
{
	return own_has(o, a) || own_is_upstream(o, a);
}

/* PROXY and XCLIENT stand for the connection's client; XFORWARD only says where the mail of this inner hop came from. */
static const struct client_source {
	const char *name;
	bool is_client;
	bool (*parse)(struct text raw, struct ip_addr *out);
} client_sources[] = {
	{ "xclient", true, attribute_source },
	{ "proxy", true, proxy_source },
	{ "xforward", false, attribute_source },
};

struct route own_route(const struct own *o, const struct ip_addr *src, const struct ip_addr *dest, struct text proxy, struct text xclient,
		       struct text xforward)
{
	const struct text raw[] = { xclient, proxy, xforward };
	struct ip_addr client = *src, told;
	struct route r = { 0 };

	for (size_t i = 0; i < 3 && is_ours_or_upstream(o, src); i++) {
		if (!raw[i].p || !client_sources[i].parse(raw[i], &told))
			continue;
		if (client_sources[i].is_client)
			client = told;
		if (!is_ours_or_upstream(o, &told)) {
			r.origin = told;
			r.origin_from = client_sources[i].name;
		}
		break;
	}
	unsigned from = zone(o, &client), to = zone(o, dest);
	bool between_tenants = from >= ZONE_TENANT && to >= ZONE_TENANT && from != to;
	r.leaves = from != ZONE_OUTSIDE && (to == ZONE_OUTSIDE || between_tenants);
	r.arrives = to != ZONE_OUTSIDE && (from == ZONE_OUTSIDE || between_tenants);
	r.direction = r.leaves ? DIRECTION_OUTBOUND : r.arrives ? DIRECTION_INBOUND
		    : to != ZONE_OUTSIDE ? DIRECTION_INTERNAL : DIRECTION_FOREIGN;
	if (!r.origin_from && r.arrives && !own_is_upstream(o, &client)) {
		r.origin = client;
		r.origin_from = "wire";
	}
	return r;
}
