/*
 * Unit tests of ipfrag.c: pieces of a datagram go in, in any order; then mail sessions whose packets are all fragments, through the pipeline.
 * Each piece is handed in as memory of just its size.
 */
#include "sensor/ipfrag.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/buf.h"
#include "sensor/pipeline.h"
#include "tests/unit/facts.h"

#define SECOND UINT64_C(1000000)
#define START (UINT64_C(1700000040) * SECOND)
#define MEMORY ((size_t)1 << 20)

static const struct siphash_key hash_key = { { 1, 2 } };
static uint8_t data[DATAGRAM_MAX + 1000];	/* what all datagrams here hold */

static int make_data(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	return 0;
}

static uint32_t random_below(uint32_t n)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 32) % n;
}

struct piece {
	uint32_t offset, n;
	bool more;
};

static struct packet packet_of(uint8_t version, uint32_t id, const struct piece *c)
{
	struct packet p = { .src = { version, { 192, 0, 2, 1 } }, .dst = { version, { 198, 51, 100, 2 } }, .payload_bytes = c->n,
			    .captured_bytes = c->n, .fragment = { id, (uint16_t)c->offset, c->more, 6, 0 } };

	return p;
}

static bool push_bytes(struct ipfrag *f, struct packet p, const uint8_t *bytes, uint64_t now_us, struct packet *out)
{
	uint8_t *copy = xmalloc(p.captured_bytes + 1u);
	uint8_t *exact = copy + 1;	/* unaligned, too */

	memcpy(exact, bytes, p.captured_bytes);
	p.payload = exact;
	bool whole = ipfrag_push(f, &p, now_us, out);
	free(copy);
	return whole;
}

static bool push_at(struct ipfrag *f, uint32_t id, const struct piece *c, uint64_t now_us, struct packet *out)
{
	return push_bytes(f, packet_of(4, id, c), data + c->offset, now_us, out);
}

static void push_more(struct ipfrag *f, uint32_t id, const struct piece *c)
{
	struct packet whole;

	assert_false(push_at(f, id, c, START, &whole));
}

static void assert_data(const struct packet *whole, uint32_t total)
{
	assert_int_equal(whole->payload_bytes, total);
	assert_int_equal(whole->captured_bytes, total);
	assert_memory_equal(whole->payload, data, total);
	assert_int_equal(whole->fragment.protocol, 6);
}

/* This piece makes it whole. */
static void push_last(struct ipfrag *f, uint32_t id, const struct piece *c, uint32_t total)
{
	struct packet whole;

	assert_true(push_at(f, id, c, START, &whole));
	assert_data(&whole, total);
}

static struct ipfrag_totals totals_of(const struct ipfrag *f)
{
	struct ipfrag_totals t;

	ipfrag_totals(f, &t);
	return t;
}

/* Lets go of all and looks whether all memory came back. */
static struct ipfrag_totals finish(struct ipfrag *f)
{
	ipfrag_flush(f);
	struct ipfrag_totals t = totals_of(f);
	assert_int_equal(f->datagram_count, 0);
	assert_int_equal(f->page_count, 0);
	for (uint32_t i = 0; i <= f->chain_mask; i++)
		assert_int_equal(f->chain[i], 0);
	ipfrag_free(f);
	return t;
}

static void assert_clean(struct ipfrag *f, uint64_t datagrams)
{
	struct ipfrag_totals t = finish(f);

	assert_int_equal(t.datagrams, datagrams);
	assert_int_equal(t.lost + t.odd + t.overlaps + t.timed_out + t.evicted, 0);
}

/* ---- order ---- */

static const struct piece five[] = { { 0, 8, true }, { 8, 1480, true }, { 1488, 1024, true }, { 2512, 512, true }, { 3024, 99, false } };
enum { FIVE = 5, FIVE_TOTAL = 3123 };

static void pieces_in_every_order_make_the_datagram(void **state)
{
	struct ipfrag *f = ipfrag_new(&hash_key, MEMORY);
	uint32_t id = 0;

	(void)state;
	for (unsigned order = 0; order < FIVE * FIVE * FIVE * FIVE * FIVE; order++) {
		unsigned used = 0, place[FIVE];

		for (unsigned i = 0, rest = order; i < FIVE; i++, rest /= FIVE)
			used |= 1u << (place[i] = rest % FIVE);
		if (used != 31)
			continue;
		for (unsigned i = 0; i < FIVE - 1; i++)
			push_more(f, id, &five[place[i]]);
		push_last(f, id++, &five[place[FIVE - 1]], FIVE_TOTAL);
	}
	assert_int_equal(id, 120);
	assert_clean(f, 120);
}

