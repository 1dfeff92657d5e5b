/* probe.c - see probe.h. One connection, one command after the other. */
#include "analyzer/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/rand.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "analyzer/cause_class.h"
#include "common/timefmt.h"

#define NAME_BEGIN "probe-"
#define NAME_END ".bouncetap.invalid"

enum { TOKEN_BYTES = 16, RECEIVED_MAX = 8192 };	/* of one reply; EHLO replies have some hundred bytes */

struct talk {
	int fd;
	int64_t deadline_us;
	char in[RECEIVED_MAX + 1];
	size_t have;
};

/* ---- names ---- */

static void write_hex(char *out, unsigned n)
{
	unsigned char bytes[TOKEN_BYTES];

	RAND_bytes(bytes, sizeof bytes);
	for (unsigned i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

void probe_make(struct probe *p, const char *domain)
{
	char random[13];

	write_hex(p->token, TOKEN_BYTES);
	write_hex(random, 6);
	snprintf(p->recipient, sizeof p->recipient, "no-such-user-%s@%.253s", random, domain);
}

bool probe_is_name(struct text ehlo)
{
	size_t fixed = strlen(NAME_BEGIN) + strlen(NAME_END);

	if (ehlo.len != fixed + 2 * TOKEN_BYTES || !text_starts_nocase(ehlo, NAME_BEGIN) || !text_ends_nocase(ehlo, NAME_END))
		return false;
	for (size_t i = strlen(NAME_BEGIN); i < strlen(NAME_BEGIN) + 2 * TOKEN_BYTES; i++)
		if (!strchr("0123456789abcdef", ehlo.p[i]))
			return false;
	return true;
}

/* ---- talking ---- */

static bool wait_for(const struct talk *t, short events)
{
	struct pollfd p = { t->fd, events, 0 };
	int64_t left_us = t->deadline_us - time_monotone_us();

	return left_us > 0 && poll(&p, 1, (int)((left_us + 999) / 1000)) == 1;
}

static int connect_to(const struct probe *p, struct talk *t)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(p->port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(p->port) };
	bool is_v4 = p->server.version == 4;
	int error = 0;
	socklen_t size = sizeof error;

	memcpy(&v4.sin_addr, p->server.bytes, sizeof v4.sin_addr);
	memcpy(&v6.sin6_addr, p->server.bytes, sizeof v6.sin6_addr);
	t->fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->fd < 0)
		return -1;
	if (connect(t->fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6, is_v4 ? sizeof v4 : sizeof v6) && errno != EINPROGRESS)
		return -1;
	return wait_for(t, POLLOUT) && getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && !error ? 0 : -1;
}

/* The last line of the reply that t->in begins with; NULL: not there yet. */
static const char *last_line(const struct talk *t)
{
	for (const char *p = t->in, *end; (end = strchr(p, '\n')); p = end + 1)
		if (end - p < 4 || p[3] != '-')
			return p;
	return NULL;
}

/* The code of the next reply, its last line in reply; 0: none came. */
static int read_reply(struct talk *t, char reply[PROBE_REPLY_MAX])
{
	const char *line;

	t->have = 0;
	t->in[0] = '\0';
	while (!(line = last_line(t))) {
		ssize_t n = wait_for(t, POLLIN) ? recv(t->fd, t->in + t->have, RECEIVED_MAX - t->have, 0) : -1;

		if (n <= 0)
			return 0;
		for (ssize_t i = 0; i < n; i++)
			if (!t->in[t->have + (size_t)i])
				t->in[t->have + (size_t)i] = ' ';
		t->have += (size_t)n;
		t->in[t->have] = '\0';
	}
	snprintf(reply, PROBE_REPLY_MAX, "%.*s", (int)strcspn(line, "\r\n"), line);
	int code = atoi(reply);
	return code >= 200 && code < 600 ? code : 0;
}

static bool send_all(const struct talk *t, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = wait_for(t, POLLOUT) ? send(t->fd, p, n, MSG_NOSIGNAL) : -1;

		if (sent <= 0)
			return false;
		p += sent;
		n -= (size_t)sent;
	}
	return true;
}

static int command(struct probe *p, struct talk *t, const char *step, const char *line)
{
	p->step = step;
	p->reply[0] = '\0';
	return send_all(t, line, strlen(line)) ? read_reply(t, p->reply) : 0;
}

/* ---- the dialogue ---- */

/* The code of the first reply that is no 2yz, or of that to RCPT. */
static int talk(struct probe *p, struct talk *t)
{
	char line[PROBE_ADDRESS_MAX + 64];
	int code;

	p->step = "connect";
	if (connect_to(p, t))
		return 0;
	p->step = "banner";
	code = read_reply(t, p->reply);
	if (code / 100 != 2)
		return code;
	snprintf(line, sizeof line, "EHLO " NAME_BEGIN "%s" NAME_END "\r\n", p->token);
	code = command(p, t, "EHLO", line);
	if (code / 100 != 2)
		return code;
	code = command(p, t, "MAIL", "MAIL FROM:<>\r\n");
	if (code / 100 != 2)
		return code;
	snprintf(line, sizeof line, "RCPT TO:<%s>\r\n", p->recipient);
	return command(p, t, "RCPT", line);
}

static bool is_enhanced(struct text t)
{
	return t.len >= 5 && t.p[0] == '5' && t.p[1] == '.' && t.p[3] == '.';
}

static bool is_unknown_user(int code, const char *reply)
{
	struct text rest = text_trim((struct text){ reply + 3, (uint32_t)strlen(reply + 3) }), enhanced = { 0 };

	if (is_enhanced(rest))
		enhanced = (struct text){ rest.p, (uint32_t)strcspn(rest.p, " ") };
	return code >= 500 && strcmp(cause_class(code, enhanced, rest), "user-unknown") == 0;
}

void probe_run(struct probe *p, int64_t deadline_us)
{
	struct talk t = { .fd = -1, .deadline_us = deadline_us };
	int code = talk(p, &t);
	bool at_recipient = strcmp(p->step, "RCPT") == 0;

	if (!code)
		p->result = PROBE_NO_ANSWER;
	else if (at_recipient && code / 100 == 2)
		p->result = PROBE_TAKEN;
	else
		p->result = at_recipient && is_unknown_user(code, p->reply) ? PROBE_REFUSED : PROBE_OTHER;
	if (code)
		send_all(&t, "QUIT\r\n", strlen("QUIT\r\n"));
	if (t.fd >= 0)
		close(t.fd);
}
