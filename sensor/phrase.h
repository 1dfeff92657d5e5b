/*
 * phrase.h - which sentences of data/phrases.def a subject or a text holds.
 *
 * ASCII case is folded, a run of blanks and line breaks is one blank, and Latin letters lose their accents whether they are UTF-8 or
 * ISO 8859-1, so that one phrase fits all ways to write it. Linear in the bytes: phrases are tried only at the start of a word, and only those
 * with its first three letters. Knows nothing of MIME; message.c decides what is searched.
 */
#ifndef SENSOR_PHRASE_H
#define SENSOR_PHRASE_H

#include <stdint.h>

#include "common/text.h"

enum phrase_class { PHRASE_BOUNCE, PHRASE_NONDELIVERY, PHRASE_DELAY, PHRASE_SUCCESS, PHRASE_AUTOREPLY, PHRASE_ABSENCE, PHRASE_CHALLENGE,
	PHRASE_CONTENT_NOTICE, PHRASE_ALERT, PHRASE_LIST_NOTICE, PHRASE_TICKET, PHRASE_RECEIPT, PHRASE_FEEDBACK, PHRASE_SENT, PHRASE_STATUS, PHRASE_HINT, PHRASE_SEPARATOR };

#define PHRASE_MAX 96		/* longest phrase; a test holds the table to it */
#define PHRASE_WINDOW 1024	/* folded text searched at a time */

/* The ids found, in the order of first match; room for max of them, each once. */
struct phrase_list {
	uint16_t *id;
	uint8_t *count;
	uint8_t max;
};

void phrase_list_add(struct phrase_list list, uint16_t id);

/* One text while its pieces come in; phrase_init before anything else. */
struct phrase_search {
	struct phrase_list found;
	uint16_t len, searched;		/* of window */
	char window[PHRASE_WINDOW];
};

/* The class of an id of the set. */
enum phrase_class phrase_class(uint16_t id);

/* The version of the set, for the store. */
int phrase_version(void);

/* The phrases that the subject begins with, with and without a [tag] in front. Unfolded; RFC 2047 words are decoded here. */
void phrase_search_subject(struct text subject, struct phrase_list found);

void phrase_init(struct phrase_search *s, struct phrase_list found);
/* A piece of the text, line breaks included. */
void phrase_push(struct phrase_search *s, struct text piece);
/* The end of the text, or a hole in it: nothing matches across. */
void phrase_flush(struct phrase_search *s);

/* The id of the SEPARATOR phrase that the line is, 0 when it is none. Only after a phrase_init. */
uint16_t phrase_separator(struct text line);

#endif
