#include "commands.h"

#include "out.h"
#include "progress.h"
#include "transfer.h"

#include <string.h>
#include <unistd.h>

static const struct option_spec options[] = {
	{ .letter = 'o', .name = "output", .arg = "FILE", .help = "where to (else standard output)" },
	{ .letter = 'q', .name = "quiet", .help = "no progress" },
	OPTION_PROGRESS,
	{ .name = NULL },
};

static int run(struct app *app, const struct args *args)
{
	const char *path = args_text(args, "output");
	bool to_stdout = !path || strcmp(path, "-") == 0;
	struct nacre_progress hook;
	struct progress *progress;
	struct nacre_error err = { .code = 0 };
	struct sink sink;
	int code;

	if (to_stdout && out_is_terminal())
		return app_usage(app, "an archive is not written to a terminal; name a file with -o, or redirect");
	code = app_open(app, APP_LOOK);
	if (code != EXIT_DONE)
		return code;
	code = sink_open(&sink, path);
	if (code != 0)
		return app_fail_write(app, to_stdout ? "standard output" : path, code);

	progress = progress_new(progress_mode(args));
	hook = progress_hook(progress);
	code = nacre_export(app->store, args->operands[0], sink_write, &sink, &hook, &err);
	progress_free(progress, code >= 0);
	return finish_sink(app, &sink, code, &err);
}

const struct command cmd_export = {
	.name = "export",
	.operands = "IMAGE",
	.summary = "write an image's file tree as one tar",
	.details = "The layers are merged; the same image gives the same bytes.",
	.example = "nacre export debian:12 | tar -xf - -C rootfs",
	.options = options,
	.min = 1,
	.max = 1,
	.completes = "image",
	.run = run,
};
