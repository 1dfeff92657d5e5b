/* ladder.c - see ladder.h. A transaction's steps are verbs and codes; the texts beside them come from its row and its recipients. */
#include "reader/ladder.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/xmalloc.h"
#include "schema/db.h"

enum { ARENA_MAX = 16 << 20,
	QUEUE_MAX = 64 };	/* steps that the sensor keeps of a transaction */

static const char sql_finding[] = "SELECT address, cause_rowid, root_rowid, server_id FROM verdicts.finding WHERE id = ?1";
static const char sql_attempts[] =
	"SELECT a.transaction_rowid, a.recipient_n FROM verdicts.finding_attempt a JOIN transactions t ON t.id = a.transaction_rowid WHERE a.finding_rowid = ?1"
	" ORDER BY t.started_us, t.id";
static const char sql_hop[] =
	"SELECT lower(hex(t.session_id)) || '.' || t.ordinal, t.src_ip, t.dest_ip, t.src_port, t.dest_port, t.started_us, t.ended_us, t.helo, t.mail_from,"
	" t.rcpt_count, t.outcome, t.code, t.enhanced, t.reply, t.complete, t.notes, t.steps, t.mail_params, t.mail_code, t.mail_enhanced, t.mail_reply,"
	" t.size_bytes, m.message_id, m.subject, v.direction FROM transactions t LEFT JOIN messages m ON m.transaction_rowid = t.id"
	" LEFT JOIN verdicts.transaction_verdict v ON v.transaction_rowid = t.id WHERE t.id = ?1";
/* ?2: the recipient that is asked for, -1: the first accepted one, else the first refused one */
static const char sql_recipient[] =
	"SELECT n, address FROM recipients WHERE transaction_rowid = ?1 ORDER BY (n = ?2) DESC, (coalesce(code, 250) < 300) = (?3 <> 1) DESC, n LIMIT 1";
static const char sql_rcpt[] = "SELECT address, code, enhanced, reply FROM recipients WHERE transaction_rowid = ?1 AND n = ?2";
static const char sql_server_at[] = "SELECT id FROM verdicts.server WHERE address = ?1";

enum column { C_ID, C_SRC, C_DEST, C_SRC_PORT, C_DEST_PORT, C_STARTED, C_ENDED, C_HELO, C_FROM, C_RCPTS, C_OUTCOME, C_CODE, C_ENHANCED, C_REPLY, C_COMPLETE,
	C_NOTES, C_STEPS, C_PARAMS, C_MAIL_CODE, C_MAIL_ENHANCED, C_MAIL_REPLY, C_SIZE, C_MESSAGE_ID, C_SUBJECT, C_DIRECTION };

struct work {
	struct reader *r;
	struct ladder *l;
	size_t step_cap, hop_cap;
	const char *emitter;
	int64_t server_id;
};

/* A command that waits for its reply. */
struct waiting {
	char verb;		/* M, R, ., or another one */
	int recipient;		/* of R, from 0 */
};

struct dialogue {
	struct work *w;
	sqlite3_stmt *row;
	int64_t rowid;
	size_t hop;
	struct waiting queue[QUEUE_MAX];
	unsigned begin, end;
	int recipients;		/* RCPT so far */
	struct buf text;
};

/* ---- lanes ---- */

/* An address of the emitter: the one of the finding, or one that no other server of ours has. */
static bool is_emitter(struct work *w, const char *ip)
{
	if (strcmp(ip, w->emitter) == 0)
		return true;
	sqlite3_stmt *s = reader_select(w->r, sql_server_at, "t", ip);
	bool another = reader_step(w->r, s) && sqlite3_column_int64(s, 0) != w->server_id;

	sqlite3_finalize(s);
	return !another;
}

static void set_lanes(struct work *w, struct ladder_hop *h, const char *direction)
{
	bool inbound = strcmp(direction, "inbound") == 0, outbound = strcmp(direction, "outbound") == 0;

	if (inbound || (h->part == LADDER_CAUSE && !outbound && strcmp(h->client_ip, w->emitter) != 0)) {
		h->client = LADDER_ORIGIN;
		h->server = is_emitter(w, h->server_ip) ? LADDER_OWN : LADDER_INNER;
	} else if (outbound) {
		h->client = is_emitter(w, h->client_ip) ? LADDER_OWN : LADDER_INNER;
		h->server = LADDER_OUTSIDE;
	} else {	/* between servers of ours */
		bool to_emitter = strcmp(h->server_ip, w->emitter) == 0;

		h->client = to_emitter ? LADDER_INNER : LADDER_OWN;
		h->server = to_emitter ? LADDER_OWN : LADDER_INNER;
	}
	if (!*w->l->lane[h->client])
		w->l->lane[h->client] = h->client_ip;
	if (!*w->l->lane[h->server])
		w->l->lane[h->server] = h->server_ip;
}

