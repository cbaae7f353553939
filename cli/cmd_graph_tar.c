#include "commands.h"

#include "image_text.h"
#include "mem.h"
#include "progress.h"
#include "transfer.h"

#include <errno.h>
#include <unistd.h>

static const struct option_spec options[] = {
	{ .letter = 'o', .name = "output", .arg = "FILE", .help = "where to (else standard output)" },
	{ .name = "verify", .help = "only check that it could be written" },
	{ .name = "spool", .help = "write nothing unless all of it is good" },
	{ .letter = 'q', .name = "quiet", .help = "no progress" },
	OPTION_PROGRESS,
	{ .name = NULL },
};

/* From the file that holds the whole tar, checked, to the sink. */
static int write_spooled(int fd, struct sink *sink, struct nacre_error *err)
{
	AUTO_FREE char *block = must_alloc(65536);
	ssize_t len;

	while ((len = read(fd, block, 65536)) > 0 || (len < 0 && errno == EINTR))
		if (len > 0 && sink_write(sink, block, (size_t)len) < 0)
			return NACRE_E_CANCELLED;
	if (len == 0)
		return 0;
	*err = (struct nacre_error){ .code = NACRE_E_IO, .sys = errno, .msg = "read the layer's copy" };
	return NACRE_E_IO;
}

/* Into a file first, which goes when we go. Returns a descriptor, or a code. */
static int spool(struct app *app, const struct args *args, const char *id, struct nacre_error *err)
{
	struct progress *progress = progress_new(progress_mode(args));
	struct nacre_progress hook = progress_hook(progress);
	uint64_t size;
	int fd = -1, code = nacre_layer_spool(app->store, id, &hook, &fd, &size, err);

	progress_free(progress, code >= 0);
	return code < 0 ? code : fd;
}

static int run(struct app *app, const struct args *args)
{
	const char *path = args_text(args, "output");
	bool verify = args_flag(args, "verify"), to_stdout = !path || strcmp(path, "-") == 0;
	struct nacre_error err = { .code = 0 };
	struct nacre_node node;
	struct sink sink;
	int code, spooled = -1;

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
	if (code == 0 && args_flag(args, "spool"))
		code = spooled = spool(app, args, node.id, &err);
	if (code < 0 || verify)
		return code < 0 ? app_fail(app, code, &err) : EXIT_DONE;
	code = sink_open(&sink, path);
	if (code != 0)
		return app_fail_write(app, to_stdout ? "standard output" : path, code);
	code = spooled < 0 ? nacre_layer_tar(app->store, node.id, sink_write, &sink, &err) :
			     write_spooled(spooled, &sink, &err);
	if (spooled >= 0)
		close(spooled);
	return finish_sink(app, &sink, code, &err);
}

const struct command cmd_graph_tar = {
	.name = "graph tar",
	.operands = "ID",
	.summary = "write a node's layer as its tar, byte for byte",
	.details = "Its SHA-256 is the diff ID, which is verified on the way; with --spool before\n"
		   "the first byte is written.",
	.example = "nacre graph tar 5f70bf18a086 | sha256sum",
	.options = options,
	.min = 1,
	.max = 1,
	.completes = "node",
	.run = run,
};
