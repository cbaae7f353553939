/* What a layer has to know of the parents, and what it hides of them. The nearest parent may still be written while the layer is, so
 * the first look at them comes as late as can be. A mark means the same wherever it stands in the archive: it is made at the first
 * look, or at the end, and only then is it asked whether there is anything to hide. What the layer does to its own tree meanwhile
 * comes to the same: what takes the place of a directory takes the marks in it along, and the directory that takes its place in turn
 * is opaque; a directory of a name that is to be hidden is made opaque when the mark comes. */
#include "driver/unpack_private.h"

#include "driver/drivers.h"
#include "driver/walk.h"
#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Bytes of marks that wait. Beyond it they wait no longer. */
#define MARKS_MAX (1u << 20)

/* --- looking ---------------------------------------------------------------------------------------------------- */

int nc_unpack_is_hidden(struct nc_unpack *unpack, const char *path, bool *ret, struct nacre_error *err)
{
	*ret = true;
	if (unpack->root_opaque)
		return 0;
	NC_AUTO_FD int dir = openat(unpack->root, ".", OPEN_DIR);
	if (dir < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open the root of the layer");
	const char *at = path;
	while (*at) {
		char name[NAME_MAX + 1];
		size_t len = strcspn(at, "/");
		struct stat st;
		if (len > NAME_MAX)
			return 0;
		memcpy(name, at, len);
		name[len] = '\0';
		at += len + (at[len] == '/');
		if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno != ENOENT)
				return nc_fail(err, NACRE_E_IO, errno, "stat '%s'", path);
			break;
		}
		if (nc_is_whiteout(&st) || (*at && !S_ISDIR(st.st_mode)))
			return 0;
		if (!*at)
			break;
		int next = openat(dir, name, OPEN_DIR);
		if (next < 0)
			return nc_fail(err, NACRE_E_IO, errno, "open '%s'", path);
		nc_fd_release(&dir);
		dir = next;
		if (nc_is_opaque(dir, unpack->opaque))
			return 0;
	}
	*ret = false;
	return 0;
}

int nc_unpack_find_below(struct nc_unpack *unpack, const char *path, struct nc_stack_found *ret, struct nacre_error *err)
{
	struct nc_stack *below;
	int code = nc_unpack_below(unpack, &below, err);
	return code < 0 || !below ? code : nc_stack_find(below, path, ret, err);
}

int nc_unpack_find_shown(struct nc_unpack *unpack, const char *path, struct nc_stack_found *ret, struct nacre_error *err)
{
	int code = unpack->root_opaque ? 0 : nc_unpack_find_below(unpack, path, ret, err);
	if (code <= 0)
		return code;
	bool hidden;
	code = nc_unpack_is_hidden(unpack, path, &hidden, err);
	return code < 0 ? code : !hidden;
}

/* Whether the parents' directory shows through ours, which is open. */
static int is_merged(struct nc_unpack *unpack, int dir, const char *path, struct nacre_error *err)
{
	struct nc_stack_found found;
	int code = nc_unpack_find_shown(unpack, path, &found, err);
	return code <= 0 ? code : S_ISDIR(found.st.st_mode) && !nc_is_opaque(dir, unpack->opaque);
}

/* --- marks ------------------------------------------------------------------------------------------------------ */

int nc_unpack_make_opaque(struct nc_unpack *unpack, int dir, const char *path, struct nacre_error *err)
{
	if (!unpack->below)
		return 0;
	if (unpack->opaque) {
		if (fsetxattr(dir, unpack->opaque, "y", 1, 0) < 0)
			return nc_fail(err, NACRE_E_IO, errno, "mark '%s' as opaque", path);
	} else {
		struct stat st;
		if (fstat(dir, &st) < 0)
			return nc_fail(err, NACRE_E_IO, errno, "stat '%s'", path);
		NC_AUTO_FD int fd = openat(dir, NC_OPAQUE_FILE, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 || futimens(dir, (struct timespec[2]){ st.st_atim, st.st_mtim }) < 0)
			return nc_fail(err, NACRE_E_IO, errno, "mark '%s' as opaque", path);
	}
	unpack->opaques++;
	return unpack->whiteouts ? nc_marks_remove(unpack->root, path, false, err) : 0;
}

