#include "driver/erofs.h"

#include "driver/copy.h"
#include "driver/erofs_format.h"
#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the view of a stack ---------------------------------------------------------------------------------------- */

struct erofs_view {
	struct nc_view base;
	struct nc_estack *stack;
	struct nc_xattr_list xattrs;	/* of what was asked for last, as are the next two */
	char *path, *link;
};

static int find(struct erofs_view *self, const char *path, struct nc_efound *ret, struct nacre_error *err)
{
	int code = nc_estack_find(self->stack, path, strlen(path), ret, err);
	return code == 0 ? nc_fail(err, NACRE_E_NOTFOUND, 0, "'/%s' is not there", path) : code;
}

/* Layers are numbered from the lowest, so a file has one number in every view that it is in; the ID of its layer
 * stands for all that lies below that. */
static void number(const struct erofs_view *self, const struct nc_efound *found, struct nc_view_file *ret)
{
	unsigned char tag[NC_EROFS_TAG_ID + 1];
	uint64_t depth = nc_estack_depth(self->stack) - found->layer;
	nc_edevice_tag(nc_estack_id(self->stack, found->layer), NC_EROFS_TAG_TAR, tag);
	ret->device = nc_get64(tag) | 1;
	ret->number = depth << 40 | found->inode.nid;
	ret->links = found->inode.node.type == NC_ENTRY_DIR ? 1 : found->inode.links;
}

static int view_stat(struct nc_view *view, const char *path, struct nc_view_file *ret, struct nacre_error *err)
{
	struct erofs_view *self = (struct erofs_view *)view;
	struct nc_efound found;
	int code = find(self, path, &found, err);
	if (code < 0)
		return code;
	const struct nc_enode *node = &found.inode.node;
	nc_xattr_list_release(&self->xattrs);
	free(self->path);
	free(self->link);
	self->path = nc_strdup(path);
	self->link = node->type == NC_ENTRY_SYMLINK ? nc_memdup(found.inode.own, found.inode.own_len) : nc_strdup("");
	if (!self->path || !self->link)
		return nc_nomem(err);
	code = nc_einode_xattrs(&found.inode, &self->xattrs, err);
	if (code < 0)
		return code;
	*ret = (struct nc_view_file){ .entry = {
		.type = (enum nc_entry_type)node->type, .name = self->path, .name_len = strlen(self->path),
		.link = self->link, .link_len = strlen(self->link), .mode = node->mode, .uid = node->uid, .gid = node->gid,
		.mtime = { node->sec, node->nsec }, .xattrs = self->xattrs.items, .xattr_count = self->xattrs.count,
	} };
	if (node->type == NC_ENTRY_FILE)
		ret->entry.size = ret->entry.stored = node->size;
	if (node->type == NC_ENTRY_SYMLINK)
		ret->entry.mode = 0777;
	ret->entry.dev_major = node->number >> 8 & 0xfff;
	ret->entry.dev_minor = (node->number & 0xff) | (node->number >> 12 & ~0xffu);
	number(self, &found, ret);
	return 0;
}

/* Names, copied, since what lists them may ask for other things meanwhile. */
struct gather {
	char **names;
	size_t count, cap;
	int upper;			/* of a writable view: what it has of a name counts; -1: nothing */
};

