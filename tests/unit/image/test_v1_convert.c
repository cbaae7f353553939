/* What Docker makes of an image JSON of 2015. The expected texts and IDs were computed by Docker's own code. */
#include "../unit.h"

#include "image/config.h"

#include <stdio.h>

#define HEX(c) c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define DIFF_A "sha256:" HEX("aa")
#define DIFF_B "sha256:" HEX("bb")
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PARENT "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

/* written by a docker of 1.9.1, or by one of 1.8.2 */
#define NEW(version)                                                                                                  \
	"{\"id\":\"" ID "\", \"docker_version\":\"" version "\", \"created\":\"2015-11-12T13:14:15.160Z\",\n"            \
	" \"config\":{\"Labels\":{\"z\":\"<1>\",\"a\":\"&\"}, \"Env\":null , \"Hostname\":\"\\u0068\"},\"big\":1.50E+2," \
	" \"architecture\":\"amd64\", \"os\":\"linux\",\"Size\":7,\"layer_id\":\"x\",\"parent_id\":\"y\","               \
	"\"throwaway\":true,\"container_config\":{\"Cmd\":[\"/bin/sh\",\"-c\",\"#(nop) CMD [\\\"sh\\\"]\"]},"           \
	"\"parent\":\"" PARENT "\",\"rootfs\":7}"

static const char old[] =
	"{\"id\":\"" ID "\",\"created\":\"2014-01-02T03:04:05.600Z\",\"container_config\":{\"Cmd\":\"echo <hi>\","
	"\"PublishService\":\"\",\"ExposedPorts\":null,\"VolumeDriver\":\"\",\"PortSpecs\":null,\"Memory\":0},"
	"\"docker_version\":\"1.8.2\",\"author\":\"A & B\",\"comment\":\"c\",\"Size\":3}";

static struct nc_v1_layer layer_of(const char *diff_id, const char *json)
{
	struct nacre_error err;
	struct nc_v1_layer layer = { .json = json, .json_len = strlen(json) };
	if (diff_id)
		assert_done(nc_digest_parse(diff_id, &layer.diff_id, &err));
	return layer;
}

/* The config, which must be one that we read back, and its ID. Given. */
static char *convert(const struct nc_v1_layer *layers, size_t n, const char *expected_id)
{
	struct nacre_error err;
	NC_CLEANUP(nc_config_auto) struct nc_config *config = NULL;
	struct nc_digest digest;
	char *bytes = NULL, text[NC_DIGEST_TEXT];
	size_t len = 0;
	assert_done(nc_config_from_v1(layers, n, &bytes, &len, &err));
	assert_int_equal(strlen(bytes), len);
	assert_done(nc_digest_of(bytes, len, &digest, &err));
	if (strcmp(nc_digest_hex(&digest, text), expected_id) != 0)
		fail_msg("%s has the ID %s", bytes, text);
	assert_done(nc_config_parse(bytes, len, &config, &err));
	assert_int_equal(config->history_count, n);
	return bytes;
}

static void keeps_the_spelling_of_newer_ones(void **state)
{
	const struct nc_v1_layer layers[] = { layer_of(DIFF_A, old), layer_of(DIFF_B, NEW("1.9.1")) };
	char *config = convert(layers, 2, "13036b2fa0228ee79ab20b8b640ca861b81ce20b709628f81a5b9d49e1a0cddd");
	assert_string_equal(
		config,
		"{\"architecture\":\"amd64\",\"big\":1.50E+2,\"config\":{\"Labels\":{\"z\":\"\\u003c1\\u003e\","
		"\"a\":\"\\u0026\"},\"Env\":null,\"Hostname\":\"\\u0068\"},\"container_config\":"
		"{\"Cmd\":[\"/bin/sh\",\"-c\",\"#(nop) CMD [\\\"sh\\\"]\"]},\"created\":\"2015-11-12T13:14:15.160Z\","
		"\"docker_version\":\"1.9.1\",\"history\":[{\"created\":\"2014-01-02T03:04:05.6Z\","
		"\"author\":\"A \\u0026 B\",\"created_by\":\"echo \\u003chi\\u003e\",\"comment\":\"c\"},"
		"{\"created\":\"2015-11-12T13:14:15.16Z\",\"created_by\":\"/bin/sh -c #(nop) CMD [\\\"sh\\\"]\"}],"
		"\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIFF_A "\",\"" DIFF_B "\"]}}");
	free(config);
}

static void encodes_older_ones_again(void **state)
{
	const struct nc_v1_layer layer = layer_of(DIFF_A, NEW("1.8.2"));
	char *config = convert(&layer, 1, "741a1d5c455078cec67e8a45346e80577d62159a06bbebf58dbd888b15a8a4c3");
	assert_non_null(strstr(config, "\"created\":\"2015-11-12T13:14:15.16Z\",\"docker_version\""));
	assert_null(strstr(config, "big"));
	assert_non_null(strstr(config, "\"Labels\":{\"a\":\"\\u0026\",\"z\":\"\\u003c1\\u003e\"}"));
	free(config);
}

