/* report_mail.c - see report_mail.h. Lines end in LF: sendmail(1) and its like want those of their system. */
#include "analyzer/report_mail.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#include "analyzer/report_html.h"
#include "analyzer/report_text.h"
#include "analyzer/report_words.h"
#include "common/escape.h"
#include "common/siphash.h"
#include "common/timefmt.h"

enum { LINE_MAX_BYTES = 76 };	/* RFC 2045 6.7 (5) */

bool report_mail_is_address(const char *to)
{
	const char *at = strchr(to, '@');

	for (const char *p = to; *p; p++)
		if (*p <= ' ' || *p > '~' || strchr("<>()[]:;\\\"", *p))
			return false;
	return at && at != to && at[1];
}

/* Quoted-printable (RFC 2045 6.7) of lines that end in LF; a line "From " or "." does not survive some mailers as it is. */
static void quote(struct buf *out, const struct buf *in)
{
	size_t column = 0;

	for (size_t i = 0; i < in->len; i++) {
		unsigned char c = (unsigned char)in->p[i];
		bool ends = i + 1 == in->len || in->p[i + 1] == '\n';
		bool plain = c > ' ' && c <= '~' && c != '=' && !(column == 0 && (c == '.' || c == 'F'));

		if (c == '\n') {
			buf_add_char(out, '\n');
			column = 0;
			continue;
		}
		if (column + (plain || c == ' ' ? 1 : 3) >= LINE_MAX_BYTES) {
			buf_add_str(out, "=\n");
			column = 0;
			plain = plain && c != '.' && c != 'F';
		}
		if (plain || (c == ' ' && !ends)) {
			buf_add_char(out, (char)c);
			column++;
		} else {
			buf_printf(out, "=%02X", c);
			column += 3;
		}
	}
}

/* RFC 5322 3.3, whatever the language of the process is. */
static void put_date(struct buf *out, int64_t us)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)(us / 1000000);
	struct tm tm;

	if (gmtime_r(&t, &tm))
		buf_printf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\n", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
			   tm.tm_sec);
}

/* Equal reports are one message: mail systems that drop duplicates may. */
static uint64_t digest(const struct buf *text, const char *to)
{
	static const struct siphash_key key = { 0 };	/* tells reports apart, defends against nobody */

	return siphash13(&key, text->p, text->len) ^ siphash13(&key, to, strlen(to));
}

static void put_part(struct buf *out, uint64_t id, const char *type, const struct buf *content)
{
	buf_printf(out, "--=_bouncetap_%016llx\nContent-Type: %s; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n", (unsigned long long)id, type);
	quote(out, content);
	buf_add_char(out, '\n');
}

void report_mail(const struct report *r, const char *to, struct buf *out)
{
	struct buf text = { 0 }, html = { 0 }, subject = { 0 };
	const char *domain = strrchr(to, '@') + 1;
	char from[TIME_TEXT_MAX];

	report_text(r, &text);
	report_html(r, &html);
	uint64_t id = digest(&text, to);
	buf_printf(&subject, "bouncetap %.10s: %s: %s", time_format_local(r->options.since_us, from), words_state(r->state), r->verdict);
	buf_printf(out, "Return-Path: <>\nFrom: bouncetap <%.*s>\nTo: %s\nSubject: ", (int)strcspn(to, ","), to, to);
	struct buf folded = { 0 };
	escape_header(&folded, (struct text){ subject.p, (uint32_t)subject.len });
	for (size_t i = 0; i < folded.len; i++)
		if (folded.p[i] != '\r')
			buf_add_char(out, folded.p[i]);
	buf_add_char(out, '\n');
	put_date(out, r->options.now_us);
	buf_printf(out, "Message-ID: <bouncetap.%016llx@%s>\nMIME-Version: 1.0\nAuto-Submitted: auto-generated\nPrecedence: bulk\nX-Auto-Response-Suppress: All\n"
		   "Content-Type: multipart/alternative; boundary=\"=_bouncetap_%016llx\"\n\n", (unsigned long long)id, domain, (unsigned long long)id);
	put_part(out, id, "text/plain", &text);
	put_part(out, id, "text/html", &html);
	buf_printf(out, "--=_bouncetap_%016llx--\n", (unsigned long long)id);
	buf_fini(&text);
	buf_fini(&html);
	buf_fini(&subject);
	buf_fini(&folded);
}
