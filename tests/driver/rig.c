#include "rig.h"

#include "driver/attr.h"
#include "driver/copy.h"
#include "io/fd.h"
#include "io/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* --- the rig ---------------------------------------------------------------------------------------------------- */

void rig_open(struct rig *rig, const char *driver, const char *dir)
{
	struct nacre_error err;
	*rig = (struct rig){ .stage = -1, .reports = NC_BUF_INIT(1u << 24) };
	snprintf(rig->path, sizeof rig->path, "%s", dir);
	rig->root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(rig->root >= 0);
	const struct nc_driver_ops *ops = nc_driver_find(driver);
	assert_non_null(ops);
	assert_done(ops->open(rig->root, dir, false, &rig->driver, &err));
	assert_true(mkdirat(rig->root, "mnt", 0700) == 0 || errno == EEXIST);
	rig->no_mount = strcmp(driver, "memory") == 0;
	rig->keeps_tars = ops->tar;
}

void rig_close(struct rig *rig)
{
	rig_abort(rig);
	nc_driver_close(rig->driver);
	nc_buf_release(&rig->reports);
	close(rig->root);
}

const char *rig_id(unsigned number)
{
	static char ids[4][NC_HEX_ID];
	static unsigned next;
	char *id = ids[next++ % 4];
	snprintf(id, NC_HEX_ID, "%064x", number);
	return id;
}

static int displaced(void *ctx, const char *name, struct nc_reader *content, uint64_t size, struct nacre_error *err)
{
	struct rig *rig = ctx;
	int code = nc_buf_addf(&rig->reports, err, "%s", *name ? name : ".");
	if (code >= 0 && content) {
		char *bytes;
		size_t len;
		code = nc_reader_slurp(content, 1u << 20, &bytes, &len, err);
		if (code < 0)
			return code;
		assert_int_equal(len, size);
		code = nc_buf_addf(&rig->reports, err, "=%s", bytes);
		free(bytes);
	}
	return code < 0 ? code : nc_buf_add_text(&rig->reports, ";", err);
}

static int parent_is_ready(void *ctx, struct nacre_error *err)
{
	return 0;
}

/* Whoever is patient looks at the parent as late as can be. */
void rig_begin(struct rig *rig, unsigned number, unsigned parent)
{
	struct nacre_error err;
	struct nc_tree_hooks hooks = { .displaced = { .fn = displaced, .ctx = rig },
				       .parent_ready = rig->driver->ops->patient ? parent_is_ready : NULL };
	assert_done(nc_tree_remove(rig->root, "stage", &err));
	assert_done(nc_dir_ensure(rig->root, "stage", &rig->stage, &err));
	nc_buf_clear(&rig->reports);
	rig->number = number;
	assert_done(rig->driver->ops->begin(rig->driver, rig_id(number), parent ? rig_id(parent) : NULL, rig->stage,
					    &hooks, &rig->tree, &err));
}

static void end(struct rig *rig)
{
	struct nacre_error err;
	if (rig->stage < 0)
		return;
	/* whatever happened, nothing is left beside the tree */
	DIR *dir = fdopendir(dup(rig->stage));
	struct dirent *entry;
	rewinddir(dir);
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			fail_msg("the stage still holds '%s'", entry->d_name);
	closedir(dir);
	nc_fd_release(&rig->stage);
	assert_done(nc_tree_remove(rig->root, "stage", &err));
}

/* A driver that measures its layers must measure what seal told. */
static void seal(struct rig *rig)
{
	struct nacre_error err;
	uint64_t again;
	assert_done(nc_tree_seal(&rig->tree, &rig->size, &err));
	if (rig->driver->ops->size) {
		assert_done(rig->driver->ops->size(rig->driver, rig_id(rig->number), &again, &err));
		assert_int_equal(again, rig->size);
	}
	end(rig);
}

void rig_seal(struct rig *rig)
{
	seal(rig);
}

void rig_abort(struct rig *rig)
{
	nc_tree_abort(rig->tree);
	rig->tree = NULL;
	end(rig);
}

void rig_layer(struct rig *rig, unsigned number, unsigned parent, const char *members)
{
	struct nacre_error err;
	rig_begin(rig, number, parent);
	assert_done(rig_put(rig, members, &err));
	rig_seal(rig);
	assert_int_equal(rig->driver->ops->has(rig->driver, rig_id(number), &err), 1);
}

