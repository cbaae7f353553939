/* The one rule of paths: after open, files are named as (directory descriptor, relative name), and one function
 * resolves more than one component. It uses openat2, or walks component by component with O_PATH|O_NOFOLLOW where
 * the kernel has none; both ways give the same answer and both are tested (NC_PATH_NO_OPENAT2 forces the walk). */
#ifndef NC_IO_PATH_H
#define NC_IO_PATH_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum nc_path_flags {
	NC_PATH_NO_SYMLINKS = 1,	/* a symbolic link anywhere, the last component included, is ELOOP; but
					 * O_PATH | O_NOFOLLOW opens a last component that is a link, as it is */
	NC_PATH_IN_ROOT = 2,		/* links are followed as if root were "/": absolute ones and .. stay inside.
					 * Without it every escape is EXDEV. */
	NC_PATH_NO_OPENAT2 = 4,		/* for tests */
};

/* Open path (relative; "" and "." are root itself) beneath the directory root with open(2) flags oflags (O_CLOEXEC
 * is added; no O_CREAT). Never a magic link, never another file system's "..". Returns a descriptor or a negative
 * errno: this is the one function here that speaks errno, since callers branch on it (ENOENT, ENOTDIR, ELOOP). */
int nc_path_open(int root, const char *path, int oflags, unsigned flags);

/* Lexical cleaning as Go's path.Clean on a rooted name: "./a//b/../c/" gives "a/c", "/" and "." give "". A ".." that
 * would leave the root is NACRE_E_BADDATA, as are an embedded NUL, a component over 255 bytes (not counting the ".wh."
 * before the name of a file that a layer deletes) and a path over 4096 components or 65535 bytes. ret has room for len + 1 bytes. ret_len may be NULL. */
int nc_path_clean(const char *name, size_t len, char *ret, size_t *ret_len, struct nacre_error *err);

/* Remove name below dirfd with everything in it. Follows nothing, crosses no mount (EBUSY, EXDEV are failures),
 * makes directories without permissions removable first, does not recurse on the call stack. Subvolumes go too.
 * Missing is fine. */
int nc_tree_remove(int dirfd, const char *name, struct nacre_error *err);

#endif
