/* Moving a store to another driver: all of it or nothing, whenever who does it dies or whatever fails. */
#include "fixture.h"
#include "shots.h"

#include <inttypes.h>
#include <sched.h>
#include <sys/mount.h>

#define OTHER "overlay"

/* Whether the other driver works here: the tests need not run as root. */
static bool possible(const struct fixture *fixture)
{
	const struct nc_driver_ops *ops = nc_driver_find(OTHER);
	return ops->probe(fixture->store->root, &err) == 0;
}

/* Three images with a layer in common; one layer hides what the one below it has. */
static void fill(struct fixture *fixture)
{
	char id[NC_HEX_ID];
	make_image(fixture->store, (const char *const[]){ "base", "one", NULL }, "one", id);
	make_image(fixture->store, (const char *const[]){ "base", "two", "three", NULL }, "three", id);
	NC_AUTO_BUF struct nc_buf tar;
	make_tar(&tar, (const char *const[]){ "d/", "", "d/a", "first", "b", "", "d/a", "second", NULL });
	assert_done(register_bytes(fixture->store, NULL, tar.data, tar.len, id));
	struct nacre_register_options options = { .size = sizeof options, .parent = id };
	char parent[NC_HEX_ID];
	memcpy(parent, id, sizeof parent);
	options.parent = parent;
	NC_AUTO_BUF struct nc_buf upper;
	make_tar(&upper, (const char *const[]){ "d/.wh.a", "", "d/c", "new", NULL });
	assert_done(register_bytes(fixture->store, &options, upper.data, upper.len, id));
}

static int count_all(void *ctx, const struct nacre_node *node)
{
	struct nacre_store *store = ctx;
	if (node->has_layer)
		assert_done(nacre_layer_verify(store, node->id, &err));
	return 0;
}

struct tree {
	struct nc_buf text;
	struct nacre_store *store;
};

static int add_path(void *ctx, const struct nc_view_file *file, struct nacre_error *why)
{
	return nc_buf_addf(ctx, why, "%d %s %o %" PRId64 " %" PRIu64 "\n", (int)file->entry.type, file->entry.name,
			   file->entry.mode, file->entry.mtime.sec, file->entry.size);
}

static int add_tree(void *ctx, const struct nacre_node *node)
{
	struct tree *tree = ctx;
	NC_CLEANUP(nc_view_auto) struct nc_view *view = NULL;
	assert_done(nc_buf_addf(&tree->text, &err, "%s %s\n", node->id, node->diff_id));
	if (!node->has_layer)
		return 0;
	assert_done(nacre_layer_verify(tree->store, node->id, &err));
	assert_done(nc_store_view(tree->store, node->id, &view, &err));
	assert_done(nc_view_walk(view, "", add_path, &tree->text, &err));
	return 0;
}

/* Every node with its digest, verified, and its tree (free()). */
static char *trees_of(const struct fixture *fixture)
{
	struct tree tree = { .text = NC_BUF_INIT(1 << 20), .store = open_with(fixture->root, 0, NULL) };
	assert_done(nacre_nodes_each(tree.store, NACRE_ALL, NULL, add_tree, &tree, &err));
	nacre_store_close(tree.store);
	return nc_buf_give(&tree.text);
}

static int migrate(const struct fixture *fixture, const char *driver, struct nacre_migration *ret)
{
	struct nacre_migrate_options options = { .size = sizeof options, .driver = driver };
	return nacre_migrate(fixture->root, &options, ret, &err);
}

static bool has_driver(const struct fixture *fixture, const char *driver)
{
	struct nacre_store *store = open_with(fixture->root, 0, NULL);
	bool has = strcmp(store->driver->ops->name, driver) == 0;
	nacre_store_close(store);
	return has;
}

/* Only this driver's trees are there, and nothing else is left of a migration. */
static int no_temporary(void *ctx, const char *name, unsigned char type, struct nacre_error *why)
{
	if (strncmp(name, NC_TEMPORARY, strlen(NC_TEMPORARY)) == 0)
		fail_msg("'%s' is left in the store", name);
	return 0;
}