static void pieces_of_several_datagrams_do_not_mix(void **state)
{
	struct ipfrag *f = ipfrag_new(&hash_key, MEMORY);

	(void)state;
	for (unsigned i = 0; i < FIVE - 1; i++)
		for (uint32_t id = 0; id < 60; id++)
			push_more(f, id, &five[i]);
	for (uint32_t id = 60; id-- > 0;)
		push_last(f, id, &five[FIVE - 1], FIVE_TOTAL);
	assert_clean(f, 60);
}

static void longest_datagram_in_the_shortest_pieces(void **state)
{
	struct ipfrag *f = ipfrag_new(&hash_key, 0);
	struct piece c = { 65528, 7, false };

	(void)state;
	push_more(f, 1, &c);
	for (c = (struct piece){ 65520, 8, true }; c.offset > 0; c.offset -= 8)
		push_more(f, 1, &c);
	push_last(f, 1, &c, 65535);
	assert_clean(f, 1);
}

static void every_length_of_the_last_piece(void **state)
{
	struct ipfrag *f = ipfrag_new(&hash_key, MEMORY);

	(void)state;
	for (uint32_t n = 1; n < 2200; n++) {
		push_more(f, n, &(struct piece){ 0, 1016, true });
		push_last(f, n, &(struct piece){ 1016, n, false }, 1016 + n);
		ipfrag_flush(f);
	}
	assert_clean(f, 2199);
}

/* ---- the same bytes again, and others ---- */

static void copies_change_nothing_and_begin_nothing(void **state)
{
	struct ipfrag *f = ipfrag_new(&hash_key, MEMORY);
	struct packet whole;

	(void)state;
	for (unsigned i = 0; i < FIVE - 1; i++) {
		push_more(f, 1, &five[i]);
		push_more(f, 1, &five[i / 2]);
	}
	push_last(f, 1, &five[FIVE - 1], FIVE_TOTAL);
	for (unsigned i = 0; i < FIVE; i++)
		push_more(f, 1, &five[i]);
	/* a number that is used again later is another datagram */
	for (unsigned i = 0; i < FIVE; i++)
		assert_int_equal(push_at(f, 1, &five[i], START + LIMIT_FRAGMENT_LATE_US, &whole), i == FIVE - 1);
	assert_data(&whole, FIVE_TOTAL);
	assert_clean(f, 2);
}

static void first_bytes_win_where_pieces_overlap(void **state)
{
	struct ipfrag *f = ipfrag_new(&hash_key, MEMORY);
	struct piece c = { 0, 1600, true };
	uint8_t other[1600];
	struct packet whole;

	(void)state;
	memset(other, 0x5a, sizeof other);
	push_more(f, 1, &(struct piece){ 800, 8, true });
	assert_false(push_bytes(f, packet_of(4, 1, &c), other, START, &whole));
	assert_int_equal(totals_of(f).overlaps, 1);
	c = (struct piece){ 1592, 16, false };
	assert_true(push_at(f, 1, &c, START, &whole));
	assert_int_equal(totals_of(f).overlaps, 2);
	assert_int_equal(whole.payload_bytes, 1608);
	assert_memory_equal(whole.payload, other, 800);
	assert_memory_equal(whole.payload + 800, data + 800, 8);
	assert_memory_equal(whole.payload + 808, other, 1600 - 808);
	assert_memory_equal(whole.payload + 1600, data + 1600, 8);
	finish(f);
}

