/*
 * provisional.h - what sessions that a longer sighting may still replace have added to the sums of rollup.h and hygiene.h.
 *
 * The sensor deletes a session that the end of a capture cut off, and mails of it, when a longer capture tells more (sensor/insert.c). What they
 * added stands row by row in verdicts.provisional, until their session is known to have ended otherwise; so it can be taken back.
 *
 *   take:  provisional_session | provisional_mail, then what adds to sums, which says so here, then provisional_end
 *
 * First and last time and example of a defect are not taken back as long as other cases are left: the longer sighting shows nearly always the same.
 */
#ifndef ANALYZER_PROVISIONAL_H
#define ANALYZER_PROVISIONAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>

#include "analyzer/mail.h"

struct provisional;

/* Sums of hours before closed_before_us stay as they are (past.h). */
struct provisional *provisional_new(sqlite3 *facts, sqlite3 *verdicts, int64_t closed_before_us);
void provisional_free(struct provisional *p);

struct provisional_session {
	uint8_t session_id[16];
	int64_t rowid, started_us;
	bool cut_off;		/* by the end of a capture */
};

/* Of the row that is being taken: takes back what an earlier one of the same id added that is gone, with the verdicts on it. */
void provisional_session(struct provisional *p, const struct provisional_session *s);
void provisional_mail(struct provisional *p, const struct mail *m);
void provisional_end(struct provisional *p);

/* The row that is being taken adds this. sum: as in own_coverage and own_mail_hour; of a defect: occasions, cases. */
enum { PROVISIONAL_SUMS = 4 };
void provisional_note(struct provisional *p, const char *what, int64_t server_id, const char *direction, int64_t at_us, const int64_t sum[PROVISIONAL_SUMS]);

#endif
