/*
 * header.h - pieces of RFC 5322 and RFC 2045 header fields: lines of a header block, unfolding, parameters, addresses, ids.
 *
 * Pure; texts that come back are borrowed from the argument unless a buffer is given. Lenient: odd input gives a best guess or NULL.
 */
#ifndef SENSOR_HEADER_H
#define SENSOR_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/text.h"

/* What a line is inside a header block: the rules of Python's email.feedparser, which takes what mail programs take. */
enum header_line {
	HEADER_BLANK,	/* ends the block */
	HEADER_FIELD,	/* "Name: value" */
	HEADER_FOLD,	/* goes on with the field before; ignored when there is none */
	HEADER_SKIP,	/* "From user date" of a mailbox file, or a field without a name: ends the field before, else ignored */
	HEADER_OTHER	/* no header line: the block ends, this line is the body's */
};
enum header_line header_line_kind(struct text line);

/* One field while its lines come in, cut at LIMIT_HEADER_LINE. Zeroed is ready for use; begin, then fold for each further line. */
struct header_field {
	struct text text;	/* the unfolded field so far; borrowed from the line while there is one line only */
	char *buf;
	uint32_t cap;
	bool open;		/* there is one */
};
void header_field_begin(struct header_field *f, struct text line);
void header_field_fold(struct header_field *f, struct text line);
/* Copies what is borrowed: to be called before the bytes of the line go away. */
void header_field_hold(struct header_field *f);
void header_field_fini(struct header_field *f);

/* "Name: value" -> both, value trimmed. Without a colon all of it is the name and the value is NULL. */
void header_split(struct text field, struct text *name, struct text *value);

/* A copy in the arena of at most max bytes; *notes gets NOTE_TRUNCATED when it was cut. */
struct text header_keep(struct arena *a, struct text value, size_t max, uint32_t *notes);

/* "Text/Plain; charset=x" -> "Text/Plain". */
struct text header_media_type(struct text value);

/* The parameter of a Content-Type-like value, unquoted into out[size]; NULL when it is absent or longer. */
struct text header_param(struct text value, const char *name, char *out, size_t size);

/* The value of "tag=" in a list separated by ";" (DKIM-Signature, RFC 6376 3.2), blanks at its ends removed. */
struct text header_tag(struct text value, const char *tag);

/*
 * The first address of From, To, Reply-To and their like, without <>, display name, comment, group name and source route. "<>" gives an empty
 * text; a word without "@" is taken when there is nothing better; NULL when there is nothing.
 */
struct text header_first_address(struct text value);

/* The first msg-id of In-Reply-To or References, without <>; else the first word with an "@"; else NULL. */
struct text header_first_id(struct text value);
/* The last one, for References. */
struct text header_last_id(struct text value);

/* What stands in the first <> when the value begins with one, else the value, trimmed. */
struct text header_strip_angle(struct text value);

/* Authentication-Results, RFC 8601: the authserv-id (NULL when it is missing, as old Exchange writes it), and the result word of a method:
 * "pass" when one of several results says so, else the first one. */
struct text header_auth_server(struct text value);
struct text header_auth_result(struct text value, const char *method);

/* RFC 2047 encoded words decoded into out[size], their bytes as they are in whatever charset; the rest copied. What does not fit is cut. */
struct text header_decode_words(struct text value, char *out, size_t size);

#endif
