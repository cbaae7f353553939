#include "../unit.h"

#include "image/auth_file.h"

#include <stdio.h>

static struct nc_auth_file *parse(const char *text, bool old_form)
{
	struct nacre_error err;
	struct nc_auth_file *file = NULL;
	assert_done(nc_auth_file_parse(text, strlen(text), "f", old_form, &file, &err));
	return file;
}

/* user NULL: nothing is to be found. */
static void expect(const struct nc_auth_file *file, const char *host, const char *path, const char *user,
		   const char *password)
{
	struct nacre_error err;
	struct nc_auth auth = { 0 };
	int code = nc_auth_file_find(file, host, path, &auth, &err);
	assert_done(code);
	assert_int_equal(code, user != NULL);
	if (user) {
		assert_string_equal(auth.user, user);
		assert_string_equal(auth.password, password);
	}
	nc_auth_release(&auth);
}

static const char several[] =
	"{\"auths\": {"
	" \"q.io/team/app\": {\"auth\": \"YTox\"}, \"q.io/team\": {\"auth\": \"Yjoy\"}, \"q.io\": {\"auth\": \"YzozOjQ=\"},"
	" \"https://index.docker.io/v1/\": {\"auth\": \"YToxAAA=\"}, \"http://h.io\": {\"auth\": \"Yjoy\"},"
	" \"none.io\": {}, \"user.io\": {\"auth\": \"YQ==\"}, \"t.io\": {\"auth\": \"YTo=\", \"identitytoken\": \"tok\"},"
	" \"c.io:5000\": {\"auth\": \"Yjoy\"}},"
	" \"credHelpers\": {\"help.io\": \"pass\", \"https://u.io/\": \"x\", \"no.io\": \"\"}, \"credsStore\": \"desk\","
	" \"other\": [1, {\"x\": null}]}";

static void the_most_specific_entry_counts(void **state)
{
	struct nc_auth_file *file = parse(several, false);
	expect(file, "q.io", "team/app", "a", "1");
	expect(file, "q.io", "team/app/sub", "a", "1");
	expect(file, "q.io", "team/apple", "b", "2");
	expect(file, "q.io", "other", "c", "3:4");
	expect(file, "q.io", "", "c", "3:4");
	expect(file, "docker.io", "library/x", "a", "1");
	expect(file, "h.io", "x", "b", "2");
	expect(file, "c.io:5000", "x", "b", "2");
	expect(file, "c.io", "x", NULL, NULL);
	expect(file, "none.io", "x", NULL, NULL);
	expect(file, "user.io", "x", NULL, NULL);
	expect(file, "nowhere.io", "x", NULL, NULL);
	nc_auth_file_free(file);
}

static void tokens_and_helpers(void **state)
{
	struct nacre_error err;
	struct nc_auth auth = { 0 };
	const char *key = NULL;
	struct nc_auth_file *file = parse(several, false);
	assert_int_equal(nc_auth_file_find(file, "t.io", "x", &auth, &err), 1);
	assert_string_equal(auth.identity_token, "tok");
	assert_string_equal(auth.user, "a");
	nc_auth_release(&auth);
	assert_string_equal(nc_auth_file_helper(file, "help.io", &key), "pass");
	assert_string_equal(nc_auth_file_helper(file, "u.io", &key), "x");
	assert_string_equal(key, "https://u.io/");
	assert_null(nc_auth_file_helper(file, "no.io", &key));
	assert_string_equal(nc_auth_file_store(file), "desk");
	nc_auth_file_free(file);
}

static void the_old_form_has_urls(void **state)
{
	struct nc_auth_file *file = parse("{\"https://h.io/v1/\": {\"auth\": \"YTox\", \"email\": \"x\"}}", true);
	expect(file, "h.io", "x/y", "a", "1");
	expect(file, "docker.io", "x", NULL, NULL);
	nc_auth_file_free(file);
	file = parse(" \n", false);
	expect(file, "h.io", "x", NULL, NULL);
	nc_auth_file_free(file);
}

