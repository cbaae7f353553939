#include "commands.h"

#include "json_out.h"
#include "listing.h"
#include "out.h"

#include <inttypes.h>

static const struct option_spec options[] = {
	{ .letter = 'f', .name = "format", .arg = "TEMPLATE", .help = "print with a Go template, or \"json\"" },
	OPTION_JSON,
	{ .name = NULL },
};

static void on_driver(void *ctx, const char *driver, const char *reason)
{
	json_t *fact = json_object();

	json_object_set_new(fact, "name", json_text(driver));
	json_object_set_new(fact, "works", json_boolean(!reason));
	json_object_set_new(fact, "reason", json_text(reason));
	json_array_append_new(ctx, fact);
}

static json_t *info_fact(const struct app *app, const struct nacre_store_info *info, json_t *drivers)
{
	json_t *fact = json_object();

	json_object_set_new(fact, "version", json_string(nacre_version()));
	json_object_set_new(fact, "root", json_text(info ? info->root : app->root));
	json_object_set_new(fact, "exists", json_boolean(info != NULL));
	json_object_set_new(fact, "driver", json_text(info ? info->driver : NULL));
	json_object_set_new(fact, "backing", json_text(info ? info->backing : NULL));
	json_object_set_new(fact, "layout", info ? json_integer(info->layout) : json_null());
	json_object_set_new(fact, "images", json_size(info ? info->images : 0));
	json_object_set_new(fact, "layers", json_size(info ? info->layers : 0));
	json_object_set_new(fact, "names", json_size(info ? info->names : 0));
	json_object_set_new(fact, "mounts", json_size(info ? info->mounts : 0));
	json_object_set_new(fact, "drivers", drivers);
	return fact;
}

static void print_plain(const struct app *app, const struct nacre_store_info *info, const json_t *drivers)
{
	json_t *driver;
	size_t i;

	outf("Version:  %s\n", nacre_version());
	outf("Root:     %s\n", info ? info->root : app->root);
	if (info) {
		outf("Driver:   %s\n", info->driver);
		outf("Backing:  %s\n", info->backing);
		outf("Layout:   %u\n", info->layout);
		outf("Images:   %" PRIu64 "\n", info->images);
		outf("Layers:   %" PRIu64 "\n", info->layers);
		outf("Names:    %" PRIu64 "\n", info->names);
		outf("Mounts:   %" PRIu64 "\n", info->mounts);
	} else {
		out_text("Store:    none yet; 'nacre load' makes one\n");
	}
	out_text("Drivers that a new store here could have:\n");
	json_array_foreach(drivers, i, driver) {
		const char *reason = json_string_value(json_object_get(driver, "reason"));

		outf("  %-8s %s\n", json_string_value(json_object_get(driver, "name")), reason ? reason : "works");
	}
}

static int run(struct app *app, const struct args *args)
{
	bool plain = !args_flag(args, "json") && !args_text(args, "format");
	struct nacre_store_info *info = NULL;
	struct nacre_error err = { .code = 0 };
	json_t *drivers = json_array();
	int code = app_open(app, APP_LOOK_OR_NONE);

	if (code == EXIT_DONE) {
		code = app->store ? nacre_store_info_get(app->store, &info, &err) : 0;
		if (code == 0)
			code = nacre_drivers_each(app->root, on_driver, drivers, &err);
		if (code < 0)
			code = app_fail(app, code, &err);
		else if (plain)
			print_plain(app, info, drivers);
		else
			code = value_print(app, args, info_fact(app, info, json_incref(drivers)));
	}
	nacre_store_info_free(info);
	json_decref(drivers);
	return code;
}

const struct command cmd_info = {
	.name = "info",
	.operands = "",
	.summary = "describe the store and what this machine can do",
	.example = "nacre info --format '{{.Driver}} on {{.Backing}}'",
	.options = options,
	.min = 0,
	.max = 0,
	.run = run,
};
