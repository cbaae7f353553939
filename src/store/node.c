/* The files of a node, graph/<id>/, and what they say together. */
#include "image/config.h"
#include "image/manifest.h"
#include "io/failure.h"
#include "store/inner.h"
#include "store/whole.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Manifests and indexes of one image. */
#define DOCUMENTS_MAX 65536

bool nc_id_valid(const char *id)
{
	return strspn(id, "0123456789abcdef") == NC_HEX_ID - 1 && !id[NC_HEX_ID - 1];
}

int nc_node_there(struct nacre_store *store, const char *id, struct nacre_error *err)
{
	struct stat st;
	if (!nc_id_valid(id) || store->graph < 0)
		return 0;
	if (fstatat(store->graph, id, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode);
	return errno == ENOENT ? 0 : nc_fail(err, NACRE_E_IO, errno, "look for node %.12s", id);
}

/* What cannot be told counts as there: who goes on to open it hears why. */
bool nc_node_exists(struct nacre_store *store, const char *id)
{
	return nc_node_there(store, id, NULL) != 0;
}

/* Likewise: only what is known to be gone is gone. */
bool nc_node_is(int graph, const char *id, int node)
{
	struct stat now, then;
	if (fstatat(graph, id, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return errno != ENOENT;
	return fstat(node, &then) < 0 || (now.st_dev == then.st_dev && now.st_ino == then.st_ino);
}

static int open_node(int graph, const char *id, int *ret_fd, struct nacre_error *err)
{
	if (!nc_id_valid(id))
		return nc_fail(err, NACRE_E_INVALID, 0, "'%s' is not an ID", id);
	int code = graph < 0 ? NACRE_E_NOTFOUND : nc_dir_open(graph, id, ret_fd, err);
	if (code == NACRE_E_NOTFOUND)
		return nc_fail(err, code, 0, "no node has the ID %s", id);
	if (code < 0 && (errno == ENOTDIR || errno == ELOOP))
		return nc_fail(err, NACRE_E_CORRUPT, 0, "node %.12s: 'graph/%s' is no directory", id, id);
	return code < 0 ? nc_wrap(err, code, "node %.12s", id) : 0;
}

int nc_node_open(struct nacre_store *store, const char *id, int *ret_fd, struct nacre_error *err)
{
	return open_node(store->graph, id, ret_fd, err);
}

int nc_node_file(struct nacre_store *store, const char *id, const char *file, size_t max, char **ret, size_t *ret_len,
		 struct nacre_error *err)
{
	NC_AUTO_FD int dir = -1;
	int code = open_node(store->graph, id, &dir, err);
	return code < 0 ? code : nc_node_file_in(dir, id, file, max, ret, ret_len, err);
}

int nc_node_file_in(int node, const char *id, const char *file, size_t max, char **ret, size_t *ret_len,
		    struct nacre_error *err)
{
	int code = nc_file_read(node, file, max, ret, ret_len, err);
	if (code == NACRE_E_BADDATA || code == NACRE_E_LIMIT)
		code = nc_blame(err, NACRE_E_CORRUPT);
	return code < 0 ? nc_wrap(err, code, "node %.12s", id) : 0;
}

/* --- facts ------------------------------------------------------------------------------------------------------ */

void nc_node_facts_release(struct nc_node_facts *facts)
{
	nc_free_pointer(&facts->documents);
	nc_free_pointer(&facts->blobs);
	facts->documents = facts->blobs = NULL;
	facts->document_count = facts->blob_count = 0;
}

bool nc_is_unread(int code)
{
	return code == NACRE_E_NOMEM || code == NACRE_E_IO;
}

/* Docker 1.9 says it in a file; a digest is the ID that it spells. The file wins. 1: ret is set. */
static int read_parent(int dir, char *ret, struct nacre_error *err)
{
	NC_AUTO_FREE char *text = NULL;
	size_t len;
	int code = nc_file_read(dir, "parent", NC_DIGEST_TEXT, &text, &len, err);
	if (code == NACRE_E_NOTFOUND)
		return 0;
	if (nc_is_unread(code))
		return code;
	const char *at = text ? text : "";
	at += strspn(at, " \t\r\n");
	if (strncmp(at, "sha256:", 7) == 0)
		at += 7;
	size_t digits = strcspn(at, " \t\r\n");
	if (code == 0 && !digits && strlen(text) == len)
		return 0;
	if (code < 0 || strlen(text) != len || digits != NC_HEX_ID - 1 || at[digits + strspn(at + digits, " \t\r\n")])
		return nc_fail(err, NACRE_E_CORRUPT, 0, "its file 'parent' is damaged");
	memcpy(ret, at, NC_HEX_ID - 1);
	ret[NC_HEX_ID - 1] = '\0';
	return nc_id_valid(ret) ? 1 : nc_fail(err, NACRE_E_CORRUPT, 0, "its file 'parent' is damaged");
}

static int read_description(int dir, const char *id, struct nc_node_facts *ret, struct nacre_error *err)
{
	NC_AUTO_FREE char *json = NULL;
	size_t len;
	struct nacre_error why = { 0 };
	int code = nc_file_read(dir, "json", NC_DOCUMENT_MAX, &json, &len, &why);
	NC_CLEANUP(nc_v1_image_auto) struct nc_v1_image *image = NULL;
	if (code == 0)
		code = nc_v1_image_read(json, len, &image, NULL, &why);
	if (nc_is_unread(code))
		return nc_failure_tell(&why, code, err);
	if (code < 0)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "its json is damaged: %s", why.msg);
	if (*image->id && strcmp(image->id, id) != 0)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "its json has the ID %.64s", image->id);
	if (*image->parent && !nc_id_valid(image->parent))
		return nc_fail(err, NACRE_E_CORRUPT, 0, "its json has the parent '%.64s'", image->parent);
	code = read_parent(dir, ret->parent, err);
	if (code < 0)
		return code;
	if (code == 0)
		strcpy(ret->parent, image->parent);
	ret->created = image->created_sec;
	ret->created_nsec = image->created_nsec;
	return 0;
}

/* Missing is -1, as is what is no plain decimal number, white space around it aside, and what there is no memory for: it is measured
 * when somebody asks. */
static int read_size(int dir, int64_t *ret, struct nacre_error *err)
{
	NC_AUTO_FREE char *text = NULL;
	size_t len;
	*ret = -1;
	int code = nc_file_read(dir, "layersize", 64, &text, &len, err);
	if (code < 0 || strlen(text) != len)
		return code == NACRE_E_IO ? code : 0;
	const char *at = text + strspn(text, " \t\r\n");
	size_t digits = strspn(at, "0123456789");
	if (!digits || at[digits + strspn(at + digits, " \t\r\n")])
		return 0;
	errno = 0;
	long long size = strtoll(at, NULL, 10);
	*ret = errno ? -1 : size;
	return 0;
}

static int read_diff_id(int dir, char *ret, struct nacre_error *err)
{
	NC_AUTO_FREE char *text = NULL;
	size_t len;
	ret[0] = '\0';
	int code = nc_file_read(dir, "diffid", NC_DIGEST_TEXT, &text, &len, err);
	if (code == NACRE_E_NOTFOUND)
		return 0;
	struct nc_digest digest;
	if (code < 0 || nc_digest_parse(text, &digest, NULL) < 0)
		return nc_is_unread(code) ? code : nc_fail(err, NACRE_E_CORRUPT, 0, "its diffid is damaged");
	strcpy(ret, text);
	return 0;
}

int nc_node_chain_id(const char *parent, const struct nc_digest *diff_id, char *ret_id, struct nacre_error *err)
{
	if (diff_id->alg != NC_SHA256)
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "diff IDs other than sha256 are not supported");
	char text[NC_DIGEST_TEXT];
	if (!parent || !*parent) {
		memcpy(ret_id, nc_digest_hex(diff_id, text), NC_HEX_ID);
		return 0;
	}
	NC_AUTO_BUF struct nc_buf both = NC_BUF_INIT(512);
	struct nc_digest chain;
	int code = nc_buf_addf(&both, err, "sha256:%s %s", parent, nc_digest_text(diff_id, text));
	if (code == 0)
		code = nc_digest_of(both.data, both.len, &chain, err);
	if (code < 0)
		return code;
	memcpy(ret_id, nc_digest_hex(&chain, text), NC_HEX_ID);
	return 0;
}

