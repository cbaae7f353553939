/* Reading an EROFS image as erofs_write.c writes them, without mounting it. The inodes and directories are held in memory;
 * every number in them is checked before it is used, and what is not as we write it is NACRE_E_CORRUPT. */
#ifndef NC_DRIVER_EROFS_READ_H
#define NC_DRIVER_EROFS_READ_H

#include "driver/erofs_tree.h"

struct nc_erofs {
	unsigned char *meta;
	size_t meta_len;
	uint32_t meta_block, root;
	struct nc_edevice *devices;
	size_t device_count;
};

/* fd is borrowed for the call; what serves the messages. */
int nc_erofs_open(int fd, const char *what, struct nc_erofs *ret, struct nacre_error *err);
/* Only what the devices are. */
int nc_erofs_open_head(int fd, const char *what, struct nc_erofs *ret, struct nacre_error *err);
void nc_erofs_close(struct nc_erofs *image);

/* Bytes of all regular files in it, each once. */
int nc_erofs_content(const struct nc_erofs *image, uint64_t *ret, struct nacre_error *err);

/* Pointers lead into the image. */
struct nc_einode {
	uint32_t nid, links;
	struct nc_enode node;		/* without what only a tree knows */
	const unsigned char *xattrs;	/* but the mark of opaque directories */
	size_t xattrs_len;
	const unsigned char *own;	/* of a directory or symbolic link */
	size_t own_len;
};
int nc_erofs_inode(const struct nc_erofs *image, uint32_t nid, struct nc_einode *ret, struct nacre_error *err);
/* ret is given: nc_xattr_list_release. */
int nc_einode_xattrs(const struct nc_einode *inode, struct nc_xattr_list *ret, struct nacre_error *err);

/* The names of a directory, in their order; start with the inode and zeros. */
struct nc_ecursor {
	const struct nc_einode *dir;	/* borrowed */
	size_t at;			/* of the block */
	unsigned next;			/* in it */
};
struct nc_edirent {
	const char *name;		/* not terminated */
	size_t len;
	uint32_t nid;
};
/* 1, or 0 at the end. */
int nc_ecursor_next(struct nc_ecursor *cursor, struct nc_edirent *ret, struct nacre_error *err);
/* 1, or 0: the directory has no such name. */
int nc_einode_find(const struct nc_einode *dir, const char *name, size_t len, uint32_t *ret_nid,
		   struct nacre_error *err);
/* As bytes compare. */
int nc_ename_compare(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
