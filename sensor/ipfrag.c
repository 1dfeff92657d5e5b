/*
 * ipfrag.c - see ipfrag.h
 *
 * A datagram is a record with up to 64 pages of 1 KiB; a page has a bit for each unit of 8 bytes that was seen, since fragments begin and
 * end on such units (RFC 791 3.1), but for the end of the last. Records and pages come from two arrays with free lists; number 0 is none.
 * A record stands in a hash chain and in one of two queues by age: unfinished, and done, whose late copies are to begin nothing new.
 */
#include "sensor/ipfrag.h"

#include <string.h>

#include "common/xmalloc.h"
#include "sensor/limits.h"

enum {
	UNIT = 8,
	WORD_UNITS = 64,
	WORD_BYTES = UNIT * WORD_UNITS,
	PAGE_WORDS = 2,
	PAGE_BYTES = WORD_BYTES * PAGE_WORDS,	/* holds a whole small fragment; most are 1480 bytes */
	DATAGRAM_MAX = 65535,
	PAGES = (DATAGRAM_MAX + PAGE_BYTES - 1) / PAGE_BYTES,
	MIN_PAGES = 2 * PAGES,			/* the oldest may be the one that needs room */
};

/* RFC 791 3.2, RFC 8200 4.5: protocol only tells datagrams of IPv4 apart. */
struct key {
	uint8_t src[16], dst[16];
	uint32_t id, tunnel;
	uint8_t version, protocol, zero[2];
};

struct page {
	uint64_t seen[PAGE_WORDS];	/* or, in the free list, [0] the next */
	uint8_t bytes[PAGE_BYTES];
};

struct datagram {
	struct key key;
	uint32_t next_in_chain;		/* or in the free list */
	uint32_t older, newer;
	uint64_t since_us;		/* its first fragment; once done, its last */
	uint32_t total;			/* bytes; 0: the last fragment is missing */
	uint32_t reach;			/* end of the farthest fragment */
	uint32_t cut_at;		/* from here on bytes were not captured, though their fragments were seen */
	uint32_t units;			/* seen */
	uint32_t fragments;
	uint16_t vlan[2];
	uint8_t protocol, layers;
	bool done;
	uint32_t page[PAGES];		/* 0: none of its bytes were seen */
};

struct queue {
	uint32_t oldest, newest;
};

struct ipfrag {
	struct siphash_key key;
	uint32_t capacity;		/* of records and of pages */
	struct datagram *datagram;	/* [1..capacity], as below */
	struct page *page;
	uint32_t datagrams_used, pages_used;	/* the arrays were never touched beyond */
	uint32_t free_datagram, free_page;
	uint32_t datagram_count, page_count;
	uint32_t *chain, chain_mask;
	struct queue queue[2];		/* unfinished, done */
	struct ipfrag_totals totals;
	uint8_t whole[DATAGRAM_MAX + 1];	/* the last datagram that was handed out */
};

/* Where a fragment lies in its datagram. */
struct span {
	const uint8_t *bytes;
	uint32_t begin, end, captured_end;
	bool differs;
};

struct ipfrag *ipfrag_new(const struct siphash_key *key, size_t memory_bytes)
{
	struct ipfrag *f = xcalloc(1, sizeof *f);
	size_t fixed = sizeof *f, each = sizeof(struct datagram) + sizeof(struct page) + 2 * sizeof(uint32_t), chains = MIN_PAGES;
	size_t capacity = memory_bytes > fixed ? (memory_bytes - fixed) / each : 0;

	f->key = *key;
	if (capacity < MIN_PAGES)
		capacity = MIN_PAGES;
	if (capacity > UINT32_MAX / 2)
		capacity = UINT32_MAX / 2;
	while (chains < capacity)
		chains *= 2;
	f->capacity = (uint32_t)capacity;
	f->datagram = xcalloc(capacity + 1, sizeof *f->datagram);
	f->page = xcalloc(capacity + 1, sizeof *f->page);
	f->chain = xcalloc(chains, sizeof *f->chain);
	f->chain_mask = (uint32_t)(chains - 1);
	return f;
}

