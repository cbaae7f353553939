/* The btrfs driver: btrfs/subvolumes/<id>/ is a subvolume with the whole tree of a layer and its parents, as the
 * driver of 2015 had it.
 *
 * A layer begins as a branch (a writable snapshot) of its parent's subvolume. Nothing can be moved or linked from one
 * subvolume to another, so the layer is unpacked into a private directory inside that branch, and when it is sealed
 * laid over the rest of it. Subvolumes stay writable, so that "rm -r" can remove a store. */
#include "driver/btrfs.h"

#include "driver/drivers.h"
#include "driver/unpack.h"
#include "io/fd.h"
#include "io/path.h"
#include "io/subvolume.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#define BRANCH "branch"
#define TREE "tree"

struct btrfs {
	struct nc_driver base;
	int home;
};

struct btrfs_tree {
	struct nc_tree base;
	struct btrfs *driver;
	char id[NC_HEX_ID];
	char own_name[40];
	int stage;
	int branch, own, tree;	/* the subvolume; the private directory in it; the layer's tree in that */
	struct nc_stack *parents;
	struct nc_unpack *unpack;
};

/* --- the driver ------------------------------------------------------------------------------------------------- */

/* A subvolume with a directory, and a branch of it. */
static int try_branch(int root, const char *name, struct nacre_error *err)
{
	NC_AUTO_FD int dir = -1, trunk = -1;
	int sys = 0;
	int code = nc_dir_ensure(root, name, &dir, err);
	if (code >= 0)
		sys = nc_subvolume_create(dir, "trunk", -1);
	if (code >= 0 && sys == 0)
		code = nc_dir_open(dir, "trunk", &trunk, err);
	if (code >= 0 && sys == 0)
		sys = nc_subvolume_create(dir, "branch", trunk);
	if (code < 0 || sys)
		return nc_fail(err, NACRE_E_UNSUPPORTED, sys, "subvolumes cannot be made here");
	return 0;
}

static int btrfs_probe(int root, struct nacre_error *err)
{
	struct statfs fs;
	char name[33];
	if (fstatfs(root, &fs) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "ask for the file system");
	if ((uint32_t)fs.f_type != BTRFS_SUPER_MAGIC)
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "btrfs driver: this is another file system");
	int code = nc_random_hex(name, 32, err);
	if (code < 0)
		return code;
	code = try_branch(root, name, err);
	if (code < 0)
		code = nc_wrap(err, code, "btrfs driver");
	int removed = nc_tree_remove(root, name, code < 0 ? NULL : err);
	return code < 0 ? code : removed;
}

static void btrfs_close(struct nc_driver *driver)
{
	struct btrfs *self = (struct btrfs *)driver;
	nc_fd_release(&self->home);
	free(self);
}

static int btrfs_open(int root, const char *path, bool readonly, struct nc_driver **ret, struct nacre_error *err)
{
	struct btrfs *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	NC_CLEANUP(nc_driver_auto) struct nc_driver *guard = &self->base;
	self->base.ops = &nc_btrfs_driver;
	self->home = -1;
	NC_AUTO_FD int btrfs = -1;
	int code = readonly ? nc_dir_open(root, "btrfs", &btrfs, err) : nc_dir_ensure(root, "btrfs", &btrfs, err);
	if (code >= 0)
		code = readonly ? nc_dir_open(btrfs, "subvolumes", &self->home, err)
				: nc_dir_ensure(btrfs, "subvolumes", &self->home, err);
	if (code < 0)
		return nc_wrap(err, code, "btrfs driver");
	*ret = NC_GIVE(guard);
	return 0;
}

static int btrfs_has(struct nc_driver *driver, const char *id, struct nacre_error *err)
{
	return nc_home_has(((struct btrfs *)driver)->home, id, err);
}

static int btrfs_remove(struct nc_driver *driver, const char *id, int trash, struct nacre_error *err)
{
	return nc_home_remove(((struct btrfs *)driver)->home, id, trash, err);
}

static int btrfs_each(struct nc_driver *driver, int (*fn)(void *ctx, const char *id, struct nacre_error *err),
		      void *ctx, struct nacre_error *err)
{
	return nc_home_each(((struct btrfs *)driver)->home, fn, ctx, err);
}

