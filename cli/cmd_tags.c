#include "commands.h"

#include "json_out.h"
#include "listing.h"
#include "registry.h"
#include "signals.h"

static const struct option_spec options[] = {
	OPTIONS_REGISTRY,
	OPTION_JSON,
	{ .name = NULL },
};

static int run(struct app *app, const struct args *args)
{
	const struct nacre_registry_options registry = registry_options(args);
	const struct nacre_progress progress = { .cancel = signals_cancel() };
	struct nacre_error err = { .code = 0 };
	char **tags;
	int code = nacre_remote_tags(args->operands[0], &registry, &progress, &tags, &err);

	if (code < 0)
		return app_fail(app, code, &err);
	if (args_flag(args, "json"))
		json_print(json_texts((const char *const *)tags));
	else
		for (char **tag = tags; *tag; tag++)
			outf("%s\n", *tag);
	nacre_tags_free(tags);
	return EXIT_DONE;
}

const struct command cmd_tags = {
	.name = "tags",
	.operands = "REPOSITORY",
	.summary = "list the tags of a repository at a registry",
	.details = "One a line, in the registry's order.",
	.example = "nacre tags registry.example:5000/team/app",
	.options = options,
	.min = 1,
	.max = 1,
	.run = run,
};
