#include "commands.h"

#include "listing.h"
#include "out.h"
#include "registry.h"
#include "transfer.h"

#include <string.h>
#include <unistd.h>

static const struct option_spec options[] = {
	{ .letter = 'a', .name = "all", .help = "every image of an archive or layout" },
	{ .name = "name", .arg = "NAME", .help = "one more name at the destination" },
	OPTION_PLATFORM,
	OPTION_ALL_PLATFORMS,
	OPTION_KEEP_IDS,
	OPTION_BLOBS,
	OPTION_COMPRESSION,
	OPTIONS_REGISTRY,
	OPTION_QUIET_TRANSFER,
	OPTION_PROGRESS,
	OPTION_JSON,
	{ .name = NULL },
};

static bool is_store(const char *place)
{
	return strncmp(place, "graph:", 6) == 0;
}

/* "oci-archive:-" and "docker-archive:-:REF" */
static bool is_stream(const char *place)
{
	const char *colon = strchr(place, ':');

	return colon && colon[1] == '-' && (colon[2] == '\0' || colon[2] == ':') &&
	       strcspn(place, ":") >= strlen("-archive") &&
	       strncmp(colon - strlen("-archive"), "-archive", strlen("-archive")) == 0;
}

static int run(struct app *app, const struct args *args)
{
	const char *source = args->operands[0], *destination = args->operands[1];
	struct nacre_copy_options copying;
	const struct nacre_registry_options registry = registry_options(args);
	struct nacre_copied *copied = NULL;
	struct progress *progress;
	struct nacre_error err = { .code = 0 };
	int code = EXIT_DONE;

	if (is_stream(source) && isatty(STDIN_FILENO))
		return app_usage(app, "an archive cannot be read from a terminal");
	if (is_stream(destination) && out_is_terminal())
		return app_usage(app, "an archive is not written to a terminal");
	if (is_store(destination))
		code = app_open(app, APP_MAKE);
	else if (is_store(source))
		code = app_open(app, APP_LOOK);
	if (code != EXIT_DONE)
		return code;

	progress = progress_new(progress_mode(args));
	copying = copy_options(args, progress);
	copying.all_images = args_flag(args, "all");
	copying.registry = &registry;
	code = nacre_copy(app->store, source, destination, &copying, &copied, &err);
	/* what was written to standard output is all that belongs there */
	return finish_copy(app, args, progress, code, copied, &err, is_stream(destination) ? NULL : "Copied");
}

const struct command cmd_copy = {
	.name = "copy",
	.operands = "SOURCE DESTINATION",
	.summary = "copy images from one place to another",
	.details = "Places: docker-archive:FILE[:REF]  oci-archive:FILE[:TAG]  oci:DIR[:TAG]\n"
		   "dir:DIR  docker://NAME  graph:[IMAGE] (as a destination [NAME])",
	.example = "nacre copy docker-archive:app.tar oci:layout:app",
	.options = options,
	.min = 2,
	.max = 2,
	.completes = "file",
	.run = run,
};
