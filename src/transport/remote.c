#include "transport/remote_inner.h"

#include "base/buf.h"
#include "base/cancel.h"
#include "image/gojson.h"
#include "io/aside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Pauses between tries: 0.25 s, doubled each time; NACRE_HTTP_RETRIES=N sets how many. */
#define RETRIES 6
#define RETRIES_MAX 100
#define FIRST_PAUSE_MS 250
#define PAUSE_MAX_MS 30000
/* Longer than that nobody is kept waiting because a server says so. */
#define RETRY_AFTER_MAX 300
#define SLICE_MS 50
#define ERRORS_MAX ((size_t)64 << 10)

/* --- opening ---------------------------------------------------------------------------------------------------- */

static int set_up(struct nc_remote *remote, const struct nc_registry_conf *conf, struct nacre_error *err)
{
	const struct nc_endpoint *endpoint = &remote->endpoint;
	NC_AUTO_BUF struct nc_buf name = NC_BUF_INIT(1024);
	int code = nc_buf_addf(&name, err, "%s%s%s", endpoint->host, *endpoint->path ? "/" : "", endpoint->path);
	if (code >= 0 && !(remote->name = nc_buf_give(&name)))
		code = nc_nomem(err);
	if (code >= 0)
		code = nc_registry_credentials(conf, endpoint, &remote->credentials, err);
	if (code >= 0)
		code = nc_registry_certs(conf, endpoint, &remote->certs, err);
	if (code < 0)
		return code;
	const struct nc_http_options options = {
		.unverified = endpoint->insecure, .authorities = remote->certs.authorities,
		.client_cert = remote->certs.client_cert, .client_key = remote->certs.client_key,
		.cancel = remote->progress ? remote->progress->cancel : NULL,
	};
	return nc_http_new(&options, &remote->http, err);
}

int nc_remote_open(const struct nc_registry_conf *conf, const struct nc_endpoint *endpoint,
		   const struct nacre_progress *progress, struct nc_remote **ret, struct nacre_error *err)
{
	struct nc_remote *opened = nc_zalloc(sizeof *opened);
	if (!opened)
		return nc_nomem(err);
	pthread_mutex_init(&opened->mutex, NULL);
	NC_CLEANUP(nc_remote_auto) struct nc_remote *remote = opened;
	remote->progress = progress;
	remote->endpoint = *endpoint;
	remote->scheme = "https";
	remote->settled = !endpoint->insecure;
	int code = set_up(remote, conf, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(remote);
	return 0;
}

void nc_remote_close(struct nc_remote *remote)
{
	if (!remote)
		return;
	nc_http_free(remote->http);
	nc_remote_forget_tokens(remote);
	nc_challenge_release(&remote->challenge);
	nc_credentials_release(&remote->credentials);
	nc_certs_release(&remote->certs);
	pthread_mutex_destroy(&remote->mutex);
	free(remote->name);
	free(remote);
}

const char *nc_remote_name(const struct nc_remote *remote)
{
	return remote->name;
}

const char *nc_remote_path(const struct nc_remote *remote)
{
	return remote->endpoint.path;
}

const char *nc_remote_host(const struct nc_remote *remote)
{
	return remote->endpoint.host;
}

/* --- waiting ---------------------------------------------------------------------------------------------------- */

int64_t nc_monotonic_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

void nc_remote_note(const struct nc_remote *remote, const char *text)
{
	const struct nacre_progress *progress = remote->progress;
	nc_progress_tell(progress, NACRE_EVENT_NOTE, remote->endpoint.host, text, 0, 0);
}

static unsigned retries_wished(void)
{
	const char *text = getenv("NACRE_HTTP_RETRIES");
	char *end;
	unsigned long wished = text ? strtoul(text, &end, 10) : RETRIES;
	return text && (end == text || *end || wished > RETRIES_MAX) ? RETRIES : (unsigned)wished;
}

static bool is_cancelled(const struct nc_remote *remote)
{
	return nc_aside_unwanted() || (remote->progress && nc_cancelled(remote->progress->cancel));
}

int nc_remote_wait(struct nc_remote *remote, unsigned try, int64_t at_least, const char *why, int code,
		   struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf text = NC_BUF_INIT(1024);
	int64_t pause = FIRST_PAUSE_MS;
	if (try >= retries_wished() || at_least > RETRY_AFTER_MAX)
		return code;
	for (unsigned i = 0; i < try && pause < PAUSE_MAX_MS; i++)
		pause *= 2;
	if (pause < at_least * 1000)
		pause = at_least * 1000;
	if (nc_buf_addf(&text, NULL, "%.400s; trying again in %lld.%lld s", why, (long long)pause / 1000,
			(long long)pause % 1000 / 100) >= 0)
		nc_remote_note(remote, nc_buf_text(&text));
	for (int64_t waited = 0; waited < pause; waited += SLICE_MS) {
		if (is_cancelled(remote))
			return nc_fail(err, NACRE_E_CANCELLED, 0, "cancelled");
		nanosleep(&(struct timespec){ .tv_nsec = SLICE_MS * 1000000l }, NULL);
	}
	return 0;
}

/* --- answers that are none -------------------------------------------------------------------------------------- */

int nc_remote_body(struct nc_http_answer *answer, size_t max, char **ret, size_t *ret_len, struct nacre_error *err)
{
	return nc_reader_slurp(nc_http_body(answer), max, ret, ret_len, err);
}

void nc_remote_reason(struct nc_http_answer *answer, char *ret, size_t size)
{
	NC_AUTO_FREE char *body = NULL;
	size_t len;
	json_t *json;
	*ret = '\0';
	if (nc_remote_body(answer, ERRORS_MAX, &body, &len, NULL) < 0 ||
	    nc_json_parse(body, len, "refusal", &json, NULL) < 0)
		return;
	const json_t *first = json_array_get(json_object_get(json, "errors"), 0);
	const char *message = json_string_value(json_object_get(first, "message"));
	const char *kind = json_string_value(json_object_get(first, "code"));
	if (!message || !*message)
		message = kind;
	if (message)
		snprintf(ret, size, " (%.150s)", message);
	json_decref(json);
}

int nc_remote_refused(struct nc_remote *remote, struct nc_http_answer *answer, const char *what,
		      struct nacre_error *err)
{
	char reason[192], host[256];
	int status = nc_http_status(answer);
	nc_remote_reason(answer, reason, sizeof reason);
	if (status == 404)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "%s has no %s%s", remote->name, what, reason);
	if (status == 401 || status == 403)
		return nc_fail(err, NACRE_E_AUTH, 0, "%s refuses %s%s", remote->name, what, reason);
	return nc_fail(err, NACRE_E_REMOTE, 0, "%s answers %d when asked for %s%s",
		       nc_http_host(nc_http_url(answer), host), status, what, reason);
}

