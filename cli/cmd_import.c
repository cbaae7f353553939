#include "commands.h"

#include "image_text.h"
#include "json_out.h"
#include "listing.h"
#include "out.h"
#include "progress.h"
#include "transfer.h"

#include <string.h>
#include <unistd.h>

static const struct option_spec options[] = {
	{ .letter = 'c', .name = "change", .arg = "LINE", .many = true,
	  .help = "a Dockerfile line such as 'CMD [\"/bin/sh\"]';\nmay be given several times" },
	{ .letter = 'm', .name = "message", .arg = "TEXT", .help = "comment for the image's history" },
	{ .letter = 'a', .name = "author", .arg = "NAME", .help = "author of the image" },
	{ .name = "platform", .arg = "OS/ARCH", .help = "platform of the image (else this machine's)" },
	{ .letter = 'q', .name = "quiet", .help = "no progress" },
	OPTION_PROGRESS,
	OPTION_JSON,
	{ .name = NULL },
};

static int run(struct app *app, const struct args *args)
{
	const char *path = args->operands[0], *name = args->operand_count > 1 ? args->operands[1] : NULL;
	char id[65], text[ID_TEXT_MAX], full[NAME_TEXT_MAX];
	struct progress *progress;
	struct nacre_error err = { .code = 0 };
	int code;

	if (strcmp(path, "-") == 0 && isatty(STDIN_FILENO))
		return app_usage(app, "an archive cannot be read from a terminal; pipe one in");
	code = name ? nacre_name_parse(name, full, NULL, &err) : 0;
	if (code < 0)
		return app_fail(app, code, &err);
	code = app_open(app, APP_MAKE);
	if (code != EXIT_DONE)
		return code;

	progress = progress_new(progress_mode(args));
	code = nacre_import(app->store, path,
			    &(struct nacre_import_options){
				    .size = sizeof(struct nacre_import_options),
				    .name = name,
				    .changes = args_texts(args, "change"),
				    .message = args_text(args, "message"),
				    .author = args_text(args, "author"),
				    .platform = args_text(args, "platform"),
				    .progress = progress_hook(progress),
			    },
			    id, &err);
	progress_free(progress, code >= 0);
	if (code < 0)
		return app_fail(app, code, &err);
	image_id_text(text, id, false, true);
	print_new_image(args, text, name ? full : NULL);
	return EXIT_DONE;
}

const struct command cmd_import = {
	.name = "import",
	.operands = "FILE|- [NAME]",
	.summary = "make an image out of a root file system's tar",
	.details = "Prints the ID of the new image, which has one layer.",
	.example = "nacre import -c 'CMD [\"/bin/sh\"]' rootfs.tar.xz alpine:mine",
	.options = options,
	.min = 1,
	.max = 2,
	.completes = "file",
	.run = run,
};
