/* software.c - see software.h. Courier, Citadel and qmail greet with "ESMTP" alone: only what they write and how they take mail tells them. */
#include "reader/software.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "schema/db.h"
#include "schema/marker.h"

/* The first that fits: special ones before what they are built on. Lower-case text within the greeting. */
static const struct {
	const char *name, *banner;
} by_banner[] = {
	{ "Microsoft 365", "protection.outlook.com" },
	{ "Google Workspace", "gsmtp" },
	{ "Zimbra", "zimbra" },
	{ "Postfix", "postfix" },
	{ "Exim", "exim" },
	{ "Sendmail", "sendmail" },
	{ "OpenSMTPD", "opensmtpd" },
	{ "Exchange", "microsoft esmtp" },
	{ "Haraka", "haraka" },
	{ "PowerMTA", "powermta" },
	{ "Domino", "domino" },
	{ "MDaemon", "mdaemon" },
	{ "Halon", "halon" },
	{ "MailEnable", "mailenable" },
	{ "hMailServer", "hmailserver" },
	{ "Kerio", "kerio" },
	{ "James", "james smtp" },
	{ "Stalwart", "stalwart" },
	{ "qmail", "qmail" },
	{ "Courier", "courier" },
	{ "IMail", "imail" },
	{ "SurgeMail", "surgemail" },
	{ "CommuniGate", "communigate" },
	{ "GroupWise", "groupwise" },
	{ "Barracuda", "barracuda" },
};

static bool has(struct text t, const char *lower_case)
{
	return text_find_nocase(t, lower_case) >= 0;
}

const char *software_of(struct text banner, struct text ehlo_keywords)
{
	for (size_t i = 0; banner.p && i < sizeof by_banner / sizeof *by_banner; i++)
		if (has(banner, by_banner[i].banner))
			return by_banner[i].name;
	if (has(ehlo_keywords, "x-anonymoustls") || has(ehlo_keywords, "xrdst"))
		return "Exchange";
	return NULL;
}

static const struct {
	const char *name, *reply;
} by_acceptance[] = {
	{ "Microsoft 365", "outlook.com queued mail for delivery" },
	{ "Exchange", "queued mail for delivery" },
	{ "Google Workspace", "gsmtp" },
	{ "Postfix", "ok: queued as" },
	{ "Exim", "ok id=" },
	{ "qmail", " qp " },
};

const char *software_of_acceptance(struct text reply)
{
	for (size_t i = 0; reply.p && i < sizeof by_acceptance / sizeof *by_acceptance; i++)
		if (has(reply, by_acceptance[i].reply))
			return by_acceptance[i].name;
	return NULL;
}

/* ---- messages ---- */

enum sign { PHRASE_ID, MARKER, MESSAGE_ID, FROM, X_MAILER };

