/* dnsbl.c - see dnsbl.h. One channel; queries are handed to it lane by lane, so that none of them is sent in a burst to one list. */
#include "analyzer/dnsbl.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/timefmt.h"
#include "common/xmalloc.h"

enum {
	TRY_MS = 1000,			/* for the first answer; a second try has twice that */
	TRIES = 2,
	OWN_SPACING_US = 5000,
	LIST_SPACING_US = 100000,	/* between two queries to one list */
	SOCKETS_MAX = ARES_GETSOCK_MAXNUM,
	ALIASES_MAX = 8,		/* CNAMEs followed within an answer */
	HEADER_BYTES = 12,
	RR_FIXED_BYTES = 10,		/* type, class, TTL, length */
	CLASS_IN = 1,
	TYPE_CNAME = 5,
	FLAG_TRUNCATED = 2		/* of the third byte */
};

struct dnsbl {
	ares_channel channel;
	struct buf resolvers;
	int64_t *last_us;	/* when a lane was used last */
	unsigned lanes;
};

/* ---- opening ---- */

static void write_resolvers(struct dnsbl *d)
{
	struct ares_addr_port_node *servers = NULL;
	char text[INET6_ADDRSTRLEN];

	if (ares_get_servers_ports(d->channel, &servers) != ARES_SUCCESS)
		return;
	for (struct ares_addr_port_node *n = servers; n; n = n->next) {
		if (!inet_ntop(n->family, &n->addr, text, sizeof text))
			continue;
		buf_add_str(&d->resolvers, d->resolvers.len ? " " : "");
		if (n->udp_port == 0 || n->udp_port == 53)
			buf_add_str(&d->resolvers, text);
		else
			buf_printf(&d->resolvers, n->family == AF_INET6 ? "[%s]:%d" : "%s:%d", text, n->udp_port);
	}
	ares_free_data(servers);
}

struct dnsbl *dnsbl_new(const char *resolver, char *error, unsigned error_size)
{
	struct ares_options o = { .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES, .timeout = TRY_MS, .tries = TRIES };
	struct dnsbl *d = xcalloc(1, sizeof *d);
	int result = ares_library_init(ARES_LIB_INIT_ALL);

