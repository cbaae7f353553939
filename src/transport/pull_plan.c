/* nacre_pull_plan: what a pull would do. */
#include "transport/copy.h"
#include "transport/offer.h"

#include <stdlib.h>
#include <string.h>

void nacre_pull_plan_free(struct nacre_pull_plan *plan)
{
	if (!plan)
		return;
	free(plan->name);
	free(plan->from);
	free(plan->id);
	free(plan->manifest_digest);
	free(plan->layers);
	free(plan);
}
NC_DEFINE_CLEANUP(plan_auto, struct nacre_pull_plan *, nacre_pull_plan_free)

/* chain: the ID of the node; NULL where nobody knows it before. */
static void plan_layer(struct nacre_store *store, const struct nc_offer_layer *layer, const struct nc_digest *chain,
		       struct nacre_planned_layer *ret)
{
	char hex[NC_DIGEST_TEXT];
	struct nacre_node node;
	*ret = (struct nacre_planned_layer){ .size = layer->blob_size };
	nc_digest_text(&layer->blob, ret->digest);
	ret->there = store && chain && nacre_node_get(store, nc_digest_hex(chain, hex), &node, NULL) == 0;
	ret->fetched = ret->there ? 0 : nc_offer_layer_here(store, layer);
}

static void add_up(struct nacre_store *store, const struct nc_offer *offer, enum nacre_blobs blobs,
		   struct nacre_pull_plan *plan)
{
	struct nc_room room = { 0 };
	for (size_t i = 0; i < plan->layer_count; i++) {
		const struct nacre_planned_layer *layer = &plan->layers[i];
		if (layer->there || layer->size > INT64_MAX)
			continue;
		plan->fetch += layer->size - layer->fetched;
		nc_offer_weigh(store, offer, i, blobs == NACRE_BLOBS_KEEP, &room);
	}
	plan->needed = room.compressed + room.kept;
	plan->free = UINT64_MAX;
	if (store)
		nc_store_room(store, &room, &plan->needed, &plan->free);
}

static int plan_layers(struct nacre_store *store, const struct nc_offer *offer, struct nacre_pull_plan *plan,
		       struct nacre_error *err)
{
	size_t count = offer->layer_count, known = 0;
	NC_AUTO_FREE struct nc_digest *chain = nc_realloc_array(NULL, count, sizeof *chain);
	plan->layers = nc_realloc_array(NULL, count, sizeof *plan->layers);
	if (!chain || !plan->layers)
		return nc_nomem(err);
	int code = nc_offer_chain(offer, chain, &known, err);
	if (code < 0)
		return code;
	for (size_t i = 0; i < count; i++)
		plan_layer(store, &offer->layers[i], i < known ? &chain[i] : NULL, &plan->layers[i]);
	plan->layer_count = count;
	return 0;
}

static int describe(const struct nc_source *source, const struct nc_offer *offer, struct nacre_pull_plan *plan,
		    struct nacre_error *err)
{
	char id[NC_DIGEST_TEXT] = "", manifest[NC_DIGEST_TEXT] = "";
	struct nc_digest digest;
	int code = offer->config ? nc_digest_of(offer->config, offer->config_len, &digest, err) : 0;
	if (code >= 0 && offer->config)
		nc_digest_hex(&digest, id);
	if (code >= 0 && offer->manifest && (code = nc_digest_of(offer->manifest, offer->manifest_len, &digest, err)) >= 0)
		nc_digest_text(&digest, manifest);
	if (code < 0)
		return code;
	plan->name = nc_strdup(*offer->names ? *offer->names : "");
	plan->from = nc_strdup(nc_registry_load_place(source));
	plan->id = nc_strdup(id);
	plan->manifest_digest = nc_strdup(manifest);
	return plan->name && plan->from && plan->id && plan->manifest_digest ? 0 : nc_nomem(err);
}

int nacre_pull_plan(struct nacre_store *store, const char *name, const struct nacre_copy_options *options,
		    struct nacre_pull_plan **ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_source_auto) struct nc_source *source = NULL;
	NC_CLEANUP(plan_auto) struct nacre_pull_plan *plan = nc_zalloc(sizeof *plan);
	struct nacre_copy_options taken;
	const struct nc_offer *offer;
	int code = plan ? nc_copy_options_take(options, &taken, err) : nc_nomem(err);
	if (code >= 0)
		code = nc_remote_offer(store, name, &taken, &source, &offer, err);
	if (code >= 0)
		code = describe(source, offer, plan, err);
	if (code >= 0)
		code = plan_layers(store, offer, plan, err);
	if (code < 0)
		return code;
	add_up(store, offer, taken.blobs, plan);
	*ret = NC_GIVE(plan);
	return 0;
}
