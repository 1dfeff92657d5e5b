/*
 * Fuzzes smtp.c and all below it: bytes, holes and ends of both sides in any order. What is said must not depend on how the bytes
 * were cut into pushes, and every text of every fact is read.
 *
 * An input that begins with "#" is a transcript (tests/transcripts are the seeds). Any other: one byte of flags, then steps of three
 * bytes (side and kind, length) with the bytes of a push behind them.
 */
#include <stdint.h>
#include <stdlib.h>

#include "tests/unit/facts.h"
#include "tests/unit/play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FLAG_MID_STREAM = 1, FLAG_ONE_SIDED = 2, END_SHIFT = 2, END_BY_SERVER = 32 };

static void script_flags(struct script *s, uint8_t flags)
{
	static const enum fact_end ends[8] = { END_CAPTURE_END, END_FIN, END_RST, END_TIMEOUT, END_PORT_REUSE, END_EVICTED, END_FIN, END_RST };

	*s = (struct script){ .port = 25 };
	s->notes = flags & FLAG_MID_STREAM ? NOTE_MID_STREAM : 0;
	s->end_notes = flags & FLAG_ONE_SIDED ? NOTE_ONE_SIDED : 0;
	s->end = ends[flags >> END_SHIFT & 7];
	s->end_by = flags & END_BY_SERVER ? SIDE_SERVER : SIDE_CLIENT;
}

/* One step at p of n >= 3 bytes; answers the bytes used. */
static size_t script_step(struct script *s, const uint8_t *p, size_t n)
{
	enum side side = p[0] & 1 ? SIDE_SERVER : SIDE_CLIENT;
	unsigned kind = p[0] >> 1 & 7;
	size_t length = (size_t)p[1] | (size_t)p[2] << 8;

	if (kind == 7) {
		script_part(s, PART_CLOSE, side);
		return 3;
	}
	if (kind == 6) {
		script_part(s, PART_GAP, side)->lost = length;
		return 3;
	}
	if (length > n - 3)
		length = n - 3;
	buf_add(&script_part(s, PART_BYTES, side)->bytes, p + 3, length);
	return 3 + length;
}

static void script_from(struct script *s, const uint8_t *data, size_t size)
{
	if (size && data[0] == '#') {
		script_read(s, (const char *)data, size);
		return;
	}
	script_flags(s, size ? data[0] : 0);
	for (size_t i = 1; i + 3 <= size;)
		i += script_step(s, data + i, size - i);
}

static void told(const struct script *s, bool bytewise, struct buf *out)
{
	struct view v = { 0 };
	struct fact_sink sink = view_sink(&v);

	play(s, &(struct manner){ .bytewise = bytewise }, &sink);
	view_print(out, &v, true);
	view_fini(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = { 0 }, bytewise = { 0 };
	struct script s;

	script_from(&s, data, size);
	told(&s, false, &whole);
	told(&s, true, &bytewise);
	if (strcmp(buf_cstr(&whole), buf_cstr(&bytewise)) != 0) {
		fprintf(stderr, "--- whole\n%s--- byte by byte\n%s", buf_cstr(&whole), buf_cstr(&bytewise));
		abort();
	}
	buf_fini(&whole);
	buf_fini(&bytewise);
	script_fini(&s);
	return 0;
}
