/* A request occupies a line: a curl handle in a multi handle of its own, which keeps the connection. Lines go back to
 * their client when their request ends, and serve the next. */
#include "transport/http.h"

#include "base/buf.h"
#include "base/cancel.h"
#include "io/aside.h"
#include "transport/curl.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* A body waits in here; when it is full the transfer pauses. */
#define BLOCK ((size_t)256 << 10)
#define POLL_MS 100	/* how long a cancellation may go unseen */
#define CONNECT_SECONDS 30
#define SILENCE_SECONDS 60
#define LINES_MAX 16	/* idle ones */
#define PATIENCE 10

struct line {
	CURLM *multi;
	CURL *easy;
	struct line *next;
};

struct nc_http {
	const struct nc_curl *curl;
	struct nc_http_options options;
	long connect_seconds, silence_seconds;
	pthread_mutex_t mutex;
	struct line *idle;
	size_t idle_count;
};

struct nc_http_answer {
	struct nc_reader base;
	struct nc_http *http;
	struct line *line;
	bool running;			/* the transfer is not over */
	bool began;			/* the final headers are whole */
	CURLcode result;
	char why[CURL_ERROR_SIZE];
	struct curl_slist *sent;
	const struct nc_http_file *file;	/* the request's, while it is sent */
	uint64_t file_at;
	char *url;
	struct nc_buf headers;		/* "name\0value\0" of the last response */
	bool too_many_headers;
	long status;
	/* body: what comes is gathered in one block while the other is lent */
	char *coming, *lent;
	size_t coming_len;
	bool paused;
	int failed;			/* code, once reading failed */
	struct nacre_error failure;
};

/* --- clients ---------------------------------------------------------------------------------------------------- */

static long seconds_wished(long standard)
{
	const char *text = getenv("NACRE_HTTP_TIMEOUT");
	long seconds = text ? strtol(text, NULL, 10) : 0;
	return seconds > 0 && seconds <= 86400 ? seconds : standard;
}

int nc_http_new(const struct nc_http_options *options, struct nc_http **ret, struct nacre_error *err)
{
	const struct nc_curl *curl;
	int code = nc_curl_load(&curl, err);
	if (code < 0)
		return code;
	struct nc_http *http = nc_zalloc(sizeof *http);
	if (!http)
		return nc_nomem(err);
	http->curl = curl;
	http->options = *options;
	http->connect_seconds = seconds_wished(CONNECT_SECONDS);
	http->silence_seconds = seconds_wished(SILENCE_SECONDS);
	pthread_mutex_init(&http->mutex, NULL);
	*ret = http;
	return 0;
}

static void free_line(const struct nc_curl *curl, struct line *line)
{
	if (line->easy)
		curl->easy_cleanup(line->easy);
	if (line->multi)
		curl->multi_cleanup(line->multi);
	free(line);
}

void nc_http_free(struct nc_http *http)
{
	if (!http)
		return;
	while (http->idle) {
		struct line *line = http->idle;
		http->idle = line->next;
		free_line(http->curl, line);
	}
	pthread_mutex_destroy(&http->mutex);
	free(http);
}

static struct line *take_line(struct nc_http *http)
{
	pthread_mutex_lock(&http->mutex);
	struct line *line = http->idle;
	if (line) {
		http->idle = line->next;
		http->idle_count--;
	}
	pthread_mutex_unlock(&http->mutex);
	if (line || !(line = nc_zalloc(sizeof *line)))
		return line;
	line->multi = http->curl->multi_init();
	line->easy = http->curl->easy_init();
	if (line->multi && line->easy)
		return line;
	free_line(http->curl, line);
	return NULL;
}

static void give_line(struct nc_http *http, struct line *line)
{
	http->curl->easy_reset(line->easy);
	pthread_mutex_lock(&http->mutex);
	bool keep = http->idle_count < LINES_MAX;
	if (keep) {
		line->next = http->idle;
		http->idle = line;
		http->idle_count++;
	}
	pthread_mutex_unlock(&http->mutex);
	if (!keep)
		free_line(http->curl, line);
}

