/* place.c - see place.h */
#include "sensor/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, WAL_HEADER_BYTES = 32 };

void place_init(struct place *p, const char *dir)
{
	*p = (struct place){ .dir = dir, .key_fd = -1, .facts_fd = -1 };
}

struct failure {
	enum db_refusal *why;
	char *error;
	size_t size;
	int *exit_code;
};

static int fail(struct failure *f, int exit_code, const char *path, const char *what)
{
	snprintf(f->error, f->size, "%s: %s: %s", path, what, strerror(errno));
	*f->why = errno == EACCES || errno == EPERM || errno == EROFS ? DB_DENIED : DB_REFUSED;
	*f->exit_code = exit_code;
	return -1;
}

static void key_path(const struct place *p, char *out, size_t size)
{
	snprintf(out, size, "%s/key", p->dir);
}

static off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_size;
}

static off_t facts_size(const struct place *p, int n)
{
	char path[PATH_BYTES];

	db_path(p->dir, DB_FACTS, n, path, sizeof path);
	return size_of(path);
}

/* facts.db is the one that was open before, whose key we still know. */
static bool is_as_before(const struct place *p)
{
	char path[PATH_BYTES];

	db_path(p->dir, DB_FACTS, 0, path, sizeof path);
	return p->files.file[0].inode && !db_inode_moved(path, &p->files.file[0]);
}

static int make_directory(const struct place *p, struct failure *f)
{
	mode_t old = umask(0027);
	int rc = mkdir(p->dir, 0750);

	umask(old);
	return rc == 0 || errno == EEXIST ? 0 : fail(f, EX_CANTCREAT, p->dir, "cannot be made");
}

static int write_key(struct place *p, const char *path, struct failure *f)
{
	bool known = is_as_before(p);

	p->key = p->marked_key;
	if (!known && getrandom(&p->key, sizeof p->key, 0) != (ssize_t)sizeof p->key)
		return fail(f, EX_IOERR, path, "no random numbers");
	if (pwrite(p->key_fd, &p->key, sizeof p->key, 0) != (ssize_t)sizeof p->key || fsync(p->key_fd))
		return fail(f, EX_IOERR, path, "cannot be written");
	if (known)
		fprintf(stderr, "bouncetapd: %s: was gone, written again\n", path);
	return 0;
}

static int open_key(struct place *p, bool make, struct failure *f)
{
	char path[PATH_BYTES];
	struct siphash_key key;

	key_path(p, path, sizeof path);
	p->key_fd = open(path, O_RDWR | O_CLOEXEC | (make || is_as_before(p) ? O_CREAT : 0), 0600);
	if (p->key_fd < 0)
		return fail(f, EX_CANTCREAT, path, "cannot be opened");
	if (flock(p->key_fd, LOCK_EX | LOCK_NB)) {
		snprintf(f->error, f->size, "%s: another bouncetapd writes to this store; stop it or name another --store", p->dir);
		*f->exit_code = EX_TEMPFAIL;
		return -1;
	}
	if (pread(p->key_fd, &key, sizeof key, 0) == (ssize_t)sizeof key) {
		p->key = key;
		return 0;
	}
	if (facts_size(p, 0) == 0 || is_as_before(p))
		return write_key(p, path, f);
	snprintf(f->error, f->size, "%s: missing or damaged; what is in this store can be told again only with its key: put it back, or name another --store",
		 path);
	*f->exit_code = EX_DATAERR;
	return -1;
}

/* SQLite would remove the -wal of a facts.db that is gone: it may hold what was committed. */
static int keep_orphan(struct place *p, struct failure *f)
{
	char name[PATH_BYTES];

	if (facts_size(p, 0) > 0 || facts_size(p, 1) <= WAL_HEADER_BYTES)
		return 0;
	if (place_set_aside(p, name, sizeof name, f->error, f->size)) {
		*f->exit_code = EX_IOERR;
		return -1;
	}
	fprintf(stderr, "bouncetapd: %s: facts.db is gone, but not its -wal: kept as %s-wal\n", p->dir, name);
	return 0;
}

