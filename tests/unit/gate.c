/*
 * Unit tests of gate.c: dialogues whole, byte by byte and cut at every place have one verdict; both endpoints as the client; joined in the middle.
 */
#include "sensor/gate.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { CLIENT, SERVER, STEPS = 12 };

/* "c:" or "s:" before what a side says, "c~" or "s~" for 100 bytes of it that were not captured. */
struct dialogue {
	const char *step[STEPS];
	bool mid_stream;
	enum gate_verdict verdict;
	const char *name;	/* of what it is instead */
};

static const struct dialogue dialogues[] = {
	/* the beginning was seen */
	{ { "s:220 mx.example.org ESMTP Postfix\r\n" }, false, GATE_SMTP, NULL },
	{ { "s:220-mx.example.org\r\n220 LMTP ready\r\n" }, false, GATE_SMTP, NULL },
	{ { "s:220 mx.example.org\r\n", "c:EHLO a\r\n" }, false, GATE_SMTP, NULL },
	{ { "s:220 mx.example.org ready\r\n", "c:helo a\r\n" }, false, GATE_SMTP, NULL },
	{ { "s:220 mx.example.org ready\r\n", "c:LHLO a\r\n" }, false, GATE_SMTP, NULL },
	{ { "s:220 mx.example.org ready\n", "c:EHLO\n" }, false, GATE_SMTP, NULL },
	{ { "s:554 mx.example.org ESMTP not here\r\n" }, false, GATE_SMTP, NULL },
	{ { "s:554 5.7.1 go away\r\n" }, false, GATE_SMTP, NULL },
	{ { "s:421 4.7.0 too many connections\r\n" }, false, GATE_SMTP, NULL },
	{ { "s:554 go away\r\n", "c:QUIT\r\n" }, false, GATE_OPEN, NULL },
	{ { "s:220 mx.example.org ready\r\n", "c:NOOP\r\n", "s:250 ok\r\n", "c:EHLO a\r\n" }, false, GATE_SMTP, NULL },
	{ { "s:220 mx.example.org ready\r\n", "c:MAIL FROM:<a@example.org>\r\n" }, false, GATE_SMTP, NULL },
	{ { "s:220 mx.example.org ready\r\n" }, false, GATE_OPEN, NULL },
	{ { "c:EHLO a\r\n" }, false, GATE_SMTP, NULL },
	{ { "c:EHLO a\r\n", "s:220 mx\r\n" }, false, GATE_SMTP, NULL },
	{ { "c:PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\n", "s:220 mx\r\n", "c:EHLO a\r\n" }, false, GATE_SMTP, NULL },
	{ { "c:PROXY UNKNOWN\r\nEHLO a\r\n" }, false, GATE_SMTP, NULL },
	{ { "c:PROXY TCP4 192.0.2.1 192.0.2.2 1 80\r\nGET / HTTP/1.1\r\n" }, false, GATE_OTHER, NULL },
	{ { "c:PROXY TCP4 192.0.2.1 192.0.2.2 1 443\r\n\x16\x03\x01\x02" }, false, GATE_OTHER, NULL },
	{ { "s~", "c:EHLO a\r\n" }, false, GATE_SMTP, NULL },
	{ { "s~", "c:EHLO a\r\n", "s:250-mx\r\n250 PIPELINING\r\n" }, false, GATE_SMTP, NULL },
	{ { "s:220 mx ready\r\n", "c~", "s:250 mx\r\n", "c:MAIL FROM:<>\r\n" }, false, GATE_SMTP, NULL },

	/* something else */
	{ { "c:GET / HTTP/1.1\r\nHost: a\r\n\r\n" }, false, GATE_OTHER, "http" },
	{ { "c:HEAD / HTTP/1.0\r\n\r\n" }, false, GATE_OTHER, "http" },
	{ { "c:POST /a HTTP/1.1\r\n\r\n" }, false, GATE_OTHER, "http" },
	{ { "c:HELP\r\n", "s:HTTP/1.1 400 Bad Request\r\n" }, false, GATE_OTHER, "http" },
	{ { "c:OPTIONS rtsp://a/ RTSP/1.0\r\n" }, false, GATE_OTHER, "rtsp" },
	{ { "c:OPTIONS sip:a@example.org SIP/2.0\r\n" }, false, GATE_OTHER, "sip" },
	{ { "c:\x16\x03\x01\x02\x04\x01", "s:\x16\x03\x03\x01\x02\x02" }, false, GATE_OTHER, NULL },
	{ { "c:\x16\x03\x01\x02\x04\x01", "s:220 mx ESMTP\r\n500 what?\r\n" }, false, GATE_OTHER, "tls" },
	{ { "s:SSH-2.0-OpenSSH_9.2\r\n" }, false, GATE_OTHER, "ssh" },
	{ { "c:SSH-2.0-OpenSSH_9.2\r\n", "s:220 mx ready\r\n" }, false, GATE_OTHER, "ssh" },
	{ { "s:+OK Dovecot ready.\r\n", "c:USER a\r\n" }, false, GATE_OTHER, "pop3" },
	{ { "s:* OK [CAPABILITY IMAP4rev1] ready\r\n", "c:a1 LOGIN a b\r\n" }, false, GATE_OTHER, "imap" },
	{ { "s:220 (vsFTPd 3.0.3)\r\n", "c:USER anonymous\r\n", "s:331 password\r\n", "c:PASS secret\r\n" }, false, GATE_OTHER, "ftp" },
	{ { "s:220 ProFTPD\r\n", "c:AUTH TLS\r\n", "s:234 go\r\n" }, false, GATE_OTHER, "ftp" },
	{ { "s:220 ftp\r\n", "c:QUIT\r\n", "s:221 bye\r\n" }, false, GATE_OPEN, NULL },
	{ { "s:200 news.example InterNetNews ready\r\n", "c:MODE READER\r\n" }, false, GATE_OTHER, NULL },
	{ { "s:201 news.example\r\n" }, false, GATE_OTHER, NULL },
	{ { "s:@RSYNCD: 31.0\n" }, false, GATE_OTHER, "rsync" },
	{ { "s:2200 beads\r\n" }, false, GATE_OTHER, NULL },
	{ { "s:22\r\n" }, false, GATE_OTHER, NULL },
	{ { "s:220mx\r\n" }, false, GATE_OTHER, NULL },
	{ { "c:EHLOS\r\n" }, false, GATE_OTHER, NULL },
	{ { "c:EHL\r\n" }, false, GATE_OTHER, NULL },
	{ { "c:HELLO\r\n" }, false, GATE_OTHER, NULL },
	{ { "c:PROXYING\r\n" }, false, GATE_OTHER, NULL },
	{ { "c:EHL", "s:SSH-2.0-x\r\n" }, false, GATE_OTHER, "ssh" },
	{ { "c:\r\n\r\nx" }, false, GATE_OTHER, NULL },
	{ { "s:250 hello\r\n" }, false, GATE_OTHER, NULL },

	/* joined in the middle */
	{ { "s:250 2.1.0 Ok\r\n", "c:RCPT TO:<a@example.org>\r\n" }, true, GATE_SMTP, NULL },
	{ { "c:of a message\r\n.\r\n", "s:250 2.0.0 Ok: queued as 1\r\n", "c:QUIT\r\n" }, true, GATE_SMTP, NULL },
	{ { "c:of a message\r\n.\r\n", "s:250 OK id=1\r\n", "c:MAIL FROM:<a@example.org>\r\n" }, true, GATE_SMTP, NULL },
	{ { "c:of a message\r\n.\r\n", "s:250 OK id=1\r\n", "c:QUIT\r\n", "s:221 bye\r\n" }, true, GATE_OPEN, NULL },
	{ { "c:O:<a@example.org>\r\n", "s:250 ok\r\n", "c:DATA\r\n", "s:354 go on\r\n", "c:Subject: x\r\n" }, true, GATE_SMTP, NULL },
	{ { "c:x", "s:220 2.0.0 ready\r\n", "c:EHLO a\r\n" }, true, GATE_SMTP, NULL },
	{ { "s:k\r\n", "c:STARTTLS\r\n", "s:220 go ahead\r\n", "c:\x16\x03\x01" }, true, GATE_SMTP, NULL },
	{ { "c:x@example.org>\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n" }, true, GATE_SMTP, NULL },
	{ { "s:0 ok\r\n250 2.1.5 ok\r\n354 go on\r\n" }, true, GATE_SMTP, NULL },
	{ { "c~", "s:250 2.1.0 Ok\r\n", "c:RCPT TO:<a@example.org>\r\n" }, true, GATE_SMTP, NULL },
	{ { "c:text\r\n", "s:HTTP/1.1 200 OK\r\n", "c:GET /b HTTP/1.1\r\n" }, true, GATE_OTHER, NULL },
	{ { "c:\x17\x03\x03\x10\x20" }, true, GATE_OTHER, NULL },
	{ { "s:ab\x01" "cd" }, true, GATE_OTHER, NULL },
	{ { "s:226 done\r\n", "c:CWD /a\r\n", "s:250 ok\r\n", "c:PASV\r\n" }, true, GATE_OTHER, NULL },
	{ { "s:a line of a log\r\nMAIL FROM:<a@example.org>\r\n" }, true, GATE_OPEN, NULL },
};
enum { DIALOGUES = sizeof dialogues / sizeof *dialogues };