void rig_refuse(struct rig *rig, unsigned number, unsigned parent, const char *members, int code)
{
	struct nacre_error err = { .code = 0 };
	rig_begin(rig, number, parent);
	int got = rig_put(rig, members, &err);
	if (got != code)
		fail_msg("'%s' gave %d (%s), not %d", members, got, err.msg, code);
	assert_true(err.msg[0] != '\0');
	rig_abort(rig);
	assert_int_equal(rig->driver->ops->has(rig->driver, rig_id(number), &err), 0);
}

/* --- reading the language --------------------------------------------------------------------------------------- */

struct member {
	struct nc_entry entry;
	char name[8192], link[8192], rest[8192];
	struct nc_xattr xattrs[16];
	char xattr_text[4096];
	unsigned char xattr_bytes[16][256];
};

static size_t unescape(char *to, const char *from, size_t len)
{
	size_t out = 0;
	for (size_t i = 0; i < len; i++) {
		unsigned byte;
		if (from[i] == '%' && i + 2 < len && sscanf(from + i + 1, "%2x", &byte) == 1) {
			to[out++] = (char)byte;
			i += 2;
		} else {
			to[out++] = from[i];
		}
	}
	to[out] = '\0';
	return out;
}

static void parse_time(const char *text, struct nc_time *ret)
{
	char *end;
	ret->sec = strtoll(text, &end, 10);
	ret->nsec = *end == '.' ? (uint32_t)strtoul(end + 1, NULL, 10) : 0;
}

static void parse_xattrs(struct member *m, char *text)
{
	snprintf(m->xattr_text, sizeof m->xattr_text, "%s", text);
	char *rest;
	for (char *part = strtok_r(m->xattr_text, ",", &rest); part; part = strtok_r(NULL, ",", &rest)) {
		char *equal = strchr(part, '=');
		*equal = '\0';
		size_t n = m->entry.xattr_count++;
		size_t len = unescape((char *)m->xattr_bytes[n], equal + 1, strlen(equal + 1));
		m->xattrs[n] = (struct nc_xattr){ .name = part, .value = m->xattr_bytes[n], .value_len = len };
	}
	m->entry.xattrs = m->xattrs;
}

static void parse(char *line, struct member *m)
{
	memset(m, 0, sizeof *m);
	struct nc_entry *e = &m->entry;
	char type = line[0];
	char *at = line + 2;
	size_t len = strcspn(at, " ");
	e->name_len = unescape(m->name, at, len);
	e->name = m->name;
	at += len;
	at += strspn(at, " ");
	e->type = type == 'f' || type == 's' ? NC_ENTRY_FILE
		  : type == 'd'              ? NC_ENTRY_DIR
		  : type == 'l'              ? NC_ENTRY_SYMLINK
		  : type == 'h'              ? NC_ENTRY_LINK
		  : type == 'c'              ? NC_ENTRY_CHAR
		  : type == 'b'              ? NC_ENTRY_BLOCK
					     : NC_ENTRY_FIFO;
	e->mode = type == 'd' ? 0755 : type == 'l' ? 0777 : 0644;
	e->mtime.sec = 1000;
	if (*at == '[') {
		char time[64] = "1000";
		assert_int_equal(sscanf(at, "[%o %u:%u %63[^]]]", &e->mode, &e->uid, &e->gid, time), 4);
		parse_time(time, &e->mtime);
		at = strchr(at, ']') + 1;
		at += strspn(at, " ");
	}
	char *brace = strchr(at, '{');
	if (brace) {
		char *close = strrchr(brace, '}');
		*close = '\0';
		parse_xattrs(m, brace + 1);
		*brace = '\0';
		while (brace > at && brace[-1] == ' ')
			*--brace = '\0';
	}
	size_t rest_len = unescape(m->rest, at, strlen(at));
	e->link = "";
	if (type == 'l' || type == 'h') {
		e->link = m->rest;
		e->link_len = rest_len;
	} else if (type == 'c' || type == 'b') {
		assert_int_equal(sscanf(m->rest, "%u:%u", &e->dev_major, &e->dev_minor), 2);
	} else if (type == 'f') {
		e->size = e->stored = rest_len;
	} else if (type == 's') {
		e->sparse = true;
		char *part = m->rest;
		e->size = strtoull(part, &part, 10);
		while ((part = strchr(part, ':')))
			e->stored += strcspn(++part, " ");
	}
}

