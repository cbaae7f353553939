#include "transport/offer.h"

#include <stdlib.h>
#include <string.h>

int nc_names_add(struct nc_names *names, const char *name, struct nacre_error *err)
{
	for (size_t i = 0; i < names->count; i++)
		if (!strcmp(names->list[i], name))
			return 0;
	if (names->count == NC_NAMES_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "more than %d names for one image", NC_NAMES_MAX);
	char **list = nc_realloc_array(names->list, names->count + 2, sizeof *list);
	if (!list)
		return nc_nomem(err);
	names->list = list;
	list[names->count] = nc_strdup(name);
	if (!list[names->count])
		return nc_nomem(err);
	list[++names->count] = NULL;
	return 0;
}

void nc_names_release(struct nc_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	free(names->list);
	*names = (struct nc_names){ 0 };
}

const char *const *nc_names_list(const struct nc_names *names)
{
	static const char *const none[] = { NULL };
	return names->count ? (const char *const *)names->list : none;
}

void nc_offer_box_release(struct nc_offer_box *box)
{
	nc_names_release(&box->names);
	free(box->config);
	free(box->manifest);
	free(box->index);
	free(box->v1_id);
	nc_config_free(box->parsed);
	nc_manifest_free(box->parsed_manifest);
	free(box->layers);
	free(box->v1_nodes);
	*box = (struct nc_offer_box){ 0 };
	box->offer.names = nc_names_list(&box->names);
}

int nc_offer_box_name(struct nc_offer_box *box, const char *name, struct nacre_error *err)
{
	int code = nc_names_add(&box->names, name, err);
	box->offer.names = nc_names_list(&box->names);
	return code;
}

static int make_layers(struct nc_offer_box *box, struct nacre_error *err)
{
	size_t count = box->parsed->diff_id_count;
	box->layers = nc_realloc_array(NULL, count, sizeof *box->layers);
	if (!box->layers)
		return nc_nomem(err);
	for (size_t i = 0; i < count; i++)
		box->layers[i] = (struct nc_offer_layer){
			.diff_id = box->parsed->diff_ids[i], .blob_size = UINT64_MAX, .media_type = "",
		};
	box->offer.layers = box->layers;
	box->offer.layer_count = count;
	return 0;
}

int nc_offer_box_config(struct nc_offer_box *box, char *config, size_t len, struct nacre_error *err)
{
	box->config = config;
	int code = nc_config_parse(config, len, &box->parsed, err);
	if (code < 0)
		return code;
	box->offer.config = config;
	box->offer.config_len = len;
	box->offer.parsed = box->parsed;
	box->offer.names = nc_names_list(&box->names);
	return box->layers ? 0 : make_layers(box, err);
}

int nc_offer_chain(const struct nc_offer *offer, struct nc_digest *ret, size_t *known, struct nacre_error *err)
{
	size_t count = *known;
	while (count < offer->layer_count && offer->layers[count].diff_id.alg)
		count++;
	if (count == *known)
		return 0;
	NC_AUTO_FREE struct nc_digest *diff_ids = nc_realloc_array(NULL, count, sizeof *diff_ids);
	if (!diff_ids)
		return nc_nomem(err);
	for (size_t i = 0; i < count; i++)
		diff_ids[i] = offer->layers[i].diff_id;
	int code = nc_chain_ids(diff_ids, count, ret, err);
	if (code >= 0)
		*known = count;
	return code;
}

uint64_t nc_offer_layer_here(struct nacre_store *store, const struct nc_offer_layer *layer)
{
	uint64_t here = store && layer->blob.alg ? nc_partial_there(store, &layer->blob) : 0;
	return here > layer->blob_size ? 0 : here;
}

void nc_offer_weigh(struct nacre_store *store, const struct nc_offer *offer, size_t i, bool keep_blobs,
		    struct nc_room *room)
{
	const struct nc_offer_layer *layer = &offer->layers[i];
	bool compressed = strstr(layer->media_type, "gzip") || strstr(layer->media_type, "zstd");
	if (layer->blob_size > INT64_MAX)
		return;
	*(compressed ? &room->compressed : &room->plain) += layer->blob_size;
	/* what an earlier pull has left is kept as it is */
	if (compressed && keep_blobs && offer->manifest)
		room->kept += layer->blob_size - nc_offer_layer_here(store, layer);
}

int nc_manifest_check_image(const struct nc_manifest *manifest, struct nacre_error *err)
{
	const char *config = manifest->config.media_type;
	if (manifest->kind != NC_DOC_MANIFEST)
		return nc_fail(err, NACRE_E_BADDATA, 0, "an index stands where a manifest must");
	if (strcmp(config, NC_MEDIA_OCI_CONFIG) && strcmp(config, NC_MEDIA_DOCKER_CONFIG))
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "its config is '%s': it is no image",
			       *config ? config : "of no type");
	for (size_t i = 0; i < manifest->item_count; i++) {
		const char *type = manifest->items[i].media_type;
		if (nc_media_type_is_layer(type))
			continue;
		if (strstr(type, "foreign") || strstr(type, "nondistributable"))
			return nc_fail(err, NACRE_E_UNSUPPORTED, 0,
				       "layer %zu is a foreign one ('%s'): its bytes do not travel with the image",
				       i + 1, type);
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "layer %zu is '%s', which is no layer", i + 1, type);
	}
	return 0;
}

int nc_offer_box_manifest(struct nc_offer_box *box, char *bytes, size_t len, struct nc_manifest *manifest,
			  struct nacre_error *err)
{
	free(box->manifest);
	nc_manifest_free(box->parsed_manifest);
	box->manifest = bytes;
	box->parsed_manifest = manifest;
	int code = nc_manifest_check_image(manifest, err);
	if (code < 0)
		return code;
	if (manifest->item_count != box->offer.layer_count)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the manifest has %zu layers, the config %zu",
			       manifest->item_count, box->offer.layer_count);
	for (size_t i = 0; i < manifest->item_count; i++) {
		box->layers[i].blob = manifest->items[i].digest;
		box->layers[i].blob_size = manifest->items[i].size;
		box->layers[i].media_type = manifest->items[i].media_type;
		box->layers[i].proved = box->layers[i].known = false;
	}
	box->offer.manifest = bytes;
	box->offer.manifest_len = len;
	box->offer.manifest_media_type = manifest->media_type;
	return 0;
}

int nc_position_parse(const char *text, size_t *ret)
{
	size_t len = *text == '@' ? strspn(text + 1, "0123456789") : 0;
	if (!len || len > 9 || text[1 + len])
		return 0;
	*ret = strtoul(text + 1, NULL, 10);
	return 1;
}

void nc_source_close(struct nc_source *source)
{
	if (!source)
		return;
	char *label = source->label;
	source->ops->close(source);
	free(label);
}

void nc_sink_close(struct nc_sink *sink)
{
	if (sink)
		sink->ops->close(sink);
}
