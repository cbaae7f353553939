#include "commands.h"

#include "json_out.h"
#include "listing.h"
#include "mem.h"
#include "signals.h"

static const struct option_spec options[] = {
	OPTION_JSON,
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

static int run(struct app *app, const struct args *args)
{
	struct diff diff = { .json = args_flag(args, "json") };
	struct nacre_error err = { .code = 0 };
	int code = app_open(app, APP_LOOK);

	if (code != EXIT_DONE)
		return code;
	code = nacre_diff(app->store, args->operands[0], args->operand_count > 1 ? args->operands[1] : NULL,
			  on_change, &diff, &err);
	if (code < 0)
		return app_fail(app, code, &err);
	if (diff.json)
		json_stream_end(&diff.stream);
	return EXIT_DONE;
}

const struct command cmd_diff = {
	.name = "diff",
	.operands = "A [B]",
	.summary = "show what changed from one image to another",
	.details = "A line each: A added, C changed, D deleted. Without B: what the topmost layer\n"
		   "of A changed in what lies below it.",
	.example = "nacre diff debian:11 debian:12",
	.options = options,
	.min = 1,
	.max = 2,
	.completes = "image",
	.run = run,
};