/* In a directory through which the parents' shows. */
static int hide_name(struct nc_unpack *unpack, int dir, const char *path, const char *name, struct nacre_error *err)
{
	struct stat st;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return nc_fail(err, NACRE_E_IO, errno, "stat '%s'", name);
		if (mknodat(dir, name, S_IFCHR, makedev(0, 0)) < 0)
			return nc_fail(err, NACRE_E_IO, errno, "create whiteout of '%s'", name);
		unpack->whiteouts++;
		return 0;
	}
	if (!S_ISDIR(st.st_mode))
		return 0;
	NC_AUTO_FD int fd = openat(dir, name, OPEN_DIR);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open directory '%s'", name);
	NC_AUTO_BUF struct nc_buf full = NC_BUF_INIT(2 * NAME_LIMIT);
	int code = nc_buf_addf(&full, err, "%s%s%s", path, *path ? "/" : "", name);
	return code < 0 ? code : nc_unpack_make_opaque(unpack, fd, full.data, err);
}

static int hide(struct nc_unpack *unpack, int dir, const char *path, const char *name, struct nacre_error *err)
{
	return *name ? hide_name(unpack, dir, path, name, err) : nc_unpack_make_opaque(unpack, dir, path, err);
}

static int add_mark(struct nc_unpack *unpack, const char *path, const char *name, struct nacre_error *err)
{
	int code = nc_buf_add(&unpack->marks, path, strlen(path) + 1, err);
	return code < 0 ? code : nc_buf_add(&unpack->marks, name, strlen(name) + 1, err);
}

/* The marks of one directory, from *at on, which is moved to the next one's; none where something else took its place meanwhile. */
static int set_marks_of(struct nc_unpack *unpack, const char **at, struct nacre_error *err)
{
	const char *path = *at, *end = unpack->marks.data + unpack->marks.len;
	NC_AUTO_FD int dir = nc_below_open(unpack->root, path, O_RDONLY | O_DIRECTORY);
	bool gone = dir == -ENOENT || dir == -ENOTDIR || dir == -ELOOP;
	struct stat st;
	if ((dir < 0 && !gone) || (dir >= 0 && fstat(dir, &st) < 0))
		return nc_fail(err, NACRE_E_IO, dir < 0 ? -dir : errno, "open directory '%s'", path);
	int code = gone ? 0 : is_merged(unpack, dir, path, err);
	bool merged = code > 0;
	while (code >= 0 && *at < end && strcmp(*at, path) == 0) {
		const char *name = *at + strlen(*at) + 1;
		*at = name + strlen(name) + 1;
		code = merged ? hide(unpack, dir, path, name, err) : 0;
		/* nothing of the parents is left there */
		merged = merged && *name;
	}
	if (code >= 0 && !gone && futimens(dir, (struct timespec[2]){ st.st_atim, st.st_mtim }) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "set time of '%s'", path);
	return code < 0 ? code : 0;
}

int nc_unpack_below(struct nc_unpack *unpack, struct nc_stack **ret, struct nacre_error *err)
{
	int code = 0;
	if (unpack->below && !unpack->parents) {
		code = unpack->below(unpack->below_ctx, &unpack->parents, err);
		const char *at = nc_buf_text(&unpack->marks), *end = at + unpack->marks.len;
		while (code >= 0 && at < end)
			code = set_marks_of(unpack, &at, err);
		nc_buf_clear(&unpack->marks);
	}
	*ret = unpack->parents;
	return code < 0 ? code : 0;
}

int nc_unpack_lend(void *ctx, struct nc_stack **ret, struct nacre_error *err)
{
	*ret = ctx;
	return 0;
}

int nc_unpack_hide(struct nc_unpack *unpack, const char *name, struct nacre_error *err)
{
	struct nc_unpack_dir *dir = &unpack->dir;
	const char *path = nc_buf_text(&dir->path);
	if (dir->merged == 0)
		return 0;
	int code;
	if (!unpack->parents && unpack->marks.len < MARKS_MAX) {
		code = add_mark(unpack, path, name, err);
	} else {
		code = dir->merged > 0 ? 1 : is_merged(unpack, dir->fd, path, err);
		dir->merged = code > 0;
		if (code > 0)
			code = hide(unpack, dir->fd, path, name, err);
	}
	if (!*name)
		dir->merged = 0;
	return code < 0 ? code : 0;
}
