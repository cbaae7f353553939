#include "commands.h"

#include "listing.h"
#include "progress.h"
#include "registry.h"
#include "transfer.h"

static const struct option_spec options[] = {
	{ .letter = 'q', .name = "quiet", .help = "print the manifest's digest only, no progress" },
	OPTION_ALL_PLATFORMS,
	OPTION_COMPRESSION,
	{ .name = "name", .arg = "NAME", .help = "one more tag of the same repository" },
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
	int code = app_open(app, APP_LOOK);

	if (code != EXIT_DONE)
		return code;
	progress = progress_new(progress_mode(args));
	copying = copy_options(args, progress);
	copying.registry = &registry;
	code = nacre_push(app->store, args->operands[0], args->operand_count > 1 ? args->operands[1] : NULL, &copying,
			  &copied, &err);
	if (code >= 0 && args_flag(args, "quiet") && !args_flag(args, "json")) {
		outf("%s\n", copied->images[0].manifest_digest);
		return finish_copy(app, args, progress, code, copied, &err, NULL);
	}
	return finish_copy(app, args, progress, code, copied, &err, "Pushed");
}

const struct command cmd_push = {
	.name = "push",
	.operands = "IMAGE [NAME]",
	.summary = "send an image to a registry",
	.details = "What is there already is not sent; the tag changes when all of it is there.\n"
		   "Pulled images keep their digests.",
	.example = "nacre push registry.example:5000/team/app:1\n"
		   "nacre push --tls-verify=false app:1 localhost:5000/team/app:1",
	.options = options,
	.min = 1,
	.max = 2,
	.completes = "image",
	.run = run,
};
