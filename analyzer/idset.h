/* idset.h - a growing set of 64-bit ids, for marking what has to be judged again. 0 is never a member. */
#ifndef ANALYZER_IDSET_H
#define ANALYZER_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idset {
	int64_t *slot;
	size_t cap, count;
};

void idset_add(struct idset *s, int64_t id);
void idset_add_all(struct idset *s, const struct idset *from);
bool idset_has(const struct idset *s, int64_t id);
void idset_fini(struct idset *s);
/* The members in ascending order; the caller frees them. */
int64_t *idset_sorted(const struct idset *s);

#endif
