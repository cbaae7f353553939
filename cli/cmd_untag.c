#include "commands.h"

static int run(struct app *app, const struct args *args)
{
	int worst = EXIT_DONE, code = app_open(app, APP_CHANGE);

	if (code != EXIT_DONE)
		return code;
	for (int i = 0; i < args->operand_count; i++) {
		struct nacre_error err = { .code = 0 };

		code = nacre_untag(app->store, args->operands[i], &err);
		if (code < 0)
			worst = app_worse(worst, app_fail(app, code, &err));
	}
	return worst;
}

const struct command cmd_untag = {
	.name = "untag",
	.operands = "NAME…",
	.summary = "take names away; the images stay",
	.example = "nacre untag registry.example.org/base:stable",
	.min = 1,
	.max = -1,
	.completes = "name",
	.run = run,
};
