#include "../unit.h"

#include "image/config.h"
#include "image/gojson.h"

#include <stdio.h>

#define HEX(c) c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define DIFF_A "sha256:" HEX("aa")
#define DIFF_B "sha256:" HEX("bb")
#define ROOTFS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIFF_A "\",\"" DIFF_B "\"]}"
#define EMPTY_ROOTFS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}"

static int parse(const char *text, struct nc_config **ret, struct nacre_error *err)
{
	return nc_config_parse(text, strlen(text), ret, err);
}

static void expect_list(char **list, size_t n, const char *const *expected)
{
	for (size_t i = 0; i < n; i++) {
		assert_non_null(list[i]);
		assert_string_equal(list[i], expected[i]);
	}
	assert_null(list[n]);
}

static void reads_all_that_a_runtime_asks_for(void **state)
{
	struct nacre_error err;
	NC_CLEANUP(nc_config_auto) struct nc_config *config = NULL;
	char text[NC_DIGEST_TEXT];
	assert_done(parse("{\"architecture\":\"arm64\",\"variant\":\"v8\",\"os\":\"linux\",\"os.version\":\"1\","
			  "\"author\":\"A <a@b>\",\"created\":\"2015-07-21T05:32:14.5+02:00\","
			  "\"config\":{\"User\":\"1:2\",\"WorkingDir\":\"/w\",\"StopSignal\":\"SIGINT\",\"Env\":[\"A=1\",\"B=\"],"
			  "\"Cmd\":[\"sh\",\"-c\",\"\"],\"Entrypoint\":\"/entry point\",\"Labels\":{\"b\":\"2\",\"a\":\"1\",\"c\":null},"
			  "\"ExposedPorts\":{\"80/tcp\":{},\"443/tcp\":{}},\"Volumes\":{\"/z\":{},\"/a\":{}},"
			  "\"Healthcheck\":{\"Test\":[\"x\"]},\"OnBuild\":null},"
			  "\"history\":[{\"created\":\"2015-07-21T03:32:14Z\",\"created_by\":\"one\"},"
			  "{\"empty_layer\":true,\"author\":\"who\",\"comment\":\"why\"},{\"created_by\":\"two\",\"x\":1}]," ROOTFS
			  ",\"unknown\":{\"deep\":[1.5]}}",
			  &config, &err));
	assert_string_equal(config->architecture, "arm64");
	assert_string_equal(config->variant, "v8");
	assert_string_equal(config->os, "linux");
	assert_string_equal(config->os_version, "1");
	assert_string_equal(config->author, "A <a@b>");
	assert_string_equal(config->created, "2015-07-21T05:32:14.5+02:00");
	assert_int_equal(config->created_sec, 1437449534);
	assert_int_equal(config->created_nsec, 500000000);
	assert_string_equal(config->user, "1:2");
	assert_string_equal(config->working_dir, "/w");
	assert_string_equal(config->stop_signal, "SIGINT");
	expect_list(config->env, 2, (const char *const[]){ "A=1", "B=" });
	expect_list(config->cmd, 3, (const char *const[]){ "sh", "-c", "" });
	expect_list(config->entrypoint, 1, (const char *const[]){ "/entry point" });
	expect_list(config->labels, 6, (const char *const[]){ "a", "1", "b", "2", "c", "" });
	expect_list(config->exposed_ports, 2, (const char *const[]){ "443/tcp", "80/tcp" });
	expect_list(config->volumes, 2, (const char *const[]){ "/a", "/z" });
	assert_int_equal(config->diff_id_count, 2);
	assert_string_equal(nc_digest_text(&config->diff_ids[0], text), DIFF_A);
	assert_string_equal(nc_digest_text(&config->diff_ids[1], text), DIFF_B);
	assert_int_equal(config->history_count, 3);
	assert_string_equal(config->history[0].created, "2015-07-21T03:32:14Z");
	assert_string_equal(config->history[0].created_by, "one");
	assert_false(config->history[0].empty_layer);
	assert_true(config->history[1].empty_layer);
	assert_string_equal(config->history[1].author, "who");
	assert_string_equal(config->history[1].comment, "why");
	assert_string_equal(config->history[1].created, "");
	assert_string_equal(config->history[2].created_by, "two");
}

