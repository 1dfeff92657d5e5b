/*
 * Unit tests of flow.c against models of a few lines: an array of what is in the table, and of when each timer is due. SEED=N repeats a run.
 */
#include "sensor/flow.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/chance.h"

#define SECOND UINT64_C(1000000)

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	return (uint32_t)(chance_next(&random_state) % n);
}

static void begin_random(void)
{
	random_state = chance_seed();
}

static struct flow_table *table_new(bool key_vlan)
{
	struct flow_table_options o = { { { random_below(UINT32_MAX), 2 } }, key_vlan };

	return flow_table_new(&o);
}

/* The i-th of many connections, a few hosts and ports over, every third IPv6; from either side. */
static struct packet packet_of(uint32_t i, bool reply)
{
	struct packet p = { .sport = (uint16_t)(1024 + i % 5000), .dport = i % 7 ? 25 : 587, .flags = TCP_ACK };
	uint32_t client = i / 5000;

	p.src.version = p.dst.version = i % 3 ? 4 : 6;
	memcpy(p.src.bytes + (i % 3 ? 0 : 12), &client, 4);
	p.dst.bytes[0] = 10;
	p.dst.bytes[3] = (uint8_t)(i % 11);
	if (reply) {
		struct ip_addr a = p.src;

		p.src = p.dst;
		p.dst = a;
		p.dport = p.sport;
		p.sport = i % 7 ? 25 : 587;
	}
	return p;
}

static struct flow *find(struct flow_table *t, const struct packet *p, bool make, int *dir)
{
	struct flow_lookup l;

	flow_look(t, p, &l);
	flow_peek(t, &l);
	*dir = l.dir;
	return flow_find(t, &l, make);
}

static struct flow *get(struct flow_table *t, uint32_t i, bool make)
{
	struct packet forth = packet_of(i, false), back = packet_of(i, true);
	int dir = -1, other = -1;
	struct flow *f = find(t, &forth, make, &dir);

	if (f) {
		assert_ptr_equal(find(t, &back, false, &other), f);
		assert_int_equal(dir, !other);
		assert_int_equal(flow_port(f, dir), forth.sport);
		assert_memory_equal(flow_address(f, dir).bytes, forth.src.bytes, 16);
		assert_memory_equal(flow_address(f, other).bytes, forth.dst.bytes, 16);
	} else
		assert_null(find(t, &back, false, &other));
	return f;
}

/* What flow_peek found is gone meanwhile, and its record has become another flow's. */
static void stale_hint_is_not_followed(void **state)
{
	struct flow_table *t = flow_table_new(&(struct flow_table_options){ .key = { { 1, 2 } } });
	struct packet a = packet_of(1, false), b = packet_of(2, false);
	struct flow_lookup of_a, of_b;

	(void)state;
	flow_look(t, &a, &of_a);
	flow_look(t, &b, &of_b);
	struct flow *f = flow_find(t, &of_a, true);
	flow_peek(t, &of_a);
	assert_ptr_equal(of_a.likely, f);
	assert_ptr_equal(flow_find(t, &of_a, false), f);
	flow_remove(t, f);
	assert_null(flow_find(t, &of_a, false));
	assert_ptr_equal(flow_find(t, &of_b, true), f);
	assert_null(flow_find(t, &of_a, false));
	flow_table_free(t);
}

static void assert_new(const struct flow *f)
{
	assert_null(f->connection);
	assert_int_equal(f->flags, 0);
	assert_int_equal(f->packets, 0);
	assert_int_equal(f->isn[0] | f->isn[1], 0);
	assert_true(f->first_us == 0 && f->last_us == 0 && f->active_s == 0);
	assert_false(flow_has_timer(f));
}

/* ---- find, make, remove ---- */

static void both_directions_are_one_flow(void **state)
{
	struct flow_table *t = table_new(false);

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		assert_null(get(t, i, false));
		assert_new(get(t, i, true));
		assert_int_equal(flow_count(t), i + 1);
	}
	flow_table_free(t);
}

