#include "driver/unpack_private.h"

#include "driver/copy.h"
#include "driver/drivers.h"
#include "driver/walk.h"
#include "io/fd.h"
#include "io/path.h"
#include "io/writeback.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define WHITEOUT ".wh."
#define AUFS ".wh..wh."
#define PLNK ".wh..wh.plnk/"
#define PLNK_DIR "plnk"

/* What the kernel's device numbers hold; larger ones would be cut. */
#define MAJOR_MAX 0xfffu
#define MINOR_MAX 0xfffffu

/* --- life ------------------------------------------------------------------------------------------------------- */

int nc_root_dress(int root, struct nc_stack *parents, struct nacre_error *err)
{
	struct nc_attrs plain = { .mode = 0755 };
	struct nc_stack_found found;
	NC_AUTO_FD int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open the root of the layer");
	nc_acl_drop(fd);
	if (!parents)
		return nc_attrs_set_fd(fd, &plain, NC_ENTRY_DIR, 0, "/", err);
	int code = nc_stack_find(parents, "", &found, err);
	if (code == 0)
		code = nc_fail(err, NACRE_E_CORRUPT, 0, "the parent layer has no root directory");
	return code < 0 ? code : nc_copy_directory(found.dir, found.name, &found.st, fd, "/", err);
}

int nc_unpack_new(const struct nc_unpack_options *options, struct nc_unpack **ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_unpack_auto) struct nc_unpack *unpack = nc_zalloc(sizeof *unpack);
	if (!unpack)
		return nc_nomem(err);
	unpack->stage = options->stage;
	unpack->root = options->root;
	unpack->below = options->below;
	unpack->below_ctx = options->below_ctx;
	unpack->marks.max = SIZE_MAX;
	unpack->opaque = options->opaque;
	if (options->displaced)
		unpack->displaced = *options->displaced;
	unpack->uid = geteuid();
	unpack->gid = getegid();
	unpack->dir.fd = unpack->file.fd = unpack->plnk = -1;
	unpack->dir.name.max = unpack->dir.path.max = NAME_LIMIT;
	unpack->names = nc_map_new();
	unpack->seen = nc_map_new();
	if (!unpack->names || !unpack->seen)
		return nc_nomem(err);
	int code = nc_root_dress(unpack->root, NULL, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(unpack);
	return 0;
}

static void file_release(struct nc_unpack_file *file)
{
	nc_fd_release(&file->fd);
	nc_xattr_list_release(&file->xattrs);
	free(file->path);
	file->path = NULL;
}

void nc_unpack_free(struct nc_unpack *unpack)
{
	if (!unpack)
		return;
	file_release(&unpack->file);
	nc_fd_release(&unpack->dir.fd);
	nc_fd_release(&unpack->plnk);
	nc_buf_release(&unpack->dir.name);
	nc_buf_release(&unpack->dir.path);
	nc_buf_release(&unpack->marks);
	nc_map_free(unpack->names);
	nc_map_free(unpack->seen);
	free(unpack->clean);
	free(unpack);
}

/* --- content ---------------------------------------------------------------------------------------------------- */

/* All content is there: now the file gets its owner, attributes, mode and time, which writing would have undone. */
static int finish_file(struct nc_unpack *unpack, struct nacre_error *err)
{
	struct nc_unpack_file *file = &unpack->file;
	if (file->fd < 0)
		return 0;
	int code = 0;
	if (file->expected != 0)
		code = nc_fail(err, NACRE_E_INVALID, 0, "content of '%s' is incomplete", file->path);
	else if (file->at != file->size && ftruncate(file->fd, (off_t)file->size) < 0)
		code = nc_fail(err, errno == EFBIG ? NACRE_E_LIMIT : NACRE_E_IO, errno, "set size of '%s'",
			       file->path);
	if (code >= 0)
		code = nc_attrs_set_fd(file->fd, &file->attrs, NC_ENTRY_FILE, file->right, file->path, err);
	/* on its way to the disk before the sync that awaits it all; what cannot be written the sync will report */
	if (code >= 0 && file->size >= NC_EARLY_BYTES)
		nc_writeback_file(file->fd, false);
	file_release(file);
	return code;
}

