/* replace.c - see replace.h */
#include "common/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/xmalloc.h"

/* "/dir/.name.tmp": not a name that readers look for. One writer at a time: a leftover of one that was killed is taken over. */
static char *name_beside(const char *path)
{
	const char *slash = strrchr(path, '/');
	int dir = slash ? (int)(slash - path + 1) : 0;

	return xasprintf("%.*s.%s.tmp", dir, path, path + dir);
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno != EINTR)
			return -1;
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
	return 0;
}

/* errno of the first failure is kept. */
static int give_up(char *beside)
{
	int error = errno;

	unlink(beside);
	free(beside);
	errno = error;
	return -1;
}

int replace_file(const char *path, const void *p, size_t n, unsigned mode)
{
	char *beside = name_beside(path);
	int fd;

	unlink(beside);
	fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0) {
		free(beside);
		return -1;
	}
	int failed = fchmod(fd, mode) || write_all(fd, p, n) || fsync(fd);
	int error = errno;
	if (close(fd) && !failed)
		return give_up(beside);
	errno = error;
	if (failed || rename(beside, path))
		return give_up(beside);
	free(beside);
	return 0;
}

int replace_link(const char *path, const char *target)
{
	char *beside = name_beside(path);

	unlink(beside);
	if (symlink(target, beside) || rename(beside, path))
		return give_up(beside);
	free(beside);
	return 0;
}
