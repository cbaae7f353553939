/* Docker's manifests of schema 1: which bytes a digest is taken of, and what is refused. */
#include "../unit.h"

#include "image/schema1.h"

static struct nacre_error err;

#define SUM "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* {"formatLength":9,"formatTail":"Cn0"}: nine bytes from the front, then a newline and "}" */
#define PROTECTED "eyJmb3JtYXRMZW5ndGgiOjksImZvcm1hdFRhaWwiOiJDbjAifQ"
/* The same of 4000 bytes. */
#define TOO_LONG "eyJmb3JtYXRMZW5ndGgiOjQwMDAsImZvcm1hdFRhaWwiOiJDbjAifQ"

static void payloads(void **state)
{
	static const struct {
		const char *text, *payload;	/* NULL: refused */
	} cases[] = {
		{ "{\"name\":1}", "{\"name\":1}" },
		{ "{\"signatures\":[]}", "{\"signatures\":[]}" },
		{ "{\"name\":1,\"signatures\":[{\"protected\":\"" PROTECTED "\"}]}", "{\"name\":1\n}" },
		{ "{\"name\":1,\"signatures\":[{\"protected\":\"" TOO_LONG "\"}]}", NULL },
		{ "{\"name\":1,\"signatures\":[{\"protected\":\"*\"}]}", NULL },
		{ "{\"name\":1,\"signatures\":[{\"protected\":\"e30\"}]}", NULL },
		{ "{\"name\":1,\"signatures\":[{}]}", NULL },
		{ "{\"name\":1,\"signatures\":[1]}", NULL },
		{ "{\"name\":1,\"signatures\":1}", NULL },
		{ "{", NULL },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		NC_AUTO_BUF struct nc_buf payload = NC_BUF_INIT(1 << 16);
		int code = nc_schema1_payload(cases[i].text, strlen(cases[i].text), &payload, &err);
		if (!cases[i].payload) {
			assert_int_equal(code, NACRE_E_BADDATA);
			continue;
		}
		assert_done(code);
		assert_string_equal(nc_buf_text(&payload), cases[i].payload);
	}
}

static void layers_lowest_first(void **state)
{
	static const char text[] =
		"{\"schemaVersion\":1,\"fsLayers\":[{\"blobSum\":\"" SUM "\"},{\"blobSum\":\"" SUM "\"}],\"history\":["
		"{\"v1Compatibility\":\"{\\\"id\\\":\\\"b\\\",\\\"throwaway\\\":true}\"},{\"v1Compatibility\":\"{\\\"id\\\":\\\"a\\\"}\"}]}";
	NC_CLEANUP(nc_schema1_auto) struct nc_schema1 *manifest = NULL;
	assert_true(nc_is_schema1("", text, strlen(text)));
	assert_true(nc_is_schema1("application/json", text, strlen(text)));
	assert_false(nc_is_schema1("application/vnd.oci.image.manifest.v1+json", text, strlen(text)));
	assert_done(nc_schema1_parse(text, strlen(text), &manifest, &err));
	assert_int_equal(manifest->count, 2);
	assert_string_equal(manifest->items[0].json, "{\"id\":\"a\"}");
	assert_true(manifest->items[0].blob.alg != 0);
	assert_int_equal(manifest->items[1].blob.alg, 0);
}

static void refusals(void **state)
{
	static const char *const cases[][2] = {
		{ "{\"schemaVersion\":1}", "0 layers" },
		{ "{\"fsLayers\":[{\"blobSum\":\"" SUM "\"}],\"history\":[]}", "1 layers and 0" },
		{ "{\"fsLayers\":[{}],\"history\":[{\"v1Compatibility\":\"{}\"}]}", "fsLayers[0].blobSum" },
		{ "{\"fsLayers\":[1],\"history\":[{\"v1Compatibility\":\"{}\"}]}", "fsLayers[0]" },
		{ "{\"fsLayers\":[{\"blobSum\":\"" SUM "\"}],\"history\":[1]}", "history[0]" },
		{ "{\"fsLayers\":[{\"blobSum\":\"" SUM "\"}],\"history\":[{}]}", "v1Compatibility" },
		{ "{\"fslayers\":[]}", "must be spelled" },
		{ "{\"fsLayers\":[],\"history\":[],\"layers\":[]}", "another kind" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nc_schema1 *manifest;
		assert_int_equal(nc_schema1_parse(cases[i][0], strlen(cases[i][0]), &manifest, &err), NACRE_E_BADDATA);
		if (!strstr(err.msg, cases[i][1]))
			fail_msg("'%s' has no '%s'", err.msg, cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(payloads),
		cmocka_unit_test(layers_lowest_first),
		cmocka_unit_test(refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
