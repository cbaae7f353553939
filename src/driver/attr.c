#include "driver/attr.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The kernel's own limits (XATTR_LIST_MAX, XATTR_SIZE_MAX). */
#define LIST_MAX 65536
#define VALUE_MAX 65536

/* "/proc/self/fd/N/NAME": the attribute calls have no form with a directory descriptor. The last component is one
 * component by contract, and the l* forms do not follow it. */
struct proc_path {
	char text[sizeof "/proc/self/fd/" + 12 + NAME_MAX];
};

static int proc_path(int dirfd, const char *name, struct proc_path *ret)
{
	int len = snprintf(ret->text, sizeof ret->text, "/proc/self/fd/%d/%s", dirfd, name);
	return len < 0 || (size_t)len >= sizeof ret->text ? -ENAMETOOLONG : 0;
}

static bool starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool nc_xattr_allowed(const char *name)
{
	static const char *const prefixes[] = {
		"trusted.overlay.", "user.overlay.", "user.fuseoverlayfs.", "trusted.nacre.", "user.nacre.",
	};
	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
		if (starts(name, prefixes[i]))
			return false;
	return strcmp(name, "user.containers.override_stat") != 0 && strcmp(name, "user.rootlesscontainers") != 0;
}

bool nc_xattr_holdable(const char *name, enum nc_entry_type type)
{
	if (strlen(name) > XATTR_NAME_MAX)
		return false;
	if (starts(name, "user."))
		return name[5] != '\0' && (type == NC_ENTRY_FILE || type == NC_ENTRY_DIR);
	if (strcmp(name, "system.posix_acl_access") == 0)
		return type != NC_ENTRY_SYMLINK;
	if (strcmp(name, "system.posix_acl_default") == 0)
		return type == NC_ENTRY_DIR;
	return (starts(name, "trusted.") && name[8] != '\0') || (starts(name, "security.") && name[9] != '\0');
}

void nc_xattr_list_release(struct nc_xattr_list *list)
{
	free(list->items);
	free(list->bytes);
	memset(list, 0, sizeof *list);
}

int nc_xattrs_copy(const struct nc_xattr *items, size_t count, struct nc_xattr_list *ret, struct nacre_error *err)
{
	memset(ret, 0, sizeof *ret);
	if (!count)
		return 0;
	size_t bytes = 0;
	for (size_t i = 0; i < count; i++)
		bytes += strlen(items[i].name) + 1 + items[i].value_len;
	ret->items = nc_realloc_array(NULL, count, sizeof *ret->items);
	ret->bytes = nc_alloc(bytes);
	if (!ret->items || !ret->bytes) {
		nc_xattr_list_release(ret);
		return nc_nomem(err);
	}
	char *to = ret->bytes;
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(items[i].name) + 1;
		ret->items[i] = (struct nc_xattr){ .name = to, .value = to + len, .value_len = items[i].value_len };
		memcpy(to, items[i].name, len);
		if (items[i].value_len)
			memcpy(to + len, items[i].value, items[i].value_len);
		to += len + items[i].value_len;
	}
	ret->count = count;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct nc_xattr *left = a, *right = b;
	return strcmp(left->name, right->name);
}

/* The names, in memory given to the caller; *ret is NULL when there are none. */
static int list_names(const char *path, char **ret, size_t *ret_len, struct nacre_error *err)
{
	char small[512];
	ssize_t len = llistxattr(path, small, sizeof small);
	if (len == 0 || (len < 0 && errno == EOPNOTSUPP)) {
		*ret = NULL;
		*ret_len = 0;
		return 0;
	}
	NC_AUTO_FREE char *names = NULL;
	if (len > 0) {
		names = nc_memdup(small, (size_t)len);
	} else if (errno == ERANGE) {
		names = nc_alloc(LIST_MAX + 1);
		if (names)
			len = llistxattr(path, names, LIST_MAX);
	}
	if (len < 0)
		return nc_fail(err, NACRE_E_IO, errno, "read extended attributes of '%s'", strrchr(path, '/') + 1);
	if (!names)
		return nc_nomem(err);
	names[len] = '\0';
	*ret = NC_GIVE(names);
	*ret_len = (size_t)len;
	return 0;
}

