/* Any bytes as a config, as an image JSON of 2015, and as a change of import. What is made of accepted input must be
 * accepted again. */
#include "image/config.h"

#include "base/mem.h"
#include "image/gojson.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void as_config(const char *text, size_t len)
{
	struct nacre_error err;
	NC_CLEANUP(nc_config_auto) struct nc_config *config = NULL;
	NC_CLEANUP(nc_v1_image_auto) struct nc_v1_image *image = NULL;
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(8 * NC_JSON_MAX);
	if (nc_config_parse(text, len, &config, &err) < 0)
		return;
	NC_AUTO_FREE struct nc_digest *chain = nc_realloc_array(NULL, config->diff_id_count, sizeof *chain);
	if (!chain || nc_chain_ids(config->diff_ids, config->diff_id_count, chain, &err) < 0)
		abort();
	if (nc_v1_image_write(&buf, ID, "", config, 0, &err) < 0 ||
	    (buf.len <= NC_JSON_MAX && nc_v1_image_parse(buf.data, buf.len, &image, &err) == NACRE_E_BADDATA))
		abort();
}

static void as_v1_image(const char *text, size_t len)
{
	struct nacre_error err;
	NC_AUTO_FREE char *made = NULL;
	NC_CLEANUP(nc_json_auto) json_t *again = NULL;
	struct nc_v1_layer layers[2] = { { .json = text, .json_len = len }, { .json = text, .json_len = len } };
	size_t made_len;
	nc_digest_of(text, len, &layers[0].diff_id, &err);
	if (nc_config_from_v1(layers, 2, &made, &made_len, &err) == 0 &&
	    nc_json_parse(made, made_len, "made", &again, &err) == NACRE_E_BADDATA)
		abort();
}

static void as_change(const char *text)
{
	struct nacre_error err;
	NC_AUTO_FREE char *made = NULL;
	NC_CLEANUP(nc_config_auto) struct nc_config *config = NULL;
	const char *const changes[] = { "ENV A=1", text };
	const struct nc_config_new facts = { .architecture = "amd64", .os = "linux", .changes = changes, .change_count = 2 };
	size_t len;
	if (nc_config_make(&facts, &made, &len, &err) == 0 && nc_config_parse(made, len, &config, &err) == NACRE_E_BADDATA)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	NC_AUTO_FREE char *text = nc_memdup(data, size);
	if (!text)
		return 0;
	as_config(text, size);
	as_v1_image(text, size);
	as_change(text);
	return 0;
}
