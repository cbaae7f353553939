#include "driver/drivers.h"

#include "io/fd.h"
#include "io/writeback.h"

#include <fcntl.h>
#include <string.h>

const struct nc_driver_ops *const nc_drivers[] = { &nc_erofs_driver, &nc_overlay_driver, &nc_btrfs_driver, &nc_vfs_driver,
						    &nc_aufs_driver, &nc_memory_driver, NULL };

int nc_driver_where(struct nc_driver *driver, const char *id, struct nc_buf *ret, struct nacre_error *err)
{
	if (!driver->ops->where)
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "the %s driver keeps no directories", driver->ops->name);
	return driver->ops->where(driver, id, ret, err);
}

void nc_driver_writeback(const struct nc_driver *driver, int root, const char *id, bool wait, size_t *room)
{
	NC_AUTO_FD int home = openat(root, driver->ops->name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	NC_AUTO_FD int tree = openat(home, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (tree >= 0)
		nc_writeback_tree(tree, wait, room);
}

const struct nc_driver_ops *nc_driver_find(const char *name)
{
	for (size_t i = 0; nc_drivers[i]; i++)
		if (strcmp(nc_drivers[i]->name, name) == 0)
			return nc_drivers[i];
	return NULL;
}

int nc_driver_choose(int root, const struct nc_driver_ops **ret, struct nacre_error *err)
{
	int code = NACRE_E_UNSUPPORTED;
	for (size_t i = 0; nc_drivers[i]; i++) {
		if (nc_drivers[i] == &nc_memory_driver || nc_drivers[i] == &nc_aufs_driver)
			continue;
		code = nc_drivers[i]->probe(root, err);
		if (code == 0) {
			*ret = nc_drivers[i];
			return 0;
		}
		if (code != NACRE_E_UNSUPPORTED)
			return code;
	}
	return code;
}

void nc_driver_close(struct nc_driver *driver)
{
	if (driver)
		driver->ops->close(driver);
}

int nc_tree_seal(struct nc_tree **tree, uint64_t *ret_size, struct nacre_error *err)
{
	struct nc_tree *taken = *tree;
	*tree = NULL;
	return taken->ops->seal(taken, ret_size, err);
}

void nc_tree_abort(struct nc_tree *tree)
{
	if (tree)
		tree->ops->abort(tree);
}

/* --- what the drivers share ------------------------------------------------------------------------------------- */

bool nc_is_tree_id(const char *name)
{
	return strlen(name) == NC_HEX_ID - 1 && strspn(name, "0123456789abcdef") == NC_HEX_ID - 1;
}
