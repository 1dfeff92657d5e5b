/* report_csv.c - see report_csv.h */
#include "analyzer/report_csv.h"

#include <string.h>

#include "analyzer/report_words.h"
#include "common/escape.h"
#include "common/timefmt.h"

/* A number that is not known is an empty cell, not 0. */
struct number {
	bool known;
	uint64_t n;
};

struct row {
	const char *section;	/* verdict first change server list time domain cause kind hygiene */
	const char *server, *address, *item, *detail, *state;
	struct number answers, misdirected, avoidable, attempts, domains, mails, before;
	const char *usual;	/* a number */
	int64_t first_us, last_us, expires_us;
	struct text text;
};

#define ROW(...) (struct row){ __VA_ARGS__ }

static struct number is(uint64_t n)
{
	return (struct number){ true, n };
}

static struct number is_if(bool known, uint64_t n)
{
	return (struct number){ known, n };
}

static void put_text(struct buf *out, const char *s)
{
	escape_csv(out, s ? words_text(s) : (struct text){ 0 }, 0);
	buf_add_char(out, ',');
}

static void put_number(struct buf *out, struct number number)
{
	if (number.known)
		buf_printf(out, "%llu", (unsigned long long)number.n);
	buf_add_char(out, ',');
}

static void put_time(struct buf *out, int64_t us)
{
	char text[TIME_TEXT_MAX];

	if (us)
		buf_printf(out, "\"%s\"", time_format_local(us, text));
	buf_add_char(out, ',');
}

static void put(struct buf *out, struct row w)
{
	put_text(out, w.section);
	put_text(out, w.server);
	put_text(out, w.address);
	put_text(out, w.item);
	put_text(out, w.detail);
	put_text(out, w.state);
	put_number(out, w.answers);
	put_number(out, w.misdirected);
	put_number(out, w.avoidable);
	put_number(out, w.attempts);
	put_number(out, w.domains);
	put_number(out, w.mails);
	put_number(out, w.before);
	buf_printf(out, "%s,", w.usual ? w.usual : "");
	put_time(out, w.first_us);
	put_time(out, w.last_us);
	put_time(out, w.expires_us);
	escape_csv(out, w.text, 1000);
	buf_add_str(out, "\r\n");
}

static const char *mean(double v, char out[WORDS_NUMBER_MAX])
{
	snprintf(out, WORDS_NUMBER_MAX, "%.1f", v);
	return out;
}

static void put_matter(struct buf *out, const char *section, const struct report_matter *m)
{
	put(out, ROW(.section = section, .server = m->server, .item = kind_name(m->kind), .detail = m->cause, .state = m->known_why ? "known" : NULL, .answers = is(m->answers),
		     .misdirected = is(m->misdirected), .attempts = is(m->attempts), .domains = is(m->domains), .first_us = m->first_us, .last_us = m->last_us,
		     .text = words_text(m->advice ? m->advice->what : "")));
}

static void put_server(struct buf *out, const struct report *r, const struct report_server *s)
{
	char usual[WORDS_NUMBER_MAX];

	put(out, ROW(.section = "server", .server = s->title, .address = s->row->public_address, .item = s->row->software, .detail = s->row->owner,
		     .state = s->row->worst_status, .answers = is(s->now.answers), .misdirected = is(s->now.misdirected), .avoidable = is(s->now.avoidable),
		     .attempts = is(s->now.attempts), .mails = is(s->now.in + s->now.out), .before = is_if(s->before.seen, s->before.avoidable),
		     .usual = r->has_base ? mean((double)s->base.avoidable * r->base_scale, usual) : NULL, .last_us = s->row->last_us,
		     .text = words_text(s->row->acked_why ? s->row->acked_why : "")));
}

static void put_risk(struct buf *out, const struct report *r, const struct risk_row *k)
{
	put(out, ROW(.section = "list", .server = words_title(r, k->server_id, k->server), .address = k->address, .item = k->list, .state = k->status,
		     .attempts = is(k->attempts), .domains = is(k->domains), .mails = is(k->mails), .first_us = k->first_us, .last_us = k->last_us,
		     .expires_us = k->expires_us, .text = k->reason_count ? k->reason[0] : (struct text){ 0 }));
}

