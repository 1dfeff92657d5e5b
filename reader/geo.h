/*
 * geo.h - country and network (autonomous system) of an address, from the databases that geoipupdate keeps. The only file with libmaxminddb.
 *
 * A lookup is a pure function of the files that were opened: reports and views do it when they read, nothing of it is stored; the analyzer
 * does it when it judges, and counts the database of networks among its inputs. Without a database there is no answer, and no column. Addresses of the MaxMind DB format: https://maxmind.github.io/MaxMind-DB/
 */
#ifndef READER_GEO_H
#define READER_GEO_H

#include <stdbool.h>
#include <stdint.h>

#include "common/ip.h"

#define GEO_NETWORK_BYTES 64	/* of a network's name that are kept */

struct geo_place {
	char country[3];	/* ISO 3166-1, "" : not told */
	uint32_t asn;		/* 0: not told */
	char network[GEO_NETWORK_BYTES];	/* who runs the autonomous system, "" : not told */
};

struct geo;

/*
 * Opens what it finds: in the folder, or, NULL, in those of geoipupdate (/var/lib/GeoIP, /usr/share/GeoIP). One database of countries (City and
 * Country) and one of networks (ASN and ISP), the newest of several. NULL when there is none, or the folder is "none". Free with geo_close.
 */
struct geo *geo_open(const char *folder);
void geo_close(struct geo *g);

/* False when no database knows the address; out is then empty. g may be NULL. */
bool geo_lookup(const struct geo *g, const struct ip_addr *a, struct geo_place *out);

/* The autonomous system alone; 0: not told. g may be NULL. */
uint32_t geo_asn(const struct geo *g, const struct ip_addr *a);
/* Tells databases of networks apart; 0 without one. */
uint64_t geo_networks_hash(const struct geo *g);

/* When the older of the databases was made; 0 without one. What is older than some months is wrong about many networks. */
int64_t geo_built_us(const struct geo *g);
bool geo_has_countries(const struct geo *g);
bool geo_has_networks(const struct geo *g);

#endif
