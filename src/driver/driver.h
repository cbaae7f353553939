/* Drivers: how the trees of layers lie on disk.
 *
 * A driver receives entries, not a tar. Each layer's tree is built in a stage of the store's and renamed to the driver's
 * home when sealed; nothing here syncs (the store does, once for everything) and nothing here knows the graph.
 *
 * THE MEANING OF A LAYER, the same for every driver
 *   - A layer is a tree of its own that is laid over its parent. Members are applied in order; a later member of the same
 *     name replaces an earlier one, a directory over a directory keeps its content and takes the new metadata. A
 *     non-directory replaces a directory with all that this layer put into it, and the reverse.
 *   - Symbolic links in the path of a member: one that this layer made is followed, inside the layer's root; one of a
 *     parent is replaced by a directory (as overlayfs shows it).
 *   - ".wh.NAME" hides NAME of the parents, never what this layer itself holds, wherever it stands in the archive;
 *     ".wh..wh..opq" hides all that the parents have in that directory (in the root too). Whiteouts' own content and
 *     metadata are ignored. ".wh.", ".wh.." and ".wh..." are NACRE_E_BADDATA. Other ".wh..wh.*" members are aufs's own
 *     and are not extracted; links to members below ".wh..wh.plnk" give their content.
 *   - Missing directories on the way to a member take the metadata of the parents' directory of that name, else mode
 *     0755, owner 0:0 and the time of the member that implied them.
 *   - A hard link's target is a path of this layer, or, when this layer has none, of the parents (the file is then copied
 *     up into this layer, metadata and all, and linked). It must not be a directory. Symlinks are linked, not followed.
 *   - The root's own entry ("./") sets the metadata of the root; anything but a directory there is NACRE_E_BADDATA. A
 *     root that no layer mentions is 0755, 0:0, time 0.
 *   - Character device 0:0 is NACRE_E_BADDATA. Attributes of overlay and kin (trusted.overlay.*, user.overlay.*,
 *     user.fuseoverlayfs.*, user.containers.override_stat, user.rootlesscontainers, trusted.nacre.*, user.nacre.*) are
 *     never set from an archive. An attribute that the file system cannot hold is left out; any other failure to set one
 *     fails the layer.
 *   - Owner, mode with setuid and sticky bits, nanosecond times (of links and directories too) arrive as they stand.
 *   - No name that begins with ".wh." ever shows in a tree. */
#ifndef NC_DRIVER_DRIVER_H
#define NC_DRIVER_DRIVER_H

#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "io/reader.h"
#include "tar/entry.h"

#include <stdbool.h>

struct nc_driver;
struct nc_forgetting;
struct nc_tree;
struct nc_view;

/* Called when a member replaces, or removes with a directory, something that an earlier member of the same layer made.
 * name is that member's cleaned path, content its bytes (NULL when it had none); content is borrowed. What no member of
 * that very path made is not reported; unpack.h says it in full. The store keeps them so that the exact archive can be
 * given back. Order: as the replacements happen. */
struct nc_displaced {
	int (*fn)(void *ctx, const char *name, struct nc_reader *content, uint64_t size, struct nacre_error *err);
	void *ctx;
};

/* What a driver asks of who writes a layer. */
struct nc_tree_hooks {
	struct nc_displaced displaced;	/* fn NULL: nobody wants to know */
	/* Waits until the parent is sealed. NULL: it is. */
	int (*parent_ready)(void *ctx, struct nacre_error *err);
	void *parent_ctx;
};

/* hooks NULL, or without a wish: at once. */
static inline int nc_parent_ready(const struct nc_tree_hooks *hooks, struct nacre_error *err)
{
	return hooks && hooks->parent_ready ? hooks->parent_ready(hooks->parent_ctx, err) : 0;
}

/* What nc_tree_entry returns. */
enum nc_put {
	NC_PUT_DONE = 0,	/* the member's content cannot be had back by its name (nothing of it is kept, it went
				 * through a symbolic link, is sparse, …) */
	NC_PUT_BY_NAME = 1,	/* nc_driver_content(id, name) will give the content, as long as nothing displaces it */
};

/* What the implementer of a driver owes. Everything may be called by several threads at once on one driver, except
 * the operations on one tree or view. IDs are 64 hex digits and checked by the caller. */
