/*
 * config.c - see config.h. The table keys[] is the whole configuration: parsing, defaults, --dump-config and freeing walk it.
 * What a value of which type looks like is config_type.c's affair, what lines look like ini.c's.
 */
#include "common/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/config_type.h"
#include "common/ini.h"
#include "common/xmalloc.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

enum {
	NAME_MAX_BYTES = INI_SECTION_MAX - (int)sizeof("server ") + 1,
	ERROR_MAX = 512,
};

struct config_origin {		/* of a value; key == NULL: of the heading [section name] */
	const struct config_key *key;
	const char *section;
	char *name;
	char *text;		/* "FILE:LINE", "command line" */
};

static const char *const role_words[] = { "mx", "smarthost", "backend", "list", NULL };
static const char *const privacy_words[] = { "full", "hash", "domain", NULL };	/* enum config_privacy */
static const char *const subject_words[] = { "marked", "all", "none", NULL };	/* enum config_subject */

#define IN_CONFIG(field) offsetof(struct config, field)
#define IN_SERVER(field) offsetof(struct config_server, field)
#define IN_TENANT(field) offsetof(struct config_tenant, field)

static const struct config_key keys[] = {
	{ "own", "networks", &config_type_prefixes, IN_CONFIG(own.networks), NULL, "" },
	{ "own", "domains", &config_type_domains, IN_CONFIG(own.domains), NULL, "" },
	{ "own", "upstreams", &config_type_prefixes, IN_CONFIG(own.upstreams), NULL, "" },
	{ "own", "smarthosts", &config_type_prefixes, IN_CONFIG(own.smarthosts), NULL, "" },
	{ "own", "next-hops", &config_type_prefixes, IN_CONFIG(own.next_hops), NULL, "" },
	{ "own", "trusted-senders", &config_type_prefixes, IN_CONFIG(own.trusted_senders), NULL, "" },
	{ "capture", "sensor", &config_type_sensor, IN_CONFIG(capture.sensor), NULL, "local" },
	{ "capture", "any-port", &config_type_boolean, IN_CONFIG(capture.any_port), NULL, "no" },
	{ "capture", "key-vlan", &config_type_boolean, IN_CONFIG(capture.key_vlan), NULL, "no" },
	{ "capture", "tunnels", &config_type_tunnels, IN_CONFIG(capture.tunnels), NULL, "all" },
	{ "capture", "ports", &config_type_ports, IN_CONFIG(capture), NULL, "25 465 587 2525 24" },
	{ "capture", "memory", &config_type_size, IN_CONFIG(capture.memory_bytes), NULL, "512M" },
	{ "capture", "workers", &config_type_workers, IN_CONFIG(capture.workers), NULL, "1" },
	{ "capture", "interfaces", &config_type_interfaces, IN_CONFIG(capture.interfaces), NULL, "" },
	{ "capture", "promiscuous", &config_type_boolean, IN_CONFIG(capture.promiscuous), NULL, "yes" },
	{ "capture", "ring", &config_type_size, IN_CONFIG(capture.ring_bytes), NULL, "64M" },
	{ "capture", "snaplen", &config_type_size, IN_CONFIG(capture.snaplen), NULL, "256K" },
	{ "capture", "filter", &config_type_string, IN_CONFIG(capture.filter), NULL, NULL },
	{ "store", "dir", &config_type_string, IN_CONFIG(store.dir), NULL, "/var/lib/bouncetap" },
	{ "store", "keep", &config_type_duration, IN_CONFIG(store.keep_us), NULL, "90d" },
	{ "store", "keep-evidence", &config_type_duration, IN_CONFIG(store.keep_evidence_us), NULL, "400d" },
	{ "store", "keep-counters", &config_type_duration, IN_CONFIG(store.keep_counters_us), NULL, "400d" },
	{ "store", "keep-free", &config_type_size, IN_CONFIG(store.keep_free_bytes), NULL, "1G" },
	{ "report", "geoip", &config_type_string, IN_CONFIG(report.geoip), NULL, NULL },
	{ "privacy", "addresses", &config_type_word, IN_CONFIG(privacy.addresses), privacy_words, "full" },
	{ "privacy", "subject", &config_type_word, IN_CONFIG(privacy.subject), subject_words, "marked" },
	{ "server", "addresses", &config_type_prefixes, IN_SERVER(addresses), NULL, NULL },
	{ "server", "public", &config_type_address, IN_SERVER(public_address), NULL, NULL },
	{ "server", "role", &config_type_role, IN_SERVER(role), role_words, NULL },
	{ "server", "owner", &config_type_string, IN_SERVER(owner), NULL, NULL },
	{ "tenant", "networks", &config_type_prefixes, IN_TENANT(networks), NULL, NULL },
	{ "tenant", "domains", &config_type_domains, IN_TENANT(domains), NULL, NULL },
};

