/* generate_other.h - what else passes a tap: HTTP, TLS, DNS, and TCP flows that say little or nothing. */
#ifndef TESTS_BENCH_GENERATE_OTHER_H
#define TESTS_BENCH_GENERATE_OTHER_H

#include "tests/bench/generate_session.h"

struct session *background_session(struct generator *g, uint64_t time_us);

/* A flow of the memory workload: a lone SYN, an idle connection, or a short one. */
struct session *flow_session(struct generator *g, uint64_t time_us);

#endif
