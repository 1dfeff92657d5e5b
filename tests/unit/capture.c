/*
 * Unit tests of capture.c. Capture files are built byte by byte below, written into a temporary directory, and read from there
 * or through a pipe. Where libpcap can read the same file it is the judge of the own record walk.
 */
#include "sensor/capture.c"

#include <setjmp.h>
#include <sys/wait.h>

#include <cmocka.h>

struct bytes {
	uint8_t *p;
	size_t n;
	bool big_endian;
};

static void put(struct bytes *b, const void *p, size_t n)
{
	b->p = realloc(b->p, b->n + n + 1);
	assert_non_null(b->p);
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
}

static void put32(struct bytes *b, uint32_t v)
{
	uint8_t le[] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };
	uint8_t be[] = { le[3], le[2], le[1], le[0] };

	put(b, b->big_endian ? be : le, 4);
}

static void put16(struct bytes *b, unsigned v)
{
	uint8_t le[] = { (uint8_t)v, (uint8_t)(v >> 8) }, be[] = { le[1], le[0] };

	put(b, b->big_endian ? be : le, 2);
}

static void put_fill(struct bytes *b, uint8_t value, size_t n)
{
	uint8_t *p = malloc(n + 1);

	memset(p, value, n);
	put(b, p, n);
	free(p);
}

enum { MICRO = (int)0xa1b2c3d4, NANO = (int)0xa1b23c4d };

static void put_header_of(struct bytes *b, int magic, uint32_t linktype, uint32_t snaplen)
{
	put32(b, (uint32_t)magic);
	put16(b, 2);
	put16(b, 4);
	put32(b, 0);
	put32(b, 0);
	put32(b, snaplen);
	put32(b, linktype);
}

static void put_header(struct bytes *b)
{
	put_header_of(b, MICRO, 1, 262144);
}

static void put_record(struct bytes *b, uint32_t seconds, uint32_t fraction, uint32_t captured, uint32_t length)
{
	put32(b, seconds);
	put32(b, fraction);
	put32(b, captured);
	put32(b, length);
	put_fill(b, (uint8_t)(seconds + captured), captured);
}

/* pcapng: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html */
static void put_block(struct bytes *b, uint32_t type, const struct bytes *body)
{
	size_t padded = (body->n + 3) / 4 * 4;

	put32(b, type);
	put32(b, (uint32_t)padded + 12);
	put(b, body->p, body->n);
	put_fill(b, 0, padded - body->n);
	put32(b, (uint32_t)padded + 12);
	free(body->p);
}

static void put_section(struct bytes *b)
{
	struct bytes body = { .big_endian = b->big_endian };

	put32(&body, 0x1a2b3c4d);
	put16(&body, 1);
	put16(&body, 0);
	put_fill(&body, 0xff, 8);
	put_block(b, 0x0a0d0d0a, &body);
}

/* resolution: if_tsresol, offset: seconds, if_tsoffset */
static void put_interface(struct bytes *b, unsigned linktype, uint32_t snaplen, uint8_t resolution, int64_t offset)
{
	struct bytes body = { .big_endian = b->big_endian };

	put16(&body, linktype);
	put16(&body, 0);
	put32(&body, snaplen);
	put16(&body, 9);
	put16(&body, 1);
	put(&body, (uint8_t[]){ resolution, 0, 0, 0 }, 4);
	put16(&body, 14);
	put16(&body, 8);
	put32(&body, (uint32_t)(b->big_endian ? (uint64_t)offset >> 32 : (uint64_t)offset));
	put32(&body, (uint32_t)(b->big_endian ? (uint64_t)offset : (uint64_t)offset >> 32));
	put32(&body, 0);
	put_block(b, 1, &body);
}