/* Against the simplest way to do it: one byte after the other. */
static void random_overlaps_agree_with_a_byte_by_byte_model(void **state)
{
	struct ipfrag *f = ipfrag_new(&hash_key, MEMORY);
	static uint8_t want[DATAGRAM_MAX], bytes[DATAGRAM_MAX];
	static bool seen[DATAGRAM_MAX];

	(void)state;
	for (uint32_t id = 0; id < 400; id++) {
		uint32_t total = 1 + random_below(id % 50 ? 5000 : DATAGRAM_MAX - 1), missing = total, pushes = 0;
		bool last_seen = false, whole = false;
		struct packet out;

		memset(seen, 0, total);
		while (!whole && pushes++ < 5000) {
			struct piece c = { random_below((total + 7) / 8) * 8, (1 + random_below(300)) * 8, true };

			if (c.offset + c.n >= total || pushes % 8 == 0)
				c.n = total - c.offset, c.more = false;
			for (uint32_t i = 0; i < c.n; i++) {
				bytes[i] = (uint8_t)random_below(256);
				if (seen[c.offset + i])
					continue;
				seen[c.offset + i] = true;
				want[c.offset + i] = bytes[i];
				missing--;
			}
			last_seen |= !c.more;
			whole = push_bytes(f, packet_of(6, id, &c), bytes, START, &out);
			assert_int_equal(whole, last_seen && missing == 0);
		}
		if (whole)
			assert_memory_equal(out.payload, want, total);
	}
	assert_true(totals_of(f).datagrams > 380);
	assert_int_equal(totals_of(f).odd, 0);
	finish(f);
}

/* ---- what contradicts ---- */

static void pieces_that_contradict_the_end_are_odd(void **state)
{
	static const struct piece odd[] = { { 800, 400, true }, { 0, 1008, true }, { 992, 9, false }, { 500 / 8 * 8, 8, false } };
	struct ipfrag *f = ipfrag_new(&hash_key, MEMORY);

	(void)state;
	push_more(f, 1, &(struct piece){ 992, 8, false });
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
		push_more(f, 1, &odd[i]);
	push_last(f, 1, &(struct piece){ 0, 992, true }, 1000);
	assert_int_equal(finish(f).odd, 4);

	f = ipfrag_new(&hash_key, MEMORY);
	push_more(f, 1, &(struct piece){ 800, 400, true });
	push_more(f, 1, &(struct piece){ 992, 8, false });	/* an end before that */
	assert_int_equal(finish(f).odd, 1);
}

static void impossible_pieces_are_odd(void **state)
{
	static const struct piece odd[] = { { 65528, 8, false }, { 65528, 8, true }, { 65000, 600, true }, { 0, 0, true }, { 80, 0, false },
					    { 0, 7, true } };
	struct ipfrag *f = ipfrag_new(&hash_key, MEMORY);

	(void)state;
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
		push_more(f, 1, &odd[i]);
	assert_int_equal(f->datagram_count, 0);
	assert_int_equal(finish(f).odd, sizeof odd / sizeof *odd);
}

static void piece_that_does_not_end_on_a_unit_is_shortened(void **state)
{
	struct ipfrag *f = ipfrag_new(&hash_key, MEMORY);

	(void)state;
	push_more(f, 1, &(struct piece){ 0, 103, true });
	push_more(f, 1, &(struct piece){ 104, 10, false });
	push_last(f, 1, &(struct piece){ 96, 8, true }, 114);
	assert_clean(f, 1);
}

/* ---- what belongs together ---- */

static void datagrams_are_told_apart_by_what_the_rfcs_say(void **state)
{
	struct packet base = packet_of(4, 1, &five[0]), out;
	struct packet others[6];

	(void)state;
	for (int i = 0; i < 6; i++)
		others[i] = base;
	others[0].fragment.id = 2;
	others[1].src.bytes[3] = 77;
	others[2].dst.bytes[3] = 77;
	others[3].fragment.protocol = 17;
	others[4].src.version = others[4].dst.version = 6;
	others[5].fragment.id = 0x10001;	/* 32 bits in IPv6 */
	struct ipfrag *f = ipfrag_new(&hash_key, MEMORY);
	push_bytes(f, base, data, START, &out);
	for (int i = 0; i < 6; i++)
		assert_false(push_bytes(f, others[i], data, START, &out));
	assert_int_equal(f->datagram_count, 7);
	base.vlan[0] = 9;	/* the same packet in two VLANs of a mirror */
	base.fragment.layers = 3;
	assert_false(push_bytes(f, base, data, START, &out));
	assert_int_equal(f->datagram_count, 7);
	finish(f);
}

