/* doctor_link.c - see doctor.h. What the kernel tells about an interface, in sysfs and by ioctl; nothing is changed or opened for packets. */
#include "analyzer/doctor.h"

#include <dirent.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/sockios.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"

enum { MTU_ETHERNET = 1500, PATH_BYTES = 512 };

struct link {
	struct doctor *d;
	const char *sysfs, *name;
	int fd;			/* of any socket, to ask by; -1: none to be had */
};

/* A file of the interface, without the line break; false when there is none, or the driver does not know. */
static bool read_text(const struct link *l, const char *file, char *out, size_t size)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof path, "%s/%s/%s", l->sysfs, l->name, file);
	FILE *in = fopen(path, "re");
	if (!in)
		return false;
	bool got = fgets(out, (int)size, in) != NULL;
	fclose(in);
	if (got)
		out[strcspn(out, "\n")] = '\0';
	return got;
}

/* Decimal or 0x; none when it cannot be read. */
static long long read_number(const struct link *l, const char *file, long long none)
{
	char text[32];

	return read_text(l, file, text, sizeof text) ? strtoll(text, NULL, 0) : none;
}

static long long read_counter(const struct link *l, const char *counter)
{
	char file[64];

	snprintf(file, sizeof file, "statistics/%s", counter);
	return read_number(l, file, 0);
}

/* An ethtool request without arguments but its own struct, which begins with the command. */
static bool ask(const struct link *l, void *request)
{
	struct ifreq r = { 0 };

	snprintf(r.ifr_name, sizeof r.ifr_name, "%s", l->name);
	r.ifr_data = request;
	return l->fd >= 0 && ioctl(l->fd, SIOCETHTOOL, &r) == 0;
}

static bool ask_flag(const struct link *l, uint32_t command, uint32_t mask)
{
	struct ethtool_value v = { .cmd = command };

	return ask(l, &v) && (v.data & mask);
}

/* ---- what is looked at ---- */

static void say_unknown(const struct link *l)
{
	struct buf names = { 0 };
	DIR *dir = opendir(l->sysfs);
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			buf_printf(&names, "%s%s", names.len ? ", " : "", e->d_name);
	if (dir)
		closedir(dir);
	doctor_say(l->d, DOCTOR_BAD, l->name, "there is no such interface");
	doctor_advise(l->d, "[capture] interfaces names one of these: %s", buf_cstr(&names));
	buf_fini(&names);
}

static void look_at_state(const struct link *l)
{
	long long flags = read_number(l, "flags", 0), speed = read_number(l, "speed", -1);
	bool up = flags & IFF_UP, carrier = read_number(l, "carrier", 0) == 1;
	char mbits[32] = "";

	if (speed > 0)
		snprintf(mbits, sizeof mbits, ", %lld Mb/s", speed);
	if (!up) {
		doctor_say(l->d, DOCTOR_BAD, l->name, "is down");
		doctor_advise(l->d, "ip link set %s up", l->name);
	} else if (!carrier) {
		doctor_say(l->d, DOCTOR_BAD, l->name, "is up, but has no carrier");
		doctor_advise(l->d, "Look at the cable, and whether the switch has its span session on.");
	} else
		doctor_say(l->d, DOCTOR_OK, l->name, "up%s%s", mbits, flags & IFF_PROMISC ? ", promiscuous" : "; not promiscuous, which the sensor sets while it runs");
}

static void look_at_mtu(const struct link *l)
{
	long long mtu = read_number(l, "mtu", 0), longer = read_counter(l, "rx_length_errors") + read_counter(l, "rx_over_errors");

	if (longer) {
		doctor_say(l->d, DOCTOR_BAD, l->name, "MTU %lld, and %lld frames were too long for it", mtu, longer);
		doctor_advise(l->d, "Tags, tunnels and jumbo frames make frames of a tap longer: ip link set %s mtu 9216", l->name);
	} else if (mtu > 0 && mtu <= MTU_ETHERNET) {
		doctor_say(l->d, DOCTOR_NOTE, l->name, "MTU %lld: cards drop frames that are longer, not all of them count these", mtu);
		doctor_advise(l->d, "Where the tap carries tags, tunnels or jumbo frames: ip link set %s mtu 9216", l->name);
	} else
		doctor_say(l->d, DOCTOR_OK, l->name, "MTU %lld", mtu);
}

