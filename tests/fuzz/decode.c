/*
 * Fuzzes decode_frame: the first byte chooses the link type, the rest is the frame. What it answers must lie within the frame.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sensor/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int linktypes[] = { 1, 113, 276, 101, 0, 108, 228, 229, 12, 14, 105 };
	struct packet p;

	if (size < 1)
		return 0;
	uint32_t n = (uint32_t)(size - 1);
	uint8_t *frame = malloc(n);	/* of exactly its size: libFuzzer's own buffer may be longer */
	if (n && !frame)
		return 0;
	if (n)
		memcpy(frame, data + 1, n);
	enum decode_result r = decode_frame(&(struct decode_tunnels){ 0 }, linktypes[data[0] % (sizeof linktypes / sizeof *linktypes)], frame, n, &p);
	if (r == DECODE_TCP || r == DECODE_FRAGMENT) {
		assert(p.payload >= frame && p.payload + p.captured_bytes <= frame + n);
		assert(p.captured_bytes <= p.payload_bytes);
		assert(p.src.version == p.dst.version && (p.src.version == 4 || p.src.version == 6));
	}
	free(frame);
	return 0;
}
