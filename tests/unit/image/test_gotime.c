#include "../unit.h"

#include "image/gojson.h"

static const struct good {
	const char *text;
	int64_t sec;
	uint32_t nsec;
	const char *utc, *respelled;
} good[] = {
	{ "1970-01-01T00:00:00Z", 0, 0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z" },
	{ "0001-01-01T00:00:00Z", NC_GOTIME_ZERO, 0, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z" },
	{ "2015-07-21T03:32:14.123456789Z", 1437449534, 123456789, "2015-07-21T03:32:14.123456789Z",
	  "2015-07-21T03:32:14.123456789Z" },
	{ "2015-07-21T03:32:14.100000000Z", 1437449534, 100000000, "2015-07-21T03:32:14.1Z", "2015-07-21T03:32:14.1Z" },
	{ "2015-07-21T03:32:14.000Z", 1437449534, 0, "2015-07-21T03:32:14Z", "2015-07-21T03:32:14Z" },
	{ "2015-07-21T03:32:14.000000001Z", 1437449534, 1, "2015-07-21T03:32:14.000000001Z",
	  "2015-07-21T03:32:14.000000001Z" },
	{ "2015-07-21T03:32:14.1234567891234Z", 1437449534, 123456789, "2015-07-21T03:32:14.123456789Z",
	  "2015-07-21T03:32:14.123456789Z" },
	{ "2015-07-21T05:32:14.5+02:00", 1437449534, 500000000, "2015-07-21T03:32:14.5Z", "2015-07-21T05:32:14.5+02:00" },
	{ "2015-07-20T18:02:14-09:30", 1437449534, 0, "2015-07-21T03:32:14Z", "2015-07-20T18:02:14-09:30" },
	{ "2015-07-21T03:32:14+00:00", 1437449534, 0, "2015-07-21T03:32:14Z", "2015-07-21T03:32:14Z" },
	{ "2015-07-21T03:32:14-00:00", 1437449534, 0, "2015-07-21T03:32:14Z", "2015-07-21T03:32:14Z" },
	{ "2000-02-29T23:59:59Z", 951868799, 0, "2000-02-29T23:59:59Z", "2000-02-29T23:59:59Z" },
	{ "2024-12-31T00:00:00Z", 1735603200, 0, "2024-12-31T00:00:00Z", "2024-12-31T00:00:00Z" },
	{ "1969-12-31T23:59:59.5Z", -1, 500000000, "1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5Z" },
	{ "0000-01-01T00:00:00Z", -62167219200, 0, "0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z" },
	{ "0000-02-29T00:00:00Z", -62162121600 + 0, 0, "0000-02-29T00:00:00Z", "0000-02-29T00:00:00Z" },
	{ "9999-12-31T23:59:59.999999999Z", 253402300799, 999999999, "9999-12-31T23:59:59.999999999Z",
	  "9999-12-31T23:59:59.999999999Z" },
};

static void reads_and_writes(void **state)
{
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct nacre_error err;
		int64_t sec;
		uint32_t nsec;
		char text[40];
		assert_done(nc_gotime_parse(good[i].text, &sec, &nsec, &err));
		if (sec != good[i].sec || nsec != good[i].nsec)
			fail_msg("%s: %lld.%09u", good[i].text, (long long)sec, nsec);
		nc_gotime_text(sec, nsec, text);
		assert_string_equal(text, good[i].utc);
		assert_done(nc_gotime_respell(good[i].text, text, &err));
		assert_string_equal(text, good[i].respelled);
	}
}

static void refuses(void **state)
{
	static const char *const bad[] = {
		"", "2015", "2015-07-21", "2015-07-21T03:32:14", "2015-07-21 03:32:14Z", "2015-07-21t03:32:14Z",
		"2015-07-21T03:32:14z", "2015-07-21T3:32:14Z", "2015-7-21T03:32:14Z", "15-07-21T03:32:14Z",
		"2015-07-21T03:32:14.Z", "2015-07-21T03:32:14,5Z", "2015-07-21T03:32:14.5", "2015-07-21T03:32:14Z ",
		" 2015-07-21T03:32:14Z", "2015-07-21T03:32:14+0200", "2015-07-21T03:32:14+24:00", "2015-07-21T03:32:14+02:60",
		"2015-07-21T03:32:14+2:00", "2015-00-21T03:32:14Z", "2015-13-21T03:32:14Z", "2015-07-00T03:32:14Z",
		"2015-07-32T03:32:14Z", "2015-02-29T03:32:14Z", "1900-02-29T03:32:14Z", "2015-04-31T03:32:14Z",
		"2015-07-21T24:00:00Z", "2015-07-21T03:60:14Z", "2015-07-21T03:32:60Z", "-015-07-21T03:32:14Z",
		"+2015-07-21T03:32:14Z", "10000-07-21T03:32:14Z", "2015-07-21T03:32:14.5e1Z", "1437449534", "now",
		"2015-07-21T03:32:14ZZ", "2015-07-21T03:32:14.123456789012345678901234567890",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct nacre_error err;
		int64_t sec = 7;
		uint32_t nsec = 7;
		char text[40] = "untouched";
		if (nc_gotime_parse(bad[i], &sec, &nsec, &err) != NACRE_E_BADDATA)
			fail_msg("'%s' was read", bad[i]);
		assert_int_equal(nc_gotime_respell(bad[i], text, &err), NACRE_E_BADDATA);
		assert_true(sec == 7 && nsec == 7);
		assert_string_equal(text, "untouched");
	}
}

static void every_day_of_the_calendar_survives(void **state)
{
	struct nacre_error err;
	for (int64_t day = -719528; day <= 2932896; day += 13) {
		int64_t sec;
		uint32_t nsec;
		char text[40];
		nc_gotime_text(day * 86400 + 43199, 0, text);
		assert_done(nc_gotime_parse(text, &sec, &nsec, &err));
		assert_true(sec == day * 86400 + 43199);
	}
}

static void times_beyond_the_calendar_become_its_ends(void **state)
{
	char text[40];
	nc_gotime_text(INT64_MIN, 0, text);
	assert_string_equal(text, "0000-01-01T00:00:00Z");
	nc_gotime_text(INT64_MAX, UINT32_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999999999Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes),
		cmocka_unit_test(refuses),
		cmocka_unit_test(every_day_of_the_calendar_survives),
		cmocka_unit_test(times_beyond_the_calendar_become_its_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
