/* The erofs driver: archives stay as they came, and an EROFS image beside each says where its files lie in it.
 *
 *	erofs/<id>/tar		the layer's archive
 *	erofs/<id>/index	its files: an image whose devices are archives. Content that does not begin on a block of the
 *				archive, and what sparse members hold, is in this file itself, before the inodes.
 *				Whiteouts and opaque directories are marked as overlayfs wants it.
 *	erofs/<id>/lower	IDs of the layers below, nearest first, one a line; none for a base layer
 *	erofs/<id>/merged	what is mounted: one image of the layer and all below it, without marks. Made when it is needed
 *				first, and for a base layer never
 *	erofs/empty/		below writable trees over nothing */
#include "driver/erofs.h"

#include "driver/erofs_format.h"
#include "driver/erofs_put.h"
#include "io/fd.h"
#include "io/forget.h"
#include "io/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOME "erofs"
#define TREE "tree"
/* Where an index may have content of its own: aligned, so that holes stay holes. */
#define DATA_ALIGN 4096u
#define INDEX_MAX ((uint64_t)1 << 40)

struct erofs {
	struct nc_driver base;
	struct nc_erofs_home home;
	char *path;			/* of home */
};

/* The file whose content comes. */
struct file {
	uint32_t node;			/* 0: nobody wants it */
	bool copied;			/* to the index */
	uint64_t expected, size, at, from;	/* at: in the file; from: where it begins in the index */
};

struct erofs_tree {
	struct nc_tree base;
	struct erofs *driver;
	char id[NC_HEX_ID];
	int stage, dir, index;
	struct nc_elower lower;
	struct nc_etree tree;
	struct nc_eput *put;
	struct nc_writer *tar;
	uint64_t tar_size;
	uint64_t data_end;		/* of content in the index; 0: there is none */
	struct file file;
};

/* --- the driver ------------------------------------------------------------------------------------------------- */

static void erofs_close(struct nc_driver *driver)
{
	struct erofs *self = (struct erofs *)driver;
	nc_fd_release(&self->home.dir);
	free(self->path);
	free(self);
}

static int erofs_open(int root, const char *path, bool readonly, struct nc_driver **ret, struct nacre_error *err)
{
	struct erofs *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	NC_CLEANUP(nc_driver_auto) struct nc_driver *guard = &self->base;
	self->base.ops = &nc_erofs_driver;
	self->home = (struct nc_erofs_home){ .dir = -1, .readonly = readonly };
	NC_AUTO_BUF struct nc_buf home = NC_BUF_INIT(1u << 16);
	NC_AUTO_FD int empty = -1;
	int code = nc_buf_addf(&home, err, "%s/" HOME, path);
	if (code < 0)
		return code;
	self->home.path = self->path = nc_buf_give(&home);
	if (!self->path)
		return nc_nomem(err);
	code = readonly ? nc_dir_open(root, HOME, &self->home.dir, err) : nc_dir_ensure(root, HOME, &self->home.dir, err);
	if (code == 0 && !readonly)
		code = nc_dir_ensure(self->home.dir, "empty", &empty, err);
	if (code < 0)
		return nc_wrap(err, code, "erofs driver");
	*ret = NC_GIVE(guard);
	return 0;
}

static int erofs_has(struct nc_driver *driver, const char *id, struct nacre_error *err)
{
	return nc_home_has(((struct erofs *)driver)->home.dir, id, err);
}

