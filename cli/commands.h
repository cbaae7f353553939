/* Every command, one a file, and what they share. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "app.h"
#include "out.h"

extern const struct command cmd_load, cmd_save, cmd_import, cmd_export, cmd_copy;
extern const struct command cmd_pull, cmd_push, cmd_tags;
extern const struct command cmd_images, cmd_inspect, cmd_history, cmd_tree, cmd_ls, cmd_cat, cmd_diff;
extern const struct command cmd_tag, cmd_untag, cmd_rmi, cmd_mount, cmd_umount;
extern const struct command cmd_login, cmd_logout;
extern const struct command cmd_hold, cmd_release, cmd_holds;
extern const struct command cmd_create, cmd_containers, cmd_commit, cmd_rm, cmd_bundle;
extern const struct command cmd_df, cmd_prune, cmd_check, cmd_migrate, cmd_info, cmd_version, cmd_help;
extern const struct command cmd_graph_ls, cmd_graph_heads, cmd_graph_children, cmd_graph_get, cmd_graph_raw,
	cmd_graph_exists, cmd_graph_register, cmd_graph_delete, cmd_graph_tar, cmd_graph_size,
	cmd_graph_digest, cmd_graph_create, cmd_graph_path, cmd_graph_gzip, cmd_graph_init;

/* The table of all commands; ends with NULL. */
extern const struct command *const commands[];

/* Close the sink that an operation of the library wrote to, and report: code and err are what the operation said. */
int finish_sink(struct app *app, struct sink *sink, int code, const struct nacre_error *err);
/* Write an archive to path (NULL or "-": standard output, but never a terminal; else says that how would name a file):
 * opens the store for reading, and write, which gives the bytes to sink. args has progress and quiet. */
int write_archive(struct app *app, const struct args *args, const char *path, const char *how,
		  int (*write)(struct app *app, const struct args *args, struct sink *sink,
			       const struct nacre_progress *progress, struct nacre_error *err));
/* Do the same to each operand in a store that is there; a failure of one does not keep the others from it. */
int change_each(struct app *app, const struct args *args,
		int (*change)(struct nacre_store *store, const char *operand, struct nacre_error *err));
/* What import and commit say of the image they made: its ID, with --json its names too (name may be NULL). */
void print_new_image(const struct args *args, const char *id, const char *name);

#endif
