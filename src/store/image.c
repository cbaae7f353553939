/* An image as its files tell: what nacre_image_get gives. */
#include "image/config.h"
#include "image/gojson.h"
#include "image/manifest.h"
#include "store/witness.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The public struct lies first; what it points into is owned by the rest. */
struct image {
	struct nacre_image face;
	struct nc_config *config;
	struct nc_v1_image *v1;		/* an image of 2015 */
	char *config_bytes, *manifest_bytes, *media_type;
	char **names, **digests;	/* end with NULL */
	struct nacre_layer_info *layers;
	int dir, manifests;		/* while it is read: directories of the node; -1 */
	struct nacre_history_info *history;
	struct nc_v1_image **ancestors;	/* of 2015: what its history points into, oldest first */
	char **commands;
	size_t ancestor_count;
};

static void free_list(char **list)
{
	for (char **item = list; item && *item; item++)
		free(*item);
	free(list);
}

void nacre_image_free(struct nacre_image *face)
{
	struct image *image = (struct image *)face;
	if (!image)
		return;
	nc_config_free(image->config);
	nc_v1_image_free(image->v1);
	for (size_t i = 0; i < image->ancestor_count; i++)
		nc_v1_image_free(image->ancestors[i]);
	free(image->ancestors);
	free_list(image->commands);
	free(image->config_bytes);
	free(image->manifest_bytes);
	free(image->media_type);
	free_list(image->names);
	free_list(image->digests);
	free(image->layers);
	free(image->history);
	free(image);
}

static void image_auto(struct image **image)
{
	if (*image)
		nacre_image_free(&(*image)->face);
}

/* --- names and documents ---------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Of a column of names. */
static int list_names(const char *names, char ***ret, struct nacre_error *err)
{
	size_t count = 0, room = 2;
	for (const char *at = names; *at; at++)
		room += *at == ' ';
	char **list = nc_zalloc(room * sizeof *list);
	for (size_t len; list && *names; names += len + (names[len] == ' ')) {
		len = strcspn(names, " ");
		if (!(list[count++] = nc_memdup(names, len)))
			free_list(NC_GIVE(list));
	}
	if (list)
		qsort(list, count, sizeof *list, by_text);
	*ret = list;
	return list ? 0 : nc_nomem(err);
}

/* names: a column of them; NULL: as they are now. */
static int read_names(struct nacre_store *store, struct image *image, const char *names, struct nacre_error *err)
{
	NC_AUTO_ROWS struct nc_rows rows = { 0 };
	int code = names ? 0 : nc_catalog_ask(store->catalog, NC_ASK_ALL_NAMES, image->face.id, NULL, &rows, err);
	if (code == 0)
		code = list_names(names ? names : nc_rows_text(&rows, 0, 0), &image->names, err);
	image->face.names = (const char *const *)image->names;
	return code;
}

/* The first manifest: its digest and media type. 0 when none came. */
static int read_first(struct image *image, struct nc_digest *ret, struct nacre_error *err)
{
	NC_AUTO_FREE char *line = NULL;
	size_t len;
	int code = nc_node_file_in(image->dir, image->face.id, "manifest", 1024, &line, &len, err);
	if (code == NACRE_E_NOTFOUND)
		return 0;
	char *space = code == 0 ? strchr(line, ' ') : NULL;
	if (code < 0)
		return code;
	if (space)
		*space = '\0';
	if (!space || nc_digest_parse(line, ret, NULL) < 0)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "image %.12s: its manifest's name is damaged",
			       image->face.id);
	image->media_type = nc_strdup(space + 1);
	return image->media_type ? 1 : nc_nomem(err);
}

static int add_digest(struct image *image, size_t *count, const struct nc_digest *digest, struct nacre_error *err)
{
	char text[NC_DIGEST_TEXT];
	image->digests[*count] = nc_strdup(nc_digest_text(digest, text));
	if (!image->digests[*count])
		return nc_nomem(err);
	image->digests[++*count] = NULL;
	return 0;
}

