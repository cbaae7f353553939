/* Blobs and manifests on their way to a remote.
 *
 * An upload, by its session's Location, which each answer may change:
 *
 *	POST blobs/uploads/        202: begun
 *	PATCH Location             202: a part is there; Range says how much in all
 *	PUT Location&digest=…      201: done
 *
 * After a break GET Location tells how much is there. Who cannot say that, or has lost the session, gets all of it
 * anew. */
#include "transport/remote_inner.h"

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SCOPE "pull,push"
/* A blob of at most that much goes with the request that ends its upload. */
#define AT_ONCE ((uint64_t)512 << 10)
/* What is sent to one that finds a request too large. */
#define SMALL_PART ((uint64_t)16 << 20)

/* --- asking ----------------------------------------------------------------------------------------------------- */

static int head(struct nc_remote *remote, const char *path, struct nc_http_answer **ret, struct nacre_error *err)
{
	static const struct nc_http_header headers[] = { { "Accept", NC_REMOTE_ACCEPT }, { NULL, NULL } };
	const struct nc_remote_call call = { .method = "HEAD", .path = path, .scope = SCOPE, .headers = headers };
	return nc_remote_call(remote, &call, ret, err);
}

int nc_remote_has_blob(struct nc_remote *remote, const struct nc_digest *digest, uint64_t size,
		       struct nacre_error *err)
{
	NC_CLEANUP(nc_http_answer_auto) struct nc_http_answer *answer = NULL;
	char path[NC_DIGEST_TEXT + 8] = "blobs/", expected[24];
	nc_digest_text(digest, path + 6);
	int code = head(remote, path, &answer, err);
	if (code < 0)
		return code;
	const char *length = nc_http_header_get(answer, "Content-Length", 0);
	snprintf(expected, sizeof expected, "%llu", (unsigned long long)size);
	if (nc_http_status(answer) == 200)
		return !length || !strcmp(length, expected);
	return nc_http_status(answer) == 404 ? 0 : nc_remote_unwilling(remote, answer, path, err);
}

int nc_remote_has_manifest(struct nc_remote *remote, const char *reference, const struct nc_digest *digest,
			   struct nacre_error *err)
{
	NC_CLEANUP(nc_http_answer_auto) struct nc_http_answer *answer = NULL;
	char path[256], text[NC_DIGEST_TEXT];
	snprintf(path, sizeof path, "manifests/%.200s", reference);
	int code = head(remote, path, &answer, err);
	if (code < 0)
		return code;
	const char *claim = nc_http_header_get(answer, "Docker-Content-Digest", 0);
	if (nc_http_status(answer) == 200)
		return claim && digest->alg && !strcmp(claim, nc_digest_text(digest, text));
	return nc_http_status(answer) == 404 ? 0 : nc_remote_unwilling(remote, answer, path, err);
}

/* What the registry says the digest of what it took is must be true. */
static int check_claim(const struct nc_remote *remote, const struct nc_http_answer *answer,
		       const struct nc_digest *digest, const char *what, struct nacre_error *err)
{
	const char *claim = nc_http_header_get(answer, "Docker-Content-Digest", 0);
	struct nc_digest claimed;
	char text[NC_DIGEST_TEXT];
	if (!claim || nc_digest_parse(claim, &claimed, NULL) < 0 || claimed.alg != digest->alg ||
	    nc_digest_equal(&claimed, digest))
		return 0;
	return nc_fail(err, NACRE_E_DIGEST, 0, "%s has taken %s %s as %.140s", remote->name, what,
		       nc_digest_text(digest, text), claim);
}

/* --- sessions --------------------------------------------------------------------------------------------------- */

struct upload {
	struct nc_remote *remote;
	const struct nc_digest *digest;
	const struct nc_http_file *file;
	char text[NC_DIGEST_TEXT + 8];	/* "blob sha256:…", for messages */
	char *location;			/* NULL: no session */
	uint64_t at;			/* what the registry has */
	uint64_t part;			/* the most that one request carries */
	unsigned tries;			/* since it had more than before */
	uint64_t most;			/* that it ever had */
};

