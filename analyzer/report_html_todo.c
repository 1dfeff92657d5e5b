/* report_html_todo.c - HTML report: what to change first, and what is new, worse or gone. */
#include "analyzer/report_html_part.h"

#include <string.h>

#include "analyzer/report_words.h"

static void put_why(struct html *h, const struct report_matter *m)
{
	char client[WORDS_CLIENT_MAX];

	html_term(h, "Why");
	html_number(h, m->answers);
	html_put(h, " ");
	html_word(h, words_kind(m->kind, m->answers));
	if (m->cause) {
		html_put(h, " (");
		html_word(h, m->cause);
		html_put(h, ")");
	}
	if (m->misdirected) {
		html_put(h, ", ");
		html_number(h, m->misdirected);
		html_put(h, " misdirected");
		html_put(h, !m->likely_only ? "" : m->likely_only == m->misdirected ? " (likely, not proved)" : " (some proved)");
	}
	html_put(h, ", to ");
	html_number(h, m->domains);
	buf_printf(h->out, " domain%s, last ", words_plural(m->domains));
	html_time(h, m->last_us);
	if (m->emitter) {
		html_put(h, "; they leave by ");
		html_word(h, m->emitter);
	}
	if (words_stale(m)) {
		html_put(h, "<br>");
		html_word(h, words_stale(m));
	}
	if (words_client(m, client)) {
		html_put(h, "<br>");
		html_word(h, client);
	}
	if (m->root_code) {
		html_put(h, "<br>");
		html_word(h, m->root_server ? m->root_server : "a server");
		buf_printf(h->out, " refused %s: <code>%d ", strcmp(m->where, "inner") == 0 ? "what this one had taken" : "it", m->root_code);
		if (m->root_enhanced.p) {
			html_wire(h, m->root_enhanced, 12);
			html_put(h, " ");
		}
		html_wire(h, m->root_reply, 240);
		html_put(h, "</code>");
	}
	html_put(h, "</dd>\n");
}

static void put_block(struct html *h, const char *text)
{
	html_put(h, "<pre>");
	for (const char *begin = text, *s = text; ; s++)
		if (*s == '\n' || !*s) {
			html_wire(h, (struct text){ begin, (uint32_t)(s - begin) }, 0);
			if (!*s)
				break;
			html_put(h, "\n");
			begin = s + 1;
		}
	html_put(h, "</pre>");
}

static void put_queue(struct html *h, const struct report_matter *m)
{
	if (!m->queue)
		return;
	html_term(h, "Queued");
	if (m->queue_said) {
		buf_printf(h->out, "see %zu.</dd>\n", m->queue_said);
		return;
	}
	html_put(h, "Answers that wait in the queue go on leaving for days. To see them:");
	put_block(h, m->queue->show);
	if (m->queue->remove) {
		html_put(h, "and to remove them:");
		put_block(h, m->queue->remove);
	}
	html_word(h, m->queue->trap);
	html_put(h, ".</dd>\n");
}

static void put_advice(struct html *h, const struct report_matter *m)
{
	const struct advice *a = m->advice;

	if (!a)
		return;
	html_term(h, "Do");
	html_word(h, a->what);
	html_put(h, ".</dd>\n");
	if (a->setting) {
		html_term(h, "Set");
		put_block(h, a->setting);
		html_put(h, "</dd>\n");
		html_term(h, "In");
		html_word(h, a->file);
		html_put(h, "</dd>\n");
	}
	if (a->trap) {
		html_term(h, "Trap");
		html_word(h, a->trap);
		html_put(h, ".</dd>\n");
	}
	if (!a->software && m->log) {
		html_term(h, "Log");
		put_block(h, m->log);
		html_put(h, "</dd>\n");
	}
}

void report_html_todo(struct html *h)
{
	const struct report *r = h->r;

	html_section(h, "first", "Do this first");
	if (!r->todo_count)
		html_paragraph(h, words_nothing(r));
	for (size_t i = 0; i < r->todo_count; i++) {
		const struct report_matter *m = r->todo[i];

		buf_printf(h->out, "<article><h3>%zu. ", i + 1);
		html_word(h, m->server);
		if (m->software || m->responder)
			buf_printf(h->out, " <span class=\"quiet\">(%s%s%s)</span>", m->software ? m->software : "", m->software && m->responder ? ", " : "",
				   m->responder ? m->responder : "");
		if (m->owner) {
			html_put(h, ", owner ");
			html_word(h, m->owner);
		}
		html_put(h, "</h3><dl>\n");
		put_why(h, m);
		put_advice(h, m);
		put_queue(h, m);
		html_term(h, "Proof");
		buf_printf(h->out, "<a href=\"#evidence-%zu\">Evidence %zu</a>, finding <code>", i + 1, i + 1);
		html_word(h, m->finding_id);
		html_put(h, "</code></dd></dl></article>\n");
	}
	if (r->matter_count - r->known_count > r->todo_count)
		buf_printf(h->out, "<p>%zu more: see <a href=\"#causes\">Causes</a>.</p>\n", r->matter_count - r->known_count - r->todo_count);
	if (r->known_count)
		buf_printf(h->out, "<p>%zu known matter%s left out here: see <a href=\"#causes\">Causes</a>.</p>\n", r->known_count,
			   r->known_count == 1 ? " is" : "s are");
}

void report_html_changes(struct html *h)
{
	static const char *const heads[] = { "", "server", "what", "now", "before", "usual" };
	const struct report *r = h->r;

	html_section(h, "changes", "New, worse, gone");
	if (r->options.whole || (!r->has_before && !r->has_base)) {
		html_paragraph(h, "There is nothing to compare with: no mail of an earlier time was seen.");
		return;
	}
	if (!r->change_count) {
		html_paragraph(h, "Nothing to speak of.");
		return;
	}
	html_open_table(h, "cards", "Avoidable answers, compared with the stretch of equal length before and the 28 days before", heads, 6, 3);
	for (size_t i = 0; i < r->change_count; i++) {
		const struct report_change *c = &r->change[i];
		const char *class = c->trend <= REPORT_WORSE ? "bad" : c->trend == REPORT_GONE || c->trend == REPORT_BETTER ? "clean" : "watch";

		buf_printf(h->out, "<tr><td><span class=\"word %s\">%s</span></td><th scope=\"row\">", class, words_trend(c->trend));
		html_word(h, c->server);
		html_put(h, "</th><td>");
		html_word(h, c->kind == KIND_COUNT ? "mail of any kind" : words_kind(c->kind, 2));
		html_put(h, "</td>");
		html_number_cell(h, "now", c->now);
		if (r->has_before)
			html_number_cell(h, "before", c->before);
		else
			html_put(h, "<td class=\"n\" data-label=\"before\">not seen</td>");
		buf_printf(h->out, "<td class=\"n\" data-label=\"usual\">%.1f</td></tr>\n", c->base);
	}
	html_close_table(h);
}
