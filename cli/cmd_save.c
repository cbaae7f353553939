#include "commands.h"

#include "out.h"
#include "progress.h"
#include "transfer.h"

#include <string.h>
#include <unistd.h>

static const struct option_spec options[] = {
	{ .letter = 'o', .name = "output", .arg = "FILE", .help = "where to (else standard output)" },
	{ .name = "format", .arg = "FORMAT", .choices = "docker-archive|oci-archive|oci-dir|docker-dir",
	  .help = "docker-archive (the default), oci-archive,\noci-dir or docker-dir" },
	OPTION_ALL_PLATFORMS,
	OPTION_COMPRESSION,
	{ .letter = 'q', .name = "quiet", .help = "no progress" },
	OPTION_PROGRESS,
	{ .name = NULL },
};

static enum nacre_format format_of(const char *text)
{
	static const char *const names[] = {
		[NACRE_DOCKER_ARCHIVE] = "docker-archive",
		[NACRE_OCI_ARCHIVE] = "oci-archive",
		[NACRE_OCI_DIR] = "oci-dir",
		[NACRE_DOCKER_DIR] = "docker-dir",
	};

	for (size_t i = 0; text && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0)
			return (enum nacre_format)i;
	return NACRE_DOCKER_ARCHIVE;
}

static int run(struct app *app, const struct args *args)
{
	enum nacre_format format = format_of(args_text(args, "format"));
	const char *path = args_text(args, "output");
	bool directory = format == NACRE_OCI_DIR || format == NACRE_DOCKER_DIR;
	struct progress *progress;
	struct nacre_error err = { .code = 0 };
	int code;

	if (!path)
		path = "-";
	if (directory && strcmp(path, "-") == 0)
		return app_usage(app, "--format %s needs a directory: -o DIR", args_text(args, "format"));
	if (strcmp(path, "-") == 0 && out_is_terminal())
		return app_usage(app, "an archive is not written to a terminal; name a file with -o, or redirect");
	code = app_open(app, APP_LOOK);
	if (code != EXIT_DONE)
		return code;

	progress = progress_new(progress_mode(args));
	code = nacre_save(app->store, (const char *const *)args->operands, (size_t)args->operand_count, format, path,
			  &(struct nacre_copy_options){
				  .size = sizeof(struct nacre_copy_options),
				  .all_platforms = args_flag(args, "all-platforms"),
				  .compression = compression_of(args_text(args, "compression")),
				  .progress = progress_hook(progress),
			  },
			  &err);
	progress_free(progress, code >= 0);
	return code < 0 ? app_fail(app, code, &err) : EXIT_DONE;
}

const struct command cmd_save = {
	.name = "save",
	.operands = "IMAGE…",
	.summary = "save images into an archive or layout",
	.details = "The same images give the same bytes. A file appears when it is whole.",
	.example = "nacre save -o debian.tar debian:12\n"
		   "nacre save --format oci-archive app:1 app:2 | zstd > apps.tar.zst",
	.options = options,
	.min = 1,
	.max = -1,
	.completes = "image",
	.run = run,
};
