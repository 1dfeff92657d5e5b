/* report_json.c - see report_json.h */
#include "analyzer/report_json.h"

#include <stdio.h>

#include "analyzer/report_words.h"
#include "common/json.h"
#include "common/timefmt.h"

static void put_time(struct json *j, const char *key, int64_t us)
{
	char text[TIME_TEXT_MAX];

	json_string(j, key, us ? time_format_utc(us, text) : NULL);
}

/* Tenths, as the other forms print it. */
static void put_mean(struct json *j, const char *key, double v)
{
	char text[32];

	snprintf(text, sizeof text, "%.1f", v);
	json_number(j, key, text);
}

static void put_tally(struct json *j, const char *key, const struct report_tally *t)
{
	json_object(j, key);
	json_bool(j, "seen", t->seen);
	json_int(j, "answers", (int64_t)t->answers);
	json_int(j, "attempts", (int64_t)t->attempts);
	json_int(j, "misdirected", (int64_t)t->misdirected);
	json_int(j, "avoidable", (int64_t)t->avoidable);
	json_int(j, "mails_in", (int64_t)t->in);
	json_int(j, "mails_out", (int64_t)t->out);
	json_object(j, "avoidable_by_kind");
	for (int k = 0; k < KIND_COUNT; k++)
		if (t->kind[k])
			json_int(j, kind_name((enum kind)k), (int64_t)t->kind[k]);
	json_object_end(j);
	json_object_end(j);
}

static void put_advice(struct json *j, const struct advice *a)
{
	if (!a) {
		json_null(j, "advice");
		return;
	}
	json_object(j, "advice");
	json_string(j, "software", a->software);
	json_string(j, "what", a->what);
	json_string(j, "setting", a->setting);
	json_string(j, "file", a->file);
	json_string(j, "trap", a->trap);
	json_object_end(j);
}

static void put_matter(struct json *j, const struct report_matter *m)
{
	json_object(j, NULL);
	json_string(j, "server", m->server);
	json_string(j, "owner", m->owner);
	json_string(j, "emitter", m->emitter);
	json_string(j, "kind", kind_name(m->kind));
	json_string(j, "cause_class", m->cause);
	json_string(j, "refused", m->where);
	json_string(j, "client", strcmp(m->where, "client") == 0 ? m->client : NULL);
	json_int(j, "answers", (int64_t)m->answers);
	json_int(j, "attempts", (int64_t)m->attempts);
	json_int(j, "misdirected", (int64_t)m->misdirected);
	json_int(j, "misdirected_likely", (int64_t)m->likely_only);
	json_int(j, "domains", (int64_t)m->domains);
	json_int(j, "to_mail_of_the_period", (int64_t)m->fresh);
	put_time(j, "first", m->first_us);
	put_time(j, "last", m->last_us);
	json_string(j, "finding_id", m->finding_id);
	json_string(j, "software", m->software);
	json_string(j, "responder", m->responder);
	if (m->root_code) {
		json_object(j, "root_cause");
		json_string(j, "by", m->root_server);
		json_int(j, "code", m->root_code);
		json_text(j, "enhanced", m->root_enhanced);
		json_text(j, "reply", m->root_reply);
		json_object_end(j);
	} else
		json_null(j, "root_cause");
	put_advice(j, m->advice);
	if (m->queue) {
		json_object(j, "queued");
		json_string(j, "show", m->queue->show);
		json_string(j, "remove", m->queue->remove);
		json_string(j, "trap", m->queue->trap);
		json_object_end(j);
	} else
		json_null(j, "queued");
	json_string(j, "known", m->known_why);
	json_object_end(j);
}

static void put_matters(struct json *j, const struct report *r)
{
	json_array(j, "do_this_first");
	for (size_t i = 0; i < r->todo_count; i++)
		put_matter(j, r->todo[i]);
	json_array_end(j);
	json_array(j, "causes");
	for (size_t i = 0; i < r->matter_count; i++)
		put_matter(j, &r->matter[i]);
	json_array_end(j);
	json_array(j, "root_causes");
	for (size_t i = 0; i < r->root_count; i++) {
		const struct report_root *o = &r->root[i];

		json_object(j, NULL);
		json_string(j, "server", o->server);
		json_string(j, "by", o->refused_by);
		json_int(j, "code", o->code);
		json_text(j, "enhanced", o->enhanced);
		json_text(j, "reply", o->reply);
		json_string(j, "cause_class", o->cause);
		json_int(j, "answers", (int64_t)o->answers);
		json_object_end(j);
	}
	json_array_end(j);
}

