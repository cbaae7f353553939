/* What an index that was kept whole names beside images: manifests of attestations and artifacts, with what those name, and
 * indexes in it. They are blobs, as they came. The image that has the index's name lists them in manifests/<index>.whole and
 * so keeps them; a line is "sha256:<hex> SIZE". */
#include "store/whole.h"

#include "store/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the list --------------------------------------------------------------------------------------------------- */

bool nc_whole_name(const char *name)
{
	char hex[NC_HEX_ID];
	if (strlen(name) != NC_HEX_ID - 1 + strlen(NC_WHOLE) || strcmp(name + NC_HEX_ID - 1, NC_WHOLE) != 0)
		return false;
	memcpy(hex, name, NC_HEX_ID - 1);
	hex[NC_HEX_ID - 1] = '\0';
	return nc_id_valid(hex);
}

/* Digits and nothing else, for strtoull takes more. */
static bool parse_size(const char *text, uint64_t *ret)
{
	size_t digits = strspn(text, "0123456789");
	if (!digits || digits > 19 || text[digits])
		return false;
	*ret = strtoull(text, NULL, 10);
	return true;
}

static bool parse_line(char *line, struct nc_blob_ref *ret)
{
	char *space = strchr(line, ' ');
	if (!space)
		return false;
	*space = '\0';
	return nc_digest_parse(line, &ret->digest, NULL) == 0 && ret->digest.alg == NC_SHA256 &&
	       parse_size(space + 1, &ret->size);
}

int nc_whole_read(int manifests, const char *name, struct nc_blob_ref **ret, size_t *ret_count, struct nacre_error *err)
{
	NC_AUTO_FREE char *text = NULL;
	size_t len, lines = 0, count = 0;
	int code = nc_file_read(manifests, name, NC_DOCUMENT_MAX, &text, &len, err);
	if (code < 0)
		return code;
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	NC_AUTO_FREE struct nc_blob_ref *blobs = nc_realloc_array(NULL, lines + 1, sizeof *blobs);
	if (!blobs)
		return nc_nomem(err);
	char *line = text;
	for (char *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		if (!parse_line(line, &blobs[count++]))
			return nc_fail(err, NACRE_E_CORRUPT, 0, "it does not list blobs");
	}
	if (line != text + len)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "its last line is cut");
	*ret = NC_GIVE(blobs);
	*ret_count = count;
	return 0;
}

/* --- blobs ------------------------------------------------------------------------------------------------------ */

int nc_ingest_has_blob(struct nc_ingest *ingest, const struct nc_digest *digest, struct nacre_error *err)
{
	char hex[NC_DIGEST_TEXT];
	if (digest->alg != NC_SHA256)
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "blobs are kept by sha256 alone, not as %.20s…",
			       nc_digest_text(digest, hex));
	nc_digest_hex(digest, hex);
	/* what is there cannot be removed from now on */
	int code = nc_lock_blob(ingest->locks, hex, NC_LOCK_SHARED, true, err);
	int staged = code == 0 && ingest->blobs >= 0 ? nc_file_exists(ingest->blobs, hex, err) : code;
	return staged != 0 ? staged : nc_blob_exists(ingest->store, hex, NULL, err);
}

static int write_blob(struct nc_ingest *ingest, const char *hex, struct nc_reader *reader, struct nacre_error *err)
{
	NC_CLEANUP(nc_writer_auto) struct nc_writer *writer = NULL;
	NC_AUTO_FD int fd = -1;
	int code = nc_ingest_blob_file(ingest, hex, &fd, err);
	if (code == 0)
		code = nc_writer_fd(fd, false, "a blob", &writer, err);
	if (code == 0)
		code = nc_copy_stream(reader, writer, NULL, err);
	return code < 0 ? code : nc_writer_finish(writer, err);
}

