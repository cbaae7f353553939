/* Reading beside removals and loads: whole, or not found; never damaged, never something else than what was there. */
#include "fixture.h"

#include "io/digest.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* Hundreds of loads: without syncs. */
static int set_up_fast(void **state)
{
	int code = set_up(state);
	struct fixture *fixture = *state;
	nacre_store_close(fixture->store);
	fixture->store = open_with(fixture->root, NACRE_OPEN_NOSYNC, NULL);
	return code;
}

/* --- an image whose reading takes a while ----------------------------------------------------------------------- */

/* Four layers with a directory each, so that each reader comes by many directories and files. */
static int try_tree(struct nacre_store *store, const char *name, const char *word, char *ret_id)
{
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	struct nc_digest diff_ids[4];
	char parent[NC_HEX_ID] = "";
	int code = nc_ingest_begin(store, &ingest, &err);
	for (int i = 0; code >= 0 && i < 4; i++) {
		char paths[4][64], id[NC_HEX_ID];
		NC_AUTO_BUF struct nc_buf tar;
		struct nc_layer_out out;
		snprintf(paths[0], sizeof paths[0], "dir-%d/", i);
		snprintf(paths[1], sizeof paths[1], "dir-%d/one", i);
		snprintf(paths[2], sizeof paths[2], "dir-%d/two", i);
		snprintf(paths[3], sizeof paths[3], "file-%d", i);
		make_tar(&tar, (const char *const[]){ paths[0], "", paths[1], word, paths[2], "2", paths[3], "3", NULL });
		diff_ids[i] = digest_of(&tar);
		assert_done(nc_node_chain_id(parent, &diff_ids[i], id, &err));
		struct nc_layer_in in = { .parent = parent, .diff_id = &diff_ids[i], .blob_size = UINT64_MAX };
		code = nc_ingest_has(ingest, id, &err);
		if (code == 0)
			code = bring(ingest, &in, &tar, &out);
		memcpy(parent, id, NC_HEX_ID);
	}
	NC_AUTO_FREE char *config = NULL;
	struct nc_image_in in = { .names = (const char *const[]){ name, NULL } };
	if (code >= 0)
		make_config(diff_ids, 4, word, &config, &in.config_len);
	in.config = config;
	if (code >= 0)
		code = nc_ingest_image(ingest, &in, ret_id, &err);
	return code < 0 ? code : nc_ingest_commit(ingest, &err);
}

/* --- reading, as one digest ------------------------------------------------------------------------------------- */

struct reading {
	struct nacre_store *store;
	const char *what;		/* image, or layer */
	struct nc_hash *hash;
	size_t calls, disturb_at;	/* at which call of back something happens; 0: never */
	void (*disturb)(struct reading *reading);
	struct fixture *fixture;
};

static int feel(struct reading *reading, const void *bytes, size_t len)
{
	nc_hash_add(reading->hash, bytes, len);
	if (++reading->calls == reading->disturb_at)
		reading->disturb(reading);
	return 0;
}

static int feel_bytes(void *ctx, const void *bytes, size_t len)
{
	return feel(ctx, bytes, len);
}

static void feel_progress(void *ctx, enum nacre_event event, const char *id, const char *what, uint64_t current,
			  uint64_t total)
{
	feel(ctx, "", 0);
}

static int feel_file(void *ctx, const struct nacre_file *file)
{
	char line[400];
	int len = snprintf(line, sizeof line, "%s %c %o %u %llu %u %lld\n", file->path, file->type, file->mode, file->uid,
			   (unsigned long long)file->size, file->links, (long long)file->mtime);
	return feel(ctx, line, (size_t)len);
}

static int feel_change(void *ctx, char kind, const char *path)
{
	feel(ctx, &kind, 1);
	return feel(ctx, path, strlen(path));
}

static int do_export(struct reading *reading)
{
	/* the sink gets blocks that are larger than the image; progress comes with each file */
	const struct nacre_progress progress = { .event = feel_progress, .ctx = reading };
	return nacre_export(reading->store, reading->what, feel_bytes, reading, &progress, &err);
}

