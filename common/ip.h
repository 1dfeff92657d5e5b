/* ip.h - IP addresses and prefixes as values: parse, print, compare, match. No name lookups. */
#ifndef COMMON_IP_H
#define COMMON_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IP_TEXT_MAX 46	/* INET6_ADDRSTRLEN */

/* version 0: no address. IPv4 uses the first 4 bytes, the rest are zero, so that structs compare with memcmp. */
struct ip_addr {
	uint8_t version;	/* 0, 4 or 6 */
	uint8_t bytes[16];
};

struct ip_prefix {
	struct ip_addr addr;
	uint8_t bits;
};

/* s is n bytes, an address in presentation form; IPv4-mapped IPv6 becomes IPv4. 0 or -1. */
int ip_parse(const char *s, size_t n, struct ip_addr *out);
/* "192.0.2.0/24", "2001:db8::/32" or a lone address. Bits beyond the length are an error (-1), so is anything else odd. */
int ip_prefix_parse(const char *s, struct ip_prefix *out);
/* RFC 5952 form into a buffer of IP_TEXT_MAX; "" for version 0. Returns the buffer. */
const char *ip_format(const struct ip_addr *a, char out[IP_TEXT_MAX]);
bool ip_equal(const struct ip_addr *a, const struct ip_addr *b);
int ip_compare(const struct ip_addr *a, const struct ip_addr *b);
/* False for addresses that name hosts inside somebody's network: loopback, private, shared, link-local (RFC 1918, 6598, 4193, 3927, 4291). */
bool ip_is_world(const struct ip_addr *a);
/* In the same network of the size that one organisation has at least: /24, for IPv6 /48. */
bool ip_is_near(const struct ip_addr *a, const struct ip_addr *b);
bool ip_in_prefix(const struct ip_addr *a, const struct ip_prefix *p);

#endif
