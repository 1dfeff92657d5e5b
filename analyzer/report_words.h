/* report_words.h - words and numbers that the printers of a report have in common, so that text and HTML cannot differ. */
#ifndef ANALYZER_REPORT_WORDS_H
#define ANALYZER_REPORT_WORDS_H

#include "analyzer/report.h"

#define WORDS_NUMBER_MAX 32
#define WORDS_PERIOD_MAX 160

const char *words_state(enum report_state s);		/* "BAD" */
const char *words_trend(enum report_trend t);		/* "NEW" */
/* "bounces", "callout", for n of them. */
const char *words_kind(enum kind k, uint64_t n);
const char *words_misdirected(const char *verdict);	/* "probably misdirected" */
const char *words_plural(uint64_t n);			/* "s" or "" */
/* "12 345": groups of three from five digits on; answers out. */
const char *words_count(uint64_t n, char out[WORDS_NUMBER_MAX]);
/* '.' for 0, else '1' to '9' by parts of the most. */
char words_level(uint64_t n, uint64_t most);
/* 0 misdirected, 1 avoidable, 2 answers, 3 all mail. */
uint64_t words_bar(const struct report_bar *b, int which);
/* The title of a server in the report, else its name. */
const char *words_title(const struct report *r, int64_t server_id, const char *name);
struct text words_text(const char *s);
/* "DE AS64500"; "" when it is not known. */
#define WORDS_PLACE_MAX 24
const char *words_place(const struct geo_place *place, char out[WORDS_PLACE_MAX]);
bool words_is_reported(const struct report *r, int64_t server_id);
/* A matter whose answers may be of before the period, as a sentence; NULL when it is of the period. */
const char *words_stale(const struct report_matter *m);
/* Who refused what it passed on, or who wrote it; empty: it answers by itself. */
const char *words_where(const struct report_matter *m);
/* Which clients of ours wrote it; NULL: none did. */
#define WORDS_CLIENT_MAX 120
const char *words_client(const struct report_matter *m, char out[WORDS_CLIENT_MAX]);
/* What stands under "Do this first" when nothing does: a blind sensor proves nothing. */
const char *words_nothing(const struct report *r);
/* "2026-11-21 00:00 to 2026-11-22 00:00", and what was left out; in out. */
const char *words_period(const struct report *r, char out[WORDS_PERIOD_MAX]);
/* What the numbers mean and how the verdicts came about. */
const char *words_method(void);

#endif