/* --- what curl calls -------------------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* One line of a response's head. A status line begins it anew: what came before was provisional. */
static size_t on_header(char *bytes, size_t size, size_t count, void *ctx)
{
	struct nc_http_answer *answer = ctx;
	size_t len = size * count, end = len;
	if (len >= 5 && !memcmp(bytes, "HTTP/", 5)) {
		nc_buf_clear(&answer->headers);
		return len;
	}
	while (end && is_blank(bytes[end - 1]))
		end--;
	char *colon = memchr(bytes, ':', end);
	if (!end) {
		answer->http->curl->easy_getinfo(answer->line->easy, CURLINFO_RESPONSE_CODE, &answer->status);
		answer->began = answer->status >= 200;
		return len;
	}
	if (!colon || memchr(bytes, '\0', end))
		return len;
	char *value = colon + 1;
	while (value < bytes + end && is_blank(*value))
		value++;
	int code = nc_buf_add(&answer->headers, bytes, (size_t)(colon - bytes), NULL);
	if (code >= 0)
		code = nc_buf_add(&answer->headers, "", 1, NULL);
	if (code >= 0)
		code = nc_buf_add(&answer->headers, value, (size_t)(bytes + end - value), NULL);
	if (code >= 0)
		code = nc_buf_add(&answer->headers, "", 1, NULL);
	answer->too_many_headers |= code < 0;
	return code < 0 ? 0 : len;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
	struct nc_http_answer *answer = ctx;
	size_t len = size * count;
	if (answer->coming_len + len > BLOCK) {
		answer->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	memcpy(answer->coming + answer->coming_len, bytes, len);
	answer->coming_len += len;
	return len;
}

static size_t on_read(char *bytes, size_t size, size_t count, void *ctx)
{
	struct nc_http_answer *answer = ctx;
	const struct nc_http_file *file = answer->file;
	uint64_t left = file->len - answer->file_at;
	size_t wanted = size * count < left ? size * count : (size_t)left;
	ssize_t n = wanted ? pread(file->fd, bytes, wanted, (off_t)(file->offset + answer->file_at)) : 0;
	if (n < 0 || (wanted && !n))
		return CURL_READFUNC_ABORT;
	answer->file_at += (uint64_t)n;
	if (file->sent)
		file->sent(file->ctx, answer->file_at);
	return (size_t)n;
}

/* A connection that was kept and turns out to be dead is replaced, and what was sent is sent again. */
static int on_seek(void *ctx, curl_off_t offset, int whence)
{
	struct nc_http_answer *answer = ctx;
	if (whence != SEEK_SET || offset < 0 || (uint64_t)offset > answer->file->len)
		return CURL_SEEKFUNC_FAIL;
	answer->file_at = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

/* --- one exchange ----------------------------------------------------------------------------------------------- */

static int cancelled(const struct nc_http *http, struct nacre_error *err)
{
	return nc_cancelled(http->options.cancel) || nc_aside_unwanted() ? nc_fail(err, NACRE_E_CANCELLED, 0, "cancelled") : 0;
}

/* A reason without control characters and the host it is about. */
static int unreachable(const struct nc_http_answer *answer, struct nacre_error *err)
{
	const char *why = *answer->why ? answer->why : answer->http->curl->easy_strerror(answer->result);
	char host[256];
	if (answer->too_many_headers)
		return nc_fail(err, NACRE_E_REMOTE, 0, "%s: more than %zu bytes of headers",
			       nc_http_host(answer->url, host), NC_HTTP_HEADERS_MAX);
	if (answer->result == CURLE_OPERATION_TIMEDOUT)
		return nc_fail(err, NACRE_E_REMOTE, 0, "%s: no answer within %ld seconds",
			       nc_http_host(answer->url, host),
			       answer->began ? answer->http->silence_seconds : answer->http->connect_seconds);
	if (answer->result == CURLE_PEER_FAILED_VERIFICATION || answer->result == CURLE_SSL_CACERT_BADFILE)
		return nc_fail(err, NACRE_E_REMOTE, 0,
			       "%s: its certificate is not trusted (%.150s); --cert-dir names authorities of one's own",
			       nc_http_host(answer->url, host), why);
	if (answer->result == CURLE_SSL_CONNECT_ERROR && strstr(why, "wrong version number"))
		return nc_fail(err, NACRE_E_REMOTE, 0, "%s does not speak TLS; --tls-verify=false allows plain HTTP",
			       nc_http_host(answer->url, host));
	return nc_fail(err, NACRE_E_REMOTE, 0, "%s: %.200s", nc_http_host(answer->url, host), why);
}

static enum nc_http_failure failure_of(const struct nc_http_answer *answer)
{
	if (answer->too_many_headers)
		return NC_HTTP_FATAL;
	switch (answer->result) {
	case CURLE_COULDNT_CONNECT:
		return NC_HTTP_UNREACHED;
	case CURLE_SSL_CONNECT_ERROR:
		return NC_HTTP_NO_TLS;
	case CURLE_OPERATION_TIMEDOUT:
		return strstr(answer->why, "too slow") ? NC_HTTP_BROKEN : NC_HTTP_UNREACHED;
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return NC_HTTP_BROKEN;
	default:
		return NC_HTTP_FATAL;
	}
}

/* Lets the transfer go on until there is something to see. */
static int step(struct nc_http_answer *answer, bool wait, struct nacre_error *err)
{
	const struct nc_curl *curl = answer->http->curl;
	int running = 0, left;
	int code = cancelled(answer->http, err);
	if (code < 0)
		return code;
	CURLMcode result = curl->multi_perform(answer->line->multi, &running);
	if (result == CURLM_OK && running && wait && !answer->coming_len && !answer->began)
		result = curl->multi_poll(answer->line->multi, NULL, 0, POLL_MS, NULL);
	if (result != CURLM_OK)
		return nc_fail(err, NACRE_E_REMOTE, 0, "libcurl: %s", curl->multi_strerror(result));
	CURLMsg *message;
	while ((message = curl->multi_info_read(answer->line->multi, &left)))
		if (message->msg == CURLMSG_DONE) {
			answer->result = message->data.result;
			answer->running = false;
		}
	return 0;
}

static int add_header(struct nc_http_answer *answer, const char *name, const char *value, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf line = NC_BUF_INIT(NC_HTTP_HEADERS_MAX);
	int code = nc_buf_addf(&line, err, *value ? "%s: %s" : "%s:", name, value);
	if (code < 0)
		return code;
	if (line.data[strcspn(line.data, "\r\n")])
		return nc_fail(err, NACRE_E_INVALID, 0, "a header of several lines: %s", name);
	struct curl_slist *list = answer->http->curl->slist_append(answer->sent, line.data);
	explicit_bzero(line.data, line.len);
	if (!list)
		return nc_nomem(err);
	answer->sent = list;
	return 0;
}

static int set_headers(struct nc_http_answer *answer, const struct nc_http_request *request, bool authorized,
		       struct nacre_error *err)
{
	int code = add_header(answer, "Expect", "", err);
	for (const struct nc_http_header *header = request->headers; header && header->name && code >= 0; header++)
		code = add_header(answer, header->name, header->value, err);
	if (code >= 0 && authorized && request->authorization)
		code = add_header(answer, "Authorization", request->authorization, err);
	return code;
}

#define SET(option, value) bad |= curl->easy_setopt(easy, option, value) != CURLE_OK

static bool set_security(const struct nc_http *http, CURL *easy)
{
	const struct nc_curl *curl = http->curl;
	const struct nc_http_options *options = &http->options;
	bool bad = false;
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_SSL_VERIFYPEER, options->unverified ? 0L : 1L);
	SET(CURLOPT_SSL_VERIFYHOST, options->unverified ? 0L : 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (options->authorities) {
		struct curl_blob blob = { (void *)options->authorities, strlen(options->authorities), CURL_BLOB_COPY };
		SET(CURLOPT_CAINFO_BLOB, &blob);
	}
	if (options->client_cert)
		SET(CURLOPT_SSLCERT, options->client_cert);
	if (options->client_key)
		SET(CURLOPT_SSLKEY, options->client_key);
	return bad;
}

static bool set_file(struct nc_http_answer *answer, CURL *easy, const struct nc_http_request *request)
{
	const struct nc_curl *curl = answer->http->curl;
	bool bad = false;
	answer->file = request->file;
	answer->file_at = 0;
	SET(CURLOPT_UPLOAD, 1L);
	SET(CURLOPT_CUSTOMREQUEST, request->method);
	SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->file->len);
	SET(CURLOPT_UPLOAD_BUFFERSIZE, (long)BLOCK);
	SET(CURLOPT_READFUNCTION, on_read);
	SET(CURLOPT_READDATA, answer);
	SET(CURLOPT_SEEKFUNCTION, on_seek);
	SET(CURLOPT_SEEKDATA, answer);
	return bad;
}

static bool set_method(struct nc_http_answer *answer, CURL *easy, const struct nc_http_request *request)
{
	const struct nc_curl *curl = answer->http->curl;
	bool bad = false;
	if (request->file)
		return set_file(answer, easy, request);
	if (!strcmp(request->method, "HEAD")) {
		SET(CURLOPT_NOBODY, 1L);
	} else if (!strcmp(request->method, "GET")) {
		SET(CURLOPT_HTTPGET, 1L);
	} else {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDS, request->body_len ? request->body : "");
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
		SET(CURLOPT_CUSTOMREQUEST, request->method);
	}
	return bad;
}

