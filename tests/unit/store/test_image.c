#include "fixture.h"

/* Words make layers: images that begin alike share them. */
static const char *const ab[] = { "a", "b", NULL };
static const char *const ac[] = { "a", "c", NULL };
static const char *const none[] = { NULL };

static void an_image_is_what_its_config_says(void **state)
{
	struct fixture *fixture = *state;
	char id[65];
	make_image(fixture->store, ab, "alpine", id);
	struct nacre_image *image = NULL;
	assert_done(nacre_image_get(fixture->store, "alpine:latest", &image, &err));
	assert_string_equal(image->id, id);
	assert_string_equal(image->names[0], "docker.io/library/alpine:latest");
	assert_null(image->names[1]);
	assert_int_equal(image->layer_count, 2);
	assert_int_equal(image->size, 2);
	assert_int_equal(image->layers[0].users, 1);
	assert_int_equal(image->created, 1700000000);
	assert_string_equal(image->author, "tester");
	assert_true(image->config_len > 0 && !image->manifest && !image->v1);
	struct nc_digest digest;
	char hex[NC_DIGEST_TEXT];
	assert_done(nc_digest_of(image->config, image->config_len, &digest, &err));
	assert_string_equal(nc_digest_hex(&digest, hex), id);
	nacre_image_free(image);
}

static void layers_are_shared_and_read_once(void **state)
{
	struct fixture *fixture = *state;
	char one[65], two[65], again[65];
	make_image(fixture->store, ab, "one", one);
	make_image(fixture->store, ac, "two", two);
	assert_int_equal(entries(fixture, "vfs/dir"), 3);
	assert_int_equal(entries(fixture, "graph"), 1 + 3 + 2);
	make_image(fixture->store, ab, "one", again);
	assert_string_equal(one, again);
	struct nacre_image *image = NULL;
	assert_done(nacre_image_get(fixture->store, two, &image, &err));
	assert_int_equal(image->layers[0].users, 2);
	assert_int_equal(image->layers[1].users, 1);
	nacre_image_free(image);
	/* one layer is needed by both */
	assert_done(nacre_remove(fixture->store, "one", 0, NULL, NULL, &err));
	assert_int_equal(entries(fixture, "vfs/dir"), 2);
	assert_done(nacre_remove(fixture->store, "two", 0, NULL, NULL, &err));
	assert_int_equal(entries(fixture, "vfs/dir"), 0);
	assert_int_equal(entries(fixture, "graph"), 1);
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	assert_int_equal(entries(fixture, "names"), 0);
}

static void an_image_without_layers_is_empty(void **state)
{
	struct fixture *fixture = *state;
	char id[65];
	make_image(fixture->store, none, "empty", id);
	struct nacre_image *image = NULL;
	assert_done(nacre_image_get(fixture->store, "empty", &image, &err));
	assert_int_equal(image->layer_count, 0);
	nacre_image_free(image);
	NC_CLEANUP(nc_view_auto) struct nc_view *view = NULL;
	struct nc_view_file file;
	assert_done(nc_store_view(fixture->store, id, &view, &err));
	assert_done(view->ops->stat(view, "", &file, &err));
	assert_int_equal(file.entry.type, NC_ENTRY_DIR);
	assert_int_equal(view->ops->stat(view, "etc", &file, &err), NACRE_E_NOTFOUND);
}

static void an_image_needs_its_layers(void **state)
{
	struct fixture *fixture = *state;
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	struct nc_digest diff_id;
	char *config = NULL, id[65];
	assert_done(nc_digest_of("x", 1, &diff_id, &err));
	struct nc_image_in in = { 0 };
	make_config(&diff_id, 1, "nobody", &config, &in.config_len);
	in.config = config;
	assert_done(nc_ingest_begin(fixture->store, &ingest, &err));
	assert_int_equal(nc_ingest_image(ingest, &in, id, &err), NACRE_E_NOTFOUND);
	assert_int_equal(nc_ingest_name(ingest, "x",
					"0000000000000000000000000000000000000000000000000000000000000000", NULL,
					NULL, &err),
			 NACRE_E_NOTFOUND);
	free(config);
}

