/*
 * play.h - tests/transcripts/NNN-what.smtp -> calls of smtp.h. The format: tests/transcripts/README.md.
 *
 * A script is the dialogue as parts: bytes, holes and ends. It can be played whole, byte by byte, with one segment pushed in two
 * pieces, or with something of it lost. Each push is a copy of just its size, so that ASan sees every byte read too far.
 */
#ifndef TESTS_UNIT_PLAY_H
#define TESTS_UNIT_PLAY_H

#include <string.h>

#include "common/buf.h"
#include "common/xmalloc.h"
#include "sensor/smtp.h"

enum part_kind { PART_BYTES, PART_GAP, PART_CLOSE };

struct part {
	enum part_kind kind;
	enum side side;
	struct buf bytes;
	uint64_t lost;		/* PART_GAP */
};

struct script {
	struct part *part;
	size_t count, cap;
	bool open;		/* the next line of the same side joins the last part */
	enum fact_end end;
	enum side end_by;
	uint32_t notes;		/* known at the start */
	uint32_t end_notes;	/* found out by the layers below at the end */
	uint16_t port;
	char other[16];		/* what the layers below know it to be instead of SMTP */
	size_t total;		/* bytes of all lines */
	char *secret[8];	/* words that no fact may hold */
	size_t secret_count;
	bool whole;		/* it shows what is only true when nothing of it is lost */
};

/* What is lost, from one offset of one segment on. */
enum hole { HOLE_BYTE, HOLE_LINE, HOLE_SEGMENT, HOLE_UNKNOWN, HOLE_SIDE, HOLE_BOTH, HOLE_COUNT };

struct loss {
	size_t part, at;
	enum hole hole;
};

struct manner {
	bool bytewise;
	size_t part, at;	/* where to cut a push in two; at 0: nowhere */
};

#define SCRIPT_BYTES_MAX (1024 * 1024)	/* "--- repeat" in the hands of a fuzzer */
#define START_US 1700000000000000ull

static struct part *script_part(struct script *s, enum part_kind kind, enum side side)
{
	if (s->count == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 16;
		s->part = xreallocarray(s->part, s->cap, sizeof *s->part);
	}
	s->part[s->count] = (struct part){ .kind = kind, .side = side };
	return &s->part[s->count++];
}

/* Where bytes of that side go: the last part, or a new one. */
static struct buf *script_bytes(struct script *s, enum side side)
{
	struct part *last = s->count ? &s->part[s->count - 1] : NULL;

	if (!s->open || !last || last->kind != PART_BYTES || last->side != side)
		last = script_part(s, PART_BYTES, side);
	s->open = true;
	return &last->bytes;
}

static void script_fini(struct script *s)
{
	for (size_t i = 0; i < s->count; i++)
		buf_fini(&s->part[i].bytes);
	for (size_t i = 0; i < s->secret_count; i++)
		free(s->secret[i]);
	free(s->part);
	*s = (struct script){ 0 };
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *p = c ? strchr(digits, c | 0x20) : NULL;

	return p ? (int)(p - digits) : -1;
}

static bool add_hex(struct buf *b, const char *p, const char *end)
{
	while (p < end) {
		if (*p == ' ') {
			p++;
			continue;
		}
		if (end - p < 2 || hex_digit(p[0]) < 0 || hex_digit(p[1]) < 0)
			return false;
		buf_add_char(b, (char)(hex_digit(p[0]) << 4 | hex_digit(p[1])));
		p += 2;
	}
	return true;
}

static uint64_t read_number(const char *p, const char *end)
{
	uint64_t v = 0;

	while (p < end && *p == ' ')
		p++;
	for (; p < end && *p >= '0' && *p <= '9' && v < UINT32_MAX; p++)
		v = v * 10 + (uint64_t)(*p - '0');
	return v;
}

static bool line_is(const char *p, const char *end, const char *word)
{
	return (size_t)(end - p) == strlen(word) && memcmp(p, word, strlen(word)) == 0;
}

