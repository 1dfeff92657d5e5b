/*
 * Unit tests of pipeline.c and connection.c: frames built here go in, facts come out as lines of text. A talk is written down once and then
 * played: whole, one side late, each frame twice, one frame lost.
 */
#include "sensor/pipeline.c"
#include "sensor/fanout.c"
#include "sensor/worker.c"

#include <openssl/evp.h>

#include "tests/chance.h"
#include "tests/unit/talk.h"

/* ---- what becomes a session ---- */

static void dialogue_becomes_a_session_and_its_mail(void **state)
{
	(void)state;
	for (uint8_t version = 4; version <= 6; version += 2) {
		struct talk *k = whole_talk(version);
		struct run *r = play(k);
		const struct fact_session *s = &r->got.session[0];

		assert_int_equal(r->got.sessions, 1);
		assert_true(ip_equal(&s->src_ip, &k->addr[0]) && ip_equal(&s->dest_ip, &k->addr[1]));
		assert_int_equal(s->src_port, 40000);
		assert_int_equal(s->dest_port, 25);
		assert_int_equal(s->client_isn, k->isn[0]);
		assert_int_equal(s->server_isn, k->isn[1]);
		assert_int_equal(s->packets, k->count - 1);	/* it ends with the second FIN */
		assert_true(s->started_us == START);
		assert_true(s->ended_us >= k->frame[k->count - 2].t_us);
		assert_int_equal(s->bytes_toserver, k->sent[0] - 1);
		assert_int_equal(s->bytes_toclient, k->sent[1] - 1);
		assert_non_null(strstr(buf_cstr(&r->got.log), " fin mail "));
		assert_non_null(strstr(buf_cstr(&r->got.log), " mails=1 complete helo=client.example.org\n"));
		assert_non_null(strstr(buf_cstr(&r->got.log), "mail 1 accepted code=250 rcpt=1/1 size=70 seen=70 complete from=a@example.org "
							       "queue_id=4AB3C12345 id=1@example.org\n"));
		run_free(r);
		free(k);
	}
}

static void handshake_alone_is_no_session(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	handshake(k);
	fin(k, 'c');
	fin(k, 's');
	say(k, 'c', "");
	assert_talk(k, 0, 0, "");
	k = talk_new(4);
	handshake(k);
	rst(k, 's');
	assert_talk(k, 0, 0, "");
	k = talk_new(4);
	handshake(k);
	assert_talk(k, 0, 0, "");
}

static void flood_of_syns_leaves_nothing(void **state)
{
	struct run *r = run_new(64 << 20, false);
	struct talk *k = talk_new(4);

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		k->count = 0;
		k->port[0] = (uint16_t)(1024 + i);
		k->now_us += 100000;
		segment(k, 0, TCP_SYN, i, 0, "");
		feed_all(r, k);
	}
	assert_true(flow_count(r->p->fanout->lane[0].worker->context.flows) <= 650);	/* a minute of them */
	assert_int_equal(r->p->fanout->lane[0].worker->context.memory_bytes, 0);
	run_free(r);
	free(k);
}

static void other_ports_are_not_looked_at(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	k->port[1] = 80;
	handshake(k);
	hello(k);
	assert_talk(k, 0, 0, "");
	for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
		k = talk_new(4);
		k->port[1] = ports[i];
		handshake(k);
		hello(k);
		assert_talk(k, 1, 0, "capture-end");
	}
}

/* ---- who is the client ---- */

static void assert_client(struct talk *k, int client, const char *words)
{
	struct run *r = play(k);

	assert_int_equal(r->got.sessions, 1);
	assert_int_equal(r->got.session[0].src_port, k->port[client]);
	assert_int_equal(r->got.session[0].dest_port, k->port[!client]);
	assert_true(ip_equal(&r->got.session[0].src_ip, &k->addr[client]));
	assert_non_null(strstr(buf_cstr(&r->got.log), words));
	run_free(r);
	free(k);
}

static void client_is_who_sent_the_syn(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	k->port[0] = 25;	/* an old server that sends from its port */
	k->port[1] = 25;
	handshake(k);
	hello(k);
	assert_client(k, 0, "helo=client.example.org");
	k = talk_new(4);
	k->port[0] = 587;
	k->port[1] = 60000;	/* a server on an odd port, its client on a mail port */
	handshake(k);
	hello(k);
	assert_client(k, 0, "");
	k = talk_new(4);
	segment(k, 1, TCP_SYN | TCP_ACK, k->isn[1], k->isn[0] + 1, "");	/* the SYN was lost */
	hello(k);
	assert_client(k, 0, "helo=client.example.org");
}

static void client_without_a_syn_is_who_is_not_on_a_mail_port(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	k->port[0] = 24000;
	k->port[1] = 587;
	hello(k);
	mail(k);
	assert_client(k, 0, "mid-stream");
	k = talk_new(4);
	k->port[0] = 17;	/* lower, but no mail port */
	hello(k);
	mail(k);
	assert_client(k, 0, "mid-stream");
	k = talk_new(4);	/* both are: the higher one */
	k->port[0] = 2525;
	k->port[1] = 25;
	hello(k);
	mail(k);
	assert_client(k, 0, "mid-stream");
}

/* ---- ids ---- */

static size_t id_put(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> 8 * (n - 1 - i));
	return n;
}

/* SHA-256 over version byte 1, client and server address, client and server port, client and server ISN, and the time where an ISN is 0. */
static void assert_id(const struct got *g, const struct talk *k, int client, uint32_t client_isn, uint32_t server_isn)
{
	uint8_t text[64] = { 1 }, digest[EVP_MAX_MD_SIZE];
	size_t n = 1, address = k->version == 4 ? 4 : 16;

	memcpy(text + n, k->addr[client].bytes, address);
	memcpy(text + n + address, k->addr[!client].bytes, address);
	n += 2 * address;
	n += id_put(text + n, k->port[client], 2);
	n += id_put(text + n, k->port[!client], 2);
	n += id_put(text + n, client_isn, 4);
	n += id_put(text + n, server_isn, 4);
	if (!client_isn || !server_isn)
		n += id_put(text + n, k->frame[0].t_us, 8);
	assert_int_equal(EVP_Digest(text, n, digest, NULL, EVP_sha256(), NULL), 1);
	assert_int_equal(g->sessions, 1);
	assert_memory_equal(g->session[0].session_id, digest, SESSION_ID_BYTES);
}

static void session_id_is_the_documented_hash(void **state)
{
	(void)state;
	for (uint8_t version = 4; version <= 6; version += 2) {
		for (int swap = 0; swap < 2; swap++) {	/* which endpoint is the lesser one must not matter */
			struct talk *k = talk_new(version);

			k->addr[swap].bytes[0] = 0x0a;
			handshake(k);
			hello(k);
			struct run *r = play(k);
			assert_id(&r->got, k, 0, k->isn[0], k->isn[1]);
			run_free(r);
			free(k);
		}
	}
}