static int put_data(struct rig *rig, const void *bytes, size_t len, uint64_t at, uint64_t *total, struct nacre_error *err)
{
	*total += len;
	return nc_tree_data(rig->tree, bytes, len, at, err);
}

/* A member as it stands in an archive: a block before its content, and blocks to the end. */
static int put_one(struct rig *rig, char *line, struct nacre_error *err)
{
	static const char zeros[512];
	struct member *m = malloc(sizeof *m);
	uint64_t total = 0;
	assert_non_null(m);
	parse(line, m);
	int put = nc_tree_framing(rig->tree, zeros, sizeof zeros, err);
	if (put == 0)
		put = nc_tree_entry(rig->tree, &m->entry, err);
	int code = put;
	if (code >= 0 && line[0] == 'f' && m->entry.size) {
		/* in two pieces, as blocks come */
		size_t half = m->entry.size / 2;
		code = put_data(rig, m->rest, half, 0, &total, err);
		if (code >= 0)
			code = put_data(rig, m->rest + half, m->entry.size - half, half, &total, err);
	}
	if (code >= 0 && line[0] == 's') {
		char *part = strchr(m->rest, ' ');
		while (code >= 0 && part) {
			uint64_t at = strtoull(part + 1, &part, 10);
			size_t len = strcspn(++part, " ");
			code = put_data(rig, part, len, at, &total, err);
			part = strchr(part, ' ');
		}
	}
	if (code >= 0)
		code = nc_tree_framing(rig->tree, zeros, -total % sizeof zeros, err);
	free(m);
	return code < 0 ? code : put;
}

int rig_put(struct rig *rig, const char *members, struct nacre_error *err)
{
	int code = 0;
	while (code >= 0 && *members) {
		size_t len = strcspn(members, "\n");
		char *line = strndup(members, len);
		if (len)
			code = put_one(rig, line, err);
		free(line);
		members += len + (members[len] == '\n');
	}
	return code;
}

/* --- dumping ---------------------------------------------------------------------------------------------------- */

struct seen {
	uint64_t number;
	char *path;
};

struct dump {
	struct nc_buf text;
	struct nc_view *view;
	struct seen *seen;
	size_t count;
};

static void put_bytes(struct nc_buf *buf, const void *bytes, size_t len)
{
	const unsigned char *byte = bytes;
	for (size_t i = 0; i < len; i++) {
		if (byte[i] > ' ' && byte[i] < 0x7f && !strchr("%{},", byte[i]))
			nc_buf_add(buf, &byte[i], 1, NULL);
		else
			nc_buf_addf(buf, NULL, "%%%02x", byte[i]);
	}
}

static bool is_default(const struct nc_entry *e)
{
	uint32_t mode = e->type == NC_ENTRY_DIR ? 0755 : e->type == NC_ENTRY_SYMLINK ? 0777 : 0644;
	return (e->mode == mode || e->type == NC_ENTRY_SYMLINK) && !e->uid && !e->gid && e->mtime.sec == 1000 &&
	       !e->mtime.nsec;
}