static void assert_clean(const struct fixture *fixture, const char *driver)
{
	NC_AUTO_FD int root = open(fixture->root, O_RDONLY | O_DIRECTORY);
	assert_done(nc_dir_each(root, no_temporary, NULL, &err));
	static const char *const drivers[] = { "vfs", "overlay" };
	assert_true(has_driver(fixture, driver));
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(there(fixture, drivers[i]), strcmp(drivers[i], driver) == 0);
	assert_false(there(fixture, "nacre.migrate"));
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
}

static void close_it(struct fixture *fixture)
{
	nacre_store_close(NC_GIVE(fixture->store));
}

static void there_and_back(void **state)
{
	struct fixture *fixture = *state;
	struct nacre_migration done;
	if (!possible(fixture))
		skip();
	fill(fixture);
	close_it(fixture);
	char *before = trees_of(fixture);
	struct nacre_migrate_options dry = { .size = sizeof dry, .driver = OTHER, .dry_run = true };
	assert_done(nacre_migrate(fixture->root, &dry, &done, &err));
	assert_int_equal(done.layers, 6);
	assert_int_equal(done.moved, 6);
	assert_true(done.needed > 0 && done.available > 0);
	assert_clean(fixture, "vfs");
	for (int i = 0; i < 2; i++) {
		const char *to = i ? "vfs" : OTHER;
		assert_done(migrate(fixture, to, &done));
		assert_int_equal(done.moved, 6);
		assert_string_equal(done.from, i ? OTHER : "vfs");
		assert_string_equal(done.to, to);
		assert_clean(fixture, to);
		char *after = trees_of(fixture);
		assert_string_equal(after, before);
		free(after);
		/* again there is nothing to do */
		assert_done(migrate(fixture, to, &done));
		assert_int_equal(done.moved, 0);
	}
	free(before);
	fixture->store = open_with(fixture->root, 0, NULL);
	assert_done(nacre_nodes_each(fixture->store, NACRE_ALL, NULL, count_all, fixture->store, &err));
}

static void refused(void **state)
{
	struct fixture *fixture = *state;
	struct nacre_store *store;
	struct nacre_open_options look = { .size = sizeof look, .flags = NACRE_OPEN_READONLY };
	fill(fixture);
	/* somebody has it open */
	assert_int_equal(migrate(fixture, OTHER, NULL), NACRE_E_BUSY);
	close_it(fixture);
	fixture->store = open_with(fixture->root, NACRE_OPEN_READONLY, NULL);
	assert_int_equal(migrate(fixture, OTHER, NULL), NACRE_E_BUSY);
	close_it(fixture);
	static const char *const wrong[] = { "zfs", "", NULL };
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(migrate(fixture, wrong[i], NULL), NACRE_E_INVALID);
	assert_int_equal(migrate(fixture, "memory", NULL), NACRE_E_UNSUPPORTED);
	assert_int_equal(migrate(fixture, "aufs", NULL), NACRE_E_UNSUPPORTED);
	struct nacre_migrate_options options = { .size = sizeof options, .driver = OTHER };
	assert_int_equal(nacre_migrate("/nonexistent/store", &options, NULL, &err), NACRE_E_NOTFOUND);
	/* while it goes on nobody comes in, not even to look */
	struct nacre_open_options alone = { .size = sizeof alone, .flags = NC_OPEN_ALONE };
	struct nacre_store *mover = NULL;
	assert_done(nacre_store_open(fixture->root, &alone, &mover, &err));
	assert_int_equal(nacre_store_open(fixture->root, NULL, &store, &err), NACRE_E_BUSY);
	assert_int_equal(nacre_store_open(fixture->root, &look, &store, &err), NACRE_E_BUSY);
	assert_non_null(strstr(err.msg, "migrated"));
	nacre_store_close(mover);
	assert_clean(fixture, "vfs");
	fixture->store = open_with(fixture->root, 0, NULL);
}

