#include "commands.h"

static int run(struct app *app, const struct args *args)
{
	return change_each(app, args, nacre_untag);
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