enum { KEY_COUNT = sizeof keys / sizeof *keys };

static const char *const sections[] = { "own", "capture", "store", "report", "privacy", "server", "tenant", NULL };

static bool has_name(const char *section)
{
	return strcmp(section, "server") == 0 || strcmp(section, "tenant") == 0;
}

static const struct config_key *find_key(const char *section, const char *name)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static int fail_unknown_key(struct config_message *m, const char *section, const char *key)
{
	const char *known[KEY_COUNT + 1];
	char hint[ERROR_MAX];
	size_t n = 0;

	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (strcmp(keys[i].section, section) == 0)
			known[n++] = keys[i].name;
		else if (strcmp(keys[i].name, key) == 0)
			return config_fail(m, "unknown key '%s' in [%s]; it belongs to [%s]", key, section, keys[i].section);
	}
	known[n] = NULL;
	return config_fail(m, "unknown key '%s' in [%s]%s", key, section, ini_hint(key, known, hint, sizeof hint));
}

/* --- servers and tenants --- */

static struct config_server *find_server(struct config *c, const char *name)
{
	for (size_t i = 0; i < c->server_count; i++)
		if (strcmp(c->server[i].name, name) == 0)
			return &c->server[i];
	return NULL;
}

static struct config_tenant *find_tenant(struct config *c, const char *name)
{
	for (size_t i = 0; i < c->tenant_count; i++)
		if (strcmp(c->tenant[i].name, name) == 0)
			return &c->tenant[i];
	return NULL;
}

/* What the keys of [section name] have their offsets in; NULL when there is no such server or tenant. */
static void *find_instance(struct config *c, const char *section, const char *name)
{
	if (strcmp(section, "server") == 0)
		return find_server(c, name);
	if (strcmp(section, "tenant") == 0)
		return find_tenant(c, name);
	return c;
}

static void *add_instance(struct config *c, const char *section, const char *name)
{
	if (strcmp(section, "server") == 0) {
		c->server = xreallocarray(c->server, c->server_count + 1, sizeof *c->server);
		struct config_server *s = &c->server[c->server_count++];
		*s = (struct config_server){ .name = xstrdup(name) };
		return s;
	}
	c->tenant = xreallocarray(c->tenant, c->tenant_count + 1, sizeof *c->tenant);
	struct config_tenant *t = &c->tenant[c->tenant_count++];
	*t = (struct config_tenant){ .name = xstrdup(name) };
	return t;
}

static int check_section(const char *section, const char *name, struct config_message *m)
{
	char hint[ERROR_MAX];
	size_t i = 0;

	if (!*section)
		return config_fail(m, "a key before the first [SECTION]");
	while (sections[i] && strcmp(sections[i], section) != 0)
		i++;
	if (!sections[i])
		return config_fail(m, "unknown section [%s]%s", section, ini_hint(section, sections, hint, sizeof hint));
	if (has_name(section) != (name && *name))
		return config_fail(m, has_name(section) ? "[%s] needs a name: [%s NAME]" : "[%s] takes no name: [%s]", section, section);
	if (name && (!config_is_plain(name) || strchr(name, ']') || strlen(name) > NAME_MAX_BYTES))
		return config_fail(m, "the name of a [%s] has at most %d bytes, no ']', no control characters, and no '#' or ';' behind a blank",
			    section, NAME_MAX_BYTES);
	return 0;
}

