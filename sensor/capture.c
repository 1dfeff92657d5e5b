/*
 * capture.c - see capture.h
 *
 *   fd -> source (blocks, counted) -> libpcap, through fopencookie: file headers, pcapng, filters
 *                                  -> own walk over the records of a plain pcap file, once libpcap has read its header
 *
 * The own walk takes half the CPU of pcap_next_ex on a gigabyte of mail (0.08 s against 0.17 s, empty libpcap loop 0.20 s).
 * Files are opened all at once, since nothing can be opened later (the sensor drops its rights), but have buffers only while read.
 */
#include "sensor/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/xmalloc.h"
#include "sensor/capture_pcap.h"
#include "sensor/decode.h"

enum {
	RECORD_MAX = 262144,		/* libpcap's MAXIMUM_SNAPLEN: a record that claims more is damage */
	BLOCK_BYTES = 512 * 1024,	/* holds the largest record; stays in the L2 cache */
	FIRST_READ_BYTES = 64 * 1024,	/* has the first packet of nearly any file: a peek into a thousand files reads little */
	WAIT_MS = 1000,
	STDIO_BYTES = 1024 * 1024,	/* libpcap's own 4 KiB would cost a third more */
};
#define TIME_MAX_S 253402300799		/* end of the year 9999: what a date with four digits can show */

struct source {
	int fd;
	int error;		/* errno of the read that failed */
	bool pipe, stopped;	/* stopped: the caller wants no more */
	uint8_t *block;
	size_t pos, have;	/* block[pos..have) is not used yet */
	uint64_t bytes_read;
};

struct file {
	char *path;			/* as given */
	const char *name;		/* for people */
	size_t order;			/* in which they were given */
	struct source source;
	off_t start;			/* where the capture begins; -1: a pipe */
	pcap_t *pcap;
	char *stdio_buffer;
	struct bpf_program filter;
	int linktype;
	bool plain, swapped, nanoseconds;	/* plain: records are walked here */
	uint64_t first_us, packets;
	bool peeked;			/* a pipe whose first packet (or its lack) waits to be handed out: */
	int first_result;
	struct capture_frame first;
	const char *first_why;
};

struct capture {
	struct file **files, *current;	/* NULL at the end, and before the first call */
	size_t count, next;
	const char **paths;
	char *filter, *problem;
	uint64_t bytes_done, bytes_total;
};

int capture_fail(struct capture_failure *x, int exit_code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(x->text, x->size, format, ap);
	va_end(ap);
	x->exit_code = exit_code;
	return -1;
}

int capture_linktype(pcap_t *pcap, const char *name, struct capture_failure *x)
{
	int dlt = pcap_datalink(pcap);
	const char *word = pcap_datalink_val_to_name(dlt);
	/* DLT_ numbers are LINKTYPE_ numbers but for those that differ between systems: raw IP is the one that we meet. */
	int linktype = dlt == DLT_RAW ? 101 : dlt;

	if (decode_knows_linktype(linktype))
		return linktype;
	return capture_fail(x, EX_DATAERR, "%s: link type %d (%s) is not known; capture on an Ethernet interface, or on \"any\"",
			    name, linktype, word ? word : "without a name");
}

int capture_compile(pcap_t *pcap, const char *name, const char *words, struct bpf_program *out, struct capture_failure *x)
{
	if (!words || pcap_compile(pcap, out, words, 1, PCAP_NETMASK_UNKNOWN) == 0)
		return 0;
	return capture_fail(x, EX_USAGE, "filter \"%s\": %s (see pcap-filter(7); compiled for %s)", words, pcap_geterr(pcap), name);
}

uint64_t capture_time_us(int64_t seconds, int64_t microseconds)
{
	if (seconds < 0 || (seconds == 0 && microseconds < 0))
		return 0;
	if (seconds > TIME_MAX_S)
		seconds = TIME_MAX_S;
	return (uint64_t)(seconds * 1000000 + microseconds);
}

static bool (*go_on)(void *arg);
static void *go_on_arg;

void capture_on_wait(bool (*f)(void *arg), void *arg)
{
	go_on = f;
	go_on_arg = arg;
}

/* A pipe may be silent for hours: asks before it waits, then each second and after a signal, whether to go on. */
static bool wait_for_bytes(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r = 0;

	while (r == 0 || (r < 0 && errno == EINTR)) {
		if (go_on && !go_on(go_on_arg))
			return false;
		r = poll(&p, 1, WAIT_MS);
	}
	return true;
}

