#include "commands.h"

#include "mem.h"

static const struct option_spec options[] = {
	{ .letter = 'a', .name = "all", .help = "everything of this store that is mounted" },
	{ .name = NULL },
};

struct paths {
	char **paths;
	size_t count;
};

static int on_mount(void *ctx, const char *id, const char *path)
{
	struct paths *paths = ctx;

	paths->paths = must_grow(paths->paths, paths->count + 1, sizeof(char *));
	paths->paths[paths->count++] = must_copy(path);
	return 0;
}

static int umount_one(struct app *app, const char *what)
{
	struct nacre_error err = { .code = 0 };
	int code = nacre_umount(app->store, what, &err);

	if (code < 0)
		return app_fail(app, code, &err);
	if (code == 0)
		app_info(app, "'%s' was not mounted", what);
	return EXIT_DONE;
}

static int umount_all(struct app *app)
{
	struct paths paths = { .paths = NULL };
	struct nacre_error err = { .code = 0 };
	int worst = EXIT_DONE, code = nacre_mounts_each(app->store, on_mount, &paths, &err);

	if (code < 0)
		worst = app_fail(app, code, &err);
	for (size_t i = 0; i < paths.count; i++) {
		worst = app_worse(worst, umount_one(app, paths.paths[i]));
		free(paths.paths[i]);
	}
	free(paths.paths);
	return worst;
}

static int run(struct app *app, const struct args *args)
{
	bool all = args_flag(args, "all");
	int worst = EXIT_DONE, code;

	if (all == (args->operand_count > 0))
		return app_usage(app, all ? "--all takes no operands" : "what is to be unmounted is missing");
	code = app_open(app, all ? APP_LOOK_OR_NONE : APP_CHANGE);
	if (code != EXIT_DONE || !app->store)
		return code;
	if (all)
		return umount_all(app);
	for (int i = 0; i < args->operand_count; i++)
		worst = app_worse(worst, umount_one(app, args->operands[i]));
	return worst;
}

const struct command cmd_umount = {
	.name = "umount",
	.operands = "IMAGE|NAME|DIR…",
	.summary = "unmount an image, a writable layer, or a directory",
	.details = "What is not mounted is done already.",
	.example = "nacre umount debian:12",
	.options = options,
	.min = 0,
	.max = -1,
	.completes = "mount",
	.run = run,
};