static int do_ls(struct reading *reading)
{
	return nacre_ls(reading->store, reading->what, "/", true, feel_file, reading, &err);
}

static int do_ls_flat(struct reading *reading)
{
	return nacre_ls(reading->store, reading->what, "dir-1", false, feel_file, reading, &err);
}

static int do_diff(struct reading *reading)
{
	return nacre_diff(reading->store, reading->what, "empty", feel_change, reading, &err);
}

static int do_diff_back(struct reading *reading)
{
	return nacre_diff(reading->store, "empty", reading->what, feel_change, reading, &err);
}

static int do_diff_top(struct reading *reading)
{
	return nacre_diff(reading->store, reading->what, NULL, feel_change, reading, &err);
}

static int do_cat(struct reading *reading)
{
	return nacre_cat(reading->store, reading->what, "dir-0/one", feel_bytes, reading, &err);
}

static int (*const readers[])(struct reading *) = {
	do_export, do_ls, do_ls_flat, do_diff, do_diff_back, do_diff_top, do_cat,
};
#define READERS (sizeof readers / sizeof *readers)

static int read_once(struct reading *reading, int (*reader)(struct reading *), struct nc_digest *ret)
{
	assert_done(nc_hash_new(NC_SHA256, &reading->hash, &err));
	reading->calls = 0;
	int code = reader(reading);
	nc_hash_finish(reading->hash, ret);
	nc_hash_free(reading->hash);
	return code;
}

/* --- one disturbance at some moment ----------------------------------------------------------------------------- */

static void disturb_remove(struct reading *reading)
{
	struct nacre_store *other = open_with(reading->fixture->root, NACRE_OPEN_NOSYNC, NULL);
	assert_done(nacre_remove(other, "tree", 0, NULL, NULL, &err));
	nacre_store_close(other);
}

static void disturb_replace(struct reading *reading)
{
	char id[NC_HEX_ID];
	disturb_remove(reading);
	struct nacre_store *other = open_with(reading->fixture->root, NACRE_OPEN_NOSYNC, NULL);
	assert_done(try_tree(other, "tree", "word", id));
	nacre_store_close(other);
}

static void disturb(struct fixture *fixture, void (*how)(struct reading *), unsigned flags)
{
	char id[NC_HEX_ID];
	size_t refused = 0;
	assert_done(try_image(fixture->store, (const char *const[]){ NULL }, "none",
			      (const char *const[]){ "empty", NULL }, id));
	for (size_t i = 0; i < READERS; i++) {
		struct reading reading = { .what = "tree", .fixture = fixture, .disturb = how };
		struct nc_digest want, got;
		size_t calls = 1;
		for (size_t at = 0; at <= calls; at += 1 + calls / 6) {	/* 0: undisturbed */
			assert_done(try_tree(fixture->store, "tree", "word", id));
			reading.store = flags ? open_with(fixture->root, flags, NULL) : fixture->store;
			reading.disturb_at = at;
			int code = read_once(&reading, readers[i], at ? &got : &want);
			if (at == 0) {
				assert_done(code);
				calls = reading.calls;
			} else if (code == 0) {
				assert_true(nc_digest_equal(&want, &got));
			} else {
				assert_int_equal(code, NACRE_E_NOTFOUND);
				refused++;
			}
			if (flags)
				nacre_store_close(reading.store);
		}
	}
	assert_true(refused > 5);
}

static void a_reader_whose_image_is_removed(void **state)
{
	disturb(*state, disturb_remove, 0);
}

static void a_reader_whose_image_is_removed_and_comes_back(void **state)
{
	disturb(*state, disturb_replace, 0);
}

static void a_reader_that_locks_nothing(void **state)
{
	disturb(*state, disturb_remove, NACRE_OPEN_READONLY);
}

/* --- an image that the catalog does not know yet ---------------------------------------------------------------- */