/* Whatever read gives, so that a paced pipe is not held back. 0 also after an error. */
static size_t source_read(struct source *s, void *p, size_t n)
{
	ssize_t k;

	do {
		if (s->pipe && !wait_for_bytes(s->fd)) {
			s->stopped = true;
			s->error = EINTR;
			return 0;
		}
		k = read(s->fd, p, n);
	} while (k < 0 && errno == EINTR);
	if (k < 0) {
		s->error = errno;
		return 0;
	}
	s->bytes_read += (uint64_t)k;
	return (size_t)k;
}

/* Makes n bytes available at block[pos]; false when there are no more so many. */
static bool source_fill(struct source *s, size_t n)
{
	if (s->pos) {
		memmove(s->block, s->block + s->pos, s->have - s->pos);
		s->have -= s->pos;
		s->pos = 0;
	}
	while (s->have < n) {
		size_t room = s->bytes_read ? BLOCK_BYTES - s->have : FIRST_READ_BYTES;
		size_t k = source_read(s, s->block + s->have, room);

		if (!k)
			return false;
		s->have += k;
	}
	return true;
}

static inline bool source_need(struct source *s, size_t n)
{
	return s->have - s->pos >= n || source_fill(s, n);
}

/* What libpcap reads: first the rest of the block, then straight from the file. */
static ssize_t source_cookie_read(void *cookie, char *p, size_t n)
{
	struct source *s = cookie;
	size_t k = s->have - s->pos;

	if (k == 0)
		k = source_read(s, p, n);
	else {
		if (k > n)
			k = n;
		memcpy(p, s->block + s->pos, k);
		s->pos += k;
	}
	if (k == 0 && s->error) {
		errno = s->error;
		return -1;
	}
	return (ssize_t)k;
}

enum { MAGIC_BYTES = 4 };

static const struct magic {
	char bytes[MAGIC_BYTES + 1];
	bool plain, nanoseconds;
	const char *compressed, *tool;
} magics[] = {
	{ .bytes = "\xa1\xb2\xc3\xd4", .plain = true },
	{ .bytes = "\xd4\xc3\xb2\xa1", .plain = true },
	{ .bytes = "\xa1\xb2\x3c\x4d", .plain = true, .nanoseconds = true },
	{ .bytes = "\x4d\x3c\xb2\xa1", .plain = true, .nanoseconds = true },
	{ .bytes = "\x1f\x8b", .compressed = "gzip", .tool = "zcat" },
	{ .bytes = "\xfd""7zX", .compressed = "xz", .tool = "xzcat" },
	{ .bytes = "BZh", .compressed = "bzip2", .tool = "bzcat" },
	{ .bytes = "\x28\xb5\x2f\xfd", .compressed = "zstd", .tool = "zstdcat" },
	{ .bytes = "\x04\x22\x4d\x18", .compressed = "lz4", .tool = "lz4cat" },
};

/* What the file begins with, without using it up. */
static const struct magic *find_magic(struct source *s)
{
	static const struct magic other;

	if (source_need(s, MAGIC_BYTES))
		for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
			if (memcmp(s->block + s->pos, magics[i].bytes, strlen(magics[i].bytes)) == 0)
				return &magics[i];
	return &other;
}

static int refuse(const struct file *f, const struct magic *m, bool empty, const char *pcap_says, struct capture_failure *x)
{
	if (f->source.error)
		return capture_fail(x, EX_NOINPUT, "%s: cannot be read: %s", f->name, strerror(f->source.error));
	if (empty)
		return capture_fail(x, EX_DATAERR, "%s: empty, without even a file header; leave it out, or wait until its writer has begun", f->name);
	if (m->compressed)
		return capture_fail(x, EX_DATAERR, "%s: compressed with %s; decompress it first: %s %s | bouncetapd -r -",
			    f->name, m->compressed, m->tool, f->path);
	if (strstr(pcap_says, "unknown file format"))
		return capture_fail(x, EX_DATAERR, "%s: not a capture file (pcap or pcapng); if Wireshark can read it, "
			    "\"editcap -F pcap %s new.pcap\" makes one of it", f->name, f->path);
	if (strstr(pcap_says, "truncated"))
		return capture_fail(x, EX_DATAERR, "%s: cut off inside its file header, nothing can be read from it; leave it out", f->name);
	return capture_fail(x, EX_DATAERR, "%s: %s", f->name, pcap_says);
}

