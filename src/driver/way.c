#include "driver/way.h"

int nc_way_add(struct nc_buf *way, const char *name, size_t len, struct nacre_error *err)
{
	int code = way->len ? nc_buf_add(way, "/", 1, err) : 0;
	return code < 0 ? code : nc_buf_add(way, name, len, err);
}

void nc_way_cut(struct nc_buf *way)
{
	while (way->len && way->data[way->len - 1] != '/')
		way->len--;
	if (way->len)
		way->len--;
	if (way->data)
		way->data[way->len] = '\0';
}

int nc_way_splice(struct nc_buf *rest, size_t *at, const char *target, size_t len, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf more = NC_BUF_INIT(rest->max);
	int code = nc_buf_add(&more, target, len, err);
	if (code >= 0)
		code = nc_buf_add(&more, "/", 1, err);
	if (code >= 0)
		code = nc_buf_add(&more, rest->data + *at, rest->len - *at, err);
	if (code < 0)
		return code;
	nc_buf_release(rest);
	*rest = more;
	more = (struct nc_buf)NC_BUF_INIT(0);
	*at = 0;
	return 0;
}
