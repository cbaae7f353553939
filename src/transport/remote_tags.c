/* The tags of a repository, page after page. */
#include "transport/remote_inner.h"

#include "image/gojson.h"
#include "image/reference.h"

#include <stdlib.h>
#include <string.h>

struct page {
	int (*fn)(void *ctx, const char *tag, struct nacre_error *err);
	void *ctx;
	size_t count;
};

static int each_tag(const struct nc_remote *remote, const json_t *list, struct page *page, struct nacre_error *err)
{
	int code = 0;
	page->count = json_array_size(list);
	for (size_t i = 0; i < page->count && code >= 0; i++) {
		const char *tag = json_string_value(json_array_get(list, i));
		code = tag && nc_tag_valid(tag) ? page->fn(page->ctx, tag, err)
						: nc_fail(err, NACRE_E_BADDATA, 0, "%s lists what is no tag", remote->name);
	}
	return code;
}

static int read_page(struct nc_remote *remote, struct nc_http_answer *answer, struct page *page,
		     struct nacre_error *err)
{
	NC_AUTO_FREE char *body = NULL;
	json_t *json;
	size_t len;
	int code = nc_remote_body(answer, NC_REMOTE_DOCUMENT_MAX, &body, &len, err);
	if (code >= 0)
		code = nc_json_parse(body, len, "list of tags", &json, err);
	if (code < 0)
		return nc_wrap(err, code, "%s", remote->name);
	code = each_tag(remote, json_object_get(json, "tags"), page, err);
	json_decref(json);
	return code;
}

/* The URL of the next page: given, NULL at the end. One without a tag must be the last. */
static int next_page(const struct nc_remote *remote, const struct nc_http_answer *answer, const struct page *page,
		     char **ret, struct nacre_error *err)
{
	const char *link = nc_http_header_get(answer, "Link", 0);
	NC_AUTO_FREE char *target = NULL;
	*ret = NULL;
	int code = link ? nc_link_next(link, &target, err) : 0;
	if (code < 0 || !target)
		return code < 0 ? nc_wrap(err, code, "%s", remote->name) : 0;
	if (!page->count)
		return nc_fail(err, NACRE_E_REMOTE, 0, "%s lists tags without an end", remote->name);
	return nc_http_resolve(nc_http_url(answer), target, ret, err);
}

int nc_remote_tags(struct nc_remote *remote, int (*fn)(void *ctx, const char *tag, struct nacre_error *err), void *ctx,
		   struct nacre_error *err)
{
	NC_AUTO_FREE char *url = nc_strdup("tags/list");
	struct page page = { .fn = fn, .ctx = ctx };
	int code = url ? 0 : nc_nomem(err);
	while (url && code >= 0) {
		NC_CLEANUP(nc_http_answer_auto) struct nc_http_answer *answer = NULL;
		const struct nc_remote_call call = { .method = "GET", .path = url, .scope = "pull" };
		code = nc_remote_call(remote, &call, &answer, err);
		if (code >= 0 && nc_http_status(answer) != 200)
			code = nc_remote_refused(remote, answer, "list of tags", err);
		if (code >= 0)
			code = read_page(remote, answer, &page, err);
		free(NC_GIVE(url));
		if (code >= 0)
			code = next_page(remote, answer, &page, &url, err);
	}
	return code < 0 ? code : 0;
}
