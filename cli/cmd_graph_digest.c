#include "commands.h"

#include "image_text.h"

static int run(struct app *app, const struct args *args)
{
	const char *digest = args->operand_count > 1 ? args->operands[1] : NULL;
	struct nacre_error err = { .code = 0 };
	struct nacre_node node;
	char text[NACRE_DIGEST_MAX];
	int code = app_open(app, digest ? APP_CHANGE : APP_LOOK);

	if (code != EXIT_DONE)
		return code;
	code = nacre_node_get(app->store, bare_id(args->operands[0]), &node, &err);
	if (code == 0)
		code = digest ? nacre_node_set_digest(app->store, node.id, digest, &err) :
				nacre_node_digest(app->store, node.id, text, &err);
	if (code < 0)
		return app_fail(app, code, &err);
	if (!digest)
		outf("%s\n", text);
	return EXIT_DONE;
}

const struct command cmd_graph_digest = {
	.name = "graph digest",
	.operands = "ID [DIGEST]",
	.summary = "print the digest noted for a node, or note one",
	.details = "Ends with 3 when none was ever set. DIGEST is sha256:, sha384: or sha512: and\n"
		   "hex digits, or a tarsum. Nothing compares it with the layer.",
	.example = "nacre graph digest 5f70bf18a086",
	.min = 1,
	.max = 2,
	.completes = "node",
	.run = run,
};