static int read_manifest(struct image *image, const struct nc_digest *digest, char **ret, size_t *ret_len,
			 struct nacre_error *err)
{
	char text[NC_DIGEST_TEXT];
	int code = image->manifests < 0 ? nc_dir_open(image->dir, "manifests", &image->manifests, err) : 0;
	if (code == 0)
		code = nc_file_read(image->manifests, nc_digest_hex(digest, text), NC_DOCUMENT_MAX, ret, ret_len, err);
	return code;
}

/* Manifests, without the indexes: first the one that came first. */
static int read_digests(struct image *image, const struct nc_node_facts *facts, const struct nc_digest *first,
			struct nacre_error *err)
{
	size_t count = 0;
	image->digests = nc_realloc_array(NULL, facts->document_count + 2, sizeof *image->digests);
	if (!image->digests)
		return nc_nomem(err);
	image->digests[0] = NULL;
	image->face.digests = (const char *const *)image->digests;
	int code = first ? add_digest(image, &count, first, err) : 0;
	for (size_t i = 0; code == 0 && i < facts->document_count; i++) {
		NC_AUTO_FREE char *bytes = NULL;
		NC_CLEANUP(nc_manifest_auto) struct nc_manifest *manifest = NULL;
		size_t len;
		if (first && nc_digest_equal(first, &facts->documents[i]))
			continue;
		code = read_manifest(image, &facts->documents[i], &bytes, &len, err);
		if (code == 0 && nc_manifest_parse(bytes, len, NULL, &manifest, NULL) == 0 &&
		    manifest->kind == NC_DOC_MANIFEST)
			code = add_digest(image, &count, &facts->documents[i], err);
	}
	return code;
}

/* Which blobs its layers came as, where those were kept. */
static int read_blobs(struct nacre_store *store, struct image *image, struct nacre_error *err)
{
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *manifest = NULL;
	int code =
		nc_manifest_parse(image->manifest_bytes, image->face.manifest_len, image->media_type, &manifest, err);
	if (code < 0)
		return code == NACRE_E_NOMEM ? code
					     : nc_fail(err, NACRE_E_CORRUPT, 0,
						       "image %.12s: its manifest is damaged", image->face.id);
	for (size_t i = 0; i < manifest->item_count && i < image->face.layer_count; i++) {
		char hex[NC_DIGEST_TEXT];
		struct nacre_layer_info *layer = &image->layers[i];
		const struct nc_digest *blob = &manifest->items[i].digest;
		int there = blob->alg == NC_SHA256
				    ? nc_blob_exists(store, nc_digest_hex(blob, hex), &layer->blob_size, err)
				    : 0;
		if (there < 0)
			return there;
		if (there)
			nc_digest_text(blob, layer->blob);
	}
	return 0;
}

static int read_documents(struct nacre_store *store, struct image *image, const struct nc_node_facts *facts, bool lean,
			  struct nacre_error *err)
{
	struct nc_digest first;
	int there = read_first(image, &first, err);
	if (there < 0)
		return there;
	int code = read_digests(image, facts, there ? &first : NULL, err);
	if (code == 0 && there)
		code = read_manifest(image, &first, &image->manifest_bytes, &image->face.manifest_len, err);
	if (code == NACRE_E_NOTFOUND)
		code = nc_fail(err, NACRE_E_CORRUPT, 0, "image %.12s: its manifest is missing", image->face.id);
	if (code < 0 || !there)
		return code;
	image->face.manifest_media_type = image->media_type;
	code = read_blobs(store, image, err);
	if (lean) {
		nc_free_pointer(&image->manifest_bytes);
		image->manifest_bytes = NULL;
		image->face.manifest_len = 0;
	}
	image->face.manifest = image->manifest_bytes;
	return code;
}

/* --- layers ----------------------------------------------------------------------------------------------------- */

