#include "commands.h"

#include "json_out.h"
#include "listing.h"
#include "mem.h"

#include <limits.h>
#include <stdlib.h>

static const struct option_spec options[] = {
	{ .letter = 'u', .name = "user", .arg = "USER", .help = "run as USER[:GROUP] (else as the image says)" },
	{ .name = "hostname", .arg = "NAME", .help = "the host's name inside (else the ID, shortened)" },
	OPTION_JSON,
	{ .name = NULL },
};

static int run(struct app *app, const struct args *args)
{
	const char *dir = args->operands[1];
	struct nacre_error err = { .code = 0 };
	AUTO_FREE char *path = NULL;
	int code = app_open(app, APP_CHANGE);

	if (code != EXIT_DONE)
		return code;
	code = nacre_bundle(app->store, args->operands[0], dir,
			    &(struct nacre_bundle_options){
				    .size = sizeof(struct nacre_bundle_options),
				    .args = (const char *const *)args->operands + 2,
				    .user = args_text(args, "user"),
				    .hostname = args_text(args, "hostname"),
			    },
			    &err);
	if (code < 0)
		return app_fail(app, code, &err);
	path = realpath(dir, NULL);
	if (args_flag(args, "json")) {
		json_t *fact = json_object();

		json_object_set_new(fact, "path", json_text(path ? path : dir));
		json_print(fact);
	} else {
		outf("%s\n", path ? path : dir);
	}
	return EXIT_DONE;
}

const struct command cmd_bundle = {
	.name = "bundle",
	.operands = "IMAGE|NAME DIR [-- COMMAND [ARG]...]",
	.summary = "make a bundle that an OCI runtime can run",
	.details = "DIR, which must not be there or be empty, gets config.json and rootfs, where the\n"
		   "image is mounted read-only, or the writable layer NAME for writing. COMMAND runs\n"
		   "instead of what the image says. 'nacre umount DIR/rootfs' unmounts it.",
	.example = "nacre bundle debian:12 box -- /bin/echo hello && crun run -b box name",
	.options = options,
	.min = 2,
	.max = -1,
	.completes = "image",
	.run = run,
};