static int set_up(struct nc_http_answer *answer, const struct nc_http_request *request, bool authorized,
		  struct nacre_error *err)
{
	const struct nc_http *http = answer->http;
	const struct nc_curl *curl = http->curl;
	CURL *easy = answer->line->easy;
	int code = set_headers(answer, request, authorized, err);
	if (code < 0)
		return code;
	bool bad = set_security(http, easy);
	bad |= set_method(answer, easy, request);
	SET(CURLOPT_URL, answer->url);
	SET(CURLOPT_HTTPHEADER, answer->sent);
	SET(CURLOPT_USERAGENT, "nacre");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_BUFFERSIZE, (long)(BLOCK / 2));
	SET(CURLOPT_CONNECTTIMEOUT, http->connect_seconds);
	SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
	SET(CURLOPT_LOW_SPEED_TIME, request->patient ? PATIENCE * http->silence_seconds : http->silence_seconds);
	SET(CURLOPT_ERRORBUFFER, answer->why);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, answer);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, answer);
	return bad ? nc_fail(err, NACRE_E_UNSUPPORTED, 0, "libcurl refuses what is asked of it") : 0;
}

/* From the request to the end of the answer's head. */
static int exchange(struct nc_http_answer *answer, const struct nc_http_request *request, bool authorized,
		    enum nc_http_failure *ret_failure, struct nacre_error *err)
{
	*ret_failure = NC_HTTP_FATAL;
	int code = set_up(answer, request, authorized, err);
	if (code < 0)
		return code;
	if (answer->http->curl->multi_add_handle(answer->line->multi, answer->line->easy) != CURLM_OK)
		return nc_nomem(err);
	answer->running = true;
	while (code >= 0 && answer->running && !answer->began)
		code = step(answer, true, err);
	if (code < 0 || (answer->began && !answer->too_many_headers))
		return code;
	*ret_failure = failure_of(answer);
	return unreachable(answer, err);
}

