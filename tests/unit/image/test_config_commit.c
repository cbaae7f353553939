#include "../unit.h"

#include "image/config.h"

#include <string.h>

#define DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct nacre_error err;

static void expect(const char *config, const struct nc_config_commit *facts, const char *want)
{
	char *got = NULL;
	size_t len = 0;
	struct nc_config *parsed = NULL;
	assert_done(nc_config_commit(config, strlen(config), facts, &got, &len, &err));
	assert_string_equal(got, want);
	assert_int_equal(len, strlen(want));
	assert_done(nc_config_parse(got, len, &parsed, &err));
	nc_config_free(parsed);
	free(got);
}

static void one_more_layer(void **state)
{
	struct nc_digest diff_id;
	static const char *const changes[] = { "CMD [\"/b\"]", "ENV B=$A" };
	assert_done(nc_digest_parse(OTHER, &diff_id, &err));
	struct nc_config_commit facts = { .created_by = "nacre commit", .comment = "why", .author = "me", .created_sec = 5,
					  .changes = changes, .change_count = 2, .diff_id = &diff_id };
	/* what is not known stays, what docker noted about a container goes */
	expect("{\"os\":\"linux\",\"architecture\":\"arm\",\"unknown\":{\"z\":1.5,\"a\":null},\"container\":\"x\","
	       "\"container_config\":{},\"author\":\"you\",\"config\":{\"Env\":[\"A=1\"],\"Shell\":[\"/s\"]},"
	       "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIGEST "\"]},"
	       "\"history\":[{\"created\":\"2020-01-01T00:00:00Z\"},{\"created_by\":\"<x>\",\"empty_layer\":true}]}",
	       &facts,
	       "{\"architecture\":\"arm\",\"author\":\"me\",\"config\":{\"Cmd\":[\"/b\"],\"Env\":[\"A=1\",\"B=1\"],"
	       "\"Shell\":[\"/s\"]},\"created\":\"1970-01-01T00:00:05Z\",\"history\":["
	       "{\"created\":\"2020-01-01T00:00:00Z\"},{\"created_by\":\"\\u003cx\\u003e\",\"empty_layer\":true},"
	       "{\"author\":\"me\",\"comment\":\"why\",\"created\":\"1970-01-01T00:00:05Z\",\"created_by\":\"nacre commit\"}],"
	       "\"os\":\"linux\",\"rootfs\":{\"diff_ids\":[\"" DIGEST "\",\"" OTHER "\"],\"type\":\"layers\"},"
	       "\"unknown\":{\"a\":null,\"z\":1.5}}");
}

static void no_layer(void **state)
{
	struct nc_config_commit facts = { .created_sec = 5 };
	expect("{\"os\":\"linux\",\"architecture\":\"arm\",\"author\":\"you\",\"config\":null,"
	       "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}",
	       &facts,
	       "{\"architecture\":\"arm\",\"author\":\"you\",\"config\":{},\"created\":\"1970-01-01T00:00:05Z\",\"history\":["
	       "{\"created\":\"1970-01-01T00:00:05Z\",\"empty_layer\":true}],\"os\":\"linux\","
	       "\"rootfs\":{\"diff_ids\":[],\"type\":\"layers\"}}");
}

/* One entry a layer, so that they number alike. */
static void no_history_below(void **state)
{
	struct nc_digest diff_id;
	assert_done(nc_digest_parse(OTHER, &diff_id, &err));
	struct nc_config_commit facts = { .created_sec = 5, .diff_id = &diff_id };
	expect("{\"os\":\"linux\",\"architecture\":\"arm\",\"created\":\"2020-01-01T00:00:00Z\","
	       "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIGEST "\",\"" DIGEST "\"]}}",
	       &facts,
	       "{\"architecture\":\"arm\",\"config\":{},\"created\":\"1970-01-01T00:00:05Z\",\"history\":["
	       "{\"created\":\"2020-01-01T00:00:00Z\"},{\"created\":\"2020-01-01T00:00:00Z\"},"
	       "{\"created\":\"1970-01-01T00:00:05Z\"}],\"os\":\"linux\","
	       "\"rootfs\":{\"diff_ids\":[\"" DIGEST "\",\"" DIGEST "\",\"" OTHER "\"],\"type\":\"layers\"}}");
}

static void bad_changes(void **state)
{
	static const char *const changes[] = { "RUN rm" };
	struct nc_config_commit facts = { .changes = changes, .change_count = 1 };
	static const char config[] = "{\"os\":\"linux\",\"architecture\":\"arm\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}";
	char *got = NULL;
	size_t len;
	assert_int_equal(nc_config_commit(config, strlen(config), &facts, &got, &len, &err), NACRE_E_INVALID);
	assert_null(got);
	assert_int_equal(nc_config_commit("[]", 2, &facts, &got, &len, &err), NACRE_E_BADDATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_more_layer),
		cmocka_unit_test(no_layer),
		cmocka_unit_test(no_history_below),
		cmocka_unit_test(bad_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
