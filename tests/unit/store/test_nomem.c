/* Every allocation fails once: each operation says so, the store is as before or as after, and nothing leaks.
 *
 * Linked with --wrap for the functions of base/mem.h, so that the n-th call of any of them fails. */
#include "fixture.h"

static int countdown;	/* the call that brings it to 0 fails; 0: none does */

static bool fails(void)
{
	return countdown > 0 && --countdown == 0;
}

#include "../nomem.h"

/* What the operations work with, made while memory is plenty. */
struct bench {
	struct fixture *fixture;
	struct nc_buf tar, packed;
	struct nc_digest flat, blob;
	char *config;
	size_t config_len;
	char chain[NC_HEX_ID], image[NC_HEX_ID];
};

static void bench_open(struct bench *bench, struct fixture *fixture)
{
	struct nc_digest digest;
	char hex[NC_DIGEST_TEXT];
	bench->fixture = fixture;
	make_tar(&bench->tar, (const char *const[]){ "a", "first", "b", "other", "a", "second", NULL });
	gzip(&bench->tar, &bench->packed);
	bench->flat = digest_of(&bench->tar);
	bench->blob = digest_of(&bench->packed);
	make_config(&bench->flat, 1, "someone", &bench->config, &bench->config_len);
	assert_done(nc_digest_of(bench->config, bench->config_len, &digest, &err));
	memcpy(bench->chain, nc_digest_hex(&bench->flat, hex), NC_HEX_ID);
	memcpy(bench->image, nc_digest_hex(&digest, hex), NC_HEX_ID);
	nacre_store_close(NC_GIVE(fixture->store));
	fixture->store = open_with(fixture->root, NACRE_OPEN_NOSYNC, NULL);
}

static void bench_release(struct bench *bench)
{
	nc_buf_release(&bench->tar);
	nc_buf_release(&bench->packed);
	free(bench->config);
}

static int load(struct bench *bench)
{
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	struct nc_reader *reader = NULL;
	struct nc_layer_in layer = { .diff_id = &bench->flat, .blob = &bench->blob, .blob_size = bench->packed.len,
				     .keep_blob = true };
	struct nc_layer_out out;
	struct nc_image_in image = { .config = bench->config, .config_len = bench->config_len,
				     .names = (const char *const[]){ "x:1", "x:2", NULL } };
	char id[NC_HEX_ID];
	int code = nc_ingest_begin(bench->fixture->store, &ingest, &err);
	if (code == 0)
		code = nc_ingest_has(ingest, bench->chain, &err);
	if (code == 0) {
		code = nc_reader_memory(bench->packed.data, bench->packed.len, &reader, &err);
		if (code == 0)
			code = nc_ingest_layer(ingest, &layer, reader, &out, &err);
	}
	if (code >= 0)
		code = nc_ingest_image(ingest, &image, id, &err);
	if (code >= 0)
		code = try_whole(ingest, id, "index", (const char *const[]){ "{}", "a statement", NULL });
	return code < 0 ? code : nc_ingest_commit(ingest, &err);
}

static int count_usage(void *ctx, const struct nacre_image_usage *usage)
{
	return 0;
}

static int look(struct bench *bench)
{
	struct nacre_store *store = bench->fixture->store;
	struct nacre_image *image = NULL;
	struct nacre_image_list *list = NULL;
	struct nacre_store_info *info = NULL;
	struct nacre_usage usage;
	int code = nacre_image_get(store, "x:1", &image, &err);
	if (code == 0)
		code = nacre_image_list(
			store,
			&(struct nacre_list_options){.size = sizeof(struct nacre_list_options), .reference = "x"},
			&list, &err);
	if (code == 0)
		code = nacre_store_info_get(store, &info, &err);
	if (code == 0)
		code = nacre_df(store, &usage, &err);
	if (code == 0)
		code = nacre_df_images(store, count_usage, NULL, &err);
	if (code == 0)
		code = nacre_prune(store, &(struct nacre_prune_options){ .size = sizeof(struct nacre_prune_options),
									 .all = true, .dry_run = true },
				   NULL, &err);
	if (code == 0)
		code = nacre_layer_verify(store, bench->chain, &err);
	nacre_image_free(image);
	nacre_image_list_free(list);
	nacre_store_info_free(info);
	return code;
}

static int rename_it(struct bench *bench)
{
	int code = nacre_tag(bench->fixture->store, "x:1", "y", &err);
	return code < 0 ? code : nacre_untag(bench->fixture->store, "y", &err);
}