/* --- names ------------------------------------------------------------------------------------------------------ */

static void names_move_and_go(void **state)
{
	struct fixture *fixture = *state;
	char one[65], two[65], id[65];
	make_image(fixture->store, ab, "x", one);
	make_image(fixture->store, ac, "y", two);
	assert_done(nacre_tag(fixture->store, "x", "localhost:5000/deep/er/name:1.0", &err));
	assert_true(there(fixture, "names/localhost:5000/deep/er/name/_tags/1.0"));
	assert_done(nacre_tag(fixture->store, "y", "localhost:5000/deep/er/name:1.0", &err));
	assert_done(nc_store_resolve(fixture->store, "localhost:5000/deep/er/name:1.0", id, NULL, &err));
	assert_string_equal(id, two);
	assert_done(nacre_untag(fixture->store, "localhost:5000/deep/er/name:1.0", &err));
	assert_false(there(fixture, "names/localhost:5000"));
	assert_int_equal(nacre_untag(fixture->store, "localhost:5000/deep/er/name:1.0", &err), NACRE_E_NOTFOUND);
	assert_done(nc_store_resolve(fixture->store, two, id, NULL, &err));
}

static void names_are_no_paths(void **state)
{
	struct fixture *fixture = *state;
	char id[65];
	make_image(fixture->store, ab, "x", id);
	static const char *const bad[] = {"../x", "/x",        "x/../y", "x:../y", "X",     "",  ":",
					  "x:",   "x/_tags/y", "a//b",   "x\n",    "_tags", ".", "x@sha256:00"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(nacre_tag(fixture->store, "x", bad[i], &err), NACRE_E_INVALID);
	assert_int_equal(entries(fixture, "names"), 1);
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	/* one name may lie in the directory of another */
	assert_done(nacre_tag(fixture->store, "x", "host.io/a:1", &err));
	assert_done(nacre_tag(fixture->store, "x", "host.io/a/b:1", &err));
	assert_done(nacre_untag(fixture->store, "host.io/a:1", &err));
	assert_true(there(fixture, "names/host.io/a/b/_tags/1"));
	assert_false(there(fixture, "names/host.io/a/_tags"));
}

static void prefixes_must_be_clear(void **state)
{
	struct fixture *fixture = *state;
	char ids[40][65], id[65];
	for (int i = 0; i < 40; i++) {
		char word[16];
		snprintf(word, sizeof word, "w%d", i);
		assert_done(try_image(fixture->store, (const char *const[]){ word, NULL }, word, NULL, ids[i]));
	}
	for (int i = 0; i < 40; i++) {
		size_t fits[65] = { 0 };
		for (int j = 0; j < 40; j++)
			for (size_t len = 1; len <= 64; len++)
				fits[len] += strncmp(ids[i], ids[j], len) == 0;
		for (size_t len = 1; len <= 64; len++) {
			char prefix[65] = "";
			memcpy(prefix, ids[i], len);
			int code = nc_store_resolve(fixture->store, prefix, id, NULL, &err);
			assert_int_equal(code, fits[len] > 1 ? NACRE_E_AMBIGUOUS : 0);
			if (code == 0)
				assert_string_equal(id, ids[i]);
		}
	}
	assert_int_equal(nc_store_resolve(fixture->store, "no-such-thing", id, NULL, &err), NACRE_E_NOTFOUND);
	/* a name wins */
	char short_id[9] = "";
	memcpy(short_id, ids[0], 8);
	assert_done(nacre_tag(fixture->store, ids[1], short_id, &err));
	assert_done(nc_store_resolve(fixture->store, short_id, id, NULL, &err));
	assert_string_equal(id, ids[1]);
	char with_algorithm[80];
	snprintf(with_algorithm, sizeof with_algorithm, "sha256:%s", ids[0]);
	assert_done(nc_store_resolve(fixture->store, with_algorithm, id, NULL, &err));
	assert_string_equal(id, ids[0]);
}

/* --- removal ---------------------------------------------------------------------------------------------------- */

struct steps {
	int untagged, deleted;
};

static void count_step(void *ctx, const char *action, const char *object)
{
	struct steps *steps = ctx;
	*(strcmp(action, "untagged") == 0 ? &steps->untagged : &steps->deleted) += 1;
}

static void removal_goes_by_names(void **state)
{
	struct fixture *fixture = *state;
	struct steps steps = { 0, 0 };
	char id[65];
	make_image(fixture->store, ab, "x:1", id);
	assert_done(nacre_tag(fixture->store, "x:1", "x:2", &err));
	assert_done(nacre_tag(fixture->store, "x:1", "x:3", &err));
	assert_int_equal(nacre_remove(fixture->store, id, 0, count_step, &steps, &err), NACRE_E_INUSE);
	assert_done(nacre_remove(fixture->store, "x:1", 0, count_step, &steps, &err));
	assert_int_equal(steps.untagged, 1);
	assert_int_equal(steps.deleted, 0);
	assert_done(nacre_remove(fixture->store, id, NACRE_REMOVE_FORCE, count_step, &steps, &err));
	assert_int_equal(steps.untagged, 3);
	assert_int_equal(steps.deleted, 3);
	assert_int_equal(nacre_remove(fixture->store, id, 0, count_step, &steps, &err), NACRE_E_NOTFOUND);
	make_image(fixture->store, ab, "x:1", id);
	assert_done(nacre_remove(fixture->store, id, NACRE_REMOVE_KEEP_PARENTS, NULL, NULL, &err));
	assert_int_equal(entries(fixture, "vfs/dir"), 2);
	assert_false(there(fixture, "names/docker.io"));
}

static void what_is_in_use_stays(void **state)
{
	struct fixture *fixture = *state;
	char id[65], other[65];
	make_image(fixture->store, ab, "x", id);
	/* another process is bringing an image with the same layers */
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	struct nacre_image *image = NULL;
	assert_done(nacre_image_get(fixture->store, "x", &image, &err));
	assert_done(nc_ingest_begin(fixture->store, &ingest, &err));
	assert_int_equal(nc_ingest_has(ingest, image->layers[0].chain_id, &err), 1);
	assert_done(nacre_remove(fixture->store, "x", 0, NULL, NULL, &err));
	assert_true(nc_node_exists(fixture->store, image->layers[0].chain_id));
	assert_false(nc_node_exists(fixture->store, image->layers[1].chain_id));
	nacre_image_free(image);
	nc_ingest_free(NC_GIVE(ingest));
	make_image(fixture->store, ac, "y", other);
	assert_done(nc_ingest_begin(fixture->store, &ingest, &err));
	assert_int_equal(nc_ingest_has(ingest, other, &err), 1);
	assert_int_equal(nacre_remove(fixture->store, "y", 0, NULL, NULL, &err), NACRE_E_BUSY);
	assert_true(there(fixture, "names/docker.io/library/y/_tags/latest"));
}

/* --- lists ------------------------------------------------------------------------------------------------------ */

static size_t count_list(struct nacre_store *store, struct nacre_list_options options)
{
	struct nacre_image_list *list = NULL;
	options.size = sizeof options;
	assert_done(nacre_image_list(store, &options, &list, &err));
	size_t count = list->count;
	assert_int_equal(list->damaged, 0);
	nacre_image_list_free(list);
	return count;
}

static void lists_are_filtered(void **state)
{
	struct fixture *fixture = *state;
	struct nacre_store *store = fixture->store;
	char one[65], two[65], three[65];
	make_image(store, ab, "alpine:3", one);
	make_image(store, ac, "ghcr.io/org/tool:v1", two);
	assert_done(try_image(store, ab, "other", NULL, three));
	assert_int_equal(count_list(store, (struct nacre_list_options){ 0 }), 3);
	assert_int_equal(count_list(store, (struct nacre_list_options){ .dangling = 1 }), 1);
	assert_int_equal(count_list(store, (struct nacre_list_options){ .dangling = -1 }), 2);
	assert_int_equal(count_list(store, (struct nacre_list_options){ .reference = "alpine" }), 1);
	assert_int_equal(count_list(store, (struct nacre_list_options){ .reference = "alp*:3" }), 1);
	assert_int_equal(count_list(store, (struct nacre_list_options){ .reference = "*/*/tool" }), 1);
	assert_int_equal(count_list(store, (struct nacre_list_options){ .reference = "*" }), 1);
	assert_int_equal(count_list(store, (struct nacre_list_options){ .id = one }), 1);
	assert_int_equal(count_list(store, (struct nacre_list_options){ .before = "alpine:3" }), 0);
	assert_int_equal(count_list(store, (struct nacre_list_options){ .until = "2023-11-14T22:13:20Z" }), 0);
	assert_int_equal(count_list(store, (struct nacre_list_options){ .until = "2023-11-14T22:13:21Z" }), 3);
	assert_int_equal(count_list(store, (struct nacre_list_options){ .until = "1h30m" }), 3);
	assert_int_equal(count_list(store, (struct nacre_list_options){.labels = (const char *const[]){"x", NULL}}),
			 0);
	struct nacre_image_list *list = NULL;
	assert_int_equal(nacre_image_list(store,
					  &(struct nacre_list_options){.size = sizeof(struct nacre_list_options),
								       .until = "yesterday"},
					  &list, &err),
			 NACRE_E_INVALID);
}

/* A pattern without a special character is looked up, any other is tried on each name: that must come to the same. */
static void names_are_looked_up_as_they_would_be_found(void **state)
{
	static const char *const names[] = { "alpine:3", "alpine:30", "alpine", "alpines:3", "ghcr.io/org/tool:v1", "org/tool:v1",
					     "localhost:5000/app:1", "localhost/app:1", "docker.io/a/alpine:3" };
	static const char *const patterns[] = {
		"alpine", "alpine:3", "alpine:30", "alpine:latest", "alpine:4", "alpin", "docker.io/library/alpine:3",
		"docker.io/library/alpine", "library/alpine", "library/alpine:3", "ghcr.io/org/tool", "ghcr.io/org/tool:v1", "org/tool",
		"tool", "localhost:5000/app", "localhost:5000/app:1", "localhost:5000", "localhost/app", "app:1", "alpine:", ":3",
		"ALPINE", "a/alpine", "alpine@sha256:0000000000000000000000000000000000000000000000000000000000000000",
	};
	struct fixture *fixture = *state;
	struct nacre_store *store = fixture->store;
	char id[65];
	size_t found = 0;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_done(try_image(store, ab, names[i], (const char *const[]){ names[i], NULL }, id));
	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
		char tried[200];
		snprintf(tried, sizeof tried, "[%c]%s", patterns[i][0], patterns[i] + 1);
		size_t by_trying = count_list(store, (struct nacre_list_options){ .reference = tried });
		if (count_list(store, (struct nacre_list_options){ .reference = patterns[i] }) != by_trying)
			fail_msg("'%s' should be found %zu times", patterns[i], by_trying);
		found += by_trying;
	}
	assert_in_range(found, 10, 100);
}

