/* view_servers.c - screen 1: own servers, one row each. See view.h. */
#include <inttypes.h>
#include <string.h>

#include "common/timefmt.h"
#include "tui/view.h"

enum server_column {
	SERVER_NAME, SERVER_STATUS, SERVER_BOUNCES, SERVER_AUTOREPLIES, SERVER_CALLOUTS, SERVER_OTHER, SERVER_MISDIRECTED, SERVER_EXPOSURE, SERVER_DOMAINS,
	SERVER_CLEAN, SERVER_SPARK, SERVER_ENCRYPTED, SERVER_SOFTWARE, SERVER_LIST, SERVER_IN, SERVER_OUT, SERVER_PUBLIC, SERVER_ROLE, SERVER_OWNER,
	SERVER_LAST, SERVER_ACK
};

static const struct column columns[] = {
	[SERVER_NAME] = { "server", "Server", 15, 32, false, "name of the configuration, else the address", NULL },
	[SERVER_STATUS] = { "status", "Status", 11, 14, false, "worst of its lists: listed, would-list, watch, listed-instead, not-covered, clean", NULL },
	[SERVER_BOUNCES] = { "bounces_hour", "Bounce", 7, 11, true, "bounces to outsiders, this hour / today", "bounces_today" },
	[SERVER_AUTOREPLIES] = { "autoreplies_hour", "Auto", 5, 11, true, "autoreplies, tickets, receipts, challenges, this hour / today", "autoreplies_today" },
	[SERVER_CALLOUTS] = { "callouts_hour", "Call", 5, 11, true, "sender callouts, this hour / today", "callouts_today" },
	[SERVER_OTHER] = { "other_hour", "Other", 5, 11, true, "notices of other kinds and automated mail refused before it said its kind, this hour / today", "other_today" },
	[SERVER_MISDIRECTED] = { "misdirected", "Misd", 4, 7, true, "of today's: went to somebody who never wrote (yes and likely)", NULL },
	[SERVER_EXPOSURE] = { "exposure", "Expo", 4, 7, true, "of today's: answered an outsider after accepting, the defect to mend", NULL },
	[SERVER_DOMAINS] = { "domains", "Dom", 4, 6, true, "distinct recipient domains that a list would count", NULL },
	[SERVER_CLEAN] = { "days_clean", "Clean", 6, 6, true, "whole days since the last answer that was not proved right", NULL },
	[SERVER_SPARK] = { "by_hour", "Last 24 h", 12, 24, false, "misdirected by hour, up to the hour of now", NULL },
	[SERVER_ENCRYPTED] = { "encrypted", "TLS", 5, 6, true, "share of today's sessions whose dialogue was hidden by TLS", "sessions" },
	[SERVER_SOFTWARE] = { "software", "Software", 9, 24, false, "as the server shows itself", NULL },
	[SERVER_LIST] = { "list", "List", 13, 20, false, "the list of the status", NULL },
	[SERVER_IN] = { "mails_in", "In", 6, 8, true, "mails from outside today", NULL },
	[SERVER_OUT] = { "mails_out", "Out", 6, 8, true, "mails to outside today", NULL },
	[SERVER_PUBLIC] = { "public_address", "Public address", 15, 39, false, "what the world and the lists see", NULL },
	[SERVER_ROLE] = { "role", "Role", 9, 10, false, "of the configuration", NULL },
	[SERVER_OWNER] = { "owner", "Owner", 10, 24, false, "of the configuration", NULL },
	[SERVER_LAST] = { "last", "Last answer", 11, 11, false, "the latest answer that was not proved right", NULL },
	[SERVER_ACK] = { "acknowledged", "Acknowledged", 12, 40, false, "why somebody took it out of \"do this first\"", NULL },
};

/* Badness of statuses as reader/server.h orders them, with signs of their own. */
struct value view_status(const char *status)
{
	int rank = server_status_rank(status);
	struct value v = rows_word(status, STYLE_PLAIN);

	if (v.type == VALUE_NONE)
		return v;
	v.rank = rank + 2;
	if (strcmp(status, "listed") == 0 || strcmp(status, "would-list") == 0)
		v.style = STYLE_BAD;
	else if (strcmp(status, "clean") == 0)
		v.style = STYLE_GOOD;
	else
		v.style = STYLE_WATCH;
	return v;
}

static struct value pair(uint64_t hour, uint64_t today)
{
	return (struct value){ .type = VALUE_PAIR, .style = today ? STYLE_PLAIN : STYLE_DIM, .number = (int64_t)hour, .second = (int64_t)today };
}

static uint64_t autoreplies(const struct server_counts *c)
{
	return c->kind[KIND_AUTOREPLY] + c->kind[KIND_TICKET] + c->kind[KIND_READ_RECEIPT] + c->kind[KIND_CHALLENGE];
}