/* Nodes without a layer are passed over. */
static int add_layer(struct image *image, const char *id, unsigned kind, const char *diff_id, int64_t size,
		     int64_t users, struct nacre_error *err)
{
	size_t count = image->face.layer_count;
	if (kind & NC_NODE_DAMAGED)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "image %.12s: node %.12s below it is damaged", image->face.id, id);
	if (!(kind & NC_NODE_LAYER))
		return 0;
	struct nacre_layer_info *more = nc_realloc_array(image->layers, count + 1, sizeof *more);
	if (!more)
		return nc_nomem(err);
	image->face.layers = image->layers = more;
	image->face.layer_count = count + 1;
	more[count] = (struct nacre_layer_info){ .size = size > 0 ? (uint64_t)size : 0 };
	strncpy(more[count].chain_id, id, sizeof more[count].chain_id - 1);
	strncpy(more[count].diff_id, diff_id, sizeof more[count].diff_id - 1);
	more[count].users = users > 0 ? (unsigned)users : 1;	/* an image of 2015 is its own layer */
	image->face.size += more[count].size;
	return 0;
}

/* Of a node that does not say it, it is worked out; but not again for each list of a store that cannot remember it. */
static int64_t find_size(struct nacre_store *store, const char *id, unsigned kind, int64_t size, bool lean)
{
	uint64_t measured;
	if (size >= 0 || !(kind & NC_NODE_LAYER) || (lean && store->readonly) ||
	    nacre_node_size(store, id, &measured, NULL) < 0)
		return size;
	return (int64_t)measured;
}

/* Found from the topmost downwards; the lowest is first. */
static void turn_round(struct image *image)
{
	for (size_t i = 0, j = image->face.layer_count; i + 1 < j; i++) {
		struct nacre_layer_info aside = image->layers[--j];
		image->layers[j] = image->layers[i];
		image->layers[i] = aside;
	}
}

/* By the files: for an image that the catalog has not been told of yet, and to say what is wrong with another. */
static int find_layers(struct nacre_store *store, struct image *image, const char *top, bool lean,
		       struct nacre_error *err)
{
	const char *id = image->face.id;
	char at[NC_HEX_ID], child[NC_HEX_ID];
	memcpy(child, id, NC_HEX_ID);
	memcpy(at, top, NC_HEX_ID);
	for (int depth = 0; *at; depth++) {
		NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
		if (depth > NC_DEPTH_MAX)
			return nc_fail(err, NACRE_E_CORRUPT, 0,
				       "image %.12s: node %.12s has more than %d ancestors, or is its own", id, id,
				       NC_DEPTH_MAX);
		int code = nc_node_look_brief(store, at, &facts, err);
		if (code == NACRE_E_CORRUPT)
			return nc_fail(err, code, 0, "image %.12s: node %.12s below it is damaged", id, at);
		if (code == NACRE_E_NOTFOUND)
			return nc_fail(err, NACRE_E_CORRUPT, 0,
				       "image %.12s: a layer is missing: %.12s, the parent of %.12s", id, at, child);
		if (code == 0)
			code = add_layer(image, at, facts.kind, facts.diff_id,
					 find_size(store, at, facts.kind, facts.size, lean), 1, err);
		if (code < 0)
			return code;
		memcpy(child, at, NC_HEX_ID);
		memcpy(at, facts.parent, NC_HEX_ID);
	}
	return 0;
}

/* top "": there is none. */
static int read_layers(struct nacre_store *store, struct image *image, const char *top, bool lean,
		       struct nacre_error *err)
{
	NC_AUTO_ROWS struct nc_rows rows = { 0 };
	int code = nc_catalog_ask(store->catalog, NC_ASK_CHAIN, top, NULL, &rows, err);
	bool known = rows.count && !*nc_rows_text(&rows, rows.count - 1, NC_COL_PARENT);
	if (code == 0 && *top && !known)
		code = find_layers(store, image, top, lean, err);
	for (size_t i = 0; code == 0 && known && i < rows.count; i++) {
		const char *id = nc_rows_text(&rows, i, NC_COL_ID);
		unsigned kind = (unsigned)nc_rows_number(&rows, i, NC_COL_KIND);
		int64_t size = find_size(store, id, kind, nc_rows_number(&rows, i, NC_COL_SIZE), lean);
		code = add_layer(image, id, kind, nc_rows_text(&rows, i, NC_COL_DIFF_ID), size,
				 nc_rows_number(&rows, i, NC_COL_USERS), err);
	}
	turn_round(image);
	return code;
}