/* The moment between the rename of a name and the catalog's transaction, made to last. */
static void what_the_catalog_does_not_know_yet(void **state)
{
	struct fixture *fixture = *state;
	char id[NC_HEX_ID], path[256];
	sqlite3 *db = NULL;
	struct nacre_image *image = NULL;
	struct nacre_node node;
	assert_done(try_tree(fixture->store, "tree", "word", id));
	snprintf(path, sizeof path, "%s/catalog.db", fixture->root);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DELETE FROM node; DELETE FROM name; DELETE FROM member", NULL, NULL, NULL), 0);
	sqlite3_close(db);
	for (int i = 0; i < 2; i++) {
		assert_done(nacre_image_get(fixture->store, i ? id : "tree", &image, &err));
		assert_int_equal(image->layer_count, 4);
		for (size_t layer = 0; layer < 4; layer++) {
			assert_int_equal(image->layers[layer].users, 1);
			assert_done(nacre_node_get(fixture->store, image->layers[layer].chain_id, &node, &err));
			assert_string_equal(node.parent, layer ? image->layers[layer - 1].chain_id : "");
			assert_string_equal(node.diff_id, image->layers[layer].diff_id);
			assert_true(node.has_layer);
		}
		nacre_image_free(image);
	}
	/* a layer that is missing indeed is damage still */
	assert_done(nacre_node_get(fixture->store, id, &node, &err));
	assert_int_equal(renameat(fixture->store->graph, node.parent, fixture->store->root, "aside"), 0);
	assert_int_equal(nacre_image_get(fixture->store, "tree", &image, &err), NACRE_E_CORRUPT);
	assert_int_equal(renameat(fixture->store->root, "aside", fixture->store->graph, node.parent), 0);
}

/* --- all at once ------------------------------------------------------------------------------------------------ */

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static const char *const names[] = { "tree", "twin" };

static int never(const char *what, int code)
{
	fprintf(stderr, "%s: %d %s\n", what, code, err.msg);
	return 1;
}

static int be_writer(const char *root, unsigned turn, double until)
{
	for (; now() < until; turn++) {
		struct nacre_store *store = open_with(root, NACRE_OPEN_NOSYNC, NULL);
		char id[NC_HEX_ID];
		const char *name = names[turn % 2];
		int code = try_tree(store, name, "word", id);
		if (code < 0)
			return never("load", code);
		code = nacre_remove(store, name, NACRE_REMOVE_FORCE, NULL, NULL, &err);
		if (code < 0 && code != NACRE_E_BUSY && code != NACRE_E_NOTFOUND && code != NACRE_E_INUSE)
			return never("remove", code);
		nacre_store_close(store);
	}
	return 0;
}

static int count_node(void *ctx, const struct nacre_node *node)
{
	++*(int *)ctx;
	return 0;
}

static int read_lists(struct nacre_store *store, const char *what)
{
	struct nacre_image_list *list = NULL;
	struct nacre_image *image = NULL;
	struct nacre_usage usage;
	struct nacre_store_info *info = NULL;
	int nodes = 0;
	int code = nacre_image_list(store, NULL, &list, &err);
	if (code < 0)
		return never("images", code);
	if (list->damaged) {
		fprintf(stderr, "images: damaged: %s\n", list->damage);
		return 1;
	}
	nacre_image_list_free(list);
	code = nacre_image_get(store, what, &image, &err);
	if (code == 0 && image->layer_count != 4)
		return never("layers of an image", (int)image->layer_count);
	if (code < 0 && code != NACRE_E_NOTFOUND)
		return never("inspect", code);
	nacre_image_free(image);
	if ((code = nacre_df(store, &usage, &err)) < 0)
		return never("df", code);
	if ((code = nacre_store_info_get(store, &info, &err)) < 0)
		return never("info", code);
	nacre_store_info_free(info);
	if ((code = nacre_nodes_each(store, NACRE_HEADS, NULL, count_node, &nodes, &err)) < 0)
		return never("heads", code);
	return 0;
}

static int read_layer(struct reading *reading)
{
	struct nacre_node node;
	char id[NC_HEX_ID];
	int code = nc_store_resolve(reading->store, reading->what, id, NULL, &err);
	if (code == 0)
		code = nacre_node_get(reading->store, id, &node, &err);
	return code < 0 ? code : nacre_layer_tar(reading->store, node.parent, feel_bytes, reading, &err);
}

