#include "commands.h"

#include "json_out.h"
#include "listing.h"

static const struct option_spec options[] = {
	{ .letter = 'f', .name = "format", .arg = "TEMPLATE", .help = "print with a Go template, or \"json\"" },
	OPTION_JSON,
	{ .name = NULL },
};

static int run(struct app *app, const struct args *args)
{
	json_t *fact = json_object();
	int code;

	json_object_set_new(fact, "version", json_string(nacre_version()));
	code = value_print(app, args, fact);
	if (code >= 0)
		return code;
	outf("nacre %s\n", nacre_version());
	return EXIT_DONE;
}

const struct command cmd_version = {
	.name = "version",
	.operands = "",
	.summary = "show the version",
	.example = "nacre version",
	.options = options,
	.min = 0,
	.max = 0,
	.run = run,
};
