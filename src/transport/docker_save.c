/* docker-archive, as skopeo and docker write it:
 *
 *	<diff ID hex>.tar     each layer once, plain
 *	<config hex>.json     each config
 *	manifest.json         [{"Config":…,"RepoTags":[…],"Layers":[…]}]
 *	repositories          {"name":{"tag":"<topmost layer's hex>"}}, for readers of old */
#include "base/map.h"
#include "image/gojson.h"
#include "image/reference.h"
#include "transport/archive_save.h"
#include "transport/flow.h"
#include "transport/offer.h"
#include "transport/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct saved_image {
	char id[NC_DIGEST_TEXT];
	char top[NC_DIGEST_TEXT];	/* hex of the topmost diff ID; "" without layers */
	char *layers;			/* JSON array */
	struct nc_names names;
};

struct docker_sink {
	struct nc_sink base;
	struct nacre_store *store;
	struct nc_archive_out *out;
	const struct nc_offer *offer;	/* the image in hand */
	struct nc_map *written;		/* diff IDs */
	struct nc_map *by_id;		/* config hex -> position in images, + 1 */
	struct saved_image *images;
	size_t count;
};

static int docker_begin(struct nc_sink *sink, const struct nc_offer *offer, struct nacre_error *err)
{
	((struct docker_sink *)sink)->offer = offer;
	return 0;
}

static int docker_has(struct nc_sink *sink, size_t layer, struct nacre_error *err)
{
	struct docker_sink *self = (struct docker_sink *)sink;
	const struct nc_digest *diff_id = &self->offer->layers[layer].diff_id;
	return nc_map_get(self->written, diff_id, sizeof *diff_id) != NULL;
}

/* The length of the tar stands before it: where nobody knows it yet, the layer is kept aside. */
static int write_layer(struct docker_sink *self, const struct nc_offer_layer *layer, struct nc_flow *flow,
		       uint64_t size, struct nacre_error *err)
{
	char hex[NC_DIGEST_TEXT], name[NC_DIGEST_TEXT + 8];
	snprintf(name, sizeof name, "%s.tar", nc_digest_hex(&layer->diff_id, hex));
	if (flow->codec == NC_PLAIN && size != UINT64_MAX)
		return nc_archive_out_stream(self->out, name, size, flow->reader, err);
	struct nc_spool spool = nc_archive_out_spool(self->out, self->store);
	NC_CLEANUP(nc_reader_auto) struct nc_reader *spooled = NULL;
	int code = nc_spool_reader(&spool, NC_GIVE(flow->reader), &spooled, &size, err);
	return code < 0 ? code : nc_archive_out_stream(self->out, name, size, spooled, err);
}

static int docker_layer(struct nc_sink *sink, size_t i, struct nc_reader *blob, uint64_t size,
			struct nc_digest *ret_diff_id, struct nacre_error *err)
{
	struct docker_sink *self = (struct docker_sink *)sink;
	const struct nc_offer_layer *layer = &self->offer->layers[i];
	NC_CLEANUP(nc_flow_auto) struct nc_flow *flow = NULL;
	int code = nc_flow_open(self->store, blob, layer, false, NULL, &flow, err);
	if (code >= 0)
		code = write_layer(self, layer, flow, size, err);
	if (code >= 0)
		code = nc_flow_end(flow, layer, ret_diff_id, err);
	return code < 0 ? code : nc_map_set(self->written, ret_diff_id, sizeof *ret_diff_id, self, NULL, err);
}

/* --- images ----------------------------------------------------------------------------------------------------- */

static int describe(struct docker_sink *self, struct saved_image *image, struct nacre_error *err)
{
	char hex[NC_DIGEST_TEXT];
	NC_AUTO_BUF struct nc_buf layers = NC_BUF_INIT(NC_JSON_MAX);
	int code = nc_buf_add_text(&layers, "[", err);
	for (size_t i = 0; i < self->offer->layer_count && code >= 0; i++) {
		nc_digest_hex(&self->offer->layers[i].diff_id, hex);
		code = nc_buf_addf(&layers, err, "%s\"%s.tar\"", i ? "," : "", hex);
		snprintf(image->top, sizeof image->top, "%s", hex);
	}
	if (code >= 0)
		code = nc_buf_add_text(&layers, "]", err);
	if (code < 0)
		return code;
	image->layers = nc_buf_give(&layers);
	return image->layers ? 0 : nc_nomem(err);
}

static int add_image(struct docker_sink *self, const char *hex, struct saved_image **ret, struct nacre_error *err)
{
	size_t known = (size_t)nc_map_get(self->by_id, hex, strlen(hex));
	if (known) {
		*ret = &self->images[known - 1];
		return 0;
	}
	struct saved_image *images = nc_realloc_array(self->images, self->count + 1, sizeof *images);
	if (!images)
		return nc_nomem(err);
	self->images = images;
	struct saved_image *image = &images[self->count++];
	*image = (struct saved_image){ 0 };
	snprintf(image->id, sizeof image->id, "%s", hex);
	int code = describe(self, image, err);
	if (code >= 0)
		code = nc_map_set(self->by_id, hex, strlen(hex), (void *)self->count, NULL, err);
	if (code < 0)
		return code;
	char name[NC_DIGEST_TEXT + 8];
	snprintf(name, sizeof name, "%s.json", hex);
	*ret = image;
	return nc_archive_out_bytes(self->out, name, self->offer->config, self->offer->config_len, err);
}

