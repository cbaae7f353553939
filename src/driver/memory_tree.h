/* Trees of the memory driver: whole merged trees of nodes, each name marked when its own layer put it there. */
#ifndef NC_DRIVER_MEMORY_TREE_H
#define NC_DRIVER_MEMORY_TREE_H

#include "base/map.h"
#include "driver/attr.h"
#include "driver/drivers.h"

#include <stdatomic.h>

/* A run of bytes; what lies between runs is zero. */
struct nc_mem_run {
	uint64_t at;
	size_t len;
	char *bytes;
};

/* A file. What is no directory does not change once its member is complete, and is shared by the trees above. */
struct nc_mem_node {
	atomic_uint refs;
	uint64_t number;
	uint32_t links;			/* names in its own layer */
	enum nc_entry_type type;
	struct nc_attrs attrs;		/* without attributes, which are in xattrs */
	struct nc_xattr_list xattrs;
	char *link;
	uint32_t dev_major, dev_minor;
	uint64_t size;
	struct nc_mem_run *runs;
	size_t run_count, run_cap;
	struct nc_map *names;		/* of a directory: struct nc_mem_name by name */
};

enum nc_mem_kind {
	NC_MEM_MEMBER,			/* a member of this name made it */
	NC_MEM_EMPTY,			/* one whose content nobody asks for: a hard link, a sparse file */
	NC_MEM_ANON,			/* none */
};

struct nc_mem_name {
	struct nc_mem_node *node;
	bool own;			/* of this layer, not of a parent */
	enum nc_mem_kind kind;
	char text[];
};

struct nc_mem_tree {
	atomic_uint refs;
	struct nc_mem_name *root;
};

struct nc_mem_node *nc_mem_node_new(enum nc_entry_type type, const struct nc_attrs *attrs);	/* NULL: no memory */
void nc_mem_node_drop(struct nc_mem_node *node);
/* A directory with all below it is freed without recursion. */
void nc_mem_name_free(struct nc_mem_name *name);
NC_DEFINE_CLEANUP(nc_mem_name_auto, struct nc_mem_name *, nc_mem_name_free)

/* Give node (taken, also on failure) a name in a directory that has none such. */
int nc_mem_name_add(struct nc_mem_node *dir, const char *text, struct nc_mem_node *node, bool own,
		    enum nc_mem_kind kind, struct nc_mem_name **ret, struct nacre_error *err);
struct nc_mem_name *nc_mem_name_get(const struct nc_mem_node *dir, const char *text, size_t len);
/* Take the name out of its directory; free it after use. */
struct nc_mem_name *nc_mem_name_take(struct nc_mem_node *dir, const char *text);
/* The names of a directory, sorted; lent as long as it does not change, the array is given (free()). */
int nc_mem_names(const struct nc_mem_node *dir, struct nc_mem_name ***ret, size_t *ret_count,
		 struct nacre_error *err);

/* A tree with an empty root, or with a copy of parent's in which nothing is its own. */
int nc_mem_tree_new(const struct nc_mem_tree *parent, struct nc_mem_tree **ret, struct nacre_error *err);
void nc_mem_tree_drop(struct nc_mem_tree *tree);
NC_DEFINE_CLEANUP(nc_mem_tree_auto, struct nc_mem_tree *, nc_mem_tree_drop)
/* What is at path (clean), following nothing; NULL: nothing. */
struct nc_mem_name *nc_mem_find(const struct nc_mem_tree *tree, const char *path, size_t len);
/* Reads a regular file; node is borrowed. */
int nc_mem_content(const struct nc_mem_node *node, struct nc_reader **ret, struct nacre_error *err);
/* Calls fn for each name below dir, directories before their content, until it returns other than 0. It may take the
 * name itself out when it is no directory. */
int nc_mem_each(struct nc_mem_node *dir, const char *path,
		int (*fn)(void *ctx, struct nc_mem_node *dir, struct nc_mem_name *name, const char *path,
			  struct nacre_error *err),
		void *ctx, struct nacre_error *err);

/* Applying members (memory_put.c). */
struct nc_mem_put;
int nc_mem_put_new(struct nc_mem_tree *tree, const struct nc_displaced *displaced, struct nc_mem_put **ret,
		   struct nacre_error *err);
int nc_mem_put_entry(struct nc_mem_put *put, const struct nc_entry *entry, struct nacre_error *err);
int nc_mem_put_data(struct nc_mem_put *put, const void *bytes, size_t len, uint64_t at, struct nacre_error *err);
/* After the last member: the size of the layer. */
int nc_mem_put_finish(struct nc_mem_put *put, uint64_t *ret_size, struct nacre_error *err);
void nc_mem_put_free(struct nc_mem_put *put);

#endif
