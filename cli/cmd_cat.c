#include "commands.h"

#include "image_text.h"

static int run(struct app *app, const struct args *args)
{
	int worst = EXIT_DONE, code = app_open(app, APP_LOOK);

	for (int i = 0; code == EXIT_DONE && i < args->operand_count; i++) {
		char *path = split_path(args->operands[i]);
		struct nacre_error err = { .code = 0 };
		struct sink sink;

		if (!path)
			return app_usage(app, "'%s' names no file; write IMAGE:/PATH", args->operands[i]);
		code = sink_open(&sink, NULL);
		if (code != 0)
			return app_fail_write(app, "standard output", code);
		sink.text = true;
		code = nacre_cat(app->store, args->operands[i], path, sink_write, &sink, &err);
		worst = app_worse(worst, finish_sink(app, &sink, code, &err));
		/* the next file may be there; a broken or interrupted output stays so */
		code = sink.failed || sink.cancelled ? worst : EXIT_DONE;
	}
	return app_worse(worst, code);
}

const struct command cmd_cat = {
	.name = "cat",
	.operands = "IMAGE:PATH…",
	.summary = "print files of an image",
	.details = "A PATH begins with /. On a terminal control characters are shown as '?'.",
	.example = "nacre cat debian:12:/etc/os-release",
	.min = 1,
	.max = -1,
	.completes = "path",
	.run = run,
};
