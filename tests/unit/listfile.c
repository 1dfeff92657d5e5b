/* Unit tests of analyzer/listfile.c, and of the shipped files of data/lists.d (run from the root of the tree). */
#include "analyzer/listfile.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const int64_t day_us = INT64_C(86400000000);

/* Two directories of list files, as shipped and as in /etc. */
struct dirs {
	char *shipped, *local;
};

static int make_dirs(void **state)
{
	struct dirs *d = xcalloc(1, sizeof *d);

	d->shipped = xstrdup("/tmp/lists-shipped-XXXXXX");
	d->local = xstrdup("/tmp/lists-local-XXXXXX");
	*state = d;
	return mkdtemp(d->shipped) && mkdtemp(d->local) ? 0 : -1;
}

static void remove_dir(char *dir)
{
	struct ini_files files;

	ini_files_find(dir, "", &files);
	for (size_t i = 0; i < files.count; i++)
		remove(files.path[i]);
	ini_files_free(&files);
	rmdir(dir);
	free(dir);
}

static int remove_dirs(void **state)
{
	struct dirs *d = *state;

	remove_dir(d->shipped);
	remove_dir(d->local);
	free(d);
	return 0;
}

static void write_list(const char *dir, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", dir, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	free(path);
}

/* Messages come without the directory. */
static int load(const struct dirs *d, struct lists *out, char **messages)
{
	const char *dirs[] = { d->shipped, d->local };
	size_t n, skip = strlen(d->shipped) + 1;
	FILE *errors = open_memstream(messages, &n);
	int rc = lists_load(dirs, 2, out, errors);

	fclose(errors);
	if (n > skip)
		memmove(*messages, *messages + skip, n - skip + 1);
	return rc;
}

static void expect_loaded(const struct dirs *d, struct lists *out)
{
	char *messages;
	int rc = load(d, out, &messages);

	assert_string_equal(messages, "");
	assert_int_equal(rc, 0);
	free(messages);
}

static void expect_error(const struct dirs *d, const char *text, const char *message)
{
	struct lists lists;
	char *messages;

	write_list(d->shipped, "x.list", text);
	assert_int_equal(load(d, &lists, &messages), EX_CONFIG);
	assert_string_equal(messages, message);
	assert_int_equal(lists.count, 0);
	free(messages);
	lists_fini(&lists);
}

#define LISTING "[listing]\nthreshold-mails = 1\nexpiry = 7d\n"
#define MINIMAL LISTING "[counts]\nnull = bounce\n"

static void backscatterer_is_as_its_operator_says(void **state)
{
	static const char *const dirs[] = { "data/lists.d" };
	struct lists lists;

	(void)state;
	assert_int_equal(lists_load(dirs, 1, &lists, stderr), 0);
	const struct list *l = lists_find(&lists, "backscatterer");
	assert_non_null(l);
	assert_int_equal(list_counts(l, KIND_BOUNCE, LIST_SENDER_NULL), LIST_COUNTS);
	assert_int_equal(list_counts(l, KIND_AUTOREPLY, LIST_SENDER_POSTMASTER), LIST_COUNTS);
	assert_int_equal(list_counts(l, KIND_AUTOREPLY, LIST_SENDER_OTHER), LIST_UNSURE);
	assert_int_equal(list_counts(l, KIND_BOUNCE, LIST_SENDER_DAEMON), LIST_UNSURE);
	assert_int_equal(list_counts(l, KIND_CALLOUT, LIST_SENDER_NULL), LIST_COUNTS);
	assert_int_equal(list_counts(l, KIND_CALLOUT, LIST_SENDER_DOUBLE_BOUNCE), LIST_COUNTS);
	assert_int_equal(list_counts(l, KIND_CALLOUT, LIST_SENDER_OTHER), LIST_COUNTS);
	assert_int_equal(list_counts(l, KIND_ORDINARY, LIST_SENDER_NULL), LIST_NOT);
	assert_int_equal(list_counts(l, KIND_CALL_AHEAD, LIST_SENDER_NULL), LIST_NOT);
	assert_int_equal(list_counts(l, KIND_FEEDBACK_REPORT, LIST_SENDER_OTHER), LIST_NOT);
	assert_int_equal(l->threshold_mails, 1);
	assert_int_equal(l->expiry_us, 28 * day_us);
	assert_int_equal(l->window_us, 28 * day_us);
	assert_false(l->ipv6);
	assert_int_equal(l->delist, LIST_DELIST_WAIT | LIST_DELIST_PAID);
	assert_string_equal(l->zone, "ips.backscatterer.org");
	assert_int_equal(l->codes.item[0].addr.bytes[3], 2);
	assert_int_equal(l->test_listed.bytes[3], 2);
	assert_int_equal(l->test_not_listed.bytes[3], 1);
	assert_int_equal(l->clean_us, 7 * day_us);
	assert_int_equal(l->coverage_percent, 80);
	assert_non_null(strstr(l->wants, "impact"));
	lists_fini(&lists);
}

