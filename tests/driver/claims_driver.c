/* Many layers, mounts, removal, and the driver as a whole. */
#include "claims.h"

#include "io/fd.h"
#include "io/path.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- trees as a whole ------------------------------------------------------------------------------------------- */

void removal(void **state)
{
	struct nacre_error err;
	rig_layer(&rig, 1, 0, "d d [0 0:0 1]\nf d/x 1\n");
	rig_layer(&rig, 2, 0, "f y 1\n");
	assert_done(remove_id(NULL, rig_id(1), &err));
	assert_int_equal(rig.driver->ops->has(rig.driver, rig_id(1), &err), 0);
	assert_int_equal(rig.driver->ops->has(rig.driver, rig_id(2), &err), 1);
	assert_done(remove_id(NULL, rig_id(1), &err));
	/* one that is there although nobody knows of it gives way */
	rig_layer(&rig, 2, 0, "f z 1\n");
	rig_expect(&rig, 2, "f z 1\n");
	int count = 0;
	assert_done(rig.driver->ops->each(rig.driver, count_id, &count, &err));
	assert_int_equal(count, 1);
	rig_begin(&rig, 3, 2);
	assert_done(rig_put(&rig, "f a 1\nf .wh..wh.plnk/x 1\nf b 22\n", &err));
	rig_abort(&rig);
	assert_int_equal(rig.driver->ops->has(rig.driver, rig_id(3), &err), 0);
	struct nc_tree *tree;
	int stage;
	assert_done(nc_dir_ensure(rig.root, "trash", &stage, &err));
	assert_true(rig.driver->ops->begin(rig.driver, rig_id(3), rig_id(9), stage, NULL, &tree, &err) < 0);
	close(stage);
}

static void many_layers(unsigned count, bool dump)
{
	struct nacre_error err;
	NC_AUTO_BUF struct nc_buf want = NC_BUF_INIT(1u << 20);
	rig_layer(&rig, 1, 0, "d d\nf d/0001 1\nf first 1\n");
	nc_buf_add_text(&want, "d d\n", &err);
	for (unsigned i = 2; i <= count; i++) {
		char line[200];
		snprintf(line, sizeof line, "f d/%04u %u\nf d/.wh.%04u\nf last %u\n", i, i, i % 3 ? 9999 : i - 1, i);
		rig_layer(&rig, i, i - 1, line);
	}
	for (unsigned i = 1; i <= count; i++)
		if (i == count || (i + 1) % 3)
			nc_buf_addf(&want, &err, "f d/%04u %u\n", i, i);
	nc_buf_addf(&want, &err, "f first 1\nf last %u\n", count);
	if (dump)
		rig_expect(&rig, count, want.data);
}

void layers_127(void **state)
{
	many_layers(127, true);
}

void layers_500(void **state)
{
	/* for the full copies of vfs the point is made */
	if (strcmp(driver_name, "overlay") == 0 || rig.keeps_tars)
		many_layers(500, true);
}

void layers_501(void **state)
{
	struct nacre_error err;
	if (strcmp(driver_name, "overlay") != 0)
		return;
	many_layers(501, false);
	assert_int_equal(rig_mount(&rig, 501, &err), NACRE_E_UNSUPPORTED);
	char *dump = rig_view_dump(&rig, 501);
	assert_non_null(strstr(dump, "f d/0501 501\n"));
	free(dump);
}

