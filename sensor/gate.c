/*
 * gate.c - see gate.h. Two guesses run side by side, one for each endpoint as the client; a line that SMTP does not know ends the guess it
 * does not fit. One of them proves itself, or both are gone:
 *
 *   server   "220 ... SMTP", 4yz and 5yz with an enhanced code            banner (RFC 5321 4.2, RFC 2034)
 *   client   EHLO, HELO, LHLO                                             with nothing but replies, or nothing, from the other side
 *   client   MAIL FROM, RCPT TO, and what only SMTP has (BDAT, STARTTLS)  with a reply
 *   server   354, 250 2.1.0                                               with a command, or twice
 *
 * FTP greets with 220, too, and knows QUIT and NOOP; NNTP has three digits.
 */
#include "sensor/gate.h"

#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/text.h"
#include "common/xmalloc.h"
#include "sensor/limits.h"

enum { LINE_BYTES = 160, PREFIX_BYTES = 12, LINES_OF_A_TURN = 8, TURNS = 16, BINARY_LOOK_BYTES = 64 };
enum { PROXY_V2_HEADER = 16 };
static const char proxy_v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

/* What one endpoint says in its turn. */
struct voice {
	uint8_t line[LINE_BYTES];	/* the one at hand, its first bytes */
	uint8_t kept;
	uint8_t lines;		/* of this turn */
	uint8_t looked;		/* bytes of its first turn that were looked at for binary ones */
	uint16_t turns;
	uint32_t skip;		/* left of a PROXY v2 header */
	bool deaf;		/* the rest of the turn is not looked at */
	bool cut;		/* the line at hand began before the capture */
	bool over;		/* the line is longer than what is kept, and was judged */
};

/* What speaks for one endpoint being an SMTP client. */
struct guess {
	bool gone;
	bool hello, mail, rcpt, own, shared;	/* commands: own are those that only SMTP has */
	bool reply, banner;
	uint8_t telling;		/* replies that only SMTP has */
	bool may_be_body;	/* what the client says next need not be a command */
};

/* Before the bytes of one push or gap among those held. */
struct held_head {
	uint64_t t_us, gap;
	uint32_t n;
	uint8_t dir;
};

struct gate {
	struct gate_options o;
	enum gate_verdict verdict;
	struct voice voice[2];
	struct guess guess[2];	/* by the endpoint that would be the client */
	int8_t last;		/* whose turn it is; -1 nobody's */
	uint8_t turns, verdict_turn;
	bool asked;		/* nDPI was */
	struct buf held;
	size_t held_bytes;	/* of the connection */
	uint64_t dropped[2];	/* held once, not any more */
	uint64_t seen[2];
};

static void gate_init(struct gate *g, const struct gate_options *o)
{
	*g = (struct gate){ .o = *o, .last = -1 };
	for (int c = 0; c < 2; c++) {
		g->guess[c].gone = !o->mid_stream && c != o->client;
		g->guess[c].may_be_body = o->mid_stream;
	}
}

struct gate *gate_new(const struct gate_options *o)
{
	struct gate *g = xmalloc(sizeof *g);

	gate_init(g, o);
	return g;
}

void gate_free(struct gate *g)
{
	if (!g)
		return;
	if (g->held.p)
		explicit_bzero(g->held.p, g->held.cap);
	buf_fini(&g->held);
	explicit_bzero(g, sizeof *g);
	free(g);
}

uint64_t gate_seen_bytes(const struct gate *g, int dir)
{
	return g->seen[dir];
}

int gate_client(const struct gate *g)
{
	return g->guess[0].gone;
}

size_t gate_memory_bytes(const struct gate *g)
{
	return sizeof *g + g->held.cap;
}

/* ---- lines of a client ---- */

enum word { WORD_NONE, WORD_PART, WORD_HELLO, WORD_MAIL, WORD_RCPT, WORD_OWN, WORD_SHARED, WORD_PROXY };

