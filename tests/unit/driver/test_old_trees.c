/* Trees that the drivers of 2015 left behind, and what lies beside them. */
#include "../../driver/rig.h"

#include "../io/scratch.h"
#include "io/fd.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether mounting works here. */
static bool mounts;

static void open_rig(struct rig *rig, struct scratch *scratch, const char *driver)
{
	rig_open(rig, driver, scratch->path);
	rig->no_mount = !mounts;
}

/* A file of a tree with what the language takes as default. */
static void put(struct rig *rig, const char *path, const char *text)
{
	put_file(rig->root, path, text);
	assert_int_equal(utimensat(rig->root, path, (struct timespec[2]){ { .tv_sec = 1000 }, { .tv_sec = 1000 } }, 0), 0);
}

static void put_dirs(struct rig *rig, const char *path)
{
	char part[300];
	for (size_t i = 0; i <= strlen(path); i++) {
		if (path[i] && path[i] != '/')
			continue;
		snprintf(part, sizeof part, "%.*s", (int)i, path);
		assert_true(mkdirat(rig->root, part, 0755) == 0 || errno == EEXIST);
	}
}

static void set_times(struct rig *rig, const char *path, time_t when)
{
	assert_int_equal(utimensat(rig->root, path, (struct timespec[2]){ { .tv_sec = when }, { .tv_sec = when } }, 0), 0);
}

static char *at(const char *home, unsigned id, const char *rest)
{
	static char paths[4][400];
	static unsigned next;
	char *path = paths[next++ % 4];
	snprintf(path, 400, "%s/%s%s", home, rig_id(id), rest);
	return path;
}

static void add_name(struct nc_buf *names, const char *id)
{
	nc_buf_addf(names, NULL, "%lu ", strtoul(id + 56, NULL, 16));
}

static int list_id(void *ctx, const char *id, struct nacre_error *err)
{
	add_name(ctx, id);
	return 0;
}

static void remove_tree(struct rig *rig, unsigned id)
{
	struct nacre_error err;
	int trash;
	assert_done(nc_dir_ensure(rig->root, "trash", &trash, &err));
	assert_done(rig->driver->ops->remove(rig->driver, rig_id(id), trash, &err));
	close(trash);
}

static char *content(struct rig *rig, unsigned id, const char *name)
{
	struct nacre_error err;
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	uint64_t size;
	char *text;
	assert_done(rig->driver->ops->content(rig->driver, rig_id(id), name, strlen(name), &reader, &size, &err));
	assert_done(nc_reader_slurp(reader, 1000, &text, NULL, &err));
	assert_int_equal(strlen(text), size);
	return text;
}

/* Two complete trees, the second with a file of the first; a container with its two directories. */
static void put_overlay(struct rig *rig)
{
	put_dirs(rig, at("overlay", 1, "/root/d"));
	put(rig, at("overlay", 1, "/root/d/shared"), "one");
	put(rig, at("overlay", 1, "/root/gone"), "1");
	put_dirs(rig, at("overlay", 2, "/root/d"));
	assert_int_equal(linkat(rig->root, at("overlay", 1, "/root/d/shared"), rig->root,
				at("overlay", 2, "/root/d/shared"), 0), 0);
	put(rig, at("overlay", 2, "/root/new"), "2");
	set_times(rig, at("overlay", 1, "/root/d"), 1000);
	set_times(rig, at("overlay", 2, "/root/d"), 1000);
	set_times(rig, at("overlay", 1, "/root"), 0);
	set_times(rig, at("overlay", 2, "/root"), 0);
	static const char *const parts[] = { "/upper", "/work", "/merged", "-init/upper", "-init/work", "-init/merged" };
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		put_dirs(rig, at("overlay", 3, parts[i]));
	put(rig, at("overlay", 3, "/lower-id"), rig_id(2));
	put(rig, at("overlay", 3, "-init/lower-id"), rig_id(2));
	/* a container whose other half is gone is none of our trees either */
	put_dirs(rig, at("overlay", 4, "/upper"));
}

