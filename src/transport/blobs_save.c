#include "transport/blobs_save.h"

#include "base/map.h"
#include "io/fd.h"
#include "io/path.h"
#include "transport/archive_save.h"
#include "transport/flow.h"
#include "transport/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct nc_blobs_out {
	struct nacre_store *store;
	struct nc_archive_out *archive;	/* NULL: a directory */
	enum nc_blobs_shape shape;
	struct nc_outplace place;
	int root;			/* the directory that is written */
	int blobs;			/* where blobs go in it */
	bool existed;			/* root is the place itself; else it has the hidden name */
	bool made_top, made_blobs;	/* directories that a layout lacked */
	char hidden[48];		/* "" once it was renamed */
	char (*created)[NC_DIGEST_TEXT];	/* blobs made in an existing directory */
	size_t created_count;
	bool committed;
	struct nc_map *written;		/* digests in it, verified; value: itself */
	struct nc_map *layers;		/* diff ID -> struct nc_layer_file */
};


/* --- directories ------------------------------------------------------------------------------------------------ */

static int look_for_strangers(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	const enum nc_blobs_shape *shape = ctx;
	struct nc_digest digest;
	if (*shape == NC_BLOBS_LAYOUT)
		return strcmp(name, "blobs") && strcmp(name, "index.json") && strcmp(name, "oci-layout");
	return strcmp(name, "version") && strcmp(name, "manifest.json") && strncmp(name, "signature-", 10) &&
	       nc_digest_from_hex_id(name, &digest, NULL) < 0;
}

/* A directory that is there may be empty or of the same kind. */
static int check_existing(struct nc_blobs_out *out, int dir, const char *path, struct nacre_error *err)
{
	static const char *const marks[] = { [NC_BLOBS_LAYOUT] = "index.json", [NC_BLOBS_FLAT] = "version" };
	if (faccessat(dir, marks[out->shape], F_OK, 0) == 0 && out->shape == NC_BLOBS_LAYOUT)
		return 0;
	int code = nc_dir_each(dir, look_for_strangers, &out->shape, err);
	if (code > 0)
		return nc_fail(err, NACRE_E_EXISTS, 0, "'%s' is a directory with other things in it", path);
	return code;
}

static int make_hidden(struct nc_blobs_out *out, struct nacre_error *err)
{
	char name[48];
	nc_temporary_name(name);
	if (mkdirat(out->place.dir, name, 0755) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "make a directory");
	memcpy(out->hidden, name, sizeof name);
	return nc_dir_open(out->place.dir, name, &out->root, err);
}

static int make_dir(int dir, const char *name, bool *ret_made, int *ret_fd, struct nacre_error *err)
{
	*ret_made = mkdirat(dir, name, 0755) == 0;
	if (!*ret_made && errno != EEXIST)
		return nc_fail(err, NACRE_E_IO, errno, "make the directory '%s'", name);
	return nc_dir_open(dir, name, ret_fd, err);
}

static int open_blobs(struct nc_blobs_out *out, struct nacre_error *err)
{
	if (out->shape == NC_BLOBS_FLAT)
		return nc_dir_open(out->root, ".", &out->blobs, err);
	int top NC_AUTO_FD = -1;
	int code = make_dir(out->root, "blobs", &out->made_top, &top, err);
	return code < 0 ? code : make_dir(top, "sha256", &out->made_blobs, &out->blobs, err);
}

static int open_root(struct nc_blobs_out *out, const char *path, struct nacre_error *err)
{
	int existing NC_AUTO_FD = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (existing < 0 && errno != ENOENT)
		return nc_fail(err, errno == ENOTDIR ? NACRE_E_EXISTS : NACRE_E_IO, errno, "open '%s'", path);
	int code = existing >= 0 ? check_existing(out, existing, path, err) : 0;
	if (code < 0)
		return code;
	if (existing >= 0 && out->shape == NC_BLOBS_LAYOUT) {
		out->existed = true;
		out->root = nc_fd_give(&existing);
		return 0;
	}
	code = nc_outplace_open(path, &out->place, err);
	return code < 0 ? code : make_hidden(out, err);
}

