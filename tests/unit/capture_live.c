/*
 * Unit tests of capture_live.c: the order of frames from several interfaces, and the end. Rings and clocks are the test's: a frame lies in its ring
 * from the time at which the kernel hands over its block. What needs interfaces is tested by check_live.
 */
#include <pcap.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/timefmt.h"

/* ---- what stands for the kernel and the clock ---- */

#define MS UINT64_C(1000)
#define START (UINT64_C(1700000000) * 1000000)

enum { FRAMES_MAX = 64, INTERFACES = 3 };

struct ring {
	struct {
		uint64_t time_us, there_us;
	} frame[FRAMES_MAX];
	unsigned count, next;
	unsigned looks;
	bool gone;
};

static struct ring rings[INTERFACES];
static uint64_t clock_us;

static struct ring *ring_of(pcap_t *p)
{
	return (struct ring *)(void *)p;
}

static int fake_next(pcap_t *p, struct pcap_pkthdr **header, const u_char **bytes)
{
	static struct pcap_pkthdr h;
	struct ring *r = ring_of(p);

	r->looks++;
	if (r->next == r->count || r->frame[r->next].there_us > clock_us)
		return r->gone ? PCAP_ERROR : 0;
	uint64_t t = r->frame[r->next++].time_us;
	h = (struct pcap_pkthdr){ .ts = { (time_t)(t / 1000000), (suseconds_t)(t % 1000000) }, .caplen = 1, .len = 1 };
	*header = &h;
	*bytes = (const u_char *)r;
	return 1;
}

static int fake_poll(struct pollfd *p, nfds_t n, int timeout_ms)
{
	(void)p;
	(void)n;
	clock_us += (uint64_t)timeout_ms * MS;
	return 0;
}

static int64_t fake_now(void)
{
	return (int64_t)clock_us;
}

static int fake_fileno(pcap_t *p)
{
	(void)p;
	return -1;
}

static char *fake_error(pcap_t *p)
{
	static char text[] = "The interface disappeared";

	(void)p;
	return text;
}

#define pcap_next_ex fake_next
#define pcap_fileno fake_fileno
#define pcap_geterr fake_error
#define poll(p, n, t) fake_poll(p, n, t)
#define time_now_us fake_now
#include "sensor/capture_live.c"
#undef poll

#include <cmocka.h>

static struct interface interfaces[INTERFACES];
static struct pollfd descriptors[INTERFACES];

static struct capture_live *live_new(size_t count)
{
	struct capture_live *l = xcalloc(1, sizeof *l);

	memset(rings, 0, sizeof rings);
	memset(interfaces, 0, sizeof interfaces);
	clock_us = START;
	*l = (struct capture_live){ .interface = interfaces, .poll = descriptors, .count = count };
	for (unsigned i = 0; i < count; i++)
		interfaces[i] = (struct interface){ .name = "eth", .pcap = (pcap_t *)(void *)&rings[i], .frame.interface = i, .card_fd = { -1, -1 } };
	return l;
}

static void live_free(struct capture_live *l)
{
	free(l->problem);
	free(l);
}

/* A frame captured at_ms after the start, in its ring some time later. */
static void put(unsigned interface, uint64_t at_ms, uint64_t later_ms)
{
	struct ring *r = &rings[interface];

	r->frame[r->count].time_us = START + at_ms * MS;
	r->frame[r->count++].there_us = START + (at_ms + later_ms) * MS;
}

/* Reads until the end, or until nothing is left and nothing can come any more; counts frames, and that none waits longer than a block may. */
static unsigned read_in_order(struct capture_live *l)
{
	uint64_t last_us = 0, until_us = clock_us + 2000 * MS;
	struct capture_frame f;
	unsigned n = 0;
	int r;

	while ((r = capture_live_next(l, &f)) >= 0 && clock_us < until_us) {
		if (!r)
			continue;
		assert_true(f.time_us >= last_us);
		assert_true(f.bytes == (const uint8_t *)&rings[f.interface]);
		assert_true(clock_us <= f.time_us + (BLOCK_MS + 20 + 2 * ORDER_MS) * MS);
		last_us = f.time_us;
		n++;
	}
	return n;
}