static void same_address_on_both_ends_is_told_apart_by_port(void **state)
{
	struct flow_table *t = table_new(false);
	struct packet p = { .sport = 40000, .dport = 25 };
	int dir = -1, other = -1;

	(void)state;
	p.src.version = p.dst.version = 4;
	struct flow *f = find(t, &p, true, &dir);
	p.sport = 25;
	p.dport = 40000;
	assert_ptr_equal(find(t, &p, false, &other), f);
	assert_int_equal(dir, !other);
	p.dport = 25;	/* both ports the same, too: there is but one direction */
	assert_ptr_not_equal(find(t, &p, true, &dir), f);
	flow_table_free(t);
}

static void ip4_and_ip6_of_the_same_bytes_are_two_flows(void **state)
{
	struct flow_table *t = table_new(false);
	struct packet p = { .sport = 40000, .dport = 25 };
	int dir;

	(void)state;
	p.src.version = p.dst.version = 4;
	p.src.bytes[0] = 1;
	struct flow *f = find(t, &p, true, &dir);
	p.src.version = p.dst.version = 6;
	assert_null(find(t, &p, false, &dir));
	struct flow *g = find(t, &p, true, &dir);
	assert_ptr_not_equal(f, g);
	assert_int_equal(flow_address(f, dir).version, 4);
	assert_int_equal(flow_address(g, dir).version, 6);
	assert_int_equal(flow_address(g, dir).bytes[0], 1);
	flow_table_free(t);
}

static void vlan_tags_are_part_of_the_key_only_when_asked_for(void **state)
{
	static const uint16_t tags[][2] = { { 0, 0 }, { 16, 0 }, { 16, 1 }, { 1, 16 }, { 17, 0 }, { 0, 1 }, { 0, 16 }, { 4095, 4095 }, { 17, 1 } };
	enum { TAGS = sizeof tags / sizeof *tags };

	(void)state;
	for (int key_vlan = 0; key_vlan < 2; key_vlan++) {
		struct flow_table *t = table_new(key_vlan);
		struct packet p = packet_of(1, false);
		int dir;

		for (int i = 0; i < TAGS; i++) {
			memcpy(p.vlan, tags[i], sizeof p.vlan);
			find(t, &p, true, &dir);
		}
		assert_int_equal(flow_count(t), key_vlan ? TAGS : 1);
		flow_table_free(t);
	}
}

static void tunnels_are_always_part_of_the_key(void **state)
{
	static const uint32_t tunnels[] = { 0, TUNNEL_NAMED, 0x80000003, 0xffffffff, 0x80000001 };
	enum { TUNNELS = sizeof tunnels / sizeof *tunnels };

	(void)state;
	for (int key_vlan = 0; key_vlan < 2; key_vlan++) {
		struct flow_table *t = table_new(key_vlan);
		struct packet p = packet_of(1, false);
		int dir;

		p.vlan[0] = 4095;
		for (int i = 0; i < TUNNELS; i++) {
			p.tunnel = tunnels[i];
			uint32_t path = flow_path(find(t, &p, true, &dir));
			assert_int_equal(path & TUNNEL_BIT, tunnels[i] & TUNNEL_BIT);
			assert_int_equal(path & TUNNEL_UNNAMED_BIT, tunnels[i] & TUNNEL_UNNAMED_BIT);
		}
		assert_int_equal(flow_count(t), TUNNELS);
		flow_table_free(t);
	}
}

struct each {
	struct flow_table *t;
	struct flow **model;
	size_t seen;
	bool remove;
};

static void on_each(void *arg, struct flow *f)
{
	struct each *e = arg;

	e->seen++;
	assert_ptr_equal(e->model[f->packets], f);
	if (e->remove)
		flow_remove(e->t, f);
}

enum { FLOWS = 60000, OPERATIONS = 1000000 };