static void put_changes(struct json *j, const struct report *r)
{
	json_array(j, "changes");
	for (size_t i = 0; i < r->change_count; i++) {
		const struct report_change *c = &r->change[i];

		json_object(j, NULL);
		json_string(j, "trend", report_trend_name(c->trend));
		json_string(j, "server", c->server);
		json_string(j, "kind", c->kind == KIND_COUNT ? NULL : kind_name(c->kind));
		json_int(j, "now", (int64_t)c->now);
		if (r->has_before)
			json_int(j, "before", (int64_t)c->before);
		else
			json_null(j, "before");
		put_mean(j, "usual", c->base);
		json_object_end(j);
	}
	json_array_end(j);
}

static void put_server(struct json *j, const struct report *r, const struct report_server *s)
{
	json_object(j, NULL);
	json_string(j, "server", s->row->name);
	json_string(j, "title", s->title);
	json_string(j, "address", s->row->address);
	json_string(j, "public_address", s->row->public_address);
	json_string(j, "software", s->row->software);
	json_string(j, "owner", s->row->owner);
	json_string(j, "role", s->row->role);
	json_bool(j, "sends_only", s->row->sends_only);
	json_string(j, "worst_status", s->row->worst_status);
	json_string(j, "worst_list", s->row->worst_list);
	json_bool(j, "clean", s->clean);
	if (s->row->days_clean < 0)
		json_null(j, "days_clean");
	else
		json_int(j, "days_clean", s->row->days_clean);
	put_time(j, "last", s->row->last_us);
	json_string(j, "known", s->row->acked_why);
	put_tally(j, "now", &s->now);
	put_tally(j, "before", &s->before);
	put_tally(j, "base_28_days", &s->base);
	put_mean(j, "usual_avoidable", (double)s->base.avoidable * r->base_scale);
	json_array(j, "avoidable_by_day");
	for (int i = 0; i <= REPORT_BASE_DAYS; i++)
		json_int(j, NULL, (int64_t)s->day[i]);
	json_array_end(j);
	json_object_end(j);
}

static void put_lists(struct json *j, const struct report *r)
{
	json_array(j, "lists");
	for (size_t i = 0; i < r->risk.count; i++) {
		const struct risk_row *k = &r->risk.row[i];

		json_object(j, NULL);
		json_string(j, "server", k->server);
		json_string(j, "address", k->address);
		json_string(j, "list", k->list);
		json_string(j, "status", k->status);
		json_int(j, "mails", (int64_t)k->mails);
		json_int(j, "attempts", (int64_t)k->attempts);
		json_int(j, "domains", (int64_t)k->domains);
		put_time(j, "first", k->first_us);
		put_time(j, "last", k->last_us);
		put_time(j, "expires", k->expires_us);
		if (k->has_margin)
			json_int(j, "margin", k->margin);
		else
			json_null(j, "margin");
		json_array(j, "reasons");
		for (size_t n = 0; n < k->reason_count; n++)
			json_text(j, NULL, k->reason[n]);
		json_array_end(j);
		if (k->answer_state) {
			json_object(j, "answer");
			json_string(j, "state", k->answer_state);
			json_string(j, "raw", k->answer_raw);
			put_time(j, "at", k->answer_us);
			json_object_end(j);
		} else
			json_null(j, "answer");
		json_object_end(j);
	}
	json_array_end(j);
	json_array(j, "refusals");
	for (size_t i = 0; i < r->refusals.count; i++) {
		const struct refusal_row *f = &r->refusals.row[i];

		json_object(j, NULL);
		json_string(j, "server", f->server);
		json_string(j, "address", f->address);
		json_string(j, "list", *f->list ? f->list : NULL);
		json_text(j, "zone", f->zone);
		json_string(j, "remote_ip", f->remote_ip);
		json_int(j, "code", f->code);
		json_text(j, "reply", f->reply);
		put_time(j, "at", f->at_us);
		json_object_end(j);
	}
	json_array_end(j);
}