static void put_hygiene(struct buf *out, const struct report *r, const struct report_hygiene *h)
{
	put(out, ROW(.section = "hygiene", .server = words_title(r, h->row->server_id, h->row->server), .item = h->row->what, .answers = is(h->row->cases),
		     .mails = is(h->row->of), .first_us = h->row->first_us, .last_us = h->row->last_us, .text = words_text(h->advice ? h->advice->what : "")));
}

static void put_bar(struct buf *out, const struct report *r, const struct report_bar *b)
{
	put(out, ROW(.section = "time", .item = r->bars_are_days ? "day" : "hour", .state = b->seen ? NULL : "not seen", .answers = is(b->answers),
		     .misdirected = is(b->misdirected), .avoidable = is(b->avoidable), .mails = is(b->mails), .first_us = b->at_us));
}

static void put_change(struct buf *out, const struct report *r, const struct report_change *c)
{
	char usual[WORDS_NUMBER_MAX];

	put(out, ROW(.section = "change", .server = c->server, .item = c->kind == KIND_COUNT ? NULL : kind_name(c->kind), .state = report_trend_name(c->trend),
		     .avoidable = is_if(c->kind != KIND_COUNT, c->now), .mails = is_if(c->kind == KIND_COUNT, c->now),
		     .before = is_if(r->has_before, c->before), .usual = mean(c->base, usual)));
}

void report_csv(const struct report *r, struct buf *out)
{
	buf_add_str(out, "section,server,address,item,detail,state,answers,misdirected,avoidable,attempts,domains,mails,before,usual,first,last,expires,text\r\n");
	put(out, ROW(.section = "verdict", .state = report_state_name(r->state), .answers = is(r->now.answers), .misdirected = is(r->now.misdirected),
		     .avoidable = is(r->now.avoidable), .attempts = is(r->now.attempts), .mails = is(r->now.in + r->now.out),
		     .before = is_if(r->has_before, r->before.avoidable), .first_us = r->options.since_us, .last_us = r->options.until_us, .text = words_text(r->verdict)));
	for (size_t i = 0; i < r->todo_count; i++)
		put_matter(out, "first", r->todo[i]);
	for (size_t i = 0; i < r->change_count; i++)
		put_change(out, r, &r->change[i]);
	for (size_t i = 0; i < r->server_count; i++)
		put_server(out, r, &r->server[i]);
	for (size_t i = 0; i < r->risk.count; i++)
		put_risk(out, r, &r->risk.row[i]);
	for (size_t i = 0; i < r->bar_count; i++)
		put_bar(out, r, &r->bar[i]);
	for (size_t i = 0; i < r->victim_count; i++)
		put(out, ROW(.section = "domain", .item = r->victim[i].domain, .avoidable = is(r->victim[i].answers), .misdirected = is(r->victim[i].misdirected),
			     .attempts = is(r->victim[i].attempts)));
	for (size_t i = 0; i < r->matter_count; i++)
		put_matter(out, "cause", &r->matter[i]);
	for (size_t i = 0; i < r->root_count; i++)
		put(out, ROW(.section = "root-cause", .server = r->root[i].server, .address = r->root[i].refused_by, .detail = r->root[i].cause,
			     .answers = is(r->root[i].answers), .text = r->root[i].reply));
	for (int k = 0; k < KIND_COUNT; k++)
		if (r->kind_now[k][0])
			put(out, ROW(.section = "kind", .item = kind_name((enum kind)k), .answers = is(r->kind_now[k][0]), .misdirected = is(r->kind_now[k][1]),
				     .avoidable = is(r->kind_now[k][2]), .attempts = is(r->kind_attempts[k])));
	for (size_t i = 0; i < r->hygiene_count; i++)
		put_hygiene(out, r, &r->hygiene[i]);
}
