#include "../unit.h"

#include "image/config.h"
#include "image/gojson.h"
#include "image/v1_fields.h"

#include <stdio.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PARENT "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

/* a config without anything, as the graph of 2015 wrote it */
#define BLANK_CONFIG                                                                                                  \
	"{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"\",\"AttachStdin\":false,\"AttachStdout\":false,"              \
	"\"AttachStderr\":false,\"ExposedPorts\":null,\"PublishService\":\"\",\"Tty\":false,\"OpenStdin\":false,"         \
	"\"StdinOnce\":false,\"Env\":null,\"Cmd\":null,\"Image\":\"\",\"Volumes\":null,\"VolumeDriver\":\"\","            \
	"\"WorkingDir\":\"\",\"Entrypoint\":null,\"NetworkDisabled\":false,\"MacAddress\":\"\",\"OnBuild\":null,"         \
	"\"Labels\":null}"

/* the whole of an image without anything, exactly as written in 2015 */
static const char blank_image[] =
	"{\"id\":\"" ID "\",\"created\":\"2015-07-21T03:32:14.123456789Z\",\"container_config\":" BLANK_CONFIG
	",\"docker_version\":\"1.8.0-dev\",\"architecture\":\"amd64\",\"os\":\"linux\",\"Size\":0}";

static int parse(const char *text, struct nc_v1_image **ret, struct nacre_error *err)
{
	return nc_v1_image_parse(text, strlen(text), ret, err);
}

static void expect_encoded(const char *text, enum nc_v1_dialect dialect, const char *expected)
{
	struct nacre_error err;
	NC_CLEANUP(nc_json_auto) json_t *image = NULL;
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(NC_JSON_MAX);
	assert_done(nc_json_parse(text, strlen(text), "test", &image, &err));
	assert_done(nc_v1_encode(&buf, image, dialect, &err));
	assert_string_equal(nc_buf_text(&buf), expected);
}

static void encodes_a_blank_image_exactly(void **state)
{
	expect_encoded(blank_image, NC_V1_GRAPH, blank_image);
	expect_encoded("{\"os\":\"linux\",\"architecture\":\"amd64\",\"docker_version\":\"1.8.0-dev\",\"unknown\":7,"
		       "\"id\":\"" ID "\",\"created\":\"2015-07-21T03:32:14.123456789Z\",\"config\":null}",
		       NC_V1_GRAPH, blank_image);
	expect_encoded("{}", NC_V1_GRAPH,
		       "{\"id\":\"\",\"created\":\"0001-01-01T00:00:00Z\",\"container_config\":" BLANK_CONFIG ",\"Size\":0}");
}

static void encodes_by_the_rules_of_go(void **state)
{
	expect_encoded(
		"{\"CONFIG\":{\"labels\":{\"b\":\"<\",\"a\":null},\"cmd\":\"one word\",\"ENV\":[\"A=&\",null],"
		"\"exposedports\":{\"80/tcp\":{\"x\":1},\"443/tcp\":null},\"tty\":true,\"StopSignal\":\"9\",\"Memory\":5,"
		"\"OnBuild\":[],\"Volumes\":{}},\"CREATED\":\"2015-07-21T05:32:14.500+02:00\",\"sIZE\":12,\"parent\":\"" PARENT
		"\",\"comment\":\"\",\"author\":\"me\"}",
		NC_V1_GRAPH,
		"{\"id\":\"\",\"parent\":\"" PARENT "\",\"created\":\"2015-07-21T05:32:14.5+02:00\",\"container_config\":"
		BLANK_CONFIG ",\"author\":\"me\",\"config\":{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"\","
		"\"AttachStdin\":false,\"AttachStdout\":false,\"AttachStderr\":false,"
		"\"ExposedPorts\":{\"443/tcp\":{},\"80/tcp\":{}},\"PublishService\":\"\",\"Tty\":true,\"OpenStdin\":false,"
		"\"StdinOnce\":false,\"Env\":[\"A=\\u0026\",\"\"],\"Cmd\":[\"one word\"],\"Image\":\"\",\"Volumes\":{},"
		"\"VolumeDriver\":\"\",\"WorkingDir\":\"\",\"Entrypoint\":null,\"NetworkDisabled\":false,\"MacAddress\":\"\","
		"\"OnBuild\":[],\"Labels\":{\"a\":\"\",\"b\":\"\\u003c\"}},\"Size\":12}");
}

