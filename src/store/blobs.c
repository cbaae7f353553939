/* Compressed layers that were kept as they came, and documents. */
#include "store/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int nc_blob_exists(struct nacre_store *store, const char *hex, uint64_t *ret_size, struct nacre_error *err)
{
	struct stat st;
	if (store->blobs < 0)
		return 0;
	if (fstatat(store->blobs, hex, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : nc_fail(err, NACRE_E_IO, errno, "look for blob %.12s", hex);
	if (S_ISREG(st.st_mode) && ret_size)
		*ret_size = (uint64_t)st.st_size;
	return S_ISREG(st.st_mode);
}

static int open_kept(struct nacre_store *store, const char *hex, struct nc_reader **ret, uint64_t *ret_size,
		     struct nacre_error *err)
{
	NC_AUTO_FD int fd =
		store->blobs < 0 ? -1 : openat(store->blobs, hex, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (store->blobs < 0 || (fd < 0 && errno == ENOENT))
		return NACRE_E_NOTFOUND;
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open blob %.12s", hex);
	int code = nc_reader_fd(fd, true, "a blob", ret, err);
	fd = -1;	/* taken */
	if (code == 0 && ret_size)
		*ret_size = (uint64_t)st.st_size;
	return code;
}

bool nc_store_layer_came_as(struct nacre_store *store, const char *id, const struct nc_digest *blob)
{
	NC_AUTO_FREE char *noted = NULL;
	char text[NC_DIGEST_TEXT];
	return nc_node_file(store, id, "blob", NC_DIGEST_TEXT, &noted, NULL, NULL) == 0 && strcmp(noted, nc_digest_text(blob, text)) == 0;
}

/* A layer with this diff ID; 0 when there is none. */
static int find_layer(struct nacre_store *store, const struct nc_digest *digest, char *ret_id,
		      struct nacre_error *err)
{
	NC_AUTO_ROWS struct nc_rows rows = { 0 };
	char text[NC_DIGEST_TEXT];
	int code = nc_catalog_ask(store->catalog, NC_ASK_BY_DIFF_ID, nc_digest_text(digest, text), NULL, &rows, err);
	if (code < 0 || !rows.count)
		return code;
	memcpy(ret_id, nc_rows_text(&rows, 0, 0), NC_HEX_ID);
	return 1;
}

int nc_store_blob(struct nacre_store *store, const struct nc_digest *digest, struct nc_reader **ret,
		  uint64_t *ret_size, struct nacre_error *err)
{
	char text[NC_DIGEST_TEXT], id[NC_HEX_ID];
	int code = NACRE_E_NOTFOUND;
	if (digest->alg == NC_SHA256)
		code = open_kept(store, nc_digest_hex(digest, text), ret, ret_size, err);
	if (code != NACRE_E_NOTFOUND)
		return code;
	code = find_layer(store, digest, id, err);
	if (code > 0)
		return nc_store_layer_tar(store, id, ret, ret_size, err);
	return code < 0 ? code
			: nc_fail(err, NACRE_E_NOTFOUND, 0, "the store has no blob %s", nc_digest_text(digest, text));
}

int nc_store_has_blob(struct nacre_store *store, const struct nc_digest *digest, struct nacre_error *err)
{
	char hex[NC_DIGEST_TEXT], id[NC_HEX_ID];
	int there = digest->alg == NC_SHA256 ? nc_blob_exists(store, nc_digest_hex(digest, hex), NULL, err) : 0;
	return there != 0 ? there : find_layer(store, digest, id, err);
}

int nc_store_manifest(struct nacre_store *store, const char *image, const struct nc_digest *digest, char **ret,
		      size_t *ret_len, struct nacre_error *err)
{
	NC_AUTO_FD int node = -1;
	NC_AUTO_FD int manifests = -1;
	char text[NC_DIGEST_TEXT];
	int code = nc_node_open(store, image, &node, err);
	if (code == 0)
		code = digest->alg == NC_SHA256 ? nc_dir_open(node, "manifests", &manifests, NULL) : NACRE_E_NOTFOUND;
	if (code == 0)
		code = nc_file_read(manifests, nc_digest_hex(digest, text), NC_DOCUMENT_MAX, ret, ret_len, err);
	if (code == NACRE_E_NOTFOUND)
		return nc_fail(err, code, 0, "image %.12s keeps no manifest %s", image, nc_digest_text(digest, text));
	return code;
}

static int read_kept(struct nacre_store *store, const struct nc_digest *digest, char **ret, size_t *ret_len,
		     struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	struct nc_reader *blob;
	char text[NC_DIGEST_TEXT];
	int code = digest->alg == NC_SHA256 ? open_kept(store, nc_digest_hex(digest, text), &blob, NULL, err)
					    : NACRE_E_NOTFOUND;
	if (code == NACRE_E_NOTFOUND)
		return nc_fail(err, code, 0, "the store has no document %s", nc_digest_text(digest, text));
	if (code == 0)
		code = nc_reader_verified(blob, digest, UINT64_MAX, &reader, err);
	return code < 0 ? code : nc_reader_slurp(reader, NC_DOCUMENT_MAX, ret, ret_len, err);
}

int nc_store_document(struct nacre_store *store, const struct nc_digest *digest, char **ret, size_t *ret_len,
		      struct nacre_error *err)
{
	char text[NC_DIGEST_TEXT], id[NC_HEX_ID];
	if (nc_store_resolve(store, nc_digest_text(digest, text), id, NULL, NULL) == 0 &&
	    nc_store_manifest(store, id, digest, ret, ret_len, NULL) == 0)
		return 0;
	return read_kept(store, digest, ret, ret_len, err);
}

static int prune(struct nacre_store *store, int locks, const struct nc_digest *blob, struct nacre_error *err)
{
	NC_AUTO_ROWS struct nc_rows rows = { 0 };
	char text[NC_DIGEST_TEXT], hex[NC_DIGEST_TEXT];
	nc_digest_hex(blob, hex);
	int there = blob->alg == NC_SHA256 ? nc_blob_exists(store, hex, NULL, err) : 0;
	if (there <= 0)
		return there;
	/* whoever brings an image that names it holds it shared until the catalog knows */
	int code = nc_lock_blob(locks, hex, NC_LOCK_EXCLUSIVE, false, err);
	if (code < 0)
		return code == NACRE_E_BUSY ? 0 : code;
	code = nc_catalog_ask(store->catalog, NC_ASK_BLOB_USERS, nc_digest_text(blob, text), NULL, &rows, err);
	if (code == 0 && !rows.count && unlinkat(store->blobs, hex, 0) < 0 && errno != ENOENT)
		code = nc_fail(err, NACRE_E_IO, errno, "remove blob %.12s", hex);
	nc_unlock_blob(locks, hex);
	return code;
}

int nc_blobs_prune(struct nacre_store *store, int locks, const struct nc_digest *blobs, size_t count,
		   struct nacre_error *err)
{
	int code = 0;
	for (size_t i = 0; code == 0 && i < count; i++)
		code = prune(store, locks, &blobs[i], err);
	return code;
}
