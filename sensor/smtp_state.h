/*
 * smtp_state.h - one SMTP session while it is under way: shared by smtp.c and its parts, by nobody else.
 *
 * smtp.c draws the states. smtp_client.c turns the client's bytes into commands and bodies, smtp_server.c the server's bytes into replies,
 * smtp_queue.c keeps the commands that wait for replies and the transactions that are open.
 */
#ifndef SENSOR_SMTP_STATE_H
#define SENSOR_SMTP_STATE_H

#include "common/buf.h"
#include "sensor/command.h"
#include "sensor/limits.h"
#include "sensor/smtp.h"
#include "sensor/tls.h"
#include "sensor/transaction.h"

enum client_mode { C_START, C_PROXY_V2, C_COMMAND, C_DATA_WAIT, C_BODY, C_BDAT, C_AUTH, C_LOST, C_TLS, C_OFF };

/* Where in a line of the body we are: decides whether a dot is stuffing or the end. */
enum body_state {
	B_MID, B_CR,		/* inside a line; its last byte was CR */
	B_START, B_START_LF,	/* at the start of a line after CRLF; after LF alone, or after a hole */
	B_DOT, B_DOT_LF,	/* a dot at such a start */
	B_DOT_CR, B_DOT_LF_CR,	/* ".\r" */
};

struct pending {
	struct transaction *tx;	/* NULL: belongs to none */
	uint32_t rcpt;		/* index of RCPT */
	uint32_t heard;		/* smtp.heard when it was sent */
	enum verb verb : 8;
	bool last;		/* BDAT LAST */
	bool doubtful;		/* end of the data: there may have been another one before it, in a hole or as the server sees it */
};

/* Commands whose replies have codes that no other has: a reply finds them wherever they stand in the queue. */
enum telling { TELLING_DATA, TELLING_QUIT, TELLING_TLS, TELLING_AUTH, TELLING_HELLO, TELLING };

/* Replies that came while a HOLE stood at the front of the queue, one after the other with none missing between them. */
struct unplaced {
	struct arena texts;
	unsigned count;
	struct {
		struct fact_reply reply;
		uint64_t us;
	} seen[LIMIT_UNPLACED];
};

/* What few sessions need: smtp_rare makes it. */
struct smtp_rare {
	struct fact_session_rare f;
	struct buf xclient, xforward;	/* behind the texts of f */
	struct buf ahead;		/* what came behind a doubtful end of data */
	uint64_t candidate_size, candidate_us;	/* of that */
	struct buf guess;		/* C_LOST: command-like lines that wait for a reply */
	struct buf helo_sent;		/* after a name was granted: another one */
	bool helo_waits;		/* there is such a one */
	uint32_t proxy_left;		/* bytes of a PROXY v2 header that are not kept */
	uint64_t bdat_left;
	struct tls *tls;		/* NULL: it never began */
	struct unplaced *unplaced;	/* the last replies since a hole; NULL: none */
};

/* Thousands are open at a time, and most packets find theirs cold: it is kept small. */
struct smtp {
	uint64_t now_us;
	uint64_t line_us;		/* when the first byte of the client's line at hand was sent */
	uint32_t bytes[2];		/* by side; UINT32_MAX: that many and more */
	enum client_mode mode : 8;
	enum body_state body : 8;
	bool skip_reply_line;		/* the server's line at hand is cut by a hole: dropped up to its LF */
	bool over_cap[2];
	bool bdat_last;
	bool body_hole;			/* bytes of the body at hand are missing */
	bool body_doubt;		/* bytes of the server are missing since the body began */
	bool body_guessed;		/* it began although nothing granted it */
	bool candidate;			/* a doubtful end of data was seen; what follows is kept in ahead */
	bool ahead_over;		/* it was more than is kept */
	bool server_tls;
	bool await_banner;
	bool helo_accepted;
	bool saw_command, saw_reply, odd_banner;
	bool auth_refused;
	bool xforward_used;		/* a transaction began: the next XFORWARD begins anew */
	bool lmtp;
	bool closed_by_server;		/* 421 */
	bool suspended;			/* a hole after which commands of the current transaction may be missing */
	bool committing;		/* C_LOST: lines of an earlier time are being taken as commands */
	bool pipelined;
	bool reply_open;		/* inside a multi-line reply */
	char reply_enhanced[12];
	uint32_t reply_lines;
	uint32_t heard;			/* lines of the server, and holes in what it said */
	uint32_t in_step_heard;		/* heard when none of the commands that must be waited for could have been answered */
	uint32_t in_turn;		/* commands that were sent with nothing pending */

	uint16_t queue_head, queue_count, queue_cap;	/* cap: a power of 2 */
	struct pending *queue;		/* the next one, or on the heap */
	struct pending alone;		/* most commands wait for their reply alone */
	uint16_t telling[TELLING];	/* of them that answer to a code of their own */
	uint16_t group_ends;		/* of them that must be waited for */
	uint32_t overflowed;		/* replies that belong to commands which the queue had no room for */
	uint32_t absorbed;		/* replies since the hole of suspended */
	uint32_t open_transactions;
	struct transaction *current;	/* commands belong to it */
	struct transaction *first, **last;	/* all that are not emitted yet */

