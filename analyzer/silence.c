/* silence.c - see silence.h */
#include "analyzer/silence.h"

#include <string.h>

/* What a rule cannot speak without, as far as a finding tells. */
enum need { NOTHING, CAUSE, ORIGIN, REPORT };

static const char *const missing[] = {
	[CAUSE] = "the mail that it answers was not seen",
	[ORIGIN] = "where the original came from is not known",
	[REPORT] = "the answer is none that returns the original's headers",
};

static const struct {
	const char *rule;
	enum need need;
	const char *otherwise;
} silences[] = {
	{ "auth-fail", REPORT, "the returned headers show no check of ours that found the sender forged" },
	{ "spf-fail", REPORT, "the returned headers show no SPF check of ours, where the mail came in, that failed" },
	{ "origin-unrelated", ORIGIN, "the original's origin may have to do with the recipient: by network (AS), name, a check that passed, a forwarder, a list, a provider; or he is only told of others' mail" },
	{ "origin-access-line", ORIGIN, "the original's origin has no name of a customer's line, or may have to do with the recipient" },
	{ "origin-many-senders", ORIGIN, "the original's origin used senders of fewer than three unrelated domains, is a customer's line, or may have to do with the recipient" },
	{ "line-many-senders", ORIGIN, "the original's origin is no customer's line, or used senders of fewer than three unrelated domains" },
	{ "client-many-senders", ORIGIN, "no client of ours who wrote to the world in several strangers' names" },
	{ "sender-many-origins", ORIGIN, "fewer than three unrelated networks used this sender within a day, or places of his own did, too" },
	{ "unseen-mail", NOTHING, "mail of his was seen within the week before or began inside, fewer than five mails of his were bounced, or too little of a week's mail could be seen" },
	{ "victim-says-backscatter", NOTHING, "the recipient's server did not say so" },
	{ "victim-says-unknown", NOTHING, "the recipient's server did not refuse the address as unknown" },
	{ "spam-marks", REPORT, "the returned headers carry no spam mark" },
	{ "unsigned-sender", CAUSE, "no other mail of the recipient was seen that is signed in its envelope, or the original is, too" },
	{ "origin-is-target", ORIGIN, "the original came from another host than the one that takes the answer" },
	{ "origin-near-target", ORIGIN, "the original came from another network than that of the server that takes the answer" },
	{ "spf-pass", REPORT, "the returned headers show no SPF check of ours that passed" },
	{ "dkim-pass", REPORT, "the returned headers show no DKIM signature of the sender's domain that our check passed" },
	{ "dkim-signature", REPORT, "the returned headers show no signature of the sender's domain, or one that our check looked at" },
	{ "correspondent", ORIGIN, "no answer to mail of ours was seen from the network of the origin" },
	{ "trusted-sender", NOTHING, "the configuration names no trusted sender that it came from" },
	{ "own-sender", CAUSE, "the original's envelope is none of ours" },
	{ "batv-verp-srs", NOTHING, "the recipient's address has no such form" },
	{ "notify-asked", CAUSE, "the original did not ask for a report" },
	{ "doubtful-capture", NOTHING, "what it rests on was captured in full" },
};

static bool is_there(enum need need, const struct finding_row *f)
{
	bool report = f->kind == KIND_BOUNCE || f->kind == KIND_DELAY_NOTICE || f->kind == KIND_SUCCESS_NOTICE;

	return need == CAUSE ? f->cause_rowid != 0 : need == ORIGIN ? *f->origin_ip != '\0' : need == REPORT ? report : true;
}

const char *silence_of(const char *rule, const struct finding_row *f)
{
	for (size_t i = 0; i < sizeof silences / sizeof *silences; i++)
		if (strcmp(rule, silences[i].rule) == 0)
			return is_there(silences[i].need, f) ? silences[i].otherwise : missing[silences[i].need];
	return NULL;
}
