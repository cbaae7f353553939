/* OCI layouts and dir: directories, read. */
#include "room.h"

#define NAMED(ref, name)                                                                                             \
	",\"annotations\":{\"org.opencontainers.image.ref.name\":\"" ref "\",\"io.containerd.image.name\":\"" name   \
	"\"}"
#define REF(ref) ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"" ref "\"}"
#define PLATFORM(arch) ",\"platform\":{\"os\":\"linux\",\"architecture\":\"" arch "\"}"

/* A layout directory "x" with this index.json and the blobs of some images. */
static void write_index(const struct image *const *images, size_t count, const char *items)
{
	make_layout_dirs("x");
	for (size_t i = 0; i < count; i++)
		put_oci_image(NULL, "x", images[i]);
	put_layout_file(NULL, "x", "oci-layout", OCI_LAYOUT);
	put_layout_file(NULL, "x", "index.json", index_text(items));
}

static int copy_platform(const char *source, const char *platform, struct nacre_copied **ret)
{
	const struct nacre_copy_options options = { .size = sizeof options, .platform = platform };
	return nacre_copy(NULL, source, at("oci-archive:", "y"), &options, ret, &err);
}

static void takes_names_from_annotations(void **state)
{
	static const struct {
		const char *extra, *name;
	} cases[] = {
		{ "", NULL },
		{ REF("latest"), NULL },
		{ REF("3.19"), NULL },
		{ REF("alpine:3.19"), "docker.io/library/alpine:3.19" },
		{ REF("localhost/x:y"), "localhost/x:y" },
		{ REF("Not A Name"), NULL },
		{ NAMED("latest", "docker.io/library/alpine:latest"), "docker.io/library/alpine:latest" },
		{ NAMED("quay.io/a/b:c", "quay.io/d/e:f"), "quay.io/d/e:f" },
		{ NAMED("quay.io/a/b:c", "Not A Name"), "quay.io/a/b:c" },
	};
	struct image a = image_of("a", NC_GZIP, NULL);
	const struct image *images[] = { &a };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nacre_copied *copied;
		write_index(images, 1, descriptor(NC_MEDIA_OCI_MANIFEST, &a.manifest, cases[i].extra));
		assert_done(copy(at("oci:", "x"), at("docker-archive:", "y"), &copied));
		assert_copied(copied, 0, &a, cases[i].name);
		nacre_copied_free(copied);
		leave_room(NULL);
		enter_room(NULL);
	}
	image_free(&a);
}

static void several_names_are_one_image(void **state)
{
	struct image a = image_of("a", NC_PLAIN, NULL), b = image_of("b", NC_PLAIN, NULL);
	const struct image *images[] = { &a, &b };
	struct nacre_copied *copied;
	char items[8192], source[600];
	snprintf(items, sizeof items, "%s,%s,%s", descriptor(NC_MEDIA_OCI_MANIFEST, &a.manifest, REF("x.io/a:1")),
		 descriptor(NC_MEDIA_OCI_MANIFEST, &b.manifest, REF("x.io/b:1")),
		 descriptor(NC_MEDIA_OCI_MANIFEST, &a.manifest, REF("x.io/a:2")));
	write_index(images, 2, items);
	assert_done(copy(at("oci:", "x"), at("oci:", "y"), &copied));
	assert_int_equal(copied->count, 2);
	assert_copied(copied, 0, &a, "x.io/a:1");
	assert_string_equal(copied->images[0].names[1], "x.io/a:2");
	assert_copied(copied, 1, &b, "x.io/b:1");
	nacre_copied_free(copied);
	snprintf(source, sizeof source, "%s:x.io/b:1", at("oci:", "x"));
	assert_done(nacre_copy(NULL, source, at("oci:", "z"), NULL, &copied, &err));
	assert_copied(copied, 0, &b, "x.io/b:1");
	nacre_copied_free(copied);
	snprintf(source, sizeof source, "%s:@2", at("oci:", "x"));
	assert_done(nacre_copy(NULL, source, at("oci:", "w"), NULL, &copied, &err));
	assert_copied(copied, 0, &a, "x.io/a:2");
	nacre_copied_free(copied);
	snprintf(source, sizeof source, "%s:none", at("oci:", "x"));
	assert_refused(copy(source, at("oci:", "v"), NULL), NACRE_E_NOTFOUND, "'none'");
	assert_refused(nacre_copy(NULL, at("oci:", "x"), at("oci:", "v"), NULL, NULL, &err), NACRE_E_AMBIGUOUS,
		       "2 images");
	assert_false(there("v"));
	image_free(&a);
	image_free(&b);
}

