/*
 * store.c - see store.h. A feed's thread encodes facts into its open batch (row.h); the writer thread commits one batch after the other (writer.h).
 * The queue between them is bounded in bytes. What is queued is let go only after its commit, or counted as lost.
 */
#include "sensor/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "common/timefmt.h"
#include "common/xmalloc.h"
#include "sensor/limits.h"
#include "sensor/row.h"
#include "sensor/writer.h"

/* milliseconds */
enum { RETRY_MS = 200, LOOK_MS = 1000, GIVE_UP_MS = 5000, STOP_MS = 300, SAY_AGAIN_MS = 10000 };

struct batch {
	struct batch *next;
	struct buf rows;
	uint32_t facts;
	uint64_t number;		/* in the order of the queue, from 1 */
	unsigned generation;		/* of the key that its addresses were hashed with */
};

/* A time in which facts could not be written, and what was said about such times. */
struct outage {
	bool on, said, dropping;
	int64_t since_ms, said_ms;
	uint64_t lost_said;
	char problem[WRITER_PROBLEM_BYTES];
};

struct store {
	struct store_options o;
	bool waits;			/* what is read cannot be read again: the store is waited for until the user ends us */
	struct writer writer;		/* of whoever is busy */

	pthread_t thread;
	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t changed;
	struct batch *first, **last;
	uint64_t batches;		/* numbers given out */
	size_t queued_bytes, queue_bytes;	/* in it, most of them; the cache has as much */
	bool busy;			/* somebody is at work with the writer; the first batch is the thread's meanwhile */
	bool closing;
	bool gave_up;			/* what follows is let go */
	int64_t stop_ms;		/* when an end was asked for; 0: not yet */
	uint64_t facts_lost;
	struct outage outage;
	struct siphash_key key;
	atomic_uint generation;		/* of the key; feeds look at it without the lock */
};

struct store_feed {
	struct store *store;
	unsigned generation;
	struct row_encoder encoder;
	struct batch *open;
	uint64_t cut_us;		/* wall clock of the last cut */
};

static int64_t now_ms(void)
{
	return time_monotone_us() / 1000;
}

static bool is_stopped(const struct store *s)
{
	return s->o.stop && *s->o.stop;
}

/* ---- opening ---- */

static void *write_queue(void *arg);

static int start_thread(struct store *s)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&s->lock, NULL);
	return pthread_create(&s->thread, NULL, write_queue, s);
}

static int open_writer(struct store *s, int *exit_code)
{
	struct writer_options o = { .dir = s->o.dir, .sensor = s->o.sensor, .version = s->o.version, .interfaces = s->o.interfaces,
				    .filter = s->o.filter, .privacy = s->o.privacy, .temporary = s->o.temporary, .durable = s->o.live, .waits = s->waits,
				    .cache_bytes = s->queue_bytes, .stop = s->o.stop };

	return writer_open(&s->writer, &o, exit_code);
}

struct store *store_open(const struct store_options *o, char *error, size_t error_size, int *exit_code)
{
	struct store *s = xcalloc(1, sizeof *s);

	s->o = *o;
	s->queue_bytes = o->memory_bytes && o->memory_bytes / 2 < LIMIT_QUEUE_BYTES ? o->memory_bytes / 2 : LIMIT_QUEUE_BYTES;
	s->waits = o->live || o->once;
	s->last = &s->first;
	if (open_writer(s, exit_code) == 0) {
		s->key = s->writer.place.key;
		int rc = start_thread(s);

		if (rc == 0)
			return s;
		snprintf(s->writer.problem, sizeof s->writer.problem, "%s: no thread for the store: %s", o->dir, strerror(rc));
		*exit_code = EX_OSERR;
		writer_close(&s->writer, true);
	}
	snprintf(error, error_size, "%s", s->writer.problem);
	free(s);
	return NULL;
}

/* ---- the queue ---- */

static void batch_free(struct batch *b)
{
	buf_fini(&b->rows);
	free(b);
}

/* Takes a batch out of the queue. */
static struct batch *queue_take(struct store *s, struct batch **link)
{
	struct batch *b = *link;

	*link = b->next;
	if (s->last == &b->next)
		s->last = link;
	s->queued_bytes -= b->rows.cap;
	return b;
}

