/*
 * generate_session.h - what the generator knows: the mix of traffic, the truth about it, and one session between two hosts.
 */
#ifndef TESTS_BENCH_GENERATE_SESSION_H
#define TESTS_BENCH_GENERATE_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/bench/generate_random.h"
#include "tests/bench/generate_script.h"

/* What can be said with --mix and as --NAME; generate.c has the table of names. Shares are 0 to 1. */
struct mix {
	double sessions, seed, concurrent, max_bytes, rate;
	double peers, own_servers;
	double inbound, ipv6, tagged, odd_port, all_port25;
	double starttls, callout, reject, greylist, bounce, vacation;
	double more_mails, recipient_refused, pipelined, bdat, median_bytes, sigma;
	double background, http, dns;
	double half_open, no_data, idle;
	double reordered, retransmitted, reset;
};

enum mail_kind { KIND_MAIL, KIND_DSN, KIND_VACATION, KIND_CALLOUT, KIND_REJECT, KIND_GREYLIST, KIND_STARTTLS, KIND_COUNT };

/* Of one own server and direction (0 in, 1 out). */
struct mail_totals {
	uint64_t messages, accepted, refused, bytes, kind[KIND_COUNT];
};

enum { OWN_SERVERS_MAX = 64 };

struct totals {
	uint64_t smtp, http, tls, dns, half_open, idle, brief, bdat, reordered, retransmitted;
	struct mail_totals own[OWN_SERVERS_MAX][2];
};

/* Things that happen at a time; the earliest is taken first. */
struct timed {
	uint64_t time_us;
};

struct heap {
	struct timed **items;
	size_t count, capacity;
};

void heap_push(struct heap *h, struct timed *item);
/* NULL when the heap is empty. */
struct timed *heap_first(const struct heap *h);
void heap_pop(struct heap *h);
/* The first item has got another time. */
void heap_settle(struct heap *h);

/* A bounce or an autoreply that a mail brings about later. */
struct follow_up {
	struct timed due;
	enum mail_kind kind;
	uint32_t own, peer, cause;	/* cause: number of the session of that mail */
	bool ipv6;
	char from[80], to[80], message_id[96], subject[80];	/* to: who sent the mail, from: to whom */
};

struct generator {
	struct mix mix;
	struct rng rng;
	struct pools pools;
	struct script script;		/* of the session that is being made */
	struct totals totals;
	struct heap follow_ups;
	uint32_t last_session;
	uint64_t planned_bytes;
	FILE *truth;			/* NULL: not wanted */
};

struct endpoint {
	uint8_t ip[16];			/* 4 of them with IPv4 */
	uint16_t port;
	uint32_t seq, clock_ms, last_stamp;	/* clock: of the TCP timestamps */
};

enum session_state { STATE_SYN, STATE_SYN_ACK, STATE_ACK, STATE_TALK, STATE_SERVER_FIN, STATE_LAST_ACK };

/* Where in the pieces a segment begins, and how long it is. */
struct segment {
	enum side from;
	uint32_t piece, offset, length, seq;
};

struct session {
	struct timed next;		/* its next packet */
	uint32_t id;
	enum session_state state;
	bool udp, ipv6, tagged, resets, closes, syn_only;
	uint16_t vlan, ip_id;
	uint8_t ttl;
	uint32_t rtt_us, mss;
	struct endpoint end[2];		/* by enum side */
	struct piece *pieces;
	uint32_t piece_count;
	char *arena;
	uint32_t piece, offset;		/* what is said next */
	struct segment late;		/* comes after a later one, or for the second time; length 0: none */
	bool owes_ack;
	enum side ack_from;
	uint32_t unacked;		/* segments */
};

/* A session that begins at a time, with an empty script. */
struct session *session_new(struct generator *g, uint64_t time_us);
/* Takes the script over. */
void session_seal(struct generator *g, struct session *s);
void session_free(struct session *s);
void session_set_own(struct session *s, enum side side, uint32_t own);
void session_set_peer(struct session *s, enum side side, uint32_t peer);
void session_set_ports(struct session *s, uint16_t server_port);

/* The domain of a peer. */
void peer_domain(char *to, size_t size, uint32_t peer);

#endif
