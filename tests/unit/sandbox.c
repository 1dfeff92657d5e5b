/*
 * Unit tests of sandbox.c and user.c: processes that enter the sandbox and try what must go on and what must not, with the Landlock of this kernel,
 * with older versions and without. A build with sanitizers has no filters; tests/check_sandbox runs these tests in a plain build.
 */
#include "sensor/sandbox.c"

#include <dirent.h>
#include <grp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <cmocka.h>

enum { NOBODY = 65534, SOMEBODY = 4711 };

static char store[64], beside[96], capture_path[96];

/* A store, a file beside it, a capture that is open: /tmp/bouncetap-sandbox-XXXXXX/{store,beside,capture} */
static int set_up(void **state)
{
	char top[] = "/tmp/bouncetap-sandbox-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(top));
	assert_int_equal(chmod(top, 0755), 0);
	snprintf(store, sizeof store, "%s/store", top);
	snprintf(beside, sizeof beside, "%s/beside", top);
	snprintf(capture_path, sizeof capture_path, "%s/capture", top);
	for (const char *const *p = (const char *const[]){ beside, capture_path, NULL }; *p; p++) {
		int fd = open(*p, O_WRONLY | O_CREAT | O_EXCL, 0666);

		assert_int_equal(write(fd, "content", 7), 7);
		close(fd);
	}
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	*strrchr(beside, '/') = '\0';
	snprintf(command, sizeof command, "rm -rf %s", beside);
	return system(command);
}

/* In a process of a test's own: ends it at the first step that is not as it should be. */
static void must(bool good, const char *what)
{
	char text[160];

	if (good)
		return;
	int n = snprintf(text, sizeof text, "# not so: %s (%s)\n", what, strerror(errno));
	if (write(STDERR_FILENO, text, (size_t)n) != n)
		_exit(2);
	_exit(1);
}

static void needs_root(void)
{
	if (geteuid() != 0)
		skip();
}

/* ---- users and capabilities ---- */

/* Value of a line of /proc/self/status, read before the sandbox has closed it. */
static void status_line(int fd, const char *name, char *out, size_t size)
{
	char text[8192];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	must(n > 0, "the status can be read");
	text[n] = '\0';
	char *line = strstr(text, name);
	must(line != NULL, name);
	line += strlen(name);
	snprintf(out, size, "%.*s", (int)strcspn(line, "\n"), line);
}

static int status_fd = -1;

static void must_have_status(const char *name, const char *value)
{
	char text[128];

	status_line(status_fd, name, text, sizeof text);
	must(strcmp(text, value) == 0, name);
}

static void must_have_no_rights(void)
{
	static const char none[] = "\t0000000000000000";

	must_have_status("CapInh:", none);
	must_have_status("CapPrm:", none);
	must_have_status("CapEff:", none);
	must_have_status("CapAmb:", none);
	must_have_status("NoNewPrivs:", "\t1");
	must(prctl(PR_GET_DUMPABLE) != 1, "not dumpable");
}

static void enter_as(uid_t owner, const char *uids, bool bounds)
{
	struct sandbox_options o = { .store_dir = store };
	char message[512];

	status_fd = open("/proc/self/status", O_RDONLY);
	must(sandbox_enter(&o, message, sizeof message) == 0, message);
	must(!!strstr(message, "going on as root") == (owner == 0), message);
	must_have_no_rights();
	must_have_status("Uid:", uids);
	if (bounds)
		must_have_status("CapBnd:", "\t0000000000000000");
	if (owner)
		must_have_status("Groups:", "\t ");
	must(access(store, W_OK) == 0, "the store is writable");
	_exit(0);
}

static void run_as(uid_t owner, const char *uids, bool bounds)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		enter_as(owner, uids, bounds);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void root_becomes_the_owner_of_the_store(void **state)
{
	gid_t more[] = { 4, 24 };

	(void)state;
	needs_root();
	assert_true(mkdir(store, 0750) == 0 || errno == EEXIST);
	assert_int_equal(chown(store, SOMEBODY, SOMEBODY), 0);
	assert_int_equal(setgroups(COUNT(more), more), 0);
	run_as(SOMEBODY, "\t4711\t4711\t4711\t4711", true);
	assert_int_equal(setgroups(0, NULL), 0);
	assert_int_equal(chown(store, 0, 0), 0);
}