static void erofs_forget(struct nc_driver *driver, const char *id, struct nc_forgetting *forgetting)
{
	struct stat st;
	NC_AUTO_FD int layer = openat(((struct erofs *)driver)->home.dir, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	NC_AUTO_FD int tar = layer < 0 ? -1 : openat(layer, "tar", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (tar >= 0 && fstat(tar, &st) == 0 && st.st_size > 0)
		nc_forget(forgetting, tar, (uint64_t)st.st_size);
}

static int erofs_remove(struct nc_driver *driver, const char *id, int trash, struct nacre_error *err)
{
	return nc_home_remove(((struct erofs *)driver)->home.dir, id, trash, err);
}

static int erofs_each(struct nc_driver *driver, int (*fn)(void *ctx, const char *id, struct nacre_error *err),
		      void *ctx, struct nacre_error *err)
{
	return nc_home_each(((struct erofs *)driver)->home.dir, fn, ctx, err);
}

static int erofs_usage(struct nc_driver *driver, const char *id, uint64_t *ret, struct nacre_error *err)
{
	return nc_home_usage(((struct erofs *)driver)->home.dir, id, NULL, ret, err);
}

/* --- what comes out --------------------------------------------------------------------------------------------- */

static int erofs_tar(struct nc_driver *driver, const char *id, struct nc_reader **ret, uint64_t *ret_size,
		     struct nacre_error *err)
{
	char path[NC_HEX_ID + 8];
	struct stat st;
	snprintf(path, sizeof path, "%.64s/tar", id);
	NC_AUTO_FD int fd = openat(((struct erofs *)driver)->home.dir, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return nc_fail(err, errno == ENOENT ? NACRE_E_CORRUPT : NACRE_E_IO, errno, "open the tar of layer %s", id);
	*ret_size = (uint64_t)st.st_size;
	return nc_reader_fd(nc_fd_give(&fd), true, path, ret, err);
}

static int erofs_size(struct nc_driver *driver, const char *id, uint64_t *ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_erofs_close) struct nc_erofs image = { .meta = NULL };
	char path[NC_HEX_ID + 8];
	snprintf(path, sizeof path, "%.64s/index", id);
	NC_AUTO_FD int fd = openat(((struct erofs *)driver)->home.dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return nc_fail(err, errno == ENOENT ? NACRE_E_CORRUPT : NACRE_E_IO, errno, "open the index of layer %s", id);
	int code = nc_erofs_open(fd, id, &image, err);
	return code < 0 ? code : nc_erofs_content(&image, ret, err);
}

static int erofs_content(struct nc_driver *driver, const char *id, const char *name, size_t name_len,
			 struct nc_reader **ret, uint64_t *ret_size, struct nacre_error *err)
{
	NC_CLEANUP(nc_estack_auto) struct nc_estack *stack = NULL;
	NC_AUTO_FREE char *clean = nc_alloc(name_len + 1);
	struct nc_efound found;
	if (!clean)
		return nc_nomem(err);
	int code = nc_path_clean(name, name_len, clean, NULL, err);
	if (code == 0)
		code = nc_estack_new(((struct erofs *)driver)->home.dir, id, &stack, err);
	if (code == NACRE_E_NOTFOUND)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "there is no tree of layer %s", id);
	if (code == 0)
		code = nc_estack_find(stack, clean, strlen(clean), &found, err);
	if (code < 0)
		return code;
	if (code == 0 || found.layer || found.inode.node.type != NC_ENTRY_FILE)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "'%s' of the layer is no regular file", clean);
	*ret_size = found.inode.node.size;
	return nc_estack_content(stack, &found, ret, err);
}

static int erofs_view(struct nc_driver *driver, const char *id, struct nc_view **ret, struct nacre_error *err)
{
	struct nc_estack *stack;
	int code = nc_estack_new(((struct erofs *)driver)->home.dir, id, &stack, err);
	return code < 0 ? code : nc_erofs_view(stack, ret, err);
}

static int erofs_mount(struct nc_driver *driver, const char *id, int target, struct nacre_error *err)
{
	NC_AUTO_FD int mount = -1;
	int code = nc_erofs_mount(&((struct erofs *)driver)->home, id, &mount, err);
	return code < 0 ? code : nc_move_mount(mount, target, err);
}

/* --- trees that can be written ---------------------------------------------------------------------------------- */

/* The root of the upper directory looks as the parent's. */
static int dress_root(int dir, struct nc_estack *parents, struct nacre_error *err)
{
	NC_CLEANUP(nc_xattr_list_release) struct nc_xattr_list xattrs = { .items = NULL };
	struct nc_efound root;
	int code = nc_estack_find(parents, "", 0, &root, err);
	if (code >= 0)
		code = nc_einode_xattrs(&root.inode, &xattrs, err);
	if (code < 0)
		return code;
	const struct nc_enode *node = &root.inode.node;
	struct nc_attrs attrs = { .uid = node->uid, .gid = node->gid, .mode = node->mode, .mtime = { node->sec, node->nsec },
				  .xattrs = xattrs.items, .xattr_count = xattrs.count };
	return nc_attrs_set_fd(dir, &attrs, NC_ENTRY_DIR, 0, "/", err);
}

static int erofs_writable_make(struct nc_driver *driver, const char *parent, int dir, struct nacre_error *err)
{
	struct erofs *self = (struct erofs *)driver;
	NC_CLEANUP(nc_estack_auto) struct nc_estack *parents = NULL;
	NC_AUTO_FD int diff = -1;
	NC_AUTO_FD int work = -1;
	int code = parent ? nc_estack_new(self->home.dir, parent, &parents, err) : 0;
	if (code >= 0)
		code = nc_dir_ensure(dir, "diff", &diff, err);
	if (code >= 0)
		code = nc_dir_ensure(dir, "work", &work, err);
	if (code < 0)
		return code;
	return parents ? dress_root(diff, parents, err) : nc_root_dress(diff, NULL, err);
}

static int erofs_writable_view(struct nc_driver *driver, const char *parent, int dir, struct nc_view **ret,
			       struct nacre_error *err)
{
	NC_CLEANUP(nc_view_auto) struct nc_view *lower = NULL;
	int upper = -1;
	int code = parent ? erofs_view(driver, parent, &lower, err) : 0;
	if (code >= 0)
		code = nc_dir_open(dir, "diff", &upper, err);
	return code < 0 ? code : nc_erofs_writable_view(upper, NC_GIVE(lower), ret, err);
}

static int erofs_writable_mount(struct nc_driver *driver, const char *parent, int dir, int target,
				struct nacre_error *err)
{
	struct erofs *self = (struct erofs *)driver;
	NC_AUTO_FD int lower = -1;
	char path[64];
	char *trees[] = { parent ? (char[]){ "." } : (char[]){ "empty" } };
	int code = parent ? nc_erofs_mount(&self->home, parent, &lower, err) : 0;
	if (code < 0)
		return code;
	snprintf(path, sizeof path, "/proc/self/fd/%d", parent ? lower : self->home.dir);
	struct nc_overlay_mount what = { .home = parent ? lower : self->home.dir, .home_path = path, .trees = trees,
					 .count = 1, .flags = NC_OVERLAY_WRITABLE, .upper = dir };
	return nc_overlay_mount(&what, target, err);
}

/* --- writing a layer -------------------------------------------------------------------------------------------- */

static void tree_free(struct erofs_tree *self)
{
	if (!self)
		return;
	nc_eput_free(self->put);
	nc_elower_release(&self->lower);
	nc_etree_release(&self->tree);
	nc_writer_close(self->tar);
	nc_fd_release(&self->index);
	nc_fd_release(&self->dir);
	free(self);
}
NC_DEFINE_CLEANUP(tree_auto, struct erofs_tree *, tree_free)

static void erofs_tree_abort(struct nc_tree *tree)
{
	struct erofs_tree *self = (struct erofs_tree *)tree;
	int stage = self->stage;
	tree_free(self);
	/* what cannot be removed now goes with the stage */
	nc_tree_remove(stage, TREE, NULL);
}

static int finish_file(struct erofs_tree *self, struct nacre_error *err)
{
	if (self->file.expected)
		return nc_fail(err, NACRE_E_INVALID, 0, "content is incomplete");
	self->file = (struct file){ .node = 0 };
	return 0;
}

/* Content in the index begins behind room for a device for each archive and index that a hard link may lead into. */
static int begin_data(struct erofs_tree *self, struct nacre_error *err)
{
	struct nc_estack *below;
	if (self->data_end)
		return 0;
	int code = nc_elower_open(&self->lower, &below, err);
	if (code < 0)
		return code;
	size_t depth = below ? nc_estack_depth(below) : 0;
	self->data_end = (nc_erofs_head_size(2 * depth + 1) + DATA_ALIGN - 1) / DATA_ALIGN * DATA_ALIGN;
	return 0;
}

/* Say where the content of a file will be: in the archive, if it stands there in one run that begins on a block. */
static int place_file(struct erofs_tree *self, uint32_t number, const struct nc_entry *entry, struct nacre_error *err)
{
	struct nc_enode *node = &self->tree.nodes[number];
	struct file *file = &self->file;
	uint64_t block = self->tar_size / NC_EROFS_BLOCK;
	file->copied = entry->sparse || self->tar_size % NC_EROFS_BLOCK || block > UINT32_MAX;
	if (!file->copied) {
		node->device = 1;
		node->block = (uint32_t)block;
		return 0;
	}
	int code = begin_data(self, err);
	if (code < 0)
		return code;
	if (entry->size > INDEX_MAX - self->data_end)
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "the sparse files of the layer are more than the erofs driver can hold (1 TiB)");
	file->from = self->data_end;
	node->block = (uint32_t)(file->from / NC_EROFS_BLOCK);
	self->data_end += (entry->size + DATA_ALIGN - 1) / DATA_ALIGN * DATA_ALIGN;
	return 0;
}

