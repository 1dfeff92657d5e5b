/* config_type.c - see config_type.h */
#include "common/config_type.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/config.h"
#include "common/ini.h"
#include "common/timefmt.h"
#include "common/xmalloc.h"

enum {
	ITEM_MAX = 512,		/* of a list; more than any domain, so that a cut item is still too long to be one */
	DOMAIN_MAX = 253, LABEL_MAX = 63,	/* RFC 1035 2.3.4, in text form */
	SENSOR_MAX = 64,	/* it stands in every event */
	INTERFACE_MAX = 15,	/* IFNAMSIZ without its NUL */
	HINT_MAX = 512,
	DAYS_MAX = 3650, COUNT_MAX = 1000000,	/* more is a slip */
};

static const int64_t hour_us = INT64_C(3600) * 1000000;

int config_fail(struct config_message *m, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(m->text, m->size, format, ap);
	va_end(ap);
	return -1;
}

bool config_is_plain(const char *s)
{
	for (size_t i = 0; s[i]; i++) {
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			return false;
		if ((s[i] == '#' || s[i] == ';') && (i == 0 || s[i - 1] == ' '))
			return false;
	}
	return *s != ' ' && (!*s || s[strlen(s) - 1] != ' ');
}

static int set_prefixes(const struct config_key *k, void *field, const char *text, struct config_message *m)
{
	struct config_prefixes *list = field;
	char item[ITEM_MAX];

	while (ini_next_item(&text, item, sizeof item)) {
		struct ip_prefix p;

		if (ip_prefix_parse(item, &p))
			return config_fail(m, "%s: '%s' is not an address or a network such as 192.0.2.0/24 or 2001:db8::/32 (no bits set "
				    "behind the length)", k->name, item);
		list->item = xreallocarray(list->item, list->count + 1, sizeof *list->item);
		list->item[list->count++] = p;
	}
	return 0;
}

static void print_prefixes(const struct config_key *k, const void *field, FILE *out)
{
	const struct config_prefixes *list = field;
	char text[IP_TEXT_MAX];

	(void)k;
	for (size_t i = 0; i < list->count; i++) {
		const struct ip_prefix *p = &list->item[i];

		fprintf(out, " %s", ip_format(&p->addr, text));
		if (p->bits != (p->addr.version == 4 ? 32 : 128))
			fprintf(out, "/%u", p->bits);
	}
}

static void clear_prefixes(void *field)
{
	struct config_prefixes *list = field;

	free(list->item);
	*list = (struct config_prefixes){ 0 };
}

const struct config_type config_type_prefixes = { set_prefixes, print_prefixes, clear_prefixes, true };

/* "all", "none" or networks. */
static int set_tunnels(const struct config_key *k, void *field, const char *text, struct config_message *m)
{
	struct config_tunnels *t = field;
	bool all = strcasecmp(text, "all") == 0;

	if (all || strcasecmp(text, "none") == 0) {
		if (t->any || t->networks.count)
			return config_fail(m, "%s: '%s' stands alone", k->name, text);
		t->any = all;
		return 0;
	}
	if (t->any)
		return config_fail(m, "%s: 'all' stands alone", k->name);
	if (set_prefixes(k, &t->networks, text, m))
		return config_fail(m, "%s: 'all', 'none', or addresses and networks such as 192.0.2.0/24 are wanted, not '%s'", k->name, text);
	return 0;
}

static void print_tunnels(const struct config_key *k, const void *field, FILE *out)
{
	const struct config_tunnels *t = field;

	if (t->networks.count)
		print_prefixes(k, &t->networks, out);
	else
		fputs(t->any ? " all" : " none", out);
}

static void clear_tunnels(void *field)
{
	struct config_tunnels *t = field;

	clear_prefixes(&t->networks);
	t->any = false;
}

const struct config_type config_type_tunnels = { set_tunnels, print_tunnels, clear_tunnels, true };

static void put_string(void *field, const char *text)
{
	char **s = field;

	free(*s);
	*s = xstrdup(text);
}

static void print_string(const struct config_key *k, const void *field, FILE *out)
{
	(void)k;
	fprintf(out, " %s", *(char *const *)field);
}

static void clear_string(void *field)
{
	char **s = field;

	free(*s);
	*s = NULL;
}

