/* Writing tar archives: pax, restricted, so plain ustar for every member that ustar can say all about, and a pax header
 * before those where it cannot (long names, nanoseconds, times before 1970, big numbers, extended attributes).
 * Deterministic: the same calls give the same bytes. Names and attributes are bytes and stay as they are. */
#ifndef NC_TAR_WRITE_H
#define NC_TAR_WRITE_H

#include "io/writer.h"
#include "tar/entry.h"

struct nc_tar_writer;

/* out is borrowed and not finished. */
int nc_tar_writer_new(struct nc_writer *out, struct nc_tar_writer **ret, struct nacre_error *err);
/* A member; entry->size bytes must follow through nc_tar_writer_data (for a sparse entry too: holes as zeros), and
 * only files have any. A directory's name gains the slash at its end that it lacks. NACRE_E_INVALID for a member
 * that no archive can hold (no name, no type of a file, a link without a target, an attribute without a name) and when
 * bytes of the one before are missing; NACRE_E_LIMIT beyond NC_TAR_NAME_MAX and NC_TAR_HEADER_MAX. */
int nc_tar_writer_entry(struct nc_tar_writer *tar, const struct nc_entry *entry, struct nacre_error *err);
int nc_tar_writer_data(struct nc_tar_writer *tar, const void *bytes, size_t len, struct nacre_error *err);
/* Closing blocks: exactly two. */
int nc_tar_writer_finish(struct nc_tar_writer *tar, struct nacre_error *err);
void nc_tar_writer_free(struct nc_tar_writer *tar);
NC_DEFINE_CLEANUP(nc_tar_writer_auto, struct nc_tar_writer *, nc_tar_writer_free)

#endif