static void root_goes_on_without_capabilities_where_the_store_is_its_own(void **state)
{
	(void)state;
	needs_root();
	assert_true(mkdir(store, 0750) == 0 || errno == EEXIST);
	run_as(0, "\t0\t0\t0\t0", true);
}

static void a_plain_user_stays_who_he_is(void **state)
{
	int status;

	(void)state;
	needs_root();
	assert_true(mkdir(store, 0750) == 0 || errno == EEXIST);
	assert_int_equal(chown(store, SOMEBODY, SOMEBODY), 0);
	pid_t child = fork();
	if (child == 0) {
		must(setresgid(SOMEBODY, SOMEBODY, SOMEBODY) == 0 && setgroups(0, NULL) == 0 && setresuid(SOMEBODY, SOMEBODY, SOMEBODY) == 0, "a user");
		prctl(PR_SET_DUMPABLE, 1);	/* so that its own status can be read, as in a program that was started as that user */
		enter_as(SOMEBODY, "\t4711\t4711\t4711\t4711", false);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(chown(store, 0, 0), 0);
}

static void an_owner_who_cannot_work_in_his_store_is_named(void **state)
{
	struct sandbox_options o = { .store_dir = store };
	char message[512];
	int status;

	(void)state;
	needs_root();
	assert_true(mkdir(store, 0750) == 0 || errno == EEXIST);
	assert_int_equal(chown(store, SOMEBODY, SOMEBODY), 0);
	assert_int_equal(chmod(store, 0550), 0);
	pid_t child = fork();
	if (child == 0) {
		must(sandbox_enter(&o, message, sizeof message) < 0, "refused");
		must(strstr(message, "user 4711") && strstr(message, store), message);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(chmod(store, 0750), 0);
	assert_int_equal(chown(store, 0, 0), 0);
}

/* ---- tables ---- */

static void each_version_of_landlock_is_asked_for_what_it_knows(void **state)
{
	(void)state;
	assert_int_equal(ruleset_of(1).files, 0x1fff);
	assert_int_equal(ruleset_of(2).files, 0x3fff);
	assert_int_equal(ruleset_of(3).files, 0x7fff);
	assert_int_equal(ruleset_of(3).net, 0);
	assert_int_equal(ruleset_of(4).net, 3);
	assert_int_equal(ruleset_of(5).files, 0xffff);
	assert_int_equal(ruleset_of(5).scoped, 0);
	assert_int_equal(ruleset_of(6).scoped, 3);
	assert_int_equal(ruleset_of(7).files, 0xffff);
}

static void no_call_is_in_two_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(allowed); i++) {
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(allowed[i], allowed[j]);
		for (size_t j = 0; j < COUNT(deadly); j++)
			assert_int_not_equal(allowed[i], deadly[j]);
		for (size_t j = 0; j < COUNT(conditions); j++)
			assert_int_not_equal(allowed[i], conditions[j].call);
	}
}

#if !SANITIZED

/* ---- processes in the sandbox ---- */

static void must_be_denied(long result, const char *what)
{
	must(result == -1 && (errno == EPERM || errno == EACCES), what);
}

static int abi_of_this_test;

static int answer_abi(void)
{
	return abi_of_this_test;
}

enum { THIS_KERNEL = -1 };

