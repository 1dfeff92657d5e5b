/*
 * received.c - see received.h
 *
 * Words and comments in turn. A keyword takes the word behind it; comments count only between "from" and the next keyword:
 *   Postfix, Sendmail, OpenSMTPD, Gmail  from HELO (name [ip]) by HOST (Postfix) with ESMTP id ID for <a>; date
 *   Exim                                 from NAME ([ip] helo=HELO) by ... id ID for a;  from [ip] (helo=HELO)
 *   Courier                              from HELO (name [::ffff:ip]) by ... with ESMTP id ID; date
 *   qmail                                from NAME (HELO x) (ip) by ...;   (qmail N invoked for bounce); date
 *   Exchange                             from NAME (ip) by NAME (ip) with Microsoft SMTP Server id 15.1; date
 */
#include "sensor/received.h"

#include <string.h>

#include "sensor/header.h"
#include "sensor/limits.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The token at *i: a comment with its parentheses, or a word; *i moves behind it. False at the end. */
static bool next_token(struct text value, uint32_t *i, struct text *token)
{
	unsigned depth = 0;
	uint32_t from;

	while (*i < value.len && is_blank(value.p[*i]))
		++*i;
	if (*i == value.len)
		return false;
	from = *i;
	if (value.p[from] == '(') {
		do {
			char c = value.p[(*i)++];

			if (c == '\\' && *i < value.len)
				++*i;
			else if (c == '(' || c == ')')
				depth += c == '(' ? 1u : -1u;
		} while (depth && *i < value.len);
	} else {
		while (*i < value.len && !is_blank(value.p[*i]) && value.p[*i] != '(')
			++*i;
	}
	*token = (struct text){ value.p + from, *i - from };
	return true;
}

static bool parse_ip(struct text t, struct ip_addr *ip)
{
	struct ip_addr a;

	if (text_starts_nocase(t, "ipv6:")) {
		t.p += 5;
		t.len -= 5;
	}
	if (ip_parse(t.p, t.len, &a))
		return false;
	*ip = a;
	return true;
}

/* "name[ip]:port": the address in the brackets. */
static bool bracketed_ip(struct text word, struct ip_addr *ip)
{
	const char *open = memchr(word.p, '[', word.len);
	const char *close = open ? memchr(open, ']', (size_t)(word.p + word.len - open)) : NULL;

	return close && parse_ip((struct text){ open + 1, (uint32_t)(close - open - 1) }, ip);
}

/* "HELO", "helo=name" */
static bool is_helo(struct text word)
{
	if (word.len < 4 || (word.len > 4 && word.p[4] != '='))
		return false;
	return text_starts_nocase(word, "helo") || text_starts_nocase(word, "ehlo") || text_starts_nocase(word, "lhlo");
}

/* What inet_pton is worth asking about. */
static bool is_ip_like(struct text word)
{
	char last = word.p[word.len - 1];

	return (last >= '0' && last <= '9') || last == ':' || ((last | 32) >= 'a' && (last | 32) <= 'f');
}

/*
 * An address in a comment: one in brackets wins over a bare one, an earlier comment over a later one. What follows HELO is the client's word.
 * Comments may hold comments: their parentheses count as blanks.
 */
static void comment_ip(struct text comment, struct ip_addr *bracketed, struct ip_addr *bare)
{
	bool helo = false;	/* the word before was HELO */
	uint32_t i = 0;

	while (i < comment.len) {
		uint32_t from = i;

		while (i < comment.len && !is_blank(comment.p[i]) && comment.p[i] != '(' && comment.p[i] != ')' && comment.p[i] != ',')
			i++;
		struct text word = { comment.p + from, i - from };
		i++;
		if (word.len == 0)
			continue;
		bool claim = helo;

		helo = is_helo(word);
		if (claim || helo) {
			helo = helo && word.len == 4;
			continue;
		}
		if (!bracketed->version && bracketed_ip(word, bracketed))
			continue;
		if (!bare->version && is_ip_like(word))
			parse_ip(word, bare);
	}
}

