/*
 * filter.h - the filter that the kernel runs for live capture, in the words of pcap-filter(7).
 *
 * It passes TCP on the given ports behind up to two VLAN tags, and whole what only a closer look (decode.h) can tell: fragments, IPv6 extension
 * headers, and what carries other packets: MPLS, PPPoE sessions, GRE with ERSPAN, IP in IP, VXLAN, GENEVE. Pure; capture compiles it.
 */
#ifndef SENSOR_FILTER_H
#define SENSOR_FILTER_H

#include <stdbool.h>
#include <stddef.h>

enum { FILTER_ETHERNET = 1 };	/* its LINKTYPE_ number */

/*
 * Words for a link type (LINKTYPE_ number), on one line; the caller frees them. any_port: all TCP instead of the ports, of which there is at
 * least one otherwise. Only Ethernet can be asked for what is behind a tag, other links pass tagged frames whole.
 */
char *filter_words(const unsigned short *ports, size_t port_count, bool any_port, int linktype);

#endif
