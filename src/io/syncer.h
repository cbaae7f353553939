/* Syncs a file system beside whoever writes much to it, so that the sync at the end, which is waited for, is short. It proves
 * nothing: what it fails to write that last sync tells of. */
#ifndef NC_IO_SYNCER_H
#define NC_IO_SYNCER_H

#include "base/error.h"

#include <stdint.h>

/* Syncs while so many bytes or more come, of what is not on its way anyway. Less is left to the last sync: each sync makes the disk empty its cache. */
#define NC_SYNCER_STEP ((uint64_t)32 << 20)

struct nc_syncer;
/* fd: on the file system, and nobody else's, since whoever syncs a descriptor is told of failures in his place. It is taken. */
int nc_syncer_new(int fd, struct nc_syncer **ret, struct nacre_error *err);
/* So many more bytes were written. Any number of threads may tell. NULL is fine. */
void nc_syncer_wrote(struct nc_syncer *syncer, uint64_t bytes);
/* Waits for a sync that is under way. NULL is fine. */
void nc_syncer_free(struct nc_syncer *syncer);

#endif