static void unseen_isn_puts_the_time_into_the_id(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	segment(k, 0, TCP_SYN, k->isn[0], 0, "");
	hello(k);	/* SYN/ACK lost */
	struct run *r = play(k);
	assert_id(&r->got, k, 0, k->isn[0], 0);
	run_free(r);
	free(k);
	k = talk_new(6);
	hello(k);
	r = play(k);
	assert_id(&r->got, k, 0, 0, 0);
	assert_int_equal(r->got.session[0].client_isn, 0);
	run_free(r);
	free(k);
}

static void id_does_not_depend_on_the_order_of_the_handshake(void **state)
{
	struct talk *k = whole_talk(4);
	struct frame syn = k->frame[0];

	(void)state;
	k->frame[0] = k->frame[1];
	k->frame[1] = syn;
	struct run *r = play(k);
	assert_id(&r->got, k, 0, k->isn[0], k->isn[1]);
	assert_non_null(strstr(buf_cstr(&r->got.log), "complete"));
	run_free(r);
	free(k);
}

/* ---- the end ---- */

static void fin_ends_it(void **state)
{
	(void)state;
	assert_talk(whole_talk(4), 1, 1, " fin mail ");
}

static void reset_ends_it(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	handshake(k);
	hello(k);
	rst(k, 'c');
	k->now_us += 5 * SECOND;
	k->port[0]++;
	segment(k, 0, TCP_SYN, 1, 0, "");	/* time goes on */
	assert_talk(k, 1, 0, " rst no-mail ");
}

static void reset_after_fin_is_a_fin(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	handshake(k);
	hello(k);
	fin(k, 'c');
	rst(k, 's');
	k->now_us += 5 * SECOND;
	k->port[0]++;
	segment(k, 0, TCP_SYN, 1, 0, "");
	assert_talk(k, 1, 0, " fin no-mail ");
}

static void forged_reset_is_ignored(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	handshake(k);
	hello(k);
	segment(k, 1, TCP_RST, k->isn[1] + 0x30000000, 0, "");
	k->now_us += 5 * SECOND;
	mail(k);
	quit(k);
	assert_talk(k, 1, 1, " fin mail ");
}

static void bytes_just_behind_a_reset_still_count(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	handshake(k);
	hello(k);
	say(k, 'c', "QUIT\r\n");
	rst(k, 'c');
	k->now_us += 20000;
	say(k, 's', "221 bye\r\n");	/* the tap was behind with this side */
	struct run *r = play(k);
	assert_int_equal(r->got.session[0].bytes_toclient, k->sent[1]);
	run_free(r);
	free(k);
}

static void end_of_the_capture_ends_it(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	handshake(k);
	hello(k);
	say(k, 'c', "MAIL FROM:<>\r\n");
	assert_talk(k, 1, 1, " capture-end ");
}

static void silence_ends_it_after_twenty_minutes(void **state)
{
	struct talk *k = talk_new(4), *other = talk_new(4);
	struct run *r = run_new(64 << 20, false);

	(void)state;
	handshake(k);
	hello(k);
	feed_all(r, k);
	other->port[0]++;
	for (uint64_t s = 0; s < 1230; s += 10) {
		other->now_us = START + s * SECOND;
		segment(other, 0, TCP_SYN, 1, 0, "");
		feed(r, &other->frame[other->count - 1], other->now_us);
		assert_int_equal(r->got.sessions, s > LIMIT_IDLE_US / SECOND + 2);
	}
	assert_non_null(strstr(buf_cstr(&r->got.log), " timeout no-mail "));
	assert_true(r->got.session[0].ended_us == k->frame[k->count - 1].t_us);
	run_free(r);
	free(other);
	free(k);
}

static void late_retransmissions_make_no_new_session(void **state)
{
	struct talk *k = whole_talk(4);
	uint32_t count = k->count;

	(void)state;
	for (uint32_t i = 3; i < count; i++) {
		k->frame[k->count] = k->frame[i];
		k->frame[k->count++].t_us = k->now_us += SECOND;
	}
	assert_talk(k, 1, 1, " fin mail ");
}

/* ---- ports that are used again ---- */

static void begin_again(struct talk *k)
{
	k->isn[0] += 1000000;
	k->isn[1] += 3000000;
	k->sent[0] = k->sent[1] = 0;
}

static void ports_used_again_after_the_end_are_another_session(void **state)
{
	struct talk *k = whole_talk(4);

	(void)state;
	k->now_us += SECOND;
	begin_again(k);
	handshake(k);
	hello(k);
	mail(k);
	quit(k);
	struct run *r = play(k);
	assert_int_equal(r->got.sessions, 2);
	assert_int_equal(r->got.transactions, 2);
	assert_memory_not_equal(r->got.session[0].session_id, r->got.session[1].session_id, SESSION_ID_BYTES);
	assert_int_equal(r->got.session[1].end, END_FIN);
	assert_true(r->got.session[0].complete && r->got.session[1].complete);
	assert_int_equal(r->got.session[0].packets + r->got.session[1].packets, k->count - 2);
	run_free(r);
	free(k);
}

static void syn_ack_of_the_next_one_may_come_before_its_syn(void **state)
{
	struct talk *k = whole_talk(4);

	(void)state;
	k->now_us += SECOND;
	begin_again(k);
	uint32_t first = k->count;
	handshake(k);
	hello(k);
	mail(k);
	quit(k);
	struct frame syn = k->frame[first];
	k->frame[first] = k->frame[first + 1];
	k->frame[first + 1] = syn;
	struct run *r = play(k);
	assert_int_equal(r->got.sessions, 2);
	assert_int_equal(r->got.transactions, 2);
	assert_true(r->got.session[0].complete && r->got.session[1].complete);
	run_free(r);
	free(k);
}

static void ports_used_again_without_an_end_close_the_first(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	handshake(k);
	hello(k);
	k->now_us += 600 * SECOND;
	begin_again(k);
	handshake(k);
	hello(k);
	mail(k);
	quit(k);
	struct run *r = play(k);
	assert_int_equal(r->got.sessions, 2);
	assert_int_equal(r->got.session[0].end, END_PORT_REUSE);
	assert_true(r->got.session[0].ended_us < START + SECOND);
	assert_int_equal(r->got.session[1].end, END_FIN);
	assert_true(r->got.session[1].complete);
	run_free(r);
	free(k);
}