/* In this order: what only one program writes, then what its kin writes, too. value: of phrases.def or marker.def; text: lower case. */
static const struct {
	const char *name;
	enum sign sign;
	unsigned value;
	const char *text;
} by_message[] = {
	/* responders; what a mail server wrote for them around it comes later */
	{ "Dovecot Pigeonhole", MESSAGE_ID, 0, "dovecot-sieve" },
	{ "Cyrus Sieve", MESSAGE_ID, 0, "cmu-sieve" },
	{ "OTRS", MARKER, MARKER_X_OTRS_LOOP, NULL },
	{ "OTRS", X_MAILER, 0, "otrs" },
	{ "OTRS", X_MAILER, 0, "znuny" },
	{ "Request Tracker", MARKER, MARKER_RT_TICKET, NULL },
	{ "Request Tracker", PHRASE_ID, 140, NULL },
	{ "osTicket", MARKER, MARKER_X_OSTICKET, NULL },
	{ "osTicket", X_MAILER, 0, "osticket" },
	{ "Zammad", X_MAILER, 0, "zammad" },
	{ "Zendesk", MARKER, MARKER_ZENDESK, NULL },
	{ "Freshdesk", MARKER, MARKER_FRESHDESK, NULL },
	{ "BoxTrapper", MARKER, MARKER_X_BOXTRAPPER, NULL },
	{ "BoxTrapper", PHRASE_ID, 103, NULL },
	{ "TMDA", MARKER, MARKER_TMDA_CONFIRM, NULL },
	{ "TMDA", MARKER, MARKER_TMDA, NULL },
	{ "Mailman", MARKER, MARKER_X_LIST_ADMINISTRIVIA, NULL },
	{ "Mailman", MESSAGE_ID, 0, "mailman." },
	{ "Mailman", PHRASE_ID, 130, NULL },
	{ "MailScanner", PHRASE_ID, 111, NULL },
	{ "MailScanner", PHRASE_ID, 117, NULL },
	{ "amavis", FROM, 0, "content-filter at" },
	{ "amavis", PHRASE_ID, 113, NULL },
	{ "amavis", PHRASE_ID, 114, NULL },
	{ "amavis", PHRASE_ID, 118, NULL },
	{ "amavis", PHRASE_ID, 115, NULL },
	{ "Barracuda", PHRASE_ID, 110, NULL },
	{ "vacation", PHRASE_ID, 78, NULL },
	/* mail servers */
	{ "Microsoft 365", MESSAGE_ID, 0, ".prod.outlook.com" },
	{ "Exchange", MARKER, MARKER_X_MS_NDR, NULL },
	{ "Exchange", MARKER, MARKER_X_MS_EMBEDDED_REPORT, NULL },
	{ "Exchange", MARKER, MARKER_X_MS_INBOX_RULES_LOOP, NULL },
	{ "Exchange", MARKER, MARKER_X_MS_GENERATED_SOURCE, NULL },
	{ "Postfix", PHRASE_ID, 30, NULL },
	{ "Postfix", PHRASE_ID, 31, NULL },
	{ "Postfix", PHRASE_ID, 2, NULL },
	{ "Postfix", PHRASE_ID, 1, NULL },
	{ "Exim", MARKER, MARKER_EXIMDSN, NULL },
	{ "Exim", PHRASE_ID, 32, NULL },
	{ "OpenSMTPD", PHRASE_ID, 35, NULL },
	{ "Google Workspace", MESSAGE_ID, 0, "@mx.google.com" },
	{ "Google Workspace", PHRASE_ID, 41, NULL },
	{ "Courier", PHRASE_ID, 9, NULL },
	{ "Courier", MESSAGE_ID, 0, "courier." },
	{ "Exchange", PHRASE_ID, 39, NULL },
	{ "Exchange", PHRASE_ID, 40, NULL },
	{ "Exchange", PHRASE_ID, 38, NULL },
	{ "Exchange", PHRASE_ID, 71, NULL },
	{ "Sendmail", PHRASE_ID, 37, NULL },
	{ "Sendmail", PHRASE_ID, 36, NULL },
	{ "Sendmail", PHRASE_ID, 15, NULL },
};

static bool has_phrase(struct text phrases, unsigned wanted)
{
	unsigned id = 0;

	for (uint32_t i = 0; phrases.p && i <= phrases.len; i++) {
		if (i < phrases.len && phrases.p[i] >= '0' && phrases.p[i] <= '9' && id < 100000) {
			id = id * 10 + (unsigned)(phrases.p[i] - '0');
			continue;
		}
		if (id == wanted)
			return true;
		id = 0;
	}
	return false;
}