/* "--- fin client" and its like: what TCP or the capture did. */
static bool script_event(struct script *s, const char *p, const char *end)
{
	static const struct { const char *words; enum fact_end end; enum side by; } ends[] = {
		{ "rst client", END_RST, SIDE_CLIENT }, { "rst server", END_RST, SIDE_SERVER }, { "timeout", END_TIMEOUT, SIDE_CLIENT },
		{ "fin client", END_FIN, SIDE_CLIENT }, { "fin server", END_FIN, SIDE_SERVER },
	};

	if (end - p > 5 && memcmp(p, "port ", 5) == 0) {
		s->port = (uint16_t)read_number(p + 5, end);
		return true;
	}
	if (end - p > 6 && (size_t)(end - p) < 6 + sizeof s->other && memcmp(p, "other ", 6) == 0) {
		memcpy(s->other, p + 6, (size_t)(end - p) - 6);
		return true;
	}
	if (line_is(p, end, "one-sided")) {
		s->end_notes |= NOTE_ONE_SIDED;
		return true;
	}
	if (line_is(p, end, "mid-stream")) {
		s->notes |= NOTE_MID_STREAM;
		return true;
	}
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		if (!line_is(p, end, ends[i].words))
			continue;
		if (ends[i].end == END_FIN)
			script_part(s, PART_CLOSE, ends[i].by);
		if (s->end == END_CAPTURE_END) {
			s->end = ends[i].end;
			s->end_by = ends[i].by;
		}
		return true;
	}
	return false;
}

/* ">>> text" and ">x> 16 03" for one side, c being '>' or '<'. */
static bool script_line(struct script *s, enum side side, char c, const char *p, const char *end)
{
	if (end - p >= 3 && p[0] == c && p[1] == c && p[2] == c) {
		const char *line_end = "\r\n";

		p += 3;
		if (p < end && *p == '-') {
			line_end = "";
			p++;
		} else if (end - p >= 2 && memcmp(p, "lf", 2) == 0) {
			line_end = "\n";
			p += 2;
		}
		if (p < end && *p++ != ' ')
			return false;
		struct buf *b = script_bytes(s, side);
		buf_add(b, p, (size_t)(end - p));
		buf_add_str(b, line_end);
		return true;
	}
	if (end - p >= 3 && p[0] == c && p[1] == 'x' && p[2] == c)
		return add_hex(script_bytes(s, side), p + 3, end);
	if (end - p >= 4 && p[0] == c && memcmp(p + 1, "gap", 3) == 0) {
		script_part(s, PART_GAP, side)->lost = read_number(p + 4, end);
		return true;
	}
	return false;
}

static bool script_comment(struct script *s, const char *p, const char *end)
{
	const char word[] = "# secret: ";
	size_t n = sizeof word - 1;

	if ((size_t)(end - p) > n && memcmp(p, word, n) == 0 && s->secret_count < sizeof s->secret / sizeof *s->secret)
		s->secret[s->secret_count++] = xstrndup(p + n, (size_t)(end - p) - n);
	s->whole |= end - p > 9 && memcmp(p, "# whole: ", 9) == 0;
	return true;
}

static bool script_plain_line(struct script *s, const char *p, const char *end)
{
	if (p == end) {
		s->open = false;
		return true;
	}
	if (*p == '#')
		return script_comment(s, p, end);
	if (line_is(p, end, "<><")) {
		script_part(s, PART_GAP, SIDE_CLIENT);
		script_part(s, PART_GAP, SIDE_SERVER);
		return true;
	}
	if (end - p > 4 && memcmp(p, "--- ", 4) == 0)
		return script_event(s, p + 4, end);
	return script_line(s, SIDE_CLIENT, '>', p, end) || script_line(s, SIDE_SERVER, '<', p, end);
}

/* "--- repeat N LINE" or a line. */
static bool script_any_line(struct script *s, const char *p, const char *end)
{
	const char word[] = "--- repeat ";
	size_t n = sizeof word - 1;

	if ((size_t)(end - p) <= n || memcmp(p, word, n) != 0)
		return script_plain_line(s, p, end);
	uint64_t times = read_number(p + n, end);
	p = memchr(p + n, ' ', (size_t)(end - p) - n);
	if (!p || times > 10000)
		return false;
	for (; times; times--) {
		s->total += (size_t)(end - p);
		if (s->total > SCRIPT_BYTES_MAX || !script_plain_line(s, p + 1, end))
			return false;
	}
	return true;
}

/* text -> s, which the caller frees in any case. Answers 0, or the number of the first line that is none. */
static unsigned script_read(struct script *s, const char *text, size_t n)
{
	const char *end = text + n;
	unsigned bad = 0, number = 1;

	*s = (struct script){ .end = END_CAPTURE_END, .port = 25 };
	for (const char *p = text; p < end; number++) {
		const char *lf = memchr(p, '\n', (size_t)(end - p)), *line_end = lf ? lf : end;

		if (!script_any_line(s, p, line_end) && !bad)
			bad = number;
		p = lf ? lf + 1 : end;
	}
	return bad;
}

