/* graph get, raw, exists, size and path: what is known of one node. */
#include "commands.h"

#include "image_text.h"
#include "json_out.h"
#include "listing.h"
#include "mem.h"
#include "node_text.h"

#include <inttypes.h>

static const struct option_spec get_options[] = {
	{ .letter = 'f', .name = "format", .arg = "TEMPLATE", .help = "print with a Go template" },
	OPTION_JSON,
	{ .name = NULL },
};

/* Fills node. Returns an exit code. */
static int get_node(struct app *app, const struct args *args, struct nacre_node *node)
{
	struct nacre_error err = { .code = 0 };
	int code = app_open(app, APP_LOOK);

	if (code != EXIT_DONE)
		return code;
	code = nacre_node_get(app->store, bare_id(args->operands[0]), node, &err);
	return code < 0 ? app_fail(app, code, &err) : EXIT_DONE;
}

static int run_get(struct app *app, const struct args *args)
{
	struct nacre_node node;
	uint64_t size;
	int code = get_node(app, args, &node);

	if (code != EXIT_DONE)
		return code;
	if (node.size < 0 && nacre_node_size(app->store, node.id, &size, NULL) == 0)
		node.size = (int64_t)size;
	code = value_print(app, args, json_node(&node));
	if (code >= 0)
		return code;
	json_print(json_node(&node));
	return EXIT_DONE;
}

static int run_raw(struct app *app, const struct args *args)
{
	AUTO_FREE char *bytes = NULL;
	struct nacre_error err = { .code = 0 };
	struct nacre_node node;
	size_t len;
	int code = get_node(app, args, &node);

	if (code != EXIT_DONE)
		return code;
	code = nacre_node_json(app->store, node.id, &bytes, &len, &err);
	if (code < 0)
		return app_fail(app, code, &err);
	out_foreign_block(bytes, len);
	return EXIT_DONE;
}

static int run_exists(struct app *app, const struct args *args)
{
	struct nacre_error err = { .code = 0 };
	struct nacre_node node;
	int code = app_open(app, APP_LOOK_OR_NONE);

	if (code != EXIT_DONE)
		return code;
	code = app->store ? nacre_node_get(app->store, bare_id(args->operands[0]), &node, &err) : NACRE_E_NOTFOUND;
	/* the answer is the exit code */
	if (code == NACRE_E_NOTFOUND)
		return EXIT_NOTFOUND;
	return code < 0 ? app_fail(app, code, &err) : EXIT_DONE;
}

static int run_size(struct app *app, const struct args *args)
{
	struct nacre_error err = { .code = 0 };
	struct nacre_node node;
	uint64_t size;
	int code = get_node(app, args, &node);

	if (code != EXIT_DONE)
		return code;
	code = nacre_node_size(app->store, node.id, &size, &err);
	if (code < 0)
		return app_fail(app, code, &err);
	outf("%" PRIu64 "\n", size);
	return EXIT_DONE;
}

static int run_path(struct app *app, const struct args *args)
{
	AUTO_FREE char *path = NULL;
	struct nacre_error err = { .code = 0 };
	struct nacre_node node;
	int code = get_node(app, args, &node);

	if (code != EXIT_DONE)
		return code;
	code = nacre_node_path(app->store, node.id, &path, &err);
	if (code < 0)
		return app_fail(app, code, &err);
	out_foreign(path);
	out_text("\n");
	return EXIT_DONE;
}

const struct command cmd_graph_get = {
	.name = "graph get",
	.operands = "ID",
	.summary = "show one node, as JSON",
	.example = "nacre graph get --format '{{.Parent}}' 5f70bf18a086",
	.options = get_options,
	.min = 1,
	.max = 1,
	.completes = "node",
	.run = run_get,
};

const struct command cmd_graph_raw = {
	.name = "graph raw",
	.operands = "ID",
	.summary = "print a node's description, byte for byte",
	.example = "nacre graph raw 5f70bf18a086 | jq .",
	.min = 1,
	.max = 1,
	.completes = "node",
	.run = run_raw,
};

const struct command cmd_graph_exists = {
	.name = "graph exists",
	.operands = "ID",
	.summary = "exit with 0 when there is such a node, with 2 when not",
	.details = "A failure to look is neither: it says why and ends with a code of its own.",
	.example = "nacre graph exists 5f70bf18a086 && echo there",
	.min = 1,
	.max = 1,
	.completes = "node",
	.run = run_exists,
};

const struct command cmd_graph_size = {
	.name = "graph size",
	.operands = "ID",
	.summary = "print the bytes of file content in a node's layer",
	.details = "Works it out where the node does not say, and remembers it.",
	.example = "nacre graph size 5f70bf18a086",
	.min = 1,
	.max = 1,
	.completes = "node",
	.run = run_size,
};

const struct command cmd_graph_path = {
	.name = "graph path",
	.operands = "ID",
	.summary = "print the directory in which a node's files lie",
	.details = "The whole tree, or with overlay what the layer itself brought. For looking only.",
	.example = "ls $(nacre graph path 5f70bf18a086)",
	.min = 1,
	.max = 1,
	.completes = "node",
	.run = run_path,
};