static void put_enhanced(struct bytes *b, uint64_t units, uint32_t captured, uint32_t length)
{
	struct bytes body = { .big_endian = b->big_endian };

	put32(&body, 0);
	put32(&body, (uint32_t)(units >> 32));
	put32(&body, (uint32_t)units);
	put32(&body, captured);
	put32(&body, length);
	put_fill(&body, 0x55, captured);
	put_block(b, 6, &body);
}

static void put_simple(struct bytes *b, uint32_t length)
{
	struct bytes body = { .big_endian = b->big_endian };

	put32(&body, length);
	put_fill(&body, 0x66, length);
	put_block(b, 3, &body);
}

static char directory[] = "/tmp/bouncetap-capture-XXXXXX";

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	char *command = xasprintf("rm -rf %s", directory);
	int r = system(command);

	(void)state;
	free(command);
	return r;
}

/* A static path of a file of this content; the i-th of a few that a test needs at once. */
static const char *write_file(int i, const struct bytes *b, size_t n)
{
	static char paths[4][64];

	snprintf(paths[i], sizeof paths[i], "%s/%d.pcap", directory, i);
	FILE *f = fopen(paths[i], "w");
	assert_non_null(f);
	assert_int_equal(fwrite(b->p, 1, n, f), n);
	fclose(f);
	return paths[i];
}

/* The reading end of a pipe into which a child writes b, step bytes at a time. */
static int open_pipe(const struct bytes *b, size_t step)
{
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	if (fork() == 0) {
		close(fd[0]);
		for (size_t i = 0; i < b->n; i += step)
			if (write(fd[1], b->p + i, b->n - i < step ? b->n - i : step) < 0)
				break;
		_exit(0);
	}
	close(fd[1]);
	return fd[0];
}

static struct capture *open_pipe_as_stdin(const struct bytes *b, size_t step)
{
	const char *const paths[] = { "-" };
	char error[512] = "";
	int fd = open_pipe(b, step), code;

	dup2(fd, STDIN_FILENO);
	close(fd);
	struct capture *c = capture_open_files(paths, 1, NULL, error, sizeof error, &code);
	assert_string_equal(error, "");
	return c;
}

static void close_pipe(struct capture *c)
{
	capture_close(c);
	close(STDIN_FILENO);
	open("/dev/null", O_RDONLY);
	while (wait(NULL) > 0)
		;
}

static struct capture *open_one(const char *path)
{
	char error[512] = "";
	int code;
	struct capture *c = capture_open_files(&path, 1, NULL, error, sizeof error, &code);

	assert_string_equal(error, "");
	return c;
}

static void assert_next(struct capture *c, uint64_t time_us, uint32_t captured, uint32_t length)
{
	struct capture_frame f;

	assert_int_equal(capture_next(c, &f), 1);
	assert_int_equal(f.time_us, time_us);
	assert_int_equal(f.captured, captured);
	assert_int_equal(f.length, length);
	for (uint32_t i = 1; i < captured; i++)
		assert_int_equal(f.bytes[i], f.bytes[0]);
}

static void assert_end(struct capture *c, const char *problem)
{
	struct capture_frame f;

	for (int i = 0; i < 3; i++)
		assert_int_equal(capture_next(c, &f), 0);
	if (!problem)
		assert_null(capture_problem(c));
	else if (!capture_problem(c) || !strstr(capture_problem(c), problem))
		fail_msg("problem is \"%s\", not \"%s\"", capture_problem(c) ? capture_problem(c) : "(none)", problem);
}

static void refused(const char *path, const char *filter, int want_code, const char *want)
{
	char error[512] = "";
	int code = 0;

	assert_null(capture_open_files(&path, 1, filter, error, sizeof error, &code));
	if (!strstr(error, want))
		fail_msg("error is \"%s\", not \"%s\"", error, want);
	assert_int_equal(code, want_code);
}