/* Trees that are somebody else's are neither taken for ours nor replaced. */
static void place_is_taken(void **state)
{
	struct fixture *fixture = *state;
	char path[512], command[600];
	if (!possible(fixture))
		skip();
	fill(fixture);
	close_it(fixture);
	snprintf(path, sizeof path, "%s/overlay/%064d/root", fixture->root, 7);
	snprintf(command, sizeof command, "mkdir -p %s", path);
	assert_int_equal(system(command), 0);
	assert_int_equal(migrate(fixture, OTHER, NULL), NACRE_E_EXISTS);
	assert_true(has_driver(fixture, "vfs"));
	assert_false(there(fixture, "nacre.migrate"));
	assert_int_equal(access(path, F_OK), 0);
	fixture->store = open_with(fixture->root, 0, NULL);
}

struct damage {
	size_t count;
	char last[NC_HEX_ID];
};

static void note_damage(void *ctx, const char *id, const char *reason)
{
	struct damage *damage = ctx;
	damage->count++;
	memcpy(damage->last, id, NC_HEX_ID);
	assert_true(*reason);
}

/* Damaged layers are named, all of them, and nothing switches; without them the rest goes on. */
static void damaged(void **state)
{
	struct fixture *fixture = *state;
	struct nacre_migration done;
	struct damage damage = { .count = 0 };
	char tree[NC_HEX_ID], image[NC_HEX_ID], path[512];
	if (!possible(fixture))
		skip();
	fill(fixture);
	assert_done(nc_store_resolve(fixture->store, "one", image, NULL, &err));
	assert_done(nc_node_tree(fixture->store, image, tree, &err));
	close_it(fixture);
	snprintf(path, sizeof path, "%s/vfs/dir/%s/file-one", fixture->root, tree);
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(write(fd, "XXX", 3), 3);
	close(fd);
	struct nacre_migrate_options options = { .size = sizeof options, .driver = OTHER, .damaged = note_damage,
						 .damaged_ctx = &damage };
	assert_int_equal(nacre_migrate(fixture->root, &options, &done, &err), NACRE_E_CORRUPT);
	assert_int_equal(damage.count, 1);
	assert_string_equal(damage.last, tree);
	assert_int_equal(done.damaged, 1);
	assert_int_equal(done.moved, 5);
	assert_true(has_driver(fixture, "vfs"));
	fixture->store = open_with(fixture->root, 0, NULL);
	assert_done(nacre_remove(fixture->store, image, NACRE_REMOVE_FORCE, NULL, NULL, &err));
	close_it(fixture);
	/* what was moved before is taken over */
	assert_done(migrate(fixture, OTHER, &done));
	assert_int_equal(done.layers, 5);
	assert_int_equal(done.moved, 0);
	assert_clean(fixture, OTHER);
	free(trees_of(fixture));
	fixture->store = open_with(fixture->root, 0, NULL);
}

/* Between two runs a node goes, and another comes under its ID. */
static void changed_in_between(void **state)
{
	struct fixture *fixture = *state;
	static volatile int stop = 1;
	struct nacre_migration done;
	char image[NC_HEX_ID], id[NC_HEX_ID];
	const char *random = "00000000000000000000000000000000000000000000000000000000000000aa";
	struct nacre_register_options options = { .size = sizeof options, .id = random };
	if (!possible(fixture))
		skip();
	fill(fixture);
	NC_AUTO_BUF struct nc_buf first, second;
	make_tar(&first, (const char *const[]){ "f", "first", NULL });
	make_tar(&second, (const char *const[]){ "f", "other", "g", "", NULL });
	assert_done(register_bytes(fixture->store, &options, first.data, first.len, id));
	assert_done(nc_store_resolve(fixture->store, "one", image, NULL, &err));
	close_it(fixture);
	/* a damaged one keeps it from switching */
	char path[512];
	snprintf(path, sizeof path, "%s/graph/%064d", fixture->root, 1);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/vfs/dir/%064d", fixture->root, 1);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(migrate(fixture, OTHER, &done), NACRE_E_CORRUPT);
	assert_int_equal(done.moved, 7);
	assert_int_equal(rmdir(path), 0);
	snprintf(path, sizeof path, "%s/graph/%064d", fixture->root, 1);
	assert_int_equal(rmdir(path), 0);
	/* cancelled at once: it stays so */
	struct nacre_migrate_options again = { .size = sizeof again, .driver = OTHER, .progress.cancel = &stop };
	assert_int_equal(nacre_migrate(fixture->root, &again, &done, &err), NACRE_E_CANCELLED);
	assert_true(there(fixture, "nacre.migrate"));
	fixture->store = open_with(fixture->root, 0, NULL);
	assert_done(nacre_remove(fixture->store, image, NACRE_REMOVE_FORCE, NULL, NULL, &err));
	assert_done(nacre_delete(fixture->store, random, &err));
	assert_done(register_bytes(fixture->store, &options, second.data, second.len, id));
	close_it(fixture);
	char *before = trees_of(fixture);
	assert_done(migrate(fixture, OTHER, &done));
	assert_int_equal(done.layers, 6);
	assert_int_equal(done.moved, 1);
	assert_clean(fixture, OTHER);
	char *after = trees_of(fixture);
	assert_string_equal(after, before);
	free(before);
	free(after);
	fixture->store = open_with(fixture->root, 0, NULL);
}

