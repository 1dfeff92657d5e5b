/*
 * ini.c - see ini.h. The only file that knows libinih.
 *
 * libinih 55 tells its handler no line numbers, says nothing of headings without keys, cuts lines at 200 bytes, and keeps
 * its complaints to itself. So it is fed by our own line reader: comments go, a heading is followed by a line "=" (which
 * reaches the handler as an empty key), and what belongs to a line above (the rest of a long line, an indented line) goes
 * out as a continuation line " |text"; the bar keeps text that begins with ';', '#' or '[' from being understood.
 */
#include "common/ini.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "common/buf.h"
#include "common/xmalloc.h"

enum { HINT_WORD_MAX = 48 };	/* longer words get no hint; our own are shorter */

enum handed { HANDED_NOTHING, HANDED_HEADING, HANDED_MARK, HANDED_KEY, HANDED_CONTINUATION, HANDED_REST };

struct reader {
	FILE *in;
	const char *file;
	struct ini_errors *errors;
	void (*handle)(void *user, const struct ini_entry *entry);
	void *user;

	char *line;		/* the line of the file, from getline */
	size_t line_size;
	unsigned number;
	char *rest;		/* what libinih has not yet got of a long line */
	enum handed handed;	/* what libinih got last */
	bool taken;		/* its handler was called for this line of the file */
	bool continued;		/* this line goes on with the one above */
	bool open;		/* there is a key above that an indented line can go on with */
	bool skip;		/* the heading was bad: nothing to be read until the next one */
	struct buf section, key, value;
};

