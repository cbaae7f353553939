#include "commands.h"

#include "human.h"
#include "image_text.h"
#include "json_out.h"
#include "listing.h"
#include "mem.h"

#include <inttypes.h>
#include <time.h>

static const struct option_spec options[] = {
	{ .letter = 'v', .name = "verbose", .help = "show what each image shares and what is its own" },
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
	json_object_set_new(fact, "writables", json_size(usage->writables));
	json_object_set_new(fact, "unique_bytes", json_size(usage->unique));
	json_object_set_new(fact, "shared_bytes", json_size(usage->shared));
	json_object_set_new(fact, "unused_bytes", json_size(usage->unused));
	json_object_set_new(fact, "tree_bytes", json_size(usage->trees));
	json_object_set_new(fact, "writable_bytes", json_size(usage->writable));
	json_object_set_new(fact, "blob_bytes", json_size(usage->blob_bytes));
	json_object_set_new(fact, "metadata_bytes", json_size(usage->metadata));
	json_object_set_new(fact, "catalog_bytes", json_size(usage->catalog));
	json_object_set_new(fact, "rubbish_bytes", json_size(usage->rubbish));
	json_object_set_new(fact, "total_bytes", json_size(usage->total));
	json_object_set_new(fact, "reclaimable_bytes", json_size(usage->reclaimable));
	return fact;
}

/* --- image by image --------------------------------------------------------------------------------------------- */

enum { REPOSITORY, TAG, ID, CREATED_SINCE, IMAGE_SIZE, SHARED_SIZE, UNIQUE_SIZE, CONTAINERS, IMAGE_COLUMN_COUNT };
static const struct column image_columns[] = {
	[REPOSITORY] = { .field = "Repository", .header = "REPOSITORY" },
	[TAG] = { .field = "Tag", .header = "TAG" },
	[ID] = { .field = "ID", .header = "IMAGE ID" },
	[CREATED_SINCE] = { .field = "CreatedSince", .header = "CREATED" },
	[IMAGE_SIZE] = { .field = "Size", .header = "SIZE" },
	[SHARED_SIZE] = { .field = "SharedSize", .header = "SHARED SIZE" },
	[UNIQUE_SIZE] = { .field = "UniqueSize", .header = "UNIQUE SIZE" },
	[CONTAINERS] = { .field = "Containers", .header = "CONTAINERS", .right = true },
	[IMAGE_COLUMN_COUNT] = { .field = NULL },
};

static json_t *image_fact(const struct nacre_image_usage *usage)
{
	json_t *fact = json_object();
	char id[ID_TEXT_MAX];

	json_object_set_new(fact, "id", json_text(image_id_text(id, usage->image->id, usage->image->v1, true)));
	json_object_set_new(fact, "names", json_texts(usage->image->names));
	json_object_set_new(fact, "created", json_time(usage->image->created, usage->image->created_nsec));
	json_object_set_new(fact, "size", json_size(usage->size));
	json_object_set_new(fact, "shared_bytes", json_size(usage->shared));
	json_object_set_new(fact, "unique_bytes", json_size(usage->unique));
	json_object_set_new(fact, "writables", json_size(usage->writables));
	return fact;
}

static int add_image(void *ctx, const struct nacre_image_usage *usage)
{
	struct listing *listing = ctx;
	const struct nacre_image *image = usage->image;
	AUTO_FREE char *containers = must_printf("%" PRIu64, usage->writables);
	char id[ID_TEXT_MAX], since[HUMAN_MAX], size[HUMAN_MAX], shared[HUMAN_MAX], unique[HUMAN_MAX];
	char repository[NAME_TEXT_MAX] = "<none>";
	const char *texts[IMAGE_COLUMN_COUNT] = {
		[REPOSITORY] = repository,
		[TAG] = "<none>",
		[ID] = image_id_text(id, image->id, image->v1, false),
		[CREATED_SINCE] = human_ago(since, image->created, (int64_t)time(NULL)),
		[IMAGE_SIZE] = human_size(size, usage->size),
		[SHARED_SIZE] = human_size(shared, usage->shared),
		[UNIQUE_SIZE] = human_size(unique, usage->unique),
		[CONTAINERS] = containers,
	};

	listing_fact(listing, image_fact(usage));
	if (!image->names[0])
		listing_row(listing, texts);
	for (const char *const *name = image->names; *name; name++) {
		short_name(repository, *name);
		texts[TAG] = split_tag(repository);
		listing_row(listing, texts);
	}
	return 0;
}

static int run_verbose(struct app *app, const struct args *args)
{
	AUTO_LISTING struct listing listing;
	struct nacre_error err = { .code = 0 };
	int code;

	listing_init(&listing, image_columns, NULL);
	code = app_open(app, APP_LOOK_OR_NONE);
	if (code != EXIT_DONE)
		return code;
	if (app->store)
		code = nacre_df_images(app->store, add_image, &listing, &err);
	return code < 0 ? app_fail(app, code, &err) : listing_print(app, &listing, args);
}

static int run(struct app *app, const struct args *args)
{
	AUTO_LISTING struct listing listing;
	struct nacre_usage usage = { .images = 0 };
	struct nacre_error err = { .code = 0 };
	const struct row rows[] = {
		{ "Images", &usage.images, &usage.active, NULL, NULL },
		{ "Layers", &usage.layers, NULL, &usage.trees, NULL },
		{ "  Unique", NULL, NULL, &usage.unique, NULL },
		{ "  Shared", NULL, NULL, &usage.shared, NULL },
		{ "  Unused", NULL, NULL, &usage.unused, NULL },
		{ "Containers", &usage.writables, NULL, &usage.writable, NULL },
		{ "Blobs", &usage.blobs, NULL, &usage.blob_bytes, NULL },
		{ "Metadata", NULL, NULL, &usage.metadata, NULL },
		{ "Catalog", NULL, NULL, &usage.catalog, NULL },
		{ "Rubbish", NULL, NULL, &usage.rubbish, NULL },
		{ "All", NULL, NULL, &usage.total, &usage.reclaimable },
	};
	int code;

	listing_init(&listing, columns, NULL);
	if (args_flag(args, "verbose"))
		return run_verbose(app, args);
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
	.details = "Bytes are blocks on disk, as du counts them. Reclaimable is what 'nacre prune'\n"
		   "would free.",
	.example = "nacre df --json",
	.options = options,
	.min = 0,
	.max = 0,
	.run = run,
};