struct nc_driver_ops {
	const char *name;
	/* 0 when the driver can work for a store in this directory, else NACRE_E_UNSUPPORTED with the reason. Leaves
	 * nothing behind. */
	int (*probe)(int root, struct nacre_error *err);
	/* root is the store's directory, borrowed until close; path its absolute path (for mount options only). */
	int (*open)(int root, const char *path, bool readonly, struct nc_driver **ret, struct nacre_error *err);
	void (*close)(struct nc_driver *driver);

	/* Writing a layer. stage: a directory of the caller's where the tree is built, on the same file system; parent:
	 * NULL, or a sealed tree of this driver; hooks: copied, may be NULL. */
	int (*begin)(struct nc_driver *driver, const char *id, const char *parent, int stage,
		     const struct nc_tree_hooks *hooks, struct nc_tree **ret, struct nacre_error *err);
	/* begin takes a parent that is still being written, too: before the first look at it the driver calls parent_ready. */
	bool patient;

	/* 1, 0 or a failure. */
	int (*has)(struct nc_driver *driver, const char *id, struct nacre_error *err);
	/* NULL, or nc_forget of the long files that remove is going to remove. */
	void (*forget)(struct nc_driver *driver, const char *id, struct nc_forgetting *forgetting);
	/* Removes a tree; done when there is none. trash: a directory of the caller's to rename it into first. */
	int (*remove)(struct nc_driver *driver, const char *id, int trash, struct nacre_error *err);
	/* Calls fn for the ID of each tree. */
	int (*each)(struct nc_driver *driver, int (*fn)(void *ctx, const char *id, struct nacre_error *err), void *ctx,
		    struct nacre_error *err);
	/* The bytes of a regular file that layer id itself holds, by the name of its member (not cleaned); size is known
	 * at once. NACRE_E_CORRUPT when it is not there or no regular file. */
	int (*content)(struct nc_driver *driver, const char *id, const char *name, size_t name_len,
		       struct nc_reader **ret, uint64_t *ret_size, struct nacre_error *err);
	/* The archive of layer id, as it came. NULL where the driver keeps files only: then the store keeps a record of
	 * the rest, and puts the archive together out of that and content. */
	int (*tar)(struct nc_driver *driver, const char *id, struct nc_reader **ret, uint64_t *ret_size,
		   struct nacre_error *err);
	/* Bytes of file content in layer id, as seal told them. There where tar is. */
	int (*size)(struct nc_driver *driver, const char *id, uint64_t *ret, struct nacre_error *err);
	/* The merged tree of id and its parents, without mounting. */
	int (*view)(struct nc_driver *driver, const char *id, struct nc_view **ret, struct nacre_error *err);
	/* Mounts that tree read-only at target (a directory, O_PATH), nosuid off, in the caller's mount namespace. */
	int (*mount)(struct nc_driver *driver, const char *id, int target, struct nacre_error *err);
	/* Appends the path, below the store's directory, where the tree of id lies: whole, or with overlay what the
	 * layer itself brought. NULL when the driver keeps no directories. */
	int (*where)(struct nc_driver *driver, const char *id, struct nc_buf *ret, struct nacre_error *err);
	/* Bytes on disk that the tree of id takes, hard links once; for vfs the whole copy. */
	int (*usage)(struct nc_driver *driver, const char *id, uint64_t *ret, struct nacre_error *err);

	/* 0 when what the driver keeps beside the tree of id fits to it and to the tree below it (parent; NULL: none);
	 * NACRE_E_CORRUPT says what does not. The tree's content is not read. NULL where there is nothing beside trees. */
	int (*examine)(struct nc_driver *driver, const char *id, const char *parent, struct nacre_error *err);

	/* The sealed tree of from takes the place of the tree of id, damaged or missing, and of what the driver keeps beside
	 * it: trees that lie on id lie on the new one. What was there is the tree of from afterwards, and removed as such.
	 * At every moment id has the old tree or the new one. NULL: NACRE_E_UNSUPPORTED. */
	int (*exchange)(struct nc_driver *driver, const char *from, const char *id, struct nacre_error *err);

	/* Trees that can be written, laid over a sealed one (parent; NULL: over nothing). dir is a directory of the
	 * caller's on the same file system, kept for this and of a constant place once it was made; it is borrowed, and
	 * the driver's files in it (names: diff, work, tree) go with it. All NULL where the driver has none. */

