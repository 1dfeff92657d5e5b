/*
 * listfile.c - see listfile.h. The table keys[] has the plain values; [counts], [unsure] and [not] fill the matrix of kind and
 * sender, where a line for one sender goes before a line for "any".
 */
#include "analyzer/listfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/config_type.h"
#include "common/ini.h"
#include "common/xmalloc.h"

enum { WORD_MAX = 64, MESSAGE_MAX = 512 };

/* Mail that could not be returned stays in queues for five days (Postfix's and Exim's are alike), and tries to leave all the time: a week without is proof. */
#define CLEAN_DEFAULT_US (INT64_C(7) * 24 * 3600 * 1000000)
enum { COVERAGE_DEFAULT = 80 };	/* percent of the traffic to be seen before anything is called clean: what counts most hides in a fifth unseen */

static const char suffix[] = ".list";

static const char *const unknown_word[] = { "unknown", NULL }, *const none_word[] = { "none", NULL }, *const default_word[] = { "default", NULL };
static const char *const delist_words[] = { "wait", "self", "paid", "provider", NULL };	/* LIST_DELIST_* */

#define AT(field) offsetof(struct list, field)

static const struct config_key keys[] = {
	{ "list", "name", &config_type_string, AT(name), NULL, NULL },
	{ "list", "url", &config_type_string, AT(url), NULL, NULL },
	{ "list", "lookup-url", &config_type_string, AT(lookup_url), NULL, NULL },
	{ "list", "source", &config_type_string, AT(source), NULL, NULL },
	{ "list", "last-verified", &config_type_date, AT(last_verified), NULL, NULL },
	{ "list", "named-as", &config_type_domains, AT(named_as), NULL, NULL },
	{ "listing", "threshold-mails", &config_type_count, AT(threshold_mails), unknown_word, NULL },
	{ "listing", "threshold-domains", &config_type_count, AT(threshold_domains), none_word, NULL },
	{ "listing", "window", &config_type_duration, AT(window_us), NULL, NULL },
	{ "listing", "expiry", &config_type_duration, AT(expiry_us), NULL, NULL },
	{ "listing", "ipv6", &config_type_boolean, AT(ipv6), NULL, NULL },
	{ "listing", "delist", &config_type_flags, AT(delist), delist_words, NULL },
	{ "dns", "zone", &config_type_domain, AT(zone), NULL, NULL },
	{ "dns", "codes", &config_type_prefixes, AT(codes), NULL, NULL },
	{ "dns", "test-listed", &config_type_address, AT(test_listed), NULL, NULL },
	{ "dns", "test-not-listed", &config_type_address, AT(test_not_listed), NULL, NULL },
	{ "dns", "refused-codes", &config_type_prefixes, AT(refused_codes), NULL, NULL },
	{ "check", "clean", &config_type_duration, AT(clean_us), NULL, NULL },
	{ "check", "coverage", &config_type_count, AT(coverage_percent), default_word, NULL },
	{ "check", "permits", &config_type_string, AT(permits), NULL, NULL },
	{ "check", "wants", &config_type_string, AT(wants), NULL, NULL },
	{ "check", "avoid", &config_type_string, AT(avoid), NULL, NULL },
};

enum { KEY_COUNT = sizeof keys / sizeof *keys };
_Static_assert(KEY_COUNT <= 32, "struct list: given has a bit for each key");

static const char *const count_sections[] = { "not", "unsure", "counts" };	/* enum list_count */
static const char *const sections[] = { "list", "listing", "dns", "check", "counts", "unsure", "not", NULL };
static const char *const senders[] = { "null", "postmaster", "daemon", "double-bounce", "other", "any", NULL };
enum { SENDER_ANY = LIST_SENDER_COUNT };	/* all that have no line of their own */

/* --- one file --- */

enum named { NAMED_NOT, NAMED_BY_ANY, NAMED_BY_SENDER };	/* who filled a cell of the matrix */

struct reading {
	struct list *list;
	struct ini_errors *errors;
	bool empty;
	bool skip;		/* the heading was wrong: its keys would only repeat that */
	unsigned set_at[KEY_COUNT];	/* line of a key, 0: not there */
	unsigned rule_at[LIST_COUNTS + 1][LIST_SENDER_COUNT + 1];
	unsigned char named[KIND_COUNT][LIST_SENDER_COUNT];	/* enum named */
};

static void complain(struct reading *r, const struct ini_entry *e, const char *what, const char *word, const char *const *known)
{
	char hint[MESSAGE_MAX];

	ini_error(r->errors, r->list->path, e->line, "unknown %s '%s'%s", what, word, ini_hint(word, known, hint, sizeof hint));
}

static int find_word(const char *const *words, const char *word)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return -1;
}

