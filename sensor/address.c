/* address.c - see address.h. Forms: BATV (draft-levine-smtp-batv), SRS (libsrs2), VERP (RFC 5321 has none: ezmlm, Postfix, Mailman). */
#include "sensor/address.h"

#include <ctype.h>
#include <string.h>

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static void split(struct text t, struct text *local, struct text *domain)
{
	const char *at = t.len ? memrchr(t.p, '@', t.len) : NULL;

	if (!at) {
		*local = t;
		*domain = (struct text){ "", 0 };
		return;
	}
	*local = (struct text){ t.p, (uint32_t)(at - t.p) };
	*domain = (struct text){ at + 1, t.len - (uint32_t)(at + 1 - t.p) };
}

size_t address_domain(const struct address *a, char *out)
{
	size_t n = a->domain.len < ADDRESS_MAX ? a->domain.len : ADDRESS_MAX;

	if (n && a->domain.p[n - 1] == '.')
		n--;
	for (size_t i = 0; i < n; i++)
		out[i] = lower(a->domain.p[i]);
	out[n] = '\0';
	return n;
}

static bool local_is(struct text local, const char *word)
{
	return text_equal_nocase(local, (struct text){ word, (uint32_t)strlen(word) });
}

/*
 * Majordomo, LISTSERV and Sympa answer in their own name; ezmlm from list-return-@ (its posts have a number there), mlmmj from list+bounces-help@
 * and list+bounces-confsub-TOKEN-user=domain@, to posters from list+owner@ (list-owner@ is what Sympa's posts come from), Mailman from
 * list-confirm+TOKEN@. Shops write from order-confirm@.
 */
