#include "../unit.h"

#include "progress_json.h"

static void same(char *got, const char *want)
{
	assert_string_equal(got, want);
	free(got);
}

static void steps(void **state)
{
	/* as docker wrote it */
	same(progress_json_step("Buffering to disk", false, 535040, 0, "0123456789ab"),
	     "{\"status\":\"Buffering to disk\",\"progressDetail\":{\"current\":535040},\"progress\":\"  535 kB\","
	     "\"id\":\"0123456789ab\"}");
	same(progress_json_step("loading layer", false, 1061000, 2122000, "0123456789ab"),
	     "{\"status\":\"loading layer\",\"progressDetail\":{\"current\":1061000,\"total\":2122000},"
	     "\"progress\":\"[=========================>                         ] 1.061 MB/2.122 MB\","
	     "\"id\":\"0123456789ab\"}");
	same(progress_json_step("loading layer: done", true, 7, 7, "0123456789ab"),
	     "{\"status\":\"loading layer: done\",\"progressDetail\":{},\"id\":\"0123456789ab\"}");
	same(progress_json_step("beginning", false, 0, 0, ""), "{\"status\":\"beginning\",\"progressDetail\":{\"current\":0}}");
	same(progress_json_step("a \"b\"\n\xff", true, 0, 0, "\x7f"),
	     "{\"status\":\"a \\\"b\\\"\\n\xef\xbf\xbd\",\"progressDetail\":{},\"id\":\"\\u007f\"}");
}

static void bars(void **state)
{
	same(progress_json_bar(0, 0), "");
	same(progress_json_bar(999, 0), "   999 B");
	same(progress_json_bar(1000, 0), "    1 kB");
	same(progress_json_bar(12345678, 0), "12.35 MB");
	same(progress_json_bar(0, 100), "[>                                                  ]      0 B/100 B");
	same(progress_json_bar(1, 100), "[>                                                  ]      1 B/100 B");
	same(progress_json_bar(2, 100), "[=>                                                 ]      2 B/100 B");
	same(progress_json_bar(100, 100), "[==================================================>]    100 B/100 B");
	same(progress_json_bar(200, 100), "[==================================================>]    200 B/100 B");
	same(progress_json_bar(UINT64_MAX, 0), "18.45 EB");
}

static void errors(void **state)
{
	same(progress_json_error("no image 'x'"), "{\"errorDetail\":{\"message\":\"no image 'x'\"},\"error\":\"no image 'x'\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(steps), cmocka_unit_test(bars), cmocka_unit_test(errors) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