/* --- bodies ----------------------------------------------------------------------------------------------------- */

static int fill(struct nc_http_answer *answer, struct nacre_error *err)
{
	const struct nc_curl *curl = answer->http->curl;
	int code = 0;
	if (answer->paused && answer->running) {
		answer->paused = false;
		/* may call on_body at once */
		if (curl->easy_pause(answer->line->easy, CURLPAUSE_CONT) != CURLE_OK)
			return nc_fail(err, NACRE_E_REMOTE, 0, "the transfer cannot go on");
	}
	while (code >= 0 && answer->running && !answer->coming_len) {
		code = step(answer, false, err);
		if (code >= 0 && answer->running && !answer->coming_len &&
		    curl->multi_poll(answer->line->multi, NULL, 0, POLL_MS, NULL) != CURLM_OK)
			code = nc_fail(err, NACRE_E_REMOTE, 0, "waiting for the network failed");
	}
	if (code >= 0 && !answer->coming_len && answer->result != CURLE_OK)
		code = unreachable(answer, err);
	return code;
}

static ssize_t body_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct nc_http_answer *answer = (struct nc_http_answer *)reader;
	if (answer->failed)
		return nc_fail(err, answer->failed, 0, "%s", answer->failure.msg);
	if (!answer->coming_len) {
		int code = fill(answer, &answer->failure);
		if (code < 0) {
			answer->failed = code;
			return nc_fail(err, code, 0, "%s", answer->failure.msg);
		}
	}
	char *block = answer->coming;
	size_t len = answer->coming_len;
	answer->coming = answer->lent;
	answer->lent = block;
	answer->coming_len = 0;
	*ret = block;
	return (ssize_t)len;
}

