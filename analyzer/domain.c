/* domain.c - see domain.h. The only file that includes libpsl. */
#include "analyzer/domain.h"

#include <libpsl.h>
#include <stdio.h>
#include <string.h>

#include "analyzer/idn.h"

static struct text without_last_dot(struct text t)
{
	if (t.len && t.p[t.len - 1] == '.')
		t.len--;
	return t;
}

#define NAME(literal) { literal, sizeof(literal) - 1 }

/*
 * Outbound servers of these send for everyone; their names say nothing about a sender: who has his domain at one of them may take his mail at
 * another. Mailbox providers and hosters of them, filters and relays, mailers of newsletters and tickets; no hosters of machines, whose names below
 * theirs are those of one tenant each.
 */
static const struct text platforms[] = {
	NAME("126.com"), NAME("163.com"), NAME("a1.net"), NAME("aol.com"), NAME("apple.com"), NAME("arcor.de"), NAME("aruba.it"), NAME("b-one.net"),
	NAME("bluewin.ch"), NAME("btinternet.com"), NAME("dreamhost.com"), NAME("emailsrvr.com"), NAME("free.fr"), NAME("freenet.de"), NAME("gandi.net"),
	NAME("gmx.com"), NAME("gmx.net"), NAME("google.com"), NAME("googlemail.com"), NAME("home.pl"), NAME("hostpoint.ch"), NAME("hotmail.com"),
	NAME("icloud.com"), NAME("infomaniak.ch"), NAME("ionos.com"), NAME("ispgateway.de"), NAME("kasserver.com"), NAME("kpnmail.nl"),
	NAME("kundenserver.de"), NAME("laposte.net"), NAME("libero.it"), NAME("loopia.se"), NAME("mail.ru"), NAME("mailbox.org"), NAME("messagingengine.com"),
	NAME("mxlogin.com"), NAME("mxroute.com"), NAME("naver.com"), NAME("netease.com"), NAME("o2.pl"), NAME("one.com"), NAME("onet.pl"), NAME("orange.fr"),
	NAME("outlook.com"), NAME("ovh.net"), NAME("posteo.de"), NAME("privateemail.com"), NAME("proton.me"), NAME("protonmail.ch"), NAME("proxad.net"),
	NAME("qq.com"), NAME("register.it"), NAME("registrar-servers.com"), NAME("rzone.de"), NAME("secureserver.net"), NAME("seznam.cz"), NAME("sfr.fr"),
	NAME("strato.de"), NAME("t-online.de"), NAME("titan.email"), NAME("transip.email"), NAME("tutanota.de"), NAME("unifiedlayer.com"), NAME("wanadoo.fr"),
	NAME("web.de"), NAME("websitewelcome.com"), NAME("wp.pl"), NAME("yahoo.com"), NAME("yahoodns.net"), NAME("yandex.net"), NAME("yandex.ru"),
	NAME("ziggo.nl"), NAME("zoho.com"), NAME("zoho.eu"), NAME("zohomail.com"),

	NAME("antispamcloud.com"), NAME("barracudanetworks.com"), NAME("expurgate.net"), NAME("hornetsecurity.com"), NAME("iphmx.com"), NAME("mailcontrol.com"),
	NAME("mailspamprotection.com"), NAME("messagelabs.com"), NAME("mimecast.com"), NAME("ppe-hosted.com"), NAME("pphosted.com"), NAME("retarus.com"),
	NAME("trendmicro.com"), NAME("vadesecure.com"),

	NAME("amazonses.com"), NAME("aweber.com"), NAME("ccsend.com"), NAME("createsend.com"), NAME("elasticemail.com"), NAME("emarsys.net"),
	NAME("exacttarget.com"), NAME("freshdesk.com"), NAME("hubspotemail.net"), NAME("inxserver.com"), NAME("klaviyomail.com"), NAME("mailgun.net"),
	NAME("mailgun.org"), NAME("mailjet.com"), NAME("mandrillapp.com"), NAME("mcdlv.net"), NAME("mcsv.net"), NAME("mktomail.com"), NAME("mtasv.net"),
	NAME("rsgsv.net"), NAME("salesforce.com"), NAME("sendgrid.net"), NAME("sendinblue.com"), NAME("smtp.com"), NAME("smtp2go.com"),
	NAME("sparkpostmail.com"), NAME("turbo-smtp.com"), NAME("zendesk.com"),
};

/* Some of them are public suffixes themselves, each customer having a name below. */
static bool is_platform(struct text host)
{
	host = without_last_dot(host);
	for (size_t i = 0; i < sizeof platforms / sizeof *platforms; i++) {
		uint32_t n = platforms[i].len;

		if (host.len >= n && text_equal_nocase((struct text){ host.p + host.len - n, n }, platforms[i]) && (host.len == n || host.p[host.len - n - 1] == '.'))
			return true;
	}
	return false;
}