static int find_kind(int dir, struct nc_node_facts *facts, struct nacre_error *err)
{
	int record = *facts->diff_id ? 1 : nc_file_exists(dir, "tar-data.json.gz", err);
	int config = record < 0 ? record : nc_file_exists(dir, "config", err);
	if (config < 0)
		return config;
	facts->kind = record ? NC_NODE_LAYER : 0;
	if (config) {
		facts->kind |= NC_NODE_IMAGE;
		return 0;
	}
	struct nc_digest diff_id;
	char chain[NC_HEX_ID];
	if (!*facts->diff_id || nc_digest_parse(facts->diff_id, &diff_id, NULL) < 0) {
		facts->kind |= NC_NODE_V1;
		return 0;
	}
	int code = nc_node_chain_id(facts->parent, &diff_id, chain, err);
	if (code < 0 && code != NACRE_E_UNSUPPORTED)
		return code;
	if (code < 0 || strcmp(chain, facts->id) != 0)
		facts->kind |= NC_NODE_V1;
	return 0;
}

static int add_digest(struct nc_digest **list, size_t *count, const struct nc_digest *digest, struct nacre_error *err)
{
	struct nc_digest *more = nc_realloc_array(*list, *count + 1, sizeof *more);
	if (!more)
		return nc_nomem(err);
	*list = more;
	more[(*count)++] = *digest;
	return 0;
}

