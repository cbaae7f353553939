/* Subvolumes of btrfs: directories that are trees of their own and can be branched and dropped at once. A directory is
 * named by the descriptor of the one that holds it and one component; no link is followed. Functions return 0 or the
 * errno. */
#ifndef NC_IO_SUBVOLUME_H
#define NC_IO_SUBVOLUME_H

#include <stdbool.h>
#include <time.h>

/* Whether it can be one: on other file systems some directory may look alike, and then the calls below fail. */
bool nc_subvolume_is(int dirfd, const char *name);
/* Make a new one; from (a descriptor of a subvolume's root; -1: empty) is what it begins with. */
int nc_subvolume_create(int dirfd, const char *name, int from);
/* Drop it with everything in it. Fails where the process may not (EPERM), and when it holds other subvolumes
 * (ENOTEMPTY). */
int nc_subvolume_destroy(int dirfd, const char *name);
/* Take the read-only flag away. */
int nc_subvolume_unlock(int dirfd, const char *name);
/* When it was branched off from another one; both zero when it never was. fd: its root. */
int nc_subvolume_branched(int fd, struct timespec *ret);

#endif
