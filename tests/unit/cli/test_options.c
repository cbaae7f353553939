#include "../unit.h"

#include "mem.h"
#include "options.h"

static const struct option_spec own[] = {
	{ .letter = 'q', .name = "quiet", .help = "" },
	{ .letter = 'o', .name = "output", .arg = "FILE", .help = "" },
	{ .name = "filter", .arg = "KEY=VALUE", .help = "", .many = true },
	{ .name = "mode", .arg = "MODE", .help = "", .choices = "auto|tty|none" },
	{ .letter = 'h', .name = "human", .help = "" },
	{ .name = NULL },
};

static const struct option_spec common[] = {
	{ .name = "root", .arg = "DIR", .help = "" },
	{ .letter = 'h', .name = "help", .help = "" },
	{ .name = NULL },
};

static void test_values(void **state)
{
	struct args args;
	char *error = NULL;
	char *argv[] = { (char *)"x", (char *)"one", (char *)"-qo", (char *)"file", (char *)"--filter=a=b",
			 (char *)"two", (char *)"--filter", (char *)"c", (char *)"--root", (char *)"/r", (char *)"-h",
			 (char *)"--", (char *)"-q", NULL };

	assert_int_equal(args_parse(&args, 13, argv, own, common, false, &error), 0);
	assert_true(args_flag(&args, "quiet"));
	assert_string_equal(args_text(&args, "output"), "file");
	assert_string_equal(args_texts(&args, "filter")[0], "a=b");
	assert_string_equal(args_texts(&args, "filter")[1], "c");
	assert_null(args_texts(&args, "filter")[2]);
	assert_string_equal(args_text(&args, "filter"), "c");
	assert_string_equal(args_text(&args, "root"), "/r");
	assert_null(args_text(&args, "mode"));
	/* the command's own letter wins */
	assert_true(args_flag(&args, "human"));
	assert_false(args_flag(&args, "help"));
	assert_true(args_has(&args, "root"));
	assert_false(args_has(&args, "json"));
	assert_int_equal(args.operand_count, 3);
	assert_string_equal(args.operands[0], "one");
	assert_string_equal(args.operands[2], "-q");
	args_release(&args);
}

static void test_stop(void **state)
{
	struct args args;
	char *error = NULL;
	char *argv[] = { (char *)"x", (char *)"--root", (char *)"/r", (char *)"load", (char *)"-z", NULL };

	assert_int_equal(args_parse(&args, 5, argv, NULL, common, true, &error), 0);
	assert_int_equal(args.operand_count, 2);
	assert_string_equal(args.operands[0], "load");
	args_release(&args);
}

static void refuses(const char *word, const char *next, const char *expected)
{
	struct args args;
	char *error = NULL;
	char *argv[] = { (char *)"x", (char *)word, (char *)next, NULL };

	assert_int_equal(args_parse(&args, next ? 3 : 2, argv, own, common, false, &error), -1);
	assert_string_equal(error, expected);
	free(error);
}

static void test_mistakes(void **state)
{
	refuses("--ouptut", NULL, "unknown option '--ouptut'; did you mean '--output'?");
	refuses("--nothing-like-it", NULL, "unknown option '--nothing-like-it'");
	refuses("-z", NULL, "unknown option '-z'");
	refuses("--output", NULL, "option '--output' needs a value");
	refuses("-o", NULL, "option '-o' needs a value");
	refuses("--quiet=1", NULL, "option '--quiet' takes no value");
	refuses("--h", NULL, "option '--h' is ambiguous");
	refuses("--mode", "color", "--mode takes auto, tty or none, not 'color'");
	refuses("--mode", "aut", "--mode takes auto, tty or none, not 'aut'");
	refuses("--mode", "", "--mode takes auto, tty or none, not ''");
}

static void test_distance(void **state)
{
	assert_int_equal(text_distance("load", "load"), 0);
	assert_int_equal(text_distance("laod", "load"), 2);
	assert_int_equal(text_distance("", "load"), 4);
	assert_int_equal(text_distance("loads", "load"), 1);
	assert_int_equal(text_distance("kitten", "sitting"), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_distance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