static void what_is_absent_is_empty(void **state)
{
	static const char *const texts[] = {
		"{" ROOTFS "}",
		"{" ROOTFS ",\"config\":null,\"history\":null,\"created\":null,\"os\":null,\"author\":null}",
		"{" ROOTFS ",\"config\":{\"Env\":null,\"Cmd\":null,\"Entrypoint\":null,\"Labels\":null,\"Volumes\":null,"
		"\"ExposedPorts\":null,\"User\":null},\"history\":[]}",
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct nacre_error err;
		NC_CLEANUP(nc_config_auto) struct nc_config *config = NULL;
		assert_done(parse(texts[i], &config, &err));
		assert_string_equal(config->os, "");
		assert_string_equal(config->variant, "");
		assert_string_equal(config->created, "");
		assert_true(config->created_sec == NC_GOTIME_ZERO);
		assert_string_equal(config->user, "");
		assert_null(config->env[0]);
		assert_null(config->cmd[0]);
		assert_null(config->entrypoint[0]);
		assert_null(config->labels[0]);
		assert_null(config->exposed_ports[0]);
		assert_null(config->volumes[0]);
		assert_int_equal(config->history_count, 0);
	}
}

static void an_image_may_have_no_layers(void **state)
{
	static const char *const texts[] = {
		"{" EMPTY_ROOTFS "}",
		"{\"rootfs\":{\"type\":\"layers\"}}",
		"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":null},\"history\":[{\"empty_layer\":true}]}",
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct nacre_error err;
		NC_CLEANUP(nc_config_auto) struct nc_config *config = NULL;
		assert_done(parse(texts[i], &config, &err));
		assert_int_equal(config->diff_id_count, 0);
	}
}

static const struct refused {
	const char *text;
	int code;
	const char *reason;
} refused[] = {
	{ "[]", NACRE_E_BADDATA, "config: must be an object" },
	{ "{}", NACRE_E_BADDATA, "config: rootfs: missing" },
	{ "{\"rootfs\":null}", NACRE_E_BADDATA, "config: rootfs: missing" },
	{ "{\"rootfs\":[]}", NACRE_E_BADDATA, "config: rootfs: must be an object" },
	{ "{\"rootfs\":{}}", NACRE_E_BADDATA, "config: rootfs.type: '', not 'layers'" },
	{ "{\"rootfs\":{\"type\":\"layers+base\"}}", NACRE_E_BADDATA, "rootfs.type: 'layers+base'" },
	{ "{\"rootfs\":{\"type\":1}}", NACRE_E_BADDATA, "rootfs.type: must be a string" },
	{ "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":{}}}", NACRE_E_BADDATA, "rootfs.diff_ids: must be an array" },
	{ "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIFF_A "\",7]}}", NACRE_E_BADDATA,
	  "rootfs.diff_ids[1]: must be a string" },
	{ "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[null]}}", NACRE_E_BADDATA, "diff_ids[0]: must be a string" },
	{ "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:../..\"]}}", NACRE_E_BADDATA,
	  "config: rootfs.diff_ids[0]: 'sha256:../..' is not a digest" },
	{ "{\"rootfs\":{\"type\":\"layers\",\"Diff_IDs\":[]}}", NACRE_E_BADDATA, "must be spelled 'diff_ids'" },
	{ "{" ROOTFS ",\"RootFS\":{}}", NACRE_E_BADDATA, "RootFS: must be spelled 'rootfs'" },
	{ "{" ROOTFS "," ROOTFS "}", NACRE_E_BADDATA, "duplicate" },
	{ "{" ROOTFS ",\"history\":{}}", NACRE_E_BADDATA, "config: history: must be an array" },
	{ "{" ROOTFS ",\"history\":[7]}", NACRE_E_BADDATA, "config: history[0]: must be an object" },
	{ "{" ROOTFS ",\"history\":[{},{},{}]}", NACRE_E_BADDATA, "history: tells of 3 layers, but rootfs has 2" },
	{ "{" ROOTFS ",\"history\":[{},{\"empty_layer\":1}]}", NACRE_E_BADDATA,
	  "history[1].empty_layer: must be true or false" },
	{ "{" ROOTFS ",\"history\":[{},{\"created\":\"yesterday\"}]}", NACRE_E_BADDATA,
	  "config: history[1].created: not a time" },
	{ "{" ROOTFS ",\"history\":[{},{\"created_by\":[]}]}", NACRE_E_BADDATA, "history[1].created_by: must be a string" },
	{ "{" ROOTFS ",\"created\":\"2015\"}", NACRE_E_BADDATA, "config: created: not a time as RFC 3339 has it: '2015'" },
	{ "{" ROOTFS ",\"created\":1437449534}", NACRE_E_BADDATA, "config: created: must be a string" },
	{ "{" ROOTFS ",\"os\":[]}", NACRE_E_BADDATA, "config: os: must be a string" },
	{ "{" ROOTFS ",\"config\":[]}", NACRE_E_BADDATA, "config: config: must be an object" },
	{ "{" ROOTFS ",\"config\":{\"Env\":\"A=1\"}}", NACRE_E_BADDATA, "config: config.Env: must be an array" },
	{ "{" ROOTFS ",\"config\":{\"Env\":[1]}}", NACRE_E_BADDATA, "config: config.Env[0]: must be a string" },
	{ "{" ROOTFS ",\"config\":{\"Cmd\":7}}", NACRE_E_BADDATA, "config: config.Cmd: must be an array" },
	{ "{" ROOTFS ",\"config\":{\"Cmd\":[[]]}}", NACRE_E_BADDATA, "config: config.Cmd[0]: must be a string" },
	{ "{" ROOTFS ",\"config\":{\"Labels\":[]}}", NACRE_E_BADDATA, "config: config.Labels: must be an object" },
	{ "{" ROOTFS ",\"config\":{\"Labels\":{\"k\":1}}}", NACRE_E_BADDATA, "config.Labels['k']: must be a string" },
	{ "{" ROOTFS ",\"config\":{\"Volumes\":[\"/v\"]}}", NACRE_E_BADDATA, "config.Volumes: must be an object" },
	{ "{" ROOTFS ",\"author\":\"\xff\"}", NACRE_E_BADDATA, "not valid JSON" },
	{ "{" ROOTFS ",\"author\":\"a\\u0000b\"}", NACRE_E_BADDATA, "not valid JSON" },
	{ "{" ROOTFS ",\"x\":123456789012345678901234567890}", NACRE_E_BADDATA, "not valid JSON" },
	{ "{" ROOTFS, NACRE_E_BADDATA, "not valid JSON" },
	{ "", NACRE_E_BADDATA, "config: empty" },
};