/* --- opening and closing ---------------------------------------------------------------------------------------- */

static struct nc_blobs_out *out_new(struct nacre_store *store)
{
	struct nc_blobs_out *out = nc_zalloc(sizeof *out);
	if (!out)
		return NULL;
	out->store = store;
	out->root = out->blobs = out->place.dir = -1;
	out->written = nc_map_new();
	out->layers = nc_map_new();
	if (out->written && out->layers)
		return out;
	nc_blobs_out_free(out);
	return NULL;
}

int nc_blobs_out_dir(const char *path, enum nc_blobs_shape shape, struct nacre_store *store,
		     struct nc_blobs_out **ret, struct nacre_error *err)
{
	struct nc_blobs_out *out = out_new(store);
	if (!out)
		return nc_nomem(err);
	out->shape = shape;
	int code = open_root(out, path, err);
	if (code >= 0)
		code = open_blobs(out, err);
	if (code < 0) {
		nc_blobs_out_free(out);
		return nc_wrap(err, code, "write '%s'", path);
	}
	*ret = out;
	return 0;
}

int nc_blobs_out_archive(const char *path, struct nacre_store *store, struct nc_blobs_out **ret,
			 struct nacre_error *err)
{
	struct nc_blobs_out *out = out_new(store);
	if (!out)
		return nc_nomem(err);
	int code = nc_archive_out_open(path, &out->archive, err);
	if (code < 0) {
		nc_blobs_out_free(out);
		return code;
	}
	*ret = out;
	return 0;
}

static void take_back(struct nc_blobs_out *out)
{
	if (*out->hidden)
		nc_tree_remove(out->place.dir, out->hidden, NULL);
	if (out->committed || !out->existed)
		return;
	for (size_t i = 0; i < out->created_count; i++)
		unlinkat(out->blobs, out->created[i], 0);
	if (out->made_blobs)
		unlinkat(out->root, "blobs/sha256", AT_REMOVEDIR);
	if (out->made_top)
		unlinkat(out->root, "blobs", AT_REMOVEDIR);
}

static int free_value(void *ctx, const char *key, size_t len, void *value)
{
	free(value);
	return 0;
}

void nc_blobs_out_free(struct nc_blobs_out *out)
{
	if (!out)
		return;
	take_back(out);
	free(out->created);
	nc_archive_out_free(out->archive);
	nc_fd_release(&out->blobs);
	nc_fd_release(&out->root);
	nc_outplace_release(&out->place);
	nc_map_free(out->written);
	if (out->layers)
		nc_map_each(out->layers, free_value, NULL);
	nc_map_free(out->layers);
	free(out);
}

/* --- blobs ------------------------------------------------------------------------------------------------------ */

static bool is_written(const struct nc_blobs_out *out, const struct nc_digest *digest)
{
	return nc_map_get(out->written, digest, sizeof *digest) != NULL;
}

static int note_written(struct nc_blobs_out *out, const struct nc_digest *digest, struct nacre_error *err)
{
	return nc_map_set(out->written, digest, sizeof *digest, out, NULL, err);
}