/* --- today's images --------------------------------------------------------------------------------------------- */

static int fill_history(struct image *image, struct nacre_error *err)
{
	const struct nc_config *config = image->config;
	image->history = nc_realloc_array(NULL, config->history_count, sizeof *image->history);
	if (!image->history)
		return nc_nomem(err);
	size_t told = 0;
	for (size_t i = 0; i < config->history_count; i++)
		told += !config->history[i].empty_layer;
	/* an image below that had no history is not told of */
	size_t layer = image->face.layer_count > told ? image->face.layer_count - told : 0;
	for (size_t i = 0; i < config->history_count; i++) {
		const struct nc_history *from = &config->history[i];
		int64_t sec;
		uint32_t nsec;
		bool dated = *from->created && nc_gotime_parse(from->created, &sec, &nsec, NULL) == 0;
		image->history[i] = (struct nacre_history_info){
			.created = dated ? sec : INT64_MIN, .created_by = from->created_by, .author = from->author,
			.comment = from->comment, .empty_layer = from->empty_layer,
		};
		if (!from->empty_layer && layer < image->face.layer_count)
			image->history[i].size = image->layers[layer++].size;
	}
	image->face.history = image->history;
	image->face.history_count = config->history_count;
	return 0;
}

static void fill_facts(struct image *image)
{
	struct nacre_image *face = &image->face;
	const struct nc_config *config = image->config;
	face->created = config->created_sec;
	face->created_nsec = config->created_nsec;
	face->architecture = config->architecture;
	face->variant = config->variant;
	face->os = config->os;
	face->author = config->author;
	face->user = config->user;
	face->working_dir = config->working_dir;
	face->stop_signal = config->stop_signal;
	face->env = (const char *const *)config->env;
	face->cmd = (const char *const *)config->cmd;
	face->entrypoint = (const char *const *)config->entrypoint;
	face->exposed_ports = (const char *const *)config->exposed_ports;
	face->volumes = (const char *const *)config->volumes;
	face->labels = (const char *const *)config->labels;
}

static int read_config(struct image *image, bool lean, struct nacre_error *err)
{
	struct nacre_image *face = &image->face;
	struct nc_digest digest;
	char hex[NC_DIGEST_TEXT];
	size_t len;
	int code = nc_node_file_in(image->dir, face->id, "config", NC_DOCUMENT_MAX, &image->config_bytes, &len, err);
	if (code == 0)
		code = nc_digest_of(image->config_bytes, len, &digest, err);
	if (code == 0 && strcmp(nc_digest_hex(&digest, hex), face->id) != 0)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "image %.12s: its config has another digest", face->id);
	if (code == 0)
		code = nc_config_parse(image->config_bytes, len, &image->config, err);
	if (code < 0)
		return code;
	fill_facts(image);
	if (lean) {
		nc_free_pointer(&image->config_bytes);
		image->config_bytes = NULL;
	} else {
		face->config = image->config_bytes;
		face->config_len = len;
	}
	return 0;
}

static int read_modern(struct nacre_store *store, struct image *image, const struct nc_node_facts *facts, bool lean,
		       struct nacre_error *err)
{
	int code = nc_node_open(store, image->face.id, &image->dir, err);
	if (code == 0)
		code = read_config(image, lean, err);
	if (code == 0)
		code = read_layers(store, image, facts->parent, lean, err);
	if (code == 0 && image->face.layer_count != image->config->diff_id_count)
		code = nc_fail(err, NACRE_E_CORRUPT, 0, "image %.12s has %zu layers, its config %zu", image->face.id,
			       image->face.layer_count, image->config->diff_id_count);
	if (code == 0)
		code = read_documents(store, image, facts, lean, err);
	nc_fd_release(&image->manifests);
	nc_fd_release(&image->dir);
	return code < 0 || lean ? code : fill_history(image, err);
}

/* --- images of 2015 --------------------------------------------------------------------------------------------- */

static char *join_words(char *const *words)
{
	NC_AUTO_BUF struct nc_buf text = NC_BUF_INIT(NC_DOCUMENT_MAX);
	for (char *const *word = words; word && *word; word++)
		if (nc_buf_addf(&text, NULL, "%s%s", word == words ? "" : " ", *word) < 0)
			return NULL;
	return nc_buf_give(&text);
}

