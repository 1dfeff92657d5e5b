/*
 * send.c - sends the frames of a capture out of an interface, over and over, at a pace or as fast as it can. For tests of live capture.
 *
 *   send IFACE FILE.pcap [COUNT [PACKETS-A-SECOND]]      COUNT 0: the file once; pace 0: as fast as it can
 *
 * Each round flips bits in the port that is not 25, so that its connections are new ones. Frames go straight to the driver (no queueing
 * discipline that would drop them), in batches; one that it does not take is tried again. Prints "sent N in S s".
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, MAIL_PORT = 25, FRAMES_MAX = 4 * 1024 * 1024 };

struct frame {
	uint8_t *bytes;
	uint32_t length, port_at;	/* port_at: where the port of the other side is; 0: not TCP */
};

struct frames {
	struct frame *frame;
	size_t count;
};

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "send: %s: %s\n", what, why);
	return 1;
}

static unsigned be16(const uint8_t *p)
{
	return (unsigned)(p[0] << 8 | p[1]);
}

/* The generator's frames: Ethernet, at most one tag, IPv4 without options or IPv6, TCP. */
static uint32_t find_port(const uint8_t *p, uint32_t n)
{
	uint32_t at = n > 14 && be16(p + 12) == 0x8100 ? 18 : 14;

	if (n < at + 44)
		return 0;
	bool ip4 = be16(p + at - 2) == 0x0800 && p[at + 9] == 6, ip6 = be16(p + at - 2) == 0x86dd && p[at + 6] == 6;
	if (!ip4 && !ip6)
		return 0;
	at += ip4 ? 20 : 40;
	return be16(p + at) == MAIL_PORT ? at + 2 : at;
}

static int read_frames(const char *path, struct frames *out)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path, error);
	struct pcap_pkthdr *h;
	const u_char *bytes;

	if (!p)
		return fail(path, error);
	out->frame = calloc(FRAMES_MAX, sizeof *out->frame);	/* pages that are not used cost nothing */
	while (out->frame && out->count < FRAMES_MAX && pcap_next_ex(p, &h, &bytes) == 1) {
		struct frame *f = &out->frame[out->count];

		*f = (struct frame){ malloc(h->caplen), h->caplen, find_port(bytes, h->caplen) };
		if (!f->bytes)
			break;
		memcpy(f->bytes, bytes, h->caplen);
		out->count++;
	}
	pcap_close(p);
	return out->count ? 0 : fail(path, "no frames in it");
}

static int open_socket(const char *interface)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = 0, .sll_ifindex = (int)if_nametoindex(interface) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), yes = 1;

	if (fd < 0 || !to.sll_ifindex || bind(fd, (struct sockaddr *)&to, sizeof to) ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes)) {
		fail(interface, strerror(errno));
		return -1;
	}
	return fd;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void flip_port(struct frame *f, unsigned bits)
{
	if (!f->port_at)
		return;
	f->bytes[f->port_at] ^= (uint8_t)(bits >> 8);
	f->bytes[f->port_at + 1] ^= (uint8_t)bits;
}

/* n frames from the one numbered first of the endless row of rounds. */
static int send_batch(int fd, struct frames *all, uint64_t first, unsigned n)
{
	struct mmsghdr message[BATCH];
	struct iovec piece[BATCH];

	memset(message, 0, sizeof message);
	for (unsigned i = 0; i < n; i++) {
		struct frame *f = &all->frame[(first + i) % all->count];
		unsigned round = (unsigned)((first + i) / all->count);

		if (round)
			flip_port(f, round ^ (round - 1));
		piece[i] = (struct iovec){ f->bytes, f->length };
		message[i].msg_hdr = (struct msghdr){ .msg_iov = &piece[i], .msg_iovlen = 1 };
	}
	for (unsigned done = 0; done < n;) {
		int k = sendmmsg(fd, message + done, n - done, 0);

		if (k > 0)
			done += (unsigned)k;
		else if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			return fail("sendmmsg", strerror(errno));
	}
	return 0;
}

/* How many of count frames should be out by now. */
static uint64_t frames_due(double start, double pace, uint64_t count)
{
	double due = pace > 0 ? (now() - start) * pace : (double)count;

	return due < (double)count ? (uint64_t)due : count;
}

int main(int argc, char **argv)
{
	static const struct timespec nap = { 0, 500000 };
	struct frames all = { 0 };

	if (argc < 3)
		return fail("usage", "send IFACE FILE.pcap [COUNT [PACKETS-A-SECOND]]");
	int fd = open_socket(argv[1]);
	if (fd < 0 || read_frames(argv[2], &all))
		return 1;
	uint64_t count = argc > 3 ? strtoull(argv[3], NULL, 10) : 0, sent = 0;
	double pace = argc > 4 ? strtod(argv[4], NULL) : 0, start = now();

	if (!count)
		count = all.count;
	while (sent < count) {
		uint64_t due = frames_due(start, pace, count);

		while (sent < due) {
			unsigned n = due - sent < BATCH ? (unsigned)(due - sent) : BATCH;

			if (send_batch(fd, &all, sent, n))
				return 1;
			sent += n;
		}
		if (sent < count)
			nanosleep(&nap, NULL);
	}
	printf("sent %llu in %.3f s\n", (unsigned long long)sent, now() - start);
	return 0;
}
