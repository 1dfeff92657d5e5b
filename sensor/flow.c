/*
 * flow.c - see flow.h.
 *
 * Index: open addressing, linear probing, buckets of 32 bits of the hash and a number into the slabs. It doubles at 3/4 full, a few buckets
 * moved with each insertion, so that no packet waits for a whole rehash. Deletion shifts back; no tombstones.
 */
#include "sensor/flow.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/xmalloc.h"

enum { BLOCK = 4096, WHEEL_SLOTS = 2048, NO_SLOT = 0xfff, MIN_BUCKETS = 1024, MOVE_PER_INSERT = 8 };
#define NONE UINT32_MAX
#define V6_BIT 0x80000000u	/* of a number: it counts in the slab of IPv6 */
#define KEY_HEAD offsetof(struct flow_key, addr)

struct bucket {
	uint32_t hash;		/* the lower bits, with HASH_BIT; 0: empty */
	uint32_t number;
};
#define HASH_BIT 0x80000000u

struct index {
	struct bucket *bucket;
	size_t mask, used;
};

/* Records of one size, each a struct flow and its key. */
struct slab {
	size_t record_bytes;
	uint8_t **block;
	size_t block_count, count;
	uint32_t free_list, used;	/* free records are linked by timer_next */
};

struct flow_table {
	struct flow_table_options o;
	struct index now, old;	/* old: being moved, or without buckets */
	size_t moved;		/* buckets of old that are done */
	struct slab slab[2];	/* IPv4, IPv6 */
	uint32_t wheel[WHEEL_SLOTS], wheel_last[WHEEL_SLOTS];	/* each second's flows, who was armed first at the front */
	uint64_t wheel_second;	/* the second up to which timers ran */
	bool wheel_started;
	uint64_t base_s;	/* what active_s counts from */
};

_Static_assert(sizeof(struct flow) == 64, "a flow is a cache line");

static size_t key_bytes(bool is_v6)
{
	return KEY_HEAD + 2 * (is_v6 ? 16 : 4);
}

static struct flow *at(const struct flow_table *t, uint32_t number)
{
	const struct slab *s = &t->slab[number >> 31];
	uint32_t i = number & ~V6_BIT;

	return (struct flow *)(s->block[i / BLOCK] + i % BLOCK * s->record_bytes);
}

static const struct flow_key *key_of(const struct flow *f)
{
	return (const struct flow_key *)(f + 1);
}

static void index_init(struct index *x, size_t buckets)
{
	x->bucket = xcalloc(buckets, sizeof *x->bucket);
	x->mask = buckets - 1;
	x->used = 0;
}

static void index_fini(struct index *x)
{
	free(x->bucket);
	*x = (struct index){ 0 };
}

static void slab_fini(struct slab *s)
{
	for (size_t i = 0; i < s->block_count; i++)
		free(s->block[i]);
	free(s->block);
}

static void table_init(struct flow_table *t, const struct flow_table_options *o)
{
	*t = (struct flow_table){ .o = *o };
	index_init(&t->now, MIN_BUCKETS);
	for (int v6 = 0; v6 < 2; v6++)
		t->slab[v6] = (struct slab){ .record_bytes = sizeof(struct flow) + key_bytes(v6), .free_list = NONE };
	for (size_t i = 0; i < WHEEL_SLOTS; i++)
		t->wheel[i] = t->wheel_last[i] = NONE;
}

static void table_fini(struct flow_table *t)
{
	index_fini(&t->now);
	index_fini(&t->old);
	slab_fini(&t->slab[0]);
	slab_fini(&t->slab[1]);
}

struct flow_table *flow_table_new(const struct flow_table_options *o)
{
	struct flow_table *t = xmalloc(sizeof *t);

	table_init(t, o);
	return t;
}

void flow_table_free(struct flow_table *t)
{
	table_fini(t);
	free(t);
}

void flow_clear(struct flow_table *t)
{
	struct flow_table_options o = t->o;

	table_fini(t);
	table_init(t, &o);
}

size_t flow_count(const struct flow_table *t)
{
	return t->slab[0].count + t->slab[1].count;
}

size_t flow_memory_bytes(const struct flow_table *t)
{
	size_t buckets = t->now.mask + 1 + (t->old.bucket ? t->old.mask + 1 : 0);

	return buckets * sizeof(struct bucket) + t->slab[0].count * t->slab[0].record_bytes
	       + t->slab[1].count * t->slab[1].record_bytes;
}

unsigned flow_version(const struct flow *f)
{
	return f->number & V6_BIT ? 6 : 4;
}

struct ip_addr flow_address(const struct flow *f, int endpoint)
{
	struct ip_addr a = { .version = (uint8_t)flow_version(f) };
	size_t n = a.version == 4 ? 4 : 16;

