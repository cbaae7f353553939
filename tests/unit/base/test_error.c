#include "../unit.h"

#include <errno.h>

static void a_full_disk_has_its_own_code(void **state)
{
	struct nacre_error err;
	assert_int_equal(nc_fail(&err, NACRE_E_IO, ENOSPC, "write '%s'", "x"), NACRE_E_NOSPACE);
	assert_string_equal(err.msg, "write 'x': No space left on device");
	assert_int_equal(nc_fail(NULL, NACRE_E_IO, EDQUOT, "x"), NACRE_E_NOSPACE);
	assert_int_equal(nc_fail(&err, NACRE_E_CORRUPT, ENOSPC, "x"), NACRE_E_CORRUPT);
}

static void context_goes_in_front(void **state)
{
	struct nacre_error err;
	int code = nc_fail(&err, NACRE_E_DIGEST, 0, "expected a, got b");
	assert_int_equal(nc_wrap(&err, code, "layer %d", 3), NACRE_E_DIGEST);
	assert_string_equal(err.msg, "layer 3: expected a, got b");
}

static void terminals_are_safe_from_names(void **state)
{
	struct nacre_error err;
	nc_fail(&err, NACRE_E_BADDATA, 0, "name '%s'", "a\033[2Jb\nc");
	assert_string_equal(err.msg, "name 'a?[2Jb?c'");
}

static void long_sentences_end_in_dots(void **state)
{
	struct nacre_error err;
	char big[2000];
	memset(big, 'a', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	nc_fail(&err, NACRE_E_INVALID, ENOENT, "%s", big);
	assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
	assert_string_equal(err.msg + sizeof err.msg - 4, "...");
	nc_wrap(&err, NACRE_E_INVALID, "context");
	assert_memory_equal(err.msg, "context: aaa", 12);
	assert_string_equal(err.msg + sizeof err.msg - 4, "...");
}

/* At every length of what stands before, so that every cut is tried. */
static void a_cut_leaves_whole_characters(void **state)
{
	static const char *const characters[] = { "\u00e9", "\u20ac", "\U0001f600" };
	struct nacre_error err;
	for (size_t c = 0; c < 3; c++) {
		for (size_t pad = 0; pad < 8; pad++) {
			char big[2000] = "";
			size_t width = strlen(characters[c]);
			memset(big, 'a', pad);
			for (size_t at = pad; at + width < sizeof big; at += width)
				memcpy(big + at, characters[c], width + 1);
			for (int wrapped = 0; wrapped < 2; wrapped++) {
				nc_fail(&err, NACRE_E_INVALID, 0, "%s", big);
				if (wrapped)
					nc_wrap(&err, NACRE_E_INVALID, "%s", "in");
				size_t len = strlen(err.msg), from = pad + (wrapped ? strlen("in: ") : 0);
				assert_true(len > sizeof err.msg - 8 && len < sizeof err.msg);
				assert_string_equal(err.msg + len - 3, "...");
				assert_null(strchr(err.msg, '?'));
				assert_int_equal((len - 3 - from) % width, 0);
			}
		}
	}
}

static void what_is_no_utf8_is_marked(void **state)
{
	static const char *const cases[][2] = {
		{ "caf\xe9", "caf?" }, { "\xc3", "?" }, { "\xe2\x82", "??" }, { "\xe2\x82x", "??x" },
		{ "\xc0\xaf", "??" }, { "\xe0\x80\xaf", "???" }, { "\xed\xa0\x80", "???" },
		{ "\xf4\x90\x80\x80", "????" }, { "\xff", "?" }, { "\xc2\x9b" "2J", "??2J" },
		{ "\u00e9\u20ac\U0001f600\u00a0", "\u00e9\u20ac\U0001f600\u00a0" },
		{ "\xef\xbf\xbd\xf4\x8f\xbf\xbf", "\xef\xbf\xbd\xf4\x8f\xbf\xbf" },
	};
	struct nacre_error err;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		nc_fail(&err, NACRE_E_BADDATA, 0, "%s", cases[i][0]);
		assert_string_equal(err.msg, cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_disk_has_its_own_code),
		cmocka_unit_test(context_goes_in_front),
		cmocka_unit_test(terminals_are_safe_from_names),
		cmocka_unit_test(long_sentences_end_in_dots),
		cmocka_unit_test(a_cut_leaves_whole_characters),
		cmocka_unit_test(what_is_no_utf8_is_marked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