static void drop(struct store *s, struct batch **link)
{
	struct batch *b = queue_take(s, link);

	s->facts_lost += b->facts;
	batch_free(b);
}

/* After writer_tend: another key may be in force. What was encoded with the old one does not go into a store with the new one. */
static void take_over_key(struct store *s)
{
	if (memcmp(&s->key, &s->writer.place.key, sizeof s->key) == 0)
		return;
	pthread_mutex_lock(&s->lock);
	s->key = s->writer.place.key;
	s->generation++;
	pthread_mutex_unlock(&s->lock);
}

/* A commit that had failed is there: true when it is that of b. Else its batch was dropped meanwhile and counted as lost. */
static bool was_committed(struct store *s, const struct batch *b)
{
	uint64_t number = s->writer.doubt.number;

	if (!s->writer.doubt.found)
		return false;
	s->writer.doubt.number = 0;
	s->writer.doubt.found = false;
	if (b && b->number == number)
		return true;
	pthread_mutex_lock(&s->lock);
	s->facts_lost -= s->writer.doubt.facts;
	pthread_mutex_unlock(&s->lock);
	return false;
}

static int tend(struct store *s)
{
	int rc = writer_tend(&s->writer);

	if (rc == 0)
		take_over_key(s);
	return rc;
}

/* One try. b: NULL when there is nothing to write; then it is only looked after the store. */
static enum writer_result try_batch(struct store *s, struct batch *b, uint64_t lost)
{
	if (tend(s))
		return WRITER_FAILED;
	if (was_committed(s, b) || !b)
		return WRITER_COMMITTED;
	if (b->generation != s->generation)
		return WRITER_LOST;
	return writer_commit(&s->writer, &(struct writer_batch){ &b->rows, b->number, b->facts }, lost);
}

/* ---- what is said about it ---- */

static void begin_outage(struct store *s)
{
	if (s->outage.on)
		return;
	s->outage.on = true;
	s->outage.since_ms = now_ms();
}

/* Said once, and when it is another problem, but not again and again. */
static void complain(struct store *s)
{
	struct outage *x = &s->outage;
	bool news = strcmp(x->problem, s->writer.problem) != 0;

	begin_outage(s);
	if (x->said_ms && (now_ms() - x->said_ms < SAY_AGAIN_MS || (x->said && !news)))
		return;
	fprintf(stderr, "bouncetapd: the store cannot be written: %s%s\n", s->writer.problem, s->gave_up || s->writer.hopeless ? "" : "; trying again");
	memcpy(x->problem, s->writer.problem, sizeof x->problem);
	x->said = true;
	x->said_ms = now_ms();
}

/* A queue that is still half full will lose more soon. */
static void end_outage(struct store *s)
{
	struct outage *x = &s->outage;

	if (!x->on || s->queued_bytes > s->queue_bytes / 2)
		return;
	if (x->said || x->dropping) {
		fprintf(stderr, "bouncetapd: the store is written again; %llu facts were lost\n", (unsigned long long)(s->facts_lost - x->lost_said));
		x->lost_said = s->facts_lost;
	}
	x->on = x->said = x->dropping = false;
}

/* What cannot be read again waits until the user ends the program, a replay only some seconds. */
static bool is_worth_another_try(struct store *s)
{
	bool stopped = is_stopped(s);

	if (s->gave_up || s->writer.hopeless)
		return false;
	if (!stopped && !(s->o.live && s->closing))
		return s->waits || now_ms() - s->outage.since_ms < GIVE_UP_MS;
	if (!s->stop_ms)
		s->stop_ms = now_ms();
	return now_ms() - s->stop_ms < (stopped ? STOP_MS : GIVE_UP_MS);
}

/* For changed, or a while: a signal wakes nobody. */
static void wait_a_while(struct store *s, long ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += ms % 1000 * 1000000;
	t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&s->changed, &s->lock, &t);
}

/* b: what was tried, or NULL. */
static void take_result(struct store *s, struct batch *b, enum writer_result result)
{
	if (result == WRITER_FAILED) {
		complain(s);
		s->gave_up = !is_worth_another_try(s);
		return;
	}
	if (b && result == WRITER_COMMITTED)
		batch_free(queue_take(s, &s->first));
	if (b && result == WRITER_LOST)
		drop(s, &s->first);
	end_outage(s);
}

