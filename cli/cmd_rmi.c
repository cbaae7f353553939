#include "commands.h"

#include "image_text.h"
#include "json_out.h"
#include "listing.h"

#include <string.h>

static const struct option_spec options[] = {
	{ .letter = 'f', .name = "force", .help = "an ID with several names: remove them all" },
	{ .name = "no-prune", .help = "leave layers that no other image has" },
	{ .letter = 'q', .name = "quiet", .help = "print nothing" },
	OPTION_JSON,
	{ .name = NULL },
};

struct removal {
	bool v1, quiet;
	json_t *steps;		/* for --json; NULL */
};

static void on_step(void *ctx, const char *action, const char *object)
{
	struct removal *removal = ctx;
	bool deleted = strcmp(action, "deleted") == 0;
	char id[ID_TEXT_MAX], name[NAME_TEXT_MAX];

	if (removal->steps) {
		json_t *step = json_object();

		json_object_set_new(step, "action", json_text(action));
		json_object_set_new(step, "object", json_text(deleted ? image_id_text(id, object, removal->v1, true) :
							      object));
		json_array_append_new(removal->steps, step);
	} else if (!removal->quiet) {
		outf("%s: %s\n", deleted ? "Deleted" : "Untagged",
		     deleted ? image_id_text(id, object, removal->v1, true) : short_name(name, object));
	}
}

static int remove_one(struct app *app, const char *what, unsigned flags, struct removal *removal)
{
	struct nacre_error err = { .code = 0 };
	struct nacre_image *image = NULL;
	int code;

	if (nacre_image_get(app->store, what, &image, NULL) == 0)
		removal->v1 = image->v1;
	nacre_image_free(image);
	code = nacre_remove(app->store, what, flags, on_step, removal, &err);
	return code < 0 ? app_fail(app, code, &err) : EXIT_DONE;
}

static int run(struct app *app, const struct args *args)
{
	unsigned flags = (args_flag(args, "force") ? NACRE_REMOVE_FORCE : 0) |
			 (args_flag(args, "no-prune") ? NACRE_REMOVE_KEEP_PARENTS : 0);
	struct removal removal = { .quiet = args_flag(args, "quiet") };
	int worst = EXIT_DONE, code = app_open(app, APP_CHANGE);

	if (code != EXIT_DONE)
		return code;
	if (args_flag(args, "json"))
		removal.steps = json_array();
	for (int i = 0; i < args->operand_count; i++)
		worst = app_worse(worst, remove_one(app, args->operands[i], flags, &removal));
	if (removal.steps)
		json_print(removal.steps);
	return worst;
}

const struct command cmd_rmi = {
	.name = "rmi",
	.operands = "IMAGE…",
	.summary = "remove names, and with the last one the image",
	.details = "An ID removes the image when it has at most one name. Layers go when no image\n"
		   "has them any more. A mounted image stays: umount it first.",
	.example = "nacre rmi app:1 $(nacre images -q --filter dangling=true)",
	.options = options,
	.min = 1,
	.max = -1,
	.completes = "image",
	.run = run,
};