	memcpy(a.bytes, key_of(f)->addr + (size_t)endpoint * n, n);
	return a;
}

uint16_t flow_port(const struct flow *f, int endpoint)
{
	return key_of(f)->port[endpoint];
}

uint32_t flow_path(const struct flow *f)
{
	return key_of(f)->path;
}

void flow_touch(struct flow_table *t, struct flow *f, uint64_t now_us)
{
	uint64_t now_s = now_us / 1000000;

	if (!t->base_s)
		t->base_s = now_s;
	f->active_s = (uint32_t)(now_s + 1 - t->base_s);
}

uint64_t flow_active_us(const struct flow_table *t, const struct flow *f)
{
	return (t->base_s + f->active_s) * 1000000;
}

/* ---- keys ---- */

/* The key of that record. Two calls, so that compilers know the length of each. */
static bool has_key(const struct flow *f, const struct flow_key *key, bool is_v6)
{
	if (f->number >> 31 != is_v6)
		return false;
	return is_v6 ? memcmp(f + 1, key, KEY_HEAD + 32) == 0 : memcmp(f + 1, key, KEY_HEAD + 8) == 0;
}

static uint64_t hash_of(const struct flow_table *t, const struct flow_key *key, bool is_v6)
{
	return siphash13(&t->o.key, key, key_bytes(is_v6));
}

static uint32_t mark_of(uint64_t hash)
{
	return (uint32_t)hash | HASH_BIT;
}

/* As memcmp does; n is a multiple of 4. */
static inline int order(const uint8_t *a, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i += 4) {
		uint32_t x, y;

		memcpy(&x, a + i, sizeof x);
		memcpy(&y, b + i, sizeof y);
		if (x != y)
			return ntohl(x) > ntohl(y) ? 1 : -1;
	}
	return 0;
}

/* Which endpoint sent it. Inline, so that compilers know n. */
static inline int set_addresses(struct flow_key *key, const struct packet *p, size_t n)
{
	int before = order(p->src.bytes, p->dst.bytes, n), dir = before > 0 || (before == 0 && p->sport > p->dport);

	memcpy(key->addr + (size_t)dir * n, p->src.bytes, n);
	memcpy(key->addr + (size_t)!dir * n, p->dst.bytes, n);
	return dir;
}

void flow_look(const struct flow_table *t, const struct packet *p, struct flow_lookup *out)
{
	struct flow_key *key = &out->key;
	bool is_v6 = p->src.version != 4;
	int dir = is_v6 ? set_addresses(key, p, 16) : set_addresses(key, p, 4);

	out->likely = NULL;
	out->is_v6 = is_v6;
	out->dir = dir;
	key->port[dir] = p->sport;
	key->port[!dir] = p->dport;
	key->path = p->tunnel;
	if (t->o.key_vlan)	/* TUNNEL_BIT and TUNNEL_UNNAMED_BIT stay */
		key->path ^= ((uint32_t)p->vlan[0] << 12 | p->vlan[1]) << 1;
	out->hash = hash_of(t, key, is_v6);
}

void flow_fetch_index(const struct flow_table *t, const struct flow_lookup *l)
{
	__builtin_prefetch(&t->now.bucket[l->hash & t->now.mask]);
	if (t->old.bucket)
		__builtin_prefetch(&t->old.bucket[l->hash & t->old.mask]);
}

static void peek_into(const struct flow_table *t, const struct index *x, struct flow_lookup *l)
{
	uint32_t mark = mark_of(l->hash);

	if (!x->bucket)
		return;
	for (size_t b = l->hash & x->mask; x->bucket[b].hash; b = (b + 1) & x->mask)
		if (x->bucket[b].hash == mark) {
			l->likely = at(t, x->bucket[b].number);
			return;
		}
}

void flow_peek(const struct flow_table *t, struct flow_lookup *l)
{
	peek_into(t, &t->now, l);
	if (!l->likely)
		peek_into(t, &t->old, l);
	if (!l->likely)
		return;
	__builtin_prefetch(l->likely);
	__builtin_prefetch(l->likely + 1);
	__builtin_prefetch((const char *)(l->likely + 1) + key_bytes(l->is_v6) - 1);
}

/* ---- slabs ---- */

static uint32_t slab_take(struct flow_table *t, bool is_v6)
{
	struct slab *s = &t->slab[is_v6];
	uint32_t number = s->free_list;

	s->count++;
	if (number != NONE) {
		s->free_list = at(t, number)->timer_next;
		return number;
	}
	if (s->used == s->block_count * BLOCK) {
		s->block = xreallocarray(s->block, s->block_count + 1, sizeof *s->block);
		s->block[s->block_count++] = xmalloc(BLOCK * s->record_bytes);
	}
	return s->used++ | (is_v6 ? V6_BIT : 0);
}