static void look_at_counters(const struct link *l)
{
	uint64_t packets = (uint64_t)read_counter(l, "rx_packets");
	uint64_t missed = (uint64_t)(read_counter(l, "rx_missed_errors") + read_counter(l, "rx_fifo_errors"));
	uint64_t damaged = (uint64_t)(read_counter(l, "rx_crc_errors") + read_counter(l, "rx_frame_errors"));
	char share[DOCTOR_SHARE_MAX];

	if (!packets) {
		doctor_say(l->d, DOCTOR_NOTE, l->name, "no packet has come since it was made");
		doctor_advise(l->d, "Look whether the switch copies anything to this port.");
		return;
	}
	if (missed) {
		doctor_say(l->d, DOCTOR_BAD, l->name, "the card dropped %llu of %llu packets, %s, since it was made", (unsigned long long)missed,
			   (unsigned long long)(packets + missed), doctor_share(missed, packets + missed, share));
		doctor_advise(l->d, "A longer receive ring (ethtool -g %s) and more queues (ethtool -l %s) help.", l->name, l->name);
	} else
		doctor_say(l->d, DOCTOR_OK, l->name, "the card dropped none of %llu packets", (unsigned long long)packets);
	if (damaged) {
		doctor_say(l->d, DOCTOR_NOTE, l->name, "%llu frames came damaged", (unsigned long long)damaged);
		doctor_advise(l->d, "Look at cable and transceiver; a span port that is given more than it can carry drops silently.");
	}
}

static void look_at_ring(const struct link *l)
{
	struct ethtool_ringparam ring = { .cmd = ETHTOOL_GRINGPARAM };

	if (!ask(l, &ring) || !ring.rx_max_pending)
		return;
	if (ring.rx_pending < ring.rx_max_pending) {
		doctor_say(l->d, DOCTOR_NOTE, l->name, "the card's receive ring holds %u packets of the %u that it could", ring.rx_pending, ring.rx_max_pending);
		doctor_advise(l->d, "ethtool -G %s rx %u, if packets are dropped in bursts", l->name, ring.rx_max_pending);
	} else
		doctor_say(l->d, DOCTOR_OK, l->name, "the card's receive ring holds %u packets, as many as it can", ring.rx_pending);
}

/* Sending counts where the sensor runs on the mail server itself. */
static void look_at_offloads(const struct link *l)
{
	bool segments = ask_flag(l, ETHTOOL_GTSO, ~0u) || ask_flag(l, ETHTOOL_GGSO, ~0u);

	if (l->fd < 0)
		return;
	if (ask_flag(l, ETHTOOL_GFLAGS, ETH_FLAG_LRO)) {
		doctor_say(l->d, DOCTOR_BAD, l->name, "LRO is on: the card joins packets, and acknowledgements between them are lost");
		doctor_advise(l->d, "ethtool -K %s lro off", l->name);
	}
	if (ask_flag(l, ETHTOOL_GGRO, ~0u)) {
		doctor_say(l->d, DOCTOR_NOTE, l->name, "GRO is on: the kernel joins packets into frames of up to 64 KB");
		doctor_advise(l->d, "Such frames are read whole; packets are only counted together and their times less exact. ethtool -K %s gro off shows each one, "
			      "for more CPU.", l->name);
	} else
		doctor_say(l->d, DOCTOR_OK, l->name, "GRO is off: frames are as they were on the wire");
	if (segments)
		doctor_say(l->d, DOCTOR_OK, l->name, "TSO or GSO is on: what this host sends itself is seen before it is cut into packets and without checksums, which "
			   "does no harm");
}

void doctor_look_at_link(struct doctor *d, const char *sysfs, const char *interface)
{
	struct link l = { d, sysfs, interface, socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
	char path[PATH_BYTES];

	snprintf(path, sizeof path, "%s/%s", sysfs, interface);
	if (strchr(interface, '/') || access(path, F_OK))
		say_unknown(&l);
	else {
		look_at_state(&l);
		look_at_mtu(&l);
		look_at_counters(&l);
		look_at_ring(&l);
		look_at_offloads(&l);
	}
	if (l.fd >= 0)
		close(l.fd);
}
