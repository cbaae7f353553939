/* The drivers, and what those that keep trees on disk share. */
#ifndef NC_DRIVER_DRIVERS_H
#define NC_DRIVER_DRIVERS_H

#include "driver/driver.h"
#include "driver/stack.h"
#include "driver/view.h"
#include "io/digest.h"

#include <time.h>

extern const struct nc_driver_ops nc_overlay_driver;
extern const struct nc_driver_ops nc_erofs_driver;
extern const struct nc_driver_ops nc_vfs_driver;
extern const struct nc_driver_ops nc_btrfs_driver;
extern const struct nc_driver_ops nc_aufs_driver;
extern const struct nc_driver_ops nc_memory_driver;

/* 64 lowercase hex digits: the name of a tree among other things in a driver's home. */
bool nc_is_tree_id(const char *name);

/* Containers of 2015 lie in homes too: <id> with <id>-init beside it. They are no trees: neither listed, nor there,
 * nor removed. */

/* Calls fn for each tree in home. */
int nc_home_each(int home, int (*fn)(void *ctx, const char *id, struct nacre_error *err), void *ctx,
		 struct nacre_error *err);
/* 1 when home has that tree. */
int nc_home_has(int home, const char *id, struct nacre_error *err);
/* Move stage/name to home/id. A tree of that ID has no node and is rubbish: it goes. NACRE_E_EXISTS when
 * a container is in its place. */
int nc_home_adopt(int home, const char *id, int stage, const char *name, struct nacre_error *err);
/* Move home/id to trash and remove it there; done when there is none. */
int nc_home_remove(int home, const char *id, int trash, struct nacre_error *err);
/* home/from and home/id change places; where id is missing, from takes its name. */
int nc_home_exchange(int home, const char *from, const char *id, struct nacre_error *err);
/* Open the regular file of a member below a tree: its reader (which owns the descriptor) and size. */
int nc_home_content(int home, const char *tree, const char *name, size_t name_len, struct nc_reader **ret,
		    uint64_t *ret_size, struct nacre_error *err);
/* Bytes on disk of what lies below home/tree, hard links once; since: only of what was changed then or later. */
int nc_home_usage(int home, const char *tree, const struct timespec *since, uint64_t *ret, struct nacre_error *err);
/* For homes in which each tree is complete: home/id as a stack of one, as a view, and mounted. NACRE_E_NOTFOUND. */
int nc_home_stack(int home, const char *id, struct nc_stack **ret, struct nacre_error *err);
int nc_home_view(int home, const char *id, struct nc_view **ret, struct nacre_error *err);
int nc_home_mount(int home, const char *id, int target, struct nacre_error *err);
/* The same of a writable tree at dir/name. */
int nc_home_writable_view(int home, int dir, const char *name, struct nc_view **ret, struct nacre_error *err);
int nc_home_writable_mount(int dir, const char *name, int target, struct nacre_error *err);

/* Give the directory root (open, made just now) what the root of parents (NULL: none) has, as a layer that does not
 * mention it shows it. */
int nc_root_dress(int root, struct nc_stack *parents, struct nacre_error *err);

/* A view over a stack, which is taken, also on failure. */
int nc_view_of_stack(struct nc_stack *stack, struct nc_view **ret, struct nacre_error *err);

/* --- mounting (overlay_mount.c) --------------------------------------------------------------------------------- */

/* The new mount calls have no wrappers in older C libraries. */
int nc_move_mount(int mount, int target, struct nacre_error *err);
/* Mount the directory tree (a descriptor) read-only at target. */
int nc_bind_mount(int tree, int target, struct nacre_error *err);
int nc_bind_mount_writable(int tree, int target, struct nacre_error *err);

enum nc_overlay_mount_flags {
	NC_OVERLAY_USER = 1,		/* marks are user.overlay.*, in a user namespace */
	NC_OVERLAY_WRITABLE = 4,	/* else read-only */
	NC_OVERLAY_OLD_CALL = 2,	/* for tests: mount(2), as before Linux 6.5 */
};
struct nc_overlay_mount {
	int home;
	const char *home_path;		/* absolute */
	char *const *trees;		/* paths below home, topmost first; two at least, or one when writable */
	size_t count;
	unsigned flags;
	int upper;			/* with NC_OVERLAY_WRITABLE: holds diff/ and work/ */
};
/* Mount at target. */
int nc_overlay_mount(const struct nc_overlay_mount *what, int target, struct nacre_error *err);
/* The same, not attached anywhere: gives a descriptor of its root. NACRE_E_UNSUPPORTED before Linux 6.5. */
int nc_overlay_mount_detached(const struct nc_overlay_mount *what, int *ret, struct nacre_error *err);

#endif
