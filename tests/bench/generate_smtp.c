/*
 * generate_smtp.c - see generate_smtp.h.
 *
 * A session is greeting, EHLO, then one of: STARTTLS and bytes that cannot be read; a refused or probing MAIL; one to eight mails.
 * A mail that came in may bring about a bounce or an autoreply (struct follow_up), which becomes a session of its own later.
 */
#include "tests/bench/generate_smtp.h"

#include <inttypes.h>
#include <string.h>

#include "common/xmalloc.h"

enum { RCPT_MAX = 50, MAILS_MAX = 8, ADDRESS_SIZE = 96, DOMAIN_SIZE = 64, BDAT_LINE_BYTES = 20, MULTIPART_ABOVE_BYTES = 20000 };

const char *const mail_kind_names[KIND_COUNT] = { "mail", "dsn", "vacation", "callout", "reject", "greylist", "starttls" };

struct dialogue {
	struct generator *g;
	struct rng *rng;
	struct script *script;
	struct session *session;
	const struct follow_up *answer;
	enum mail_kind kind;
	uint64_t start_us;
	uint32_t own, peer;
	bool inbound;
	char peer_domain[DOMAIN_SIZE], own_domain[DOMAIN_SIZE];
	const char *client_domain, *server_domain;
};

struct recipient {
	char address[ADDRESS_SIZE];
	int code;
};

struct mail {
	uint32_t number;		/* within its session, from 0 */
	char from[ADDRESS_SIZE], message_id[128], subject[128], boundary[32];
	struct recipient rcpt[RCPT_MAX];
	uint32_t rcpt_count, rcpt_named, accepted;	/* named: in the truth, with a code each */
	int code;
	bool pipelined, bdat, multipart;
	uint32_t wanted, size;		/* size: bytes of the data on the wire */
};

/* ---- truth ---- */

void truth_begin(FILE *truth)
{
	fputs("sid\tt0\tdir\town\tipv\tcport\tmail_from\tkind\tmsg\trcpts\tnrcpt\tnok\tcode\tsize\tmsgid\tref_msgid\tbdat\tcause_sid\n", truth);
}

static void truth_line(const struct dialogue *d, const struct mail *m, const char *mail_from)
{
	FILE *f = d->g->truth;

	if (!f)
		return;
	fprintf(f, "%u\t%" PRIu64 ".%06u\t%s\t%u\t%s\t%u\t%s\t%s\t%u\t", d->session->id, d->start_us / 1000000, (unsigned)(d->start_us % 1000000),
		d->inbound ? "in" : "out", d->own, d->session->ipv6 ? "v6" : "v4", d->session->end[CLIENT].port, mail_from,
		mail_kind_names[d->kind], m->number);
	for (uint32_t i = 0; i < m->rcpt_named; i++)
		fprintf(f, "%s%s=%d", i ? "," : "", m->rcpt[i].address, m->rcpt[i].code);
	if (m->rcpt_count && !m->rcpt_named)
		fputs(m->rcpt[0].address, f);
	fprintf(f, "\t%u\t%u\t%d\t%u\t%s\t%s\t%d\t%u\n", m->rcpt_count, m->accepted, m->code, m->size, m->message_id,
		d->answer ? d->answer->message_id : "", m->bdat, d->answer ? d->answer->cause : 0);
}

static struct mail_totals *totals_of(const struct dialogue *d)
{
	return &d->g->totals.own[d->own][!d->inbound];
}

/* ---- names ---- */

static void own_address(struct dialogue *d, char to[ADDRESS_SIZE])
{
	uint32_t number = rng_below(d->rng, 900);
	const char *last = rng_word(d->rng), *first = rng_word(d->rng);

	snprintf(to, ADDRESS_SIZE, "%s.%s%u@%s", first, last, number, d->own_domain);
}

static void peer_address(struct dialogue *d, char to[ADDRESS_SIZE])
{
	uint32_t number = rng_below(d->rng, 9000);
	const char *last = rng_word(d->rng), *first = rng_word(d->rng);

	snprintf(to, ADDRESS_SIZE, "%s.%s%u@%s", first, last, number, d->peer_domain);
}

