/* generate_script.c - see generate_script.h. */
#include "tests/bench/generate_script.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/xmalloc.h"

enum { SAY_MAX_BYTES = 4096, TLS_RECORD_BYTES = 16384, TLS_TAG_BYTES = 17 };

void script_clear(struct script *s)
{
	buf_clear(&s->arena);
	s->count = 0;
}

void script_fini(struct script *s)
{
	buf_fini(&s->arena);
	free(s->pieces);
}

static void add_piece(struct script *s, const struct piece *piece)
{
	if (piece->length == 0)
		return;
	if (s->count == s->capacity) {
		s->capacity = s->capacity ? s->capacity * 2 : 256;
		s->pieces = xreallocarray(s->pieces, s->capacity, sizeof *s->pieces);
	}
	s->pieces[s->count++] = *piece;
}

/* The last piece, when bytes of the arena can join it. */
static struct piece *joinable(const struct script *s, enum side from, unsigned flags)
{
	struct piece *last = s->count ? &s->pieces[s->count - 1] : NULL;

	if (!last || last->bytes || last->from != from || last->push || (flags & TURN))
		return NULL;
	return last->offset + last->length == s->arena.len ? last : NULL;
}

void script_bytes(struct script *s, enum side from, unsigned flags, const void *bytes, size_t length)
{
	struct piece *last = joinable(s, from, flags);

	if (last) {
		last->length += (uint32_t)length;
		last->push = flags & PUSH;
	} else {
		add_piece(s, &(struct piece){ .length = (uint32_t)length, .offset = (uint32_t)s->arena.len, .from = from,
					      .push = flags & PUSH, .turn = flags & TURN });
	}
	buf_add(&s->arena, bytes, length);
}

void script_say(struct script *s, enum side from, unsigned flags, const char *format, ...)
{
	char text[SAY_MAX_BYTES];
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	assert(n >= 0 && n < SAY_MAX_BYTES);
	script_bytes(s, from, flags, text, (size_t)n);
}

/* The first line after line i that begins at or behind end; line_count when there is none. */
static uint32_t line_from(const struct pool *p, uint32_t i, uint64_t end)
{
	uint32_t low = i + 1, high = p->line_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (p->line_start[middle] < end)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t script_lines(struct script *s, enum side from, const struct pool *p, struct rng *r, uint32_t wanted)
{
	uint32_t got = 0;

	while (got < wanted) {
		uint32_t first = rng_below(r, p->line_count), start = p->line_start[first];
		uint32_t behind = line_from(p, first, (uint64_t)start + wanted - got);
		uint32_t end = behind < p->line_count ? p->line_start[behind] : p->size;

		add_piece(s, &(struct piece){ .bytes = p->bytes + start, .length = end - start, .from = from });
		got += end - start;
	}
	return got;
}

void script_push(struct script *s)
{
	s->pieces[s->count - 1].push = true;
}

void script_noise(struct script *s, enum side from, unsigned flags, const struct pool *p, struct rng *r, uint32_t length)
{
	while (length) {
		uint32_t n = length < p->size / 4 ? length : p->size / 4;

		add_piece(s, &(struct piece){ .bytes = p->bytes + rng_below(r, p->size - n), .length = n, .from = from });
		length -= n;
	}
	s->pieces[s->count - 1].push = flags & PUSH;
}

/* ---- TLS: enough of RFC 8446 that a dissector believes it ---- */

static void put16(struct buf *b, unsigned v)
{
	buf_add_char(b, (char)(v >> 8));
	buf_add_char(b, (char)v);
}

static void set16(struct buf *b, size_t at, size_t v)
{
	b->p[at] = (char)(v >> 8);
	b->p[at + 1] = (char)v;
}

static void put_random(struct buf *b, struct rng *r)
{
	for (int i = 0; i < 32; i++)
		buf_add_char(b, (char)rng_next(r));
}

/* Record and handshake header, legacy version, random, session id; the lengths are set by hello_end. */
static void hello_begin(struct buf *b, struct rng *r, unsigned record_version, char type)
{
	buf_clear(b);
	buf_add_char(b, 0x16);
	put16(b, record_version);
	put16(b, 0);
	buf_add_char(b, type);
	buf_add(b, "\0\0\0", 3);
	put16(b, 0x0303);
	put_random(b, r);
	buf_add_char(b, 32);
	put_random(b, r);
}

static void hello_end(struct buf *b, size_t extensions_at)
{
	set16(b, extensions_at, b->len - extensions_at - 2);
	set16(b, 7, b->len - 9);
	set16(b, 3, b->len - 5);
}

static void client_hello(struct buf *b, struct rng *r, const char *server_name)
{
	static const uint8_t ciphers[] = { 0, 16, 0x13, 1, 0x13, 2, 0x13, 3, 0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x2c, 0xc0, 0x30, 0, 0xff, 1, 0 };
	static const uint8_t versions_groups_signatures[] = { 0, 43, 0, 5, 4, 3, 4, 3, 3, 0, 10, 0, 4, 0, 2, 0, 29,
							      0, 13, 0, 6, 0, 4, 4, 3, 8, 4 };
	static const uint8_t key_share[] = { 0, 51, 0, 38, 0, 36, 0, 29, 0, 32 };
	unsigned length = (unsigned)strlen(server_name);

	hello_begin(b, r, 0x0301, 1);
	buf_add(b, ciphers, sizeof ciphers);
	size_t extensions_at = b->len;
	put16(b, 0);
	put16(b, 0);		/* server_name, RFC 6066 3 */
	put16(b, length + 5);
	put16(b, length + 3);
	buf_add_char(b, 0);
	put16(b, length);
	buf_add_str(b, server_name);
	buf_add(b, versions_groups_signatures, sizeof versions_groups_signatures);
	buf_add(b, key_share, sizeof key_share);
	put_random(b, r);
	hello_end(b, extensions_at);
}

static void server_hello(struct buf *b, struct rng *r)
{
	static const uint8_t cipher[] = { 0x13, 1, 0 };
	static const uint8_t version_key_share[] = { 0, 43, 0, 2, 3, 4, 0, 51, 0, 36, 0, 29, 0, 32 };

	hello_begin(b, r, 0x0303, 2);
	buf_add(b, cipher, sizeof cipher);
	size_t extensions_at = b->len;
	put16(b, 0);
	buf_add(b, version_key_share, sizeof version_key_share);
	put_random(b, r);
	hello_end(b, extensions_at);
}

void script_tls_hello(struct script *s, struct rng *r, const char *server_name)
{
	static const uint8_t change_cipher_spec[] = { 0x14, 3, 3, 0, 1, 1 };
	struct buf b = { 0 };

	client_hello(&b, r, server_name);
	script_bytes(s, CLIENT, PUSH | TURN, b.p, b.len);
	server_hello(&b, r);
	script_bytes(s, SERVER, TURN, b.p, b.len);
	script_bytes(s, SERVER, 0, change_cipher_spec, sizeof change_cipher_spec);
	buf_fini(&b);
}

void script_tls_data(struct script *s, enum side from, unsigned flags, const struct pool *noise, struct rng *r, uint32_t length)
{
	while (length) {
		uint32_t n = length < TLS_RECORD_BYTES ? length : TLS_RECORD_BYTES, body = n + TLS_TAG_BYTES;
		const uint8_t header[] = { 0x17, 3, 3, (uint8_t)(body >> 8), (uint8_t)body };

		script_bytes(s, from, flags & TURN, header, sizeof header);
		script_noise(s, from, 0, noise, r, body);
		flags = 0;
		length -= n;
	}
	script_push(s);
}
