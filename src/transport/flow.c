#include "transport/flow.h"

#include "io/ahead.h"
#include "transport/spool.h"

#include <stdlib.h>

/* --- peeking ---------------------------------------------------------------------------------------------------- */

struct peeked_reader {
	struct nc_reader base;
	struct nc_reader *upstream;
	const void *first;		/* lent by upstream, which is not asked again before this was given out */
	ssize_t len;
	bool given;
};

static ssize_t peeked_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct peeked_reader *self = (struct peeked_reader *)reader;
	if (self->given)
		return nc_reader_next(self->upstream, ret, err);
	self->given = true;
	*ret = self->first;
	return self->len;
}

static void peeked_close(struct nc_reader *reader)
{
	struct peeked_reader *self = (struct peeked_reader *)reader;
	nc_reader_close(self->upstream);
	free(self);
}

static int peeked_keep(struct nc_reader *reader, unsigned count, struct nacre_error *err)
{
	return nc_reader_keep(((struct peeked_reader *)reader)->upstream, count, err);
}

static const struct nc_reader_ops peeked_ops = { peeked_next, peeked_close, peeked_keep };

int nc_flow_peek(struct nc_reader *blob, enum nc_codec *ret_codec, struct nc_reader **ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *taken = blob;
	const void *first;
	ssize_t len = nc_reader_next(blob, &first, err);
	if (len < 0)
		return (int)len;
	struct peeked_reader *self = nc_alloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	*self = (struct peeked_reader){ { &peeked_ops }, NC_GIVE(taken), first, len, false };
	*ret_codec = nc_codec_of(first, (size_t)len);
	*ret = &self->base;
	return 0;
}

/* --- checking --------------------------------------------------------------------------------------------------- */

void nc_flow_free(struct nc_flow *flow)
{
	if (!flow)
		return;
	nc_reader_close(flow->reader);
	nc_hash_free(flow->raw_hash);
	nc_hash_free(flow->plain_hash);
	free(flow);
}

/* From the raw bytes to what they hold. */
static int open_plain(struct nc_flow *flow, bool threads, struct nc_reader *raw, enum nc_digest_alg raw_alg,
		      enum nc_digest_alg alg, struct nc_reader **ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	int code = nc_reader_decoded(raw, &flow->codec, &reader, err);
	if (code >= 0 && (flow->codec != NC_PLAIN || raw_alg != alg))
		code = nc_hash_new(alg, &flow->plain_hash, err);
	return code < 0 ? code : nc_reader_counted(threads, NC_GIVE(reader), flow->plain_hash, &flow->plain_size, ret, err);
}

static int open_flow(bool threads, struct nc_reader *blob, const struct nc_offer_layer *layer, bool unseen, struct nc_writer *copy,
		     struct nc_flow **ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = blob;
	NC_CLEANUP(nc_flow_auto) struct nc_flow *flow = nc_zalloc(sizeof *flow);
	if (!flow)
		return nc_nomem(err);
	enum nc_digest_alg raw = layer->blob.alg ? layer->blob.alg : NC_SHA256;
	enum nc_digest_alg plain = layer->diff_id.alg ? layer->diff_id.alg : NC_SHA256;
	int code = layer->proved ? 0 : nc_hash_new(raw, &flow->raw_hash, err);
	if (code >= 0)
		code = nc_reader_verified(NC_GIVE(reader), NULL, layer->blob_size, &reader, err);
	if (code >= 0)
		code = nc_reader_counted(threads, NC_GIVE(reader), flow->raw_hash, &flow->raw_size, &reader, err);
	if (code >= 0 && copy)
		code = nc_reader_tee(NC_GIVE(reader), copy, &reader, err);
	if (code >= 0 && !unseen)
		code = open_plain(flow, threads, NC_GIVE(reader), raw, plain, &reader, err);
	if (code < 0)
		return code;
	flow->reader = NC_GIVE(reader);
	flow->unseen = unseen;
	*ret = NC_GIVE(flow);
	return 0;
}

int nc_flow_open(const struct nacre_store *store, struct nc_reader *blob, const struct nc_offer_layer *layer, bool raw,
		 struct nc_writer *copy, struct nc_flow **ret, struct nacre_error *err)
{
	return open_flow(nc_store_threads(store), blob, layer, raw && layer->known, copy, ret, err);
}

static int mismatch(const char *what, const struct nc_digest *expected, const struct nc_digest *got,
		    struct nacre_error *err)
{
	char expected_text[NC_DIGEST_TEXT], got_text[NC_DIGEST_TEXT];
	return nc_fail(err, NACRE_E_DIGEST, 0, "%s mismatch: expected %s, got %s", what,
		       nc_digest_text(expected, expected_text), nc_digest_text(got, got_text));
}

int nc_flow_end(struct nc_flow *flow, const struct nc_offer_layer *layer, struct nc_digest *ret_diff_id,
		struct nacre_error *err)
{
	struct nc_digest diff_id;
	if (flow->raw_hash)
		nc_hash_finish(flow->raw_hash, &flow->raw);
	else
		flow->raw = layer->blob;
	diff_id = flow->unseen ? layer->diff_id : flow->raw;
	if (flow->plain_hash)
		nc_hash_finish(flow->plain_hash, &diff_id);
	if (layer->blob_size != UINT64_MAX && flow->raw_size != layer->blob_size)
		return nc_fail(err, NACRE_E_BADDATA, 0, "%llu of %llu bytes are the layer, something else follows",
			       (unsigned long long)flow->raw_size, (unsigned long long)layer->blob_size);
	if (layer->blob.alg && !nc_digest_equal(&layer->blob, &flow->raw))
		return mismatch("digest", &layer->blob, &flow->raw, err);
	if (layer->diff_id.alg && !nc_digest_equal(&layer->diff_id, &diff_id))
		return mismatch("diff ID", &layer->diff_id, &diff_id, err);
	*ret_diff_id = diff_id;
	return 0;
}

int nc_flow_diff_id(struct nc_reader *blob, struct nc_digest *ret, struct nacre_error *err)
{
	const struct nc_offer_layer anything = { .blob_size = UINT64_MAX };
	NC_CLEANUP(nc_flow_auto) struct nc_flow *flow = NULL;
	int code = open_flow(false, blob, &anything, false, NULL, &flow, err);
	if (code >= 0)
		code = nc_reader_drain(flow->reader, err);
	return code < 0 ? code : nc_flow_end(flow, &anything, ret, err);
}
