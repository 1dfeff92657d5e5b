/*
 * damage.c - capture files cut off at every byte, and with bits flipped, through the whole sensor up to the rows of the store.
 *
 *   damage [-c STEP] [-o OFFSET] [-f FLIPS] [-s SEED] FILE...     each STEPth cut (1) from OFFSET (0) on, FLIPS damaged copies of each file (0)
 *
 * No crash is what the sanitizers see. Here: no run takes longer than a second, each frame that was read is counted once, what the sink got is
 * what the totals say, and a file that was cut off inside a record is called that. One line a file; exit 1 at the first that is wrong.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/xmalloc.h"
#include "sensor/capture.h"
#include "sensor/pipeline.h"
#include "sensor/row.h"
#include "tests/chance.h"

#define HANG_NS 1000000000u

struct seen {
	struct row_encoder encoder;
	struct buf rows;
	uint64_t sessions, transactions;
};

struct result {
	struct pipeline_totals totals;
	uint64_t frames, ns;
	bool opened, problem;
};

static const char *file;	/* at hand */
static const char *how;

static void fail(const char *what)
{
	printf("%s, %s: %s\n", file, how, what);
	exit(1);
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- one run ---- */

static void on_transaction(void *arg, const struct fact_transaction *t)
{
	struct seen *s = arg;

	s->transactions++;
	row_transaction(&s->encoder, &s->rows, t);
	buf_clear(&s->rows);
}

static void on_session(void *arg, const struct fact_session *f)
{
	struct seen *s = arg;

	s->sessions++;
	row_session(&s->encoder, &s->rows, f);
	buf_clear(&s->rows);
}

static struct pipeline *start(const struct fact_sink *sink)
{
	static const unsigned short ports[] = { 25, 465, 587, 2525, 24 };
	static const char *const interfaces[] = { "file" };
	struct pipeline_options o = { .ports = ports, .port_count = sizeof ports / sizeof *ports, .workers = 1, .memory_bytes = 16 * 1024 * 1024,
				      .hash_key = { { 1, 2 } }, .interfaces = interfaces, .interface_count = 1 };

	return pipeline_new(&o, sink);
}

/* Totals and sink after each other; the counters of what became of the frames cover all of them. */
static void check(const struct result *r, const struct seen *s)
{
	uint64_t decoded = 0;

	for (unsigned i = 0; i < DECODE_RESULTS; i++)
		decoded += r->totals.decoded[i];
	if (r->frames != r->totals.frames || decoded != r->totals.frames)
		fail("a frame is not counted, or twice");
	if (s->sessions != r->totals.sessions || s->transactions != r->totals.transactions)
		fail("a fact is not counted, or twice");
	if (r->ns > HANG_NS)
		fail("it took longer than a second");
}

static struct result run(const char *path)
{
	struct seen s = { .encoder = { .privacy = PRIVACY_FULL, .subject = SUBJECT_ALL } };
	struct fact_sink sink = { .transaction = on_transaction, .session = on_session, .arg = &s };
	struct result r = { .ns = cpu_ns() };
	struct capture_frame frame;
	char error[1024];
	int code;

	struct capture *c = capture_open_files(&path, 1, NULL, error, sizeof error, &code);
	r.opened = c;
	if (c) {
		struct pipeline *p = start(&sink);

		while (capture_next(c, &frame) == 1) {
			r.frames++;
			pipeline_frame(p, &frame);
		}
		pipeline_finish(p, &r.totals);
		r.problem = capture_problem(c);
		capture_close(c);
	}
	r.ns = cpu_ns() - r.ns;
	check(&r, &s);
	buf_fini(&s.rows);
	buf_fini(&s.encoder.text);
	buf_fini(&s.encoder.clean);
	return r;
}

/* ---- damage ---- */

static uint32_t read32(const uint8_t *p, bool swapped)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return swapped ? __builtin_bswap32(v) : v;
}

/* Length of what stands at p of a file that begins with magic: its header, a record of pcap, a block of pcapng. */
static size_t unit_bytes(uint32_t magic, const uint8_t *p, size_t left, bool first)
{
	bool swapped = magic == 0xd4c3b2a1 || magic == 0x4d3cb2a1;

	if (magic == 0x0a0d0d0a)
		return left >= 8 ? read32(p + 4, false) : left;
	if (first)
		return 24;
	return left >= 16 ? 16 + read32(p + 8, swapped) : left;
}