/* ret_json (given) may be NULL. */
static int read_v1(struct nacre_store *store, const char *id, struct nc_v1_image **ret, char **ret_json,
		   size_t *ret_len, struct nacre_error *err)
{
	NC_AUTO_FREE char *json = NULL;
	size_t len;
	int code = nc_node_file(store, id, "json", NC_DOCUMENT_MAX, &json, &len, err);
	if (code == 0)
		code = nc_v1_image_read(json, len, ret, NULL, err);
	if (code == 0 && ret_json) {
		*ret_json = NC_GIVE(json);
		*ret_len = len;
	}
	return code;
}

/* What it asks of a runtime, by way of the config that a later Docker makes of it; nothing where that cannot be. */
static int read_v1_config(struct image *image, const char *json, size_t len, struct nacre_error *err)
{
	static const char *const none[] = { NULL };
	const struct nc_v1_layer self = { .json = json, .json_len = len };
	struct nacre_image *face = &image->face;
	NC_AUTO_FREE char *config = NULL;
	size_t config_len;
	int code = nc_config_from_v1(&self, 1, &config, &config_len, NULL);
	if (code == 0)
		code = nc_config_parse(config, config_len, &image->config, NULL);
	if (code == NACRE_E_NOMEM)
		return nc_nomem(err);
	if (code == 0) {
		fill_facts(image);
		return 0;
	}
	face->created = image->v1->created_sec;
	face->created_nsec = image->v1->created_nsec;
	face->architecture = image->v1->architecture;
	face->os = image->v1->os;
	face->author = image->v1->author;
	face->variant = face->user = face->working_dir = face->stop_signal = "";
	face->env = face->cmd = face->entrypoint = face->exposed_ports = face->volumes = face->labels = none;
	return 0;
}

static int read_v1_line(struct nacre_store *store, struct image *image, const struct nc_rows *rows, size_t row,
			struct nacre_error *err)
{
	struct nc_v1_image *v1 = NULL;
	size_t at = image->ancestor_count;
	int code = read_v1(store, nc_rows_text(rows, row, NC_COL_ID), &v1, NULL, NULL, err);
	if (code < 0)
		return code;
	image->ancestors[image->ancestor_count++] = v1;
	image->commands[at] = join_words(v1->container_cmd);
	image->commands[at + 1] = NULL;
	if (!image->commands[at])
		return nc_nomem(err);
	unsigned kind = (unsigned)nc_rows_number(rows, row, NC_COL_KIND);
	int64_t size = find_size(store, nc_rows_text(rows, row, NC_COL_ID), kind, nc_rows_number(rows, row, NC_COL_SIZE),
				 false);
	image->history[at] = (struct nacre_history_info){
		.created = v1->created_sec, .created_by = image->commands[at], .author = v1->author,
		.comment = v1->comment, .size = size > 0 ? (uint64_t)size : 0,
		.empty_layer = !(kind & NC_NODE_LAYER),
	};
	return 0;
}

/* Each ancestor is a line of history, the oldest first. */
static int read_v1_history(struct nacre_store *store, struct image *image, struct nacre_error *err)
{
	NC_AUTO_ROWS struct nc_rows rows = { 0 };
	int code = nc_catalog_ask(store->catalog, NC_ASK_CHAIN, image->face.id, NULL, &rows, err);
	if (code < 0)
		return code;
	image->history = nc_realloc_array(NULL, rows.count, sizeof *image->history);
	image->ancestors = nc_realloc_array(NULL, rows.count, sizeof(struct nc_v1_image *));
	image->commands = nc_realloc_array(NULL, rows.count + 1, sizeof(char *));
	if (image->commands)
		image->commands[0] = NULL;
	if (!image->history || !image->ancestors || !image->commands)
		return nc_nomem(err);
	for (size_t i = rows.count; code == 0 && i-- > 0;)
		code = read_v1_line(store, image, &rows, i, err);
	image->face.history = image->history;
	image->face.history_count = image->ancestor_count;
	return code;
}