static void chooses_by_platform(void **state)
{
	struct image arm = image_of("arm", NC_GZIP, "arm64"), amd = image_of("amd", NC_GZIP, "amd64");
	const struct image *images[] = { &arm, &amd };
	struct nacre_copied *copied;
	char items[8192];
	snprintf(items, sizeof items, "%s,%s,%s", descriptor(NC_MEDIA_OCI_MANIFEST, &arm.manifest, PLATFORM("arm64")),
		 descriptor(NC_MEDIA_OCI_MANIFEST, &amd.manifest, PLATFORM("amd64")),
		 descriptor(NC_MEDIA_OCI_MANIFEST, &arm.config,
			    ",\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"}"));
	struct bytes nested = text_of(index_text(items));
	struct bytes outer = text_of(index_text(descriptor(NC_MEDIA_OCI_INDEX, &nested, "")));
	for (int round = 0; round < 3; round++) {
		/* the platforms stand in index.json itself, in an index, in an index in an index */
		write_index(images, 2,
			    round ? descriptor(NC_MEDIA_OCI_INDEX, round > 1 ? &outer : &nested, "") : items);
		put_blob(NULL, "x", &nested);
		put_blob(NULL, "x", &outer);
		assert_done(copy_platform(at("oci:", "x"), "linux/arm64", &copied));
		assert_copied(copied, 0, &arm, NULL);
		nacre_copied_free(copied);
		assert_done(copy_platform(at("oci:", "x"), "linux/amd64", &copied));
		assert_copied(copied, 0, &amd, NULL);
		nacre_copied_free(copied);
		assert_refused(copy_platform(at("oci:", "x"), "linux/s390x", NULL), NACRE_E_NOTFOUND, "arm64");
		leave_room(NULL);
		enter_room(NULL);
	}
	/* a single image is checked when a platform is asked for, and only then */
	write_layout("x", &arm, "");
	assert_done(copy_platform(at("oci:", "x"), NULL, &copied));
	nacre_copied_free(copied);
	assert_refused(copy_platform(at("oci:", "x"), "linux/amd64", NULL), NACRE_E_NOTFOUND, "arm64");
	bytes_free(&nested);
	bytes_free(&outer);
	image_free(&arm);
	image_free(&amd);
}

static void passes_over_artifacts(void **state)
{
	struct image a = image_of("a", NC_PLAIN, NULL);
	const struct image *images[] = { &a };
	struct nacre_copied *copied;
	char text[4096], items[8192], source[600];
	snprintf(text, sizeof text,
		 "{\"schemaVersion\":2,\"mediaType\":\"" NC_MEDIA_OCI_MANIFEST
		 "\",\"artifactType\":\"application/x\",\"config\":{\"mediaType\":\"application/"
		 "vnd.oci.empty.v1+json\","
		 "\"digest\":\"sha256:%s\",\"size\":2},\"layers\":[]}",
		 a.config.hex);
	struct bytes artifact = text_of(text);
	snprintf(items, sizeof items, "%s,%s", descriptor(NC_MEDIA_OCI_MANIFEST, &artifact, REF("signature")),
		 descriptor(NC_MEDIA_OCI_MANIFEST, &a.manifest, REF("x.io/a:1")));
	write_index(images, 1, items);
	put_blob(NULL, "x", &artifact);
	assert_done(copy(at("oci:", "x"), at("oci:", "y"), &copied));
	assert_int_equal(copied->count, 1);
	assert_copied(copied, 0, &a, "x.io/a:1");
	nacre_copied_free(copied);
	snprintf(source, sizeof source, "%s:signature", at("oci:", "x"));
	assert_refused(copy(source, at("oci:", "z"), NULL), NACRE_E_UNSUPPORTED, "no image");
	/* with nothing else there, the reason is said rather than that there is nothing */
	leave_room(NULL);
	enter_room(NULL);
	write_index(images, 1, descriptor(NC_MEDIA_OCI_MANIFEST, &artifact, ""));
	put_blob(NULL, "x", &artifact);
	assert_refused(copy(at("oci:", "x"), at("oci:", "z"), NULL), NACRE_E_UNSUPPORTED, "vnd.oci.empty.v1+json");
	assert_non_null(strstr(err.msg, artifact.hex));
	bytes_free(&artifact);
	image_free(&a);
}

/* The media type of its layer is why a layout has no image. */
static void says_which_layer_is_none(void **state)
{
	struct image a = image_of("a", NC_PLAIN, NULL);
	const struct image *images[] = { &a };
	char text[4096], items[8192];
	snprintf(text, sizeof text,
		 "{\"schemaVersion\":2,\"mediaType\":\"" NC_MEDIA_OCI_MANIFEST
		 "\",\"config\":{\"mediaType\":\"" NC_MEDIA_OCI_CONFIG
		 "\",\"digest\":\"sha256:%s\",\"size\":%zu},\"layers\":[{\"mediaType\":\"application/x-squashfs\","
		 "\"digest\":\"sha256:%s\",\"size\":%zu}]}",
		 a.config.hex, a.config.len, a.blobs[0].hex, a.blobs[0].len);
	struct bytes manifest = text_of(text);
	snprintf(items, sizeof items, "%s", descriptor(NC_MEDIA_OCI_MANIFEST, &manifest, REF("x.io/a:1")));
	write_index(images, 1, items);
	put_blob(NULL, "x", &manifest);
	assert_refused(copy(at("oci:", "x"), at("oci:", "y"), NULL), NACRE_E_UNSUPPORTED,
		       "layer 1 is 'application/x-squashfs', which is no layer");
	/* the same beneath an index */
	struct bytes index = text_of(index_text(items));
	leave_room(NULL);
	enter_room(NULL);
	write_index(images, 1, descriptor(NC_MEDIA_OCI_INDEX, &index, ""));
	put_blob(NULL, "x", &manifest);
	put_blob(NULL, "x", &index);
	assert_refused(copy(at("oci:", "x"), at("oci:", "y"), NULL), NACRE_E_UNSUPPORTED, "x-squashfs");
	assert_false(there("y"));
	bytes_free(&index);
	bytes_free(&manifest);
	image_free(&a);
}

/* --- lies ------------------------------------------------------------------------------------------------------- */

static void refuse(int code, const char *says)
{
	static const char *const destinations[] = { "docker-archive:", "oci:", "oci-archive:", "dir:" };
	for (size_t i = 0; i < 4; i++) {
		assert_refused(copy(at("oci:", "x"), at(destinations[i], "y"), NULL), code, says);
		assert_int_equal(entries_of(""), 1);
	}
	leave_room(NULL);
	enter_room(NULL);
}

static void refuses_broken_layouts(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL);
	assert_int_equal(mkdir(at("", "x"), 0755), 0);
	refuse(NACRE_E_NOTFOUND, "oci-layout");
	write_layout("x", &a, "");
	put_layout_file(NULL, "x", "oci-layout", "{\"imageLayoutVersion\":\"2.0.0\"}");
	refuse(NACRE_E_UNSUPPORTED, "2.0.0");
	write_layout("x", &a, "");
	put_layout_file(NULL, "x", "oci-layout", "{}");
	refuse(NACRE_E_BADDATA, "oci-layout");
	write_layout("x", &a, "");
	put_layout_file(NULL, "x", "index.json", "{");
	refuse(NACRE_E_BADDATA, "index.json");
	write_layout("x", &a, "");
	put_layout_file(NULL, "x", "index.json", a.manifest.data);
	refuse(NACRE_E_BADDATA, "index.json");
	write_layout("x", &a, "");
	put_layout_file(NULL, "x", "index.json", index_text(""));
	refuse(NACRE_E_NOTFOUND, "no image");
	image_free(&a);
}