int nc_ingest_blob(struct nc_ingest *ingest, const struct nc_blob_ref *blob, struct nc_reader *stream,
		   struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	struct nc_step step = { .kind = NC_STEP_BLOB };
	char hex[NC_DIGEST_TEXT];
	memcpy(step.hex, nc_digest_hex(&blob->digest, hex), NC_HEX_ID);
	int code = nc_reader_verified(stream, &blob->digest, blob->size, &reader, err);
	if (code == 0)
		code = write_blob(ingest, hex, reader, err);
	if (code == 0)
		code = nc_ingest_blob_name(ingest, hex, hex, err);
	return code < 0 ? code : nc_plan_add(&ingest->plan, &step, err);
}

/* --- keeping them ----------------------------------------------------------------------------------------------- */

static int write_list(const struct nc_blob_ref *blobs, size_t count, struct nc_buf *ret, struct nacre_error *err)
{
	char text[NC_DIGEST_TEXT];
	int code = 0;
	for (size_t i = 0; code == 0 && i < count; i++)
		code = nc_buf_addf(ret, err, "%s %" PRIu64 "\n", nc_digest_text(&blobs[i].digest, text), blobs[i].size);
	return code == NACRE_E_LIMIT ? nc_fail(err, code, 0, "the index names %zu blobs beside its images", count) : code;
}

static int put_staged(struct nc_ingest *ingest, const char *id, const char *index, const struct nc_buf *list,
		      struct nacre_error *err)
{
	NC_AUTO_FD int node = -1;
	NC_AUTO_FD int manifests = -1;
	char file[NC_DIGEST_TEXT + 8];
	snprintf(file, sizeof file, "%s" NC_WHOLE, index);
	int code = nc_dir_open(ingest->nodes, id, &node, err);
	if (code == 0)
		code = nc_dir_ensure(node, "manifests", &manifests, err);
	return code < 0 ? code : nc_file_create(manifests, file, nc_buf_text(list), list->len, err);
}

/* Into a node that is on its way, or for one that is there. */
static int put_list(struct nc_ingest *ingest, const char *id, const char *index, const struct nc_buf *list,
		    struct nacre_error *err)
{
	char file[NC_HEX_ID + NC_DIGEST_TEXT + 8];
	struct nc_step step = { .kind = NC_STEP_WHOLE };
	if (nc_ingest_held(ingest, id)->state == NC_HELD_BROUGHT)
		return put_staged(ingest, id, index, list, err);
	memcpy(step.id, id, NC_HEX_ID);
	memcpy(step.hex, index, NC_HEX_ID);
	snprintf(file, sizeof file, "%s.%s" NC_WHOLE, id, index);
	int code = nc_ingest_side(ingest, "documents", &ingest->documents, err);
	if (code == 0)
		code = nc_file_create(ingest->documents, file, nc_buf_text(list), list->len, err);
	return code < 0 ? code : nc_plan_add(&ingest->plan, &step, err);
}

/* What an index names never changes, so a list that is there and can be read is the same one. */
static bool is_listed(struct nacre_store *store, const char *id, const char *index)
{
	NC_AUTO_FD int node = -1;
	NC_AUTO_FD int manifests = -1;
	NC_AUTO_FREE struct nc_blob_ref *blobs = NULL;
	char file[NC_DIGEST_TEXT + 8];
	size_t count;
	snprintf(file, sizeof file, "%s" NC_WHOLE, index);
	return nc_node_open(store, id, &node, NULL) == 0 && nc_dir_open(node, "manifests", &manifests, NULL) == 0 &&
	       nc_whole_read(manifests, file, &blobs, &count, NULL) == 0;
}

int nc_ingest_whole(struct nc_ingest *ingest, const char *id, const struct nc_digest *index, const struct nc_blob_ref *blobs,
		    size_t count, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf list = NC_BUF_INIT(NC_DOCUMENT_MAX);
	char hex[NC_DIGEST_TEXT];
	int there = nc_ingest_has(ingest, id, err);
	if (there <= 0)
		return there < 0 ? there : nc_fail(err, NACRE_E_NOTFOUND, 0, "no node has the ID %s", id);
	nc_digest_hex(index, hex);
	if (is_listed(ingest->store, id, hex))
		return 0;
	int code = write_list(blobs, count, &list, err);
	return code < 0 ? code : put_list(ingest, id, hex, &list, err);
}
