#include "commands.h"

#include "human.h"
#include "image_text.h"
#include "json_out.h"
#include "listing.h"
#include "progress.h"
#include "registry.h"
#include "table.h"
#include "signals.h"
#include "transfer.h"

#include <stdio.h>
#include <string.h>

static const struct option_spec options[] = {
	OPTION_QUIET_TRANSFER,
	OPTION_PLATFORM,
	OPTION_ALL_PLATFORMS,
	{ .name = "name", .arg = "NAME", .help = "one more name for the image" },
	OPTION_BLOBS,
	{ .name = "dry-run", .help = "fetch no layer; tell what would be fetched" },
	OPTIONS_REGISTRY,
	OPTION_PROGRESS,
	OPTION_JSON,
	{ .name = NULL },
};

/* --- what would be done ----------------------------------------------------------------------------------------- */

static void print_json(const struct nacre_pull_plan *plan)
{
	json_t *fact = json_object(), *layers = json_array();
	char id[ID_TEXT_MAX];

	for (size_t i = 0; i < plan->layer_count; i++) {
		const struct nacre_planned_layer *planned = &plan->layers[i];
		json_t *layer = json_object();

		json_object_set_new(layer, "digest", json_text(planned->digest));
		json_object_set_new(layer, "size", json_size(planned->size));
		json_object_set_new(layer, "there", json_boolean(planned->there));
		json_object_set_new(layer, "fetched", json_size(planned->fetched));
		json_array_append_new(layers, layer);
	}
	json_object_set_new(fact, "name", plan->name[0] ? json_text(plan->name) : json_null());
	json_object_set_new(fact, "from", json_text(plan->from));
	json_object_set_new(fact, "id", plan->id[0] ? json_text(image_id_text(id, plan->id, false, true)) : json_null());
	json_object_set_new(fact, "manifest_digest", plan->manifest_digest[0] ? json_text(plan->manifest_digest) : json_null());
	json_object_set_new(fact, "layers", layers);
	json_object_set_new(fact, "fetch_bytes", json_size(plan->fetch));
	json_object_set_new(fact, "needed_bytes", json_size(plan->needed));
	json_object_set_new(fact, "free_bytes", json_size(plan->free));
	json_print(fact);
}

static void print_layers(const struct nacre_pull_plan *plan)
{
	static const char *const headers[] = { "LAYER", "SIZE", "STATE", NULL };
	struct libscols_table *table = table_new(headers, true);

	for (size_t i = 0; i < plan->layer_count; i++) {
		const struct nacre_planned_layer *layer = &plan->layers[i];
		char digest[20], size[HUMAN_MAX] = "?";

		snprintf(digest, sizeof(digest), "%.12s", strchr(layer->digest, ':') + 1);
		if (layer->size != UINT64_MAX)
			human_size(size, layer->size);
		table_add(table, (const char *const[]){ digest, size, layer->there ? "there already" : layer->fetched ?
							"begun" : "to fetch" });
	}
	table_right(table, 1);
	table_print_free(table);
}

static void print_plan(const struct nacre_pull_plan *plan)
{
	char fetch[HUMAN_MAX], needed[HUMAN_MAX], room[HUMAN_MAX] = "unknown";

	if (plan->layer_count > 0)
		print_layers(plan);
	if (plan->free != UINT64_MAX)
		human_size(room, plan->free);
	outf("%s from %s: %s to fetch, at least %s of disk needed, %s free\n", plan->name[0] ? plan->name :
	     plan->manifest_digest, plan->from, human_size(fetch, plan->fetch), human_size(needed, plan->needed), room);
}

static int dry_run(struct app *app, const struct args *args, const struct nacre_registry_options *registry)
{
	struct nacre_copy_options copying = {
		.size = sizeof(copying),
		.platform = args_text(args, "platform"),
		.blobs = blobs_of(args_text(args, "blobs")),
		.progress = { .cancel = signals_cancel() },
		.registry = registry,
	};
	struct nacre_pull_plan *plan;
	struct nacre_error err = { .code = 0 };
	int code = app_open(app, APP_LOOK_OR_NONE);

	if (code != EXIT_DONE)
		return code;
	code = nacre_pull_plan(app->store, args->operands[0], &copying, &plan, &err);
	if (code < 0)
		return app_fail(app, code, &err);
	if (args_flag(args, "json"))
		print_json(plan);
	else
		print_plan(plan);
	nacre_pull_plan_free(plan);
	return EXIT_DONE;
}

/* --- doing it --------------------------------------------------------------------------------------------------- */

static int run(struct app *app, const struct args *args)
{
	const struct nacre_registry_options registry = registry_options(args);
	struct nacre_copy_options copying;
	struct nacre_copied *copied = NULL;
	struct progress *progress;
	struct nacre_error err = { .code = 0 };
	int code;

	if (args_flag(args, "dry-run"))
		return dry_run(app, args, &registry);
	code = app_open(app, APP_MAKE);
	if (code != EXIT_DONE)
		return code;
	progress = progress_new(progress_mode(args));
	copying = copy_options(args, progress);
	copying.registry = &registry;
	code = nacre_pull(app->store, args->operands[0], &copying, &copied, &err);
	return finish_copy(app, args, progress, code, copied, &err, "Pulled");
}

const struct command cmd_pull = {
	.name = "pull",
	.operands = "NAME",
	.summary = "bring an image from a registry",
	.details = "What is there already is not fetched; nothing shows before all of it is proved.",
	.example = "nacre pull debian:12\n"
		   "nacre pull --tls-verify=false localhost:5000/team/app:1",
	.options = options,
	.min = 1,
	.max = 1,
	.run = run,
};