static void server_side_address(struct dialogue *d, char to[ADDRESS_SIZE])
{
	if (d->inbound)
		own_address(d, to);
	else
		peer_address(d, to);
}

static void client_side_address(struct dialogue *d, char to[ADDRESS_SIZE])
{
	if (d->inbound)
		peer_address(d, to);
	else
		own_address(d, to);
}

/* Every mail of a file bears a date of that one day. */
static void date(char to[64], uint64_t time_us)
{
	static const char *const days[] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
	unsigned s = (unsigned)(time_us / 1000000 % 604800);

	snprintf(to, 64, "%s, 22 Nov 2026 %02u:%02u:%02u +0000", days[s / 86400 % 7], s / 3600 % 24, s / 60 % 60, s % 60);
}

/* ---- the envelope ---- */

static void greet(struct dialogue *d)
{
	struct script *s = d->script;

	script_say(s, SERVER, PUSH | TURN, "220 mx%u.%s ESMTP Postfix\r\n", rng_below(d->rng, 3), d->server_domain);
	if (d->kind == KIND_CALLOUT && rng_chance(d->rng, .5)) {
		script_say(s, CLIENT, PUSH | TURN, "HELO mail.%s\r\n", d->client_domain);
		script_say(s, SERVER, PUSH | TURN, "250 mx.%s\r\n", d->server_domain);
		return;
	}
	script_say(s, CLIENT, PUSH | TURN, "EHLO mail.%s\r\n", d->client_domain);
	bool starttls = d->kind == KIND_STARTTLS || rng_chance(d->rng, .5);
	script_say(s, SERVER, PUSH | TURN,
		   "250-mx.%s\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-ETRN\r\n%s250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n"
		   "250-SMTPUTF8\r\n250 CHUNKING\r\n", d->server_domain, starttls ? "250-STARTTLS\r\n" : "");
}

static void reset(struct dialogue *d)
{
	script_say(d->script, CLIENT, PUSH | TURN, "RSET\r\n");
	script_say(d->script, SERVER, PUSH | TURN, "250 2.0.0 Ok\r\n");
}

static void quit(struct dialogue *d)
{
	script_say(d->script, CLIENT, PUSH | TURN, "QUIT\r\n");
	script_say(d->script, SERVER, PUSH | TURN, "221 2.0.0 Bye\r\n");
}

static void say_rcpt_reply(struct dialogue *d, const struct recipient *rcpt, unsigned flags)
{
	if (rcpt->code == 250)
		script_say(d->script, SERVER, flags, "250 2.1.5 Ok\r\n");
	else
		script_say(d->script, SERVER, flags, "550 5.1.1 <%s>: Recipient address rejected: User unknown\r\n", rcpt->address);
}

/* MAIL, RCPT and, without CHUNKING, DATA; in one segment, or each waiting for its reply. */
static void say_envelope(struct dialogue *d, const struct mail *m)
{
	struct script *s = d->script;
	unsigned each = m->pipelined ? 0 : PUSH | TURN;

	script_say(s, CLIENT, (m->pipelined ? 0 : PUSH) | TURN, "MAIL FROM:<%s> SIZE=%u%s\r\n", m->from, m->wanted,
		   rng_chance(d->rng, .3) ? " BODY=8BITMIME" : "");
	if (!m->pipelined)
		script_say(s, SERVER, PUSH | TURN, "250 2.1.0 Ok\r\n");
	for (uint32_t i = 0; i < m->rcpt_count; i++) {
		script_say(s, CLIENT, each | (m->bdat && i + 1 == m->rcpt_count ? PUSH : 0), "RCPT TO:<%s>%s\r\n", m->rcpt[i].address,
			   rng_chance(d->rng, .1) ? " NOTIFY=FAILURE,DELAY" : "");
		if (!m->pipelined)
			say_rcpt_reply(d, &m->rcpt[i], PUSH | TURN);
	}
	if (!m->bdat)
		script_say(s, CLIENT, each | PUSH, "DATA\r\n");
	if (m->pipelined) {
		script_say(s, SERVER, TURN, "250 2.1.0 Ok\r\n");
		for (uint32_t i = 0; i < m->rcpt_count; i++)
			say_rcpt_reply(d, &m->rcpt[i], m->bdat && i + 1 == m->rcpt_count ? PUSH : 0);
	}
	if (!m->bdat)
		script_say(s, SERVER, each | PUSH, "354 End data with <CR><LF>.<CR><LF>\r\n");
}

