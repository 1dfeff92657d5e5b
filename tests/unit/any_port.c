/*
 * Unit tests of any-port: what becomes of connections on ports that are not known for mail, and what is said of mail ports that speak something
 * else. Frames go in, facts come out, as in tests/unit/pipeline.c.
 */
#include "sensor/pipeline.c"
#include "sensor/fanout.c"
#include "sensor/worker.c"

#include <openssl/sha.h>

#include "tests/unit/talk.h"

enum { ODD_PORT = 2626 };

static struct talk *odd_talk(void)
{
	struct talk *k = talk_new(4);

	k->port[1] = ODD_PORT;
	k->any_port = true;
	return k;
}

/* What a pipeline said, without session ids, which hold the ports. */
static char *said(struct run *r)
{
	struct buf b = { 0 };

	for (const char *p = buf_cstr(&r->got.log); *p;) {
		if (strncmp(p, "session ", 8) == 0)
			p += 8 + 2 * SESSION_ID_BYTES;
		size_t n = strcspn(p, "\n") + 1;
		buf_add(&b, p, n);
		p += n;
	}
	char *text = xstrdup(buf_cstr(&b));
	buf_fini(&b);
	return text;
}

static char *said_of(const struct talk *k)
{
	struct run *r = play(k);
	char *text = said(r);

	run_free(r);
	return text;
}

static void set_port(struct talk *k, uint16_t client, uint16_t server)
{
	for (uint32_t i = 0; i < k->count; i++) {
		struct frame *f = &k->frame[i];
		uint8_t *tcp = f->bytes + 14 + (k->version == 4 ? 20 : 40);

		put16(tcp, f->from ? server : client);
		put16(tcp + 2, f->from ? client : server);
	}
	k->port[0] = client;
	k->port[1] = server;
}

/* ---- SMTP on any port ---- */

static void facts_are_those_of_a_mail_port(void **state)
{
	(void)state;
	for (uint8_t version = 4; version <= 6; version += 2) {
		struct talk *k = whole_talk(version);
		char *wanted = said_of(k), *got;

		k->any_port = true;
		set_port(k, 40000, ODD_PORT);
		got = said_of(k);
		assert_string_equal(got, wanted);
		free(got);
		set_port(k, 2000, 50025);
		got = said_of(k);
		assert_string_equal(got, wanted);
		free(got);
		k->any_port = false;
		got = said_of(k);
		assert_string_equal(got, "");
		free(got);
		free(wanted);
		free(k);
	}
}

/* Also where the greeting, EHLO or a SYN is missing. */
static void lost_frame_costs_no_more_than_on_a_mail_port(void **state)
{
	struct talk *k = whole_talk(4);

	(void)state;
	k->any_port = true;
	for (uint32_t i = 0; i < k->count; i++) {
		set_port(k, 40000, 25);
		k->frame[i].lost = true;
		char *wanted = said_of(k);
		set_port(k, 40000, ODD_PORT);
		char *got = said_of(k);
		if (strcmp(got, wanted) != 0)
			fail_msg("without frame %u: '%s' instead of '%s'", i, got, wanted);
		k->frame[i].lost = false;
		free(got);
		free(wanted);
	}
	free(k);
}

static void bytes_one_by_one_are_enough(void **state)
{
	static const char *const dialogue[] = { "s220 mx.example.net\r\n", "cEHLO a\r\n", "s250 mx\r\n", "cQUIT\r\n", "s221 bye\r\n" };
	struct talk *k = odd_talk();

	(void)state;
	handshake(k);
	for (size_t i = 0; i < sizeof dialogue / sizeof *dialogue; i++)
		for (const char *p = dialogue[i] + 1; *p; p++)
			say(k, dialogue[i][0], (char[]){ *p, '\0' });
	assert_talk(k, 1, 0, "no-mail");
}

static void frames_out_of_order_are_enough(void **state)
{
	struct talk *k = odd_talk();

	(void)state;
	handshake(k);
	hello(k);
	uint32_t banner = 3;
	struct frame first = k->frame[banner];	/* before the handshake's last packet, and EHLO before the greeting */
	k->frame[banner] = k->frame[banner + 1];
	k->frame[banner + 1] = first;
	assert_talk(k, 1, 0, "helo=client.example.org");
}

