/* check_json.c - see check.h: one JSON object a line for each address, with all that the text has. */
#include "analyzer/check.h"

#include <string.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/timefmt.h"
#include "reader/advice.h"

static void put_time(struct json *j, const char *key, int64_t us)
{
	char text[TIME_TEXT_MAX];

	json_string(j, key, us ? time_format_utc(us, text) : NULL);
}

static void put_listing(struct json *j, const struct check_list *l)
{
	json_object(j, "listing");
	json_string(j, "state", l->list->zone ? listing_state_name(l->in.listing) : NULL);
	json_string(j, "answer", l->raw);
	json_string(j, "why", l->raw ? l->in.listing_why : NULL);
	json_string(j, "text", l->reason);
	put_time(j, "asked", l->asked_us);
	json_object_end(j);
}

static void put_seen(struct json *j, const struct check_list *l)
{
	const struct selfcheck_evidence *e = &l->in.seen;

	json_object(j, "seen");
	put_time(j, "last", e->last_us);
	json_int(j, "mails", e->counted);
	if (l->in.impact_us)
		json_bool(j, "impact", e->impact_seen);
	else
		json_null(j, "impact");
	json_int(j, "since_fix", e->since_fix);
	json_int(j, "retries_since_fix", e->retries);
	json_int(j, "unclear_since_fix", e->unclear);
	json_int(j, "doubtful", e->doubtful);
	put_time(j, "doubtful_last", e->doubt_us);
	put_time(j, "defect_last", e->defect_us);
	put_time(j, "refused_last", e->refused_us);
	json_object_end(j);
}

static void put_coverage(struct json *j, const struct check_list *l)
{
	const struct selfcheck_coverage *x = &l->in.coverage;

	json_object(j, "coverage");
	json_int(j, "percent", l->result.coverage_percent);
	json_int(j, "needed_percent", l->list->coverage_percent);
	json_int(j, "hours", x->hours);
	json_int(j, "hours_seen", x->hours_seen);
	json_int(j, "sessions_out", x->sessions);
	json_int(j, "sessions_out_unreadable", x->unreadable);
	json_int(j, "sessions_in", x->received);
	json_int(j, "packets", (int64_t)x->packets);
	json_int(j, "packets_dropped", (int64_t)x->dropped);
	json_object_end(j);
}

static void put_list(struct json *j, const struct check_list *l)
{
	static const char *const starts[] = { [SELFCHECK_SINCE_WATCHED] = "watched", [SELFCHECK_SINCE_LAST] = "last", [SELFCHECK_SINCE_IMPACT] = "impact",
		[SELFCHECK_SINCE_FIX] = "fix", [SELFCHECK_SINCE_REFUSAL] = "refusal" };
	const struct selfcheck_result *r = &l->result;

	json_object(j, NULL);
	json_string(j, "list", l->list->id);
	json_string(j, "name", l->list->name);
	json_string(j, "answer", selfcheck_name(r->answer));
	json_int(j, "wait_days", r->wait_days);
	json_string(j, "why", r->why);
	put_listing(j, l);
	put_time(j, "clock", r->start_us);
	json_string(j, "clock_since", r->start_us ? starts[r->start] : NULL);
	json_int(j, "clean_seconds", r->clean_us / 1000000);
	json_int(j, "needed_seconds", l->list->clean_us / 1000000);
	put_time(j, "expires", r->expires_us);
	put_seen(j, l);
	put_coverage(j, l);
	json_string(j, "permits", l->list->permits);
	json_string(j, "wants", l->list->wants);
	json_string(j, "avoid", l->list->avoid);
	json_string(j, "url", l->list->url);
	json_object_end(j);
}

static void put_causes(struct json *j, const struct check_address *a)
{
	static const char *const states[] = { [CHECK_CAUSE_OPEN] = "open", [CHECK_CAUSE_CLOSED] = "closed", [CHECK_CAUSE_QUIET] = "quiet", [CHECK_CAUSE_DOUBT] = "doubt" };

	json_array(j, "causes");
	for (unsigned i = 0; i < a->cause_count; i++) {
		const struct check_cause *x = &a->cause[i];

		json_object(j, NULL);
		json_string(j, "state", states[x->state]);
		json_string(j, "kind", x->kind);
		json_string(j, "cause_class", x->cause_class);
		json_int(j, "mails", x->mails);
		json_int(j, "counted", x->counted);
		json_int(j, "attempts", x->attempts);
		put_time(j, "first", x->first_us);
		put_time(j, "last", x->last_us);
		json_int(j, "refused_since", x->refused_since);
		json_string(j, "originator", x->originator);
		json_string(j, "software", x->software);
		json_string(j, "advice", advice_find(&(struct advice_query){ .matter = x->kind, .cause = x->cause_class, .software = x->software, .where = x->where })->what);
		json_object_end(j);
	}
	json_array_end(j);
}

