/* One member put together out of all that was said about it: extension headers first, then the header block; above
 * both stand a local pax header, below it the global ones. Private to this room. */
#ifndef NC_TAR_MEMBER_H
#define NC_TAR_MEMBER_H

#include "base/buf.h"
#include "tar/entry.h"
#include "tar/header.h"
#include "tar/pax.h"

/* Everything known about the next member. The flags say which extension headers came. */
struct nc_member_source {
	bool has_name, has_link, has_pax;
	struct nc_buf name, link;	/* of L and K headers */
	struct nc_buf text;		/* of the x header; pax points into it */
	struct nc_pax pax;
	struct nc_pax_global global;
	unsigned char block[NC_TAR_BLOCK];
	struct nc_tar_header header;
};

void nc_member_source_init(struct nc_member_source *source);
void nc_member_source_release(struct nc_member_source *source);
/* Forgets the extension headers, not the global ones. */
void nc_member_source_reset(struct nc_member_source *source);

/* What follows the header block. */
enum nc_payload {
	NC_PAYLOAD_CONTENT,	/* the file */
	NC_PAYLOAD_GNU_SPARSE,	/* maybe extension blocks, then runs of the file */
	NC_PAYLOAD_PAX_SPARSE,	/* runs of the file; the map is known */
	NC_PAYLOAD_MAPPED,	/* a map in lines, then runs of the file */
	NC_PAYLOAD_FOREIGN,	/* bytes that are no file's */
	NC_PAYLOAD_NONE,	/* none, whatever the size field says */
};
int nc_member_payload(const struct nc_member_source *source, enum nc_payload *ret, uint64_t *ret_size,
		      struct nacre_error *err);

/* An entry with the memory that it points into, used again for the next one. */
struct nc_member {
	struct nc_entry entry;
	struct nc_buf name, link, values;
	struct nc_xattr *xattrs;
	size_t xattr_cap;
};

void nc_member_init(struct nc_member *member);
void nc_member_release(struct nc_member *member);
/* Fills everything but size, stored and sparse. */
int nc_member_build(struct nc_member *member, const struct nc_member_source *source, struct nacre_error *err);

#endif
