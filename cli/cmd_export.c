#include "commands.h"

#include "progress.h"

static const struct option_spec options[] = {
	{ .letter = 'o', .name = "output", .arg = "FILE", .help = "where to (else standard output)" },
	{ .letter = 'q', .name = "quiet", .help = "no progress" },
	OPTION_PROGRESS,
	{ .name = NULL },
};

static int write_tree(struct app *app, const struct args *args, struct sink *sink, const struct nacre_progress *progress,
		      struct nacre_error *err)
{
	return nacre_export(app->store, args->operands[0], sink_write, sink, progress, err);
}

static int run(struct app *app, const struct args *args)
{
	return write_archive(app, args, args_text(args, "output"), " with -o", write_tree);
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