static void frames_of_several_interfaces_come_in_the_order_of_their_times(void **state)
{
	struct capture_live *l = live_new(3);

	(void)state;
	for (unsigned i = 0; i < 20; i++) {	/* full blocks at once on one, timers on the others */
		put(0, 50 + 10 * i, 1);
		put(1, 51 + 10 * i, 100 - 5 * (i % 20));
		if (i % 4 == 0)
			put(2, 52 + 10 * i, 99);
	}
	assert_int_equal(read_in_order(l), 45);
	live_free(l);
}

static void a_silent_interface_holds_others_up_for_a_block(void **state)
{
	struct capture_live *l = live_new(2);

	(void)state;
	for (unsigned i = 0; i < 50; i++)
		put(0, 10 * i, 0);
	assert_int_equal(read_in_order(l), 50);
	assert_true(rings[1].looks < 1000);
	live_free(l);
}

static void one_interface_waits_for_nobody(void **state)
{
	struct capture_live *l = live_new(1);
	struct capture_frame f;

	(void)state;
	put(0, 0, 0);
	put(0, 0, 0);
	assert_int_equal(capture_live_next(l, &f), 1);
	assert_int_equal(capture_live_next(l, &f), 1);
	assert_int_equal(capture_live_next(l, &f), 0);
	assert_true(clock_us == START);		/* there was no waiting */
	assert_int_equal(capture_live_next(l, &f), 0);
	assert_true(clock_us == START + BLOCK_MS * MS);
	live_free(l);
}

static void a_clock_set_back_holds_nothing_up(void **state)
{
	struct capture_live *l = live_new(2);
	struct capture_frame f;

	(void)state;
	put(0, 0, 0);
	put(0, 1, 0);
	clock_us -= 3600 * 1000 * MS;
	rings[0].frame[0].there_us = rings[0].frame[1].there_us = 0;
	assert_int_equal(capture_live_next(l, &f), 1);
	assert_int_equal(capture_live_next(l, &f), 1);
	live_free(l);
}

static void at_the_end_what_was_captured_before_is_still_read(void **state)
{
	struct capture_live *l = live_new(2);
	struct capture_frame f;
	unsigned n = 0;
	int r;

	(void)state;
	put(0, 0, 5);
	put(1, 1, 90);
	put(0, 2, 1);
	put(0, 300, 1);		/* after it */
	clock_us += 2 * MS;
	capture_live_stop(l);
	while ((r = capture_live_next(l, &f)) >= 0)
		n += r == 1;
	assert_int_equal(n, 3);
	assert_false(l->cut_short);
	assert_true(clock_us <= START + 200 * MS);
	assert_null(capture_live_problem(l));
	live_free(l);
}

static void the_end_has_a_limit(void **state)
{
	struct capture_live *l = live_new(1);
	struct capture_frame f;
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 50; i++)
		put(0, 0, 0);
	capture_live_stop(l);
	while (capture_live_next(l, &f) == 1) {
		clock_us += 50 * MS;	/* so long does one take */
		n++;
	}
	assert_int_equal(n, 10);
	assert_true(l->cut_short);
	live_free(l);
}

static void an_interface_that_is_gone_is_read_to_its_end(void **state)
{
	struct capture_live *l = live_new(2);
	struct capture_frame f;
	unsigned n = 0;
	int r;

	(void)state;
	put(0, 0, 90);
	put(1, 0, 90);
	rings[1].gone = true;
	while ((r = capture_live_next(l, &f)) >= 0)
		n += r == 1;
	assert_int_equal(n, 2);
	assert_string_equal(capture_live_problem(l), "eth: The interface disappeared");
	live_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_of_several_interfaces_come_in_the_order_of_their_times),
		cmocka_unit_test(a_silent_interface_holds_others_up_for_a_block),
		cmocka_unit_test(one_interface_waits_for_nobody),
		cmocka_unit_test(a_clock_set_back_holds_nothing_up),
		cmocka_unit_test(at_the_end_what_was_captured_before_is_still_read),
		cmocka_unit_test(the_end_has_a_limit),
		cmocka_unit_test(an_interface_that_is_gone_is_read_to_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