/* Names a file of the blobs' directory by its digest. What was there under that name goes. */
static int publish_blob(struct nc_blobs_out *out, struct nc_outfile *file, const struct nc_digest *digest,
			struct nacre_error *err)
{
	char hex[NC_DIGEST_TEXT];
	nc_digest_hex(digest, hex);
	bool there = out->existed && faccessat(out->blobs, hex, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	if (!there) {
		void *created = nc_realloc_array(out->created, out->created_count + 1, sizeof *out->created);
		if (!created)
			return nc_nomem(err);
		out->created = created;
		memcpy(out->created[out->created_count++], hex, sizeof hex);
	}
	int code = nc_outfile_publish(file, hex, true, false, err);
	return code < 0 ? code : note_written(out, digest, err);
}

static void archive_name(const struct nc_digest *digest, char ret[16 + NC_DIGEST_TEXT])
{
	char text[NC_DIGEST_TEXT], hex[NC_DIGEST_TEXT];
	nc_digest_text(digest, text);
	snprintf(ret, 16 + NC_DIGEST_TEXT, "blobs/%.*s/%s", (int)strcspn(text, ":"), text,
		 nc_digest_hex(digest, hex));
}

int nc_blobs_out_document(struct nc_blobs_out *out, const void *bytes, size_t len, struct nc_digest *ret,
			  struct nacre_error *err)
{
	int code = nc_digest_of(bytes, len, ret, err);
	if (code < 0 || is_written(out, ret))
		return code < 0 ? code : 0;
	if (out->archive) {
		char name[16 + NC_DIGEST_TEXT];
		archive_name(ret, name);
		code = nc_archive_out_bytes(out->archive, name, bytes, len, err);
		return code < 0 ? code : note_written(out, ret, err);
	}
	struct nc_outfile file;
	code = nc_outfile_open(out->blobs, &file, err);
	if (code < 0)
		return code;
	int sys = nc_write_full(file.fd, bytes, len);
	code = sys ? nc_fail(err, NACRE_E_IO, sys, "write a blob") : publish_blob(out, &file, ret, err);
	nc_outfile_release(&file);
	return code < 0 ? code : 0;
}

bool nc_blobs_out_has_blob(const struct nc_blobs_out *out, const struct nc_digest *digest)
{
	return is_written(out, digest);
}

static int blob_to_dir(struct nc_blobs_out *out, const struct nc_digest *digest, struct nc_reader *reader,
		       struct nacre_error *err)
{
	NC_CLEANUP(nc_writer_auto) struct nc_writer *writer = NULL;
	struct nc_outfile file;
	int code = nc_outfile_open(out->blobs, &file, err);
	if (code < 0)
		return code;
	code = nc_writer_fd(file.fd, false, "a blob", &writer, err);
	if (code >= 0)
		code = nc_copy_stream(reader, writer, NULL, err);
	if (code >= 0)
		code = nc_writer_finish(writer, err);
	if (code >= 0)
		code = publish_blob(out, &file, digest, err);
	nc_outfile_release(&file);
	return code;
}

int nc_blobs_out_blob(struct nc_blobs_out *out, const struct nc_digest *digest, uint64_t size, struct nc_reader *blob,
		      struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	char name[16 + NC_DIGEST_TEXT];
	int code = nc_reader_verified(blob, digest, size, &reader, err);
	if (code < 0)
		return code;
	if (digest->alg != NC_SHA256)
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "blobs are written by sha256 alone");
	if (!out->archive)
		return blob_to_dir(out, digest, reader, err);
	archive_name(digest, name);
	code = nc_archive_out_stream(out->archive, name, size, reader, err);
	return code < 0 ? code : note_written(out, digest, err);
}

/* --- layers ----------------------------------------------------------------------------------------------------- */

static int note_layer(struct nc_blobs_out *out, const struct nc_digest *diff_id, const struct nc_layer_file *done,
		      struct nacre_error *err)
{
	struct nc_layer_file *kept = nc_alloc(sizeof *kept);
	if (!kept)
		return nc_nomem(err);
	*kept = *done;
	void *old = NULL;
	int code = nc_map_set(out->layers, diff_id, sizeof *diff_id, kept, &old, err);
	free(code < 0 ? kept : old);
	return code;
}

