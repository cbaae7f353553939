/* Structs of options in the public header: they begin with their own size, so that callers and library may know different
 * numbers of fields. */
#ifndef NC_BASE_OPTIONS_H
#define NC_BASE_OPTIONS_H

#include "base/error.h"

#include <stddef.h>

/* Fills *ret, a struct of size bytes, with what given (borrowed; NULL: nothing) has of it; the rest is zero, which is
 * the default. NACRE_E_INVALID when given does not tell its size. */
int nc_options_take(const void *given, void *ret, size_t size, struct nacre_error *err);

#endif
