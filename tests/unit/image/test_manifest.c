#include "../unit.h"

#include "image/manifest.h"

#include <stdio.h>

#define HEX(c) c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define DIGEST_A "sha256:" HEX("aa")
#define DIGEST_B "sha256:" HEX("bb")
#define DIGEST_C "sha512:" HEX("cc") HEX("cc")

#define CONFIG "\"config\":{\"mediaType\":\"" NC_MEDIA_OCI_CONFIG "\",\"digest\":\"" DIGEST_A "\",\"size\":7}"
#define LAYER "{\"mediaType\":\"" NC_MEDIA_OCI_LAYER "+gzip\",\"digest\":\"" DIGEST_B "\",\"size\":32654}"
#define V2 "\"schemaVersion\":2"
#define TYPE(t) "\"mediaType\":\"" t "\""
#define INDEX_ITEM \
	"{\"mediaType\":\"" NC_MEDIA_OCI_MANIFEST "\",\"digest\":\"" DIGEST_C "\",\"size\":500," \
	"\"annotations\":{\"other\":\"x\",\"org.opencontainers.image.ref.name\":\"latest\"," \
	"\"io.containerd.image.name\":\"docker.io/library/alpine:latest\"}," \
	"\"platform\":{\"architecture\":\"arm64\",\"os\":\"linux\",\"variant\":\"v8\",\"os.version\":\"1.2\"," \
	"\"os.features\":[\"x\"]}}"

static int parse(const char *text, const char *announced, struct nc_manifest **ret, struct nacre_error *err)
{
	return nc_manifest_parse(text, strlen(text), announced, ret, err);
}

static void reads_an_oci_manifest(void **state)
{
	struct nacre_error err;
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *manifest = NULL;
	char text[NC_DIGEST_TEXT];
	assert_done(parse("{" V2 "," TYPE(NC_MEDIA_OCI_MANIFEST) "," CONFIG ",\"layers\":[" LAYER "," LAYER
			  "],\"annotations\":{\"a\":\"b\"},\"subject\":null,\"unknown\":[1,2]}",
			  NC_MEDIA_OCI_MANIFEST, &manifest, &err));
	assert_int_equal(manifest->kind, NC_DOC_MANIFEST);
	assert_false(manifest->docker);
	assert_string_equal(manifest->media_type, NC_MEDIA_OCI_MANIFEST);
	assert_string_equal(manifest->artifact_type, "");
	assert_string_equal(manifest->config.media_type, NC_MEDIA_OCI_CONFIG);
	assert_string_equal(nc_digest_text(&manifest->config.digest, text), DIGEST_A);
	assert_int_equal(manifest->config.size, 7);
	assert_int_equal(manifest->item_count, 2);
	assert_string_equal(nc_digest_text(&manifest->items[1].digest, text), DIGEST_B);
	assert_int_equal(manifest->items[1].size, 32654);
	assert_false(manifest->items[1].has_platform);
	assert_string_equal(manifest->items[1].ref_name, "");
}

static void reads_an_index(void **state)
{
	struct nacre_error err;
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *index = NULL;
	char text[NC_DIGEST_TEXT];
	assert_done(parse("{" V2 ",\"manifests\":[" INDEX_ITEM "]}", NULL, &index, &err));
	assert_int_equal(index->kind, NC_DOC_INDEX);
	assert_string_equal(index->media_type, NC_MEDIA_OCI_INDEX);
	assert_int_equal(index->item_count, 1);
	const struct nc_descriptor *item = &index->items[0];
	assert_string_equal(nc_digest_text(&item->digest, text), DIGEST_C);
	assert_true(item->has_platform);
	assert_string_equal(item->platform.os, "linux");
	assert_string_equal(item->platform.architecture, "arm64");
	assert_string_equal(item->platform.variant, "v8");
	assert_string_equal(item->platform.os_version, "1.2");
	assert_string_equal(item->ref_name, "latest");
	assert_string_equal(item->image_name, "docker.io/library/alpine:latest");
}

