/* The store as a source and a sink: load, save, import. */
#include "v1.h"

static struct nacre_store *store;

static int enter_store(void **state)
{
	const struct nacre_open_options options = { .size = sizeof options,
						    .flags = NACRE_OPEN_NOSYNC,
						    .driver = "vfs" };
	if (enter_room(state) < 0)
		return -1;
	return nacre_store_open(at("", "store"), &options, &store, &err) < 0 ? -1 : 0;
}

static int leave_store(void **state)
{
	nacre_store_close(store);
	return leave_room(state);
}

static void refresh_store(void)
{
	leave_store(NULL);
	enter_store(NULL);
}

static int skipped, done;

static void count_events(void *ctx, enum nacre_event event, const char *id, const char *what, uint64_t current,
			 uint64_t total)
{
	skipped += event == NACRE_EVENT_SKIPPED;
	done += event == NACRE_EVENT_DONE;
	assert_string_equal(what, "loading layer");
}

static int load(const char *name, struct nacre_copied **ret)
{
	const struct nacre_copy_options options = { .size = sizeof options, .progress = { .event = count_events } };
	skipped = done = 0;
	return nacre_load(store, at("", name), &options, ret, &err);
}

static int load_keeping(const char *name, struct nacre_copied **ret)
{
	const struct nacre_copy_options options = { .size = sizeof options, .keep_ids = true };
	return nacre_load(store, at("", name), &options, ret, &err);
}

static int save(const char *image, enum nacre_format format, const char *name)
{
	return nacre_save(store, &image, 1, format, at("", name), NULL, &err);
}

static int count_node(void *ctx, const struct nacre_node *node)
{
	++*(int *)ctx;
	return 0;
}

static int nodes(void)
{
	int count = 0;
	assert_done(nacre_nodes_each(store, NACRE_ALL, NULL, count_node, &count, &err));
	return count;
}

static void loads_names_and_ids(void **state)
{
	struct image a = image_of("a", NC_PLAIN, NULL);
	struct nacre_copied *copied;
	struct nacre_image *image;
	write_docker("x.tar", &a, "[\"alpine:3\",\"q.io/y:z\"]");
	assert_done(load("x.tar", &copied));
	assert_copied(copied, 0, &a, "docker.io/library/alpine:3");
	assert_string_equal(copied->images[0].names[1], "q.io/y:z");
	nacre_copied_free(copied);
	assert_int_equal(done, LAYERS);
	assert_done(nacre_image_get(store, "q.io/y:z", &image, &err));
	assert_string_equal(image->id, a.config.hex);
	assert_int_equal(image->config_len, a.config.len);
	nacre_image_free(image);
	assert_int_equal(nodes(), LAYERS + 1);
	image_free(&a);
}

static void layers_that_are_there_are_not_read(void **state)
{
	struct image a = image_of("a", NC_PLAIN, NULL), b = image_of("b", NC_PLAIN, NULL);
	char name[256];
	write_docker("a.tar", &a, "null");
	assert_done(load("a.tar", NULL));
	assert_done(load("a.tar", NULL));
	assert_int_equal(skipped, LAYERS);
	assert_int_equal(done, 0);
	/* the lowest layer is shared: its blob may be anything */
	write_layout("b", &b, "");
	snprintf(name, sizeof name, "b/blobs/sha256/%s", b.blobs[0].hex);
	put_file(name, "", 0);
	assert_done(load("b", NULL));
	assert_int_equal(skipped, 1);
	assert_int_equal(done, 1);
	image_free(&a);
	image_free(&b);
}

static void everything_that_is_saved_is_loaded(void **state)
{
	static const enum nc_codec codecs[] = { NC_PLAIN, NC_GZIP, NC_ZSTD };
	for (size_t c = 0; c < 3; c++) {
		struct image a = image_of("a", codecs[c], NULL);
		write_layout("x", &a, ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"localhost/a:1\"}");
		assert_done(load("x", NULL));
		for (int format = NACRE_DOCKER_ARCHIVE; format <= NACRE_DOCKER_DIR; format++) {
			struct nacre_copied *copied;
			char name[16];
			snprintf(name, sizeof name, "y%d", format);
			assert_done(save("localhost/a:1", (enum nacre_format)format, name));
			assert_done(load(name, &copied));
			assert_copied(copied, 0, &a, format == NACRE_DOCKER_DIR ? NULL : "localhost/a:1");
			/* what came with a manifest goes out with it, but for archives that have none */
			assert_string_equal(copied->images[0].manifest_digest + (format ? 7 : 0),
					    format ? a.manifest.hex : "");
			nacre_copied_free(copied);
		}
		image_free(&a);
		refresh_store();
	}
}