static int take_location(struct upload *self, const struct nc_http_answer *answer, struct nacre_error *err)
{
	const char *location = nc_http_header_get(answer, "Location", 0);
	char *resolved;
	if (!location && self->location)
		return 0;
	if (!location)
		return nc_fail(err, NACRE_E_REMOTE, 0, "%s does not say where %s shall go", self->remote->name, self->text);
	int code = nc_http_resolve(nc_http_url(answer), location, &resolved, err);
	if (code < 0)
		return code;
	free(self->location);
	self->location = resolved;
	return 0;
}

/* "0-41" of a Range header: 42 bytes are there. "0-0" is said of none. */
static int take_range(struct upload *self, const struct nc_http_answer *answer, uint64_t otherwise,
		      struct nacre_error *err)
{
	const char *text = nc_http_header_get(answer, "Range", 0);
	unsigned long long last;
	char rest;
	uint64_t at = otherwise;
	if (text && !strncasecmp(text, "bytes=", 6))
		text += 6;
	if (text && sscanf(text, "0-%19llu%c", &last, &rest) == 1)
		at = last ? last + 1 : 0;
	if (at > self->file->len)
		return nc_fail(err, NACRE_E_REMOTE, 0, "%s claims to have more of %s than there is", self->remote->name,
			       self->text);
	self->at = at;
	if (at > self->most) {
		self->most = at;
		self->tries = 0;
	}
	return 0;
}

static void start_anew(struct upload *self)
{
	free(self->location);
	self->location = NULL;
	self->at = 0;
}

/* After a failure that may pass; code is its own. */
static int wait(struct upload *self, int code, const struct nc_remote_retry *retry, struct nacre_error *err)
{
	struct nacre_error why = *err;
	return nc_remote_wait(self->remote, self->tries++, retry->after, why.msg, code, err);
}

static int begin(struct upload *self, struct nacre_error *err)
{
	NC_CLEANUP(nc_http_answer_auto) struct nc_http_answer *answer = NULL;
	const struct nc_remote_call call = { .method = "POST", .path = "blobs/uploads/", .scope = SCOPE };
	int code = nc_remote_call(self->remote, &call, &answer, err);
	if (code < 0)
		return code;
	if (nc_http_status(answer) != 202)
		return nc_remote_unwilling(self->remote, answer, self->text, err);
	return take_location(self, answer, err);
}

/* How much is there. A session that is lost, or nothing that can be continued, begins anew. */
static int ask(struct upload *self, struct nacre_error *err)
{
	NC_CLEANUP(nc_http_answer_auto) struct nc_http_answer *answer = NULL;
	const struct nc_remote_call call = { .method = "GET", .path = self->location, .scope = SCOPE, .stay = true };
	int code = nc_remote_call(self->remote, &call, &answer, err);
	if (code < 0)
		return code;
	int status = nc_http_status(answer);
	if ((status != 204 && status != 202) || !nc_http_header_get(answer, "Range", 0)) {
		start_anew(self);
		return 0;
	}
	code = take_location(self, answer, err);
	return code < 0 ? code : take_range(self, answer, 0, err);
}

/* A request of the session failed: waits, and finds out where it stands. */
static int recover(struct upload *self, int code, const struct nc_remote_retry *retry, struct nacre_error *err)
{
	if (!retry->may_help)
		return code;
	code = wait(self, code, retry, err);
	return code < 0 ? code : ask(self, err);
}

/* The registry does not go on with the session as we know it. */
static int give_up_session(struct upload *self, struct nc_http_answer *answer, struct nacre_error *err)
{
	static const struct nc_remote_retry at_once = { .may_help = true };
	int status = nc_http_status(answer);
	int code = nc_remote_unwilling(self->remote, answer, self->text, err);
	if (status != 400 && status != 404 && status != 416)
		return code;
	code = wait(self, code, &at_once, err);
	if (code >= 0 && status == 416)
		return ask(self, err);
	start_anew(self);
	return code < 0 ? code : 0;
}

