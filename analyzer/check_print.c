/* check_print.c - see check.h: the answer first, then what it follows from, in 80 columns; and the line for monitoring. */
#include "analyzer/check.h"

#include <stdarg.h>
#include <string.h>

#include "common/buf.h"
#include "common/escape.h"
#include "common/timefmt.h"
#include "common/wrap.h"
#include "reader/advice.h"
#include "reader/hygiene.h"
#include "schema/db.h"

#define DAY_US INT64_C(86400000000)
#define HOUR_US INT64_C(3600000000)

enum { LABEL_COLUMNS = 14, NAME_COLUMNS = 19, WIRE_MAX = 300 };

/* ---- lines ---- */

/* "  label     text", continued under the text. */
static void put(FILE *out, const char *label, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void put(FILE *out, const char *label, const char *format, ...)
{
	char text[4096];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	fprintf(out, "  %-*s", LABEL_COLUMNS - 2, label);
	wrap_print(out, text, LABEL_COLUMNS, LABEL_COLUMNS);
}

/* Text of strangers; to be used before the next but three calls. */
static const char *wire(const char *s)
{
	static char kept[4][4 * WIRE_MAX];
	static unsigned next;
	struct buf b = { 0 };
	char *out = kept[next++ % 4];

	escape_terminal(&b, (struct text){ s, s ? (uint32_t)strlen(s) : 0 }, WIRE_MAX);
	snprintf(out, sizeof *kept, "%s", buf_cstr(&b));
	buf_fini(&b);
	return out;
}

static const char *plural(unsigned n)
{
	return n == 1 ? "" : "s";
}

/* ---- the answer ---- */

static const struct check_list *worst_list(const struct check *c, const struct check_address *a)
{
	return a->worst < c->lists->count ? &a->list[a->worst] : NULL;
}

static void put_headline(const struct check *c, const struct check_address *a, FILE *out)
{
	const struct check_list *l = worst_list(c, a);
	char words[SELFCHECK_WORDS_MAX], text[1024];

	if (l)
		snprintf(text, sizeof text, "%s for %s on %s: %s.", selfcheck_words(&l->result, words), a->text, l->list->name, l->result.why);
	else
		snprintf(text, sizeof text, "UNKNOWN for %s: %s.", a->text, c->lists->count ? "no list here has addresses of its kind" : "no blocklist is described in lists.d");
	wrap_print(out, text, 0, 0);
}

static const char *listing_words(const struct check_list *l)
{
	if (l->result.answer == SELFCHECK_NOT_COVERED)
		return "-";
	if (!l->list->zone)
		return "no zone";
	return l->in.listing == LISTING_LISTED ? "listed" : l->in.listing == LISTING_NOT_LISTED ? "not listed" : "unknown";
}

static void put_row(const struct check_list *l, FILE *out)
{
	char words[SELFCHECK_WORDS_MAX], clean[24], seen[24], since[TIME_TEXT_MAX] = "never seen";
	const struct selfcheck_result *r = &l->result;
	bool days = l->list->clean_us % DAY_US == 0;

	if (r->answer == SELFCHECK_NOT_COVERED) {
		fprintf(out, "  %-*.*s %s: %s\n", NAME_COLUMNS, NAME_COLUMNS, l->list->name, selfcheck_words(r, words), r->why);
		return;
	}
	snprintf(clean, sizeof clean, "%u/%u %s", (unsigned)(r->clean_us / (days ? DAY_US : HOUR_US)), (unsigned)(l->list->clean_us / (days ? DAY_US : HOUR_US)),
		 days ? "d" : "h");
	snprintf(seen, sizeof seen, "%u/%u %%", r->coverage_percent, l->list->coverage_percent);
	if (r->start_us)
		time_format_local(r->start_us, since);
	fprintf(out, "  %-*.*s %-12s %-10s %-7s %-8s %.16s\n", NAME_COLUMNS, NAME_COLUMNS, l->list->name, selfcheck_words(r, words), listing_words(l), clean, seen,
		since);
}

/* ---- a list ---- */

/* The page about the address, to be opened by whoever reads this. */
static void put_link(const struct check_address *a, const struct list *l, FILE *out)
{
	const char *at = l->lookup_url ? strstr(l->lookup_url, "{ip}") : NULL;

	if (at)
		put(out, "page", "%.*s%s%s", (int)(at - l->lookup_url), l->lookup_url, a->text, at + strlen("{ip}"));
	else if (l->lookup_url || l->url)
		put(out, "page", "%s", l->lookup_url ? l->lookup_url : l->url);
}

static void put_dns(const struct check_list *l, FILE *out)
{
	char when[TIME_TEXT_MAX];

	if (!l->list->zone) {
		put(out, "in DNS", "this list cannot be asked; its page below can");
		return;
	}
	if (!l->raw) {
		put(out, "in DNS", "unknown: not asked");
		return;
	}
	put(out, "in DNS", "%s: %s (%s), asked at %s", listing_words(l), wire(l->raw), l->in.listing_why, time_format_local(l->asked_us, when));
	if (l->reason)
		put(out, "its text", "\"%s\"", wire(l->reason));
}

static void put_list(const struct check *c, const struct check_address *a, const struct check_list *l, FILE *out)
{
	const struct selfcheck_evidence *e = &l->in.seen;
	const struct selfcheck_result *r = &l->result;
	char words[SELFCHECK_WORDS_MAX], when[TIME_TEXT_MAX];

	fprintf(out, "\n%s: %s\n", l->list->name, selfcheck_words(r, words));
	put(out, "why", "%s", r->why);
	put_dns(l, out);
	if (e->last_us)
		put(out, "last", "%s: the last attempt of what counts; %u mail%s in its window", time_format_local(e->last_us, when), e->counted, plural(e->counted));
	else
		put(out, "last", "nothing that counts was seen");
	if (l->in.impact_us)
		put(out, "impact", "%s: %s", time_format_local(l->in.impact_us, when), e->impact_seen ? "mail that it counts, or may count, was seen in that minute"
		    : l->in.impact_us < e->watched_us ? "nobody was watching yet" : "no such mail was seen then");
	if (e->doubtful)
		put(out, "in doubt", "%u mail%s, the last at %s", e->doubtful, plural(e->doubtful), time_format_local(e->doubt_us, when));
	if (e->refused_us)
		put(out, "refused", "a remote server named this list as its reason at %s", time_format_local(e->refused_us, when));
	if (r->start_us)
		put(out, "clock", "since %s (%s)", time_format_local(r->start_us, when), selfcheck_start_words(r->start));
	if (r->expires_us)
		put(out, "expiry", "%s%s", time_format_local(r->expires_us, when), r->expires_us > c->now_us ? ", if nothing follows" : ": a listing for what was seen is over");
	put_link(a, l->list, out);
}

/* ---- an address ---- */

static void put_coverage(const struct check_address *a, const struct check *c, FILE *out)
{
	const struct check_list *l = worst_list(c, a);

	if (!l)
		return;
	const struct selfcheck_coverage *x = &l->in.coverage;
	put(out, "seen", "packets in %u of %u hours; %u session%s out, of them %u not readable; %u in; %.2f %% of packets lost", x->hours_seen, x->hours, x->sessions,
	    plural(x->sessions), x->unreadable, x->received, x->packets + x->dropped ? 100.0 * (double)x->dropped / (double)(x->packets + x->dropped) : 0.0);
}

static void put_cause(const struct check_cause *x, FILE *out)
{
	static const char *const words[] = { [CHECK_CAUSE_OPEN] = "open", [CHECK_CAUSE_CLOSED] = "closed", [CHECK_CAUSE_QUIET] = "quiet", [CHECK_CAUSE_DOUBT] = "doubt" };
	char when[TIME_TEXT_MAX], since[96] = "";

	if (x->refused_since)
		snprintf(since, sizeof since, "; since then %u%s recipient%s refused in the dialogue as unknown", x->refused_since, x->refused_since >= 1000 ? " and more" : "",
			 x->refused_since == 1 ? " was" : "s were");
	else if (x->state == CHECK_CAUSE_QUIET)
		snprintf(since, sizeof since, "; none since, but nothing seen shows that it was fixed");
	put(out, words[x->state], "%s%s%s: %u mail%s, %u attempt%s, the last at %s%s", x->kind, x->cause_class ? ", " : "", x->cause_class ? x->cause_class : "", x->mails,
	    plural(x->mails), x->attempts, plural(x->attempts), time_format_local(x->last_us, when), since);
}

/* What to change for a cause that is open: the sentence; settings and traps are the report's. */
static void put_advice(const struct check_address *a, const struct check_cause *x, FILE *out)
{
	const struct advice *advice = advice_find(&(struct advice_query){ .matter = x->kind, .cause = x->cause_class, .software = x->software, .where = x->where });
	bool elsewhere = x->originator && strcmp(x->originator, a->text) != 0;

	if (x->state != CHECK_CAUSE_OPEN || !advice)
		return;
	put(out, "change", "%s%s%s%s%s%s", advice->what, x->software || elsewhere ? " (" : "", x->software ? x->software : "", x->software && elsewhere ? " on " : "",
	    elsewhere ? wire(x->originator) : "", x->software || elsewhere ? ")" : "");
}

/* Mail from before the fix goes on leaving for days. */
static void put_queue(const struct check_address *a, FILE *out)
{
	char when[TIME_TEXT_MAX];
	const struct advice_queue *q = advice_queue(a->cause_count ? a->cause[0].software : NULL);

	put(out, "retried", "%u mail%s, the last attempt at %s: old mail still leaves the queue", a->retrying, plural(a->retrying), time_format_local(a->retry_us, when));
	if (q->show)
		put(out, "queue", "%s", q->show);
	if (q->remove)
		put(out, "empty it", "%s", q->remove);
}

static void put_probe(const struct check_address *a, FILE *out)
{
	const struct probe *p = a->probe;

	if (a->no_probe)
		put(out, "no probe", "%s", a->no_probe);
	else if (p && p->result == PROBE_REFUSED)
		put(out, "refused", "the probe of %s: %s", p->recipient, wire(p->reply));
	else if (p)
		put(out, "probe", "proves nothing: %s%s, at %s", p->result == PROBE_TAKEN ? "the recipient was taken, and may still be refused at the end of data: "
		    : p->result == PROBE_NO_ANSWER ? "no answer" : "not refused as unknown: ", p->result == PROBE_NO_ANSWER ? "" : wire(p->reply), p->step);
}

static void put_evidence(const struct check *c, const struct check_address *a, FILE *out)
{
	fputs("\nWhat left\n", out);
	if (!(c->present & 1u << DB_VERDICTS)) {
		put(out, "unknown", "nothing is judged yet");
		return;
	}
	for (unsigned i = 0; i < a->cause_count; i++) {
		put_cause(&a->cause[i], out);
		put_advice(a, &a->cause[i], out);
	}
	if (!a->cause_count)
		put(out, "nothing", "that any list here counts");
	if (a->retrying)
		put_queue(a, out);
	put_probe(a, out);
	put_coverage(a, c, out);
}

static void put_name(const struct check_host_name *n, FILE *out)
{
	const char *from = n->is_ptr && n->is_ehlo ? "reverse DNS and EHLO" : n->is_ptr ? "reverse DNS" : "EHLO or banner";
	bool answered = n->status == DNS_ANSWER;

	if (n->status == DNS_MALFORMED) {
		put(out, "note", "%s (%s) is no host name that could be asked for", wire(n->name), from);
		return;
	}
	put(out, n->leads_back ? "ok" : answered || n->status == DNS_NO_NAME || n->status == DNS_NO_RECORD ? "note" : "unknown", "%s (%s) %s", wire(n->name), from,
	    n->leads_back ? "leads back to this address" : answered ? "leads to other addresses" : dns_status_words(n->status));
}

static void put_host(const struct check *c, const struct check_address *a, FILE *out)
{
	bool has_ptr = false, absent = a->ptr_status == DNS_NO_NAME || a->ptr_status == DNS_NO_RECORD;

	fputs("\nHost\n", out);
	for (unsigned i = 0; i < a->name_count; i++) {
		put_name(&a->name[i], out);
		has_ptr |= a->name[i].is_ptr;
	}
	if (!has_ptr)
		put(out, absent && c->answers ? "bad" : "unknown", "reverse DNS of %s: %s", a->text, dns_status_words(a->ptr_status));
	if (a->starttls >= 0)
		put(out, a->starttls ? "ok" : "note", "STARTTLS %s offered in the last dialogue seen", a->starttls ? "was" : "was not");
	for (unsigned i = 0; i < a->defect_count; i++)
		if (strcmp(a->defect[i].what, "no-starttls") != 0)
			put(out, "seen", "%s (%u of %u)", hygiene_words(a->defect[i].what), a->defect[i].cases, a->defect[i].of);
}

static void put_address(const struct check *c, const struct check_address *a, FILE *out)
{
	char when[TIME_TEXT_MAX];

	fprintf(out, "\n%s", a->text);	/* and the names of the servers behind it */
	for (unsigned i = 0; i < a->server_count; i++)
		if (strcmp(a->server[i], a->text) != 0)
			fprintf(out, " %s", wire(a->server[i]));
	fprintf(out, ", as of %s\n", time_format_local(c->now_us, when));
	fprintf(out, "  %-*s %-12s %-10s %-7s %-8s %s\n", NAME_COLUMNS, "list", "answer", "in DNS", "clean", "seen", "clock since");
	for (size_t i = 0; i < c->lists->count; i++)
		put_row(&a->list[i], out);
	put_evidence(c, a, out);
	put_host(c, a, out);
	for (size_t i = 0; i < c->lists->count; i++)
		if (a->list[i].result.answer != SELFCHECK_NOT_COVERED)
			put_list(c, a, &a->list[i], out);
}

/* ---- DNS ---- */

static void put_test(const struct list *l, const struct check_proof *p, bool ipv6, FILE *out)
{
	struct buf b = { 0 };

	buf_printf(&b, "%s%s: ", l->zone, ipv6 ? " (IPv6)" : "");
	if (p->test_listed)
		buf_printf(&b, "test entry %s; ", p->test_listed);
	if (p->test_not_listed)
		buf_printf(&b, "what must not be there %s; ", p->test_not_listed);
	buf_printf(&b, "a random name %s%s%s", p->random, *p->why ? ": " : "", p->why);
	put(out, !p->holds ? "bad" : *p->why ? "note" : "ok", "%s", wire(buf_cstr(&b)));
	buf_fini(&b);
}

static void put_resolver(const struct check *c, FILE *out)
{
	bool kept = c->lists->count > 0;

	fprintf(out, "\nResolver %s\n", c->resolvers);
	if (c->public_resolver)
		put(out, "bad", "this is %s's public service; lists refuse it, or answer nonsense, since they cannot tell who asks: --resolver, with one of your own",
		    c->public_resolver);
	if (!c->answers && c->absent)
		put(out, "bad", "not a single name that was asked for exists, if it is to be believed: is it cut off from the Internet?");
	if (c->rewrites)
		put(out, "bad", "it answers names that do not exist: nothing that it says of lists proves anything; --resolver, with one that does not");
	for (size_t i = 0; i < c->lists->count; i++)
		for (unsigned family = 0; family < 2; family++)
			if (c->proof[i * 2 + family].asked) {
				put_test(&c->lists->item[i], &c->proof[i * 2 + family], family == 1, out);
				kept = false;
			}
	if (kept)
		put(out, "kept", "answers of lists are those of the last 15 minutes");
}

static void put_record(const char *what, const char *domain, enum check_record found, const char *text, FILE *out)
{
	static const char *const words[] = { [CHECK_RECORD_UNKNOWN] = "unknown", [CHECK_RECORD_MISSING] = "missing", [CHECK_RECORD_PRESENT] = "ok",
		[CHECK_RECORD_TWICE] = "bad" };

	put(out, words[found], "%s of %s%s%s", what, domain, found == CHECK_RECORD_TWICE ? ": several records, so that none holds" : text ? ": " : "", text ? wire(text) : "");
}

static void put_domains(const struct check *c, FILE *out)
{
	if (!c->domain_count)
		return;
	fputs("\nOwn domains\n", out);
	for (unsigned i = 0; i < c->domain_count; i++) {
		const struct check_domain *d = &c->domain[i];

		put_record("SPF", d->name, d->spf, d->spf == CHECK_RECORD_PRESENT ? d->spf_text : NULL, out);
		put_record("DMARC", d->name, d->dmarc, d->dmarc == CHECK_RECORD_PRESENT ? d->dmarc_text : NULL, out);
	}
}

static void put_ways_off(const struct list *l, FILE *out)
{
	static const struct { unsigned bit; const char *words; } ways[] = {
		{ LIST_DELIST_WAIT, "waiting" }, { LIST_DELIST_SELF, "asking (free)" }, { LIST_DELIST_PAID, "paying" },
		{ LIST_DELIST_PROVIDER, "the owner of the network" },
	};
	struct buf b = { 0 };

	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		if (l->delist & ways[i].bit)
			buf_printf(&b, "%s%s", b.len ? ", " : "", ways[i].words);
	if (b.len)
		put(out, "ways off", "%s", buf_cstr(&b));
	buf_fini(&b);
}

/* What the file of a list says to people, once for all addresses. */
static void put_list_file(const struct list *l, FILE *out)
{
	fprintf(out, "\n%s%s%s\n", l->name, l->last_verified ? ", as of " : "", l->last_verified ? l->last_verified : "");
	if (l->permits)
		put(out, "READY means", "%s", l->permits);
	if (l->wants)
		put(out, "it wants", "%s", l->wants);
	if (l->avoid)
		put(out, "avoid", "%s", l->avoid);
	put_ways_off(l, out);
	if (l->url)
		put(out, "operator", "%s", l->url);
}

void check_print(const struct check *c, FILE *out)
{
	for (unsigned i = 0; i < c->address_count; i++)
		put_headline(c, &c->address[i], out);
	put_resolver(c, out);
	for (unsigned i = 0; i < c->address_count; i++)
		put_address(c, &c->address[i], out);
	for (size_t i = 0; i < c->lists->count; i++)
		put_list_file(&c->lists->item[i], out);
	put_domains(c, out);
}

/* ---- monitoring ---- */

/* Codes of monitoring plugins. */
static int code_of(const struct check_list *l)
{
	static const int codes[] = { [SELFCHECK_READY] = 0, [SELFCHECK_WAIT] = 1, [SELFCHECK_NOT_READY] = 2, [SELFCHECK_UNKNOWN] = 3, [SELFCHECK_NOT_COVERED] = 3 };

	return l ? codes[l->result.answer] : 3;
}

int check_print_plugin(const struct check *c, FILE *out)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };
	const struct check_address *a = &c->address[0];	/* the worst */
	const struct check_list *l = worst_list(c, a);
	unsigned listed = 0, unknown = 0;

	for (unsigned i = 0; i < c->address_count; i++)
		for (size_t k = 0; k < c->lists->count; k++) {
			listed += c->address[i].list[k].in.listing == LISTING_LISTED;
			unknown += c->address[i].list[k].raw && c->address[i].list[k].in.listing == LISTING_UNKNOWN;
		}
	fprintf(out, "BOUNCETAP %s - ", words[code_of(l)]);
	if (l) {
		char answer[SELFCHECK_WORDS_MAX];

		fprintf(out, "%s for %s on %s: %s", selfcheck_words(&l->result, answer), a->text, l->list->name, l->result.why);
		/* label=value[unit];warn;crit: days below the list's are a warning */
		fprintf(out, " | clean_days=%.2f;%.2f: coverage=%u%%;%u: mails=%u", (double)l->result.clean_us / DAY_US, (double)l->list->clean_us / DAY_US,
			l->result.coverage_percent, l->list->coverage_percent, l->in.seen.counted);
	} else
		fprintf(out, "UNKNOWN for %s: no list has addresses of its kind | mails=0", a->text);
	fprintf(out, " listed=%u;;0 lookups_unknown=%u queries=%u dns_time=%.3fs addresses=%u\n", listed, unknown, c->queries, (double)c->dns_took_us / 1e6, c->address_count);
	return code_of(l);
}