static void both_byte_orders_and_precisions_give_the_same_frames(void **state)
{
	(void)state;
	for (int variant = 0; variant < 8; variant++) {
		struct bytes b = { .big_endian = variant & 1 };
		bool nano = variant & 2, pipe = variant & 4;

		put_header_of(&b, nano ? NANO : MICRO, 1, 65535);
		put_record(&b, 1700000000, nano ? 123456789 : 123456, 60, 1514);
		put_record(&b, 1700000001, nano ? 999999999 : 999999, 61, 61);
		struct capture *c = pipe ? open_pipe_as_stdin(&b, 4096) : open_one(write_file(0, &b, b.n));
		assert_next(c, 1700000000123456, 60, 1514);
		assert_next(c, 1700000001999999, 61, 61);
		assert_end(c, NULL);
		close_pipe(c);
		free(b.p);
	}
}

static void empty_capture_is_fine(void **state)
{
	struct bytes b = { 0 };

	(void)state;
	put_header(&b);
	struct capture *c = open_one(write_file(0, &b, b.n));
	assert_end(c, NULL);
	capture_close(c);
	free(b.p);
}

static void odd_lengths_are_kept(void **state)
{
	struct bytes b = { 0 };

	(void)state;
	put_header_of(&b, MICRO, 1, 100);
	put_record(&b, 1, 0, 0, 60);
	put_record(&b, 2, 0, 200, 200);		/* above the snapshot length of the header */
	put_record(&b, 3, 0, 60, 40);		/* more here than on the wire */
	put_record(&b, 4, 0, 262144, 262144);	/* the largest */
	struct capture *c = open_one(write_file(0, &b, b.n));
	assert_next(c, 1000000, 0, 60);
	assert_next(c, 2000000, 200, 200);
	assert_next(c, 3000000, 60, 40);
	assert_next(c, 4000000, 262144, 262144);
	assert_end(c, NULL);
	capture_close(c);
	free(b.p);
}

static void records_across_blocks_are_whole(void **state)
{
	struct bytes b = { 0 };
	uint32_t seed = 1, sizes[3000];

	(void)state;
	put_header(&b);
	for (uint32_t i = 0; i < 3000; i++) {
		seed = seed * 1103515245 + 12345;
		sizes[i] = seed >> 16 & (i % 100 ? 2047 : 65535);
		put_record(&b, i, 0, sizes[i], sizes[i]);
	}
	assert_true(b.n > 4 * BLOCK_BYTES);
	for (int pipe = 0; pipe < 2; pipe++) {
		struct capture *c = pipe ? open_pipe_as_stdin(&b, 1000) : open_one(write_file(0, &b, b.n));

		for (uint32_t i = 0; i < 3000; i++)
			assert_next(c, i * 1000000ull, sizes[i], sizes[i]);
		assert_end(c, NULL);
		assert_int_equal(capture_bytes_read(c), b.n);
		assert_int_equal(capture_bytes_total(c), pipe ? 0 : b.n);
		close_pipe(c);
	}
	free(b.p);
}

/* How many packets libpcap reads from it; -1 when it does not open, *damaged when it ends in an error. */
static int count_with_libpcap(const char *path, bool *damaged)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path, error);
	struct pcap_pkthdr *h;
	const u_char *bytes;
	int n = 0, r;

	if (!p)
		return -1;
	while ((r = pcap_next_ex(p, &h, &bytes)) == 1)
		n++;
	*damaged = r == PCAP_ERROR;
	pcap_close(p);
	return n;
}

static int count_with_capture(const char *path, bool *damaged)
{
	char error[512];
	int code, n = 0;
	struct capture *c = capture_open_files(&path, 1, NULL, error, sizeof error, &code);
	struct capture_frame f;

	if (!c)
		return -1;
	while (capture_next(c, &f))
		n++;
	*damaged = capture_problem(c);
	capture_close(c);
	return n;
}

static void assert_like_libpcap(const char *path)
{
	bool damaged = false, expected = false;

	assert_int_equal(count_with_capture(path, &damaged), count_with_libpcap(path, &expected));
	assert_int_equal(damaged, expected);
}