/* ---- steps ---- */

static struct ladder_step *add_step(struct dialogue *d, bool is_reply, int64_t at_us)
{
	struct ladder *l = d->w->l;
	const struct ladder_hop *h = &l->hop[d->hop];

	if (l->step_count == d->w->step_cap)
		l->step = xreallocarray(l->step, d->w->step_cap = d->w->step_cap ? d->w->step_cap * 2 : 64, sizeof *l->step);
	struct ladder_step *s = &l->step[l->step_count++];
	*s = (struct ladder_step){ .at_us = at_us, .from = is_reply ? h->server : h->client, .to = is_reply ? h->client : h->server, .is_reply = is_reply,
		.text = arena_copy(&l->arena, d->text.p, d->text.len, d->text.len, NULL), .hop = d->hop };
	buf_clear(&d->text);
	return s;
}

static void add_column(struct buf *out, sqlite3_stmt *s, int column)
{
	buf_add_text(out, column_text(s, column));
}

static void put_reply(struct buf *out, sqlite3_stmt *s, int enhanced)
{
	for (int i = enhanced; i <= enhanced + 1; i++)
		if (sqlite3_column_type(s, i) != SQLITE_NULL) {
			buf_add_char(out, ' ');
			add_column(out, s, i);
		}
}

static void put_address(struct buf *out, struct text address)
{
	bool bare = !(address.len && address.p[0] == '<');

	buf_add_str(out, bare ? "<" : "");
	buf_add_text(out, address);
	buf_add_str(out, bare ? ">" : "");
}

static void put_command(struct dialogue *d, const char *verb, int64_t at_us)
{
	struct waiting waits = { *verb, -1 };

	if (strcmp(verb, "MAIL") == 0) {
		buf_add_str(&d->text, "MAIL FROM:");
		put_address(&d->text, column_text(d->row, C_FROM));
		if (sqlite3_column_bytes(d->row, C_PARAMS)) {
			buf_add_char(&d->text, ' ');
			add_column(&d->text, d->row, C_PARAMS);
		}
	} else if (strcmp(verb, "RCPT") == 0) {
		sqlite3_stmt *s = reader_select(d->w->r, sql_rcpt, "ii", d->rowid, (int64_t)d->recipients);

		waits.recipient = d->recipients++;
		buf_add_str(&d->text, "RCPT TO:");
		if (reader_step(d->w->r, s))
			put_address(&d->text, column_text(s, 0));
		sqlite3_finalize(s);
	} else if (strcmp(verb, ".") == 0) {
		buf_add_str(&d->text, "(message");
		if (sqlite3_column_type(d->row, C_SIZE) != SQLITE_NULL)
			buf_printf(&d->text, ", %lld bytes", sqlite3_column_int64(d->row, C_SIZE));
		buf_add_char(&d->text, ')');
	} else {
		waits.verb = waits.verb == 'M' || waits.verb == 'R' || waits.verb == '.' ? '?' : waits.verb;
		buf_add_str(&d->text, verb);
	}
	add_step(d, false, at_us);
	if (d->end < QUEUE_MAX)
		d->queue[d->end++] = waits;
}

