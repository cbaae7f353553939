/* Owner, mode, extended attributes and times of the objects in a tree.
 *
 * Objects are named as (directory descriptor, name of one component) or by their own descriptor, and no link is ever
 * followed. Extended attributes that belong to overlay, to other stores or to us are neither shown nor set. */
#ifndef NC_DRIVER_ATTR_H
#define NC_DRIVER_ATTR_H

#include "base/error.h"
#include "tar/entry.h"

#include <stdbool.h>
#include <sys/stat.h>

struct nc_attrs {
	uint32_t uid, gid;
	uint32_t mode;			/* 07777 */
	struct nc_time mtime;
	const struct nc_xattr *xattrs;	/* borrowed */
	size_t xattr_count;
};

/* Extended attributes with their memory; sorted by name. */
struct nc_xattr_list {
	struct nc_xattr *items;
	size_t count;
	char *bytes;
};

/* Whether an attribute of this name may stand in a tree. */
bool nc_xattr_allowed(const char *name);
/* Those that an object of this type can hold on Linux, wherever it lies: "user." is for files and directories. */
bool nc_xattr_holdable(const char *name, enum nc_entry_type type);

int nc_xattrs_copy(const struct nc_xattr *items, size_t count, struct nc_xattr_list *ret, struct nacre_error *err);
/* Those of the object itself, also of a symbolic link. */
int nc_xattrs_read(int dirfd, const char *name, struct nc_xattr_list *ret, struct nacre_error *err);
void nc_xattr_list_release(struct nc_xattr_list *list);

/* What fstat says, without attributes. */
void nc_attrs_of_stat(const struct stat *st, struct nc_attrs *ret);
void nc_attrs_of_entry(const struct nc_entry *entry, struct nc_attrs *ret);

/* What an object that was made just now has already, so that it need not be set. */
enum nc_attrs_right {
	NC_RIGHT_OWNER = 1,
	NC_RIGHT_MODE = 2,
};
unsigned nc_attrs_right(int fd, const struct nc_attrs *attrs);
/* Set all on an open file or directory, in the order in which none undoes another: owner, attributes, mode, times.
 * right: bits of nc_attrs_right, which are left out. path serves the messages. */
int nc_attrs_set_fd(int fd, const struct nc_attrs *attrs, enum nc_entry_type type, unsigned right, const char *path,
		    struct nacre_error *err);
/* The same for a link, device or fifo by its name. */
int nc_attrs_set_at(int dirfd, const char *name, const struct nc_attrs *attrs, enum nc_entry_type type, unsigned right,
		    const char *path, struct nacre_error *err);

/* Removes every extended attribute that nc_xattrs_read would show. */
int nc_xattrs_drop(int fd, const char *path, struct nacre_error *err);
/* Removes the ACLs that an object inherits from a directory. */
void nc_acl_drop(int fd);
int nc_acl_drop_at(int dirfd, const char *name, struct nacre_error *err);

#endif
