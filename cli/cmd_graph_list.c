#include "commands.h"

#include "human.h"
#include "image_text.h"
#include "json_out.h"
#include "listing.h"
#include "node_text.h"

static const struct option_spec options[] = {
	OPTION_QUIET,
	OPTION_NO_TRUNC,
	OPTION_NOHEADING,
	OPTION_FORMAT,
	OPTION_JSON,
	{ .name = NULL },
};

enum { ID, PARENT, KIND, SIZE, DIFF_ID, COLUMN_COUNT };
static const struct column columns[] = {
	[ID] = { .field = "ID", .header = "ID" },
	[PARENT] = { .field = "Parent", .header = "PARENT" },
	[KIND] = { .field = "Kind", .header = "KIND" },
	[SIZE] = { .field = "Size", .header = "SIZE", .right = true },
	[DIFF_ID] = { .field = "DiffID", .header = "DIFF ID", .hidden = true },
	[COLUMN_COUNT] = { .field = NULL },
};

struct nodes {
	struct listing *listing;
	bool full;
};

static int on_node(void *ctx, const struct nacre_node *node)
{
	struct nodes *nodes = ctx;
	int digits = nodes->full ? 64 : 12;
	char id[65], parent[65], size[HUMAN_MAX] = "";

	snprintf(id, sizeof(id), "%.*s", digits, node->id);
	snprintf(parent, sizeof(parent), "%.*s", digits, node->parent);
	if (node->size >= 0 && node->has_layer)
		human_size(size, (uint64_t)node->size);
	listing_fact(nodes->listing, json_node(node));
	listing_row(nodes->listing, (const char *[COLUMN_COUNT]){
					    [ID] = id,
					    [PARENT] = parent,
					    [KIND] = node_kind(node),
					    [SIZE] = size,
					    [DIFF_ID] = node->diff_id,
				    });
	return 0;
}

static int list(struct app *app, const struct args *args, enum nacre_select select, const char *of)
{
	AUTO_LISTING struct listing listing;
	struct nodes nodes = { .listing = &listing };
	struct nacre_error err = { .code = 0 };
	struct nacre_node parent;
	int code;

	listing_init(&listing, columns, "ID");
	/* what -q prints is for programs: whole */
	nodes.full = args_flag(args, "no-trunc") || args_flag(args, "quiet");
	code = app_open(app, of ? APP_LOOK : APP_LOOK_OR_NONE);
	if (code != EXIT_DONE)
		return code;
	if (of)
		code = nacre_node_get(app->store, bare_id(of), &parent, &err);
	if (code == 0 && app->store)
		code = nacre_nodes_each(app->store, select, of ? parent.id : NULL, on_node, &nodes, &err);
	return code < 0 ? app_fail(app, code, &err) : listing_print(app, &listing, args);
}

static int run_ls(struct app *app, const struct args *args)
{
	return list(app, args, NACRE_ALL, NULL);
}

static int run_heads(struct app *app, const struct args *args)
{
	return list(app, args, NACRE_HEADS, NULL);
}

static int run_children(struct app *app, const struct args *args)
{
	return list(app, args, NACRE_CHILDREN, args->operands[0]);
}

const struct command cmd_graph_ls = {
	.name = "graph ls",
	.operands = "",
	.summary = "list every node of the graph",
	.details = "Template fields: .ID .Parent .Kind .Size .DiffID; -q prints whole IDs.",
	.example = "nacre graph ls -q",
	.options = options,
	.run = run_ls,
};

const struct command cmd_graph_heads = {
	.name = "graph heads",
	.operands = "",
	.summary = "list the nodes that are nobody's parent",
	.details = "Template fields: .ID .Parent .Kind .Size .DiffID; -q prints whole IDs.",
	.example = "nacre graph heads --json",
	.options = options,
	.run = run_heads,
};

const struct command cmd_graph_children = {
	.name = "graph children",
	.operands = "ID",
	.summary = "list the nodes whose parent is ID",
	.details = "Template fields: .ID .Parent .Kind .Size .DiffID; -q prints whole IDs.",
	.example = "nacre graph children 5f70bf18a086",
	.options = options,
	.min = 1,
	.max = 1,
	.completes = "node",
	.run = run_children,
};
