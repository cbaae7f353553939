/* A process is killed before each system call that changes the file system, one after the other, until it gets
 * through; or that call fails, once or with all that follow. Whoever opens the store next finds it as it was before,
 * or as it would have been after: nothing between, nothing left over, and what was reported as done is done. In every
 * second run the one who cleans up is killed too. */
#include "fixture.h"
#include "shots.h"

#include <limits.h>

/* --- the state of a store --------------------------------------------------------------------------------------- */

struct listing {
	struct nc_buf *text;
	const struct fixture *fixture;
	struct nacre_store *store;
};

static int add_entry(void *ctx, const char *name, struct nacre_error *why)
{
	return nc_buf_addf(ctx, why, "entry %s\n", name);
}

static void add_entries(struct nc_buf *text, const struct fixture *fixture, const char *path)
{
	char full[512];
	snprintf(full, sizeof full, "%s/%s", fixture->root, path);
	int fd = open(full, O_RDONLY | O_DIRECTORY);
	assert_done(nc_buf_addf(text, &err, "in %s\n", path));
	if (fd < 0)
		return;
	assert_done(nc_dir_each_sorted(fd, 1000, add_entry, text, &err));
	close(fd);
}

static int add_node(void *ctx, const struct nacre_node *node)
{
	struct listing *listing = ctx;
	assert_done(nc_buf_addf(listing->text, &err, "node %s\n", node->id));
	if (node->has_layer)
		assert_done(nacre_layer_verify(listing->store, node->id, &err));
	char digest[NACRE_DIGEST_MAX], manifests[96];
	snprintf(manifests, sizeof manifests, "graph/%s/manifests", node->id);
	add_entries(listing->text, listing->fixture, manifests);
	int code = nacre_node_digest(listing->store, node->id, digest, &err);
	if (code != NACRE_E_UNSET)
		assert_done(code);
	if (code == 0)
		assert_done(nc_buf_addf(listing->text, &err, "digest %s\n", digest));
	return 0;
}

/* Everything that matters, checked and as text (free()). The store is open. */
static char *state_of(struct fixture *fixture)
{
	struct nc_buf text = NC_BUF_INIT(1 << 20);
	struct listing listing = { &text, fixture, fixture->store };
	assert_done(nacre_nodes_each(fixture->store, NACRE_ALL, NULL, add_node, &listing, &err));
	assert_done(nc_names_each(fixture->store, add_name_line, &text, &err));
	static const char *const dirs[] = {"names",
					   "names/docker.io",
					   "names/docker.io/library",
					   "names/docker.io/another",
					   "names/docker.io/library/old",
					   "names/docker.io/library/new"};
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		add_entries(&text, fixture, dirs[i]);
	add_entries(&text, fixture, "graph");
	add_entries(&text, fixture, "graph/_tmp");
	add_entries(&text, fixture, "vfs/dir");
	add_entries(&text, fixture, "blobs/sha256");
	add_entries(&text, fixture, "holds");
	assert_done(nacre_holds_each(fixture->store, add_hold_line, &text, &err));
	struct nacre_image_list *list = NULL;
	assert_done(nacre_image_list(fixture->store, NULL, &list, &err));
	assert_int_equal(list->damaged, 0);
	for (size_t i = 0; i < list->count; i++)
		for (const char *const *name = list->images[i]->names; *name; name++)
			assert_done(nc_buf_addf(&text, &err, "image %s %s\n", list->images[i]->id, *name));
	nacre_image_list_free(list);
	nacre_store_close(NC_GIVE(fixture->store));
	char *dump = dump_catalog(fixture);
	assert_done(nc_buf_add_text(&text, dump, &err));
	free(dump);
	fixture->store = open_with(fixture->root, NACRE_OPEN_NOSYNC, NULL);
	return nc_buf_give(&text);
}

/* --- the operations --------------------------------------------------------------------------------------------- */

static struct nacre_store *open_quiet(const struct fixture *fixture)
{
	return open_with(fixture->root, NACRE_OPEN_NOSYNC, NULL);
}

static const char *const old_layers[] = { "base", "o1", "o2", NULL };

/* In the child: with syncs, which can fail. */
static struct nacre_store *open_or_exit(const struct fixture *fixture)
{
	struct nacre_store *store = NULL;
	struct nacre_open_options options = {.size = sizeof options, .flags = fixture->syncs ? 0 : NACRE_OPEN_NOSYNC};
	if (nacre_store_open(fixture->root, &options, &store, &err) < 0)
		leave(1);
	return store;
}

