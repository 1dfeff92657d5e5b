/*
 * origin_sender.h - for whose domains an origin outside sends: MAIL FROM domains (registrable) of what came in from it. Many that are unrelated are a
 * ground against it (judge.h), also for what it sent earlier.
 */
#ifndef ANALYZER_ORIGIN_SENDER_H
#define ANALYZER_ORIGIN_SENDER_H

#include <stdbool.h>
#include <sqlite3.h>

#include "analyzer/mail.h"
#include "analyzer/marks.h"
#include "analyzer/own.h"

struct origin_senders;

struct origin_senders *origin_senders_new(sqlite3 *verdicts, const struct own *own);
void origin_senders_free(struct origin_senders *o);

/*
 * One more mail of this origin; version 0: it is not known, nothing to do. client: of ours, which writes in our domains, rightly. When it is one domain
 * more than the rules leave unsaid, findings about earlier mail of it are marked.
 */
void origin_senders_note(struct origin_senders *o, const struct mail *m, const struct ip_addr *origin, bool client, struct marks *marks);

#endif
