/* Locks that die with their owner: open-file-description byte-range locks (F_OFD_SETLK). A range per ID in one file,
 * so no lock files pile up. Two descriptors of one process exclude each other too. */
#ifndef NC_IO_LOCK_H
#define NC_IO_LOCK_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum nc_lock_kind { NC_LOCK_SHARED, NC_LOCK_EXCLUSIVE };

/* Lock length bytes from start (0: to the end). wait false: NACRE_E_BUSY when another holds it. */
int nc_lock_take(int fd, enum nc_lock_kind kind, uint64_t start, uint64_t length, bool wait,
		 struct nacre_error *err);
/* Waits for the lock, but no longer than until *cancel (may be NULL) is not 0: NACRE_E_CANCELLED. It is looked at all the
 * time, so that a signal that comes just before the wait is not missed. */
int nc_lock_wait(int fd, enum nc_lock_kind kind, uint64_t start, uint64_t length, const volatile int *cancel,
		 struct nacre_error *err);
/* Whether another descriptor holds a lock in the range that is in the way of one of this kind; takes nothing, and fd may be
 * open for reading only. A lock that cannot be asked for counts as held. */
bool nc_lock_held(int fd, enum nc_lock_kind kind, uint64_t start, uint64_t length);
void nc_lock_release(int fd, uint64_t start, uint64_t length);

#endif
