/*
 * doctor.h - what stands between the tap and a good verdict: findings of "bouncetap doctor", and the parts that look for them.
 *
 * A finding is a word, what it is about, what was found, and what to do about it. What cannot be looked at is a finding, too.
 */
#ifndef ANALYZER_DOCTOR_H
#define ANALYZER_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum doctor_word { DOCTOR_OK, DOCTOR_NOTE, DOCTOR_BAD };	/* bad: verdicts suffer from it */

struct doctor {
	struct doctor_finding {
		enum doctor_word word;
		char *about, *found, *advice;	/* advice NULL: nothing to do */
	} *item;
	size_t count;
};

/* Adds a finding. Texts may hold any bytes; doctor_print escapes them. */
void doctor_say(struct doctor *d, enum doctor_word word, const char *about, const char *found, ...) __attribute__((format(printf, 4, 5)));
/* What to do about the last one. */
void doctor_advise(struct doctor *d, const char *advice, ...) __attribute__((format(printf, 2, 3)));
/* In the order in which they were said: text in 80 columns, or one JSON object a line ("word", "about", "found", "advice"). */
void doctor_print(const struct doctor *d, bool as_json, FILE *out);
void doctor_fini(struct doctor *d);

/*
 * A network interface: its link, MTU, what the card dropped, receive ring, offloads. sysfs: "/sys/class/net", or what a test puts in its place.
 * Needs no rights; what the driver does not tell is left out.
 */
void doctor_look_at_link(struct doctor *d, const char *sysfs, const char *interface);

/* A store: rights, sizes, free disk, the last run, and what its counters of the last seven days say of the tap. now_us: the wall clock. */
void doctor_look_at_store(struct doctor *d, const char *dir, int64_t now_us);

/* "12.3 %" of whole into out; returns out. */
enum { DOCTOR_SHARE_MAX = 16 };
const char *doctor_share(uint64_t part, uint64_t whole, char out[DOCTOR_SHARE_MAX]);

#endif