int nc_xattrs_read(int dirfd, const char *name, struct nc_xattr_list *ret, struct nacre_error *err)
{
	memset(ret, 0, sizeof *ret);
	struct proc_path path;
	if (proc_path(dirfd, name, &path) < 0)
		return nc_fail(err, NACRE_E_INVALID, ENAMETOOLONG, "'%s'", name);
	NC_AUTO_FREE char *names = NULL;
	size_t names_len = 0;
	int code = list_names(path.text, &names, &names_len, err);
	if (code < 0 || !names)
		return code;

	size_t max = 0;
	for (const char *at = names; at < names + names_len; at += strlen(at) + 1)
		max++;
	NC_AUTO_FREE struct nc_xattr *found = nc_realloc_array(NULL, max, sizeof *found);
	NC_AUTO_FREE char *values = NULL;
	size_t values_len = 0;
	if (!found)
		return nc_nomem(err);
	size_t count = 0;
	for (const char *at = names; at < names + names_len; at += strlen(at) + 1) {
		if (!nc_xattr_allowed(at))
			continue;
		char *more = nc_realloc_array(values, values_len + VALUE_MAX, 1);
		if (!more)
			return nc_nomem(err);
		values = more;
		ssize_t len = lgetxattr(path.text, at, values + values_len, VALUE_MAX);
		if (len < 0 && errno == ENODATA)
			continue;
		if (len < 0)
			return nc_fail(err, NACRE_E_IO, errno, "read attribute '%s' of '%s'", at, name);
		found[count++] = (struct nc_xattr){ .name = at, .value_len = (size_t)len };
		values_len += (size_t)len;
	}
	size_t offset = 0;
	for (size_t i = 0; i < count; i++) {
		found[i].value = values + offset;
		offset += found[i].value_len;
	}
	if (count)
		qsort(found, count, sizeof *found, by_name);
	return nc_xattrs_copy(found, count, ret, err);
}

int nc_xattrs_drop(int fd, const char *path, struct nacre_error *err)
{
	struct nc_xattr_list list;
	int code = nc_xattrs_read(fd, ".", &list, err);
	if (code < 0)
		return code;
	for (size_t i = 0; code >= 0 && i < list.count; i++) {
		const char *name = list.items[i].name;
		/* labels of a security module stay: it decides about them */
		if (fremovexattr(fd, name) < 0 && errno != ENODATA && !starts(name, "security."))
			code = nc_fail(err, NACRE_E_IO, errno, "remove attribute '%s' of '%s'", name, path);
	}
	nc_xattr_list_release(&list);
	return code;
}

void nc_attrs_of_stat(const struct stat *st, struct nc_attrs *ret)
{
	*ret = (struct nc_attrs){
		.uid = st->st_uid, .gid = st->st_gid, .mode = st->st_mode & 07777,
		.mtime = { .sec = st->st_mtim.tv_sec, .nsec = (uint32_t)st->st_mtim.tv_nsec },
	};
}

void nc_attrs_of_entry(const struct nc_entry *entry, struct nc_attrs *ret)
{
	*ret = (struct nc_attrs){
		.uid = entry->uid, .gid = entry->gid, .mode = entry->mode & 07777, .mtime = entry->mtime,
		.xattrs = entry->xattrs, .xattr_count = entry->xattr_count,
	};
}

/* Some file systems say "no space" when one attribute is larger than they can hold. That is told from a full disk by
 * looking at the free space. */
static bool too_large_for_it(int fd, const struct nc_xattr *xattr)
{
	struct statvfs fs;
	return xattr->value_len >= 1024 && fstatvfs(fd, &fs) == 0 &&
	       fs.f_bavail > 16 + 4 * (uint64_t)xattr->value_len / (fs.f_frsize ? fs.f_frsize : 512);
}

/* The verdict on a failed call: an attribute that cannot be held here is left out. */
static int judge_xattr(int fd, const struct nc_xattr *xattr, int sys, const char *path, struct nacre_error *err)
{
	if (sys == EOPNOTSUPP || sys == ERANGE || sys == E2BIG)
		return 0;
	if (sys == ENOSPC && too_large_for_it(fd, xattr))
		return 0;
	return nc_fail(err, sys == EINVAL ? NACRE_E_BADDATA : NACRE_E_IO, sys, "set attribute '%s' of '%s'",
		       xattr->name, path);
}

