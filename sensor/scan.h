/* scan.h - the one search that every byte of every mail body goes through. */
#ifndef SENSOR_SCAN_H
#define SENSOR_SCAN_H

#include <stddef.h>

/* Position of the LF of the first "\n." in p[0..n), or NULL. Reads nothing outside. */
const char *scan_newline_dot(const char *p, size_t n);

#endif
