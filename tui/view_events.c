/* view_events.c - screen 2: findings as they come, the newest last. See view.h. */
#include <stdio.h>
#include <string.h>

#include "tui/view.h"

enum event_column {
	EVENT_TIME, EVENT_SERVER, EVENT_KIND, EVENT_VERDICT, EVENT_DOMAIN, EVENT_CAUSE, EVENT_RECIPIENT, EVENT_EXPOSURE, EVENT_ORIGIN, EVENT_ATTEMPTS,
	EVENT_REPLY, EVENT_ORIGINATOR, EVENT_ADDRESS, EVENT_DEST, EVENT_FIRST, EVENT_CAUSE_FROM, EVENT_CAUSE_TO, EVENT_ID, EVENT_ACK
};

static const struct column columns[] = {
	[EVENT_TIME] = { "time", "Time", 11, 11, false, "of the last attempt to deliver it", NULL },
	[EVENT_SERVER] = { "server", "Server", 15, 28, false, "the own server that sent it", NULL },
	[EVENT_KIND] = { "kind", "Kind", 9, 17, false, "bounce, autoreply, callout, ...", NULL },
	[EVENT_VERDICT] = { "verdict", "Verdict", 7, 7, false, "misdirected: yes is proved, likely is not, no: the recipient caused it", NULL },
	[EVENT_DOMAIN] = { "domain", "To domain", 15, 34, false, "of the recipient", NULL },
	[EVENT_CAUSE] = { "cause", "Cause", 15, 70, false, "why it was sent, and where delivery failed", NULL },
	[EVENT_RECIPIENT] = { "recipient", "Recipient", 24, 48, false, "who got it", NULL },
	[EVENT_EXPOSURE] = { "exposure", "Exposure", 15, 15, false, "can-backscatter: the server answered an outsider after accepting, the defect to mend", NULL },
	[EVENT_ORIGIN] = { "origin", "Origin", 15, 39, false, "where the mail that it answers came from", NULL },
	[EVENT_ATTEMPTS] = { "attempts", "Tries", 5, 6, true, "attempts to deliver it, on any hop", NULL },
	[EVENT_REPLY] = { "reply", "Root cause", 20, 80, false, "reply of the hop that could not deliver", NULL },
	[EVENT_ORIGINATOR] = { "originator", "Made by", 12, 28, false, "the server that made it, where it is not the one that sent it", NULL },
	[EVENT_ADDRESS] = { "public_address", "Public address", 15, 39, false, "of the server, as the world and the lists see it", NULL },
	[EVENT_DEST] = { "dest", "Handed to", 15, 39, false, "address of the server that took it", NULL },
	[EVENT_FIRST] = { "first", "First try", 11, 11, false, "of its attempts", NULL },
	[EVENT_CAUSE_FROM] = { "cause_from", "Cause from", 20, 40, false, "MAIL FROM of the mail that it answers", NULL },
	[EVENT_CAUSE_TO] = { "cause_to", "Cause to", 20, 40, false, "recipient of the mail that it answers", NULL },
	[EVENT_ID] = { "finding_id", "Finding", 36, 40, false, "for bouncetap explain", NULL },
	[EVENT_ACK] = { "acknowledged", "Acknowledged", 12, 40, false, "why somebody took it out of \"do this first\"", NULL },
};

struct value view_kind(enum kind kind)
{
	struct value v = rows_word(kind_name(kind), STYLE_PLAIN);

	v.rank = (int)kind + 1;
	return v;
}

struct value view_verdict(const char *misdirected)
{
	static const struct {
		const char *word;
		enum style style;
	} words[] = { { "no", STYLE_GOOD }, { "unknown", STYLE_PLAIN }, { "likely", STYLE_WATCH }, { "yes", STYLE_BAD } };
	struct value v = rows_word(misdirected, STYLE_PLAIN);

	for (int i = 0; i < 4; i++) {
		if (strcmp(misdirected, words[i].word) == 0) {
			v.style = words[i].style;
			v.rank = i + 1;
		}
	}
	return v;
}