static int erofs_tree_entry(struct nc_tree *tree, const struct nc_entry *entry, struct nacre_error *err)
{
	struct erofs_tree *self = (struct erofs_tree *)tree;
	struct file file = { .expected = entry->type == NC_ENTRY_FILE ? entry->stored : 0, .size = entry->size };
	int code = finish_file(self, err);
	int put = code < 0 ? code : nc_eput_entry(self->put, entry, &file.node, err);
	if (put < 0)
		return put;
	self->file = file;
	code = file.node && entry->size ? place_file(self, file.node, entry, err) : 0;
	return code < 0 ? code : put;
}

static int erofs_tree_framing(struct nc_tree *tree, const void *bytes, size_t len, struct nacre_error *err)
{
	struct erofs_tree *self = (struct erofs_tree *)tree;
	self->tar_size += len;
	return nc_writer_write(self->tar, bytes, len, err);
}

static int erofs_tree_data(struct nc_tree *tree, const void *bytes, size_t len, uint64_t at, struct nacre_error *err)
{
	struct erofs_tree *self = (struct erofs_tree *)tree;
	struct file *file = &self->file;
	if (len > file->expected || at < file->at || at > file->size || len > file->size - at)
		return nc_fail(err, NACRE_E_INVALID, 0, "content that no member announced");
	file->expected -= len;
	file->at = at + len;
	int sys = file->copied ? nc_pwrite_full(self->index, bytes, len, file->from + at) : 0;
	if (sys)
		return nc_fail(err, NACRE_E_IO, sys, "write the index");
	return erofs_tree_framing(tree, bytes, len, err);
}