static int btrfs_content(struct nc_driver *driver, const char *id, const char *name, size_t name_len,
			 struct nc_reader **ret, uint64_t *ret_size, struct nacre_error *err)
{
	return nc_home_content(((struct btrfs *)driver)->home, id, name, name_len, ret, ret_size, err);
}

static int btrfs_view(struct nc_driver *driver, const char *id, struct nc_view **ret, struct nacre_error *err)
{
	return nc_home_view(((struct btrfs *)driver)->home, id, ret, err);
}

static int btrfs_mount(struct nc_driver *driver, const char *id, int target, struct nacre_error *err)
{
	return nc_home_mount(((struct btrfs *)driver)->home, id, target, err);
}

/* What was written since the subvolume was branched off. Files keep their time of change through that, and nobody can
 * set it; to know which blocks nobody else has would take quota groups. */
static int btrfs_usage(struct nc_driver *driver, const char *id, uint64_t *ret, struct nacre_error *err)
{
	struct btrfs *self = (struct btrfs *)driver;
	struct timespec since = { 0 };
	NC_AUTO_FD int tree = -1;
	int code = nc_dir_open(self->home, id, &tree, err);
	if (code < 0)
		return code;
	/* where the kernel does not say, or it is no subvolume, all of it counts */
	if (nc_subvolume_branched(tree, &since) != 0)
		since = (struct timespec){ 0 };
	return nc_home_usage(self->home, id, &since, ret, err);
}

static int btrfs_where(struct nc_driver *driver, const char *id, struct nc_buf *ret, struct nacre_error *err)
{
	return nc_buf_addf(ret, err, "btrfs/subvolumes/%s", id);
}

/* A subvolume name in dir, branched off from the tree of parent when there is one. */
static int make_branch(const struct btrfs *self, const char *parent, int dir, const char *name,
		       struct nacre_error *err)
{
	NC_AUTO_FD int trunk = -1;
	int code = parent ? nc_dir_open(self->home, parent, &trunk, err) : 0;
	if (code >= 0 && parent && !nc_subvolume_is(self->home, parent))
		code = nc_fail(err, NACRE_E_UNSUPPORTED, 0, "the tree of layer %s is no subvolume", parent);
	if (code < 0)
		return code;
	int sys = nc_subvolume_create(dir, name, trunk);
	return sys ? nc_fail(err, NACRE_E_IO, sys, "make a subvolume") : 0;
}

/* --- writing a layer -------------------------------------------------------------------------------------------- */

static void tree_free(struct btrfs_tree *self)
{
	if (!self)
		return;
	nc_unpack_free(self->unpack);
	nc_stack_free(self->parents);
	nc_fd_release(&self->tree);
	nc_fd_release(&self->own);
	nc_fd_release(&self->branch);
	free(self);
}
NC_DEFINE_CLEANUP(tree_auto, struct btrfs_tree *, tree_free)

static void btrfs_tree_abort(struct nc_tree *tree)
{
	struct btrfs_tree *self = (struct btrfs_tree *)tree;
	int stage = self->stage;
	tree_free(self);
	/* what cannot be removed now goes with the stage */
	nc_tree_remove(stage, BRANCH, NULL);
}

static int btrfs_tree_entry(struct nc_tree *tree, const struct nc_entry *entry, struct nacre_error *err)
{
	return nc_unpack_entry(((struct btrfs_tree *)tree)->unpack, entry, err);
}

static int btrfs_tree_data(struct nc_tree *tree, const void *bytes, size_t len, uint64_t at, struct nacre_error *err)
{
	return nc_unpack_data(((struct btrfs_tree *)tree)->unpack, bytes, len, at, err);
}

static int btrfs_tree_seal(struct nc_tree *tree, uint64_t *ret_size, struct nacre_error *err)
{
	struct btrfs_tree *self = (struct btrfs_tree *)tree;
	struct nc_unpack_result result;
	int code = nc_unpack_finish(self->unpack, &result, err);
	if (code >= 0) {
		struct nc_lay lay = {
			.to = self->branch, .own = self->own_name, .tree = TREE,
			.marks = result.marks, .alone = result.root_opaque,
		};
		code = nc_btrfs_lay(&lay, err);
	}
	if (code >= 0)
		code = nc_home_adopt(self->driver->home, self->id, self->stage, BRANCH, err);
	if (code < 0) {
		btrfs_tree_abort(tree);
		return code;
	}
	tree_free(self);
	*ret_size = result.size;
	return 0;
}

