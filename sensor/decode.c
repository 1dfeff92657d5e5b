/*
 * decode.c - see decode.h
 *
 * A walk from layer to layer: each step reads one header, moves on behind it and finds the next step in a table, or ends the walk
 * with a result. No two steps in a row leave the frame as long as it was, so the walk ends; layers are counted, so that it ends soon.
 */
#include "sensor/decode.h"

#include <stddef.h>
#include <string.h>

#include "common/siphash.h"
#include "sensor/limits.h"

enum {
	VLAN_TAGS = 2,
	EXTENSIONS_MAX = 8,	/* RFC 8200 4.1: six kinds, one of them twice; real packets have at most two */
};

struct walk {
	const uint8_t *p;	/* where the next header begins */
	uint32_t left;		/* captured bytes from there, without the padding of the link layer */
	uint32_t wire;		/* bytes from there on the wire, as the IP header says; not less than left */
	uint8_t tags, extensions, layers;
	struct packet *out;
	const struct decode_tunnels *tunnels;
	void (*next)(struct walk *w);	/* NULL: result is final */
	enum decode_result result;
};

typedef void step_fn(struct walk *w);

struct choice {
	uint16_t number;
	step_fn *step;
};

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
	w->wire -= n;
}

/* Whether all of a header of n bytes is in the frame. By its lengths the packet must have it; the frame may have been cut. */
static inline bool has_header(struct walk *w, uint32_t n)
{
	if (w->left >= n)
		return true;
	end(w, w->wire < n ? DECODE_BAD : DECODE_SHORT);
	return false;
}

/* One more tag, label or tunnel around the packet. */
static bool add_layer(struct walk *w)
{
	if (++w->layers <= LIMIT_LAYERS)
		return true;
	end(w, DECODE_BAD);
	return false;
}

static inline step_fn *find_step(const struct choice *table, size_t count, unsigned number)
{
	for (size_t i = 0; i < count; i++)
		if (table[i].number == number)
			return table[i].step;
	return NULL;
}

/* What follows is the step of that number. */
static inline void choose(struct walk *w, const struct choice *table, size_t count, unsigned number)
{
	w->next = find_step(table, count, number);
	w->result = DECODE_OTHER;
}
#define CHOOSE(w, table, number) choose(w, table, sizeof (table) / sizeof *(table), number)

static void choose_protocol(struct walk *w, unsigned number);
static void choose_ethertype(struct walk *w, unsigned number);
static step_fn step_ip, step_ip4, step_ip6, step_ethernet, step_vlan;