static int open_facts(struct place *p, bool make, int busy_ms, struct failure *f)
{
	char path[PATH_BYTES];

	db_path(p->dir, DB_FACTS, 0, path, sizeof path);
	*f->exit_code = EX_CANTCREAT;
	if (!make && facts_size(p, 0) == 0) {
		snprintf(f->error, f->size, "%s: is gone", path);
		return -1;
	}
	if (keep_orphan(p, f))
		return -1;
	p->db = db_open_write(p->dir, DB_FACTS, busy_ms, f->why, f->error, f->size);
	if (!p->db) {
		if (*f->why == DB_LOCKED)
			*f->exit_code = EX_TEMPFAIL;
		return -1;
	}
	p->facts_fd = open(path, O_PATH | O_CLOEXEC);	/* closing an ordinary one would give up SQLite's locks */
	return p->facts_fd < 0 ? fail(f, EX_CANTCREAT, path, "cannot be opened") : 0;
}

int place_open(struct place *p, bool make, int busy_ms, enum db_refusal *why, char *error, size_t error_size, int *exit_code)
{
	struct failure f = { why, error, error_size, exit_code };
	struct db_inode before;
	int rc = make ? make_directory(p, &f) : 0;

	*why = DB_REFUSED;
	db_inode_look(p->dir, &before);
	rc = rc || open_key(p, make, &f) || open_facts(p, make, busy_ms, &f);
	if (rc == 0 && db_inode_moved(p->dir, &before)) {
		/* SQLite opens by path: facts.db of one directory and -wal of the other have nothing to say to each other. */
		sqlite3_db_config(p->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		snprintf(error, error_size, "%s: was exchanged while it was opened", p->dir);
		*exit_code = EX_TEMPFAIL;
		rc = -1;
	}
	if (rc)
		place_close(p);
	return rc ? -1 : 0;
}

void place_mark(struct place *p)
{
	char path[PATH_BYTES];

	p->marked_key = p->key;
	key_path(p, path, sizeof path);
	db_inode_look(path, &p->key_file);
	db_inode_look(p->dir, &p->directory);
	db_files_look(p->dir, DB_FACTS, &p->files);
}

bool place_is_moved(const struct place *p)
{
	char path[PATH_BYTES];

	key_path(p, path, sizeof path);
	return db_files_moved(p->dir, DB_FACTS, &p->files) || db_inode_moved(path, &p->key_file);
}

bool place_is_elsewhere(const struct place *p)
{
	return db_inode_moved(p->dir, &p->directory);
}

bool place_is_deleted(const struct place *p)
{
	struct stat st;

	return fstat(p->facts_fd, &st) == 0 && st.st_nlink == 0;
}

void place_close(struct place *p)
{
	sqlite3_close(p->db);
	p->db = NULL;
	if (p->facts_fd >= 0)
		close(p->facts_fd);
	if (p->key_fd >= 0)
		close(p->key_fd);
	p->facts_fd = p->key_fd = -1;
}

static bool is_free(const char *name)
{
	struct stat st;

	return lstat(name, &st) && errno == ENOENT;
}

/* facts.db.corrupt-20261122T080100Z; a second one within the second gets a number. */
static void name_aside(const struct place *p, char *name, size_t size)
{
	char path[PATH_BYTES], utc[32];
	time_t now = time(NULL);
	struct tm tm;

	db_path(p->dir, DB_FACTS, 0, path, sizeof path);
	strftime(utc, sizeof utc, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
	snprintf(name, size, "%s.corrupt-%s", path, utc);
	for (int n = 2; !is_free(name) && n < 100; n++)
		snprintf(name, size, "%s.corrupt-%s.%d", path, utc, n);
}

int place_set_aside(const struct place *p, char *name, size_t name_size, char *error, size_t error_size)
{
	char from[PATH_BYTES], to[PATH_BYTES + 8];

	name_aside(p, name, name_size);
	for (int i = 0; i < DB_FILES; i++) {
		db_path(p->dir, DB_FACTS, i, from, sizeof from);
		snprintf(to, sizeof to, "%s%s", name, (const char *[]){ "", "-wal", "-shm" }[i]);
		if (rename(from, to) && errno != ENOENT) {
			snprintf(error, error_size, "%s: cannot be renamed to %s: %s", from, to, strerror(errno));
			return -1;
		}
	}
	return 0;
}