struct manner {
	uint8_t client;		/* endpoint */
	size_t cut;		/* where the pieces of all bytes end; 0: each step is a piece of its own */
	bool bytewise;
};

static enum gate_verdict push(struct gate *g, int dir, const char *p, size_t n)
{
	enum gate_verdict before = g->verdict, v = gate_push(g, dir, (const uint8_t *)p, n, 0);

	assert_true(before == GATE_OPEN || v == before);
	return v;
}

static void say(struct gate *g, int dir, const char *p, size_t from, struct manner m)
{
	size_t n = strlen(p);

	if (m.bytewise)
		for (size_t i = 0; i < n; i++)
			push(g, dir, p + i, 1);
	else if (m.cut > from && m.cut < from + n) {
		push(g, dir, p, m.cut - from);
		push(g, dir, p + (m.cut - from), n - (m.cut - from));
	} else
		push(g, dir, p, n);
}

/* Answers the length of all that is said; *g is to be freed. */
static size_t play(const struct dialogue *d, struct manner m, struct dissector *dissector, struct gate **g)
{
	struct gate_options o = { .dissector = dissector, .mid_stream = d->mid_stream, .client = d->mid_stream ? 0 : m.client, .port = { 40000, 40000 } };
	size_t at = 0;

	o.port[!m.client] = 2626;
	*g = gate_new(&o);
	for (int i = 0; i < STEPS && d->step[i]; i++) {
		int dir = (d->step[i][0] == 's') != m.client;

		if (d->step[i][1] == '~') {
			gate_gap(*g, dir, 100, 0);
			continue;
		}
		say(*g, dir, d->step[i] + 2, at, m);
		at += strlen(d->step[i] + 2);
	}
	return at;
}

