/*
 * transaction.h - one mail transaction while it is under way: envelope, replies, data, and what they decide.
 *
 * Used by smtp.c, which knows which command and which reply belong to which transaction. Its texts live in an arena of its own and go with it.
 */
#ifndef SENSOR_TRANSACTION_H
#define SENSOR_TRANSACTION_H

#include "sensor/command.h"
#include "sensor/fact.h"
#include "sensor/message.h"

enum transaction_end { TX_OPEN, TX_BY_CLIENT, TX_BY_SERVER, TX_LOST };

struct transaction {
	struct fact_transaction f;
	struct arena arena;
	struct message *message;
	struct transaction *next;	/* older first */
	struct transaction *inside;	/* nested MAIL: the transaction it came in */
	uint32_t waiting;		/* commands without their reply yet */
	enum transaction_end end;
	bool doubt;			/* commands may have been lost inside: a refusal of all seen RCPT does not decide */
	bool reply_lost;		/* a command of it was answered, or was not: nobody saw */
	bool sender_doubt;		/* MAIL inside another mail, its reply lost: this sender or that one */
	bool hello_lost;		/* whether it is LMTP is not known */
	bool data_asked;		/* DATA or BDAT was sent */
	bool data_ended;		/* end of data or BDAT LAST was sent (or must have been) */
	uint32_t rcpt_refused;
	struct fact_reply last_refused;	/* RCPT */
	struct fact_reply data_reply;	/* refusal of DATA or of a BDAT before the last */
	struct fact_reply end_reply;	/* LMTP: the first 2yz, else the last one */
	uint32_t lmtp_next, lmtp_replies;
};

/* t_us: first byte of MAIL (or of what stands for it). session must outlive it. */
struct transaction *transaction_new(const struct fact_session *session, uint32_t ordinal, bool lmtp, uint64_t t_us);

void transaction_mail(struct transaction *t, const struct path *p);
/* Answers the index for transaction_rcpt_reply. */
uint32_t transaction_rcpt(struct transaction *t, const struct path *p);
/* The same for a recipient of another transaction; its reply is not taken over. */
uint32_t transaction_rcpt_adopt(struct transaction *t, const struct fact_recipient *r);

void transaction_mail_reply(struct transaction *t, const struct fact_reply *r);
void transaction_rcpt_reply(struct transaction *t, uint32_t index, const struct fact_reply *r);
void transaction_data_reply(struct transaction *t, const struct fact_reply *r);
/* True when no further reply to the data is due (LMTP: one per accepted recipient). */
bool transaction_end_reply(struct transaction *t, const struct fact_reply *r, uint64_t t_us);

/* Message bytes as they are (dots unstuffed); bytes on the wire are counted apart. */
void transaction_body(struct transaction *t, const char *p, size_t n);
void transaction_body_wire(struct transaction *t, uint64_t seen);
void transaction_body_gap(struct transaction *t, uint64_t n);

/* what: all but its offset. */
void transaction_step(struct transaction *t, struct fact_step what, uint64_t t_us);

/* No command belongs to it any more. The first end counts. */
void transaction_close(struct transaction *t, enum transaction_end end, uint64_t t_us);

/* What it holds in bytes. */
size_t transaction_memory_bytes(const struct transaction *t);

/*
 * Decides, gives it to the sink, frees it. Outcome: accepted = a 2yz to the end of data and one RCPT with 2yz at least (LMTP: one recipient's 2yz);
 * rejected = the deciding reply was 4yz or 5yz; aborted = the client ended it and nobody refused (RCPT 250, then QUIT: a callout); unknown = the
 * rest, and whenever the deciding reply was not seen. The deciding reply: to MAIL, if that was refused; else, when no RCPT was accepted, to the last
 * refused RCPT; else to the end of data; else to DATA or BDAT. A 503 or 554 that only follows from an earlier refusal never decides.
 */
void transaction_emit(struct transaction *t, const struct fact_sink *sink);
void transaction_free(struct transaction *t);

/* Shared with the session: appends a step to steps that live in a; true when there was no room. */
bool fact_step_add(struct fact_steps *steps, struct arena *a, struct fact_step what, uint64_t offset_us);
/* A copy of r with its texts in a. */
struct fact_reply fact_reply_copy(struct arena *a, const struct fact_reply *r, uint32_t *notes);

#endif