/* --- parts ------------------------------------------------------------------------------------------------------ */

struct counted_file {
	struct nc_http_file file;
	const struct upload *upload;
};

static void tell_sent(void *ctx, uint64_t bytes)
{
	const struct counted_file *self = ctx;
	const struct nc_http_file *whole = self->upload->file;
	if (whole->sent)
		whole->sent(whole->ctx, self->upload->at + bytes);
}

/* The next len bytes. */
static void cut(const struct upload *self, uint64_t len, struct counted_file *ret)
{
	*ret = (struct counted_file){ { self->file->fd, self->file->offset + self->at, len, tell_sent, ret }, self };
}

static int send_part(struct upload *self, struct nacre_error *err)
{
	NC_CLEANUP(nc_http_answer_auto) struct nc_http_answer *answer = NULL;
	struct counted_file part;
	struct nc_remote_retry retry = { .may_help = false };
	char range[48];
	uint64_t left = self->file->len - self->at, len = left < self->part ? left : self->part;
	const struct nc_http_header headers[] = {
		{ "Content-Type", "application/octet-stream" },
		/* one who gets all of it in one piece need not understand parts */
		{ len < self->file->len ? "Content-Range" : NULL, range },
		{ NULL, NULL },
	};
	cut(self, len, &part);
	snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)self->at,
		 (unsigned long long)(self->at + len - 1));
	const struct nc_remote_call call = { .method = "PATCH", .path = self->location, .scope = SCOPE,
					     .headers = headers, .file = &part.file, .retry = &retry };
	int code = nc_remote_call(self->remote, &call, &answer, err);
	if (code < 0)
		return recover(self, code, &retry, err);
	int status = nc_http_status(answer);
	if (status == 413 && self->part > SMALL_PART && len > SMALL_PART) {
		self->part = SMALL_PART;
		return ask(self, err);
	}
	if (status != 202 && status != 201 && status != 204)
		return give_up_session(self, answer, err);
	code = take_location(self, answer, err);
	return code < 0 ? code : take_range(self, answer, self->at + len, err);
}

static int closing_url(const struct upload *self, char **ret, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf url = NC_BUF_INIT(NC_HTTP_URL_MAX);
	char text[NC_DIGEST_TEXT];
	int code = nc_buf_addf(&url, err, "%s%cdigest=%s", self->location, strchr(self->location, '?') ? '&' : '?',
			       nc_digest_text(self->digest, text));
	if (code < 0)
		return code;
	*ret = nc_buf_give(&url);
	return *ret ? 0 : nc_nomem(err);
}

/* With what is left of the blob. Returns 1 when it is there. */
static int end(struct upload *self, struct nacre_error *err)
{
	NC_CLEANUP(nc_http_answer_auto) struct nc_http_answer *answer = NULL;
	NC_AUTO_FREE char *url = NULL;
	struct counted_file rest;
	struct nc_remote_retry retry = { .may_help = false };
	static const struct nc_http_header headers[] = { { "Content-Type", "application/octet-stream" }, { NULL, NULL } };
	cut(self, self->file->len - self->at, &rest);
	int code = closing_url(self, &url, err);
	if (code < 0)
		return code;
	const struct nc_remote_call call = { .method = "PUT", .path = url, .scope = SCOPE, .headers = headers,
					     .file = rest.file.len ? &rest.file : NULL, .patient = true,
					     .retry = &retry };
	code = nc_remote_call(self->remote, &call, &answer, err);
	if (code < 0) {
		/* what was lost may have been the answer alone */
		code = retry.may_help ? wait(self, code, &retry, err) : code;
		if (code >= 0)
			code = nc_remote_has_blob(self->remote, self->digest, self->file->len, err);
		return code == 0 ? ask(self, err) : code;
	}
	int status = nc_http_status(answer);
	if (status != 201 && status != 204)
		return give_up_session(self, answer, err);
	code = check_claim(self->remote, answer, self->digest, "blob", err);
	return code < 0 ? code : 1;
}

