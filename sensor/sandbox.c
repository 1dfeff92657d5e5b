/*
 * sandbox.c - see sandbox.h. In this order, since each step takes away what the one before needs: directory of the store, bounding set, user,
 * capabilities, Landlock, seccomp.
 */
#include "sensor/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cap-ng.h>
#include <seccomp.h>

#include "common/user.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { FD_MAX = 1024 };

__attribute__((format(printf, 3, 4)))
static int fail(char *message, size_t size, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(message, size, format, ap);
	va_end(ap);
	return -1;
}

/* What is missing, one after the other. */
static void note(char *message, size_t size, const char *what)
{
	size_t n = strlen(message);

	snprintf(message + n, size - n, "%s%s", n ? "; " : "", what);
}

/* ---- capabilities ---- */

/* Nobody can get them back by running another program. Without CAP_SETPCAP (a service's user) that is left to no_new_privs. */
static void drop_bounding_set(void)
{
	capng_get_caps_process();
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		return;
	capng_clear(CAPNG_SELECT_BOUNDS);
	capng_apply(CAPNG_SELECT_BOUNDS);
}

static int drop_capabilities(char *message, size_t size)
{
	capng_get_caps_process();
	capng_clear(CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT);
	if (capng_apply(CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT) || capng_get_caps_process() || capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE)
		return fail(message, size, "capabilities cannot be dropped: %s", strerror(errno));
	return 0;
}

static int drop_rights(const char *store_dir, char *message, size_t size)
{
	static const struct rlimit no_core = { 0, 0 };

	drop_bounding_set();
	if (user_become_owner(store_dir, message, size) || drop_capabilities(message, size))
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || setrlimit(RLIMIT_CORE, &no_core))
		return fail(message, size, "the process cannot be closed to others: %s", strerror(errno));
	return 0;
}

/* ---- Landlock: which files ---- */

/* linux/landlock.h of Debian 12 ends before version 3. */
struct ruleset {
	uint64_t files, net, scoped;
};

struct beneath {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

enum { RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };
enum {	/* rights on files, by the bit */
	FS_EXECUTE = 1 << 0, FS_WRITE_FILE = 1 << 1, FS_READ_FILE = 1 << 2, FS_READ_DIR = 1 << 3, FS_REMOVE_FILE = 1 << 5, FS_MAKE_REG = 1 << 8,
	FS_VERSION_1 = (1 << 13) - 1, FS_REFER = 1 << 13, FS_TRUNCATE = 1 << 14, FS_IOCTL_DEV = 1 << 15,
	FS_STORE = FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR | FS_REMOVE_FILE | FS_MAKE_REG | FS_TRUNCATE,
};
enum { NET_BIND_AND_CONNECT_TCP = 3, SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 3 };

static int ask_landlock_abi(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, RULESET_VERSION);
}

/* Everything that a version can deny is denied. An older kernel takes the longer struct as long as what it does not know is 0. */
static struct ruleset ruleset_of(int abi)
{
	struct ruleset r = { .files = FS_VERSION_1 };

	if (abi >= 2)
		r.files |= FS_REFER;
	if (abi >= 3)
		r.files |= FS_TRUNCATE;
	if (abi >= 4)
		r.net = NET_BIND_AND_CONNECT_TCP;
	if (abi >= 5)
		r.files |= FS_IOCTL_DEV;
	if (abi >= 6)
		r.scoped = SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS;
	return r;
}

/* 0, or -1 and errno. */
static int allow_path(int ruleset, const char *path, uint64_t rights)
{
	struct beneath b = { rights, open(path, O_PATH | O_CLOEXEC) };

	if (b.parent_fd < 0)
		return -1;
	int result = (int)syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &b, 0);
	close(b.parent_fd);
	return result;
}

static int allow_paths(int ruleset, const char *store_dir, uint64_t handled)
{
	/* SQLite's salts; without it they come from the clock. */
	allow_path(ruleset, "/dev/urandom", FS_READ_FILE);
	return allow_path(ruleset, store_dir, FS_STORE & handled);
}

