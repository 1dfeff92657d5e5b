/*
 * decode.h - a captured frame -> its TCP segment. Pure, no state.
 *
 * Ethernet, VLAN tags (802.1Q, 802.1ad), IPv4, IPv6 with extension headers; MPLS with IP or Ethernet pseudowires, PPPoE sessions, GRE, ERSPAN
 * I, II and III, VXLAN, GENEVE, IP in IP, each inside any other up to LIMIT_LAYERS. The innermost packet is what counts: addresses are its own.
 * What cannot be decoded says why. Frames padded to the Ethernet minimum and frames cut by the snap length (or by the switch that mirrored
 * them into a tunnel) are told apart by the innermost IP length. Checksums are not looked at: network cards fill them in after the tap.
 *
 * A fragment of IP is handed out as it is; what ipfrag put together goes on with decode_datagram.
 */
#ifndef SENSOR_DECODE_H
#define SENSOR_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ip.h"

enum decode_result {
	DECODE_TCP,		/* *out is filled in */
	DECODE_OTHER,		/* IP but not TCP, or not IP: nothing for us */
	DECODE_FRAGMENT,	/* part of an IP datagram that may hold TCP: addresses, VLAN tags, payload and *fragment are filled in */
	DECODE_SHORT,		/* the frame ends inside its headers */
	DECODE_BAD,		/* lengths that contradict each other, or too many layers */
	DECODE_TUNNEL,		/* in a tunnel that is not to be looked into */
};
#define DECODE_RESULTS 6

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16, TCP_URG = 32 };

/* Of an IP fragment, or of the datagram that fragments made (offset 0, not more). */
struct fragment {
	uint32_t id;
	uint16_t offset;		/* of its first byte in the datagram */
	bool more;			/* it is not the last */
	uint8_t protocol;		/* of the datagram; only the first fragment's counts (RFC 8200 4.5) */
	uint8_t layers;			/* tags, labels and tunnels that were around it */
};

struct packet {
	struct ip_addr src, dst;
	uint16_t sport, dport;
	uint16_t vlan[2];		/* outer first, 0 none; of the innermost Ethernet frame that has any */
	uint32_t tunnel;		/* 0: in none; TUNNEL_NAMED; else a hash of the endpoints of all tunnels around it, either way the same */
	uint8_t flags;			/* TCP_* */
	uint32_t seq, ack;
	uint32_t payload_bytes;		/* on the wire, from the IP length */
	uint32_t captured_bytes;	/* of them in the frame: less means a gap at the end (snap length) */
	const uint8_t *payload;		/* borrowed from the frame */
	struct fragment fragment;
};

/*
 * Which tunnels over IP are looked into (GRE and what it carries, VXLAN, GENEVE, IP in IP): any, or only those with both endpoints in the
 * named networks, which may be none. Anyone who reaches us can put any packet into a tunnel to us, so that packets from tunnels that nobody named
 * are told apart by their endpoints. Named ones may carry a connection together, as two switches do of which each mirrors a direction.
 */
struct decode_tunnels {
	bool only_named;
	const struct ip_prefix *named;
	size_t count;
};
#define TUNNEL_BIT 0x80000000u		/* set in each packet.tunnel but 0 */
#define TUNNEL_UNNAMED_BIT 1u		/* set in hashes */
#define TUNNEL_NAMED TUNNEL_BIT

/* frame: captured bytes of the link layer `linktype` (LINKTYPE_ numbers; 1 is Ethernet). Never reads beyond captured. */
enum decode_result decode_frame(const struct decode_tunnels *tunnels, int linktype, const uint8_t *frame, uint32_t captured, struct packet *out);

/* What a whole datagram holds, which may be another fragment; answers like decode_frame, out borrows datagram->payload. */
enum decode_result decode_datagram(const struct decode_tunnels *tunnels, const struct packet *datagram, struct packet *out);

/* Whether decode_frame knows this link type. */
int decode_knows_linktype(int linktype);

#endif