static const struct {
	const char *text;
	const char *next;	/* bytes that may follow */
	enum word word;
	bool bytes_follow;	/* that are no commands: a body, a chunk, a secret, TLS */
} words[] = {
	{ "EHLO", " \t\r\n", WORD_HELLO, false }, { "HELO", " \t\r\n", WORD_HELLO, false }, { "LHLO", " \t\r\n", WORD_HELLO, false },
	{ "MAIL FROM", " \t:", WORD_MAIL, false }, { "RCPT TO", " \t:", WORD_RCPT, false },
	{ "DATA", "\r\n", WORD_OWN, true }, { "BDAT", " ", WORD_OWN, true }, { "STARTTLS", "\r\n", WORD_OWN, true },
	{ "X-ANONYMOUSTLS", "\r\n", WORD_OWN, true }, { "VRFY", " ", WORD_OWN, false }, { "EXPN", " ", WORD_OWN, false },
	{ "ETRN", " ", WORD_OWN, false }, { "XCLIENT", " ", WORD_OWN, false }, { "XFORWARD", " ", WORD_OWN, false },
	{ "QUIT", "\r\n", WORD_SHARED, false }, { "RSET", "\r\n", WORD_SHARED, false }, { "NOOP", " \r\n", WORD_SHARED, false },
	{ "HELP", " \r\n", WORD_SHARED, false }, { "AUTH", " ", WORD_SHARED, true },
	{ "PROXY", " ", WORD_PROXY, false },
};
enum { WORDS = sizeof words / sizeof *words };

/* The word that a line begins with; WORD_PART: it may become one. *at: its place in the table. */
static enum word word_of(const uint8_t *line, size_t n, size_t *at)
{
	bool part = n == 0;

	for (size_t i = 0; i < WORDS; i++) {
		size_t length = strlen(words[i].text), common = n < length ? n : length;

		if (n && ((words[i].text[0] ^ line[0]) & ~0x20))
			continue;	/* most differ in their first letter */
		if (strncasecmp(words[i].text, (const char *)line, common) != 0)
			continue;
		*at = i;
		if (n <= length)
			part = true;
		else if (line[length] && strchr(words[i].next, line[length]))
			return words[i].word;
	}
	return part ? WORD_PART : WORD_NONE;
}

static void client_word(struct guess *s, enum word w)
{
	s->hello |= w == WORD_HELLO;
	s->mail |= w == WORD_MAIL;
	s->rcpt |= w == WORD_RCPT;
	s->own |= w == WORD_OWN;
	s->shared |= w == WORD_SHARED;
}

/* ended: there is no more of the line. */
static void client_line(struct guess *s, struct voice *v, bool ended)
{
	size_t at = 0;
	enum word w = word_of(v->line, v->kept, &at);
	bool first = v->turns == 1 && v->lines == 0;

	if (w == WORD_PART && !ended)
		return;
	if (w == WORD_PROXY && first)
		return;
	if (w == WORD_NONE || w == WORD_PART || w == WORD_PROXY) {
		if (!s->may_be_body)
			s->gone = true;
		return;
	}
	client_word(s, w);
	if (words[at].bytes_follow)
		v->deaf = true;
}

/* ---- lines of a server ---- */

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* RFC 5321 4.2.3, 4954, and 253 of RFC 1047's time. FTP and NNTP have others. */
static bool is_smtp_code(unsigned code)
{
	switch (code) {
	case 211: case 214: case 220: case 221: case 235: case 240: case 250: case 251: case 252: case 253: case 334: case 354:
		return true;
	default:
		return code >= 400 && code <= 599;
	}
}

/* "250 2.1.0": RFC 2034. */
static bool has_enhanced_code(const uint8_t *line, size_t n)
{
	return n >= 9 && line[4] == line[0] && line[5] == '.' && is_digit(line[6])
	       && ((line[7] == '.' && is_digit(line[8])) || (is_digit(line[7]) && (line[8] == '.' || is_digit(line[8]))));
}

static bool names_smtp(const uint8_t *line, size_t n)
{
	struct text t = { (const char *)line, (uint32_t)n };

	return text_find_nocase(t, "smtp") >= 0 || text_find_nocase(t, "lmtp") >= 0;
}

