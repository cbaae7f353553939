#include "commands.h"

#include "image_text.h"
#include "progress.h"
#include "transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const struct option_spec options[] = {
	{ .name = "parent", .arg = "ID", .help = "the node below" },
	{ .name = "container", .arg = "HEX", .help = "the container it was made of: 64 digits" },
	{ .name = "container-config", .arg = "JSON", .help = "that container's config" },
	{ .letter = 'm', .name = "comment", .arg = "TEXT", .help = "what it is" },
	{ .letter = 'a', .name = "author", .arg = "TEXT", .help = "who made it" },
	{ .name = "config", .arg = "JSON", .help = "what its containers run" },
	{ .letter = 'q', .name = "quiet", .help = "no progress" },
	OPTION_PROGRESS,
	{ .name = NULL },
};

/* The layer's descriptor: -1 without FILE. Returns an exit code. */
static int open_layer(struct app *app, const char *path, int *ret)
{
	*ret = -1;
	if (!path)
		return EXIT_DONE;
	if (strcmp(path, "-") == 0) {
		*ret = STDIN_FILENO;
		return isatty(STDIN_FILENO) ? app_usage(app, "a layer cannot be read from a terminal; redirect a tar "
							"into it") : EXIT_DONE;
	}
	*ret = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (*ret < 0)
		return app_error(app, errno == ENOENT ? EXIT_NOTFOUND : EXIT_FAILED, "open '%s': %s", path,
				 strerror(errno));
	return EXIT_DONE;
}

static int create(struct app *app, const struct args *args, int layer)
{
	const char *parent = args_text(args, "parent");
	struct nacre_error err = { .code = 0 };
	struct nacre_node below;
	struct progress *progress;
	char id[65];
	int code = parent ? nacre_node_get(app->store, bare_id(parent), &below, &err) : 0;

	if (code < 0)
		return app_fail(app, code, &err);
	progress = progress_new(progress_mode(args));
	code = nacre_node_create(app->store, layer,
				 &(struct nacre_create_options){
					 .size = sizeof(struct nacre_create_options),
					 .parent = parent ? below.id : NULL,
					 .container = args_text(args, "container"),
					 .container_config = args_text(args, "container-config"),
					 .comment = args_text(args, "comment"),
					 .author = args_text(args, "author"),
					 .config = args_text(args, "config"),
					 .progress = progress_hook(progress),
				 },
				 id, &err);
	progress_free(progress, code >= 0);
	if (code < 0)
		return app_fail(app, code, &err);
	outf("%s\n", id);
	return EXIT_DONE;
}

static int run(struct app *app, const struct args *args)
{
	int layer, code = open_layer(app, args->operand_count ? args->operands[0] : NULL, &layer);

	if (code == EXIT_DONE)
		code = app_open(app, APP_MAKE);
	if (code == EXIT_DONE)
		code = create(app, args, layer);
	if (layer > STDERR_FILENO)
		close(layer);
	return code;
}

const struct command cmd_graph_create = {
	.name = "graph create",
	.operands = "[FILE|-]",
	.summary = "make a node with a new random ID",
	.details = "FILE is its layer's tar; without one it has none. Prints the node's ID.",
	.example = "nacre graph create --parent 5f70bf18a086 -m 'one more file' layer.tar",
	.options = options,
	.max = 1,
	.completes = "file",
	.run = run,
};
