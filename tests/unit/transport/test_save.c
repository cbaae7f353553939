/* What is written: docker-archive, OCI layouts and archives, dir:. */
#include "room.h"

#include "image/gojson.h"

#include <sys/wait.h>

static const char *const destinations[] = { "docker-archive:", "oci:", "oci-archive:", "dir:" };

static int copy_with(const char *source, const char *destination, enum nacre_compression compression,
		     const char *name, struct nacre_copied **ret)
{
	const struct nacre_copy_options options = {
		.size = sizeof options, .all_images = true, .compression = compression, .name = name,
	};
	return nacre_copy(NULL, source, destination, &options, ret, &err);
}

/* Whether two directories or files hold the same. */
static bool same(const char *a, const char *b)
{
	char command[3000];
	snprintf(command, sizeof command, "diff -r %s %s >/dev/null", at("", a), at("", b));
	return system(command) == 0;
}

/* manifest.json or index.json of what was written. */
static json_t *document(const char *name)
{
	size_t len;
	json_t *json;
	char *bytes = get_file(name, &len);
	assert_done(nc_json_parse(bytes, len, name, &json, &err));
	free(bytes);
	return json;
}

static void the_same_image_gives_the_same_bytes(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL);
	write_docker("x.tar", &a, "[\"alpine:3\",\"alpine:latest\"]");
	for (size_t i = 0; i < 4; i++)
		for (enum nacre_compression c = NACRE_COMPRESSION_AUTO; c <= NACRE_COMPRESSION_ZSTD; c++) {
			char one[32], two[32];
			snprintf(one, sizeof one, "%zu-%d-one", i, c);
			snprintf(two, sizeof two, "%zu-%d-two", i, c);
			assert_done(
				copy_with(at("docker-archive:", "x.tar"), at(destinations[i], one), c, NULL, NULL));
			assert_done(
				copy_with(at("docker-archive:", "x.tar"), at(destinations[i], two), c, NULL, NULL));
			assert_true(same(one, two));
		}
	image_free(&a);
}

static void every_road_leads_back(void **state)
{
	struct image a = image_of("a", NC_ZSTD, NULL);
	write_docker("start", &a, "[\"alpine:3\"]");
	assert_done(copy(at("docker-archive:", "start"), at("docker-archive:", "0"), NULL));
	for (size_t from = 0; from < 4; from++) {
		char here[16], next[16];
		snprintf(here, sizeof here, "%zu", from);
		for (size_t to = 0; to < 4; to++) {
			snprintf(next, sizeof next, "%zu-%zu", from, to);
			struct nacre_copied *copied;
			assert_done(copy(at(destinations[from], here), at(destinations[to], next), &copied));
			assert_string_equal(copied->images[0].id, a.config.hex);
			nacre_copied_free(copied);
		}
		snprintf(next, sizeof next, "%zu-0", from);
		assert_done(
			copy_with(at("docker-archive:", next), at("docker-archive:", "back"), 0, "alpine:3", NULL));
		assert_true(same("0", "back"));
		snprintf(next, sizeof next, "%zu", from + 1);
		if (from + 1 < 4)
			assert_done(copy(at(destinations[from], here), at(destinations[from + 1], next), NULL));
	}
	image_free(&a);
}

/* --- docker-archive --------------------------------------------------------------------------------------------- */

