/* escape.c - see escape.h. Everything goes through escape_terminal first: what is harmless there is then made so for the other places. */
#include "common/escape.h"

#include <stdbool.h>
#include <stdint.h>

#include "common/utf8.h"

/* RFC 2047 2: an encoded word has at most 75 characters; these leave room for "=?UTF-8?Q?" and "?=". */
enum { ENCODED_WORD_MAX = 60 };

/* Characters that reorder or hide what stands beside them, or look like nothing (Unicode UAX 9 and Default_Ignorable_Code_Point). */
static bool is_treacherous(uint32_t c)
{
	return c == 0xad || c == 0x34f || c == 0x61c || c == 0x115f || c == 0x1160 || (c >= 0x17b4 && c <= 0x17b5) || (c >= 0x180b && c <= 0x180f)
	    || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0x3164 || c == 0xfeff || c == 0xffa0
	    || (c >= 0xfff0 && c <= 0xfffb) || (c >= 0x1d173 && c <= 0x1d17a) || (c >= 0xe0000 && c <= 0xe0fff);
}

void escape_terminal(struct buf *out, struct text t, size_t max_columns)
{
	struct buf clean = { 0 };
	size_t columns = 0;

	if (!t.p) {
		buf_add_char(out, '-');
		return;
	}
	utf8_append_clean(&clean, t);
	for (size_t i = 0, n; i < clean.len; i += n) {
		uint32_t c = utf8_decode(clean.p + i, &n);
		size_t before = out->len;

		if (max_columns && columns >= max_columns) {
			buf_add_str(out, "...");
			break;
		}
		if (c == '\t' || c == '\n' || c == '\r')
			buf_add_char(out, ' ');
		else if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			buf_printf(out, "\\x%02x", c);
		else if (is_treacherous(c))
			buf_printf(out, "\\u{%x}", c);
		else
			buf_add(out, clean.p + i, n);
		columns += out->len - before > n ? out->len - before : 1;
	}
	buf_fini(&clean);
}

static const char *entity(char c)
{
	switch (c) {
	case '&': return "&amp;";
	case '<': return "&lt;";
	case '>': return "&gt;";
	case '"': return "&quot;";
	case '\'': return "&#39;";
	default: return NULL;
	}
}

void escape_html(struct buf *out, struct text t, size_t max_columns)
{
	struct buf plain = { 0 };

	escape_terminal(&plain, t, max_columns);
	for (size_t i = 0; i < plain.len; i++) {
		const char *e = entity(plain.p[i]);

		if (e)
			buf_add_str(out, e);
		else
			buf_add_char(out, plain.p[i]);
	}
	buf_fini(&plain);
}

/* Some spreadsheets look behind quotes and blanks, and at full-width forms and the minus sign, too. */
static bool is_formula(const struct buf *b)
{
	size_t i = 0, n;

	while (i < b->len && (b->p[i] == ' ' || b->p[i] == '"' || b->p[i] == '\''))
		i++;
	if (i == b->len)
		return false;
	uint32_t c = utf8_decode(b->p + i, &n);
	return c == '=' || c == '+' || c == '-' || c == '@' || c == '|' || c == '%' || c == 0xff1d || c == 0xff0b || c == 0xff0d || c == 0xff20 || c == 0x2212;
}

void escape_csv(struct buf *out, struct text t, size_t max_columns)
{
	struct buf plain = { 0 };

	if (!t.p)
		return;
	escape_terminal(&plain, t, max_columns);
	buf_add_str(out, is_formula(&plain) ? "\"'" : "\"");
	for (size_t i = 0; i < plain.len; i++) {
		if (plain.p[i] == '"')
			buf_add_char(out, '"');
		buf_add_char(out, plain.p[i]);
	}
	buf_add_char(out, '"');
	buf_fini(&plain);
}

/* Printable ASCII that nobody takes for an encoded word, and not longer than a line may be. */
static bool is_plain_header(const struct buf *b)
{
	for (size_t i = 0; i < b->len; i++)
		if ((unsigned char)b->p[i] < ' ' || (unsigned char)b->p[i] > '~' || (b->p[i] == '=' && i + 1 < b->len && b->p[i + 1] == '?'))
			return false;
	return b->len <= 200;
}

void escape_header(struct buf *out, struct text t)
{
	struct buf plain = { 0 };
	size_t room = 0;

	if (!t.p)
		return;
	escape_terminal(&plain, t, 0);
	if (is_plain_header(&plain)) {
		buf_add(out, plain.p, plain.len);
		buf_fini(&plain);
		return;
	}
	for (size_t i = 0, n; i < plain.len; i += n) {
		utf8_decode(plain.p + i, &n);
		if (room < 3 * n) {	/* a character stays within its word (RFC 2047 5) */
			buf_add_str(out, i ? "?=\r\n =?UTF-8?Q?" : "=?UTF-8?Q?");
			room = ENCODED_WORD_MAX;
		}
		for (size_t k = i; k < i + n; k++) {
			char c = plain.p[k];
			bool letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

			if (letter)
				buf_add_char(out, c);
			else
				buf_printf(out, "=%02X", (unsigned char)c);
			room -= letter ? 1 : 3;
		}
	}
	buf_add_str(out, "?=");
	buf_fini(&plain);
}
