/* generate_packet.c - see generate_packet.h. */
#include "tests/bench/generate_packet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "common/xmalloc.h"

enum {
	BUFFER_BYTES = 4 << 20, FRAME_MAX_BYTES = 70000, FRAME_MIN_BYTES = 60, RECORD_BYTES = 16,
	UDP_PAYLOAD_BYTES = 1400, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17,
};
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

/* ---- the file ---- */

static int flush(struct frame_writer *w)
{
	for (size_t done = 0; done < w->used;) {
		ssize_t n = write(w->fd, w->buffer + done, w->used - done);

		if (n < 0 && errno != EINTR)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	w->used = 0;
	return 0;
}

int frame_writer_open(struct frame_writer *w, const char *path)
{
	const uint32_t header[6] = { 0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1 };	/* version 2.4, DLT_EN10MB */

	w->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (w->fd < 0)
		return -1;
	w->buffer = xmalloc(BUFFER_BYTES + FRAME_MAX_BYTES);
	memcpy(w->buffer, header, sizeof header);
	w->used = w->bytes = sizeof header;
	return 0;
}

int frame_writer_close(struct frame_writer *w)
{
	int result = flush(w);

	free(w->buffer);
	return close(w->fd) ? -1 : result;
}

/* ---- one frame ---- */

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

/* RFC 1071: the order of bytes does not matter until the end. */
static uint64_t add_words(uint64_t sum, const uint8_t *p, size_t n)
{
	uint32_t word;

	for (; n >= sizeof word; p += sizeof word, n -= sizeof word) {
		memcpy(&word, p, sizeof word);
		sum += word;
	}
	word = 0;
	memcpy(&word, p, n);
	return sum + word;
}

static void put_checksum(uint8_t *to, uint64_t sum, bool udp)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	uint16_t folded = (uint16_t)~sum;
	if (udp && folded == 0)
		folded = 0xffff;	/* 0 says that there is none, RFC 768 */
	memcpy(to, &folded, sizeof folded);
}

static uint32_t put_ethernet(uint8_t *p, const struct session *s, enum side from)
{
	static const uint8_t client_mac[6] = { 2, 0, 0, 0, 0, 1 }, server_mac[6] = { 2, 0, 0, 0, 0, 2 };
	uint32_t n = 12;

	memcpy(p, from == SERVER ? client_mac : server_mac, 6);
	memcpy(p + 6, from == SERVER ? server_mac : client_mac, 6);
	if (s->tagged) {
		put16(p + n, 0x8100);
		put16(p + n + 2, s->vlan);
		n += 4;
	}
	put16(p + n, s->ipv6 ? 0x86dd : 0x0800);
	return n + 2;
}

/* Returns the length of the header; *sum becomes that of the pseudo header. */
static uint32_t put_ip(uint8_t *p, struct session *s, enum side from, uint32_t length, uint64_t *sum)
{
	const struct endpoint *source = &s->end[from], *target = &s->end[!from];
	uint8_t protocol = s->udp ? PROTOCOL_UDP : PROTOCOL_TCP, pseudo[4] = { 0, protocol };

	put16(pseudo + 2, length);
	if (s->ipv6) {
		memcpy(p, (const uint8_t[8]){ 0x60, [6] = protocol, [7] = 64 }, 8);
		put16(p + 4, length);
		memcpy(p + 8, source->ip, 16);
		memcpy(p + 24, target->ip, 16);
		*sum = add_words(add_words(0, p + 8, 32), pseudo, sizeof pseudo);
		return 40;
	}
	memcpy(p, (const uint8_t[12]){ 0x45, [6] = 0x40, [8] = from == CLIENT ? s->ttl : 64, [9] = protocol }, 12);
	put16(p + 2, 20 + length);
	put16(p + 4, s->ip_id++);
	memcpy(p + 12, source->ip, 4);
	memcpy(p + 16, target->ip, 4);
	put_checksum(p + 10, add_words(0, p, 20), false);
	*sum = add_words(add_words(0, p + 12, 8), pseudo, sizeof pseudo);
	return 20;
}

static uint32_t tcp_header_bytes(unsigned flags)
{
	return flags & SYN ? 40 : flags & RST ? 20 : 32;
}

static void put_tcp_options(uint8_t *p, const struct session *s, unsigned flags, uint32_t stamp, uint32_t echo)
{
	if (flags & SYN) {	/* MSS, SACK, timestamps, window scale */
		memcpy(p, (const uint8_t[]){ 2, 4, 0, 0, 4, 2, 8, 10 }, 8);
		put16(p + 2, s->ipv6 ? 1440 : 1460);
		put32(p + 8, stamp);
		put32(p + 12, flags & ACK ? echo : 0);
		memcpy(p + 16, (const uint8_t[]){ 1, 3, 3, 7 }, 4);
	} else if (!(flags & RST)) {
		memcpy(p, (const uint8_t[]){ 1, 1, 8, 10 }, 4);
		put32(p + 4, stamp);
		put32(p + 8, echo);
	}
}