static void docker_archives_hold_shared_layers_once(void **state)
{
	struct image a = image_of("a", NC_PLAIN, NULL), b = image_of("b", NC_PLAIN, NULL);
	struct pack pack;
	char text[8192], command[3000];
	pack_begin(&pack);
	pack_docker_image(&pack, &a);
	pack_docker_image(&pack, &b);
	int len = snprintf(text, sizeof text, "[%s,", docker_entry(&a, "[\"a:1\",\"q.io/z:1\"]"));
	snprintf(text + len, sizeof text - (size_t)len, "%s]", docker_entry(&b, "[\"b:1\"]"));
	pack_text(&pack, "manifest.json", text);
	pack_write(&pack, "x.tar");
	assert_done(copy(at("docker-archive:", "x.tar"), at("docker-archive:", "y.tar"), NULL));
	assert_int_equal(mkdir(at("", "y"), 0755), 0);
	snprintf(command, sizeof command, "tar -C %s -xf %s", at("", "y"), at("", "y.tar"));
	assert_int_equal(system(command), 0);
	assert_int_equal(entries_of("y"), 3 + 2 + 2);
	json_t *manifest = document("y/manifest.json"), *repositories = document("y/repositories");
	assert_int_equal(json_array_size(manifest), 2);
	json_t *tags = json_object_get(json_array_get(manifest, 0), "RepoTags");
	assert_string_equal(json_string_value(json_array_get(tags, 0)), "docker.io/library/a:1");
	assert_string_equal(json_string_value(json_array_get(tags, 1)), "q.io/z:1");
	json_t *top = json_object_get(json_object_get(repositories, "b"), "1");
	assert_string_equal(json_string_value(top), b.layers[1].hex);
	json_decref(manifest);
	json_decref(repositories);
	image_free(&a);
	image_free(&b);
}

static void archives_go_to_pipes(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL);
	write_docker("x.tar", &a, "[\"a:1\"]");
	for (size_t i = 0; i < 4; i += 2) {
		char stdout_place[64];
		size_t len;
		int ends[2], status;
		snprintf(stdout_place, sizeof stdout_place, "%s-", destinations[i]);
		assert_done(copy(at("docker-archive:", "x.tar"), at(destinations[i], "file"), NULL));
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		pid_t child = fork();
		if (!child) {
			dup2(ends[1], STDOUT_FILENO);
			close(ends[1]);
			_exit(copy(at("docker-archive:", "x.tar"), stdout_place, NULL) < 0);
		}
		close(ends[1]);
		char *expected = get_file("file", &len), *piped = malloc(len + 1);
		assert_int_equal(nc_read_full(ends[0], piped, len + 1), len);
		assert_memory_equal(piped, expected, len);
		close(ends[0]);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		free(expected);
		free(piped);
	}
	image_free(&a);
}

static void a_file_is_replaced_only_when_whole(void **state)
{
	struct image a = image_of("a", NC_PLAIN, NULL);
	size_t len;
	put_file("y", "old", 3);
	put_file("bad.tar", "no archive", 10);
	write_docker("x.tar", &a, "null");
	assert_int_equal(copy(at("docker-archive:", "bad.tar"), at("docker-archive:", "y"), NULL), NACRE_E_BADDATA);
	bytes_free(&a.blobs[1]);
	a.blobs[1] = layer_of("other", "layer");
	write_docker("lie.tar", &a, "null");
	assert_int_equal(copy(at("docker-archive:", "lie.tar"), at("docker-archive:", "y"), NULL), NACRE_E_DIGEST);
	char *bytes = get_file("y", &len);
	assert_string_equal(bytes, "old");
	free(bytes);
	assert_int_equal(entries_of(""), 4);
	assert_done(copy(at("docker-archive:", "x.tar"), at("docker-archive:", "y"), NULL));
	assert_done(copy(at("docker-archive:", "y"), at("docker-archive:", "z"), NULL));
	/* onto itself */
	assert_done(copy(at("docker-archive:", "y"), at("docker-archive:", "y"), NULL));
	assert_true(same("y", "z"));
	assert_int_equal(entries_of(""), 5);
	image_free(&a);
}

/* --- OCI -------------------------------------------------------------------------------------------------------- */

static void a_manifest_that_can_be_kept_is_kept(void **state)
{
	static const enum nc_codec codecs[] = { NC_PLAIN, NC_GZIP, NC_ZSTD };
	static const enum nacre_compression same_codec[] = { NACRE_COMPRESSION_NONE, NACRE_COMPRESSION_GZIP,
							     NACRE_COMPRESSION_ZSTD };
	for (size_t c = 0; c < 3; c++) {
		struct image a = image_of("a", codecs[c], NULL);
		write_layout("x", &a, "");
		for (size_t i = 1; i < 4; i++)
			for (int explicit = 0; explicit < 2; explicit++) {
				struct nacre_copied *copied;
				char name[16];
				snprintf(name, sizeof name, "%zu-%d", i, explicit);
				assert_done(copy_with(at("oci:", "x"), at(destinations[i], name),
						      explicit ? same_codec[c] : NACRE_COMPRESSION_AUTO, NULL,
						      &copied));
				assert_string_equal(copied->images[0].manifest_digest + 7, a.manifest.hex);
				nacre_copied_free(copied);
			}
		image_free(&a);
		leave_room(NULL);
		enter_room(NULL);
	}
}

