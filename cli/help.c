#include "help.h"

#include "json_out.h"
#include "mem.h"

#include <stdio.h>

const struct command *command_find(const char *name)
{
	static const char *const others[][2] = {
		{ "ls", "images" }, { "list", "images" }, { "rm", "rmi" }, { "remove", "rmi" },
	};

	for (size_t i = 0; commands[i]; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	if (strncmp(name, "image ", 6) != 0)
		return NULL;
	name += 6;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(others[i][0], name) == 0)
			name = others[i][1];
	for (size_t i = 0; commands[i]; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

int command_unknown(struct app *app, const char *name)
{
	const char *best = NULL;
	unsigned best_distance = 3;

	for (size_t i = 0; commands[i]; i++) {
		unsigned distance = text_distance(name, commands[i]->name);

		/* of a short word, one letter off is already much */
		if (distance < best_distance && distance < strlen(name)) {
			best = commands[i]->name;
			best_distance = distance;
		}
	}
	if (best)
		return app_usage(app, "unknown command '%s'; did you mean '%s'?", name, best);
	return app_usage(app, "unknown command '%s'", name);
}

void help_all(void)
{
	outf("nacre %s - a store for versioned file system images\n"
	     "Usage: nacre [OPTION]... COMMAND [OPTION]... [OPERAND]...\n\n", nacre_version());
	out_text("  load, save              archives and layouts, in and out\n"
		 "  import, export          a root file system's tar, in and out\n"
		 "  copy, pull, push        any place; registries, with 'login' and 'logout'\n"
		 "  images, tags, inspect   list images, or a registry's tags; all about one\n"
		 "  history, tree           how images came to be; which layers they share\n"
		 "  ls, cat, diff           look into images without mounting them\n"
		 "  tag, untag, rmi, prune  names, and removing\n"
		 "  mount, umount, bundle   use an image's files, or run them with crun or runc\n"
		 "  create, commit, rm      write on top of an image; 'containers' lists it\n"
		 "  hold, release, holds    keep images and nodes from being removed\n"
		 "  df, info, check, migrate  space; the store, its damage, another driver\n"
		 "  graph ...               the graph below: see 'nacre help graph'\n"
		 "  help, version           'nacre help COMMAND' shows a command's options\n\n");
	out_text("  --root DIR              the store (else $NACRE_ROOT, else /var/lib/nacre for\n"
		 "                          root and ~/.local/share/nacre for others)\n"
		 "  --driver NAME           driver of a new store (else $NACRE_DRIVER)\n"
		 "  --log-level LEVEL       error, warn (the default), info or debug\n"
		 "  --sync none             never wait for the disk: for throw-away stores only\n\n"
		 "Example: nacre load -i debian.tar && nacre images\n");
}

void help_graph(void)
{
	out_text("nacre graph - the graph of nodes below images\n\nUsage: nacre graph COMMAND [OPTION]... [OPERAND]...\n\n");
	for (size_t i = 0; commands[i]; i++)
		if (strncmp(commands[i]->name, "graph ", 6) == 0)
			outf("  %-12s  %s\n", commands[i]->name + 6, commands[i]->summary);
	out_text("\nAn ID may be shortened as long as one node alone begins with it.\n\n"
		 "Example:\n  nacre graph ls\n");
}

/* Lines of text, each after an indentation; the first one follows what is already there. */
static void put_lines(const char *text, const char *indent)
{
	for (; *text; text++) {
		char c[2] = { *text, '\0' };

		out_text(c);
		if (*text == '\n')
			out_text(indent);
	}
	out_text("\n");
}

static void put_option(const struct option_spec *option)
{
	AUTO_FREE char *left = NULL;

	if (option->letter)
		left = must_printf("-%c, --%s%s%s", option->letter, option->name, option->arg ? " " : "",
				   option->arg ? option->arg : "");
	else
		left = must_printf("    --%s%s%s", option->name, option->arg ? " " : "",
				   option->arg ? option->arg : "");
	outf("  %-24s  ", left);
	put_lines(option->help, "                            ");
}

void help_command(const struct command *command)
{
	bool options = command->options && command->options->name;

	outf("nacre %s - %s\n\nUsage: nacre %s%s%s%s\n", command->name, command->summary, command->name,
	     options ? " [OPTION]..." : "", command->operands[0] ? " " : "", command->operands);
	if (command->details)
		outf("\n%s\n", command->details);
	if (options)
		out_text("\n");
	for (const struct option_spec *option = command->options; option && option->name; option++)
		put_option(option);
	out_text("\nExample:\n  ");
	put_lines(command->example, "  ");
}

static json_t *json_option(const struct option_spec *option)
{
	json_t *fact = json_object();
	char letter[2] = { option->letter, '\0' };

	json_object_set_new(fact, "name", json_string(option->name));
	json_object_set_new(fact, "letter", option->letter ? json_string(letter) : json_null());
	json_object_set_new(fact, "argument", json_text(option->arg));
	json_object_set_new(fact, "choices", json_text(option->choices));
	json_object_set_new(fact, "many", json_boolean(option->many));
	json_object_set_new(fact, "help", json_text(option->help));
	return fact;
}

static json_t *json_options(const struct option_spec *options)
{
	json_t *array = json_array();

	for (; options && options->name; options++)
		json_array_append_new(array, json_option(options));
	return array;
}

void help_json(void)
{
	json_t *fact = json_object(), *array = json_array();

	for (size_t i = 0; commands[i]; i++) {
		json_t *command = json_object();

		json_object_set_new(command, "name", json_string(commands[i]->name));
		json_object_set_new(command, "operands", json_text(commands[i]->operands));
		json_object_set_new(command, "summary", json_text(commands[i]->summary));
		json_object_set_new(command, "completes", json_text(commands[i]->completes));
		json_object_set_new(command, "options", json_options(commands[i]->options));
		json_array_append_new(array, command);
	}
	json_object_set_new(fact, "commands", array);
	json_object_set_new(fact, "options", json_options(app_options));
	json_print(fact);
}
