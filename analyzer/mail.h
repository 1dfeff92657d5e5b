/*
 * mail.h - one transaction as classifying and judging see it: the rows of facts.db about it, read into one struct.
 *
 * Texts are borrowed from the statement (until its next step) unless an arena is given. Addresses are the ids of schema/facts.sql, 0 when
 * there is none; hashes are 0 when there is none.
 */
#ifndef ANALYZER_MAIL_H
#define ANALYZER_MAIL_H

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>

#include "analyzer/own.h"
#include "common/ip.h"
#include "common/text.h"
#include "schema/db.h"

/* class of an address, schema/facts.sql */
enum address_class { CLASS_NULL = 1, CLASS_POSTMASTER = 2, CLASS_DAEMON = 4, CLASS_DOUBLE_BOUNCE = 8, CLASS_BATV = 16, CLASS_SRS = 32,
	CLASS_VERP = 64, CLASS_LIST = 128, CLASS_LIST_ROBOT = 256, CLASS_MADE_UP = 512 };

enum mail_outcome { MAIL_UNKNOWN, MAIL_ACCEPTED, MAIL_REJECTED, MAIL_ABORTED };

struct mail {
	int64_t rowid;
	uint8_t session_id[16];
	int ordinal;
	struct ip_addr src, dest;
	int dest_port;
	int64_t session_started_us, started_us, ended_us, mail_us, reply_us;	/* mail_us falls back to started_us */
	int auth;			/* 1, 0, -1: cannot be told */
	struct text helo, proxy, xclient, xforward;
	int64_t mail_from_id, mail_from_inner_id;	/* inner: inside a BATV, SRS or VERP form */
	unsigned mail_from_class;
	bool null_sender;
	struct text mail_from_domain;
	struct text mail_params;
	int mail_code;
	int rcpt_count, rcpt_accepted;
	enum mail_outcome outcome;
	int code;
	struct text enhanced, reply, queue_id, steps, notes;
	int64_t size_bytes;		/* -1: not known */
	bool has_data;			/* message bytes were sent */
	bool complete;

	bool has_message;
	int64_t message_id_hash, in_reply_to_hash, from_id, reply_to_id;
	unsigned from_class;
	struct text subject, auto_submitted, precedence, list_id, x_auto_response_suppress, x_failed_recipients, content_type, phrases;
	struct text received;		/* see hop.h */
	bool has_in_reply_to;
	uint64_t markers;

	bool has_report;
	struct text report_type, reporting_mta, report_queue_id, disposition, feedback_type;
	bool in_multipart_report;
	int64_t original_message_id_hash;
	struct text action;		/* Action of each recipient group, separated by blanks */
	struct text status, diagnostic;	/* of the first group, or of the first recipient that a text names */
	bool names_recipient;		/* there is one */

	bool has_returned;
	int64_t returned_hash;
	struct text received_spf, authserv, spf, dkim, dmarc, dkim_domains, spam, returned_from_domain;
};

/* "SELECT ... FROM transactions ..." without WHERE; the columns that mail_read expects. Name the transaction t in what follows, its message m. */
extern const char mail_select[];
/* The rest of mail_read's columns, whole: ?1 is transactions.id. */
extern const char mail_report_select[];

/*
 * The current row of a statement that began with mail_select. report: of mail_report_select, stepped here; NULL: the mail is known to have neither a
 * report nor returned headers, and its text names no failed recipient. a == NULL: texts stay borrowed from both, until the caller resets them.
 */
void mail_read(sqlite3_stmt *s, sqlite3_stmt *report, struct arena *a, struct mail *out);

struct route mail_route(const struct mail *m, const struct own *o);

/* True when the direction s ('c' or 's') has the step word ("DATA", "QUIT", "250"). */
bool mail_has_step(const struct mail *m, char side, const char *word);

/* SIZE= of the MAIL line (RFC 1870); -1 when it was not given. */
int64_t mail_size_param(const struct mail *m);

/*
 * A message exists where the client knew its size or its kind of body (Postfix, Exim, Sendmail, Courier say so). Postfix's probes have a size,
 * too, 200 to 250 bytes: hardly a header that a server would send fits into that. They may ask for DATA, and leave then (smtp_address_verify_target).
 */
bool mail_has_size_of_probe(const struct mail *m);
bool mail_is_announced(const struct mail *m);

#endif
