/* One 512-byte header block: what it is, and its fields read once, range-checked, never cut. Private to this room.
 *
 *	  0 name 100   100 mode 8   108 uid 8   116 gid 8   124 size 12   136 mtime 12   148 checksum 8   156 type 1
 *	157 link 100   257 magic 8  265 owner 32   297 group 32   329 major 8   337 minor 8
 *	345 ustar: prefix 155
 *	    star:  prefix 131, atime 12, ctime 12, 508 "tar\0"
 *	    GNU:   atime 12, ctime 12, 369 offset 12, 386 four sparse entries, 482 more follow, 483 real size 12 */
#ifndef NC_TAR_HEADER_H
#define NC_TAR_HEADER_H

#include "base/error.h"
#include "tar/entry.h"

#define NC_TAR_BLOCK 512u
/* Room for prefix, slash, name and NUL. */
#define NC_TAR_SHORT_NAME (155 + 1 + 100 + 1)

enum nc_tar_format { NC_TAR_V7, NC_TAR_USTAR, NC_TAR_GNU, NC_TAR_STAR };

struct nc_tar_header {
	enum nc_tar_format format;
	unsigned char flag;	/* the type flag as it stands there */
	uint64_t size;		/* as it stands there, also where the type has no payload */
};

bool nc_tar_block_is_zero(const unsigned char *block, size_t len);

/* Checksum, dialect, size. NACRE_E_BADDATA for what is no header. */
int nc_tar_header_decode(const unsigned char *block, struct nc_tar_header *ret, struct nacre_error *err);

/* The fields that only a member has. Device numbers only for devices; names are nc_tar_header_name's. */
int nc_tar_header_entry(const unsigned char *block, const struct nc_tar_header *header, struct nc_entry *entry,
			struct nacre_error *err);

/* The name in the block, with its prefix, NUL-terminated. Returns its length. */
size_t nc_tar_header_name(const unsigned char *block, const struct nc_tar_header *header,
			  char ret[NC_TAR_SHORT_NAME]);
/* The link field; returns its length, *ret points into block. */
size_t nc_tar_header_link(const unsigned char *block, const char **ret);

/* Octal text (blanks and NULs around it, empty is 0) or base-256 in two's complement. False when it is neither, or
 * does not fit. */
bool nc_tar_number(const unsigned char *field, size_t len, int64_t *ret);

#endif