/* Pushes a copy of just n bytes. */
static void push_copy(struct smtp *smtp, enum side side, const char *p, size_t n, uint64_t t_us)
{
	if (n == 0)
		return;
	char *copy = xmalloc(n);

	memcpy(copy, p, n);
	smtp_push(smtp, side, copy, n, t_us);
	memset(copy, '#', n);	/* what is still looked at later shows up in the facts even without ASan */
	free(copy);
}

/* First byte behind the hole that begins at `at` of b. */
static inline size_t hole_end(enum hole hole, const struct buf *b, size_t at)
{
	if (hole == HOLE_BYTE)
		return at + 1;
	if (hole == HOLE_LINE) {
		const char *lf = memchr(b->p + at, '\n', b->len - at);

		return lf ? (size_t)(lf - b->p) + 1 : b->len;
	}
	return b->len;
}

/* Whether part i is lost as a whole because of a hole that began in an earlier one. */
static inline bool part_is_lost(const struct script *s, size_t i, const struct loss *l)
{
	if (i <= l->part)
		return false;
	if (l->hole == HOLE_SIDE)
		return s->part[i].side == s->part[l->part].side;
	return l->hole == HOLE_BOTH && i <= l->part + 1 + l->at % 6;
}

/* What the capture has of s: out, which the caller frees. */
static inline void script_lose(const struct script *s, const struct loss *l, struct script *out)
{
	*out = (struct script){ .end = s->end, .end_by = s->end_by, .notes = s->notes, .end_notes = s->end_notes, .port = s->port };
	memcpy(out->other, s->other, sizeof out->other);
	for (size_t i = 0; i < s->count; i++) {
		const struct part *p = &s->part[i];
		size_t from = p->bytes.len, to = p->bytes.len;

		if (part_is_lost(s, i, l))
			from = 0;
		else if (i == l->part) {
			from = l->at;
			to = hole_end(l->hole, &p->bytes, l->at);
		}
		if (p->kind != PART_BYTES) {
			script_part(out, p->kind, p->side)->lost = p->lost;
			continue;
		}
		buf_add(&script_part(out, PART_BYTES, p->side)->bytes, p->bytes.p, from);
		if (from == to)
			continue;
		script_part(out, PART_GAP, p->side)->lost = l->hole == HOLE_UNKNOWN ? 0 : to - from;
		buf_add(&script_part(out, PART_BYTES, p->side)->bytes, p->bytes.p + to, p->bytes.len - to);
	}
}

static void play_bytes(struct smtp *smtp, const struct part *p, size_t split, bool bytewise, uint64_t t_us)
{
	if (bytewise) {
		for (size_t k = 0; k < p->bytes.len; k++)
			push_copy(smtp, p->side, p->bytes.p + k, 1, t_us);
		return;
	}
	if (p->bytes.len == 0)
		return;
	push_copy(smtp, p->side, p->bytes.p, split, t_us);
	push_copy(smtp, p->side, p->bytes.p + split, p->bytes.len - split, t_us);
}

static struct fact_session play_start(const struct script *s)
{
	struct fact_session start = {
		.src_ip = { 4, { 192, 0, 2, 25 } }, .dest_ip = { 4, { 198, 51, 100, 25 } }, .src_port = 40000, .dest_port = s->port,
		.client_isn = 1, .server_isn = 2, .started_us = START_US, .notes = s->notes,
	};

	memset(start.session_id, 0xab, sizeof start.session_id);
	return start;
}

/* The packet time of part i is START_US + i ms. */
static void play(const struct script *s, const struct manner *m, const struct fact_sink *sink)
{
	struct fact_session start = play_start(s);
	struct smtp *smtp = smtp_new(sink, &start);

	for (size_t i = 0; i < s->count; i++) {
		const struct part *p = &s->part[i];
		uint64_t t_us = START_US + i * 1000;

		if (p->kind == PART_BYTES)
			play_bytes(smtp, p, i == m->part ? m->at : 0, m->bytewise, t_us);
		else if (p->kind == PART_GAP)
			smtp_gap(smtp, p->side, p->lost, t_us);
	}
	smtp_session(smtp)->notes |= s->end_notes;
	if (s->other[0])
		smtp_session(smtp)->app_proto = (struct text){ s->other, (uint32_t)strlen(s->other) };
	smtp_end(smtp, s->end, s->end_by, START_US + s->count * 1000);
}

#endif
