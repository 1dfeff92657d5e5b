/*
 * provenance.h - where an outbound mail was made: by the server that sends it, by another one of ours, or outside.
 */
#ifndef ANALYZER_PROVENANCE_H
#define ANALYZER_PROVENANCE_H

#include <sqlite3.h>

#include "analyzer/correlate.h"

struct provenances;

/* How soon a server passes on what it took, when the target refuses it at once. */
#define PROVENANCE_PASS_US INT64_C(5000000)

struct provenances *provenances_new(sqlite3 *facts, const struct own *own, struct servers *servers, struct shared *shared);
void provenances_free(struct provenances *p);

/* Of a mail that answers nothing. */
enum provenance provenance_of_mail(struct provenances *p, const struct mail *m);

/* Of the attempts of an answer; sets provenance and originator. by_recipient: a recipient of the cause wrote it. */
void provenance_of_group(struct provenances *p, struct mail_group *g, bool by_recipient);

#endif