static void settles_kind_and_type(void **state)
{
	static const struct {
		const char *text, *announced;
		int kind;
		bool docker;
		const char *media_type;
	} cases[] = {
		{ "{" V2 "," CONFIG ",\"layers\":[]}", NULL, NC_DOC_MANIFEST, false, NC_MEDIA_OCI_MANIFEST },
		{ "{" V2 "," CONFIG ",\"layers\":null}", "", NC_DOC_MANIFEST, false, NC_MEDIA_OCI_MANIFEST },
		{ "{" V2 "," CONFIG "}", "", NC_DOC_MANIFEST, false, NC_MEDIA_OCI_MANIFEST },
		{ "{" V2 "," CONFIG ",\"mediaType\":null}", "", NC_DOC_MANIFEST, false, NC_MEDIA_OCI_MANIFEST },
		{ "{" V2 "," CONFIG ",\"layers\":[]}", NC_MEDIA_DOCKER_MANIFEST, NC_DOC_MANIFEST, true,
		  NC_MEDIA_DOCKER_MANIFEST },
		{ "{" V2 "," TYPE(NC_MEDIA_DOCKER_MANIFEST) "," CONFIG ",\"layers\":[]}", NULL, NC_DOC_MANIFEST, true,
		  NC_MEDIA_DOCKER_MANIFEST },
		{ "{" V2 "," TYPE(NC_MEDIA_DOCKER_LIST) ",\"manifests\":[]}", NC_MEDIA_DOCKER_LIST, NC_DOC_INDEX, true,
		  NC_MEDIA_DOCKER_LIST },
		{ "{" V2 ",\"manifests\":null}", NULL, NC_DOC_INDEX, false, NC_MEDIA_OCI_INDEX },
		{ "{" V2 ",\"manifests\":[],\"annotations\":{},\"subject\":{}}", NC_MEDIA_OCI_INDEX, NC_DOC_INDEX, false,
		  NC_MEDIA_OCI_INDEX },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nacre_error err;
		NC_CLEANUP(nc_manifest_auto) struct nc_manifest *manifest = NULL;
		assert_done(parse(cases[i].text, cases[i].announced, &manifest, &err));
		assert_int_equal(manifest->kind, cases[i].kind);
		assert_int_equal(manifest->docker, cases[i].docker);
		assert_string_equal(manifest->media_type, cases[i].media_type);
	}
}

#define WITH_LAYER(l) "{" V2 "," CONFIG ",\"layers\":[" LAYER "," l "]}"
#define WITH_ITEM(l) "{" V2 ",\"manifests\":[" l "]}"

