/* A stream through gzip, with the digest of what comes out. */
#include "store/inner.h"

#include <string.h>

static int compress(int in, int out, const struct nacre_progress *progress, struct nc_hash *hash, uint64_t *ret_size,
		    struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *plain = NULL;
	NC_CLEANUP(nc_writer_auto) struct nc_writer *packed = NULL;
	struct nc_reader *input = NULL;
	struct nc_writer *output = NULL, *hashed = NULL;
	int code = nc_reader_fd_watched(in, false, "input", progress ? progress->cancel : NULL, &input, err);
	if (code == 0)
		code = nc_reader_progress(input, progress, "input", "compressing", 0, &plain, err);
	if (code == 0)
		code = nc_writer_fd(out, false, "output", &output, err);
	if (code == 0)
		code = nc_writer_hashing(output, hash, ret_size, &hashed, err);
	if (code == 0)
		code = nc_writer_encoded(hashed, NC_GZIP, 0, &packed, err);
	if (code == 0)
		code = nc_copy_stream(plain, packed, NULL, err);
	return code < 0 ? code : nc_writer_finish(packed, err);
}

int nacre_gzip(int in, int out, const struct nacre_progress *progress, uint64_t *ret_size, char *ret_digest,
	       struct nacre_error *err)
{
	NC_CLEANUP(nc_hash_auto) struct nc_hash *hash = NULL;
	struct nc_digest digest;
	uint64_t size = 0;
	int code = nc_hash_new(NC_SHA256, &hash, err);
	if (code == 0)
		code = compress(in, out, progress, hash, &size, err);
	if (code < 0)
		return code;
	nc_hash_finish(hash, &digest);
	if (ret_size)
		*ret_size = size;
	if (ret_digest)
		nc_digest_text(&digest, ret_digest);
	return 0;
}