static void cut_at_every_byte_gives_what_is_readable(void **state)
{
	struct bytes b = { 0 };

	(void)state;
	put_header(&b);
	for (uint32_t i = 0; i < 4; i++)
		put_record(&b, i, 0, 10 * i, 60);
	for (size_t n = 0; n <= b.n; n++)
		assert_like_libpcap(write_file(0, &b, n));
	free(b.p);
}

static void damaged_at_every_byte_reads_like_libpcap(void **state)
{
	static const uint8_t values[] = { 0, 1, 4, 0x7f, 0x80, 0xff };
	struct bytes b = { 0 };

	(void)state;
	put_header(&b);
	for (uint32_t i = 0; i < 3; i++)
		put_record(&b, i, 0, 20, 60);
	for (size_t at = 0; at < b.n; at++)
		for (size_t i = 0; i < sizeof values; i++) {
			/* Other link types are refused here, known or not to libpcap. */
			if (at >= 20 && at < 24)
				continue;
			uint8_t was = b.p[at];

			b.p[at] = values[i];
			assert_like_libpcap(write_file(0, &b, b.n));
			b.p[at] = was;
		}
	free(b.p);
}

static void cut_file_says_after_how_many_packets(void **state)
{
	struct bytes b = { 0 };

	(void)state;
	put_header(&b);
	put_record(&b, 1, 0, 60, 60);
	put_record(&b, 2, 0, 60, 60);
	struct capture *c = open_one(write_file(0, &b, b.n - 1));
	assert_next(c, 1000000, 60, 60);
	assert_end(c, "/0.pcap: cut off after 1 packets; what was read is used");
	capture_close(c);
	c = open_one(write_file(0, &b, 30));
	assert_end(c, "cut off after 0 packets");
	capture_close(c);
	b.n--;
	c = open_pipe_as_stdin(&b, 7);
	assert_next(c, 1000000, 60, 60);
	assert_end(c, "standard input: cut off after 1 packets");
	close_pipe(c);
	b.n = 30;
	c = open_pipe_as_stdin(&b, 7);
	assert_end(c, "standard input: cut off after 0 packets");
	close_pipe(c);
	free(b.p);
}

static void impossible_record_length_ends_the_file(void **state)
{
	static const uint32_t lengths[] = { 262145, 0x7fffffff, 0x80000000, 0xffffffff };

	(void)state;
	for (int i = 0; i < 8; i++) {
		struct bytes b = { .big_endian = i & 1 };

		put_header(&b);
		put_record(&b, 1, 0, 60, 60);
		put32(&b, 2);
		put32(&b, 0);
		put32(&b, lengths[i / 2]);
		put32(&b, 60);
		put_fill(&b, 0, 1000);
		struct capture *c = open_one(write_file(0, &b, b.n));
		assert_next(c, 1000000, 60, 60);
		assert_end(c, "damaged after 1 packets (a record with an impossible length); what was read is used");
		capture_close(c);
		free(b.p);
	}
}

static void old_versions_are_left_to_libpcap(void **state)
{
	struct bytes b = { 0 };

	(void)state;
	put_header(&b);
	b.p[6] = 2;	/* 2.2: the length on the wire came first */
	put32(&b, 7);
	put32(&b, 8);
	put32(&b, 1500);
	put32(&b, 60);
	put_fill(&b, 1, 60);
	struct capture *c = open_one(write_file(0, &b, b.n));
	assert_next(c, 7000008, 60, 1500);
	assert_end(c, NULL);
	capture_close(c);
	free(b.p);
}

