/* software.h - which program speaks: a mail server by its greeting, the writer of an automated message by the marks in it. */
#ifndef READER_SOFTWARE_H
#define READER_SOFTWARE_H

#include <stdint.h>

#include "common/text.h"
#include "reader/reader.h"

/* A name such as "Postfix", or NULL when nothing tells. banner: the text of the 220 reply; keywords: of the EHLO reply, one a line. */
const char *software_of(struct text banner, struct text ehlo_keywords);

/* By the reply that took a message ("2.0.0 Ok: queued as 4XyZ..."): servers that hide their name in the greeting show it here. */
const char *software_of_acceptance(struct text reply);

/* What an automated message says of itself: columns of facts.db, borrowed; p NULL: not seen. */
struct software_signs {
	struct text message_id;		/* without <> */
	struct text from_header, x_mailer, auto_submitted;
	struct text phrases;		/* ids of data/phrases.def, separated by blanks */
	uint64_t markers;		/* bits of schema/marker.def */
};

/* The program that wrote it: a mail server for bounces, else a responder ("Dovecot Pigeonhole", "OTRS"). NULL when nothing tells. */
const char *software_of_message(const struct software_signs *s);

/* The same for transactions.id of a store, between reader_begin and reader_end; NULL also when its message was not seen. */
const char *software_of_transaction(struct reader *r, int64_t transaction_rowid);

#endif