/* -1: the section has no rules. */
static int find_count(const char *section)
{
	for (int i = LIST_NOT; i <= LIST_COUNTS; i++)
		if (strcmp(count_sections[i], section) == 0)
			return i;
	return -1;
}

/* True unless the key stands twice in the file; *at is the line of the first. */
static bool is_first(struct reading *r, const struct ini_entry *e, unsigned *at)
{
	if (*at && !e->continued) {
		ini_error(r->errors, r->list->path, e->line, "%s was set before, in line %u", e->key, *at);
		return false;
	}
	if (!*at)
		*at = e->line;
	return true;
}

static void set_cell(struct reading *r, const struct ini_entry *e, enum kind kind, int sender, enum list_count value, enum named by)
{
	unsigned char *cell = &r->list->count[kind][sender], *named = &r->named[kind][sender];

	if (*named == by && *cell != value)
		ini_error(r->errors, r->list->path, e->line, "%s with sender %s stands in [%s] too", kind_name(kind), e->key,
			  count_sections[*cell]);
	if (*named > by)
		return;
	*cell = (unsigned char)value;
	*named = (unsigned char)by;
}

/* "null = bounce autoreply" in [counts], [unsure] or [not]. */
static void read_rule(struct reading *r, const struct ini_entry *e, enum list_count value)
{
	const char *list = e->value, *words[KIND_COUNT + 1] = { NULL };
	char item[WORD_MAX];
	int sender = find_word(senders, e->key);

	if (sender < 0) {
		complain(r, e, "sender", e->key, senders);
		return;
	}
	if (!is_first(r, e, &r->rule_at[value][sender]))
		return;
	for (int k = 0; k < KIND_COUNT; k++)
		words[k] = kind_name((enum kind)k);
	while (ini_next_item(&list, item, sizeof item)) {
		enum kind kind = kind_parse(item);

		if (kind == KIND_COUNT) {
			complain(r, e, "kind", item, words);
			return;
		}
		if (sender != SENDER_ANY)
			set_cell(r, e, kind, sender, value, NAMED_BY_SENDER);
		for (int s = 0; sender == SENDER_ANY && s < LIST_SENDER_COUNT; s++)
			set_cell(r, e, kind, s, value, NAMED_BY_ANY);
	}
}

static void read_key(struct reading *r, const struct ini_entry *e)
{
	const char *known[KEY_COUNT + 1];
	char text[MESSAGE_MAX];
	struct config_message m = { text, sizeof text };
	size_t n = 0;

	for (size_t i = 0; i < KEY_COUNT; i++) {
		const struct config_key *k = &keys[i];

		if (strcmp(k->section, e->section) != 0)
			continue;
		known[n++] = k->name;
		if (strcmp(k->name, e->key) != 0)
			continue;
		if (e->continued && !k->type->is_list)
			ini_error(r->errors, r->list->path, e->line, "%s is no list: an indented line cannot go on with it", k->name);
		else if (is_first(r, e, &r->set_at[i]) && k->type->set(k, (char *)r->list + k->offset, e->value, &m))
			ini_error(r->errors, r->list->path, e->line, "%s", text);
		return;
	}
	known[n] = NULL;
	complain(r, e, "key", e->key, known);
}

static void read_entry(void *user, const struct ini_entry *e)
{
	struct reading *r = user;
	int rule = find_count(e->section);

	r->empty = false;
	if (!e->key) {
		r->skip = find_word(sections, e->section) < 0;
		if (r->skip)
			complain(r, e, "section", e->section, sections);
		return;
	}
	if (r->skip)
		return;
	if (!*e->section)
		ini_error(r->errors, r->list->path, e->line, "a key before the first [SECTION]");
	else if (rule >= 0)
		read_rule(r, e, (enum list_count)rule);
	else
		read_key(r, e);
}

static bool has_rules(const struct list *l)
{
	static const unsigned char none[sizeof l->count];

	return memcmp(l->count, none, sizeof none) != 0;
}

/* What only the whole file shows, and what follows from other values. */
static void finish(struct reading *r)
{
	struct list *l = r->list;

	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (r->set_at[i])
			l->given |= 1u << i;
		bool wanted = keys[i].offset == AT(threshold_mails) || keys[i].offset == AT(expiry_us);

		if (wanted && !r->set_at[i])
			ini_error(r->errors, l->path, 0, "[%s] %s is missing", keys[i].section, keys[i].name);
	}
	if (!has_rules(l))
		ini_error(r->errors, l->path, 0, "neither [counts] nor [unsure] names anything");
	if (l->zone && l->codes.count == 0)
		ini_error(r->errors, l->path, 0, "[dns] has a zone and no codes: no answer would mean anything");
	if (!l->name)
		l->name = xstrdup(l->id);
	if (!l->window_us)
		l->window_us = l->expiry_us;
	if (!l->clean_us)
		l->clean_us = CLEAN_DEFAULT_US;
	if (!l->coverage_percent)
		l->coverage_percent = COVERAGE_DEFAULT;
	if (l->coverage_percent > 100)
		ini_error(r->errors, l->path, 0, "[check] coverage is more than 100 percent");
}

