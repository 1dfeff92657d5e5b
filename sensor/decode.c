/*
 * decode.c - see decode.h
 *
 * A walk from layer to layer: each step reads one header, moves on behind it and finds the next step in a table, or ends the walk
 * with a result. No two steps in a row leave the frame as long as it was, so the walk ends.
 */
#include "sensor/decode.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum {
	VLAN_TAGS = 2,
	EXTENSIONS_MAX = 8,	/* RFC 8200 4.1: six kinds, one of them twice; real packets have at most two */
};

struct walk {
	const uint8_t *p;	/* where the next header begins */
	uint32_t left;		/* captured bytes from there, without the padding of the link layer */
	uint32_t wire;		/* bytes from there on the wire, as the IP header says */
	uint16_t type;		/* what stands there: an Ethertype or an IP protocol */
	uint8_t tags, extensions;
	struct packet *out;
	void (*next)(struct walk *w);	/* NULL: result is final */
	enum decode_result result;
};

typedef void step_fn(struct walk *w);

static inline uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static inline void end(struct walk *w, enum decode_result result)
{
	w->result = result;
	w->next = NULL;
}

static inline void skip(struct walk *w, uint32_t n)
{
	w->p += n;
	w->left -= n;
}

/* Whether all of a header of n bytes is in the frame. */
static inline bool has_header(struct walk *w, uint32_t n)
{
	if (w->left >= n)
		return true;
	end(w, DECODE_SHORT);
	return false;
}

/* Behind IP: the packet must have these n bytes by its length, and the frame as well unless it was cut. */
static inline bool has_packet_header(struct walk *w, uint32_t n)
{
	if (w->wire < n) {
		end(w, DECODE_BAD);
		return false;
	}
	return has_header(w, n);
}

static void step_tcp(struct walk *w)
{
	struct packet *out = w->out;
	const uint8_t *p = w->p;

	if (!has_packet_header(w, 20))
		return;
	uint32_t header = (uint32_t)(p[12] >> 4) * 4;
	if (header < 20) {
		end(w, DECODE_BAD);
		return;
	}
	if (!has_packet_header(w, header))
		return;
	out->sport = be16(p);
	out->dport = be16(p + 2);
	out->seq = be32(p + 4);
	out->ack = be32(p + 8);
	out->flags = p[13] & 0x3f;
	out->payload = p + header;
	out->payload_bytes = w->wire - header;
	out->captured_bytes = w->left - header;
	end(w, DECODE_TCP);
}

static void step_protocol(struct walk *w);

/* A header of n bytes between IP and what it carries; its first byte says what comes next. */
static void skip_extension(struct walk *w, uint32_t n)
{
	if (!has_packet_header(w, n))
		return;
	if (++w->extensions > EXTENSIONS_MAX) {
		end(w, DECODE_BAD);
		return;
	}
	w->type = w->p[0];
	w->wire -= n;
	skip(w, n);
	w->next = step_protocol;
}

/* RFC 8200 4.3 to 4.6, RFC 6275, RFC 7401, RFC 5533: length in units of 8 bytes, the first not counted. */
static void step_extension(struct walk *w)
{
	if (has_packet_header(w, 2))
		skip_extension(w, (w->p[1] + 1u) * 8);
}

/* RFC 4302 2.2: length in units of 4 bytes, the first two not counted. */
static void step_authentication(struct walk *w)
{
	if (has_packet_header(w, 2))
		skip_extension(w, (w->p[1] + 2u) * 4);
}

/* RFC 8200 4.5. An atomic fragment (RFC 6946: offset 0, no more) is a whole packet. */
static void step_fragment(struct walk *w)
{
	if (!has_packet_header(w, 8))
		return;
	if (be16(w->p + 2) & 0xfff9)
		end(w, DECODE_FRAGMENT);
	else
		skip_extension(w, 8);
}

static const struct protocol {
	uint8_t number;
	step_fn *step;
} protocols[] = {
	{ 6, step_tcp },
	{ 0, step_extension },		/* hop by hop */
	{ 43, step_extension },		/* routing */
	{ 60, step_extension },		/* destination options */
	{ 44, step_fragment },
	{ 51, step_authentication },
	{ 135, step_extension },	/* mobility */
	{ 139, step_extension },	/* HIP */
	{ 140, step_extension },	/* shim6 */
};

static void step_protocol(struct walk *w)
{
	for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
		if (protocols[i].number == w->type) {
			w->next = protocols[i].step;
			return;
		}
	end(w, DECODE_OTHER);
}

/* Behind an IP header of `header` bytes in a packet of `total`: without padding, and perhaps cut by the snap length. */
static void enter_packet(struct walk *w, uint32_t header, uint32_t total)
{
	if (w->left > total)
		w->left = total;
	w->wire = total - header;
	skip(w, header);
	w->next = step_protocol;
}

