/* wrap.h - text for people in lines of 80 columns, broken at blanks. */
#ifndef COMMON_WRAP_H
#define COMMON_WRAP_H

#include <stdio.h>

enum { WRAP_WIDTH = 80 };

/*
 * Prints text and a line break, the cursor being in column at; further lines begin with indent blanks. A word that is longer than a line stays
 * whole, so that links and addresses can be copied. Columns are characters.
 */
void wrap_print(FILE *out, const char *text, unsigned at, unsigned indent);

#endif
