/* Unit tests of reader/geo.c, on databases that tests/geo-database writes (run from the root of the tree). */
#include "reader/geo.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static int make_databases(void **state)
{
	char *dir = xstrdup("/tmp/geo-XXXXXX");
	char *command = xasprintf("tests/geo-database %s", mkdtemp(dir));
	int rc = system(command);

	free(command);
	*state = dir;
	return rc;
}

static int remove_databases(void **state)
{
	char *dir = *state, *command = xasprintf("rm -r %s", dir);
	int rc = system(command);

	free(command);
	free(dir);
	return rc;
}

static struct geo_place look(const struct geo *g, const char *address)
{
	struct geo_place p;
	struct ip_addr a;

	assert_int_equal(ip_parse(address, strlen(address), &a), 0);
	geo_lookup(g, &a, &p);
	return p;
}

static void addresses_have_countries_and_networks(void **state)
{
	struct geo *g = geo_open(*state);

	assert_non_null(g);
	assert_true(geo_has_countries(g) && geo_has_networks(g));
	struct geo_place p = look(g, "198.51.100.25");
	assert_string_equal(p.country, "DE");
	assert_int_equal(p.asn, 64500);
	assert_string_equal(p.network, "Bystander Networks");
	p = look(g, "2001:db8::25");
	assert_string_equal(p.country, "SE");
	assert_int_equal(p.asn, 4200000000);
	assert_string_equal(p.network, "");
	geo_close(g);
}

static void networks_are_told_alone_and_apart_from_others(void **state)
{
	struct geo *g = geo_open(*state);
	struct ip_addr a;

	assert_int_equal(ip_parse("198.51.100.25", 13, &a), 0);
	assert_int_equal(geo_asn(g, &a), 64500);
	assert_int_equal(ip_parse("192.0.2.25", 10, &a), 0);
	assert_int_equal(geo_asn(g, &a), 0);
	assert_int_equal(geo_asn(NULL, &a), 0);
	assert_true(geo_networks_hash(g) != 0);
	assert_true(geo_networks_hash(NULL) == 0);
	uint64_t before = geo_networks_hash(g);
	geo_close(g);
	char *command = xasprintf("mkdir %s/new && cp %s/GeoLite2-ASN.mmdb %s/new/ && printf x >>%s/new/GeoLite2-ASN.mmdb", (char *)*state, (char *)*state,
				  (char *)*state, (char *)*state), *folder = xasprintf("%s/new", (char *)*state);
	assert_int_equal(system(command), 0);
	g = geo_open(folder);
	assert_true(geo_networks_hash(g) != before);
	geo_close(g);
	free(command);
	free(folder);
	assert_null(geo_open("none"));
}

static void what_no_database_knows_is_empty(void **state)
{
	struct geo *g = geo_open(*state);
	struct geo_place p = look(g, "192.0.2.1");

	assert_true(!*p.country && !p.asn && !*p.network);
	p = look(g, "203.0.113.9");		/* only where it is registered */
	assert_string_equal(p.country, "US");
	assert_int_equal(p.asn, 0);
	p = look(NULL, "198.51.100.25");
	assert_true(!*p.country && !p.asn);
	struct ip_addr none = { 0 };
	assert_false(geo_lookup(g, &none, &p));
	geo_close(g);
}

static void long_names_are_cut(void **state)
{
	struct geo *g = geo_open(*state);
	struct geo_place p = look(g, "198.18.10.7");

	assert_int_equal(strlen(p.network), GEO_NETWORK_BYTES - 1);
	geo_close(g);
}

static void the_age_is_known(void **state)
{
	struct geo *g = geo_open(*state);

	assert_true(geo_built_us(g) > INT64_C(1500000000000000));
	geo_close(g);
	assert_int_equal(geo_built_us(NULL), 0);
}

static void a_folder_without_databases_is_none(void **state)
{
	char *damaged = xasprintf("%s/none/GeoLite2-City.mmdb", (char *)*state), *folder = xasprintf("%s/none", (char *)*state);
	char *command = xasprintf("mkdir %s && echo nonsense > %s", folder, damaged);

	assert_null(geo_open("/nonexistent"));
	assert_int_equal(system(command), 0);
	assert_null(geo_open(folder));
	free(command);
	free(damaged);
	free(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_have_countries_and_networks),
		cmocka_unit_test(networks_are_told_alone_and_apart_from_others),
		cmocka_unit_test(what_no_database_knows_is_empty),
		cmocka_unit_test(long_names_are_cut),
		cmocka_unit_test(the_age_is_known),
		cmocka_unit_test(a_folder_without_databases_is_none),
	};

	return cmocka_run_group_tests_name("geo", tests, make_databases, remove_databases);
}