struct documents {
	int dir;
	struct nc_node_facts *facts;
};

/* A list that is damaged keeps no blobs, as a manifest that is. */
static int read_list(const struct documents *documents, const char *name, struct nacre_error *err)
{
	NC_AUTO_FREE struct nc_blob_ref *blobs = NULL;
	struct nc_node_facts *facts = documents->facts;
	size_t count = 0;
	int code = nc_whole_read(documents->dir, name, &blobs, &count, err);
	if (nc_is_unread(code))
		return code;
	code = 0;
	for (size_t i = 0; code == 0 && i < count; i++)
		code = add_digest(&facts->blobs, &facts->blob_count, &blobs[i].digest, err);
	return code;
}

static int read_document(void *ctx, const char *name, struct nacre_error *err)
{
	struct documents *documents = ctx;
	struct nc_node_facts *facts = documents->facts;
	struct nc_digest digest;
	if (nc_whole_name(name))
		return read_list(documents, name, err);
	if (nc_digest_from_hex_id(name, &digest, NULL) < 0)
		return 0;
	int code = add_digest(&facts->documents, &facts->document_count, &digest, err);
	NC_AUTO_FREE char *bytes = NULL;
	size_t len;
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *manifest = NULL;
	if (code == 0)
		code = nc_file_read(documents->dir, name, NC_DOCUMENT_MAX, &bytes, &len, err);
	if (code == 0)
		code = nc_manifest_parse(bytes, len, NULL, &manifest, err);
	if (nc_is_unread(code))
		return code;
	/* what is damaged keeps no blobs; reading the image says what is wrong with it */
	if (code < 0 || manifest->kind != NC_DOC_MANIFEST)
		return 0;
	for (size_t i = 0; code == 0 && i < manifest->item_count; i++)
		code = add_digest(&facts->blobs, &facts->blob_count, &manifest->items[i].digest, err);
	return code;
}

static int read_documents(int dir, struct nc_node_facts *facts, struct nacre_error *err)
{
	struct documents documents = { .dir = -1, .facts = facts };
	int code = nc_dir_open(dir, "manifests", &documents.dir, err);
	if (code < 0)
		return code == NACRE_E_NOTFOUND ? 0 : code;
	code = nc_dir_each_sorted(documents.dir, DOCUMENTS_MAX, read_document, &documents, err);
	nc_fd_release(&documents.dir);
	return code;
}

