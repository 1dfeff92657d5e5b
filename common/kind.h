/* kind.h - the words of DESIGN.md 1 that verdicts are made of: kinds, provenance, and who they concern. */
#ifndef COMMON_KIND_H
#define COMMON_KIND_H

#include <stdbool.h>

/* name in code, word in schema and events, answering */
#define KINDS(X) \
	X(ORDINARY, "ordinary", false) \
	X(BOUNCE, "bounce", true) \
	X(DELAY_NOTICE, "delay-notice", true) \
	X(SUCCESS_NOTICE, "success-notice", true) \
	X(AUTOREPLY, "autoreply", true) \
	X(TICKET, "ticket", true) \
	X(READ_RECEIPT, "read-receipt", true) \
	X(CHALLENGE, "challenge", true) \
	X(CONTENT_NOTICE, "content-notice", true) \
	X(LIST_NOTICE, "list-notice", true) \
	X(CALLOUT, "callout", true) \
	X(AUTOMATED_UNKNOWN, "automated-unknown", true) \
	X(CALL_AHEAD, "call-ahead", false) \
	X(FEEDBACK_REPORT, "feedback-report", false)

enum kind {
#define X(name, word, answering) KIND_##name,
	KINDS(X)
#undef X
	KIND_COUNT
};

const char *kind_name(enum kind k);
/* KIND_COUNT when the word is unknown. */
enum kind kind_parse(const char *word);
bool kind_is_answering(enum kind k);

enum provenance { PROVENANCE_NONE, PROVENANCE_UNKNOWN, PROVENANCE_GENERATED, PROVENANCE_RELAYED_OWN, PROVENANCE_FORWARDED };

/* NULL for PROVENANCE_NONE. */
const char *provenance_name(enum provenance p);

#endif
