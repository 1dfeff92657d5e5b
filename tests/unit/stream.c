/*
 * Unit tests of stream.c. What is handed on becomes a line such as "c:EHLO s:250 c-5 c." (bytes, a gap of 5, FIN). The last tests play random
 * dialogues through bad taps; SEED=N repeats one.
 */
#include "sensor/stream.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "common/buf.h"
#include "tests/chance.h"

#define SECOND UINT64_C(1000000)

static const struct unacked_key key = { { 3, -5, 7, 11, -13, 17 } };	/* as many factors as these texts have words */

enum { UNACKED_BYTES = (LIMIT_UNACKED + 2) * sizeof(struct unacked_segment) };

/* ---- a stream and what it handed on ---- */

struct tape {
	struct stream_sink sink;
	struct stream *s;
	struct buf log;
	char last;		/* whose bytes stand at the end of log */
	uint32_t isn[2];
	uint64_t now_us;
};

static void log_end(struct tape *t)
{
	if (t->log.len)
		buf_add_char(&t->log, ' ');
	t->last = 0;
}

static void on_push(void *arg, int dir, const uint8_t *p, size_t n, uint64_t t_us)
{
	struct tape *t = arg;

	assert_true(n > 0);
	assert_true(t_us <= t->now_us);
	if (t->last != "cs"[dir]) {
		log_end(t);
		t->last = "cs"[dir];
		buf_printf(&t->log, "%c:", t->last);
	}
	buf_add(&t->log, p, n);
}

static void on_gap(void *arg, int dir, uint64_t n, uint64_t t_us)
{
	struct tape *t = arg;

	assert_true(n > 0);
	assert_true(t_us <= t->now_us);
	log_end(t);
	buf_printf(&t->log, "%c-%llu", "cs"[dir], (unsigned long long)n);
}

static void on_fin(void *arg, int dir)
{
	struct tape *t = arg;

	log_end(t);
	buf_printf(&t->log, "%c.", "cs"[dir]);
}

static struct tape *tape_new(void)
{
	struct tape *t = xcalloc(1, sizeof *t);

	t->sink = (struct stream_sink){ on_push, on_gap, on_fin, NULL };
	t->s = xcalloc(1, sizeof *t->s);
	stream_init(t->s, &t->sink, t, &key);
	t->isn[0] = 1000;
	t->isn[1] = 5000;
	t->now_us = 100 * SECOND;
	return t;
}

static void tape_free(struct tape *t)
{
	stream_fini(t->s);
	free(t->s);
	buf_fini(&t->log);
	free(t);
}

static void assert_log(struct tape *t, const char *expected)
{
	assert_string_equal(buf_cstr(&t->log), expected);
}

/* Ends the stream: what it handed on in all, and that nothing is left. */
static void assert_end(struct tape *t, const char *expected)
{
	stream_flush(t->s, t->now_us);
	assert_log(t, expected);
	assert_int_equal(stream_memory_bytes(t->s), sizeof *t->s);
	assert_int_equal(stream_deadline(t->s), 0);
	tape_free(t);
}

static int side(char c)
{
	return c == 's';
}

/* A segment that ends where its bytes end: a frame read one byte too far is seen by ASan. seq, ack: 0 is the byte after the SYN. */
static void push(struct tape *t, struct stream_segment g, const char *bytes)
{
	uint8_t *copy = xmalloc(g.captured ? g.captured : 1);

	memcpy(copy, bytes, g.captured);
	g.payload = copy;
	g.seq += t->isn[g.dir] + 1;
	g.ack += t->isn[!g.dir] + 1;
	g.time_us = t->now_us;
	stream_push(t->s, &g, t->now_us);
	memset(copy, '#', g.captured ? g.captured : 1);
	free(copy);
}

static void data(struct tape *t, char from, uint32_t seq, uint32_t ack, const char *bytes)
{
	uint32_t n = (uint32_t)strlen(bytes);

	push(t, (struct stream_segment){ .dir = side(from), .seq = seq, .ack = ack, .has_ack = true, .length = n, .captured = n }, bytes);
}

/* length bytes on the wire, of which the frame holds those given */
static void cut_data(struct tape *t, char from, uint32_t seq, uint32_t ack, const char *bytes, uint32_t length)
{
	push(t, (struct stream_segment){ .dir = side(from), .seq = seq, .ack = ack, .has_ack = true, .length = length,
					 .captured = (uint32_t)strlen(bytes) }, bytes);
}

static void fin(struct tape *t, char from, uint32_t seq, uint32_t ack, const char *bytes)
{
	uint32_t n = (uint32_t)strlen(bytes);

	push(t, (struct stream_segment){ .dir = side(from), .seq = seq, .ack = ack, .has_ack = true, .fin = true, .length = n, .captured = n }, bytes);
}

static void syn(struct tape *t, char from)
{
	push(t, (struct stream_segment){ .dir = side(from), .seq = UINT32_MAX, .syn = true, .has_ack = from == 's' }, "");
}

static struct tape *tape_open(void)
{
	struct tape *t = tape_new();

	syn(t, 'c');
	syn(t, 's');
	return t;
}

static void wait_us(struct tape *t, uint64_t us)
{
	t->now_us += us;
	if (stream_deadline(t->s) && stream_deadline(t->s) <= t->now_us)
		stream_expire(t->s, t->now_us);
}

/* ---- one side ---- */

static void bytes_in_order_are_handed_on_at_once(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 's', 0, 0, "220 ");
	assert_log(t, "s:220 ");
	data(t, 's', 4, 0, "hi");
	assert_log(t, "s:220 hi");
	assert_int_equal(stream_deadline(t->s), 0);
	assert_int_equal(stream_unseen_bytes(t->s), 0);
	assert_end(t, "s:220 hi");
}

static void bytes_out_of_order_wait_for_those_before(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 's', 6, 0, "ghi");
	data(t, 's', 3, 0, "def");
	assert_log(t, "");
	assert_true(stream_memory_bytes(t->s) >= sizeof *t->s + 6);
	assert_int_not_equal(stream_deadline(t->s), 0);
	data(t, 's', 0, 0, "abc");
	assert_log(t, "s:abcdefghi");
	assert_int_equal(stream_deadline(t->s), 0);
	assert_false(stream_overlap_differed(t->s));
	assert_end(t, "s:abcdefghi");
}

static void retransmitted_bytes_count_once(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 'c', 0, 0, "abcdef");
	data(t, 'c', 0, 0, "abcdef");
	data(t, 'c', 0, 0, "abc");
	data(t, 'c', 3, 0, "defgh");	/* the rest is new */
	data(t, 'c', 9, 0, "j");
	data(t, 'c', 9, 0, "j");
	data(t, 'c', 8, 0, "ij");
	assert_end(t, "c:abcdefghij");
}

