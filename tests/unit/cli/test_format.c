#include "../unit.h"

#include "format.h"
#include "json_out.h"

static json_t *sample(void)
{
	return must(json_loads("{\"id\":\"sha256:ab\",\"repo_tags\":[\"a:1\",\"b:2\"],\"size\":12,\"none\":null,"
			       "\"config\":{\"labels\":{\"x\":\"1\",\"y.z\":\"2\"},\"cmd\":[],\"env\":[\"P=/\"]},"
			       "\"yes\":true,\"no\":false}", 0, NULL));
}

static void gives(const char *template, const char *expected)
{
	AUTO_TEXT struct text to = { .data = NULL };
	char *error = NULL;
	struct format *format = format_parse(template, &error);
	json_t *value = sample();

	if (!format)
		fail_msg("%s: %s", template, error);
	if (format_run(format, value, &to, &error) < 0)
		fail_msg("%s: %s", template, error);
	assert_string_equal(text_get(&to), expected);
	format_free(format);
	json_decref(value);
}

/* part: must be in the sentence. */
static void refuses(const char *template, const char *part)
{
	AUTO_TEXT struct text to = { .data = NULL };
	AUTO_FREE char *error = NULL;
	struct format *format = format_parse(template, &error);
	json_t *value = sample();

	if (format && format_run(format, value, &to, &error) == 0)
		fail_msg("'%s' was taken", template);
	assert_non_null(error);
	if (!strstr(error, part))
		fail_msg("'%s' is not in: %s", part, error);
	format_free(format);
	json_decref(value);
}

static void test_fields(void **state)
{
	gives("plain", "plain");
	gives("{{.id}}", "sha256:ab");
	gives("{{ .Id }}:{{.ID}}", "sha256:ab:sha256:ab");
	gives("{{.RepoTags}}", "[a:1 b:2]");
	gives("{{.Size}} {{.Yes}} {{.no}}", "12 true false");
	gives("{{.Config.Labels}}", "map[x:1 y.z:2]");
	gives("{{.Config.Labels.x}}{{.Config.Labels.missing}}", "1");
	gives("{{.None}}|{{.None.Deeper}}", "|");
	gives("a\\tb\\nc", "a\tb\nc");
	gives("{{\"a\\tb\"}}", "a\tb");
}

static void test_functions(void **state)
{
	gives("{{json .RepoTags}}", "[\"a:1\",\"b:2\"]");
	gives("{{.Config.Cmd | json}}", "[]");
	gives("{{json .Id}}", "\"sha256:ab\"");
	gives("{{len .RepoTags}} {{len .Id}} {{len .Config.Labels}} {{len .none}}", "2 9 2 0");
	gives("{{index .RepoTags 1}}", "b:2");
	gives("{{index .Config.Labels \"y.z\"}}{{index .Config.Labels \"no\"}}", "2");
	gives("{{join .RepoTags \", \"}}", "a:1, b:2");
	gives("{{upper .Id}} {{.Id | upper | lower}}", "SHA256:AB sha256:ab");
	gives("{{println .Size}}", "12\n");
	gives("{{eq .Size 12}} {{ne .Id \"x\"}} {{not .Yes}}", "true true false");
	gives("{{or .none .Id}} {{and .Yes .Size}}", "sha256:ab 12");
	gives("{{len (index .RepoTags 0)}}", "3");
}

static void test_blocks(void **state)
{
	gives("{{if .Yes}}a{{end}}", "a");
	gives("{{if .No}}a{{else}}b{{end}}", "b");
	gives("{{if .No}}a{{else if .Size}}b{{else}}c{{end}}", "b");
	gives("{{if .No}}a{{else if .None}}b{{else}}c{{end}}", "c");
	gives("{{if .No}}a{{else if .None}}b{{end}}z", "z");
	gives("{{range .RepoTags}}<{{.}}>{{end}}", "<a:1><b:2>");
	gives("{{range .Config.Cmd}}x{{else}}empty{{end}}", "empty");
	gives("{{range .Config.Cmd}}x{{end}}.", ".");
	gives("{{range $i, $t := .RepoTags}}{{$i}}={{$t}} {{end}}", "0=a:1 1=b:2 ");
	gives("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "x=1;y.z=2;");
	gives("{{range .RepoTags}}{{$.Size}}{{range $.Config.Env}}{{.}}{{end}}{{end}}", "12P=/12P=/");
	gives("{{range .RepoTags}}{{if eq . \"a:1\"}}first{{else}}other{{end}} {{end}}", "first other ");
	gives("{{with .Config}}{{index .Env 0}}{{end}}{{with .None}}x{{else}}none{{end}}", "P=/none");
	gives("{{with .Config.Labels}}{{.x}}{{index . \"missing\"}}{{end}}", "1");
	gives("{{$x := .Size}}{{$x}}", "12");
	gives("a {{- /* nothing */ -}} b", "ab");
	gives("x  {{- .Size -}}  y", "x12y");
	gives("{{\"}}\"}}", "}}");
}

static void test_mistakes(void **state)
{
	refuses("{{.Nope}}", "there is no field .Nope; there are .id .repo_tags");
	refuses("{{.Config.Nope}}", ".labels .cmd .env");
	refuses("{{.Id.x}}", "no fields");
	refuses("{{.Id", "'}}' is missing");
	refuses("{{if .Yes}}", "'{{end}}' is missing");
	refuses("{{end}}", "an end without");
	refuses("{{else}}", "an else without");
	refuses("{{if .Yes}}{{else}}{{else}}{{end}}", "an else without");
	refuses("{{}}", "missing");
	refuses("{{nope .}}", "cannot be understood");
	refuses("{{len}}", "wrong number");
	refuses("{{len .Size}}", "no length");
	refuses("{{index .RepoTags 2}}", "no element 2");
	refuses("{{index .RepoTags \"x\"}}", "takes a list");
	refuses("{{range .Size}}{{end}}", "is no list");
	refuses("{{$y}}", "no variable $y");
	refuses("{{\"open}}", "'}}' is missing");
	refuses("{{(.Id}}", "')' is missing");
	refuses("{{.Id .Size}}", "no such function");
	refuses("{{((((((((((.Id))))))))))}}", "too many parentheses");
	refuses("{{.Id)}}", "too much");
	refuses("{{if .Yes}}{{if .Yes}}{{if .Yes}}{{if .Yes}}{{if .Yes}}{{if .Yes}}{{if .Yes}}{{if .Yes}}{{if .Yes}}"
		"{{if .Yes}}{{if .Yes}}{{if .Yes}}{{if .Yes}}{{if .Yes}}{{if .Yes}}{{if .Yes}}{{if .Yes}}", "too deep");
}

/* Variables of a body must not pile up from one turn to the next. */
static void test_many_turns(void **state)
{
	AUTO_TEXT struct text to = { .data = NULL };
	char *error = NULL;
	struct format *format = format_parse("{{range .}}{{$a := .}}{{if $a}}{{$b := $a}}{{$b}}{{end}}{{end}}", &error);
	json_t *numbers = json_array();

	for (int i = 0; i < 100; i++)
		json_array_append_new(numbers, json_integer(1));
	assert_non_null(format);
	assert_int_equal(format_run(format, numbers, &to, &error), 0);
	assert_int_equal(to.len, 100);
	format_free(format);
	json_decref(numbers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),	 cmocka_unit_test(test_functions), cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_mistakes), cmocka_unit_test(test_many_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