static void overlay_trees(void **state)
{
	struct nacre_error err;
	struct rig rig;
	open_rig(&rig, *state, "overlay");
	put_overlay(&rig);
	rig_expect(&rig, 1, "d d\nf d/shared one\nf gone 1\n");
	rig_expect(&rig, 2, "d d\nf d/shared one\nf new 2\n");
	NC_AUTO_BUF struct nc_buf names = NC_BUF_INIT(1000);
	assert_done(rig.driver->ops->each(rig.driver, list_id, &names, &err));
	assert_true(strcmp(names.data, "1 2 ") == 0 || strcmp(names.data, "2 1 ") == 0);
	for (unsigned id = 1; id <= 4; id++)
		assert_int_equal(rig.driver->ops->has(rig.driver, rig_id(id), &err), id <= 2);
	char *text = content(&rig, 2, "./d/shared");
	assert_string_equal(text, "one");
	free(text);
	uint64_t one, two;
	assert_done(rig.driver->ops->usage(rig.driver, rig_id(1), &one, &err));
	assert_done(rig.driver->ops->usage(rig.driver, rig_id(2), &two, &err));
	/* together they have what is on disk, a shared file once */
	char command[5000];
	snprintf(command, sizeof command, "cd %s && du -sc -B1 %s %s | awk 'END { exit $1 != %" PRIu64 " }'", rig.path,
		 at("overlay", 1, "/root"), at("overlay", 2, "/root"), one + two);
	assert_int_equal(system(command), 0);
	struct nc_view *view;
	assert_int_equal(rig.driver->ops->view(rig.driver, rig_id(3), &view, &err), NACRE_E_NOTFOUND);
	for (unsigned id = 3; id <= 4; id++) {
		remove_tree(&rig, id);
		assert_true(is_there(rig.root, at("overlay", id, "/upper")));
	}
	assert_true(is_there(rig.root, at("overlay", 3, "-init/upper")));
	remove_tree(&rig, 1);
	assert_false(is_there(rig.root, at("overlay", 1, "")));
	rig_expect(&rig, 2, "d d\nf d/shared one\nf new 2\n");
	rig_close(&rig);
}

static void overlay_layers_on_top(void **state)
{
	struct nacre_error err;
	struct rig rig;
	open_rig(&rig, *state, "overlay");
	put_overlay(&rig);
	rig_layer(&rig, 5, 2, "f .wh.new\nf a 5\nh d/link d/shared\nf d/own 5\n");
	rig_layer(&rig, 6, 5, "f d/.wh.own\nf d/shared six\n");
	static const char five[] = "f a 5\nd d\nf d/link one\nf d/own 5\nh d/shared d/link\n";
	static const char six[] = "f a 5\nd d\nf d/link one\nf d/shared six\n";
	rig_expect(&rig, 5, five);
	rig_expect(&rig, 6, six);
	/* what the old trees share was not written to */
	rig_expect(&rig, 1, "d d\nf d/shared one\nf gone 1\n");
	struct stat st;
	assert_int_equal(fstatat(rig.root, at("overlay", 1, "/root/d/shared"), &st, 0), 0);
	assert_int_equal(st.st_nlink, 2);
	/* a root that hides all */
	rig_layer(&rig, 7, 2, "f .wh..wh..opq\nf x 7\n");
	rig_expect(&rig, 7, "f x 7\n");
	/* a container keeps its place */
	rig_begin(&rig, 4, 2);
	assert_done(rig_put(&rig, "f a 1\n", &err));
	assert_int_equal(nc_tree_seal(&rig.tree, &rig.size, &err), NACRE_E_EXISTS);
	rig_abort(&rig);
	assert_true(is_there(rig.root, at("overlay", 4, "/upper")));
	/* below a complete tree nothing can lie */
	char *lower = at("overlay", 5, "/lower"), text[200];
	snprintf(text, sizeof text, "%s/root:%s/root", rig_id(2), rig_id(1));
	put(&rig, lower, text);
	struct nc_view *view;
	assert_int_equal(rig.driver->ops->view(rig.driver, rig_id(5), &view, &err), NACRE_E_CORRUPT);
	put(&rig, lower, "../../etc/root");
	assert_int_equal(rig.driver->ops->view(rig.driver, rig_id(5), &view, &err), NACRE_E_CORRUPT);
	rig_close(&rig);
}

