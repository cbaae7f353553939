/* The aufs driver of 2015, for reading and removing only: no kernel of today has aufs. On disk:
 *
 *	aufs/diff/<id>/		the layer's own tree, with aufs's marks as files; ".wh..wh.*" in its root is aufs's own
 *	aufs/layers/<id>	the IDs of all its ancestors, nearest first, one a line; empty for a base layer
 *	aufs/mnt/<id>/		where it was mounted
 *
 * Files that are linked have one inode in their diff, so the names in .wh..wh.plnk need not be asked. */
#include "driver/drivers.h"

#include "base/buf.h"
#include "io/fd.h"
#include "io/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file of ancestors. */
#define LAYERS_MAX (1u << 20)

struct aufs {
	struct nc_driver base;
	int home, layers;
	int mnt;		/* -1: there is none */
};

static int aufs_probe(int root, struct nacre_error *err)
{
	struct stat st;
	if (fstatat(root, "aufs/diff", &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "aufs driver: it only reads what is there, and nothing is");
	return 0;
}

static void aufs_close(struct nc_driver *driver)
{
	struct aufs *self = (struct aufs *)driver;
	nc_fd_release(&self->home);
	nc_fd_release(&self->layers);
	nc_fd_release(&self->mnt);
	free(self);
}

static int aufs_open(int root, const char *path, bool readonly, struct nc_driver **ret, struct nacre_error *err)
{
	struct aufs *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	NC_CLEANUP(nc_driver_auto) struct nc_driver *guard = &self->base;
	self->base.ops = &nc_aufs_driver;
	self->home = self->layers = self->mnt = -1;
	NC_AUTO_FD int aufs = -1;
	int code = nc_dir_open(root, "aufs", &aufs, err);
	if (code >= 0)
		code = nc_dir_open(aufs, "diff", &self->home, err);
	if (code >= 0)
		code = nc_dir_open(aufs, "layers", &self->layers, err);
	if (code < 0)
		return nc_wrap(err, code, "aufs driver");
	self->mnt = openat(aufs, "mnt", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	*ret = NC_GIVE(guard);
	return 0;
}

static int aufs_has(struct nc_driver *driver, const char *id, struct nacre_error *err)
{
	return nc_home_has(((struct aufs *)driver)->home, id, err);
}

static int aufs_each(struct nc_driver *driver, int (*fn)(void *ctx, const char *id, struct nacre_error *err),
		     void *ctx, struct nacre_error *err)
{
	return nc_home_each(((struct aufs *)driver)->home, fn, ctx, err);
}

static int aufs_remove(struct nc_driver *driver, const char *id, int trash, struct nacre_error *err)
{
	struct aufs *self = (struct aufs *)driver;
	int code = nc_home_remove(self->home, id, trash, err);
	if (code < 0)
		return code;
	struct stat st;
	if (fstatat(self->home, id, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;	/* a container's: it stays, and its ancestors are still asked for */
	if (unlinkat(self->layers, id, 0) < 0 && errno != ENOENT)
		return nc_fail(err, NACRE_E_IO, errno, "remove the list of layers below %s", id);
	/* what is mounted or not empty there is not ours */
	if (self->mnt >= 0)
		unlinkat(self->mnt, id, AT_REMOVEDIR);
	return 0;
}

static int aufs_content(struct nc_driver *driver, const char *id, const char *name, size_t name_len,
			struct nc_reader **ret, uint64_t *ret_size, struct nacre_error *err)
{
	return nc_home_content(((struct aufs *)driver)->home, id, name, name_len, ret, ret_size, err);
}

/* --- the merged tree -------------------------------------------------------------------------------------------- */

struct chain {
	const char **trees;		/* borrowed */
	size_t count, cap;
};

static void chain_release(struct chain *chain)
{
	free(chain->trees);
}

static int chain_add(struct chain *chain, const char *id, struct nacre_error *err)
{
	const char **more = nc_grown(chain->trees, chain->count, &chain->cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	chain->trees = more;
	chain->trees[chain->count++] = id;
	return 0;
}

/* 1 when nothing below this tree shows. */
static int hides_all(const struct aufs *self, const char *id, struct nacre_error *err)
{
	NC_AUTO_FD int dir = -1;
	int code = nc_dir_open(self->home, id, &dir, err);
	if (code == NACRE_E_NOTFOUND)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "there is no tree of layer %s", id);
	return code < 0 ? code : nc_is_opaque(dir, NULL);
}

/* text holds the IDs of the ancestors of id, and is cut up. */
static int chain_read(const struct aufs *self, const char *id, char *text, struct chain *chain,
		      struct nacre_error *err)
{
	char *rest = NULL;
	int code = chain_add(chain, id, err);
	for (char *line = strtok_r(text, "\n", &rest); code == 0 && line; line = strtok_r(NULL, "\n", &rest)) {
		if (!nc_is_tree_id(line))
			return nc_fail(err, NACRE_E_CORRUPT, 0, "the list of layers below %s has '%.80s'", id, line);
		code = hides_all(self, chain->trees[chain->count - 1], err);
		if (code == 0)
			code = chain_add(chain, line, err);
	}
	return code < 0 ? code : 0;
}

static int aufs_view(struct nc_driver *driver, const char *id, struct nc_view **ret, struct nacre_error *err)
{
	struct aufs *self = (struct aufs *)driver;
	NC_CLEANUP(chain_release) struct chain chain = { .count = 0 };
	NC_AUTO_FREE char *text = NULL;
	int code = nc_home_has(self->home, id, err);
	if (code == 0)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "there is no tree of layer %s", id);
	if (code > 0)
		code = nc_file_read(self->layers, id, LAYERS_MAX, &text, NULL, err);
	if (code == NACRE_E_NOTFOUND)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "there is no list of layers below %s", id);
	if (code >= 0)
		code = chain_read(self, id, text, &chain, err);
	struct nc_stack *stack;
	if (code >= 0)
		code = nc_stack_new(self->home, chain.trees, chain.count, NULL, &stack, err);
	return code < 0 ? code : nc_view_of_stack(stack, ret, err);
}

static int aufs_usage(struct nc_driver *driver, const char *id, uint64_t *ret, struct nacre_error *err)
{
	return nc_home_usage(((struct aufs *)driver)->home, id, NULL, ret, err);
}

static int aufs_where(struct nc_driver *driver, const char *id, struct nc_buf *ret, struct nacre_error *err)
{
	return nc_buf_addf(ret, err, "aufs/diff/%s", id);
}

/* --- what it does not do ---------------------------------------------------------------------------------------- */

static int aufs_mount(struct nc_driver *driver, const char *id, int target, struct nacre_error *err)
{
	return nc_fail(err, NACRE_E_UNSUPPORTED, 0,
		       "aufs trees cannot be mounted here: run 'nacre migrate --driver overlay' first");
}

static int aufs_begin(struct nc_driver *driver, const char *id, const char *parent, int stage,
		      const struct nc_tree_hooks *hooks, struct nc_tree **ret, struct nacre_error *err)
{
	return nc_fail(err, NACRE_E_UNSUPPORTED, 0,
		       "aufs trees can only be read: run 'nacre migrate --driver overlay' first");
}

const struct nc_driver_ops nc_aufs_driver = {
	.name = "aufs",
	.probe = aufs_probe,
	.open = aufs_open,
	.close = aufs_close,
	.begin = aufs_begin,
	.has = aufs_has,
	.remove = aufs_remove,
	.each = aufs_each,
	.content = aufs_content,
	.view = aufs_view,
	.mount = aufs_mount,
	.where = aufs_where,
	.usage = aufs_usage,
};
