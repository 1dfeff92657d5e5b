/* generate_other.c - see generate_other.h. */
#include "tests/bench/generate_other.h"

#include <string.h>

enum { DOMAIN_SIZE = 64, FIRST_CLIENT_HOST = 20 };	/* office machines: 192.0.2.30 and on */

static uint32_t web_object_bytes(struct rng *r, double least)
{
	return rng_log_normal(r, 30000, 1.6, least, 40000000);
}

/* ---- DNS ---- */

static void put_name(struct buf *b, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");

		buf_add_char(b, (char)n);
		buf_add(b, name, n);
		name += n + (name[n] == '.');
	}
	buf_add_char(b, 0);
}

/* A question for an A record, RFC 1035 4.1, and an answer that points back at the name. */
static void say_dns(struct generator *g, uint32_t peer)
{
	static const uint8_t question_head[] = { 1, 0, 0, 1, 0, 0, 0, 0, 0, 0 }, question_tail[] = { 0, 1, 0, 1 };
	static const uint8_t answer_flags[] = { 0x81, 0x80, 0, 1, 0, 1 };
	static const uint8_t answer[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 198, 18, 1, 1 };
	char domain[DOMAIN_SIZE], name[DOMAIN_SIZE + 16];
	struct buf b = { 0 };
	uint16_t id = (uint16_t)rng_next(&g->rng);

	peer_domain(domain, sizeof domain, peer);
	snprintf(name, sizeof name, "mx%u.%s", rng_below(&g->rng, 9999), domain);
	buf_add_char(&b, (char)(id >> 8));
	buf_add_char(&b, (char)id);
	buf_add(&b, question_head, sizeof question_head);
	put_name(&b, name);
	buf_add(&b, question_tail, sizeof question_tail);
	script_bytes(&g->script, CLIENT, PUSH, b.p, b.len);
	memcpy(b.p + 2, answer_flags, sizeof answer_flags);
	buf_add(&b, answer, sizeof answer);
	script_bytes(&g->script, SERVER, PUSH | TURN, b.p, b.len);
	buf_fini(&b);
}

/* ---- web ---- */

static void say_get(struct generator *g, const char *domain)
{
	struct rng *r = &g->rng;
	uint32_t bytes = web_object_bytes(r, 100);
	uint32_t query = (uint32_t)rng_next(r);
	const char *name = rng_word(r);
	uint32_t number = rng_below(r, 99999);
	const char *folder = rng_word(r);

	script_say(&g->script, CLIENT, PUSH | TURN,
		   "GET /%s/%u/%s.bin?x=%u HTTP/1.1\r\nHost: www.%s\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\n"
		   "Accept-Encoding: identity\r\nConnection: keep-alive\r\n\r\n", folder, number, name, query, domain);
	script_say(&g->script, SERVER, TURN, "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/octet-stream\r\nContent-Length: %u\r\n"
		   "Connection: keep-alive\r\n\r\n", bytes);
	script_noise(&g->script, SERVER, PUSH, &g->pools.noise, r, bytes);
}

static void say_http(struct generator *g, const char *domain)
{
	for (uint32_t left = 1 + rng_below(&g->rng, 4); left; left--)
		say_get(g, domain);
}

static void say_https(struct generator *g, const char *domain)
{
	const struct pool *noise = &g->pools.noise;
	struct rng *r = &g->rng;
	char name[DOMAIN_SIZE + 8];

	snprintf(name, sizeof name, "www.%s", domain);
	script_tls_hello(&g->script, r, name);
	uint32_t certificate = 2500 + rng_below(r, 1500);
	script_tls_data(&g->script, SERVER, 0, noise, r, certificate);
	script_tls_data(&g->script, CLIENT, TURN, noise, r, 80);
	for (uint32_t left = 1 + rng_below(r, 4); left; left--) {
		uint32_t request = 300 + rng_below(r, 900);

		script_tls_data(&g->script, CLIENT, TURN, noise, r, request);
		script_tls_data(&g->script, SERVER, TURN, noise, r, web_object_bytes(r, 50));
	}
}