void nc_http_answer_free(struct nc_http_answer *answer)
{
	if (!answer)
		return;
	const struct nc_curl *curl = answer->http->curl;
	/* a transfer that is all but over leaves a connection that serves again */
	for (int i = 0; i < 3 && answer->line && answer->running; i++) {
		answer->coming_len = 0;
		step(answer, false, NULL);
	}
	if (answer->line) {
		curl->multi_remove_handle(answer->line->multi, answer->line->easy);
		give_line(answer->http, answer->line);
	}
	for (struct curl_slist *item = answer->sent; item; item = item->next)
		explicit_bzero(item->data, strlen(item->data));
	curl->slist_free_all(answer->sent);
	nc_buf_release(&answer->headers);
	free(answer->url);
	free(answer->coming);
	free(answer->lent);
	free(answer);
}

static void body_close(struct nc_reader *reader)
{
	nc_http_answer_free((struct nc_http_answer *)reader);
}

struct nc_reader *nc_http_body(struct nc_http_answer *answer)
{
	return &answer->base;
}

/* --- requests --------------------------------------------------------------------------------------------------- */

static const struct nc_reader_ops body_ops = { .next = body_next, .close = body_close };

static int open_answer(struct nc_http *http, const char *url, struct nc_http_answer **ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_http_answer_auto) struct nc_http_answer *answer = nc_zalloc(sizeof *answer);
	if (!answer)
		return nc_nomem(err);
	answer->base.ops = &body_ops;
	answer->http = http;
	answer->headers.max = NC_HTTP_HEADERS_MAX;
	answer->url = nc_strdup(url);
	answer->coming = nc_alloc(BLOCK);
	answer->lent = nc_alloc(BLOCK);
	answer->line = take_line(http);
	if (!answer->url || !answer->coming || !answer->lent || !answer->line)
		return nc_nomem(err);
	*ret = NC_GIVE(answer);
	return 0;
}

static bool is_redirect(const struct nc_http_answer *answer)
{
	long status = answer->status;
	return (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) &&
	       nc_http_header_get(answer, "Location", 0);
}

int nc_http_send(struct nc_http *http, const struct nc_http_request *request, struct nc_http_answer **ret,
		 enum nc_http_failure *ret_failure, struct nacre_error *err)
{
	NC_CLEANUP(nc_http_answer_auto) struct nc_http_answer *answer = NULL;
	enum nc_http_failure failure;
	if (!ret_failure)
		ret_failure = &failure;
	*ret_failure = NC_HTTP_FATAL;
	int code = open_answer(http, request->url, &answer, err);
	bool authorized = true;
	for (int hops = 0; code >= 0; hops++) {
		code = exchange(answer, request, authorized, ret_failure, err);
		if (code < 0 || request->stay || !is_redirect(answer))
			break;
		NC_AUTO_FREE char *next = NULL;
		char host[256];
		*ret_failure = NC_HTTP_FATAL;
		if (hops == NC_HTTP_REDIRECTS)
			return nc_fail(err, NACRE_E_REMOTE, 0, "%s: more than %d redirects",
				       nc_http_host(request->url, host), NC_HTTP_REDIRECTS);
		code = nc_http_resolve(answer->url, nc_http_header_get(answer, "Location", 0), &next, err);
		if (code < 0)
			return code;
		authorized = authorized && nc_http_same_origin(request->url, next);
		nc_http_answer_free(NC_GIVE(answer));
		code = open_answer(http, next, &answer, err);
	}
	if (code < 0)
		return code;
	*ret = NC_GIVE(answer);
	return 0;
}

int nc_http_status(const struct nc_http_answer *answer)
{
	return (int)answer->status;
}

