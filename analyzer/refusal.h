/* refusal.h - replies in which a remote server names a blocklist: they say that our address is listed, never that a mail was misdirected. */
#ifndef ANALYZER_REFUSAL_H
#define ANALYZER_REFUSAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>

#include "analyzer/listfile.h"
#include "analyzer/mail.h"
#include "analyzer/servers.h"

/* The list that a reply names, as written ("zen.spamhaus.org"); false when it names none. zone points into reply. */
bool refusal_zone(struct text reply, struct text *zone);

struct refusals;

struct refusals *refusals_new(sqlite3 *facts, sqlite3 *verdicts, const struct own *own, struct servers *servers, const struct lists *lists);
void refusals_free(struct refusals *r);

/* Of a transaction that left us: replies to MAIL, to each RCPT, to the data. */
void refusals_of_mail(struct refusals *r, const struct mail *m);

/* Of a session that left us and was refused before MAIL. */
struct refusal_session {
	uint8_t session_id[16];
	struct ip_addr src, dest;
	int code;
	struct text reply;
	int64_t at_us;
};
void refusals_of_session(struct refusals *r, const struct refusal_session *s);

#endif
