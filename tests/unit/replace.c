/* Unit tests of common/replace.c. */
#include "common/replace.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char dir[] = "/tmp/unit-replace-XXXXXX";
static char path[64], beside[64];

static void is_content(const char *file, const char *wanted)
{
	char got[64] = "";
	FILE *f = fopen(file, "r");

	assert_non_null(f);
	got[fread(got, 1, sizeof got - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(got, wanted);
}

static void a_file_is_replaced_with_its_mode(void **state)
{
	struct stat st;

	(void)state;
	umask(077);
	assert_int_equal(replace_file(path, "one", 3, 0644), 0);
	is_content(path, "one");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(replace_file(path, "two", 3, 0640), 0);
	is_content(path, "two");
	assert_int_equal(access(beside, F_OK), -1);
}

static void what_a_killed_writer_left_is_no_obstacle(void **state)
{
	(void)state;
	assert_int_equal(symlink("/nowhere", beside), 0);
	assert_int_equal(replace_file(path, "three", 5, 0644), 0);
	is_content(path, "three");
}

static void a_link_is_replaced_and_not_followed(void **state)
{
	char other[64], target[64];

	(void)state;
	snprintf(other, sizeof other, "%s/other", dir);
	assert_int_equal(replace_file(other, "kept", 4, 0644), 0);
	assert_int_equal(replace_link(path, "other"), 0);
	is_content(path, "kept");
	assert_int_equal(replace_link(path, "other2"), 0);
	assert_int_equal(readlink(path, target, sizeof target), 6);
	assert_int_equal(replace_link(path, "other"), 0);
	assert_int_equal(replace_file(path, "new", 3, 0644), 0);
	is_content(path, "new");
	is_content(other, "kept");
	unlink(other);
}

static void a_failure_leaves_what_was_there(void **state)
{
	(void)state;
	assert_int_equal(replace_file("/nonexistent/file", "x", 1, 0644), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(mkdir(beside, 0700), 0);
	assert_int_equal(replace_file(path, "lost", 4, 0644), -1);
	is_content(path, "new");
	rmdir(beside);
}

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof path, "%s/file", dir);
	snprintf(beside, sizeof beside, "%s/.file.tmp", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_replaced_with_its_mode),
		cmocka_unit_test(what_a_killed_writer_left_is_no_obstacle),
		cmocka_unit_test(a_link_is_replaced_and_not_followed),
		cmocka_unit_test(a_failure_leaves_what_was_there),
	};

	return cmocka_run_group_tests_name("replace", tests, make_dir, remove_dir);
}
