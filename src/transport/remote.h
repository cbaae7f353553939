/* One repository of one registry: the OCI distribution specification 1.1, Docker's registry API v2.
 *
 * Every call authenticates itself as the registry asks for it (basic, or bearer tokens, which are kept until they
 * expire), tries again with growing pauses where that may help, and tells the user what it waits for. Credentials go to
 * the registry and the token server that it names, over connections that are no worse than its own; never to what it
 * redirects to. Any number of threads may use one. */
#ifndef NC_TRANSPORT_REMOTE_H
#define NC_TRANSPORT_REMOTE_H

#include "image/manifest.h"
#include "transport/http.h"
#include "transport/registry_conf.h"

/* Manifests, indexes and configs; tokens; what a refusal says. */
#define NC_REMOTE_DOCUMENT_MAX ((size_t)4 << 20)
#define NC_REMOTE_TOKEN_MAX ((size_t)1 << 20)

/* Blobs under way at once, there or back. */
#define NC_REMOTE_AT_ONCE 3

struct nc_remote;

/* No byte is sent yet. progress is borrowed; it gets notes, and its cancel ends waits. */
int nc_remote_open(const struct nc_registry_conf *conf, const struct nc_endpoint *endpoint,
		   const struct nacre_progress *progress, struct nc_remote **ret, struct nacre_error *err);
void nc_remote_close(struct nc_remote *remote);	/* NULL is fine */
NC_DEFINE_CLEANUP(nc_remote_auto, struct nc_remote *, nc_remote_close)

/* "localhost:5000/team/app", for messages. */
const char *nc_remote_name(const struct nc_remote *remote);
const char *nc_remote_path(const struct nc_remote *remote);
const char *nc_remote_host(const struct nc_remote *remote);

struct nc_remote_call {
	const char *method;
	const char *path;		/* "manifests/latest" in the repository, a path that begins with "/v2/", or a URL that
					 * the registry gave */
	const char *scope;		/* "pull", "pull,push"; or whole scopes that begin with "repository:" */
	const struct nc_http_header *headers;
	const void *body;
	size_t body_len;
	const struct nc_http_file *file;	/* instead of body */
	bool stay;			/* redirects are not followed */
	bool patient;			/* as in nc_http_request */
	struct nc_remote_retry *retry;	/* not NULL: it is not tried again, but said whether that would help */
};
struct nc_remote_retry {
	bool may_help;
	int64_t after;			/* seconds that the server asks for */
};
/* Any status is an answer but 401, 429 and what servers that fail answer. NACRE_E_AUTH, NACRE_E_REMOTE,
 * NACRE_E_CANCELLED. */
int nc_remote_call(struct nc_remote *remote, const struct nc_remote_call *call, struct nc_http_answer **ret,
		   struct nacre_error *err);
/* What an answer means that is none of those hoped for; what is the thing asked for ("manifest latest"). Always fails:
 * NACRE_E_NOTFOUND, NACRE_E_AUTH, NACRE_E_REMOTE, with what the registry says. */
int nc_remote_refused(struct nc_remote *remote, struct nc_http_answer *answer, const char *what,
		      struct nacre_error *err);
/* The same for what the registry was to take ("the manifest latest"): NACRE_E_AUTH, NACRE_E_REMOTE. */
int nc_remote_unwilling(struct nc_remote *remote, struct nc_http_answer *answer, const char *what,
			struct nacre_error *err);
/* Waits before the nth try (from 0); told to the user with why. NACRE_E_CANCELLED, or when there were enough of them
 * code (err is left as it is). */
int nc_remote_wait(struct nc_remote *remote, unsigned try, int64_t at_least, const char *why, int code,
		   struct nacre_error *err);

/* A manifest or index by tag or digest, whose digest and, where it is said, length and Docker-Content-Digest are
 * checked. bytes (NUL-terminated) and media_type ("" unsaid) are given. */
struct nc_remote_document {
	char *bytes;
	size_t len;
	char *media_type;
	struct nc_digest digest;
};
int nc_remote_manifest(struct nc_remote *remote, const char *reference, struct nc_remote_document *ret,
		       struct nacre_error *err);
void nc_remote_document_release(struct nc_remote_document *document);

/* Calls fn for each tag, in the registry's order, until it fails. */
int nc_remote_tags(struct nc_remote *remote, int (*fn)(void *ctx, const char *tag, struct nacre_error *err), void *ctx,
		   struct nacre_error *err);

/* Places that have the same. */
struct nc_remotes {
	struct nc_remote **list;
	size_t count;
	size_t first;			/* the one to ask first; moves on from those that fail */
	size_t last;			/* whom the last blob, or its end, came from */
};
/* After bad data: 1 when others can be asked than the one that it came from, and will be. */
int nc_remotes_turn(struct nc_remotes *remotes);

/* A blob's bytes from offset on, not yet verified. A connection that breaks is continued where it broke; when it cannot
 * be, and with one who does not have it, the next of the remotes (borrowed) is asked. size: UINT64_MAX when unknown. */
int nc_remote_blob(struct nc_remotes *remotes, const struct nc_digest *digest, uint64_t size, uint64_t offset,
		   struct nc_reader **ret, struct nacre_error *err);

/* --- writing ---------------------------------------------------------------------------------------------------- */

/* 1 when the repository has the blob, with that size. */
int nc_remote_has_blob(struct nc_remote *remote, const struct nc_digest *digest, uint64_t size,
		       struct nacre_error *err);
/* 1 when the name (a tag or digest) is that of this manifest already. digest without alg: of none, it is only asked. */
int nc_remote_has_manifest(struct nc_remote *remote, const char *reference, const struct nc_digest *digest,
			   struct nacre_error *err);
/* 1 when the registry took the blob over from another of its repositories (path: "team/app"). */
int nc_remote_mount(struct nc_remote *remote, const struct nc_digest *digest, const char *from,
		    struct nacre_error *err);
/* Sends a blob: file, all of it, has that digest. An upload that breaks is continued behind what the registry has of it,
 * or begun anew. file->sent tells how much is there, which may become less. */
int nc_remote_put_blob(struct nc_remote *remote, const struct nc_digest *digest, const struct nc_http_file *file,
		       struct nacre_error *err);
/* A manifest or index of that digest under a tag or its digest; everything that it names is there. */
int nc_remote_put_manifest(struct nc_remote *remote, const char *reference, const char *media_type, const char *bytes,
			   size_t len, const struct nc_digest *digest, struct nacre_error *err);

#endif