static void damage(const char *name, size_t offset)
{
	size_t len;
	char *bytes = get_file(name, &len);
	bytes[offset < len ? offset : len - 1] ^= 1;
	put_file(name, bytes, len);
	free(bytes);
}

static void refuses_blobs_that_lie(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL);
	char name[256];
	const struct bytes *blobs[] = { &a.manifest, &a.config, &a.blobs[0], &a.blobs[1] };
	for (size_t i = 0; i < 4; i++) {
		snprintf(name, sizeof name, "x/blobs/sha256/%s", blobs[i]->hex);
		write_layout("x", &a, "");
		unlink(at("", name));
		refuse(NACRE_E_NOTFOUND, blobs[i]->hex);
		write_layout("x", &a, "");
		assert_int_equal(truncate(at("", name), (off_t)blobs[i]->len - 1), 0);
		refuse(NACRE_E_BADDATA, "bytes");
		write_layout("x", &a, "");
		unlink(at("", name));
		assert_int_equal(symlink("/etc/passwd", at("", name)), 0);
		refuse(NACRE_E_BADDATA, "out of the directory");
		write_layout("x", &a, "");
		unlink(at("", name));
		assert_int_equal(mkfifo(at("", name), 0644), 0);
		refuse(NACRE_E_BADDATA, "no regular file");
	}
	write_layout("x", &a, "");
	snprintf(name, sizeof name, "x/blobs/sha256/%s", a.manifest.hex);
	damage(name, 5);
	refuse(NACRE_E_DIGEST, "manifest");
	write_layout("x", &a, "");
	snprintf(name, sizeof name, "x/blobs/sha256/%s", a.config.hex);
	damage(name, 5);
	refuse(NACRE_E_DIGEST, "config");
	write_layout("x", &a, "");
	snprintf(name, sizeof name, "x/blobs/sha256/%s", a.blobs[1].hex);
	damage(name, 4);	/* the time in gzip's header: the content stays good */
	refuse(NACRE_E_DIGEST, "layer 2");
	image_free(&a);
}