/* Grows and shrinks, so that the index is taken while it moves and slots are used again. */
static void million_operations_agree_with_an_array(void **state)
{
	struct flow_table *t;
	struct flow **model = xcalloc(FLOWS, sizeof *model);
	size_t count = 0;

	(void)state;
	begin_random();
	t = table_new(false);
	for (uint32_t n = 0; n < OPERATIONS; n++) {
		uint32_t i = random_below(FLOWS), limit = n / 100000 % 2 ? 3 : 8;
		bool make = random_below(10) < limit;
		struct flow *f = get(t, i, make);

		if (model[i])
			assert_ptr_equal(f, model[i]);
		else if (make) {
			assert_non_null(f);
			assert_new(f);
			f->packets = i;
			model[i] = f;
			count++;
		} else
			assert_null(f);
		if (f && !make) {
			flow_remove(t, f);
			model[i] = NULL;
			count--;
			assert_null(get(t, i, false));
		}
		assert_int_equal(flow_count(t), count);
	}
	struct each e = { t, model, 0, false };
	flow_each(t, on_each, &e);
	assert_int_equal(e.seen, count);
	for (uint32_t i = 0; i < FLOWS; i++)
		assert_ptr_equal(get(t, i, false), model[i]);
	e = (struct each){ t, model, 0, true };
	flow_each(t, on_each, &e);
	assert_int_equal(e.seen, count);
	assert_int_equal(flow_count(t), 0);
	for (uint32_t i = 0; i < FLOWS; i++)
		assert_null(get(t, i, false));
	flow_table_free(t);
	free(model);
}

/* ---- keys that were chosen ---- */

enum { CHOSEN = 1500 };

static struct packet random_packet(void)
{
	struct packet p = { .sport = (uint16_t)random_below(65536), .dport = 25, .src = { .version = 4 }, .dst = { .version = 4, .bytes = { 192, 0, 2, 25 } } };
	uint32_t client = random_below(UINT32_MAX);

	memcpy(p.src.bytes, &client, 4);
	return p;
}

/* Buckets that are looked at until each of the flows is found, on average. */
static double probes_of(struct siphash_key hash_key, const struct packet *p)
{
	struct flow_table *t = flow_table_new(&(struct flow_table_options){ hash_key, false });
	struct flow_lookup l;
	uint64_t probes = 0;

	for (unsigned i = 0; i < CHOSEN; i++) {
		flow_look(t, &p[i], &l);
		flow_find(t, &l, true);
	}
	index_move(t, SIZE_MAX);
	for (unsigned i = 0; i < CHOSEN; i++) {
		size_t bucket;

		flow_look(t, &p[i], &l);
		assert_true(index_find(t, &t->now, &l.key, l.is_v6, l.hash, &bucket));
		probes += ((bucket - l.hash) & t->now.mask) + 1;
	}
	flow_table_free(t);
	return (double)probes / CHOSEN;
}

/* Connections that fall into one place for who knows the key: they cost nothing more under another. */
static void chosen_keys_collide_only_under_the_key_they_were_chosen_for(void **state)
{
	const struct siphash_key known = { { 0, 0 } };
	struct flow_table *t = flow_table_new(&(struct flow_table_options){ known, false });
	struct packet *chosen = xcalloc(CHOSEN, sizeof *chosen), *any = xcalloc(CHOSEN, sizeof *any);
	double collide, keyed = 0, random = 0;
	enum { TABLES = 20 };

	(void)state;
	begin_random();
	for (unsigned n = 0; n < CHOSEN;) {
		struct flow_lookup l;

		chosen[n] = random_packet();
		flow_look(t, &chosen[n], &l);
		n += (l.hash & 0xfff) < 4;
	}
	collide = probes_of(known, chosen);
	for (unsigned i = 0; i < TABLES; i++) {
		const struct siphash_key key = { { random_below(UINT32_MAX), random_below(UINT32_MAX) } };

		for (unsigned n = 0; n < CHOSEN; n++)
			any[n] = random_packet();
		keyed += probes_of(key, chosen) / TABLES;
		random += probes_of(key, any) / TABLES;
	}
	printf("# buckets a look-up: %.1f with the key that they were chosen for, %.3f with others, %.3f for random connections\n", collide, keyed, random);
	assert_true(collide > 100 * random);
	assert_true(keyed < 1.2 * random);
	free(chosen);
	free(any);
	flow_table_free(t);
}

