#include "../unit.h"

#include "image/config.h"
#include "image/gojson.h"

#include <stdio.h>

#define HEX(c) c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define DIFF_A "sha256:" HEX("aa")
#define DIFF_B "sha256:" HEX("bb")

static int make(const char *const *changes, size_t n, char **ret, struct nacre_error *err)
{
	struct nc_digest diff_id;
	assert_int_equal(nc_digest_parse(DIFF_A, &diff_id, err), 0);
	struct nc_config_new facts = {
		.architecture = "amd64", .os = "linux", .changes = changes, .change_count = n,
		.diff_ids = &diff_id, .diff_id_count = 1,
	};
	size_t len = 0;
	int code = nc_config_make(&facts, ret, &len, err);
	if (code == 0) {
		NC_CLEANUP(nc_config_auto) struct nc_config *config = NULL;
		assert_int_equal(strlen(*ret), len);
		assert_int_equal(nc_config_parse(*ret, len, &config, err), 0);
	}
	return code;
}

static void makes_all_of_it(void **state)
{
	struct nacre_error err;
	struct nc_digest diff_ids[2];
	assert_done(nc_digest_parse(DIFF_A, &diff_ids[0], &err));
	assert_done(nc_digest_parse(DIFF_B, &diff_ids[1], &err));
	const char *const changes[] = { "CMD [\"sh\"]", "ENV A=1", "user <u>" };
	struct nc_config_new facts = {
		.architecture = "arm64", .variant = "v8", .os = "linux", .author = "A <a@b>", .comment = "why",
		.created_by = "import", .created_sec = 1437449534, .changes = changes, .change_count = 3,
		.diff_ids = diff_ids, .diff_id_count = 2,
	};
	NC_AUTO_FREE char *bytes = NULL;
	NC_CLEANUP(nc_config_auto) struct nc_config *config = NULL;
	size_t len;
	assert_done(nc_config_make(&facts, &bytes, &len, &err));
	assert_string_equal(
		bytes,
		"{\"created\":\"2015-07-21T03:32:14Z\",\"author\":\"A \\u003ca@b\\u003e\",\"architecture\":\"arm64\","
		"\"os\":\"linux\",\"variant\":\"v8\",\"config\":{\"User\":\"\\u003cu\\u003e\",\"Env\":[\"A=1\"],\"Cmd\":[\"sh\"]},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIFF_A "\",\"" DIFF_B "\"]},"
		"\"history\":[{\"created\":\"2015-07-21T03:32:14Z\"},{\"created\":\"2015-07-21T03:32:14Z\","
		"\"created_by\":\"import\",\"author\":\"A \\u003ca@b\\u003e\",\"comment\":\"why\"}]}");
	assert_done(nc_config_parse(bytes, len, &config, &err));
	assert_string_equal(config->variant, "v8");
	assert_int_equal(config->created_sec, 1437449534);
	assert_string_equal(config->history[1].comment, "why");
}

static void makes_an_image_without_layers(void **state)
{
	struct nacre_error err;
	struct nc_config_new facts = { .architecture = "amd64", .os = "linux", .created_sec = NC_GOTIME_ZERO };
	NC_AUTO_FREE char *bytes = NULL;
	NC_CLEANUP(nc_config_auto) struct nc_config *config = NULL;
	size_t len;
	assert_done(nc_config_make(&facts, &bytes, &len, &err));
	assert_string_equal(bytes,
			    "{\"created\":\"0001-01-01T00:00:00Z\",\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},"
			    "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]},"
			    "\"history\":[{\"created\":\"0001-01-01T00:00:00Z\",\"empty_layer\":true}]}");
	assert_done(nc_config_parse(bytes, len, &config, &err));
}

static void needs_its_facts(void **state)
{
	struct nacre_error err;
	struct nc_digest none = { 0 };
	char *bytes = NULL;
	size_t len = 7;
	struct nc_config_new facts = { .architecture = "amd64" };
	assert_int_equal(nc_config_make(&facts, &bytes, &len, &err), NACRE_E_INVALID);
	facts.os = "linux";
	facts.architecture = "";
	assert_int_equal(nc_config_make(&facts, &bytes, &len, &err), NACRE_E_INVALID);
	facts.architecture = "amd64";
	facts.created_sec = INT64_MAX;
	assert_int_equal(nc_config_make(&facts, &bytes, &len, &err), NACRE_E_INVALID);
	assert_non_null(strstr(err.msg, "created"));
	facts.created_sec = 0;
	facts.diff_ids = &none;
	facts.diff_id_count = 1;
	assert_int_equal(nc_config_make(&facts, &bytes, &len, &err), NACRE_E_INVALID);
	assert_null(bytes);
	assert_int_equal(len, 7);
}

