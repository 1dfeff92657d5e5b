/* doctor.c - the command doctor: what to look at. Host and configuration are here; interfaces, the store and printing have files of their own. */
#include "analyzer/doctor.h"

#include <errno.h>
#include <string.h>
#include <sys/timex.h>
#include <sysexits.h>

#include "analyzer/command.h"
#include "analyzer/own.h"
#include "common/timefmt.h"
#include "common/user.h"

#define SYSFS_NET "/sys/class/net"
#define SOFTNET "/proc/net/softnet_stat"

static void look_at_clock(struct doctor *d)
{
	struct timex t = { 0 };

	if (adjtimex(&t) == TIME_ERROR || (t.status & STA_UNSYNC)) {
		doctor_say(d, DOCTOR_NOTE, "clock", "is not kept by NTP, as far as the kernel knows");
		doctor_advise(d, "Times of findings are compared with those of lists and logs, to the minute: run chrony or systemd-timesyncd.");
	} else
		doctor_say(d, DOCTOR_OK, "clock", "is kept by NTP");
}

/* Packets that were dropped between card and socket, by all processors: the second word of each line. */
static void look_at_backlog(struct doctor *d)
{
	FILE *in = fopen(SOFTNET, "re");
	unsigned dropped;
	unsigned long long sum = 0;

	if (!in) {
		doctor_say(d, DOCTOR_NOTE, "host", "%s cannot be read: %s", SOFTNET, strerror(errno));
		return;
	}
	while (fscanf(in, "%*x %x%*[^\n]", &dropped) == 1)
		sum += dropped;
	fclose(in);
	if (!sum)
		return;
	doctor_say(d, DOCTOR_NOTE, "host", "the kernel dropped %llu packets between cards and programs since it started", sum);
	doctor_advise(d, "sysctl -w net.core.netdev_max_backlog=10000, or more queues of the card (ethtool -L)");
}

static void look_at_config(struct doctor *d, const struct command_context *c)
{
	struct own *own = own_new(c->config);

	if (!own_is_configured(own)) {
		doctor_say(d, DOCTOR_BAD, "config", "does not say which networks are ours: nothing can be judged");
		doctor_advise(d, "[own] networks; \"bouncetap audit --guess-own\" on a capture shows candidates.");
	} else if (!c->config->own.domains.count) {
		doctor_say(d, DOCTOR_NOTE, "config", "names own networks, but no own domains");
		doctor_advise(d, "[own] domains: mail from these is told from mail that only says so.");
	} else
		doctor_say(d, DOCTOR_OK, "config", "names own networks and domains");
	if (!c->lists.count) {
		doctor_say(d, DOCTOR_BAD, "config", "no description of a blocklist was found");
		doctor_advise(d, "make install puts them into share/bouncetap/lists.d; your own go into /etc/bouncetap/lists.d.");
	}
	own_free(own);
}

static void look_at_links(struct doctor *d, const struct config_strings *interfaces)
{
	for (size_t i = 0; i < interfaces->count; i++) {
		if (strcmp(interfaces->item[i], "any") == 0)
			doctor_say(d, DOCTOR_NOTE, "any", "all interfaces: name the one of the tap, so that it can be looked at");
		else
			doctor_look_at_link(d, SYSFS_NET, interfaces->item[i]);
	}
	if (!interfaces->count) {
		doctor_say(d, DOCTOR_NOTE, "tap", "no interface was named to look at");
		doctor_advise(d, "[capture] interfaces, or --interface IFACE,...");
	}
}

/* Last, since root becomes the owner of the store for it (user.h). */
static void look_at_store(struct doctor *d, const char *dir)
{
	char message[512];

	if (user_become_owner(dir, message, sizeof message))
		doctor_say(d, DOCTOR_BAD, "store", "%s", message);
	doctor_look_at_store(d, dir, time_now_us());
}

static int run_doctor(struct command_context *c)
{
	struct doctor d = { 0 };

	look_at_config(&d, c);
	look_at_links(&d, &c->config->capture.interfaces);
	look_at_backlog(&d);
	look_at_clock(&d);
	look_at_store(&d, c->store);
	doctor_print(&d, c->json, stdout);
	doctor_fini(&d);
	return fflush(stdout) || ferror(stdout) ? command_fail(EX_IOERR, "the findings cannot be written: %s", strerror(errno)) : EX_OK;
}

static int set_interfaces(struct command_context *c, const char *text)
{
	return command_configure(c, "capture", "interfaces", "interface", text);
}

static const struct command_option options[] = {
	{ "interface", "IFACE,...", "the interfaces of the tap, in place of the configured ones", .set = set_interfaces },
	COMMAND_FORMAT,
	{ 0 }
};

const struct command command_doctor = { "doctor", "", "look at interfaces, store, host and configuration, say what to change", run_doctor, options };