static void restrict_files(const struct sandbox_options *o, char *message, size_t size)
{
	int abi = o->landlock_abi ? o->landlock_abi() : ask_landlock_abi();
	struct ruleset handled = ruleset_of(abi);
	int ruleset = abi > 0 ? (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0) : -1;

	if (ruleset < 0 || allow_paths(ruleset, o->store_dir, handled.files) || syscall(SYS_landlock_restrict_self, ruleset, 0))
		note(message, size, "no Landlock in this kernel: files are guarded by the rights of the user alone");
	if (ruleset >= 0)
		close(ruleset);
}

/* ---- seccomp: which system calls ---- */

/* What the program and its libraries call once frames come; anything else answers EPERM. */
static const int allowed[] = {
	/* memory and threads; mmap, mprotect, clone below */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(futex_time64), SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(gettid),
	/* signals to itself, clocks */
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall),
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_gettime64), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_nanosleep_time64),
	SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	/* what is open */
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pwrite64), SCMP_SYS(pwritev),
	SCMP_SYS(lseek), SCMP_SYS(_llseek), SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(fstat64), SCMP_SYS(fstatfs), SCMP_SYS(fstatfs64), SCMP_SYS(fsync),
	SCMP_SYS(fdatasync), SCMP_SYS(ftruncate), SCMP_SYS(ftruncate64), SCMP_SYS(fallocate), SCMP_SYS(fchmod), SCMP_SYS(flock), SCMP_SYS(getdents64),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(ppoll_time64), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(_newselect),
	SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(getsockopt), SCMP_SYS(getsockname),
	/* files of the store, by Landlock or by rights; no links, which would lead out of it */
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(stat64), SCMP_SYS(lstat), SCMP_SYS(lstat64), SCMP_SYS(newfstatat), SCMP_SYS(fstatat64),
	SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(statfs64), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(getcwd), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2),
	SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(umask),
	/* who and where we are */
	SCMP_SYS(getpid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getuid32), SCMP_SYS(geteuid32),
	SCMP_SYS(getgid32), SCMP_SYS(getegid32), SCMP_SYS(getrandom), SCMP_SYS(getrlimit), SCMP_SYS(ugetrlimit), SCMP_SYS(getrusage), SCMP_SYS(sysinfo),
	SCMP_SYS(uname),
};

/* What none of our own code can come to: whoever calls it has taken the process over. */
static const int deadly[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(init_module),
	SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(bpf), SCMP_SYS(perf_event_open),
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(open_by_handle_at),
	SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup), SCMP_SYS(setuid), SCMP_SYS(setresuid),
	SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(personality),
};

/* Calls that are allowed only with a certain argument: (argument & mask) == value. */
#define ALL_BITS UINT64_MAX
#ifdef __s390__
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif
static const struct condition {
	int call;
	unsigned argument;
	uint64_t mask, value;
} conditions[] = {
	{ SCMP_SYS(mmap), 2, PROT_EXEC, 0 },
	{ SCMP_SYS(mmap2), 2, PROT_EXEC, 0 },
	{ SCMP_SYS(mprotect), 2, PROT_EXEC, 0 },
	{ SCMP_SYS(clone), CLONE_FLAGS, CLONE_VM | CLONE_THREAD, CLONE_VM | CLONE_THREAD },
	{ SCMP_SYS(ioctl), 1, ALL_BITS, TCGETS },		/* isatty, of stdio */
	{ SCMP_SYS(ioctl), 1, ALL_BITS, SIOCGIFFLAGS },		/* libpcap: is the interface still up? */
	{ SCMP_SYS(fcntl), 1, ALL_BITS, F_GETFD },		/* F_DUPFD would give a packet socket another number */
	{ SCMP_SYS(fcntl), 1, ALL_BITS, F_SETFD },
	{ SCMP_SYS(fcntl), 1, ALL_BITS, F_GETFL },
	{ SCMP_SYS(fcntl), 1, ALL_BITS, F_SETFL },
	{ SCMP_SYS(fcntl), 1, ALL_BITS, F_GETLK },
	{ SCMP_SYS(fcntl), 1, ALL_BITS, F_SETLK },
	{ SCMP_SYS(fcntl), 1, ALL_BITS, F_SETLKW },
	{ SCMP_SYS(fcntl64), 1, ALL_BITS, F_GETFD },
	{ SCMP_SYS(fcntl64), 1, ALL_BITS, F_SETFD },
	{ SCMP_SYS(fcntl64), 1, ALL_BITS, F_GETFL },
	{ SCMP_SYS(fcntl64), 1, ALL_BITS, F_SETFL },
	{ SCMP_SYS(fcntl64), 1, ALL_BITS, F_GETLK },
	{ SCMP_SYS(fcntl64), 1, ALL_BITS, F_SETLK },
	{ SCMP_SYS(fcntl64), 1, ALL_BITS, F_SETLKW },
	{ SCMP_SYS(prctl), 0, ALL_BITS, PR_SET_NAME },
	{ SCMP_SYS(sendto), 4, ALL_BITS, 0 },			/* send(2) on what is connected: the notify socket */
	{ SCMP_SYS(prlimit64), 2, ALL_BITS, 0 },		/* asking for limits, not setting them */
};

