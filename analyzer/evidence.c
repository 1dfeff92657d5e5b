/* evidence.c - see evidence.h. Everything from the wire goes through escape_terminal, or json_text. */
#include "analyzer/evidence.h"

#include <inttypes.h>
#include <string.h>

#include "analyzer/judge.h"
#include "analyzer/silence.h"
#include "common/escape.h"
#include "common/paragraph.h"
#include "common/timefmt.h"

enum { ADDRESS_SHOWN = 70, TEXT_SHOWN = 400 };

static const char *const lanes[] = { [LADDER_ORIGIN] = "origin", [LADDER_OWN] = "own", [LADDER_INNER] = "inner", [LADDER_OUTSIDE] = "outside" };
static const char *const parts[] = { [LADDER_CAUSE] = "cause", [LADDER_ROOT] = "root-cause", [LADDER_ANSWER] = "answer" };

const char *evidence_misdirected(const char *word)
{
	return strcmp(word, "yes") == 0 ? "misdirected" : strcmp(word, "likely") == 0 ? "probably misdirected"
	     : strcmp(word, "no") == 0 ? "not misdirected: it went to who caused it" : "not known whether misdirected";
}

void evidence_headline(struct buf *out, const struct finding_row *f)
{
	buf_printf(out, "%s to ", kind_name(f->kind));
	escape_terminal(out, f->recipient, ADDRESS_SHOWN);
	buf_printf(out, ", %s", evidence_misdirected(f->misdirected));
	if (*f->cause_class)
		buf_printf(out, "; cause: %s", f->cause_class);
	if (f->attempts > 1)
		buf_printf(out, "; %u attempts", f->attempts);
}

void evidence_place(struct buf *out, const struct geo_place *place)
{
	if (!*place->country && !place->asn)
		return;
	buf_printf(out, " (%s%s", place->country, *place->country && place->asn ? ", " : "");
	if (place->asn)
		buf_printf(out, "AS%" PRIu32 "%s", place->asn, *place->network ? " " : "");
	escape_terminal(out, (struct text){ place->network, (uint32_t)strlen(place->network) }, TEXT_SHOWN);
	buf_add_str(out, ")");
}

/* ---- ladder ---- */

static void put_line(struct buf *out, unsigned indent, struct buf *line)
{
	paragraph(out, indent, buf_cstr(line));
	buf_clear(line);
}

static void put_lanes(struct buf *out, const struct ladder *l, unsigned indent)
{
	struct buf line = { 0 };
	const char *comma = "";

	buf_printf(&line, "%*s", (int)indent, "");
	for (int i = 0; i < LADDER_LANES; i++)
		if (*l->lane[i]) {
			buf_printf(&line, "%s%s %s", comma, lanes[i], l->lane[i]);
			comma = ", ";
		}
	put_line(out, indent, &line);
	buf_fini(&line);
}

static void put_hop(struct buf *out, const struct ladder_hop *h, unsigned indent)
{
	struct buf line = { 0 };
	char time[TIME_TEXT_MAX];

	buf_printf(&line, "%*s%s  %s: %s > %s", (int)indent, "", time_format_local(h->started_us, time), parts[h->part], h->client_ip, h->server_ip);
	if (h->helo.len) {
		buf_add_str(&line, ", calls itself ");
		escape_terminal(&line, h->helo, ADDRESS_SHOWN);
	}
	if (h->subject.len) {
		buf_add_str(&line, ", Subject: ");
		escape_terminal(&line, h->subject, ADDRESS_SHOWN);
	}
	if (!h->complete)
		buf_add_str(&line, ", seen in part");
	put_line(out, indent + 2, &line);
	buf_fini(&line);
}

static void put_step(struct buf *out, const struct ladder *l, const struct ladder_step *s, unsigned indent)
{
	struct buf line = { 0 };

	buf_printf(&line, "%*s%+10.3f  %s%s%s%*s  ", (int)indent, "", (double)(s->at_us - l->step[0].at_us) / 1e6, lanes[s->from], s->is_reply ? " -> " : " => ",
		   lanes[s->to], (int)(14 - strlen(lanes[s->from]) - strlen(lanes[s->to])), "");
	escape_terminal(&line, s->text, TEXT_SHOWN);
	put_line(out, indent + 32, &line);
	buf_fini(&line);
}

void evidence_ladder(struct buf *out, const struct ladder *l, unsigned indent)
{
	put_lanes(out, l, indent);
	if (!l->cause_seen) {
		buf_printf(out, "%*sthe mail that it answers was not seen\n", (int)indent, "");
	}
	for (size_t i = 0; i < l->hop_count; i++)
		put_hop(out, &l->hop[i], indent);
	if (l->attempts_left_out)
		buf_printf(out, "%*s%u more attempts between them\n", (int)indent, "", l->attempts_left_out);
	for (size_t i = 0; i < l->step_count; i++)
		put_step(out, l, &l->step[i], indent);
}

/* ---- rules ---- */

static const struct finding_reason *fired(const struct finding_row *f, const char *rule)
{
	for (size_t i = 0; i < f->reason_count; i++)
		if (strcmp(f->reason[i].rule, rule) == 0)
			return &f->reason[i];
	return NULL;
}

