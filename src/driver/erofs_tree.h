/* A tree in memory that an EROFS image is made of. A million files take about 130 MB: nodes and names lie in arrays
 * and refer to each other by number (0: none), texts lie in one run of bytes. What lost its name stays until
 * the end, and is not written. */
#ifndef NC_DRIVER_EROFS_TREE_H
#define NC_DRIVER_EROFS_TREE_H

#include "base/buf.h"
#include "driver/attr.h"
#include "io/writer.h"

/* Beside the types of entries: hides what the parents have of that name. */
#define NC_ENODE_WHITEOUT 'w'
#define NC_ENODE_ROOT 1u
/* Bytes of a file whose content lies in one run, at most. */
#define NC_ENODE_SIZE_MAX ((uint64_t)1 << 40)

struct nc_enode {
	uint64_t size;			/* of a regular file */
	int64_t sec;
	uint32_t nsec;
	uint32_t uid, gid;
	uint16_t mode;			/* 07777 */
	uint8_t type;			/* enum nc_entry_type, or a whiteout */
	bool opaque;			/* a directory: hides all that the parents have in it */
	uint16_t device;		/* of a file's content: 0 is the image itself */
	uint32_t block;			/* there */
	uint32_t text;			/* target of a symbolic link */
	uint32_t number;		/* of a device, as the kernel writes it */
	uint32_t xattrs;		/* as they are written, in the texts; 0: none */
	uint32_t first;			/* of a directory: its names, linked by next */
	uint32_t parent, links, place;	/* of the image being written */
};

struct nc_ename {
	uint32_t dir, node, next, text;
};

struct nc_edevice {
	unsigned char tag[NC_HEX_ID / 2 + 1];
	uint32_t blocks;
};

struct nc_etree {
	struct nc_enode *nodes;		/* the first is none, the second the root */
	size_t node_count, node_cap;
	struct nc_ename *names;
	size_t name_count, name_cap;
	struct nc_buf texts;
	uint32_t *slots;		/* of a hash table of names; NULL: none shall be found */
	size_t slot_count;
	struct nc_edevice *devices;
	size_t device_count, device_cap;
};

/* An empty root. find: names can be found. */
int nc_etree_init(struct nc_etree *tree, bool find, struct nacre_error *err);
void nc_etree_release(struct nc_etree *tree);
#define NC_AUTO_ETREE __attribute__((cleanup(nc_etree_release)))

/* A new node, all zero. Pointers to nodes do not survive it. */
int nc_etree_node(struct nc_etree *tree, uint8_t type, uint32_t *ret, struct nacre_error *err);
/* Keep bytes, with a NUL behind them. */
int nc_etree_text(struct nc_etree *tree, const void *bytes, size_t len, uint32_t *ret, struct nacre_error *err);
/* Attributes that a file can have, in the form of the image; those that EROFS cannot hold are left out. */
int nc_etree_xattrs(struct nc_etree *tree, const struct nc_xattr *items, size_t count, uint8_t type, uint32_t *ret,
		    struct nacre_error *err);
/* The same, already in that form. */
int nc_etree_xattr_bytes(struct nc_etree *tree, const unsigned char *bytes, size_t len, uint32_t *ret,
			 struct nacre_error *err);
/* Give a node a name in a directory that has none such. */
int nc_etree_name(struct nc_etree *tree, uint32_t dir, const char *name, size_t len, uint32_t node,
		  struct nacre_error *err);
/* The name in a directory, or 0. */
uint32_t nc_etree_find(const struct nc_etree *tree, uint32_t dir, const char *name, size_t len);
/* The number of a device, which is added when it is new. */
int nc_etree_device(struct nc_etree *tree, const unsigned char *tag, uint16_t *ret, struct nacre_error *err);

static inline const char *nc_etree_string(const struct nc_etree *tree, uint32_t text)
{
	return tree->texts.data + text;
}
/* The text that a number at the beginning of an attribute stands for, or NULL. */
const char *nc_erofs_prefix(unsigned char number);
/* What hides a directory of the parents, as overlayfs wants it: an entry in the form of the image. */
extern const unsigned char nc_erofs_opaque[20];

/* Where the image that is written begins with inodes, and its UUID. */
struct nc_erofs_layout {
	uint32_t meta_block;
	unsigned char uuid[16];
};
/* Bytes that the head of an image takes. */
size_t nc_erofs_head_size(size_t devices);
/* What an image has for a name: meta is the crc64 of its inodes and directories, ret takes a string of 16 digits. */
void nc_erofs_sum(uint64_t meta, const unsigned char *head, size_t len, char *ret);
/* Write the inodes and directories to out, and give the head, which belongs to the front of the image. Sorts the tree, and
 * numbers it. ret_content: bytes of all regular files in it. */
int nc_erofs_write(struct nc_etree *tree, const struct nc_erofs_layout *layout, struct nc_writer *out,
		   struct nc_buf *ret_head, uint64_t *ret_content, struct nacre_error *err);

#endif
