/* user.c - see user.h */
#include "common/user.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY_GID 65534

struct ids {
	uid_t uid;
	gid_t gid;
};

static bool find_user(struct ids *out)
{
	const struct passwd *p = getpwnam(USER_OF_STORES);

	if (!p || p->pw_uid == 0)
		return false;
	*out = (struct ids){ p->pw_uid, p->pw_gid };
	return true;
}

/* The group of the directory reads the store; but root's is no group to work with. */
static struct ids owner_of(const struct stat *st)
{
	struct ids owner = { st->st_uid, st->st_gid };
	const struct passwd *p = owner.gid ? NULL : getpwuid(owner.uid);

	if (!owner.gid)
		owner.gid = p && p->pw_gid ? p->pw_gid : NOBODY_GID;
	return owner;
}

static int become(const struct ids *who)
{
	return setgroups(0, NULL) || setresgid(who->gid, who->gid, who->gid) || setresuid(who->uid, who->uid, who->uid) ? -1 : 0;
}

static bool can_work_in(const char *dir)
{
	return faccessat(AT_FDCWD, dir, R_OK | W_OK | X_OK, AT_EACCESS) == 0;
}

/* Asked as they, in a process of its own: every directory above has its say. */
static bool could_work_in(const char *dir, const struct ids *who)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(become(who) || !can_work_in(dir));
	if (child < 0)
		return false;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* By descriptor, so that it is the directory we made and no other that took its place. */
static void give(int fd, const char *dir, const struct ids *user)
{
	struct stat st;

	if (fstat(fd, &st) || st.st_uid != 0 || fchown(fd, user->uid, user->gid))
		return;
	if (!could_work_in(dir, user) && fchown(fd, 0, 0))
		fprintf(stderr, "%s: cannot be taken back from user %s: %s\n", dir, USER_OF_STORES, strerror(errno));
}

void user_give_store(const char *dir)
{
	struct ids user;

	if (geteuid() != 0 || !find_user(&user))
		return;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	give(fd, dir, &user);
	close(fd);
}

int user_make_store(const char *dir)
{
	if (mkdir(dir, 0750))
		return errno == EEXIST ? 0 : -1;
	user_give_store(dir);
	return 0;
}

int user_become_owner(const char *dir, char *message, size_t size)
{
	struct stat st;
	struct ids owner;

	*message = '\0';
	if (geteuid() != 0 || stat(dir, &st))
		return 0;
	if (st.st_uid == 0) {
		snprintf(message, size, find_user(&owner) ? "%s belongs to root: going on as root" :
			 "%s belongs to root, and there is no user " USER_OF_STORES ": going on as root", dir);
		return 0;
	}
	owner = owner_of(&st);
	if (become(&owner)) {
		snprintf(message, size, "cannot become user %u, the owner of the store: %s", (unsigned)owner.uid, strerror(errno));
		return -1;
	}
	if (!can_work_in(dir)) {
		snprintf(message, size, "%s: its owner, user %u, cannot work there: change owner or rights of it and what is above, or name another --store",
			 dir, (unsigned)owner.uid);
		return -1;
	}
	return 0;
}