static void pcapng_of_both_byte_orders_is_read(void **state)
{
	(void)state;
	for (int variant = 0; variant < 4; variant++) {
		struct bytes b = { .big_endian = variant & 1 };

		put_section(&b);
		put_interface(&b, 1, 262144, 9, 0);
		put_enhanced(&b, 1700000000123456789, 61, 1514);
		put_simple(&b, 33);
		put_enhanced(&b, 1700000001000000999, 0, 0);
		struct capture *c = variant & 2 ? open_pipe_as_stdin(&b, 13) : open_one(write_file(0, &b, b.n));
		assert_next(c, 1700000000123456, 61, 1514);
		assert_next(c, 0, 33, 33);	/* a simple packet has no time */
		assert_next(c, 1700000001000000, 0, 0);
		assert_end(c, NULL);
		close_pipe(c);
		free(b.p);
	}
}

static void pcapng_cut_at_every_byte_gives_what_is_readable(void **state)
{
	struct bytes b = { 0 };

	(void)state;
	put_section(&b);
	put_interface(&b, 1, 262144, 6, 0);
	for (uint32_t i = 0; i < 3; i++)
		put_enhanced(&b, i, 10 * i, 60);
	for (size_t n = 0; n <= b.n; n++)
		assert_like_libpcap(write_file(0, &b, n));
	free(b.p);
}

static void pcapng_through_a_pipe_keeps_its_damage(void **state)
{
	struct bytes b = { 0 };

	(void)state;
	put_section(&b);
	put_interface(&b, 1, 262144, 6, 0);
	put_enhanced(&b, 5, 60, 60);
	b.n -= 10;
	struct capture *c = open_pipe_as_stdin(&b, 1000);
	assert_end(c, "standard input: cut off after 0 packets");
	close_pipe(c);
	free(b.p);
}

static void pcapng_interfaces_that_differ_are_explained(void **state)
{
	static const struct {
		unsigned linktype;
		uint32_t snaplen;
		const char *want;
	} cases[] = {
		{ 1, 65535, "different snapshot lengths, which libpcap cannot read; \"editcap -F pcap " },
		{ 113, 262144, "different link types, which libpcap cannot read; capture each interface" },
	};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct bytes b = { 0 };

		put_section(&b);
		put_interface(&b, 1, 262144, 6, 0);
		put_enhanced(&b, 5, 60, 60);
		put_interface(&b, cases[i].linktype, cases[i].snaplen, 6, 0);
		put_enhanced(&b, 6, 60, 60);
		struct capture *c = open_one(write_file(0, &b, b.n));
		assert_next(c, 5, 60, 60);
		assert_end(c, cases[i].want);
		capture_close(c);
		free(b.p);
	}
}

static void absurd_times_do_not_overflow(void **state)
{
	static const struct {
		uint8_t resolution;
		int64_t offset;
		uint64_t units, want;
	} cases[] = {
		{ 6, -100, 5, 0 },
		{ 0, 0, UINT64_MAX, 0 },	/* more seconds than time_t has: negative */
		{ 0, 0, INT64_MAX, TIME_MAX_S * 1000000ull },
		{ 6, INT64_MAX, 999999, TIME_MAX_S * 1000000ull + 999999 },
		{ 6, INT64_MIN, 7, 0 },
		{ 6, TIME_MAX_S, 0, TIME_MAX_S * 1000000ull },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bytes b = { 0 };

		put_section(&b);
		put_interface(&b, 1, 262144, cases[i].resolution, cases[i].offset);
		put_enhanced(&b, cases[i].units, 60, 60);
		struct capture *c = open_one(write_file(0, &b, b.n));
		assert_next(c, cases[i].want, 60, 60);
		capture_close(c);
		free(b.p);
	}
}

static void binary_resolutions_do_not_overflow(void **state)
{
	(void)state;
	for (unsigned resolution = 0; resolution < 256; resolution++) {
		struct bytes b = { 0 };
		bool damaged;

		put_section(&b);
		put_interface(&b, 1, 262144, (uint8_t)resolution, 0);
		put_enhanced(&b, UINT64_MAX - 1, 60, 60);
		int n = count_with_capture(write_file(0, &b, b.n), &damaged);
		assert_true(n == 1 || n == -1);
		free(b.p);
	}
}

