/* evidence.h - a finding with its ladder and its rules, as text for people and as JSON: what "why" and "explain" show. */
#ifndef ANALYZER_EVIDENCE_H
#define ANALYZER_EVIDENCE_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/json.h"
#include "reader/finding.h"
#include "reader/ladder.h"

/* "probably misdirected" and its like for yes, likely, no, unknown. */
const char *evidence_misdirected(const char *word);

/* "bounce to x@y.example, probably misdirected; cause: user-unknown; 2 attempts" */
void evidence_headline(struct buf *out, const struct finding_row *f);

/* " (DE, AS64500 Example Network)", nothing when it is not known. */
void evidence_place(struct buf *out, const struct geo_place *place);

/* Who stands in which lane, then each command and reply with its time after the first one. */
void evidence_ladder(struct buf *out, const struct ladder *l, unsigned indent);

/* The rules that fired, those that were silent and why. */
void evidence_rules(struct buf *out, const struct finding_row *f, unsigned indent);

/* The object's members for the event "finding", as far as they are about it alone, then "ladder" and "silent". */
void evidence_json(struct json *j, const struct finding_row *f, const struct ladder *l);

#endif