int nc_unpack_data(struct nc_unpack *unpack, const void *bytes, size_t len, uint64_t at, struct nacre_error *err)
{
	struct nc_unpack_file *file = &unpack->file;
	if (unpack->sink || len == 0)
		return 0;
	if (file->fd < 0 || len > file->expected || at < file->at || at > file->size || len > file->size - at)
		return nc_fail(err, NACRE_E_INVALID, 0, "content that no member announced");
	int sys = at == file->at && !file->sparse ? nc_write_full(file->fd, bytes, len) :
						    nc_pwrite_full(file->fd, bytes, len, at);
	if (sys)
		return nc_fail(err, sys == EFBIG ? NACRE_E_LIMIT : NACRE_E_IO, sys, "write '%s'", file->path);
	file->at = at + len;
	file->expected -= len;
	return file->expected ? 0 : finish_file(unpack, err);
}

/* Take over a file just created, whose content is to come. */
static int start_file(struct nc_unpack *unpack, int *fd, const struct nc_entry *entry, const char *path,
		      struct nacre_error *err)
{
	struct nc_unpack_file *file = &unpack->file;
	if (entry->size > INT64_MAX || entry->stored > entry->size)
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' has an impossible size", path);
	if (!entry->size) {
		struct nc_attrs attrs;
		nc_attrs_of_entry(entry, &attrs);
		return nc_attrs_set_fd(*fd, &attrs, NC_ENTRY_FILE, nc_attrs_right(*fd, &attrs), path, err);
	}
	file->path = nc_strdup(path);
	if (!file->path)
		return nc_nomem(err);
	int code = nc_xattrs_copy(entry->xattrs, entry->xattr_count, &file->xattrs, err);
	if (code < 0)
		return code;
	nc_attrs_of_entry(entry, &file->attrs);
	file->attrs.xattrs = file->xattrs.items;
	file->attrs.xattr_count = file->xattrs.count;
	file->sparse = entry->sparse;
	file->right = nc_attrs_right(*fd, &file->attrs);
	file->at = 0;
	file->size = entry->size;
	file->expected = entry->stored;
	file->fd = nc_fd_give(fd);
	return file->expected ? 0 : finish_file(unpack, err);
}

/* --- members ---------------------------------------------------------------------------------------------------- */

/* A member and where it goes: name in the current directory, path in the tree. */
struct place {
	const struct nc_entry *entry;
	const char *name;
	const char *path;
	bool was_file;		/* something that hid the parents' directory of this name was there */
};

/* Whether what the process makes in the current directory has this owner already. */
static bool is_owned(const struct nc_unpack *unpack, const struct nc_entry *entry)
{
	return entry->uid == unpack->uid && entry->gid == unpack->gid && !unpack->dir.private_group;
}