static void protocol_of_the_first_piece_counts_in_ip6(void **state)
{
	struct ipfrag *f = ipfrag_new(&hash_key, MEMORY);
	struct packet last = packet_of(6, 9, &(struct piece){ 16, 5, false }), first = packet_of(6, 9, &(struct piece){ 0, 16, true }), out;

	(void)state;
	last.fragment.protocol = 59;
	last.vlan[0] = 3;
	last.fragment.layers = 2;
	first.vlan[0] = 4;
	first.vlan[1] = 5;
	assert_false(push_bytes(f, last, data + 16, START, &out));
	assert_true(push_bytes(f, first, data, START, &out));
	assert_data(&out, 21);
	assert_memory_equal(&out.src, &first.src, sizeof out.src);
	assert_memory_equal(&out.dst, &first.dst, sizeof out.dst);
	assert_int_equal(out.vlan[0], 4);
	assert_int_equal(out.vlan[1], 5);
	assert_int_equal(out.fragment.layers, 2);
	assert_clean(f, 1);
}

/* ---- the snap length ---- */

static void pieces_cut_by_the_snap_length_leave_the_end_uncaptured(void **state)
{
	static const struct { uint32_t cut[2], captured; } cases[] = {
		{ { 0, 0 }, 1005 }, { { 0, 5 }, 1000 }, { { 0, 205 }, 800 }, { { 100, 0 }, 700 }, { { 100, 205 }, 700 }, { { 795, 205 }, 5 },
		{ { 800, 0 }, 0 },
	};
	struct ipfrag *f = ipfrag_new(&hash_key, MEMORY);
	uint32_t id = 0;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (unsigned order = 0; order < 2; order++) {
			const struct piece c[2] = { { 0, 800, true }, { 800, 205, false } };
			struct packet out;

			id++;
			for (unsigned k = 0; k < 2; k++) {
				unsigned which = k ^ order;
				struct packet p = packet_of(4, id, &c[which]);

				p.captured_bytes -= cases[i].cut[which];
				assert_int_equal(push_bytes(f, p, data + c[which].offset, START, &out), k == 1);
			}
			assert_int_equal(out.payload_bytes, 1005);
			assert_int_equal(out.captured_bytes, cases[i].captured);
			assert_memory_equal(out.payload, data, out.captured_bytes);
		}
	assert_clean(f, id);
}

/* ---- time ---- */

static void hole_is_waited_for_and_then_given_up(void **state)
{
	struct ipfrag *f = ipfrag_new(&hash_key, MEMORY);
	struct packet out;

	(void)state;
	assert_false(push_at(f, 1, &five[0], START, &out));
	assert_false(push_at(f, 2, &five[0], START, &out));
	for (unsigned i = 1; i < FIVE; i++)
		assert_int_equal(push_at(f, 1, &five[i], START + LIMIT_FRAGMENT_HOLE_US - 1, &out), i == FIVE - 1);
	assert_data(&out, FIVE_TOTAL);
	for (unsigned i = 1; i < FIVE; i++)
		assert_false(push_at(f, 2, &five[i], START + LIMIT_FRAGMENT_HOLE_US, &out));
	struct ipfrag_totals t = totals_of(f);
	assert_int_equal(t.timed_out, 1);
	assert_int_equal(t.lost, 1);
	t = finish(f);
	assert_int_equal(t.datagrams, 1);
	assert_int_equal(t.timed_out, 2);
	assert_int_equal(t.lost, 1 + FIVE - 1);
	assert_int_equal(t.fragments, 2 + 2 * (FIVE - 1));
}

/* ---- memory ---- */

static void flood_of_first_pieces_stays_bounded(void **state)
{
	static const uint32_t sizes[] = { 8, 1480, 65528 };

	(void)state;
	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		struct ipfrag *f = ipfrag_new(&hash_key, MEMORY);
		uint32_t count = sizes[k] == 65528 ? 20000 : 1000000;
		struct packet p = packet_of(4, 0, &(struct piece){ 0, sizes[k], true }), out;

		p.payload = data;
		for (uint32_t i = 0; i < count; i++) {
			p.fragment.id = i;
			p.src.bytes[1] = (uint8_t)(i >> 16);
			assert_false(ipfrag_push(f, &p, START + i, &out));
			if (i % 1000 == 0)
				assert_true(ipfrag_memory_bytes(f) <= MEMORY);
		}
		assert_true(ipfrag_memory_bytes(f) <= MEMORY);
		for (unsigned i = 0; i < FIVE; i++)
			assert_int_equal(push_at(f, UINT32_MAX, &five[i], START + count, &out), i == FIVE - 1);
		assert_data(&out, FIVE_TOTAL);
		struct ipfrag_totals t = finish(f);
		assert_int_equal(t.lost, count);
		assert_int_equal(t.evicted + t.timed_out, count);
		assert_int_equal(t.datagrams, 1);
	}
}

