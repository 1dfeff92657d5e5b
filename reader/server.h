/*
 * server.h - own servers, one row each: what it is, what it sent, how it stands. For the list of bouncetop, the report and "bouncetap servers".
 *
 * Counts are findings (answers to outsiders) by the hour of their first attempt, from rollups: a list costs the same for a day and a year.
 */
#ifndef READER_SERVER_H
#define READER_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/kind.h"
#include "reader/reader.h"

#define SERVER_ADDRESSES_MAX 16
#define SERVER_HOURS 24

struct server_counts {
	uint64_t kind[KIND_COUNT];	/* findings of this kind */
	uint64_t findings;		/* of all kinds */
	uint64_t attempts;
	uint64_t yes, likely, unknown, no;	/* misdirected */
	uint64_t can_backscatter;	/* exposure */
	uint64_t mails_in, mails_out;	/* transactions of any kind from and to outside */
};

struct server_row {
	int64_t id;
	const char *name;		/* [server NAME], else the address */
	const char *address;		/* the (first) one on the wire */
	const char *public_address;	/* what the world and the lists see */
	const char *addresses[SERVER_ADDRESSES_MAX];	/* public ones that something left from or that have a status, public_address first */
	size_t address_count;
	const char *owner, *role;	/* of the configuration; NULL: not said */
	const char *software;		/* NULL: not recognised */
	bool sends_only;
	struct server_counts hour, today, range;	/* the hour of now, since local midnight, in query.since_us..until_us */
	uint32_t domains;		/* distinct domains that a list would count, the greatest of its lists; within the list's window */
	uint32_t by_hour[SERVER_HOURS];	/* misdirected yes or likely; [SERVER_HOURS - 1] is the hour of now */
	int64_t last_us;		/* the latest answer that was not "no": from it days clean are counted; 0: none. Exact within a list's
					   window, else the start of its hour */
	int days_clean;			/* whole days since, -1: never one */
	uint64_t sessions_out, encrypted_out;	/* in the range, of them hidden by TLS */
	uint64_t sessions_in, encrypted_in;
	const char *worst_status;	/* of its addresses and lists: listed would-list watch listed-instead not-covered clean; NULL: no list */
	const char *worst_list;		/* id of lists.d; NULL as above */
	const char *acked_why;		/* notes.ack of this server that holds at now; NULL: none */
};

struct server_query {
	int64_t now_us;
	int64_t since_us, until_us;	/* the range; until_us 0: now */
	const struct config *config;	/* owner and role; NULL: none */
};

struct server_list {
	struct arena arena;
	struct server_row *row;		/* worst first: status, misdirected in the range, exposure, name */
	size_t count;
};

/* 0, or -1 with reader_message; *out is valid (perhaps empty) and to be freed either way. */
int server_list_read(struct reader *r, const struct server_query *query, struct server_list *out);
void server_list_fini(struct server_list *l);

/* 5 listed ... 0 clean, -1 for NULL: how bad a status is. */
int server_status_rank(const char *status);

#endif