/* changes, one a line of text, and the config object that they make */
static const struct good {
	const char *changes, *config;
} good[] = {
	{ "CMD [\"a\",\"b c\"]", "{\"Cmd\":[\"a\",\"b c\"]}" },
	{ "CMD echo \"$HOME\"  x", "{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo \\\"$HOME\\\"  x\"]}" },
	{ "  cmd\t [ \"a\" , \"b\" ]  ", "{\"Cmd\":[\"a\",\"b\"]}" },
	{ "CMD=[\"a\"]", "{\"Cmd\":[\"a\"]}" },
	{ "CMD=/bin/bash", "{\"Cmd\":[\"/bin/sh\",\"-c\",\"/bin/bash\"]}" },
	{ "CMD [sh, -c]", "{\"Cmd\":[\"/bin/sh\",\"-c\",\"[sh, -c]\"]}" },
	{ "CMD [\"a\"] b", "{\"Cmd\":[\"/bin/sh\",\"-c\",\"[\\\"a\\\"] b\"]}" },
	{ "CMD [\"a\"]\nCMD []", "{}" },
	{ "ENTRYPOINT [\"/e\"]\nCMD x", "{\"Entrypoint\":[\"/e\"],\"Cmd\":[\"/bin/sh\",\"-c\",\"x\"]}" },
	{ "EntryPoint exec top -b", "{\"Entrypoint\":[\"/bin/sh\",\"-c\",\"exec top -b\"]}" },
	{ "ENV A=1", "{\"Env\":[\"A=1\"]}" },
	{ "ENV=A=1", "{\"Env\":[\"A=1\"]}" },
	{ "ENV A=1 B=\"two words\" C='$A \"x\"' D=x\\ y E= F=a=b", "{\"Env\":[\"A=1\",\"B=two words\",\"C=$A \\\"x\\\"\","
								    "\"D=x y\",\"E=\",\"F=a=b\"]}" },
	{ "ENV A=\"a\\\"b\\$c\\\\d\\e\"", "{\"Env\":[\"A=a\\\"b$c\\\\d\\\\e\"]}" },
	{ "ENV A=1\nENV B=2\nENV A=3", "{\"Env\":[\"A=3\",\"B=2\"]}" },
	{ "ENV A=1\nENV B=$A-${A}x C=\\$A D=$NONE. E=$ F=\"$A\"", "{\"Env\":[\"A=1\",\"B=1-1x\",\"C=$A\",\"D=.\",\"E=$\","
								   "\"F=1\"]}" },
	{ "ENV PATH /usr/bin:/bin", "{\"Env\":[\"PATH=/usr/bin:/bin\"]}" },
	{ "ENV MSG hello  \"big\" world", "{\"Env\":[\"MSG=hello  big world\"]}" },
	{ "ENV K v=w", "{\"Env\":[\"K=v=w\"]}" },
	{ "ENV A=\xc3\xa4", "{\"Env\":[\"A=\xc3\xa4\"]}" },
	{ "LABEL b=2 a=1", "{\"Labels\":{\"a\":\"1\",\"b\":\"2\"}}" },
	{ "LABEL \"com.x.y\"=\"a b\" 'k'='<v>'", "{\"Labels\":{\"com.x.y\":\"a b\",\"k\":\"\\u003cv\\u003e\"}}" },
	{ "LABEL a=1\nLABEL a=2", "{\"Labels\":{\"a\":\"2\"}}" },
	{ "LABEL key some words", "{\"Labels\":{\"key\":\"some words\"}}" },
	{ "EXPOSE 80", "{\"ExposedPorts\":{\"80/tcp\":{}}}" },
	{ "EXPOSE 53/udp 80/TCP 9/sctp 65535",
	  "{\"ExposedPorts\":{\"53/udp\":{},\"65535/tcp\":{},\"80/tcp\":{},\"9/sctp\":{}}}" },
	{ "EXPOSE 8000-8002/udp", "{\"ExposedPorts\":{\"8000/udp\":{},\"8001/udp\":{},\"8002/udp\":{}}}" },
	{ "ENV P=81\nEXPOSE $P", "{\"ExposedPorts\":{\"81/tcp\":{}},\"Env\":[\"P=81\"]}" },
	{ "VOLUME [\"/b\",\"/a b\"]", "{\"Volumes\":{\"/a b\":{},\"/b\":{}}}" },
	{ "VOLUME /b   /a", "{\"Volumes\":{\"/a\":{},\"/b\":{}}}" },
	{ "ENV D=/d\nVOLUME $D/x [\"y\"]", "{\"Env\":[\"D=/d\"],\"Volumes\":{\"/d/x\":{},\"[y]\":{}}}" },
	{ "USER 1000:1000", "{\"User\":\"1000:1000\"}" },
	{ "ENV U=me\nUSER ${U}", "{\"User\":\"me\",\"Env\":[\"U=me\"]}" },
	{ "WORKDIR /a/../b/", "{\"WorkingDir\":\"/a/../b/\"}" },
	{ "WORKDIR a", "{\"WorkingDir\":\"/a\"}" },
	{ "WORKDIR /a//b/\nWORKDIR ./c/../d\nWORKDIR e", "{\"WorkingDir\":\"/a/b/d/e\"}" },
	{ "WORKDIR ../../..", "{\"WorkingDir\":\"/\"}" },
	{ "WORKDIR a\nWORKDIR ../..", "{\"WorkingDir\":\"/\"}" },
	{ "WORKDIR \"/with space\"", "{\"WorkingDir\":\"/with space\"}" },
	{ "STOPSIGNAL SIGTERM", "{\"StopSignal\":\"SIGTERM\"}" },
	{ "STOPSIGNAL KILL", "{\"StopSignal\":\"KILL\"}" },
	{ "STOPSIGNAL 9", "{\"StopSignal\":\"9\"}" },
	{ "STOPSIGNAL SIGRTMIN+3", "{\"StopSignal\":\"SIGRTMIN+3\"}" },
	{ "ONBUILD RUN x  \"$Y\"\nONBUILD COPY . /", "{\"OnBuild\":[\"RUN x  \\\"$Y\\\"\",\"COPY . /\"]}" },
};

