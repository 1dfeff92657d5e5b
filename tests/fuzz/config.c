/* Fuzz target: config_read, and through it ini.c, libinih and config_type.c; what was read must survive a dump and a second reading. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned read_bytes(struct config *c, char *text, size_t size)
{
	static FILE *errors;

	if (!errors)
		errors = fopen("/dev/null", "w");
	FILE *in = size ? fmemopen(text, size, "r") : NULL;
	if (!in || !errors)
		return 1;
	unsigned count = config_read(c, in, "f", errors);
	fclose(in);
	return count;
}

static char *dump(const struct config *c, size_t *size)
{
	char *text;
	FILE *out = open_memstream(&text, size);

	config_dump(c, out);
	fclose(out);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *first = config_new(), *second = config_new();
	char *input = malloc(size + 1);

	for (size_t i = 0; i < size; i++)
		input[i] = (char)data[i];
	if (read_bytes(first, input, size) == 0) {
		size_t n;
		char *text = dump(first, &n);

		if (read_bytes(second, text, n))
			abort();
		free(text);
	}
	free(input);
	config_free(first);
	config_free(second);
	return 0;
}