static int write_file(const uint8_t *bytes, size_t n)
{
	int fd = memfd_create("damage", 0);

	if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
		fail("no file in memory");
	return fd;
}

/* Each prefix, longer by a byte from one to the next. */
static size_t cut(const uint8_t *bytes, size_t n, size_t step, size_t offset, uint64_t *slowest)
{
	uint32_t magic = read32(bytes, false);
	size_t next_unit = 0, runs = 0;
	int fd = write_file(bytes, 0);
	char *path = xasprintf("/proc/self/fd/%d", fd), place[64];

	how = place;
	for (size_t k = 0; k < n; k++) {
		bool whole = k == next_unit;

		if (whole)
			next_unit += unit_bytes(magic, bytes + k, n - k, k == 0);
		if (k % step == offset || (whole && step > 1 && n < 100 * step)) {
			snprintf(place, sizeof place, "cut off at byte %zu", k);
			struct result r = run(path);

			runs++;
			*slowest = r.ns > *slowest ? r.ns : *slowest;
			if (r.opened && r.problem == whole)
				fail(whole ? "nothing is cut off, and something is said to be" : "nothing is said of what was cut off");
		}
		if (pwrite(fd, bytes + k, 1, (off_t)k) != 1)
			fail("no file in memory");
	}
	free(path);
	close(fd);
	return runs;
}

/* A copy with one to eight bits of it flipped. */
static void flip(const uint8_t *bytes, size_t n, uint64_t *state, uint64_t *slowest)
{
	uint8_t *copy = xmalloc(n);
	char *path, place[96];
	int said = snprintf(place, sizeof place, "bits flipped:");

	memcpy(copy, bytes, n);
	for (uint64_t k = chance_next(state) % 8 + 1; k; k--) {
		uint64_t bit = chance_next(state) % (n * 8);

		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		said += snprintf(place + said, sizeof place - (size_t)said, " %llu", (unsigned long long)bit);
	}
	int fd = write_file(copy, n);
	path = xasprintf("/proc/self/fd/%d", fd);
	how = place;
	struct result r = run(path);
	*slowest = r.ns > *slowest ? r.ns : *slowest;
	free(path);
	free(copy);
	close(fd);
}

static uint8_t *read_file(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	struct buf b = { 0 };
	char chunk[65536];
	size_t k;

	if (!f)
		fail("it cannot be read");
	while ((k = fread(chunk, 1, sizeof chunk, f)) > 0)
		buf_add(&b, chunk, k);
	fclose(f);
	*n = b.len;
	return (uint8_t *)b.p;
}

static void damage(const char *path, size_t step, size_t offset, uint64_t flips, uint64_t seed)
{
	uint64_t state = seed, slowest = 0;
	size_t n, cuts = 0;

	file = path;
	how = "as it is";
	uint8_t *bytes = read_file(path, &n);
	struct result r = run(path);
	if (!r.opened || r.problem || r.frames == 0)
		fail("it is not whole");
	if (step)
		cuts = cut(bytes, n, step, offset, &slowest);
	for (uint64_t i = 0; i < flips; i++)
		flip(bytes, n, &state, &slowest);
	printf("%s: %zu bytes, %llu frames, %llu mails; cut off %zu times, damaged %llu times, slowest %.0f ms\n", path, n,
	       (unsigned long long)r.frames, (unsigned long long)r.totals.transactions, cuts, (unsigned long long)flips, (double)slowest / 1e6);
	fflush(stdout);
	free(bytes);
}

int main(int argc, char **argv)
{
	unsigned long step = 1, offset = 0, flips = 0, seed = 1;
	int key;

	while ((key = getopt(argc, argv, "c:o:f:s:")) != -1) {
		if (key == '?')
			return 64;
		*(key == 'c' ? &step : key == 'o' ? &offset : key == 'f' ? &flips : &seed) = strtoul(optarg, NULL, 10);
	}
	for (int i = optind; i < argc; i++)
		damage(argv[i], step, offset, flips, seed);
	return 0;
}
