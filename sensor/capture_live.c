/* capture_live.c - see capture_live.h */
#include "sensor/capture_live.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/timefmt.h"
#include "common/xmalloc.h"
#include "sensor/capture_pcap.h"
#include "sensor/filter.h"

enum {
	BLOCK_MS = 100,			/* then the kernel hands over a block that is not full */
	BLOCK_US = (BLOCK_MS + 20) * 1000,	/* its timer may be late */
	LOOK_US = 1000,			/* between looks at a ring that was empty while others have frames */
	ORDER_MS = 10,			/* wait for other interfaces while a frame is at hand */
	LINK_US = 1000000,		/* between looks whether a silent interface is still there */
	STOP_US = 500000,		/* to read what is in the rings at the end */
	RING_MIN = 1024 * 1024,		/* four blocks: libpcap makes them as large as the largest packet */
};

/* What the network card dropped; libpcap reads the same two. */
static const char *const card_counters[] = { "rx_missed_errors", "rx_fifo_errors" };
enum { CARD_COUNTERS = sizeof card_counters / sizeof *card_counters };

struct interface {
	const char *name;
	pcap_t *pcap;
	int index;			/* of the kernel; 0: "any" */
	int linktype;
	struct capture_frame frame;	/* when held: read, and not yet handed on */
	bool held, look;		/* look: there is something in the ring */
	uint64_t empty_us, link_us;	/* wall clock when the ring was last found empty, and the link last found to be up */
	uint64_t handed;		/* frames */
	uint64_t captured, dropped;	/* by the kernel, since the filter was set */
	struct capture_drops told;	/* by capture_live_drops */
	int card_fd[CARD_COUNTERS];
	uint64_t card_before;		/* at the start */
};

struct capture_live {
	struct interface *interface;
	struct pollfd *poll;
	size_t count;
	char *filter, *problem;
	bool dry;			/* the last call found nothing to hand on */
	uint64_t stop_us;		/* wall clock of the end; 0: none yet */
	bool cut_short;			/* there was no time for all that was in the rings */
};

/* ---- opening ---- */

/* "lo eth0 eth1" */
static void add_interfaces(struct buf *b)
{
	struct if_nameindex *all = if_nameindex();

	for (size_t i = 0; all && all[i].if_name; i++)
		buf_printf(b, "%s%s", i ? " " : "", all[i].if_name);
	if (all)
		if_freenameindex(all);
}

static int fail_unknown(const struct interface *i, struct capture_failure *x)
{
	struct buf b = { 0 };

	add_interfaces(&b);
	capture_fail(x, EX_NOINPUT, "%s: there is no such interface; there are: %s, and \"any\" for all of them", i->name, buf_cstr(&b));
	buf_fini(&b);
	return -1;
}

static int fail_activation(const struct interface *i, int status, struct capture_failure *x)
{
	switch (status) {
	case PCAP_ERROR_NO_SUCH_DEVICE:
		return fail_unknown(i, x);
	case PCAP_ERROR_IFACE_NOT_UP:
		return capture_fail(x, EX_NOINPUT, "%s: is down; \"ip link set %s up\" first", i->name, i->name);
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		return capture_fail(x, EX_NOPERM, "%s: not allowed to listen on it: run as root, or give CAP_NET_RAW (AmbientCapabilities= in a "
				    "unit, or setcap cap_net_raw=ep on the program)", i->name);
	default:
		return capture_fail(x, EX_OSERR, "%s: %s", i->name, *pcap_geterr(i->pcap) ? pcap_geterr(i->pcap) : pcap_statustostr(status));
	}
}

static int activate(struct interface *i, const struct capture_live_options *o, struct capture_failure *x)
{
	char says[PCAP_ERRBUF_SIZE] = "";
	bool any = strcmp(i->name, "any") == 0;

	i->index = any ? 0 : (int)if_nametoindex(i->name);
	if (!any && !i->index)	/* so that none of libpcap's other devices is meant */
		return fail_unknown(i, x);
	i->pcap = pcap_create(i->name, says);
	if (!i->pcap)
		return capture_fail(x, EX_OSERR, "%s: %s", i->name, says);
	pcap_set_snaplen(i->pcap, o->snaplen < INT_MAX ? (int)o->snaplen : INT_MAX);
	pcap_set_promisc(i->pcap, o->promiscuous && !any);
	pcap_set_timeout(i->pcap, BLOCK_MS);
	pcap_set_buffer_size(i->pcap, (int)o->ring_bytes);
	int status = pcap_activate(i->pcap);
	if (status < 0)
		return fail_activation(i, status, x);
	if (pcap_setnonblock(i->pcap, 1, says))
		return capture_fail(x, EX_OSERR, "%s: %s", i->name, says);
	i->linktype = capture_linktype(i->pcap, i->name, x);
	return i->linktype < 0 ? -1 : 0;
}

