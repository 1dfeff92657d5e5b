/* header.c - see header.h */
#include "sensor/header.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"
#include "sensor/fact.h"
#include "sensor/limits.h"
#include "sensor/transfer.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct text slice(struct text t, uint32_t from, uint32_t to)
{
	return (struct text){ t.p + from, to - from };
}

/* RFC 5322 2.2: printable ASCII but the colon. */
static bool is_name_char(char c)
{
	return c > 32 && c < 127 && c != ':';
}

enum header_line header_line_kind(struct text line)
{
	uint32_t i = 0;

	if (line.len == 0)
		return HEADER_BLANK;
	if (line.p[0] == ' ' || line.p[0] == '\t')
		return HEADER_FOLD;
	while (i < line.len && is_name_char(line.p[i]))
		i++;
	if (i < line.len && line.p[i] == ':')
		return i ? HEADER_FIELD : HEADER_SKIP;
	return line.len >= 5 && memcmp(line.p, "From ", 5) == 0 ? HEADER_SKIP : HEADER_OTHER;
}

void header_field_begin(struct header_field *f, struct text line)
{
	f->text = line;
	f->open = true;
}

static void reserve(struct header_field *f, uint32_t n)
{
	if (n <= f->cap)
		return;
	uint32_t cap = f->cap ? f->cap : 512;

	while (cap < n)
		cap *= 2;
	f->buf = xreallocarray(f->buf, cap, 1);
	f->cap = cap;
}

void header_field_hold(struct header_field *f)
{
	if (!f->open || (f->buf && f->text.p == f->buf))
		return;
	reserve(f, f->text.len);
	if (f->text.len)
		memcpy(f->buf, f->text.p, f->text.len);
	f->text.p = f->buf;
}

void header_field_fold(struct header_field *f, struct text line)
{
	uint32_t n = line.len;

	if (!f->open)
		return;
	header_field_hold(f);
	if (n > LIMIT_HEADER_LINE - f->text.len)
		n = LIMIT_HEADER_LINE - f->text.len;
	reserve(f, f->text.len + n);
	if (n)
		memcpy(f->buf + f->text.len, line.p, n);
	f->text.p = f->buf;
	f->text.len += n;
}

void header_field_fini(struct header_field *f)
{
	free(f->buf);
	*f = (struct header_field){ 0 };
}

void header_split(struct text field, struct text *name, struct text *value)
{
	const char *colon = field.len ? memchr(field.p, ':', field.len) : NULL;

	*name = field;
	*value = (struct text){ 0 };
	if (!colon)
		return;
	name->len = (uint32_t)(colon - field.p);
	*value = text_trim(slice(field, name->len + 1, field.len));
}

struct text header_keep(struct arena *a, struct text value, size_t max, uint32_t *notes)
{
	bool cut = false;
	struct text kept = arena_copy(a, value.p, value.len, max, &cut);

	if (cut)
		*notes |= NOTE_TRUNCATED;
	return kept;
}

/* Behind the quoted string or (nested) comment that begins at i; the end when it is not closed. */
static uint32_t skip_quoted(struct text t, uint32_t i)
{
	for (i++; i < t.len && t.p[i] != '"'; i++)
		if (t.p[i] == '\\')
			i++;
	return i < t.len ? i + 1 : t.len;
}

