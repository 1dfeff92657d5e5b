/*
 * probe.h - "bouncetap check --probe": asks an own server for a recipient that cannot exist, and hangs up before DATA.
 *
 *	EHLO probe-TOKEN.bouncetap.invalid
 *	MAIL FROM:<>
 *	RCPT TO:<no-such-user-RANDOM@own.example>
 *	QUIT
 *
 * A refusal proves that unknown recipients of this domain are refused in the dialogue, for this client. Anything else proves nothing: a recipient that is
 * taken here may still be refused at the end of data, and a client from inside may be trusted. Nothing can follow from it: there is no message, and
 * nobody to bounce to.
 *
 * A sensor sees the dialogue like any other. analyze knows it by its EHLO name, null sender and missing DATA, towards an own server, and makes nothing of
 * it; notes.db keeps token, server and time.
 *
 * Together with dnsbl.c the only code of bouncetap that talks to the network. No TLS: a server that asks for it is one more that proves nothing.
 */
#ifndef ANALYZER_PROBE_H
#define ANALYZER_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/ip.h"
#include "common/text.h"

enum probe_result {
	PROBE_REFUSED,		/* the recipient, for good and as unknown */
	PROBE_TAKEN,		/* the recipient was taken: proves nothing */
	PROBE_OTHER,		/* another refusal, a deferral, or the dialogue ended before: proves nothing */
	PROBE_NO_ANSWER		/* no connection, or silence */
};

enum { PROBE_REPLY_MAX = 512, PROBE_TOKEN_MAX = 33, PROBE_ADDRESS_MAX = 320 };

struct probe {
	struct ip_addr server;
	unsigned short port;
	char token[PROBE_TOKEN_MAX];			/* by probe_make */
	char recipient[PROBE_ADDRESS_MAX];		/* by probe_make */
	/* What came of it. */
	enum probe_result result;
	const char *step;				/* connect, banner, EHLO, MAIL, RCPT: the last one */
	char reply[PROBE_REPLY_MAX];			/* to it, first line, any bytes but NUL; "" for none */
};

/* Token and recipient; domain is one of ours. */
void probe_make(struct probe *p, const char *domain);

/* Talks; ends at deadline_us of time_monotone_us() at the latest. */
void probe_run(struct probe *p, int64_t deadline_us);

/* An EHLO name as probes have it. */
bool probe_is_name(struct text ehlo);

#endif