/* Pieces that touch as much memory as they can: one for each page. */
static void scattered_pieces_stay_bounded(void **state)
{
	struct ipfrag *f = ipfrag_new(&hash_key, MEMORY);
	struct packet out;

	(void)state;
	for (uint32_t id = 0; id < 3000; id++)
		for (uint32_t offset = 8; offset < 65000; offset += PAGE_BYTES) {
			push_more(f, id, &(struct piece){ offset, 8, true });
			assert_true(ipfrag_memory_bytes(f) <= MEMORY);
		}
	for (unsigned i = 0; i < FIVE; i++)
		assert_int_equal(push_at(f, UINT32_MAX, &five[i], START, &out), i == FIVE - 1);
	finish(f);
}

static void oldest_makes_room_but_not_for_itself(void **state)
{
	struct ipfrag *f = ipfrag_new(&hash_key, 0);	/* room for two of the longest */
	struct piece c = { 0, 32768, true };

	(void)state;
	for (uint32_t id = 1; id <= 4; id++)
		push_more(f, id, &c);
	assert_int_equal(f->page_count, f->capacity);
	push_last(f, 1, &(struct piece){ 32768, 32767, false }, 65535);	/* in place of 2 */
	assert_int_equal(totals_of(f).evicted, 1);
	push_last(f, 3, &(struct piece){ 32768, 8, false }, 32776);
	push_last(f, 4, &(struct piece){ 32768, 8, false }, 32776);
	struct ipfrag_totals t = finish(f);
	assert_int_equal(t.evicted, 1);
	assert_int_equal(t.lost, 1);
}

static void done_datagrams_make_room_first(void **state)
{
	struct ipfrag *f = ipfrag_new(&hash_key, 0);

	(void)state;
	push_more(f, 0, &(struct piece){ 0, 8, true });
	for (uint32_t id = 1; id < 1000; id++) {
		push_more(f, id, &(struct piece){ 0, 8, true });
		push_last(f, id, &(struct piece){ 8, 3, false }, 11);
	}
	push_last(f, 0, &(struct piece){ 8, 3, false }, 11);
	assert_clean(f, 1000);
}

static void any_ceiling_works(void **state)
{
	(void)state;
	for (size_t memory = 0; memory < (size_t)3 << 20; memory += 100003) {
		struct ipfrag *f = ipfrag_new(&hash_key, memory);

		for (uint32_t id = 0; id < 5000; id++)
			push_more(f, id, &(struct piece){ 1480, 1480, true });
		assert_true(f->capacity == MIN_PAGES || ipfrag_memory_bytes(f) <= memory);
		finish(f);
	}
}

/* ---- a mail session, through the pipeline ---- */

static const struct line { char who; const char *text; } dialogue[] = {
	{ 's', "220 mx.example.net ESMTP\r\n" },
	{ 'c', "EHLO client.example.org\r\n" },
	{ 's', "250-mx.example.net\r\n250 PIPELINING\r\n" },
	{ 'c', "MAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nRCPT TO:<nobody@example.net>\r\nDATA\r\n" },
	{ 's', "250 2.1.0 ok\r\n250 2.1.5 ok\r\n550 5.1.1 no such user\r\n354 go on\r\n" },
	{ 'c', "From: MAILER-DAEMON@client.example.org\r\nMessage-ID: <1@client.example.org>\r\nSubject: Undelivered Mail Returned to Sender\r\n"
	       "Auto-Submitted: auto-replied\r\n\r\nI'm sorry to have to inform you that your message could not be delivered.\r\n.\r\n" },
	{ 's', "250 2.0.0 Ok: queued as 4AB3C12345\r\n" },
	{ 'c', "QUIT\r\n" },
	{ 's', "221 2.0.0 bye\r\n" },
};

