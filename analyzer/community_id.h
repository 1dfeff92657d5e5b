/* community_id.h - Community ID v1 of a TCP connection, as other network tools compute it: joins our events with theirs. */
#ifndef ANALYZER_COMMUNITY_ID_H
#define ANALYZER_COMMUNITY_ID_H

#include <stdint.h>

#include "common/ip.h"

#define COMMUNITY_ID_MAX 32	/* "1:" and 28 characters of base64 */

/* Seed 0. "" when an address is missing. Returns out. */
const char *community_id(const struct ip_addr *src, uint16_t src_port, const struct ip_addr *dest, uint16_t dest_port,
			 char out[COMMUNITY_ID_MAX]);

#endif
