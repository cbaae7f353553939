/* Readers that pass on what they read, and look at it meanwhile. */
#include "base/cancel.h"
#include "io/aside.h"
#include "io/failure.h"
#include "io/reader.h"

#include <stdlib.h>

/* --- hashing ---------------------------------------------------------------------------------------------------- */

struct hashing_reader {
	struct nc_reader base;
	struct nc_reader *upstream;
	struct nc_hash *hash;
	uint64_t *count;
};

static ssize_t hashing_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct hashing_reader *self = (struct hashing_reader *)reader;
	ssize_t n = nc_reader_next(self->upstream, ret, err);
	if (n > 0) {
		if (self->hash)
			nc_hash_add(self->hash, *ret, (size_t)n);
		if (self->count)
			*self->count += (uint64_t)n;
	}
	return n;
}

static void hashing_close(struct nc_reader *reader)
{
	struct hashing_reader *self = (struct hashing_reader *)reader;
	nc_reader_close(self->upstream);
	free(self);
}

static int hashing_keep(struct nc_reader *reader, unsigned count, struct nacre_error *err)
{
	return nc_reader_keep(((struct hashing_reader *)reader)->upstream, count, err);
}

static const struct nc_reader_ops hashing_ops = { hashing_next, hashing_close, hashing_keep };

int nc_reader_hashing(struct nc_reader *upstream, struct nc_hash *hash, uint64_t *count, struct nc_reader **ret,
		      struct nacre_error *err)
{
	struct hashing_reader *self = nc_alloc(sizeof *self);
	if (!self) {
		nc_reader_close(upstream);
		return nc_nomem(err);
	}
	*self = (struct hashing_reader){ { &hashing_ops }, upstream, hash, count };
	*ret = &self->base;
	return 0;
}

/* --- verified --------------------------------------------------------------------------------------------------- */

struct verified_reader {
	struct nc_reader base;
	struct nc_reader *upstream;
	struct nc_hash *hash;		/* NULL: no digest to check */
	struct nc_digest digest;
	uint64_t size, count;
	bool ended;
	struct nacre_error failure;
};

static int verify_end(struct verified_reader *self, struct nacre_error *err)
{
	if (self->size != UINT64_MAX && self->count < self->size)
		return nc_fail(err, NACRE_E_BADDATA, 0, "ends after %llu of %llu bytes",
			       (unsigned long long)self->count, (unsigned long long)self->size);
	if (self->hash) {
		struct nc_digest got;
		char want_text[NC_DIGEST_TEXT], got_text[NC_DIGEST_TEXT];
		nc_hash_finish(self->hash, &got);
		if (!nc_digest_equal(&got, &self->digest))
			return nc_fail(err, NACRE_E_DIGEST, 0, "digest mismatch: expected %s, got %s",
				       nc_digest_text(&self->digest, want_text), nc_digest_text(&got, got_text));
	}
	self->ended = true;
	return 0;
}

static ssize_t verified_pull(struct verified_reader *self, const void **ret, struct nacre_error *err)
{
	ssize_t n = nc_reader_next(self->upstream, ret, err);
	if (n < 0)
		return n;
	if (n == 0)
		return verify_end(self, err);
	uint64_t left = self->size - self->count;
	if (self->size != UINT64_MAX && (uint64_t)n > left)
		return nc_fail(err, NACRE_E_BADDATA, 0, "%llu bytes more than the expected %llu",
			       (unsigned long long)((uint64_t)n - left), (unsigned long long)self->size);
	self->count += (uint64_t)n;
	if (self->hash)
		nc_hash_add(self->hash, *ret, (size_t)n);
	return n;
}

static ssize_t verified_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct verified_reader *self = (struct verified_reader *)reader;
	if (self->failure.code)
		return nc_failure_tell(&self->failure, self->failure.code, err);
	if (self->ended)
		return 0;
	ssize_t n = verified_pull(self, ret, &self->failure);
	return n < 0 ? nc_failure_tell(&self->failure, (int)n, err) : n;
}

static void verified_close(struct nc_reader *reader)
{
	struct verified_reader *self = (struct verified_reader *)reader;
	nc_reader_close(self->upstream);
	nc_hash_free(self->hash);
	free(self);
}

static int verified_keep(struct nc_reader *reader, unsigned count, struct nacre_error *err)
{
	return nc_reader_keep(((struct verified_reader *)reader)->upstream, count, err);
}

static const struct nc_reader_ops verified_ops = { verified_next, verified_close, verified_keep };

int nc_reader_verified(struct nc_reader *upstream, const struct nc_digest *digest, uint64_t size,
		       struct nc_reader **ret, struct nacre_error *err)
{
	struct nc_hash *hash = NULL;
	int code = digest ? nc_hash_new(digest->alg, &hash, err) : 0;
	if (code < 0) {
		nc_reader_close(upstream);
		return code;
	}
	struct verified_reader *self = nc_zalloc(sizeof *self);
	if (!self) {
		nc_hash_free(hash);
		nc_reader_close(upstream);
		return nc_nomem(err);
	}
	self->base.ops = &verified_ops;
	self->upstream = upstream;
	self->hash = hash;
	if (digest)
		self->digest = *digest;
	self->size = size;
	*ret = &self->base;
	return 0;
}

/* --- progress --------------------------------------------------------------------------------------------------- */

struct progress_reader {
	struct nc_reader base;
	struct nc_reader *upstream;
	const struct nacre_progress *progress;
	const char *id, *what;
	uint64_t total, count, told;
	bool cancelled;
};

static void tell_progress(struct progress_reader *self)
{
	self->told = self->count;
	nc_progress_tell(self->progress, NACRE_EVENT_BYTES, self->id, self->what, self->count, self->total);
}

static ssize_t progress_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct progress_reader *self = (struct progress_reader *)reader;
	if (nc_cancelled(self->progress->cancel))
		self->cancelled = true;
	if (self->cancelled)
		return nc_fail(err, NACRE_E_CANCELLED, 0, "cancelled");
	ssize_t n = nc_reader_next(self->upstream, ret, err);
	if (n > 0)
		self->count += (uint64_t)n;
	if (self->count - self->told >= NC_PROGRESS_STEP || (n == 0 && self->count != self->told))
		tell_progress(self);
	return n;
}

static void progress_close(struct nc_reader *reader)
{
	struct progress_reader *self = (struct progress_reader *)reader;
	nc_reader_close(self->upstream);
	free(self);
}

static int progress_keep(struct nc_reader *reader, unsigned count, struct nacre_error *err)
{
	return nc_reader_keep(((struct progress_reader *)reader)->upstream, count, err);
}

static const struct nc_reader_ops progress_ops = { progress_next, progress_close, progress_keep };

int nc_reader_progress(struct nc_reader *upstream, const struct nacre_progress *progress, const char *id,
		       const char *what, uint64_t total, struct nc_reader **ret, struct nacre_error *err)
{
	if (!progress) {
		*ret = upstream;
		return 0;
	}
	struct progress_reader *self = nc_zalloc(sizeof *self);
	if (!self) {
		nc_reader_close(upstream);
		return nc_nomem(err);
	}
	self->base.ops = &progress_ops;
	self->upstream = upstream;
	self->progress = progress;
	self->id = id;
	self->what = what;
	self->total = total;
	*ret = &self->base;
	return 0;
}