/* The date, which nobody asks for, begins behind the last ";" that is in no comment. */
static uint32_t date_at(struct text value)
{
	uint32_t depth = 0;

	for (uint32_t i = value.len; i-- > 0;) {
		char c = value.p[i];

		if (c == ')')
			depth++;
		else if (c == '(' && depth)
			depth--;
		else if (c == ';' && !depth)
			return i;
	}
	return value.len;
}

/* Where the word behind this one goes; for_address: nobody asks for it, but it is no keyword. NULL: this is no keyword. */
static struct text *keyword_slot(struct text word, struct fact_received *r, struct text *for_address)
{
	static const char *const word_of[] = { "from", "by", "with", "id", "for" };
	struct text *slot[] = { &r->from_host, &r->by_host, &r->with, &r->id, for_address };

	if (word.len < 2 || word.len > 4)
		return NULL;
	for (unsigned k = 0; k < 5; k++)
		if ((word.p[0] | 32) == word_of[k][0] && word.len == strlen(word_of[k]) && text_starts_nocase(word, word_of[k]))
			return k == 0 && r->by_host.p ? NULL : slot[k];
	return NULL;
}

bool received_parse(struct text value, struct fact_received *out)
{
	struct ip_addr bracketed = { 0 }, bare = { 0 };
	struct text clauses = value, token, for_address = { 0 }, *slot = NULL;
	bool from_clause = false;
	uint32_t i = 0;

	*out = (struct fact_received){ 0 };
	clauses.len = date_at(value);
	while (next_token(clauses, &i, &token)) {
		if (token.p[0] == '(') {
			if (from_clause)
				comment_ip(token, &bracketed, &bare);
		} else if (slot) {
			*slot = token;
			slot = NULL;
		} else {
			slot = keyword_slot(token, out, &for_address);
			if (slot)
				from_clause = slot == &out->from_host;
			else if (from_clause && !bracketed.version)
				bracketed_ip(token, &bracketed);	/* old Exim: from NAME [ip] by */
			if (slot && slot->p)
				slot = NULL;
		}
	}
	out->from_ip = bracketed.version ? bracketed : bare;
	if (!out->from_ip.version && out->from_host.p && !bracketed_ip(out->from_host, &out->from_ip))
		parse_ip(out->from_host, &out->from_ip);
	return out->from_host.p || out->from_ip.version || out->by_host.p || out->id.p;
}

/* Room for one more: most mails have a few, many have seven. NULL when the arena is full. */
static struct fact_received *room(struct arena *a, struct fact_received *list, uint8_t count)
{
	enum { FIRST = 4, MORE = 12 };

	if (count != 0 && count != FIRST && count != MORE)
		return list;
	unsigned cap = count == 0 ? FIRST : count == FIRST ? MORE : RECEIVED_KEPT;
	struct fact_received *grown = arena_alloc(a, cap * sizeof *grown);
	if (grown && count)
		memcpy(grown, list, count * sizeof *grown);
	return grown;
}

void received_keep(struct arena *a, struct text value, struct fact_received **list, uint8_t *count, uint32_t *notes)
{
	struct fact_received r;

	if (value.len > LIMIT_HEADER_VALUE) {
		value.len = LIMIT_HEADER_VALUE;
		*notes |= NOTE_TRUNCATED;
	}
	if (!received_parse(value, &r))
		return;
	struct fact_received *grown = *count < RECEIVED_KEPT ? room(a, *list, *count) : NULL;
	if (!grown) {
		*notes |= NOTE_TRUNCATED;
		return;
	}
	struct text *part[] = { &r.from_host, &r.by_host, &r.with, &r.id };
	for (size_t i = 0; i < sizeof part / sizeof *part; i++)
		if (part[i]->p)
			*part[i] = header_keep(a, *part[i], LIMIT_HEADER_VALUE, notes);
	grown[*count] = r;
	*list = grown;
	++*count;
}