/* The name is taken: remove what has it, unless a directory meets a directory (1). */
static int make_room(struct nc_unpack *unpack, struct place *place, struct nacre_error *err)
{
	struct stat st;
	if (fstatat(unpack->dir.fd, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "stat '%s'", place->path);
	if (S_ISDIR(st.st_mode) && place->entry->type == NC_ENTRY_DIR) {
		enum nc_name_kind kind = nc_unpack_take(unpack, place->path, strlen(place->path));
		int code = kind == NC_NAME_ANON ? 0 : nc_unpack_report_empty(unpack, place->path, err);
		return code < 0 ? code : 1;
	}
	if (!S_ISDIR(st.st_mode))
		place->was_file = true;
	return nc_unpack_remove(unpack, unpack->dir.fd, place->name, place->path, &st, err);
}

static int put_file(struct nc_unpack *unpack, struct place *place, struct nacre_error *err)
{
	const struct nc_entry *entry = place->entry;
	NC_AUTO_FD int fd = -1;
	for (int tries = 0; fd < 0; tries++) {
		fd = openat(unpack->dir.fd, place->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    entry->mode & 0777);
		if (fd < 0 && (errno != EEXIST || tries))
			return nc_fail(err, NACRE_E_IO, errno, "create '%s'", place->path);
		int code = fd < 0 ? make_room(unpack, place, err) : 0;
		if (code < 0)
			return code;
	}
	if (unpack->dir.has_acl)
		nc_acl_drop(fd);
	int code = start_file(unpack, &fd, entry, place->path, err);
	if (code < 0)
		return code;
	unpack->size += entry->size;
	return entry->sparse || unpack->dir.linked ? NC_PUT_DONE : NC_PUT_BY_NAME;
}

static int put_dir(struct nc_unpack *unpack, struct place *place, struct nacre_error *err)
{
	const struct nc_entry *entry = place->entry;
	bool made = false;
	while (!made) {
		made = mkdirat(unpack->dir.fd, place->name, 0700 | (entry->mode & 0777)) == 0;
		if (!made && errno != EEXIST)
			return nc_fail(err, NACRE_E_IO, errno, "create directory '%s'", place->path);
		int code = made ? 0 : make_room(unpack, place, err);
		if (code < 0)
			return code;
		if (code == 1)
			break;
	}
	NC_AUTO_FD int fd = openat(unpack->dir.fd, place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open directory '%s'", place->path);
	if (place->was_file) {
		int code = nc_unpack_make_opaque(unpack, fd, place->path, err);
		if (code < 0)
			return code;
	}
	struct nc_attrs attrs;
	nc_attrs_of_entry(entry, &attrs);
	if (unpack->dir.has_acl)
		nc_acl_drop(fd);
	int code = made ? 0 : nc_xattrs_drop(fd, place->path, err);
	if (code >= 0)
		code = nc_attrs_set_fd(fd, &attrs, NC_ENTRY_DIR, nc_attrs_right(fd, &attrs), place->path, err);
	return code < 0 ? code : NC_PUT_DONE;
}

static int make_node(struct nc_unpack *unpack, const struct place *place)
{
	const struct nc_entry *entry = place->entry;
	switch (entry->type) {
	case NC_ENTRY_SYMLINK:
		return symlinkat(entry->link, unpack->dir.fd, place->name);
	case NC_ENTRY_CHAR:
		return mknodat(unpack->dir.fd, place->name, S_IFCHR | 0600,
			       makedev(entry->dev_major, entry->dev_minor));
	case NC_ENTRY_BLOCK:
		return mknodat(unpack->dir.fd, place->name, S_IFBLK | 0600,
			       makedev(entry->dev_major, entry->dev_minor));
	default:
		return mknodat(unpack->dir.fd, place->name, S_IFIFO | 0600, 0);
	}
}

static int put_node(struct nc_unpack *unpack, struct place *place, struct nacre_error *err)
{
	const struct nc_entry *entry = place->entry;
	if (entry->type == NC_ENTRY_CHAR || entry->type == NC_ENTRY_BLOCK) {
		if (entry->type == NC_ENTRY_CHAR && entry->dev_major == 0 && entry->dev_minor == 0)
			return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' is the device 0:0, which means a whiteout",
				       place->path);
		if (entry->dev_major > MAJOR_MAX || entry->dev_minor > MINOR_MAX)
			return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' has a device number that does not exist",
				       place->path);
	}
	while (make_node(unpack, place) < 0) {
		if (errno == ENAMETOOLONG || (errno == ENOENT && entry->type == NC_ENTRY_SYMLINK))
			return nc_fail(err, NACRE_E_BADDATA, errno, "create link '%s'", place->path);
		if (errno != EEXIST)
			return nc_fail(err, NACRE_E_IO, errno, "create '%s'", place->path);
		int code = make_room(unpack, place, err);
		if (code < 0)
			return code;
	}
	struct nc_attrs attrs;
	nc_attrs_of_entry(entry, &attrs);
	if (unpack->dir.has_acl && entry->type != NC_ENTRY_SYMLINK) {
		int code = nc_acl_drop_at(unpack->dir.fd, place->name, err);
		if (code < 0)
			return code;
	}
	int code = nc_attrs_set_at(unpack->dir.fd, place->name, &attrs, entry->type,
				   is_owned(unpack, entry) ? NC_RIGHT_OWNER : 0, place->path, err);
	return code < 0 ? code : NC_PUT_DONE;
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);
	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