/* "user-unknown: 550 5.1.1", in out's own room. */
static void put_cause(const struct finding_row *f, struct value *out)
{
	const char *class = *f->cause_class ? f->cause_class : f->cause_rowid ? "not told" : "not seen";
	int n = snprintf(out->own, sizeof out->own, "%s", class);

	if (f->root_code)
		n = snprintf(out->own, sizeof out->own, "%s: %d %.*s", class, f->root_code, (int)f->root_enhanced.len,
			     f->root_enhanced.len ? f->root_enhanced.p : "");
	out->type = VALUE_TEXT;
	out->text = (struct text){ out->own, (uint32_t)(n < (int)sizeof out->own ? n : (int)sizeof out->own - 1) };
}

static const struct finding_row *row_of(const struct rows *rows, size_t row)
{
	const struct finding_page *p = &((const struct model *)rows->data)->events;

	return &p->row[p->count - 1 - row];	/* the newest last */
}

static void value(const struct rows *rows, size_t row, size_t column, struct value *out)
{
	const struct finding_row *f = row_of(rows, row);

	switch ((enum event_column)column) {
	case EVENT_TIME: *out = rows_time(f->last_us); break;
	case EVENT_SERVER: *out = rows_word(f->server, STYLE_STRONG); break;
	case EVENT_KIND: *out = view_kind(f->kind); break;
	case EVENT_VERDICT: *out = view_verdict(f->misdirected); break;
	case EVENT_DOMAIN: *out = rows_text(f->recipient_domain); break;
	case EVENT_CAUSE: put_cause(f, out); break;
	case EVENT_RECIPIENT: *out = rows_text(f->recipient); break;
	case EVENT_EXPOSURE: *out = rows_word(f->exposure, strcmp(f->exposure, "can-backscatter") == 0 ? STYLE_WATCH : STYLE_PLAIN); break;
	case EVENT_ORIGIN: *out = rows_word(f->origin_ip, STYLE_PLAIN); break;
	case EVENT_ATTEMPTS: *out = rows_number(f->attempts); break;
	case EVENT_REPLY: *out = rows_text(f->root_reply); break;
	case EVENT_ORIGINATOR: *out = rows_word(f->originator, STYLE_PLAIN); break;
	case EVENT_ADDRESS: *out = rows_word(f->public_address, STYLE_PLAIN); break;
	case EVENT_DEST: *out = rows_word(f->dest_ip, STYLE_PLAIN); break;
	case EVENT_FIRST: *out = rows_time(f->first_us); break;
	case EVENT_CAUSE_FROM: *out = rows_text(f->cause_mail_from); break;
	case EVENT_CAUSE_TO: *out = rows_text(f->cause_recipient); break;
	case EVENT_ID: *out = rows_word(f->finding_id, STYLE_DIM); break;
	case EVENT_ACK: *out = rows_word(f->acked_why, STYLE_NOTE); break;
	}
}

static uint64_t identity(const struct rows *rows, size_t row)
{
	return (uint64_t)row_of(rows, row)->id;
}

static void detail(const struct rows *rows, size_t row, struct buf *out)
{
	const struct finding_row *f = row_of(rows, row);

	buf_printf(out, "%s to ", kind_name(f->kind));
	buf_add_text(out, f->recipient);
	if (f->cause_rowid) {
		buf_add_str(out, " for mail from ");
		buf_add_text(out, f->cause_mail_from);
		buf_add_str(out, " to ");
		buf_add_text(out, f->cause_recipient);
	} else
		buf_add_str(out, ", the mail that it answers was not seen");
	if (*f->origin_ip)
		buf_printf(out, ", origin %s", f->origin_ip);
	if (f->root_reply.len) {
		buf_printf(out, "; refused: %d ", f->root_code);
		buf_add_text(out, f->root_reply);
	}
}

const struct finding_row *view_event(const struct model *m, size_t row)
{
	struct rows rows = view_events(m);

	return row_of(&rows, row);
}

struct rows view_events(const struct model *m)
{
	return (struct rows){ columns, sizeof columns / sizeof *columns, m->events.count, m, value, identity, detail };
}
