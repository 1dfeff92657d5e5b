/* sighting.c - see sighting.h */
#include "analyzer/sighting.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/idset.h"
#include "common/xmalloc.h"
#include "schema/db.h"

#define COLUMNS \
	"SELECT t.id, t.src_ip, t.dest_ip, t.proxy, t.xclient, t.xforward, t.started_us, coalesce(t.mail_us, t.started_us), t.ended_us," \
	" t.reply_us, t.outcome, t.auth, t.mail_from_id, m.message_id_hash, m.in_reply_to_hash, t.size_bytes, t.helo, t.queue_id, t.session_id," \
	" t.ordinal, t.mail_from_inner_id, t.mail_from_class "
#define WITH_MESSAGES "FROM transactions t LEFT JOIN messages m ON m.transaction_rowid = t.id "

#define BY_SENDER "WHERE t.mail_from_id = ?1 AND t.null_sender = 0"

const char sighting_sql_by_sender_after[] = COLUMNS WITH_MESSAGES BY_SENDER " AND t.id > ?2";
const char sighting_sql_by_rowid[] = COLUMNS WITH_MESSAGES "WHERE t.id = ?1";

static void read_ip(sqlite3_stmt *s, int column, struct ip_addr *out)
{
	struct text t = column_text(s, column);

	if (!t.p || ip_parse(t.p, t.len, out))
		*out = (struct ip_addr){ 0 };
}

static enum mail_outcome outcome_of(struct text t)
{
	return text_starts_nocase(t, "acc") ? MAIL_ACCEPTED : text_starts_nocase(t, "rej") ? MAIL_REJECTED
	     : text_starts_nocase(t, "abo") ? MAIL_ABORTED : MAIL_UNKNOWN;
}

static struct text keep(struct arena *a, struct text t)
{
	return t.p && a ? arena_copy(a, t.p, t.len, t.len, NULL) : (struct text){ 0 };
}

/* XCLIENT and XFORWARD name the client; through PROXY it speaks itself. */
static struct text origin_name(struct arena *a, const struct route *r, sqlite3_stmt *s, struct text helo)
{
	bool xclient = strcmp(r->origin_from, "xclient") == 0;

	return xclient || strcmp(r->origin_from, "xforward") == 0 ? keep(a, own_attribute(column_text(s, xclient ? 4 : 5), "helo=")) : helo;
}

static void read_sighting(sqlite3_stmt *s, const struct own *own, struct arena *a, struct sighting *out)
{
	*out = (struct sighting){ .rowid = sqlite3_column_int64(s, 0) };
	read_ip(s, 1, &out->src);
	read_ip(s, 2, &out->dest);
	out->route = own_route(own, &out->src, &out->dest, column_text(s, 3), column_text(s, 4), column_text(s, 5));
	out->started_us = sqlite3_column_int64(s, 6);
	out->mail_us = sqlite3_column_int64(s, 7);
	out->ended_us = sqlite3_column_int64(s, 8);
	out->reply_us = sqlite3_column_int64(s, 9);
	out->outcome = outcome_of(column_text(s, 10));
	out->auth = sqlite3_column_type(s, 11) == SQLITE_NULL ? -1 : sqlite3_column_int(s, 11);
	out->mail_from_id = sqlite3_column_int64(s, 12);
	out->message_id_hash = sqlite3_column_int64(s, 13);
	out->in_reply_to_hash = sqlite3_column_int64(s, 14);
	out->size_bytes = sqlite3_column_type(s, 15) == SQLITE_NULL ? -1 : sqlite3_column_int64(s, 15);
	out->helo = keep(a, column_text(s, 16));
	out->queue_id = keep(a, column_text(s, 17));
	if (sqlite3_column_bytes(s, 18) == sizeof out->session_id)
		memcpy(out->session_id, sqlite3_column_blob(s, 18), sizeof out->session_id);
	out->ordinal = sqlite3_column_int(s, 19);
	out->mail_from_inner_id = sqlite3_column_int64(s, 20);
	out->mail_from_class = (unsigned)sqlite3_column_int(s, 21);
	if (out->route.origin_from)
		out->origin_name = origin_name(a, &out->route, s, out->helo);
}

void sightings_collect(sqlite3_stmt *s, const struct own *own, struct arena *a, struct sightings *out)
{
	while (sqlite3_step(s) == SQLITE_ROW) {
		if (out->count == out->cap) {
			out->cap = out->cap ? out->cap * 2 : 8;
			out->item = xreallocarray(out->item, out->cap, sizeof *out->item);
		}
		read_sighting(s, own, a, &out->item[out->count++]);
	}
	sqlite3_reset(s);
}

bool sighting_grows_to(int64_t bytes, int64_t size)
{
	enum { LINES = 3000 };	/* Received, Delivered-To and a filter's marks */

	return size >= bytes - bytes / 10 && size <= bytes + bytes / 10 + LINES;	/* Sendmail counts without CR, Exim adds some */
}