/* The first component that begins with ".wh.", or NULL. */
static const char *find_whiteout(const char *name)
{
	for (const char *at = name; (at = strstr(at, WHITEOUT)); at++)
		if (at == name || at[-1] == '/')
			return at;
	return NULL;
}

/* A link to a name that aufs kept aside. */
static int link_plnk(struct nc_unpack *unpack, const char *target, int *ret_dir, const char **ret_name,
		     struct nacre_error *err)
{
	const char *name = target + strlen(PLNK);
	struct stat st;
	if (unpack->plnk < 0 || strchr(name, '/') || fstatat(unpack->plnk, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the target of a hard link, '%s', is not there", target);
	*ret_dir = fcntl(unpack->plnk, F_DUPFD_CLOEXEC, 0);
	if (*ret_dir < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open the directory of links");
	*ret_name = name;
	return 0;
}

static int put_link(struct nc_unpack *unpack, struct place *place, struct nacre_error *err)
{
	const struct nc_entry *entry = place->entry;
	NC_AUTO_FREE char *target = nc_alloc(entry->link_len + 1);
	if (!target)
		return nc_nomem(err);
	int code = nc_path_clean(entry->link, entry->link_len, target, NULL, err);
	if (code < 0)
		return nc_wrap(err, code, "target of hard link '%s'", place->path);
	NC_AUTO_FD int dir = -1;
	NC_AUTO_BUF struct nc_buf path = NC_BUF_INIT(NAME_LIMIT);
	const char *name = NULL;
	if (strncmp(target, PLNK, strlen(PLNK)) == 0) {
		code = link_plnk(unpack, target, &dir, &name, err);
	} else if (find_whiteout(target)) {
		code = nc_fail(err, NACRE_E_BADDATA, 0, "the target of a hard link, '%s', is not there", target);
	} else {
		code = nc_unpack_target(unpack, target, &dir, &path, err);
		const char *slash = code < 0 ? NULL : strrchr(path.data, '/');
		name = slash ? slash + 1 : path.data;
	}
	if (code < 0)
		return nc_wrap(err, code, "hard link '%s'", place->path);
	if (path.len && is_below(path.data, place->path))
		return nc_fail(err, NACRE_E_BADDATA, 0,
			       "hard link '%s' takes the place of the directory that holds its target", place->path);
	if (path.len && strcmp(path.data, place->path) == 0) {
		/* a link to itself changes nothing, but the name has one member more */
		struct stat st;
		if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return nc_fail(err, NACRE_E_IO, errno, "stat '%s'", place->path);
		code = nc_unpack_report(unpack, dir, name, place->path, &st, err);
		return code < 0 ? code : NC_PUT_DONE;
	}
	while (linkat(dir, name, unpack->dir.fd, place->name, 0) < 0) {
		if (errno != EEXIST)
			return nc_fail(err, errno == EMLINK ? NACRE_E_LIMIT : NACRE_E_IO, errno, "link '%s' to '%s'",
				       place->path, target);
		code = make_room(unpack, place, err);
		if (code < 0)
			return code;
	}
	return NC_PUT_DONE;
}

/* What must be known of a member's object when something takes its place. */
static int note_object(struct nc_unpack *unpack, const struct place *place, struct nacre_error *err)
{
	bool link = place->entry->type == NC_ENTRY_LINK;
	size_t len = strlen(place->path);
	if (unpack->dir.linked)
		return nc_unpack_note(unpack, place->path, len, NC_NAME_ANON, false, err);
	if (link || (place->entry->type == NC_ENTRY_FILE && place->entry->sparse))
		return nc_unpack_note(unpack, place->path, len, NC_NAME_EMPTY, link, err);
	return 0;
}

static int put_object(struct nc_unpack *unpack, const char *name, const struct nc_entry *entry,
		      struct nacre_error *err)
{
	const char *slash = strrchr(name, '/');
	int code = nc_unpack_enter(unpack, name, slash ? (size_t)(slash - name) : 0, &entry->mtime, err);
	if (code < 0)
		return code;
	struct place place = { .entry = entry, .name = slash ? slash + 1 : name, .path = name };
	NC_AUTO_BUF struct nc_buf path = NC_BUF_INIT(NAME_LIMIT);
	if (unpack->dir.linked) {
		const char *dir = nc_buf_text(&unpack->dir.path);
		code = nc_buf_addf(&path, err, "%s%s%s", dir, *dir ? "/" : "", place.name);
		if (code < 0)
			return code;
		place.path = path.data;
	}
	switch (entry->type) {
	case NC_ENTRY_FILE:
		code = put_file(unpack, &place, err);
		break;
	case NC_ENTRY_DIR:
		code = put_dir(unpack, &place, err);
		break;
	case NC_ENTRY_LINK:
		code = put_link(unpack, &place, err);
		break;
	case NC_ENTRY_SYMLINK:
	case NC_ENTRY_CHAR:
	case NC_ENTRY_BLOCK:
	case NC_ENTRY_FIFO:
		code = put_node(unpack, &place, err);
		break;
	default:
		return nc_fail(err, NACRE_E_INVALID, 0, "'%s' is no member of a tree", name);
	}
	int noted = code < 0 ? code : note_object(unpack, &place, err);
	return noted < 0 ? noted : code;
}

/* --- members with a meaning ------------------------------------------------------------------------------------- */

static int put_root(struct nc_unpack *unpack, const struct nc_entry *entry, struct nacre_error *err)
{
	if (entry->type != NC_ENTRY_DIR)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the root of the layer is no directory");
	int code = nc_unpack_leave(unpack, err);
	if (code >= 0 && unpack->root_seen)
		code = nc_unpack_report_empty(unpack, "", err);
	if (code < 0)
		return code;
	unpack->root_seen = true;
	NC_AUTO_FD int fd = openat(unpack->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open the root of the layer");
	struct nc_attrs attrs;
	nc_attrs_of_entry(entry, &attrs);
	code = nc_xattrs_drop(fd, "/", err);
	if (code >= 0)
		code = nc_attrs_set_fd(fd, &attrs, NC_ENTRY_DIR, 0, "/", err);
	return code < 0 ? code : NC_PUT_DONE;
}

static int put_opaque(struct nc_unpack *unpack, const char *name, size_t dir_len, const struct nc_entry *entry,
		      struct nacre_error *err)
{
	int code = nc_unpack_again(unpack, name, err);
	if (code >= 0)
		code = nc_unpack_enter(unpack, name, dir_len, &entry->mtime, err);
	if (code < 0)
		return code;
	if (unpack->dir.path.len)
		return nc_unpack_hide(unpack, "", err);
	if (!unpack->below || unpack->root_opaque)
		return NC_PUT_DONE;
	/* overlayfs merges roots whatever they are marked with: this one ends the stack instead */
	unpack->root_opaque = true;
	unpack->dir.merged = 0;
	nc_buf_clear(&unpack->marks);
	return unpack->whiteouts ? nc_marks_remove(unpack->root, "", false, err) : NC_PUT_DONE;
}

static int put_whiteout(struct nc_unpack *unpack, const char *name, size_t dir_len, const struct nc_entry *entry,
			struct nacre_error *err)
{
	const char *hidden = name + dir_len + (dir_len ? 1 : 0) + strlen(WHITEOUT);
	int code = nc_unpack_again(unpack, name, err);
	if (code >= 0)
		code = nc_unpack_enter(unpack, name, dir_len, &entry->mtime, err);
	return code < 0 ? code : nc_unpack_hide(unpack, hidden, err);
}

/* aufs's own: nothing of it is shown, but links to its plink directory mean something. */
static int put_aufs(struct nc_unpack *unpack, const char *name, const struct nc_entry *entry, struct nacre_error *err)
{
	int code = nc_unpack_again(unpack, name, err);
	const char *base = name + strlen(PLNK);
	unpack->sink = true;
	if (code < 0 || entry->type != NC_ENTRY_FILE || strncmp(name, PLNK, strlen(PLNK)) != 0 || strchr(base, '/'))
		return code < 0 ? code : NC_PUT_DONE;
	if (unpack->plnk < 0) {
		code = nc_dir_ensure(unpack->stage, PLNK_DIR, &unpack->plnk, err);
		if (code < 0)
			return code;
	}
	if (unlinkat(unpack->plnk, base, 0) < 0 && errno != ENOENT)
		return nc_fail(err, NACRE_E_IO, errno, "remove '%s'", name);
	NC_AUTO_FD int fd = openat(unpack->plnk, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "create '%s'", name);
	unpack->sink = false;
	code = start_file(unpack, &fd, entry, name, err);
	return code < 0 ? code : NC_PUT_DONE;
}

static int put_special(struct nc_unpack *unpack, const char *name, const char *component,
		       const struct nc_entry *entry, struct nacre_error *err)
{
	size_t dir_len = component == name ? 0 : (size_t)(component - name) - 1;
	if (strncmp(component, AUFS, strlen(AUFS)) == 0) {
		if (strcmp(component, NC_OPAQUE_FILE) != 0)
			return put_aufs(unpack, name, entry, err);
		unpack->sink = true;
		return put_opaque(unpack, name, dir_len, entry, err);
	}
	unpack->sink = true;
	const char *hidden = component + strlen(WHITEOUT);
	if (strchr(hidden, '/'))
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' lies below a whiteout", name);
	if (!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' is a whiteout of nothing", name);
	return put_whiteout(unpack, name, dir_len, entry, err);
}

int nc_unpack_entry(struct nc_unpack *unpack, const struct nc_entry *entry, struct nacre_error *err)
{
	int code = finish_file(unpack, err);
	if (code < 0)
		return code;
	unpack->sink = false;
	for (size_t i = 0; i < entry->xattr_count; i++)
		if (strcmp(entry->xattrs[i].name, "system.posix_acl_default") == 0)
			unpack->acls = true;
	if (entry->name_len >= unpack->clean_cap) {
		size_t cap = entry->name_len + 256;
		char *more = nc_realloc_array(unpack->clean, cap, 1);
		if (!more)
			return nc_nomem(err);
		unpack->clean = more;
		unpack->clean_cap = cap;
	}
	code = nc_path_clean(entry->name, entry->name_len, unpack->clean, NULL, err);
	if (code < 0)
		return code;
	if (!*unpack->clean)
		return put_root(unpack, entry, err);
	const char *special = find_whiteout(unpack->clean);
	if (special)
		return put_special(unpack, unpack->clean, special, entry, err);
	return put_object(unpack, unpack->clean, entry, err);
}

/* Links to aufs's files are in the tree; the directory that kept them is not needed any more. */
static int count_plnk(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	struct nc_unpack *unpack = ctx;
	struct stat st;
	if (fstatat(unpack->plnk, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "stat '%s'", name);
	if (st.st_nlink > 1)
		unpack->size += (uint64_t)st.st_size;
	return 0;
}

/* What could wait until now: marks, and a root that no member mentions, which looks like that of the parents. */
static int finish_root(struct nc_unpack *unpack, struct nacre_error *err)
{
	struct nc_stack *below = NULL;
	int code = unpack->root_seen && !unpack->marks.len ? 0 : nc_unpack_below(unpack, &below, err);
	return code < 0 || unpack->root_seen || !below ? code : nc_root_dress(unpack->root, below, err);
}

int nc_unpack_finish(struct nc_unpack *unpack, struct nc_unpack_result *ret, struct nacre_error *err)
{
	int code = finish_file(unpack, err);
	if (code >= 0)
		code = nc_unpack_leave(unpack, err);
	if (code >= 0)
		code = finish_root(unpack, err);
	if (code >= 0 && unpack->plnk >= 0) {
		code = nc_dir_each(unpack->plnk, count_plnk, unpack, err);
		if (code >= 0)
			code = nc_tree_remove(unpack->stage, PLNK_DIR, err);
	}
	if (code < 0)
		return code;
	*ret = (struct nc_unpack_result){ .size = unpack->size, .root_opaque = unpack->root_opaque,
					  .marks = unpack->whiteouts || unpack->opaques };
	return 0;
}
