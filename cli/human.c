#include "human.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What docker writes for "never": 0001-01-01T00:00:00Z. */
#define YEAR_ONE INT64_C(-62135596800)

char *human_size(char *buf, uint64_t bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double size = (double)bytes;
	size_t unit = 0;

	/* 999.5 would be shown as 1e+03 */
	while (size >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		size /= 1000;
		unit++;
	}
	snprintf(buf, HUMAN_MAX, "%.3g%s", size, units[unit]);
	return buf;
}

char *human_duration(char *buf, int64_t seconds)
{
	int64_t minutes = seconds / 60, hours = (minutes + 30) / 60;

	if (seconds < 1)
		snprintf(buf, HUMAN_MAX, "Less than a second");
	else if (seconds == 1)
		snprintf(buf, HUMAN_MAX, "1 second");
	else if (seconds < 60)
		snprintf(buf, HUMAN_MAX, "%" PRId64 " seconds", seconds);
	else if (minutes == 1)
		snprintf(buf, HUMAN_MAX, "About a minute");
	else if (minutes < 60)
		snprintf(buf, HUMAN_MAX, "%" PRId64 " minutes", minutes);
	else if (hours == 1)
		snprintf(buf, HUMAN_MAX, "About an hour");
	else if (hours < 48)
		snprintf(buf, HUMAN_MAX, "%" PRId64 " hours", hours);
	else if (hours < 24 * 7 * 2)
		snprintf(buf, HUMAN_MAX, "%" PRId64 " days", hours / 24);
	else if (hours < 24 * 30 * 2)
		snprintf(buf, HUMAN_MAX, "%" PRId64 " weeks", hours / 24 / 7);
	else if (hours < 24 * 365 * 2)
		snprintf(buf, HUMAN_MAX, "%" PRId64 " months", hours / 24 / 30);
	else
		snprintf(buf, HUMAN_MAX, "%" PRId64 " years", hours / 24 / 365);
	return buf;
}

char *human_ago(char *buf, int64_t when, int64_t now)
{
	char duration[HUMAN_MAX];

	if (when <= YEAR_ONE) {
		snprintf(buf, HUMAN_MAX, "N/A");
	} else if (when > now) {
		human_duration(duration, when > INT64_MAX / 2 ? INT64_MAX / 2 : when - now);
		snprintf(buf, HUMAN_MAX, "in %.40s", duration);
	} else {
		human_duration(duration, now - when);
		snprintf(buf, HUMAN_MAX, "%.40s ago", duration);
	}
	return buf;
}

static int utc(int64_t when, struct tm *ret)
{
	time_t time = (time_t)when;

	if (when <= YEAR_ONE || !gmtime_r(&time, ret) || ret->tm_year > 9999 - 1900)
		return -1;
	return 0;
}

char *human_rfc3339(char *buf, int64_t when, uint32_t nsec)
{
	struct tm tm;
	size_t len;

	buf[0] = '\0';
	if (utc(when, &tm) < 0)
		return buf;
	len = (size_t)snprintf(buf, HUMAN_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
			       tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (nsec > 0 && nsec < 1000000000) {
		len += (size_t)snprintf(buf + len, HUMAN_MAX - len, ".%09u", nsec);
		while (buf[len - 1] == '0')
			len--;
	}
	strcpy(buf + len, "Z");
	return buf;
}

char *human_created_at(char *buf, int64_t when)
{
	struct tm tm;

	strcpy(buf, "N/A");
	if (utc(when, &tm) == 0)
		strftime(buf, HUMAN_MAX, "%Y-%m-%d %H:%M:%S +0000 UTC", &tm);
	return buf;
}