/* Until the next try is due, or there is something to do. Between slices of old facts others have the disk as long as we had. */
static void rest(struct store *s, enum writer_result result, bool pruning)
{
	int64_t until = now_ms() + (result == WRITER_FAILED ? RETRY_MS : pruning ? PRUNE_SLICE_MS : LOOK_MS);

	while (now_ms() < until && !s->gave_up && (result == WRITER_FAILED || (!s->first && !s->closing)))
		wait_a_while(s, pruning ? PRUNE_SLICE_MS : RETRY_MS);
}

/* A replay carries out what was asked for before it ends: there may be no other. */
static void finish_pruning(struct store *s)
{
	if (s->o.live || s->gave_up)
		return;
	while (writer_prune(&s->writer) && !is_stopped(s))
		;
}

static void *write_queue(void *arg)
{
	struct store *s = arg;

	pthread_mutex_lock(&s->lock);
	while (s->first || !s->closing) {
		struct batch *b = s->first;
		uint64_t lost = s->facts_lost;

		if (s->busy) {
			pthread_cond_wait(&s->changed, &s->lock);
			continue;
		}
		if (s->gave_up) {
			if (b)
				drop(s, &s->first);
			else
				wait_a_while(s, LOOK_MS);
			pthread_cond_broadcast(&s->changed);
			continue;
		}
		s->busy = true;
		pthread_mutex_unlock(&s->lock);
		enum writer_result result = try_batch(s, b, lost);
		bool pruning = result != WRITER_FAILED && writer_prune(&s->writer);
		pthread_mutex_lock(&s->lock);
		s->busy = false;
		take_result(s, b, result);
		pthread_cond_broadcast(&s->changed);
		rest(s, result, pruning);
	}
	pthread_mutex_unlock(&s->lock);
	finish_pruning(s);
	return NULL;
}

/* ---- a feed ---- */

static void begin_batch(struct store_feed *feed)
{
	feed->open = xcalloc(1, sizeof *feed->open);
	feed->open->generation = feed->generation;
}

/* The key that is in force now. */
static void take_key(struct store_feed *feed)
{
	struct store *s = feed->store;

	pthread_mutex_lock(&s->lock);
	feed->encoder.key = s->key;
	feed->generation = s->generation;
	pthread_mutex_unlock(&s->lock);
}

struct store_feed *store_feed_new(struct store *s)
{
	struct store_feed *feed = xcalloc(1, sizeof *feed);

	feed->store = s;
	feed->encoder.privacy = s->o.privacy;
	feed->encoder.subject = s->o.subject;
	take_key(feed);
	begin_batch(feed);
	return feed;
}

/* Live capture lets go of the oldest, but not of what is being written at this moment. */
static void make_room(struct store *s)
{
	while (s->queued_bytes > s->queue_bytes && s->first && !(s->busy && !s->first->next)) {
		if (!s->outage.dropping)
			fprintf(stderr, "bouncetapd: %zu MiB wait for the store: the oldest facts are dropped\n", s->queue_bytes >> 20);
		begin_outage(s);
		s->outage.dropping = true;
		drop(s, s->busy ? &s->first->next : &s->first);
	}
}

