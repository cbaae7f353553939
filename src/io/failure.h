/* A failure that is kept, so that every call after it fails alike: readers and writers pass &self->failure where an
 * error is wanted and end with nc_failure_tell. */
#ifndef NC_IO_FAILURE_H
#define NC_IO_FAILURE_H

#include "base/error.h"

/* Keep code (its sentence is in failure already), tell the caller, and return it. */
static inline int nc_failure_tell(struct nacre_error *failure, int code, struct nacre_error *err)
{
	failure->code = code;
	if (err)
		*err = *failure;
	return code;
}

#endif
