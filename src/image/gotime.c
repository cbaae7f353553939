#include "image/gojson.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECONDS_A_DAY 86400
#define YEAR_MAX 9999

struct gotime {
	int year, month, day, hour, minute, second;
	uint32_t nsec;
	int zone;	/* seconds east of UTC */
};

/* Days from 1970-01-01 to a day of the Gregorian calendar. Years are counted from March, so that the leap day is the
 * last of its year; 400 of them have 146097 days. year is not negative. */
static int64_t days_from_date(int year, int month, int day)
{
	int64_t y = year - (month <= 2) + 400; /* never negative, also for January of the year 0 */
	int64_t month_from_march = (month + 9) % 12;
	int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
	return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468 - 146097;
}

static void date_from_days(int64_t days, struct gotime *ret)
{
	int64_t since = days + 719468 + 146097; /* since 1 March of the year -400 */
	int64_t era = since / 146097;
	int64_t day_of_era = since % 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month_from_march = (5 * day_of_year + 2) / 153;
	ret->day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
	ret->month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
	ret->year = (int)(era * 400 + year_of_era - 400 + (ret->month <= 2));
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return days[month - 1] + (month == 2 && leap);
}

/* Reads exactly n digits. False: they are not there. */
static bool take_number(const char **text, int n, int *ret)
{
	int value = 0;
	for (int i = 0; i < n; i++) {
		char c = (*text)[i];
		if (c < '0' || c > '9')
			return false;
		value = value * 10 + (c - '0');
	}
	*text += n;
	*ret = value;
	return true;
}

static bool take_char(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

static bool take_fraction(const char **text, uint32_t *ret)
{
	uint32_t nsec = 0;
	int n = 0;
	for (; **text >= '0' && **text <= '9'; (*text)++)
		if (n++ < 9)
			nsec = nsec * 10 + (uint32_t)(**text - '0');
	if (n == 0)
		return false;
	for (; n < 9; n++)
		nsec *= 10;
	*ret = nsec;
	return true;
}

static bool take_zone(const char **text, int *ret)
{
	if (take_char(text, 'Z')) {
		*ret = 0;
		return true;
	}
	int sign = **text == '-' ? -1 : 1, hours, minutes;
	if (!take_char(text, '+') && !take_char(text, '-'))
		return false;
	if (!take_number(text, 2, &hours) || !take_char(text, ':') || !take_number(text, 2, &minutes))
		return false;
	*ret = sign * (hours * 3600 + minutes * 60);
	return hours <= 23 && minutes <= 59;
}

static bool read_time(const char *text, struct gotime *ret)
{
	*ret = (struct gotime){ 0 };
	const char **at = &text;
	bool shape = take_number(at, 4, &ret->year) && take_char(at, '-') && take_number(at, 2, &ret->month) &&
		     take_char(at, '-') && take_number(at, 2, &ret->day) && take_char(at, 'T') &&
		     take_number(at, 2, &ret->hour) && take_char(at, ':') && take_number(at, 2, &ret->minute) &&
		     take_char(at, ':') && take_number(at, 2, &ret->second) &&
		     (!take_char(at, '.') || take_fraction(at, &ret->nsec)) && take_zone(at, &ret->zone) &&
		     **at == '\0';
	return shape && ret->month >= 1 && ret->month <= 12 && ret->day >= 1 &&
	       ret->day <= days_in_month(ret->year, ret->month) && ret->hour <= 23 && ret->minute <= 59 &&
	       ret->second <= 59;
}

static void write_time(const struct gotime *t, char ret[40])
{
	int n = snprintf(ret, 40, "%04d-%02d-%02dT%02d:%02d:%02d", t->year, t->month, t->day, t->hour, t->minute,
			 t->second);
	if (t->nsec) {
		n += snprintf(ret + n, 40 - (size_t)n, ".%09u", t->nsec);
		while (ret[n - 1] == '0')
			n--;
	}
	int zone = t->zone < 0 ? -t->zone : t->zone;
	if (zone == 0)
		snprintf(ret + n, 40 - (size_t)n, "Z");
	else
		snprintf(ret + n, 40 - (size_t)n, "%c%02d:%02d", t->zone < 0 ? '-' : '+', zone / 3600,
			 zone / 60 % 60);
}

static int not_a_time(const char *text, struct nacre_error *err)
{
	return nc_fail(err, NACRE_E_BADDATA, 0, "not a time as RFC 3339 has it: '%.64s'", text);
}

int nc_gotime_parse(const char *text, int64_t *ret_sec, uint32_t *ret_nsec, struct nacre_error *err)
{
	struct gotime t;
	if (!read_time(text, &t))
		return not_a_time(text, err);
	*ret_sec = days_from_date(t.year, t.month, t.day) * SECONDS_A_DAY + t.hour * 3600 + t.minute * 60 + t.second -
		   t.zone;
	*ret_nsec = t.nsec;
	return 0;
}

int nc_gotime_respell(const char *text, char ret[40], struct nacre_error *err)
{
	struct gotime t;
	if (!read_time(text, &t))
		return not_a_time(text, err);
	write_time(&t, ret);
	return 0;
}

void nc_gotime_text(int64_t sec, uint32_t nsec, char ret[40])
{
	int64_t first = days_from_date(0, 1, 1) * SECONDS_A_DAY;
	int64_t last = days_from_date(YEAR_MAX, 12, 31) * SECONDS_A_DAY + SECONDS_A_DAY - 1;
	sec = sec < first ? first : sec > last ? last : sec;
	int64_t days = (sec - first) / SECONDS_A_DAY; /* both not negative: division rounds down */
	int second = (int)((sec - first) % SECONDS_A_DAY);
	struct gotime t = { .hour = second / 3600, .minute = second / 60 % 60, .second = second % 60,
			    .nsec = nsec > 999999999 ? 999999999 : nsec };
	date_from_days(days + first / SECONDS_A_DAY, &t);
	write_time(&t, ret);
}

int64_t nc_source_date(void)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	size_t digits = text ? strspn(text, "0123456789") : 0;
	return digits && digits < 19 && !text[digits] ? atoll(text) : 0;
}

int64_t nc_creation_time(int64_t given)
{
	if (given)
		return given;
	return getenv("SOURCE_DATE_EPOCH") ? nc_source_date() : (int64_t)time(NULL);
}
