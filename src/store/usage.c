/* Space accounts: whose the blocks of a store are, by how many images have what. */
#include "store/prune.h"
#include "store/writable.h"

#include <stdlib.h>
#include <string.h>

/* --- who has what ----------------------------------------------------------------------------------------------- */

struct node {
	const struct node *seen_by;	/* the image that was counted last */
	struct node *parent;
	const char *id;
	unsigned kind, users;
};

struct accounts {
	struct nacre_store *store;
	struct nc_blocks blocks;
	struct nc_rows rows, images;
	struct node *nodes;
	struct nc_map *by_id;
};

static void accounts_release(struct accounts *accounts)
{
	nc_blocks_release(&accounts->blocks);
	nc_rows_release(&accounts->rows);
	nc_rows_release(&accounts->images);
	free(accounts->nodes);
	nc_map_free(accounts->by_id);
}
#define AUTO_ACCOUNTS __attribute__((cleanup(accounts_release)))

static struct node *find(const struct accounts *accounts, const char *id)
{
	return nc_map_get(accounts->by_id, id, strlen(id));
}

static int list_nodes(struct accounts *accounts, struct nacre_error *err)
{
	const struct nc_rows *rows = &accounts->rows;
	int code = nc_catalog_ask(accounts->store->catalog, NC_ASK_NODES, NULL, NULL, &accounts->rows, err);
	accounts->by_id = nc_map_new();
	if (code == 0 && (!accounts->by_id ||
			  !(accounts->nodes = nc_realloc_array(NULL, rows->count, sizeof *accounts->nodes))))
		code = nc_nomem(err);
	for (size_t i = 0; code == 0 && i < rows->count; i++) {
		struct node *node = &accounts->nodes[i];
		*node = (struct node){ .id = nc_rows_text(rows, i, NC_COL_ID),
				       .kind = (unsigned)nc_rows_number(rows, i, NC_COL_KIND) };
		code = nc_map_set(accounts->by_id, node->id, strlen(node->id), node, NULL, err);
	}
	for (size_t i = 0; code == 0 && i < rows->count; i++)
		accounts->nodes[i].parent = find(accounts, nc_rows_text(rows, i, NC_COL_PARENT));
	return code;
}

static int count_users(struct accounts *accounts, struct nacre_error *err)
{
	int code = nc_catalog_ask(accounts->store->catalog, NC_ASK_IMAGES, NULL, NULL, &accounts->images, err);
	for (size_t i = 0; code == 0 && i < accounts->images.count; i++) {
		const struct node *image = find(accounts, nc_rows_text(&accounts->images, i, NC_COL_ID));
		/* what damage has closed to a ring is left when it comes round */
		for (struct node *at = (struct node *)image; at && at->seen_by != image; at = at->parent) {
			at->seen_by = image;
			at->users++;
		}
	}
	return code;
}

static int accounts_open(struct nacre_store *store, struct accounts *ret, struct nacre_error *err)
{
	*ret = (struct accounts){ .store = store };
	int code = list_nodes(ret, err);
	if (code == 0)
		code = count_users(ret, err);
	return code < 0 ? code : nc_blocks_count(store, &ret->blocks, err);
}

/* --- the store -------------------------------------------------------------------------------------------------- */

struct sums {
	const struct accounts *accounts;
	struct nacre_usage *usage;
};

static int add_tree(void *ctx, const char *id, uint64_t bytes)
{
	const struct sums *sums = ctx;
	struct nacre_usage *usage = sums->usage;
	const struct node *node = find(sums->accounts, id);
	if (node)
		*(node->users > 1 ? &usage->shared : node->users ? &usage->unique : &usage->unused) += bytes;
	else if (!sums->accounts->store->adopted)	/* there, containers lie among our trees */
		usage->rubbish += bytes;
	return 0;
}

static int count_one(void *ctx, const char *id, uint64_t bytes)
{
	++*(uint64_t *)ctx;
	return 0;
}

static void sort_bytes(const struct accounts *accounts, struct nacre_usage *usage)
{
	const struct nc_blocks *blocks = &accounts->blocks;
	nc_blocks_each(blocks, NC_PLACE_TREE, add_tree, &(struct sums){ accounts, usage });
	usage->trees = usage->unique + usage->shared + usage->unused;
	/* what of the driver's home is nobody's tree is all's */
	usage->metadata = blocks->bytes[NC_PLACE_METADATA] + blocks->bytes[NC_PLACE_NODE] +
			  blocks->bytes[NC_PLACE_TREE] - usage->trees - usage->rubbish;
	usage->rubbish += blocks->bytes[NC_PLACE_RUBBISH] + blocks->bytes[NC_PLACE_PARTIAL];
	usage->writable = blocks->bytes[NC_PLACE_WRITABLE];
	usage->blob_bytes = blocks->bytes[NC_PLACE_BLOB];
	usage->catalog = blocks->bytes[NC_PLACE_CATALOG];
	usage->total = usage->trees + usage->writable + usage->blob_bytes + usage->metadata + usage->catalog +
		       usage->rubbish;
	nc_blocks_each(blocks, NC_PLACE_BLOB, count_one, &usage->blobs);
	nc_blocks_each(blocks, NC_PLACE_WRITABLE, count_one, &usage->writables);
}

