/*
 * capture.h - frames with their times from capture files (the only user of libpcap).
 *
 * Several files are one capture, read in the order of their first packet. A damaged file gives what is readable of it and then one
 * message; the next file goes on. pcap (both byte orders, micro- and nanoseconds), pcapng, "-" for standard input.
 *
 *   capture_open_files -> capture_next* -> capture_problem -> capture_close
 */
#ifndef SENSOR_CAPTURE_H
#define SENSOR_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct capture;

struct capture_frame {
	uint64_t time_us;		/* UTC; nanoseconds are cut */
	int linktype;
	uint32_t captured, length;	/* bytes in the file, bytes on the wire */
	unsigned interface;		/* index; 0 for files */
	const uint8_t *bytes;		/* borrowed until the next call of capture_next */
};

/*
 * go_on is asked while a pipe is read: before each read, each second in which nothing comes, and after a signal. False: the capture
 * ends there, as if asked by its reader, without a problem. For the whole program, to be set before a pipe is opened; NULL: none.
 */
void capture_on_wait(bool (*go_on)(void *arg), void *arg);

/*
 * Opens all of them, peeks at the first packet of each, sorts. filter: BPF words or NULL. On failure (a file that does not exist,
 * cannot be read, or is no capture file at all; an unknown link type; a filter with an error) NULL and a message that names the
 * file and says what would help in error[], *exit_code by sysexits (EX_NOINPUT, EX_DATAERR, EX_USAGE).
 * An empty capture file (header, no packets) is fine; so is a file that ends inside its first packet.
 */
struct capture *capture_open_files(const char *const *paths, size_t count, const char *filter,
				   char *error, size_t error_size, int *exit_code);

/* 1: a frame; 0: the end of all files, or go_on said so. Damage ends a file, not the capture. */
int capture_next(struct capture *c, struct capture_frame *out);

/* True: one more frame, which was read already. It and those since the last capture_next are there together. */
bool capture_more(struct capture *c, struct capture_frame *out);

/* The file that capture_next is reading (index into the sorted order) and how far it is, for progress. */
const char *capture_current_file(const struct capture *c);
uint64_t capture_bytes_read(const struct capture *c);
uint64_t capture_bytes_total(const struct capture *c);	/* 0 when not known (stdin) */

/* What was wrong with the files, one line each ("FILE: cut off after N packets: ..."), NULL when nothing was. Owned by c. */
const char *capture_problem(const struct capture *c);

/* The paths in the order in which they are read. */
const char *const *capture_paths(const struct capture *c);

void capture_close(struct capture *c);

#endif