/* --- killed ----------------------------------------------------------------------------------------------------- */

static void do_migrate(void *ctx)
{
	if (migrate(ctx, OTHER, NULL) < 0)
		leave(1);
}

/* The store as it was made first is kept beside and copied back, which costs less than to make it. */
static void begin_anew(const struct fixture *fixture)
{
	char command[600];
	snprintf(command, sizeof command, "cd %s && rm -rf store && cp -a kept store", fixture->dir);
	assert_int_equal(system(command), 0);
}

static void at_every_change(struct fixture *fixture, struct shot shot)
{
	char command[600];
	snprintf(command, sizeof command, "cp -a %s %s/kept", fixture->root, fixture->dir);
	char *before = trees_of(fixture);
	assert_int_equal(system(command), 0);
	long step = shot.step ? shot.step : 1, shots = 0;
	for (shot.at = 1;; shot.at += step, shots++) {
		enum outcome outcome = run(shot, do_migrate, fixture);
		/* whichever driver it has now: all is there */
		char *now = trees_of(fixture);
		assert_string_equal(now, before);
		free(now);
		bool switched = has_driver(fixture, OTHER);
		/* go on, or give it up */
		const char *to = shots % 3 == 2 && !switched ? "vfs" : OTHER;
		assert_done(migrate(fixture, to, NULL));
		assert_clean(fixture, to);
		now = trees_of(fixture);
		assert_string_equal(now, before);
		free(now);
		begin_anew(fixture);
		if (outcome == THROUGH)
			break;
	}
	assert_true(shots > 10);
	free(before);
}

static void killed_at_every_change(void **state)
{
	struct fixture *fixture = *state;
	if (!possible(fixture))
		skip();
	fill(fixture);
	close_it(fixture);
	at_every_change(fixture, (struct shot){ .step = 2 });
	fixture->store = open_with(fixture->root, 0, NULL);
}

static void failing_calls(void **state)
{
	struct fixture *fixture = *state;
	if (!possible(fixture))
		skip();
	fill(fixture);
	close_it(fixture);
	at_every_change(fixture, (struct shot){ .error = EIO, .step = 13 });
	fixture->store = open_with(fixture->root, 0, NULL);
}

static void full_disk(void **state)
{
	struct fixture *fixture = *state;
	if (!possible(fixture))
		skip();
	fill(fixture);
	close_it(fixture);
	at_every_change(fixture, (struct shot){ .error = ENOSPC, .from_then_on = true, .step = 13 });
	fixture->store = open_with(fixture->root, 0, NULL);
}

/* With an argument: the ones that take their time. */
int main(int argc, char **argv)
{
	/* where syncs cost nothing, if this may be */
	if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777") < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(there_and_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(place_is_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damaged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(changed_in_between, set_up, tear_down),
	};
	const struct CMUnitTest long_tests[] = {
		cmocka_unit_test_setup_teardown(killed_at_every_change, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failing_calls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(full_disk, set_up, tear_down),
	};
	return argc > 1 ? cmocka_run_group_tests(long_tests, NULL, NULL) : cmocka_run_group_tests(tests, NULL, NULL);
}