static const struct nc_tree_ops tree_ops = {
	.entry = btrfs_tree_entry, .data = btrfs_tree_data, .seal = btrfs_tree_seal, .abort = btrfs_tree_abort,
};

/* Make the subvolume in the stage, and the private directory in it. */
static int branch_off(struct btrfs_tree *self, const char *parent, struct nacre_error *err)
{
	int code = make_branch(self->driver, parent, self->stage, BRANCH, err);
	if (code < 0)
		return nc_wrap(err, code, "layer %s", self->id);
	snprintf(self->own_name, sizeof self->own_name, ".nacre-");
	code = nc_random_hex(self->own_name + strlen(self->own_name), 32, err);
	if (code >= 0)
		code = nc_dir_open(self->stage, BRANCH, &self->branch, err);
	if (code >= 0)
		code = nc_dir_ensure(self->branch, self->own_name, &self->own, err);
	if (code >= 0)
		code = nc_dir_ensure(self->own, TREE, &self->tree, err);
	return code;
}

static int btrfs_begin(struct nc_driver *driver, const char *id, const char *parent, int stage,
		       const struct nc_tree_hooks *hooks, struct nc_tree **ret, struct nacre_error *err)
{
	struct btrfs_tree *made = nc_zalloc(sizeof *made);
	if (!made)
		return nc_nomem(err);
	NC_CLEANUP(tree_auto) struct btrfs_tree *self = made;
	self->base.ops = &tree_ops;
	self->driver = (struct btrfs *)driver;
	self->stage = stage;
	self->branch = self->own = self->tree = -1;
	snprintf(self->id, sizeof self->id, "%s", id);
	int code = parent ? nc_home_stack(self->driver->home, parent, &self->parents, err) : 0;
	if (code < 0)
		return nc_wrap(err, code, "parent of layer %s", id);
	code = branch_off(self, parent, err);
	if (code >= 0) {
		struct nc_unpack_options options = {
			.stage = self->own, .root = self->tree, .below = self->parents ? nc_unpack_lend : NULL,
			.below_ctx = self->parents, .displaced = hooks ? &hooks->displaced : NULL,
		};
		code = nc_unpack_new(&options, &self->unpack, err);
	}
	if (code < 0) {
		nc_tree_remove(stage, BRANCH, NULL);
		return code;
	}
	*ret = &NC_GIVE(self)->base;
	return 0;
}

/* --- trees that can be written ---------------------------------------------------------------------------------- */

static int btrfs_writable_make(struct nc_driver *driver, const char *parent, int dir, struct nacre_error *err)
{
	struct btrfs *self = (struct btrfs *)driver;
	NC_AUTO_FD int tree = -1;
	int code = make_branch(self, parent, dir, TREE, err);
	if (code < 0 || parent)
		return code;
	code = nc_dir_open(dir, TREE, &tree, err);
	return code < 0 ? code : nc_root_dress(tree, NULL, err);
}

static int btrfs_writable_view(struct nc_driver *driver, const char *parent, int dir, struct nc_view **ret,
			       struct nacre_error *err)
{
	return nc_home_writable_view(((struct btrfs *)driver)->home, dir, TREE, ret, err);
}

static int btrfs_writable_mount(struct nc_driver *driver, const char *parent, int dir, int target,
				struct nacre_error *err)
{
	return nc_home_writable_mount(dir, TREE, target, err);
}

static int btrfs_exchange(struct nc_driver *driver, const char *from, const char *id, struct nacre_error *err)
{
	return nc_home_exchange(((struct btrfs *)driver)->home, from, id, err);
}

const struct nc_driver_ops nc_btrfs_driver = {
	.name = "btrfs",
	.probe = btrfs_probe,
	.open = btrfs_open,
	.close = btrfs_close,
	.begin = btrfs_begin,
	.has = btrfs_has,
	.remove = btrfs_remove,
	.each = btrfs_each,
	.content = btrfs_content,
	.view = btrfs_view,
	.mount = btrfs_mount,
	.where = btrfs_where,
	.usage = btrfs_usage,
	.exchange = btrfs_exchange,
	.writable_make = btrfs_writable_make,
	.writable_view = btrfs_writable_view,
	.writable_mount = btrfs_writable_mount,
};