static void lmtp_and_proxy_are_known(void **state)
{
	struct talk *k = odd_talk();

	(void)state;
	handshake(k);
	say(k, 's', "220 imap.example.net ready\r\n");
	say(k, 'c', "LHLO client.example.org\r\n");
	assert_talk(k, 1, 0, "helo=client.example.org");
	k = odd_talk();
	handshake(k);
	say(k, 'c', "PROXY TCP4 198.51.100.7 192.0.2.25 4711 25\r\n");
	hello(k);
	mail(k);
	assert_talk(k, 1, 1, "mail 1 accepted");
}

/* From each frame on: the mails that are seen whole are there, and no session is the wrong way round. */
static void joined_in_the_middle_it_is_found(void **state)
{
	(void)state;
	for (uint32_t from = 0; from < 12; from++) {
		struct talk *k = odd_talk();

		handshake(k);
		hello(k);
		mail(k);
		mail(k);
		quit(k);
		for (uint32_t i = 0; i < from; i++)
			k->frame[i].lost = true;
		struct run *r = play(k);
		assert_int_equal(r->got.sessions, 1);
		assert_int_equal(r->got.session[0].dest_port, ODD_PORT);
		assert_true(r->got.transactions >= 1);
		assert_non_null(strstr(buf_cstr(&r->got.log), "accepted"));
		run_free(r);
		free(k);
	}
}

static void put_be(uint8_t *p, uint64_t v, int bytes)
{
	while (bytes--) {
		p[bytes] = (uint8_t)v;
		v >>= 8;
	}
}

/* Who is the client is told by what is said, but the id goes by ports where no SYN was seen. */
static void id_without_a_syn_goes_by_the_higher_port(void **state)
{
	struct talk *k = odd_talk();
	uint8_t data[1 + 8 + 4 + 8 + 8] = { 1 }, digest[SHA256_DIGEST_LENGTH];
	char hex[2 * SESSION_ID_BYTES + 1];

	(void)state;
	k->port[0] = 2000;
	k->port[1] = 50025;
	say(k, 's', "250 2.1.0 ok\r\n");
	say(k, 'c', "RCPT TO:<b@example.net>\r\n");
	struct run *r = play(k);
	assert_int_equal(r->got.sessions, 1);
	assert_int_equal(r->got.session[0].src_port, 2000);
	assert_true(ip_equal(&r->got.session[0].src_ip, &k->addr[0]));
	memcpy(data + 1, k->addr[1].bytes, 4);
	memcpy(data + 5, k->addr[0].bytes, 4);
	put_be(data + 9, 50025, 2);
	put_be(data + 11, 2000, 2);
	put_be(data + 21, START, 8);
	SHA256(data, sizeof data, digest);
	for (int i = 0; i < SESSION_ID_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	assert_non_null(strstr(buf_cstr(&r->got.log), hex));
	run_free(r);
	free(k);
}

/* ---- something else ---- */

static const char *const others[] = { "cGET / HTTP/1.1\r\nHost: a\r\n\r\n", "c\x16\x03\x01\x02\x04", "sSSH-2.0-OpenSSH_9.2\r\n", "s+OK ready\r\n",
	"s* OK ready\r\n", "s200 news ready\r\n", "c\x05\x01\x02" };

static const struct worker *worker_of(const struct run *r)
{
	return r->p->fanout->lane[0].worker;
}

static void other_protocols_leave_a_record_and_no_session(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		struct talk *k = odd_talk();
		struct run *r = run_any_port(64 << 20);

		handshake(k);
		say(k, others[i][0], others[i] + 1);
		for (int n = 0; n < 50; n++)
			say(k, n & 1 ? 's' : 'c', "250 this is not looked at\r\nEHLO a\r\n");
		feed_all(r, k);
		assert_int_equal(flow_count(worker_of(r)->context.flows), 1);
		assert_int_equal(worker_of(r)->context.memory_bytes, 0);
		pipeline_idle(r->p, k->now_us + LIMIT_OTHER_IDLE_US + 2 * SECOND);
		assert_int_equal(flow_count(worker_of(r)->context.flows), 0);
		finish(r);
		assert_int_equal(r->got.sessions, 0);
		run_free(r);
		free(k);
	}
}