static int keep(struct gather *gather, const char *name, size_t len, struct nacre_error *err)
{
	char **more = nc_grown(gather->names, gather->count, &gather->cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	gather->names = more;
	char *copy = nc_memdup(name, len);
	if (!copy)
		return nc_nomem(err);
	gather->names[gather->count++] = copy;
	return 0;
}

static int keep_name(void *ctx, const char *name, size_t len, struct nacre_error *err)
{
	return keep(ctx, name, len, err);
}

static int view_names(struct nc_view *view, const char *path,
		      int (*fn)(void *ctx, const char *name, struct nacre_error *err), void *ctx,
		      struct nacre_error *err)
{
	struct erofs_view *self = (struct erofs_view *)view;
	struct gather gather = { .upper = -1 };
	struct nc_efound found;
	int code = nc_estack_names(self->stack, path, strlen(path), keep_name, &gather, err);
	if (code == 0) {
		code = find(self, path, &found, err);
		code = code < 0 ? code : nc_fail(err, NACRE_E_INVALID, 0, "'/%s' is no directory", path);
	} else if (code > 0) {
		code = 0;
	}
	for (size_t i = 0; code == 0 && i < gather.count; i++)
		code = fn(ctx, gather.names[i], err);
	nc_names_free(gather.names, gather.count);
	return code;
}

static int view_content(struct nc_view *view, const char *path, struct nc_reader **ret, struct nacre_error *err)
{
	struct erofs_view *self = (struct erofs_view *)view;
	struct nc_efound found;
	int code = find(self, path, &found, err);
	if (code < 0)
		return code;
	if (found.inode.node.type != NC_ENTRY_FILE)
		return nc_fail(err, NACRE_E_INVALID, 0, "'/%s' is no regular file", path);
	return nc_estack_content(self->stack, &found, ret, err);
}

static void view_close(struct nc_view *view)
{
	struct erofs_view *self = (struct erofs_view *)view;
	nc_estack_free(self->stack);
	nc_xattr_list_release(&self->xattrs);
	free(self->path);
	free(self->link);
	free(self);
}

int nc_erofs_view(struct nc_estack *stack, struct nc_view **ret, struct nacre_error *err)
{
	static const struct nc_view_ops ops = { view_stat, view_names, view_content, view_close };
	struct erofs_view *self = nc_zalloc(sizeof *self);
	if (!self) {
		nc_estack_free(stack);
		return nc_nomem(err);
	}
	self->base.ops = &ops;
	self->stack = stack;
	*ret = &self->base;
	return 0;
}

/* --- a writable tree over it ------------------------------------------------------------------------------------ */

struct writable_view {
	struct nc_view base;
	int upper;
	struct nc_view *own;		/* of the upper directory alone */
	struct nc_view *lower;		/* NULL: none */
};

/* Where something that the tree shows comes from. */
struct where {
	bool own, lower;		/* a merged directory: from both */
	int dir;			/* the upper directory, when it is one; -1 */
};

static void where_release(struct where *where)
{
	nc_fd_release(&where->dir);
}
#define AUTO_WHERE __attribute__((cleanup(where_release)))

static int step(struct where *where, const char *name, struct nacre_error *err)
{
	struct stat st;
	bool above = where->dir < 0;	/* only the lower view has the directory */
	if (above)
		return 0;
	NC_AUTO_FD int dir = nc_fd_give(&where->dir);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		where->own = false;
		return errno == ENOENT ? 0 : nc_fail(err, NACRE_E_IO, errno, "stat '%s' of a writable tree", name);
	}
	where->own = !nc_is_whiteout(&st) && !S_ISSOCK(st.st_mode);
	if (!S_ISDIR(st.st_mode)) {
		where->lower = false;
		return 0;
	}
	where->dir = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (where->dir < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open '%s' of a writable tree", name);
	where->lower = where->lower && !nc_is_opaque(where->dir, NC_EROFS_OPAQUE_NAME);
	return 0;
}

/* Follows path as far as the upper tree goes. */
static int look(const struct writable_view *self, const char *path, struct where *ret, struct nacre_error *err)
{
	NC_AUTO_FREE char *copy = nc_strdup(path);
	*ret = (struct where){ .own = true, .lower = self->lower, .dir = -1 };
	if (!copy)
		return nc_nomem(err);
	ret->dir = openat(self->upper, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code = ret->dir < 0 ? nc_fail(err, NACRE_E_IO, errno, "open a writable tree") : 0;
	char *rest = NULL;
	for (char *name = strtok_r(copy, "/", &rest); code == 0 && name; name = strtok_r(NULL, "/", &rest)) {
		bool file = ret->own && ret->dir < 0;
		if (file)	/* nothing lies below what is no directory */
			ret->own = ret->lower = false;
		code = step(ret, name, err);
	}
	return code;
}

static int missing(const char *path, struct nacre_error *err)
{
	return nc_fail(err, NACRE_E_NOTFOUND, 0, "'/%s' is not there", path);
}

/* The view that says what path is. */
static int choose(const struct writable_view *self, const char *path, struct nc_view **ret, struct nacre_error *err)
{
	AUTO_WHERE struct where where;
	int code = look(self, path, &where, err);
	if (code < 0)
		return code;
	*ret = where.own ? self->own : where.lower ? self->lower : NULL;
	return *ret ? 0 : missing(path, err);
}

static int writable_stat(struct nc_view *view, const char *path, struct nc_view_file *ret, struct nacre_error *err)
{
	const struct writable_view *self = (struct writable_view *)view;
	struct nc_view *from;
	int code = choose(self, path, &from, err);
	if (code == 0)
		code = from->ops->stat(from, path, ret, err);
	/* numbers of two file systems must not meet */
	if (code == 0 && from == self->own)
		ret->number |= (uint64_t)1 << 63;
	return code;
}

static int writable_content(struct nc_view *view, const char *path, struct nc_reader **ret, struct nacre_error *err)
{
	struct nc_view *from;
	int code = choose((struct writable_view *)view, path, &from, err);
	return code < 0 ? code : from->ops->content(from, path, ret, err);
}

static int gather_own(void *ctx, const char *name, struct nacre_error *err)
{
	return keep(ctx, name, strlen(name), err);
}

static int gather_lower(void *ctx, const char *name, struct nacre_error *err)
{
	const struct gather *gather = ctx;
	struct stat st;
	if (gather->upper >= 0 && fstatat(gather->upper, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return keep(ctx, name, strlen(name), err);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What both have in a directory, each once. */
static int gather_both(const struct writable_view *self, const char *path, const struct where *where,
		       struct gather *gather, struct nacre_error *err)
{
	struct nc_view_file file;
	int code = where->own ? self->own->ops->names(self->own, path, gather_own, gather, err) : 0;
	if (code < 0 || !where->lower)
		return code;
	gather->upper = where->dir;
	code = self->lower->ops->stat(self->lower, path, &file, err);
	/* an upper directory may lie over something else, or over nothing */
	if (where->own && (code == NACRE_E_NOTFOUND || (code == 0 && file.entry.type != NC_ENTRY_DIR)))
		return 0;
	return code < 0 ? code : self->lower->ops->names(self->lower, path, gather_lower, gather, err);
}

static int writable_names(struct nc_view *view, const char *path,
			  int (*fn)(void *ctx, const char *name, struct nacre_error *err), void *ctx,
			  struct nacre_error *err)
{
	const struct writable_view *self = (struct writable_view *)view;
	AUTO_WHERE struct where where;
	struct gather gather = { .upper = -1 };
	int code = look(self, path, &where, err);
	if (code == 0 && !where.own && !where.lower)
		code = missing(path, err);
	if (code == 0)
		code = gather_both(self, path, &where, &gather, err);
	if (gather.count)
		qsort(gather.names, gather.count, sizeof *gather.names, by_bytes);
	for (size_t i = 0; code == 0 && i < gather.count; i++)
		code = fn(ctx, gather.names[i], err);
	nc_names_free(gather.names, gather.count);
	return code;
}

static void writable_close(struct nc_view *view)
{
	struct writable_view *self = (struct writable_view *)view;
	nc_view_close(self->own);
	nc_view_close(self->lower);
	nc_fd_release(&self->upper);
	free(self);
}

int nc_erofs_writable_view(int upper, struct nc_view *lower, struct nc_view **ret, struct nacre_error *err)
{
	static const struct nc_view_ops ops = { writable_stat, writable_names, writable_content, writable_close };
	static const char *const root = ".";
	struct writable_view *self = nc_zalloc(sizeof *self);
	struct nc_stack *stack;
	if (!self) {
		nc_view_close(lower);
		close(upper);
		return nc_nomem(err);
	}
	*self = (struct writable_view){ .base.ops = &ops, .upper = upper, .lower = lower };
	NC_CLEANUP(nc_view_auto) struct nc_view *guard = &self->base;
	NC_AUTO_FD int base = openat(upper, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (base < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open a writable tree");
	int code = nc_stack_new(upper, &root, 1, NC_EROFS_OPAQUE_NAME, &stack, err);
	if (code < 0)
		return code;
	nc_stack_writable(stack, nc_fd_give(&base));
	code = nc_view_of_stack(stack, &self->own, err);
	if (code == 0)
		*ret = NC_GIVE(guard);
	return code;
}