int nc_remote_unwilling(struct nc_remote *remote, struct nc_http_answer *answer, const char *what,
			struct nacre_error *err)
{
	char reason[192];
	int status = nc_http_status(answer);
	if (status == 401 || status == 403)
		return nc_remote_refused(remote, answer, what, err);
	nc_remote_reason(answer, reason, sizeof reason);
	return nc_fail(err, NACRE_E_REMOTE, 0, "%s does not take %s: it answers %d%s", remote->name, what, status, reason);
}

/* --- calls ------------------------------------------------------------------------------------------------------ */

static const char *scheme_of(struct nc_remote *remote)
{
	pthread_mutex_lock(&remote->mutex);
	const char *scheme = remote->scheme;
	pthread_mutex_unlock(&remote->mutex);
	return scheme;
}

static int make_url(struct nc_remote *remote, const char *scheme, const char *path, char **ret, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf url = NC_BUF_INIT(NC_HTTP_URL_MAX);
	int code;
	if (!strncmp(path, "http://", 7) || !strncmp(path, "https://", 8))
		code = nc_buf_add_text(&url, path, err);
	else if (*path == '/')
		code = nc_buf_addf(&url, err, "%s://%s%s", scheme, remote->endpoint.host, path);
	else
		code = nc_buf_addf(&url, err, "%s://%s/v2/%s/%s", scheme, remote->endpoint.host,
				   remote->endpoint.path, path);
	if (code < 0)
		return code;
	*ret = nc_buf_give(&url);
	return *ret ? 0 : nc_nomem(err);
}

/* A URL of another host, which a registry may give for uploads, gets no credentials. */
static bool is_ours(struct nc_remote *remote, const char *url)
{
	NC_AUTO_FREE char *own = NULL;
	return make_url(remote, scheme_of(remote), "/v2/", &own, NULL) >= 0 && nc_http_same_origin(own, url);
}

/* One request. A registry that need not be secure may turn out to speak plain HTTP. */
static int send_once(struct nc_remote *remote, const struct nc_remote_call *call, const char *authorization,
		     struct nc_http_answer **ret, enum nc_http_failure *ret_failure, struct nacre_error *err)
{
	NC_AUTO_FREE char *url = NULL;
	const char *scheme = scheme_of(remote);
	*ret_failure = NC_HTTP_FATAL;
	int code = make_url(remote, scheme, call->path, &url, err);
	if (code < 0)
		return code;
	const struct nc_http_request request = {
		.method = call->method, .url = url, .headers = call->headers, .body = call->body,
		.body_len = call->body_len, .file = call->file, .stay = call->stay, .patient = call->patient,
		.authorization = is_ours(remote, url) ? authorization : NULL,
	};
	code = nc_http_send(remote->http, &request, ret, ret_failure, err);
	pthread_mutex_lock(&remote->mutex);
	/* another thread may have found out meanwhile */
	bool plain = code < 0 && (!remote->settled || remote->scheme != scheme) &&
		     (*ret_failure == NC_HTTP_NO_TLS || *ret_failure == NC_HTTP_UNREACHED);
	if (plain)
		remote->scheme = "http";
	remote->settled |= plain || code >= 0;
	remote->reached |= code >= 0;
	pthread_mutex_unlock(&remote->mutex);
	return plain ? send_once(remote, call, authorization, ret, ret_failure, err) : code;
}

