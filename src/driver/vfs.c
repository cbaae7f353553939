/* The vfs driver: vfs/dir/<id>/ is the whole tree of a layer and its parents. A layer is unpacked into a tree of
 * its own; when it is sealed, the rest of the parent's tree is copied into that, by reflink where the file
 * system can. */
#include "driver/vfs.h"

#include "driver/drivers.h"
#include "driver/unpack.h"
#include "io/fd.h"
#include "io/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define TREE "tree"

struct vfs {
	struct nc_driver base;
	int home;
};

struct vfs_tree {
	struct nc_tree base;
	struct vfs *driver;
	struct nc_tree_hooks hooks;
	char id[NC_HEX_ID], parent_id[NC_HEX_ID];
	int stage, tree;
	int parent;			/* -1: not yet looked at */
	struct nc_stack *parents;	/* NULL likewise */
	struct nc_unpack *unpack;
};

/* --- the driver ------------------------------------------------------------------------------------------------- */

static int vfs_probe(int root, struct nacre_error *err)
{
	return 0;
}

static void vfs_close(struct nc_driver *driver)
{
	struct vfs *self = (struct vfs *)driver;
	nc_fd_release(&self->home);
	free(self);
}

static int vfs_open(int root, const char *path, bool readonly, struct nc_driver **ret, struct nacre_error *err)
{
	struct vfs *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	NC_CLEANUP(nc_driver_auto) struct nc_driver *guard = &self->base;
	self->base.ops = &nc_vfs_driver;
	self->home = -1;
	NC_AUTO_FD int vfs = -1;
	int code = readonly ? nc_dir_open(root, "vfs", &vfs, err) : nc_dir_ensure(root, "vfs", &vfs, err);
	if (code >= 0)
		code = readonly ? nc_dir_open(vfs, "dir", &self->home, err)
				: nc_dir_ensure(vfs, "dir", &self->home, err);
	if (code < 0)
		return nc_wrap(err, code, "vfs driver");
	*ret = NC_GIVE(guard);
	return 0;
}

static int vfs_has(struct nc_driver *driver, const char *id, struct nacre_error *err)
{
	return nc_home_has(((struct vfs *)driver)->home, id, err);
}

static int vfs_remove(struct nc_driver *driver, const char *id, int trash, struct nacre_error *err)
{
	return nc_home_remove(((struct vfs *)driver)->home, id, trash, err);
}

static int vfs_each(struct nc_driver *driver, int (*fn)(void *ctx, const char *id, struct nacre_error *err),
		    void *ctx, struct nacre_error *err)
{
	return nc_home_each(((struct vfs *)driver)->home, fn, ctx, err);
}

static int vfs_content(struct nc_driver *driver, const char *id, const char *name, size_t name_len,
		       struct nc_reader **ret, uint64_t *ret_size, struct nacre_error *err)
{
	return nc_home_content(((struct vfs *)driver)->home, id, name, name_len, ret, ret_size, err);
}

static int vfs_view(struct nc_driver *driver, const char *id, struct nc_view **ret, struct nacre_error *err)
{
	return nc_home_view(((struct vfs *)driver)->home, id, ret, err);
}

static int vfs_mount(struct nc_driver *driver, const char *id, int target, struct nacre_error *err)
{
	return nc_home_mount(((struct vfs *)driver)->home, id, target, err);
}

static int vfs_usage(struct nc_driver *driver, const char *id, uint64_t *ret, struct nacre_error *err)
{
	return nc_home_usage(((struct vfs *)driver)->home, id, NULL, ret, err);
}

/* --- writing a layer -------------------------------------------------------------------------------------------- */

static void tree_free(struct vfs_tree *self)
{
	if (!self)
		return;
	nc_unpack_free(self->unpack);
	nc_stack_free(self->parents);
	nc_fd_release(&self->tree);
	nc_fd_release(&self->parent);
	free(self);
}
NC_DEFINE_CLEANUP(tree_auto, struct vfs_tree *, tree_free)

static void vfs_tree_abort(struct nc_tree *tree)
{
	struct vfs_tree *self = (struct vfs_tree *)tree;
	int stage = self->stage;
	tree_free(self);
	/* what cannot be removed now goes with the stage */
	nc_tree_remove(stage, TREE, NULL);
	nc_tree_remove(stage, "plnk", NULL);
	nc_tree_remove(stage, "links", NULL);
}

static int vfs_tree_entry(struct nc_tree *tree, const struct nc_entry *entry, struct nacre_error *err)
{
	return nc_unpack_entry(((struct vfs_tree *)tree)->unpack, entry, err);
}

static int vfs_tree_data(struct nc_tree *tree, const void *bytes, size_t len, uint64_t at, struct nacre_error *err)
{
	return nc_unpack_data(((struct vfs_tree *)tree)->unpack, bytes, len, at, err);
}

/* The parent's tree, once it is sealed. */
static int look_below(void *ctx, struct nc_stack **ret, struct nacre_error *err)
{
	struct vfs_tree *self = ctx;
	int home = self->driver->home;
	int code = self->parents ? 0 : nc_parent_ready(&self->hooks, err);
	if (code >= 0 && !self->parents)
		code = nc_home_stack(home, self->parent_id, &self->parents, err);
	if (code >= 0 && self->parent < 0)
		code = nc_dir_open(home, self->parent_id, &self->parent, err);
	*ret = self->parents;
	return code < 0 ? nc_wrap(err, code, "parent of layer %s", self->id) : 0;
}

