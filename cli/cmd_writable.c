/* create, containers, commit and rm: trees of one's own on top of images. */
#include "commands.h"

#include "human.h"
#include "image_text.h"
#include "json_out.h"
#include "listing.h"
#include "mem.h"
#include "progress.h"
#include "transfer.h"

#include <string.h>
#include <time.h>

/* --- create ----------------------------------------------------------------------------------------------------- */

static const struct option_spec create_options[] = {
	OPTION_JSON,
	{ .name = NULL },
};

static int run_create(struct app *app, const struct args *args)
{
	struct nacre_error err = { .code = 0 };
	char id[65];
	int code = app_open(app, APP_CHANGE);

	if (code != EXIT_DONE)
		return code;
	code = nacre_writable_create(app->store, args->operands[0], args->operands[1], id, &err);
	if (code < 0)
		return app_fail(app, code, &err);
	if (args_flag(args, "json")) {
		json_t *fact = json_object();

		json_object_set_new(fact, "id", json_text(id));
		json_object_set_new(fact, "name", json_text(args->operands[1]));
		json_print(fact);
	} else {
		outf("%s\n", id);
	}
	return EXIT_DONE;
}

const struct command cmd_create = {
	.name = "create",
	.operands = "IMAGE NAME",
	.summary = "make a writable layer on top of an image",
	.details = "Prints its ID. 'nacre mount NAME' makes it a directory to write to, 'nacre\n"
		   "commit NAME' makes an image of it, 'nacre rm NAME' removes it. ls, cat, diff and\n"
		   "export take NAME too.",
	.example = "nacre create debian:12 work && root=$(nacre mount work)",
	.options = create_options,
	.min = 2,
	.max = 2,
	.completes = "image",
	.run = run_create,
};

/* --- containers ------------------------------------------------------------------------------------------------- */

static const struct option_spec list_options[] = {
	OPTION_QUIET,
	OPTION_NO_TRUNC,
	OPTION_NOHEADING,
	OPTION_FORMAT,
	OPTION_JSON,
	{ .name = NULL },
};

enum { ID, NAME, IMAGE, CREATED_SINCE, PATH, IMAGE_ID, CREATED_AT, COLUMN_COUNT };
static const struct column columns[] = {
	[ID] = { .field = "ID", .header = "ID" },
	[NAME] = { .field = "Name", .header = "NAME" },
	[IMAGE] = { .field = "Image", .header = "IMAGE" },
	[CREATED_SINCE] = { .field = "CreatedSince", .header = "CREATED" },
	[PATH] = { .field = "Path", .header = "MOUNTED AT" },
	[IMAGE_ID] = { .field = "ImageID", .header = "IMAGE ID", .hidden = true },
	[CREATED_AT] = { .field = "CreatedAt", .header = "CREATED AT", .hidden = true },
	[COLUMN_COUNT] = { .field = NULL },
};

struct list {
	struct app *app;
	struct listing *listing;
	bool full;
	int64_t now;
};

static int on_writable(void *ctx, const struct nacre_writable *writable)
{
	struct list *list = ctx;
	struct nacre_image *image = NULL;
	char id[ID_TEXT_MAX], shown[ID_TEXT_MAX], whole[ID_TEXT_MAX], name[NAME_TEXT_MAX];
	char since[HUMAN_MAX], at[HUMAN_MAX];
	bool v1;
	json_t *fact = json_object();

	if (nacre_image_get(list->app->store, writable->image, &image, NULL) < 0)
		image = NULL;
	v1 = image && image->v1;
	image_id_text(shown, writable->image, v1, list->full);
	if (image && image->names && image->names[0])
		short_name(name, image->names[0]);
	else
		strcpy(name, shown);
	json_object_set_new(fact, "id", json_text(writable->id));
	json_object_set_new(fact, "name", json_text(writable->name));
	json_object_set_new(fact, "image", json_text(image_id_text(whole, writable->image, v1, true)));
	json_object_set_new(fact, "image_names", json_texts(image ? image->names : NULL));
	json_object_set_new(fact, "created", json_time(writable->created, writable->created_nsec));
	json_object_set_new(fact, "path", writable->path[0] ? json_text(writable->path) : json_null());
	listing_fact(list->listing, fact);
	listing_row(list->listing, (const char *[COLUMN_COUNT]){
					   [ID] = image_id_text(id, writable->id, true, list->full),
					   [NAME] = writable->name,
					   [IMAGE] = name,
					   [CREATED_SINCE] = human_ago(since, writable->created, list->now),
					   [PATH] = writable->path,
					   [IMAGE_ID] = shown,
					   [CREATED_AT] = human_created_at(at, writable->created),
				   });
	nacre_image_free(image);
	return 0;
}

