/*
 * classify.c - see classify.h. A mail becomes a set of signals, one bit each; rules.def turns the set into a kind.
 *
 * What a signal means is said here, which signals make a kind only there.
 */
#include "analyzer/classify.h"

#include <string.h>

#include "common/buf.h"
#include "sensor/marker.h"

#define SIGNALS(X) \
	X(NULL_SENDER) X(DAEMON) X(POSTMASTER) X(DOUBLE_BOUNCE) X(LIST_SENDER) X(FROM_DAEMON) \
	X(MESSAGE) X(NO_DATA) X(DATA_ASKED) X(SIZE_GIVEN) X(FEW_RCPT) X(RCPT_SEEN) X(RCPT_UNSEEN) X(RCPT_ACCEPTED) X(REJECTED) X(CLIENT_LEFT) \
	X(REPORT) X(DSN) X(MDN) X(ARF) X(FAILED) X(DELAYED) X(SUCCESS) \
	X(AUTO_REPLIED) X(AUTO_GENERATED) X(VACATION) X(PREC_AUTOREPLY) X(PREC_BULK) X(PREC_JUNK) X(IN_REPLY_TO) X(LIST_ID) X(SUPPRESS) \
	X(FAILED_RECIPIENTS) X(SUBJECT_DOMAIN_REPORT) \
	X(MARK_BOUNCE) X(MARK_AUTOREPLY) X(MARK_TICKET) X(MARK_CHALLENGE) X(MARK_TMDA) X(MARK_CONTENT) X(MARK_LIST_ADMIN) \
	X(PHRASE_BOUNCE) X(PHRASE_DELAY) X(PHRASE_SUCCESS) X(PHRASE_AUTOREPLY) X(PHRASE_TICKET) X(PHRASE_CHALLENGE) \
	X(PHRASE_CONTENT) X(PHRASE_LIST)

enum { 
#define X(name) BIT_##name,
	SIGNALS(X)
#undef X
	SIGNAL_COUNT
};

/* More than int holds: a GNU C enum grows. */
enum signal {
#define X(name) name = UINT64_C(1) << BIT_##name,
	SIGNALS(X)
#undef X
	NOT_PERSON = NULL_SENDER | DAEMON | POSTMASTER | FROM_DAEMON
};

static const char *const signal_names[SIGNAL_COUNT] = {
#define X(name) #name,
	SIGNALS(X)
#undef X
};

static const struct rule {
	const char *id;
	enum kind kind;
	uint64_t all, any, none;
} rules[] = {
#define RULE(id, kind, all, any, none) { id, KIND_##kind, all, any, none },
#include "analyzer/rules.def"
#undef RULE
};

enum { RULE_COUNT = sizeof rules / sizeof *rules };

static uint64_t when(bool fits, uint64_t signals)
{
	return fits ? signals : 0;
}

static const struct {
	enum marker marker;
	uint64_t signals;
} marker_signals[] = {
	{ MARKER_X_AUTOREPLY, MARK_AUTOREPLY },
	{ MARKER_X_AUTORESPOND, MARK_AUTOREPLY },
	{ MARKER_X_AUTORESPONDER, MARK_AUTOREPLY },
	{ MARKER_X_AUTOREPLY_FROM, MARK_AUTOREPLY },
	{ MARKER_X_MAIL_AUTOREPLY, MARK_AUTOREPLY },
	{ MARKER_X_AMAZON_AUTO_REPLY, MARK_AUTOREPLY },
	{ MARKER_X_APPLE_VACATION, MARK_AUTOREPLY },
	{ MARKER_X_AUTO_RESPONSE_SUPPRESS, SUPPRESS },
	{ MARKER_X_FAILED_RECIPIENTS, FAILED_RECIPIENTS },
	{ MARKER_X_MS_NDR, MARK_BOUNCE },
	{ MARKER_X_MS_EMBEDDED_REPORT, MARK_BOUNCE },
	{ MARKER_INVOKED_FOR_BOUNCE, MARK_BOUNCE },
	{ MARKER_EXIMDSN, MARK_BOUNCE },
	{ MARKER_RT_TICKET, MARK_TICKET },
	{ MARKER_X_OTRS_LOOP, MARK_TICKET },
	{ MARKER_ZENDESK, MARK_TICKET },
	{ MARKER_FRESHDESK, MARK_TICKET },
	{ MARKER_X_OSTICKET, MARK_TICKET },
	{ MARKER_X_BOXTRAPPER, MARK_CHALLENGE },
	{ MARKER_X_ASKVERSION, MARK_CHALLENGE },
	{ MARKER_X_SPAMARREST, MARK_CHALLENGE },
	{ MARKER_TMDA_CONFIRM, MARK_CHALLENGE },
	{ MARKER_TMDA, MARK_TMDA },
	{ MARKER_MAILINBLACK, MARK_CHALLENGE },
	{ MARKER_X_LIST_ADMINISTRIVIA, MARK_LIST_ADMIN },
	{ MARKER_PRECEDENCE_AUTO_REPLY, PREC_AUTOREPLY },
	{ MARKER_PRECEDENCE_AUTO_REPLY_DASH, PREC_AUTOREPLY },
	{ MARKER_PRECEDENCE_BULK, PREC_BULK },
	{ MARKER_PRECEDENCE_JUNK, PREC_BULK | PREC_JUNK },
};

