/*
 * flow.h - the table of TCP connections: find by 5-tuple, keyed hash, timers, idlest first when memory is short.
 *
 * Knows nothing of what hangs on a flow: `connection` is its user's. Records lie in a slab and never move; timers are a wheel of seconds,
 * never a scan of the table. Time is packet time, handed in.
 */
#ifndef SENSOR_FLOW_H
#define SENSOR_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/siphash.h"
#include "sensor/decode.h"

struct connection;

struct flow {
	uint8_t addr[2][16];	/* endpoint 0 is the lesser address:port; IPv4 in the first 4 bytes */
	uint16_t port[2];
	uint32_t path;		/* packet.tunnel, and the VLAN tags when they belong to the key */
	uint8_t version;	/* 4, 6 */
	uint8_t flags;		/* the user's */
	uint16_t timer_slot;
	uint32_t isn[2];
	uint32_t end[2];	/* the user's: where the sides of a closed one ended */
	bool end_known[2];
	uint8_t interface;	/* the user's: of its first packet */
	uint32_t packets;
	uint64_t active_s;	/* monotone packet time of its last packet, rounded up: what its timers go by */
	uint64_t first_us, last_us;	/* raw packet time: a clock that is set back is a fact, but must not end flows */
	struct connection *connection;
	uint32_t timer_next, timer_prev;
	uint32_t number;	/* its place in the slab */
};

struct flow_table;

struct flow_table_options {
	struct siphash_key key;
	bool key_vlan;
};

struct flow_table *flow_table_new(const struct flow_table_options *o);
void flow_table_free(struct flow_table *t);

/* The flow of a packet, *dir being which endpoint sent it. NULL when there is none and make is false. A new one is zero but for its key. */
struct flow *flow_find(struct flow_table *t, const struct packet *p, bool make, int *dir);
/* Whether its timer runs. */
bool flow_has_timer(const struct flow *f);
/* Takes it out; what hangs on it was freed by the caller. */
void flow_remove(struct flow_table *t, struct flow *f);

size_t flow_count(const struct flow_table *t);
/* Of the flows that are there; the slab keeps room for as many as there ever were. */
size_t flow_memory_bytes(const struct flow_table *t);

struct ip_addr flow_address(const struct flow *f, int endpoint);

/* (Re)arms the one timer of a flow, after flow_run_timers was called for the time of now. Beyond the wheel's span it fires early and is armed again by its handler. */
void flow_set_timer(struct flow_table *t, struct flow *f, uint64_t at_us);

/* Calls due(arg, f) for each flow whose second has passed; it arms the timer again or removes the flow. */
void flow_run_timers(struct flow_table *t, uint64_t now_us, void (*due)(void *arg, struct flow *f), void *arg);

/* One of the flows that are nearest to their time: the idlest, within a second. NULL when empty. */
struct flow *flow_idlest(struct flow_table *t);

/* Calls each for every flow; it may remove that flow. */
void flow_each(struct flow_table *t, void (*each)(void *arg, struct flow *f), void *arg);

#endif
