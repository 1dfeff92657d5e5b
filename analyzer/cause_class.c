/* cause_class.c - see cause_class.h. The first line that fits decides. */
#include "analyzer/cause_class.h"

#include <string.h>

#define UNKNOWN "user-unknown"
#define FULL "mailbox-full"
#define CONTENT "content"
#define POLICY "policy"

static const struct {
	const char *class;
	const char *enhanced;	/* without the first digit: ".1.1", or ".6." for all of them */
	const char *text;	/* lower case; with enhanced: both must fit */
} classes[] = {
	/* A blocklist's name holds words that mean something else below. */
	{ POLICY, NULL, "spamhaus" }, { POLICY, NULL, "spamcop" }, { POLICY, NULL, "blocked using" }, { POLICY, NULL, "blacklist" },
	{ POLICY, NULL, "black list" }, { POLICY, NULL, "blocklist" }, { POLICY, NULL, "block list" }, { POLICY, NULL, "dnsbl" }, { POLICY, NULL, " rbl" },
	{ POLICY, NULL, "reputation" }, { POLICY, NULL, "backscatter" },
	/* Exchange Online, directory-based edge blocking. */
	{ UNKNOWN, ".4.1", "access denied" },
	/* RFC 3463: X.1.1 bad mailbox, X.1.3 bad syntax, X.1.6 moved, X.1.10 null MX, X.2.1 disabled, X.2.2 full. */
	{ UNKNOWN, ".1.1", NULL }, { UNKNOWN, ".1.6", NULL }, { UNKNOWN, ".1.10", NULL }, { UNKNOWN, ".1.3", NULL },
	{ FULL, ".2.2", NULL },
	{ UNKNOWN, NULL, "user unknown" }, { UNKNOWN, NULL, "unknown user" }, { UNKNOWN, NULL, "no such user" }, { UNKNOWN, NULL, "no such recipient" },
	{ UNKNOWN, NULL, "no such mailbox" }, { UNKNOWN, NULL, "no such address" }, { UNKNOWN, NULL, "no such account" }, { UNKNOWN, NULL, "no such person" },
	{ UNKNOWN, NULL, "no such local user" }, { UNKNOWN, NULL, "does not exist" }, { UNKNOWN, NULL, "doesn't exist" }, { UNKNOWN, NULL, "not exist" },
	{ UNKNOWN, NULL, "invalid recipient" }, { UNKNOWN, NULL, "invalid mailbox" }, { UNKNOWN, NULL, "invalid address" }, { UNKNOWN, NULL, "invalid user" },
	{ UNKNOWN, NULL, "recipient not found" }, { UNKNOWN, NULL, "recipnotfound" }, { UNKNOWN, NULL, "user not found" }, { UNKNOWN, NULL, "mailbox not found" },
	{ UNKNOWN, NULL, "address not found" }, { UNKNOWN, NULL, "account not found" }, { UNKNOWN, NULL, "no mailbox" }, { UNKNOWN, NULL, "no mail box" },
	{ UNKNOWN, NULL, "> unknown" }, { UNKNOWN, NULL, "unrouteable address" }, { UNKNOWN, NULL, "unrouteable mail" }, { UNKNOWN, NULL, "unroutable address" },
	{ UNKNOWN, NULL, "unknown recipient" }, { UNKNOWN, NULL, "recipient unknown" }, { UNKNOWN, NULL, "unknown address" }, { UNKNOWN, NULL, "address unknown" },
	{ UNKNOWN, NULL, "unknown mailbox" }, { UNKNOWN, NULL, "mailbox unknown" }, { UNKNOWN, NULL, "unknown local" }, { UNKNOWN, NULL, "unknown or illegal alias" },
	{ UNKNOWN, NULL, "addressee unknown" }, { UNKNOWN, NULL, "not listed in" }, { UNKNOWN, NULL, "not a known user" }, { UNKNOWN, NULL, "not a valid recipient" },
	{ UNKNOWN, NULL, "not a valid mailbox" }, { UNKNOWN, NULL, "not a valid user" }, { UNKNOWN, NULL, "no account by that name" },
	{ UNKNOWN, NULL, "no valid recipient" }, { UNKNOWN, NULL, "doesn't have a" }, { UNKNOWN, NULL, "does not have a" }, { UNKNOWN, NULL, "not our customer" },
	{ UNKNOWN, NULL, "no longer accepts mail" }, { UNKNOWN, NULL, "no longer active" }, { UNKNOWN, NULL, "no longer valid" },
	{ UNKNOWN, NULL, "account is disabled" }, { UNKNOWN, NULL, "account disabled" }, { UNKNOWN, NULL, "account has been disabled" },
	{ UNKNOWN, NULL, "mailbox disabled" }, { UNKNOWN, NULL, "mailbox is disabled" }, { UNKNOWN, NULL, "account is not active" },
	{ UNKNOWN, NULL, "inactive user" }, { UNKNOWN, NULL, "inactive mailbox" }, { UNKNOWN, NULL, "account inactive" }, { UNKNOWN, NULL, "account suspended" },
	{ UNKNOWN, NULL, "undeliverable address" }, { UNKNOWN, NULL, "recipient verify failed" }, { UNKNOWN, NULL, "could not verify recipient" },
	{ FULL, NULL, "mailbox full" }, { FULL, NULL, "mailbox is full" }, { FULL, NULL, "mail box full" }, { FULL, NULL, "mailbox has exceeded" },
	{ FULL, NULL, "mailbox size limit" }, { FULL, NULL, "mailbox exceeds" }, { FULL, NULL, "quota" }, { FULL, NULL, "exceeded storage" },
	{ FULL, NULL, "storage exceeded" }, { FULL, NULL, "out of storage" }, { FULL, NULL, "inbox is full" }, { FULL, NULL, "insufficient disk space" },
	{ UNKNOWN, ".2.1", NULL }, { UNKNOWN, NULL, "mailbox unavailable" }, { UNKNOWN, NULL, "mailbox not available" },
	{ UNKNOWN, NULL, "recipient address rejected: undeliverable" },
	{ POLICY, NULL, "spf" }, { POLICY, NULL, "dmarc" }, { POLICY, NULL, "relay" },
	{ CONTENT, ".6.", NULL }, { CONTENT, NULL, "virus" }, { CONTENT, NULL, "malware" }, { CONTENT, NULL, "spam" }, { CONTENT, NULL, "banned" },
	{ CONTENT, NULL, "content" }, { CONTENT, NULL, "attachment" }, { CONTENT, NULL, "phishing" }, { CONTENT, NULL, "junk mail" }, { CONTENT, NULL, "bulk mail" },
	{ POLICY, ".7.", NULL }, { POLICY, NULL, "blocked" }, { POLICY, NULL, "denied" }, { POLICY, NULL, "not allowed" }, { POLICY, NULL, "not permitted" },
	{ POLICY, NULL, "policy" }, { POLICY, NULL, "prohibited" }, { POLICY, NULL, "not authorized" }, { POLICY, NULL, "unauthorized" },
	{ POLICY, NULL, "authentication required" }, { POLICY, NULL, "sender verify failed" }, { POLICY, NULL, "sender address rejected" },
	{ POLICY, NULL, "reverse dns" }, { POLICY, NULL, "greylist" }, { POLICY, NULL, "too many" }, { POLICY, NULL, "rate limit" },
};

static bool fits_code(const char *wanted, struct text enhanced)
{
	size_t n = strlen(wanted);

	return enhanced.p && enhanced.len > n && memcmp(enhanced.p + 1, wanted, n) == 0 && (wanted[n - 1] == '.' || enhanced.len == n + 1);
}

const char *cause_class(int code, struct text enhanced, struct text text)
{
	if (!code && !enhanced.p && !text.p)
		return NULL;
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		if ((!classes[i].enhanced || fits_code(classes[i].enhanced, enhanced)) && (!classes[i].text || text_find_nocase(text, classes[i].text) >= 0))
			return classes[i].class;
	return "other";
}