static void damaged_images_are_passed_over(void **state)
{
	struct fixture *fixture = *state;
	char one[65], two[65], path[300];
	make_image(fixture->store, ab, "one", one);
	make_image(fixture->store, ac, "two", two);
	snprintf(path, sizeof path, "%s/graph/%s/config", fixture->root, one);
	assert_int_equal(truncate(path, 10), 0);
	struct nacre_image_list *list = NULL;
	assert_done(nacre_image_list(fixture->store, NULL, &list, &err));
	assert_int_equal(list->count, 1);
	assert_int_equal(list->damaged, 1);
	assert_non_null(strstr(list->damage, "digest"));
	nacre_image_list_free(list);
	struct nacre_image *image = NULL;
	assert_int_equal(nacre_image_get(fixture->store, "one", &image, &err), NACRE_E_CORRUPT);
	assert_done(nacre_remove(fixture->store, "one", 0, NULL, NULL, &err));
}

/* --- manifests and blobs ---------------------------------------------------------------------------------------- */

static void kept_blobs_live_as_long_as_their_images(void **state)
{
	struct fixture *fixture = *state;
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	NC_AUTO_BUF struct nc_buf tar;
	NC_AUTO_BUF struct nc_buf packed;
	NC_AUTO_BUF struct nc_buf manifest;
	make_tar(&tar, (const char *const[]){ "f", "text", NULL });
	gzip(&tar, &packed);
	struct nc_digest flat = digest_of(&tar), blob = digest_of(&packed);
	struct nc_layer_in layer = { .diff_id = &flat, .blob = &blob, .blob_size = packed.len, .keep_blob = true };
	struct nc_layer_out out;
	char *config = NULL, id[65], text[NC_DIGEST_TEXT];
	struct nc_image_in in = { .manifest_media_type = "application/vnd.oci.image.manifest.v1+json",
				  .names = (const char *const[]){ "x", NULL } };
	make_config(&flat, 1, "someone", &config, &in.config_len);
	manifest_of(&manifest, config, in.config_len, &packed, 1);
	in.config = config;
	in.manifest = manifest.data;
	in.manifest_len = manifest.len;
	assert_done(nc_ingest_begin(fixture->store, &ingest, &err));
	assert_int_equal(nc_ingest_has(ingest, nc_digest_hex(&flat, text), &err), 0);
	assert_done(bring(ingest, &layer, &packed, &out));
	assert_int_equal(nc_ingest_image(ingest, &in, id, &err), 0);
	assert_done(nc_ingest_commit(ingest, &err));
	assert_int_equal(entries(fixture, "blobs/sha256"), 1);
	struct nacre_image *image = NULL;
	assert_done(nacre_image_get(fixture->store, "x", &image, &err));
	assert_string_equal(image->layers[0].blob, nc_digest_text(&blob, text));
	assert_int_equal(image->layers[0].blob_size, packed.len);
	assert_int_equal(image->manifest_len, manifest.len);
	struct nc_digest manifest_digest = digest_of(&manifest), resolved;
	assert_string_equal(image->digests[0], nc_digest_text(&manifest_digest, text));
	nacre_image_free(image);
	char by_digest[NC_REFERENCE_TEXT];
	snprintf(by_digest, sizeof by_digest, "x@%s", text);
	assert_done(nc_store_resolve(fixture->store, by_digest, id, &resolved, &err));
	assert_true(nc_digest_equal(&resolved, &manifest_digest));
	assert_done(nc_store_resolve(fixture->store, "x", id, &resolved, &err));
	assert_true(nc_digest_equal(&resolved, &manifest_digest));
	/* the compressed bytes and the plain ones */
	const struct nc_buf *bytes[] = { &packed, &tar };
	const struct nc_digest *digests[] = { &blob, &flat };
	for (int i = 0; i < 2; i++) {
		NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
		NC_AUTO_FREE char *got = NULL;
		uint64_t size;
		size_t len;
		assert_int_equal(nc_store_has_blob(fixture->store, digests[i], &err), 1);
		assert_done(nc_store_blob(fixture->store, digests[i], &reader, &size, &err));
		assert_done(nc_reader_slurp(reader, 1 << 20, &got, &len, &err));
		assert_int_equal(len, bytes[i]->len);
		assert_int_equal(size, bytes[i]->len);
		assert_memory_equal(got, bytes[i]->data, len);
	}
	/* the same image once more, with an index: it is there, and learns */
	in.index = "{\"schemaVersion\":2,\"manifests\":[]}";
	in.index_len = strlen(in.index);
	assert_done(nc_ingest_has(ingest, nc_digest_hex(&flat, text), &err));
	assert_int_equal(nc_ingest_image(ingest, &in, id, &err), 1);
	assert_done(nc_ingest_commit(ingest, &err));
	char path[256];
	snprintf(path, sizeof path, "graph/%s/manifests", id);
	assert_int_equal(entries(fixture, path), 2);
	nc_ingest_free(NC_GIVE(ingest));
	assert_done(nacre_remove(fixture->store, "x", 0, NULL, NULL, &err));
	assert_int_equal(entries(fixture, "blobs/sha256"), 0);
	free(config);
}

