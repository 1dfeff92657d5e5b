/* report_words.c - see report_words.h */
#include "analyzer/report_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/timefmt.h"

const char *words_state(enum report_state s)
{
	static const char *const words[] = { "BAD", "WATCH", "CLEAN", "NOT KNOWN" };

	return words[s];
}

const char *words_trend(enum report_trend t)
{
	static const char *const words[] = { "NEW", "WORSE", "GONE", "BETTER", "SILENT", "APPEARED" };

	return words[t];
}

const char *words_kind(enum kind k, uint64_t n)
{
	static const char *const words[KIND_COUNT][2] = {
		[KIND_ORDINARY] = { "ordinary mail", "ordinary mails" },
		[KIND_BOUNCE] = { "bounce", "bounces" },
		[KIND_DELAY_NOTICE] = { "delay notice", "delay notices" },
		[KIND_SUCCESS_NOTICE] = { "success notice", "success notices" },
		[KIND_AUTOREPLY] = { "autoreply", "autoreplies" },
		[KIND_TICKET] = { "ticket acknowledgement", "ticket acknowledgements" },
		[KIND_READ_RECEIPT] = { "read receipt", "read receipts" },
		[KIND_CHALLENGE] = { "challenge", "challenges" },
		[KIND_CONTENT_NOTICE] = { "content notice", "content notices" },
		[KIND_LIST_NOTICE] = { "list notice", "list notices" },
		[KIND_CALLOUT] = { "callout", "callouts" },
		[KIND_AUTOMATED_UNKNOWN] = { "automated mail of unknown kind", "automated mails of unknown kind" },
		[KIND_CALL_AHEAD] = { "call-ahead", "call-aheads" },
		[KIND_FEEDBACK_REPORT] = { "feedback report", "feedback reports" },
	};

	return words[k][n != 1];
}

const char *words_misdirected(const char *verdict)
{
	return strcmp(verdict, "yes") == 0 ? "misdirected" : strcmp(verdict, "likely") == 0 ? "probably misdirected"
	     : strcmp(verdict, "no") == 0 ? "not misdirected: it went to who caused it" : "not known whether misdirected";
}

const char *words_plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

const char *words_count(uint64_t n, char out[WORDS_NUMBER_MAX])
{
	char digits[24];
	size_t len = (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)n), at = 0;

	for (size_t i = 0; i < len; i++) {
		if (i && len > 4 && (len - i) % 3 == 0)
			out[at++] = ' ';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

char words_level(uint64_t n, uint64_t most)
{
	if (!n || !most)
		return '.';
	uint64_t level = (n * 9 + most - 1) / most;
	return (char)('0' + (level > 9 ? 9 : level));
}

uint64_t words_bar(const struct report_bar *b, int which)
{
	const uint64_t values[] = { b->misdirected, b->avoidable, b->answers, b->mails };

	return values[which];
}

const char *words_title(const struct report *r, int64_t server_id, const char *name)
{
	for (size_t i = 0; i < r->server_count; i++)
		if (r->server[i].row->id == server_id)
			return r->server[i].title;
	return name;
}

struct text words_text(const char *s)
{
	return (struct text){ s, (uint32_t)strlen(s) };
}

bool words_is_reported(const struct report *r, int64_t server_id)
{
	for (size_t i = 0; i < r->server_count; i++)
		if (r->server[i].row->id == server_id)
			return true;
	return false;
}

const char *words_stale(const struct report_matter *m)
{
	return m->fresh || !m->queue ? NULL
	     : "No mail that they answer was seen to come in this time: they may have waited in the queue, and the fault be mended already.";
}

const char *words_where(const struct report_matter *m)
{
	return strcmp(m->where, "inner") == 0 ? "refused behind it" : strcmp(m->where, "outside") == 0 ? "refused where it was forwarded"
	     : strcmp(m->where, "client") == 0 ? "written by clients of ours" : "";
}

const char *words_client(const struct report_matter *m, char out[WORDS_CLIENT_MAX])
{
	if (strcmp(m->where, "client") != 0 || !m->client)
		return NULL;
	if (m->clients > 1)
		snprintf(out, WORDS_CLIENT_MAX, "written from %s and %" PRIu64 " more, by clients of ours", m->client, m->clients - 1);
	else
		snprintf(out, WORDS_CLIENT_MAX, "written from %s, by a client of ours", m->client);
	return out;
}

const char *words_nothing(const struct report *r)
{
	return r->known_count ? "Nothing beyond what is known already (Causes)." : r->state == REPORT_BLIND ? "Nothing that was seen, which proves nothing." : "Nothing.";
}

const char *words_period(const struct report *r, char out[WORDS_PERIOD_MAX])
{
	char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];

	if (!r->span.first_us)
		return "no mail";
	snprintf(out, WORDS_PERIOD_MAX, "%.16s to %.16s%s%s", time_format_local(r->options.since_us, from), time_format_local(r->options.until_us, to),
		 r->options.server || r->options.owner || r->options.tenant ? ", not all servers" : "", r->options.anonymous ? ", anonymous" : "");
	return out;
}

const char *words_method(void)
{
	return "Answers are mails that our servers made by themselves and sent outside, each counted once. Misdirected: two independent signs (proved) or one (likely) that"
	       " the recipient did not cause it, and none against it. Avoidable: misdirected, or sent to an outsider after his mail had been taken, which a refusal in the"
	       " dialogue ends. Usual is the mean of the 28 days before. What a list would do is computed from its published rules; whether a recipient is a trap"
	       " nobody outside the list can see. Encrypted sessions are not read.";
}

const char *words_place(const struct geo_place *place, char out[WORDS_PLACE_MAX])
{
	int n = snprintf(out, WORDS_PLACE_MAX, "%s", place->country);

	if (place->asn)
		snprintf(out + n, (size_t)(WORDS_PLACE_MAX - n), "%sAS%u", n ? " " : "", place->asn);
	return out;
}
