#include "commands.h"

static int run(struct app *app, const struct args *args)
{
	int worst = EXIT_DONE, code = app_open(app, APP_CHANGE);

	if (code != EXIT_DONE)
		return code;
	for (int i = 1; i < args->operand_count; i++) {
		struct nacre_error err = { .code = 0 };

		code = nacre_tag(app->store, args->operands[0], args->operands[i], &err);
		if (code < 0)
			worst = app_worse(worst, app_fail(app, code, &err));
	}
	return worst;
}

const struct command cmd_tag = {
	.name = "tag",
	.operands = "IMAGE NAME…",
	.summary = "give an image more names",
	.details = "A name that points at another image moves.",
	.example = "nacre tag debian:12 registry.example.org/base:stable",
	.min = 2,
	.max = -1,
	.completes = "image",
	.run = run,
};
