/* options.h - the command line of bouncetapd. */
#ifndef SENSOR_OPTIONS_H
#define SENSOR_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/config.h"

struct options {
	struct config *config;		/* with what the command line says put in */
	const char **files;		/* -r; point into argv */
	size_t file_count;
	char *filter;			/* the words behind the options, NULL: none; [capture] filter is config's */
	double speed;			/* of a replay, times the recorded pace; 0: as fast as it goes */
	bool temporary;			/* the store is thrown away afterwards */
	bool check_config, dump_config, list_interfaces, print_filter, progress;
};

/* 0: go on; -1: done, exit 0; else an exit code of sysexits, what is wrong was said. *o is to be freed in any case. */
int options_parse(struct options *o, int argc, char **argv);

void options_free(struct options *o);

#endif