/* ---- the message ---- */

static void say_received(struct dialogue *d, const char *rcpt, const char *when)
{
	struct rng *r = d->rng;
	uint32_t id_end = rng_below(r, 99), id = (uint32_t)rng_next(r), by = rng_below(r, 9);
	uint32_t low = rng_below(r, 255), high = rng_below(r, 255), name = rng_below(r, 99), helo = rng_below(r, 99);

	script_say(d->script, CLIENT, 0, "Received: from relay%u.%s (relay%u.%s [198.18.%u.%u])\r\n\tby mx%u.%s (Postfix) with ESMTPS id %08X%u\r\n"
		   "\tfor <%s>; %s\r\n", helo, d->client_domain, name, d->client_domain, high, low, by, d->client_domain, id, id_end, rcpt, when);
}

static void say_signature(struct dialogue *d)
{
	const char *line[5];

	for (int i = 4; i >= 0; i--)
		line[i] = pool_line(&d->g->pools.base64, d->rng);
	script_say(d->script, CLIENT, 0, "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=%s; s=s%u;\r\n\th=from:to:subject:date:message-id; "
		   "bh=%.43s=;\r\n\tb=%.64s\r\n\t %.72s\r\n\t %.72s\r\n\t %.72s==\r\n", d->client_domain, rng_below(d->rng, 99), line[0], line[1],
		   line[2], line[3], line[4]);
}

static void say_mailer(struct dialogue *d)
{
	uint32_t priority = 1 + rng_below(d->rng, 5), minor = rng_below(d->rng, 9), major = rng_below(d->rng, 9);

	script_say(d->script, CLIENT, 0, "X-Mailer: Generator %u.%u\r\nX-Priority: %u\r\n", major, minor, priority);
}

static void say_list(struct dialogue *d)
{
	uint32_t user = rng_below(d->rng, 9999), link = (uint32_t)rng_next(d->rng), list = rng_below(d->rng, 99);

	script_say(d->script, CLIENT, 0, "List-Id: <news%u.%s>\r\nList-Unsubscribe: <https://%s/u/%u>,\r\n\t<mailto:u%u@%s>\r\nPrecedence: bulk\r\n", list,
		   d->client_domain, d->client_domain, link, user, d->client_domain);
}

/* The fields that every message has, and by chance a signature, a mailer, a list. */
static void say_headers(struct dialogue *d, const struct mail *m)
{
	struct rng *r = d->rng;
	const char *rcpt = m->rcpt[0].address;
	char when[64];

	date(when, d->start_us);
	for (uint32_t left = 1 + rng_below(r, 4); left; left--)
		say_received(d, rcpt, when);
	if (rng_chance(r, .6))
		say_signature(d);
	const char *last = rng_word(r), *first = rng_word(r);
	script_say(d->script, CLIENT, 0, "Message-ID: <%s>\r\nDate: %s\r\nFrom: \"%s %s\" <%s>\r\nTo: <%s>\r\nSubject: %s\r\nMIME-Version: 1.0\r\n",
		   m->message_id, when, first, last, m->from[0] ? m->from : "MAILER-DAEMON", rcpt, m->subject);
	if (rng_chance(r, .3))
		say_mailer(d);
	if (rng_chance(r, .15))
		say_list(d);
}

