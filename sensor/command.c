/* command.c - see command.h */
#include "sensor/command.h"

#include <string.h>
#include <strings.h>

static const struct verb_info {
	const char *name;
	bool ends_group;
	bool on_wire;
} verbs[] = {
	[VERB_UNKNOWN] = { "?", false, false },
	[VERB_HELO] = { "HELO", true, true },
	[VERB_EHLO] = { "EHLO", true, true },
	[VERB_LHLO] = { "LHLO", true, true },
	[VERB_MAIL] = { "MAIL", false, true },
	[VERB_RCPT] = { "RCPT", false, true },
	[VERB_DATA] = { "DATA", true, true },
	[VERB_BDAT] = { "BDAT", false, true },
	[VERB_RSET] = { "RSET", false, true },
	[VERB_QUIT] = { "QUIT", true, true },
	[VERB_NOOP] = { "NOOP", true, true },
	[VERB_VRFY] = { "VRFY", true, true },
	[VERB_EXPN] = { "EXPN", true, true },
	[VERB_HELP] = { "HELP", true, true },
	[VERB_ETRN] = { "ETRN", true, true },
	[VERB_TURN] = { "TURN", true, true },
	[VERB_AUTH] = { "AUTH", true, true },
	[VERB_STARTTLS] = { "STARTTLS", true, true },
	[VERB_XANONYMOUSTLS] = { "X-ANONYMOUSTLS", true, true },
	[VERB_XCLIENT] = { "XCLIENT", true, true },
	[VERB_XFORWARD] = { "XFORWARD", false, true },
	[VERB_AUTH_LINE] = { "*", true, false },
	[VERB_DATA_END] = { ".", false, false },
	[VERB_HOLE] = { "-", false, false },
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

struct command command_parse(struct text line)
{
	struct command c = { VERB_UNKNOWN, { 0 } };

	line = text_trim(line);
	for (unsigned v = 1; v < sizeof verbs / sizeof *verbs; v++) {
		size_t n = strlen(verbs[v].name);

		if (!verbs[v].on_wire || line.len < n || strncasecmp(line.p, verbs[v].name, n) != 0)
			continue;
		if (line.len > n && !is_space(line.p[n]))
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
