/*
 * decode.h - a captured frame -> its TCP segment. Pure, no state.
 *
 * Ethernet, 0-2 VLAN tags (802.1Q, 802.1ad), IPv4, IPv6 with extension headers. What cannot be decoded says why. Frames padded to
 * the Ethernet minimum and frames cut by the snap length are told apart by the IP length.
 */
#ifndef SENSOR_DECODE_H
#define SENSOR_DECODE_H

#include <stdint.h>

#include "common/ip.h"

enum decode_result {
	DECODE_TCP,		/* *out is filled in */
	DECODE_OTHER,		/* IP but not TCP, or not IP: nothing for us */
	DECODE_FRAGMENT,	/* an IP fragment that is not the first, or the first of several */
	DECODE_SHORT,		/* the frame ends inside its headers */
	DECODE_BAD,		/* lengths that contradict each other */
};
#define DECODE_RESULTS 5

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16, TCP_URG = 32 };

struct packet {
	struct ip_addr src, dst;
	uint16_t sport, dport;
	uint16_t vlan[2];		/* outer first, 0 none */
	uint8_t flags;			/* TCP_* */
	uint32_t seq, ack;
	uint32_t payload_bytes;		/* on the wire, from the IP length */
	uint32_t captured_bytes;	/* of them in the frame: less means a gap at the end (snap length) */
	const uint8_t *payload;		/* borrowed from the frame */
};

/* frame: captured bytes of the link layer `linktype` (LINKTYPE_ numbers; 1 is Ethernet). Never reads beyond captured. */
enum decode_result decode_frame(int linktype, const uint8_t *frame, uint32_t captured, struct packet *out);

/* Whether decode_frame knows this link type. */
int decode_knows_linktype(int linktype);

#endif
