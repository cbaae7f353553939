/* Stages that the dead left, made by hand: each is carried out, undone, or left to the next, and nothing but what it mentions is
 * touched. */
#include "fixture.h"

#define STAGE "graph/_tmp/0123456789abcdef0123456789abcdef"
#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const char *path_of(const struct fixture *fixture, const char *name)
{
	static char path[600];
	snprintf(path, sizeof path, "%s/%s", fixture->root, name);
	return path;
}

static void put(const struct fixture *fixture, const char *name, const char *text)
{
	int fd = open(path_of(fixture, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(nc_write_full(fd, text, strlen(text)), 0);
	close(fd);
}

static void make(const struct fixture *fixture, const char *name)
{
	assert_int_equal(mkdir(path_of(fixture, name), 0700), 0);
}

/* An image is there, and a stage with this plan; the store is closed. */
static void leave_stage(struct fixture *fixture, const char *file, const char *text, char *ret_id)
{
	make_image(fixture->store, (const char *const[]){ "a", "b", NULL }, "x", ret_id);
	nacre_store_close(NC_GIVE(fixture->store));
	make(fixture, STAGE);
	make(fixture, STAGE "/graph");
	make(fixture, STAGE "/blobs");
	make(fixture, STAGE "/names");
	put(fixture, STAGE "/graph/stray", "");
	if (file)
		put(fixture, file, text);
}

/* The next who opens the store sweeps it, and the image is as it was. */
static void assert_swept(struct fixture *fixture, const char *id)
{
	char got[NC_HEX_ID];
	fixture->store = open_with(fixture->root, NACRE_OPEN_NOSYNC, NULL);
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	assert_done(nc_store_resolve(fixture->store, "x", got, NULL, &err));
	assert_string_equal(got, id);
	assert_int_equal(entries(fixture, "vfs/dir"), 2);
	assert_catalog_true(fixture);
}

static void damaged_plans_are_undone(void **state)
{
	struct fixture *fixture = *state;
	char id[NC_HEX_ID];
	leave_stage(fixture, STAGE "/commit", "rubbish\n", id);
	assert_swept(fixture, id);
	nacre_store_close(NC_GIVE(fixture->store));
	make(fixture, STAGE);
	make(fixture, STAGE "/plan");		/* a directory */
	assert_swept(fixture, id);
	nacre_store_close(NC_GIVE(fixture->store));
	make(fixture, STAGE);
	put(fixture, STAGE "/commit", "");
	assert_int_equal(truncate(path_of(fixture, STAGE "/commit"), (off_t)300 << 20), 0);
	assert_swept(fixture, id);
}

static void commits_that_lack_something_are_undone(void **state)
{
	static const char *const plans[] = {
		"node " A "\nblob " B "\n",			/* a node that is nowhere */
		"document " A " " B "\n", "first " A "\n",	/* of such a node */
		"name 0 docker.io/library/y:1\nnode " A "\n",
		"unname docker.io/library/y:1\nnode " A "\n",
	};
	struct fixture *fixture = *state;
	char id[NC_HEX_ID];
	for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
		leave_stage(fixture, STAGE "/commit", plans[i], id);
		put(fixture, STAGE "/names/0", A "\n");
		assert_swept(fixture, id);
		assert_false(there(fixture, "names/docker.io/library/y"));
	}
}

/* A node with a layer, in the stage: without its tree it cannot be published. */
static void stage_node(struct fixture *fixture, bool layer)
{
	make(fixture, STAGE "/graph/" A);
	put(fixture, STAGE "/graph/" A "/json", "{\"id\":\"" A "\",\"created\":\"2020-01-01T00:00:00Z\"}");
	put(fixture, STAGE "/graph/" A "/layersize", "0");
	if (layer)
		put(fixture, STAGE "/graph/" A "/diffid", "sha256:" A);
}

static void a_layer_without_its_tree_is_undone_a_bare_node_needs_none(void **state)
{
	struct fixture *fixture = *state;
	char id[NC_HEX_ID];
	for (int layer = 1; layer >= 0; layer--) {
		leave_stage(fixture, STAGE "/commit", "node " A "\n", id);
		stage_node(fixture, layer);
		assert_swept(fixture, id);
		assert_int_equal(there(fixture, "graph/" A), !layer);
	}
}

/* What only a commit moves is in its place, so there was a mark, and the rest follows; what is there and staged as well was not. */
static void a_blob_that_was_moved_tells_of_the_mark(void **state)
{
	struct fixture *fixture = *state;
	char id[NC_HEX_ID];
	for (int moved = 0; moved < 2; moved++) {
		leave_stage(fixture, STAGE "/plan", "blob " B "\nblob " A "\nnode " A "\n", id);
		stage_node(fixture, false);
		put(fixture, STAGE "/blobs/" A, "staged");
		put(fixture, moved ? "blobs/sha256/" B : STAGE "/blobs/" B, "moved");
		assert_swept(fixture, id);
		assert_int_equal(there(fixture, "graph/" A), moved);
		assert_int_equal(there(fixture, "blobs/sha256/" A), moved);
	}
}

static void a_name_ahead_of_its_node_tells_of_the_mark(void **state)
{
	struct fixture *fixture = *state;
	char id[NC_HEX_ID], name[100];
	for (int moved = 0; moved < 2; moved++) {
		leave_stage(fixture, STAGE "/plan", "name 0 docker.io/library/x:2\nname 1 docker.io/library/x:3\nnode " A "\n", id);
		stage_node(fixture, false);
		snprintf(name, sizeof name, "{\"id\":\"%s\"}\n", A);
		put(fixture, STAGE "/names/1", name);
		put(fixture, moved ? "names/docker.io/library/x/_tags/2" : STAGE "/names/0", name);
		assert_swept(fixture, id);
		assert_int_equal(there(fixture, "graph/" A), moved);
		assert_int_equal(there(fixture, "names/docker.io/library/x/_tags/3"), moved);
	}
}

static void a_damaged_name_holds_nobody_up(void **state)
{
	struct fixture *fixture = *state;
	char id[NC_HEX_ID];
	leave_stage(fixture, STAGE "/plan", "name 0 docker.io/library/x:2\nnode " A "\n", id);
	put(fixture, "names/docker.io/library/x/_tags/2", "rubbish");
	assert_swept(fixture, id);
	assert_true(there(fixture, "names/docker.io/library/x/_tags/2"));
}

static void what_somebody_is_at_is_left_to_the_next(void **state)
{
	static const char *const plans[] = { "node " A "\n", "first " A "\n", "document " A " " B "\n", "blob " A "\n" };
	struct fixture *fixture = *state;
	char id[NC_HEX_ID];
	for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
		NC_AUTO_FD int locks = -1;
		leave_stage(fixture, STAGE "/plan", plans[i], id);
		fixture->store = open_with(fixture->root, NACRE_OPEN_READONLY, NULL);
		assert_done(nc_locks_open(fixture->store, &locks, &err));
		assert_done(nc_lock_id(locks, A, NC_LOCK_EXCLUSIVE, true, &err));
		assert_done(nc_lock_blob(locks, A, NC_LOCK_EXCLUSIVE, true, &err));
		reopen(fixture);
		assert_int_equal(entries(fixture, "graph/_tmp"), 1);
		nacre_store_close(NC_GIVE(fixture->store));
		nc_fd_release(&locks);
		assert_swept(fixture, id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(damaged_plans_are_undone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(commits_that_lack_something_are_undone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_layer_without_its_tree_is_undone_a_bare_node_needs_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_blob_that_was_moved_tells_of_the_mark, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_name_ahead_of_its_node_tells_of_the_mark, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_damaged_name_holds_nobody_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_somebody_is_at_is_left_to_the_next, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
