/* notify.c - see notify.h */
#include "sensor/notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINES_MAX = 512 };

static uint64_t watchdog_us(void)
{
	const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	return us && (!pid || strtol(pid, NULL, 10) == (long)getpid()) ? strtoull(us, NULL, 10) : 0;
}

void notify_open(struct notify *n)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t length = name ? strlen(name) : 0;

	*n = (struct notify){ .fd = -1, .feed_every_us = watchdog_us() / 2 };
	if (length < 2 || length > sizeof to.sun_path || (name[0] != '/' && name[0] != '@'))
		return;
	memcpy(to.sun_path, name, length);
	if (name[0] == '@')
		to.sun_path[0] = '\0';
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n->fd >= 0 && connect(n->fd, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)))
		notify_close(n);
}

void notify_send(struct notify *n, const char *format, ...)
{
	char lines[LINES_MAX];
	va_list ap;

	if (n->fd < 0)
		return;
	va_start(ap, format);
	vsnprintf(lines, sizeof lines, format, ap);
	va_end(ap);
	(void)!send(n->fd, lines, strlen(lines), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void notify_feed(struct notify *n, uint64_t now_us)
{
	if (!n->feed_every_us || now_us < n->fed_us + n->feed_every_us)
		return;
	n->fed_us = now_us;
	notify_send(n, "WATCHDOG=1");
}

void notify_close(struct notify *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}