static void without_its_blobs_an_image_gets_a_new_manifest(void **state)
{
	const struct nacre_copy_options drop = { .size = sizeof drop, .blobs = NACRE_BLOBS_DROP };
	struct image a = image_of("a", NC_GZIP, NULL), plain = image_of("a", NC_PLAIN, NULL);
	struct nacre_copied *copied;
	write_layout("x", &a, "");
	assert_done(nacre_load(store, at("", "x"), &drop, NULL, &err));
	assert_done(save(a.config.hex, NACRE_OCI_ARCHIVE, "y"));
	assert_done(load("y", &copied));
	assert_copied(copied, 0, &a, NULL);
	assert_string_not_equal(copied->images[0].manifest_digest + 7, a.manifest.hex);
	nacre_copied_free(copied);
	image_free(&a);
	image_free(&plain);
}

static void saves_several_images_into_one(void **state)
{
	struct image a = image_of("a", NC_PLAIN, NULL), b = image_of("b", NC_PLAIN, NULL);
	const char *const images[] = { "a:1", "b:1", "a:2", b.config.hex };
	struct nacre_copied *copied;
	write_docker("a.tar", &a, "[\"a:1\",\"a:2\",\"a:3\"]");
	write_docker("b.tar", &b, "[\"b:1\"]");
	assert_done(load("a.tar", NULL));
	assert_done(load("b.tar", NULL));
	for (int format = NACRE_DOCKER_ARCHIVE; format <= NACRE_OCI_DIR; format++) {
		char name[16];
		snprintf(name, sizeof name, "y%d", format);
		assert_done(nacre_save(store, images, 4, (enum nacre_format)format, at("", name), NULL, &err));
		assert_done(load(name, &copied));
		assert_int_equal(copied->count, 2);
		assert_copied(copied, 0, &a, "docker.io/library/a:1");
		assert_string_equal(copied->images[0].names[1], "docker.io/library/a:2");
		assert_null(copied->images[0].names[2]);
		assert_copied(copied, 1, &b, "docker.io/library/b:1");
		nacre_copied_free(copied);
	}
	assert_int_equal(nacre_save(store, images, 2, NACRE_DOCKER_DIR, at("", "z"), NULL, &err), NACRE_E_INVALID);
	assert_int_equal(nacre_save(store, images, 0, NACRE_OCI_DIR, at("", "z"), NULL, &err), NACRE_E_INVALID);
	assert_int_equal(save("none", NACRE_OCI_DIR, "z"), NACRE_E_NOTFOUND);
	assert_false(there("z"));
	image_free(&a);
	image_free(&b);
}

static void copies_by_name(void **state)
{
	struct image a = image_of("a", NC_PLAIN, NULL);
	struct nacre_copied *copied;
	write_docker("a.tar", &a, "[\"a:1\"]");
	assert_done(nacre_copy(store, at("docker-archive:", "a.tar"), "graph:other:tag", NULL, &copied, &err));
	assert_copied(copied, 0, &a, "docker.io/library/other:tag");
	assert_null(copied->images[0].names[1]);
	nacre_copied_free(copied);
	assert_done(nacre_copy(store, "graph:other:tag", "graph:third", NULL, &copied, &err));
	assert_copied(copied, 0, &a, "docker.io/library/third:latest");
	nacre_copied_free(copied);
	assert_done(nacre_copy(store, "graph:third", at("oci:", "y"), NULL, &copied, &err));
	assert_copied(copied, 0, &a, "docker.io/library/third:latest");
	nacre_copied_free(copied);
	image_free(&a);
}

static void a_failed_load_leaves_nothing(void **state)
{
	struct image a = image_of("a", NC_PLAIN, NULL), b = image_of("b", NC_PLAIN, NULL);
	char text[8192];
	struct pack pack;
	bytes_free(&b.blobs[1]);
	b.blobs[1] = layer_of("other", "layer");
	pack_begin(&pack);
	pack_docker_image(&pack, &a);
	pack_docker_image(&pack, &b);
	int len = snprintf(text, sizeof text, "[%s,", docker_entry(&a, "[\"a:1\"]"));
	snprintf(text + len, sizeof text - (size_t)len, "%s]", docker_entry(&b, "[\"b:1\"]"));
	pack_text(&pack, "manifest.json", text);
	pack_write(&pack, "x.tar");
	assert_refused(load("x.tar", NULL), NACRE_E_DIGEST, "layer 2 of image 2 of ");
	assert_int_equal(nodes(), 0);
	image_free(&a);
	image_free(&b);
}