static int set_xattrs(int fd, const char *by_path, const struct nc_attrs *attrs, enum nc_entry_type type,
		      const char *path, struct nacre_error *err)
{
	for (size_t i = 0; i < attrs->xattr_count; i++) {
		const struct nc_xattr *xattr = &attrs->xattrs[i];
		if (!nc_xattr_allowed(xattr->name) || !nc_xattr_holdable(xattr->name, type))
			continue;
		int done = by_path ? lsetxattr(by_path, xattr->name, xattr->value, xattr->value_len, 0) :
				     fsetxattr(fd, xattr->name, xattr->value, xattr->value_len, 0);
		if (done < 0) {
			int code = judge_xattr(fd, xattr, errno, path, err);
			if (code < 0)
				return code;
		}
	}
	return 0;
}

static void times_of(const struct nc_attrs *attrs, struct timespec times[2])
{
	times[1].tv_sec = attrs->mtime.sec;
	times[1].tv_nsec = attrs->mtime.nsec;
	times[0] = times[1];
}

static int check(const struct nc_attrs *attrs, const char *path, struct nacre_error *err)
{
	/* chown(2) would read this number as "leave it" */
	if (attrs->uid == UINT32_MAX || attrs->gid == UINT32_MAX)
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' has an owner that no file can have", path);
	return 0;
}

unsigned nc_attrs_right(int fd, const struct nc_attrs *attrs)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return 0;
	/* an attribute may be an ACL, which sets the mode, too */
	bool mode = (st.st_mode & 07777) == (attrs->mode & 07777) && !attrs->xattr_count;
	bool owner = st.st_uid == attrs->uid && st.st_gid == attrs->gid;
	return (owner ? NC_RIGHT_OWNER : 0) | (mode ? NC_RIGHT_MODE : 0);
}

int nc_attrs_set_fd(int fd, const struct nc_attrs *attrs, enum nc_entry_type type, unsigned right, const char *path,
		    struct nacre_error *err)
{
	struct timespec times[2];
	times_of(attrs, times);
	int code = check(attrs, path, err);
	if (code < 0)
		return code;
	if (!(right & NC_RIGHT_OWNER) && fchown(fd, attrs->uid, attrs->gid) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "set owner of '%s'", path);
	code = set_xattrs(fd, NULL, attrs, type, path, err);
	if (code < 0)
		return code;
	if (!(right & NC_RIGHT_MODE) && fchmod(fd, attrs->mode & 07777) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "set mode of '%s'", path);
	if (futimens(fd, times) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "set time of '%s'", path);
	return 0;
}

int nc_attrs_set_at(int dirfd, const char *name, const struct nc_attrs *attrs, enum nc_entry_type type, unsigned right,
		    const char *path, struct nacre_error *err)
{
	struct timespec times[2];
	times_of(attrs, times);
	int code = check(attrs, path, err);
	if (code < 0)
		return code;
	if (!(right & NC_RIGHT_OWNER) && fchownat(dirfd, name, attrs->uid, attrs->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "set owner of '%s'", path);
	if (attrs->xattr_count) {
		struct proc_path by_path;
		if (proc_path(dirfd, name, &by_path) < 0)
			return nc_fail(err, NACRE_E_INVALID, ENAMETOOLONG, "'%s'", path);
		code = set_xattrs(dirfd, by_path.text, attrs, type, path, err);
		if (code < 0)
			return code;
	}
	if (type != NC_ENTRY_SYMLINK && !(right & NC_RIGHT_MODE) &&
	    fchmodat(dirfd, name, attrs->mode & 07777, AT_SYMLINK_NOFOLLOW) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "set mode of '%s'", path);
	if (utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "set time of '%s'", path);
	return 0;
}

void nc_acl_drop(int fd)
{
	fremovexattr(fd, "system.posix_acl_access");
	fremovexattr(fd, "system.posix_acl_default");
}

int nc_acl_drop_at(int dirfd, const char *name, struct nacre_error *err)
{
	struct proc_path path;
	if (proc_path(dirfd, name, &path) < 0)
		return nc_fail(err, NACRE_E_INVALID, ENAMETOOLONG, "'%s'", name);
	if (lremovexattr(path.text, "system.posix_acl_access") < 0 && errno != ENODATA && errno != EOPNOTSUPP)
		return nc_fail(err, NACRE_E_IO, errno, "remove the inherited ACL of '%s'", name);
	return 0;
}