static int write_index(struct erofs_tree *self, uint64_t *ret_size, struct nacre_error *err)
{
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	NC_AUTO_BUF struct nc_buf head = NC_BUF_INIT(1u << 24);
	struct nc_erofs_layout layout = { .meta_block = 0 };
	uint64_t at = self->data_end;
	/* nothing of its own: the inodes follow the head */
	if (!at)
		at = (nc_erofs_head_size(self->tree.device_count) + NC_EROFS_BLOCK - 1) / NC_EROFS_BLOCK * NC_EROFS_BLOCK;
	/* and nothing below it that could be hidden */
	for (size_t i = 0; !*self->lower.id && i < self->tree.node_count; i++)
		self->tree.nodes[i].opaque = false;
	self->tree.devices[0].blocks = (uint32_t)((self->tar_size + NC_EROFS_BLOCK - 1) / NC_EROFS_BLOCK);
	layout.meta_block = (uint32_t)(at / NC_EROFS_BLOCK);
	if (lseek(self->index, (off_t)at, SEEK_SET) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "write the index");
	int code = nc_writer_fd(self->index, false, "index", &out, err);
	if (code == 0)
		code = nc_erofs_write(&self->tree, &layout, out, &head, ret_size, err);
	if (code == 0)
		code = nc_writer_finish(out, err);
	int sys = code < 0 ? 0 : nc_pwrite_full(self->index, head.data, head.len, 0);
	return sys ? nc_fail(err, NACRE_E_IO, sys, "write the index") : code;
}

