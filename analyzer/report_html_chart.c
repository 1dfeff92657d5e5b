/* report_html_chart.c - HTML report: charts as inline SVG: the days of a server, the course of time with its table. */
#include "analyzer/report_html_part.h"

#include "analyzer/report_words.h"
#include "common/timefmt.h"

/* Height of the bars of a chart, in its own units, and the room for its words. */
enum { CHART_WIDTH = 960, CHART_HEIGHT = 150, CHART_LEFT = 44, CHART_FOOT = 18, SPARK_HEIGHT = 30, SPARK_STEP = 7 };

void report_html_spark(struct html *h, const struct report_server *s)
{
	uint64_t most = 0;

	for (int i = 0; i <= REPORT_BASE_DAYS; i++)
		most = s->day[i] > most ? s->day[i] : most;
	if (!most)
		return;
	buf_printf(h->out, "<svg class=\"spark\" viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"avoidable answers by day, the last %d days; "
		   "the table below has the numbers\">", (REPORT_BASE_DAYS + 1) * SPARK_STEP, SPARK_HEIGHT, REPORT_BASE_DAYS + 1);
	for (int i = 0; i <= REPORT_BASE_DAYS; i++) {
		double height = (double)s->day[i] * (SPARK_HEIGHT - 2) / (double)most;

		buf_printf(h->out, "<rect class=\"%s\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%.1f\"/>", s->day[i] ? "f-bad" : "f-plain", i * SPARK_STEP,
			   s->day[i] ? SPARK_HEIGHT - (height < 2 ? 2 : height) : SPARK_HEIGHT - 0.7, SPARK_STEP - 2, s->day[i] ? (height < 2 ? 2 : height) : 0.7);
	}
	html_put(h, "</svg>");
}

static void put_bar(struct html *h, const struct report_bar *b, double x, double width, uint64_t most)
{
	const uint64_t parts[] = { b->misdirected, b->avoidable - b->misdirected, b->answers - b->avoidable };
	static const char *const classes[] = { "f-bad", "f-warn", "f-plain" };
	double y = CHART_HEIGHT;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		double height = (double)parts[i] * (CHART_HEIGHT - 10) / (double)most;

		if (!parts[i])
			continue;
		y -= height;
		buf_printf(h->out, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", classes[i], x, y, width, height);
	}
}

static void put_label(struct html *h, const struct report_bar *b, double x)
{
	char text[TIME_TEXT_MAX];

	time_format_local(b->at_us, text);
	if (h->r->bars_are_days)
		buf_printf(h->out, "<text x=\"%.1f\" y=\"%d\">%.5s</text>", x, CHART_HEIGHT + 14, text + 5);
	else
		buf_printf(h->out, "<text x=\"%.1f\" y=\"%d\">%.5s</text>", x, CHART_HEIGHT + 14, text + 11);
}

static void put_chart(struct html *h, uint64_t most)
{
	const struct report *r = h->r;
	double step = (double)(CHART_WIDTH - CHART_LEFT) / (double)r->bar_count;
	size_t every = (r->bar_count + 7) / 8;
	char text[WORDS_NUMBER_MAX];

	buf_printf(h->out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"answers by %s; the table below has the numbers\">", CHART_WIDTH,
		   CHART_HEIGHT + CHART_FOOT, r->bars_are_days ? "day" : "hour");
	buf_printf(h->out, "<text x=\"0\" y=\"14\">%s</text><text x=\"0\" y=\"%d\">0</text><line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>", words_count(most, text),
		   CHART_HEIGHT, CHART_LEFT, CHART_HEIGHT, CHART_WIDTH, CHART_HEIGHT);
	for (size_t i = 0; i < r->bar_count; i++) {
		double x = CHART_LEFT + (double)i * step;

		put_bar(h, &r->bar[i], x + 1, step > 4 ? step - 2 : step, most);
		if (i % every == 0)
			put_label(h, &r->bar[i], x + 1);
	}
	html_put(h, "</svg>\n<ul class=\"legend\"><li><svg viewBox=\"0 0 8 8\" aria-hidden=\"true\"><rect class=\"f-bad\" width=\"8\" height=\"8\"/></svg> misdirected (bottom)</li>"
	    "<li><svg viewBox=\"0 0 8 8\" aria-hidden=\"true\"><rect class=\"f-warn\" width=\"8\" height=\"8\"/></svg> otherwise avoidable (middle)</li>"
	    "<li><svg viewBox=\"0 0 8 8\" aria-hidden=\"true\"><rect class=\"f-plain\" width=\"8\" height=\"8\"/></svg> other answers (top)</li></ul>\n");
}

void report_html_timeline(struct html *h)
{
	static const char *const heads[] = { "from", "misdirected", "avoidable", "answers", "all mail" };
	const struct report *r = h->r;
	uint64_t most = 0;

	html_section(h, "timeline", r->bars_are_days ? "Timeline by day" : "Timeline by hour");
	for (size_t i = 0; i < r->bar_count; i++)
		most = r->bar[i].answers > most ? r->bar[i].answers : most;
	if (most)
		put_chart(h, most);
	html_open_table(h, "", "Hours or days with any mail; none was seen in the others", heads, 5, 1);
	for (size_t i = 0; i < r->bar_count; i++) {
		const struct report_bar *b = &r->bar[i];
		char text[TIME_TEXT_MAX];

		if (!b->seen && !b->answers)
			continue;
		time_format_local(b->at_us, text);
		buf_printf(h->out, "<tr><th scope=\"row\">%.*s</th>", r->bars_are_days ? 10 : 16, text);
		for (int which = 0; which < 4; which++)
			html_number_cell(h, heads[which + 1], words_bar(b, which));
		html_put(h, "</tr>\n");
	}
	html_close_table(h);
}
