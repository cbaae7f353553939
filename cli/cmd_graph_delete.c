#include "commands.h"

#include "image_text.h"

static int run(struct app *app, const struct args *args)
{
	int worst = EXIT_DONE, code = app_open(app, APP_CHANGE);

	if (code != EXIT_DONE)
		return code;
	for (int i = 0; i < args->operand_count; i++) {
		struct nacre_error err = { .code = 0 };
		struct nacre_node node;

		code = nacre_node_get(app->store, bare_id(args->operands[i]), &node, &err);
		if (code == 0)
			code = nacre_delete(app->store, node.id, &err);
		if (code < 0)
			worst = app_worse(worst, app_fail(app, code, &err));
	}
	return worst;
}

const struct command cmd_graph_delete = {
	.name = "graph delete",
	.operands = "ID…",
	.summary = "delete nodes that nothing needs",
	.details = "A node with children, a name or a mount stays.",
	.example = "nacre graph delete 5f70bf18a086",
	.min = 1,
	.max = -1,
	.completes = "node",
	.run = run,
};
