/* kind.c - see kind.h */
#include "common/kind.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *word;
	bool answering;
} kinds[KIND_COUNT] = {
#define X(name, word, answering) [KIND_##name] = { word, answering },
	KINDS(X)
#undef X
};

const char *kind_name(enum kind k)
{
	return kinds[k].word;
}

enum kind kind_parse(const char *word)
{
	int k = 0;

	while (k < KIND_COUNT && strcmp(kinds[k].word, word) != 0)
		k++;
	return (enum kind)k;
}

bool kind_is_answering(enum kind k)
{
	return k < KIND_COUNT && kinds[k].answering;
}

const char *provenance_name(enum provenance p)
{
	static const char *const names[] = { NULL, "unknown", "generated", "relayed-own", "forwarded" };

	return names[p];
}
