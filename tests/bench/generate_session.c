/* generate_session.c - see generate_session.h. */
#include "tests/bench/generate_session.h"

#include <math.h>
#include <string.h>

#include "common/xmalloc.h"

/* ---- what happens next ---- */

void heap_push(struct heap *h, struct timed *item)
{
	if (h->count == h->capacity) {
		h->capacity = h->capacity ? h->capacity * 2 : 4096;
		h->items = xreallocarray(h->items, h->capacity, sizeof *h->items);
	}
	size_t i = h->count++;
	for (; i && h->items[(i - 1) / 2]->time_us > item->time_us; i = (i - 1) / 2)
		h->items[i] = h->items[(i - 1) / 2];
	h->items[i] = item;
}

struct timed *heap_first(const struct heap *h)
{
	return h->count ? h->items[0] : NULL;
}

void heap_settle(struct heap *h)
{
	struct timed *item = h->items[0];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < h->count) {
		if (child + 1 < h->count && h->items[child + 1]->time_us < h->items[child]->time_us)
			child++;
		if (h->items[child]->time_us >= item->time_us)
			break;
		h->items[i] = h->items[child];
		i = child;
	}
	h->items[i] = item;
}

void heap_pop(struct heap *h)
{
	h->items[0] = h->items[--h->count];
	if (h->count)
		heap_settle(h);
}

/* ---- one session ---- */

static uint32_t round_trip(struct rng *r)
{
	uint32_t rtt = 5000 + (uint32_t)(40000 * exp(.8 * rng_normal(r)));

	return rtt < 400000 ? rtt : 400000;
}

struct session *session_new(struct generator *g, uint64_t time_us)
{
	struct session *s = xcalloc(1, sizeof *s);
	struct rng *r = &g->rng;

	s->id = ++g->last_session;
	s->next.time_us = time_us;
	s->closes = true;
	s->rtt_us = round_trip(r);
	s->ipv6 = rng_chance(r, g->mix.ipv6);
	s->tagged = rng_chance(r, g->mix.tagged);
	s->vlan = (uint16_t)(100 + rng_below(r, 4));
	s->ttl = (uint8_t)(50 + rng_below(r, 14));
	s->mss = s->ipv6 ? 1428 : 1448;
	if (rng_chance(r, .05))
		s->mss -= 100;		/* behind a tunnel */
	s->end[CLIENT].seq = (uint32_t)rng_next(r);
	s->end[SERVER].seq = (uint32_t)rng_next(r);
	s->end[CLIENT].clock_ms = (uint32_t)rng_next(r);
	s->end[SERVER].clock_ms = (uint32_t)rng_next(r);
	s->ip_id = (uint16_t)rng_next(r);
	s->resets = rng_chance(r, g->mix.reset);
	script_clear(&g->script);
	return s;
}

void session_seal(struct generator *g, struct session *s)
{
	struct script *script = &g->script;
	uint64_t bytes = 0;

	s->arena = xmalloc(script->arena.len + 1);
	s->pieces = xmalloc((script->count + 1) * sizeof *s->pieces);
	s->piece_count = script->count;
	if (script->count) {
		memcpy(s->arena, script->arena.p, script->arena.len);
		memcpy(s->pieces, script->pieces, script->count * sizeof *s->pieces);
	}
	for (uint32_t i = 0; i < s->piece_count; i++) {
		if (!s->pieces[i].bytes)
			s->pieces[i].bytes = (const uint8_t *)s->arena + s->pieces[i].offset;
		bytes += s->pieces[i].length;
	}
	g->planned_bytes += bytes + bytes / 14 + 600;	/* and what headers take, about */
}

void session_free(struct session *s)
{
	free(s->pieces);
	free(s->arena);
	free(s);
}

/* 192.0.2.10 and on, 2001:db8:1::a and on */
void session_set_own(struct session *s, enum side side, uint32_t own)
{
	uint8_t host = (uint8_t)(10 + own);

	if (s->ipv6)
		memcpy(s->end[side].ip, (const uint8_t[16]){ 0x20, 1, 0xd, 0xb8, 0, 1, [15] = host }, 16);
	else
		memcpy(s->end[side].ip, (const uint8_t[4]){ 192, 0, 2, host }, 4);
}

/* 198.18.0.0/15, 2001:db8:ffff:XXXX:XX00::1 */
void session_set_peer(struct session *s, enum side side, uint32_t peer)
{
	uint32_t v4 = 198u << 24 | 18 << 16 | ((peer * 7 + 5) & 0x1ffff);
	uint8_t high = (uint8_t)(peer >> 16), middle = (uint8_t)(peer >> 8), low = (uint8_t)peer;

	if (s->ipv6)
		memcpy(s->end[side].ip, (const uint8_t[16]){ 0x20, 1, 0xd, 0xb8, 0xff, 0xff, high, middle, low, [15] = 1 }, 16);
	else
		memcpy(s->end[side].ip, (const uint8_t[4]){ v4 >> 24, v4 >> 16 & 255, v4 >> 8 & 255, v4 & 255 }, 4);
}

/* A port comes again only after 64,000 sessions. */
void session_set_ports(struct session *s, uint16_t server_port)
{
	s->end[SERVER].port = server_port;
	s->end[CLIENT].port = (uint16_t)(1024 + s->id * 40503u % 64000);
}

void peer_domain(char *to, size_t size, uint32_t peer)
{
	static const char *const names[] = { "example", "mail-example", "post-example", "corp-example", "shop-example" };
	static const char *const tops[] = { "com", "net", "org", "de", "fr" };

	snprintf(to, size, "d%u.%s.%s", peer % 7919, names[peer % 5], tops[peer / 5 % 5]);
}