/* Runs the probe in a process of its own that has entered the sandbox; answers its wait status. */
static int in_sandbox(int abi, void (*probe)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct sandbox_options o = { .store_dir = store, .landlock_abi = abi == THIS_KERNEL ? NULL : answer_abi };
		char message[512];

		abi_of_this_test = abi;
		must(sandbox_enter(&o, message, sizeof message) == 0, message);
		must(!strstr(message, "no seccomp"), message);
		must(!strstr(message, "no Landlock") == (abi != 0), message);
		probe();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

/* ---- what must go on ---- */

static void read_open_capture(int fd)
{
	char bytes[8];

	must(pread(fd, bytes, sizeof bytes, 0) == 7, "a capture that is open can be read");
}

/* What SQLite and the key do, and a store that is set aside. */
static void use_store(void)
{
	static const char *const names[] = { "facts.db", "facts.db-wal", "facts.db-shm", "facts.db-journal", "key" };
	char path[128], other[128], bytes[16];

	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof path, "%s/%s", store, names[i]);
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
		must(fd >= 0, path);
		must(pwrite(fd, "x", 1, 9000) == 1 && pread(fd, bytes, 1, 9000) == 1, "write and read");
		must(ftruncate(fd, 10) == 0 && fdatasync(fd) == 0, "truncate and sync");
		must(fchmod(fd, 0640) == 0, "the mode of an open file");
		must(flock(fd, LOCK_EX | LOCK_NB) == 0, "flock");
		must(fcntl(fd, F_SETLK, &(struct flock){ .l_type = F_WRLCK, .l_len = 1 }) == 0, "fcntl locks");
		void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		must(map != MAP_FAILED && munmap(map, 4096) == 0, "shared memory");
		must(close(fd) == 0, "close");
	}
	snprintf(path, sizeof path, "%s/facts.db", store);
	snprintf(other, sizeof other, "%s/facts.db.aside", store);
	must(rename(path, other) == 0, "set a file aside");
	must(access(path, F_OK) != 0 && errno == ENOENT, "it is gone");
	must(open(path, O_RDWR | O_CREAT | O_EXCL, 0640) >= 0, "a new one in its place");
	must(unlink(path) == 0 && unlink(other) == 0, "remove");
	int dir = open(store, O_RDONLY | O_DIRECTORY);
	must(dir >= 0 && fsync(dir) == 0, "sync the directory");
	must(mkdir(store, 0750) < 0 && errno == EEXIST, "the directory is there");
}

static void *thread(void *arg)
{
	use_store();
	must(prctl(PR_SET_NAME, "writer") == 0, "name of a thread");
	return arg;
}

static void use_the_rest(void)
{
	pthread_t t;
	struct timespec now, ms = { 0, 1000000 };
	char random[16];

	must(pthread_create(&t, NULL, thread, NULL) == 0 && pthread_join(t, NULL) == 0, "threads, which may use the store too");
	must(clock_gettime(CLOCK_REALTIME, &now) == 0 && nanosleep(&ms, NULL) == 0, "clock");
	must(syscall(SYS_getrandom, random, sizeof random, 0) == sizeof random, "getrandom");
	must(open("/dev/urandom", O_RDONLY) >= 0, "SQLite's source of salts");
	must(fprintf(stderr, "# a message\n") > 0 && fflush(stderr) == 0, "messages");
	void *big = malloc(64 << 20);
	must(big != NULL, "memory");
	free(big);
}

static int open_capture = -1;

static void go_on(void)
{
	read_open_capture(open_capture);
	use_store();
	use_the_rest();
}

static void store_capture_threads_and_clock_go_on_working(void **state)
{
	static const int versions[] = { THIS_KERNEL, 6, 4, 3, 2, 1, 0 };

	(void)state;
	open_capture = open(capture_path, O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < COUNT(versions); i++)
		assert_int_equal(in_sandbox(versions[i], go_on), 0);
	close(open_capture);
}

/* ---- what must not ---- */

static void open_files(void)
{
	static const char *const closed[] = {
		"/etc/shadow", "/etc/passwd", "/root", "/proc/self/mem", "/proc/self/maps", "/proc/1/environ", "/dev/mem", "/dev/null", "/proc/self/exe", "/etc",
		"/home", "/tmp", "/", "/sys/class/net", "/var/log", "/proc/sys/kernel/core_pattern",
	};
	char path[160];

	for (size_t i = 0; i < COUNT(closed); i++)
		must(open(closed[i], O_RDONLY) < 0 && (errno == EACCES || (errno == ENOENT && access(closed[i], F_OK) != 0)), closed[i]);
	must_be_denied(open(beside, O_RDONLY), "a file beside the store");
	must_be_denied(open(beside, O_WRONLY | O_TRUNC), "to empty a file beside the store");
	must_be_denied(open(capture_path, O_RDONLY), "a capture, a second time");
	snprintf(path, sizeof path, "%s/../new", store);
	must_be_denied(open(path, O_WRONLY | O_CREAT, 0600), "a new file beside the store");
	must_be_denied(open("/tmp/bouncetap-sandbox-new", O_WRONLY | O_CREAT, 0600), "a new file in /tmp");
	must_be_denied(unlink(beside), "to remove a file beside the store");
	snprintf(path, sizeof path, "%s/taken", store);
	must(rename(beside, path) < 0 && (errno == EXDEV || errno == EACCES), "to move a file into the store");
	snprintf(path, sizeof path, "%s/directory", store);
	must_be_denied(mkdir(path, 0700), "a directory in the store");
	snprintf(path, sizeof path, "%s/link", store);
	must_be_denied(open(path, O_RDONLY), "a link that somebody put into the store");
}