static void records_do_not_move_while_the_table_grows(void **state)
{
	struct flow_table *t = table_new(false);
	struct flow **made = xcalloc(FLOWS, sizeof *made);

	(void)state;
	for (uint32_t i = 0; i < FLOWS; i++) {
		made[i] = get(t, i, true);
		assert_ptr_equal(get(t, i / 2, false), made[i / 2]);
	}
	for (uint32_t i = 0; i < FLOWS; i++)
		assert_ptr_equal(get(t, i, false), made[i]);
	assert_true(flow_memory_bytes(t) <= FLOWS * (sizeof(struct flow) + sizeof(struct flow_key) + 3 * 8) + 65536);
	flow_table_free(t);
	free(made);
}

static void million_flows_fit_into_160_mib(void **state)
{
	struct flow_table *t = table_new(false);
	int dir;

	(void)state;
	for (uint32_t i = 0; i < 1000000; i++) {
		struct packet p = { .sport = (uint16_t)i, .dport = 25 };

		p.src.version = p.dst.version = 4;
		p.src.bytes[1] = (uint8_t)(i >> 16);
		p.dst.bytes[0] = 1;
		find(t, &p, true, &dir);
	}
	assert_int_equal(flow_count(t), 1000000);
	assert_true(flow_memory_bytes(t) <= 160 * 1024 * 1024);
	flow_table_free(t);
}

static void memory_of_removed_flows_is_used_again(void **state)
{
	struct flow_table *t = table_new(false);

	(void)state;
	for (uint32_t i = 0; i < 100000; i++)
		flow_remove(t, get(t, i, true));
	assert_int_equal(flow_count(t), 0);
	assert_int_equal(t->slab[0].used + t->slab[1].used, 2);
	assert_true(flow_memory_bytes(t) <= MIN_BUCKETS * 8);
	flow_table_free(t);
}

/* ---- timers ---- */

struct clock {
	struct flow_table *t;
	uint64_t *at_us;		/* by number of the flow; 0: no timer */
	uint64_t *armed_us;		/* where the wheel stood then: within a jump of time it runs behind */
	uint64_t now_us;
	unsigned fired, early;
	bool rearm;
};

static void arm(struct clock *c, struct flow *f, uint64_t at_us)
{
	flow_set_timer(c->t, f, at_us);
	c->at_us[f->packets] = at_us;
	c->armed_us[f->packets] = c->t->wheel_second * SECOND;
	assert_true(flow_has_timer(f));
}

static void on_due(void *arg, struct flow *f)
{
	struct clock *c = arg;
	uint64_t at = c->at_us[f->packets];

	assert_int_not_equal(at, 0);
	assert_false(flow_has_timer(f));
	if (at > c->now_us) {	/* beyond the span of the wheel */
		assert_true(at - c->armed_us[f->packets] >= (WHEEL_SLOTS - 2) * SECOND);
		c->early++;
		arm(c, f, at);
		return;
	}
	c->fired++;
	c->at_us[f->packets] = 0;
	if (c->rearm)
		arm(c, f, at + random_below(3) * SECOND);	/* perhaps in the past again */
}

static struct clock clock_new(uint32_t flows)
{
	struct clock c = { .t = table_new(false), .now_us = 1700000000 * SECOND };

	c.at_us = xcalloc(flows, sizeof *c.at_us);
	c.armed_us = xcalloc(flows, sizeof *c.armed_us);
	flow_run_timers(c.t, c.now_us, on_due, &c);
	for (uint32_t i = 0; i < flows; i++)
		get(c.t, i, true)->packets = i;
	return c;
}