void ipfrag_free(struct ipfrag *f)
{
	free(f->datagram);
	free(f->page);
	free(f->chain);
	free(f);
}

/* ---- records ---- */

static struct datagram *at(struct ipfrag *f, uint32_t number)
{
	return &f->datagram[number];
}

static uint32_t *chain_of(struct ipfrag *f, const struct key *k)
{
	return &f->chain[siphash13(&f->key, k, sizeof *k) & f->chain_mask];
}

static void queue_add(struct ipfrag *f, struct queue *q, uint32_t number)
{
	at(f, number)->older = q->newest;
	at(f, number)->newer = 0;
	*(q->newest ? &at(f, q->newest)->newer : &q->oldest) = number;
	q->newest = number;
}

static void queue_remove(struct ipfrag *f, struct queue *q, uint32_t number)
{
	struct datagram *d = at(f, number);

	*(d->older ? &at(f, d->older)->newer : &q->oldest) = d->newer;
	*(d->newer ? &at(f, d->newer)->older : &q->newest) = d->older;
}

static void free_pages(struct ipfrag *f, struct datagram *d)
{
	for (uint32_t i = 0; i * PAGE_BYTES < d->reach; i++) {
		uint32_t number = d->page[i];

		if (!number)
			continue;
		f->page[number].seen[0] = f->free_page;
		f->free_page = number;
		f->page_count--;
		d->page[i] = 0;
	}
}

static void forget(struct ipfrag *f, uint32_t number)
{
	struct datagram *d = at(f, number);
	uint32_t *link = chain_of(f, &d->key);

	while (*link != number)
		link = &at(f, *link)->next_in_chain;
	*link = d->next_in_chain;
	queue_remove(f, &f->queue[d->done], number);
	free_pages(f, d);
	d->next_in_chain = f->free_datagram;
	f->free_datagram = number;
	f->datagram_count--;
}

static void give_up(struct ipfrag *f, uint32_t number, uint64_t *reason)
{
	f->totals.lost += at(f, number)->fragments;
	++*reason;
	forget(f, number);
}

static void expire(struct ipfrag *f, uint64_t now_us)
{
	uint32_t i;

	while ((i = f->queue[false].oldest) != 0 && now_us - at(f, i)->since_us >= LIMIT_FRAGMENT_HOLE_US)
		give_up(f, i, &f->totals.timed_out);
	while ((i = f->queue[true].oldest) != 0 && now_us - at(f, i)->since_us >= LIMIT_FRAGMENT_LATE_US)
		forget(f, i);
}

void ipfrag_flush(struct ipfrag *f)
{
	while (f->queue[false].oldest)
		give_up(f, f->queue[false].oldest, &f->totals.timed_out);
	while (f->queue[true].oldest)
		forget(f, f->queue[true].oldest);
}

static uint32_t take_record(struct ipfrag *f)
{
	uint32_t number;

	if (f->datagram_count == f->capacity) {
		if (f->queue[true].oldest)
			forget(f, f->queue[true].oldest);
		else
			give_up(f, f->queue[false].oldest, &f->totals.evicted);
	}
	number = f->free_datagram;
	if (number)
		f->free_datagram = at(f, number)->next_in_chain;
	else
		number = ++f->datagrams_used;
	f->datagram_count++;
	return number;
}

/* A page for d, if need be from the oldest other one. */
static uint32_t take_page(struct ipfrag *f, const struct datagram *d)
{
	while (f->page_count == f->capacity) {
		uint32_t victim = f->queue[false].oldest;

		if (at(f, victim) == d)
			victim = d->newer;
		give_up(f, victim, &f->totals.evicted);
	}
	uint32_t number = f->free_page;
	if (number)
		f->free_page = (uint32_t)f->page[number].seen[0];
	else
		number = ++f->pages_used;
	memset(f->page[number].seen, 0, sizeof f->page[number].seen);
	f->page_count++;
	return number;
}

