/* save.c - see save.h */
#include "tui/save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/xmalloc.h"

static int write_all(int fd, const struct buf *content)
{
	for (size_t done = 0; done < content->len;) {
		ssize_t n = write(fd, content->p + done, content->len - done);

		if (n < 0 && errno != EINTR)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* A file that is not whole does not stay. */
static int fill(int fd, const char *path, const struct buf *content)
{
	int failed = write_all(fd, content);

	if (close(fd))
		failed = -1;
	if (failed) {
		int why = errno;

		unlink(path);
		errno = why;
	}
	return failed;
}

static enum save_result refuse(const char *path, const char *why, char *error, size_t error_size)
{
	snprintf(error, error_size, "%s: %s", path, why);
	return SAVE_FAILED;
}

static enum save_result replace_file(const char *path, const struct buf *content, char *error, size_t error_size)
{
	struct stat st;
	char *fresh = xasprintf("%s.XXXXXX", path);
	enum save_result result = SAVE_DONE;

	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		result = refuse(path, "is no plain file and stays as it is", error, error_size);
	else {
		int fd = mkostemp(fresh, O_CLOEXEC);	/* 0600 */

		if (fd < 0 || fill(fd, fresh, content))
			result = refuse(path, strerror(errno), error, error_size);
		else if (rename(fresh, path)) {
			result = refuse(path, strerror(errno), error, error_size);
			unlink(fresh);
		}
	}
	free(fresh);
	return result;
}

enum save_result save_file(const char *path, const struct buf *content, bool replace, char *error, size_t error_size)
{
	if (replace)
		return replace_file(path, content, error, error_size);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return SAVE_EXISTS;
	if (fd < 0 || fill(fd, path, content))
		return refuse(path, strerror(errno), error, error_size);
	return SAVE_DONE;
}
