#include "driver/drivers.h"

#include "driver/attr.h"
#include "driver/copy.h"
#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct stack_view {
	struct nc_view base;
	struct nc_stack *stack;
	struct nc_xattr_list xattrs;	/* of what was asked for last, as are the next two */
	char link[PATH_MAX];
	char *path;
};

static int find(struct stack_view *self, const char *path, struct nc_stack_found *ret, struct nacre_error *err)
{
	int code = nc_stack_find(self->stack, path, ret, err);
	return code == 0 ? nc_fail(err, NACRE_E_NOTFOUND, 0, "'/%s' is not there", path) : code;
}

static int view_stat(struct nc_view *view, const char *path, struct nc_view_file *ret, struct nacre_error *err)
{
	struct stack_view *self = (struct stack_view *)view;
	struct nc_stack_found found;
	int code = find(self, path, &found, err);
	if (code < 0)
		return code;
	char *copy = nc_strdup(path);
	if (!copy)
		return nc_nomem(err);
	free(self->path);
	self->path = copy;
	nc_xattr_list_release(&self->xattrs);
	code = nc_xattrs_read(found.dir, found.name, &self->xattrs, err);
	if (code < 0)
		return code;
	struct nc_view_file file = { .number = found.st.st_ino, .device = found.st.st_dev };
	file.entry = (struct nc_entry){
		.type = nc_type_of_mode(found.st.st_mode),
		.name = copy, .name_len = strlen(copy), .link = "",
		.mode = found.st.st_mode & 07777, .uid = found.st.st_uid, .gid = found.st.st_gid,
		.mtime = { .sec = found.st.st_mtim.tv_sec, .nsec = (uint32_t)found.st.st_mtim.tv_nsec },
		.xattrs = self->xattrs.items, .xattr_count = self->xattrs.count,
	};
	if (!file.entry.type)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "'/%s' is no kind of file that a layer holds", path);
	file.links = S_ISDIR(found.st.st_mode) ? 1 : (uint32_t)found.st.st_nlink;
	switch (file.entry.type) {
	case NC_ENTRY_FILE:
		file.entry.size = file.entry.stored = (uint64_t)found.st.st_size;
		break;
	case NC_ENTRY_SYMLINK: {
		ssize_t len = readlinkat(found.dir, found.name, self->link, sizeof self->link - 1);
		if (len < 0)
			return nc_fail(err, NACRE_E_IO, errno, "read link '/%s'", path);
		self->link[len] = '\0';
		file.entry.link = self->link;
		file.entry.link_len = (size_t)len;
		break;
	}
	case NC_ENTRY_CHAR:
	case NC_ENTRY_BLOCK:
		file.entry.dev_major = major(found.st.st_rdev);
		file.entry.dev_minor = minor(found.st.st_rdev);
		break;
	default:
		break;
	}
	*ret = file;
	return 0;
}

static int view_names(struct nc_view *view, const char *path,
		      int (*fn)(void *ctx, const char *name, struct nacre_error *err), void *ctx,
		      struct nacre_error *err)
{
	struct stack_view *self = (struct stack_view *)view;
	char **names;
	size_t count;
	int code = nc_stack_names(self->stack, path, &names, &count, err);
	if (code < 0)
		return code;
	if (code == 0) {
		struct nc_stack_found found;
		code = find(self, path, &found, err);
		return code < 0 ? code : nc_fail(err, NACRE_E_INVALID, 0, "'/%s' is no directory", path);
	}
	code = 0;
	for (size_t i = 0; code == 0 && i < count; i++)
		code = fn(ctx, names[i], err);
	nc_names_free(names, count);
	return code;
}

static int view_content(struct nc_view *view, const char *path, struct nc_reader **ret, struct nacre_error *err)
{
	struct stack_view *self = (struct stack_view *)view;
	struct nc_stack_found found;
	int code = find(self, path, &found, err);
	if (code < 0)
		return code;
	if (!S_ISREG(found.st.st_mode))
		return nc_fail(err, NACRE_E_INVALID, 0, "'/%s' is no regular file", path);
	NC_AUTO_FD int fd = openat(found.dir, found.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open '/%s'", path);
	if (!S_ISREG(st.st_mode))
		return nc_fail(err, NACRE_E_CORRUPT, 0, "'/%s' changed while it was opened", path);
	return nc_reader_fd(nc_fd_give(&fd), true, path, ret, err);
}

static void view_close(struct nc_view *view)
{
	struct stack_view *self = (struct stack_view *)view;
	nc_stack_free(self->stack);
	nc_xattr_list_release(&self->xattrs);
	free(self->path);
	free(self);
}

static const struct nc_view_ops ops = {
	.stat = view_stat, .names = view_names, .content = view_content, .close = view_close,
};

int nc_view_of_stack(struct nc_stack *stack, struct nc_view **ret, struct nacre_error *err)
{
	struct stack_view *self = nc_zalloc(sizeof *self);
	if (!self) {
		nc_stack_free(stack);
		return nc_nomem(err);
	}
	self->base.ops = &ops;
	self->stack = stack;
	*ret = &self->base;
	return 0;
}