/* s becomes lower case and loses its trailing dot. */
static bool domain_normalize(char *s)
{
	size_t n = strlen(s), label = 0;

	if (n && s[n - 1] == '.')
		s[--n] = '\0';
	if (n == 0 || n > DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
			continue;
		}
		if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '_')
			return false;
		if (++label > LABEL_MAX)
			return false;
		s[i] = (char)tolower((unsigned char)s[i]);
	}
	return label > 0;
}

static int bad_domain(const struct config_key *k, const char *item, struct config_message *m)
{
	return config_fail(m, "%s: '%s' is not a domain name (internationalized ones in their xn-- form)", k->name, item);
}

static int set_domain(const struct config_key *k, void *field, const char *text, struct config_message *m)
{
	char item[ITEM_MAX], second[2];

	if (!ini_next_item(&text, item, sizeof item) || ini_next_item(&text, second, sizeof second))
		return config_fail(m, "%s: one domain name is wanted", k->name);
	if (!domain_normalize(item))
		return bad_domain(k, item, m);
	put_string(field, item);
	return 0;
}

const struct config_type config_type_domain = { set_domain, print_string, clear_string, false };

static int set_domains(const struct config_key *k, void *field, const char *text, struct config_message *m)
{
	struct config_strings *list = field;
	char item[ITEM_MAX];

	while (ini_next_item(&text, item, sizeof item)) {
		if (!domain_normalize(item[0] == '.' ? item + 1 : item))
			return bad_domain(k, item, m);
		list->item = xreallocarray(list->item, list->count + 1, sizeof *list->item);
		list->item[list->count++] = xstrdup(item);
	}
	return 0;
}

static void print_strings(const struct config_key *k, const void *field, FILE *out)
{
	const struct config_strings *list = field;

	(void)k;
	for (size_t i = 0; i < list->count; i++)
		fprintf(out, " %s", list->item[i]);
}

static void clear_strings(void *field)
{
	struct config_strings *list = field;

	for (size_t i = 0; i < list->count; i++)
		free(list->item[i]);
	free(list->item);
	*list = (struct config_strings){ 0 };
}

const struct config_type config_type_domains = { set_domains, print_strings, clear_strings, true };

/* What Linux allows for the name of a network interface: IFNAMSIZ, no slash. */
static int set_interfaces(const struct config_key *k, void *field, const char *text, struct config_message *m)
{
	struct config_strings *list = field;
	char item[ITEM_MAX];

	while (ini_next_item(&text, item, sizeof item)) {
		if (strlen(item) > INTERFACE_MAX || strchr(item, '/') || !config_is_plain(item))
			return config_fail(m, "%s: '%s' is not the name of an interface", k->name, item);
		for (size_t i = 0; i < list->count; i++)
			if (strcmp(list->item[i], item) == 0)
				return config_fail(m, "%s: %s is named twice", k->name, item);
		list->item = xreallocarray(list->item, list->count + 1, sizeof *list->item);
		list->item[list->count++] = xstrdup(item);
	}
	return 0;
}

const struct config_type config_type_interfaces = { set_interfaces, print_strings, clear_strings, true };

static int set_address(const struct config_key *k, void *field, const char *text, struct config_message *m)
{
	struct ip_addr a;

	if (ip_parse(text, strlen(text), &a))
		return config_fail(m, "%s: '%s' is not an IP address", k->name, text);
	*(struct ip_addr *)field = a;
	return 0;
}

static void print_address(const struct config_key *k, const void *field, FILE *out)
{
	char text[IP_TEXT_MAX];

	(void)k;
	fprintf(out, " %s", ip_format(field, text));
}

static void clear_address(void *field)
{
	*(struct ip_addr *)field = (struct ip_addr){ 0 };
}

const struct config_type config_type_address = { set_address, print_address, clear_address, false };

static int set_string(const struct config_key *k, void *field, const char *text, struct config_message *m)
{
	if (!*text || !config_is_plain(text))
		return config_fail(m, "%s: %s", k->name, *text ? "no control characters, and no '#' or ';' behind a blank" : "no value");
	put_string(field, text);
	return 0;
}

const struct config_type config_type_string = { set_string, print_string, clear_string, false };

