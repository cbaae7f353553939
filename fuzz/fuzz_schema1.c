/* Any bytes as a manifest of schema 1: what is accepted gives a config that can be read, with as many layers. */
#include "image/schema1.h"

#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	NC_CLEANUP(nc_schema1_auto) struct nc_schema1 *manifest = NULL;
	NC_CLEANUP(nc_config_auto) struct nc_config *parsed = NULL;
	NC_AUTO_BUF struct nc_buf payload = NC_BUF_INIT(1 << 22);
	NC_AUTO_FREE char *config = NULL;
	size_t len, layers = 0;
	nc_is_schema1("", (const char *)data, size);
	nc_schema1_payload((const char *)data, size, &payload, NULL);
	if (nc_schema1_parse((const char *)data, size, &manifest, NULL) < 0)
		return 0;
	for (size_t i = 0; i < manifest->count; i++) {
		manifest->items[i].diff_id = manifest->items[i].blob;
		layers += manifest->items[i].blob.alg != 0;
	}
	if (nc_schema1_config(manifest, &config, &len, NULL) < 0 || nc_config_parse(config, len, &parsed, NULL) < 0)
		return 0;
	if (parsed->diff_id_count != layers)
		abort();
	return 0;
}
