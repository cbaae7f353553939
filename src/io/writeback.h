/* Before a sync of a whole file system: what was written goes to the disk and is waited for, without a flush.
 *
 * ext4 notes only when data was written that it is there. A sync begins its commit as soon as all data is on its way: what
 * arrives after that needs a second commit, with two more flushes. Where there are few files this is quicker than that.
 * Whatever fails here the sync reports. */
#ifndef NC_IO_WRITEBACK_H
#define NC_IO_WRITEBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file from this size on is sent to the disk as soon as it is whole. Smaller ones cost more so than they would in the sync. */
#define NC_EARLY_BYTES ((uint64_t)1 << 20)

/* wait false: it is only sent on its way. */
void nc_writeback_file(int fd, bool wait);

/* The same of all regular files below a directory, in two rounds over all that a sync awaits: first without waiting. room: how
 * many entries are looked at, counted down by each call; at 0 it goes no further. */
void nc_writeback_tree(int dir, bool wait, size_t *room);

#endif
