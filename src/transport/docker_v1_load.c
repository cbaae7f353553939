/* docker-archive before Docker 1.10: a directory for each image, named by its ID.
 *
 *	<id>/VERSION
 *	<id>/json         says the ID again, and the parent's
 *	<id>/layer.tar
 *	repositories      {"name":{"tag":"<id>"}}; absent when nothing has a name
 *
 * The IDs are claims. Images get the config, and so the ID, that Docker 1.10 made of them, unless IDs are to be kept.
 * Their diff IDs are known only when the layers were read. */
#include "base/map.h"
#include "image/field.h"
#include "image/gojson.h"
#include "image/reference.h"
#include "transport/offer.h"
#include "transport/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES_MAX 65536
#define CHAIN_MAX 4096
/* Image JSON of one chain. */
#define CHAIN_JSON_MAX ((size_t)64 << 20)

struct v1_node {
	char id[NC_HEX_ID];
	char parent_id[NC_HEX_ID];
	struct v1_node *parent;
	size_t depth;			/* 1 for a root; 0: not computed */
	bool has_child;
	struct nc_names names;		/* full names */
	struct nc_digest diff_id;	/* alg 0 until the layer was read */
};

struct v1_source {
	struct nc_source base;
	struct nc_archive *archive;
	struct v1_node *nodes;
	size_t node_count;
	struct nc_map *by_id;
	struct v1_node **heads;		/* the images */
	size_t head_count;
	bool keep_ids;
	/* the image in hand: its chain, lowest first */
	struct nc_offer_box box;
	struct v1_node **chain;
	char **json;
	size_t *json_len;
	size_t chain_len;
};

/* --- the image in hand ------------------------------------------------------------------------------------------ */

static void chain_release(struct v1_source *self)
{
	for (size_t i = 0; i < self->chain_len; i++)
		free(self->json[i]);
	free(self->chain);
	free(self->json);
	free(self->json_len);
	self->chain = NULL;
	self->json = NULL;
	self->json_len = NULL;
	self->chain_len = 0;
}

/* Room for "<id>/layer.tar". */
#define MEMBER_PATH (NC_HEX_ID + 16)

static int read_json(struct v1_source *self, const char *id, char **ret, size_t *ret_len, struct nacre_error *err)
{
	char path[MEMBER_PATH];
	snprintf(path, sizeof path, "%s/json", id);
	return nc_archive_document(self->archive, path, NC_DOCUMENT_MAX, ret, ret_len, err);
}

static int read_chain(struct v1_source *self, struct v1_node *head, struct nacre_error *err)
{
	chain_release(self);
	size_t count = head->depth, bytes = 0;
	self->chain = nc_realloc_array(NULL, count, sizeof *self->chain);
	self->json = nc_zalloc(count * sizeof *self->json);
	self->json_len = nc_realloc_array(NULL, count, sizeof *self->json_len);
	if (!self->chain || !self->json || !self->json_len)
		return nc_nomem(err);
	self->chain_len = count;
	for (struct v1_node *node = head; node; node = node->parent)
		self->chain[node->depth - 1] = node;
	for (size_t i = 0; i < count; i++) {
		int code = read_json(self, self->chain[i]->id, &self->json[i], &self->json_len[i], err);
		if (code < 0)
			return code;
		bytes += self->json_len[i];
		if (bytes > CHAIN_JSON_MAX)
			return nc_fail(err, NACRE_E_LIMIT, 0, "more than %zu bytes of image JSON in one chain",
				       CHAIN_JSON_MAX);
	}
	return 0;
}

/* Once every diff ID is known the image has a config. */
static int settle_config(struct v1_source *self, struct nacre_error *err)
{
	for (size_t i = 0; i < self->chain_len; i++)
		if (!self->chain[i]->diff_id.alg)
			return 0;
	NC_AUTO_FREE struct nc_v1_layer *layers = nc_realloc_array(NULL, self->chain_len, sizeof *layers);
	if (!layers)
		return nc_nomem(err);
	for (size_t i = 0; i < self->chain_len; i++)
		layers[i] = (struct nc_v1_layer){ self->json[i], self->json_len[i], self->chain[i]->diff_id };
	char *config;
	size_t len;
	int code = nc_config_from_v1(layers, self->chain_len, &config, &len, err);
	return code < 0 ? code : nc_offer_box_config(&self->box, config, len, err);
}