static int set_sensor(const struct config_key *k, void *field, const char *text, struct config_message *m)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	if (n == 0 || text[n] || n > SENSOR_MAX)
		return config_fail(m, "%s: '%s' is not a name of letters, digits, '.', '_' and '-', at most %d", k->name, text, SENSOR_MAX);
	put_string(field, text);
	return 0;
}

const struct config_type config_type_sensor = { set_sensor, print_string, clear_string, false };

static int find_word(const struct config_key *k, const char *text, struct config_message *m)
{
	char hint[HINT_MAX];

	for (int i = 0; k->words[i]; i++)
		if (strcasecmp(text, k->words[i]) == 0)
			return i;
	return config_fail(m, "%s: unknown value '%s'%s", k->name, text, ini_hint(text, k->words, hint, sizeof hint));
}

static int set_role(const struct config_key *k, void *field, const char *text, struct config_message *m)
{
	int i = find_word(k, text, m);

	if (i < 0)
		return -1;
	put_string(field, k->words[i]);
	return 0;
}

const struct config_type config_type_role = { set_role, print_string, clear_string, false };

/* The fields of this type are enums whose values count the words. */
_Static_assert(sizeof(enum config_privacy) == sizeof(unsigned) && sizeof(enum config_subject) == sizeof(unsigned), "enum");

static int set_word(const struct config_key *k, void *field, const char *text, struct config_message *m)
{
	int i = find_word(k, text, m);

	if (i < 0)
		return -1;
	memcpy(field, &(unsigned){ (unsigned)i }, sizeof(unsigned));
	return 0;
}

static void print_word(const struct config_key *k, const void *field, FILE *out)
{
	unsigned i;

	memcpy(&i, field, sizeof i);
	fprintf(out, " %s", k->words[i]);
}

static void clear_nothing(void *field)
{
	(void)field;
}

const struct config_type config_type_word = { set_word, print_word, clear_nothing, false };

static int set_bool(const struct config_key *k, void *field, const char *text, struct config_message *m)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1", NULL };

	for (int i = 0; words[i]; i++)
		if (strcasecmp(text, words[i]) == 0) {
			*(bool *)field = i % 2 == 1;
			return 0;
		}
	return config_fail(m, "%s: '%s' is neither yes nor no", k->name, text);
}

static void print_bool(const struct config_key *k, const void *field, FILE *out)
{
	(void)k;
	fputs(*(const bool *)field ? " yes" : " no", out);
}

const struct config_type config_type_boolean = { set_bool, print_bool, clear_nothing, false };

static int set_ports(const struct config_key *k, void *field, const char *text, struct config_message *m)
{
	struct config_capture *c = field;
	char item[ITEM_MAX];

	while (ini_next_item(&text, item, sizeof item)) {
		size_t n = strspn(item, "0123456789");
		unsigned long port = n && n <= 5 && !item[n] ? strtoul(item, NULL, 10) : 0;

		if (port == 0 || port > USHRT_MAX)
			return config_fail(m, "%s: '%s' is not a port between 1 and 65535", k->name, item);
		if (c->port_count == sizeof c->ports / sizeof *c->ports)
			return config_fail(m, "%s: more than %zu ports; any-port = yes takes all", k->name, c->port_count);
		c->ports[c->port_count++] = (unsigned short)port;
	}
	return 0;
}

static void print_ports(const struct config_key *k, const void *field, FILE *out)
{
	const struct config_capture *c = field;

	(void)k;
	for (size_t i = 0; i < c->port_count; i++)
		fprintf(out, " %u", c->ports[i]);
}

static void clear_ports(void *field)
{
	struct config_capture *c = field;

	c->port_count = 0;
}

const struct config_type config_type_ports = { set_ports, print_ports, clear_ports, true };

static int set_size(const struct config_key *k, void *field, const char *text, struct config_message *m)
{
	static const char units[] = "kmg";
	char *end;

	errno = 0;
	unsigned long long n = isdigit((unsigned char)*text) ? strtoull(text, &end, 10) : 0;
	if (n == 0 || errno)
		return config_fail(m, "%s: '%s' is not a size such as 512M", k->name, text);
	const char *unit = *end ? strchr(units, tolower((unsigned char)*end)) : NULL;
	if (*end && (!unit || end[1]))
		return config_fail(m, "%s: '%s' is not a size such as 512M; suffixes are K, M and G", k->name, text);
	unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
	if (n > (SIZE_MAX >> shift))
		return config_fail(m, "%s: '%s' is more than this machine can address", k->name, text);
	*(size_t *)field = (size_t)n << shift;
	return 0;
}

