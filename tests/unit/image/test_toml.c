#include "../unit.h"

#include "image/toml.h"

#include <stdio.h>

static struct nc_toml *parse(const char *text)
{
	struct nacre_error err;
	struct nc_toml *root = NULL;
	assert_done(nc_toml_parse(text, strlen(text), "f", &root, &err));
	return root;
}

/* One value a line, so that whole trees can be compared. */
static void write_tree(const struct nc_toml *value, char *out, size_t size)
{
	size_t used = strlen(out);
	if (value->key)
		used += (size_t)snprintf(out + used, size - used, "%s=", value->key);
	switch (value->type) {
	case NC_TOML_STRING:
		snprintf(out + used, size - used, "'%s' ", value->text);
		return;
	case NC_TOML_INTEGER:
		snprintf(out + used, size - used, "%lld ", (long long)value->number);
		return;
	case NC_TOML_BOOLEAN:
		snprintf(out + used, size - used, "%s ", value->number ? "true" : "false");
		return;
	case NC_TOML_TABLE:
	case NC_TOML_ARRAY:
		snprintf(out + used, size - used, "%s ", value->type == NC_TOML_TABLE ? "{" : "[");
		for (const struct nc_toml *inner = value->first; inner; inner = inner->next)
			write_tree(inner, out, size);
		used = strlen(out);
		snprintf(out + used, size - used, "%s ", value->type == NC_TOML_TABLE ? "}" : "]");
	}
}

