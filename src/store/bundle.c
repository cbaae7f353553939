/* nacre_bundle: an image or a writable layer as a directory that an OCI runtime can run. Everything is found out before
 * anything is made; the mount comes last. */
#include "image/runtime_config.h"
#include "io/path.h"
#include "store/inner.h"
#include "store/writable.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG "config.json"
#define ROOTFS "rootfs"
/* Of the image's passwd and group. */
#define USERS_MAX ((size_t)4 << 20)
#define IMAGE_ANNOTATION "org.opencontainers.image."

struct bundle {
	struct nacre_store *store;
	bool writable;
	char id[NC_HEX_ID];		/* of what is mounted */
	struct nacre_image *image;
	struct nc_view *view;
	struct nc_user user;
	char *config;
	size_t config_len;
};

static void bundle_release(struct bundle *bundle)
{
	nacre_image_free(bundle->image);
	nc_view_close(bundle->view);
	free(bundle->config);
}

static int find_subject(struct bundle *bundle, const char *what, struct nacre_error *err)
{
	struct nacre_store *store = bundle->store;
	struct nc_writable writable;
	char image[NC_HEX_ID];
	int code = nc_writable_find(store, what, &writable, err);
	if (code < 0 && code != NACRE_E_NOTFOUND)
		return code;
	bundle->writable = code == 0;
	if (bundle->writable) {
		memcpy(image, writable.image, NC_HEX_ID);
		memcpy(bundle->id, writable.id, NC_HEX_ID);
		code = nc_writable_view(store, &writable, &bundle->view, err);
	} else {
		code = nc_store_resolve(store, what, image, NULL, err);
		memcpy(bundle->id, image, NC_HEX_ID);
		if (code == 0)
			code = nc_store_view(store, image, &bundle->view, err);
	}
	return code < 0 ? code : nc_image_read(store, image, false, &bundle->image, err);
}

/* --- looking into the tree -------------------------------------------------------------------------------------- */

/* A small file of the tree, links followed inside it; *ret stays NULL when there is none. */
static int read_file(struct nc_view *view, const char *path, char **ret, struct nacre_error *err)
{
	NC_AUTO_FREE char *real = NULL;
	NC_CLEANUP(nc_reader_auto) struct nc_reader *content = NULL;
	struct nc_view_file file;
	size_t len;
	int code = nc_view_resolve(view, path, true, &real, err);
	if (code == 0)
		code = view->ops->stat(view, real, &file, err);
	if (code == NACRE_E_NOTFOUND || code == NACRE_E_INVALID || (code == 0 && file.entry.type != NC_ENTRY_FILE))
		return 0;
	if (code == 0)
		code = view->ops->content(view, real, &content, err);
	if (code == 0)
		code = nc_reader_slurp(content, USERS_MAX, ret, &len, err);
	return code < 0 ? nc_wrap(err, code, "read '/%s' of the image", path) : 0;
}

/* Whether there is a directory; its entry is lent. */
static bool find_directory(struct nc_view *view, const char *path, struct nc_view_file *ret)
{
	NC_AUTO_FREE char *real = NULL;
	return nc_view_resolve(view, path, true, &real, NULL) == 0 && view->ops->stat(view, real, ret, NULL) == 0 &&
	       ret->entry.type == NC_ENTRY_DIR;
}

static int find_user(struct bundle *bundle, const char *user, struct nacre_error *err)
{
	NC_AUTO_FREE char *passwd = NULL, *group = NULL;
	int code = read_file(bundle->view, "etc/passwd", &passwd, err);
	if (code == 0)
		code = read_file(bundle->view, "etc/group", &group, err);
	return code < 0 ? code : nc_user_find(user, passwd, group, &bundle->user, err);
}

/* A runtime makes directories to mount at, but not in a root that is read-only. */
static int check_mount_points(const struct bundle *bundle, struct nacre_error *err)
{
	static const char *const points[] = { "proc", "dev", "sys" };
	struct nc_view_file file;
	for (size_t i = 0; !bundle->writable && i < sizeof points / sizeof *points; i++)
		if (!find_directory(bundle->view, points[i], &file))
			return nc_fail(err, NACRE_E_UNSUPPORTED, 0,
				       "image %.12s has no directory /%s, which a runtime needs: bundle a writable "
				       "layer on top of it (nacre create)", bundle->image->id, points[i]);
	return 0;
}

