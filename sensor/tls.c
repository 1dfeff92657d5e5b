/* tls.c - see tls.h */
#include "sensor/tls.h"

#include <string.h>

#include "common/xmalloc.h"

enum { HEADER = 5, HELLO_KEPT = 2048, HANDSHAKE = 22, APPLICATION_DATA = 23, CLIENT_HELLO = 1, SERVER_HELLO = 2,
       EXT_SERVER_NAME = 0, EXT_ALPN = 16, EXT_SUPPORTED_VERSIONS = 43 };

struct tls_side {
	uint8_t header[HEADER];
	uint8_t header_bytes;
	uint32_t left;		/* of the record at hand */
	bool lost;		/* record borders are not known */
	bool hello_done;
	uint8_t *hello;		/* first handshake record, at most HELLO_KEPT bytes */
	uint32_t hello_bytes, hello_want;
};

struct tls {
	struct fact_tls_detail detail;
	struct tls_side side[2];
	struct arena *arena;
	uint64_t started_us;
};

/* A reader that knows what is left; reading beyond answers zeros and sets bad. */
struct reader {
	const uint8_t *p;
	uint32_t left;
	bool bad;
};

static struct reader read_run(struct reader *r, uint32_t n)
{
	struct reader run = { r->p, n, false };

	if (n > r->left) {
		r->bad = true;
		run.left = r->left;
	}
	r->p += run.left;
	r->left -= run.left;
	return run;
}

static uint32_t read_uint(struct reader *r, unsigned bytes)
{
	uint32_t v = 0;

	if (r->left < bytes) {
		r->bad = true;
		r->left = 0;
		return 0;
	}
	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | r->p[i];
	r->p += bytes;
	r->left -= bytes;
	return v;
}

struct tls *tls_new(struct arena *a, uint64_t started_us)
{
	struct tls *t = xcalloc(1, sizeof *t);

	t->arena = a;
	t->started_us = started_us;
	return t;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	free(t->side[0].hello);
	free(t->side[1].hello);
	free(t);
}

size_t tls_memory_bytes(const struct tls *t)
{
	size_t n = sizeof *t;

	for (int side = 0; side < 2; side++)
		if (t->side[side].hello)
			n += t->side[side].hello_want;
	return n;
}

struct fact_tls_detail *tls_detail(struct tls *t)
{
	return &t->detail;
}

bool tls_looks_like(const char *p)
{
	return *p >= 20 && *p <= 23;
}

static void server_name(struct tls *t, struct reader ext)
{
	struct reader list = read_run(&ext, read_uint(&ext, 2));

	if (read_uint(&list, 1) != 0)
		return;
	struct reader name = read_run(&list, read_uint(&list, 2));
	if (name.left && !list.bad)
		t->detail.sni = arena_copy(t->arena, name.p, name.left, 255, NULL);
}

static void alpn(struct tls *t, struct reader ext)
{
	struct reader list = read_run(&ext, read_uint(&ext, 2));
	struct reader name = read_run(&list, read_uint(&list, 1));

	if (name.left && !list.bad)
		t->detail.alpn = arena_copy(t->arena, name.p, name.left, 255, NULL);
}

/* GREASE values (RFC 8701) look like 0x?a?a and are no version. */
static void client_versions(struct tls *t, struct reader ext)
{
	struct reader list = read_run(&ext, read_uint(&ext, 1));

	while (list.left >= 2) {
		uint32_t v = read_uint(&list, 2);

		if (v >> 8 == 3 && v > t->detail.hello_version)
			t->detail.hello_version = (uint16_t)v;
	}
}

static void client_extension(struct tls *t, uint32_t type, struct reader ext)
{
	t->detail.extension_count++;
	if (type == EXT_SERVER_NAME)
		server_name(t, ext);
	else if (type == EXT_ALPN)
		alpn(t, ext);
	else if (type == EXT_SUPPORTED_VERSIONS)
		client_versions(t, ext);
}

static void client_hello(struct tls *t, struct reader r)
{
	t->detail.hello_version = (uint16_t)read_uint(&r, 2);
	read_run(&r, 32);
	read_run(&r, read_uint(&r, 1));
	struct reader ciphers = read_run(&r, read_uint(&r, 2));
	t->detail.cipher_count = (uint16_t)(ciphers.left / 2);
	read_run(&r, read_uint(&r, 1));
	struct reader extensions = read_run(&r, read_uint(&r, 2));
	while (extensions.left >= 4) {
		uint32_t type = read_uint(&extensions, 2);

		client_extension(t, type, read_run(&extensions, read_uint(&extensions, 2)));
	}
}