static void do_open(void *ctx)
{
	nacre_store_close(open_or_exit(ctx));
}

static void do_load(void *ctx)
{
	struct nacre_store *store = open_or_exit(ctx);
	char id[65];
	if (try_image(store, (const char *const[]){ "base", "new", NULL }, "x",
		      (const char *const[]){ "new:1", "new:2", NULL }, id) < 0)
		leave(1);
	nacre_store_close(store);
}

/* With blobs, a manifest and an index. */
static void do_load_blobs(void *ctx)
{
	struct nacre_store *store = open_or_exit(ctx);
	char id[65];
	if (try_image_with(store, (const char *const[]){ "base", "new", NULL }, "x", (const char *const[]){ "new:1", NULL }, true, id) < 0)
		leave(1);
	nacre_store_close(store);
}

/* The image is there; its documents and another name are not. */
static void do_complete(void *ctx)
{
	struct nacre_store *store = open_or_exit(ctx);
	char id[65];
	if (try_image_with(store, old_layers, "x", (const char *const[]){ "new:1", NULL }, true, id) < 0)
		leave(1);
	nacre_store_close(store);
}

static int begin_whole(struct nacre_store *store, struct nc_ingest **ret, const char *author, char *ret_id)
{
	NC_AUTO_FREE char *config = NULL;
	struct nc_image_in in = { .names = (const char *const[]){ "new:1", NULL } };
	int code = nc_ingest_begin(store, ret, &err);
	if (code < 0 || !author)
		return code < 0 ? code : nc_store_resolve(store, "old", ret_id, NULL, &err);
	make_config(NULL, 0, author, &config, &in.config_len);
	in.config = config;
	return nc_ingest_image(*ret, &in, ret_id, &err);
}

/* An index comes whole: with a new image (author), or to one that is there. */
static void keep(const struct fixture *fixture, const char *author, const char *index, const char *const *texts)
{
	struct nacre_store *store = open_or_exit(fixture);
	struct nc_ingest *ingest = NULL;
	char id[65];
	int code = begin_whole(store, &ingest, author, id);
	if (code >= 0)
		code = try_whole(ingest, id, index, texts);
	if (code >= 0)
		code = nc_ingest_commit(ingest, &err);
	nc_ingest_free(ingest);
	if (code < 0)
		leave(1);
	nacre_store_close(store);
}

static void do_keep(void *ctx)
{
	keep(ctx, "whole", "index", (const char *const[]){ "{}", "a statement", "", NULL });
}

static void do_keep_more(void *ctx)
{
	keep(ctx, NULL, "another index", (const char *const[]){ "{}", "another statement", NULL });
}

static void do_register(void *ctx)
{
	struct nacre_store *store = open_or_exit(ctx);
	NC_AUTO_BUF struct nc_buf tar;
	make_tar(&tar, (const char *const[]){ "a", "first", "b", "", "a", "second", NULL });
	if (register_bytes(store, NULL, tar.data, tar.len, NULL) < 0)
		leave(1);
	nacre_store_close(store);
}

static void do_tag(void *ctx)
{
	struct nacre_store *store = open_or_exit(ctx);
	if (nacre_tag(store, "old", "another/name:here", &err) < 0)
		leave(1);
	nacre_store_close(store);
}

static void do_untag(void *ctx)
{
	struct nacre_store *store = open_or_exit(ctx);
	int code = nacre_untag(store, "old", &err);
	if (code < 0 && code != NACRE_E_NOTFOUND)
		leave(1);
	nacre_store_close(store);
}

static void do_remove(void *ctx)
{
	struct nacre_store *store = open_or_exit(ctx);
	char id[65];
	int code = nc_store_resolve(store, "old", id, NULL, &err);
	if (code == 0)
		code = nacre_remove(store, id, NACRE_REMOVE_FORCE, NULL, NULL, &err);
	if (code < 0 && code != NACRE_E_NOTFOUND)
		leave(1);
	nacre_store_close(store);
}

static void do_digest(void *ctx)
{
	struct nacre_store *store = open_or_exit(ctx);
	char id[65];
	int code = nc_store_resolve(store, "old", id, NULL, &err);
	if (code == 0)
		code = nacre_node_set_digest(store, id, "tarsum.v1+md5:0123456789abcdef0123456789abcdef", &err);
	if (code < 0)
		leave(1);
	nacre_store_close(store);
}

