#include "commands.h"

#include "filter.h"
#include "human.h"
#include "image_text.h"
#include "json_out.h"
#include "listing.h"
#include "mem.h"
#include "signals.h"

#include <string.h>

static const struct option_spec options[] = {
	{ .letter = 'a', .name = "all", .help = "images with a name that nothing uses, too" },
	{ .name = "dry-run", .help = "remove nothing; tell what would go" },
	{ .name = "filter", .arg = "KEY=VALUE", .many = true,
	  .help = "only images that fit, as in 'nacre images'" },
	{ .letter = 'f', .name = "force", .help = "no effect: nothing is asked" },
	{ .letter = 'q', .name = "quiet", .help = "print IDs of images only" },
	OPTION_JSON,
	{ .name = NULL },
};

struct pruning {
	const struct nacre_image_list *images;	/* as they were before */
	bool dry_run, quiet;
	json_t *steps;		/* for --json; NULL */
};

static bool is_v1(const struct pruning *pruning, const char *id)
{
	for (size_t i = 0; i < pruning->images->count; i++)
		if (strcmp(pruning->images->images[i]->id, id) == 0)
			return pruning->images->images[i]->v1;
	return false;
}

static void on_step(void *ctx, enum nacre_pruned kind, const char *object, uint64_t bytes)
{
	static const char *const kinds[] = { "name", "image", "layer", "blob", "tree", "partial blob" };
	struct pruning *pruning = ctx;
	char id[ID_TEXT_MAX], name[NAME_TEXT_MAX];

	if (kind == NACRE_PRUNED_IMAGE)
		object = image_id_text(id, object, is_v1(pruning, object), true);
	if (pruning->steps) {
		json_t *step = json_object();

		json_object_set_new(step, "kind", json_text(kinds[kind]));
		json_object_set_new(step, "object", json_text(object));
		json_object_set_new(step, "size", json_size(bytes));
		json_array_append_new(pruning->steps, step);
	} else if (pruning->quiet) {
		if (kind == NACRE_PRUNED_IMAGE)
			outf("%s\n", object);
	} else if (kind == NACRE_PRUNED_NAME) {
		outf("%s: %s\n", pruning->dry_run ? "Would untag" : "Untagged", short_name(name, object));
	} else {
		outf("%s %s: %s\n", pruning->dry_run ? "Would delete" : "Deleted", kinds[kind], object);
	}
}

static json_t *fact_of(struct pruning *pruning, const struct nacre_pruned_total *total)
{
	json_t *fact = json_object();

	json_object_set_new(fact, "dry_run", json_boolean(pruning->dry_run));
	json_object_set_new(fact, "removed", pruning->steps);
	json_object_set_new(fact, "freed_bytes", json_size(total->bytes));
	return fact;
}

/* IDs of the images that pass the filters; ends with NULL. */
static const char **ids_of(const struct nacre_image_list *images, size_t count)
{
	const char **ids = must_alloc((count + 1) * sizeof(*ids));

	for (size_t i = 0; i < count; i++)
		ids[i] = images->images[i]->id;
	ids[count] = NULL;
	return ids;
}

static int prune(struct app *app, const struct args *args, const struct filter *filter)
{
	struct pruning pruning = { .dry_run = args_flag(args, "dry-run"), .quiet = args_flag(args, "quiet") };
	struct nacre_image_list *images = NULL;
	struct nacre_pruned_total total = { .bytes = 0 };
	struct nacre_error err = { .code = 0 };
	AUTO_FREE const char **ids = NULL;
	char size[HUMAN_MAX];
	size_t count = 0;
	int code = filter_list(filter, app->store, &images, &count, &err);

	if (code < 0)
		return app_fail(app, code, &err);
	pruning.images = images;
	if (args_texts(args, "filter"))
		ids = ids_of(images, count);
	if (args_flag(args, "json"))
		pruning.steps = json_array();
	code = nacre_prune(app->store, &(struct nacre_prune_options){
		.size = sizeof(struct nacre_prune_options),
		.all = args_flag(args, "all"),
		.dry_run = pruning.dry_run,
		.images = ids,
		.step = on_step,
		.ctx = &pruning,
		.cancel = signals_cancel(),
	}, &total, &err);
	nacre_image_list_free(images);
	if (pruning.steps)
		json_print(fact_of(&pruning, &total));
	else if (!pruning.quiet)
		outf("%s: %s\n", pruning.dry_run ? "Would free" : "Freed", human_size(size, total.bytes));
	return code < 0 ? app_fail(app, code, &err) : EXIT_DONE;
}

static int run(struct app *app, const struct args *args)
{
	struct filter *filter = filter_new(app, args_texts(args, "filter"));
	int code;

	if (!filter)
		return EXIT_USAGE;
	code = app_open(app, args_flag(args, "dry-run") ? APP_LOOK : APP_CHANGE);
	if (code == EXIT_DONE)
		code = prune(app, args, filter);
	filter_free(filter);
	return code;
}

const struct command cmd_prune = {
	.name = "prune",
	.operands = "",
	.summary = "remove what nobody needs, and make the store small",
	.details = "Goes: images without a name, layers that no image has, blobs that no manifest\n"
		   "names, rubbish. Stays: what is mounted, held, below a writable layer, or just\n"
		   "being loaded. With --filter only images that fit go, and what only they had.",
	.example = "nacre prune -a --filter until=240h --dry-run",
	.options = options,
	.min = 0,
	.max = 0,
	.run = run,
};
