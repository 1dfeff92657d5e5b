/* generate_smtp.h - SMTP sessions as mail servers hold them, and the line of truth about each of their mails. */
#ifndef TESTS_BENCH_GENERATE_SMTP_H
#define TESTS_BENCH_GENERATE_SMTP_H

#include "tests/bench/generate_session.h"

extern const char *const mail_kind_names[KIND_COUNT];

void truth_begin(FILE *truth);

/* answer: the bounce or autoreply to be sent; NULL: whatever the mix gives. */
struct session *smtp_session(struct generator *g, uint64_t time_us, const struct follow_up *answer);

#endif