static void clock_free(struct clock *c)
{
	flow_table_free(c->t);
	free(c->at_us);
	free(c->armed_us);
}

static void run_until(struct clock *c, uint64_t now_us)
{
	c->now_us = now_us;
	flow_run_timers(c->t, now_us, on_due, c);
}

static void timer_fires_in_the_second_after_its_time(void **state)
{
	struct clock c = clock_new(1);
	struct flow *f = get(c.t, 0, false);
	uint64_t begin = c.now_us;

	(void)state;
	arm(&c, f, begin + 5 * SECOND + 3);
	run_until(&c, begin + 5 * SECOND + 999999);
	assert_int_equal(c.fired, 0);
	run_until(&c, begin + 6 * SECOND);
	assert_int_equal(c.fired, 1);
	run_until(&c, begin + 9000 * SECOND);
	assert_int_equal(c.fired, 1);
	clock_free(&c);
}

static void timer_in_the_past_fires_in_the_next_second(void **state)
{
	struct clock c = clock_new(1);

	(void)state;
	arm(&c, get(c.t, 0, false), 5);
	run_until(&c, c.now_us + SECOND);
	assert_int_equal(c.fired, 1);
	clock_free(&c);
}

static void timer_that_is_set_again_fires_once(void **state)
{
	struct clock c = clock_new(2);
	struct flow *f = get(c.t, 0, false);
	uint64_t begin = c.now_us;

	(void)state;
	arm(&c, f, begin + 3 * SECOND);
	arm(&c, get(c.t, 1, false), begin + 3 * SECOND);
	arm(&c, f, begin + 7 * SECOND);
	run_until(&c, begin + 5 * SECOND);
	assert_int_equal(c.fired, 1);
	arm(&c, f, begin + 6 * SECOND);
	run_until(&c, begin + 7 * SECOND);
	assert_int_equal(c.fired, 2);
	run_until(&c, begin + 100 * SECOND);
	assert_int_equal(c.fired, 2);
	clock_free(&c);
}

static void removed_flow_does_not_fire(void **state)
{
	struct clock c = clock_new(3);
	uint64_t begin = c.now_us;

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		arm(&c, get(c.t, i, false), begin + 3 * SECOND);
	flow_remove(c.t, get(c.t, 1, false));
	run_until(&c, begin + 10 * SECOND);
	assert_int_equal(c.fired, 2);
	clock_free(&c);
}

static void far_timers_come_at_their_time_all_the_same(void **state)
{
	struct clock c = clock_new(1);
	uint64_t begin = c.now_us;

	(void)state;
	arm(&c, get(c.t, 0, false), begin + 10000 * SECOND);
	for (uint64_t s = 1; s <= 10000; s++)
		run_until(&c, begin + s * SECOND);
	assert_int_equal(c.fired, 0);
	assert_true(c.early >= 4);
	run_until(&c, begin + 10001 * SECOND);
	assert_int_equal(c.fired, 1);
	clock_free(&c);
}

static void jump_of_time_fires_all_that_is_due_once(void **state)
{
	static const uint64_t jumps[] = { 2047, 2048, 2049, 5000, 1000000, 4000000000 };

	(void)state;
	for (size_t j = 0; j < sizeof jumps / sizeof *jumps; j++) {
		struct clock c = clock_new(1500);
		uint64_t begin = c.now_us;

		for (uint32_t i = 0; i < 1500; i++)
			arm(&c, get(c.t, i, false), begin + i * SECOND);
		run_until(&c, begin + jumps[j] * SECOND);
		assert_int_equal(c.fired, 1500);
		clock_free(&c);
	}
}