static const struct refused {
	const char *text, *announced;
	int code;
	const char *reason;
} refused[] = {
	{ "[]", NULL, NACRE_E_BADDATA, "manifest: must be an object" },
	{ "{}", NULL, NACRE_E_BADDATA, "schemaVersion: missing" },
	{ "{\"schemaVersion\":\"2\"," CONFIG "}", NULL, NACRE_E_BADDATA, "schemaVersion: must be an integer" },
	{ "{\"schemaVersion\":2.0," CONFIG "}", NULL, NACRE_E_BADDATA, "schemaVersion: must be an integer" },
	{ "{\"schemaVersion\":3," CONFIG "}", NULL, NACRE_E_BADDATA, "schemaVersion: 3" },
	{ "{\"schemaVersion\":1,\"name\":\"x\",\"fsLayers\":[]}", NULL, NACRE_E_UNSUPPORTED, "schema 1" },
	{ "{\"fsLayers\":[]}", "application/vnd.docker.distribution.manifest.v1+json", NACRE_E_UNSUPPORTED, "schema 1" },
	{ "{" TYPE("application/vnd.docker.distribution.manifest.v1+prettyjws") "}", NULL, NACRE_E_UNSUPPORTED,
	  "schema 1" },
	{ "{" V2 "}", NULL, NACRE_E_BADDATA, "neither layers nor manifests" },
	{ "{" V2 ",\"layers\":[]}", NULL, NACRE_E_BADDATA, "config: missing" },
	{ "{" V2 "," CONFIG ",\"manifests\":[]}", NULL, NACRE_E_BADDATA, "fields of a manifest and those of an index" },
	{ "{" V2 "," CONFIG ",\"manifests\":null}", NULL, NACRE_E_BADDATA, "of a manifest and those of an index" },
	{ "{" V2 ",\"layers\":null,\"manifests\":[]}", NULL, NACRE_E_BADDATA, "of a manifest and those of an index" },
	{ "{" V2 "," TYPE(NC_MEDIA_OCI_INDEX) "," CONFIG ",\"manifests\":[]}", NULL, NACRE_E_BADDATA, "of an index" },
	{ "{" V2 "," CONFIG ",\"layers\":[],\"fsLayers\":[]}", NULL, NACRE_E_BADDATA, "fsLayers" },
	{ "{" V2 "," CONFIG ",\"layers\":[],\"blobs\":[]}", NULL, NACRE_E_BADDATA, "blobs" },
	{ "{" V2 "," CONFIG ",\"Manifests\":[]}", NULL, NACRE_E_BADDATA, "Manifests: must be spelled 'manifests'" },
	{ "{" V2 "," CONFIG ",\"LAYERS\":[]}", NULL, NACRE_E_BADDATA, "LAYERS: must be spelled 'layers'" },
	{ "{" V2 "," CONFIG ",\"mediatype\":\"x\"}", NULL, NACRE_E_BADDATA, "mediatype: must be spelled" },
	{ "{" V2 "," TYPE(NC_MEDIA_OCI_MANIFEST) ",\"manifests\":[]}", NULL, NACRE_E_BADDATA, "fields of an index" },
	{ "{" V2 "," TYPE(NC_MEDIA_OCI_INDEX) "," CONFIG "}", NULL, NACRE_E_BADDATA, "fields of a manifest" },
	{ "{" V2 "," CONFIG "}", NC_MEDIA_OCI_INDEX, NACRE_E_BADDATA, "fields of a manifest" },
	{ "{" V2 "," TYPE(NC_MEDIA_OCI_MANIFEST) "," CONFIG "}", NC_MEDIA_DOCKER_MANIFEST, NACRE_E_BADDATA,
	  "announced as" },
	{ "{" V2 "," TYPE("text/plain") "," CONFIG "}", NULL, NACRE_E_BADDATA, "'text/plain' is not" },
	{ "{" V2 "," CONFIG "}", "application/octet-stream", NACRE_E_BADDATA, "octet-stream" },
	{ "{" V2 "," CONFIG ",\"mediaType\":7}", NULL, NACRE_E_BADDATA, "mediaType: must be a string" },
	{ "{" V2 "," CONFIG ",\"layers\":{}}", NULL, NACRE_E_BADDATA, "manifest: layers: must be an array" },
	{ "{" V2 ",\"manifests\":{}}", NULL, NACRE_E_BADDATA, "manifest: manifests: must be an array" },
	{ "{" V2 ",\"config\":[],\"layers\":[]}", NULL, NACRE_E_BADDATA, "manifest: config: must be an object" },
	{ "{" V2 ",\"config\":null,\"layers\":[]}", NULL, NACRE_E_BADDATA, "manifest: config: must be an object" },
	{ "{" V2 ",\"config\":{},\"layers\":[]}", NULL, NACRE_E_BADDATA, "manifest: config.digest: missing" },
	{ WITH_LAYER("7"), NULL, NACRE_E_BADDATA, "manifest: layers[1]: must be an object" },
	{ WITH_LAYER("null"), NULL, NACRE_E_BADDATA, "manifest: layers[1]: must be an object" },
	{ WITH_LAYER("{\"size\":1}"), NULL, NACRE_E_BADDATA, "manifest: layers[1].digest: missing" },
	{ WITH_LAYER("{\"size\":1,\"digest\":7}"), NULL, NACRE_E_BADDATA, "layers[1].digest: must be a string" },
	{ WITH_LAYER("{\"size\":1,\"digest\":\"../../etc\"}"), NULL, NACRE_E_BADDATA,
	  "manifest: layers[1].digest: '../../etc' is not a digest" },
	{ WITH_LAYER("{\"size\":1,\"digest\":\"sha256:" HEX("AA") "\"}"), NULL, NACRE_E_BADDATA, "layers[1].digest: " },
	{ WITH_LAYER("{\"size\":1,\"digest\":\"" DIGEST_A "a\"}"), NULL, NACRE_E_BADDATA, "layers[1].digest: " },
	{ WITH_LAYER("{\"digest\":\"" DIGEST_A "\"}"), NULL, NACRE_E_BADDATA, "layers[1].size: missing" },
	{ WITH_LAYER("{\"digest\":\"" DIGEST_A "\",\"size\":-1}"), NULL, NACRE_E_BADDATA, "layers[1].size: negative" },
	{ WITH_LAYER("{\"digest\":\"" DIGEST_A "\",\"size\":1.5}"), NULL, NACRE_E_BADDATA, "size: must be an integer" },
	{ WITH_LAYER("{\"digest\":\"" DIGEST_A "\",\"size\":\"1\"}"), NULL, NACRE_E_BADDATA, "size: must be an integer" },
	{ WITH_LAYER("{\"digest\":\"" DIGEST_A "\",\"size\":9223372036854775808}"), NULL, NACRE_E_BADDATA, "not valid" },
	{ WITH_LAYER("{\"digest\":\"" DIGEST_A "\",\"size\":1,\"Digest\":\"" DIGEST_B "\"}"), NULL, NACRE_E_BADDATA,
	  "layers[1].Digest: must be spelled 'digest'" },
	{ WITH_LAYER("{\"digest\":\"" DIGEST_A "\",\"size\":1,\"mediaType\":[]}"), NULL, NACRE_E_BADDATA,
	  "layers[1].mediaType: must be a string" },
	{ WITH_LAYER("{\"digest\":\"" DIGEST_A "\",\"size\":1,\"digest\":\"" DIGEST_A "\"}"), NULL, NACRE_E_BADDATA,
	  "duplicate" },
	{ WITH_ITEM("{\"digest\":\"" DIGEST_A "\",\"size\":1,\"platform\":[]}"), NULL, NACRE_E_BADDATA,
	  "manifests[0].platform: must be an object" },
	{ WITH_ITEM("{\"digest\":\"" DIGEST_A "\",\"size\":1,\"platform\":{\"os\":1}}"), NULL, NACRE_E_BADDATA,
	  "manifests[0].platform.os: must be a string" },
	{ WITH_ITEM("{\"digest\":\"" DIGEST_A "\",\"size\":1,\"platform\":{\"os\":\"" HEX("aa") "\"}}"), NULL,
	  NACRE_E_LIMIT, "manifests[0].platform.os: longer than 63 bytes" },
	{ WITH_ITEM("{\"digest\":\"" DIGEST_A "\",\"size\":1,\"annotations\":[]}"), NULL, NACRE_E_BADDATA,
	  "manifests[0].annotations: must be an object" },
	{ WITH_ITEM("{\"digest\":\"" DIGEST_A "\",\"size\":1,"
		    "\"annotations\":{\"org.opencontainers.image.ref.name\":1}}"), NULL, NACRE_E_BADDATA,
	  "annotations.org.opencontainers.image.ref.name: must be a string" },
	{ "{" V2 "," CONFIG ",\"layers\":[],\"layers\":[]}", NULL, NACRE_E_BADDATA, "duplicate" },
	{ "{" V2 "," CONFIG ",\"x\":\"\xff\"}", NULL, NACRE_E_BADDATA, "not valid JSON" },
	{ "{" V2 "," CONFIG "} x", NULL, NACRE_E_BADDATA, "not valid JSON" },
	{ "{" V2 "," CONFIG, NULL, NACRE_E_BADDATA, "not valid JSON" },
};