static bool is_greeting(unsigned code)
{
	return code == 220 || code >= 400;
}

/* greeting: it is in the first turn, seen from its start. */
static void server_line(struct guess *s, const struct voice *v, bool greeting, bool ended)
{
	const uint8_t *line = v->line;
	size_t n = v->kept;

	for (size_t i = 0; i < 3 && i < n; i++)
		s->gone |= !is_digit(line[i]);
	s->gone |= n < 4 && ended;
	if (n < 4 || s->gone)
		return;
	unsigned code = (line[0] - '0') * 100u + (line[1] - '0') * 10u + line[2] - '0';
	s->gone = !is_smtp_code(code) || (greeting && v->lines == 0 && !is_greeting(code)) || !line[3] || !strchr(" -\r\n", line[3]);
	if (s->gone)
		return;
	s->reply = true;
	s->may_be_body = code == 354 || code == 334;
	if (!ended)
		return;
	if ((code == 354 || has_enhanced_code(line, n)) && s->telling < UINT8_MAX)
		s->telling++;
	s->banner |= greeting && is_greeting(code) && names_smtp(line, n);
}

/* ---- verdict ---- */

static bool is_proved(const struct gate *g, const struct guess *s)
{
	bool from_start = !g->o.mid_stream;

	if (s->gone)
		return false;
	if (s->hello || s->banner)
		return true;
	if (s->mail || s->rcpt || s->own)
		return s->reply || (s->mail && s->rcpt) || (from_start && !s->own);
	return s->telling > 1 || (s->telling && (from_start || s->shared));
}

static void weigh(struct gate *g)
{
	for (int c = 0; c < 2; c++) {
		if (!is_proved(g, &g->guess[c]))
			continue;
		g->guess[!c].gone = true;
		g->verdict = GATE_SMTP;
		return;
	}
	if (g->guess[0].gone && g->guess[1].gone)
		g->verdict = GATE_OTHER;
}

/* One guess about the line at hand. Whether a line begins where the capture does is not known: it can prove something, but not refute. */
static void judge_guess(struct gate *g, int dir, int client, bool ended)
{
	struct guess *s = &g->guess[client], before = *s;
	struct voice *v = &g->voice[dir];

	if (s->gone)
		return;
	if (dir == client)
		client_line(s, v, ended);
	else
		server_line(s, v, !g->o.mid_stream && v->turns == 1, ended);
	if (v->cut && s->gone)
		*s = before;
}

/* The line at hand, or its beginning. */
static void judge(struct gate *g, int dir, bool ended)
{
	judge_guess(g, dir, dir, ended);
	judge_guess(g, dir, !dir, ended);
	weigh(g);
}

/* ---- bytes ---- */

static void next_line(struct voice *v)
{
	v->kept = 0;
	v->cut = v->over = false;
	if (++v->lines >= LINES_OF_A_TURN)
		v->deaf = true;
}

static bool may_be_proxy_v2(const struct gate *g, const struct voice *v)
{
	size_t n = v->kept < sizeof proxy_v2_signature ? v->kept : sizeof proxy_v2_signature;

	return v->line[0] == proxy_v2_signature[0] && !g->o.mid_stream && v->turns == 1 && v->lines == 0 && memcmp(v->line, proxy_v2_signature, n) == 0;
}

/* No text has these; TAB, LF, CR, form feeds and escape sequences of terminals are in some. */
static bool is_binary(uint8_t c)
{
	return c < 32 && !(c >= 7 && c <= 13) && c != 27;
}

/* Joined in the middle of something that is no text. */
static void look_for_binary(struct gate *g, struct voice *v, uint8_t c)
{
	if (!g->o.mid_stream || v->turns > 1 || v->looked == BINARY_LOOK_BYTES)
		return;
	v->looked++;
	if (is_binary(c))
		g->verdict = GATE_OTHER;
}

