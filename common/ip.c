/* ip.c - see ip.h */
#include "common/ip.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

int ip_parse(const char *s, size_t n, struct ip_addr *out)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[IP_TEXT_MAX];
	uint8_t v6[16];

	if (n == 0 || n >= sizeof text)
		return -1;
	memcpy(text, s, n);
	text[n] = '\0';
	*out = (struct ip_addr){ 0 };
	if (inet_pton(AF_INET, text, out->bytes) == 1) {
		out->version = 4;
		return 0;
	}
	if (inet_pton(AF_INET6, text, v6) != 1)
		return -1;
	if (memcmp(v6, mapped, sizeof mapped) == 0) {
		out->version = 4;
		memcpy(out->bytes, v6 + 12, 4);
	} else {
		out->version = 6;
		memcpy(out->bytes, v6, 16);
	}
	return 0;
}

static void mask(struct ip_addr *a, unsigned bits)
{
	for (unsigned i = 0; i < 16; i++) {
		if (bits >= 8) {
			bits -= 8;
			continue;
		}
		a->bytes[i] &= (uint8_t)(0xff00 >> bits);
		bits = 0;
	}
}

int ip_prefix_parse(const char *s, struct ip_prefix *out)
{
	const char *slash = strchr(s, '/');
	size_t n = slash ? (size_t)(slash - s) : strlen(s);

	if (ip_parse(s, n, &out->addr))
		return -1;
	unsigned max = out->addr.version == 4 ? 32 : 128;
	unsigned long bits = max;
	if (slash) {
		char *end;

		if (slash[1] < '0' || slash[1] > '9')
			return -1;
		bits = strtoul(slash + 1, &end, 10);
		if (*end || bits > max)
			return -1;
	}
	struct ip_addr masked = out->addr;
	mask(&masked, (unsigned)bits);
	if (!ip_equal(&masked, &out->addr))
		return -1;
	out->bits = (uint8_t)bits;
	return 0;
}

/* As inet_ntop does, without its printf: every row has two of them. */
static void format_v4(const uint8_t bytes[4], char *out)
{
	for (int i = 0; i < 4; i++) {
		unsigned v = bytes[i];

		if (v >= 100)
			*out++ = (char)('0' + v / 100);
		if (v >= 10)
			*out++ = (char)('0' + v / 10 % 10);
		*out++ = (char)('0' + v % 10);
		*out++ = i < 3 ? '.' : '\0';
	}
}

const char *ip_format(const struct ip_addr *a, char out[IP_TEXT_MAX])
{
	out[0] = '\0';
	if (a->version == 4)
		format_v4(a->bytes, out);
	else if (a->version)
		inet_ntop(AF_INET6, a->bytes, out, IP_TEXT_MAX);
	return out;
}

bool ip_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return ip_compare(a, b) == 0;
}

int ip_compare(const struct ip_addr *a, const struct ip_addr *b)
{
	if (a->version != b->version)
		return a->version < b->version ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

bool ip_in_prefix(const struct ip_addr *a, const struct ip_prefix *p)
{
	unsigned whole = p->bits / 8, rest = p->bits % 8;

	if (a->version != p->addr.version || memcmp(a->bytes, p->addr.bytes, whole) != 0)
		return false;
	return rest == 0 || ((a->bytes[whole] ^ p->addr.bytes[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

bool ip_is_world(const struct ip_addr *a)
{
	static const uint8_t zero[15] = { 0 };
	const uint8_t *b = a->bytes;

	if (a->version == 4)
		return !(b[0] == 127 || b[0] == 10 || b[0] == 0 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168)
			 || (b[0] == 169 && b[1] == 254) || (b[0] == 100 && (b[1] & 0xc0) == 64));
	return a->version == 6 && (b[0] & 0xfe) != 0xfc && !(b[0] == 0xfe && (b[1] & 0xc0) == 0x80) && memcmp(b, zero, 15) != 0;
}

bool ip_is_near(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->version && a->version == b->version && memcmp(a->bytes, b->bytes, a->version == 4 ? 3 : 6) == 0;
}
