/* Manifests of schema 1 as offers: their diff IDs, and so the image's config, are known only when the layers were read. */
#include "image/schema1.h"
#include "transport/offer.h"

static size_t count_layers(const struct nc_schema1 *manifest)
{
	size_t count = 0;
	for (size_t i = 0; i < manifest->count; i++)
		count += manifest->items[i].blob.alg != 0;
	return count;
}

static int settle_config(const struct nc_schema1 *manifest, struct nc_offer_box *box, struct nacre_error *err)
{
	char *config;
	size_t len;
	for (size_t i = 0; i < manifest->count; i++)
		if (manifest->items[i].blob.alg && !manifest->items[i].diff_id.alg)
			return 0;
	int code = nc_schema1_config(manifest, &config, &len, err);
	return code < 0 ? code : nc_offer_box_config(box, config, len, err);
}

int nc_offer_box_schema1(struct nc_offer_box *box, const struct nc_schema1 *manifest, struct nacre_error *err)
{
	size_t count = count_layers(manifest), layer = 0;
	box->layers = nc_zalloc(count * sizeof *box->layers);
	if (!box->layers)
		return nc_nomem(err);
	for (size_t i = 0; i < manifest->count; i++) {
		const struct nc_schema1_item *item = &manifest->items[i];
		if (item->blob.alg)
			box->layers[layer++] = (struct nc_offer_layer){
				.diff_id = item->diff_id, .blob = item->blob, .blob_size = UINT64_MAX, .media_type = "",
			};
	}
	box->offer.layers = box->layers;
	box->offer.layer_count = count;
	return settle_config(manifest, box, err);
}

int nc_offer_box_schema1_learned(struct nc_offer_box *box, struct nc_schema1 *manifest, size_t layer,
				 const struct nc_digest *diff_id, struct nacre_error *err)
{
	struct nc_schema1_item *item = manifest->items;
	box->layers[layer].diff_id = *diff_id;
	for (size_t before = layer; !item->blob.alg || before--;)
		item++;
	item->diff_id = *diff_id;
	return settle_config(manifest, box, err);
}