static void take_byte(struct gate *g, int dir, uint8_t c)
{
	struct voice *v = &g->voice[dir];

	look_for_binary(g, v, c);
	if (v->over) {
		if (c == '\n')
			next_line(v);
		return;
	}
	v->line[v->kept++] = c;
	if (may_be_proxy_v2(g, v)) {
		if (v->kept == PROXY_V2_HEADER) {
			v->skip = (uint32_t)v->line[14] << 8 | v->line[15];
			v->kept = 0;
		}
	} else if (c == '\n') {
		judge(g, dir, true);
		next_line(v);
	} else if (v->kept == LINE_BYTES) {
		v->over = true;
		judge(g, dir, true);
	} else if (v->kept <= PREFIX_BYTES) {
		judge(g, dir, false);
	}
}

static void begin_turn(struct gate *g, int dir)
{
	struct voice *v = &g->voice[dir];
	bool joined = g->o.mid_stream && g->turns == 0;

	if (g->last == dir)
		return;
	g->last = (int8_t)dir;
	if (g->turns < UINT8_MAX)
		g->turns++;
	v->turns++;
	v->kept = v->lines = 0;
	v->deaf = v->over = false;
	v->cut = joined;
}

static void hear(struct gate *g, int dir, const uint8_t *p, size_t n)
{
	struct voice *v = &g->voice[dir];

	for (size_t i = 0; i < n && !v->deaf && g->verdict == GATE_OPEN; i++) {
		if (v->skip)
			v->skip--;
		else
			take_byte(g, dir, p[i]);
	}
}

enum gate_verdict gate_glance(const struct gate_options *o, int dir, const uint8_t *p, size_t n)
{
	struct gate g;

	gate_init(&g, o);
	begin_turn(&g, dir);
	hear(&g, dir, p, n);
	return g.verdict;
}

/* ---- what is held ---- */

/* Of a connection that was joined in the middle only the latest bytes are kept; what was before them is a hole. */
static void drop_held(struct gate *g)
{
	struct held_head h;

	for (size_t at = 0; at < g->held.len; at += sizeof h + h.n) {
		memcpy(&h, g->held.p + at, sizeof h);
		g->dropped[h.dir] += h.gap + h.n;
	}
	buf_clear(&g->held);
	g->held_bytes = 0;
}

/* Growing in another place leaves nothing behind in the old one. */
static void reserve(struct buf *b, size_t n)
{
	struct buf grown = { .len = b->len, .cap = b->cap ? b->cap : 256 };

	if (b->cap - b->len >= n)
		return;
	while (grown.cap - grown.len < n)
		grown.cap *= 2;
	grown.p = xmalloc(grown.cap);
	if (b->p) {
		memcpy(grown.p, b->p, b->len);
		explicit_bzero(b->p, b->len);
	}
	buf_fini(b);
	*b = grown;
}

static void hold(struct gate *g, const struct held_head *h, const uint8_t *p)
{
	reserve(&g->held, sizeof *h + h->n);
	buf_add(&g->held, h, sizeof *h);
	buf_add(&g->held, p, h->n);
	g->held_bytes += h->n;
}

/* At most `room` of the latest bytes. */
static void hold_latest(struct gate *g, int dir, const uint8_t *p, size_t n, size_t room, uint64_t t_us)
{
	size_t skip = n > room ? n - room : 0;
	struct held_head h = { t_us, 0, (uint32_t)(n - skip), (uint8_t)dir };

	g->dropped[dir] += skip;
	hold(g, &h, p + skip);
}

static void hold_bytes(struct gate *g, int dir, const uint8_t *p, size_t n, uint64_t t_us)
{
	size_t room = LIMIT_GATE_HELD - g->held_bytes;

	if (n <= room || g->verdict == GATE_SMTP) {	/* with that verdict they are handed on at once */
		hold_latest(g, dir, p, n, n, t_us);
		return;
	}
	if (g->verdict == GATE_OPEN && g->o.mid_stream) {
		drop_held(g);
		hold_latest(g, dir, p, n, LIMIT_GATE_HELD, t_us);
	} else {
		hold_latest(g, dir, p, room, room, t_us);
		g->verdict = GATE_OTHER;
	}
	if (g->dropped[0] + g->dropped[1] > LIMIT_GATE_BYTES)
		g->verdict = GATE_OTHER;
}

