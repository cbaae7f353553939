/* Walking two views at once, merged like two sorted lists. */
#ifndef NC_DRIVER_VIEW_PAIR_H
#define NC_DRIVER_VIEW_PAIR_H

#include "driver/view.h"

/* Walk path and all below it in the second view, and beside it the first (NULL: empty), in byte order of paths.
 * files holds what each has there, or NULL; not both are NULL. What is no directory in the second view is not
 * gone into. fn returns 0 or what stops the walk. */
int nc_view_pair_walk(struct nc_view *views[2], const char *path,
		      int (*fn)(void *ctx, const char *path, const struct nc_view_file *const files[2],
				struct nacre_error *err),
		      void *ctx, struct nacre_error *err);

/* Whether what both views have at path, as the walk gives it, is the same by the rule of nc_view_diff; times: its time
 * too. What files holds is no longer lent then. */
int nc_view_same(struct nc_view *before, struct nc_view *after, const char *path,
		 const struct nc_view_file *const files[2], bool times, bool *ret, struct nacre_error *err);
/* Whether the regular file at path has the same content in both; it is read. */
int nc_view_same_content(struct nc_view *before, struct nc_view *after, const char *path, bool *ret,
			 struct nacre_error *err);

#endif