static int set_filter(struct capture_live *l, struct interface *i, const struct capture_live_options *o, struct capture_failure *x)
{
	char *words = o->filter ? xstrdup(o->filter) : filter_words(o->ports, o->port_count, o->any_port, i->linktype);
	struct bpf_program program = { 0 };
	int rc = capture_compile(i->pcap, i->name, words, &program, x);

	if (rc == 0 && pcap_setfilter(i->pcap, &program))
		rc = capture_fail(x, EX_OSERR, "%s: the filter cannot be set: %s", i->name, pcap_geterr(i->pcap));
	pcap_freecode(&program);
	if (!l->filter || i->linktype == DLT_EN10MB) {
		free(l->filter);
		l->filter = words;
	} else
		free(words);
	return rc;
}

/* The kernel starts its counters anew each time they are asked for. */
static void read_ring_counters(struct interface *i)
{
	struct tpacket_stats_v3 s;
	socklen_t n = sizeof s;

	if (getsockopt(pcap_fileno(i->pcap), SOL_PACKET, PACKET_STATISTICS, &s, &n))
		return;
	i->captured += s.tp_packets - s.tp_drops;
	i->dropped += s.tp_drops;
}

/* A card without such counters, or "any": 0. */
static uint64_t read_card_counters(const struct interface *i)
{
	uint64_t sum = 0;

	for (int k = 0; k < CARD_COUNTERS; k++) {
		char text[32];
		ssize_t n = i->card_fd[k] < 0 ? -1 : pread(i->card_fd[k], text, sizeof text - 1, 0);

		if (n <= 0)
			continue;
		text[n] = '\0';
		sum += strtoull(text, NULL, 10);
	}
	return sum;
}

static void start_counters(struct interface *i)
{
	for (int k = 0; k < CARD_COUNTERS; k++) {
		char *path = xasprintf("/sys/class/net/%s/statistics/%s", i->name, card_counters[k]);

		i->card_fd[k] = i->index ? open(path, O_RDONLY | O_CLOEXEC) : -1;
		free(path);
	}
	i->card_before = read_card_counters(i);
	read_ring_counters(i);		/* what came before the filter was set is none of ours */
	i->captured = i->dropped = 0;
}

static int open_all(struct capture_live *l, const struct capture_live_options *o, struct capture_failure *x)
{
	if (o->ring_bytes < RING_MIN || o->ring_bytes > INT_MAX)
		return capture_fail(x, EX_CONFIG, "a ring has between 1M and 2047M");
	for (size_t n = 0; n < o->interface_count; n++) {
		struct interface *i = &l->interface[l->count++];

		*i = (struct interface){ .name = o->interfaces[n], .frame.interface = (unsigned)n, .card_fd = { -1, -1 } };
		if (activate(i, o, x) || set_filter(l, i, o, x))
			return -1;
		start_counters(i);
	}
	return 0;
}

struct capture_live *capture_live_open(const struct capture_live_options *o, char *error, size_t error_size, int *exit_code)
{
	struct capture_failure x = { .text = error, .size = error_size };
	struct capture_live *l = xcalloc(1, sizeof *l);

	l->interface = xcalloc(o->interface_count, sizeof *l->interface);
	l->poll = xcalloc(o->interface_count, sizeof *l->poll);
	if (open_all(l, o, &x) == 0)
		return l;
	*exit_code = x.exit_code;
	capture_live_close(l);
	return NULL;
}

/* ---- reading ---- */

/* The run ends: what is in the rings is still read. */
static void go_away(struct capture_live *l, const struct interface *i, const char *how)
{
	if (l->stop_us)
		return;
	l->problem = xasprintf("%s: %s", i->name, how);
	capture_live_stop(l);
}

/* A silent interface may be down, or gone: libpcap asks only after an error on the socket, which is told once. */
static void check_link(struct capture_live *l, struct interface *i)
{
	struct sockaddr_ll bound = { 0 };
	socklen_t n = sizeof bound;
	struct ifreq r = { 0 };
	int fd = pcap_fileno(i->pcap);

	if (!i->index)
		return;
	snprintf(r.ifr_name, sizeof r.ifr_name, "%s", i->name);
	if (getsockname(fd, (struct sockaddr *)&bound, &n) == 0 && bound.sll_ifindex != i->index)
		go_away(l, i, "the interface disappeared");
	else if (ioctl(fd, SIOCGIFFLAGS, &r) == 0 && !(r.ifr_flags & IFF_UP))
		go_away(l, i, "the interface was set down");
}

/* Reads the next frame of an interface, if there is one. */
static void hold_next(struct capture_live *l, struct interface *i, uint64_t now_us)
{
	struct pcap_pkthdr *h;
	const u_char *bytes;
	int r = pcap_next_ex(i->pcap, &h, &bytes);

	i->look = r == 1;
	if (r == 1) {
		i->frame.time_us = capture_time_us(h->ts.tv_sec, h->ts.tv_usec);
		i->frame.linktype = i->linktype;
		i->frame.captured = h->caplen;
		i->frame.length = h->len;
		i->frame.bytes = bytes;
		i->held = true;
		return;
	}
	i->empty_us = now_us;
	if (r < 0 || now_us - i->link_us >= LINK_US) {
		i->link_us = now_us;
		check_link(l, i);
	}
	if (r < 0)
		go_away(l, i, pcap_geterr(i->pcap));
}