static void gives_dockers_ids(void **state)
{
	const struct nc_v1_layer blank = layer_of(DIFF_A, "{}");
	free(convert(&blank, 1, "80e10f626f0fd5741734f2e83f2096bcdcdc9e438e4b93985e827f7bb4b1c7ed"));
	const struct nc_v1_layer none = layer_of(NULL, "{}");
	free(convert(&none, 1, "0e2ba4f926a0f59583a6cbfc04b3cecdd899ea604a22ca25e45e9d5348fd19f6"));
	const struct nc_v1_layer single = layer_of(DIFF_A, old);
	free(convert(&single, 1, "70c91c7b92d0ca6b95eefb6c3781fb626d2f7f99d6d3d59e8173b976fa103044"));
	const struct nc_v1_layer three[] = { layer_of(DIFF_A, old), layer_of(NULL, NEW("1.9.1")), layer_of(DIFF_B, old) };
	free(convert(three, 3, "35720bc556e9cbdb84f0ed950d388881907a3e3d0b8354223d6d924fa945f7bd"));
}

/* Which versions are encoded again shows in whether an unknown field survives. */
static void compares_versions_as_docker_does(void **state)
{
	static const struct {
		const char *version;
		bool kept;
	} cases[] = {
		{ "", false },	      { "0.6.7", false },     { "1", false },	    { "1.8", false },
		{ "1.8.2", false },   { "1.8.3", true },      { "1.8.3.0", true },  { "1.8.3-rc1", false },
		{ "1.8.10", true },   { "1.9", true },	      { "1.9.0-dev", true }, { "1.10.1", true },
		{ "2", true },	      { "17.03.1-ce", true }, { "v1.9.0", false },  { "1.99999999999999999999999", true },
		{ "latest", false },  { "1..9", false },      { "1.09.0", true },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nacre_error err;
		char json[128];
		NC_AUTO_FREE char *config = NULL;
		size_t len;
		snprintf(json, sizeof json, "{\"docker_version\":\"%s\",\"unknown\":[ ]}", cases[i].version);
		const struct nc_v1_layer layer = layer_of(DIFF_A, json);
		assert_done(nc_config_from_v1(&layer, 1, &config, &len, &err));
		if ((strstr(config, "\"unknown\":[]") != NULL) != cases[i].kept)
			fail_msg("version '%s': %s", cases[i].version, config);
	}
}

static void splits_members_whatever_they_hold(void **state)
{
	static const char json[] =
		"\n{ \"docker_version\" : \"1.9.1\" ,\"b\\\"\\\\\" : \"}],\\\"\\\\\" , \"a\":[ [ ], {\"x\" : \"]\"} ],\"n\":-1.5e-3\t,"
		"\"t\":true,\"id\":\"" ID "\",\"u\\u0041\":null}\r\n";
	struct nacre_error err;
	NC_AUTO_FREE char *config = NULL;
	size_t len;
	const struct nc_v1_layer layer = layer_of(NULL, json);
	assert_done(nc_config_from_v1(&layer, 1, &config, &len, &err));
	assert_string_equal(config, "{\"a\":[[],{\"x\":\"]\"}],\"b\\\"\\\\\":\"}],\\\"\\\\\",\"docker_version\":\"1.9.1\","
				    "\"history\":[{\"created\":\"0001-01-01T00:00:00Z\",\"empty_layer\":true}],\"n\":-1.5e-3,"
				    "\"rootfs\":{\"type\":\"layers\"},\"t\":true,\"uA\":null}");
}

static void refuses(void **state)
{
	struct nacre_error err;
	char *config = NULL;
	size_t len = 7;
	assert_int_equal(nc_config_from_v1(NULL, 0, &config, &len, &err), NACRE_E_INVALID);
	const struct nc_v1_layer layers[] = { layer_of(DIFF_A, "{\"created\":\"now\"}"), layer_of(DIFF_B, old) };
	assert_int_equal(nc_config_from_v1(layers, 2, &config, &len, &err), NACRE_E_BADDATA);
	assert_non_null(strstr(err.msg, "image 1 of the chain: v1 image: created: not a time"));
	const struct nc_v1_layer cut[] = { layer_of(DIFF_A, old), layer_of(DIFF_B, "{\"id\":") };
	assert_int_equal(nc_config_from_v1(cut, 2, &config, &len, &err), NACRE_E_BADDATA);
	assert_non_null(strstr(err.msg, "image 2 of the chain: v1 image: not valid JSON"));
	assert_null(config);
	assert_int_equal(len, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_spelling_of_newer_ones),
		cmocka_unit_test(encodes_older_ones_again),
		cmocka_unit_test(gives_dockers_ids),
		cmocka_unit_test(compares_versions_as_docker_does),
		cmocka_unit_test(splits_members_whatever_they_hold),
		cmocka_unit_test(refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