static void seconds_are_unsigned_until_2106(void **state)
{
	struct bytes b = { 0 };

	(void)state;
	put_header(&b);
	put_record(&b, 0xffffffff, 0xffffffff, 60, 60);
	struct capture *c = open_one(write_file(0, &b, b.n));
	assert_next(c, 4294967295ull * 1000000 + 4294967295ull, 60, 60);
	capture_close(c);
	free(b.p);
}

static const char *write_one_packet(int i, uint32_t seconds, size_t cut)
{
	struct bytes b = { 0 };

	put_header(&b);
	put_record(&b, seconds, 0, 60, 60);
	const char *path = write_file(i, &b, b.n - cut);
	free(b.p);
	return path;
}

static void files_are_read_in_the_order_of_their_first_packet(void **state)
{
	struct bytes empty = { 0 };
	char error[512];
	int code;

	(void)state;
	put_header(&empty);
	const char *const paths[] = { write_file(0, &empty, empty.n), write_one_packet(1, 30, 0), write_one_packet(2, 10, 0),
				      write_one_packet(3, 10, 0) };
	struct capture *c = capture_open_files(paths, 4, NULL, error, sizeof error, &code);
	assert_string_equal(capture_paths(c)[0], paths[2]);
	assert_string_equal(capture_paths(c)[1], paths[3]);
	assert_string_equal(capture_paths(c)[2], paths[1]);
	assert_string_equal(capture_paths(c)[3], paths[0]);
	assert_null(capture_paths(c)[4]);
	assert_int_equal(capture_bytes_read(c), 0);
	assert_string_equal(capture_current_file(c), paths[2]);
	assert_next(c, 10000000, 60, 60);
	assert_next(c, 10000000, 60, 60);
	assert_string_equal(capture_current_file(c), paths[3]);
	assert_next(c, 30000000, 60, 60);
	assert_end(c, NULL);
	assert_int_equal(capture_bytes_read(c), capture_bytes_total(c));
	capture_close(c);
	free(empty.p);
}

static void stdin_goes_where_its_first_packet_says(void **state)
{
	struct bytes b = { 0 };
	char error[512];
	int code;

	(void)state;
	put_header(&b);
	put_record(&b, 20, 0, 50, 50);
	put_record(&b, 21, 0, 51, 51);
	int fd = open_pipe(&b, 5);
	dup2(fd, STDIN_FILENO);
	close(fd);
	const char *const paths[] = { "-", write_one_packet(1, 30, 0), write_one_packet(2, 10, 0) };
	struct capture *c = capture_open_files(paths, 3, NULL, error, sizeof error, &code);
	assert_next(c, 10000000, 60, 60);
	assert_next(c, 20000000, 50, 50);
	assert_string_equal(capture_current_file(c), "-");
	assert_next(c, 21000000, 51, 51);
	assert_next(c, 30000000, 60, 60);
	assert_end(c, NULL);
	assert_int_equal(capture_bytes_total(c), 0);
	close_pipe(c);
	free(b.p);
}

static void stdin_may_be_a_file(void **state)
{
	(void)state;
	int fd = open(write_one_packet(0, 10, 0), O_RDONLY);

	dup2(fd, STDIN_FILENO);
	close(fd);
	struct capture *c = open_one("-");
	assert_next(c, 10000000, 60, 60);
	assert_end(c, NULL);
	close_pipe(c);
}

static void damaged_file_does_not_end_the_capture(void **state)
{
	char error[512];
	int code;

	(void)state;
	const char *const paths[] = { write_one_packet(0, 10, 1), write_one_packet(1, 20, 0), write_one_packet(2, 30, 1) };
	struct capture *c = capture_open_files(paths, 3, NULL, error, sizeof error, &code);
	assert_next(c, 20000000, 60, 60);
	assert_end(c, "/0.pcap: cut off after 0 packets; what was read is used\n");
	assert_non_null(strstr(capture_problem(c), "/2.pcap: cut off after 0 packets"));
	assert_null(strstr(capture_problem(c), "/1.pcap"));
	capture_close(c);
}

