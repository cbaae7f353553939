/* The flag that ends an operation: set by a signal handler or another thread, looked at by every thread of the operation. */
#ifndef NC_BASE_CANCEL_H
#define NC_BASE_CANCEL_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* cancel may be NULL: nobody can. */
static inline bool nc_cancelled(const volatile int *cancel)
{
	return cancel && __atomic_load_n(cancel, __ATOMIC_RELAXED);
}

/* NACRE_E_CANCELLED. */
static inline int nc_cancel_check(const volatile int *cancel, struct nacre_error *err)
{
	return nc_cancelled(cancel) ? nc_fail(err, NACRE_E_CANCELLED, 0, "cancelled") : 0;
}

#endif