static int mark_mount(void *ctx, const char *id, const char *path)
{
	return nc_map_set(ctx, id, NC_HEX_ID - 1, ctx, NULL, NULL) < 0 ? -1 : 0;
}

/* Images with a name, a mount or a writable layer. */
static int count_active(struct accounts *accounts, struct nacre_usage *usage, struct nacre_error *err)
{
	struct nacre_store *store = accounts->store;
	NC_CLEANUP(nc_map_auto) struct nc_map *mounted = nc_map_new();
	int code = mounted ? nacre_mounts_each(store, mark_mount, mounted, err) : nc_nomem(err);
	for (size_t i = 0; code == 0 && i < accounts->images.count; i++) {
		const char *id = nc_rows_text(&accounts->images, i, NC_COL_ID);
		struct nc_writable writable;
		bool used = *nc_rows_text(&accounts->images, i, NC_COL_NAMES) || nc_map_get(mounted, id, NC_HEX_ID - 1);
		if (!used)
			used = (code = nc_writable_on(store, id, &writable, err)) > 0;
		usage->active += used;
		code = code > 0 ? 0 : code;
	}
	return code;
}

int nacre_df(struct nacre_store *store, struct nacre_usage *ret, struct nacre_error *err)
{
	AUTO_ACCOUNTS struct accounts accounts;
	NC_AUTO_ROWS struct nc_rows counts = { 0 };
	NC_AUTO_PRUNE struct nc_prune prune = { 0 };
	struct nacre_prune_options options = { .size = sizeof options };
	struct nacre_usage usage = { 0 };
	int code = accounts_open(store, &accounts, err);
	if (code == 0)
		code = nc_catalog_ask(store->catalog, NC_ASK_COUNTS, NULL, NULL, &counts, err);
	if (code == 0)
		code = count_active(&accounts, &usage, err);
	if (code == 0)
		code = nc_prune_plan(store, &options, &accounts.blocks, &prune, err);
	if (code < 0)
		return code;
	usage.images = (uint64_t)nc_rows_number(&counts, 0, 0);
	usage.layers = (uint64_t)nc_rows_number(&counts, 0, 1);
	sort_bytes(&accounts, &usage);
	usage.reclaimable = prune.bytes;
	*ret = usage;
	return 0;
}

/* --- image by image --------------------------------------------------------------------------------------------- */

struct search {
	const char *image;
	uint64_t count;
};

static int count_writable(void *ctx, const struct nacre_writable *writable)
{
	struct search *search = ctx;
	search->count += strcmp(writable->image, search->image) == 0;
	return 0;
}

static int measure_image(const struct accounts *accounts, const struct nacre_image *image,
			 struct nacre_image_usage *ret, struct nacre_error *err)
{
	struct search search = { .image = image->id };
	const struct node *at = find(accounts, image->id);
	*ret = (struct nacre_image_usage){ .image = image };
	for (int depth = 0; at && depth < NC_DEPTH_MAX; at = at->parent, depth++) {
		uint64_t bytes = nc_blocks_of(&accounts->blocks, NC_PLACE_TREE, at->id);
		ret->size += bytes;
		*(at->users > 1 ? &ret->shared : &ret->unique) += bytes;
	}
	int code = nacre_writables_each(accounts->store, count_writable, &search, err);
	ret->writables = search.count;
	return code;
}

static void list_auto(struct nacre_image_list **list)
{
	nacre_image_list_free(*list);
}

int nacre_df_images(struct nacre_store *store, int (*fn)(void *ctx, const struct nacre_image_usage *usage), void *ctx,
		    struct nacre_error *err)
{
	AUTO_ACCOUNTS struct accounts accounts = { .store = store };
	NC_CLEANUP(list_auto) struct nacre_image_list *list = NULL;
	int code = nacre_image_list(store, NULL, &list, err);
	if (code == 0)
		code = accounts_open(store, &accounts, err);
	for (size_t i = 0; code == 0 && i < list->count; i++) {
		struct nacre_image_usage usage;
		code = measure_image(&accounts, list->images[i], &usage, err);
		if (code == 0 && fn(ctx, &usage) < 0)
			code = nc_fail(err, NACRE_E_CANCELLED, 0, "cancelled");
	}
	return code;
}
