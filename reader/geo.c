/* geo.c - see geo.h */
#include "reader/geo.h"

#include <dirent.h>
#include <maxminddb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/text.h"
#include "common/xmalloc.h"

/* What a database answers. */
enum kind { COUNTRIES, NETWORKS, KIND_COUNT };

static const char *const folders[] = { "/var/lib/GeoIP", "/usr/share/GeoIP" };

/* Words in the type that a database says it is: GeoLite2-City, GeoIP2-ISP, DBIP-ASN-Lite. */
static const struct { const char *word; enum kind kind; } types[] = {
	{ "ASN", NETWORKS }, { "ISP", NETWORKS }, { "City", COUNTRIES }, { "Country", COUNTRIES }, { "Enterprise", COUNTRIES },
};

struct database {
	MMDB_s file;
	bool open;
};

struct geo {
	struct database of[KIND_COUNT];
};

static int kind_of(const MMDB_s *file)
{
	const char *type = file->metadata.database_type;

	for (size_t i = 0; type && i < sizeof types / sizeof *types; i++)
		if (text_find_nocase((struct text){ type, (uint32_t)strlen(type) }, types[i].word) >= 0)
			return types[i].kind;
	return -1;
}

static void take(struct geo *g, const char *path)
{
	MMDB_s file;

	if (MMDB_open(path, MMDB_MODE_MMAP, &file) != MMDB_SUCCESS)
		return;
	int kind = kind_of(&file);
	struct database *d = kind < 0 ? NULL : &g->of[kind];

	if (!d || (d->open && d->file.metadata.build_epoch >= file.metadata.build_epoch)) {
		MMDB_close(&file);
		return;
	}
	if (d->open)
		MMDB_close(&d->file);
	d->file = file;
	d->open = true;
}

static int is_database(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 5 && strcmp(e->d_name + n - 5, ".mmdb") == 0;
}

static void take_folder(struct geo *g, const char *folder)
{
	struct dirent **list;
	int n = scandir(folder, &list, is_database, alphasort);

	for (int i = 0; i < n; i++) {
		char *path = xasprintf("%s/%s", folder, list[i]->d_name);

		take(g, path);
		free(path);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

struct geo *geo_open(const char *folder)
{
	if (folder && strcmp(folder, "none") == 0)
		return NULL;
	struct geo *g = xcalloc(1, sizeof *g);

	if (folder)
		take_folder(g, folder);
	for (size_t i = 0; !folder && i < sizeof folders / sizeof *folders; i++)
		take_folder(g, folders[i]);
	if (g->of[COUNTRIES].open || g->of[NETWORKS].open)
		return g;
	geo_close(g);
	return NULL;
}

void geo_close(struct geo *g)
{
	for (int i = 0; g && i < KIND_COUNT; i++)
		if (g->of[i].open)
			MMDB_close(&g->of[i].file);
	free(g);
}

bool geo_has_countries(const struct geo *g)
{
	return g && g->of[COUNTRIES].open;
}

bool geo_has_networks(const struct geo *g)
{
	return g && g->of[NETWORKS].open;
}

int64_t geo_built_us(const struct geo *g)
{
	int64_t oldest = 0;

	for (int i = 0; g && i < KIND_COUNT; i++) {
		int64_t built = g->of[i].open ? (int64_t)g->of[i].file.metadata.build_epoch * 1000000 : 0;

		if (built && (!oldest || built < oldest))
			oldest = built;
	}
	return oldest;
}

/* The entry for an address: false when the database has none, or is damaged. */
static bool find(const struct database *d, const struct ip_addr *a, MMDB_entry_s *out)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	int error = MMDB_SUCCESS;

	if (!d->open || !a->version || (a->version == 6 && d->file.metadata.ip_version == 4))
		return false;
	memcpy(&in.sin_addr, a->bytes, sizeof in.sin_addr);
	memcpy(&in6.sin6_addr, a->bytes, sizeof in6.sin6_addr);
	const void *address = a->version == 4 ? (const void *)&in : (const void *)&in6;
	MMDB_lookup_result_s r = MMDB_lookup_sockaddr(&d->file, address, &error);

	*out = r.entry;
	return error == MMDB_SUCCESS && r.found_entry;
}

static void copy_text(MMDB_entry_s *e, const char *const *path, char *out, size_t size)
{
	MMDB_entry_data_s v;

	if (MMDB_aget_value(e, &v, path) != MMDB_SUCCESS || !v.has_data || v.type != MMDB_DATA_TYPE_UTF8_STRING)
		return;
	size_t n = v.data_size < size ? v.data_size : size - 1;

	while (n < v.data_size && n && ((unsigned char)v.utf8_string[n] & 0xC0) == 0x80)	/* no half character */
		n--;
	memcpy(out, v.utf8_string, n);
	out[n] = 0;
}

static uint32_t number(MMDB_entry_s *e, const char *const *path)
{
	MMDB_entry_data_s v;
	bool found = MMDB_aget_value(e, &v, path) == MMDB_SUCCESS && v.has_data;

	return found && v.type == MMDB_DATA_TYPE_UINT32 ? v.uint32 : found && v.type == MMDB_DATA_TYPE_UINT16 ? v.uint16 : 0;
}

static const char *const asn[] = { "autonomous_system_number", NULL };

uint32_t geo_asn(const struct geo *g, const struct ip_addr *a)
{
	MMDB_entry_s e;

	return g && find(&g->of[NETWORKS], a, &e) ? number(&e, asn) : 0;
}

uint64_t geo_networks_hash(const struct geo *g)
{
	uint64_t h = UINT64_C(14695981039346656037);	/* FNV-1a: tells files apart, defends against nobody */

	if (!geo_has_networks(g))
		return 0;
	const MMDB_s *f = &g->of[NETWORKS].file;
	for (ssize_t i = 0; i < f->file_size; i++)
		h = (h ^ f->file_content[i]) * UINT64_C(1099511628211);
	return h;
}

bool geo_lookup(const struct geo *g, const struct ip_addr *a, struct geo_place *out)
{
	static const char *const country[] = { "country", "iso_code", NULL }, *const registered[] = { "registered_country", "iso_code", NULL };
	static const char *const owner[] = { "autonomous_system_organization", NULL };
	MMDB_entry_s e;

	*out = (struct geo_place){ .asn = 0 };
	if (!g)
		return false;
	if (find(&g->of[COUNTRIES], a, &e)) {
		copy_text(&e, country, out->country, sizeof out->country);
		if (!*out->country)
			copy_text(&e, registered, out->country, sizeof out->country);
	}
	if (find(&g->of[NETWORKS], a, &e)) {
		out->asn = number(&e, asn);
		copy_text(&e, owner, out->network, sizeof out->network);
	}
	return *out->country || out->asn;
}
