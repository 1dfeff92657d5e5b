/*
 * capture_live.h - frames from network interfaces, through libpcap's TPACKET_V3 ring.
 *
 * The kernel filters, and hands over blocks: a full one at once, any other after a tenth of a second. Frames of one interface come in the order of
 * capture; those of several are put in the order of their times, for which a frame waits no longer than a block does. Nothing is ever sent.
 *
 *   capture_live_open -> capture_live_next* -> (capture_live_stop -> capture_live_next*) -> capture_live_drops -> capture_live_close
 */
#ifndef SENSOR_CAPTURE_LIVE_H
#define SENSOR_CAPTURE_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sensor/capture.h"

struct capture_live;

struct capture_live_options {
	const char *const *interfaces;	/* names of interfaces, "any" for all; the strings must outlive the capture */
	size_t interface_count;		/* 1 to LIMIT_INTERFACES */
	bool promiscuous;
	size_t ring_bytes, snaplen;	/* of each interface */
	const char *filter;		/* pcap-filter(7) words; NULL: those of filter.h, for: */
	const unsigned short *ports;
	size_t port_count;
	bool any_port;
};

/*
 * Opens all of them. NULL and a message that says what would help: an interface that does not exist or is down (EX_NOINPUT), no right to
 * capture (EX_NOPERM), a filter with an error (EX_USAGE), a ring that cannot be had (EX_CONFIG).
 */
struct capture_live *capture_live_open(const struct capture_live_options *o, char *error, size_t error_size, int *exit_code);

/*
 * 1: a frame; frame->interface is an index into interfaces. 0: none right now; the next call waits for one, for a tenth of a second or until a
 * signal comes. -1: that was all: an interface went away (capture_live_problem), or what had come before capture_live_stop was read.
 */
int capture_live_next(struct capture_live *l, struct capture_frame *out);

/* Frames captured until now (of the first call) are still handed on, for half a second at most; those left then count as dropped. */
void capture_live_stop(struct capture_live *l);

/* Packets that passed the filter but found the ring full, and frames that the network card itself dropped, mail or not; since the last call. */
struct capture_drops {
	uint64_t ring, card;
};
void capture_live_drops(struct capture_live *l, unsigned interface, struct capture_drops *out);

/* The filter in force, on Ethernet if interfaces differ in kind. */
const char *capture_live_filter(const struct capture_live *l);

/* Which interface went away and how, NULL when none did. */
const char *capture_live_problem(const struct capture_live *l);

void capture_live_close(struct capture_live *l);

/* The interfaces there are, one a line, with what keeps one from being used. */
void capture_live_list(FILE *out);

#endif