static void retransmitted_syn_is_not_a_new_connection(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	segment(k, 0, TCP_SYN, k->isn[0], 0, "");
	k->now_us += 3 * SECOND;
	segment(k, 0, TCP_SYN, k->isn[0], 0, "");
	segment(k, 1, TCP_SYN | TCP_ACK, k->isn[1], k->isn[0] + 1, "");
	hello(k);
	segment(k, 1, TCP_SYN | TCP_ACK, k->isn[1], k->isn[0] + 1, "");
	mail(k);
	quit(k);
	assert_talk(k, 1, 1, "complete");
}

/* ---- lives that follow each other, numbers that nobody would obey ---- */

static void packets_of_a_closed_flow_do_not_keep_it(void **state)
{
	struct talk *k = whole_talk(4);
	struct run *r = run_new(64 << 20, false);

	(void)state;
	feed_all(r, k);
	for (uint32_t s = 1; s < 40; s++)
		feed(r, &k->frame[k->count - 1], k->now_us + s * SECOND);
	assert_int_equal(flow_count(r->p->fanout->lane[0].worker->context.flows), 0);
	run_free(r);
	free(k);
}

static void new_life_without_a_syn_is_a_session(void **state)
{
	struct talk *k = whole_talk(4);

	(void)state;
	k->now_us += 5 * SECOND;
	k->isn[0] += 1000000000;
	k->isn[1] += 700000000;
	k->sent[0] = k->sent[1] = 0;
	hello(k);
	mail(k);
	quit(k);
	struct run *r = play(k);
	assert_int_equal(r->got.sessions, 2);
	assert_int_equal(r->got.transactions, 2);
	assert_true(r->got.session[1].notes & NOTE_MID_STREAM);
	run_free(r);
	free(k);
}

static void reset_with_bytes_behind_it_ends_nothing(void **state)
{
	(void)state;
	for (uint32_t off = 0; off <= 1000; off += 1000) {
		struct talk *k = talk_new(4);

		handshake(k);
		hello(k);
		segment(k, 0, TCP_RST, k->isn[0] + 1 + k->sent[0] + off, 0, "");
		k->now_us += off ? 20 * SECOND : SECOND / 2;
		mail(k);
		k->now_us += 40 * SECOND;
		mail(k);
		quit(k);
		assert_talk(k, 1, 2, " fin mail ");
	}
}

static void reset_whose_bytes_come_late_still_counts(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	handshake(k);
	hello(k);
	say(k, 'c', "RSET\r\n");
	rst(k, 'c');
	struct frame late = k->frame[k->count - 2];
	k->frame[k->count - 2] = k->frame[k->count - 1];
	k->frame[k->count - 1] = late;
	k->now_us += 5 * SECOND;
	k->port[0]++;
	segment(k, 0, TCP_SYN, 1, 0, "");
	assert_talk(k, 1, 0, " rst no-mail ");
}

static void syn_that_nobody_answers_ends_nothing(void **state)
{
	(void)state;
	for (int dir = 0; dir < 2; dir++) {
		struct talk *k = talk_new(4);

		handshake(k);
		hello(k);
		segment(k, dir, dir ? TCP_SYN | TCP_ACK : TCP_SYN, 0x12345678, 77, "");
		mail(k);
		quit(k);
		assert_talk(k, 1, 1, " fin mail ");
	}
}

static void syn_between_handshake_and_greeting_ends_nothing(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	handshake(k);
	segment(k, 0, TCP_SYN, 0x12345678, 0, "");
	hello(k);
	mail(k);
	quit(k);
	assert_talk(k, 1, 1, " mails=1 complete ");
}

static void syn_that_is_answered_is_another_session(void **state)
{
	(void)state;
	for (int swap = 0; swap < 2; swap++) {	/* a tap may bring the answer first */
		struct talk *k = talk_new(4);

		handshake(k);
		hello(k);
		begin_again(k);
		uint32_t first = k->count;
		handshake(k);
		if (swap) {
			struct frame syn = k->frame[first];
			k->frame[first] = k->frame[first + 1];
			k->frame[first + 1] = syn;
		}
		hello(k);
		mail(k);
		quit(k);
		struct run *r = play(k);
		assert_int_equal(r->got.sessions, 2);
		assert_int_equal(r->got.session[0].end, END_PORT_REUSE);
		assert_true(r->got.session[1].complete);
		assert_int_equal(r->got.session[1].client_isn, k->isn[0]);
		assert_int_equal(r->got.session[1].server_isn, k->isn[1]);
		assert_int_equal(r->got.session[0].packets + r->got.session[1].packets, k->count - 1);
		run_free(r);
		free(k);
	}
}

static void late_bytes_behind_an_early_reset_keep_the_id(void **state)
{
	(void)state;
	for (int with_fin = 0; with_fin < 2; with_fin++) {
		struct talk *k = talk_new(4);

		handshake(k);
		say(k, 's', "220 mx.example.net ESMTP\r\n");
		if (with_fin)
			fin(k, 'c');
		else
			rst(k, 'c');
		struct frame late = k->frame[k->count - 2];
		k->frame[k->count - 2] = k->frame[k->count - 1];
		k->frame[k->count - 1] = late;
		struct run *r = play(k);
		assert_id(&r->got, k, 0, k->isn[0], k->isn[1]);
		assert_false(r->got.session[0].notes & NOTE_MID_STREAM);
		run_free(r);
		free(k);
	}
}

static void far_numbers_lose_no_mail(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	handshake(k);
	hello(k);
	segment(k, 0, TCP_ACK, k->isn[0] + 1000000000, k->isn[1], "x");
	segment(k, 1, TCP_ACK, k->isn[1] + 1 + k->sent[1], k->isn[0] + 1000000000, "");
	k->now_us += 40 * SECOND;
	mail(k);
	quit(k);
	assert_talk(k, 1, 1, " mails=1 complete ");
}

static void what_no_receiver_takes_is_counted(void **state)
{
	struct talk *k = whole_talk(4), *fair = whole_talk(4);

	(void)state;
	uint32_t seq = k->isn[0] + 1 + k->sent[0], ack = k->isn[1] + 1 + k->sent[1];
	k->count -= 3;		/* before the end */
	segment(k, 0, TCP_ACK, seq + 1000000000, ack, "x");
	segment(k, 0, TCP_PSH, seq, ack, "x");
	segment(k, 0, TCP_SYN | TCP_FIN, seq + 77, 0, "");
	memcpy(k->frame + k->count, fair->frame + fair->count - 3, 3 * sizeof *k->frame);
	k->count += 3;
	struct run *r = play(k);
	assert_int_equal(r->got.totals.left_out, 3);
	assert_int_equal(r->got.sessions, 1);
	assert_true(r->got.session[0].notes & NOTE_OUT_OF_WINDOW);
	assert_true(r->got.session[0].complete);
	run_free(r);
	free(k);
	free(fair);
}

/* ---- bad taps ---- */