static bool is_list_robot(struct text local)
{
	static const char *const names[] = { "majordomo", "majordomo-owner", "owner-majordomo", "listserv", "owner-listserv", "sympa", "sympa-request", "sympa-owner" };
	static const char *const parts[] = { "+bounces-help", "-bounces-help", "+bounces-conf", "-bounces-conf", "-confirm+" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (local_is(local, names[i]))
			return true;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (text_find_nocase(local, parts[i]) > 0)
			return true;
	return text_ends_nocase(local, "-return-") || text_ends_nocase(local, "+owner");
}

/* smtp_callout.c of Exim: "$primary_hostname-$tod_epoch-testing". */
static bool is_made_up(struct text local)
{
	static const char end[] = "-testing";
	uint32_t n = local.len, digits = 0;

	if (!text_ends_nocase(local, end))
		return false;
	for (n -= sizeof end - 1; n && isdigit((unsigned char)local.p[n - 1]); n--)
		digits++;
	return digits >= 9 && n > 1 && local.p[n - 1] == '-';
}

static unsigned class_of_name(struct text local)
{
	static const char *const daemons[] = { "mailer-daemon", "mailerdaemon", "mailer_daemon", "mail-daemon", "mdaemon", "maildaemon" };
	unsigned class = 0;

	if (local_is(local, "postmaster"))
		class |= ADDRESS_POSTMASTER;
	for (size_t i = 0; i < sizeof daemons / sizeof *daemons; i++)
		if (local_is(local, daemons[i]))
			class |= ADDRESS_DAEMON;
	if (text_starts_nocase(local, "double-bounce"))
		class |= ADDRESS_DOUBLE_BOUNCE;
	if (text_starts_nocase(local, "owner-") || text_ends_nocase(local, "-owner") || text_ends_nocase(local, "-request")
	    || text_ends_nocase(local, "-bounces") || text_ends_nocase(local, "-confirm") || text_starts_nocase(local, "listserv")
	    || text_starts_nocase(local, "majordomo") || text_find_nocase(local, "-bounces+") >= 0 || text_find_nocase(local, "+bounces-") >= 0)
		class |= ADDRESS_LIST;
	if (is_list_robot(local))
		class |= ADDRESS_LIST | ADDRESS_LIST_ROBOT;
	if (is_made_up(local))
		class |= ADDRESS_MADE_UP;
	return class;
}

static bool join_inner(struct address *a, struct text local, struct text domain)
{
	if (local.len == 0 || domain.len == 0 || local.len + domain.len + 1 > ADDRESS_MAX)
		return false;
	memcpy(a->inner, local.p, local.len);
	a->inner[local.len] = '@';
	memcpy(a->inner + local.len + 1, domain.p, domain.len);
	a->inner[local.len + 1 + domain.len] = '\0';
	a->has_inner = true;
	return true;
}

static struct text after(struct text t, const char *p)
{
	return (struct text){ p, t.len - (uint32_t)(p - t.p) };
}

/* prvs=TAG=local@domain, older prvs=local/TAG@domain */
static bool read_batv(struct address *a)
{
	if (!text_starts_nocase(a->local, "prvs="))
		return false;
	struct text rest = after(a->local, a->local.p + 5);
	const char *slash = memchr(rest.p, '/', rest.len), *equals = memchr(rest.p, '=', rest.len);

	if (slash && !equals)
		return join_inner(a, (struct text){ rest.p, (uint32_t)(slash - rest.p) }, a->domain);
	return equals && join_inner(a, after(rest, equals + 1), a->domain);
}

/* SRS0=HHH=TT=domain=local@forwarder; SRS1=HHH=forwarder==HHH=TT=domain=local@other. The separators may be + or -, too. */
static bool read_srs(struct address *a)
{
	struct text t = a->local;

	if (!(text_starts_nocase(t, "SRS0") || text_starts_nocase(t, "SRS1")) || t.len < 6 || !strchr("=+-", t.p[4]))
		return false;
	if (t.p[3] == '1') {
		ptrdiff_t i = text_find_nocase(t, "==");

		if (i < 0)
			return true;
		t = after(t, t.p + i + 2);
	} else
		t = after(t, t.p + 5);
	for (int skip = 0; skip < 2; skip++) {	/* hash, time stamp */
		const char *equals = memchr(t.p, '=', t.len);

		if (!equals)
			return true;
		t = after(t, equals + 1);
	}
	const char *equals = memchr(t.p, '=', t.len);
	if (equals)
		join_inner(a, after(t, equals + 1), (struct text){ t.p, (uint32_t)(equals - t.p) });
	return true;
}

/* bounces+user=dom@list, list-return-123-user=dom@list, bounces-user=dom@list */
static bool read_verp(struct address *a)
{
	const char *equals = a->local.len ? memrchr(a->local.p, '=', a->local.len) : NULL;

	if (!equals || equals == a->local.p)
		return false;
	struct text domain = after(a->local, equals + 1);
	if (!memchr(domain.p, '.', domain.len))
		return false;
	const char *start = equals;
	while (start > a->local.p && start[-1] != '+' && start[-1] != '-')
		start--;
	if (start == a->local.p)
		return false;
	join_inner(a, (struct text){ start, (uint32_t)(equals - start) }, domain);
	return true;
}

void address_read(const struct siphash_key *key, struct text text, struct address *out)
{
	char canonical[ADDRESS_MAX + 1], domain[ADDRESS_MAX + 1];
	uint64_t id;

	text = text_trim(text);
	if (text.len > ADDRESS_MAX - 2)
		text.len = ADDRESS_MAX - 2;
	out->class = 0;
	out->has_inner = false;
	split(text, &out->local, &out->domain);
	size_t n = out->local.len;
	memcpy(canonical, out->local.p ? out->local.p : "", n);
	canonical[n++] = '@';
	size_t domain_bytes = address_domain(out, domain);
	memcpy(canonical + n, domain, domain_bytes);
	n += domain_bytes;
	if (text.len == 0)
		n = 0;		/* the null sender is not the same as "@" */
	siphash24_128(key, canonical, n, out->hash);
	memcpy(&id, out->hash, sizeof id);
	out->id = (int64_t)(__builtin_bswap64(id) >> 1);
	if (text.len == 0) {
		out->class = ADDRESS_NULL;
		return;
	}
	out->class = class_of_name(out->local);
	if (read_batv(out))
		out->class |= ADDRESS_BATV;
	else if (read_srs(out))
		out->class |= ADDRESS_SRS;
	else if (read_verp(out))
		out->class |= ADDRESS_VERP;
}

static void add_hex(struct buf *out, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%02x", p[i]);
}

void address_show(struct buf *out, const struct address *a, enum config_privacy privacy)
{
	char domain[ADDRESS_MAX + 1];
	size_t n = address_domain(a, domain);

	if (a->class & ADDRESS_NULL) {
		buf_add_str(out, "<>");
		return;
	}
	if (privacy == PRIVACY_FULL)
		buf_add_text(out, a->local);
	else if (privacy == PRIVACY_HASH)
		add_hex(out, a->hash, 8);
	if (n || privacy != PRIVACY_FULL)
		buf_add_char(out, '@');
	buf_add(out, domain, n);
}

static bool is_local_char(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 || (c && strchr(".!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_domain_char(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 || (c && strchr(".-_", c));
}

/* The end of the quoted string that begins at i; i when it is none. RFC 5321 4.1.2; a local part has at most 64 bytes, an escaped one twice that. */
static uint32_t quoted_end(struct text t, uint32_t i)
{
	enum { QUOTED_MAX = 256 };
	uint32_t end = t.len - i < QUOTED_MAX ? t.len : i + QUOTED_MAX;

	for (uint32_t j = i + 1; j < end && t.p[j] != '\n'; j++) {
		if (t.p[j] == '"')
			return j + 1;
		if (t.p[j] == '\\')
			j++;
	}
	return i;
}

/* The end of a domain or an address literal ("[192.0.2.1]") that begins at b; b when there is none. */
static uint32_t domain_end(struct text t, uint32_t b)
{
	uint32_t e = b;

	if (e < t.len && t.p[e] == '[') {
		while (e < t.len && t.p[e] != ']' && (e == b || isalnum((unsigned char)t.p[e]) || strchr(".:-", t.p[e])))
			e++;
		return e < t.len && t.p[e] == ']' ? e + 1 : b;
	}
	while (e < t.len && is_domain_char(t.p[e]))
		e++;
	while (e > b && (t.p[e - 1] == '.' || t.p[e - 1] == '-'))
		e--;
	return e;
}

/* Bytes of the at-sign at i: itself, or as in an URL (SPF explanations) or xtext (ENVID, RFC 3461 4); 0 when it is none. */
static uint32_t at_sign(struct text t, uint32_t i)
{
	if (t.p[i] == '@')
		return 1;
	return (t.p[i] == '%' || t.p[i] == '+') && t.len - i >= 3 && t.p[i + 1] == '4' && t.p[i + 2] == '0' ? 3 : 0;
}

bool address_has_at_sign(struct text t)
{
	static const struct text encoded[] = { { "%40", 3 }, { "+40", 3 } };

	return t.len && (memchr(t.p, '@', t.len) || memmem(t.p, t.len, encoded[0].p, 3) || memmem(t.p, t.len, encoded[1].p, 3));
}

/* Where an address in a text begins, its at-sign, its domain, and where it ends. */
struct place {
	uint32_t start, at, domain, end;
};

/* The address that begins with the quote at i, or whose at-sign is at i; not before `from`. False when there is none. */
static bool address_at(struct text t, uint32_t from, uint32_t i, struct place *p)
{
	p->start = p->at = i;
	if (t.p[i] == '"') {
		p->at = quoted_end(t, i);
		if (p->at == i || p->at == t.len || !at_sign(t, p->at))
			return false;
	}
	p->domain = p->at + at_sign(t, p->at);
	while (t.p[i] == '"' && p->domain < t.len && t.p[p->domain] == '@')
		p->domain++;
	p->end = domain_end(t, p->domain);
	if (p->end == p->domain)
		return false;
	/* a stray quote or "@@", too: rather too much than a name left over */
	while (p->at == i && p->start > from && (is_local_char(t.p[p->start - 1]) || memchr("\"\\@", t.p[p->start - 1], 3)))
		p->start--;
	return p->start < p->at;
}

static void show_place(struct buf *out, struct text t, const struct place *p, enum config_privacy privacy, const struct siphash_key *key)
{
	char plain[ADDRESS_MAX];
	uint32_t n = p->at - p->start, room = (uint32_t)sizeof plain - 1, domain = p->end - p->domain;
	struct address a;

	if (domain > room)
		domain = room;
	if (n > room - domain)
		n = room - domain;
	memcpy(plain, t.p + p->start, n);
	plain[n] = '@';
	memcpy(plain + n + 1, t.p + p->domain, domain);
	address_read(key, (struct text){ plain, n + 1 + domain }, &a);
	address_show(out, &a, privacy);
}

/* Characters of a local part in a row, up to end; is_local: an at-sign and a domain come after them. */
struct run {
	uint32_t end;
	bool is_local;
};

/* An encoded at-sign may be part of the local part of a plain one: "list+40x@example.org". */
static bool is_within_local(struct text t, uint32_t i, struct run *r)
{
	if (at_sign(t, i) != 3)
		return false;
	if (i >= r->end) {
		uint32_t e = i;

		while (e < t.len && is_local_char(t.p[e]))
			e++;
		*r = (struct run){ .end = e };
		while (e < t.len && t.p[e] == '@')
			e++;
		r->is_local = e > r->end && domain_end(t, e) > e;
	}
	return r->is_local;
}

void address_redact(struct buf *out, struct text text, enum config_privacy privacy, const struct siphash_key *key)
{
	uint32_t done = 0;
	struct run run = { 0 };

	for (uint32_t i = 0; privacy != PRIVACY_FULL && i < text.len; i++) {
		struct place p;

		if ((text.p[i] != '"' && !at_sign(text, i)) || is_within_local(text, i, &run) || !address_at(text, done, i, &p))
			continue;
		buf_add(out, text.p + done, p.start - done);
		show_place(out, text, &p, privacy, key);
		done = p.end;
		i = p.end - 1;
	}
	buf_add(out, text.p + done, text.len - done);
}