static void refuses(void **state)
{
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct nacre_error err = { 0 };
		struct nc_manifest *manifest = NULL;
		int code = parse(refused[i].text, refused[i].announced, &manifest, &err);
		if (code != refused[i].code || err.code != code || !strstr(err.msg, refused[i].reason) ||
		    strncmp(err.msg, "manifest: ", 10) != 0)
			fail_msg("%s: %d (%s)", refused[i].text, code, err.msg);
		assert_null(manifest);
		assert_int_equal(parse(refused[i].text, refused[i].announced, &manifest, NULL), refused[i].code);
	}
}

static void refuses_more_than_4096_layers(void **state)
{
	for (int n = 4096; n <= 4097; n++) {
		struct nacre_error err;
		NC_CLEANUP(nc_manifest_auto) struct nc_manifest *manifest = NULL;
		char *text = malloc(1024 + (size_t)n * (sizeof LAYER + 1));
		if (!text)
			abort();
		int len = sprintf(text, "{" V2 "," CONFIG ",\"layers\":[" LAYER);
		for (int i = 1; i < n; i++)
			len += sprintf(text + len, "," LAYER);
		sprintf(text + len, "]}");
		int code = parse(text, NULL, &manifest, &err);
		assert_int_equal(code, n == 4096 ? 0 : NACRE_E_LIMIT);
		if (n > 4096)
			assert_string_equal(err.msg, "manifest: layers: 4097 of them, more than 4096");
		free(text);
	}
}

