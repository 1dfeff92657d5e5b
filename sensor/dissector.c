/* dissector.c - see dissector.h. The only file that includes nDPI's headers; tested with 4.2, others by what their headers declare. */
#include "sensor/dissector.h"

#include <ndpi/ndpi_api.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>

#include "common/xmalloc.h"

#if NDPI_MAJOR < 4 || (NDPI_MAJOR == 4 && NDPI_MINOR < 2)
#error "nDPI 4.2 or newer is needed: libndpi-dev"
#elif NDPI_MAJOR >= 6
#error "nDPI 6 has to be told under which licence it is used; nobody has decided that here"
#endif
#define NDPI_AT_LEAST(major, minor) (NDPI_MAJOR > (major) || (NDPI_MAJOR == (major) && NDPI_MINOR >= (minor)))

/*
 * nDPI's names and ours; no others are looked for. Names, since its numbers and their identifiers change from release to release. Left out is
 * what gate.c tells by itself, what nDPI tells by a byte or two (Cassandra, RTMP, ZeroMQ: random bytes are that, too), and what it tells by
 * other connections of the same hosts, which would make an answer depend on earlier ones.
 */
static const struct known {
	const char *ndpi, *name;
} known[] = {
	{ "SMTP", "smtp" },
	{ "AJP", "ajp" }, { "AMQP", "amqp" }, { "DNS", "dns" }, { "Git", "git" }, { "IRC", "irc" }, { "Jabber", "xmpp" }, { "XMPP", "xmpp" },
	{ "Kerberos", "kerberos" }, { "LDAP", "ldap" }, { "Memcached", "memcached" }, { "MongoDB", "mongodb" }, { "MQTT", "mqtt" },
	{ "MsSQL-TDS", "mssql" }, { "MySQL", "mysql" }, { "Oracle", "oracle" }, { "PostgreSQL", "postgresql" }, { "RDP", "rdp" },
	{ "Redis", "redis" }, { "RESP", "redis" }, { "RTSP", "rtsp" }, { "SIP", "sip" }, { "SMBv1", "smb" }, { "SMBv23", "smb" },
	{ "SOCKS", "socks" }, { "Telnet", "telnet" }, { "Usenet", "nntp" }, { "VNC", "vnc" },
};
enum { KNOWN = sizeof known / sizeof *known };

enum { IP_BYTES = 20, TCP_BYTES = 20, HEADERS = IP_BYTES + TCP_BYTES };

struct dissector {
	pthread_mutex_t lock;
	bool tried;		/* module was asked for; it stays NULL when there was no memory for it */
	struct ndpi_detection_module_struct *module;
	struct ndpi_flow_struct *flow;	/* one serves all: every question begins and ends with an empty one */
	uint16_t id[KNOWN];	/* nDPI's number; NDPI_PROTOCOL_UNKNOWN when this release has no such name */
	uint8_t packet[HEADERS + DISSECTOR_TURN_BYTES];
};

struct dissector *dissector_new(void)
{
	struct dissector *d = xcalloc(1, sizeof *d);

	pthread_mutex_init(&d->lock, NULL);
	return d;
}

void dissector_free(struct dissector *d)
{
	if (!d)
		return;
	if (d->module)
		ndpi_exit_detection_module(d->module);
	pthread_mutex_destroy(&d->lock);
	free(d->flow);
	free(d);
}

/* ---- what differs between releases ---- */

static struct ndpi_detection_module_struct *module_new(void)
{
#if NDPI_AT_LEAST(4, 10)
	return ndpi_init_detection_module(NULL);
#else
	enum { DONT_LOAD_TOR = 1 };	/* ndpi_dont_load_tor_hosts in 4.2, ..._list in later ones */

	return ndpi_init_detection_module(DONT_LOAD_TOR | ndpi_dont_init_libgcrypt);
#endif
}

/* Before ndpi_finalize_initialization. What cannot be set costs time, but does not change an answer: only names of the table are given out. */
static void module_configure(struct dissector *d)
{
#if NDPI_AT_LEAST(4, 10)
	ndpi_set_config(d->module, NULL, "flow_risk_lists.load", "0");
	ndpi_set_config(d->module, NULL, "libgcrypt.init", "0");
#endif
#if NDPI_AT_LEAST(5, 0)
	ndpi_set_config(d->module, "any", "enable", "0");
	for (int i = 0; i < KNOWN; i++)
		if (d->id[i] != NDPI_PROTOCOL_UNKNOWN)
			ndpi_set_config(d->module, known[i].ndpi, "enable", "1");
#else
	NDPI_PROTOCOL_BITMASK mask;

	NDPI_BITMASK_RESET(mask);
	for (int i = 0; i < KNOWN; i++)
		if (d->id[i] != NDPI_PROTOCOL_UNKNOWN)
			NDPI_BITMASK_ADD(mask, d->id[i]);
	ndpi_set_protocol_detection_bitmask2(d->module, &mask);
#endif
}

