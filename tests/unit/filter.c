/*
 * Unit tests of filter.c: its words are compiled for every link type that decode knows and run over frames of every encapsulation. A frame is
 * built from the inside: each layer goes before what is there, and knows by that what it carries.
 */
#include "sensor/filter.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pcap.h>

#include "sensor/decode.h"

struct frame {
	uint8_t bytes[512];
	uint32_t at;			/* bytes[at..] is built */
	unsigned ethertype, protocol;	/* of what is there: what a frame or a packet around it says of it */
};

static uint8_t *before(struct frame *f, uint32_t n)
{
	assert_true(f->at >= n);
	f->at -= n;
	memset(f->bytes + f->at, 0, n);
	return f->bytes + f->at;
}

static uint32_t length(const struct frame *f)
{
	return (uint32_t)sizeof f->bytes - f->at;
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* ---- layers ---- */

static void tcp(struct frame *f, unsigned sport, unsigned dport)
{
	uint8_t *p = before(f, 20);

	put16(p, sport);
	put16(p + 2, dport);
	p[12] = 5 << 4;
	p[13] = TCP_ACK;
	f->protocol = 6;
}

static void udp(struct frame *f, unsigned dport)
{
	uint32_t n = length(f) + 8;
	uint8_t *p = before(f, 8);

	put16(p, 50000);
	put16(p + 2, dport);
	put16(p + 4, n);
	f->protocol = 17;
}

static void ip4_with(struct frame *f, unsigned options, unsigned fragment)
{
	uint32_t n = length(f) + 20 + options;
	uint8_t *p = before(f, 20 + options);

	p[0] = (uint8_t)(0x45 + options / 4);
	put16(p + 2, n);
	put16(p + 6, fragment);
	p[8] = 64;
	p[9] = (uint8_t)f->protocol;
	memcpy(p + 12, "\xc0\0\2\1\xc6\x33\x64\2", 8);
	f->ethertype = 0x0800;
	f->protocol = 4;
}

static void ip4(struct frame *f)
{
	ip4_with(f, 0, 0x4000);
}

static void ip4_options(struct frame *f)
{
	ip4_with(f, 12, 0);
}

static void first_fragment4(struct frame *f)
{
	ip4_with(f, 0, 0x2000);
}

static void last_fragment4(struct frame *f)
{
	ip4_with(f, 0, 185);
}

static void ip6(struct frame *f)
{
	uint32_t n = length(f);
	uint8_t *p = before(f, 40);

	p[0] = 0x60;
	put16(p + 4, n);
	p[6] = (uint8_t)f->protocol;
	p[7] = 64;
	p[8] = p[24] = 0x20;
	f->ethertype = 0x86dd;
	f->protocol = 41;
}

/* A header whose first byte says what follows. */
static void extension(struct frame *f, unsigned number, uint32_t bytes, unsigned length_field)
{
	unsigned next = f->protocol;
	uint8_t *p = before(f, bytes);

	p[0] = (uint8_t)next;
	p[1] = (uint8_t)length_field;
	f->protocol = number;
}

static void hop_by_hop(struct frame *f)
{
	extension(f, 0, 8, 0);
}

static void routing(struct frame *f)
{
	extension(f, 43, 8, 0);
}

static void destination(struct frame *f)
{
	extension(f, 60, 16, 1);
}

static void mobility(struct frame *f)
{
	extension(f, 135, 8, 0);
}

static void authentication(struct frame *f)
{
	extension(f, 51, 24, 4);
}

static void first_fragment6(struct frame *f)
{
	extension(f, 44, 8, 0);
	f->bytes[f->at + 3] = 1;
}

static void last_fragment6(struct frame *f)
{
	extension(f, 44, 8, 0);
	put16(f->bytes + f->at + 2, 1480);
}

static void tag(struct frame *f, unsigned tpid)
{
	unsigned type = f->ethertype;
	uint8_t *p = before(f, 4);

	put16(p, 0x2007);
	put16(p + 2, type);
	f->ethertype = tpid;
}

static void vlan(struct frame *f)
{
	tag(f, 0x8100);
}

static void service_vlan(struct frame *f)
{
	tag(f, 0x88a8);
}

static void old_qinq(struct frame *f)
{
	tag(f, 0x9100);
}

static void ethernet(struct frame *f)
{
	unsigned type = f->ethertype;
	uint8_t *p = before(f, 14);

	p[0] = p[6] = 2;
	put16(p + 12, type);
	f->ethertype = 0x6558;
}

static void mpls(struct frame *f)
{
	bool bottom = f->ethertype != 0x8847;

	before(f, 4)[2] = bottom;
	f->ethertype = 0x8847;
}

static void pppoe(struct frame *f)
{
	uint32_t n = length(f) + 2;
	unsigned protocol = f->ethertype == 0x0800 ? 0x0021 : 0x0057;
	uint8_t *p = before(f, 8);

	p[0] = 0x11;
	put16(p + 4, n);
	put16(p + 6, protocol);
	f->ethertype = 0x8864;
}

static void gre(struct frame *f)
{
	unsigned type = f->ethertype;

	put16(before(f, 4) + 2, type);
	f->protocol = 47;
}

static void erspan1(struct frame *f)
{
	put16(before(f, 4) + 2, 0x88be);
	f->protocol = 47;
}

static void erspan2(struct frame *f)
{
	before(f, 8)[0] = 0x10;
	uint8_t *p = before(f, 8);
	p[0] = 0x10;	/* a sequence number */
	put16(p + 2, 0x88be);
	f->protocol = 47;
}

static void erspan3(struct frame *f)
{
	before(f, 12)[0] = 0x20;
	uint8_t *p = before(f, 8);
	p[0] = 0x10;
	put16(p + 2, 0x22eb);
	f->protocol = 47;
}

static void vxlan_to(struct frame *f, unsigned port)
{
	before(f, 8)[0] = 8;
	udp(f, port);
}

static void vxlan(struct frame *f)
{
	vxlan_to(f, 4789);
}

static void old_vxlan(struct frame *f)
{
	vxlan_to(f, 8472);
}

static void geneve(struct frame *f)
{
	unsigned type = f->ethertype;

	put16(before(f, 8) + 2, type);
	udp(f, 6081);
}

/* ---- encapsulations ---- */

enum { LAYERS = 8, CARRIED = 1, FRAGMENT = 2 };

static const struct encapsulation {
	const char *name;
	void (*layer[LAYERS])(struct frame *f);	/* from the inside */
	int how;	/* CARRIED: passes whole, whatever is in it; FRAGMENT: likewise, and decode calls it one */
} encapsulations[] = {
	{ "IPv4", { ip4 }, 0 },
	{ "IPv4 with options", { ip4_options }, 0 },
	{ "IPv6", { ip6 }, 0 },
	{ "IPv4 tagged", { ip4, vlan }, 0 },
	{ "IPv6 tagged", { ip6, vlan }, 0 },
	{ "IPv4 tagged twice", { ip4, vlan, service_vlan }, 0 },
	{ "IPv6 tagged twice", { ip6, vlan, vlan }, 0 },
	{ "IPv4 tagged twice, before the standard", { ip4, vlan, old_qinq }, 0 },
	{ "IPv4 fragment, first", { first_fragment4 }, FRAGMENT },
	{ "IPv4 fragment, last", { last_fragment4 }, FRAGMENT },
	{ "IPv6 fragment, first", { first_fragment6, ip6 }, FRAGMENT },
	{ "IPv6 fragment, last", { last_fragment6, ip6 }, FRAGMENT },
	{ "IPv4 fragment tagged twice", { last_fragment4, vlan, vlan }, FRAGMENT },
	{ "IPv6 hop by hop", { hop_by_hop, ip6 }, CARRIED },
	{ "IPv6 routing", { routing, ip6 }, CARRIED },
	{ "IPv6 destination options", { destination, ip6 }, CARRIED },
	{ "IPv6 mobility", { mobility, ip6 }, CARRIED },
	{ "IPv6 destination and routing tagged", { destination, routing, ip6, vlan }, CARRIED },
	{ "IPv6 authentication", { authentication, ip6 }, CARRIED },
	{ "IPv4 authentication", { authentication, ip4 }, CARRIED },
	{ "IP in IP", { ip4, ip4 }, CARRIED },
	{ "6in4", { ip6, ip4 }, CARRIED },
	{ "4in6", { ip4, ip6 }, CARRIED },
	{ "IPv6 in IPv6", { ip6, ip6 }, CARRIED },
	{ "6in4 tagged twice", { ip6, ip4, vlan, service_vlan }, CARRIED },
	{ "GRE", { ip4, gre, ip4 }, CARRIED },
	{ "GRE over IPv6", { ip6, gre, ip6 }, CARRIED },
	{ "GRE with Ethernet", { ip4, vlan, ethernet, gre, ip4 }, CARRIED },
	{ "ERSPAN I", { ip4, ethernet, erspan1, ip4 }, CARRIED },
	{ "ERSPAN II", { ip4, vlan, ethernet, erspan2, ip4 }, CARRIED },
	{ "ERSPAN III tagged", { ip6, ethernet, erspan3, ip4, vlan }, CARRIED },
	{ "VXLAN", { ip4, ethernet, vxlan, ip4 }, CARRIED },
	{ "VXLAN over IPv6 tagged", { ip6, vlan, ethernet, vxlan, ip6, vlan }, CARRIED },
	{ "VXLAN on the old port", { ip4, ethernet, old_vxlan, ip4 }, CARRIED },
	{ "GENEVE", { ip4, ethernet, geneve, ip4 }, CARRIED },
	{ "MPLS", { ip4, mpls }, CARRIED },
	{ "MPLS, two labels, tagged", { ip6, mpls, mpls, vlan }, CARRIED },
	{ "MPLS pseudowire", { ip4, ethernet, mpls }, CARRIED },
	{ "PPPoE", { ip4, pppoe }, CARRIED },
	{ "PPPoE tagged twice", { ip6, pppoe, vlan, service_vlan }, CARRIED },
};

static void wrap(struct frame *f, const struct encapsulation *e)
{
	for (int i = 0; i < LAYERS && e->layer[i]; i++)
		e->layer[i](f);
}

/* ---- links ---- */

static const struct link {
	int linktype, dlt;
	uint8_t header_bytes, type_at;	/* type_at 255: carries IP alone */
} links[] = {
	{ 1, DLT_EN10MB, 14, 12 },
	{ 113, DLT_LINUX_SLL, 16, 14 },
	{ 276, DLT_LINUX_SLL2, 20, 0 },
	{ 101, DLT_RAW, 0, 255 },
	{ 12, DLT_RAW, 0, 255 },
	{ 14, DLT_RAW, 0, 255 },
	{ 228, DLT_IPV4, 0, 255 },
	{ 229, DLT_IPV6, 0, 255 },
	{ 0, DLT_NULL, 4, 255 },
	{ 108, DLT_LOOP, 4, 255 },
};
#define COUNT(array) (sizeof (array) / sizeof *(array))

/* Whether frames of the link can hold what begins with that ethertype. */
static bool can_hold(const struct link *l, unsigned ethertype)
{
	if (l->linktype == 228 || l->linktype == 229)
		return ethertype == (l->linktype == 228 ? 0x0800 : 0x86dd);
	return l->type_at != 255 || ethertype == 0x0800 || ethertype == 0x86dd;
}

static void put_link(struct frame *f, const struct link *l)
{
	enum { AF_INET_HERE = 2, AF_INET6_HERE = 10 };
	unsigned type = f->ethertype;
	uint32_t family = type == 0x0800 ? AF_INET_HERE : AF_INET6_HERE;
	uint8_t *p = before(f, l->header_bytes);

	if (l->type_at != 255)
		put16(p + l->type_at, type);
	else if (l->linktype == 0)
		memcpy(p, &family, sizeof family);
	else if (l->linktype == 108)
		put16(p + 2, family);
}

static void compile(const struct link *l, const char *words, struct bpf_program *program)
{
	pcap_t *dead = pcap_open_dead(l->dlt, 262144);

	if (pcap_compile(dead, program, words, 1, PCAP_NETMASK_UNKNOWN))
		fail_msg("link type %d: %s: %s", l->linktype, pcap_geterr(dead), words);
	pcap_close(dead);
}

static bool passes(const struct bpf_program *program, const struct frame *f)
{
	struct pcap_pkthdr h = { .caplen = length(f), .len = length(f) };

	return pcap_offline_filter(program, &h, f->bytes + f->at) != 0;
}

/* What the filter of these ports says to a segment or datagram in every encapsulation on every link. */
static void check_all(const unsigned short *ports, size_t count, bool any_port, void (*innermost)(struct frame *f), bool is_mail)
{
	for (size_t i = 0; i < COUNT(links); i++) {
		const struct link *l = &links[i];
		char *words = filter_words(ports, count, any_port, l->linktype);
		struct bpf_program program;

		compile(l, words, &program);
		for (size_t j = 0; j < COUNT(encapsulations); j++) {
			const struct encapsulation *e = &encapsulations[j];
			struct frame f = { .at = sizeof f.bytes };
			struct packet out;

			innermost(&f);
			wrap(&f, e);
			if (!can_hold(l, f.ethertype))
				continue;
			bool tagged = f.ethertype == 0x8100 || f.ethertype == 0x88a8 || f.ethertype == 0x9100;
			put_link(&f, l);
			bool expected = is_mail || e->how || (tagged && l->linktype != 1);
			if (passes(&program, &f) != expected)
				fail_msg("%s on link type %d: expected to %s: %s", e->name, l->linktype, expected ? "pass" : "be left out", words);
			if (is_mail)	/* what decode understands is what passes */
				assert_int_equal(decode_frame(&(struct decode_tunnels){ 0 }, l->linktype, f.bytes + f.at, length(&f), &out),
						 e->how & FRAGMENT ? DECODE_FRAGMENT : DECODE_TCP);
		}
		pcap_freecode(&program);
		free(words);
	}
}

/* ---- tests ---- */

static void to_25(struct frame *f)
{
	tcp(f, 40000, 25);
}

static void from_10025(struct frame *f)
{
	tcp(f, 10025, 40000);
}

static void to_http(struct frame *f)
{
	tcp(f, 40000, 80);
}

static void to_dns(struct frame *f)
{
	udp(f, 53);
}

static const unsigned short default_ports[] = { 25, 465, 587, 2525, 24 }, own_ports[] = { 10025, 25 };

static void every_link_type_that_decode_knows_is_here(void **state)
{
	(void)state;
	for (int linktype = 0; linktype < 1024; linktype++) {
		bool here = false;

		for (size_t i = 0; i < COUNT(links); i++)
			here |= links[i].linktype == linktype;
		assert_int_equal(here, decode_knows_linktype(linktype));
	}
}

static void mail_passes_in_every_encapsulation(void **state)
{
	(void)state;
	check_all(default_ports, COUNT(default_ports), false, to_25, true);
	check_all(own_ports, COUNT(own_ports), false, to_25, true);
	check_all(own_ports, COUNT(own_ports), false, from_10025, true);
}

static void other_traffic_is_left_out(void **state)
{
	(void)state;
	check_all(default_ports, COUNT(default_ports), false, to_http, false);
	check_all(default_ports, COUNT(default_ports), false, to_dns, false);
	check_all(default_ports, COUNT(default_ports), false, from_10025, false);
}

static void any_port_passes_all_tcp(void **state)
{
	(void)state;
	check_all(default_ports, COUNT(default_ports), true, to_http, true);
	check_all(NULL, 0, true, from_10025, true);
	check_all(NULL, 0, true, to_dns, false);
}

static void other_protocols_are_left_out(void **state)
{
	static const unsigned ethertypes[] = { 0x0806, 0x88cc, 0x8863, 0x6558 };
	char *words = filter_words(default_ports, COUNT(default_ports), false, 1);
	struct bpf_program program;

	(void)state;
	compile(&links[0], words, &program);
	for (size_t i = 0; i < COUNT(ethertypes); i++) {
		struct frame f = { .at = sizeof f.bytes };

		tcp(&f, 25, 25);
		f.ethertype = ethertypes[i];
		put_link(&f, &links[0]);
		assert_false(passes(&program, &f));
	}
	pcap_freecode(&program);
	free(words);
}

/* The kernel takes BPF_MAXINSNS. */
static void as_many_ports_as_there_may_be_fit_the_kernel(void **state)
{
	unsigned short ports[32];
	struct bpf_program program;

	(void)state;
	for (size_t i = 0; i < COUNT(ports); i++)
		ports[i] = (unsigned short)(7 + i * 1001);
	char *words = filter_words(ports, COUNT(ports), false, 1);
	compile(&links[0], words, &program);
	assert_true(program.bf_len < 4096 / 4);
	pcap_freecode(&program);
	free(words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_link_type_that_decode_knows_is_here),
		cmocka_unit_test(mail_passes_in_every_encapsulation),
		cmocka_unit_test(other_traffic_is_left_out),
		cmocka_unit_test(any_port_passes_all_tcp),
		cmocka_unit_test(other_protocols_are_left_out),
		cmocka_unit_test(as_many_ports_as_there_may_be_fit_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
