#include "commands.h"

#include "help.h"
#include "listing.h"

#include "mem.h"

static const struct option_spec options[] = {
	{ .name = "json", .help = "print the table of all commands and options" },
	{ .name = NULL },
};

static int run(struct app *app, const struct args *args)
{
	AUTO_FREE char *name = NULL;
	const struct command *command;

	if (args_flag(args, "json")) {
		help_json();
		return EXIT_DONE;
	}
	if (args->operand_count == 0) {
		help_all();
		return EXIT_DONE;
	}
	name = args->operand_count > 1 ? must_printf("%s %s", args->operands[0], args->operands[1]) :
					 must_copy(args->operands[0]);
	if (strcmp(name, "graph") == 0) {
		help_graph();
		return EXIT_DONE;
	}
	command = command_find(name);
	if (!command)
		return command_unknown(app, name);
	help_command(command);
	return EXIT_DONE;
}

const struct command cmd_help = {
	.name = "help",
	.operands = "[COMMAND]",
	.summary = "show help",
	.example = "nacre help load",
	.options = options,
	.min = 0,
	.max = 2,
	.completes = "command",
	.run = run,
};
