#include "../unit.h"

#include "base/options.h"

struct options {
	size_t size;
	int first, second;
};

static struct nacre_error err;

static void takes_what_is_given(void **state)
{
	struct options given = { sizeof given, 1, 2 }, got;
	assert_int_equal(nc_options_take(&given, &got, sizeof got, &err), 0);
	assert_int_equal(got.first, 1);
	assert_int_equal(got.second, 2);
	assert_int_equal(nc_options_take(NULL, &got, sizeof got, &err), 0);
	assert_int_equal(got.first, 0);
	assert_int_equal(got.second, 0);
}

static void knows_more_or_less_than_the_caller(void **state)
{
	struct options given = { offsetof(struct options, second), 1, 2 };
	struct {
		struct options known;
		int more;
	} longer = { { sizeof longer, 3, 4 }, 5 };
	struct options got;
	assert_int_equal(nc_options_take(&given, &got, sizeof got, &err), 0);
	assert_int_equal(got.first, 1);
	assert_int_equal(got.second, 0);
	assert_int_equal(nc_options_take(&longer, &got, sizeof got, &err), 0);
	assert_int_equal(got.second, 4);
}

static void refuses_options_without_a_size(void **state)
{
	struct options given = { 0, 1, 2 }, got;
	assert_int_equal(nc_options_take(&given, &got, sizeof got, &err), NACRE_E_INVALID);
	assert_string_equal(err.msg, "the options do not say their size");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_is_given),
		cmocka_unit_test(knows_more_or_less_than_the_caller),
		cmocka_unit_test(refuses_options_without_a_size),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