/* --- 2015 ------------------------------------------------------------------------------------------------------- */

static void write_v1(const char *name, const struct bytes *a, const struct bytes *b)
{
	struct pack pack;
	pack_begin(&pack);
	pack_node(&pack, ID_B, ID_A, b);
	pack_node(&pack, ID_A, "", a);
	pack_text(&pack, "repositories", "{\"old\":{\"1\":\"" ID_B "\"},\"base\":{\"1\":\"" ID_A "\"}}");
	pack_write(&pack, name);
}

static void images_of_2015_get_content_ids(void **state)
{
	struct bytes a = layer_of("a", "1"), b = layer_of("b", "2"), config = config_of_chain(&a, &b);
	struct nacre_copied *copied;
	write_v1("x.tar", &a, &b);
	for (int round = 0; round < 2; round++) {
		assert_done(load("x.tar", &copied));
		assert_int_equal(copied->count, 2);
		assert_string_equal(copied->images[0].id, config.hex);
		assert_string_equal(copied->images[0].names[0], "docker.io/library/old:1");
		nacre_copied_free(copied);
		assert_int_equal(nodes(), 4);
	}
	bytes_free(&a);
	bytes_free(&b);
	bytes_free(&config);
}

static void images_of_2015_keep_their_ids_where_asked(void **state)
{
	struct bytes a = layer_of("a", "1"), b = layer_of("b", "2"), config = config_of_chain(&a, &b);
	struct nacre_copied *copied;
	struct nacre_image *image;
	write_v1("x.tar", &a, &b);
	write_v1("other.tar", &a, &a);
	for (int round = 0; round < 2; round++) {
		assert_done(load_keeping("x.tar", &copied));
		assert_int_equal(copied->count, 2);
		assert_string_equal(copied->images[0].id, ID_B);
		assert_string_equal(copied->images[1].id, ID_A);
		nacre_copied_free(copied);
		assert_int_equal(nodes(), 2);
	}
	assert_done(nacre_image_get(store, "old:1", &image, &err));
	assert_string_equal(image->id, ID_B);
	assert_true(image->v1);
	nacre_image_free(image);
	assert_refused(load_keeping("other.tar", NULL), NACRE_E_EXISTS, ID_B);
	assert_int_equal(nodes(), 2);
	/* outside the store it is an image of today */
	assert_done(save("old:1", NACRE_DOCKER_ARCHIVE, "y.tar"));
	assert_done(load("y.tar", &copied));
	assert_string_equal(copied->images[0].id, config.hex);
	nacre_copied_free(copied);
	bytes_free(&a);
	bytes_free(&b);
	bytes_free(&config);
}

/* --- platforms -------------------------------------------------------------------------------------------------- */

static void the_index_is_kept(void **state)
{
	struct image a = image_of("a", NC_GZIP, "arm64"), b = image_of("b", NC_GZIP, "s390x");
	const struct nacre_copy_options options = { .size = sizeof options, .platform = "linux/s390x" };
	struct nacre_copied *copied;
	struct nacre_image *image;
	char items[4096], name[256];
	snprintf(items, sizeof items, "%s,%s",
		 descriptor(NC_MEDIA_OCI_MANIFEST, &a.manifest,
			    ",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}"),
		 descriptor(NC_MEDIA_OCI_MANIFEST, &b.manifest,
			    ",\"platform\":{\"os\":\"linux\",\"architecture\":\"s390x\"}"));
	struct bytes index = text_of(index_text(items));
	write_layout("x", &a, "");
	put_oci_image(NULL, "x", &b);
	put_blob(NULL, "x", &index);
	put_layout_file(NULL, "x", "index.json",
			index_text(descriptor(NC_MEDIA_OCI_INDEX, &index,
					      ",\"annotations\":{\"io.containerd.image.name\":\"x.io/multi:1\"}")));
	assert_done(nacre_load(store, at("", "x"), &options, &copied, &err));
	assert_copied(copied, 0, &b, "x.io/multi:1");
	nacre_copied_free(copied);
	snprintf(name, sizeof name, "x.io/multi@sha256:%s", index.hex);
	assert_done(nacre_image_get(store, name, &image, &err));
	assert_string_equal(image->id, b.config.hex);
	nacre_image_free(image);
	bytes_free(&index);
	image_free(&a);
	image_free(&b);
}

/* --- import ----------------------------------------------------------------------------------------------------- */

