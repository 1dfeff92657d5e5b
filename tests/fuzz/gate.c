/*
 * Fuzzes gate.c and dissector.c: bytes and holes of both endpoints in any order. The verdict must not depend on how the bytes were cut, is final
 * once it is given, and what is handed on after it is what came. First byte: flags; then steps of two bytes (endpoint, kind, length) with the
 * bytes of a push behind them.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "sensor/gate.h"
#include "sensor/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FLAG_MID_STREAM = 1, FLAG_CLIENT = 2, FLAG_LONG = 4 };

struct run {
	struct gate *g;
	enum gate_verdict verdict;
	struct buf said[2], again[2];
	uint64_t lost[2];
	bool done;
};

static void on_verdict(struct run *r, enum gate_verdict v)
{
	assert(r->verdict == GATE_OPEN || v == r->verdict);
	r->verdict = v;
	r->done = v == GATE_SMTP || (v == GATE_OTHER && gate_is_full(r->g));
}

static void push(struct run *r, int dir, const uint8_t *p, size_t n, bool bytewise)
{
	size_t step = bytewise ? 1 : n;

	for (size_t i = 0; i < n && !r->done; i += step) {
		buf_add(&r->said[dir], p + i, step);
		on_verdict(r, gate_push(r->g, dir, p + i, step, 0));
	}
}

static void replay_push(void *arg, int dir, const uint8_t *p, size_t n, uint64_t t_us)
{
	struct run *r = arg;

	(void)t_us;
	buf_add(&r->again[dir], p, n);
}

static void replay_gap(void *arg, int dir, uint64_t n, uint64_t t_us)
{
	struct run *r = arg;

	(void)t_us;
	r->lost[dir] += n;
}

static void check_replay(struct run *r)
{
	struct stream_sink sink = { replay_push, replay_gap, NULL, NULL };

	gate_replay(r->g, &sink, r);
	for (int dir = 0; dir < 2; dir++) {
		const struct buf *said = &r->said[dir], *again = &r->again[dir];

		assert(again->len <= said->len && said->len - again->len <= r->lost[dir]);
		assert(again->len == 0 || memcmp(again->p, said->p + said->len - again->len, again->len) == 0);
	}
}

static enum gate_verdict run(const uint8_t *data, size_t size, bool bytewise, const char **name)
{
	static struct dissector *d;
	uint8_t flags = size ? data[0] : 0;
	struct gate_options o = { .mid_stream = flags & FLAG_MID_STREAM, .client = flags & FLAG_CLIENT ? 1 : 0, .port = { 40000, 25 } };

	o.dissector = d = d ? d : dissector_new();
	struct run r = { .g = gate_new(&o) };
	for (size_t i = 1; i + 2 <= size && !r.done;) {
		int dir = data[i] & 1;
		size_t n = (size_t)(data[i] >> 2) << (flags & FLAG_LONG ? 4 : 0);
		bool gap = data[i] & 2;

		i++;
		if (gap) {
			on_verdict(&r, gate_gap(r.g, dir, n, 0));
			continue;
		}
		if (n > size - i)
			n = size - i;
		push(&r, dir, data + i, n, bytewise);
		i += n;
	}
	on_verdict(&r, gate_end(r.g));
	if (r.verdict == GATE_SMTP)
		check_replay(&r);
	*name = gate_name(r.g);
	gate_free(r.g);
	for (int dir = 0; dir < 2; dir++) {
		buf_fini(&r.said[dir]);
		buf_fini(&r.again[dir]);
	}
	return r.verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *whole_name, *bytewise_name;
	enum gate_verdict whole = run(data, size, false, &whole_name), bytewise = run(data, size, true, &bytewise_name);

	assert(whole == bytewise);
	assert(whole != GATE_OTHER || whole_name == bytewise_name);
	return 0;
}
