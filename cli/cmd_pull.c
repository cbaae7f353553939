#include "commands.h"

#include "listing.h"
#include "progress.h"
#include "registry.h"
#include "transfer.h"

static const struct option_spec options[] = {
	OPTION_QUIET_TRANSFER,
	OPTION_PLATFORM,
	{ .name = "name", .arg = "NAME", .help = "one more name for the image" },
	OPTION_BLOBS,
	OPTIONS_REGISTRY,
	OPTION_PROGRESS,
	OPTION_JSON,
	{ .name = NULL },
};

static int run(struct app *app, const struct args *args)
{
	const struct nacre_registry_options registry = registry_options(args);
	struct nacre_copy_options copying;
	struct nacre_copied *copied = NULL;
	struct progress *progress;
	struct nacre_error err = { .code = 0 };
	int code = app_open(app, APP_MAKE);

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