static void layers_are_compressed_where_asked_for(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL);
	static const char *const types[] = { NULL, NC_MEDIA_OCI_LAYER, NC_MEDIA_OCI_LAYER "+gzip",
					     NC_MEDIA_OCI_LAYER "+zstd" };
	write_layout("x", &a, "");
	for (enum nacre_compression c = NACRE_COMPRESSION_NONE; c <= NACRE_COMPRESSION_ZSTD; c++) {
		struct nacre_copied *copied;
		char name[32], blob[256];
		snprintf(name, sizeof name, "y%d", c);
		assert_done(copy_with(at("oci:", "x"), at("oci:", name), c, NULL, &copied));
		snprintf(blob, sizeof blob, "%s/blobs/sha256/%s", name, copied->images[0].manifest_digest + 7);
		json_t *manifest = document(blob);
		json_t *layer = json_array_get(json_object_get(manifest, "layers"), 1);
		assert_string_equal(json_string_value(json_object_get(layer, "mediaType")), types[c]);
		json_decref(manifest);
		nacre_copied_free(copied);
		assert_done(copy(at("oci:", name), at("dir:", "back"), NULL));
	}
	image_free(&a);
}

static const char *note(const json_t *index, size_t i, const char *key)
{
	json_t *item = json_array_get(json_object_get(index, "manifests"), i);
	const char *value = json_string_value(json_object_get(json_object_get(item, "annotations"), key));
	return value ? value : "";
}

static void names_go_into_the_index(void **state)
{
	struct image a = image_of("a", NC_PLAIN, NULL);
	char destination[600];
	write_docker("x.tar", &a, "[\"alpine:3\",\"q.io/z:1\"]");
	assert_done(copy(at("docker-archive:", "x.tar"), at("oci:", "y"), NULL));
	json_t *index = document("y/index.json");
	assert_int_equal(json_array_size(json_object_get(index, "manifests")), 2);
	assert_string_equal(note(index, 0, "org.opencontainers.image.ref.name"), "3");
	assert_string_equal(note(index, 0, "io.containerd.image.name"), "docker.io/library/alpine:3");
	assert_string_equal(note(index, 1, "io.containerd.image.name"), "q.io/z:1");
	json_decref(index);
	snprintf(destination, sizeof destination, "%s:any.tag", at("oci:", "z"));
	assert_done(copy(at("docker-archive:", "x.tar"), destination, NULL));
	index = document("z/index.json");
	assert_int_equal(json_array_size(json_object_get(index, "manifests")), 1);
	assert_string_equal(note(index, 0, "org.opencontainers.image.ref.name"), "any.tag");
	json_decref(index);
	image_free(&a);
}

static void layouts_are_added_to(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL), b = image_of("b", NC_GZIP, NULL);
	char one[600], two[600];
	write_layout("x", &a, ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"one\",\"mine\":\"kept\"}");
	write_layout("b", &b, "");
	snprintf(one, sizeof one, "%s:one", at("oci:", "x"));
	snprintf(two, sizeof two, "%s:two", at("oci:", "x"));
	assert_done(copy(at("oci:", "b"), two, NULL));
	json_t *index = document("x/index.json");
	assert_int_equal(json_array_size(json_object_get(index, "manifests")), 2);
	assert_string_equal(note(index, 0, "mine"), "kept");
	json_decref(index);
	/* the lowest layer is shared: 2 configs, 2 manifests, 3 layers */
	assert_int_equal(entries_of("x/blobs/sha256"), 7);
	assert_done(copy(at("oci:", "b"), one, NULL));
	index = document("x/index.json");
	assert_int_equal(json_array_size(json_object_get(index, "manifests")), 2);
	assert_string_equal(note(index, 0, "org.opencontainers.image.ref.name"), "two");
	assert_string_equal(note(index, 1, "org.opencontainers.image.ref.name"), "one");
	json_decref(index);
	image_free(&a);
	image_free(&b);
}

