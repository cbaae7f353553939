/* How a registry lets one in: the challenge of its 401, credentials, and tokens of a token server. */
#include "transport/remote_inner.h"

#include "base/buf.h"
#include "image/gojson.h"
#include "base/base64.h"

#include <stdlib.h>
#include <string.h>

/* A token that does not say how long it lasts does a minute; it is not used in its last seconds. */
#define TOKEN_SECONDS 60
#define TOKEN_SLACK 5

static void erase(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void erase_buf(struct nc_buf *buf)
{
	if (buf->data)
		explicit_bzero(buf->data, buf->cap);
	nc_buf_release(buf);
}
#define AUTO_SECRET __attribute__((cleanup(erase_buf)))

void nc_remote_forget_tokens(struct nc_remote *remote)
{
	while (remote->tokens) {
		struct nc_token *token = remote->tokens;
		remote->tokens = token->next;
		erase(token->authorization);
		free(token->scope);
		free(token);
	}
}

/* authorization is taken. */
static int keep(struct nc_remote *remote, const char *scope, char *authorization, int64_t expires,
		struct nacre_error *err)
{
	struct nc_token *token = nc_zalloc(sizeof *token);
	char *copy = nc_strdup(scope);
	if (!token || !copy) {
		free(token);
		free(copy);
		erase(authorization);
		return nc_nomem(err);
	}
	*token = (struct nc_token){ .scope = copy, .authorization = authorization, .expires = expires };
	pthread_mutex_lock(&remote->mutex);
	token->next = remote->tokens;
	remote->tokens = token;
	pthread_mutex_unlock(&remote->mutex);
	return 0;
}

static const char *find(struct nc_remote *remote, const char *scope)
{
	int64_t now = nc_monotonic_seconds();
	for (const struct nc_token *token = remote->tokens; token; token = token->next)
		if ((!*token->scope || !strcmp(token->scope, scope)) && token->expires > now)
			return token->authorization;
	return NULL;
}

/* --- requests for tokens ---------------------------------------------------------------------------------------- */

static int add_escaped(struct nc_buf *buf, const char *name, const char *value, struct nacre_error *err)
{
	char separator = buf->len && strchr(buf->data, '?') ? '&' : '?';
	int code = nc_buf_addf(buf, err, "%c%s=", separator, name);
	for (; *value && code >= 0; value++)
		code = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~", *value)
			       ? nc_buf_add(buf, value, 1, err)
			       : nc_buf_addf(buf, err, "%%%02X", (unsigned)(unsigned char)*value);
	return code;
}

static int basic(const struct nc_credentials *credentials, char **ret, struct nacre_error *err)
{
	AUTO_SECRET struct nc_buf pair = NC_BUF_INIT(16384);
	*ret = NULL;
	if (!credentials->user || !credentials->password)
		return 0;
	int code = nc_buf_addf(&pair, err, "%s:%s", credentials->user, credentials->password);
	if (code < 0)
		return code;
	char *text = nc_zalloc(sizeof "Basic " + NC_BASE64_ENCODED(pair.len));
	if (!text)
		return nc_nomem(err);
	memcpy(text, "Basic ", 6);
	nc_base64_encode(pair.data, pair.len, text + 6);
	*ret = text;
	return 0;
}

/* "pull" of our repository as scopes are written; several are separated by blanks. */
static int scope_text(const struct nc_remote *remote, const char *scope, struct nc_buf *ret, struct nacre_error *err)
{
	if (!*scope || !strncmp(scope, "repository:", 11))
		return nc_buf_add_text(ret, scope, err);
	return nc_buf_addf(ret, err, "repository:%s:%s", remote->endpoint.path, scope);
}

static int add_scopes(const struct nc_remote *remote, struct nc_buf *url, const char *scope, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf all = NC_BUF_INIT(4096);
	int code = scope_text(remote, scope, &all, err);
	for (char *at = all.data; at && *at && code >= 0;) {
		size_t len = strcspn(at, " ");
		bool last = !at[len];
		at[len] = '\0';
		code = add_escaped(url, "scope", at, err);
		at += len + !last;
	}
	return code;
}

/* GET with what a password gives, as Docker began it. */
static int ask_with_basic(struct nc_remote *remote, const char *realm, const char *service, const char *scope,
			  struct nc_http_answer **ret, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf url = NC_BUF_INIT(NC_HTTP_URL_MAX);
	const struct nc_credentials *credentials = &remote->credentials;
	char *authorization = NULL;
	int code = nc_buf_add_text(&url, realm, err);
	if (code >= 0 && credentials->user)
		code = add_escaped(&url, "account", credentials->user, err);
	if (code >= 0 && *service)
		code = add_escaped(&url, "service", service, err);
	if (code >= 0)
		code = add_scopes(remote, &url, scope, err);
	if (code >= 0)
		code = basic(credentials, &authorization, err);
	if (code >= 0) {
		const struct nc_http_request request = { .method = "GET", .url = url.data,
							 .authorization = authorization };
		code = nc_http_send(remote->http, &request, ret, NULL, err);
	}
	erase(authorization);
	return code;
}

/* POST with a refresh token, as OAuth2 has it. */
static int ask_with_token(struct nc_remote *remote, const char *realm, const char *service, const char *scope,
			  struct nc_http_answer **ret, struct nacre_error *err)
{
	AUTO_SECRET struct nc_buf form = NC_BUF_INIT(65536);
	NC_AUTO_BUF struct nc_buf all = NC_BUF_INIT(4096);
	static const struct nc_http_header headers[] = { { "Content-Type", "application/x-www-form-urlencoded" },
							 { NULL, NULL } };
	int code = scope_text(remote, scope, &all, err);
	if (code >= 0)
		code = add_escaped(&form, "grant_type", "refresh_token", err);
	if (code >= 0)
		code = add_escaped(&form, "service", service, err);
	if (code >= 0)
		code = add_escaped(&form, "client_id", "nacre", err);
	if (code >= 0)
		code = add_escaped(&form, "scope", nc_buf_text(&all), err);
	if (code >= 0)
		code = add_escaped(&form, "refresh_token", remote->credentials.identity_token, err);
	if (code < 0)
		return code;
	/* the form begins with the "?" that a URL would have there */
	const struct nc_http_request request = { .method = "POST", .url = realm, .headers = headers,
						 .body = form.data + 1, .body_len = form.len - 1, .stay = true };
	return nc_http_send(remote->http, &request, ret, NULL, err);
}

/* --- tokens ----------------------------------------------------------------------------------------------------- */

static int take_token(struct nc_remote *remote, struct nc_http_answer *answer, const char *scope,
		      struct nacre_error *err)
{
	AUTO_SECRET struct nc_buf text = NC_BUF_INIT(NC_REMOTE_TOKEN_MAX);
	char *body = NULL, host[256];
	size_t len;
	json_t *json = NULL;
	nc_http_host(nc_http_url(answer), host);
	int code = nc_remote_body(answer, NC_REMOTE_TOKEN_MAX, &body, &len, err);
	if (code >= 0)
		code = nc_json_parse(body, len, "token", &json, err);
	erase(body);
	if (code < 0)
		return nc_wrap(err, code, "%s", host);
	const char *token = json_string_value(json_object_get(json, "token"));
	if (!token)
		token = json_string_value(json_object_get(json, "access_token"));
	json_int_t seconds = json_integer_value(json_object_get(json, "expires_in"));
	if (seconds < TOKEN_SECONDS)
		seconds = seconds > 0 ? seconds : TOKEN_SECONDS;
	if (seconds > 86400)
		seconds = 86400;
	code = token ? nc_buf_addf(&text, err, "Bearer %s", token)
		     : nc_fail(err, NACRE_E_REMOTE, 0, "%s: an answer without a token", host);
	if (code >= 0 && text.data[strcspn(text.data, "\r\n")])
		code = nc_fail(err, NACRE_E_REMOTE, 0, "%s: a token of several lines", host);
	json_decref(json);
	if (code < 0)
		return code;
	char *authorization = nc_strdup(text.data);
	if (!authorization)
		return nc_nomem(err);
	return keep(remote, scope, authorization, nc_monotonic_seconds() + seconds - TOKEN_SLACK, err);
}

static int refused(const struct nc_remote *remote, const char *host, int status, struct nacre_error *err)
{
	const struct nc_credentials *credentials = &remote->credentials;
	if (status != 401 && status != 403 && status != 400)
		return nc_fail(err, NACRE_E_REMOTE, 0, "%s answers %d when asked for a token", host, status);
	if (!credentials->from)
		return nc_fail(err, NACRE_E_AUTH, 0, "%s asks for a login: 'nacre login %s'", remote->name,
			       remote->endpoint.name);
	return nc_fail(err, NACRE_E_AUTH, 0, "%s refuses the login of '%s' from %s", remote->name,
		       credentials->user ? credentials->user : "a token", credentials->from);
}

int nc_remote_denied(const struct nc_remote *remote, struct nacre_error *err)
{
	if (remote->credentials.from)
		return refused(remote, remote->endpoint.host, 401, err);
	return nc_fail(err, NACRE_E_AUTH, 0, "there is no %s, or it asks for a login: 'nacre login %s'", remote->name,
		       remote->endpoint.name);
}

static int fetch_token(struct nc_remote *remote, const char *realm, const char *service, const char *scope,
		       struct nacre_error *err)
{
	NC_CLEANUP(nc_http_answer_auto) struct nc_http_answer *answer = NULL;
	char host[256];
	int code = remote->credentials.identity_token ? ask_with_token(remote, realm, service, scope, &answer, err)
						      : ask_with_basic(remote, realm, service, scope, &answer, err);
	if (code < 0)
		return nc_wrap(err, code, "token for %s", remote->name);
	if (nc_http_status(answer) == 200)
		return take_token(remote, answer, scope, err);
	return refused(remote, nc_http_host(nc_http_url(answer), host), nc_http_status(answer), err);
}

/* --- challenges ------------------------------------------------------------------------------------------------- */

/* Bearer wins where a registry offers both. ret is given. */
static int choose(const struct nc_http_answer *answer, struct nc_challenge *ret, struct nacre_error *err)
{
	const char *value;
	struct nc_challenge one;
	*ret = (struct nc_challenge){ .scheme = NC_CHALLENGE_OTHER };
	for (size_t n = 0; (value = nc_http_header_get(answer, "WWW-Authenticate", n)); n++) {
		int code;
		while ((code = nc_challenge_next(&value, &one, err)) > 0) {
			if (one.scheme > ret->scheme) {
				nc_challenge_release(ret);
				*ret = one;
			} else {
				nc_challenge_release(&one);
			}
		}
		if (code < 0) {
			nc_challenge_release(ret);
			return code;
		}
	}
	return 0;
}

/* tried: it was what was refused. Another thread may have learned of it meanwhile. */
static int use_basic(struct nc_remote *remote, bool tried, struct nacre_error *err)
{
	char *authorization = NULL;
	pthread_mutex_lock(&remote->mutex);
	bool known = find(remote, "") != NULL;
	pthread_mutex_unlock(&remote->mutex);
	if (known && !tried)
		return 0;
	int code = known ? refused(remote, remote->endpoint.host, 401, err)
			 : basic(&remote->credentials, &authorization, err);
	if (code >= 0 && !authorization)
		code = refused(remote, remote->endpoint.host, 401, err);
	return code < 0 ? code : keep(remote, "", authorization, INT64_MAX, err);
}

/* Keeps the challenge for the scopes to come. realm: checked against the URL it came from. */
static int remember(struct nc_remote *remote, const struct nc_http_answer *answer, struct nc_challenge *challenge,
		    struct nacre_error *err)
{
	char *realm;
	int code = nc_http_resolve(nc_http_url(answer), challenge->realm, &realm, err);
	if (code < 0) {
		nc_wrap(err, code, "token server");
		if (err)
			err->code = NACRE_E_AUTH;
		return NACRE_E_AUTH;
	}
	free(challenge->realm);
	challenge->realm = realm;
	pthread_mutex_lock(&remote->mutex);
	struct nc_challenge old = remote->challenge;
	remote->challenge = *challenge;
	nc_remote_forget_tokens(remote);
	pthread_mutex_unlock(&remote->mutex);
	nc_challenge_release(&old);
	*challenge = (struct nc_challenge){ .scheme = NC_CHALLENGE_OTHER };
	return 0;
}

/* A token as the last challenge asked for it; 0 without one. */
static int fetch(struct nc_remote *remote, const char *scope, struct nacre_error *err)
{
	pthread_mutex_lock(&remote->mutex);
	bool bearer = remote->challenge.scheme == NC_CHALLENGE_BEARER;
	NC_AUTO_FREE char *realm = bearer ? nc_strdup(remote->challenge.realm) : NULL;
	NC_AUTO_FREE char *service = bearer ? nc_strdup(remote->challenge.service) : NULL;
	pthread_mutex_unlock(&remote->mutex);
	if (!bearer)
		return 0;
	return realm && service ? fetch_token(remote, realm, service, scope, err) : nc_nomem(err);
}

int nc_remote_authenticate(struct nc_remote *remote, struct nc_http_answer *answer, const char *scope, bool authorized,
			   struct nacre_error *err)
{
	struct nc_challenge challenge;
	int code = choose(answer, &challenge, err);
	if (code < 0)
		return nc_wrap(err, code, "%s", remote->name);
	if (challenge.scheme == NC_CHALLENGE_BASIC)
		code = use_basic(remote, authorized, err);
	else if (challenge.scheme == NC_CHALLENGE_BEARER)
		code = remember(remote, answer, &challenge, err);
	else
		code = nc_remote_refused(remote, answer, "access, and does not say how to get it", err);
	if (code >= 0 && challenge.scheme != NC_CHALLENGE_BASIC)
		code = fetch(remote, scope, err);
	nc_challenge_release(&challenge);
	return code;
}

static int copy_known(struct nc_remote *remote, const char *scope, char **ret, struct nacre_error *err)
{
	pthread_mutex_lock(&remote->mutex);
	const char *known = find(remote, scope);
	*ret = known ? nc_strdup(known) : NULL;
	pthread_mutex_unlock(&remote->mutex);
	if (known)
		return *ret ? 1 : nc_nomem(err);
	return 0;
}

int nc_remote_authorization(struct nc_remote *remote, const char *scope, char **ret, struct nacre_error *err)
{
	int code = copy_known(remote, scope, ret, err);
	if (code == 0)
		code = fetch(remote, scope, err);
	if (code == 0)
		code = copy_known(remote, scope, ret, err);
	return code < 0 ? code : 0;
}