/* Reads a blob that lies in an existing layout under the digest of this layer. 1 when it is the layer. */
static int verify_existing(struct nc_blobs_out *out, const struct nc_offer_layer *layer, struct nc_layer_file *ret)
{
	char hex[NC_DIGEST_TEXT];
	struct nc_digest diff_id;
	int fd = openat(out->blobs, nc_digest_hex(&layer->blob, hex),
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	struct nc_reader *reader;
	enum nc_codec comes;
	NC_CLEANUP(nc_flow_auto) struct nc_flow *flow = NULL;
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return 0;
	}
	if (nc_reader_fd(fd, true, hex, &reader, NULL) < 0 || nc_flow_peek(reader, &comes, &reader, NULL) < 0 ||
	    nc_flow_open(out->store, reader, layer, true, NULL, &flow, NULL) < 0 || nc_reader_drain(flow->reader, NULL) < 0 ||
	    nc_flow_end(flow, layer, &diff_id, NULL) < 0)
		return 0;
	*ret = (struct nc_layer_file){ flow->raw, flow->raw_size, comes };
	return 1;
}

int nc_blobs_out_has(struct nc_blobs_out *out, const struct nc_offer_layer *layer, const struct nc_blobs_wish *wish,
		     struct nc_descriptor *ret, struct nacre_error *err)
{
	struct nc_layer_file found;
	const struct nc_layer_file *done = layer->diff_id.alg
						? nc_map_get(out->layers, &layer->diff_id, sizeof layer->diff_id)
						: NULL;
	bool exact = layer->blob.alg && done && nc_digest_equal(&done->digest, &layer->blob);
	if (exact || (done && !wish->as_it_comes)) {
		nc_layer_describe(done, wish, ret);
		return 1;
	}
	if (!out->existed || !layer->blob.alg || !layer->diff_id.alg || !verify_existing(out, layer, &found) ||
	    nc_layer_codec(wish, found.codec) != found.codec)
		return 0;
	int code = note_layer(out, &layer->diff_id, &found, err);
	if (code >= 0)
		code = note_written(out, &found.digest, err);
	nc_layer_describe(&found, wish, ret);
	return code < 0 ? code : 1;
}

static int layer_to_dir(struct nc_blobs_out *out, const struct nc_offer_layer *layer, enum nc_codec codec, bool raw,
			struct nc_reader *blob, struct nc_layer_file *ret, struct nc_digest *ret_diff_id,
			struct nacre_error *err)
{
	struct nc_outfile file;
	int code = nc_outfile_open(out->blobs, &file, err);
	if (code < 0) {
		nc_reader_close(blob);
		return code;
	}
	code = nc_layer_file_write(out->store, file.fd, layer, codec, raw, blob, ret, ret_diff_id, err);
	if (code >= 0 && !is_written(out, &ret->digest))
		code = publish_blob(out, &file, &ret->digest, err);
	nc_outfile_release(&file);
	return code;
}

/* Its name and length stand before a member: a layer whose digest is not known yet is kept aside first. */
static int layer_to_archive(struct nc_blobs_out *out, const struct nc_offer_layer *layer, enum nc_codec codec,
			    bool raw, struct nc_reader *blob, struct nc_layer_file *ret, struct nc_digest *ret_diff_id,
			    struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = blob;
	char name[16 + NC_DIGEST_TEXT];
	struct nc_writer *writer;
	if (raw && layer->blob.alg == NC_SHA256 && layer->blob_size != UINT64_MAX) {
		archive_name(&layer->blob, name);
		int code = nc_archive_out_begin(out->archive, name, layer->blob_size, &writer, err);
		if (code >= 0)
			code = nc_layer_stream(out->store, layer, raw, NC_GIVE(reader), writer, ret, ret_diff_id, err);
		ret->codec = codec;
		return code < 0 ? code : note_written(out, &layer->blob, err);
	}
	int fd NC_AUTO_FD = -1;
	struct nc_spool spool = nc_archive_out_spool(out->archive, out->store);
	int code = nc_spool_file(&spool, &fd, err);
	if (code >= 0)
		code = nc_layer_file_write(out->store, fd, layer, codec, raw, NC_GIVE(reader), ret, ret_diff_id, err);
	if (code < 0 || is_written(out, &ret->digest))
		return code;
	archive_name(&ret->digest, name);
	code = nc_reader_file_range(fd, 0, ret->size, name, &reader, err);
	if (code >= 0)
		code = nc_archive_out_stream(out->archive, name, ret->size, reader, err);
	return code < 0 ? code : note_written(out, &ret->digest, err);
}

