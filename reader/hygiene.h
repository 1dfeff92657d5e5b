/* hygiene.h - defects of own servers that were seen beside the findings: what, how often, since when, and an example. */
#ifndef READER_HYGIENE_H
#define READER_HYGIENE_H

#include <stddef.h>
#include <stdint.h>

#include "reader/reader.h"

struct hygiene_row {
	int64_t server_id;
	const char *server;
	const char *what;		/* a word of the view hygiene in schema/verdicts.sql */
	uint64_t cases, of;		/* of so many occasions */
	int64_t first_us, last_us;
	const char *evidence;		/* transaction_id, or session_id for auth-clear and no-starttls; "" when it is gone */
};

struct hygiene_list {
	struct arena arena;
	struct hygiene_row *row;	/* by server and word */
	size_t count;
};

/* server_id 0: all servers. 0, or -1 with reader_message; to be freed either way. */
int hygiene_list_read(struct reader *r, int64_t server_id, struct hygiene_list *out);
void hygiene_list_fini(struct hygiene_list *l);

/* A sentence without its subject: "took mail for unknown users and bounced it"; the word itself when it is not known. */
const char *hygiene_words(const char *what);

#endif
