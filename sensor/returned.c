/* returned.c - see returned.h */
#include "sensor/returned.h"

#include <stddef.h>
#include <string.h>

#include "sensor/header.h"
#include "sensor/limits.h"
#include "sensor/received.h"

enum { DKIM_DOMAINS_KEPT = 5 };	/* fact_returned.dkim_domains; lists and forwarders add one each */

static void keep_dkim_domain(struct fact_returned *r, struct arena *a, struct text domain, uint32_t *notes)
{
	struct text had = r->dkim_domains;
	unsigned count = had.len ? 1 : 0;
	char joined[LIMIT_HEADER_VALUE];

	for (uint32_t i = 0; i < had.len; i++)
		count += had.p[i] == ' ';
	if (count >= DKIM_DOMAINS_KEPT || domain.len == 0 || had.len + 1 + domain.len > sizeof joined)
		return;
	if (had.len) {
		memcpy(joined, had.p, had.len);
		joined[had.len++] = ' ';
	}
	memcpy(joined + had.len, domain.p, domain.len);
	r->dkim_domains = header_keep(a, (struct text){ joined, had.len + domain.len }, LIMIT_HEADER_VALUE, notes);
}

static void keep_authentication(struct fact_returned *r, struct arena *a, struct text value, uint32_t *notes)
{
	if (r->authentication_results.p)
		return;
	r->authentication_results = header_keep(a, value, LIMIT_HEADER_VALUE, notes);
	r->authserv = header_auth_server(r->authentication_results);
	r->spf = header_auth_result(r->authentication_results, "spf");
	r->dkim = header_auth_result(r->authentication_results, "dkim");
	r->dmarc = header_auth_result(r->authentication_results, "dmarc");
}

static bool is(struct text name, const char *word)
{
	return name.len == strlen(word) && text_starts_nocase(name, word);
}

/* X-Spam-Flag: YES; X-Spam-Status: Yes, score=... */
static struct text spam_word(struct text value)
{
	if (text_starts_nocase(value, "yes"))
		return TEXT("yes");
	return text_starts_nocase(value, "no") ? TEXT("no") : (struct text){ 0 };
}

static const struct {
	const char *name;
	size_t offset;
	bool id;	/* kept without <> */
} plain[] = {
	{ "Message-ID", offsetof(struct fact_returned, message_id), true },
	{ "Return-Path", offsetof(struct fact_returned, return_path), false },
	{ "From", offsetof(struct fact_returned, from), false },
	{ "To", offsetof(struct fact_returned, to), false },
	{ "Subject", offsetof(struct fact_returned, subject), false },
	{ "Received-SPF", offsetof(struct fact_returned, received_spf), false },
};

void returned_field(struct fact_returned *r, struct arena *a, struct text name, struct text value, uint32_t *notes)
{
	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
		if (!is(name, plain[i].name))
			continue;
		struct text *to = (struct text *)(void *)((char *)r + plain[i].offset);

		if (!to->p)
			*to = header_keep(a, plain[i].id ? header_strip_angle(value) : value, LIMIT_HEADER_VALUE, notes);
		return;
	}
	if (is(name, "Received"))
		received_keep(a, value, &r->received, &r->received_count, notes);
	else if (is(name, "Authentication-Results"))
		keep_authentication(r, a, value, notes);
	else if (is(name, "DKIM-Signature"))
		keep_dkim_domain(r, a, header_tag(value, "d"), notes);
	else if ((is(name, "X-Spam-Flag") || is(name, "X-Spam-Status")) && !r->spam.p)
		r->spam = spam_word(value);
}

void returned_end(struct fact_returned *r)
{
	uint32_t i = 0;

	if (r->spf.p || !r->received_spf.p)
		return;
	while (i < r->received_spf.len && ((r->received_spf.p[i] | 32) >= 'a' && (r->received_spf.p[i] | 32) <= 'z'))
		i++;
	if (i)
		r->spf = (struct text){ r->received_spf.p, i };
}