/* --- origins --- */

static bool same_name(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static const struct config_origin *find_origin(const struct config *c, const struct config_key *k, const char *section, const char *name)
{
	for (size_t i = 0; i < c->origin_count; i++) {
		const struct config_origin *o = &c->origin[i];

		if (o->key == k && strcmp(o->section, section) == 0 && same_name(o->name, name))
			return o;
	}
	return NULL;
}

static void set_origin(struct config *c, const struct config_key *k, const char *section, const char *name, const char *text)
{
	const struct config_origin *old = find_origin(c, k, section, name);
	struct config_origin *o;

	if (old) {
		o = &c->origin[old - c->origin];
		free(o->text);
	} else {
		c->origin = xreallocarray(c->origin, c->origin_count + 1, sizeof *c->origin);
		o = &c->origin[c->origin_count++];
		*o = (struct config_origin){ .key = k, .section = k ? k->section : section, .name = name ? xstrdup(name) : NULL };
	}
	o->text = xstrdup(text);
}

/* "FILE:1" and "FILE:7" are of one file. */
static bool same_file(const char *a, const char *b)
{
	const char *colon_a = strrchr(a, ':'), *colon_b = strrchr(b, ':');
	size_t n = colon_a ? (size_t)(colon_a - a) : strlen(a);

	return n == (colon_b ? (size_t)(colon_b - b) : strlen(b)) && memcmp(a, b, n) == 0;
}

/* --- setting --- */

int config_set(struct config *c, const char *section, const char *name, const char *key, const char *text,
	       const char *origin, char *error, size_t error_size)
{
	struct config_message m = { error, error_size };

	if (check_section(section, name, &m))
		return -1;
	const struct config_key *k = find_key(section, key);
	if (!k)
		return fail_unknown_key(&m, section, key);
	char *instance = find_instance(c, section, name);
	if (!instance)
		instance = add_instance(c, section, name);
	void *field = instance + k->offset;
	const struct config_origin *old = find_origin(c, k, section, name);
	if (k->type->is_list && !(old && same_file(old->text, origin)))
		k->type->clear(field);
	if (k->type->set(k, field, text, &m))
		return -1;
	if (!old || !same_file(old->text, origin) || !k->type->is_list)
		set_origin(c, k, section, name, origin);
	return 0;
}

struct config *config_new(void)
{
	struct config *c = xcalloc(1, sizeof *c);
	char error[ERROR_MAX];
	struct config_message m = { error, sizeof error };

	for (size_t i = 0; i < KEY_COUNT; i++)
		if (keys[i].fallback)
			keys[i].type->set(&keys[i], (char *)c + keys[i].offset, keys[i].fallback, &m);
	return c;
}

static void clear_instance(const char *section, void *instance)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (strcmp(keys[i].section, section) == 0)
			keys[i].type->clear((char *)instance + keys[i].offset);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; sections[i]; i++)
		if (!has_name(sections[i]))
			clear_instance(sections[i], c);
	for (size_t i = 0; i < c->server_count; i++) {
		clear_instance("server", &c->server[i]);
		free(c->server[i].name);
	}
	for (size_t i = 0; i < c->tenant_count; i++) {
		clear_instance("tenant", &c->tenant[i]);
		free(c->tenant[i].name);
	}
	for (size_t i = 0; i < c->origin_count; i++) {
		free(c->origin[i].name);
		free(c->origin[i].text);
	}
	free(c->server);
	free(c->tenant);
	free(c->origin);
	free(c);
}

/* --- files --- */

struct reading {
	struct config *c;
	const char *file;
	struct ini_errors *errors;
	bool skip;		/* the heading was wrong: its keys would only repeat that */
	char section[INI_SECTION_MAX + 1];
	char *name;		/* points into section, NULL when there is none */
};