static void a_local_file_replaces_the_shipped_one(void **state)
{
	const struct dirs *d = *state;
	struct lists lists;

	write_list(d->shipped, "b.list", "[list]\nname = Shipped\n" MINIMAL "postmaster = bounce\n");
	write_list(d->shipped, "a.list", MINIMAL);
	write_list(d->shipped, "a.list~", "nonsense");
	write_list(d->local, "b.list", MINIMAL);
	write_list(d->local, "0.list", MINIMAL);
	expect_loaded(d, &lists);
	assert_int_equal(lists.count, 3);
	assert_string_equal(lists.item[0].id, "0");
	assert_string_equal(lists.item[1].id, "a");
	assert_string_equal(lists.item[2].name, "b");
	assert_int_equal(list_counts(&lists.item[2], KIND_BOUNCE, LIST_SENDER_POSTMASTER), LIST_NOT);
	assert_null(lists_find(&lists, "c"));
	lists_fini(&lists);
}

static void an_empty_local_file_takes_the_list_out(void **state)
{
	const struct dirs *d = *state;
	struct lists lists;

	write_list(d->shipped, "a.list", MINIMAL);
	write_list(d->shipped, "b.list", MINIMAL);
	write_list(d->local, "a.list", "# not for us\n");
	expect_loaded(d, &lists);
	assert_int_equal(lists.count, 1);
	assert_string_equal(lists.item[0].id, "b");
	lists_fini(&lists);
}

static void a_line_for_one_sender_goes_before_any(void **state)
{
	const struct dirs *d = *state;
	struct lists lists;

	write_list(d->shipped, "a.list", LISTING "[not]\ndaemon = bounce\n[unsure]\nany = bounce autoreply\n[counts]\nnull = bounce\n   ticket\n");
	write_list(d->shipped, "b.list", LISTING "[counts]\nnull = bounce\n   ticket\n[unsure]\nany = bounce autoreply\n[not]\ndaemon = bounce\n");
	expect_loaded(d, &lists);
	const struct list *l = lists_find(&lists, "a");
	assert_int_equal(list_counts(l, KIND_BOUNCE, LIST_SENDER_NULL), LIST_COUNTS);
	assert_int_equal(list_counts(l, KIND_BOUNCE, LIST_SENDER_OTHER), LIST_UNSURE);
	assert_int_equal(list_counts(l, KIND_BOUNCE, LIST_SENDER_DAEMON), LIST_NOT);
	assert_int_equal(list_counts(l, KIND_AUTOREPLY, LIST_SENDER_NULL), LIST_UNSURE);
	assert_int_equal(list_counts(l, KIND_TICKET, LIST_SENDER_NULL), LIST_COUNTS);
	assert_memory_equal(l->count, lists_find(&lists, "b")->count, sizeof l->count);
	lists_fini(&lists);
}

static void unknown_numbers_are_zero_and_the_window_is_the_expiry(void **state)
{
	const struct dirs *d = *state;
	struct lists lists;

	write_list(d->shipped, "a.list", "[listing]\nthreshold-mails = unknown\nthreshold-domains = none\nexpiry = 125h\n[counts]\nany = bounce\n");
	expect_loaded(d, &lists);
	assert_int_equal(lists.item[0].threshold_mails, 0);
	assert_int_equal(lists.item[0].threshold_domains, 0);
	assert_int_equal(lists.item[0].window_us, 125 * (day_us / 24));
	assert_null(lists.item[0].zone);
	lists_fini(&lists);
}