static void do_hold(void *ctx)
{
	struct nacre_store *store = open_or_exit(ctx);
	struct nacre_hold_options options = { .size = sizeof options, .persistent = true };
	if (nacre_hold(store, "s", (const char *const[]){ "old" }, 1, &options, NULL, &err) < 0)
		leave(1);
	nacre_store_close(store);
}

static void do_rebuild(void *ctx)
{
	const struct fixture *fixture = ctx;
	char path[256];
	snprintf(path, sizeof path, "%s/catalog.db", fixture->root);
	unlink(path);
	nacre_store_close(open_or_exit(fixture));
}

static void fill(struct fixture *fixture)
{
	char id[65];
	make_image(fixture->store, (const char *const[]){ "base", "kept", NULL }, "kept", id);
	assert_done(try_image(fixture->store, old_layers, "x",
			      (const char *const[]){ "old:latest", "old:2", NULL }, id));
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	assert_done(nc_ingest_begin(fixture->store, &ingest, &err));
	assert_done(try_whole(ingest, id, "old index", (const char *const[]){ "old manifest", "{}", NULL }));
	assert_done(nc_ingest_commit(ingest, &err));
}

static void remove_dir(const struct fixture *fixture, const char *name)
{
	int dir = open(fixture->dir, O_RDONLY | O_DIRECTORY);
	assert_done(nc_tree_remove(dir, name, &err));
	close(dir);
}

static void empty_store(struct fixture *fixture)
{
	nacre_store_close(NC_GIVE(fixture->store));
	remove_dir(fixture, "store");
	fixture->store = open_with(fixture->root, NACRE_OPEN_NOSYNC, TEST_DRIVER);
}

/* Back to the beginning. */
static void begin_anew(struct fixture *fixture, const char *before)
{
	empty_store(fixture);
	fill(fixture);
	char *fresh = state_of(fixture);
	assert_string_equal(fresh, before);
	free(fresh);
}

/* What the state is after fn, from a run in peace. */
static char *find_after(struct fixture *fixture, void (*fn)(void *ctx), const char *before)
{
	nacre_store_close(NC_GIVE(fixture->store));
	assert_int_equal(run((struct shot){ .at = LONG_MAX }, fn, fixture), THROUGH);
	fixture->store = open_quiet(fixture);
	char *after = state_of(fixture);
	assert_catalog_true(fixture);
	begin_anew(fixture, before);
	return after;
}

/* --- what a power cut may take as well -------------------------------------------------------------------------- */

struct cut {
	const struct fixture *fixture;
	int stages;
	bool mark;			/* the rename of "plan" to "commit" is lost, where one that came later is not */
	bool lost;
};

static int left_stage(const struct nc_plan *plan, int graph)
{
	int left = 0;
	struct stat st;
	for (size_t i = 0; i < plan->count; i++)
		left += plan->steps[i].kind == NC_STEP_NODE && fstatat(graph, plan->steps[i].id, &st, 0) < 0;
	return left;
}

static int cut_stage(void *ctx, const char *name, unsigned char type, struct nacre_error *why)
{
	struct cut *cut = ctx;
	NC_AUTO_FD int stage = openat(cut->stages, name, O_RDONLY | O_DIRECTORY);
	NC_AUTO_FD int graph = openat(stage, "graph", O_RDONLY | O_DIRECTORY);
	NC_AUTO_PLAN struct nc_plan plan = {0};
	bool marked = nc_plan_read(stage, NC_PLAN_COMMIT, &plan, NULL) == 0;
	if (!marked && nc_plan_read(stage, NC_PLAN_FILE, &plan, NULL) < 0)
		return 0;
	/* the stage is there, so the catalog's log may be not */
	char log[256];
	snprintf(log, sizeof log, "%s/catalog.db-wal", cut->fixture->root);
	assert_true(truncate(log, 0) == 0 || errno == ENOENT);
	cut->lost = true;
	if (cut->mark && marked && left_stage(&plan, graph))
		assert_int_equal(renameat(stage, NC_PLAN_COMMIT, stage, NC_PLAN_FILE), 0);
	return 0;
}