int sighting_compare(const struct sighting *a, const struct sighting *b)
{
	if (a->mail_us != b->mail_us)
		return a->mail_us < b->mail_us ? -1 : 1;
	int c = memcmp(a->session_id, b->session_id, sizeof a->session_id);
	return c ? c : a->ordinal - b->ordinal;
}

static int compare_sightings(const void *x, const void *y)
{
	return sighting_compare(x, y);
}

void sightings_sort(struct sightings *list)
{
	if (list->count)
		qsort(list->item, list->count, sizeof *list->item, compare_sightings);
}

/* ---- what mails share ---- */

/* A row each, from the index alone. */
static const char sql_having_hash[] = "SELECT 1 FROM messages WHERE message_id_hash = ?1";
static const char sql_having_sender[] = "SELECT 1 FROM transactions WHERE mail_from_id = ?1 AND null_sender = 0";
static const char sql_by_sender[] = COLUMNS WITH_MESSAGES BY_SENDER;
static const char sql_by_hash_after[] = COLUMNS "FROM messages m JOIN transactions t ON t.id = m.transaction_rowid WHERE m.message_id_hash = ?1"
	" AND m.transaction_rowid > ?2";

/* The mails that shared a Message-ID when it was asked for last, up to this rowid. */
struct crowd {
	int64_t message_id_hash, seen_rowid;
	struct sightings list;
};

enum { CROWDS = 64 };	/* each at its hash */

struct shared {
	const struct own *own;
	struct crowd crowd[CROWDS];
	struct key {
		int most;
		sqlite3_stmt *having, *rows;
		struct idset too_many;	/* facts are only added: it stays so */
	} hash, sender;
};

struct shared *shared_new(sqlite3 *facts, const struct own *own)
{
	struct shared *s = xcalloc(1, sizeof *s);

	s->own = own;
	s->hash = (struct key){ SIGHTING_SHARE_HASH, db_prepare(facts, sql_having_hash), db_prepare(facts, sql_by_hash_after), { 0 } };
	s->sender = (struct key){ SIGHTING_SHARE_SENDER, db_prepare(facts, sql_having_sender), db_prepare(facts, sql_by_sender), { 0 } };
	return s;
}

static void key_fini(struct key *k)
{
	sqlite3_finalize(k->having);
	sqlite3_finalize(k->rows);
	idset_fini(&k->too_many);
}

void shared_free(struct shared *s)
{
	if (!s)
		return;
	key_fini(&s->hash);
	key_fini(&s->sender);
	for (size_t i = 0; i < CROWDS; i++)
		free(s->crowd[i].list.item);
	free(s);
}

/* Up to most + 1. */
static int count_of(struct key *k, int64_t id)
{
	if (idset_has(&k->too_many, id))
		return k->most + 1;
	int count = 0;
	sqlite3_bind_int64(k->having, 1, id);
	while (count <= k->most && sqlite3_step(k->having) == SQLITE_ROW)
		count++;
	sqlite3_reset(k->having);
	if (count > k->most)
		idset_add(&k->too_many, id);
	return count;
}

bool shared_hash_by_too_many(struct shared *s, int64_t message_id_hash)
{
	return count_of(&s->hash, message_id_hash) > s->hash.most;
}

bool shared_sender_by_too_many(struct shared *s, int64_t sender_id)
{
	return count_of(&s->sender, sender_id) > s->sender.most;
}

static void add_to_crowd(struct shared *s, struct crowd *c)
{
	size_t old = c->list.count;

	sqlite3_bind_int64(s->hash.rows, 1, c->message_id_hash);
	sqlite3_bind_int64(s->hash.rows, 2, c->seen_rowid);
	sightings_collect(s->hash.rows, s->own, NULL, &c->list);
	for (size_t i = old; i < c->list.count; i++)
		if (c->list.item[i].rowid > c->seen_rowid)
			c->seen_rowid = c->list.item[i].rowid;
	if (c->list.count > old)
		sightings_sort(&c->list);
}

const struct sightings *shared_by_hash(struct shared *s, int64_t message_id_hash, int fewest)
{
	static const struct sightings none;
	struct crowd *c = &s->crowd[(uint64_t)message_id_hash % CROWDS];
	int count = message_id_hash ? count_of(&s->hash, message_id_hash) : 0;

	if (count < fewest || count > s->hash.most)
		return &none;
	if (c->message_id_hash != message_id_hash) {
		c->message_id_hash = message_id_hash;
		c->seen_rowid = 0;
		c->list.count = 0;
	}
	add_to_crowd(s, c);
	if (c->list.count != (size_t)count) {	/* a session was replaced by a longer sighting of itself */
		c->seen_rowid = 0;
		c->list.count = 0;
		add_to_crowd(s, c);
	}
	return &c->list;
}

bool shared_by_sender(struct shared *s, int64_t sender_id, struct arena *a, struct sightings *out)
{
	if (sender_id && count_of(&s->sender, sender_id) > s->sender.most)
		return false;
	sqlite3_bind_int64(s->sender.rows, 1, sender_id);
	sightings_collect(s->sender.rows, s->own, a, out);
	sightings_sort(out);
	return true;
}
