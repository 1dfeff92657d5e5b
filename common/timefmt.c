/* timefmt.c - see timefmt.h */
#include "common/timefmt.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static const int64_t second_us = 1000000, day_s = 86400;
static const int64_t year_0_s = -62167219200, year_9999_end_s = 253402300799;	/* of the four-digit years */

/* Rounds down, also before 1970. */
static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/*
 * Days since 1970-01-01 of a date of the proleptic Gregorian calendar. Years begin in March here, so that the leap day is the
 * last of its year; 400 years have 146097 days.
 */
static int64_t days_of(int64_t year, int month, int day)
{
	int from_march = (month + 9) % 12;

	year -= month <= 2;
	int64_t era = floor_div(year, 400), in_era = year - era * 400;
	int64_t in_year = (153 * from_march + 2) / 5 + day - 1;
	return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static void date_of(int64_t days, int *year, int *month, int *day)
{
	days += 719468;
	int64_t era = floor_div(days, 146097), in_era = days - era * 146097;
	int64_t y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	int64_t in_year = in_era - (365 * y + y / 4 - y / 100);
	int from_march = (int)((5 * in_year + 2) / 153);

	*day = (int)(in_year - (153 * from_march + 2) / 5 + 1);
	*month = from_march < 10 ? from_march + 3 : from_march - 9;
	*year = (int)(y + era * 400 + (*month <= 2));
}

static char *put(char *p, unsigned value, int digits, char behind)
{
	for (int i = digits - 1; i >= 0; i--, value /= 10)
		p[i] = (char)('0' + value % 10);
	p[digits] = behind;
	return p + digits + 1;
}

const char *time_format_utc(int64_t us, char out[TIME_TEXT_MAX])
{
	int64_t s = floor_div(us, second_us), fraction = (us % second_us + second_us) % second_us;
	int year, month, day;

	if (s < year_0_s) {
		s = year_0_s;
		fraction = 0;
	} else if (s > year_9999_end_s) {
		s = year_9999_end_s;
		fraction = second_us - 1;
	}
	int64_t days = floor_div(s, day_s);
	unsigned in_day = (unsigned)(s - days * day_s);
	date_of(days, &year, &month, &day);
	char *p = put(out, (unsigned)year, 4, '-');
	p = put(p, (unsigned)month, 2, '-');
	p = put(p, (unsigned)day, 2, 'T');
	p = put(p, in_day / 3600, 2, ':');
	p = put(p, in_day / 60 % 60, 2, ':');
	p = put(p, in_day % 60, 2, '.');
	p = put(p, (unsigned)fraction, 6, 'Z');
	*p = '\0';
	return out;
}

const char *time_format_local(int64_t us, char out[TIME_TEXT_MAX])
{
	time_t s = (time_t)floor_div(us, second_us);
	struct tm tm;

	if (!localtime_r(&s, &tm) || !strftime(out, TIME_TEXT_MAX, "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(out, TIME_TEXT_MAX, "?");
	return out;
}

/* --- reading --- */

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

/* Just count digits; false and *s as it was otherwise. */
static bool read_number(const char **s, int count, int *out)
{
	int n = 0;

	for (int i = 0; i < count; i++) {
		if (!isdigit((unsigned char)(*s)[i]))
			return false;
		n = n * 10 + ((*s)[i] - '0');
	}
	*s += count;
	*out = n;
	return true;
}

static bool read_char(const char **s, char c)
{
	if (**s != c)
		return false;
	++*s;
	return true;
}

struct fields {
	int year, month, day, hour, minute, second, fraction_us;
};

static bool date_exists(const struct fields *f)
{
	static const int lengths[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = f->year % 4 == 0 && (f->year % 100 != 0 || f->year % 400 == 0);

	if (f->month < 1 || f->month > 12 || f->day < 1 || f->day > lengths[f->month - 1])
		return false;
	return f->month != 2 || f->day <= 28 || leap;
}

/* ".123456" behind the seconds; digits past the sixth are dropped. */
static bool read_fraction(const char **s, int *us)
{
	int digits = 0;

	*us = 0;
	if (**s != '.' && **s != ',')
		return true;
	for (++*s; isdigit((unsigned char)**s); ++*s, digits++)
		if (digits < 6)
			*us = *us * 10 + (**s - '0');
	for (int i = digits; i < 6; i++)
		*us *= 10;
	return digits > 0;
}

/* One digit, or two. */
static bool read_short(const char **s, int *out)
{
	return read_number(s, 2, out) || read_number(s, 1, out);
}

/* "14:03", "9:03", "14:03:05", "14:03:05.5" */
static bool read_clock(const char **s, struct fields *f)
{
	if (!read_short(s, &f->hour) || !read_char(s, ':') || !read_number(s, 2, &f->minute))
		return false;
	if (read_char(s, ':') && (!read_number(s, 2, &f->second) || !read_fraction(s, &f->fraction_us)))
		return false;
	return f->hour < 24 && f->minute < 60 && f->second <= 60;	/* 60: a leap second */
}

/* "2026-11-20", "2026/11/20"; "20.11.2026", as German pages write it. */
static bool read_date(const char **s, struct fields *f)
{
	const char *begin = *s;

	if (read_short(s, &f->day) && read_char(s, '.'))
		return read_short(s, &f->month) && read_char(s, '.') && read_number(s, 4, &f->year) && date_exists(f);
	*s = begin;
	if (!read_number(s, 4, &f->year) || (**s != '-' && **s != '/'))
		return false;
	char between = *(*s)++;
	return read_number(s, 2, &f->month) && read_char(s, between) && read_number(s, 2, &f->day) && date_exists(f);
}

/* "+01:00", "+0100", "+01" */
static bool read_offset(const char *s, int *seconds)
{
	int sign = *s == '-' ? -1 : 1, hours, minutes = 0;

	s++;
	if (!read_number(&s, 2, &hours) || hours > 23)
		return false;
	if (*s) {
		read_char(&s, ':');
		if (!read_number(&s, 2, &minutes) || minutes > 59)
			return false;
	}
	*seconds = sign * (hours * 3600 + minutes * 60);
	return *s == '\0';
}

static bool read_zone(const char *s, int *seconds)
{
	static const struct { const char *name; int seconds; } zones[] = {
		{ "Z", 0 }, { "UTC", 0 }, { "GMT", 0 }, { "CET", 3600 }, { "CEST", 7200 },
	};

	if (*s == '+' || *s == '-')
		return read_offset(s, seconds);
	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
		if (strcasecmp(s, zones[i].name) == 0) {
			*seconds = zones[i].seconds;
			return true;
		}
	return false;
}

static bool local_to_us(const struct fields *f, int64_t *out_us)
{
	struct tm tm = {
		.tm_year = f->year - 1900, .tm_mon = f->month - 1, .tm_mday = f->day,
		.tm_hour = f->hour, .tm_min = f->minute, .tm_sec = f->second, .tm_isdst = -1, .tm_wday = -1,
	};
	time_t s = mktime(&tm);

	if (tm.tm_wday < 0)	/* mktime leaves it when it fails; -1 itself is a second of 1969 */
		return false;
	*out_us = (int64_t)s * second_us + f->fraction_us;
	return true;
}

static bool parse_absolute(const char *s, int64_t *out_us)
{
	struct fields f = { 0 };
	int offset;

	if (!read_date(&s, &f))
		return false;
	if ((*s == 'T' || *s == 't' || *s == ' ') && isdigit((unsigned char)*skip_blanks(s + 1))) {
		s = skip_blanks(s + 1);
		if (!read_clock(&s, &f))
			return false;
	}
	s = skip_blanks(s);
	if (!*s)
		return local_to_us(&f, out_us);
	if (!read_zone(s, &offset))
		return false;
	int64_t seconds = days_of(f.year, f.month, f.day) * day_s + f.hour * 3600 + f.minute * 60 + f.second - offset;
	*out_us = seconds * second_us + f.fraction_us;
	return true;
}

/* "-2h" */
static bool parse_before(const char *s, int64_t now_us, int64_t *out_us)
{
	static const struct { char unit; int64_t seconds; } units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 7 * 86400 },
	};
	int64_t n = 0, us;

	if (!read_char(&s, '-') || !isdigit((unsigned char)*s))
		return false;
	for (; isdigit((unsigned char)*s); s++)
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *s - '0', &n))
			return false;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (s[0] == units[i].unit && s[1] == '\0')
			return !__builtin_mul_overflow(n, units[i].seconds * second_us, &us) &&
			       !__builtin_sub_overflow(now_us, us, out_us);
	return false;
}

