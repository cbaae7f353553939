/* Any bytes as a manifest or an index: what is accepted is written, read and written again, and stays the same. */
#include "image/manifest.h"

#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nacre_error err;
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *first = NULL, *second = NULL;
	NC_AUTO_FREE char *made = NULL, *again = NULL;
	size_t made_len, again_len;
	if (nc_manifest_parse((const char *)data, size, NULL, &first, &err) < 0)
		return 0;
	const struct nc_platform wanted = { .os = "linux", .architecture = "arm64" };
	if (first->kind == NC_DOC_INDEX && nc_index_choose(first, &wanted, &err) >= (int)first->item_count)
		abort();
	if (nc_manifest_make(first, &made, &made_len, &err) < 0)
		return 0;
	if (nc_manifest_parse(made, made_len, first->media_type, &second, &err) < 0 ||
	    nc_manifest_make(second, &again, &again_len, &err) < 0)
		abort();
	if (made_len != again_len || memcmp(made, again, made_len) != 0)
		abort();
	return 0;
}
