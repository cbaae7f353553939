#include "driver/view_pair.h"

#include <string.h>

struct diff {
	struct nc_view *before, *after;
	int (*fn)(void *ctx, char kind, const char *path, struct nacre_error *err);
	void *ctx;
};

/* Two streams compared as they come, however each is cut into blocks. */
int nc_view_same_content(struct nc_view *before, struct nc_view *after, const char *path, bool *ret,
			struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *left = NULL, *right = NULL;
	int code = before->ops->content(before, path, &left, err);
	if (code >= 0)
		code = after->ops->content(after, path, &right, err);
	if (code < 0)
		return code;
	const void *a = NULL, *b = NULL;
	ssize_t a_len = 0, b_len = 0;
	for (;;) {
		if (a_len == 0 && (a_len = nc_reader_next(left, &a, err)) < 0)
			return (int)a_len;
		if (b_len == 0 && (b_len = nc_reader_next(right, &b, err)) < 0)
			return (int)b_len;
		if (a_len == 0 || b_len == 0)
			break;
		ssize_t len = a_len < b_len ? a_len : b_len;
		if (memcmp(a, b, (size_t)len) != 0) {
			*ret = false;
			return 0;
		}
		a = (const char *)a + len;
		b = (const char *)b + len;
		a_len -= len;
		b_len -= len;
	}
	*ret = a_len == b_len;
	return 0;
}

static bool same_xattrs(const struct nc_entry *a, const struct nc_entry *b)
{
	if (a->xattr_count != b->xattr_count)
		return false;
	for (size_t i = 0; i < a->xattr_count; i++) {
		const struct nc_xattr *left = &a->xattrs[i], *right = &b->xattrs[i];
		if (strcmp(left->name, right->name) != 0 || left->value_len != right->value_len ||
		    (left->value_len && memcmp(left->value, right->value, left->value_len) != 0))
			return false;
	}
	return true;
}

static bool same_metadata(const struct nc_entry *a, const struct nc_entry *b)
{
	return a->type == b->type && (a->mode == b->mode || a->type == NC_ENTRY_SYMLINK) && a->uid == b->uid &&
	       a->gid == b->gid && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor &&
	       a->size == b->size && strcmp(a->link, b->link) == 0 && same_xattrs(a, b);
}

/* Archives often carry whole seconds only: then a time says too little. */
static bool sure_by_time(const struct nc_time *a, const struct nc_time *b)
{
	return a->sec == b->sec && a->nsec == b->nsec && a->nsec != 0;
}

int nc_view_same(struct nc_view *before, struct nc_view *after, const char *path,
		 const struct nc_view_file *const files[2], bool times, bool *ret, struct nacre_error *err)
{
	const struct nc_entry *a = &files[0]->entry, *b = &files[1]->entry;
	*ret = files[0]->device && files[0]->device == files[1]->device && files[0]->number == files[1]->number;
	if (*ret)
		return 0;
	*ret = same_metadata(a, b) && (!times || (a->mtime.sec == b->mtime.sec && a->mtime.nsec == b->mtime.nsec));
	if (!*ret || a->type != NC_ENTRY_FILE || a->size == 0 || sure_by_time(&a->mtime, &b->mtime))
		return 0;
	return nc_view_same_content(before, after, path, ret, err);
}

static int compare(void *ctx, const char *path, const struct nc_view_file *const files[2], struct nacre_error *err)
{
	struct diff *diff = ctx;
	if (!files[1])
		return diff->fn(diff->ctx, 'D', path, err);
	if (!files[0])
		return *path ? diff->fn(diff->ctx, 'A', path, err) : 0;
	bool equal;
	int code = nc_view_same(diff->before, diff->after, path, files, false, &equal, err);
	return code < 0 || equal ? code : diff->fn(diff->ctx, 'C', path, err);
}

int nc_view_diff(struct nc_view *before, struct nc_view *after,
		 int (*fn)(void *ctx, char kind, const char *path, struct nacre_error *err), void *ctx,
		 struct nacre_error *err)
{
	struct diff diff = { .before = before, .after = after, .fn = fn, .ctx = ctx };
	return nc_view_pair_walk((struct nc_view *[2]){ before, after }, "", compare, &diff, err);
}
