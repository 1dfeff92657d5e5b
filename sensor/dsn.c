/* dsn.c - see dsn.h */
#include "sensor/dsn.h"

#include <stddef.h>
#include <string.h>

#include "sensor/header.h"
#include "sensor/limits.h"

enum form {
	PLAIN,
	TYPED,		/* "dns; host", "rfc822; address": kept without the type */
	DIAGNOSTIC,	/* its type is kept apart */
	MESSAGE_ID	/* kept without <> */
};

struct field {
	const char *name;
	size_t offset;
	bool recipient;	/* of the recipient's group, else of the message's */
	bool key;	/* names a recipient: the field that begins a group */
	enum form form;
};

#define REPORT(name, member, form) { name, offsetof(struct fact_report, member), false, false, form }
#define RECIPIENT(name, member, key, form) { name, offsetof(struct fact_report_recipient, member), true, key, form }

static const struct field fields[] = {
	REPORT("Reporting-MTA", reporting_mta, TYPED),
	REPORT("Reporting-UA", reporting_mta, PLAIN),
	REPORT("Received-From-MTA", received_from_mta, TYPED),
	REPORT("Arrival-Date", arrival_date, PLAIN),
	REPORT("Original-Envelope-Id", envelope_id, PLAIN),
	REPORT("X-Postfix-Queue-ID", queue_id, PLAIN),
	REPORT("X-Symantec-Messaging-Gateway-Queue-ID", queue_id, PLAIN),
	REPORT("Disposition", disposition, PLAIN),
	REPORT("Original-Message-ID", original_message_id, MESSAGE_ID),
	REPORT("Feedback-Type", feedback_type, PLAIN),
	REPORT("Original-Mail-From", original_mail_from, MESSAGE_ID),
	RECIPIENT("Final-Recipient", final_recipient, true, TYPED),
	RECIPIENT("Original-Recipient", original_recipient, true, TYPED),
	RECIPIENT("Original-Rcpt-To", original_recipient, true, MESSAGE_ID),
	RECIPIENT("Action", action, false, PLAIN),
	RECIPIENT("Status", status, false, PLAIN),
	RECIPIENT("Diagnostic-Code", diagnostic, false, DIAGNOSTIC),
	RECIPIENT("Remote-MTA", remote_mta, false, TYPED),
};

void dsn_init(struct dsn *d, struct arena *a, struct fact_report *report)
{
	*d = (struct dsn){ .arena = a, .report = report };
}

void dsn_blank(struct dsn *d)
{
	d->blank = true;
}

static const struct field *find(struct text name)
{
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (strlen(fields[i].name) == name.len && text_starts_nocase(name, fields[i].name))
			return &fields[i];
	return NULL;
}

/* Room for one more in the array; NULL when it is over the cap, of recipients or of the arena. */
static struct fact_report_recipient *slot(struct dsn *d)
{
	struct fact_report *r = d->report;

	if (r->recipient_count == d->cap) {
		uint16_t cap = d->cap ? (uint16_t)(d->cap * 2) : 2;

		if (cap > REPORT_RECIPIENTS_KEPT)
			cap = REPORT_RECIPIENTS_KEPT;
		if (cap == d->cap)
			return NULL;
		struct fact_report_recipient *grown = arena_alloc(d->arena, cap * sizeof *grown);
		if (!grown)
			return NULL;
		if (r->recipient_count)
			memcpy(grown, r->recipient, r->recipient_count * sizeof *grown);
		r->recipient = grown;
		d->cap = cap;
	}
	return &r->recipient[r->recipient_count++];
}

static void group_begin(struct dsn *d)
{
	d->report->recipient_total++;
	d->group = slot(d);
	if (!d->group) {
		d->group = &d->overflow;
		d->notes |= NOTE_TRUNCATED;
	}
	*d->group = (struct fact_report_recipient){ 0 };
}

static struct text *member(void *base, const struct field *f)
{
	return (struct text *)(void *)((char *)base + f->offset);
}

/*
 * Does this recipient field belong to a new group? Never before the group has named its recipient or holds such a field already. A blank line
 * ends a group unless what follows only completes it: no recipient named yet, or Action and Status still missing.
 */
static bool begins_group(const struct dsn *d, const struct field *f)
{
	struct fact_report_recipient *g = d->group;

	if (!g)
		return true;
	if (member(g, f)->p)
		return d->blank || f->key || strcmp(f->name, "Action") == 0;
	if (!d->blank || !(g->final_recipient.p || g->original_recipient.p))
		return false;
	return f->key || (g->action.p && g->status.p);
}

/* "type; rest" -> rest, and the type when it is an atom as RFC 3464 2.1.2 wants it. */
static struct text without_type(struct text value, struct text *type)
{
	const char *semicolon = value.len ? memchr(value.p, ';', value.len) : NULL;

	*type = (struct text){ 0 };
	if (!semicolon)
		return value;
	struct text left = text_trim((struct text){ value.p, (uint32_t)(semicolon - value.p) });

	for (uint32_t i = 0; i < left.len; i++)
		if (left.p[i] <= 32 || strchr("<>@:,\"", left.p[i]))
			return value;
	*type = left;
	return text_trim((struct text){ semicolon + 1, value.len - (uint32_t)(semicolon - value.p) - 1 });
}

void dsn_field(struct dsn *d, struct text name, struct text value)
{
	const struct field *f = find(name);
	struct text type = { 0 };

	if (!f || !value.p)
		return;
	if (f->recipient && begins_group(d, f))
		group_begin(d);
	if (f->recipient)
		d->blank = false;
	struct text *to = f->recipient ? member(d->group, f) : member(d->report, f);
	if (to->p)
		return;
	if (f->form == TYPED || f->form == DIAGNOSTIC)
		value = without_type(value, &type);
	else if (f->form == MESSAGE_ID)
		value = header_strip_angle(value);
	if (d->group == &d->overflow && f->recipient) {
		*to = TEXT("");	/* present, not kept */
		return;
	}
	*to = header_keep(d->arena, value, LIMIT_REPORT_FIELD, &d->notes);
	if (f->form == DIAGNOSTIC && type.p)
		d->group->diagnostic_type = header_keep(d->arena, type, LIMIT_REPORT_FIELD, &d->notes);
}
