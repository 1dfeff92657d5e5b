/* software.c - see software.h. Courier, Citadel and qmail say only "ESMTP": they stay unknown here. */
#include "analyzer/software.h"

#include <stdbool.h>
#include <stddef.h>

static const struct {
	const char *name, *banner;	/* banner: lower-case text within the greeting */
} by_banner[] = {
	{ "Postfix", "postfix" },
	{ "Exim", "exim" },
	{ "Sendmail", "sendmail" },
	{ "OpenSMTPD", "opensmtpd" },
	{ "Exchange", "microsoft esmtp" },
	{ "Haraka", "haraka" },
	{ "PowerMTA", "powermta" },
	{ "Domino", "domino" },
	{ "MDaemon", "mdaemon" },
	{ "Halon", "halon" },
	{ "MailEnable", "mailenable" },
	{ "hMailServer", "hmailserver" },
	{ "Kerio", "kerio" },
	{ "Zimbra", "zimbra" },
	{ "James", "james smtp" },
	{ "Stalwart", "stalwart" },
	{ "qmail", "qmail" },
	{ "Courier", "courier" },
	{ "IMail", "imail" },
	{ "SurgeMail", "surgemail" },
	{ "CommuniGate", "communigate" },
	{ "GroupWise", "groupwise" },
	{ "Barracuda", "barracuda" },
	{ "Gmail", "gsmtp" },
};

const char *software_of(struct text banner, struct text ehlo_keywords)
{
	for (size_t i = 0; banner.p && i < sizeof by_banner / sizeof *by_banner; i++)
		if (text_find_nocase(banner, by_banner[i].banner) >= 0)
			return by_banner[i].name;
	if (text_find_nocase(ehlo_keywords, "x-anonymoustls") >= 0 || text_find_nocase(ehlo_keywords, "xrdst") >= 0)
		return "Exchange";
	return NULL;
}