void gate_replay(const struct gate *g, const struct stream_sink *sink, void *arg)
{
	struct held_head h;

	for (int dir = 0; dir < 2; dir++)
		if (g->dropped[dir])
			sink->gap(arg, dir, g->dropped[dir], 0);
	for (size_t at = 0; at < g->held.len; at += sizeof h + h.n) {
		memcpy(&h, g->held.p + at, sizeof h);
		if (h.gap)
			sink->gap(arg, h.dir, h.gap, h.t_us);
		if (h.n)
			sink->push(arg, h.dir, (const uint8_t *)g->held.p + at + sizeof h, h.n, h.t_us);
	}
}

/* The first turns of both sides, each in one piece of at most DISSECTOR_TURN_BYTES. */
struct heard {
	struct dissector_turn turn[DISSECTOR_TURNS];
	size_t count;
	uint8_t bytes[DISSECTOR_TURNS][DISSECTOR_TURN_BYTES];
};

static void heard_turns(const struct gate *g, struct heard *out)
{
	struct held_head h;
	int last = -1;

	out->count = 0;
	for (size_t at = 0; at < g->held.len; at += sizeof h + h.n) {
		memcpy(&h, g->held.p + at, sizeof h);
		if (h.n == 0)
			continue;
		if (h.dir != last && out->count == DISSECTOR_TURNS)
			return;
		if (h.dir != last) {
			enum side from = h.dir == g->o.client ? SIDE_CLIENT : SIDE_SERVER;

			out->turn[out->count] = (struct dissector_turn){ from, out->bytes[out->count], 0 };
			out->count++;
			last = h.dir;
		}
		struct dissector_turn *t = &out->turn[out->count - 1];
		size_t room = DISSECTOR_TURN_BYTES - t->n, n = h.n < room ? h.n : room;
		memcpy(out->bytes[out->count - 1] + t->n, g->held.p + at + sizeof h, n);
		t->n += n;
	}
}

static const char *ask(struct gate *g, const struct heard *heard)
{
	g->asked = true;
	if (!g->o.dissector || g->o.mid_stream)
		return NULL;
	return dissector_name(g->o.dissector, heard->turn, heard->count, g->o.port[g->o.client], g->o.port[!g->o.client]);
}

/* What this test leaves open: nDPI tells other protocols; for SMTP it has to be both that and a command and a reply that SMTP knows. */
static void consult(struct gate *g)
{
	const struct guess *s = &g->guess[g->o.client];
	struct heard heard;

	if (g->asked || g->o.mid_stream)
		return;
	heard_turns(g, &heard);
	const char *name = ask(g, &heard);
	explicit_bzero(&heard, sizeof heard);
	if (!name)
		return;
	if (strcmp(name, "smtp") != 0)
		g->verdict = GATE_OTHER;
	else if (!s->gone && s->reply && s->shared)
		g->verdict = GATE_SMTP;
}

enum gate_verdict gate_push(struct gate *g, int dir, const uint8_t *p, size_t n, uint64_t t_us)
{
	size_t room = LIMIT_GATE_HELD - g->held_bytes;

	g->seen[dir] += n;
	begin_turn(g, dir);
	if (g->verdict == GATE_OPEN && g->turns > DISSECTOR_TURNS)
		consult(g);
	if (g->verdict == GATE_OPEN && g->turns > TURNS)
		g->verdict = GATE_OTHER;
	hear(g, dir, p, n < room || g->o.mid_stream ? n : room);
	if (g->verdict != GATE_OPEN && !g->verdict_turn)
		g->verdict_turn = g->turns;
	if (!gate_is_full(g))
		hold_bytes(g, dir, p, n, t_us);
	return g->verdict;
}

enum gate_verdict gate_gap(struct gate *g, int dir, uint64_t n, uint64_t t_us)
{
	struct held_head h = { t_us, n, 0, (uint8_t)dir };

