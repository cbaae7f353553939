/* A streaming tar reader that accounts for every byte.
 *
 * It pulls blocks from a reader and gives a sequence of events in which each byte of the archive stands exactly once,
 * as framing or as data, in order. Framing is whatever is not the content of a file: headers, extension headers with
 * their data, sparse maps, padding, closing blocks, what follows them, and the payload of members that have one but
 * are not plain files. So framing and data, written one after another, are the archive again.
 *
 *	for each member:  FRAMING… ENTRY DATA…     (ENTRY stands right after the member's header block and, for pax
 *	                                            1.0, its map; before its content)
 *	at the end:       FRAMING… END
 *
 * Dialects: v7, ustar, GNU (L, K, base-256, old sparse with extension blocks, D, M, V), pax (x, g; 1003.1-2008; sparse
 * 0.0, 0.1, 1.0; SCHILY.xattr.*, LIBARCHIVE.xattr.*, SUN.holesdata ignored), star. Archives may end without closing
 * blocks, after one, or carry anything behind them; a zero-byte archive has no members; one that ends within a header,
 * or in the content of a member, is NACRE_E_BADDATA, as is every malformed number, record or checksum. A first block
 * that is no header and not zero is NACRE_E_BADDATA ("not a tar archive").
 *
 * Where programs differ, we do as Go's reader does, since Go's programs write and read layers, but refuse what it
 * would skip:
 *   - The first zero block ends the archive (a last, partial one too); what follows is framing.
 *   - Links, devices, directories and fifos have no payload, whatever the size field says, hard links of pax included:
 *     a size there tells about the file. Content behind a link would then be no header: NACRE_E_BADDATA. Only GNU's
 *     D has one, which is framing.
 *   - A regular member whose name ends in a slash is a directory when its flag is NUL, a file when it is '0'.
 *   - Of several x headers before a member the last counts; a pax path wins over an L header, a linkpath over a K. No
 *     record applies to an L, K, x or g header. Extension headers that no member follows are NACRE_E_BADDATA.
 *   - Records of g headers hold for all later members (Go ignores them); an empty value makes the header block's field
 *     hold again. The entry of the g header itself is of type META and comes after its records.
 *   - Extended attributes may be empty and are told once where both vendors' records give them. ACL records
 *     (SCHILY.acl.*) name users of another system by name and are left out.
 *   - A sparse map must rise, stay within the file, and add up to what is stored.
 *
 * Memory is bounded: one header chain at most NC_TAR_HEADER_MAX, sparse maps are limited likewise.
 *
 * Checks that belong to names themselves are made here (NUL, empty, over-long); where a name leads is the driver's
 * matter. Not thread-safe; one reader belongs to one thread at a time. */
#ifndef NC_TAR_READER_H
#define NC_TAR_READER_H

#include "io/reader.h"
#include "tar/entry.h"

/* Bytes of extension headers and sparse map of one member, and of all global records. */
#define NC_TAR_HEADER_MAX (1u << 20)
/* Longest name or link target. */
#define NC_TAR_NAME_MAX 65535u

enum nc_tar_event { NC_TAR_END, NC_TAR_FRAMING, NC_TAR_ENTRY, NC_TAR_DATA };

struct nc_tar_item {
	const void *bytes;		/* FRAMING, DATA: lent until the next call */
	size_t len;
	uint64_t at;			/* DATA: offset of bytes in the file as it is seen */
	const struct nc_entry *entry;	/* ENTRY: lent until the next ENTRY */
	bool in_place;			/* ENTRY: the content is the file, byte for byte (a plain, dense, regular
					 * file, an empty one too). False: sparse content, or no file */
};

struct nc_tar;

/* upstream is borrowed and gives plain bytes. */
int nc_tar_new(struct nc_reader *upstream, struct nc_tar **ret, struct nacre_error *err);
/* Returns an event (NC_TAR_END is 0 and comes once all of upstream was given out) or a negative code. */
int nc_tar_next(struct nc_tar *tar, struct nc_tar_item *ret, struct nacre_error *err);
/* Bytes given out so far. */
uint64_t nc_tar_offset(const struct nc_tar *tar);
void nc_tar_free(struct nc_tar *tar);
NC_DEFINE_CLEANUP(nc_tar_auto, struct nc_tar *, nc_tar_free)

#endif
