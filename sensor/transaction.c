/* transaction.c - see transaction.h. transaction_decide is what the header says of outcomes. */
#include "sensor/transaction.h"

#include <string.h>

#include "common/xmalloc.h"
#include "sensor/limits.h"
#include "sensor/reply.h"

static bool refused(const struct fact_reply *r)
{
	return r->code >= 400;
}

static bool positive(const struct fact_reply *r)
{
	return r->code >= 200 && r->code < 300;
}

/* A kept text with a note when it was cut; NULL stays NULL. */
static struct text keep(struct transaction *t, struct text x, size_t max)
{
	bool cut = false;

	if (!x.p)
		return x;
	struct text copy = arena_copy(&t->arena, x.p, x.len, max, &cut);
	if (cut)
		t->f.notes |= NOTE_TRUNCATED;
	return copy;
}

struct transaction *transaction_new(const struct fact_session *session, uint32_t ordinal, bool lmtp, uint64_t t_us)
{
	const struct fact_session_rare *rare = fact_session_rare(session);
	struct transaction *t = xcalloc(1, sizeof *t);

	arena_init(&t->arena, LIMIT_TRANSACTION_ARENA);
	t->f.session = session;
	t->f.ordinal = ordinal;
	t->f.started_us = t->f.ended_us = t_us;
	t->f.lmtp = lmtp;
	t->hello_lost = !lmtp && !session->helo_verb.p && session->notes & (NOTE_ORDINAL_UNCERTAIN | NOTE_MID_STREAM);
	t->f.tls = session->tls;
	t->f.auth = session->auth;
	t->f.helo = keep(t, session->helo, LIMIT_COMMAND_LINE);
	t->f.proxy = keep(t, rare->proxy, LIMIT_COMMAND_LINE);
	t->f.xclient = keep(t, rare->xclient, LIMIT_COMMAND_LINE);
	t->f.xforward = keep(t, rare->xforward, LIMIT_COMMAND_LINE);
	return t;
}

void transaction_mail(struct transaction *t, const struct path *p)
{
	t->f.mail_us = t->f.started_us;
	t->f.mail_from = keep(t, p->address, LIMIT_COMMAND_LINE);
	t->f.mail_params = keep(t, p->params, LIMIT_COMMAND_LINE);
	t->f.ret = keep(t, command_param(p->params, "RET="), LIMIT_COMMAND_LINE);
	t->f.envid = keep(t, command_param(p->params, "ENVID="), LIMIT_COMMAND_LINE);
}

static bool rcpt_room(struct transaction *t)
{
	uint32_t n = t->f.rcpt_kept;

	if (n >= LIMIT_RECIPIENTS)
		return false;
	/* 1, 4, 16, 64: most mails have one recipient */
	if ((n & (n - 1)) == 0 && (n == 0 || (n & 0x55555555u))) {
		uint32_t cap = n == 0 ? 1 : n * 4;
		struct fact_recipient *grown = arena_alloc(&t->arena, cap * sizeof *grown);

		if (!grown)
			return false;
		if (n)
			memcpy(grown, t->f.rcpt, n * sizeof *grown);
		t->f.rcpt = grown;
	}
	return true;
}

uint32_t transaction_rcpt_adopt(struct transaction *t, const struct fact_recipient *r)
{
	uint32_t index = t->f.rcpt_count++;

	if (!rcpt_room(t)) {
		t->f.notes |= NOTE_RCPT_TRUNCATED;
		return index;
	}
	t->f.rcpt[t->f.rcpt_kept++] = (struct fact_recipient){
		.address = keep(t, r->address, LIMIT_COMMAND_LINE),
		.notify = keep(t, r->notify, LIMIT_COMMAND_LINE),
		.orcpt = keep(t, r->orcpt, LIMIT_COMMAND_LINE),
	};
	return index;
}

uint32_t transaction_rcpt(struct transaction *t, const struct path *p)
{
	struct fact_recipient r = { .address = p->address, .notify = command_param(p->params, "NOTIFY="),
				    .orcpt = command_param(p->params, "ORCPT=") };

	return transaction_rcpt_adopt(t, &r);
}

struct fact_reply fact_reply_copy(struct arena *a, const struct fact_reply *r, uint32_t *notes)
{
	struct fact_reply copy = { .code = r->code };
	bool cut = false;

	if (r->enhanced.p)
		copy.enhanced = arena_copy(a, r->enhanced.p, r->enhanced.len, 16, &cut);
	if (r->text.p)
		copy.text = arena_copy(a, r->text.p, r->text.len, LIMIT_REPLY_TEXT, &cut);
	if (cut)
		*notes |= NOTE_TRUNCATED;
	return copy;
}

void transaction_mail_reply(struct transaction *t, const struct fact_reply *r)
{
	t->f.mail_reply = fact_reply_copy(&t->arena, r, &t->f.notes);
}

