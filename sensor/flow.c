/*
 * flow.c - see flow.h.
 *
 * Index: open addressing, linear probing, 16-bit tags in an array of their own, 32-bit numbers into a slab of blocks. It doubles at 3/4
 * full, a few buckets moved with each insertion, so that no packet waits for a whole rehash. Deletion shifts back; no tombstones.
 */
#include "sensor/flow.h"

#include <string.h>

#include "common/xmalloc.h"

enum { BLOCK = 4096, WHEEL_SLOTS = 2048, NO_SLOT = 0xffff, MIN_BUCKETS = 1024, MOVE_PER_INSERT = 8 };
#define NONE UINT32_MAX
#define KEY_BYTES offsetof(struct flow, flags)	/* addr, port, path, version */

struct index {
	uint16_t *tag;		/* 0: empty */
	uint32_t *slot;
	size_t mask, used;
};

struct flow_table {
	struct flow_table_options o;
	struct index now, old;	/* old: being moved, or without buckets */
	size_t moved;		/* buckets of old that are done */
	struct flow **block;
	size_t block_count;
	uint32_t free_list, slab_used;	/* free records are linked by timer_next */
	size_t count;
	uint32_t wheel[WHEEL_SLOTS];
	uint64_t wheel_second;	/* the second up to which timers ran */
	bool wheel_started;
};

static struct flow *at(const struct flow_table *t, uint32_t i)
{
	return &t->block[i / BLOCK][i % BLOCK];
}

static void index_init(struct index *x, size_t buckets)
{
	x->tag = xcalloc(buckets, sizeof *x->tag);
	x->slot = xcalloc(buckets, sizeof *x->slot);
	x->mask = buckets - 1;
	x->used = 0;
}

static void index_fini(struct index *x)
{
	free(x->tag);
	free(x->slot);
	*x = (struct index){ 0 };
}

struct flow_table *flow_table_new(const struct flow_table_options *o)
{
	struct flow_table *t = xcalloc(1, sizeof *t);

	t->o = *o;
	index_init(&t->now, MIN_BUCKETS);
	t->free_list = NONE;
	for (size_t i = 0; i < WHEEL_SLOTS; i++)
		t->wheel[i] = NONE;
	return t;
}

void flow_table_free(struct flow_table *t)
{
	index_fini(&t->now);
	index_fini(&t->old);
	for (size_t i = 0; i < t->block_count; i++)
		free(t->block[i]);
	free(t->block);
	free(t);
}

size_t flow_count(const struct flow_table *t)
{
	return t->count;
}

size_t flow_memory_bytes(const struct flow_table *t)
{
	size_t buckets = t->now.mask + 1 + (t->old.tag ? t->old.mask + 1 : 0);

	return buckets * (sizeof(uint16_t) + sizeof(uint32_t)) + t->count * sizeof(struct flow);
}

struct ip_addr flow_address(const struct flow *f, int endpoint)
{
	struct ip_addr a = { .version = f->version };

	memcpy(a.bytes, f->addr[endpoint], 16);
	return a;
}

static uint64_t hash_of(const struct flow_table *t, const struct flow *f)
{
	return siphash13(&t->o.key, f, KEY_BYTES);
}

static uint16_t tag_of(uint64_t hash)
{
	return (uint16_t)(hash >> 48 | 1);
}

/* ---- slab ---- */

static uint32_t slab_take(struct flow_table *t)
{
	uint32_t i = t->free_list;

	if (i != NONE) {
		t->free_list = at(t, i)->timer_next;
		return i;
	}
	if (t->slab_used == t->block_count * BLOCK) {
		t->block = xreallocarray(t->block, t->block_count + 1, sizeof *t->block);
		t->block[t->block_count++] = xmalloc(BLOCK * sizeof(struct flow));
	}
	return t->slab_used++;
}

/* ---- index ---- */

static bool index_find(const struct flow_table *t, const struct index *x, const struct flow *key, uint64_t hash, size_t *bucket)
{
	uint16_t tag = tag_of(hash);

	if (!x->tag)
		return false;
	for (size_t b = hash & x->mask; x->tag[b]; b = (b + 1) & x->mask) {
		if (x->tag[b] == tag && memcmp(at(t, x->slot[b]), key, KEY_BYTES) == 0) {
			*bucket = b;
			return true;
		}
	}
	return false;
}

static void index_add(struct index *x, uint64_t hash, uint32_t number)
{
	size_t b = hash & x->mask;

	while (x->tag[b])
		b = (b + 1) & x->mask;
	x->tag[b] = tag_of(hash);
	x->slot[b] = number;
	x->used++;
}

/* Empties a bucket and moves up those behind it that would no longer be found. */
static void index_delete(const struct flow_table *t, struct index *x, size_t hole)
{
	size_t b = hole;

	x->used--;
	for (;;) {
		b = (b + 1) & x->mask;
		if (!x->tag[b])
			break;
		size_t home = hash_of(t, at(t, x->slot[b])) & x->mask;
		if (((b - home) & x->mask) < ((b - hole) & x->mask))
			continue;	/* it is still found from its home */
		x->tag[hole] = x->tag[b];
		x->slot[hole] = x->slot[b];
		hole = b;
	}
	x->tag[hole] = 0;
}

