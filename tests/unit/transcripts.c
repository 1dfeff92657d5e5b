/*
 * transcripts.c - plays every tests/transcripts/NNN-what.smtp through smtp.h and compares what comes out.
 *
 * Whole, byte by byte and split at every offset it must say NNN-what.expect to the letter; so it must as TCP segments, whichever side is captured
 * late. With a hole at every offset it may say less,
 * never anything else: no acceptance that was not seen, no two mails in one, no enclosed header as an outer one.
 *
 * BOUNCETAP_TRANSCRIPTS  folder (tests/transcripts)      BOUNCETAP_ONLY  only names with this in them
 * BOUNCETAP_SEED         which tenth of the holes        BOUNCETAP_ALL   1: all holes
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdlib.h>
#include <time.h>

#include "tests/chance.h"
#include "tests/unit/facts.h"
#include "tests/unit/fits.h"
#include "tests/unit/play.h"
#include "tests/unit/wire.h"

struct transcript {
	char *name, *folder;
	struct script script;
	char *expected;
	struct view full;	/* what it says when all is seen */
};

static uint64_t seed;
static bool all_holes;

/* how: where it was cut. print_message would cut the texts. */
static void fail_text(const struct transcript *t, const char *what, const char *how, const char *got, const char *wanted)
{
	printf("# %s: %s, %s, seed %" PRIu64 "\n--- expected\n%s--- got\n%s---\n", t->name, what, how, seed, wanted, got);
	fail();
}

static bool read_file(const char *folder, const char *name, const char *suffix, struct buf *out)
{
	char *path = xasprintf("%s/%s%s", folder, name, suffix);
	FILE *f = fopen(path, "rb");
	char chunk[4096];
	size_t n;

	free(path);
	if (!f)
		return false;
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
		buf_add(out, chunk, n);
	fclose(f);
	return true;
}

static void view_of(const struct script *s, const struct manner *m, struct view *v)
{
	struct fact_sink sink = view_sink(v);

	*v = (struct view){ 0 };
	play(s, m, &sink);
}

static void check_secrets(const struct transcript *t, const char *how, const char *said)
{
	for (size_t i = 0; i < t->script.secret_count; i++)
		if (strstr(said, t->script.secret[i]))
			fail_text(t, "a secret", how, said, "(not that)\n");
}

static int setup(void **state)
{
	struct transcript *t = *state;
	struct buf text = { 0 }, expected = { 0 };

	if (!read_file(t->folder, t->name, ".smtp", &text))
		return -1;
	unsigned bad = script_read(&t->script, text.p, text.len);
	buf_fini(&text);
	if (bad)
		printf("# %s.smtp: line %u is no line of a transcript\n", t->name, bad);
	read_file(t->folder, t->name, ".expect", &expected);
	t->expected = xstrdup(buf_cstr(&expected));
	buf_fini(&expected);
	return bad ? -1 : 0;
}

static int teardown(void **state)
{
	struct transcript *t = *state;

	script_fini(&t->script);
	free(t->expected);
	t->expected = NULL;
	view_fini(&t->full);
	return 0;
}

/* The three ways that must agree, with fields that .expect does not show. */

static void check_same(const struct transcript *t, const struct manner *m, const char *wanted)
{
	struct buf said = { 0 };
	struct view v;
	char how[64];

	view_of(&t->script, m, &v);
	view_print(&said, &v, true);
	snprintf(how, sizeof how, m->bytewise ? "byte by byte" : "segment %zu split at %zu", m->part, m->at);
	if (strcmp(buf_cstr(&said), wanted) != 0)
		fail_text(t, "other facts", how, buf_cstr(&said), wanted);
	buf_fini(&said);
	view_fini(&v);
}

/* Every offset; of segments longer than a real one every few. */
static size_t stride(const struct part *p)
{
	return 1 + p->bytes.len / 2048;
}

static void check_splits(const struct transcript *t, const char *wanted)
{
	for (size_t i = 0; i < t->script.count; i++)
		for (size_t at = 1; at < t->script.part[i].bytes.len; at += stride(&t->script.part[i]))
			check_same(t, &(struct manner){ .part = i, .at = at }, wanted);
}