static void one_side_alone_is_noted(void **state)
{
	(void)state;
	for (int gone = 0; gone < 2; gone++) {
		struct talk *k = whole_talk(4);

		for (uint32_t i = 0; i < k->count; i++)
			k->frame[i].lost = k->frame[i].from == gone;
		struct run *r = play(k);
		assert_int_equal(r->got.sessions, 1);
		assert_true(r->got.session[0].notes & NOTE_ONE_SIDED);
		assert_false(r->got.session[0].complete);
		assert_int_equal(gone ? r->got.session[0].bytes_toclient : r->got.session[0].bytes_toserver, 0);
		assert_int_equal(r->got.session[0].src_port, 40000);
		assert_null(strstr(buf_cstr(&r->got.log), "accepted"));
		assert_int_equal(r->got.capture[0].one_sided_sessions, 1);
		run_free(r);
		free(k);
	}
}

static int compare_frames(const void *x, const void *y)
{
	const struct frame *a = x, *b = y;

	if (a->t_us != b->t_us)
		return a->t_us < b->t_us ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

/* Three mails over one connection, the second one in pipelined commands; then another connection. */
static struct talk *long_talk(void)
{
	struct talk *k = talk_new(4);

	handshake(k);
	hello(k);
	mail(k);
	say(k, 'c', "MAIL FROM:<>\r\nRCPT TO:<x@example.net>\r\nRCPT TO:<y@example.net>\r\nDATA\r\n");
	say(k, 's', "250 ok\r\n550 5.1.1 unknown\r\n");
	say(k, 's', "250 ok\r\n354 go\r\n");
	say(k, 'c', "Subject: y\r\n\r\n.\r\n");
	say(k, 's', "554 5.7.1 no\r\n");
	mail(k);
	quit(k);
	k->now_us += SECOND;
	begin_again(k);
	handshake(k);
	hello(k);
	mail(k);
	quit(k);
	return k;
}

static void side_that_is_late_changes_no_fact(void **state)
{
	static const uint64_t delays_us[] = { 500, 1000, 1500, 5000, 50000, 300000 };
	struct talk *k = long_talk();
	struct run *straight = play(k);

	(void)state;
	assert_int_equal(straight->got.sessions, 2);
	assert_int_equal(straight->got.transactions, 4);
	free(k);
	for (size_t d = 0; d < sizeof delays_us / sizeof *delays_us; d++) {
		for (int late = 0; late < 2; late++) {
			k = long_talk();
			for (uint32_t i = 0; i < k->count; i++)
				if (k->frame[i].from == late)
					k->frame[i].t_us += delays_us[d];
			qsort(k->frame, k->count, sizeof *k->frame, compare_frames);
			struct run *r = play(k);
			assert_string_equal(buf_cstr(&r->got.log), buf_cstr(&straight->got.log));
			run_free(r);
			free(k);
		}
	}
	run_free(straight);
}

static void frames_seen_twice_change_no_fact(void **state)
{
	struct talk *k = long_talk();
	struct run *once = play(k), *twice = run_new(64 << 20, false);

	(void)state;
	for (uint32_t i = 0; i < k->count; i++) {
		feed(twice, &k->frame[i], k->frame[i].t_us);
		feed(twice, &k->frame[i], k->frame[i].t_us);
	}
	finish(twice);
	assert_string_equal(buf_cstr(&twice->got.log), buf_cstr(&once->got.log));
	run_free(once);
	run_free(twice);
	free(k);
}

/* The same times, the frames behind the first `fixed` shuffled. */
static void shuffle(struct talk *k, uint32_t fixed, uint64_t seed)
{
	for (uint32_t i = k->count - 1; i > fixed; i--) {
		uint32_t j = fixed + (uint32_t)(chance_next(&seed) % (i + 1 - fixed));
		struct frame swap = k->frame[i];
		k->frame[i] = k->frame[j];
		k->frame[j] = swap;
		k->frame[i].t_us = START + i;
		k->frame[j].t_us = START + j;
	}
}

/* The end: FIN of both, FIN and then RST (number of the FIN, or of the byte behind it), or RST alone. */
static void frames_in_any_order_change_no_fact(void **state)
{
	enum { ENDS = 4, ORDERS = 300 };

	(void)state;
	for (unsigned how = 0; how < ENDS; how++) {
		struct talk *k = talk_new(4);

		handshake(k);
		hello(k);
		mail(k);
		say(k, 'c', "QUIT\r\n");
		say(k, 's', "221 2.0.0 bye\r\n");
		if (how < 3)
			fin(k, 'c');
		if (how == 0)
			fin(k, 's');
		else
			segment(k, 0, TCP_RST, k->isn[0] + 1 + k->sent[0] - (how == 1), 0, "");
		for (uint32_t i = 0; i < k->count; i++)
			k->frame[i].t_us = START + i;
		struct run *plain = play(k);
		assert_non_null(strstr(buf_cstr(&plain->got.log), how == 3 ? " rst mail " : " fin mail "));
		for (uint64_t seed = 0; seed < ORDERS; seed++) {
			shuffle(k, how != 0, seed);	/* a RST alone begins nothing */
			struct run *r = play(k);
			if (strcmp(buf_cstr(&r->got.log), buf_cstr(&plain->got.log)) != 0)
				fail_msg("end %u, seed %llu: %s", how, (unsigned long long)seed, buf_cstr(&r->got.log));
			run_free(r);
		}
		run_free(plain);
		free(k);
	}
}

/* Any one frame is missing, then any two next to each other. */
static void lost_frame_never_makes_an_accepted_mail(void **state)
{
	struct talk *k = whole_talk(4);

	(void)state;
	for (uint32_t width = 1; width <= 2; width++) {
		for (uint32_t i = 0; i < k->count; i++) {
			bool reply_lost = false, data_lost = false;

			for (uint32_t j = 0; j < k->count; j++) {
				bool lost = k->frame[j].lost = j >= i && j < i + width;

				reply_lost |= lost && memmem(k->frame[j].bytes, k->frame[j].n, "queued as", 9);
				data_lost |= lost && k->frame[j].n > 54;
			}
			struct run *r = play(k);
			assert_int_equal(r->got.sessions, 1);
			if (reply_lost)
				assert_null(strstr(buf_cstr(&r->got.log), "accepted"));
			if ((r->got.session[0].unseen_bytes != 0) != data_lost)
				fail_msg("%u frames from %u of %u lost:\n%s", width, i, k->count, buf_cstr(&r->got.log));
			if (data_lost)
				assert_false(r->got.session[0].complete);
			run_free(r);
		}
	}
	free(k);
}

static void cut_frame_is_a_gap(void **state)
{
	struct talk *k = whole_talk(4);

	(void)state;
	for (uint32_t i = 0; i < k->count; i++)
		if (k->frame[i].captured > 90)
			k->frame[i].captured = 90;
	struct run *r = play(k);
	assert_true(r->got.session[0].notes & NOTE_GAP);
	assert_true(r->got.session[0].unseen_bytes > 0);
	assert_int_equal(r->got.session[0].bytes_toserver + r->got.session[0].bytes_toclient + r->got.session[0].unseen_bytes,
			 k->sent[0] + k->sent[1] - 2);
	assert_false(r->got.session[0].complete);
	run_free(r);
	free(k);
}

static void clock_that_is_set_back_ends_no_session(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	handshake(k);
	hello(k);
	k->now_us -= 7200 * SECOND;
	mail(k);
	mail(k);
	quit(k);
	struct run *r = play(k);
	assert_int_equal(r->got.sessions, 1);
	assert_int_equal(r->got.transactions, 2);
	assert_true(r->got.session[0].notes & NOTE_CLOCK_BACKWARD);
	assert_int_equal(r->got.session[0].end, END_FIN);
	run_free(r);
	free(k);
}

static void connections_that_begin_after_the_clock_was_set_back_are_whole(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	segment(k, 0, TCP_SYN, 77, 0, "");
	k->now_us -= 7200 * SECOND;
	k->port[0]++;
	handshake(k);
	hello(k);
	mail(k);
	quit(k);
	assert_talk(k, 1, 1, "complete");
}

/* A lost frame behind it is waited for as long as ever: what comes after it is told before the capture ends. */
static void clock_that_is_set_back_stalls_no_wait(void **state)
{
	struct talk *k = talk_new(4), *other = talk_new(6);
	struct run *r = run_new(64 << 20, false);

	(void)state;
	handshake(other);
	hello(other);
	feed_all(r, other);
	k->now_us -= 7200 * SECOND;
	handshake(k);
	hello(k);
	mail(k);
	k->frame[k->count - 5].lost = true;
	feed_all(r, k);
	assert_int_equal(r->got.transactions, 0);
	other->count = 0;
	other->now_us = k->now_us;
	for (int i = 0; i < 50; i++) {
		say(other, 'c', "NOOP\r\n");
		say(other, 's', "250 ok\r\n");
		other->now_us += SECOND / 10;
	}
	feed_all(r, other);
	assert_int_equal(r->got.transactions, 1);
	run_free(r);
	free(other);
	free(k);
}

static void only_frame_of_a_capture_counts(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	say(k, 's', "220 mx.example.net ESMTP\r\n");
	struct run *r = play(k);
	assert_int_equal(r->got.sessions, 1);
	assert_int_equal(r->got.totals.frames, 1);
	assert_int_equal(r->got.captures, 1);
	assert_true(r->got.totals.first_us == START && r->got.totals.last_us == START);
	run_free(r);
	free(k);
}

static void damaged_time_of_one_frame_moves_no_clock(void **state)
{
	static const uint64_t ahead_us[] = { 366 * 86400 * SECOND, UINT32_MAX * SECOND - START };

	(void)state;
	for (size_t i = 0; i < sizeof ahead_us / sizeof *ahead_us; i++) {
		for (uint32_t at = 0; at < 10; at++) {
			struct talk *k = whole_talk(4);

			k->frame[at].t_us += ahead_us[i];
			struct run *r = play(k);
			assert_int_equal(r->got.sessions, 1);
			assert_int_equal(r->got.transactions, 1);
			assert_int_equal(r->got.session[0].end, END_FIN);
			assert_int_equal(r->got.totals.frames, k->count);
			assert_true(r->got.totals.last_us < START + SECOND);
			assert_int_equal(r->got.captures, 1);
			run_free(r);
			free(k);
		}
	}
}

static void captures_of_several_days_are_whole(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	for (int day = 0; day < 3; day++) {
		k->now_us = START + (uint64_t)day * 86400 * SECOND;
		begin_again(k);
		k->port[0]++;
		handshake(k);
		hello(k);
		mail(k);
		if (day)
			quit(k);
	}
	struct run *r = play(k);
	assert_int_equal(r->got.sessions, 3);
	assert_int_equal(r->got.session[0].end, END_TIMEOUT);
	assert_true(r->got.session[1].complete && r->got.session[2].complete);
	assert_true(r->got.session[2].client_isn == k->isn[0]);
	assert_int_equal(r->got.captures, 3);
	assert_int_equal(r->got.totals.frames, k->count);
	run_free(r);
	free(k);
}

static void seconds_beyond_32_bits_work(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	k->now_us = UINT32_MAX * SECOND + SECOND / 2;
	handshake(k);
	hello(k);
	mail(k);
	k->now_us += 2 * SECOND;
	quit(k);
	assert_talk(k, 1, 1, " mails=1 complete ");
}

static void tag_on_one_direction_does_not_split_it(void **state)
{
	struct talk *k = talk_new(4);

	(void)state;
	k->vlan[1] = 7;
	handshake(k);
	hello(k);
	mail(k);
	quit(k);
	struct run *r = run_new(64 << 20, true);
	feed_all(r, k);
	finish(r);
	assert_int_equal(r->got.sessions, 2);	/* unless the configuration says that tags tell networks apart */
	run_free(r);
	assert_talk(k, 1, 1, "complete");
}

/* ---- tunnels ---- */

/* IPv4 around the IP packet of f, from 198.51.100.`from` to 198.51.100.`to`. */
static void put_tunnel(const struct talk *k, struct frame *f, uint8_t from, uint8_t to)
{
	uint8_t header[20] = { 0x45, [8] = 64, [9] = k->version == 4 ? 4 : 41, [12] = 198, 51, 100, from, 198, 51, 100, to };

	assert_true(f->n + sizeof header <= sizeof f->bytes);
	put16(header + 2, (unsigned)(f->n - 14 + sizeof header));
	memmove(f->bytes + 14 + sizeof header, f->bytes + 14, f->n - 14);
	memcpy(f->bytes + 14, header, sizeof header);
	put16(f->bytes + 12, 0x0800);
	f->n = f->captured = (uint32_t)(f->n + sizeof header);
}

static struct run *play_tunnels(const struct talk *k, const char *named)
{
	struct ip_prefix prefix;
	struct run *r = run_new(64 << 20, false);

	if (named) {
		assert_int_equal(ip_prefix_parse(named, &prefix), 0);
		r->p->o.tunnels = (struct decode_tunnels){ true, &prefix, 1 };
	}
	feed_all(r, k);
	finish(r);
	return r;
}

static void session_inside_a_tunnel_is_whole_and_noted(void **state)
{
	(void)state;
	for (uint8_t version = 4; version <= 6; version += 2) {
		struct talk *k = whole_talk(version);

		for (uint32_t i = 0; i < k->count; i++)
			put_tunnel(k, &k->frame[i], k->frame[i].from ? 2 : 1, k->frame[i].from ? 1 : 2);
		struct run *plain = play(k);
		assert_int_equal(plain->got.sessions, 1);
		assert_true(plain->got.session[0].notes & NOTE_TUNNELLED);
		assert_true(plain->got.session[0].complete);
		assert_non_null(strstr(buf_cstr(&plain->got.log), "id=1@example.org tunnelled\n"));
		run_free(plain);
		free(k);
	}
}

/* Endpoints that look like one stranger's, and a session that he makes up as a whole, with all its numbers right. */
static void session_from_a_strangers_tunnel_has_another_id(void **state)
{
	struct talk *k = whole_talk(4), *forged = whole_talk(4);
	struct run *r = run_new(64 << 20, false);

	(void)state;
	for (uint32_t i = 0; i < k->count; i++) {
		put_tunnel(forged, &forged->frame[i], 66, 25);
		feed(r, &forged->frame[i], forged->frame[i].t_us);
		feed(r, &k->frame[i], k->frame[i].t_us);
	}
	finish(r);
	assert_int_equal(r->got.sessions, 2);
	assert_int_equal(r->got.session[0].notes, NOTE_TUNNELLED);
	assert_int_equal(r->got.session[1].notes, 0);
	assert_memory_not_equal(r->got.session[0].session_id, r->got.session[1].session_id, SESSION_ID_BYTES);
	run_free(r);
	free(forged);
	free(k);
}

/* In the place of each segment, just before it, one that a stranger sends through a tunnel. */
static void forged_segment_in_a_tunnel_enters_no_other_session(void **state)
{
	struct talk *k = whole_talk(4), *other = whole_talk(4);
	struct run *whole = play(k);

	(void)state;
	for (uint32_t i = 0; i < k->count; i++) {
		struct run *r = run_new(64 << 20, false);
		struct frame f = other->frame[i];

		memset(f.bytes + 54, '5', f.n - 54);
		put_tunnel(k, &f, 66, 25);
		for (uint32_t j = 0; j < k->count; j++) {
			if (j == i)
				feed(r, &f, f.t_us);
			feed(r, &k->frame[j], k->frame[j].t_us);
		}
		if (!strstr(buf_cstr(&r->got.log), buf_cstr(&whole->got.log)))
			fail_msg("frame %u forged: %s", i, buf_cstr(&r->got.log));
		run_free(r);
	}
	run_free(whole);
	free(other);
	free(k);
}

/* Two switches, each mirrors one direction to us. */
static void named_tunnels_carry_a_connection_together(void **state)
{
	struct talk *k = whole_talk(4);

	(void)state;
	for (uint32_t i = 0; i < k->count; i++)
		put_tunnel(k, &k->frame[i], k->frame[i].from ? 2 : 3, 9);
	struct run *r = play_tunnels(k, "198.51.100.0/24");
	assert_id(&r->got, k, 0, k->isn[0], k->isn[1]);
	assert_true(r->got.session[0].complete);
	assert_int_equal(r->got.session[0].notes, NOTE_TUNNELLED);
	run_free(r);
	r = play_tunnels(k, NULL);	/* whose they are was not said */
	assert_int_equal(r->got.sessions, 2);
	assert_int_equal(r->got.session[0].notes & NOTE_ONE_SIDED, NOTE_ONE_SIDED);
	assert_null(strstr(buf_cstr(&r->got.log), "accepted"));
	run_free(r);
	free(k);
}

static void tunnels_that_are_not_named_are_counted(void **state)
{
	struct talk *k = whole_talk(4);

	(void)state;
	for (uint32_t i = 0; i < k->count; i++)
		put_tunnel(k, &k->frame[i], 1, 2);
	struct run *r = play_tunnels(k, "198.51.100.2");
	assert_int_equal(r->got.sessions, 0);
	assert_int_equal(r->got.totals.decoded[DECODE_TUNNEL], k->count);
	run_free(r);
	free(k);
}

/* ---- memory ---- */

enum { CROWD = 60, SMALL_MEMORY = 200 * 1024 };

/* Many open sessions, each with a mail begun; one of them, the first, goes on all the time. */
static void memory_is_short_and_the_idlest_go_first(void **state)
{
	struct run *r = run_new(SMALL_MEMORY, false);
	struct talk *busy = talk_new(4), *k = talk_new(4);
	uint64_t evicted = 0;

	(void)state;
	handshake(busy);
	hello(busy);
	feed_all(r, busy);
	for (unsigned i = 0; i < CROWD; i++) {
		k->count = 0;
		k->sent[0] = k->sent[1] = 0;
		k->port[0] = (uint16_t)(50000 + i);
		k->now_us = START + i * 10 * SECOND;
		handshake(k);
		hello(k);
		say(k, 'c', "MAIL FROM:<a@example.org>\r\n");
		say(k, 's', "250 ok\r\n");
		feed_all(r, k);
		busy->count = 0;
		busy->now_us = k->now_us + 5 * SECOND;
		say(busy, 'c', "NOOP\r\n");
		say(busy, 's', "250 ok\r\n");
		feed_all(r, busy);
		assert_true(r->p->fanout->lane[0].worker->context.memory_bytes <= SMALL_MEMORY / 2);
	}
	evicted = r->p->fanout->lane[0].worker->totals.evicted;
	assert_true(evicted > 0 && evicted < CROWD);
	assert_int_equal(r->got.sessions, evicted);
	for (unsigned i = 0; i < evicted; i++) {
		assert_int_equal(r->got.session[i].end, END_EVICTED);
		assert_int_equal(r->got.session[i].src_port, 50000 + i);
	}
	finish(r);
	assert_int_equal(r->got.sessions, CROWD + 1);
	uint64_t counted = 0;
	for (unsigned i = 0; i < r->got.captures; i++)
		counted += r->got.capture[i].evicted;
	assert_int_equal(counted, evicted);
	run_free(r);
	free(busy);
	free(k);
}

static void flood_of_flows_stays_under_the_ceiling(void **state)
{
	struct run *r = run_new(SMALL_MEMORY, false);
	struct talk *k = talk_new(4);

	(void)state;
	for (uint32_t i = 0; i < 20000; i++) {
		k->count = 0;
		k->port[0] = (uint16_t)(1024 + i);
		segment(k, 0, TCP_SYN, i, 0, "");
		feed_all(r, k);
		assert_true(flow_memory_bytes(r->p->fanout->lane[0].worker->context.flows) <= SMALL_MEMORY / 2 + sizeof(struct flow));
	}
	finish(r);
	assert_true(r->got.totals.evicted > 10000);
	assert_int_equal(r->got.sessions, 0);
	run_free(r);
	free(k);
}

/* ---- counters ---- */

static void counters_of_the_minutes_add_up(void **state)
{
	struct talk *k = talk_new(4);
	uint64_t packets = 0, bytes = 0, flows = 0, sessions = 0, unseen = 0;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		k->port[0]++;
		begin_again(k);
		handshake(k);
		hello(k);
		mail(k);
		k->frame[k->count - 3].lost = i == 7;
		quit(k);
		k->now_us += 20 * SECOND;
	}
	struct run *r = play(k);
	for (unsigned i = 0; i < r->got.captures; i++) {
		const struct fact_capture *c = &r->got.capture[i];

		assert_true(c->start_us % MINUTE_US == 0 && c->end_us == c->start_us + MINUTE_US);
		assert_true(i == 0 || c->start_us > r->got.capture[i - 1].start_us);
		packets += c->packets;
		bytes += c->bytes;
		flows += c->flows;
		sessions += c->sessions;
		unseen += c->unseen_bytes;
	}
	assert_true(r->got.captures >= 6);
	assert_int_equal(packets, k->count - 1);
	assert_int_equal(packets, r->got.totals.frames);
	assert_int_equal(bytes, r->got.totals.bytes);
	assert_int_equal(flows, 20);
	assert_int_equal(sessions, 20);
	assert_int_equal(unseen, r->got.totals.unseen_bytes);
	assert_true(unseen > 0);
	assert_true(r->got.totals.first_us == START);
	run_free(r);
	free(k);
}

