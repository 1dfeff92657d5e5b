/*
 * config.h - bouncetap.conf and conf.d/: INI (ini.h), one table of keys.
 *
 * bouncetapd uses only [capture] [store] [privacy]; the rest is the analyzer's. Every value remembers where it came from
 * (default, FILE:LINE, command line). An unknown section or key is an error that offers the nearest one.
 */
#ifndef COMMON_CONFIG_H
#define COMMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/ip.h"

enum config_privacy { PRIVACY_FULL, PRIVACY_HASH, PRIVACY_DOMAIN };
enum config_subject { SUBJECT_MARKED, SUBJECT_ALL, SUBJECT_NONE };

#define CONFIG_WORKERS_MAX 64	/* one reader keeps fewer busy */

struct config_strings {
	char **item;
	size_t count;
};

struct config_prefixes {
	struct ip_prefix *item;
	size_t count;
};

struct config_tunnels {
	bool any;		/* "all"; else those between these networks, and "none" if there are none */
	struct config_prefixes networks;
};

struct config_server {		/* [server NAME] */
	char *name;
	struct config_prefixes addresses;	/* addresses = ... */
	struct ip_addr public_address;		/* public = */
	char *role;				/* mx, smarthost, backend, list; NULL */
	char *owner;				/* NULL: not told */
};

struct config_tenant {		/* [tenant NAME] */
	char *name;
	struct config_prefixes networks;
	struct config_strings domains;
};

struct config {
	struct {
		struct config_prefixes networks, upstreams, smarthosts, next_hops, trusted_senders;
		struct config_strings domains;	/* lower case, without trailing dot, ".example.net" for subdomains; tenants' too */
	} own;
	struct config_server *server;
	size_t server_count;
	struct config_tenant *tenant;
	size_t tenant_count;
	struct config_capture {
		char *sensor;		/* "local" */
		bool any_port;		/* SMTP is looked for on all ports */
		bool key_vlan;		/* VLAN tags belong to the flow key */
		struct config_tunnels tunnels;	/* which are looked into */
		unsigned short ports[32];	/* 25, 465, 587, 2525, 24 */
		size_t port_count;
		size_t memory_bytes;	/* 512M */
		unsigned workers;	/* 1 */
		struct config_strings interfaces;
		bool promiscuous;	/* yes */
		size_t ring_bytes;	/* 64M, of each interface */
		size_t snaplen;		/* 262144 */
		char *filter;		/* pcap-filter(7) words instead of our own; NULL: none */
	} capture;
	struct {
		char *dir;		/* /var/lib/bouncetap */
		int64_t keep_us;	/* 90d: mail */
		int64_t keep_evidence_us, keep_counters_us;	/* 400d: findings and what they name, capture counters */
		size_t keep_free_bytes;	/* 1G: with less free disk, older mail goes earlier */
	} store;
	struct {
		char *geoip;		/* folder of databases of countries and networks, "none"; NULL: where geoipupdate puts them */
	} report;
	struct {
		enum config_privacy addresses;
		enum config_subject subject;
	} privacy;
	struct config_origin *origin;	/* of each value that was set; private to config.c */
	size_t origin_count;
};

/* Defaults. */
struct config *config_new(void);
void config_free(struct config *c);

/*
 * One value: what a line "key = text" in [section] does; name is the NAME of [server NAME] and [tenant NAME], else NULL; origin is
 * "FILE:LINE" or "command line". On error -1 and a message without place in error[].
 * Lists are separated by blanks, commas or line breaks. A list set again from the same file (or command line) grows, from another
 * one it is replaced.
 */
int config_set(struct config *c, const char *section, const char *name, const char *key, const char *text,
	       const char *origin, char *error, size_t error_size);

/*
 * path == NULL: SYSCONFDIR/bouncetap/bouncetap.conf and conf.d beside it, both may be absent. A given path must exist, and conf.d
 * is not read then. All errors of all files are written to errors ("FILE:LINE: message"), at most 50. 0, or EX_CONFIG / EX_NOINPUT.
 */
int config_load(struct config *c, const char *path, FILE *errors);

/* One stream as one file; the fuzz target calls this. Answers the number of errors. */
unsigned config_read(struct config *c, FILE *in, const char *file_name, FILE *errors);

/* Every effective value in configuration syntax with "# from ORIGIN" behind it; reads back to the same values. */
void config_dump(const struct config *c, FILE *out);

#endif