enum tunnel { NO_TUNNEL, GRE, VXLAN };

struct manner {
	uint8_t version;
	uint32_t piece_bytes;		/* of the packet with the segment; 0: not in pieces */
	enum tunnel tunnel;
	uint32_t outer_piece_bytes;	/* of the tunnel's packets */
	bool backwards, twice;
};

struct wire {
	struct pipeline *p;
	const struct manner *m;
	uint64_t now_us;
	uint16_t id;
};

struct bytes {
	uint8_t p[4096];
	uint32_t n;
};

static void add(struct bytes *b, const void *p, uint32_t n)
{
	assert_true(b->n + n <= sizeof b->p);
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static void add16(struct bytes *b, unsigned v)
{
	add(b, (uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

static void add32(struct bytes *b, uint32_t v)
{
	add16(b, v >> 16);
	add16(b, v & 0xffff);
}

/* field: as in IPv4, offset in units and 0x2000; IPv6 gets a header for it when it is not 0 */
static void add_ip(struct bytes *b, uint8_t version, const uint8_t ends[2], unsigned protocol, uint32_t n, unsigned id, unsigned field)
{
	if (version == 4) {
		add(b, "\x45\0", 2);
		add16(b, 20 + n);
		add16(b, id);
		add16(b, field);
		add(b, (uint8_t[]){ 64, (uint8_t)protocol, 0, 0, 192, 0, 2, ends[0], 192, 0, 2, ends[1] }, 12);
		return;
	}
	add(b, "\x60\0\0\0", 4);
	add16(b, n + (field ? 8 : 0));
	add(b, (uint8_t[]){ field ? 44 : (uint8_t)protocol, 64 }, 2);
	for (int i = 0; i < 2; i++)
		add(b, (uint8_t[16]){ 0x20, 1, 0xd, 0xb8, [15] = ends[i] }, 16);
	if (!field)
		return;
	add(b, (uint8_t[]){ (uint8_t)protocol, 0 }, 2);
	add16(b, (field & 0x1fff) << 3 | field >> 13);
	add32(b, id);
}

static void send_packet(struct wire *w, const struct bytes *packet, bool inner);

/* An IP packet of version between ends, in pieces. */
static void send_ip(struct wire *w, uint8_t version, const uint8_t ends[2], unsigned protocol, const struct bytes *b, uint32_t piece, bool inner)
{
	uint32_t size = piece && b->n > piece ? piece : b->n, count = (b->n + size - 1) / size;

	uint16_t id = w->id++;	/* pieces in a tunnel take more numbers */
	for (uint32_t k = 0; k < count * (w->m->twice ? 2 : 1); k++) {
		uint32_t i = w->m->backwards ? count - 1 - k % count : k % count, at_byte = i * size;
		uint32_t n = i + 1 < count ? size : b->n - at_byte;
		struct bytes packet = { .n = 0 };

		add_ip(&packet, version, ends, protocol, n, id, at_byte / 8 | (i + 1 < count ? 0x2000 : 0));
		add(&packet, b->p + at_byte, n);
		send_packet(w, &packet, inner);
	}
}

static void send_frame(struct wire *w, const struct bytes *packet)
{
	struct bytes f = { .n = 0 };

	add(&f, "\2\0\0\0\0\1\2\0\0\0\0\2", 12);
	add16(&f, packet->p[0] >> 4 == 4 ? 0x0800 : 0x86dd);
	add(&f, packet->p, packet->n);
	uint8_t *exact = xmalloc(f.n);
	memcpy(exact, f.p, f.n);
	pipeline_frame(w->p, &(struct capture_frame){ w->now_us, 1, f.n, f.n, 0, exact });
	free(exact);
}

static void send_packet(struct wire *w, const struct bytes *packet, bool inner)
{
	static const uint8_t ends[2] = { 200, 201 };
	struct bytes b = { .n = 0 };
	unsigned type = packet->p[0] >> 4 == 4 ? 0x0800 : 0x86dd;

	if (!inner || w->m->tunnel == NO_TUNNEL) {
		send_frame(w, packet);
		return;
	}
	if (w->m->tunnel == GRE) {
		add16(&b, 0);
	} else {
		add(&b, "\xc0\0\x12\xb5\0\0\0\0\x08\0\0\0\0\0\1\0", 16);
		add(&b, "\2\0\0\0\0\3\2\0\0\0\0\4", 12);
	}
	add16(&b, type);
	add(&b, packet->p, packet->n);
	send_ip(w, 4, ends, w->m->tunnel == GRE ? 47 : 17, &b, w->m->outer_piece_bytes, false);
}

struct end {
	uint32_t seq[2];
};

static void send_segment(struct wire *w, struct end *e, int from, unsigned flags, const char *text)
{
	static const uint8_t ends[2][2] = { { 7, 25 }, { 25, 7 } };
	struct bytes b = { .n = 0 };

	add16(&b, from ? 25 : 40000);
	add16(&b, from ? 40000 : 25);
	add32(&b, e->seq[from]);
	add32(&b, flags & TCP_ACK ? e->seq[!from] : 0);
	add(&b, (uint8_t[]){ 5 << 4, (uint8_t)flags, 0xff, 0xff, 0, 0, 0, 0 }, 8);
	add(&b, text, (uint32_t)strlen(text));
	e->seq[from] += (uint32_t)strlen(text) + !!(flags & (TCP_SYN | TCP_FIN));
	send_ip(w, w->m->version, ends[from], 6, &b, w->m->piece_bytes, true);
	w->now_us += 1000;
}

enum { SEGMENTS = sizeof dialogue / sizeof *dialogue + 4 };	/* with SYN and FIN of both */

static struct pipeline_totals play(const struct manner *m, struct view *v)
{
	static const unsigned short ports[] = { 25 };
	static const char *const interfaces[] = { "test" };
	struct pipeline_options o = { .ports = ports, .port_count = 1, .memory_bytes = 64 << 20, .hash_key = hash_key, .interfaces = interfaces, .interface_count = 1, .workers = 1 };
	struct fact_sink sink = view_sink(v);
	struct wire w = { .p = pipeline_new(&o, &sink), .m = m, .now_us = START };
	struct end e = { { 1000, 2000 } };
	struct pipeline_totals t;

	send_segment(&w, &e, 0, TCP_SYN, "");
	send_segment(&w, &e, 1, TCP_SYN | TCP_ACK, "");
	for (size_t i = 0; i < sizeof dialogue / sizeof *dialogue; i++)
		send_segment(&w, &e, dialogue[i].who == 's', TCP_ACK | TCP_PSH, dialogue[i].text);
	send_segment(&w, &e, 0, TCP_ACK | TCP_FIN, "");
	send_segment(&w, &e, 1, TCP_ACK | TCP_FIN, "");
	pipeline_finish(w.p, &t);
	return t;
}

static void print_facts(const struct manner *m, struct buf *out, struct pipeline_totals *t)
{
	struct view v = { 0 };

	*t = play(m, &v);
	view_print(out, &v, true);
	view_fini(&v);
}

/* Takes the note out of the facts that they were in a tunnel; answers of how many. */
static unsigned drop_tunnelled(struct buf *facts)
{
	static const char line[] = "notes: tunnelled\n";
	unsigned count = 0;

	for (char *at; (at = strstr(facts->p, line)); count++) {
		memmove(at, at + sizeof line - 1, strlen(at + sizeof line - 1) + 1);
		facts->len -= sizeof line - 1;
	}
	return count;
}

static void session_in_fragments_gives_the_same_facts(void **state)
{
	static const struct { enum tunnel tunnel; uint32_t piece, outer; bool all; } ways[] = {	/* all: also the shortest segments */
		{ NO_TUNNEL, 8, 0, true }, { NO_TUNNEL, 16, 0, true }, { NO_TUNNEL, 24, 0, false }, { NO_TUNNEL, 88, 0, false },
		{ GRE, 8, 0, true }, { GRE, 0, 8, true }, { GRE, 0, 32, true }, { GRE, 16, 24, true },
		{ VXLAN, 16, 0, true }, { VXLAN, 0, 8, true }, { VXLAN, 0, 40, true }, { VXLAN, 40, 16, true },
	};

	(void)state;
	for (uint8_t version = 4; version <= 6; version += 2) {
		struct buf plain = { 0 };
		struct pipeline_totals t;

		print_facts(&(struct manner){ .version = version }, &plain, &t);
		assert_int_equal(t.decoded[DECODE_FRAGMENT], 0);
		assert_non_null(strstr(buf_cstr(&plain), "outcome: accepted\n"));
		assert_non_null(strstr(buf_cstr(&plain), "<nobody@example.net> 550 (5.1.1)"));
		for (unsigned i = 0; i < 4 * sizeof ways / sizeof *ways; i++) {
			struct manner m = { version, ways[i / 4].piece, ways[i / 4].tunnel, ways[i / 4].outer, i & 1, i & 2 };
			struct buf got = { 0 };

			print_facts(&m, &got, &t);
			buf_cstr(&got);
			assert_int_equal(drop_tunnelled(&got), m.tunnel == NO_TUNNEL ? 0 : 2);
			assert_string_equal(buf_cstr(&got), buf_cstr(&plain));
			assert_true(t.ip.datagrams >= (ways[i / 4].all ? SEGMENTS : 2));
			assert_true(t.decoded[DECODE_FRAGMENT] >= 2 * t.ip.datagrams || ways[i / 4].outer);
			assert_int_equal(t.ip.lost + t.ip.odd + t.ip.overlaps, 0);
			buf_fini(&got);
		}
		buf_fini(&plain);
	}
}

static void lost_fragment_is_told_and_leaves_a_gap(void **state)
{
	static const unsigned short ports[] = { 25 };
	static const char *const interfaces[] = { "test" };
	struct pipeline_options o = { .ports = ports, .port_count = 1, .memory_bytes = 64 << 20, .hash_key = hash_key, .interfaces = interfaces, .interface_count = 1, .workers = 1 };
	static const uint8_t ends[2] = { 7, 25 };
	struct view v = { 0 };
	struct fact_sink sink = view_sink(&v);
	struct manner m = { .version = 4 };
	struct wire w = { .p = pipeline_new(&o, &sink), .m = &m, .now_us = START };
	struct bytes packet = { .n = 0 };
	struct pipeline_totals t;

	(void)state;
	add_ip(&packet, 4, ends, 6, 24, 1, 0x2000);
	add(&packet, data, 24);
	send_packet(&w, &packet, true);
	pipeline_idle(w.p, START);
	pipeline_totals(w.p, &t);
	assert_int_equal(t.ip.fragments, 1);
	assert_int_equal(t.ip.lost, 0);
	pipeline_finish(w.p, &t);
	assert_int_equal(t.ip.lost, 1);
	assert_int_equal(t.ip.timed_out, 1);
	assert_int_equal(v.count, 0);
	view_fini(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_in_every_order_make_the_datagram),
		cmocka_unit_test(pieces_of_several_datagrams_do_not_mix),
		cmocka_unit_test(longest_datagram_in_the_shortest_pieces),
		cmocka_unit_test(every_length_of_the_last_piece),
		cmocka_unit_test(copies_change_nothing_and_begin_nothing),
		cmocka_unit_test(first_bytes_win_where_pieces_overlap),
		cmocka_unit_test(random_overlaps_agree_with_a_byte_by_byte_model),
		cmocka_unit_test(pieces_that_contradict_the_end_are_odd),
		cmocka_unit_test(impossible_pieces_are_odd),
		cmocka_unit_test(piece_that_does_not_end_on_a_unit_is_shortened),
		cmocka_unit_test(datagrams_are_told_apart_by_what_the_rfcs_say),
		cmocka_unit_test(protocol_of_the_first_piece_counts_in_ip6),
		cmocka_unit_test(pieces_cut_by_the_snap_length_leave_the_end_uncaptured),
		cmocka_unit_test(hole_is_waited_for_and_then_given_up),
		cmocka_unit_test(flood_of_first_pieces_stays_bounded),
		cmocka_unit_test(scattered_pieces_stay_bounded),
		cmocka_unit_test(oldest_makes_room_but_not_for_itself),
		cmocka_unit_test(done_datagrams_make_room_first),
		cmocka_unit_test(any_ceiling_works),
		cmocka_unit_test(session_in_fragments_gives_the_same_facts),
		cmocka_unit_test(lost_fragment_is_told_and_leaves_a_gap),
	};

	return cmocka_run_group_tests_name("ipfrag", tests, make_data, NULL);
}
