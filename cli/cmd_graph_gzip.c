#include "commands.h"

#include "json_out.h"
#include "listing.h"
#include "progress.h"
#include "transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static const struct option_spec options[] = {
	{ .letter = 'o', .name = "output", .arg = "FILE", .help = "where to" },
	OPTION_JSON,
	{ .letter = 'q', .name = "quiet", .help = "no progress" },
	OPTION_PROGRESS,
	{ .name = NULL },
};

static int compress(struct app *app, const struct args *args, int in, struct sink *sink)
{
	struct nacre_error err = { .code = 0 };
	struct progress *progress = progress_new(progress_mode(args));
	struct nacre_progress hook = progress_hook(progress);
	char digest[NACRE_DIGEST_MAX];
	uint64_t size;
	int code = nacre_gzip(in, sink->fd, &hook, &size, digest, &err);

	progress_free(progress, code >= 0);
	code = finish_sink(app, sink, code, &err);
	if (code != EXIT_DONE)
		return code;
	if (args_flag(args, "json")) {
		json_t *fact = json_object();

		json_object_set_new(fact, "digest", json_text(digest));
		json_object_set_new(fact, "size", json_size(size));
		json_print(fact);
	} else {
		outf("%s %" PRIu64 "\n", digest, size);
	}
	return EXIT_DONE;
}

static int run(struct app *app, const struct args *args)
{
	const char *from = args->operand_count ? args->operands[0] : "-", *path = args_text(args, "output");
	bool given = strcmp(from, "-") == 0;
	int in = STDIN_FILENO, code;
	struct sink sink;

	if (!path || strcmp(path, "-") == 0)
		return app_usage(app, "name a file with -o; the digest goes to standard output");
	if (given && isatty(STDIN_FILENO))
		return app_usage(app, "name a file, or redirect one");
	if (!given)
		in = open(from, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (in < 0)
		return app_error(app, errno == ENOENT ? EXIT_NOTFOUND : EXIT_FAILED, "open '%s': %s", from,
				 strerror(errno));
	code = sink_open(&sink, path);
	code = code ? app_fail_write(app, path, code) : compress(app, args, in, &sink);
	if (!given)
		close(in);
	return code;
}

const struct command cmd_graph_gzip = {
	.name = "graph gzip",
	.operands = "[FILE]",
	.summary = "compress a layer's tar, and tell the digest of the result",
	.details = "Without FILE it reads standard input. Prints digest and size; the same bytes\n"
		   "give the same digest each time.",
	.example = "nacre graph tar 5f70bf18a086 | nacre graph gzip -o layer.tar.gz",
	.options = options,
	.max = 1,
	.completes = "file",
	.run = run,
};
