/*
 * notify.h - tells the service manager how it goes: the datagrams of sd_notify(3), without its library.
 *
 * NOTIFY_SOCKET names a socket by its path, or by an abstract name ("@..."). Without one everything here does nothing; a manager that does not
 * read loses lines, nobody waits for it.
 */
#ifndef SENSOR_NOTIFY_H
#define SENSOR_NOTIFY_H

#include <stdint.h>

struct notify {
	int fd;			/* -1: nobody to tell */
	uint64_t feed_every_us;	/* half of what the manager's watchdog allows; 0: it has none */
	uint64_t fed_us;
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID and connects. To be called before the rights to do so are given up. */
void notify_open(struct notify *n);

/* Lines of sd_notify(3), such as "READY=1\nSTATUS=...". */
void notify_send(struct notify *n, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Feeds the watchdog when it is time. now_us: a clock that never goes back. */
void notify_feed(struct notify *n, uint64_t now_us);

void notify_close(struct notify *n);

#endif