static int docker_end(struct nc_sink *sink, const char *const *names, struct nacre_copied_image *ret,
		      struct nacre_error *err)
{
	struct docker_sink *self = (struct docker_sink *)sink;
	struct nc_digest digest;
	char hex[NC_DIGEST_TEXT];
	struct saved_image *image = NULL;
	int code = nc_digest_of(self->offer->config, self->offer->config_len, &digest, err);
	if (code >= 0)
		code = add_image(self, nc_digest_hex(&digest, hex), &image, err);
	for (; code >= 0 && *names; names++)
		code = nc_names_add(&image->names, *names, err);
	if (code < 0)
		return code;
	ret->id = nc_strdup(hex);
	ret->manifest_digest = nc_strdup("");
	return ret->id && ret->manifest_digest ? 0 : nc_nomem(err);
}

/* --- the documents ---------------------------------------------------------------------------------------------- */

/* Full names: podman takes a short one for one of localhost, docker takes both alike. */
static int add_tags(struct nc_buf *buf, const struct saved_image *image, struct nacre_error *err)
{
	if (!image->names.count)
		return nc_buf_add_text(buf, "null", err);
	int code = nc_buf_add_text(buf, "[", err);
	for (size_t i = 0; i < image->names.count && code >= 0; i++) {
		const char *name = image->names.list[i];
		if (i)
			code = nc_buf_add_text(buf, ",", err);
		if (code >= 0)
			code = nc_gojson_string(buf, name, strlen(name), err);
	}
	return code < 0 ? code : nc_buf_add_text(buf, "]", err);
}

static int write_manifest(struct docker_sink *self, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(NC_JSON_MAX);
	int code = nc_buf_add_text(&buf, "[", err);
	for (size_t i = 0; i < self->count && code >= 0; i++) {
		const struct saved_image *image = &self->images[i];
		code = nc_buf_addf(&buf, err, "%s{\"Config\":\"%s.json\",\"RepoTags\":", i ? "," : "", image->id);
		if (code >= 0)
			code = add_tags(&buf, image, err);
		if (code >= 0)
			code = nc_buf_addf(&buf, err, ",\"Layers\":%s}", image->layers);
	}
	if (code >= 0)
		code = nc_buf_add_text(&buf, "]\n", err);
	if (code < 0)
		return nc_wrap(err, code, "manifest.json");
	return nc_archive_out_bytes(self->out, "manifest.json", buf.data, buf.len, err);
}

/* repositories -> tag -> ID of one name more; short, as the docker of then knew them. */
static int add_repository(json_t *repositories, const char *name, const char *top, struct nacre_error *err)
{
	struct nc_reference reference;
	char repository[NC_REFERENCE_TEXT];
	int code = nc_reference_parse(name, &reference, err);
	if (code < 0)
		return code;
	nc_reference_repository(&reference, repository);
	json_t *tags = json_object_get(repositories, repository);
	if (!tags) {
		tags = json_object();
		if (json_object_set_new(repositories, repository, tags) < 0)
			return nc_nomem(err);
	}
	return json_object_set_new(tags, reference.tag, json_string(top)) < 0 ? nc_nomem(err) : 0;
}

static int write_repositories(struct docker_sink *self, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(NC_JSON_MAX);
	json_t *repositories = json_object();
	int code = repositories ? 0 : nc_nomem(err);
	for (size_t i = 0; i < self->count && code >= 0; i++) {
		const struct saved_image *image = &self->images[i];
		for (size_t n = 0; *image->top && n < image->names.count && code >= 0; n++)
			code = add_repository(repositories, image->names.list[n], image->top, err);
	}
	if (code >= 0)
		code = nc_gojson_value(&buf, repositories, true, err);
	if (code >= 0)
		code = nc_buf_add_text(&buf, "\n", err);
	if (code >= 0 && json_object_size(repositories))
		code = nc_archive_out_bytes(self->out, "repositories", buf.data, buf.len, err);
	json_decref(repositories);
	return code;
}

static int docker_commit(struct nc_sink *sink, struct nacre_error *err)
{
	struct docker_sink *self = (struct docker_sink *)sink;
	int code = write_manifest(self, err);
	if (code >= 0)
		code = write_repositories(self, err);
	return code < 0 ? code : nc_archive_out_commit(self->out, err);
}

static void docker_close(struct nc_sink *sink)
{
	struct docker_sink *self = (struct docker_sink *)sink;
	for (size_t i = 0; i < self->count; i++) {
		free(self->images[i].layers);
		nc_names_release(&self->images[i].names);
	}
	free(self->images);
	nc_map_free(self->written);
	nc_map_free(self->by_id);
	nc_archive_out_free(self->out);
	free(self);
}

static const struct nc_sink_ops docker_ops = {
	.begin = docker_begin, .has = docker_has, .layer = docker_layer, .end = docker_end,
	.commit = docker_commit, .close = docker_close,
};

int nc_docker_save_open(const char *path, const struct nc_sink_wish *wish, struct nc_sink **ret,
			struct nacre_error *err)
{
	struct docker_sink *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	self->base = (struct nc_sink){ .ops = &docker_ops, .plain = true, .diff_ids_first = true };
	self->store = wish->store;
	NC_CLEANUP(nc_sink_auto) struct nc_sink *sink = &self->base;
	self->written = nc_map_new();
	self->by_id = nc_map_new();
	if (!self->written || !self->by_id)
		return nc_nomem(err);
	int code = nc_archive_out_open(path, &self->out, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(sink);
	return 0;
}
