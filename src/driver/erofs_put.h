/* Members of one layer applied to a tree in memory, by the rules of driver.h. */
#ifndef NC_DRIVER_EROFS_PUT_H
#define NC_DRIVER_EROFS_PUT_H

#include "driver/driver.h"
#include "driver/erofs_stack.h"
#include "driver/erofs_tree.h"

struct nc_eput;

/* tree is empty. Both are borrowed. */
int nc_eput_new(struct nc_etree *tree, struct nc_elower *lower, struct nc_eput **ret, struct nacre_error *err);
void nc_eput_free(struct nc_eput *put);
NC_DEFINE_CLEANUP(nc_eput_auto, struct nc_eput *, nc_eput_free)

/* As the entry of nc_tree_ops. ret_file: a regular file whose content comes, or 0; the caller says where it lies. */
int nc_eput_entry(struct nc_eput *put, const struct nc_entry *entry, uint32_t *ret_file, struct nacre_error *err);
/* After the last member: what none of them settled is as the parents have it. */
int nc_eput_finish(struct nc_eput *put, struct nacre_error *err);

#endif
