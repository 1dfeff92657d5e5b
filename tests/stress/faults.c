/* faults.c - see faults.h */
#include "tests/stress/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum call { CALL_WRITE, CALL_SYNC, CALL_TRUNCATE, CALL_RENAME, CALL_OPEN, CALL_ANY, CALL_COUNT };
static const char *const names[CALL_COUNT] = { "write", "sync", "truncate", "rename", "open", "any" };
enum { SHORT = -1, SYNCS_KEPT = 100000 };

static atomic_uint calls[CALL_COUNT];
static enum call planned = CALL_COUNT;
static unsigned first, last;	/* of the planned calls */
static int planned_error;
static atomic_int read_only;
static atomic_uint wal_syncs, other_syncs;

static int error_of(const char *name)
{
	static const struct {
		const char *name;
		int error;
	} errors[] = { { "ENOSPC", ENOSPC }, { "EIO", EIO }, { "EINTR", EINTR }, { "EROFS", EROFS }, { "EACCES", EACCES }, { "short", SHORT } };

	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		if (strcmp(errors[i].name, name) == 0)
			return errors[i].error;
	return 0;
}

int faults_set(const char *plan)
{
	char call[16], error[16];
	unsigned n, times = 1;

	if (!plan || !*plan)
		return 0;
	if (sscanf(plan, "%15[a-z]:%u:%15[a-zA-Z]:%u", call, &n, error, &times) < 3)
		return -1;
	for (int i = 0; i < CALL_COUNT; i++)
		if (strcmp(names[i], call) == 0)
			planned = (enum call)i;
	planned_error = error_of(error);
	first = n;
	last = times ? n + times - 1 : ~0u;
	return planned == CALL_COUNT || !planned_error ? -1 : 0;
}

void faults_read_only(int on)
{
	read_only = on;
}

void faults_print(void)
{
	for (int i = 0; i < CALL_ANY; i++)
		printf("%s%s=%u", i ? " " : "", names[i], calls[i]);
	printf(" wal-sync=%u other-sync=%u\n", wal_syncs, other_syncs);
}

/* 0: the call may go on; else an error, or SHORT. */
static int turn(enum call c)
{
	unsigned n = ++calls[c], any = c == CALL_OPEN ? 0 : ++calls[CALL_ANY];

	if (read_only && c != CALL_OPEN)
		return EROFS;
	if (planned == CALL_ANY && any)
		n = any;
	else if (planned != c)
		return 0;
	if (n < first || n > last)
		return 0;
	return planned_error == SHORT && c != CALL_WRITE ? 0 : planned_error;
}

/* ---- the C library's names ---- */

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at);
ssize_t pwrite(int fd, const void *p, size_t n, off_t at);
ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	int error = turn(CALL_WRITE);

	if (error == SHORT)
		n = (n + 1) / 2;
	else if (error) {
		errno = error;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, p, n, at);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	return pwrite64(fd, p, n, at);
}

/* SQLite extends its shared memory so, before it maps it. */
ssize_t write(int fd, const void *p, size_t n)
{
	int error = fd > 2 ? turn(CALL_WRITE) : 0;

	if (error && error != SHORT) {
		errno = error;
		return -1;
	}
	return syscall(SYS_write, fd, p, error ? (n + 1) / 2 : n);
}

static int sync_file(int fd)
{
	char link[64], path[4096];
	int error = turn(CALL_SYNC);

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path);
	if (n > 4 && memcmp(path + n - 4, "-wal", 4) == 0)
		wal_syncs++;
	else
		other_syncs++;
	if (error) {
		errno = error;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

int fdatasync(int fd)
{
	return sync_file(fd);
}

int fsync(int fd)
{
	return sync_file(fd);
}

int ftruncate64(int fd, off64_t size)
{
	int error = turn(CALL_TRUNCATE);

	if (error) {
		errno = error;
		return -1;
	}
	return (int)syscall(SYS_ftruncate, fd, size);
}

int ftruncate(int fd, off_t size)
{
	return ftruncate64(fd, size);
}

int rename(const char *from, const char *to)
{
	int error = turn(CALL_RENAME);

	if (error) {
		errno = error;
		return -1;
	}
	return (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

int open64(const char *path, int flags, ...)
{
	va_list ap;
	int error = turn(CALL_OPEN);

	va_start(ap, flags);
	mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if (error) {
		errno = error;
		return -1;
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

int open(const char *path, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return open64(path, flags, mode);
}