static uint64_t other(const struct server_counts *c)
{
	uint64_t known = c->kind[KIND_BOUNCE] + autoreplies(c) + c->kind[KIND_CALLOUT];

	return c->findings > known ? c->findings - known : 0;
}

static struct value count(uint64_t n, enum style style)
{
	return (struct value){ .type = VALUE_NUMBER, .style = n ? style : STYLE_DIM, .number = (int64_t)n };
}

static struct value days_clean(const struct server_row *s)
{
	if (s->days_clean < 0)
		return rows_word("always", STYLE_GOOD);
	return (struct value){ .type = VALUE_NUMBER, .style = s->days_clean ? STYLE_PLAIN : STYLE_BAD, .number = s->days_clean };
}

static void value(const struct rows *rows, size_t row, size_t column, struct value *out)
{
	const struct server_row *s = &((const struct model *)rows->data)->servers.row[row];
	const struct server_counts *h = &s->hour, *t = &s->today;

	switch ((enum server_column)column) {
	case SERVER_NAME: *out = rows_word(s->name, STYLE_STRONG); break;
	case SERVER_STATUS: *out = view_status(s->worst_status); break;
	case SERVER_BOUNCES: *out = pair(h->kind[KIND_BOUNCE], t->kind[KIND_BOUNCE]); break;
	case SERVER_AUTOREPLIES: *out = pair(autoreplies(h), autoreplies(t)); break;
	case SERVER_CALLOUTS: *out = pair(h->kind[KIND_CALLOUT], t->kind[KIND_CALLOUT]); break;
	case SERVER_OTHER: *out = pair(other(h), other(t)); break;
	case SERVER_MISDIRECTED: *out = count(t->yes + t->likely, STYLE_BAD); break;
	case SERVER_EXPOSURE: *out = count(t->can_backscatter, STYLE_WATCH); break;
	case SERVER_DOMAINS: *out = count(s->domains, STYLE_PLAIN); break;
	case SERVER_CLEAN: *out = days_clean(s); break;
	case SERVER_SPARK: *out = (struct value){ .type = VALUE_SPARK, .style = STYLE_BAD, .spark = s->by_hour, .spark_count = SERVER_HOURS }; break;
	case SERVER_ENCRYPTED:
		*out = (struct value){ .type = s->sessions_in + s->sessions_out ? VALUE_SHARE : VALUE_NONE,
				       .number = (int64_t)(s->encrypted_in + s->encrypted_out), .second = (int64_t)(s->sessions_in + s->sessions_out) };
		break;
	case SERVER_SOFTWARE: *out = rows_word(s->software, STYLE_PLAIN); break;
	case SERVER_LIST: *out = rows_word(s->worst_list, STYLE_PLAIN); break;
	case SERVER_IN: *out = rows_number((int64_t)t->mails_in); break;
	case SERVER_OUT: *out = rows_number((int64_t)t->mails_out); break;
	case SERVER_PUBLIC: *out = rows_word(s->public_address, STYLE_PLAIN); break;
	case SERVER_ROLE: *out = rows_word(s->role, STYLE_PLAIN); break;
	case SERVER_OWNER: *out = rows_word(s->owner, STYLE_PLAIN); break;
	case SERVER_LAST: *out = rows_time(s->last_us); break;
	case SERVER_ACK: *out = rows_word(s->acked_why, STYLE_NOTE); break;
	}
}

static uint64_t identity(const struct rows *rows, size_t row)
{
	return (uint64_t)((const struct model *)rows->data)->servers.row[row].id;
}

static const struct risk_row *risk_of_status(const struct model *m, const struct server_row *s)
{
	for (size_t i = 0; i < m->risks.count && s->worst_list; i++) {
		const struct risk_row *r = &m->risks.row[i];

		if (r->server_id == s->id && strcmp(r->list, s->worst_list) == 0 && strcmp(r->status, s->worst_status) == 0)
			return r;
	}
	return NULL;
}

/* Why the status is what it is. */
static void detail(const struct rows *rows, size_t row, struct buf *out)
{
	const struct model *m = rows->data;
	const struct server_row *s = &m->servers.row[row];
	const struct risk_row *r = risk_of_status(m, s);

	buf_printf(out, "%s: ", s->name);
	if (s->acked_why)
		buf_printf(out, "[acknowledged: %s] ", s->acked_why);
	if (!r) {
		buf_add_str(out, s->worst_status ? s->worst_status : "no list is configured");
		return;
	}
	buf_printf(out, "%s, %s", r->list, r->status);
	if (r->expires_us) {
		char time[TIME_TEXT_MAX];

		buf_printf(out, ", expires %.10s", time_format_local(r->expires_us, time));
	}
	for (size_t i = 0; i < r->reason_count; i++) {
		buf_add_str(out, "; ");
		buf_add_text(out, r->reason[i]);
	}
}

struct rows view_servers(const struct model *m)
{
	return (struct rows){ columns, sizeof columns / sizeof *columns, m->servers.count, m, value, identity, detail };
}