/* "server mx1" -> "server" and "mx1". */
static void split_heading(struct reading *r, const char *heading)
{
	heading += strspn(heading, " \t");
	snprintf(r->section, sizeof r->section, "%s", heading);
	size_t n = strlen(r->section), word_size = strcspn(r->section, " \t");
	while (n > word_size && strchr(" \t", r->section[n - 1]))
		r->section[--n] = '\0';
	r->name = NULL;
	if (r->section[word_size]) {
		r->name = r->section + word_size + strspn(r->section + word_size, " \t");
		r->section[word_size] = '\0';
	}
}

static void read_heading(struct reading *r, const struct ini_entry *e, const char *origin)
{
	char error[ERROR_MAX];
	struct config_message m = { error, sizeof error };

	split_heading(r, e->section);
	r->skip = true;
	if (check_section(r->section, r->name, &m)) {
		ini_error(r->errors, r->file, e->line, "%s", error);
		return;
	}
	if (has_name(r->section)) {
		const struct config_origin *o = find_origin(r->c, NULL, r->section, r->name);

		if (o) {
			ini_error(r->errors, r->file, e->line, "a second [%s %s]; the first is at %s", r->section, r->name, o->text);
			return;
		}
		if (!find_instance(r->c, r->section, r->name))
			add_instance(r->c, r->section, r->name);
		for (size_t i = 0; sections[i]; i++)
			if (strcmp(sections[i], r->section) == 0)
				set_origin(r->c, NULL, sections[i], r->name, origin);
	}
	r->skip = false;
}

/* False when a key stands twice in one file, or text that is no list goes on over several lines. */
static bool may_set(struct reading *r, const struct ini_entry *e, const char *origin)
{
	const struct config_key *k = find_key(r->section, e->key);
	if (!k)
		return true;
	if (e->continued && !k->type->is_list) {
		ini_error(r->errors, r->file, e->line, "%s is no list: an indented line cannot go on with it", e->key);
		return false;
	}
	const struct config_origin *old = find_origin(r->c, k, r->section, r->name);
	if (!e->continued && old && same_file(old->text, origin)) {
		ini_error(r->errors, r->file, e->line, "%s was set before, at %s", e->key, old->text);
		return false;
	}
	return true;
}

static void read_entry(void *user, const struct ini_entry *e)
{
	struct reading *r = user;
	char error[ERROR_MAX];
	char *origin = xasprintf("%s:%u", r->file, e->line);

	if (!e->key)
		read_heading(r, e, origin);
	else if (!r->skip && may_set(r, e, origin) &&
		 config_set(r->c, r->section, r->name, e->key, e->value, origin, error, sizeof error))
		ini_error(r->errors, r->file, e->line, "%s", error);
	free(origin);
}

/* Where [section name] begins. */
static const char *place(const struct config *c, const char *section, const char *name)
{
	const struct config_origin *o = find_origin(c, NULL, section, name);

	return o ? o->text : "command line";
}

/* The first of n servers that names just this prefix. */
static const struct config_server *server_with(const struct config *c, size_t n, const struct ip_prefix *p)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < c->server[i].addresses.count; j++) {
			const struct ip_prefix *q = &c->server[i].addresses.item[j];

			if (p->bits == q->bits && ip_equal(&p->addr, &q->addr))
				return &c->server[i];
		}
	return NULL;
}

static void check_server(const struct config *c, size_t i, struct ini_errors *errors)
{
	const struct config_server *s = &c->server[i];
	const char *where = place(c, "server", s->name);

	if (s->addresses.count == 0)
		ini_error(errors, where, 0, "[server %s] has no addresses", s->name);
	for (size_t j = 0; j < s->addresses.count; j++) {
		const struct config_server *other = server_with(c, i, &s->addresses.item[j]);
		char text[IP_TEXT_MAX];

		if (other)
			ini_error(errors, where, 0, "[server %s] has %s, which is of [server %s]", s->name,
				  ip_format(&s->addresses.item[j].addr, text), other->name);
	}
}

