/*
 * finding.h - findings as rows: all that the event "finding" says, the cause and the root cause resolved. Newest first, in pages.
 */
#ifndef READER_FINDING_H
#define READER_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/kind.h"
#include "reader/geo.h"
#include "reader/reader.h"

struct finding_reason {
	const char *rule, *sign, *strength;
	struct text text;
};

/* Words are NUL-terminated, "" where the store has none; texts from the wire are struct text, NULL where there is none. */
struct finding_row {
	int64_t id;			/* finding.id: the identity for paging and selections */
	const char *finding_id;
	int64_t server_id;
	const char *server, *address, *public_address;
	enum kind kind;
	const char *kind_rule;		/* that told it (analyzer/rules.def); "": none */
	const char *misdirected, *exposure, *tier;
	const char *sender;		/* null, postmaster, daemon, double-bounce, other */
	struct text recipient, recipient_domain;
	const char *dest_ip;		/* who it was handed to, first attempt */
	struct geo_place dest_place, origin_place;	/* of dest_ip and origin_ip, empty where no database tells */
	uint32_t attempts;
	int64_t first_us, last_us;
	int revision;
	bool settled;
	const char *originator, *originator_how;	/* "" : not told */
	const char *cause_class;
	int64_t cause_rowid;		/* transactions.id, 0: the cause was not seen; the fields below are then not set, but origin_ip may be */
	const char *cause_transaction_id, *cause_matched_by;
	struct text cause_mail_from, cause_recipient, cause_message_id;
	uint32_t cause_recipients;	/* how many it had */
	int64_t cause_us, cause_delay_ms;
	const char *origin_ip;
	int64_t root_rowid;		/* 0: not told */
	const char *root_transaction_id;
	int root_code;
	struct text root_enhanced, root_reply;
	struct finding_reason *reason;
	size_t reason_count;
	const char *acked_why;		/* notes.ack of this finding that holds at now; NULL: none */
};

enum { FINDING_YES = 1, FINDING_LIKELY = 2, FINDING_UNKNOWN = 4, FINDING_NO = 8 };

struct finding_filter {
	int64_t now_us;			/* for acked_why */
	int64_t server_id;		/* 0: all */
	unsigned kinds;			/* bits 1 << enum kind; 0: all */
	unsigned misdirected;		/* bits FINDING_YES...; 0: all */
	const char *exposure;		/* NULL: all */
	const char *domain;		/* recipient's domain or one it lies in; NULL: all */
	const char *text;		/* in recipient, id, origin address, root cause's reply, cause class; ASCII case folded; NULL: all */
	int64_t since_us, until_us;	/* by last attempt; 0: no end */
};

/* Where a page begins. { 0 } is the newest. */
struct finding_place {
	int64_t last_us, id;
};

struct finding_page {
	struct arena arena;
	struct finding_row *row;
	size_t count;
	struct finding_place next;	/* begin the next page here */
	bool more;			/* there may be more: also set when only the rows of one page's effort were looked at */
};

#define FINDING_PAGE_MAX 1000
/* Rows looked at for one page: a filter that matches little answers an unfinished page in place of a late one. */
#define FINDING_LOOKED_AT_MAX 20000

/* At most limit rows older than place. 0, or -1 with reader_message; *out is to be freed either way. */
int finding_page_read(struct reader *r, const struct finding_filter *filter, struct finding_place place, size_t limit, struct finding_page *out);
void finding_page_fini(struct finding_page *p);

/* The one with this rowid, as a page of one row or none. */
int finding_read(struct reader *r, int64_t id, int64_t now_us, struct finding_page *out);

/* How many there are, up to max, without their rows: for "n of m". */
int finding_count(struct reader *r, const struct finding_filter *filter, uint64_t max, uint64_t *out);

/*
 * finding.id of a finding_id, of an alias (an id it had before an earlier attempt was found), or of an unambiguous beginning of either of at
 * least 4 characters. Answers how many findings match, counted up to 2, and the first of them; -1 with reader_message.
 */
int finding_resolve(struct reader *r, const char *text, int64_t *id);

#endif
