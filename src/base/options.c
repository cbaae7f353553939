#include "base/options.h"

#include <string.h>

int nc_options_take(const void *given, void *ret, size_t size, struct nacre_error *err)
{
	size_t told;
	memset(ret, 0, size);
	if (!given)
		return 0;
	memcpy(&told, given, sizeof told);
	if (told < sizeof told)
		return nc_fail(err, NACRE_E_INVALID, 0, "the options do not say their size");
	memcpy(ret, given, told < size ? told : size);
	return 0;
}
