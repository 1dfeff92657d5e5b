/* minute.c - see minute.h */
#include "sensor/minute.h"

#include <pthread.h>
#include <string.h>

#include "common/xmalloc.h"

struct minute {
	pthread_mutex_t lock;		/* guards what follows */
	unsigned waiting;		/* workers that have not added theirs */
	size_t interface_count;
	struct fact_capture row[];
};

struct minute *minute_new(uint64_t end_us, const char *const *interfaces, size_t interface_count, unsigned workers,
			  const struct fact_capture *counted)
{
	struct minute *m = xmalloc(sizeof *m + interface_count * sizeof *m->row);

	pthread_mutex_init(&m->lock, NULL);
	m->waiting = workers;
	m->interface_count = interface_count;
	for (size_t i = 0; i < interface_count; i++) {
		m->row[i] = counted[i];
		m->row[i].interface = (struct text){ interfaces[i], (uint32_t)strlen(interfaces[i]) };
		m->row[i].start_us = end_us - MINUTE_US;
		m->row[i].end_us = end_us;
	}
	return m;
}

static void add(struct fact_capture *sum, const struct fact_capture *c)
{
	sum->unseen_bytes += c->unseen_bytes;
	sum->flows += c->flows;
	sum->evicted += c->evicted;
	sum->sessions += c->sessions;
	sum->encrypted_sessions += c->encrypted_sessions;
	sum->one_sided_sessions += c->one_sided_sessions;
}

void minute_add(struct minute *m, struct fact_capture *counted, const struct fact_sink *sink)
{
	pthread_mutex_lock(&m->lock);
	for (size_t i = 0; i < m->interface_count; i++)
		add(&m->row[i], &counted[i]);
	memset(counted, 0, m->interface_count * sizeof *counted);
	bool last = --m->waiting == 0;
	pthread_mutex_unlock(&m->lock);
	if (!last)
		return;
	for (size_t i = 0; sink->capture && i < m->interface_count; i++)
		sink->capture(sink->arg, &m->row[i]);
	pthread_mutex_destroy(&m->lock);
	free(m);
}