void ini_error(struct ini_errors *e, const char *file, unsigned line, const char *format, ...)
{
	va_list ap;

	if (++e->count > INI_ERRORS_MAX)
		return;
	if (line)
		fprintf(e->out, "%s:%u: ", file, line);
	else
		fprintf(e->out, "%s: ", file);
	va_start(ap, format);
	vfprintf(e->out, format, ap);
	va_end(ap);
	fputc('\n', e->out);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

static void cut_blanks(char *s)
{
	size_t n = strlen(s);

	while (n && is_blank(s[n - 1]))
		n--;
	s[n] = '\0';
}

static void cut_comment(char *s)
{
	for (size_t i = 0; s[i]; i++)
		if ((s[i] == '#' || s[i] == ';') && (i == 0 || is_blank(s[i - 1]))) {
			s[i] = '\0';
			return;
		}
}

static void set_string(struct buf *b, const char *s)
{
	buf_clear(b);
	buf_add_str(b, s);
}

/* The line of the file is complete: give it to our caller, or complain that libinih could make nothing of it. */
static void finish_line(struct reader *r)
{
	if (r->handed == HANDED_NOTHING)
		return;
	r->handed = HANDED_NOTHING;
	if (!r->taken) {
		r->open = false;
		ini_error(r->errors, r->file, r->number, "expected KEY = VALUE or [SECTION]");
		return;
	}
	bool heading = r->key.len == 0;
	struct ini_entry entry = {
		.section = buf_cstr(&r->section),
		.key = heading ? NULL : buf_cstr(&r->key),
		.value = heading ? NULL : buf_cstr(&r->value),
		.continued = r->continued,
		.line = r->number,
	};
	r->handle(r->user, &entry);
}

/* The next line of the file that says something, without comment and blanks at its end; NULL at the end of the file. */
static char *next_line(struct reader *r)
{
	ssize_t n;

	while ((n = getline(&r->line, &r->line_size, r->in)) >= 0) {
		char *s = r->line;

		r->number++;
		if (strlen(s) != (size_t)n) {
			ini_error(r->errors, r->file, r->number, "the line holds a NUL byte");
			continue;
		}
		if (r->number == 1 && strncmp(s, "\xEF\xBB\xBF", 3) == 0)
			s += 3;
		cut_comment(s);
		cut_blanks(s);
		if (*s)
			return s;
	}
	return NULL;
}

/* An indented line goes on with the key above, unless it is a key itself: no list has '=' behind the first word. */
static bool is_continuation(const struct reader *r, const char *s)
{
	if (!r->open || !is_blank(*s))
		return false;
	s += strspn(s, " \t");
	s += strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
	s += strspn(s, " \t");
	return *s != '=';
}

static bool heading_is_good(struct reader *r, const char *s)
{
	const char *end = strchr(s, ']');

	if (!end || end[1])
		ini_error(r->errors, r->file, r->number, "a heading is [SECTION] or [SECTION NAME], and nothing behind it");
	else if (end - s - 1 > INI_SECTION_MAX)
		ini_error(r->errors, r->file, r->number, "a heading has at most %d bytes between its brackets", INI_SECTION_MAX);
	else
		return true;
	return false;
}

/* Copies what fits of r->rest behind the given prefix. A blank at the cut would be lost, so the cut moves in front of it. */
static char *hand(struct reader *r, char *out, size_t size, const char *prefix)
{
	size_t used = strlen(prefix), room = size - used - 1, n = strlen(r->rest);

	if (n > room) {
		n = room;
		while (n > 1 && is_blank(r->rest[n - 1]))
			n--;
	}
	memcpy(out, prefix, used);
	memcpy(out + used, r->rest, n);
	out[used + n] = '\0';
	r->rest += n;
	return out;
}

static char *hand_line(struct reader *r, char *s, char *out, size_t size)
{
	char *word = s + strspn(s, " \t\r\v\f");
	bool continued = *word != '[' && is_continuation(r, s);

	r->rest = word;
	r->continued = continued;
	r->taken = false;
	if (*word == '[') {
		r->open = false;
		r->handed = HANDED_HEADING;
		return hand(r, out, size, "");
	}
	r->handed = continued ? HANDED_CONTINUATION : HANDED_KEY;
	return hand(r, out, size, continued ? " |" : "");
}

/* An ini_reader: like fgets. */
static char *read_line(char *out, int size, void *stream)
{
	struct reader *r = stream;
	char *s;

	if (r->handed == HANDED_HEADING) {
		r->handed = HANDED_MARK;
		return strcpy(out, "=");
	}
	if (*r->rest && r->taken) {
		r->handed = HANDED_REST;
		return hand(r, out, (size_t)size, " |");
	}
	finish_line(r);
	while ((s = next_line(r))) {
		const char *word = s + strspn(s, " \t\r\v\f");

		if (*word == '[')
			r->skip = !heading_is_good(r, word);
		if (!r->skip)
			return hand_line(r, s, out, (size_t)size);
	}
	return NULL;
}

/* An ini_handler. */
static int take(void *user, const char *section, const char *name, const char *value)
{
	struct reader *r = user;

	if (r->handed == HANDED_REST) {
		buf_add_str(&r->value, value + 1);
		return 1;
	}
	if (r->handed == HANDED_KEY && !*name)
		return 1;	/* "= value": not taken, so finish_line complains */
	r->taken = true;
	if (r->handed == HANDED_CONTINUATION) {
		set_string(&r->value, value + 1);
		return 1;
	}
	r->open = r->handed == HANDED_KEY;
	set_string(&r->section, section);
	set_string(&r->key, name);
	set_string(&r->value, value);
	return 1;
}

void ini_read(FILE *in, const char *file, void (*handle)(void *user, const struct ini_entry *entry), void *user,
	      struct ini_errors *errors)
{
	char nothing[] = "";
	struct reader r = { .in = in, .file = file, .errors = errors, .handle = handle, .user = user, .rest = nothing };

	ini_parse_stream(read_line, &r, take, &r);
	if (ferror(in))
		ini_error(errors, file, 0, "cannot be read: %s", strerror(errno));
	free(r.line);
	buf_fini(&r.section);
	buf_fini(&r.key);
	buf_fini(&r.value);
}

bool ini_next_item(const char **list, char *item, size_t size)
{
	static const char separators[] = " \t\r\n\v\f,";
	const char *s = *list + strspn(*list, separators);
	size_t n = strcspn(s, separators);

	*list = s + n;
	if (n == 0)
		return false;
	if (n >= size)
		n = size - 1;
	memcpy(item, s, n);
	item[n] = '\0';
	return true;
}

/* Levenshtein's distance without regard to case; a is shorter than HINT_WORD_MAX. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[HINT_WORD_MAX + 1];
	size_t n = strlen(a);

	for (size_t i = 0; i <= n; i++)
		row[i] = (unsigned)i;
	for (unsigned j = 1; *b; b++, j++) {
		unsigned diagonal = row[0];

		row[0] = j;
		for (size_t i = 1; i <= n; i++) {
			bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)*b);
			unsigned best = diagonal + !same;

			diagonal = row[i];
			if (row[i] + 1 < best)
				best = row[i] + 1;
			if (row[i - 1] + 1 < best)
				best = row[i - 1] + 1;
			row[i] = best;
		}
	}
	return row[n];
}

const char *ini_hint(const char *word, const char *const *known, char *out, size_t size)
{
	const char *nearest = NULL;
	unsigned least = 1 + (unsigned)strlen(word) / 3;	/* a third of it mistyped is still a slip */

	for (size_t i = 0; known[i] && strlen(word) < HINT_WORD_MAX; i++) {
		unsigned d = distance(word, known[i]);

		if (d < least || (d == least && !nearest)) {
			least = d;
			nearest = known[i];
		}
	}
	if (nearest) {
		snprintf(out, size, "; did you mean '%s'?", nearest);
		return out;
	}
	int n = snprintf(out, size, "; known are");
	for (size_t i = 0; known[i] && n > 0 && (size_t)n < size; i++)
		n += snprintf(out + n, size - (size_t)n, "%s %s", i ? "," : "", known[i]);
	return out;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n > m && strcmp(s + n - m, suffix) == 0;
}

int ini_files_find(const char *dir, const char *suffix, struct ini_files *out)
{
	*out = (struct ini_files){ 0 };
	DIR *d = opendir(dir);
	if (!d)
		return errno == ENOENT ? 0 : -1;
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.' || !has_suffix(e->d_name, suffix))
			continue;
		char *path = xasprintf("%s/%s", dir, e->d_name);
		struct stat st;
		if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
			free(path);
			continue;
		}
		out->path = xreallocarray(out->path, out->count + 1, sizeof *out->path);
		out->path[out->count++] = path;
	}
	closedir(d);
	if (out->count)
		qsort(out->path, out->count, sizeof *out->path, compare_paths);
	return 0;
}

void ini_files_free(struct ini_files *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->path[i]);
	free(f->path);
	*f = (struct ini_files){ 0 };
}
