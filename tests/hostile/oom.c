/*
 * oom.c - linked into bouncetapd in front of malloc and its like: the OOM_AT-th allocation of ours or of SQLite's fails, and OOM_FOR - 1 after it
 * (default: all). Without OOM_AT how many there were is said at the end.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *p, size_t count, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
int __real_vasprintf(char **out, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *p, size_t count, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
int __wrap_vasprintf(char **out, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));

static atomic_ullong count;
static unsigned long long fail_at, fail_end = UINT64_MAX;

static bool fails(void)
{
	unsigned long long n = ++count;

	if (!fail_at || n < fail_at || n >= fail_end)
		return false;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(p, n, size);
}

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
	return fails() ? NULL : __real_strndup(s, n);
}

int __wrap_vasprintf(char **out, const char *format, va_list ap)
{
	return fails() ? -1 : __real_vasprintf(out, format, ap);
}

/* ---- SQLite's own ---- */

static sqlite3_mem_methods usual;

static void *lite_malloc(int n)
{
	return fails() ? NULL : usual.xMalloc(n);
}

static void *lite_realloc(void *p, int n)
{
	return fails() ? NULL : usual.xRealloc(p, n);
}

static void say_count(void)
{
	if (!fail_at)
		fprintf(stderr, "%llu allocations\n", (unsigned long long)count);
}

__attribute__((constructor)) static void begin(void)
{
	const char *at = getenv("OOM_AT"), *length = getenv("OOM_FOR");
	sqlite3_mem_methods failing;

	if (at)
		fail_at = strtoull(at, NULL, 10);
	if (at && length)
		fail_end = fail_at + strtoull(length, NULL, 10);
	sqlite3_config(SQLITE_CONFIG_GETMALLOC, &usual);
	failing = usual;
	failing.xMalloc = lite_malloc;
	failing.xRealloc = lite_realloc;
	sqlite3_config(SQLITE_CONFIG_MALLOC, &failing);
	atexit(say_count);
}
