/* The command nacre: finds the command, parses its options, runs it. */
#include "commands.h"
#include "help.h"
#include "json_out.h"
#include "mem.h"
#include "signals.h"

#include <locale.h>

const struct command *const commands[] = {
	&cmd_load,           &cmd_save,           &cmd_import,         &cmd_export,
	&cmd_copy,           &cmd_pull,           &cmd_images,         &cmd_inspect,
	&cmd_history,        &cmd_tree,           &cmd_ls,             &cmd_cat,
	&cmd_diff,           &cmd_tag,            &cmd_untag,          &cmd_rmi,
	&cmd_mount,          &cmd_umount,         &cmd_create,         &cmd_containers,
	&cmd_commit,         &cmd_rm,             &cmd_bundle,         &cmd_df,
	&cmd_info,           &cmd_version,        &cmd_help,           &cmd_graph_ls,
	&cmd_graph_heads,    &cmd_graph_children, &cmd_graph_get,      &cmd_graph_raw,
	&cmd_graph_exists,   &cmd_graph_register, &cmd_graph_delete,   &cmd_graph_tar,
	&cmd_graph_size,     &cmd_graph_digest,   &cmd_graph_create,   &cmd_graph_path,
	&cmd_graph_gzip,     &cmd_graph_init,     &cmd_hold,           &cmd_release,
	&cmd_holds,          &cmd_migrate,        &cmd_check,          &cmd_prune,
	&cmd_login,          &cmd_logout,         &cmd_push,           &cmd_tags,
	NULL,
};

static const struct option_spec top_options[] = {
	{ .letter = 'v', .name = "version", .help = "show the version" },
	{ .name = NULL },
};

static bool speaks_json(const struct command *command, const struct args *args)
{
	for (const struct option_spec *option = command->options; option && option->name; option++) {
		const char *mode = strcmp(option->name, "progress") == 0 ? args_text(args, "progress") : NULL;

		if (mode)
			return strcmp(mode, "json") == 0;
	}
	return false;
}

static int run_command(struct app *app, const struct args *global, int argc, char **argv)
{
	AUTO_ARGS struct args args = { .spec_count = 0 };
	AUTO_FREE char *error = NULL;
	int code;

	if (args_parse(&args, argc, argv, app->command->options, app_options, false, &error) < 0)
		return app_usage(app, "%s", error);
	if (args_flag(&args, "help") || args_flag(global, "help")) {
		help_command(app->command);
		return EXIT_DONE;
	}
	if (args.operand_count < app->command->min)
		return app_usage(app, "an operand is missing: nacre %s %s", app->command->name,
				 app->command->operands);
	if (app->command->max >= 0 && args.operand_count > app->command->max)
		return app_usage(app, "'%s' is one operand too many", args.operands[app->command->max]);
	app->json_errors = speaks_json(app->command, &args);
	code = app_settle(app, global, &args);
	return code == EXIT_DONE ? app->command->run(app, &args) : code;
}

/* The command's name: one word, or two after "graph" and "image". Returns how many words it has. */
static int take_name(const struct args *global, char **ret_name)
{
	const char *first = global->operands[0];
	bool group = strcmp(first, "graph") == 0 || strcmp(first, "image") == 0;

	if (group && global->operand_count > 1 && global->operands[1][0] != '-') {
		*ret_name = must_printf("%s %s", first, global->operands[1]);
		return 2;
	}
	*ret_name = must_copy(first);
	return 1;
}

static int run(struct app *app, int argc, char **argv)
{
	AUTO_ARGS struct args global = { .spec_count = 0 };
	AUTO_FREE char *error = NULL, *name = NULL;
	int words;

	if (args_parse(&global, argc, argv, top_options, app_options, true, &error) < 0)
		return app_usage(app, "%s", error);
	if (args_flag(&global, "version")) {
		outf("nacre %s\n", nacre_version());
		return EXIT_DONE;
	}
	if (global.operand_count == 0) {
		if (!args_flag(&global, "help"))
			return app_usage(app, "a command is missing");
		help_all();
		return EXIT_DONE;
	}
	words = take_name(&global, &name);
	app->command = command_find(name);
	if (!app->command && strcmp(name, "graph") == 0) {
		bool asked = global.operand_count > 1 && (strcmp(global.operands[1], "--help") == 0 ||
							  strcmp(global.operands[1], "-h") == 0);

		if (!asked && !args_flag(&global, "help"))
			return app_usage(app, "graph: a command is missing; 'nacre help graph' lists them");
		help_graph();
		return EXIT_DONE;
	}
	if (!app->command)
		return command_unknown(app, name);
	/* the word before the options stands where getopt expects the program's name */
	return run_command(app, &global, global.operand_count - words + 1, global.operands + words - 1);
}

int main(int argc, char **argv)
{
	struct app app = { .level = LOG_WARN };
	int code, failed;

	out_init();
	setlocale(LC_CTYPE, "");
	json_init();
	signals_install();
	code = run(&app, argc, argv);
	app_release(&app);
	failed = out_finish();
	if (failed && code == EXIT_DONE)
		code = app_fail_write(&app, "standard output", failed);
	return code;
}