static int save(struct reading *reading)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int code = nacre_save(reading->store, &reading->what, 1, NACRE_OCI_ARCHIVE, "/dev/null", NULL, &err);
	close(null);
	return code;
}

static int be_reader(const char *root, unsigned turn, const struct nc_digest *want, double until)
{
	unsigned flags = turn % 3 == 2 ? NACRE_OPEN_READONLY : NACRE_OPEN_NOSYNC;
	struct nacre_store *store = open_with(root, flags, NULL);
	for (; now() < until; turn++) {
		struct reading reading = { .store = store, .what = names[turn / 7 % 2] };
		struct nc_digest got;
		size_t which = turn % (READERS + 2);
		int (*reader)(struct reading *) = which < READERS ? readers[which] : which == READERS ? read_layer : save;
		int code = read_once(&reading, reader, &got);
		if (code < 0 && code != NACRE_E_NOTFOUND) {
			fprintf(stderr, "reader %zu: ", which);
			return never("reading", code);
		}
		if (code == 0 && which < READERS && !nc_digest_equal(&want[which], &got))
			return never("other content", (int)which);
		if (read_lists(store, reading.what))
			return 1;
		if (turn % 16 == 0) {
			nacre_store_close(store);
			store = open_with(root, flags, NULL);
		}
	}
	nacre_store_close(store);
	return 0;
}

static int be_deleter(const char *root, double until)
{
	char path[256];
	snprintf(path, sizeof path, "%s/catalog.db", root);
	for (unsigned turn = 1; now() < until; turn++) {
		if (unlink(path) < 0 && errno != ENOENT)
			return never("unlink", -errno);
		nanosleep(&(struct timespec){ .tv_nsec = turn * 7919 % 20 * 1000000 }, NULL);
	}
	return 0;
}

/* Two load and remove, four read; with deleters the catalog goes again and again. */
static void work_together(struct fixture *fixture, unsigned deleters)
{

	struct nc_digest want[READERS];
	struct reading reading = { .store = fixture->store, .what = "tree" };
	char id[NC_HEX_ID];
	const double until = now() + (getenv("VALGRIND") ? 10 : 3);
	assert_done(try_image(fixture->store, (const char *const[]){ NULL }, "none",
			      (const char *const[]){ "empty", NULL }, id));
	assert_done(try_tree(fixture->store, "tree", "word", id));
	for (size_t i = 0; i < READERS; i++)
		assert_done(read_once(&reading, readers[i], &want[i]));
	for (unsigned i = 0; i < 6 + deleters; i++)
		if (fork() == 0)
			leave(i < 2 ? be_writer(fixture->root, i, until) :
			      i < 6 ? be_reader(fixture->root, i, want, until) : be_deleter(fixture->root, until));
	int failed = 0, status;
	for (unsigned i = 0; i < 6 + deleters; i++) {
		assert_true(wait(&status) > 0);
		failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	}
	assert_int_equal(failed, 0);
	reopen(fixture);
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	assert_catalog_true(fixture);
}

static void processes_read_beside_loads_and_removals(void **state)
{
	work_together(*state, 0);
}

static void the_catalog_goes_while_processes_work(void **state)
{
	work_together(*state, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_reader_whose_image_is_removed, set_up_fast, tear_down),
		cmocka_unit_test_setup_teardown(a_reader_whose_image_is_removed_and_comes_back, set_up_fast, tear_down),
		cmocka_unit_test_setup_teardown(a_reader_that_locks_nothing, set_up_fast, tear_down),
		cmocka_unit_test_setup_teardown(what_the_catalog_does_not_know_yet, set_up_fast, tear_down),
		cmocka_unit_test_setup_teardown(processes_read_beside_loads_and_removals, set_up_fast, tear_down),
		cmocka_unit_test_setup_teardown(the_catalog_goes_while_processes_work, set_up_fast, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