void evidence_rules(struct buf *out, const struct finding_row *f, unsigned indent)
{
	struct buf line = { 0 };
	struct judge_rule rule;

	for (size_t i = 0; i < f->reason_count; i++) {
		buf_printf(&line, "%*s%s it, %s: ", (int)indent, "", f->reason[i].sign, f->reason[i].strength);
		escape_terminal(&line, f->reason[i].text, 0);
		buf_printf(&line, " (%s)", f->reason[i].rule);
		put_line(out, indent + 4, &line);
	}
	for (size_t i = 0; judge_rule(i, &rule); i++) {
		const char *why = fired(f, rule.id) ? NULL : silence_of(rule.id, f);

		if (!why)
			continue;
		buf_printf(&line, "%*ssilent, %s %s it: %s (%s)", (int)indent, "", rule.strength, rule.sign, why, rule.id);
		put_line(out, indent + 4, &line);
	}
	buf_fini(&line);
}

/* ---- JSON ---- */

static void put_time(struct json *j, const char *key, int64_t us)
{
	char text[TIME_TEXT_MAX];

	json_string(j, key, us ? time_format_utc(us, text) : NULL);
}

static void put_word(struct json *j, const char *key, const char *word)
{
	json_string(j, key, *word ? word : NULL);
}

static void hops_json(struct json *j, const struct ladder *l)
{
	json_array(j, "hops");
	for (size_t i = 0; i < l->hop_count; i++) {
		const struct ladder_hop *h = &l->hop[i];

		json_object(j, NULL);
		json_string(j, "part", parts[h->part]);
		json_string(j, "transaction_id", h->transaction_id);
		json_string(j, "src_ip", h->client_ip);
		json_string(j, "dest_ip", h->server_ip);
		put_time(j, "started", h->started_us);
		put_time(j, "ended", h->ended_us);
		json_text(j, "helo", h->helo);
		json_text(j, "mail_from", h->mail_from);
		json_text(j, "rcpt_to", h->recipient);
		json_int(j, "rcpt_count", h->recipients);
		json_text(j, "message_id", h->message_id);
		json_text(j, "subject", h->subject);
		put_word(j, "outcome", h->outcome);
		if (h->code)
			json_int(j, "code", h->code);
		else
			json_null(j, "code");
		json_text(j, "reply", h->reply);
		json_bool(j, "complete", h->complete);
		json_object_end(j);
	}
	json_array_end(j);
}

static void ladder_json(struct json *j, const struct ladder *l)
{
	json_object(j, "ladder");
	hops_json(j, l);
	json_int(j, "attempts_left_out", l->attempts_left_out);
	json_array(j, "steps");
	for (size_t i = 0; i < l->step_count; i++) {
		const struct ladder_step *s = &l->step[i];

		json_object(j, NULL);
		put_time(j, "timestamp", s->at_us);
		json_string(j, "from", lanes[s->from]);
		json_string(j, "to", lanes[s->to]);
		json_text(j, "text", s->text);
		json_bool(j, "decides", s->decides);
		json_int(j, "hop", (int64_t)s->hop);
		json_object_end(j);
	}
	json_array_end(j);
	json_object_end(j);
}

static void rules_json(struct json *j, const struct finding_row *f)
{
	struct judge_rule rule;

	json_array(j, "reasons");
	for (size_t i = 0; i < f->reason_count; i++) {
		json_object(j, NULL);
		json_string(j, "rule", f->reason[i].rule);
		json_string(j, "sign", f->reason[i].sign);
		json_string(j, "strength", f->reason[i].strength);
		json_text(j, "text", f->reason[i].text);
		json_object_end(j);
	}
	json_array_end(j);
	json_array(j, "silent");
	for (size_t i = 0; judge_rule(i, &rule); i++)
		if (!fired(f, rule.id)) {
			json_object(j, NULL);
			json_string(j, "rule", rule.id);
			json_string(j, "sign", rule.sign);
			json_string(j, "strength", rule.strength);
			json_string(j, "why", silence_of(rule.id, f));
			json_object_end(j);
		}
	json_array_end(j);
}

static void place_json(struct json *j, const char *key, const char *ip, const struct geo_place *place)
{
	json_object(j, key);
	json_string(j, "ip", ip && *ip ? ip : NULL);
	put_word(j, "country", place->country);
	if (place->asn)
		json_int(j, "asn", place->asn);
	else
		json_null(j, "asn");
	put_word(j, "network", place->network);
	json_object_end(j);
}

void evidence_json(struct json *j, const struct finding_row *f, const struct ladder *l)
{
	json_string(j, "finding_id", f->finding_id);
	json_string(j, "server", f->server);
	json_string(j, "address", f->address);
	json_string(j, "public_address", f->public_address);
	json_string(j, "kind", kind_name(f->kind));
	put_word(j, "kind_rule", f->kind_rule);
	json_string(j, "misdirected", f->misdirected);
	json_string(j, "exposure", f->exposure);
	json_string(j, "tier", f->tier);
	json_text(j, "recipient", f->recipient);
	json_text(j, "recipient_domain", f->recipient_domain);
	place_json(j, "dest", f->dest_ip, &f->dest_place);
	place_json(j, "origin", f->origin_ip, &f->origin_place);
	json_int(j, "attempts", f->attempts);
	put_time(j, "first", f->first_us);
	put_time(j, "last", f->last_us);
	put_word(j, "originator", f->originator);
	put_word(j, "originator_how", f->originator_how);
	put_word(j, "cause_class", f->cause_class);
	put_word(j, "origin_ip", f->origin_ip);
	put_word(j, "matched_by", f->cause_matched_by);
	json_string(j, "acked", f->acked_why);
	rules_json(j, f);
	ladder_json(j, l);
}