static void errors_name_their_line(void **state)
{
	const struct dirs *d = *state;

	expect_error(d, MINIMAL "[listnig]\nipv6 = no\n", "x.list:6: unknown section 'listnig'; did you mean 'listing'?\n");
	expect_error(d, MINIMAL "[list]\nnmae = X\n", "x.list:7: unknown key 'nmae'; did you mean 'name'?\n");
	expect_error(d, MINIMAL "nul = bounce\n", "x.list:6: unknown sender 'nul'; did you mean 'null'?\n");
	expect_error(d, MINIMAL "any = bounce\n  bounces\n", "x.list:7: unknown kind 'bounces'; did you mean 'bounce'?\n");
	expect_error(d, MINIMAL "[unsure]\nnull = ticket bounce\n", "x.list:7: bounce with sender null stands in [counts] too\n");
	expect_error(d, MINIMAL "null = ticket\n", "x.list:6: null was set before, in line 5\n");
	expect_error(d, "[listing]\nexpiry = 7\n", "x.list:2: expiry: '7' is not a time such as 28d or 36h\n");
	expect_error(d, "[listing]\nexpiry = 999999999999999999d\n",
		     "x.list:2: expiry: '999999999999999999d' is not a time such as 28d or 36h\n");
	expect_error(d, "[listing]\nthreshold-mails = few\n", "x.list:2: threshold-mails: 'few' is neither a number from 1 nor 'unknown'\n");
	expect_error(d, "[listing]\ndelist = pay\n", "x.list:2: delist: unknown value 'pay'; did you mean 'paid'?\n");
	expect_error(d, "[check]\nclean = soon\n", "x.list:2: clean: 'soon' is not a time such as 28d or 36h\n");
	expect_error(d, "[listing]\nexpiry = 7d\nexpiry = 8d\n", "x.list:3: expiry was set before, in line 2\n");
	expect_error(d, "[list]\nlast-verified = 2026-02-30\n", "x.list:2: last-verified: '2026-02-30' is not a date YYYY-MM-DD\n");
	expect_error(d, "[dns]\nzone = a.example b.example\n", "x.list:2: zone: one domain name is wanted\n");
	expect_error(d, MINIMAL "[check]\ncoverage = 101\n", "x.list: [check] coverage is more than 100 percent\n");
	expect_error(d, "name = X\n", "x.list:1: a key before the first [SECTION]\n");
}

static void what_is_missing_is_named(void **state)
{
	const struct dirs *d = *state;

	expect_error(d, "[listing]\nexpiry = 7d\n[counts]\nnull = bounce\n", "x.list: [listing] threshold-mails is missing\n");
	expect_error(d, "[listing]\nthreshold-mails = 1\n[counts]\nnull = bounce\n", "x.list: [listing] expiry is missing\n");
	expect_error(d, LISTING, "x.list: neither [counts] nor [unsure] names anything\n");
	expect_error(d, MINIMAL "[dns]\nzone = a.example\n", "x.list: [dns] has a zone and no codes: no answer would mean anything\n");
}

static void ids_are_plain_words(void **state)
{
	const struct dirs *d = *state;
	struct lists lists;
	char *messages;

	write_list(d->shipped, "A b.list", MINIMAL);
	assert_int_equal(load(d, &lists, &messages), EX_CONFIG);
	assert_string_equal(messages, "A b.list: the name of a list has only lower-case letters, digits and '-'\n");
	free(messages);
	lists_fini(&lists);
}

static char *written(const struct list *l)
{
	char *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	list_write(l, out);
	fclose(out);
	return text;
}

static void a_written_list_reads_back(void **state)
{
	static const char *const shipped[] = { "data/lists.d" };
	const struct dirs *d = *state;
	struct lists first, second;

	assert_int_equal(lists_load(shipped, 1, &first, stderr), 0);
	for (size_t i = 0; i < first.count; i++) {
		char *text = written(&first.item[i]), *name = xasprintf("%s.list", first.item[i].id);

		write_list(d->shipped, name, text);
		free(name);
		free(text);
	}
	expect_loaded(d, &second);
	assert_int_equal(first.count, second.count);
	for (size_t i = 0; i < first.count; i++) {
		char *a = written(&first.item[i]), *b = written(&second.item[i]);

		assert_string_equal(a, b);
		free(a);
		free(b);
	}
	lists_fini(&first);
	lists_fini(&second);
}