/* The pcap_t then owns the FILE. Without a buffer libpcap takes no byte beyond the file header: the walk goes on from there. */
static int start_pcap(struct file *f, struct capture_failure *x)
{
	static const cookie_io_functions_t io = { .read = source_cookie_read };
	char says[PCAP_ERRBUF_SIZE] = "";
	const struct magic *m = find_magic(&f->source);
	bool empty = f->source.have == 0;
	FILE *stream = fopencookie(&f->source, "r", io);

	if (!stream)
		return capture_fail(x, EX_OSERR, "%s: %s", f->name, strerror(errno));
	if (m->plain) {
		setvbuf(stream, NULL, _IONBF, 0);
	} else {
		f->stdio_buffer = xmalloc(STDIO_BYTES);
		setvbuf(stream, f->stdio_buffer, _IOFBF, STDIO_BYTES);
	}
	f->pcap = pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_MICRO, says);
	if (!f->pcap) {
		fclose(stream);
		return refuse(f, m, empty, says, x);
	}
	/* Before version 2.4 the two lengths stood in the other order, or in either: libpcap knows. */
	f->plain = m->plain && pcap_major_version(f->pcap) == 2 && pcap_minor_version(f->pcap) == 4;
	f->swapped = pcap_is_swapped(f->pcap);
	f->nanoseconds = m->nanoseconds;
	return 0;
}

static int start_linktype(struct file *f, struct capture_failure *x)
{
	f->linktype = capture_linktype(f->pcap, f->name, x);
	return f->linktype < 0 ? -1 : 0;
}

static void file_stop(struct file *f)
{
	pcap_freecode(&f->filter);
	if (f->pcap)
		pcap_close(f->pcap);
	free(f->stdio_buffer);
	free(f->source.block);
	f->pcap = NULL;
	f->stdio_buffer = NULL;
	f->source.block = NULL;
	f->source.pos = f->source.have = 0;
}

static int file_start(struct file *f, const char *filter, struct capture_failure *x)
{
	f->source.block = xmalloc(BLOCK_BYTES);
	if (start_pcap(f, x) == 0 && start_linktype(f, x) == 0 && capture_compile(f->pcap, f->name, filter, &f->filter, x) == 0)
		return 0;
	file_stop(f);
	return -1;
}