void mounts(void **state)
{
	struct nacre_error err;
	rig_layer(&rig, 1, 0, "f a [4755 0:0 1] 1\n");
	rig_layer(&rig, 2, 1, "f b 1\n");
	if (rig.no_mount) {
		assert_int_equal(rig_mount(&rig, 1, &err), NACRE_E_UNSUPPORTED);
		return;
	}
	for (unsigned layer = 1; layer <= 2; layer++) {
		assert_done(rig_mount(&rig, layer, &err));
		int fd = openat(rig.root, "mnt/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_int_equal(fd, -1);
		assert_int_equal(errno, EROFS);
		assert_int_equal(openat(rig.root, "mnt/a", O_WRONLY | O_CLOEXEC), -1);
		assert_int_equal(errno, EROFS);
		rig_unmount(&rig);
	}
	assert_true(rig_mount(&rig, 9, &err) < 0);
}

/* Before Linux 6.5 the list of layers must go through mount(2). */
void mounts_by_the_old_call(void **state)
{
	struct nacre_error err;
	if (strcmp(driver_name, "overlay") != 0)
		return;
	many_layers(500, false);
	char *trees[500], text[500][NC_HEX_ID + 8];
	for (unsigned i = 0; i < 500; i++) {
		snprintf(text[i], sizeof text[i], "%s/diff", rig_id(500 - i));
		trees[i] = text[i];
	}
	int home = openat(rig.root, "overlay", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int target = openat(rig.root, "mnt", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct nc_overlay_mount what = { .home = home, .home_path = "/", .trees = trees, .count = 500,
					 .flags = NC_OVERLAY_OLD_CALL };
	assert_done(nc_overlay_mount(&what, target, &err));
	char path[4200];
	snprintf(path, sizeof path, "%s/mnt", rig.path);
	char *mounted = rig_dir_dump(path), *view = rig_view_dump(&rig, 500);
	rig_unmount(&rig);
	assert_string_equal(mounted, view);
	free(mounted);
	free(view);
	trees[3] = text[4];
	snprintf(text[4], sizeof text[4], "nothing");
	assert_true(nc_overlay_mount(&what, target, &err) < 0);
	close(home);
	close(target);
}

/* --- the driver itself ------------------------------------------------------------------------------------------ */

void probe(void **state)
{
	struct nacre_error err;
	int before = 0, after = 0;
	assert_done(nc_dir_each(rig.root, count_name, &before, &err));
	assert_done(nc_driver_find(driver_name)->probe(rig.root, &err));
	assert_done(nc_dir_each(rig.root, count_name, &after, &err));
	assert_int_equal(before, after);
	const struct nc_driver_ops *chosen;
	assert_done(nc_driver_choose(rig.root, &chosen, &err));
	assert_string_not_equal(chosen->name, "memory");
	assert_null(nc_driver_find("zfs"));
	/* there is nothing that it could read */
	assert_int_equal(nc_driver_find("aufs")->probe(rig.root, &err), NACRE_E_UNSUPPORTED);
}

void read_only(void **state)
{
	struct nacre_error err;
	if (rig.no_mount)
		return;
	rig_layer(&rig, 1, 0, "f a 1\n");
	struct nc_driver *writer = rig.driver;
	assert_done(writer->ops->open(rig.root, rig.path, true, &rig.driver, &err));
	rig_expect(&rig, 1, "f a 1\n");
	nc_driver_close(rig.driver);
	rig.driver = writer;
	int elsewhere = openat(rig.root, "mnt", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct nc_driver *none = NULL;
	assert_true(writer->ops->open(elsewhere, rig.path, true, &none, &err) < 0);
	assert_null(none);
	int left = 0;
	assert_done(nc_dir_each(elsewhere, count_name, &left, &err));
	assert_int_equal(left, 0);
	close(elsewhere);
}

/* fsconfig takes strings of 255 bytes at most. */
void a_long_way_to_the_store(void **state)
{
	struct rig far;
	char path[4200];
	snprintf(path, sizeof path, "%s", rig.path);
	for (int i = 0; i < 3; i++) {
		size_t len = strlen(path);
		path[len] = '/';
		memset(path + len + 1, 'a' + i, 120);
		path[len + 121] = '\0';
		assert_return_code(mkdir(path, 0700), errno);
	}
	rig_open(&far, driver_name, path);
	rig_layer(&far, 1, 0, "f a 1\n");
	rig_layer(&far, 2, 1, "f b 1\n");
	rig_expect(&far, 2, "f a 1\nf b 1\n");
	rig_close(&far);
}

/* A file system of little space at path, and for tmpfs of few inodes. */
static void mount_small(const char *path)
{
	assert_return_code(mkdir(path, 0700), errno);
	if (strcmp(driver_name, "btrfs") != 0) {
		assert_return_code(mount("tmpfs", path, "tmpfs", 0, "size=1m,nr_inodes=60,mode=0700"), errno);
		return;
	}
	char command[4400];
	snprintf(command, sizeof command,
		 "cd '%s' && truncate -s 32M ../img && mkfs.btrfs -q --mixed ../img 2>&1 && mount -o loop,commit=1 ../img \"$PWD\"",
		 path);
	assert_int_equal(system(command), 0);
}

void full_disk(void **state)
{
	struct nacre_error err;
	if (rig.no_mount)
		return;
	char path[4200];
	snprintf(path, sizeof path, "%s/small", rig.path);
	mount_small(path);
	struct rig small;
	rig_open(&small, driver_name, path);
	rig_layer(&small, 1, 0, "f a 1\n");
	/* of space, in a file's content */
	static const char block[65536];
	struct nc_entry entry = { .type = NC_ENTRY_FILE, .name = "b", .name_len = 1, .link = "", .mode = 0644,
				  .size = 64000000, .stored = 64000000 };
	rig_begin(&small, 2, 1);
	assert_int_equal(nc_tree_entry(small.tree, &entry, &err), NC_PUT_BY_NAME);
	int code = 0;
	for (uint64_t at = 0; code == 0 && at < entry.size; at += sizeof block)
		code = nc_tree_data(small.tree, block, sizeof block, at, &err);
	assert_int_equal(code, NACRE_E_NOSPACE);
	rig_abort(&small);
	/* and of inodes, where they are counted, in the middle of many members */
	bool counted = strcmp(driver_name, "btrfs") != 0 && !small.keeps_tars;
	/* btrfs gives the space of what is removed back a little later */
	if (strcmp(driver_name, "btrfs") == 0) {
		char command[4400];
		snprintf(command, sizeof command, "btrfs subvolume sync '%s' >&2", path);
		assert_int_equal(system(command), 0);
	}
	rig_begin(&small, 2, 1);
	code = counted ? 0 : NACRE_E_NOSPACE;
	for (unsigned i = 0; code >= 0 && i < 100; i++) {
		char line[64];
		snprintf(line, sizeof line, "f d/%u x", i);
		code = rig_put(&small, line, &err);
	}
	assert_int_equal(code, NACRE_E_NOSPACE);
	rig_abort(&small);
	assert_int_equal(small.driver->ops->has(small.driver, rig_id(2), &err), 0);
	rig_layer(&small, 2, 1, "f b 1\n");
	/* EROFS cannot be mounted from a file of a tmpfs */
	small.no_mount = small.keeps_tars;
	rig_expect(&small, 2, "f a 1\nf b 1\n");
	rig_close(&small);
	assert_return_code(umount2(path, 0), errno);
}

struct work {
	pthread_t thread;
	struct rig rig;
	unsigned number;
};

static void *write_layers(void *arg)
{
	struct work *work = arg;
	struct nacre_error err;
	char name[32];
	snprintf(name, sizeof name, "stage-%u", work->number);
	for (unsigned i = 0; i < 10; i++) {
		char members[200], id[NC_HEX_ID], parent[NC_HEX_ID];
		snprintf(id, sizeof id, "%064x", work->number * 100 + i);
		snprintf(parent, sizeof parent, "%064x", i ? work->number * 100 + i - 1 : 1);
		snprintf(members, sizeof members, "f d/%u-%u x\nf d/.wh.%u-%u\nf big/%u/file y\n", work->number, i,
			 work->number, i - 1, i);
		int stage;
		uint64_t size;
		if (nc_dir_ensure(rig.root, name, &stage, &err) < 0 ||
		    rig.driver->ops->begin(rig.driver, id, parent, stage, NULL, &work->rig.tree, &err) < 0 ||
		    rig_put(&work->rig, members, &err) < 0 || nc_tree_seal(&work->rig.tree, &size, &err) < 0)
			return work;
		close(stage);
	}
	return NULL;
}

void several_at_once(void **state)
{
	static struct work works[4];
	rig_layer(&rig, 1, 0, "d d\nf d/base x\n");
	for (unsigned i = 0; i < 4; i++) {
		works[i].number = i + 2;
		assert_int_equal(pthread_create(&works[i].thread, NULL, write_layers, &works[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		void *failed;
		pthread_join(works[i].thread, &failed);
		assert_null(failed);
	}
	rig_expect(
		&rig, 309,
		"d big\nd big/0\nf big/0/file y\nd big/1\nf big/1/file y\nd big/2\nf big/2/file y\nd big/3\nf "
		"big/3/file y\n"
		"d big/4\nf big/4/file y\nd big/5\nf big/5/file y\nd big/6\nf big/6/file y\nd big/7\nf big/7/file y\n"
		"d big/8\nf big/8/file y\nd big/9\nf big/9/file y\nd d\nf d/3-9 x\nf d/base x\n");
}

/* --- a parent that is written at the same time ------------------------------------------------------------------ */

static struct rig below;
static bool sealed;

static void begin_below(unsigned number)
{
	struct nacre_error err;
	static const char members[] = "d . [711 5:6 7]\nd a [700 3:4 50]\nf a/one 1\nf a/two 2\nd b\nf b/x x\nl s a\n";
	below = rig;
	sealed = false;
	assert_done(nc_dir_ensure(rig.root, "below", &below.stage, &err));
	assert_done(rig.driver->ops->begin(rig.driver, rig_id(number), NULL, below.stage, NULL, &below.tree, &err));
	assert_done(rig_put(&below, members, &err));
}

static void end_below(void)
{
	struct nacre_error err;
	nc_tree_abort(NC_GIVE(below.tree));
	nc_fd_release(&below.stage);
	assert_done(nc_tree_remove(rig.root, "below", &err));
}

/* Nothing waits here: who has to know the parent has it sealed. */
static int seal_below(void *ctx, struct nacre_error *err)
{
	uint64_t size;
	if (sealed)
		return 0;
	sealed = true;
	return nc_tree_seal(&below.tree, &size, err);
}

static int lose_below(void *ctx, struct nacre_error *err)
{
	return nc_fail(err, NACRE_E_CANCELLED, 0, "it did not come");
}

static void begin_above(unsigned number, unsigned parent, int (*ready)(void *ctx, struct nacre_error *err))
{
	struct nacre_error err;
	struct nc_tree_hooks hooks = { .parent_ready = ready };
	rig.number = number;
	assert_done(nc_dir_ensure(rig.root, "stage", &rig.stage, &err));
	assert_done(rig.driver->ops->begin(rig.driver, rig_id(number), rig_id(parent), rig.stage, &hooks, &rig.tree, &err));
}

/* What a layer says, whether it may have to know the parent to say it, and the tree of both; NULL: it is refused. */
static const struct {
	const char *members;
	bool may_ask;
	const char *tree;
} above[] = {
	{ "d .\nd a\nf a/one 11\nl t a\nh a/link a/one\nf t/three 3\np p\n", false,
	  "d .\nd a\nf a/link 11\nh a/one a/link\nf a/three 3\nf a/two 2\nd b\nf b/x x\np p\nl s a\nl t a\n" },
	/* marks wait, and hide what the parents have and nothing else */
	{ "d a\nf a/.wh.one\nf a/.wh.none\nf a/.wh.three\nf a/three 3\nd b\nf b/.wh..wh..opq\nf b/y y\nf .wh.s\nd s\nf s/z z\n"
	  "d new\nf new/.wh.x\n", false,
	  "d . [711 5:6 7]\nd a\nf a/three 3\nf a/two 2\nd b\nf b/y y\nd new\nd s\nf s/z z\n" },
	/* a directory that gives way takes its marks along */
	{ "d a\nf a/.wh.one\nf a x\nd a\nf a/n n\nd b\nf b/.wh.x\nl b a\n", false,
	  "d . [711 5:6 7]\nd a\nf a/n n\nl b a\nl s a\n" },
	/* one that is to be hidden shows nothing of the parents, however it comes */
	{ "f .wh.a\nd a\nf a/n n\nf a/.wh.one\n", false, "d . [711 5:6 7]\nd a\nf a/n n\nd b\nf b/x x\nl s a\n" },
	{ "f .wh.a\nf a/n n\n", true, "d . [711 5:6 7]\nd a\nf a/n n\nd b\nf b/x x\nl s a\n" },
	{ "d b\nf b/.wh..wh..opq\nf .wh.a\nh b/link b/x\n", true, NULL },
	{ "d a\nf a/.wh.one\nh z a/one\n", true, NULL },
	{ "d a\nf a/.wh.one\nh z a/two\n", true,
	  "d . [711 5:6 7]\nd a\nf a/two 2\nd b\nf b/x x\nl s a\nh z a/two\n" },
	{ "f a/three 3\n", true,
	  "d . [711 5:6 7]\nd a [700 3:4 50]\nf a/one 1\nf a/three 3\nf a/two 2\nd b\nf b/x x\nl s a\n" },
	{ "f a/.wh.two\n", true, "d . [711 5:6 7]\nd a [700 3:4 50]\nf a/one 1\nd b\nf b/x x\nl s a\n" },
	{ "d .\nf a\nf .wh.b\nf .wh..wh..opq\nf c/d 1\nf c/.wh.b\n", false, "d .\nf a\nd c\nf c/d 1\n" },
};

void a_parent_that_is_being_written(void **state)
{
	struct nacre_error err;
	for (unsigned i = 0; rig.driver->ops->patient && i < sizeof above / sizeof *above; i++) {
		unsigned parent = 2 * i + 1, number = 2 * i + 2;
		begin_below(parent);
		begin_above(number, parent, seal_below);
		int code = rig_put(&rig, above[i].members, &err);
		if (sealed && !above[i].may_ask)
			fail_msg("'%s' asked for the parent", above[i].members);
		if (above[i].tree) {
			assert_done(code);
			rig_seal(&rig);
			assert_done(seal_below(NULL, &err));
			rig_expect(&rig, number, above[i].tree);
		} else {
			assert_int_equal(code, NACRE_E_BADDATA);
			rig_abort(&rig);
		}
		end_below();
	}
}

/* Who needs it fails with it, and nothing of either stays. */
void a_parent_that_fails(void **state)
{
	struct nacre_error err;
	static const char *const needs[] = { "h z a/one", "f a/three 3", "f a/.wh.one" };
	for (unsigned i = 0; rig.driver->ops->patient && i <= sizeof needs / sizeof *needs; i++) {
		begin_below(1);
		begin_above(2, 1, lose_below);
		assert_done(rig_put(&rig, "d b\nf b/.wh.x\nf f 1\n", &err));
		int code = i < 3 ? rig_put(&rig, needs[i], &err) : nc_tree_seal(&rig.tree, &rig.size, &err);
		assert_int_equal(code, NACRE_E_CANCELLED);
		assert_non_null(strstr(err.msg, "it did not come"));
		rig_abort(&rig);
		end_below();
		assert_int_equal(rig.driver->ops->has(rig.driver, rig_id(1), &err), 0);
		assert_int_equal(rig.driver->ops->has(rig.driver, rig_id(2), &err), 0);
	}
}
