/* journal.c - see journal.h */
#include "analyzer/journal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/escape.h"

void journal_field(struct buf *entry, const char *name, struct text value)
{
	if (!value.p)
		return;
	/* Line breaks and control characters do not survive the escape, so the simple form always holds. */
	buf_printf(entry, "%s=", name);
	escape_terminal(entry, value, JOURNAL_VALUE_MAX);
	buf_add_char(entry, '\n');
}

int journal_send(const char *socket_path, const struct buf *entry)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd, failed;

	if (strlen(socket_path) >= sizeof to.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(to.sun_path, socket_path, strlen(socket_path));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	failed = sendto(fd, entry->p, entry->len, MSG_NOSIGNAL, (const struct sockaddr *)&to, sizeof to) < 0;
	int error = errno;
	close(fd);
	errno = error;
	return failed ? -1 : 0;
}