static void put_tcp(uint8_t *p, struct session *s, enum side from, unsigned flags, uint32_t seq)
{
	struct endpoint *source = &s->end[from];
	uint32_t stamp = source->clock_ms + (uint32_t)(s->next.time_us / 1000);

	put16(p, source->port);
	put16(p + 2, s->end[!from].port);
	put32(p + 4, seq);
	put32(p + 8, flags & ACK ? s->end[!from].seq : 0);
	p[12] = (uint8_t)(tcp_header_bytes(flags) / 4 << 4);
	p[13] = (uint8_t)flags;
	put16(p + 14, flags & SYN ? 64240 : 502);
	put32(p + 16, 0);
	source->last_stamp = stamp;
	put_tcp_options(p + 20, s, flags, stamp, s->end[!from].last_stamp);
}

static void put_udp(uint8_t *p, const struct session *s, enum side from, uint32_t length)
{
	put16(p, s->end[from].port);
	put16(p + 2, s->end[!from].port);
	put16(p + 4, length);
	put16(p + 6, 0);
}

static void put_payload(uint8_t *to, const struct session *s, const struct segment *what)
{
	uint32_t offset = what->offset, left = what->length;

	for (const struct piece *p = s->pieces + what->piece; left; p++) {
		uint32_t n = p->length - offset < left ? p->length - offset : left;

		memcpy(to, p->bytes + offset, n);
		to += n;
		left -= n;
		offset = 0;
	}
}

static uint32_t put_frame(uint8_t *p, struct session *s, unsigned flags, const struct segment *what)
{
	uint32_t header = s->udp ? 8 : tcp_header_bytes(flags), length = header + what->length;
	uint32_t n = put_ethernet(p, s, what->from);
	uint64_t sum;

	n += put_ip(p + n, s, what->from, length, &sum);
	if (s->udp)
		put_udp(p + n, s, what->from, length);
	else
		put_tcp(p + n, s, what->from, flags, what->seq);
	put_payload(p + n + header, s, what);
	put_checksum(p + n + (s->udp ? 6 : 16), add_words(sum, p + n, length), s->udp);
	n += length;
	if (n >= FRAME_MIN_BYTES)
		return n;
	memset(p + n, 0, FRAME_MIN_BYTES - n);
	return FRAME_MIN_BYTES;
}

static void send_segment(struct frame_writer *w, struct session *s, unsigned flags, const struct segment *what)
{
	if (w->used > BUFFER_BYTES - FRAME_MAX_BYTES && flush(w)) {
		perror("generate");
		exit(1);
	}
	uint8_t *record = w->buffer + w->used;
	uint32_t n = put_frame(record + RECORD_BYTES, s, flags, what);
	const uint32_t header[4] = { (uint32_t)(s->next.time_us / 1000000), (uint32_t)(s->next.time_us % 1000000), n, n };
	memcpy(record, header, sizeof header);
	w->used += RECORD_BYTES + n;
	w->bytes += RECORD_BYTES + n;
	w->packets++;
}

static void send_control(struct frame_writer *w, struct session *s, enum side from, unsigned flags)
{
	send_segment(w, s, flags, &(struct segment){ .from = from, .seq = s->end[from].seq });
	if (flags & (SYN | FIN))
		s->end[from].seq++;
}

/* ---- what is said next ---- */

/* Cuts a segment that begins at the cursor, which is moved behind it. Returns whether it is pushed. */
static bool cut_segment(const struct session *s, uint32_t *piece, uint32_t *offset, struct segment *out)
{
	uint32_t limit = s->udp ? UDP_PAYLOAD_BYTES : s->mss;

	*out = (struct segment){ .from = s->pieces[*piece].from, .piece = *piece, .offset = *offset };
	out->seq = s->end[out->from].seq;
	for (; *piece < s->piece_count && s->pieces[*piece].from == out->from && out->length < limit; ++*piece, *offset = 0) {
		const struct piece *p = &s->pieces[*piece];
		uint32_t left = p->length - *offset, room = limit - out->length;

		if (out->length && *offset == 0 && p->turn)
			return false;
		if (left > room) {
			*offset += room;
			out->length += room;
			return false;
		}
		out->length += left;
		if (p->push) {
			++*piece;
			*offset = 0;
			return true;
		}
	}
	return false;
}

/* The same side goes on at the cursor without waiting. */
static bool goes_on(const struct session *s, uint32_t piece, uint32_t offset, enum side from)
{
	return piece < s->piece_count && s->pieces[piece].from == from && !(offset == 0 && s->pieces[piece].turn);
}

static void acknowledge(struct session *s, enum side ack_from)
{
	s->owes_ack = true;
	s->ack_from = ack_from;
}

static void pause_between_packets(struct generator *g, struct session *s)
{
	s->next.time_us += 12 + rng_below(&g->rng, 40);
}