static void overlaps_are_handed_on_once(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 'c', 2, 0, "cde");
	data(t, 'c', 4, 0, "efg");
	data(t, 'c', 3, 0, "d");
	data(t, 'c', 1, 0, "bcdefgh");
	data(t, 'c', 0, 0, "ab");
	assert_false(stream_overlap_differed(t->s));
	assert_end(t, "c:abcdefgh");
}

static void overlap_that_differs_is_told(void **state)
{
	static const struct { uint32_t seq; const char *bytes; } second[] = { { 2, "cdX" }, { 1, "bX" }, { 3, "XX" }, { 4, "X" }, { 1, "bcdXf" } };

	(void)state;
	for (size_t i = 0; i < sizeof second / sizeof *second; i++) {
		struct tape *t = tape_open();

		data(t, 'c', 2, 0, "cde");
		data(t, 'c', second[i].seq, 0, second[i].bytes);
		assert_true(stream_overlap_differed(t->s));
		tape_free(t);
	}
}

static void other_bytes_again_are_told_until_they_are_acknowledged(void **state)
{
	static const struct { uint32_t acked, seq; const char *bytes; bool told; } again[] = {
		{ 0, 0, "abc", false }, { 0, 3, "def", false }, { 0, 0, "abcdef", false }, { 0, 3, "defXYZ", false }, { 0, 0, "abcdefX", false },
		{ 0, 0, "Xbcdef", true }, { 0, 3, "deXghi", true }, { 3, 0, "XXXdef", false }, { 3, 0, "abcdeX", true },
		{ 3, 2, "X", false }, { 6, 0, "XXXXXX", false }, { 6, 5, "X", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof again / sizeof *again; i++) {
		struct tape *t = tape_open();

		data(t, 'c', 0, 0, "abc");
		data(t, 'c', 3, 0, "def");
		data(t, 's', 0, again[i].acked, "");
		data(t, 'c', again[i].seq, 0, again[i].bytes);
		assert_int_equal(stream_overlap_differed(t->s), again[i].told);
		tape_free(t);
	}
}

/* Parts of a segment cannot be compared; the receiver tells whether it has more. */
static void parts_sent_again_are_judged_by_what_is_acknowledged(void **state)
{
	(void)state;
	for (uint32_t acked = 1; acked <= 7; acked++) {
		struct tape *t = tape_open();

		data(t, 'c', 0, 0, "abcdef");
		data(t, 'c', 0, 0, "abc");
		assert_false(stream_overlap_differed(t->s));
		if (acked < 7)
			data(t, 's', 0, acked, "");
		assert_int_equal(stream_overlap_differed(t->s), acked <= 3);
		stream_flush(t->s, t->now_us);
		assert_int_equal(stream_overlap_differed(t->s), acked != 6);
		tape_free(t);
	}
}

/* One side of a tap: nobody knows what was acknowledged, and nothing is kept to compare with. */
static void nothing_is_kept_of_a_side_whose_receiver_is_not_captured(void **state)
{
	struct tape *t = tape_new();

	(void)state;
	syn(t, 'c');
	data(t, 'c', 0, 0, "abc");
	wait_us(t, 2 * LIMIT_ACKED_WAIT_US);
	data(t, 'c', 3, 0, "def");
	assert_int_equal(stream_memory_bytes(t->s), sizeof *t->s);
	tape_free(t);
}

static void fin_that_nobody_acknowledged_is_taken_back_by_bytes_behind_it(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 'c', 0, 0, "abc");
	fin(t, 'c', 3, 0, "");
	data(t, 'c', 3, 0, "def");
	assert_true(stream_overlap_differed(t->s));
	fin(t, 'c', 6, 0, "");
	assert_end(t, "c:abc c. c:def c.");
}

static void fin_that_was_acknowledged_ends_a_side(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 'c', 0, 0, "abc");
	fin(t, 'c', 3, 0, "");
	data(t, 's', 0, 4, "");
	data(t, 'c', 3, 0, "def");
	assert_false(stream_overlap_differed(t->s));
	assert_end(t, "c:abc c.");
}

static void overlap_with_a_later_one_that_differs_is_told(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 'c', 2, 0, "c");
	data(t, 'c', 5, 0, "f");
	data(t, 'c', 1, 0, "bcdeX");
	assert_true(stream_overlap_differed(t->s));
	tape_free(t);
}

static void of_held_bytes_that_differ_the_lower_segment_wins(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 'c', 2, 0, "cde");
	data(t, 'c', 2, 0, "XXXfg");
	data(t, 'c', 0, 0, "ab");
	assert_end(t, "c:abcdefg");
}

static void keep_alives_are_ignored(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 'c', 0, 0, "abc");
	data(t, 'c', 2, 0, "");		/* RFC 9293 3.8.4: one number before the next, without or with a garbage byte */
	data(t, 'c', 2, 0, "?");
	data(t, 's', UINT32_MAX, 3, "?");
	data(t, 'c', 3, 0, "d");
	assert_int_equal(stream_unseen_bytes(t->s), 0);
	assert_end(t, "c:abcd");
}

static void numbers_wrap(void **state)
{
	(void)state;
	for (uint32_t before = 0; before < 12; before++) {
		struct tape *t = tape_new();

		t->isn[0] = UINT32_MAX - before;
		t->isn[1] = UINT32_MAX / 2 - before;
		syn(t, 'c');
		syn(t, 's');
		data(t, 's', 3, 0, "def");
		data(t, 's', 0, 0, "abc");
		data(t, 'c', 4, 6, "EFGH");
		data(t, 'c', 0, 6, "ABCD");
		data(t, 's', 6, 8, "ghi");
		fin(t, 'c', 8, 9, "IJ");
		fin(t, 's', 9, 11, "");
		assert_true(stream_is_done(t->s));
		assert_end(t, "s:abcdef c:ABCDEFGH s:ghi c:IJ c. s.");
	}
}

static void more_than_four_gigabytes_go_through(void **state)
{
	struct tape *t = tape_open();
	uint32_t seq = 0;

	(void)state;
	for (int i = 0; i < 5; i++) {
		cut_data(t, 'c', seq, 0, "x", 1u << 30);
		seq += 1u << 30;
	}
	data(t, 'c', seq, 0, "y");
	assert_end(t, "c:x c-1073741823 c:x c-1073741823 c:x c-1073741823 c:x c-1073741823 c:x c-1073741823 c:y");
}