static void say_text_type(struct dialogue *d)
{
	script_say(d->script, CLIENT, 0, "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
}

/* Text and an attachment that fills up to wanted bytes; returns how many bytes of the pools. */
static uint32_t say_multipart(struct dialogue *d, const char *boundary, uint32_t wanted)
{
	struct script *s = d->script;
	size_t start = s->arena.len;

	script_say(s, CLIENT, 0, "This is a multi-part message in MIME format.\r\n--%s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n", boundary);
	uint32_t pooled = script_lines(s, CLIENT, &d->g->pools.text, d->rng, 1500 + rng_below(d->rng, 2000));
	uint32_t filename = rng_below(d->rng, 9999), name = rng_below(d->rng, 9999);
	script_say(s, CLIENT, 0, "\r\n--%s\r\nContent-Type: application/pdf; name=\"f%u.pdf\"\r\nContent-Transfer-Encoding: base64\r\n"
		   "Content-Disposition: attachment; filename=\"f%u.pdf\"\r\n\r\n", boundary, name, filename);
	uint32_t said = (uint32_t)(s->arena.len - start) + pooled;
	pooled += script_lines(s, CLIENT, &d->g->pools.base64, d->rng, wanted > said + 200 ? wanted - said : 200);
	script_say(s, CLIENT, 0, "\r\n--%s--\r\n", boundary);
	return pooled;
}

static uint32_t say_ordinary_message(struct dialogue *d, const struct mail *m)
{
	size_t start = d->script->arena.len;

	say_headers(d, m);
	if (m->multipart)
		script_say(d->script, CLIENT, 0, "Content-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n", m->boundary);
	else
		say_text_type(d);
	uint32_t headers = (uint32_t)(d->script->arena.len - start);
	uint32_t body = m->wanted > headers + 200 ? m->wanted - headers : 200;
	return m->multipart ? say_multipart(d, m->boundary, body) : script_lines(d->script, CLIENT, &d->g->pools.text, d->rng, body);
}

static uint32_t say_vacation(struct dialogue *d, const struct mail *m)
{
	say_headers(d, m);
	script_say(d->script, CLIENT, 0, "Auto-Submitted: auto-replied\r\nX-Autoreply: yes\r\nIn-Reply-To: <%s>\r\nReferences: <%s>\r\n",
		   d->answer->message_id, d->answer->message_id);
	say_text_type(d);
	return script_lines(d->script, CLIENT, &d->g->pools.text, d->rng, m->wanted);
}

static void say_status_part(struct dialogue *d, const char *boundary)
{
	const struct follow_up *a = d->answer;
	char when[64];

	date(when, d->start_us);
	script_say(d->script, CLIENT, 0,
		   "--%s\r\nContent-Description: Delivery report\r\nContent-Type: message/delivery-status\r\n\r\n"
		   "Reporting-MTA: dns; mail.%s\r\nX-Postfix-Queue-ID: %08X\r\nX-Postfix-Sender: rfc822; %s\r\nArrival-Date: %s\r\n\r\n"
		   "Final-Recipient: rfc822; %s\r\nOriginal-Recipient: rfc822;%s\r\nAction: failed\r\nStatus: 5.1.1\r\n"
		   "Diagnostic-Code: X-Postfix; unknown user: \"%s\"\r\n\r\n",
		   boundary, d->client_domain, (uint32_t)rng_next(d->rng), a->to, when, a->from, a->from, a->from);
}

/* A bounce as Postfix writes it, RFC 3464. */
static uint32_t say_bounce(struct dialogue *d, const struct mail *m)
{
	const struct follow_up *a = d->answer;

	say_headers(d, m);
	script_say(d->script, CLIENT, 0, "Auto-Submitted: auto-replied\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"%s\"\r\n\r\n",
		   m->boundary);
	script_say(d->script, CLIENT, 0,
		   "This is a MIME-encapsulated message.\r\n\r\n--%s\r\nContent-Description: Notification\r\n"
		   "Content-Type: text/plain; charset=us-ascii\r\n\r\nThis is the mail system at host mail.%s.\r\n\r\n"
		   "I'm sorry to have to inform you that your message could not\r\nbe delivered to one or more recipients.\r\n\r\n"
		   "<%s>: user unknown\r\n\r\n", m->boundary, d->client_domain, a->from);
	say_status_part(d, m->boundary);
	script_say(d->script, CLIENT, 0,
		   "--%s\r\nContent-Description: Undelivered Message Headers\r\nContent-Type: text/rfc822-headers\r\n\r\n"
		   "Return-Path: <%s>\r\nMessage-ID: <%s>\r\nFrom: <%s>\r\nTo: <%s>\r\nSubject: %s\r\n\r\n--%s--\r\n",
		   m->boundary, a->to, a->message_id, a->to, a->from, a->subject, m->boundary);
	return 0;
}

static uint32_t say_message(struct dialogue *d, struct mail *m)
{
	size_t start = d->script->arena.len;
	uint32_t pooled;

	if (d->kind == KIND_DSN)
		pooled = say_bounce(d, m);
	else if (d->kind == KIND_VACATION)
		pooled = say_vacation(d, m);
	else
		pooled = say_ordinary_message(d, m);
	return pooled + (uint32_t)(d->script->arena.len - start);
}

/* One chunk in one burst with its command, whose length is known only afterwards. */
static void say_chunk(struct dialogue *d, struct mail *m)
{
	char line[BDAT_LINE_BYTES + 1];
	size_t at = d->script->arena.len;

	script_say(d->script, CLIENT, TURN, "%*s", BDAT_LINE_BYTES, "");
	m->size = say_message(d, m);
	script_push(d->script);
	int n = snprintf(line, sizeof line, "BDAT %u LAST", m->size);
	memset(line + n, ' ', (size_t)(BDAT_LINE_BYTES - n));
	memcpy(line + BDAT_LINE_BYTES - 2, "\r\n", 2);
	memcpy(d->script->arena.p + at, line, BDAT_LINE_BYTES);
	d->g->totals.bdat++;
}

static void say_data(struct dialogue *d, struct mail *m)
{
	size_t at = d->script->arena.len;

	script_say(d->script, CLIENT, TURN, "X-Seq: %u.%u\r\n", d->session->id, m->number);
	uint32_t before = (uint32_t)(d->script->arena.len - at);
	m->size = before + say_message(d, m);
	script_say(d->script, CLIENT, PUSH, ".\r\n");
}

/* ---- one mail ---- */

static void choose_recipients(struct dialogue *d, struct mail *m)
{
	double refused = d->answer ? 0 : d->g->mix.recipient_refused;

	for (uint32_t i = 0; i < m->rcpt_count; i++) {
		if (i)
			server_side_address(d, m->rcpt[i].address);
		bool hit = !d->answer && rng_chance(d->rng, refused);
		m->rcpt[i].code = hit && m->rcpt_count > 1 ? 550 : 250;
		m->accepted += m->rcpt[i].code == 250;
	}
	m->rcpt_named = m->rcpt_count;
	if (m->accepted == 0) {
		m->rcpt[0].code = 250;
		m->accepted = 1;
	}
}

static void choose_envelope(struct dialogue *d, struct mail *m)
{
	const struct follow_up *a = d->answer;

	if (a) {
		snprintf(m->from, sizeof m->from, "%s", d->kind == KIND_DSN ? "" : a->from);
		snprintf(m->rcpt[0].address, ADDRESS_SIZE, "%s", a->to);
	} else {
		client_side_address(d, m->from);
		server_side_address(d, m->rcpt[0].address);
	}
	snprintf(m->message_id, sizeof m->message_id, "%08x.%u.%u@%s", (uint32_t)rng_next(d->rng), d->session->id, m->number, d->client_domain);
	m->rcpt_count = 1;
	while (!a && m->rcpt_count < RCPT_MAX && rng_chance(d->rng, m->rcpt_count > 3 ? .8 : .18))
		m->rcpt_count++;
	m->pipelined = rng_chance(d->rng, d->g->mix.pipelined);
	m->bdat = !a && rng_chance(d->rng, d->g->mix.bdat);
	choose_recipients(d, m);
}

static void choose_size(struct dialogue *d, struct mail *m)
{
	if (d->kind == KIND_DSN)
		m->wanted = 3000;
	else if (d->kind == KIND_VACATION)
		m->wanted = 600 + rng_below(d->rng, 1500);
	else
		m->wanted = rng_log_normal(d->rng, d->g->mix.median_bytes, d->g->mix.sigma, 300, 30e6);
	m->multipart = m->wanted > MULTIPART_ABOVE_BYTES;
	uint32_t low = (uint32_t)rng_next(d->rng), high = (uint32_t)rng_next(d->rng);
	snprintf(m->boundary, sizeof m->boundary, "=_%08x%08x", high, low);
}

static void choose_own_subject(struct dialogue *d, struct mail *m)
{
	if (rng_chance(d->rng, .15)) {
		const char *last = rng_word(d->rng), *first = rng_word(d->rng), *base64 = pool_line(&d->g->pools.base64, d->rng);

		snprintf(m->subject, sizeof m->subject, "=?utf-8?B?%.40s?=\r\n =?utf-8?Q?%s=C3=A9_%s?=", base64, first, last);
	} else {
		uint32_t number = rng_below(d->rng, 99999);
		const char *third = rng_word(d->rng), *second = rng_word(d->rng), *first = rng_word(d->rng);

		snprintf(m->subject, sizeof m->subject, "%s %s %s %u", first, second, third, number);
	}
}

static void choose_subject(struct dialogue *d, struct mail *m)
{
	if (d->kind == KIND_DSN)
		snprintf(m->subject, sizeof m->subject, "Undelivered Mail Returned to Sender");
	else if (d->answer)
		snprintf(m->subject, sizeof m->subject, "Out of office: Re: %s", d->answer->subject);
	else
		choose_own_subject(d, m);
}

/* A mail from outside may be answered 2 to 14 seconds after its session began. */
static void plan_answer(const struct dialogue *d, const struct mail *m)
{
	const struct mix *mix = &d->g->mix;

	if (d->answer || !d->inbound)
		return;
	double x = rng_unit(d->rng);
	if (x >= mix->bounce + mix->vacation)
		return;
	struct follow_up *f = xcalloc(1, sizeof *f);
	f->kind = x < mix->bounce ? KIND_DSN : KIND_VACATION;
	f->own = d->own;
	f->peer = d->peer;
	f->ipv6 = d->session->ipv6;
	f->cause = d->session->id;
	snprintf(f->from, sizeof f->from, "%.79s", m->rcpt[0].address);
	snprintf(f->to, sizeof f->to, "%.79s", m->from);
	snprintf(f->message_id, sizeof f->message_id, "%.95s", m->message_id);
	snprintf(f->subject, sizeof f->subject, "%.*s", (int)strcspn(m->subject, "\r"), m->subject);
	f->due.time_us = d->start_us + 2000000 + (uint64_t)(rng_unit(d->rng) * 12e6);
	heap_push(&d->g->follow_ups, &f->due);
}

static void write_mail(struct dialogue *d, uint32_t number)
{
	struct mail m = { .number = number, .code = 250 };
	struct mail_totals *t = totals_of(d);

	choose_envelope(d, &m);
	choose_size(d, &m);
	say_envelope(d, &m);
	choose_subject(d, &m);
	if (m.bdat)
		say_chunk(d, &m);
	else
		say_data(d, &m);
	uint32_t id_end = rng_below(d->rng, 99), id = (uint32_t)rng_next(d->rng);
	script_say(d->script, SERVER, PUSH | TURN, "250 2.0.0 Ok: queued as %08X%u\r\n", id, id_end);
	t->kind[d->kind]++;
	t->messages++;
	t->accepted += m.accepted;
	t->refused += m.rcpt_count - m.accepted;
	t->bytes += m.size;
	truth_line(d, &m, m.from[0] ? m.from : "<>");
	plan_answer(d, &m);
}

static void write_mails(struct dialogue *d)
{
	uint32_t count = 1;

	while (!d->answer && count < MAILS_MAX && rng_chance(d->rng, d->g->mix.more_mails))
		count++;
	for (uint32_t i = 0; i < count; i++) {
		write_mail(d, i);
		if (i + 1 < count && rng_chance(d->rng, .3))
			reset(d);
	}
	quit(d);
}

/* ---- sessions without a message ---- */

static void say_refusal(struct dialogue *d, const struct recipient *rcpt, unsigned flags)
{
	const char *text = rcpt->code == 250 ? "2.1.5 Ok" : rcpt->code == 451 ? "4.7.1 Greylisted, try again later"
			   : "5.1.1 User unknown in virtual mailbox table";

	script_say(d->script, SERVER, flags, "%d %s\r\n", rcpt->code, text);
}

/* MAIL and all RCPT in one segment. */
static void say_refused_at_once(struct dialogue *d, const struct mail *m)
{
	char other[ADDRESS_SIZE];

	script_say(d->script, CLIENT, TURN | (m->rcpt_count == 1 ? PUSH : 0), "MAIL FROM:<%s> SIZE=%u\r\nRCPT TO:<%s>\r\n", m->from,
		   rng_below(d->rng, 90000), m->rcpt[0].address);
	for (uint32_t i = 1; i < m->rcpt_count; i++) {
		server_side_address(d, other);
		script_say(d->script, CLIENT, i + 1 == m->rcpt_count ? PUSH : 0, "RCPT TO:<%s>\r\n", other);
	}
	script_say(d->script, SERVER, TURN, "250 2.1.0 Ok\r\n");
	for (uint32_t i = 0; i < m->rcpt_count; i++)
		say_refusal(d, &m->rcpt[0], i + 1 == m->rcpt_count ? PUSH : 0);
}

static void say_refused_one_by_one(struct dialogue *d, const struct mail *m)
{
	script_say(d->script, CLIENT, PUSH | TURN, "MAIL FROM:<%s>\r\n", m->from);
	script_say(d->script, SERVER, PUSH | TURN, "250 2.1.0 Ok\r\n");
	script_say(d->script, CLIENT, PUSH | TURN, "RCPT TO:<%s>\r\n", m->rcpt[0].address);
	say_refusal(d, &m->rcpt[0], PUSH | TURN);
}

static int refusal_code(struct dialogue *d)
{
	if (d->kind == KIND_CALLOUT)
		return rng_chance(d->rng, .5) ? 250 : 550;
	return d->kind == KIND_GREYLIST ? 451 : 550;
}

/* A callout, or a mail whose recipients are all refused. The truth holds the first recipient and how many there were. */
static void write_refused(struct dialogue *d)
{
	struct mail m = { .rcpt_count = 1 };
	struct mail_totals *t = totals_of(d);

	server_side_address(d, m.rcpt[0].address);
	client_side_address(d, m.from);
	if (d->kind == KIND_CALLOUT)
		m.from[0] = '\0';
	m.code = m.rcpt[0].code = refusal_code(d);
	m.accepted = m.code == 250;
	m.pipelined = d->kind != KIND_CALLOUT && rng_chance(d->rng, d->g->mix.pipelined);
	if (d->kind == KIND_REJECT) {
		uint32_t count = 1 + rng_below(d->rng, 3);

		m.rcpt_count = m.pipelined ? count : 1;
	}
	if (m.pipelined)
		say_refused_at_once(d, &m);
	else
		say_refused_one_by_one(d, &m);
	if (d->kind == KIND_CALLOUT && rng_chance(d->rng, .3))
		reset(d);
	quit(d);
	t->kind[d->kind]++;
	t->accepted += m.accepted;
	t->refused += m.accepted ? 0 : m.rcpt_count;
	truth_line(d, &m, m.from[0] ? m.from : "<>");
}

/* The flight of TLS 1.3 and a mail inside, as sizes only. */
static void write_starttls(struct dialogue *d)
{
	static const struct { enum side from; uint32_t bytes; } before[] = {	/* Finished, EHLO, its reply, envelope, its replies */
		{ CLIENT, 80 }, { CLIENT, 60 }, { SERVER, 250 }, { CLIENT, 120 }, { SERVER, 60 },
	};
	const struct pool *noise = &d->g->pools.noise;
	const struct mail nothing = { 0 };
	char name[DOMAIN_SIZE + 8];

	script_say(d->script, CLIENT, PUSH | TURN, "STARTTLS\r\n");
	script_say(d->script, SERVER, PUSH | TURN, "220 2.0.0 Ready to start TLS\r\n");
	snprintf(name, sizeof name, "mx.%s", d->server_domain);
	script_tls_hello(d->script, d->rng, name);
	uint32_t certificate = 2500 + rng_below(d->rng, 1500);
	script_tls_data(d->script, SERVER, 0, noise, d->rng, certificate);
	for (size_t i = 0; i < sizeof before / sizeof *before; i++)
		script_tls_data(d->script, before[i].from, TURN, noise, d->rng, before[i].bytes);
	uint32_t size = rng_log_normal(d->rng, d->g->mix.median_bytes, d->g->mix.sigma, 300, 30e6);
	script_tls_data(d->script, CLIENT, TURN, noise, d->rng, size);
	script_tls_data(d->script, SERVER, TURN, noise, d->rng, 70);
	script_tls_data(d->script, CLIENT, TURN, noise, d->rng, 30);
	totals_of(d)->kind[KIND_STARTTLS]++;
	truth_line(d, &nothing, "-");
}

/* ---- a session ---- */

static enum mail_kind choose_kind(struct generator *g)
{
	const struct mix *m = &g->mix;
	double x = rng_unit(&g->rng);

	if (x < m->callout)
		return KIND_CALLOUT;
	if ((x -= m->callout) < m->reject)
		return KIND_REJECT;
	if (x - m->reject < m->greylist)
		return KIND_GREYLIST;
	return rng_chance(&g->rng, m->starttls) ? KIND_STARTTLS : KIND_MAIL;
}

static void choose_hosts(struct dialogue *d)
{
	struct generator *g = d->g;
	struct session *s = d->session;

	d->own = d->answer ? d->answer->own : rng_below(d->rng, (uint32_t)g->mix.own_servers);
	d->inbound = !d->answer && rng_chance(d->rng, g->mix.inbound);
	d->peer = d->answer ? d->answer->peer : rng_below(d->rng, (uint32_t)g->mix.peers);
	if (d->answer)
		s->ipv6 = d->answer->ipv6;
	session_set_own(s, d->inbound ? SERVER : CLIENT, d->own);
	session_set_peer(s, d->inbound ? CLIENT : SERVER, d->peer);
	bool odd = g->mix.odd_port > 0 && rng_chance(d->rng, g->mix.odd_port);
	session_set_ports(s, (uint16_t)(odd ? 2000 + rng_below(d->rng, 20000) : 25));
	peer_domain(d->peer_domain, sizeof d->peer_domain, d->peer);
	snprintf(d->own_domain, sizeof d->own_domain, "own%u.example", d->own);
	d->client_domain = d->inbound ? d->peer_domain : d->own_domain;
	d->server_domain = d->inbound ? d->own_domain : d->peer_domain;
}

struct session *smtp_session(struct generator *g, uint64_t time_us, const struct follow_up *answer)
{
	struct dialogue d = { .g = g, .rng = &g->rng, .script = &g->script, .answer = answer, .start_us = time_us };

	d.session = session_new(g, time_us);
	g->totals.smtp++;
	choose_hosts(&d);
	d.kind = answer ? answer->kind : choose_kind(g);
	greet(&d);
	if (d.kind == KIND_STARTTLS)
		write_starttls(&d);
	else if (d.kind == KIND_CALLOUT || d.kind == KIND_REJECT || d.kind == KIND_GREYLIST)
		write_refused(&d);
	else
		write_mails(&d);
	session_seal(g, d.session);
	return d.session;
}
