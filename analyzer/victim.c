/*
 * victim.c - see victim.h.
 *
 *   new facts of the victim -> where they begin to matter -> take back what was worked out from there on -> put them in
 */
#include "analyzer/victim.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/attempts.h"
#include "analyzer/domain.h"
#include "analyzer/marks.h"
#include "common/xmalloc.h"
#include "schema/db.h"

enum {
	ARENA_BYTES = 64 * 1024 * 1024,	/* texts of one victim's mail; beyond it they are missing, nothing fails */
	KEPT_MAX = 256,			/* victims kept, */
	KEPT_BYTES = 64 * 1024 * 1024,	/* and what they may take together */
};

enum statement { ANSWER, REPORT, RECIPIENT, BY_SENDER, BY_ROWID, FACTS_COUNT, ANSWERS = FACTS_COUNT, AUTHORED, STATEMENT_COUNT };

/* ?2: rowids that were seen */
static const char *const sql[STATEMENT_COUNT] = {
	[ANSWER] = "WHERE t.id = ?1",	/* behind mail_select */
	[REPORT] = mail_report_select,
	[RECIPIENT] = "SELECT code, enhanced, reply, notify, address, address_class FROM recipients WHERE transaction_rowid = ?1 AND n = ?2",
	[BY_SENDER] = sighting_sql_by_sender_after,
	[BY_ROWID] = sighting_sql_by_rowid,
	[ANSWERS] = "SELECT transaction_rowid, recipient_n FROM answer WHERE recipient_id = ?1 AND idle IN (0, 1) AND mail_us >= ?3"
		" AND transaction_rowid > ?2",
	[AUTHORED] = "SELECT transaction_rowid FROM author WHERE address_id = ?1 AND transaction_rowid > ?2",
};

struct victims {
	const struct own *own;
	sqlite3_stmt *q[STATEMENT_COUNT];
	bool keep;
	struct victim *kept[KEPT_MAX];	/* the one looked at last first */
	size_t kept_count, kept_bytes;
};

struct victims *victims_new(sqlite3 *facts, sqlite3 *verdicts, const struct own *own)
{
	struct victims *x = xcalloc(1, sizeof *x);

	x->own = own;
	for (int i = 0; i < STATEMENT_COUNT; i++) {
		char *text = xasprintf("%s%s", i == ANSWER ? mail_select : "", sql[i]);

		x->q[i] = db_prepare(i < FACTS_COUNT ? facts : verdicts, text);
		free(text);
	}
	return x;
}

void victims_keep(struct victims *x)
{
	x->keep = true;
}

static void free_victim(struct victim *v)
{
	for (size_t i = 0; i < v->group_count; i++)
		free(v->group[i].attempt);
	for (size_t i = 0; i < v->answer_count; i++)
		free(v->answer[i]);
	free(v->group);
	free(v->answer);
	free(v->mail);
	arena_fini(&v->arena);
	free(v);
}

void victims_drop(struct victims *x)
{
	while (x->kept_count)
		free_victim(x->kept[--x->kept_count]);
	x->kept_bytes = 0;
}

void victims_free(struct victims *x)
{
	if (!x)
		return;
	victims_drop(x);
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(x->q[i]);
	free(x);
}

static sqlite3_stmt *query(struct victims *x, enum statement which, int64_t first, int64_t second)
{
	sqlite3_stmt *s = x->q[which];

	sqlite3_reset(s);
	sqlite3_bind_int64(s, 1, first);
	sqlite3_bind_int64(s, 2, second);
	return s;
}

static struct text keep_text(struct victim *v, struct text t)
{
	return t.p ? arena_copy(&v->arena, t.p, t.len, t.len, NULL) : t;
}