static void bytes_in_a_syn_are_handed_on(void **state)
{
	struct tape *t = tape_new();

	(void)state;
	push(t, (struct stream_segment){ .dir = 0, .seq = UINT32_MAX, .syn = true, .length = 4, .captured = 4 }, "EHLO");	/* RFC 7413 */
	assert_log(t, "");		/* whether the other side is captured is not known yet */
	syn(t, 's');
	data(t, 'c', 4, 0, " x");
	assert_end(t, "c:EHLO x");
}

/* ---- the end ---- */

static void fin_comes_after_the_bytes_before_it(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	fin(t, 'c', 6, 0, "");
	data(t, 'c', 3, 0, "def");
	assert_log(t, "");
	data(t, 'c', 0, 0, "abc");
	assert_log(t, "c:abcdef c.");
	assert_false(stream_is_done(t->s));
	fin(t, 'c', 6, 0, "");
	fin(t, 's', 0, 7, "");
	assert_true(stream_is_done(t->s));
	assert_end(t, "c:abcdef c. s.");
}

static void fin_with_bytes_out_of_order(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	fin(t, 'c', 3, 0, "def");
	data(t, 'c', 0, 0, "abc");
	assert_log(t, "c:abcdef c.");
	assert_end(t, "c:abcdef c.");
}

static void fin_waits_for_the_bytes_it_acknowledges(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 'c', 0, 0, "QUIT");
	fin(t, 'c', 4, 3, "");
	assert_log(t, "c:QUIT");	/* the tap brings "221" later */
	data(t, 's', 0, 4, "221");
	assert_log(t, "c:QUIT s:221 c.");
	assert_end(t, "c:QUIT s:221 c.");
}

static void fin_behind_a_hole_ends_the_wait(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 'c', 0, 0, "QUIT");
	fin(t, 's', 3, 4, "");		/* "221" was lost */
	data(t, 'c', 4, 4, "");
	assert_log(t, "c:QUIT");
	assert_int_not_equal(stream_deadline(t->s), 0);
	wait_us(t, LIMIT_ACKED_WAIT_US - 1);
	assert_log(t, "c:QUIT");
	wait_us(t, 1);
	assert_log(t, "c:QUIT s-3 s.");
	assert_int_equal(stream_unseen_bytes(t->s), 3);
	assert_end(t, "c:QUIT s-3 s.");
}

static void fin_that_was_lost_is_no_gap(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 'c', 0, 0, "QUIT");
	data(t, 's', 0, 4, "221");
	fin(t, 's', 3, 5, "");		/* it acknowledges a FIN that was not captured */
	assert_log(t, "c:QUIT s:221");
	wait_us(t, LIMIT_ACKED_WAIT_US);
	assert_log(t, "c:QUIT s:221 c. s.");
	assert_true(stream_is_done(t->s));
	assert_end(t, "c:QUIT s:221 c. s.");
	t = tape_open();
	data(t, 'c', 0, 0, "QUIT");
	data(t, 's', 0, 5, "");
	assert_end(t, "c:QUIT c.");
}

static void fin_of_the_past_is_ignored(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 'c', 0, 0, "abcdef");
	fin(t, 'c', 2, 0, "");
	data(t, 'c', 6, 0, "ghi");
	assert_log(t, "c:abcdefghi");
	fin(t, 'c', 9, 0, "");
	assert_end(t, "c:abcdefghi c.");
}

static void reset_is_accepted_near_the_next_byte(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	assert_true(stream_accepts_reset(t->s, 0, t->isn[0] + 1));
	data(t, 'c', 0, 0, "abc");
	assert_true(stream_accepts_reset(t->s, 0, t->isn[0] + 4));
	assert_true(stream_accepts_reset(t->s, 0, t->isn[0] + 3));
	assert_true(stream_accepts_reset(t->s, 0, t->isn[0] + 4 + 1460));
	assert_false(stream_accepts_reset(t->s, 0, t->isn[0] + 1));
	assert_false(stream_accepts_reset(t->s, 0, t->isn[0] + 0x40000000));
	assert_false(stream_accepts_reset(t->s, 0, t->isn[0] - 0x40000000));
	assert_end(t, "c:abc");
	t = tape_new();
	assert_true(stream_accepts_reset(t->s, 0, 77));
	assert_end(t, "");
}

/* ---- holes ---- */

static void acknowledged_hole_becomes_a_gap_after_a_second(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 'c', 0, 0, "abc");
	data(t, 'c', 6, 0, "ghi");	/* def was lost in the tap */
	data(t, 's', 0, 9, "");		/* but not on the wire */
	wait_us(t, LIMIT_ACKED_WAIT_US - 1);
	assert_log(t, "c:abc");
	wait_us(t, 1);
	assert_log(t, "c:abc c-3 c:ghi");
	assert_int_equal(stream_unseen_bytes(t->s), 3);
	data(t, 'c', 3, 0, "def");	/* too late */
	assert_end(t, "c:abc c-3 c:ghi");
}

static void unacknowledged_hole_waits_for_the_retransmission(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 'c', 3, 0, "def");
	data(t, 's', 0, 0, "");
	wait_us(t, LIMIT_HOLE_WAIT_US - 1);
	assert_log(t, "");
	data(t, 'c', 0, 0, "abc");
	assert_log(t, "c:abcdef");
	data(t, 'c', 9, 0, "jkl");
	wait_us(t, LIMIT_HOLE_WAIT_US);
	assert_end(t, "c:abcdef c-3 c:jkl");
}

static void hole_that_is_filled_in_part(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 'c', 6, 0, "ghi");
	data(t, 'c', 2, 0, "cd");
	data(t, 's', 0, 9, "");
	wait_us(t, LIMIT_ACKED_WAIT_US);
	assert_int_equal(stream_unseen_bytes(t->s), 4);
	assert_end(t, "c-2 c:cd c-2 c:ghi");
}

static void next_packet_ends_a_wait_that_is_over(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 'c', 3, 0, "def");
	data(t, 's', 0, 6, "");
	t->now_us += 5 * SECOND;
	data(t, 'c', 6, 0, "ghi");
	assert_log(t, "c-3 c:defghi");
	assert_end(t, "c-3 c:defghi");
}

static void frame_cut_by_the_snap_length_is_a_gap(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	cut_data(t, 'c', 0, 0, "abc", 10);
	data(t, 'c', 10, 0, "k");
	assert_log(t, "c:abc c-7 c:k");
	cut_data(t, 'c', 11, 0, "", 5);
	cut_data(t, 'c', 20, 0, "uv", 5);	/* held first */
	data(t, 'c', 16, 0, "qrst");
	data(t, 'c', 25, 0, "z");
	assert_int_equal(stream_unseen_bytes(t->s), 7 + 5 + 3);
	assert_end(t, "c:abc c-7 c:k c-5 c:qrstuv c-3 c:z");
}