static void process(struct dissector *d, size_t bytes, uint64_t time_ms)
{
#if NDPI_AT_LEAST(4, 6)
	ndpi_detection_process_packet(d->module, d->flow, d->packet, (uint16_t)bytes, time_ms, NULL);
#else
	ndpi_detection_process_packet(d->module, d->flow, d->packet, (uint16_t)bytes, time_ms);
#endif
}

/* ---- the same in all of them ---- */

static void load(struct dissector *d)
{
	d->tried = true;
	d->module = module_new();
	if (!d->module)
		return;
	for (int i = 0; i < KNOWN; i++)
		d->id[i] = ndpi_get_proto_by_name(d->module, known[i].ndpi);
	module_configure(d);
	ndpi_finalize_initialization(d->module);
	d->flow = xcalloc(1, ndpi_detection_get_sizeof_ndpi_flow_struct());
}

static const char *found(const struct dissector *d)
{
	for (int stack = 0; stack < 2; stack++)		/* what runs in it, and what it runs in */
		for (int i = 0; i < KNOWN; i++)
			if (d->id[i] != NDPI_PROTOCOL_UNKNOWN && d->flow->detected_protocol_stack[stack] == d->id[i])
				return known[i].name;
	return NULL;
}

static size_t put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return 2;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* nDPI takes IP packets. Addresses are those of RFC 5737, so that no list of hosts is asked. Answers its bytes. */
static size_t put_packet(uint8_t *p, const struct dissector_turn *t, const uint16_t port[2], const uint32_t sent[2])
{
	enum { PROTOCOL_TCP = 6, TTL = 64, ACK_PSH = 0x18, WINDOW = 0xffff };
	size_t n = t->n < DISSECTOR_TURN_BYTES ? t->n : DISSECTOR_TURN_BYTES;
	enum side to = t->from == SIDE_CLIENT ? SIDE_SERVER : SIDE_CLIENT;

	memset(p, 0, HEADERS);
	p[0] = 0x45;
	put16(p + 2, (unsigned)(HEADERS + n));
	p[8] = TTL;
	p[9] = PROTOCOL_TCP;
	put32(p + 12, 0xc0000201 + t->from);
	put32(p + 16, 0xc0000201 + to);
	put16(p + 20, port[t->from]);
	put16(p + 22, port[to]);
	put32(p + 24, sent[t->from]);
	put32(p + 28, sent[to]);
	p[32] = TCP_BYTES / 4 << 4;
	p[33] = ACK_PSH;
	put16(p + 34, WINDOW);
	memcpy(p + HEADERS, t->p, n);
	return HEADERS + n;
}

static const char *ask(struct dissector *d, const struct dissector_turn *turn, size_t count, const uint16_t port[2])
{
	uint32_t sent[2] = { 1, 1 };
	const char *name = NULL;

	for (size_t i = 0; i < count && i < DISSECTOR_TURNS && !name; i++) {
		size_t bytes = put_packet(d->packet, &turn[i], port, sent);

		sent[turn[i].from] += (uint32_t)(bytes - HEADERS);
		process(d, bytes, 1000 + i);
		name = found(d);
	}
	return name;
}

const char *dissector_name(struct dissector *d, const struct dissector_turn *turn, size_t count, uint16_t client_port, uint16_t server_port)
{
	const uint16_t port[2] = { [SIDE_CLIENT] = client_port, [SIDE_SERVER] = server_port };
	const char *name = NULL;

	pthread_mutex_lock(&d->lock);
	if (!d->tried)
		load(d);
	if (d->module) {
		name = ask(d, turn, count, port);
		ndpi_free_flow_data(d->flow);
		explicit_bzero(d->flow, ndpi_detection_get_sizeof_ndpi_flow_struct());
		explicit_bzero(d->packet, sizeof d->packet);
	}
	pthread_mutex_unlock(&d->lock);
	return name;
}
