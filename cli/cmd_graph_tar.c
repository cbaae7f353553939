#include "commands.h"

#include "image_text.h"

#include <string.h>

static const struct option_spec options[] = {
	{ .letter = 'o', .name = "output", .arg = "FILE", .help = "where to (else standard output)" },
	{ .name = "verify", .help = "only check that it could be written" },
	{ .name = NULL },
};

static int run(struct app *app, const struct args *args)
{
	const char *path = args_text(args, "output");
	bool verify = args_flag(args, "verify"), to_stdout = !path || strcmp(path, "-") == 0;
	struct nacre_error err = { .code = 0 };
	struct nacre_node node;
	struct sink sink;
	int code;

	if (verify && path)
		return app_usage(app, "--verify writes nothing");
	if (!verify && to_stdout && out_is_terminal())
		return app_usage(app, "an archive is not written to a terminal; name a file with -o, or redirect");
	code = app_open(app, APP_LOOK);
	if (code != EXIT_DONE)
		return code;
	code = nacre_node_get(app->store, bare_id(args->operands[0]), &node, &err);
	if (code == 0 && verify)
		code = nacre_layer_verify(app->store, node.id, &err);
	if (code < 0 || verify)
		return code < 0 ? app_fail(app, code, &err) : EXIT_DONE;
	code = sink_open(&sink, path);
	if (code != 0)
		return app_fail_write(app, to_stdout ? "standard output" : path, code);
	code = nacre_layer_tar(app->store, node.id, sink_write, &sink, &err);
	return finish_sink(app, &sink, code, &err);
}

const struct command cmd_graph_tar = {
	.name = "graph tar",
	.operands = "ID",
	.summary = "write a node's layer as its tar, byte for byte",
	.details = "Its SHA-256 is the diff ID, which is verified on the way.",
	.example = "nacre graph tar 5f70bf18a086 | sha256sum",
	.options = options,
	.min = 1,
	.max = 1,
	.completes = "node",
	.run = run,
};