static void print_size(const struct config_key *k, const void *field, FILE *out)
{
	size_t n = *(const size_t *)field;
	unsigned unit = 0;

	(void)k;
	while (unit < 3 && n && n % 1024 == 0) {
		n /= 1024;
		unit++;
	}
	fprintf(out, " %zu%.*s", n, unit > 0, &" KMG"[unit]);
}

const struct config_type config_type_size = { set_size, print_size, clear_nothing, false };

/* "28d", "36h" */
static int set_duration(const struct config_key *k, void *field, const char *text, struct config_message *m)
{
	char *end = NULL;
	unsigned long n = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 0;
	unsigned long hours = end && strcmp(end, "h") == 0 ? 1 : end && strcmp(end, "d") == 0 ? 24 : 0;

	if (n == 0 || hours == 0 || n > DAYS_MAX * 24 / hours)
		return config_fail(m, "%s: '%s' is not a time such as 28d or 36h", k->name, text);
	*(int64_t *)field = (int64_t)(n * hours) * hour_us;
	return 0;
}

static void print_duration(const struct config_key *k, const void *field, FILE *out)
{
	int64_t hours = *(const int64_t *)field / hour_us;
	bool days = hours % 24 == 0;

	(void)k;
	fprintf(out, " %lld%c", (long long)(days ? hours / 24 : hours), days ? 'd' : 'h');
}

const struct config_type config_type_duration = { set_duration, print_duration, clear_nothing, false };

static int set_workers(const struct config_key *k, void *field, const char *text, struct config_message *m)
{
	char *end = NULL;
	unsigned long n = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 0;

	if (n == 0 || n > CONFIG_WORKERS_MAX || *end)
		return config_fail(m, "%s: '%s' is not a number from 1 to %d", k->name, text, CONFIG_WORKERS_MAX);
	*(unsigned *)field = (unsigned)n;
	return 0;
}

static void print_workers(const struct config_key *k, const void *field, FILE *out)
{
	(void)k;
	fprintf(out, " %u", *(const unsigned *)field);
}

const struct config_type config_type_workers = { set_workers, print_workers, clear_nothing, false };

static int set_count(const struct config_key *k, void *field, const char *text, struct config_message *m)
{
	char *end = NULL;
	unsigned long n = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 0;

	if (strcmp(text, k->words[0]) != 0 && (n == 0 || n > COUNT_MAX || *end))
		return config_fail(m, "%s: '%s' is neither a number from 1 nor '%s'", k->name, text, k->words[0]);
	*(unsigned *)field = (unsigned)n;
	return 0;
}

static void print_count(const struct config_key *k, const void *field, FILE *out)
{
	unsigned n = *(const unsigned *)field;

	if (n)
		fprintf(out, " %u", n);
	else
		fprintf(out, " %s", k->words[0]);
}

const struct config_type config_type_count = { set_count, print_count, clear_nothing, false };

static int set_date(const struct config_key *k, void *field, const char *text, struct config_message *m)
{
	int64_t us;

	if (strlen(text) != strlen("YYYY-MM-DD") || !isdigit((unsigned char)*text) || time_parse(text, 0, &us))
		return config_fail(m, "%s: '%s' is not a date YYYY-MM-DD", k->name, text);
	put_string(field, text);
	return 0;
}

const struct config_type config_type_date = { set_date, print_string, clear_string, false };

static int set_flags(const struct config_key *k, void *field, const char *text, struct config_message *m)
{
	char item[ITEM_MAX];

	while (ini_next_item(&text, item, sizeof item)) {
		int i = find_word(k, item, m);

		if (i < 0)
			return -1;
		*(unsigned *)field |= 1u << i;
	}
	return 0;
}

static void print_flags(const struct config_key *k, const void *field, FILE *out)
{
	for (unsigned i = 0; k->words[i]; i++)
		if (*(const unsigned *)field >> i & 1)
			fprintf(out, " %s", k->words[i]);
}

static void clear_flags(void *field)
{
	*(unsigned *)field = 0;
}

const struct config_type config_type_flags = { set_flags, print_flags, clear_flags, true };
