/* Writing an archive of an image: plain files in the order in which they are added, all with one time and mode, so
 * that the same files give the same bytes. A regular file appears under its name at the commit. */
#ifndef NC_TRANSPORT_ARCHIVE_SAVE_H
#define NC_TRANSPORT_ARCHIVE_SAVE_H

#include "io/reader.h"
#include "io/writer.h"
#include "transport/spool.h"

struct nc_archive_out;

/* path "-" is fd 1. What is there and no regular file (a pipe, a device) is written to directly. */
int nc_archive_out_open(const char *path, struct nc_archive_out **ret, struct nacre_error *err);
void nc_archive_out_free(struct nc_archive_out *out);

int nc_archive_out_bytes(struct nc_archive_out *out, const char *name, const void *bytes, size_t len,
			 struct nacre_error *err);
/* A member of size bytes, which are then written to *ret_writer (borrowed, valid until the next member, not to be
 * finished or closed). */
int nc_archive_out_begin(struct nc_archive_out *out, const char *name, uint64_t size, struct nc_writer **ret_writer,
			 struct nacre_error *err);
/* A member that reader (borrowed) gives. */
int nc_archive_out_stream(struct nc_archive_out *out, const char *name, uint64_t size, struct nc_reader *reader,
			  struct nacre_error *err);
/* Ends the archive, makes it durable and gives it its name. */
int nc_archive_out_commit(struct nc_archive_out *out, struct nacre_error *err);

/* Where to keep aside what has to be: in the store, or where the archive is going to be. */
struct nc_spool nc_archive_out_spool(const struct nc_archive_out *out, struct nacre_store *store);

#endif