/* A root of 2015 that nobody may write to has no short names and no empty directory. */
static void overlay_read_only(void **state)
{
	struct scratch *scratch = *state;
	struct nacre_error err;
	struct rig rig;
	open_rig(&rig, scratch, "overlay");
	put_overlay(&rig);
	assert_int_equal(unlinkat(rig.root, "overlay/l", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(rig.root, "overlay/empty", AT_REMOVEDIR), 0);
	nc_driver_close(rig.driver);
	assert_done(nc_overlay_driver.open(rig.root, rig.path, true, &rig.driver, &err));
	rig_expect(&rig, 2, "d d\nf d/shared one\nf new 2\n");
	assert_false(is_there(rig.root, "overlay/l"));
	rig_close(&rig);
}

/* Links in the place of trees lead nowhere. */
static void hostile_overlay(void **state)
{
	struct nacre_error err;
	struct rig rig;
	open_rig(&rig, *state, "overlay");
	put_dirs(&rig, "elsewhere/root");
	put(&rig, "elsewhere/root/secret", "s");
	put_dirs(&rig, at("overlay", 1, ""));
	put_link(rig.root, at("overlay", 1, "/root"), "../../elsewhere/root");
	put_link(rig.root, at("overlay", 2, ""), "../elsewhere");
	put(&rig, at("overlay", 3, ""), "");
	for (unsigned id = 1; id <= 3; id++) {
		struct nc_view *view;
		assert_int_equal(rig.driver->ops->has(rig.driver, rig_id(id), &err), 0);
		assert_int_equal(rig.driver->ops->view(rig.driver, rig_id(id), &view, &err), NACRE_E_NOTFOUND);
		remove_tree(&rig, id);
	}
	assert_true(is_there(rig.root, "elsewhere/root/secret"));
	rig_close(&rig);
}

/* vfs kept everything as it still does, and containers among it. */
static void vfs_containers(void **state)
{
	struct nacre_error err;
	struct rig rig;
	open_rig(&rig, *state, "vfs");
	put_dirs(&rig, at("vfs/dir", 1, "/d"));
	put(&rig, at("vfs/dir", 1, "/d/f"), "1");
	set_times(&rig, at("vfs/dir", 1, "/d"), 1000);
	set_times(&rig, at("vfs/dir", 1, ""), 0);
	put_dirs(&rig, at("vfs/dir", 2, "/d"));
	put_dirs(&rig, at("vfs/dir", 2, "-init/d"));
	rig_expect(&rig, 1, "d d\nf d/f 1\n");
	NC_AUTO_BUF struct nc_buf names = NC_BUF_INIT(1000);
	assert_done(rig.driver->ops->each(rig.driver, list_id, &names, &err));
	assert_string_equal(names.data, "1 ");
	assert_int_equal(rig.driver->ops->has(rig.driver, rig_id(2), &err), 0);
	remove_tree(&rig, 2);
	assert_true(is_there(rig.root, at("vfs/dir", 2, "/d")));
	rig_layer(&rig, 3, 1, "f d/.wh.f\nf x 3\n");
	rig_expect(&rig, 3, "d d\nf x 3\n");
	rig_begin(&rig, 2, 1);
	assert_int_equal(nc_tree_seal(&rig.tree, &rig.size, &err), NACRE_E_EXISTS);
	rig_abort(&rig);
	rig_close(&rig);
}

/* --- aufs ------------------------------------------------------------------------------------------------------- */

/* 1 below 2 below 3; 4 hides everything in its root; 5 is a container. */
static void put_aufs(struct rig *rig)
{
	put_dirs(rig, "aufs/layers");
	put_dirs(rig, at("aufs/diff", 1, "/d/sub"));
	put_dirs(rig, at("aufs/diff", 1, "/.wh..wh.plnk"));
	put_dirs(rig, at("aufs/diff", 1, "/.wh..wh.orph"));
	put(rig, at("aufs/diff", 1, "/.wh..wh.aufs"), "");
	put(rig, at("aufs/diff", 1, "/a"), "1");
	put(rig, at("aufs/diff", 1, "/d/x"), "1");
	put(rig, at("aufs/diff", 1, "/d/sub/deep"), "1");
	put(rig, at("aufs/diff", 1, "/e"), "1");
	assert_int_equal(linkat(rig->root, at("aufs/diff", 1, "/a"), rig->root, at("aufs/diff", 1, "/a-link"), 0), 0);
	assert_int_equal(linkat(rig->root, at("aufs/diff", 1, "/a"), rig->root,
				at("aufs/diff", 1, "/.wh..wh.plnk/77.77"), 0), 0);
	put_dirs(rig, at("aufs/diff", 2, "/d/sub"));
	put(rig, at("aufs/diff", 2, "/.wh.e"), "");
	put(rig, at("aufs/diff", 2, "/d/.wh.x"), "");
	put(rig, at("aufs/diff", 2, "/d/sub/.wh..wh..opq"), "");
	put(rig, at("aufs/diff", 2, "/d/sub/own"), "2");
	put_dirs(rig, at("aufs/diff", 3, "/e"));
	put(rig, at("aufs/diff", 3, "/.wh.d"), "");
	put_dirs(rig, at("aufs/diff", 3, "/d"));
	put(rig, at("aufs/diff", 3, "/d/again"), "3");
	put(rig, at("aufs/diff", 3, "/a-link"), "3");
	put_dirs(rig, at("aufs/diff", 4, ""));
	put(rig, at("aufs/diff", 4, "/.wh..wh..opq"), "");
	put(rig, at("aufs/diff", 4, "/x"), "4");
	put_dirs(rig, at("aufs/diff", 5, "/upper"));
	put_dirs(rig, at("aufs/diff", 5, "-init"));
	put_dirs(rig, at("aufs/mnt", 2, ""));
	char text[400];
	put(rig, at("aufs/layers", 1, ""), "");
	snprintf(text, sizeof text, "%s\n", rig_id(1));
	put(rig, at("aufs/layers", 2, ""), text);
	snprintf(text, sizeof text, "%s\n%s\n", rig_id(2), rig_id(1));
	put(rig, at("aufs/layers", 3, ""), text);
	snprintf(text, sizeof text, "%s\n%s\n%s\n", rig_id(3), rig_id(2), rig_id(1));
	put(rig, at("aufs/layers", 4, ""), text);
	put(rig, at("aufs/layers", 5, ""), text);
	static const char *const dirs[] = { "/d", "/d/sub", "/e", "" };
	for (unsigned id = 1; id <= 4; id++)
		for (size_t i = 0; i < 4; i++)
			if (is_there(rig->root, at("aufs/diff", id, dirs[i])))
				set_times(rig, at("aufs/diff", id, dirs[i]), *dirs[i] ? 1000 : 0);
}

static void open_aufs(struct rig *rig, struct scratch *scratch)
{
	put_dirs(&(struct rig){ .root = scratch->fd }, "aufs");
	put_aufs(&(struct rig){ .root = scratch->fd });
	open_rig(rig, scratch, "aufs");
	rig->no_mount = true;
}

static void aufs_trees(void **state)
{
	struct nacre_error err;
	struct rig rig;
	open_aufs(&rig, *state);
	assert_done(nc_aufs_driver.probe(rig.root, &err));
	rig_expect(&rig, 1, "f a 1\nh a-link a\nd d\nd d/sub\nf d/sub/deep 1\nf d/x 1\nf e 1\n");
	rig_expect(&rig, 2, "f a 1\nh a-link a\nd d\nd d/sub\nf d/sub/own 2\n");
	rig_expect(&rig, 3, "f a 1\nf a-link 3\nd d\nf d/again 3\nd e\n");
	rig_expect(&rig, 4, "f x 4\n");
	struct nc_view *view;
	struct nc_view_file file;
	assert_done(rig.driver->ops->view(rig.driver, rig_id(3), &view, &err));
	static const char *const hidden[] = { ".wh.d", ".wh..wh.plnk/77.77", "d/sub", "d/x", ".wh..wh.aufs" };
	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
		assert_int_equal(view->ops->stat(view, hidden[i], &file, &err), NACRE_E_NOTFOUND);
	nc_view_close(view);
	char *text = content(&rig, 2, "d/sub/own");
	assert_string_equal(text, "2");
	free(text);
	uint64_t size;
	assert_done(rig.driver->ops->usage(rig.driver, rig_id(3), &size, &err));
	assert_true(size >= 2 * 512);
	NC_AUTO_BUF struct nc_buf names = NC_BUF_INIT(1000);
	assert_done(rig.driver->ops->each(rig.driver, list_id, &names, &err));
	assert_int_equal(names.len, 8);
	assert_null(strchr(names.data, '5'));
	rig_close(&rig);
}

static void aufs_does_not_write(void **state)
{
	struct nacre_error err;
	struct rig rig;
	const struct nc_driver_ops *chosen;
	open_aufs(&rig, *state);
	assert_int_equal(rig_mount(&rig, 1, &err), NACRE_E_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "nacre migrate"));
	struct nc_tree *tree;
	assert_int_equal(rig.driver->ops->begin(rig.driver, rig_id(9), NULL, rig.root, NULL, &tree, &err),
			 NACRE_E_UNSUPPORTED);
	assert_done(nc_driver_choose(rig.root, &chosen, &err));
	assert_string_not_equal(chosen->name, "aufs");
	remove_tree(&rig, 5);
	assert_true(is_there(rig.root, at("aufs/diff", 5, "")));
	assert_true(is_there(rig.root, at("aufs/layers", 5, "")));
	for (int times = 0; times < 2; times++) {
		remove_tree(&rig, 2);
		assert_false(is_there(rig.root, at("aufs/diff", 2, "")));
		assert_false(is_there(rig.root, at("aufs/layers", 2, "")));
		assert_false(is_there(rig.root, at("aufs/mnt", 2, "")));
	}
	rig_close(&rig);
}