/* A blob that lies under the right name with other bytes is not believed. */
static void a_damaged_layout_is_mended(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL);
	char name[256];
	write_layout("good", &a, "");
	write_layout("x", &a, "");
	snprintf(name, sizeof name, "x/blobs/sha256/%s", a.blobs[1].hex);
	put_file(name, "rubbish", 7);
	assert_done(copy(at("oci:", "good"), at("oci:", "x"), NULL));
	assert_true(same("good/blobs", "x/blobs"));
	image_free(&a);
}

static void failures_leave_layouts_as_they_were(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL), b = image_of("b", NC_GZIP, NULL);
	write_layout("x", &a, "");
	write_layout("copy", &a, "");
	bytes_free(&b.blobs[1]);
	b.blobs[1] = compressed(&a.layers[0], NC_ZSTD);
	write_docker("lie.tar", &b, "null");
	assert_int_equal(copy(at("docker-archive:", "lie.tar"), at("oci:", "x"), NULL), NACRE_E_DIGEST);
	assert_true(same("x", "copy"));
	assert_int_equal(mkdir(at("", "empty"), 0755), 0);
	assert_int_equal(copy(at("docker-archive:", "lie.tar"), at("oci:", "empty"), NULL), NACRE_E_DIGEST);
	assert_int_equal(entries_of("empty"), 0);
	assert_int_equal(copy(at("docker-archive:", "lie.tar"), at("dir:", "empty"), NULL), NACRE_E_DIGEST);
	assert_int_equal(copy(at("docker-archive:", "lie.tar"), at("oci:", "new"), NULL), NACRE_E_DIGEST);
	assert_int_equal(entries_of(""), 4);
	image_free(&a);
	image_free(&b);
}

static void directories_with_other_things_are_left_alone(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL);
	write_docker("x.tar", &a, "null");
	assert_int_equal(mkdir(at("", "home"), 0755), 0);
	put_file("home/letter", "dear", 4);
	assert_refused(copy(at("docker-archive:", "x.tar"), at("oci:", "home"), NULL), NACRE_E_EXISTS, "home");
	assert_refused(copy(at("docker-archive:", "x.tar"), at("dir:", "home"), NULL), NACRE_E_EXISTS, "home");
	assert_refused(copy(at("docker-archive:", "x.tar"), at("oci:", "x.tar"), NULL), NACRE_E_EXISTS, "x.tar");
	assert_refused(copy(at("docker-archive:", "x.tar"), at("oci:", "no/such"), NULL), NACRE_E_NOTFOUND,
		       "no/such");
	assert_refused(copy(at("docker-archive:", "x.tar"), at("docker-archive:", "no/such"), NULL), NACRE_E_NOTFOUND,
		       "no/such");
	assert_int_equal(entries_of("home"), 1);
	assert_int_equal(entries_of(""), 2);
	image_free(&a);
}

/* --- dir: ------------------------------------------------------------------------------------------------------- */

static void a_dir_is_exchanged_whole(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL), b = image_of("b", NC_PLAIN, NULL);
	write_layout("a", &a, "");
	write_layout("b", &b, "");
	assert_done(copy(at("oci:", "a"), at("dir:", "x"), NULL));
	assert_int_equal(entries_of("x"), 2 + 1 + LAYERS);
	assert_done(copy(at("oci:", "b"), at("dir:", "x"), NULL));
	assert_done(copy(at("oci:", "b"), at("dir:", "y"), NULL));
	assert_true(same("x", "y"));
	assert_int_equal(entries_of(""), 4);
	image_free(&a);
	image_free(&b);
}

static void a_dir_holds_one_image(void **state)
{
	struct image a = image_of("a", NC_PLAIN, NULL), b = image_of("b", NC_PLAIN, NULL);
	char items[8192];
	snprintf(items, sizeof items, "%s,%s", descriptor(NC_MEDIA_OCI_MANIFEST, &a.manifest, ""),
		 descriptor(NC_MEDIA_OCI_MANIFEST, &b.manifest, ""));
	write_layout("x", &a, "");
	put_oci_image(NULL, "x", &b);
	put_layout_file(NULL, "x", "index.json", index_text(items));
	assert_refused(copy(at("oci:", "x"), at("dir:", "y"), NULL), NACRE_E_INVALID, "one image");
	assert_int_equal(entries_of(""), 1);
	image_free(&a);
	image_free(&b);
}

