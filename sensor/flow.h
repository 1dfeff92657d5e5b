/*
 * flow.h - the table of TCP connections: find by 5-tuple, keyed hash, timers, idlest first when memory is short.
 *
 * Knows nothing of what hangs on a flow: `connection` is its user's. Records lie in slabs and never move, one slab for IPv4 and one for IPv6,
 * so that a connection that never says anything costs 80 or 104 bytes and its place in the index. Timers are a wheel of seconds, never a scan
 * of the table. Time is packet time, handed in.
 *
 * Looking up is done in steps, so that the cache misses of many packets overlap: flow_look for all of them, then each way of
 * fetching, then flow_find.
 */
#ifndef SENSOR_FLOW_H
#define SENSOR_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/siphash.h"
#include "sensor/decode.h"

struct connection;

/* One cache line; the key stands behind it. */
struct flow {
	struct connection *connection;
	uint64_t first_us, last_us;	/* raw packet time: a clock that is set back is a fact, but must not end flows */
	uint32_t isn[2];
	uint32_t end[2];		/* the user's: where the sides of a closed one ended; before its first byte, where they begin */
	uint32_t packets;
	uint32_t active_s;		/* see flow_touch */
	uint32_t timer_next, timer_prev;
	uint32_t number;		/* its place in the slabs */
	uint16_t timer_slot : 12;
	uint16_t end_known : 2;		/* the user's, a bit for each endpoint */
	uint16_t is_used : 1;
	uint16_t is_other : 1;		/* the user's: not what it looks for, so that the record is all there is of it */
	uint8_t flags;			/* the user's */
	uint8_t interface;		/* the user's: of its first packet */
};

/* Endpoint 0 is the lesser address:port. */
struct flow_key {
	uint32_t path;			/* packet.tunnel, and the VLAN tags when they belong to the key */
	uint16_t port[2];
	uint8_t addr[32];		/* both addresses, 4 or 16 bytes each */
};

struct flow_lookup {
	uint64_t hash;			/* the same for both directions */
	struct flow_key key;
	bool is_v6;
	int dir;			/* which endpoint sent the packet */
	struct flow *likely;		/* by flow_peek: a hint */
};

struct flow_table;

struct flow_table_options {
	struct siphash_key key;
	bool key_vlan;
};

struct flow_table *flow_table_new(const struct flow_table_options *o);
void flow_table_free(struct flow_table *t);

/* Whose packet it is; what changes in the table is not looked at. */
void flow_look(const struct flow_table *t, const struct packet *p, struct flow_lookup *out);
/*
 * Has its bucket of the index fetched into the cache. Then finds out where it very likely is, or NULL, of which only the index is read, and has
 * that fetched: flow_find looks there first.
 */
void flow_fetch_index(const struct flow_table *t, const struct flow_lookup *l);
void flow_peek(const struct flow_table *t, struct flow_lookup *l);
/* The flow; NULL when there is none and make is false. A new one is zero but for its key. */
struct flow *flow_find(struct flow_table *t, const struct flow_lookup *l, bool make);

/* Whether its timer runs. */
bool flow_has_timer(const struct flow *f);
/* Takes it out; what hangs on it was freed by the caller. */
void flow_remove(struct flow_table *t, struct flow *f);

/* Takes all out, as flow_remove does one. */
void flow_clear(struct flow_table *t);

size_t flow_count(const struct flow_table *t);
/* Of the flows that are there; the slabs keep room for as many as there ever were. */
size_t flow_memory_bytes(const struct flow_table *t);

/* 4 or 6. */
unsigned flow_version(const struct flow *f);
struct ip_addr flow_address(const struct flow *f, int endpoint);
uint16_t flow_port(const struct flow *f, int endpoint);
/* As in struct flow_key. */
uint32_t flow_path(const struct flow *f);

/* A packet of it came: monotone packet time, kept in seconds and rounded up, which is what its timers go by. */
void flow_touch(struct flow_table *t, struct flow *f, uint64_t now_us);
uint64_t flow_active_us(const struct flow_table *t, const struct flow *f);

/* (Re)arms the one timer of a flow, after flow_run_timers was called for the time of now. Beyond the wheel's span it fires early and is armed again by its handler. */
void flow_set_timer(struct flow_table *t, struct flow *f, uint64_t at_us);

/* Calls due(arg, f) for each flow whose second has passed; it arms the timer again or removes the flow. */
void flow_run_timers(struct flow_table *t, uint64_t now_us, void (*due)(void *arg, struct flow *f), void *arg);

/* Of the flows that are nearest to their time, within a second, the one that was armed first. NULL when empty. */
struct flow *flow_idlest(struct flow_table *t);

/* Calls each for every flow; it may remove that flow. */
void flow_each(struct flow_table *t, void (*each)(void *arg, struct flow *f), void *arg);

#endif