static void dump_file(struct dump *dump, const struct nc_view_file *file, const char *content, size_t content_len)
{
	const struct nc_entry *e = &file->entry;
	struct nc_buf *text = &dump->text;
	if (!e->name_len && e->mode == 0755 && !e->uid && !e->gid && !e->mtime.sec && !e->mtime.nsec &&
	    !e->xattr_count)
		return;
	if (e->type != NC_ENTRY_DIR) {
		for (size_t i = 0; i < dump->count; i++) {
			if (dump->seen[i].number == file->number) {
				nc_buf_addf(text, NULL, "h ");
				put_bytes(text, e->name, e->name_len);
				nc_buf_addf(text, NULL, " %s\n", dump->seen[i].path);
				return;
			}
		}
		dump->seen = realloc(dump->seen, (dump->count + 1) * sizeof *dump->seen);
		dump->seen[dump->count++] = (struct seen){ file->number, strdup(e->name) };
	}
	nc_buf_addf(text, NULL, "%c ",
		    e->type == NC_ENTRY_FILE      ? 'f'
		    : e->type == NC_ENTRY_DIR     ? 'd'
		    : e->type == NC_ENTRY_SYMLINK ? 'l'
		    : e->type == NC_ENTRY_CHAR    ? 'c'
		    : e->type == NC_ENTRY_BLOCK   ? 'b'
						  : 'p');
	put_bytes(text, e->name_len ? e->name : ".", e->name_len ? e->name_len : 1);
	if (!is_default(e)) {
		nc_buf_addf(text, NULL, " [%o %u:%u %" PRId64, e->mode, e->uid, e->gid, e->mtime.sec);
		if (e->mtime.nsec)
			nc_buf_addf(text, NULL, ".%09u", e->mtime.nsec);
		nc_buf_add_text(text, "]", NULL);
	}
	if (e->type == NC_ENTRY_SYMLINK) {
		nc_buf_add_text(text, " ", NULL);
		put_bytes(text, e->link, e->link_len);
	} else if (e->type == NC_ENTRY_CHAR || e->type == NC_ENTRY_BLOCK) {
		nc_buf_addf(text, NULL, " %u:%u", e->dev_major, e->dev_minor);
	} else if (e->type == NC_ENTRY_FILE && e->size) {
		nc_buf_add_text(text, " ", NULL);
		if (content_len <= 256)
			put_bytes(text, content, content_len);
		else
			nc_buf_addf(text, NULL, "#%zu", content_len);
	}
	bool any = false;
	for (size_t i = 0; i < e->xattr_count; i++) {
		if (strcmp(e->xattrs[i].name, "security.selinux") == 0)
			continue;
		nc_buf_addf(text, NULL, "%s%s=", any ? "," : " {", e->xattrs[i].name);
		put_bytes(text, e->xattrs[i].value, e->xattrs[i].value_len);
		any = true;
	}
	nc_buf_add_text(text, any ? "}\n" : "\n", NULL);
}

static char *dump_end(struct dump *dump)
{
	for (size_t i = 0; i < dump->count; i++)
		free(dump->seen[i].path);
	free(dump->seen);
	return nc_buf_give(&dump->text);
}

static int dump_view_file(void *ctx, const struct nc_view_file *file, struct nacre_error *err)
{
	struct dump *dump = ctx;
	char *content = NULL;
	size_t len = 0;
	struct nc_view_file copy = *file;
	char *name = strdup(file->entry.name);
	if (file->entry.type == NC_ENTRY_FILE && file->entry.size) {
		NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
		int code = dump->view->ops->content(dump->view, name, &reader, err);
		if (code >= 0)
			code = nc_reader_slurp(reader, 1u << 26, &content, &len, err);
		if (code < 0) {
			free(name);
			return code;
		}
		assert_int_equal(len, copy.entry.size);
	}
	/* the content was asked for after the metadata, and those only live until the next call */
	struct nc_view_file fresh;
	int code = dump->view->ops->stat(dump->view, name, &fresh, err);
	if (code >= 0)
		dump_file(dump, &fresh, content, len);
	free(name);
	free(content);
	return code;
}

char *rig_dump(struct nc_view *view)
{
	struct nacre_error err;
	struct dump dump = { .text = NC_BUF_INIT(1u << 26), .view = view };
	assert_done(nc_view_walk(view, "", dump_view_file, &dump, &err));
	return dump_end(&dump);
}

char *rig_view_dump(struct rig *rig, unsigned number)
{
	struct nacre_error err;
	NC_CLEANUP(nc_view_auto) struct nc_view *view = NULL;
	assert_done(rig->driver->ops->view(rig->driver, rig_id(number), &view, &err));
	return rig_dump(view);
}

struct paths {
	char **list;
	size_t count;
};