/* The text that belongs to a reply is known when its code is the one that the row has for this command. */
static void put_answer(struct dialogue *d, int code, int64_t at_us)
{
	struct waiting to = d->begin < d->end ? d->queue[d->begin++] : (struct waiting){ '?', -1 };
	bool decides = false;

	buf_printf(&d->text, "%d", code);
	if (to.verb == 'M' && sqlite3_column_int(d->row, C_MAIL_CODE) == code) {
		put_reply(&d->text, d->row, C_MAIL_ENHANCED);
		decides = code >= 400;
	} else if (to.verb == 'R') {
		sqlite3_stmt *s = reader_select(d->w->r, sql_rcpt, "ii", d->rowid, (int64_t)to.recipient);

		if (reader_step(d->w->r, s) && sqlite3_column_int(s, 1) == code) {
			put_reply(&d->text, s, 2);
			decides = code >= 400 && code == sqlite3_column_int(d->row, C_CODE) && text_equal(column_text(s, 3), column_text(d->row, C_REPLY));
		}
		sqlite3_finalize(s);
	} else if (code != 354 && sqlite3_column_int(d->row, C_CODE) == code && (to.verb == '.' || to.verb == 'D' || to.verb == 'B' || code >= 400)) {
		put_reply(&d->text, d->row, C_ENHANCED);
		decides = true;
	}
	add_step(d, true, at_us)->code = code;
	d->w->l->step[d->w->l->step_count - 1].decides = decides;
}

/* "c|s WORD OFFSET_US", one a line */
static void read_steps(struct dialogue *d)
{
	struct text steps = column_text(d->row, C_STEPS);
	int64_t begin_us = sqlite3_column_int64(d->row, C_STARTED);

	for (uint32_t i = 0; i < steps.len;) {
		char line[64];
		uint32_t n = 0;

		while (i < steps.len && steps.p[i] != '\n')
			if (n < sizeof line - 1)
				line[n++] = steps.p[i++];
			else
				i++;
		i++;
		line[n] = '\0';
		char *offset = strrchr(line, ' ');
		if (n < 4 || line[1] != ' ' || !offset || offset < line + 2)
			continue;
		*offset = '\0';
		if (line[0] == 'c')
			put_command(d, line + 2, begin_us + strtoll(offset + 1, NULL, 10));
		else
			put_answer(d, atoi(line + 2), begin_us + strtoll(offset + 1, NULL, 10));
	}
}

/* ---- hops ---- */

static void fill_recipient(struct work *w, struct ladder_hop *h, int n)
{
	sqlite3_stmt *s = reader_select(w->r, sql_recipient, "iii", h->rowid, (int64_t)n, (int64_t)(h->part == LADDER_ROOT));

	if (reader_step(w->r, s))
		h->recipient = reader_text(&w->l->arena, s, 1);
	sqlite3_finalize(s);
}

static void add_hop(struct work *w, enum ladder_part part, int64_t rowid, int n)
{
	sqlite3_stmt *s = reader_select(w->r, sql_hop, "i", rowid);
	struct arena *a = &w->l->arena;

	if (!reader_step(w->r, s)) {
		sqlite3_finalize(s);
		return;
	}
	if (w->l->hop_count == w->hop_cap)
		w->l->hop = xreallocarray(w->l->hop, w->hop_cap = w->hop_cap ? w->hop_cap * 2 : 4, sizeof *w->l->hop);
	struct ladder_hop *h = &w->l->hop[w->l->hop_count++];
	*h = (struct ladder_hop){ .part = part, .rowid = rowid, .transaction_id = reader_word(a, s, C_ID), .client_ip = reader_word(a, s, C_SRC),
		.server_ip = reader_word(a, s, C_DEST), .client_port = sqlite3_column_int(s, C_SRC_PORT), .server_port = sqlite3_column_int(s, C_DEST_PORT),
		.started_us = sqlite3_column_int64(s, C_STARTED), .ended_us = sqlite3_column_int64(s, C_ENDED), .helo = reader_text(a, s, C_HELO),
		.mail_from = reader_text(a, s, C_FROM), .message_id = reader_text(a, s, C_MESSAGE_ID), .subject = reader_text(a, s, C_SUBJECT),
		.reply = reader_text(a, s, C_REPLY), .notes = reader_text(a, s, C_NOTES), .recipients = (uint32_t)sqlite3_column_int64(s, C_RCPTS),
		.outcome = reader_word(a, s, C_OUTCOME), .code = sqlite3_column_int(s, C_CODE), .complete = sqlite3_column_int(s, C_COMPLETE) != 0 };
	fill_recipient(w, h, n);
	set_lanes(w, h, reader_word(a, s, C_DIRECTION));
	struct dialogue d = { .w = w, .row = s, .rowid = rowid, .hop = w->l->hop_count - 1 };
	read_steps(&d);
	buf_fini(&d.text);
	sqlite3_finalize(s);
}