	if (result == ARES_SUCCESS)
		result = ares_init_options(&d->channel, &o, ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
	if (result != ARES_SUCCESS) {
		snprintf(error, error_size, "DNS: %s", ares_strerror(result));
		free(d);
		return NULL;
	}
	if (resolver && (!*resolver || ares_set_servers_ports_csv(d->channel, resolver) != ARES_SUCCESS)) {
		snprintf(error, error_size, "%s is no address of a resolver; 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353 would be", resolver);
		dnsbl_free(d);
		return NULL;
	}
	write_resolvers(d);
	return d;
}

void dnsbl_free(struct dnsbl *d)
{
	if (!d)
		return;
	ares_destroy(d->channel);
	ares_library_cleanup();
	buf_fini(&d->resolvers);
	free(d->last_us);
	free(d);
}

const char *dnsbl_resolvers(const struct dnsbl *d)
{
	return d->resolvers.p ? buf_cstr((struct buf *)(uintptr_t)&d->resolvers) : "none";
}

void dns_query_fini(struct dns_query *q)
{
	for (unsigned i = 0; i < DNS_RECORDS_MAX; i++) {
		free(q->text[i]);
		q->text[i] = NULL;
	}
	q->count = 0;
}

const char *dns_status_words(enum dns_status s)
{
	static const char *const words[] = { [DNS_NOT_ASKED] = "not asked in time", [DNS_ANSWER] = "answered", [DNS_NO_NAME] = "NXDOMAIN",
		[DNS_NO_RECORD] = "no such record", [DNS_FAILED] = "the resolver refused, failed or is not there",
		[DNS_SILENT] = "no answer in time", [DNS_MALFORMED] = "malformed answer" };

	return words[s];
}

/* ---- answers ---- */

struct message {
	const unsigned char *p;
	int len, at;
};

static unsigned get16(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* The name at m->at into out, moving behind it. False for one that is malformed or too long. */
static bool read_name(struct message *m, char out[DNS_NAME_MAX + 1])
{
	char *name;
	long used;

	if (m->at >= m->len || ares_expand_name(m->p + m->at, m->p, m->len, &name, &used) != ARES_SUCCESS)
		return false;
	size_t n = strlen(name);
	bool fits = n <= DNS_NAME_MAX;
	if (fits)
		memcpy(out, name, n + 1);
	ares_free_string(name);
	m->at += (int)used;
	return fits;
}

static void add_address(struct dns_query *q, const unsigned char *p, unsigned n)
{
	struct ip_addr *a = &q->address[q->count++];

	*a = (struct ip_addr){ .version = n == 4 ? 4 : 6 };
	memcpy(a->bytes, p, n);
}

/* The strings of a TXT record, joined; NUL bytes become blanks. */
static bool add_strings(struct dns_query *q, const unsigned char *p, unsigned n)
{
	struct buf b = { 0 };

	for (unsigned at = 0; at < n; at += 1u + p[at]) {
		if (at + 1u + p[at] > n) {
			buf_fini(&b);
			return false;
		}
		buf_add(&b, p + at + 1, p[at]);
	}
	if (b.len > DNS_TEXT_MAX)
		b.len = DNS_TEXT_MAX;
	for (size_t i = 0; i < b.len; i++)
		if (!b.p[i])
			b.p[i] = ' ';
	q->text[q->count++] = xstrdup(buf_cstr(&b));
	buf_fini(&b);
	return true;
}

/* A record of the type that was asked for; its data is n bytes at m->at. */
static bool add_record(struct dns_query *q, const struct message *m, unsigned n)
{
	struct message data = *m;
	char name[DNS_NAME_MAX + 1];

	if (q->count == DNS_RECORDS_MAX)
		return true;
	switch (q->type) {
	case DNS_A:
	case DNS_AAAA:
		if (n != (q->type == DNS_A ? 4 : 16))
			return false;
		add_address(q, m->p + m->at, n);
		return true;
	case DNS_TXT:
		return add_strings(q, m->p + m->at, n);
	case DNS_PTR:
		if (!read_name(&data, name) || data.at != m->at + (int)n)
			return false;
		q->text[q->count++] = xstrdup(name);
		return true;
	}
	return false;
}

/* One record of the answer section; alias is the name whose records count, which a CNAME changes. */
static bool read_record(struct message *m, struct dns_query *q, char alias[DNS_NAME_MAX + 1], int *aliases)
{
	char owner[DNS_NAME_MAX + 1];

	if (!read_name(m, owner) || m->len - m->at < RR_FIXED_BYTES)
		return false;
	const unsigned char *fixed = m->p + m->at;
	unsigned type = get16(fixed), class = get16(fixed + 2), n = get16(fixed + 8);
	m->at += RR_FIXED_BYTES;
	if ((unsigned)(m->len - m->at) < n)
		return false;
	bool fine = true;
	if (class == CLASS_IN && strcasecmp(owner, alias) == 0) {
		struct message data = *m;

		if (type == TYPE_CNAME)
			fine = ++*aliases <= ALIASES_MAX && read_name(&data, alias);
		else if (type == (unsigned)q->type)
			fine = add_record(q, m, n);
	}
	m->at += (int)n;
	return fine;
}

static enum dns_status read_answer(struct dns_query *q, const unsigned char *p, int len)
{
	struct message m = { p, len, HEADER_BYTES };
	char alias[DNS_NAME_MAX + 1];
	int aliases = 0;

	if (len < HEADER_BYTES || p[2] & FLAG_TRUNCATED || get16(p + 4) != 1 || !read_name(&m, alias) || strcasecmp(alias, q->name) != 0 || m.len - m.at < 4)
		return DNS_MALFORMED;
	m.at += 4;
	for (unsigned i = get16(p + 6); i > 0; i--)
		if (!read_record(&m, q, alias, &aliases))
			return DNS_MALFORMED;
	return q->count ? DNS_ANSWER : DNS_NO_RECORD;
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *p, int len)
{
	struct dns_query *q = arg;

	(void)timeouts;
	q->took_us = time_monotone_us() - q->sent_us;
	switch (status) {
	case ARES_SUCCESS: q->status = read_answer(q, p, len); break;
	case ARES_ENOTFOUND: q->status = DNS_NO_NAME; break;
	case ARES_ENODATA: q->status = DNS_NO_RECORD; break;
	case ARES_ETIMEOUT:
	case ARES_ECANCELLED: q->status = DNS_SILENT; break;
	case ARES_ESERVFAIL:
	case ARES_EREFUSED:
	case ARES_ENOTIMP:
	case ARES_ECONNREFUSED: q->status = DNS_FAILED; break;	/* c-ares calls REFUSED by every resolver the latter */
	default: q->status = DNS_MALFORMED; break;
	}
	if (q->status == DNS_MALFORMED)
		dns_query_fini(q);
}

/* ---- asking ---- */

struct round {
	struct dns_query *query;
	unsigned count;
};

static bool is_done(const struct dns_query *q)
{
	return q->status != DNS_NOT_ASKED;
}

/* When the next query of a lane may go. */
static int64_t lane_free_us(const struct dnsbl *d, unsigned lane)
{
	int64_t last_us = d->last_us[lane];

	return last_us ? last_us + (lane == DNS_LANE_OWN ? OWN_SPACING_US : LIST_SPACING_US) : 0;
}

static void make_lanes(struct dnsbl *d, const struct round *r)
{
	for (unsigned i = 0; i < r->count; i++) {
		if (r->query[i].lane < d->lanes)
			continue;
		d->last_us = xreallocarray(d->last_us, r->query[i].lane + 1, sizeof *d->last_us);
		while (d->lanes <= r->query[i].lane)
			d->last_us[d->lanes++] = 0;
	}
}

/* Sends what may go now. Answers when the next one may, INT64_MAX when all are sent. */
static int64_t send_due(struct dnsbl *d, struct round *r)
{
	int64_t next_us = INT64_MAX;

	for (unsigned i = 0; i < r->count; i++) {
		struct dns_query *q = &r->query[i];

		if (is_done(q) || q->sent_us)
			continue;
		int64_t now_us = time_monotone_us(), free_us = lane_free_us(d, q->lane);
		if (free_us > now_us) {
			if (free_us < next_us)
				next_us = free_us;
			continue;
		}
		q->sent_us = d->last_us[q->lane] = now_us;
		ares_query(d->channel, q->name, CLASS_IN, (int)q->type, on_answer, q);
	}
	return next_us;
}

/* Waits for packets until then, and lets the channel have them and look at its timeouts. */
static void wait_until(struct dnsbl *d, int64_t until_us)
{
	ares_socket_t sockets[SOCKETS_MAX];
	struct pollfd fds[SOCKETS_MAX];
	unsigned bits = (unsigned)ares_getsock(d->channel, sockets, SOCKETS_MAX);
	struct timeval most, left;
	nfds_t n = 0;

	for (unsigned i = 0; i < SOCKETS_MAX; i++) {
		/* ARES_GETSOCK_READABLE and _WRITABLE, but for an unsigned 1: they shift it into the sign. */
		short events = (short)((bits >> i & 1 ? POLLIN : 0) | (bits >> (i + SOCKETS_MAX) & 1 ? POLLOUT : 0));

		if (events)
			fds[n++] = (struct pollfd){ sockets[i], events, 0 };
	}
	int64_t us = until_us - time_monotone_us();
	us = us < 0 ? 0 : us;
	most = (struct timeval){ us / 1000000, us % 1000000 };
	const struct timeval *t = ares_timeout(d->channel, &most, &left);
	poll(fds, n, (int)((t->tv_sec * 1000000 + t->tv_usec + 999) / 1000));
	if (n == 0)
		ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	for (nfds_t i = 0; i < n; i++)
		ares_process_fd(d->channel, fds[i].revents & (POLLIN | POLLERR | POLLHUP) ? fds[i].fd : ARES_SOCKET_BAD,
				fds[i].revents & POLLOUT ? fds[i].fd : ARES_SOCKET_BAD);
}

static bool all_done(const struct round *r)
{
	for (unsigned i = 0; i < r->count; i++)
		if (!is_done(&r->query[i]))
			return false;
	return true;
}

void dnsbl_ask(struct dnsbl *d, struct dns_query *query, unsigned count, int64_t deadline_us)
{
	struct round r = { query, count };

	make_lanes(d, &r);
	while (!all_done(&r) && time_monotone_us() < deadline_us) {
		int64_t next_us = send_due(d, &r);

		wait_until(d, next_us < deadline_us ? next_us : deadline_us);
	}
	ares_cancel(d->channel);
}