static int read_old(struct nacre_store *store, struct image *image, bool lean, struct nacre_error *err)
{
	static const char *const none[] = { NULL };
	NC_AUTO_FREE char *json = NULL;
	size_t len;
	int code = read_v1(store, image->face.id, &image->v1, &json, &len, err);
	if (code == 0)
		code = read_v1_config(image, json, len, err);
	if (code < 0)
		return code;
	image->face.v1 = true;
	image->face.digests = none;
	code = read_layers(store, image, image->face.id, lean, err);
	return code < 0 || lean ? code : read_v1_history(store, image, err);
}

/* --- images elsewhere -------------------------------------------------------------------------------------------- */

/* Chain IDs and diff IDs as the config has them, blobs as the manifest. */
static int compose_layers(struct image *image, const struct nc_manifest *manifest, struct nacre_error *err)
{
	const struct nc_config *config = image->config;
	size_t count = config->diff_id_count;
	if (manifest && manifest->item_count != count)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the manifest has %zu layers, the config %zu",
			       manifest->item_count, count);
	NC_AUTO_FREE struct nc_digest *chain = nc_realloc_array(NULL, count, sizeof *chain);
	image->layers = nc_realloc_array(NULL, count, sizeof *image->layers);
	if (!chain || !image->layers)
		return nc_nomem(err);
	int code = nc_chain_ids(config->diff_ids, count, chain, err);
	if (code < 0)
		return code;
	for (size_t i = 0; i < count; i++) {
		struct nacre_layer_info *layer = &image->layers[i];
		char hex[NC_DIGEST_TEXT];
		*layer = (struct nacre_layer_info){ .size = UINT64_MAX, .users = 1 };
		strncpy(layer->chain_id, nc_digest_hex(&chain[i], hex), sizeof layer->chain_id - 1);
		nc_digest_text(&config->diff_ids[i], layer->diff_id);
		if (manifest) {
			nc_digest_text(&manifest->items[i].digest, layer->blob);
			layer->blob_size = manifest->items[i].size;
		}
	}
	image->face.layers = image->layers;
	image->face.layer_count = count;
	return 0;
}

static int compose_names(struct image *image, const struct nc_image_in *in, struct nacre_error *err)
{
	size_t count = 0;
	while (in->names && in->names[count])
		count++;
	image->names = nc_zalloc((count + 1) * sizeof *image->names);
	image->digests = nc_zalloc(2 * sizeof *image->digests);
	if (!image->names || !image->digests)
		return nc_nomem(err);
	for (size_t i = 0; i < count; i++)
		if (!(image->names[i] = nc_strdup(in->names[i])))
			return nc_nomem(err);
	image->face.names = (const char *const *)image->names;
	image->face.digests = (const char *const *)image->digests;
	return 0;
}

static int compose_manifest(struct image *image, const struct nc_image_in *in, struct nc_manifest **ret,
			    struct nacre_error *err)
{
	struct nc_digest digest;
	size_t digests = 0;
	if (!in->manifest)
		return 0;
	image->manifest_bytes = nc_memdup(in->manifest, in->manifest_len);
	image->media_type = nc_strdup(in->manifest_media_type);
	if (!image->manifest_bytes || !image->media_type)
		return nc_nomem(err);
	image->face.manifest = image->manifest_bytes;
	image->face.manifest_len = in->manifest_len;
	image->face.manifest_media_type = image->media_type;
	int code = nc_manifest_parse(in->manifest, in->manifest_len, in->manifest_media_type, ret, err);
	if (code == 0)
		code = nc_digest_of(in->manifest, in->manifest_len, &digest, err);
	return code < 0 ? code : add_digest(image, &digests, &digest, err);
}