static void bytes_at_the_end_that_only_an_acknowledgement_tells_of(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 's', 0, 0, "220");
	data(t, 's', 3, 14, "");
	assert_log(t, "s:220");
	assert_end(t, "s:220 c-14");
}

/* ---- numbers far away ---- */

enum { FAR = 1000000000 };

static void numbers_far_away_are_ignored(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 'c', 0, 0, "abc");
	data(t, 'c', FAR, 0, "X");
	data(t, 'c', 3, FAR, "X");
	fin(t, 'c', FAR, 0, "");
	fin(t, 's', 0, FAR, "");
	data(t, 'c', LIMIT_WINDOW_BYTES + 4, 0, "X");
	wait_us(t, 2 * LIMIT_HOLE_WAIT_US);
	data(t, 'c', 3, 0, "def");
	data(t, 's', 0, 6, "250");
	fin(t, 'c', 6, 3, "");
	assert_int_equal(stream_unseen_bytes(t->s), 0);
	assert_false(stream_overlap_differed(t->s));
	assert_int_equal(stream_left_out(t->s), 5);
	assert_end(t, "c:abcdef s:250 c.");
}

static void number_far_away_once_in_a_while_moves_nothing(void **state)
{
	struct tape *t = tape_open();
	uint32_t n = 0;

	(void)state;
	for (; n < 100; n++) {
		data(t, 'c', n, n, "a");
		data(t, 's', FAR + n, FAR + n, "X");
		data(t, 's', n, n + 1, "b");
		data(t, 'c', FAR + n, FAR + n, "X");
		wait_us(t, SECOND);
	}
	assert_int_equal(stream_unseen_bytes(t->s), 0);
	tape_free(t);
}

static void both_sides_that_go_on_far_away_are_followed(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 'c', 0, 0, "abc");
	for (uint32_t i = 0; i < 31; i++) {	/* the tap was off for 1e9 bytes of the client */
		data(t, 'c', FAR + i, i, "x");
		data(t, 's', i, FAR + i + 1, "y");
		wait_us(t, SECOND);
	}
	assert_int_equal(stream_unseen_bytes(t->s), FAR + 30 - 3 + 30);
	data(t, 'c', FAR + 31, 31, "QUIT");
	fin(t, 's', 31, FAR + 35, "");
	fin(t, 'c', FAR + 35, 32, "");
	assert_true(stream_is_done(t->s));
	assert_end(t, "c:abc c-1000000027 s-30 c:x s:y c:QUIT s. c.");
}

static void numbers_that_cannot_be_ordered_are_compared_within_their_bytes(void **state)
{
	/* three thirds of the circle: each is ahead of the one before it */
	struct tape *t = tape_new();

	(void)state;
	data(t, 'c', 0, 0, "abc");
	for (uint32_t i = 0; i < 6; i++) {
		push(t, (struct stream_segment){ .dir = 0, .seq = i * 0x55555555u, .ack = 5, .has_ack = true, .length = 4000, .captured = 2 }, "de");
		fin(t, 's', i * 0x55555555u, i * 0x2aaaaaaau, "fg");
	}
	stream_flush(t->s, t->now_us);
	tape_free(t);
}

static void overlaps_are_looked_for_within_both_segments(void **state)
{
	const struct stream_sink sink = { NULL, NULL, NULL, NULL };
	struct stream s = { .sink = &sink };
	struct stream_held *old = xmalloc(sizeof *old + 4);

	(void)state;
	*old = (struct stream_held){ .seq = 0, .length = 4, .captured = 4 };
	memcpy(old->bytes, "abcd", 4);
	note_overlap(&s, old, 0x80000001, (const uint8_t *)"xy", 2);
	note_overlap(&s, old, 0x7fffffff, (const uint8_t *)"xy", 2);
	assert_false(s.overlap_differed);
	note_overlap(&s, old, UINT32_MAX, (const uint8_t *)"xabcdx", 6);
	note_overlap(&s, old, 3, (const uint8_t *)"dx", 2);
	assert_false(s.overlap_differed);
	note_overlap(&s, old, 3, (const uint8_t *)"xx", 2);
	assert_true(s.overlap_differed);
	free(old);
}

/* ---- both sides ---- */

static void reply_waits_for_its_command(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 's', 0, 4, "250");
	assert_log(t, "");
	data(t, 'c', 0, 0, "EHLO");
	assert_log(t, "c:EHLO s:250");
	assert_int_equal(stream_deadline(t->s), 0);
	assert_end(t, "c:EHLO s:250");
}

static void long_dialogue_whose_replies_come_first(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 's', 0, 0, "a");
	data(t, 's', 1, 1, "b");
	data(t, 's', 2, 2, "c");
	data(t, 's', 3, 3, "d");
	assert_log(t, "s:a");
	data(t, 'c', 0, 1, "A");
	assert_log(t, "s:a c:A s:b");
	data(t, 'c', 1, 2, "B");
	data(t, 'c', 2, 3, "C");
	assert_end(t, "s:a c:A s:b c:B s:c c:C s:d");
}

static void wait_for_a_command_that_was_lost_is_bounded(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 's', 0, 4, "250");
	wait_us(t, LIMIT_ACKED_WAIT_US - 1);
	assert_log(t, "");
	wait_us(t, 1);
	assert_log(t, "c-4 s:250");
	assert_int_equal(stream_unseen_bytes(t->s), 4);
	data(t, 'c', 4, 3, "MAIL");
	assert_end(t, "c-4 s:250 c:MAIL");
}

/* The reply is there, the command before it is lost, and the next command came first of all. */
static void command_behind_a_hole_waits_for_the_reply_it_acknowledges(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 'c', 4, 3, "MAIL");
	data(t, 's', 0, 4, "250");
	data(t, 's', 3, 8, "251");
	wait_us(t, LIMIT_ACKED_WAIT_US);
	assert_log(t, "c-4 s:250 c:MAIL s:251");
	assert_end(t, "c-4 s:250 c:MAIL s:251");
}

static void lost_command_does_not_lose_its_neighbours(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 's', 0, 0, "a");
	data(t, 'c', 0, 1, "A");
	data(t, 's', 1, 2, "b");	/* B was lost */
	data(t, 'c', 2, 2, "C");
	data(t, 's', 2, 3, "c");
	assert_log(t, "s:a c:A");
	wait_us(t, LIMIT_ACKED_WAIT_US);
	assert_end(t, "s:a c:A c-1 s:b c:C s:c");
}