const char *nc_http_url(const struct nc_http_answer *answer)
{
	return answer->url;
}

const char *nc_http_header_get(const struct nc_http_answer *answer, const char *name, size_t nth)
{
	const char *at = answer->headers.data, *end = at + answer->headers.len;
	while (at && at < end) {
		const char *value = at + strlen(at) + 1;
		if (!strcasecmp(at, name) && !nth--)
			return value;
		at = value + strlen(value) + 1;
	}
	return NULL;
}

/* --- URLs ------------------------------------------------------------------------------------------------------- */

struct origin {
	char *scheme, *host, *port;
};

static bool take_origin(const struct nc_curl *curl, const char *text, struct origin *ret)
{
	CURLU *url = curl->url();
	*ret = (struct origin){ 0 };
	bool good = url && curl->url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
		    curl->url_get(url, CURLUPART_SCHEME, &ret->scheme, 0) == CURLUE_OK &&
		    curl->url_get(url, CURLUPART_HOST, &ret->host, 0) == CURLUE_OK &&
		    curl->url_get(url, CURLUPART_PORT, &ret->port, CURLU_DEFAULT_PORT) == CURLUE_OK;
	curl->url_cleanup(url);
	return good;
}

static void release_origin(const struct nc_curl *curl, struct origin *origin)
{
	curl->free(origin->scheme);
	curl->free(origin->host);
	curl->free(origin->port);
}

bool nc_http_same_origin(const char *a, const char *b)
{
	const struct nc_curl *curl;
	struct origin x, y;
	if (nc_curl_load(&curl, NULL) < 0)
		return false;
	bool good = take_origin(curl, a, &x), also = take_origin(curl, b, &y);
	bool same = good && also && !strcasecmp(x.scheme, y.scheme) && !strcasecmp(x.host, y.host) &&
		    !strcmp(x.port, y.port);
	release_origin(curl, &x);
	release_origin(curl, &y);
	return same;
}

static int check_url(const char *base, const char *url, struct nacre_error *err)
{
	char host[256];
	if (strlen(url) > NC_HTTP_URL_MAX)
		return nc_fail(err, NACRE_E_REMOTE, 0, "%s: a URL of more than %zu bytes", nc_http_host(base, host),
			       NC_HTTP_URL_MAX);
	if (strncasecmp(url, "https://", 8) && strncasecmp(url, "http://", 7))
		return nc_fail(err, NACRE_E_REMOTE, 0, "%s leads to '%.100s', which is no http or https URL",
			       nc_http_host(base, host), url);
	if (!strncasecmp(base, "https://", 8) && strncasecmp(url, "https://", 8))
		return nc_fail(err, NACRE_E_REMOTE, 0, "%s leads from https to plain http", nc_http_host(base, host));
	return 0;
}

int nc_http_resolve(const char *base, const char *url, char **ret, struct nacre_error *err)
{
	const struct nc_curl *curl;
	char *text = NULL, host[256];
	int code = nc_curl_load(&curl, err);
	if (code < 0)
		return code;
	CURLU *parsed = curl->url();
	if (!parsed)
		return nc_nomem(err);
	if (curl->url_set(parsed, CURLUPART_URL, base, 0) != CURLUE_OK ||
	    curl->url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE) != CURLUE_OK ||
	    curl->url_get(parsed, CURLUPART_URL, &text, 0) != CURLUE_OK)
		code = nc_fail(err, NACRE_E_REMOTE, 0, "%s leads to '%.100s', which is no URL", nc_http_host(base, host),
			       url);
	if (code >= 0)
		code = check_url(base, text, err);
	if (code >= 0 && !(*ret = nc_strdup(text)))
		code = nc_nomem(err);
	curl->free(text);
	curl->url_cleanup(parsed);
	return code;
}

const char *nc_http_host(const char *url, char *ret)
{
	const char *start = strstr(url, "://");
	start = start ? start + 3 : url;
	size_t len = strcspn(start, "/?#");
	const char *at = memchr(start, '@', len);
	if (at) {
		len -= (size_t)(at + 1 - start);
		start = at + 1;
	}
	snprintf(ret, 256, "%.*s", (int)(len < 255 ? len : 255), start);
	return ret;
}
