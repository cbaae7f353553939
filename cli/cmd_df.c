#include "commands.h"

#include "human.h"
#include "json_out.h"
#include "listing.h"
#include "mem.h"

#include <inttypes.h>

static const struct option_spec options[] = {
	OPTION_NOHEADING,
	OPTION_FORMAT,
	OPTION_JSON,
	{ .name = NULL },
};

enum { TYPE, TOTAL, ACTIVE, SIZE, RECLAIMABLE, COLUMN_COUNT };
static const struct column columns[] = {
	[TYPE] = { .field = "Type", .header = "TYPE" },
	[TOTAL] = { .field = "Total", .header = "TOTAL", .right = true },
	[ACTIVE] = { .field = "Active", .header = "ACTIVE", .right = true },
	[SIZE] = { .field = "Size", .header = "SIZE", .right = true },
	[RECLAIMABLE] = { .field = "Reclaimable", .header = "RECLAIMABLE", .right = true },
	[COLUMN_COUNT] = { .field = NULL },
};

struct row {
	const char *type;
	const uint64_t *total, *active, *size, *reclaimable;	/* NULL: empty */
};

static void add_row(struct listing *listing, const struct row *row)
{
	AUTO_FREE char *total = row->total ? must_printf("%" PRIu64, *row->total) : must_copy("");
	AUTO_FREE char *active = row->active ? must_printf("%" PRIu64, *row->active) : must_copy("");
	char size[HUMAN_MAX] = "", reclaimable[HUMAN_MAX] = "";

	if (row->size)
		human_size(size, *row->size);
	if (row->reclaimable)
		human_size(reclaimable, *row->reclaimable);
	listing_row(listing, (const char *[COLUMN_COUNT]){
				     [TYPE] = row->type,
				     [TOTAL] = total,
				     [ACTIVE] = active,
				     [SIZE] = size,
				     [RECLAIMABLE] = reclaimable,
			     });
}

static json_t *usage_fact(const struct nacre_usage *usage)
{
	json_t *fact = json_object();

	json_object_set_new(fact, "images", json_size(usage->images));
	json_object_set_new(fact, "active", json_size(usage->active));
	json_object_set_new(fact, "layers", json_size(usage->layers));
	json_object_set_new(fact, "blobs", json_size(usage->blobs));
	json_object_set_new(fact, "tree_bytes", json_size(usage->trees));
	json_object_set_new(fact, "blob_bytes", json_size(usage->blob_bytes));
	json_object_set_new(fact, "metadata_bytes", json_size(usage->metadata));
	json_object_set_new(fact, "catalog_bytes", json_size(usage->catalog));
	json_object_set_new(fact, "rubbish_bytes", json_size(usage->rubbish));
	json_object_set_new(fact, "total_bytes", json_size(usage->total));
	json_object_set_new(fact, "reclaimable_bytes", json_size(usage->reclaimable));
	return fact;
}

static int run(struct app *app, const struct args *args)
{
	AUTO_LISTING struct listing listing;
	struct nacre_usage usage = { .images = 0 };
	struct nacre_error err = { .code = 0 };
	const struct row rows[] = {
		{ "Images", &usage.images, &usage.active, NULL, NULL },
		{ "Layers", &usage.layers, NULL, &usage.trees, NULL },
		{ "Blobs", &usage.blobs, NULL, &usage.blob_bytes, NULL },
		{ "Metadata", NULL, NULL, &usage.metadata, NULL },
		{ "Catalog", NULL, NULL, &usage.catalog, NULL },
		{ "Rubbish", NULL, NULL, &usage.rubbish, NULL },
		{ "All", NULL, NULL, &usage.total, &usage.reclaimable },
	};
	int code;

	listing_init(&listing, columns, NULL);
	code = app_open(app, APP_LOOK_OR_NONE);
	if (code != EXIT_DONE)
		return code;
	if (app->store)
		code = nacre_df(app->store, &usage, &err);
	if (code < 0)
		return app_fail(app, code, &err);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		add_row(&listing, &rows[i]);
	/* one set of facts, not a list of rows */
	json_decref(listing.facts);
	listing.facts = usage_fact(&usage);
	return listing_print(app, &listing, args);
}

const struct command cmd_df = {
	.name = "df",
	.operands = "",
	.summary = "show what the store takes on disk",
	.details = "Reclaimable is what images without a name or mount take, and rubbish.",
	.example = "nacre df --json",
	.options = options,
	.min = 0,
	.max = 0,
	.run = run,
};