/* Whether an interface whose ring was empty can have nothing more from before the time of a frame. A frame from the future: the clock was set. */
static bool is_past(const struct interface *i, uint64_t time_us, uint64_t now_us)
{
	return i->empty_us >= time_us + BLOCK_US || time_us > now_us;
}

/* The interface whose held frame is to be handed on next; NULL: there is none, or an older one may still come from another interface. */
static struct interface *next_in_order(struct capture_live *l)
{
	uint64_t now_us = (uint64_t)time_now_us();
	struct interface *first = NULL;

	for (struct interface *i = l->interface; i < l->interface + l->count; i++) {
		if (!i->held && (i->look || now_us - i->empty_us >= LOOK_US))
			hold_next(l, i, now_us);
		if (i->held && (!first || i->frame.time_us < first->frame.time_us))
			first = i;
	}
	for (struct interface *i = l->interface; first && i < l->interface + l->count; i++)
		if (!i->held && !is_past(i, first->frame.time_us, now_us))
			return NULL;
	return first;
}

/* Until one of those that nothing is held of has something. */
static void wait_for_frames(struct capture_live *l)
{
	nfds_t n = 0;

	for (size_t k = 0; k < l->count; k++)
		if (!l->interface[k].held)
			l->poll[n++] = (struct pollfd){ .fd = pcap_fileno(l->interface[k].pcap), .events = POLLIN };
	int ready = poll(l->poll, n, n < l->count || l->stop_us ? ORDER_MS : BLOCK_MS);
	n = 0;
	for (size_t k = 0; k < l->count && ready > 0; k++)
		if (!l->interface[k].held)
			l->interface[k].look = l->poll[n++].revents != 0;
}

/* Nothing from before the end can come any more. */
static bool has_all(const struct capture_live *l)
{
	for (size_t k = 0; k < l->count; k++)
		if (l->interface[k].held || !is_past(&l->interface[k], l->stop_us, l->stop_us))
			return false;
	return true;
}

/* first: what would be handed on next, or NULL. */
static bool is_over(struct capture_live *l, const struct interface *first)
{
	if (!l->stop_us)
		return false;
	if (first ? first->frame.time_us > l->stop_us : has_all(l))
		return true;
	l->cut_short = (uint64_t)time_now_us() - l->stop_us >= STOP_US;
	return l->cut_short;
}

int capture_live_next(struct capture_live *l, struct capture_frame *out)
{
	if (l->dry)
		wait_for_frames(l);
	struct interface *i = next_in_order(l);
	l->dry = !i;
	if (is_over(l, i))
		return -1;
	if (!i)
		return 0;
	*out = i->frame;
	i->held = false;
	i->handed++;
	return 1;
}

void capture_live_stop(struct capture_live *l)
{
	if (!l->stop_us)
		l->stop_us = (uint64_t)time_now_us();
}

void capture_live_drops(struct capture_live *l, unsigned interface, struct capture_drops *out)
{
	struct interface *i = &l->interface[interface];
	uint64_t card = read_card_counters(i);

	read_ring_counters(i);
	struct capture_drops all = { .ring = i->dropped, .card = card > i->card_before ? card - i->card_before : i->told.card };
	if (l->cut_short && i->captured > i->handed)
		all.ring += i->captured - i->handed;
	*out = (struct capture_drops){ all.ring - i->told.ring, all.card - i->told.card };
	i->told = all;
}

const char *capture_live_filter(const struct capture_live *l)
{
	return l->filter;
}

const char *capture_live_problem(const struct capture_live *l)
{
	return l->problem;
}

void capture_live_close(struct capture_live *l)
{
	if (!l)
		return;
	for (size_t n = 0; n < l->count; n++) {
		struct interface *i = &l->interface[n];

		if (i->pcap)
			pcap_close(i->pcap);
		for (int k = 0; k < CARD_COUNTERS; k++)
			if (i->card_fd[k] >= 0)
				close(i->card_fd[k]);
	}
	free(l->interface);
	free(l->poll);
	free(l->filter);
	free(l->problem);
	free(l);
}

void capture_live_list(FILE *out)
{
	struct if_nameindex *all = if_nameindex();
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (size_t k = 0; all && all[k].if_name; k++) {
		struct ifreq r = { 0 };

		snprintf(r.ifr_name, sizeof r.ifr_name, "%s", all[k].if_name);
		bool down = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &r) == 0 && !(r.ifr_flags & IFF_UP);
		fprintf(out, "%s%s\n", all[k].if_name, down ? " (down)" : "");
	}
	fputs("any\n", out);
	if (fd >= 0)
		close(fd);
	if (all)
		if_freenameindex(all);
}
