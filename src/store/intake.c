#include "store/intake.h"

#include "io/fd.h"

#include <stdlib.h>
#include <string.h>

struct nc_intake {
	struct nc_reader base;
	struct nc_reader *upstream;
	struct nc_digest promised;	/* alg 0: nothing was */
	uint64_t promised_size, size;
	struct nc_hash *hash;		/* NULL when the plain bytes' digest serves */
	int copy;
	uint64_t copied, sent;		/* bytes in copy, and those on their way to the disk */
	bool copy_plain, looked, ended;
	enum nc_codec codec;
	/* the first bytes, gathered until the codec is known, and what was lent beyond them */
	char head[NC_CODEC_PEEK];
	size_t head_len;
	const char *rest;
	size_t rest_len;
};

/* --- reading ---------------------------------------------------------------------------------------------------- */

static int take_note(struct nc_intake *intake, const void *bytes, size_t len, struct nacre_error *err)
{
	if (intake->hash)
		nc_hash_add(intake->hash, bytes, len);
	if (intake->copy < 0 || (intake->codec == NC_PLAIN && !intake->copy_plain))
		return 0;
	int sys = nc_write_full(intake->copy, bytes, len);
	if (sys)
		return nc_fail(err, NACRE_E_IO, sys, "write the copy of a layer");
	intake->copied += len;
	/* one of plain bytes too is a spool, and goes again */
	if (!intake->copy_plain)
		nc_send_early(intake->copy, intake->copied, &intake->sent);
	return 0;
}

static ssize_t pull(struct nc_intake *intake, const void **ret, struct nacre_error *err)
{
	ssize_t n = nc_reader_next(intake->upstream, ret, err);
	if (n == 0)
		intake->ended = true;
	if (n <= 0)
		return n;
	intake->size += (uint64_t)n;
	if (intake->promised_size != UINT64_MAX && intake->size > intake->promised_size)
		return nc_fail(err, NACRE_E_BADDATA, 0, "more than the %llu bytes that were promised",
			       (unsigned long long)intake->promised_size);
	return n;
}

/* A plain blob need not be hashed when its bytes are hashed for the diff ID, with the same algorithm. */
static bool needs_hash(const struct nc_intake *intake)
{
	return intake->codec != NC_PLAIN || (intake->promised.alg && intake->promised.alg != NC_SHA256);
}

static int look(struct nc_intake *intake, struct nacre_error *err)
{
	while (intake->head_len < sizeof intake->head) {
		const void *bytes;
		ssize_t n = pull(intake, &bytes, err);
		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		size_t part = sizeof intake->head - intake->head_len;
		if (part > (size_t)n)
			part = (size_t)n;
		memcpy(intake->head + intake->head_len, bytes, part);
		intake->head_len += part;
		intake->rest = (const char *)bytes + part;
		intake->rest_len = (size_t)n - part;
	}
	intake->looked = true;
	intake->codec = nc_codec_of(intake->head, intake->head_len);
	if (!needs_hash(intake))
		return 0;
	return nc_hash_new(intake->promised.alg ? intake->promised.alg : NC_SHA256, &intake->hash, err);
}

static ssize_t intake_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct nc_intake *intake = (struct nc_intake *)reader;
	int code = intake->looked ? 0 : look(intake, err);
	if (code < 0)
		return code;
	ssize_t n;
	if (intake->head_len) {
		*ret = intake->head;
		n = (ssize_t)intake->head_len;
		intake->head_len = 0;
	} else if (intake->rest_len) {
		*ret = intake->rest;
		n = (ssize_t)intake->rest_len;
		intake->rest_len = 0;
	} else {
		n = intake->ended ? 0 : pull(intake, ret, err);
	}
	if (n > 0)
		code = take_note(intake, *ret, (size_t)n, err);
	return code < 0 ? code : n;
}

static void intake_close(struct nc_reader *reader)
{
	struct nc_intake *intake = (struct nc_intake *)reader;
	nc_reader_close(intake->upstream);
	nc_hash_free(intake->hash);
	free(intake);
}

static int intake_keep(struct nc_reader *reader, unsigned count, struct nacre_error *err)
{
	return nc_reader_keep(((struct nc_intake *)reader)->upstream, count, err);
}

static const struct nc_reader_ops intake_ops = { intake_next, intake_close, intake_keep };

int nc_intake_new(struct nc_reader *upstream, const struct nc_intake_options *options, struct nc_intake **ret,
		  struct nacre_error *err)
{
	struct nc_intake *intake = nc_zalloc(sizeof *intake);
	if (!intake) {
		nc_reader_close(upstream);
		return nc_nomem(err);
	}
	intake->base.ops = &intake_ops;
	intake->upstream = upstream;
	if (options->digest)
		intake->promised = *options->digest;
	intake->promised_size = options->size;
	intake->copy = options->copy;
	intake->copy_plain = options->copy_plain;
	*ret = intake;
	return 0;
}

struct nc_reader *nc_intake_reader(struct nc_intake *intake)
{
	return &intake->base;
}

enum nc_codec nc_intake_codec(const struct nc_intake *intake)
{
	return intake->codec;
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

int nc_intake_finish(struct nc_intake *intake, const struct nc_digest *flat, struct nc_digest *ret_blob,
		     uint64_t *ret_size, struct nacre_error *err)
{
	int code = nc_reader_drain(&intake->base, err);
	if (code < 0)
		return code;
	if (intake->promised_size != UINT64_MAX && intake->size != intake->promised_size)
		return nc_fail(err, NACRE_E_BADDATA, 0, "ends after %llu of the %llu bytes that were promised",
			       (unsigned long long)intake->size, (unsigned long long)intake->promised_size);
	struct nc_digest blob = *flat;
	if (intake->hash) {
		nc_hash_finish(intake->hash, &blob);
		nc_hash_free(intake->hash);
		intake->hash = NULL;
	}
	if (intake->promised.alg && !nc_digest_equal(&blob, &intake->promised)) {
		char want[NC_DIGEST_TEXT], got[NC_DIGEST_TEXT];
		return nc_fail(err, NACRE_E_DIGEST, 0, "the digest is %s, not the promised %s",
			       nc_digest_text(&blob, got), nc_digest_text(&intake->promised, want));
	}
	*ret_blob = blob;
	*ret_size = intake->size;
	return 0;
}