static int write_lower(struct erofs_tree *self, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf lower = NC_BUF_INIT(1u << 20);
	struct nc_estack *below;
	int code = nc_elower_open(&self->lower, &below, err);
	for (size_t i = 0; code == 0 && below && i < nc_estack_depth(below); i++)
		code = nc_buf_addf(&lower, err, "%s\n", nc_estack_id(below, i));
	return code < 0 || !lower.len ? code : nc_file_create(self->dir, "lower", lower.data, lower.len, err);
}

static int erofs_tree_seal(struct nc_tree *tree, uint64_t *ret_size, struct nacre_error *err)
{
	struct erofs_tree *self = (struct erofs_tree *)tree;
	int code = finish_file(self, err);
	if (code == 0)
		code = nc_writer_finish(self->tar, err);
	if (code == 0)
		code = nc_eput_finish(self->put, err);
	if (code == 0)
		code = write_index(self, ret_size, err);
	if (code == 0)
		code = write_lower(self, err);
	if (code == 0)
		code = nc_home_adopt(self->driver->home.dir, self->id, self->stage, TREE, err);
	if (code < 0)
		erofs_tree_abort(tree);
	else
		tree_free(self);
	return code;
}

static const struct nc_tree_ops tree_ops = {
	.entry = erofs_tree_entry, .data = erofs_tree_data, .framing = erofs_tree_framing, .seal = erofs_tree_seal,
	.abort = erofs_tree_abort,
};