static void other_files_are_closed(void **state)
{
	static const int versions[] = { THIS_KERNEL, 6, 4, 3, 2, 1 };
	char link_path[128];

	(void)state;
	assert_true(mkdir(store, 0750) == 0 || errno == EEXIST);
	snprintf(link_path, sizeof link_path, "%s/link", store);
	assert_int_equal(symlink("/etc/passwd", link_path), 0);
	for (size_t i = 0; i < COUNT(versions); i++)
		assert_int_equal(in_sandbox(versions[i], open_files), 0);
	assert_int_equal(unlink(link_path), 0);
}

static void call_what_is_denied(void)
{
	char path[128], link_path[128];
	int fd = STDERR_FILENO;

	snprintf(path, sizeof path, "%s/file", store);
	snprintf(link_path, sizeof link_path, "%s/link", store);
	int file = open(path, O_RDWR | O_CREAT, 0600);
	must(file >= 0, path);
	static const struct { int domain, type; } sockets[] = {
		{ AF_INET, SOCK_STREAM }, { AF_INET6, SOCK_DGRAM }, { AF_UNIX, SOCK_STREAM }, { AF_NETLINK, SOCK_RAW }, { AF_PACKET, SOCK_RAW },
	};
	for (size_t i = 0; i < COUNT(sockets); i++)
		must_be_denied(socket(sockets[i].domain, sockets[i].type, 0), "a socket");
	must_be_denied(socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){ 0 }), "a pair of sockets");
	must_be_denied(fork(), "a new process");
	must_be_denied(vfork(), "a new process, vfork");
	must_be_denied(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL), "a new process, clone");
	must_be_denied(kill(getppid(), 0), "a signal to another process");
	must_be_denied(kill(getpid(), SIGCONT), "kill");
	must_be_denied(syscall(SYS_tgkill, getppid(), getppid(), 0), "a signal to another thread");
	must_be_denied(syscall(SYS_pidfd_open, getppid(), 0), "a handle of a process");
	must_be_denied(chmod(beside, 0777), "chmod beside the store");
	must_be_denied(chmod(path, 04777), "chmod in it");
	must_be_denied(chown(beside, NOBODY, NOBODY), "chown beside the store");
	must_be_denied(fchown(file, NOBODY, NOBODY), "chown in it");
	must_be_denied(truncate(beside, 0), "to empty a file beside the store by its name");
	must_be_denied(utimensat(AT_FDCWD, beside, NULL, 0), "times of a file");
	must_be_denied(setxattr(beside, "user.x", "x", 1, 0), "attributes of a file");
	must_be_denied(symlink("/etc/passwd", link_path), "a symbolic link");
	must_be_denied(link(path, link_path), "a hard link");
	must_be_denied(mknod(link_path, S_IFIFO | 0600, 0), "a special file");
	must_be_denied(dup(fd), "another number for a descriptor");
	must_be_denied(dup2(fd, 77), "dup2");
	must_be_denied(fcntl(fd, F_DUPFD, 77), "F_DUPFD");
	must_be_denied(fcntl(fd, F_SETOWN, getppid()), "signals by way of a descriptor");
	must_be_denied(ioctl(fd, TIOCSTI, "x"), "input put into a terminal");
	must(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EPERM,
	     "memory to run code in");
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(page != MAP_FAILED, "a page");
	must_be_denied(mprotect(page, 4096, PROT_READ | PROT_EXEC), "a page turned into code");
	must_be_denied(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "to be dumpable again");
	must_be_denied(setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }), "limits");
	must_be_denied(chdir("/"), "another directory");
	must_be_denied(setsockopt(fd, SOL_SOCKET, SO_MARK, &fd, sizeof fd), "options of a socket");
	must(unlink(path) == 0, path);
}

