/*
 * check.h - what "bouncetap check" gathers and prints: for each address and list the answer of selfcheck.h and what it follows from.
 *
 *	check_evidence.c	what was seen: the store
 *	check_dns.c		what DNS says: lists, names of the host, records of own domains
 *	check_probe.c		what a dialogue with the server says, where that was asked for
 *	selfcheck.c		the answers
 *	check_print.c, check_json.c	as text, as JSON
 *
 * Texts from the wire and from DNS are as they came: whoever prints them escapes them.
 */
#ifndef ANALYZER_CHECK_H
#define ANALYZER_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sqlite3.h>

#include "analyzer/dnsbl.h"
#include "analyzer/listfile.h"
#include "analyzer/probe.h"
#include "analyzer/selfcheck.h"
#include "common/config.h"

enum {
	CHECK_NAMES_MAX = 8,		/* names of a host, servers behind an address */
	CHECK_CAUSES_MAX = 12,		/* kinds of mail and causes; the latest */
	CHECK_DOMAINS_MAX = 20		/* own domains whose records are asked for */
};

enum check_cause_state { CHECK_CAUSE_OPEN, CHECK_CAUSE_CLOSED, CHECK_CAUSE_QUIET, CHECK_CAUSE_DOUBT };

/* One way in which mail of an address leaves: a kind and why it could not be delivered. */
struct check_cause {
	char *kind, *cause_class;	/* cause_class NULL: not told */
	unsigned mails, attempts;	/* that count for any list, or are in doubt */
	unsigned counted;		/* of the mails, those not in doubt */
	char *software, *originator;	/* of the server where the latest of them is to be mended, and its name; NULL: not known */
	const char *where;		/* as in reader/advice.h */
	int64_t first_us, last_us;
	unsigned refused_since;		/* recipients that it refused in the dialogue since (in the last week, at most 1000), as unknown */
	enum check_cause_state state;
};

/* A defect seen beside the findings: verdicts.hygiene. */
struct check_defect {
	char *what;
	unsigned cases, of;
	int64_t last_us;
};

struct check_list {
	const struct list *list;
	struct selfcheck_input in;
	struct selfcheck_result result;
	char *raw;			/* the answer as it came; NULL: not asked */
	char *reason;			/* the list's own text; NULL: none */
	char *why;			/* in.listing_why of an answer that was kept; NULL: it is a literal */
	int64_t asked_us;		/* wall clock; earlier than this run: kept from then */
};

struct check_host_name {
	char *name;
	bool is_ptr, is_ehlo;		/* where it comes from */
	enum dns_status status;		/* of its addresses */
	bool leads_back;		/* one of them is the address that is checked */
};

struct check_address {
	struct ip_addr ip;
	char text[IP_TEXT_MAX];
	char *server[CHECK_NAMES_MAX];	/* names of the servers behind it */
	unsigned server_count;
	struct check_list *list;	/* as in lists.d */
	unsigned worst;			/* the list that the answer is for; list_count: none covers the address */
	int badness;			/* of that answer, to sort by */
	struct check_cause cause[CHECK_CAUSES_MAX];
	unsigned cause_count;
	struct check_defect defect[CHECK_CAUSES_MAX];
	unsigned defect_count;
	unsigned retrying;		/* mails with more than one attempt, the last of them within a day */
	int64_t retry_us;		/* the last such attempt */
	enum dns_status ptr_status;
	struct check_host_name name[CHECK_NAMES_MAX];
	unsigned name_count;
	struct probe *probe;		/* NULL: none was asked for */
	const char *no_probe;		/* why there was none although it was asked for; NULL */
	int starttls;			/* offered by it in the last session seen: 1, 0; -1: none seen */
};

/* Whether a list can be believed: its test entries. */
struct check_proof {
	bool asked;
	char *test_listed, *test_not_listed, *random;	/* answers as they came; NULL: the list has no such entry */
	bool holds;
	const char *why;
};

enum check_record { CHECK_RECORD_UNKNOWN, CHECK_RECORD_MISSING, CHECK_RECORD_PRESENT, CHECK_RECORD_TWICE };

struct check_domain {
	char *name;
	enum check_record spf, dmarc;
	char *spf_text, *dmarc_text;	/* NULL unless present */
};

struct check {
	const struct config *config;
	const struct lists *lists;
	sqlite3 *db;
	unsigned present;		/* files of the store, as db_open_read says */
	int64_t wall_us;		/* the clock, when DNS is asked */
	int64_t now_us, impact_us, fixed_us;
	bool impact_in_summer;		/* the list may mean an hour earlier */
	struct check_address *address;
	unsigned address_count;
	struct check_proof *proof;	/* as in lists.d, [0] for IPv4 then [1] for IPv6 */
	struct check_domain domain[CHECK_DOMAINS_MAX];
	unsigned domain_count;
	bool probe;			/* --probe */
	char *resolvers;		/* addresses, separated by blanks */
	const char *public_resolver;	/* whose; NULL: none known */
	bool rewrites;			/* NXDOMAIN does not come through */
	unsigned queries, answers, absent;	/* sent; that gave a record; that gave NXDOMAIN. Not a single record: the resolver may know nothing */
	int64_t dns_took_us;
};

/* check_evidence.c: servers, findings, coverage, causes of an address; fills list[].in but for what DNS says. */
void check_read_evidence(struct check *c, struct check_address *a);
/* Public addresses of all own servers seen or configured, each once, in order. */
void check_add_all(struct check *c);
struct check_address *check_add(struct check *c, const struct ip_addr *ip);

/*
 * check_dns.c: asks what can be asked in time. store: its notes.db keeps answers of lists for 15 minutes.
 * 0, or -1 and a message about the resolver.
 */
int check_ask(struct check *c, const char *store, const char *resolver, char *error, unsigned error_size);

/* notes.db of the store, with its store_id, for answers and probes; NULL where the store may only be read. */
sqlite3 *check_open_notes(const struct check *c, const char *store);

/*
 * check_probe.c: probes the servers behind the addresses, each at most once in 15 minutes, PROBE_SECONDS in all. 0, or -1 with a message where an address is not
 * ours, no own domain is configured, or notes.db cannot keep the tokens.
 */
enum { PROBE_SECONDS = 5 };
int check_probe(struct check *c, const char *store, char *error, unsigned error_size);

void check_print(const struct check *c, FILE *out);
void check_print_json(const struct check *c, FILE *out);
/* One line with performance data, as monitoring plugins print. Answers 0 READY, 1 WAIT, 2 NOT READY, 3 UNKNOWN: that of the worst address. */
int check_print_plugin(const struct check *c, FILE *out);

void check_fini(struct check *c);

#endif
