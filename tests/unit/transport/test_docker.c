/* docker-archive since Docker 1.10, read. */
#include "room.h"

static void takes_images_with_their_names(void **state)
{
	struct image a = image_of("a", NC_PLAIN, NULL), b = image_of("b", NC_PLAIN, NULL);
	struct nacre_copied *copied;
	struct pack pack;
	char text[8192];
	pack_begin(&pack);
	pack_docker_image(&pack, &a);
	pack_docker_image(&pack, &b);
	int len = snprintf(text, sizeof text, "[%s,", docker_entry(&a, "[\"alpine:3\",\"quay.io/x/y:z\"]"));
	snprintf(text + len, sizeof text - (size_t)len, "%s]\n", docker_entry(&b, "null"));
	pack_text(&pack, "manifest.json", text);
	pack_write(&pack, "x.tar");
	assert_done(copy(at("docker-archive:", "x.tar"), at("docker-archive:", "y.tar"), &copied));
	assert_int_equal(copied->count, 2);
	assert_copied(copied, 0, &a, "docker.io/library/alpine:3");
	assert_string_equal(copied->images[0].names[1], "quay.io/x/y:z");
	assert_null(copied->images[0].names[2]);
	assert_copied(copied, 1, &b, NULL);
	nacre_copied_free(copied);
	image_free(&a);
	image_free(&b);
}

static void chooses_by_name_and_position(void **state)
{
	struct image a = image_of("a", NC_PLAIN, NULL), b = image_of("b", NC_PLAIN, NULL);
	struct nacre_copied *copied;
	struct pack pack;
	char text[8192], source[600];
	pack_begin(&pack);
	pack_docker_image(&pack, &a);
	pack_docker_image(&pack, &b);
	int len = snprintf(text, sizeof text, "[%s,", docker_entry(&a, "[\"alpine:3\"]"));
	snprintf(text + len, sizeof text - (size_t)len, "%s]", docker_entry(&b, "[\"busybox\"]"));
	pack_text(&pack, "manifest.json", text);
	pack_write(&pack, "x.tar");
	static const struct {
		const char *rest;
		bool second;
	} cases[] = { { "alpine:3", false }, { "docker.io/library/busybox:latest", true }, { "busybox", true },
		      { "@0", false }, { "@1", true } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(source, sizeof source, "%s:%s", at("docker-archive:", "x.tar"), cases[i].rest);
		assert_done(nacre_copy(NULL, source, at("docker-archive:", "y.tar"), NULL, &copied, &err));
		assert_int_equal(copied->count, 1);
		assert_copied(copied, 0, cases[i].second ? &b : &a,
			      cases[i].second ? "docker.io/library/busybox:latest" : "docker.io/library/alpine:3");
		nacre_copied_free(copied);
	}
	snprintf(source, sizeof source, "%s:alpine:4", at("docker-archive:", "x.tar"));
	assert_refused(copy(source, at("docker-archive:", "z.tar"), NULL), NACRE_E_NOTFOUND, "alpine:4");
	assert_refused(
		nacre_copy(NULL, at("docker-archive:", "x.tar"), at("docker-archive:", "z.tar"), NULL, NULL, &err),
		NACRE_E_AMBIGUOUS, "2 images");
	assert_false(there("z.tar"));
	image_free(&a);
	image_free(&b);
}

/* Docker writes a layer once and links the other directories to it; layers may be compressed. */
static void follows_links_to_layers(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL);
	struct nacre_copied *copied;
	struct pack pack;
	char text[2048];
	pack_begin(&pack);
	pack_bytes(&pack, "1/layer.tar", a.blobs[0].data, a.blobs[0].len);
	pack_entry(&pack, NC_ENTRY_SYMLINK, "2/layer.tar", "../1/layer.tar", NULL, 0);
	pack_bytes(&pack, "3/layer.tar", a.layers[1].data, a.layers[1].len);
	pack_entry(&pack, NC_ENTRY_LINK, "4/layer.tar", "3/layer.tar", NULL, 0);
	pack_bytes(&pack, "config.json", a.config.data, a.config.len);
	snprintf(text, sizeof text,
		 "[{\"Config\":\"config.json\",\"RepoTags\":[],\"Layers\":[\"2/layer.tar\",\"4/layer.tar\"]}]");
	pack_text(&pack, "manifest.json", text);
	pack_write(&pack, "x.tar");
	assert_done(copy(at("docker-archive:", "x.tar"), at("docker-archive:", "y.tar"), &copied));
	assert_copied(copied, 0, &a, NULL);
	nacre_copied_free(copied);
	image_free(&a);
}

