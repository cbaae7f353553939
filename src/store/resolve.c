/* From what people write to an ID: a name wins over a digest, a digest over a prefix. */
#include "store/inner.h"

#include <stdio.h>
#include <string.h>

static bool is_hex(const char *text)
{
	size_t len = strlen(text);
	return len > 0 && len < NC_HEX_ID && strspn(text, "0123456789abcdef") == len;
}

static int fail_ambiguous(const struct nc_rows *rows, const char *what, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf list = NC_BUF_INIT(1024);
	for (size_t i = 0; i < rows->count && i < 5; i++)
		nc_buf_addf(&list, NULL, "%s%.20s", i ? ", " : "", nc_rows_text(rows, i, 0));
	return nc_fail(err, NACRE_E_AMBIGUOUS, 0, "'%s' fits several: %s%s", what, nc_buf_text(&list),
		       rows->count > 5 ? ", …" : "");
}

static int take_one(const struct nc_rows *rows, const char *what, char *ret_id, struct nacre_error *err)
{
	if (rows->count == 0)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "nothing fits '%s'", what);
	if (rows->count > 1)
		return fail_ambiguous(rows, what, err);
	memcpy(ret_id, nc_rows_text(rows, 0, 0), NC_HEX_ID);
	return 0;
}

/* question: NC_ASK_PREFIX or NC_ASK_PREFIX_IMAGES. */
static int by_prefix(struct nacre_store *store, enum nc_question question, const char *prefix, char *ret_id,
		     struct nacre_error *err)
{
	NC_AUTO_ROWS struct nc_rows rows = { 0 };
	char below[NC_HEX_ID + 1];
	/* 'g' is above every hex digit: all that begins with prefix lies from prefix to below prefix + "g" */
	snprintf(below, sizeof below, "%sg", prefix);
	int code = nc_catalog_ask(store->catalog, question, prefix, below, &rows, err);
	return code < 0 ? code : take_one(&rows, prefix, ret_id, err);
}

static const char *without_algorithm(const char *what)
{
	return strncmp(what, "sha256:", 7) == 0 ? what + 7 : what;
}

int nc_store_resolve_id(struct nacre_store *store, const char *what, char *ret_id, struct nacre_error *err)
{
	const char *hex = without_algorithm(what);
	if (!is_hex(hex))
		return nc_fail(err, NACRE_E_INVALID, 0, "'%s' is not an ID or the beginning of one", what);
	if (!nc_node_exists(store, hex))
		return by_prefix(store, NC_ASK_PREFIX, hex, ret_id, err);
	memcpy(ret_id, hex, NC_HEX_ID);
	return 0;
}

/* An image by the digest of a manifest or index that it keeps; several may keep the same index. */
static int by_document(struct nacre_store *store, const char *digest, char *ret_id, struct nacre_error *err)
{
	NC_AUTO_ROWS struct nc_rows rows = { 0 };
	int code = nc_catalog_ask(store->catalog, NC_ASK_BY_DOCUMENT, digest, NULL, &rows, err);
	return code < 0 ? code : take_one(&rows, digest, ret_id, err);
}

static int by_name(struct nacre_store *store, const struct nc_reference *reference, char *ret_id,
		   struct nc_digest *ret_manifest, struct nacre_error *err)
{
	char full[NC_REFERENCE_TEXT];
	struct nc_name_target target;
	*ret_manifest = (struct nc_digest){ 0 };
	if (*reference->digest) {
		int code = by_document(store, reference->digest, ret_id, err);
		return code < 0 ? code : nc_digest_parse(reference->digest, ret_manifest, err);
	}
	int code = nc_name_read(store, nc_reference_full(reference, full), &target, err);
	/* a removal that has begun, or that a dead process began, has no image left for its names */
	if (code == 0 && !nc_node_exists(store, target.id))
		code = nc_fail(err, NACRE_E_NOTFOUND, 0, "nothing is named '%s'", full);
	if (code < 0)
		return code;
	memcpy(ret_id, target.id, NC_HEX_ID);
	*ret_manifest = target.manifest;
	return 0;
}

/* By its files: one that the catalog does not know yet. */
static bool is_image(struct nacre_store *store, const char *id)
{
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	return nc_node_exists(store, id) && nc_node_read_brief(store->graph, id, &facts, NULL) == 0 &&
	       facts.kind & (NC_NODE_IMAGE | NC_NODE_V1);
}

/* Full image ID, prefix of one, or "sha256:" and a manifest's digest. */
static int by_id(struct nacre_store *store, const char *what, char *ret_id, struct nc_digest *ret_manifest,
		 struct nacre_error *err)
{
	const char *hex = without_algorithm(what);
	*ret_manifest = (struct nc_digest){ 0 };
	int code = is_hex(hex) ? by_prefix(store, NC_ASK_PREFIX_IMAGES, hex, ret_id, err) : NACRE_E_NOTFOUND;
	if (code == NACRE_E_NOTFOUND && is_image(store, hex)) {
		memcpy(ret_id, hex, NC_HEX_ID);
		return 0;
	}
	if (code != NACRE_E_NOTFOUND || hex == what || !nc_id_valid(hex))
		return code;
	code = by_document(store, what, ret_id, err);
	return code < 0 ? code : nc_digest_parse(what, ret_manifest, err);
}

int nc_store_resolve(struct nacre_store *store, const char *what, char *ret_id, struct nc_digest *ret_manifest,
		     struct nacre_error *err)
{
	struct nc_reference reference;
	struct nc_digest manifest;
	char id[NC_HEX_ID];
	struct nacre_error why;
	int parsed = nc_reference_parse(what, &reference, &why);
	int code = parsed < 0 ? NACRE_E_NOTFOUND : by_name(store, &reference, id, &manifest, err);
	if (code == NACRE_E_NOTFOUND)
		code = by_id(store, what, id, &manifest, err);
	if (code == NACRE_E_NOTFOUND && parsed < 0 && !is_hex(without_algorithm(what))) {
		if (err)
			*err = why;
		return parsed;
	}
	if (code == NACRE_E_NOTFOUND)
		return nc_fail(err, code, 0, "no image '%s'", what);
	if (code < 0)
		return code;
	memcpy(ret_id, id, NC_HEX_ID);
	if (ret_manifest)
		*ret_manifest = manifest;
	return 0;
}

int nc_store_resolve_node(struct nacre_store *store, const char *what, char *ret_id, struct nacre_error *err)
{
	int code = nc_store_resolve(store, what, ret_id, NULL, err);
	if (code == NACRE_E_NOTFOUND && is_hex(without_algorithm(what)))
		code = nc_store_resolve_id(store, what, ret_id, err);
	return code;
}
