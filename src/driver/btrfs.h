/* Laying a layer's own tree over a branch of its parent's, both in one subvolume. */
#ifndef NC_DRIVER_BTRFS_H
#define NC_DRIVER_BTRFS_H

#include "base/error.h"

#include <stdbool.h>

struct nc_lay {
	int to;			/* the root of the subvolume */
	const char *own;	/* the private directory in it, which goes in the end */
	const char *tree;	/* in own: the layer's tree */
	bool marks;		/* it holds marks */
	bool alone;		/* nothing that is in the subvolume stays */
};
int nc_btrfs_lay(const struct nc_lay *lay, struct nacre_error *err);

#endif