static bool is_listed(const char *const *list, size_t n, struct text t)
{
	for (size_t i = 0; i < n; i++)
		if (t.len == strlen(list[i]) && text_starts_nocase(t, list[i]))
			return true;
	return false;
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

static const psl_ctx_t *suffixes(void)
{
	static const psl_ctx_t *list;

	if (!list && !(list = psl_latest(NULL)))
		list = psl_builtin();
	return list;
}

uint64_t domain_list_hash(void)
{
	uint64_t h = UINT64_C(14695981039346656037);	/* FNV-1a: tells lists apart, defends against nobody */
	const char *path = psl_dist_filename();
	FILE *f = path && suffixes() != psl_builtin() ? fopen(path, "rb") : NULL;
	unsigned char bytes[4096];
	size_t n;

	for (const char *p = psl_builtin_sha1sum(); p && *p; p++)
		h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
	while (f && (n = fread(bytes, 1, sizeof bytes, f)) > 0)
		for (size_t i = 0; i < n; i++)
			h = (h ^ bytes[i]) * UINT64_C(1099511628211);
	if (f)
		fclose(f);
	return h;
}

struct text domain_registrable(struct text host)
{
	char name[256];

	host = without_last_dot(host);
	if (!domain_is_name(host))
		return host;
	for (uint32_t i = 0; i < host.len; i++)
		name[i] = (char)(host.p[i] >= 'A' && host.p[i] <= 'Z' ? host.p[i] | 32 : host.p[i]);
	name[host.len] = '\0';
	const char *found = psl_registrable_domain(suffixes(), name);
	return found ? (struct text){ host.p + (found - name), (uint32_t)(host.len - (size_t)(found - name)) } : host;
}

bool domain_is_related(struct text a, struct text b)
{
	char ascii[2][IDN_MAX];

	if (!a.p || !b.p)
		return false;
	a = idn_ascii(a, ascii[0]);
	b = idn_ascii(b, ascii[1]);
	if (!domain_is_name(a) || !domain_is_name(b))
		return false;
	return text_equal_nocase(domain_registrable(a), domain_registrable(b));
}

bool domain_is_platform(struct text host)
{
	return host.p && is_platform(host);
}

/* The next run of letters from *at on; empty at the end. */
static struct text next_word(struct text t, uint32_t *at)
{
	uint32_t begin, end;

	for (begin = *at; begin < t.len && !((t.p[begin] | 32) >= 'a' && (t.p[begin] | 32) <= 'z'); begin++)
		;
	for (end = begin; end < t.len && (t.p[end] | 32) >= 'a' && (t.p[end] | 32) <= 'z'; end++)
		;
	*at = end;
	return (struct text){ t.p + begin, end - begin };
}

static bool is_access_line(struct text host, struct text registrable)
{
	static const char *const lines[] = { "abo", "access", "adsl", "broadband", "cable", "catv", "client", "cpe", "cust", "customer", "customers", "dhcp", "dial",
		"dialin", "dialup", "dip", "dsl", "dyn", "dynamic", "dynamicip", "dynip", "ftth", "fttb", "gprs", "hsd", "lte", "mobile", "pool", "ppp",
		"pppoe", "res", "residential", "retail", "sdsl", "subs", "umts", "user", "vdsl", "wifi", "wlan", "xdsl" };
	static const char *const servers[] = { "cloud", "compute", "gw", "mail", "mailer", "mailout", "mta", "mx", "newsletter", "out", "outbound", "relay",
		"send", "sender", "server", "smtp", "srv", "static", "vps" };
	bool line = false;

	host.len = registrable.p > host.p ? (uint32_t)(registrable.p - host.p) : 0;
	for (uint32_t at = 0; at < host.len;) {
		struct text word = next_word(host, &at);

		if (is_listed(servers, sizeof servers / sizeof *servers, word))
			return false;
		line |= is_listed(lines, sizeof lines / sizeof *lines, word);
	}
	return line;
}

bool domain_is_access_line(struct text host)
{
	return host.p && domain_is_name(host) && is_access_line(host, domain_registrable(host));
}

bool domain_is_private(struct text host)
{
	static const char *const tops[] = { ".local", ".localdomain", ".lan", ".internal", ".intranet", ".intern", ".corp", ".home", ".home.arpa", ".localhost" };

	host = without_last_dot(host);
	for (size_t i = 0; i < sizeof tops / sizeof *tops; i++)
		if (text_ends_nocase(host, tops[i]))
			return true;
	return false;
}

struct domain_host domain_host(struct text name)
{
	struct domain_host h = { .access_line = false };

	if (!name.p || !name.len || domain_is_private(name))
		return h;
	h.registrable = domain_registrable(name);
	h.access_line = is_access_line(name, h.registrable);
	if (!h.access_line && is_platform(name))
		h.registrable = (struct text){ 0 };
	return h;
}
