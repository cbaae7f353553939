#include "commands.h"

#include "image_text.h"
#include "mem.h"
#include "progress.h"
#include "transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const struct option_spec options[] = {
	{ .name = "parent", .arg = "ID", .help = "the node below" },
	{ .name = "id", .arg = "HEX", .help = "64 digits; else the chain ID that follows" },
	{ .name = "json", .arg = "FILE", .help = "the node's description, kept byte for byte" },
	{ .name = "diff-id", .arg = "DIGEST", .help = "refuse any other layer" },
	{ .name = "no-layer", .help = "a node without a layer; needs --id" },
	{ .letter = 'q', .name = "quiet", .help = "no progress" },
	OPTION_PROGRESS,
	{ .name = NULL },
};

/* A description is a page of JSON; the library has its own limit. */
#define DESCRIPTION_MAX (64u << 20)

/* The whole file. Returns an exit code. */
static int read_file(struct app *app, const char *path, struct text *ret)
{
	AUTO_FREE char *block = must_alloc(65536);
	int fd = open(path, O_RDONLY | O_CLOEXEC), failed = 0;
	ssize_t len = 1;

	if (fd < 0)
		return app_error(app, errno == ENOENT ? EXIT_NOTFOUND : EXIT_FAILED, "open '%s': %s", path,
				 strerror(errno));
	text_adds(ret, "");
	while (len > 0 && ret->len <= DESCRIPTION_MAX) {
		len = read(fd, block, 65536);
		failed = len < 0 ? errno : 0;
		if (len > 0)
			text_add(ret, block, (size_t)len);
	}
	close(fd);
	if (failed)
		return app_error(app, EXIT_FAILED, "read '%s': %s", path, strerror(failed));
	return ret->len > DESCRIPTION_MAX ? app_error(app, EXIT_BADDATA, "'%s' is too large for a description", path) :
					    EXIT_DONE;
}

static int run(struct app *app, const struct args *args)
{
	const char *json = args_text(args, "json"), *parent = args_text(args, "parent");
	bool layer = !args_flag(args, "no-layer");
	AUTO_TEXT struct text description = { .data = NULL };
	struct nacre_error err = { .code = 0 };
	struct nacre_node below;
	struct progress *progress;
	char id[65];
	int code;

	if (layer && isatty(STDIN_FILENO))
		return app_usage(app, "a layer cannot be read from a terminal; redirect a tar into it");
	if (!layer && !args_text(args, "id"))
		return app_usage(app, "--no-layer needs --id");
	code = json ? read_file(app, json, &description) : EXIT_DONE;
	if (code == EXIT_DONE)
		code = app_open(app, APP_MAKE);
	if (code != EXIT_DONE)
		return code;
	code = parent ? nacre_node_get(app->store, bare_id(parent), &below, &err) : 0;
	if (code < 0)
		return app_fail(app, code, &err);

	progress = progress_new(progress_mode(args));
	code = nacre_register(app->store, layer ? STDIN_FILENO : -1,
			      &(struct nacre_register_options){
				      .size = sizeof(struct nacre_register_options),
				      .id = args_text(args, "id"),
				      .parent = parent ? below.id : NULL,
				      .json = json ? description.data : NULL,
				      .json_len = description.len,
				      .diff_id = args_text(args, "diff-id"),
				      .progress = progress_hook(progress),
			      },
			      id, &err);
	progress_free(progress, code >= 0);
	if (code < 0)
		return app_fail(app, code, &err);
	if (code == 1)
		app_info(app, "'%.12s' was there", id);
	outf("%s\n", id);
	return EXIT_DONE;
}

const struct command cmd_graph_register = {
	.name = "graph register",
	.operands = "",
	.summary = "make a node out of a layer's tar on standard input",
	.details = "Prints the node's ID. One that is there with the same content is done already.",
	.example = "nacre graph register --parent 5f70bf18a086 < layer.tar",
	.options = options,
	.run = run,
};
