/*
 * connection.h - one TCP connection: its segments -> stream -> gate -> smtp; who is the client, when it is over, its ids.
 *
 * Hangs on a flow. Between SYN and the first byte there is only the flow record. On a mail port whatever is said becomes a session, and the gate
 * tells what it is when it is not SMTP; on others nothing does before the gate says that it is SMTP, and when it says that it is something else
 * only the flow record is left.
 */
#ifndef SENSOR_CONNECTION_H
#define SENSOR_CONNECTION_H

#include "sensor/dissector.h"
#include "sensor/fact.h"
#include "sensor/flow.h"
#include "sensor/unacked.h"

/* What all connections of a pipeline share. */
struct connection_context {
	struct flow_table *flows;
	const struct fact_sink *sink;
	const uint8_t *mail_port;	/* bitmap of 65536 */
	struct dissector *dissector;	/* shared with other contexts */
	struct unacked_key unacked_key;
	size_t memory_bytes;		/* of all connections, kept up to date here */
	uint64_t unseen_bytes;		/* of all connections that ended */
	uint64_t left_out;		/* segments that no receiver takes, of all connections that ended */
	struct fact_capture *minute;	/* counters by interface: unseen_bytes is kept up to date here */
};

/* Has fetched into the cache what the next packet will need, of the session when its connection is there already. */
void connection_fetch(const struct connection *c, bool session);

/* What no receiver takes (RFC 9293 3.10.7): SYN with FIN or RST; bytes without ACK. No flow is to be made of it. */
bool connection_ignores(const struct packet *p);

/* The next packet of f; may end the connection, may remove f. now_us: monotone packet time. */
void connection_packet(struct connection_context *x, struct flow *f, int dir, const struct packet *p, uint64_t time_us, uint64_t now_us);

/* When something is due for f without another packet. */
uint64_t connection_deadline(const struct connection_context *x, const struct flow *f);

/* Does what is due by now_us; f is removed or has a later deadline. True: f is gone. */
bool connection_expire(struct connection_context *x, struct flow *f, uint64_t now_us);

/* Ends whatever is open; f stays, of no use any more. */
void connection_finish(struct flow *f, enum fact_end end, uint64_t now_us);
/* The same, and removes f. */
void connection_drop(struct connection_context *x, struct flow *f, enum fact_end end, uint64_t now_us);

#endif
