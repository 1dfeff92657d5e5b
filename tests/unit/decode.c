/*
 * Unit tests of decode.c. Frames are built from headers below and end at a guard page, so that reading one byte too far faults.
 */
#include "sensor/decode.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

struct frame {
	uint8_t bytes[4096];
	uint32_t n;
};

static void put(struct frame *f, const void *p, uint32_t n)
{
	assert_true(f->n + n <= sizeof f->bytes);
	memcpy(f->bytes + f->n, p, n);
	f->n += n;
}

static void put16(struct frame *f, unsigned v)
{
	put(f, (uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

static void put_zero(struct frame *f, uint32_t n)
{
	static const uint8_t zero[4096];

	put(f, zero, n);
}

static void put_ethernet(struct frame *f, unsigned ethertype)
{
	put(f, "\x02\0\0\0\0\1\x02\0\0\0\0\2", 12);
	put16(f, ethertype);
}

static void put_vlan(struct frame *f, unsigned id, unsigned ethertype)
{
	put16(f, 0xe000 | id);	/* priority 7 */
	put16(f, ethertype);
}

/* 192.0.2.1 > 198.51.100.2; total: IP total length; options: bytes of them */
static void put_ip4(struct frame *f, unsigned protocol, unsigned total, unsigned fragment, unsigned options)
{
	uint8_t first[] = { (uint8_t)(0x45 + options / 4), 0 };

	put(f, first, 2);
	put16(f, total);
	put16(f, 0x1234);
	put16(f, fragment);
	put(f, (uint8_t[]){ 64, (uint8_t)protocol, 0, 0 }, 4);
	put(f, "\xc0\0\2\1\xc6\x33\x64\2", 8);
	put_zero(f, options);
}

/* 2001:db8::1 > 2001:db8::2 */
static void put_ip6(struct frame *f, unsigned next, unsigned payload)
{
	put(f, "\x60\0\0\0", 4);
	put16(f, payload);
	put(f, (uint8_t[]){ (uint8_t)next, 64 }, 2);
	put(f, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	put(f, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2", 16);
}

/* 40000 > 25, seq 0x01020304, ack 0xa0b0c0d0, PSH ACK */
static void put_tcp(struct frame *f, unsigned header, const char *payload)
{
	put16(f, 40000);
	put16(f, 25);
	put(f, "\1\2\3\4\xa0\xb0\xc0\xd0", 8);
	put(f, (uint8_t[]){ (uint8_t)(header / 4 << 4), 0x18 }, 2);
	put_zero(f, 6);
	if (header > 20)
		put_zero(f, header - 20);
	put(f, payload, (uint32_t)strlen(payload));
}

static const char hello[] = "EHLO a.example\r\n";
enum { HELLO = sizeof hello - 1 };

static struct frame ip4_frame(void)
{
	struct frame f = { 0 };

	put_ethernet(&f, 0x0800);
	put_ip4(&f, 6, 40 + HELLO, 0x4000, 0);	/* do not fragment */
	put_tcp(&f, 20, hello);
	return f;
}

static const struct decode_tunnels any_tunnel;

/* The first n bytes of f at the end of a page that nothing follows. */
static enum decode_result decode_n(int linktype, const struct frame *f, uint32_t n, struct packet *out)
{
	static uint8_t *page;
	size_t size = (size_t)sysconf(_SC_PAGESIZE);

	if (!page) {
		page = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(page, MAP_FAILED);
		assert_int_equal(mprotect(page + size, size, PROT_NONE), 0);
	}
	memcpy(page + size - n, f->bytes, n);
	return decode_frame(&any_tunnel, linktype, page + size - n, n, out);
}

static enum decode_result decode(const struct frame *f, struct packet *out)
{
	return decode_n(1, f, f->n, out);
}

static void assert_hello(int linktype, const struct frame *f)
{
	struct packet p;

	assert_int_equal(decode_n(linktype, f, f->n, &p), DECODE_TCP);
	assert_int_equal(p.payload_bytes, HELLO);
	assert_int_equal(p.captured_bytes, HELLO);
	assert_memory_equal(p.payload, hello, HELLO);
	assert_int_equal(p.sport, 40000);
	assert_int_equal(p.dport, 25);
	assert_int_equal(p.seq, 0x01020304);
	assert_int_equal(p.ack, 0xa0b0c0d0);
	assert_int_equal(p.flags, TCP_PSH | TCP_ACK);
}

static void assert_address(const struct ip_addr *a, const char *text)
{
	struct ip_addr b;

	assert_int_equal(ip_parse(text, strlen(text), &b), 0);
	assert_memory_equal(a, &b, sizeof b);
}

static void ip4_segment_is_decoded(void **state)
{
	struct frame f = ip4_frame();
	struct packet p;

	(void)state;
	assert_hello(1, &f);
	decode(&f, &p);
	assert_address(&p.src, "192.0.2.1");
	assert_address(&p.dst, "198.51.100.2");
	assert_int_equal(p.vlan[0], 0);
	assert_int_equal(p.vlan[1], 0);
}

static void ip4_and_tcp_options_are_skipped(void **state)
{
	(void)state;
	for (unsigned ip = 0; ip <= 40; ip += 4)
		for (unsigned tcp = 20; tcp <= 60; tcp += 4) {
			struct frame f = { 0 };

			put_ethernet(&f, 0x0800);
			put_ip4(&f, 6, 20 + ip + tcp + HELLO, 0, ip);
			put_tcp(&f, tcp, hello);
			assert_hello(1, &f);
		}
}

static void ethernet_padding_is_not_payload(void **state)
{
	struct frame f = { 0 };
	struct packet p;

	(void)state;
	put_ethernet(&f, 0x0800);
	put_ip4(&f, 6, 40, 0, 0);
	put_tcp(&f, 20, "");
	put_zero(&f, 6);
	assert_int_equal(decode(&f, &p), DECODE_TCP);
	assert_int_equal(p.payload_bytes, 0);
	assert_int_equal(p.captured_bytes, 0);
	f = ip4_frame();
	put_zero(&f, 4);	/* a frame check sequence */
	assert_hello(1, &f);
}

static void total_length_zero_means_the_frame(void **state)
{
	struct frame f = { 0 };

	(void)state;
	put_ethernet(&f, 0x0800);
	put_ip4(&f, 6, 0, 0, 0);
	put_tcp(&f, 20, hello);
	assert_hello(1, &f);
	f.n = 0;
	put_ethernet(&f, 0x86dd);
	put_ip6(&f, 6, 0);
	put_tcp(&f, 20, hello);
	assert_hello(1, &f);
}

static void frame_cut_at_every_byte(void **state)
{
	struct frame f = ip4_frame();
	struct packet p;

	(void)state;
	for (uint32_t n = 0; n < 54; n++)
		assert_int_equal(decode_n(1, &f, n, &p), DECODE_SHORT);
	for (uint32_t n = 54; n <= f.n; n++) {
		assert_int_equal(decode_n(1, &f, n, &p), DECODE_TCP);
		assert_int_equal(p.payload_bytes, HELLO);
		assert_int_equal(p.captured_bytes, n - 54);
	}
}

static void fragments_are_told(void **state)
{
	static const struct {
		unsigned field;
		enum decode_result result;
	} cases[] = {
		{ 0x2000, DECODE_FRAGMENT },	/* the first of several */
		{ 0x2001, DECODE_FRAGMENT },
		{ 0x0001, DECODE_FRAGMENT },	/* the last */
		{ 0x4000, DECODE_TCP },		/* do not fragment */
		{ 0x8000, DECODE_TCP },		/* RFC 3514 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct frame f = { 0 };
		struct packet p;

		put_ethernet(&f, 0x0800);
		put_ip4(&f, 6, 40, cases[i].field, 0);
		put_tcp(&f, 20, "");
		assert_int_equal(decode(&f, &p), cases[i].result);
	}
}

static void lengths_that_contradict_are_bad(void **state)
{
	static const struct {
		uint32_t at;
		uint8_t value;
	} cases[] = {
		{ 14, 0x44 },	/* IP header of 16 bytes */
		{ 14, 0x40 },
		{ 14, 0x55 },	/* version 5 behind Ethertype 0800 */
		{ 14, 0x4f },	/* a header of 60 bytes in 56 */
		{ 17, 19 },	/* total length below the header's */
		{ 17, 39 },	/* no room for the TCP header */
		{ 46, 0x40 },	/* TCP header of 16 bytes */
		{ 46, 0xf0 },	/* of 60: beyond the packet */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct frame f = ip4_frame();
		struct packet p;

		f.bytes[cases[i].at] = cases[i].value;
		assert_int_equal(decode(&f, &p), DECODE_BAD);
	}
}

static void other_protocols_are_not_for_us(void **state)
{
	static const unsigned types[] = { 0x0806, 0x0026, 0x88cc, 0xffff };
	struct frame f = ip4_frame();
	struct packet p;

	(void)state;
	f.bytes[23] = 17;
	assert_int_equal(decode(&f, &p), DECODE_OTHER);
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		f.n = 0;
		put_ethernet(&f, types[i]);
		put_zero(&f, 46);
		assert_int_equal(decode(&f, &p), DECODE_OTHER);
	}
}

static void vlan_tags_are_kept_outer_first(void **state)
{
	static const unsigned tag_types[] = { 0x8100, 0x88a8, 0x9100 };
	struct packet p;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct frame f = { 0 };

		put_ethernet(&f, tag_types[i]);
		put_vlan(&f, 0xabc, 0x8100);
		put_vlan(&f, 7, 0x0800);
		put_ip4(&f, 6, 40 + HELLO, 0, 0);
		put_tcp(&f, 20, hello);
		assert_hello(1, &f);
		decode(&f, &p);
		assert_int_equal(p.vlan[0], 0xabc);
		assert_int_equal(p.vlan[1], 7);
	}
}

static void more_vlan_tags_are_skipped(void **state)
{
	struct frame f = { 0 };
	struct packet p;

	(void)state;
	put_ethernet(&f, 0x8100);
	for (unsigned i = 1; i < LIMIT_LAYERS; i++)
		put_vlan(&f, i, 0x8100);
	put_vlan(&f, LIMIT_LAYERS, 0x0800);
	put_ip4(&f, 6, 40 + HELLO, 0, 0);
	put_tcp(&f, 20, hello);
	assert_hello(1, &f);
	decode(&f, &p);
	assert_int_equal(p.vlan[0], 1);
	assert_int_equal(p.vlan[1], 2);
	assert_int_equal(decode_n(1, &f, 20, &p), DECODE_SHORT);
}

static void ip6_segment_is_decoded(void **state)
{
	struct frame f = { 0 };
	struct packet p;

	(void)state;
	put_ethernet(&f, 0x86dd);
	put_ip6(&f, 6, 20 + HELLO);
	put_tcp(&f, 20, hello);
	assert_hello(1, &f);
	decode(&f, &p);
	assert_address(&p.src, "2001:db8::1");
	assert_address(&p.dst, "2001:db8::2");
	put_zero(&f, 4);
	assert_hello(1, &f);
	f.bytes[14] = 0x45;
	assert_int_equal(decode(&f, &p), DECODE_BAD);
}

static void ip6_extension_headers_are_skipped(void **state)
{
	/* hop by hop, destination options, routing (24 bytes), AH (24), atomic fragment, destination options, mobility, HIP */
	static const struct {
		unsigned number, length_field, bytes;
	} chain[] = { { 0, 0, 8 }, { 60, 1, 16 }, { 43, 2, 24 }, { 51, 4, 24 }, { 44, 0, 8 }, { 60, 0, 8 }, { 135, 0, 8 }, { 139, 0, 8 } };
	enum { N = sizeof chain / sizeof *chain };

	(void)state;
	for (unsigned count = 1; count <= N; count++) {
		struct frame f = { 0 };
		struct packet p;
		unsigned total = 20 + HELLO;

		for (unsigned i = 0; i < count; i++)
			total += chain[i].bytes;
		put_ethernet(&f, 0x86dd);
		put_ip6(&f, chain[0].number, total);
		for (unsigned i = 0; i < count; i++) {
			unsigned next = i + 1 < count ? chain[i + 1].number : 6;

			put(&f, (uint8_t[]){ (uint8_t)next, (uint8_t)chain[i].length_field }, 2);
			put_zero(&f, chain[i].bytes - 2);
		}
		uint32_t headers = f.n + 20;
		put_tcp(&f, 20, hello);
		assert_hello(1, &f);
		for (uint32_t n = 0; n < headers; n++)
			assert_int_equal(decode_n(1, &f, n, &p), DECODE_SHORT);
	}
}

static void too_many_extension_headers_are_bad(void **state)
{
	struct frame f = { 0 };
	struct packet p;

	(void)state;
	put_ethernet(&f, 0x86dd);
	put_ip6(&f, 60, 9 * 8 + 20);
	for (int i = 0; i < 9; i++) {
		put(&f, (uint8_t[]){ i < 8 ? 60 : 6, 0 }, 2);
		put_zero(&f, 6);
	}
	put_tcp(&f, 20, "");
	assert_int_equal(decode(&f, &p), DECODE_BAD);
}

static void ip6_extension_header_beyond_the_packet_is_bad(void **state)
{
	struct frame f = { 0 };
	struct packet p;

	(void)state;
	put_ethernet(&f, 0x86dd);
	put_ip6(&f, 0, 8);
	put(&f, "\6\1", 2);
	put_zero(&f, 100);
	assert_int_equal(decode(&f, &p), DECODE_BAD);
}

static void ip6_fragments_are_told_from_atomic_ones(void **state)
{
	static const struct {
		unsigned field;
		enum decode_result result;
	} cases[] = { { 0, DECODE_TCP }, { 6, DECODE_TCP }, { 1, DECODE_FRAGMENT }, { 8, DECODE_FRAGMENT }, { 9, DECODE_FRAGMENT } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct frame f = { 0 };
		struct packet p;

		put_ethernet(&f, 0x86dd);
		put_ip6(&f, 44, 28);
		put(&f, "\6\0", 2);
		put16(&f, cases[i].field);
		put_zero(&f, 4);
		put_tcp(&f, 20, "");
		assert_int_equal(decode(&f, &p), cases[i].result);
	}
}

static void ip6_without_tcp_is_not_for_us(void **state)
{
	static const unsigned next[] = { 17, 58, 59, 50 };

	(void)state;
	for (size_t i = 0; i < sizeof next / sizeof *next; i++) {
		struct frame f = { 0 };
		struct packet p;

		put_ethernet(&f, 0x86dd);
		put_ip6(&f, next[i], 20);
		put_zero(&f, 20);
		assert_int_equal(decode(&f, &p), DECODE_OTHER);
	}
}

static void every_link_type_reaches_tcp(void **state)
{
	static const struct {
		int linktype;
		const char *header;
		uint32_t bytes;
	} cases[] = {
		{ 113, "\0\4\0\1\0\6\2\0\0\0\0\1\0\0\x08\0", 16 },
		{ 276, "\x08\0\0\0\0\0\0\2\0\1\0\6\2\0\0\0\0\1\0\0", 20 },
		{ 101, "", 0 }, { 12, "", 0 }, { 14, "", 0 }, { 228, "", 0 },
		{ 0, "\2\0\0\0", 4 }, { 0, "\0\0\0\2", 4 }, { 108, "\0\0\0\2", 4 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct frame f = { 0 };
		struct packet p;

		assert_true(decode_knows_linktype(cases[i].linktype));
		put(&f, cases[i].header, cases[i].bytes);
		put_ip4(&f, 6, 40 + HELLO, 0, 0);
		put_tcp(&f, 20, hello);
		assert_hello(cases[i].linktype, &f);
		for (uint32_t n = 0; n < cases[i].bytes + 40; n++)
			assert_int_equal(decode_n(cases[i].linktype, &f, n, &p), DECODE_SHORT);
	}
}

static void cooked_and_raw_carry_ip6_and_vlan(void **state)
{
	struct frame f = { 0 };
	struct packet p;

	(void)state;
	put(&f, "\0\4\0\1\0\6\2\0\0\0\0\1\0\0", 14);
	put16(&f, 0x8100);
	put_vlan(&f, 42, 0x86dd);
	put_ip6(&f, 6, 20 + HELLO);
	put_tcp(&f, 20, hello);
	assert_hello(113, &f);
	decode_n(113, &f, f.n, &p);
	assert_int_equal(p.vlan[0], 42);
	f.n = 0;
	put_ip6(&f, 6, 20 + HELLO);
	put_tcp(&f, 20, hello);
	assert_hello(101, &f);
	f.bytes[0] = 0x10;
	assert_int_equal(decode_n(101, &f, f.n, &p), DECODE_OTHER);
}

static void unknown_link_type_is_refused(void **state)
{
	struct frame f = ip4_frame();
	struct packet p;

	(void)state;
	assert_false(decode_knows_linktype(105));
	assert_false(decode_knows_linktype(-1));
	assert_int_equal(decode_n(105, &f, f.n, &p), DECODE_OTHER);
}

/* ---- encapsulations: each takes the packet or Ethernet frame in f and puts something around it ---- */

enum kind { IP, FRAME };

static void prepend(struct frame *f, const void *p, uint32_t n)
{
	assert_true(f->n + n <= sizeof f->bytes);
	memmove(f->bytes + n, f->bytes, f->n);
	memcpy(f->bytes, p, n);
	f->n += n;
}

/* The header that build put there goes before what is in f. */
static void prepend_frame(struct frame *f, const struct frame *header)
{
	prepend(f, header->bytes, header->n);
}

static bool holds_ip6(const struct frame *f)
{
	return f->bytes[0] >> 4 == 6;
}

static unsigned ethertype_of(const struct frame *f)
{
	return holds_ip6(f) ? 0x86dd : 0x0800;
}

/* 203.0.113.9 > 203.0.113.7 */
static void around_ip4(struct frame *f, unsigned protocol)
{
	struct frame h = { 0 };

	put_ip4(&h, protocol, 20 + f->n, 0x4000, 0);
	memcpy(h.bytes + 12, "\xcb\0\x71\x09\xcb\0\x71\x07", 8);
	prepend_frame(f, &h);
}

/* 2001:db8::ff01 > 2001:db8::ff02 */
static void around_ip6(struct frame *f, unsigned next)
{
	struct frame h = { 0 };

	put_ip6(&h, next, f->n);
	h.bytes[22] = h.bytes[38] = 0xff;
	prepend_frame(f, &h);
}

static void around_ethernet(struct frame *f)
{
	struct frame h = { 0 };

	put_ethernet(&h, ethertype_of(f));
	prepend_frame(f, &h);
}

/* The Ethernet header in f gets a tag. */
static void around_tag(struct frame *f, unsigned tag_type, unsigned id)
{
	struct frame h = { 0 };

	put(&h, f->bytes, 12);
	put16(&h, tag_type);
	put16(&h, id);
	memmove(f->bytes, f->bytes + 12, f->n - 12);
	f->n -= 12;
	prepend_frame(f, &h);
}

static void around_vlan(struct frame *f)
{
	around_tag(f, 0x8100, 5);
}

static void around_qinq(struct frame *f)
{
	around_tag(f, 0x8100, 5);
	around_tag(f, 0x88a8, 6);
}

static void around_labels(struct frame *f, unsigned count)
{
	struct frame h = { 0 };

	put_ethernet(&h, 0x8847);
	for (unsigned i = count; i > 0; i--)
		put(&h, (uint8_t[]){ 0, 1, (uint8_t)(0x30 | (i == 1)), 64 }, 4);
	prepend_frame(f, &h);
}

static void around_mpls(struct frame *f)
{
	around_labels(f, 1);
}

static void around_mpls_stack(struct frame *f)
{
	around_labels(f, 4);
}

static void around_control_word(struct frame *f)
{
	prepend(f, "\0\0\x12\x34", 4);
	around_labels(f, 2);
}

static void around_pppoe(struct frame *f)
{
	struct frame h = { 0 };

	put_ethernet(&h, 0x8864);
	put(&h, "\x11\0\0\7", 4);
	put16(&h, f->n + 2);
	put16(&h, holds_ip6(f) ? 0x57 : 0x21);
	prepend_frame(f, &h);
}

static void around_pppoe_mpls(struct frame *f)
{
	struct frame h = { 0 };

	put_ethernet(&h, 0x8864);
	put(&h, "\x11\0\0\7", 4);
	put16(&h, f->n + 6);
	put16(&h, 0x281);
	put(&h, "\0\1\1\x40", 4);
	prepend_frame(f, &h);
}

static void around_gre_fields(struct frame *f, unsigned flags, unsigned type)
{
	struct frame h = { 0 };

	put16(&h, flags);
	put16(&h, type);
	for (unsigned bit = 0x8000; bit >= 0x1000; bit >>= 1)
		if (flags & bit)
			put(&h, "\xde\xad\xbe\xef", 4);
	prepend_frame(f, &h);
}

static void around_gre(struct frame *f)
{
	around_gre_fields(f, 0, ethertype_of(f));
	around_ip4(f, 47);
}

static void around_gre_all_fields_in_ip6(struct frame *f)
{
	around_gre_fields(f, 0xb000, ethertype_of(f));
	around_ip6(f, 47);
}

static void around_gre_mpls(struct frame *f)
{
	prepend(f, "\0\1\1\x40", 4);
	around_gre_fields(f, 0x2000, 0x8847);
	around_ip4(f, 47);
}

static void around_gre_ethernet(struct frame *f)
{
	around_gre_fields(f, 0x2000, 0x6558);
	around_ip4(f, 47);
}

static void around_erspan1(struct frame *f)
{
	around_gre_fields(f, 0, 0x88be);
	around_ip4(f, 47);
}

static void around_erspan2(struct frame *f)
{
	prepend(f, "\x10\5\x18\1\0\0\0\2", 8);
	around_gre_fields(f, 0x1000, 0x88be);
	around_ip4(f, 47);
}

static void around_erspan3(struct frame *f)
{
	prepend(f, "\x20\5\x18\1\1\2\3\4\0\0\x80\0", 12);
	around_gre_fields(f, 0x1000, 0x22eb);
	around_ip4(f, 47);
}

static void around_erspan3_subheader(struct frame *f)
{
	prepend(f, "\x20\5\x18\1\1\2\3\4\0\0\x80\1\x0c\0\0\0\1\2\3\4", 20);
	around_gre_fields(f, 0x1000, 0x22eb);
	around_ip6(f, 47);
}

static void around_erspan3_ip(struct frame *f)
{
	prepend(f, "\x20\5\x18\1\1\2\3\4\0\0\x08\0", 12);
	around_gre_fields(f, 0x1000, 0x22eb);
	around_ip4(f, 47);
}

static void around_udp(struct frame *f, unsigned port)
{
	struct frame h = { 0 };

	put16(&h, 50000);
	put16(&h, port);
	put16(&h, 8 + f->n);
	put16(&h, 0xbad);	/* checksum */
	prepend_frame(f, &h);
}

static void around_vxlan(struct frame *f)
{
	prepend(f, "\x08\0\0\0\0\0\7\0", 8);
	around_udp(f, 4789);
	around_ip4(f, 17);
}

static void around_vxlan_linux(struct frame *f)
{
	prepend(f, "\x88\0\0\1\0\0\7\0", 8);	/* with a group policy */
	around_udp(f, 8472);
	around_ip6(f, 17);
}

static void around_geneve(struct frame *f)
{
	prepend(f, "\0\0\x65\x58\0\0\7\0", 8);
	around_udp(f, 6081);
	around_ip4(f, 17);
}

static void around_geneve_options(struct frame *f)
{
	struct frame h = { 0 };

	put(&h, "\4\x40", 2);
	put16(&h, ethertype_of(f));
	put(&h, "\0\0\7\0", 4);
	put_zero(&h, 16);
	prepend_frame(f, &h);
	around_udp(f, 6081);
	around_ip6(f, 17);
}

/* IP in IP, 6in4 */
static void around_ip_in_ip4(struct frame *f)
{
	around_ip4(f, holds_ip6(f) ? 41 : 4);
}

static void around_ip_in_ip6(struct frame *f)
{
	around_ip6(f, holds_ip6(f) ? 41 : 4);
}

static const struct around {
	const char *name;	/* for a debugger */
	enum kind takes, makes;
	void (*put)(struct frame *f);
} arounds[] = {
	{ "vlan", FRAME, FRAME, around_vlan },
	{ "qinq", FRAME, FRAME, around_qinq },
	{ "mpls", IP, FRAME, around_mpls },
	{ "mpls-stack", IP, FRAME, around_mpls_stack },
	{ "pseudowire", FRAME, FRAME, around_mpls },
	{ "pseudowire-control-word", FRAME, FRAME, around_control_word },
	{ "pppoe", IP, FRAME, around_pppoe },
	{ "pppoe-mpls", IP, FRAME, around_pppoe_mpls },
	{ "gre", IP, IP, around_gre },
	{ "gre-all-fields-in-ip6", IP, IP, around_gre_all_fields_in_ip6 },
	{ "gre-mpls", IP, IP, around_gre_mpls },
	{ "gre-ethernet", FRAME, IP, around_gre_ethernet },
	{ "erspan-1", FRAME, IP, around_erspan1 },
	{ "erspan-2", FRAME, IP, around_erspan2 },
	{ "erspan-3", FRAME, IP, around_erspan3 },
	{ "erspan-3-subheader", FRAME, IP, around_erspan3_subheader },
	{ "erspan-3-ip", IP, IP, around_erspan3_ip },
	{ "vxlan", FRAME, IP, around_vxlan },
	{ "vxlan-linux", FRAME, IP, around_vxlan_linux },
	{ "geneve", FRAME, IP, around_geneve },
	{ "geneve-options-ip", IP, IP, around_geneve_options },
	{ "ip-in-ip4", IP, IP, around_ip_in_ip4 },
	{ "ip-in-ip6", IP, IP, around_ip_in_ip6 },
};
enum { AROUNDS = sizeof arounds / sizeof *arounds };

/* A packet or a frame becomes what is asked for. */
static void turn_into(struct frame *f, enum kind is, enum kind wanted)
{
	if (is == IP && wanted == FRAME)
		around_ethernet(f);
	else if (is == FRAME && wanted == IP)
		around_gre_ethernet(f);
}

static struct frame hello_packet(unsigned version)
{
	struct frame f = { 0 };

	if (version == 4)
		put_ip4(&f, 6, 40 + HELLO, 0, 0);
	else
		put_ip6(&f, 6, 20 + HELLO);
	put_tcp(&f, 20, hello);
	return f;
}

/* A frame of Ethernet with these around a segment, the innermost first. */
static struct frame nested(unsigned version, const struct around *const *chain, unsigned count)
{
	struct frame f = hello_packet(version);
	enum kind kind = IP;

	for (unsigned i = 0; i < count; i++) {
		turn_into(&f, kind, chain[i]->takes);
		chain[i]->put(&f);
		kind = chain[i]->makes;
	}
	turn_into(&f, kind, FRAME);
	return f;
}

static void assert_inner_addresses(const struct packet *p, unsigned version)
{
	assert_address(&p->src, version == 4 ? "192.0.2.1" : "2001:db8::1");
	assert_address(&p->dst, version == 4 ? "198.51.100.2" : "2001:db8::2");
}

static void assert_hello_at_every_cut(const struct frame *f, unsigned version)
{
	uint32_t headers = f->n - HELLO;
	struct packet p;

	assert_hello(1, f);
	for (uint32_t n = 0; n < headers; n++)
		assert_int_equal(decode_n(1, f, n, &p), DECODE_SHORT);
	for (uint32_t n = headers; n <= f->n; n++) {
		assert_int_equal(decode_n(1, f, n, &p), DECODE_TCP);
		assert_int_equal(p.payload_bytes, HELLO);
		assert_int_equal(p.captured_bytes, n - headers);
		assert_inner_addresses(&p, version);
	}
}

static void every_encapsulation_in_every_other_cut_at_every_byte(void **state)
{
	(void)state;
	for (unsigned version = 4; version <= 6; version += 2)
		for (unsigned inner = 0; inner < AROUNDS; inner++)
			for (unsigned outer = 0; outer <= AROUNDS; outer++) {
				const struct around *chain[] = { &arounds[inner], outer < AROUNDS ? &arounds[outer] : NULL };
				struct frame f = nested(version, chain, outer < AROUNDS ? 2 : 1);

				assert_hello_at_every_cut(&f, version);
			}
}

static void three_encapsulations_reach_tcp(void **state)
{
	(void)state;
	for (unsigned i = 0; i < AROUNDS * AROUNDS * AROUNDS; i++) {
		const struct around *chain[] = { &arounds[i % AROUNDS], &arounds[i / AROUNDS % AROUNDS], &arounds[i / AROUNDS / AROUNDS] };
		struct frame f = nested(6, chain, 3);

		assert_hello(1, &f);
	}
}

static void padding_and_trailers_around_tunnels_are_not_payload(void **state)
{
	(void)state;
	for (unsigned i = 0; i < AROUNDS; i++)
		for (uint32_t n = 1; n <= 8; n++) {
			const struct around *chain[] = { &arounds[i] };
			struct frame f = nested(4, chain, 1);

			put(&f, "\xff\xff\xff\xff\xff\xff\xff\xff", n);
			assert_hello(1, &f);
		}
}

/* With any unicast address, also one that looks like the beginning of IP or of a control word; with a tag or without. */
static void pseudowire_is_told_from_ip_by_what_it_holds(void **state)
{
	(void)state;
	for (unsigned first = 0; first < 256; first += 2)
		for (unsigned way = 0; way < 8; way++) {
			struct frame f = hello_packet(way & 4 ? 6 : 4);

			around_ethernet(&f);
			f.bytes[0] = (uint8_t)first;
			memcpy(f.bytes + 1, "\0\x5e\0\1\7", 5);
			if (way & 2)
				around_vlan(&f);
			(way & 1 ? around_control_word : around_mpls)(&f);
			assert_hello(1, &f);
		}
}

/* Of addresses that stand where an Ethernet frame has its type, and say IPv4: 8.0.69.1, 2001:db8:800:4500::1. */
static void ip_behind_labels_is_not_taken_for_a_pseudowire(void **state)
{
	(void)state;
	for (unsigned way = 0; way < 3; way++) {
		struct frame f = hello_packet(way == 1 ? 6 : 4);

		if (way == 2) {
			f.n = 0;
			put_ip4(&f, 6, 44 + HELLO, 0, 4);
			put_tcp(&f, 20, hello);
		}
		memcpy(f.bytes + 12, "\x08\0\x45\1", 4);
		around_mpls(&f);
		assert_hello(1, &f);
	}
	struct frame f = hello_packet(4);
	struct packet p;
	memcpy(f.bytes + 12, "\x08\0\x45\1", 4);
	around_mpls(&f);
	for (uint32_t n = f.n - HELLO; n < f.n; n++)	/* no length to go by */
		assert_int_equal(decode_n(1, &f, n, &p), DECODE_TCP);
}

static void extension_headers_are_counted_for_each_packet(void **state)
{
	struct frame f = { 0 }, chain = { 0 };

	(void)state;
	for (unsigned i = 0; i < EXTENSIONS_MAX; i++) {
		put(&chain, (uint8_t[]){ i + 1 < EXTENSIONS_MAX ? 60 : 41, 0 }, 2);
		put_zero(&chain, 6);
	}
	put_ip6(&f, 0, 8 + 20 + HELLO);
	put(&f, "\6\0\0\0\0\0\0\0", 8);
	put_tcp(&f, 20, hello);
	prepend_frame(&f, &chain);
	around_ip6(&f, 60);
	around_ethernet(&f);
	assert_hello(1, &f);
}

static void associated_channel_of_a_pseudowire_is_not_for_us(void **state)
{
	struct frame f = { 0 };
	struct packet p;

	(void)state;
	put(&f, "\x10\0\0\x21", 4);	/* RFC 4385 5 */
	put_zero(&f, 60);
	around_mpls(&f);
	assert_int_equal(decode(&f, &p), DECODE_OTHER);
}

static void inner_vlan_tags_replace_outer_ones(void **state)
{
	struct packet p;
	struct frame f = hello_packet(4);

	(void)state;
	around_ethernet(&f);
	around_tag(&f, 0x8100, 30);
	around_vxlan(&f);
	around_ethernet(&f);
	around_tag(&f, 0x8100, 10);
	around_tag(&f, 0x88a8, 20);
	assert_hello(1, &f);
	decode(&f, &p);
	assert_int_equal(p.vlan[0], 30);
	assert_int_equal(p.vlan[1], 0);
	f = hello_packet(4);
	around_ethernet(&f);
	around_vxlan(&f);
	around_ethernet(&f);
	around_tag(&f, 0x8100, 10);
	decode(&f, &p);
	assert_int_equal(p.vlan[0], 10);
}

static void frame_cut_by_the_mirroring_switch_is_cut(void **state)
{
	struct frame f = hello_packet(4);
	struct packet p;

	(void)state;
	around_ethernet(&f);
	f.n -= 6;
	around_erspan2(&f);
	around_ethernet(&f);
	assert_int_equal(decode(&f, &p), DECODE_TCP);
	assert_int_equal(p.payload_bytes, HELLO);
	assert_int_equal(p.captured_bytes, HELLO - 6);
}

static void header_beyond_its_tunnel_is_bad(void **state)
{
	struct frame f = hello_packet(4);
	struct packet p;

	(void)state;
	f.n = 19;
	around_ip_in_ip4(&f);
	put_zero(&f, 40);	/* behind the outer packet */
	around_ethernet(&f);
	assert_int_equal(decode(&f, &p), DECODE_BAD);
}

/* What stands at a byte of the outermost IPv4 packet (behind 14 of Ethernet) makes it something else. */
static void odd_tunnels_are_not_for_us(void **state)
{
	static const struct {
		void (*put)(struct frame *f);
		enum kind takes;
		uint32_t at;
		uint8_t value;
	} cases[] = {
		{ around_gre, IP, 34, 0x40 },		/* source routes */
		{ around_gre, IP, 35, 0x01 },		/* PPTP */
		{ around_gre, IP, 36, 0x99 },
		{ around_erspan2, FRAME, 42, 0x00 },
		{ around_erspan3, FRAME, 42, 0x30 },
		{ around_erspan3, FRAME, 52, 0x04 },	/* frame type 1 */
		{ around_vxlan, FRAME, 36, 0 },		/* another port */
		{ around_vxlan, FRAME, 42, 0 },		/* no network number */
		{ around_geneve, FRAME, 42, 0x40 },	/* version */
		{ around_geneve, FRAME, 43, 0x80 },	/* control */
		{ around_geneve, FRAME, 44, 0x77 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct frame f = hello_packet(4);
		struct packet p;

		turn_into(&f, IP, cases[i].takes);
		cases[i].put(&f);
		around_ethernet(&f);
		assert_hello(1, &f);
		f.bytes[cases[i].at] = cases[i].value;
		assert_int_equal(decode(&f, &p), DECODE_OTHER);
	}
}

static void pppoe_discovery_is_not_for_us(void **state)
{
	struct frame f = hello_packet(4);
	struct packet p;

	(void)state;
	around_pppoe(&f);
	f.bytes[15] = 9;
	assert_int_equal(decode(&f, &p), DECODE_OTHER);
	f.bytes[13] = 0x63;
	assert_int_equal(decode(&f, &p), DECODE_OTHER);
}

static void repeat(struct frame *f, void (*put_around)(struct frame *f), unsigned count)
{
	while (count--)
		put_around(f);
}

static void nesting_ends_at_the_cap(void **state)
{
	static const struct {
		void (*put)(struct frame *f);
		enum kind takes;
		unsigned count;
	} bombs[] = {
		{ around_gre, IP, 100 }, { around_ip_in_ip4, IP, 100 }, { around_ip_in_ip6, IP, 90 }, { around_vlan, FRAME, 100 },
		{ around_mpls, FRAME, 100 }, { around_control_word, FRAME, 100 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++) {
		struct frame f = hello_packet(4);
		struct packet p;

		turn_into(&f, IP, bombs[i].takes);
		repeat(&f, bombs[i].put, bombs[i].count);
		turn_into(&f, bombs[i].takes, FRAME);
		assert_int_equal(decode(&f, &p), DECODE_BAD);
	}
	struct frame f = hello_packet(4);
	repeat(&f, around_gre, LIMIT_LAYERS);
	around_ethernet(&f);
	assert_hello(1, &f);
}

/* ---- fragments ---- */

static void assert_fragment(const struct packet *p, uint32_t id, unsigned offset, bool more, unsigned protocol, uint32_t bytes)
{
	assert_int_equal(p->fragment.id, id);
	assert_int_equal(p->fragment.offset, offset);
	assert_int_equal(p->fragment.more, more);
	assert_int_equal(p->fragment.protocol, protocol);
	assert_int_equal(p->payload_bytes, bytes);
}

static void fragment_is_handed_out_with_its_place(void **state)
{
	static const unsigned fields[] = { 0x2000, 0x2001, 0x3fff, 1, 0x1fff };
	struct packet p;

	(void)state;
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		struct frame f = { 0 };

		put_ip4(&f, 6, 20 + 24, fields[i], 0);
		put(&f, "abcdefghijklmnopqrstuvwx", 24);
		around_gre(&f);
		around_ethernet(&f);
		put_zero(&f, 3);
		assert_int_equal(decode(&f, &p), DECODE_FRAGMENT);
		assert_fragment(&p, 0x1234, (fields[i] & 0x1fff) * 8, fields[i] >> 13, 6, 24);
		assert_inner_addresses(&p, 4);
		assert_int_equal(p.fragment.layers, 1);
		assert_int_equal(p.captured_bytes, 24);
		assert_memory_equal(p.payload, "abcdefghijklmnopqrstuvwx", 24);
		assert_int_equal(decode_n(1, &f, f.n - 3 - 10, &p), DECODE_FRAGMENT);
		assert_int_equal(p.payload_bytes, 24);
		assert_int_equal(p.captured_bytes, 14);
	}
}

static void ip6_fragment_is_handed_out_with_its_place(void **state)
{
	struct frame f = { 0 };
	struct packet p;

	(void)state;
	put_ip6(&f, 0, 8 + 8 + 16);
	put(&f, "\x2c\0\0\0\0\0\0\0", 8);
	put(&f, "\6\0\1\x81\xca\xfe\0\1", 8);
	put(&f, "abcdefghijklmnop", 16);
	around_ip_in_ip4(&f);
	around_ethernet(&f);
	assert_int_equal(decode(&f, &p), DECODE_FRAGMENT);
	assert_fragment(&p, 0xcafe0001, 0x180, true, 6, 16);
	assert_inner_addresses(&p, 6);
	assert_memory_equal(p.payload, "abcdefghijklmnop", 16);
}

static void fragments_of_protocols_without_tcp_are_not_for_us(void **state)
{
	static const unsigned others[] = { 1, 2, 50, 89, 132 };
	struct packet p;

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		struct frame f = { 0 };

		put_ip4(&f, others[i], 28, 0x2000, 0);
		put_zero(&f, 8);
		around_ethernet(&f);
		assert_int_equal(decode(&f, &p), DECODE_OTHER);
	}
}

static struct packet datagram_of(const struct frame *f, unsigned version, unsigned protocol)
{
	struct packet d = { .payload = f->bytes, .payload_bytes = f->n, .captured_bytes = f->n, .vlan = { 7, 8 }, .fragment.protocol = (uint8_t)protocol };

	d.src.version = d.dst.version = (uint8_t)version;
	d.src.bytes[0] = d.dst.bytes[0] = 10;
	return d;
}

static void datagram_is_decoded_like_a_packet(void **state)
{
	struct frame f = { 0 };
	struct packet p, d;

	(void)state;
	put_tcp(&f, 20, hello);
	d = datagram_of(&f, 4, 6);
	assert_int_equal(decode_datagram(&any_tunnel, &d, &p), DECODE_TCP);
	assert_int_equal(p.payload_bytes, HELLO);
	assert_memory_equal(&p.src, &d.src, sizeof p.src);
	assert_int_equal(p.vlan[0], 7);
	assert_int_equal(p.vlan[1], 8);
	d.captured_bytes = 25;
	assert_int_equal(decode_datagram(&any_tunnel, &d, &p), DECODE_TCP);
	assert_int_equal(p.captured_bytes, 5);
	d.captured_bytes = 19;
	assert_int_equal(decode_datagram(&any_tunnel, &d, &p), DECODE_SHORT);
	d.payload_bytes = 19;
	assert_int_equal(decode_datagram(&any_tunnel, &d, &p), DECODE_BAD);
	d = datagram_of(&f, 4, 50);
	assert_int_equal(decode_datagram(&any_tunnel, &d, &p), DECODE_OTHER);
	d = datagram_of(&f, 4, 6);
	d.fragment.layers = LIMIT_LAYERS;
	assert_int_equal(decode_datagram(&any_tunnel, &d, &p), DECODE_BAD);
}

static void datagram_may_hold_a_tunnel(void **state)
{
	struct frame f = hello_packet(6);
	struct packet p, d;

	(void)state;
	around_ethernet(&f);
	around_vlan(&f);
	around_vxlan(&f);
	memmove(f.bytes, f.bytes + 20, f.n -= 20);
	d = datagram_of(&f, 4, 17);
	assert_int_equal(decode_datagram(&any_tunnel, &d, &p), DECODE_TCP);
	assert_inner_addresses(&p, 6);
	assert_int_equal(p.vlan[0], 5);
	assert_int_equal(p.vlan[1], 0);
	f = hello_packet(4);
	f.bytes[6] = 0x20;
	d = datagram_of(&f, 6, 4);
	assert_int_equal(decode_datagram(&any_tunnel, &d, &p), DECODE_FRAGMENT);
	assert_int_equal(p.fragment.layers, 2);
	assert_inner_addresses(&p, 4);
}

/* ---- whose tunnels ---- */

static uint32_t tunnel_of(const struct frame *f)
{
	struct packet p;

	assert_int_equal(decode(f, &p), DECODE_TCP);
	return p.tunnel;
}

/* The outer addresses of IPv4 in an Ethernet frame change places. */
static void turn_around(struct frame *f)
{
	uint8_t src[4];

	memcpy(src, f->bytes + 26, 4);
	memcpy(f->bytes + 26, f->bytes + 30, 4);
	memcpy(f->bytes + 30, src, 4);
}

static void tunnels_are_told_apart_by_their_endpoints(void **state)
{
	(void)state;
	for (unsigned i = 0; i < AROUNDS; i++) {
		const struct around *chain[] = { &arounds[i], &arounds[i] };
		struct frame f = nested(4, chain, 1), twice = nested(4, chain, 2);
		uint32_t tunnel = tunnel_of(&f);

		if (arounds[i].makes == FRAME) {
			assert_int_equal(tunnel, 0);	/* tags and labels are given by our own switches */
			continue;
		}
		assert_true(tunnel & TUNNEL_BIT && tunnel & TUNNEL_UNNAMED_BIT);
		assert_int_not_equal(tunnel_of(&twice), tunnel);
		if (f.bytes[12] != 8)
			continue;
		turn_around(&f);
		assert_int_equal(tunnel_of(&f), tunnel);
		f.bytes[29]++;
		assert_int_not_equal(tunnel_of(&f), tunnel);
	}
}

static void only_tunnels_between_named_networks_are_looked_into(void **state)
{
	static const struct {
		const char *named[2];
		enum decode_result result;
	} cases[] = {
		{ { NULL }, DECODE_TUNNEL },
		{ { "203.0.113.0/24" }, DECODE_TCP },
		{ { "203.0.113.7", "203.0.113.9" }, DECODE_TCP },
		{ { "203.0.113.7" }, DECODE_TUNNEL },
		{ { "2001:db8::/32", "192.0.2.0/24" }, DECODE_TUNNEL },
	};
	struct frame f = hello_packet(4), plain = ip4_frame(), nested_frame;
	struct packet p;

	(void)state;
	around_ip_in_ip4(&f);
	nested_frame = f;
	around_ethernet(&f);
	around_ip_in_ip6(&nested_frame);
	around_ethernet(&nested_frame);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ip_prefix named[2];
		struct decode_tunnels t = { .only_named = true, .named = named };

		for (; t.count < 2 && cases[i].named[t.count]; t.count++)
			assert_int_equal(ip_prefix_parse(cases[i].named[t.count], &named[t.count]), 0);
		assert_int_equal(decode_frame(&t, 1, nested_frame.bytes, nested_frame.n, &p), DECODE_TUNNEL);
		assert_int_equal(decode_frame(&t, 1, f.bytes, f.n, &p), cases[i].result);
		if (cases[i].result == DECODE_TCP)
			assert_int_equal(p.tunnel, TUNNEL_NAMED);
		assert_int_equal(decode_frame(&t, 1, plain.bytes, plain.n, &p), DECODE_TCP);
		assert_int_equal(p.tunnel, 0);
	}
}

/* ---- any bytes ---- */

static void assert_within_frame(const struct frame *f, uint32_t n)
{
	struct packet p;
	enum decode_result r = decode_n(1, f, n, &p);

	if (r != DECODE_TCP && r != DECODE_FRAGMENT)
		return;
	assert_true(p.captured_bytes <= p.payload_bytes);
	assert_true(p.captured_bytes <= n);
	for (uint32_t i = 0; i < p.captured_bytes; i++)
		(void)*(const volatile uint8_t *)(p.payload + i);
}

static void assert_any_byte_stays_within(const struct frame *original, uint32_t step)
{
	struct frame f = *original;

	for (uint32_t at = 12; at < f.n; at++) {
		for (unsigned value = 0; value < 256; value++) {
			f.bytes[at] = (uint8_t)value;
			for (uint32_t n = at + 1; n <= f.n; n += step)
				assert_within_frame(&f, n);
			assert_within_frame(&f, f.n);
		}
		f.bytes[at] = original->bytes[at];
	}
}

static void any_byte_anywhere_stays_within_the_frame(void **state)
{
	struct frame v4 = ip4_frame(), v6 = { 0 };

	(void)state;
	put_ethernet(&v6, 0x86dd);
	put_ip6(&v6, 0, 8 + 8 + 20 + HELLO);
	put(&v6, "\x2c\0\0\0\0\0\0\0\6\0\0\0\0\0\0\0", 16);
	put_tcp(&v6, 20, hello);
	assert_any_byte_stays_within(&v4, 5);
	assert_any_byte_stays_within(&v6, 5);
	for (unsigned i = 0; i < AROUNDS; i++) {
		const struct around *chain[] = { &arounds[i] };
		struct frame f = nested(4, chain, 1);

		assert_any_byte_stays_within(&f, 23);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip4_segment_is_decoded),
		cmocka_unit_test(ip4_and_tcp_options_are_skipped),
		cmocka_unit_test(ethernet_padding_is_not_payload),
		cmocka_unit_test(total_length_zero_means_the_frame),
		cmocka_unit_test(frame_cut_at_every_byte),
		cmocka_unit_test(fragments_are_told),
		cmocka_unit_test(lengths_that_contradict_are_bad),
		cmocka_unit_test(other_protocols_are_not_for_us),
		cmocka_unit_test(vlan_tags_are_kept_outer_first),
		cmocka_unit_test(more_vlan_tags_are_skipped),
		cmocka_unit_test(ip6_segment_is_decoded),
		cmocka_unit_test(ip6_extension_headers_are_skipped),
		cmocka_unit_test(too_many_extension_headers_are_bad),
		cmocka_unit_test(ip6_extension_header_beyond_the_packet_is_bad),
		cmocka_unit_test(ip6_fragments_are_told_from_atomic_ones),
		cmocka_unit_test(ip6_without_tcp_is_not_for_us),
		cmocka_unit_test(every_link_type_reaches_tcp),
		cmocka_unit_test(cooked_and_raw_carry_ip6_and_vlan),
		cmocka_unit_test(unknown_link_type_is_refused),
		cmocka_unit_test(every_encapsulation_in_every_other_cut_at_every_byte),
		cmocka_unit_test(three_encapsulations_reach_tcp),
		cmocka_unit_test(padding_and_trailers_around_tunnels_are_not_payload),
		cmocka_unit_test(pseudowire_is_told_from_ip_by_what_it_holds),
		cmocka_unit_test(ip_behind_labels_is_not_taken_for_a_pseudowire),
		cmocka_unit_test(extension_headers_are_counted_for_each_packet),
		cmocka_unit_test(associated_channel_of_a_pseudowire_is_not_for_us),
		cmocka_unit_test(inner_vlan_tags_replace_outer_ones),
		cmocka_unit_test(frame_cut_by_the_mirroring_switch_is_cut),
		cmocka_unit_test(header_beyond_its_tunnel_is_bad),
		cmocka_unit_test(odd_tunnels_are_not_for_us),
		cmocka_unit_test(pppoe_discovery_is_not_for_us),
		cmocka_unit_test(nesting_ends_at_the_cap),
		cmocka_unit_test(fragment_is_handed_out_with_its_place),
		cmocka_unit_test(ip6_fragment_is_handed_out_with_its_place),
		cmocka_unit_test(fragments_of_protocols_without_tcp_are_not_for_us),
		cmocka_unit_test(datagram_is_decoded_like_a_packet),
		cmocka_unit_test(datagram_may_hold_a_tunnel),
		cmocka_unit_test(tunnels_are_told_apart_by_their_endpoints),
		cmocka_unit_test(only_tunnels_between_named_networks_are_looked_into),
		cmocka_unit_test(any_byte_anywhere_stays_within_the_frame),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
