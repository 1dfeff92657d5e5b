/* program.c - see program.h */
#include "common/program.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/user.h"
#include "common/xmalloc.h"

bool program_own_dir(char *out, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", out, size - 1);

	if (n <= 0)
		return false;
	out[n] = '\0';
	char *slash = strrchr(out, '/');
	if (slash)
		*slash = '\0';
	return slash != NULL;
}

const char *program_find(const char *name, char *out, size_t size)
{
	static const char *const beside[] = { ".", "../sbin", "../bin" };
	static const char *const installed[] = { PREFIX "/libexec", PREFIX "/sbin", PREFIX "/bin" };
	char dir[4000];

	if (program_own_dir(dir, sizeof dir)) {
		for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
			snprintf(out, size, "%s/%s/%s", dir, beside[i], name);
			if (access(out, X_OK) == 0)
				return out;
		}
	}
	for (size_t i = 0; i < sizeof installed / sizeof *installed; i++) {
		snprintf(out, size, "%s/%s", installed[i], name);
		if (access(out, X_OK) == 0)
			return out;
	}
	return NULL;
}

char *program_make_temporary_store(void)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = xasprintf("%s/bouncetap-XXXXXX", tmp && *tmp ? tmp : "/tmp");

	if (mkdtemp(dir)) {
		user_give_store(dir);
		return dir;
	}
	int why = errno;
	free(dir);
	errno = why;
	return NULL;
}

void program_remove_store(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	rmdir(dir);
}