static void check(const struct dialogue *d, struct manner m, struct gate *g)
{
	enum gate_verdict v = gate_end(g);
	const char *name = gate_name(g);

	if (v != d->verdict)
		fail_msg("'%s': verdict %d instead of %d, client %d, cut %zu", d->step[0], v, d->verdict, m.client, m.cut);
	if (v == GATE_SMTP)
		assert_int_equal(gate_client(g), m.client);
	if ((name || d->name) && (!name || !d->name || strcmp(name, d->name) != 0))
		fail_msg("'%s': name %s instead of %s, client %d, cut %zu", d->step[0], name, d->name, m.client, m.cut);
	gate_free(g);
}

static void verdict_does_not_depend_on_segments(void **state)
{
	(void)state;
	for (int i = 0; i < DIALOGUES; i++)
		for (uint8_t client = 0; client < 2; client++) {
			struct manner m = { .client = client };
			struct gate *g;
			size_t n = play(&dialogues[i], m, NULL, &g);

			check(&dialogues[i], m, g);
			for (m.cut = 1; m.cut < n; m.cut++) {
				play(&dialogues[i], m, NULL, &g);
				check(&dialogues[i], m, g);
			}
			m.bytewise = true;
			play(&dialogues[i], m, NULL, &g);
			check(&dialogues[i], m, g);
		}
}

static void glance_is_never_wrong(void **state)
{
	(void)state;
	for (int i = 0; i < DIALOGUES; i++) {
		const struct dialogue *d = &dialogues[i];
		struct gate_options o = { .mid_stream = d->mid_stream, .client = 0 };

		if (d->step[0][1] == '~')
			continue;
		enum gate_verdict v = gate_glance(&o, d->step[0][0] == 's', (const uint8_t *)d->step[0] + 2, strlen(d->step[0] + 2));
		assert_true(v == GATE_OPEN || v == d->verdict);
	}
}