/* A tap with two cards: each sees one direction. What has both counts for the card of its first packet. */
static void counters_are_those_of_the_interface(void **state)
{
	struct talk *k = whole_talk(4);
	struct run *r = run_new(64 << 20, false);
	uint64_t from[2] = { 0 };

	(void)state;
	r->p->o.interface_count = 2;
	pipeline_drops(r->p, 1, 5, 1);
	for (uint32_t i = 0; i < k->count; i++) {
		feed_from(r, (unsigned)k->frame[i].from, &k->frame[i], k->frame[i].t_us);
		from[k->frame[i].from]++;
	}
	pipeline_drops(r->p, 1, 7, 2);
	finish(r);
	assert_int_equal(r->got.captures, 2);
	const struct fact_capture *a = &r->got.capture[0], *b = &r->got.capture[1];
	assert_true(a->interface.p == interfaces[0] && b->interface.p == interfaces[1]);
	assert_true(a->start_us == START && b->start_us == START);
	assert_int_equal(a->packets, from[0]);
	assert_int_equal(b->packets, from[1]);
	assert_int_equal(a->flows * 10 + a->sessions, 11);
	assert_int_equal(b->flows + b->sessions, 0);
	assert_int_equal(a->kernel_drops, 0);
	assert_int_equal(b->kernel_drops, 12);
	assert_int_equal(a->interface_drops, 0);
	assert_int_equal(b->interface_drops, 3);
	run_free(r);
	free(k);
}