static int read_facts(int graph, const char *id, bool brief, struct nc_node_facts *ret, struct nacre_error *err)
{
	NC_AUTO_FD int dir = -1;
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	int code = open_node(graph, id, &dir, err);
	if (code < 0)
		return code;
	memcpy(facts.id, id, NC_HEX_ID);
	code = read_description(dir, id, &facts, err);
	if (code == 0)
		code = read_diff_id(dir, facts.diff_id, err);
	if (code == 0)
		code = find_kind(dir, &facts, err);
	if (code == 0 && !brief && facts.kind & NC_NODE_IMAGE)
		code = read_documents(dir, &facts, err);
	if (code == 0)
		code = read_size(dir, &facts.size, err);
	if (!nc_node_is(graph, id, dir))	/* it was removed, and files that are missing mean nothing */
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "no node has the ID %s", id);
	if (code < 0)
		return nc_wrap(err, code, "node %.12s", id);
	*ret = facts;
	facts = (struct nc_node_facts){ 0 };
	return 0;
}

int nc_node_read(int graph, const char *id, struct nc_node_facts *ret, struct nacre_error *err)
{
	return read_facts(graph, id, false, ret, err);
}

int nc_node_read_brief(int graph, const char *id, struct nc_node_facts *ret, struct nacre_error *err)
{
	return read_facts(graph, id, true, ret, err);
}

/* Every node that Docker's graph held has a tree, with a record or (before Docker 1.8) without. */
static int settle_old(struct nacre_store *store, struct nc_node_facts *facts, struct nacre_error *err)
{
	if (!(facts->kind & NC_NODE_V1) || *facts->diff_id)
		return 0;
	int there = store->driver->ops->has(store->driver, facts->id, err);
	if (there < 0)
		return nc_wrap(err, there, "node %.12s", facts->id);
	if (there)
		facts->kind |= NC_NODE_LAYER;
	else if (!nc_node_exists(store, facts->id))
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "no node has the ID %s", facts->id);
	else if (facts->kind & NC_NODE_LAYER || facts->size != 0)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "node %.12s: the driver %s has no tree of it", facts->id,
			       store->driver->ops->name);
	return 0;
}

static int look(struct nacre_store *store, const char *id, bool brief, struct nc_node_facts *ret,
		struct nacre_error *err)
{
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	int code = read_facts(store->graph, id, brief, &facts, err);
	if (code == 0)
		code = settle_old(store, &facts, err);
	if (code < 0)
		return code;
	*ret = facts;
	facts = (struct nc_node_facts){ 0 };
	return 0;
}

int nc_node_look(struct nacre_store *store, const char *id, struct nc_node_facts *ret, struct nacre_error *err)
{
	return look(store, id, false, ret, err);
}

int nc_node_look_brief(struct nacre_store *store, const char *id, struct nc_node_facts *ret, struct nacre_error *err)
{
	return look(store, id, true, ret, err);
}

int nc_node_salvage(struct nacre_store *store, const char *id, struct nc_node_facts *ret, struct nacre_error *err)
{
	NC_AUTO_FD int dir = -1;
	NC_AUTO_FREE char *json = NULL;
	NC_AUTO_FREE char *parent = NULL;
	size_t len;
	*ret = (struct nc_node_facts){ .kind = NC_NODE_DAMAGED, .size = -1 };
	memcpy(ret->id, id, NC_HEX_ID);
	int code = open_node(store->graph, id, &dir, err);
	if (code < 0)
		return code == NACRE_E_CORRUPT ? 0 : code;
	if (read_parent(dir, ret->parent, NULL) > 0)
		return 0;
	ret->parent[0] = '\0';
	if (nc_file_read(dir, "json", NC_DOCUMENT_MAX, &json, &len, NULL) == 0)
		parent = nc_v1_parent_of(json, len);
	if (parent)
		memcpy(ret->parent, parent, NC_HEX_ID);
	return 0;
}

int nc_node_tree(struct nacre_store *store, const char *id, char *ret_tree, struct nacre_error *err)
{
	char at[NC_HEX_ID];
	memcpy(at, id, NC_HEX_ID);
	for (int depth = 0; depth < NC_DEPTH_MAX; depth++) {
		struct nc_node_facts facts = { 0 };
		int code = nc_node_look_brief(store, at, &facts, err);
		if (code < 0)
			return code;
		nc_node_facts_release(&facts);
		bool found = facts.kind & NC_NODE_LAYER;
		if (found || !*facts.parent) {
			memcpy(ret_tree, found ? at : "", found ? NC_HEX_ID : 1);
			return 0;
		}
		memcpy(at, facts.parent, NC_HEX_ID);
	}
	return nc_fail(err, NACRE_E_CORRUPT, 0, "node %.12s has more than %d ancestors", id, NC_DEPTH_MAX);
}