static void leaves_out_what_docker_1_10_left_out(void **state)
{
	expect_encoded(blank_image, NC_V1_DOCKER_1_10,
		       "{\"id\":\"" ID "\",\"created\":\"2015-07-21T03:32:14.123456789Z\",\"container_config\":"
		       "{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"\",\"AttachStdin\":false,\"AttachStdout\":false,"
		       "\"AttachStderr\":false,\"Tty\":false,\"OpenStdin\":false,\"StdinOnce\":false,\"Env\":null,"
		       "\"Cmd\":null,\"Image\":\"\",\"Volumes\":null,\"WorkingDir\":\"\",\"Entrypoint\":null,"
		       "\"OnBuild\":null,\"Labels\":null},"
		       "\"docker_version\":\"1.8.0-dev\",\"architecture\":\"amd64\",\"os\":\"linux\"}");
	expect_encoded("{\"container_config\":{\"ExposedPorts\":{\"1/tcp\":{}},\"PublishService\":\"p\",\"VolumeDriver\":\"v\","
		       "\"NetworkDisabled\":true,\"MacAddress\":\"m\",\"StopSignal\":\"s\",\"ArgsEscaped\":true},\"Size\":1}",
		       NC_V1_DOCKER_1_10,
		       "{\"created\":\"0001-01-01T00:00:00Z\",\"container_config\":"
		       "{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"\",\"AttachStdin\":false,\"AttachStdout\":false,"
		       "\"AttachStderr\":false,\"ExposedPorts\":{\"1/tcp\":{}},\"PublishService\":\"p\",\"Tty\":false,"
		       "\"OpenStdin\":false,\"StdinOnce\":false,\"Env\":null,\"Cmd\":null,\"ArgsEscaped\":true,\"Image\":\"\","
		       "\"Volumes\":null,\"WorkingDir\":\"\",\"Entrypoint\":null,\"NetworkDisabled\":true,"
		       "\"MacAddress\":\"m\",\"OnBuild\":null,\"Labels\":null,\"StopSignal\":\"s\"},\"Size\":1}");
}

static void reads_the_fields_of_the_graph(void **state)
{
	struct nacre_error err;
	NC_CLEANUP(nc_v1_image_auto) struct nc_v1_image *image = NULL;
	assert_done(parse("{\"id\":\"" ID "\",\"parent\":\"" PARENT "\",\"comment\":\"c\",\"created\":"
			  "\"2015-07-21T03:32:14.5Z\",\"container\":\"box\",\"container_config\":{\"Cmd\":[\"a\",\"b c\"]},"
			  "\"docker_version\":\"1.8.2\",\"author\":\"me\",\"architecture\":\"amd64\",\"os\":\"linux\",\"Size\":42,"
			  "\"layer_id\":7}\n",
			  &image, &err));
	assert_string_equal(image->id, ID);
	assert_string_equal(image->parent, PARENT);
	assert_string_equal(image->comment, "c");
	assert_string_equal(image->created, "2015-07-21T03:32:14.5Z");
	assert_int_equal(image->created_sec, 1437449534);
	assert_int_equal(image->created_nsec, 500000000);
	assert_string_equal(image->container, "box");
	assert_string_equal(image->docker_version, "1.8.2");
	assert_string_equal(image->author, "me");
	assert_string_equal(image->architecture, "amd64");
	assert_string_equal(image->os, "linux");
	assert_int_equal(image->size, 42);
	assert_string_equal(image->container_cmd[0], "a");
	assert_string_equal(image->container_cmd[1], "b c");
	assert_null(image->container_cmd[2]);
}

