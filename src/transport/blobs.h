/* A place that holds blobs by digest beside a few documents with fixed names: an OCI layout, as a directory or in an
 * archive, or a directory of the dir: transport. */
#ifndef NC_TRANSPORT_BLOBS_H
#define NC_TRANSPORT_BLOBS_H

#include "io/digest.h"
#include "transport/archive.h"

/* Manifests, indexes and configs. */
#define NC_DOCUMENT_MAX ((size_t)4 << 20)

struct nc_blobs;

enum nc_blobs_shape {
	NC_BLOBS_LAYOUT,	/* blobs/sha256/<hex> */
	NC_BLOBS_FLAT,		/* <hex> */
};

/* dir is taken, also on failure. Files are opened by names made of digests alone, beneath dir; links that lead out
 * of it are refused. */
int nc_blobs_of_dir(int dir, enum nc_blobs_shape shape, struct nc_blobs **ret, struct nacre_error *err);
/* archive is borrowed. */
int nc_blobs_of_archive(const struct nc_archive *archive, struct nc_blobs **ret, struct nacre_error *err);
void nc_blobs_free(struct nc_blobs *blobs);
NC_DEFINE_CLEANUP(nc_blobs_auto, struct nc_blobs *, nc_blobs_free)

/* A blob's bytes as they lie there. size is what its descriptor says: NACRE_E_BADDATA when it is another one.
 * NACRE_E_NOTFOUND. */
int nc_blobs_open(const struct nc_blobs *blobs, const struct nc_digest *digest, uint64_t size, struct nc_reader **ret,
		  struct nacre_error *err);
/* 1 when nc_blobs_open would find it. */
int nc_blobs_has(const struct nc_blobs *blobs, const struct nc_digest *digest, struct nacre_error *err);
/* A whole blob of at most NC_DOCUMENT_MAX bytes, verified. what names it in messages ("manifest"). Given (free()),
 * NUL-terminated, size bytes. */
int nc_blobs_document(const struct nc_blobs *blobs, const struct nc_digest *digest, uint64_t size, const char *what,
		      char **ret, struct nacre_error *err);
/* A document with a fixed name: index.json, oci-layout, manifest.json. NACRE_E_NOTFOUND. */
int nc_blobs_file(const struct nc_blobs *blobs, const char *name, char **ret, size_t *ret_len,
		  struct nacre_error *err);

#endif
