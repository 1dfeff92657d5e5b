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
	uint8_t bytes[1024];
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
	static const uint8_t zero[1024];

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
	return decode_frame(linktype, page + size - n, n, out);
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

static void third_vlan_tag_is_not_for_us(void **state)
{
	struct frame f = { 0 };
	struct packet p;

	(void)state;
	put_ethernet(&f, 0x8100);
	put_vlan(&f, 1, 0x8100);
	put_vlan(&f, 2, 0x8100);
	put_vlan(&f, 3, 0x0800);
	put_ip4(&f, 6, 40, 0, 0);
	put_tcp(&f, 20, "");
	assert_int_equal(decode(&f, &p), DECODE_OTHER);
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

static void assert_within_frame(const struct frame *f, uint32_t n)
{
	struct packet p;

	if (decode_n(1, f, n, &p) != DECODE_TCP)
		return;
	assert_true(p.captured_bytes <= p.payload_bytes);
	assert_true(p.captured_bytes <= n);
	for (uint32_t i = 0; i < p.captured_bytes; i++)
		(void)*(const volatile uint8_t *)(p.payload + i);
}

static void any_byte_anywhere_stays_within_the_frame(void **state)
{
	struct frame v6 = { 0 };

	(void)state;
	put_ethernet(&v6, 0x86dd);
	put_ip6(&v6, 0, 8 + 8 + 20 + HELLO);
	put(&v6, "\x2c\0\0\0\0\0\0\0\6\0\0\0\0\0\0\0", 16);
	put_tcp(&v6, 20, hello);
	const struct frame frames[] = { ip4_frame(), v6 };
	for (int i = 0; i < 2; i++)
		for (uint32_t at = 12; at < frames[i].n; at++)
			for (unsigned value = 0; value < 256; value++) {
				struct frame f = frames[i];

				f.bytes[at] = (uint8_t)value;
				for (uint32_t n = at + 1; n <= f.n; n += 5)
					assert_within_frame(&f, n);
				assert_within_frame(&f, f.n);
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
		cmocka_unit_test(third_vlan_tag_is_not_for_us),
		cmocka_unit_test(ip6_segment_is_decoded),
		cmocka_unit_test(ip6_extension_headers_are_skipped),
		cmocka_unit_test(too_many_extension_headers_are_bad),
		cmocka_unit_test(ip6_extension_header_beyond_the_packet_is_bad),
		cmocka_unit_test(ip6_fragments_are_told_from_atomic_ones),
		cmocka_unit_test(ip6_without_tcp_is_not_for_us),
		cmocka_unit_test(every_link_type_reaches_tcp),
		cmocka_unit_test(cooked_and_raw_carry_ip6_and_vlan),
		cmocka_unit_test(unknown_link_type_is_refused),
		cmocka_unit_test(any_byte_anywhere_stays_within_the_frame),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
