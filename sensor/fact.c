/* fact.c - the words for the enums of fact.h, as schema and events show them. */
#include "sensor/fact.h"

static const char *const note_names[NOTE_COUNT] = {
	"gap", "truncated", "one-sided", "mid-stream", "ordinal-uncertain", "rcpt-truncated", "nested-mail", "bare-lf",
	"smuggling-like", "unexpected-reply", "odd-reply", "overlap", "clock-backward", "invalid-utf8", "no-end", "mime-limit",
	"steps-truncated", "tunnelled", "out-of-window",
};
static const char *const end_names[] = { "none", "fin", "rst", "timeout", "port-reuse", "evicted", "capture-end" };
static const char *const session_outcome_names[] = { "unknown", "mail", "no-mail", "refused-banner", "refused-helo", "encrypted",
	"not-smtp" };
static const char *const tls_names[] = { "unknown", "none", "starttls", "implicit" };
static const char *const outcome_names[] = { "unknown", "accepted", "rejected", "aborted" };
static const char *const report_names[] = { "none", "delivery-status", "disposition-notification", "feedback-report" };

const char *fact_note_name(unsigned i)
{
	return note_names[i];
}

const char *fact_end_name(enum fact_end e)
{
	return end_names[e];
}

const char *fact_session_outcome_name(enum fact_session_outcome o)
{
	return session_outcome_names[o];
}

const char *fact_tls_name(enum fact_tls t)
{
	return tls_names[t];
}

const char *fact_outcome_name(enum fact_outcome o)
{
	return outcome_names[o];
}

const char *fact_report_type_name(enum fact_report_type t)
{
	return report_names[t];
}

const struct fact_session_rare *fact_session_rare(const struct fact_session *s)
{
	static const struct fact_session_rare none;

	return s->rare ? s->rare : &none;
}