/* FTP is told by its second turn only: until then bytes are held. */
static void held_bytes_are_let_go(void **state)
{
	struct talk *k = odd_talk();
	struct run *r = run_any_port(64 << 20);

	(void)state;
	handshake(k);
	say(k, 's', "220 ready\r\n");
	feed_all(r, k);
	assert_true(worker_of(r)->context.memory_bytes > 0);
	k->count = 0;
	say(k, 'c', "USER a\r\n");
	feed_all(r, k);
	assert_int_equal(worker_of(r)->context.memory_bytes, 0);
	finish(r);
	assert_int_equal(r->got.sessions, 0);
	assert_int_equal(r->got.totals.unseen_bytes, 0);
	run_free(r);
	free(k);
}

static void silence_is_no_session(void **state)
{
	struct talk *k = odd_talk();

	(void)state;
	handshake(k);
	say(k, 's', "220 ready\r\n");
	fin(k, 's');
	fin(k, 'c');
	assert_talk(k, 0, 0, "");
	k = odd_talk();
	handshake(k);
	rst(k, 's');
	assert_talk(k, 0, 0, "");
}

static void ports_used_again_are_looked_at_again(void **state)
{
	struct talk *k = odd_talk();

	(void)state;
	handshake(k);
	say(k, 'c', "GET / HTTP/1.1\r\n\r\n");
	k->isn[0] += 100000;
	k->isn[1] += 100000;
	k->sent[0] = k->sent[1] = 0;
	handshake(k);
	hello(k);
	assert_talk(k, 1, 0, "helo=client.example.org");
}

/* Connections that nobody wants go first, and are not missed. */
static void crowd_of_others_costs_no_session(void **state)
{
	enum { SMALL = 256 * 1024, CROWD = 4000 };
	struct run *r = run_any_port(SMALL);
	struct talk *k = odd_talk(), *web = odd_talk();

	(void)state;
	handshake(k);
	hello(k);
	feed_all(r, k);
	for (uint16_t i = 0; i < CROWD; i++) {
		web->count = 0;
		web->port[0] = (uint16_t)(1024 + i);
		web->port[1] = 80;
		web->sent[0] = 0;
		handshake(web);
		say(web, 'c', "GET / HTTP/1.1\r\n\r\n");
		feed_all(r, web);
	}
	assert_true(flow_count(worker_of(r)->context.flows) < CROWD);
	k->count = 0;
	k->now_us = web->now_us;
	mail(k);
	feed_all(r, k);
	finish(r);
	assert_non_null(strstr(buf_cstr(&r->got.log), "mail 1 accepted"));
	assert_int_equal(r->got.totals.evicted, 0);
	run_free(r);
	free(k);
	free(web);
}

/* ---- something else on a mail port ---- */

static void assert_named(const char *const *dialogue, const char *words)
{
	struct talk *k = talk_new(4);

	handshake(k);
	for (; *dialogue; dialogue++)
		say(k, (*dialogue)[0], *dialogue + 1);
	assert_talk(k, 1, 0, words);
}