static bool cut_power(const struct fixture *fixture, bool mark)
{
	char path[256];
	snprintf(path, sizeof path, "%s/graph/_tmp", fixture->root);
	NC_AUTO_FD int stages = open(path, O_RDONLY | O_DIRECTORY);
	struct cut cut = { .fixture = fixture, .stages = stages, .mark = mark };
	assert_done(nc_dir_each(stages, cut_stage, &cut, &err));
	return cut.lost;
}

static void at_every_change(struct fixture *fixture, void (*fn)(void *ctx), struct shot shot)
{
	nacre_store_close(NC_GIVE(fixture->store));
	fixture->store = open_quiet(fixture);
	fixture->syncs = shot.error;
	fill(fixture);
	char *before = state_of(fixture);
	char *after = find_after(fixture, fn, before);
	enum outcome outcome = KILLED;
	int cuts = 0;
	for (shot.at = 1; outcome != THROUGH; shot.at += shot.step ? shot.step : 1) {
		nacre_store_close(NC_GIVE(fixture->store));
		outcome = run(shot, fn, fixture);
		if (outcome == KILLED && shot.power)
			cuts += cut_power(fixture, shot.at % 2);
		else if (outcome == KILLED && shot.at % 2 == 0)
			run((struct shot){ .at = 1 + shot.at * 7 % 31 }, do_open, fixture);
		fixture->store = open_quiet(fixture);
		char *now = state_of(fixture);
		bool is_after = strcmp(now, after) == 0;
		if (outcome == DONE_ALL_THE_SAME)
			assert_string_equal(now, after);
		if (!is_after)
			assert_string_equal(now, before);
		if (is_after && strcmp(after, before) != 0)
			begin_anew(fixture, before);
		free(now);
	}
	assert_int_equal(cuts > 0, shot.power);
	free(before);
	free(after);
}

static void (*const operations[])(void *ctx) = { do_load, do_load_blobs, do_complete, do_register, do_tag, do_untag,
							do_remove, do_rebuild, do_digest, do_hold, do_keep, do_keep_more };

/* The store as one left it who died at a change, again and again: each call of those who clean up fails once. */
static void clean_up_failing(struct fixture *fixture, struct shot shot, const char *before, const char *after)
{
	char command[200];
	snprintf(command, sizeof command, "cd %s && rm -rf store && cp -a left store", fixture->dir);
	for (enum outcome outcome = FAILED; outcome != THROUGH; shot.at += shot.step) {
		assert_int_equal(system(command), 0);
		outcome = run(shot, do_open, fixture);
		fixture->store = open_quiet(fixture);
		char *now = state_of(fixture);
		if (strcmp(now, after) != 0)
			assert_string_equal(now, before);
		free(now);
		nacre_store_close(NC_GIVE(fixture->store));
	}
}

static void recovery_fails(struct fixture *fixture, void (*fn)(void *ctx), struct shot shot, long stride)
{
	nacre_store_close(NC_GIVE(fixture->store));
	fixture->store = open_quiet(fixture);
	fixture->syncs = true;
	fill(fixture);
	char *before = state_of(fixture), *after = find_after(fixture, fn, before), left[100];
	snprintf(left, sizeof left, "%s/left", fixture->dir);
	for (struct shot death = { .at = stride };; death.at += stride) {
		nacre_store_close(NC_GIVE(fixture->store));
		if (run(death, fn, fixture) != KILLED)
			break;
		cut_power(fixture, death.at % 2);
		assert_int_equal(rename(fixture->root, left), 0);
		shot.at = 1 + death.at % shot.step;
		clean_up_failing(fixture, shot, before, after);
		begin_anew(fixture, before);
		remove_dir(fixture, "left");
	}
	fixture->store = open_quiet(fixture);
	free(before);
	free(after);
}

/* --- what a check says of what one who died left ---------------------------------------------------------------- */

static void expect_left(void *ctx, const struct nacre_finding *finding)
{
	const char *kind = finding->kind;
	if (strcmp(kind, "stage-stray") != 0 && strcmp(kind, "tree-stray") != 0 && strcmp(kind, "blob-stray") != 0)
		fail_msg("%s: %s", kind, finding->text);
}

static void check_what_is_left(const struct fixture *fixture)
{
	struct nacre_check_options options = { .size = sizeof options, .finding = expect_left };
	struct nacre_store *store = open_with(fixture->root, NACRE_OPEN_READONLY, NULL);
	assert_done(nacre_check(store, &options, NULL, &err));
	nacre_store_close(store);
}