static void side_that_is_not_captured_holds_nobody_up(void **state)
{
	struct tape *t = tape_new();

	(void)state;
	syn(t, 'c');
	data(t, 'c', 0, 10, "EHLO");
	assert_log(t, "");
	wait_us(t, LIMIT_ACKED_WAIT_US);
	assert_log(t, "c:EHLO");
	data(t, 'c', 4, 20, "MAIL");	/* from now on at once */
	data(t, 'c', 8, 30, "RCPT");
	assert_log(t, "c:EHLOMAILRCPT");
	fin(t, 'c', 12, 40, "");
	assert_log(t, "c:EHLOMAILRCPT c.");
	stream_flush(t->s, t->now_us);
	assert_int_equal(stream_unseen_bytes(t->s), 30);	/* from byte 10, where it was first heard of, to 40 */
	assert_end(t, "c:EHLOMAILRCPT c.");
}

static void side_that_shows_up_late_is_heard(void **state)
{
	struct tape *t = tape_new();

	(void)state;
	syn(t, 'c');
	data(t, 'c', 0, 3, "EHLO");
	wait_us(t, LIMIT_ACKED_WAIT_US);
	data(t, 's', 3, 4, "250");
	data(t, 'c', 4, 6, "MAIL");
	assert_end(t, "c:EHLO s:250 c:MAIL");
}

static void server_side_alone_is_heard(void **state)
{
	struct tape *t = tape_new();

	(void)state;
	syn(t, 's');
	data(t, 's', 0, 0, "220");
	wait_us(t, LIMIT_ACKED_WAIT_US);
	data(t, 's', 3, 4, "250");
	assert_end(t, "s:220250");
}

static void joined_in_the_middle(void **state)
{
	struct tape *t = tape_new();

	(void)state;
	data(t, 's', 500, 300, "250");
	data(t, 'c', 300, 503, "MAIL");
	data(t, 's', 503, 304, "251");
	fin(t, 'c', 304, 506, "QUIT");
	assert_log(t, "");	/* the beginning may be late */
	wait_us(t, LIMIT_ACKED_WAIT_US);
	assert_log(t, "s:250 c:MAIL s:251 c:QUIT c.");
	fin(t, 's', 506, 309, "");
	assert_true(stream_is_done(t->s));
	assert_int_equal(stream_unseen_bytes(t->s), 0);
	assert_end(t, "s:250 c:MAIL s:251 c:QUIT c. s.");
}

static void joined_in_the_middle_out_of_order(void **state)
{
	struct tape *t = tape_new();

	(void)state;
	data(t, 'c', 305, 503, "FROM");
	data(t, 's', 503, 309, "251");
	data(t, 'c', 300, 503, "MAIL ");
	wait_us(t, LIMIT_ACKED_WAIT_US);
	assert_int_equal(stream_unseen_bytes(t->s), 0);
	assert_end(t, "c:MAIL FROM s:251");
}

static void bytes_may_overtake_the_handshake(void **state)
{
	struct tape *t = tape_new();

	(void)state;
	data(t, 's', 3, 4, "250");
	data(t, 'c', 0, 3, "EHLO");
	assert_true(stream_may_begin(t->s, 0, 1000));
	assert_false(stream_may_begin(t->s, 0, 1001));
	assert_false(stream_may_begin(t->s, 0, 1000 - LIMIT_FIRST_FLIGHT));
	syn(t, 's');
	data(t, 's', 0, 0, "220");
	assert_log(t, "");
	syn(t, 'c');
	assert_false(stream_may_begin(t->s, 0, 1000));
	assert_int_equal(stream_unseen_bytes(t->s), 0);
	assert_end(t, "s:220 c:EHLO s:250");
}

static void joined_in_the_middle_with_one_side(void **state)
{
	struct tape *t = tape_new();

	(void)state;
	data(t, 'c', 300, 500, "MAIL");
	data(t, 'c', 304, 503, "RCPT");
	wait_us(t, LIMIT_ACKED_WAIT_US);
	data(t, 'c', 308, 506, "DATA");
	assert_end(t, "c:MAILRCPTDATA");
}

static void handshake_is_not_needed_in_order(void **state)
{
	struct tape *t = tape_new();

	(void)state;
	syn(t, 's');
	data(t, 's', 0, 0, "220");
	assert_log(t, "");
	syn(t, 'c');
	assert_log(t, "s:220");
	data(t, 'c', 0, 3, "EHLO");
	assert_end(t, "s:220 c:EHLO");
}

/* Nobody sends this, but an attacker may. */
static void mutual_wait_ends(void **state)
{
	struct tape *t = tape_open();

	(void)state;
	data(t, 'c', 0, 100, "abc");
	data(t, 's', 0, 100, "ABC");
	assert_log(t, "");
	wait_us(t, LIMIT_ACKED_WAIT_US);
	for (int i = 0; i < 100 && stream_deadline(t->s); i++)
		wait_us(t, LIMIT_ACKED_WAIT_US);
	assert_int_equal(stream_deadline(t->s), 0);
	data(t, 'c', 50, 4000000000u, "x");
	data(t, 's', 50, 4000000000u, "y");
	data(t, 'c', 2000000000u, 2000000000u, "x");
	data(t, 's', 2000000000u, 2000000000u, "y");
	for (int i = 0; i < 100 && stream_deadline(t->s); i++)
		wait_us(t, LIMIT_HOLE_WAIT_US);
	assert_int_equal(stream_deadline(t->s), 0);
	assert_int_equal(t->s->held_memory, 0);
	tape_free(t);
}

/* ---- caps ---- */

static void held_bytes_have_a_cap(void **state)
{
	static char bytes[1001];
	struct tape *t = tape_open();

	(void)state;
	memset(bytes, 'x', sizeof bytes - 1);
	for (uint32_t i = 0; i < 1000; i++) {
		data(t, 'c', 1 + i * 1000, 0, bytes);
		assert_true(stream_memory_bytes(t->s) <= LIMIT_HELD_PER_FLOW + UNACKED_BYTES + 4096);
	}
	assert_memory_equal(buf_cstr(&t->log), "c-1 c:xxx", 9);
	assert_int_equal(t->log.len, 6 + 1000 * 1000);
	assert_int_equal(stream_unseen_bytes(t->s), 1);
	tape_free(t);
}