	/* Fills dir. The tree shows what the parent shows, times included. */
	int (*writable_make)(struct nc_driver *driver, const char *parent, int dir, struct nacre_error *err);
	/* The tree as it is now, without mounting; whoever writes meanwhile is seen or not. Sockets are not shown, names
	 * that begin with ".wh." are. */
	int (*writable_view)(struct nc_driver *driver, const char *parent, int dir, struct nc_view **ret,
			     struct nacre_error *err);
	/* Mounts it for reading and writing at target. At most one mount of a tree at a time: the caller sees to it. */
	int (*writable_mount)(struct nc_driver *driver, const char *parent, int dir, int target,
			      struct nacre_error *err);
};

/* The first member of every driver. */
struct nc_driver {
	const struct nc_driver_ops *ops;
};

/* where, for any driver: NACRE_E_UNSUPPORTED when it keeps no directories. */
int nc_driver_where(struct nc_driver *driver, const char *id, struct nc_buf *ret, struct nacre_error *err);

/* nc_writeback_tree of what layer id has in a store in root. Only of drivers whose trees lie in <name>/<id>: those of btrfs do
 * not, and need none. */
void nc_driver_writeback(const struct nc_driver *driver, int root, const char *id, bool wait, size_t *room);

/* A layer being written. */
struct nc_tree_ops {
	/* A member; returns an nc_put, or a negative code (the tree can then only be aborted). */
	int (*entry)(struct nc_tree *tree, const struct nc_entry *entry, struct nacre_error *err);
	/* Content of the last member: runs in ascending order. at: offset in the file. */
	int (*data)(struct nc_tree *tree, const void *bytes, size_t len, uint64_t at, struct nacre_error *err);
	/* What stands between contents: with data it is the whole archive, in its order, an entry coming right before
	 * its content. NULL where the driver keeps no archives. */
	int (*framing)(struct nc_tree *tree, const void *bytes, size_t len, struct nacre_error *err);
	/* Everything is written and in its place in the driver's home; has() is true. ret_size: bytes of file content
	 * in the layer (logical sizes of its regular members, hard links not counted again). The tree is freed, also on
	 * failure (it is then aborted). */
	int (*seal)(struct nc_tree *tree, uint64_t *ret_size, struct nacre_error *err);
	/* As if never begun. Frees the tree. */
	void (*abort)(struct nc_tree *tree);
};

struct nc_tree {
	const struct nc_tree_ops *ops;
};

static inline int nc_tree_entry(struct nc_tree *tree, const struct nc_entry *entry, struct nacre_error *err)
{
	return tree->ops->entry(tree, entry, err);
}
static inline int nc_tree_data(struct nc_tree *tree, const void *bytes, size_t len, uint64_t at, struct nacre_error *err)
{
	return tree->ops->data(tree, bytes, len, at, err);
}
static inline int nc_tree_framing(struct nc_tree *tree, const void *bytes, size_t len, struct nacre_error *err)
{
	return tree->ops->framing ? tree->ops->framing(tree, bytes, len, err) : 0;
}
/* Takes the tree out of *tree, so that a cleanup variable does not abort it again. */
int nc_tree_seal(struct nc_tree **tree, uint64_t *ret_size, struct nacre_error *err);
void nc_tree_abort(struct nc_tree *tree);	/* NULL is fine */
NC_DEFINE_CLEANUP(nc_tree_auto, struct nc_tree *, nc_tree_abort)

/* Mounts a tree without anything in it, as a root that no layer mentions, read-only at target: what an image without
 * layers is. Nothing of it is on disk. */
int nc_mount_empty(int target, struct nacre_error *err);

/* All drivers, best first; ends with NULL. */
extern const struct nc_driver_ops *const nc_drivers[];
/* By name, or NULL. */
const struct nc_driver_ops *nc_driver_find(const char *name);
/* The first of nc_drivers that works for a store in root; memory and aufs are never chosen. */
int nc_driver_choose(int root, const struct nc_driver_ops **ret, struct nacre_error *err);
void nc_driver_close(struct nc_driver *driver);	/* NULL is fine */
NC_DEFINE_CLEANUP(nc_driver_auto, struct nc_driver *, nc_driver_close)

#endif