static void step_tcp(struct walk *w)
{
	struct packet *out = w->out;
	const uint8_t *p = w->p;

	if (!has_header(w, 20))
		return;
	uint32_t header = (uint32_t)(p[12] >> 4) * 4;
	if (header < 20) {
		end(w, DECODE_BAD);
		return;
	}
	if (!has_header(w, header))
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

/* A header of n bytes between IP and what it carries; its first byte says what comes next. */
static bool skip_extension(struct walk *w, uint32_t n)
{
	if (!has_header(w, n))
		return false;
	if (++w->extensions > EXTENSIONS_MAX) {
		end(w, DECODE_BAD);
		return false;
	}
	unsigned next = w->p[0];
	skip(w, n);
	choose_protocol(w, next);
	return true;
}

/* RFC 8200 4.3 to 4.6, RFC 6275, RFC 7401, RFC 5533: length in units of 8 bytes, the first not counted. */
static void step_extension(struct walk *w)
{
	if (has_header(w, 2))
		skip_extension(w, (w->p[1] + 1u) * 8);
}

/* RFC 4302 2.2: length in units of 4 bytes, the first two not counted. */
static void step_authentication(struct walk *w)
{
	if (has_header(w, 2))
		skip_extension(w, (w->p[1] + 2u) * 4);
}

/* What follows is part of a datagram. */
static void end_fragment(struct walk *w, const struct fragment *f)
{
	w->out->fragment = *f;
	w->out->payload = w->p;
	w->out->payload_bytes = w->wire;
	w->out->captured_bytes = w->left;
	end(w, DECODE_FRAGMENT);
}

/* RFC 8200 4.5. An atomic fragment (RFC 6946: offset 0, no more) is a whole packet. */
static void step_fragment(struct walk *w)
{
	if (!has_header(w, 8))
		return;
	uint16_t field = be16(w->p + 2);
	struct fragment f = { be32(w->p + 4), field & 0xfff8, field & 1, w->p[0], w->layers };
	if (skip_extension(w, 8) && field & 0xfff9)
		end_fragment(w, &f);
}

/* ---- tunnels ---- */

static bool is_named(const struct decode_tunnels *t, const struct ip_addr *a)
{
	for (size_t i = 0; i < t->count; i++)
		if (ip_in_prefix(a, &t->named[i]))
			return true;
	return false;
}

/* The same for both directions. No secret: who would rather be another can as well write his address. */
static uint32_t tunnel_hash(uint32_t around, const struct ip_addr *a, const struct ip_addr *b)
{
	static const struct siphash_key key;
	bool swap = ip_compare(a, b) > 0;
	struct ip_addr ends[2] = { swap ? *b : *a, swap ? *a : *b };
	uint8_t data[sizeof around + sizeof ends];

	memcpy(data, &around, sizeof around);
	memcpy(data + sizeof around, ends, sizeof ends);
	return (uint32_t)siphash13(&key, data, sizeof data) | TUNNEL_BIT | TUNNEL_UNNAMED_BIT;
}

/* A tunnel between the endpoints of the IP header that was read last. False: it is not to be looked into. */
static bool enter_tunnel(struct walk *w)
{
	struct packet *out = w->out;

	if (!add_layer(w))
		return false;
	if (!w->tunnels->only_named) {
		out->tunnel = tunnel_hash(out->tunnel, &out->src, &out->dst);
	} else if (is_named(w->tunnels, &out->src) && is_named(w->tunnels, &out->dst)) {
		out->tunnel = TUNNEL_NAMED;
	} else {
		end(w, DECODE_TUNNEL);
		return false;
	}
	return true;
}

/* RFC 2784, RFC 2890: version 0 with checksum, key, sequence number; RFC 1701 source routes and version 1 (PPTP) are none of ours. */
static void step_gre(struct walk *w)
{
	enum { CHECKSUM = 0x8000, ROUTING = 0x4000, KEY = 0x2000, SEQUENCE = 0x1000, VERSION_BITS = 7, ERSPAN = 0x88be };

	if (!has_header(w, 4))
		return;
	unsigned flags = be16(w->p), type = be16(w->p + 2);
	if (flags & (ROUTING | VERSION_BITS)) {
		end(w, DECODE_OTHER);
		return;
	}
	uint32_t header = 4u * (1 + !!(flags & CHECKSUM) + !!(flags & KEY) + !!(flags & SEQUENCE));
	if (!has_header(w, header) || !enter_tunnel(w))
		return;
	skip(w, header);
	if (type == ERSPAN && !(flags & SEQUENCE))
		w->next = step_ethernet;	/* type I has no header of its own */
	else
		choose_ethertype(w, type);
}

/* draft-foschiano-erspan 4.2, 4.3: type II is version 1, type III version 2; what was mirrored may have been cut */
static void step_erspan(struct walk *w)
{
	enum { FRAME_ETHERNET = 0, FRAME_IP = 2 };

	if (!has_header(w, 8))
		return;
	uint32_t header = 8;
	unsigned version = w->p[0] >> 4, frame = FRAME_ETHERNET;
	if (version == 2) {
		if (!has_header(w, 12))
			return;
		frame = w->p[10] >> 2 & 31;
		header = w->p[11] & 1 ? 20 : 12;	/* a subheader of the platform */
	}
	if ((version != 1 && version != 2) || (frame != FRAME_ETHERNET && frame != FRAME_IP)) {
		end(w, DECODE_OTHER);
		return;
	}
	if (!has_header(w, header))
		return;
	skip(w, header);
	w->next = frame == FRAME_IP ? step_ip : step_ethernet;
}

/* RFC 7348 5; without the I flag it is something else on this port */
static void step_vxlan(struct walk *w)
{
	if (!has_header(w, 8))
		return;
	if (!(w->p[0] & 8)) {
		end(w, DECODE_OTHER);
		return;
	}
	if (!enter_tunnel(w))
		return;
	skip(w, 8);
	w->next = step_ethernet;
}

/* RFC 8926 3.4; control packets (O) hold nothing of hosts */
static void step_geneve(struct walk *w)
{
	if (!has_header(w, 8))
		return;
	uint32_t header = 8 + (w->p[0] & 63u) * 4;
	unsigned version = w->p[0] >> 6, control = w->p[1] & 0x80, type = be16(w->p + 2);
	if (version || control) {
		end(w, DECODE_OTHER);
		return;
	}
	if (!has_header(w, header) || !enter_tunnel(w))
		return;
	skip(w, header);
	choose_ethertype(w, type);
}

/* By destination: the source port is a hash of what is inside. */
static const struct choice tunnel_ports[] = {
	{ 4789, step_vxlan },
	{ 8472, step_vxlan },	/* Linux before it had a number */
	{ 6081, step_geneve },
};

static void step_udp(struct walk *w)
{
	if (!has_header(w, 8))
		return;
	unsigned port = be16(w->p + 2);
	skip(w, 8);
	CHOOSE(w, tunnel_ports, port);
}

/* RFC 2003 */
static void step_inner_ip4(struct walk *w)
{
	if (enter_tunnel(w))
		w->next = step_ip4;
}

/* RFC 4213 3.5, RFC 2473 */
static void step_inner_ip6(struct walk *w)
{
	if (enter_tunnel(w))
		w->next = step_ip6;
}

static const struct choice protocols[] = {
	{ 6, step_tcp },
	{ 17, step_udp },
	{ 47, step_gre },
	{ 4, step_inner_ip4 },
	{ 41, step_inner_ip6 },
	{ 0, step_extension },		/* hop by hop */
	{ 43, step_extension },		/* routing */
	{ 60, step_extension },		/* destination options */
	{ 44, step_fragment },
	{ 51, step_authentication },
	{ 135, step_extension },	/* mobility */
	{ 139, step_extension },	/* HIP */
	{ 140, step_extension },	/* shim6 */
};

static void choose_protocol(struct walk *w, unsigned number)
{
	CHOOSE(w, protocols, number);
}

/* ---- IP ---- */

/* Behind an IP header of `header` bytes in a packet of `total`: without padding, and perhaps cut by the snap length. */
static inline void enter_packet(struct walk *w, uint32_t header, uint32_t total)
{
	if (w->left > total)
		w->left = total;
	w->wire = total;
	w->extensions = 0;
	skip(w, header);
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
	w->out->src = w->out->dst = (struct ip_addr){ .version = 4 };
	memcpy(w->out->src.bytes, p + 12, 4);
	memcpy(w->out->dst.bytes, p + 16, 4);
	enter_packet(w, header, total);
	choose_protocol(w, p[9]);
	unsigned field = be16(p + 6);
	if (field & 0x3fff && w->next)
		end_fragment(w, &(struct fragment){ be16(p + 4), (uint16_t)((field & 0x1fff) * 8), field & 0x2000, p[9], w->layers });
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
	enter_packet(w, 40, total);
	choose_protocol(w, p[6]);
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

/* ---- below IP ---- */

/* IEEE 802.1Q 9.6: priority, drop eligible, 12 bits of number; then the Ethertype of what follows */
static void step_vlan(struct walk *w)
{
	if (!has_header(w, 4) || !add_layer(w))
		return;
	if (w->tags == 0)
		w->out->vlan[1] = 0;	/* an outer frame's */
	if (w->tags < VLAN_TAGS)
		w->out->vlan[w->tags++] = be16(w->p) & 0xfff;
	unsigned type = be16(w->p + 2);
	skip(w, 4);
	choose_ethertype(w, type);
}

static step_fn step_mpls;

static const struct choice ppp_protocols[] = {
	{ 0x0021, step_ip4 },
	{ 0x0057, step_ip6 },
	{ 0x0281, step_mpls },
	{ 0x0283, step_mpls },	/* multicast, or upstream labels (RFC 5332) */
};

/* RFC 2516 4: version and type 1, code 0 is a session's data; then PPP (RFC 1661 2) */
static void step_pppoe(struct walk *w)
{
	if (!has_header(w, 8) || !add_layer(w))
		return;
	unsigned kind = be16(w->p), protocol = be16(w->p + 6);
	if (kind != 0x1100) {
		end(w, DECODE_OTHER);
		return;
	}
	skip(w, 8);
	CHOOSE(w, ppp_protocols, protocol);
}

static const struct choice ethertypes[] = {
	{ 0x0800, step_ip4 },
	{ 0x86dd, step_ip6 },
	{ 0x8100, step_vlan },		/* 802.1Q */
	{ 0x88a8, step_vlan },		/* 802.1ad */
	{ 0x9100, step_vlan },		/* QinQ before the standard */
	{ 0x8847, step_mpls },
	{ 0x8848, step_mpls },		/* as in PPP */
	{ 0x8864, step_pppoe },
	{ 0x6558, step_ethernet },	/* transparent bridging: in GRE and GENEVE */
	{ 0x88be, step_erspan },	/* type II, in GRE */
	{ 0x22eb, step_erspan },	/* type III */
};

static void choose_ethertype(struct walk *w, unsigned number)
{
	CHOOSE(w, ethertypes, number);
}

/* A frame within a tunnel. */
static void step_ethernet(struct walk *w)
{
	if (!has_header(w, 14) || !add_layer(w))
		return;
	unsigned type = be16(w->p + 12);
	w->tags = 0;
	skip(w, 14);
	choose_ethertype(w, type);
}

/* Whether n bytes may be a frame that holds something for us. What was cut before its type may. */
static bool looks_like_ethernet(const uint8_t *p, uint32_t n)
{
	enum { TAGS = 4 };

	for (uint32_t at = 12; at <= 12 + 4 * TAGS; at += 4) {
		if (at + 2 > n)
			return true;
		step_fn *step = find_step(ethertypes, sizeof ethertypes / sizeof *ethertypes, be16(p + at));
		if (step == step_vlan)
			continue;
		unsigned version = step == step_ip4 ? 4 : step == step_ip6 ? 6 : 0;
		return step && (!version || at + 2 == n || p[at + 2] >> 4 == version);
	}
	return false;
}

/* Whether n bytes are as long as the IP header at their beginning says; behind them is no more than padding or a checksum of the frame. */
static bool looks_like_ip(const uint8_t *p, uint32_t n)
{
	enum { SHORTEST_FRAME = 46, CHECKSUM = 8 };

	if (n < 20)
		return false;
	uint32_t total = p[0] >> 4 == 4 ? be16(p + 2) : be16(p + 4) + 40u;
	return total <= n && (n <= SHORTEST_FRAME || n - total <= CHECKSUM);
}

/*
 * Behind the last label nothing says what follows (RFC 4928 3): IP, or the Ethernet frame of a pseudowire (RFC 4448), with a control word of
 * 0 before it or without. The first four bits tell IP from a control word, but an address of a network card may begin with any.
 * One that begins with an odd byte, such as the 45 of most IPv4, is a group: no TCP.
 */
static void step_mpls_payload(struct walk *w)
{
	enum { CONTROL_WORD = 4 };

	if (!has_header(w, 1))
		return;
	const uint8_t *p = w->p;
	unsigned version = p[0] >> 4;
	if ((version == 4 || version == 6) && ((p[0] & 1) || looks_like_ip(p, w->left) || !looks_like_ethernet(p, w->left))) {
		w->next = step_ip;
	} else if (looks_like_ethernet(p, w->left)) {
		w->next = step_ethernet;
	} else if (version == 0 && looks_like_ethernet(p + CONTROL_WORD, w->left - CONTROL_WORD)) {
		skip(w, CONTROL_WORD);
		w->next = step_ethernet;
	} else {
		end(w, DECODE_OTHER);
	}
}

/* RFC 3032 2.1: 20 bits of label, 3 of class, the bottom of the stack, time to live */
static void step_mpls(struct walk *w)
{
	if (!has_header(w, 4) || !add_layer(w))
		return;
	w->next = w->p[2] & 1 ? step_mpls_payload : step_mpls;
	skip(w, 4);
}

/* ---- the frame ---- */

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

static inline enum decode_result run(struct walk *w)
{
	while (w->next)
		w->next(w);
	return w->result;
}

enum decode_result decode_frame(const struct decode_tunnels *tunnels, int linktype, const uint8_t *frame, uint32_t captured, struct packet *out)
{
	const struct link *link = find_link(linktype);
	struct walk w = { .p = frame, .left = captured, .wire = UINT32_MAX, .out = out, .tunnels = tunnels };

	*out = (struct packet){ 0 };
	if (!link)
		return DECODE_OTHER;
	if (captured < link->header_bytes)
		return DECODE_SHORT;
	skip(&w, link->header_bytes);
	if (link->type_at == NO_TYPE)
		w.next = step_ip;
	else
		choose_ethertype(&w, be16(frame + link->type_at));
	return run(&w);
}

enum decode_result decode_datagram(const struct decode_tunnels *tunnels, const struct packet *datagram, struct packet *out)
{
	struct walk w = { .p = datagram->payload, .left = datagram->captured_bytes, .wire = datagram->payload_bytes, .tags = VLAN_TAGS,
			  .layers = datagram->fragment.layers, .out = out, .tunnels = tunnels };

	*out = (struct packet){ .src = datagram->src, .dst = datagram->dst, .vlan = { datagram->vlan[0], datagram->vlan[1] },
				.tunnel = datagram->tunnel };
	if (add_layer(&w))	/* so that fragments of fragments end, too */
		choose_protocol(&w, datagram->fragment.protocol);
	return run(&w);
}
