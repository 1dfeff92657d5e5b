/* doctor_print.c - see doctor.h: the list of findings, as text and as JSON. */
#include "analyzer/doctor.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/escape.h"
#include "common/json.h"
#include "common/wrap.h"
#include "common/xmalloc.h"

enum { INDENT = 18, ABOUT_MAX = 10 };

static const char *const words[] = { [DOCTOR_OK] = "ok", [DOCTOR_NOTE] = "note", [DOCTOR_BAD] = "bad" };

/* ---- findings ---- */

__attribute__((format(printf, 1, 0)))
static char *format_text(const char *format, va_list ap)
{
	char *text;

	if (vasprintf(&text, format, ap) < 0)
		abort();
	return text;
}

void doctor_say(struct doctor *d, enum doctor_word word, const char *about, const char *found, ...)
{
	va_list ap;

	d->item = xreallocarray(d->item, d->count + 1, sizeof *d->item);
	va_start(ap, found);
	d->item[d->count++] = (struct doctor_finding){ word, xstrdup(about), format_text(found, ap), NULL };
	va_end(ap);
}

void doctor_advise(struct doctor *d, const char *advice, ...)
{
	va_list ap;

	va_start(ap, advice);
	d->item[d->count - 1].advice = format_text(advice, ap);
	va_end(ap);
}

void doctor_fini(struct doctor *d)
{
	for (size_t i = 0; i < d->count; i++) {
		free(d->item[i].about);
		free(d->item[i].found);
		free(d->item[i].advice);
	}
	free(d->item);
	*d = (struct doctor){ 0 };
}

const char *doctor_share(uint64_t part, uint64_t whole, char out[DOCTOR_SHARE_MAX])
{
	double percent = whole ? 100.0 * (double)part / (double)whole : 0;

	snprintf(out, DOCTOR_SHARE_MAX, part && percent < 0.01 ? "< 0.01 %%" : "%.*f %%", percent < 1 ? 2 : 1, percent);
	return out;
}

/* ---- printing ---- */

/* Behind what is already on the line (first), or on lines of its own; indented. */
static void print_wrapped(const char *text, bool first, FILE *out)
{
	struct buf b = { 0 };

	escape_terminal(&b, (struct text){ text, (uint32_t)strlen(text) }, 0);
	fprintf(out, "%*s", first ? 0 : INDENT, "");
	wrap_print(out, buf_cstr(&b), INDENT, INDENT);
	buf_fini(&b);
}

static void print_text(const struct doctor *d, FILE *out)
{
	for (size_t i = 0; i < d->count; i++) {
		const struct doctor_finding *f = &d->item[i];
		struct buf about = { 0 };

		escape_terminal(&about, (struct text){ f->about, (uint32_t)strlen(f->about) }, ABOUT_MAX);
		fprintf(out, "%-4s  %-*s  ", words[f->word], ABOUT_MAX, buf_cstr(&about));
		buf_fini(&about);
		print_wrapped(f->found, true, out);
		if (f->advice)
			print_wrapped(f->advice, false, out);
	}
}

static void print_json(const struct doctor *d, FILE *out)
{
	struct buf b = { 0 };
	struct json j;

	for (size_t i = 0; i < d->count; i++) {
		const struct doctor_finding *f = &d->item[i];

		json_begin(&j, &b);
		json_object(&j, NULL);
		json_string(&j, "word", words[f->word]);
		json_string(&j, "about", f->about);
		json_string(&j, "found", f->found);
		json_string(&j, "advice", f->advice);
		json_object_end(&j);
		buf_add_char(&b, '\n');
	}
	fwrite(b.p, 1, b.len, out);
	buf_fini(&b);
}

void doctor_print(const struct doctor *d, bool as_json, FILE *out)
{
	if (as_json)
		print_json(d, out);
	else
		print_text(d, out);
}
