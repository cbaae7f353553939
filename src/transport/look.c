/* Looking at registries without bringing anything: nacre_remote_image, nacre_remote_tags. */
#include "image/reference.h"
#include "transport/copy.h"
#include "transport/remote.h"

#include <stdlib.h>
#include <string.h>

/* --- an image --------------------------------------------------------------------------------------------------- */

int nc_remote_offer(struct nacre_store *store, const char *name, const struct nacre_copy_options *options,
		    struct nc_source **ret, const struct nc_offer **ret_offer, struct nacre_error *err)
{
	struct nc_source_wish wish;
	int code = nc_source_wish_make(store, options, &wish, err);
	if (code < 0)
		return code;
	wish.rest = name;
	code = nc_source_open_named(NC_REGISTRY, &wish, ret, err);
	return code < 0 ? code : (*ret)->ops->image(*ret, 0, ret_offer, err);
}

int nacre_remote_image(struct nacre_store *store, const char *name, const struct nacre_copy_options *options,
		       struct nacre_image **ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_source_auto) struct nc_source *source = NULL;
	struct nacre_copy_options taken;
	const struct nc_offer *offer;
	int code = nc_copy_options_take(options, &taken, err);
	if (code >= 0)
		code = nc_remote_offer(store, name, &taken, &source, &offer, err);
	if (code < 0)
		return code;
	const struct nc_image_in in = { .config = offer->config, .config_len = offer->config_len,
					.manifest = offer->manifest, .manifest_len = offer->manifest_len,
					.manifest_media_type = offer->manifest_media_type, .names = offer->names };
	return nc_image_compose(&in, ret, err);
}

/* --- tags ------------------------------------------------------------------------------------------------------- */

#define TAGS_MAX 1000000

struct tags {
	char **list;			/* ends with NULL */
	size_t count, room;
};

void nacre_tags_free(char **tags)
{
	for (char **tag = tags; tag && *tag; tag++)
		free(*tag);
	free(tags);
}

static int add_tag(void *ctx, const char *tag, struct nacre_error *err)
{
	struct tags *tags = ctx;
	if (tags->count == TAGS_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "more than %d tags", TAGS_MAX);
	if (tags->count + 1 >= tags->room) {
		char **list = nc_realloc_array(tags->list, 2 * tags->room + 64, sizeof *list);
		if (!list)
			return nc_nomem(err);
		tags->list = list;
		tags->room = 2 * tags->room + 64;
	}
	tags->list[tags->count] = nc_strdup(tag);
	if (!tags->list[tags->count])
		return nc_nomem(err);
	tags->list[++tags->count] = NULL;
	return 0;
}

/* The registry itself is the last of the places. */
static int list_of(const struct nc_registry_conf *conf, const struct nc_reference *reference,
		   const struct nacre_progress *progress, struct tags *tags, struct nacre_error *err)
{
	NC_CLEANUP(nc_remote_auto) struct nc_remote *remote = NULL;
	struct nc_endpoints endpoints;
	int code = nc_registry_endpoints(conf, reference, false, &endpoints, err);
	if (code < 0)
		return code;
	code = nc_remote_open(conf, &endpoints.list[endpoints.count - 1], progress, &remote, err);
	nc_endpoints_release(&endpoints);
	return code < 0 ? code : nc_remote_tags(remote, add_tag, tags, err);
}

static int check_repository(const char *repository, struct nacre_error *err)
{
	struct nc_reference reference;
	int code = nc_reference_parse_bare(repository, &reference, err);
	if (code >= 0 && (*reference.tag || *reference.digest))
		code = nc_fail(err, NACRE_E_INVALID, 0, "'%s' is one image: name the repository alone", repository);
	return code;
}

int nacre_remote_tags(const char *repository, const struct nacre_registry_options *options,
		      const struct nacre_progress *progress, char ***ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_registry_conf_auto) struct nc_registry_conf *conf = NULL;
	struct nc_candidates candidates = { 0 };
	struct tags tags = { .list = nc_zalloc(sizeof *tags.list), .room = 1 };
	int code = tags.list ? check_repository(repository, err) : nc_nomem(err);
	if (code >= 0)
		code = nc_registry_conf_open(options, &conf, err);
	if (code >= 0)
		code = nc_registry_candidates(conf, repository, &candidates, err);
	for (size_t i = 0; code >= 0 && i < candidates.count; i++) {
		code = list_of(conf, &candidates.list[i], progress, &tags, err);
		if (code >= 0 || i + 1 == candidates.count || tags.count || code == NACRE_E_CANCELLED)
			break;
		code = 0;
	}
	nc_candidates_release(&candidates);
	if (code < 0)
		nacre_tags_free(tags.list);
	else
		*ret = tags.list;
	return code < 0 ? code : 0;
}
