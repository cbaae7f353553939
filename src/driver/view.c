#include "driver/view.h"

#include "driver/view_pair.h"
#include "driver/way.h"

#include <stdlib.h>
#include <string.h>

#define LINKS_MAX 40
/* Of a path with all the links in it; no path of a tree is longer. */
#define PATH_LIMIT (1u << 17)

void nc_view_close(struct nc_view *view)
{
	if (view)
		view->ops->close(view);
}

/* --- resolving -------------------------------------------------------------------------------------------------- */

int nc_view_resolve(struct nc_view *view, const char *path, bool follow_last, char **ret, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf rest = NC_BUF_INIT(PATH_LIMIT);
	NC_AUTO_BUF struct nc_buf done = NC_BUF_INIT(PATH_LIMIT);
	int code = nc_buf_add_text(&rest, path, err);
	size_t at = 0;
	unsigned links = 0;
	struct nc_view_file file;
	while (code >= 0) {
		at += strspn(rest.data + at, "/");
		const char *name = rest.data + at;
		size_t len = strcspn(name, "/");
		if (!len)
			break;
		/* a slash behind the last name asks for a directory, so for what a link leads to */
		bool last = name[len] == '\0';
		at += len;
		/* whatever is gone through must be a directory, also when "." or ".." follows */
		code = view->ops->stat(view, nc_buf_text(&done), &file, err);
		if (code >= 0 && file.entry.type != NC_ENTRY_DIR)
			code = nc_fail(err, NACRE_E_NOTFOUND, 0, "'/%s' is no directory", nc_buf_text(&done));
		if (code < 0)
			break;
		if (len == 1 && name[0] == '.')
			continue;
		if (len == 2 && name[0] == '.' && name[1] == '.') {
			nc_way_cut(&done);
			continue;
		}
		code = nc_way_add(&done, name, len, err);
		if (code >= 0)
			code = view->ops->stat(view, done.data, &file, err);
		if (code < 0 || file.entry.type != NC_ENTRY_SYMLINK || (last && !follow_last))
			continue;
		if (++links > LINKS_MAX) {
			code = nc_fail(err, NACRE_E_INVALID, 0, "'%s' leads through too many links", path);
			break;
		}
		if (file.entry.link[0] == '/')
			nc_buf_clear(&done);
		else
			nc_way_cut(&done);
		code = nc_way_splice(&rest, &at, file.entry.link, file.entry.link_len, err);
	}
	if (code < 0)
		return code;
	char *given = nc_buf_give(&done);
	if (!given)
		return nc_nomem(err);
	*ret = given;
	return 0;
}

/* --- walking ---------------------------------------------------------------------------------------------------- */

struct walk {
	int (*fn)(void *ctx, const struct nc_view_file *file, struct nacre_error *err);
	void *ctx;
};

static int give(void *ctx, const char *path, const struct nc_view_file *const files[2], struct nacre_error *err)
{
	struct walk *walk = ctx;
	return walk->fn(walk->ctx, files[1], err);
}

int nc_view_walk(struct nc_view *view, const char *path,
		 int (*fn)(void *ctx, const struct nc_view_file *file, struct nacre_error *err), void *ctx,
		 struct nacre_error *err)
{
	struct walk walk = { .fn = fn, .ctx = ctx };
	return nc_view_pair_walk((struct nc_view *[2]){ NULL, view }, path, give, &walk, err);
}