static int make_offer(struct v1_source *self, const struct v1_node *head, struct nacre_error *err)
{
	struct nc_offer_box *box = &self->box;
	nc_offer_box_release(box);
	box->layers = nc_zalloc(self->chain_len * sizeof *box->layers);
	box->v1_nodes = nc_zalloc(self->chain_len * sizeof *box->v1_nodes);
	box->v1_id = nc_strdup(head->id);
	if (!box->layers || !box->v1_nodes || !box->v1_id)
		return nc_nomem(err);
	for (size_t i = 0; i < self->chain_len; i++) {
		const struct v1_node *node = self->chain[i];
		box->layers[i] = (struct nc_offer_layer){
			.diff_id = node->diff_id, .blob_size = UINT64_MAX, .media_type = "",
		};
		box->v1_nodes[i] = (struct nc_v1_node){ node->id, node->parent_id, self->json[i], self->json_len[i] };
	}
	box->offer.layers = box->layers;
	box->offer.layer_count = self->chain_len;
	if (self->keep_ids) {
		box->offer.v1_id = box->v1_id;
		box->offer.v1_nodes = box->v1_nodes;
	}
	for (size_t i = 0; i < head->names.count; i++) {
		int code = nc_offer_box_name(box, head->names.list[i], err);
		if (code < 0)
			return code;
	}
	return settle_config(self, err);
}

static size_t v1_count(struct nc_source *source)
{
	return ((struct v1_source *)source)->head_count;
}

static int v1_image(struct nc_source *source, size_t i, const struct nc_offer **ret, struct nacre_error *err)
{
	struct v1_source *self = (struct v1_source *)source;
	int code = read_chain(self, self->heads[i], err);
	if (code >= 0)
		code = make_offer(self, self->heads[i], err);
	if (code < 0)
		return nc_wrap(err, code, "image %s", self->heads[i]->id);
	*ret = &self->box.offer;
	return 0;
}

static int find_layer(const struct v1_source *self, const char *id, const struct nc_member **ret,
		      struct nacre_error *err)
{
	char path[MEMBER_PATH];
	snprintf(path, sizeof path, "%s/layer.tar", id);
	int code = nc_archive_find(self->archive, path, ret, err);
	return code == NACRE_E_NOTFOUND ? nc_wrap(err, NACRE_E_BADDATA, "image %s", id) : code;
}

static int v1_layer(struct nc_source *source, size_t layer, struct nc_reader **ret, uint64_t *ret_size,
		    struct nacre_error *err)
{
	struct v1_source *self = (struct v1_source *)source;
	const struct nc_member *member;
	int code = find_layer(self, self->chain[layer]->id, &member, err);
	if (code < 0)
		return code;
	*ret_size = member->size;
	return nc_archive_content(self->archive, member, ret, err);
}

static int v1_learned(struct nc_source *source, size_t layer, const struct nc_digest *diff_id,
		      struct nacre_error *err)
{
	struct v1_source *self = (struct v1_source *)source;
	if (self->chain[layer]->diff_id.alg)
		return 0;
	self->chain[layer]->diff_id = *diff_id;
	self->box.layers[layer].diff_id = *diff_id;
	return settle_config(self, err);
}

static void v1_close(struct nc_source *source)
{
	struct v1_source *self = (struct v1_source *)source;
	chain_release(self);
	nc_offer_box_release(&self->box);
	for (size_t i = 0; i < self->node_count; i++)
		nc_names_release(&self->nodes[i].names);
	free(self->nodes);
	free(self->heads);
	nc_map_free(self->by_id);
	nc_archive_free(self->archive);
	free(self);
}

static const struct nc_source_ops v1_ops = {
	.count = v1_count, .image = v1_image, .layer = v1_layer, .learned = v1_learned, .close = v1_close,
};

/* --- the nodes of the archive ----------------------------------------------------------------------------------- */