/* --- config.json ------------------------------------------------------------------------------------------------ */

/* Lists of borrowed texts that end with NULL. */
struct texts {
	const char **list;
	size_t count, cap;
};

static void texts_release(struct texts *texts)
{
	free(texts->list);
}

static int add_text(struct texts *texts, const char *text, struct nacre_error *err)
{
	if (texts->count + 1 >= texts->cap) {
		size_t cap = texts->cap ? texts->cap * 2 : 16;
		const char **more = nc_realloc_array(texts->list, cap, sizeof *more);
		if (!more)
			return nc_nomem(err);
		texts->list = more;
		texts->cap = cap;
	}
	texts->list[texts->count++] = text;
	texts->list[texts->count] = NULL;
	return 0;
}

static int add_texts(struct texts *texts, const char *const *more, struct nacre_error *err)
{
	int code = 0;
	for (; code == 0 && more && *more; more++)
		code = add_text(texts, *more, err);
	return code;
}

static int find_args(const struct bundle *bundle, const char *const *given, struct texts *ret,
		     struct nacre_error *err)
{
	bool any = given && *given;
	int code = add_texts(ret, any ? given : bundle->image->entrypoint, err);
	if (code == 0 && !any)
		code = add_texts(ret, bundle->image->cmd, err);
	return code < 0 || ret->count ? code
				      : nc_fail(err, NACRE_E_INVALID, 0, "image %.12s says nothing to run: give a command",
						bundle->image->id);
}

struct volumes {
	struct nc_runtime_volume *list;
	size_t count;
};

static void volumes_release(struct volumes *volumes)
{
	free(volumes->list);
}

/* Volumes in a root that is read-only need a directory to be mounted at. */
static int find_volumes(const struct bundle *bundle, struct volumes *ret, struct nacre_error *err)
{
	const char *const *paths = bundle->image->volumes;
	size_t count = 0;
	while (paths && paths[count])
		count++;
	if (!count)
		return 0;
	ret->list = nc_realloc_array(NULL, count, sizeof *ret->list);
	if (!ret->list)
		return nc_nomem(err);
	for (size_t i = 0; i < count; i++) {
		struct nc_runtime_volume volume = { .path = paths[i], .mode = 0755 };
		struct nc_view_file file;
		bool there = paths[i][0] == '/' && find_directory(bundle->view, paths[i], &file);
		if (!there && (paths[i][0] != '/' || !bundle->writable))
			continue;
		if (there) {
			volume.mode = file.entry.mode;
			volume.uid = file.entry.uid;
			volume.gid = file.entry.gid;
		}
		ret->list[ret->count++] = volume;
	}
	return 0;
}

/* "a,b": what there is no other place for. */
static int join(const char *const *list, struct nc_buf *ret, struct nacre_error *err)
{
	int code = 0;
	for (size_t i = 0; code == 0 && list && list[i]; i++)
		code = nc_buf_addf(ret, err, "%s%s", i ? "," : "", list[i]);
	return code;
}

/* As the image specification has it: labels, then what the image says of itself. */
static int find_annotations(const struct bundle *bundle, const struct nc_buf *ports, const struct nc_buf *volumes,
			    struct texts *ret, struct nacre_error *err)
{
	const struct nacre_image *image = bundle->image;
	const char *const facts[][2] = {
		{ IMAGE_ANNOTATION "os", image->os }, { IMAGE_ANNOTATION "architecture", image->architecture },
		{ IMAGE_ANNOTATION "variant", image->variant }, { IMAGE_ANNOTATION "author", image->author },
		{ IMAGE_ANNOTATION "stopSignal", image->stop_signal },
		{ IMAGE_ANNOTATION "exposedPorts", nc_buf_text(ports) },
		{ IMAGE_ANNOTATION "volumes", nc_buf_text(volumes) },
	};
	int code = add_texts(ret, image->labels, err);
	for (size_t i = 0; code == 0 && i < sizeof facts / sizeof *facts; i++) {
		if (!facts[i][1] || !*facts[i][1])
			continue;
		code = add_text(ret, facts[i][0], err);
		if (code == 0)
			code = add_text(ret, facts[i][1], err);
	}
	return code;
}

