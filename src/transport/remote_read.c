/* Documents and blobs of a remote. */
#include "transport/remote_inner.h"

#include "base/buf.h"
#include "image/schema1.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A body that breaks off is fetched anew so often. */
#define DOCUMENT_TRIES 4

/* --- manifests -------------------------------------------------------------------------------------------------- */

void nc_remote_document_release(struct nc_remote_document *document)
{
	free(document->bytes);
	free(document->media_type);
	*document = (struct nc_remote_document){ 0 };
}

/* "application/json; charset=utf-8" without what follows the type. */
static int take_type(const struct nc_http_answer *answer, struct nc_remote_document *ret, struct nacre_error *err)
{
	const char *type = nc_http_header_get(answer, "Content-Type", 0);
	ret->media_type = type ? nc_memdup(type, strcspn(type, "; \t")) : nc_strdup("");
	return ret->media_type ? 0 : nc_nomem(err);
}

/* The digest of what came is the one asked for, and the one that the registry says. */
static int check_digest(const struct nc_http_answer *answer, const char *reference, struct nc_remote_document *ret,
			struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf payload = NC_BUF_INIT(NC_REMOTE_DOCUMENT_MAX);
	const char *bytes = ret->bytes;
	size_t len = ret->len;
	if (nc_is_schema1(ret->media_type, bytes, len)) {
		int code = nc_schema1_payload(bytes, len, &payload, err);
		if (code < 0)
			return code;
		bytes = nc_buf_text(&payload);
		len = payload.len;
	}
	const char *claim = nc_http_header_get(answer, "Docker-Content-Digest", 0);
	const char *const wanted[] = { strchr(reference, ':') ? reference : NULL, claim };
	for (size_t i = 0; i < 2; i++) {
		NC_CLEANUP(nc_hash_auto) struct nc_hash *hash = NULL;
		struct nc_digest promised, got;
		if (!wanted[i] || nc_digest_parse(wanted[i], &promised, NULL) < 0)
			continue;
		int code = nc_hash_new(promised.alg, &hash, err);
		if (code < 0)
			return code;
		nc_hash_add(hash, bytes, len);
		nc_hash_finish(hash, &got);
		if (!nc_digest_equal(&got, &promised)) {
			char text[NC_DIGEST_TEXT];
			return nc_fail(err, NACRE_E_DIGEST, 0, "manifest %s has the digest %s, not %s%s", reference,
				       nc_digest_text(&got, text), i ? "what the registry says: " : "", wanted[i]);
		}
	}
	return nc_digest_of(bytes, len, &ret->digest, err);
}

/* ret_broke: the answer came, and broke off. */
static int get_manifest(struct nc_remote *remote, const char *reference, struct nc_remote_document *ret,
			bool *ret_broke, struct nacre_error *err)
{
	NC_CLEANUP(nc_http_answer_auto) struct nc_http_answer *answer = NULL;
	char path[256];
	static const struct nc_http_header headers[] = { { "Accept", NC_REMOTE_ACCEPT }, { NULL, NULL } };
	snprintf(path, sizeof path, "manifests/%.200s", reference);
	const struct nc_remote_call call = { .method = "GET", .path = path, .scope = "pull", .headers = headers };
	*ret_broke = false;
	int code = nc_remote_call(remote, &call, &answer, err);
	if (code < 0)
		return code;
	if (nc_http_status(answer) != 200) {
		snprintf(path, sizeof path, "%s %.200s", strchr(reference, ':') ? "manifest" : "tag", reference);
		return nc_remote_refused(remote, answer, path, err);
	}
	code = nc_remote_body(answer, NC_REMOTE_DOCUMENT_MAX, &ret->bytes, &ret->len, err);
	*ret_broke = code == NACRE_E_REMOTE;
	if (code >= 0)
		code = take_type(answer, ret, err);
	return code < 0 ? code : check_digest(answer, reference, ret, err);
}

int nc_remote_manifest(struct nc_remote *remote, const char *reference, struct nc_remote_document *ret,
		       struct nacre_error *err)
{
	struct nc_remote_document document = { 0 };
	struct nacre_error why = { 0 };
	int code = 0;
	for (unsigned try = 0; try < DOCUMENT_TRIES; try++) {
		bool broke;
		code = get_manifest(remote, reference, &document, &broke, &why);
		if (code >= 0) {
			*ret = document;
			return 0;
		}
		nc_remote_document_release(&document);
		if (!broke || try == DOCUMENT_TRIES - 1 || nc_remote_wait(remote, try, 0, why.msg, code, &why) < 0)
			break;
	}
	return nc_fail(err, why.code, 0, "%s", why.msg);
}

/* --- blobs ------------------------------------------------------------------------------------------------------ */

struct blob_reader {
	struct nc_reader base;
	struct nc_remotes *remotes;
	size_t current;
	struct nc_digest digest;
	uint64_t size, at;
	uint64_t skip;			/* bytes to pass over: the server sends all of it */
	struct nc_http_answer *answer;
	unsigned tries;			/* since bytes came last */
	bool ended;
	struct nacre_error failure;
};

static struct nc_remote *current_of(const struct blob_reader *self)
{
	return self->remotes->list[self->current];
}

static int take_range(struct blob_reader *self, const struct nc_http_answer *answer, struct nacre_error *err)
{
	const char *text = nc_http_header_get(answer, "Content-Range", 0);
	uint64_t first, last, total;
	if (!text || !nc_content_range(text, &first, &last, &total) || first > self->at ||
	    (self->size != UINT64_MAX && total != UINT64_MAX && total != self->size))
		return nc_fail(err, NACRE_E_REMOTE, 0, "%s answers with another part of the blob than asked for",
			       nc_remote_name(current_of(self)));
	self->skip = self->at - first;
	return 0;
}