static int merge(struct vfs_tree *self, bool marks, struct nacre_error *err)
{
	struct nc_stack *parents;
	int code = look_below(self, &parents, err);
	return code < 0 ? code : nc_vfs_merge(self->parent, self->tree, self->stage, marks, err);
}

static int vfs_tree_seal(struct nc_tree *tree, uint64_t *ret_size, struct nacre_error *err)
{
	struct vfs_tree *self = (struct vfs_tree *)tree;
	struct nc_unpack_result result;
	int code = nc_unpack_finish(self->unpack, &result, err);
	if (code >= 0 && *self->parent_id && !result.root_opaque)
		code = merge(self, result.marks, err);
	else if (code >= 0 && result.marks)
		code = nc_marks_remove(self->tree, "", true, err);
	if (code >= 0)
		code = nc_home_adopt(self->driver->home, self->id, self->stage, TREE, err);
	if (code < 0) {
		vfs_tree_abort(tree);
		return code;
	}
	tree_free(self);
	*ret_size = result.size;
	return 0;
}

static const struct nc_tree_ops tree_ops = {
	.entry = vfs_tree_entry, .data = vfs_tree_data, .seal = vfs_tree_seal, .abort = vfs_tree_abort,
};

static int vfs_begin(struct nc_driver *driver, const char *id, const char *parent, int stage,
		     const struct nc_tree_hooks *hooks, struct nc_tree **ret, struct nacre_error *err)
{
	struct vfs_tree *made = nc_zalloc(sizeof *made);
	if (!made)
		return nc_nomem(err);
	NC_CLEANUP(tree_auto) struct vfs_tree *self = made;
	self->base.ops = &tree_ops;
	self->driver = (struct vfs *)driver;
	self->stage = stage;
	self->tree = self->parent = -1;
	snprintf(self->id, sizeof self->id, "%s", id);
	snprintf(self->parent_id, sizeof self->parent_id, "%s", parent ? parent : "");
	self->hooks = hooks ? *hooks : (struct nc_tree_hooks){ .parent_ready = NULL };
	struct nc_stack *parents;
	int code = parent && !self->hooks.parent_ready ? look_below(self, &parents, err) : 0;
	if (code >= 0)
		code = nc_dir_ensure(stage, TREE, &self->tree, err);
	if (code < 0)
		return code;
	struct nc_unpack_options options = {
		.stage = stage, .root = self->tree, .below = parent ? look_below : NULL, .below_ctx = self,
		.displaced = &self->hooks.displaced,
	};
	code = nc_unpack_new(&options, &self->unpack, err);
	if (code < 0)
		return code;
	*ret = &NC_GIVE(self)->base;
	return 0;
}

static int vfs_where(struct nc_driver *driver, const char *id, struct nc_buf *ret, struct nacre_error *err)
{
	return nc_buf_addf(ret, err, "vfs/dir/%s", id);
}

/* --- trees that can be written ---------------------------------------------------------------------------------- */

static int vfs_writable_make(struct nc_driver *driver, const char *parent, int dir, struct nacre_error *err)
{
	struct vfs *self = (struct vfs *)driver;
	NC_CLEANUP(nc_stack_auto) struct nc_stack *parents = NULL;
	NC_AUTO_FD int tree = -1;
	NC_AUTO_FD int below = -1;
	int code = nc_dir_ensure(dir, TREE, &tree, err);
	if (code >= 0 && parent)
		code = nc_home_stack(self->home, parent, &parents, err);
	if (code >= 0 && parent)
		code = nc_dir_open(self->home, parent, &below, err);
	if (code >= 0)
		code = nc_root_dress(tree, parents, err);
	return code < 0 || !parent ? code : nc_vfs_merge(below, tree, dir, false, err);
}

static int vfs_writable_view(struct nc_driver *driver, const char *parent, int dir, struct nc_view **ret,
			     struct nacre_error *err)
{
	return nc_home_writable_view(((struct vfs *)driver)->home, dir, TREE, ret, err);
}

static int vfs_writable_mount(struct nc_driver *driver, const char *parent, int dir, int target,
			      struct nacre_error *err)
{
	return nc_home_writable_mount(dir, TREE, target, err);
}

static int vfs_exchange(struct nc_driver *driver, const char *from, const char *id, struct nacre_error *err)
{
	return nc_home_exchange(((struct vfs *)driver)->home, from, id, err);
}

const struct nc_driver_ops nc_vfs_driver = {
	.name = "vfs",
	.probe = vfs_probe,
	.open = vfs_open,
	.close = vfs_close,
	.begin = vfs_begin,
	.patient = true,
	.has = vfs_has,
	.remove = vfs_remove,
	.each = vfs_each,
	.content = vfs_content,
	.view = vfs_view,
	.mount = vfs_mount,
	.where = vfs_where,
	.usage = vfs_usage,
	.exchange = vfs_exchange,
	.writable_make = vfs_writable_make,
	.writable_view = vfs_writable_view,
	.writable_mount = vfs_writable_mount,
};