/* The blobs are what the manifest says, and not what the config says. */
static void refuses_layers_that_the_config_does_not_know(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL), b = image_of("b", NC_GZIP, NULL);
	bytes_free(&a.config);
	a.config = bytes_of(b.config.data, b.config.len);
	char text[4096];
	snprintf(text, sizeof text,
		 "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" NC_MEDIA_OCI_CONFIG
		 "\",\"digest\":\"sha256:%s\",\"size\":%zu},\"layers\":["
		 "{\"mediaType\":\"" NC_MEDIA_OCI_LAYER "+gzip\",\"digest\":\"sha256:%s\",\"size\":%zu},"
		 "{\"mediaType\":\"" NC_MEDIA_OCI_LAYER "+gzip\",\"digest\":\"sha256:%s\",\"size\":%zu}]}",
		 a.config.hex, a.config.len, a.blobs[0].hex, a.blobs[0].len, a.blobs[1].hex, a.blobs[1].len);
	bytes_free(&a.manifest);
	a.manifest = text_of(text);
	write_layout("x", &a, "");
	refuse(NACRE_E_DIGEST, "diff ID mismatch");
	image_free(&a);
	image_free(&b);
}

static void refuses_media_types_that_disagree(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL);
	write_layout("x", &a, "");
	put_layout_file(NULL, "x", "index.json", index_text(descriptor(NC_MEDIA_OCI_INDEX, &a.manifest, "")));
	refuse(NACRE_E_BADDATA, "announced");
	write_layout("x", &a, "");
	put_layout_file(NULL, "x", "index.json", index_text(descriptor(NC_MEDIA_DOCKER_MANIFEST, &a.manifest, "")));
	refuse(NACRE_E_BADDATA, "announced");
	image_free(&a);
}

static void refuses_indexes_too_deep(void **state)
{
	struct image a = image_of("a", NC_PLAIN, NULL);
	write_layout("x", &a, "");
	struct bytes inner = text_of(index_text(descriptor(NC_MEDIA_OCI_MANIFEST, &a.manifest, "")));
	for (int i = 0; i < 12; i++) {
		put_blob(NULL, "x", &inner);
		struct bytes outer = text_of(index_text(descriptor(NC_MEDIA_OCI_INDEX, &inner, "")));
		bytes_free(&inner);
		inner = outer;
	}
	put_layout_file(NULL, "x", "index.json", inner.data);
	refuse(NACRE_E_LIMIT, "indexes");
	bytes_free(&inner);
	image_free(&a);
}

static void refuses_foreign_layers(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL);
	char text[4096];
	snprintf(
		text, sizeof text,
		"{\"schemaVersion\":2,\"mediaType\":\"" NC_MEDIA_DOCKER_MANIFEST
		"\",\"config\":{\"mediaType\":\"" NC_MEDIA_DOCKER_CONFIG
		"\",\"digest\":\"sha256:%s\",\"size\":%zu},\"layers\":[{\"mediaType\":"
		"\"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip\",\"digest\":\"sha256:%s\",\"size\":%zu,"
		"\"urls\":[\"https://example.com/\"]}]}",
		a.config.hex, a.config.len, a.blobs[0].hex, a.blobs[0].len);
	bytes_free(&a.manifest);
	a.manifest = text_of(text);
	assert_int_equal(mkdir(at("", "x"), 0755), 0);
	put_layout_file(NULL, "x", "version", "Directory Transport Version: 1.1\n");
	put_layout_file(NULL, "x", "manifest.json", a.manifest.data);
	assert_refused(copy(at("dir:", "x"), at("oci:", "y"), NULL), NACRE_E_UNSUPPORTED, "foreign");
	image_free(&a);
}

/* Links inside the layout are followed. */
static void follows_links_inside(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL);
	char name[256], target[256];
	write_layout("x", &a, "");
	snprintf(name, sizeof name, "x/blobs/sha256/%s", a.blobs[0].hex);
	snprintf(target, sizeof target, "x/blobs/kept");
	assert_int_equal(rename(at("", name), at("", target)), 0);
	assert_int_equal(symlink("../kept", at("", name)), 0);
	assert_done(copy(at("oci:", "x"), at("oci:", "y"), NULL));
	image_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(takes_names_from_annotations, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(several_names_are_one_image, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(chooses_by_platform, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(passes_over_artifacts, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(says_which_layer_is_none, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(refuses_broken_layouts, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(refuses_blobs_that_lie, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(refuses_layers_that_the_config_does_not_know, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(refuses_media_types_that_disagree, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(refuses_indexes_too_deep, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(refuses_foreign_layers, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(follows_links_inside, enter_room, leave_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
