/* Files of a node that follow from others: its description, from what its ID proves; its sizes, from its record or tar; its diff
 * ID, from its archive. Nothing is written that is not proved. */
#include "image/config.h"
#include "store/check.h"
#include "store/replay.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int put(struct nc_check *check, const char *id, const char *file, const char *text, size_t len,
	       struct nacre_error *err)
{
	return nc_node_put(check->store, id, file, text, len, true, err);
}

/* --- the description -------------------------------------------------------------------------------------------- */

/* An image: its config, which its ID is the digest of, says on what it stands. */
static int describe_image(struct nc_check *check, const char *id, struct nc_buf *ret, struct nacre_error *err)
{
	NC_AUTO_FREE char *bytes = NULL;
	NC_CLEANUP(nc_config_auto) struct nc_config *config = NULL;
	struct nc_digest digest;
	char hex[NC_DIGEST_TEXT], parent[NC_DIGEST_TEXT] = "";
	size_t len;
	int code = nc_node_file(check->store, id, "config", NC_DOCUMENT_MAX, &bytes, &len, err);
	if (code == 0)
		code = nc_digest_of(bytes, len, &digest, err);
	if (code == 0 && strcmp(nc_digest_hex(&digest, hex), id) != 0)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "its config is damaged");
	if (code == 0)
		code = nc_config_parse(bytes, len, &config, err);
	NC_AUTO_FREE struct nc_digest *chain = code == 0 ? nc_realloc_array(NULL, config->diff_id_count + 1, sizeof *chain)
							 : NULL;
	if (code < 0 || !chain)
		return code < 0 ? code : nc_nomem(err);
	if (config->diff_id_count) {
		code = nc_chain_ids(config->diff_ids, config->diff_id_count, chain, err);
		nc_digest_hex(&chain[config->diff_id_count - 1], parent);
	}
	return code < 0 ? code : nc_v1_image_write(ret, id, parent, config, 0, err);
}

struct search {
	const char *id;
	const struct nc_digest *diff_id;
	char parent[NC_HEX_ID];
	bool found;
};

static bool fits(const struct search *search, const char *parent)
{
	char chain[NC_HEX_ID];
	return nc_node_chain_id(parent, search->diff_id, chain, NULL) == 0 && strcmp(chain, search->id) == 0;
}

static int try_parent(void *ctx, const char *key, size_t len, void *value)
{
	struct search *search = ctx;
	char parent[NC_HEX_ID] = "";
	memcpy(parent, key, len);
	if (!fits(search, parent))
		return 0;
	memcpy(search->parent, parent, NC_HEX_ID);
	search->found = true;
	return 1;
}

/* A layer: the one parent with which its diff ID gives its ID. */
static int describe_layer(struct nc_check *check, const char *id, struct nc_buf *ret, struct nacre_error *err)
{
	NC_AUTO_FREE char *text = NULL;
	NC_AUTO_FREE char *number = NULL;
	struct nc_digest diff_id;
	struct search search = { .id = id, .diff_id = &diff_id };
	int code = nc_node_file(check->store, id, "diffid", NC_DIGEST_TEXT, &text, NULL, err);
	if (code == 0)
		code = nc_digest_parse(text, &diff_id, err);
	if (code < 0)
		return code;
	search.found = fits(&search, "");
	if (!search.found)
		nc_map_each(check->nodes, try_parent, &search);
	if (!search.found)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "nothing proves what its description was");
	code = nc_node_file(check->store, id, "layersize", 32, &number, NULL, err);
	return code < 0 ? code : nc_v1_image_write(ret, id, search.parent, NULL, strtoull(number, NULL, 10), err);
}

int nc_check_describe(struct nc_check *check, const char *id, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf json = NC_BUF_INIT(NC_DOCUMENT_MAX);
	NC_AUTO_FREE char *there = NULL;
	size_t len;
	int code = describe_image(check, id, &json, err);
	if (code == NACRE_E_NOTFOUND)
		code = describe_layer(check, id, &json, err);
	if (code < 0)
		return code;
	if (nc_node_file(check->store, id, "json", NC_DOCUMENT_MAX, &there, &len, NULL) == 0 && len == json.len &&
	    memcmp(there, json.data, len) == 0)
		return 0;
	return put(check, id, "json", json.data, json.len, err);
}

/* --- sizes and diff ID ------------------------------------------------------------------------------------------ */

static int put_number(struct nc_check *check, const char *id, const char *file, uint64_t number, struct nacre_error *err)
{
	char text[24];
	int len = snprintf(text, sizeof text, "%" PRIu64, number);
	return put(check, id, file, text, (size_t)len, err);
}

/* The digest of the archive as it is, when that gives the ID of the node. */
static int find_diff_id(struct nc_check *check, int node, const struct nc_node_facts *facts, struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *archive = NULL;
	NC_CLEANUP(nc_hash_auto) struct nc_hash *hash = NULL;
	struct nc_reader *replay = NULL;
	struct nc_digest digest;
	char text[NC_DIGEST_TEXT], chain[NC_HEX_ID];
	int code = nc_hash_new(NC_SHA256, &hash, err);
	if (code == 0)
		code = nc_replay_open(check->store, node, facts->id, NULL, &replay, err);
	if (code == 0)
		code = nc_reader_hashing(replay, hash, NULL, &archive, err);
	if (code == 0)
		code = nc_reader_drain(archive, err);
	if (code < 0)
		return code;
	nc_hash_finish(hash, &digest);
	code = nc_node_chain_id(facts->parent, &digest, chain, err);
	if (code == 0 && strcmp(chain, facts->id) != 0)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "nothing proves what its diff ID was");
	nc_digest_text(&digest, text);
	return code < 0 ? code : put(check, facts->id, "diffid", text, strlen(text), err);
}

int nc_check_measure(struct nc_check *check, const char *id, struct nacre_error *err)
{
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	NC_AUTO_FD int node = -1;
	NC_AUTO_FREE char *there = NULL;
	struct nc_digest digest;
	uint64_t content = 0, flat = 0;
	int code = nc_node_open(check->store, id, &node, err);
	/* one that says nothing stands in the way of the other facts */
	if (code == 0 && (nc_file_read(node, "diffid", NC_DIGEST_TEXT, &there, NULL, NULL) < 0 ||
			  nc_digest_parse(there, &digest, NULL) < 0)) {
		code = nc_node_salvage(check->store, id, &facts, err);
		if (code == 0)
			code = find_diff_id(check, node, &facts, err);
	}
	if (code == 0)
		code = nc_layer_measure(check->store, node, id, &content, &flat, err);
	if (code == 0)
		code = put_number(check, id, "tarsize", flat, err);
	return code < 0 ? code : put_number(check, id, "layersize", content, err);
}