static void add_attempts(struct work *w, int64_t finding)
{
	sqlite3_stmt *s = reader_select(w->r, sql_attempts, "i", finding);
	int64_t rowid[LADDER_ATTEMPTS_MAX];
	int recipient[LADDER_ATTEMPTS_MAX];
	const uint32_t half = LADDER_ATTEMPTS_MAX / 2;
	uint32_t n = 0;

	for (; reader_step(w->r, s); n++) {
		uint32_t at = n < half ? n : half + (n - half) % half;	/* the first ones, and a ring of the last */

		rowid[at] = sqlite3_column_int64(s, 0);
		recipient[at] = sqlite3_column_int(s, 1);
	}
	sqlite3_finalize(s);
	for (uint32_t i = 0; i < n && i < LADDER_ATTEMPTS_MAX; i++)
		add_hop(w, LADDER_ANSWER, rowid[i], recipient[i]);
	w->l->attempts_left_out = n > LADDER_ATTEMPTS_MAX ? n - LADDER_ATTEMPTS_MAX : 0;
}

/* ---- order ---- */

struct place {
	int64_t us;
	size_t i;
};

static int by_time(const void *x, const void *y)
{
	const struct place *a = x, *b = y;

	if (a->us != b->us)
		return a->us < b->us ? -1 : 1;
	return (a->i > b->i) - (a->i < b->i);
}

/* Of equal times the ones that were added first stand first: cause, root cause, answer. */
static void sort_hops(struct ladder *l)
{
	struct place *p = xcalloc(l->hop_count + 1, sizeof *p);
	size_t *now_at = xcalloc(l->hop_count + 1, sizeof *now_at);
	struct ladder_hop *sorted = xcalloc(l->hop_count + 1, sizeof *sorted);

	for (size_t i = 0; i < l->hop_count; i++)
		p[i] = (struct place){ l->hop[i].started_us, i };
	qsort(p, l->hop_count, sizeof *p, by_time);
	for (size_t i = 0; i < l->hop_count; i++) {
		sorted[i] = l->hop[p[i].i];
		now_at[p[i].i] = i;
	}
	for (size_t i = 0; i < l->step_count; i++)
		l->step[i].hop = now_at[l->step[i].hop];
	free(l->hop);
	l->hop = sorted;
	free(p);
	free(now_at);
}

static void sort_steps(struct ladder *l)
{
	struct place *p = xcalloc(l->step_count + 1, sizeof *p);
	struct ladder_step *sorted = xcalloc(l->step_count + 1, sizeof *sorted);

	for (size_t i = 0; i < l->step_count; i++)
		p[i] = (struct place){ l->step[i].at_us, i };
	qsort(p, l->step_count, sizeof *p, by_time);
	for (size_t i = 0; i < l->step_count; i++)
		sorted[i] = l->step[p[i].i];
	free(l->step);
	l->step = sorted;
	free(p);
}

int ladder_read(struct reader *r, int64_t finding_rowid, struct ladder *out)
{
	struct work w = { .r = r, .l = out };

	*out = (struct ladder){ .lane = { "", "", "", "" } };
	arena_init(&out->arena, ARENA_MAX);
	reader_begin(r);
	sqlite3_stmt *s = reader_is_judged(r) ? reader_select(r, sql_finding, "i", finding_rowid) : NULL;
	if (reader_step(r, s)) {
		w.emitter = reader_word(&out->arena, s, 0);
		w.server_id = sqlite3_column_int64(s, 3);
		out->lane[LADDER_OWN] = w.emitter;
		if (sqlite3_column_type(s, 1) != SQLITE_NULL)
			add_hop(&w, LADDER_CAUSE, sqlite3_column_int64(s, 1), -1);
		out->cause_seen = out->hop_count > 0;
		if (sqlite3_column_type(s, 2) != SQLITE_NULL)
			add_hop(&w, LADDER_ROOT, sqlite3_column_int64(s, 2), -1);
		add_attempts(&w, finding_rowid);
	}
	sqlite3_finalize(s);
	sort_hops(out);
	sort_steps(out);
	return reader_end(r);
}

void ladder_fini(struct ladder *l)
{
	free(l->step);
	free(l->hop);
	arena_fini(&l->arena);
	*l = (struct ladder){ 0 };
}