static void server_hello(struct tls *t, struct reader r)
{
	t->detail.chosen_version = (uint16_t)read_uint(&r, 2);
	read_run(&r, 32);
	read_run(&r, read_uint(&r, 1));
	t->detail.chosen_cipher = (uint16_t)read_uint(&r, 2);
	read_uint(&r, 1);
	struct reader extensions = read_run(&r, read_uint(&r, 2));
	while (extensions.left >= 4) {
		uint32_t type = read_uint(&extensions, 2);
		struct reader ext = read_run(&extensions, read_uint(&extensions, 2));

		if (type == EXT_SUPPORTED_VERSIONS)
			t->detail.chosen_version = (uint16_t)read_uint(&ext, 2);
	}
}

static void hello_end(struct tls *t, enum side from)
{
	struct tls_side *s = &t->side[from];
	struct reader r = { s->hello, s->hello_bytes, false };
	uint32_t type = read_uint(&r, 1);

	read_uint(&r, 3);
	if (type == CLIENT_HELLO && from == SIDE_CLIENT)
		client_hello(t, r);
	else if (type == SERVER_HELLO && from == SIDE_SERVER)
		server_hello(t, r);
	free(s->hello);
	s->hello = NULL;
	s->hello_done = true;
}

static void record_begin(struct tls *t, enum side from, uint64_t t_us)
{
	struct tls_side *s = &t->side[from];
	uint8_t type = s->header[0];
	uint16_t size = (uint16_t)(s->header[3] << 8 | s->header[4]);

	s->left = size;
	if (!tls_looks_like((const char *)s->header) || s->header[1] != 3) {
		s->lost = true;
		return;
	}
	if (t->detail.side[from].kept < TLS_RECORDS_KEPT) {
		uint64_t offset = t_us > t->started_us ? t_us - t->started_us : 0;

		t->detail.side[from].record[t->detail.side[from].kept++] = (struct fact_tls_record){
			offset > UINT32_MAX ? UINT32_MAX : (uint32_t)offset, size, type };
	}
	t->detail.side[from].records++;
	if (type == APPLICATION_DATA) {
		unsigned bin = 0;

		while (size >> (bin + 1))
			bin++;
		t->detail.side[from].histogram[bin]++;
	}
	if (type == HANDSHAKE && !s->hello_done && !s->hello) {
		s->hello_want = size < HELLO_KEPT ? size : HELLO_KEPT;
		s->hello = xmalloc(s->hello_want);
		s->hello_bytes = 0;
	} else if (type != HANDSHAKE)
		s->hello_done = true;
}

static void record_bytes(struct tls *t, enum side from, const uint8_t *p, uint32_t n)
{
	struct tls_side *s = &t->side[from];

	if (!s->hello)
		return;
	uint32_t want = s->hello_want - s->hello_bytes;
	if (n > want)
		n = want;
	memcpy(s->hello + s->hello_bytes, p, n);
	s->hello_bytes += n;
	if (s->hello_bytes == s->hello_want)
		hello_end(t, from);
}

void tls_push(struct tls *t, enum side from, const uint8_t *p, size_t n, uint64_t t_us)
{
	struct tls_side *s = &t->side[from];

	t->detail.side[from].bytes += n;
	while (n && !s->lost) {
		if (s->left) {
			uint32_t run = n < s->left ? (uint32_t)n : s->left;

			record_bytes(t, from, p, run);
			s->left -= run;
			p += run;
			n -= run;
			continue;
		}
		s->header[s->header_bytes++] = *p++;
		n--;
		if (s->header_bytes == HEADER) {
			s->header_bytes = 0;
			record_begin(t, from, t_us);
		}
	}
}

void tls_gap(struct tls *t, enum side from, uint64_t n)
{
	struct tls_side *s = &t->side[from];

	if (s->hello)
		hello_end(t, from);
	if (n && n < s->left) {
		s->left -= (uint32_t)n;
		return;
	}
	s->lost = true;
}