/* Recent archives are OCI layouts as well: the manifest comes along. */
static void takes_the_manifest_of_an_oci_shaped_archive(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL);
	struct nacre_copied *copied;
	struct pack pack;
	char text[2048];
	pack_begin(&pack);
	put_oci_image(&pack, "", &a);
	pack_text(&pack, "oci-layout", OCI_LAYOUT);
	pack_text(&pack, "index.json", index_text(descriptor(NC_MEDIA_OCI_MANIFEST, &a.manifest, "")));
	snprintf(text, sizeof text,
		 "[{\"Config\":\"blobs/sha256/%s\",\"RepoTags\":[\"a:b\"],\"Layers\":[\"blobs/sha256/%s\","
		 "\"blobs/sha256/%s\"]}]",
		 a.config.hex, a.blobs[0].hex, a.blobs[1].hex);
	pack_text(&pack, "manifest.json", text);
	pack_write(&pack, "x.tar");
	assert_done(copy(at("docker-archive:", "x.tar"), at("oci:", "y"), &copied));
	assert_copied(copied, 0, &a, "docker.io/library/a:b");
	assert_string_equal(copied->images[0].manifest_digest + 7, a.manifest.hex);
	nacre_copied_free(copied);
	image_free(&a);
}

/* As docker saves an image of several platforms of which it has one: the others' blobs are missing. */
static void takes_the_manifest_that_is_whole(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL), gone = image_of("gone", NC_GZIP, "s390x");
	struct image part = image_of("part", NC_GZIP, "arm64");
	struct nacre_copied *copied;
	struct pack pack;
	char items[8192], text[4096];
	snprintf(items, sizeof items, "%s,%s,%s", descriptor(NC_MEDIA_OCI_MANIFEST, &gone.manifest, ""),
		 descriptor(NC_MEDIA_OCI_MANIFEST, &part.manifest, ""),
		 descriptor(NC_MEDIA_OCI_MANIFEST, &a.manifest, ""));
	struct bytes inner = text_of(index_text(items));
	struct bytes outer = text_of(index_text(descriptor(NC_MEDIA_OCI_INDEX, &inner, "")));
	pack_begin(&pack);
	put_oci_image(&pack, "", &a);
	put_blob(&pack, "", &part.manifest);
	put_blob(&pack, "", &part.config);
	put_blob(&pack, "", &inner);
	put_blob(&pack, "", &outer);
	pack_bytes(&pack, "plain.tar", part.layers[1].data, part.layers[1].len);
	pack_text(&pack, "oci-layout", OCI_LAYOUT);
	pack_text(&pack, "index.json", index_text(descriptor(NC_MEDIA_OCI_INDEX, &outer, "")));
	snprintf(text, sizeof text,
		 "[{\"Config\":\"blobs/sha256/%s\",\"Layers\":[\"blobs/sha256/%s\",\"blobs/sha256/%s\"]},"
		 "{\"Config\":\"blobs/sha256/%s\",\"Layers\":[\"blobs/sha256/%s\",\"plain.tar\"]}]",
		 a.config.hex, a.blobs[0].hex, a.blobs[1].hex, part.config.hex, part.blobs[0].hex);
	pack_text(&pack, "manifest.json", text);
	pack_write(&pack, "x.tar");
	assert_done(copy(at("docker-archive:", "x.tar"), at("oci:", "y"), &copied));
	assert_copied(copied, 0, &a, NULL);
	assert_string_equal(copied->images[0].manifest_digest + 7, a.manifest.hex);
	assert_copied(copied, 1, &part, NULL);
	assert_string_not_equal(copied->images[1].manifest_digest + 7, part.manifest.hex);
	nacre_copied_free(copied);
	bytes_free(&inner);
	bytes_free(&outer);
	image_free(&a);
	image_free(&gone);
	image_free(&part);
}

/* --- lies ------------------------------------------------------------------------------------------------------- */

struct lie {
	const char *manifest;		/* with %s for config, layer, layer */
	int code;
	const char *says;
};

