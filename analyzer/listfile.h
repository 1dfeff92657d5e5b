/*
 * listfile.h - the files of lists.d, one per blocklist: what it counts, when it lists, how one gets off, how it is asked in DNS.
 *
 * The file name without ".list" is the list's id (backscatterer.list: "backscatterer"). bouncetap.conf(5) describes the format.
 * This is only the reader; what follows from a list for a server is policy.h's.
 */
#ifndef ANALYZER_LISTFILE_H
#define ANALYZER_LISTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/kind.h"
#include "common/config.h"

enum list_count { LIST_NOT, LIST_UNSURE, LIST_COUNTS };

/* What the envelope sender of a mail is, as far as lists care. */
enum list_sender {
	LIST_SENDER_NULL,
	LIST_SENDER_POSTMASTER,
	LIST_SENDER_DAEMON,		/* mailer-daemon@ */
	LIST_SENDER_DOUBLE_BOUNCE,	/* Postfix's probes */
	LIST_SENDER_OTHER,
	LIST_SENDER_COUNT
};

/* Ways off a list: bits of delist. */
enum { LIST_DELIST_WAIT = 1, LIST_DELIST_SELF = 2, LIST_DELIST_PAID = 4, LIST_DELIST_PROVIDER = 8 };

struct list {
	char *id, *path;
	char *name;			/* for people; the id when the file gives none */
	char *url;			/* operator's page; NULL, as the next three */
	char *lookup_url;		/* page about one address, "{ip}" stands for it */
	char *source;			/* where the facts of the file come from */
	char *last_verified;		/* YYYY-MM-DD */
	struct config_strings named_as;	/* a refusal that names one of these domains, or a name below it, means this list */
	unsigned char count[KIND_COUNT][LIST_SENDER_COUNT];	/* enum list_count; ask list_counts */
	unsigned threshold_mails;	/* mails within the window that list an address; 0: the operator does not tell */
	unsigned threshold_domains;	/* distinct recipient domains that are needed besides; 0: none */
	int64_t window_us;		/* how far back mails count */
	int64_t expiry_us;		/* from the last mail to the end of the listing */
	bool ipv6;			/* false: lists no IPv6 address */
	unsigned delist;
	char *zone;			/* NULL: cannot be asked in DNS */
	struct config_prefixes codes;	/* answers that mean "listed"; any other answer proves nothing */
	struct config_prefixes refused_codes;	/* answers that mean "this resolver gets none", beside 127.255.255.0/24 */
	struct ip_addr test_listed, test_not_listed;	/* entries that must and must not be there; version 0: none known */
	int64_t clean_us;		/* "bouncetap check": how long nothing may have left before it says READY */
	unsigned coverage_percent;	/* and how much of that time must have been seen */
	char *permits, *wants, *avoid;	/* for people, a sentence or two each: what READY permits, what the operator wants, and what not; NULL: not told */
	uint32_t given;			/* keys that the file has; private to listfile.c */
};

struct lists {
	struct list *item;		/* in byte order of ids */
	size_t count;
};

/*
 * Reads *.list of the directories in order; a file replaces the one of the same name in an earlier directory, an empty one takes that
 * list out. Directories that do not exist have no files. Errors ("FILE:LINE: message") go to errors, and the file of an error is
 * left out. 0, or EX_CONFIG when there was any error. Free with lists_fini in both cases.
 */
int lists_load(const char *const *dirs, size_t n, struct lists *out, FILE *errors);
void lists_fini(struct lists *l);

/* NULL when there is none. */
const struct list *lists_find(const struct lists *l, const char *id);

/* "null", "postmaster", ... as verdicts.finding has them; LIST_SENDER_OTHER for any other word. */
enum list_sender list_sender_parse(const char *word);

/* Whether one mail of this kind and sender counts towards a listing. */
enum list_count list_counts(const struct list *l, enum kind kind, enum list_sender sender);

/* The list in its file's format without comments, the same bytes for equal lists: what the inputs of a run are hashed from. */
void list_write(const struct list *l, FILE *out);

#endif