static struct key key_of(const struct packet *p)
{
	struct key k = { .id = p->fragment.id, .tunnel = p->tunnel, .version = p->src.version };

	memcpy(k.src, p->src.bytes, sizeof k.src);
	memcpy(k.dst, p->dst.bytes, sizeof k.dst);
	if (k.version == 4)
		k.protocol = p->fragment.protocol;
	return k;
}

static struct datagram *find_or_make(struct ipfrag *f, const struct packet *p, uint64_t now_us)
{
	struct key k = key_of(p);
	uint32_t *chain = chain_of(f, &k), number = *chain;

	while (number && memcmp(&at(f, number)->key, &k, sizeof k) != 0)
		number = at(f, number)->next_in_chain;
	if (number)
		return at(f, number);
	number = take_record(f);
	*at(f, number) = (struct datagram){ .key = k, .next_in_chain = *chain, .since_us = now_us, .cut_at = UINT32_MAX };
	*chain = number;
	queue_add(f, &f->queue[false], number);
	return at(f, number);
}

/* ---- bytes ---- */

/* How many of n bytes at `at_byte` of the datagram the fragment brought. */
static uint32_t captured_of(const struct span *s, uint32_t at_byte, uint32_t n)
{
	if (s->captured_end <= at_byte)
		return 0;
	return s->captured_end - at_byte < n ? s->captured_end - at_byte : n;
}

static void fill(struct datagram *d, const struct span *s, uint8_t *to, uint32_t at_byte, uint32_t n)
{
	uint32_t have = captured_of(s, at_byte, n);

	memcpy(to, s->bytes + (at_byte - s->begin), have);
	if (have < n && at_byte + have < d->cut_at)
		d->cut_at = at_byte + have;
}

static void compare(const struct datagram *d, struct span *s, const uint8_t *kept, uint32_t at_byte, uint32_t n)
{
	if (at_byte + n <= d->cut_at && memcmp(kept, s->bytes + (at_byte - s->begin), captured_of(s, at_byte, n)) != 0)
		s->differs = true;
}

/* The part of a fragment within the 64 units from `base`, whose bits are *seen and whose bytes are kept. */
static void put_word(struct datagram *d, struct span *s, uint32_t base, uint64_t *seen, uint8_t *kept)
{
	uint32_t begin = s->begin > base ? s->begin : base, end = s->end < base + WORD_BYTES ? s->end : base + WORD_BYTES;
	uint32_t units = (end - begin + UNIT - 1) / UNIT;
	uint64_t mask = (UINT64_MAX >> (WORD_UNITS - units)) << ((begin - base) / UNIT), fresh = mask & ~*seen;

	if (fresh == mask) {
		fill(d, s, kept + (begin - base), begin, end - begin);
	} else {
		for (uint32_t b = begin; b < end; b += UNIT) {
			uint32_t n = end - b < UNIT ? end - b : UNIT;

			if (fresh >> ((b - base) / UNIT) & 1)
				fill(d, s, kept + (b - base), b, n);
			else
				compare(d, s, kept + (b - base), b, n);
		}
	}
	*seen |= mask;
	d->units += (uint32_t)__builtin_popcountll(fresh);
}

static void put_span(struct ipfrag *f, struct datagram *d, struct span *s)
{
	for (uint32_t base = s->begin / WORD_BYTES * WORD_BYTES; base < s->end; base += WORD_BYTES) {
		uint32_t *number = &d->page[base / PAGE_BYTES], word = base / WORD_BYTES % PAGE_WORDS;

		if (!*number)
			*number = take_page(f, d);
		struct page *page = &f->page[*number];
		put_word(d, s, base, &page->seen[word], page->bytes + word * WORD_BYTES);
	}
}