static void put_timeline(struct json *j, const struct report *r)
{
	json_string(j, "timeline_step", r->bars_are_days ? "day" : "hour");
	json_array(j, "timeline");
	for (size_t i = 0; i < r->bar_count; i++) {
		const struct report_bar *b = &r->bar[i];

		json_object(j, NULL);
		put_time(j, "from", b->at_us);
		json_bool(j, "seen", b->seen);
		json_int(j, "misdirected", (int64_t)b->misdirected);
		json_int(j, "avoidable", (int64_t)b->avoidable);
		json_int(j, "answers", (int64_t)b->answers);
		json_int(j, "mails", (int64_t)b->mails);
		json_object_end(j);
	}
	json_array_end(j);
}

static void put_victims(struct json *j, const struct report *r)
{
	json_int(j, "victim_domains", (int64_t)r->victim_domains);
	json_array(j, "who_is_hit");
	for (size_t i = 0; i < r->victim_count; i++) {
		json_object(j, NULL);
		json_string(j, "domain", r->victim[i].domain);
		json_string(j, "country", *r->victim[i].place.country ? r->victim[i].place.country : NULL);
		if (r->victim[i].place.asn)
			json_int(j, "asn", r->victim[i].place.asn);
		else
			json_null(j, "asn");
		json_string(j, "network", *r->victim[i].place.network ? r->victim[i].place.network : NULL);
		json_int(j, "answers", (int64_t)r->victim[i].answers);
		json_int(j, "misdirected", (int64_t)r->victim[i].misdirected);
		json_int(j, "attempts", (int64_t)r->victim[i].attempts);
		json_object_end(j);
	}
	json_array_end(j);
	json_array(j, "kinds");
	for (int k = 0; k < KIND_COUNT; k++) {
		if (!r->kind_now[k][0])
			continue;
		json_object(j, NULL);
		json_string(j, "kind", kind_name((enum kind)k));
		json_int(j, "answers", (int64_t)r->kind_now[k][0]);
		json_int(j, "misdirected", (int64_t)r->kind_now[k][1]);
		json_int(j, "avoidable", (int64_t)r->kind_now[k][2]);
		json_int(j, "attempts", (int64_t)r->kind_attempts[k]);
		json_object_end(j);
	}
	json_array_end(j);
}

static void put_hop(struct json *j, const struct ladder_hop *h)
{
	static const char *const parts[] = { "cause", "root-cause", "answer" };

	json_object(j, NULL);
	json_string(j, "part", parts[h->part]);
	json_string(j, "transaction_id", h->transaction_id);
	put_time(j, "at", h->started_us);
	json_string(j, "src_ip", h->client_ip);
	json_string(j, "dest_ip", h->server_ip);
	json_text(j, "mail_from", h->mail_from);
	json_text(j, "rcpt_to", h->recipient);
	json_int(j, "rcpt_count", h->recipients);
	json_string(j, "outcome", h->outcome);
	if (h->code)
		json_int(j, "code", h->code);
	else
		json_null(j, "code");
	json_text(j, "reply", h->reply);
	json_object_end(j);
}

static void put_evidence(struct json *j, const struct report *r)
{
	json_array(j, "evidence");
	for (size_t i = 0; i < r->evidence_count; i++) {
		const struct report_evidence *e = &r->evidence[i];
		const struct finding_row *f = e->page.count ? e->page.row : NULL;

		if (!f)
			continue;
		json_object(j, NULL);
		json_string(j, "finding_id", f->finding_id);
		json_string(j, "kind", kind_name(f->kind));
		json_string(j, "misdirected", f->misdirected);
		json_string(j, "exposure", f->exposure);
		json_text(j, "recipient", f->recipient);
		json_int(j, "attempts", f->attempts);
		json_bool(j, "cause_seen", e->ladder.cause_seen);
		json_array(j, "hops");
		for (size_t k = 0; k < e->ladder.hop_count; k++)
			put_hop(j, &e->ladder.hop[k]);
		json_array_end(j);
		json_array(j, "reasons");
		for (size_t k = 0; k < f->reason_count; k++) {
			json_object(j, NULL);
			json_string(j, "rule", f->reason[k].rule);
			json_string(j, "sign", f->reason[k].sign);
			json_string(j, "strength", f->reason[k].strength);
			json_text(j, "text", f->reason[k].text);
			json_object_end(j);
		}
		json_array_end(j);
		json_object_end(j);
	}
	json_array_end(j);
}

