/* attempts.c - see attempts.h */
#include "analyzer/attempts.h"

#include <stdlib.h>

#include "common/xmalloc.h"

/* Queue managers retry after minutes to hours; the longest stock interval is four hours, and one may be missed. */
#define RETRY_US (INT64_C(9) * 3600 * 1000000)

bool attempts_is_open(const struct answer *a)
{
	enum kind kind = a->told_kind;

	return !a->mail.has_message && !a->mail.has_data
	    && (kind == KIND_AUTOMATED_UNKNOWN || ((kind == KIND_CALLOUT || kind == KIND_CALL_AHEAD) && !a->mail.rcpt_accepted
						    && !(a->mail.mail_from_class & CLASS_DOUBLE_BOUNCE)));
}

static bool ended_for_good(const struct answer *a)
{
	return a->mail.outcome == MAIL_ACCEPTED || (a->mail.outcome == MAIL_REJECTED && a->mail.code >= 500) || a->code >= 500;
}

/* Every attempt of one mail announces the same size. */
static bool could_be_same_size(const struct mail *a, const struct mail *b)
{
	int64_t x = mail_size_param(a), y = mail_size_param(b);

	return x < 0 || y < 0 || x == y;
}

/* Refused before DATA, by a hop that had just been handed this mail by another one of ours. */
static bool was_handed_on(const struct mail_group *g, const struct answer *a)
{
	for (size_t i = g->count; i-- > 0;) {
		const struct answer *x = g->attempt[i];

		if (x->route.leaves && ended_for_good(x))
			return false;
		if (!x->route.leaves && x->mail.has_message && x->mail.outcome == MAIL_ACCEPTED && ip_equal(&x->mail.dest, &a->mail.src)
		    && a->mail.mail_us - x->mail.mail_us <= RETRY_US)
			return x->mail.size_bytes < 0 || mail_size_param(&a->mail) < 0 || sighting_grows_to(x->mail.size_bytes, mail_size_param(&a->mail));
	}
	return false;
}

static bool is_same_mail(const struct mail_group *g, const struct answer *a)
{
	const struct answer *last = g->attempt[g->count - 1];

	if (a->mail.message_id_hash && g->said->mail.message_id_hash)
		return a->mail.message_id_hash == g->said->mail.message_id_hash;
	if (a->mail.has_message && g->said->mail.has_message)
		return false;
	if (!a->mail.has_message && a->told_kind != KIND_CALLOUT && was_handed_on(g, a))
		return true;
	if (!ip_equal(&last->mail.src, &a->mail.src) || a->mail.mail_us - last->mail.mail_us > RETRY_US)
		return false;
	bool callout = g->said->told_kind == KIND_CALLOUT;
	if (callout && a->told_kind == KIND_CALLOUT)
		return true;
	/* A greylisted bounce looked like a refused callout until it came again with its message. */
	if ((callout && !(attempts_is_open(last) && a->mail.has_message)) || a->told_kind == KIND_CALLOUT)
		return false;
	return !ended_for_good(last) && could_be_same_size(&last->mail, &a->mail);
}

static struct mail_group *group_of(struct victim *v, const struct answer *a)
{
	for (size_t i = v->group_count; i-- > 0 && v->group_count - i <= VICTIM_NEAR_MAX;)
		if (is_same_mail(&v->group[i], a))
			return &v->group[i];
	if (v->group_count == v->group_cap) {
		v->group_cap = v->group_cap ? v->group_cap * 2 : 4;
		v->group = xreallocarray(v->group, v->group_cap, sizeof *v->group);
	}
	v->group[v->group_count] = (struct mail_group){ 0 };
	return &v->group[v->group_count++];
}

static void look_at_attempt(struct mail_group *g, struct answer *a)
{
	if (!g->said || (!g->said->mail.has_message && a->mail.has_message))
		g->said = a;
	if (!g->edge && a->route.leaves)
		g->edge = a;
}

static void group_add(struct mail_group *g, struct answer *a)
{
	g->attempt = xreallocarray(g->attempt, g->count + 1, sizeof *g->attempt);
	g->attempt[g->count++] = a;
	look_at_attempt(g, a);
	g->touched = true;
}

/* An attempt that was refused before DATA is what its later attempts show it to be. */
static void inherit_kind(struct mail_group *g)
{
	for (size_t i = 0; i < g->count; i++) {
		struct answer *a = g->attempt[i];
		bool alone = a == g->said || a->mail.has_message || a->told_kind == g->said->told_kind;

		a->kind = alone ? a->told_kind : g->said->told_kind;
		a->rule = alone ? a->told_rule : "same-mail";
	}
}

void attempts_group(struct victim *v)
{
	for (size_t i = v->redo; i < v->answer_count; i++) {
		struct answer *a = v->answer[i];

		a->kind = a->told_kind;
		a->rule = a->told_rule;
		if (kind_is_answering(a->kind) && (a->route.leaves || a->route.direction == DIRECTION_INTERNAL))
			group_add(group_of(v, a), a);
	}
	for (size_t i = 0; i < v->group_count; i++)
		if (v->group[i].touched)
			inherit_kind(&v->group[i]);
}

void attempts_ungroup(struct victim *v, size_t at)
{
	while (v->group_count && v->group[v->group_count - 1].attempt[0]->at >= at)
		free(v->group[--v->group_count].attempt);
	for (size_t i = v->group_count; i-- > 0 && v->group_count - i <= VICTIM_NEAR_MAX;) {	/* group_of looked no further back */
		struct mail_group *g = &v->group[i];

		if (g->attempt[g->count - 1]->at < at)
			continue;
		while (g->attempt[g->count - 1]->at >= at)
			g->count--;
		g->said = g->edge = NULL;
		for (size_t k = 0; k < g->count; k++)
			look_at_attempt(g, g->attempt[k]);
		g->touched = true;
	}
}