static uint64_t marker_bits(uint64_t markers)
{
	uint64_t s = 0;

	for (size_t i = 0; i < sizeof marker_signals / sizeof *marker_signals; i++)
		s |= when(markers >> marker_signals[i].marker & 1, marker_signals[i].signals);
	return s;
}

static uint64_t envelope_bits(const struct mail *m)
{
	unsigned c = m->mail_from_class;

	return when(m->null_sender, NULL_SENDER)
	     | when(c & CLASS_DAEMON, DAEMON)
	     | when(c & CLASS_POSTMASTER, POSTMASTER)
	     | when(c & CLASS_DOUBLE_BOUNCE, DOUBLE_BOUNCE)
	     | when(c & CLASS_LIST, LIST_SENDER);
}

/* A message exists where the client knew its size or its kind of body (Postfix, Exim, Sendmail, Courier say so; lab.md 1). */
static bool size_is_given(const struct mail *m)
{
	return text_find_nocase(m->mail_params, "size=") >= 0 || text_find_nocase(m->mail_params, "body=") >= 0;
}

static uint64_t dialogue_bits(const struct mail *m)
{
	bool asked_for_data = mail_has_step(m, 'c', "DATA") || mail_has_step(m, 'c', "BDAT");
	bool left = m->outcome == MAIL_ABORTED || mail_has_step(m, 'c', "QUIT") || mail_has_step(m, 'c', "RSET");

	if (m->has_message)
		return MESSAGE;
	/* Pipelining clients ask for DATA before they know that RCPT was refused: then there is a message. */
	/* With a hole in it, a message may have been there. */
	return when(!m->has_data && !asked_for_data && m->complete, NO_DATA)
	     | when(asked_for_data, DATA_ASKED)
	     | when(size_is_given(m), SIZE_GIVEN)
	     | when(m->rcpt_count >= 1 && m->rcpt_count <= 3, FEW_RCPT)
	     | when(m->rcpt_count >= 1, RCPT_SEEN)
	     | when(m->rcpt_accepted >= 1, RCPT_ACCEPTED)
	     | when(m->rcpt_count == 0, RCPT_UNSEEN)
	     | when(m->outcome == MAIL_REJECTED, REJECTED)
	     | when(left || m->outcome == MAIL_REJECTED, CLIENT_LEFT);
}

static uint64_t report_bits(const struct mail *m)
{
	bool dsn = text_starts_nocase(m->report_type, "delivery");

	if (!m->has_report)
		return 0;
	return when(m->in_multipart_report, REPORT)
	     | when(dsn, DSN)
	     | when(text_starts_nocase(m->report_type, "disposition"), MDN)
	     | when(text_starts_nocase(m->report_type, "feedback"), ARF)
	     /* A report that was cut before its Action says failed: that is what reports are nearly always about. */
	     | when(dsn && (!m->action.p || text_find_nocase(m->action, "failed") >= 0), FAILED)
	     | when(text_find_nocase(m->action, "delayed") >= 0, DELAYED)
	     | when(text_find_nocase(m->action, "delivered") >= 0 || text_find_nocase(m->action, "relayed") >= 0
		    || text_find_nocase(m->action, "expanded") >= 0, SUCCESS);
}