void transaction_rcpt_reply(struct transaction *t, uint32_t index, const struct fact_reply *r)
{
	struct fact_reply copy = { .code = r->code };	/* no more of recipients that are not kept */

	if (index < t->f.rcpt_kept) {
		copy = fact_reply_copy(&t->arena, r, &t->f.notes);
		t->f.rcpt[index].reply = copy;
	}
	if (positive(r))
		t->f.rcpt_accepted++;
	else {
		t->rcpt_refused++;
		/* 503 only follows from a refused MAIL; it decides only when nothing else was said */
		if (r->code != 503 || !t->last_refused.code)
			t->last_refused = copy;
	}
}

void transaction_data_reply(struct transaction *t, const struct fact_reply *r)
{
	if (!t->data_reply.code)
		t->data_reply = fact_reply_copy(&t->arena, r, &t->f.notes);
}

static uint32_t rcpt_unanswered(const struct transaction *t)
{
	return t->f.rcpt_count - t->f.rcpt_accepted - t->rcpt_refused;
}

/* LMTP: there may be more recipients that were accepted than are known. */
static bool recipients_unclear(const struct transaction *t)
{
	return t->doubt || rcpt_unanswered(t);
}

bool transaction_end_reply(struct transaction *t, const struct fact_reply *r, uint64_t t_us)
{
	struct fact_reply copy = fact_reply_copy(&t->arena, r, &t->f.notes);

	t->f.reply_us = t_us;
	if (!t->f.lmtp) {
		t->end_reply = copy;
		return true;
	}
	if (recipients_unclear(t)) {	/* which of them a reply is for cannot be told */
		if (!positive(&t->end_reply))
			t->end_reply = copy;
		return ++t->lmtp_replies >= t->f.rcpt_count - t->rcpt_refused;
	}
	while (t->lmtp_next < t->f.rcpt_kept && !positive(&t->f.rcpt[t->lmtp_next].reply))
		t->lmtp_next++;
	if (t->lmtp_next < t->f.rcpt_kept)
		t->f.rcpt[t->lmtp_next++].reply = copy;
	if (!positive(&t->end_reply))
		t->end_reply = copy;
	return ++t->lmtp_replies >= t->f.rcpt_accepted;
}

/* RFC 5321 4.5.5, 6.1: senders that automated mail uses. The message parser then looks into plain text, too. */
static bool sender_is_automated(struct text from)
{
	static const char *const locals[] = { "postmaster", "mailer-daemon", "double-bounce", "mailerdaemon", "mdaemon" };

	if (!from.p || from.len == 0)
		return true;
	for (size_t i = 0; i < sizeof locals / sizeof *locals; i++)
		if (text_starts_nocase(from, locals[i]))
			return true;
	return false;
}

static void begin_body(struct transaction *t)
{
	t->f.has_data = true;
	if (!t->message)
		t->message = message_new(&t->arena, sender_is_automated(t->f.mail_from));
}

void transaction_body(struct transaction *t, const char *p, size_t n)
{
	begin_body(t);
	message_push(t->message, p, n);
}

void transaction_body_wire(struct transaction *t, uint64_t seen)
{
	t->f.size_bytes += seen;
	t->f.bytes_seen += seen;
}

void transaction_body_gap(struct transaction *t, uint64_t n)
{
	begin_body(t);
	message_gap(t->message);
	t->f.size_bytes += n;
	t->f.notes |= NOTE_GAP;
}

bool fact_step_add(struct fact_steps *steps, struct arena *a, struct fact_step what, uint64_t offset_us)
{
	if (steps->count == LIMIT_STEPS)
		return true;
	if (steps->count == steps->cap) {
		uint16_t cap = steps->cap ? (uint16_t)(steps->cap * 2) : 8;
		struct fact_step *grown = arena_alloc(a, cap * sizeof *grown);

		if (!grown)
			return true;
		if (steps->count)
			memcpy(grown, steps->step, steps->count * sizeof *grown);
		steps->step = grown;
		steps->cap = cap;
	}
	what.offset_us = offset_us > UINT32_MAX ? UINT32_MAX : (uint32_t)offset_us;
	steps->step[steps->count++] = what;
	return false;
}

void transaction_step(struct transaction *t, struct fact_step what, uint64_t t_us)
{
	uint64_t offset = t_us > t->f.started_us ? t_us - t->f.started_us : 0;

	if (fact_step_add(&t->f.steps, &t->arena, what, offset))
		t->f.notes |= NOTE_STEPS_TRUNCATED;
	if (t_us > t->f.ended_us)
		t->f.ended_us = t_us;
}

void transaction_close(struct transaction *t, enum transaction_end end, uint64_t t_us)
{
	if (t->end != TX_OPEN)
		return;
	t->end = end;
	if (t_us > t->f.ended_us)
		t->f.ended_us = t_us;
}

/* Has the client gone away by itself, every reply to it being known? */
static bool was_aborted(const struct transaction *t)
{
	return t->end == TX_BY_CLIENT && !t->waiting && !t->doubt && !t->reply_lost && t->f.mail_reply.code && !rcpt_unanswered(t);
}

/* The outcome of data that was asked for, at least one recipient being accepted or unknown. */
static enum fact_outcome decide_data(struct transaction *t, struct fact_reply *reply)
{
	bool certain = t->f.rcpt_accepted || (t->f.rcpt_count == 0 && !t->doubt && !(t->f.notes & NOTE_GAP));