/* Cuts text at its line breaks; the lines are lent by copy. */
static size_t split_lines(char *copy, const char *lines[8])
{
	size_t n = 0;
	for (char *line; (line = strsep(&copy, "\n")) && n < 8;)
		lines[n++] = line;
	return n;
}

static void applies_changes(void **state)
{
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct nacre_error err;
		char copy[512], expected[1024];
		const char *lines[8];
		NC_AUTO_FREE char *bytes = NULL;
		snprintf(copy, sizeof copy, "%s", good[i].changes);
		assert_done(make(lines, split_lines(copy, lines), &bytes, &err));
		snprintf(expected, sizeof expected, ",\"config\":%s,\"rootfs\":", good[i].config);
		if (!strstr(bytes, expected))
			fail_msg("%s: %s", good[i].changes, bytes);
	}
}

static void refuses_changes(void **state)
{
	static const struct {
		const char *change, *reason;
	} cases[] = {
		{ "RUN x", "change 'RUN x': unknown instruction 'RUN'" },
		{ "HEALTHCHECK NONE", "unknown instruction 'HEALTHCHECK'" },
		{ "CMDX a", "unknown instruction 'CMDX'" },
		{ "ENVA=1", "unknown instruction 'ENVA'" },
		{ "", "unknown instruction ''" },
		{ "   ", "unknown instruction ''" },
		{ "# a comment", "unknown instruction '#'" },
		{ "CMD", "change 'CMD': needs a value" },
		{ "ENV ", "needs a value" },
		{ "CMD=", "needs a value" },
		{ "CMD [\"a\",1]", "an array here holds nothing but strings" },
		{ "VOLUME [\"a\",[]]", "an array here holds nothing but strings" },
		{ "ENV A", "'A' has no value" },
		{ "ENV A=1 B", "'B' is not NAME=VALUE" },
		{ "ENV =1", "a name is empty" },
		{ "ENV ''=1", "a name is empty" },
		{ "ENV A=\"x", "a quote (\") is not closed" },
		{ "ENV A='x", "a quote (') is not closed" },
		{ "ENV A=${B:-x}", "only $NAME and ${NAME}" },
		{ "ENV A=${B", "only $NAME and ${NAME}" },
		{ "ENV A=${}", "only $NAME and ${NAME}" },
		{ "LABEL a", "'a' has no value" },
		{ "EXPOSE http", "'http' is not PORT" },
		{ "EXPOSE 0", "'0' is not PORT" },
		{ "EXPOSE 65536", "is not PORT" },
		{ "EXPOSE 4294967297", "is not PORT" },
		{ "EXPOSE 80/icmp", "is not PORT" },
		{ "EXPOSE 80/", "is not PORT" },
		{ "EXPOSE 90-80", "is not PORT" },
		{ "EXPOSE 80-", "is not PORT" },
		{ "EXPOSE -80", "is not PORT" },
		{ "EXPOSE 8080:80", "is not PORT" },
		{ "EXPOSE 127.0.0.1:8080:80", "is not PORT" },
		{ "EXPOSE $NONE", "is not PORT" },
		{ "VOLUME [\"\"]", "a volume's path is empty" },
		{ "WORKDIR \"\"", "the path is empty" },
		{ "STOPSIGNAL SIGFOO", "'SIGFOO' is not a signal" },
		{ "STOPSIGNAL 0", "is not a signal" },
		{ "STOPSIGNAL 65", "is not a signal" },
		{ "STOPSIGNAL 99999999999999999999", "is not a signal" },
		{ "STOPSIGNAL 9x", "is not a signal" },
		{ "STOPSIGNAL RTMIN+16", "is not a signal" },
		{ "ONBUILD FROM x", "FROM cannot wait for a build" },
		{ "ONBUILD onbuild RUN x", "ONBUILD cannot wait for a build" },
		{ "CMD a\nENV b=c", "a line break within" },
		{ "CMD a\r", "a line break within" },
		{ "CMD \xff", "not UTF-8" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nacre_error err = { 0 };
		char *bytes = NULL;
		int code = make(&cases[i].change, 1, &bytes, &err);
		if (code != NACRE_E_INVALID || !strstr(err.msg, cases[i].reason) || !strstr(err.msg, "change"))
			fail_msg("%s: %d (%s)", cases[i].change, code, err.msg);
		assert_null(bytes);
	}
}

static void bounds_what_variables_grow_to(void **state)
{
	/* each line is twice as long as the one before */
	struct nacre_error err;
	const char *changes[40] = { "ENV A=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" };
	char *bytes = NULL, *line = malloc(70000);
	assert_non_null(line);
	for (int i = 1; i < 40; i++)
		changes[i] = "ENV A=$A$A";
	assert_int_equal(make(changes, 40, &bytes, &err), NACRE_E_LIMIT);
	memset(line, 'x', 69999);
	line[69999] = '\0';
	memcpy(line, "USER ", 5);
	changes[0] = line;
	assert_int_equal(make(changes, 1, &bytes, &err), NACRE_E_INVALID);
	assert_non_null(strstr(err.msg, "65536"));
	free(line);
	assert_null(bytes);
}

static void exposes_every_port(void **state)
{
	struct nacre_error err;
	const char *const change = "EXPOSE 1-65535";
	NC_AUTO_FREE char *bytes = NULL;
	NC_CLEANUP(nc_config_auto) struct nc_config *config = NULL;
	assert_done(make(&change, 1, &bytes, &err));
	assert_done(nc_config_parse(bytes, strlen(bytes), &config, &err));
	size_t n = 0;
	while (config->exposed_ports[n])
		n++;
	assert_int_equal(n, 65535);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_all_of_it),
		cmocka_unit_test(makes_an_image_without_layers),
		cmocka_unit_test(needs_its_facts),
		cmocka_unit_test(applies_changes),
		cmocka_unit_test(refuses_changes),
		cmocka_unit_test(bounds_what_variables_grow_to),
		cmocka_unit_test(exposes_every_port),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