static int name_it_back(struct bench *bench)
{
	int code = nacre_untag(bench->fixture->store, "y", &err);
	return code == NACRE_E_NOTFOUND ? 0 : code;
}

static int remove_it(struct bench *bench)
{
	int code = nacre_remove(bench->fixture->store, bench->image, NACRE_REMOVE_FORCE, NULL, NULL, &err);
	return code == NACRE_E_NOTFOUND ? 0 : code;
}

static int prune_it(struct bench *bench)
{
	struct nacre_prune_options options = { .size = sizeof options, .all = true };
	return nacre_prune(bench->fixture->store, &options, NULL, &err);
}

static int note(struct bench *bench)
{
	struct nacre_store *store = bench->fixture->store;
	struct nacre_hold_options hold = { .size = sizeof hold };
	NC_AUTO_FREE char *path = NULL;
	char digest[NACRE_DIGEST_MAX];
	uint64_t size;
	int fd = -1;
	int code = nacre_node_set_digest(store, bench->chain, "tarsum+md5:0123456789abcdef0123456789abcdef", &err);
	if (code == 0)
		code = nacre_node_digest(store, bench->chain, digest, &err);
	if (code == 0)
		code = nacre_node_size(store, bench->chain, &size, &err);
	if (code == 0)
		code = nacre_node_path(store, bench->chain, &path, &err);
	if (code == 0)
		code = nacre_layer_spool(store, bench->chain, NULL, &fd, &size, &err);
	nc_fd_release(&fd);
	if (code == 0)
		code = nacre_hold(store, "s", (const char *const[]){ "x:1", bench->chain }, 2, &hold, NULL, &err);
	if (code == 0 && (code = nacre_held(store, bench->chain, NULL, &err)) > 0)
		code = nacre_release(store, "s", NULL, &err);
	return code;
}

static int let_go(struct bench *bench)
{
	/* what did not come about, or was only not said to be released */
	int code = nacre_release(bench->fixture->store, "s", NULL, &err);
	return code == NACRE_E_NOTFOUND ? 0 : code;
}

/* Until it works; there have to be at least so many allocations. The store is whole after each failure. back: undoes
 * what came through although an allocation failed (that of a thing that could be done without). */
static void each_failing(struct bench *bench, int (*fn)(struct bench *bench), int (*back)(struct bench *bench),
			 int least)
{
	struct fixture *fixture = bench->fixture;
	for (int n = 1;; n++) {
		countdown = n;
		int code = fn(bench);
		bool through = countdown > 0;
		countdown = 0;
		if (code < 0) {
			assert_int_equal(code, NACRE_E_NOMEM);
			assert_int_equal(err.code, NACRE_E_NOMEM);
		}
		/* a stage that could not be removed goes with the next opening */
		if (atomic_load(&fixture->store->broken) || entries(fixture, "graph/_tmp")) {
			nacre_store_close(NC_GIVE(fixture->store));
			fixture->store = open_with(fixture->root, NACRE_OPEN_NOSYNC, NULL);
		}
		assert_int_equal(entries(fixture, "graph/_tmp"), 0);
		bool there = nc_node_exists(fixture->store, bench->image);
		assert_int_equal(entries(fixture, "vfs/dir"), there);
		assert_int_equal(entries(fixture, "graph"), there ? 3 : 1);
		struct nc_name_target target;
		int named = nc_name_read(fixture->store, "docker.io/library/x:1", &target, NULL);
		assert_int_equal(named, there ? 0 : NACRE_E_NOTFOUND);
		if (through) {
			assert_true(n > least);
			assert_int_equal(code, 0);
			return;
		}
		assert_done(back(bench));
	}
}

static void everything(void **state)
{
	struct bench bench;
	bench_open(&bench, *state);
	each_failing(&bench, load, remove_it, 100);
	each_failing(&bench, look, load, 200);
	each_failing(&bench, rename_it, name_it_back, 20);
	each_failing(&bench, note, let_go, 50);
	each_failing(&bench, remove_it, load, 20);
	assert_done(load(&bench));
	each_failing(&bench, prune_it, load, 50);
	bench_release(&bench);
	assert_catalog_true(*state);
}

/* --- writable layers -------------------------------------------------------------------------------------------- */

static int swallow(void *ctx, const void *bytes, size_t len)
{
	return 0;
}

/* As if through a mount. */
static void write_something(struct fixture *fixture, const char *id)
{
	char path[400];
	snprintf(path, sizeof path, "%s/writable/%s/tree/new", fixture->root, id);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "new", 3), 3);
	close(fd);
	snprintf(path, sizeof path, "%s/writable/%s/tree/a", fixture->root, id);
	assert_return_code(unlink(path), errno);
}