static void reads_in_any_case_and_without_most(void **state)
{
	struct nacre_error err;
	struct nc_v1_image *image;
	assert_done(parse("{\"ID\":\"" ID "\",\"Container_Config\":{\"CMD\":\"run me\"},\"AUTHOR\":\"me\",\"size\":0}", &image,
			  &err));
	assert_string_equal(image->id, ID);
	assert_string_equal(image->author, "me");
	assert_string_equal(image->container_cmd[0], "run me");
	assert_null(image->container_cmd[1]);
	assert_int_equal(image->size, 0);
	nc_v1_image_free(image);

	assert_done(parse("{\"id\":null,\"created\":null,\"container_config\":null,\"config\":null,\"Size\":null}", &image,
			  &err));
	assert_string_equal(image->id, "");
	assert_string_equal(image->parent, "");
	assert_string_equal(image->created, "");
	assert_true(image->created_sec == NC_GOTIME_ZERO);
	assert_int_equal(image->size, -1);
	assert_null(image->container_cmd[0]);
	nc_v1_image_free(image);
}

static void the_parent_may_be_a_digest(void **state)
{
	static const struct {
		const char *text, *parent;
	} cases[] = {
		{ "{\"parent_id\":\"sha256:" PARENT "\"}", PARENT },
		{ "{\"parent\":\"" ID "\",\"parent_id\":\"sha256:" PARENT "\"}", ID },
		{ "{\"parent\":\"\",\"parent_id\":\"sha256:" PARENT "\"}", PARENT },
		{ "{\"parent_id\":\"sha256:../../x\"}", "" },
		{ "{\"parent_id\":\"sha512:" PARENT PARENT "\"}", "" },
		{ "{\"parent_id\":7}", "" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nacre_error err;
		NC_CLEANUP(nc_v1_image_auto) struct nc_v1_image *image = NULL;
		assert_done(parse(cases[i].text, &image, &err));
		assert_string_equal(image->parent, cases[i].parent);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{ "[]", "v1 image: must be an object" },
		{ "", "v1 image: empty" },
		{ "{\"id\":\"../../etc\"}", "v1 image: id: '../../etc' is not 64 lowercase hex digits" },
		{ "{\"id\":\"" ID "0\"}", "v1 image: id: " },
		{ "{\"id\":\"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\"}", "v1 image: id: " },
		{ "{\"id\":\"" ID "\\n\"}", "v1 image: id: " },
		{ "{\"id\":7}", "v1 image: id: must be a string" },
		{ "{\"parent\":\"x\"}", "v1 image: parent: 'x'" },
		{ "{\"id\":\"" ID "\",\"ID\":\"" PARENT "\"}", "v1 image: id: there twice, in different case" },
		{ "{\"id\":\"" ID "\",\"id\":\"" PARENT "\"}", "duplicate" },
		{ "{\"created\":\"yesterday\"}", "v1 image: created: not a time" },
		{ "{\"created\":0}", "v1 image: created: must be a string" },
		{ "{\"Size\":1.0}", "v1 image: Size: must be an integer" },
		{ "{\"Size\":\"1\"}", "v1 image: Size: must be an integer" },
		{ "{\"Size\":-1}", "v1 image: Size: negative" },
		{ "{\"Size\":18446744073709551616}", "not valid JSON" },
		{ "{\"config\":[]}", "v1 image: config: must be an object" },
		{ "{\"config\":{\"Cmd\":7}}", "v1 image: config.Cmd: must be a string or an array of strings" },
		{ "{\"config\":{\"Entrypoint\":[7]}}", "v1 image: config.Entrypoint: must be a string or an array" },
		{ "{\"config\":{\"Env\":\"A=1\"}}", "v1 image: config.Env: must be an array of strings" },
		{ "{\"config\":{\"Tty\":\"true\"}}", "v1 image: config.Tty: must be true or false" },
		{ "{\"config\":{\"ExposedPorts\":[]}}", "v1 image: config.ExposedPorts: must be an object of empty objects" },
		{ "{\"config\":{\"Volumes\":{\"/v\":1}}}", "v1 image: config.Volumes: must be an object" },
		{ "{\"config\":{\"Labels\":{\"a\":1}}}", "v1 image: config.Labels: must be an object of strings" },
		{ "{\"container_config\":{\"tty\":1}}", "v1 image: container_config.Tty: must be true or false" },
		{ "{\"container_config\":{\"Cmd\":[],\"cmd\":[]}}", "container_config.Cmd: there twice" },
		{ "{\"author\":\"\xff\"}", "not valid JSON" },
		{ "{} {}", "not valid JSON" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nacre_error err = { 0 };
		struct nc_v1_image *image = NULL;
		int code = parse(cases[i].text, &image, &err);
		if (code != NACRE_E_BADDATA || err.code != code || !strstr(err.msg, cases[i].reason))
			fail_msg("%s: %d (%s)", cases[i].text, code, err.msg);
		assert_null(image);
	}
}

static void writes_a_layer_of_today(void **state)
{
	struct nacre_error err;
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(10000);
	assert_done(nc_buf_add_text(&buf, "before ", &err));
	assert_done(nc_v1_image_write(&buf, ID, PARENT, NULL, 17, &err));
	assert_string_equal(nc_buf_text(&buf), "before {\"id\":\"" ID "\",\"parent\":\"" PARENT
					       "\",\"created\":\"0001-01-01T00:00:00Z\",\"container_config\":" BLANK_CONFIG
					       ",\"Size\":17}\n");
	nc_buf_clear(&buf);
	assert_done(nc_v1_image_write(&buf, ID, NULL, NULL, 0, &err));
	assert_null(strstr(nc_buf_text(&buf), "parent"));
	assert_int_equal(nc_v1_image_write(&buf, "x", NULL, NULL, 0, &err), NACRE_E_INVALID);
	assert_int_equal(nc_v1_image_write(&buf, ID, "x", NULL, 0, &err), NACRE_E_INVALID);
	assert_int_equal(nc_v1_image_write(&buf, ID, "", NULL, UINT64_MAX, &err), NACRE_E_LIMIT);
}

static void writes_an_image_of_today(void **state)
{
	static const char text[] =
		"{\"architecture\":\"amd64\",\"os\":\"linux\",\"author\":\"A <a@b>\",\"created\":\"2024-01-02T03:04:05.600Z\","
		"\"config\":{\"User\":\"u\",\"WorkingDir\":\"/w\",\"Env\":[\"A=1\"],\"Cmd\":[\"sh\"],\"Entrypoint\":[\"/e\"],"
		"\"Labels\":{\"b\":\"2\",\"a\":\"1\"},\"ExposedPorts\":{\"80/tcp\":{}},\"Volumes\":{\"/v\":{}},"
		"\"StopSignal\":\"SIGINT\"},\"rootfs\":{\"type\":\"layers\"},"
		"\"history\":[{\"created_by\":\"first\",\"empty_layer\":true},"
		"{\"created_by\":\"last <step>\",\"comment\":\"why\",\"empty_layer\":true}]}";
	struct nacre_error err;
	NC_CLEANUP(nc_config_auto) struct nc_config *config = NULL;
	NC_CLEANUP(nc_v1_image_auto) struct nc_v1_image *image = NULL;
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(10000);
	assert_done(nc_config_parse(text, strlen(text), &config, &err));
	assert_done(nc_v1_image_write(&buf, ID, "", config, 5, &err));
	assert_string_equal(
		nc_buf_text(&buf),
		"{\"id\":\"" ID "\",\"comment\":\"why\",\"created\":\"2024-01-02T03:04:05.6Z\",\"container_config\":"
		"{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"\",\"AttachStdin\":false,\"AttachStdout\":false,"
		"\"AttachStderr\":false,\"ExposedPorts\":null,\"PublishService\":\"\",\"Tty\":false,\"OpenStdin\":false,"
		"\"StdinOnce\":false,\"Env\":null,\"Cmd\":[\"last \\u003cstep\\u003e\"],\"Image\":\"\",\"Volumes\":null,"
		"\"VolumeDriver\":\"\",\"WorkingDir\":\"\",\"Entrypoint\":null,\"NetworkDisabled\":false,\"MacAddress\":\"\","
		"\"OnBuild\":null,\"Labels\":null},\"author\":\"A \\u003ca@b\\u003e\",\"config\":"
		"{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"u\",\"AttachStdin\":false,\"AttachStdout\":false,"
		"\"AttachStderr\":false,\"ExposedPorts\":{\"80/tcp\":{}},\"PublishService\":\"\",\"Tty\":false,"
		"\"OpenStdin\":false,\"StdinOnce\":false,\"Env\":[\"A=1\"],\"Cmd\":[\"sh\"],\"Image\":\"\","
		"\"Volumes\":{\"/v\":{}},\"VolumeDriver\":\"\",\"WorkingDir\":\"/w\",\"Entrypoint\":[\"/e\"],"
		"\"NetworkDisabled\":false,\"MacAddress\":\"\",\"OnBuild\":null,\"Labels\":{\"a\":\"1\",\"b\":\"2\"}},"
		"\"architecture\":\"amd64\",\"os\":\"linux\",\"Size\":5}\n");
	assert_done(nc_v1_image_parse(buf.data, buf.len, &image, &err));
	assert_string_equal(image->container_cmd[0], "last <step>");
	assert_int_equal(image->size, 5);
}

/* From the graph's own disk: what an archive may not hold. */
static void reads_what_lies_in_a_graph(void **state)
{
	static const char text[] = "{\"Author\":\"first\",\"id\":\"" ID "\",\"author\":\"last\",\"container_config\":"
				   "{\"cmd\":[\"no\"],\"Cmd\":\"one word\"},\"id\":\"" ID "\"}";
	struct nacre_error err;
	NC_AUTO_BUF struct nc_buf more = NC_BUF_INIT(10000);
	NC_CLEANUP(nc_v1_image_auto) struct nc_v1_image *image = NULL;
	NC_CLEANUP(nc_v1_image_auto) struct nc_v1_image *strict = NULL;
	size_t used;
	assert_done(nc_buf_addf(&more, &err, "%s\n{\"id\": garbage", text));
	assert_int_equal(parse(text, &strict, &err), NACRE_E_BADDATA);
	assert_int_equal(parse(nc_buf_text(&more), &strict, &err), NACRE_E_BADDATA);
	assert_done(nc_v1_image_read(more.data, more.len, &image, &used, &err));
	assert_string_equal(image->author, "last");
	assert_string_equal(image->container_cmd[0], "one word");
	assert_int_equal(used, strlen(text));
}

static void tells_the_parent_of_what_is_damaged(void **state)
{
	static const char text[] = "{\"id\":7,\"parent\":\"" PARENT "\"}";
	struct nacre_error err;
	struct nc_v1_image *image = NULL;
	char *parent = nc_v1_parent_of(text, strlen(text));
	assert_int_equal(nc_v1_image_read(text, strlen(text), &image, NULL, &err), NACRE_E_BADDATA);
	assert_string_equal(parent, PARENT);
	free(parent);
	static const char *const without[] = { "", "{", "{}", "[]", "{\"parent\":7}", "{\"parent\":\"../x\"}" };
	for (size_t i = 0; i < sizeof without / sizeof *without; i++)
		assert_null(nc_v1_parent_of(without[i], strlen(without[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes_a_blank_image_exactly),
		cmocka_unit_test(encodes_by_the_rules_of_go),
		cmocka_unit_test(leaves_out_what_docker_1_10_left_out),
		cmocka_unit_test(reads_the_fields_of_the_graph),
		cmocka_unit_test(reads_in_any_case_and_without_most),
		cmocka_unit_test(the_parent_may_be_a_digest),
		cmocka_unit_test(reads_what_lies_in_a_graph),
		cmocka_unit_test(tells_the_parent_of_what_is_damaged),
		cmocka_unit_test(refuses),
		cmocka_unit_test(writes_a_layer_of_today),
		cmocka_unit_test(writes_an_image_of_today),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
