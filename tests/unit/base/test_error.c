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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_disk_has_its_own_code),
		cmocka_unit_test(context_goes_in_front),
		cmocka_unit_test(terminals_are_safe_from_names),
		cmocka_unit_test(long_sentences_end_in_dots),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
