/* said.c - see said.h */
#include "sensor/said.h"

#include <ctype.h>
#include <string.h>

#include "sensor/header.h"

enum { REASON_BYTES = 512, ADDRESS_BYTES = 254 };	/* a reply line has at most 512 bytes, RFC 5321 4.5.3.1.5; a path 256, 4.5.3.1.3 */

static struct text behind(struct text t, uint32_t n)
{
	return (struct text){ t.p + n, t.len - n };
}

static bool is_address_char(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 || (c && strchr(".!#$%&'*+-/=?^_`{|}~", c));
}

/* Bytes of the address that t begins with, 0 when it begins with none. RFC 5321 4.1.2 without quoted strings; the domain has a dot. */
static uint32_t address_bytes(struct text t)
{
	uint32_t at = 0, end;
	bool dot = false;

	while (at < t.len && at < ADDRESS_BYTES && is_address_char(t.p[at]))
		at++;
	if (at == 0 || at >= t.len || t.p[at] != '@')
		return 0;
	for (end = at + 1; end < t.len && end < ADDRESS_BYTES && (isalnum((unsigned char)t.p[end]) || memchr(".-_", t.p[end], 3)); end++)
		dot |= t.p[end] == '.';
	while (end > at && t.p[end - 1] == '.')
		end--;
	return dot && end > at + 3 ? end : 0;
}

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

/* Behind "rfc822;", "SMTP:", "[", "<" and the like; behind the marks of a list. */
static struct text opened(struct text t)
{
	static const char *const types[] = { "rfc822;", "smtp:", "mailto:" };

	while (t.len && is_one_of(t.p[0], " \t*->'\"[(<"))
		t = behind(t, 1);
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (text_starts_nocase(t, types[i]))
			return opened(behind(t, (uint32_t)strlen(types[i])));
	return t;
}