/* The next segment overtakes this one, which comes late. */
static void send_overtaking(struct generator *g, struct frame_writer *w, struct session *s, const struct segment *first)
{
	struct segment second;
	bool push = cut_segment(s, &s->piece, &s->offset, &second);
	struct endpoint *source = &s->end[first->from];

	second.seq = source->seq + first->length;
	s->late = *first;
	send_segment(w, s, ACK | (push ? PSH : 0), &second);
	source->seq += first->length + second.length;
	g->totals.reordered++;
	pause_between_packets(g, s);
	acknowledge(s, !first->from);
}

/* A receiver acknowledges every second segment, and a pushed one by chance. */
static void count_for_ack(struct generator *g, struct session *s, enum side from, bool push)
{
	if (++s->unacked < 2 && !push)
		return;
	if (!push || s->unacked >= 2 || rng_below(&g->rng, 2))
		acknowledge(s, !from);
	s->unacked = 0;
}

static void wait_for_turn(struct generator *g, struct session *s)
{
	if (s->piece >= s->piece_count)
		return;
	if (s->offset == 0 && s->pieces[s->piece].turn)
		s->next.time_us += s->rtt_us / 2 + 500 + rng_below(&g->rng, 8000);
	else if (rng_below(&g->rng, 10) == 0)
		s->next.time_us += s->rtt_us / 4;	/* the window was full */
}

static void send_next(struct generator *g, struct frame_writer *w, struct session *s)
{
	const struct mix *m = &g->mix;
	struct segment now;
	bool push = cut_segment(s, &s->piece, &s->offset, &now);
	double x = m->reordered + m->retransmitted > 0 ? rng_unit(&g->rng) : 1;

	if (x < m->reordered && !push && goes_on(s, s->piece, s->offset, now.from)) {
		send_overtaking(g, w, s, &now);
		return;
	}
	send_segment(w, s, ACK | (push ? PSH : 0), &now);
	if (x >= m->reordered && x < m->reordered + m->retransmitted) {
		s->late = now;
		g->totals.retransmitted++;
	}
	s->end[now.from].seq += now.length;
	count_for_ack(g, s, now.from, push);
	pause_between_packets(g, s);
	if (!s->owes_ack && !s->late.length)
		wait_for_turn(g, s);
}

static bool end_talk(struct frame_writer *w, struct session *s)
{
	if (s->closes && s->resets)
		send_control(w, s, CLIENT, RST | ACK);
	if (!s->closes || s->resets)
		return false;
	send_control(w, s, CLIENT, FIN | ACK);
	s->state = STATE_SERVER_FIN;
	s->next.time_us += s->rtt_us / 2;
	return true;
}

static bool talk(struct generator *g, struct frame_writer *w, struct session *s)
{
	if (s->late.length) {
		send_segment(w, s, ACK | PSH, &s->late);
		s->late.length = 0;
		pause_between_packets(g, s);
	} else if (s->owes_ack) {
		s->owes_ack = false;
		send_control(w, s, s->ack_from, ACK);
		pause_between_packets(g, s);
		wait_for_turn(g, s);
	} else if (s->piece < s->piece_count) {
		send_next(g, w, s);
	} else {
		return end_talk(w, s);
	}
	return true;
}

static bool exchange_datagrams(struct frame_writer *w, struct session *s)
{
	struct segment now;

	cut_segment(s, &s->piece, &s->offset, &now);
	send_segment(w, s, 0, &now);
	s->next.time_us += s->rtt_us;
	return s->piece < s->piece_count;
}

/* ---- the life of a connection ---- */

static bool open_connection(struct generator *g, struct frame_writer *w, struct session *s)
{
	send_control(w, s, CLIENT, SYN);
	if (s->syn_only)
		return false;
	s->state = STATE_SYN_ACK;
	s->next.time_us += s->rtt_us / 2 + rng_below(&g->rng, 1000);
	return true;
}

bool session_step(struct generator *g, struct frame_writer *w, struct session *s)
{
	if (s->udp)
		return exchange_datagrams(w, s);
	switch (s->state) {
	case STATE_SYN:
		return open_connection(g, w, s);
	case STATE_SYN_ACK:
		send_control(w, s, SERVER, SYN | ACK);
		s->state = STATE_ACK;
		s->next.time_us += s->rtt_us / 2 + rng_below(&g->rng, 1000);
		return true;
	case STATE_ACK:
		send_control(w, s, CLIENT, ACK);
		s->state = STATE_TALK;
		s->next.time_us += s->piece_count ? 1000 + rng_below(&g->rng, 20000) : 10;
		return true;
	case STATE_TALK:
		return talk(g, w, s);
	case STATE_SERVER_FIN:
		send_control(w, s, SERVER, FIN | ACK);
		s->state = STATE_LAST_ACK;
		s->next.time_us += s->rtt_us / 2;
		return true;
	case STATE_LAST_ACK:
		send_control(w, s, CLIENT, ACK);
		return false;
	}
	return false;
}