static void set_hosts(struct session *s, enum side own_side, uint32_t own, uint32_t peer, uint16_t port)
{
	session_set_own(s, own_side, own);
	session_set_peer(s, own_side == CLIENT ? SERVER : CLIENT, peer);
	session_set_ports(s, port);
}

struct session *background_session(struct generator *g, uint64_t time_us)
{
	struct session *s = session_new(g, time_us);
	struct rng *r = &g->rng;
	double x = rng_unit(r);
	uint32_t peer = rng_below(r, (uint32_t)g->mix.peers);
	enum side own_side = rng_chance(r, .7) ? CLIENT : SERVER;
	uint32_t own = FIRST_CLIENT_HOST + rng_below(r, 200);
	char domain[DOMAIN_SIZE];

	peer_domain(domain, sizeof domain, peer);
	if (x < g->mix.dns) {
		s->udp = true;
		set_hosts(s, CLIENT, own, peer, 53);
		say_dns(g, peer);
		g->totals.dns++;
	} else if (x < g->mix.dns + g->mix.http) {
		set_hosts(s, own_side, own, peer, 80);
		say_http(g, domain);
		g->totals.http++;
	} else {
		set_hosts(s, own_side, own, peer, 443);
		say_https(g, domain);
		g->totals.tls++;
	}
	session_seal(g, s);
	return s;
}

/* ---- flows ---- */

static void say_smtp_greeting(struct generator *g, const struct session *s, uint32_t own)
{
	script_say(&g->script, SERVER, PUSH | TURN, "220 mx.own%u.example ESMTP\r\n", own);
	script_say(&g->script, CLIENT, PUSH | TURN, "EHLO m%u.example\r\n", rng_below(&g->rng, 9999));
	script_say(&g->script, SERVER, PUSH | TURN, "250-mx.own%u.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n", own);
	if (!s->closes)
		return;
	script_say(&g->script, CLIENT, PUSH | TURN, "QUIT\r\n");
	script_say(&g->script, SERVER, PUSH | TURN, "221 Bye\r\n");
}

static void say_little(struct generator *g, const struct session *s, uint32_t own)
{
	char name[DOMAIN_SIZE];

	snprintf(name, sizeof name, "own%u.example", own);
	if (s->end[SERVER].port == 25) {
		say_smtp_greeting(g, s, own);
	} else if (s->end[SERVER].port == 80) {
		script_say(&g->script, CLIENT, PUSH | TURN, "GET /%u HTTP/1.1\r\nHost: %s\r\n\r\n", rng_below(&g->rng, 9999), name);
		script_say(&g->script, SERVER, PUSH | TURN, "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n");
	} else {
		script_tls_hello(&g->script, &g->rng, name);
		script_tls_data(&g->script, SERVER, 0, &g->pools.noise, &g->rng, 900);
	}
}

/* How a flow goes on: not at all, with a handshake only, with a few words and no end, or to its end. True: with words. */
static bool choose_course(struct generator *g, struct session *s)
{
	const struct mix *m = &g->mix;
	double x = rng_unit(&g->rng);

	if (x < m->half_open) {
		s->syn_only = true;
		g->totals.half_open++;
		return false;
	}
	x -= m->half_open;
	bool silent = x < m->no_data;
	s->closes = !silent && x - m->no_data >= m->idle;
	if (s->closes)
		g->totals.brief++;
	else
		g->totals.idle++;
	return !silent;
}

struct session *flow_session(struct generator *g, uint64_t time_us)
{
	static const uint16_t server_ports[] = { 25, 25, 443, 80 };
	struct session *s = session_new(g, time_us);
	uint32_t peer = rng_below(&g->rng, (uint32_t)g->mix.peers);
	uint32_t own = rng_below(&g->rng, (uint32_t)g->mix.own_servers);

	set_hosts(s, SERVER, own, peer, g->mix.all_port25 > 0 ? 25 : server_ports[rng_below(&g->rng, 4)]);
	s->end[CLIENT].port = (uint16_t)(1024 + s->id % 64000);	/* one after the other: a flow is never met again */
	if (choose_course(g, s))
		say_little(g, s, own);
	session_seal(g, s);
	return s;
}
