/* metrics.c - see metrics.h */
#include "analyzer/metrics.h"

#include <string.h>

#include "common/utf8.h"
#include "reader/risk.h"
#include "reader/sensor.h"
#include "reader/server.h"

#define DAY_US (24 * 3600 * INT64_C(1000000))

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP bouncetap_%s %s\n# TYPE bouncetap_%s %s\n", name, help, name, type);
}

/* A label's value: backslash, quote and line break have to be escaped. */
static void label(struct buf *out, const char *name, const char *value, bool first)
{
	struct buf clean = { 0 };

	utf8_append_clean(&clean, (struct text){ value, (uint32_t)strlen(value) });
	buf_printf(out, "%s%s=\"", first ? "{" : ",", name);
	for (size_t i = 0; i < clean.len; i++) {
		if (clean.p[i] == '\\' || clean.p[i] == '"')
			buf_add_char(out, '\\');
		if (clean.p[i] == '\n')
			buf_add_str(out, "\\n");
		else
			buf_add_char(out, clean.p[i]);
	}
	buf_add_char(out, '"');
	buf_fini(&clean);
}

static void value(struct buf *out, uint64_t n)
{
	buf_printf(out, "%llu\n", (unsigned long long)n);
}

static void seconds(struct buf *out, const char *name, const char *help, int64_t us)
{
	if (!us)
		return;
	head(out, name, "gauge", help);
	buf_printf(out, "bouncetap_%s %.3f\n", name, (double)us / 1e6);
}

/* ---- servers ---- */

static void server_number(struct buf *out, const char *name, const struct server_row *s, uint64_t n)
{
	buf_printf(out, "bouncetap_%s", name);
	label(out, "server", s->name, true);
	buf_add_str(out, "} ");
	value(out, n);
}

static void put_verdicts(const struct server_list *l, struct buf *out)
{
	static const char *const words[] = { "yes", "likely", "unknown", "no" };

	head(out, "answers_last_day", "gauge", "mails that servers made by themselves and sent outside in the last 24 hours, by whether they were misdirected");
	for (size_t i = 0; i < l->count; i++) {
		const struct server_counts *c = &l->row[i].range;
		const uint64_t counts[] = { c->yes, c->likely, c->unknown, c->no };

		for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
			buf_add_str(out, "bouncetap_answers_last_day");
			label(out, "server", l->row[i].name, true);
			label(out, "misdirected", words[k], false);
			buf_add_str(out, "} ");
			value(out, counts[k]);
		}
	}
}

static void put_kinds(const struct server_list *l, struct buf *out)
{
	head(out, "answers_last_day_by_kind", "gauge", "the same by kind");
	for (size_t i = 0; i < l->count; i++)
		for (int k = 0; k < KIND_COUNT; k++) {
			if (!l->row[i].range.kind[k])
				continue;
			buf_add_str(out, "bouncetap_answers_last_day_by_kind");
			label(out, "server", l->row[i].name, true);
			label(out, "kind", kind_name((enum kind)k), false);
			buf_add_str(out, "} ");
			value(out, l->row[i].range.kind[k]);
		}
}

static void put_servers(const struct server_list *l, struct buf *out)
{
	put_verdicts(l, out);
	put_kinds(l, out);
	head(out, "mails_last_day", "gauge", "mail transactions from and to outside in the last 24 hours");
	for (size_t i = 0; i < l->count; i++)
		server_number(out, "mails_last_day", &l->row[i], l->row[i].range.mails_in + l->row[i].range.mails_out);
	head(out, "days_clean", "gauge", "whole days since the last answer to hold against a server; none: never one");
	for (size_t i = 0; i < l->count; i++)
		if (l->row[i].days_clean >= 0)
			server_number(out, "days_clean", &l->row[i], (uint64_t)l->row[i].days_clean);
}

/* As Prometheus' state sets: 1 for the status that holds. */
static void put_risk(const struct risk_list *l, struct buf *out)
{
	head(out, "list_status", "gauge", "how an address stands with a list: 1 for the status that holds");
	for (size_t i = 0; i < l->count; i++) {
		buf_add_str(out, "bouncetap_list_status");
		label(out, "server", l->row[i].server, true);
		label(out, "address", l->row[i].address, false);
		label(out, "list", l->row[i].list, false);
		label(out, "status", l->row[i].status, false);
		buf_add_str(out, "} 1\n");
	}
}

/* ---- sensor ---- */

static const struct {
	const char *name, *help;
	size_t offset;
} counters[] = {
	{ "packets_last_day", "packets seen in the last 24 hours", offsetof(struct sensor_counters, packets) },
	{ "kernel_drops_last_day", "packets dropped by the kernel in the last 24 hours", offsetof(struct sensor_counters, kernel_drops) },
	{ "interface_drops_last_day", "frames dropped by the network card in the last 24 hours", offsetof(struct sensor_counters, interface_drops) },
	{ "unseen_bytes_last_day", "bytes acknowledged, but not captured in the last 24 hours", offsetof(struct sensor_counters, unseen_bytes) },
	{ "evicted_last_day", "connections dropped for want of memory in the last 24 hours", offsetof(struct sensor_counters, evicted) },
	{ "sessions_last_day", "sessions of mail in the last 24 hours", offsetof(struct sensor_counters, sessions) },
	{ "encrypted_sessions_last_day", "of them encrypted", offsetof(struct sensor_counters, encrypted_sessions) },
};

static void put_sensor(const struct sensor_view *v, struct buf *out)
{
	for (size_t c = 0; c < sizeof counters / sizeof *counters; c++) {
		head(out, counters[c].name, "gauge", counters[c].help);
		for (size_t i = 0; i < v->interface_count; i++) {
			uint64_t n;

			memcpy(&n, (const char *)&v->interface[i].total + counters[c].offset, sizeof n);
			buf_printf(out, "bouncetap_%s", counters[c].name);
			label(out, "interface", v->interface[i].name, true);
			buf_add_str(out, "} ");
			value(out, n);
		}
	}
	head(out, "batches_behind", "gauge", "commits of the sensor that are not judged yet");
	buf_add_str(out, "bouncetap_batches_behind ");
	value(out, v->batches_behind);
	seconds(out, "last_commit_timestamp_seconds", "when the sensor last wrote", v->last_commit_us);
	seconds(out, "last_packet_timestamp_seconds", "the end of the last minute with packets", v->last_packet_us);
}

int metrics_write(struct reader *r, const struct config *config, int64_t now_us, struct buf *out)
{
	struct server_query servers = { now_us, now_us - DAY_US, now_us, config };
	struct sensor_query sight = { now_us, now_us - DAY_US, now_us };
	struct server_list server_list;
	struct risk_list risk_list;
	struct sensor_view view;
	int failed = server_list_read(r, &servers, &server_list);

	failed |= risk_list_read(r, 0, &risk_list);
	failed |= sensor_view_read(r, &sight, &view);
	if (!failed) {
		put_servers(&server_list, out);
		put_risk(&risk_list, out);
		put_sensor(&view, out);
		seconds(out, "written_timestamp_seconds", "when this was written", now_us);
	}
	server_list_fini(&server_list);
	risk_list_fini(&risk_list);
	sensor_view_fini(&view);
	return failed ? -1 : 0;
}