/* Whether a member is "<id>/json". */
static bool is_node(const struct nc_member *member, char ret_id[NC_HEX_ID])
{
	struct nc_digest digest;
	if (strlen(member->name) != NC_HEX_ID - 1 + 5 || strcmp(member->name + NC_HEX_ID - 1, "/json"))
		return false;
	memcpy(ret_id, member->name, NC_HEX_ID - 1);
	ret_id[NC_HEX_ID - 1] = '\0';
	return nc_digest_from_hex_id(ret_id, &digest, NULL) == 0;
}

static int read_node(struct v1_source *self, struct v1_node *node, struct nacre_error *err)
{
	NC_AUTO_FREE char *json = NULL;
	NC_CLEANUP(nc_v1_image_auto) struct nc_v1_image *image = NULL;
	const struct nc_member *layer;
	size_t len;
	int code = read_json(self, node->id, &json, &len, err);
	if (code >= 0)
		code = nc_v1_image_parse(json, len, &image, err);
	if (code < 0)
		return nc_wrap(err, code, "image %s", node->id);
	if (strcmp(image->id, node->id))
		return nc_fail(err, NACRE_E_BADDATA, 0, "image %s says that it is %s", node->id, image->id);
	struct nc_digest parent;
	if (*image->parent && nc_digest_from_hex_id(image->parent, &parent, NULL) < 0)
		return nc_fail(err, NACRE_E_BADDATA, 0, "image %s: parent '%.80s' is no ID", node->id, image->parent);
	snprintf(node->parent_id, sizeof node->parent_id, "%s", image->parent);
	return find_layer(self, node->id, &layer, err);
}

static int read_nodes(struct v1_source *self, struct nacre_error *err)
{
	char id[NC_HEX_ID];
	size_t count = 0;
	for (size_t i = 0; i < nc_archive_count(self->archive); i++)
		count += is_node(nc_archive_at(self->archive, i), id);
	if (count > NODES_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "more than %d images", NODES_MAX);
	self->nodes = nc_zalloc(count * sizeof *self->nodes);
	self->by_id = nc_map_new();
	if (!self->nodes || !self->by_id)
		return nc_nomem(err);
	for (size_t i = 0; i < nc_archive_count(self->archive); i++) {
		if (!is_node(nc_archive_at(self->archive, i), id))
			continue;
		struct v1_node *node = &self->nodes[self->node_count++];
		memcpy(node->id, id, sizeof id);
		int code = read_node(self, node, err);
		if (code >= 0)
			code = nc_map_set(self->by_id, id, strlen(id), node, NULL, err);
		if (code < 0)
			return code;
	}
	return 0;
}

static struct v1_node *node_of(const struct v1_source *self, const char *id)
{
	return nc_map_get(self->by_id, id, strlen(id));
}

static int link_parents(struct v1_source *self, struct nacre_error *err)
{
	for (size_t i = 0; i < self->node_count; i++) {
		struct v1_node *node = &self->nodes[i];
		if (!*node->parent_id)
			continue;
		node->parent = node_of(self, node->parent_id);
		if (!node->parent)
			return nc_fail(err, NACRE_E_BADDATA, 0, "image %s: its parent %s is not in the archive",
				       node->id, node->parent_id);
		node->parent->has_child = true;
	}
	return 0;
}

static int measure_depths(struct v1_source *self, struct nacre_error *err)
{
	for (size_t i = 0; i < self->node_count; i++) {
		size_t steps = 0;
		struct v1_node *node = &self->nodes[i];
		for (; node && !node->depth; node = node->parent)
			if (++steps > CHAIN_MAX)
				return nc_fail(err, NACRE_E_BADDATA, 0,
					       "image %s is its own ancestor, or has more than %d", self->nodes[i].id,
					       CHAIN_MAX);
		size_t depth = (node ? node->depth : 0) + steps;
		if (depth > CHAIN_MAX)
			return nc_fail(err, NACRE_E_LIMIT, 0, "image %s has more than %d ancestors",
				       self->nodes[i].id, CHAIN_MAX);
		for (node = &self->nodes[i]; node && !node->depth; node = node->parent)
			node->depth = depth--;
	}
	return 0;
}

/* --- names and images ------------------------------------------------------------------------------------------- */

