/* Writing a place that holds blobs by digest: an OCI layout, as a directory or as an archive, or a directory of the
 * dir: transport. The writing twin of blobs.h.
 *
 * A directory that is not there is made beside its place under a hidden name and renamed at the commit. An OCI
 * layout that is there is added to: blobs first, index.json last, by one rename. A directory of the dir: transport
 * that is there is exchanged whole. */
#ifndef NC_TRANSPORT_BLOBS_SAVE_H
#define NC_TRANSPORT_BLOBS_SAVE_H

#include "image/manifest.h"
#include "transport/blobs.h"
#include "transport/layer_file.h"
#include "transport/transport.h"

struct nc_blobs_out;

/* NACRE_E_EXISTS when something else is there. */
int nc_blobs_out_dir(const char *path, enum nc_blobs_shape shape, struct nacre_store *store,
		     struct nc_blobs_out **ret, struct nacre_error *err);
int nc_blobs_out_archive(const char *path, struct nacre_store *store, struct nc_blobs_out **ret,
			 struct nacre_error *err);
void nc_blobs_out_free(struct nc_blobs_out *out);

/* A config or manifest; once written it is not written again. */
int nc_blobs_out_document(struct nc_blobs_out *out, const void *bytes, size_t len, struct nc_digest *ret,
			  struct nacre_error *err);

/* 1 when the layer is there already, as wished; ret (media_type static) then tells what it is. What an existing
 * layout holds under a digest is believed only after it was read. */
int nc_blobs_out_has(struct nc_blobs_out *out, const struct nc_offer_layer *layer, const struct nc_blobs_wish *wish,
		     struct nc_descriptor *ret, struct nacre_error *err);
/* Writes it (blob is taken) and tells what it became. */
int nc_blobs_out_layer(struct nc_blobs_out *out, const struct nc_offer_layer *layer, const struct nc_blobs_wish *wish,
		       struct nc_reader *blob, struct nc_descriptor *ret, struct nc_digest *ret_diff_id,
		       struct nacre_error *err);

/* Whether a blob has been written, of whatever kind. */
bool nc_blobs_out_has_blob(const struct nc_blobs_out *out, const struct nc_digest *digest);
/* Writes one as it comes; blob (taken) is verified. */
int nc_blobs_out_blob(struct nc_blobs_out *out, const struct nc_digest *digest, uint64_t size, struct nc_reader *blob,
		      struct nacre_error *err);

/* What a file with a fixed name holds now; NACRE_E_NOTFOUND. given (free()). */
int nc_blobs_out_current(struct nc_blobs_out *out, const char *name, char **ret, size_t *ret_len,
			 struct nacre_error *err);
/* Sets a file with a fixed name. In an existing directory it is replaced at once: last of all things. */
int nc_blobs_out_file(struct nc_blobs_out *out, const char *name, const void *bytes, size_t len,
		      struct nacre_error *err);
/* Waits until nobody else is between the two calls above and the commit. */
int nc_blobs_out_lock(struct nc_blobs_out *out, struct nacre_error *err);
/* Makes the blobs durable; call before nc_blobs_out_file. */
int nc_blobs_out_flush(struct nc_blobs_out *out, struct nacre_error *err);
int nc_blobs_out_commit(struct nc_blobs_out *out, struct nacre_error *err);

#endif