static void held_bytes_of_both_sides_have_a_cap(void **state)
{
	static char bytes[1001];
	struct tape *t = tape_open();

	(void)state;
	memset(bytes, 'x', sizeof bytes - 1);
	for (uint32_t i = 0; i < 2000; i++) {
		data(t, "cs"[i % 2], 1 + i / 2 * 1000, 2000000 + i, bytes);
		assert_true(stream_memory_bytes(t->s) <= 2 * (LIMIT_HELD_PER_FLOW + UNACKED_BYTES) + 8192);
	}
	tape_free(t);
}

static double seconds_of(void (*run)(struct tape *t, unsigned n), unsigned n)
{
	struct timespec a, b;
	struct tape *t = tape_open();

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	run(t, n);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	tape_free(t);
	return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

static void run_in_order(struct tape *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		data(t, 'c', i, 0, "x");
}

/* Single bytes with holes between them, so that each has to be looked up among many. */
static void run_scattered(struct tape *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		data(t, 'c', 1 + (i * 7919u) % 20011u * 2, 0, "x");
}

static void scattered_bytes_cost_little_more_than_ordered_ones(void **state)
{
	double ordered = seconds_of(run_in_order, 100000), scattered = seconds_of(run_scattered, 100000);

	(void)state;
	printf("# 100000 segments: in order %.3f s, scattered %.3f s\n", ordered, scattered);
	assert_true(scattered < 20 * ordered + 0.1);
}

/* ---- random dialogues through bad taps ---- */

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	return (uint32_t)(chance_next(&random_state) % n);
}

/* Byte `at` of a side: a frame in the wrong place shows. */
static uint8_t byte_at(int dir, uint32_t at)
{
	uint32_t x = (at + 1) * 2654435761u + (uint32_t)dir * 40503u;

	return (uint8_t)(x >> 24 ^ x >> 13);
}

struct wire {
	int dir;
	uint32_t from, length, ack;	/* from 0; the FIN has the number behind the last byte */
	bool syn, fin, has_ack;
	uint64_t seen_us;		/* when the tap hands it on */
	uint32_t number;		/* order of those seen at the same time */
	bool lost;
};

enum { WIRES = 4000, STEPS = 60 };

struct talk {
	struct wire wire[WIRES];
	unsigned count;
	uint32_t sent[2], isn[2], mss;
	uint64_t now_us;

	uint32_t *least_ack[2];	/* for each byte: what it needs of the other side */
	bool *captured[2];

	uint64_t at[2];		/* handed on and gaps */
	uint64_t gaps[2];
	bool ended[2];
	uint64_t joined[2];	/* where it begins when joined in the middle */
};

static struct wire *wire_add(struct talk *k, int dir, uint32_t length, bool fin_set)
{
	struct wire *w = &k->wire[k->count];

	assert_true(k->count < WIRES);
	*w = (struct wire){ .dir = dir, .from = k->sent[dir], .length = length, .has_ack = true, .fin = fin_set, .seen_us = k->now_us,
			    .number = k->count, .ack = k->sent[!dir] };
	k->count++;
	k->sent[dir] += length + fin_set;
	return w;
}

/* Both sides speak, sometimes at once: what is on its way when a segment is sent is not acknowledged by it. */
static void talk_make(struct talk *k)
{
	uint32_t last_ack[2] = { 0, 0 };

	k->mss = random_below(4) ? 1460 : 9000;
	k->now_us = 1000 * SECOND;
	for (int dir = 0; dir < 2; dir++) {
		struct wire *w = wire_add(k, dir, 0, false);

		w->syn = true;
		w->has_ack = dir;
		k->now_us += 10000;
	}
	for (int i = 0; i < STEPS; i++) {
		int dir = (int)random_below(2);

		for (uint32_t burst = 1 + random_below(4); burst; burst--) {
			struct wire *w = wire_add(k, dir, random_below(8) ? 1 + random_below(random_below(3) ? 80 : k->mss) : 0, false);

			if (random_below(3) == 0)
				w->ack = last_ack[dir] + random_below(w->ack - last_ack[dir] + 1);
			last_ack[dir] = w->ack;
			k->now_us += random_below(3000);
		}
	}
	int first = (int)random_below(2);
	wire_add(k, first, random_below(2) * 10, true);
	k->now_us += 1000;
	wire_add(k, !first, random_below(2) * 10, true);
	k->now_us += 1000;
	wire_add(k, first, 0, false);
}

static void talk_measure(struct talk *k)
{
	for (int dir = 0; dir < 2; dir++) {
		k->least_ack[dir] = xcalloc(k->sent[dir] + 1, sizeof *k->least_ack[dir]);
		k->captured[dir] = xcalloc(k->sent[dir] + 1, sizeof *k->captured[dir]);
	}
	for (unsigned i = 0; i < k->count; i++) {
		const struct wire *w = &k->wire[i];

		for (uint32_t b = w->from; b < w->from + w->length; b++) {
			if (!k->captured[w->dir][b] || w->ack < k->least_ack[w->dir][b])
				k->least_ack[w->dir][b] = w->ack;
			k->captured[w->dir][b] |= !w->lost;
		}
	}
}

