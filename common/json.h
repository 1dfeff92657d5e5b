/*
 * json.h - writing JSON (RFC 8259) into a buf: one object a line, commas and escaping done here and nowhere else.
 *
 * Keys are our own literals. Texts may hold any bytes: invalid UTF-8 becomes U+FFFD (one per maximal subpart, as the Unicode standard
 * recommends, 3.9), control characters are escaped.
 */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

struct json {
	struct buf *out;
	bool comma;		/* the next item needs one in front */
};

void json_begin(struct json *j, struct buf *out);
/* key NULL inside arrays and at the top. */
void json_object(struct json *j, const char *key);
void json_object_end(struct json *j);
void json_array(struct json *j, const char *key);
void json_array_end(struct json *j);
void json_text(struct json *j, const char *key, struct text t);		/* p == NULL: null */
void json_string(struct json *j, const char *key, const char *s);	/* NULL: null */
void json_int(struct json *j, const char *key, int64_t v);
void json_number(struct json *j, const char *key, const char *text);	/* as it is: a number in JSON's form */
void json_bool(struct json *j, const char *key, bool v);
void json_null(struct json *j, const char *key);

#endif
