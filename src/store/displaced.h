/* Content that a later member of the same layer displaced. The record says "the file of that name" for it, which
 * would now be another file, so it is kept aside while the layer comes in, and the record is rewritten at the end. */
#ifndef NC_STORE_DISPLACED_H
#define NC_STORE_DISPLACED_H

#include "driver/driver.h"
#include "io/writer.h"

struct nc_displacements;

int nc_displacements_new(struct nacre_store *store, struct nc_displacements **ret, struct nacre_error *err);
void nc_displacements_free(struct nc_displacements *displacements);
NC_DEFINE_CLEANUP(nc_displacements_auto, struct nc_displacements *, nc_displacements_free)

/* What the driver calls. */
struct nc_displaced nc_displacements_hook(struct nc_displacements *displacements);
/* The driver is about to get the member of this FILE record, counted from 0. */
void nc_displacements_at(struct nc_displacements *displacements, uint64_t record);
bool nc_displacements_any(const struct nc_displacements *displacements);
/* record is taken, out borrowed: the plain JSON of before and after. */
int nc_displacements_rewrite(struct nc_displacements *displacements, struct nc_reader *record, struct nc_writer *out,
			     struct nacre_error *err);

#endif