/* --- public ----------------------------------------------------------------------------------------------------- */

static void fill_node(const struct nc_rows *rows, size_t row, struct nacre_node *ret)
{
	*ret = (struct nacre_node){ .size = nc_rows_number(rows, row, NC_COL_SIZE) };
	unsigned kind = (unsigned)nc_rows_number(rows, row, NC_COL_KIND);
	strncpy(ret->id, nc_rows_text(rows, row, NC_COL_ID), sizeof ret->id - 1);
	strncpy(ret->parent, nc_rows_text(rows, row, NC_COL_PARENT), sizeof ret->parent - 1);
	strncpy(ret->diff_id, nc_rows_text(rows, row, NC_COL_DIFF_ID), sizeof ret->diff_id - 1);
	ret->has_layer = kind & NC_NODE_LAYER;
	ret->is_image = kind & NC_NODE_IMAGE;
	ret->v1 = kind & NC_NODE_V1;
	ret->damaged = kind & NC_NODE_DAMAGED;
}

/* One that the catalog does not know yet. */
static int find_node(struct nacre_store *store, const char *id, struct nacre_node *ret, struct nacre_error *err)
{
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	int code = nc_node_look_brief(store, id, &facts, err);
	if (code < 0)
		return code;
	*ret = (struct nacre_node){ .size = facts.size, .has_layer = facts.kind & NC_NODE_LAYER,
				    .is_image = facts.kind & NC_NODE_IMAGE, .v1 = facts.kind & NC_NODE_V1 };
	memcpy(ret->id, facts.id, NC_HEX_ID);
	memcpy(ret->parent, facts.parent, NC_HEX_ID);
	strcpy(ret->diff_id, facts.diff_id);
	return 0;
}

int nacre_node_get(struct nacre_store *store, const char *id, struct nacre_node *ret, struct nacre_error *err)
{
	char full[NC_HEX_ID];
	NC_AUTO_ROWS struct nc_rows rows = { 0 };
	int code = nc_store_resolve_id(store, id, full, err);
	if (code == 0)
		code = nc_catalog_ask(store->catalog, NC_ASK_NODE, full, NULL, &rows, err);
	if (code == 0 && rows.count)
		fill_node(&rows, 0, ret);
	return code < 0 || rows.count ? code : find_node(store, full, ret, err);
}

int nacre_nodes_each(struct nacre_store *store, enum nacre_select select, const char *parent,
		     int (*fn)(void *ctx, const struct nacre_node *node), void *ctx, struct nacre_error *err)
{
	NC_AUTO_ROWS struct nc_rows rows = { 0 };
	int code;
	if (select == NACRE_CHILDREN) {
		char full[NC_HEX_ID];
		code = parent ? nc_store_resolve_id(store, parent, full, err)
			      : nc_fail(err, NACRE_E_INVALID, 0, "children of which node?");
		if (code == 0)
			code = nc_catalog_ask(store->catalog, NC_ASK_CHILDREN, full, NULL, &rows, err);
	} else {
		code = nc_catalog_ask(store->catalog, select == NACRE_HEADS ? NC_ASK_HEADS : NC_ASK_NODES, NULL, NULL,
				      &rows, err);
	}
	for (size_t i = 0; code == 0 && i < rows.count; i++) {
		struct nacre_node node;
		fill_node(&rows, i, &node);
		if (fn(ctx, &node) < 0)
			code = nc_fail(err, NACRE_E_CANCELLED, 0, "cancelled");
	}
	return code;
}

int nacre_node_json(struct nacre_store *store, const char *id, char **ret, size_t *ret_len, struct nacre_error *err)
{
	char full[NC_HEX_ID];
	int code = nc_store_resolve_id(store, id, full, err);
	return code < 0 ? code : nc_node_file(store, full, "json", NC_DOCUMENT_MAX, ret, ret_len, err);
}