static void refuses_lying_manifests(void **state)
{
	static const struct lie lies[] = {
		{ "", NACRE_E_BADDATA, "manifest.json" },
		{ "{}", NACRE_E_BADDATA, "manifest.json" },
		{ "[]", NACRE_E_NOTFOUND, "no image" },
		{ "[1]", NACRE_E_BADDATA, "manifest.json" },
		{ "[{}]", NACRE_E_BADDATA, "Config" },
		{ "[{\"Config\":7}]", NACRE_E_BADDATA, "Config" },
		{ "[{\"Config\":\"/etc/passwd\",\"Layers\":[]}]", NACRE_E_BADDATA, "/etc/passwd" },
		{ "[{\"Config\":\"../../etc/passwd\",\"Layers\":[]}]", NACRE_E_BADDATA, "" },
		{ "[{\"Config\":\"%s.json\",\"Layers\":[]}]", NACRE_E_BADDATA, "0 layers" },
		{ "[{\"Config\":\"%s.json\",\"Layers\":[\"%s.tar\"]}]", NACRE_E_BADDATA, "1 layers" },
		{ "[{\"Config\":\"%s.json\",\"Layers\":[\"%s.tar\",\"%s.tar\",\"x\"]}]", NACRE_E_BADDATA,
		  "3 layers" },
		{ "[{\"Config\":\"%s.json\",\"Layers\":[\"%s.tar\",\"gone.tar\"]}]", NACRE_E_BADDATA, "layer 2" },
		{ "[{\"Config\":\"%s.json\",\"Layers\":[\"/dev/zero\",\"%s.tar\"]}]", NACRE_E_BADDATA, "layer 1" },
		{ "[{\"Config\":\"%s.json\",\"Layers\":[\"../../../%s.tar\",\"%s.tar\"]}]", NACRE_E_BADDATA,
		  "layer 1" },
		{ "[{\"Config\":\"%s.json\",\"RepoTags\":[\"UPPER\"],\"Layers\":[\"%s.tar\",\"%s.tar\"]}]",
		  NACRE_E_BADDATA, "RepoTags" },
		{ "[{\"Config\":\"%s.json\",\"RepoTags\":[\"../x\"],\"Layers\":[\"%s.tar\",\"%s.tar\"]}]",
		  NACRE_E_BADDATA, "RepoTags" },
		{ "[{\"Config\":\"text\",\"Layers\":[]}]", NACRE_E_BADDATA, "config 'text'" },
		{ "[{\"Config\":\"0000000000000000000000000000000000000000000000000000000000000000.json\","
		  "\"Layers\":[]}]",
		  NACRE_E_DIGEST, "config" },
	};
	struct image a = image_of("a", NC_PLAIN, NULL);
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		char text[4096];
		struct pack pack;
		pack_begin(&pack);
		pack_docker_image(&pack, &a);
		pack_text(&pack, "text", "this is no JSON");
		pack_text(&pack, "0000000000000000000000000000000000000000000000000000000000000000.json",
			  a.config.data);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(text, sizeof text, lies[i].manifest, a.config.hex, a.layers[0].hex, a.layers[1].hex);
#pragma GCC diagnostic pop
		pack_text(&pack, "manifest.json", text);
		pack_write(&pack, "x.tar");
		assert_refused(copy(at("docker-archive:", "x.tar"), at("docker-archive:", "y.tar"), NULL),
			       lies[i].code, lies[i].says);
		assert_non_null(strstr(err.msg, "x.tar"));
		assert_int_equal(entries_of(""), 1);
	}
	image_free(&a);
}

static void refuses_a_layer_that_is_another(void **state)
{
	struct image a = image_of("a", NC_PLAIN, NULL), b = image_of("b", NC_PLAIN, NULL);
	char expected[1024];
	bytes_free(&a.blobs[1]);
	a.blobs[1] = bytes_of(b.layers[1].data, b.layers[1].len);
	write_docker("x.tar", &a, "null");
	snprintf(expected, sizeof expected, "layer 2 of %s: diff ID mismatch: expected sha256:%s, got sha256:%s",
		 at("docker-archive:", "x.tar"), a.layers[1].hex, b.layers[1].hex);
	assert_refused(copy(at("docker-archive:", "x.tar"), at("docker-archive:", "y.tar"), NULL), NACRE_E_DIGEST,
		       expected);
	assert_refused(copy(at("docker-archive:", "x.tar"), at("oci:", "y"), NULL), NACRE_E_DIGEST, expected);
	assert_refused(copy(at("docker-archive:", "x.tar"), at("oci-archive:", "y"), NULL), NACRE_E_DIGEST, expected);
	assert_refused(copy(at("docker-archive:", "x.tar"), at("dir:", "y"), NULL), NACRE_E_DIGEST, expected);
	assert_int_equal(entries_of(""), 1);
	image_free(&a);
	image_free(&b);
}

static void refuses_manifests_that_come_twice(void **state)
{
	struct image a = image_of("a", NC_PLAIN, NULL);
	struct pack pack;
	pack_begin(&pack);
	pack_docker_image(&pack, &a);
	pack_text(&pack, "manifest.json", "[]");
	pack_text(&pack, "manifest.json", "[]");
	pack_write(&pack, "x.tar");
	assert_refused(copy(at("docker-archive:", "x.tar"), at("dir:", "y"), NULL), NACRE_E_BADDATA, "twice");
	image_free(&a);
}

static void refuses_what_holds_no_image(void **state)
{
	struct pack pack;
	pack_begin(&pack);
	pack_entry(&pack, NC_ENTRY_DIR, "etc", "", NULL, 0);
	pack_text(&pack, "etc/passwd", "root");
	pack_write(&pack, "x.tar");
	assert_refused(copy(at("docker-archive:", "x.tar"), at("dir:", "y"), NULL), NACRE_E_BADDATA, "import");
	assert_refused(copy(at("docker-archive:", "gone.tar"), at("dir:", "y"), NULL), NACRE_E_NOTFOUND, "gone.tar");
	assert_int_equal(entries_of(""), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(takes_images_with_their_names, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(chooses_by_name_and_position, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(follows_links_to_layers, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(takes_the_manifest_of_an_oci_shaped_archive, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(takes_the_manifest_that_is_whole, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(refuses_lying_manifests, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(refuses_a_layer_that_is_another, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(refuses_manifests_that_come_twice, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(refuses_what_holds_no_image, enter_room, leave_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
