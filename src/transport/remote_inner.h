/* The inside of a remote: shared by the files that speak to one. */
#ifndef NC_TRANSPORT_REMOTE_INNER_H
#define NC_TRANSPORT_REMOTE_INNER_H

#include "image/schema1.h"
#include "transport/http_header.h"
#include "transport/remote.h"

#include <nacre/nacre.h>
#include <pthread.h>

/* The documents that we read. */
#define NC_REMOTE_ACCEPT                                                                                      \
	NC_MEDIA_OCI_INDEX ", " NC_MEDIA_OCI_MANIFEST ", " NC_MEDIA_DOCKER_LIST ", " NC_MEDIA_DOCKER_MANIFEST \
			   ", " NC_MEDIA_SCHEMA1_SIGNED

/* What lets a scope in. */
struct nc_token {
	char *scope;			/* "" for all: basic */
	char *authorization;		/* erased when freed */
	int64_t expires;		/* by the monotonic clock; INT64_MAX: never */
	struct nc_token *next;
};

struct nc_remote {
	struct nc_http *http;
	const struct nacre_progress *progress;
	struct nc_endpoint endpoint;
	struct nc_credentials credentials;
	struct nc_certs certs;
	char *name;
	pthread_mutex_t mutex;		/* for what follows */
	const char *scheme;		/* "https" or "http" */
	bool settled;			/* scheme is the one */
	bool reached;			/* it has answered something */
	struct nc_challenge challenge;	/* what the registry asked for last */
	struct nc_token *tokens;
	bool warned;			/* a warning of it was passed on */
};

int64_t nc_monotonic_seconds(void);
void nc_remote_note(const struct nc_remote *remote, const char *text);
/* The whole of a short body. */
int nc_remote_body(struct nc_http_answer *answer, size_t max, char **ret, size_t *ret_len, struct nacre_error *err);

/* What the registry says about its refusal, " (…)"; "" for nothing. */
void nc_remote_reason(struct nc_http_answer *answer, char *ret, size_t size);

/* The Authorization header for a scope, as far as it is known beforehand: given, or NULL. The mutex is not held. */
int nc_remote_authorization(struct nc_remote *remote, const char *scope, char **ret, struct nacre_error *err);
/* After a 401: gets what the challenge in answer asks for. authorized: the request had an Authorization. NACRE_E_AUTH when there is
 * nothing to try. */
int nc_remote_authenticate(struct nc_remote *remote, struct nc_http_answer *answer, const char *scope, bool authorized,
			   struct nacre_error *err);
/* The failure of who was not let in, whatever he tried. */
int nc_remote_denied(const struct nc_remote *remote, struct nacre_error *err);
void nc_remote_forget_tokens(struct nc_remote *remote);

#endif