static void timers_agree_with_an_array_of_deadlines(void **state)
{
	enum { N = 500 };

	(void)state;
	begin_random();
	struct clock c = clock_new(N);
	c.rearm = true;
	for (int n = 0; n < 20000; n++) {
		uint32_t span = random_below(50) ? 100 : 5000;

		if (random_below(3))
			arm(&c, get(c.t, random_below(N), false), c.now_us + random_below(span) * SECOND + random_below(1000000));
		c.rearm = random_below(2);
		run_until(&c, c.now_us + (random_below(300) ? random_below(3000000) : random_below(6000) * SECOND));
		for (uint32_t i = 0; i < N; i++)
			if (c.at_us[i] && c.at_us[i] / SECOND < c.now_us / SECOND && c.armed_us[i] / SECOND < c.now_us / SECOND)
				fail_msg("flow %u was due at %llu, now is %llu", i, (unsigned long long)c.at_us[i], (unsigned long long)c.now_us);
	}
	assert_true(c.fired > 1000);
	clock_free(&c);
}

static void idlest_is_the_one_whose_time_comes_first(void **state)
{
	enum { N = 300 };
	struct clock c = clock_new(N);
	uint64_t begin = c.now_us, before = 0;

	(void)state;
	begin_random();
	for (uint32_t i = 0; i < N; i++)
		arm(&c, get(c.t, i, false), begin + random_below(1900) * SECOND);
	for (uint32_t i = 0; i < N; i++) {
		struct flow *f = flow_idlest(c.t);

		assert_non_null(f);
		assert_true(c.at_us[f->packets] / SECOND >= before);
		before = c.at_us[f->packets] / SECOND;
		flow_remove(c.t, f);
	}
	assert_null(flow_idlest(c.t));
	clock_free(&c);
}

static void of_one_second_the_first_that_was_armed_is_the_idlest(void **state)
{
	enum { N = 50 };
	struct clock c = clock_new(N);

	(void)state;
	for (uint32_t i = 0; i < N; i++)
		arm(&c, get(c.t, i, false), c.now_us + 7 * SECOND);
	arm(&c, get(c.t, 0, false), c.now_us + 9 * SECOND);	/* from the front, the middle and the end */
	arm(&c, get(c.t, 20, false), c.now_us + 9 * SECOND);
	arm(&c, get(c.t, N - 1, false), c.now_us + 9 * SECOND);
	for (uint32_t i = 1; i < N - 1; i++) {
		if (i == 20)
			continue;
		assert_ptr_equal(flow_idlest(c.t), get(c.t, i, false));
		flow_remove(c.t, flow_idlest(c.t));
	}
	assert_ptr_equal(flow_idlest(c.t), get(c.t, 0, false));
	clock_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_directions_are_one_flow),
		cmocka_unit_test(stale_hint_is_not_followed),
		cmocka_unit_test(same_address_on_both_ends_is_told_apart_by_port),
		cmocka_unit_test(ip4_and_ip6_of_the_same_bytes_are_two_flows),
		cmocka_unit_test(vlan_tags_are_part_of_the_key_only_when_asked_for),
		cmocka_unit_test(tunnels_are_always_part_of_the_key),
		cmocka_unit_test(million_operations_agree_with_an_array),
		cmocka_unit_test(chosen_keys_collide_only_under_the_key_they_were_chosen_for),
		cmocka_unit_test(records_do_not_move_while_the_table_grows),
		cmocka_unit_test(million_flows_fit_into_160_mib),
		cmocka_unit_test(memory_of_removed_flows_is_used_again),
		cmocka_unit_test(timer_fires_in_the_second_after_its_time),
		cmocka_unit_test(timer_in_the_past_fires_in_the_next_second),
		cmocka_unit_test(timer_that_is_set_again_fires_once),
		cmocka_unit_test(removed_flow_does_not_fire),
		cmocka_unit_test(far_timers_come_at_their_time_all_the_same),
		cmocka_unit_test(jump_of_time_fires_all_that_is_due_once),
		cmocka_unit_test(timers_agree_with_an_array_of_deadlines),
		cmocka_unit_test(idlest_is_the_one_whose_time_comes_first),
		cmocka_unit_test(of_one_second_the_first_that_was_armed_is_the_idlest),
	};

	return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