static int write_on_top(struct bench *bench)
{
	static const char *const changes[] = { "CMD [\"/new\"]", NULL };
	struct nacre_store *store = bench->fixture->store;
	struct nacre_commit_options options = { .size = sizeof options, .name = "w:1", .changes = changes,
						.message = "why", .author = "me" };
	char id[NC_HEX_ID];
	int code = nacre_writable_create(store, "x:1", "w", id, &err);
	if (code < 0)
		return code;
	write_something(bench->fixture, id);
	code = nacre_diff_tar(store, "w", NULL, swallow, NULL, NULL, &err);
	if (code == 0)
		code = nacre_writable_commit(store, "w", &options, id, &err);
	return code < 0 ? code : nacre_writable_remove(store, "w", &err);
}

static void writing(void **state)
{
	struct bench bench;
	bench_open(&bench, *state);
	assert_done(load(&bench));
	int failed = 0;
	for (bool through = false; !through; failed++) {
		countdown = failed + 1;
		int code = write_on_top(&bench);
		through = countdown > 0;
		countdown = 0;
		if (code < 0)
			assert_int_equal(code, NACRE_E_NOMEM);
		nacre_store_close(NC_GIVE(bench.fixture->store));
		bench.fixture->store = open_with(bench.fixture->root, NACRE_OPEN_NOSYNC, NULL);
		assert_int_equal(entries(bench.fixture, "graph/_tmp"), 0);
		code = nacre_remove(bench.fixture->store, "w:1", 0, NULL, NULL, &err);
		assert_true(code == 0 || code == NACRE_E_NOTFOUND);
		code = nacre_writable_remove(bench.fixture->store, "w", &err);
		assert_true(code == 0 || code == NACRE_E_NOTFOUND);
		assert_int_equal(entries(bench.fixture, "graph"), 3);
		assert_int_equal(entries(bench.fixture, "vfs/dir"), 1);
		if (failed > 20)
			assert_int_equal(entries(bench.fixture, "writable"), 0);
	}
	assert_true(failed > 300);
	bench_release(&bench);
	assert_catalog_true(*state);
}

static int take_node(void *ctx, const struct nacre_node *node)
{
	memcpy(ctx, node->id, sizeof node->id);
	return 0;
}

/* A failure behind the commit leaves a node that the next opening finishes; every other leaves nothing. */
static void creating(void **state)
{
	struct fixture *fixture = *state;
	struct nacre_create_options options = { .size = sizeof options, .author = "someone",
						.config = "{\"Cmd\":[\"x\"]}" };
	int failed = 0;
	for (bool through = false; !through; failed++) {
		char id[NC_HEX_ID] = "", there[NC_HEX_ID] = "";
		countdown = failed + 1;
		int code = nacre_node_create(fixture->store, -1, &options, id, &err);
		through = countdown > 0;
		countdown = 0;
		if (code < 0)
			assert_int_equal(code, NACRE_E_NOMEM);
		if (code < 0)
			reopen(fixture);
		assert_int_equal(entries(fixture, "graph/_tmp"), 0);
		assert_done(nacre_nodes_each(fixture->store, NACRE_ALL, NULL, take_node, there, &err));
		if (code == 0)
			assert_string_equal(id, there);
		else
			assert_string_equal(id, "");
		if (*there)
			assert_done(nacre_delete(fixture->store, there, &err));
		assert_int_equal(entries(fixture, "graph"), 1);
	}
	assert_true(failed > 20);
}

static void opening(void **state)
{
	struct fixture *fixture = *state;
	char id[65], path[300];
	make_image(fixture->store, (const char *const[]){ "a", NULL }, "x", id);
	nacre_store_close(NC_GIVE(fixture->store));
	snprintf(path, sizeof path, "%s/catalog.db", fixture->root);
	for (int n = 1; !fixture->store; n++) {
		struct nacre_open_options options = { .size = sizeof options, .flags = NACRE_OPEN_NOSYNC };
		if (n % 2)
			unlink(path);
		countdown = n / 2 + 1;
		int code = nacre_store_open(fixture->root, &options, &fixture->store, &err);
		bool through = countdown > 0;
		countdown = 0;
		if (code < 0)
			assert_int_equal(code, NACRE_E_NOMEM);
		else if (!through || n % 2 == 0)	/* also one that builds the catalog has to come through */
			nacre_store_close(NC_GIVE(fixture->store));
	}
	char got[65];
	assert_done(nc_store_resolve(fixture->store, "x", got, NULL, &err));
	assert_string_equal(id, got);
}

