/* One pass over a directory tree, of any depth and width, with few descriptors and no recursion.
 *
 *	while ((code = nc_walk_next(walk, &item, err)) > 0)
 *		if (!item.leave && item.type == DT_DIR)
 *			code = nc_walk_enter(walk, err);
 *
 * Follows no link. The tree must not get new entries meanwhile; entries may be removed as they are visited. */
#ifndef NC_DRIVER_WALK_H
#define NC_DRIVER_WALK_H

#include "base/error.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>

/* Open path (clean, of any length, "" for root itself) beneath root with open(2) flags, following no link anywhere.
 * A descriptor or a negative errno, as nc_path_open; that one takes no path longer than the kernel does. */
int nc_below_open(int root, const char *path, int oflags);

struct nc_walk;

struct nc_walk_item {
	bool leave;		/* a directory that was entered comes to its end */
	int dir;		/* the directory that holds it; lent until the next call */
	const char *name;	/* lent until the next call */
	const char *path;	/* from the top; lent likewise */
	unsigned char type;	/* DT_*, never DT_UNKNOWN */
};

/* The tree at path (clean) below root. */
int nc_walk_new(int root, const char *path, struct nc_walk **ret, struct nacre_error *err);
/* 1 and an item, 0 at the end, or a negative code. */
int nc_walk_next(struct nc_walk *walk, struct nc_walk_item *ret, struct nacre_error *err);
/* Go into the directory that nc_walk_next just gave. */
int nc_walk_enter(struct nc_walk *walk, struct nacre_error *err);
void nc_walk_free(struct nc_walk *walk);
NC_DEFINE_CLEANUP(nc_walk_auto, struct nc_walk *, nc_walk_free)

#endif
