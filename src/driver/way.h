/* The text of a path inside a layer while it is walked: names joined by "/", no slash at either end, "" for the root. */
#ifndef NC_DRIVER_WAY_H
#define NC_DRIVER_WAY_H

#include "base/buf.h"

/* One name further. */
int nc_way_add(struct nc_buf *way, const char *name, size_t len, struct nacre_error *err);
/* One name back; the root stays. */
void nc_way_cut(struct nc_buf *way);
/* What is still to be walked, from at on, goes behind the target of a link: it is then walked from the start. */
int nc_way_splice(struct nc_buf *rest, size_t *at, const char *target, size_t len, struct nacre_error *err);

#endif