static int run_containers(struct app *app, const struct args *args)
{
	AUTO_LISTING struct listing listing;
	struct list list = { .app = app, .listing = &listing, .full = args_flag(args, "no-trunc"),
			     .now = (int64_t)time(NULL) };
	struct nacre_error err = { .code = 0 };
	int code;

	listing_init(&listing, columns, "ID");
	code = app_open(app, APP_LOOK_OR_NONE);
	if (code != EXIT_DONE)
		return code;
	if (app->store)
		code = nacre_writables_each(app->store, on_writable, &list, &err);
	return code < 0 ? app_fail(app, code, &err) : listing_print(app, &listing, args);
}

const struct command cmd_containers = {
	.name = "containers",
	.operands = "",
	.summary = "list writable layers",
	.details = "They are called containers elsewhere; nothing runs in them here.",
	.example = "nacre containers --format '{{.Name}} {{.Path}}'",
	.options = list_options,
	.min = 0,
	.max = 0,
	.run = run_containers,
};

/* --- commit ----------------------------------------------------------------------------------------------------- */

static const struct option_spec commit_options[] = {
	{ .letter = 'c', .name = "change", .arg = "LINE", .many = true,
	  .help = "a Dockerfile line such as 'CMD [\"/bin/sh\"]';\nmay be given several times" },
	{ .letter = 'm', .name = "message", .arg = "TEXT", .help = "comment for the image's history" },
	{ .letter = 'a', .name = "author", .arg = "NAME", .help = "author of the image" },
	{ .letter = 'q', .name = "quiet", .help = "no progress" },
	OPTION_PROGRESS,
	OPTION_JSON,
	{ .name = NULL },
};

static int run_commit(struct app *app, const struct args *args)
{
	const char *name = args->operand_count > 1 ? args->operands[1] : NULL;
	char id[65], text[ID_TEXT_MAX], full[NAME_TEXT_MAX];
	struct nacre_image *image = NULL;
	struct nacre_error err = { .code = 0 };
	struct progress *progress;
	int code = name ? nacre_name_parse(name, full, NULL, &err) : 0;

	if (code < 0)
		return app_fail(app, code, &err);
	code = app_open(app, APP_CHANGE);
	if (code != EXIT_DONE)
		return code;
	progress = progress_new(progress_mode(args));
	code = nacre_writable_commit(app->store, args->operands[0],
				     &(struct nacre_commit_options){
					     .size = sizeof(struct nacre_commit_options),
					     .name = name,
					     .changes = args_texts(args, "change"),
					     .message = args_text(args, "message"),
					     .author = args_text(args, "author"),
					     .progress = progress_hook(progress),
				     },
				     id, &err);
	progress_free(progress, code >= 0);
	if (code < 0)
		return app_fail(app, code, &err);
	image_id_text(text, id, nacre_image_get(app->store, id, &image, NULL) == 0 && image->v1, true);
	nacre_image_free(image);
	print_new_image(args, text, name ? full : NULL);
	return EXIT_DONE;
}

const struct command cmd_commit = {
	.name = "commit",
	.operands = "NAME [IMAGE]",
	.summary = "make an image out of a writable layer",
	.details = "Prints the ID of the new image, which has the layers of the one below and one\n"
		   "more when anything was written. Let nobody write meanwhile, or the image may\n"
		   "hold the files of different moments.",
	.example = "nacre commit -c 'CMD [\"/bin/app\"]' -m 'with app' work app:2",
	.options = commit_options,
	.min = 1,
	.max = 2,
	.completes = "container",
	.run = run_commit,
};

/* --- rm --------------------------------------------------------------------------------------------------------- */

static const struct option_spec rm_options[] = {
	{ .letter = 'f', .name = "force", .help = "unmount them first; what is not there is done" },
	{ .name = NULL },
};

static int remove_one(struct app *app, const char *what, bool force)
{
	struct nacre_writable writable;
	struct nacre_error err = { .code = 0 };
	int code = force ? nacre_writable_get(app->store, what, &writable, &err) : 0;

	if (force && code == NACRE_E_NOTFOUND)
		return EXIT_DONE;
	/* a path, so that no image of that name is meant */
	if (force && code == 0 && writable.path[0])
		code = nacre_umount(app->store, writable.path, &err);
	if (code >= 0)
		code = nacre_writable_remove(app->store, what, &err);
	return code < 0 ? app_fail(app, code, &err) : EXIT_DONE;
}

static int run_rm(struct app *app, const struct args *args)
{
	int worst = EXIT_DONE, code = app_open(app, APP_CHANGE);

	if (code != EXIT_DONE)
		return code;
	for (int i = 0; i < args->operand_count; i++)
		worst = app_worse(worst, remove_one(app, args->operands[i], args_flag(args, "force")));
	return worst;
}

const struct command cmd_rm = {
	.name = "rm",
	.operands = "NAME…",
	.summary = "remove writable layers with all that was written",
	.details = "A mounted one stays: umount it first. Images are removed by rmi.",
	.example = "nacre rm work",
	.options = rm_options,
	.min = 1,
	.max = -1,
	.completes = "container",
	.run = run_rm,
};
