/* HTTP as registries need it: one request gives a status, headers and a body that is pulled in the calling thread.
 *
 * A client keeps connections for later requests and may be used by several threads, each request by one. Nothing goes
 * on behind the caller's back: bytes move while he waits for an answer or reads a body.
 *
 * LIMITS: 64 KiB of headers, 10 redirects, http and https alone, never from https to http. A connection must be made in
 * 30 seconds and may be silent for 60 (NACRE_HTTP_TIMEOUT=SECONDS sets both); slow but steady is fine. */
#ifndef NC_TRANSPORT_HTTP_H
#define NC_TRANSPORT_HTTP_H

#include "io/reader.h"

#define NC_HTTP_HEADERS_MAX ((size_t)64 << 10)
#define NC_HTTP_REDIRECTS 10
#define NC_HTTP_URL_MAX ((size_t)16 << 10)

struct nc_http;

/* What holds for every request; strings are borrowed for the client's life. */
struct nc_http_options {
	bool unverified;		/* certificates are not checked */
	const char *authorities;	/* PEM of CA certificates trusted besides the system's; NULL */
	const char *client_cert, *client_key;	/* paths; NULL */
	const volatile int *cancel;	/* may be NULL */
};
int nc_http_new(const struct nc_http_options *options, struct nc_http **ret, struct nacre_error *err);
void nc_http_free(struct nc_http *http);	/* after all its answers */
NC_DEFINE_CLEANUP(nc_http_auto, struct nc_http *, nc_http_free)

struct nc_http_header {
	const char *name, *value;
};

/* A body that lies in a file, read where it stands. */
struct nc_http_file {
	int fd;				/* borrowed */
	uint64_t offset, len;
	void (*sent)(void *ctx, uint64_t bytes);	/* as it goes: how many of len so far; may be NULL */
	void *ctx;
};

struct nc_http_request {
	const char *method;		/* GET, HEAD, POST, PUT, PATCH, DELETE */
	const char *url;
	const struct nc_http_header *headers;	/* name NULL ends; may be NULL */
	const char *authorization;	/* goes to the host of url and to no other, whatever it redirects to; NULL */
	const void *body;		/* of POST, PUT and PATCH */
	size_t body_len;
	const struct nc_http_file *file;	/* instead of body */
	bool stay;			/* a redirect is the answer rather than followed */
	bool patient;			/* it may take the server long to answer: silence is borne ten times as long */
};

/* How a request failed that has no answer. */
enum nc_http_failure {
	NC_HTTP_FATAL = 1,		/* it would fail again */
	NC_HTTP_UNREACHED,		/* no connection was made */
	NC_HTTP_NO_TLS,			/* what answered does not speak TLS */
	NC_HTTP_BROKEN,			/* the connection broke, or was silent too long */
};

struct nc_http_answer;
/* Any status is an answer. Failing is NACRE_E_REMOTE, naming host and reason (ret_failure, may be NULL, says how), or
 * NACRE_E_CANCELLED. */
int nc_http_send(struct nc_http *http, const struct nc_http_request *request, struct nc_http_answer **ret,
		 enum nc_http_failure *ret_failure, struct nacre_error *err);
/* Ends the request; what was not read is given up. */
void nc_http_answer_free(struct nc_http_answer *answer);
NC_DEFINE_CLEANUP(nc_http_answer_auto, struct nc_http_answer *, nc_http_answer_free)

int nc_http_status(const struct nc_http_answer *answer);
/* The value of the nth header of that name, whatever its case; NULL. */
const char *nc_http_header_get(const struct nc_http_answer *answer, const char *name, size_t nth);
/* Of whom it is: the URL after all redirects. */
const char *nc_http_url(const struct nc_http_answer *answer);
/* The body; belongs to the answer, which closing it frees. A broken connection is NACRE_E_REMOTE. */
struct nc_reader *nc_http_body(struct nc_http_answer *answer);

/* What a URL that stands in an answer (a redirect, a Location, a Link) means there: given. NACRE_E_REMOTE when it is no
 * http or https URL, or leads from https to http. */
int nc_http_resolve(const char *base, const char *url, char **ret, struct nacre_error *err);
/* Same scheme, host and port. */
bool nc_http_same_origin(const char *a, const char *b);
/* "registry.example:5000", for messages. Room for 256 bytes; returns ret. */
const char *nc_http_host(const char *url, char *ret);

#endif
