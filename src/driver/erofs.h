/* What the files of the erofs driver share. */
#ifndef NC_DRIVER_EROFS_H
#define NC_DRIVER_EROFS_H

#include "driver/drivers.h"
#include "driver/erofs_stack.h"

/* A view of a stack, which is taken, also on failure. */
int nc_erofs_view(struct nc_estack *stack, struct nc_view **ret, struct nacre_error *err);
/* What overlayfs shows of a writable tree (a directory, taken: its upper one) over another view (taken; NULL: nothing). */
int nc_erofs_writable_view(int upper, struct nc_view *lower, struct nc_view **ret, struct nacre_error *err);

struct nc_erofs_home {
	int dir;
	const char *path;		/* absolute */
	bool readonly;
};
/* The tree of a layer, mounted read-only and not attached anywhere. */
int nc_erofs_mount(const struct nc_erofs_home *home, const char *id, int *ret, struct nacre_error *err);

#define NC_EROFS_MERGED "merged"
#define NC_EROFS_OPAQUE_NAME "trusted.overlay.opaque"

#endif
