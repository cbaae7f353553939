/* Sizes and times as people read them, and as programs do. */
#ifndef CLI_HUMAN_H
#define CLI_HUMAN_H

#include <stdint.h>
#include <time.h>

/* All write at most HUMAN_MAX bytes into buf and return it. */
#define HUMAN_MAX 48

/* Three digits and a decimal unit, as docker shows sizes: "0B", "13.3kB", "127MB", "1.06GB". */
char *human_size(char *buf, uint64_t bytes);
/* "3 weeks"; seconds must not be negative. */
char *human_duration(char *buf, int64_t seconds);
/* "3 weeks ago" seen from now; "N/A" for an unknown time (INT64_MIN, or the year 1 as docker writes it). */
char *human_ago(char *buf, int64_t when, int64_t now);
/* RFC 3339 in UTC, nanoseconds where there are any; "" for what has no such form. */
char *human_rfc3339(char *buf, int64_t when, uint32_t nsec);
/* "2024-01-31 10:20:30 +0000 UTC", as docker's CreatedAt. */
char *human_created_at(char *buf, int64_t when);

#endif
