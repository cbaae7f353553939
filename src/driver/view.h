/* Views: the merged tree of a layer and its parents, read without mounting it. Read-only, one thread at a time. */
#ifndef NC_DRIVER_VIEW_H
#define NC_DRIVER_VIEW_H

#include "driver/driver.h"

/* A file of a view. entry.name is its path ("" for the root), without a leading slash; hard links that the view shows
 * have the same nonzero file number (unique in this view), and links counts those in its own layer. */
struct nc_view_file {
	struct nc_entry entry;
	uint64_t number;
	uint64_t device;	/* files of two views that have it and their number in common are the same; 0: unknown */
	uint32_t links;
};

struct nc_view_ops {
	/* One file by its clean path; symlinks are not followed anywhere. ret lives until the next call on this view.
	 * NACRE_E_NOTFOUND. */
	int (*stat)(struct nc_view *view, const char *path, struct nc_view_file *ret, struct nacre_error *err);
	/* Names in a directory, in byte order. NACRE_E_NOTFOUND; NACRE_E_INVALID when it is no directory. fn returns 0
	 * or what stops it; fn may use the view. */
	int (*names)(struct nc_view *view, const char *path,
		     int (*fn)(void *ctx, const char *name, struct nacre_error *err), void *ctx,
		     struct nacre_error *err);
	/* Content of a regular file. */
	int (*content)(struct nc_view *view, const char *path, struct nc_reader **ret, struct nacre_error *err);
	void (*close)(struct nc_view *view);
};

struct nc_view {
	const struct nc_view_ops *ops;
};

void nc_view_close(struct nc_view *view);	/* NULL is fine */
NC_DEFINE_CLEANUP(nc_view_auto, struct nc_view *, nc_view_close)

/* Follow path as a process inside the tree would (absolute links and .. stay inside; at most 40 links; NACRE_E_NOTFOUND,
 * NACRE_E_INVALID for loops). follow_last: also when the last component is a link. ret is given (free()), clean. */
int nc_view_resolve(struct nc_view *view, const char *path, bool follow_last, char **ret, struct nacre_error *err);

/* Walk path and all below it, in byte order of paths with directories before their content, until fn returns other than
 * 0. file is lent for the call. No recursion on the call stack. */
int nc_view_walk(struct nc_view *view, const char *path,
		 int (*fn)(void *ctx, const struct nc_view_file *file, struct nacre_error *err), void *ctx,
		 struct nacre_error *err);

/* What is different in after: 'A', 'C', 'D' and a path, in byte order; a directory that is new lists everything below it,
 * one that is gone only itself. Type, mode, owner, device, link target, attributes, and for files size and time; where
 * size is equal and times differ or either has no nanoseconds, contents are compared. before may be NULL (empty). */
int nc_view_diff(struct nc_view *before, struct nc_view *after,
		 int (*fn)(void *ctx, char kind, const char *path, struct nacre_error *err), void *ctx,
		 struct nacre_error *err);

#endif
