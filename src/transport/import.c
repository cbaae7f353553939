/* nacre_import: the tar of a root file system becomes an image of one layer. */
#include "base/options.h"
#include "image/config.h"
#include "image/gojson.h"
#include "image/reference.h"
#include "transport/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_tar(const char *path, const volatile int *cancel, struct nc_reader **ret, struct nacre_error *err)
{
	bool in = !strcmp(path, "-");
	int fd = in ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "no file '%s'", path);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open '%s'", in ? "standard input" : path);
	return nc_reader_fd_watched(fd, true, in ? "standard input" : path, cancel, ret, err);
}

static int make_config(const char *path, const struct nacre_import_options *options,
		       const struct nc_platform *platform, const struct nc_digest *diff_id, char **ret,
		       size_t *ret_len, struct nacre_error *err)
{
	size_t changes = 0;
	while (options->changes && options->changes[changes])
		changes++;
	NC_AUTO_BUF struct nc_buf comment = NC_BUF_INIT(8192);
	int code = options->message ? nc_buf_add_text(&comment, options->message, err)
				    : nc_buf_addf(&comment, err, "Imported from %s", path);
	if (code < 0)
		return code;
	const struct nc_config_new facts = {
		.architecture = platform->architecture, .variant = *platform->variant ? platform->variant : NULL,
		.os = platform->os, .author = options->author, .comment = nc_buf_text(&comment),
		.created_sec = nc_creation_time(options->created), .changes = options->changes, .change_count = changes,
		.diff_ids = diff_id, .diff_id_count = 1,
	};
	return nc_config_make(&facts, ret, ret_len, err);
}

static int bring_layer(struct nc_ingest *ingest, const char *path, const struct nacre_import_options *options,
		       struct nc_digest *ret_diff_id, struct nacre_error *err)
{
	static const char what[] = "importing";
	const struct nc_layer_in in = { .blob_size = UINT64_MAX };
	struct nc_layer_out out;
	struct nc_reader *tar;
	int code = open_tar(path, options->progress.cancel, &tar, err);
	if (code >= 0)
		code = nc_reader_progress(tar, &options->progress, path, what, 0, &tar, err);
	if (code >= 0)
		code = nc_ingest_layer(ingest, &in, tar, &out, err);
	if (code < 0)
		return code;
	*ret_diff_id = out.diff_id;
	return 0;
}

static int import(struct nacre_store *store, const char *path, const struct nacre_import_options *options,
		  const struct nc_platform *platform, const char *const *names, char *ret_id, struct nacre_error *err)
{
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	NC_AUTO_FREE char *config = NULL;
	struct nc_digest diff_id;
	char id[NC_HEX_ID];
	size_t len;
	int code = nc_ingest_begin(store, &ingest, err);
	if (code >= 0)
		code = bring_layer(ingest, path, options, &diff_id, err);
	if (code >= 0)
		code = make_config(path, options, platform, &diff_id, &config, &len, err);
	if (code < 0)
		return code;
	const struct nc_image_in in = { .config = config, .config_len = len, .names = names };
	code = nc_ingest_image(ingest, &in, id, err);
	if (code >= 0)
		code = nc_ingest_commit(ingest, err);
	if (code < 0)
		return code;
	memcpy(ret_id, id, sizeof id);
	return 0;
}

int nacre_import(struct nacre_store *store, const char *path, const struct nacre_import_options *options,
		 char *ret_id, struct nacre_error *err)
{
	struct nacre_import_options taken;
	struct nc_platform platform;
	char name[NC_REFERENCE_TEXT];
	const char *const names[] = { name, NULL }, *const none[] = { NULL };
	int code = nc_options_take(options, &taken, sizeof taken, err);
	nc_platform_host(&platform);
	if (code >= 0 && taken.platform)
		code = nc_platform_parse(taken.platform, &platform, err);
	if (code >= 0 && taken.name)
		code = nc_full_name(taken.name, name, err);
	if (code >= 0)
		code = import(store, path, &taken, &platform, taken.name ? names : none, ret_id, err);
	return code < 0 ? nc_wrap(err, code, "import '%s'", path) : 0;
}