static int add_name(struct v1_source *self, const char *repository, const char *tag, const json_t *id,
		    struct nacre_error *err)
{
	struct nc_reference reference;
	char full[NC_REFERENCE_TEXT];
	int code = json_is_string(id) ? nc_reference_parse_bare(repository, &reference, err) : 0;
	if (!json_is_string(id))
		return nc_fail(err, NACRE_E_BADDATA, 0, "repositories: '%s' has something other than an ID",
			       repository);
	if (code < 0)
		return nc_wrap(err, NACRE_E_BADDATA, "repositories");
	if (*reference.tag || *reference.digest || !nc_tag_valid(tag))
		return nc_fail(err, NACRE_E_BADDATA, 0, "repositories: '%s' and '%s' make no name", repository, tag);
	snprintf(reference.tag, sizeof reference.tag, "%s", tag);
	struct v1_node *node = node_of(self, json_string_value(id));
	if (!node)
		return nc_fail(err, NACRE_E_BADDATA, 0, "repositories: image %.80s of '%s:%s' is not in the archive",
			       json_string_value(id), repository, tag);
	return nc_names_add(&node->names, nc_reference_full(&reference, full), err);
}

static int read_names(struct v1_source *self, struct nacre_error *err)
{
	NC_AUTO_FREE char *bytes = NULL;
	size_t len;
	json_t *json = NULL, *tags, *id;
	const char *repository, *tag;
	if (!nc_archive_has(self->archive, "repositories"))
		return 0;
	int code = nc_archive_document(self->archive, "repositories", NC_DOCUMENT_MAX, &bytes, &len, err);
	if (code >= 0)
		code = nc_json_parse(bytes, len, "repositories", &json, err);
	if (code >= 0)
		code = nc_field_expect(json, "repositories", JSON_OBJECT, err);
	json_object_foreach(json, repository, tags) {
		if (code >= 0)
			code = nc_field_expect(tags, "repositories: tags", JSON_OBJECT, err);
		if (code < 0)
			break;
		json_object_foreach(tags, tag, id) {
			code = add_name(self, repository, tag, id, err);
			if (code < 0)
				break;
		}
	}
	json_decref(json);
	return code < 0 ? code : 0;
}

static bool has_name(const struct v1_node *node, const char *name)
{
	for (size_t i = 0; i < node->names.count; i++)
		if (!strcmp(node->names.list[i], name))
			return true;
	return false;
}

/* Images are what has a name and what is nobody's parent, in the order of the archive. */
static int choose(struct v1_source *self, const struct nc_source_wish *wish, struct nacre_error *err)
{
	size_t position, seen = 0;
	struct nc_reference reference;
	char name[NC_REFERENCE_TEXT] = "";
	bool by_position = nc_position_parse(wish->rest, &position);
	if (*wish->rest && !by_position) {
		int code = nc_reference_parse(wish->rest, &reference, err);
		if (code < 0)
			return code;
		nc_reference_full(&reference, name);
	}
	self->heads = nc_realloc_array(NULL, self->node_count, sizeof(struct v1_node *));
	if (!self->heads)
		return nc_nomem(err);
	for (size_t i = 0; i < self->node_count; i++) {
		struct v1_node *node = &self->nodes[i];
		if (node->has_child && !node->names.count)
			continue;
		bool fits = by_position ? seen == position : *name ? has_name(node, name) : true;
		if (fits)
			self->heads[self->head_count++] = node;
		seen++;
	}
	if (!self->head_count && *wish->rest)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "no image '%s' in it", wish->rest);
	if (!self->head_count)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "no image in it");
	return nc_one_alone(self->head_count, wish, err);
}

int nc_docker_v1_load_open(struct nc_archive *archive, const struct nc_source_wish *wish, struct nc_source **ret,
			   struct nacre_error *err)
{
	struct v1_source *self = nc_zalloc(sizeof *self);
	if (!self) {
		nc_archive_free(archive);
		return nc_nomem(err);
	}
	self->base.ops = &v1_ops;
	self->archive = archive;
	self->keep_ids = wish->keep_ids;
	NC_CLEANUP(nc_source_auto) struct nc_source *source = &self->base;
	int code = read_nodes(self, err);
	if (code >= 0)
		code = link_parents(self, err);
	if (code >= 0)
		code = measure_depths(self, err);
	if (code >= 0)
		code = read_names(self, err);
	if (code >= 0)
		code = choose(self, wish, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(source);
	return 0;
}
