/* view_lists.c - screen 4: how each server address stands with each blocklist. See view.h. */
#include <string.h>

#include "common/siphash.h"
#include "tui/view.h"

enum list_column {
	LIST_SERVER, LIST_LIST, LIST_STATUS, LIST_MARGIN, LIST_MAILS, LIST_DOMAINS, LIST_LAST, LIST_EXPIRES, LIST_ANSWER, LIST_ASKED, LIST_ATTEMPTS,
	LIST_FIRST, LIST_ADDRESS, LIST_RAW
};

static const struct column columns[] = {
	[LIST_SERVER] = { "server", "Server", 15, 32, false, "own server", NULL },
	[LIST_LIST] = { "list", "List", 13, 24, false, "blocklist, by its name in lists.d", NULL },
	[LIST_STATUS] = { "status", "Status", 11, 14, false, "what the list would make of what was seen; listed: another server said so", NULL },
	[LIST_MARGIN] = { "margin", "Margin", 6, 8, true, "mails that it may still send; 0 or less: over the threshold", NULL },
	[LIST_MAILS] = { "mails", "Mails", 5, 8, true, "that count within the list's window", NULL },
	[LIST_DOMAINS] = { "domains", "Dom", 4, 6, true, "distinct recipient domains of them", NULL },
	[LIST_LAST] = { "last", "Last", 11, 11, false, "the latest attempt that counts", NULL },
	[LIST_EXPIRES] = { "expires", "Expires", 11, 11, false, "when the list forgets, if nothing follows", NULL },
	[LIST_ANSWER] = { "answer", "Looked up", 9, 12, false, "what the list itself answered to bouncetap check", NULL },
	[LIST_ASKED] = { "asked", "On", 11, 11, false, "when it was asked", NULL },
	[LIST_ATTEMPTS] = { "attempts", "Tries", 5, 8, true, "attempts to deliver those mails", NULL },
	[LIST_FIRST] = { "first", "First", 11, 11, false, "the first attempt that counts", NULL },
	[LIST_ADDRESS] = { "address", "Address", 15, 39, false, "public address of the server", NULL },
	[LIST_RAW] = { "raw_answer", "Raw", 12, 30, false, "the answer's address or error", NULL },
};

static const struct risk_row *row_of(const struct rows *rows, size_t row)
{
	return &((const struct model *)rows->data)->risks.row[row];
}

static struct value margin(const struct risk_row *r)
{
	if (!r->has_margin)
		return (struct value){ .type = VALUE_NONE };
	return (struct value){ .type = VALUE_NUMBER, .style = r->margin <= 0 ? STYLE_BAD : STYLE_PLAIN, .number = r->margin };
}

static void value(const struct rows *rows, size_t row, size_t column, struct value *out)
{
	const struct risk_row *r = row_of(rows, row);

	switch ((enum list_column)column) {
	case LIST_SERVER: *out = rows_word(r->server, STYLE_STRONG); break;
	case LIST_LIST: *out = rows_word(r->list, STYLE_PLAIN); break;
	case LIST_STATUS: *out = view_status(r->status); break;
	case LIST_MARGIN: *out = margin(r); break;
	case LIST_MAILS: *out = rows_number((int64_t)r->mails); break;
	case LIST_DOMAINS: *out = rows_number((int64_t)r->domains); break;
	case LIST_LAST: *out = rows_time(r->last_us); break;
	case LIST_EXPIRES: *out = rows_time(r->expires_us); break;
	case LIST_ANSWER: *out = rows_word(r->answer_state, STYLE_NOTE); break;
	case LIST_ASKED: *out = rows_time(r->answer_us); break;
	case LIST_ATTEMPTS: *out = rows_number((int64_t)r->attempts); break;
	case LIST_FIRST: *out = rows_time(r->first_us); break;
	case LIST_ADDRESS: *out = rows_word(r->address, STYLE_PLAIN); break;
	case LIST_RAW: *out = rows_word(r->answer_raw, STYLE_DIM); break;
	}
}

/* Server, address and list are the key of a risk; hashed, since an identity is a number. */
static uint64_t identity(const struct rows *rows, size_t row)
{
	static const struct siphash_key key = { { 1, 2 } };
	const struct risk_row *r = row_of(rows, row);

	return (uint64_t)r->server_id ^ siphash13(&key, r->address, strlen(r->address)) ^ (siphash13(&key, r->list, strlen(r->list)) << 1);
}

static void detail(const struct rows *rows, size_t row, struct buf *out)
{
	const struct risk_row *r = row_of(rows, row);

	buf_printf(out, "%s on %s:", r->address, r->list);
	for (size_t i = 0; i < r->reason_count; i++) {
		buf_add_str(out, i ? "; " : " ");
		buf_add_text(out, r->reason[i]);
	}
}

struct rows view_lists(const struct model *m)
{
	return (struct rows){ columns, sizeof columns / sizeof *columns, m->risks.count, m, value, identity, detail };
}
