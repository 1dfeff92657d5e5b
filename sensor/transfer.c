/* transfer.c - see transfer.h */
#include "sensor/transfer.h"

#include <string.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static size_t base64_line(struct transfer_state *s, struct text line, char *out)
{
	size_t n = 0;

	for (uint32_t i = 0; i < line.len; i++) {
		int v = base64_value(line.p[i]);

		if (line.p[i] == '=')
			s->count = 0;
		if (v < 0)
			continue;
		s->bits = s->bits << 6 | (uint32_t)v;
		if (s->count)
			out[n++] = (char)(s->bits >> (6 - 2 * s->count) & 0xff);
		s->count = (s->count + 1) & 3;
	}
	return n;
}

static size_t quoted_printable_line(struct text line, char *out)
{
	size_t n = 0;

	while (line.len && (line.p[line.len - 1] == ' ' || line.p[line.len - 1] == '\t'))
		line.len--;
	for (uint32_t i = 0; i < line.len; i++) {
		if (line.p[i] == '=' && i + 1 == line.len)
			return n;
		if (line.p[i] == '=' && i + 2 < line.len && hex_value(line.p[i + 1]) >= 0 && hex_value(line.p[i + 2]) >= 0) {
			out[n++] = (char)(hex_value(line.p[i + 1]) << 4 | hex_value(line.p[i + 2]));
			i += 2;
		} else {
			out[n++] = line.p[i];
		}
	}
	out[n++] = '\n';
	return n;
}

enum transfer transfer_by_name(struct text value)
{
	value = text_trim(value);
	if (text_starts_nocase(value, "base64"))
		return TRANSFER_BASE64;
	if (text_starts_nocase(value, "quoted-printable"))
		return TRANSFER_QUOTED_PRINTABLE;
	return TRANSFER_IDENTITY;
}

size_t transfer_line(enum transfer t, struct transfer_state *s, struct text line, char *out)
{
	if (t == TRANSFER_BASE64)
		return base64_line(s, line, out);
	if (t == TRANSFER_QUOTED_PRINTABLE)
		return quoted_printable_line(line, out);
	if (line.len)
		memcpy(out, line.p, line.len);
	out[line.len] = '\n';
	return line.len + 1;
}