/* The midnight, or the time of that day that clock tells. */
static bool local_day(int64_t now_us, int days_before, const char *clock, int64_t *out_us)
{
	time_t s = (time_t)floor_div(now_us, second_us);
	struct tm tm;

	if (!localtime_r(&s, &tm))
		return false;
	struct fields f = { .year = tm.tm_year + 1900, .month = tm.tm_mon + 1, .day = tm.tm_mday - days_before };
	if (*clock) {
		const char *p = skip_blanks(clock);

		if (p == clock || !read_clock(&p, &f) || *p)
			return false;
	}
	return local_to_us(&f, out_us);	/* mktime knows what day 0 of a month is */
}

int time_parse(const char *text, int64_t now_us, int64_t *out_us)
{
	char s[64];	/* longer than any form above */
	size_t n;

	text = skip_blanks(text);
	n = strlen(text);
	while (n && (text[n - 1] == ' ' || text[n - 1] == '\t'))
		n--;
	if (n >= sizeof s)
		return -1;
	memcpy(s, text, n);
	s[n] = '\0';
	if (strcmp(s, "now") == 0) {
		*out_us = now_us;
		return 0;
	}
	if (strncmp(s, "today", 5) == 0)
		return local_day(now_us, 0, s + 5, out_us) ? 0 : -1;
	if (strncmp(s, "yesterday", 9) == 0)
		return local_day(now_us, 1, s + 9, out_us) ? 0 : -1;
	if (*s == '-')
		return parse_before(s, now_us, out_us) ? 0 : -1;
	return parse_absolute(s, out_us) ? 0 : -1;
}

bool time_may_mean_summer(const char *text, int64_t us)
{
	size_t n = strlen(text);
	char local[TIME_TEXT_MAX];

	while (n && text[n - 1] == ' ')
		n--;
	if (n <= 3 || strncasecmp(text + n - 3, "CET", 3) != 0)
		return false;
	time_format_utc(us + 3600 * second_us, local);
	int month = (local[5] - '0') * 10 + local[6] - '0';
	return month >= 3 && month <= 10;
}

static int64_t clock_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * second_us + t.tv_nsec / 1000;
}

int64_t time_now_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

int64_t time_monotone_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}