static uint64_t header_bits(const struct mail *m)
{
	return when(text_equal(m->content_type, TEXT("multipart/report")), REPORT)
	     | when(m->from_class & (CLASS_DAEMON | CLASS_POSTMASTER), FROM_DAEMON)
	     | when(text_starts_nocase(m->auto_submitted, "auto-replied"), AUTO_REPLIED)
	     | when(text_starts_nocase(m->auto_submitted, "auto-generated"), AUTO_GENERATED)
	     | when(text_find_nocase(m->auto_submitted, "vacation") >= 0, VACATION)
	     | when(m->has_in_reply_to, IN_REPLY_TO)
	     | when(m->list_id.p != NULL, LIST_ID)
	     | when(m->x_failed_recipients.p != NULL, FAILED_RECIPIENTS)
	     /* RFC 7489 7.2.1.1 and RFC 8460 5.3 prescribe this subject. */
	     | when(text_starts_nocase(m->subject, "report domain:") && text_find_nocase(m->subject, "submitter:") > 0, SUBJECT_DOMAIN_REPORT);
}

/* By class of data/phrases.def. A separator only says that something was returned. */
enum phrase_class {
	SIGNAL_BOUNCE = BIT_PHRASE_BOUNCE + 1, SIGNAL_DELAY = BIT_PHRASE_DELAY + 1, SIGNAL_SUCCESS = BIT_PHRASE_SUCCESS + 1,
	SIGNAL_AUTOREPLY = BIT_PHRASE_AUTOREPLY + 1, SIGNAL_CHALLENGE = BIT_PHRASE_CHALLENGE + 1,
	SIGNAL_CONTENT_NOTICE = BIT_PHRASE_CONTENT + 1, SIGNAL_LIST_NOTICE = BIT_PHRASE_LIST + 1, SIGNAL_TICKET = BIT_PHRASE_TICKET + 1,
	SIGNAL_SEPARATOR = 0
};

static const uint8_t phrase_signals[] = {
#define PHRASE(id, class, where, text) [id] = SIGNAL_##class,
#include "data/phrases.def"
#undef PHRASE
};

static uint64_t phrase_bits(const struct mail *m)
{
	uint64_t s = 0;
	unsigned id = 0;

	for (uint32_t i = 0; m->phrases.p && i <= m->phrases.len; i++) {
		if (i < m->phrases.len && m->phrases.p[i] >= '0' && m->phrases.p[i] <= '9' && id < 100000) {
			id = id * 10 + (unsigned)(m->phrases.p[i] - '0');
			continue;
		}
		if (id < sizeof phrase_signals && phrase_signals[id])
			s |= UINT64_C(1) << (phrase_signals[id] - 1);
		id = 0;
	}
	return s;
}

static uint64_t signals_of(const struct mail *m)
{
	uint64_t s = envelope_bits(m) | dialogue_bits(m);

	if (m->has_message)
		s |= header_bits(m) | report_bits(m) | marker_bits(m->markers) | phrase_bits(m);
	return s;
}

static const struct rule *first_rule(uint64_t s)
{
	for (size_t i = 0; i < RULE_COUNT; i++) {
		const struct rule *r = &rules[i];

		if ((s & r->all) == r->all && (!r->any || s & r->any) && !(s & r->none))
			return r;
	}
	return &rules[RULE_COUNT - 1];
}

struct classification classify(const struct mail *m, bool near)
{
	uint64_t s = signals_of(m);
	const struct rule *r = first_rule(s);
	struct classification c = { r->kind, r->id, false };

	c.open = !(s & MESSAGE) && (c.kind == KIND_AUTOMATED_UNKNOWN || (c.kind == KIND_CALLOUT && !(s & (RCPT_ACCEPTED | DOUBLE_BOUNCE))));
	/* Asking our own hop about its recipients is how backscatter is avoided. */
	if (near && c.kind == KIND_CALLOUT) {
		c.kind = KIND_CALL_AHEAD;
		c.rule = "probe-near";
	}
	return c;
}

void classify_signals(const struct mail *m, struct buf *out)
{
	uint64_t s = signals_of(m);

	for (unsigned i = 0; i < SIGNAL_COUNT; i++)
		if (s >> i & 1)
			buf_printf(out, "%s%s", out->len ? " " : "", signal_names[i]);
}

uint64_t classify_version(void)
{
	uint64_t h = UINT64_C(14695981039346656037);	/* FNV-1a: tells tables apart, defends against nobody */

	for (size_t i = 0; i < RULE_COUNT; i++) {
		for (const char *p = rules[i].id; *p; p++)
			h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
		h = (h ^ rules[i].kind ^ rules[i].all) * UINT64_C(1099511628211);
		h = (h ^ rules[i].any ^ (rules[i].none << 1)) * UINT64_C(1099511628211);
	}
	return h;
}