static int make_config(struct bundle *bundle, const struct nacre_bundle_options *options, struct nacre_error *err)
{
	NC_CLEANUP(texts_release) struct texts args = { .count = 0 };
	NC_CLEANUP(volumes_release) struct volumes volumes = { .count = 0 };
	NC_CLEANUP(texts_release) struct texts annotations = { .count = 0 };
	NC_AUTO_BUF struct nc_buf ports = NC_BUF_INIT(1u << 20), named = NC_BUF_INIT(1u << 20);
	const struct nacre_image *image = bundle->image;
	char hostname[13];
	snprintf(hostname, sizeof hostname, "%.12s", bundle->id);
	int code = find_args(bundle, options->args, &args, err);
	if (code == 0)
		code = find_user(bundle, options->user ? options->user : image->user, err);
	if (code == 0)
		code = check_mount_points(bundle, err);
	if (code == 0)
		code = find_volumes(bundle, &volumes, err);
	if (code == 0)
		code = join(image->exposed_ports, &ports, err);
	if (code == 0)
		code = join(image->volumes, &named, err);
	if (code == 0)
		code = find_annotations(bundle, &ports, &named, &annotations, err);
	if (code < 0)
		return code;
	const struct nc_runtime_facts facts = {
		.args = args.list, .env = image->env, .cwd = image->working_dir, .user = &bundle->user,
		.hostname = options->hostname ? options->hostname : hostname, .root = ROOTFS,
		.readonly = !bundle->writable, .volumes = volumes.list, .volume_count = volumes.count,
		.annotations = annotations.list,
	};
	return nc_runtime_config(&facts, &bundle->config, &bundle->config_len, err);
}

/* --- the directory ---------------------------------------------------------------------------------------------- */

static int refuse_name(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	return nc_fail(err, NACRE_E_EXISTS, 0, "it is not empty: it holds '%s'", name);
}

static int open_target(const char *path, bool *ret_made, int *ret, struct nacre_error *err)
{
	*ret_made = mkdir(path, 0700) == 0;
	if (!*ret_made && errno != EEXIST)
		return nc_fail(err, errno == ENOENT ? NACRE_E_NOTFOUND : NACRE_E_IO, errno, "make the directory");
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return nc_fail(err, errno == ENOTDIR ? NACRE_E_EXISTS : NACRE_E_IO, errno, "open the directory");
	*ret = fd;
	return 0;
}

static int fill(const struct bundle *bundle, int dir, const char *path, struct nacre_error *err)
{
	NC_AUTO_FD int rootfs = -1;
	NC_AUTO_BUF struct nc_buf target = NC_BUF_INIT(PATH_MAX);
	int code = nc_file_create(dir, CONFIG, bundle->config, bundle->config_len, err);
	if (code == 0)
		code = nc_dir_ensure(dir, ROOTFS, &rootfs, err);
	nc_fd_release(&rootfs);
	if (code == 0)
		code = nc_buf_addf(&target, err, "%s/" ROOTFS, path);
	return code < 0 ? code : nacre_mount(bundle->store, bundle->id, target.data, NULL, err);
}

int nacre_bundle(struct nacre_store *store, const char *what, const char *dir,
		 const struct nacre_bundle_options *options, struct nacre_error *err)
{
	struct nacre_bundle_options mine = { .size = sizeof mine };
	NC_CLEANUP(bundle_release) struct bundle bundle = { .store = store };
	NC_AUTO_FD int fd = -1;
	bool made = false;
	if (options)
		memcpy(&mine, options, options->size < sizeof mine ? options->size : sizeof mine);
	int code = find_subject(&bundle, what, err);
	if (code == 0)
		code = make_config(&bundle, &mine, err);
	if (code < 0)
		return nc_wrap(err, code, "bundle '%s'", what);
	code = open_target(dir, &made, &fd, err);
	if (code == 0 && !made)
		code = nc_dir_each(fd, refuse_name, NULL, err);
	if (code < 0)
		return nc_wrap(err, code, "bundle at '%s'", dir);
	code = fill(&bundle, fd, dir, err);
	if (code == 0)
		return 0;
	unlinkat(fd, CONFIG, 0);
	unlinkat(fd, ROOTFS, AT_REMOVEDIR);
	if (made)
		rmdir(dir);
	return nc_wrap(err, code, "bundle at '%s'", dir);
}