int nc_blobs_out_layer(struct nc_blobs_out *out, const struct nc_offer_layer *layer, const struct nc_blobs_wish *wish,
		       struct nc_reader *blob, struct nc_descriptor *ret, struct nc_digest *ret_diff_id,
		       struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	enum nc_codec comes;
	struct nc_layer_file done;
	int code = nc_flow_peek(blob, &comes, &reader, err);
	if (code < 0)
		return code;
	enum nc_codec codec = nc_layer_codec(wish, comes);
	code = out->archive
		       ? layer_to_archive(out, layer, codec, codec == comes, NC_GIVE(reader), &done, ret_diff_id, err)
		       : layer_to_dir(out, layer, codec, codec == comes, NC_GIVE(reader), &done, ret_diff_id, err);
	if (code >= 0)
		code = note_layer(out, ret_diff_id, &done, err);
	if (code < 0)
		return code;
	nc_layer_describe(&done, wish, ret);
	return 0;
}

/* --- files with fixed names ------------------------------------------------------------------------------------- */

int nc_blobs_out_current(struct nc_blobs_out *out, const char *name, char **ret, size_t *ret_len,
			 struct nacre_error *err)
{
	if (out->archive)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "no '%s' yet", name);
	return nc_file_read(out->root, name, NC_DOCUMENT_MAX, ret, ret_len, err);
}

int nc_blobs_out_file(struct nc_blobs_out *out, const char *name, const void *bytes, size_t len,
		      struct nacre_error *err)
{
	if (out->archive)
		return nc_archive_out_bytes(out->archive, name, bytes, len, err);
	struct nc_outfile file;
	int code = nc_outfile_open(out->root, &file, err);
	if (code < 0)
		return code;
	int sys = nc_write_full(file.fd, bytes, len);
	code = sys ? nc_fail(err, NACRE_E_IO, sys, "write '%s'", name)
		   : nc_outfile_publish(&file, name, true, true, err);
	nc_outfile_release(&file);
	return code;
}

int nc_blobs_out_lock(struct nc_blobs_out *out, struct nacre_error *err)
{
	while (out->existed && flock(out->root, LOCK_EX) < 0)
		if (errno != EINTR)
			return nc_fail(err, NACRE_E_IO, errno, "lock the directory");
	return 0;
}

int nc_blobs_out_flush(struct nc_blobs_out *out, struct nacre_error *err)
{
	if (out->root >= 0 && syncfs(out->root) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "sync the directory");
	return 0;
}

/* Puts the finished directory where it belongs; one that is there goes. */
static int rename_hidden(struct nc_blobs_out *out, struct nacre_error *err)
{
	int dir = out->place.dir;
	if (renameat(dir, out->hidden, dir, out->place.name) == 0) {
		*out->hidden = '\0';
		return 0;
	}
	if (out->shape != NC_BLOBS_FLAT || (errno != ENOTEMPTY && errno != EEXIST))
		return nc_fail(err, errno == ENOTEMPTY || errno == EEXIST ? NACRE_E_EXISTS : NACRE_E_IO, errno,
			       "write '%s'", out->place.name);
	/* the old one then has the hidden name, under which it is removed */
	if (renameat2(dir, out->hidden, dir, out->place.name, RENAME_EXCHANGE) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "write '%s'", out->place.name);
	return 0;
}

int nc_blobs_out_commit(struct nc_blobs_out *out, struct nacre_error *err)
{
	if (out->archive)
		return nc_archive_out_commit(out->archive, err);
	if (fsync(out->root) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "sync the directory");
	out->committed = true;
	if (out->existed)
		return 0;
	int code = rename_hidden(out, err);
	if (code >= 0 && fsync(out->place.dir) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "sync the directory of '%s'", out->place.name);
	return code;
}
