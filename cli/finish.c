#include "commands.h"

#include "json_out.h"
#include "out.h"

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
