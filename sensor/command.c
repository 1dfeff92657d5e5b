/* command.c - see command.h */
#include "sensor/command.h"

#include <string.h>
#include <strings.h>

static const struct verb_info {
	const char *name;
	uint8_t length;		/* of the name */
	bool ends_group;
	bool on_wire;
} verbs[] = {
#define V(name, ends_group, on_wire) { name, sizeof name - 1, ends_group, on_wire }
	[VERB_UNKNOWN] = V("?", false, false),
	[VERB_HELO] = V("HELO", true, true),
	[VERB_EHLO] = V("EHLO", true, true),
	[VERB_LHLO] = V("LHLO", true, true),
	[VERB_MAIL] = V("MAIL", false, true),
	[VERB_RCPT] = V("RCPT", false, true),
	[VERB_DATA] = V("DATA", true, true),
	[VERB_BDAT] = V("BDAT", false, true),
	[VERB_RSET] = V("RSET", false, true),
	[VERB_QUIT] = V("QUIT", true, true),
	[VERB_NOOP] = V("NOOP", true, true),
	[VERB_VRFY] = V("VRFY", true, true),
	[VERB_EXPN] = V("EXPN", true, true),
	[VERB_HELP] = V("HELP", true, true),
	[VERB_ETRN] = V("ETRN", true, true),
	[VERB_TURN] = V("TURN", true, true),
	[VERB_AUTH] = V("AUTH", true, true),
	[VERB_STARTTLS] = V("STARTTLS", true, true),
	[VERB_XANONYMOUSTLS] = V("X-ANONYMOUSTLS", true, true),
	[VERB_XCLIENT] = V("XCLIENT", true, true),
	[VERB_XFORWARD] = V("XFORWARD", false, true),
	[VERB_AUTH_LINE] = V("*", true, false),
	[VERB_DATA_END] = V(".", false, false),
	[VERB_HOLE] = V("-", false, false),
	[VERB_TLS] = V("TLS", false, false),
#undef V
};

const char *command_verb_name(enum verb v)
{
	return verbs[v].name;
}

bool command_ends_group(enum verb v)
{
	return verbs[v].ends_group;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_verb(const struct verb_info *v, struct text line)
{
	return v->on_wire && line.len >= v->length && (line.p[0] | 32) == (v->name[0] | 32) && strncasecmp(line.p, v->name, v->length) == 0
	       && (line.len == v->length || is_space(line.p[v->length]));
}

struct command command_parse(struct text line)
{
	struct command c = { VERB_UNKNOWN, { 0 } };

	line = text_trim(line);
	for (unsigned v = 1; v < sizeof verbs / sizeof *verbs; v++) {
		size_t n = verbs[v].length;

		if (!is_verb(&verbs[v], line))
			continue;
		c.verb = (enum verb)v;
		c.argument = text_trim((struct text){ line.p + n, line.len - (uint32_t)n });
		break;
	}
	if ((c.verb == VERB_MAIL && !text_starts_nocase(c.argument, "FROM"))
	    || (c.verb == VERB_RCPT && !text_starts_nocase(c.argument, "TO")))
		c.verb = VERB_UNKNOWN;
	return c;
}

/* End of the path that begins behind '<' at i: offset of its '>', quotes respected; the end of the text when there is none. */
static uint32_t path_end(struct text t, uint32_t i)
{
	bool quoted = false;

	for (; i < t.len; i++) {
		if (t.p[i] == '\\' && quoted && i + 1 < t.len)
			i++;
		else if (t.p[i] == '"')
			quoted = !quoted;
		else if (t.p[i] == '>' && !quoted)
			return i;
	}
	/* An unbalanced quote: the first '>' then. */
	return t.len;
}

static struct text without_route(struct text a)
{
	const char *colon = a.len && a.p[0] == '@' ? memchr(a.p, ':', a.len) : NULL;

	if (!colon)
		return a;
	return (struct text){ colon + 1, a.len - (uint32_t)(colon + 1 - a.p) };
}

bool command_path(struct text argument, const char *word, struct path *out)
{
	size_t n = strlen(word);

	/* "FROM :<a>" is seen, too: the colon may stand apart. */
	if (!text_starts_nocase(argument, word)) {
		if (argument.len < n || strncasecmp(argument.p, word, n - 1) != 0)
			return false;
		struct text rest = text_trim((struct text){ argument.p + n - 1, argument.len - (uint32_t)(n - 1) });
		if (rest.len == 0 || rest.p[0] != ':')
			return false;
		argument = (struct text){ rest.p + 1, rest.len - 1 };
	} else {
		argument.p += n;
		argument.len -= (uint32_t)n;
	}
	argument = text_trim(argument);
	uint32_t start = 0, end = 0, next;
	if (argument.len && argument.p[0] == '<') {
		start = 1;
		end = path_end(argument, 1);
		if (end == argument.len) {
			const char *close = memchr(argument.p, '>', argument.len);

			if (close)
				end = (uint32_t)(close - argument.p);
		}
		next = end < argument.len ? end + 1 : end;
	} else {
		while (end < argument.len && !is_space(argument.p[end]))
			end++;
		next = end;
	}
	out->address = without_route(text_trim((struct text){ argument.p + start, end - start }));
	out->params = text_trim((struct text){ argument.p + next, argument.len - next });
	return true;
}

struct text command_param(struct text params, const char *key)
{
	size_t n = strlen(key);
	uint32_t i = 0;

	while (i < params.len) {
		uint32_t end = i;

		while (end < params.len && !is_space(params.p[end]))
			end++;
		if (end - i >= n && strncasecmp(params.p + i, key, n) == 0)
			return (struct text){ params.p + i + n, end - i - (uint32_t)n };
		i = end;
		while (i < params.len && is_space(params.p[i]))
			i++;
	}
	return (struct text){ 0 };
}

bool command_bdat(struct text argument, uint64_t *size, bool *last)
{
	uint64_t v = 0;
	uint32_t i = 0;

	while (i < argument.len && argument.p[i] >= '0' && argument.p[i] <= '9') {
		if (v > UINT64_MAX / 16)
			return false;
		v = v * 10 + (uint64_t)(argument.p[i++] - '0');
	}
	if (i == 0)
		return false;
	struct text rest = text_trim((struct text){ argument.p + i, argument.len - i });
	*size = v;
	*last = text_equal_nocase(rest, TEXT("LAST"));
	return true;
}
