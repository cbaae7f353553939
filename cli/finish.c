#include "commands.h"

#include "json_out.h"
#include "progress.h"
#include "transfer.h"

#include <string.h>

int finish_sink(struct app *app, struct sink *sink, int code, const struct nacre_error *err)
{
	const char *where = sink->path ? sink->path : "standard output";
	int failed = sink->failed, closed = sink_close(sink, code >= 0);

	/* a sink that cannot write stops the operation, which then says no more than that it was stopped */
	if (failed)
		return app_fail_write(app, where, failed);
	if (code < 0)
		return app_fail(app, code, err);
	return closed ? app_fail_write(app, where, closed) : EXIT_DONE;
}

int write_archive(struct app *app, const struct args *args, const char *path, const char *how,
		  int (*write)(struct app *app, const struct args *args, struct sink *sink,
			       const struct nacre_progress *progress, struct nacre_error *err))
{
	bool to_stdout = !path || strcmp(path, "-") == 0;
	struct nacre_progress hook;
	struct progress *progress;
	struct nacre_error err = { .code = 0 };
	struct sink sink;
	int code;

	if (to_stdout && out_is_terminal())
		return app_usage(app, "an archive is not written to a terminal; name a file%s, or redirect", how);
	code = app_open(app, APP_LOOK);
	if (code != EXIT_DONE)
		return code;
	code = sink_open(&sink, path);
	if (code != 0)
		return app_fail_write(app, to_stdout ? "standard output" : path, code);
	progress = progress_new(progress_mode(args));
	hook = progress_hook(progress);
	code = write(app, args, &sink, &hook, &err);
	progress_free(progress, code >= 0);
	return finish_sink(app, &sink, code, &err);
}

int change_each(struct app *app, const struct args *args,
		int (*change)(struct nacre_store *store, const char *operand, struct nacre_error *err))
{
	int worst = EXIT_DONE, code = app_open(app, APP_CHANGE);

	if (code != EXIT_DONE)
		return code;
	for (int i = 0; i < args->operand_count; i++) {
		struct nacre_error err = { .code = 0 };

		code = change(app->store, args->operands[i], &err);
		if (code < 0)
			worst = app_worse(worst, app_fail(app, code, &err));
	}
	return worst;
}

void print_new_image(const struct args *args, const char *id, const char *name)
{
	if (!args_flag(args, "json")) {
		outf("%s\n", id);
		return;
	}
	json_t *fact = json_object(), *names = json_array();

	json_object_set_new(fact, "id", json_string(id));
	if (name)
		json_array_append_new(names, json_text(name));
	json_object_set_new(fact, "names", names);
	json_print(fact);
}