static int open_files(struct erofs_tree *self, struct nacre_error *err)
{
	int code = nc_dir_ensure(self->stage, TREE, &self->dir, err);
	if (code < 0)
		return code;
	self->index = openat(self->dir, "index", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int tar = openat(self->dir, "tar", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (self->index < 0 || tar < 0) {
		code = nc_fail(err, NACRE_E_IO, errno, "make the files of layer %s", self->id);
		nc_fd_release(&tar);
		return code;
	}
	return nc_writer_fd_early(tar, true, "tar", &self->tar, err);
}

static int fill(struct erofs_tree *self, struct nacre_error *err)
{
	static const unsigned char own[NC_EROFS_TAG_ID + 1] = { [NC_EROFS_TAG_ID] = NC_EROFS_TAG_TAR };
	struct nc_estack *below;
	uint16_t device;
	int code = self->lower.ready ? 0 : nc_elower_open(&self->lower, &below, err);
	if (code < 0)
		return nc_wrap(err, code, "parent of layer %s", self->id);
	code = nc_etree_init(&self->tree, true, err);
	/* the layer's own archive is the first, and has no name, so the index is the same under any ID */
	if (code == 0)
		code = nc_etree_device(&self->tree, own, &device, err);
	if (code == 0)
		code = nc_eput_new(&self->tree, &self->lower, &self->put, err);
	return code < 0 ? code : open_files(self, err);
}

static int erofs_begin(struct nc_driver *driver, const char *id, const char *parent, int stage,
		       const struct nc_tree_hooks *hooks, struct nc_tree **ret, struct nacre_error *err)
{
	struct erofs_tree *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	self->base.ops = &tree_ops;
	self->driver = (struct erofs *)driver;
	self->stage = stage;
	self->dir = self->index = -1;
	snprintf(self->id, sizeof self->id, "%s", id);
	self->lower = (struct nc_elower){ .home = self->driver->home.dir };
	snprintf(self->lower.id, sizeof self->lower.id, "%s", parent ? parent : "");
	if (hooks) {
		self->lower.ready = hooks->parent_ready;
		self->lower.ctx = hooks->parent_ctx;
	}
	int code = fill(self, err);
	if (code < 0) {
		erofs_tree_abort(&self->base);
		return code;
	}
	*ret = &self->base;
	return 0;
}

/* --- whether it is whole ---------------------------------------------------------------------------------------- */

/* 1, or 0: there is none. Every byte of an index is looked at but the content in it. */
static int examine_index(int dir, const char *name, struct nc_erofs *ret, struct nacre_error *err)
{
	NC_AUTO_FD int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return nc_fail(err, errno == ELOOP ? NACRE_E_CORRUPT : NACRE_E_IO, errno, "open the layer's %s", name);
	int code = nc_erofs_open(fd, name, ret, err);
	return code < 0 ? code : 1;
}

/* The layer's index and tar belong together. */
static int examine_files(int dir, struct nacre_error *err)
{
	NC_CLEANUP(nc_erofs_close) struct nc_erofs image = { .meta = NULL };
	NC_CLEANUP(nc_erofs_close) struct nc_erofs merged = { .meta = NULL };
	struct stat st;
	int code = examine_index(dir, "index", &image, err);
	if (code == 0)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "the layer's index is missing");
	if (code > 0)
		code = examine_index(dir, NC_EROFS_MERGED, &merged, err);
	if (code < 0)
		return code;
	if (fstatat(dir, "tar", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return nc_fail(err, errno == ENOENT ? NACRE_E_CORRUPT : NACRE_E_IO, errno, "the layer's tar");
	uint64_t blocks = ((uint64_t)st.st_size + NC_EROFS_BLOCK - 1) / NC_EROFS_BLOCK;
	if (!S_ISREG(st.st_mode) || blocks != image.devices[0].blocks)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "the layer's tar does not have the length that its index tells");
	return 0;
}

static int erofs_examine(struct nc_driver *driver, const char *id, const char *parent, struct nacre_error *err)
{
	NC_CLEANUP(nc_estack_auto) struct nc_estack *stack = NULL;
	NC_AUTO_FD int dir = -1;
	int home = ((struct erofs *)driver)->home.dir;
	int code = nc_estack_new(home, id, &stack, err);
	if (code < 0)
		return code;
	const char *below = nc_estack_depth(stack) > 1 ? nc_estack_id(stack, 1) : "";
	if (strcmp(below, parent ? parent : "") != 0)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "the list of layers below it does not begin with its parent");
	code = nc_dir_open(home, id, &dir, err);
	return code < 0 ? code : examine_files(dir, err);
}

/* --- another in its place --------------------------------------------------------------------------------------- */

struct forget {
	int home;
	const char *below;
};

static int forget_merged(void *ctx, const char *id, struct nacre_error *err)
{
	const struct forget *forget = ctx;
	NC_CLEANUP(nc_estack_auto) struct nc_estack *stack = NULL;
	char path[NC_HEX_ID + 8];
	/* one whose list is damaged is mended for itself, and has none then */
	if (nc_estack_new(forget->home, id, &stack, NULL) < 0)
		return 0;
	for (size_t i = 1; i < nc_estack_depth(stack); i++) {
		if (strcmp(nc_estack_id(stack, i), forget->below) != 0)
			continue;
		snprintf(path, sizeof path, "%.64s/" NC_EROFS_MERGED, id);
		if (unlinkat(forget->home, path, 0) < 0 && errno != ENOENT)
			return nc_fail(err, NACRE_E_IO, errno, "remove the merged index of layer %s", id);
		break;
	}
	return 0;
}

/* What was merged out of the old one could have its damage. */
static int erofs_exchange(struct nc_driver *driver, const char *from, const char *id, struct nacre_error *err)
{
	struct forget forget = { .home = ((struct erofs *)driver)->home.dir, .below = id };
	int code = nc_home_exchange(forget.home, from, id, err);
	return code < 0 ? code : nc_home_each(forget.home, forget_merged, &forget, err);
}

/* --- whether it works here -------------------------------------------------------------------------------------- */

#define TRIAL "erofs-trial"

/* A layer with a file in it, mounted and read. */
static int try_layer(struct nc_driver *driver, int stage, struct nacre_error *err)
{
	static const char content[NC_EROFS_BLOCK] = "nacre";
	static const char id[NC_HEX_ID] = "0000000000000000000000000000000000000000000000000000000000000000";
	NC_CLEANUP(nc_tree_auto) struct nc_tree *tree = NULL;
	NC_AUTO_FD int mount = -1;
	NC_AUTO_FD int file = -1;
	char got[sizeof content];
	uint64_t size;
	struct nc_entry entry = { .type = NC_ENTRY_FILE, .name = "f", .name_len = 1, .link = "", .mode = 0644,
				  .size = sizeof content, .stored = sizeof content };
	int code = erofs_begin(driver, id, NULL, stage, NULL, &tree, err);
	if (code == 0)
		code = nc_tree_entry(tree, &entry, err);
	if (code >= 0)
		code = nc_tree_data(tree, content, sizeof content, 0, err);
	if (code == 0)
		code = nc_tree_seal(&tree, &size, err);
	if (code == 0)
		code = nc_erofs_mount(&((struct erofs *)driver)->home, id, &mount, err);
	if (code < 0)
		return code;
	file = openat(mount, "f", O_RDONLY | O_CLOEXEC);
	if (file < 0 || nc_read_full(file, got, sizeof got) != sizeof got || memcmp(got, content, sizeof got) != 0)
		return nc_fail(err, NACRE_E_UNSUPPORTED, errno, "what was mounted cannot be read");
	return 0;
}

static int erofs_probe(int root, struct nacre_error *err)
{
	char path[64], name[sizeof TRIAL + 17] = TRIAL "-";
	NC_CLEANUP(nc_driver_auto) struct nc_driver *driver = NULL;
	NC_AUTO_FD int dir = -1;
	NC_AUTO_FD int stage = -1;
	int code = nc_random_hex(name + sizeof TRIAL, 16, err);
	if (code == 0)
		code = nc_dir_ensure(root, name, &dir, err);
	if (code == 0)
		code = nc_dir_ensure(dir, "stage", &stage, err);
	snprintf(path, sizeof path, "/proc/self/fd/%d", dir);
	if (code == 0)
		code = erofs_open(dir, path, false, &driver, err);
	if (code == 0)
		code = try_layer(driver, stage, err);
	if (code < 0 && code != NACRE_E_NOMEM)
		code = nc_fail(err, NACRE_E_UNSUPPORTED, err ? err->sys : 0, "erofs cannot be mounted from files here");
	if (code < 0)
		code = nc_wrap(err, code, "erofs driver");
	int removed = dir < 0 ? 0 : nc_tree_remove(root, name, code < 0 ? NULL : err);
	return code < 0 ? code : removed;
}

const struct nc_driver_ops nc_erofs_driver = {
	.name = "erofs",
	.probe = erofs_probe,
	.open = erofs_open,
	.close = erofs_close,
	.begin = erofs_begin,
	.patient = true,
	.has = erofs_has,
	.forget = erofs_forget,
	.remove = erofs_remove,
	.each = erofs_each,
	.content = erofs_content,
	.tar = erofs_tar,
	.size = erofs_size,
	.view = erofs_view,
	.mount = erofs_mount,
	.usage = erofs_usage,
	.examine = erofs_examine,
	.exchange = erofs_exchange,
	.writable_make = erofs_writable_make,
	.writable_view = erofs_writable_view,
	.writable_mount = erofs_writable_mount,
};
