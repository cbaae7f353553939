/* Records of pax extended headers: "LENGTH KEY=VALUE\n". Private to this room. */
#ifndef NC_TAR_PAX_H
#define NC_TAR_PAX_H

#include "base/buf.h"
#include "base/error.h"
#include "tar/entry.h"
#include "tar/sparse.h"

/* Extended attributes that the records of one member may give. The system's own list of names ends at 64 KiB. */
#define NC_PAX_XATTRS_MAX 4096u
/* Those of all global headers together, and their bytes. Few, since every member is given them anew: 512 bytes of
 * archive must not cost a megabyte of work. */
#define NC_PAX_GLOBAL_XATTRS_MAX 64u
#define NC_PAX_GLOBAL_XATTR_BYTES (64u << 10)

enum nc_pax_key {
	NC_PAX_PATH = 1 << 0,
	NC_PAX_LINKPATH = 1 << 1,
	NC_PAX_SIZE = 1 << 2,
	NC_PAX_UID = 1 << 3,
	NC_PAX_GID = 1 << 4,
	NC_PAX_MTIME = 1 << 5,
	NC_PAX_DEV_MAJOR = 1 << 6,
	NC_PAX_DEV_MINOR = 1 << 7,
	NC_PAX_SPARSE_NAME = 1 << 8,
	NC_PAX_SPARSE_SIZE = 1 << 9,	/* GNU.sparse.size or .realsize */
	NC_PAX_SPARSE_BLOCKS = 1 << 10,
	NC_PAX_SPARSE_MAJOR = 1 << 11,
	NC_PAX_SPARSE_MINOR = 1 << 12,
	NC_PAX_SPARSE_MAP = 1 << 13,	/* 0.1 */
	NC_PAX_SPARSE_PAIRS = 1 << 14,	/* 0.0 */
	NC_PAX_SPARSE = 0x7f << 8,	/* any of these */
};

struct nc_slice {
	const char *bytes;
	size_t len;
};

struct nc_pax_xattr {
	struct nc_slice name, value;	/* as they stand there */
	bool coded;			/* LIBARCHIVE.xattr: name URL-encoded, value base64 */
};

/* What the records of one header say. Slices point into its text. */
struct nc_pax {
	unsigned given;			/* enum nc_pax_key */
	unsigned emptied;		/* keys with an empty value: the header block's field holds again */
	struct nc_slice path, linkpath, sparse_name;
	uint64_t size;
	uint32_t uid, gid, dev_major, dev_minor;
	struct nc_time mtime;
	uint64_t sparse_size, sparse_blocks, sparse_major, sparse_minor;
	struct nc_sparse map;
	bool half;			/* 0.0: an offset waits for its length */
	uint64_t offset;
	struct nc_pax_xattr *xattrs;	/* in the order of the records */
	size_t xattr_count, xattr_cap;
};

void nc_pax_clear(struct nc_pax *pax);		/* keeps the memory */
void nc_pax_release(struct nc_pax *pax);
/* Adds the records of text, which must live as long as pax is used. A later record wins over an earlier one. */
int nc_pax_parse(struct nc_pax *pax, const char *text, size_t len, struct nacre_error *err);

/* The standing records of all global headers. */
struct nc_pax_global {
	struct nc_pax pax;
	struct nc_buf path, linkpath, xattrs;	/* what pax points into; xattrs holds whole records */
};

void nc_pax_global_init(struct nc_pax_global *global);
void nc_pax_global_release(struct nc_pax_global *global);
/* Takes over what another global header says; text is its records. */
int nc_pax_global_add(struct nc_pax_global *global, const char *text, size_t len, struct nacre_error *err);

#endif
