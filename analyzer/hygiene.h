/*
 * hygiene.h - defects seen beside the findings: open relay, AUTH in clear, no STARTTLS, refusals that make an upstream bounce, autoreplies that
 * break RFC 3834. What they are, stands at the view hygiene of schema/verdicts.sql.
 *
 * Those that one session or mail shows are counted by own address, by the id of the server that it would be, and written by hygiene_flush; those
 * that hang on a finding go and come with it.
 */
#ifndef ANALYZER_HYGIENE_H
#define ANALYZER_HYGIENE_H

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>

#include "analyzer/correlate.h"
#include "analyzer/judge.h"
#include "analyzer/mail.h"
#include "analyzer/own.h"
#include "analyzer/provisional.h"

struct hygiene;

struct hygiene *hygiene_new(sqlite3 *facts, sqlite3 *verdicts, const struct own *own, struct provisional *provisional);
void hygiene_free(struct hygiene *h);

struct hygiene_session {
	int64_t rowid, started_us;
	uint8_t session_id[16];
	struct ip_addr src, dest;
	int dest_port;
	const struct route *route;
	struct text ehlo_keywords;
	bool encrypted, authenticated;
	bool has_gap;			/* what was offered may not have been seen in full */
};
void hygiene_of_session(struct hygiene *h, const struct hygiene_session *s);

void hygiene_of_mail(struct hygiene *h, const struct mail *m, const struct route *route, enum kind kind);

/* Inside the caller's transaction. */
void hygiene_flush(struct hygiene *h);

/* What the finding of this group shows of its server beside itself, one bit each. */
unsigned hygiene_defects(struct hygiene *h, const struct victim *v, const struct mail_group *g, const struct judgement *j);
/* finding_rowid was just written for this group; server_id: where the fix belongs. */
void hygiene_of_finding(struct hygiene *h, unsigned defects, const struct mail_group *g, int64_t finding_rowid, int64_t server_id);

#endif
