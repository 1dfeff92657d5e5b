/*
 * report_hide.c - see report_hide in report_build.h. Texts from the wire go, our own words, names and addresses stay; of sentences that were made from
 * both, the words that look like an address go. A report is hidden before anything of it is printed, so no printer has to think of it.
 */
#include <string.h>

#include "analyzer/own.h"
#include "analyzer/report_build.h"
#include "common/buf.h"

static const char hidden[] = "(hidden)";

struct hiding {
	struct report *r;
	struct own *own;
};

static bool is_foreign_ip(const struct hiding *h, const char *p, size_t n)
{
	struct ip_addr a;

	return n && !ip_parse(p, n, &a) && !own_has(h->own, &a);
}

static const char *hide_ip(const struct hiding *h, const char *ip)
{
	return ip && *ip && is_foreign_ip(h, ip, strlen(ip)) ? hidden : ip;
}

static struct text hide_text(struct text t)
{
	return t.p && t.len ? (struct text){ hidden, sizeof hidden - 1 } : t;
}

static bool ends_word(char c)
{
	return c == ' ' || c == ',' || c == ';' || c == '(' || c == ')' || c == '[' || c == ']' || c == '<' || c == '>';
}

static struct text hide_words(const struct hiding *h, struct text t)
{
	struct buf b = { 0 };

	for (uint32_t begin = 0, i = 0; t.p && i <= t.len; i++) {
		if (i < t.len && !ends_word(t.p[i]))
			continue;
		if (is_foreign_ip(h, t.p + begin, i - begin) || (i > begin && memchr(t.p + begin, '@', i - begin)))
			buf_add_str(&b, hidden);
		else
			buf_add(&b, t.p + begin, i - begin);
		if (i < t.len)
			buf_add_char(&b, t.p[i]);
		begin = i + 1;
	}
	struct text out = t.p ? arena_copy(&h->r->arena, b.p, b.len, b.len, NULL) : t;
	buf_fini(&b);
	return out;
}

static void hide_finding(const struct hiding *h, struct finding_row *f)
{
	f->recipient = hide_text(f->recipient);
	f->recipient_domain = hide_text(f->recipient_domain);
	f->dest_ip = hide_ip(h, f->dest_ip);
	f->cause_mail_from = hide_text(f->cause_mail_from);
	f->cause_recipient = hide_text(f->cause_recipient);
	f->cause_message_id = hide_text(f->cause_message_id);
	f->origin_ip = hide_ip(h, f->origin_ip);
	f->root_reply = hide_text(f->root_reply);
	for (size_t i = 0; i < f->reason_count; i++)
		f->reason[i].text = hide_words(h, f->reason[i].text);
}

static void hide_ladder(const struct hiding *h, struct ladder *l)
{
	for (int i = 0; i < LADDER_LANES; i++)
		l->lane[i] = hide_ip(h, l->lane[i]);
	for (size_t i = 0; i < l->step_count; i++)
		l->step[i].text = hide_text(l->step[i].text);
	for (size_t i = 0; i < l->hop_count; i++) {
		struct ladder_hop *hop = &l->hop[i];

		hop->client_ip = hide_ip(h, hop->client_ip);
		hop->server_ip = hide_ip(h, hop->server_ip);
		hop->helo = hide_text(hop->helo);
		hop->mail_from = text_equal(hop->mail_from, TEXT("<>")) ? hop->mail_from : hide_text(hop->mail_from);
		hop->recipient = hide_text(hop->recipient);
		hop->message_id = hide_text(hop->message_id);
		hop->subject = hide_text(hop->subject);
		hop->reply = hide_text(hop->reply);
	}
}

void report_hide(struct report *r)
{
	struct hiding h = { r, own_new(r->options.config) };

	for (size_t i = 0; i < r->matter_count; i++) {
		r->matter[i].root_reply = hide_text(r->matter[i].root_reply);
		r->matter[i].root_server = hide_ip(&h, r->matter[i].root_server);
	}
	for (size_t i = 0; i < r->root_count; i++) {
		r->root[i].reply = hide_text(r->root[i].reply);
		r->root[i].refused_by = hide_ip(&h, r->root[i].refused_by);
	}
	for (size_t i = 0; i < r->victim_count; i++)
		r->victim[i].domain = hidden;
	for (size_t i = 0; i < r->evidence_count; i++) {
		for (size_t k = 0; k < r->evidence[i].page.count; k++)
			hide_finding(&h, &r->evidence[i].page.row[k]);
		hide_ladder(&h, &r->evidence[i].ladder);
	}
	for (size_t i = 0; i < r->risk.count; i++)
		for (size_t k = 0; k < r->risk.row[i].reason_count; k++)
			r->risk.row[i].reason[k] = hide_words(&h, r->risk.row[i].reason[k]);
	for (size_t i = 0; i < r->refusals.count; i++) {
		r->refusals.row[i].remote_ip = hide_ip(&h, r->refusals.row[i].remote_ip);
		r->refusals.row[i].reply = hide_text(r->refusals.row[i].reply);
	}
	own_free(h.own);
}