static void idle_links_let_timers_run(void **state)
{
	struct talk *k = talk_new(4);
	struct run *r = run_new(64 << 20, false);

	(void)state;
	handshake(k);
	hello(k);
	mail(k);
	feed_all(r, k);
	for (uint64_t t = START; t <= START + LIMIT_IDLE_US - SECOND; t += SECOND)
		pipeline_idle(r->p, t);
	assert_int_equal(r->got.sessions, 0);
	assert_int_equal(r->got.captures, 19);	/* minutes without a packet say so */
	assert_int_equal(r->got.capture[18].packets, 0);
	for (uint64_t t = START + LIMIT_IDLE_US; t <= START + LIMIT_IDLE_US + 3 * SECOND; t += SECOND)
		pipeline_idle(r->p, t);
	assert_int_equal(r->got.sessions, 1);
	assert_int_equal(r->got.session[0].end, END_TIMEOUT);
	finish(r);
	assert_true(r->got.totals.last_us < START + SECOND);	/* of packets alone */
	run_free(r);
	free(k);
}

/* ---- workers ---- */

enum { TALKS = 60 };

/* Connections that begin 1.7 s apart and go on one another's heels for some minutes; some lose a frame, some never end. */
static struct talk **crowd_new(void)
{
	struct talk **k = xcalloc(TALKS, sizeof *k);