static bool may_pass(int status)
{
	return status == 429 || status == 408 || (status >= 500 && status != 501 && status != 505);
}

static void pass_on_warning(struct nc_remote *remote, const struct nc_http_answer *answer)
{
	const char *warning = nc_http_header_get(answer, "Warning", 0);
	const char *quote = warning ? strchr(warning, '"') : NULL;
	char text[256];
	if (!quote || strncmp(warning, "299 ", 4))
		return;
	pthread_mutex_lock(&remote->mutex);
	bool first = !remote->warned;
	remote->warned = true;
	pthread_mutex_unlock(&remote->mutex);
	snprintf(text, sizeof text, "%.*s", (int)strcspn(quote + 1, "\""), quote + 1);
	if (first)
		nc_remote_note(remote, text);
}

/* One try, with as much authentication as it takes. */
static int try_call(struct nc_remote *remote, const struct nc_remote_call *call, struct nc_http_answer **ret,
		    enum nc_http_failure *ret_failure, struct nacre_error *err)
{
	for (bool again = false;; again = true) {
		NC_CLEANUP(nc_http_answer_auto) struct nc_http_answer *answer = NULL;
		NC_AUTO_FREE char *authorization = NULL;
		int code = nc_remote_authorization(remote, call->scope, &authorization, err);
		*ret_failure = code == NACRE_E_REMOTE ? NC_HTTP_BROKEN : NC_HTTP_FATAL;
		if (code >= 0)
			code = send_once(remote, call, authorization, &answer, ret_failure, err);
		bool was_authorized = authorization;
		if (authorization)
			explicit_bzero(authorization, strlen(authorization));
		if (code < 0)
			return code;
		/* who asks for a login and is not the registry, but where it led to, learns nothing */
		if (nc_http_status(answer) != 401 || !is_ours(remote, nc_http_url(answer))) {
			*ret = NC_GIVE(answer);
			return 0;
		}
		*ret_failure = NC_HTTP_FATAL;
		if (again)
			return nc_remote_denied(remote, err);
		code = nc_remote_authenticate(remote, answer, call->scope, was_authorized, err);
		*ret_failure = code == NACRE_E_REMOTE ? NC_HTTP_BROKEN : NC_HTTP_FATAL;
		if (code < 0)
			return code;
	}
}

static bool was_reached(struct nc_remote *remote)
{
	pthread_mutex_lock(&remote->mutex);
	bool reached = remote->reached;
	pthread_mutex_unlock(&remote->mutex);
	return reached;
}

int nc_remote_call(struct nc_remote *remote, const struct nc_remote_call *call, struct nc_http_answer **ret,
		   struct nacre_error *err)
{
	for (unsigned try = 0;; try++) {
		NC_CLEANUP(nc_http_answer_auto) struct nc_http_answer *answer = NULL;
		enum nc_http_failure failure;
		struct nacre_error why = { 0 };
		int64_t at_least = 0;
		int code = try_call(remote, call, &answer, &failure, &why);
		if (code >= 0 && !may_pass(nc_http_status(answer))) {
			pass_on_warning(remote, answer);
			*ret = NC_GIVE(answer);
			return 0;
		}
		if (code >= 0) {
			const char *after = nc_http_header_get(answer, "Retry-After", 0);
			at_least = after ? nc_retry_after(after, time(NULL)) : 0;
			failure = NC_HTTP_BROKEN;
			code = nc_remote_refused(remote, answer, call->path, &why);
		}
		if (failure == NC_HTTP_UNREACHED && was_reached(remote))
			failure = NC_HTTP_BROKEN;
		if (call->retry)
			*call->retry = (struct nc_remote_retry){ failure == NC_HTTP_BROKEN, at_least };
		if (failure == NC_HTTP_BROKEN && !call->retry) {
			int wait = nc_remote_wait(remote, try, at_least, why.msg, code, &why);
			if (wait >= 0)
				continue;
			code = wait;
		}
		if (at_least > RETRY_AFTER_MAX)
			return nc_fail(err, code, 0, "%s; it wants to be asked again in %lld seconds", why.msg,
				       (long long)at_least);
		return nc_fail(err, code, 0, "%s", why.msg);
	}
}