static void imports_a_root_file_system(void **state)
{
	struct bytes layer = layer_of("etc/os-release", "NAME=test\n"), small = compressed(&layer, NC_ZSTD);
	const char *const changes[] = { "CMD [\"/bin/sh\"]", "ENV A=b", NULL };
	const struct nacre_import_options options = {
		.size = sizeof options,
		.name = "mine",
		.changes = changes,
		.message = "by hand",
		.created = 1700000000,
		.platform = "linux/arm64",
	};
	struct nacre_image *image;
	char one[65], two[65];
	put_file("x.tar", layer.data, layer.len);
	put_file("x.tar.zst", small.data, small.len);
	assert_done(nacre_import(store, at("", "x.tar"), &options, one, &err));
	assert_done(nacre_import(store, at("", "x.tar.zst"), &options, two, &err));
	assert_string_equal(one, two);
	assert_done(nacre_image_get(store, "mine", &image, &err));
	assert_string_equal(image->id, one);
	assert_string_equal(image->cmd[0], "/bin/sh");
	assert_string_equal(image->env[0], "A=b");
	assert_string_equal(image->architecture, "arm64");
	assert_int_equal(image->created, 1700000000);
	assert_string_equal(image->layers[0].diff_id + 7, layer.hex);
	nacre_image_free(image);
	put_file("text", "this is no tar", 14);
	assert_refused(nacre_import(store, at("", "text"), NULL, one, &err), NACRE_E_BADDATA, "text");
	assert_refused(nacre_import(store, at("", "gone"), NULL, one, &err), NACRE_E_NOTFOUND, "gone");
	assert_int_equal(nodes(), 2);
	bytes_free(&layer);
	bytes_free(&small);
}

/* What the store keeps no longer is what it took in: nothing of that goes out, whoever is to notice. */
static void damage_does_not_go_out(void **state)
{
	static const enum nacre_format formats[] = { NACRE_DOCKER_ARCHIVE, NACRE_OCI_ARCHIVE, NACRE_OCI_DIR };
	struct image a = image_of("a", NC_GZIP, NULL);
	char content[512], diff_id[512];
	write_docker("x.tar", &a, "[\"a:1\"]");
	assert_done(load("x.tar", NULL));
	snprintf(content, sizeof content, "store/vfs/dir/%s/base", a.layers[0].hex);
	snprintf(diff_id, sizeof diff_id, "store/graph/%s/diffid", a.layers[0].hex);
	assert_true(there(content) && there(diff_id));
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
		char other[160];
		put_file(content, "the Lowest layer\n", 17);
		assert_int_equal(save("a:1", formats[i], "y"), NACRE_E_CORRUPT);
		assert_false(there("y"));
		put_file(content, "the lowest layer\n", 17);
		snprintf(other, sizeof other, "sha256:%s", a.layers[1].hex);
		put_file(diff_id, other, strlen(other));
		assert_int_equal(save("a:1", formats[i], "y"), NACRE_E_CORRUPT);
		assert_false(there("y"));
		snprintf(other, sizeof other, "sha256:%s", a.layers[0].hex);
		put_file(diff_id, other, strlen(other));
		assert_done(save("a:1", formats[i], "sound"));
		char command[3000];
		snprintf(command, sizeof command, "rm -r %s", at("", "sound"));
		assert_int_equal(system(command), 0);
	}
	image_free(&a);
}

/* Writes what a layer's node notes of the blob that it came as. */
static void note_blob(const struct bytes *layer, const struct bytes *blob)
{
	char file[256], text[160];
	snprintf(file, sizeof file, "store/graph/%s/blob", layer->hex);
	snprintf(text, sizeof text, "sha256:%s", blob->hex);
	put_file(file, text, strlen(text));
}

static const enum nacre_format blob_formats[] = { NACRE_OCI_ARCHIVE, NACRE_OCI_DIR, NACRE_DOCKER_DIR };

static void remake_documents(struct image *image)
{
	struct nc_platform host;
	nc_platform_host(&host);
	bytes_free(&image->config);
	bytes_free(&image->manifest);
	image_documents(image, NC_GZIP, host.architecture);
}