/* What the operators say of kinds and senders. */
static void shipped_lists_count_as_their_operators_say(void **state)
{
	static const char *const shipped[] = { "data/lists.d" };
	static const struct {
		const char *list;
		enum kind kind;
		enum list_sender sender;
		enum list_count count;
	} cases[] = {
		{ "backscatterer", KIND_BOUNCE, LIST_SENDER_NULL, LIST_COUNTS },
		{ "backscatterer", KIND_AUTOREPLY, LIST_SENDER_OTHER, LIST_UNSURE },
		{ "backscatterer", KIND_CALLOUT, LIST_SENDER_DOUBLE_BOUNCE, LIST_COUNTS },
		{ "sem-backscatter", KIND_BOUNCE, LIST_SENDER_NULL, LIST_COUNTS },
		{ "sem-backscatter", KIND_CALLOUT, LIST_SENDER_NULL, LIST_UNSURE },
		{ "sem-backscatter", KIND_AUTOREPLY, LIST_SENDER_OTHER, LIST_NOT },
		{ "spamcop", KIND_AUTOREPLY, LIST_SENDER_OTHER, LIST_COUNTS },
		{ "spamcop", KIND_CHALLENGE, LIST_SENDER_NULL, LIST_COUNTS },
		{ "spamcop", KIND_TICKET, LIST_SENDER_OTHER, LIST_UNSURE },
		{ "spamcop", KIND_CALLOUT, LIST_SENDER_NULL, LIST_NOT },
		{ "uceprotect-1", KIND_BOUNCE, LIST_SENDER_NULL, LIST_NOT },
		{ "uceprotect-1", KIND_AUTOREPLY, LIST_SENDER_OTHER, LIST_UNSURE },
		{ "uceprotect-1", KIND_CALLOUT, LIST_SENDER_NULL, LIST_NOT },
		{ "abusix-backscatter", KIND_READ_RECEIPT, LIST_SENDER_NULL, LIST_COUNTS },
		{ "abusix-backscatter", KIND_AUTOREPLY, LIST_SENDER_NULL, LIST_UNSURE },
		{ "abusix-backscatter", KIND_CALLOUT, LIST_SENDER_NULL, LIST_NOT },
	};
	struct lists lists;

	(void)state;
	assert_int_equal(lists_load(shipped, 1, &lists, stderr), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct list *l = lists_find(&lists, cases[i].list);

		assert_non_null(l);
		if (list_counts(l, cases[i].kind, cases[i].sender) != cases[i].count)
			fail_msg("%s: %s, sender %d", cases[i].list, kind_name(cases[i].kind), cases[i].sender);
	}
	for (size_t i = 0; i < lists.count; i++) {
		const struct list *l = &lists.item[i];

		assert_true(l->source && l->last_verified && l->named_as.count && l->permits && l->wants && l->avoid);
		for (enum list_sender s = 0; s < LIST_SENDER_COUNT; s++)
			assert_int_equal(list_counts(l, KIND_ORDINARY, s), LIST_NOT);
	}
	lists_fini(&lists);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shipped_lists_count_as_their_operators_say),
		cmocka_unit_test(backscatterer_is_as_its_operator_says),
		cmocka_unit_test_setup_teardown(a_local_file_replaces_the_shipped_one, make_dirs, remove_dirs),
		cmocka_unit_test_setup_teardown(an_empty_local_file_takes_the_list_out, make_dirs, remove_dirs),
		cmocka_unit_test_setup_teardown(a_line_for_one_sender_goes_before_any, make_dirs, remove_dirs),
		cmocka_unit_test_setup_teardown(unknown_numbers_are_zero_and_the_window_is_the_expiry, make_dirs, remove_dirs),
		cmocka_unit_test_setup_teardown(errors_name_their_line, make_dirs, remove_dirs),
		cmocka_unit_test_setup_teardown(what_is_missing_is_named, make_dirs, remove_dirs),
		cmocka_unit_test_setup_teardown(ids_are_plain_words, make_dirs, remove_dirs),
		cmocka_unit_test_setup_teardown(a_written_list_reads_back, make_dirs, remove_dirs),
	};

	return cmocka_run_group_tests_name("listfile", tests, NULL, NULL);
}
