/* json.c - see json.h */
#include "common/json.h"

#include <assert.h>
#include <string.h>

#include "common/utf8.h"

enum { KEY_MAX = 60, INT_MAX_TEXT = 24 };

void json_begin(struct json *j, struct buf *out)
{
	*j = (struct json){ .out = out };
}

/* The comma, and "key": when there is one. */
static void begin_item(struct json *j, const char *key)
{
	char head[KEY_MAX + 4];
	size_t n = 0;

	if (j->comma)
		head[n++] = ',';
	if (key) {
		size_t len = strlen(key);

		assert(len <= KEY_MAX);
		head[n++] = '"';
		memcpy(head + n, key, len);
		n += len;
		head[n++] = '"';
		head[n++] = ':';
	}
	if (n)
		buf_add(j->out, head, n);
	j->comma = true;
}

static void open_item(struct json *j, const char *key, char bracket)
{
	begin_item(j, key);
	buf_add_char(j->out, bracket);
	j->comma = false;
}

static void close_item(struct json *j, char bracket)
{
	buf_add_char(j->out, bracket);
	j->comma = true;
}

void json_object(struct json *j, const char *key)
{
	open_item(j, key, '{');
}

void json_object_end(struct json *j)
{
	close_item(j, '}');
}

void json_array(struct json *j, const char *key)
{
	open_item(j, key, '[');
}

void json_array_end(struct json *j)
{
	close_item(j, ']');
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* A bit in each byte of w that is below 0x20, a quote, a backslash, DEL or not ASCII (and perhaps in bytes behind such one). */
static uint64_t special_bytes(uint64_t w)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
	uint64_t quote = w ^ (ones * '"'), backslash = w ^ (ones * '\\');
	uint64_t below = ((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash);

	return (below | w | (w + ones)) & high;
}

/* Length of the leading run that goes out as it is. */
static size_t plain_prefix(const unsigned char *p, size_t n)
{
	size_t i = 0;
	uint64_t eight;

	for (; n - i >= sizeof eight; i += sizeof eight) {
		memcpy(&eight, p + i, sizeof eight);
		if (special_bytes(eight))
			break;
	}
	while (i < n && is_plain(p[i]))
		i++;
	return i;
}

static void add_escaped(struct buf *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef", letters[] = "b\bf\fn\nr\rt\t\"\"\\\\";
	char unicode[] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	for (const char *l = letters; *l; l += 2)
		if (l[1] == (char)c) {
			buf_add(out, (char[]){ '\\', *l }, 2);
			return;
		}
	buf_add(out, unicode, sizeof unicode);
}

/* Other than ASCII: what is well-formed as it is, but C1 controls (U+0080..U+009F), which terminals obey, escaped. */
static void add_wide(struct buf *out, const char *p, size_t n)
{
	size_t begin = 0;

	for (size_t i = 0; i + 1 < n; i++) {
		unsigned char next = (unsigned char)p[i + 1];

		if (p[i] != '\xc2' || next < 0x80 || next > 0x9f)
			continue;
		utf8_append_clean(out, (struct text){ p + begin, (uint32_t)(i - begin) });
		add_escaped(out, next);
		begin = i + 2;
		i++;
	}
	utf8_append_clean(out, (struct text){ p + begin, (uint32_t)(n - begin) });
}

static void add_text(struct buf *out, struct text t)
{
	const char *p = t.p;
	size_t n = t.len;

	buf_add_char(out, '"');
	while (n) {
		size_t run = plain_prefix((const unsigned char *)p, n), wide = 0;

		buf_add(out, p, run);
		p += run;
		n -= run;
		while (wide < n && (unsigned char)p[wide] >= 0x80)
			wide++;
		if (wide)
			add_wide(out, p, wide);
		else if (n)
			add_escaped(out, (unsigned char)p[wide++]);
		p += wide;
		n -= wide;
	}
	buf_add_char(out, '"');
}

void json_text(struct json *j, const char *key, struct text t)
{
	if (!t.p) {
		json_null(j, key);
		return;
	}
	begin_item(j, key);
	add_text(j->out, t);
}

void json_string(struct json *j, const char *key, const char *s)
{
	json_text(j, key, (struct text){ s, s ? (uint32_t)strlen(s) : 0 });
}

void json_int(struct json *j, const char *key, int64_t v)
{
	char text[INT_MAX_TEXT];
	char *p = text + sizeof text;
	uint64_t rest = v < 0 ? -(uint64_t)v : (uint64_t)v;

	do
		*--p = (char)('0' + rest % 10);
	while (rest /= 10);
	if (v < 0)
		*--p = '-';
	begin_item(j, key);
	buf_add(j->out, p, (size_t)(text + sizeof text - p));
}

void json_number(struct json *j, const char *key, const char *text)
{
	begin_item(j, key);
	buf_add_str(j->out, text);
}

void json_bool(struct json *j, const char *key, bool v)
{
	begin_item(j, key);
	buf_add_str(j->out, v ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
	begin_item(j, key);
	buf_add(j->out, "null", 4);
}
