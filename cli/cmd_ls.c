#include "commands.h"

#include "image_text.h"
#include "json_out.h"
#include "human.h"
#include "listing.h"
#include "mem.h"
#include "signals.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

static const struct option_spec options[] = {
	{ .letter = 'l', .name = "long", .help = "modes, links, owners, sizes, times and targets" },
	{ .letter = 'R', .name = "recursive", .help = "all the way down, with whole paths" },
	{ .letter = 'h', .name = "human", .help = "with -l, sizes such as 1.2MB" },
	OPTION_JSON,
	{ .name = NULL },
};

struct ls {
	bool whole_path, longer, human, json;
	struct json_stream stream;
};

static const char *type_name(enum nacre_file_type type)
{
	switch (type) {
	case NACRE_DIR:
		return "directory";
	case NACRE_SYMLINK:
		return "symlink";
	case NACRE_CHAR:
		return "character device";
	case NACRE_BLOCK:
		return "block device";
	case NACRE_FIFO:
		return "fifo";
	default:
		return "file";
	}
}

static json_t *file_fact(const struct nacre_file *file)
{
	AUTO_FREE char *path = must_printf("/%s", file->path), *mode = must_printf("%04o", file->mode);
	json_t *fact = json_object(), *probe = json_string(path);

	json_object_set_new(fact, "path", json_text(path));
	/* names are bytes; where they are no UTF-8, these are the bytes in hex */
	if (!probe) {
		AUTO_TEXT struct text hex = { .data = NULL };

		for (const char *at = path; *at; at++)
			text_addf(&hex, "%02x", (unsigned char)*at);
		json_object_set_new(fact, "path_hex", json_string(text_get(&hex)));
	}
	json_decref(probe);
	json_object_set_new(fact, "type", json_string(type_name(file->type)));
	json_object_set_new(fact, "mode", json_string(mode));
	json_object_set_new(fact, "uid", json_integer(file->uid));
	json_object_set_new(fact, "gid", json_integer(file->gid));
	json_object_set_new(fact, "size", json_size(file->size));
	json_object_set_new(fact, "links", json_integer(file->links));
	json_object_set_new(fact, "mtime", json_time(file->mtime, file->mtime_nsec));
	if (file->type == NACRE_SYMLINK)
		json_object_set_new(fact, "target", json_text(file->target));
	if (file->type == NACRE_CHAR || file->type == NACRE_BLOCK) {
		json_object_set_new(fact, "major", json_integer(file->dev_major));
		json_object_set_new(fact, "minor", json_integer(file->dev_minor));
	}
	return fact;
}

/* "drwxr-xr-x" */
static void mode_text(char *buf, const struct nacre_file *file)
{
	static const char letters[] = "rwxrwxrwx";

	buf[0] = (char)file->type;
	for (unsigned i = 0; i < 9; i++)
		buf[1 + i] = file->mode & (0400u >> i) ? letters[i] : '-';
	if (file->mode & 04000)
		buf[3] = buf[3] == 'x' ? 's' : 'S';
	if (file->mode & 02000)
		buf[6] = buf[6] == 'x' ? 's' : 'S';
	if (file->mode & 01000)
		buf[9] = buf[9] == 'x' ? 't' : 'T';
	buf[10] = '\0';
}

static void print_long(const struct ls *ls, const struct nacre_file *file)
{
	char mode[11], size[HUMAN_MAX], when[32] = "?";
	time_t mtime = (time_t)file->mtime;
	struct tm tm;

	mode_text(mode, file);
	if (file->type == NACRE_CHAR || file->type == NACRE_BLOCK)
		snprintf(size, sizeof(size), "%" PRIu32 ", %" PRIu32, file->dev_major, file->dev_minor);
	else if (ls->human)
		human_size(size, file->size);
	else
		snprintf(size, sizeof(size), "%" PRIu64, file->size);
	if (localtime_r(&mtime, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
	outf("%s %3" PRIu32 " %5" PRIu32 " %5" PRIu32 " %*s %s ", mode, file->links, file->uid, file->gid,
	     ls->human ? 6 : 10, size, when);
}

/* A directory's members go by their names, everything else by its path. */
static void print_name(const struct ls *ls, const struct nacre_file *file)
{
	const char *slash = strrchr(file->path, '/');

	if (ls->whole_path)
		out_text("/");
	out_foreign(ls->whole_path || !slash ? file->path : slash + 1);
}

static int on_file(void *ctx, const struct nacre_file *file)
{
	struct ls *ls = ctx;

	if (signals_caught())
		return -1;
	if (ls->json) {
		json_stream_add(&ls->stream, file_fact(file));
		return 0;
	}
	if (ls->longer)
		print_long(ls, file);
	print_name(ls, file);
	if (ls->longer && file->type == NACRE_SYMLINK) {
		out_text(" -> ");
		out_foreign(file->target);
	}
	out_text("\n");
	return 0;
}

static int run(struct app *app, const struct args *args)
{
	char *path = split_path(args->operands[0]);
	struct nacre_error err = { .code = 0 };
	struct ls ls = { .whole_path = args_flag(args, "recursive"),
			 .longer = args_flag(args, "long"),
			 .human = args_flag(args, "human"),
			 .json = args_flag(args, "json") };
	int code;

	if (args->operand_count > 1) {
		if (path)
			return app_usage(app, "give one path");
		path = args->operands[1];
	}
	code = app_open(app, APP_LOOK);
	if (code != EXIT_DONE)
		return code;
	code = nacre_ls(app->store, args->operands[0], path ? path : "/", args_flag(args, "recursive"), on_file, &ls,
			&err);
	if (code < 0)
		return app_fail(app, code, &err);
	if (ls.json)
		json_stream_end(&ls.stream);
	return EXIT_DONE;
}

const struct command cmd_ls = {
	.name = "ls",
	.operands = "IMAGE[:PATH]",
	.summary = "list files of an image",
	.details = "A PATH begins with /. Nothing is mounted, and root is not needed.",
	.example = "nacre ls -l debian:12:/etc",
	.options = options,
	.min = 1,
	.max = 2,
	.completes = "path",
	.run = run,
};
