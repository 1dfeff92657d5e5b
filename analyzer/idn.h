/*
 * idn.h - internationalized domains in the form that DNS and host names have (RFC 5890: "xn--..."). SMTPUTF8 (RFC 6531) writes them as they are,
 * and the same domain stands in EHLO and in the configuration in the other form.
 */
#ifndef ANALYZER_IDN_H
#define ANALYZER_IDN_H

#include "common/text.h"

enum { IDN_MAX = 256 };

/* The domain itself where it is ASCII, or no domain that can be converted; else in out. */
struct text idn_ascii(struct text domain, char out[IDN_MAX]);

#endif