static void list_fini(struct list *l)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		keys[i].type->clear((char *)l + keys[i].offset);
	free(l->id);
	free(l->path);
	*l = (struct list){ 0 };
}

/* "DIR/backscatterer.list" -> "backscatterer" */
static char *id_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	return xstrndup(name, strlen(name) - (sizeof suffix - 1));
}

static bool id_is_good(const char *id)
{
	return id[strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

/* False when the file says nothing or has an error; *l is free then. */
static bool read_list(const char *path, struct list *l, struct ini_errors *errors)
{
	struct reading r = { .list = l, .errors = errors, .empty = true };
	unsigned before = errors->count;

	*l = (struct list){ .id = id_of(path), .path = xstrdup(path) };
	FILE *in = fopen(path, "re");
	if (!in) {
		ini_error(errors, path, 0, "cannot be opened: %s", strerror(errno));
	} else {
		ini_read(in, path, read_entry, &r, errors);
		fclose(in);
	}
	if (!id_is_good(l->id))
		ini_error(errors, path, 0, "the name of a list has only lower-case letters, digits and '-'");
	if (!r.empty && errors->count == before)
		finish(&r);
	if (!r.empty && errors->count == before)
		return true;
	list_fini(l);
	return false;
}

/* --- all files --- */

static void take_out(struct lists *lists, const char *id)
{
	for (size_t i = 0; i < lists->count; i++)
		if (strcmp(lists->item[i].id, id) == 0) {
			list_fini(&lists->item[i]);
			lists->count--;
			memmove(&lists->item[i], &lists->item[i + 1], (lists->count - i) * sizeof *lists->item);
			return;
		}
}

static void load_file(struct lists *lists, const char *path, struct ini_errors *errors)
{
	struct list l;
	char *id = id_of(path);

	take_out(lists, id);
	free(id);
	if (!read_list(path, &l, errors))
		return;
	lists->item = xreallocarray(lists->item, lists->count + 1, sizeof *lists->item);
	lists->item[lists->count++] = l;
}

static int compare_ids(const void *a, const void *b)
{
	const struct list *x = a, *y = b;

	return strcmp(x->id, y->id);
}

int lists_load(const char *const *dirs, size_t n, struct lists *out, FILE *errors)
{
	struct ini_errors e = { .out = errors };

	*out = (struct lists){ 0 };
	for (size_t i = 0; i < n; i++) {
		struct ini_files files;

		if (ini_files_find(dirs[i], suffix, &files))
			ini_error(&e, dirs[i], 0, "cannot be read: %s", strerror(errno));
		for (size_t j = 0; j < files.count; j++)
			load_file(out, files.path[j], &e);
		ini_files_free(&files);
	}
	if (out->count)
		qsort(out->item, out->count, sizeof *out->item, compare_ids);
	return e.count ? EX_CONFIG : 0;
}

void lists_fini(struct lists *l)
{
	for (size_t i = 0; i < l->count; i++)
		list_fini(&l->item[i]);
	free(l->item);
	*l = (struct lists){ 0 };
}

const struct list *lists_find(const struct lists *l, const char *id)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->item[i].id, id) == 0)
			return &l->item[i];
	return NULL;
}

enum list_sender list_sender_parse(const char *word)
{
	int i = find_word(senders, word);

	return i >= 0 && i < LIST_SENDER_COUNT ? (enum list_sender)i : LIST_SENDER_OTHER;
}

enum list_count list_counts(const struct list *l, enum kind kind, enum list_sender sender)
{
	return (enum list_count)l->count[kind][sender];
}

/* --- writing --- */

static void write_rules(const struct list *l, enum list_count value, FILE *out)
{
	fprintf(out, "[%s]\n", count_sections[value]);
	for (int s = 0; s < LIST_SENDER_COUNT; s++) {
		fprintf(out, "%s =", senders[s]);
		for (int k = 0; k < KIND_COUNT; k++)
			if (l->count[k][s] == value)
				fprintf(out, " %s", kind_name((enum kind)k));
		fputc('\n', out);
	}
}

void list_write(const struct list *l, FILE *out)
{
	const char *section = "";

	for (size_t i = 0; i < KEY_COUNT; i++) {
		const struct config_key *k = &keys[i];

		if (!(l->given >> i & 1))
			continue;
		if (strcmp(section, k->section) != 0)
			fprintf(out, "[%s]\n", k->section);
		section = k->section;
		fprintf(out, "%s =", k->name);
		k->type->print(k, (const char *)l + k->offset, out);
		fputc('\n', out);
	}
	write_rules(l, LIST_COUNTS, out);
	write_rules(l, LIST_UNSURE, out);
}
