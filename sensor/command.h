/* command.h - a command line of the client -> verb and arguments. Pure; RFC 5321 4.1.1, 3030, 3207, 4954, 2033. */
#ifndef SENSOR_COMMAND_H
#define SENSOR_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "common/text.h"

enum verb {
	VERB_UNKNOWN, VERB_HELO, VERB_EHLO, VERB_LHLO, VERB_MAIL, VERB_RCPT, VERB_DATA, VERB_BDAT, VERB_RSET, VERB_QUIT, VERB_NOOP,
	VERB_VRFY, VERB_EXPN, VERB_HELP, VERB_ETRN, VERB_TURN, VERB_AUTH, VERB_STARTTLS, VERB_XANONYMOUSTLS, VERB_XCLIENT,
	VERB_XFORWARD,
	VERB_AUTH_LINE,		/* a line of an AUTH exchange: never looked at, never kept */
	VERB_DATA_END,		/* the end of the data */
	VERB_HOLE,		/* commands or replies that were not captured */
	VERB_TLS,		/* the first record of TLS */
};

struct command {
	enum verb verb;
	struct text argument;	/* rest of the line, trimmed; empty when there is none */
};

/* line is without its line end. Verbs match in any case; "MAIL FROM" needs its colon in the argument to count as MAIL. */
struct command command_parse(struct text line);

/* The word for a step: the verb in upper case, "?" for unknown ones (they may be credentials), "." for the end of the data, "TLS". */
const char *command_verb_name(enum verb v);

/* True when a client has to wait for the reply before it may send more (RFC 2920 3.1). */
bool command_ends_group(enum verb v);

struct path {
	struct text address;	/* without <> and source route; empty for <> */
	struct text params;	/* the rest, trimmed */
};

/* "FROM:<a@b> SIZE=1" with word "FROM:" (or "TO:"). False when the word is missing. Also takes "FROM: <a>" and "FROM:a". */
bool command_path(struct text argument, const char *word, struct path *out);

/* Value of KEY in "SIZE=1 RET=HDRS BODY=8BITMIME", key with its "="; NULL text when not there. */
struct text command_param(struct text params, const char *key);

/* "1234 LAST" of BDAT (RFC 3030). False when there is no number. */
bool command_bdat(struct text argument, uint64_t *size, bool *last);

#endif
