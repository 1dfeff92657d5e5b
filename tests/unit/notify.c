/* Unit tests of notify.c: the manager's end is a socket of the test's own. */
#include "sensor/notify.c"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000)

/* A socket that a manager would read, and its name in the environment. */
static int listen_at(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	size_t length = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	memcpy(at.sun_path, name, length);
	if (name[0] == '@')
		at.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	return fd;
}

static void assert_told(int fd, const char *lines)
{
	char got[LINES_MAX + 1];
	ssize_t n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);

	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, lines);
}

static void assert_silent(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static int forget(void **state)
{
	(void)state;
	return unsetenv("NOTIFY_SOCKET") | unsetenv("WATCHDOG_USEC") | unsetenv("WATCHDOG_PID");
}

static void check_socket(const char *name)
{
	int fd = listen_at(name);
	struct notify n;

	notify_open(&n);
	assert_true(n.fd >= 0);
	notify_send(&n, "READY=1\nSTATUS=%d kpps", 412);
	assert_told(fd, "READY=1\nSTATUS=412 kpps");
	notify_close(&n);
	notify_send(&n, "STOPPING=1");
	assert_silent(fd);
	close(fd);
}

static void a_socket_by_its_path(void **state)
{
	char dir[] = "/tmp/notify.XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/socket", dir);
	check_socket(path);
	unlink(path);
	rmdir(dir);
}

static void an_abstract_socket(void **state)
{
	char name[64];

	(void)state;
	snprintf(name, sizeof name, "@bouncetap-test-%ld", (long)getpid());
	check_socket(name);
}

static void without_a_manager_nothing_happens(void **state)
{
	static const char *const useless[] = { "", "@", "relative", "/no/such/directory/socket" };
	struct notify n;

	(void)state;
	notify_open(&n);
	assert_int_equal(n.fd, -1);
	notify_send(&n, "READY=1");
	notify_feed(&n, SECOND);
	notify_close(&n);
	for (size_t i = 0; i < sizeof useless / sizeof *useless; i++) {
		setenv("NOTIFY_SOCKET", useless[i], 1);
		notify_open(&n);
		assert_int_equal(n.fd, -1);
	}
}

static void the_watchdog_is_fed_at_half_its_time(void **state)
{
	char name[64];
	struct notify n;

	(void)state;
	snprintf(name, sizeof name, "@bouncetap-test-%ld", (long)getpid());
	int fd = listen_at(name);
	setenv("WATCHDOG_USEC", "30000000", 1);
	notify_open(&n);
	notify_feed(&n, 100 * SECOND);
	assert_told(fd, "WATCHDOG=1");
	notify_feed(&n, 115 * SECOND - 1);
	assert_silent(fd);
	notify_feed(&n, 115 * SECOND);
	assert_told(fd, "WATCHDOG=1");
	notify_close(&n);
	close(fd);
}

static void another_process_watchdog_is_not_fed(void **state)
{
	struct notify n;

	(void)state;
	setenv("WATCHDOG_USEC", "30000000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	notify_open(&n);
	assert_int_equal(n.feed_every_us, 0);
}

static void a_manager_that_does_not_read_holds_nobody_up(void **state)
{
	char name[64];
	struct notify n;

	(void)state;
	snprintf(name, sizeof name, "@bouncetap-test-%ld", (long)getpid());
	int fd = listen_at(name);
	notify_open(&n);
	for (int i = 0; i < 10000; i++)
		notify_send(&n, "STATUS=%d", i);
	assert_told(fd, "STATUS=0");
	notify_close(&n);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_socket_by_its_path, forget),
		cmocka_unit_test_teardown(an_abstract_socket, forget),
		cmocka_unit_test_teardown(without_a_manager_nothing_happens, forget),
		cmocka_unit_test_teardown(the_watchdog_is_fed_at_half_its_time, forget),
		cmocka_unit_test_teardown(another_process_watchdog_is_not_fed, forget),
		cmocka_unit_test_teardown(a_manager_that_does_not_read_holds_nobody_up, forget),
	};

	forget(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