static void more_files_than_descriptors_are_read(void **state)
{
	enum { N = 1500 };
	const char *paths[N];
	char error[512];
	int code;
	struct rlimit limit;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < N + 256)
		limit.rlim_cur = limit.rlim_max;
	else
		limit.rlim_cur = 256;
	setrlimit(RLIMIT_NOFILE, &limit);
	size_t count = limit.rlim_max < N + 256 ? 100 : N;
	for (size_t i = 0; i < count; i++)
		paths[i] = write_one_packet(0, 10, 0);
	struct capture *c = capture_open_files(paths, count, NULL, error, sizeof error, &code);
	assert_non_null(c);
	for (size_t i = 0; i < count; i++)
		assert_next(c, 10000000, 60, 60);
	assert_end(c, NULL);
	capture_close(c);
}

static void filter_lets_pass_what_it_names(void **state)
{
	struct bytes b = { 0 };
	char error[512];
	int code;

	(void)state;
	put_header(&b);
	put_record(&b, 1, 0, 60, 60);
	put_record(&b, 2, 0, 80, 80);
	put_record(&b, 3, 0, 60, 60);
	put_record(&b, 4, 0, 90, 90);
	const char *path = write_file(0, &b, b.n - 1);
	struct capture *c = capture_open_files(&path, 1, "greater 70", error, sizeof error, &code);
	assert_next(c, 2000000, 80, 80);
	assert_end(c, "cut off after 3 packets");
	capture_close(c);
	free(b.p);
}

static void first_packet_counts_even_if_filtered_out(void **state)
{
	struct bytes b = { 0 };
	char error[512];
	int code;

	(void)state;
	put_header(&b);
	put_record(&b, 5, 0, 40, 40);
	put_record(&b, 15, 0, 80, 80);
	const char *const paths[] = { write_one_packet(1, 10, 0), write_file(0, &b, b.n) };
	struct capture *c = capture_open_files(paths, 2, "greater 50", error, sizeof error, &code);
	assert_next(c, 15000000, 80, 80);
	assert_next(c, 10000000, 60, 60);
	assert_end(c, NULL);
	capture_close(c);
	free(b.p);
}