static void gather(int dir, const char *path, struct paths *paths)
{
	DIR *stream = fdopendir(dir);
	struct dirent *entry;
	assert_non_null(stream);
	while ((entry = readdir(stream))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		char *full = malloc(strlen(path) + strlen(entry->d_name) + 2);
		sprintf(full, "%s%s%s", path, *path ? "/" : "", entry->d_name);
		paths->list = realloc(paths->list, (paths->count + 1) * sizeof *paths->list);
		paths->list[paths->count++] = full;
		struct stat st;
		if (fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
			gather(openat(dirfd(stream), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), full, paths);
	}
	closedir(stream);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *rig_dir_dump(const char *root)
{
	struct nacre_error err;
	struct dump dump = { .text = NC_BUF_INIT(1u << 26) };
	struct paths paths = { .count = 0 };
	int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	gather(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "", &paths);
	paths.list = realloc(paths.list, (paths.count + 1) * sizeof *paths.list);
	paths.list[paths.count++] = strdup("");
	qsort(paths.list, paths.count, sizeof *paths.list, by_bytes);
	for (size_t i = 0; i < paths.count; i++) {
		char *path = paths.list[i];
		const char *name = *path ? path : ".";
		struct stat st;
		if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			fail_msg("'%s' is listed and cannot be seen", path);
		struct nc_xattr_list xattrs;
		char link[4096] = "";
		char *content = NULL;
		ssize_t len = 0;
		/* one component for the attributes: those of the holding directory are tested elsewhere */
		char *slash = strrchr(path, '/');
		int up = dir;
		if (slash) {
			*slash = '\0';
			up = openat(dir, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
			*slash = '/';
		}
		assert_done(nc_xattrs_read(up, slash ? slash + 1 : name, &xattrs, &err));
		if (up != dir)
			close(up);
		/* the files of a mount may come from several file systems */
		struct nc_view_file file = { .number = st.st_ino ^ (uint64_t)st.st_dev << 40 };
		struct nc_attrs attrs;
		nc_attrs_of_stat(&st, &attrs);
		file.entry = (struct nc_entry){
			.type = nc_type_of_mode(st.st_mode),
			.name = path,
			.name_len = strlen(path),
			.mode = attrs.mode,
			.uid = attrs.uid,
			.gid = attrs.gid,
			.mtime = attrs.mtime,
			.link = link,
			.dev_major = major(st.st_rdev),
			.dev_minor = minor(st.st_rdev),
			.xattrs = xattrs.items,
			.xattr_count = xattrs.count,
		};
		if (S_ISLNK(st.st_mode)) {
			len = readlinkat(dir, path, link, sizeof link - 1);
			file.entry.link_len = (size_t)len;
		} else if (S_ISREG(st.st_mode)) {
			int fd = openat(dir, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
			assert_true(fd >= 0);
			file.entry.size = (uint64_t)st.st_size;
			content = malloc((size_t)st.st_size + 1);
			len = nc_read_full(fd, content, (size_t)st.st_size);
			assert_int_equal(len, st.st_size);
			close(fd);
		}
		dump_file(&dump, &file, content, (size_t)len);
		free(content);
		nc_xattr_list_release(&xattrs);
		free(path);
	}
	free(paths.list);
	close(dir);
	return dump_end(&dump);
}

int rig_mount(struct rig *rig, unsigned number, struct nacre_error *err)
{
	int target = openat(rig->root, "mnt", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(target >= 0);
	int code = rig->driver->ops->mount(rig->driver, rig_id(number), target, err);
	close(target);
	return code;
}

void rig_unmount(struct rig *rig)
{
	char path[4200];
	snprintf(path, sizeof path, "%s/mnt", rig->path);
	assert_return_code(umount2(path, 0), errno);
}

char *rig_mount_dump(struct rig *rig, unsigned number)
{
	struct nacre_error err;
	if (rig->no_mount)
		return NULL;
	assert_done(rig_mount(rig, number, &err));
	char path[4200];
	snprintf(path, sizeof path, "%s/mnt", rig->path);
	char *text = rig_dir_dump(path);
	rig_unmount(rig);
	return text;
}

static void same(const char *what, const char *got, const char *want)
{
	if (strcmp(got, want) != 0)
		fail_msg("%s:\n%s--- instead of:\n%s", what, got, want);
}

void rig_expect(struct rig *rig, unsigned number, const char *tree)
{
	char *view = rig_view_dump(rig, number);
	same("the view shows", view, tree);
	char *mounted = rig_mount_dump(rig, number);
	if (mounted)
		same("mounted is", mounted, tree);
	free(view);
	free(mounted);
}