static void hostile_aufs(void **state)
{
	struct nacre_error err;
	struct rig rig;
	struct nc_view *view;
	open_aufs(&rig, *state);
	static const char *const lists[] = { "../../etc\n", "x\n", "\n..\n" };
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		put(&rig, at("aufs/layers", 2, ""), lists[i]);
		assert_int_equal(rig.driver->ops->view(rig.driver, rig_id(2), &view, &err), NACRE_E_CORRUPT);
	}
	/* one that is not there */
	put(&rig, at("aufs/layers", 2, ""), rig_id(9));
	assert_done(rig.driver->ops->view(rig.driver, rig_id(2), &view, &err));
	struct nc_view_file file;
	assert_int_equal(view->ops->stat(view, "d/none", &file, &err), NACRE_E_CORRUPT);
	nc_view_close(view);
	assert_int_equal(unlinkat(rig.root, at("aufs/layers", 2, ""), 0), 0);
	assert_int_equal(rig.driver->ops->view(rig.driver, rig_id(2), &view, &err), NACRE_E_CORRUPT);
	put_link(rig.root, at("aufs/layers", 2, ""), rig_id(3));
	assert_true(rig.driver->ops->view(rig.driver, rig_id(2), &view, &err) < 0);
	rig_close(&rig);
}

int main(void)
{
	mounts = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	umask(022);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(overlay_trees, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(overlay_layers_on_top, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(overlay_read_only, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(hostile_overlay, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(vfs_containers, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(aufs_trees, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(aufs_does_not_write, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(hostile_aufs, scratch_make, scratch_drop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
