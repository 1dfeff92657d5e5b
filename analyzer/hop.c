/* hop.c - see hop.h */
#include "analyzer/hop.h"

#include <string.h>

enum { FROM_HOST, FROM_IP, BY_HOST, WITH, QUEUE_ID, FIELDS };

static void skip(struct text *t, uint32_t n)
{
	t->p += n;
	t->len -= n;
}

/* A string or null, and the comma behind it. */
static bool next_field(struct text *t, struct text *out)
{
	*out = (struct text){ 0 };
	if (t->len >= 4 && memcmp(t->p, "null", 4) == 0)
		skip(t, 4);
	else if (t->len && *t->p == '"') {
		uint32_t n = 1;

		while (n < t->len && t->p[n] != '"')
			n += t->p[n] == '\\' ? 2 : 1;
		if (n >= t->len)
			return false;
		*out = (struct text){ t->p + 1, n - 1 };
		skip(t, n + 1);
	} else
		return false;
	if (t->len && *t->p == ',')
		skip(t, 1);
	return true;
}

bool hop_next(struct text *lines, struct hop *out)
{
	struct text field[FIELDS];
	struct text t = *lines;

	if (!t.p)
		return false;
	while (t.len && (*t.p == '[' || *t.p == ']' || *t.p == ','))
		skip(&t, 1);
	for (int i = 0; i < FIELDS; i++)
		if (!next_field(&t, &field[i]))
			return false;
	*out = (struct hop){ field[FROM_HOST], field[FROM_IP], field[BY_HOST], field[WITH] };
	*lines = t;
	return true;
}
