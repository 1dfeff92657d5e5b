/* risk.h - how each server address stands with each list, as analyze computed it for reader_span.now_us. */
#ifndef READER_RISK_H
#define READER_RISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader/reader.h"

struct risk_row {
	int64_t server_id;
	const char *server, *address, *list, *status;
	uint64_t mails, attempts, domains;
	int64_t first_us, last_us, expires_us;	/* 0: none */
	int64_t margin;
	bool has_margin;		/* false: the list does not cover this address */
	struct text *reason;
	size_t reason_count;
	/* The latest lookup by "bouncetap check"; NULL state: never asked */
	const char *answer_state, *answer_raw;
	int64_t answer_us;
};

struct risk_list {
	struct arena arena;
	struct risk_row *row;		/* worst status first, then server, address, list */
	size_t count;
};

/* server_id 0: all servers. 0, or -1 with reader_message; to be freed either way. */
int risk_list_read(struct reader *r, int64_t server_id, struct risk_list *out);
void risk_list_fini(struct risk_list *l);

/* Refusals that named a blocklist, newest first. */
struct refusal_row {
	int64_t rowid;
	const char *refusal_id, *server, *address, *list, *remote_ip;	/* list "": not in lists.d */
	struct text zone, reply;
	int code;
	int64_t at_us;
};

struct refusal_list {
	struct arena arena;
	struct refusal_row *row;
	size_t count;
};

/* At most limit of those since since_us. */
int refusal_list_read(struct reader *r, int64_t since_us, size_t limit, struct refusal_list *out);
void refusal_list_fini(struct refusal_list *l);

#endif
