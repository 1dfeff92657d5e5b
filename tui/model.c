/* model.c - see model.h */
#include "tui/model.h"

#include <stdio.h>
#include <string.h>

#include "common/timefmt.h"

static const int64_t minute_us = 60 * INT64_C(1000000), day_us = 86400 * INT64_C(1000000);

void model_open(struct model *m, const char *store, const struct config *config, enum model_clock clock, int64_t fixed_us)
{
	*m = (struct model){ .reader = reader_open(store), .store = store, .config = config, .clock = clock, .fixed_us = fixed_us };
	reader_use_geo(m->reader, config->report.geoip);
}

void model_close(struct model *m)
{
	server_list_fini(&m->servers);
	finding_page_fini(&m->events);
	risk_list_fini(&m->risks);
	sensor_view_fini(&m->sensor);
	finding_page_fini(&m->finding);
	ladder_fini(&m->ladder);
	reader_close(m->reader);
}

static int64_t clock_now(const struct model *m)
{
	if (m->clock == MODEL_CLOCK_FIXED)
		return m->fixed_us;
	if (m->clock == MODEL_CLOCK_PACKETS && m->span.last_us)
		return m->sensor.last_packet_us > m->span.last_us ? m->sensor.last_packet_us : m->span.last_us;
	return time_now_us();
}

static int64_t local_midnight(int64_t us)
{
	int64_t midnight;

	return time_parse("today", us, &midnight) ? us - us % day_us : midnight;
}

/* ---- one screen each ---- */

static int read_servers(struct model *m)
{
	struct server_query q = { .now_us = m->now_us, .since_us = local_midnight(m->now_us), .config = m->config };
	struct server_list fresh;
	int failed = server_list_read(m->reader, &q, &fresh);

	server_list_fini(failed ? &fresh : &m->servers);
	if (!failed)
		m->servers = fresh;
	return failed;
}

/* The one server whose name says text; -1: none or several, which the list then tells apart. */
static int64_t server_named(const struct model *m, const char *text)
{
	int64_t id = -1;

	for (size_t i = 0; i < m->servers.count; i++) {
		struct text name = { m->servers.row[i].name, (uint32_t)strlen(m->servers.row[i].name) };

		if (name.len == strlen(text) && text_starts_nocase(name, text))
			return m->servers.row[i].id;
		if (text_find_nocase(name, text) >= 0)
			id = id < 0 ? m->servers.row[i].id : 0;
	}
	return id > 0 ? id : -1;
}

static unsigned kinds_that_begin(const char *text)
{
	unsigned kinds = 0;

	for (unsigned k = 0; k < KIND_COUNT; k++)
		if (strncmp(kind_name((enum kind)k), text, strlen(text)) == 0)
			kinds |= 1u << k;
	return kinds;
}

static unsigned verdicts_that_begin(const char *text)
{
	static const char *const words[] = { "yes", "likely", "unknown", "no" };
	unsigned verdicts = 0;

	for (unsigned i = 0; i < 4; i++)
		if (strncmp(words[i], text, strlen(text)) == 0)
			verdicts |= 1u << i;
	return verdicts;
}

static void filter_events(const struct model *m, const struct model_query *q, struct finding_filter *out)
{
	int64_t server = q->event_server ? server_named(m, q->event_server) : -1;

	*out = (struct finding_filter){ .now_us = m->now_us, .text = q->event_text, .until_us = q->at_us };
	if (server > 0)
		out->server_id = server;
	if (q->event_kind)
		out->kinds = kinds_that_begin(q->event_kind);
	if (q->event_verdict)
		out->misdirected = verdicts_that_begin(q->event_verdict);
}

static int read_events(struct model *m, const struct model_query *q)
{
	struct finding_filter filter;
	struct finding_page fresh;

	if (q->event_server && read_servers(m))
		return -1;
	filter_events(m, q, &filter);
	int failed = finding_page_read(m->reader, &filter, (struct finding_place){ 0 }, MODEL_EVENTS_MAX, &fresh);
	finding_page_fini(failed ? &fresh : &m->events);
	if (!failed)
		m->events = fresh;
	return failed;
}

static int read_ladder(struct model *m, const struct model_query *q)
{
	finding_page_fini(&m->finding);
	ladder_fini(&m->ladder);
	m->finding = (struct finding_page){ 0 };
	m->ladder = (struct ladder){ 0 };
	if (!q->finding)
		return 0;
	int failed = finding_read(m->reader, q->finding, m->now_us, &m->finding);
	return failed || !m->finding.count ? failed : ladder_read(m->reader, m->finding.row[0].id, &m->ladder);
}

static int read_risks(struct model *m)
{
	struct risk_list fresh;
	int failed = risk_list_read(m->reader, 0, &fresh);

	risk_list_fini(failed ? &fresh : &m->risks);
	if (!failed)
		m->risks = fresh;
	return failed;
}

/* The line at the top of every screen comes from it, too. */
static int read_sensor(struct model *m)
{
	struct sensor_query q = { .now_us = m->now_us, .since_us = local_midnight(m->now_us) };
	struct sensor_view fresh;
	int failed = sensor_view_read(m->reader, &q, &fresh);

	sensor_view_fini(failed ? &fresh : &m->sensor);
	if (!failed)
		m->sensor = fresh;
	return failed;
}

static int read_screen(struct model *m, const struct model_query *q)
{
	switch (q->screen) {
	case SCREEN_SERVERS: return read_servers(m) || read_risks(m) ? -1 : 0;
	case SCREEN_EVENTS: return read_events(m, q);
	case SCREEN_LADDER: return read_servers(m) || read_ladder(m, q) ? -1 : 0;
	case SCREEN_LISTS: return read_risks(m);
	case SCREEN_SENSOR:
	case SCREEN_COUNT: break;
	}
	return 0;
}

bool model_refresh(struct model *m, const struct model_query *q, bool other_query)
{
	bool changed = reader_refresh(m->reader);
	int64_t now_us = q->at_us ? q->at_us : clock_now(m);

	if (changed || other_query || now_us / minute_us != m->minute_us) {
		if (reader_state(m->reader) == READER_READY) {
			reader_span(m->reader, &m->span);
			m->now_us = q->at_us ? q->at_us : clock_now(m);
			if (read_sensor(m) == 0 && read_screen(m, q) == 0)
				m->was_read = true;
		}
		m->minute_us = now_us / minute_us;
		changed = true;
	}
	m->now_us = q->at_us ? q->at_us : clock_now(m);
	if (strcmp(m->message, reader_message(m->reader)) != 0)
		changed = true;
	snprintf(m->message, sizeof m->message, "%s", reader_message(m->reader));
	return changed;
}
