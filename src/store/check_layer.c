/* A layer that is built again: out of what is there, when that still has the layer's diff ID (then its tree, its metadata
 * and what the driver keeps beside it are as they were when it came), or out of the compressed layer that was kept. */
#include "store/check.h"
#include "store/ingest.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* source is taken. */
static int build(struct nc_check *check, const struct nc_node_facts *facts, struct nc_reader *source,
		 struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = source;
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	struct nc_digest diff_id;
	struct nc_layer_out out;
	struct nc_layer_in in = { .parent = *facts->parent ? facts->parent : NULL, .diff_id = &diff_id,
				  .blob_size = UINT64_MAX, .id = facts->id, .progress = &check->options->progress };
	int code = nc_digest_parse(facts->diff_id, &diff_id, err);
	if (code == 0)
		code = nc_ingest_begin(check->store, &ingest, err);
	if (code == 0)
		nc_ingest_watch(ingest, check->options->progress.cancel);
	/* parents first, as everybody does */
	int there = code == 0 && in.parent ? nc_ingest_has(ingest, in.parent, err) : 1;
	if (code < 0 || there < 0)
		return code < 0 ? code : there;
	if (!there)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "its parent is missing or damaged");
	code = nc_ingest_condemn(ingest, facts->id, err);
	return code < 0 ? code : nc_ingest_layer(ingest, &in, NC_GIVE(reader), &out, err);
}

static int from_itself(struct nc_check *check, const struct nc_node_facts *facts, struct nacre_error *err)
{
	struct nc_reader *archive = NULL;
	int code = nc_store_layer_tar(check->store, facts->id, &archive, NULL, err);
	return code < 0 ? code : build(check, facts, archive, err);
}

/* --- kept blobs ------------------------------------------------------------------------------------------------- */

struct search {
	struct nc_check *check;
	const char *id;
	char hex[NC_HEX_ID];		/* "" until one is found */
};

static int look_at_image(void *ctx, const char *key, size_t len, void *value)
{
	struct search *search = ctx;
	const struct nc_checked *node = value;
	struct nacre_image *image = NULL;
	char id[NC_HEX_ID] = "";
	memcpy(id, key, len);
	if (!(node->kind & NC_NODE_IMAGE) || nc_image_read(search->check->store, id, true, &image, NULL) < 0)
		return 0;
	for (size_t i = 0; i < image->layer_count; i++) {
		const struct nacre_layer_info *layer = &image->layers[i];
		if (strcmp(layer->chain_id, search->id) == 0 && strncmp(layer->blob, "sha256:", 7) == 0 &&
		    nc_blob_exists(search->check->store, layer->blob + 7, NULL, NULL) > 0)
			memcpy(search->hex, layer->blob + 7, NC_HEX_ID);
	}
	nacre_image_free(image);
	return *search->hex;
}

static int from_blob(struct nc_check *check, const struct nc_node_facts *facts, struct nacre_error *err)
{
	struct search search = { .check = check, .id = facts->id };
	struct nc_digest digest;
	struct nc_reader *blob = NULL;
	nc_map_each(check->nodes, look_at_image, &search);
	if (!*search.hex)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "it needs a source: give --from a place that has the layer");
	int code = nc_digest_from_hex_id(search.hex, &digest, err);
	if (code == 0)
		code = nc_store_blob(check->store, &digest, &blob, NULL, err);
	return code < 0 ? code : build(check, facts, blob, err);
}

int nc_check_rebuild(struct nc_check *check, const char *id, struct nacre_error *err)
{
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	int code = nc_node_read_brief(check->store->graph, id, &facts, err);
	if (code == 0 && !*facts.diff_id)
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "its diff ID is not known, so nothing could prove another");
	if (code == 0)
		code = from_itself(check, &facts, err);
	/* what is in its way is there for any source */
	if (code >= 0 || code == NACRE_E_INUSE || code == NACRE_E_NOMEM || code == NACRE_E_CANCELLED ||
	    code == NACRE_E_NOSPACE || code == NACRE_E_UNSUPPORTED)
		return code < 0 ? code : 0;
	code = from_blob(check, &facts, err);
	return code < 0 ? code : 0;
}