int nc_image_compose(const struct nc_image_in *in, struct nacre_image **ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *manifest = NULL;
	NC_CLEANUP(image_auto) struct image *image = nc_zalloc(sizeof *image);
	struct nc_digest id;
	char hex[NC_DIGEST_TEXT];
	if (!image || !(image->config_bytes = nc_memdup(in->config, in->config_len)))
		return nc_nomem(err);
	image->face.config = image->config_bytes;
	image->face.config_len = in->config_len;
	image->face.size = UINT64_MAX;
	int code = nc_digest_of(in->config, in->config_len, &id, err);
	if (code == 0)
		code = nc_config_parse(in->config, in->config_len, &image->config, err);
	if (code == 0)
		code = compose_names(image, in, err);
	if (code == 0)
		code = compose_manifest(image, in, &manifest, err);
	if (code == 0)
		code = compose_layers(image, manifest, err);
	if (code == 0)
		code = fill_history(image, err);
	if (code < 0)
		return code;
	memcpy(image->face.id, nc_digest_hex(&id, hex), NC_HEX_ID);
	fill_facts(image);
	*ret = &NC_GIVE(image)->face;
	return 0;
}

/* --- the door --------------------------------------------------------------------------------------------------- */

static int read_image(struct nacre_store *store, const char *id, const char *names, bool lean, struct nacre_image **ret,
		      struct nacre_error *err)
{
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	NC_AUTO_WITNESS struct nc_witness witness = NC_WITNESS_NONE;
	int code = nc_witness_take(store, id, &witness, err);
	if (code == 0)
		code = nc_node_look(store, id, &facts, err);
	if (code < 0)
		return code;
	NC_CLEANUP(image_auto) struct image *image = nc_zalloc(sizeof *image);
	if (!image)
		return nc_nomem(err);
	memcpy(image->face.id, id, NC_HEX_ID);
	image->dir = image->manifests = -1;
	code = read_names(store, image, names, err);
	if (code == 0)
		code = facts.kind & NC_NODE_IMAGE ? read_modern(store, image, &facts, lean, err)
						  : read_old(store, image, lean, err);
	if (!nc_witness_holds(&witness))
		return nc_witness_judge(&witness, code, err);
	/* something that must be there is not, or is not what it must be */
	if (code == NACRE_E_NOTFOUND || code == NACRE_E_BADDATA)
		return nc_wrap(err, nc_blame(err, NACRE_E_CORRUPT), "image %.12s", id);
	if (code < 0)
		return code;
	*ret = &NC_GIVE(image)->face;
	return 0;
}

int nc_image_read(struct nacre_store *store, const char *id, bool lean, struct nacre_image **ret,
		  struct nacre_error *err)
{
	return read_image(store, id, NULL, lean, ret, err);
}

int nc_image_read_listed(struct nacre_store *store, const struct nc_rows *images, size_t i, struct nacre_image **ret,
			 struct nacre_error *err)
{
	return read_image(store, nc_rows_text(images, i, NC_COL_ID), nc_rows_text(images, i, NC_COL_NAMES), true, ret, err);
}

int nacre_image_get(struct nacre_store *store, const char *what, struct nacre_image **ret, struct nacre_error *err)
{
	char id[NC_HEX_ID];
	int code = nc_store_resolve(store, what, id, NULL, err);
	return code < 0 ? code : nc_image_read(store, id, false, ret, err);
}

/* What is called so may have come with an index, which another name for it means, too. */
static bool find_index(struct nacre_store *store, const char *what, const char *id, struct nc_digest *ret)
{
	struct nc_name_target target;
	char full[NC_REFERENCE_TEXT];
	if (nc_name_normal(what, full, NULL) < 0 || nc_name_read(store, full, &target, NULL) < 0 ||
	    strcmp(target.id, id) != 0)
		return false;
	*ret = target.index;
	return target.index.alg;
}

int nacre_tag(struct nacre_store *store, const char *what, const char *name, struct nacre_error *err)
{
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	struct nc_digest manifest, index;
	char id[NC_HEX_ID];
	int code = nc_ingest_begin(store, &ingest, err);
	if (code == 0)
		code = nc_store_resolve(store, what, id, &manifest, err);
	bool indexed = code == 0 && find_index(store, what, id, &index);
	if (code == 0)
		code = nc_ingest_name(ingest, name, id, manifest.alg ? &manifest : NULL, indexed ? &index : NULL, err);
	return code < 0 ? code : nc_ingest_commit(ingest, err);
}
