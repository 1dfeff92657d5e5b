/* timefmt.h - microseconds UTC <-> text. The clock is always an argument; only main files read it. */
#ifndef COMMON_TIMEFMT_H
#define COMMON_TIMEFMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIME_TEXT_MAX 40

/* "2026-11-20T14:03:05.123456Z" (the event stream's form) into out; returns out. Years outside 0000..9999 come out as the nearest
 * time within, so that the form always holds. */
const char *time_format_utc(int64_t us, char out[TIME_TEXT_MAX]);
/* "2026-11-20 14:03:05" in local time, for people. */
const char *time_format_local(int64_t us, char out[TIME_TEXT_MAX]);

/*
 * "2026-11-20 14:03 CET", "2026-11-20 14:03:05" (local), ISO 8601 with Z or +hh:mm, a date alone (its midnight, local unless a zone
 * follows), "20.11.2026" and "2026/11/20" in place of such a date, "-2h" "-30m" "-7d" "-90s" "-2w" (before now), "yesterday" and "today" (their
 * local midnight), "yesterday 14:03" (local), "now".
 * Zones: Z, UTC, GMT, CET, CEST, +hhmm. 0 or -1.
 */
int time_parse(const char *text, int64_t now_us, int64_t *out_us);

/*
 * Text that says CET, of a time from March to October: clocks in that zone may have shown an hour more then, and who wrote it may mean
 * those, an hour earlier than time_parse takes it for.
 */
bool time_may_mean_summer(const char *text, int64_t us);

/* Wall clock. */
int64_t time_now_us(void);

/* A clock that nobody sets, since some time. */
int64_t time_monotone_us(void);

#endif