	struct buf line[2];		/* carry of a split line */
	struct buf reply_text;
	struct arena arena;
	const struct fact_sink *sink;
	struct fact_session f;
	uint16_t helo_room, keywords_room;	/* in the arena: smtp_keep_last */
	struct smtp_rare *rare;		/* NULL: not needed so far */
};

/* ---- smtp.c: for all parts ---- */

/* A text of the session; a note tells when it was cut. */
struct text smtp_keep(struct smtp *s, struct text t, size_t max);
/* A step of the ladder, of the session when t is NULL. */
void smtp_step(struct smtp *s, struct transaction *t, enum side side, enum verb what);
void smtp_step_reply(struct smtp *s, struct transaction *t, const struct fact_reply *r);
/* Nobody has logged in: in clear, all commands seen, none of them an AUTH whose reply was lost. */
bool smtp_is_without_auth(const struct smtp *s);
/* A command or reply was seen in clear: it is SMTP, and not encrypted so far. */
void smtp_saw_clear(struct smtp *s, bool *which);
/*
 * The next line of side `from` out of p[0..n): *line is without its end, valid until smtp_line_done. Answers the bytes used; *whole is false
 * when the line has no end yet or was dropped.
 */
size_t smtp_next_line(struct smtp *s, enum side from, const char *p, size_t n, size_t cap, struct text *line, bool *whole);
void smtp_line_done(struct smtp *s, enum side from);

/* The session's part for what few need. */
struct smtp_rare *smtp_rare(struct smtp *s);
/* What may come again and again: *kept takes the place of what was kept before, so that the arena does not fill up. *room is its own. */
void smtp_keep_last(struct smtp *s, struct text *kept, uint16_t *room, struct text t, size_t max);

/* ---- smtp_queue.c ---- */

struct pending *queue_at(struct smtp *s, uint32_t i);
struct pending *queue_push(struct smtp *s, enum verb v, struct transaction *t);
/* The front is another command than it seemed. */
void queue_front_is(struct smtp *s, enum verb v);
/* Of which kind a command is; TELLING: none. */
enum telling queue_telling(enum verb v);
/* The front has its reply. */
void queue_answered(struct smtp *s);
/* The first n commands have no reply that we could tell. */
void queue_drop(struct smtp *s, uint32_t n);
/* No memory is left of it. */
void queue_fini(struct smtp *s);
/* Keeps a reply that the hole at the front took. */
void unplaced_add(struct smtp *s, const struct fact_reply *r);
void unplaced_clear(struct smtp *s);
/* Is a hole at the front: replies may be missing for any of those that wait. */
bool queue_has_hole(struct smtp *s);
void queue_hole_front(struct smtp *s);
/* Something came that is no answer to the command in front, and may have been meant as one. */
void queue_doubt(struct smtp *s);

/* The current transaction gets no more commands. */
void current_close(struct smtp *s, enum transaction_end end);
struct transaction *current_begin(struct smtp *s);
/* The transaction for a command other than MAIL; one whose MAIL was lost is begun after a hole. NULL: out of sequence. */
struct transaction *current_or_unseen(struct smtp *s);
/* Hands it to the sink when no command and no reply can belong to it any more. */
void current_emit_if_done(struct smtp *s, struct transaction *t);
/* A nested MAIL was refused: what came after it belongs to the transaction around it. */
void nested_undo(struct smtp *s, struct transaction *t);

/* ---- smtp_client.c ---- */

void smtp_client_bytes(struct smtp *s, const char *p, size_t n);
/* What was held of a line is looked at again in the mode of now. */
void client_carry_again(struct smtp *s);
/* Lines of an earlier time are taken as bytes, beside what is held of the line at hand. */
void client_bytes_aside(struct smtp *s, struct buf *bytes);
/* The name that was sent with this command is the client's from now on. */
void client_take_helo(struct smtp *s, enum verb v);
/* C_DATA_WAIT: the reply to DATA will not come; its first line tells whether what follows is a body. */
void client_data_guess(struct smtp *s);
/* What was kept behind a doubtful end of data is of no use any more. */
void client_forget_ahead(struct smtp *s);
void client_body_begin(struct smtp *s, enum body_state state);
/* The end of the data: one more reply is due, and commands follow. */
void client_body_end(struct smtp *s);
/* Bytes held back of a line that began with a dot. */
uint64_t client_dot_bytes(enum body_state b);
/* Bytes of a BDAT chunk. */
size_t client_bdat(struct smtp *s, const char *p, size_t n);
/* C_LOST: a reply came, so that the command-like lines were commands. */
void client_lost_commit(struct smtp *s);
void client_tls_begin(struct smtp *s, enum fact_tls how);
/* Joined inside an encrypted session: how it became that is not known. */
void client_mid_stream_tls(struct smtp *s);
void client_tls_refused(struct smtp *s);

/* ---- smtp_server.c ---- */

void smtp_server_bytes(struct smtp *s, const char *p, size_t n);
/*
 * The first n commands of the queue are answered, the last of them by the last reply that was seen: from there backwards, replies that a hole
 * took find their commands. Those of which none is left have none that we could tell.
 */
void server_place(struct smtp *s, uint32_t n);

#endif