/* A fragment may not reach beyond the end that another one has told, nor tell an end before bytes that were seen. */
static bool is_within(const struct datagram *d, const struct span *s, bool more)
{
	if (d->total && (s->end > d->total || (!more && s->end != d->total)))
		return false;
	return more || s->end >= d->reach;
}

static bool is_whole(const struct datagram *d)
{
	return d->total && d->units == (d->total + UNIT - 1) / UNIT;
}

static void hand_out(struct ipfrag *f, const struct datagram *d, struct packet *out)
{
	*out = (struct packet){ .src.version = d->key.version, .dst.version = d->key.version, .vlan = { d->vlan[0], d->vlan[1] },
				.tunnel = d->key.tunnel, .payload = f->whole, .payload_bytes = d->total,
				.captured_bytes = d->cut_at < d->total ? d->cut_at : d->total,
				.fragment = { .id = d->key.id, .protocol = d->protocol, .layers = d->layers } };
	memcpy(out->src.bytes, d->key.src, sizeof d->key.src);
	memcpy(out->dst.bytes, d->key.dst, sizeof d->key.dst);
	for (uint32_t at_byte = 0; at_byte < out->captured_bytes; at_byte += PAGE_BYTES) {
		uint32_t left = out->captured_bytes - at_byte;

		memcpy(f->whole + at_byte, f->page[d->page[at_byte / PAGE_BYTES]].bytes, left < PAGE_BYTES ? left : PAGE_BYTES);
	}
}

static void become_done(struct ipfrag *f, struct datagram *d, uint64_t now_us)
{
	uint32_t number = (uint32_t)(d - f->datagram);

	free_pages(f, d);
	queue_remove(f, &f->queue[false], number);
	d->done = true;
	d->since_us = now_us;
	queue_add(f, &f->queue[true], number);
	f->totals.datagrams++;
}

/* What the fragment says about the datagram beside its bytes. */
static void take_headers(struct datagram *d, const struct packet *p, const struct span *s)
{
	d->fragments++;
	if (!p->fragment.more)
		d->total = s->end;
	if (s->end > d->reach)
		d->reach = s->end;
	if (p->fragment.layers > d->layers)
		d->layers = p->fragment.layers;
	if (p->fragment.offset == 0 && d->protocol == 0) {
		d->protocol = p->fragment.protocol;
		d->vlan[0] = p->vlan[0];
		d->vlan[1] = p->vlan[1];
	}
}

bool ipfrag_push(struct ipfrag *f, const struct packet *p, uint64_t now_us, struct packet *out)
{
	struct span s = { .bytes = p->payload, .begin = p->fragment.offset };

	f->totals.fragments++;
	expire(f, now_us);
	/* All but the last end on a unit; of one that does not, systems drop what is too much, or all of it. */
	uint32_t n = p->fragment.more ? p->payload_bytes / UNIT * UNIT : p->payload_bytes;
	if (n == 0 || n > DATAGRAM_MAX - s.begin || s.begin % UNIT) {
		f->totals.odd++;
		return false;
	}
	s.end = s.begin + n;
	s.captured_end = s.begin + (p->captured_bytes < n ? p->captured_bytes : n);
	struct datagram *d = find_or_make(f, p, now_us);
	if (d->done)
		return false;
	if (!is_within(d, &s, p->fragment.more)) {
		f->totals.odd++;
		return false;
	}
	take_headers(d, p, &s);
	put_span(f, d, &s);
	f->totals.overlaps += s.differs;
	if (!is_whole(d))
		return false;
	hand_out(f, d, out);
	become_done(f, d, now_us);
	return true;
}

void ipfrag_totals(const struct ipfrag *f, struct ipfrag_totals *out)
{
	*out = f->totals;
}

size_t ipfrag_memory_bytes(const struct ipfrag *f)
{
	return sizeof *f + ((size_t)f->chain_mask + 1) * sizeof *f->chain + f->datagram_count * sizeof *f->datagram +
	       f->page_count * sizeof *f->page;
}
