#include "commands.h"

#include "image_text.h"
#include "json_out.h"
#include "listing.h"
#include "mem.h"

#include <limits.h>
#include <string.h>

static const struct option_spec options[] = {
	OPTION_NO_TRUNC,
	OPTION_NOHEADING,
	OPTION_FORMAT,
	OPTION_JSON,
	{ .name = NULL },
};

enum { ID, PATH, NAME, COLUMN_COUNT };
static const struct column columns[] = {
	[ID] = { .field = "ID", .header = "ID" },
	[PATH] = { .field = "Path", .header = "PATH" },
	[NAME] = { .field = "Name", .header = "NAME" },
	[COLUMN_COUNT] = { .field = NULL },
};

struct mounts {
	struct app *app;
	struct listing *listing;
	bool full;
};

static int on_mount(void *ctx, const char *id, const char *path)
{
	struct mounts *mounts = ctx;
	struct nacre_image *image = NULL;
	char shown[ID_TEXT_MAX], whole[ID_TEXT_MAX], name[NAME_TEXT_MAX] = "<none>";
	json_t *fact = json_object();
	struct nacre_writable writable;
	bool v1 = false;

	if (nacre_writable_get(mounts->app->store, id, &writable, NULL) == 0) {
		v1 = true;	/* its ID is no digest either */
		strcpy(name, writable.name);
	} else if (nacre_image_get(mounts->app->store, id, &image, NULL) == 0) {
		v1 = image->v1;
		if (image->names && image->names[0])
			short_name(name, image->names[0]);
	}
	json_object_set_new(fact, "id", json_text(image_id_text(whole, id, v1, true)));
	json_object_set_new(fact, "path", json_text(path));
	json_object_set_new(fact, "names", json_texts(image ? image->names : NULL));
	if (!image && v1)
		json_object_set_new(fact, "writable", json_text(name));
	listing_fact(mounts->listing, fact);
	listing_row(mounts->listing, (const char *[COLUMN_COUNT]){
					     [ID] = image_id_text(shown, id, v1, mounts->full),
					     [PATH] = path,
					     [NAME] = name,
				     });
	nacre_image_free(image);
	return 0;
}

static int list_mounts(struct app *app, const struct args *args)
{
	AUTO_LISTING struct listing listing;
	struct mounts mounts = { .app = app, .listing = &listing, .full = args_flag(args, "no-trunc") };
	struct nacre_error err = { .code = 0 };
	int code;

	listing_init(&listing, columns, NULL);
	code = app_open(app, APP_LOOK_OR_NONE);
	if (code != EXIT_DONE)
		return code;
	if (app->store)
		code = nacre_mounts_each(app->store, on_mount, &mounts, &err);
	return code < 0 ? app_fail(app, code, &err) : listing_print(app, &listing, args);
}

static int run(struct app *app, const struct args *args)
{
	AUTO_FREE char *path = NULL;
	struct nacre_error err = { .code = 0 };
	int code;

	if (args->operand_count == 0)
		return list_mounts(app, args);
	code = app_open(app, APP_CHANGE);
	if (code != EXIT_DONE)
		return code;
	code = nacre_mount(app->store, args->operands[0], args->operand_count > 1 ? args->operands[1] : NULL, &path,
			   &err);
	if (code < 0)
		return app_fail(app, code, &err);
	if (args_flag(args, "json")) {
		json_t *fact = json_object();

		json_object_set_new(fact, "path", json_text(path));
		json_print(fact);
	} else {
		outf("%s\n", path);
	}
	return EXIT_DONE;
}

const struct command cmd_mount = {
	.name = "mount",
	.operands = "[IMAGE|NAME [DIR]]",
	.summary = "mount an image or a writable layer, or list what is mounted",
	.details = "Prints where; without DIR that is a directory of the store. Mounting again is\n"
		   "done already. The NAME of a writable layer (nacre create) is mounted for reading\n"
		   "and writing. Needs root.",
	.example = "root=$(nacre mount debian:12) && cat $root/etc/os-release",
	.options = options,
	.min = 0,
	.max = 2,
	.completes = "image",
	.run = run,
};