/* RFC 791 3.1 */
static void step_ip4(struct walk *w)
{
	const uint8_t *p = w->p;

	if (!has_header(w, 20))
		return;
	uint32_t header = (p[0] & 15u) * 4, total = be16(p + 2);
	if (p[0] >> 4 != 4 || header < 20 || (total && total < header)) {
		end(w, DECODE_BAD);
		return;
	}
	if (!has_header(w, header))
		return;
	if (total == 0)
		total = w->left;	/* the network card was to cut it into segments (TSO) and fill in the lengths */
	if (be16(p + 6) & 0x3fff) {
		end(w, DECODE_FRAGMENT);
		return;
	}
	w->out->src.version = w->out->dst.version = 4;
	memcpy(w->out->src.bytes, p + 12, 4);
	memcpy(w->out->dst.bytes, p + 16, 4);
	w->type = p[9];
	enter_packet(w, header, total);
}

/* RFC 8200 3 */
static void step_ip6(struct walk *w)
{
	const uint8_t *p = w->p;

	if (!has_header(w, 40))
		return;
	uint32_t total = be16(p + 4) + 40u;
	if (total == 40)
		total = w->left;	/* TSO as above, or a jumbogram (RFC 2675) */
	if (p[0] >> 4 != 6) {
		end(w, DECODE_BAD);
		return;
	}
	w->out->src.version = w->out->dst.version = 6;
	memcpy(w->out->src.bytes, p + 8, 16);
	memcpy(w->out->dst.bytes, p + 24, 16);
	w->type = p[6];
	enter_packet(w, 40, total);
}

static void step_ip(struct walk *w)
{
	if (!has_header(w, 1))
		return;
	switch (w->p[0] >> 4) {
	case 4:
		w->next = step_ip4;
		break;
	case 6:
		w->next = step_ip6;
		break;
	default:
		end(w, DECODE_OTHER);
	}
}

static void step_ethertype(struct walk *w);

/* IEEE 802.1Q 9.6: priority, drop eligible, 12 bits of number; then the Ethertype of what follows */
static void step_vlan(struct walk *w)
{
	if (!has_header(w, 4))
		return;
	if (w->tags == VLAN_TAGS) {
		end(w, DECODE_OTHER);
		return;
	}
	w->out->vlan[w->tags++] = be16(w->p) & 0xfff;
	w->type = be16(w->p + 2);
	skip(w, 4);
	w->next = step_ethertype;
}

static const struct ethertype {
	uint16_t number;
	step_fn *step;
} ethertypes[] = {
	{ 0x0800, step_ip4 },
	{ 0x86dd, step_ip6 },
	{ 0x8100, step_vlan },	/* 802.1Q */
	{ 0x88a8, step_vlan },	/* 802.1ad */
	{ 0x9100, step_vlan },	/* QinQ before the standard */
};

static void step_ethertype(struct walk *w)
{
	for (size_t i = 0; i < sizeof ethertypes / sizeof *ethertypes; i++)
		if (ethertypes[i].number == w->type) {
			w->next = ethertypes[i].step;
			return;
		}
	end(w, DECODE_OTHER);
}

enum { NO_TYPE = 255 };	/* what follows is IP of the version in its first four bits */

static const struct link {
	int linktype;
	uint8_t header_bytes, type_at;
} links[] = {
	{ 1, 14, 12 },		/* Ethernet */
	{ 113, 16, 14 },	/* Linux cooked */
	{ 276, 20, 0 },		/* Linux cooked, version 2 */
	{ 101, 0, NO_TYPE },	/* raw IP; 12 and 14 are what some systems called it */
	{ 12, 0, NO_TYPE },
	{ 14, 0, NO_TYPE },
	{ 228, 0, NO_TYPE },	/* raw IPv4 */
	{ 229, 0, NO_TYPE },	/* raw IPv6 */
	{ 0, 4, NO_TYPE },	/* BSD loopback: an address family whose numbers and byte order differ between systems */
	{ 108, 4, NO_TYPE },	/* OpenBSD loopback */
};

static const struct link *find_link(int linktype)
{
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		if (links[i].linktype == linktype)
			return &links[i];
	return NULL;
}

int decode_knows_linktype(int linktype)
{
	return find_link(linktype) != NULL;
}

enum decode_result decode_frame(int linktype, const uint8_t *frame, uint32_t captured, struct packet *out)
{
	const struct link *link = find_link(linktype);
	struct walk w = { .p = frame, .left = captured, .out = out };

	*out = (struct packet){ 0 };
	if (!link)
		return DECODE_OTHER;
	if (captured < link->header_bytes)
		return DECODE_SHORT;
	if (link->type_at != NO_TYPE)
		w.type = be16(frame + link->type_at);
	w.next = link->type_at == NO_TYPE ? step_ip : step_ethertype;
	skip(&w, link->header_bytes);
	while (w.next)
		w.next(&w);
	return w.result;
}
