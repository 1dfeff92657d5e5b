/* marks.c - see marks.h */
#include "analyzer/marks.h"

#include <stdlib.h>

#include "common/xmalloc.h"

static void add(struct marks *m, struct mark x)
{
	if (!x.recipient_id)
		return;
	if (m->count == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 64;
		m->item = xreallocarray(m->item, m->cap, sizeof *m->item);
	}
	m->item[m->count++] = x;
}

void marks_since(struct marks *m, int64_t recipient_id, int64_t since_us)
{
	add(m, (struct mark){ recipient_id, 0, since_us });
}

void marks_finding(struct marks *m, int64_t recipient_id, int64_t finding_rowid)
{
	add(m, (struct mark){ recipient_id, finding_rowid, INT64_MAX });
}

static int compare_numbers(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare(const void *x, const void *y)
{
	const struct mark *a = x, *b = y;
	int c = compare_numbers(a->recipient_id, b->recipient_id);

	c = c ? c : compare_numbers(a->finding_rowid, b->finding_rowid);
	return c ? c : compare_numbers(a->since_us, b->since_us);
}

void marks_unite(struct marks *m)
{
	size_t n = 0;

	if (m->count)
		qsort(m->item, m->count, sizeof *m->item, compare);
	for (size_t i = 0; i < m->count; i++)
		if (!n || m->item[n - 1].recipient_id != m->item[i].recipient_id || m->item[n - 1].finding_rowid != m->item[i].finding_rowid)
			m->item[n++] = m->item[i];
	m->count = n;
}

void marks_fini(struct marks *m)
{
	free(m->item);
	*m = (struct marks){ 0 };
}
