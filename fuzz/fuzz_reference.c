/* Any text as an image name: what is accepted must come back the same from both of its spellings. */
#include "image/reference.h"

#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_same(const char *text, const char *full)
{
	struct nc_reference again;
	char other[NC_REFERENCE_TEXT];
	if (nc_reference_parse_bare(text, &again, NULL) < 0 || strcmp(nc_reference_full(&again, other), full) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nc_reference reference;
	struct nacre_error err;
	NC_AUTO_FREE char *text = nc_memdup(data, size);
	char full[NC_REFERENCE_TEXT], shown[NC_REFERENCE_TEXT];
	if (!text || nc_reference_parse(text, &reference, &err) < 0)
		return 0;
	nc_reference_full(&reference, full);
	nc_reference_short(&reference, shown);
	expect_same(full, full);
	expect_same(shown, full);
	/* a name may become a path: no part of it walks */
	if (strstr(reference.domain, "..") || strchr(reference.domain, '/') || strstr(reference.path, "..") ||
	    strstr(reference.path, "//") || reference.path[0] == '/' || reference.tag[0] == '.' ||
	    strchr(reference.tag, '/'))
		abort();
	return 0;
}
