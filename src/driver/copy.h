/* Copying one object of a tree, with everything that belongs to it. */
#ifndef NC_DRIVER_COPY_H
#define NC_DRIVER_COPY_H

#include "base/error.h"
#include "tar/entry.h"

#include <sys/stat.h>

/* The entry type of a file; 0 for what no archive holds (sockets). */
enum nc_entry_type nc_type_of_mode(mode_t mode);

/* Copy the object that is no directory from (from_dir, from_name) to the new name (to_dir, to_name): content by
 * reflink where the file system can, with its holes where it cannot; owner, mode, attributes, time. st: of the
 * original. path serves the messages. */
int nc_copy_object(int from_dir, const char *from_name, const struct stat *st, int to_dir, const char *to_name,
		   const char *path, struct nacre_error *err);
/* The same for the metadata of a directory; to is the open directory. */
int nc_copy_directory(int from_dir, const char *from_name, const struct stat *st, int to, const char *path,
		      struct nacre_error *err);

#endif