static void check_views(struct transcript *t)
{
	struct buf shown = { 0 }, said = { 0 };

	view_of(&t->script, &(struct manner){ 0 }, &t->full);
	view_print(&shown, &t->full, false);
	view_print(&said, &t->full, true);
	if (strcmp(buf_cstr(&shown), t->expected) != 0)
		fail_text(t, "other facts", "whole", buf_cstr(&shown), t->expected);
	check_secrets(t, "whole", buf_cstr(&said));
	check_same(t, &(struct manner){ .bytewise = true }, buf_cstr(&said));
	check_splits(t, buf_cstr(&said));
	buf_fini(&shown);
	buf_fini(&said);
}

/* As TCP segments, one side captured late: all but times must be as if it was not. */

static void print_timeless(struct buf *out, struct view *v)
{
	for (size_t i = 0; i < v->count; i++)
		for (size_t k = 0; k < v->record[i].count; k++) {
			struct field *f = &v->record[i].field[k];

			f->shown = strcmp(f->key, "us") != 0 && strcmp(f->key, "steps.us") != 0;
		}
	view_print(out, v, false);
}

static void say_late(const struct transcript *t, enum side late, uint64_t delay_us, struct buf *said)
{
	struct buf shown = { 0 };
	struct view v = { 0 };
	struct fact_sink sink = view_sink(&v);

	play_wire(&t->script, late, delay_us, &sink);
	view_print(&shown, &v, false);
	/* with one side alone the end of the other is not seen */
	if (!(t->script.end_notes & NOTE_ONE_SIDED) && strcmp(buf_cstr(&shown), t->expected) != 0)
		fail_text(t, "other facts", "as TCP segments", buf_cstr(&shown), t->expected);
	buf_fini(&shown);
	print_timeless(said, &v);
	view_fini(&v);
}

static void check_delays(const struct transcript *t)
{
	static const uint64_t delays[] = { 1000, 5000, 50000 };
	struct buf in_time = { 0 };

	say_late(t, SIDE_CLIENT, 0, &in_time);
	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
			struct buf said = { 0 };
			char how[64];

			say_late(t, (enum side)side, delays[i], &said);
			snprintf(how, sizeof how, "%s late by %" PRIu64 " ms", side ? "server" : "client", delays[i] / 1000);
			if (strcmp(buf_cstr(&said), buf_cstr(&in_time)) != 0)
				fail_text(t, "other facts", how, buf_cstr(&said), buf_cstr(&in_time));
			buf_fini(&said);
		}
	buf_fini(&in_time);
}

/* Holes */

/* Whether the body of some mail holds a whole envelope: joined in its middle it looks like one. */
static bool has_envelope_inside(const struct transcript *t)
{
	for (size_t i = 0; i < t->full.count; i++) {
		const char *notes = field_value(&t->full.record[i], "notes");

		if (notes && strstr(notes, "smuggling-like"))
			return true;
	}
	return false;
}

/* A transaction of which no more was seen than that there was one, or that something was asked outside of any. */
static bool says_nothing(const struct transcript *t, const struct record *holed)
{
	if (strcmp(field_value(holed, "outcome"), "unknown") != 0)
		return false;
	return has_envelope_inside(t) || (!field_value(holed, "mail_from") && !field_value(holed, "message_id")
					  && (!field_value(holed, "rcpt") || t->full.count == 1));
}

static void check_transaction(const struct transcript *t, const char *how, const struct record *holed)
{
	const struct field *misfit = NULL;
	struct buf said = { 0 };
	struct view one = { .record = &(struct record){ 0 }, .count = 1 };

	for (size_t i = 0; i < t->full.count; i++) {
		if (t->full.record[i].is_session)
			continue;
		const struct field *f = first_misfit(holed, &t->full.record[i]);
		if (!f)
			return;
		/* the field to show: the one that got furthest */
		if (!misfit || f > misfit)
			misfit = f;
	}
	if (says_nothing(t, holed))
		return;
	*one.record = *holed;
	view_print(&said, &one, true);
	fail_text(t, misfit ? misfit->key : "a transaction out of nothing", how, buf_cstr(&said), t->expected);
	buf_fini(&said);
}

/* A session may say less; refused or encrypted it must be only when it was. */
static void check_session(const struct transcript *t, const char *how, const struct record *holed)
{
	static const char *const proofs[] = { "refused-banner", "refused-helo", "encrypted", "not-smtp", NULL };
	const char *full = field_value(&t->full.record[t->full.count - 1], "session"), *said = field_value(holed, "session");

	if (is_one_of(said, proofs) && strcmp(said, full) != 0)
		fail_text(t, "session outcome", how, said, full);
}

