/* Records as the Docker of 2015 wrote them (tar-split 0.9), put together again with care: what that writer got wrong is
 * found, and mended where the rest proves how it was.
 *
 *   - 0.9.4 wrote GNU long names behind the header that they belong to: put in order again.
 *   - Members whose content is not the file of that name on disk (sparse, links with a size): a header that does not fit
 *     its record, NACRE_E_CORRUPT.
 *   - The end of an archive that ends with less than two zero blocks is not in the record: the caller is asked for it.
 *   - Content that is not there under its name: the caller looks for it by size and sum. */
#ifndef NC_TAR_OLD_RECORD_H
#define NC_TAR_OLD_RECORD_H

#include "base/buf.h"
#include "tar/split.h"

struct nc_old_files {
	/* Gives the content of a file, proved: file->size bytes with the sum file->crc. */
	int (*find)(void *ctx, const struct nc_split_record *file, struct nc_reader **ret, struct nacre_error *err);
	/* Everything that was delivered so far passes here, before the end is asked for. */
	void (*pass)(void *ctx, const void *bytes, size_t len);
	/* The end was lost: padding bytes (below 512) after the last content, and perhaps a zero block. Says how many
	 * zero bytes stood there. */
	int (*end)(void *ctx, size_t padding, size_t *ret_zeros, struct nacre_error *err);
	void *ctx;
};

/* Gives a reader of the archive. record (taken) gives the plain JSON; files is copied, its ctx borrowed. */
int nc_old_join(struct nc_reader *record, const struct nc_old_files *files, struct nc_reader **ret,
		struct nacre_error *err);

/* Whether a segment is padding bytes and then headers, the last of which is that of file. */
bool nc_old_segment_fits(const struct nc_buf *segment, size_t padding, const struct nc_split_record *file);
/* The same after a long name of 0.9.4 was put before the header of its member. False: it cannot be, and the segment is as
 * it was. NACRE_E_NOMEM. */
int nc_old_segment_mend(struct nc_buf *segment, size_t padding, const struct nc_split_record *file,
			struct nacre_error *err);

#endif