/* A manifest may name a blob that is another layer's: where the layers are there, nobody reads it before it goes out. */
static void a_manifest_proves_no_blob(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL), lie = image_of("a", NC_GZIP, NULL);
	struct bytes other = layer_of("base", "another layer\n"), packed = compressed(&other, NC_GZIP);
	struct image b = image_of("b", NC_GZIP, NULL);
	bytes_free(&b.layers[0]);
	bytes_free(&b.blobs[0]);
	b.layers[0] = other;
	b.blobs[0] = packed;
	remake_documents(&b);
	bytes_free(&lie.blobs[0]);
	lie.blobs[0] = bytes_of(packed.data, packed.len);
	remake_documents(&lie);
	write_layout("a", &a, "");
	write_layout("b", &b, "");
	write_layout("lie", &lie, ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"localhost/lie:1\"}");
	assert_done(load("a", NULL));
	assert_done(load("b", NULL));
	assert_done(load("lie", NULL));
	assert_int_equal(skipped, LAYERS);
	for (size_t i = 0; i < sizeof blob_formats / sizeof *blob_formats; i++) {
		assert_refused(save("localhost/lie:1", blob_formats[i], "y"), NACRE_E_DIGEST, "diff ID mismatch");
		assert_false(there("y"));
	}
	/* nor where the blob is already */
	assert_done(save(b.config.hex, NACRE_OCI_DIR, "layout"));
	assert_refused(save("localhost/lie:1", NACRE_OCI_DIR, "layout"), NACRE_E_DIGEST, "diff ID mismatch");
	assert_done(save(b.config.hex, NACRE_OCI_DIR, "layout"));
	/* a layer's own note is what counts, and spares reading what is in the blob */
	note_blob(&a.layers[0], &lie.blobs[0]);
	assert_done(save("localhost/lie:1", NACRE_OCI_ARCHIVE, "y"));
	assert_done(save("localhost/lie:1", NACRE_OCI_DIR, "layout"));
	image_free(&a);
	image_free(&b);
	image_free(&lie);
}

static void a_kept_blob_goes_out_only_as_it_came(void **state)
{
	struct image a = image_of("a", NC_ZSTD, NULL);
	struct bytes *blob = &a.blobs[0];
	char kept[256], note[256];
	write_layout("x", &a, "");
	assert_done(load("x", NULL));
	snprintf(kept, sizeof kept, "store/blobs/sha256/%s", blob->hex);
	snprintf(note, sizeof note, "store/graph/%s/blob", a.layers[0].hex);
	assert_true(there(kept) && there(note));
	for (size_t i = 0; i < sizeof blob_formats / sizeof *blob_formats; i++) {
		blob->data[blob->len / 2] ^= 1;
		put_file(kept, blob->data, blob->len);
		assert_refused(save(a.config.hex, blob_formats[i], "y"), NACRE_E_DIGEST, "digest mismatch");
		blob->data[blob->len / 2] ^= 1;
		put_file(kept, blob->data, blob->len - 1);
		assert_refused(save(a.config.hex, blob_formats[i], "y"), NACRE_E_BADDATA, "ends after");
		assert_false(there("y"));
		put_file(kept, blob->data, blob->len);
	}
	/* without the note it is read, and found to be the layer */
	assert_done(save(a.config.hex, NACRE_OCI_ARCHIVE, "noted"));
	assert_int_equal(unlink(at("", note)), 0);
	assert_done(save(a.config.hex, NACRE_OCI_ARCHIVE, "read"));
	char command[3000];
	snprintf(command, sizeof command, "cmp %s %s", at("", "noted"), at("", "read"));
	assert_int_equal(system(command), 0);
	image_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(loads_names_and_ids, enter_store, leave_store),
		cmocka_unit_test_setup_teardown(layers_that_are_there_are_not_read, enter_store, leave_store),
		cmocka_unit_test_setup_teardown(everything_that_is_saved_is_loaded, enter_store, leave_store),
		cmocka_unit_test_setup_teardown(without_its_blobs_an_image_gets_a_new_manifest, enter_store,
						leave_store),
		cmocka_unit_test_setup_teardown(saves_several_images_into_one, enter_store, leave_store),
		cmocka_unit_test_setup_teardown(copies_by_name, enter_store, leave_store),
		cmocka_unit_test_setup_teardown(a_failed_load_leaves_nothing, enter_store, leave_store),
		cmocka_unit_test_setup_teardown(images_of_2015_get_content_ids, enter_store, leave_store),
		cmocka_unit_test_setup_teardown(images_of_2015_keep_their_ids_where_asked, enter_store, leave_store),
		cmocka_unit_test_setup_teardown(the_index_is_kept, enter_store, leave_store),
		cmocka_unit_test_setup_teardown(damage_does_not_go_out, enter_store, leave_store),
		cmocka_unit_test_setup_teardown(a_manifest_proves_no_blob, enter_store, leave_store),
		cmocka_unit_test_setup_teardown(a_kept_blob_goes_out_only_as_it_came, enter_store, leave_store),
		cmocka_unit_test_setup_teardown(imports_a_root_file_system, enter_store, leave_store),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