static struct nc_digest digest_of(const char *text)
{
	struct nacre_error err;
	struct nc_digest digest;
	assert_done(nc_digest_parse(text, &digest, &err));
	return digest;
}

static void expect_made(const struct nc_manifest *manifest, const char *expected)
{
	struct nacre_error err;
	NC_AUTO_FREE char *bytes = NULL, *again = NULL;
	size_t len, again_len;
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *parsed = NULL;
	assert_done(nc_manifest_make(manifest, &bytes, &len, &err));
	assert_string_equal(bytes, expected);
	assert_int_equal(len, strlen(expected));
	assert_done(nc_manifest_parse(bytes, len, manifest->media_type, &parsed, &err));
	assert_done(nc_manifest_make(parsed, &again, &again_len, &err));
	assert_string_equal(again, expected);
}

static void makes_manifests_and_indexes(void **state)
{
	char oci_layer[] = NC_MEDIA_OCI_LAYER "+gzip", oci_config[] = NC_MEDIA_OCI_CONFIG;
	char oci_manifest[] = NC_MEDIA_OCI_MANIFEST, oci_index[] = NC_MEDIA_OCI_INDEX;
	struct nc_descriptor items[] = {
		{ .media_type = oci_layer, .digest = digest_of(DIGEST_B), .size = 32654 },
		{ .media_type = oci_layer, .digest = digest_of(DIGEST_C), .size = UINT64_C(9223372036854775807) },
	};
	struct nc_manifest manifest = {
		.kind = NC_DOC_MANIFEST, .media_type = oci_manifest, .items = items, .item_count = 2,
		.config = { .media_type = oci_config, .digest = digest_of(DIGEST_A), .size = 7 },
	};
	expect_made(&manifest, "{" V2 "," TYPE(NC_MEDIA_OCI_MANIFEST) "," CONFIG ",\"layers\":[" LAYER
			       ",{\"mediaType\":\"" NC_MEDIA_OCI_LAYER "+gzip\",\"digest\":\"" DIGEST_C
			       "\",\"size\":9223372036854775807}]}");
	manifest.item_count = 0;
	expect_made(&manifest, "{" V2 "," TYPE(NC_MEDIA_OCI_MANIFEST) "," CONFIG ",\"layers\":[]}");

	char ref[] = "<latest>", image[] = "docker.io/library/alpine:latest";
	struct nc_descriptor images[] = {
		{ .media_type = oci_manifest, .digest = digest_of(DIGEST_A), .size = 1, .ref_name = ref,
		  .image_name = image, .has_platform = true,
		  .platform = { .os = "linux", .architecture = "arm64", .variant = "v8" } },
		{ .digest = digest_of(DIGEST_B), .size = 0, .ref_name = ref },
		{ .media_type = oci_manifest, .digest = digest_of(DIGEST_B), .size = 2, .image_name = image,
		  .has_platform = true, .platform = { .os = "windows", .architecture = "amd64", .os_version = "10" } },
	};
	struct nc_manifest index = { .kind = NC_DOC_INDEX, .media_type = oci_index, .items = images, .item_count = 3 };
	expect_made(&index,
		    "{" V2 "," TYPE(NC_MEDIA_OCI_INDEX) ",\"manifests\":["
		    "{\"mediaType\":\"" NC_MEDIA_OCI_MANIFEST "\",\"digest\":\"" DIGEST_A "\",\"size\":1,\"annotations\":"
		    "{\"io.containerd.image.name\":\"docker.io/library/alpine:latest\","
		    "\"org.opencontainers.image.ref.name\":\"\\u003clatest\\u003e\"},"
		    "\"platform\":{\"architecture\":\"arm64\",\"os\":\"linux\",\"variant\":\"v8\"}},"
		    "{\"digest\":\"" DIGEST_B "\",\"size\":0,\"annotations\":"
		    "{\"org.opencontainers.image.ref.name\":\"\\u003clatest\\u003e\"}},"
		    "{\"mediaType\":\"" NC_MEDIA_OCI_MANIFEST "\",\"digest\":\"" DIGEST_B "\",\"size\":2,\"annotations\":"
		    "{\"io.containerd.image.name\":\"docker.io/library/alpine:latest\"},"
		    "\"platform\":{\"architecture\":\"amd64\",\"os\":\"windows\",\"os.version\":\"10\"}}]}");
}

