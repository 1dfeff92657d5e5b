/* utf8.c - see utf8.h */
#include "common/utf8.h"

#include <stdint.h>
#include <string.h>

/*
 * Table 3-7 of the Unicode standard: length of the sequence that a byte begins (0: it begins none) and the range of the
 * second byte, which keeps out overlong forms, surrogates and what is above U+10FFFF. Further bytes are 80..BF.
 */
static size_t lead(unsigned char c, unsigned char *low, unsigned char *high)
{
	*low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	*high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	return c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* Length of the well-formed sequence at p, or of the maximal subpart of an ill-formed one (3.9: what one U+FFFD stands for). */
static size_t sequence(const unsigned char *p, size_t n, bool *well_formed)
{
	unsigned char low, high;
	size_t want = lead(p[0], &low, &high), i = 1;

	if (i < want && i < n && p[i] >= low && p[i] <= high)
		for (i++; i < want && i < n && (p[i] & 0xc0) == 0x80; i++)
			;
	*well_formed = i == want;
	return i;
}

static size_t ascii_prefix(const unsigned char *p, size_t n)
{
	size_t i = 0;
	uint64_t eight;

	for (; n - i >= sizeof eight; i += sizeof eight) {
		memcpy(&eight, p + i, sizeof eight);
		if (eight & UINT64_C(0x8080808080808080))
			break;
	}
	while (i < n && p[i] < 0x80)
		i++;
	return i;
}

size_t utf8_valid_prefix(const char *p, size_t n)
{
	const unsigned char *s = (const unsigned char *)p;

	for (size_t i = 0; i < n;) {
		bool well_formed;

		i += ascii_prefix(s + i, n - i);
		if (i == n)
			break;
		size_t length = sequence(s + i, n - i, &well_formed);
		if (!well_formed)
			return i;
		i += length;
	}
	return n;
}

bool utf8_append_clean(struct buf *out, struct text t)
{
	const char *p = t.p;
	size_t n = t.len;
	bool clean = true;

	while (n) {
		size_t valid = utf8_valid_prefix(p, n);

		buf_add(out, p, valid);
		p += valid;
		n -= valid;
		if (n == 0)
			break;
		size_t bad = sequence((const unsigned char *)p, n, &(bool){ false });
		buf_add(out, "\xEF\xBF\xBD", 3);
		p += bad;
		n -= bad;
		clean = false;
	}
	return clean;
}

uint32_t utf8_decode(const char *p, size_t *n)
{
	const unsigned char *u = (const unsigned char *)p;

	*n = u[0] < 0x80 ? 1 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
	uint32_t c = *n == 1 ? u[0] : u[0] & (0xffu >> (*n + 1));
	for (size_t i = 1; i < *n; i++)
		c = c << 6 | (u[i] & 0x3f);
	return c;
}

size_t utf8_encode(uint32_t c, char out[4])
{
	if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		c = 0xfffd;
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(n == 1 ? c : (0xf00u >> n & 0xff) | c);
	return n;
}