static void other_calls_are_denied(void **state)
{
	(void)state;
	assert_int_equal(in_sandbox(THIS_KERNEL, call_what_is_denied), 0);
	assert_int_equal(in_sandbox(0, call_what_is_denied), 0);
}

static void run_a_program(void)
{
	execl("/bin/true", "true", (char *)NULL);
}

static void trace_a_process(void)
{
	ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static void mount_something(void)
{
	mount("none", "/mnt", "tmpfs", 0, NULL);
}

static void load_a_module(void)
{
	syscall(SYS_finit_module, 0, "", 0);
}

static void make_a_namespace(void)
{
	unshare(CLONE_NEWUSER);
}

static void become_root(void)
{
	syscall(SYS_setresuid, 0, 0, 0);
}

static void read_foreign_memory(void)
{
	syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static void what_only_an_intruder_does_ends_the_process(void **state)
{
	static void (*const probes[])(void) = {
		run_a_program, trace_a_process, mount_something, load_a_module, make_a_namespace, become_root, read_foreign_memory,
	};

	(void)state;
	for (size_t i = 0; i < COUNT(probes); i++) {
		int status = in_sandbox(i % 2 ? 0 : THIS_KERNEL, probes[i]);

		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	}
}

/* ---- a packet socket ---- */

static int packet_socket = -1;

static void send_on_the_tap(void)
{
	static char frame[60];

	must_be_denied(write(packet_socket, frame, sizeof frame), "write");
	must_be_denied(writev(packet_socket, &(struct iovec){ frame, sizeof frame }, 1), "writev");
	must_be_denied(send(packet_socket, frame, sizeof frame, 0), "send");
	must_be_denied(sendto(packet_socket, frame, sizeof frame, 0, (struct sockaddr *)&(struct sockaddr){ .sa_family = AF_PACKET },
			      sizeof(struct sockaddr)), "sendto");
	must_be_denied(sendmsg(packet_socket, &(struct msghdr){ 0 }, 0), "sendmsg");
	must(recv(packet_socket, frame, sizeof frame, MSG_DONTWAIT) < 0 && errno == EAGAIN, "but it can be read");
}

static void nothing_can_be_sent_on_a_tap(void **state)
{
	(void)state;
	needs_root();
	packet_socket = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	assert_true(packet_socket >= 0);
	assert_int_equal(in_sandbox(THIS_KERNEL, send_on_the_tap), 0);
	close(packet_socket);
}

static int notify_socket = -1;

static void say_something(void)
{
	must(send(notify_socket, "READY=1", 7, MSG_NOSIGNAL) == 7, "send on a socket that is connected");
	must_be_denied(sendto(notify_socket, "x", 1, 0, (struct sockaddr *)&(struct sockaddr){ .sa_family = AF_UNIX }, 2), "send to somebody else");
}

static void what_is_connected_can_be_told_something(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	notify_socket = pair[0];
	assert_int_equal(in_sandbox(THIS_KERNEL, say_something), 0);
	close(pair[0]);
	close(pair[1]);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_version_of_landlock_is_asked_for_what_it_knows),
		cmocka_unit_test(no_call_is_in_two_tables),
		cmocka_unit_test(root_becomes_the_owner_of_the_store),
		cmocka_unit_test(root_goes_on_without_capabilities_where_the_store_is_its_own),
		cmocka_unit_test(a_plain_user_stays_who_he_is),
		cmocka_unit_test(an_owner_who_cannot_work_in_his_store_is_named),
#if !SANITIZED
		cmocka_unit_test(store_capture_threads_and_clock_go_on_working),
		cmocka_unit_test(other_files_are_closed),
		cmocka_unit_test(other_calls_are_denied),
		cmocka_unit_test(what_only_an_intruder_does_ends_the_process),
		cmocka_unit_test(nothing_can_be_sent_on_a_tap),
		cmocka_unit_test(what_is_connected_can_be_told_something),
#endif
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