/* Writing to these would send. */
static const int senders[] = { SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pwritev), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg) };

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool is_packet_socket(int fd)
{
	int domain;
	socklen_t size = sizeof domain;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_PACKET;
}

static int add_rule(scmp_filter_ctx filter, uint32_t action, const struct condition *c)
{
	return seccomp_rule_add(filter, action, c->call, 1, SCMP_CMP(c->argument, SCMP_CMP_MASKED_EQ, c->mask, c->value));
}

static int load(scmp_filter_ctx filter)
{
	/* Mitigations against speculation inside the process, which on older kernels come with a filter, guard nothing here and cost much. */
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 1);
	return seccomp_load(filter);
}

/* A tap is only read: a filter of its own, since one filter cannot allow a call and deny it for a descriptor. */
static int deny_sending(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	bool any = false;
	int rc = filter ? 0 : -1;

	for (int fd = 0; fd < FD_MAX && rc == 0; fd++) {
		if (!is_packet_socket(fd))
			continue;
		any = true;
		for (size_t i = 0; i < COUNT(senders) && rc == 0; i++)
			rc = add_rule(filter, SCMP_ACT_ERRNO(EPERM), &(struct condition){ senders[i], 0, ALL_BITS, (uint64_t)fd });
	}
	if (rc == 0 && any)
		rc = load(filter);
	seccomp_release(filter);
	return rc;
}

static int add_rules(scmp_filter_ctx filter)
{
	const struct condition own_signals = { SCMP_SYS(tgkill), 0, ALL_BITS, (uint64_t)getpid() };	/* abort */
	int rc = add_rule(filter, SCMP_ACT_ALLOW, &own_signals);

	for (size_t i = 0; i < COUNT(allowed) && rc == 0; i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; i < COUNT(deadly) && rc == 0; i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
	for (size_t i = 0; i < COUNT(conditions) && rc == 0; i++)
		rc = add_rule(filter, SCMP_ACT_ALLOW, &conditions[i]);
	/* Its flags are out of a filter's reach; the C library then takes clone. */
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return rc;
}

static void restrict_calls(char *message, size_t size)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc = filter ? deny_sending() : -1;

	if (rc == 0)
		rc = add_rules(filter);
	if (rc == 0) {
		seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);	/* a tree, not a list */
		rc = load(filter);
	}
	if (rc)
		note(message, size, "no seccomp in this kernel: system calls are not restricted");
	seccomp_release(filter);
}

int sandbox_enter(const struct sandbox_options *o, char *message, size_t size)
{
	*message = '\0';
	if (user_make_store(o->store_dir))
		return fail(message, size, "%s: cannot be made: %s", o->store_dir, strerror(errno));
	if (drop_rights(o->store_dir, message, size))
		return -1;
	if (!SANITIZED) {
		restrict_files(o, message, size);
		restrict_calls(message, size);
	}
	return 0;
}