	if (t->f.lmtp && recipients_unclear(t))
		certain = false;
	/* what follows a refused chunk never decides */
	bool follows = refused(&t->data_reply) && (t->end_reply.code == 503 || t->end_reply.code == 554);
	if (t->end_reply.code && !follows) {
		*reply = t->end_reply;
		if (t->end_reply.code == 503 && t->reply_lost)
			return OUTCOME_UNKNOWN;	/* it may follow from a refusal that was not seen */
		if (refused(reply) && (t->f.lmtp ? t->lmtp_replies < t->f.rcpt_accepted : t->hello_lost && (t->doubt || t->f.rcpt_accepted + rcpt_unanswered(t) > 1)))
			return OUTCOME_UNKNOWN;	/* what of the other recipients? */
		if (t->f.mail_from.p && !t->f.mail_reply.code && (t->f.notes & NOTE_ORDINAL_UNCERTAIN))
			return OUTCOME_UNKNOWN;	/* was this MAIL refused inside another mail, which was not seen? */
		if (positive(reply))	/* LMTP: it came for a recipient */
			return t->f.rcpt_accepted || t->f.lmtp ? OUTCOME_ACCEPTED : OUTCOME_UNKNOWN;
		return certain && refused(reply) ? OUTCOME_REJECTED : OUTCOME_UNKNOWN;
	}
	if (refused(&t->data_reply)) {
		/* a 503 may follow from something that was not seen */
		if (t->data_reply.code == 503 && (t->reply_lost || (t->f.notes & NOTE_GAP)))
			return OUTCOME_UNKNOWN;
		*reply = t->data_reply;
		return certain ? OUTCOME_REJECTED : OUTCOME_UNKNOWN;
	}
	return !t->data_ended && was_aborted(t) ? OUTCOME_ABORTED : OUTCOME_UNKNOWN;
}

static enum fact_outcome transaction_decide(struct transaction *t, struct fact_reply *reply)
{
	struct fact_transaction *f = &t->f;

	*reply = (struct fact_reply){ 0 };
	if (refused(&f->mail_reply)) {
		if (t->sender_doubt)
			return OUTCOME_UNKNOWN;
		*reply = f->mail_reply;
		return OUTCOME_REJECTED;
	}
	if (f->rcpt_count && t->rcpt_refused == f->rcpt_count) {
		bool contradicted = t->doubt || ((f->notes & NOTE_GAP) && positive(&t->end_reply));

		if (t->last_refused.code == 503 && !f->mail_reply.code)
			return OUTCOME_UNKNOWN;	/* it follows from a refusal that was not seen */

		if (!contradicted)
			*reply = t->last_refused;
		else if (!t->doubt)
			*reply = t->end_reply;
		return contradicted ? OUTCOME_UNKNOWN : OUTCOME_REJECTED;
	}
	if (t->data_asked || f->has_data || refused(&t->data_reply))
		return decide_data(t, reply);
	return was_aborted(t) ? OUTCOME_ABORTED : OUTCOME_UNKNOWN;
}

static bool is_complete(const struct transaction *t)
{
	const struct fact_transaction *f = &t->f;
	const uint32_t doubts = NOTE_GAP | NOTE_ONE_SIDED | NOTE_MID_STREAM | NOTE_OVERLAP | NOTE_ORDINAL_UNCERTAIN | NOTE_TRUNCATED | NOTE_RCPT_TRUNCATED | NOTE_NO_END;

	return !(f->notes & doubts) && !t->doubt && !t->reply_lost && f->mail_from.p && f->mail_reply.code && !rcpt_unanswered(t)
	       && (f->outcome == OUTCOME_ABORTED || f->reply.code) && (!f->message || f->message->headers_complete);
}

void transaction_emit(struct transaction *t, const struct fact_sink *sink)
{
	struct fact_transaction *f = &t->f;

	if (f->has_data && !t->data_ended)
		f->notes |= NOTE_NO_END;
	if (t->message)
		f->message = message_end(t->message, t->data_ended);
	if (f->message)
		f->notes |= f->message->notes & (NOTE_TRUNCATED | NOTE_MIME_LIMIT);
	if (t->arena.full)
		f->notes |= NOTE_TRUNCATED;
	if (f->mail_reply.code == 503 && f->rcpt_accepted)	/* there was a mail already; what it was is not known */
		t->sender_doubt = true;
	if (t->sender_doubt || (t->inside && !f->mail_reply.code))
		f->mail_from = f->mail_params = f->ret = f->envid = (struct text){ 0 };
	f->outcome = transaction_decide(t, &f->reply);
	if (positive(&t->end_reply))
		f->queue_id = reply_queue_id(t->end_reply.text);
	f->complete = is_complete(t);
	sink->transaction(sink->arg, f);
	transaction_free(t);
}

size_t transaction_memory_bytes(const struct transaction *t)
{
	return sizeof *t + t->arena.used_bytes + (t->message ? message_memory_bytes(t->message) : 0);
}

void transaction_free(struct transaction *t)
{
	if (t->message)
		message_free(t->message);
	arena_fini(&t->arena);
	free(t);
}