static void what_cannot_be_opened_says_what_would_help(void **state)
{
	static const struct {
		const char *content;
		size_t n;
		const char *want;
	} cases[] = {
		{ "", 0, "empty, without even a file header" },
		{ "\x1f\x8b\x08\x08 and so on", 12, "compressed with gzip; decompress it first: zcat /tmp/" },
		{ "\x28\xb5\x2f\xfd....", 8, "compressed with zstd; decompress it first: zstdcat /tmp/" },
		{ "\xfd""7zXZ", 6, "compressed with xz" },
		{ "BZh91AY", 7, "compressed with bzip2" },
		{ "From: someone\n\n", 15, "not a capture file (pcap or pcapng)" },
		{ "ab", 2, "cut off inside its file header" },
		{ "\xd4\xc3\xb2\xa1\2\0\4\0", 8, "cut off inside its file header" },
		{ "\n\r\r\n\x1c\0\0\0\x4d\x3c\x2b\x1a\1\0\0\0", 16, "cut off inside its file header" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bytes b = { 0 };

		put(&b, cases[i].content, cases[i].n);
		refused(write_file(0, &b, b.n), NULL, EX_DATAERR, cases[i].want);
		free(b.p);
	}
	refused("/nonexistent/x.pcap", NULL, EX_NOINPUT, "/nonexistent/x.pcap: No such file or directory");
	refused(directory, NULL, EX_NOINPUT, "is a directory; name the files in it");
	refused("/proc/self/mem", NULL, EX_NOINPUT, "/proc/self/mem: cannot be read: ");
}

static void unknown_link_type_is_named(void **state)
{
	struct bytes b = { 0 };

	(void)state;
	put_header_of(&b, MICRO, 105, 65535);
	refused(write_file(0, &b, b.n), NULL, EX_DATAERR, "link type 105 (IEEE802_11) is not known");
	free(b.p);
}

static void raw_ip_has_its_file_number(void **state)
{
	struct bytes b = { 0 };
	struct capture_frame f;

	(void)state;
	put_header_of(&b, MICRO, 101, 65535);
	put_record(&b, 1, 0, 60, 60);
	struct capture *c = open_one(write_file(0, &b, b.n));
	assert_int_equal(capture_next(c, &f), 1);
	assert_int_equal(f.linktype, 101);
	capture_close(c);
	free(b.p);
}

static void filter_with_an_error_is_a_usage_error(void **state)
{
	(void)state;
	refused(write_one_packet(0, 1, 0), "tcp prot 25", EX_USAGE, "filter \"tcp prot 25\": ");
}

static void stdin_twice_is_a_usage_error(void **state)
{
	const char *const paths[] = { "-", "-" };
	struct bytes b = { 0 };
	char error[512];
	int code;

	(void)state;
	put_header(&b);
	int fd = open_pipe(&b, 100);
	dup2(fd, STDIN_FILENO);
	close(fd);
	assert_null(capture_open_files(paths, 2, NULL, error, sizeof error, &code));
	assert_int_equal(code, EX_USAGE);
	assert_string_equal(error, "- (standard input) can be read only once");
	close_pipe(NULL);
	free(b.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_byte_orders_and_precisions_give_the_same_frames),
		cmocka_unit_test(empty_capture_is_fine),
		cmocka_unit_test(odd_lengths_are_kept),
		cmocka_unit_test(records_across_blocks_are_whole),
		cmocka_unit_test(cut_at_every_byte_gives_what_is_readable),
		cmocka_unit_test(damaged_at_every_byte_reads_like_libpcap),
		cmocka_unit_test(cut_file_says_after_how_many_packets),
		cmocka_unit_test(impossible_record_length_ends_the_file),
		cmocka_unit_test(old_versions_are_left_to_libpcap),
		cmocka_unit_test(pcapng_of_both_byte_orders_is_read),
		cmocka_unit_test(pcapng_cut_at_every_byte_gives_what_is_readable),
		cmocka_unit_test(pcapng_through_a_pipe_keeps_its_damage),
		cmocka_unit_test(pcapng_interfaces_that_differ_are_explained),
		cmocka_unit_test(absurd_times_do_not_overflow),
		cmocka_unit_test(binary_resolutions_do_not_overflow),
		cmocka_unit_test(seconds_are_unsigned_until_2106),
		cmocka_unit_test(files_are_read_in_the_order_of_their_first_packet),
		cmocka_unit_test(stdin_goes_where_its_first_packet_says),
		cmocka_unit_test(stdin_may_be_a_file),
		cmocka_unit_test(damaged_file_does_not_end_the_capture),
		cmocka_unit_test(more_files_than_descriptors_are_read),
		cmocka_unit_test(filter_lets_pass_what_it_names),
		cmocka_unit_test(first_packet_counts_even_if_filtered_out),
		cmocka_unit_test(what_cannot_be_opened_says_what_would_help),
		cmocka_unit_test(unknown_link_type_is_named),
		cmocka_unit_test(raw_ip_has_its_file_number),
		cmocka_unit_test(filter_with_an_error_is_a_usage_error),
		cmocka_unit_test(stdin_twice_is_a_usage_error),
	};

	return cmocka_run_group_tests_name("capture", tests, make_directory, remove_directory);
}
