#include "../unit.h"

#include "base/map.h"

#include <stdio.h>

static void finds_what_was_set(void **state)
{
	struct nacre_error err;
	NC_CLEANUP(nc_map_auto) struct nc_map *map = nc_map_new();
	int one = 1, two = 2;
	void *old = &two;
	assert_null(nc_map_get(map, "a", 1));
	assert_done(nc_map_set(map, "a", 1, &one, &old, &err));
	assert_null(old);
	assert_done(nc_map_set(map, "a", 1, &two, &old, &err));
	assert_ptr_equal(old, &one);
	assert_ptr_equal(nc_map_get(map, "a", 1), &two);
	assert_null(nc_map_get(map, "a\0", 2));
	assert_int_equal(nc_map_count(map), 1);
}

static void survives_many_removals(void **state)
{
	struct nacre_error err;
	enum { many = 5000 };
	static int values[many];
	NC_CLEANUP(nc_map_auto) struct nc_map *map = nc_map_new();
	char key[16];
	for (int i = 0; i < many; i++) {
		int len = snprintf(key, sizeof key, "key%d", i);
		assert_done(nc_map_set(map, key, (size_t)len, &values[i], NULL, &err));
	}
	for (int i = 0; i < many; i += 2) {
		int len = snprintf(key, sizeof key, "key%d", i);
		assert_ptr_equal(nc_map_take(map, key, (size_t)len), &values[i]);
		assert_null(nc_map_take(map, key, (size_t)len));
	}
	assert_int_equal(nc_map_count(map), many / 2);
	for (int i = 0; i < many; i++) {
		int len = snprintf(key, sizeof key, "key%d", i);
		assert_ptr_equal(nc_map_get(map, key, (size_t)len), i % 2 ? &values[i] : NULL);
	}
}

static int count_until_three(void *ctx, const char *key, size_t len, void *value)
{
	return ++*(int *)ctx == 3 ? 7 : 0;
}

static void each_stops_when_told(void **state)
{
	struct nacre_error err;
	NC_CLEANUP(nc_map_auto) struct nc_map *map = nc_map_new();
	for (char c = 'a'; c < 'k'; c++)
		assert_done(nc_map_set(map, &c, 1, map, NULL, &err));
	int seen = 0;
	assert_int_equal(nc_map_each(map, count_until_three, &seen), 7);
	assert_int_equal(seen, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_set),
		cmocka_unit_test(survives_many_removals),
		cmocka_unit_test(each_stops_when_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