/* --- a root of 2015 --------------------------------------------------------------------------------------------- */

/* Turns the store into one: a node with a record and one without, and names for them. */
static void make_old(struct fixture *fixture, char ids[2][NC_HEX_ID])
{
	static const char *const ours[] = { "nacre.json", "lock", "names", "catalog.db", "blobs", "mounts", "holds",
					    "catalog.db-wal", "catalog.db-shm", "containers" };
	NC_AUTO_BUF struct nc_buf names = NC_BUF_INIT(1000);
	NC_AUTO_FD int root = open(fixture->root, O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 2; i++) {
		NC_AUTO_BUF struct nc_buf tar = { 0 };
		NC_AUTO_BUF struct nc_buf path = NC_BUF_INIT(1000);
		struct nacre_register_options options = { .size = sizeof options, .id = ids[i],
							  .parent = i ? ids[0] : NULL };
		memset(ids[i], i ? 'b' : 'a', NC_HEX_ID - 1);
		ids[i][NC_HEX_ID - 1] = '\0';
		make_tar(&tar, (const char *const[]){ "a", i ? "second" : "first", NULL });
		assert_done(register_bytes(fixture->store, &options, tar.data, tar.len, NULL));
		assert_done(nc_buf_addf(&path, &err, "graph/%s/diffid", ids[i]));
		assert_int_equal(unlinkat(root, path.data, 0), 0);
		nc_buf_clear(&path);
		assert_done(nc_buf_addf(&path, &err, "graph/%s/tarsize", ids[i]));
		assert_int_equal(unlinkat(root, path.data, 0), 0);
	}
	NC_AUTO_BUF struct nc_buf record = NC_BUF_INIT(1000);
	assert_done(nc_buf_addf(&record, &err, "graph/%s/tar-data.json.gz", ids[1]));
	assert_int_equal(unlinkat(root, record.data, 0), 0);
	nacre_store_close(NC_GIVE(fixture->store));
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		assert_done(nc_tree_remove(root, ours[i], &err));
	assert_done(nc_buf_addf(&names, &err, "{\"Repositories\":{\"x\":{\"1\":\"%s\",\"2\":\"%s\",\"gone\":\"%064d\"}}}",
				ids[0], ids[1], 0));
	assert_done(nc_file_create(root, "repositories-vfs", names.data, names.len, &err));
}

static int look_at_old(struct fixture *fixture, const char *id, unsigned flags)
{
	struct nacre_open_options options = { .size = sizeof options, .flags = NACRE_OPEN_NOSYNC | flags };
	struct nacre_store *store = NULL;
	struct nacre_image_list *list = NULL;
	struct nacre_image *image = NULL;
	int code = nacre_store_open(fixture->root, &options, &store, &err);
	if (code == 0)
		code = nacre_image_list(store, NULL, &list, &err);
	if (code == 0)
		code = nacre_image_get(store, "x:2", &image, &err);
	if (code == 0)
		code = nacre_layer_verify(store, id, &err);
	if (code == 0 && !list->damaged) {
		assert_int_equal(list->count, 2);
		assert_int_equal(list->left_out, 1);
		assert_int_equal(image->layer_count, 2);
	}
	nacre_image_list_free(list);
	nacre_image_free(image);
	nacre_store_close(store);
	return code;
}

static void old_roots(void **state)
{
	struct fixture *fixture = *state;
	char ids[2][NC_HEX_ID], path[300];
	make_old(fixture, ids);
	snprintf(path, sizeof path, "%s/nacre.json", fixture->root);
	for (int i = 0; i < 3; i++) {
		bool through = false;
		int n = 0;
		while (!through) {
			countdown = ++n;
			int code = look_at_old(fixture, ids[i & 1], i < 2 ? NACRE_OPEN_READONLY : 0);
			through = countdown > 0;
			countdown = 0;
			if (code < 0)
				assert_int_equal(code, NACRE_E_NOMEM);
			assert_true(code == 0 || !through);
			assert_true(i == 2 || access(path, F_OK) < 0);
		}
		assert_true(n > 100);
	}
	fixture->store = open_with(fixture->root, 0, NULL);
	assert_true(fixture->store->adopted);
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	assert_catalog_true(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(everything, set_up, tear_down),
		cmocka_unit_test_setup_teardown(writing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(creating, set_up, tear_down),
		cmocka_unit_test_setup_teardown(opening, set_up, tear_down),
		cmocka_unit_test_setup_teardown(old_roots, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
