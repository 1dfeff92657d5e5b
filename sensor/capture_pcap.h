/* capture_pcap.h - what the two users of libpcap share: capture.c reads files, capture_live.c listens on interfaces. Nobody else includes this. */
#ifndef SENSOR_CAPTURE_PCAP_H
#define SENSOR_CAPTURE_PCAP_H

#include <pcap.h>
#include <stddef.h>
#include <stdint.h>

/* Why something cannot be opened, for the caller of capture_open_files and capture_live_open. */
struct capture_failure {
	char *text;
	size_t size;
	int exit_code;
};

/* Writes the message; answers -1. */
int capture_fail(struct capture_failure *x, int exit_code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* LINKTYPE_ number of what is open; -1 and a message with the name in it when decode does not know it. */
int capture_linktype(pcap_t *pcap, const char *name, struct capture_failure *x);

/* Compiles words (NULL: none) for what is open. 0, or -1 and a message. */
int capture_compile(pcap_t *pcap, const char *name, const char *words, struct bpf_program *out, struct capture_failure *x);

/* Microseconds since 1970, between 0 and the end of the year 9999. */
uint64_t capture_time_us(int64_t seconds, int64_t microseconds);

#endif
