/* generate_packet.h - sessions -> frames -> a capture file, with the disorder of a real network. */
#ifndef TESTS_BENCH_GENERATE_PACKET_H
#define TESTS_BENCH_GENERATE_PACKET_H

#include "tests/bench/generate_session.h"

struct frame_writer {
	int fd;
	uint8_t *buffer;
	size_t used;
	uint64_t bytes, packets;
};

/* A pcap file for Ethernet. -1: it cannot be made, errno says why. */
int frame_writer_open(struct frame_writer *w, const char *path);
/* -1: not all could be written. */
int frame_writer_close(struct frame_writer *w);

/* Sends what is due at the session's time and sets the time of the next packet. False: that was the last. */
bool session_step(struct generator *g, struct frame_writer *w, struct session *s);

#endif