/* The open batch goes to the writer. A full queue: a replay waits, live capture makes room. */
static void cut(struct store_feed *feed)
{
	struct store *s = feed->store;
	struct batch *b = feed->open;

	if (b->facts == 0)
		return;
	begin_batch(feed);
	pthread_mutex_lock(&s->lock);
	while (s->queued_bytes > s->queue_bytes && !s->o.live && !is_stopped(s))
		wait_a_while(s, RETRY_MS);
	make_room(s);
	b->number = ++s->batches;
	*s->last = b;
	s->last = &b->next;
	s->queued_bytes += b->rows.cap;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* What was encoded with the key of a store that is gone is cut off; the writer counts it. */
static struct buf *begin_put(struct store_feed *feed)
{
	if (feed->generation != feed->store->generation) {
		cut(feed);
		take_key(feed);
		feed->open->generation = feed->generation;
	}
	return &feed->open->rows;
}

static void end_put(struct store_feed *feed)
{
	feed->open->facts++;
	if (feed->open->facts >= LIMIT_BATCH_FACTS || feed->open->rows.len >= LIMIT_BATCH_BYTES)
		cut(feed);
}

void store_put_session(struct store_feed *feed, const struct fact_session *f)
{
	struct buf *rows = begin_put(feed);

	row_session(&feed->encoder, rows, f);
	end_put(feed);
}

void store_put_transaction(struct store_feed *feed, const struct fact_transaction *f)
{
	struct buf *rows = begin_put(feed);

	row_transaction(&feed->encoder, rows, f);
	end_put(feed);
}

void store_put_capture(struct store_feed *feed, const struct fact_capture *f)
{
	struct buf *rows = begin_put(feed);

	row_capture(&feed->encoder, rows, f);
	end_put(feed);
}

void store_tick(struct store_feed *feed, uint64_t wall_us)
{
	if (wall_us < feed->cut_us + 1000000)
		return;
	feed->cut_us = wall_us;
	cut(feed);
}

void store_feed_free(struct store_feed *feed)
{
	cut(feed);
	batch_free(feed->open);
	buf_fini(&feed->encoder.text);
	buf_fini(&feed->encoder.clean);
	free(feed);
}

/* ---- the caller that opened it ---- */

/* Waits until all that was cut is committed; then the database is the caller's, until release. */
static void claim(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->first || s->busy)
		pthread_cond_wait(&s->changed, &s->lock);
	s->busy = true;
	pthread_mutex_unlock(&s->lock);
}

static void release(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	s->busy = false;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

bool store_gave_up(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	bool gave_up = s->gave_up;
	pthread_mutex_unlock(&s->lock);
	return gave_up;
}

struct source_names {
	const char *fingerprint, *files;
};

static int begin_source(struct store *s, const void *arg)
{
	const struct source_names *n = arg;

	return writer_begin_source(&s->writer, n->fingerprint, n->files);
}

static int end_source(struct store *s, const void *state)
{
	return writer_end_source(&s->writer, state);
}

static int end_run(struct store *s, const void *end_reason)
{
	was_committed(s, NULL);
	return writer_end_run(&s->writer, end_reason, s->facts_lost);
}

/* Tries something with the claimed writer for a while; what it answers. */
static int patiently(struct store *s, int (*work)(struct store *s, const void *arg), const void *arg, int64_t ms)
{
	int64_t until = now_ms() + ms;

	for (;;) {
		int rc = tend(s) ? -1 : work(s, arg);

		if (rc >= 0)
			return rc;
		pthread_mutex_lock(&s->lock);
		if (now_ms() >= until || s->gave_up || s->writer.hopeless) {
			s->gave_up = true;
			complain(s);
			pthread_mutex_unlock(&s->lock);
			return -1;
		}
		wait_a_while(s, RETRY_MS);
		pthread_mutex_unlock(&s->lock);
	}
}

enum store_source store_begin_source(struct store *s, const char *fingerprint, const char *files_text)
{
	struct source_names names = { fingerprint, files_text };

	if (!fingerprint)
		return STORE_SOURCE_TO_READ;
	claim(s);
	int result = patiently(s, begin_source, &names, GIVE_UP_MS);
	release(s);
	return (enum store_source)result;
}

int store_end_source(struct store *s, bool damaged)
{
	int result = 0;

	claim(s);
	if (!s->facts_lost && s->writer.insert.source_id)	/* else it has to be read again */
		result = patiently(s, end_source, damaged ? "damaged" : "done", GIVE_UP_MS);
	release(s);
	return result;
}

int store_close(struct store *s, const char *end_reason)
{
	int rc = -1;

	pthread_mutex_lock(&s->lock);
	s->closing = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	if (s->waits || !s->gave_up || s->writer.place.db)
		rc = patiently(s, end_run, end_reason, s->gave_up || is_stopped(s) ? 0 : GIVE_UP_MS);
	uint64_t lost = s->facts_lost;
	if (lost)
		fprintf(stderr, "bouncetapd: %llu facts were lost: the store could not be written%s\n", (unsigned long long)lost,
			s->writer.insert.source_id ? "; read the files again" : "");
	writer_close(&s->writer, !s->gave_up);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
	return lost || rc ? -1 : 0;
}