/* What only shows when everything is read. */
static void check_whole(const struct config *c, struct ini_errors *errors)
{
	for (size_t i = 0; i < c->server_count; i++)
		check_server(c, i, errors);
	for (size_t i = 0; i < c->tenant_count; i++) {
		const struct config_tenant *t = &c->tenant[i];

		if (t->networks.count == 0 && t->domains.count == 0)
			ini_error(errors, place(c, "tenant", t->name), 0, "[tenant %s] has neither networks nor domains", t->name);
	}
	if (c->capture.port_count == 0 && !c->capture.any_port) {
		const struct config_origin *o = find_origin(c, find_key("capture", "ports"), "capture", NULL);

		ini_error(errors, o ? o->text : "command line", 0, "no ports, and any-port is not set: nothing would be looked at");
	}
}

static void read_stream(struct config *c, FILE *in, const char *file, struct ini_errors *errors)
{
	struct reading r = { .c = c, .file = file, .errors = errors };

	ini_read(in, file, read_entry, &r, errors);
}

unsigned config_read(struct config *c, FILE *in, const char *file_name, FILE *errors)
{
	struct ini_errors e = { .out = errors };

	read_stream(c, in, file_name, &e);
	if (e.count == 0)
		check_whole(c, &e);
	return e.count;
}

/* True when the file could be opened. */
static bool read_file(struct config *c, const char *path, bool may_be_absent, struct ini_errors *errors)
{
	FILE *in = fopen(path, "re");

	if (!in) {
		if (may_be_absent && errno == ENOENT)
			return true;
		ini_error(errors, path, 0, "cannot be opened: %s", strerror(errno));
		return false;
	}
	read_stream(c, in, path, errors);
	fclose(in);
	return true;
}

/* bouncetap.conf and conf.d in the directory dir. */
static bool read_directory(struct config *c, const char *dir, struct ini_errors *errors)
{
	char *main_file = xasprintf("%s/bouncetap.conf", dir), *conf_d = xasprintf("%s/conf.d", dir);
	struct ini_files files;
	bool readable = read_file(c, main_file, true, errors);

	if (ini_files_find(conf_d, ".conf", &files)) {
		ini_error(errors, conf_d, 0, "cannot be read: %s", strerror(errno));
		readable = false;
	}
	for (size_t i = 0; i < files.count; i++)
		if (!read_file(c, files.path[i], false, errors))
			readable = false;
	ini_files_free(&files);
	free(main_file);
	free(conf_d);
	return readable;
}

int config_load(struct config *c, const char *path, FILE *errors)
{
	struct ini_errors e = { .out = errors };
	bool readable = path ? read_file(c, path, false, &e) : read_directory(c, SYSCONFDIR "/bouncetap", &e);

	if (!readable)
		return EX_NOINPUT;
	if (e.count == 0)
		check_whole(c, &e);
	return e.count ? EX_CONFIG : 0;
}

/* --- dump --- */

static void print_origin(const char *text, FILE *out)
{
	fputs("  # from ", out);
	for (; *text; text++)	/* a file name may hold line breaks */
		fputc((unsigned char)*text < ' ' ? '?' : *text, out);
	fputc('\n', out);
}

static void dump_section(const struct config *c, const char *section, const char *name, const void *instance, FILE *out)
{
	fprintf(out, name ? "[%s %s]\n" : "[%s]\n", section, name);
	for (size_t i = 0; i < KEY_COUNT; i++) {
		const struct config_key *k = &keys[i];

		if (strcmp(k->section, section) != 0)
			continue;
		const struct config_origin *o = find_origin(c, k, section, name);
		if (!o && !k->fallback)
			continue;
		fprintf(out, "%s =", k->name);
		k->type->print(k, (const char *)instance + k->offset, out);
		print_origin(o ? o->text : "default", out);
	}
	fputc('\n', out);
}

void config_dump(const struct config *c, FILE *out)
{
	for (size_t i = 0; sections[i]; i++)
		if (!has_name(sections[i]))
			dump_section(c, sections[i], NULL, c, out);
	for (size_t i = 0; i < c->server_count; i++)
		dump_section(c, "server", c->server[i].name, &c->server[i], out);
	for (size_t i = 0; i < c->tenant_count; i++)
		dump_section(c, "tenant", c->tenant[i].name, &c->tenant[i], out);
}