static bool has_sign(const struct software_signs *s, enum sign sign, unsigned value, const char *text)
{
	switch (sign) {
	case PHRASE_ID: return has_phrase(s->phrases, value);
	case MARKER: return s->markers >> value & 1;
	case MESSAGE_ID: return has(s->message_id, text);
	case FROM: return has(s->from_header, text);
	case X_MAILER: return has(s->x_mailer, text);
	}
	return false;
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Runs of letters and digits of these lengths, with this between them, from the start of t. */
static bool has_shape(struct text t, const unsigned char *lengths, size_t count, char between)
{
	uint32_t at = 0;

	for (size_t i = 0; i < count; i++) {
		for (unsigned k = 0; k < lengths[i]; k++, at++)
			if (at >= t.len || !is_alnum(t.p[at]))
				return false;
		if (i + 1 < count && (at >= t.len || t.p[at++] != between))
			return false;
	}
	return at == t.len || !is_alnum(t.p[at]);
}

/* "E1abCde-000123-4F@host", since 4.97 "E1abCde-0000000ABCD-1EfG@host" (spec.txt 3.4). */
static bool is_exim_id(struct text id)
{
	static const unsigned char shapes[][3] = { { 7, 6, 2 }, { 7, 11, 4 } };

	return id.p && id.len && id.p[0] == 'E' && (has_shape(id, shapes[0], 3, '-') || has_shape(id, shapes[1], 3, '-'));
}

/* "20261122101530.4XyZ12345@host": the time in 14 digits, the queue id. */
static bool is_postfix_id(struct text id)
{
	for (uint32_t i = 0; i < 14; i++)
		if (i >= id.len || id.p[i] < '0' || id.p[i] > '9')
			return false;
	return id.len > 14 && id.p[14] == '.';
}

/* "202611221015.4AMAFxYz012345@host": the time in 12 digits, a queue id of 14. */
static bool is_sendmail_id(struct text id)
{
	static const unsigned char shape[] = { 12, 14 };

	for (uint32_t i = 0; i < 12; i++)
		if (i >= id.len || id.p[i] < '0' || id.p[i] > '9')
			return false;
	return has_shape(id, shape, 2, '.');
}

/* Haraka copies qmail's bounce, but says that it is automatic. */
static const char *qmail_or_haraka(const struct software_signs *s)
{
	return s->auto_submitted.p ? "Haraka" : "qmail";
}

const char *software_of_message(const struct software_signs *s)
{
	for (size_t i = 0; i < sizeof by_message / sizeof *by_message; i++)
		if (has_sign(s, by_message[i].sign, by_message[i].value, by_message[i].text))
			return by_message[i].name;
	if (s->markers >> MARKER_INVOKED_FOR_BOUNCE & 1 || has_phrase(s->phrases, 33) || has_phrase(s->phrases, 34))
		return qmail_or_haraka(s);
	/* procmailex(5): formail -r with a loop header of its own */
	if (s->markers & MARKER_BIT(X_LOOP) && s->markers & MARKER_BIT(PRECEDENCE_JUNK))
		return "procmail";
	if (s->markers & MARKER_BIT(X_SIEVE) && has(s->auto_submitted, "auto-replied"))
		return "Sieve";
	return is_exim_id(s->message_id) ? "Exim" : is_postfix_id(s->message_id) ? "Postfix" : is_sendmail_id(s->message_id) ? "Sendmail" : NULL;
}

const char *software_of_transaction(struct reader *r, int64_t transaction_rowid)
{
	static const char sql[] = "SELECT message_id, from_header, x_mailer, auto_submitted, phrases, markers FROM main.messages WHERE transaction_rowid = ?1";
	sqlite3_stmt *s = reader_select(r, sql, "i", transaction_rowid);
	const char *name = NULL;

	if (reader_step(r, s)) {
		struct software_signs signs = { .message_id = column_text(s, 0), .from_header = column_text(s, 1), .x_mailer = column_text(s, 2),
			.auto_submitted = column_text(s, 3), .phrases = column_text(s, 4), .markers = (uint64_t)sqlite3_column_int64(s, 5) };

		name = software_of_message(&signs);
	}
	sqlite3_finalize(s);
	return name;
}
