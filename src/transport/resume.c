#include "transport/resume.h"

#include "transport/remote_inner.h"

#include <stdio.h>
#include <stdlib.h>

#define BLOCK ((size_t)256 << 10)

struct resumed_reader {
	struct nc_reader base;
	struct nc_remotes *remotes;
	struct nc_partial *partial;
	struct nc_digest digest;
	uint64_t size, at;
	uint64_t old;			/* so much was there */
	struct nc_reader *rest;		/* NULL until it is needed */
	char *block;
	struct nacre_error failure;	/* once it has failed */
};

static ssize_t next_old(struct resumed_reader *self, const void **ret, struct nacre_error *err)
{
	uint64_t left = self->old - self->at;
	if (!self->block && !(self->block = nc_alloc(BLOCK)))
		return nc_nomem(err);
	ssize_t n = nc_partial_read(self->partial, self->at, self->block, left < BLOCK ? (size_t)left : BLOCK, err);
	*ret = self->block;
	return n;
}

static ssize_t next_new(struct resumed_reader *self, const void **ret, struct nacre_error *err)
{
	int code = self->rest ? 0 : nc_remote_blob(self->remotes, &self->digest, self->size, self->at, &self->rest, err);
	if (code < 0)
		return code;
	ssize_t n = nc_reader_next(self->rest, ret, err);
	if (n > 0)
		code = nc_partial_append(self->partial, *ret, (size_t)n, err);
	return code < 0 ? code : n;
}

static ssize_t resumed_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct resumed_reader *self = (struct resumed_reader *)reader;
	if (self->at == self->size)
		return 0;
	struct nacre_error *why = &self->failure;
	ssize_t n = why->code ? why->code : self->at < self->old ? next_old(self, ret, why) : next_new(self, ret, why);
	if (n < 0)
		return nc_fail(err, (int)n, 0, "%s", why->msg);
	self->at += (uint64_t)n;
	return n;
}

static void resumed_close(struct nc_reader *reader)
{
	struct resumed_reader *self = (struct resumed_reader *)reader;
	nc_reader_close(self->rest);
	free(self->block);
	free(self);
}

void nc_resume_note(const struct nc_remotes *remotes, const struct nc_digest *digest, uint64_t old, uint64_t size)
{
	char text[NC_DIGEST_TEXT + 80], digest_text[NC_DIGEST_TEXT];
	snprintf(text, sizeof text, "%.19s: %.1f of %.1f MB are here from before", nc_digest_text(digest, digest_text),
		 (double)old / 1e6, (double)size / 1e6);
	nc_remote_note(remotes->list[remotes->first], text);
}

int nc_resumed_blob(struct nc_remotes *remotes, struct nc_partial *partial, const struct nc_digest *digest, uint64_t size,
		    struct nc_reader **ret, struct nacre_error *err)
{
	static const struct nc_reader_ops ops = { .next = resumed_next, .close = resumed_close };
	struct resumed_reader *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	*self = (struct resumed_reader){ .base = { &ops }, .remotes = remotes, .partial = partial, .digest = *digest,
					 .size = size, .old = nc_partial_size(partial) };
	if (self->old)
		nc_resume_note(remotes, digest, self->old, size);
	*ret = &self->base;
	return 0;
}
