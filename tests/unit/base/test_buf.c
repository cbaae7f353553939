#include "../unit.h"

#include "base/buf.h"

static void grows_and_stays_terminated(void **state)
{
	struct nacre_error err;
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(1000);
	assert_string_equal(nc_buf_text(&buf), "");
	for (int i = 0; i < 50; i++)
		assert_done(nc_buf_addf(&buf, &err, "%02d,", i));
	assert_int_equal(buf.len, 150);
	assert_int_equal(strlen(nc_buf_text(&buf)), 150);
	nc_buf_clear(&buf);
	assert_string_equal(nc_buf_text(&buf), "");
}

static void refuses_more_than_its_maximum(void **state)
{
	struct nacre_error err;
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(4);
	assert_done(nc_buf_add(&buf, "abcd", 4, &err));
	assert_int_equal(nc_buf_add(&buf, "e", 1, &err), NACRE_E_LIMIT);
	assert_int_equal(nc_buf_add(&buf, "e", SIZE_MAX, &err), NACRE_E_LIMIT);
	assert_string_equal(nc_buf_text(&buf), "abcd");
}

static void gives_its_bytes_away(void **state)
{
	struct nacre_error err;
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(10);
	char *empty = nc_buf_give(&buf);
	assert_string_equal(empty, "");
	free(empty);
	assert_done(nc_buf_add_text(&buf, "x", &err));
	char *given = nc_buf_give(&buf);
	assert_string_equal(given, "x");
	assert_int_equal(buf.len, 0);
	free(given);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_stays_terminated),
		cmocka_unit_test(refuses_more_than_its_maximum),
		cmocka_unit_test(gives_its_bytes_away),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