static int64_t greater(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* ---- loading ---- */

/* What was told to ask our own hop: destinations whose recipients are ours to know. */
static bool is_near(const struct own *own, const struct mail *m, const struct route *r)
{
	return r->direction == DIRECTION_INTERNAL || own_is_next_hop(own, &m->dest) || own_is_upstream(own, &m->src);
}

static void read_recipient(struct victims *x, struct victim *v, struct answer *a)
{
	sqlite3_stmt *s = query(x, RECIPIENT, a->mail.rowid, a->n);

	if (sqlite3_step(s) == SQLITE_ROW) {
		a->code = sqlite3_column_int(s, 0);
		a->enhanced = keep_text(v, column_text(s, 1));
		a->reply = keep_text(v, column_text(s, 2));
		a->notify = keep_text(v, column_text(s, 3));
		if (!v->address.p) {
			v->address = keep_text(v, column_text(s, 4));
			v->domain = domain_of_address(v->address);
			v->class = (unsigned)sqlite3_column_int(s, 5);
		}
	}
	sqlite3_reset(s);
}

/* NULL when the row is gone: the sensor replaced a session that had been cut by the end of a capture. */
static struct answer *read_answer(struct victims *x, struct victim *v, int64_t rowid, int n)
{
	sqlite3_stmt *s = query(x, ANSWER, rowid, 0);
	struct answer *a = NULL;

	if (sqlite3_step(s) == SQLITE_ROW) {
		a = xcalloc(1, sizeof *a);
		mail_read(s, x->q[REPORT], &v->arena, &a->mail);
	}
	sqlite3_reset(s);
	if (!a)
		return NULL;
	a->n = n;
	a->route = mail_route(&a->mail, x->own);
	a->first = classify(&a->mail, is_near(x->own, &a->mail, &a->route));
	read_recipient(x, v, a);
	return a;
}

/* What came since the victim was looked at last. */
struct news {
	struct answer **answer;
	size_t answer_count, answer_cap;
	struct sightings mail;
};

static void load_answers(struct victims *x, struct victim *v, int64_t since_us, struct news *news)
{
	sqlite3_stmt *s = query(x, ANSWERS, v->id, v->answers_seen);

	sqlite3_bind_int64(s, 3, since_us);
	while (sqlite3_step(s) == SQLITE_ROW) {
		int64_t rowid = sqlite3_column_int64(s, 0);
		struct answer *a = read_answer(x, v, rowid, sqlite3_column_int(s, 1));

		v->answers_seen = greater(v->answers_seen, rowid);
		if (!a)
			continue;
		if (news->answer_count == news->answer_cap) {
			news->answer_cap = news->answer_cap ? news->answer_cap * 2 : 4;
			news->answer = xreallocarray(news->answer, news->answer_cap, sizeof *news->answer);
		}
		news->answer[news->answer_count++] = a;
	}
	sqlite3_reset(s);
}

static void load_mail(struct victims *x, struct victim *v, struct news *news)
{
	sqlite3_stmt *s = query(x, AUTHORED, v->id, v->authored_seen);

	sightings_collect(query(x, BY_SENDER, v->id, v->mail_seen), x->own, &v->arena, &news->mail);
	for (size_t i = 0; i < news->mail.count; i++)
		v->mail_seen = greater(v->mail_seen, news->mail.item[i].rowid);
	while (sqlite3_step(s) == SQLITE_ROW) {
		v->authored_seen = greater(v->authored_seen, sqlite3_column_int64(s, 0));
		sightings_collect(query(x, BY_ROWID, sqlite3_column_int64(s, 0), 0), x->own, &v->arena, &news->mail);
	}
	sqlite3_reset(s);
	for (size_t i = 0; i < news->mail.count; i++)
		if (news->mail.item[i].route.arrives)
			news->mail.item[i].origin_host = domain_host(news->mail.item[i].origin_name);
}

static void news_fini(struct news *news)
{
	free(news->answer);
	free(news->mail.item);
}

/* ---- order ---- */

static int compare_answers(const struct answer *a, const struct answer *b)
{
	if (a->mail.mail_us != b->mail.mail_us)
		return a->mail.mail_us < b->mail.mail_us ? -1 : 1;
	int c = memcmp(a->mail.session_id, b->mail.session_id, sizeof a->mail.session_id);
	if (!c)
		c = a->mail.ordinal - b->mail.ordinal;
	return c ? c : a->n - b->n;
}

static int compare_answer_pointers(const void *x, const void *y)
{
	return compare_answers(*(struct answer *const *)x, *(struct answer *const *)y);
}

/* The first answer at or after this time. */
static size_t answer_at(const struct victim *v, int64_t t)
{
	size_t lo = 0, hi = v->answer_count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (v->answer[mid]->mail.mail_us < t)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

size_t victim_mail_until(const struct victim *v, int64_t t)
{
	size_t lo = 0, hi = v->mail_count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (v->mail[mid].mail_us <= t)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* A new one stands for the same transaction as an old one, whose row is gone, then. */
static bool stands_again(const struct victim *v, const struct news *news)
{
	for (size_t k = 0; k < news->answer_count; k++)
		for (size_t i = answer_at(v, news->answer[k]->mail.mail_us); i < v->answer_count; i++) {
			int c = compare_answers(v->answer[i], news->answer[k]);

			if (c == 0)
				return true;
			if (c > 0)
				break;
		}
	for (size_t k = 0; k < news->mail.count; k++)
		for (size_t i = victim_mail_until(v, news->mail.item[k].mail_us); i-- > 0 && v->mail[i].mail_us == news->mail.item[k].mail_us;)
			if (sighting_compare(&v->mail[i], &news->mail.item[k]) == 0)
				return true;
	return false;
}

/* Both lists are in order, and the new ones mostly behind the old ones. */
static void merge_answers(struct victim *v, const struct news *news)
{
	size_t old = v->answer_count, n = news->answer_count, to = old + n;

	if (to > v->answer_cap) {
		v->answer_cap = to + to / 2;
		v->answer = xreallocarray(v->answer, v->answer_cap, sizeof *v->answer);
	}
	v->answer_count = to;
	while (n) {
		bool older = old && compare_answers(v->answer[old - 1], news->answer[n - 1]) > 0;

		to--;
		v->answer[to] = older ? v->answer[--old] : news->answer[--n];
		v->answer[to]->at = to;
	}
}

static void merge_mail(struct victim *v, const struct sightings *news)
{
	size_t old = v->mail_count, n = news->count, to = old + n;

	if (to > v->mail_cap) {
		v->mail_cap = to + to / 2;
		v->mail = xreallocarray(v->mail, v->mail_cap, sizeof *v->mail);
	}
	v->mail_count = to;
	while (n)
		v->mail[--to] = old && sighting_compare(&v->mail[old - 1], &news->item[n - 1]) > 0 ? v->mail[--old] : news->item[--n];
}

/* ---- what was worked out before ---- */

/* Takes back what answers from at on brought about. */
static void rewind_to(struct victim *v, size_t at)
{
	v->redo = at;
	attempts_ungroup(v, at);
	if (at == v->answer_count)
		return;
	size_t first = victim_mail_until(v, v->answer[at]->mail.mail_us + SIGHTING_SLACK_US);
	for (size_t i = first > VICTIM_NEAR_MAX ? first - VICTIM_NEAR_MAX : 0; i < v->mail_count; i++)	/* they looked no further back */
		if (v->mail[i].taken_by > at)
			v->mail[i].taken_by = 0;
}

/* Mail in his name says something about answers on both sides of it. */
static void touch_around(struct victim *v, const struct sightings *mail)
{
	for (size_t i = 0; i < v->group_count; i++) {
		struct mail_group *g = &v->group[i];

		for (size_t k = 0; k < mail->count && !g->touched; k++)
			g->touched = mail->item[k].mail_us >= g->asked_from_us && mail->item[k].mail_us <= g->asked_until_us;
	}
}

int64_t victim_finding_id(const struct mail_group *g)
{
	return g->attempt[0]->mail.rowid * 100 + g->attempt[0]->n;
}

static void touch_findings(struct victim *v, const struct victim_task *task)
{
	for (size_t k = 0; k < task->finding_count; k++)
		for (size_t i = 0; i < v->group_count; i++)
			if (victim_finding_id(&v->group[i]) == task->finding[k])
				v->group[i].touched = true;
}

static int64_t earliest(const struct news *news, int64_t since_us)
{
	for (size_t i = 0; i < news->answer_count; i++)
		if (news->answer[i]->mail.mail_us < since_us)
			since_us = news->answer[i]->mail.mail_us;
	for (size_t i = 0; i < news->mail.count; i++)
		if (news->mail.item[i].mail_us < since_us)
			since_us = news->mail.item[i].mail_us;
	return since_us;
}

/* False: it has to be loaded anew. */
static bool refresh(struct victims *x, struct victim *v, const struct victim_task *task)
{
	struct news news = { 0 };

	load_answers(x, v, task->since_us, &news);
	load_mail(x, v, &news);
	if (stands_again(v, &news)) {
		while (news.answer_count)
			free(news.answer[--news.answer_count]);
		news_fini(&news);
		return false;
	}
	int64_t since_us = earliest(&news, task->since_us);
	rewind_to(v, answer_at(v, since_us - SIGHTING_SLACK_US));
	if (news.answer_count)
		qsort(news.answer, news.answer_count, sizeof *news.answer, compare_answer_pointers);
	sightings_sort(&news.mail);
	merge_answers(v, &news);
	merge_mail(v, &news.mail);
	touch_around(v, &news.mail);
	touch_findings(v, task);
	news_fini(&news);
	return true;
}

/* ---- keeping ---- */

static size_t bytes_of(const struct victim *v)
{
	return v->answer_count * sizeof **v->answer + v->answer_cap * sizeof *v->answer + v->mail_cap * sizeof *v->mail + v->group_cap * sizeof *v->group
	     + v->arena.used_bytes;
}

static struct victim *take_kept(struct victims *x, int64_t id)
{
	for (size_t i = 0; i < x->kept_count; i++) {
		struct victim *v = x->kept[i];

		if (v->id != id)
			continue;
		memmove(x->kept + i, x->kept + i + 1, (--x->kept_count - i) * sizeof *x->kept);
		x->kept_bytes -= bytes_of(v);
		return v;
	}
	return NULL;
}

static struct victim *new_victim(int64_t id)
{
	struct victim *v = xcalloc(1, sizeof *v);

	v->id = id;
	arena_init(&v->arena, ARENA_BYTES);
	return v;
}

struct victim *victims_get(struct victims *x, int64_t recipient_id, const struct victim_task *task)
{
	static const struct victim_task all = { .since_us = MARK_ALL };
	struct victim *v = take_kept(x, recipient_id);

	if (v && (task->since_us == MARK_ALL || !refresh(x, v, task))) {
		free_victim(v);
		v = NULL;
	}
	if (!v) {
		v = new_victim(recipient_id);
		refresh(x, v, &all);
	}
	if (v->address.p)
		return v;
	free_victim(v);
	return NULL;
}

bool victims_put_back(struct victims *x, struct victim *v)
{
	size_t bytes = bytes_of(v);

	if (!x->keep || bytes > KEPT_BYTES || v->arena.used_bytes > ARENA_BYTES / 2) {	/* working through again leaves copies behind in the arena */
		free_victim(v);
		return false;
	}
	while (x->kept_count == KEPT_MAX || x->kept_bytes + bytes > KEPT_BYTES) {
		struct victim *last = x->kept[--x->kept_count];

		x->kept_bytes -= bytes_of(last);
		free_victim(last);
	}
	memmove(x->kept + 1, x->kept, x->kept_count++ * sizeof *x->kept);
	x->kept[0] = v;
	x->kept_bytes += bytes;
	return true;
}
