/*
 * Fuzzes ipfrag and decode together: each record of the input is a piece of one of a few datagrams, what becomes whole is decoded, and a
 * fragment found in it goes in again, as in the pipeline. The memory stays below its ceiling, what comes out is in its bounds.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sensor/ipfrag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORD = 8, MEMORY = 512 * 1024 };

static volatile uint8_t sink;

static void touch(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sink ^= p[i];
}

static void push(struct ipfrag *f, struct packet *k, uint64_t now_us)
{
	enum decode_result r = DECODE_FRAGMENT;
	struct packet whole;
	int rounds = 0;

	while (r == DECODE_FRAGMENT && ipfrag_push(f, k, now_us, &whole)) {
		assert(whole.payload_bytes > 0 && whole.payload_bytes <= 65535 && whole.captured_bytes <= whole.payload_bytes);
		touch(whole.payload, whole.captured_bytes);
		r = decode_datagram(&(struct decode_tunnels){ 0 }, &whole, k);
		assert(++rounds < 100);
	}
	if (r == DECODE_TCP)
		touch(k->payload, k->captured_bytes);
	assert(ipfrag_memory_bytes(f) <= MEMORY);
}

/* number and version, protocol, offset (2), length (2), flags, time; then as many bytes as were captured */
static size_t take_record(struct ipfrag *f, const uint8_t *p, size_t size, uint64_t *now_us)
{
	static const uint8_t protocols[] = { 6, 17, 47, 4, 41, 44, 0, 60 };
	uint8_t version = p[0] & 0x80 ? 6 : 4;
	struct packet k = { .src.version = version, .dst.version = version,
			    .fragment = { p[0] & 0x7f, (uint16_t)((p[2] << 8 | p[3]) & 0xfff8), p[6] & 1, protocols[p[1] % sizeof protocols], 0 } };

	k.payload_bytes = (uint32_t)(p[4] << 8 | p[5]);
	k.captured_bytes = k.payload_bytes < size - RECORD ? k.payload_bytes : (uint32_t)(size - RECORD);
	if (p[6] & 2)
		k.payload_bytes = k.captured_bytes;
	*now_us += (uint64_t)p[7] << (p[6] >> 4);
	uint8_t *exact = malloc(k.captured_bytes + 1);
	if (!exact)
		return size;
	memcpy(exact + 1, p + RECORD, k.captured_bytes);
	k.payload = exact + 1;
	push(f, &k, *now_us * 1000);
	free(exact);
	return RECORD + k.captured_bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct siphash_key key = { { 1, 2 } };
	struct ipfrag *f = ipfrag_new(&key, MEMORY);
	struct ipfrag_totals t;
	uint64_t now_us = 0;

	for (size_t at = 0; at + RECORD <= size;)
		at += take_record(f, data + at, size - at, &now_us);
	ipfrag_flush(f);
	ipfrag_totals(f, &t);
	assert(t.lost + t.odd + 2 * t.datagrams <= t.fragments + t.datagrams);
	ipfrag_free(f);
	return 0;
}
