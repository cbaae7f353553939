#include "../unit.h"

#include "image/users.h"

#include <stdio.h>

static struct nacre_error err;

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "\n"
			     "short:x\n"
			     "bad:x:-1:5::/bad:\n"
			     "web:x:1000:100:Web:/home/web:/bin/sh\n"
			     "7:x:8:9::/seven:\n"
			     "large:x:4294967294:4294967294::/large:\n"
			     "last:x:12:13::/last";
static const char group[] = "root:x:0:\nusers:x:100:web\nwheel:x:10:root,web\nwheel2:x:10:web\nnothing\nbad:x:y:web\n"
			    "webs:x:11:webby,we,web2\n200:x:201:";

static void expect(const char *user, uint32_t uid, uint32_t gid, const char *home, const char *groups)
{
	struct nc_user found;
	char text[100] = "";
	assert_done(nc_user_find(user, passwd, group, &found, &err));
	assert_int_equal(found.uid, uid);
	assert_int_equal(found.gid, gid);
	assert_string_equal(found.home, home);
	for (size_t i = 0; i < found.group_count; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%u ", (unsigned)found.groups[i]);
	assert_string_equal(text, groups);
}

static void names_and_numbers(void **state)
{
	expect("", 0, 0, "/root", "10 ");
	expect("root", 0, 0, "/root", "10 ");
	expect("web", 1000, 100, "/home/web", "100 10 ");
	expect("1000", 1000, 100, "/home/web", "100 10 ");
	expect("4242", 4242, 0, "", "");
	expect("7", 8, 9, "/seven", "");
	expect("8", 8, 9, "/seven", "");
	expect("large", 4294967294u, 4294967294u, "/large", "");
	expect("last", 12, 13, "/last", "");
	expect("web:wheel", 1000, 10, "/home/web", "");
	expect("web:55", 1000, 55, "/home/web", "");
	expect(":200", 0, 201, "/root", "");
	struct nc_user found;
	assert_done(nc_user_find("5:6", NULL, NULL, &found, &err));
	assert_int_equal(found.uid, 5);
	assert_int_equal(found.gid, 6);
	assert_done(nc_user_find("", NULL, NULL, &found, &err));
	assert_int_equal(found.uid, 0);
}

static void who_is_not_there(void **state)
{
	struct nc_user found = { .uid = 77 };
	assert_int_equal(nc_user_find("nobody", passwd, group, &found, &err), NACRE_E_NOTFOUND);
	assert_int_equal(nc_user_find("bad", passwd, group, &found, &err), NACRE_E_NOTFOUND);
	assert_int_equal(nc_user_find("short", passwd, group, &found, &err), NACRE_E_NOTFOUND);
	assert_int_equal(nc_user_find("web:nobody", passwd, group, &found, &err), NACRE_E_NOTFOUND);
	assert_int_equal(nc_user_find("web:bad", passwd, group, &found, &err), NACRE_E_NOTFOUND);
	assert_int_equal(nc_user_find("4294967295", passwd, group, &found, &err), NACRE_E_NOTFOUND);
	assert_int_equal(nc_user_find("99999999999", passwd, group, &found, &err), NACRE_E_NOTFOUND);
	assert_int_equal(nc_user_find("web:", passwd, group, &found, &err), NACRE_E_INVALID);
	assert_int_equal(nc_user_find("1:2:3", passwd, group, &found, &err), NACRE_E_INVALID);
	assert_int_equal(nc_user_find("root", NULL, NULL, &found, &err), NACRE_E_NOTFOUND);
	assert_int_equal(found.uid, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_numbers),
		cmocka_unit_test(who_is_not_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