	for (unsigned i = 0; i < TALKS; i++) {
		k[i] = talk_new(i % 3 ? 4 : 6);
		k[i]->port[0] = (uint16_t)(40000 + i % 50);
		k[i]->addr[0].bytes[2] = (uint8_t)i;
		k[i]->isn[0] = 1000 * i;
		k[i]->now_us += i * 17 * SECOND / 10;
		handshake(k[i]);
		hello(k[i]);
		for (unsigned n = 0; n < i % 4; n++) {
			mail(k[i]);
			k[i]->now_us += 20 * SECOND;
		}
		if (i % 5)
			quit(k[i]);
		k[i]->frame[i % k[i]->count].lost = i % 7 == 0;
	}
	return k;
}

static void crowd_free(struct talk **k)
{
	for (unsigned i = 0; i < TALKS; i++)
		free(k[i]);
	free(k);
}

/* The frames of all of them in the order of their times. */
static void feed_crowd(struct run *r, struct talk *const *k)
{
	uint32_t at[TALKS] = { 0 };

	for (;;) {
		unsigned first = TALKS;

		for (unsigned i = 0; i < TALKS; i++)
			if (at[i] < k[i]->count && (first == TALKS || k[i]->frame[at[i]].t_us < k[first]->frame[at[first]].t_us))
				first = i;
		if (first == TALKS)
			return;
		const struct frame *f = &k[first]->frame[at[first]++];
		if (!f->lost)
			feed(r, f, f->t_us);
		pipeline_tick(r->p, f->t_us);
	}
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of all workers, sorted; the caller frees it. */
static char *sorted_log(const struct run *r)
{
	enum { LINES = 1000 };
	char *line[LINES], *save = NULL;
	struct buf all = { 0 }, out = { 0 };
	size_t n = 0;

	buf_add(&all, r->got.log.p, r->got.log.len);
	for (unsigned i = 0; i < WORKERS_MAX - 1; i++)
		buf_add(&all, r->other[i].log.p, r->other[i].log.len);
	buf_cstr(&all);
	for (char *l = strtok_r(all.p, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		assert_true(n < LINES);
		line[n++] = l;
	}
	qsort(line, n, sizeof *line, compare_lines);
	for (size_t i = 0; i < n; i++)
		buf_printf(&out, "%s\n", line[i]);
	char *text = xstrdup(buf_cstr(&out));
	buf_fini(&out);
	buf_fini(&all);
	return text;
}

static const struct fact_capture *minute_of(const struct run *r, uint64_t start_us)
{
	for (unsigned w = 0; w < WORKERS_MAX; w++) {
		const struct got *g = w ? &r->other[w - 1] : &r->got;

		for (unsigned i = 0; i < g->captures; i++)
			if (g->capture[i].start_us == start_us)
				return &g->capture[i];
	}
	fail_msg("no minute %llu", (unsigned long long)start_us);
	return NULL;
}

static void assert_same_minutes(const struct run *r, const struct run *alone)
{
	unsigned minutes = r->got.captures;

	for (unsigned i = 0; i < WORKERS_MAX - 1; i++)
		minutes += r->other[i].captures;
	assert_int_equal(minutes, alone->got.captures);
	for (unsigned i = 0; i < alone->got.captures; i++) {
		const struct fact_capture *expected = &alone->got.capture[i], *got = minute_of(r, expected->start_us);

		assert_true(got->interface.p == expected->interface.p);
		assert_memory_equal(&got->start_us, &expected->start_us, sizeof *got - offsetof(struct fact_capture, start_us));
	}
}

static void any_number_of_workers_makes_the_same_facts(void **state)
{
	struct talk **k = crowd_new();
	struct run *alone = run_with(1, 64 << 20, false);

	(void)state;
	feed_crowd(alone, k);
	finish(alone);
	char *expected = sorted_log(alone);
	assert_int_equal(alone->got.sessions, TALKS);
	assert_true(alone->got.captures >= 3 && alone->got.totals.unseen_bytes > 0);
	for (unsigned workers = 2; workers <= WORKERS_MAX; workers++) {
		struct run *r = run_with(workers, 64 << 20, false);

		feed_crowd(r, k);
		finish(r);
		char *got = sorted_log(r);
		assert_string_equal(got, expected);
		assert_same_minutes(r, alone);
		assert_memory_equal(&r->got.totals, &alone->got.totals, sizeof r->got.totals);
		assert_true(r->other[0].sessions && r->got.sessions);
		free(got);
		run_free(r);
	}
	free(expected);
	run_free(alone);
	crowd_free(k);
}

static void workers_share_the_memory(void **state)
{
	struct run *r = run_with(4, 64 << 20, false);
	size_t rings = fanout_memory_bytes(4), fragments = (64 << 20) / LIMIT_FRAGMENT_SHARE;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(r->p->fanout->lane[i].worker->memory_bytes, ((64 << 20) - rings - fragments) / 4);
	run_free(r);
}

static void empty_capture_has_no_facts(void **state)
{
	struct run *r = run_new(64 << 20, false);

	(void)state;
	finish(r);
	assert_int_equal(r->got.sessions + r->got.captures + r->got.transactions, 0);
	assert_true(r->got.totals.first_us == 0);
	run_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dialogue_becomes_a_session_and_its_mail),
		cmocka_unit_test(handshake_alone_is_no_session),
		cmocka_unit_test(flood_of_syns_leaves_nothing),
		cmocka_unit_test(other_ports_are_not_looked_at),
		cmocka_unit_test(client_is_who_sent_the_syn),
		cmocka_unit_test(client_without_a_syn_is_who_is_not_on_a_mail_port),
		cmocka_unit_test(session_id_is_the_documented_hash),
		cmocka_unit_test(unseen_isn_puts_the_time_into_the_id),
		cmocka_unit_test(id_does_not_depend_on_the_order_of_the_handshake),
		cmocka_unit_test(fin_ends_it),
		cmocka_unit_test(reset_ends_it),
		cmocka_unit_test(reset_after_fin_is_a_fin),
		cmocka_unit_test(forged_reset_is_ignored),
		cmocka_unit_test(bytes_just_behind_a_reset_still_count),
		cmocka_unit_test(end_of_the_capture_ends_it),
		cmocka_unit_test(silence_ends_it_after_twenty_minutes),
		cmocka_unit_test(late_retransmissions_make_no_new_session),
		cmocka_unit_test(ports_used_again_after_the_end_are_another_session),
		cmocka_unit_test(syn_ack_of_the_next_one_may_come_before_its_syn),
		cmocka_unit_test(ports_used_again_without_an_end_close_the_first),
		cmocka_unit_test(retransmitted_syn_is_not_a_new_connection),
		cmocka_unit_test(packets_of_a_closed_flow_do_not_keep_it),
		cmocka_unit_test(new_life_without_a_syn_is_a_session),
		cmocka_unit_test(reset_with_bytes_behind_it_ends_nothing),
		cmocka_unit_test(reset_whose_bytes_come_late_still_counts),
		cmocka_unit_test(syn_that_nobody_answers_ends_nothing),
		cmocka_unit_test(syn_between_handshake_and_greeting_ends_nothing),
		cmocka_unit_test(syn_that_is_answered_is_another_session),
		cmocka_unit_test(late_bytes_behind_an_early_reset_keep_the_id),
		cmocka_unit_test(far_numbers_lose_no_mail),
		cmocka_unit_test(what_no_receiver_takes_is_counted),
		cmocka_unit_test(damaged_time_of_one_frame_moves_no_clock),
		cmocka_unit_test(captures_of_several_days_are_whole),
		cmocka_unit_test(seconds_beyond_32_bits_work),
		cmocka_unit_test(one_side_alone_is_noted),
		cmocka_unit_test(side_that_is_late_changes_no_fact),
		cmocka_unit_test(frames_seen_twice_change_no_fact),
		cmocka_unit_test(frames_in_any_order_change_no_fact),
		cmocka_unit_test(lost_frame_never_makes_an_accepted_mail),
		cmocka_unit_test(cut_frame_is_a_gap),
		cmocka_unit_test(clock_that_is_set_back_ends_no_session),
		cmocka_unit_test(clock_that_is_set_back_stalls_no_wait),
		cmocka_unit_test(only_frame_of_a_capture_counts),
		cmocka_unit_test(connections_that_begin_after_the_clock_was_set_back_are_whole),
		cmocka_unit_test(tag_on_one_direction_does_not_split_it),
		cmocka_unit_test(session_inside_a_tunnel_is_whole_and_noted),
		cmocka_unit_test(session_from_a_strangers_tunnel_has_another_id),
		cmocka_unit_test(forged_segment_in_a_tunnel_enters_no_other_session),
		cmocka_unit_test(named_tunnels_carry_a_connection_together),
		cmocka_unit_test(tunnels_that_are_not_named_are_counted),
		cmocka_unit_test(memory_is_short_and_the_idlest_go_first),
		cmocka_unit_test(flood_of_flows_stays_under_the_ceiling),
		cmocka_unit_test(counters_of_the_minutes_add_up),
		cmocka_unit_test(counters_are_those_of_the_interface),
		cmocka_unit_test(idle_links_let_timers_run),
		cmocka_unit_test(any_number_of_workers_makes_the_same_facts),
		cmocka_unit_test(workers_share_the_memory),
		cmocka_unit_test(empty_capture_has_no_facts),
	};

	return cmocka_run_group_tests_name("pipeline", tests, NULL, NULL);
}
