/* Writing tar archives (libarchive): pax restricted, so plain ustar where that can say it all. Deterministic: the same
 * calls give the same bytes. */
#ifndef NC_TAR_WRITE_H
#define NC_TAR_WRITE_H

#include "io/writer.h"
#include "tar/entry.h"

struct nc_tar_writer;

/* out is borrowed and not finished. */
int nc_tar_writer_new(struct nc_writer *out, struct nc_tar_writer **ret, struct nacre_error *err);
/* A member; entry->size bytes must follow through nc_tar_writer_data (for a sparse entry too: holes as zeros). */
int nc_tar_writer_entry(struct nc_tar_writer *tar, const struct nc_entry *entry, struct nacre_error *err);
int nc_tar_writer_data(struct nc_tar_writer *tar, const void *bytes, size_t len, struct nacre_error *err);
/* Closing blocks: exactly two. */
int nc_tar_writer_finish(struct nc_tar_writer *tar, struct nacre_error *err);
void nc_tar_writer_free(struct nc_tar_writer *tar);
NC_DEFINE_CLEANUP(nc_tar_writer_auto, struct nc_tar_writer *, nc_tar_writer_free)

#endif