static void makes_nothing_without_a_digest(void **state)
{
	struct nacre_error err;
	char *bytes = NULL;
	size_t len = 7;
	struct nc_manifest manifest = { .kind = NC_DOC_MANIFEST };
	assert_int_equal(nc_manifest_make(&manifest, &bytes, &len, &err), NACRE_E_INVALID);
	assert_null(bytes);
	assert_int_equal(len, 7);
}

static void knows_layer_media_types(void **state)
{
	assert_string_equal(nc_layer_media_type(false, NC_PLAIN), "application/vnd.oci.image.layer.v1.tar");
	assert_string_equal(nc_layer_media_type(false, NC_GZIP), "application/vnd.oci.image.layer.v1.tar+gzip");
	assert_string_equal(nc_layer_media_type(false, NC_ZSTD), "application/vnd.oci.image.layer.v1.tar+zstd");
	assert_string_equal(nc_layer_media_type(true, NC_PLAIN), "application/vnd.docker.image.rootfs.diff.tar");
	assert_string_equal(nc_layer_media_type(true, NC_GZIP), "application/vnd.docker.image.rootfs.diff.tar.gzip");
	assert_string_equal(nc_layer_media_type(true, NC_ZSTD), "application/vnd.docker.image.rootfs.diff.tar.zstd");
	assert_null(nc_layer_media_type(false, NC_XZ));
	assert_null(nc_layer_media_type(true, NC_BZIP2));
	for (int docker = 0; docker < 2; docker++)
		for (int codec = NC_PLAIN; codec <= NC_ZSTD; codec++)
			assert_true(nc_media_type_is_layer(nc_layer_media_type(docker, (enum nc_codec)codec)));
	assert_true(nc_media_type_is_layer("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"));
	assert_false(nc_media_type_is_layer("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"));
	assert_false(nc_media_type_is_layer("application/vnd.oci.image.layer.v1.tar+encrypted"));
	assert_false(nc_media_type_is_layer("application/vnd.oci.empty.v1+json"));
	assert_false(nc_media_type_is_layer("application/vnd.in-toto+json"));
	assert_false(nc_media_type_is_layer(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_an_oci_manifest),
		cmocka_unit_test(reads_an_index),
		cmocka_unit_test(settles_kind_and_type),
		cmocka_unit_test(refuses),
		cmocka_unit_test(refuses_more_than_4096_layers),
		cmocka_unit_test(makes_manifests_and_indexes),
		cmocka_unit_test(makes_nothing_without_a_digest),
		cmocka_unit_test(knows_layer_media_types),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