/* A config without layers, and what stands with it as its manifest. */
static int with_manifest(struct fixture *fixture, const char *config, const char *manifest, size_t len, const char *index, int times)
{
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	char id[NC_HEX_ID];
	struct nc_image_in in = { .config = config, .config_len = strlen(config), .manifest = manifest, .manifest_len = len,
				  .index = index, .index_len = index ? strlen(index) : 0 };
	assert_done(nc_ingest_begin(fixture->store, &ingest, &err));
	int code = 0;
	for (int i = 0; code >= 0 && i < times; i++)
		code = nc_ingest_image(ingest, &in, id, &err);
	return code < 0 ? code : nc_ingest_commit(ingest, &err);
}

#define CONFIG_TYPE "application/vnd.oci.image.config.v1+json"
#define LAYER(alg, hex) \
	"{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"" alg ":" hex "\",\"size\":1}"
#define HEX64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define MANIFEST(alg, hex, layers)                                                                                      \
	"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{\"mediaType\":\"" CONFIG_TYPE \
	"\",\"digest\":\"" alg ":" hex "\",\"size\":2},\"layers\":[" layers "]}"

static void manifests_must_be_of_the_image(void **state)
{
	struct fixture *fixture = *state;
	static const char bare[] = "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}";
	static const char *const refused[] = {
		"{", "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[]}",
		MANIFEST("sha256", HEX64, LAYER("sha256", HEX64)),	/* a layer too many */
		MANIFEST("sha256", HEX64, ""),				/* of another config */
	};
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		assert_int_equal(with_manifest(fixture, bare, refused[i], strlen(refused[i]), NULL, 1), NACRE_E_BADDATA);
	char *big = calloc(1, NC_DOCUMENT_MAX + 1);
	assert_int_equal(with_manifest(fixture, bare, big, NC_DOCUMENT_MAX + 1, NULL, 1), NACRE_E_LIMIT);
	free(big);
	assert_int_equal(entries(fixture, "graph"), 1);
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	/* a config named by a digest of another kind is not compared; an index may stand alone, and twice is as once */
	assert_done(with_manifest(fixture, bare, MANIFEST("sha512", HEX64 HEX64, ""),
				  strlen(MANIFEST("sha512", HEX64 HEX64, "")), NULL, 1));
	assert_done(with_manifest(fixture, bare, NULL, 0, "{\"schemaVersion\":2,\"manifests\":[]}", 2));
	assert_catalog_true(fixture);
}

