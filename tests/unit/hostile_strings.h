/* hostile_strings.h - the texts of tests/hostile_strings, for tests of what is shown. Tests run in the top of the tree. */
#ifndef TESTS_HOSTILE_STRINGS_H
#define TESTS_HOSTILE_STRINGS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"

static void hostile_unescape(const char *p, struct buf *out)
{
	while (*p) {
		unsigned byte;

		if (p[0] == '\\' && p[1] == 'x' && sscanf(p + 2, "%2x", &byte) == 1) {
			buf_add_char(out, (char)byte);
			p += 4;
		} else {
			p += *p == '\\';
			buf_add_char(out, *p++);
		}
	}
}

/* Calls use for each; answers how many there were. */
static int hostile_strings(void (*use)(struct text t, void *context), void *context)
{
	FILE *in = fopen("tests/hostile_strings", "r");
	char *line = NULL;
	size_t size = 0;
	int count = 0;

	while (in && getline(&line, &size, in) > 0) {
		struct buf once = { 0 }, all = { 0 };
		const char *star;
		long times = 1;
		char *text = line;

		text[strcspn(text, "\n")] = '\0';
		if (*text == '#')
			continue;
		star = strstr(text, "* ");
		if (star && star > text && strspn(text, "0123456789") == (size_t)(star - text)) {
			times = strtol(text, NULL, 10);
			text += star - text + 2;
		}
		hostile_unescape(text, &once);
		buf_cstr(&all);		/* empty, not missing */
		while (times-- > 0)
			buf_add(&all, once.p, once.len);
		use((struct text){ all.p, (uint32_t)all.len }, context);
		count++;
		buf_fini(&once);
		buf_fini(&all);
	}
	free(line);
	if (in)
		fclose(in);
	return count;
}

#endif