static int ask(struct blob_reader *self, struct nacre_error *err)
{
	struct nc_remote *remote = current_of(self);
	NC_CLEANUP(nc_http_answer_auto) struct nc_http_answer *answer = NULL;
	char path[NC_DIGEST_TEXT + 8] = "blobs/", range[40];
	const struct nc_http_header part[] = { { "Range", range }, { NULL, NULL } };
	nc_digest_text(&self->digest, path + 6);
	snprintf(range, sizeof range, "bytes=%llu-", (unsigned long long)self->at);
	const struct nc_remote_call call = { .method = "GET", .path = path, .scope = "pull",
					     .headers = self->at ? part : NULL };
	int code = nc_remote_call(remote, &call, &answer, err);
	if (code < 0)
		return code;
	int status = nc_http_status(answer);
	self->skip = self->at;
	if (status == 206)
		code = take_range(self, answer, err);
	else if (status == 416 && self->at)
		code = nc_fail(err, NACRE_E_BADDATA, 0, "%s has only %llu bytes of the %llu that the blob is said to have",
			       nc_remote_host(remote), (unsigned long long)self->at, (unsigned long long)self->size);
	else if (status != 200)
		code = nc_remote_refused(remote, answer, path, err);
	if (code >= 0)
		self->answer = NC_GIVE(answer);
	return code;
}

/* Bytes of the answer in hand; 0 at its end. */
static ssize_t pull(struct blob_reader *self, const void **ret, struct nacre_error *err)
{
	for (;;) {
		const void *bytes;
		ssize_t n = nc_reader_next(nc_http_body(self->answer), &bytes, err);
		if (n <= 0)
			return n;
		uint64_t skip = self->skip < (uint64_t)n ? self->skip : (uint64_t)n;
		self->skip -= skip;
		if (skip == (uint64_t)n)
			continue;
		*ret = (const char *)bytes + skip;
		return n - (ssize_t)skip;
	}
}

static bool may_help(int code)
{
	return code == NACRE_E_REMOTE || code == NACRE_E_NOTFOUND || code == NACRE_E_AUTH || code == NACRE_E_BADDATA;
}

/* After a failure: waits for another try, or turns to the next remote. */
static int recover(struct blob_reader *self, int code, bool broke, struct nacre_error *err)
{
	nc_http_answer_free(NC_GIVE(self->answer));
	if (!may_help(code))
		return code;
	if (broke) {
		int wait = nc_remote_wait(current_of(self), self->tries, 0, err->msg, code, err);
		self->tries++;
		if (wait != code)
			return wait;
	}
	if (self->current + 1 == self->remotes->count)
		return code;
	nc_remote_note(current_of(self), "fails; the next place is asked");
	self->current++;
	/* one that lacks a blob may have the next */
	if (code != NACRE_E_NOTFOUND)
		self->remotes->first = self->current;
	self->remotes->last = self->current;
	self->tries = 0;
	return 0;
}

static ssize_t blob_pull(struct blob_reader *self, const void **ret, struct nacre_error *err)
{
	for (;;) {
		int code = self->answer ? 0 : ask(self, err);
		if (code < 0) {
			code = recover(self, code, false, err);
			if (code < 0)
				return code;
			continue;
		}
		ssize_t n = pull(self, ret, err);
		/* what breaks off behind the last byte has brought all there is */
		if ((n == 0 && self->size == UINT64_MAX) || (n <= 0 && self->at == self->size)) {
			self->ended = true;
			return 0;
		}
		if (n == 0)
			n = nc_fail(err, NACRE_E_REMOTE, 0, "%s: the connection ends after %llu of %llu bytes",
				    nc_remote_host(current_of(self)), (unsigned long long)self->at,
				    (unsigned long long)self->size);
		if (n < 0) {
			code = recover(self, (int)n, true, err);
			if (code < 0)
				return code;
			continue;
		}
		if (self->size != UINT64_MAX && (uint64_t)n > self->size - self->at)
			return nc_fail(err, NACRE_E_BADDATA, 0, "%s sends more than the %llu bytes that the blob has",
				       nc_remote_host(current_of(self)), (unsigned long long)self->size);
		self->at += (uint64_t)n;
		self->tries = 0;
		return n;
	}
}

static ssize_t blob_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct blob_reader *self = (struct blob_reader *)reader;
	if (self->failure.code)
		return nc_fail(err, self->failure.code, 0, "%s", self->failure.msg);
	if (self->ended)
		return 0;
	struct nacre_error why = { 0 };
	ssize_t n = blob_pull(self, ret, &why);
	if (n >= 0)
		return n;
	self->failure = why;
	return nc_fail(err, why.code, 0, "%s", why.msg);
}

static void blob_close(struct nc_reader *reader)
{
	struct blob_reader *self = (struct blob_reader *)reader;
	nc_http_answer_free(self->answer);
	free(self);
}

int nc_remotes_turn(struct nc_remotes *remotes)
{
	if (remotes->last + 1 >= remotes->count)
		return 0;
	nc_remote_note(remotes->list[remotes->last], "gives bad data; the next place is asked");
	remotes->first = ++remotes->last;
	return 1;
}

int nc_remote_blob(struct nc_remotes *remotes, const struct nc_digest *digest, uint64_t size, uint64_t offset,
		   struct nc_reader **ret, struct nacre_error *err)
{
	static const struct nc_reader_ops ops = { .next = blob_next, .close = blob_close };
	struct blob_reader *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	*self = (struct blob_reader){ .base = { &ops }, .remotes = remotes, .current = remotes->first,
				      .digest = *digest, .size = size, .at = offset };
	remotes->last = remotes->first;
	*ret = &self->base;
	return 0;
}