static void every_byte_is_accounted_for(void **state)
{
	struct fixture *fixture = *state;
	struct nacre_usage usage, after;
	char id[65];
	make_image(fixture->store, ab, "x", id);
	assert_done(nacre_df(fixture->store, &usage, &err));
	assert_int_equal(usage.images, 1);
	assert_int_equal(usage.layers, 2);
	assert_int_equal(usage.active, 1);
	/* the catalog's log, and nothing else */
	char command[320], path[256];
	struct stat st;
	snprintf(path, sizeof path, "%s/catalog.db-wal", fixture->root);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 0);
	assert_int_equal(usage.reclaimable, (st.st_size + 4095) / 4096 * 4096);
	snprintf(command, sizeof command, "du -s --block-size=512 %s", fixture->root);
	FILE *du = popen(command, "r");
	unsigned long long blocks = 0;
	assert_int_equal(fscanf(du, "%llu", &blocks), 1);
	pclose(du);
	assert_int_equal(usage.total, blocks * 512);
	assert_done(nacre_untag(fixture->store, "x", &err));
	assert_done(nacre_df(fixture->store, &after, &err));
	assert_int_equal(after.active, 0);
	assert_true(after.reclaimable > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_image_is_what_its_config_says, set_up, tear_down),
		cmocka_unit_test_setup_teardown(layers_are_shared_and_read_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_image_without_layers_is_empty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_image_needs_its_layers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_move_and_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_are_no_paths, set_up, tear_down),
		cmocka_unit_test_setup_teardown(prefixes_must_be_clear, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removal_goes_by_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_in_use_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lists_are_filtered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_are_looked_up_as_they_would_be_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damaged_images_are_passed_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(kept_blobs_live_as_long_as_their_images, set_up, tear_down),
		cmocka_unit_test_setup_teardown(manifests_must_be_of_the_image, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_byte_is_accounted_for, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
