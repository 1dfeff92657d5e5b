/*
 * generate_script.h - what the two sides of one session say, in order, as pieces of bytes.
 *
 * Small texts are copied into the arena of the script, the mass of a message stays in the pools. session_seal takes both over.
 */
#ifndef TESTS_BENCH_GENERATE_SCRIPT_H
#define TESTS_BENCH_GENERATE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "tests/bench/generate_random.h"

enum side { CLIENT, SERVER };

/* PUSH: a segment ends with it. TURN: it waits for the other side, half a round trip and some thought. */
enum { PUSH = 1, TURN = 2 };

struct piece {
	const uint8_t *bytes;		/* NULL until the script is sealed: at offset in the arena */
	uint32_t length, offset;
	enum side from;
	bool push, turn;
};

struct script {
	struct buf arena;
	struct piece *pieces;
	uint32_t count, capacity;
};

void script_clear(struct script *s);
void script_fini(struct script *s);
void script_say(struct script *s, enum side from, unsigned flags, const char *format, ...) __attribute__((format(printf, 4, 5)));
void script_bytes(struct script *s, enum side from, unsigned flags, const void *bytes, size_t length);
/* Whole lines of a pool, at least wanted bytes. Returns how many bytes. */
uint32_t script_lines(struct script *s, enum side from, const struct pool *p, struct rng *r, uint32_t wanted);
void script_noise(struct script *s, enum side from, unsigned flags, const struct pool *p, struct rng *r, uint32_t length);
/* A segment ends with what was said last. */
void script_push(struct script *s);

/* A handshake up to the encrypted part: ClientHello, ServerHello, ChangeCipherSpec. */
void script_tls_hello(struct script *s, struct rng *r, const char *server_name);
/* Application data records of the server or the client; the last one is pushed. */
void script_tls_data(struct script *s, enum side from, unsigned flags, const struct pool *noise, struct rng *r, uint32_t length);

#endif