/* The name in front of a colon tells of a recipient. */
static bool is_recipient_label(struct text label)
{
	static const char *const words[] = { "recipient", "rcpt", "failed address", "unknown user", "no such user", "failed to", "deliver", "empf\xc3\xa4nger", "empf\xe4nger",
		"destinat", "geadresseerde", "undeliverable to", "intended recipients" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (text_find_nocase(label, words[i]) >= 0)
			return true;
	return false;
}

/* What a line may hold in front of the address: nothing, a label, or a command or reply. Answers the rest, NULL when it is something else. */
static struct text in_front(struct text line)
{
	const char *colon = memchr(line.p, ':', line.len < 40 ? line.len : 40), *at = memchr(line.p, '@', line.len);

	if (colon && colon < at && is_recipient_label((struct text){ line.p, (uint32_t)(colon - line.p) }))
		return behind(line, (uint32_t)(colon - line.p) + 1);
	if (line.len > 4 && (line.p[0] == '4' || line.p[0] == '5') && isdigit((unsigned char)line.p[1]) && isdigit((unsigned char)line.p[2])) {
		const char *open = memchr(line.p, '<', (size_t)(at - line.p));

		return open ? behind(line, (uint32_t)(open - line.p)) : (struct text){ 0 };
	}
	ptrdiff_t to = text_find_nocase(line, " to <");

	if (to >= 0 && line.p + to < at)
		return behind(line, (uint32_t)to + 4);
	return text_starts_nocase(line, "undeliverable to ") ? behind(line, 17) : line;
}

/* Its index; SAID_KEPT when it is new. */
static unsigned find(const struct said *s, struct text address)
{
	for (unsigned i = 0; i < s->count; i++)
		if (text_equal_nocase(s->recipient[i].final_recipient, address))
			return i;
	return SAID_KEPT;
}

static bool add(struct said *s, struct arena *a, struct text address, uint32_t *notes)
{
	if (s->count == SAID_KEPT)
		return false;
	struct text kept = header_keep(a, address, ADDRESS_BYTES, notes);

	if (!kept.p)
		return false;
	s->recipient[s->count++] = (struct fact_report_recipient){ .final_recipient = kept };
	s->reason_bytes = 0;
	return true;
}

/* The first "5.1.1" of a text, RFC 3463 2; not of an IP address or a version. */
static struct text status_in(struct text t)
{
	for (uint32_t i = 0; i + 5 <= t.len; i++) {
		uint32_t n = 1;

		if ((t.p[i] != '4' && t.p[i] != '5') || t.p[i + 1] != '.' || (i && (isalnum((unsigned char)t.p[i - 1]) || t.p[i - 1] == '.')))
			continue;
		for (unsigned part = 0; part < 2 && n; part++) {
			uint32_t from = i + n + 1, end = from;

			while (end < t.len && isdigit((unsigned char)t.p[end]))
				end++;
			n = i + n < t.len && t.p[i + n] == '.' && end > from && end <= from + 3 ? end - i : 0;
		}
		if (n && (i + n == t.len || !(isalnum((unsigned char)t.p[i + n]) || (t.p[i + n] == '.' && i + n + 1 < t.len && isdigit((unsigned char)t.p[i + n + 1])))))
			return (struct text){ t.p + i, n };
	}
	return (struct text){ 0 };
}

/* Appends to the reason of the last recipient, one blank between lines. */
static void add_reason(struct said *s, struct arena *a, struct text words)
{
	struct fact_report_recipient *r = &s->recipient[s->count - 1];

	words = text_trim(words);
	if (words.len == 0)
		return;
	if (!s->reason_bytes) {
		char *room = arena_alloc(a, REASON_BYTES);

		if (!room)
			return;
		r->diagnostic = (struct text){ room, 0 };
		s->reason_bytes = REASON_BYTES;
	}
	char *p = (char *)(uintptr_t)r->diagnostic.p;
	uint32_t n = r->diagnostic.len, room = REASON_BYTES - n;

	if (n && room) {
		p[n++] = ' ';
		room--;
	}
	if (words.len > room)
		words.len = room;
	memcpy(p + n, words.p, words.len);
	r->diagnostic.len = n + words.len;
	if (!r->status.p)
		r->status = status_in(r->diagnostic);
}

/* Whose the mail is, and who it is for: no recipient of the one that it tells about. */
static bool is_party(const struct said *s, struct text address)
{
	return text_equal_nocase(address, s->from) || text_equal_nocase(address, s->to);
}

/* The first address of a line, wherever it stands. */
static void note_mention(struct said *s, struct arena *a, struct text line, uint32_t *notes)
{
	const char *at = memchr(line.p, '@', line.len);
	uint32_t from = (uint32_t)(at - line.p);

	while (from && is_address_char(line.p[from - 1]))
		from--;
	struct text address = { line.p + from, address_bytes(behind(line, from)) };

	if (address.len && !is_party(s, address))
		s->mentioned = header_keep(a, address, ADDRESS_BYTES, notes);
}

/* True when the line names the recipient that is then at hand: what follows the address begins its reason. */
static bool names_recipient(struct said *s, struct arena *a, struct text line, uint32_t *notes)
{
	struct text t = in_front(line);
	bool labelled = t.p && t.p != line.p;

	t = t.p ? opened(t) : t;
	uint32_t n = t.p ? address_bytes(t) : 0;
	struct text address = { t.p, n };

	if (!n)
		return false;
	t = behind(t, n);
	while (t.len && is_one_of(t.p[0], "'\"])>"))
		t = behind(t, 1);
	bool alone = t.len == 0 || t.p[0] == ':' || is_one_of(text_trim(t).len ? text_trim(t).p[0] : 0, "-(") || text_starts_nocase(text_trim(t), "...");

	if ((!labelled && !alone) || is_party(s, address))
		return false;
	unsigned known = find(s, address);

	if (known < SAID_KEPT) {	/* once more in the transcript of the session, with the reason */
		if (known == s->count - 1u)
			add_reason(s, a, line);
		return known == s->count - 1u;
	}
	if (!add(s, a, address, notes))
		return false;
	while (t.len && is_one_of(t.p[0], " \t:;,."))
		t = behind(t, 1);
	add_reason(s, a, labelled && line.p[0] <= '9' && line.p[0] >= '4' ? line : t);
	return true;
}

/* Exchange leaves a blank line between the address and the reason, Domino one behind "because:". */
static bool waits_for_reason(const struct said *s)
{
	struct text reason = s->reason_bytes ? s->recipient[s->count - 1].diagnostic : (struct text){ 0 };

	return s->open && (reason.len == 0 || reason.p[reason.len - 1] == ':');
}

void said_line(struct said *s, struct arena *a, struct text line, uint32_t *notes)
{
	line = text_trim(line);
	if (line.len == 0) {
		s->open = waits_for_reason(s);
		return;
	}
	if (line.p[0] == '|' || text_starts_nocase(line, "--")) {
		s->open = false;	/* the heading of something else */
		return;
	}
	if (memchr(line.p, '@', line.len) && names_recipient(s, a, line, notes)) {
		s->open = true;
		return;
	}
	if (s->open)
		add_reason(s, a, line);
	else if (!s->mentioned.p && memchr(line.p, '@', line.len))
		note_mention(s, a, line, notes);
}

void said_gap(struct said *s)
{
	s->open = false;
}

void said_failed(struct said *s, struct arena *a, struct text field, uint32_t *notes)
{
	while (field.len) {
		const char *comma = memchr(field.p, ',', field.len);
		uint32_t n = comma ? (uint32_t)(comma - field.p) : field.len;
		struct text address = header_first_address((struct text){ field.p, n });

		if (address.len && find(s, address) == SAID_KEPT && !add(s, a, address, notes))
			return;
		field = behind(field, comma ? n + 1 : n);
	}
}

void said_mentioned(struct said *s)
{
	if (s->count == 0 && s->mentioned.p)
		s->recipient[s->count++] = (struct fact_report_recipient){ .final_recipient = s->mentioned };
}
