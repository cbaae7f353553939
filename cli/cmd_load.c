#include "commands.h"

#include "listing.h"
#include "transfer.h"

#include <string.h>
#include <unistd.h>

static const struct option_spec options[] = {
	{ .letter = 'i', .name = "input", .arg = "FILE", .help = "the archive or layout; - is standard input" },
	OPTION_QUIET_TRANSFER,
	{ .name = "name", .arg = "NAME", .help = "one more name for the image" },
	OPTION_PLATFORM,
	OPTION_ALL_PLATFORMS,
	OPTION_KEEP_IDS,
	OPTION_BLOBS,
	{ .name = "repair", .help = "read layers that are there, mend damaged ones" },
	OPTION_PROGRESS,
	OPTION_JSON,
	{ .name = NULL },
};

static int run(struct app *app, const struct args *args)
{
	const char *path = args_text(args, "input");
	struct nacre_copy_options copying;
	struct nacre_copied *copied = NULL;
	struct progress *progress;
	struct nacre_error err = { .code = 0 };
	int code;

	if (path && args->operand_count > 0)
		return app_usage(app, "give the file once, with -i or without");
	if (args->operand_count > 0)
		path = args->operands[0];
	if (!path)
		path = "-";
	if (strcmp(path, "-") == 0 && isatty(STDIN_FILENO))
		return app_usage(app, "an archive cannot be read from a terminal; name a file with -i, or pipe one in");
	code = app_open(app, APP_MAKE);
	if (code != EXIT_DONE)
		return code;

	progress = progress_new(progress_mode(args));
	copying = copy_options(args, progress);
	if (args_flag(args, "repair"))
		copying.repair = NACRE_REPAIR_READ;
	code = nacre_load(app->store, path, &copying, &copied, &err);
	return finish_copy(app, args, progress, code, copied, &err, "Loaded");
}

const struct command cmd_load = {
	.name = "load",
	.operands = "[FILE]",
	.summary = "load images from an archive or layout",
	.details = "Takes docker-archive and OCI archives, OCI layouts and dir: directories, plain\n"
		   "or compressed; without a FILE, from standard input.",
	.example = "nacre load -i debian.tar\n"
		   "curl -s https://example.org/app.tar.gz | nacre load",
	.options = options,
	.min = 0,
	.max = 1,
	.completes = "file",
	.run = run,
};