static uint32_t skip_comment(struct text t, uint32_t i)
{
	unsigned depth = 0;

	for (; i < t.len; i++) {
		if (t.p[i] == '\\')
			i++;
		else if (t.p[i] == '(')
			depth++;
		else if (t.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return t.len;
}

/* The part of *rest up to the next ";" outside of quotes (and comments, when they count); *rest moves behind it. False at the end. */
static bool next_segment(struct text *rest, bool comments, struct text *segment)
{
	uint32_t i = 0;

	if (!rest->p)
		return false;
	while (i < rest->len && rest->p[i] != ';') {
		if (rest->p[i] == '"')
			i = skip_quoted(*rest, i);
		else if (comments && rest->p[i] == '(')
			i = skip_comment(*rest, i);
		else
			i++;
	}
	*segment = slice(*rest, 0, i);
	*rest = i < rest->len ? slice(*rest, i + 1, rest->len) : (struct text){ 0 };
	return true;
}

struct text header_media_type(struct text value)
{
	uint32_t i = 0;

	value = text_trim(value);
	while (i < value.len && value.p[i] != ';' && value.p[i] != '(' && !is_blank(value.p[i]))
		i++;
	value.len = i;
	return value;
}

/* "name = value" -> the trimmed value when the name is the wanted one, else NULL. */
static struct text named_value(struct text segment, const char *name)
{
	const char *equals = segment.len ? memchr(segment.p, '=', segment.len) : NULL;

	if (!equals)
		return (struct text){ 0 };
	uint32_t at = (uint32_t)(equals - segment.p);
	struct text left = text_trim(slice(segment, 0, at));

	if (left.len != strlen(name) || !text_starts_nocase(left, name))
		return (struct text){ 0 };
	return text_trim(slice(segment, at + 1, segment.len));
}

static struct text unquote(struct text v, char *out, size_t size)
{
	uint32_t n = 0, end = v.len;

	if (v.len == 0 || v.p[0] != '"') {
		if (v.len > size)
			return (struct text){ 0 };
		if (v.len)
			memcpy(out, v.p, v.len);
		return (struct text){ out, v.len };
	}
	for (uint32_t i = 1; i < end && v.p[i] != '"'; i++) {
		if (v.p[i] == '\\' && i + 1 < end)
			i++;
		if (n == size)
			return (struct text){ 0 };
		out[n++] = v.p[i];
	}
	return (struct text){ out, n };
}

struct text header_param(struct text value, const char *name, char *out, size_t size)
{
	struct text segment;

	if (!next_segment(&value, false, &segment))
		return (struct text){ 0 };
	while (next_segment(&value, false, &segment)) {
		struct text v = named_value(segment, name);

		if (v.p)
			return unquote(v, out, size);
	}
	return (struct text){ 0 };
}

struct text header_tag(struct text value, const char *tag)
{
	struct text segment;

	while (next_segment(&value, false, &segment)) {
		struct text v = named_value(segment, tag);

		if (v.p)
			return v;
	}
	return (struct text){ 0 };
}

/* From "<" at i: what is inside, without a source route (RFC 5321 4.1.1.3). */
static struct text angle_address(struct text t, uint32_t i)
{
	uint32_t from = ++i;

	while (i < t.len && t.p[i] != '>')
		i = t.p[i] == '"' ? skip_quoted(t, i) : i + 1;
	struct text inner = text_trim(slice(t, from, i));
	const char *colon = inner.len && inner.p[0] == '@' ? memchr(inner.p, ':', inner.len) : NULL;

	if (colon)
		inner = text_trim(slice(inner, (uint32_t)(colon - inner.p) + 1, inner.len));
	return inner;
}

/* Behind the word that begins at i; *at tells whether it has an "@" outside of quotes. */
static uint32_t skip_word(struct text t, uint32_t i, bool *at)
{
	*at = false;
	while (i < t.len && !is_blank(t.p[i]) && !strchr("<,;(:", t.p[i] ? t.p[i] : 'x')) {
		if (t.p[i] == '"') {
			i = skip_quoted(t, i);
			continue;
		}
		if (t.p[i] == '[') {	/* an address literal may hold colons */
			const char *close = memchr(t.p + i, ']', t.len - i);

			i = close ? (uint32_t)(close - t.p) : i;
		}
		*at |= t.p[i] == '@';
		i++;
	}
	return i;
}

struct text header_first_address(struct text value)
{
	struct text bare = { 0 }, word = { 0 };	/* the first with "@" of this item; the first without of all */
	uint32_t i = 0;

	while (i < value.len) {
		char c = value.p[i];

		if (c == '<')
			return angle_address(value, i);
		if (c == '(') {
			i = skip_comment(value, i);
		} else if (c == ',' || c == ';') {
			if (bare.p)
				return bare;
			i++;
		} else if (c == ':') {
			bare = word = (struct text){ 0 };
			i++;
		} else if (is_blank(c)) {
			i++;
		} else {
			bool at;
			uint32_t end = skip_word(value, i, &at);

			if (at && !bare.p)
				bare = slice(value, i, end);
			else if (!at && !word.p)
				word = slice(value, i, end);
			i = end;
		}
	}
	return bare.p ? bare : word;
}

static struct text word_with_at(struct text value)
{
	uint32_t i = 0;

	while (i < value.len) {
		uint32_t from = i;

		while (i < value.len && !is_blank(value.p[i]))
			i++;
		if (i > from && memchr(value.p + from, '@', i - from))
			return slice(value, from, i);
		i++;
	}
	return (struct text){ 0 };
}

/* The "<...>" at or behind i, *after set behind it; NULL when there is none. */
static struct text next_angle(struct text value, uint32_t i, uint32_t *after)
{
	const char *open = i < value.len ? memchr(value.p + i, '<', value.len - i) : NULL;
	const char *close = open ? memchr(open, '>', (size_t)(value.p + value.len - open)) : NULL;

	if (!close)
		return (struct text){ 0 };
	*after = (uint32_t)(close - value.p) + 1;
	return text_trim(slice(value, (uint32_t)(open - value.p) + 1, *after - 1));
}

struct text header_first_id(struct text value)
{
	uint32_t after;
	struct text id = next_angle(value, 0, &after);

	return id.p ? id : word_with_at(value);
}

struct text header_last_id(struct text value)
{
	uint32_t after = 0;
	struct text last = { 0 };

	for (struct text id = next_angle(value, 0, &after); id.p; id = next_angle(value, after, &after))
		last = id;
	return last.p ? last : word_with_at(value);
}

struct text header_strip_angle(struct text value)
{
	uint32_t after;

	value = text_trim(value);
	if (value.len == 0 || value.p[0] != '<')
		return value;
	struct text inner = next_angle(value, 0, &after);

	return inner.p ? inner : value;
}

/* Without blanks and comments in front. */
static struct text skip_cfws(struct text t)
{
	uint32_t i = 0;

	while (i < t.len && (is_blank(t.p[i]) || t.p[i] == '('))
		i = t.p[i] == '(' ? skip_comment(t, i) : i + 1;
	return slice(t, i, t.len);
}

struct text header_auth_server(struct text value)
{
	struct text id;

	if (!next_segment(&value, true, &id))
		return (struct text){ 0 };
	id = header_media_type(skip_cfws(id));
	return id.len == 0 || memchr(id.p, '=', id.len) ? (struct text){ 0 } : id;
}

/* "method/1 = result ..." -> result when the method is the wanted one. */
static struct text method_result(struct text segment, const char *method)
{
	uint32_t i = (uint32_t)strlen(method);

	segment = skip_cfws(segment);
	if (!text_starts_nocase(segment, method))
		return (struct text){ 0 };
	while (i < segment.len && (is_blank(segment.p[i]) || segment.p[i] == '/' || (segment.p[i] >= '0' && segment.p[i] <= '9')))
		i++;
	if (i == segment.len || segment.p[i] != '=')
		return (struct text){ 0 };
	struct text result = skip_cfws(slice(segment, i + 1, segment.len));

	for (i = 0; i < result.len && ((result.p[i] | 32) >= 'a' && (result.p[i] | 32) <= 'z'); i++)
		;
	result.len = i;
	return i ? result : (struct text){ 0 };
}

struct text header_auth_result(struct text value, const char *method)
{
	struct text segment, first = { 0 };

	while (next_segment(&value, true, &segment)) {
		struct text result = method_result(segment, method);

		if (text_equal_nocase(result, TEXT("pass")))
			return result;
		if (!first.p)
			first = result;
	}
	return first;
}

/* The encoded word that begins with "=?" at i: its length, 0 when it is none. */
static uint32_t encoded_word(struct text value, uint32_t i, char *encoding, struct text *payload)
{
	struct text rest = slice(value, i, value.len);
	const char *mark = rest.len > 2 ? memchr(rest.p + 2, '?', rest.len - 2) : NULL;
	const char *end = rest.p + rest.len;

	if (!mark || end - mark < 3 || mark[2] != '?')
		return 0;
	const char *stop = memchr(mark + 3, '?', (size_t)(end - mark - 3));

	if (!stop || end - stop < 2 || stop[1] != '=')
		return 0;
	*encoding = (char)(mark[1] | 32);
	*payload = (struct text){ mark + 3, (uint32_t)(stop - mark - 3) };
	return (uint32_t)(stop + 2 - rest.p);
}

static size_t decode_word(char encoding, struct text payload, char *out)
{
	struct transfer_state state = { 0 };

	if (encoding == 'b')
		return transfer_line(TRANSFER_BASE64, &state, payload, out);
	size_t n = transfer_line(TRANSFER_QUOTED_PRINTABLE, &state, payload, out);

	if (n && out[n - 1] == '\n')
		n--;
	for (size_t i = 0; i < n; i++)
		if (out[i] == '_')
			out[i] = ' ';
	return n;
}

struct text header_decode_words(struct text value, char *out, size_t size)
{
	uint32_t i = 0, after = 0;	/* after: behind the last encoded word */
	size_t n = 0, mark = 0;		/* mark: its end in out */

	while (i < value.len && n < size) {
		char encoding;
		struct text payload;
		uint32_t length = value.p[i] == '=' && i + 1 < value.len && value.p[i + 1] == '?'
			? encoded_word(value, i, &encoding, &payload) : 0;

		if (!length || payload.len >= size - n) {
			out[n++] = value.p[i++];
			continue;
		}
		if (after && text_trim(slice(value, after, i)).len == 0)
			n = mark;	/* blanks between encoded words are none, RFC 2047 6.2 */
		n += decode_word(encoding, payload, out + n);
		i += length;
		after = i;
		mark = n;
	}
	return (struct text){ out, (uint32_t)n };
}