	begin_turn(g, dir);
	g->voice[dir].deaf = true;
	g->guess[!dir].may_be_body = true;
	if (n)
		hold(g, &h, NULL);
	return g->verdict;
}

enum gate_verdict gate_end(struct gate *g)
{
	if (g->verdict == GATE_OPEN && g->turns > 1)
		consult(g);
	return g->verdict;
}

/* ---- names ---- */

bool gate_is_full(const struct gate *g)
{
	bool enough = g->turns > DISSECTOR_TURNS && g->turns > g->verdict_turn;	/* the turn that brought it is heard out */

	return g->verdict == GATE_OTHER && (enough || g->held_bytes == LIMIT_GATE_HELD);
}

static bool begins(struct text t, const char *word)
{
	return text_starts_nocase(t, word);
}

static struct text first_line(const struct dissector_turn *t)
{
	const uint8_t *lf = memchr(t->p, '\n', t->n);

	return (struct text){ (const char *)t->p, (uint32_t)(lf ? (size_t)(lf - t->p) : t->n) };
}

/* "GET / HTTP/1.1" and its like; RFC 9112 3, 7826 20.1, 3261 7.1. */
static const char *name_of_request(struct text line)
{
	static const struct { const char *version, *name; } versions[] = { { " http/", "http" }, { " rtsp/", "rtsp" }, { " sip/", "sip" } };

	for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
		if (text_find_nocase(line, versions[i].version) > 0)
			return versions[i].name;
	return begins(line, "GET /") ? "http" : NULL;
}

static const char *name_of_client(struct text line, struct text server)
{
	static const char *const ftp[] = { "USER ", "FEAT", "SYST", "AUTH TLS", "AUTH SSL", "OPTS " };

	if (begins(line, "SSH-"))
		return "ssh";
	if (line.len >= 8 && line.p[0] == 0 && memcmp(line.p + 5, "SMB", 3) == 0)
		return "smb";
	for (size_t i = 0; begins(server, "220") && i < sizeof ftp / sizeof *ftp; i++)
		if (begins(line, ftp[i]))
			return "ftp";
	return name_of_request(line);
}

static const char *name_of_server(struct text line)
{
	static const struct { const char *word, *name; } banners[] = { { "SSH-", "ssh" }, { "+OK", "pop3" }, { "* OK", "imap" },
		{ "* PREAUTH", "imap" }, { "* BYE", "imap" }, { "HTTP/", "http" }, { "RTSP/", "rtsp" }, { "SIP/", "sip" }, { "@RSYNCD:", "rsync" } };

	for (size_t i = 0; i < sizeof banners / sizeof *banners; i++)
		if (begins(line, banners[i].word))
			return banners[i].name;
	return NULL;
}

static bool is_tls(struct text line)
{
	return line.len >= 2 && (uint8_t)line.p[0] == 22 && line.p[1] == 3;
}

static const char *name_of(struct gate *g, const struct heard *heard)
{
	struct text line[2] = { { 0 } };
	const char *name;

	for (size_t i = heard->count; i-- > 0;)
		line[heard->turn[i].from] = first_line(&heard->turn[i]);
	if (is_tls(line[SIDE_CLIENT]))
		return line[SIDE_SERVER].len && is_digit((uint8_t)line[SIDE_SERVER].p[0]) ? "tls" : NULL;
	name = line[SIDE_SERVER].len ? name_of_server(line[SIDE_SERVER]) : NULL;
	if (!name && line[SIDE_CLIENT].len)
		name = name_of_client(line[SIDE_CLIENT], line[SIDE_SERVER]);
	if (!name)
		name = ask(g, heard);
	return name && strcmp(name, "smtp") == 0 ? NULL : name;
}

const char *gate_name(struct gate *g)
{
	struct heard heard;

	if (g->verdict != GATE_OTHER || g->o.mid_stream)
		return NULL;
	heard_turns(g, &heard);
	const char *name = name_of(g, &heard);
	explicit_bzero(&heard, sizeof heard);
	return name;
}
