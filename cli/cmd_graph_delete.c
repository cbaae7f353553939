#include "commands.h"

#include "image_text.h"

static int delete_one(struct nacre_store *store, const char *operand, struct nacre_error *err)
{
	struct nacre_node node;
	int code = nacre_node_get(store, bare_id(operand), &node, err);

	return code < 0 ? code : nacre_delete(store, node.id, err);
}

static int run(struct app *app, const struct args *args)
{
	return change_each(app, args, delete_one);
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
