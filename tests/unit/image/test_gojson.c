#include "../unit.h"

#include "image/gojson.h"

#include <stdio.h>

static json_t *parse(const char *text)
{
	struct nacre_error err;
	json_t *value = NULL;
	assert_done(nc_json_parse(text, strlen(text), "test", &value, &err));
	return value;
}

static void expect_refusal(const char *text, size_t len, int code, const char *reason)
{
	struct nacre_error err = { 0 };
	json_t *value = (json_t *)&err;
	int got = nc_json_parse(text, len, "thing", &value, &err);
	if (got != code || !strstr(err.msg, reason) || strncmp(err.msg, "thing: ", 7) != 0)
		fail_msg("%.60s: %d (%s)", text, got, err.msg);
	assert_ptr_equal(value, &err);
}

static void refuses_what_is_no_json(void **state)
{
	static const char *const bad[] = {
		"{", "}", "[1,]", "{\"a\":1,}", "{a:1}", "{'a':1}", "[01]", "[+1]", "[.5]", "[1.]", "[NaN]", "[nul]", "\"a\"",
		"1", "null", "[1] 2", "[1]]", "[\"\n\"]", "[\"\\x\"]", "[\"\\u12\"]", "[\"\\ud800\"]", "[\"\\u0000\"]",
		"{\"\\u0000\":1}", "[\"\xff\"]", "[\"\xc0\x80\"]", "[\"\xed\xa0\x80\"]", "[\"\xf4\x90\x80\x80\"]",
		"[\"\xe2\x80\"]", "\xef\xbb\xbf{}", "[99999999999999999999]", "[1e999]", "{\"a\":1,\"a\":1}",
		"{\"a\":{\"b\":1,\"c\":2,\"b\":3}}", "{\"\\u0061\":1,\"a\":2}", "// x\n{}", "[1\0]", "   ",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		expect_refusal(bad[i], strlen(bad[i]), NACRE_E_BADDATA, "not valid JSON");
	expect_refusal("", 0, NACRE_E_BADDATA, "empty");
	expect_refusal("[1]\0", 4, NACRE_E_BADDATA, "not valid JSON");
	expect_refusal("[\"a\0b\"]", 7, NACRE_E_BADDATA, "not valid JSON");
	expect_refusal("{\"a\":1,\"a\":1}", 13, NACRE_E_BADDATA, "duplicate");
}

static char *room(size_t size)
{
	char *bytes = malloc(size);
	if (!bytes)
		abort();
	return bytes;
}

static char *repeat(const char *unit, size_t n, const char *middle, const char *end_unit)
{
	size_t a = strlen(unit), m = strlen(middle), b = strlen(end_unit);
	char *text = room(n * (a + b) + m + 1), *at = text;
	for (size_t i = 0; i < n; i++, at += a)
		memcpy(at, unit, a);
	memcpy(at, middle, m);
	at += m;
	for (size_t i = 0; i < n; i++, at += b)
		memcpy(at, end_unit, b);
	*at = '\0';
	return text;
}

static void bounds_the_depth(void **state)
{
	char *fits = repeat("[", 64, "", "]"), *deep = repeat("[", 65, "", "]");
	char *mixed = repeat("{\"a\":[", 33, "1", "]}"), *bomb = repeat("[", 1 << 20, "", "]");
	char *open_only = repeat("{\"\":", 1 << 20, "", "");
	json_decref(parse(fits));
	expect_refusal(deep, strlen(deep), NACRE_E_LIMIT, "64 levels");
	expect_refusal(mixed, strlen(mixed), NACRE_E_LIMIT, "64 levels");
	expect_refusal(bomb, strlen(bomb), NACRE_E_LIMIT, "64 levels");
	expect_refusal(open_only, strlen(open_only), NACRE_E_LIMIT, "64 levels");
	free(fits);
	free(deep);
	free(mixed);
	free(bomb);
	free(open_only);
	/* brackets in strings are no depth */
	char *text = repeat("[[[[{{{{", 100, "", "");
	char *quoted = room(strlen(text) + 12);
	sprintf(quoted, "[\"\\\"%s\\\\\"]", text);
	json_decref(parse(quoted));
	free(text);
	free(quoted);
}

static void bounds_the_number_of_values(void **state)
{
	char *many = repeat("[],", NC_JSON_VALUES_MAX / 2, "[]", ""), *text = room(strlen(many) + 3);
	sprintf(text, "[%s]", many);
	expect_refusal(text, strlen(text), NACRE_E_LIMIT, "values");
	free(many);
	free(text);
	many = repeat("1,", NC_JSON_VALUES_MAX - 1, "1", "");
	text = room(strlen(many) + 3);
	sprintf(text, "[%s]", many);
	json_decref(parse(text));
	free(many);
	free(text);
}

static void bounds_the_size(void **state)
{
	size_t len = 10u << 20;
	char *text = room(len);
	memset(text, ' ', len);
	memcpy(text, "{}", 2);
	expect_refusal(text, len, NACRE_E_LIMIT, "4194304");
	expect_refusal(text, NC_JSON_MAX + 1, NACRE_E_LIMIT, "4194304");
	struct nacre_error err;
	json_t *value = NULL;
	assert_done(nc_json_parse(text, NC_JSON_MAX, "test", &value, &err));
	json_decref(value);
	free(text);
}

static void writes_strings_as_go_does(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *expected;
	} cases[] = {
		{ "", 0, "\"\"" },
		{ "plain", 5, "\"plain\"" },
		{ "a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"" },
		{ "\n\r\t", 3, "\"\\n\\r\\t\"" },
		{ "\b\f\x01\x1f\x7f", 5, "\"\\u0008\\u000c\\u0001\\u001f\x7f\"" },
		{ "a\0b", 3, "\"a\\u0000b\"" },
		{ "<a>&</a>", 8, "\"\\u003ca\\u003e\\u0026\\u003c/a\\u003e\"" },
		{ "x\xe2\x80\xa8y\xe2\x80\xa9z\xe2\x80\xaa", 12, "\"x\\u2028y\\u2029z\xe2\x80\xaa\"" },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x9a", 9, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x9a\"" },
		{ "\xff", 1, "\"\\ufffd\"" },
		{ "a\xc3", 2, "\"a\\ufffd\"" },
		{ "\xc0\x80", 2, "\"\\ufffd\\ufffd\"" },
		{ "\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\"" },
		{ "\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
		{ "\xe2\x80", 2, "\"\\ufffd\\ufffd\"" },
		{ "\xe2\x28\xa1", 3, "\"\\ufffd(\\ufffd\"" },
		{ "\xef\xbf\xbd", 3, "\"\xef\xbf\xbd\"" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nacre_error err;
		NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(1000);
		assert_done(nc_gojson_string(&buf, cases[i].text, cases[i].len, &err));
		assert_string_equal(nc_buf_text(&buf), cases[i].expected);
	}
}

static void writes_values_as_go_does(void **state)
{
	static const struct {
		const char *text, *expected;
		bool sorted;
	} cases[] = {
		{ "{\"b\":1,\"a\":[true,false,null,{}],\"B\":{\"z\":\"<\",\"y\":[]}}",
		  "{\"b\":1,\"a\":[true,false,null,{}],\"B\":{\"z\":\"\\u003c\",\"y\":[]}}", false },
		{ " { \"b\" : 1 , \"a\" : [ 1 ] , \"B\" : { \"z\" : 1, \"y\" : 2 } } ",
		  "{\"B\":{\"y\":2,\"z\":1},\"a\":[1],\"b\":1}", true },
		{ "[9223372036854775807,-9223372036854775808,-0]", "[9223372036854775807,-9223372036854775808,0]", false },
		{ "[0.0,-0.0,1.0,1.5,100.0,-2.25,0.1,0.000001,1e-7,1.5e-9,1e20,1e21,1.25e21,123456789.125]",
		  "[0,-0,1,1.5,100,-2.25,0.1,0.000001,1e-7,1.5e-9,100000000000000000000,1e+21,1.25e+21,123456789.125]",
		  false },
		{ "[1e100,5e-324,1.7976931348623157e308,0.30000000000000004]",
		  "[1e+100,5e-324,1.7976931348623157e+308,0.30000000000000004]", false },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nacre_error err;
		NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(1000);
		NC_CLEANUP(nc_json_auto) json_t *value = parse(cases[i].text);
		assert_done(nc_gojson_value(&buf, value, cases[i].sorted, &err));
		assert_string_equal(nc_buf_text(&buf), cases[i].expected);
	}
}

static void values_made_here_are_bounded_too(void **state)
{
	struct nacre_error err;
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(1000);
	json_t *value = json_array();
	for (int i = 0; i < 100; i++) {
		json_t *outer = json_array();
		json_array_append_new(outer, value);
		value = outer;
	}
	assert_int_equal(nc_gojson_value(&buf, value, false, &err), NACRE_E_LIMIT);
	json_decref(value);
	nc_buf_clear(&buf);
	value = json_string("0123456789");
	buf.max = 11;
	assert_int_equal(nc_gojson_value(&buf, value, false, &err), NACRE_E_LIMIT);
	json_decref(value);
}

static void compacts_as_go_does(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ " { \"a b\" :\t[ 1.50 , 1E5,\n-0 ] }\r\n", "{\"a b\":[1.50,1E5,-0]}" },
		{ "{\"a\":\"\\u00e4\\/ <&>\"}", "{\"a\":\"\\u00e4\\/ \\u003c\\u0026\\u003e\"}" },
		{ "[\"\\\" x\\\\\", \" \\\\\\\" \"]", "[\"\\\" x\\\\\",\" \\\\\\\" \"]" },
		{ "[\"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa\"]", "[\"\\u2028\\u2029\xe2\x80\xaa\"]" },
		{ "\"\"", "\"\"" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nacre_error err;
		NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(1000);
		assert_done(nc_gojson_compact(&buf, cases[i].text, strlen(cases[i].text), &err));
		assert_string_equal(nc_buf_text(&buf), cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_what_is_no_json),
		cmocka_unit_test(bounds_the_depth),
		cmocka_unit_test(bounds_the_number_of_values),
		cmocka_unit_test(bounds_the_size),
		cmocka_unit_test(writes_strings_as_go_does),
		cmocka_unit_test(writes_values_as_go_does),
		cmocka_unit_test(values_made_here_are_bounded_too),
		cmocka_unit_test(compacts_as_go_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