/* --- blobs and manifests ---------------------------------------------------------------------------------------- */

static int upload(struct upload *self, struct nacre_error *err)
{
	for (;;) {
		int code = 0;
		if (!self->location)
			code = begin(self, err);
		else if (self->at < self->file->len && (self->at || self->file->len > AT_ONCE))
			code = send_part(self, err);
		else
			code = end(self, err);
		if (code)
			return code < 0 ? code : 0;
	}
}

int nc_remote_put_blob(struct nc_remote *remote, const struct nc_digest *digest, const struct nc_http_file *file,
		       struct nacre_error *err)
{
	struct upload self = { .remote = remote, .digest = digest, .file = file, .text = "blob ", .part = UINT64_MAX };
	struct nacre_error why = { 0 };
	nc_digest_text(digest, self.text + 5);
	int code = upload(&self, &why);
	free(self.location);
	return code < 0 ? nc_fail(err, code, 0, "%s", why.msg) : 0;
}

/* A registry that would rather have the bytes begins an upload, which is given up. */
static void abandon(struct nc_remote *remote, const struct nc_http_answer *answer)
{
	NC_CLEANUP(nc_http_answer_auto) struct nc_http_answer *gone = NULL;
	const char *location = nc_http_header_get(answer, "Location", 0);
	NC_AUTO_FREE char *url = NULL;
	struct nc_remote_retry retry;
	if (!location || nc_http_resolve(nc_http_url(answer), location, &url, NULL) < 0)
		return;
	const struct nc_remote_call call = { .method = "DELETE", .path = url, .scope = SCOPE, .retry = &retry };
	nc_remote_call(remote, &call, &gone, NULL);
}

int nc_remote_mount(struct nc_remote *remote, const struct nc_digest *digest, const char *from,
		    struct nacre_error *err)
{
	NC_CLEANUP(nc_http_answer_auto) struct nc_http_answer *answer = NULL;
	NC_AUTO_BUF struct nc_buf path = NC_BUF_INIT(1024), scope = NC_BUF_INIT(1024);
	char text[NC_DIGEST_TEXT];
	int code = nc_buf_addf(&path, err, "blobs/uploads/?mount=%s&from=%s", nc_digest_text(digest, text), from);
	if (code >= 0)
		code = nc_buf_addf(&scope, err, "repository:%s:pull,push repository:%s:pull", remote->endpoint.path, from);
	if (code < 0)
		return code;
	const struct nc_remote_call call = { .method = "POST", .path = nc_buf_text(&path), .scope = nc_buf_text(&scope) };
	code = nc_remote_call(remote, &call, &answer, err);
	/* one may push here and not read there */
	if (code == NACRE_E_AUTH)
		return 0;
	if (code < 0)
		return code;
	if (nc_http_status(answer) == 201) {
		code = check_claim(remote, answer, digest, "blob", err);
		return code < 0 ? code : 1;
	}
	if (nc_http_status(answer) == 202)
		abandon(remote, answer);
	return 0;
}

int nc_remote_put_manifest(struct nc_remote *remote, const char *reference, const char *media_type, const char *bytes,
			   size_t len, const struct nc_digest *digest, struct nacre_error *err)
{
	NC_CLEANUP(nc_http_answer_auto) struct nc_http_answer *answer = NULL;
	char path[256], what[256];
	const struct nc_http_header headers[] = { { "Content-Type", media_type }, { NULL, NULL } };
	snprintf(path, sizeof path, "manifests/%.200s", reference);
	snprintf(what, sizeof what, "the manifest %.200s", reference);
	const struct nc_remote_call call = { .method = "PUT", .path = path, .scope = SCOPE, .headers = headers,
					     .body = bytes, .body_len = len, .patient = true };
	int code = nc_remote_call(remote, &call, &answer, err);
	if (code < 0)
		return code;
	int status = nc_http_status(answer);
	if (status != 201 && status != 200 && status != 202 && status != 204)
		return nc_remote_unwilling(remote, answer, what, err);
	return check_claim(remote, answer, digest, "the manifest", err);
}