static void refuses(void **state)
{
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct nacre_error err = { 0 };
		struct nc_config *config = NULL;
		int code = parse(refused[i].text, &config, &err);
		if (code != refused[i].code || err.code != code || !strstr(err.msg, refused[i].reason) ||
		    strncmp(err.msg, "config: ", 8) != 0)
			fail_msg("%s: %d (%s)", refused[i].text, code, err.msg);
		assert_null(config);
	}
}

/* An array of n times item, as the value that text_of makes a document of. */
static int parse_many(const char *before, const char *item, size_t n, const char *after, struct nc_config **ret,
		      struct nacre_error *err)
{
	size_t item_len = strlen(item), len = strlen(before);
	char *text = malloc(len + n * (item_len + 1) + strlen(after) + 1);
	assert_non_null(text);
	memcpy(text, before, len);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			text[len++] = ',';
		memcpy(text + len, item, item_len);
		len += item_len;
	}
	strcpy(text + len, after);
	int code = nc_config_parse(text, len + strlen(after), ret, err);
	free(text);
	return code;
}

static void bounds_layers_and_history(void **state)
{
	struct nacre_error err;
	struct nc_config *config = NULL;
	const char *before = "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[", *after = "]}}";
	assert_done(parse_many(before, "\"" DIFF_A "\"", 4096, after, &config, &err));
	assert_int_equal(config->diff_id_count, 4096);
	nc_config_free(config);
	assert_int_equal(parse_many(before, "\"" DIFF_A "\"", 4097, after, &config, &err), NACRE_E_LIMIT);
	assert_string_equal(err.msg, "config: rootfs.diff_ids: 4097 layers, more than 4096");

	before = "{" EMPTY_ROOTFS ",\"history\":[";
	assert_done(parse_many(before, "{\"empty_layer\":true}", 16384, "]}", &config, &err));
	nc_config_free(config);
	assert_int_equal(parse_many(before, "{\"empty_layer\":true}", 16385, "]}", &config, &err), NACRE_E_LIMIT);
	assert_non_null(strstr(err.msg, "config: history: 16385"));

	before = "{" EMPTY_ROOTFS ",\"x\":\"";
	assert_int_equal(parse_many(before, "0123456789", 1 << 20, "\"}", &config, &err), NACRE_E_LIMIT);
	assert_non_null(strstr(err.msg, "4194304"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_all_that_a_runtime_asks_for),
		cmocka_unit_test(what_is_absent_is_empty),
		cmocka_unit_test(an_image_may_have_no_layers),
		cmocka_unit_test(refuses),
		cmocka_unit_test(bounds_layers_and_history),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