static int wire_compare(const void *x, const void *y)
{
	const struct wire *a = x, *b = y;

	if (a->seen_us != b->seen_us)
		return a->seen_us < b->seen_us ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

/* Per direction: behind by some ms; within it: shuffled by up to jitter_us, some twice. The SYN stays before the rest of its side. */
static void talk_tap(struct talk *k, const uint64_t delay_us[2], uint32_t jitter_us, uint32_t twice_percent, uint32_t lost_percent)
{
	unsigned count = k->count;

	for (unsigned i = 0; i < count; i++) {
		struct wire *w = &k->wire[i];

		w->seen_us += delay_us[w->dir];
		if (w->syn)
			continue;
		w->seen_us += random_below(jitter_us + 1);
		w->lost = w->length && !w->fin && random_below(100) < lost_percent;
		if (!w->lost && random_below(100) < twice_percent && k->count < WIRES) {
			k->wire[k->count] = *w;
			k->wire[k->count++].seen_us += random_below(2 * jitter_us + 1);
		}
	}
	talk_measure(k);
	qsort(k->wire, k->count, sizeof *k->wire, wire_compare);
}

static void on_talk_push(void *arg, int dir, const uint8_t *p, size_t n, uint64_t t_us)
{
	struct talk *k = arg;

	(void)t_us;
	assert_true(n > 0);
	assert_false(k->ended[dir]);
	assert_true(k->at[dir] + n <= k->sent[dir]);
	for (size_t i = 0; i < n; i++, k->at[dir]++) {
		if (p[i] != byte_at(dir, (uint32_t)k->at[dir]))
			fail_msg("side %d: another byte at %llu", dir, (unsigned long long)k->at[dir]);
		if (k->at[!dir] + k->ended[!dir] < k->least_ack[dir][k->at[dir]])
			fail_msg("side %d: byte %llu comes before byte %u of the other side, which it acknowledges", dir,
				 (unsigned long long)k->at[dir], k->least_ack[dir][k->at[dir]] - 1);
	}
}

static void on_talk_gap(void *arg, int dir, uint64_t n, uint64_t t_us)
{
	struct talk *k = arg;

	(void)t_us;
	assert_true(n > 0);
	assert_false(k->ended[dir]);
	for (uint64_t i = 0; i < n; i++, k->at[dir]++)
		if (k->at[dir] >= k->sent[dir] || k->captured[dir][k->at[dir]])
			fail_msg("side %d: byte %llu is no gap", dir, (unsigned long long)k->at[dir]);
	k->gaps[dir] += n;
}

static void on_talk_fin(void *arg, int dir)
{
	struct talk *k = arg;

	assert_false(k->ended[dir]);
	assert_int_equal(k->at[dir], k->sent[dir] - 1);
	k->ended[dir] = true;
}

static void push_wire(struct stream *s, const struct talk *k, const struct wire *w)
{
	uint8_t *bytes = xmalloc(w->length + 1);

	for (uint32_t i = 0; i < w->length; i++)
		bytes[i] = byte_at(w->dir, w->from + i);
	struct stream_segment g = { .dir = w->dir, .seq = k->isn[w->dir] + (w->syn ? 0 : 1 + w->from), .ack = k->isn[!w->dir] + 1 + w->ack,
				    .has_ack = w->has_ack, .syn = w->syn, .fin = w->fin, .payload = bytes, .length = w->length,
				    .captured = w->length, .time_us = w->seen_us };
	stream_push(s, &g, w->seen_us);
	memset(bytes, '#', w->length);
	free(bytes);
}

static struct stream *talk_play(struct talk *k, struct stream_sink *sink)
{
	struct stream *s = xcalloc(1, sizeof *s);

	*sink = (struct stream_sink){ on_talk_push, on_talk_gap, on_talk_fin, NULL };
	stream_init(s, sink, k, &key);
	for (unsigned i = 0; i < k->count; i++) {
		if (stream_deadline(s) && stream_deadline(s) <= k->wire[i].seen_us)
			stream_expire(s, k->wire[i].seen_us);
		if (!k->wire[i].lost)
			push_wire(s, k, &k->wire[i]);
	}
	return s;
}

static struct talk *talk_new(void)
{
	struct talk *k = xcalloc(1, sizeof *k);

	talk_make(k);
	for (int dir = 0; dir < 2; dir++)
		k->isn[dir] = random_below(2) ? random_below(UINT32_MAX) : UINT32_MAX - random_below(3000);
	return k;
}

static void talk_free(struct talk *k)
{
	for (int dir = 0; dir < 2; dir++) {
		free(k->least_ack[dir]);
		free(k->captured[dir]);
	}
	free(k);
}

static void begin_random(void)
{
	random_state = chance_seed();
}

enum { TALKS = 400 };
static const uint64_t delays_us[] = { 0, 1000, 5000, 50000, 400000 };
enum { DELAYS = sizeof delays_us / sizeof *delays_us };

static void taps_that_shuffle_and_delay_change_nothing(void **state)
{
	struct stream_sink sink;

	(void)state;
	begin_random();
	for (int i = 0; i < TALKS; i++) {
		struct talk *k = talk_new();
		const uint64_t delay[2] = { delays_us[random_below(DELAYS)], delays_us[random_below(DELAYS)] };

		talk_tap(k, delay, random_below(3) * 3000, random_below(2) * 20, 0);
		struct stream *s = talk_play(k, &sink);
		assert_true(stream_is_done(s));
		assert_int_equal(stream_unseen_bytes(s), 0);
		assert_false(stream_overlap_differed(s));
		assert_int_equal(s->held_memory, 0);
		stream_flush(s, UINT64_MAX / 2);
		assert_int_equal(stream_memory_bytes(s), sizeof *s);
		for (int dir = 0; dir < 2; dir++)
			assert_int_equal(k->at[dir], k->sent[dir] - 1);
		stream_fini(s);
		free(s);
		talk_free(k);
	}
}

static void what_was_lost_and_nothing_else_is_a_gap(void **state)
{
	struct stream_sink sink;

	(void)state;
	begin_random();
	for (int i = 0; i < TALKS; i++) {
		struct talk *k = talk_new();
		const uint64_t delay[2] = { delays_us[random_below(DELAYS)], delays_us[random_below(DELAYS)] };

		talk_tap(k, delay, random_below(3) * 3000, random_below(2) * 20, 1 + random_below(30));
		struct stream *s = talk_play(k, &sink);
		stream_flush(s, UINT64_MAX / 2);
		for (int dir = 0; dir < 2; dir++) {
			uint64_t lost = 0;

			for (uint32_t b = 0; b + 1 < k->sent[dir]; b++)
				lost += !k->captured[dir][b];
			assert_int_equal(k->gaps[dir], lost);
			assert_int_equal(k->at[dir], k->sent[dir] - 1);
		}
		assert_int_equal(stream_unseen_bytes(s), k->gaps[0] + k->gaps[1]);
		assert_int_equal(stream_memory_bytes(s), sizeof *s);
		stream_fini(s);
		free(s);
		talk_free(k);
	}
}

/* The FIN was seen, all waits are over: the stream is done without anybody ending it. */
static void waits_alone_reach_the_end(void **state)
{
	struct stream_sink sink;

	(void)state;
	begin_random();
	for (int i = 0; i < TALKS; i++) {
		struct talk *k = talk_new();
		const uint64_t delay[2] = { delays_us[random_below(DELAYS)], delays_us[random_below(DELAYS)] };
		bool fins[2] = { false, false };

		talk_tap(k, delay, 3000, 0, 20);
		struct stream *s = talk_play(k, &sink);
		for (unsigned j = 0; j < k->count; j++)
			fins[k->wire[j].dir] |= k->wire[j].fin && !k->wire[j].lost;
		for (int j = 0; j < 1000 && stream_deadline(s); j++)
			stream_expire(s, stream_deadline(s));
		assert_int_equal(stream_deadline(s), 0);
		assert_true(stream_is_done(s) || !fins[0] || !fins[1]);
		stream_fini(s);
		free(s);
		talk_free(k);
	}
}

/* arg: how often each side has ended */
static void on_any_push(void *arg, int dir, const uint8_t *p, size_t n, uint64_t t_us)
{
	assert_int_equal(((int *)arg)[dir], 0);
	(void)t_us;
	for (size_t i = 0; i < n; i++)
		(void)*(const volatile uint8_t *)(p + i);
}

static void on_any_gap(void *arg, int dir, uint64_t n, uint64_t t_us)
{
	assert_int_equal(((int *)arg)[dir], 0);
	(void)t_us;
	assert_true(n > 0 && n <= UINT32_MAX);
}

static void on_any_fin(void *arg, int dir)
{
	assert_true(++((int *)arg)[dir] == 1);
}

/* A FIN that nobody acknowledged may have been taken back. */
static void on_any_doubt(void *arg)
{
	((int *)arg)[0] = ((int *)arg)[1] = 0;
}

/* Numbers that contradict each other, near and far. */
static void nonsense_ends_and_stays_under_the_caps(void **state)
{
	static const uint8_t bytes[3000];

	(void)state;
	begin_random();
	for (int i = 0; i < 300; i++) {
		int fins[2] = { 0, 0 };
		struct stream_sink sink = { on_any_push, on_any_gap, on_any_fin, on_any_doubt };
		struct stream *s = xcalloc(1, sizeof *s);

		uint64_t now = SECOND;
		uint32_t spread = random_below(2) ? 20000 : UINT32_MAX;

		stream_init(s, &sink, fins, &key);
		for (int j = 0; j < 500; j++) {
			uint32_t n = random_below(3) ? random_below(3000) : 0;
			struct stream_segment g = { .dir = (int)random_below(2), .seq = random_below(spread), .ack = random_below(spread),
						    .has_ack = random_below(10), .syn = random_below(30) == 0, .fin = random_below(30) == 0,
						    .payload = bytes, .length = n, .captured = random_below(5) ? n : n / 2, .time_us = now };

			now += random_below(j % 50 ? 10000 : 5000000);
			stream_push(s, &g, now);
			assert_true(stream_deadline(s) == 0 || stream_deadline(s) > now);
			assert_true(stream_memory_bytes(s) <= sizeof *s + 2 * (LIMIT_HELD_PER_FLOW + UNACKED_BYTES + 8192));
			(void)stream_accepts_reset(s, g.dir, g.seq);
		}
		if (random_below(2))
			stream_flush(s, now);
		stream_fini(s);
		free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_in_order_are_handed_on_at_once),
		cmocka_unit_test(bytes_out_of_order_wait_for_those_before),
		cmocka_unit_test(retransmitted_bytes_count_once),
		cmocka_unit_test(overlaps_are_handed_on_once),
		cmocka_unit_test(overlap_that_differs_is_told),
		cmocka_unit_test(other_bytes_again_are_told_until_they_are_acknowledged),
		cmocka_unit_test(parts_sent_again_are_judged_by_what_is_acknowledged),
		cmocka_unit_test(nothing_is_kept_of_a_side_whose_receiver_is_not_captured),
		cmocka_unit_test(fin_that_nobody_acknowledged_is_taken_back_by_bytes_behind_it),
		cmocka_unit_test(fin_that_was_acknowledged_ends_a_side),
		cmocka_unit_test(overlap_with_a_later_one_that_differs_is_told),
		cmocka_unit_test(of_held_bytes_that_differ_the_lower_segment_wins),
		cmocka_unit_test(keep_alives_are_ignored),
		cmocka_unit_test(numbers_wrap),
		cmocka_unit_test(more_than_four_gigabytes_go_through),
		cmocka_unit_test(bytes_in_a_syn_are_handed_on),
		cmocka_unit_test(fin_comes_after_the_bytes_before_it),
		cmocka_unit_test(fin_with_bytes_out_of_order),
		cmocka_unit_test(fin_waits_for_the_bytes_it_acknowledges),
		cmocka_unit_test(fin_behind_a_hole_ends_the_wait),
		cmocka_unit_test(fin_that_was_lost_is_no_gap),
		cmocka_unit_test(fin_of_the_past_is_ignored),
		cmocka_unit_test(reset_is_accepted_near_the_next_byte),
		cmocka_unit_test(acknowledged_hole_becomes_a_gap_after_a_second),
		cmocka_unit_test(unacknowledged_hole_waits_for_the_retransmission),
		cmocka_unit_test(hole_that_is_filled_in_part),
		cmocka_unit_test(next_packet_ends_a_wait_that_is_over),
		cmocka_unit_test(frame_cut_by_the_snap_length_is_a_gap),
		cmocka_unit_test(bytes_at_the_end_that_only_an_acknowledgement_tells_of),
		cmocka_unit_test(numbers_far_away_are_ignored),
		cmocka_unit_test(number_far_away_once_in_a_while_moves_nothing),
		cmocka_unit_test(both_sides_that_go_on_far_away_are_followed),
		cmocka_unit_test(numbers_that_cannot_be_ordered_are_compared_within_their_bytes),
		cmocka_unit_test(overlaps_are_looked_for_within_both_segments),
		cmocka_unit_test(reply_waits_for_its_command),
		cmocka_unit_test(long_dialogue_whose_replies_come_first),
		cmocka_unit_test(wait_for_a_command_that_was_lost_is_bounded),
		cmocka_unit_test(command_behind_a_hole_waits_for_the_reply_it_acknowledges),
		cmocka_unit_test(lost_command_does_not_lose_its_neighbours),
		cmocka_unit_test(side_that_is_not_captured_holds_nobody_up),
		cmocka_unit_test(side_that_shows_up_late_is_heard),
		cmocka_unit_test(server_side_alone_is_heard),
		cmocka_unit_test(joined_in_the_middle),
		cmocka_unit_test(joined_in_the_middle_with_one_side),
		cmocka_unit_test(joined_in_the_middle_out_of_order),
		cmocka_unit_test(bytes_may_overtake_the_handshake),
		cmocka_unit_test(handshake_is_not_needed_in_order),
		cmocka_unit_test(mutual_wait_ends),
		cmocka_unit_test(held_bytes_have_a_cap),
		cmocka_unit_test(held_bytes_of_both_sides_have_a_cap),
		cmocka_unit_test(scattered_bytes_cost_little_more_than_ordered_ones),
		cmocka_unit_test(taps_that_shuffle_and_delay_change_nothing),
		cmocka_unit_test(what_was_lost_and_nothing_else_is_a_gap),
		cmocka_unit_test(waits_alone_reach_the_end),
		cmocka_unit_test(nonsense_ends_and_stays_under_the_caps),
	};

	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
