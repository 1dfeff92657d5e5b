/*
 * config_type.h - what types of values the configuration and the files of lists.d have: how each is read, printed and cleared.
 * The tables keys[] of config.c and listfile.c say which key is of which type.
 */
#ifndef COMMON_CONFIG_TYPE_H
#define COMMON_CONFIG_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Where an error message goes. */
struct config_message {
	char *text;
	size_t size;
};

struct config_key {
	const char *section, *name;
	const struct config_type *type;
	size_t offset;			/* of the field in its struct */
	const char *const *words;	/* of the types word, role, count and flags; ends with NULL */
	const char *fallback;		/* the default, as text */
};

struct config_type {
	/* Lists: appends. On error -1 and a message. */
	int (*set)(const struct config_key *k, void *field, const char *text, struct config_message *m);
	/* A blank and the value, with lists before each item. */
	void (*print)(const struct config_key *k, const void *field, FILE *out);
	/* Frees what is to be freed; lists are empty then. */
	void (*clear)(void *field);
	bool is_list;
};

extern const struct config_type config_type_prefixes;	/* struct config_prefixes */
extern const struct config_type config_type_tunnels;	/* struct config_tunnels */
extern const struct config_type config_type_domains;		/* struct config_strings */
extern const struct config_type config_type_interfaces;	/* struct config_strings, no name twice */
extern const struct config_type config_type_domain;	/* char * */
extern const struct config_type config_type_address;		/* struct ip_addr */
extern const struct config_type config_type_string;		/* char * */
extern const struct config_type config_type_sensor;		/* char *, a name for events */
extern const struct config_type config_type_role;		/* char *, one of the words */
extern const struct config_type config_type_word;		/* an enum that counts the words */
extern const struct config_type config_type_boolean;		/* bool */
extern const struct config_type config_type_ports;		/* ports and port_count of struct config_capture */
extern const struct config_type config_type_size;		/* size_t, bytes */
extern const struct config_type config_type_workers;	/* unsigned, 1 to CONFIG_WORKERS_MAX */
extern const struct config_type config_type_duration;	/* int64_t, microseconds */
extern const struct config_type config_type_count;	/* unsigned; the only word of the key stands for 0 */
extern const struct config_type config_type_date;	/* char *, YYYY-MM-DD */
extern const struct config_type config_type_flags;	/* unsigned; bit n is word n of the key */

/* Writes the message; answers -1. */
int config_fail(struct config_message *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* False for text that a dump could not print so that it reads back: control characters, what would be a comment, blanks at the ends. */
bool config_is_plain(const char *s);

#endif
