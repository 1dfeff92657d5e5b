/* software.h - which mail server software speaks, by banner and EHLO keywords (domain.md 4.2). */
#ifndef ANALYZER_SOFTWARE_H
#define ANALYZER_SOFTWARE_H

#include "common/text.h"

/* A name such as "Postfix", or NULL when nothing tells. */
const char *software_of(struct text banner, struct text ehlo_keywords);

#endif
