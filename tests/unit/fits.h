/*
 * fits.h - does what is said of a transaction with holes in it agree with what the full view says of one transaction?
 *
 * Each field that is still there must have its like in one and the same record of the full view; doubts, counts and times may differ.
 */
#ifndef TESTS_UNIT_FITS_H
#define TESTS_UNIT_FITS_H

#include "tests/unit/facts.h"

static inline const char *field_value(const struct record *r, const char *key)
{
	for (size_t i = 0; i < r->count; i++)
		if (strcmp(r->field[i].key, key) == 0)
			return r->field[i].value;
	return NULL;
}

static inline bool is_one_of(const char *key, const char *const *words)
{
	while (*words && strcmp(key, *words) != 0)
		words++;
	return *words != NULL;
}

/* "250 ..." or "-" against the reply of the full view: the code, or not seen. */
static inline bool reply_fits(const char *holed, const char *full)
{
	return holed[0] == '-' || strncmp(holed, full, 3) == 0;
}

/* Whether the server said that code somewhere in the transaction. */
static inline bool step_was_seen(const struct record *full, const char *code)
{
	const char *steps = field_value(full, "steps");
	char word[] = { '<', code[0], code[1], code[2], '\0' };

	return steps && strstr(steps, word);
}

/* "<address> 250 ok" of RCPT; with LMTP the full view has the reply after the data in its place. */
static inline bool rcpt_fits(const char *holed, const struct field *f, const struct record *full)
{
	const char *reply = strstr(holed, "> ");
	size_t n = reply ? (size_t)(reply + 2 - holed) : 0;

	if (n == 0 || strncmp(holed, f->value, n) != 0)
		return false;
	if (field_value(full, "rcpt_count"))	/* not all of them are kept */
		return true;
	return reply_fits(holed + n, f->value + n) || (field_value(full, "lmtp") && step_was_seen(full, holed + n));
}

static inline bool value_fits(const char *key, const char *holed, const struct field *f, const struct record *full)
{
	static const char *const replies[] = { "mail_reply", "reply", "banner", "refusal", NULL };

	if (strcmp(holed, f->value) == 0)
		return true;
	if (is_one_of(key, replies))
		return reply_fits(holed, f->value);
	return strcmp(key, "rcpt") == 0 && rcpt_fits(holed, f, full);
}

static inline bool field_fits(const struct field *f, const struct record *holed, const struct record *full)
{
	/* what a hole may well change: counts, doubts, times, the order of steps, which EHLO was the last */
	static const char *const free_keys[] = { "transaction", "helo", "size", "bytes_seen", "rcpt_accepted", "rcpt_count", "steps", "steps.us",
		"us", "notes", "message_notes", "complete", "headers_complete", "report.recipient_total", NULL };

	if (is_one_of(f->key, free_keys) || strcmp(f->value, "unknown") == 0)
		return true;
	for (size_t i = 0; i < full->count; i++)
		if (strcmp(full->field[i].key, f->key) == 0 && value_fits(f->key, f->value, &full->field[i], full))
			return true;
	/* without the replies nobody can tell a nested MAIL from the one that counts */
	if (strcmp(f->key, "mail_from") == 0 && strcmp(field_value(holed, "outcome"), "unknown") == 0)
		return field_value(full, "notes") && strstr(field_value(full, "notes"), "nested-mail");
	/* the last reply that is left of a transaction with unknown outcome need not be the one that decided it */
	return strcmp(f->key, "reply") == 0 && strcmp(field_value(holed, "outcome"), "unknown") == 0 && step_was_seen(full, f->value);
}

/* The first field of holed that full does not say, or NULL. */
static inline const struct field *first_misfit(const struct record *holed, const struct record *full)
{
	for (size_t i = 0; i < holed->count; i++)
		if (!field_fits(&holed->field[i], holed, full))
			return &holed->field[i];
	return NULL;
}

#endif
