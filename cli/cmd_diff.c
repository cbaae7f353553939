#include "commands.h"

#include "json_out.h"
#include "listing.h"
#include "mem.h"
#include "out.h"
#include "progress.h"
#include "signals.h"
#include "transfer.h"

#include <string.h>

static const struct option_spec options[] = {
	OPTION_JSON,
	{ .name = "tar", .arg = "FILE", .help = "write the changes as the tar of a layer; - is stdout" },
	{ .letter = 'q', .name = "quiet", .help = "no progress" },
	OPTION_PROGRESS,
	{ .name = NULL },
};

struct diff {
	bool json;
	struct json_stream stream;
};

static int on_change(void *ctx, char kind, const char *path)
{
	struct diff *diff = ctx;

	if (signals_caught())
		return -1;
	if (diff->json) {
		AUTO_FREE char *whole = must_printf("/%s", path);
		json_t *fact = json_object();

		json_object_set_new(fact, "kind", json_string(kind == 'A' ? "added" : kind == 'C' ? "changed" :
							      "deleted"));
		json_object_set_new(fact, "path", json_text(whole));
		json_stream_add(&diff->stream, fact);
		return 0;
	}
	outf("%c /", kind);
	out_foreign(path);
	out_text("\n");
	return 0;
}

static const char *other_side(const struct args *args)
{
	return args->operand_count > 1 ? args->operands[1] : NULL;
}

static int write_layer(struct app *app, const struct args *args, struct sink *sink,
		       const struct nacre_progress *progress, struct nacre_error *err)
{
	return nacre_diff_tar(app->store, args->operands[0], other_side(args), sink_write, sink, progress, err);
}

static int run(struct app *app, const struct args *args)
{
	struct diff diff = { .json = args_flag(args, "json") };
	struct nacre_error err = { .code = 0 };
	int code;

	if (args_text(args, "tar") && diff.json)
		return app_usage(app, "--tar and --json exclude each other");
	if (args_text(args, "tar"))
		return write_archive(app, args, args_text(args, "tar"), "", write_layer);
	code = app_open(app, APP_LOOK);
	if (code != EXIT_DONE)
		return code;
	code = nacre_diff(app->store, args->operands[0], other_side(args), on_change, &diff, &err);
	if (code < 0)
		return app_fail(app, code, &err);
	if (diff.json)
		json_stream_end(&diff.stream);
	return EXIT_DONE;
}

const struct command cmd_diff = {
	.name = "diff",
	.operands = "A [B]",
	.summary = "show what changed from one image to another, or in a writable layer",
	.details = "A line each: A added, C changed, D deleted. Without B: what the topmost layer\n"
		   "of A, or a writable layer A, changed in what lies below it. With --tar, a layer\n"
		   "that makes B out of A.",
	.example = "nacre diff debian:11 debian:12\n"
		   "nacre diff --tar update.tar debian:11 debian:12",
	.options = options,
	.min = 1,
	.max = 2,
	.completes = "image",
	.run = run,
};