static void put_unseen(struct json *j, const struct report *r)
{
	const struct sensor_counters *c = &r->seen;

	json_object(j, "not_seen");
	json_int(j, "sessions", (int64_t)c->sessions);
	json_int(j, "encrypted_sessions", (int64_t)c->encrypted_sessions);
	json_int(j, "one_sided_sessions", (int64_t)c->one_sided_sessions);
	json_int(j, "unseen_bytes", (int64_t)c->unseen_bytes);
	json_int(j, "kernel_drops", (int64_t)c->kernel_drops);
	json_int(j, "interface_drops", (int64_t)c->interface_drops);
	json_int(j, "evicted", (int64_t)c->evicted);
	json_int(j, "batches_behind", (int64_t)r->sensor.batches_behind);
	json_array(j, "gaps");
	for (size_t i = 0; i < r->sensor.gap_count; i++) {
		json_object(j, NULL);
		put_time(j, "from", r->sensor.gap[i].begin_us);
		put_time(j, "to", r->sensor.gap[i].end_us);
		json_object_end(j);
	}
	json_array_end(j);
	json_array(j, "coverage");
	for (size_t i = 0; i < r->sensor.coverage_count; i++) {
		const struct coverage_row *v = &r->sensor.coverage[i];

		if (!words_is_reported(r, v->server_id))
			continue;
		json_object(j, NULL);
		json_string(j, "server", v->server);
		json_string(j, "direction", v->direction);
		json_int(j, "sessions", (int64_t)v->sessions);
		json_int(j, "encrypted", (int64_t)v->encrypted);
		json_int(j, "one_sided", (int64_t)v->one_sided);
		json_int(j, "incomplete", (int64_t)v->incomplete);
		json_int(j, "hours", v->hours);
		json_object_end(j);
	}
	json_array_end(j);
	json_object_end(j);
}

static void put_hygiene(struct json *j, const struct report *r)
{
	json_array(j, "hygiene");
	for (size_t i = 0; i < r->hygiene_count; i++) {
		const struct hygiene_row *h = r->hygiene[i].row;

		json_object(j, NULL);
		json_string(j, "server", h->server);
		json_string(j, "what", h->what);
		json_int(j, "cases", (int64_t)h->cases);
		json_int(j, "of", (int64_t)h->of);
		put_time(j, "first", h->first_us);
		put_time(j, "last", h->last_us);
		json_string(j, "evidence", *h->evidence ? h->evidence : NULL);
		put_advice(j, r->hygiene[i].advice);
		json_object_end(j);
	}
	json_array_end(j);
}

static void put_method(struct json *j, const struct report *r)
{
	json_object(j, "method");
	json_string(j, "text", words_method());
	json_string(j, "version", VERSION);
	json_string(j, "store_id", r->store_id);
	put_time(j, "judged_for", r->span.now_us);
	put_time(j, "facts_until", r->span.judged_us);
	if (r->geo_built_us)
		put_time(j, "geoip_of", r->geo_built_us);
	else
		json_null(j, "geoip_of");
	json_array(j, "lists");
	for (size_t i = 0; i < r->options.lists->count; i++) {
		json_object(j, NULL);
		json_string(j, "list", r->options.lists->item[i].id);
		json_string(j, "name", r->options.lists->item[i].name);
		json_string(j, "last_verified", r->options.lists->item[i].last_verified);
		json_object_end(j);
	}
	json_array_end(j);
	json_object_end(j);
}

void report_json(const struct report *r, struct buf *out)
{
	struct json j;

	json_begin(&j, out);
	json_object(&j, NULL);
	json_int(&j, "schema", 1);
	put_time(&j, "since", r->options.since_us);
	put_time(&j, "until", r->options.until_us);
	put_time(&j, "compared_with_since", r->has_before ? r->before_us : 0);
	json_bool(&j, "anonymous", r->options.anonymous);
	json_string(&j, "state", report_state_name(r->state));
	json_string(&j, "verdict", r->verdict);
	put_tally(&j, "now", &r->now);
	put_tally(&j, "before", &r->before);
	put_tally(&j, "base_28_days", &r->base);
	put_matters(&j, r);
	put_changes(&j, r);
	json_array(&j, "servers");
	for (size_t i = 0; i < r->server_count; i++)
		put_server(&j, r, &r->server[i]);
	json_array_end(&j);
	put_lists(&j, r);
	put_timeline(&j, r);
	put_victims(&j, r);
	put_evidence(&j, r);
	put_unseen(&j, r);
	put_hygiene(&j, r);
	put_method(&j, r);
	json_object_end(&j);
	buf_add_char(out, '\n');
}