static void what_speaks_on_a_mail_port_is_named(void **state)
{
	(void)state;
	assert_named((const char *const[]){ "cGET / HTTP/1.1\r\n\r\n", "sHTTP/1.1 200 OK\r\n\r\n", NULL }, " not-smtp ");
	assert_named((const char *const[]){ "cGET / HTTP/1.1\r\n\r\n", "sHTTP/1.1 200 OK\r\n\r\n", NULL }, " app_proto=http");
	assert_named((const char *const[]){ "s220 mx.example.net ready\r\n", "cGET / HTTP/1.1\r\nHost: mx\r\n\r\n", "s500 what?\r\n", NULL }, " not-smtp ");
	assert_named((const char *const[]){ "sSSH-2.0-OpenSSH_9.2\r\n", "cSSH-2.0-x\r\n", NULL }, " app_proto=ssh");
	assert_named((const char *const[]){ "sRFB 003.008\n", "cRFB 003.008\n", NULL }, " app_proto=vnc");
	assert_named((const char *const[]){ "s220 ready\r\n", "cUSER a\r\n", "s331 password\r\n", "cPASS b\r\n", "s230 ok\r\n", NULL }, " app_proto=ftp");
	assert_named((const char *const[]){ "c\x16\x03\x01\x02\x04\x01\x02", "s220 mx ESMTP\r\n", NULL }, " not-smtp ");
	assert_named((const char *const[]){ "c\x16\x03\x01\x02\x04\x01\x02", "s220 mx ESMTP\r\n", NULL }, " app_proto=tls");
	assert_named((const char *const[]){ "s220 mx ready\r\n", "c\x16\x03\x01\x02\x04\x01\x02", "s500 what?\r\n", NULL }, " app_proto=tls");
	assert_named((const char *const[]){ "casdf\r\n", "sjkl\r\n", NULL }, " not-smtp ");
}

/* SMTP has no name of another protocol, whatever else is said in it; nor has what is encrypted. */
static void smtp_and_tls_on_a_mail_port_are_not(void **state)
{
	static const char *const dialogues[][5] = {
		{ "s220 mx ready\r\n", "cEHLO a\r\n", "s250 mx\r\n" },
		{ "s220 mx ready\r\n", "cGET / HTTP/1.1\r\n", "s500 what?\r\n", "cEHLO a\r\n", "s250 mx\r\n" },
		{ "s220 mx ready\r\n", "cQUIT\r\n", "s221 bye\r\n" },
		{ "s554 mx no\r\n" },
		{ "c\x16\x03\x01\x02\x04\x01\x02", "s\x16\x03\x03\x02\x04\x02\x02" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof dialogues / sizeof *dialogues; i++) {
		struct talk *k = talk_new(4);

		handshake(k);
		for (size_t n = 0; n < 5 && dialogues[i][n]; n++)
			say(k, dialogues[i][n][0], dialogues[i][n] + 1);
		struct run *r = play(k);
		assert_int_equal(r->got.sessions, 1);
		assert_null(strstr(buf_cstr(&r->got.log), "app_proto"));
		assert_null(strstr(buf_cstr(&r->got.log), "not-smtp"));
		run_free(r);
		free(k);
	}
}

/* What TLS carries on another port cannot be told. */
static void tls_is_encrypted_on_mail_ports_only(void **state)
{
	(void)state;
	for (int any = 0; any < 2; any++) {
		struct talk *k = any ? odd_talk() : talk_new(4);

		if (!any)
			k->port[1] = 465;
		handshake(k);
		say(k, 'c', "\x16\x03\x01\x02\x04\x01\x02");
		say(k, 's', "\x16\x03\x03\x02\x04\x02\x02");
		assert_talk(k, any ? 0 : 1, 0, any ? "" : "encrypted");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_are_those_of_a_mail_port),
		cmocka_unit_test(lost_frame_costs_no_more_than_on_a_mail_port),
		cmocka_unit_test(bytes_one_by_one_are_enough),
		cmocka_unit_test(frames_out_of_order_are_enough),
		cmocka_unit_test(lmtp_and_proxy_are_known),
		cmocka_unit_test(joined_in_the_middle_it_is_found),
		cmocka_unit_test(id_without_a_syn_goes_by_the_higher_port),
		cmocka_unit_test(other_protocols_leave_a_record_and_no_session),
		cmocka_unit_test(held_bytes_are_let_go),
		cmocka_unit_test(silence_is_no_session),
		cmocka_unit_test(ports_used_again_are_looked_at_again),
		cmocka_unit_test(crowd_of_others_costs_no_session),
		cmocka_unit_test(what_speaks_on_a_mail_port_is_named),
		cmocka_unit_test(smtp_and_tls_on_a_mail_port_are_not),
		cmocka_unit_test(tls_is_encrypted_on_mail_ports_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
