/* idset.c - see idset.h. Open addressing; ids are hashes already (address.id) or counters, so one multiplication spreads them. */
#include "analyzer/idset.h"

#include <stdlib.h>

#include "common/xmalloc.h"

static size_t position(const struct idset *s, int64_t id)
{
	size_t i = (size_t)(((uint64_t)id * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (s->cap - 1);

	while (s->slot[i] && s->slot[i] != id)
		i = (i + 1) & (s->cap - 1);
	return i;
}

static void grow(struct idset *s)
{
	struct idset bigger = { xcalloc(s->cap ? s->cap * 2 : 64, sizeof *s->slot), s->cap ? s->cap * 2 : 64, s->count };

	for (size_t i = 0; i < s->cap; i++)
		if (s->slot[i])
			bigger.slot[position(&bigger, s->slot[i])] = s->slot[i];
	free(s->slot);
	*s = bigger;
}

void idset_add(struct idset *s, int64_t id)
{
	if (id == 0)
		return;
	if (s->count * 2 >= s->cap)
		grow(s);
	size_t i = position(s, id);
	s->count += s->slot[i] == 0;
	s->slot[i] = id;
}

void idset_add_all(struct idset *s, const struct idset *from)
{
	for (size_t i = 0; i < from->cap; i++)
		idset_add(s, from->slot[i]);
}

bool idset_has(const struct idset *s, int64_t id)
{
	return s->count && s->slot[position(s, id)] == id;
}

void idset_fini(struct idset *s)
{
	free(s->slot);
	*s = (struct idset){ 0 };
}

static int compare(const void *x, const void *y)
{
	const int64_t *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

int64_t *idset_sorted(const struct idset *s)
{
	int64_t *list = xreallocarray(NULL, s->count + 1, sizeof *list);
	size_t n = 0;

	for (size_t i = 0; i < s->cap; i++)
		if (s->slot[i])
			list[n++] = s->slot[i];
	qsort(list, n, sizeof *list, compare);
	return list;
}