static void put_probe(struct json *j, const struct check_address *a)
{
	static const char *const results[] = { [PROBE_REFUSED] = "refused", [PROBE_TAKEN] = "taken", [PROBE_OTHER] = "other", [PROBE_NO_ANSWER] = "no-answer" };

	if (!a->probe && !a->no_probe) {
		json_null(j, "probe");
		return;
	}
	json_object(j, "probe");
	json_string(j, "result", a->probe ? results[a->probe->result] : NULL);
	json_string(j, "recipient", a->probe ? a->probe->recipient : NULL);
	json_string(j, "step", a->probe ? a->probe->step : NULL);
	json_string(j, "reply", a->probe ? a->probe->reply : NULL);
	json_string(j, "why_not", a->no_probe);
	json_object_end(j);
}

static void put_host(struct json *j, const struct check_address *a)
{
	json_object(j, "host");
	json_string(j, "reverse_dns", dns_status_words(a->ptr_status));
	json_array(j, "names");
	for (unsigned i = 0; i < a->name_count; i++) {
		const struct check_host_name *n = &a->name[i];

		json_object(j, NULL);
		json_string(j, "name", n->name);
		json_bool(j, "reverse_dns", n->is_ptr);
		json_bool(j, "ehlo", n->is_ehlo);
		json_string(j, "dns", dns_status_words(n->status));
		json_bool(j, "leads_back", n->leads_back);
		json_object_end(j);
	}
	json_array_end(j);
	if (a->starttls < 0)
		json_null(j, "starttls");
	else
		json_bool(j, "starttls", a->starttls > 0);
	json_array(j, "defects");
	for (unsigned i = 0; i < a->defect_count; i++) {
		json_object(j, NULL);
		json_string(j, "what", a->defect[i].what);
		json_int(j, "cases", a->defect[i].cases);
		json_int(j, "of", a->defect[i].of);
		put_time(j, "last", a->defect[i].last_us);
		json_object_end(j);
	}
	json_array_end(j);
	json_object_end(j);
}

static void put_resolver(struct json *j, const struct check *c)
{
	json_object(j, "resolver");
	json_string(j, "addresses", c->resolvers);
	json_string(j, "public", c->public_resolver);
	json_bool(j, "rewrites", c->rewrites);
	json_array(j, "tests");
	for (size_t i = 0; i < c->lists->count * 2; i++) {
		const struct check_proof *p = &c->proof[i];

		if (!p->asked)
			continue;
		json_object(j, NULL);
		json_string(j, "zone", c->lists->item[i / 2].zone);
		json_bool(j, "ipv6", i % 2);
		json_string(j, "test_listed", p->test_listed);
		json_string(j, "test_not_listed", p->test_not_listed);
		json_string(j, "random", p->random);
		json_bool(j, "holds", p->holds);
		json_string(j, "why", *p->why ? p->why : NULL);
		json_object_end(j);
	}
	json_array_end(j);
	json_object_end(j);
}

static void put_domains(struct json *j, const struct check *c)
{
	static const char *const found[] = { [CHECK_RECORD_UNKNOWN] = "unknown", [CHECK_RECORD_MISSING] = "missing", [CHECK_RECORD_PRESENT] = "present",
		[CHECK_RECORD_TWICE] = "several" };

	json_array(j, "domains");
	for (unsigned i = 0; i < c->domain_count; i++) {
		const struct check_domain *d = &c->domain[i];

		json_object(j, NULL);
		json_string(j, "domain", d->name);
		json_string(j, "spf", found[d->spf]);
		json_string(j, "spf_record", d->spf_text);
		json_string(j, "dmarc", found[d->dmarc]);
		json_string(j, "dmarc_record", d->dmarc_text);
		json_object_end(j);
	}
	json_array_end(j);
}

static void put_address(struct json *j, const struct check *c, const struct check_address *a)
{
	const struct check_list *l = a->worst < c->lists->count ? &a->list[a->worst] : NULL;

	json_object(j, NULL);
	json_string(j, "address", a->text);
	put_time(j, "now", c->now_us);
	json_array(j, "servers");
	for (unsigned i = 0; i < a->server_count; i++)
		json_string(j, NULL, a->server[i]);
	json_array_end(j);
	json_string(j, "answer", l ? selfcheck_name(l->result.answer) : "unknown");
	json_string(j, "list", l ? l->list->id : NULL);
	json_string(j, "why", l ? l->result.why : "no list has addresses of its kind");
	json_array(j, "lists");
	for (size_t i = 0; i < c->lists->count; i++)
		put_list(j, &a->list[i]);
	json_array_end(j);
	put_causes(j, a);
	json_int(j, "retrying", a->retrying);
	put_probe(j, a);
	put_host(j, a);
	put_resolver(j, c);
	put_domains(j, c);
	json_object_end(j);
}

void check_print_json(const struct check *c, FILE *out)
{
	struct buf b = { 0 };
	struct json j;

	for (unsigned i = 0; i < c->address_count; i++) {
		json_begin(&j, &b);
		put_address(&j, c, &c->address[i]);
		buf_add_char(&b, '\n');
	}
	fwrite(b.p, 1, b.len, out);
	buf_fini(&b);
}