static void a_check_tells_of_it(void **state)
{
	static void (*const writers[])(void *ctx) = { do_load_blobs, do_tag, do_untag, do_remove };
	struct fixture *fixture = *state;
	fill(fixture);
	nacre_store_close(NC_GIVE(fixture->store));
	copy(fixture, "store", "before");
	for (size_t i = 0; i < sizeof writers / sizeof *writers; i++)
		for (struct shot shot = { .at = 1 };; shot.at += i ? 1 : 5) {
			copy(fixture, "before", "store");
			if (run(shot, writers[i], fixture) != KILLED)
				break;
			check_what_is_left(fixture);
		}
}

static void loading(void **state)
{
	at_every_change(*state, do_load, (struct shot){ 0 });
}

static void keeping_an_index(void **state)
{
	at_every_change(*state, do_keep, (struct shot){ 0 });
	empty_store(*state);
	at_every_change(*state, do_keep_more, (struct shot){ 0 });
}

static void loading_blobs(void **state)
{
	at_every_change(*state, do_load_blobs, (struct shot){ .step = 3 });
}

static void completing(void **state)
{
	at_every_change(*state, do_complete, (struct shot){ 0 });
}

static void registering(void **state)
{
	at_every_change(*state, do_register, (struct shot){ 0 });
}

static void tagging(void **state)
{
	at_every_change(*state, do_tag, (struct shot){ 0 });
}

static void untagging(void **state)
{
	at_every_change(*state, do_untag, (struct shot){ 0 });
}

static void removing(void **state)
{
	at_every_change(*state, do_remove, (struct shot){ 0 });
}

static void rebuilding(void **state)
{
	at_every_change(*state, do_rebuild, (struct shot){ 0 });
}

static void setting_a_digest(void **state)
{
	at_every_change(*state, do_digest, (struct shot){ 0 });
}

static void holding(void **state)
{
	at_every_change(*state, do_hold, (struct shot){ 0 });
}

static void the_log_and_the_mark_are_lost(void **state)
{
	static void (*const writers[])(void *ctx) = { do_load, do_register, do_tag, do_untag, do_remove, do_keep,
							   do_keep_more };
	for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
		at_every_change(*state, writers[i], (struct shot){ .power = true });
		if (i + 1 < sizeof writers / sizeof *writers)
			empty_store(*state);
	}
}

static void each_operation(struct fixture *fixture, struct shot shot)
{
	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
		at_every_change(fixture, operations[i], shot);
		empty_store(fixture);
	}
}

static void one_call_fails(void **state)
{
	each_operation(*state, (struct shot){ .error = EIO });
}

static void no_room_from_then_on(void **state)
{
	each_operation(*state, (struct shot){ .error = ENOSPC, .from_then_on = true, .step = 5 });
}

static void a_look_fails(void **state)
{
	static void (*const writers[])(void *ctx) = { do_load, do_load_blobs, do_complete, do_tag, do_remove };
	for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
		at_every_change(*state, writers[i], (struct shot){ .error = EIO, .looks = true, .step = 19 });
		empty_store(*state);
	}
}

static void the_clean_up_fails(void **state)
{
	static void (*const writers[])(void *ctx) = { do_load_blobs, do_complete, do_tag, do_untag, do_remove };
	for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
		recovery_fails(*state, writers[i], (struct shot){ .error = EIO, .looks = true, .step = 29 }, i ? 17 : 41);
		empty_store(*state);
	}
}

/* "failing": the calls that fail, else the kills. */
int main(int argc, char **argv)
{
	const struct CMUnitTest kills[] = {
		cmocka_unit_test_setup_teardown(loading, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keeping_an_index, set_up, tear_down),
		cmocka_unit_test_setup_teardown(loading_blobs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(completing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(registering, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tagging, set_up, tear_down),
		cmocka_unit_test_setup_teardown(untagging, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rebuilding, set_up, tear_down),
		cmocka_unit_test_setup_teardown(setting_a_digest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(holding, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_log_and_the_mark_are_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_check_tells_of_it, set_up, tear_down),
	};
	const struct CMUnitTest failing[] = {
		cmocka_unit_test_setup_teardown(one_call_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_room_from_then_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_look_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_clean_up_fails, set_up, tear_down),
	};
	return argc > 1 && strcmp(argv[1], "failing") == 0 ? cmocka_run_group_tests(failing, NULL, NULL)
							   : cmocka_run_group_tests(kills, NULL, NULL);
}