static void check_lossy(const struct transcript *t, const struct script *lossy, const char *how)
{
	struct buf said = { 0 };
	struct view v;

	view_of(lossy, &(struct manner){ 0 }, &v);
	assert_true(v.count > 0 && v.record[v.count - 1].is_session);
	for (size_t i = 0; i < v.count; i++)
		if (v.record[i].is_session)
			check_session(t, how, &v.record[i]);
		else
			check_transaction(t, how, &v.record[i]);
	view_print(&said, &v, true);
	check_secrets(t, how, buf_cstr(&said));
	buf_fini(&said);
	view_fini(&v);
}

static void describe(const struct loss *l, char *how, size_t size)
{
	static const char *const holes[] = { "byte", "line", "segment", "segment of unknown size", "side", "both sides" };

	snprintf(how, size, "segment %zu offset %zu %s lost", l->part, l->at, holes[l->hole]);
}

/* A hole anywhere in what is left; false when nothing is. */
static bool random_loss(const struct script *s, uint64_t *state, struct loss *l)
{
	if (s->count == 0)
		return false;
	l->part = chance_next(state) % s->count;
	if (s->part[l->part].bytes.len == 0)
		return false;
	l->at = chance_next(state) % s->part[l->part].bytes.len;
	l->hole = (enum hole)(chance_next(state) % HOLE_COUNT);
	return true;
}

/* That hole, then that and another one. */
static void check_hole(const struct transcript *t, const struct loss *first, uint64_t *state)
{
	char how[256];
	struct script once, twice;
	struct loss second;

	describe(first, how, 100);
	script_lose(&t->script, first, &once);
	check_lossy(t, &once, how);
	if (random_loss(&once, state, &second)) {
		script_lose(&once, &second, &twice);
		strcat(how, ", ");
		describe(&second, how + strlen(how), sizeof how - strlen(how));
		check_lossy(t, &twice, how);
		script_fini(&twice);
	}
	script_fini(&once);
}

static void check_holes(const struct transcript *t)
{
	uint64_t state = seed;
	struct loss l;

	for (l.part = 0; l.part < t->script.count; l.part++)
		for (l.at = 0; l.at < t->script.part[l.part].bytes.len; l.at += stride(&t->script.part[l.part]))
			for (unsigned hole = 0; hole < HOLE_COUNT; hole++) {
				l.hole = (enum hole)hole;
				if (all_holes || chance_next(&state) % 10 == 0)
					check_hole(t, &l, &state);
			}
}

static void test_transcript(void **state)
{
	struct transcript *t = *state;

	check_views(t);
	check_delays(t);
	if (!t->script.whole)
		check_holes(t);
}

static int is_transcript(const struct dirent *e)
{
	const char *only = getenv("BOUNCETAP_ONLY"), *dot = strrchr(e->d_name, '.');

	return dot && strcmp(dot, ".smtp") == 0 && (!only || strstr(e->d_name, only));
}

static void read_environment(void)
{
	const char *text = getenv("BOUNCETAP_SEED"), *all = getenv("BOUNCETAP_ALL");
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = text ? strtoull(text, NULL, 10) : (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	all_holes = all && strcmp(all, "1") == 0;
}

int main(void)
{
	char *folder = getenv("BOUNCETAP_TRANSCRIPTS");
	struct dirent **entry = NULL;

	read_environment();
	folder = xstrdup(folder ? folder : "tests/transcripts");
	int n = scandir(folder, &entry, is_transcript, alphasort);
	if (n <= 0) {
		print_error("transcripts: no *.smtp in %s (BOUNCETAP_TRANSCRIPTS names the folder)\n", folder);
		return 1;
	}
	struct CMUnitTest *test = xcalloc((size_t)n, sizeof *test);
	struct transcript *t = xcalloc((size_t)n, sizeof *t);
	for (int i = 0; i < n; i++) {
		t[i].name = xstrndup(entry[i]->d_name, strlen(entry[i]->d_name) - strlen(".smtp"));
		t[i].folder = folder;
		test[i] = (struct CMUnitTest){ t[i].name, test_transcript, setup, teardown, &t[i] };
		free(entry[i]);
	}
	free(entry);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	printf("# seed %" PRIu64 "%s\n", seed, all_holes ? ", all holes" : ", a tenth of the holes");
	int failed = _cmocka_run_group_tests("transcripts", test, (size_t)n, NULL, NULL);
	for (int i = 0; i < n; i++)
		free(t[i].name);
	free(t);
	free(test);
	free(folder);
	return failed;
}