static void slab_give(struct flow_table *t, struct flow *f)
{
	struct slab *s = &t->slab[f->number >> 31];

	f->is_used = false;
	f->timer_next = s->free_list;
	s->free_list = f->number;
	s->count--;
}

/* ---- index ---- */

static bool index_find(const struct flow_table *t, const struct index *x, const struct flow_key *key, bool is_v6, uint64_t hash, size_t *bucket)
{
	uint32_t mark = mark_of(hash);

	if (!x->bucket)
		return false;
	for (size_t b = hash & x->mask; x->bucket[b].hash; b = (b + 1) & x->mask) {
		uint32_t number = x->bucket[b].number;

		if (x->bucket[b].hash == mark && has_key(at(t, number), key, is_v6)) {
			*bucket = b;
			return true;
		}
	}
	return false;
}

static void index_add(struct index *x, struct bucket new)
{
	size_t b = new.hash & x->mask;

	while (x->bucket[b].hash)
		b = (b + 1) & x->mask;
	x->bucket[b] = new;
	x->used++;
}

/* Empties a bucket and moves up those behind it that would no longer be found. */
static void index_delete(struct index *x, size_t hole)
{
	size_t b = hole;

	x->used--;
	for (;;) {
		b = (b + 1) & x->mask;
		if (!x->bucket[b].hash)
			break;
		size_t home = x->bucket[b].hash & x->mask;
		if (((b - home) & x->mask) < ((b - hole) & x->mask))
			continue;	/* it is still found from its home */
		x->bucket[hole] = x->bucket[b];
		hole = b;
	}
	x->bucket[hole].hash = 0;
}

/* Moves some buckets of the old index; each run is taken as a whole, so that what stays can be found. */
static void index_move(struct flow_table *t, size_t buckets)
{
	struct index *x = &t->old;

	while (x->bucket && buckets) {
		if (t->moved > x->mask) {
			index_fini(x);
			return;
		}
		size_t b = t->moved;
		while (x->bucket[b].hash) {
			index_add(&t->now, x->bucket[b]);
			index_delete(x, b);
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

struct flow *flow_find(struct flow_table *t, const struct flow_lookup *l, bool make)
{
	size_t bucket;

	if (l->likely && l->likely->is_used && has_key(l->likely, &l->key, l->is_v6))
		return l->likely;
	if (index_find(t, &t->now, &l->key, l->is_v6, l->hash, &bucket))
		return at(t, t->now.bucket[bucket].number);
	if (index_find(t, &t->old, &l->key, l->is_v6, l->hash, &bucket))
		return at(t, t->old.bucket[bucket].number);
	if (!make)
		return NULL;
	if ((t->now.used + 1) * 4 > (t->now.mask + 1) * 3)
		index_grow(t);
	index_move(t, MOVE_PER_INSERT);
	uint32_t number = slab_take(t, l->is_v6);
	struct flow *f = at(t, number);
	*f = (struct flow){ .number = number, .timer_slot = NO_SLOT, .is_used = true };
	memcpy(f + 1, &l->key, key_bytes(l->is_v6));
	index_add(&t->now, (struct bucket){ mark_of(l->hash), number });
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
	if (f->timer_next == NONE)
		t->wheel_last[f->timer_slot] = f->timer_prev;
	else
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
	f->timer_slot = slot & NO_SLOT;
	f->timer_next = NONE;
	f->timer_prev = t->wheel_last[slot];
	if (f->timer_prev == NONE)
		t->wheel[slot] = f->number;
	else
		at(t, f->timer_prev)->timer_next = f->number;
	t->wheel_last[slot] = f->number;
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
	const struct flow_key *key = key_of(f);
	bool is_v6 = flow_version(f) == 6;
	uint64_t hash = hash_of(t, key, is_v6);
	struct index *x = &t->now;
	size_t bucket;

	timer_unlink(t, f);
	if (!index_find(t, x, key, is_v6, hash, &bucket)) {
		x = &t->old;
		if (!index_find(t, x, key, is_v6, hash, &bucket))
			return;
	}
	index_delete(x, bucket);
	slab_give(t, f);
}

void flow_each(struct flow_table *t, void (*each)(void *arg, struct flow *f), void *arg)
{
	for (uint32_t v6 = 0; v6 < 2; v6++)
		for (uint32_t i = 0; i < t->slab[v6].used; i++) {
			struct flow *f = at(t, i | v6 << 31);

			if (f->is_used)
				each(arg, f);
		}
}
