#include "../unit.h"

#include "human.h"

static void size_is(uint64_t bytes, const char *expected)
{
	char buf[HUMAN_MAX];

	assert_string_equal(human_size(buf, bytes), expected);
}

static void test_sizes(void **state)
{
	size_is(0, "0B");
	size_is(999, "999B");
	size_is(1000, "1kB");
	size_is(13256, "13.3kB");
	size_is(126675968, "127MB");
	size_is(999499999, "999MB");
	size_is(999500000, "1GB");
	size_is(1060000000, "1.06GB");
	size_is(UINT64_MAX, "18.4EB");
}

static void duration_is(int64_t seconds, const char *expected)
{
	char buf[HUMAN_MAX];

	assert_string_equal(human_duration(buf, seconds), expected);
}

static void test_durations(void **state)
{
	enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };

	duration_is(0, "Less than a second");
	duration_is(1, "1 second");
	duration_is(59, "59 seconds");
	duration_is(MINUTE, "About a minute");
	duration_is(2 * MINUTE, "2 minutes");
	duration_is(HOUR, "About an hour");
	duration_is(47 * HOUR, "47 hours");
	duration_is(2 * DAY, "2 days");
	duration_is(14 * DAY, "2 weeks");
	duration_is(21 * DAY, "3 weeks");
	duration_is(60 * DAY, "2 months");
	duration_is(730 * DAY, "2 years");
}

static void test_times(void **state)
{
	char buf[HUMAN_MAX];

	assert_string_equal(human_ago(buf, 1000, 1000 + 21 * 86400), "3 weeks ago");
	assert_string_equal(human_ago(buf, 1000 + 2 * 86400, 1000), "in 2 days");
	assert_string_equal(human_ago(buf, INT64_MAX, 1000), "in 146235604338 years");
	assert_string_equal(human_ago(buf, INT64_MIN, 1000), "N/A");
	assert_string_equal(human_ago(buf, INT64_C(-62135596800), 1000), "N/A");
	assert_string_equal(human_rfc3339(buf, 1704067200, 0), "2024-01-01T00:00:00Z");
	assert_string_equal(human_rfc3339(buf, 1704067200, 120000000), "2024-01-01T00:00:00.12Z");
	assert_string_equal(human_rfc3339(buf, 1704067200, 1), "2024-01-01T00:00:00.000000001Z");
	assert_string_equal(human_rfc3339(buf, INT64_MIN, 0), "");
	assert_string_equal(human_rfc3339(buf, INT64_MAX, 0), "");
	assert_string_equal(human_created_at(buf, 1704067200), "2024-01-01 00:00:00 +0000 UTC");
	assert_string_equal(human_created_at(buf, INT64_MIN), "N/A");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