static void reads(void **state)
{
	static const struct {
		const char *text, *tree;
	} cases[] = {
		{ "", "{ } " },
		{ "# nothing\n\n \t# more\r\n", "{ } " },
		{ "a = 1\nb=true\r\nc = \"x\" # y", "{ a=1 b=true c='x' } " },
		{ "\xef\xbb\xbf" "a = 1", "{ a=1 } " },
		{ "a = +1_000\nb = -17\nc = 0xff\nd = 0o17\ne = 0b101\nf = 0", "{ a=1000 b=-17 c=255 d=15 e=5 f=0 } " },
		{ "a = 9223372036854775807\nb = -9223372036854775808", "{ a=9223372036854775807 b=-9223372036854775808 } " },
		{ "a = \"\\t\\u00e4\\U0001F600\\\\\\\"\"", "{ a='\t\xc3\xa4\xf0\x9f\x98\x80\\\"' } " },
		{ "a = 'C:\\x'", "{ a='C:\\x' } " },
		{ "a = \"\"\"\nx\n y\"\"\"", "{ a='x\n y' } " },
		{ "a = \"\"\"x \\\n\n   y\"\"\"\"\"\nb = 1", "{ a='x y\"\"' b=1 } " },
		{ "a = '''it''s\\n'''", "{ a='it''s\\n' } " },
		{ "a = [1, 2, # c\n 'x', [true],\n]\nb=[]", "{ a=[ 1 2 'x' [ true ] ] b=[ ] } " },
		{ "a = { x = 1, y.z = 'q' }\nb={}", "{ a={ x=1 y={ z='q' } } b={ } } " },
		{ "a.b.c = 1\na.b.d = 2\n\"a.b\".c = 3", "{ a={ b={ c=1 d=2 } } a.b={ c=3 } } " },
		{ "[a.b]\nx=1\n[a]\ny=2\n[ 'q' . r ]", "{ a={ b={ x=1 } y=2 } q={ r={ } } } " },
		{ "[[r]]\nn=1\n[[r.m]]\nl='a'\n[[r.m]]\nl='b'\n[[r]]\nn=2\n[[r.m]]\nl='c'",
		  "{ r=[ { n=1 m=[ { l='a' } { l='b' } ] } { n=2 m=[ { l='c' } ] } ] } " },
		{ "[a]\nb.c = 1\n[a.d]\ne = 2\n[a.b.f]", "{ a={ b={ c=1 f={ } } d={ e=2 } } } " },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char tree[1024] = "";
		struct nc_toml *root = parse(cases[i].text);
		write_tree(root, tree, sizeof tree);
		assert_string_equal(tree, cases[i].tree);
		nc_toml_free(root);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *reason;
	} cases[] = {
		{ "a", 1, "no '='" },
		{ "a =", 1, "value is expected" },
		{ "\na = x", 2, "text stands in quotes" },
		{ "a = 1 b = 2", 1, "one key and value a line" },
		{ "a = 1\na = 2", 2, "since line 1" },
		{ "a = \"x", 1, "without its end" },
		{ "a = 'x\n'", 1, "ends on its line" },
		{ "a = \"\"\"x\n\n", 3, "without its end" },
		{ "a = \"\\q\"", 1, "escape" },
		{ "a = \"\\u12\"", 1, "hexadecimal" },
		{ "a = \"\\ud800\"", 1, "no character" },
		{ "a = \"\\u0000\"", 1, "no character" },
		{ "a = \"\x01\"", 1, "control" },
		{ "# \x02", 1, "control" },
		{ "a = 1\nb = \"\xff\"", 2, "UTF-8" },
		{ "a = [1 2]", 1, "','" },
		{ "a = [1,\n2", 2, "','" },
		{ "a = { x = 1\n}", 1, "on one line" },
		{ "a = { x = 1, }", 1, "key is expected" },
		{ "a = {x=1, x=2}", 1, "there already" },
		{ "a = 01", 1, "whole" },
		{ "a = 1__0", 1, "whole" },
		{ "a = 1.5", 1, "whole" },
		{ "a = 1979-05-27", 1, "whole" },
		{ "a = 9223372036854775808", 1, "whole" },
		{ "a = 0x", 1, "whole" },
		{ "a = True", 1, "text stands in quotes" },
		{ "[a", 1, "header without its end" },
		{ "[a]]", 1, "behind the end" },
		{ "[[a]", 1, "header without its end" },
		{ "[]", 1, "key is expected" },
		{ "[a]\n[b]\n[a]", 3, "since line 1" },
		{ "a = 1\n[a]", 2, "since line 1" },
		{ "a = [1]\n[[a]]", 2, "since line 1" },
		{ "[[a]]\n[a]", 2, "since line 1" },
		{ "[a]\n[[a]]", 2, "since line 1" },
		{ "a = {x=1}\na.y = 2", 2, "since line 1" },
		{ "a = {x=1}\n[a.b]", 2, "since line 1" },
		{ "[a.b]\n[a]\nb.c = 1", 3, "since line 1" },
		{ "a.b = 1\na.b.c = 2", 2, "since line 1" },
		{ "a.b = 1\n[a]", 2, "since line 1" },
		{ "\"\"\"a\"\"\" = 1", 1, "one line" },
		{ "a = 1\rb = 2", 1, "behind the end" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nacre_error err;
		struct nc_toml *root = NULL;
		char line[32];
		snprintf(line, sizeof line, "f: line %u: ", cases[i].line);
		if (nc_toml_parse(cases[i].text, strlen(cases[i].text), "f", &root, &err) != NACRE_E_BADDATA)
			fail_msg("'%s' was read", cases[i].text);
		if (strncmp(err.msg, line, strlen(line)) != 0 || !strstr(err.msg, cases[i].reason))
			fail_msg("'%s': %s", cases[i].text, err.msg);
	}
}

static void refuses_a_nul(void **state)
{
	struct nacre_error err;
	struct nc_toml *root = NULL;
	assert_int_equal(nc_toml_parse("a = 1\n\0", 7, "f", &root, &err), NACRE_E_BADDATA);
	assert_string_equal(err.msg, "f: line 2: a NUL");
}

/* unit repeated n times behind start. */
static int parse_repeated(const char *start, const char *unit, size_t n)
{
	size_t start_len = strlen(start), unit_len = strlen(unit), len = start_len + n * unit_len;
	struct nacre_error err;
	struct nc_toml *root = NULL;
	char *text = malloc(len + 1);
	assert_non_null(text);
	memcpy(text, start, start_len);
	for (size_t i = 0; i < n; i++)
		memcpy(text + start_len + i * unit_len, unit, unit_len);
	int code = nc_toml_parse(text, len, "f", &root, &err);
	nc_toml_free(root);
	free(text);
	return code;
}

static void has_limits(void **state)
{
	assert_int_equal(parse_repeated("a = ", "[", 17), NACRE_E_LIMIT);
	assert_int_equal(parse_repeated("", "a.", 17), NACRE_E_LIMIT);
	assert_int_equal(parse_repeated("[a", ".a", 17), NACRE_E_LIMIT);
	assert_int_equal(parse_repeated("a = ", "{b=", 17), NACRE_E_LIMIT);
	assert_int_equal(parse_repeated("a = [", "1,", 1 << 16), NACRE_E_LIMIT);
	assert_int_equal(parse_repeated("", "#\n", 1 << 19), 0);
	assert_int_equal(parse_repeated("#", "#\n", 1 << 19), NACRE_E_LIMIT);
	assert_int_equal(parse_repeated("", "k", 1025), NACRE_E_BADDATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads), cmocka_unit_test(refuses), cmocka_unit_test(refuses_a_nul),
		cmocka_unit_test(has_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