static void most_are_told_by_their_first_bytes(void **state)
{
	static const char *const first[] = { "\x16\x03\x01", "GET ", "POST", "HEAD", "SSH-", "HTTP", "\x05\x01", "USER", "a001" };
	struct gate_options o = { .client = 0 };

	(void)state;
	for (size_t i = 0; i < sizeof first / sizeof *first; i++)
		assert_int_equal(gate_glance(&o, 0, (const uint8_t *)first[i], strlen(first[i])), GATE_OTHER);
	assert_int_equal(gate_glance(&o, 1, (const uint8_t *)"+OK", 3), GATE_OTHER);
	assert_int_equal(gate_glance(&o, 1, (const uint8_t *)"220", 3), GATE_OPEN);
	assert_int_equal(gate_glance(&o, 0, (const uint8_t *)"EHL", 3), GATE_OPEN);
}

static void proxy_v2_header_is_passed_over(void **state)
{
	static const uint8_t header[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" "\xc0\0\2\1\xc0\0\2\2\0\1\0\x19";
	struct gate_options o = { .client = 1 };

	(void)state;
	for (size_t cut = 0; cut < sizeof header - 1; cut++) {
		struct gate *g = gate_new(&o);

		gate_push(g, 1, header, cut, 0);
		gate_push(g, 1, header + cut, sizeof header - 1 - cut, 0);
		assert_int_equal(push(g, 0, "220 mx\r\n", 8), GATE_OPEN);
		assert_int_equal(push(g, 1, "EHLO a\r\n", 8), GATE_SMTP);
		gate_free(g);
	}
}

/* ---- what was held comes again ---- */

struct replayed {
	struct buf said;
	uint64_t gaps[2], last_us;
};

static void replay_push(void *arg, int dir, const uint8_t *p, size_t n, uint64_t t_us)
{
	struct replayed *r = arg;

	assert_true(t_us >= r->last_us);
	r->last_us = t_us;
	buf_printf(&r->said, "%d:%.*s|", dir, (int)n, (const char *)p);
}

static void replay_gap(void *arg, int dir, uint64_t n, uint64_t t_us)
{
	struct replayed *r = arg;

	(void)t_us;
	r->gaps[dir] += n;
}

static void replay_gives_all_bytes_and_holes(void **state)
{
	struct gate_options o = { .client = 0 };
	struct replayed r = { 0 };
	struct stream_sink sink = { replay_push, replay_gap, NULL, NULL };
	struct gate *g = gate_new(&o);

	(void)state;
	gate_push(g, 1, (const uint8_t *)"220 m", 5, 10);
	gate_push(g, 1, (const uint8_t *)"x\r\n", 3, 11);
	gate_gap(g, 1, 7, 12);
	assert_int_equal(gate_push(g, 0, (const uint8_t *)"EHLO a\r\n", 8, 13), GATE_SMTP);
	gate_replay(g, &sink, &r);
	assert_string_equal(buf_cstr(&r.said), "1:220 m|1:x\r\n|0:EHLO a\r\n|");
	assert_int_equal(r.gaps[1], 7);
	assert_int_equal(r.last_us, 13);
	buf_fini(&r.said);
	gate_free(g);
}

static void long_body_is_held_in_part(void **state)
{
	struct gate_options o = { .mid_stream = true };
	struct replayed r = { 0 };
	struct stream_sink sink = { replay_push, replay_gap, NULL, NULL };
	struct gate *g = gate_new(&o);
	char body[3000];
	uint64_t sent = 0;

	(void)state;
	memset(body, 'x', sizeof body);
	body[sizeof body - 1] = '\n';
	for (int i = 0; i < 100; i++, sent += sizeof body)
		assert_int_equal(push(g, 1, body, sizeof body), GATE_OPEN);
	assert_true(gate_memory_bytes(g) < 4 * LIMIT_GATE_HELD);
	push(g, 0, "250 2.0.0 queued as 1\r\n", 23);
	assert_int_equal(push(g, 1, "QUIT\r\n", 6), GATE_SMTP);
	assert_int_equal(gate_client(g), 1);
	gate_replay(g, &sink, &r);
	size_t held = r.said.len;
	assert_true(r.gaps[1] > sent - LIMIT_GATE_HELD && r.gaps[1] < sent && held < LIMIT_GATE_HELD + 200);
	assert_int_equal(r.gaps[0], 0);
	buf_fini(&r.said);
	gate_free(g);
}

static void endless_doubt_is_cut_off(void **state)
{
	struct gate_options o = { .client = 0 };
	struct gate *g = gate_new(&o);
	char text[1000];

	(void)state;
	memset(text, 'x', sizeof text);
	memcpy(text, "220 ", 4);
	for (int i = 0; i < 9; i++)
		push(g, 1, text, sizeof text);
	assert_int_equal(g->verdict, GATE_OTHER);
	assert_true(gate_is_full(g));
	gate_free(g);

	g = gate_new(&o);
	push(g, 1, "220 x\r\n", 7);
	for (int i = 0; i < TURNS; i++) {
		push(g, 0, "NOOP\r\n", 6);
		push(g, 1, "250 x\r\n", 7);
	}
	assert_int_equal(g->verdict, GATE_OTHER);
	gate_free(g);
}

/* A segment larger than what is held may bring the proof. */
static void proof_is_handed_on_whole(void **state)
{
	struct gate_options o = { .client = 0 };
	struct replayed r = { 0 };
	struct stream_sink sink = { replay_push, replay_gap, NULL, NULL };
	struct gate *g = gate_new(&o);
	enum { BIG = 3 * LIMIT_GATE_HELD };
	char *text = xmalloc(BIG);

	(void)state;
	memset(text, 'x', BIG);
	memcpy(text, "EHLO a\r\n", 8);
	push(g, 1, "220 x\r\n", 7);
	assert_int_equal(push(g, 0, text, BIG), GATE_SMTP);
	gate_replay(g, &sink, &r);
	assert_true(r.said.len > BIG);
	buf_fini(&r.said);
	gate_free(g);
	free(text);
}

/* ---- nDPI ---- */

static void dissector_names_what_is_left(void **state)
{
	static const struct dialogue others[] = {
		{ { "c:*1\r\n$4\r\nPING\r\n", "s:500 what?\r\n" }, false, GATE_OTHER, NULL },
		{ { "c:NICK a\r\n", "s:NOTICE AUTH :*** Looking up your hostname\r\n", "c:USER a b c :d\r\n", "s:PING :1\r\n" }, false, GATE_OTHER, "irc" },
		{ { "s:RFB 003.008\n", "c:RFB 003.008\n" }, false, GATE_OTHER, "vnc" },
		{ { "s:200 news.example InterNetNews ready\r\n", "c:MODE READER\r\n", "s:200 ok\r\n" }, false, GATE_OTHER, "nntp" },
		{ { "s:220 mx ready\r\n", "c:NOOP\r\n", "s:250 ok\r\n", "c:HELP\r\n", "s:214 see RFC 5321\r\n", "c:QUIT\r\n" }, false, GATE_SMTP, NULL },
		{ { "s:220 ftp ready\r\n", "c:NOOP\r\n", "s:200 ok\r\n" }, false, GATE_OTHER, NULL },
	};
	struct dissector *d = dissector_new();
	struct gate *g;

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		for (int bytewise = 0; bytewise < 2; bytewise++) {
			struct manner m = { .bytewise = bytewise };

			play(&others[i], m, d, &g);
			check(&others[i], m, g);
		}
	for (int i = 0; i < DIALOGUES; i++) {	/* it never takes SMTP away */
		play(&dialogues[i], (struct manner){ 0 }, d, &g);
		enum gate_verdict v = gate_end(g);
		assert_true(v == dialogues[i].verdict || dialogues[i].verdict == GATE_OPEN);
		gate_free(g);
	}
	dissector_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdict_does_not_depend_on_segments),
		cmocka_unit_test(glance_is_never_wrong),
		cmocka_unit_test(most_are_told_by_their_first_bytes),
		cmocka_unit_test(proxy_v2_header_is_passed_over),
		cmocka_unit_test(replay_gives_all_bytes_and_holes),
		cmocka_unit_test(long_body_is_held_in_part),
		cmocka_unit_test(endless_doubt_is_cut_off),
		cmocka_unit_test(proof_is_handed_on_whole),
		cmocka_unit_test(dissector_names_what_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
