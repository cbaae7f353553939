/* Long files that are removed: their pages are dropped from memory by several processors, beside the caller's own work.
 *
 * Removing a file drops them too, on one processor, and where they were just written that is nearly all of the time it takes. */
#ifndef NC_IO_FORGET_H
#define NC_IO_FORGET_H

#include "io/crew.h"

#include <stdint.h>

struct nc_forgetting {
	struct nc_crew crew;
	struct nc_forgotten *first;
};

void nc_forgetting_init(struct nc_forgetting *forgetting);
/* Takes up a file of len bytes, of which all should be on the disk: else it is sent there. It may be removed from now on; its room
 * is free once that was waited for. Nothing is done for a file that is not long, and whatever fails is no loss. */
void nc_forget(struct nc_forgetting *forgetting, int fd, uint64_t len);
/* Until all that was taken up is done, and its room free. */
void nc_forgetting_wait(struct nc_forgetting *forgetting);
/* Waits too. */
void nc_forgetting_release(struct nc_forgetting *forgetting);

#endif