/* Moves some buckets of the old index; each run is taken as a whole, so that what stays can be found. */
static void index_move(struct flow_table *t, size_t buckets)
{
	struct index *x = &t->old;

	while (x->tag && buckets) {
		if (t->moved > x->mask) {
			index_fini(x);
			return;
		}
		size_t b = t->moved;
		while (x->tag[b]) {
			uint32_t number = x->slot[b];

			index_add(&t->now, hash_of(t, at(t, number)), number);
			index_delete(t, x, b);
		}
		t->moved++;
		buckets--;
	}
}

static void index_grow(struct flow_table *t)
{
	index_move(t, SIZE_MAX);
	t->old = t->now;
	t->moved = 0;
	index_init(&t->now, (t->old.mask + 1) * 2);
}

static void key_of(const struct flow_table *t, const struct packet *p, struct flow *key, int *dir)
{
	int order = memcmp(p->src.bytes, p->dst.bytes, 16);

	*dir = order > 0 || (order == 0 && p->sport > p->dport);
	memset(key, 0, sizeof *key);
	memcpy(key->addr[*dir], p->src.bytes, 16);
	memcpy(key->addr[!*dir], p->dst.bytes, 16);
	key->port[*dir] = p->sport;
	key->port[!*dir] = p->dport;
	key->version = p->src.version;
	key->path = p->tunnel;
	if (t->o.key_vlan)	/* TUNNEL_BIT and TUNNEL_UNNAMED_BIT stay */
		key->path ^= ((uint32_t)p->vlan[0] << 12 | p->vlan[1]) << 1;
}

struct flow *flow_find(struct flow_table *t, const struct packet *p, bool make, int *dir)
{
	struct flow key;
	size_t bucket;

	key_of(t, p, &key, dir);
	uint64_t hash = hash_of(t, &key);
	if (index_find(t, &t->now, &key, hash, &bucket))
		return at(t, t->now.slot[bucket]);
	if (index_find(t, &t->old, &key, hash, &bucket))
		return at(t, t->old.slot[bucket]);
	if (!make)
		return NULL;
	if ((t->now.used + 1) * 4 > (t->now.mask + 1) * 3)
		index_grow(t);
	index_move(t, MOVE_PER_INSERT);
	uint32_t number = slab_take(t);
	struct flow *f = at(t, number);
	*f = key;
	f->number = number;
	f->timer_slot = NO_SLOT;
	index_add(&t->now, hash, number);
	t->count++;
	return f;
}

/* ---- timers ---- */

bool flow_has_timer(const struct flow *f)
{
	return f->timer_slot != NO_SLOT;
}

static void timer_unlink(struct flow_table *t, struct flow *f)
{
	if (f->timer_slot == NO_SLOT)
		return;
	if (f->timer_prev == NONE)
		t->wheel[f->timer_slot] = f->timer_next;
	else
		at(t, f->timer_prev)->timer_next = f->timer_next;
	if (f->timer_next != NONE)
		at(t, f->timer_next)->timer_prev = f->timer_prev;
	f->timer_slot = NO_SLOT;
}

void flow_set_timer(struct flow_table *t, struct flow *f, uint64_t at_us)
{
	uint64_t second = at_us / 1000000 + 1;

	if (second <= t->wheel_second)
		second = t->wheel_second + 1;
	if (second >= t->wheel_second + WHEEL_SLOTS)
		second = t->wheel_second + WHEEL_SLOTS - 1;
	uint16_t slot = (uint16_t)(second % WHEEL_SLOTS);
	if (f->timer_slot == slot)
		return;
	timer_unlink(t, f);
	f->timer_slot = slot;
	f->timer_prev = NONE;
	f->timer_next = t->wheel[slot];
	if (f->timer_next != NONE)
		at(t, f->timer_next)->timer_prev = f->number;
	t->wheel[slot] = f->number;
}

void flow_run_timers(struct flow_table *t, uint64_t now_us, void (*due)(void *arg, struct flow *f), void *arg)
{
	uint64_t now = now_us / 1000000;

	if (!t->wheel_started) {
		t->wheel_started = true;
		t->wheel_second = now;
	}
	if (now > t->wheel_second + WHEEL_SLOTS)	/* a jump: every slot once */
		t->wheel_second = now - WHEEL_SLOTS;
	while (t->wheel_second < now) {
		size_t slot = ++t->wheel_second % WHEEL_SLOTS;
		uint32_t first = t->wheel[slot];

		/* Taken off as a list: what is armed again meanwhile must not come round twice. */
		while (first != NONE) {
			struct flow *f = at(t, first);

			timer_unlink(t, f);
			due(arg, f);
			first = t->wheel[slot];
		}
	}
}

struct flow *flow_idlest(struct flow_table *t)
{
	for (size_t i = 1; i <= WHEEL_SLOTS; i++) {
		uint32_t number = t->wheel[(t->wheel_second + i) % WHEEL_SLOTS];

		if (number != NONE)
			return at(t, number);
	}
	return NULL;
}

void flow_remove(struct flow_table *t, struct flow *f)
{
	size_t bucket;
	uint64_t hash = hash_of(t, f);
	struct index *x = &t->now;

	timer_unlink(t, f);
	if (!index_find(t, x, f, hash, &bucket)) {
		x = &t->old;
		if (!index_find(t, x, f, hash, &bucket))
			return;
	}
	index_delete(t, x, bucket);
	f->version = 0;
	f->timer_next = t->free_list;
	t->free_list = f->number;
	t->count--;
}

void flow_each(struct flow_table *t, void (*each)(void *arg, struct flow *f), void *arg)
{
	for (uint32_t i = 0; i < t->slab_used; i++)
		if (at(t, i)->version)
			each(arg, at(t, i));
}