static void changes_keep_what_they_do_not_mean(void **state)
{
	struct nacre_error err;
	struct nc_auth_file *file = parse(several, false);
	char user[] = "new", password[] = "se:cret";
	char *text = NULL;
	assert_done(nc_auth_file_set(file, "docker.io", &(struct nc_auth){ .user = user, .password = password }, &err));
	assert_int_equal(nc_auth_file_remove(file, "q.io/team"), 1);
	assert_int_equal(nc_auth_file_remove(file, "nowhere.io"), 0);
	assert_int_equal(nc_auth_file_remove(file, "h.io"), 1);
	assert_done(nc_auth_file_text(file, &text, &err));
	nc_auth_file_free(file);
	file = parse(text, false);
	expect(file, "docker.io", "x", "new", "se:cret");
	expect(file, "q.io", "team/x", "c", "3:4");
	expect(file, "h.io", "x", NULL, NULL);
	assert_string_equal(nc_auth_file_store(file), "desk");
	assert_non_null(strstr(text, "\"other\""));
	assert_null(strstr(text, "index.docker.io"));
	assert_int_equal(nc_auth_file_clear(file), 7);
	expect(file, "q.io", "", NULL, NULL);
	nc_auth_file_free(file);
	free(text);
	file = parse("", false);
	assert_done(nc_auth_file_set(file, "a.io", &(struct nc_auth){ .identity_token = password }, &err));
	assert_done(nc_auth_file_text(file, &text, &err));
	assert_non_null(strstr(text, "\"identitytoken\": \"se:cret\""));
	free(text);
	nc_auth_file_free(file);
}

static void refuses(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{ "{\n\n\"auths\": }", "f: not valid JSON: unexpected token at byte 13, line 3" },
		{ "[]", "f: must be a JSON object" },
		{ "{\"auths\": []}", "f: auths must be an object" },
		{ "{\"auths\": {\"a\": 1}}", "f: auths of 'a' must be an object" },
		{ "{\"credHelpers\": {\"a\": {}}}", "f: credHelpers of 'a' must be a string" },
		{ "{\"credHelpers\": {\"a\": \"../x\"}}", "f: credHelpers of 'a' is no name of a helper" },
		{ "{\"credsStore\": 1}", "f: credsStore must be the name of a helper" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nacre_error err;
		struct nc_auth_file *file = NULL;
		int code = nc_auth_file_parse(cases[i].text, strlen(cases[i].text), "f", false, &file, &err);
		assert_int_equal(code, NACRE_E_BADDATA);
		assert_string_equal(err.msg, cases[i].reason);
	}
}

static void refuses_an_entry_when_it_is_meant(void **state)
{
	struct nacre_error err;
	struct nc_auth auth = { 0 };
	struct nc_auth_file *file =
		parse("{\"auths\": {\"a.io\": {\"auth\": \"%%%\"}, \"b.io\": {\"auth\": 7}, \"c.io\": {\"auth\": \"YQBiOmM=\"}}}", false);
	assert_int_equal(nc_auth_file_find(file, "a.io", "x", &auth, &err), NACRE_E_BADDATA);
	assert_string_equal(err.msg, "f: auth of 'a.io' is no base64 of a user and a password");
	assert_int_equal(nc_auth_file_find(file, "b.io", "x", &auth, &err), NACRE_E_BADDATA);
	assert_int_equal(nc_auth_file_find(file, "c.io", "x", &auth, &err), NACRE_E_BADDATA);
	expect(file, "d.io", "x", NULL, NULL);
	nc_auth_file_free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_most_specific_entry_counts), cmocka_unit_test(tokens_and_helpers),
		cmocka_unit_test(the_old_form_has_urls), cmocka_unit_test(changes_keep_what_they_do_not_mean),
		cmocka_unit_test(refuses), cmocka_unit_test(refuses_an_entry_when_it_is_meant),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
