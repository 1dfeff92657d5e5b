/* reply.c - see reply.h */
#include "sensor/reply.h"

#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Length of "D.DDD.DDD" at p (RFC 3463 2), followed by a blank or the end; 0 when there is none. */
static uint32_t enhanced_length(const char *p, uint32_t n)
{
	uint32_t i = 0;

	if (n < 5 || (p[0] != '2' && p[0] != '4' && p[0] != '5') || p[1] != '.')
		return 0;
	i = 2;
	for (int part = 0; part < 2; part++) {
		uint32_t digits = 0;

		while (i < n && is_digit(p[i]) && digits < 4) {
			i++;
			digits++;
		}
		if (digits == 0 || digits > 3)
			return 0;
		if (part == 0) {
			if (i >= n || p[i] != '.')
				return 0;
			i++;
		}
	}
	if (i < n && p[i] != ' ' && p[i] != '\t')
		return 0;
	return i;
}

static void split_text(const char *p, uint32_t n, struct reply_line *out)
{
	uint32_t e = enhanced_length(p, n);

	if (e) {
		out->enhanced = (struct text){ p, e };
		p += e;
		n -= e;
		while (n && *p == ' ') {
			p++;
			n--;
		}
	}
	out->text = (struct text){ p, n };
}

bool reply_parse(struct text line, struct reply_line *out)
{
	const char *p = line.p;
	uint32_t n = line.len;

	*out = (struct reply_line){ 0 };
	if (n < 3 || !is_digit(p[0]) || !is_digit(p[1]) || !is_digit(p[2])) {
		/* "4.7.0 text" without a code: seen from greylisting proxies; its class still tells that it refuses. "2.0.0" grants nothing: clients take it
		 * for an error. */
		uint32_t e = enhanced_length(p, n);

		if (!e || p[0] == '2')
			return false;
		out->code = (unsigned)(p[0] - '0') * 100;
		out->odd = true;
		split_text(p, n, out);
		return true;
	}
	out->code = (unsigned)((p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0'));
	out->odd = out->code < 200 || out->code > 599;
	p += 3;
	n -= 3;
	if (n && (*p == '-' || *p == ' ')) {
		out->more = *p == '-';
		p++;
		n--;
	} else if (n) {
		if (is_digit(*p))
			return false;
		out->odd = true;
	}
	split_text(p, n, out);
	return true;
}

static bool is_id_char(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';
}

/* The id-like word at offset i of t: at least 5 characters. */
static struct text word_at(struct text t, ptrdiff_t i)
{
	uint32_t start = (uint32_t)i;

	while (start < t.len && (t.p[start] == ' ' || t.p[start] == '<' || t.p[start] == '('))
		start++;
	uint32_t end = start;
	while (end < t.len && is_id_char(t.p[end]))
		end++;
	while (end > start && t.p[end - 1] == '.')
		end--;
	if (end - start < 5)
		return (struct text){ 0 };
	return (struct text){ t.p + start, end - start };
}

/* The id-like word that ends before offset i. */
static struct text word_before(struct text t, ptrdiff_t i)
{
	uint32_t end = (uint32_t)i;

	while (end && t.p[end - 1] == ' ')
		end--;
	uint32_t start = end;
	while (start && is_id_char(t.p[start - 1]))
		start--;
	return end - start < 5 ? (struct text){ 0 } : (struct text){ t.p + start, end - start };
}

/* Forms by the words in front of the id; the most telling ones first. */
static const char *const before_id[] = {
	"queued as ",		/* Postfix, Exchange edge, Momentum */
	"queued mail for delivery, id=",
	"id=",			/* Exim */
	"message queued (",	/* Haraka */
	"queued (",
	" qp ",			/* qmail: "ok 1700000000 qp 12345" */
	"queueid ",
	"queue-id ",
	"message id ",
};

struct text reply_queue_id(struct text text)
{
	if (!text.p)
		return (struct text){ 0 };
	ptrdiff_t i = text_find_nocase(text, " message accepted for delivery");
	if (i > 0)					/* Sendmail, OpenSMTPD */
		return word_before(text, i);
	for (size_t k = 0; k < sizeof before_id / sizeof *before_id; k++) {
		i = text_find_nocase(text, before_id[k]);
		if (i >= 0)
			return word_at(text, i + (ptrdiff_t)strlen(before_id[k]));
	}
	i = text_find_nocase(text, " - gsmtp");		/* "OK 1700000000 x1-2002si.98 - gsmtp" */
	if (i > 0)
		return word_before(text, i);
	if (text_starts_nocase(text, "ok. "))		/* Courier */
		return word_at(text, 4);
	return (struct text){ 0 };
}
