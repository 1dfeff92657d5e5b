/*
 * domain.c - see domain.h. Registrable parts follow the shape of names (two labels, three below "co.uk" and the like). That is right for
 * nearly all mail domains; where it is wrong, two names count as related, which only makes a rule silent.
 */
#include "analyzer/domain.h"

#include <string.h>

/* Second labels that registries of two-letter domains use themselves. */
static const char *const registry_labels[] = { "ac", "co", "com", "edu", "go", "gob", "gov", "gv", "id", "ltd", "mil", "ne", "net", "nom", "or",
	"org", "plc", "sch" };

/* Outbound servers of these send for everyone; their names say nothing about a sender. */
static const char *const platforms[] = { "amazonses.com", "google.com", "googlemail.com", "outlook.com", "hotmail.com", "yahoo.com", "yahoodns.net",
	"icloud.com", "apple.com", "gmx.net", "gmx.com", "web.de", "kundenserver.de", "ionos.com", "strato.de", "rzone.de", "t-online.de", "ovh.net",
	"messagingengine.com", "zoho.com", "zoho.eu", "protonmail.ch", "sendgrid.net", "mailgun.net", "mailgun.org", "mailjet.com", "sparkpostmail.com",
	"mcsv.net", "mcdlv.net", "rsgsv.net", "mandrillapp.com", "exacttarget.com", "mimecast.com", "pphosted.com", "ppe-hosted.com",
	"messagelabs.com", "barracudanetworks.com", "mailspamprotection.com", "secureserver.net", "emailsrvr.com", "antispamcloud.com", "hornetsecurity.com" };

static bool is_listed(const char *const *list, size_t n, struct text t)
{
	for (size_t i = 0; i < n; i++)
		if (t.len == strlen(list[i]) && text_starts_nocase(t, list[i]))
			return true;
	return false;
}

static struct text without_last_dot(struct text t)
{
	if (t.len && t.p[t.len - 1] == '.')
		t.len--;
	return t;
}

bool domain_is_name(struct text host)
{
	host = without_last_dot(host);
	if (host.len < 3 || host.len > 253 || !memchr(host.p, '.', host.len))
		return false;
	bool letter = false;
	for (uint32_t i = 0; i < host.len; i++) {
		char c = host.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'))
			return false;
		letter |= (c | 32) >= 'a' && (c | 32) <= 'z';
	}
	return letter;
}

struct text domain_of_address(struct text address)
{
	uint32_t n = address.len;

	while (n && address.p[n - 1] != '@')
		n--;
	return n ? (struct text){ address.p + n, address.len - n } : TEXT("");
}

struct text domain_registrable(struct text host)
{
	struct text label[3] = { { 0 } };
	unsigned n = 0;

	host = without_last_dot(host);
	if (!domain_is_name(host))
		return host;
	uint32_t end = host.len, i = host.len;
	while (n < 3) {
		while (i > 0 && host.p[i - 1] != '.')
			i--;
		label[n++] = (struct text){ host.p + i, end - i };
		if (i == 0)
			break;
		end = --i;
	}
	bool registry = n == 3 && label[0].len == 2 && is_listed(registry_labels, sizeof registry_labels / sizeof *registry_labels, label[1]);
	struct text first = label[registry ? 2 : n > 1 ? 1 : 0];
	return (struct text){ first.p, (uint32_t)(host.p + host.len - first.p) };
}

bool domain_is_related(struct text a, struct text b)
{
	if (!a.p || !b.p || !domain_is_name(a) || !domain_is_name(b))
		return false;
	return text_equal_nocase(domain_registrable(a), domain_registrable(b));
}

bool domain_is_platform(struct text host)
{
	return host.p && is_listed(platforms, sizeof platforms / sizeof *platforms, domain_registrable(host));
}