/* --- stopping --------------------------------------------------------------------------------------------------- */

static volatile int stop;
static int events;

static void stop_soon(void *ctx, enum nacre_event event, const char *id, const char *what, uint64_t current,
		      uint64_t total)
{
	assert_true(*id && *what);
	if (++events == 3)
		stop = 1;
}

static void cancelled_copies_leave_nothing(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL);
	const struct nacre_copy_options options = { .size = sizeof options, .progress = { stop_soon, NULL, &stop } };
	write_docker("x.tar", &a, "null");
	for (size_t i = 0; i < 4; i++) {
		stop = events = 0;
		assert_refused(nacre_copy(NULL, at("docker-archive:", "x.tar"), at(destinations[i], "y"), &options,
					  NULL, &err),
			       NACRE_E_CANCELLED, "cancelled");
		assert_int_equal(entries_of(""), 1);
	}
	image_free(&a);
}

static void needs_a_store_for_the_graph(void **state)
{
	assert_refused(copy("graph:x", at("oci:", "y"), NULL), NACRE_E_INVALID, "store");
	assert_refused(copy(at("oci:", "y"), "graph:", NULL), NACRE_E_INVALID, "store");
}

/* A blob may be named by sha512; what is written is named by sha256 alone. */
static void names_by_sha512_become_sha256(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL);
	NC_CLEANUP(nc_hash_auto) struct nc_hash *hash = NULL;
	struct nc_digest digest;
	char old[160], name[512], text[NC_DIGEST_TEXT], hex[NC_DIGEST_TEXT], made[4096];
	assert_done(nc_hash_new(NC_SHA512, &hash, &err));
	nc_hash_add(hash, a.blobs[1].data, a.blobs[1].len);
	nc_hash_finish(hash, &digest);
	snprintf(old, sizeof old, "sha256:%s", a.blobs[1].hex);
	const char *at_old = strstr(a.manifest.data, old);
	assert_non_null(at_old);
	snprintf(made, sizeof made, "%.*s%s%s", (int)(at_old - a.manifest.data), a.manifest.data, nc_digest_text(&digest, text),
		 at_old + strlen(old));
	bytes_free(&a.manifest);
	a.manifest = text_of(made);
	write_layout("x", &a, "");
	assert_int_equal(mkdir(at("", "x/blobs/sha512"), 0755), 0);
	snprintf(name, sizeof name, "x/blobs/sha512/%s", nc_digest_hex(&digest, hex));
	put_file(name, a.blobs[1].data, a.blobs[1].len);
	for (size_t i = 1; i < 4; i++) {
		char to[16];
		struct nacre_copied *copied;
		snprintf(to, sizeof to, "y%zu", i);
		assert_done(copy(at("oci:", "x"), at(destinations[i], to), NULL));
		assert_done(copy(at(destinations[i], to), at("oci:", "z"), &copied));
		assert_copied(copied, 0, &a, NULL);
		nacre_copied_free(copied);
	}
	snprintf(name, sizeof name, "y1/blobs/sha256/%s", a.blobs[1].hex);
	assert_true(there(name));
	image_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_image_gives_the_same_bytes, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(every_road_leads_back, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(docker_archives_hold_shared_layers_once, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(archives_go_to_pipes, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(a_file_is_replaced_only_when_whole, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(a_manifest_that_can_be_kept_is_kept, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(layers_are_compressed_where_asked_for, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(names_go_into_the_index, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(layouts_are_added_to, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(a_damaged_layout_is_mended, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(failures_leave_layouts_as_they_were, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(directories_with_other_things_are_left_alone, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(a_dir_is_exchanged_whole, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(a_dir_holds_one_image, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(cancelled_copies_leave_nothing, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(needs_a_store_for_the_graph, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(names_by_sha512_become_sha256, enter_room, leave_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
