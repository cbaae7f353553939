#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int run(struct app *app, const struct args *args)
{
	const char *path = args->operands[0];
	struct nacre_error err = { .code = 0 };
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), code;

	if (dir < 0)
		return app_error(app, errno == ENOENT ? EXIT_NOTFOUND : EXIT_FAILED, "open '%s': %s", path,
				 strerror(errno));
	code = nacre_init_layer(dir, &err);
	close(dir);
	return code < 0 ? app_fail(app, code, &err) : EXIT_DONE;
}

const struct command cmd_graph_init = {
	.name = "graph init",
	.operands = "DIR",
	.summary = "prepare a directory as the layer that mounts are laid over",
	.details = "Makes dev/pts, dev/shm, proc, sys, etc/mtab and the empty files that a runtime\n"
		   "fills in. Follows no link in DIR; done again, it changes nothing.",
	.example = "mkdir skeleton && nacre graph init skeleton",
	.min = 1,
	.max = 1,
	.completes = "directory",
	.run = run,
};