static int file_open(struct file *f, struct capture *c, struct capture_failure *x)
{
	bool standard_input = strcmp(f->path, "-") == 0;
	struct stat st;

	f->name = standard_input ? "standard input" : f->path;
	f->source.fd = standard_input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(f->path, O_RDONLY | O_CLOEXEC);
	if (f->source.fd < 0 || fstat(f->source.fd, &st) < 0)
		return capture_fail(x, EX_NOINPUT, "%s: %s", f->name, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return capture_fail(x, EX_NOINPUT, "%s: is a directory; name the files in it: %s/*.pcap", f->name, f->path);
	if (isatty(f->source.fd))
		return capture_fail(x, EX_USAGE, "%s: is a terminal; pipe a capture into it", f->name);
	f->start = S_ISREG(st.st_mode) ? lseek(f->source.fd, 0, SEEK_CUR) : -1;
	f->source.pipe = f->start < 0;
	if (f->start >= 0 && c->bytes_total != UINT64_MAX)
		c->bytes_total += st.st_size > f->start ? (uint64_t)(st.st_size - f->start) : 0;
	else
		c->bytes_total = UINT64_MAX;
	return 0;
}

/* The next record of a plain file: 1, 0 at its end, -1 and *why when damaged (NULL: cut off). */
static int next_plain(struct file *f, struct capture_frame *out, const char **why)
{
	struct source *s = &f->source;
	uint32_t h[4];	/* seconds, fraction, bytes here, bytes on the wire */

	*why = NULL;
	if (!source_need(s, sizeof h))
		return s->have == s->pos && !s->error ? 0 : -1;
	memcpy(h, s->block + s->pos, sizeof h);
	if (f->swapped)
		for (int i = 0; i < 4; i++)
			h[i] = __builtin_bswap32(h[i]);
	if (h[2] > RECORD_MAX) {
		*why = "a record with an impossible length";
		return -1;
	}
	if (!source_need(s, sizeof h + h[2]))
		return -1;
	out->time_us = capture_time_us(h[0], f->nanoseconds ? h[1] / 1000 : h[1]);
	out->linktype = f->linktype;
	out->captured = h[2];
	out->length = h[3];
	out->interface = 0;
	out->bytes = s->block + s->pos + sizeof h;
	s->pos += sizeof h + h[2];
	return 1;
}

/* Is the next record in the block, so that the frames before it stay where they are? */
static bool has_plain(const struct file *f)
{
	const struct source *s = &f->source;
	uint32_t bytes, room = (uint32_t)(s->have - s->pos);

	if (!f->plain || f->peeked || room < 16)
		return false;
	memcpy(&bytes, s->block + s->pos + 8, sizeof bytes);
	if (f->swapped)
		bytes = __builtin_bswap32(bytes);
	return bytes <= RECORD_MAX && room - 16 >= bytes;
}

static int next_pcap(struct file *f, struct capture_frame *out, const char **why)
{
	struct pcap_pkthdr *h;
	const u_char *bytes;

	int r = pcap_next_ex(f->pcap, &h, &bytes);

	if (r == PCAP_ERROR_BREAK)
		return 0;
	if (r != 1) {
		*why = pcap_geterr(f->pcap);
		if (strstr(*why, "truncated"))
			*why = NULL;
		return -1;
	}
	out->time_us = capture_time_us(h->ts.tv_sec, h->ts.tv_usec);
	out->linktype = f->linktype;
	out->captured = h->caplen;
	out->length = h->len;
	out->interface = 0;
	out->bytes = bytes;
	return 1;
}

static int file_next(struct file *f, struct capture_frame *out, const char **why)
{
	if (f->peeked) {
		f->peeked = false;
		*out = f->first;
		*why = f->first_why;
		return f->first_result;
	}
	int r = f->plain ? next_plain(f, out, why) : next_pcap(f, out, why);
	f->packets += r == 1;
	return r;
}

/* One line about a file that could not be read to its end. */
static void add_problem(struct capture *c, char *line)
{
	char *both = c->problem ? xasprintf("%s\n%s", c->problem, line) : line;

	if (c->problem) {
		free(c->problem);
		free(line);
	}
	c->problem = both;
}

static char *describe_damage(const struct file *f, const char *why)
{
	/* libpcap reads only pcapng files whose interfaces are alike, and stops at the first that is not, with or without packets. */
	if (why && strstr(why, "an interface has a snapshot length"))
		return xasprintf("%s: read up to packet %" PRIu64 ": its interfaces have different snapshot lengths, which libpcap cannot read; "
				 "\"editcap -F pcap %s new.pcap\" makes a file of it that can be read", f->name, f->packets, f->path);
	if (why && strstr(why, "an interface has a type"))
		return xasprintf("%s: read up to packet %" PRIu64 ": its interfaces have different link types, which libpcap cannot read; "
				 "capture each interface into a file of its own", f->name, f->packets);
	if (f->source.error)
		why = strerror(f->source.error);
	if (why)
		return xasprintf("%s: damaged after %" PRIu64 " packets (%s); what was read is used", f->name, f->packets, why);
	return xasprintf("%s: cut off after %" PRIu64 " packets; what was read is used", f->name, f->packets);
}

/* Back to the start, without buffers until its turn comes. */
static int file_rewind(struct file *f, struct capture_failure *x)
{
	file_stop(f);
	f->packets = 0;
	f->source.bytes_read = 0;
	f->source.error = 0;
	if (lseek(f->source.fd, f->start, SEEK_SET) < 0)
		return capture_fail(x, EX_IOERR, "%s: %s", f->name, strerror(errno));
	return 0;
}

/* Reads the first packet for its time. A pipe cannot go back: it keeps the packet. */
static int file_peek(struct file *f, const char *filter, struct capture_failure *x)
{
	if (file_start(f, filter, x))
		return -1;
	f->first_result = file_next(f, &f->first, &f->first_why);
	f->first_us = f->first_result == 1 ? f->first.time_us : UINT64_MAX;
	f->peeked = f->start < 0;
	return f->peeked ? 0 : file_rewind(f, x);
}

static int compare_files(const void *a, const void *b)
{
	const struct file *x = *(struct file *const *)a, *y = *(struct file *const *)b;

	if (x->first_us != y->first_us)
		return x->first_us < y->first_us ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* A year of hourly files is more than the usual 1024 descriptors; the hard limit is far above. */
static void allow_open_files(size_t count)
{
	struct rlimit limit;
	rlim_t want = count + 256;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= want)
		return;
	limit.rlim_cur = want < limit.rlim_max ? want : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_all(struct capture *c, const char *const *paths, size_t count, struct capture_failure *x)
{
	bool standard_input = false;

	for (size_t i = 0; i < count; i++) {
		struct file *f = c->files[c->count++] = xcalloc(1, sizeof *f);

		f->path = xstrdup(paths[i]);
		f->order = i;
		f->source.fd = -1;
		if (strcmp(f->path, "-") == 0 && standard_input)
			return capture_fail(x, EX_USAGE, "- (standard input) can be read only once");
		standard_input |= strcmp(f->path, "-") == 0;
		if (file_open(f, c, x) || file_peek(f, c->filter, x))
			return -1;
	}
	return 0;
}

struct capture *capture_open_files(const char *const *paths, size_t count, const char *filter,
				   char *error, size_t error_size, int *exit_code)
{
	struct capture_failure x = { .text = error, .size = error_size };
	struct capture *c = xcalloc(1, sizeof *c);

	c->files = xcalloc(count + 1, sizeof *c->files);
	c->paths = xcalloc(count + 1, sizeof *c->paths);
	c->filter = filter ? xstrdup(filter) : NULL;
	allow_open_files(count);
	if (open_all(c, paths, count, &x)) {
		*exit_code = x.exit_code;
		capture_close(c);
		return NULL;
	}
	qsort(c->files, count, sizeof *c->files, compare_files);
	for (size_t i = 0; i < count; i++)
		c->paths[i] = c->files[i]->path;
	return c;
}

static bool passes(const struct file *f, const struct capture_frame *frame)
{
	struct pcap_pkthdr h = { .caplen = frame->captured, .len = frame->length };

	return !f->filter.bf_insns || pcap_offline_filter(&f->filter, &h, frame->bytes);
}

static void end_file(struct capture *c, const char *why, bool damaged)
{
	struct file *f = c->current;

	if (damaged)
		add_problem(c, describe_damage(f, why));
	c->bytes_done += f->source.bytes_read;
	c->current = NULL;
	file_stop(f);
}

/* Goes to the next file; false when there is none. It was readable before: what fails now is one more problem. */
static bool next_file(struct capture *c)
{
	char error[512];
	struct capture_failure x = { .text = error, .size = sizeof error };

	while (c->next < c->count) {
		struct file *f = c->files[c->next++];

		if (f->pcap || file_start(f, c->filter, &x) == 0) {
			c->current = f;
			return true;
		}
		add_problem(c, xstrdup(error));
	}
	return false;
}

int capture_next(struct capture *c, struct capture_frame *out)
{
	const char *why = NULL;

	while (c->current || next_file(c)) {
		int r = file_next(c->current, out, &why);

		if (r != 1 && c->current->source.stopped)
			return 0;
		if (r != 1)
			end_file(c, why, r < 0);
		else if (passes(c->current, out))
			return 1;
	}
	return 0;
}

bool capture_more(struct capture *c, struct capture_frame *out)
{
	const char *why = NULL;

	while (c->current && has_plain(c->current) && file_next(c->current, out, &why) == 1)
		if (passes(c->current, out))
			return true;
	return false;
}

const char *capture_current_file(const struct capture *c)
{
	return c->next ? c->paths[c->next - 1] : c->paths[0];
}

uint64_t capture_bytes_read(const struct capture *c)
{
	return c->bytes_done + (c->current ? c->current->source.bytes_read : 0);
}

uint64_t capture_bytes_total(const struct capture *c)
{
	return c->bytes_total == UINT64_MAX ? 0 : c->bytes_total;
}

const char *capture_problem(const struct capture *c)
{
	return c->problem;
}

const char *const *capture_paths(const struct capture *c)
{
	return c->paths;
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->count; i++) {
		file_stop(c->files[i]);
		if (c->files[i]->source.fd >= 0)
			close(c->files[i]->source.fd);
		free(c->files[i]->path);
		free(c->files[i]);
	}
	free(c->files);
	free(c->paths);
	free(c->filter);
	free(c->problem);
	free(c);
}
